//! The outbox: mails are written together with what they tell of, and handed over afterwards.
//!
//! A mail that a server took is not sent again. Before a try the mail is put off, so that nobody else tries it meanwhile;
//! a process that dies between the server's yes and its own note sends once more, with the same `Message-ID`.

mod templates;

use serde_json::json;

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
        let (Some(invitation), Some(content)) = (invitation.filter(is_open), mail.content.clone()) else {
            mail.cancel("the invitation ended before it could be sent");
            self.save_mail(&mail, hold).await?;
            return Ok(None);
        };
        mail.begin_try(self.now());
        self.save_mail(&mail, hold).await?;
        mail.version += 1;
        let outgoing = OutgoingMail {
            to: &mail.to,
            message_id: &mail.message_id,
            language: invitation.language,
            date: mail.created_at,
            content: &content,
        };
        let tried = self.mailer.send(&outgoing).await;
        match &tried {
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
        match self.commit(writes).await {
            // Taken back while it was on its way: what was sent was sent, and its address is good for nothing.
            Err(StoreError::Conflict) => {}
            done => done?,
        }
        Ok(Some(tried))
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
