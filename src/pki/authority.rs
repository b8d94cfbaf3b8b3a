//! The device issuing CA: signs device certificates by a fixed profile.
//!
//! The profile: version 3, SHA-256 with the CA's key, a subject of our choice, CA false (critical), key usage
//! digitalSignature and keyEncipherment (critical), extended key usage clientAuth alone, both key identifiers. Nothing
//! but the public key comes from a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SerialNumber, SignatureAlgorithm, SigningKey, SubjectPublicKeyInfo,
};
use rustls::pki_types::UnixTime;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use zeroize::Zeroize;

use super::{DeviceCertificates, DeviceProfile, PkiError, Serial, fingerprint, hex};

/// Longest common name that X.509 allows (RFC 5280 appendix A, `ub-common-name`), in characters.
const MAX_COMMON_NAME: usize = 64;

/// The two CA certificates and, where it is at hand, the key of the issuing one. Without it enrolled devices are still known,
/// and nothing is signed.
pub struct Authority {
    root: Vec<u8>,
    issuing: Vec<u8>,
    own_keys: [Vec<u8>; 2],
    key_identifier: Vec<u8>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    id: [u8; 32],
    /// What signs; otherwise why there is no key, in words.
    issuer: Result<Issuer<'static, CaKey>, String>,
    issued: DeviceCertificates,
}

/// A certificate that was just signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// Its serial number.
    pub serial: Serial,
    /// SHA-256 of `der`.
    pub sha256: [u8; 32],
    /// [`Authority::id`] of the CA that signed it.
    pub issuer: [u8; 32],
    /// Start of validity, whole seconds.
    pub not_before: OffsetDateTime,
    /// End of validity, whole seconds.
    pub not_after: OffsetDateTime,
    /// The common name.
    pub subject: String,
}

impl Authority {
    /// Takes CA material: both certificates as DER and the issuing CA's private key as PKCS#8 DER.
    ///
    /// # Errors
    /// [`PkiError::Certificate`], [`PkiError::NotCa`], [`PkiError::Chain`] or [`PkiError::Key`] when the parts do not fit.
    pub fn new(root: Vec<u8>, issuing: Vec<u8>, issuing_key: &[u8]) -> Result<Self, PkiError> {
        let key = CaKey::from_pkcs8(issuing_key, "the issuing CA")?;
        let mut authority = Self::without_key(root, issuing, String::new())?;
        if key.subject_public_key_info() != authority.own_keys[1] {
            return Err(PkiError::Key("the issuing CA"));
        }
        authority.issuer = Ok(Issuer::from_ca_cert_der(&authority.issuing.as_slice().into(), key)?);
        Ok(authority)
    }

    /// Takes both certificates alone, and why there is no private key: what is enrolled is known, and nothing is signed.
    ///
    /// # Errors
    /// [`PkiError::Certificate`], [`PkiError::NotCa`] or [`PkiError::Chain`] when the parts do not fit.
    pub fn without_key(root: Vec<u8>, issuing: Vec<u8>, why: String) -> Result<Self, PkiError> {
        let root_ca = parse_ca(&root, "the root")?;
        let issuing_ca = parse_ca(&issuing, "the issuing CA")?;
        issuing_ca.verify_signature(Some(root_ca.public_key())).map_err(|_| PkiError::Chain)?;
        let own_keys = [root_ca.public_key().raw.to_vec(), issuing_ca.public_key().raw.to_vec()];
        let key_identifier = key_identifier(&issuing_ca).ok_or(PkiError::NotCa("the issuing CA"))?;
        let validity = issuing_ca.validity();
        let (not_before, not_after) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let issued = DeviceCertificates::new(&[issuing.clone().into()], provider);
        let issued = issued.map_err(|_| PkiError::NotCa("the issuing CA"))?;
        let id = fingerprint(&issuing);
        Ok(Self { root, issuing, own_keys, key_identifier, not_before, not_after, id, issuer: Err(why), issued })
    }

    /// The root certificate, DER.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The issuing CA's certificate, DER; the trust anchor of the device host.
    #[must_use]
    pub fn issuing(&self) -> &[u8] {
        &self.issuing
    }

    /// SHA-256 of the issuing CA's certificate.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// [`Self::id`] in hex.
    #[must_use]
    pub fn id_hex(&self) -> String {
        hex(&self.id)
    }

    /// Why it cannot sign, in words, if it cannot.
    #[must_use]
    pub fn alarm(&self) -> Option<&str> {
        self.issuer.as_ref().err().map(String::as_str)
    }

    /// When the issuing CA's certificate ends, and with it every certificate under it.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Signs a device certificate over the public key `spki` (as [`super::CertificateRequest`] gives it).
    ///
    /// # Errors
    /// [`PkiError::OwnKey`], [`PkiError::Subject`], [`PkiError::PublicKey`], [`PkiError::Expired`],
    /// [`PkiError::KeyMissing`] or [`PkiError::Signing`].
    pub fn issue(
        &self,
        spki: &[u8],
        subject_cn: &str,
        serial: Serial,
        now: OffsetDateTime,
        profile: &DeviceProfile,
    ) -> Result<IssuedCertificate, PkiError> {
        if self.own_keys.iter().any(|own| own == spki) {
            return Err(PkiError::OwnKey);
        }
        let public_key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| PkiError::PublicKey)?;
        let now = whole_second(now);
        if now >= self.not_after {
            return Err(PkiError::Expired);
        }
        let mut params = device_params(subject_cn, serial)?;
        params.not_before = (now - profile.backdate).max(self.not_before);
        params.not_after = (now + profile.lifetime).min(self.not_after);
        let der = params.signed_by(&public_key, self.issuer()?)?.der().to_vec();
        Ok(IssuedCertificate {
            serial,
            sha256: fingerprint(&der),
            issuer: self.id,
            not_before: params.not_before,
            not_after: params.not_after,
            subject: subject_cn.to_owned(),
            der,
        })
    }

    /// Whether a certificate is a device certificate of this CA, as TLS would judge it: one that has ended passes; otherwise
    /// why not, in words.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_issued(&self, der: &[u8], now: OffsetDateTime) -> Result<(), String> {
        let now = Duration::from_secs(now.unix_timestamp().try_into().unwrap_or_default());
        let checked = self.issued.check(&der.into(), &[], UnixTime::since_unix_epoch(now));
        checked.map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) fn issuer(&self) -> Result<&Issuer<'static, CaKey>, PkiError> {
        self.issuer.as_ref().map_err(|why| PkiError::KeyMissing(why.clone()))
    }

    pub(super) fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn device_params(subject_cn: &str, serial: Serial) -> Result<CertificateParams, PkiError> {
    let mut params = base_params(serial);
    params.distinguished_name = name(None, subject_cn)?;
    // Only the explicit form writes basicConstraints and the subject key identifier into a leaf.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// Parameters with the serial number set and the issuer's key identifier asked for; the validity is still rcgen's
/// default of twenty centuries, which every caller replaces.
pub(super) fn base_params(serial: Serial) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.use_authority_key_identifier_extension = true;
    params
}

/// A distinguished name of an optional organisation and a common name.
pub(super) fn name(organization: Option<&str>, common_name: &str) -> Result<DistinguishedName, PkiError> {
    let length = common_name.chars().count();
    if length == 0 || length > MAX_COMMON_NAME || common_name.chars().any(char::is_control) {
        return Err(PkiError::Subject);
    }
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    Ok(name)
}

/// X.509 times have no fraction of a second.
pub(super) fn whole_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

pub(super) fn parse_ca<'a>(der: &'a [u8], what: &'static str) -> Result<X509Certificate<'a>, PkiError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| PkiError::Certificate(what))?;
    if !rest.is_empty() {
        return Err(PkiError::Certificate(what));
    }
    if certificate.is_ca() { Ok(certificate) } else { Err(PkiError::NotCa(what)) }
}

fn key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    })
}

/// A CA's private key; its bytes are wiped when it is dropped.
pub(super) struct CaKey(KeyPair);

impl CaKey {
    pub(super) fn from_pkcs8(der: &[u8], what: &'static str) -> Result<Self, PkiError> {
        KeyPair::try_from(der).map(Self).map_err(|_| PkiError::Key(what))
    }

    pub(super) fn pkcs8(&self) -> &[u8] {
        self.0.serialized_der()
    }
}

impl From<KeyPair> for CaKey {
    fn from(key: KeyPair) -> Self {
        Self(key)
    }
}

impl Drop for CaKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

#[cfg(test)]
mod tests;
