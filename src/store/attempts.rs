//! The enrollment ledger.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement, Value};
use super::query::{List, cursor, one};
use crate::app::ports::{AttemptFilter, Listed, Page, StoreError};
use crate::domain::attempt::{Attempt, Outcome, Phase, Road};
use crate::domain::user::normalize_name;

pub(super) fn save(attempt: &Attempt) -> Statement {
    let params = vec![
        attempt.id.into(),
        attempt.started_at.into(),
        attempt.updated_at.into(),
        attempt.email.as_str().into(),
        normalize_name(&attempt.email).into(),
        attempt.address.as_str().into(),
        attempt.road.map(Road::as_str).into(),
        attempt.phase.as_str().into(),
        attempt.outcome.as_str().into(),
        attempt.cause.as_str().into(),
        attempt.hresult.into(),
        attempt.trace_id.as_str().into(),
        attempt.device_name.as_deref().into(),
        attempt.os_version.as_deref().into(),
        attempt.enrollment_id.into(),
    ];
    Statement::one(SAVE, params)
}

/// An attempt lives from its last message on: one that began before `since` is found while it goes on.
pub(super) async fn find_open(
    engine: &dyn Engine,
    email: &str,
    address: &str,
    since: OffsetDateTime,
) -> Result<Option<Attempt>, StoreError> {
    one(engine, FIND_OPEN, vec![normalize_name(email).into(), address.into(), since.into()], read).await
}

/// Enters by the narrowest filter.
pub(super) async fn list(
    engine: &dyn Engine,
    filter: &AttemptFilter,
    page: &Page,
) -> Result<Listed<Attempt>, StoreError> {
    let outcome: Value = filter.outcome.map(Outcome::as_str).into();
    let trace: Value = filter.trace_id.as_deref().into();
    let email: Value = filter.email.as_deref().map(normalize_name).into();
    let (sql, more) = match (&filter.trace_id, &filter.email) {
        (Some(_), _) => (LIST_OF_TRACE, vec![outcome, trace, email]),
        (None, Some(_)) => (LIST_OF_EMAIL, vec![outcome, email]),
        (None, None) => (LIST, vec![outcome]),
    };
    let place = |attempt: &Attempt| cursor(attempt.started_at, attempt.id);
    List { sql, more, read, place, page }.load(engine).await
}

fn read(row: &Row) -> Result<Attempt, StoreError> {
    let row = row.of("attempts");
    Ok(Attempt {
        id: row.id("id")?,
        started_at: row.time("started_at")?,
        updated_at: row.time("updated_at")?,
        email: row.string("email")?,
        address: row.string("address")?,
        road: row.opt_word("road", Road::parse)?,
        phase: row.word("phase", Phase::parse)?,
        outcome: row.word("outcome", Outcome::parse)?,
        cause: row.string("cause")?,
        hresult: row.opt_number("hresult")?,
        trace_id: row.string("trace_id")?,
        device_name: row.opt_string("device_name")?,
        os_version: row.opt_string("os_version")?,
        enrollment_id: row.opt_id("enrollment_id")?,
    })
}

const SAVE: &str = "
    INSERT INTO attempts (id, started_at, updated_at, email, email_key, address, road, phase, outcome, cause, hresult,
        trace_id, device_name, os_version, enrollment_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (id) DO UPDATE SET
        started_at = excluded.started_at, updated_at = excluded.updated_at, email = excluded.email,
        email_key = excluded.email_key, address = excluded.address, road = excluded.road, phase = excluded.phase,
        outcome = excluded.outcome, cause = excluded.cause, hresult = excluded.hresult, trace_id = excluded.trace_id,
        device_name = excluded.device_name, os_version = excluded.os_version,
        enrollment_id = excluded.enrollment_id
    WHERE attempts.outcome = 'open'";

pub(super) const FIND_OPEN: &str = "
    SELECT * FROM attempts WHERE outcome = 'open' AND email_key = $1 AND address = $2 AND updated_at >= $3
    ORDER BY started_at DESC, id DESC LIMIT 1";

pub(super) const LIST: &str = "
    SELECT * FROM attempts
    WHERE (started_at, id) < ($1, $2) AND (CAST($4 AS TEXT) IS NULL OR outcome = $4)
    ORDER BY started_at DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_EMAIL: &str = "
    SELECT * FROM attempts
    WHERE email_key = $5 AND (started_at, id) < ($1, $2) AND (CAST($4 AS TEXT) IS NULL OR outcome = $4)
    ORDER BY started_at DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_TRACE: &str = "
    SELECT * FROM attempts
    WHERE trace_id = $5 AND (started_at, id) < ($1, $2)
        AND (CAST($4 AS TEXT) IS NULL OR outcome = $4) AND (CAST($6 AS TEXT) IS NULL OR email_key = $6)
    ORDER BY started_at DESC, id DESC LIMIT $3";
