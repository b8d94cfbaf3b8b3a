//! What use-cases need to know of the configuration.

use time::Duration;

use crate::proto::mde2::{AuthPolicy, Version};
use crate::proto::wap::Poll;

/// Settings of the use-cases; `config` makes them from `muster.toml`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `url` without a slash at the end, with the port that is really bound.
    pub url: String,
    /// `device_url`, likewise.
    pub device_url: String,
    /// OMA-DM provider id.
    pub provider_id: String,
    /// Display name of the server on the device.
    pub display_name: String,
    /// E-mail domains that are served, lower case; empty: every one.
    pub domains: Vec<String>,
    /// What discovery answers.
    pub auth_policy: AuthPolicy,
    /// Highest `EnrollmentVersion` that is answered.
    pub max_enrollment_version: Version,
    /// Users whose name begins so are bulk users.
    pub bulk_prefix: String,
    /// Devices per user; 0: no limit.
    pub max_devices_per_user: u32,
    /// Whether `HWDevID` recognises a machine that enrolls again.
    pub match_hardware: bool,
    /// Lifetime of device certificates.
    pub certificate_lifetime: Duration,
    /// Days before the end at which a device begins to renew.
    pub renew_period_days: u32,
    /// Days between attempts.
    pub renew_retry_days: u32,
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
    /// When an open session without messages is closed.
    pub session_timeout: Duration,
    /// Whether a heartbeat is answered with Alert 1222 and without Final.
    pub keep_alive_next_message: bool,
    /// Requests per minute that one device may make.
    pub device_requests_per_minute: u32,
    /// Failed sign-ins in a row that one user may have from one address before attempts are refused.
    pub failures_per_user_and_address: u32,
    /// The same for one user from everywhere, per hour.
    pub failures_per_user: u32,
    /// The same for one address, all users, per hour.
    pub failures_per_address: u32,
    /// How long a checked password is remembered in memory; zero: never.
    pub remember_password: Duration,
    /// Days after which rows are removed, by kind.
    pub retention: Retention,
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
}
