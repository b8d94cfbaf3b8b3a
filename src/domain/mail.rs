//! Mails that wait to be sent, and what became of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::Id;
use super::invitation::Invitation;

/// A mail in the outbox.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Identifier.
    pub id: Id<Self>,
    /// The invitation that it carries.
    pub invitation_id: Id<Invitation>,
    /// The address.
    pub to: String,
    /// Its `Message-ID` (RFC 5322 section 3.6.4), the same however often it is tried.
    pub message_id: String,
    /// What it says, while it waits; sealed in the database. `None` while it waits: the seal does not open.
    pub content: Option<Content>,
    /// How it stands.
    pub state: MailState,
    /// Tries so far.
    pub tries: u32,
    /// When it is tried next.
    pub due_at: OffsetDateTime,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// When the server of the recipient, or one on the way, took it.
    pub sent_at: Option<OffsetDateTime>,
    /// Why the last try failed, in words.
    pub error: Option<String>,
    /// Rises with every change.
    pub version: i64,
}

/// What a mail says. It may hold secrets, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content { .. }")
    }
}

/// How a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// It waits for its first or next try.
    Queued,
    /// A server took it.
    Sent,
    /// It was given up.
    Failed,
    /// It was taken back before it was sent.
    Cancelled,
}

impl MailState {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Failed, Self::Cancelled].into_iter().find(|state| state.as_str() == text)
    }
}

/// How long a mail is tried.
const GIVEN_UP_AFTER: Duration = Duration::days(3);
/// Time after the first try that failed; it doubles.
const FIRST_PAUSE: Duration = Duration::MINUTE;
/// Longest time between two tries.
const LONGEST_PAUSE: Duration = Duration::minutes(15);
/// How long a try may take before it is assumed that its process died over it.
pub const ONE_TRY: Duration = Duration::minutes(15);

impl Mail {
    /// It is tried now: nobody else tries it for a while.
    pub fn begin_try(&mut self, now: OffsetDateTime) {
        self.tries = self.tries.saturating_add(1);
        self.due_at = now + ONE_TRY;
    }

    /// A server took it.
    pub fn sent(&mut self, now: OffsetDateTime) {
        self.close(MailState::Sent);
        self.sent_at = Some(now);
        self.error = None;
    }

    /// A try failed. `random` is what spreads the next ones of many mails: up to a quarter of the pause.
    pub fn failed(&mut self, error: &str, is_final: bool, now: OffsetDateTime, random: u8) {
        self.error = Some(error.to_owned());
        if is_final || now - self.created_at >= GIVEN_UP_AFTER {
            self.close(MailState::Failed);
            return;
        }
        let doubled = FIRST_PAUSE * 2_i32.pow(self.tries.saturating_sub(1).min(10));
        let pause = doubled.min(LONGEST_PAUSE);
        self.due_at = now + pause + pause * i32::from(random) / 1024;
    }

    /// What it carries is good for nothing any more.
    pub fn cancel(&mut self, reason: &str) {
        self.close(MailState::Cancelled);
        self.error = Some(reason.to_owned());
    }

    fn close(&mut self, state: MailState) {
        self.state = state;
        self.content = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn mail() -> Mail {
        Mail {
            id: Id::new(uuid::Uuid::nil()),
            invitation_id: Id::new(uuid::Uuid::nil()),
            to: "ada@example.test".to_owned(),
            message_id: "<1@example.test>".to_owned(),
            content: Some(Content { subject: "s".to_owned(), body: "secret".to_owned() }),
            state: MailState::Queued,
            tries: 0,
            due_at: NOON,
            created_at: NOON,
            sent_at: None,
            error: None,
            version: 1,
        }
    }

    //
    #[test]
    fn tries_come_further_apart_and_end() {
        let (mut mail, mut now, mut pauses) = (mail(), NOON, Vec::new());
        while mail.state == MailState::Queued {
            mail.begin_try(now);
            assert!(mail.due_at > now, "nobody else tries it meanwhile");
            mail.failed("no route", false, now, 255);
            pauses.push(mail.due_at - now);
            now = mail.due_at;
        }
        assert_eq!(mail.state, MailState::Failed);
        assert!(mail.content.is_none(), "what is over keeps no secrets");
        assert!(pauses[0] >= FIRST_PAUSE && pauses[0] < FIRST_PAUSE * 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE * 5 / 4));
        assert!(pauses.len() > 200 && pauses.len() < 400, "{}", pauses.len());
    }

    #[test]
    fn what_is_refused_for_good_is_not_tried_again() {
        let mut mail = mail();
        mail.begin_try(NOON);
        mail.failed("550 no such user", true, NOON, 0);
        assert_eq!((mail.state, mail.error.as_deref()), (MailState::Failed, Some("550 no such user")));
        assert!(!format!("{:?}", self::mail()).contains("secret"));
    }
}
