//! What an error of PostgreSQL means for whoever asked.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::marks::Mark;
use crate::app::ports::StoreError;

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is nothing to try again.
    Final(StoreError),
    /// Another transaction stood in the way; the same once more may do it.
    Again(String),
    /// The connection is gone, or no longer fit for use; on another one it may do. Nothing was committed.
    Lost(String),
    /// There is no connection to be had, or one that does not answer.
    Away(String),
    /// The connection broke at the commit of this transaction.
    Doubt(Doubt),
}

/// A commit whose answer did not come.
#[derive(Debug)]
pub(super) struct Doubt {
    /// What the transaction leaves if it takes effect.
    pub(super) mark: Mark,
    /// What its statements touched.
    pub(super) counts: Vec<u64>,
    /// What happened to the connection.
    pub(super) cause: String,
}

/// Messages of the server name tables and columns; its details would name values, so they are left out.
pub(super) fn fault(error: &Error) -> Fault {
    if let Some(refusal) = error.as_db_error() {
        return of_code(refusal);
    }
    let is_own = error.source().is_some_and(|cause| !cause.is::<std::io::Error>());
    if is_own && !error.is_closed() {
        // A value or a column that does not fit: reading it again would not help.
        return Fault::Final(StoreError::Internal(full(error)));
    }
    Fault::Lost(full(error))
}

fn of_code(refusal: &DbError) -> Fault {
    let code = refusal.code();
    let words = format!("{} ({})", refusal.message(), code.code());
    if matches!(refusal.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        // Whatever the code says: the connection ends with it, and a commit may or may not have been made.
        return Fault::Lost(words);
    }
    if [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION].contains(code) {
        // A parent that is gone is a change as well: whoever referred to it loads again and finds out.
        return Fault::Final(StoreError::Conflict);
    }
    let busy = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    if busy.contains(code) {
        return Fault::Again(words);
    }
    // Another node has changed the schema, or a pooler in between has forgotten the statement: prepared anew it works.
    let unsupported = |words| *code == SqlState::FEATURE_NOT_SUPPORTED && refusal.message().contains(words);
    let stale = unsupported("cached plan") || *code == SqlState::INVALID_SQL_STATEMENT_NAME;
    // The server stops, or is a copy that takes no writes: a failover is under way.
    let moved = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::QUERY_CANCELED].contains(code);
    let moved = moved || unsupported("during recovery");
    if stale || moved || code.code().starts_with("57P") || code.code().starts_with("08") {
        return Fault::Lost(words);
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        let words = format!("{words}; the role that Muster signs in with has to own its database");
        return Fault::Final(StoreError::Unavailable(words));
    }
    if *code == SqlState::DISK_FULL {
        return Fault::Final(StoreError::Full(words));
    }
    // Memory or connections have run out (class 53), a system error (58), too many of something of ours (54).
    match code.code().get(..2) {
        Some("53" | "58") => Fault::Final(StoreError::Unavailable(words)),
        _ => Fault::Final(StoreError::Internal(words)),
    }
}

/// Why the pool has no connection.
pub(super) fn of_pool(error: &PoolError) -> Fault {
    match error {
        PoolError::Backend(error) => Fault::Away(full(error)),
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
            Fault::Away("no connection to the database was free in time: all of them wait for answers".to_owned())
        }
        PoolError::Timeout(_) => Fault::Away("the database did not answer in time".to_owned()),
        other => Fault::Away(other.to_string()),
    }
}

/// The error with its causes.
pub(super) fn full(error: &Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} ({})", refusal.message(), refusal.code().code());
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
