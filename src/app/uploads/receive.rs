//! A file as it comes in: row by row, never more than one row of it in memory.

use sha2::{Digest, Sha256};

use super::purpose;
use crate::app::App;
use crate::app::ports::{StoreError, Write};
use crate::domain::Id;
use crate::domain::upload::{Received, Upload, UploadAttempt, UploadChunk};

/// Bytes of one row.
const CHUNK_BYTES: usize = 256 * 1024;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadRefused {
    /// No such URL, a wrong secret, too late, or no longer wanted: nobody is told which.
    #[error("the URL takes no upload")]
    Forbidden,
    /// The URL has taken one.
    #[error("the URL was used already")]
    Used,
    /// Somebody else has begun meanwhile: the newest try is the one that counts.
    #[error("another upload to this URL has begun")]
    Busy,
    /// The file is larger than an upload may be.
    #[error("the file is too large")]
    TooLarge,
    /// There is no file.
    #[error("the file is empty")]
    Empty,
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is being received. It is either finished or abandoned; where the process dies, upkeep abandons it.
pub struct Receiving {
    app: App,
    upload: Upload,
    attempt: Id<UploadAttempt>,
    buffer: Vec<u8>,
    digest: Sha256,
    bytes: u64,
    chunks: u32,
}

impl Receiving {
    pub(super) fn new(app: App, upload: Upload, attempt: Id<UploadAttempt>) -> Self {
        Self { app, upload, attempt, buffer: Vec::new(), digest: Sha256::new(), bytes: 0, chunks: 0 }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`UploadRefused::TooLarge`], [`UploadRefused::Busy`], or the store's.
    pub async fn take(&mut self, mut data: &[u8]) -> Result<(), UploadRefused> {
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.bytes > self.app.settings.upload_bytes {
            return Err(UploadRefused::TooLarge);
        }
        self.digest.update(data);
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(CHUNK_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            data = later;
            if self.buffer.len() == CHUNK_BYTES {
                self.keep().await?;
            }
        }
        Ok(())
    }

    /// The file is whole.
    ///
    /// # Errors
    /// [`UploadRefused::Empty`], [`UploadRefused::Forbidden`], [`UploadRefused::Busy`], or the store's.
    pub async fn finish(&mut self) -> Result<Received, UploadRefused> {
        if self.bytes == 0 {
            return Err(UploadRefused::Empty);
        }
        if !self.buffer.is_empty() {
            self.keep().await?;
        }
        if !self.app.is_wanted(&self.upload).await? {
            return Err(UploadRefused::Forbidden);
        }
        let received = Received {
            at: self.app.now(),
            bytes: self.bytes,
            chunks: self.chunks,
            sha256: self.digest.clone().finalize().into(),
        };
        let done = self.app.finish_upload(&self.upload, self.attempt, &received).await;
        done.map_err(lost)?;
        Ok(received)
    }

    /// The file does not come to its end: nothing of it stays, and the URL can be used again.
    pub async fn abandon(self) {
        let abandon = Write::AbandonUpload { id: self.upload.id, attempt: self.attempt };
        if let Err(error) = self.app.commit(vec![abandon]).await {
            tracing::warn!(upload = %self.upload.id, %error, "what is left of a broken upload is removed later");
        }
    }

    async fn keep(&mut self) -> Result<(), UploadRefused> {
        let (id, seq) = (self.upload.id, self.chunks);
        let sealed = self.app.sealer.seal(&purpose(id, seq), &self.buffer);
        self.buffer.clear();
        self.chunks += 1;
        let chunk = UploadChunk { upload_id: id, attempt: self.attempt, seq, sealed };
        let append = Write::AppendUploadChunk { chunk: Box::new(chunk), at: self.app.now() };
        self.app.commit(vec![append]).await.map_err(lost)
    }
}

/// Whoever else has begun meanwhile, or deleted it, goes first.
fn lost(error: StoreError) -> UploadRefused {
    match error {
        StoreError::Conflict => UploadRefused::Busy,
        error => error.into(),
    }
}
