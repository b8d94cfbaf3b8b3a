//! PINs at the sign-in: a try is counted before it is checked, and given back where it was right.

use std::net::IpAddr;

use serde_json::json;

use crate::app::invitations::object;
use crate::app::ports::{StoreError, Write};
use crate::app::{App, AuditObject, MOST_TRIES, Principal, Refusal};
use crate::domain::invitation::Invitation;
use crate::domain::sign_in::{MOST_PIN_TRIES, Typed};
use crate::domain::user::{Role, User};

impl App {
    /// The open invitation of a user, where what was typed may be its PIN.
    pub(super) async fn invitation_to_check(
        &self,
        user: Option<&User>,
        typed: &Typed,
    ) -> Result<Option<Invitation>, Refusal> {
        match user.filter(|_| typed.may_hold_pin()) {
            Some(user) => Ok(self.store.open_invitation(user.id).await?),
            None => Ok(None),
        }
    }

    /// Counts a try of a PIN, of whatever it is, so that as many at once as there are processes are no more than one after
    /// the other. Answers whether there was one to take; where somebody was quicker it is read again, and then is as stored.
    pub(super) async fn take_try<T, R: Future<Output = Result<T, StoreError>>>(
        &self,
        of: &mut T,
        count: impl Fn(&T) -> Option<Write>,
        read: impl Fn() -> R,
    ) -> Result<bool, Refusal> {
        for _ in 0..MOST_TRIES {
            let Some(write) = count(of) else { return Ok(false) };
            match self.commit(vec![write]).await {
                Ok(()) => return Ok(true),
                Err(StoreError::Conflict) => *of = read().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Counts a try of the PIN of an invitation.
    pub(super) async fn take_pin_try(&self, invitation: &mut Option<Invitation>) -> Result<bool, Refusal> {
        let Some(user) = invitation.as_ref().map(|open| open.user_id) else { return Ok(false) };
        let count = |invitation: &Option<Invitation>| {
            let mut counted = invitation.clone().filter(|open| open.live_pin(self.now()).is_some())?;
            counted.pin.iter_mut().for_each(|pin| pin.tries += 1);
            Some(Write::UpdateInvitation(Box::new(counted)))
        };
        let taken = self.take_try(invitation, count, || self.store.open_invitation(user)).await?;
        if taken && let Some(open) = invitation {
            // What is checked now is the PIN before it may be locked by this try.
            open.version += 1;
        }
        Ok(taken)
    }

    /// Gives the try back: it was right. One that somebody has changed since stays counted.
    pub(super) async fn give_back_pin_try(&self, invitation: Option<&Invitation>) -> Result<(), Refusal> {
        let Some(invitation) = invitation else { return Ok(()) };
        match self.commit(vec![Write::UpdateInvitation(Box::new(invitation.clone()))]).await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down that a wrong PIN was typed; each can be wrong but a few times.
    pub(super) async fn tell_wrong_pin(
        &self,
        user: &User,
        invitation: Option<&Invitation>,
        address: IpAddr,
    ) -> Result<(), Refusal> {
        let Some(invitation) = invitation else { return Ok(()) };
        let tries = invitation.pin.as_ref().map_or(0, |pin| pin.tries + 1);
        let by = typed_by(user, address);
        let mut writes = vec![self.audit_wrong_pin(&by, "invitation.pin", object(invitation, &user.email), tries)];
        if tries >= MOST_PIN_TRIES {
            let data = json!({"invitation_id": invitation.id, "user_id": user.id, "address": by.address});
            writes.push(self.event("admin.invitation_pin_locked", None, data));
            tracing::warn!(invitation_id = %invitation.id, address = by.address, "the PIN of an invitation is locked");
        }
        Ok(self.commit(writes).await?)
    }

    /// A wrong PIN in the audit trail, with how many there were.
    pub(super) fn audit_wrong_pin(&self, by: &Principal, action: &str, object: AuditObject<'_>, tries: u32) -> Write {
        let end = if tries >= MOST_PIN_TRIES { "; it is locked" } else { "" };
        self.audit(by, action, object, "refused", &format!("wrong PIN {tries} of {MOST_PIN_TRIES}{end}"))
    }
}

/// Who typed a PIN or a password, for the audit trail.
pub(super) fn typed_by(user: &User, address: IpAddr) -> Principal {
    Principal {
        name: user.email.clone(),
        user_id: Some(user.id),
        role: Role::User,
        address: address.to_canonical().to_string(),
    }
}
