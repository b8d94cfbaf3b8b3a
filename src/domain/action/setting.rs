//! Typed settings: what a device is given once and keeps, and what takes it away again.
//!
//! What a setting sends is made by the files of `proto::csp`, from the setting alone; here stands what the answers mean.

mod pfx;
mod scep;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Duration;

use super::judge::conclude_all;
use super::recipe::{Mistake, Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Repeat};
use crate::domain::command::ItemState;
use crate::proto::csp::assigned_access::{self, AssignedAccess};
use crate::proto::csp::bitlocker::DeviceEncryption;
use crate::proto::csp::client_certificate::{CertificateKey, PfxCertificate, ScepCertificate};
use crate::proto::csp::device_lock::{self, PasswordPolicy};
use crate::proto::csp::dm_client::{ConfigRefresh, LostContact};
use crate::proto::csp::laps::LapsPolicy;
use crate::proto::csp::passport_for_work::{PinRecovery, PinRecoveryKey};
use crate::proto::csp::policies;
use crate::proto::csp::reboot::RebootSchedule;
use crate::proto::csp::trusted_certificates::{TrustedCertificate, TrustedCertificateKey};
use crate::proto::csp::update::UpdateRing;
use crate::proto::csp::vpn::{VpnKey, VpnProfile};
use crate::proto::csp::wifi::{WifiKey, WifiProfile};
use crate::proto::syncml::{Command, LocUri};

/// A setting of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Setting {
    /// A certificate in a store.
    TrustedCertificate(TrustedCertificate),
    /// A certificate with its key, as PKCS#12.
    PfxCertificate(PfxCertificate),
    /// A certificate that the device gets by SCEP.
    ScepCertificate(ScepCertificate),
    /// A wireless network.
    WifiProfile(WifiProfile),
    /// A connection to a private network.
    VpnProfile(VpnProfile),
    /// What a password must be like.
    PasswordPolicy(PasswordPolicy),
    /// How updates come.
    UpdateRing(UpdateRing),
    /// How often policies are applied again.
    ConfigRefresh(ConfigRefresh),
    /// When a device that lost contact leaves.
    LostContact(LostContact),
    /// Whether drives are encrypted.
    DeviceEncryption(DeviceEncryption),
    /// How the password of a local administrator is kept.
    LapsPolicy(LapsPolicy),
    /// Whether people may set a new PIN at the lock screen.
    PinRecovery(PinRecovery),
    /// A kiosk.
    AssignedAccess(AssignedAccess),
    /// When the device restarts.
    RebootSchedule(RebootSchedule),
}

/// Which setting of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SettingKey {
    /// A certificate in a store.
    TrustedCertificate(TrustedCertificateKey),
    /// A certificate with its key, as PKCS#12.
    PfxCertificate(CertificateKey),
    /// A certificate that the device got by SCEP.
    ScepCertificate(CertificateKey),
    /// A wireless network.
    WifiProfile(WifiKey),
    /// A connection to a private network.
    VpnProfile(VpnKey),
    /// What a password must be like.
    PasswordPolicy,
    /// How updates come.
    UpdateRing,
    /// How often policies are applied again.
    ConfigRefresh,
    /// When a device that lost contact leaves.
    LostContact,
    /// Whether drives are encrypted.
    DeviceEncryption,
    /// How the password of a local administrator is kept.
    LapsPolicy,
    /// Whether people may set a new PIN at the lock screen.
    PinRecovery(PinRecoveryKey),
    /// A kiosk.
    AssignedAccess,
    /// When the device restarts.
    RebootSchedule,
}

impl Setting {
    /// What takes it away again. `order` is the one that gave it: certificates without an id of their own have its id.
    #[must_use]
    pub fn key(&self, order: &Order<'_>) -> SettingKey {
        match self {
            Self::TrustedCertificate(certificate) => SettingKey::TrustedCertificate(certificate.key()),
            Self::PfxCertificate(pfx) => SettingKey::PfxCertificate(pfx::key(pfx, order)),
            Self::ScepCertificate(scep) => SettingKey::ScepCertificate(scep::key(scep, order)),
            Self::WifiProfile(wifi) => SettingKey::WifiProfile(wifi.key()),
            Self::VpnProfile(vpn) => SettingKey::VpnProfile(vpn.key()),
            Self::PasswordPolicy(_) => SettingKey::PasswordPolicy,
            Self::UpdateRing(_) => SettingKey::UpdateRing,
            Self::ConfigRefresh(_) => SettingKey::ConfigRefresh,
            Self::LostContact(_) => SettingKey::LostContact,
            Self::DeviceEncryption(_) => SettingKey::DeviceEncryption,
            Self::LapsPolicy(_) => SettingKey::LapsPolicy,
            Self::PinRecovery(recovery) => SettingKey::PinRecovery(recovery.key()),
            Self::AssignedAccess(_) => SettingKey::AssignedAccess,
            Self::RebootSchedule(_) => SettingKey::RebootSchedule,
        }
    }

    /// What is sent to give it to a device.
    #[must_use]
    pub fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        match self {
            Self::TrustedCertificate(certificate) => certificate.commands(),
            Self::PfxCertificate(pfx) => pfx::commands(pfx, order),
            Self::ScepCertificate(scep) => scep::commands(scep, order),
            Self::WifiProfile(wifi) => wifi.commands(),
            Self::VpnProfile(vpn) => vpn.commands(),
            Self::PasswordPolicy(policy) => policy.commands(),
            Self::UpdateRing(ring) => ring.commands(),
            Self::ConfigRefresh(refresh) => refresh.commands(order.provider_id),
            Self::LostContact(contact) => contact.commands(order.provider_id),
            Self::DeviceEncryption(encryption) => encryption.commands(order.is_hololens),
            Self::LapsPolicy(policy) => policy.commands(),
            Self::PinRecovery(recovery) => recovery.commands(),
            Self::AssignedAccess(access) => access.commands(),
            Self::RebootSchedule(schedule) => schedule.commands(),
        }
    }

    /// The nodes without which it cannot work.
    #[must_use]
    pub fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        match self {
            Self::TrustedCertificate(certificate) => vec![certificate.node()],
            Self::PfxCertificate(pfx) => vec![PfxCertificate::node(pfx.scope, pfx::key(pfx, order).certificate_id)],
            Self::ScepCertificate(scep) => {
                vec![ScepCertificate::node(scep.scope, scep::key(scep, order).certificate_id)]
            }
            Self::WifiProfile(wifi) => vec![wifi.node()],
            Self::VpnProfile(vpn) => vec![vpn.node()],
            Self::PasswordPolicy(_) => vec![policies::node(device_lock::DEVICE_PASSWORD_ENABLED)],
            Self::UpdateRing(_) | Self::LapsPolicy(_) => targets(&self.commands(order)),
            Self::ConfigRefresh(_) => vec![ConfigRefresh::node(order.provider_id)],
            Self::LostContact(_) => vec![LostContact::node(order.provider_id)],
            Self::DeviceEncryption(_) => DeviceEncryption::nodes(order.is_hololens),
            Self::PinRecovery(recovery) => vec![recovery.key().node()],
            Self::AssignedAccess(_) => vec![LocUri::fixed(assigned_access::CONFIGURATION)],
            Self::RebootSchedule(schedule) => schedule.nodes(),
        }
    }

    fn mistakes(&self, order: &Order<'_>) -> Vec<Mistake> {
        let found = match self {
            Self::TrustedCertificate(certificate) if !certificate.store.is_in(certificate.scope) => {
                vec![("scope", "users have no store of root authorities of their own".to_owned())]
            }
            Self::PfxCertificate(pfx) => pfx::mistakes(pfx),
            Self::ScepCertificate(scep) => scep::mistakes(scep),
            Self::WifiProfile(wifi) => wifi.mistakes(),
            Self::VpnProfile(vpn) => vpn.mistakes(),
            Self::LapsPolicy(policy) => policy.mistakes(),
            Self::AssignedAccess(access) => access.mistakes(),
            _ if self.commands(order).is_empty() => vec![("", "sets nothing".to_owned())],
            _ => Vec::new(),
        };
        let place = |field: &str| if field.is_empty() { "/setting".to_owned() } else { format!("/setting/{field}") };
        found.into_iter().map(|(field, words)| Mistake::new(place(field), words)).collect()
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match self {
            Self::PfxCertificate(pfx) => pfx::conclude(pfx, order, items),
            Self::ScepCertificate(scep) => scep::conclude(scep, order, items),
            _ => conclude_all(items),
        }
    }
}

/// Every node that commands are about.
fn targets(commands: &[Command]) -> Vec<LocUri> {
    let items = commands.iter().flat_map(Command::walk).flat_map(|command| &command.items);
    items.filter_map(|item| item.target.clone()).collect()
}

impl SettingKey {
    /// What is sent to take it away.
    #[must_use]
    pub fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        match self {
            Self::TrustedCertificate(key) => key.commands(),
            Self::PfxCertificate(key) => vec![Command::delete(PfxCertificate::node(key.scope, key.certificate_id))],
            Self::ScepCertificate(key) => vec![Command::delete(ScepCertificate::node(key.scope, key.certificate_id))],
            Self::WifiProfile(key) => key.commands(),
            Self::VpnProfile(key) => key.commands(),
            Self::PasswordPolicy => PasswordPolicy::removal(),
            Self::UpdateRing => UpdateRing::removal(),
            Self::ConfigRefresh => ConfigRefresh::removal(order.provider_id),
            Self::LostContact => LostContact::removal(order.provider_id),
            Self::DeviceEncryption => DeviceEncryption::removal(order.is_hololens),
            Self::LapsPolicy => LapsPolicy::removal(),
            Self::PinRecovery(key) => key.commands(),
            Self::AssignedAccess => AssignedAccess::removal(),
            Self::RebootSchedule => RebootSchedule::removal(),
        }
    }
}

/// Give a device a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplySetting {
    /// Which.
    pub setting: Setting,
}

/// Take a setting away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveSetting {
    /// Which.
    pub setting: SettingKey,
}

impl Recipe for ApplySetting {
    fn name(&self) -> &'static str {
        "apply_setting"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        self.setting.mistakes(&Order::draft())
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        self.setting.nodes(order)
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.setting.commands(order)
    }

    /// An enrollment is begun by an Exec, whose challenge works once.
    fn repeat(&self, _: &[Command]) -> Repeat {
        match &self.setting {
            Setting::ScepCertificate(_) => Repeat::Never,
            _ => Repeat::Freely,
        }
    }

    fn patience(&self) -> Duration {
        Duration::WEEK
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        self.setting.conclude(order, items)
    }

    fn hear(&self, order: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        match &self.setting {
            Setting::ScepCertificate(scep) => scep::hear(scep, order, alert),
            _ => None,
        }
    }

    fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        match &self.setting {
            Setting::PfxCertificate(pfx) => Some(pfx::result(pfx, order, items)),
            Setting::ScepCertificate(scep) => Some(scep::result(scep, order, items)),
            _ => None,
        }
    }
}

impl Recipe for RemoveSetting {
    fn name(&self) -> &'static str {
        "remove_setting"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        self.setting.commands(order)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }
}
