//! The queue. What was asked, the commands and their answers are sealed, each under its own id: they hold PINs, passwords
//! and keys.

use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::engine::{Engine, Record, Row, Statement, Value};
use super::query::{List, cursor, few, found, readable};
use crate::app::ports::{CommandFilter, Listed, Page, Sealer, StoreError};
use crate::domain::Id;
use crate::domain::action::{Action, Placing};
use crate::domain::command::{CommandState, Followed, Offer, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Command, decode_fragment, encode_fragment};
use crate::proto::xml::Limits;

/// The table, with what opens its sealed columns.
#[derive(Clone, Copy)]
pub(super) struct Commands<'s> {
    pub(super) engine: &'s dyn Engine,
    pub(super) sealer: &'s dyn Sealer,
}

impl Commands<'_> {
    pub(super) async fn find(self, id: Id<QueuedCommand>) -> Result<Option<QueuedCommand>, StoreError> {
        found(self.engine, FIND, vec![id.into()], |row| read(row, self.sealer)).await
    }

    pub(super) async fn list(self, filter: &CommandFilter, page: &Page) -> Result<Listed<QueuedCommand>, StoreError> {
        let raw = filter.raw.map(i64::from);
        let mut more: Vec<Value> = vec![raw.into(), filter.state.map(CommandState::as_str).into()];
        let sql = match filter.device {
            Some(device) => {
                more.push(device.into());
                LIST_OF_DEVICE
            }
            None => LIST,
        };
        let place = |command: &QueuedCommand| cursor(command.created_at, command.id);
        List { sql, more, read: |row: &Row| read(row, self.sealer), place, page }.load(self.engine).await
    }

    pub(super) async fn open(self, enrollment: Id<Enrollment>, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        few(self.engine, OPEN, vec![enrollment.into(), limit.into()], |row| read(row, self.sealer)).await
    }

    pub(super) async fn sendable(
        self,
        enrollment: Id<Enrollment>,
        at: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<QueuedCommand>, StoreError> {
        few(self.engine, SENDABLE, vec![enrollment.into(), at.into(), limit.into()], |row| read(row, self.sealer)).await
    }

    pub(super) async fn offered(
        self,
        enrollment: Id<Enrollment>,
        session: Option<(Id<SessionRecord>, u64)>,
    ) -> Result<Vec<QueuedCommand>, StoreError> {
        let (session, since) = session.unzip();
        let params = vec![enrollment.into(), session.into(), since.into()];
        few(self.engine, OFFERED, params, |row| read(row, self.sealer)).await
    }

    pub(super) async fn overdue(self, now: OffsetDateTime, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        readable(self.engine, OVERDUE, vec![now.into(), limit.into()], |row| read(row, self.sealer)).await
    }

    pub(super) async fn orphaned(self, limit: u32) -> Result<Vec<QueuedCommand>, StoreError> {
        readable(self.engine, ORPHANED, vec![limit.into()], |row| read(row, self.sealer)).await
    }
}

pub(super) fn insert(command: &QueuedCommand, sealer: &dyn Sealer) -> Result<Statement, StoreError> {
    Ok(Statement::one(INSERT, columns(command, sealer)?))
}

pub(super) fn update(command: &QueuedCommand, sealer: &dyn Sealer) -> Result<Statement, StoreError> {
    Ok(Statement::one(UPDATE, columns(command, sealer)?))
}

fn columns(command: &QueuedCommand, sealer: &dyn Sealer) -> Result<Vec<Value>, StoreError> {
    let id = command.id;
    let items = json("items", &command.items)?;
    Ok(vec![
        id.into(),
        command.enrollment_id.into(),
        command.device_id.into(),
        command.action.name().into(),
        sealer.seal(&purpose(ACTION, id), json("action", &command.action)?.as_bytes()).into(),
        (command.action == Action::Raw).into(),
        command.state.as_str().into(),
        command.state.is_open().into(),
        command.detail.as_str().into(),
        command.status.into(),
        command.hresult.as_deref().into(),
        command.placing.priority.into(),
        command.placing.alone.into(),
        sealer.seal(&purpose(BODY, id), &encode_fragment(&command.body)).into(),
        sealer.seal(&purpose(ITEMS, id), items.as_bytes()).into(),
        command.step.into(),
        command.offers.into(),
        command.retries.into(),
        command.last_offer.map(|offer| offer.session).into(),
        command.last_offer.map(|offer| offer.msg_id).into(),
        command.last_offer.map(|offer| offer.at).into(),
        command.not_before.into(),
        command.expires_at.into(),
        command.created_at.into(),
        command.finished_at.into(),
        command.created_by.as_str().into(),
        command.reason.as_deref().into(),
        command.revealed.into(),
        sealer.seal(&purpose(REST, id), &encode_fragment(&command.rest)).into(),
        command.needs_user().into(),
        command.followed.map(|followed| followed.since).into(),
        command.followed.map(|followed| followed.questions).into(),
        command.large_value.as_ref().map(|value| json("large_value", value)).transpose()?.into(),
    ])
}

fn read(row: &Row, sealer: &dyn Sealer) -> Result<QueuedCommand, StoreError> {
    let row = row.of("commands");
    let id = row.id("id")?;
    Ok(QueuedCommand {
        id,
        enrollment_id: row.id("enrollment_id")?,
        device_id: row.id("device_id")?,
        action: open_json(&row, "action", ACTION, id, sealer)?,
        state: row.word("state", CommandState::parse)?,
        detail: row.string("detail")?,
        status: row.opt_number("status")?,
        hresult: row.opt_string("hresult")?,
        placing: Placing { priority: row.number("priority")?, alone: row.flag("alone")? },
        body: open_fragment(&row, "body", BODY, id, sealer)?,
        rest: open_fragment(&row, "rest", REST, id, sealer)?,
        items: open_json(&row, "items", ITEMS, id, sealer)?,
        step: row.number("step")?,
        offers: row.number("offers")?,
        retries: row.number("retries")?,
        last_offer: last_offer(&row)?,
        not_before: row.opt_time("not_before")?,
        expires_at: row.time("expires_at")?,
        created_at: row.time("created_at")?,
        finished_at: row.opt_time("finished_at")?,
        created_by: row.string("created_by")?,
        reason: row.opt_string("reason")?,
        revealed: row.flag("revealed")?,
        followed: followed(&row)?,
        large_value: row.opt_text("large_value")?.map(|_| row.json("large_value")).transpose()?,
    })
}

fn last_offer(row: &Record<'_>) -> Result<Option<Offer>, StoreError> {
    let Some(session) = row.opt_id("offer_session")? else { return Ok(None) };
    Ok(Some(Offer { session, msg_id: row.number("offer_msg")?, at: row.time("offered_at")? }))
}

fn followed(row: &Record<'_>) -> Result<Option<Followed>, StoreError> {
    let Some(since) = row.opt_time("followed_since")? else { return Ok(None) };
    Ok(Some(Followed { since, questions: row.number("questions")? }))
}

/// Some actions have no commands, which is no fragment.
fn open_fragment(
    row: &Record<'_>,
    column: &str,
    what: &str,
    id: Id<QueuedCommand>,
    sealer: &dyn Sealer,
) -> Result<Vec<Command>, StoreError> {
    let opened = sealer.open(&purpose(what, id), row.bytes(column)?);
    let fragment = opened.map_err(|error| row.odd(column, &error.to_string()))?;
    if fragment.is_empty() {
        return Ok(Vec::new());
    }
    decode_fragment(&fragment, &STORED).map_err(|error| row.odd(column, &error.to_string()))
}

fn open_json<T: DeserializeOwned>(
    row: &Record<'_>,
    column: &str,
    what: &str,
    id: Id<QueuedCommand>,
    sealer: &dyn Sealer,
) -> Result<T, StoreError> {
    let opened = sealer.open(&purpose(what, id), row.bytes(column)?);
    let json = opened.map_err(|error| row.odd(column, &error.to_string()))?;
    serde_json::from_slice(&json).map_err(|_| row.odd(column, "is not the JSON that this build reads"))
}

/// Sealed for one column of one row: moved to another command it does not open.
fn purpose(column: &str, id: Id<QueuedCommand>) -> String {
    format!("{column} {id}")
}

fn json(column: &str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(format!("commands.{column}: {error}")))
}

const ACTION: &str = "command-action";
const BODY: &str = "command-body";
const REST: &str = "command-rest";
const ITEMS: &str = "command-items";

/// What was accepted at a door is read back whatever its size: an `&lt;` that stood inside CDATA there is an event of
/// its own here.
const STORED: Limits = Limits { depth: 128, attributes: 64, events: usize::MAX };

const INSERT: &str = "
    INSERT INTO commands (id, enrollment_id, device_id, action_name, action, is_raw, state, is_open, detail, status,
        hresult, priority, alone, body, items, step, offers, retries, offer_session, offer_msg, offered_at, not_before,
        expires_at, created_at, finished_at, created_by, reason, revealed, rest,
        needs_user, followed_since, questions, large_value)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
        $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)";

const UPDATE: &str = "
    UPDATE commands SET enrollment_id = $2, device_id = $3, action_name = $4, action = $5, is_raw = $6, state = $7,
        is_open = $8, detail = $9, status = $10, hresult = $11, priority = $12, alone = $13, body = $14, items = $15,
        step = $16, offers = $17, retries = $18, offer_session = $19, offer_msg = $20, offered_at = $21,
        not_before = $22, expires_at = $23, created_at = $24, finished_at = $25, created_by = $26, reason = $27,
        revealed = $28, rest = $29, needs_user = $30, followed_since = $31, questions = $32,
        large_value = $33
    WHERE id = $1";

pub(super) const FIND: &str = "SELECT * FROM commands WHERE id = $1";

pub(super) const LIST: &str = "
    SELECT * FROM commands
    WHERE (created_at, id) < ($1, $2)
        AND (CAST($4 AS BIGINT) IS NULL OR is_raw = $4) AND (CAST($5 AS TEXT) IS NULL OR state = $5)
    ORDER BY created_at DESC, id DESC LIMIT $3";

pub(super) const LIST_OF_DEVICE: &str = "
    SELECT * FROM commands
    WHERE device_id = $6 AND (created_at, id) < ($1, $2)
        AND (CAST($4 AS BIGINT) IS NULL OR is_raw = $4) AND (CAST($5 AS TEXT) IS NULL OR state = $5)
    ORDER BY created_at DESC, id DESC LIMIT $3";

pub(super) const OPEN: &str = "
    SELECT * FROM commands WHERE enrollment_id = $1 AND is_open = 1
    ORDER BY priority, created_at, id LIMIT $2";

pub(super) const SENDABLE: &str = "
    SELECT * FROM commands
    WHERE enrollment_id = $1 AND state = 'queued' AND (not_before IS NULL OR not_before <= $2) AND expires_at > $2
    ORDER BY needs_user, priority, created_at, id LIMIT $3";

pub(super) const OFFERED: &str = "
    SELECT * FROM commands WHERE id IN (
        SELECT id FROM commands WHERE enrollment_id = $1 AND is_open = 1 AND offer_session IS NOT NULL
        UNION
        SELECT id FROM commands WHERE offer_session = $2 AND offer_msg >= $3 AND enrollment_id = $1)
    ORDER BY is_open DESC, offered_at DESC, id LIMIT 1000";

/// Queued ones first: those that stay unknown must not stand in the way of those that can expire.
pub(super) const OVERDUE: &str = "
    SELECT * FROM commands
    WHERE is_open = 1 AND state IN ('queued', 'sent', 'unknown') AND expires_at <= $1
        AND (state <> 'sent' OR followed_since IS NOT NULL)
    ORDER BY state, expires_at LIMIT $2";

pub(super) const ORPHANED: &str = "
    SELECT * FROM commands
    WHERE is_open = 1 AND state IN ('queued', 'sent') AND expires_at > 0 AND EXISTS (
        SELECT 1 FROM enrollments WHERE enrollments.id = commands.enrollment_id AND enrollments.is_open = 0)
    ORDER BY state, expires_at LIMIT $1";
