//! What a TLS server asks of its client: the CertificateRequest, as the client's library hands it on.

use std::sync::{Arc, Mutex};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;

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
    let request = seen.0.lock().expect("nobody panics with the lock").clone();
    request
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
