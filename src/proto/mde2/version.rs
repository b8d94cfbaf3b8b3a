//! Versions of the enrollment protocol: decimal numbers, compared as numbers.

use std::fmt;
use std::str::FromStr;

/// A protocol version, kept to one decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    tenths: u32,
}

/// The text is not a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version number")]
pub struct InvalidVersion;

impl Version {
    /// The version `major.0`.
    #[must_use]
    pub const fn new(major: u16) -> Self {
        Self { tenths: major as u32 * 10 }
    }
}

impl fmt::Display for Version {
    /// One decimal, always: `4.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.tenths / 10, self.tenths % 10)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Reads a decimal of any size; digits after the first decimal are dropped, and a huge number is merely high.
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let (whole, fraction) = text.trim().split_once('.').unwrap_or_else(|| (text.trim(), ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(InvalidVersion);
        }
        let whole = whole.parse().unwrap_or(u32::MAX / 10 - 1);
        let tenth = fraction.bytes().next().map_or(0, |digit| u32::from(digit - b'0'));
        Ok(Self { tenths: whole.saturating_mul(10).saturating_add(tenth) })
    }
}

/// The `EnrollmentVersion` to answer with: the lower of both sides, and none for clients below 3.0, which do not know
/// the element. [MS-MDE2] 3.1.4.1.3.
#[must_use]
pub fn negotiate(server_max: Version, requested: Option<Version>) -> Option<Version> {
    requested.map(|requested| requested.min(server_max)).filter(|version| *version >= FIRST_WITH_ANSWER)
}

const FIRST_WITH_ANSWER: Version = Version::new(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_decimals() {
        for (text, shown) in [
            ("4.0", "4.0"),
            (" 4 ", "4.0"),
            ("12.5", "12.5"),
            ("6.05", "6.0"),
            ("4.", "4.0"),
            ("00009.0", "9.0"),
            ("99999999999999999999.9", "429496728.9"),
        ] {
            assert_eq!(text.parse::<Version>().map(|v| v.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for text in ["", " ", "x", "-4.0", "4,0", ".5", "4.0.0", "4.x", "١.0"] {
            assert_eq!(text.parse::<Version>(), Err(InvalidVersion), "{text}");
        }
        assert!(Version::new(10) > Version::new(9));
    }

    /// Below 3.0 nothing, above the server's maximum that maximum.
    // covers: E-27, E-28
    #[test]
    fn the_lower_side_wins() {
        let server = Version::new(4);
        for (requested, answer) in [
            (Some("2.0"), None),
            (Some("2.9"), None),
            (Some("3.0"), Some("3.0")),
            (Some("4.0"), Some("4.0")),
            (Some("9.0"), Some("4.0")),
            (Some("12.5"), Some("4.0")),
            (None, None),
        ] {
            let requested_version = requested.map(|text| text.parse().unwrap());
            let negotiated = negotiate(server, requested_version).map(|v| v.to_string());
            assert_eq!(negotiated.as_deref(), answer, "{requested:?}");
        }
    }
}
