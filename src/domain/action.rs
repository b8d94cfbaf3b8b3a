//! Actions: what an administrator asks for, the commands it becomes, and what the device's answers mean for it.
//!
//! Management reference chapter 7 (recipes) and 1.15 (which commands may be repeated). Each kind of action is one file
//! below this one; what all of them have to say is the trait in `recipe`.

mod apps;
mod assigned_access;
mod attest_health;
mod autopilot_reset;
mod collect_diagnostics;
mod contact;
mod create_local_account;
mod declared_documents;
mod device_lock;
mod drives;
mod examples;
mod judge;
mod laps_policy;
mod licensing;
mod linked_enrollment;
mod lock;
mod msi;
mod network_profiles;
mod outcome;
mod pfx_certificate;
mod pin_recovery;
mod raw;
mod reboot;
mod recipe;
mod remove_setting;
mod rename;
mod renew_certificate;
mod reset_passcode;
mod retire;
mod rotate_bitlocker_keys;
mod s_mode;
mod scep_certificate;
mod secrets;
mod setting;
mod sync;
mod tenant_lockdown;
mod trusted_certificate;
mod updates;
mod watch_nodes;
mod wipe;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;

use super::command::ItemState;
use super::enrollment::Enrollment;
use crate::proto::csp::accounts::CreateLocalAccount;
use crate::proto::csp::assigned_access::AssignedAccess;
use crate::proto::csp::bitlocker_policy::BitLockerPolicy;
use crate::proto::csp::client_certificate::pfx::PfxCertificate;
use crate::proto::csp::client_certificate::scep::ScepCertificate;
use crate::proto::csp::computer_name;
use crate::proto::csp::config_refresh::ConfigRefresh;
use crate::proto::csp::device_encryption::DeviceEncryption;
use crate::proto::csp::device_lock::DeviceLock;
use crate::proto::csp::diagnostics::Collection;
use crate::proto::csp::health_attestation::AttestHealth;
use crate::proto::csp::laps_policy::LapsPolicy;
use crate::proto::csp::lost_contact::LostContact;
use crate::proto::csp::msi::{InstallMsi, UninstallMsi};
use crate::proto::csp::node_cache::WatchNodes;
use crate::proto::csp::packaged_apps::{InstallApp, InstallStoreApp, ListApps, RemoveApp};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::pin_recovery::PinRecovery;
use crate::proto::csp::reboot_schedule::RebootSchedule;
use crate::proto::csp::s_mode::SModePolicy;
use crate::proto::csp::trusted_certificates::TrustedCertificate;
use crate::proto::csp::update::{ApproveUpdate, RollbackUpdate};
use crate::proto::csp::update_ring::UpdateRing;
use crate::proto::csp::vpn::VpnProfile;
use crate::proto::csp::wifi::WifiProfile;
use crate::proto::csp::windows_licensing::{ChangeProductKey, UpgradeEdition};
use crate::proto::syncml::{Command, LocUri};

pub use declared_documents::{AbandonDocument, DeclareDocument, DeleteDocument};
pub use judge::describe_hresult;
pub use linked_enrollment::LinkEnrollment;
pub use outcome::{Conclusion, DeviceAlert, Ending, Heard, Question};
pub use recipe::{Instead, Order};
pub use remove_setting::{Removable, RemoveSetting};
pub use rename::Rename;
pub use reset_passcode::{ResetMethod, ResetPasscode};
pub use tenant_lockdown::TenantLockdown;
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
    /// Renew the certificate of the enrollment at once.
    RenewCertificate,
    /// Autopilot reset: erase apps, settings and personal files, stay enrolled.
    AutopilotReset,
    /// Pack logs and upload them here.
    CollectDiagnostics(Collection),
    /// Give the device a Wi-Fi profile.
    WifiProfile(WifiProfile),
    /// Give the device a VPN profile.
    VpnProfile(VpnProfile),
    /// Say what a password must be, and when the device locks itself.
    DeviceLock(DeviceLock),
    /// Have Windows put policies back by itself.
    ConfigRefresh(ConfigRefresh),
    /// Have the device leave by itself once the server is lost.
    LostContact(LostContact),
    /// Say how drives are encrypted.
    BitlockerPolicy(BitLockerPolicy),
    /// Say whether people may leave S mode.
    SModePolicy(SModePolicy),
    /// Take Windows out of S mode, for good.
    SwitchFromSMode,
    /// Put a certificate into a store.
    TrustedCertificate(TrustedCertificate),
    /// Install a certificate with its key.
    PfxCertificate(PfxCertificate),
    /// Have the device get a certificate by SCEP.
    ScepCertificate(ScepCertificate),
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
    /// Have the drives encrypted.
    DeviceEncryption(DeviceEncryption),
    /// Say how updates come.
    UpdateRing(UpdateRing),
    /// Say how the password of a local administrator is made and kept.
    LapsPolicy(LapsPolicy),
    /// Say whether people may set a new PIN at the lock screen.
    PinRecovery(PinRecovery),
    /// Make it a kiosk.
    AssignedAccess(AssignedAccess),
    /// Restart by schedule.
    RebootSchedule(RebootSchedule),
    /// Let an update be installed where only approved ones are.
    ApproveUpdate(ApproveUpdate),
    /// Read which updates there are.
    ListUpdates,
    /// Take the last update of a kind back.
    RollbackUpdate(RollbackUpdate),
    /// Change the edition of Windows.
    UpgradeEdition(UpgradeEdition),
    /// Change the product key within the edition.
    ChangeProductKey(ChangeProductKey),
    /// Make a local account.
    CreateLocalAccount(CreateLocalAccount),
    /// Have the device prove what its TPM measured.
    AttestHealth(AttestHealth),
    /// Have the device watch nodes.
    WatchNodes(WatchNodes),
    /// Read which of the watched nodes changed.
    ListChangedNodes,
    /// Take a setting away.
    RemoveSetting(RemoveSetting),
    /// Give the device a document of declared configuration.
    DeclareDocument(DeclareDocument),
    /// Hand the settings of a document back, or take them again.
    AbandonDocument(AbandonDocument),
    /// Take a document away.
    DeleteDocument(DeleteDocument),
    /// Have the device enroll a second time, for declared configuration.
    LinkEnrollment(LinkEnrollment),
    /// Have it end that enrollment.
    UnlinkEnrollment,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether the device restarts for it at the end of the session.
    #[must_use]
    pub fn restarts(&self) -> bool {
        *self == Self::BEFORE_THE_LAST
    }

    /// Whether nothing may come after it, and no restart into its way.
    #[must_use]
    pub fn is_last(&self) -> bool {
        *self == Self::LAST_AND_ALONE
    }
}

/// Why an action cannot be asked of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// TenantLockdown means something only where Autopilot knows the device.
    #[error("TenantLockdown works only on devices that came through Autopilot; this one enrolled as {0}")]
    NotAutopilot(&'static str),
    /// Windows would not take the name.
    #[error(transparent)]
    Name(computer_name::NameError),
    /// HoloLens has two of the wipe variants.
    #[error("HoloLens supports only the variants wipe and keep_provisioning")]
    NotOnHoloLens,
    /// HoloLens has packaged apps of its user only.
    #[error("HoloLens has apps of its user only: say scope user")]
    AppsOfUserOnly,
    /// A parameter is not what Windows takes.
    #[error(transparent)]
    Parameter(Unfit),
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
            Self::RenewCertificate => &renew_certificate::RenewCertificate,
            Self::AutopilotReset => &autopilot_reset::AutopilotReset,
            Self::CollectDiagnostics(collection) => collection,
            Self::WifiProfile(profile) => profile,
            Self::VpnProfile(profile) => profile,
            Self::DeviceLock(lock) => lock,
            Self::ConfigRefresh(refresh) => refresh,
            Self::LostContact(contact) => contact,
            Self::BitlockerPolicy(policy) => policy,
            Self::SModePolicy(policy) => policy,
            Self::SwitchFromSMode => &s_mode::SwitchFromSMode,
            Self::TrustedCertificate(certificate) => certificate,
            Self::PfxCertificate(pfx) => pfx,
            Self::ScepCertificate(scep) => scep,
            Self::InstallMsi(install) => install,
            Self::UninstallMsi(uninstall) => uninstall,
            Self::InstallApp(install) => install,
            Self::InstallStoreApp(install) => install,
            Self::RemoveApp(remove) => remove,
            Self::ListApps(list) => list,
            Self::DeviceEncryption(encryption) => encryption,
            Self::UpdateRing(ring) => ring,
            Self::LapsPolicy(policy) => policy,
            Self::PinRecovery(recovery) => recovery,
            Self::AssignedAccess(access) => access,
            Self::RebootSchedule(schedule) => schedule,
            Self::ApproveUpdate(approve) => approve,
            Self::ListUpdates => &updates::ListUpdates,
            Self::RollbackUpdate(rollback) => rollback,
            Self::UpgradeEdition(upgrade) => upgrade,
            Self::ChangeProductKey(change) => change,
            Self::CreateLocalAccount(create) => create,
            Self::AttestHealth(attest) => attest,
            Self::WatchNodes(watch) => watch,
            Self::ListChangedNodes => &watch_nodes::ListChangedNodes,
            Self::RemoveSetting(removal) => removal,
            Self::DeclareDocument(document) => document,
            Self::AbandonDocument(document) => document,
            Self::DeleteDocument(document) => document,
            Self::LinkEnrollment(link) => link,
            Self::UnlinkEnrollment => &linked_enrollment::UnlinkEnrollment,
        }
    }

    /// The actions that can be asked for, once for each choice that needs other nodes; names and values are examples.
    /// Commands of an administrator's own are not among them, nor is what takes a setting away.
    #[must_use]
    pub fn kinds() -> Vec<Self> {
        examples::all()
    }

    /// The word of the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.recipe().name()
    }

    /// Whether what it does cannot be undone.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        self.recipe().is_destructive()
    }

    /// Whether it belongs to declared configuration, which is an experiment: it is asked for only where that is switched on.
    #[must_use]
    pub fn is_declared_configuration(&self) -> bool {
        self.recipe().is_declared_configuration()
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

    /// Whether it is not asked where the catalogue says that a node of it is missing.
    #[must_use]
    pub fn goes_by_description(&self) -> bool {
        self.recipe().goes_by_description()
    }

    /// The first commands.
    #[must_use]
    pub fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.recipe().first_step(order)
    }

    /// What is sent first to a device that is known not to have its nodes; nothing where there is no other way.
    #[must_use]
    pub fn instead(&self) -> Option<Instead> {
        self.recipe().instead()
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

    /// What the answers to all steps brought, as it is shown.
    #[must_use]
    pub fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        self.recipe().result(order, items)
    }

    /// What the answers to a step mean, once every command of it has one.
    #[must_use]
    pub fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        self.recipe().conclude(order, items)
    }
}

#[cfg(test)]
mod tests;
