//! Certificates issued to devices, as records.

use time::OffsetDateTime;

use super::Id;
use super::enrollment::Enrollment;

/// An issued device certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Serial number, 32 lower-case hex digits.
    pub serial: String,
    /// SHA-256 of the DER: the key by which a presented certificate is found.
    pub sha256: [u8; 32],
    /// Whose it is.
    pub enrollment_id: Id<Enrollment>,
    /// Subject, as text.
    pub subject: String,
    /// SHA-256 of the certificate of the issuing CA, hex.
    pub issuer: String,
    /// The certificate.
    pub der: Vec<u8>,
    /// SHA-256 of the SubjectPublicKeyInfo; no other enrollment may have the same key.
    pub key_sha256: [u8; 32],
    /// Start of validity.
    pub not_before: OffsetDateTime,
    /// End of validity.
    pub not_after: OffsetDateTime,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// Why, in words.
    pub revoked_reason: Option<String>,
    /// The serial number of the certificate with which it was asked for; `None` for the first one of an enrollment.
    pub renews: Option<String>,
    /// When a session was first opened with it; not told for the first one of an enrollment.
    pub first_used_at: Option<OffsetDateTime>,
    /// When the device was first seen with its next one: from then on it is good for nothing.
    pub superseded_at: Option<OffsetDateTime>,
    /// When it was told that its device is late to renew it.
    pub late_told_at: Option<OffsetDateTime>,
}

impl Certificate {
    /// `valid`, `waiting` (renewed and not used yet), `superseded`, `expired` or `revoked` at that moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> &'static str {
        if self.revoked_at.is_some() {
            "revoked"
        } else if self.superseded_at.is_some() {
            "superseded"
        } else if now > self.not_after {
            "expired"
        } else if self.is_waiting() {
            "waiting"
        } else {
            "valid"
        }
    }

    /// Whether it came of a renewal and its device has not been seen with it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.renews.is_some() && self.first_used_at.is_none() && self.is_good()
    }

    /// Whether it is neither revoked nor superseded, whatever its dates.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.revoked_at.is_none() && self.superseded_at.is_none()
    }
}
