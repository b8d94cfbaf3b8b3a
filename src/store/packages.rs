//! Packages for bulk enrollment.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, many, one};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::package::Package;
use crate::domain::user::User;

pub(super) fn insert(package: &Package) -> Result<Statement, StoreError> {
    let odd = |error: serde_json::Error| StoreError::Internal(format!("packages.networks: {error}"));
    let networks = serde_json::to_string(&package.networks).map_err(odd)?;
    let params = vec![
        package.id.into(),
        package.user_id.into(),
        package.user_name.as_str().into(),
        package.name.as_str().into(),
        package.build.into(),
        package.built_as.into(),
        package.secret_hash.as_slice().into(),
        package.sealed_pin_hash.as_deref().into(),
        package.pin_failures.into(),
        networks.into(),
        package.max_devices.into(),
        package.devices.into(),
        package.created_at.into(),
        package.expires_at.into(),
        package.last_used_at.into(),
        package.revoked_at.into(),
        package.root.as_deref().into(),
        package.generation.as_deref().into(),
    ];
    Ok(Statement::one(INSERT, params))
}

/// Counts a device, or none. A miss where the package is over, was built anew, has its number, or was used since it was read.
pub(super) fn use_one(package: &Package, counts: bool, at: OffsetDateTime) -> Statement {
    let params =
        vec![package.id.into(), package.build.into(), package.devices.into(), i64::from(counts).into(), at.into()];
    Statement::one(USE, params)
}

/// A miss where it was withdrawn, or built since it was read. The tries of a PIN that stays are those that are stored.
pub(super) fn rebuild(package: &Package) -> Statement {
    let params = vec![
        package.id.into(),
        package.build.into(),
        package.secret_hash.as_slice().into(),
        package.sealed_pin_hash.as_deref().into(),
        package.pin_failures.into(),
        package.built_as.into(),
        package.root.as_deref().into(),
        package.generation.as_deref().into(),
    ];
    Statement::one(REBUILD, params)
}

/// The first withdrawal counts; another one is a miss.
pub(super) fn revoke(id: Id<Package>, at: OffsetDateTime) -> Statement {
    Statement::one(REVOKE, vec![id.into(), at.into()])
}

/// A miss where it has another PIN, or another try was counted since it was read.
pub(super) fn take_try(package: &Package) -> Statement {
    let params = vec![package.id.into(), package.sealed_pin_hash.as_deref().into(), package.pin_failures.into()];
    Statement::one(TAKE_TRY, params)
}

pub(super) fn give_back_try(package: &Package) -> Statement {
    Statement::at_most_one(GIVE_BACK_TRY, vec![package.id.into(), package.sealed_pin_hash.as_deref().into()])
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Package>) -> Result<Option<Package>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn find_by_secret(
    engine: &dyn Engine,
    user: Id<User>,
    secret_hash: &[u8; 32],
) -> Result<Option<Package>, StoreError> {
    one(engine, FIND_BY_SECRET, vec![secret_hash.as_slice().into(), user.into()], read).await
}

pub(super) async fn with_pin(
    engine: &dyn Engine,
    user: Id<User>,
    now: OffsetDateTime,
) -> Result<Option<Package>, StoreError> {
    one(engine, WITH_PIN, vec![user.into(), now.into()], read).await
}

pub(super) async fn live_with_root(
    engine: &dyn Engine,
    root: &str,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Package>, StoreError> {
    many(engine, LIVE_WITH_ROOT, vec![root.into(), now.into(), limit.into()], read).await
}

/// A generation is none where the address has none.
pub(super) async fn live_with_other_url(
    engine: &dyn Engine,
    generations: [Option<&str>; 2],
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Package>, StoreError> {
    let [one, other] = generations.map(|generation| generation.unwrap_or_default().into());
    many(engine, LIVE_WITH_OTHER_URL, vec![one, other, now.into(), limit.into()], read).await
}

pub(super) async fn list(engine: &dyn Engine, page: &Page) -> Result<Listed<Package>, StoreError> {
    let place = |package: &Package| cursor(package.created_at, package.id);
    List { sql: LIST, more: Vec::new(), read, place, page }.load(engine).await
}

fn read(row: &Row) -> Result<Package, StoreError> {
    let row = row.of("packages");
    Ok(Package {
        id: row.id("id")?,
        user_id: row.opt_id("user_id")?,
        user_name: row.string("user_name")?,
        name: row.string("name")?,
        build: row.number("build")?,
        built_as: row.opt_id("built_as")?,
        secret_hash: row.digest("secret_hash")?,
        sealed_pin_hash: row.opt_bytes("pin_hash")?.map(<[u8]>::to_vec),
        pin_failures: row.number("pin_failures")?,
        networks: row.json("networks")?,
        max_devices: row.number("max_devices")?,
        devices: row.number("devices")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        root: row.opt_string("root")?,
        generation: row.opt_string("generation")?,
    })
}

const INSERT: &str = "
    INSERT INTO packages (id, user_id, user_name, name, build, built_as, secret_hash, pin_hash, pin_failures,
        networks, max_devices, devices, created_at, expires_at, last_used_at, revoked_at, root,
        generation)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";

const USE: &str = "
    UPDATE packages SET devices = devices + $4, last_used_at = $5
    WHERE id = $1 AND build = $2 AND devices = $3 AND ($4 = 0 OR devices < max_devices)
        AND user_id IS NOT NULL AND revoked_at IS NULL AND expires_at > $5";

const REBUILD: &str = "
    UPDATE packages SET build = build + 1, built_as = $6, secret_hash = $3, pin_hash = $4,
        pin_failures = CASE WHEN pin_hash = $4 THEN pin_failures ELSE $5 END, root = $7,
        generation = $8
    WHERE id = $1 AND build = $2 AND user_id IS NOT NULL AND revoked_at IS NULL";

const REVOKE: &str = "UPDATE packages SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

const TAKE_TRY: &str = "
    UPDATE packages SET pin_failures = pin_failures + 1 WHERE id = $1 AND pin_hash = $2 AND pin_failures = $3";

const GIVE_BACK_TRY: &str = "
    UPDATE packages SET pin_failures = pin_failures - 1 WHERE id = $1 AND pin_hash = $2 AND pin_failures > 0";

pub(super) const FIND: &str = "SELECT * FROM packages WHERE id = $1";

pub(super) const FIND_BY_SECRET: &str = "SELECT * FROM packages WHERE secret_hash = $1 AND user_id = $2";

pub(super) const WITH_PIN: &str = "
    SELECT * FROM packages
    WHERE user_id = $1 AND pin_hash IS NOT NULL AND revoked_at IS NULL AND expires_at > $2
    ORDER BY created_at DESC, id DESC LIMIT 1";

pub(super) const LIST: &str = "
    SELECT * FROM packages WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3";

const LIVE_WITH_ROOT: &str = "
    SELECT * FROM packages WHERE root = $1 AND user_id IS NOT NULL AND revoked_at IS NULL AND expires_at > $2
    ORDER BY created_at, id LIMIT $3";

const LIVE_WITH_OTHER_URL: &str = "
    SELECT * FROM packages WHERE COALESCE(generation, '') NOT IN ($1, $2) AND user_id IS NOT NULL AND revoked_at IS NULL
        AND expires_at > $3
    ORDER BY created_at, id LIMIT $4";
