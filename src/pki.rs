//! Layer 2: certificates. Requests in, device certificates and revocation lists out, the making of the two CAs, and the
//! reading of what was signed with a device certificate.
//!
//! Two levels: a root signs the device issuing CA and, by another key, the server certificate; only the issuing CA signs
//! devices, and the device host trusts the issuing CA alone. Nothing here reads a clock or makes identifiers: time and
//! random bytes are arguments. Making keys and signing use the randomness inside aws-lc-rs.

pub mod authority;
pub mod cms;
pub mod create;
pub mod crl;
pub mod csr;
mod der;
mod device_certificates;
pub mod pem;
pub mod profile;

use std::net::IpAddr;

use aws_lc_rs::digest;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

pub use authority::{Authority, IssuedCertificate};
pub use cms::{DetachedSignature, SignatureRejected, SignedContent};
pub use csr::{CertificateRequest, CsrRejected};
pub use device_certificates::DeviceCertificates;
pub use profile::{DeviceProfile, Serial};

/// Why a certificate or revocation list was not made, or why CA material was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Bytes that should be a certificate are not one.
    #[error("{0} is not a certificate that we can read")]
    Certificate(&'static str),
    /// A certificate that should be a CA is none.
    #[error("{0} is not a CA certificate")]
    NotCa(&'static str),
    /// The issuing CA was not signed by the root.
    #[error("the issuing CA certificate was not signed by the root")]
    Chain,
    /// The private key cannot be read, or belongs to another certificate.
    #[error("the private key does not belong to {0}")]
    Key(&'static str),
    /// The CA's own validity has ended.
    #[error("the CA certificate has expired")]
    Expired,
    /// The private key is not at hand.
    #[error("the private key of the issuing CA is not at hand: {0}")]
    KeyMissing(String),
    /// A request for a certificate over one of our CA keys.
    #[error("the request names a key of our own CA")]
    OwnKey,
    /// A public key that cannot be written into a certificate.
    #[error("the public key is of a kind that is not issued")]
    PublicKey,
    /// A subject that X.509 does not allow: empty, longer than 64 characters, or with control characters.
    #[error("a common name has 1 to 64 characters and no control characters")]
    Subject,
    /// A host that is neither a DNS name nor an IP address.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    Host(String),
    /// The signature or the key could not be made.
    #[error("signing failed")]
    Signing(#[from] rcgen::Error),
}

/// SHA-256 of a certificate's DER: the key by which issued certificates are found.
#[must_use]
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
    out
}

/// First and last moment of a certificate's validity.
///
/// # Errors
/// [`PkiError::Certificate`] if the DER is not a certificate.
pub fn validity(der: &[u8]) -> Result<(OffsetDateTime, OffsetDateTime), PkiError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| PkiError::Certificate("the server certificate"))?;
    let validity = certificate.validity();
    Ok((validity.not_before.to_datetime(), validity.not_after.to_datetime()))
}

/// Whether these bytes are a certificate, and nothing else.
#[must_use]
pub fn is_certificate(der: &[u8]) -> bool {
    matches!(X509Certificate::from_der(der), Ok(([], _)))
}

/// Whether a certificate is for that host: a DNS name of its SAN without case, or an IP address.
#[must_use]
pub fn covers(der: &[u8], host: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|address| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    });
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(own) => own.eq_ignore_ascii_case(host),
        GeneralName::IPAddress(own) => address.as_deref() == Some(*own),
        _ => false,
    })
}

/// The name that Windows gives a certificate in its stores: SHA-1 of the DER, 40 hex digits, upper case.
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()).to_ascii_uppercase()
}

/// Lower-case hex digits, two for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}
