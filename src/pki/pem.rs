//! PEM (RFC 7468): base64 between two lines with a label.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a PKCS#8 private key.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Writes one block, with a line end after its last line.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (at, c) in body.char_indices() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

/// Reads the first block with that label; `None` if there is none or it holds no base64.
#[must_use]
pub fn decode(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    BASE64_STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_they_are_written() {
        for length in [0, 1, 47, 48, 49, 96, 500] {
            let der = vec![0xA5; length];
            let text = encode(CERTIFICATE, &der);
            assert!(text.lines().all(|line| line.len() <= 64), "{length}");
            assert_eq!(decode(CERTIFICATE, &format!("# a note\n{text}")), Some(der), "{length}");
            assert_eq!(decode(PRIVATE_KEY, &text), None, "{length}");
        }
        assert_eq!(decode("X", "-----BEGIN X-----\n!\n-----END X-----\n"), None);
    }
}
