//! How the PINs of invitations and packages are kept: as an Argon2id hash that is sealed (security invariant S-13).
//!
//! So few digits could be found by trying them against a hash that lies open: a copy of the database must not be enough.

use secrecy::SecretString;

use super::ports::StoreError;
use super::{App, Error};

/// What a PIN is of. A hash of the one is none of the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum PinOf {
    /// An invitation.
    Invitation,
    /// A package for bulk enrollment.
    Package,
}

impl PinOf {
    /// What its hashes are sealed for.
    fn purpose(self) -> &'static str {
        match self {
            Self::Invitation => "invitation-pin",
            Self::Package => "package-pin",
        }
    }
}

impl App {
    /// The form in which a PIN is stored.
    pub(super) async fn sealed_pin_hash(&self, of: PinOf, pin: SecretString) -> Result<Vec<u8>, Error> {
        let hash = self.hasher.hash(pin).await?;
        Ok(self.sealer.seal(of.purpose(), hash.as_bytes()))
    }

    /// The hash in what is stored, to compare with.
    pub(super) fn open_pin_hash(&self, of: PinOf, sealed: &[u8]) -> Result<String, StoreError> {
        let odd = |what: &str| StoreError::Internal(format!("a hash kept as {}: {what}", of.purpose()));
        let hash = self.sealer.open(of.purpose(), sealed).map_err(|error| odd(&error.to_string()))?;
        String::from_utf8(hash).map_err(|_| odd("is no text"))
    }
}
