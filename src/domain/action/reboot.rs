//! Restart (management reference 7.7).

use super::recipe::{Order, Recipe};
use super::{Placing, Repeat};
use crate::proto::csp::reboot;
use crate::proto::syncml::{Command, LocUri};

/// Restart.
pub(super) struct Reboot;

impl Recipe for Reboot {
    fn name(&self) -> &'static str {
        "reboot"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(reboot::REBOOT_NOW)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![reboot::reboot_now()]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn placing(&self, _: &[Command]) -> Placing {
        Placing::BEFORE_THE_LAST
    }
}
