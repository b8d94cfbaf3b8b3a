//! Users.

use super::engine::{Engine, Row, Statement, Value};
use super::query::{List, cursor, fold, is_hopeless, many, one, pattern};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::user::{Role, User, UserKind, normalize_name};

pub(super) fn insert(user: &User) -> Statement {
    Statement::one(INSERT, columns(user))
}

pub(super) fn update(user: &User) -> Statement {
    Statement::one(UPDATE, columns(user))
}

/// Takes the row's lock, so that whoever changes the user comes before or after, and changes nothing.
pub(super) fn guard(id: Id<User>, credential_version: i64) -> Statement {
    Statement::one(GUARD, vec![id.into(), credential_version.into()])
}

pub(super) fn count_enrollment(id: Id<User>, enrollments: i64) -> Statement {
    Statement::one(COUNT_ENROLLMENT, vec![id.into(), enrollments.into()])
}

/// Tokens and invitations go, packages end, the enrollments stay and are marked. Their versions rise, so that nobody writes the user back. The row of
/// the user is locked first, as by an enrollment: in another order, two that meet would wait for each other.
pub(super) fn delete(user: &User, warning: &str) -> [Statement; 6] {
    [
        Statement::one(LOCK, vec![user.id.into(), user.version.into()]),
        Statement::any(DELETE_TOKENS, vec![user.id.into()]),
        Statement::any(END_PACKAGES, vec![user.id.into()]),
        Statement::any(DELETE_INVITATIONS, vec![user.id.into()]),
        Statement::any(LEAVE_ENROLLMENTS, vec![user.id.into(), warning.into()]),
        Statement::one(DELETE, vec![user.id.into(), user.version.into()]),
    ]
}

pub(super) async fn find(engine: &dyn Engine, id: Id<User>) -> Result<Option<User>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn find_by_name(engine: &dyn Engine, name: &str) -> Result<Option<User>, StoreError> {
    one(engine, FIND_BY_NAME, vec![normalize_name(name).into()], read).await
}

pub(super) async fn find_by_local_part(engine: &dyn Engine, local: &str) -> Result<Vec<User>, StoreError> {
    many(engine, FIND_BY_LOCAL_PART, vec![normalize_name(local).into()], read).await
}

pub(super) async fn list(engine: &dyn Engine, query: Option<&str>, page: &Page) -> Result<Listed<User>, StoreError> {
    if is_hopeless(query) {
        return Ok(Listed { items: Vec::new(), next: None });
    }
    let place = |user: &User| cursor(user.created_at, user.id);
    List { sql: LIST, more: vec![pattern(query).into()], read, place, page }.load(engine).await
}

pub(super) async fn devices_of(engine: &dyn Engine, user: Id<User>) -> Result<u32, StoreError> {
    count(engine, DEVICES_OF, user).await
}

pub(super) async fn own_devices_of(engine: &dyn Engine, user: Id<User>) -> Result<u32, StoreError> {
    count(engine, OWN_DEVICES_OF, user).await
}

async fn count(engine: &dyn Engine, sql: &'static str, user: Id<User>) -> Result<u32, StoreError> {
    let found = one(engine, sql, vec![user.into()], |row| row.of("enrollments").number("devices"));
    Ok(found.await?.unwrap_or_default())
}

pub(super) async fn enrollments_of(engine: &dyn Engine, user: Id<User>) -> Result<i64, StoreError> {
    let found = one(engine, ENROLLMENTS_OF, vec![user.into()], |row| row.of("users").number("enrollments_seq"));
    Ok(found.await?.unwrap_or_default())
}

fn columns(user: &User) -> Vec<Value> {
    let key = normalize_name(&user.email);
    let local_part = key.split_once('@').map(|(local, _)| local);
    vec![
        user.id.into(),
        user.email.as_str().into(),
        key.as_str().into(),
        local_part.into(),
        fold(&user.email).into(),
        user.name.as_deref().into(),
        fold(user.name.as_deref().unwrap_or_default()).into(),
        user.kind.as_str().into(),
        user.role.as_str().into(),
        user.enabled.into(),
        user.password_hash.as_deref().into(),
        user.credential_version.into(),
        user.device_limit.into(),
        user.must_change_password.into(),
        user.created_at.into(),
        user.version.into(),
    ]
}

fn read(row: &Row) -> Result<User, StoreError> {
    let row = row.of("users");
    Ok(User {
        id: row.id("id")?,
        email: row.string("email")?,
        name: row.opt_string("name")?,
        kind: row.word("kind", UserKind::parse)?,
        role: row.word("role", Role::parse)?,
        enabled: row.flag("enabled")?,
        password_hash: row.opt_string("password_hash")?,
        credential_version: row.number("credential_version")?,
        device_limit: row.opt_number("device_limit")?,
        must_change_password: row.flag("must_change_password")?,
        created_at: row.time("created_at")?,
        version: row.number("version")?,
    })
}

const INSERT: &str = "
    INSERT INTO users (id, email, email_key, local_part, email_search, name, name_search, kind, role, enabled,
        password_hash, credential_version, device_limit, must_change_password, created_at, version, enrollments_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0)";

const UPDATE: &str = "
    UPDATE users SET email = $2, email_key = $3, local_part = $4, email_search = $5, name = $6, name_search = $7,
        kind = $8, role = $9, enabled = $10, password_hash = $11, credential_version = $12, device_limit = $13,
        must_change_password = $14, created_at = $15, version = version + 1
    WHERE id = $1 AND version = $16";

const GUARD: &str = "
    UPDATE users SET version = version WHERE id = $1 AND enabled = 1 AND credential_version = $2";

const COUNT_ENROLLMENT: &str = "
    UPDATE users SET enrollments_seq = enrollments_seq + 1 WHERE id = $1 AND enrollments_seq = $2";

const LOCK: &str = "UPDATE users SET version = version WHERE id = $1 AND version = $2";

const DELETE: &str = "DELETE FROM users WHERE id = $1 AND version = $2";

const DELETE_TOKENS: &str = "DELETE FROM tokens WHERE user_id = $1";

const END_PACKAGES: &str = "UPDATE packages SET user_id = NULL WHERE user_id = $1";

const DELETE_INVITATIONS: &str = "DELETE FROM invitations WHERE user_id = $1";

const LEAVE_ENROLLMENTS: &str = "
    UPDATE enrollments SET user_id = NULL, warning = $2, version = version + 1 WHERE user_id = $1";

pub(super) const FIND: &str = "SELECT * FROM users WHERE id = $1";

pub(super) const FIND_BY_NAME: &str = "SELECT * FROM users WHERE email_key = $1";

pub(super) const FIND_BY_LOCAL_PART: &str = "SELECT * FROM users WHERE local_part = $1 ORDER BY id LIMIT 2";

pub(super) const LIST: &str = "
    SELECT * FROM users
    WHERE (created_at, id) < ($1, $2) AND (email_search LIKE $4 ESCAPE '!' OR name_search LIKE $4 ESCAPE '!')
    ORDER BY created_at DESC, id DESC LIMIT $3";

pub(super) const DEVICES_OF: &str = "
    SELECT COUNT(DISTINCT device_id) AS devices FROM enrollments WHERE user_id = $1 AND is_open = 1";

pub(super) const OWN_DEVICES_OF: &str = "
    SELECT COUNT(DISTINCT device_id) AS devices FROM enrollments
    WHERE user_id = $1 AND is_open = 1 AND assigned_at IS NULL";

pub(super) const ENROLLMENTS_OF: &str = "SELECT enrollments_seq FROM users WHERE id = $1";
