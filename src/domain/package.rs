//! Packages for bulk enrollment: a credential of a bulk user that is good for a while, for so many devices, from some
//! places (enrollment reference 10).

use std::net::IpAddr;

use time::OffsetDateTime;

use super::sign_in::MOST_PIN_TRIES;
use super::user::User;
use super::{Id, Network};

/// A build of a package, by the `Idempotency-Key` of the request for it.
#[derive(Clone, Copy, Debug)]
pub enum Build {}

/// A package, as the server knows it. What else is in the file that was handed out is not kept.
#[derive(Clone, Debug)]
pub struct Package {
    /// Identifier; also the `ID` in the package.
    pub id: Id<Self>,
    /// The bulk user under whom its devices arrive; `None` once that user was removed.
    pub user_id: Option<Id<User>>,
    /// That user's name when the package was made.
    pub user_name: String,
    /// Its name: letters, digits and hyphens.
    pub name: String,
    /// How often it was built; from 1.
    pub build: u32,
    /// What the last build was asked for by, where the request had an `Idempotency-Key`.
    pub built_as: Option<Id<Build>>,
    /// SHA-256 of the secret of the last build.
    pub secret_hash: [u8; 32],
    /// Argon2id of the PIN, sealed, where it has one.
    pub sealed_pin_hash: Option<Vec<u8>>,
    /// Wrong PINs that were tried, and tries that are under way.
    pub pin_failures: u32,
    /// From where it may be used; empty: from everywhere.
    pub networks: Vec<Network>,
    /// Most devices that may enroll with it.
    pub max_devices: u32,
    /// Devices that enrolled with it; one that does so again counts once.
    pub devices: u32,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When a device enrolled with it last.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was withdrawn.
    pub revoked_at: Option<OffsetDateTime>,
    /// The newest root certificate in the last build, by its thumbprint; `None` where there is none in it.
    pub root: Option<String>,
    /// Generation of the enrollment URL in the last build; `None`: the one without a generation.
    pub generation: Option<String>,
}

/// Where a package stands; the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageState {
    /// It may be used.
    Live,
    /// As many devices as may be have enrolled with it; those can do so again.
    UsedUp,
    /// Its time is over.
    Expired,
    /// It was withdrawn, or its bulk user was removed.
    Revoked,
}

impl PackageState {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::UsedUp => "used_up",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Package {
    /// Where it stands at that moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> PackageState {
        if self.revoked_at.is_some() || self.user_id.is_none() {
            PackageState::Revoked
        } else if now >= self.expires_at {
            PackageState::Expired
        } else if self.devices >= self.max_devices {
            PackageState::UsedUp
        } else {
            PackageState::Live
        }
    }

    /// Why nobody signs in with it at that moment from there, in words for the administrator. One that is used up still
    /// lets the devices in that it has.
    #[must_use]
    pub fn obstacle(&self, now: OffsetDateTime, address: IpAddr) -> Option<&'static str> {
        match self.state(now) {
            PackageState::Revoked => Some("the package was revoked"),
            PackageState::Expired => Some("the package has expired"),
            PackageState::Live | PackageState::UsedUp => {
                let is_near = self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address));
                (!is_near).then_some("the package may not be used from this address")
            }
        }
    }

    /// Whether its PIN may still be tried.
    #[must_use]
    pub fn has_live_pin(&self) -> bool {
        self.sealed_pin_hash.is_some() && self.pin_failures < MOST_PIN_TRIES
    }

    /// `Version` of the package: it rises with every build.
    #[must_use]
    pub fn version(&self) -> String {
        format!("1.{}", self.build.saturating_sub(1))
    }
}

/// Digits of the shortest and the longest PIN.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 6..=16;

/// Whether a text could be the PIN of a package; other texts are not counted as guesses of one.
#[must_use]
pub fn is_pin_shaped(text: &str) -> bool {
    PIN_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

    fn package() -> Package {
        Package {
            id: Id::new(uuid::Uuid::from_u128(1)),
            user_id: Some(Id::new(uuid::Uuid::from_u128(2))),
            user_name: "windows-bulkenroll-1@example.test".to_owned(),
            name: "Site7".to_owned(),
            build: 1,
            built_as: None,
            secret_hash: [0; 32],
            sealed_pin_hash: None,
            pin_failures: 0,
            networks: Vec::new(),
            max_devices: 2,
            devices: 0,
            created_at: NOON,
            expires_at: NOON + time::Duration::HOUR,
            last_used_at: None,
            revoked_at: None,
            root: None,
            generation: None,
        }
    }

    #[test]
    fn a_package_ends_in_three_ways() {
        let state = |change: fn(&mut Package), minutes| {
            let mut package = package();
            change(&mut package);
            package.state(NOON + time::Duration::minutes(minutes)).as_str()
        };
        assert_eq!(state(|_| {}, 59), "live");
        assert_eq!(state(|_| {}, 60), "expired");
        assert_eq!(state(|package| package.devices = 2, 0), "used_up");
        assert_eq!(state(|package| package.devices = 2, 60), "expired");
        assert_eq!(state(|package| package.revoked_at = Some(NOON), 60), "revoked");
        assert_eq!(state(|package| package.user_id = None, 0), "revoked");
    }

    #[test]
    fn it_may_be_tied_to_networks() {
        let mut package = package();
        let obstacle = |package: &Package, address: &str| package.obstacle(NOON, address.parse().unwrap());
        assert_eq!(obstacle(&package, "198.51.100.1"), None);
        package.networks = vec![Network::try_from("192.0.2.0/24".to_owned()).unwrap()];
        assert_eq!(obstacle(&package, "192.0.2.9"), None);
        assert!(obstacle(&package, "198.51.100.1").is_some());
        package.devices = package.max_devices;
        assert_eq!(obstacle(&package, "192.0.2.9"), None, "the devices that it has may come again");
    }

    #[test]
    fn versions_rise_and_pins_have_a_shape() {
        assert_eq!([1, 2, 11].map(|build| Package { build, ..package() }.version()), ["1.0", "1.1", "1.10"]);
        for pin in ["123456", "0000000000000000"] {
            assert!(is_pin_shaped(pin));
        }
        for other in ["", "12345", "12345678901234567", "12345a", "１２３４５６"] {
            assert!(!is_pin_shaped(other), "{other}");
        }
    }
}
