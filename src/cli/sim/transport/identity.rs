//! The certificate of a device in TLS. It signs with the key that the device has anyway, so there is one in memory, not two.

use std::sync::{Arc, OnceLock};

use rustls::SignatureAlgorithm;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{Error, SignatureScheme};

use crate::sim::{DeviceKey, Enrolled};

/// One provider for all devices.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// Shows the device certificate to whoever asks.
pub(super) fn resolver(enrolled: &Enrolled) -> Arc<dyn ResolvesClientCert> {
    let chain = enrolled.chain().into_iter().map(CertificateDer::from).collect();
    let key = Arc::new(Key(enrolled.key.clone()));
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

#[derive(Debug)]
struct Key(DeviceKey);

impl SigningKey for Key {
    /// As Windows with a key in a TPM: SHA-256 alone, PKCS#1 where it may.
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let known = [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PSS_SHA256];
        let scheme = known.into_iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Signature { key: self.0.clone(), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

#[derive(Debug)]
struct Signature {
    key: DeviceKey,
    scheme: SignatureScheme,
}

impl Signer for Signature {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(match self.scheme {
            SignatureScheme::RSA_PSS_SHA256 => self.key.sign_pss(message),
            _ => self.key.sign(message),
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
