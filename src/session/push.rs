//! What the server asks of push (WNS) in a session: the channel of the device in every one, and the app for which it is to
//! register until it has taken that (management reference 6.2). Without `Limits::push` nothing of it is asked.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::exchange::Notice;
use super::work::Work;
use crate::domain::push::{ChannelUri, Registration};
use crate::proto::csp::dm_client;
use crate::proto::syncml::{Command, Item, LocUri, Status, StatusCode, Verb};

/// What a device said about push.
#[derive(Clone, Debug, PartialEq)]
pub enum PushReport {
    /// Its answer to the package family name.
    Registered {
        /// The name.
        pfn: String,
        /// The status.
        status: u16,
    },
    /// Where it can be woken; `None`: nowhere.
    Channel(Option<ChannelUri>),
    /// How its registration stands.
    Status(String),
}

/// What was asked about push in one session: nothing is asked twice in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushTurn {
    /// Whether channel and status were asked for.
    asked: bool,
    /// Where the package family name stands.
    setting: Setting,
}

/// Where the package family name stands in one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Setting {
    /// Nothing to do.
    #[default]
    Settled,
    /// To be set that way with the next commands.
    Due(Way),
    /// Set that way, the answer is awaited.
    Sent(Way),
}

/// How the package family name is set. What exists is replaced, and what is missing is added, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// It was never set.
    Add,
    /// Another one was set.
    Replace,
    /// It was there although it was never set.
    ReplaceKnown,
    /// The node above it was missing.
    AddWithParent,
}

impl Way {
    /// What is left to try after the device answered with a failure.
    fn after(self, status: u16) -> Option<Self> {
        match (self, status) {
            (Self::Add, 418) => Some(Self::ReplaceKnown),
            (Self::Add | Self::Replace, 404) => Some(Self::AddWithParent),
            _ => None,
        }
    }

    fn commands(self, provider_id: &str, pfn: &str) -> Vec<Command> {
        let set = |verb| dm_client::set_pfn(verb, provider_id, pfn).named(PFN);
        match self {
            Self::Add => vec![set(Verb::Add)],
            Self::Replace | Self::ReplaceKnown => vec![set(Verb::Replace)],
            Self::AddWithParent => vec![dm_client::add_push(provider_id).named(PARENT), set(Verb::Add)],
        }
    }
}

impl PushTurn {
    /// What a new session is to set.
    pub(super) fn plan(pfn: Option<&str>, registration: &Registration, now: OffsetDateTime) -> Self {
        let due = pfn.is_some_and(|pfn| registration.is_due(pfn, now));
        let way = if registration.is_made() { Way::Replace } else { Way::Add };
        Self { asked: false, setting: if due { Setting::Due(way) } else { Setting::Settled } }
    }

    /// Of what the device could not read nothing was done.
    pub(super) fn take_back(&mut self) {
        self.asked = false;
        if let Setting::Sent(way) = self.setting {
            self.setting = Setting::Due(way);
        }
    }
}

const PFN: &str = "p1";
const PARENT: &str = "p2";
const CHANNEL: &str = "p3";
const STATUS: &str = "p4";

/// Whether a CmdID is one of push.
pub(super) fn owns(cmd_ref: &str) -> bool {
    [PFN, PARENT, CHANNEL, STATUS].contains(&cmd_ref)
}

/// What goes out about push in this message.
pub(super) fn commands(work: &mut Work<'_>) -> Vec<Command> {
    let (Some(pfn), Some(session)) = (&work.limits.push, &mut work.session) else { return Vec::new() };
    let (turn, provider_id) = (&mut session.push_turn, &work.limits.provider_id);
    let mut out = Vec::new();
    if let Setting::Due(way) = turn.setting {
        turn.setting = Setting::Sent(way);
        out.extend(way.commands(provider_id, pfn));
    }
    if !std::mem::replace(&mut turn.asked, true) {
        out.push(Command::get(dm_client::channel_uri(provider_id)).named(CHANNEL));
        out.push(Command::get(dm_client::push_status(provider_id)).named(STATUS));
    }
    out
}

/// The device's answer to one of these commands.
pub(super) fn take_status(work: &mut Work<'_>, status: &Status) {
    let (Some(pfn), Some(session)) = (&work.limits.push, &mut work.session) else { return };
    let StatusCode(code) = status.code;
    match (status.cmd_ref.as_str(), session.push_turn.setting) {
        (PFN, Setting::Sent(way)) => {
            let next = way.after(code);
            session.push_turn.setting = next.map_or(Setting::Settled, Setting::Due);
            if next.is_none() {
                let report = PushReport::Registered { pfn: pfn.clone(), status: code };
                work.notices.push(Notice::Push(report));
            }
        }
        (CHANNEL, _) if code == 404 => work.notices.push(Notice::Push(PushReport::Channel(None))),
        _ => {}
    }
}

/// A value that the device read for one of these commands.
pub(super) fn take_result(work: &mut Work<'_>, cmd_ref: &str, item: &Item) {
    let asked = match cmd_ref {
        CHANNEL => dm_client::channel_uri(&work.limits.provider_id),
        STATUS => dm_client::push_status(&work.limits.provider_id),
        _ => return,
    };
    let was_asked = work.session.as_ref().is_some_and(|session| session.push_turn.asked);
    if was_asked && item.source.as_ref().is_none_or(|source| source.same_as(&asked)) {
        take_value(work, &asked, item.text());
    }
}

/// The value of a node of push, whatever it was asked for.
pub(super) fn take_value(work: &mut Work<'_>, node: &LocUri, text: &str) {
    let provider_id = &work.limits.provider_id;
    let report = if node.same_as(&dm_client::channel_uri(provider_id)) {
        PushReport::Channel(ChannelUri::received(text))
    } else if node.same_as(&dm_client::push_status(provider_id)) {
        PushReport::Status(text.trim().chars().take(LONGEST_STATUS).collect())
    } else {
        return;
    };
    work.notices.push(Notice::Push(report));
}

/// Longest `Push/Status` that is kept, in characters; it is a number.
const LONGEST_STATUS: usize = 16;

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
