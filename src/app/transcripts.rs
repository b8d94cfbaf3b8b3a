//! Transcripts: every message of a session, redacted before it is written, compressed, written behind the answer.
//!
//! A crash may lose those of the last second; nothing else depends on them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;

use super::ports::{StoreError, Write};
use super::redact::{self, Redaction};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::session_record::{Direction, SessionRecord, TranscriptExchange, cut_here};
use crate::proto::syncml::Encoding;
use crate::session::{Input, Snapshot};

/// One message of a device and what it was answered, on their way into the transcript of a session, not redacted yet. It has no
/// Debug, so that no log shows a body.
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
    /// The message, to be redacted.
    Message(Vec<u8>),
    /// Words that hold nothing secret: in its place, or the message itself.
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

impl Exchange {
    /// Bytes that it takes while it waits.
    pub(super) fn weight(&self) -> usize {
        self.message.len() + self.answer.len() + self.given.as_ref().map_or(0, |input| input.weight())
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

/// Messages with their answers that are written together.
const TOGETHER: usize = 128;
/// Bytes of one message that are kept.
const LONGEST: usize = 1024 * 1024;
/// zstd level: messages are small, and a higher one finds little more in them.
const LEVEL: i32 = 1;
/// How long a failed write waits before it is tried once more.
const AGAIN: Duration = Duration::from_secs(1);

impl App {
    /// Redacts and writes; what makes one message fail costs that message alone.
    pub(super) async fn write_transcripts(&self, exchanges: Vec<Exchange>) {
        let mut exchanges = exchanges.into_iter();
        loop {
            let part: Vec<Exchange> = exchanges.by_ref().take(TOGETHER).collect();
            if part.is_empty() {
                return;
            }
            let (sealer, rules) = (Arc::clone(&self.sealer), self.redaction());
            let redacted = tokio::task::spawn_blocking(move || {
                let mut press = Press::new(Redaction { rules: &rules, sealer: &*sealer });
                part.into_iter().filter_map(|exchange| press.exchange(exchange)).collect::<Vec<_>>()
            });
            let exchanges = match redacted.await {
                Ok(exchanges) => exchanges,
                Err(error) => {
                    tracing::error!(%error, "messages of transcripts are lost");
                    continue;
                }
            };
            if let Err(error) = keep(self, &exchanges).await {
                tracing::error!(%error, exchanges = exchanges.len(), "messages of transcripts are lost");
            }
        }
    }
}

/// Makes of messages what is stored: redacted, bounded, compressed.
struct Press<'r> {
    redaction: Redaction<'r>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl<'r> Press<'r> {
    fn new(redaction: Redaction<'r>) -> Self {
        Self { redaction, compressor: None }
    }

    /// Nothing where it cannot be kept; that is logged.
    fn exchange(&mut self, exchange: Exchange) -> Option<TranscriptExchange> {
        let Exchange { session: session_id, number, at, encoding, message, given, status, answer } = exchange;
        let redaction = self.redaction;
        let text = |part, body| carefully(session_id, part, || redacted(body, encoding, redaction));
        let (message, answer) = (text("message", message), text("answer", answer));
        let given = given.and_then(|input| carefully(session_id, "input", || snapshot(*input, redaction)).flatten());
        let kept = Kept { message, given, answer };
        match serde_json::to_vec(&kept).map_err(Into::into).and_then(|json| self.compress(&json)) {
            Ok(body) => Some(TranscriptExchange { session_id, number, at, encoding, status, body }),
            Err(error) => {
                tracing::error!(%session_id, number, %error, "messages of a transcript are lost");
                None
            }
        }
    }

    /// With one context for many: to make one costs more than to use it.
    fn compress(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            None => self.compressor.insert(zstd::bulk::Compressor::new(LEVEL)?),
        };
        compressor.compress(bytes)
    }
}

/// What is kept of a message of a device and its answer; what could not be redacted is missing.
#[derive(Serialize, Deserialize)]
struct Kept {
    message: Option<String>,
    given: Option<Box<RawValue>>,
    answer: Option<String>,
}

/// Should a message bring its redaction to a panic, that ends here. What a panic says may hold a piece of the message.
fn carefully<T>(session_id: Id<SessionRecord>, part: &str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        tracing::error!(%session_id, part, "a part of a transcript is lost: its redaction broke off");
    }
    done
}

fn redacted(body: Body, encoding: Encoding, redaction: Redaction<'_>) -> String {
    match body {
        Body::Message(bytes) => shortened(redact::message(&bytes, encoding, redaction)),
        Body::Words(words) => words,
    }
}

/// What the engine was given, as JSON; nothing where it is more than is kept of a message.
fn snapshot(input: Input, redaction: Redaction<'_>) -> Option<Box<RawValue>> {
    let json = to_raw_value(&Snapshot::of(input, &redact::Given(redaction))).ok()?;
    (json.get().len() <= LONGEST).then_some(json)
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
async fn keep(app: &App, exchanges: &[TranscriptExchange]) -> Result<(), StoreError> {
    let commit = async |exchanges: &[TranscriptExchange]| {
        app.commit_behind(vec![Write::AppendTranscript(exchanges.to_vec())]).await
    };
    let mut kept = commit(exchanges).await;
    if kept.as_ref().is_err_and(StoreError::is_passing) {
        tokio::time::sleep(AGAIN).await;
        kept = commit(exchanges).await;
    }
    if kept.as_ref().map_or_else(StoreError::is_passing, |()| true) {
        return kept;
    }
    for exchange in exchanges {
        if let Err(error) = commit(std::slice::from_ref(exchange)).await {
            let (session_id, number) = (exchange.session_id, exchange.number);
            tracing::error!(%error, %session_id, number, "messages of a transcript are lost");
        }
    }
    Ok(())
}

impl App {
    /// The messages of a session in order, redacted as they were written.
    pub async fn transcript(&self, session: Id<SessionRecord>) -> Result<Vec<TranscriptLine>, Error> {
        self.catch_up().await;
        let mut lines = Vec::new();
        for exchange in self.store.transcript(session).await? {
            lines.extend(shown(exchange)?.into_iter().flatten());
        }
        Ok(lines)
    }
}

fn shown(exchange: TranscriptExchange) -> Result<[Option<TranscriptLine>; 2], Error> {
    let TranscriptExchange { at, encoding, status, body, .. } = exchange;
    let Kept { message, given, answer } = serde_json::from_slice(&unpacked(&body)?).map_err(internal)?;
    let given = given.map(|given| serde_json::from_str(given.get()).map_err(internal)).transpose()?;
    let line = |direction, status, body, given| TranscriptLine { direction, at, encoding, status, body, given };
    Ok([
        message.map(|message| line(Direction::Device, None, message, given)),
        answer.map(|answer| line(Direction::Server, Some(status), answer, None)),
    ])
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    zstd::bulk::decompress(bytes, LONGEST).or_else(|_| zstd::decode_all(bytes)).map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Internal(Box::new(error))
}

#[cfg(test)]
#[path = "transcripts/tests.rs"]
mod tests;
