//! An enrollment: one period of management of one device.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Id;
use super::approval::Approval;
use super::device::{Device, is_usable_identifier};
use super::package::Package;
use super::user::User;
use crate::proto::wap::CertificateStore;

/// One period of management. What is queued belongs to it and never to a later one of the same hardware.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Enrollment {
    /// Identifier; also `EntDMID` and the common name of the certificate.
    pub id: Id<Self>,
    /// The hardware.
    pub device_id: Id<Device>,
    /// Who enrolled it; `None` once that user is gone.
    pub user_id: Option<Id<User>>,
    /// Where it stands.
    pub state: EnrollmentState,
    /// How the device came.
    pub mode: Mode,
    /// `Full` or `Device`: which certificate store.
    pub kind: EnrollmentKind,
    /// `DeviceID` of the request: opaque, not unique.
    pub claimed_device_id: Option<String>,
    /// `HWDevID` of the request, usable or not.
    pub hw_dev_id: Option<String>,
    /// Last `./DevInfo/DevId`.
    pub reported_dev_id: Option<String>,
    /// Last `SyncHdr/Source/LocURI`.
    pub reported_source: Option<String>,
    /// Operating system version, dotted quad.
    pub os_version: Option<String>,
    /// Product number (`PRODUCT_*`).
    pub os_edition: Option<u32>,
    /// All items of the request's AdditionalContext, as sent.
    pub context: Vec<(String, String)>,
    /// The two pairs of OMA-DM secrets and nonces, sealed.
    pub account: Vec<u8>,
    /// When the certificate was issued.
    #[serde(with = "time::serde::rfc3339")]
    pub enrolled_at: OffsetDateTime,
    /// Last authenticated message.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_seen_at: Option<OffsetDateTime>,
    /// When the inventory was last complete.
    #[serde(with = "time::serde::rfc3339::option")]
    pub inventory_at: Option<OffsetDateTime>,
    /// Since when it has its state.
    #[serde(with = "time::serde::rfc3339")]
    pub state_since: OffsetDateTime,
    /// Why it was closed, in words.
    pub closed_reason: Option<String>,
    /// What an administrator should look at, in words.
    pub warning: Option<String>,
    /// Whether TenantLockdown was switched on by us and must be undone before the device leaves.
    pub locked_to_tenant: bool,
    /// Its device object in Entra, as the first proven token said.
    pub entra_device_id: Option<Uuid>,
    /// The package that it came with.
    #[serde(default)]
    pub package_id: Option<Id<Package>>,
    /// When it was handed on from its bulk user to a person.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub assigned_at: Option<OffsetDateTime>,
    /// Whether somebody has to approve it, and what was decided.
    #[serde(default)]
    pub approval: Approval,
    /// The enrollment of the same device whose place it took while that waited for approval: somebody may have looked at
    /// that one and not at this.
    #[serde(default)]
    pub replaced_unapproved: Option<Id<Self>>,
    /// Rises with every write to the row; guards sessions and the queue.
    pub version: i64,
}

impl Enrollment {
    /// Whether nothing differs but when the device was seen.
    #[must_use]
    pub fn same_but_seen(&self, other: &Self) -> bool {
        let Self {
            id,
            device_id,
            user_id,
            state,
            mode,
            kind,
            claimed_device_id,
            hw_dev_id,
            reported_dev_id,
            reported_source,
            os_version,
            os_edition,
            context,
            account,
            enrolled_at,
            last_seen_at: _,
            inventory_at,
            state_since,
            closed_reason,
            warning,
            locked_to_tenant,
            entra_device_id,
            package_id,
            assigned_at,
            approval,
            replaced_unapproved,
            version,
        } = self;
        *id == other.id
            && *device_id == other.device_id
            && *user_id == other.user_id
            && *state == other.state
            && *mode == other.mode
            && *kind == other.kind
            && *claimed_device_id == other.claimed_device_id
            && *hw_dev_id == other.hw_dev_id
            && *reported_dev_id == other.reported_dev_id
            && *reported_source == other.reported_source
            && *os_version == other.os_version
            && *os_edition == other.os_edition
            && *context == other.context
            && *account == other.account
            && *enrolled_at == other.enrolled_at
            && *inventory_at == other.inventory_at
            && *state_since == other.state_since
            && *closed_reason == other.closed_reason
            && *warning == other.warning
            && *locked_to_tenant == other.locked_to_tenant
            && *entra_device_id == other.entra_device_id
            && *package_id == other.package_id
            && *assigned_at == other.assigned_at
            && *approval == other.approval
            && *replaced_unapproved == other.replaced_unapproved
            && *version == other.version
    }

    /// Whether `claim` is one of the identifiers of this enrollment, compared trimmed and without case.
    #[must_use]
    pub fn answers_to(&self, claim: &str) -> bool {
        let claim = normalize_identifier(claim);
        self.identifiers().any(|own| own == claim)
    }

    /// The usable identifiers, in the form in which they are compared.
    pub fn identifiers(&self) -> impl Iterator<Item = String> {
        let own = self.id.to_string();
        let claims = [&self.claimed_device_id, &self.hw_dev_id, &self.reported_dev_id];
        let claims: Vec<String> = claims.into_iter().flatten().map(|claim| normalize_identifier(claim)).collect();
        std::iter::once(own).chain(claims).filter(|claim| is_usable_identifier(claim))
    }

    /// The value of a context item, names compared without case; blank counts as absent.
    #[must_use]
    pub fn context_item(&self, name: &str) -> Option<&str> {
        let found = self.context.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(found.1.trim()).filter(|value| !value.is_empty())
    }

    /// Whether it came in bulk and belongs to no person: nobody is there for whom anything could be set.
    #[must_use]
    pub fn awaits_user(&self) -> bool {
        self.mode == Mode::Bulk && (self.assigned_at.is_none() || self.user_id.is_none())
    }

    /// Whether this is HoloLens 2 (`PRODUCT_HOLOGRAPHIC`, `PRODUCT_HOLOGRAPHIC_BUSINESS`).
    #[must_use]
    pub fn is_hololens(&self) -> bool {
        matches!(self.os_edition, Some(135 | 136))
    }

    /// Ends, and why.
    pub fn close(&mut self, state: EnrollmentState, reason: &str, now: OffsetDateTime) {
        self.enter(state, now);
        self.closed_reason = Some(reason.to_owned());
    }

    /// Moves to another state at that moment.
    pub fn enter(&mut self, state: EnrollmentState, now: OffsetDateTime) {
        self.state = state;
        self.state_since = now;
    }
}

/// The form in which identifiers of devices are compared.
#[must_use]
pub fn normalize_identifier(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Where an enrollment stands; the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentState {
    /// Waits for approval; gets no configuration.
    Pending,
    /// Managed.
    Active,
    /// Asked to leave: gets clean-up and Unenroll, nothing else.
    Retiring,
    /// Gone.
    Retired,
    /// Accepted a wipe.
    Wiping,
    /// Gone by a wipe.
    Wiped,
    /// Cut off by an administrator.
    Blocked,
}

impl EnrollmentState {
    const ALL: [Self; 7] =
        [Self::Pending, Self::Active, Self::Retiring, Self::Retired, Self::Wiping, Self::Wiped, Self::Blocked];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Wiping => "wiping",
            Self::Wiped => "wiped",
            Self::Blocked => "blocked",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the device is still managed: its identifiers are its own, it counts against limits.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Active | Self::Retiring | Self::Wiping)
    }
}

/// How a device came under management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Settings, with a user name and a password.
    OnPremise,
    /// Settings, with a web page.
    Federated,
    /// A client certificate from a provisioning package.
    Certificate,
    /// Entra join.
    EntraJoin,
    /// Entra registration.
    EntraRegistered,
    /// Autopilot, driven by the user.
    AutopilotUser,
    /// Autopilot, prepared by a technician.
    AutopilotPreprovisioned,
    /// Autopilot, self-deploying.
    AutopilotSelfDeploying,
    /// A provisioning package with a bulk user.
    Bulk,
}

impl Mode {
    const ALL: [Self; 9] = [
        Self::OnPremise,
        Self::Federated,
        Self::Certificate,
        Self::EntraJoin,
        Self::EntraRegistered,
        Self::AutopilotUser,
        Self::AutopilotPreprovisioned,
        Self::AutopilotSelfDeploying,
        Self::Bulk,
    ];

    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnPremise => "on_premise",
            Self::Federated => "federated",
            Self::Certificate => "certificate",
            Self::EntraJoin => "entra_join",
            Self::EntraRegistered => "entra_registered",
            Self::AutopilotUser => "autopilot_user",
            Self::AutopilotPreprovisioned => "autopilot_preprovisioned",
            Self::AutopilotSelfDeploying => "autopilot_self_deploying",
            Self::Bulk => "bulk",
        }
    }

    /// The mode of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// Whether the device is known to Autopilot.
    #[must_use]
    pub fn is_autopilot(self) -> bool {
        matches!(self, Self::AutopilotUser | Self::AutopilotPreprovisioned | Self::AutopilotSelfDeploying)
    }
}

/// `EnrollmentType` of the request (enrollment reference 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentKind {
    /// Certificate in `My/User`.
    Full,
    /// Certificate in `My/System`.
    Device,
}

impl EnrollmentKind {
    /// The word as stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Device => "device",
        }
    }

    /// Where the certificate of such an enrollment goes.
    #[must_use]
    pub fn certificate_store(self) -> CertificateStore {
        match self {
            Self::Full => CertificateStore::User,
            Self::Device => CertificateStore::System,
        }
    }

    /// `Device` for that word in any case, `Full` for all others (an old document says `Lite`).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("device") { Self::Device } else { Self::Full }
    }
}
