//! What administrators decide about a device that asks to be let in.

use serde::{Deserialize, Serialize};

/// Whether somebody has to approve an enrollment, and what was decided; the words of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody has to: the rules let it in.
    #[default]
    NotNeeded,
    /// Nobody has decided; without a decision it never becomes active.
    Awaited,
    /// An administrator has let it in.
    Granted,
    /// An administrator has sent it away, for good.
    Refused,
}

impl Approval {
    const ALL: [Self; 4] = [Self::NotNeeded, Self::Awaited, Self::Granted, Self::Refused];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not_needed",
            Self::Awaited => "awaited",
            Self::Granted => "granted",
            Self::Refused => "refused",
        }
    }

    /// The approval of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|approval| approval.as_str() == text)
    }

    /// Whether the device may be managed.
    #[must_use]
    pub fn lets_in(self) -> bool {
        matches!(self, Self::NotNeeded | Self::Granted)
    }
}
