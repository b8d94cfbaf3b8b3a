//! Transcripts: every message of a session, redacted before it is written, compressed, written behind the answer.
//!
//! A crash may lose the last few; nothing else depends on them.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::ports::Write;
use super::{App, Error, redact};
use crate::domain::Id;
use crate::domain::session_record::{Direction, SessionRecord, TranscriptMessage};

/// A message on its way into a transcript, not redacted yet; its Debug shows no body.
pub(super) struct Recorded {
    pub(super) session_id: Id<SessionRecord>,
    pub(super) seq: i64,
    pub(super) direction: Direction,
    pub(super) at: OffsetDateTime,
    pub(super) body: Vec<u8>,
}

/// Messages that may wait to be written; beyond it they are dropped, and that is logged.
const WAITING: usize = 1024;
/// Messages that are written together.
const TOGETHER: usize = 64;
/// zstd level: the default of the library, which is fast.
const LEVEL: i32 = 3;
/// Largest message that is read back, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long a failed write waits before it is tried once more.
const AGAIN: Duration = Duration::from_secs(1);

/// The end of the line at which transcripts are written. Run it as a task of its own.
pub struct TranscriptWriter {
    receiver: mpsc::Receiver<Recorded>,
}

pub(super) fn channel() -> (mpsc::Sender<Recorded>, TranscriptWriter) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, TranscriptWriter { receiver })
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

async fn write(app: &App, batch: Vec<Recorded>) {
    let sealer = app.sealer.clone();
    let compressed = tokio::task::spawn_blocking(move || {
        let each = |message: Recorded| {
            let body = redact::message(&message.body, &*sealer);
            let body = zstd::encode_all(body.as_bytes(), LEVEL).ok()?;
            let Recorded { session_id, seq, direction, at, .. } = message;
            Some(TranscriptMessage { session_id, seq, direction, at, body })
        };
        batch.into_iter().filter_map(each).collect::<Vec<_>>()
    })
    .await;
    let Ok(messages) = compressed else { return };
    let writes = vec![Write::AppendTranscript(messages)];
    if app.commit(writes.clone()).await.is_err() {
        tokio::time::sleep(AGAIN).await;
        if let Err(error) = app.commit(writes).await {
            tracing::error!(%error, "messages of transcripts are lost");
        }
    }
}

impl App {
    /// Hands a message to the transcript. Never waits: if too many wait already, it is dropped.
    pub(super) fn record_message(&self, message: Recorded) {
        if self.memory.transcripts.try_send(message).is_err() {
            tracing::warn!("a message of a transcript is dropped: too many wait to be written");
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
                let bytes = zstd::bulk::decompress(&message.body, LARGEST)
                    .or_else(|_| zstd::decode_all(message.body.as_slice()))
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                Ok((message.direction, message.at, String::from_utf8_lossy(&bytes).into_owned()))
            })
            .collect()
    }
}
