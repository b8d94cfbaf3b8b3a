//! The text of a new `muster.toml`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{HttpsUrl, Server};

/// What `init` knows about a new installation.
#[derive(Clone, Debug)]
pub struct Start {
    /// `server.url`
    pub url: HttpsUrl,
    /// `server.device_url`, if it is not the default one.
    pub device_url: Option<HttpsUrl>,
    /// `server.listen`, if it is not the default one.
    pub listen: Option<SocketAddr>,
    /// `server.device_listen`, if it is not the default one.
    pub device_listen: Option<SocketAddr>,
    /// `server.provider_id`, if it is not the default one.
    pub provider_id: Option<String>,
    /// `server.tls_certificate` and `server.tls_key`, if there is a certificate already.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// `database.url`, if it is not the default one.
    pub database_url: Option<String>,
    /// `ca.organization`, if there is one.
    pub organization: Option<String>,
}

pub(super) fn render(start: &Start) -> String {
    let set = |key: &str, value: Option<&str>, default: &str| match value {
        Some(value) => format!("{key} = {}", toml::Value::from(value)),
        None => format!("# {key} = {}", toml::Value::from(default)),
    };
    let address = |address: Option<SocketAddr>| address.map(|address| address.to_string());
    let path = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
    let (certificate, key) = (start.tls.as_ref().map(|tls| &tls.0), start.tls.as_ref().map(|tls| &tls.1));
    let server = server(start);
    let mut text = TEMPLATE.to_owned();
    for (place, line) in [
        ("{url}", set("url", Some(&start.url.to_string()), "")),
        (
            "{device_url}",
            set(
                "device_url",
                start.device_url.as_ref().map(ToString::to_string).as_deref(),
                &server.device_url().to_string(),
            ),
        ),
        ("{listen}", set("listen", address(start.listen).as_deref(), &server.listen().to_string())),
        (
            "{device_listen}",
            set("device_listen", address(start.device_listen).as_deref(), &server.device_listen().to_string()),
        ),
        ("{provider_id}", set("provider_id", start.provider_id.as_deref(), &server.provider_id)),
        ("{tls_certificate}", set("tls_certificate", path(certificate).as_deref(), "tls/server.pem")),
        ("{tls_key}", set("tls_key", path(key).as_deref(), "tls/server.key")),
        ("{database_url}", set("url", start.database_url.as_deref(), "sqlite:muster.db")),
        ("{organization}", set("organization", start.organization.as_deref(), "")),
    ] {
        text = text.replacen(place, &line, 1);
    }
    text
}

/// What the keys of `[server]` mean together: each default follows from the others.
fn server(start: &Start) -> Server {
    Server {
        device_url: start.device_url.clone(),
        listen: start.listen,
        device_listen: start.device_listen,
        ..Server::with_defaults(start.url.clone())
    }
}

const TEMPLATE: &str = r#"# Muster's configuration. A line that begins with `# ` and a key shows that key's default.
# A variable MUSTER__SECTION__KEY of the environment takes precedence over this file.
# Paths count from the folder of this file. `muster check-config` tells whether it is in order.

[server]
# Where people, programs and enrolling PCs reach this server.
{url}
# Where enrolled devices call. Another host or another port than url: only here devices are asked for their certificate.
{device_url}
# The addresses to bind. URLs with one port and two host names share one listener.
{listen}
{device_listen}
# The OMA-DM provider id. Enrolled devices are bound to it; leave it once the first has enrolled.
{provider_id}
# The server certificate (PEM, leaf first) and its key (chmod 600).
{tls_certificate}
{tls_key}
# Proxies in front whose word about the caller is believed, as addresses or networks: its address in X-Forwarded-For and,
# if [device_auth] says so, its certificate. Name the proxies themselves, never the network that the callers are in.
# trusted_proxies = []
# TLS 1.3 on device_url. The keys of many TPMs cannot sign what TLS 1.3 asks for.
# device_tls13 = false
# HTTP/2 on device_url.
# device_http2 = false

[database]
# `sqlite:` and a path, or postgres://user:password@host/name
{database_url}
# Most connections to PostgreSQL that this process opens.
# connections = 16

[ca]
# Days that a device certificate lives, days before its end when the device renews, days between its attempts.
# device_lifetime_days = 365
# renew_period_days = 42
# renew_retry_days = 4
# Days after its end during which a known certificate still lets its device in, so that it can renew; 0: the device has to
# be enrolled again. By itself Windows does not renew with a certificate that ended, `muster cert drill` tells it to.
# expired_grace_days = 0
# Smallest RSA key of a device, in bits: 2048, 3072 or 4096.
# min_key_bits = 2048
# Have devices keep their key in software even if they have a TPM.
# software_keys_only = false
# The organisation in the names of the CAs that are made.
{organization}

[enroll]
# E-mail domains that discovery answers for; none means all.
# domains = []
# Whom people may ask when they enroll; it stands on pages and in mails.
# contact = ""
# How people prove who they are: OnPremise (e-mail address and password).
# auth_policy = "OnPremise"
# Whether devices enroll only by the newest generation of the enrollment URL, see `muster enroll-url rotate`; those that find
# the server by DNS come without a generation and are refused then.
# require_generation = false
# What people sign in with: "password_or_pin", "password", "pin", or "password_and_pin" (the PIN right behind the password).
# A PIN comes with an invitation; how many digits it has, and how many hours it works.
# sign_in = "password_or_pin"
# pin_digits = 6
# pin_hours = 72
# Days that an invitation works, and the language of its mail ("en" or "fr"), where nothing else is said.
# invitation_days = 7
# language = "en"
# User names with this beginning are bulk enrollments.
# bulk_prefix = "windows-bulkenroll"
# Devices per person; 0 is any number.
# max_devices_per_user = 0
# Devices all together; 0 is any number.
# max_devices = 0
# Which devices are let in once their user has signed in: "anyone", "registered" (muster device register), or "approval"
# (none gets anything before muster device approve).
# admission = "anyone"
# The least and the highest build of Windows, such as "22631" or "22631.3155".
# min_build = ""
# max_build = ""
# Editions that may enroll: Home, Pro, Enterprise, Education, IoT, HoloLens, Team, or product numbers; none means all but
# Home, which Windows does not let be managed.
# editions = []
# Whose devices: "any", or "corporate": registered (muster device register), or brought by a bulk user.
# ownership = "any"
# Addresses and networks from which devices may be enrolled; none means all.
# networks = []
# The same hardware enrolling for the same person closes its older enrollment.
# match_hardware = true
# Highest enrollment protocol version offered.
# max_version = "4.0"

[device_auth]
# A device proves itself by the certificate of its TLS connection. Where a proxy ends TLS it may do so in other ways, each
# off unless it is switched on here; docs/operations.md says how to set up the proxy.
# The certificate that the device showed to the proxy: "rfc9440" (DER as :base64:) or "pem" (percent-encoded PEM, what
# nginx calls $ssl_client_escaped_cert), taken from trusted_proxies alone.
# proxy_certificate = "off"
# The header it comes in; empty is Client-Cert for rfc9440 and X-SSL-Client-Cert for pem.
# proxy_certificate_header = ""
# Signatures of the device over its messages: "accepted" in the place of a certificate, "required" also beside one.
# message_signing = "off"
# Minutes by which the time of a signature may differ from ours; 0 does not look at it.
# signing_minutes = 15
# MD5 digests of a secret with single-use nonces, the weakest of the three: "without_certificate" or "required".
# digest = "off"

# Entra tenants whose tokens prove the user of a session. One table for each:
#     [[entra]]
#     tenant_id = "00000000-0000-0000-0000-000000000000"
#     audience = ["https://mdm.example.com", "the client id of this server's application"]
#     keys_file = "entra-keys.json"

[poll]
# After enrollment a device calls in three sets: so many times, so many minutes apart. A last count of 0 is for ever.
# first_interval_minutes = 3
# first_count = 5
# second_interval_minutes = 15
# second_count = 8
# remaining_interval_minutes = 480
# remaining_count = 0
# Also when somebody signs in, and when a person signs in for the first time.
# on_login = true
# on_first_login = true
# By how many per cent at most the last interval differs from device to device. With a push channel it is a day at least.
# jitter_percent = 10

[status_page]
# Whether devices that enroll in out-of-box setup wait on a page until they are set up, for so many minutes at most.
# enabled = false
# timeout_minutes = 60
# What a person may do when it failed: reset, try_again, continue; and what the page says then.
# choices = ["reset"]
# log_collection = true
# error_text = ""
# A command that failed: "ignore" releases the desktop all the same, "show" lets the page fail.
# on_failure = "ignore"

[wns]
# Push: wakes devices when there is work for them. The package family name, package SID and client secret of an app that was
# reserved in the Partner Center; the secret is better kept in the environment, as MUSTER__WNS__CLIENT_SECRET.
# pfn = ""
# package_sid = ""
# client_secret = ""
# Where access tokens come from, and the hosts that channels may be on; other than these only for tests.
# token_url = "https://login.live.com/accesstoken.srf"
# channel_hosts = [".notify.windows.com"]
# Authorities that are trusted for these hosts besides those of the system (PEM).
# ca_file = ""

[smtp]
# The server that invitations are handed over to. Without one, whoever invites passes the text on.
# host = ""
# Port 0 is 587, or 465 with "implicit", or 25 without TLS. "auto" is "starttls" and, for a server on this machine, "off".
# port = 0
# tls = "auto"
# With what to sign in there; the password is better kept in the environment, as MUSTER__SMTP__PASSWORD.
# username = ""
# password = ""
# The sender: an address, or a name and an address in angle brackets.
# from = ""
# Authorities that are trusted for this server besides those of the system (PEM).
# ca_file = ""

[experiments]
# What is tried out and may change. Declared configuration (WinDC): documents that a device carries out and keeps by itself.
# declared_configuration = false

[limits]
# Largest body of an enrollment request, and largest message from and to a device, in bytes.
# soap_body_bytes = 1048576
# message_bytes = 5242880
# reply_bytes = 400000
# Largest file that a device uploads, such as logs that were asked for, in bytes.
# upload_bytes = 104857600
# Most commands in one message to a device.
# reply_commands = 100
# Large objects, which come and go in chunks: bytes and chunks of one, bytes of one device and of all.
# object_bytes = 33554432
# object_chunks = 8192
# device_object_bytes = 268435456
# all_object_bytes = 4294967296
# Whether a heartbeat of a slow device is answered with Alert 1222 and without Final.
# next_message = true
# Whether messages in WBXML, the binary form of SyncML, are read and answered in kind.
# wbxml = true
# Messages that one device may send in a minute.
# device_requests_per_minute = 600
# New rows in a day that callers without a credential can cause in the ledger of enrollments and the audit trail, all
# together; one network has a fifth of that. What is left out is counted in `muster_rows_left_out_total`.
# ledger_rows_per_day = 50000
# Minutes after which a silent management session is over.
# session_timeout_minutes = 30
# Nesting, attributes of an element, and tags and texts of an XML document.
# xml_depth = 64
# xml_attributes = 64
# xml_events = 200000
# Wrong passwords in a row before an account or an address has to wait, and further ones in an hour.
# password_failures = 10
# password_failures_per_hour = 60
# address_failures = 30
# address_failures_per_hour = 100
# Connections open at once, in all and of one address.
# connections = 4096
# connections_per_address = 512
# Seconds for the TLS handshake, a request's header, its body, an idle connection, running requests at shutdown.
# handshake_seconds = 10
# header_seconds = 10
# body_seconds = 60
# idle_seconds = 30
# drain_seconds = 10
# Largest header of a request, in bytes, and most fields in it.
# header_bytes = 65536
# header_fields = 100

[transcripts]
# Whose values stand in transcripts: "harmless" (facts about the device, plain policies, nodes that take numbers or listed words
# only), "known" (whatever the CSP catalogue describes) or "all". Secrets never do.
# values = "harmless"
# Nodes whose values, and those of all nodes below, are secret everywhere; a segment in braces stands for any one name.
# secret_nodes = []

[retention]
# Days that session transcripts, events with the alerts of devices, enrollment attempts and the audit log are kept.
# transcripts_days = 30
# events_days = 90
# attempts_days = 90
# audit_days = 365
# commands_days = 365
# uploads_days = 30

[selftest]
# The page /selftest: the way of a PC to this server, for whoever helps people to enroll.
# enabled = true
# The name server that it asks instead of those of this machine, such as one that the PCs ask: an address, or one with a port.
# dns = ""

[ops]
# Health and metrics, without TLS; "off" for none.
# listen = "127.0.0.1:9464"

[log]
# error, warn, info, debug or trace; as text or json.
# level = "info"
# format = "text"
"#;
