//! Reboot CSP: restarts by schedule (10.0.14393, weekly ones 10.0.26100; not on Home; management reference 7.7).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::value::Moment;
use crate::proto::syncml::{Command, LocUri};

const SCHEDULE: &str = "./Device/Vendor/MSFT/Reboot/Schedule";
/// The schedules, in the order of [`RebootSchedule::moments`].
const NODES: [&str; 3] = ["Single", "DailyRecurrent", "WeeklyRecurrent"];

/// When a device restarts by schedule. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebootSchedule {
    /// Once, at that moment.
    pub once: Option<Moment>,
    /// Every day at the time of that moment, from then on.
    pub daily: Option<Moment>,
    /// Every week on the day and at the time of that moment, from then on (10.0.26100).
    pub weekly: Option<Moment>,
}

/// Takes every schedule away.
#[must_use]
pub fn remove() -> Vec<Command> {
    NODES.iter().map(|node| Command::delete(LocUri::fixed(SCHEDULE).below(node))).collect()
}

impl RebootSchedule {
    /// Whether it sets something.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::something(self.moments().map(|moment| moment.is_some()))
    }

    /// `Replace` of each schedule.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let set = |(node, at): (&&'static str, Option<&Moment>)| {
            Some(Command::replace(LocUri::fixed(SCHEDULE).below(node), "chr", at?.as_str()))
        };
        NODES.iter().zip(self.moments()).filter_map(set).collect()
    }

    fn moments(&self) -> [Option<&Moment>; 3] {
        [self.once.as_ref(), self.daily.as_ref(), self.weekly.as_ref()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn each_schedule_is_a_moment() {
        let schedule: RebootSchedule = serde_json::from_str(
            r#"{"once": "2026-03-01T22:00:00Z", "daily": "2026-03-01T04:30:00", "weekly": "2026-03-01T22:00:00+02:00"}"#,
        )
        .unwrap();
        let expected = [
            format!("Replace {SCHEDULE}/Single chr 2026-03-01T22:00:00Z"),
            format!("Replace {SCHEDULE}/DailyRecurrent chr 2026-03-01T04:30:00"),
            format!("Replace {SCHEDULE}/WeeklyRecurrent chr 2026-03-01T22:00:00+02:00"),
        ];
        assert_eq!(schedule.check(), Ok(()));
        assert_eq!(told(&schedule.commands()), expected);
        right(&schedule.commands());
        right(&remove());
        assert_eq!(RebootSchedule::default().check().unwrap_err().pointer, "");
    }
}
