//! LAPS CSP, policies (17763.4244, 19041.2784, 22000.1754, 22621.1480; management reference 7.3): how the password of a local
//! administrator is made and kept. It goes to Entra ID or Active Directory; this server never sees it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri, Verb};

const POLICIES: &str = "./Device/Vendor/MSFT/LAPS/Policies";
/// The policies, in the order in which they are written.
const NAMES: [&str; 11] = [
    "BackupDirectory",
    "PasswordAgeDays",
    "PasswordComplexity",
    "PasswordLength",
    "PassphraseLength",
    "AdministratorAccountName",
    "PostAuthenticationResetDelay",
    "PostAuthenticationActions",
    "ADPasswordEncryptionEnabled",
    "ADPasswordEncryptionPrincipal",
    "ADEncryptedPasswordHistorySize",
];

/// How the password of a local administrator is made and kept. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LapsPolicy {
    /// Where the password goes.
    #[serde(default)]
    pub backup: Backup,
    /// Days after which it is changed, 1 to 365; for Entra ID at least 7.
    pub password_age_days: Option<u16>,
    /// Kinds of characters: 1 capital letters, 2 and small ones, 3 and digits, 4 and others; 5 to 8 are for 10.0.26100.
    pub password_complexity: Option<u16>,
    /// Its length, 8 to 64.
    pub password_length: Option<u16>,
    /// Words of a passphrase, 3 to 10 (10.0.26100).
    pub passphrase_length: Option<u16>,
    /// The account; default: the one that Windows made. It is not made by this.
    pub account_name: Option<String>,
    /// Hours after its use until it is changed, 0 to 24; 0: it is not.
    pub reset_delay_hours: Option<u16>,
    /// What happens then.
    pub after_use: Option<AfterUse>,
    /// In Active Directory: whether it is kept encrypted.
    pub ad_encryption: Option<bool>,
    /// In Active Directory: who can decrypt it, as a SID or a name.
    pub ad_decryptor: Option<String>,
    /// In Active Directory: how many earlier passwords are kept, 0 to 12.
    pub ad_history: Option<u16>,
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

impl Backup {
    fn value(self) -> u16 {
        match self {
            Self::Off => 0,
            Self::Entra => 1,
            Self::ActiveDirectory => 2,
        }
    }
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

impl AfterUse {
    fn value(self) -> u16 {
        match self {
            Self::ResetPassword => 1,
            Self::ResetAndSignOut => 3,
            Self::ResetAndReboot => 5,
            Self::ResetSignOutAndEndPrograms => 11,
        }
    }
}

/// Takes the policies away, as one Atomic like all that is done to the group.
#[must_use]
pub fn remove() -> Vec<Command> {
    let each = NAMES.iter().map(|name| Command::delete(LocUri::fixed(POLICIES).below(name)));
    vec![Command::container(Verb::Atomic, each.collect())]
}

impl LapsPolicy {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::within("/password_age_days", self.password_age_days, 1..=365)?;
        if self.backup == Backup::Entra && self.password_age_days.is_some_and(|days| days < 7) {
            return Err(Unfit::new("/password_age_days", "must be at least 7 where the password goes to Entra ID"));
        }
        parameter::within("/password_complexity", self.password_complexity, 1..=8)?;
        parameter::within("/password_length", self.password_length, 8..=64)?;
        parameter::within("/passphrase_length", self.passphrase_length, 3..=10)?;
        let makes_passphrases = self.password_complexity.is_some_and(|complexity| complexity >= 6);
        if self.passphrase_length.is_some() && !makes_passphrases {
            return Err(Unfit::new("/passphrase_length", "has an effect only with a password_complexity of 6 to 8"));
        }
        if self.password_length.is_some() && makes_passphrases {
            return Err(Unfit::new("/password_length", "has an effect only with a password_complexity of 1 to 5"));
        }
        parameter::optional_text("/account_name", self.account_name.as_deref(), 20)?;
        parameter::within("/reset_delay_hours", self.reset_delay_hours, 0..=24)?;
        parameter::optional_text("/ad_decryptor", self.ad_decryptor.as_deref(), 256)?;
        parameter::within("/ad_history", self.ad_history, 0..=12)?;
        let given = [
            ("/ad_encryption", self.ad_encryption.is_some()),
            ("/ad_decryptor", self.ad_decryptor.is_some()),
            ("/ad_history", self.ad_history.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given && self.backup != Backup::ActiveDirectory) {
            Some((pointer, _)) => Err(Unfit::new(*pointer, "is for the backup active_directory only")),
            None => Ok(()),
        }
    }

    /// One Atomic, as the description of the group demands.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let policies = NAMES.iter().zip(self.values()).filter_map(|(name, value)| {
            let (format, value) = value?;
            Some(Command::replace(LocUri::fixed(POLICIES).below(name), format, &value))
        });
        vec![Command::container(Verb::Atomic, policies.collect())]
    }

    fn values(&self) -> [Option<(&'static str, String)>; 11] {
        let int = |value: u16| ("int", value.to_string());
        let text = |value: &String| ("chr", value.clone());
        [
            Some(int(self.backup.value())),
            self.password_age_days.map(int),
            self.password_complexity.map(int),
            self.password_length.map(int),
            self.passphrase_length.map(int),
            self.account_name.as_ref().map(text),
            self.reset_delay_hours.map(int),
            self.after_use.map(|what| int(what.value())),
            self.ad_encryption.map(|on| ("bool", on.to_string())),
            self.ad_decryptor.as_ref().map(text),
            self.ad_history.map(int),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn read(json: &str) -> LapsPolicy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_policies_are_one_atomic() {
        let policy = read(
            r#"{"backup": "active_directory", "password_age_days": 1, "password_complexity": 4, "password_length": 64,
                "account_name": "helpdesk", "reset_delay_hours": 24,
                "after_use": "reset_sign_out_and_end_programs", "ad_encryption": true, "ad_decryptor": "S-1-5-32-544",
                "ad_history": 12}"#,
        );
        let expected = [
            "BackupDirectory int 2",
            "PasswordAgeDays int 1",
            "PasswordComplexity int 4",
            "PasswordLength int 64",
            "AdministratorAccountName chr helpdesk",
            "PostAuthenticationResetDelay int 24",
            "PostAuthenticationActions int 11",
            "ADPasswordEncryptionEnabled bool true",
            "ADPasswordEncryptionPrincipal chr S-1-5-32-544",
            "ADEncryptedPasswordHistorySize int 12",
        ];
        let expected = expected.map(|value| format!("  Replace {POLICIES}/{value}"));
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(told(&policy.commands())[0], "Atomic");
        assert_eq!(told(&policy.commands())[1..], expected);
        right(&policy.commands());
        right(&remove());
        let phrases = read(r#"{"password_complexity": 6, "passphrase_length": 10}"#);
        assert_eq!(phrases.check(), Ok(()));
        assert!(told(&phrases.commands()).contains(&format!("  Replace {POLICIES}/PassphraseLength int 10")));
        assert_eq!(told(&read("{}").commands())[1..], [format!("  Replace {POLICIES}/BackupDirectory int 1")]);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        let bad = [
            ("/password_age_days", r#"{"password_age_days": 6}"#),
            ("/password_age_days", r#"{"backup": "active_directory", "password_age_days": 0}"#),
            ("/password_complexity", r#"{"password_complexity": 9}"#),
            ("/password_length", r#"{"password_length": 7}"#),
            ("/passphrase_length", r#"{"password_complexity": 6, "passphrase_length": 2}"#),
            ("/passphrase_length", r#"{"passphrase_length": 6}"#),
            ("/password_length", r#"{"password_complexity": 7, "password_length": 20}"#),
            ("/account_name", r#"{"account_name": ""}"#),
            ("/reset_delay_hours", r#"{"reset_delay_hours": 25}"#),
            ("/ad_history", r#"{"backup": "active_directory", "ad_history": 13}"#),
            ("/ad_encryption", r#"{"ad_encryption": true}"#),
        ];
        for (pointer, json) in bad {
            assert_eq!(read(json).check().unwrap_err().pointer, pointer, "{json}");
        }
    }
}
