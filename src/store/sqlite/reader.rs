//! The threads that read.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::engine::{Row, Value};
use super::connection;
use crate::app::ports::StoreError;

/// What a reader is told.
pub(super) enum Message {
    /// Answer this.
    Ask(Job),
    /// End; each message ends one reader.
    Stop,
}

/// A query that waits for a reader.
pub(super) struct Job {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Value>,
    pub(super) answer: oneshot::Sender<Result<Vec<Row>, StoreError>>,
}

/// Answers questions until told to stop. The readers share one inbox: whoever is free takes the next question.
pub(super) fn run(connection: &Connection, inbox: &Mutex<Receiver<Message>>) {
    while let Some(Job { sql, params, answer }) = next(inbox) {
        // Whoever asked may be gone.
        if !answer.is_closed() {
            let _ = answer.send(connection::query(connection, sql, &params));
        }
    }
}

fn next(inbox: &Mutex<Receiver<Message>>) -> Option<Job> {
    match inbox.lock().unwrap_or_else(PoisonError::into_inner).recv() {
        Ok(Message::Ask(job)) => Some(job),
        Ok(Message::Stop) | Err(_) => None,
    }
}
