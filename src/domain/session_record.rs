//! Sessions as records: what `muster session list` shows, and the redacted transcript.

use time::OffsetDateTime;

use super::Id;
use super::device::Device;
use super::enrollment::Enrollment;
use super::entra::TokenEvidence;
use super::proof::Proof;
use crate::proto::syncml::Encoding;

/// One management session of one enrollment.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// Identifier.
    pub id: Id<Self>,
    /// Whose.
    pub enrollment_id: Id<Enrollment>,
    /// The hardware.
    pub device_id: Id<Device>,
    /// `SessionID` as sent.
    pub wire_id: String,
    /// First message.
    pub opened_at: OffsetDateTime,
    /// Last message.
    pub last_at: OffsetDateTime,
    /// When it was closed.
    pub closed_at: Option<OffsetDateTime>,
    /// `open`, `completed`, `aborted`, `superseded`, `timed_out` or `unenrolled`.
    pub state: String,
    /// Messages of the device so far.
    pub messages: u32,
    /// `user`, `others` or `none`, as the login alert said.
    pub login: String,
    /// `user` or `system` by the `mode` of the query, where it was sent.
    pub mode: Option<String>,
    /// Correlation vector of the first request (`MS-CV`).
    pub correlation: Option<String>,
    /// `client-request-id` of the first request.
    pub client_request_id: Option<String>,
    /// What was odd, in words; one line each.
    pub remarks: Vec<String>,
    /// What proved the device when it began.
    pub proofs: Vec<Proof>,
    /// What the Entra tokens that came with it are worth.
    pub tokens: TokenEvidence,
}

/// A message of a device and what it was answered, as a transcript keeps them.
#[derive(Clone, Debug)]
pub struct TranscriptExchange {
    /// Whose.
    pub session_id: Id<SessionRecord>,
    /// Messages of the device before it in the session.
    pub number: u32,
    /// When.
    pub at: OffsetDateTime,
    /// The form in which they were on the wire.
    pub encoding: Encoding,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Both messages and what the engine was given, redacted, compressed with zstd.
    pub body: Vec<u8>,
}

/// What stands in a transcript in place of bytes that are no message.
#[must_use]
pub fn unreadable(bytes: usize) -> String {
    format!("{UNREADABLE}{bytes} bytes]")
}

/// What stands in a transcript in place of a message that came again.
#[must_use]
pub fn repeated(bytes: usize) -> String {
    format!("{REPEATED}{bytes} bytes]")
}

/// What stands in a transcript in place of an answer that was given again.
#[must_use]
pub fn answered_again(bytes: usize) -> String {
    format!("{ANSWERED_AGAIN}{bytes} bytes]")
}

/// What stands at the end of a message that is longer than what is kept of one.
#[must_use]
pub fn cut_here(missing: usize) -> String {
    format!("{CUT_HERE}the message goes on for {missing} bytes]")
}

/// How [`unreadable`] begins.
pub const UNREADABLE: &str = "[unreadable, ";
/// How [`repeated`] begins.
pub const REPEATED: &str = "[the same message again, ";
/// How [`answered_again`] begins.
pub const ANSWERED_AGAIN: &str = "[the stored answer again, ";
/// How [`cut_here`] begins.
pub const CUT_HERE: &str = "\n[cut here: ";

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The device.
    Device,
    /// This server.
    Server,
}

impl Direction {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Server => "server",
        }
    }
}

/// The byte-exact answer that is kept for a retransmission (management reference 1.14), sealed.
#[derive(Clone, Debug)]
pub struct StoredAnswer {
    /// Session it was given in.
    pub session_id: Id<SessionRecord>,
    /// Whose.
    pub enrollment_id: Id<Enrollment>,
    /// MsgID of the message it answers.
    pub msg_id: u64,
    /// SHA-256 of that message's body.
    pub digest: [u8; 32],
    /// When it was given.
    pub at: OffsetDateTime,
    /// The answer, sealed.
    pub sealed: Vec<u8>,
}
