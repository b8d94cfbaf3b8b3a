//! S mode: who may leave it, and leaving it (management reference 7.18).

use super::judge::{accepted_exec, answer, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::setting::Setting;
use super::{Conclusion, Question, Repeat};
use crate::domain::command::ItemState;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::s_mode::{self, SModePolicy, Switching};
use crate::proto::syncml::{Command, LocUri};

impl Setting for SModePolicy {
    fn name(&self) -> &'static str {
        "s_mode_policy"
    }

    fn subject(&self) -> String {
        "the policy on S mode".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        Ok(())
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        Self::commands(*self)
    }

    fn outcome(&self) -> String {
        let who = if self.allow_switch { "people may" } else { "only administrators may" };
        format!("{who} take Windows out of S mode")
    }
}

/// Take Windows out of S mode, for good.
pub(super) struct SwitchFromSMode;

impl Recipe for SwitchFromSMode {
    fn name(&self) -> &'static str {
        "switch_from_s_mode"
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(s_mode::SWITCH)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![s_mode::switch()]
    }

    /// A second switch finds Windows out of S mode, and says so.
    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(status) = answer(items, &LocUri::fixed(s_mode::STATUS)) else {
            return accepted_exec(items, "this device has no S mode to leave", || wait("the switch was accepted"));
        };
        match status.data.as_deref().and_then(Switching::parse) {
            Some(Switching::Done) => succeeded(status, "Windows is out of S mode"),
            Some(Switching::WasOut) => succeeded(status, "Windows was out of S mode before"),
            Some(Switching::Failed) => failed(status, "the device could not leave S mode", None),
            Some(Switching::Pending) => wait("the switch is under way"),
            None => wait("the switch was accepted; the device does not tell how far it is"),
        }
    }
}

fn wait(words: &str) -> Conclusion {
    Conclusion::Follow(Question { commands: vec![s_mode::read_status()], detail: words.to_owned() })
}
