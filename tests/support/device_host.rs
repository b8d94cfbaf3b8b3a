//! What a TLS server asks of its client: the CertificateRequest, as the client's library hands it on.

use std::sync::{Arc, Mutex};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme};

use super::http::{Address, Connection, Tls};

/// The contents of a CertificateRequest.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// Distinguished names of the CAs that are wanted, in DER.
    pub authorities: Vec<Vec<u8>>,
    pub schemes: Vec<SignatureScheme>,
}

/// Connects and tells what was asked for; None: no certificate was wanted.
pub fn certificate_request(url: &str, tls: Tls) -> Option<CertificateRequest> {
    let seen = Arc::new(Recorder::default());
    let mut config = Arc::unwrap_or_clone(tls.config());
    config.client_auth_cert_resolver = Arc::clone(&seen) as Arc<dyn ResolvesClientCert>;
    Connection::open(&Address::of(url), &Arc::new(config)).expect("a handshake without certificate succeeds");
    seen.0.lock().expect("nobody panics with the lock").take()
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Option<CertificateRequest>>);

impl ResolvesClientCert for Recorder {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let authorities = authorities.iter().map(|name| name.to_vec()).collect();
        let request = CertificateRequest { authorities, schemes: schemes.to_vec() };
        *self.0.lock().expect("nobody panics with the lock") = Some(request);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// TLS that shows a certificate and signs with a key that does not belong to it.
pub fn pretending(tls: Tls, leaf: &[u8], key: &[u8]) -> Arc<ClientConfig> {
    let mut config = Arc::unwrap_or_clone(tls.config());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("the key is usable");
    let shown = CertifiedKey::new(vec![CertificateDer::from(leaf.to_vec())], key);
    config.client_auth_cert_resolver = Arc::new(Always(Arc::new(shown)));
    Arc::new(config)
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
