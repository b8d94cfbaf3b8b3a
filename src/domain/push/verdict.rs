//! What comes of a push: the answers of WNS, and what each of them means for the device's channel and the next try
//! (management reference 6.2).

use time::Duration;

use crate::proto::wns::Receipt;

/// How the last push to a device went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// WNS has taken it and hands it on as soon as it can.
    Received,
    /// WNS has dropped it: the device does not take pushes now.
    Dropped,
    /// Too many pushes to this device.
    Throttled,
    /// WNS does not accept our token.
    Unauthorized,
    /// The channel belongs to another app.
    Forbidden,
    /// The channel is not valid any more.
    Gone,
    /// WNS finds fault with what we sent.
    Rejected,
    /// WNS does not answer, or says that it cannot.
    Unavailable,
    /// There was no token to push with.
    NoToken,
}

impl Outcome {
    const ALL: [Self; 9] = [
        Self::Received,
        Self::Dropped,
        Self::Throttled,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Gone,
        Self::Rejected,
        Self::Unavailable,
        Self::NoToken,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Dropped => "dropped",
            Self::Throttled => "throttled",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::NoToken => "no_token",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// What becomes of the channel that was pushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelFate {
    /// It stays.
    Kept,
    /// It is forgotten until the device reports one again.
    Forgotten,
    /// The same, and the device is given the package family name anew.
    ForgottenWithName,
}

/// What a push has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it went.
    pub outcome: Outcome,
    /// How long this device is left alone from now on.
    pub pause: Duration,
    /// Whether the same push is tried again afterwards; else the device's own schedule does the rest.
    pub again: bool,
    /// What becomes of the channel.
    pub channel: ChannelFate,
}

/// What the answer of WNS means, after so many tries of the same push before.
#[must_use]
pub fn judge(receipt: &Receipt, tries: u32) -> Verdict {
    let done = |outcome| Verdict { outcome, pause: SPACING, again: false, channel: ChannelFate::Kept };
    match receipt.status {
        200..=299 => match receipt.notification.as_deref() {
            None | Some("received") => done(Outcome::Received),
            Some("channelthrottled") => Verdict { pause: throttled(receipt, tries), ..done(Outcome::Throttled) },
            Some(_) => done(Outcome::Dropped),
        },
        401 => later(Outcome::Unauthorized, tries, backed_off(receipt, tries)),
        403 => Verdict { channel: ChannelFate::ForgottenWithName, ..done(Outcome::Forbidden) },
        404 | 410 => Verdict { channel: ChannelFate::Forgotten, ..done(Outcome::Gone) },
        406 | 429 => later(Outcome::Throttled, tries, throttled(receipt, tries)),
        500..=599 => later(Outcome::Unavailable, tries, backed_off(receipt, tries)),
        // 400, 405, 413 and whatever else: the same request would meet the same answer.
        _ => done(Outcome::Rejected),
    }
}

/// What it means that there was no answer, or no token to ask with.
#[must_use]
pub fn unanswered(outcome: Outcome, tries: u32) -> Verdict {
    later(outcome, tries, backed_off(&Receipt::default(), tries))
}

fn later(outcome: Outcome, tries: u32, pause: Duration) -> Verdict {
    Verdict { outcome, pause, again: tries + 1 < MOST_TRIES, channel: ChannelFate::Kept }
}

fn backed_off(receipt: &Receipt, tries: u32) -> Duration {
    doubled(SPACING, tries).min(Duration::HOUR).max(asked(receipt))
}

fn throttled(receipt: &Receipt, tries: u32) -> Duration {
    doubled(THROTTLED, tries).min(4 * Duration::HOUR).max(asked(receipt))
}

fn doubled(pause: Duration, tries: u32) -> Duration {
    pause * 2_i32.pow(tries.min(MOST_TRIES))
}

/// The pause that the answer asks for.
fn asked(receipt: &Receipt) -> Duration {
    let seconds = i64::try_from(receipt.retry_after.unwrap_or_default()).unwrap_or(i64::MAX);
    Duration::seconds(seconds).min(LONGEST_PAUSE)
}

/// Least time between two pushes to one device.
const SPACING: Duration = Duration::minutes(5);
/// Least time after WNS said that there were too many.
const THROTTLED: Duration = Duration::minutes(15);
/// Longest time that an answer may ask for, and so the longest pause.
pub const LONGEST_PAUSE: Duration = Duration::DAY;
/// Tries of one push.
const MOST_TRIES: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Receipt {
        Receipt { status, ..Receipt::default() }
    }

    fn taken(notification: &str) -> Receipt {
        Receipt { notification: Some(notification.to_owned()), ..answer(200) }
    }

    // covers: M-123, M-124
    #[test]
    fn every_answer_has_its_meaning() {
        use ChannelFate::{Forgotten, ForgottenWithName, Kept};
        for (name, receipt, outcome, minutes, again, channel) in [
            ("received", taken("received"), Outcome::Received, 5, false, Kept),
            ("no word", answer(200), Outcome::Received, 5, false, Kept),
            ("dropped", taken("dropped"), Outcome::Dropped, 5, false, Kept),
            ("an unknown word", taken("queued"), Outcome::Dropped, 5, false, Kept),
            ("channelthrottled", taken("channelthrottled"), Outcome::Throttled, 15, false, Kept),
            ("302", answer(302), Outcome::Rejected, 5, false, Kept),
            ("400", answer(400), Outcome::Rejected, 5, false, Kept),
            ("401", answer(401), Outcome::Unauthorized, 5, true, Kept),
            ("403", answer(403), Outcome::Forbidden, 5, false, ForgottenWithName),
            ("404", answer(404), Outcome::Gone, 5, false, Forgotten),
            ("405", answer(405), Outcome::Rejected, 5, false, Kept),
            ("406", answer(406), Outcome::Throttled, 15, true, Kept),
            ("410", answer(410), Outcome::Gone, 5, false, Forgotten),
            ("413", answer(413), Outcome::Rejected, 5, false, Kept),
            ("429", answer(429), Outcome::Throttled, 15, true, Kept),
            ("500", answer(500), Outcome::Unavailable, 5, true, Kept),
            ("503", answer(503), Outcome::Unavailable, 5, true, Kept),
        ] {
            let expected = Verdict { outcome, pause: Duration::minutes(minutes), again, channel };
            assert_eq!(judge(&receipt, 0), expected, "{name}");
        }
    }

    // covers: M-124
    #[test]
    fn pauses_grow_and_end() {
        let pauses = |status: u16, tries: u32| judge(&answer(status), tries).pause.whole_minutes();
        assert_eq!([0, 1, 2, 3, 4, 9].map(|tries| pauses(503, tries)), [5, 10, 20, 40, 60, 60]);
        assert_eq!([0, 1, 2, 3, 4, 9].map(|tries| pauses(406, tries)), [15, 30, 60, 120, 240, 240]);
        let again: Vec<bool> = (0..8).map(|tries| judge(&answer(503), tries).again).collect();
        assert_eq!(again, [true, true, true, true, true, false, false, false]);
        assert_eq!(unanswered(Outcome::NoToken, 1).pause, Duration::minutes(10));
    }

    #[test]
    fn an_answer_may_ask_for_a_longer_pause() {
        for (status, seconds, minutes) in [(503, 30, 5), (503, 3600, 60), (406, 60, 15), (406, 7200, 120)] {
            let receipt = Receipt { retry_after: Some(seconds), ..answer(status) };
            assert_eq!(judge(&receipt, 0).pause.whole_minutes(), minutes, "{status} {seconds}");
        }
        let for_ever = Receipt { retry_after: Some(u64::MAX), ..answer(503) };
        assert_eq!(judge(&for_ever, 0).pause, LONGEST_PAUSE);
    }

    #[test]
    fn words_are_read_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::parse("lost"), None);
    }
}
