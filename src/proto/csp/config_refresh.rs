//! DMClient CSP, ConfigRefresh: Windows puts policies back by itself (10.0.22621.3235, 10.0.22000.2836; management
//! reference annex B).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dm_client;
use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

/// How Windows puts policies back that were changed on the device. What is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRefresh {
    /// Whether it does.
    pub enabled: bool,
    /// Minutes between two rounds, 30 to 1440; Windows takes 90 unless told otherwise.
    pub cadence_minutes: Option<u16>,
    /// Minutes for which it pauses, 0 to 1440.
    pub pause_minutes: Option<u16>,
}

fn node(provider_id: &str) -> LocUri {
    dm_client::node(provider_id, "ConfigRefresh")
}

/// Takes it away: Windows does as if it had never been told.
#[must_use]
pub fn remove(provider_id: &str) -> Vec<Command> {
    vec![Command::delete(node(provider_id))]
}

impl ConfigRefresh {
    /// Whether Windows would take it.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::within("/cadence_minutes", self.cadence_minutes, 30..=1440)?;
        parameter::within("/pause_minutes", self.pause_minutes, 0..=1440)
    }

    /// The interior node first: it is not there unless somebody made it.
    #[must_use]
    pub fn commands(&self, provider_id: &str) -> Vec<Command> {
        let node = node(provider_id);
        let minutes =
            |name, value: Option<u16>| value.map(|value| Command::replace(node.below(name), "int", &value.to_string()));
        let enabled = Command::replace(node.below("Enabled"), "bool", if self.enabled { "true" } else { "false" });
        let mut commands = vec![Command::add_node(node.clone(), "node")];
        commands.extend(minutes("Cadence", self.cadence_minutes));
        commands.extend(minutes("PausePeriod", self.pause_minutes));
        commands.push(enabled);
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn the_interior_node_is_made_and_its_leaves_are_set() {
        let refresh = ConfigRefresh { enabled: true, cadence_minutes: Some(60), pause_minutes: Some(0) };
        let root = "./Device/Vendor/MSFT/DMClient/Provider/Muster/ConfigRefresh";
        let expected = [
            format!("Add {root} node"),
            format!("Replace {root}/Cadence int 60"),
            format!("Replace {root}/PausePeriod int 0"),
            format!("Replace {root}/Enabled bool true"),
        ];
        assert_eq!(refresh.check(), Ok(()));
        assert_eq!(told(&refresh.commands("Muster")), expected);
        right(&refresh.commands("Muster"));
        let off = ConfigRefresh { enabled: false, cadence_minutes: None, pause_minutes: None };
        assert_eq!(told(&off.commands("Muster"))[1..], [format!("Replace {root}/Enabled bool false")]);
        assert_eq!(told(&remove("Muster")), [format!("Delete {root}")]);
        right(&remove("Muster"));
    }

    #[test]
    fn minutes_have_the_bounds_of_windows() {
        for (cadence, pause, pointer) in
            [(29, 0, "/cadence_minutes"), (1441, 0, "/cadence_minutes"), (30, 1441, "/pause_minutes")]
        {
            let refresh = ConfigRefresh { enabled: true, cadence_minutes: Some(cadence), pause_minutes: Some(pause) };
            assert_eq!(refresh.check().unwrap_err().pointer, pointer);
        }
    }
}
