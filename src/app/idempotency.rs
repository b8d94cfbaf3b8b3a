//! `Idempotency-Key`: a request that is repeated with the same key makes nothing twice.
//!
//! No table of keys is kept. The id of what is to be made is derived from who asks, for what, and the key; so a
//! repetition meets the row that is there already, also after a restart and on another server.

use sha2::{Digest, Sha256};
use uuid::Builder;

use super::{Error, Principal};
use crate::domain::Id;

/// The id that a key stands for: UUIDv8 of the SHA-256 over principal, route and key.
#[must_use]
pub fn derived_id<T>(by: &Principal, route: &str, key: &str) -> Id<T> {
    let principal = by.user_id.map_or_else(|| by.name.clone(), |id| id.to_string());
    let mut digest = Sha256::new();
    for part in [principal.as_str(), route, key] {
        // With its length before it, no part can run into the next.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    Id::new(Builder::from_custom_bytes(bytes).into_uuid())
}

/// The same key came with another request.
#[must_use]
pub fn reused() -> Error {
    Error::conflict("idempotency_key_reused", "this Idempotency-Key was used for a different request; take a new one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::user::{Role, User};

    #[test]
    fn each_part_counts_and_none_runs_into_the_next() {
        let alice = Principal {
            name: "alice@example.test".to_owned(),
            user_id: None,
            role: Role::Admin,
            address: String::new(),
        };
        let bob = Principal { name: "bob@example.test".to_owned(), ..alice.clone() };
        let id = |by: &Principal, route: &str, key: &str| derived_id::<User>(by, route, key);
        let first = id(&alice, "users", "k1");
        assert_eq!(first, id(&Principal { address: "192.0.2.1".to_owned(), ..alice.clone() }, "users", "k1"));
        assert_eq!(first.uuid().get_version_num(), 8);
        for other in [id(&bob, "users", "k1"), id(&alice, "tokens", "k1"), id(&alice, "users", "k2")] {
            assert_ne!(first, other);
        }
        assert_ne!(id(&alice, "users", "1k"), id(&alice, "users1", "k"));
    }
}
