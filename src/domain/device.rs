//! A device is hardware; what it is enrolled for, and since when, is an [`super::enrollment::Enrollment`].

use time::OffsetDateTime;

use super::Id;
use super::enrollment::Enrollment;

/// A piece of hardware, through all its enrollments.
#[derive(Clone, Debug)]
pub struct Device {
    /// Identifier.
    pub id: Id<Self>,
    /// The name the device gave itself when it enrolled last.
    pub name: String,
    /// Hardware hash of the device (`HWDevID`), where it sent a usable one.
    pub hw_dev_id: Option<String>,
    /// The enrollment that counts: the newest.
    pub enrollment_id: Id<Enrollment>,
    /// Another device record that claims the same hardware, enrolled by another user.
    pub linked_device_id: Option<Id<Self>>,
    /// When it was seen first.
    pub created_at: OffsetDateTime,
}

/// Whether an identifier that a client claims can name one machine.
///
/// Placeholders (empty, `None`, `null`, one character repeated) never do (enrollment reference 4.3), nor does text that is
/// longer than any real identifier: an index does not take it.
#[must_use]
pub fn is_usable_identifier(text: &str) -> bool {
    let text = text.trim();
    if text.len() > LONGEST_IDENTIFIER {
        return false;
    }
    let placeholder = ["none", "null", "unknown", "0"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let mut letters = text.chars().filter(|c| *c != '-');
    let repeated = letters.next().is_none_or(|first| letters.all(|c| c == first));
    !placeholder && !repeated
}

/// Longest identifier by which a device is found, in bytes; a `DevID` has at most 256.
pub const LONGEST_IDENTIFIER: usize = 512;

/// Whether a `HWDevID` can serve as a key: 64 hex digits and no placeholder.
#[must_use]
pub fn is_usable_hw_dev_id(text: &str) -> bool {
    let text = text.trim();
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_usable_identifier(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: E-136
    #[test]
    fn placeholders_are_no_keys() {
        for text in ["", "  ", "None", "null", "0000-0000", &"0".repeat(64), "aaaa"] {
            assert!(!is_usable_identifier(text), "{text:?}");
        }
        assert!(is_usable_identifier("1E08C6E95D8BB843B1278FF45BC60CC6"));
        assert!(is_usable_identifier(&"ab".repeat(256)) && !is_usable_identifier(&"abc".repeat(171)), "513 bytes");
        assert!(!is_usable_hw_dev_id("1E08C6E95D8BB843B1278FF45BC60CC6"));
        assert!(is_usable_hw_dev_id("3B3ED6D0EA88CBFCF37D36F90F22FE61172348C0162FC3840D6703149870CE76"));
    }
}
