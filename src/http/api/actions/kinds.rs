//! The kinds of action that can be asked for: one row each, with what reads its parameters and what describes them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::super::period::Period;
use super::settings::{Apply, Remove, apply, remove};
use crate::app::actions::ActionRequest;
use crate::domain::action::{
    Action, ApproveUpdate, AttestHealth, ChangeProductKey, CollectDiagnostics, CreateLocalAccount, ListChangedNodes,
    ListUpdates, Rename, ResetPasscode, RollbackUpdate, TenantLockdown, UpgradeEdition, WatchNodes, Wipe,
};
use crate::http::error::Problem;
use crate::http::extract::from_value;
use crate::proto::csp::msi::{InstallMsi, UninstallMsi};
use crate::proto::csp::packaged_apps::{InstallApp, InstallStoreApp, ListApps, RemoveApp};

/// One kind of action.
struct Kind {
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Action, Problem>,
    schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Parts),
}

/// Named schemas.
pub(super) type Parts = Vec<(String, RefOr<Schema>)>;

const KINDS: &[Kind] = &[
    plain("lock", "Lock the screen.", |value| nothing(value, Action::Lock)),
    plain("unlock", "Undo a lock that was not delivered.", |value| nothing(value, Action::Unlock)),
    plain("retire", "Leave management.", |value| nothing(value, Action::Retire)),
    kind::<Wipe>("wipe", "Erase.", |value| with(value, Action::Wipe)),
    kind::<ResetPasscode>("reset_passcode", "Set a new PIN or password.", |value| with(value, Action::ResetPasscode)),
    plain("reboot", "Restart.", |value| nothing(value, Action::Reboot)),
    plain("sync", "Report back.", |value| nothing(value, Action::Sync)),
    kind::<Rename>("rename", "Change the computer name.", |value| with(value, Action::Rename)),
    kind::<TenantLockdown>("tenant_lockdown", "Insist on the tenant's sign-in after a reset, or no longer.", |value| {
        with(value, Action::TenantLockdown)
    }),
    plain("rotate_bitlocker_keys", "Rotate the BitLocker recovery passwords.", |value| {
        nothing(value, Action::RotateBitlockerKeys)
    }),
    plain("autopilot_reset", "Erase apps, settings and personal files; stay joined and enrolled.", |value| {
        nothing(value, Action::AutopilotReset)
    }),
    kind::<Apply>("apply_setting", "Give the device a setting.", apply),
    kind::<Remove>("remove_setting", "Take a setting away.", remove),
    kind::<InstallMsi>("install_msi", "Install an MSI package.", |value| with(value, Action::InstallMsi)),
    kind::<UninstallMsi>("uninstall_msi", "Remove an MSI package.", |value| with(value, Action::UninstallMsi)),
    kind::<InstallApp>("install_app", "Install a packaged app.", |value| with(value, Action::InstallApp)),
    kind::<InstallStoreApp>("install_store_app", "Install an app of the Microsoft Store.", |value| {
        with(value, Action::InstallStoreApp)
    }),
    kind::<RemoveApp>("remove_app", "Remove a packaged app.", |value| with(value, Action::RemoveApp)),
    kind::<ListApps>("list_apps", "Read which packaged apps there are.", |value| with(value, Action::ListApps)),
    kind::<ApproveUpdate>("approve_update", "Let an update be installed, or no longer.", |value| {
        with(value, Action::ApproveUpdate)
    }),
    kind::<ListUpdates>("list_updates", "Read which updates there are.", |value| with(value, Action::ListUpdates)),
    kind::<RollbackUpdate>("rollback_update", "Take the last update of a kind back.", |value| {
        with(value, Action::RollbackUpdate)
    }),
    kind::<UpgradeEdition>("upgrade_edition", "Change the edition of Windows; the device restarts.", |value| {
        with(value, Action::UpgradeEdition)
    }),
    kind::<ChangeProductKey>("change_product_key", "Change the product key within the edition.", |value| {
        with(value, Action::ChangeProductKey)
    }),
    kind::<AttestHealth>("attest_health", "Have the device prove what its TPM measured.", |value| {
        with(value, Action::AttestHealth)
    }),
    kind::<CollectDiagnostics>("collect_diagnostics", "Have the device pack logs and upload them here.", |value| {
        with(value, Action::CollectDiagnostics)
    }),
    kind::<WatchNodes>("watch_nodes", "Have the device watch nodes.", |value| with(value, Action::WatchNodes)),
    kind::<ListChangedNodes>("list_changed_nodes", "Read which of the watched nodes changed.", |value| {
        with(value, Action::ListChangedNodes)
    }),
    kind::<CreateLocalAccount>("create_local_account", "Make a local account.", |value| {
        with(value, Action::CreateLocalAccount)
    }),
];

/// A row for an action whose parameters are a `T`.
const fn kind<T: ToSchema>(
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Action, Problem>,
) -> Kind {
    Kind { name, about, read, schema: T::schema, parts: T::schemas }
}

const fn plain(name: &'static str, about: &'static str, read: fn(Value) -> Result<Action, Problem>) -> Kind {
    kind::<NoParameters>(name, about, read)
}

fn with<T: DeserializeOwned>(parameters: Value, make: fn(T) -> Action) -> Result<Action, Problem> {
    from_value(parameters).map(make)
}

fn nothing(parameters: Value, action: Action) -> Result<Action, Problem> {
    from_value::<NoParameters>(parameters).map(|NoParameters {}| action)
}

/// No parameters of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// What every kind takes.
#[derive(Deserialize, ToSchema)]
struct Common {
    /// Why; kept in the audit trail.
    reason: Option<String>,
    /// How long it waits for the device; default 30 days, for what cannot be undone 90.
    expires_in: Option<Period>,
}

/// An action to be asked of a device: its `type`, the parameters of that type, and what every type takes.
#[derive(Debug)]
pub struct RequestAction;

impl RequestAction {
    /// Reads a body.
    pub(super) fn read(mut body: Map<String, Value>) -> Result<ActionRequest, Problem> {
        let kind = named(body.remove("type"))?;
        let common = ["reason", "expires_in"].map(|name| (name.to_owned(), body.remove(name).unwrap_or(Value::Null)));
        let common: Common = from_value(Value::Object(Map::from_iter(common)))?;
        let action = (kind.read)(Value::Object(body))?;
        if action.lacks_secrets() {
            return Err(Problem::invalid("", "a secret is a string"));
        }
        let expires_in = common.expires_in.map(|period| period.0);
        Ok(ActionRequest { action, reason: common.reason, expires_in })
    }
}

fn named(word: Option<Value>) -> Result<&'static Kind, Problem> {
    let word = word.unwrap_or(Value::Null);
    let found = KINDS.iter().find(|kind| word.as_str() == Some(kind.name));
    found.ok_or_else(|| {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        Problem::invalid("/type", format!("is one of {}", names.join(", ")))
    })
}

impl PartialSchema for RequestAction {
    fn schema() -> RefOr<Schema> {
        let one = |kind: &Kind| {
            let tag = tagged("type", kind.name);
            AllOfBuilder::new().description(Some(kind.about)).item(tag).item((kind.schema)()).item(Common::schema())
        };
        KINDS.iter().fold(OneOfBuilder::new(), |all, kind| all.item(one(kind))).into()
    }
}

/// An object that names its kind in a field.
pub(super) fn tagged(field: &str, name: &str) -> ObjectBuilder {
    let name = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some([name])).build();
    ObjectBuilder::new().property(field, name).required(field)
}

impl ToSchema for RequestAction {
    fn schemas(parts: &mut Parts) {
        Common::schemas(parts);
        for kind in KINDS {
            (kind.parts)(parts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::ResetMethod;
    use crate::http::extract::from_json;
    use crate::proto::csp::remote_wipe::Variant;

    fn action(json: &str) -> Result<Action, String> {
        let read = from_json(json.as_bytes()).and_then(RequestAction::read);
        read.map(|request| request.action).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn bodies_become_actions() {
        let cases = [
            (r#"{"type":"lock"}"#, Action::Lock),
            (r#"{"type":"wipe"}"#, Action::Wipe(Wipe { variant: Variant::Wipe })),
            (r#"{"type":"wipe","variant":"keep_user_data"}"#, Action::Wipe(Wipe { variant: Variant::KeepUserData })),
            (
                r#"{"type":"reset_passcode","method":"laps"}"#,
                Action::ResetPasscode(ResetPasscode { method: ResetMethod::Laps }),
            ),
            (r#"{"type":"tenant_lockdown","enable":true}"#, Action::TenantLockdown(TenantLockdown { enable: true })),
            (r#"{"type":"sync","reason":"why","expires_in":"2d"}"#, Action::Sync),
        ];
        for (json, expected) in cases {
            assert_eq!(action(json), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_does_not_belong_is_named() {
        let cases = [
            (r#"{"type":"raw"}"#, "/type"),
            (r#"{"type":"format_disk"}"#, "/type"),
            (r#"{"type":7}"#, "/type"),
            (r#"{}"#, "/type"),
            (r#"{"type":"lock","variant":"wipe"}"#, "/variant"),
            (r#"{"type":"wipe","variant":"gently"}"#, "/variant"),
            (r#"{"type":"wipe","enable":true}"#, "/enable"),
            (r#"{"type":"tenant_lockdown"}"#, "/enable"),
            (r#"{"type":"lock","colour":"red"}"#, "/colour"),
            (r#"{"type":"lock","reason":7}"#, "/reason"),
            (r#"{"type":"lock","expires_in":"soon"}"#, "/expires_in"),
        ];
        for (json, pointer) in cases {
            let refused = action(json).unwrap_err();
            assert!(refused.contains(&format!("pointer: \"{pointer}\"")), "{json}: {refused}");
        }
    }

    #[test]
    fn a_kind_is_called_what_its_action_is_called() {
        for kind in KINDS.iter().filter(|kind| action(&format!(r#"{{"type":"{}"}}"#, kind.name)).is_ok()) {
            let read = action(&format!(r#"{{"type":"{}"}}"#, kind.name)).unwrap();
            assert_eq!(read.name(), kind.name);
        }
    }
}
