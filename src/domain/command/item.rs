//! What became of one Item of one command: what was asked, what the device said, and whether another Item took its place.

use serde::{Deserialize, Serialize};

use crate::domain::object::ObjectRef;
use crate::proto::syncml::{Command, LocUri, StatusCode, Verb, Verdict, same_node, verdict};

/// What the device said to one Item of one command.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Whether its value is on its way in chunks and not all there yet.
    #[serde(default)]
    pub coming: bool,
    /// Where its value is, if that is too large to stand in `data`.
    #[serde(default)]
    pub object: Option<ObjectRef>,
    /// Whether it adds an interior node: an Add without a value.
    #[serde(default)]
    pub adds_interior: bool,
    /// Whether it was in the last message that was made of its command, so that an answer is awaited.
    #[serde(default)]
    pub asked: bool,
    /// Whether its answer asked for another try: until that, nothing else that is said about it counts.
    #[serde(default)]
    pub put_off: bool,
    /// Whether no answer will come any more.
    #[serde(default)]
    pub lost: bool,
    /// Whether another Item took its place, because its status asks for another way to the same end.
    #[serde(default)]
    pub superseded: bool,
    /// The ways that were tried to the same end.
    #[serde(default)]
    pub ways: Ways,
}

/// Ways to the same end that were tried instead of what was asked first; each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// Replace in place of an Add.
    pub replace: bool,
    /// Add in place of a Replace.
    pub add: bool,
    /// The interior nodes above it first.
    pub above: bool,
    /// It is itself such an interior node: what becomes of it is no matter, as long as the node below it can be set.
    pub helps: bool,
}

impl std::fmt::Debug for ItemState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:?} {:?}", self.cmd, self.cmd_id, self.loc_uri, self.status)
    }
}

impl ItemState {
    /// One for each Item of a command and of all below it, and one for each container, without answers.
    pub(super) fn of(command: &Command, step: u32) -> Vec<Self> {
        let mut states = Vec::new();
        for each in command.walk() {
            let fresh = |loc_uri: Option<String>, adds_interior: bool| Self {
                step,
                cmd_id: each.cmd_id.clone(),
                cmd: each.verb.name().to_owned(),
                loc_uri,
                adds_interior,
                ..Self::default()
            };
            if each.verb.is_container() {
                states.push(fresh(None, false));
            }
            states.extend(each.items.iter().map(|item| {
                let uri = item.target.as_ref().map(|uri| uri.as_str().to_owned());
                fresh(uri, each.verb == Verb::Add && !item.has_value(&each.meta))
            }));
        }
        states
    }

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

    /// Whether its node is one of the signed-in user.
    #[must_use]
    pub fn is_of_user(&self) -> bool {
        self.uri().is_some_and(|uri| uri.is_user_scope())
    }

    /// An Add that finds its node there already, after it was sent before without an answer.
    #[must_use]
    pub fn is_own_work(&self) -> bool {
        self.again && self.status == Some(418) && self.verb() == Verb::Add
    }

    /// What its status means (management reference 3); `None` without one.
    ///
    /// What exists already is no failure where nothing but its existence was asked, or where it is the work of the delivery
    /// before. A node of the user can be closed for a moment although the user is there (405).
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        let code = self.status?;
        let exists = code == 418 && self.verb() == Verb::Add;
        Some(match code {
            _ if self.ways.helps || exists && (self.adds_interior || self.again) => Verdict::Done,
            405 if self.is_of_user() => Verdict::Retry,
            _ => verdict(self.verb(), StatusCode(code)),
        })
    }

    /// Whether it lies in that Atomic or Sequence, at any depth.
    #[must_use]
    pub fn is_inside(&self, container: &Self) -> bool {
        container.is_container() && is_below(&self.cmd_id, &container.cmd_id)
    }

    /// Whether it failed, or asks for another try.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.status.is_some_and(|code| code >= 300) && self.verdict() != Some(Verdict::Done)
    }

    /// Whether it is one for which an Atomic around it failed, rather than one that was rolled back or not reached.
    #[must_use]
    pub fn is_culprit(&self) -> bool {
        !self.is_container() && self.status.is_some_and(|code| code >= 300 && !matches!(code, 507 | 516))
    }

    /// Whether it stands for an Atomic or Sequence itself.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.verb().is_container()
    }

    /// Whether it was ever put into a message that the device may have read: nothing can be said about what was not.
    pub(super) fn was_given(&self) -> bool {
        self.asked || self.again
    }

    /// Whether nothing more is to be heard of it.
    pub(super) fn is_settled(&self) -> bool {
        self.status.is_some() && !self.coming || self.lost
    }

    /// It goes into a message.
    pub(super) fn ask(&mut self) {
        self.forget();
        self.asked = true;
        self.put_off = false;
    }

    /// As before it was sent.
    pub(super) fn forget(&mut self) {
        self.status = None;
        self.hresult = None;
        self.data = None;
        self.object = None;
        self.coming = false;
        self.asked = false;
        self.lost = false;
    }
}

/// Whether a CmdID is that of a command inside the one with the other CmdID.
pub(super) fn is_below(cmd_id: &str, container: &str) -> bool {
    cmd_id.strip_prefix(container).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether its container answers for a command: by a status of its own, or because another command in it failed.
#[must_use]
pub fn is_spoken_for(items: &[ItemState], item: &ItemState) -> bool {
    let answers = |container: &ItemState| {
        container.status.is_some() || items.iter().any(|other| other.is_inside(container) && other.is_bad())
    };
    items.iter().any(|container| item.is_inside(container) && answers(container))
}
