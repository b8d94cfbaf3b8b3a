//! Alerts of devices, as they are kept (management reference chapter 4).

use time::OffsetDateTime;

use super::Id;
use super::device::Device;
use super::enrollment::Enrollment;
use super::session_record::SessionRecord;

/// An Item of an alert that was not about the session itself, known or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRecord {
    /// Identifier.
    pub id: Id<Self>,
    /// The hardware.
    pub device_id: Id<Device>,
    /// Whose.
    pub enrollment_id: Id<Enrollment>,
    /// The session in which it came; it may be gone by now.
    pub session_id: Option<Id<SessionRecord>>,
    /// When it came.
    pub at: OffsetDateTime,
    /// Code, e.g. 1224.
    pub code: u16,
    /// `Meta/Type` as sent; empty where there was none.
    pub kind: String,
    /// Whether this build knows what it is about.
    pub is_known: bool,
    /// The node it is about, as sent.
    pub source: Option<String>,
    /// Severity, as sent.
    pub mark: Option<String>,
    /// Format of the data, as sent.
    pub format: Option<String>,
    /// The data: cut where it is long, a mark in place of what may be secret.
    pub data: String,
    /// How many bytes the data had.
    pub data_bytes: u64,
}
