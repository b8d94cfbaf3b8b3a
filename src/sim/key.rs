//! The key pair of a device.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use zeroize::Zeroizing;

/// An RSA key pair.
#[derive(Clone, Debug)]
pub struct DeviceKey {
    pair: Arc<KeyPair>,
}

/// A key could not be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device key cannot be made or used")]
pub struct KeyError;

impl DeviceKey {
    pub(super) fn new(pair: KeyPair) -> Self {
        Self { pair: Arc::new(pair) }
    }

    /// Makes a key of at least that many bits. This takes a good part of a second.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for more than 8192 bits.
    pub fn generate(bits: u32) -> Result<Self, KeyError> {
        let size = match bits {
            0..=2048 => KeySize::Rsa2048,
            2049..=3072 => KeySize::Rsa3072,
            3073..=4096 => KeySize::Rsa4096,
            4097..=8192 => KeySize::Rsa8192,
            _ => return Err(KeyError),
        };
        KeyPair::generate(size).map(Self::new).map_err(|_| KeyError)
    }

    /// Takes a key in PKCS#8, DER.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is not an RSA key of 2048 bits or more.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        KeyPair::from_pkcs8(der).map(Self::new).map_err(|_| KeyError)
    }

    /// The key in PKCS#8, DER.
    #[must_use]
    pub fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().expect("a key that was made or read can be written");
        Zeroizing::new(der.as_ref().to_vec())
    }

    /// The SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().expect("every RSA key has a public part");
        der.as_ref().to_vec()
    }

    /// Size of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        u32::try_from(self.pair.public_modulus_len() * 8).unwrap_or(u32::MAX)
    }

    /// A PKCS#1 v1.5 signature over SHA-256 of the message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_with(&RSA_PKCS1_SHA256, message)
    }

    /// A PSS signature over SHA-256 of the message, as TLS 1.3 wants it.
    #[must_use]
    pub fn sign_pss(&self, message: &[u8]) -> Vec<u8> {
        self.sign_with(&RSA_PSS_SHA256, message)
    }

    fn sign_with(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("an RSA key of 2048 bits and more signs SHA-256");
        signature
    }
}
