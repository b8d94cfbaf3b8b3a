//! PassportForWork CSP: a new PIN at the lock screen (10.0.15063, all editions, HoloLens 2 too; management reference 7.3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::value::Guid;
use crate::proto::syncml::{Command, LocUri};

/// Whether people may set a new PIN at the lock screen, through Microsoft's PIN reset service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRecovery {
    /// The Entra tenant.
    pub tenant_id: Guid,
    /// Whether they may.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enable: bool,
}

fn yes() -> bool {
    true
}

/// Takes the policy of a tenant away.
#[must_use]
pub fn remove(tenant_id: Guid) -> Vec<Command> {
    vec![Command::delete(node(tenant_id))]
}

/// Tenants are named without braces.
fn node(tenant_id: Guid) -> LocUri {
    let tenant = LocUri::fixed("./Device/Vendor/MSFT/PassportForWork").join(&tenant_id.to_string());
    tenant.below("Policies/EnablePinRecovery")
}

impl PinRecovery {
    /// `Replace` of the policy.
    #[must_use]
    pub fn commands(self) -> Vec<Command> {
        vec![Command::replace(node(self.tenant_id), "bool", if self.enable { "true" } else { "false" })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn the_tenant_has_no_braces() {
        let recovery: PinRecovery =
            serde_json::from_str(r#"{"tenant_id": "{3B241101-E2BB-4255-8CAF-4136C566A962}"}"#).unwrap();
        let node =
            "./Device/Vendor/MSFT/PassportForWork/3b241101-e2bb-4255-8caf-4136c566a962/Policies/EnablePinRecovery";
        assert_eq!(told(&recovery.commands()), [format!("Replace {node} bool true")]);
        right(&recovery.commands());
        assert_eq!(told(&remove(recovery.tenant_id)), [format!("Delete {node}")]);
        right(&remove(recovery.tenant_id));
    }
}
