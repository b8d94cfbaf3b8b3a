//! `[enroll]`, and its rules on which devices may enroll.

use serde::{Deserialize, Serialize};

use super::values::AuthPolicy;
use crate::domain::Network;
use crate::domain::admission::{self, EditionRule, Rules, WindowsBuild};
use crate::domain::language::Language;
use crate::domain::sign_in::SignInWith;

/// `[enroll]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enroll {
    /// E-mail domains that discovery answers for. Default: every domain.
    pub domains: Vec<String>,
    /// Whom people may ask when they enroll, e.g. `Help desk, +1 555 0100`; it stands on pages and in mails. Default empty.
    pub contact: String,
    /// How an enrolling person proves who they are. Default `OnPremise`: e-mail address and password.
    pub auth_policy: AuthPolicy,
    /// Whether devices enroll only by the newest generation of the enrollment URL; those that find the server by DNS come
    /// without a generation and are refused then. Default false.
    pub require_generation: bool,
    /// What people sign in with: `password_or_pin`, `password`, `pin`, or `password_and_pin` (the PIN right behind the
    /// password). A PIN comes with an invitation. Default `password_or_pin`.
    pub sign_in: SignInWith,
    /// Digits of a PIN, 6 to 12. Default 6.
    pub pin_digits: u32,
    /// Hours that a PIN works, at most as long as its invitation. Default 72.
    pub pin_hours: u32,
    /// Days that an invitation works where nothing else is said. Default 7.
    pub invitation_days: u32,
    /// The language of invitations where none is named: `en` or `fr`. Default `en`.
    pub language: Language,
    /// User names that begin so are bulk enrollments. Default `windows-bulkenroll`.
    pub bulk_prefix: String,
    /// How many devices one person may have; 0 is any number. Default 0.
    pub max_devices_per_user: u32,
    /// How many devices all together may be under management; 0 is any number. Default 0.
    pub max_devices: u32,
    /// Which devices are let in once their user has signed in: `anyone`, `registered` (those registered before), or
    /// `approval` (every one, and none gets anything before an administrator approves it). Default `anyone`.
    pub admission: Admission,
    /// The least and the highest build of Windows, `22631` or `22631.3155`; empty is any. Default empty.
    pub min_build: String,
    /// See `min_build`.
    pub max_build: String,
    /// Editions that may enroll, by word or by product number; none means all but Home. Default none.
    pub editions: Vec<String>,
    /// Whose devices may enroll: `any`, or `corporate` (registered, or brought by a bulk user). Default `any`.
    pub ownership: Ownership,
    /// Addresses and networks from which devices may be enrolled; none means all. Default none.
    pub networks: Vec<Network>,
    /// Whether the same hardware enrolling for the same person closes its older enrollment. Default true.
    pub match_hardware: bool,
    /// Highest enrollment protocol version offered, `3.0` to `9.0`. Default `4.0`.
    pub max_version: String,
}

impl Default for Enroll {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contact: String::new(),
            require_generation: false,
            auth_policy: AuthPolicy::OnPremise,
            sign_in: SignInWith::default(),
            pin_digits: 6,
            pin_hours: 72,
            invitation_days: 7,
            language: Language::default(),
            bulk_prefix: "windows-bulkenroll".to_owned(),
            max_devices_per_user: 0,
            max_devices: 0,
            admission: Admission::Anyone,
            min_build: String::new(),
            max_build: String::new(),
            editions: Vec::new(),
            ownership: Ownership::Any,
            networks: Vec::new(),
            match_hardware: true,
            max_version: "4.0".to_owned(),
        }
    }
}

/// Which devices are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Every device.
    Anyone,
    /// Those that were registered before.
    Registered,
    /// Every device, once an administrator approves it.
    Approval,
}

/// Whose devices may enroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// Everybody's.
    Any,
    /// The organisation's.
    Corporate,
}

impl Enroll {
    /// The rules that a device has to meet.
    ///
    /// # Errors
    /// The key with a value that does not do, and what is expected.
    pub fn rules(&self) -> Result<Rules, (&'static str, String)> {
        let build = |key: &'static str, text: &str| match text {
            "" => Ok(None),
            text => WindowsBuild::parse(text)
                .map(Some)
                .ok_or_else(|| (key, format!("`{text}` is no build of Windows such as `22631` or `22631.3155`"))),
        };
        let edition = |text: &String| {
            EditionRule::parse(text).ok_or_else(|| {
                let words: Vec<&str> = EditionRule::words().collect();
                ("enroll.editions", format!("`{text}` is none of {}, and no product number", words.join(", ")))
            })
        };
        let (min_build, max_build) =
            (build("enroll.min_build", &self.min_build)?, build("enroll.max_build", &self.max_build)?);
        if let (Some(least), Some(most)) = (min_build, max_build)
            && least.is_beyond(most)
        {
            return Err(("enroll.max_build", "expected a build that is not below min_build".to_owned()));
        }
        Ok(Rules {
            admission: match self.admission {
                Admission::Anyone => admission::Admission::Anyone,
                Admission::Registered => admission::Admission::Registered,
                Admission::Approval => admission::Admission::Approval,
            },
            min_build,
            max_build,
            editions: self.editions.iter().map(edition).collect::<Result<_, _>>()?,
            only_corporate: self.ownership == Ownership::Corporate,
            networks: self.networks.clone(),
            max_devices: self.max_devices,
        })
    }
}
