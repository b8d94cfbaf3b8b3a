//! RSA keys for devices: a few from `certs/`, more made while the tests run.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::{der, openssl};

const IN_FILES: usize = 6;

/// A private RSA key, as PKCS#8 DER and as a PEM file for OpenSSL.
#[derive(Clone, Debug)]
pub struct Key {
    pub pkcs8: Vec<u8>,
    pub file: PathBuf,
}

impl Key {
    /// The n-th key of this test process; keys beyond those in `certs/` are made when first asked for.
    pub fn number(n: usize) -> Self {
        static MADE: Mutex<Vec<Key>> = Mutex::new(Vec::new());
        if n < IN_FILES {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs");
            return Self::from_file(folder.join(format!("test-rsa-{}.pk8.pem", n + 1)));
        }
        let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while made.len() <= n - IN_FILES {
            made.push(Self::generate());
        }
        made[n - IN_FILES].clone()
    }

    /// A new 2048-bit key.
    pub fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key can be made");
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("the key can be written").as_ref().to_vec();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(&pkcs8));
        let file = openssl::temporary("device.pem", wrap(&pem).as_bytes());
        Self { pkcs8, file }
    }

    pub fn from_file(file: PathBuf) -> Self {
        let pem = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        Self { pkcs8: der.secret_pkcs8_der().to_vec(), file }
    }

    /// The SubjectPublicKeyInfo in DER, taken from OpenSSL so that odd key sizes work as well.
    pub fn spki(&self) -> Vec<u8> {
        match KeyPair::from_pkcs8(&self.pkcs8) {
            Ok(pair) => {
                let algorithm = der::sequence(&[&der::oid("1.2.840.113549.1.1.1"), &der::null()]);
                der::sequence(&[&algorithm, &der::bit_string(pair.public_key().as_ref())])
            }
            Err(_) => openssl::run(&["pkey", "-in", &self.file.to_string_lossy(), "-pubout", "-outform", "DER"], b""),
        }
    }
}

/// Breaks the base64 line of a PEM text as OpenSSL wants it.
fn wrap(pem: &str) -> String {
    let mut out = String::new();
    for line in pem.lines() {
        for piece in line.as_bytes().chunks(64) {
            out.push_str(std::str::from_utf8(piece).expect("PEM is ASCII"));
            out.push('\n');
        }
    }
    out
}
