//! The thread that writes: adaptive group commit.
//!
//! Batches that wait at the same time become one transaction, a savepoint each, and share its sync. A batch that misses
//! is undone to its savepoint and does not hurt its neighbours. If the transaction itself fails, every batch of it
//! fails: nothing of any was kept.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::engine::Statement;
use super::connection::{execute, failure};
use super::reserve::Reserve;
use crate::app::ports::StoreError;
use crate::failpoint;

/// What the writer is told.
pub(super) enum Message {
    /// Commit this.
    Commit(Job),
    /// Commit this alone, in the room that was kept back.
    CommitFromReserve(Job),
    /// Keep room back again, and tell whether it is.
    SecureReserve(oneshot::Sender<bool>),
    /// End, after what was asked before.
    Stop,
}

/// A batch that waits for the writer.
pub(super) struct Job {
    pub(super) batch: Vec<Statement>,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// How many rows each statement of a batch touched.
pub(super) type Outcome = Result<Vec<u64>, StoreError>;

/// The connection that writes, and its inbox.
pub(super) struct Writer {
    connection: Connection,
    inbox: Receiver<Message>,
    busy_timeout: Duration,
    reserve: Reserve,
    /// Batches of the last group: as many are expected again.
    expected: usize,
    groups: u64,
    most_log_pages: i64,
    stopping: bool,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        inbox: Receiver<Message>,
        busy_timeout: Duration,
        reserve: Reserve,
    ) -> Self {
        let most_log_pages = MOST_LOG_PAGES;
        Self { connection, inbox, busy_timeout, reserve, expected: 1, groups: 0, most_log_pages, stopping: false }
    }

    /// Commits groups until told to stop; then moves the log into the file.
    pub(super) fn run(mut self) {
        while let Some(group) = self.gather() {
            self.commit(group);
            self.bound_log();
        }
        if let Err(error) = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the log of the database could not be moved into its file; the next start does it");
        }
    }

    /// The next group. Idle, the first batch goes alone and at once. Under load the last group had company, and it is
    /// worth a moment to wait until as many are there again: they are being answered just now and come back.
    fn gather(&mut self) -> Option<Vec<Job>> {
        let mut group = Vec::new();
        while group.is_empty() && !self.stopping {
            let message = self.inbox.recv().unwrap_or(Message::Stop);
            self.take(message, &mut group);
        }
        let deadline = Instant::now() + LINGER;
        while !self.stopping && group.len() < MOST_BATCHES {
            match self.next(group.len() < self.expected, deadline) {
                Some(message) => self.take(message, &mut group),
                None => break,
            }
        }
        self.expected = group.len();
        Some(group).filter(|group| !group.is_empty())
    }

    /// Puts a batch into the group; what concerns the reserve is done at once and alone.
    fn take(&mut self, message: Message, group: &mut Vec<Job>) {
        match message {
            Message::Commit(job) => group.push(job),
            Message::CommitFromReserve(job) => {
                self.reserve.release();
                self.commit(vec![job]);
            }
            Message::SecureReserve(answer) => {
                let _ = answer.send(self.reserve.secure());
            }
            Message::Stop => self.stopping = true,
        }
    }

    /// What waits; `linger`: or comes before the deadline.
    fn next(&self, linger: bool, deadline: Instant) -> Option<Message> {
        match self.inbox.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) if linger => {
                self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// Commits a group and answers everyone in it.
    fn commit(&mut self, group: Vec<Job>) {
        self.groups += 1;
        let (batches, answers): (Vec<_>, Vec<_>) = group.into_iter().map(|job| (job.batch, job.answer)).unzip();
        match self.transact(&batches) {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                self.roll_back();
                tracing::warn!(%error, batches = batches.len(), "a transaction failed");
                for answer in answers {
                    let _ = answer.send(Err(again(&error)));
                }
            }
        }
    }

    /// The outcome of each batch, once all are durable; or why none is.
    fn transact(&self, batches: &[Vec<Statement>]) -> Result<Vec<Outcome>, StoreError> {
        execute(&self.connection, "BEGIN IMMEDIATE", &[])?;
        let outcomes = batches.iter().map(|batch| self.apply(batch)).collect::<Result<_, _>>()?;
        failpoint::here(failpoint::STORE_BEFORE_COMMIT);
        execute(&self.connection, "COMMIT", &[])?;
        failpoint::here(failpoint::STORE_AFTER_COMMIT);
        Ok(outcomes)
    }

    /// Applies a batch, or undoes it. The outer error ends the whole transaction: a full disk, a failing one.
    fn apply(&self, batch: &[Statement]) -> Result<Outcome, StoreError> {
        execute(&self.connection, "SAVEPOINT batch", &[])?;
        let outcome = self.run_statements(batch);
        match &outcome {
            Err(StoreError::Unavailable(_) | StoreError::Full(_)) => return outcome.map(Ok),
            Err(_) if self.connection.is_autocommit() => return outcome.map(Ok),
            Err(_) => {
                execute(&self.connection, "ROLLBACK TO batch", &[])?;
            }
            Ok(_) => {}
        }
        execute(&self.connection, "RELEASE batch", &[])?;
        Ok(outcome)
    }

    fn run_statements(&self, batch: &[Statement]) -> Outcome {
        let mut counts = Vec::with_capacity(batch.len());
        for (index, statement) in batch.iter().enumerate() {
            let count = execute(&self.connection, statement.sql, &statement.params);
            let missed = matches!(count, Err(StoreError::Conflict))
                || matches!(count, Ok(count) if !statement.expect.admits(count));
            if missed {
                tracing::debug!(index, sql = statement.sql, expected = ?statement.expect, "a batch missed");
                return Err(StoreError::Conflict);
            }
            counts.push(count?);
        }
        Ok(counts)
    }

    /// SQLite rolls back by itself after some failures; else it is done here. Should it fail now, the next transaction
    /// cannot begin and says so.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = execute(&self.connection, "ROLLBACK", &[])
        {
            tracing::error!(%error, "a transaction could not be undone yet");
        }
    }

    /// SQLite's own checkpoints never wait, so under readers that never pause the log is never begun anew and grows.
    /// Now and then it is looked at, and when it is too long, commits wait a moment for the readers.
    fn bound_log(&self) {
        if !self.groups.is_multiple_of(LOOK_AT_LOG) {
            return;
        }
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "the log of the database could not be shortened");
        }
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        let pages = |sql| self.connection.query_row(sql, (), |row| row.get::<_, i64>("log"));
        let long = pages("PRAGMA wal_checkpoint(PASSIVE)").map_err(|error| failure(&error))? > self.most_log_pages;
        if long {
            let patient = |time| self.connection.busy_timeout(time).map_err(|error| failure(&error));
            patient(LOG_PATIENCE)?;
            let done = pages("PRAGMA wal_checkpoint(RESTART)");
            patient(self.busy_timeout)?;
            done.map_err(|error| failure(&error))?;
        }
        Ok(())
    }
}

/// Why a batch failed whose transaction did: everyone hears the same.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(cause) => StoreError::Full(cause.clone()),
        StoreError::Unavailable(cause) => StoreError::Unavailable(cause.clone()),
        other => StoreError::Unavailable(other.to_string()),
    }
}

/// Most batches in one transaction.
const MOST_BATCHES: usize = 128;
/// Longest wait for company.
const LINGER: Duration = Duration::from_millis(3);
/// Groups between two looks at the log.
const LOOK_AT_LOG: u64 = 128;
/// Longest log in pages of 4 KiB: 64 MiB.
const MOST_LOG_PAGES: i64 = 16_384;
/// How long commits wait for readers so that the log can begin anew.
const LOG_PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
