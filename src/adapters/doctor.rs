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
    Answer, Expected, Handshake, Names, Problem, Report, Stage, Step, Target, Verdict, discover,
    enrollment_without_credential, judge_answer, judge_chain, judge_clock, judge_discovery, judge_names,
    judge_policies, judge_probe, judge_root, policies, policies_without_credential,
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
    /// The device host, where PCs go after their enrollment; nothing outside of one names it.
    pub device: Option<Url>,
    /// Whom to sign in as with the policy service; without one it is only seen whether it is there.
    pub credential: Option<Credential>,
}

/// Walks from a target to the end, or as far as there is something to go on with.
pub async fn examine(target: &Target, settings: &Settings) -> Report {
    let mut walk = Walk::begin(settings);
    walk.whole_way(target).await;
    walk.end()
}

/// The same within a time; what was met until then is told.
pub async fn examine_within(limit: Duration, target: &Target, settings: &Settings) -> Report {
    let mut walk = Walk::begin(settings);
    if timeout(limit, walk.whole_way(target)).await.is_err() {
        let problem = Problem::TooSlow { seconds: limit.as_secs() };
        walk.report.add(Stage::Connect, target.discovery.as_str(), Verdict::Fault(problem));
    }
    walk.end()
}

struct Walk<'a> {
    settings: &'a Settings,
    report: Report,
    /// Hosts that were looked at, with what leads there; `None` where nothing does.
    known: Vec<(String, Option<Wire>)>,
    /// The time that each host tells.
    clocks: Vec<(String, Verdict)>,
    /// The hosts of the services to which discovery led.
    services: Vec<String>,
}

impl<'a> Walk<'a> {
    fn begin(settings: &'a Settings) -> Self {
        Self { settings, report: Report::default(), known: Vec::new(), clocks: Vec::new(), services: Vec::new() }
    }

    fn end(mut self) -> Report {
        for (host, verdict) in self.clocks {
            self.report.add(Stage::Clock, &host, verdict);
        }
        // A name may lead to the right host by another way: a redirect, a balancer, another view of DNS.
        let expected = self.settings.expected.as_deref().unwrap_or_default();
        let is_there = |host: &String| host.eq_ignore_ascii_case(expected);
        if !self.services.is_empty() && self.services.iter().all(is_there) {
            for step in &mut self.report.steps {
                if let Verdict::Fault(problem @ Problem::LeadsElsewhere { .. }) = &step.verdict {
                    step.verdict = Verdict::Warning(problem.clone());
                }
            }
        }
        self.report
    }

    async fn whole_way(&mut self, target: &Target) {
        self.until_sign_in(target).await;
        if let Some(device) = &self.settings.device {
            self.device(device).await;
        }
    }

    async fn until_sign_in(&mut self, target: &Target) {
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
                Ok(answer) => {
                    self.clock(&url, &answer);
                    answer
                }
                Err(error) => {
                    self.failed(Stage::Probe, &url, error);
                    return None;
                }
            };
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
        if let Some((policy, enrollment)) = &services {
            self.services = [policy, enrollment].iter().filter_map(|url| url.host_str()).map(str::to_owned).collect();
        }
        services
    }

    async fn policy(&mut self, url: &Url) {
        let Some(wire) = self.host(url).await else { return };
        let Some(credential) = &self.settings.credential else {
            return self.service(Stage::Policy, url, policies_without_credential(url)).await;
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

    async fn enrollment(&mut self, url: &Url) {
        self.service(Stage::Enrollment, url, enrollment_without_credential(url)).await;
    }

    /// Whether a service is at its address: it has to ask for the credential that the message does not hold.
    async fn service(&mut self, stage: Stage, url: &Url, message: Vec<u8>) {
        let Some(answer) = self.post(stage, url, message, false).await else { return };
        let (mut verdicts, _) = judge_answer(&answer, Expected::FaultWithoutCredential);
        if verdicts.is_empty() {
            verdicts.push(Verdict::Good("is there; no credential was sent".to_owned()));
        }
        self.report.add_all(stage, url.as_str(), verdicts);
    }

    /// TCP and TLS of the device host, which asks for a client certificate as it should. No more can be seen without one.
    async fn device(&mut self, url: &Url) {
        let Some(authority) = authority(url) else { return };
        let begins_at = self.report.steps.len();
        self.meet(url, &authority).await;
        let mut told = self.report.steps.split_off(begins_at);
        let known: Vec<&Step> = self.report.steps.iter().filter(|step| step.stage == Stage::Dns).collect();
        told.retain(|step| {
            // It asks for a certificate as it should, and a PC has got the root of the organization by then.
            let is_right = matches!(
                step.verdict.problem(),
                Some(Problem::AsksForCertificate { .. } | Problem::PrivateRoot { .. })
            );
            let is_told = step.stage == Stage::Dns && known.iter().any(|known| known.subject == step.subject);
            !is_right && !is_told
        });
        for step in &mut told {
            if let Verdict::Good(words) = &mut step.verdict {
                words.insert_str(0, "the device host, where PCs go once they are enrolled: ");
            }
        }
        self.report.steps.append(&mut told);
    }

    async fn post(&mut self, stage: Stage, url: &Url, body: Vec<u8>, is_secret: bool) -> Option<Answer> {
        let wire = self.host(url).await?;
        match wire.post(url, Post { body, is_secret }).await {
            Ok(answer) => {
                self.clock(url, &answer);
                Some(answer)
            }
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
        let wires = Wire::each(url, names.addresses, &settings.roots, settings.patience)?;
        let (host, now) = (url.host_str()?, SystemClock.now());
        let judge = |seen: &Handshake| {
            let mut verdicts = judge_chain(seen, host, &settings.roots, now);
            if let Some(public) = &settings.public {
                verdicts.extend(judge_root(seen, host, (&settings.roots, public), now));
            }
            verdicts
        };
        let (mut way, mut stopped) = (None, Vec::new());
        for (wire, shown) in Wire::handshakes(wires).await {
            let verdicts = shown.map(|seen| judge(&seen));
            match (verdicts, &way) {
                (Ok(verdicts), None) => way = Some((wire, verdicts)),
                (Ok(verdicts), Some((_, first))) => {
                    // What is the same at each address is told once.
                    let found = verdicts.iter().filter_map(Verdict::problem);
                    let known = |problem: &&Problem| first.iter().any(|verdict| verdict.problem() == Some(*problem));
                    let others = found.filter(|problem| !known(problem)).cloned();
                    stopped.push((wire.address, Stage::Tls, others.map(Verdict::Warning).collect()));
                }
                (Err(error), _) => {
                    let stage = if error.is_tls() { Stage::Tls } else { Stage::Connect };
                    stopped.push((wire.address, stage, vec![unless_no_route(error, authority)]));
                }
            }
        }
        let Some((wire, verdicts)) = way else {
            // The handshake that failed tells more than an address that is not there.
            let told = stopped.iter().find(|(_, stage, _)| *stage == Stage::Tls);
            let told =
                told.or_else(|| stopped.iter().find(|(_, _, verdicts)| verdicts.iter().any(|v| v.problem().is_some())));
            let (_, stage, verdicts) = told.or_else(|| stopped.last())?;
            for verdict in verdicts {
                let problem = match verdict {
                    Verdict::Warning(problem) => problem.clone(),
                    other => Problem::Unreachable { authority: authority.to_owned(), cause: other.words() },
                };
                self.report.add(*stage, url.as_str(), Verdict::Fault(problem));
            }
            return None;
        };
        let is_trusted = self.report.add_all(Stage::Tls, authority, verdicts);
        // Resolvers give this name both addresses of the machine itself, whether or not something listens there.
        stopped.retain(|_| host != "localhost");
        for (address, stage, verdicts) in stopped {
            let address = address.to_string();
            // Who is shown the result of a self-test is told no addresses, and not what this machine cannot reach.
            let subject = if settings.only.is_some() { authority } else { &address };
            let told = verdicts.into_iter().filter(|v| settings.only.is_none() || v.problem().is_some());
            self.report.add_all(stage, subject, told.collect());
        }
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
        let mut verdicts = judge_names(&names, expected.as_ref());
        let unknown = expected.as_ref().filter(|expected| expected.failure.is_some());
        let unknown = unknown.filter(|_| settings.only.is_some());
        // Whether the name leads to this server is not known then.
        verdicts.retain(|verdict| unknown.is_none() || verdict.problem().is_some());
        let passes = self.report.add_all(Stage::Dns, &host, verdicts);
        if let Some(expected) = unknown {
            // Nothing leads on from here.
            self.report.add_all(Stage::Dns, &expected.host, judge_names(expected, None));
        }
        if settings.only.is_some() {
            // Who may have the name in hand does not choose what is connected to.
            names.addresses = expected.map_or(names.addresses, |expected| expected.addresses);
            names.addresses.retain(|_| passes);
        }
        Some(names).filter(|names| !names.addresses.is_empty())
    }

    /// The first `Date` of each host.
    fn clock(&mut self, url: &Url, answer: &Answer) {
        let host = url.host_str().unwrap_or_default();
        if !self.clocks.iter().any(|(known, _)| known == host)
            && let Some(verdict) = judge_clock(answer.header("date"), SystemClock.now())
        {
            self.clocks.push((host.to_owned(), verdict));
        }
    }

    fn failed(&mut self, stage: Stage, url: &Url, error: WireError) {
        let authority = authority(url).unwrap_or_default();
        let problem = problem_of(error, &authority, url.as_str());
        self.report.add(stage, url.as_str(), Verdict::Fault(problem));
    }
}

fn problem_of(error: WireError, authority: &str, url: &str) -> Problem {
    let authority = authority.to_owned();
    match error {
        WireError::NoRoute(cause) | WireError::Connect(cause) => Problem::Unreachable { authority, cause },
        WireError::Tls(cause) => Problem::Handshake { authority, cause },
        WireError::Answer(cause) => Problem::NoAnswer { url: url.to_owned(), cause },
    }
}

/// What a PC may stop at; an address that this machine has no way to is not looked at.
fn unless_no_route(error: WireError, authority: &str) -> Verdict {
    match error {
        WireError::NoRoute(cause) => Verdict::Skipped(format!("this machine has no way there: {cause}")),
        error => Verdict::Warning(problem_of(error, authority, authority)),
    }
}

fn authority(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// Redirects of a probe that are followed.
const MOST_REDIRECTS: usize = 4;
