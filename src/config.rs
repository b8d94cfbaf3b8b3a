//! The configuration: every key of `muster.toml` with its default, unit and meaning.
//!
//! Unknown keys are refused, with their line and what was expected. A variable `MUSTER__SECTION__KEY` of the environment
//! takes precedence over the file. Paths count from the data folder.

mod check;
mod enroll;
mod load;
mod template;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::language::Language;
use crate::domain::push::ChannelHost;
use crate::domain::renewal::{RenewalTerms, TermsRejected};
use crate::domain::sign_in::SignInWith;
use crate::proto::wap;

pub use enroll::{Admission, Ownership};
pub use load::ConfigError;
pub use template::Start;
pub use values::{
    AuthPolicy, DatabaseUrl, HttpsAddress, HttpsUrl, LogFormat, LogLevel, OnFailure, OpsListen, PageChoice,
    ProxyCertificate, Secret, ShownValues, SmtpProtection,
};

use crate::domain::Network;
use crate::domain::proof::{DigestMode, MessageSigning};

/// Everything that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names, addresses and TLS.
    pub server: Server,
    /// Where the data is.
    #[serde(default)]
    pub database: Database,
    /// Device certificates.
    #[serde(default)]
    pub ca: Ca,
    /// Who may enroll, and how.
    #[serde(default)]
    pub enroll: Enroll,
    /// How devices prove who they are beside their certificate.
    #[serde(default)]
    pub device_auth: DeviceAuth,
    /// Entra tenants whose tokens are believed; a table for each. Default: none.
    #[serde(default)]
    pub entra: Vec<EntraTenant>,
    /// When devices call.
    #[serde(default)]
    pub poll: Poll,
    /// The page that out-of-box setup shows until everything is there.
    #[serde(default)]
    pub status_page: StatusPage,
    /// Waking devices by push.
    #[serde(default)]
    pub wns: Wns,
    /// Sending mails.
    #[serde(default)]
    pub smtp: Smtp,
    /// What is tried out and may change.
    #[serde(default)]
    pub experiments: Experiments,
    /// How much one caller may ask.
    #[serde(default)]
    pub limits: Limits,
    /// What is shown of what was said.
    #[serde(default)]
    pub transcripts: Transcripts,
    /// How long history is kept.
    #[serde(default)]
    pub retention: Retention,
    /// The page on which the server tests the way to itself.
    #[serde(default)]
    pub selftest: SelfTest,
    /// Health and metrics.
    #[serde(default)]
    pub ops: Ops,
    /// The log.
    #[serde(default)]
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where people, programs and enrolling PCs reach the server. Required.
    pub url: HttpsUrl,
    /// Where enrolled devices call; never the same host and port as `url`. Default: the host of `url`, port 8443
    /// (8444 if `url` has 8443 itself).
    #[serde(default)]
    pub device_url: Option<HttpsUrl>,
    /// The address to bind for `url`. Default: its port, on 127.0.0.1 if its host is this machine, on `[::]` if its host
    /// is an IPv6 address, else on 0.0.0.0.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The address to bind for `device_url`. Default: `listen` when both URLs have the same port and different hosts, so
    /// that one listener serves both; else as for `listen`.
    #[serde(default)]
    pub device_listen: Option<SocketAddr>,
    /// The OMA-DM provider id. Devices are bound to it: do not change it once the first has enrolled. Default `Muster`.
    #[serde(default = "default_provider_id")]
    pub provider_id: String,
    /// The server certificate, PEM, leaf first, with its intermediates. Default `tls/server.pem`.
    #[serde(default = "default_tls_certificate")]
    pub tls_certificate: PathBuf,
    /// The private key of `tls_certificate`, PEM, readable by its owner alone. Default `tls/server.key`.
    #[serde(default = "default_tls_key")]
    pub tls_key: PathBuf,
    /// Addresses or networks of proxies in front, whose word about the caller is believed: its address in
    /// `X-Forwarded-For` and, if `device_auth.proxy_certificate` says so, its certificate. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// Whether devices may use TLS 1.3; the keys of many TPMs cannot. Default false.
    #[serde(default)]
    pub device_tls13: bool,
    /// Whether devices may use HTTP/2; with a client certificate Windows hardly does. Default false.
    #[serde(default)]
    pub device_http2: bool,
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:` and a path, or a `postgres://` URL. Default `sqlite:muster.db`.
    ///
    /// In a `postgres://` URL, `sslmode` is one of disable, prefer, require, verify-ca and verify-full; without it a
    /// server on another machine has to prove its name (verify-full). `sslrootcert` names a PEM file with the authorities
    /// to trust; without it those of the system are.
    pub url: DatabaseUrl,
    /// Most connections to PostgreSQL that this process opens, 2 to 500. Default 16.
    pub connections: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: DatabaseUrl::default(), connections: 16 }
    }
}

/// `[ca]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ca {
    /// How long a device certificate lives, in days. Default 365.
    pub device_lifetime_days: u32,
    /// How long before expiry a device begins to renew, in days, 1 to 1000; below the lifetime. Default 42.
    pub renew_period_days: u32,
    /// How long a device waits after a failed renewal, in days; at most the period. Default 4.
    pub renew_retry_days: u32,
    /// How long after its end a device certificate that is known and not revoked still lets its device in, so that it can
    /// renew, in days, 0 to 365. Default 0: not at all, and the device has to be enrolled again.
    pub expired_grace_days: u32,
    /// Smallest RSA key of a device, in bits: 2048, 3072 or 4096. Default 2048.
    pub min_key_bits: u32,
    /// Whether devices are told to keep their key in software, not in the TPM. Default false.
    pub software_keys_only: bool,
    /// The organisation named in CA certificates that are made. Default empty: the product's name stands there.
    pub organization: String,
}

/// `[enroll]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enroll {
    /// E-mail domains that discovery answers for. Default: every domain.
    pub domains: Vec<String>,
    /// Whom people may ask when they enroll, e.g. `Help desk, +1 555 0100`; it stands on pages and in mails. Default empty.
    pub contact: String,
    /// How an enrolling person proves who they are. Default `OnPremise`: e-mail address and password.
    pub auth_policy: AuthPolicy,
    /// Whether devices enroll only by the newest generation of the enrollment URL; those that find the server by DNS come
    /// without a generation and are refused then. Default false.
    pub require_generation: bool,
    /// What people sign in with: `password_or_pin`, `password`, `pin`, or `password_and_pin` (the PIN right behind the
    /// password). A PIN comes with an invitation. Default `password_or_pin`.
    pub sign_in: SignInWith,
    /// Digits of a PIN, 6 to 12. Default 6.
    pub pin_digits: u32,
    /// Hours that a PIN works, at most as long as its invitation. Default 72.
    pub pin_hours: u32,
    /// Days that an invitation works where nothing else is said. Default 7.
    pub invitation_days: u32,
    /// The language of invitations where none is named: `en` or `fr`. Default `en`.
    pub language: Language,
    /// User names that begin so are bulk enrollments. Default `windows-bulkenroll`.
    pub bulk_prefix: String,
    /// How many devices one person may have; 0 is any number. Default 0.
    pub max_devices_per_user: u32,
    /// How many devices all together may be under management; 0 is any number. Default 0.
    pub max_devices: u32,
    /// Which devices are let in once their user has signed in: `anyone`, `registered` (those registered before), or
    /// `approval` (every one, and none gets anything before an administrator approves it). Default `anyone`.
    pub admission: Admission,
    /// The least and the highest build of Windows, `22631` or `22631.3155`; empty is any. Default empty.
    pub min_build: String,
    /// See `min_build`.
    pub max_build: String,
    /// Editions that may enroll, by word or by product number; none means all but Home. Default none.
    pub editions: Vec<String>,
    /// Whose devices may enroll: `any`, or `corporate` (registered, known to Autopilot, or brought by a bulk user).
    /// Default `any`.
    pub ownership: Ownership,
    /// Addresses and networks from which devices may be enrolled; none means all. Default none.
    pub networks: Vec<Network>,
    /// Whether the same hardware enrolling for the same person closes its older enrollment. Default true.
    pub match_hardware: bool,
    /// Highest enrollment protocol version offered, `3.0` to `9.0`. Default `4.0`.
    pub max_version: String,
}

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

/// `[wns]`: push by the Windows Push Notification Service, for an app that was reserved in the Partner Center. Off unless
/// `pfn`, `package_sid` and `client_secret` are set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wns {
    /// The package family name of the app. Default empty.
    pub pfn: String,
    /// The package SID of the app, `ms-app://s-1-15-2-…`. Default empty.
    pub package_sid: String,
    /// The client secret of the app. Better kept in the environment, as `MUSTER__WNS__CLIENT_SECRET`. Default empty.
    pub client_secret: Secret,
    /// Where access tokens come from. Default `https://login.live.com/accesstoken.srf`.
    pub token_url: HttpsAddress,
    /// The hosts that devices' channels may be on: `.example.com` is every host below that domain on port 443,
    /// `example.com:8443` that host and port. Only for tests another than the default, `.notify.windows.com`.
    pub channel_hosts: Vec<ChannelHost>,
    /// Authorities that are trusted for these hosts besides those of the system, PEM. Default empty: none.
    pub ca_file: PathBuf,
}

/// `[smtp]`: the server that mails are handed over to. Without `host` none are sent: whoever invites passes the text on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// Its host name. Default empty: none.
    pub host: String,
    /// Its port. Default 0: 587, or 465 with `implicit`, or 25 without TLS.
    pub port: u16,
    /// How the connection is protected: `starttls`, `implicit` (TLS from its first byte), `off`, or `auto`, which is
    /// `starttls` and, for a server on this machine, `off`. Default `auto`.
    pub tls: SmtpProtection,
    /// The name to sign in with. Default empty: no sign-in.
    pub username: String,
    /// The password for it. Better kept in the environment, as `MUSTER__SMTP__PASSWORD`. Default empty.
    pub password: Secret,
    /// The sender, e.g. `Fabrikam IT <mdm@example.com>`. Required with `host`.
    pub from: String,
    /// Authorities that are trusted for this server besides those of the system, PEM. Default empty: none.
    pub ca_file: PathBuf,
}

impl Smtp {
    /// Whether mails are sent.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    /// How the connection is protected, the choice made.
    #[must_use]
    pub fn protection(&self) -> SmtpProtection {
        let is_here = matches!(self.host.as_str(), "localhost" | "::1") || self.host.starts_with("127.");
        match self.tls {
            SmtpProtection::Auto if is_here => SmtpProtection::Off,
            SmtpProtection::Auto => SmtpProtection::Starttls,
            chosen => chosen,
        }
    }

    /// The port, set or derived.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.port, self.protection()) {
            (0, SmtpProtection::Implicit) => 465,
            (0, SmtpProtection::Off) => 25,
            (0, _) => 587,
            (port, _) => port,
        }
    }
}

/// `[experiments]`: what is tried out, is off unless wanted, and may change with any version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiments {
    /// Declared configuration (WinDC): documents that devices carry out by themselves, on linked enrollments. Default false.
    pub declared_configuration: bool,
}

impl Wns {
    /// Whether push is set up.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.pfn.is_empty()
    }
}

impl Default for Wns {
    fn default() -> Self {
        Self {
            pfn: String::new(),
            package_sid: String::new(),
            client_secret: Secret::default(),
            token_url: HttpsAddress::microsoft_tokens(),
            channel_hosts: vec![ChannelHost::wns()],
            ca_file: PathBuf::new(),
        }
    }
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest body of an enrollment request, in bytes. Default 1 MiB.
    pub soap_body_bytes: usize,
    /// Largest message of a device, in bytes. Default 5 MiB.
    pub message_bytes: usize,
    /// Largest file that a device uploads, in bytes. Default 100 MiB.
    pub upload_bytes: usize,
    /// Largest message to a device, in bytes. Default 400000.
    pub reply_bytes: usize,
    /// Most commands in one message to a device. Default 100.
    pub reply_commands: usize,
    /// Largest object that a device may send in chunks, and that is sent to one in chunks, in bytes. Default 32 MiB.
    pub object_bytes: u64,
    /// Most chunks of one object. Default 8192.
    pub object_chunks: u32,
    /// Most bytes of large objects that are kept of one device. Default 256 MiB.
    pub device_object_bytes: u64,
    /// Most bytes of large objects that are kept of all devices. Default 4 GiB.
    pub all_object_bytes: u64,
    /// Whether a device message without Final, such as a heartbeat, is answered with Alert 1222 and without Final.
    /// Default true.
    pub next_message: bool,
    /// Whether messages in WBXML are read, and answered in kind; otherwise 415. Default true.
    pub wbxml: bool,
    /// Messages that one device may send in a minute. Default 600.
    pub device_requests_per_minute: u32,
    /// Minutes after which a management session that says nothing is over. Default 30.
    pub session_timeout_minutes: u32,
    /// Deepest nesting of XML elements. Default 64.
    pub xml_depth: usize,
    /// Most attributes of an XML element. Default 64.
    pub xml_attributes: usize,
    /// Most tags, texts and comments in one XML document. Default 200000.
    pub xml_events: usize,
    /// Wrong passwords in a row before an account has to wait. Default 10.
    pub password_failures: u32,
    /// Further wrong passwords an account has in an hour, at most 100. Default 60.
    pub password_failures_per_hour: u32,
    /// Wrong passwords in a row before an address has to wait. Default 30.
    pub address_failures: u32,
    /// Further wrong passwords an address has in an hour. Default 100.
    pub address_failures_per_hour: u32,
    /// Most connections open at once. Default 4096.
    pub connections: usize,
    /// Most connections of one address open at once (of one /64 for IPv6; trusted proxies are exempt). Default 512.
    pub connections_per_address: usize,
    /// Seconds for the TLS handshake. Default 10.
    pub handshake_seconds: u32,
    /// Seconds for the header of a request. Default 10.
    pub header_seconds: u32,
    /// Seconds after which an idle connection is closed. Default 30.
    pub idle_seconds: u32,
    /// Seconds for the body of a request. Default 60.
    pub body_seconds: u32,
    /// Seconds that running requests have at shutdown. Default 10.
    pub drain_seconds: u32,
    /// Largest header of a request, in bytes. Default 64 KiB.
    pub header_bytes: usize,
    /// Most header fields of a request. Default 100.
    pub header_fields: usize,
}

/// `[transcripts]`: what is shown of what was said in sessions. Secrets never are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transcripts {
    /// Whose values stand in transcripts: `harmless`, `known` or `all`. Default `harmless`.
    pub values: ShownValues,
    /// Nodes whose values, and those of all nodes below, are secret everywhere: in transcripts, inventories, alerts, events and
    /// answers. A segment in braces stands for any one name. Default: none beside those that this build knows.
    pub secret_nodes: Vec<String>,
}

/// `[retention]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days that transcripts of sessions are kept. Default 30.
    pub transcripts_days: u32,
    /// Days that events and alerts of devices are kept. Default 90.
    pub events_days: u32,
    /// Days that enrollment attempts are kept, and invitations after their end. Default 90.
    pub attempts_days: u32,
    /// Days that the audit log is kept. Default 365.
    pub audit_days: u32,
    /// Days that final actions and commands are kept. Default 365.
    pub commands_days: u32,
    /// Days that files are kept which devices uploaded. Default 30.
    pub uploads_days: u32,
}

/// `[selftest]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfTest {
    /// Whether `/selftest` is there. Default true.
    pub enabled: bool,
    /// The name server that it asks, as an address or an address and a port; empty: those of this machine. Default empty.
    pub dns: String,
}

impl Default for SelfTest {
    fn default() -> Self {
        Self { enabled: true, dns: String::new() }
    }
}

impl SelfTest {
    /// The name server, if one is named; an address without a port means port 53.
    #[must_use]
    pub fn name_server(&self) -> Option<SocketAddr> {
        let alone = |address| SocketAddr::new(address, 53);
        self.dns.parse().or_else(|_| self.dns.parse().map(alone)).ok()
    }
}

/// `[ops]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// The address for health and metrics, without TLS, or `off`. Default `127.0.0.1:9464`.
    pub listen: OpsListen,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`. Default `info`.
    pub level: LogLevel,
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
}

impl Config {
    /// The configuration with that URL and the default for everything else.
    #[must_use]
    pub fn with_defaults(url: HttpsUrl) -> Self {
        Self {
            server: Server::with_defaults(url),
            database: Database::default(),
            ca: Ca::default(),
            enroll: Enroll::default(),
            device_auth: DeviceAuth::default(),
            entra: Vec::new(),
            poll: Poll::default(),
            status_page: StatusPage::default(),
            wns: Wns::default(),
            smtp: Smtp::default(),
            experiments: Experiments::default(),
            limits: Limits::default(),
            transcripts: Transcripts::default(),
            retention: Retention::default(),
            selftest: SelfTest::default(),
            ops: Ops::default(),
            log: Log::default(),
        }
    }

    /// Reads the text of a `muster.toml` and the variables of the environment, and checks what belongs together.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        load::load(text, environment)
    }

    /// The text of a new `muster.toml`: what `start` says, and every other key as a comment with its default.
    #[must_use]
    pub fn template(start: &Start) -> String {
        template::render(start)
    }
}

impl Server {
    /// That URL and the default for everything else.
    #[must_use]
    pub fn with_defaults(url: HttpsUrl) -> Self {
        Self {
            url,
            device_url: None,
            listen: None,
            device_listen: None,
            provider_id: default_provider_id(),
            tls_certificate: default_tls_certificate(),
            tls_key: default_tls_key(),
            trusted_proxies: Vec::new(),
            device_tls13: false,
            device_http2: false,
        }
    }

    /// `device_url`, set or derived.
    #[must_use]
    pub fn device_url(&self) -> HttpsUrl {
        self.device_url.clone().unwrap_or_else(|| self.url.default_device_url())
    }

    /// `listen`, set or derived.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        let default = || {
            let (web, device) = (self.url.default_listen(), self.device_url().default_listen());
            // One listener for both must be where the devices get to, too.
            let is_inside = web.ip().is_loopback() && !device.ip().is_loopback();
            if self.has_names_for_one_port() && self.device_listen.is_none() && is_inside { device } else { web }
        };
        self.listen.unwrap_or_else(default)
    }

    /// `device_listen`, set or derived.
    #[must_use]
    pub fn device_listen(&self) -> SocketAddr {
        let default = || match self.has_names_for_one_port() {
            true => self.listen(),
            false => self.device_url().default_listen(),
        };
        self.device_listen.unwrap_or_else(default)
    }

    /// Whether the URLs have the same port and different hosts.
    fn has_names_for_one_port(&self) -> bool {
        let device_url = self.device_url();
        self.url.port() == device_url.port() && self.url.host() != device_url.host()
    }

    /// Whether one listener serves both URLs and tells them apart by the TLS server name.
    #[must_use]
    pub fn shares_listener(&self) -> bool {
        self.listen().port() != 0 && self.listen() == self.device_listen()
    }

    /// The two URLs as they are given out once the listeners are bound: a port 0 in `listen` is replaced by the bound
    /// one.
    #[must_use]
    pub fn bound_urls(&self, web: SocketAddr, device: SocketAddr) -> (HttpsUrl, HttpsUrl) {
        let bound = |url: HttpsUrl, asked: SocketAddr, got: SocketAddr| match asked.port() {
            0 => url.with_port(got.port()),
            _ => url,
        };
        (bound(self.url.clone(), self.listen(), web), bound(self.device_url(), self.device_listen(), device))
    }
}

fn default_provider_id() -> String {
    "Muster".to_owned()
}

fn default_tls_certificate() -> PathBuf {
    PathBuf::from("tls/server.pem")
}

fn default_tls_key() -> PathBuf {
    PathBuf::from("tls/server.key")
}

impl Ca {
    /// The terms under which device certificates are issued and renewed.
    ///
    /// # Errors
    /// [`TermsRejected`] where the keys do not fit together.
    pub fn renewal(&self) -> Result<RenewalTerms, TermsRejected> {
        RenewalTerms::new(
            self.device_lifetime_days,
            self.renew_period_days,
            self.renew_retry_days,
            self.expired_grace_days,
        )
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self {
            device_lifetime_days: 365,
            renew_period_days: 42,
            renew_retry_days: 4,
            expired_grace_days: 0,
            min_key_bits: 2048,
            software_keys_only: false,
            organization: String::new(),
        }
    }
}

impl Default for Enroll {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contact: String::new(),
            require_generation: false,
            auth_policy: AuthPolicy::OnPremise,
            sign_in: SignInWith::default(),
            pin_digits: 6,
            pin_hours: 72,
            invitation_days: 7,
            language: Language::default(),
            bulk_prefix: "windows-bulkenroll".to_owned(),
            max_devices_per_user: 0,
            max_devices: 0,
            admission: Admission::Anyone,
            min_build: String::new(),
            max_build: String::new(),
            editions: Vec::new(),
            ownership: Ownership::Any,
            networks: Vec::new(),
            match_hardware: true,
            max_version: "4.0".to_owned(),
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            soap_body_bytes: 1024 * 1024,
            message_bytes: 5 * 1024 * 1024,
            upload_bytes: 100 * 1024 * 1024,
            reply_bytes: 400_000,
            reply_commands: 100,
            object_bytes: 32 * 1024 * 1024,
            object_chunks: 8192,
            device_object_bytes: 256 * 1024 * 1024,
            all_object_bytes: 4096 * 1024 * 1024,
            next_message: true,
            wbxml: true,
            device_requests_per_minute: 600,
            session_timeout_minutes: 30,
            xml_depth: 64,
            xml_attributes: 64,
            xml_events: 200_000,
            password_failures: 10,
            password_failures_per_hour: 60,
            address_failures: 30,
            address_failures_per_hour: 100,
            connections: 4096,
            connections_per_address: 512,
            handshake_seconds: 10,
            header_seconds: 10,
            idle_seconds: 30,
            body_seconds: 60,
            drain_seconds: 10,
            header_bytes: 64 * 1024,
            header_fields: 100,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            transcripts_days: 30,
            events_days: 90,
            attempts_days: 90,
            audit_days: 365,
            commands_days: 365,
            uploads_days: 30,
        }
    }
}

#[cfg(test)]
mod tests;
