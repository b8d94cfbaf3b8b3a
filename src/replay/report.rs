//! What a replay found.

use serde::Serialize;
use time::OffsetDateTime;

/// What a replay found, message by message.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was replayed.
    pub kind: Kind,
    /// Its messages of the device, in order.
    pub messages: Vec<Replayed>,
}

/// What was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A recording of ours: the whole answer counts.
    Recording,
    /// A captured session of another server: what the protocol determines counts.
    Capture,
}

/// What became of one message of the device.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// Its number in the file, from 1.
    pub number: usize,
    /// `SessionID`, where it could be read.
    pub session_id: Option<String>,
    /// `MsgID`, where it could be read.
    pub msg_id: Option<u64>,
    /// When it came, where that is known.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// The line of the file in which it begins, of a capture.
    pub line: Option<usize>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Answered as then.
    Same,
    /// Answered in another way.
    Different {
        /// The first hundred of what differs.
        differences: Vec<Difference>,
    },
    /// It cannot be compared.
    NotCompared {
        /// Why, in words.
        reason: String,
    },
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The element, from the root of the answer: `SyncBody/Status[2]/Data`; or, in brackets, what else it is.
    pub path: String,
    /// What was answered then; nothing where there was no such element.
    pub recorded: Option<String>,
    /// What this build answers; nothing where there is no such element.
    pub now: Option<String>,
}

impl Outcome {
    /// That, if there is any.
    pub(super) fn of(differences: Vec<Difference>) -> Self {
        if differences.is_empty() { Self::Same } else { Self::Different { differences } }
    }

    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self::NotCompared { reason: reason.into() }
    }
}

impl Difference {
    pub(super) fn new(path: &str, recorded: impl Into<String>, now: impl Into<String>) -> Self {
        Self { path: path.to_owned(), recorded: Some(recorded.into()), now: Some(now.into()) }
    }
}

impl Report {
    /// Messages that were compared.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.messages.iter().filter(|message| !matches!(message.outcome, Outcome::NotCompared { .. })).count()
    }

    /// Everything that differs, with the number of its message.
    pub fn differences(&self) -> impl Iterator<Item = (usize, &Difference)> {
        self.messages.iter().flat_map(|message| {
            let found = match &message.outcome {
                Outcome::Different { differences } => differences.as_slice(),
                Outcome::Same | Outcome::NotCompared { .. } => &[],
            };
            found.iter().map(move |difference| (message.number, difference))
        })
    }
}
