//! The flight recorder: feeds a recorded or captured session to this build, message by message, and finds what differs
//! from what was answered then.
//!
//! A recording of ours holds what the engine was given with each message, so each message runs from there by itself, and the
//! whole answer is compared, element by element and in order. A captured session of another server holds messages only: it
//! runs through the engine from its first message to its last, and what the protocol determines is compared.
//!
//! Nothing here reads files or clocks; the engine is an argument, so that a test can hand in a changed one.

mod captured;
mod captures;
mod compare;
mod fillers;
mod recording;
mod report;
mod rules;

use std::panic::{AssertUnwindSafe, catch_unwind};

use time::OffsetDateTime;

pub use report::{Difference, Kind, Outcome, Replayed, Report};

use crate::proto::syncml::{Encoding, Message};
use crate::proto::xml::{Limits, XmlError, decode_text};
use crate::session::{Conversation, Incoming, Input, Output, classify, respond};

/// Most bytes of a file that is replayed.
pub const LARGEST: usize = 64 * 1024 * 1024;

/// A function like [`classify`].
pub type Classify = dyn Fn(&Conversation, &Message, &[u8; 32], bool, OffsetDateTime) -> Incoming;

/// What answers messages.
#[derive(Clone, Copy)]
pub struct Engine<'e> {
    /// Says what a message is, as [`classify`] does.
    pub classify: &'e Classify,
    /// Answers it, as [`respond`] does.
    pub respond: &'e dyn Fn(&Input) -> Output,
}

impl Engine<'static> {
    /// The engine that the server of this build uses.
    pub const THIS_BUILD: Self = Self { classify: &classify, respond: &respond };
}

impl Engine<'_> {
    /// Its answer; `None` where it breaks off with a panic, which is a finding and no end of the replay.
    fn answer(&self, input: &Input) -> Option<Output> {
        catch_unwind(AssertUnwindSafe(|| (self.respond)(input))).ok()
    }
}

/// What is said of an engine that broke off.
const BROKE_OFF: &str = "the engine broke off";

/// Why a file cannot be replayed, and where.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// More bytes than are read.
    #[error("more than {} MiB, the most that is read", LARGEST / 1024 / 1024)]
    TooLarge,
    /// Not text of any encoding that is read.
    #[error(transparent)]
    Text(XmlError),
    /// Not a session document.
    #[error("not a session as `muster session show ID --json` prints it: {place}: {error}")]
    Json {
        /// The field.
        place: String,
        /// What is wrong there, with line and column.
        error: serde_json::Error,
    },
    /// A message that is none.
    #[error("{place}: {what}")]
    Message {
        /// Which, and where it stands.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// No message of a device.
    #[error("it holds no message of a device")]
    Empty,
    /// More messages than are read.
    #[error("more than {MOST_MESSAGES} messages")]
    TooMany,
}

/// Replays a session.
///
/// # Errors
///
/// [`Unreadable`], where the bytes are no session.
pub fn replay(bytes: &[u8], engine: &Engine<'_>) -> Result<Report, Unreadable> {
    if bytes.len() > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    if Encoding::of(bytes) == Encoding::Wbxml && !bytes.is_empty() {
        return captured::run(&[captures::binary(bytes)?], engine);
    }
    let text = decode_text(bytes).map_err(Unreadable::Text)?;
    if text.trim_start().starts_with(['{', '[']) {
        recording::run(&text, engine)
    } else {
        captured::run(&captures::read(&text)?, engine)
    }
}

/// Most messages of one file.
const MOST_MESSAGES: usize = 20_000;

/// How much XML one message may be: as much as the largest that a server of ours answers.
const XML: Limits = Limits { depth: 128, attributes: 64, events: 1_000_000 };
