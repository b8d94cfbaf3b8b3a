//! Devices that were registered before they come, and the count of those that were let in.

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, one};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::registration::{RegisteredBy, RegisteredDevice};

/// The same value again is a miss.
pub(super) fn insert(device: &RegisteredDevice, key: &str) -> Statement {
    let params = vec![
        device.id.into(),
        device.kind.as_str().into(),
        device.value.as_str().into(),
        key.into(),
        device.note.as_deref().into(),
        device.created_at.into(),
        device.enrollment_id.into(),
    ];
    Statement::one(INSERT, params)
}

/// It lets a device in; a miss where it is gone, or has let another one in since.
pub(super) fn use_one(
    id: Id<RegisteredDevice>,
    seen: Option<Id<Enrollment>>,
    enrollment_id: Id<Enrollment>,
) -> Statement {
    Statement::one(USE, vec![id.into(), seen.into(), enrollment_id.into()])
}

/// What one enrollment holds goes on to another.
pub(super) fn pass_on(from: Id<Enrollment>, to: Id<Enrollment>) -> Statement {
    Statement::any(PASS_ON, vec![from.into(), to.into()])
}

pub(super) fn delete(id: Id<RegisteredDevice>) -> Statement {
    Statement::one(DELETE, vec![id.into()])
}

pub(super) async fn find(
    engine: &dyn Engine,
    kind: RegisteredBy,
    key: &str,
) -> Result<Option<RegisteredDevice>, StoreError> {
    one(engine, FIND, vec![kind.as_str().into(), key.into()], read).await
}

pub(super) async fn find_by_id(
    engine: &dyn Engine,
    id: Id<RegisteredDevice>,
) -> Result<Option<RegisteredDevice>, StoreError> {
    one(engine, FIND_BY_ID, vec![id.into()], read).await
}

pub(super) async fn list(engine: &dyn Engine, page: &Page) -> Result<Listed<RegisteredDevice>, StoreError> {
    let place = |device: &RegisteredDevice| cursor(device.created_at, device.id);
    List { sql: LIST, more: Vec::new(), read, place, page }.load(engine).await
}

/// One more device was let in, if none was since.
pub(super) fn count_admission(seen: i64) -> Statement {
    Statement::one(COUNT_ADMISSION, vec![seen.to_string().into(), seen.saturating_add(1).to_string().into()])
}

pub(super) async fn admissions(engine: &dyn Engine) -> Result<i64, StoreError> {
    let found = super::settings::find(engine, ADMISSIONS).await?;
    Ok(found.and_then(|text| text.parse().ok()).unwrap_or_default())
}

pub(super) async fn open_devices(engine: &dyn Engine) -> Result<u32, StoreError> {
    let found = one(engine, OPEN_DEVICES, Vec::new(), |row| row.of("enrollments").number("devices")).await?;
    Ok(found.unwrap_or_default())
}

fn read(row: &Row) -> Result<RegisteredDevice, StoreError> {
    let row = row.of("registered_devices");
    Ok(RegisteredDevice {
        id: row.id("id")?,
        kind: row.word("kind", RegisteredBy::parse)?,
        value: row.string("value")?,
        note: row.opt_string("note")?,
        created_at: row.time("created_at")?,
        enrollment_id: row.opt_id("enrollment_id")?,
    })
}

/// The key of the count in `settings`.
const ADMISSIONS: &str = "admissions";

const INSERT: &str = "
    INSERT INTO registered_devices (id, kind, value, value_key, note, created_at, enrollment_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (kind, value_key) DO NOTHING";

const USE: &str = "
    UPDATE registered_devices SET enrollment_id = $3
    WHERE id = $1 AND COALESCE(enrollment_id, '') = COALESCE(CAST($2 AS TEXT), '')";

pub(super) const PASS_ON: &str = "UPDATE registered_devices SET enrollment_id = $2 WHERE enrollment_id = $1";

const DELETE: &str = "DELETE FROM registered_devices WHERE id = $1";

pub(super) const FIND: &str = "SELECT * FROM registered_devices WHERE kind = $1 AND value_key = $2";

pub(super) const FIND_BY_ID: &str = "SELECT * FROM registered_devices WHERE id = $1";

pub(super) const LIST: &str = "
    SELECT * FROM registered_devices WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3";

const COUNT_ADMISSION: &str = "
    INSERT INTO settings (key, value) VALUES ('admissions', $2)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE settings.value = $1";

const OPEN_DEVICES: &str = "SELECT COUNT(DISTINCT device_id) AS devices FROM enrollments WHERE is_open = 1";
