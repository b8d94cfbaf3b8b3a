//! PassportForWork CSP (10.0.15063, all editions, HoloLens too; management reference 7.3): PINs of Windows Hello.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Guid;
use crate::proto::syncml::{Command, LocUri};

/// Whether people may set a new PIN at the lock screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRecovery {
    /// The Entra tenant.
    pub tenant_id: Guid,
    /// Whether they may. Default true.
    #[serde(default = "yes")]
    pub enable: bool,
}

/// The setting of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRecoveryKey {
    /// The Entra tenant.
    pub tenant_id: Guid,
}

impl PinRecovery {
    /// Which one it is.
    #[must_use]
    pub fn key(self) -> PinRecoveryKey {
        PinRecoveryKey { tenant_id: self.tenant_id }
    }

    /// `Replace` of the policy.
    #[must_use]
    pub fn commands(self) -> Vec<Command> {
        vec![Command::replace(self.key().node(), "bool", if self.enable { "true" } else { "false" })]
    }
}

impl PinRecoveryKey {
    /// The node of the policy (`bool`).
    #[must_use]
    pub fn node(self) -> LocUri {
        LocUri::fixed("./Device/Vendor/MSFT/PassportForWork")
            .join(&self.tenant_id.to_string())
            .below("Policies/EnablePinRecovery")
    }

    /// `Delete` of it.
    #[must_use]
    pub fn commands(self) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }
}

fn yes() -> bool {
    true
}
