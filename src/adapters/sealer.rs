//! Seals secrets that must be kept: AES-256-GCM under a key that is not in the database.
//!
//! A sealed value is bound to its purpose: what was sealed as one thing does not open as another. The key file holds one
//! key a line, the first seals, all open; so a key is replaced by putting a new line on top.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::private_file::{FileError, read_private};
use super::system::SystemRng;
use crate::app::ports;

/// First byte of every sealed value.
const VERSION: u8 = 1;
/// Bytes of the key's name in a sealed value.
const KEY_ID_LEN: usize = 4;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Why the key file was not taken, or why a value did not open.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that is no key.
    #[error("line {0} of the key file is not `v1:` and the base64 of 32 bytes")]
    KeyLine(usize),
    /// No key at all.
    #[error("the key file holds no key")]
    NoKey,
    /// The value was sealed with a key that the key file no longer has.
    #[error("the key that sealed this is not in the key file")]
    UnknownKey,
    /// Not a sealed value, or changed since, or sealed for another purpose.
    #[error("a sealed value does not open")]
    Damaged,
}

/// Seals and opens secrets, and makes the marks that stand for secrets in transcripts.
pub struct Sealer {
    keys: Vec<Key>,
    marks: hmac::Key,
    rng: SystemRng,
}

struct Key {
    id: [u8; KEY_ID_LEN],
    cipher: LessSafeKey,
}

impl Sealer {
    /// The text of a new key file with one new key.
    #[must_use]
    pub fn new_key_file(rng: &SystemRng) -> Zeroizing<String> {
        let key = Zeroizing::new(rng.bytes::<32>());
        let line = Zeroizing::new(BASE64_STANDARD.encode(key.as_slice()));
        Zeroizing::new(format!("{KEY_FILE_HEAD}v1:{}\n", line.as_str()))
    }

    /// Reads the key file; it must be readable by its owner alone.
    ///
    /// # Errors
    /// [`SealerError::File`], [`SealerError::KeyLine`] or [`SealerError::NoKey`].
    pub fn load(path: &Path, rng: SystemRng) -> Result<Self, SealerError> {
        let contents = read_private(path)?;
        let text = std::str::from_utf8(&contents).map_err(|_| SealerError::KeyLine(1))?;
        Self::from_text(text, rng)
    }

    /// Takes the keys of a key file's text. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`SealerError::KeyLine`] or [`SealerError::NoKey`].
    pub fn from_text(text: &str, rng: SystemRng) -> Result<Self, SealerError> {
        let mut masters = Vec::new();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            masters.push(read_line(line).ok_or(SealerError::KeyLine(at + 1))?);
        }
        let first = masters.first().ok_or(SealerError::NoKey)?;
        let marks = hmac::Key::new(hmac::HMAC_SHA256, derive(first, "muster marks").as_slice());
        let keys = masters.iter().map(|master| Key::new(master)).collect::<Result<_, _>>()?;
        Ok(Self { keys, marks, rng })
    }

    /// Seals a secret for a purpose, which is a constant such as `ca/root.key`.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let key = &self.keys[0];
        let nonce = self.rng.bytes::<NONCE_LEN>();
        let mut sealed = Zeroizing::new(plain.to_vec());
        let associated = associated(key.id, purpose);
        key.cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(associated), &mut *sealed)
            .expect("AES-GCM takes every length that fits into memory");
        [&[VERSION], key.id.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens what [`Self::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`SealerError::UnknownKey`] or [`SealerError::Damaged`].
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealerError> {
        let (header, body) = sealed.split_at_checked(HEADER_LEN).ok_or(SealerError::Damaged)?;
        let (id, nonce) = match header.split_first() {
            Some((&VERSION, rest)) => rest.split_at(KEY_ID_LEN),
            _ => return Err(SealerError::Damaged),
        };
        let key = self.keys.iter().find(|key| key.id == id).ok_or(SealerError::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealerError::Damaged)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let length = key
            .cipher
            .open_in_place(nonce, Aad::from(associated(key.id, purpose)), &mut plain)
            .map_err(|_| SealerError::Damaged)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// Eight bytes that stand for a secret in a redacted transcript: equal secrets have equal marks, and without the key
    /// file nobody can try values against them.
    #[must_use]
    pub fn mark(&self, secret: &[u8]) -> [u8; 8] {
        let mut out = [0; 8];
        out.copy_from_slice(&hmac::sign(&self.marks, secret).as_ref()[..8]);
        out
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Key {
    fn new(master: &[u8; 32]) -> Result<Self, SealerError> {
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&derive(master, "muster key id")[..KEY_ID_LEN]);
        let key = UnboundKey::new(&AES_256_GCM, derive(master, "muster seal").as_slice());
        Ok(Self { id, cipher: LessSafeKey::new(key.map_err(|_| SealerError::NoKey)?) })
    }
}

fn read_line(line: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(line.strip_prefix("v1:")?.trim()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

/// A key for one use, made of the key in the file; uses do not share keys.
fn derive(master: &[u8; 32], label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, master), label.as_bytes()).as_ref());
    out
}

fn associated(id: [u8; KEY_ID_LEN], purpose: &str) -> Vec<u8> {
    [&[VERSION], id.as_slice(), purpose.as_bytes()].concat()
}

const KEY_FILE_HEAD: &str = "\
# The keys that seal what Muster keeps secret: the CA keys and secrets in the database.
# Without this file neither opens. Keep a copy apart from the backups of the data folder.
# One key a line; the first seals, all open.
";

impl ports::Sealer for Sealer {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        Self::seal(self, purpose, plain)
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, ports::SealError> {
        Self::open(self, purpose, sealed).map(|plain| plain.to_vec()).map_err(|_| ports::SealError)
    }

    fn mark(&self, secret: &[u8]) -> [u8; 8] {
        Self::mark(self, secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> Sealer {
        Sealer::from_text(&Sealer::new_key_file(&SystemRng), SystemRng).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let sealer = sealer();
        for plain in [b"".as_slice(), b"secret", &[7; 5000]] {
            let sealed = sealer.seal("ca/root.key", plain);
            assert_eq!(sealer.open("ca/root.key", &sealed).unwrap().as_slice(), plain);
            assert!(matches!(sealer.open("ca/issuing.key", &sealed), Err(SealerError::Damaged)));
            assert_ne!(sealed, sealer.seal("ca/root.key", plain));
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let sealer = sealer();
        let sealed = sealer.seal("x", b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            assert!(sealer.open("x", &changed).is_err(), "byte {at}");
            assert!(sealer.open("x", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_a_foreign_one_does_not() {
        let (old, new) = (Sealer::new_key_file(&SystemRng), Sealer::new_key_file(&SystemRng));
        let sealed = Sealer::from_text(&old, SystemRng).unwrap().seal("x", b"secret");
        let both = Sealer::from_text(&format!("{}{}", *new, *old), SystemRng).unwrap();
        assert_eq!(both.open("x", &sealed).unwrap().as_slice(), b"secret");
        let newer = both.seal("x", b"secret");
        let alone = Sealer::from_text(&new, SystemRng).unwrap();
        assert!(alone.open("x", &newer).is_ok());
        assert!(matches!(alone.open("x", &sealed), Err(SealerError::UnknownKey)));
    }

    #[test]
    fn marks_are_equal_for_equal_secrets_under_one_key() {
        let (one, two) = (sealer(), sealer());
        assert_eq!(one.mark(b"a"), one.mark(b"a"));
        assert_ne!(one.mark(b"a"), one.mark(b"b"));
        assert_ne!(one.mark(b"a"), two.mark(b"a"));
    }

    #[test]
    fn bad_key_files_name_the_line() {
        let cases = [("", "no key"), ("# only\n\n", "no key"), ("#\nv2:AAAA", "line 2"), ("v1:AAAA", "line 1")];
        for (text, expected) in cases {
            let error = Sealer::from_text(text, SystemRng).unwrap_err();
            assert!(error.to_string().contains(expected), "{text:?}: {error}");
        }
    }
}
