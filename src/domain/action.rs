//! Actions: what an administrator asks for, the commands it becomes, and what the device's answers mean for it.
//!
//! Management reference chapter 7 (recipes) and 1.15 (which commands may be repeated). Each kind of action is one file
//! below this one; what all of them have to say is the trait in `recipe`.

mod apps;
mod attest_health;
mod autopilot_reset;
mod collect_diagnostics;
mod create_local_account;
mod judge;
mod licensing;
mod lock;
mod msi;
mod raw;
mod reboot;
mod recipe;
mod rename;
mod reset_passcode;
mod retire;
mod rotate_bitlocker_keys;
mod secrets;
mod setting;
mod sync;
mod tenant_lockdown;
mod updates;
mod watch_nodes;
mod wipe;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;

use super::command::{CommandState, ItemState};
use super::enrollment::Enrollment;
use crate::proto::csp::msi::{InstallMsi, UninstallMsi};
use crate::proto::csp::packaged_apps::{InstallApp, InstallStoreApp, ListApps, RemoveApp};
use crate::proto::syncml::{AlertType, Command, LocUri};

pub use attest_health::{AttestHealth, Service};
pub use collect_diagnostics::CollectDiagnostics;
pub use create_local_account::CreateLocalAccount;
pub use judge::describe_hresult;
pub use licensing::{ChangeProductKey, UpgradeEdition};
pub use recipe::{Instead, Mistake, Order};
pub use rename::Rename;
pub use reset_passcode::{ResetMethod, ResetPasscode};
pub use setting::{ApplySetting, RemoveSetting, Setting, SettingKey};
pub use tenant_lockdown::TenantLockdown;
pub use updates::{ApproveUpdate, ListUpdates, RollbackUpdate};
pub use watch_nodes::{ListChangedNodes, WatchNodes};
pub use wipe::Wipe;

use recipe::Recipe;

/// What is to happen on the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Commands as an administrator wrote them.
    Raw,
    /// Lock the screen.
    Lock,
    /// Undo a lock: Windows has no command for it.
    Unlock,
    /// Set a new PIN or password.
    ResetPasscode(ResetPasscode),
    /// Leave management.
    Retire,
    /// Erase.
    Wipe(Wipe),
    /// Restart.
    Reboot,
    /// Report back.
    Sync,
    /// Change the computer name.
    Rename(Rename),
    /// Insist on the tenant's sign-in after a reset.
    TenantLockdown(TenantLockdown),
    /// Rotate the BitLocker recovery passwords.
    RotateBitlockerKeys,
    /// Autopilot reset: erase apps, settings and personal files, stay enrolled.
    AutopilotReset,
    /// Install an MSI package.
    InstallMsi(InstallMsi),
    /// Remove an MSI package.
    UninstallMsi(UninstallMsi),
    /// Install a packaged app from a server.
    InstallApp(InstallApp),
    /// Install an app of the Microsoft Store.
    InstallStoreApp(InstallStoreApp),
    /// Remove a packaged app.
    RemoveApp(RemoveApp),
    /// Read which packaged apps there are.
    ListApps(ListApps),
    /// Give a device a setting.
    ApplySetting(ApplySetting),
    /// Take a setting away.
    RemoveSetting(RemoveSetting),
    /// Let an update be installed, or no longer.
    ApproveUpdate(ApproveUpdate),
    /// Read which updates there are.
    ListUpdates(ListUpdates),
    /// Take the last update of a kind back.
    RollbackUpdate(RollbackUpdate),
    /// Change the edition of Windows.
    UpgradeEdition(UpgradeEdition),
    /// Change the product key.
    ChangeProductKey(ChangeProductKey),
    /// Have the device prove what its TPM measured.
    AttestHealth(AttestHealth),
    /// Have the device pack logs and upload them here.
    CollectDiagnostics(CollectDiagnostics),
    /// Have the device watch nodes.
    WatchNodes(WatchNodes),
    /// Read which of the watched nodes changed.
    ListChangedNodes(ListChangedNodes),
    /// Make a local account.
    CreateLocalAccount(CreateLocalAccount),
}

/// Whether a command without an answer may be offered again (management reference 1.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Repeating changes nothing more: back to the queue.
    Freely,
    /// Repeating may do harm: an operator decides.
    Never,
    /// In a later session, at most so many offers in all, with a pause between them.
    Offers {
        /// Offers in all.
        most: u32,
        /// Least time between two of them.
        pause: Duration,
    },
}

/// Where a command stands in the queue (management reference 1.15, order).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placing {
    /// Lower goes first.
    pub priority: i64,
    /// Whether it is the only command of its message.
    pub alone: bool,
}

impl Placing {
    const USUAL: Self = Self { priority: 20, alone: false };
    const BEFORE_THE_LAST: Self = Self { priority: 40, alone: false };
    const LAST_AND_ALONE: Self = Self { priority: 50, alone: true };
}

/// What the answers to one step of an action mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Conclusion {
    /// Over.
    Finished(Ending),
    /// The next commands of the same action.
    Next(Vec<Command>),
    /// The device asks to come again later.
    Retry(u16),
    /// The device accepted it and works on its own: it is asked later how far it is.
    Follow(Question),
}

/// What asks the device later how far it is with an action that it accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Only Gets: they may be asked as often as it takes.
    pub commands: Vec<Command>,
    /// What is waited for, in words.
    pub detail: String,
}

/// What an alert means for an action that it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It tells how the action ended.
    Over(Ending),
    /// It says that there is something to look at now.
    Look(Question),
}

impl DeviceAlert<'_> {
    /// What an alert means whose payload is 0, or an HRESULT.
    fn told(&self, done: &str, failed: &str) -> Heard {
        let error = judge::parse_hresult(self.data);
        let (state, detail) = match error {
            Some(0) => (CommandState::Succeeded, done.to_owned()),
            _ => (CommandState::Failed, format!("{failed}; {}", describe_hresult(self.data.trim()))),
        };
        let hresult = error.filter(|code| *code != 0).map(|code| format!("0x{code:08X}"));
        Heard::Over(Ending { state, status: None, hresult, detail })
    }
}

/// An alert that may tell something about an action (management reference chapter 4).
#[derive(Clone, Copy, Debug)]
pub struct DeviceAlert<'a> {
    /// What it is about.
    pub subject: &'a AlertType,
    /// The node it is about.
    pub source: Option<&'a LocUri>,
    /// Its payload.
    pub data: &'a str,
}

/// How an action or command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Final state.
    pub state: CommandState,
    /// The OMA-DM status that decided.
    pub status: Option<u16>,
    /// The HRESULT beside it.
    pub hresult: Option<String>,
    /// In words.
    pub detail: String,
}

impl Ending {
    /// The device said too often that it is not the time.
    #[must_use]
    pub fn gave_up(status: u16) -> Self {
        Self {
            state: CommandState::Failed,
            status: Some(status),
            hresult: None,
            detail: format!("the device kept asking to try again later (status {status})"),
        }
    }

    /// The device said that it is not the time, and trying again would repeat what was carried out.
    #[must_use]
    pub fn not_repeated(status: u16) -> Self {
        let detail = format!("to be tried again later (status {status}), which would repeat what was carried out");
        Self { detail, ..Self::gave_up(status) }
    }
}

/// Why an action cannot be asked of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// TenantLockdown means something only where Autopilot knows the device.
    #[error("TenantLockdown works only on devices that came through Autopilot; this one enrolled as {0}")]
    NotAutopilot(&'static str),
    /// HoloLens has packaged apps of its user only.
    #[error("HoloLens has apps of its user only: say scope user")]
    UserOnlyOnHoloLens,
    /// HoloLens has two of the wipe variants.
    #[error("HoloLens supports only the variants wipe and keep_provisioning")]
    NotOnHoloLens,
}

impl Action {
    fn recipe(&self) -> &dyn Recipe {
        match self {
            Self::Raw => &raw::Raw,
            Self::Lock => &lock::Lock,
            Self::Unlock => &lock::Unlock,
            Self::ResetPasscode(reset) => reset,
            Self::Retire => &retire::Retire,
            Self::Wipe(wipe) => wipe,
            Self::Reboot => &reboot::Reboot,
            Self::Sync => &sync::Sync,
            Self::Rename(rename) => rename,
            Self::TenantLockdown(lockdown) => lockdown,
            Self::RotateBitlockerKeys => &rotate_bitlocker_keys::RotateBitlockerKeys,
            Self::AutopilotReset => &autopilot_reset::AutopilotReset,
            Self::InstallMsi(install) => install,
            Self::UninstallMsi(uninstall) => uninstall,
            Self::InstallApp(install) => install,
            Self::InstallStoreApp(install) => install,
            Self::RemoveApp(remove) => remove,
            Self::ListApps(list) => list,
            Self::ApplySetting(apply) => apply,
            Self::RemoveSetting(remove) => remove,
            Self::ApproveUpdate(approve) => approve,
            Self::ListUpdates(list) => list,
            Self::RollbackUpdate(rollback) => rollback,
            Self::UpgradeEdition(upgrade) => upgrade,
            Self::ChangeProductKey(change) => change,
            Self::AttestHealth(attest) => attest,
            Self::CollectDiagnostics(collect) => collect,
            Self::WatchNodes(watch) => watch,
            Self::ListChangedNodes(list) => list,
            Self::CreateLocalAccount(create) => create,
        }
    }

    /// The word of the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.recipe().name()
    }

    /// What is wrong with its parameters, beyond what their types say.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.recipe().mistakes()
    }

    /// What the answers to all its steps brought, as it is shown.
    #[must_use]
    pub fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        self.recipe().result(order, items)
    }

    /// Whether what it does cannot be undone.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.recipe().is_destructive()
    }

    /// How long it waits for the device unless told otherwise.
    #[must_use]
    pub fn default_expiry(&self) -> Duration {
        self.recipe().default_expiry()
    }

    /// What stands against it on that enrollment, before any device is asked.
    pub fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        self.recipe().check(enrollment)
    }

    /// The nodes without which it cannot work.
    #[must_use]
    pub fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        self.recipe().nodes(order)
    }

    /// The first commands.
    #[must_use]
    pub fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.recipe().first_step(order)
    }

    /// What is sent first to a device that is known not to have its nodes; nothing where there is no other way.
    #[must_use]
    pub fn instead(&self, order: &Order<'_>) -> Option<Instead> {
        self.recipe().instead(order)
    }

    /// Whether these commands of it may be repeated when no answer came.
    #[must_use]
    pub fn repeat(&self, body: &[Command]) -> Repeat {
        self.recipe().repeat(body)
    }

    /// Where these commands of it stand in the queue.
    #[must_use]
    pub fn placing(&self, body: &[Command]) -> Placing {
        self.recipe().placing(body)
    }

    /// What an alert means for it, if it is about it.
    #[must_use]
    pub fn hear(&self, order: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        self.recipe().hear(order, alert)
    }

    /// How long the device may work on it after it accepted it.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.recipe().patience()
    }

    /// What the answers to a step mean, once every command of it has one.
    #[must_use]
    pub fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        self.recipe().conclude(order, items)
    }
}

#[cfg(test)]
mod recipe_tests;
#[cfg(test)]
mod tests;
