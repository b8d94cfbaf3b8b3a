//! The kinds of action that can be asked for: one row each, with what reads its parameters and what describes them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::super::period::Period;
use crate::app::actions::ActionRequest;
use crate::domain::action::{
    AbandonDocument, Action, DeclareDocument, DeleteDocument, LinkEnrollment, RemoveSetting, Rename, ResetPasscode,
    TenantLockdown, Wipe,
};
use crate::http::error::Problem;
use crate::http::extract::from_value;
use crate::proto::csp::accounts::CreateLocalAccount;
use crate::proto::csp::assigned_access::AssignedAccess;
use crate::proto::csp::bitlocker_policy::BitLockerPolicy;
use crate::proto::csp::client_certificate::pfx::PfxCertificate;
use crate::proto::csp::client_certificate::scep::ScepCertificate;
use crate::proto::csp::config_refresh::ConfigRefresh;
use crate::proto::csp::device_encryption::DeviceEncryption;
use crate::proto::csp::device_lock::DeviceLock;
use crate::proto::csp::diagnostics::Collection;
use crate::proto::csp::health_attestation::AttestHealth;
use crate::proto::csp::laps_policy::LapsPolicy;
use crate::proto::csp::lost_contact::LostContact;
use crate::proto::csp::msi::{InstallMsi, UninstallMsi};
use crate::proto::csp::node_cache::WatchNodes;
use crate::proto::csp::packaged_apps::{InstallApp, InstallStoreApp, ListApps, RemoveApp};
use crate::proto::csp::pin_recovery::PinRecovery;
use crate::proto::csp::reboot_schedule::RebootSchedule;
use crate::proto::csp::s_mode::SModePolicy;
use crate::proto::csp::secret::Secret;
use crate::proto::csp::trusted_certificates::TrustedCertificate;
use crate::proto::csp::update::{ApproveUpdate, RollbackUpdate};
use crate::proto::csp::update_ring::UpdateRing;
use crate::proto::csp::vpn::VpnProfile;
use crate::proto::csp::wifi::WifiProfile;
use crate::proto::csp::windows_licensing::{ChangeProductKey, UpgradeEdition};

/// One kind of action.
struct Kind {
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Action, Problem>,
    schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Parts),
}

/// Named schemas.
type Parts = Vec<(String, RefOr<Schema>)>;

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
    plain("renew_certificate", "Renew the certificate with which the device proves itself, at once.", |value| {
        nothing(value, Action::RenewCertificate)
    }),
    plain("autopilot_reset", "Erase apps, settings and personal files; stay joined and enrolled.", |value| {
        nothing(value, Action::AutopilotReset)
    }),
    kind::<Collection>("collect_diagnostics", "Pack logs and upload them here.", |value| {
        with(value, Action::CollectDiagnostics)
    }),
    kind::<WifiProfile>("wifi_profile", "Give the device a Wi-Fi profile.", |value| with(value, Action::WifiProfile)),
    kind::<VpnProfile>("vpn_profile", "Give the device a VPN profile.", |value| with(value, Action::VpnProfile)),
    kind::<DeviceLock>("device_lock", "Say what a password must be, and when the device locks itself.", |value| {
        with(value, Action::DeviceLock)
    }),
    kind::<ConfigRefresh>("config_refresh", "Have Windows put policies back by itself.", |value| {
        with(value, Action::ConfigRefresh)
    }),
    kind::<LostContact>(
        "lost_contact",
        "Have the device leave management by itself once the server is lost.",
        |value| with(value, Action::LostContact),
    ),
    kind::<BitLockerPolicy>("bitlocker_policy", "Say how drives are encrypted, started and recovered.", |value| {
        with(value, Action::BitlockerPolicy)
    }),
    kind::<SModePolicy>("s_mode_policy", "Say whether people may take Windows out of S mode.", |value| {
        with(value, Action::SModePolicy)
    }),
    plain("switch_from_s_mode", "Take Windows out of S mode, for good.", |value| {
        nothing(value, Action::SwitchFromSMode)
    }),
    kind::<TrustedCertificate>("trusted_certificate", "Put a certificate into a store of Windows.", |value| {
        with(value, Action::TrustedCertificate)
    }),
    kind::<PfxCertificate>("pfx_certificate", "Install a certificate with its key.", |value| {
        with(value, Action::PfxCertificate)
    }),
    kind::<ScepCertificate>("scep_certificate", "Have the device get a certificate by SCEP.", |value| {
        with(value, Action::ScepCertificate)
    }),
    kind::<InstallMsi>("install_msi", "Install an MSI package.", |value| with(value, Action::InstallMsi)),
    kind::<UninstallMsi>("uninstall_msi", "Remove an MSI package that was installed so.", |value| {
        with(value, Action::UninstallMsi)
    }),
    kind::<InstallApp>("install_app", "Install a packaged app from a server.", |value| with(value, Action::InstallApp)),
    kind::<InstallStoreApp>("install_store_app", "Install an app of the Microsoft Store for the user.", |value| {
        with(value, Action::InstallStoreApp)
    }),
    kind::<RemoveApp>("remove_app", "Remove a packaged app.", |value| with(value, Action::RemoveApp)),
    kind::<ListApps>("list_apps", "Read which packaged apps there are.", |value| with(value, Action::ListApps)),
    kind::<DeviceEncryption>("device_encryption", "Have the drives encrypted.", |value| {
        with(value, Action::DeviceEncryption)
    }),
    kind::<UpdateRing>("update_ring", "Say how updates come.", |value| with(value, Action::UpdateRing)),
    kind::<LapsPolicy>("laps_policy", "Say how the password of a local administrator is made and kept.", |value| {
        with(value, Action::LapsPolicy)
    }),
    kind::<PinRecovery>("pin_recovery", "Say whether people may set a new PIN at the lock screen.", |value| {
        with(value, Action::PinRecovery)
    }),
    kind::<AssignedAccess>("assigned_access", "Make it a kiosk.", |value| with(value, Action::AssignedAccess)),
    kind::<RebootSchedule>("reboot_schedule", "Restart by schedule.", |value| with(value, Action::RebootSchedule)),
    kind::<ApproveUpdate>("approve_update", "Let an update be installed where only approved ones are.", |value| {
        with(value, Action::ApproveUpdate)
    }),
    plain("list_updates", "Read which updates there are.", |value| nothing(value, Action::ListUpdates)),
    kind::<RollbackUpdate>("rollback_update", "Take the last update of a kind back.", |value| {
        with(value, Action::RollbackUpdate)
    }),
    kind::<UpgradeEdition>("upgrade_edition", "Change the edition of Windows.", |value| {
        with(value, Action::UpgradeEdition)
    }),
    kind::<ChangeProductKey>("change_product_key", "Change the product key within the edition.", |value| {
        with(value, Action::ChangeProductKey)
    }),
    kind::<CreateLocalAccount>("create_local_account", "Make a local account.", |value| {
        with(value, Action::CreateLocalAccount)
    }),
    kind::<AttestHealth>("attest_health", "Have the device prove what its TPM measured.", |value| {
        with(value, Action::AttestHealth)
    }),
    kind::<WatchNodes>("watch_nodes", "Have the device watch nodes.", |value| with(value, Action::WatchNodes)),
    plain("list_changed_nodes", "Read which of the watched nodes changed.", |value| {
        nothing(value, Action::ListChangedNodes)
    }),
    kind::<RemoveSetting>("remove_setting", "Take a setting away.", |value| with(value, Action::RemoveSetting)),
    kind::<DocumentToDeclare>(
        "declare_document",
        "Give the device a document of declared configuration (an experiment, off unless switched on).",
        declare_document,
    ),
    kind::<AbandonDocument>(
        "abandon_document",
        "Hand the settings of a declared document back, or have it take them again (an experiment).",
        |value| with(value, Action::AbandonDocument),
    ),
    kind::<DeleteDocument>(
        "delete_document",
        "Take a declared document away; what it set stays (an experiment).",
        |value| with(value, Action::DeleteDocument),
    ),
    kind::<LinkEnrollment>(
        "link_enrollment",
        "Have the device enroll a second time, for declared configuration (an experiment).",
        |value| with(value, Action::LinkEnrollment),
    ),
    plain("unlink_enrollment", "Have the device end its second enrollment (an experiment).", |value| {
        nothing(value, Action::UnlinkEnrollment)
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

/// A document of declared configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DocumentToDeclare {
    /// The `DeclaredConfiguration` document. Its id and context say where it lies on the device.
    document: Secret,
}

fn declare_document(parameters: Value) -> Result<Action, Problem> {
    let DocumentToDeclare { document } = from_value(parameters)?;
    let read = DeclareDocument::read(document).map_err(|unfit| Problem::invalid(&unfit.pointer, unfit.message))?;
    Ok(Action::DeclareDocument(read))
}

/// No parameters of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

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
            let name =
                ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some([kind.name])).build();
            let tag = ObjectBuilder::new().property("type", name).required("type");
            AllOfBuilder::new().description(Some(kind.about)).item(tag).item((kind.schema)()).item(Common::schema())
        };
        KINDS.iter().fold(OneOfBuilder::new(), |all, kind| all.item(one(kind))).into()
    }
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
