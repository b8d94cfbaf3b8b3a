//! WindowsLicensing CSP, SMode: who may take Windows out of S mode, and taking it out (10.0.17763; not on HoloLens;
//! management reference 7.18).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proto::syncml::{Command, LocUri};

/// The node that switches (`null`); Windows does not restart for it, and there is no way back.
pub const SWITCH: &str = "./Vendor/MSFT/WindowsLicensing/SMode/SwitchFromSMode";
/// How the last switch went (`int`); absent until one was asked for.
pub const STATUS: &str = "./Vendor/MSFT/WindowsLicensing/SMode/Status";
const POLICY: &str = "./Vendor/MSFT/WindowsLicensing/SMode/SwitchingPolicy";

/// Whether people may take Windows out of S mode themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SModePolicy {
    /// Whether they may; administrators may always.
    pub allow_switch: bool,
}

impl SModePolicy {
    /// What sets it.
    #[must_use]
    pub fn commands(self) -> Vec<Command> {
        vec![Command::replace(LocUri::fixed(POLICY), "int", if self.allow_switch { "0" } else { "1" })]
    }
}

/// Takes the policy away.
#[must_use]
pub fn remove() -> Vec<Command> {
    vec![Command::delete(LocUri::fixed(POLICY))]
}

/// `Exec` of the switch.
#[must_use]
pub fn switch() -> Command {
    Command::exec(LocUri::fixed(SWITCH))
}

/// `Get` of how it went.
#[must_use]
pub fn read_status() -> Command {
    Command::get(LocUri::fixed(STATUS))
}

/// What the status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switching {
    /// 0: out of S mode.
    Done,
    /// 1: under way.
    Pending,
    /// 3: was out of it before.
    WasOut,
    /// 4: it failed.
    Failed,
}

impl Switching {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "0" => Some(Self::Done),
            "1" => Some(Self::Pending),
            "3" => Some(Self::WasOut),
            "4" => Some(Self::Failed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn the_policy_is_a_number_and_the_switch_has_no_data() {
        let root = "./Vendor/MSFT/WindowsLicensing/SMode";
        let set = |allow_switch| told(&SModePolicy { allow_switch }.commands());
        assert_eq!(set(true), [format!("Replace {root}/SwitchingPolicy int 0")]);
        assert_eq!(set(false), [format!("Replace {root}/SwitchingPolicy int 1")]);
        let others = [remove(), vec![switch(), read_status()]].concat();
        let expected = [
            format!("Delete {root}/SwitchingPolicy"),
            format!("Exec {root}/SwitchFromSMode"),
            format!("Get {root}/Status"),
        ];
        assert_eq!(told(&others), expected);
        right(&[SModePolicy { allow_switch: false }.commands(), others].concat());
        assert_eq!(Switching::parse(" 3 "), Some(Switching::WasOut));
        assert_eq!(Switching::parse("2"), None);
    }
}
