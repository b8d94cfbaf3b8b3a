//! What is wrong, in a sentence, for whoever runs the doctor.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::Problem;

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
