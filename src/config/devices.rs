//! How devices prove who they are, when they call, what out-of-box setup shows.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::values::{OnFailure, PageChoice, ProxyCertificate};
use crate::domain::proof::{DigestMode, MessageSigning};
use crate::proto::wap;

/// `[device_auth]`: how a device may prove itself beside the certificate of its TLS connection, which is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceAuth {
    /// How the proxies of `server.trusted_proxies` hand over the certificate that a device showed to them: `rfc9440` (the
    /// DER as `:base64:`), `pem` (PEM, percent-encoded), or `off`. Default `off`.
    pub proxy_certificate: ProxyCertificate,
    /// In which header. Default empty: `Client-Cert` for `rfc9440`, `X-SSL-Client-Cert` for `pem`.
    pub proxy_certificate_header: String,
    /// Signatures of devices over their messages: `accepted` in the place of a certificate, `required` also beside one, or
    /// `off`. Default `off`.
    pub message_signing: MessageSigning,
    /// By how many minutes the time of a signature may differ from ours, up to 1440; 0 does not look at it. Default 15.
    pub signing_minutes: u32,
    /// MD5 digests of a secret and a nonce: `without_certificate` in the place of a certificate, `required` also beside
    /// one, or `off`. Default `off`.
    pub digest: DigestMode,
}

impl Default for DeviceAuth {
    fn default() -> Self {
        Self {
            proxy_certificate: ProxyCertificate::Off,
            proxy_certificate_header: String::new(),
            message_signing: MessageSigning::Off,
            signing_minutes: 15,
            digest: DigestMode::Off,
        }
    }
}

impl DeviceAuth {
    /// The header with the certificate that a proxy hands over; `None` if none is taken.
    #[must_use]
    pub fn certificate_header(&self) -> Option<&str> {
        let default = match self.proxy_certificate {
            ProxyCertificate::Off => return None,
            ProxyCertificate::Rfc9440 => "Client-Cert",
            ProxyCertificate::Pem => "X-SSL-Client-Cert",
        };
        let own = self.proxy_certificate_header.as_str();
        Some(if own.is_empty() { default } else { own })
    }
}

/// `[[entra]]`: a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntraTenant {
    /// The tenant's id. Required.
    pub tenant_id: Uuid,
    /// For whom a token may be made out: the application ID URI and the client id of this server's application. Required.
    pub audience: Vec<String>,
    /// The tenant's signing keys, a JSON Web Key Set. Read again when it changes. Required.
    pub keys_file: PathBuf,
}

/// `[poll]`: three sets of calls after enrollment, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Poll {
    /// Minutes between the calls of the first set. Default 3.
    pub first_interval_minutes: u32,
    /// Calls in the first set, at least 1. Default 5.
    pub first_count: u32,
    /// Minutes between the calls of the second set; 0 with a count of 0 leaves the set out. Default 15.
    pub second_interval_minutes: u32,
    /// Calls in the second set. Default 8.
    pub second_count: u32,
    /// Minutes between calls from then on. Default 480.
    pub remaining_interval_minutes: u32,
    /// Calls of the last set; 0 is for ever. Default 0.
    pub remaining_count: u32,
    /// Whether a device calls when somebody signs in. Default true.
    pub on_login: bool,
    /// Whether a device calls when a person signs in for the first time. Default true.
    pub on_first_login: bool,
    /// By how many per cent, at most, the last interval differs from device to device, 0 to 50. Default 10.
    pub jitter_percent: u32,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            first_interval_minutes: 3,
            first_count: 5,
            second_interval_minutes: 15,
            second_count: 8,
            remaining_interval_minutes: 480,
            remaining_count: 0,
            on_login: true,
            on_first_login: true,
            jitter_percent: 10,
        }
    }
}

impl Poll {
    /// The schedule.
    ///
    /// # Errors
    /// The rule of the CSP that it breaks.
    pub fn schedule(&self) -> Result<wap::Poll, wap::PollError> {
        let sets = [
            (self.first_count, self.first_interval_minutes),
            (self.second_count, self.second_interval_minutes),
            (self.remaining_count, self.remaining_interval_minutes),
        ];
        let sets = sets.map(|(count, interval)| wap::Set { count, interval });
        wap::Poll::new(sets, self.on_login, self.on_first_login)
    }
}

/// `[status_page]`: the enrollment status page of out-of-box setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusPage {
    /// Whether devices that enroll in out-of-box setup wait on the page until they are set up. Default false.
    pub enabled: bool,
    /// Minutes after which the page fails, and the server lets go of it, 1 to 1440. Default 60.
    pub timeout_minutes: u32,
    /// What a person may do when it failed: `reset`, `try_again`, `continue`. Default `reset`.
    pub choices: Vec<PageChoice>,
    /// Whether a person may collect logs from it. Default true.
    pub log_collection: bool,
    /// What it says when it failed. Default empty: the words of Windows.
    pub error_text: String,
    /// What a command that failed means: `ignore` releases the desktop all the same, `show` lets the page fail.
    /// Default `ignore`.
    pub on_failure: OnFailure,
}

impl Default for StatusPage {
    fn default() -> Self {
        Self {
            enabled: false,
            timeout_minutes: 60,
            choices: vec![PageChoice::Reset],
            log_collection: true,
            error_text: String::new(),
            on_failure: OnFailure::Ignore,
        }
    }
}
