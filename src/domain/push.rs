//! Push by the Windows Push Notification Service (WNS): where a device can be woken, and what is known of it (management
//! reference 6.2).

mod channel;
mod verdict;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use channel::{Channel, ChannelHost, ChannelRefused, ChannelUri};
pub use verdict::{ChannelFate, LONGEST_PAUSE, Outcome, Verdict, judge, unanswered};

/// What is known of push to one enrollment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// The app for which the device was to register.
    pub registration: Registration,
    /// Where the device can be woken; `None` while it has no channel that may be used.
    pub channel: Option<ChannelUri>,
    /// Counts the changes of the channel.
    pub channel_seq: i64,
    /// When the channel changed last.
    pub channel_at: Option<OffsetDateTime>,
    /// Why the channel that the device reported is not used, in words.
    pub refusal: Option<String>,
    /// Last `Push/Status`, as reported.
    pub status: Option<String>,
    /// When that changed last.
    pub status_at: Option<OffsetDateTime>,
    /// When the device is to be woken, if there is work for it.
    pub wake_at: Option<OffsetDateTime>,
    /// The process that wakes it now, or that died over it.
    pub claimed_by: Option<String>,
    /// Tries of the same push before.
    pub tries: u32,
    /// What came of the last push.
    pub last: Option<Sent>,
}

/// A push that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// How it went.
    pub outcome: Outcome,
    /// When.
    pub at: OffsetDateTime,
    /// Whether WNS has a connection to the device (`connected`, `disconnected`, `tempdisconnected`), where it said so.
    pub connection: Option<String>,
    /// What was wrong, in words.
    pub detail: Option<String>,
    /// No further push before.
    pub not_before: OffsetDateTime,
}

/// One change of what is known of push to an enrollment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushChange {
    /// The device answered to the package family name that it was given.
    Registered(Registration),
    /// Another channel than before, or none, or one that is not used.
    Channel {
        /// The channel, if it may be used.
        uri: Option<ChannelUri>,
        /// Why it is not, in words.
        refusal: Option<String>,
        /// When.
        at: OffsetDateTime,
    },
    /// Another `Push/Status`.
    Status {
        /// As reported.
        status: String,
        /// When.
        at: OffsetDateTime,
    },
}

/// The attempt to give a device the package family name (`Push/PFN`) for which it registers with WNS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The name of the last attempt.
    pub pfn: Option<String>,
    /// What the device answered.
    pub status: Option<u16>,
    /// When.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

impl Registration {
    /// Whether the device has taken some name.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.pfn.is_some() && self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether that name is to be set: it is another one, or the device refused it a day ago or longer.
    #[must_use]
    pub fn is_due(&self, pfn: &str, now: OffsetDateTime) -> bool {
        let is_old = self.at.is_none_or(|at| now - at >= TRIED_AGAIN || at > now);
        self.pfn.as_deref() != Some(pfn) || (!self.is_made() && is_old)
    }
}

/// After this a name that a device refused is offered again.
const TRIED_AGAIN: Duration = Duration::DAY;

/// What a value of `Push/Status` means, in words; a value that is not known has none.
#[must_use]
pub fn status_words(status: &str) -> Option<&'static str> {
    Some(match status.trim().parse::<u32>().ok()? {
        0 => "registered",
        1 => "the package family name is invalid",
        2 => "the device's authentication with Microsoft is invalid or expired",
        3 => "the registration failed: the package family name is invalid or revoked",
        4 => "there is no channel",
        5 => "the channel expired",
        6 => "the revocation failed",
        7 => "a push came, but no session was possible: power or connection",
        8 => "push is not available on this edition",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

    #[test]
    fn a_name_is_set_once_and_a_refusal_counts_for_a_day() {
        let tried = |pfn: &str, status, hours| Registration {
            pfn: Some(pfn.to_owned()),
            status: Some(status),
            at: Some(NOW - Duration::hours(hours)),
        };
        for (case, registration, due) in [
            ("never tried", Registration::default(), true),
            ("taken", tried("a", 200, 5000), false),
            ("taken, but another one", tried("b", 200, 1), true),
            ("refused just now", tried("a", 405, 1), false),
            ("refused yesterday", tried("a", 405, 24), true),
            ("another one refused", tried("b", 405, 1), true),
            ("refused in the future", tried("a", 405, -1), true),
        ] {
            assert_eq!(registration.is_due("a", NOW), due, "{case}");
        }
        assert!(!Registration { status: Some(200), ..Registration::default() }.is_made(), "forgotten");
    }

    #[test]
    fn statuses_have_words() {
        assert_eq!(status_words(" 0 "), Some("registered"));
        assert_eq!((0..9).filter(|status| status_words(&status.to_string()).is_some()).count(), 9);
        assert_eq!((status_words("9"), status_words("-1"), status_words("x")), (None, None, None));
    }
}
