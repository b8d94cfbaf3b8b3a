//! Files that devices upload: one URL with a secret for one upload.

use time::OffsetDateTime;

use super::Id;
use super::device::Device;
use super::enrollment::Enrollment;

/// What a device was asked to upload, and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Identifier; the same as that of the action that asked for it.
    pub id: Id<Self>,
    /// The hardware.
    pub device_id: Id<Device>,
    /// Whose.
    pub enrollment_id: Id<Enrollment>,
    /// SHA-256 of the secret in the URL.
    pub secret_hash: [u8; 32],
    /// When the URL was made.
    pub created_at: OffsetDateTime,
    /// Until when the URL takes an upload.
    pub expires_at: OffsetDateTime,
    /// Who is sending now.
    pub attempt: Option<Id<UploadAttempt>>,
    /// When that one sent last.
    pub attempt_at: Option<OffsetDateTime>,
    /// What came, once all of it is there; the URL takes nothing more then.
    pub received: Option<Received>,
}

/// A file that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When.
    pub at: OffsetDateTime,
    /// Its size.
    pub bytes: u64,
    /// How many rows it has.
    pub chunks: u32,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// One try to send a file.
#[derive(Clone, Copy, Debug)]
pub struct UploadAttempt;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadChunk {
    /// Of which upload.
    pub upload_id: Id<Upload>,
    /// By which try it came.
    pub attempt: Id<UploadAttempt>,
    /// Its place, from 0.
    pub seq: u32,
    /// The bytes, sealed.
    pub sealed: Vec<u8>,
}
