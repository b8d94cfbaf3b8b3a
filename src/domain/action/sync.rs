//! A sign of life: whatever the device answers, it was there.

use super::recipe::{Order, Recipe};
use super::{Conclusion, Ending, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::device_info;
use crate::proto::syncml::{Command, LocUri};

/// Report back.
pub(super) struct Sync;

impl Recipe for Sync {
    fn name(&self) -> &'static str {
        "sync"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::get(LocUri::fixed(device_info::SOFTWARE_VERSION))]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        Conclusion::Finished(Ending {
            state: CommandState::Succeeded,
            status: items.first().and_then(|item| item.status),
            hresult: None,
            detail: "the device checked in".to_owned(),
        })
    }
}
