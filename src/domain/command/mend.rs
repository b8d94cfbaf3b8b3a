//! Another way to the same end, in the same session: what exists already is replaced, what is missing is added
//! (management reference 2.4, 3: 418 and 404).
//!
//! Each Item goes each way at most once, so that a device which contradicts itself ends too. An Atomic is one unit: it is
//! sent again as a whole, and only where nothing stands against it that has no other way. A Sequence is sent again from
//! the command on that changed, unless a one-shot command behind it was carried out.

use std::collections::BTreeSet;

use super::item::{ItemState, Ways};
use super::{Command, QueuedCommand, number};
use crate::domain::action::Action;
use crate::proto::csp::catalogue::{self, Lifetime};
use crate::proto::syncml::{Item, LocUri, Meta, Verb, Verdict, node_key};

/// What is known of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// Whether it takes an Add.
    pub adds: bool,
    /// Whether it takes a Replace.
    pub replaces: bool,
    /// Whether it is an interior node whose existence is the server's doing.
    pub is_dynamic_interior: bool,
}

impl Knowledge {
    /// What the catalogue of this build knows of a node.
    #[must_use]
    pub fn embedded(uri: &LocUri) -> Option<Self> {
        let record = catalogue::embedded().find(uri.path())?.record();
        Some(Self {
            adds: record.access.allows(Verb::Add),
            replaces: record.access.allows(Verb::Replace),
            is_dynamic_interior: record.is_interior() && record.lifetime == Some(Lifetime::Dynamic),
        })
    }
}

/// Looks a node up; `None`: nothing is known of it.
pub type Look = fn(&LocUri) -> Option<Knowledge>;

/// Items of one command beyond which no other way is tried.
const MOST_ITEMS: usize = 2_000;

/// A command that takes the place of another, with the ways that its Items have gone.
struct Draft {
    command: Command,
    ways: Vec<Ways>,
}

/// What becomes of a command that goes another way.
#[derive(Default)]
struct Mended {
    /// What stays as it was, because it has its answer.
    keep: Option<Command>,
    /// What is to be sent.
    new: Vec<Draft>,
    /// The CmdID and node of what the new commands take the place of.
    taken: Vec<(String, Option<String>)>,
    /// Whether anything changes at all.
    changes: bool,
}

/// Another way for one Item.
enum Way {
    /// The same value by Replace.
    Replace,
    /// The same value by Add, after these interior nodes.
    Add(Vec<LocUri>),
    /// Nothing is left to do.
    Leave,
}

impl QueuedCommand {
    /// Finds another way for what was refused because its node exists, or does not. Returns whether there is something to
    /// send again.
    ///
    /// Of an action, whose nodes are known, only what the catalogue allows is tried; what an administrator asks for is
    /// tried as well where nothing is known. What an action reads back is read again.
    pub fn mend(&mut self, look: Look) -> bool {
        let refused = |state: &ItemState| matches!(state.status, Some(404 | 410 | 418)) || state.ways.helps;
        if self.items.len() >= MOST_ITEMS || !self.standing().any(refused) {
            return false;
        }
        let mut body = Vec::with_capacity(self.body.len());
        let mut fresh = Vec::new();
        let mut made = BTreeSet::new();
        let mut taken = Vec::new();
        let mut reread = Vec::new();
        for command in &self.body {
            let mended = self.mended(command, look);
            if !mended.changes {
                let is_read = command.verb == Verb::Get && self.action != Action::Raw && !taken.is_empty();
                reread.extend(is_read.then(|| command.cmd_id.clone()));
                body.push(command.clone());
                continue;
            }
            taken.extend(mended.taken);
            body.extend(mended.keep.filter(|kept| !kept.items.is_empty() || !kept.children.is_empty()));
            for draft in once_each(mended.new, &mut made) {
                let id = self.next_id(&command.cmd_id, fresh.len());
                let command = draft.numbered(&id, self.step, &mut fresh);
                body.push(command);
            }
        }
        if taken.is_empty() {
            return false;
        }
        self.supersede(&taken);
        self.items.extend(fresh);
        self.body = body;
        for id in reread {
            self.items_of_mut(&id).for_each(ItemState::forget);
        }
        self.has_pending()
    }

    /// A CmdID that was never used: the one before, and the number of Items that came before it.
    fn next_id(&self, cmd_id: &str, fresh: usize) -> String {
        let base = cmd_id.split('r').next().unwrap_or(cmd_id);
        format!("{base}r{}", self.items.len() + fresh)
    }

    fn supersede(&mut self, taken: &[(String, Option<String>)]) {
        for item in self.standing_mut() {
            item.superseded |= taken.iter().any(|(id, uri)| item.cmd_id == *id && item.loc_uri == *uri);
        }
    }

    fn mended(&self, command: &Command, look: Look) -> Mended {
        match command.verb {
            Verb::Atomic => self.mended_atomic(command, look),
            Verb::Sequence => self.mended_sequence(command, look),
            _ => self.mended_items(command, look, false),
        }
    }

    /// Each Item by itself; what was not refused stays.
    fn mended_items(&self, command: &Command, look: Look, in_atomic: bool) -> Mended {
        let mut mended = Mended::default();
        let mut keep = Command { items: Vec::new(), ..command.clone() };
        let states = self.standing().filter(|state| state.cmd_id == command.cmd_id);
        for (item, state) in command.items.iter().zip(states) {
            match self.way(state, look, in_atomic) {
                None => keep.items.push(item.clone()),
                Some(way) => {
                    mended.changes = true;
                    if !matches!(way, Way::Leave) {
                        mended.taken.push((state.cmd_id.clone(), state.loc_uri.clone()));
                    }
                    mended.new.extend(drafts(way, command, item, state.ways));
                }
            }
        }
        mended.keep = Some(keep);
        mended
    }

    /// All children once more, those that were refused in another way; only where each of them has one.
    fn mended_atomic(&self, command: &Command, look: Look) -> Mended {
        let states: Vec<&ItemState> = self.items_of(&command.cmd_id).collect();
        // Without a status of its own, what was rolled back or not reached tells that it failed.
        let failed = states.iter().any(|state| state.is_bad() || matches!(state.status, Some(215 | 216)));
        if !failed || self.has_run_exec(&command.cmd_id) {
            return Mended::default();
        }
        let mut children = Vec::new();
        let mut left = BTreeSet::new();
        let mut made = BTreeSet::new();
        let mut changes = false;
        for child in &command.children {
            let mended = self.mended_items(child, look, true);
            let is_stuck = |state: &&&ItemState| {
                state.cmd_id == child.cmd_id && state.is_culprit() && self.way(state, look, true).is_none()
            };
            if child.verb.is_container() || states.iter().any(|state| is_stuck(&state)) {
                return Mended::default();
            }
            changes |= mended.changes;
            let took = |state: &ItemState| mended.taken.iter().any(|(_, uri)| *uri == state.loc_uri);
            let own = states.iter().filter(|state| state.cmd_id == child.cmd_id && state.is_culprit());
            left.extend(own.filter(|state| !took(state)).map(|state| (state.cmd_id.clone(), state.loc_uri.clone())));
            children.extend(mended.keep.filter(|kept| !kept.items.is_empty()).map(|kept| self.again(kept)));
            children.extend(once_each(mended.new, &mut made));
        }
        if !changes || sets_twice(&children) {
            return Mended::default();
        }
        let taken = states.iter().map(|state| (state.cmd_id.clone(), state.loc_uri.clone()));
        Mended {
            keep: None,
            taken: taken.filter(|name| !left.contains(name)).collect(),
            new: container(command, children),
            changes: true,
        }
    }

    /// From the first child on that goes another way.
    fn mended_sequence(&self, command: &Command, look: Look) -> Mended {
        let mut behind = command.children.iter();
        let first = behind.by_ref().map(|child| self.mended(child, look)).find(|mended| mended.changes);
        let Some(first) = first else { return Mended::default() };
        let rest: Vec<&Command> = behind.collect();
        if rest.iter().any(|child| self.has_run_exec(&child.cmd_id)) {
            return Mended::default();
        }
        let mut taken = first.taken;
        taken.push((command.cmd_id.clone(), None));
        for child in &rest {
            taken.extend(self.items_of(&child.cmd_id).map(|state| (state.cmd_id.clone(), state.loc_uri.clone())));
        }
        let mut children = first.new;
        children.extend(rest.into_iter().map(|child| self.again(child.clone())));
        Mended { keep: None, taken, new: container(command, children), changes: true }
    }

    /// The same command once more.
    fn again(&self, command: Command) -> Draft {
        let gone = |each: &Command, item: &Item| {
            let uri = item.target.as_ref().map(LocUri::as_str);
            self.standing().find(|state| state.cmd_id == each.cmd_id && state.loc_uri.as_deref() == uri)
        };
        let mut ways = Vec::new();
        for each in command.walk() {
            ways.extend(each.verb.is_container().then(Ways::default));
            ways.extend(each.items.iter().map(|item| gone(each, item).map(|state| state.ways).unwrap_or_default()));
        }
        Draft { command, ways }
    }

    fn way(&self, state: &ItemState, look: Look, in_atomic: bool) -> Option<Way> {
        let uri = state.uri()?;
        let known = look(&uri);
        if known.is_none() && self.action != Action::Raw {
            return None;
        }
        let adds = known.is_none_or(|node| node.adds);
        let replaces = known.is_none_or(|node| node.replaces);
        match (state.verb(), state.status?) {
            (_, 300..) if state.ways.helps => in_atomic.then_some(Way::Leave),
            (Verb::Add, 418) if state.adds_interior => in_atomic.then_some(Way::Leave),
            (Verb::Add, 418) if replaces && !state.ways.replace => Some(Way::Replace),
            (Verb::Replace, 404 | 410) if adds && !state.ways.add => Some(Way::Add(self.missing_above(&uri, look))),
            (Verb::Add, 404 | 410) if !state.ways.above => {
                Some(self.missing_above(&uri, look)).filter(|above| !above.is_empty()).map(Way::Add)
            }
            (Verb::Delete, 404 | 410) => in_atomic.then_some(Way::Leave),
            _ => None,
        }
    }

    /// The interior nodes above one that the server has to make, as far as it has not made them; the uppermost first.
    fn missing_above(&self, uri: &LocUri, look: Look) -> Vec<LocUri> {
        let made = |node: &LocUri| {
            let is_add = |state: &ItemState| state.verb() == Verb::Add && state.is_for(node);
            self.standing().any(|state| is_add(state) && state.verdict() == Some(Verdict::Done))
        };
        let mut above: Vec<LocUri> = uri.ancestors().collect();
        above.retain(|node| look(node).is_some_and(|known| known.is_dynamic_interior && known.adds) && !made(node));
        above.reverse();
        above
    }
}

impl Draft {
    /// Gives it its CmdIDs and adds what is awaited of it.
    fn numbered(self, id: &str, step: u32, states: &mut Vec<ItemState>) -> Command {
        let mut commands = [self.command];
        number(&mut commands, id);
        let [command] = commands;
        let fresh = ItemState::of(&command, step).into_iter().zip(self.ways);
        states.extend(fresh.map(|(state, ways)| ItemState { ways, ..state }));
        command
    }
}

/// The commands that go another way for one Item.
fn drafts(way: Way, command: &Command, item: &Item, ways: Ways) -> Vec<Draft> {
    let (verb, above, ways) = match way {
        Way::Leave => return Vec::new(),
        Way::Replace => (Verb::Replace, Vec::new(), Ways { replace: true, ..ways }),
        Way::Add(above) => (Verb::Add, above, Ways { add: true, above: true, ..ways }),
    };
    let interior = |uri: LocUri| {
        let meta = Meta { format: Some("node".to_owned()), ..Meta::default() };
        let item = Item { target: Some(uri), meta, ..Item::default() };
        Draft { command: Command::new(Verb::Add, item), ways: vec![Ways { helps: true, ..Ways::default() }] }
    };
    let same = Command { verb, items: vec![item.clone()], ..command.clone() };
    above.into_iter().map(interior).chain([Draft { command: same, ways: vec![ways] }]).collect()
}

/// The Atomic or Sequence with these children; nothing where none is left.
fn container(command: &Command, children: Vec<Draft>) -> Vec<Draft> {
    if children.is_empty() {
        return Vec::new();
    }
    let mut ways = vec![Ways::default()];
    let mut commands = Vec::with_capacity(children.len());
    for child in children {
        ways.extend(child.ways);
        commands.push(child.command);
    }
    vec![Draft { command: Command { children: commands, ..command.clone() }, ways }]
}

/// Without the interior nodes that are made already.
fn once_each(drafts: Vec<Draft>, made: &mut BTreeSet<String>) -> Vec<Draft> {
    let is_new = |draft: &Draft| match draft.command.items.as_slice() {
        [Item { target: Some(uri), data: None, .. }] if draft.command.verb == Verb::Add => {
            made.insert(node_key(uri.as_str()))
        }
        _ => true,
    };
    let mut drafts = drafts;
    drafts.retain(is_new);
    drafts
}

/// Windows does not take Add and Replace of one node in one Atomic.
fn sets_twice(children: &[Draft]) -> bool {
    let nodes = |verb: Verb| -> BTreeSet<String> {
        let commands = children.iter().map(|draft| &draft.command).filter(|command| command.verb == verb);
        let items = commands.flat_map(|command| &command.items).filter_map(|item| item.target.as_ref());
        items.map(|uri| node_key(uri.as_str())).collect()
    };
    !nodes(Verb::Add).is_disjoint(&nodes(Verb::Replace))
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
