//! The commands of a step. Most of them stay as they came, so each is borrowed from the input until it changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::Id;
use crate::domain::command::QueuedCommand;
use crate::domain::object::LargeObject;

/// Commands by id.
pub(super) struct Queue<'i>(BTreeMap<Id<QueuedCommand>, Entry<'i>>);

/// A command as it came, and as it is now where something of it may have changed.
struct Entry<'i> {
    before: &'i QueuedCommand,
    now: Option<Box<QueuedCommand>>,
}

impl Entry<'_> {
    fn get(&self) -> &QueuedCommand {
        self.now.as_deref().unwrap_or(self.before)
    }

    fn get_mut(&mut self) -> &mut QueuedCommand {
        self.now.get_or_insert_with(|| Box::new(self.before.clone()))
    }

    fn is_changed(&self) -> bool {
        self.now.as_ref().is_some_and(|now| is_changed(self.before, now))
    }
}

impl<'i> Queue<'i> {
    /// As they came.
    pub(super) fn new(commands: &'i [QueuedCommand]) -> Self {
        Self(commands.iter().map(|before| (before.id, Entry { before, now: None })).collect())
    }

    /// The command of that id.
    pub(super) fn get(&self, id: &Id<QueuedCommand>) -> Option<&QueuedCommand> {
        self.0.get(id).map(Entry::get)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, id: &Id<QueuedCommand>) -> Option<&mut QueuedCommand> {
        self.0.get_mut(id).map(Entry::get_mut)
    }

    /// All of them, by id.
    pub(super) fn values(&self) -> impl Iterator<Item = &QueuedCommand> {
        self.0.values().map(Entry::get)
    }

    /// Those that satisfy a condition, to be changed; the others are left as they came.
    pub(super) fn matching_mut(
        &mut self,
        test: impl Fn(&QueuedCommand) -> bool,
    ) -> impl Iterator<Item = &mut QueuedCommand> {
        self.0.values_mut().filter(move |entry| test(entry.get())).map(Entry::get_mut)
    }

    /// Objects that commands had and have no longer, with those of `others` that no command has.
    pub(super) fn objects_left(&self, others: impl Iterator<Item = Id<LargeObject>>) -> BTreeSet<Id<LargeObject>> {
        let touched = self.0.values().filter(|entry| entry.now.is_some());
        let had = touched.flat_map(|entry| entry.before.objects()).map(|object| object.id);
        let mut left: BTreeSet<_> = had.chain(others).collect();
        if !left.is_empty() {
            self.values().flat_map(QueuedCommand::objects).for_each(|object| {
                left.remove(&object.id);
            });
        }
        left
    }

    /// Those that changed, by id.
    pub(super) fn into_changed(self) -> Vec<QueuedCommand> {
        self.0.into_values().filter(Entry::is_changed).filter_map(|entry| entry.now.map(|now| *now)).collect()
    }
}

fn is_changed(before: &QueuedCommand, after: &QueuedCommand) -> bool {
    before.state != after.state
        || before.items != after.items
        || before.offers != after.offers
        || before.step != after.step
        || before.detail != after.detail
        || before.last_offer != after.last_offer
        || before.retries != after.retries
        || before.finished_at != after.finished_at
        || before.not_before != after.not_before
}
