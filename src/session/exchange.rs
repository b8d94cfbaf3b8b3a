//! What goes into one step of the engine, and what comes out of it.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::arrival::ObjectChange;
use super::auth::Proven;
use super::classify::{Incoming, Rejection};
use super::conversation::{Conversation, Opening, SessionState};
use super::provisioned::Wanted;
use super::push::PushReport;
use super::sending::{Supply, Want};
use super::status_page::PageRules;
use crate::domain::Id;
use crate::domain::command::{Knowledge, Look, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::domain::entra::TokenEvidence;
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::object::{LargeObject, ObjectLimits};
use crate::domain::push::Registration;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Command, LocUri, Message};

/// Everything that one step needs.
#[derive(Clone, Debug)]
pub struct Input {
    /// Now.
    pub now: OffsetDateTime,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// What the message is.
    pub incoming: Incoming,
    /// The message.
    pub message: Message,
    /// Id for a session, should one be opened.
    pub new_session: Id<SessionRecord>,
    /// Id for a large object, should one begin.
    pub new_object: Id<LargeObject>,
    /// Bytes of large objects for which there is still room.
    pub room: u64,
    /// What came before of a large object that may end in this message, if it is small.
    pub arrived: String,
    /// What earlier tries of this step said that they want.
    pub supplies: Vec<Supply>,
    /// What the request told, should it open one.
    pub opening: Opening,
    /// What proves the device.
    pub proven: Proven,
    /// What the Entra tokens are worth that came with the request.
    pub tokens: TokenEvidence,
    /// The enrollment.
    pub enrollment: Enrollment,
    /// Its sessions.
    pub conversation: Conversation,
    /// Its registration for push, should the message open a session.
    pub registration: Registration,
    /// Its commands: all that were offered and can still be answered, and the head of the queue.
    pub commands: Vec<QueuedCommand>,
    /// Limits and fixed values.
    pub limits: Limits,
}

impl Input {
    /// About so many bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        let of_items = |command: &Command| command.items.iter().map(|item| 256 + item.text().len()).sum::<usize>();
        let of_each = |commands: &[Command]| {
            commands.iter().flat_map(Command::walk).map(|command| 256 + of_items(command)).sum::<usize>()
        };
        let of_answers = |command: &QueuedCommand| {
            command.items.iter().map(|item| 256 + item.data.as_ref().map_or(0, String::len)).sum::<usize>()
        };
        let of_queued =
            |command: &QueuedCommand| 1024 + of_each(&command.body) + of_each(&command.rest) + of_answers(command);
        4096 + self.arrived.len()
            + self.supplies.iter().map(|supply| supply.text.len()).sum::<usize>()
            + self.commands.iter().map(of_queued).sum::<usize>()
    }
}

/// Limits and fixed values of the installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Our management URL, exactly as provisioned.
    pub management_url: String,
    /// OMA-DM provider id.
    pub provider_id: String,
    /// Most bytes of commands in one answer.
    pub reply_bytes: usize,
    /// Most commands in one answer.
    pub reply_commands: usize,
    /// Whether a message without Final is answered with Alert 1222 and without Final.
    pub next_message: bool,
    /// By how much the time of a signature may differ from ours; `None`: it does not matter.
    pub signing_window: Option<Duration>,
    /// The enrollment status page, where it is wanted.
    pub status_page: Option<PageRules>,
    /// What is known of nodes.
    #[serde(skip, default = "embedded")]
    pub look: Look,
    /// The package family name for which devices register for push, where push is set up.
    pub push: Option<String>,
    /// How much of large objects is taken.
    pub objects: ObjectLimits,
    /// Whether declared configuration is read.
    #[serde(default)]
    pub declared_configuration: bool,
    /// What the device is to have of its provisioning document from now on; looked at when a session begins.
    #[serde(default)]
    pub wanted: Wanted,
}

/// What a build knows of nodes belongs to the build, not to what is kept of a step.
fn embedded() -> Look {
    Knowledge::embedded
}

/// What one step brought.
#[derive(Clone, Debug)]
pub struct Output {
    /// What to answer.
    pub answer: Answer,
    /// The enrollment, changed or not.
    pub enrollment: Enrollment,
    /// Its sessions.
    pub conversation: Conversation,
    /// The session that the message belongs to, if any, and the one that it superseded.
    pub sessions: Vec<SessionState>,
    /// Commands that changed.
    pub commands: Vec<QueuedCommand>,
    /// What changes about large objects, in order.
    pub objects: Vec<ObjectChange>,
    /// What the step cannot go on without: nothing of it counts, it is tried again with that.
    pub want: Option<Want>,
    /// What is worth telling.
    pub notices: Vec<Notice>,
    /// What the device gave out for the next credential of ours, decoded.
    pub next_nonce: Option<Vec<u8>>,
}

/// What to answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A message.
    Reply(Box<Message>),
    /// HTTP 400.
    Refuse(Rejection),
}

/// An Item of an alert, as it came; names are cut where they are long.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertNotice {
    /// Code.
    pub code: u16,
    /// Type.
    pub kind: String,
    /// Source node.
    pub source: Option<String>,
    /// Every node that it names, whole: they tell whether its payload may be shown.
    pub nodes: Vec<LocUri>,
    /// Severity.
    pub mark: Option<String>,
    /// Format of the payload.
    pub format: Option<String>,
    /// Payload.
    pub data: String,
}

/// Something that the engine saw; `app` turns it into events, audit rows and log lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A session began.
    SessionOpened,
    /// An alert that is not about the session itself.
    Alert(AlertNotice),
    /// The device told something about itself.
    Inventory(Vec<InventoryItem>),
    /// The device told something about push.
    Push(PushReport),
    /// The device does not have a node that an action needed.
    Missing(MissingNode),
    /// Another Source than last time, unknown to us.
    SourceChanged {
        /// Last time.
        from: Option<String>,
    },
    /// The device left.
    Left {
        /// Whether it was asked to.
        asked: bool,
    },
    /// The device was never approved, was asked to leave and did not: its enrollment is closed.
    CutOff {
        /// Why, in words.
        reason: String,
    },
    /// The enrollment status page was held, released or made to fail.
    StatusPage {
        /// The type of the event.
        event: &'static str,
        /// Why, in words.
        reason: Option<String>,
    },
    /// Something that cannot be undone was offered once more.
    OfferedAgain {
        /// Which action.
        action: &'static str,
        /// Its id.
        id: Id<QueuedCommand>,
        /// Offers so far.
        offers: u32,
    },
    /// An Atomic failed and could not be rolled back: the device is in a mixed state.
    NeedsReapply {
        /// The command that held it.
        id: Id<QueuedCommand>,
    },
    /// A message was refused, and its session closed.
    Refused(Rejection),
    /// The device answered to a part of its provisioning document that was set anew.
    Provisioned {
        /// Which.
        part: &'static str,
        /// What it answered, if it did not take it.
        refused: Option<u16>,
    },
    /// Something odd, in words.
    Remark(String),
}
