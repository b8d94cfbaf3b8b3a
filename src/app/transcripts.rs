//! Transcripts: every message of a session, redacted before it is written, compressed, written behind the answer.
//!
//! A crash may lose the last few; nothing else depends on them.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::ports::{StoreError, Write};
use super::redact::{self, Redaction};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::session_record::{Direction, SessionRecord, TranscriptMessage, cut_here};
use crate::proto::syncml::Encoding;
use crate::session::{Input, Snapshot};

/// A message on its way into a transcript, not redacted yet; it has no Debug, so that no log shows its body.
pub(super) struct Recorded {
    pub(super) session_id: Id<SessionRecord>,
    pub(super) seq: i64,
    pub(super) direction: Direction,
    pub(super) at: OffsetDateTime,
    pub(super) encoding: Encoding,
    /// The HTTP status of an answer.
    pub(super) status: Option<u16>,
    pub(super) body: Body,
    /// What the engine was given with a message of the device.
    pub(super) given: Option<Box<Input>>,
}

/// One message of a device and what it was answered, on their way into the transcript of a session.
pub(super) struct Exchange {
    pub(super) session: Id<SessionRecord>,
    /// Messages of the device in the session so far: what came again, or was refused, has the number of the one before.
    pub(super) number: u32,
    pub(super) at: OffsetDateTime,
    pub(super) encoding: Encoding,
    pub(super) message: Body,
    /// What the engine was given with it.
    pub(super) given: Option<Box<Input>>,
    /// The HTTP status of the answer.
    pub(super) status: u16,
    pub(super) answer: Body,
}

/// What is kept of a message.
pub(super) enum Body {
    /// The message.
    Message(Vec<u8>),
    /// Words in its place, which hold nothing of it.
    Words(String),
}

impl Body {
    fn len(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len(),
            Self::Words(words) => words.len(),
        }
    }
}

impl Recorded {
    /// Bytes that it takes while it waits.
    fn weight(&self) -> usize {
        self.body.len() + self.given.as_ref().map_or(0, |input| input.weight())
    }
}

/// A message of a transcript as it is shown.
#[derive(Clone, Debug)]
pub struct TranscriptLine {
    /// Who sent it.
    pub direction: Direction,
    /// When.
    pub at: OffsetDateTime,
    /// The form in which it was on the wire.
    pub encoding: Encoding,
    /// The HTTP status of an answer.
    pub status: Option<u16>,
    /// The message, redacted, or words in its place.
    pub body: String,
    /// What the engine was given with a message of the device, redacted.
    pub given: Option<serde_json::Value>,
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
        let bytes = u32::try_from(message.weight()).unwrap_or(u32::MAX);
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
    let Recorded { session_id, seq, direction, at, encoding, status, body, given } = message;
    let (sealer, rules) = (Arc::clone(&app.sealer), app.redaction());
    // A task of its own: should the message bring it to a panic, that ends here.
    let task = tokio::task::spawn_blocking(move || {
        let redaction = Redaction { rules: &rules, sealer: &*sealer };
        let text = match body {
            Body::Message(bytes) => shortened(redact::message(&bytes, encoding, redaction)),
            Body::Words(words) => words,
        };
        let given = given.and_then(|input| snapshot(*input, redaction));
        let given = given.map(|json| zstd::encode_all(json.as_slice(), LEVEL)).transpose()?;
        zstd::encode_all(text.as_bytes(), LEVEL).map(|body| (body, given))
    });
    let cause = match task.await {
        Ok(Ok((body, given))) => {
            return Some(TranscriptMessage { session_id, seq, direction, at, encoding, status, body, given });
        }
        Ok(Err(error)) => error.to_string(),
        // What a panic says may hold a piece of the message.
        Err(_) => "its redaction broke off".to_owned(),
    };
    tracing::error!(%session_id, seq, cause, "a message of a transcript is lost");
    None
}

/// What the engine was given, as JSON; nothing where it is more than is kept of a message.
fn snapshot(input: Input, redaction: Redaction<'_>) -> Option<Vec<u8>> {
    let json = serde_json::to_vec(&Snapshot::of(input, &redact::Given(redaction))).ok()?;
    (json.len() <= LONGEST).then_some(json)
}

fn shortened(mut text: String) -> String {
    let whole = text.len();
    if whole > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str(&cut_here(whole - text.len()));
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
    /// Hands a message and its answer to the transcript, off the hot path.
    pub(super) fn transcribe(&self, exchange: Exchange) {
        let Exchange { session, number, at, encoding, message, given, status, answer } = exchange;
        let (session_id, seq) = (session, i64::from(number) * 2);
        self.record_message(Recorded {
            session_id,
            seq,
            direction: Direction::Device,
            at,
            encoding,
            status: None,
            body: message,
            given,
        });
        self.record_message(Recorded {
            session_id,
            seq: seq + 1,
            direction: Direction::Server,
            at,
            encoding,
            status: Some(status),
            body: answer,
            given: None,
        });
    }

    /// Hands a message to the transcript. Never waits: if too many wait already, it is dropped.
    fn record_message(&self, message: Recorded) {
        let (session_id, seq) = (message.session_id, message.seq);
        if !self.memory.transcripts.join(message) {
            tracing::warn!(%session_id, seq, "a message of a transcript is dropped: too many wait to be written");
        }
    }

    /// The messages of a session in order, redacted as they were written.
    pub async fn transcript(&self, session: Id<SessionRecord>) -> Result<Vec<TranscriptLine>, Error> {
        self.store.transcript(session).await?.into_iter().map(shown).collect()
    }
}

fn shown(message: TranscriptMessage) -> Result<TranscriptLine, Error> {
    let TranscriptMessage { direction, at, encoding, status, body, given, .. } = message;
    let given = given.map(|given| serde_json::from_slice(&unpacked(&given)?).map_err(internal)).transpose()?;
    let body = String::from_utf8_lossy(&unpacked(&body)?).into_owned();
    Ok(TranscriptLine { direction, at, encoding, status, body, given })
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    zstd::bulk::decompress(bytes, 2 * LONGEST).or_else(|_| zstd::decode_all(bytes)).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(Box::new(error))
}

#[cfg(test)]
#[path = "transcripts/tests.rs"]
mod tests;
