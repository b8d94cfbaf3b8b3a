//! What is loaded for a message: in one go what nearly every message needs, and commands only where there may be some.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::leaves;
use crate::app::behind::Moment;
use crate::app::ports::{CommandFilter, Known, Page, StoreError, StoredConversation};
use crate::app::{App, Error};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::proto::syncml::{Element, Message};
use crate::session::Conversation;

/// Commands that are loaded for one message beside those that were offered.
const PAGE: u32 = 128;
/// Open commands that are cancelled with the device's last message; the sweep takes the rest.
const MOST_CANCELLED: u32 = 1000;
/// How long what was loaded counts where other processes work on the same database.
const RECENT: Duration = Duration::from_millis(50);

/// What the database held of an enrollment, and when that was.
pub(in crate::app) struct Loaded {
    pub(in crate::app) known: Known,
    /// The moment before it was asked.
    pub(in crate::app) moment: Moment,
}

/// Rows of devices are in no log.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("enrollment_id", &self.known.enrollment.id).finish_non_exhaustive()
    }
}

impl Loaded {
    /// The stored revision of the conversation.
    pub(super) fn revision(&self) -> Option<i64> {
        self.known.conversation.as_ref().map(|stored| stored.revision)
    }
}

impl App {
    /// Loads what is known of an enrollment.
    pub(super) async fn load_known(&self, id: Id<Enrollment>) -> Result<Option<Loaded>, StoreError> {
        let moment = self.memory.behind.moment();
        Ok(self.store.known(id).await?.map(|known| Loaded { known, moment }))
    }

    /// The sessions of an enrollment and the stored revision of them, for others than its device: what waits is written first.
    pub(in crate::app) async fn load_conversation(
        &self,
        id: Id<Enrollment>,
    ) -> Result<(Conversation, Option<i64>), StoreError> {
        self.catch_up().await;
        let stored = self.store.conversation(id).await?;
        let revision = stored.as_ref().map(|stored| stored.revision);
        Ok((read_conversation(id, stored.as_ref())?, revision))
    }

    /// Whether what was loaded when the request came is as it was: its body may have taken long to come. Of what other processes
    /// did nothing is known here: where there are others, it counts only as long as a message takes anyway.
    pub(super) fn is_fresh(&self, loaded: &Loaded) -> bool {
        let is_recent = || loaded.moment.age() < RECENT;
        (!self.store.is_shared() || is_recent())
            && self.memory.behind.is_same_since(loaded.moment, loaded.known.enrollment.id)
    }

    /// The enrollment and its sessions with what is remembered beside the database.
    pub(super) fn as_of_now(&self, loaded: &Loaded) -> Result<(Enrollment, Conversation), StoreError> {
        let mut enrollment = loaded.known.enrollment.clone();
        let Some((conversation, seen)) = self.memory.behind.remembered(enrollment.id, loaded.revision()) else {
            let stored = loaded.known.conversation.as_ref();
            let conversation = read_conversation(enrollment.id, stored)?;
            return Ok((enrollment, conversation));
        };
        enrollment.last_seen_at = enrollment.last_seen_at.max(Some(seen));
        Ok((enrollment, Arc::unwrap_or_clone(conversation)))
    }

    /// What can be answered, and what could be sent next.
    pub(super) async fn load_commands(
        &self,
        enrollment: &Enrollment,
        conversation: &Conversation,
        message: &Message,
    ) -> Result<Vec<QueuedCommand>, Error> {
        let session = conversation.current.as_ref().map(|session| (session.id, session.our_msg_id.saturating_sub(1)));
        let mut commands: BTreeMap<_, _> = BTreeMap::new();
        let mut keep = |command: QueuedCommand| commands.insert(command.id, command);
        for command in self.store.offered_commands(enrollment.id, session).await? {
            keep(command);
        }
        let open = if leaves(message) {
            self.store.open_commands(enrollment.id, MOST_CANCELLED).await?
        } else {
            self.store.sendable_commands(enrollment.id, self.now(), PAGE).await?
        };
        for command in open {
            keep(command);
        }
        if let Some(retire) = conversation.retire {
            self.store.command(retire).await?.map(&mut keep);
        }
        if enrollment.state == EnrollmentState::Wiping {
            let filter = CommandFilter {
                device: Some(enrollment.device_id),
                raw: Some(false),
                state: Some(CommandState::Succeeded),
            };
            let done = self.store.commands(&filter, &Page { limit: 100, after: None }).await?;
            let wipes = done.items.into_iter().filter(|command| {
                command.enrollment_id == enrollment.id && matches!(command.action, Action::Wipe { .. })
            });
            wipes.for_each(|command| {
                keep(command);
            });
        }
        Ok(commands.into_values().collect())
    }
}

fn read_conversation(id: Id<Enrollment>, stored: Option<&StoredConversation>) -> Result<Conversation, StoreError> {
    let Some(stored) = stored else { return Ok(Conversation::default()) };
    serde_json::from_str(&stored.state)
        .map_err(|error| StoreError::Internal(format!("conversations.state of {id}: {error}")))
}

/// Whether a message may have to do with commands: there are some to send or to be answered, or it answers something.
pub(super) fn may_concern_commands(
    loaded: &Loaded,
    conversation: &Conversation,
    enrollment: &Enrollment,
    message: &Message,
) -> bool {
    let answers = |element: &Element| match element {
        Element::Status(status) => status.cmd_ref != "0",
        Element::Results(_) => true,
        Element::Alert(_) | Element::Command(_) | Element::Unknown { .. } => false,
    };
    loaded.known.has_work
        || conversation.retire.is_some()
        || conversation.open().is_some_and(|session| session.arrival.is_some() || session.sending.is_some())
        || enrollment.state != EnrollmentState::Active
        || message.body.iter().any(answers)
}
