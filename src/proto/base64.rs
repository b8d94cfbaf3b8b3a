//! Base64 as the wire has it: written padded and in one line, read with or without padding and with white space inside.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const STRICT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct NotBase64;

/// One line, padded.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}

/// Reads base64 whatever its line breaks and padding.
///
/// # Errors
///
/// [`NotBase64`] for any character outside the alphabet, and for a length that no bytes have.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    LENIENT.decode(compact).map_err(|_| NotBase64)
}

/// Reads base64 as it must be written for a device: padded, in one line or several.
///
/// # Errors
///
/// [`NotBase64`] for all else, blanks within a line included.
pub fn decode_lines(text: &str) -> Result<Vec<u8>, NotBase64> {
    let joined: String = text.lines().map(str::trim).collect();
    STRICT.decode(joined).map_err(|_| NotBase64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_device_gets_is_padded() {
        assert_eq!(decode_lines("\r\n  AQI=\r\n").unwrap(), [1, 2]);
        assert_eq!(decode_lines("").unwrap(), [0_u8; 0]);
        for text in ["AQI", "A Q I =", "AQ=I", "AQI=AQI=", "no!="] {
            assert!(decode_lines(text).is_err(), "{text}");
        }
    }

    #[test]
    fn padding_and_line_breaks_do_not_matter() {
        for text in ["TXVzdGVy", " TXVz\r\n dGVy\t", "TXVzdGVyIQ==", "TXVzdGVyIQ", "TXVzdGVy\nIQ=="] {
            assert!(decode(text).unwrap().starts_with(b"Muster"), "{text:?}");
        }
        for text in ["{BinarySecurityToken}", "TXVz!GVy", "T", "[truncated] TXVzdGVy", "TX-_dGVy", "TXVz=dGVy"] {
            assert_eq!(decode(text), Err(NotBase64), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_we_encode_we_decode(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(text.trim_end_matches('=')).unwrap(), bytes.clone());
            prop_assert_eq!(decode(&text).unwrap(), bytes);
        }
    }
}
