//! Walks the way of a PC to its server and hands what it meets to `doctor`: names, a connection, the certificates, answers.
//!
//! It uses only what a PC has. Where a certificate is not good it goes on, to see what else is wrong, but sends no
//! credential there.

mod dns;
mod self_test;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use tokio::time::timeout;
use url::Url;

use crate::adapters::system::SystemClock;
use crate::doctor::{
    Answer, Expected, Names, Problem, Report, Stage, Target, Verdict, discover, judge_answer, judge_chain, judge_clock,
    judge_discovery, judge_names, judge_policies, judge_probe, judge_root, judge_service, policies,
    policies_without_credential,
};
use crate::proto::soap::security::Credential;

pub use dns::Resolver;
pub use self_test::SelfWalker;
use wire::{Post, Wire, WireError};

/// How to walk.
#[derive(Debug)]
pub struct Settings {
    /// Who tells about names.
    pub resolver: Resolver,
    /// The roots that the PCs trust.
    pub roots: Arc<RootCertStore>,
    /// Those of them that every PC has; where they do not vouch for the server, that is told. `None`: it is not asked.
    pub public: Option<Arc<RootCertStore>>,
    /// Longest time for a connection, a handshake, an answer.
    pub patience: Duration,
    /// The host that the name should lead to, where that is known.
    pub expected: Option<String>,
    /// The only hosts with their ports (`host:port`) that are gone to, at the addresses of the expected host where there is
    /// one; `None`: wherever the way leads.
    pub only: Option<Vec<String>>,
    /// Whom to sign in as with the policy service; without one it is only seen whether it is there.
    pub credential: Option<Credential>,
}

/// Walks from a target to the end, or as far as there is something to go on with.
pub async fn examine(target: &Target, settings: &Settings) -> Report {
    let mut walk = Walk::begin(settings);
    walk.whole_way(target).await;
    walk.report
}

/// The same within a time; what was met until then is told.
pub async fn examine_within(limit: Duration, target: &Target, settings: &Settings) -> Report {
    let mut walk = Walk::begin(settings);
    if timeout(limit, walk.whole_way(target)).await.is_err() {
        let problem = Problem::TooSlow { seconds: limit.as_secs() };
        walk.report.add(Stage::Connect, target.discovery.as_str(), Verdict::Fault(problem));
    }
    walk.report
}

struct Walk<'a> {
    settings: &'a Settings,
    report: Report,
    /// Hosts that were looked at, with what leads there; `None` where nothing does.
    known: Vec<(String, Option<Wire>)>,
}

impl<'a> Walk<'a> {
    fn begin(settings: &'a Settings) -> Self {
        Self { settings, report: Report::default(), known: Vec::new() }
    }

    async fn whole_way(&mut self, target: &Target) {
        let Some(discovery) = self.probe(target).await else { return };
        let Some((policy, enrollment)) = self.discovery(&discovery, &target.some_user()).await else { return };
        self.policy(&policy).await;
        self.enrollment(&enrollment).await;
    }

    /// Asks whether somebody is there; the address where discovery is asked.
    async fn probe(&mut self, target: &Target) -> Option<Url> {
        let mut url = target.discovery.clone();
        for _ in 0..MOST_REDIRECTS {
            let wire = self.host(&url).await?;
            let answer = match wire.get(&url).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.failed(Stage::Probe, &url, error);
                    return None;
                }
            };
            self.clock(&url, &answer);
            let (verdict, next) = judge_probe(&answer);
            let is_fault = matches!(verdict, Verdict::Fault(_));
            self.report.add(Stage::Probe, url.as_str(), verdict);
            match next {
                Some(next) => url = next,
                // A probe that is led to nowhere ends it; an odd status may be of the GET alone.
                None if is_fault && (300..400).contains(&answer.status) => return None,
                None => return Some(url),
            }
        }
        let url = url.to_string();
        self.report.add(Stage::Probe, &url.clone(), Verdict::Fault(Problem::RedirectedTooOften { url }));
        None
    }

    async fn discovery(&mut self, url: &Url, email: &str) -> Option<(Url, Url)> {
        let answer = self.post(Stage::Discovery, url, discover(url, email), false).await?;
        let (mut verdicts, envelope) = judge_answer(&answer, Expected::Response);
        let mut services = None;
        if let Some(envelope) = envelope {
            let (more, found) = judge_discovery(&envelope, url.as_str());
            let is_clean = verdicts.is_empty();
            // What is good about an answer that Windows refuses is beside the point.
            verdicts.extend(more.into_iter().filter(|verdict| is_clean || verdict.problem().is_some()));
            services = found;
        }
        self.report.add_all(Stage::Discovery, url.as_str(), verdicts);
        services
    }

    async fn policy(&mut self, url: &Url) {
        let Some(wire) = self.host(url).await else { return };
        let Some(credential) = &self.settings.credential else {
            let message = policies_without_credential(url);
            let Some(answer) = self.post(Stage::Policy, url, message, false).await else { return };
            let (mut verdicts, _) = judge_answer(&answer, Expected::FaultWithoutCredential);
            if verdicts.is_empty() {
                verdicts.push(Verdict::Good("is there; no credential was sent".to_owned()));
            }
            self.report.add_all(Stage::Policy, url.as_str(), verdicts);
            return;
        };
        if !wire.is_trusted {
            let words = "the credential is not sent where the certificate is not good".to_owned();
            self.report.add(Stage::Policy, url.as_str(), Verdict::Skipped(words));
            return;
        }
        let message = policies(url, credential);
        let Some(answer) = self.post(Stage::Policy, url, message, true).await else { return };
        let (mut verdicts, envelope) = judge_answer(&answer, Expected::Response);
        if let Some(envelope) = envelope.filter(|_| verdicts.is_empty()) {
            verdicts.push(judge_policies(&envelope, url.as_str()));
        }
        self.report.add_all(Stage::Policy, url.as_str(), verdicts);
    }

    /// A GET: nothing is enrolled by it, and what answers shows whether something stands there.
    async fn enrollment(&mut self, url: &Url) {
        let Some(wire) = self.host(url).await else { return };
        let verdict = match wire.get(url).await {
            Ok(answer) => judge_service(&answer),
            Err(error) => return self.failed(Stage::Enrollment, url, error),
        };
        self.report.add(Stage::Enrollment, url.as_str(), verdict);
    }

    async fn post(&mut self, stage: Stage, url: &Url, body: Vec<u8>, is_secret: bool) -> Option<Answer> {
        let wire = self.host(url).await?;
        match wire.post(url, Post { body, is_secret }).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.failed(stage, url, error);
                None
            }
        }
    }

    /// The way to a host, with its name and its certificates judged when it is met first.
    async fn host(&mut self, url: &Url) -> Option<Wire> {
        let authority = authority(url)?;
        if let Some((_, wire)) = self.known.iter().find(|(known, _)| *known == authority) {
            return wire.clone();
        }
        if self.settings.only.as_ref().is_some_and(|only| !only.contains(&authority)) {
            let problem = Problem::OtherServer { authority: authority.clone() };
            self.report.add(Stage::Connect, &authority, Verdict::Fault(problem));
            self.known.push((authority, None));
            return None;
        }
        let wire = self.meet(url, &authority).await;
        self.known.push((authority, wire.clone()));
        wire
    }

    async fn meet(&mut self, url: &Url, authority: &str) -> Option<Wire> {
        let settings = self.settings;
        let is_first = self.known.is_empty();
        let names = self.names(url, is_first).await?;
        let wire = Wire::new(url, names.addresses, &settings.roots, settings.patience)?;
        let seen = match wire.handshake().await {
            Ok(seen) => seen,
            Err(error) => {
                self.failed(if error.is_tls() { Stage::Tls } else { Stage::Connect }, url, error);
                return None;
            }
        };
        let (host, now) = (url.host_str()?, SystemClock.now());
        let mut verdicts = judge_chain(&seen, host, &settings.roots, now);
        if let Some(public) = &settings.public {
            verdicts.extend(judge_root(&seen, host, (&settings.roots, public), now));
        }
        let is_trusted = self.report.add_all(Stage::Tls, authority, verdicts);
        Some(wire.trusted(is_trusted))
    }

    /// The addresses of a host.
    async fn names(&mut self, url: &Url, is_first: bool) -> Option<Names> {
        let settings = self.settings;
        let host = match url.host()? {
            url::Host::Domain(name) => name.to_owned(),
            url::Host::Ipv4(address) => return Some(Names::of_address(address.into())),
            url::Host::Ipv6(address) => return Some(Names::of_address(address.into())),
        };
        let expected = async {
            match settings.expected.as_deref().filter(|_| is_first) {
                Some(expected) => Some(settings.resolver.names(expected).await),
                None => None,
            }
        };
        let (mut names, expected) = tokio::join!(settings.resolver.names(&host), expected);
        let passes = self.report.add_all(Stage::Dns, &host, judge_names(&names, expected.as_ref()));
        if settings.only.is_some() {
            // Who may have the name in hand does not choose what is connected to.
            names.addresses = expected.map_or(names.addresses, |expected| expected.addresses);
            names.addresses.retain(|_| passes);
        }
        Some(names).filter(|names| !names.addresses.is_empty())
    }

    fn clock(&mut self, url: &Url, answer: &Answer) {
        let host = url.host_str().unwrap_or_default();
        if !self.report.steps.iter().any(|step| step.stage == Stage::Clock)
            && let Some(verdict) = judge_clock(answer.header("date"), SystemClock.now())
        {
            self.report.add(Stage::Clock, host, verdict);
        }
    }

    fn failed(&mut self, stage: Stage, url: &Url, error: WireError) {
        let authority = authority(url).unwrap_or_default();
        let problem = match error {
            WireError::Connect(cause) => Problem::Unreachable { authority, cause },
            WireError::Tls(cause) => Problem::Handshake { authority, cause },
            WireError::Answer(cause) => Problem::NoAnswer { url: url.to_string(), cause },
        };
        self.report.add(stage, url.as_str(), Verdict::Fault(problem));
    }
}

fn authority(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Redirects of a probe that are followed.
const MOST_REDIRECTS: usize = 4;
