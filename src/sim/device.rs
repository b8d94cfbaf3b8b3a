//! Who the simulated device is: a profile, and identifiers made from a seed.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

use crate::proto::mde2::Version;

/// What kind of machine is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A PC with Windows 11 24H2 Pro.
    Windows11,
    /// A PC with Windows 10 22H2 Enterprise.
    Windows10,
    /// A HoloLens 2.
    HoloLens2,
}

/// The text names no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profiles are win11, win10 and hololens2")]
pub struct UnknownProfile;

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Windows11, Self::Windows10, Self::HoloLens2];

    /// Its word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Windows11 => "win11",
            Self::Windows10 => "win10",
            Self::HoloLens2 => "hololens2",
        }
    }

    /// Version of the operating system.
    #[must_use]
    pub fn os_version(self) -> &'static str {
        match self {
            Self::Windows11 => "10.0.26100.4061",
            Self::Windows10 => "10.0.19045.5854",
            Self::HoloLens2 => "10.0.22621.1399",
        }
    }

    /// Number of the edition.
    #[must_use]
    pub fn os_edition(self) -> u32 {
        match self {
            Self::Windows11 => 48,
            Self::Windows10 => 4,
            Self::HoloLens2 => 136,
        }
    }

    pub(super) fn request_version(self) -> Version {
        match self {
            Self::Windows11 => Version::new(7),
            Self::Windows10 => Version::new(5),
            Self::HoloLens2 => Version::new(6),
        }
    }

    /// Maker and model.
    #[must_use]
    pub fn hardware(self) -> (&'static str, &'static str) {
        match self {
            Self::Windows11 => ("Harbor Computers", "Quay 14 G2"),
            Self::Windows10 => ("Harbor Computers", "Pier 24"),
            Self::HoloLens2 => ("Microsoft Corporation", "HoloLens 2"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownProfile)
    }
}

/// A machine. Two devices of the same seed are the same hardware.
#[derive(Clone, Debug)]
pub struct Device {
    /// What kind of machine.
    pub profile: Profile,
    /// `DeviceID`: 32 hex digits, new at each enrollment.
    pub device_id: String,
    /// `HWDevID`: 64 hex digits, the same for ever.
    pub hardware_id: String,
    /// The computer name.
    pub name: String,
    /// The GUID whose beginning Windows puts into the subject of its certificate request.
    pub key_guid: String,
    /// Network addresses, with dashes as Windows writes them.
    pub macs: Vec<String>,
    /// Serial number of the hardware.
    pub serial_number: String,
    /// Language tag.
    pub locale: String,
    seed: String,
}

impl Device {
    /// The machine of that seed, before its first enrollment.
    #[must_use]
    pub fn new(profile: Profile, seed: &str) -> Self {
        let hardware_id = hex(seed, "hardware");
        let bytes = hash(seed, "mac");
        // 02 marks addresses that are administered locally, so none of them belongs to a real maker.
        let mac = |last: u8| format!("02-00-5E-{:02X}-{:02X}-{last:02X}", bytes[0], bytes[1]);
        Self {
            profile,
            device_id: device_id(seed, 0),
            name: format!("SIM-{}", &hardware_id[..8]),
            key_guid: key_guid(seed),
            macs: vec![mac(1), mac(2), mac(2)],
            serial_number: format!("SN{}", &hardware_id[8..20]),
            hardware_id,
            locale: "en-US".to_owned(),
            seed: seed.to_owned(),
        }
    }

    /// The same machine with the `DeviceID` of its enrollment number `count` (0 is the first).
    #[must_use]
    pub fn for_enrollment(mut self, count: u32) -> Self {
        self.device_id = device_id(&self.seed, count);
        self
    }
}

fn device_id(seed: &str, count: u32) -> String {
    hex(seed, &format!("enrollment {count}"))[..32].to_owned()
}

fn key_guid(seed: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash(seed, "key")[..16]);
    Uuid::from_bytes(bytes).to_string().to_uppercase()
}

fn hash(seed: &str, purpose: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, format!("{purpose}\0{seed}").as_bytes()).as_ref());
    out
}

fn hex(seed: &str, purpose: &str) -> String {
    hash(seed, purpose).iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_makes_the_hardware() {
        let device = Device::new(Profile::Windows11, "a");
        assert_eq!((device.device_id.len(), device.hardware_id.len(), device.key_guid.len()), (32, 64, 36));
        let again = Device::new(Profile::Windows11, "a").for_enrollment(1);
        assert_eq!(device.hardware_id, again.hardware_id);
        assert_ne!(device.device_id, again.device_id);
        assert_ne!(device.hardware_id, Device::new(Profile::Windows11, "b").hardware_id);
    }

    #[test]
    fn profiles_have_names() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert_eq!("amiga".parse::<Profile>(), Err(UnknownProfile));
    }
}
