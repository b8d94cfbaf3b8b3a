//! The enrollment ledger.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement, Value};
use super::query::{List, cursor, one};
use crate::app::ports::{AttemptFilter, Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::attempt::{Attempt, Outcome, Phase, Road};
use crate::domain::refused::Refused;
use crate::domain::registration::RegisteredBy;
use crate::domain::user::normalize_name;

pub(super) fn save(attempt: &Attempt) -> Result<Statement, StoreError> {
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
        attempt.refused.map(Refused::as_str).into(),
        claims(attempt)?.into(),
        attempt.times.into(),
    ];
    Ok(Statement::one(SAVE, params))
}

fn claims(attempt: &Attempt) -> Result<String, StoreError> {
    let claims: Vec<_> = attempt.claims.iter().map(|(kind, value)| (kind.as_str(), value)).collect();
    serde_json::to_string(&claims).map_err(|error| StoreError::Internal(format!("attempts.claims: {error}")))
}

/// Ends an open attempt that stands at that phase without a trace.
pub(super) fn delete_open(id: Id<Attempt>, phase: Phase) -> Statement {
    Statement::one(DELETE_OPEN, vec![id.into(), phase.as_str().into()])
}

/// The same refusal once more.
pub(super) fn repeat(id: Id<Attempt>, at: OffsetDateTime, trace_id: &str) -> Statement {
    Statement::one(REPEAT, vec![id.into(), at.into(), trace_id.into()])
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Attempt>) -> Result<Option<Attempt>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

/// The newest refusal of the same kind since then.
pub(super) async fn find_failed(
    engine: &dyn Engine,
    like: &Attempt,
    since: OffsetDateTime,
) -> Result<Option<Attempt>, StoreError> {
    let params = vec![
        normalize_name(&like.email).into(),
        like.address.as_str().into(),
        since.into(),
        like.phase.as_str().into(),
        like.cause.as_str().into(),
        like.device_name.as_deref().unwrap_or_default().into(),
        like.enrollment_id.map(|id| id.to_string()).unwrap_or_default().into(),
        claims(like)?.into(),
    ];
    one(engine, FIND_FAILED, params, read).await
}

/// An attempt lives from its last message on: one that began before `since` is found while it goes on.
pub(super) async fn find_open(
    engine: &dyn Engine,
    email: &str,
    address: &str,
    phase: Phase,
    since: OffsetDateTime,
) -> Result<Option<Attempt>, StoreError> {
    let params = vec![normalize_name(email).into(), address.into(), since.into(), phase.as_str().into()];
    one(engine, FIND_OPEN, params, read).await
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
    List { sql, more, read: read_listed, place, page }.load(engine).await
}

fn read_listed(row: &Row) -> Result<Attempt, StoreError> {
    let never_seen = row.of("attempts").flag("never_seen")?;
    Ok(Attempt { never_seen, ..read(row)? })
}

fn read(row: &Row) -> Result<Attempt, StoreError> {
    let row = row.of("attempts");
    let claims = row
        .json::<Vec<(String, String)>>("claims")?
        .into_iter()
        .filter_map(|(kind, value)| Some((RegisteredBy::parse(&kind)?, value)));
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
        refused: row.opt_text("refused")?.and_then(Refused::parse),
        claims: claims.collect(),
        times: row.number("times")?,
        never_seen: false,
    })
}

/// One that is there goes on to another phase: of two messages at once that would both go on with it, one is too late.
const SAVE: &str = "
    INSERT INTO attempts (id, started_at, updated_at, email, email_key, address, road, phase, outcome, cause, hresult,
        trace_id, device_name, os_version, enrollment_id, refused, claims, times)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT (id) DO UPDATE SET
        started_at = excluded.started_at, updated_at = excluded.updated_at, email = excluded.email,
        email_key = excluded.email_key, address = excluded.address, road = excluded.road, phase = excluded.phase,
        outcome = excluded.outcome, cause = excluded.cause, hresult = excluded.hresult, trace_id = excluded.trace_id,
        device_name = excluded.device_name, os_version = excluded.os_version,
        enrollment_id = excluded.enrollment_id, refused = excluded.refused, claims = excluded.claims, times = excluded.times
    WHERE attempts.outcome = 'open' AND attempts.phase <> excluded.phase";

const DELETE_OPEN: &str = "DELETE FROM attempts WHERE id = $1 AND outcome = 'open' AND phase = $2";

/// A refusal is over: nothing but that it came once more changes.
const REPEAT: &str = "
    UPDATE attempts SET updated_at = $2, trace_id = $3, times = times + 1 WHERE id = $1 AND outcome = 'failed'";

pub(super) const FIND: &str = "SELECT * FROM attempts WHERE id = $1";

pub(super) const FIND_FAILED: &str = "
    SELECT * FROM attempts
    WHERE outcome = 'failed' AND email_key = $1 AND address = $2 AND started_at >= $3 AND phase = $4 AND cause = $5
        AND COALESCE(device_name, '') = $6 AND COALESCE(enrollment_id, '') = $7 AND claims = $8
    ORDER BY started_at DESC, id DESC LIMIT 1";

pub(super) const FIND_OPEN: &str = "
    SELECT * FROM attempts
    WHERE outcome = 'open' AND email_key = $1 AND address = $2 AND updated_at >= $3 AND phase = $4
    ORDER BY started_at DESC, id DESC LIMIT 1";

/// With what is to be known of the enrollment.
macro_rules! listed {
    ($condition:literal) => {
        concat!(
            "SELECT a.*, CAST(CASE WHEN a.phase = 'enroll' AND EXISTS (SELECT 1 FROM enrollments e WHERE e.id = a.enrollment_id \
             AND e.last_seen_at IS NULL) THEN 1 ELSE 0 END AS BIGINT) AS never_seen \
             FROM attempts a WHERE (a.started_at, a.id) < ($1, $2) AND (CAST($4 AS TEXT) IS NULL OR a.outcome = $4)",
            $condition,
            " ORDER BY a.started_at DESC, a.id DESC LIMIT $3"
        )
    };
}

pub(super) const LIST: &str = listed!("");

pub(super) const LIST_OF_EMAIL: &str = listed!(" AND a.email_key = $5");

pub(super) const LIST_OF_TRACE: &str =
    listed!(" AND a.trace_id = $5 AND (CAST($6 AS TEXT) IS NULL OR a.email_key = $6)");
