//! Whether a certificate is a device certificate of ours, wherever it was shown: in TLS, by a proxy, in a signature.
//!
//! The anchors are the issuing CAs themselves: a leaf needs nobody beside it, and a server certificate under the same root
//! is none. Whose it is and whether it was revoked is looked up for each request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, Error, RootCertStore};

/// How far the clock may have been put back since a certificate was issued, at most.
const CLOCK_PUT_BACK: Duration = Duration::from_secs(2 * 86_400);

/// Verifies device certificates: signed by an issuing CA, for clients, and not of a time to come. One that has ended passes
/// here: TLS could say no more to its device than that it hangs up.
#[derive(Clone)]
pub struct DeviceCertificates(Arc<dyn ClientCertVerifier>);

impl DeviceCertificates {
    /// Takes the issuing CAs' certificates, DER: the current one and those before it that still have devices.
    ///
    /// # Errors
    /// If one is no certificate, or there is none.
    pub fn new(issuers: &[CertificateDer<'static>], provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let mut anchors = RootCertStore::empty();
        for issuer in issuers {
            anchors.add(issuer.clone())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(anchors), provider)
            .allow_unauthenticated()
            .build()
            .map_err(|e| Error::General(format!("the device side has no issuing CA to trust: {e}")))?;
        Ok(Self(verifier))
    }

    /// Judges a certificate at that moment; one that has ended, at its end.
    ///
    /// # Errors
    /// As [`ClientCertVerifier::verify_client_cert`].
    pub fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.0.verify_client_cert(leaf, intermediates, now) {
            // Our own CA issued it: if it has not begun, our clock was put back. How far is judged when it is looked up.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => {
                let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + CLOCK_PUT_BACK);
                self.0.verify_client_cert(leaf, intermediates, later)
            }
            // How long ago, and whether that is forgiven, is judged when it is looked up, and its administrator is told.
            Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
                let ended = end_of(leaf).ok_or(CertificateError::BadEncoding)?;
                self.0.verify_client_cert(leaf, intermediates, ended.min(now))
            }
            verified => verified,
        }
    }

    /// The verifier underneath, for what a handshake needs beside.
    #[must_use]
    pub fn verifier(&self) -> &dyn ClientCertVerifier {
        self.0.as_ref()
    }
}

/// The last moment of a certificate.
fn end_of(leaf: &CertificateDer<'_>) -> Option<UnixTime> {
    let (_, not_after) = super::validity(leaf).ok()?;
    let seconds = u64::try_from(not_after.unix_timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

impl fmt::Debug for DeviceCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceCertificates").finish_non_exhaustive()
    }
}
