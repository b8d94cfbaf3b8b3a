//! Restarts, now and by schedule (management reference 7.7).

use super::recipe::{Order, Recipe};
use super::setting::Setting;
use super::{Placing, Repeat};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::reboot;
use crate::proto::csp::reboot_schedule::RebootSchedule;
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

impl Setting for RebootSchedule {
    fn name(&self) -> &'static str {
        "reboot_schedule"
    }

    fn subject(&self) -> String {
        "the schedule of restarts".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}
