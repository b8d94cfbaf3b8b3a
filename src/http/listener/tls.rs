//! TLS for the two sides.
//!
//! The web side speaks TLS 1.2 and 1.3 and never asks for a certificate. The device side asks for one but does without,
//! speaks TLS 1.2 alone unless told otherwise, and accepts exactly the signatures that firmware TPMs can make: PKCS#1 or
//! P-256 with SHA-256. Its trust anchors are the issuing CAs themselves, so that a device may send its leaf alone and a
//! server certificate under the same root is no client certificate.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, ServerConfig, SignatureScheme};

use crate::app::ports::Clock;
use crate::pki::DeviceCertificates;

/// TLS 1.2 sessions remembered for clients that take no tickets.
const SESSIONS: usize = 4096;
const H2: &[u8] = b"h2";
const HTTP11: &[u8] = b"http/1.1";

/// What the device side is to be like.
#[derive(Clone, Debug, Default)]
pub struct DeviceTls {
    /// The issuing CAs' certificates, DER: the current one and those before it that still have devices.
    pub issuers: Vec<CertificateDer<'static>>,
    /// Whether TLS 1.3 is offered, and with it the PSS signatures that it needs.
    pub tls13: bool,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
    /// The clock by which certificates are judged; `None`: that of the system.
    pub time: Option<Time>,
}

/// The clock of the application, as TLS asks for it.
#[derive(Clone)]
pub struct Time(pub Arc<dyn Clock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").finish_non_exhaustive()
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// The TLS configurations of both sides.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) web: Arc<ServerConfig>,
    /// Another one where other issuers are trusted.
    device: Arc<RwLock<Arc<ServerConfig>>>,
    /// What it is made of, but for the issuers.
    wanted: DeviceTls,
}

/// The server certificate in use; a newer one can take its place while the server runs.
#[derive(Debug)]
pub struct ServerCertificate(RwLock<Arc<CertifiedKey>>);

impl ServerCertificate {
    /// Takes a chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// If the key cannot be read or belongs to another certificate.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self(RwLock::new(certified(chain, key)?))))
    }

    /// The certificate in use.
    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses another certificate for handshakes from now on.
    ///
    /// # Errors
    /// As [`Self::new`]; the certificate in use then stays.
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), Error> {
        let certified = certified(chain, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<CertifiedKey>, Error> {
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map(Arc::new)
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl Tls {
    /// Both configurations, with one server certificate.
    ///
    /// # Errors
    /// If an issuer is no certificate, or there is none.
    pub fn new(certificate: Arc<ServerCertificate>, device: &DeviceTls) -> Result<Self, Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut web = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<ServerCertificate>::clone(&certificate));
        web.alpn_protocols = vec![H2.to_vec(), HTTP11.to_vec()];
        resume(&mut web)?;
        let made = device_config(certificate, device, provider)?;
        Ok(Self { web: Arc::new(web), device: Arc::new(RwLock::new(Arc::new(made))), wanted: device.clone() })
    }

    /// Trusts these issuers from now on, and no others. TLS sessions go on: whose certificate it is, is asked for each
    /// request.
    ///
    /// # Errors
    /// If an issuer is no certificate, or there is none; those of before then stay trusted.
    pub fn trust(&self, issuers: Vec<CertificateDer<'static>>) -> Result<(), Error> {
        let wanted = DeviceTls { issuers, ..self.wanted.clone() };
        let verifier = DeviceVerifier::new(&wanted, Arc::new(aws_lc_rs::default_provider()))?;
        let before = self.device();
        let mut config = ServerConfig::builder_with_provider(Arc::clone(before.crypto_provider()))
            .with_protocol_versions(versions(&wanted))?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::clone(&before.cert_resolver));
        config.alpn_protocols.clone_from(&before.alpn_protocols);
        config.session_storage = Arc::clone(&before.session_storage);
        config.time_provider = Arc::clone(&before.time_provider);
        config.ticketer = Arc::clone(&before.ticketer);
        *self.device.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    /// The configuration of the web side.
    #[must_use]
    pub fn web(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.web)
    }

    /// The configuration of the device side.
    #[must_use]
    pub fn device(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.device.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn device_config(
    certificate: Arc<ServerCertificate>,
    device: &DeviceTls,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, Error> {
    let verifier = DeviceVerifier::new(device, Arc::clone(&provider))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions(device))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(certificate);
    config.alpn_protocols = if device.http2 { vec![H2.to_vec(), HTTP11.to_vec()] } else { vec![HTTP11.to_vec()] };
    if let Some(time) = &device.time {
        config.time_provider = Arc::new(time.clone());
    }
    resume(&mut config)?;
    Ok(config)
}

/// The protocol versions of the device side.
fn versions(device: &DeviceTls) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static BOTH: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
    if device.tls13 { &BOTH } else { &BOTH[1..] }
}

/// Sessions resume by ticket or by id. Each configuration has keys of its own, so none resumes on the other side.
fn resume(config: &mut ServerConfig) -> Result<(), Error> {
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(())
}

/// Verifies device certificates as webpki does, with our own list of signatures.
struct DeviceVerifier {
    certificates: DeviceCertificates,
    schemes: Vec<SignatureScheme>,
}

impl DeviceVerifier {
    fn new(device: &DeviceTls, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let certificates = DeviceCertificates::new(&device.issuers, provider)?;
        let mut schemes = vec![SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
        if device.tls13 {
            schemes.push(SignatureScheme::RSA_PSS_SHA256);
        }
        Ok(Self { certificates, schemes })
    }

    fn check_scheme(&self, signed: &DigitallySignedStruct) -> Result<(), Error> {
        if self.schemes.contains(&signed.scheme) {
            return Ok(());
        }
        Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
    }
}

impl fmt::Debug for DeviceVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceVerifier").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.certificates.verifier().client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.certificates.verifier().root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The anchors sign devices themselves, so no path is built: certificates that a client puts beside its own, each as if
        // it were the next of the chain, would only make us verify one signature after the other.
        self.certificates.check(end_entity, &[], now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_scheme(signed)?;
        self.certificates.verifier().verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_scheme(signed)?;
        self.certificates.verifier().verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

    use super::*;

    fn ca(name: &str) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    }

    fn leaf(issuer: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
    }

    // covers: M-141
    #[test]
    fn a_leaf_counts_alone_and_what_is_beside_it_does_not() {
        let (params, key) = ca("devices");
        let anchor = params.self_signed(&key).unwrap().der().clone();
        let anchor_issuer = Issuer::new(params, key);
        let (below, below_key) = ca("below");
        let between = below.signed_by(&below_key, &anchor_issuer).unwrap().der().clone();
        let below_issuer = Issuer::new(below, below_key);
        let device = DeviceTls { issuers: vec![anchor], ..DeviceTls::default() };
        let verifier = DeviceVerifier::new(&device, Arc::new(aws_lc_rs::default_provider())).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let judged = |leaf: &CertificateDer<'_>| verifier.verify_client_cert(leaf, std::slice::from_ref(&between), now);
        assert!(judged(&leaf(&anchor_issuer)).is_ok());
        assert!(judged(&leaf(&below_issuer)).is_err());
    }
}
