//! Commands in the queue of an enrollment: durable, numbered, delivered at least once, decided by the device's word.
//!
//! Management reference 1.9 (references), 1.15 (queue), 1.18 (names of states).

mod answers;
mod delivery;
mod follow;
mod item;
mod mend;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Id;
use super::action::{Action, Conclusion, DeviceAlert, Ending, Heard, Order, Placing};
use super::device::Device;
use super::enrollment::Enrollment;
use super::object::LargeValue;
use super::session_record::SessionRecord;
use crate::proto::syncml::Command;

pub use answers::ObjectValue;
pub use follow::Followed;
pub use item::{ItemState, Ways, is_spoken_for};
pub use mend::{Knowledge, Look};

/// One unit of the queue: an action, or the commands of an administrator. Its top-level commands travel together as far as
/// one message and the user's absence let them; none of a later step goes out before each of them has its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedCommand {
    /// Identifier.
    pub id: Id<Self>,
    /// Whose queue.
    pub enrollment_id: Id<Enrollment>,
    /// The hardware.
    pub device_id: Id<Device>,
    /// What it is for.
    pub action: Action,
    /// Where it stands.
    pub state: CommandState,
    /// In words, for people.
    pub detail: String,
    /// The OMA-DM status that decided.
    pub status: Option<u16>,
    /// The HRESULT beside it.
    pub hresult: Option<String>,
    /// Place in the queue.
    pub placing: Placing,
    /// The commands of the current step, numbered.
    #[serde(with = "fragment")]
    pub body: Vec<Command>,
    /// Commands of an administrator that one message cannot take; they follow step by step.
    #[serde(with = "fragment")]
    pub rest: Vec<Command>,
    /// What the device said to each Item of each step, oldest step first.
    pub items: Vec<ItemState>,
    /// Step of the action, from 0.
    pub step: u32,
    /// How often the current step was put into a message.
    pub offers: u32,
    /// How often it went back to the queue because the device asked for it or answered without it.
    pub retries: u32,
    /// Where it was put last.
    pub last_offer: Option<Offer>,
    /// Not before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub not_before: Option<OffsetDateTime>,
    /// Not after.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it reached a final state.
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    /// Who asked.
    pub created_by: String,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    /// Whether a secret that it brought was shown already.
    pub revealed: bool,
    /// The value of its one Item, where that is too large to stand in the body.
    pub large_value: Option<LargeValue>,
    /// Set once the device accepted it and works on its own: the current step asks how far it is.
    pub followed: Option<Followed>,
}

/// The message that carried a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The session.
    pub session: Id<SessionRecord>,
    /// Our MsgID.
    pub msg_id: u64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Commands as the XML of a fragment.
mod fragment {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::proto::syncml::{Command, decode_fragment, encode_fragment};
    use crate::proto::xml::Limits;

    pub(super) fn serialize<S: Serializer>(commands: &[Command], serializer: S) -> Result<S::Ok, S::Error> {
        String::from_utf8_lossy(&encode_fragment(commands)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Command>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Vec::new());
        }
        decode_fragment(text.as_bytes(), &Limits { depth: 128, events: usize::MAX, ..Limits::default() })
            .map_err(D::Error::custom)
    }
}

/// Where a command stands; the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// Waits for the device.
    Queued,
    /// Handed to the device, no answer yet.
    Sent,
    /// The device says that it is done.
    Succeeded,
    /// The device refused, or did not do it.
    Failed,
    /// The device cannot do it.
    Unsupported,
    /// The device did not come in time.
    Expired,
    /// Withdrawn before delivery.
    Cancelled,
    /// Handed to the device, no answer: it may have happened.
    Unknown,
}

impl CommandState {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sent,
        Self::Succeeded,
        Self::Failed,
        Self::Unsupported,
        Self::Expired,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unsupported => "unsupported",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether something can still happen to the command.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sent | Self::Unknown)
    }
}

impl QueuedCommand {
    /// A command that waits, without anything to send yet; `owner` is the enrollment and its hardware.
    #[must_use]
    pub fn new(
        id: Id<Self>,
        owner: (Id<Enrollment>, Id<Device>),
        action: Action,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            enrollment_id: owner.0,
            device_id: owner.1,
            placing: action.placing(&[]),
            action,
            state: CommandState::Queued,
            detail: "waits for the next contact of the device".to_owned(),
            status: None,
            hresult: None,
            body: Vec::new(),
            rest: Vec::new(),
            items: Vec::new(),
            step: 0,
            offers: 0,
            retries: 0,
            last_offer: None,
            not_before: None,
            expires_at,
            created_at,
            finished_at: None,
            created_by: String::new(),
            reason: None,
            revealed: false,
            followed: None,
            large_value: None,
        }
    }

    /// Takes the commands of the next step: numbers them, and awaits an answer to each Item.
    pub fn begin_step(&mut self, step: u32, mut commands: Vec<Command>) {
        number(&mut commands, &format!("{}-{step}", self.id.short()));
        self.items.extend(commands.iter().flat_map(|command| ItemState::of(command, step)));
        self.step = step;
        self.placing = self.action.placing(&commands);
        self.body = commands;
        self.offers = 0;
        self.retries = 0;
    }

    /// Takes the commands of an administrator: as many as `fits` allows now, the rest in later steps. At least one.
    pub fn begin_portion(&mut self, step: u32, mut commands: Vec<Command>, fits: impl Fn(&[Command]) -> bool) {
        let mut count = 1;
        while count < commands.len() && fits(&commands[..=count]) {
            count += 1;
        }
        self.rest = commands.split_off(count.min(commands.len()));
        self.begin_step(step, commands);
    }

    /// What the answers to the current step mean.
    #[must_use]
    pub fn conclude(&self, provider_id: &str, enrollment: &Enrollment) -> Conclusion {
        self.action.conclude(&self.order(provider_id, enrollment), &self.current_items())
    }

    /// What an alert means for it.
    #[must_use]
    pub fn hear(&self, provider_id: &str, enrollment: &Enrollment, alert: &DeviceAlert<'_>) -> Option<Heard> {
        self.action.hear(&self.order(provider_id, enrollment), alert)
    }

    /// What the answers to all steps together mean.
    #[must_use]
    pub fn conclude_whole(&self, provider_id: &str, enrollment: &Enrollment) -> Conclusion {
        self.action.conclude(&self.order(provider_id, enrollment), &self.all_items())
    }

    /// What the answers to all steps brought, as it is shown.
    #[must_use]
    pub fn result(&self, provider_id: &str, enrollment: &Enrollment) -> Option<serde_json::Value> {
        self.action.result(&self.order(provider_id, enrollment), &self.all_items())
    }

    /// The order that it carries out, at its current step.
    fn order<'a>(&self, provider_id: &'a str, enrollment: &'a Enrollment) -> Order<'a> {
        Order { step: self.step, ..Order::new(self.id, provider_id, enrollment) }
    }

    /// Ends it.
    pub fn finish(&mut self, ending: Ending, now: OffsetDateTime) {
        self.state = ending.state;
        self.status = ending.status;
        self.hresult = ending.hresult;
        self.detail = ending.detail;
        self.finished_at = Some(now);
        // What is over needs its secrets no more.
        if !self.state.is_open() && self.action.has_secrets() {
            self.action.forget_secrets();
            self.body.clear();
        }
    }

    /// Ends it for a reason of ours, without a status.
    pub fn end(&mut self, state: CommandState, detail: &str, now: OffsetDateTime) {
        self.finish(Ending { state, status: self.status, hresult: None, detail: detail.to_owned() }, now);
    }
}

/// Gives every command of a step its CmdID: durable, so that a late Status is matched after a restart, and unique
/// for the enrollment, because it is made of the queue's own id.
fn number(commands: &mut [Command], prefix: &str) {
    let single = commands.len() == 1;
    for (index, command) in commands.iter_mut().enumerate() {
        command.cmd_id = if single { prefix.to_owned() } else { format!("{prefix}.{}", index + 1) };
        let id = command.cmd_id.clone();
        for (inner, child) in command.children.iter_mut().enumerate() {
            number(std::slice::from_mut(child), &format!("{id}.{}", inner + 1));
        }
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
