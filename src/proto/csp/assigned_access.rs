//! AssignedAccess CSP (10.0.16299; not on Home, HoloLens 2 has it; management reference 7.23): kiosks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use crate::proto::syncml::{Command, LocUri};

const CONFIGURATION: &str = "./Vendor/MSFT/AssignedAccess/Configuration";
/// The namespace of the configuration; later additions to it have their own beside it.
const NAMESPACE: &str = "http://schemas.microsoft.com/AssignedAccess/2017/config";

/// What a kiosk runs, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignedAccess {
    /// The `AssignedAccessConfiguration` document.
    pub configuration: String,
}

/// Makes it a usual computer again.
#[must_use]
pub fn remove() -> Vec<Command> {
    vec![Command::delete(LocUri::fixed(CONFIGURATION))]
}

impl AssignedAccess {
    /// Whether it is a document of that kind.
    pub fn check(&self) -> Result<(), Unfit> {
        let root = (NAMESPACE, "AssignedAccessConfiguration");
        parameter::document("/configuration", &self.configuration, root).map(drop)
    }

    /// `Replace` of the configuration.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::replace(LocUri::fixed(CONFIGURATION), "chr", &self.configuration)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn a_configuration_is_text_in_a_node() {
        let configuration = format!("<AssignedAccessConfiguration xmlns=\"{NAMESPACE}\"/>");
        let kiosk = AssignedAccess { configuration };
        assert_eq!(kiosk.check(), Ok(()));
        assert_eq!(told(&kiosk.commands()), [format!("Replace {CONFIGURATION} chr {}", kiosk.configuration)]);
        right(&kiosk.commands());
        right(&remove());
        for wrong in ["", "<AssignedAccessConfiguration/>", "<Other xmlns='http://a.test'/>"] {
            let kiosk = AssignedAccess { configuration: wrong.to_owned() };
            assert_eq!(kiosk.check().unwrap_err().pointer, "/configuration", "{wrong}");
        }
    }
}
