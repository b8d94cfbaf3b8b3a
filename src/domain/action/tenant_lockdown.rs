//! TenantLockdown (management reference 7.1).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{conclude_all, ending, no_status};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Ending, Impossible, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::tenant_lockdown;
use crate::proto::syncml::{Command, LocUri};

/// Insist on the tenant's sign-in after a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantLockdown {
    /// On or off.
    pub enable: bool,
}

impl Recipe for TenantLockdown {
    fn name(&self) -> &'static str {
        "tenant_lockdown"
    }

    fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        // What somebody else switched on can be switched off however the device came.
        if !self.enable || enrollment.mode.is_autopilot() {
            return Ok(());
        }
        Err(Impossible::NotAutopilot(enrollment.mode.as_str()))
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(tenant_lockdown::REQUIRE_NETWORK_IN_OOBE)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![tenant_lockdown::set(self.enable), tenant_lockdown::read()]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let (Some(set), read) = (items.first(), items.get(1)) else { return Conclusion::Finished(no_status()) };
        if matches!(set.status, Some(404 | 406)) {
            let words = "this edition or build of Windows has no TenantLockdown";
            return Conclusion::Finished(ending(CommandState::Unsupported, set, words));
        }
        let written = conclude_all(&items[..1]);
        let Conclusion::Finished(Ending { state: CommandState::Succeeded, .. }) = written else { return written };
        let reported = read.and_then(|item| item.data.as_deref()).map(|data| data.trim().to_lowercase());
        let expected = if self.enable { ["true", "1"] } else { ["false", "0"] };
        Conclusion::Finished(match reported {
            Some(value) if !expected.contains(&value.as_str()) => {
                ending(CommandState::Failed, set, "the device took the value but reports another one")
            }
            Some(_) => ending(CommandState::Succeeded, set, "set, and confirmed by reading it back"),
            None => ending(CommandState::Succeeded, set, "set; the device did not let it be read back"),
        })
    }
}
