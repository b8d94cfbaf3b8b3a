//! A new PIN or password (management reference 7.3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{
    PENDING, accepted_exec, answer, decide_or_retry, ending, failed, no_status, parse_hresult, succeeded,
};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::{laps, remote_lock};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Set a new PIN or password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPasscode {
    /// How.
    #[serde(default)]
    pub method: ResetMethod,
}

/// How a passcode is reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// All methods.
    pub const ALL: [Self; 3] = [Self::ResetPin, Self::RecoverPin, Self::Laps];

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

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        if self.method == ResetMethod::Laps { conclude_rotation(items) } else { conclude_pin(items) }
    }
}

/// The device tells with an HRESULT how the rotation ended.
fn conclude_rotation(items: &[ItemState]) -> Conclusion {
    let wait =
        |words: &str| Conclusion::Follow(Question { commands: vec![laps::read_status()], detail: words.to_owned() });
    let Some(status) = answer(items, &LocUri::fixed(laps::RESET_PASSWORD_STATUS)) else {
        let ask = || wait("the rotation was accepted");
        return accepted_exec(items, "this device has no LAPS", ask);
    };
    match status.data.as_deref().and_then(parse_hresult) {
        Some(0) => succeeded(status, "the password was rotated; Entra ID or Active Directory has the new one"),
        Some(PENDING) => wait("the rotation is under way"),
        Some(code) => failed(status, "the rotation failed", Some(code)),
        None => wait("the rotation was accepted; the device does not tell how far it is"),
    }
}

/// The Exec decides; the Get only brings the PIN.
fn conclude_pin(items: &[ItemState]) -> Conclusion {
    let Some(exec) = items.iter().find(|item| item.cmd == Verb::Exec.name()) else {
        return Conclusion::Finished(no_status());
    };
    let container = items.first().filter(|item| item.is_container());
    let item = if exec.status.is_none() { container.unwrap_or(exec) } else { exec };
    Conclusion::Finished(match item.status {
        Some(405) => ending(CommandState::Failed, item, "the device does not allow it now; it may have no PIN"),
        Some(404 | 406 | 501) => ending(CommandState::Unsupported, item, "this device cannot reset its PIN this way"),
        _ => return decide_or_retry(item, Verb::Exec),
    })
}
