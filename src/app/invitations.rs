//! Invitations: made for people, followed up, withdrawn, and found by the secret in their address.
//!
//! The secret of an address is kept as SHA-256, a PIN as a sealed Argon2id hash; both are in the answer that makes them, in
//! the mail while it waits, and nowhere else. So an address that was lost cannot be shown again: a new one takes its place.

mod new;
mod secrets;

use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::idempotency::{derived_id, reused};
use super::ports::{InvitationFilter, InvitationView, Listed, Page, StoreError, Write};
use super::tokens::secret_hash;
use super::{App, AuditObject, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::invitation::{Invitation, InvitationState};
use crate::domain::language::Language;
use crate::domain::mail::Content;
use crate::domain::sign_in::SignInWith;
use crate::domain::user::User;

pub use new::{Invite, NewInvitation};
use secrets::{Secret, has_shape};

/// What the administrator configured of invitations.
#[derive(Clone, Copy, Debug)]
pub struct InvitationSettings {
    /// What users enroll with.
    pub sign_in: SignInWith,
    /// Digits of a PIN.
    pub pin_digits: u32,
    /// How long a PIN works.
    pub pin_lifetime: Duration,
    /// How long an invitation works where nothing else is said.
    pub lifetime: Duration,
    /// The language of invitations where none is named.
    pub language: Language,
}

/// An invitation that was just made or sent again, with what is shown this once.
#[derive(Debug)]
pub struct Issued {
    /// The invitation.
    pub view: InvitationView,
    /// `None` where an earlier request with the same `Idempotency-Key` did it.
    pub secrets: Option<Secrets>,
}

/// What is shown once.
#[derive(Debug)]
pub struct Secrets {
    /// The personal address.
    pub url: SecretString,
    /// The PIN, if there is one.
    pub pin: Option<SecretString>,
    /// The text, to be passed on where no mail is sent.
    pub content: Content,
    /// Why no mail is sent, where none is.
    pub no_mail: Option<NoMail>,
}

/// Why no mail is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMail {
    /// There is no server for mails: no `[smtp]`.
    Server,
    /// The user has no address, only a name to sign in with.
    Address,
}

impl NoMail {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "no_mail_server",
            Self::Address => "no_address",
        }
    }
}

/// How an invitation is sent again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reissue {
    /// How long it works from now on; `None`: as configured.
    pub expires_in: Option<Duration>,
    /// Whether it has a PIN; `None`: as before.
    pub pin: Option<bool>,
}

impl App {
    /// Invitations, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn invitations(&self, filter: &InvitationFilter, page: &Page) -> Result<Listed<InvitationView>, Error> {
        Ok(self.store.invitations(filter, page).await?)
    }

    /// An invitation.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn invitation(&self, id: Id<Invitation>) -> Result<InvitationView, Error> {
        self.store.invitation(id).await?.ok_or(Error::NotFound("invitation"))
    }

    /// The invitation of a secret that somebody brought.
    ///
    /// # Errors
    /// The store's.
    pub async fn invitation_of(&self, secret: &str) -> Result<Option<InvitationView>, Error> {
        if !has_shape(secret) {
            return Ok(None);
        }
        Ok(self.store.invitation_by_token(&secret_hash(secret)).await?)
    }

    /// Sends an invitation again: with a new address and, if it has one, a new PIN; those before stop working. Where the
    /// last one was sent by a request with the same key, nothing happens.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], or [`Error::Conflict`]: `invitation_closed`, `user_disabled`,
    /// `password_change`, `idempotency_key_reused`.
    pub async fn resend_invitation(
        &self,
        by: &Principal,
        id: Id<Invitation>,
        reissue: Reissue,
        key: Option<&str>,
    ) -> Result<Issued, Error> {
        if let Some(words) = too_long(reissue.expires_in) {
            return Err(Error::invalid("/expires_in", words));
        }
        let issue_id = key.map(|key| derived_id(by, &format!("POST /invitations/{id}/resend"), key));
        for _ in 0..MOST_TRIES {
            let view = self.invitation(id).await?;
            if issue_id.is_some() && view.invitation.issue_id == issue_id {
                return if self.did(&view.invitation, reissue) {
                    Ok(Issued { view, secrets: None })
                } else {
                    Err(reused())
                };
            }
            let mut invitation = view.invitation;
            expect_open(&invitation)?;
            let user = self.user(invitation.user_id).await?;
            let obstacles = [
                (!user.enabled, "user_disabled", DISABLED),
                (user.must_change_password, "password_change", MUST_CHANGE),
            ];
            if let Some((_, code, words)) = obstacles.into_iter().find(|(stands, ..)| *stands) {
                return Err(Error::conflict(code, format!("{} {words}", user.email)));
            }
            invitation.issue_id = issue_id;
            let asked = reissue.pin.or_else(|| invitation.pin.is_some().then_some(true));
            let wants_pin = self.wants_pin(asked, &user).map_err(|words| Error::invalid("/pin", words))?;
            let lifetime = reissue.expires_in.unwrap_or(self.settings.invitations.lifetime);
            let secret = Secret::new(self, wants_pin).await?;
            secret.put_into(self, &mut invitation, lifetime);
            let cancelled = Write::CancelMails { invitation_id: id, reason: "a newer one was sent".to_owned() };
            let (secrets, mail) = self.write_invitation(&mut invitation, &user, &secret).await?;
            let mut writes = vec![Write::UpdateInvitation(Box::new(invitation.clone())), cancelled];
            writes.extend(mail.iter().map(|mail| Write::InsertMail(Box::new(mail.clone()))));
            writes.push(self.audit(
                by,
                "invitation.resend",
                object(&invitation, &user.email),
                "ok",
                &until(&invitation),
            ));
            writes.push(self.invitation_event("admin.invitation_resent", &invitation, &user.email, by));
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => {
                    done?;
                    let view = InvitationView { invitation, user: user.email, mail };
                    return Ok(Issued { view, secrets: Some(secrets) });
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Whether the last address of an invitation was given out by such a request. What ended meanwhile tells of no PIN.
    fn did(&self, invitation: &Invitation, reissue: Reissue) -> bool {
        let lifetime = reissue.expires_in.unwrap_or(self.settings.invitations.lifetime);
        let has_pin = (invitation.state == InvitationState::Open).then_some(invitation.pin.is_some());
        (invitation.expires_at - invitation.issued_at).whole_seconds() == lifetime.whole_seconds()
            && reissue.pin.is_none_or(|wanted| has_pin.is_none_or(|has| has == wanted))
    }

    /// Withdraws an invitation: address and PIN stop working at once, and a mail that waits is not sent.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] `invitation_closed`.
    pub async fn revoke_invitation(&self, by: &Principal, id: Id<Invitation>) -> Result<(), Error> {
        for _ in 0..MOST_TRIES {
            let InvitationView { mut invitation, user, .. } = self.invitation(id).await?;
            expect_open(&invitation)?;
            let mut writes = self.close_writes(&mut invitation, &format!("withdrawn by {}", by.name));
            writes.push(self.audit(by, "invitation.revoke", object(&invitation, &user), "ok", ""));
            writes.push(self.invitation_event("admin.invitation_revoked", &invitation, &user, by));
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// What an enrollment does to the open invitation of its user.
    pub(super) fn use_writes(&self, mut invitation: Invitation, enrollment: Id<Enrollment>) -> Vec<Write> {
        let invitation_id = invitation.id;
        invitation.use_for(enrollment, self.now());
        let reason = "its user has enrolled".to_owned();
        vec![Write::UpdateInvitation(Box::new(invitation)), Write::CancelMails { invitation_id, reason }]
    }

    /// Closes one that nobody used.
    fn close_writes(&self, invitation: &mut Invitation, reason: &str) -> Vec<Write> {
        invitation.revoke(reason, self.now());
        vec![
            Write::UpdateInvitation(Box::new(invitation.clone())),
            Write::CancelMails { invitation_id: invitation.id, reason: reason.to_owned() },
        ]
    }

    fn invitation_event(&self, kind: &str, invitation: &Invitation, user: &str, by: &Principal) -> Write {
        let data = json!({
            "invitation_id": invitation.id, "user_id": invitation.user_id, "user": user, "by": by.name,
        });
        self.event(kind, None, data)
    }

    /// Whether an invitation of a user gets a PIN; or why it cannot be as asked.
    fn wants_pin(&self, asked: Option<bool>, user: &User) -> Result<bool, &'static str> {
        let (with, has_password) = (self.settings.invitations.sign_in, user.password_hash.is_some());
        if with.demands_password() && !has_password {
            return Err("the user has no password, and nobody enrolls without one here; set one first");
        }
        match asked {
            Some(true) if !with.takes_pins() => Err("there are no PINs here: [enroll] sign_in is password"),
            Some(false) if with.demands_pin() => Err("nobody enrolls without a PIN here, see [enroll] sign_in"),
            Some(false) if !has_password => Err("the user has no password, so the invitation needs a PIN"),
            Some(wanted) => Ok(wanted),
            None => Ok(with.demands_pin() || !has_password),
        }
    }
}

/// An invitation in the audit trail.
pub(super) fn object(invitation: &Invitation, user: &str) -> AuditObject<'static> {
    AuditObject { kind: "invitation", id: invitation.id.to_string(), name: user.to_owned() }
}

fn until(invitation: &Invitation) -> String {
    let stamp = |at: OffsetDateTime| Language::English.moment(at);
    let pin = invitation.pin.as_ref().map(|pin| format!(", with a PIN until {}", stamp(pin.expires_at)));
    format!("works until {}{}", stamp(invitation.expires_at), pin.unwrap_or_default())
}

/// Longest time that an invitation works.
const LONGEST: Duration = Duration::days(366);
/// Why a user cannot be invited, behind the name.
const DISABLED: &str = "is disabled and cannot enroll; enable the account first";
const MUST_CHANGE: &str = "has to choose a new password and cannot enroll before: on the page /password, or set one with muster user password";

/// What is wrong with a time, in words.
fn too_long(time: Option<Duration>) -> Option<String> {
    time.filter(|time| *time > LONGEST).map(|_| format!("must be at most {} days", LONGEST.whole_days()))
}

fn expect_open(invitation: &Invitation) -> Result<(), Error> {
    if invitation.state == InvitationState::Open {
        return Ok(());
    }
    let words = format!("the invitation is {} already; invite the user again", invitation.state.as_str());
    Err(Error::conflict("invitation_closed", words))
}

#[cfg(test)]
mod tests;
