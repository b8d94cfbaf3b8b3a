//! Invitations: somebody is asked to enroll one device, by a personal address and perhaps with a PIN.

use time::OffsetDateTime;

use super::Id;
use super::enrollment::Enrollment;
use super::language::Language;
use super::mail::Mail;
use super::sign_in::MOST_PIN_TRIES;
use super::user::User;

/// An invitation. Of each user at most one is open.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Identifier.
    pub id: Id<Self>,
    /// Who is to enroll.
    pub user_id: Id<User>,
    /// Where it goes, or whom it names; not always the name to sign in with.
    pub email: String,
    /// The language of its mail.
    pub language: Language,
    /// SHA-256 of the secret in its address.
    pub token_hash: [u8; 32],
    /// The PIN that goes with it.
    pub pin: Option<Pin>,
    /// How it stands, but for its age.
    pub state: InvitationState,
    /// Who invited.
    pub created_by: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// When its address was given out last.
    pub issued_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was used or withdrawn.
    pub closed_at: Option<OffsetDateTime>,
    /// Why it was withdrawn, in words.
    pub closed_reason: Option<String>,
    /// What it led to.
    pub enrollment_id: Option<Id<Enrollment>>,
    /// The mail that carries its address, if one does.
    pub mail_id: Option<Id<Mail>>,
    /// What gave its address out last, where that could be told from others.
    pub issue_id: Option<Id<Issue>>,
    /// Rises with every change.
    pub version: i64,
}

/// A request that gave an address out.
#[derive(Clone, Copy, Debug)]
pub enum Issue {}

/// A PIN that takes the place of the password for one enrollment.
#[derive(Clone, Debug)]
pub struct Pin {
    /// Argon2id in PHC form, sealed: so few digits could be guessed from a hash alone.
    pub sealed_hash: Vec<u8>,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// Wrong ones so far.
    pub tries: u32,
}

/// Digits of a PIN, least and most.
pub const PIN_DIGITS: std::ops::RangeInclusive<u32> = 6..=12;

/// How an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// It waits.
    Open,
    /// A device was enrolled.
    Used,
    /// It was withdrawn.
    Revoked,
    /// Its time is over. Never stored.
    Expired,
}

impl InvitationState {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Used, Self::Revoked, Self::Expired].into_iter().find(|state| state.as_str() == text)
    }
}

/// How a PIN stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// It works.
    Live,
    /// Its time is over.
    Expired,
    /// Too many wrong ones.
    Locked,
}

impl PinState {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::Locked => "locked",
        }
    }
}

impl Pin {
    /// How it stands at that moment.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> PinState {
        if self.tries >= MOST_PIN_TRIES {
            PinState::Locked
        } else if now >= self.expires_at {
            PinState::Expired
        } else {
            PinState::Live
        }
    }
}

impl Invitation {
    /// How it stands at that moment.
    #[must_use]
    pub fn standing(&self, now: OffsetDateTime) -> InvitationState {
        match self.state {
            InvitationState::Open if now >= self.expires_at => InvitationState::Expired,
            state => state,
        }
    }

    /// Its PIN, if that can be used at that moment.
    #[must_use]
    pub fn live_pin(&self, now: OffsetDateTime) -> Option<&Pin> {
        let is_open = self.standing(now) == InvitationState::Open;
        self.pin.as_ref().filter(|pin| is_open && pin.state(now) == PinState::Live)
    }

    /// A device was enrolled: neither address nor PIN do anything from now on.
    pub fn use_for(&mut self, enrollment: Id<Enrollment>, now: OffsetDateTime) {
        self.close(InvitationState::Used, now);
        self.enrollment_id = Some(enrollment);
    }

    /// It is withdrawn.
    pub fn revoke(&mut self, reason: &str, now: OffsetDateTime) {
        self.close(InvitationState::Revoked, now);
        self.closed_reason = Some(reason.to_owned());
    }

    fn close(&mut self, state: InvitationState, now: OffsetDateTime) {
        self.state = state;
        self.closed_at = Some(now);
        self.pin = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn invitation() -> Invitation {
        Invitation {
            id: Id::new(uuid::Uuid::nil()),
            user_id: Id::new(uuid::Uuid::nil()),
            email: "ada@example.test".to_owned(),
            language: Language::English,
            token_hash: [1; 32],
            pin: Some(Pin { sealed_hash: vec![1], expires_at: NOON + Duration::DAY, tries: 0 }),
            state: InvitationState::Open,
            created_by: "root".to_owned(),
            created_at: NOON,
            issued_at: NOON,
            expires_at: NOON + Duration::WEEK,
            closed_at: None,
            closed_reason: None,
            enrollment_id: None,
            mail_id: None,
            issue_id: None,
            version: 1,
        }
    }

    // covers: S-13, E-133
    #[test]
    fn a_pin_ends_by_age_by_tries_and_with_its_invitation() {
        let fresh = invitation();
        assert!(fresh.live_pin(NOON).is_some());
        assert!(fresh.live_pin(NOON + Duration::DAY).is_none(), "its own age");
        let mut locked = invitation();
        locked.pin.as_mut().unwrap().tries = MOST_PIN_TRIES;
        assert!(locked.live_pin(NOON).is_none());
        assert_eq!(locked.pin.unwrap().state(NOON), PinState::Locked);
        let mut used = invitation();
        used.use_for(Id::new(uuid::Uuid::nil()), NOON);
        assert!(used.pin.is_none() && used.live_pin(NOON).is_none());
        let longer = Pin { expires_at: NOON + Duration::weeks(9), ..invitation().pin.unwrap() };
        let expired = Invitation { pin: Some(longer), ..invitation() };
        assert_eq!(expired.standing(NOON + Duration::WEEK), InvitationState::Expired);
        assert!(expired.live_pin(NOON + Duration::WEEK).is_none(), "the age of the invitation");
    }
}
