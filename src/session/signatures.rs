//! Signed messages that were taken already. A signature proves who wrote a message, not who sends it: what somebody else
//! got hold of must not open a session once more.
//!
//! A signature that is not made now is refused before it comes here, so only those of the last while need be remembered. The
//! number is bounded all the same: where older ones are forgotten, nothing made before them is taken any more.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// A signature over a message, as far as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureMark {
    /// When it was made, as its maker says; without it nothing can be remembered.
    pub at: Option<OffsetDateTime>,
    /// Digest of all that was signed, the time included.
    pub digest: [u8; 32],
}

/// The signatures that were taken from one enrollment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenSignatures {
    seen: Vec<Seen>,
    /// When the newest of those was made that are forgotten before their time.
    #[serde(default, with = "time::serde::timestamp::milliseconds::option")]
    forgotten: Option<OffsetDateTime>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    #[serde(with = "time::serde::timestamp::milliseconds")]
    at: OffsetDateTime,
    /// The first half of the digest, in hex digits.
    mark: String,
}

/// Signatures that are remembered at once.
const MOST: usize = 64;

impl SeenSignatures {
    /// Whether a signature was taken before, or may have been.
    #[must_use]
    pub fn has(&self, mark: &SignatureMark, window: Option<Duration>, now: OffsetDateTime) -> bool {
        let Some(at) = mark.at else { return false };
        let matters = |forgotten: OffsetDateTime| window.is_some_and(|window| forgotten >= now - window);
        let too_old = self.forgotten.is_some_and(|forgotten| matters(forgotten) && at <= forgotten);
        too_old || self.seen.iter().any(|seen| seen.mark == half(mark))
    }

    /// Remembers one for as long as it would be taken.
    pub(super) fn remember(&mut self, mark: &SignatureMark, window: Option<Duration>, now: OffsetDateTime) {
        let Some(at) = mark.at else { return };
        if let Some(window) = window {
            self.seen.retain(|seen| seen.at >= now - window);
        }
        if self.seen.len() >= MOST
            && let Some((oldest, _)) = self.seen.iter().enumerate().min_by_key(|(_, seen)| seen.at)
        {
            let oldest = self.seen.remove(oldest).at;
            self.forgotten = self.forgotten.max(Some(oldest));
        }
        self.seen.push(Seen { at, mark: half(mark) });
    }
}

fn half(mark: &SignatureMark) -> String {
    mark.digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);
    const WINDOW: Option<Duration> = Some(Duration::minutes(15));

    fn mark(at: OffsetDateTime, number: u8) -> SignatureMark {
        SignatureMark { at: Some(at), digest: [number; 32] }
    }

    // covers: S-16
    #[test]
    fn one_is_taken_once() {
        let mut seen = SeenSignatures::default();
        let (first, second) = (mark(NOON, 1), mark(NOON, 2));
        assert!(!seen.has(&first, WINDOW, NOON));
        seen.remember(&first, WINDOW, NOON);
        assert!(seen.has(&first, WINDOW, NOON) && !seen.has(&second, WINDOW, NOON));
        let later = NOON + Duration::minutes(14);
        seen.remember(&mark(later, 3), WINDOW, later);
        assert!(seen.has(&first, WINDOW, later));
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<SeenSignatures>(&text).unwrap(), seen);
        seen.remember(&mark(NOON, 4), WINDOW, NOON + Duration::minutes(16));
        assert_eq!(seen.seen.len(), 2, "what would be refused for its age need not be remembered");
    }

    // covers: S-16
    #[test]
    fn what_is_forgotten_early_is_refused_by_its_time() {
        let mut seen = SeenSignatures::default();
        for second in 0..100_u8 {
            let at = NOON + Duration::seconds(i64::from(second));
            assert!(!seen.has(&mark(at, second), WINDOW, at));
            seen.remember(&mark(at, second), WINDOW, at);
        }
        let now = NOON + Duration::seconds(100);
        assert_eq!(seen.seen.len(), MOST);
        for second in 0..100_u8 {
            assert!(seen.has(&mark(NOON + Duration::seconds(i64::from(second)), second), WINDOW, now), "{second}");
        }
        assert!(!seen.has(&mark(now, 200), WINDOW, now));
        assert!(!seen.has(&mark(NOON, 0), None, now), "without a window nobody is locked out by a clock");
        assert!(!seen.has(&mark(NOON, 0), WINDOW, NOON + Duration::minutes(20)), "its age is judged elsewhere");
    }

    #[test]
    fn without_a_time_nothing_is_remembered() {
        let mut seen = SeenSignatures::default();
        let untimed = SignatureMark { at: None, digest: [1; 32] };
        seen.remember(&untimed, None, NOON);
        assert!(!seen.has(&untimed, None, NOON));
    }
}
