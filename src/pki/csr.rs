//! Reads a PKCS#10 request, tolerant of what Windows writes and strict about the key.
//!
//! Genuine requests of Windows have a PrintableString with characters that type does not allow, an extension whose value
//! is no ASN.1, and a SHA-1 signature. All of that is accepted, because the request decides one thing only: the public
//! key. Subject, attributes and extensions are never looked at.

use aws_lc_rs::digest;
use rcgen::PublicKeyData;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::der_parser::Oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_NIST_EC_P384, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA,
    OID_PKCS1_SHA512WITHRSA, OID_SHA1_WITH_RSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::{ECPoint, PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

/// Most bytes of DER that a request may have.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Largest RSA modulus, in bits.
pub const MAX_RSA_BITS: usize = 8192;
/// Smallest RSA public exponent.
const MIN_EXPONENT: u64 = 65_537;

/// The one thing that a request decides: a public key whose private half the sender has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    spki: Vec<u8>,
}

/// Why a request is refused; one variant for each rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrRejected {
    /// More than [`MAX_REQUEST_BYTES`].
    #[error("the certificate request is larger than {MAX_REQUEST_BYTES} bytes")]
    TooLarge,
    /// Not a PKCS#10 structure.
    #[error("the certificate request is not PKCS#10")]
    Malformed,
    /// Bytes after the end of the structure.
    #[error("the certificate request has trailing bytes")]
    TrailingBytes,
    /// Neither RSA nor EC on P-256 or P-384.
    #[error("the key of the certificate request is neither RSA nor on P-256 or P-384")]
    KeyType,
    /// An RSA modulus outside the allowed sizes.
    #[error("the RSA key of the certificate request has {bits} bits; {minimum} to {MAX_RSA_BITS} are allowed")]
    KeySize {
        /// Bits of the modulus.
        bits: usize,
        /// Fewest bits allowed.
        minimum: usize,
    },
    /// An RSA exponent that is even, below 65537 or absurdly large.
    #[error("the RSA exponent of the certificate request is not an odd number of at least 65537")]
    Exponent,
    /// A key whose encoding is not DER. One key has one encoding, otherwise a key could come twice unnoticed.
    #[error("the public key of the certificate request is not encoded as DER asks")]
    KeyEncoding,
    /// A signature algorithm that is not on the list.
    #[error("the certificate request is signed with an algorithm that is not accepted")]
    SignatureAlgorithm,
    /// The self-signature does not verify: no proof of possession.
    #[error("the signature of the certificate request does not verify")]
    Signature,
}

impl CertificateRequest {
    /// Reads a request; RSA keys need at least `min_bits` bits (EC keys are P-256 or P-384 whatever `min_bits` says).
    ///
    /// # Errors
    /// The first broken rule of [`CsrRejected`].
    pub fn parse(der: &[u8], min_bits: usize) -> Result<Self, CsrRejected> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(CsrRejected::TooLarge);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| CsrRejected::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrRejected::TrailingBytes);
        }
        let spki = &request.certification_request_info.subject_pki;
        check_key(spki, min_bits)?;
        // A signature algorithm of the wrong family for the key fails in the verification itself.
        if !SIGNATURE_ALGORITHMS.contains(&request.signature_algorithm.algorithm) {
            return Err(CsrRejected::SignatureAlgorithm);
        }
        request.verify_signature().map_err(|_| CsrRejected::Signature)?;
        Ok(Self { spki: spki.raw.to_vec() })
    }

    /// The SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`Self::spki`]: the same for the same key, whatever else a request says.
    #[must_use]
    pub fn key_sha256(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, &self.spki).as_ref());
        out
    }
}

fn check_key(spki: &SubjectPublicKeyInfo<'_>, min_bits: usize) -> Result<(), CsrRejected> {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) => check_rsa(&key, &spki.subject_public_key.data, min_bits)?,
        Ok(PublicKey::EC(point)) => check_ec(spki, &point)?,
        Ok(_) => return Err(CsrRejected::KeyType),
        Err(_) => return Err(CsrRejected::KeyEncoding),
    }
    let canonical = rcgen::SubjectPublicKeyInfo::from_der(spki.raw).map_err(|_| CsrRejected::KeyEncoding)?;
    if canonical.subject_public_key_info() == spki.raw { Ok(()) } else { Err(CsrRejected::KeyEncoding) }
}

fn check_rsa(key: &RSAPublicKey<'_>, encoded: &[u8], min_bits: usize) -> Result<(), CsrRejected> {
    let modulus = positive(key.modulus).ok_or(CsrRejected::KeyEncoding)?;
    let exponent = positive(key.exponent).ok_or(CsrRejected::KeyEncoding)?;
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
    if bits < min_bits || bits > MAX_RSA_BITS {
        return Err(CsrRejected::KeySize { bits, minimum: min_bits });
    }
    // An exponent that does not fit into 64 bits is refused as well: no client makes one, and verifying would be slow.
    let value = exponent.iter().try_fold(0u64, |n, b| n.checked_mul(256).map(|n| n | u64::from(*b)));
    if value.is_none_or(|e| e < MIN_EXPONENT || e % 2 == 0) {
        return Err(CsrRejected::Exponent);
    }
    let integers = [tlv(0x02, key.modulus), tlv(0x02, key.exponent)].concat();
    if tlv(0x30, &integers) == encoded { Ok(()) } else { Err(CsrRejected::KeyEncoding) }
}

/// The magnitude of a DER INTEGER that is positive and encoded in the fewest bytes.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, second, ..] if *second >= 0x80 => Some(&integer[1..]),
        [first, ..] if (1..0x80).contains(first) => Some(integer),
        _ => None,
    }
}

fn check_ec(spki: &SubjectPublicKeyInfo<'_>, point: &ECPoint<'_>) -> Result<(), CsrRejected> {
    let curve = spki.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let length = match curve {
        Some(oid) if oid == OID_EC_P256 => 65,
        Some(oid) if oid == OID_NIST_EC_P384 => 97,
        _ => return Err(CsrRejected::KeyType),
    };
    match point.data() {
        [4, ..] if point.data().len() == length => Ok(()),
        _ => Err(CsrRejected::KeyEncoding),
    }
}

/// One DER element of up to 65,535 bytes.
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = match contents.len() {
        0..=0x7F => vec![tag, low],
        0x80..=0xFF => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(contents);
    out
}

/// What a request may be signed with. SHA-1 is safe here and every genuine Windows request has it: the signature shows
/// possession of the key and vouches for nothing else. The first is the old OIW number that Windows uses.
const SIGNATURE_ALGORITHMS: [Oid<'static>; 7] = [
    OID_SHA1_WITH_RSA,
    OID_PKCS1_SHA1WITHRSA,
    OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA,
    OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384,
];

#[cfg(test)]
mod tests;
