//! BitLocker CSP: that drives are encrypted at all (10.0.15063; Pro and better; management reference 7.12). HoloLens has a
//! policy of its own for that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::Unfit;
use crate::proto::syncml::{Command, LocUri};

/// Have the drives encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceEncryption {
    /// Whether encryption begins without a question; for devices that are joined to Entra ID.
    #[serde(default)]
    pub silent: bool,
    /// Whether it begins although the user is no administrator; with `silent` only (10.0.17763).
    #[serde(default)]
    pub standard_users: bool,
    /// On which devices a recovery password is changed after its use, and by `rotate_bitlocker_keys` (10.0.18363).
    pub rotation: Option<RotationPolicy>,
}

/// On which devices recovery passwords are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationPolicy {
    /// On none.
    Off,
    /// On those that are joined to Entra ID.
    Entra,
    /// On those, and on hybrid ones.
    EntraAndHybrid,
}

impl RotationPolicy {
    fn value(self) -> &'static str {
        match self {
            Self::Off => "0",
            Self::Entra => "1",
            Self::EntraAndHybrid => "2",
        }
    }
}

const REQUIRE: &str = "./Device/Vendor/MSFT/BitLocker/RequireDeviceEncryption";
const WARN: &str = "./Device/Vendor/MSFT/BitLocker/AllowWarningForOtherDiskEncryption";
const STANDARD_USERS: &str = "./Device/Vendor/MSFT/BitLocker/AllowStandardUserEncryption";
const ROTATION: &str = "./Device/Vendor/MSFT/BitLocker/ConfigureRecoveryPasswordRotation";
const REQUIRE_ON_HOLOLENS: &str = "./Device/Vendor/MSFT/Policy/Config/Security/RequireDeviceEncryption";

/// Takes the demand and all beside it away; what is encrypted stays so.
#[must_use]
pub fn remove(is_hololens: bool) -> Vec<Command> {
    let nodes: &[&'static str] =
        if is_hololens { &[REQUIRE_ON_HOLOLENS] } else { &[REQUIRE, STANDARD_USERS, WARN, ROTATION] };
    nodes.iter().map(|node| Command::delete(LocUri::fixed(node))).collect()
}

impl DeviceEncryption {
    /// Whether Windows would take it.
    pub fn check(self) -> Result<(), Unfit> {
        if self.standard_users && !self.silent {
            return Err(Unfit::new("/standard_users", "is for silent encryption only"));
        }
        Ok(())
    }

    /// What sets it; the demand comes last, when all that it depends on is there.
    #[must_use]
    pub fn commands(self, is_hololens: bool) -> Vec<Command> {
        let set = |node: &'static str, value: &str| Command::replace(LocUri::fixed(node), "int", value);
        let mut commands = Vec::new();
        commands.extend(self.silent.then(|| set(WARN, "0")));
        commands.extend(self.standard_users.then(|| set(STANDARD_USERS, "1")));
        commands.extend(self.rotation.map(|rotation| set(ROTATION, rotation.value())));
        commands.push(set(if is_hololens { REQUIRE_ON_HOLOLENS } else { REQUIRE }, "1"));
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn the_demand_comes_last() {
        let all: DeviceEncryption =
            serde_json::from_str(r#"{"silent": true, "standard_users": true, "rotation": "entra_and_hybrid"}"#)
                .unwrap();
        let expected = [
            format!("Replace {WARN} int 0"),
            format!("Replace {STANDARD_USERS} int 1"),
            format!("Replace {ROTATION} int 2"),
            format!("Replace {REQUIRE} int 1"),
        ];
        assert_eq!(all.check(), Ok(()));
        assert_eq!(told(&all.commands(false)), expected);
        right(&all.commands(false));
        right(&remove(false));
        assert_eq!(remove(false).len(), 4);
        let plain = DeviceEncryption::default();
        assert_eq!(told(&plain.commands(true)), [format!("Replace {REQUIRE_ON_HOLOLENS} int 1")]);
        right(&plain.commands(true));
        right(&remove(true));
        let loud = DeviceEncryption { standard_users: true, ..plain };
        assert_eq!(loud.check().unwrap_err().pointer, "/standard_users");
    }
}
