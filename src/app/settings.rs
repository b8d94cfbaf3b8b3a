//! What use-cases need to know of the configuration.

use std::sync::Arc;

use secrecy::SecretString;
use time::Duration;
use url::Url;

use super::invitations::InvitationSettings;
use super::redact::Disclosure;
use crate::domain::admission::Rules;
use crate::domain::object::ObjectLimits;
use crate::domain::proof::{DigestMode, MessageSigning};
use crate::domain::push::ChannelHost;
use crate::domain::renewal::RenewalTerms;
use crate::proto::mde2::{AuthPolicy, Version};
use crate::proto::wap::Poll;
use crate::session::PageRules;

/// Settings of the use-cases; `config` makes them from `muster.toml`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `url` without a slash at the end, with the port that is really bound.
    pub url: String,
    /// `device_url`, likewise.
    pub device_url: String,
    /// Whether that is still its address after the next start, because the configuration names the port.
    pub device_url_stays: bool,
    /// OMA-DM provider id.
    pub provider_id: String,
    /// Display name of the server on the device.
    pub display_name: String,
    /// Whom people may ask, in words; empty: nobody is named.
    pub contact: String,
    /// Invitations, and what users enroll with.
    pub invitations: InvitationSettings,
    /// Whether only the newest generation of the enrollment URL works, not one without a generation.
    pub require_generation: bool,
    /// E-mail domains that are served, lower case; empty: every one.
    pub domains: Vec<String>,
    /// What discovery answers.
    pub auth_policy: AuthPolicy,
    /// Highest `EnrollmentVersion` that is answered.
    pub max_enrollment_version: Version,
    /// Users whose name begins so are bulk users.
    pub bulk_prefix: String,
    /// Which devices may enroll.
    pub rules: Rules,
    /// Devices per user; 0: no limit.
    pub max_devices_per_user: u32,
    /// Whether `HWDevID` recognises a machine that enrolls again.
    pub match_hardware: bool,
    /// How long device certificates live, and when they are renewed.
    pub renewal: RenewalTerms,
    /// Least RSA key size in bits.
    pub min_key_bits: u32,
    /// Whether only the software key provider is offered to devices.
    pub software_keys_only: bool,
    /// Poll schedule.
    pub poll: Poll,
    /// Spread of the last interval per device, in percent.
    pub poll_jitter_percent: u32,
    /// Limits of the XML reader.
    pub xml: crate::proto::xml::Limits,
    /// Most bytes of commands in one answer.
    pub reply_bytes: usize,
    /// Most commands in one answer.
    pub reply_commands: usize,
    /// How much of one large object is taken from a device, and kept for it.
    pub objects: ObjectLimits,
    /// Bytes of large objects that are kept of one device.
    pub device_object_bytes: u64,
    /// Bytes of large objects that are kept of all devices.
    pub all_object_bytes: u64,
    /// When an open session without messages is closed.
    pub session_timeout: Duration,
    /// Whether a heartbeat is answered with Alert 1222 and without Final.
    pub keep_alive_next_message: bool,
    /// The enrollment status page, where it is wanted.
    pub status_page: Option<PageRules>,
    /// Push, where it is set up.
    pub push: Option<PushSettings>,
    /// Whether declared configuration, which is an experiment, can be asked for and is read.
    pub declared_configuration: bool,
    /// How devices prove who they are beside their certificate.
    pub device_auth: DeviceAuth,
    /// Requests per minute that one device may make.
    pub device_requests_per_minute: u32,
    /// New rows in a day that callers without a credential can cause in ledger and audit.
    pub ledger_rows_per_day: u32,
    /// How often passwords may be checked before attempts are refused.
    pub password_checks: PasswordChecks,
    /// How long a checked password is remembered in memory; zero: never.
    pub remember_password: Duration,
    /// Most bytes of a file that a device uploads.
    pub upload_bytes: u64,
    /// Which values transcripts show, and what is secret everywhere.
    pub disclosure: Arc<Disclosure>,
    /// Whether the page of the self-test is there.
    pub self_test: bool,
    /// Days after which rows are removed, by kind.
    pub retention: Retention,
}

impl Settings {
    /// Whether discovery answers for an address: one whose domain is served, or a name without a domain.
    #[must_use]
    pub fn serves(&self, address: &str) -> bool {
        let domain = address.trim().rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let domain = domain.filter(|domain| !domain.is_empty());
        self.domains.is_empty() || domain.is_none_or(|domain| self.domains.contains(&domain))
    }
}

/// The app in whose name devices are woken, and where (management reference 6.2).
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// Package family name.
    pub pfn: String,
    /// Package SID with `ms-app://` before it.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Where access tokens come from.
    pub token_url: Url,
    /// Where channels may be.
    pub channel_hosts: Vec<ChannelHost>,
}

/// How devices prove who they are beside their certificate.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeviceAuth {
    /// Signatures over messages.
    pub message_signing: MessageSigning,
    /// By how much the time of a signature may differ from ours; `None`: it does not matter.
    pub signing_window: Option<Duration>,
    /// Digest credentials.
    pub digest: DigestMode,
}

/// Days after which rows are removed; 0: never.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Closed sessions and their transcripts.
    pub transcripts_days: u32,
    /// Attempts.
    pub attempts_days: u32,
    /// Events.
    pub events_days: u32,
    /// Audit rows.
    pub audit_days: u32,
    /// Final commands and actions.
    pub commands_days: u32,
    /// Files that devices uploaded.
    pub uploads_days: u32,
}

/// How many passwords are checked before attempts are refused without a check; remembered passwords do not count.
#[derive(Clone, Copy, Debug)]
pub struct PasswordChecks {
    /// At once for one user name.
    pub user_burst: u32,
    /// Per hour for one user name.
    pub user_per_hour: u32,
    /// At once for one address.
    pub address_burst: u32,
    /// Per hour for one address.
    pub address_per_hour: u32,
}
