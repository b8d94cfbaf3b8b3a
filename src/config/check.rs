//! What single values cannot tell: ranges, and keys that belong together.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::domain::invitation::PIN_DIGITS;
use crate::domain::renewal::TermsRejected;

use super::{
    Ca, Config, DeviceAuth, Enroll, EntraTenant, Limits, Poll, ProxyCertificate, SelfTest, Server, Smtp, Transcripts,
    Wns,
};
use crate::proto::wap::PollError;

/// A key with a value that does not do.
pub(super) struct Problem {
    /// `section.key`
    pub key: &'static str,
    /// What is expected.
    pub expected: String,
}

fn problem_with(key: &'static str, expected: impl Into<String>) -> Option<Problem> {
    Some(Problem { key, expected: expected.into() })
}

/// The first problem, if there is any.
pub(super) fn problem(config: &Config) -> Option<Problem> {
    periods(config)
        .or_else(|| sizes(config))
        .or_else(|| objects(&config.limits))
        .or_else(|| counts(&config.limits))
        .or_else(|| server(&config.server))
        .or_else(|| ca(&config.ca))
        .or_else(|| enroll(&config.enroll))
        .or_else(|| device_auth(&config.device_auth, &config.server))
        .or_else(|| entra(&config.entra))
        .or_else(|| poll(&config.poll))
        .or_else(|| wns(&config.wns))
        .or_else(|| smtp(&config.smtp))
        .or_else(|| transcripts(&config.transcripts))
        .or_else(|| self_test(&config.selftest))
}

fn transcripts(transcripts: &Transcripts) -> Option<Problem> {
    let is_node = |node: &String| node.starts_with("./") && node.len() > 2 && node.len() <= 512 && !node.contains("//");
    let odd = transcripts.secret_nodes.iter().find(|node| !is_node(node))?;
    problem_with("transcripts.secret_nodes", format!("expected addresses such as ./Vendor/MSFT/Contoso, not `{odd}`"))
}

fn self_test(self_test: &SelfTest) -> Option<Problem> {
    if self_test.dns.is_empty() || self_test.name_server().is_some() {
        return None;
    }
    problem_with("selftest.dns", "expected an address such as `9.9.9.9` or `[2620:fe::fe]:53`")
}

/// A key, its value, and what is allowed.
type Range<T> = (&'static str, T, RangeInclusive<T>);

fn first_outside<T: PartialOrd + Display, const N: usize>(ranges: [Range<T>; N]) -> Option<Problem> {
    let (key, _, allowed) = ranges.into_iter().find(|(_, value, allowed)| !allowed.contains(value))?;
    problem_with(key, format!("expected {} to {}", allowed.start(), allowed.end()))
}

fn periods(config: &Config) -> Option<Problem> {
    let (ca, poll, retention) = (&config.ca, &config.poll, &config.retention);
    let minutes = 0..=525_600;
    let days = 1..=36_500;
    first_outside([
        ("ca.device_lifetime_days", ca.device_lifetime_days, 1..=3650),
        ("ca.renew_period_days", ca.renew_period_days, 1..=1000),
        ("ca.renew_retry_days", ca.renew_retry_days, 1..=1000),
        ("ca.expired_grace_days", ca.expired_grace_days, 0..=365),
        ("poll.first_interval_minutes", poll.first_interval_minutes, 1..=525_600),
        ("poll.first_count", poll.first_count, 1..=10_000),
        ("poll.second_interval_minutes", poll.second_interval_minutes, minutes.clone()),
        ("poll.second_count", poll.second_count, 0..=10_000),
        ("poll.remaining_interval_minutes", poll.remaining_interval_minutes, minutes),
        ("poll.remaining_count", poll.remaining_count, 0..=10_000),
        ("poll.jitter_percent", poll.jitter_percent, 0..=50),
        ("enroll.pin_digits", config.enroll.pin_digits, PIN_DIGITS),
        ("enroll.pin_hours", config.enroll.pin_hours, 1..=8784),
        ("enroll.invitation_days", config.enroll.invitation_days, 1..=366),
        ("status_page.timeout_minutes", config.status_page.timeout_minutes, 1..=1440),
        ("retention.transcripts_days", retention.transcripts_days, days.clone()),
        ("retention.events_days", retention.events_days, days.clone()),
        ("retention.attempts_days", retention.attempts_days, days.clone()),
        ("retention.audit_days", retention.audit_days, days.clone()),
        ("retention.commands_days", retention.commands_days, days.clone()),
        ("retention.uploads_days", retention.uploads_days, days),
    ])
}

fn objects(limits: &Limits) -> Option<Problem> {
    const GIB: u64 = 1024 * 1024 * 1024;
    first_outside([
        ("limits.object_bytes", limits.object_bytes, 64 * 1024..=GIB),
        ("limits.object_chunks", limits.object_chunks.into(), 1..=1_000_000),
        ("limits.device_object_bytes", limits.device_object_bytes, limits.object_bytes..=1024 * GIB),
        ("limits.all_object_bytes", limits.all_object_bytes, limits.device_object_bytes..=1024 * 1024 * GIB),
    ])
}

fn sizes(Config { limits, database, .. }: &Config) -> Option<Problem> {
    const MIB: usize = 1024 * 1024;
    first_outside([
        ("database.connections", database.connections, 2..=500),
        ("limits.soap_body_bytes", limits.soap_body_bytes, 16 * 1024..=64 * MIB),
        ("limits.message_bytes", limits.message_bytes, 16 * 1024..=256 * MIB),
        ("limits.upload_bytes", limits.upload_bytes, 64 * 1024..=4096 * MIB),
        ("limits.reply_bytes", limits.reply_bytes, 2048..=64 * MIB),
        ("limits.reply_commands", limits.reply_commands, 1..=10_000),
        ("limits.xml_depth", limits.xml_depth, 16..=1024),
        ("limits.xml_attributes", limits.xml_attributes, 16..=1024),
        ("limits.xml_events", limits.xml_events, 1000..=100_000_000),
        ("limits.connections", limits.connections, 16..=1_000_000),
        ("limits.connections_per_address", limits.connections_per_address, 1..=limits.connections),
        ("limits.header_bytes", limits.header_bytes, 8 * 1024..=MIB),
        ("limits.header_fields", limits.header_fields, 20..=1000),
    ])
}

fn counts(limits: &Limits) -> Option<Problem> {
    first_outside([
        ("limits.session_timeout_minutes", limits.session_timeout_minutes, 1..=1440),
        ("limits.password_failures", limits.password_failures, 1..=100),
        ("limits.password_failures_per_hour", limits.password_failures_per_hour, 1..=100),
        ("limits.address_failures", limits.address_failures, 1..=1_000_000),
        ("limits.address_failures_per_hour", limits.address_failures_per_hour, 1..=1_000_000),
        ("limits.handshake_seconds", limits.handshake_seconds, 1..=300),
        ("limits.header_seconds", limits.header_seconds, 1..=300),
        ("limits.idle_seconds", limits.idle_seconds, 1..=3600),
        ("limits.body_seconds", limits.body_seconds, 1..=3600),
        ("limits.drain_seconds", limits.drain_seconds, 0..=300),
    ])
}

fn server(server: &Server) -> Option<Problem> {
    let (url, device_url) = (&server.url, server.device_url());
    let is_id = |id: &str| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !(1..=64).contains(&server.provider_id.len()) || !is_id(&server.provider_id) {
        return problem_with("server.provider_id", "expected 1 to 64 letters, digits and hyphens");
    }
    let same_host = url.host() == device_url.host();
    // Port 0 asks for two free ports, which differ.
    if same_host && url.port() == device_url.port() && url.port() != 0 {
        return problem_with("server.device_url", format!("expected another host or port than that of url, {url}"));
    }
    if same_host && server.shares_listener() {
        let expected = "expected another address than listen, because both URLs have the same host";
        return problem_with("server.device_listen", expected);
    }
    if server.shares_listener() && url.has_address() {
        let expected = format!(
            "expected a host name instead of {}: one listener for both URLs tells them apart by the name in the TLS \
             handshake, and clients send none for an IP address; or give device_url a port of its own",
            url.host()
        );
        return problem_with("server.url", expected);
    }
    None
}

fn ca(ca: &Ca) -> Option<Problem> {
    if let Err(error) = ca.renewal() {
        let key = match error {
            TermsRejected::Window(_) => "ca.renew_period_days",
            TermsRejected::Retry(_) => "ca.renew_retry_days",
        };
        return problem_with(key, error.to_string());
    }
    if ![2048, 3072, 4096].contains(&ca.min_key_bits) {
        return problem_with("ca.min_key_bits", "expected 2048, 3072 or 4096");
    }
    if ca.organization.chars().any(char::is_control) || ca.organization.chars().count() > 64 {
        return problem_with("ca.organization", "expected at most 64 characters and no control characters");
    }
    None
}

fn enroll(enroll: &Enroll) -> Option<Problem> {
    if let Some(bad) = enroll.domains.iter().find(|name| !is_domain(name)) {
        let expected =
            format!("`{bad}` is not a domain such as `example.com`; one with other letters begins with `xn--`");
        return problem_with("enroll.domains", expected);
    }
    if enroll.contact.chars().any(char::is_control) || enroll.contact.chars().count() > 200 {
        return problem_with("enroll.contact", "expected at most 200 characters on one line");
    }
    if enroll.bulk_prefix.is_empty() || enroll.bulk_prefix.contains(['@', '\\', ' ']) {
        return problem_with("enroll.bulk_prefix", "expected the beginning of a user name");
    }
    if let Err((key, expected)) = enroll.rules() {
        return problem_with(key, expected);
    }
    let major = enroll.max_version.strip_suffix(".0").and_then(|major| major.parse::<u8>().ok());
    if !major.is_some_and(|major| (3..=9).contains(&major)) {
        return problem_with("enroll.max_version", "expected \"3.0\" to \"9.0\"");
    }
    None
}

fn device_auth(auth: &DeviceAuth, server: &Server) -> Option<Problem> {
    if auth.signing_minutes > 1440 {
        return problem_with("device_auth.signing_minutes", "expected 0 to 1440");
    }
    if auth.proxy_certificate != ProxyCertificate::Off && server.trusted_proxies.is_empty() {
        let expected = "expected the addresses of the proxies that hand certificates over in server.trusted_proxies";
        return problem_with("device_auth.proxy_certificate", expected);
    }
    let header = auth.proxy_certificate_header.as_str();
    let is_name = header.len() <= 64 && header.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // Headers that callers set for another purpose: a proxy that leaves them as they are would hand over what it was told.
    let taken = ["authorization", "devicetoken", "mdm-signature", "ms-signature", "x-forwarded-for"];
    if !is_name || taken.contains(&header.to_ascii_lowercase().as_str()) {
        let expected = "expected the name of a header that the proxy sets for nothing else";
        return problem_with("device_auth.proxy_certificate_header", expected);
    }
    None
}

fn entra(tenants: &[EntraTenant]) -> Option<Problem> {
    for (index, tenant) in tenants.iter().enumerate() {
        if tenants[..index].iter().any(|other| other.tenant_id == tenant.tenant_id) {
            return problem_with(
                "entra.tenant_id",
                format!("expected each tenant once, {} stands twice", tenant.tenant_id),
            );
        }
        let is_audience = |text: &String| !text.trim().is_empty() && text.len() <= 256;
        if !(1..=8).contains(&tenant.audience.len()) || !tenant.audience.iter().all(is_audience) {
            return problem_with(
                "entra.audience",
                "expected 1 to 8 names, those for which the tenant makes out tokens",
            );
        }
        if tenant.keys_file.as_os_str().is_empty() {
            return problem_with("entra.keys_file", "expected the path of a JSON Web Key Set");
        }
    }
    None
}

/// Whether the server certificate can name the discovery host of that domain: labels of ASCII letters, digits and
/// hyphens, none with a hyphen at an end, in a whole that DNS can carry (RFC 1035 section 2.3.4).
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    DISCOVERY_LABEL.len() + name.len() <= 253 && name.split('.').all(is_label)
}

/// What Windows puts before the domain of an e-mail address (MS-MDE2 section 3.1).
const DISCOVERY_LABEL: &str = "enterpriseenrollment.";

/// DMClient's rules: a set with an interval and no count never ends, and only the last set may be endless.
fn poll(poll: &Poll) -> Option<Problem> {
    match poll.schedule().err()? {
        PollError::First => problem_with("poll.first_count", "expected at least 1, and an interval"),
        PollError::Second => {
            let expected = "expected both the interval and the count of the second set, or 0 for both";
            problem_with("poll.second_count", expected)
        }
        PollError::Last => {
            problem_with("poll.remaining_interval_minutes", "expected at least 1; a device must go on calling")
        }
    }
}

/// Mails are sent with a sender, or not at all.
fn smtp(smtp: &Smtp) -> Option<Problem> {
    let is_host =
        |host: &str| host.len() <= 253 && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    if !is_host(&smtp.host) {
        return problem_with("smtp.host", "expected a host name or an address");
    }
    if !smtp.is_on() {
        let others = [("smtp.from", &smtp.from), ("smtp.username", &smtp.username)];
        let set = others.into_iter().find(|(_, value)| !value.is_empty());
        return set
            .and_then(|_| problem_with("smtp.host", "expected the mail server that the other keys of [smtp] are for"));
    }
    if !smtp.from.contains('@') || smtp.from.chars().any(char::is_control) {
        return problem_with("smtp.from", "expected the sender, such as `Fabrikam IT <mdm@example.com>`");
    }
    if smtp.username.is_empty() != smtp.password.expose().is_empty() {
        let key = if smtp.username.is_empty() { "smtp.username" } else { "smtp.password" };
        return problem_with(key, "expected both username and password, or neither");
    }
    None
}

/// Push is set up whole or not at all.
fn wns(wns: &Wns) -> Option<Problem> {
    let secret = wns.client_secret.expose();
    let parts = [("wns.pfn", wns.pfn.as_str()), ("wns.package_sid", &wns.package_sid), ("wns.client_secret", secret)];
    if parts.iter().all(|(_, value)| value.is_empty()) {
        return None;
    }
    if let Some((key, _)) = parts.iter().find(|(_, value)| value.is_empty()) {
        return problem_with(key, "expected pfn, package_sid and client_secret, all of them or none");
    }
    if !wns.pfn.contains('_') || !wns.pfn.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return problem_with("wns.pfn", "expected a package family name such as `12345Example.App_1a2b3c4d5e6f7`");
    }
    let sid = wns.package_sid.strip_prefix("ms-app://").unwrap_or(&wns.package_sid);
    let is_sid = sid.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("S-1-15-2-"));
    if !is_sid || !sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return problem_with("wns.package_sid", "expected a package SID such as `ms-app://s-1-15-2-…`");
    }
    if secret.chars().any(char::is_control) {
        return problem_with("wns.client_secret", "expected no control characters");
    }
    if wns.channel_hosts.is_empty() {
        return problem_with("wns.channel_hosts", "expected at least one host");
    }
    None
}
