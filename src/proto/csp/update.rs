//! Update CSP (management reference 7.17; HoloLens 2 has it): approvals, lists of updates, and taking one back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Guid;
use crate::proto::syncml::{Command, LocUri};

/// Updates that are approved, by id.
pub const APPROVED: &str = "./Vendor/MSFT/Update/ApprovedUpdates";
/// Updates that failed, with `HResult` and `Status`.
pub const FAILED: &str = "./Vendor/MSFT/Update/FailedUpdates";
/// Updates that are installed.
pub const INSTALLED: &str = "./Vendor/MSFT/Update/InstalledUpdates";
/// Updates that could be installed, with `Type`.
pub const INSTALLABLE: &str = "./Vendor/MSFT/Update/InstallableUpdates";
/// Updates that wait for a restart, with `InstalledTime`.
pub const PENDING_REBOOT: &str = "./Vendor/MSFT/Update/PendingRebootUpdates";
/// When the device last looked for updates.
pub const LAST_SCAN: &str = "./Vendor/MSFT/Update/LastSuccessfulScanTime";

/// Let an update be installed where only approved ones are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveUpdate {
    /// The update.
    pub update_id: Guid,
}

impl ApproveUpdate {
    /// `Add` of the approval; 418 says that it was given before.
    #[must_use]
    pub fn commands(self) -> Vec<Command> {
        vec![Command::add_node(LocUri::fixed(APPROVED).join(&self.update_id.to_string()), "node")]
    }
}

/// Take the last update of a kind back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackUpdate {
    /// Which.
    pub update: UpdateKind,
}

/// What of Windows is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateKind {
    /// The last quality update.
    Quality,
    /// The last feature update.
    Feature,
}

impl RollbackUpdate {
    /// The node that takes it back (10.0.17134).
    #[must_use]
    pub fn node(self) -> LocUri {
        LocUri::fixed(match self.update {
            UpdateKind::Quality => "./Vendor/MSFT/Update/Rollback/QualityUpdate",
            UpdateKind::Feature => "./Vendor/MSFT/Update/Rollback/FeatureUpdate",
        })
    }

    /// What came of it (`chr`).
    #[must_use]
    pub fn status(self) -> LocUri {
        LocUri::fixed(match self.update {
            UpdateKind::Quality => "./Vendor/MSFT/Update/Rollback/QualityUpdateStatus",
            UpdateKind::Feature => "./Vendor/MSFT/Update/Rollback/FeatureUpdateStatus",
        })
    }
}

/// One `Get` for each list, and one for the time of the last scan.
#[must_use]
pub fn lists() -> Vec<Command> {
    [FAILED, INSTALLED, INSTALLABLE, PENDING_REBOOT, LAST_SCAN].map(|node| Command::get(LocUri::fixed(node))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn an_approval_is_a_node_and_the_rest_is_asked_or_run() {
        let approve: ApproveUpdate =
            serde_json::from_str(r#"{"update_id": "{7F3C1D0E-5A6B-4C7D-8E9F-0A1B2C3D4E5F}"}"#).unwrap();
        assert_eq!(told(&approve.commands()), [format!("Add {APPROVED}/7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f node")]);
        right(&approve.commands());
        right(&lists());
        for update in [UpdateKind::Quality, UpdateKind::Feature] {
            let rollback = RollbackUpdate { update };
            right(&[Command::exec(rollback.node()), Command::get(rollback.status())]);
        }
    }
}
