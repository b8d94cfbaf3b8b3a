//! Parts of a package beside the enrollment itself, and what Windows takes of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proto::csp::accounts::CreateLocalAccount;
use crate::proto::csp::parameter::{self, Unfit};
use crate::proto::csp::secret::Secret;

/// The wireless network over which a PC reaches the server in setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wifi {
    /// Its name, 1 to 32 bytes.
    #[schema(example = "FABRIKAM-SETUP")]
    pub ssid: String,
    /// How it is protected; default `wpa2_personal` where there is a password, else `open`.
    pub security: Option<WifiSecurity>,
    /// Its password, 8 to 63 characters.
    pub password: Option<Secret>,
    /// Whether it does not tell its name.
    #[serde(default)]
    pub hidden: bool,
}

/// How a wireless network is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WifiSecurity {
    /// Not at all.
    Open,
    /// By one password for all.
    Wpa2Personal,
}

impl WifiSecurity {
    /// The word of Windows Configuration Designer (`SecurityType`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Wpa2Personal => "WPA2-Personal",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Wpa2Personal].into_iter().find(|security| security.as_str() == text)
    }
}

/// A local administrator, so that somebody can sign in to the PC before it has a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalAdmin {
    /// Name of the account, 1 to 20 characters.
    #[schema(example = "setup")]
    pub name: String,
    /// Its password.
    pub password: Secret,
}

impl Wifi {
    /// The protection that counts.
    #[must_use]
    pub fn security(&self) -> WifiSecurity {
        let usual = if self.password.is_some() { WifiSecurity::Wpa2Personal } else { WifiSecurity::Open };
        self.security.unwrap_or(usual)
    }

    /// Whether Windows could use it.
    ///
    /// # Errors
    /// What it would not take.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::text("/ssid", &self.ssid, 32)?;
        if self.ssid.len() > 32 {
            return Err(Unfit::new("/ssid", format!("has {} bytes; it must have at most 32", self.ssid.len())));
        }
        match (self.security(), &self.password) {
            (WifiSecurity::Open, None) => Ok(()),
            (WifiSecurity::Open, Some(_)) => Err(Unfit::new("/password", "an open network has none")),
            (WifiSecurity::Wpa2Personal, None) => Err(Unfit::new("/password", "a network with WPA2 has one")),
            (WifiSecurity::Wpa2Personal, Some(password)) => check_passphrase(password.reveal()),
        }
    }
}

/// A passphrase, or a key as 64 hexadecimal digits (IEEE 802.11).
fn check_passphrase(text: &str) -> Result<(), Unfit> {
    let is_printable = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    let is_key = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_key || (is_printable && (8..=63).contains(&text.len())) {
        return Ok(());
    }
    Err(Unfit::new("/password", "must have 8 to 63 printable ASCII characters, or 64 hexadecimal digits"))
}

impl LocalAdmin {
    /// Whether Windows could make it, as far as its password rules are not known.
    ///
    /// # Errors
    /// What it would not take.
    pub fn check(&self) -> Result<(), Unfit> {
        let account =
            CreateLocalAccount { account: self.name.clone(), password: self.password.clone(), administrator: true };
        account.check().map_err(|unfit| Unfit { pointer: unfit.pointer.replace("/account", "/name"), ..unfit })
    }
}

/// Most characters of a package's name: it becomes the name of a file.
const LONGEST_NAME: usize = 64;
/// Most characters of the notes.
const LONGEST_NOTES: usize = 500;

/// Whether a package may have that name (`PackageConfig/Name`).
///
/// # Errors
/// What is wrong with it.
pub fn check_name(pointer: &str, name: &str) -> Result<(), Unfit> {
    let fits = (1..=LONGEST_NAME).contains(&name.len());
    if fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !name.starts_with('-') {
        return Ok(());
    }
    let words = format!("must have 1 to {LONGEST_NAME} letters, digits and hyphens, with no hyphen first");
    Err(Unfit::new(pointer, words))
}

/// Whether those notes can stand in a package (`PackageConfig/Notes`).
///
/// # Errors
/// What is wrong with them.
pub fn check_notes(pointer: &str, notes: &str) -> Result<(), Unfit> {
    parameter::text(pointer, notes, LONGEST_NOTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_does_not_take_is_refused() {
        let wifi = |ssid: &str, security, password: Option<&str>| Wifi {
            ssid: ssid.to_owned(),
            security,
            password: password.map(Secret::new),
            hidden: false,
        };
        let (open, wpa) = (Some(WifiSecurity::Open), Some(WifiSecurity::Wpa2Personal));
        let good = [
            wifi("SETUP", None, Some("change-me-please")),
            wifi("Café <&>", None, None),
            wifi("x", wpa, Some(&"a1".repeat(32))),
            wifi(&"é".repeat(16), open, None),
        ];
        for wifi in good {
            assert_eq!(wifi.check(), Ok(()), "{wifi:?}");
        }
        let bad = [
            (wifi("", None, None), "/ssid"),
            (wifi(&"é".repeat(17), None, None), "/ssid"),
            (wifi("a\nb", None, None), "/ssid"),
            (wifi("x", open, Some("12345678")), "/password"),
            (wifi("x", wpa, None), "/password"),
            (wifi("x", None, Some("short")), "/password"),
            (wifi("x", None, Some(&"g".repeat(64))), "/password"),
            (wifi("x", None, Some("pässword")), "/password"),
        ];
        for (wifi, pointer) in bad {
            assert_eq!(wifi.check().unwrap_err().pointer, pointer, "{wifi:?}");
        }
        let admin = |name: &str, password: &str| LocalAdmin { name: name.to_owned(), password: Secret::new(password) };
        assert_eq!(admin("setup", "Secret 1").check(), Ok(()));
        assert_eq!(admin("se/tup", "Secret 1").check().unwrap_err().pointer, "/name");
        assert_eq!(admin("setup", "").check().unwrap_err().pointer, "/password");
    }

    #[test]
    fn names_are_names_of_files() {
        for name in ["Site7", "a", "7-b"] {
            assert!(check_name("/name", name).is_ok(), "{name}");
        }
        for name in ["", "-a", "../x", "a b", "a.b", "C:\\x", "é", &"x".repeat(65)] {
            assert!(check_name("/name", name).is_err(), "{name}");
        }
    }
}
