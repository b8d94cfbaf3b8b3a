//! Sessions, their transcripts, and the last answer of each.

use time::OffsetDateTime;

use super::engine::{Engine, Row, Statement};
use super::query::{List, cursor, found, many, one, readable};
use crate::app::ports::{Listed, Page, SessionFilter, StoreError};
use crate::domain::Id;
use crate::domain::session_record::{SessionRecord, StoredAnswer, TranscriptExchange};
use crate::proto::syncml::Encoding;

pub(super) fn save(session: &SessionRecord) -> Result<Statement, StoreError> {
    let odd = |error: serde_json::Error| StoreError::Internal(format!("sessions: {error}"));
    let remarks = serde_json::to_string(&session.remarks).map_err(odd)?;
    let proofs = serde_json::to_string(&session.proofs).map_err(odd)?;
    let tokens = serde_json::to_string(&session.tokens).map_err(odd)?;
    let params = vec![
        session.id.into(),
        session.enrollment_id.into(),
        session.device_id.into(),
        session.wire_id.as_str().into(),
        session.opened_at.into(),
        session.last_at.into(),
        session.closed_at.into(),
        session.state.as_str().into(),
        session.messages.into(),
        session.login.as_str().into(),
        session.mode.as_deref().into(),
        session.correlation.as_deref().into(),
        session.client_request_id.as_deref().into(),
        remarks.into(),
        proofs.into(),
        tokens.into(),
    ];
    Ok(Statement::at_most_one(SAVE, params))
}

pub(super) fn save_answer(answer: &StoredAnswer) -> Statement {
    let params = vec![
        answer.session_id.into(),
        answer.enrollment_id.into(),
        answer.msg_id.into(),
        answer.digest.as_slice().into(),
        answer.at.into(),
        answer.sealed.as_slice().into(),
    ];
    Statement::one(SAVE_ANSWER, params)
}

pub(super) fn append_transcript(exchanges: &[TranscriptExchange]) -> impl Iterator<Item = Statement> {
    exchanges.iter().map(|exchange| {
        let params = vec![
            exchange.session_id.into(),
            exchange.number.into(),
            exchange.at.into(),
            exchange.encoding.as_str().into(),
            exchange.status.into(),
            exchange.body.as_slice().into(),
        ];
        Statement::at_most_one(APPEND_TRANSCRIPT, params)
    })
}

pub(super) async fn find(engine: &dyn Engine, id: Id<SessionRecord>) -> Result<Option<SessionRecord>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn list(
    engine: &dyn Engine,
    filter: &SessionFilter,
    page: &Page,
) -> Result<Listed<SessionRecord>, StoreError> {
    let (sql, more) = match filter.device {
        Some(device) => (LIST_OF_DEVICE, vec![device.into()]),
        None => (LIST, Vec::new()),
    };
    let place = |session: &SessionRecord| cursor(session.opened_at, session.id);
    List { sql, more, read, place, page }.load(engine).await
}

pub(super) async fn idle(
    engine: &dyn Engine,
    before: OffsetDateTime,
    limit: u32,
) -> Result<Vec<SessionRecord>, StoreError> {
    readable(engine, IDLE, vec![before.into(), limit.into()], read).await
}

pub(super) async fn transcript(
    engine: &dyn Engine,
    session: Id<SessionRecord>,
) -> Result<Vec<TranscriptExchange>, StoreError> {
    many(engine, TRANSCRIPT, vec![session.into()], read_exchange).await
}

pub(super) async fn answer(
    engine: &dyn Engine,
    session: Id<SessionRecord>,
) -> Result<Option<StoredAnswer>, StoreError> {
    found(engine, ANSWER, vec![session.into()], read_answer).await
}

fn read(row: &Row) -> Result<SessionRecord, StoreError> {
    let row = row.of("sessions");
    Ok(SessionRecord {
        id: row.id("id")?,
        enrollment_id: row.id("enrollment_id")?,
        device_id: row.id("device_id")?,
        wire_id: row.string("wire_id")?,
        opened_at: row.time("opened_at")?,
        last_at: row.time("last_at")?,
        closed_at: row.opt_time("closed_at")?,
        state: row.string("state")?,
        messages: row.number("messages")?,
        login: row.string("login")?,
        mode: row.opt_string("mode")?,
        correlation: row.opt_string("correlation")?,
        client_request_id: row.opt_string("client_request_id")?,
        remarks: row.json("remarks")?,
        proofs: row.json("proofs")?,
        tokens: row.json("tokens")?,
    })
}

fn read_exchange(row: &Row) -> Result<TranscriptExchange, StoreError> {
    let row = row.of("transcripts");
    Ok(TranscriptExchange {
        session_id: row.id("session_id")?,
        number: row.number("number")?,
        at: row.time("at")?,
        encoding: row.word("encoding", Encoding::parse)?,
        status: row.number("status")?,
        body: row.bytes("body")?.to_vec(),
    })
}

fn read_answer(row: &Row) -> Result<StoredAnswer, StoreError> {
    let row = row.of("answers");
    Ok(StoredAnswer {
        session_id: row.id("session_id")?,
        enrollment_id: row.id("enrollment_id")?,
        msg_id: row.number("msg_id")?,
        digest: row.digest("digest")?,
        at: row.time("at")?,
        sealed: row.bytes("sealed")?.to_vec(),
    })
}

/// What was written behind comes too late where the session went on meanwhile.
const SAVE: &str = "
    INSERT INTO sessions (id, enrollment_id, device_id, wire_id, opened_at, last_at, closed_at, state, messages, login,
        mode, correlation, client_request_id, remarks, proofs, tokens)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (id) DO UPDATE SET
        enrollment_id = excluded.enrollment_id, device_id = excluded.device_id, wire_id = excluded.wire_id,
        opened_at = excluded.opened_at, last_at = excluded.last_at, closed_at = excluded.closed_at,
        state = excluded.state, messages = excluded.messages, login = excluded.login, mode = excluded.mode,
        correlation = excluded.correlation, client_request_id = excluded.client_request_id,
        remarks = excluded.remarks, proofs = excluded.proofs, tokens = excluded.tokens
    WHERE sessions.messages <= excluded.messages AND (sessions.closed_at IS NULL OR excluded.closed_at IS NOT NULL)";

const SAVE_ANSWER: &str = "
    INSERT INTO answers (session_id, enrollment_id, msg_id, digest, at, sealed) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (session_id) DO UPDATE SET
        enrollment_id = excluded.enrollment_id, msg_id = excluded.msg_id, digest = excluded.digest, at = excluded.at,
        sealed = excluded.sealed";

const APPEND_TRANSCRIPT: &str = "
    INSERT INTO transcripts (session_id, number, at, encoding, status, body) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (session_id, number, at) DO NOTHING";

pub(super) const FIND: &str = "SELECT * FROM sessions WHERE id = $1";

pub(super) const LIST: &str = "
    SELECT * FROM sessions WHERE (opened_at, id) < ($1, $2) ORDER BY opened_at DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_DEVICE: &str = "
    SELECT * FROM sessions WHERE device_id = $4 AND (opened_at, id) < ($1, $2)
    ORDER BY opened_at DESC, id DESC LIMIT $3";

pub(super) const IDLE: &str = "
    SELECT * FROM sessions WHERE closed_at IS NULL AND last_at < $1 ORDER BY last_at LIMIT $2";

/// What came again, or was refused, has the number of the message before it.
pub(super) const TRANSCRIPT: &str = "SELECT * FROM transcripts WHERE session_id = $1 ORDER BY number, at";

pub(super) const ANSWER: &str = "SELECT * FROM answers WHERE session_id = $1";
