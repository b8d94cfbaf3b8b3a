//! HoloLens 2: what Microsoft lists as supported there is far less than what the descriptions allow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Record, Scope};

/// Microsoft's lists of what HoloLens 2 supports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoloLens {
    /// CSPs of the list: `yes`, `no`, or how else they can be reached.
    #[serde(default)]
    pub csps: BTreeMap<String, String>,
    /// Policies, as area and name, with the release from which, where one is named.
    #[serde(default)]
    pub policies: BTreeMap<String, Option<String>>,
}

impl HoloLens {
    /// What stands against a node on HoloLens 2, in words; nothing where the lists name it.
    #[must_use]
    pub fn doubt(&self, record: &Record) -> Option<String> {
        let csp = record.csp.as_str();
        match self.csps.get(csp).map(String::as_str) {
            None => return Some(format!("the CSP {csp} is not on Microsoft's list for HoloLens 2")),
            Some("yes") => {}
            Some("no") => return Some(format!("Microsoft lists the CSP {csp} as not supported on HoloLens 2")),
            Some(way) => return Some(format!("on HoloLens 2 the CSP {csp} is reached by {way} alone")),
        }
        match csp {
            "Policy" => self.policy_doubt(record),
            "RemoteWipe" if record.name() != csp && !WIPES.contains(&record.name()) => {
                Some(format!("of RemoteWipe, HoloLens 2 has {} alone", WIPES.join(" and ")))
            }
            "EnterpriseModernAppManagement" if record.scope == Scope::Device => {
                Some("on HoloLens 2 EnterpriseModernAppManagement works per user alone (./User)".to_owned())
            }
            _ => None,
        }
    }

    fn policy_doubt(&self, record: &Record) -> Option<String> {
        let area = record.area.as_ref()?;
        let policy = format!("{area}/{}", record.name());
        let is_area = record.name() == area.as_str();
        (!is_area && !self.policies.contains_key(&policy))
            .then(|| format!("the policy {policy} is not on Microsoft's list for HoloLens 2"))
    }
}

/// The variants of RemoteWipe that HoloLens 2 has.
const WIPES: [&str; 2] = ["doWipe", "doWipePersistProvisionedData"];
