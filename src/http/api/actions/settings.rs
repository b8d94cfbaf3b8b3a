//! The kinds of setting that can be given and taken away: one row each, as for actions.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::kinds::{NoParameters, Parts, tagged};
use crate::domain::action::{Action, ApplySetting, RemoveSetting, Setting, SettingKey};
use crate::http::error::Problem;
use crate::http::extract::from_value_at;
use crate::proto::csp::assigned_access::AssignedAccess;
use crate::proto::csp::bitlocker::DeviceEncryption;
use crate::proto::csp::client_certificate::{CertificateKey, PfxCertificate, ScepCertificate};
use crate::proto::csp::device_lock::PasswordPolicy;
use crate::proto::csp::dm_client::{ConfigRefresh, LostContact};
use crate::proto::csp::laps::LapsPolicy;
use crate::proto::csp::passport_for_work::{PinRecovery, PinRecoveryKey};
use crate::proto::csp::reboot::RebootSchedule;
use crate::proto::csp::trusted_certificates::{TrustedCertificate, TrustedCertificateKey};
use crate::proto::csp::update::UpdateRing;
use crate::proto::csp::vpn::{VpnKey, VpnProfile};
use crate::proto::csp::wifi::{WifiKey, WifiProfile};

/// One kind of setting.
struct Row {
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Setting, Problem>,
    read_key: fn(Value) -> Result<SettingKey, Problem>,
    schema: fn() -> RefOr<Schema>,
    key_schema: fn() -> RefOr<Schema>,
    parts: fn(&mut Parts),
}

const ROWS: &[Row] = &[
    keyed::<TrustedCertificate, TrustedCertificateKey>(
        "trusted_certificate",
        "A certificate in a store.",
        |value| with(value, Setting::TrustedCertificate),
        |value| with(value, SettingKey::TrustedCertificate),
    ),
    keyed::<PfxCertificate, CertificateKey>(
        "pfx_certificate",
        "A certificate with its key, as PKCS#12.",
        |value| with(value, Setting::PfxCertificate),
        |value| with(value, SettingKey::PfxCertificate),
    ),
    keyed::<ScepCertificate, CertificateKey>(
        "scep_certificate",
        "A certificate that the device gets by SCEP.",
        |value| with(value, Setting::ScepCertificate),
        |value| with(value, SettingKey::ScepCertificate),
    ),
    keyed::<WifiProfile, WifiKey>(
        "wifi_profile",
        "A wireless network.",
        |value| with(value, Setting::WifiProfile),
        |value| with(value, SettingKey::WifiProfile),
    ),
    keyed::<VpnProfile, VpnKey>(
        "vpn_profile",
        "A connection to a private network.",
        |value| with(value, Setting::VpnProfile),
        |value| with(value, SettingKey::VpnProfile),
    ),
    single::<PasswordPolicy>(
        "password_policy",
        "What a password must be like, and when the device locks.",
        |value| with(value, Setting::PasswordPolicy),
        |value| nothing(value, SettingKey::PasswordPolicy),
    ),
    single::<UpdateRing>(
        "update_ring",
        "How updates of Windows come.",
        |value| with(value, Setting::UpdateRing),
        |value| nothing(value, SettingKey::UpdateRing),
    ),
    single::<ConfigRefresh>(
        "config_refresh",
        "How often the device applies its policies again on its own.",
        |value| with(value, Setting::ConfigRefresh),
        |value| nothing(value, SettingKey::ConfigRefresh),
    ),
    single::<LostContact>(
        "lost_contact",
        "When a device that lost contact leaves management on its own.",
        |value| with(value, Setting::LostContact),
        |value| nothing(value, SettingKey::LostContact),
    ),
    single::<DeviceEncryption>(
        "device_encryption",
        "Whether the drives are encrypted.",
        |value| with(value, Setting::DeviceEncryption),
        |value| nothing(value, SettingKey::DeviceEncryption),
    ),
    single::<LapsPolicy>(
        "laps_policy",
        "How the password of a local administrator is kept.",
        |value| with(value, Setting::LapsPolicy),
        |value| nothing(value, SettingKey::LapsPolicy),
    ),
    keyed::<PinRecovery, PinRecoveryKey>(
        "pin_recovery",
        "Whether people may set a new PIN at the lock screen.",
        |value| with(value, Setting::PinRecovery),
        |value| with(value, SettingKey::PinRecovery),
    ),
    single::<AssignedAccess>(
        "assigned_access",
        "A kiosk.",
        |value| with(value, Setting::AssignedAccess),
        |value| nothing(value, SettingKey::AssignedAccess),
    ),
    single::<RebootSchedule>(
        "reboot_schedule",
        "When the device restarts.",
        |value| with(value, Setting::RebootSchedule),
        |value| nothing(value, SettingKey::RebootSchedule),
    ),
];

/// A setting of which a device can have several.
const fn keyed<T: ToSchema, K: ToSchema>(
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Setting, Problem>,
    read_key: fn(Value) -> Result<SettingKey, Problem>,
) -> Row {
    Row { name, about, read, read_key, schema: T::schema, key_schema: K::schema, parts: parts_of::<T, K> }
}

/// A setting that a device has once.
const fn single<T: ToSchema>(
    name: &'static str,
    about: &'static str,
    read: fn(Value) -> Result<Setting, Problem>,
    read_key: fn(Value) -> Result<SettingKey, Problem>,
) -> Row {
    keyed::<T, NoParameters>(name, about, read, read_key)
}

fn parts_of<T: ToSchema, K: ToSchema>(parts: &mut Parts) {
    T::schemas(parts);
    K::schemas(parts);
}

fn with<T: DeserializeOwned, R>(fields: Value, make: fn(T) -> R) -> Result<R, Problem> {
    from_value_at(PLACE, fields).map(make)
}

fn nothing(fields: Value, key: SettingKey) -> Result<SettingKey, Problem> {
    from_value_at::<NoParameters>(PLACE, fields).map(|_| key)
}

const PLACE: &str = "/setting";

/// Reads the parameters of `apply_setting`.
pub(super) fn apply(parameters: Value) -> Result<Action, Problem> {
    let (row, fields) = row(parameters)?;
    Ok(Action::ApplySetting(ApplySetting { setting: (row.read)(fields)? }))
}

/// Reads the parameters of `remove_setting`.
pub(super) fn remove(parameters: Value) -> Result<Action, Problem> {
    let (row, fields) = row(parameters)?;
    Ok(Action::RemoveSetting(RemoveSetting { setting: (row.read_key)(fields)? }))
}

/// The row of a setting, and its fields without the kind.
fn row(parameters: Value) -> Result<(&'static Row, Value), Problem> {
    let mut parameters: Map<String, Value> = from_value_at("", parameters)?;
    let setting = parameters.remove("setting").unwrap_or(Value::Null);
    if let Some(name) = parameters.keys().next() {
        return Err(Problem::invalid(&format!("/{name}"), "does not belong here"));
    }
    let Value::Object(mut fields) = setting else {
        return Err(Problem::invalid(PLACE, "is an object with the kind of the setting"));
    };
    let kind = fields.remove("kind").unwrap_or(Value::Null);
    let row = ROWS.iter().find(|row| kind.as_str() == Some(row.name)).ok_or_else(|| {
        let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        Problem::invalid("/setting/kind", format!("is one of {}", names.join(", ")))
    })?;
    Ok((row, Value::Object(fields)))
}

/// The schema of the parameters of `apply_setting`.
pub(super) struct Apply;

/// The schema of the parameters of `remove_setting`.
pub(super) struct Remove;

fn schema(of: fn(&Row) -> RefOr<Schema>) -> RefOr<Schema> {
    let one = |row: &Row| AllOfBuilder::new().description(Some(row.about)).item(tagged("kind", row.name)).item(of(row));
    let all = ROWS.iter().fold(OneOfBuilder::new(), |all, row| all.item(one(row)));
    let object = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object));
    object.property("setting", all).required("setting").into()
}

impl PartialSchema for Apply {
    fn schema() -> RefOr<Schema> {
        schema(|row| (row.schema)())
    }
}

impl ToSchema for Apply {
    fn schemas(parts: &mut Parts) {
        for row in ROWS {
            (row.parts)(parts);
        }
    }
}

impl PartialSchema for Remove {
    fn schema() -> RefOr<Schema> {
        schema(|row| (row.key_schema)())
    }
}

impl ToSchema for Remove {}
