//! Takes a setting away: the device does as if it had never been told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::setting::Setting;
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::scope::Scope;
use crate::proto::csp::{bitlocker_policy, config_refresh, device_lock, lost_contact, s_mode, vpn, wifi};
use crate::proto::syncml::Command;

/// Take a setting away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveSetting {
    /// Which.
    pub setting: Removable,
    /// Of a profile: whose it is.
    #[serde(default)]
    pub scope: Scope,
    /// Of a profile: its name.
    pub name: Option<String>,
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
        }
    }

    /// What a name of one must be, where there are several of its kind.
    fn name_rule(self) -> Option<NameRule> {
        match self {
            Self::WifiProfile => Some(wifi::check_name),
            Self::VpnProfile => Some(vpn::check_name),
            _ => None,
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
        match (self.setting.name_rule(), self.name.as_deref()) {
            (Some(rule), Some(name)) => rule(name),
            (Some(_), None) => Err(Unfit::new("/name", "say which one")),
            (None, Some(_)) => Err(Unfit::new("/name", "there is only one of this setting; it has no name")),
            (None, None) if self.scope == Scope::User => Err(Unfit::new("/scope", "this setting is of the device")),
            (None, None) => Ok(()),
        }
    }

    fn commands(&self, provider_id: &str) -> Vec<Command> {
        let name = self.name.as_deref().unwrap_or_default();
        match self.setting {
            Removable::WifiProfile => wifi::remove(self.scope, name),
            Removable::VpnProfile => vpn::remove(self.scope, name),
            Removable::DeviceLock => device_lock::remove(),
            Removable::ConfigRefresh => config_refresh::remove(provider_id),
            Removable::LostContact => lost_contact::remove(provider_id),
            Removable::BitlockerPolicy => bitlocker_policy::remove(),
            Removable::SModePolicy => s_mode::remove(),
        }
    }

    fn outcome(&self) -> String {
        format!("{} is taken away", self.subject())
    }
}
