//! The clock and the random generator of the operating system.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration as StdDuration, Instant};

use time::{Duration, OffsetDateTime};

use crate::app::ports;

/// The wall clock. The only place in the crate that reads it; everything else is given the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The moment, UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The random generator of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl SystemRng {
    /// Fills the buffer with random bytes fit for keys.
    ///
    /// # Panics
    /// If the operating system has no randomness to give; nothing safe can be done then.
    pub fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes");
    }

    /// That many random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl ports::Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        Self::now(self)
    }

    fn steady(&self) -> StdDuration {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        BEGIN.get_or_init(Instant::now).elapsed()
    }
}

impl ports::Rng for SystemRng {
    fn fill(&self, buffer: &mut [u8]) {
        Self::fill(self, buffer);
    }
}

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Shown>);

#[derive(Clone, Copy, Debug)]
struct Shown {
    wall: OffsetDateTime,
    steady: StdDuration,
}

impl ManualClock {
    /// A clock that shows that time.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(Shown { wall: now, steady: StdDuration::ZERO }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Shown { wall: shown.wall + by, steady: shown.steady + by.unsigned_abs() };
    }

    /// Moves the wall clock, forwards or back, as somebody does who sets it.
    pub fn jump(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wall += by;
    }
}

impl ports::Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wall
    }

    fn steady(&self) -> StdDuration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).steady
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_differ() {
        assert_ne!(SystemRng.bytes::<32>(), SystemRng.bytes::<32>());
    }
}
