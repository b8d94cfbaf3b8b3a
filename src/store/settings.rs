//! Values of the installation, and what the readiness check writes.

use uuid::Uuid;

use super::engine::{Engine, Statement};
use super::query::rows;
use crate::app::ports::StoreError;

pub(super) fn set(key: &str, value: &str) -> Statement {
    Statement::one(SET, vec![key.into(), value.into()])
}

/// Writes a row and removes it, so that a full disk shows. Nobody else has a row of that name: readiness waits for no other
/// process, and a node that stands still in the middle of its own check makes nobody else unready.
pub(super) fn trial() -> [Statement; 2] {
    let name = Uuid::new_v4().to_string();
    [Statement::one(TRY, vec![name.as_str().into()]), Statement::one(CLEAR_AWAY, vec![name.into()])]
}

/// Notes it where nothing is noted under that key.
pub(super) fn insert(key: &str, value: &str) -> Statement {
    Statement::at_most_one(INSERT, vec![key.into(), value.into()])
}

pub(super) async fn find(engine: &dyn Engine, key: &str) -> Result<Option<String>, StoreError> {
    let rows = rows(engine, FIND, vec![key.into()]).await?;
    rows.first().map(|row| row.of("settings").string("value")).transpose()
}

const SET: &str = "
    INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const INSERT: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";

const FIND: &str = "SELECT value FROM settings WHERE key = $1";

const TRY: &str = "INSERT INTO health (id) VALUES ($1)";

const CLEAR_AWAY: &str = "DELETE FROM health WHERE id = $1";
