//! Autopilot reset (management reference 7.6).

use time::Duration;

use super::judge::{accepted_exec, answer, error_at, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Placing, Question, Repeat};
use crate::domain::command::ItemState;
use crate::proto::csp::automatic_redeployment::{self, Stage};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Erase apps, settings and personal files; keep the Entra join and the enrollment.
pub(super) struct AutopilotReset;

impl Recipe for AutopilotReset {
    fn name(&self) -> &'static str {
        "autopilot_reset"
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(automatic_redeployment::START)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![automatic_redeployment::start()]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn placing(&self, body: &[Command]) -> Placing {
        if body.iter().any(|command| command.verb == Verb::Get) { Placing::USUAL } else { Placing::LAST_AND_ALONE }
    }

    /// It waits for a restart and for power.
    fn patience(&self) -> Duration {
        Duration::WEEK
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(status) = answer(items, &LocUri::fixed(automatic_redeployment::STATUS)) else {
            let ask = || wait("the reset was accepted".to_owned());
            return accepted_exec(items, "this device has no Autopilot reset", ask);
        };
        let Some(stage) = status.data.as_deref().and_then(Stage::parse) else {
            return wait("the reset was accepted; the device does not tell how far it is".to_owned());
        };
        let error = error_at(items, &LocUri::fixed(automatic_redeployment::LAST_ERROR));
        match stage {
            Stage::Complete => succeeded(status, &stage.words()),
            Stage::FailedToStart | Stage::NeedsPower | Stage::ResetFailed => failed(status, &stage.words(), error),
            Stage::Never | Stage::Scheduled | Stage::WaitsForReboot | Stage::Other(_) => wait(stage.words()),
        }
    }
}

fn wait(detail: String) -> Conclusion {
    Conclusion::Follow(Question { commands: automatic_redeployment::read(), detail })
}
