//! What every kind of action has to say about itself.

use serde_json::Value;
use time::Duration;
use uuid::Uuid;

use super::{Conclusion, DeviceAlert, Heard, Impossible, Placing, Repeat, judge};
use crate::domain::Id;
use crate::domain::command::{ItemState, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::proto::syncml::{Command, LocUri};

/// For what an action is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The id of the action.
    pub id: Uuid,
    /// OMA-DM provider id.
    pub provider_id: &'a str,
    /// Whether the device is a HoloLens.
    pub is_hololens: bool,
    /// TenantLockdown is to be switched off before the device leaves.
    pub undo_lockdown: bool,
    /// The step that it is at, from 0.
    pub step: u32,
    /// Where the device uploads what it is asked for; only while the first commands are made.
    pub upload_url: Option<&'a str>,
}

impl<'a> Order<'a> {
    /// The order of that id, as that enrollment is now; nothing of it is sent yet.
    #[must_use]
    pub fn new(id: Id<QueuedCommand>, provider_id: &'a str, enrollment: &'a Enrollment) -> Self {
        Self {
            id: id.uuid(),
            provider_id,
            is_hololens: enrollment.is_hololens(),
            undo_lockdown: enrollment.locked_to_tenant,
            step: 0,
            upload_url: None,
        }
    }

    /// An order of a device about which nothing is known.
    #[cfg(test)]
    pub(crate) fn plain() -> Order<'static> {
        Order {
            id: Uuid::nil(),
            provider_id: "Muster",
            is_hololens: false,
            undo_lockdown: false,
            step: 0,
            upload_url: None,
        }
    }
}

/// Another way to the same end, for devices that lack a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Instead {
    /// The nodes without which it cannot work, either.
    pub nodes: Vec<LocUri>,
    /// Its first commands.
    pub commands: Vec<Command>,
}

/// One kind of action: what it sends, and what the answers mean.
pub(super) trait Recipe {
    /// The word of the API.
    fn name(&self) -> &'static str;

    /// Whether what it does cannot be undone.
    fn is_destructive(&self) -> bool {
        false
    }

    /// Whether it belongs to declared configuration.
    fn is_declared_configuration(&self) -> bool {
        false
    }

    /// How long it waits for the device unless told otherwise.
    fn default_expiry(&self) -> Duration {
        Duration::days(if self.is_destructive() { 90 } else { 30 })
    }

    /// What stands against it on that enrollment, before any device is asked.
    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        Ok(())
    }

    /// The nodes without which it cannot work.
    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri>;

    /// Whether it is not asked of a build or an edition of which the catalogue says that it lacks a node. What must not be
    /// kept from anybody by a description that is behind Windows is asked all the same.
    fn goes_by_description(&self) -> bool {
        false
    }

    /// The first commands.
    fn first_step(&self, order: &Order<'_>) -> Vec<Command>;

    /// What is sent first to a device that is known not to have its nodes; nothing where there is no other way.
    fn instead(&self) -> Option<Instead> {
        None
    }

    /// Whether these commands may be repeated when no answer came.
    fn repeat(&self, body: &[Command]) -> Repeat;

    /// Where these commands stand in the queue.
    fn placing(&self, _: &[Command]) -> Placing {
        Placing::USUAL
    }

    /// What the answers to a step mean, once every command of it has one.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        judge::conclude_all(items)
    }

    /// What an alert means for it, if it is about it.
    fn hear(&self, _: &Order<'_>, _: &DeviceAlert<'_>) -> Option<Heard> {
        None
    }

    /// How long the device may work on it after it accepted it.
    fn patience(&self) -> Duration {
        Duration::DAY
    }

    /// What the answers to all steps brought, as it is shown.
    fn result(&self, _: &Order<'_>, _: &[ItemState]) -> Option<Value> {
        None
    }
}
