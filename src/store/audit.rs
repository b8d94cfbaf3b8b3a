//! The audit trail.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, rows};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::event::AuditRow;

pub(super) fn append(row: &AuditRow) -> Statement {
    let params = vec![
        row.id.into(),
        row.time.into(),
        row.actor.as_str().into(),
        row.action.as_str().into(),
        row.object_kind.as_str().into(),
        row.object_id.as_str().into(),
        row.object_name.as_str().into(),
        row.outcome.as_str().into(),
        row.detail.as_str().into(),
        row.address.as_str().into(),
    ];
    Statement::one(APPEND, params)
}

pub(super) async fn list(
    engine: &dyn Engine,
    object_id: Option<&str>,
    page: &Page,
) -> Result<Listed<AuditRow>, StoreError> {
    let (sql, more) = match object_id {
        Some(id) => (LIST_OF_OBJECT, vec![id.into()]),
        None => (LIST, Vec::new()),
    };
    let place = |row: &AuditRow| cursor(row.time, row.id);
    List { sql, more, read, place, page }.load(engine).await
}

/// The newest moment of what every commit of weight brings along.
pub(super) async fn last_written(engine: &dyn Engine) -> Result<Option<OffsetDateTime>, StoreError> {
    let rows = rows(engine, LAST_WRITTEN, Vec::new()).await?;
    rows.first().map_or(Ok(None), |row| row.of("audit").opt_time("at"))
}

fn read(row: &Row) -> Result<AuditRow, StoreError> {
    let row = row.of("audit");
    Ok(AuditRow {
        id: row.id("id")?,
        time: row.time("time")?,
        actor: row.string("actor")?,
        action: row.string("action")?,
        object_kind: row.string("object_kind")?,
        object_id: row.string("object_id")?,
        object_name: row.string("object_name")?,
        outcome: row.string("outcome")?,
        detail: row.string("detail")?,
        address: row.string("address")?,
    })
}

const APPEND: &str = "
    INSERT INTO audit (id, time, actor, action, object_kind, object_id, object_name, outcome, detail, address)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

pub(super) const LIST: &str = "
    SELECT * FROM audit WHERE (time, id) < ($1, $2) ORDER BY time DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_OBJECT: &str = "
    SELECT * FROM audit WHERE object_id = $4 AND (time, id) < ($1, $2) ORDER BY time DESC, id DESC LIMIT $3";

pub(super) const LAST_WRITTEN: &str = "
    SELECT MAX(newest.at) AS at FROM (
        SELECT MAX(time) AS at FROM audit
        UNION ALL SELECT MAX(time) AS at FROM events
        UNION ALL SELECT MAX(opened_at) AS at FROM sessions) AS newest";
