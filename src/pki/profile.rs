//! What an issued certificate looks like: lifetimes and serial numbers.

use std::fmt;

use time::Duration;

use super::hex;

/// The choices an installation has about device certificates; everything else of the profile is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceProfile {
    /// From issue to expiry. The certificate never outlives its CA.
    pub lifetime: Duration,
    /// How far the start lies before the moment of issue, for clocks that are behind ours.
    pub backdate: Duration,
}

impl DeviceProfile {
    /// Certificates of that lifetime, back-dated by five minutes.
    #[must_use]
    pub fn new(lifetime: Duration) -> Self {
        Self { lifetime, backdate: Duration::minutes(5) }
    }
}

/// A certificate's serial number: 16 bytes, positive, not zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Makes a serial number of 16 random bytes; the top bit is cleared, because X.509 has signed integers.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[0] &= 0x7F;
        if bytes == [0; 16] {
            bytes[15] = 1;
        }
        Self(bytes)
    }

    /// Takes the 16 bytes of a stored serial number; `None` if no certificate of ours could have it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes[0] < 0x80 && bytes != [0; 16]).then_some(Self(bytes))
    }

    /// The bytes, most significant first.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hex digits, lower case.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// 32 hex digits, upper case.
    #[must_use]
    pub fn to_hex_upper(self) -> String {
        self.to_hex().to_ascii_uppercase()
    }

    /// Reads 1 to 32 hex digits of either case; colons between them are ignored, missing zeros at the front are added.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16))
            .map(|d| d.map(|d| d as u8))
            .collect::<Option<_>>()?;
        if digits.is_empty() || digits.len() > 32 {
            return None;
        }
        let mut bytes = [0; 16];
        for (at, digit) in digits.iter().rev().enumerate() {
            bytes[15 - at / 2] |= digit << (4 * (at % 2));
        }
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_positive_and_never_zero() {
        assert_eq!(Serial::from_random([0xFF; 16]).as_bytes()[0], 0x7F);
        assert_eq!(Serial::from_random([0; 16]).to_hex(), "00000000000000000000000000000001");
        let mut top_only = [0; 16];
        top_only[0] = 0x80;
        assert_eq!(Serial::from_random(top_only).to_hex(), "00000000000000000000000000000001");
    }

    #[test]
    fn serials_are_read_as_they_are_written() {
        let serial = Serial::from_random([0x0A; 16]);
        for text in [serial.to_hex(), serial.to_hex_upper(), serial.to_hex_upper()[1..].to_owned()] {
            assert_eq!(Serial::parse(&text), Some(serial), "{text}");
        }
        assert_eq!(Serial::parse("0a:0B").map(Serial::to_hex), Some(format!("{:0>32}", "a0b")));
        for bad in ["", "0", "g", "80000000000000000000000000000000", "000000000000000000000000000000001"] {
            assert_eq!(Serial::parse(bad), None, "{bad}");
        }
    }
}
