//! What the device says to the commands of a step: statuses and results find their Items.

use std::collections::{HashMap, HashSet};

use super::item::{ItemState, is_below, is_spoken_for};
use super::{Command, QueuedCommand};
use crate::proto::syncml::{LocUri, Status, Verb, Verdict, node_key, verdict};

/// Items of one command that are kept, results below the nodes asked for included.
const MOST_ITEMS: usize = 2_000;
/// Bytes of results of one command that are kept.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Characters of an HRESULT that are kept.
const LONGEST_HRESULT: usize = 32;
/// "Too large" as a status.
const TOO_LARGE: u16 = 413;

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
        if let Some(item) = self.asked_for(cmd_ref, uri) {
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

    /// The Item that asked for a node; the same address with its query first, because one command may ask for a value and
    /// for a property of the same node.
    fn asked_for(&mut self, cmd_ref: &str, uri: Option<&LocUri>) -> Option<&mut ItemState> {
        let owned = |item: &ItemState| item.cmd_id == cmd_ref && matches!(item.verb(), Verb::Get | Verb::Exec);
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
        let asked = self.standing().find(|item| {
            item.cmd_id == cmd_ref && item.verb() == Verb::Get && item.uri().is_some_and(|own| uri.is_at_or_below(&own))
        });
        let known = self.standing().any(|item| item.cmd_id == cmd_ref && item.is_for(uri));
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
