//! Large objects: values that are too large for one message, kept in parts of their own (management reference 2.6).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Id;
use super::command::QueuedCommand;
use super::enrollment::Enrollment;

/// A value in parts. While it is on its way from the device it belongs to a session and is gone with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeObject {
    /// Identifier.
    pub id: Id<Self>,
    /// Of whose device.
    pub enrollment_id: Id<Enrollment>,
    /// The command that it is a value of.
    pub command_id: Option<Id<QueuedCommand>>,
    /// Its length in bytes; as announced while it is on its way.
    pub bytes: u64,
    /// Whether all of it is there.
    pub is_whole: bool,
    /// When its first part came.
    pub at: OffsetDateTime,
}

/// A piece of a large object, in the order in which they came.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectPart {
    /// Of which object.
    pub object_id: Id<LargeObject>,
    /// Number, from 0.
    pub seq: u32,
    /// Bytes of the object before it.
    pub start: u64,
    /// The text.
    pub text: String,
}

/// Shows no value: it can be a secret.
impl std::fmt::Debug for ObjectPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "part {} of {}, {} bytes", self.seq, self.object_id, self.text.len())
    }
}

/// Where a value is that is too large to stand in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The object.
    pub id: Id<LargeObject>,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A value for the device that is too large to stand in its command: the one Item of the one command of a unit has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeValue {
    /// Where it is.
    pub object: ObjectRef,
    /// SHA-256 of it, in hex: whether a repeated request asks for the same.
    pub sha256: String,
}

/// How much of large objects is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLimits {
    /// Bytes of one object.
    pub bytes: u64,
    /// Parts of one object.
    pub parts: u32,
}

/// Values up to this many bytes stand in their place whether they came in chunks or not.
pub const INLINE: u64 = 256 * 1024;
