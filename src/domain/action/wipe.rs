//! Wipe (management reference 7.5).

use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;

use super::judge::{decide_or_retry, ending, is_done, no_status};
use super::recipe::{Instead, Order, Recipe};
use super::{Conclusion, Impossible, Placing, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::syncml::{Command, LocUri, Verb};

/// Erase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wipe {
    /// What is kept.
    #[serde(default)]
    pub variant: Variant,
}

impl Recipe for Wipe {
    fn name(&self) -> &'static str {
        "wipe"
    }

    fn is_destructive(&self) -> bool {
        true
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        if enrollment.is_hololens() && !self.variant.is_on_hololens() {
            return Err(Impossible::NotOnHoloLens);
        }
        Ok(())
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(self.variant.node())]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![self.variant.command()]
    }

    /// A plain wipe erases no more than what was asked for.
    fn instead(&self) -> Option<Instead> {
        let plain = Variant::Wipe;
        self.variant
            .falls_back()
            .then(|| Instead { nodes: vec![LocUri::fixed(plain.node())], commands: vec![plain.command()] })
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        if self.variant.keeps_data() {
            return Repeat::Never;
        }
        Repeat::Offers { most: 3, pause: Duration::minutes(10) }
    }

    fn placing(&self, _: &[Command]) -> Placing {
        Placing::LAST_AND_ALONE
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
        let own_node = item.is_for(&LocUri::fixed(self.variant.node()));
        Conclusion::Finished(match item.status {
            Some(404) if own_node && self.variant.falls_back() => {
                return Conclusion::Next(vec![Variant::Wipe.command()]);
            }
            Some(404 | 406) => ending(
                CommandState::Unsupported,
                item,
                "this device does not have this kind of wipe; no other was tried, because it would erase what was to be kept",
            ),
            Some(code) if is_done(Verb::Exec, code) => {
                ending(CommandState::Succeeded, item, "the device accepted the wipe")
            }
            Some(500) => ending(
                CommandState::Failed,
                item,
                "the device could not start the wipe; its recovery environment may be off",
            ),
            _ => return decide_or_retry(item, Verb::Exec),
        })
    }
}
