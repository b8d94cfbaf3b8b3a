//! VPNv2 CSP (10.0.10586, whole profiles from 10.0.14393, all editions; management reference 7.20).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::secret::Secret;
use super::value::{Line, check_document};
use crate::proto::syncml::{Command, LocUri, Verb};

/// A connection to a private network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VpnProfile {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its name, as people see it; without a slash.
    #[schema(value_type = String, example = "Example Office")]
    pub name: Line<255>,
    /// A VPNProfile document.
    pub profile_xml: Secret,
}

/// Which connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VpnKey {
    /// For the device, or for the signed-in user.
    #[serde(default)]
    pub scope: Scope,
    /// Its name.
    #[schema(value_type = String)]
    pub name: Line<255>,
}

impl VpnProfile {
    /// Which one it is.
    #[must_use]
    pub fn key(&self) -> VpnKey {
        VpnKey { scope: self.scope, name: self.name.clone() }
    }

    /// What is wrong with it, by field.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        if self.name.as_str().contains('/') {
            mistakes.push(("name", "holds no slash".to_owned()));
        }
        if let Err(words) = check_document(self.profile_xml.reveal(), None, "VPNProfile") {
            mistakes.push(("profile_xml", words));
        }
        mistakes
    }

    /// The node that holds the profile (`chr`).
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.key().node().below("ProfileXML")
    }

    /// One Atomic, as the description of the node demands.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let leaf = Command::add(self.node(), "chr", self.profile_xml.reveal());
        vec![Command::container(Verb::Atomic, vec![leaf])]
    }
}

impl VpnKey {
    /// The node of the profile.
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.scope.node("VPNv2").join(self.name.as_str())
    }

    /// `Delete` of it; 404 says that it is gone.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }
}
