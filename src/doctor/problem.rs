//! What can be wrong, in words, with what to do about it.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Something that is wrong on the way of a PC to its server. `Display` says what, [`fix`](Self::fix) what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    /// The name is not in DNS.
    NoSuchName { name: String },
    /// The name has no address.
    NoAddress { name: String },
    /// The CNAME leads to a name without address.
    DanglingAlias { name: String, alias: String },
    /// The CNAME leads to another maker's service.
    ForeignService { name: String, alias: String, service: &'static str },
    /// The name leads to another host than it should.
    LeadsElsewhere { name: String, to: String, expected: String },
    /// The name server did not answer, or not with an answer.
    NameServer { name: String, cause: String },
    /// No TCP connection.
    Unreachable { authority: String, cause: String },
    /// No TLS.
    Handshake { authority: String, cause: String },
    /// The certificate is for other names.
    NameMismatch { host: String, names: Vec<String> },
    /// A certificate of the chain has ended.
    Expired { subject: String, on: OffsetDateTime, now: OffsetDateTime },
    /// A certificate of the chain has not begun.
    NotYetValid { subject: String, from: OffsetDateTime, now: OffsetDateTime },
    /// The issuer of the last certificate that was sent is neither sent nor trusted.
    IncompleteChain { last: String, issuer: String },
    /// The chain is whole and ends at a root that is not trusted.
    UntrustedRoot { root: String },
    /// The chain is not good for another reason.
    Untrusted { cause: String },
    /// PCs do not trust the root from the start, only after it was installed.
    PrivateRoot { root: String },
    /// The server's certificate ends soon.
    ExpiresSoon { subject: String, on: OffsetDateTime },
    /// The server asks for a client certificate where browsers and Windows would show a question.
    AsksForCertificate { authority: String },
    /// The connection ended without an answer.
    NoAnswer { url: String, cause: String },
    /// A redirect to plain http, or to something that is no address.
    InsecureRedirect { url: String, to: String },
    /// The probe is led to another https address.
    Redirected { url: String, to: String },
    /// One redirect after the other.
    RedirectedTooOften { url: String },
    /// A message is redirected, which Windows does not follow.
    MessageRedirected { url: String, to: String },
    /// Nothing, or something else, stands at this path.
    WrongPath { url: String, status: u16 },
    /// Another status.
    HttpStatus { url: String, status: u16 },
    /// The answer comes in chunks.
    Chunked { url: String },
    /// The answer has no `Content-Length`.
    NoLength { url: String },
    /// The answer is compressed.
    Encoded { url: String, encoding: String },
    /// The answer says that it is something else than SOAP.
    MediaType { url: String, found: String },
    /// The answer has no content.
    Empty { url: String },
    /// The answer cannot be read.
    NotSoap { url: String, cause: String },
    /// The service answered with a fault.
    Fault { url: String, hresult: u32, reason: String, reference: Option<String> },
    /// Discovery names an address that Windows cannot go to.
    ServiceAddress { service: &'static str, address: String },
    /// Policy and enrollment service are on different hosts.
    ServicesApart { policy: String, enrollment: String },
    /// Discovery chose a policy that was not offered.
    ForeignPolicy { policy: String },
    /// The policy asks for a key that is too short.
    ShortKey { bits: u32 },
    /// The clocks differ; positive: the server's is ahead.
    ClockApart { ahead_seconds: i64 },
    /// The way leads to another server than the one that it should end at.
    OtherServer { authority: String },
    /// The way was not at its end when the time was over.
    TooSlow { seconds: u64 },
}

impl Problem {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchName { .. } => "dns_no_such_name",
            Self::NoAddress { .. } => "dns_no_address",
            Self::DanglingAlias { .. } => "dns_dangling_cname",
            Self::ForeignService { .. } => "dns_foreign_service",
            Self::LeadsElsewhere { .. } => "dns_leads_elsewhere",
            Self::NameServer { .. } => "dns_no_answer",
            Self::Unreachable { .. } => "unreachable",
            Self::Handshake { .. } => "tls_handshake",
            Self::NameMismatch { .. } => "tls_name_mismatch",
            Self::Expired { .. } => "tls_expired",
            Self::NotYetValid { .. } => "tls_not_yet_valid",
            Self::IncompleteChain { .. } => "tls_incomplete_chain",
            Self::UntrustedRoot { .. } => "tls_untrusted_root",
            Self::Untrusted { .. } => "tls_untrusted",
            Self::PrivateRoot { .. } => "tls_private_root",
            Self::ExpiresSoon { .. } => "tls_expires_soon",
            Self::AsksForCertificate { .. } => "tls_asks_for_certificate",
            Self::NoAnswer { .. } => "http_no_answer",
            Self::InsecureRedirect { .. } => "http_insecure_redirect",
            Self::Redirected { .. } => "http_redirected",
            Self::RedirectedTooOften { .. } => "http_redirected_too_often",
            Self::MessageRedirected { .. } => "http_message_redirected",
            Self::WrongPath { .. } => "http_wrong_path",
            Self::HttpStatus { .. } => "http_status",
            Self::Chunked { .. } => "http_chunked",
            Self::NoLength { .. } => "http_no_length",
            Self::Encoded { .. } => "http_encoded",
            Self::MediaType { .. } => "http_media_type",
            Self::Empty { .. } => "http_empty",
            Self::NotSoap { .. } => "soap_unreadable",
            Self::Fault { .. } => "soap_fault",
            Self::ServiceAddress { .. } => "discovery_service_address",
            Self::ServicesApart { .. } => "discovery_services_apart",
            Self::ForeignPolicy { .. } => "discovery_foreign_policy",
            Self::ShortKey { .. } => "policy_short_key",
            Self::ClockApart { .. } => "clock_apart",
            Self::OtherServer { .. } => "other_server",
            Self::TooSlow { .. } => "too_slow",
        }
    }

    /// The code that the person at the PC sees for it, where that is known (enrollment reference 7.4).
    #[must_use]
    pub fn hresult(&self) -> Option<u32> {
        Some(match self {
            Self::NoSuchName { .. }
            | Self::NoAddress { .. }
            | Self::DanglingAlias { .. }
            | Self::NameServer { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::NoAnswer { .. } => 0x8018_0010,
            Self::NameMismatch { .. }
            | Self::IncompleteChain { .. }
            | Self::UntrustedRoot { .. }
            | Self::Untrusted { .. } => 0x8018_0012,
            Self::Expired { .. } | Self::NotYetValid { .. } => 0x8018_000D,
            Self::InsecureRedirect { .. } => 0x8018_001A,
            Self::WrongPath { status, .. } | Self::HttpStatus { status, .. } => 0x8019_0000 + u32::from(*status),
            Self::Empty { .. } => 0x8018_0029,
            Self::Fault { hresult, .. } => *hresult,
            _ => return None,
        })
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::NoSuchName { name } | Self::NoAddress { name } => format!(
                "Add a CNAME record for {name} that leads to the host of your MDM server, in the DNS that the PCs ask. \
                 Until it is there, people can type the server's address when they enroll."
            ),
            Self::DanglingAlias { name, alias } => format!(
                "Point the CNAME record of {name} to the host of your MDM server, or give {alias} its address back."
            ),
            Self::ForeignService { name, service, .. } => format!(
                "PCs of this domain enroll with {service}. Point the CNAME record of {name} to your MDM server if they \
                 are to enroll there."
            ),
            Self::LeadsElsewhere { name, expected, .. } => {
                format!("Point the CNAME record of {name} to {expected}.")
            }
            Self::NameServer { .. } => {
                "See whether the name server runs and is reached from here, and ask it for the name by hand.".to_owned()
            }
            Self::Unreachable { authority, .. } => format!(
                "See whether the server runs, and whether firewalls and port forwarding let {authority} through from \
                 where the PCs are."
            ),
            Self::Handshake { .. } => {
                "See what listens on this port: it has to be the server's TLS 1.2 or 1.3, directly or behind a proxy."
                    .to_owned()
            }
            Self::NameMismatch { host, .. } => format!(
                "Get a server certificate whose subject alternative names contain {host}. A CNAME does not help: Windows \
                 compares the name that it began with."
            ),
            Self::Expired { .. } => {
                "Renew the certificate and have the server, or the proxy before it, take the new one. If it is not over \
                 yet, the clock of this machine is wrong."
                    .to_owned()
            }
            Self::NotYetValid { .. } => {
                "See whether the clocks of this machine and of the one that issued the certificate are right.".to_owned()
            }
            Self::IncompleteChain { issuer, .. } => format!(
                "Put the certificate of \"{issuer}\" behind the server's own in the certificate file (leaf first). If it is \
                 the root of your own CA, name that with --ca here, and have it on the PCs before they enroll."
            ),
            Self::UntrustedRoot { .. } => {
                "Use a certificate of a public CA, or have this root on the PCs before they enroll (by a provisioning \
                 package, for example) and name it with --ca here."
                    .to_owned()
            }
            Self::Untrusted { .. } => "Have the certificate issued anew.".to_owned(),
            Self::PrivateRoot { .. } => {
                "Have this root on the PCs before they enroll, or use a certificate of a public CA.".to_owned()
            }
            Self::ExpiresSoon { .. } => "Renew it in time; see whether its renewal is automatic and works.".to_owned(),
            Self::AsksForCertificate { .. } => {
                "Ask for client certificates on the device host only, which has another name or another port: the sign-in \
                 pages of an enrollment run in a browser that would ask the person for one."
                    .to_owned()
            }
            Self::NoAnswer { .. } => {
                "See the log of the server, and of the proxy before it, for this moment.".to_owned()
            }
            Self::InsecureRedirect { .. } => {
                "Answer here, or redirect to an https address: Windows ends an enrollment that is led to plain http."
                    .to_owned()
            }
            Self::Redirected { .. } => {
                "Windows follows this, but asks the person whether it may. Answer here, if you can, and no redirect is \
                 needed."
                    .to_owned()
            }
            Self::RedirectedTooOften { .. } => "Have the first address answer, or lead straight to the server.".to_owned(),
            Self::MessageRedirected { .. } => {
                "Answer this address in place: Windows does not send its message again to another.".to_owned()
            }
            Self::WrongPath { .. } => {
                "Have the proxy pass everything below /EnrollmentServer/ to the server unchanged, and see whether this is \
                 the address of an MDM server at all."
                    .to_owned()
            }
            Self::HttpStatus { status, .. } if (500..600).contains(status) => {
                "See the log of the server, and of the proxy before it, for this moment.".to_owned()
            }
            Self::HttpStatus { .. } => {
                "See what the proxy before the server does to this address: Windows knows no sign-in here, and no answer \
                 but 200 and SOAP faults."
                    .to_owned()
            }
            Self::Chunked { .. } | Self::NoLength { .. } => {
                "Windows wants the answer in one piece with Content-Length. Muster sends it so; have the proxy buffer whole \
                 answers and leave them unchanged (no compression, no content filter)."
                    .to_owned()
            }
            Self::Encoded { .. } => {
                "Switch compression off for /EnrollmentServer/ in the proxy before the server.".to_owned()
            }
            Self::MediaType { .. } => {
                "See what answers here: a sign-in page of a proxy, or an error page, is no answer of an MDM server.".to_owned()
            }
            Self::Empty { .. } | Self::NotSoap { .. } => {
                "See whether a proxy or a filter changes answers, and whether this is the address of an MDM server at all."
                    .to_owned()
            }
            Self::Fault { hresult, .. } => fault_fix(*hresult).to_owned(),
            Self::ServiceAddress { .. } => {
                "Set `url` in [server] to the https address under which PCs reach the server.".to_owned()
            }
            Self::ServicesApart { .. } => "Give both services the same host, as Windows expects it.".to_owned(),
            Self::ForeignPolicy { .. } => {
                "Have discovery answer with one of the policies that the PC offers: OnPremise or Federated.".to_owned()
            }
            Self::ShortKey { .. } => "Ask for RSA keys of at least 2048 bits.".to_owned(),
            Self::OtherServer { .. } => {
                "See what answers on the way: a redirect, or another server behind the name, sends PCs there.".to_owned()
            }
            Self::TooSlow { .. } => "See whether name servers and server answer at once.".to_owned(),
            Self::ClockApart { .. } => {
                "Set both clocks by NTP. A server with a wrong clock issues certificates that PCs do not accept yet, or no \
                 more."
                    .to_owned()
            }
        }
    }
}

fn fault_fix(hresult: u32) -> &'static str {
    match hresult {
        0x8018_0002 => "See whether user name and password are right, and whether they were tried too often.",
        0x8018_0003 => "See whether the account is disabled, or not among those that may enroll.",
        0x8018_0015 => {
            "See `domains` in [enroll]: this domain is not served. Or the way to sign in that PCs offer is not enabled."
        }
        0x8018_0005 | 0x8018_0006 => "See the log of the server for the reference.",
        _ => "See the enrollment attempts of the server for the reference and the cause.",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName { name } => write!(f, "{name} does not exist in DNS."),
            Self::NoAddress { name } => write!(f, "{name} has no address in DNS."),
            Self::DanglingAlias { name, alias } => {
                write!(f, "The CNAME record of {name} leads to {alias}, which has no address.")
            }
            Self::ForeignService { name, alias, service } => {
                write!(f, "The CNAME record of {name} leads to {alias}, which belongs to {service}.")
            }
            Self::LeadsElsewhere { name, to, expected } => write!(f, "{name} leads to {to}, and not to {expected}."),
            Self::NameServer { name, cause } => write!(f, "The name server does not tell about {name}: {cause}."),
            Self::Unreachable { authority, cause } => write!(f, "{authority} takes no connection: {cause}."),
            Self::Handshake { authority, cause } => write!(f, "{authority} does not speak TLS with us: {cause}."),
            Self::NameMismatch { host, names } if names.is_empty() => {
                write!(f, "The certificate is not for {host}: it holds no name.")
            }
            Self::NameMismatch { host, names } => {
                write!(f, "The certificate is not for {host}, but for {}.", names.join(", "))
            }
            Self::Expired { subject, on, now } => {
                write!(f, "The certificate of \"{subject}\" ended on {}; now it is {}.", stamp(*on), stamp(*now))
            }
            Self::NotYetValid { subject, from, now } => {
                write!(f, "The certificate of \"{subject}\" begins on {}; now it is {}.", stamp(*from), stamp(*now))
            }
            Self::IncompleteChain { last, issuer } => write!(
                f,
                "The chain is not complete: \"{last}\" was issued by \"{issuer}\", which is neither sent along nor trusted."
            ),
            Self::UntrustedRoot { root } => write!(f, "The chain ends at \"{root}\", which is not trusted."),
            Self::Untrusted { cause } => write!(f, "The certificate is not trusted: {cause}."),
            Self::PrivateRoot { root } => {
                write!(f, "The certificate stands under \"{root}\", which PCs do not trust before it is installed.")
            }
            Self::ExpiresSoon { subject, on } => {
                write!(f, "The certificate of \"{subject}\" ends on {}.", stamp(*on))
            }
            Self::AsksForCertificate { authority } => write!(f, "{authority} asks for a client certificate."),
            Self::NoAnswer { url, cause } => write!(f, "{url} gave no answer: {cause}."),
            Self::InsecureRedirect { url, to } => write!(f, "{url} redirects to {to}, which is not https."),
            Self::Redirected { url, to } => write!(f, "{url} redirects to {to}."),
            Self::RedirectedTooOften { url } => write!(f, "Redirects led to {url}, which redirects again."),
            Self::MessageRedirected { url, to } => write!(f, "{url} redirects a message to {to}."),
            Self::WrongPath { url, status } => write!(f, "Nothing answers at {url}: HTTP status {status}."),
            Self::HttpStatus { url, status } => write!(f, "{url} answered with HTTP status {status}."),
            Self::Chunked { url } => write!(f, "The answer of {url} comes in chunks (Transfer-Encoding: chunked)."),
            Self::NoLength { url } => write!(f, "The answer of {url} has no Content-Length."),
            Self::Encoded { url, encoding } => write!(f, "The answer of {url} is compressed ({encoding})."),
            Self::MediaType { url, found } if found.is_empty() => {
                write!(f, "The answer of {url} has no Content-Type; application/soap+xml is expected.")
            }
            Self::MediaType { url, found } => {
                write!(f, "The answer of {url} is {found}; application/soap+xml is expected.")
            }
            Self::Empty { url } => write!(f, "The answer of {url} is empty."),
            Self::NotSoap { url, cause } => write!(f, "The answer of {url} cannot be read: {cause}."),
            Self::Fault { url, reason, reference, .. } => {
                write!(f, "{url} refused: {reason}")?;
                reference.as_ref().map_or(Ok(()), |reference| write!(f, " (reference {reference})"))
            }
            Self::ServiceAddress { service, address } => {
                write!(f, "The address of the {service} service that discovery names is no https address: {address}.")
            }
            Self::ServicesApart { policy, enrollment } => {
                write!(f, "The policy service is on {policy}, the enrollment service on {enrollment}.")
            }
            Self::ForeignPolicy { policy } => {
                write!(f, "Discovery answers with the policy {policy}, which the PC did not offer.")
            }
            Self::ShortKey { bits } => write!(f, "The policy asks for a key of {bits} bits."),
            Self::OtherServer { authority } => write!(f, "The way leads to {authority}, which is another server."),
            Self::TooSlow { seconds } => write!(f, "The way took longer than {seconds} s."),
            Self::ClockApart { ahead_seconds } => {
                let side = if *ahead_seconds > 0 { "ahead of" } else { "behind" };
                write!(f, "The server's clock is {} {side} this machine's.", lasting(ahead_seconds.unsigned_abs()))
            }
        }
    }
}

/// A length of time in its largest units.
fn lasting(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} days {hours} h"),
    }
}

fn stamp(time: OffsetDateTime) -> String {
    time.to_offset(UtcOffset::UTC).format(STAMP).unwrap_or_default()
}

const STAMP: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
