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
}

impl Certificate {
    /// `valid`, `expired` or `revoked` at that moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> &'static str {
        match self.revoked_at {
            Some(_) => "revoked",
            None if now > self.not_after => "expired",
            None => "valid",
        }
    }
}
