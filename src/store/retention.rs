//! What is removed after its time, in small portions.
//!
//! Each statement repeats its condition outside of the sub-select: on PostgreSQL a row can change between the two.

use time::OffsetDateTime;

use super::engine::{Engine, Statement};
use super::query::rows;
use crate::app::ports::{Expired, StoreError};

pub(super) fn prune(what: Expired, before: OffsetDateTime, limit: u32) -> Statement {
    Statement::any(sql(what), vec![before.into(), limit.into()])
}

pub(super) fn sql(what: Expired) -> &'static str {
    match what {
        Expired::Sessions => SESSIONS,
        Expired::Attempts => ATTEMPTS,
        Expired::Events => EVENTS,
        Expired::Audit => AUDIT,
        Expired::Answers => ANSWERS,
        Expired::Commands => COMMANDS,
        Expired::NodeAnswers => NODE_ANSWERS,
        Expired::Objects => OBJECTS,
        Expired::Alerts => ALERTS,
        Expired::Uploads => UPLOADS,
        Expired::UnusedUploads => UNUSED_UPLOADS,
        Expired::Invitations => INVITATIONS,
    }
}

/// Whether there is more to remove, of what strangers and devices add by themselves without an end.
pub(super) async fn is_due(engine: &dyn Engine, what: Expired, before: OffsetDateTime) -> Result<bool, StoreError> {
    let sql = match what {
        Expired::Attempts => ATTEMPTS_DUE,
        Expired::Events => EVENTS_DUE,
        Expired::Audit => AUDIT_DUE,
        _ => return Ok(false),
    };
    Ok(!rows(engine, sql, vec![before.into()]).await?.is_empty())
}

pub(super) const ATTEMPTS_DUE: &str = "SELECT CAST(1 AS BIGINT) AS due FROM attempts WHERE started_at < $1 LIMIT 1";

pub(super) const AUDIT_DUE: &str = "SELECT CAST(1 AS BIGINT) AS due FROM audit WHERE time < $1 LIMIT 1";

pub(super) const EVENTS_DUE: &str = "
    SELECT CAST(1 AS BIGINT) AS due FROM events
    WHERE time < $1 AND seq < (SELECT MAX(seq) FROM events WHERE seq IS NOT NULL) LIMIT 1";

/// Transcripts and answers go with their session.
const SESSIONS: &str = "
    DELETE FROM sessions
    WHERE closed_at < $1 AND id IN (SELECT id FROM sessions WHERE closed_at < $1 ORDER BY closed_at LIMIT $2)";

const ATTEMPTS: &str = "
    DELETE FROM attempts
    WHERE started_at < $1 AND id IN (SELECT id FROM attempts WHERE started_at < $1 ORDER BY started_at LIMIT $2)";

/// Only numbered ones, and never the last: its place is the one after which numbering goes on.
const EVENTS: &str = "
    DELETE FROM events
    WHERE time < $1 AND seq < (SELECT MAX(seq) FROM events WHERE seq IS NOT NULL) AND id IN (
        SELECT id FROM events
        WHERE time < $1 AND seq < (SELECT MAX(seq) FROM events WHERE seq IS NOT NULL) ORDER BY time LIMIT $2)";

const AUDIT: &str = "
    DELETE FROM audit WHERE time < $1 AND id IN (SELECT id FROM audit WHERE time < $1 ORDER BY time LIMIT $2)";

const ANSWERS: &str = "
    DELETE FROM answers
    WHERE at < $1 AND session_id IN (SELECT session_id FROM answers WHERE at < $1 ORDER BY at LIMIT $2)";

const COMMANDS: &str = "
    DELETE FROM commands
    WHERE is_open = 0 AND finished_at < $1 AND id IN (
        SELECT id FROM commands WHERE is_open = 0 AND finished_at < $1 ORDER BY finished_at LIMIT $2)";

const NODE_ANSWERS: &str = "
    DELETE FROM node_answers
    WHERE last_at < $1 AND (os_build, os_edition, path, verb, status) IN (
        SELECT os_build, os_edition, path, verb, status FROM node_answers
        WHERE last_at < $1 ORDER BY last_at LIMIT $2)";

/// What is not whole belongs to a session that is still open, or to one that nobody closed.
const OBJECTS: &str = "
    DELETE FROM objects
    WHERE is_whole = 0 AND at < $1 AND id IN (SELECT id FROM objects WHERE is_whole = 0 AND at < $1 ORDER BY at LIMIT $2)";

const ALERTS: &str = "
    DELETE FROM alerts WHERE at < $1 AND id IN (SELECT id FROM alerts WHERE at < $1 ORDER BY at LIMIT $2)";

/// Their mails go with them. One that was closed early goes with its end, like all others.
const INVITATIONS: &str = "
    DELETE FROM invitations
    WHERE expires_at < $1 AND id IN (SELECT id FROM invitations WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// Their files go with them.
const UPLOADS: &str = "
    DELETE FROM uploads
    WHERE received_at < $1 AND id IN (
        SELECT id FROM uploads WHERE received_at < $1 ORDER BY received_at LIMIT $2)";

const UNUSED_UPLOADS: &str = "
    DELETE FROM uploads
    WHERE received_at IS NULL AND expires_at < $1 AND id IN (
        SELECT id FROM uploads WHERE received_at IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT $2)";
