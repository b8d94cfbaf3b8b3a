//! Logs that a device packs and uploads (management reference 7.21).

use time::Duration;

use super::judge::{accepted_exec, answer, failed, parse_hresult, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Impossible, Question, Repeat};
use crate::domain::command::ItemState;
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::bitlocker::is_request;
use crate::proto::csp::diagnostics::{self, Collection, Outcome};
use crate::proto::syncml::{Command, LocUri};

/// How long the device may take after it has accepted.
const PATIENCE: Duration = Duration::days(3);
const PACKING: &str = "the device packs its logs";

impl Recipe for Collection {
    fn name(&self) -> &'static str {
        "collect_diagnostics"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(diagnostics::DEFINITION)]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        vec![self.command(order.id, order.upload_url.unwrap_or_default())]
    }

    /// The URL takes one upload.
    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// Results count under our id only: they are those of the last collection, whoever asked for it.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let wait = || Conclusion::Follow(Question { commands: diagnostics::read(), detail: PACKING.to_owned() });
        let Some(results) = answer(items, &LocUri::fixed(diagnostics::RESULTS)) else {
            return accepted_exec(items, "this build packs no logs on request", wait);
        };
        let outcome = results.data.as_deref().and_then(Outcome::parse);
        let Some(outcome) = outcome.filter(|outcome| is_request(&outcome.id, order.id)) else { return wait() };
        match (outcome.hresult.as_deref().map(parse_hresult), outcome.failed) {
            (None, _) => wait(),
            (Some(Some(0)), 0) => succeeded(results, "the device packed and uploaded its logs"),
            (Some(Some(0)), count) => {
                let words = format!("the device packed and uploaded its logs, without {count} parts that failed");
                succeeded(results, &words)
            }
            (Some(code), _) => failed(results, "the device could not pack or upload its logs", code),
        }
    }
}
