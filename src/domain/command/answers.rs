//! What the device says to the commands of a step: statuses and results find their Items.

use std::collections::{HashMap, HashSet};

use super::item::{ItemState, is_below, is_spoken_for};
use super::{Command, QueuedCommand};
use crate::domain::object::ObjectRef;
use crate::proto::syncml::{LocUri, Status, Verb, Verdict, node_key, verdict};

/// Items of one command that are kept, results below the nodes asked for included.
const MOST_ITEMS: usize = 2_000;
/// Bytes of results of one command that are kept.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Characters of an HRESULT that are kept.
const LONGEST_HRESULT: usize = 32;
/// "Too large" as a status.
const TOO_LARGE: u16 = 413;

/// A value that came in chunks.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectValue {
    /// Small enough to stand in its place.
    Inline(String),
    /// Somewhere else.
    Stored(ObjectRef),
}

impl QueuedCommand {
    /// What counts of the current step: each Item once, in the form that it took last, in the order of the commands.
    #[must_use]
    pub fn current_items(&self) -> Vec<ItemState> {
        let mut items: Vec<ItemState> = self.standing().cloned().collect();
        let ids = self.body.iter().flat_map(Command::walk).map(|each| each.cmd_id.as_str());
        let order: HashMap<&str, usize> = ids.zip(0..).collect();
        // What was taken out of the commands, because nothing is left to do, comes last.
        items.sort_by_key(|item| order.get(item.cmd_id.as_str()).copied().unwrap_or(usize::MAX));
        items
    }

    /// What counts of all steps, oldest first.
    #[must_use]
    pub fn all_items(&self) -> Vec<ItemState> {
        let before = self.items[..self.start_of_step()].iter().filter(|item| !item.superseded).cloned();
        before.chain(self.current_items()).collect()
    }

    fn start_of_step(&self) -> usize {
        self.items.partition_point(|item| item.step < self.step)
    }

    /// The Items of the current step whose place nothing else has taken.
    pub(super) fn standing(&self) -> impl Iterator<Item = &ItemState> {
        self.items[self.start_of_step()..].iter().filter(|item| !item.superseded)
    }

    pub(super) fn standing_mut(&mut self) -> impl Iterator<Item = &mut ItemState> {
        let start = self.start_of_step();
        self.items[start..].iter_mut().filter(|item| !item.superseded)
    }

    /// Whether something was read of which no value has come: it may follow in another message than its Status.
    #[must_use]
    pub fn awaits_value(&self) -> bool {
        let is_read = |item: &ItemState| {
            let is_good = item.status.is_some_and(|status| (200..300).contains(&status));
            item.verb() == Verb::Get && is_good && item.data.is_none() && item.object.is_none()
        };
        self.standing().any(is_read)
    }

    /// Those of the top-level command with that CmdID.
    pub(super) fn items_of<'c>(&'c self, cmd_id: &'c str) -> impl Iterator<Item = &'c ItemState> {
        self.standing().filter(move |item| is_of(item, cmd_id))
    }

    pub(super) fn items_of_mut<'c>(&'c mut self, cmd_id: &'c str) -> impl Iterator<Item = &'c mut ItemState> {
        self.standing_mut().filter(move |item| is_of(item, cmd_id))
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
        for item in self.standing_mut().filter(|item| item.cmd_id == status.cmd_ref) {
            let named = || item.loc_uri.as_deref().is_some_and(|uri| refs.contains(&node_key(uri)));
            let meant = refs.is_empty() || item.is_container() || named();
            let waits = verdict(item.verb(), status.code) == Verdict::Wait;
            if meant && !waits && item.status.is_none() && !item.put_off && item.was_given() {
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
        if let Some(item) = self.asked_for(cmd_ref, uri) {
            if item.data.is_some() || item.object.is_some() {
                return false;
            }
            item.data = Some(data.to_owned());
            item.format = format.map(str::to_owned);
            return true;
        }
        let Some(uri) = uri else { return false };
        self.take_result_below(cmd_ref, uri, data, format)
    }

    /// The Item that asked for a node; the same address with its query first, because one command may ask for a value and
    /// for a property of the same node.
    fn asked_for(&mut self, cmd_ref: &str, uri: Option<&LocUri>) -> Option<&mut ItemState> {
        let takes =
            |item: &ItemState| matches!(item.verb(), Verb::Get | Verb::Exec) && !item.put_off && item.was_given();
        let owned = |item: &ItemState| item.cmd_id == cmd_ref && takes(item);
        let found = match uri {
            None => self.standing().position(owned),
            Some(uri) => {
                let same = |item: &ItemState| {
                    item.loc_uri.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(uri.as_str()))
                };
                let literal = self.standing().position(|item| owned(item) && same(item));
                literal.or_else(|| self.standing().position(|item| owned(item) && item.is_for(uri)))
            }
        };
        self.standing_mut().nth(found?)
    }

    /// A subtree query brings nodes below the one asked for.
    fn take_result_below(&mut self, cmd_ref: &str, uri: &LocUri, data: &str, format: Option<&str>) -> bool {
        if self.items.len() >= MOST_ITEMS {
            self.refuse_result(cmd_ref);
            return true;
        }
        let Some(below) = self.below(cmd_ref, uri) else { return false };
        let (data, format) = (Some(data.to_owned()), format.map(str::to_owned));
        self.items.push(ItemState { data, format, ..below });
        true
    }

    /// An Item for a node below one that was asked for, if it is new.
    fn below(&self, cmd_ref: &str, uri: &LocUri) -> Option<ItemState> {
        let asked = self.standing().find(|item| {
            let is_get = item.cmd_id == cmd_ref && item.verb() == Verb::Get && !item.put_off && item.was_given();
            is_get && item.uri().is_some_and(|own| uri.is_at_or_below(&own))
        })?;
        let known = self.standing().any(|item| item.cmd_id == cmd_ref && item.is_for(uri));
        (!known).then(|| ItemState {
            loc_uri: Some(uri.as_str().to_owned()),
            status: Some(200),
            hresult: None,
            data: None,
            object: None,
            coming: false,
            ..asked.clone()
        })
    }

    /// What a Get or Exec brought begins to come in chunks. Returns the place of its Item; `None` where nothing of that
    /// node was asked for, or it is there already.
    pub fn begin_object(&mut self, cmd_ref: &str, uri: Option<&LocUri>) -> Option<usize> {
        if let Some(item) = self.asked_for(cmd_ref, uri) {
            if item.data.is_some() || item.object.is_some() || item.lost {
                return None;
            }
            item.coming = true;
        } else {
            let below = self.below(cmd_ref, uri?).filter(|_| self.items.len() < MOST_ITEMS)?;
            self.items.push(ItemState { coming: true, ..below });
        }
        self.items.iter().position(|item| item.coming && item.cmd_id == cmd_ref)
    }

    /// All of it is there: in its place, or where `object` says.
    pub fn end_object(&mut self, place: usize, value: ObjectValue, format: Option<&str>) {
        let Some(item) = self.items.get_mut(place).filter(|item| item.coming) else { return };
        item.coming = false;
        item.format = format.map(str::to_owned);
        match value {
            ObjectValue::Inline(text) => item.data = Some(text),
            ObjectValue::Stored(object) => item.object = Some(object),
        }
    }

    /// It will not be all there. With a status that decides, whatever the device said or says; without one the Item is as
    /// if it had no answer.
    pub fn lose_object(&mut self, place: usize, status: Option<u16>) {
        let Some(item) = self.items.get_mut(place).filter(|item| item.coming) else { return };
        item.coming = false;
        item.status = status;
    }

    /// The objects in which its values are.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.items.iter().filter_map(|item| item.object.as_ref())
    }

    /// A result that is more than is kept: its Item has failed as too large, whatever is said later.
    pub fn refuse_result(&mut self, cmd_ref: &str) {
        for item in self.standing_mut().filter(|item| item.cmd_id == cmd_ref) {
            item.status = Some(TOO_LARGE);
        }
    }

    /// Whether every command of the step has its answer, or will get none; a container needs none of its own when its
    /// children have theirs.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.standing().next().is_some() && self.body.iter().all(|command| self.is_settled(command))
    }

    /// Whether no command of the step has an answer.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.standing().all(|item| item.status.is_none())
    }

    /// The same as [`is_answered`](Self::is_answered) for one top-level command.
    pub(super) fn is_settled(&self, command: &Command) -> bool {
        let items: Vec<&ItemState> = self.items_of(&command.cmd_id).collect();
        let in_failed = |item: &ItemState| {
            items.iter().any(|other| item.is_inside(other) && other.status.is_some_and(|code| code >= 300))
        };
        items.iter().all(|item| item.is_settled() || item.is_container() || in_failed(item))
    }

    /// Whether a package that is complete decides the top-level command with that CmdID although some of it has no answer:
    /// its containers answer for all of it.
    pub(super) fn is_decided(&self, cmd_id: &str) -> bool {
        let items: Vec<ItemState> = self.items_of(cmd_id).cloned().collect();
        let decided = |item: &ItemState| item.is_settled() || item.is_container() || is_spoken_for(&items, item);
        items.iter().any(|item| item.status.is_some()) && items.iter().all(decided)
    }

    /// Whether a one-shot command of any step was handed over and never answered.
    #[must_use]
    pub fn has_lost_exec(&self) -> bool {
        let items = self.all_items();
        let is_lost = |item: &&ItemState| item.verb() == Verb::Exec && item.status.is_none();
        items.iter().filter(is_lost).any(|item| !is_spoken_for(&items, item))
    }
}

/// Whether an Item belongs to the command with that CmdID, or lies inside it.
fn is_of(item: &ItemState, cmd_id: &str) -> bool {
    item.cmd_id == cmd_id || is_below(&item.cmd_id, cmd_id)
}
