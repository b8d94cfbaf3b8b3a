//! Devices that were registered before they come: by what they will say of themselves.

use time::OffsetDateTime;

use super::Id;
use super::device::{is_usable_hw_dev_id, is_usable_identifier};
use super::enrollment::{Enrollment, normalize_identifier};

/// A device that may enroll where only registered ones may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredDevice {
    /// Identifier of the entry.
    pub id: Id<Self>,
    /// What the value is.
    pub kind: RegisteredBy,
    /// The value, trimmed.
    pub value: String,
    /// What for, in the words of who registered it.
    pub note: Option<String>,
    /// When.
    pub created_at: OffsetDateTime,
    /// What it let in last. As long as that waits or is active, it lets nothing else in but the same machine of the same
    /// user.
    pub enrollment_id: Option<Id<Enrollment>>,
}

/// By which of its claims a device is recognised; the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredBy {
    /// `SerialNumber`, which Windows 11 25H2 and later send.
    Serial,
    /// `HWDevID`, the hardware hash.
    HwDevId,
    /// `ZeroTouchProvisioning`, the id of the registration with Autopilot.
    Autopilot,
}

impl RegisteredBy {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Serial, Self::HwDevId, Self::Autopilot];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::HwDevId => "hw_dev_id",
            Self::Autopilot => "autopilot",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The item of an enrollment request that holds it.
    #[must_use]
    pub fn context_item(self) -> &'static str {
        match self {
            Self::Serial => "SerialNumber",
            Self::HwDevId => "HWDevID",
            Self::Autopilot => "ZeroTouchProvisioning",
        }
    }

    /// The form in which values are compared; `None` for one that can name no machine.
    #[must_use]
    pub fn key(self, value: &str) -> Option<String> {
        let is_usable = match self {
            Self::HwDevId => is_usable_hw_dev_id(value),
            Self::Serial | Self::Autopilot => {
                is_usable_identifier(value) && value.len() <= LONGEST && !value.chars().any(char::is_control)
            }
        };
        is_usable.then(|| normalize_identifier(value))
    }
}

/// Longest value, in bytes.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_name_no_machine_are_no_keys() {
        assert_eq!(RegisteredBy::Serial.key(" PF3ABC12 ").as_deref(), Some("pf3abc12"));
        for value in ["", "None", "0000000", "a\u{7}b", &"x1".repeat(65)] {
            assert_eq!(RegisteredBy::Serial.key(value), None, "{value:?}");
        }
        assert_eq!(RegisteredBy::HwDevId.key("PF3ABC12"), None);
        assert!(RegisteredBy::HwDevId.key(&"0F".repeat(32)).is_some());
    }
}
