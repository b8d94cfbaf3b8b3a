//! When a device calls: the three sets of its poll schedule (management reference 6.1), read as Windows reads them.

use std::time::Duration;

/// The poll schedule of a device. Unlike what a server may ask for, it can be any three sets, also ones that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Number of calls and minutes between them, in the order in which they are used.
    sets: [(u32, u32); 3],
}

impl Schedule {
    /// Reads the sets from the nodes of that name; what is not there is 0.
    pub(super) fn read(value: impl Fn(&str) -> Option<u32>) -> Self {
        Self { sets: NODES.map(|(count, interval)| (value(count).unwrap_or(0), value(interval).unwrap_or(0))) }
    }

    /// How long the device waits after that many calls, the one right after its enrollment not counted.
    ///
    /// A set without interval is off, and one with an interval and without a number goes on for ever. Where none does,
    /// Windows calls once a day in the end.
    #[must_use]
    pub fn wait_after(&self, calls: u32) -> Duration {
        let mut left = calls;
        for (count, minutes) in self.sets.into_iter().filter(|(_, minutes)| *minutes > 0) {
            if count == 0 || left < count {
                return Duration::from_secs(u64::from(minutes) * 60);
            }
            left -= count;
        }
        Duration::from_secs(DAY)
    }
}

const NODES: [(&str, &str); 3] = [
    ("NumberOfFirstRetries", "IntervalForFirstSetOfRetries"),
    ("NumberOfSecondRetries", "IntervalForSecondSetOfRetries"),
    ("NumberOfRemainingScheduledRetries", "IntervalForRemainingScheduledRetries"),
];
const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_relaxed() {
        let waits = |sets: [(u32, u32); 3], calls: [u32; 4]| {
            calls.map(|calls| Schedule { sets }.wait_after(calls).as_secs() / 60)
        };
        assert_eq!(waits([(5, 3), (8, 15), (0, 480)], [0, 4, 5, 12]), [3, 3, 15, 15]);
        assert_eq!(waits([(5, 3), (8, 15), (0, 480)], [13, 14, 100, 9_999]), [480; 4]);
        assert_eq!(waits([(2, 3), (0, 0), (2, 60)], [1, 2, 3, 4]), [3, 60, 60, 1440], "a day where nothing is endless");
        assert_eq!(waits([(0, 1), (8, 15), (0, 480)], [0, 1, 2, 100]), [1; 4], "an endless first set");
        assert_eq!(waits([(0, 0); 3], [0, 1, 2, 3]), [1440; 4]);
    }
}
