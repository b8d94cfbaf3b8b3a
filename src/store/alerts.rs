//! Alerts of devices.

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::alert::AlertRecord;
use crate::domain::device::Device;

pub(super) fn insert(alert: &AlertRecord) -> Statement {
    let params = vec![
        alert.id.into(),
        alert.device_id.into(),
        alert.enrollment_id.into(),
        alert.session_id.into(),
        alert.at.into(),
        alert.code.into(),
        alert.kind.as_str().into(),
        alert.is_known.into(),
        alert.source.as_deref().into(),
        alert.mark.as_deref().into(),
        alert.format.as_deref().into(),
        alert.data.as_str().into(),
        alert.data_bytes.into(),
    ];
    Statement::one(INSERT, params)
}

pub(super) async fn list(
    engine: &dyn Engine,
    device: Id<Device>,
    page: &Page,
) -> Result<Listed<AlertRecord>, StoreError> {
    let place = |alert: &AlertRecord| cursor(alert.at, alert.id);
    List { sql: LIST_OF_DEVICE, more: vec![device.into()], read, place, page }.load(engine).await
}

fn read(row: &Row) -> Result<AlertRecord, StoreError> {
    let row = row.of("alerts");
    Ok(AlertRecord {
        id: row.id("id")?,
        device_id: row.id("device_id")?,
        enrollment_id: row.id("enrollment_id")?,
        session_id: row.opt_id("session_id")?,
        at: row.time("at")?,
        code: row.number("code")?,
        kind: row.string("kind")?,
        is_known: row.flag("is_known")?,
        source: row.opt_string("source")?,
        mark: row.opt_string("mark")?,
        format: row.opt_string("format")?,
        data: row.string("data")?,
        data_bytes: row.number("data_bytes")?,
    })
}

const INSERT: &str = "
    INSERT INTO alerts (id, device_id, enrollment_id, session_id, at, code, kind, is_known, source, mark, format, data,
        data_bytes)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

pub(super) const LIST_OF_DEVICE: &str = "
    SELECT * FROM alerts WHERE device_id = $4 AND (at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT $3";
