//! Makes the two CAs of a new installation, and server certificates under the root.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize, SanType,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::authority::{CaKey, base_params, name, parse_ca, whole_second};
use super::{PkiError, Serial, hex};

/// How long a new root lives.
pub const ROOT_LIFETIME: Duration = Duration::days(20 * 365);
/// How long a new issuing CA lives.
pub const ISSUING_LIFETIME: Duration = Duration::days(10 * 365);
/// How long a server certificate lives; clients refuse longer ones.
pub const SERVER_LIFETIME: Duration = Duration::days(397);
/// Certificates made here begin this much before their making. A device certificate must not begin before its CA, so
/// this is more than a device certificate is back-dated.
const BACKDATE: Duration = Duration::hours(1);
/// Characters of an organisation's name that find room in a CA's common name.
const MAX_ORGANIZATION: usize = 36;

/// A certificate with its private key.
pub struct Certified {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The private key, PKCS#8 DER; wiped when dropped.
    pub key: Zeroizing<Vec<u8>>,
}

/// The names that the CAs of one installation bear.
#[derive(Clone, Debug)]
pub struct CaNames {
    organization: Option<String>,
    suffix: String,
}

impl CaNames {
    /// Names with the organisation, or with the product where none is given; the random suffix keeps two installations
    /// of one organisation apart in certificate stores and in the list of CAs that a device is shown.
    #[must_use]
    pub fn new(organization: Option<&str>, suffix: [u8; 3]) -> Self {
        let organization = organization.map(|text| text.chars().filter(|c| !c.is_control()).take(MAX_ORGANIZATION));
        let organization = organization.map(|text| text.collect::<String>().trim().to_owned());
        Self { organization: organization.filter(|text| !text.is_empty()), suffix: hex(&suffix) }
    }

    /// `Contoso Root CA 1a2b3c`.
    #[must_use]
    pub fn root(&self) -> String {
        self.common_name("Root CA")
    }

    /// `Contoso Device CA 1a2b3c`.
    #[must_use]
    pub fn issuing(&self) -> String {
        self.common_name("Device CA")
    }

    fn common_name(&self, role: &str) -> String {
        format!("{} {role} {}", self.organization.as_deref().unwrap_or("Muster"), self.suffix)
    }
}

/// Makes a root: RSA-3072, self-signed, [`ROOT_LIFETIME`].
///
/// # Errors
/// [`PkiError::Signing`] if the key cannot be made.
pub fn root(names: &CaNames, serial: Serial, now: OffsetDateTime) -> Result<Certified, PkiError> {
    let key = CaKey::from(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)?);
    let mut params = ca_params(names, &names.root(), serial)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    set_validity(&mut params, now, ROOT_LIFETIME, None);
    let certificate = params.self_signed(&key)?.der().to_vec();
    Ok(Certified { certificate, key: Zeroizing::new(key.pkcs8().to_vec()) })
}

/// Makes the device issuing CA under `root`: RSA-3072, no CA below it, clientAuth only, [`ISSUING_LIFETIME`].
///
/// # Errors
/// What is wrong with `root`, or [`PkiError::Signing`].
pub fn issuing(root: &Certified, names: &CaNames, serial: Serial, now: OffsetDateTime) -> Result<Certified, PkiError> {
    let (issuer, end) = issuer(root)?;
    let key = CaKey::from(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)?);
    let mut params = ca_params(names, &names.issuing(), serial)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    set_validity(&mut params, now, ISSUING_LIFETIME, Some(end));
    let certificate = params.signed_by(&key, &issuer)?.der().to_vec();
    Ok(Certified { certificate, key: Zeroizing::new(key.pkcs8().to_vec()) })
}

/// Makes a server certificate under `root` for DNS names and IP addresses: P-256, serverAuth, [`SERVER_LIFETIME`].
///
/// # Errors
/// [`PkiError::Host`] for the first host that is none, what is wrong with `root`, or [`PkiError::Signing`].
pub fn server(root: &Certified, hosts: &[String], serial: Serial, now: OffsetDateTime) -> Result<Certified, PkiError> {
    let (issuer, end) = issuer(root)?;
    let key = CaKey::from(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?);
    let mut params = base_params(serial);
    params.subject_alt_names = hosts.iter().map(|host| alternative_name(host)).collect::<Result<_, _>>()?;
    // The host names that count are the alternative ones; a long name does not fit into the subject.
    let first = hosts.iter().find(|host| host.chars().count() <= 64);
    params.distinguished_name = name(None, first.map_or("Muster server", String::as_str))?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    set_validity(&mut params, now, SERVER_LIFETIME, Some(end));
    let certificate = params.signed_by(&key, &issuer)?.der().to_vec();
    Ok(Certified { certificate, key: Zeroizing::new(key.pkcs8().to_vec()) })
}

fn ca_params(names: &CaNames, common_name: &str, serial: Serial) -> Result<CertificateParams, PkiError> {
    let mut params = base_params(serial);
    params.distinguished_name = name(names.organization.as_deref(), common_name)?;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn set_validity(params: &mut CertificateParams, now: OffsetDateTime, lifetime: Duration, end: Option<OffsetDateTime>) {
    let not_before = whole_second(now) - BACKDATE;
    params.not_before = not_before;
    params.not_after = end.map_or(not_before + lifetime, |end| end.min(not_before + lifetime));
}

/// The root as issuer, and when it ends.
fn issuer(root: &Certified) -> Result<(Issuer<'static, CaKey>, OffsetDateTime), PkiError> {
    let key = CaKey::from_pkcs8(&root.key, "the root")?;
    let certificate = parse_ca(&root.certificate, "the root")?;
    if key.subject_public_key_info() != certificate.public_key().raw {
        return Err(PkiError::Key("the root"));
    }
    let end = certificate.validity().not_after.to_datetime();
    Ok((Issuer::from_ca_cert_der(&root.certificate.as_slice().into(), key)?, end))
}

fn alternative_name(host: &str) -> Result<SanType, PkiError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let unknown = || PkiError::Host(host.to_owned());
    if !is_dns_name(host) {
        return Err(unknown());
    }
    host.to_owned().try_into().map(SanType::DnsName).map_err(|_| unknown())
}

/// Labels of letters, digits and hyphens; a wildcard only as the whole first label.
fn is_dns_name(host: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}
