//! What can be wrong.

mod fix;
mod words;

use time::OffsetDateTime;

/// Something that is wrong on the way of a PC to its server. `Display` says what, [`fix`](Self::fix) what to do;
/// [`code`](Self::code) is for programs.
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
}
