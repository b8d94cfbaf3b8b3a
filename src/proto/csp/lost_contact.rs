//! DMClient CSP: a device that lost its server leaves management by itself (10.0.16299; management reference 6.4).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dm_client;
use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

/// After how long without a good session a device leaves management by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LostContact {
    /// Days, 7 to 3650: less would lose devices over a holiday.
    pub days: u16,
}

fn node(provider_id: &str) -> LocUri {
    dm_client::node(provider_id, "NumberOfDaysAfterLostContactToUnenroll")
}

/// Takes it away: the device stays.
#[must_use]
pub fn remove(provider_id: &str) -> Vec<Command> {
    vec![Command::delete(node(provider_id))]
}

impl LostContact {
    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::within("/days", Some(self.days), 7..=3650)
    }

    /// What sets it.
    #[must_use]
    pub fn commands(&self, provider_id: &str) -> Vec<Command> {
        vec![Command::replace(node(provider_id), "int", &self.days.to_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn the_days_are_set_and_taken_away() {
        let uri = "./Device/Vendor/MSFT/DMClient/Provider/Muster/NumberOfDaysAfterLostContactToUnenroll";
        let commands = LostContact { days: 90 }.commands("Muster");
        assert_eq!(told(&commands), [format!("Replace {uri} int 90")]);
        assert_eq!(told(&remove("Muster")), [format!("Delete {uri}")]);
        right(&commands);
        right(&remove("Muster"));
        for (days, good) in [(6, false), (7, true), (3650, true), (3651, false)] {
            assert_eq!(LostContact { days }.check().is_ok(), good, "{days}");
        }
    }
}
