//! The enrollment ledger: every attempt from Discover on, failed ones too.

use time::OffsetDateTime;

use super::Id;
use super::enrollment::Enrollment;

/// One attempt to enroll. The messages of an attempt carry no common key, so one is joined to an open attempt of the same
/// name and address; a fault closes it, and what follows is a new attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Identifier.
    pub id: Id<Self>,
    /// First message.
    pub started_at: OffsetDateTime,
    /// Last message.
    pub updated_at: OffsetDateTime,
    /// User name or address as typed; empty where none was sent.
    pub email: String,
    /// Where it came from, without port.
    pub address: String,
    /// How far it came.
    pub phase: Phase,
    /// How it stands.
    pub outcome: Outcome,
    /// What happened, in words.
    pub cause: String,
    /// The HRESULT that the person at the device sees, where there is one.
    pub hresult: Option<u32>,
    /// `ActivityId` of the last answer, which the device logs.
    pub trace_id: String,
    /// Name of the device, where it was told.
    pub device_name: Option<String>,
    /// Version of the operating system, where it was told.
    pub os_version: Option<String>,
    /// What it led to.
    pub enrollment_id: Option<Id<Enrollment>>,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Discover.
    Discover,
    /// GetPolicies.
    Policy,
    /// RequestSecurityToken.
    Enroll,
    /// RequestSecurityToken of an enrolled device, for its next certificate.
    Renew,
}

impl Phase {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Policy => "policy",
            Self::Enroll => "enroll",
            Self::Renew => "renew",
        }
    }

    /// The phase of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Discover, Self::Policy, Self::Enroll, Self::Renew].into_iter().find(|phase| phase.as_str() == text)
    }
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next message is awaited.
    Open,
    /// A certificate was issued.
    Succeeded,
    /// A fault was answered.
    Failed,
}

impl Outcome {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Succeeded, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}
