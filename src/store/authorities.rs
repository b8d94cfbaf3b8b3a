//! The CAs while one takes the place of another, and which devices have been given the root of the newest.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{many, one};
use crate::app::ports::StoreError;
use crate::domain::Id;
use crate::domain::ca::{CaRecord, CaRole};
use crate::domain::enrollment::Enrollment;

/// Adds a CA; a miss where one has its role already.
pub(super) fn insert(ca: &CaRecord) -> Statement {
    Statement::one(
        INSERT,
        vec![
            ca.id.as_str().into(),
            ca.role.as_str().into(),
            ca.root.as_slice().into(),
            ca.issuing.as_slice().into(),
            ca.root_key.as_slice().into(),
            ca.issuing_key.as_slice().into(),
            ca.since.into(),
        ],
    )
}

/// Gives a CA another role; a miss where it does not have the one before.
pub(super) fn change(id: &str, from: CaRole, to: CaRole, since: OffsetDateTime) -> Statement {
    Statement::one(CHANGE, vec![id.into(), from.as_str().into(), to.as_str().into(), since.into()])
}

/// Removes a CA that has that role, and what is known of its delivery.
pub(super) fn remove(id: &str, role: CaRole) -> [Statement; 2] {
    [Statement::one(REMOVE, vec![id.into(), role.as_str().into()]), Statement::any(FORGET_DELIVERIES, Vec::new())]
}

/// The device of an enrollment has a root.
pub(super) fn delivered(enrollment: Id<Enrollment>, root: &str, at: OffsetDateTime) -> Statement {
    Statement::one(DELIVERED, vec![enrollment.into(), root.into(), at.into()])
}

pub(super) async fn list(engine: &dyn Engine) -> Result<Vec<CaRecord>, StoreError> {
    many(engine, LIST, Vec::new(), read).await
}

/// How many devices under management, those on their way out among them, were not given a root yet.
pub(super) async fn count_without(engine: &dyn Engine, root: &str) -> Result<u64, StoreError> {
    Ok(one(engine, COUNT_WITHOUT, vec![root.into()], |row| row.of("enrollments").number("number")).await?.unwrap_or(0))
}

/// Names of some of them.
pub(super) async fn names_without(engine: &dyn Engine, root: &str, limit: u32) -> Result<Vec<String>, StoreError> {
    many(engine, NAMES_WITHOUT, vec![root.into(), limit.into()], |row| row.of("devices").string("name")).await
}

/// How many certificates of an issuing CA still let a device in: those that end after a moment.
pub(super) async fn count_live(engine: &dyn Engine, issuer: &str, after: OffsetDateTime) -> Result<u64, StoreError> {
    let live =
        one(engine, COUNT_LIVE, vec![issuer.into(), after.into()], |row| row.of("certificates").number("number"));
    Ok(live.await?.unwrap_or(0))
}

fn read(row: &Row) -> Result<CaRecord, StoreError> {
    let row = row.of("authorities");
    Ok(CaRecord {
        id: row.string("id")?,
        role: row.word("role", CaRole::parse)?,
        root: row.bytes("root")?.to_vec(),
        issuing: row.bytes("issuing")?.to_vec(),
        root_key: row.bytes("root_key")?.to_vec(),
        issuing_key: row.bytes("issuing_key")?.to_vec(),
        since: row.time("since")?,
    })
}

const INSERT: &str = "
    INSERT INTO authorities (id, role, root, issuing, root_key, issuing_key, since)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";

const CHANGE: &str = "UPDATE authorities SET role = $3, since = $4 WHERE id = $1 AND role = $2";

const REMOVE: &str = "DELETE FROM authorities WHERE id = $1 AND role = $2";

const FORGET_DELIVERIES: &str = "DELETE FROM ca_deliveries";

const DELIVERED: &str = "
    INSERT INTO ca_deliveries (enrollment_id, root, at) VALUES ($1, $2, $3)
    ON CONFLICT (enrollment_id) DO UPDATE SET root = excluded.root, at = excluded.at";

pub(super) const LIST: &str = "SELECT * FROM authorities ORDER BY role";

pub(super) const COUNT_WITHOUT: &str = "
    SELECT COUNT(*) AS number FROM enrollments e
    WHERE e.state IN ('pending', 'active', 'retiring', 'wiping')
        AND NOT EXISTS (SELECT 1 FROM ca_deliveries d WHERE d.enrollment_id = e.id AND d.root = $1)";

pub(super) const NAMES_WITHOUT: &str = "
    SELECT v.name FROM enrollments e JOIN devices v ON v.id = e.device_id
    WHERE e.state IN ('pending', 'active', 'retiring', 'wiping')
        AND NOT EXISTS (SELECT 1 FROM ca_deliveries d WHERE d.enrollment_id = e.id AND d.root = $1)
    ORDER BY e.enrolled_at LIMIT $2";

pub(super) const COUNT_LIVE: &str = "
    SELECT COUNT(*) AS number FROM certificates c JOIN enrollments e ON e.id = c.enrollment_id
    WHERE c.issuer = $1 AND c.revoked_at IS NULL AND c.superseded_at IS NULL
        AND c.not_after > $2 AND e.is_open = 1";
