//! Lock and unlock (management reference 7.2).

use time::Duration;

use super::judge::{decide_or_retry, ending, is_done, no_status};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::remote_lock;
use crate::proto::syncml::{Command, LocUri, Verb};

/// Lock the screen.
pub(super) struct Lock;

impl Recipe for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(remote_lock::LOCK)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![remote_lock::lock()]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Offers { most: 3, pause: Duration::ZERO }
    }

    /// Status 200 is the only success; 405 passes, 404, 406 and 500 are for good.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
        Conclusion::Finished(match item.status {
            Some(200) => ending(CommandState::Succeeded, item, "the device says that it is locked"),
            Some(405) => ending(CommandState::Failed, item, "no PIN is set on the device, so it cannot be locked"),
            Some(404 | 406 | 410 | 500 | 501) => {
                ending(CommandState::Unsupported, item, "this device does not support remote lock")
            }
            Some(code) if is_done(Verb::Exec, code) => {
                let words = "the device took the command and did not say that it is locked";
                ending(CommandState::Unknown, item, words)
            }
            _ => return decide_or_retry(item, Verb::Exec),
        })
    }
}

/// Undo a lock: Windows has no command for it.
pub(super) struct Unlock;

impl Recipe for Unlock {
    fn name(&self) -> &'static str {
        "unlock"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        Vec::new()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }
}
