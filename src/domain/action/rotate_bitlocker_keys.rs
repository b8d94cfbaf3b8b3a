//! New BitLocker recovery passwords (management reference 7.12).

use super::judge::{accepted_exec, answer, failed, succeeded, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Question, Repeat};
use crate::domain::command::ItemState;
use crate::proto::csp::bitlocker::{self, Rotation};
use crate::proto::syncml::{Command, LocUri};

/// Rotate the recovery passwords.
pub(super) struct RotateBitlockerKeys;

impl Recipe for RotateBitlockerKeys {
    fn name(&self) -> &'static str {
        "rotate_bitlocker_keys"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(bitlocker::ROTATE)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        vec![bitlocker::rotate(order.id)]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    /// A status counts only under our request id: another one is about a rotation that somebody else asked for.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(status) = answer(items, &LocUri::fixed(bitlocker::ROTATE_STATUS)) else {
            let ask = || wait("the rotation was accepted");
            return accepted_exec(items, "this device cannot rotate its recovery passwords on request", ask);
        };
        let reported = text(items, &LocUri::fixed(bitlocker::ROTATE_REQUEST_ID)).unwrap_or_default();
        if !bitlocker::is_request(reported, order.id) {
            return wait("the rotation was accepted; the device still tells of another one");
        }
        match status.data.as_deref().and_then(Rotation::parse) {
            Some(Rotation::Done) => succeeded(status, "the recovery passwords were rotated"),
            Some(Rotation::Pending) => wait("the rotation is under way"),
            Some(Rotation::NotStarted) => wait("the rotation has not begun"),
            Some(Rotation::Failed(code)) => failed(status, "the rotation failed", Some(code)),
            None => wait("the rotation was accepted; the device does not tell how far it is"),
        }
    }
}

fn wait(words: &str) -> Conclusion {
    Conclusion::Follow(Question { commands: bitlocker::read_rotation(), detail: words.to_owned() })
}
