//! People, bulk users, and the tokens that act for them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Id;

/// Somebody who can enroll devices or administer.
#[derive(Clone, Debug)]
pub struct User {
    /// Identifier.
    pub id: Id<Self>,
    /// E-mail address or another name with which the user signs in; unique without regard to case.
    pub email: String,
    /// Display name.
    pub name: Option<String>,
    /// Person or bulk user.
    pub kind: UserKind,
    /// What the user may do through API and console.
    pub role: Role,
    /// Whether sign-in and enrollment are allowed.
    pub enabled: bool,
    /// Argon2id in PHC form; `None` for a user who cannot use a password.
    pub password_hash: Option<String>,
    /// Rises with every change of password, rights or account state; part of the key of remembered checks.
    pub credential_version: i64,
    /// Most devices this user may have enrolled; `None` takes the configured default.
    pub device_limit: Option<u32>,
    /// Whether the user has to choose a new password before the present one is good for anything else.
    pub must_change_password: bool,
    /// When the user was added.
    pub created_at: OffsetDateTime,
    /// Rises with every edit of the row.
    pub version: i64,
}

impl User {
    /// Whether `name` is this user's sign-in name, without regard to case.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        normalize_name(name) == normalize_name(&self.email)
    }
}

/// The form in which user names are compared and stored for look-up.
#[must_use]
pub fn normalize_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What a user stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// A human being.
    Person,
    /// An account for provisioning packages; its devices are assigned to people later.
    Bulk,
}

impl UserKind {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bulk => "bulk",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Person, Self::Bulk].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a principal may do; each role holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing beyond the own devices.
    User,
    /// Reads everything but secrets.
    Viewer,
    /// Acts on devices.
    Operator,
    /// Administers users, certificates and tokens.
    Admin,
}

impl Role {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// A bearer token; only the SHA-256 of its secret is kept.
#[derive(Clone, Debug)]
pub struct Token {
    /// Identifier.
    pub id: Id<Self>,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Whose authority it carries; it ends with the user.
    pub user_id: Id<User>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was withdrawn.
    pub revoked_at: Option<OffsetDateTime>,
}

impl Token {
    /// Whether it may be used at that moment.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
