//! Commands in the queue of an enrollment: durable, numbered, delivered at least once, decided by the device's word.
//!
//! Management reference 1.9 (references), 1.15 (queue), 1.18 (names of states).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Id;
use super::action::{Action, Conclusion, DeviceAlert, Ending, Heard, Order, Placing, Question, Repeat};
use super::device::Device;
use super::enrollment::Enrollment;
use super::session_record::SessionRecord;
use crate::proto::syncml::{Command, LocUri, Status, StatusCode, Verb, Verdict, node_key, same_node, verdict};

/// One unit of the queue: an action, or the commands of an administrator. All of its top-level commands travel in one message.
#[derive(Clone, Debug)]
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
    pub body: Vec<Command>,
    /// Commands of an administrator that one message cannot take; they follow step by step.
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
    pub not_before: Option<OffsetDateTime>,
    /// Not after.
    pub expires_at: OffsetDateTime,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it reached a final state.
    pub finished_at: Option<OffsetDateTime>,
    /// Who asked.
    pub created_by: String,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    /// Whether a secret that it brought was shown already.
    pub revealed: bool,
    /// Set once the device accepted it and works on its own: the current step asks how far it is.
    pub followed: Option<Followed>,
}

/// An action that the device accepted and that has not told yet how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// When the device accepted it.
    pub since: OffsetDateTime,
    /// How often it was put off to ask.
    pub questions: u32,
}

/// The message that carried a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The session.
    pub session: Id<SessionRecord>,
    /// Our MsgID.
    pub msg_id: u64,
    /// When.
    pub at: OffsetDateTime,
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

/// What the device said to one Item of one command.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemState {
    /// Step of the action.
    pub step: u32,
    /// `CmdID` on the wire.
    pub cmd_id: String,
    /// Verb.
    pub cmd: String,
    /// The node; `None` for containers.
    pub loc_uri: Option<String>,
    /// First final status.
    pub status: Option<u16>,
    /// HRESULT beside it, as written.
    pub hresult: Option<String>,
    /// What a Get brought.
    pub data: Option<String>,
    /// Its format.
    pub format: Option<String>,
    /// Whether it was sent before without an answer: what exists already may be its own work.
    #[serde(default)]
    pub again: bool,
    /// Whether the device once answered a message without a Status for it; that is forgiven once.
    #[serde(default)]
    pub missed: bool,
}

impl std::fmt::Debug for ItemState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.cmd, self.cmd_id, self.loc_uri, self.status)
    }
}

impl ItemState {
    /// The verb; one we stored ourselves.
    #[must_use]
    pub fn verb(&self) -> Verb {
        Verb::from_name(&self.cmd).unwrap_or(Verb::Exec)
    }

    /// The node.
    #[must_use]
    pub fn uri(&self) -> Option<LocUri> {
        self.loc_uri.as_deref().map(LocUri::received)
    }

    /// Whether it is about that node.
    #[must_use]
    pub fn is_for(&self, uri: &LocUri) -> bool {
        self.loc_uri.as_deref().is_some_and(|own| same_node(own, uri.as_str()))
    }

    /// An Add that finds its node there already, after it was sent before without an answer.
    #[must_use]
    pub fn is_own_work(&self) -> bool {
        self.again && self.status == Some(418) && self.verb() == Verb::Add
    }

    /// Whether it lies in that Atomic or Sequence, at any depth.
    #[must_use]
    pub fn is_inside(&self, container: &Self) -> bool {
        container.is_container()
            && self.cmd_id.strip_prefix(&container.cmd_id).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Whether it failed, or asks for another try.
    fn is_bad(&self) -> bool {
        self.status.is_some_and(|code| code >= 300 && verdict(self.verb(), StatusCode(code)) != Verdict::Done)
    }

    /// Whether it stands for an Atomic or Sequence itself.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.verb().is_container()
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
        }
    }

    /// Takes the commands of the next step: numbers them, and awaits an answer to each Item.
    pub fn begin_step(&mut self, step: u32, mut commands: Vec<Command>) {
        number(&mut commands, &format!("{}-{step}", self.id.short()));
        for command in commands.iter().flat_map(Command::walk) {
            let fresh = |loc_uri: Option<String>| ItemState {
                step,
                cmd_id: command.cmd_id.clone(),
                cmd: command.verb.name().to_owned(),
                loc_uri,
                status: None,
                hresult: None,
                data: None,
                format: None,
                again: false,
                missed: false,
            };
            if command.verb.is_container() {
                self.items.push(fresh(None));
            }
            let uris = command.items.iter().map(|item| item.target.as_ref().map(|uri| uri.as_str().to_owned()));
            self.items.extend(uris.map(fresh));
        }
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

    /// The answers to the current step.
    #[must_use]
    pub fn current_items(&self) -> &[ItemState] {
        let start = self.items.partition_point(|item| item.step < self.step);
        &self.items[start..]
    }

    fn current_items_mut(&mut self) -> &mut [ItemState] {
        let start = self.items.partition_point(|item| item.step < self.step);
        &mut self.items[start..]
    }

    /// Whether `cmd_ref` names one of its commands.
    #[must_use]
    pub fn owns(&self, cmd_ref: &str) -> bool {
        self.items.iter().any(|item| item.cmd_id == cmd_ref)
    }

    /// Takes a Status; the first final one of an Item counts. Returns whether anything changed.
    pub fn take_status(&mut self, status: &Status) -> bool {
        let refs: HashSet<String> =
            status.target_refs.iter().chain(&status.source_refs).map(|text| node_key(text)).collect();
        let mut changed = false;
        for item in self.current_items_mut().iter_mut().filter(|item| item.cmd_id == status.cmd_ref) {
            let named = || item.loc_uri.as_deref().is_some_and(|uri| refs.contains(&node_key(uri)));
            let meant = refs.is_empty() || item.is_container() || named();
            let waits = verdict(item.verb(), status.code) == Verdict::Wait;
            if meant && !waits && item.status.is_none() {
                item.status = Some(status.code.0);
                item.hresult =
                    status.original_error.as_deref().map(|text| text.chars().take(LONGEST_HRESULT).collect());
                changed = true;
            }
        }
        changed
    }

    /// Takes what a Get or Exec brought, for the node asked for or one below it. Returns whether anything changed.
    pub fn take_result(&mut self, cmd_ref: &str, uri: Option<&LocUri>, data: &str, format: Option<&str>) -> bool {
        let kept: usize = self.items.iter().filter_map(|item| item.data.as_ref()).map(String::len).sum();
        if kept + data.len() > MOST_BYTES {
            self.refuse_result(cmd_ref);
            return true;
        }
        let owned = |item: &&mut ItemState| item.cmd_id == cmd_ref && matches!(item.verb(), Verb::Get | Verb::Exec);
        let mut candidates = self.current_items_mut().iter_mut().filter(owned);
        let exact = match uri {
            Some(uri) => candidates.find(|item| item.is_for(uri)),
            None => candidates.next(),
        };
        if let Some(item) = exact {
            if item.data.is_some() {
                return false;
            }
            item.data = Some(data.to_owned());
            item.format = format.map(str::to_owned);
            return true;
        }
        let Some(uri) = uri else { return false };
        self.take_result_below(cmd_ref, uri, data, format)
    }

    /// A subtree query brings nodes below the one asked for.
    fn take_result_below(&mut self, cmd_ref: &str, uri: &LocUri, data: &str, format: Option<&str>) -> bool {
        if self.items.len() >= MOST_ITEMS {
            self.refuse_result(cmd_ref);
            return true;
        }
        let asked = self.current_items().iter().find(|item| {
            item.cmd_id == cmd_ref && item.verb() == Verb::Get && item.uri().is_some_and(|own| uri.is_at_or_below(&own))
        });
        let known = self.items.iter().any(|item| item.cmd_id == cmd_ref && item.is_for(uri));
        let Some(asked) = asked.filter(|_| !known) else { return false };
        let below = ItemState {
            loc_uri: Some(uri.as_str().to_owned()),
            status: Some(200),
            data: Some(data.to_owned()),
            format: format.map(str::to_owned),
            hresult: None,
            ..asked.clone()
        };
        self.items.push(below);
        true
    }

    /// A result that cannot be taken, because it comes in chunks or is more than is kept: its Item has failed as too large, whatever is said later.
    pub fn refuse_result(&mut self, cmd_ref: &str) {
        for item in self.current_items_mut().iter_mut().filter(|item| item.cmd_id == cmd_ref) {
            item.status = Some(TOO_LARGE);
        }
    }

    /// Whether a package that is complete decides it although some of its commands have no answer: their containers
    /// answer for all of them.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        let items = self.current_items();
        let decided = |item: &ItemState| item.status.is_some() || item.is_container() || is_spoken_for(items, item);
        items.iter().any(|item| item.status.is_some()) && items.iter().all(decided)
    }

    /// Whether a one-shot command of any step was handed over and never answered.
    #[must_use]
    pub fn has_lost_exec(&self) -> bool {
        let is_lost = |item: &&ItemState| item.verb() == Verb::Exec && item.status.is_none();
        self.items.iter().filter(is_lost).any(|item| !is_spoken_for(&self.items, item))
    }

    /// The device answered without a Status for some Items. Returns whether it did so before.
    pub fn miss(&mut self) -> bool {
        let mut before = false;
        for item in self.current_items_mut().iter_mut().filter(|item| !item.is_container() && item.status.is_none()) {
            before |= std::mem::replace(&mut item.missed, true);
        }
        before
    }

    /// Whether every command of the step has its answer; a container needs none of its own when its children have theirs.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        let items = self.current_items();
        let in_failed = |item: &ItemState| {
            items.iter().any(|other| item.is_inside(other) && other.status.is_some_and(|code| code >= 300))
        };
        !items.is_empty() && items.iter().all(|item| item.status.is_some() || item.is_container() || in_failed(item))
    }

    /// Whether no command of the step has an answer.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.current_items().iter().all(|item| item.status.is_none())
    }

    /// Forgets the answers of the step, because it will be sent again.
    pub fn forget_answers(&mut self) {
        for item in self.current_items_mut() {
            item.status = None;
            item.hresult = None;
            item.data = None;
        }
    }

    /// What the answers to the current step mean.
    #[must_use]
    pub fn conclude(&self, provider_id: &str, enrollment: &Enrollment) -> Conclusion {
        self.action.conclude(&Order::new(self.id, provider_id, enrollment), self.current_items())
    }

    /// What an alert means for it.
    #[must_use]
    pub fn hear(&self, provider_id: &str, enrollment: &Enrollment, alert: &DeviceAlert<'_>) -> Option<Heard> {
        self.action.hear(&Order::new(self.id, provider_id, enrollment), alert)
    }

    /// What the answers to all steps together mean.
    #[must_use]
    pub fn conclude_whole(&self, provider_id: &str, enrollment: &Enrollment) -> Conclusion {
        self.action.conclude(&Order::new(self.id, provider_id, enrollment), &self.items)
    }

    /// Whether it may be repeated without an answer.
    #[must_use]
    pub fn repeat(&self) -> Repeat {
        if self.followed.is_some() {
            return Repeat::Freely;
        }
        self.action.repeat(&self.body)
    }

    /// The device accepted it: from now on it is only asked how far it is, not before a pause, and not for ever.
    pub fn follow(&mut self, question: Question, now: OffsetDateTime) {
        let before = self.followed.filter(|_| self.state == CommandState::Sent);
        let followed = before.unwrap_or_else(|| {
            self.expires_at = now + self.action.patience();
            Followed { since: self.followed.map_or(now, |before| before.since), questions: 0 }
        });
        if self.followed.is_some() {
            // What the question before brought has been read.
            self.items.retain(|item| item.step < self.step);
        }
        self.begin_step(self.step + 1, question.commands);
        self.state = CommandState::Sent;
        self.detail = question.detail;
        self.finished_at = None;
        self.followed = Some(followed);
        self.ask_later(now);
    }

    /// Asks again after a pause that grows from time to time.
    pub fn ask_later(&mut self, now: OffsetDateTime) {
        let Some(followed) = &mut self.followed else { return };
        let pause = FIRST_PAUSE * 2_i32.pow(followed.questions.min(16));
        self.not_before = Some(now + pause.min(LONGEST_PAUSE));
        followed.questions += 1;
        self.forget_answers();
        self.offers = 0;
    }

    /// Whether it works on the device without a question being out.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.followed.is_some() && self.state == CommandState::Sent && self.offers == 0
    }

    /// Whether it was handed to the device and an answer is awaited.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.state == CommandState::Sent && !self.is_followed()
    }

    /// Ends a followed action that has had its time: nobody knows how it ended.
    pub fn stop_following(&mut self, now: OffsetDateTime) {
        let words = format!(
            "the device accepted it and did not tell how it ended; it may have happened. Last: {}",
            self.detail
        );
        self.end(CommandState::Unknown, &words, now);
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

    /// Marks it as handed over without an answer.
    pub fn lose_sight(&mut self) {
        self.state = CommandState::Unknown;
        self.detail = format!("sent {} but not answered; it may have happened", times(self.offers));
    }

    /// Puts it back into the queue after it was, or may have been, executed.
    pub fn requeue(&mut self, detail: &str) {
        for item in self.current_items_mut() {
            item.again |= !item.is_bad();
        }
        self.take_back(detail);
    }

    /// Puts it back into the queue as if it had not been sent.
    pub fn take_back(&mut self, detail: &str) {
        self.state = CommandState::Queued;
        self.detail = detail.to_owned();
        self.forget_answers();
    }

    /// A question that got no answer is asked again later; whether that is what this was.
    pub fn asks_again(&mut self, now: OffsetDateTime) -> bool {
        let asks = self.followed.is_some() && self.state == CommandState::Sent;
        if asks {
            self.ask_later(now);
        }
        asks
    }

    /// Whether a node of the signed-in user is meant anywhere in it.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        self.current_items().iter().filter_map(ItemState::uri).any(|uri| uri.is_user_scope())
    }

    /// Whether it could go into a message of that session now: queued and due, or `unknown` with an offer left
    /// (management reference 1.15). Expiry is judged here too, so that nothing overdue slips out before it is swept.
    #[must_use]
    pub fn may_be_offered(&self, session: Id<SessionRecord>, now: OffsetDateTime) -> bool {
        if now >= self.expires_at || self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        match (self.state, self.repeat(), self.last_offer) {
            (CommandState::Queued, ..) => true,
            (CommandState::Sent, ..) => self.is_followed(),
            (CommandState::Unknown, Repeat::Offers { most, pause }, Some(last)) => {
                // A Status that says neither yes nor no is an answer all the same.
                self.is_unanswered() && self.offers < most && last.session != session && now - last.at >= pause
            }
            _ => false,
        }
    }
}

/// After which a device is asked first how far it is with what it accepted; the pause doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::minutes(2);
const LONGEST_PAUSE: Duration = Duration::hours(4);

/// Items of one command that are kept, results below the nodes asked for included.
const MOST_ITEMS: usize = 2_000;
/// Bytes of results of one command that are kept.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Characters of an HRESULT that are kept.
const LONGEST_HRESULT: usize = 32;
/// "Too large" as a status.
const TOO_LARGE: u16 = 413;

/// Whether its container answers for a command: by a status of its own, or because another command in it failed.
#[must_use]
pub fn is_spoken_for(items: &[ItemState], item: &ItemState) -> bool {
    let answers = |container: &ItemState| {
        container.status.is_some() || items.iter().any(|other| other.is_inside(container) && other.is_bad())
    };
    items.iter().any(|container| item.is_inside(container) && answers(container))
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
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
