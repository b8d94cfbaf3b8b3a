//! The poll schedule: three phases, each a number of calls at an interval. [MS-MDM] and the DMClient CSP.

use super::tree::{Characteristic, Parm};

/// `DMClient/Provider/<id>/Poll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Directly after enrollment.
    pub first: Phase,
    /// After that.
    pub second: Phase,
    /// From then on.
    pub remaining: Phase,
    /// Call at every sign-in.
    pub on_login: bool,
    /// Call at the first sign-in of each user.
    pub all_users_on_first_login: bool,
}

/// One phase of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// How many calls; 0 with an interval means for ever.
    pub count: u32,
    /// Minutes between calls; 0 disables the phase.
    pub interval: u32,
}

/// The rule that a schedule breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// No phase has an interval.
    #[error("the device would never call: set at least one interval")]
    NeverCalls,
    /// The count of the first phase is 0.
    #[error("the first phase needs a number of calls")]
    FirstCount,
    /// A phase before the last goes on for ever, so the ones after it never begin.
    #[error("only the last phase may go on for ever")]
    EndlessTooEarly,
}

impl Poll {
    /// Checks the rules of the CSP, with the first count above zero and only the last phase endless.
    ///
    /// # Errors
    ///
    /// [`PollError`] names the first rule that is broken.
    pub fn validate(&self) -> Result<(), PollError> {
        if [self.first, self.second, self.remaining].iter().all(|phase| phase.interval == 0) {
            return Err(PollError::NeverCalls);
        }
        if self.first.count == 0 {
            return Err(PollError::FirstCount);
        }
        if self.second.count == 0 && self.second.interval > 0 {
            return Err(PollError::EndlessTooEarly);
        }
        Ok(())
    }

    pub(super) fn characteristic(&self) -> Characteristic {
        Characteristic::new("Poll")
            .parm(Parm::integer("NumberOfFirstRetries", self.first.count))
            .parm(Parm::integer("IntervalForFirstSetOfRetries", self.first.interval))
            .parm(Parm::integer("NumberOfSecondRetries", self.second.count))
            .parm(Parm::integer("IntervalForSecondSetOfRetries", self.second.interval))
            .parm(Parm::integer("NumberOfRemainingScheduledRetries", self.remaining.count))
            .parm(Parm::integer("IntervalForRemainingScheduledRetries", self.remaining.interval))
            .parm(Parm::boolean("PollOnLogin", self.on_login))
            .parm(Parm::boolean("AllUsersPollOnFirstLogin", self.all_users_on_first_login))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(phases: [(u32, u32); 3]) -> Poll {
        let [first, second, remaining] = phases.map(|(count, interval)| Phase { count, interval });
        Poll { first, second, remaining, on_login: true, all_users_on_first_login: true }
    }

    // covers: E-92
    #[test]
    fn the_rules_of_the_schedule() {
        let cases = [
            ("the usual one", [(5, 3), (8, 15), (0, 480)], Ok(())),
            ("with push", [(5, 15), (10, 60), (0, 1440)], Ok(())),
            ("second phase off", [(5, 3), (0, 0), (0, 480)], Ok(())),
            ("all zero", [(0, 0), (0, 0), (0, 0)], Err(PollError::NeverCalls)),
            ("counts only", [(5, 0), (8, 0), (1, 0)], Err(PollError::NeverCalls)),
            ("all counts zero", [(0, 3), (0, 15), (0, 480)], Err(PollError::FirstCount)),
            ("every minute for ever", [(0, 1), (0, 0), (0, 0)], Err(PollError::FirstCount)),
            ("endless in the middle", [(5, 3), (0, 15), (0, 480)], Err(PollError::EndlessTooEarly)),
        ];
        for (name, phases, expected) in cases {
            assert_eq!(poll(phases).validate(), expected, "{name}");
        }
    }
}
