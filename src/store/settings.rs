//! Values of the installation, and the row that the readiness check writes to.

use super::engine::{Engine, Statement};
use super::query::rows;
use crate::app::ports::StoreError;

pub(super) fn set(key: &str, value: &str) -> Statement {
    Statement::one(SET, vec![key.into(), value.into()])
}

/// Notes it where nothing is noted under that key.
pub(super) fn insert(key: &str, value: &str) -> Statement {
    Statement::at_most_one(INSERT, vec![key.into(), value.into()])
}

/// Changes a row, so that a full disk shows.
pub(super) fn beat() -> Statement {
    Statement::one(BEAT, Vec::new())
}

pub(super) async fn find(engine: &dyn Engine, key: &str) -> Result<Option<String>, StoreError> {
    let rows = rows(engine, FIND, vec![key.into()]).await?;
    rows.first().map(|row| row.of("settings").string("value")).transpose()
}

/// How often [`beat`] was committed.
pub(super) async fn beats(engine: &dyn Engine) -> Result<i64, StoreError> {
    let rows = rows(engine, BEATS, Vec::new()).await?;
    let row = rows.first().ok_or_else(|| StoreError::Internal("health has no row".to_owned()))?;
    row.of("health").number("beats")
}

const SET: &str = "
    INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

const INSERT: &str = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";

const FIND: &str = "SELECT value FROM settings WHERE key = $1";

const BEAT: &str = "UPDATE health SET beats = beats + 1 WHERE id = 1";

const BEATS: &str = "SELECT beats FROM health WHERE id = 1";
