//! What the device accepted and works on by itself: it is asked how far it is, less and less often, and not for ever.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{CommandState, QueuedCommand};
use crate::domain::action::Question;

/// After which a device is asked first how far it is with what it accepted; the pause doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::minutes(2);
const LONGEST_PAUSE: Duration = Duration::hours(4);

/// An action that the device accepted and that has not told yet how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// When the device accepted it.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// How often it was put off to ask.
    pub questions: u32,
}

impl QueuedCommand {
    /// The device accepted it: from now on it is only asked how far it is, not before a pause, and not for ever.
    pub fn follow(&mut self, question: Question, now: OffsetDateTime) {
        let before = self.followed.filter(|_| self.state == CommandState::Sent);
        let followed = before.unwrap_or_else(|| {
            self.expires_at = now + self.action.patience();
            Followed { since: self.followed.map_or(now, |before| before.since), questions: 0 }
        });
        if self.followed.is_some() {
            // What the question before brought has been read.
            self.items.retain(|item| item.step < self.step);
        }
        self.begin_step(self.step + 1, question.commands);
        self.state = CommandState::Sent;
        self.detail = question.detail;
        self.finished_at = None;
        self.followed = Some(followed);
        self.ask_later(now);
    }

    /// Asks again after a pause that grows from time to time.
    pub fn ask_later(&mut self, now: OffsetDateTime) {
        let Some(followed) = &mut self.followed else { return };
        let pause = FIRST_PAUSE * 2_i32.pow(followed.questions.min(16));
        self.not_before = Some(now + pause.min(LONGEST_PAUSE));
        followed.questions += 1;
        self.forget_answers();
        self.offers = 0;
    }

    /// A question that got no answer is asked again later; whether that is what this was.
    pub fn asks_again(&mut self, now: OffsetDateTime) -> bool {
        let asks = self.followed.is_some() && self.state == CommandState::Sent;
        if asks {
            self.ask_later(now);
        }
        asks
    }

    /// Whether it works on the device without a question being out.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.followed.is_some() && self.state == CommandState::Sent && self.offers == 0
    }

    /// Whether it was handed to the device and an answer is awaited.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.state == CommandState::Sent && !self.is_followed()
    }

    /// Ends a followed action that has had its time: nobody knows how it ended.
    pub fn stop_following(&mut self, now: OffsetDateTime) {
        let words = format!(
            "the device accepted it and did not tell how it ended; it may have happened. Last: {}",
            self.detail
        );
        self.end(CommandState::Unknown, &words, now);
    }
}
