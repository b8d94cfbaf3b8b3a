//! A new PIN or password (management reference 7.3).

use serde::{Deserialize, Serialize};

use super::judge::{decide_or_retry, ending, no_status};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::{laps, remote_lock};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Set a new PIN or password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetPasscode {
    /// How.
    #[serde(default)]
    pub method: ResetMethod,
}

/// How a passcode is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetMethod {
    /// RemoteLock `LockAndResetPIN`.
    #[default]
    ResetPin,
    /// RemoteLock `LockAndRecoverPIN`.
    RecoverPin,
    /// Rotation of the local administrator's password.
    Laps,
}

impl ResetMethod {
    fn node(self) -> &'static str {
        match self {
            Self::ResetPin => remote_lock::LOCK_AND_RESET_PIN,
            Self::RecoverPin => remote_lock::LOCK_AND_RECOVER_PIN,
            Self::Laps => laps::RESET_PASSWORD,
        }
    }
}

impl Recipe for ResetPasscode {
    fn name(&self) -> &'static str {
        "reset_passcode"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(self.method.node())]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        match self.method {
            ResetMethod::Laps => vec![laps::reset_password()],
            method => vec![remote_lock::reset_pin(method.node())],
        }
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    /// The Exec decides; the Get only brings the PIN.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(exec) = items.iter().find(|item| item.cmd == Verb::Exec.name()) else {
            return Conclusion::Finished(no_status());
        };
        let container = items.first().filter(|item| item.is_container());
        let item = if exec.status.is_none() { container.unwrap_or(exec) } else { exec };
        Conclusion::Finished(match item.status {
            Some(405) => ending(CommandState::Failed, item, "the device does not allow it now; it may have no PIN"),
            Some(404 | 406 | 501) => {
                ending(CommandState::Unsupported, item, "this device cannot reset its PIN this way")
            }
            _ => return decide_or_retry(item, Verb::Exec),
        })
    }
}
