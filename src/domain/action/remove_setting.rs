//! Takes a setting away: the device does as if it had never been told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recipe::Order;
use super::setting::Setting;
use crate::proto::csp::client_certificate::{pfx, scep};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::scope::Scope;
use crate::proto::csp::trusted_certificates::{self, Store};
use crate::proto::csp::value::{Guid, Misfit, Thumbprint};
use crate::proto::csp::{
    assigned_access, bitlocker_policy, config_refresh, device_encryption, device_lock, laps_policy,
};
use crate::proto::csp::{lost_contact, pin_recovery, reboot_schedule, s_mode, update_ring, vpn, wifi};
use crate::proto::syncml::Command;

/// Take a setting away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSetting {
    /// Which.
    pub setting: Removable,
    /// Of a profile or a certificate: whose it is.
    #[serde(default)]
    pub scope: Scope,
    /// Which one, where there are several: the name of a profile, the `certificate_id` of a certificate with a key, the
    /// SHA-1 of another, the tenant of PIN recovery.
    pub name: Option<String>,
    /// Of a certificate without a key: the store that it is in.
    pub store: Option<Store>,
}

/// Settings that can be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Removable {
    /// A Wi-Fi profile.
    WifiProfile,
    /// A VPN profile.
    VpnProfile,
    /// The policies on passwords and locking.
    DeviceLock,
    /// ConfigRefresh.
    ConfigRefresh,
    /// Leaving after lost contact.
    LostContact,
    /// How drives are encrypted.
    BitlockerPolicy,
    /// Whether people may leave S mode.
    SModePolicy,
    /// That drives are encrypted.
    DeviceEncryption,
    /// How updates come.
    UpdateRing,
    /// How the password of a local administrator is made and kept.
    LapsPolicy,
    /// Whether people may set a new PIN at the lock screen.
    PinRecovery,
    /// The kiosk.
    AssignedAccess,
    /// Restarts by schedule.
    RebootSchedule,
    /// A certificate in a store.
    TrustedCertificate,
    /// A certificate with its key.
    PfxCertificate,
    /// A certificate that the device got by SCEP.
    ScepCertificate,
}

type NameRule = fn(&str) -> Result<(), Unfit>;

impl Removable {
    fn words(self) -> &'static str {
        match self {
            Self::WifiProfile => "the Wi-Fi profile",
            Self::VpnProfile => "the VPN profile",
            Self::DeviceLock => "the password policy",
            Self::ConfigRefresh => "ConfigRefresh",
            Self::LostContact => "leaving after lost contact",
            Self::BitlockerPolicy => "the BitLocker policy",
            Self::SModePolicy => "the policy on S mode",
            Self::DeviceEncryption => "encryption of the drives",
            Self::UpdateRing => "the update ring",
            Self::LapsPolicy => "the LAPS policy",
            Self::PinRecovery => "PIN recovery of the tenant",
            Self::AssignedAccess => "the kiosk configuration",
            Self::RebootSchedule => "the schedule of restarts",
            Self::TrustedCertificate | Self::PfxCertificate | Self::ScepCertificate => "the certificate",
        }
    }

    /// What a name of one must be, where there are several of its kind.
    fn name_rule(self) -> Option<NameRule> {
        match self {
            Self::WifiProfile => Some(wifi::check_name),
            Self::VpnProfile => Some(vpn::check_name),
            Self::TrustedCertificate => Some(|name| named::<Thumbprint>(name).map(drop)),
            Self::PfxCertificate | Self::ScepCertificate | Self::PinRecovery => {
                Some(|name| named::<Guid>(name).map(drop))
            }
            Self::DeviceLock
            | Self::ConfigRefresh
            | Self::LostContact
            | Self::BitlockerPolicy
            | Self::SModePolicy
            | Self::DeviceEncryption
            | Self::UpdateRing
            | Self::LapsPolicy
            | Self::AssignedAccess
            | Self::RebootSchedule => None,
        }
    }
}

/// The name of one as what it has to be.
fn named<T: TryFrom<String, Error = Misfit>>(name: &str) -> Result<T, Unfit> {
    T::try_from(name.to_owned()).map_err(|misfit| Unfit::new("/name", misfit.to_string()))
}

impl RemoveSetting {
    fn check_store(&self) -> Result<(), Unfit> {
        match (self.setting, self.store) {
            (Removable::TrustedCertificate, Some(store)) => store.check(self.scope),
            (Removable::TrustedCertificate, None) => Err(Unfit::new("/store", "say which store it is in")),
            (_, Some(_)) => Err(Unfit::new("/store", "only a certificate without a key is in a store that is named")),
            (_, None) => Ok(()),
        }
    }
}

impl Setting for RemoveSetting {
    fn name(&self) -> &'static str {
        "remove_setting"
    }

    fn subject(&self) -> String {
        [self.setting.words(), self.name.as_deref().unwrap_or_default()].join(" ").trim_end().to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check_store()?;
        match (self.setting.name_rule(), self.name.as_deref()) {
            (Some(rule), Some(name)) => rule(name),
            (Some(_), None) => Err(Unfit::new("/name", "say which one")),
            (None, Some(_)) => Err(Unfit::new("/name", "there is only one of this setting; it has no name")),
            (None, None) if self.scope == Scope::User => Err(Unfit::new("/scope", "this setting is of the device")),
            (None, None) => Ok(()),
        }
    }

    /// Nothing where [`Setting::check`] has something against it.
    fn commands(&self, order: &Order<'_>) -> Vec<Command> {
        let (scope, name) = (self.scope, self.name.as_deref().unwrap_or_default());
        match self.setting {
            Removable::WifiProfile => wifi::remove(scope, name),
            Removable::VpnProfile => vpn::remove(scope, name),
            Removable::DeviceLock => device_lock::remove(),
            Removable::ConfigRefresh => config_refresh::remove(order.provider_id),
            Removable::LostContact => lost_contact::remove(order.provider_id),
            Removable::BitlockerPolicy => bitlocker_policy::remove(),
            Removable::SModePolicy => s_mode::remove(),
            Removable::DeviceEncryption => device_encryption::remove(order.is_hololens),
            Removable::UpdateRing => update_ring::remove(),
            Removable::LapsPolicy => laps_policy::remove(),
            Removable::PinRecovery => named(name).map(pin_recovery::remove).unwrap_or_default(),
            Removable::AssignedAccess => assigned_access::remove(),
            Removable::RebootSchedule => reboot_schedule::remove(),
            Removable::TrustedCertificate => match (self.store, named(name)) {
                (Some(store), Ok(thumbprint)) => trusted_certificates::remove(store, scope, &thumbprint),
                _ => Vec::new(),
            },
            Removable::PfxCertificate => named(name).map(|id| pfx::remove(scope, id)).unwrap_or_default(),
            Removable::ScepCertificate => named(name).map(|id| scep::remove(scope, id)).unwrap_or_default(),
        }
    }

    fn outcome(&self) -> String {
        format!("{} is taken away", self.subject())
    }
}
