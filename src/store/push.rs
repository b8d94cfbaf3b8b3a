//! Push: channels, sealed each under its enrollment, what devices told about their registration, and who is to be woken.
//!
//! A push that is due is claimed by the one process that sends it. While it does, new work makes the device due once more;
//! so what is finished is only what was claimed.

use time::OffsetDateTime;

use super::engine::{Engine, Record, Row, Statement, Value};
use super::query::{one, readable};
use crate::app::ports::{DuePush, Sealer, StoreError};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::push::{ChannelUri, LONGEST_PAUSE, Outcome, Push, PushChange, Registration, Sent};

pub(super) async fn find(
    engine: &dyn Engine,
    sealer: &dyn Sealer,
    enrollment: Id<Enrollment>,
) -> Result<Option<Push>, StoreError> {
    one(engine, FIND, vec![enrollment.into()], |row| read(row, sealer)).await
}

pub(super) async fn due(
    engine: &dyn Engine,
    sealer: &dyn Sealer,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<DuePush>, StoreError> {
    let read = |row: &Row| Ok(DuePush { enrollment_id: row.of("push").id("enrollment_id")?, push: read(row, sealer)? });
    let mut due = readable(engine, ABANDONED, vec![limit.into()], read).await?;
    due.extend(readable(engine, DUE, vec![now.into(), limit.into()], read).await?);
    due.truncate(limit as usize);
    Ok(due)
}

pub(super) fn wake(enrollment: Id<Enrollment>, at: OffsetDateTime) -> Statement {
    Statement::at_most_one(WAKE, vec![enrollment.into(), at.into(), (at + LONGEST_PAUSE).into()])
}

pub(super) fn claim(enrollment: Id<Enrollment>, by: &str, from: Option<&str>) -> Statement {
    match from {
        None => Statement::one(CLAIM, vec![enrollment.into(), by.into()]),
        Some(from) => Statement::one(CLAIM_FROM, vec![enrollment.into(), by.into(), from.into()]),
    }
}

pub(super) fn release(enrollment: Id<Enrollment>, by: &str) -> Statement {
    Statement::at_most_one(RELEASE, vec![enrollment.into(), by.into()])
}

pub(super) fn save_sent(
    enrollment: Id<Enrollment>,
    by: &str,
    sent: &Sent,
    tries: u32,
    retry_at: Option<OffsetDateTime>,
) -> Statement {
    let params = vec![
        enrollment.into(),
        by.into(),
        sent.outcome.as_str().into(),
        sent.at.into(),
        sent.connection.as_deref().into(),
        sent.detail.as_deref().into(),
        sent.not_before.into(),
        tries.into(),
        retry_at.into(),
    ];
    Statement::at_most_one(SAVE_SENT, params)
}

pub(super) fn forget_channel(enrollment: Id<Enrollment>, channel_seq: i64, at: OffsetDateTime) -> Statement {
    Statement::at_most_one(FORGET_CHANNEL, vec![enrollment.into(), channel_seq.into(), at.into()])
}

pub(super) fn forget_registration(enrollment: Id<Enrollment>) -> Statement {
    Statement::at_most_one(FORGET_REGISTRATION, vec![enrollment.into()])
}

/// Each change has columns of its own, so that two that come at once do not undo each other.
pub(super) fn change(enrollment: Id<Enrollment>, change: &PushChange, sealer: &dyn Sealer) -> Statement {
    let (sql, values): (_, Vec<Value>) = match change {
        PushChange::Registered(Registration { pfn, status, at }) => {
            (SAVE_REGISTRATION, vec![pfn.as_deref().into(), (*status).into(), (*at).into()])
        }
        PushChange::Channel { uri, refusal, at } => {
            let sealed = uri.as_ref().map(|uri| sealer.seal(&purpose(enrollment), uri.expose().as_bytes()));
            (SAVE_CHANNEL, vec![sealed.into(), refusal.as_deref().into(), (*at).into()])
        }
        PushChange::Status { status, at } => (SAVE_STATUS, vec![status.as_str().into(), (*at).into()]),
    };
    Statement::one(sql, std::iter::once(enrollment.into()).chain(values).collect())
}

fn read(row: &Row, sealer: &dyn Sealer) -> Result<Push, StoreError> {
    let row = row.of("push");
    let enrollment = row.id("enrollment_id")?;
    let open = |sealed: &[u8]| {
        let opened =
            sealer.open(&purpose(enrollment), sealed).map_err(|error| row.odd("channel", &error.to_string()))?;
        let text = String::from_utf8(opened).map_err(|_| row.odd("channel", "holds no text"))?;
        Ok::<_, StoreError>(ChannelUri::received(&text))
    };
    Ok(Push {
        registration: Registration {
            pfn: row.opt_string("pfn")?,
            status: row.opt_number("pfn_status")?,
            at: row.opt_time("pfn_at")?,
        },
        channel: row.opt_bytes("channel")?.map(open).transpose()?.flatten(),
        channel_seq: row.number("channel_seq")?,
        channel_at: row.opt_time("channel_at")?,
        refusal: row.opt_string("refusal")?,
        status: row.opt_string("status")?,
        status_at: row.opt_time("status_at")?,
        wake_at: row.opt_time("wake_at")?,
        claimed_by: row.opt_string("claimed_by")?,
        tries: row.number("tries")?,
        last: sent(&row)?,
    })
}

fn sent(row: &Record<'_>) -> Result<Option<Sent>, StoreError> {
    if row.opt_text("outcome")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Sent {
        outcome: row.word("outcome", Outcome::parse)?,
        at: row.time("sent_at")?,
        connection: row.opt_string("connection")?,
        detail: row.opt_string("detail")?,
        not_before: row.time("not_before")?,
    }))
}

/// Moved to another enrollment it does not open.
fn purpose(enrollment: Id<Enrollment>) -> String {
    format!("push-channel {enrollment}")
}

pub(super) const FIND: &str = "SELECT * FROM push WHERE enrollment_id = $1";

const SAVE_REGISTRATION: &str = "
    INSERT INTO push (enrollment_id, pfn, pfn_status, pfn_at, channel_seq, tries) VALUES ($1, $2, $3, $4, 0, 0)
    ON CONFLICT (enrollment_id) DO UPDATE SET
        pfn = excluded.pfn, pfn_status = excluded.pfn_status, pfn_at = excluded.pfn_at";

const SAVE_CHANNEL: &str = "
    INSERT INTO push (enrollment_id, channel, refusal, channel_at, channel_seq, tries)
    VALUES ($1, $2, $3, $4, 1, 0)
    ON CONFLICT (enrollment_id) DO UPDATE SET
        channel = excluded.channel, refusal = excluded.refusal, channel_at = excluded.channel_at,
        channel_seq = push.channel_seq + 1";

const SAVE_STATUS: &str = "
    INSERT INTO push (enrollment_id, status, status_at, channel_seq, tries) VALUES ($1, $2, $3, 0, 0)
    ON CONFLICT (enrollment_id) DO UPDATE SET status = excluded.status, status_at = excluded.status_at";

pub(super) const ABANDONED: &str = "
    SELECT * FROM push WHERE claimed_by >= '' ORDER BY claimed_by LIMIT $1";

pub(super) const DUE: &str = "
    SELECT * FROM push WHERE wake_at <= $1 AND claimed_by IS NULL AND channel IS NOT NULL
    ORDER BY wake_at LIMIT $2";

/// A pause that is longer than any is one of a clock that was wrong.
const WAKE: &str = "
    UPDATE push SET tries = 0,
        wake_at = CASE WHEN not_before > $2 AND not_before <= $3 THEN not_before ELSE $2 END
    WHERE enrollment_id = $1 AND channel IS NOT NULL";

const CLAIM: &str = "
    UPDATE push SET claimed_by = $2, wake_at = NULL
    WHERE enrollment_id = $1 AND claimed_by IS NULL AND wake_at IS NOT NULL";

const CLAIM_FROM: &str = "
    UPDATE push SET claimed_by = $2, wake_at = NULL WHERE enrollment_id = $1 AND claimed_by = $3";

const RELEASE: &str = "
    UPDATE push SET claimed_by = NULL, tries = 0 WHERE enrollment_id = $1 AND claimed_by = $2";

const SAVE_SENT: &str = "
    UPDATE push SET claimed_by = NULL, outcome = $3, sent_at = $4, connection = $5, detail = $6, not_before = $7,
        tries = $8,
        wake_at = CASE WHEN wake_at IS NULL THEN $9 WHEN wake_at < $7 THEN $7 ELSE wake_at END
    WHERE enrollment_id = $1 AND claimed_by = $2";

const FORGET_CHANNEL: &str = "
    UPDATE push SET channel = NULL, channel_at = $3, channel_seq = channel_seq + 1
    WHERE enrollment_id = $1 AND channel_seq = $2";

const FORGET_REGISTRATION: &str = "UPDATE push SET pfn = NULL WHERE enrollment_id = $1";
