//! The certificates of the server: whether a PC that trusts certain roots accepts them for this host, and if not, why.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::{Problem, Verdict};

/// What was seen of a handshake.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    /// The certificates as sent, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// Whether the server asked for a client certificate.
    pub asked: bool,
    /// The version of TLS, in words.
    pub version: String,
}

/// Judges a handshake with `host` (a name or an address).
#[must_use]
pub fn judge_chain(seen: &Handshake, host: &str, roots: &Arc<RootCertStore>, now: OffsetDateTime) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let certificates: Vec<X509Certificate<'_>> = seen
        .chain
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate))
        .collect();
    let Some(leaf) = certificates.first().filter(|_| certificates.len() == seen.chain.len()) else {
        let cause = "what the server sent cannot be read".to_owned();
        return vec![Verdict::Fault(Problem::Untrusted { cause })];
    };
    // What is over and in nobody's way is no fault: servers send old cross-signed roots beside a good path.
    let needless: Vec<Problem> = match verify(seen, host, roots, now) {
        Ok(()) => dates(&certificates, now).collect(),
        Err(error) if is_of_name(&error) => dates(&certificates, now).collect(),
        Err(_) => Vec::new(),
    };
    let mut add = |problem| verdicts.push(Verdict::Fault(problem));
    if needless.is_empty() {
        dates(&certificates, now).for_each(&mut add);
    }
    path(seen, &certificates, host, roots, now).into_iter().for_each(&mut add);
    if let Some(problem) = wrong_name(seen, leaf, host) {
        add(problem);
    }
    let ends = leaf.validity().not_after.to_datetime();
    if ends > now && ends - now < SOON {
        verdicts.push(Verdict::Warning(Problem::ExpiresSoon { subject: name(leaf.subject()), on: ends }));
    }
    if seen.asked {
        verdicts.push(Verdict::Warning(Problem::AsksForCertificate { authority: host.to_owned() }));
    }
    if !verdicts.iter().any(|verdict| matches!(verdict, Verdict::Fault(_))) {
        let issuer = name(leaf.issuer());
        let mut words = format!("{}, certificate by \"{issuer}\" until {}", seen.version, ends.date());
        for problem in needless {
            words.push_str(&format!(
                "; needless and best not sent along: {}",
                problem.to_string().trim_end_matches('.')
            ));
        }
        verdicts.insert(0, Verdict::Good(words));
    }
    verdicts
}

/// Whether a handshake that was found good is so only for those who have `roots`: the root that is not one of `public`, which
/// every PC has.
#[must_use]
pub fn judge_root(
    seen: &Handshake,
    host: &str,
    (roots, public): (&Arc<RootCertStore>, &Arc<RootCertStore>),
    now: OffsetDateTime,
) -> Option<Verdict> {
    if verify(seen, host, roots, now).is_err() || verify(seen, host, public, now).is_ok() {
        return None;
    }
    let top = X509Certificate::from_der(seen.chain.last()?).ok()?.1;
    Some(Verdict::Warning(Problem::PrivateRoot { root: name(top.issuer()) }))
}

fn dates<'a>(certificates: &'a [X509Certificate<'a>], now: OffsetDateTime) -> impl Iterator<Item = Problem> + 'a {
    certificates.iter().filter_map(move |certificate| {
        let (from, to) = period(certificate);
        let subject = name(certificate.subject());
        if to < now {
            Some(Problem::Expired { subject, on: to, now })
        } else if from > now {
            Some(Problem::NotYetValid { subject, from, now })
        } else {
            None
        }
    })
}

fn period(certificate: &X509Certificate<'_>) -> (OffsetDateTime, OffsetDateTime) {
    let validity = certificate.validity();
    (validity.not_before.to_datetime(), validity.not_after.to_datetime())
}

/// Whether the chain leads to a root, at a time when all of it is valid: wrong dates are told for themselves.
fn path(
    seen: &Handshake,
    certificates: &[X509Certificate<'_>],
    host: &str,
    roots: &Arc<RootCertStore>,
    now: OffsetDateTime,
) -> Option<Problem> {
    let latest = certificates.iter().map(|certificate| period(certificate).0).max()?;
    let is_good =
        |at| verify(seen, host, roots, at).or_else(|error| if is_of_name(&error) { Ok(()) } else { Err(error) });
    if is_good(now).is_ok() {
        return None;
    }
    let at = if dates(certificates, now).next().is_none() { now } else { latest + Duration::SECOND };
    let error = is_good(at).err()?;
    if !matches!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer)) {
        return Some(Problem::Untrusted { cause: error.to_string() });
    }
    // From the leaf as far as the server leads.
    let mut last = certificates.first()?;
    for _ in certificates {
        let issuer = certificates.iter().find(|other| other.subject() == last.issuer());
        match issuer {
            Some(issuer) if issuer.subject() != last.subject() => last = issuer,
            _ => break,
        }
    }
    Some(if last.subject() == last.issuer() {
        Problem::UntrustedRoot { root: name(last.subject()) }
    } else {
        Problem::IncompleteChain { last: name(last.subject()), issuer: name(last.issuer()) }
    })
}

fn verify(seen: &Handshake, host: &str, roots: &Arc<RootCertStore>, at: OffsetDateTime) -> Result<(), Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let mut chain = seen.chain.iter().map(|der| CertificateDer::from(der.as_slice()));
    let leaf = chain.next().ok_or(Error::NoCertificatesPresented)?;
    let rest: Vec<_> = chain.collect();
    let name = server_name(host).ok_or_else(|| Error::General("the host has no name".to_owned()))?;
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(StdDuration::from_secs(seconds));
    verifier.verify_server_cert(&leaf, &rest, &name, &[], at).map(|_| ())
}

/// Whether the chain is good, and only the name is not: names are looked at last.
fn is_of_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

fn wrong_name(seen: &Handshake, leaf: &X509Certificate<'_>, host: &str) -> Option<Problem> {
    let der = CertificateDer::from(seen.chain.first()?.as_slice());
    let matches = ParsedCertificate::try_from(&der)
        .ok()
        .zip(server_name(host))
        .is_some_and(|(certificate, name)| verify_server_name(&certificate, &name).is_ok());
    if matches {
        return None;
    }
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let names =
        alternative.map(|extension| extension.value.general_names.iter().filter_map(spelled).take(10).collect());
    Some(Problem::NameMismatch { host: host.to_owned(), names: names.unwrap_or_default() })
}

fn spelled(general: &GeneralName<'_>) -> Option<String> {
    match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => Some(std::net::IpAddr::from(four).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|sixteen| std::net::IpAddr::from(sixteen).to_string()),
        },
        _ => None,
    }
}

fn server_name(host: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()
}

/// The common name, or all of it where there is none.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    let text = common.map_or_else(|| name.to_string(), str::to_owned);
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// A public certificate is renewed a month before its end; with three weeks left that did not happen.
const SOON: Duration = Duration::days(21);
