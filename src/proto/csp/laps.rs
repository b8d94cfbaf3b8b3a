//! LAPS CSP (17763.4244, 19041.2784, 22000.1754, 22621.1480; management reference 7.3): rotation of the local
//! administrator's password.
//!
//! The password goes to Entra ID or Active Directory; this server never sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::{Line, Within};
use crate::proto::syncml::{Command, LocUri, Verb};

/// The node that rotates.
pub const RESET_PASSWORD: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
/// How the last rotation ended, as an HRESULT (int).
pub const RESET_PASSWORD_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
/// `E_PENDING`, and the number that stands for it on the page about the CSP: the rotation goes on.
pub const PENDING: [u32; 2] = [0x8000_000A, 0x0800_0000];

/// `Exec` of ResetPassword.
#[must_use]
pub fn reset_password() -> Command {
    Command::exec(LocUri::fixed(RESET_PASSWORD))
}

/// `Get` of its status.
#[must_use]
pub fn read_status() -> Command {
    Command::get(LocUri::fixed(RESET_PASSWORD_STATUS))
}

/// How the password of a local administrator is kept. What is left out is not configured by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LapsPolicy {
    /// Where the password goes.
    #[serde(default)]
    pub backup: Backup,
    /// Days after which it is changed; for Entra ID at least 7.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 365)]
    pub password_age_days: Option<Within<1, 365>>,
    /// Kinds of characters: 1 capital letters, 2 and small ones, 3 and digits, 4 and others; 5 to 8 from 24H2 on.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 8)]
    pub password_complexity: Option<Within<1, 8>>,
    /// Its length.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 8, maximum = 64)]
    pub password_length: Option<Within<8, 64>>,
    /// The account; default: the one that Windows made. It is not made by this.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub account_name: Option<Line<20>>,
    /// Hours after its use until it is changed; 0: it is not.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 24)]
    pub reset_delay_hours: Option<Within<0, 24>>,
    /// What happens then.
    #[serde(default)]
    pub after_use: Option<AfterUse>,
}

/// Where the password goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backup {
    /// Nowhere: LAPS is off.
    Off,
    /// To Entra ID.
    #[default]
    Entra,
    /// To Active Directory.
    ActiveDirectory,
}

/// What happens some hours after the password was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterUse {
    /// The password is changed.
    ResetPassword,
    /// And the account is signed out.
    ResetAndSignOut,
    /// And the device restarts.
    ResetAndReboot,
    /// And the account is signed out and its programs are ended.
    ResetSignOutAndEndPrograms,
}

const POLICIES: &str = "./Device/Vendor/MSFT/LAPS/Policies";
const NAMES: [&str; 7] = [
    "BackupDirectory",
    "PasswordAgeDays",
    "PasswordComplexity",
    "PasswordLength",
    "PostAuthenticationResetDelay",
    "PostAuthenticationActions",
    "AdministratorAccountName",
];

impl LapsPolicy {
    /// One Atomic, as the description of the group demands.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let root = LocUri::fixed(POLICIES);
        let backup = match self.backup {
            Backup::Off => 0,
            Backup::Entra => 1,
            Backup::ActiveDirectory => 2,
        };
        let after_use = self.after_use.map(|what| match what {
            AfterUse::ResetPassword => 1,
            AfterUse::ResetAndSignOut => 3,
            AfterUse::ResetAndReboot => 5,
            AfterUse::ResetSignOutAndEndPrograms => 11,
        });
        let numbers = [
            Some(backup),
            self.password_age_days.map(Within::get),
            self.password_complexity.map(Within::get),
            self.password_length.map(Within::get),
            self.reset_delay_hours.map(Within::get),
            after_use,
        ];
        let set = |(name, value): (&'static str, Option<u32>)| {
            Some(Command::replace(root.below(name), "int", &value?.to_string()))
        };
        let mut children: Vec<Command> = NAMES.into_iter().zip(numbers).filter_map(set).collect();
        if let Some(account) = &self.account_name {
            children.push(Command::replace(root.below("AdministratorAccountName"), "chr", account.as_str()));
        }
        vec![Command::container(Verb::Atomic, children)]
    }

    /// What is wrong with it, by field.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let too_often = self.backup == Backup::Entra && self.password_age_days.is_some_and(|days| days.get() < 7);
        let words = || ("password_age_days", "is at least 7 where the password goes to Entra ID".to_owned());
        too_often.then(words).into_iter().collect()
    }

    /// Takes every policy of the group back.
    #[must_use]
    pub fn removal() -> Vec<Command> {
        let root = LocUri::fixed(POLICIES);
        NAMES.into_iter().map(|name| Command::delete(root.below(name))).collect()
    }
}
