//! The judge: overrides first, then what devices have shown, then the catalogue.

use std::collections::HashSet;

use super::answers::{NodeAnswer, NodeSign};
use super::overrides::{NodeOverride, Overrides, Ruling};
use crate::domain::inventory::MissingNode;
use crate::proto::csp::catalogue::{Beyond, Build, Catalogue, Check, ErrorKind, Found, Refusal, Warning};
use crate::proto::syncml::{Command, Item, Verb, node_key, same_node, status_words};

/// What is known when a command is judged.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'k> {
    /// What descriptions say.
    pub catalogue: &'k Catalogue,
    /// What administrators decided.
    pub overrides: &'k Overrides,
    /// What the device and its like have shown.
    pub evidence: &'k Evidence,
}

/// What a device, and others of its build and edition, have shown.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How devices of the same build and edition answered.
    pub answers: Vec<NodeAnswer>,
    /// Nodes that this device answered it does not have, on the build that it has now.
    pub missing: Vec<MissingNode>,
    /// Nodes of which this device told the value on the build that it has now, as [`node_key`]s.
    pub reported: HashSet<String>,
    /// Roots of the CSPs that this device has, as [`node_key`]s; empty where it did not tell.
    pub csps: HashSet<String>,
}

/// The answer to a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What stands against it.
    pub objection: Option<Objection>,
    /// What should be known.
    pub remarks: Vec<Remark>,
    /// The override that decided.
    pub decided_by: Option<NodeOverride>,
}

/// Why a command may not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Stable word for programs: a kind of error of the catalogue, or `refused_by_override`.
    pub kind: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// Addresses that may be meant.
    pub suggestions: Vec<String>,
}

/// What should be known of a command that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Stable word for programs.
    pub kind: &'static str,
    /// In words.
    pub message: String,
}

impl From<Warning> for Remark {
    fn from(warning: Warning) -> Self {
        Self { kind: warning.kind.name(), message: warning.message }
    }
}

impl From<Refusal> for Objection {
    fn from(refusal: Refusal) -> Self {
        Self { kind: refusal.kind.name(), message: refusal.message, suggestions: refusal.suggestions }
    }
}

impl Judge<'_> {
    /// Judges a command.
    #[must_use]
    pub fn judge(&self, check: &Check<'_>) -> Verdict {
        let Some(decided) = self.overrides.decisive(check) else { return self.by_evidence(check, Beyond::default()) };
        let mut verdict = match &decided.ruling {
            Ruling::Allow => Verdict::default(),
            Ruling::Refuse => Verdict { objection: Some(refused(decided)), ..Verdict::default() },
            Ruling::Values(allowed) => self.by_evidence(check, Beyond { allowed: Some(allowed), ..Beyond::default() }),
        };
        if verdict.objection.is_none() {
            let words = format!("by an override of {}: {}", decided.made_by, decided.reason);
            verdict.remarks.push(Remark { kind: "override", message: words });
        }
        verdict.decided_by = Some(decided.clone());
        verdict
    }

    /// The catalogue's answer, where nothing was shown that contradicts it.
    fn by_evidence(&self, check: &Check<'_>, beyond: Beyond<'_>) -> Verdict {
        let answer = self.catalogue.check_knowing(check, &beyond);
        let found = self.catalogue.find(check.uri);
        let refusal = match answer {
            Ok(warnings) => {
                let mut remarks: Vec<Remark> = warnings.into_iter().map(Remark::from).collect();
                remarks.extend(found.and_then(|found| self.doubt(&found, check)));
                return Verdict { remarks, ..Verdict::default() };
            }
            Err(refusal) => refusal,
        };
        let shown = self.shown(found.as_ref(), check, refusal.kind);
        let Some(shown) = shown else { return Verdict { objection: Some(refusal.into()), ..Verdict::default() } };
        let proof = Remark { kind: "shown", message: shown };
        if refusal.kind == ErrorKind::UnknownNode {
            return Verdict { remarks: vec![proof], ..Verdict::default() };
        }
        let beyond = Beyond { is_there: true, takes_it: self.works(found.as_ref(), check), ..beyond };
        match self.catalogue.check_knowing(check, &beyond) {
            Ok(warnings) => {
                let remarks = std::iter::once(proof).chain(warnings.into_iter().map(Remark::from)).collect();
                Verdict { remarks, ..Verdict::default() }
            }
            Err(refusal) => Verdict { objection: Some(refusal.into()), ..Verdict::default() },
        }
    }

    /// What proves, in words, that a refusal of that kind does not hold on the device.
    fn shown(&self, found: Option<&Found<'_, '_>>, check: &Check<'_>, kind: ErrorKind) -> Option<String> {
        let reported = self.evidence.reported.contains(&node_key(check.uri));
        match kind {
            ErrorKind::UnknownNode if reported && check.verb == Verb::Get => {
                Some("no description knows the node, but the device reported it".to_owned())
            }
            ErrorKind::NotApplicableOs | ErrorKind::NotApplicableEdition if reported => {
                Some("by its description the device does not have the node, but it reported it".to_owned())
            }
            ErrorKind::OpNotAllowed | ErrorKind::NotApplicableOs | ErrorKind::NotApplicableEdition
                if self.works(found, check) =>
            {
                Some(format!(
                    "against its description, {} worked on devices of this build and edition",
                    check.verb.name()
                ))
            }
            _ => None,
        }
    }

    /// Whether the command has worked on a device of this build and edition, at no higher revision.
    fn works(&self, found: Option<&Found<'_, '_>>, check: &Check<'_>) -> bool {
        let Some(found) = found else { return false };
        self.answers(found, check.verb).any(|answer| {
            answer.sign() == Some(NodeSign::Works)
                && revision(check.build).is_none_or(|own| answer.first_revision <= own)
        })
    }

    /// What speaks against a command that the catalogue has nothing against.
    fn doubt(&self, found: &Found<'_, '_>, check: &Check<'_>) -> Option<Remark> {
        let remark = |message: String| Some(Remark { kind: "refused_before", message });
        let own = self.evidence.missing.iter().find(|node| same_node(&node.loc_uri, check.uri));
        if let Some(node) = own {
            return remark(format!("this device answered {} to the node on this build", said(node.status)));
        }
        if self.works(Some(found), check) {
            return None;
        }
        let mut refusals: Vec<&NodeAnswer> = self
            .answers(found, check.verb)
            .filter(|answer| revision(check.build).is_none_or(|own| own <= answer.last_revision))
            .collect();
        refusals.sort_by_key(|answer| std::cmp::Reverse(answer.answers));
        let most = refusals.first()?;
        remark(format!(
            "devices of this build and edition answered {} to {} {}",
            said(most.status),
            check.verb.name(),
            times(most.answers)
        ))
    }

    fn answers<'a>(&'a self, found: &'a Found<'_, '_>, verb: Verb) -> impl Iterator<Item = &'a NodeAnswer> {
        let path = found.record().path.as_str();
        self.evidence.answers.iter().filter(move |answer| answer.verb == verb && answer.path == path)
    }
}

fn refused(decided: &NodeOverride) -> Objection {
    Objection {
        kind: "refused_by_override",
        message: format!("{} decided that it is not sent: {}", decided.made_by, decided.reason),
        suggestions: Vec::new(),
    }
}

fn revision(build: Option<Build>) -> Option<u32> {
    build.and_then(|build| build.revision)
}

fn said(status: u16) -> String {
    format!("{status} ({})", status_words(crate::proto::syncml::StatusCode(status)))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// One Item of a list of commands, to be judged.
#[derive(Clone, Debug)]
pub struct ItemCheck<'c> {
    /// Where it stands, such as `Atomic[1]/Replace[2]/Item[1]`.
    pub place: String,
    /// The command.
    pub verb: Verb,
    /// The Item.
    pub item: &'c Item,
    /// The format of its value, where one is written for it or for the command.
    pub format: Option<&'c str>,
    /// Whether an Atomic is around it.
    pub is_in_atomic: bool,
}

impl<'c> ItemCheck<'c> {
    /// The check for a device of that build and edition; `None` without an address.
    #[must_use]
    pub fn check(&self, build: Option<Build>, edition: Option<u32>) -> Option<Check<'c>> {
        Some(Check {
            uri: self.item.target.as_ref()?.as_str(),
            verb: self.verb,
            format: self.format,
            value: self.item.data.as_ref().map(|data| data.text()),
            build,
            edition,
        })
    }
}

/// Every Item of a list of commands, those of Atomic and Sequence too, each with its place.
#[must_use]
pub fn items(commands: &[Command]) -> Vec<ItemCheck<'_>> {
    let mut found = Vec::new();
    gather(commands, "", false, &mut found);
    found
}

fn gather<'c>(commands: &'c [Command], above: &str, is_in_atomic: bool, found: &mut Vec<ItemCheck<'c>>) {
    for (index, command) in commands.iter().enumerate() {
        let place = format!("{above}{}[{}]", command.verb.name(), index + 1);
        for (index, item) in command.items.iter().enumerate() {
            let format = item.meta.format.as_deref().or(command.meta.format.as_deref());
            let place = format!("{place}/Item[{}]", index + 1);
            found.push(ItemCheck { place, verb: command.verb, item, format, is_in_atomic });
        }
        let is_in_atomic = is_in_atomic || command.verb == Verb::Atomic;
        gather(&command.children, &format!("{place}/"), is_in_atomic, found);
    }
}
