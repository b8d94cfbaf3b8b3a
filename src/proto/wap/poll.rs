//! The poll schedule: calls in bursts after enrollment, then relaxed. [MS-MDM] and the DMClient CSP.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tree::{Characteristic, Parm};

/// `DMClient/Provider/<id>/Poll`. What the CSP forbids cannot be said: a schedule without calls, a first set that is empty
/// or endless, an endless set before another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Poll {
    /// Directly after enrollment.
    pub first: Burst,
    /// After that, where there is a second burst.
    pub second: Option<Burst>,
    /// From then on.
    pub relaxed: Relaxed,
    /// Call at every sign-in.
    pub on_login: bool,
    /// Call at the first sign-in of each user.
    pub all_users_on_first_login: bool,
}

/// Some calls at short intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Burst {
    /// How many.
    #[schema(value_type = u32)]
    pub calls: NonZeroU32,
    /// Minutes between them.
    #[schema(value_type = u32)]
    pub minutes: NonZeroU32,
}

/// Calls at the interval that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relaxed {
    /// Minutes between calls.
    #[schema(value_type = u32)]
    pub minutes: NonZeroU32,
    /// How many, after which Windows calls once a day; `None`: for ever.
    #[schema(value_type = Option<u32>)]
    pub calls: Option<NonZeroU32>,
}

/// One set of the CSP, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// How many calls.
    pub count: u32,
    /// Minutes between calls.
    pub interval: u32,
}

/// The rule that a schedule breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// The first set has no calls or no interval.
    #[error("the first set needs a number of calls and an interval")]
    First,
    /// The second set has a count without an interval, or an interval without a count, which would go on for ever.
    #[error(
        "the second set needs both a number of calls and an interval, or neither; only the last may go on for ever"
    )]
    Second,
    /// The last set has no interval.
    #[error("the last set needs an interval: a device must go on calling")]
    Last,
}

/// Minutes between calls of a device that push can wake, at least.
const LEAST_WITH_PUSH: NonZeroU32 = number(1440);

/// The one that is ours: the shape of the largest service.
impl Default for Poll {
    fn default() -> Self {
        Self { first: FIRST, second: Some(SECOND), relaxed: LAST, on_login: true, all_users_on_first_login: true }
    }
}

const FIRST: Burst = Burst { calls: number(5), minutes: number(3) };
const SECOND: Burst = Burst { calls: number(8), minutes: number(15) };
const LAST: Relaxed = Relaxed { minutes: number(480), calls: None };

const fn number(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Poll {
    /// The schedule of three sets, where a count of 0 means for ever in the last and none in the others.
    ///
    /// # Errors
    /// [`PollError`] names the first rule that is broken.
    pub fn new(sets: [Set; 3], on_login: bool, all_users_on_first_login: bool) -> Result<Self, PollError> {
        let [first, second, last] = sets.map(|set| (NonZeroU32::new(set.count), NonZeroU32::new(set.interval)));
        let burst = |(calls, minutes)| Some(Burst { calls: calls?, minutes: minutes? });
        Ok(Self {
            first: burst(first).ok_or(PollError::First)?,
            second: match second {
                (None, None) => None,
                both => Some(burst(both).ok_or(PollError::Second)?),
            },
            relaxed: Relaxed { calls: last.0, minutes: last.1.ok_or(PollError::Last)? },
            on_login,
            all_users_on_first_login,
        })
    }

    /// The six numbers by the names of their nodes, in the order of the published samples.
    #[must_use]
    pub fn numbers(&self) -> [(&'static str, u32); 6] {
        let second = self.second.map_or((0, 0), |burst| (burst.calls.get(), burst.minutes.get()));
        [
            ("NumberOfFirstRetries", self.first.calls.get()),
            ("IntervalForFirstSetOfRetries", self.first.minutes.get()),
            ("NumberOfSecondRetries", second.0),
            ("IntervalForSecondSetOfRetries", second.1),
            ("NumberOfRemainingScheduledRetries", self.relaxed.calls.map_or(0, NonZeroU32::get)),
            ("IntervalForRemainingScheduledRetries", self.relaxed.minutes.get()),
        ]
    }

    /// The two switches by the names of their nodes.
    #[must_use]
    pub fn switches(&self) -> [(&'static str, bool); 2] {
        [("PollOnLogin", self.on_login), ("AllUsersPollOnFirstLogin", self.all_users_on_first_login)]
    }

    /// The schedule of one of many devices, so that those enrolled together do not stay together: its last interval differs
    /// by up to `percent` from this one. `draw` is the device's, evenly spread over all values. One that push can wake calls
    /// once a day at most, and differs upwards only.
    #[must_use]
    pub fn for_device(mut self, draw: u16, percent: u32, has_push: bool) -> Self {
        let base = self.relaxed.minutes.max(if has_push { LEAST_WITH_PUSH } else { NonZeroU32::MIN });
        let (draw, most) = (i64::from(draw), i64::from(u16::MAX));
        let share = if has_push { draw } else { draw * 2 - most };
        let spread = i64::from(base.get()) * i64::from(percent) * share / (100 * most);
        let minutes = u32::try_from(i64::from(base.get()) + spread).ok().and_then(NonZeroU32::new);
        self.relaxed.minutes = minutes.unwrap_or(base);
        self
    }

    pub(super) fn characteristic(&self) -> Characteristic {
        let numbers = self.numbers().map(|(name, value)| Parm::integer(name, value));
        let switches = self.switches().map(|(name, value)| Parm::boolean(name, value));
        numbers.into_iter().chain(switches).fold(Characteristic::new("Poll"), Characteristic::parm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(sets: [(u32, u32); 3]) -> Result<Poll, PollError> {
        Poll::new(sets.map(|(count, interval)| Set { count, interval }), true, true)
    }

    // covers: E-92
    #[test]
    fn the_rules_of_the_schedule() {
        let cases = [
            ("the usual one", [(5, 3), (8, 15), (0, 480)], None),
            ("with push", [(5, 15), (10, 60), (0, 1440)], None),
            ("second set off", [(5, 3), (0, 0), (0, 480)], None),
            ("an end to it", [(5, 3), (0, 0), (9, 480)], None),
            ("all zero", [(0, 0), (0, 0), (0, 0)], Some(PollError::First)),
            ("counts only", [(5, 0), (8, 0), (1, 0)], Some(PollError::First)),
            ("all counts zero", [(0, 3), (0, 15), (0, 480)], Some(PollError::First)),
            ("every minute for ever", [(0, 1), (0, 0), (0, 0)], Some(PollError::First)),
            ("endless in the middle", [(5, 3), (0, 15), (0, 480)], Some(PollError::Second)),
            ("half a second set", [(5, 3), (8, 0), (0, 480)], Some(PollError::Second)),
            ("no last interval", [(5, 3), (8, 15), (9, 0)], Some(PollError::Last)),
        ];
        for (name, sets, expected) in cases {
            assert_eq!(poll(sets).err(), expected, "{name}");
            if let Ok(poll) = poll(sets) {
                let written: Vec<u32> = poll.numbers().into_iter().map(|(_, value)| value).collect();
                let meant: Vec<u32> = sets.into_iter().flat_map(|(count, interval)| [count, interval]).collect();
                assert_eq!(written, meant, "{name}");
            }
        }
    }

    // covers: E-92
    #[test]
    fn devices_are_spread_about_the_last_interval() {
        let usual = Poll::default();
        assert_eq!(poll([(5, 3), (8, 15), (0, 480)]), Ok(usual));
        let last = |draw, percent, push| usual.for_device(draw, percent, push).relaxed.minutes.get();
        assert_eq!([last(0, 10, false), last(32768, 10, false), last(u16::MAX, 10, false)], [432, 480, 528]);
        assert_eq!([last(0, 0, false), last(u16::MAX, 0, false)], [480, 480]);
        assert_eq!([last(0, 10, true), last(u16::MAX, 10, true)], [1440, 1584], "never below a day with push");
        let slow = poll([(5, 3), (0, 0), (0, 2880)]).unwrap();
        assert_eq!(slow.for_device(0, 10, true).relaxed.minutes.get(), 2880, "an interval that is longer stays");
        let fast = poll([(1, 1), (0, 0), (0, 1)]).unwrap();
        assert_eq!(fast.for_device(0, 50, false).relaxed.minutes.get(), 1, "never none");
        assert_eq!(usual.for_device(7, 10, false).first, usual.first, "bursts stay as they are");
    }
}
