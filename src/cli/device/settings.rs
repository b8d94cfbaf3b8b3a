//! `muster device …`: settings, each with the parameters of the API as options; and the parts that other actions share.

use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ActArgs;
use crate::cli::command;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Kind {
    /// Give the device a Wi-Fi profile.
    WifiProfile(Of<WifiProfile>),
    /// Give the device a VPN profile.
    VpnProfile(Of<Profile>),
    /// Say what a password must be, and when the device locks itself.
    DeviceLock(Of<DeviceLock>),
    /// Have Windows put policies back by itself, or no longer.
    ConfigRefresh(Of<ConfigRefresh>),
    /// Have the device leave management by itself once the server is lost.
    LostContact(Of<LostContact>),
    /// Say how drives are encrypted, started and recovered.
    BitlockerPolicy(Of<Fields>),
    /// Say whether people may take Windows out of S mode.
    SModePolicy(Of<SModePolicy>),
    /// Have the drives encrypted.
    DeviceEncryption(Of<DeviceEncryption>),
    /// Say how updates come.
    UpdateRing(Of<Fields>),
    /// Say how the password of a local administrator is made and kept.
    LapsPolicy(Of<Fields>),
    /// Say whether people may set a new PIN at the lock screen.
    PinRecovery(Of<PinRecovery>),
    /// Make it a kiosk.
    AssignedAccess(Of<AssignedAccess>),
    /// Restart by schedule.
    RebootSchedule(Of<RebootSchedule>),
    /// Have the device pack logs and upload them here; `muster upload download` fetches them.
    CollectDiagnostics(Of<CollectDiagnostics>),
    /// Take a setting away.
    RemoveSetting(Of<RemoveSetting>),
    /// Give the device a document of declared configuration (an experiment, off unless switched on).
    DeclareDocument(Of<DeclareDocument>),
    /// Hand the settings of a declared document back, or have it take them again (an experiment).
    AbandonDocument(Of<AbandonDocument>),
    /// Take a declared document away; what it set stays (an experiment).
    DeleteDocument(Of<DocumentKey>),
    /// Have the device enroll a second time, for declared configuration (an experiment).
    LinkEnrollment(Of<LinkEnrollment>),
    /// Have the device end its second enrollment (an experiment).
    UnlinkEnrollment(ActArgs),
}

/// A profile that is a document.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Profile {
    /// Its name; that of a Wi-Fi profile stands in it, too.
    #[arg(long)]
    name: String,
    /// File with the document: a VPNProfile, or a WLANProfile as `netsh wlan export profile key=clear` writes it; `-` for
    /// standard input.
    #[arg(long, value_name = "FILE", value_parser = document)]
    profile: String,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
}

/// Whose something is.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Whose {
    /// Whose it is.
    #[arg(long, value_parser = ["device", "user"])]
    scope: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct WifiProfile {
    #[command(flatten)]
    #[serde(flatten)]
    profile: Profile,
    /// Proxy of the network.
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// Where its proxy configuration file is.
    #[arg(long, value_name = "URL")]
    proxy_pac_url: Option<String>,
    /// Whether the network tells its proxy itself.
    #[arg(long, value_name = "true|false")]
    proxy_wpad: Option<bool>,
    /// What traffic costs.
    #[arg(long, value_parser = ["unrestricted", "fixed", "variable"])]
    cost: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct CollectDiagnostics {
    /// A registry key below HKLM or HKCR. Without anything named, what tells most about management itself.
    #[arg(long, value_name = "KEY")]
    registry_keys: Vec<String>,
    /// Files by path and pattern; the device fills in environment variables.
    #[arg(long, value_name = "PATTERN")]
    files: Vec<String>,
    /// A program whose output is packed; Windows allows a few only.
    #[arg(long, value_name = "PROGRAM")]
    programs: Vec<String>,
    /// An event log.
    #[arg(long, value_name = "NAME")]
    event_logs: Vec<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct DeviceLock {
    /// Whether a password is asked for; the other policies have an effect only then.
    #[arg(long, value_name = "true|false")]
    require_password: Option<bool>,
    /// Whether passwords such as 1111 or 1234 are allowed.
    #[arg(long, value_name = "true|false")]
    allow_simple_password: Option<bool>,
    /// What kind of password.
    #[arg(long, value_parser = ["alphanumeric", "numeric", "any"])]
    password_kind: Option<String>,
    /// Least characters, 4 to 16.
    #[arg(long, value_name = "NUMBER")]
    min_length: Option<u8>,
    /// How many of digits, small letters, capitals and other characters it must have, 1 to 4.
    #[arg(long, value_name = "NUMBER")]
    min_complex_characters: Option<u8>,
    /// Days after which it must be changed; 0: never.
    #[arg(long, value_name = "DAYS")]
    expires_after_days: Option<u16>,
    /// How many earlier passwords must not come again.
    #[arg(long, value_name = "NUMBER")]
    history: Option<u8>,
    /// Failed attempts after which a PC asks for its recovery password and a HoloLens is wiped; 0: no such limit.
    #[arg(long, value_name = "NUMBER")]
    max_failed_attempts: Option<u16>,
    /// Minutes without use after which the device locks itself; 0: never.
    #[arg(long, value_name = "MINUTES")]
    max_idle_minutes: Option<u16>,
    /// Whether a HoloLens that was idle may be used again without the password.
    #[arg(long, value_name = "true|false")]
    allow_idle_return_without_password: Option<bool>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct ConfigRefresh {
    /// Whether Windows does it.
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    enabled: bool,
    /// Minutes between two rounds, 30 to 1440.
    #[arg(long, value_name = "MINUTES")]
    cadence_minutes: Option<u16>,
    /// Minutes for which it pauses, 0 to 1440.
    #[arg(long, value_name = "MINUTES")]
    pause_minutes: Option<u16>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct LostContact {
    /// Days without a good session, 7 to 3650.
    #[arg(long)]
    days: u16,
}

/// Parameters that are too many for options.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct Fields {
    /// File with the parameters of the API as a JSON object; `-` for standard input.
    #[arg(long, value_name = "FILE", value_parser = fields)]
    #[serde(flatten)]
    parameters: Map<String, Value>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct SModePolicy {
    /// Whether they may.
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    allow_switch: bool,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct DeviceEncryption {
    /// Whether encryption begins without a question.
    #[arg(long, value_name = "true|false")]
    silent: Option<bool>,
    /// Whether it begins although the user is no administrator.
    #[arg(long, value_name = "true|false")]
    standard_users: Option<bool>,
    /// On which devices recovery passwords are rotated.
    #[arg(long, value_parser = ["off", "entra", "entra_and_hybrid"])]
    rotation: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct PinRecovery {
    /// The Entra tenant.
    #[arg(long, value_name = "GUID")]
    tenant_id: String,
    /// Whether they may.
    #[arg(long, value_name = "true|false")]
    enable: Option<bool>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct AssignedAccess {
    /// File with the AssignedAccessConfiguration document; `-` for standard input.
    #[arg(long, value_name = "FILE", value_parser = document)]
    configuration: String,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct RebootSchedule {
    /// Once, at that moment, such as 2026-03-01T22:00:00Z; without the Z in the time of the device.
    #[arg(long, value_name = "MOMENT")]
    once: Option<String>,
    /// Every day at the time of that moment, from then on.
    #[arg(long, value_name = "MOMENT")]
    daily: Option<String>,
    /// Every week on the day and at the time of that moment, from then on.
    #[arg(long, value_name = "MOMENT")]
    weekly: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct RemoveSetting {
    /// Which: its subcommand with `_` in place of `-`, such as `wifi_profile`.
    #[arg(long)]
    setting: String,
    /// Which one, where there are several: the name of a profile, the id of a certificate with a key, the SHA-1 of another,
    /// the tenant of PIN recovery.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    whose: Whose,
    /// Of a certificate without a key: the store that it is in.
    #[arg(long)]
    store: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct DeclareDocument {
    /// File with the DeclaredConfiguration document; `-` for standard input.
    #[arg(long, value_name = "FILE", value_parser = document)]
    document: String,
}

/// Which document.
#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct DocumentKey {
    /// Its id.
    #[arg(long, value_name = "GUID")]
    document_id: String,
    /// Whose it is.
    #[arg(long, value_parser = ["device", "user"])]
    scope: Option<String>,
    /// What it is for.
    #[arg(long, value_parser = ["configuration", "inventory"])]
    purpose: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct AbandonDocument {
    #[command(flatten)]
    #[serde(flatten)]
    key: DocumentKey,
    /// Whether its settings are handed back.
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    abandoned: bool,
}

#[derive(Debug, Args, Serialize)]
pub(in crate::cli) struct LinkEnrollment {
    /// The discovery service of the server of the second enrollment.
    #[arg(long, value_name = "URL")]
    discovery_endpoint: String,
}

impl Kind {
    /// The devices that it is asked of, and the body of the request.
    pub(super) fn order(self) -> Result<(ActArgs, Value)> {
        match self {
            Self::WifiProfile(of) => of.order("wifi_profile"),
            Self::VpnProfile(of) => of.order("vpn_profile"),
            Self::DeviceLock(of) => of.order("device_lock"),
            Self::ConfigRefresh(of) => of.order("config_refresh"),
            Self::LostContact(of) => of.order("lost_contact"),
            Self::BitlockerPolicy(of) => of.order("bitlocker_policy"),
            Self::SModePolicy(of) => of.order("s_mode_policy"),
            Self::DeviceEncryption(of) => of.order("device_encryption"),
            Self::UpdateRing(of) => of.order("update_ring"),
            Self::LapsPolicy(of) => of.order("laps_policy"),
            Self::PinRecovery(of) => of.order("pin_recovery"),
            Self::AssignedAccess(of) => of.order("assigned_access"),
            Self::RebootSchedule(of) => of.order("reboot_schedule"),
            Self::CollectDiagnostics(of) => of.order("collect_diagnostics"),
            Self::RemoveSetting(of) => of.order("remove_setting"),
            Self::DeclareDocument(of) => of.order("declare_document"),
            Self::AbandonDocument(of) => of.order("abandon_document"),
            Self::DeleteDocument(of) => of.order("delete_document"),
            Self::LinkEnrollment(of) => of.order("link_enrollment"),
            Self::UnlinkEnrollment(act) => Ok((act, json!({"type": "unlink_enrollment"}))),
        }
    }
}

/// A setting, and the devices that it is asked of.
#[derive(Debug, Args)]
pub(in crate::cli) struct Of<T: Args> {
    #[command(flatten)]
    act: ActArgs,
    #[command(flatten)]
    parameters: T,
}

impl<T: Args + Serialize> Of<T> {
    pub(super) fn order(self, kind: &str) -> Result<(ActArgs, Value)> {
        let mut body = serde_json::to_value(&self.parameters)?;
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        body["type"] = Value::from(kind);
        Ok((self.act, body))
    }
}

/// The text of a file; `-` for standard input.
pub(super) fn document(file: &str) -> Result<String> {
    String::from_utf8(command::read(Path::new(file))?).with_context(|| format!("{file} is not UTF-8"))
}

/// The fields of the JSON object in a file.
fn fields(file: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(&document(file)?).with_context(|| format!("{file} holds no JSON object"))
}
