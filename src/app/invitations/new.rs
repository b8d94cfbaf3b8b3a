//! New invitations, one or many: all of a request are made, or none.

use std::collections::{HashMap, HashSet};

use secrecy::ExposeSecret;
use time::Duration;

use super::secrets::Secret;
use super::{DISABLED, Issued, MUST_CHANGE, NoMail, Secrets, object, too_long, until};
use crate::app::idempotency::{derived_id, reused};
use crate::app::ports::{InvitationView, StoreError, Write};
use crate::app::users::{NewUser, check_new_user};
use crate::app::{App, Error, FieldError, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::invitation::{Invitation, InvitationState};
use crate::domain::language::Language;
use crate::domain::mail::Mail;
use crate::domain::mail_template::Variable;
use crate::domain::user::{Role, User, UserKind, normalize_name};

/// Invitations of one request.
const MOST_AT_ONCE: usize = 500;

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Where it stands in the request, e.g. `/invitations/3`; mistakes are told with it.
    pub place: String,
    /// Where it goes, or whom it names; may be left out where there is a name to sign in with.
    pub email: Option<String>,
    /// The name to sign in with, where that is another one.
    pub user: Option<String>,
    /// Display name, for a user who is not there yet.
    pub name: Option<String>,
    /// Whether it has a PIN; `None`: where its user cannot enroll without.
    pub pin: Option<bool>,
    /// How long it works; `None`: as configured.
    pub expires_in: Option<Duration>,
    /// The language of its mail; `None`: the configured one.
    pub language: Option<Language>,
}

/// A request for invitations.
#[derive(Clone, Debug, Default)]
pub struct Invite {
    /// Those that are to be made.
    pub new: Vec<NewInvitation>,
    /// What was wrong with them before; they are told with what else is.
    pub errors: Vec<FieldError>,
    /// Whether `email` has to be an address also where no mail is sent: in a file, a name without a domain is a slip.
    pub needs_addresses: bool,
}

/// One of them, judged.
struct Draft<'a> {
    new: &'a NewInvitation,
    user: User,
    is_new_user: bool,
    wants_pin: bool,
}

impl App {
    /// Invites people. Who is not there yet is added, without a password. An open invitation of the same user ends.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every mistake of every invitation, or [`Error::Conflict`] `idempotency_key_reused`.
    pub async fn invite(&self, by: &Principal, invite: &Invite, key: Option<&str>) -> Result<Vec<Issued>, Error> {
        let new = invite.new.as_slice();
        if new.is_empty() || new.len() > MOST_AT_ONCE {
            return Err(Error::invalid("/invitations", format!("must be 1 to {MOST_AT_ONCE}")));
        }
        let ids: Vec<Id<Invitation>> = (0..new.len()).map(|number| self.invitation_id(by, key, number)).collect();
        let mut made: HashMap<usize, Secret> = HashMap::new();
        for _ in 0..MOST_TRIES {
            if key.is_some()
                && let Some(issued) = self.made_before(&ids, new).await?
            {
                return Ok(issued);
            }
            let drafts = self.judge_invitations(by, invite).await?;
            let (mut writes, mut issued) = (Vec::new(), Vec::with_capacity(drafts.len()));
            for (number, (draft, id)) in drafts.iter().zip(&ids).enumerate() {
                // Hashes take their time and serve again where something changed meanwhile.
                let secret = match made.remove(&number) {
                    Some(secret) if secret.pin().is_some() == draft.wants_pin => secret,
                    _ => Secret::new(self, draft.wants_pin).await?,
                };
                let (one, further) = self.issue_draft(by, draft, *id, &secret).await?;
                made.insert(number, secret);
                writes.extend(further);
                issued.push(one);
            }
            match self.commit(writes).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| issued)?),
            }
        }
        Err(StoreError::Conflict.into())
    }

    fn invitation_id(&self, by: &Principal, key: Option<&str>, number: usize) -> Id<Invitation> {
        key.map_or_else(|| self.new_id(), |key| derived_id(by, "POST /invitations", &format!("{number} {key}")))
    }

    /// What an earlier request with the same key made, if it was the same request.
    async fn made_before(&self, ids: &[Id<Invitation>], new: &[NewInvitation]) -> Result<Option<Vec<Issued>>, Error> {
        let mut issued = Vec::new();
        for (id, new) in ids.iter().zip(new) {
            match self.store.invitation(*id).await? {
                Some(view) if view.invitation.email == new.address() => {
                    issued.push(Issued { view, secrets: None });
                }
                None if issued.is_empty() => return Ok(None),
                _ => return Err(reused()),
            }
        }
        Ok(Some(issued))
    }

    /// Judges all of them; every mistake is told.
    async fn judge_invitations<'a>(&self, by: &Principal, invite: &'a Invite) -> Result<Vec<Draft<'a>>, Error> {
        let (mut drafts, mut errors, mut seen) = (Vec::new(), invite.errors.clone(), HashSet::new());
        for one in &invite.new {
            let mut tell = |field: &str, message: String| {
                errors.push(FieldError { pointer: format!("{}/{field}", one.place), message });
            };
            if let Some(words) = too_long(one.expires_in) {
                tell("expires_in", words);
            }
            let name = one.sign_in_name();
            if !name.is_empty() && !seen.insert(normalize_name(name)) {
                tell("email", "is invited twice in this request".to_owned());
                continue;
            }
            match self.judge_user(by, one, invite.needs_addresses).await? {
                Ok((user, is_new_user)) => match self.wants_pin(one.pin, &user) {
                    Ok(wants_pin) => drafts.push(Draft { new: one, user, is_new_user, wants_pin }),
                    Err(words) => tell("pin", words.to_owned()),
                },
                Err(wrong) => {
                    wrong.into_iter().for_each(|error| tell(error.pointer.trim_start_matches('/'), error.message))
                }
            }
        }
        if errors.is_empty() { Ok(drafts) } else { Err(Error::Invalid(errors)) }
    }

    /// The user whom an invitation is for, and whether it is a new one; or what is wrong.
    async fn judge_user(
        &self,
        by: &Principal,
        one: &NewInvitation,
        needs_address: bool,
    ) -> Result<Result<(User, bool), Vec<FieldError>>, Error> {
        let wrong = |field: &str, message: &str| {
            Ok(Err(vec![FieldError { pointer: format!("/{field}"), message: message.to_owned() }]))
        };
        let field = if one.user.is_some() { "user" } else { "email" };
        match &one.email {
            None if one.user.is_none() => return wrong("email", "must be given, or a name to sign in with in `user`"),
            Some(email) if one.user.is_some() && !is_address(email) => {
                return wrong("email", "must be an e-mail address");
            }
            // Once it is the name of a user nobody notices that it was a slip, and that no mail went out.
            Some(email) if (needs_address || self.mailer.is_on()) && !is_address(email) => {
                return wrong("email", "must be an e-mail address; a name to sign in with goes into `user`");
            }
            _ => {}
        }
        let asked = NewUser {
            email: one.sign_in_name().to_owned(),
            name: one.name.clone(),
            password: None,
            role: Role::User,
            enabled: true,
            device_limit: None,
        };
        let (asked, kind) = match check_new_user(by, asked, &self.settings.bulk_prefix) {
            Ok(asked) => asked,
            Err(Error::Invalid(errors)) => {
                let place = |error: FieldError| match error.pointer.as_str() {
                    "/email" => FieldError { pointer: format!("/{field}"), ..error },
                    _ => error,
                };
                return Ok(Err(errors.into_iter().map(place).collect()));
            }
            Err(error) => return Err(error),
        };
        if kind == UserKind::Bulk {
            return wrong(field, "is a bulk user; bulk users enroll by provisioning packages, not by invitation");
        }
        match self.store.user_by_name(&asked.email).await? {
            Some(user) if user.kind == UserKind::Bulk => wrong(field, "is a bulk user"),
            Some(user) if !user.enabled => wrong(field, DISABLED),
            Some(user) if user.must_change_password => wrong(field, MUST_CHANGE),
            Some(user) => Ok(Ok((user, false))),
            None => Ok(Ok((self.new_user(self.new_id(), &asked, kind, None), true))),
        }
    }

    /// An invitation and what has to be written for it.
    async fn issue_draft(
        &self,
        by: &Principal,
        draft: &Draft<'_>,
        id: Id<Invitation>,
        secret: &Secret,
    ) -> Result<(Issued, Vec<Write>), Error> {
        let (user, defaults) = (&draft.user, &self.settings.invitations);
        let mut invitation = Invitation {
            id,
            user_id: user.id,
            email: draft.new.address().to_owned(),
            language: draft.new.language.unwrap_or(defaults.language),
            token_hash: [0; 32],
            pin: None,
            state: InvitationState::Open,
            created_by: by.name.clone(),
            created_at: self.now(),
            issued_at: self.now(),
            expires_at: self.now(),
            closed_at: None,
            closed_reason: None,
            enrollment_id: None,
            mail_id: None,
            issue_id: None,
            version: 1,
        };
        secret.put_into(self, &mut invitation, draft.new.expires_in.unwrap_or(defaults.lifetime));
        let mut writes = Vec::new();
        if draft.is_new_user {
            writes.extend(self.added(by, user));
        } else if let Some(mut open) = self.store.open_invitation(user.id).await? {
            writes.extend(self.close_writes(&mut open, "replaced by a newer invitation"));
        }
        let (secrets, mail) = self.write_invitation(&mut invitation, user, secret).await?;
        writes.push(Write::InsertInvitation(Box::new(invitation.clone())));
        writes.extend(mail.iter().map(|mail| Write::InsertMail(Box::new(mail.clone()))));
        writes.push(self.audit(by, "invitation.create", object(&invitation, &user.email), "ok", &until(&invitation)));
        writes.push(self.invitation_event("admin.invitation_created", &invitation, &user.email, by));
        let view = InvitationView { invitation, user: user.email.clone(), mail };
        Ok((Issued { view, secrets: Some(secrets) }, writes))
    }

    /// The text of an invitation, and the mail with it where one can be sent.
    pub(super) async fn write_invitation(
        &self,
        invitation: &mut Invitation,
        user: &User,
        secret: &Secret,
    ) -> Result<(Secrets, Option<Mail>), Error> {
        let language = invitation.language;
        let (url, pin) = (secret.url(self), secret.pin());
        let text = self.mail_text(language).await?;
        let server = self.enrollment_url().await?.url;
        let moment = |at| language.moment(at);
        let content = text.render(|variable| match variable {
            Variable::Organization => Some(self.settings.display_name.clone()),
            Variable::Name => Some(user.name.clone().unwrap_or_else(|| user.email.clone())),
            Variable::User => Some(user.email.clone()),
            Variable::Url => Some(url.expose_secret().to_owned()),
            Variable::Expires => Some(moment(invitation.expires_at)),
            Variable::Pin => pin.as_ref().map(|pin| pin.expose_secret().to_owned()),
            Variable::PinExpires => invitation.pin.as_ref().map(|pin| moment(pin.expires_at)),
            Variable::Server => Some(server.clone()),
            Variable::Contact => Some(self.settings.contact.clone()).filter(|contact| !contact.is_empty()),
        });
        let no_mail = match (self.mailer.is_on(), is_address(&invitation.email)) {
            (false, _) => Some(NoMail::Server),
            (true, false) => Some(NoMail::Address),
            (true, true) => None,
        };
        let mail = no_mail.is_none().then(|| self.new_mail(invitation, content.clone()));
        invitation.mail_id = mail.as_ref().map(|mail| mail.id);
        Ok((Secrets { url, pin, content, no_mail }, mail))
    }
}

impl NewInvitation {
    fn sign_in_name(&self) -> &str {
        self.user.as_deref().or(self.email.as_deref()).unwrap_or_default().trim()
    }

    /// Where it goes, or whom it names.
    fn address(&self) -> &str {
        self.email.as_deref().or(self.user.as_deref()).unwrap_or_default().trim()
    }
}

/// Whether mail can go there, as far as its form tells.
fn is_address(text: &str) -> bool {
    let text = text.trim();
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() || byte >= 0x80) && !text.contains(['<', '>', ',', ';']);
    is_plain
        && text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}
