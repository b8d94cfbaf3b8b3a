//! Certificates issued to devices.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, many, one, rows};
use crate::app::ports::{Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::certificate::Certificate;
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;

pub(super) fn insert(certificate: &Certificate) -> Statement {
    let params = vec![
        certificate.serial.as_str().into(),
        certificate.sha256.as_slice().into(),
        certificate.enrollment_id.into(),
        certificate.subject.as_str().into(),
        certificate.issuer.as_str().into(),
        certificate.der.as_slice().into(),
        certificate.key_sha256.as_slice().into(),
        certificate.not_before.into(),
        certificate.not_after.into(),
        certificate.revoked_at.into(),
        certificate.revoked_reason.as_deref().into(),
        certificate.renews.as_deref().into(),
        certificate.first_used_at.into(),
        certificate.superseded_at.into(),
        certificate.late_told_at.into(),
    ];
    Statement::one(INSERT, params)
}

/// The first revocation counts; another one is a miss.
pub(super) fn revoke(serial: &str, at: OffsetDateTime, reason: &str) -> Statement {
    Statement::one(REVOKE, vec![serial.into(), at.into(), reason.into()])
}

/// Misses where it is revoked or superseded.
pub(super) fn guard(serial: &str) -> Statement {
    Statement::one(GUARD, vec![serial.into()])
}

/// The first use counts; another one is a miss. All others of the enrollment are superseded.
pub(super) fn begin_use(serial: &str, enrollment: Id<Enrollment>, at: OffsetDateTime) -> Vec<Statement> {
    let params = || vec![serial.into(), enrollment.into(), at.into()];
    vec![Statement::one(BEGIN_USE, params()), Statement::any(SUPERSEDE, params())]
}

/// It is told once; another time is a miss.
pub(super) fn tell_late(serial: &str, at: OffsetDateTime) -> Statement {
    Statement::one(TELL_LATE, vec![serial.into(), at.into()])
}

pub(super) async fn count_late(
    engine: &dyn Engine,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<u64, StoreError> {
    let found = one(engine, COUNT_LATE, vec![now.into(), until.into()], |row| row.of("certificates").number("late"));
    Ok(found.await?.unwrap_or_default())
}

pub(super) async fn late(
    engine: &dyn Engine,
    now: OffsetDateTime,
    until: OffsetDateTime,
    limit: u32,
) -> Result<Vec<Certificate>, StoreError> {
    many(engine, LATE, vec![now.into(), until.into(), limit.into()], read).await
}

pub(super) async fn find(engine: &dyn Engine, sha256: &[u8; 32]) -> Result<Option<Certificate>, StoreError> {
    one(engine, FIND, vec![sha256.as_slice().into()], read).await
}

pub(super) async fn find_by_serial(engine: &dyn Engine, serial: &str) -> Result<Option<Certificate>, StoreError> {
    one(engine, FIND_BY_SERIAL, vec![serial.into()], read).await
}

pub(super) async fn key_owner(engine: &dyn Engine, key: &[u8; 32]) -> Result<Option<Id<Enrollment>>, StoreError> {
    let rows = rows(engine, KEY_OWNER, vec![key.as_slice().into()]).await?;
    rows.first().map(|row| row.of("certificates").id("enrollment_id")).transpose()
}

pub(super) async fn list_of_enrollment(
    engine: &dyn Engine,
    enrollment: Id<Enrollment>,
) -> Result<Vec<Certificate>, StoreError> {
    many(engine, OF_ENROLLMENT, vec![enrollment.into()], read).await
}

pub(super) async fn list(
    engine: &dyn Engine,
    device: Option<Id<Device>>,
    page: &Page,
) -> Result<Listed<Certificate>, StoreError> {
    let (sql, more) = match device {
        Some(device) => (LIST_OF_DEVICE, vec![device.into()]),
        None => (LIST, Vec::new()),
    };
    let place = |certificate: &Certificate| cursor(certificate.not_before, &certificate.serial);
    List { sql, more, read, place, page }.load(engine).await
}

pub(super) async fn revoked(engine: &dyn Engine, now: OffsetDateTime) -> Result<Vec<Certificate>, StoreError> {
    many(engine, REVOKED, vec![now.into()], read).await
}

pub(super) fn read(row: &Row) -> Result<Certificate, StoreError> {
    let row = row.of("certificates");
    Ok(Certificate {
        serial: row.string("serial")?,
        sha256: row.digest("sha256")?,
        enrollment_id: row.id("enrollment_id")?,
        subject: row.string("subject")?,
        issuer: row.string("issuer")?,
        der: row.bytes("der")?.to_vec(),
        key_sha256: row.digest("key_sha256")?,
        not_before: row.time("not_before")?,
        not_after: row.time("not_after")?,
        revoked_at: row.opt_time("revoked_at")?,
        revoked_reason: row.opt_string("revoked_reason")?,
        renews: row.opt_string("renews")?,
        first_used_at: row.opt_time("first_used_at")?,
        superseded_at: row.opt_time("superseded_at")?,
        late_told_at: row.opt_time("late_told_at")?,
    })
}

const INSERT: &str = "
    INSERT INTO certificates (serial, sha256, enrollment_id, subject, issuer, der, key_sha256, not_before,
        not_after, revoked_at, revoked_reason, renews, first_used_at, superseded_at, late_told_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";

const REVOKE: &str = "
    UPDATE certificates SET revoked_at = $2, revoked_reason = $3 WHERE serial = $1 AND revoked_at IS NULL";

const GUARD: &str = "
    UPDATE certificates SET revoked_at = NULL WHERE serial = $1 AND revoked_at IS NULL AND superseded_at IS NULL";

const BEGIN_USE: &str = "
    UPDATE certificates SET first_used_at = $3
    WHERE serial = $1 AND enrollment_id = $2 AND first_used_at IS NULL AND revoked_at IS NULL AND superseded_at IS NULL";

const SUPERSEDE: &str = "
    UPDATE certificates SET superseded_at = $3
    WHERE enrollment_id = $2 AND serial <> $1 AND superseded_at IS NULL AND revoked_at IS NULL";

const TELL_LATE: &str = "
    UPDATE certificates SET late_told_at = $2 WHERE serial = $1 AND late_told_at IS NULL";

pub(super) const COUNT_LATE: &str = "
    SELECT COUNT(*) AS late FROM certificates c
    WHERE c.not_after > $1 AND c.not_after <= $2 AND c.revoked_at IS NULL AND c.superseded_at IS NULL
        AND EXISTS (SELECT 1 FROM enrollments e WHERE e.id = c.enrollment_id AND e.state IN ('pending', 'active'))
        AND NOT EXISTS (SELECT 1 FROM certificates n
            WHERE n.enrollment_id = c.enrollment_id AND n.renews = c.serial AND n.revoked_at IS NULL)";

pub(super) const LATE: &str = "
    SELECT c.* FROM certificates c
    WHERE c.not_after > $1 AND c.not_after <= $2 AND c.revoked_at IS NULL AND c.superseded_at IS NULL
        AND c.late_told_at IS NULL
        AND EXISTS (SELECT 1 FROM enrollments e WHERE e.id = c.enrollment_id AND e.state IN ('pending', 'active'))
        AND NOT EXISTS (SELECT 1 FROM certificates n
            WHERE n.enrollment_id = c.enrollment_id AND n.renews = c.serial AND n.revoked_at IS NULL)
    ORDER BY c.not_after LIMIT $3";

pub(super) const FIND: &str = "SELECT * FROM certificates WHERE sha256 = $1";

pub(super) const FIND_BY_SERIAL: &str = "SELECT * FROM certificates WHERE serial = $1";

pub(super) const KEY_OWNER: &str = "SELECT enrollment_id FROM certificates WHERE key_sha256 = $1";

pub(super) const OF_ENROLLMENT: &str = "
    SELECT * FROM certificates WHERE enrollment_id = $1 ORDER BY not_before DESC, serial DESC";

pub(super) const LIST: &str = "
    SELECT * FROM certificates
    WHERE (not_before, serial) < ($1, $2) ORDER BY not_before DESC, serial DESC LIMIT $3";

pub(super) const LIST_OF_DEVICE: &str = "
    SELECT c.* FROM enrollments e JOIN certificates c ON c.enrollment_id = e.id
    WHERE e.device_id = $4 AND (c.not_before, c.serial) < ($1, $2)
    ORDER BY c.not_before DESC, c.serial DESC LIMIT $3";

pub(super) const REVOKED: &str = "
    SELECT * FROM certificates WHERE revoked_at IS NOT NULL AND not_after >= $1 ORDER BY revoked_at, serial";
