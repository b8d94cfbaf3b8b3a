//! BitLocker CSP (10.0.15063, rotation 10.0.18363; Pro and better, not HoloLens; management reference 7.12).
//!
//! Recovery passwords go to Entra ID or Active Directory; this server never sees them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::proto::syncml::{Command, LocUri};

/// The node that rotates the recovery passwords (`chr`, our request id).
pub const ROTATE: &str = "./Device/Vendor/MSFT/BitLocker/RotateRecoveryPasswords";
/// How the last rotation went (`int`).
pub const ROTATE_STATUS: &str = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsStatus";
/// The id of the request that the status is about (`chr`).
pub const ROTATE_REQUEST_ID: &str = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsRequestID";

/// What a rotation status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// 0: done.
    Done,
    /// 1: under way.
    Pending,
    /// 2: not begun.
    NotStarted,
    /// An HRESULT.
    Failed(u32),
}

impl Rotation {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().parse::<i32>().ok()? {
            0 => Self::Done,
            1 => Self::Pending,
            2 => Self::NotStarted,
            other => Self::Failed(other.cast_unsigned()),
        })
    }
}

/// `Exec` of the rotation under that request id.
#[must_use]
pub fn rotate(request: Uuid) -> Command {
    Command::exec_with(LocUri::fixed(ROTATE), "chr", &request.to_string())
}

/// `Get` of the status, and of the request that it is about.
#[must_use]
pub fn read_rotation() -> Vec<Command> {
    [ROTATE_STATUS, ROTATE_REQUEST_ID].map(|node| Command::get(LocUri::fixed(node))).into()
}

/// Whether a reported request id is that one; some write GUIDs with braces.
#[must_use]
pub fn is_request(reported: &str, request: Uuid) -> bool {
    let bare = reported.trim().trim_start_matches('{').trim_end_matches('}');
    Uuid::parse_str(bare).is_ok_and(|id| id == request)
}

/// Whether the drives of a device are encrypted, and how much is asked of its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceEncryption {
    /// Whether encryption begins without a question; for devices that are joined to Entra ID. Default false.
    #[serde(default)]
    pub silent: bool,
    /// Whether it begins although the user is no administrator. Default false.
    #[serde(default)]
    pub standard_users: bool,
    /// Whether a recovery password is changed after its use, and by [`ROTATE`].
    #[serde(default)]
    pub rotation: Option<RotationPolicy>,
}

/// For which devices recovery passwords are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationPolicy {
    /// None.
    Off,
    /// Those that are joined to Entra ID.
    Entra,
    /// Those, and hybrid ones.
    EntraAndHybrid,
}

const REQUIRE: &str = "./Device/Vendor/MSFT/BitLocker/RequireDeviceEncryption";
const WARN: &str = "./Device/Vendor/MSFT/BitLocker/AllowWarningForOtherDiskEncryption";
const STANDARD_USERS: &str = "./Device/Vendor/MSFT/BitLocker/AllowStandardUserEncryption";
const ROTATION: &str = "./Device/Vendor/MSFT/BitLocker/ConfigureRecoveryPasswordRotation";
/// HoloLens has a policy of its own.
const HOLOLENS: &str = "./Device/Vendor/MSFT/Policy/Config/Security/RequireDeviceEncryption";

impl DeviceEncryption {
    /// The nodes without which it cannot work.
    #[must_use]
    pub fn nodes(is_hololens: bool) -> Vec<LocUri> {
        vec![LocUri::fixed(if is_hololens { HOLOLENS } else { REQUIRE })]
    }

    /// `Replace` of each setting; what asks least of the user comes before the demand.
    #[must_use]
    pub fn commands(&self, is_hololens: bool) -> Vec<Command> {
        let set = |node: &'static str, value: &str| Command::replace(LocUri::fixed(node), "int", value);
        if is_hololens {
            return vec![set(HOLOLENS, "1")];
        }
        let mut commands = Vec::new();
        if self.silent {
            commands.push(set(WARN, "0"));
        }
        if self.standard_users {
            commands.push(set(STANDARD_USERS, "1"));
        }
        commands.extend(self.rotation.map(|rotation| {
            let value = match rotation {
                RotationPolicy::Off => "0",
                RotationPolicy::Entra => "1",
                RotationPolicy::EntraAndHybrid => "2",
            };
            set(ROTATION, value)
        }));
        commands.push(set(REQUIRE, "1"));
        commands
    }

    /// Takes the demand and all beside it back; what is encrypted stays so.
    #[must_use]
    pub fn removal(is_hololens: bool) -> Vec<Command> {
        let nodes: &[&'static str] = if is_hololens { &[HOLOLENS] } else { &[REQUIRE, WARN, STANDARD_USERS, ROTATION] };
        nodes.iter().map(|node| Command::delete(LocUri::fixed(node))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::encode_fragment;

    // covers: M-116
    #[test]
    fn the_request_carries_its_id() {
        let mut command = rotate(Uuid::from_u128(0x0192_AF3C_8D40_7B21_9E55_0F1A_2B3C_4D5E));
        command.cmd_id = "c1".to_owned();
        let expected = concat!(
            "<Exec><CmdID>c1</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/BitLocker/RotateRecoveryPasswords</LocURI>",
            "</Target><Meta><Format xmlns=\"syncml:metinf\">chr</Format><Type xmlns=\"syncml:metinf\">text/plain</Type>",
            "</Meta><Data>0192af3c-8d40-7b21-9e55-0f1a2b3c4d5e</Data></Item></Exec>"
        );
        assert_eq!(String::from_utf8(encode_fragment(&[command])).unwrap(), expected);
    }

    // covers: M-116
    #[test]
    fn a_status_is_about_one_request() {
        let request = Uuid::from_u128(0x0192_AF3C_8D40_7B21_9E55_0F1A_2B3C_4D5E);
        assert!(is_request(" {0192AF3C-8D40-7B21-9E55-0F1A2B3C4D5E} ", request));
        assert!(!is_request("0192af3c-8d40-7b21-9e55-0f1a2b3c4d5f", request));
        assert!(!is_request("", request));
        assert_eq!(Rotation::parse("-2147024891"), Some(Rotation::Failed(0x8007_0005)));
        assert_eq!(Rotation::parse(" 1 "), Some(Rotation::Pending));
        assert_eq!(Rotation::parse("done"), None);
    }
}
