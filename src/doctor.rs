//! Layer 2: what is wrong on the way of a PC to its server, from outside: names, TLS, HTTP, discovery, policy, clock.
//!
//! Sans-IO: `adapters::doctor` walks the way and hands in what it met; here it is judged, with the words for the person who
//! has to mend it. The order of the steps is the order in which Windows meets the faults (enrollment reference 2.1 to 3),
//! so the first fault of a [`Report`] is the one that a PC stops at.

mod answer;
mod chain;
mod clock;
mod messages;
mod names;
mod problem;
mod target;

pub use answer::{Answer, Expected, judge_answer, judge_probe};
pub use chain::{Handshake, judge_chain, judge_root};
pub use clock::judge_clock;
pub use messages::{
    discover, enrollment_without_credential, is_own, judge_discovery, judge_policies, policies,
    policies_without_credential,
};
pub use names::{NameFailure, Names, judge_names};
pub use problem::Problem;
pub use target::{Target, TargetError};

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name of the host and what it leads to.
    Dns,
    /// TCP.
    Connect,
    /// The handshake and the certificates.
    Tls,
    /// Whether somebody answers at the address of discovery.
    Probe,
    /// MS-MDE2 Discover.
    Discovery,
    /// MS-XCEP GetPolicies.
    Policy,
    /// Whether the enrollment service is at its address; nothing is enrolled.
    Enrollment,
    /// The time that each host tells: what a PC minds of it is in its certificate.
    Clock,
}

impl Stage {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Probe,
        Self::Discovery,
        Self::Policy,
        Self::Enrollment,
        Self::Clock,
    ];

    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Probe => "probe",
            Self::Discovery => "discovery",
            Self::Policy => "policy",
            Self::Enrollment => "enrollment",
            Self::Clock => "clock",
        }
    }
}

/// What was found at one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// In order; the words say what was seen.
    Good(String),
    /// PCs get past it, but somebody should look.
    Warning(Problem),
    /// PCs do not get past it.
    Fault(Problem),
    /// Not looked at, and why.
    Skipped(String),
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Good(_) => "good",
            Self::Warning(_) => "warning",
            Self::Fault(_) => "fault",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What is wrong, if something is.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Warning(problem) | Self::Fault(problem) => Some(problem),
            Self::Good(_) | Self::Skipped(_) => None,
        }
    }

    /// A sentence for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Good(words) | Self::Skipped(words) => words.clone(),
            Self::Warning(problem) | Self::Fault(problem) => problem.to_string(),
        }
    }
}

/// One step of the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which part of the way.
    pub stage: Stage,
    /// The name, host or address that was looked at.
    pub subject: String,
    /// What was found.
    pub verdict: Verdict,
}

/// The whole way, in the order in which a PC goes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Report {
    /// Adds a step.
    pub fn add(&mut self, stage: Stage, subject: &str, verdict: Verdict) {
        self.steps.push(Step { stage, subject: subject.to_owned(), verdict });
    }

    /// Adds what was found at one place; several things may be wrong with it. True when no fault is among them.
    pub fn add_all(&mut self, stage: Stage, subject: &str, verdicts: Vec<Verdict>) -> bool {
        let passes = !verdicts.iter().any(|verdict| matches!(verdict, Verdict::Fault(_)));
        for verdict in verdicts {
            self.add(stage, subject, verdict);
        }
        passes
    }

    /// The first fault: what a PC stops at.
    #[must_use]
    pub fn first_fault(&self) -> Option<&Problem> {
        self.faults().next()
    }

    /// Every fault.
    pub fn faults(&self) -> impl Iterator<Item = &Problem> {
        self.steps.iter().filter_map(|step| match &step.verdict {
            Verdict::Fault(problem) => Some(problem),
            _ => None,
        })
    }

    /// Whether nothing stops a PC.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.first_fault().is_none()
    }

    /// Whether it is so for those PCs only that have the root of the server, which is none that Windows knows.
    #[must_use]
    pub fn needs_private_root(&self) -> bool {
        self.steps.iter().any(Step::needs_private_root)
    }
}

impl Step {
    /// Whether only PCs that have a private root get past it.
    #[must_use]
    pub fn needs_private_root(&self) -> bool {
        matches!(self.verdict.problem(), Some(Problem::PrivateRoot { .. }))
    }
}
