//! Policy CSP, area DeviceLock: what a password must be and when the device locks itself (10.0.10240; HoloLens 2 has it;
//! management reference 7.9).
//!
//! The policies are one Atomic with `DevicePasswordEnabled` first. Its value is inverted: 0 asks for a password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri, Verb};

const AREA: &str = "./Device/Vendor/MSFT/Policy/Config/DeviceLock";

/// What a password must be, and when the device locks itself. What is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceLock {
    /// Whether a password is asked for; the other policies have an effect only then.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub require_password: bool,
    /// Whether passwords such as 1111 or 1234 are allowed.
    pub allow_simple_password: Option<bool>,
    /// What kind of password.
    pub password_kind: Option<PasswordKind>,
    /// Least characters, 4 to 16.
    pub min_length: Option<u8>,
    /// How many of digits, small letters, capitals and other characters it must have, 1 to 4.
    pub min_complex_characters: Option<u8>,
    /// Days after which it must be changed, 0 to 730; 0: never.
    pub expires_after_days: Option<u16>,
    /// How many earlier passwords must not come again, 0 to 50.
    pub history: Option<u8>,
    /// Failed attempts, 0 to 999, after which a PC asks for its BitLocker recovery password and a HoloLens is wiped; 0: no
    /// such limit.
    pub max_failed_attempts: Option<u16>,
    /// Minutes without use, 0 to 999, after which the device locks itself; 0: never.
    pub max_idle_minutes: Option<u16>,
    /// Whether a device that was idle may be used again without the password (HoloLens only).
    pub allow_idle_return_without_password: Option<bool>,
}

/// What kind of password is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasswordKind {
    /// A password, or a PIN of letters and digits.
    Alphanumeric,
    /// A password, or a PIN of digits.
    Numeric,
    /// Any of these.
    Any,
}

impl PasswordKind {
    fn value(self) -> u16 {
        match self {
            Self::Alphanumeric => 0,
            Self::Numeric => 1,
            Self::Any => 2,
        }
    }
}

fn yes() -> bool {
    true
}

/// All of its policies; the first one is that on which the others depend.
const POLICIES: [&str; 10] = [
    "DevicePasswordEnabled",
    "AllowSimpleDevicePassword",
    "AlphanumericDevicePasswordRequired",
    "MinDevicePasswordLength",
    "MinDevicePasswordComplexCharacters",
    "DevicePasswordExpiration",
    "DevicePasswordHistory",
    "MaxDevicePasswordFailedAttempts",
    "MaxInactivityTimeDeviceLock",
    "AllowIdleReturnWithoutPassword",
];

/// Takes all of them away: each by itself, because one that is not there would undo an Atomic.
#[must_use]
pub fn remove() -> Vec<Command> {
    POLICIES.iter().rev().map(|policy| Command::delete(LocUri::fixed(AREA).below(policy))).collect()
}

impl DeviceLock {
    /// A password is asked for, of whatever kind.
    #[must_use]
    pub fn asked() -> Self {
        Self {
            require_password: true,
            allow_simple_password: None,
            password_kind: None,
            min_length: None,
            min_complex_characters: None,
            expires_after_days: None,
            history: None,
            max_failed_attempts: None,
            max_idle_minutes: None,
            allow_idle_return_without_password: None,
        }
    }

    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::within("/min_length", self.min_length, 4..=16)?;
        parameter::within("/min_complex_characters", self.min_complex_characters, 1..=4)?;
        parameter::within("/expires_after_days", self.expires_after_days, 0..=730)?;
        parameter::within("/history", self.history, 0..=50)?;
        parameter::within("/max_failed_attempts", self.max_failed_attempts, 0..=999)?;
        parameter::within("/max_idle_minutes", self.max_idle_minutes, 0..=999)?;
        if !self.require_password && self.values().iter().any(Option::is_some) {
            return Err(Unfit::new(
                "/require_password",
                "is false; the other policies have an effect only where it is true",
            ));
        }
        Ok(())
    }

    /// The values of all policies but the first.
    fn values(&self) -> [Option<u16>; 9] {
        [
            self.allow_simple_password.map(u16::from),
            self.password_kind.map(PasswordKind::value),
            self.min_length.map(u16::from),
            self.min_complex_characters.map(u16::from),
            self.expires_after_days,
            self.history.map(u16::from),
            self.max_failed_attempts,
            self.max_idle_minutes,
            self.allow_idle_return_without_password.map(u16::from),
        ]
    }

    /// One Atomic, the policy on which the others depend first.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let enabled = Some(u16::from(!self.require_password));
        let values = std::iter::once(enabled).chain(self.values());
        let policies = POLICIES.iter().zip(values).filter_map(|(policy, value)| {
            Some(Command::replace(LocUri::fixed(AREA).below(policy), "int", &value?.to_string()))
        });
        vec![Command::container(Verb::Atomic, policies.collect())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn nothing() -> DeviceLock {
        DeviceLock::asked()
    }

    // covers: M-115
    #[test]
    fn the_policies_are_one_atomic_and_the_password_comes_first() {
        let all = DeviceLock {
            require_password: true,
            allow_simple_password: Some(false),
            password_kind: Some(PasswordKind::Numeric),
            min_length: Some(8),
            min_complex_characters: Some(3),
            expires_after_days: Some(90),
            history: Some(5),
            max_failed_attempts: Some(10),
            max_idle_minutes: Some(15),
            allow_idle_return_without_password: Some(false),
        };
        let area = "./Device/Vendor/MSFT/Policy/Config/DeviceLock";
        let expected = [
            "Atomic".to_owned(),
            format!("  Replace {area}/DevicePasswordEnabled int 0"),
            format!("  Replace {area}/AllowSimpleDevicePassword int 0"),
            format!("  Replace {area}/AlphanumericDevicePasswordRequired int 1"),
            format!("  Replace {area}/MinDevicePasswordLength int 8"),
            format!("  Replace {area}/MinDevicePasswordComplexCharacters int 3"),
            format!("  Replace {area}/DevicePasswordExpiration int 90"),
            format!("  Replace {area}/DevicePasswordHistory int 5"),
            format!("  Replace {area}/MaxDevicePasswordFailedAttempts int 10"),
            format!("  Replace {area}/MaxInactivityTimeDeviceLock int 15"),
            format!("  Replace {area}/AllowIdleReturnWithoutPassword int 0"),
        ];
        assert_eq!(all.check(), Ok(()));
        assert_eq!(told(&all.commands()), expected);
        right(&all.commands());
        assert_eq!(told(&nothing().commands()), expected[..2]);
        let off = DeviceLock { require_password: false, ..nothing() };
        assert_eq!(told(&off.commands())[1], format!("  Replace {area}/DevicePasswordEnabled int 1"));
    }

    #[test]
    fn taken_away_is_each_by_itself_and_the_password_last() {
        let removed = told(&remove());
        assert_eq!(removed.len(), 10);
        assert_eq!(removed[9], "Delete ./Device/Vendor/MSFT/Policy/Config/DeviceLock/DevicePasswordEnabled");
        right(&remove());
    }

    #[test]
    fn values_have_the_bounds_of_windows() {
        let bad = [
            ("/min_length", DeviceLock { min_length: Some(3), ..nothing() }),
            ("/min_length", DeviceLock { min_length: Some(17), ..nothing() }),
            ("/min_complex_characters", DeviceLock { min_complex_characters: Some(0), ..nothing() }),
            ("/expires_after_days", DeviceLock { expires_after_days: Some(731), ..nothing() }),
            ("/history", DeviceLock { history: Some(51), ..nothing() }),
            ("/max_failed_attempts", DeviceLock { max_failed_attempts: Some(1000), ..nothing() }),
            ("/max_idle_minutes", DeviceLock { max_idle_minutes: Some(1000), ..nothing() }),
            ("/require_password", DeviceLock { require_password: false, history: Some(1), ..nothing() }),
        ];
        for (pointer, lock) in bad {
            assert_eq!(lock.check().unwrap_err().pointer, pointer, "{lock:?}");
        }
    }
}
