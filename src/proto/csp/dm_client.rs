//! DMClient CSP: the enrollment seen from the device (management reference 1.12, 1.17, 7.4, annex B).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Within;
use crate::proto::syncml::{Command, Data, Item, LocUri, Meta, Verb};

/// The hardware hash.
pub const HW_DEV_ID: &str = "./Device/Vendor/MSFT/DMClient/HWDevID";

/// A node of our provider.
#[must_use]
pub fn node(provider_id: &str, name: &'static str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/DMClient/Provider").join(provider_id).join(name)
}

/// `Exec` of Unenroll. Windows 10 ignores the data; it is sent all the same.
#[must_use]
pub fn unenroll(provider_id: &str) -> Command {
    let item = Item {
        target: Some(node(provider_id, "Unenroll")),
        meta: Meta { format: Some("chr".to_owned()), ..Meta::default() },
        data: Some(Data::new(provider_id)),
        ..Item::default()
    };
    Command::new(Verb::Exec, item)
}

/// Whether a node is an Unenroll node, of any provider or the legacy one.
#[must_use]
pub fn is_unenroll(uri: &LocUri) -> bool {
    uri.is_at_or_below(&LocUri::fixed("./Device/Vendor/MSFT/DMClient"))
        && uri.last_segment().eq_ignore_ascii_case("Unenroll")
}

/// `Replace` that makes a slow device send heartbeats.
#[must_use]
pub fn enable_keep_alive(provider_id: &str) -> Command {
    Command::replace(node(provider_id, "EnableOmaDmKeepAliveMessage"), "bool", "true")
}

/// `Replace` of the session protocol version; 3.0 brings HRESULTs in statuses.
#[must_use]
pub fn set_sync_version(provider_id: &str, version: &str) -> Command {
    Command::replace(node(provider_id, "SyncApplicationVersion"), "chr", version)
}

/// How often a device applies its policies again on its own (22621.3235, 22000.2836).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigRefresh {
    /// Whether it does. Default true.
    #[serde(default = "yes")]
    pub enable: bool,
    /// Minutes between two times. Default 90.
    #[serde(default = "usual_cadence")]
    #[schema(value_type = u32, minimum = 30, maximum = 1440)]
    pub cadence_minutes: Within<30, 1440>,
    /// Minutes for which it pauses, from now on. Default 0.
    #[serde(default = "no_pause")]
    #[schema(value_type = u32, maximum = 1440)]
    pub pause_minutes: Within<0, 1440>,
}

impl ConfigRefresh {
    /// The node that switches it on (`bool`).
    #[must_use]
    pub fn node(provider_id: &str) -> LocUri {
        node(provider_id, "ConfigRefresh").below("Enabled")
    }

    /// `Replace` of each setting; the switch comes last.
    #[must_use]
    pub fn commands(&self, provider_id: &str) -> Vec<Command> {
        let root = node(provider_id, "ConfigRefresh");
        vec![
            Command::replace(root.below("Cadence"), "int", &self.cadence_minutes.get().to_string()),
            Command::replace(root.below("PausePeriod"), "int", &self.pause_minutes.get().to_string()),
            Command::replace(Self::node(provider_id), "bool", if self.enable { "true" } else { "false" }),
        ]
    }

    /// `Delete` of each.
    #[must_use]
    pub fn removal(provider_id: &str) -> Vec<Command> {
        let root = node(provider_id, "ConfigRefresh");
        ["Enabled", "Cadence", "PausePeriod"].map(|name| Command::delete(root.below(name))).into()
    }
}

/// After how many days without a good session a device leaves management on its own (10.0.16299).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LostContact {
    /// Days.
    #[schema(value_type = u32, minimum = 1, maximum = 3650)]
    pub unenroll_after_days: Within<1, 3650>,
}

impl LostContact {
    /// The node (`int`).
    #[must_use]
    pub fn node(provider_id: &str) -> LocUri {
        node(provider_id, "NumberOfDaysAfterLostContactToUnenroll")
    }

    /// `Replace` of it.
    #[must_use]
    pub fn commands(&self, provider_id: &str) -> Vec<Command> {
        vec![Command::replace(Self::node(provider_id), "int", &self.unenroll_after_days.get().to_string())]
    }

    /// `Delete` of it.
    #[must_use]
    pub fn removal(provider_id: &str) -> Vec<Command> {
        vec![Command::delete(Self::node(provider_id))]
    }
}

fn yes() -> bool {
    true
}

fn usual_cadence() -> Within<30, 1440> {
    Within::fixed(90)
}

fn no_pause() -> Within<0, 1440> {
    Within::fixed(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    // covers: M-111
    #[test]
    fn unenroll_names_the_provider_in_address_and_data() {
        let mut command = unenroll("Muster");
        command.cmd_id = "c1".to_owned();
        let expected = concat!(
            "<Exec><CmdID>c1</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/DMClient/Provider/Muster/Unenroll</LocURI>",
            "</Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format></Meta><Data>Muster</Data></Item></Exec>"
        );
        assert_eq!(String::from_utf8(encode_fragment(&[command])).unwrap(), expected);
    }
}
