//! The outbox: mails are written together with what they tell of, and handed over afterwards.
//!
//! A mail that a server took is not sent again. Before a try the mail is put off, so that nobody else tries it meanwhile. That
//! it was taken is noted however long the database is away, within that time; only a process that dies before its note sends
//! once more, with the same `Message-ID`.

mod templates;

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use super::duties::{Duty, Hold};
use super::ports::{MailError, OutgoingMail, StoreError, Write};
use super::{App, Error};
use crate::domain::invitation::{Invitation, InvitationState};
use crate::domain::language::Language;
use crate::domain::mail::{Content, Mail, MailState};
use crate::domain::mail_template::Text;
pub use templates::TemplateView;

/// Mails of one round.
const ROUND: u32 = 50;
/// Time between two tries to note that a mail was taken.
const AGAIN: Duration = Duration::from_secs(1);
/// What is told of a mail whose seal does not open: it waits for the key as for a server, for so long.
const SEALED: &str =
    "what it says does not open with the keys of this server; put the key back, or send the invitation again";

/// What a round of the outbox did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailRound {
    /// Mails that a server took.
    pub sent: u32,
    /// Tries that failed.
    pub failed: u32,
    /// Whether more are due at once.
    pub is_full: bool,
}

impl App {
    /// A mail with an invitation, due now.
    pub(super) fn new_mail(&self, invitation: &Invitation, content: Content) -> Mail {
        let id = self.new_id();
        let host = self.settings.url.trim_start_matches("https://").split([':', '/']).next().unwrap_or("localhost");
        Mail {
            id,
            invitation_id: invitation.id,
            to: invitation.email.clone(),
            message_id: format!("<{id}@{host}>"),
            content: Some(content),
            state: MailState::Queued,
            tries: 0,
            due_at: self.now(),
            created_at: self.now(),
            sent_at: None,
            error: None,
            version: 1,
        }
    }

    /// Waits until there is a mail to send.
    pub async fn mail_wanted(&self) {
        self.memory.mails.notified().await;
    }

    /// Sends what is due, unless another process does. Where the server cannot be reached the round ends: the next one
    /// begins with another mail.
    ///
    /// # Errors
    /// The store's.
    pub async fn send_due_mails(&self) -> Result<MailRound, StoreError> {
        let mut round = MailRound::default();
        let Some(hold) = self.hold(Duty::Mail).await? else { return Ok(round) };
        let due = self.store.due_mails(self.now(), ROUND).await?;
        round.is_full = due.len() == ROUND as usize;
        for mail in due {
            match self.try_mail(mail, &hold).await {
                Ok(Some(Ok(()))) => round.sent += 1,
                Ok(Some(Err(error))) => {
                    round.failed += 1;
                    if !error.is_final {
                        round.is_full = false;
                        break;
                    }
                }
                Ok(None) => {}
                // It was taken back, or another process has taken over.
                Err(StoreError::Conflict) => self.lost(Duty::Mail),
                Err(error) => return Err(error),
            }
        }
        Ok(round)
    }

    /// One try; `None` where there is nothing to send any more.
    async fn try_mail(&self, mut mail: Mail, hold: &Hold) -> Result<Option<Result<(), MailError>>, StoreError> {
        let view = self.store.invitation(mail.invitation_id).await?;
        let invitation = view.map(|view| view.invitation);
        let is_open = |invitation: &Invitation| invitation.standing(self.now()) == InvitationState::Open;
        let Some(invitation) = invitation.filter(is_open) else {
            mail.cancel("the invitation ended before it could be sent");
            self.save_mail(&mail, hold).await?;
            return Ok(None);
        };
        mail.begin_try(self.now());
        let Some(content) = mail.content.clone() else {
            // One that cannot be opened must not stand before the others for ever.
            let sealed = Err(MailError { words: SEALED.to_owned(), is_final: false });
            let writes = hold.guard().into_iter().chain(self.tried(&mut mail, &sealed));
            self.commit(writes.collect()).await?;
            return Ok(None);
        };
        self.save_mail(&mail, hold).await?;
        mail.version += 1;
        let until = mail.due_at;
        let outgoing = OutgoingMail {
            to: &mail.to,
            message_id: &mail.message_id,
            language: invitation.language,
            date: mail.created_at,
            content: &content,
        };
        let tried = self.mailer.send(&outgoing).await;
        let writes = self.tried(&mut mail, &tried);
        self.note(&mail, until, writes).await?;
        Ok(Some(tried))
    }

    /// What becomes of a mail by a try.
    fn tried(&self, mail: &mut Mail, outcome: &Result<(), MailError>) -> Vec<Write> {
        match outcome {
            Ok(()) => {
                tracing::info!(mail_id = %mail.id, tries = mail.tries, "mail sent");
                mail.sent(self.now());
            }
            Err(error) => {
                tracing::warn!(mail_id = %mail.id, tries = mail.tries, %error, "mail not sent");
                let [random] = self.random();
                mail.failed(&super::ledger::cut(&error.words), error.is_final, self.now(), random);
            }
        }
        let mut writes = vec![Write::UpdateMail(Box::new(mail.clone()))];
        if mail.state == MailState::Failed {
            let data = json!({"invitation_id": mail.invitation_id, "mail_id": mail.id, "error": mail.error});
            writes.push(self.event("admin.invitation_mail_failed", None, data));
        }
        writes
    }

    /// Notes how a try ended. That a server took the mail is noted as soon as the database can be written again, because else
    /// the mail goes out once more; until somebody else may try it.
    async fn note(&self, mail: &Mail, until: OffsetDateTime, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut is_told = false;
        loop {
            match self.commit(writes.clone()).await {
                // Taken back while it was on its way: what was sent was sent, and its address is good for nothing. Or a note
                // whose outcome was not known has taken effect.
                Ok(()) | Err(StoreError::Conflict) => return Ok(()),
                Err(error) if mail.state != MailState::Sent || self.now() >= until => return Err(error),
                Err(error) if !is_told => {
                    tracing::warn!(mail_id = %mail.id, %error, "a mail was sent and cannot be noted; tried again until it works");
                    is_told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn save_mail(&self, mail: &Mail, hold: &Hold) -> Result<(), StoreError> {
        let guard = hold.guard();
        self.commit(guard.into_iter().chain([Write::UpdateMail(Box::new(mail.clone()))]).collect()).await
    }

    /// The text of invitations in a language.
    pub(super) async fn mail_text(&self, language: Language) -> Result<Text, Error> {
        Ok(self.mail_template(language).await?.text)
    }
}

#[cfg(test)]
mod tests;
