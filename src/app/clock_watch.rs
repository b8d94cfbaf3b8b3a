//! Whether the wall clock can be believed when it says that something has lasted too long.
//!
//! Sessions, commands and history end by the wall clock, because what they are measured against is stored and outlives the
//! process. Should that clock be moved, a day's worth of them would end at once, and moving it back would not bring them
//! back. So the wall clock is compared with one that nobody can move; when they part, nothing ends for a while, nor does it
//! after a start far ahead of everything that is stored. By then the clock was put right, or devices had the time to show
//! that they are there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime};

use super::ports::Clock;

/// What one process has seen of the clocks.
#[derive(Default)]
pub(super) struct ClockWatch(Mutex<Option<Seen>>);

#[derive(Clone, Copy)]
struct Seen {
    /// The wall clock at the moment at which the steady one was at zero, as it was computed last.
    origin: OffsetDateTime,
    /// By the steady clock: from when on the wall clock is believed.
    believed_from: StdDuration,
}

impl ClockWatch {
    /// Doubts the wall clock from the start, until it has gone on evenly for so long.
    pub(super) fn doubt(&self, clock: &dyn Clock, patience: Duration) {
        let (now, steady) = (clock.now(), clock.steady());
        let seen = Seen { origin: now - steady, believed_from: steady + patience.unsigned_abs() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    /// Whether the wall clock went on evenly for so long, or since the first look where nobody doubted it.
    pub(super) fn is_even(&self, clock: &dyn Clock, patience: Duration) -> bool {
        let (now, steady) = (clock.now(), clock.steady());
        let origin = now - steady;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.unwrap_or(Seen { origin, believed_from: StdDuration::ZERO });
        let jump = origin - before.origin;
        let believed_from = if jump.abs() < NOTICED {
            before.believed_from
        } else {
            tracing::warn!(seconds = jump.whole_seconds(), "the clock was moved: nothing ends for its age for a while");
            steady + patience.unsigned_abs()
        };
        *seen = Some(Seen { origin, believed_from });
        steady >= believed_from
    }
}

/// Less is how clocks are kept right.
const NOTICED: Duration = Duration::MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    struct Clocks(Mutex<(OffsetDateTime, StdDuration)>);

    impl Clocks {
        fn pass(&self, minutes: u32) {
            let time = StdDuration::from_secs(60) * minutes;
            let mut clocks = self.0.lock().unwrap();
            *clocks = (clocks.0 + time, clocks.1 + time);
        }

        fn jump(&self, by: Duration) {
            self.0.lock().unwrap().0 += by;
        }
    }

    impl Clock for Clocks {
        fn now(&self) -> OffsetDateTime {
            self.0.lock().unwrap().0
        }

        fn steady(&self) -> StdDuration {
            self.0.lock().unwrap().1
        }
    }

    //
    #[test]
    fn a_clock_that_is_doubted_at_the_start_is_believed_once_it_went_evenly_for_a_while() {
        let start = time::macros::datetime!(2027-11-20 12:00 UTC);
        let clocks = Clocks(Mutex::new((start, StdDuration::from_secs(7))));
        let (watch, patience) = (ClockWatch::default(), Duration::minutes(30));
        watch.doubt(&clocks, patience);
        assert!(!watch.is_even(&clocks, patience));
        clocks.pass(29);
        clocks.jump(-365 * Duration::DAY);
        assert!(!watch.is_even(&clocks, patience), "it was put right");
        clocks.pass(29);
        assert!(!watch.is_even(&clocks, patience));
        clocks.pass(1);
        assert!(watch.is_even(&clocks, patience));
    }

    //
    #[test]
    fn after_a_jump_the_wall_clock_is_not_believed_for_a_while() {
        let start = time::macros::datetime!(2026-11-20 12:00 UTC);
        let clocks = Clocks(Mutex::new((start, StdDuration::from_secs(7))));
        let (watch, patience) = (ClockWatch::default(), Duration::minutes(30));
        let is_even = || watch.is_even(&clocks, patience);
        assert!(is_even(), "whatever happened before the start");
        clocks.pass(24 * 60);
        assert!(is_even(), "time passes");
        clocks.jump(Duration::seconds(20));
        assert!(is_even(), "a correction");
        for jump in [-Duration::HOUR, Duration::DAY, -Duration::DAY] {
            clocks.jump(jump);
            assert!(!is_even(), "{jump}");
            clocks.pass(29);
            assert!(!is_even(), "{jump}");
        }
        clocks.pass(1);
        assert!(is_even());
    }
}
