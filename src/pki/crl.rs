//! The revocation list of the issuing CA (RFC 5280 section 5).
//!
//! Our own check of a device certificate is the database; the list is for everybody else.

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber};
use time::OffsetDateTime;

use super::authority::whole_second;
use super::{Authority, PkiError, Serial};

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Which certificate.
    pub serial: Serial,
    /// Since when.
    pub at: OffsetDateTime,
    /// Why.
    pub reason: Reason,
}

/// Why a certificate was revoked (RFC 5280 section 5.3.1); those of the codes that we have a use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No reason given; written as no reason code at all.
    Unspecified,
    /// The private key may be known to others.
    KeyCompromise,
    /// Replaced by a later certificate of the same device.
    Superseded,
    /// The enrollment ended.
    CessationOfOperation,
    /// An administrator took the right away.
    PrivilegeWithdrawn,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Unspecified => Self::Unspecified,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

impl Authority {
    /// Signs a list, DER. `number` must grow from list to list; `next_update` is when readers must have fetched the next.
    ///
    /// # Errors
    /// [`PkiError::KeyMissing`], or [`PkiError::Signing`], also when `next_update` is not after `this_update`.
    pub fn crl(
        &self,
        number: u64,
        this_update: OffsetDateTime,
        next_update: OffsetDateTime,
        revoked: &[Revoked],
    ) -> Result<Vec<u8>, PkiError> {
        let params = CertificateRevocationListParams {
            this_update: whole_second(this_update),
            next_update: whole_second(next_update),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(self.key_identifier().to_vec()),
        };
        Ok(params.signed_by(self.issuer()?)?.der().to_vec())
    }
}

fn entry(revoked: &Revoked) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(revoked.serial.as_bytes()),
        revocation_time: whole_second(revoked.at),
        reason_code: Some(revoked.reason.into()),
        invalidity_date: None,
    }
}
