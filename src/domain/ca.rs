//! The CAs of an installation as records, while one takes the place of another (enrollment reference 5.3, 5.5).

use time::OffsetDateTime;

/// One root with the issuing CA under it, as the database holds them; private keys are sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct CaRecord {
    /// SHA-256 of the issuing CA's certificate, hex.
    pub id: String,
    /// What it is to the installation.
    pub role: CaRole,
    /// The root certificate, DER.
    pub root: Vec<u8>,
    /// The issuing CA's certificate, DER.
    pub issuing: Vec<u8>,
    /// The root's private key, sealed; empty where it is not at hand.
    pub root_key: Vec<u8>,
    /// The issuing CA's private key, sealed; empty where it is not at hand.
    pub issuing_key: Vec<u8>,
    /// Since when it has its role.
    pub since: OffsetDateTime,
}

impl std::fmt::Debug for CaRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaRecord").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a CA is to the installation; there is at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaRole {
    /// It issues.
    Current,
    /// It is trusted and handed out, and issues nothing yet.
    Next,
    /// It is trusted until its last certificate is gone.
    Previous,
}

impl CaRole {
    /// The word of the API and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
            Self::Previous => "previous",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Current, Self::Next, Self::Previous].into_iter().find(|role| role.as_str() == text)
    }
}
