//! BitLocker CSP: how drives are encrypted, how they start and how they are recovered (10.0.15063; Pro and better, not
//! HoloLens; management reference 7.12).
//!
//! Windows looks at these only when encryption begins, so that they must be there before it is asked for. The payloads are
//! those of ADMX-backed policies.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

const ROOT: &str = "./Device/Vendor/MSFT/BitLocker";
/// Its nodes, in the order in which they are written.
const NODES: [&str; 7] = [
    "EncryptionMethodByDriveType",
    "SystemDrivesRequireStartupAuthentication",
    "SystemDrivesMinimumPINLength",
    "SystemDrivesRecoveryOptions",
    "FixedDrivesRecoveryOptions",
    "FixedDrivesRequireEncryption",
    "RemovableDrivesRequireEncryption",
];

/// How drives are encrypted, how they start and how they are recovered. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BitLockerPolicy {
    /// By which methods; Windows takes all three together.
    pub methods: Option<Methods>,
    /// What is asked for when the computer starts.
    pub startup: Option<Startup>,
    /// Least digits of a PIN that is asked for at the start, 4 to 20.
    pub min_pin_length: Option<u8>,
    /// How the drive of Windows is recovered.
    pub system_recovery: Option<Recovery>,
    /// How other built-in drives are recovered.
    pub fixed_recovery: Option<Recovery>,
    /// Whether built-in drives are read-only until they are encrypted.
    pub fixed_read_only_unencrypted: Option<bool>,
    /// Whether removable drives are read-only until they are encrypted.
    pub removable_read_only_unencrypted: Option<bool>,
}

/// The methods of the three kinds of drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Methods {
    /// Of the drive of Windows.
    pub system: Method,
    /// Of other built-in drives.
    pub fixed: Method,
    /// Of removable drives; AES-CBC where older systems must read them.
    pub removable: Method,
}

/// A method of encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// AES-CBC with 128 bits.
    AesCbc128,
    /// AES-CBC with 256 bits.
    AesCbc256,
    /// XTS-AES with 128 bits.
    XtsAes128,
    /// XTS-AES with 256 bits.
    XtsAes256,
}

/// What is asked for when the computer starts; at most one may be required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Startup {
    /// Whether a computer without a TPM may be encrypted, with a password or a key on a USB drive.
    #[serde(default)]
    pub without_tpm: bool,
    /// The TPM alone.
    pub tpm: Usage,
    /// TPM and PIN.
    pub pin: Usage,
    /// TPM and a key on a USB drive.
    pub key: Usage,
    /// TPM, PIN and a key on a USB drive.
    pub pin_and_key: Usage,
}

/// Whether something may or must be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// It must not.
    Disallowed,
    /// It must.
    Required,
    /// It may.
    Allowed,
}

/// How a drive is recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// Whether a data recovery agent may be used.
    #[serde(default)]
    pub agent: bool,
    /// A recovery password of 48 digits.
    pub password: Usage,
    /// A recovery key of 256 bits.
    pub key: Usage,
    /// Whether the user is not shown these choices.
    #[serde(default)]
    pub hide_choices: bool,
    /// What is backed up to Entra ID or Active Directory.
    pub backup: Backup,
    /// Whether encryption waits until the backup was made.
    #[serde(default)]
    pub require_backup: bool,
}

/// What is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backup {
    /// Nothing.
    None,
    /// Recovery passwords and key packages.
    PasswordsAndKeyPackages,
    /// Recovery passwords.
    Passwords,
}

impl Method {
    fn value(self) -> &'static str {
        match self {
            Self::AesCbc128 => "3",
            Self::AesCbc256 => "4",
            Self::XtsAes128 => "6",
            Self::XtsAes256 => "7",
        }
    }
}

impl Usage {
    fn value(self) -> &'static str {
        match self {
            Self::Disallowed => "0",
            Self::Required => "1",
            Self::Allowed => "2",
        }
    }
}

impl Methods {
    fn payload(self) -> String {
        enabled(&[
            ("EncryptionMethodWithXtsOsDropDown_Name", self.system.value()),
            ("EncryptionMethodWithXtsFdvDropDown_Name", self.fixed.value()),
            ("EncryptionMethodWithXtsRdvDropDown_Name", self.removable.value()),
        ])
    }
}

impl Startup {
    fn check(self) -> Result<(), Unfit> {
        let usages = [self.tpm, self.pin, self.key, self.pin_and_key];
        if usages.iter().filter(|usage| **usage == Usage::Required).count() > 1 {
            return Err(Unfit::new("/startup", "requires more than one; Windows takes at most one"));
        }
        Ok(())
    }

    fn payload(self) -> String {
        enabled(&[
            ("ConfigureNonTPMStartupKeyUsage_Name", word(self.without_tpm)),
            ("ConfigureTPMStartupKeyUsageDropDown_Name", self.key.value()),
            ("ConfigurePINUsageDropDown_Name", self.pin.value()),
            ("ConfigureTPMPINKeyUsageDropDown_Name", self.pin_and_key.value()),
            ("ConfigureTPMUsageDropDown_Name", self.tpm.value()),
        ])
    }
}

impl Recovery {
    fn check(self, pointer: &str) -> Result<(), Unfit> {
        if self.require_backup && self.backup == Backup::None {
            return Err(Unfit::new(format!("{pointer}/require_backup"), "waits for a backup that is never made"));
        }
        Ok(())
    }

    /// The payload, whose names begin with `OS` or `FDV`.
    fn payload(self, drive: &str) -> String {
        let contents = if self.backup == Backup::Passwords { "2" } else { "1" };
        let values = [
            ("AllowDRA_Name", word(self.agent)),
            ("RecoveryPasswordUsageDropDown_Name", self.password.value()),
            ("RecoveryKeyUsageDropDown_Name", self.key.value()),
            ("HideRecoveryPage_Name", word(self.hide_choices)),
            ("ActiveDirectoryBackup_Name", word(self.backup != Backup::None)),
            ("ActiveDirectoryBackupDropDown_Name", contents),
            ("RequireActiveDirectoryBackup_Name", word(self.require_backup)),
        ];
        let named = values.map(|(name, value)| (format!("{drive}{name}"), value));
        enabled(&named.each_ref().map(|(name, value)| (name.as_str(), *value)))
    }
}

/// Takes all of it away; what is encrypted stays so.
#[must_use]
pub fn remove() -> Vec<Command> {
    NODES.iter().map(|node| Command::delete(LocUri::fixed(ROOT).below(node))).collect()
}

impl BitLockerPolicy {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        if self.payloads().iter().all(Option::is_none) {
            return Err(Unfit::new("", "nothing is set: give at least one value"));
        }
        parameter::within("/min_pin_length", self.min_pin_length, 4..=20)?;
        self.startup.map_or(Ok(()), Startup::check)?;
        self.system_recovery.map_or(Ok(()), |recovery| recovery.check("/system_recovery"))?;
        self.fixed_recovery.map_or(Ok(()), |recovery| recovery.check("/fixed_recovery"))
    }

    /// What sets it.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let set = |(node, payload): (&&'static str, Option<String>)| {
            Some(Command::replace(LocUri::fixed(ROOT).below(node), "chr", &payload?))
        };
        NODES.iter().zip(self.payloads()).filter_map(set).collect()
    }

    /// The values of [`NODES`].
    fn payloads(&self) -> [Option<String>; 7] {
        let pin = |length: u8| enabled(&[("MinPINLength", &length.to_string())]);
        let removable = |on| if on { enabled(&[("RDVCrossOrg", "false")]) } else { DISABLED.to_owned() };
        [
            self.methods.map(Methods::payload),
            self.startup.map(Startup::payload),
            self.min_pin_length.map(pin),
            self.system_recovery.map(|recovery| recovery.payload("OS")),
            self.fixed_recovery.map(|recovery| recovery.payload("FDV")),
            self.fixed_read_only_unencrypted.map(|on| if on { ENABLED.to_owned() } else { DISABLED.to_owned() }),
            self.removable_read_only_unencrypted.map(removable),
        ]
    }
}

const ENABLED: &str = "<enabled/>";
const DISABLED: &str = "<disabled/>";

/// The payload of an ADMX-backed policy that is on; names and values are ours and need no escape.
fn enabled(data: &[(&str, &str)]) -> String {
    let data = data.iter().map(|(id, value)| format!("<data id=\"{id}\" value=\"{value}\"/>"));
    std::iter::once(ENABLED.to_owned()).chain(data).collect()
}

fn word(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn read(json: &str) -> BitLockerPolicy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_part_is_the_payload_of_its_policy() {
        let policy = read(
            r#"{"methods": {"system": "xts_aes256", "fixed": "xts_aes128", "removable": "aes_cbc256"},
            "startup": {"tpm": "allowed", "pin": "required", "key": "disallowed", "pin_and_key": "disallowed"},
            "min_pin_length": 6,
            "system_recovery": {"password": "required", "key": "allowed", "hide_choices": true,
                "backup": "passwords_and_key_packages", "require_backup": true},
            "fixed_recovery": {"agent": true, "password": "allowed", "key": "disallowed", "backup": "passwords"},
            "fixed_read_only_unencrypted": true, "removable_read_only_unencrypted": true}"#,
        );
        let root = "./Device/Vendor/MSFT/BitLocker";
        let expected = [
            format!(
                "Replace {root}/EncryptionMethodByDriveType chr <enabled/>\
                 <data id=\"EncryptionMethodWithXtsOsDropDown_Name\" value=\"7\"/>\
                 <data id=\"EncryptionMethodWithXtsFdvDropDown_Name\" value=\"6\"/>\
                 <data id=\"EncryptionMethodWithXtsRdvDropDown_Name\" value=\"4\"/>"
            ),
            format!(
                "Replace {root}/SystemDrivesRequireStartupAuthentication chr <enabled/>\
                 <data id=\"ConfigureNonTPMStartupKeyUsage_Name\" value=\"false\"/>\
                 <data id=\"ConfigureTPMStartupKeyUsageDropDown_Name\" value=\"0\"/>\
                 <data id=\"ConfigurePINUsageDropDown_Name\" value=\"1\"/>\
                 <data id=\"ConfigureTPMPINKeyUsageDropDown_Name\" value=\"0\"/>\
                 <data id=\"ConfigureTPMUsageDropDown_Name\" value=\"2\"/>"
            ),
            format!(
                "Replace {root}/SystemDrivesMinimumPINLength chr <enabled/><data id=\"MinPINLength\" value=\"6\"/>"
            ),
            format!(
                "Replace {root}/SystemDrivesRecoveryOptions chr <enabled/><data id=\"OSAllowDRA_Name\" value=\"false\"/>\
                 <data id=\"OSRecoveryPasswordUsageDropDown_Name\" value=\"1\"/>\
                 <data id=\"OSRecoveryKeyUsageDropDown_Name\" value=\"2\"/><data id=\"OSHideRecoveryPage_Name\" value=\"true\"/>\
                 <data id=\"OSActiveDirectoryBackup_Name\" value=\"true\"/>\
                 <data id=\"OSActiveDirectoryBackupDropDown_Name\" value=\"1\"/>\
                 <data id=\"OSRequireActiveDirectoryBackup_Name\" value=\"true\"/>"
            ),
            format!(
                "Replace {root}/FixedDrivesRecoveryOptions chr <enabled/><data id=\"FDVAllowDRA_Name\" value=\"true\"/>\
                 <data id=\"FDVRecoveryPasswordUsageDropDown_Name\" value=\"2\"/>\
                 <data id=\"FDVRecoveryKeyUsageDropDown_Name\" value=\"0\"/><data id=\"FDVHideRecoveryPage_Name\" value=\"false\"/>\
                 <data id=\"FDVActiveDirectoryBackup_Name\" value=\"true\"/>\
                 <data id=\"FDVActiveDirectoryBackupDropDown_Name\" value=\"2\"/>\
                 <data id=\"FDVRequireActiveDirectoryBackup_Name\" value=\"false\"/>"
            ),
            format!("Replace {root}/FixedDrivesRequireEncryption chr <enabled/>"),
            format!(
                "Replace {root}/RemovableDrivesRequireEncryption chr <enabled/><data id=\"RDVCrossOrg\" value=\"false\"/>"
            ),
        ];
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(told(&policy.commands()), expected);
        right(&policy.commands());
        let off = read(r#"{"removable_read_only_unencrypted": false}"#);
        assert_eq!(told(&off.commands()), [format!("Replace {root}/RemovableDrivesRequireEncryption chr <disabled/>")]);
        assert_eq!(told(&remove()).len(), 7);
        right(&remove());
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        let recovery = r#"{"password": "allowed", "key": "allowed", "backup": "none", "require_backup": true}"#;
        let bad = [
            ("", "{}".to_owned()),
            ("/min_pin_length", r#"{"min_pin_length": 3}"#.to_owned()),
            ("/system_recovery/require_backup", format!(r#"{{"system_recovery": {recovery}}}"#)),
            ("/fixed_recovery/require_backup", format!(r#"{{"fixed_recovery": {recovery}}}"#)),
            (
                "/startup",
                r#"{"startup": {"tpm": "required", "pin": "required", "key": "allowed", "pin_and_key": "allowed"}}"#
                    .to_owned(),
            ),
        ];
        for (pointer, json) in bad {
            assert_eq!(read(&json).check().unwrap_err().pointer, pointer, "{json}");
        }
    }
}
