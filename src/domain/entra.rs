//! What the Entra tokens of a device say and are worth (management reference 5.5, enrollment reference 9.4).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The claims of a token that was proven, as far as they are used; everything else of it is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntraClaims {
    /// `tid`: the tenant.
    pub tenant_id: Uuid,
    /// `deviceid`: the device object in Entra.
    pub device_id: Option<Uuid>,
    /// `oid` of a token for a user.
    pub user_id: Option<Uuid>,
    /// `upn` or `preferred_username`, at most 256 characters; shown, never a key.
    pub upn: Option<String>,
}

/// Why a token is not believed; one variant for each rule. None of them holds anything of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRejected {
    /// Longer than any genuine one.
    #[error("it is too long")]
    TooLong,
    /// Not a signed JSON Web Token with the claims that Entra puts in.
    #[error("it is malformed")]
    Malformed,
    /// Not signed with RS256; `none` is an algorithm too.
    #[error("it is not signed with RS256")]
    Algorithm,
    /// No tenant is connected.
    #[error("no Entra tenant is connected")]
    NoTenant,
    /// Signed with a key that no connected tenant has.
    #[error("it is signed with a key of no connected tenant")]
    UnknownKey,
    /// The signature does not verify.
    #[error("its signature does not verify")]
    Signature,
    /// Made out by another tenant than the one whose keys signed it, or by none.
    #[error("it was made out by another tenant")]
    Issuer,
    /// Made out for another server.
    #[error("it was made out for another server")]
    Audience,
    /// Its time is over.
    #[error("it expired")]
    Expired,
    /// Its time has not come.
    #[error("it does not hold yet")]
    NotYet,
    /// It names another device than those before.
    #[error("it is of another device")]
    OtherDevice,
}

/// What the tokens of one session are worth together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenEvidence {
    /// What the proven ones say; `None` without any.
    pub claims: Option<EntraClaims>,
    /// Why one of them is not believed, in words; from then on the session knows no user.
    pub rejected: Option<String>,
}

impl TokenEvidence {
    /// Adds what the tokens of another message are worth. A word of doubt stays.
    pub fn add(&mut self, other: Self) {
        self.rejected = self.rejected.take().or(other.rejected);
        match (&mut self.claims, other.claims) {
            (Some(own), Some(more)) => own.add(more),
            (own @ None, more) => *own = more,
            (Some(_), None) => {}
        }
    }
}

impl EntraClaims {
    /// Adds what another token of the same device says: a device token knows no user, a user token perhaps no device.
    fn add(&mut self, other: Self) {
        self.device_id = other.device_id.or(self.device_id);
        self.user_id = other.user_id.or(self.user_id);
        self.upn = other.upn.or_else(|| self.upn.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_adds_up_and_doubt_stays() {
        let [tenant_id, device, user] = [1, 2, 3].map(Uuid::from_u128);
        let of_device = EntraClaims { tenant_id, device_id: Some(device), ..EntraClaims::default() };
        let of_user =
            EntraClaims { tenant_id, user_id: Some(user), upn: Some("ada@example.test".into()), device_id: None };
        let good = |claims: &EntraClaims| TokenEvidence { claims: Some(claims.clone()), rejected: None };
        let mut evidence = TokenEvidence::default();
        evidence.add(TokenEvidence::default());
        assert_eq!(evidence, TokenEvidence::default());
        evidence.add(good(&of_device));
        evidence.add(good(&of_user));
        let claims = evidence.claims.clone().unwrap();
        assert_eq!((claims.device_id, claims.user_id), (Some(device), Some(user)));
        assert_eq!(claims.upn.as_deref(), Some("ada@example.test"));
        evidence.add(TokenEvidence { claims: None, rejected: Some("expired".into()) });
        evidence.add(TokenEvidence { claims: None, rejected: Some("unsigned".into()) });
        evidence.add(good(&of_user));
        assert_eq!(evidence.rejected.as_deref(), Some("expired"));
    }
}
