//! Reboot CSP (10.0.14393; not on Home; management reference 7.7): restarts, now and by schedule.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Moment;
use crate::proto::syncml::{Command, LocUri};

/// The node that reboots within five minutes, or at the end of the session.
pub const REBOOT_NOW: &str = "./Device/Vendor/MSFT/Reboot/RebootNow";

/// `Exec` of RebootNow.
#[must_use]
pub fn reboot_now() -> Command {
    Command::exec(LocUri::fixed(REBOOT_NOW))
}

/// When a device restarts by schedule (weekly from 10.0.26100). What is left out is not configured by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RebootSchedule {
    /// Once, at that moment.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub once: Option<Moment>,
    /// Every day at the time of that moment, from then on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub daily: Option<Moment>,
    /// Every week on the day and at the time of that moment, from then on.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub weekly: Option<Moment>,
}

const ONCE: &str = "./Device/Vendor/MSFT/Reboot/Schedule/Single";
const DAILY: &str = "./Device/Vendor/MSFT/Reboot/Schedule/DailyRecurrent";
const WEEKLY: &str = "./Device/Vendor/MSFT/Reboot/Schedule/WeeklyRecurrent";

impl RebootSchedule {
    fn parts(&self) -> [(&'static str, Option<&Moment>); 3] {
        [(ONCE, self.once.as_ref()), (DAILY, self.daily.as_ref()), (WEEKLY, self.weekly.as_ref())]
    }

    /// The nodes that it sets.
    #[must_use]
    pub fn nodes(&self) -> Vec<LocUri> {
        self.parts().into_iter().filter(|(_, at)| at.is_some()).map(|(node, _)| LocUri::fixed(node)).collect()
    }

    /// `Replace` of each.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let set = |(node, at): (&'static str, Option<&Moment>)| {
            Some(Command::replace(LocUri::fixed(node), "chr", at?.as_str()))
        };
        self.parts().into_iter().filter_map(set).collect()
    }

    /// `Delete` of all.
    #[must_use]
    pub fn removal() -> Vec<Command> {
        [ONCE, DAILY, WEEKLY].map(|node| Command::delete(LocUri::fixed(node))).into()
    }
}
