//! Bearer tokens.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, one};
use super::users;
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::user::{Role, Token, User};

pub(super) fn insert(token: &Token) -> Statement {
    let params = vec![
        token.id.into(),
        token.name.as_str().into(),
        token.secret_hash.as_slice().into(),
        token.role.as_str().into(),
        token.user_id.into(),
        token.created_at.into(),
        token.expires_at.into(),
        token.revoked_at.into(),
    ];
    Statement::one(INSERT, params)
}

/// The first withdrawal counts; another one is a miss.
pub(super) fn revoke(id: Id<Token>, at: OffsetDateTime) -> Statement {
    Statement::one(REVOKE, vec![id.into(), at.into()])
}

/// Two look-ups: a user who went in between takes the token along.
pub(super) async fn find(engine: &dyn Engine, secret_hash: &[u8; 32]) -> Result<Option<(Token, User)>, StoreError> {
    let token = one(engine, FIND, vec![secret_hash.as_slice().into()], read).await?;
    let Some(token) = token else { return Ok(None) };
    Ok(users::find(engine, token.user_id).await?.map(|user| (token, user)))
}

pub(super) async fn list(engine: &dyn Engine, page: &Page) -> Result<Listed<Token>, StoreError> {
    let place = |token: &Token| cursor(token.created_at, token.id);
    List { sql: LIST, more: Vec::new(), read, place, page }.load(engine).await
}

fn read(row: &Row) -> Result<Token, StoreError> {
    let row = row.of("tokens");
    Ok(Token {
        id: row.id("id")?,
        name: row.string("name")?,
        secret_hash: row.digest("secret_hash")?,
        role: row.word("role", Role::parse)?,
        user_id: row.id("user_id")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
    })
}

const INSERT: &str = "
    INSERT INTO tokens (id, name, secret_hash, role, user_id, created_at, expires_at, revoked_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const REVOKE: &str = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

pub(super) const FIND: &str = "SELECT * FROM tokens WHERE secret_hash = $1";

pub(super) const LIST: &str = "
    SELECT * FROM tokens WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3";
