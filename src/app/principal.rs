//! Who asks.

use crate::domain::Id;
use crate::domain::user::{Role, User};

/// Who asks, after authentication.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Name for the audit trail: a user's address, `device:<enrollment id>`, or `system`.
    pub name: String,
    /// The user, where one stands behind it.
    pub user_id: Option<Id<User>>,
    /// What they may do.
    pub role: Role,
    /// Network address, without port; empty for the system itself.
    pub address: String,
}

impl Principal {
    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), user_id: None, role: Role::Admin, address: String::new() }
    }
}
