//! OMA credentials as functions of their inputs (management reference 5.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// `Cred/Data` for `syncml:auth-md5`; `nonce` is the decoded nonce.
#[must_use]
pub fn md5_credential(name: &str, secret: &str, nonce: &[u8]) -> String {
    let inner = STANDARD.encode(Md5::digest(format!("{name}:{secret}")));
    let mut outer = Md5::new();
    outer.update(inner.as_bytes());
    outer.update(b":");
    outer.update(nonce);
    STANDARD.encode(outer.finalize())
}

/// `Cred/Data` for `syncml:auth-basic`.
#[must_use]
pub fn basic_credential(name: &str, secret: &str) -> String {
    STANDARD.encode(format!("{name}:{secret}"))
}

/// The account UID below `./SyncML/DMAcc` that Windows makes of a provider id; letter case counts.
#[must_use]
pub fn account_uid(provider_id: &str) -> String {
    let bytes: Vec<u8> = provider_id.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    format!("0x0000800c{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: M-28, M-29
    #[test]
    fn digest_vectors() {
        assert_eq!(md5_credential("dummy", "dummy", &[0x9E, 0x89, 0xDC]), "EVEkoFZcVgPM+ESnu9IC0g==");
        let nonce: Vec<u8> = (0..16).collect();
        assert_eq!(md5_credential("dev-0001", "s3cret", &nonce), "kbOqfgZq+Amwm7tWT797/Q==");
        assert_eq!(basic_credential("dev-0001", "s3cret"), "ZGV2LTAwMDE6czNjcmV0");
    }

    // covers: M-34
    #[test]
    fn account_uids() {
        assert_eq!(account_uid("Fleet"), "0x0000800cABF8CA7D87C0FA21BB21B896AE2C8468CA07710326415228ACF2392EA1327077");
        assert_eq!(account_uid("Muster"), "0x0000800c7F27E495EA2C43175BBAE775F72A4CD6979C8E2587C62EDD5DB620A75C025C9C");
    }
}
