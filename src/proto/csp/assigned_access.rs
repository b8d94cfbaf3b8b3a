//! AssignedAccess CSP (10.0.16299; not on Home, HoloLens has it; management reference 7.23): kiosks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::check_document;
use crate::proto::syncml::{Command, LocUri};

/// The node that holds the configuration (`chr`, XML).
pub const CONFIGURATION: &str = "./Vendor/MSFT/AssignedAccess/Configuration";

/// What a kiosk may run, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignedAccess {
    /// An AssignedAccessConfiguration document.
    pub configuration_xml: String,
}

impl AssignedAccess {
    /// What is wrong with it, by field.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let checked = check_document(&self.configuration_xml, None, "AssignedAccessConfiguration");
        checked.err().map(|words| ("configuration_xml", words)).into_iter().collect()
    }

    /// `Replace` of the configuration.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::replace(LocUri::fixed(CONFIGURATION), "chr", &self.configuration_xml)]
    }

    /// `Delete` of it.
    #[must_use]
    pub fn removal() -> Vec<Command> {
        vec![Command::delete(LocUri::fixed(CONFIGURATION))]
    }
}
