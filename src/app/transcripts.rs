//! Transcripts: every message of a session, redacted before it is written, compressed, written behind the answer.
//!
//! A crash may lose the last few; nothing else depends on them.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::ports::{StoreError, Write};
use super::{App, Error, redact};
use crate::domain::Id;
use crate::domain::session_record::{Direction, SessionRecord, TranscriptMessage};
use crate::proto::syncml::Encoding;

/// A message on its way into a transcript, not redacted yet; it has no Debug, so that no log shows its body.
pub(super) struct Recorded {
    pub(super) session_id: Id<SessionRecord>,
    pub(super) seq: i64,
    pub(super) direction: Direction,
    pub(super) at: OffsetDateTime,
    pub(super) encoding: Encoding,
    pub(super) body: Vec<u8>,
}

/// Messages that may wait to be written, and their bytes; what is beyond it is dropped, and that is logged.
const WAITING: usize = 1024;
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Messages that are written together.
const TOGETHER: usize = 64;
/// Bytes of one message that are kept.
const LONGEST: usize = 1024 * 1024;
/// zstd level: the default of the library, which is fast.
const LEVEL: i32 = 3;
/// How long a failed write waits before it is tried once more.
const AGAIN: Duration = Duration::from_secs(1);

/// A message in the line, and the room that it takes there until it is written.
type Waiting = (Recorded, OwnedSemaphorePermit);

/// The beginning of the line at which transcripts are written.
pub(super) struct Line {
    sender: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// The end of the line at which transcripts are written. Run it as a task of its own.
pub struct TranscriptWriter {
    receiver: mpsc::Receiver<Waiting>,
}

pub(super) fn line() -> (Line, TranscriptWriter) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Line { sender, room: Arc::new(Semaphore::new(WAITING_BYTES)) }, TranscriptWriter { receiver })
}

impl Line {
    /// Puts a message into the line, if there is room.
    fn join(&self, message: Recorded) -> bool {
        let bytes = u32::try_from(message.body.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        room.is_ok_and(|room| self.sender.try_send((message, room)).is_ok())
    }
}

impl TranscriptWriter {
    /// Writes until all senders are gone or `stop` resolves; what waits then is written first.
    pub async fn run(mut self, app: App, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut batch = Vec::with_capacity(TOGETHER);
        loop {
            tokio::select! {
                count = self.receiver.recv_many(&mut batch, TOGETHER) => {
                    if count == 0 {
                        return;
                    }
                    write(&app, std::mem::take(&mut batch)).await;
                }
                () = &mut stop => break,
            }
        }
        self.receiver.close();
        while self.receiver.recv_many(&mut batch, TOGETHER).await > 0 {
            write(&app, std::mem::take(&mut batch)).await;
        }
    }
}

/// Redacts and writes; what makes one message fail costs that message alone.
async fn write(app: &App, batch: Vec<Waiting>) {
    let mut messages = Vec::with_capacity(batch.len());
    let mut rooms = Vec::with_capacity(batch.len());
    for (message, room) in batch {
        rooms.push(room);
        messages.extend(prepared(app, message).await);
    }
    if let Err(error) = keep(app, &messages).await {
        tracing::error!(%error, messages = messages.len(), "messages of transcripts are lost");
    }
}

/// As it is stored: redacted, bounded, compressed.
async fn prepared(app: &App, message: Recorded) -> Option<TranscriptMessage> {
    let Recorded { session_id, seq, direction, at, encoding, body } = message;
    let sealer = Arc::clone(&app.sealer);
    // A task of its own: should the message bring it to a panic, that ends here.
    let task = tokio::task::spawn_blocking(move || {
        zstd::encode_all(shortened(redact::message(&body, encoding, &*sealer)).as_bytes(), LEVEL)
    });
    let cause = match task.await {
        Ok(Ok(body)) => return Some(TranscriptMessage { session_id, seq, direction, at, body }),
        Ok(Err(error)) => error.to_string(),
        // What a panic says may hold a piece of the message.
        Err(_) => "its redaction broke off".to_owned(),
    };
    tracing::error!(%session_id, seq, cause, "a message of a transcript is lost");
    None
}

fn shortened(mut text: String) -> String {
    let whole = text.len();
    if whole > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(&format!("\n[cut here: the message goes on for {} bytes]", whole - text.len()));
    }
    text
}

/// Writes all together; one by one where one of them is in the way.
async fn keep(app: &App, messages: &[TranscriptMessage]) -> Result<(), StoreError> {
    let commit =
        async |messages: &[TranscriptMessage]| app.commit(vec![Write::AppendTranscript(messages.to_vec())]).await;
    let mut kept = commit(messages).await;
    if kept.as_ref().is_err_and(StoreError::is_passing) {
        tokio::time::sleep(AGAIN).await;
        kept = commit(messages).await;
    }
    if kept.as_ref().map_or_else(StoreError::is_passing, |()| true) {
        return kept;
    }
    for message in messages {
        if let Err(error) = commit(std::slice::from_ref(message)).await {
            let (session_id, seq) = (message.session_id, message.seq);
            tracing::error!(%error, %session_id, seq, "a message of a transcript is lost");
        }
    }
    Ok(())
}

impl App {
    /// Hands a message to the transcript. Never waits: if too many wait already, it is dropped.
    pub(super) fn record_message(&self, message: Recorded) {
        let (session_id, seq) = (message.session_id, message.seq);
        if !self.memory.transcripts.join(message) {
            tracing::warn!(%session_id, seq, "a message of a transcript is dropped: too many wait to be written");
        }
    }

    /// The messages of a session in order, redacted as they were written.
    pub async fn transcript(
        &self,
        session: Id<SessionRecord>,
    ) -> Result<Vec<(Direction, OffsetDateTime, String)>, Error> {
        let messages = self.store.transcript(session).await?;
        messages
            .into_iter()
            .map(|message| {
                let bytes = zstd::bulk::decompress(&message.body, 2 * LONGEST)
                    .or_else(|_| zstd::decode_all(message.body.as_slice()))
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                Ok((message.direction, message.at, String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "transcripts/tests.rs"]
mod tests;
