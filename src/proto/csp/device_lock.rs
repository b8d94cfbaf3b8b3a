//! Policies of the area DeviceLock (10.0.10240, all editions; management reference 7.9): how a device is locked with a
//! password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::{set_int, unset};
use super::value::Within;
use crate::proto::syncml::{Command, Verb};

/// What a password must be like, and when the device locks. What is left out is not configured by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Whether simple passwords such as 1111 are allowed.
    #[serde(default)]
    pub allow_simple: Option<bool>,
    /// What kind of password.
    #[serde(default)]
    pub password_kind: Option<PasswordKind>,
    /// Least length.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 4, maximum = 16)]
    pub min_length: Option<Within<4, 16>>,
    /// Least number of kinds of characters: digits, small letters, capital letters, others.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 4)]
    pub min_complexity: Option<Within<1, 4>>,
    /// Days after which it has to be changed; 0: never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 730)]
    pub expires_after_days: Option<Within<0, 730>>,
    /// How many former passwords cannot be used again.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 50)]
    pub history: Option<Within<0, 50>>,
    /// Wrong passwords after which a PC asks for its BitLocker recovery key and a HoloLens erases itself; 0: never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 999)]
    pub max_failed_attempts: Option<Within<0, 999>>,
    /// Minutes without use after which the device locks; 0: never.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 999)]
    pub max_inactivity_minutes: Option<Within<0, 999>>,
}

/// What kind of password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordKind {
    /// A password, or a PIN with letters.
    Alphanumeric,
    /// A password, or a PIN of digits.
    Numeric,
    /// Any of them.
    Any,
}

impl PasswordKind {
    fn number(self) -> u32 {
        match self {
            Self::Alphanumeric => 0,
            Self::Numeric => 1,
            Self::Any => 2,
        }
    }
}

/// 0 demands a password, 1 does not.
pub const DEVICE_PASSWORD_ENABLED: &str = "DeviceLock/DevicePasswordEnabled";
const REST: [&str; 8] = [
    "DeviceLock/AllowSimpleDevicePassword",
    "DeviceLock/AlphanumericDevicePasswordRequired",
    "DeviceLock/MinDevicePasswordLength",
    "DeviceLock/MinDevicePasswordComplexCharacters",
    "DeviceLock/DevicePasswordExpiration",
    "DeviceLock/DevicePasswordHistory",
    "DeviceLock/MaxDevicePasswordFailedAttempts",
    "DeviceLock/MaxInactivityTimeDeviceLock",
];

impl PasswordPolicy {
    /// One Atomic; the policy that demands a password is its first child.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let values = [
            self.allow_simple.map(u32::from),
            self.password_kind.map(PasswordKind::number),
            self.min_length.map(Within::get),
            self.min_complexity.map(Within::get),
            self.expires_after_days.map(Within::get),
            self.history.map(Within::get),
            self.max_failed_attempts.map(Within::get),
            self.max_inactivity_minutes.map(Within::get),
        ];
        let rest = REST.into_iter().zip(values).filter_map(|(path, value)| Some(set_int(path, value?)));
        let children = std::iter::once(set_int(DEVICE_PASSWORD_ENABLED, 0)).chain(rest);
        vec![Command::container(Verb::Atomic, children.collect())]
    }

    /// Takes every policy of the group back.
    #[must_use]
    pub fn removal() -> Vec<Command> {
        REST.into_iter().chain([DEVICE_PASSWORD_ENABLED]).map(unset).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    // covers: M-115, M-85, M-86
    #[test]
    fn the_policies_are_one_atomic_that_begins_with_the_password() {
        let policy: PasswordPolicy =
            serde_json::from_str(r#"{"min_length": 8, "max_inactivity_minutes": 15}"#).unwrap();
        let mut commands = policy.commands();
        commands[0].cmd_id = "a1".to_owned();
        for (number, child) in commands[0].children.iter_mut().enumerate() {
            child.cmd_id = format!("a{}", number + 2);
        }
        let replace = |id: &str, name: &str, value: &str| {
            format!(
                "<Replace><CmdID>{id}</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/Policy/Config/DeviceLock/{name}\
                 </LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">int</Format><Type xmlns=\"syncml:metinf\">text/plain\
                 </Type></Meta><Data>{value}</Data></Item></Replace>"
            )
        };
        let expected = format!(
            "<Atomic><CmdID>a1</CmdID>{}{}{}</Atomic>",
            replace("a2", "DevicePasswordEnabled", "0"),
            replace("a3", "MinDevicePasswordLength", "8"),
            replace("a4", "MaxInactivityTimeDeviceLock", "15")
        );
        assert_eq!(String::from_utf8(encode_fragment(&commands)).unwrap(), expected);
    }

    #[test]
    fn what_windows_does_not_take_is_not_taken() {
        for wrong in
            [r#"{"min_length": 3}"#, r#"{"min_length": 17}"#, r#"{"history": 51}"#, r#"{"password_kind": "long"}"#]
        {
            assert!(serde_json::from_str::<PasswordPolicy>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(PasswordPolicy::removal().len(), 9);
    }
}
