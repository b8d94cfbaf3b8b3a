//! Whether a command on a node is right: one named error, or none and what should be known all the same.

use std::fmt::{self, Write as _};

use super::build::Build;
use super::edition::{HOLOGRAPHIC, describe_edition};
use super::record::{Allowed, ConditionKind, Dependency, Deprecated, Format, Record};
use super::tree::{Found, without_query};
use super::{Catalogue, value};
use crate::proto::syncml::Verb;

/// A command on a node, and the device it is for.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// The address as it would be sent.
    pub uri: &'a str,
    /// The command.
    pub verb: Verb,
    /// The format of the value; `None`: not said, and not judged.
    pub format: Option<&'a str>,
    /// The value; `None`: there is none, or it is not known yet.
    pub value: Option<&'a str>,
    /// The build of the device; `None`: not known, and not judged.
    pub build: Option<Build>,
    /// The edition of the device; likewise.
    pub edition: Option<u32>,
}

impl<'a> Check<'a> {
    /// A command without a value, on no device in particular.
    #[must_use]
    pub fn new(uri: &'a str, verb: Verb) -> Self {
        Self { uri, verb, format: None, value: None, build: None, edition: None }
    }
}

/// What is known of a node beyond its description.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beyond<'a> {
    /// The device has the node, whatever is said of builds and editions.
    pub is_there: bool,
    /// The node takes the command.
    pub takes_it: bool,
    /// What it takes as value, instead of what the description says.
    pub allowed: Option<&'a Allowed>,
}

/// Kinds of error, in the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// No description knows the node.
    UnknownNode,
    /// A name on the way breaks the rule of its node.
    DynamicNameBad,
    /// The node does not take the command.
    OpNotAllowed,
    /// The build of the device does not have the node.
    NotApplicableOs,
    /// The edition of the device does not have the node.
    NotApplicableEdition,
    /// The format is another, or the value is none of the format.
    WrongFormat,
    /// The value is none of those that are listed.
    ValueNotInEnum,
    /// The value has a bit that none of the listed ones has.
    BadFlag,
    /// The value lies outside the bounds.
    ValueOutOfRange,
    /// The value does not match the expression.
    RegexMismatch,
}

impl ErrorKind {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::UnknownNode,
        Self::DynamicNameBad,
        Self::OpNotAllowed,
        Self::NotApplicableOs,
        Self::NotApplicableEdition,
        Self::WrongFormat,
        Self::ValueNotInEnum,
        Self::BadFlag,
        Self::ValueOutOfRange,
        Self::RegexMismatch,
    ];

    /// The word of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownNode => "unknown_node",
            Self::DynamicNameBad => "dynamic_name_bad",
            Self::OpNotAllowed => "op_not_allowed",
            Self::NotApplicableOs => "not_applicable_os",
            Self::NotApplicableEdition => "not_applicable_edition",
            Self::WrongFormat => "wrong_format",
            Self::ValueNotInEnum => "value_not_in_enum",
            Self::BadFlag => "bad_flag",
            Self::ValueOutOfRange => "value_out_of_range",
            Self::RegexMismatch => "regex_mismatch",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a command is not right. It never holds the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The kind of error.
    pub kind: ErrorKind,
    /// What is wrong and what would be right.
    pub message: String,
    /// Addresses that may be meant, best first; only where the node is not known.
    pub suggestions: Vec<String>,
}

impl Refusal {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), suggestions: Vec::new() }
    }
}

/// What should be known although the command is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// In words.
    pub message: String,
}

/// Kinds of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WarningKind {
    /// It works only while another node has a value.
    Depends,
    /// It belongs in one Atomic with what is around it.
    Atomic,
    /// Microsoft has deprecated the node.
    Deprecated,
    /// Microsoft does not list it for HoloLens 2.
    HoloLens,
    /// A part could not be judged.
    Unjudged,
}

impl WarningKind {
    /// The word of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Depends => "depends",
            Self::Atomic => "atomic",
            Self::Deprecated => "deprecated",
            Self::HoloLens => "hololens",
            Self::Unjudged => "unjudged",
        }
    }
}

impl Catalogue {
    /// Judges a command. The first rule that it breaks is the answer.
    pub fn check(&self, check: &Check<'_>) -> Result<Vec<Warning>, Refusal> {
        self.check_knowing(check, &Beyond::default())
    }

    /// The same, where more is known than the descriptions say.
    pub fn check_knowing(&self, check: &Check<'_>, beyond: &Beyond<'_>) -> Result<Vec<Warning>, Refusal> {
        let found = self.check_name(check)?;
        if !beyond.takes_it {
            check_access(&found, check)?;
        }
        if !beyond.is_there {
            check_build(found.record, check)?;
            check_edition(found.record, check)?;
        }
        if carries_value(check.verb) && !found.is_ingested() {
            value::check(&found, check, beyond.allowed)?;
        }
        Ok(self.warnings(&found, check))
    }

    /// Finds the node, and judges the names on the way.
    pub fn check_name<'u>(&self, check: &Check<'u>) -> Result<Found<'_, 'u>, Refusal> {
        let path = if check.verb == Verb::Get { without_query(check.uri) } else { check.uri };
        let found = self.find_path(path).ok_or_else(|| self.unknown(path))?;
        let Some((record, _)) = found.bad_names().next() else { return Ok(found) };
        let rule = record.dynamic.as_ref().and_then(|dynamic| dynamic.pattern.as_deref()).unwrap_or_default();
        let message = format!("the name that stands for {} is not as the CSP asks: {rule}", record.path);
        Err(Refusal::new(ErrorKind::DynamicNameBad, message))
    }

    fn unknown(&self, uri: &str) -> Refusal {
        let suggestions = self.suggest(uri);
        let mut message = "no such node is known".to_owned();
        if let Some(best) = suggestions.first() {
            let case_only = best.eq_ignore_ascii_case(uri);
            let words = if case_only { "; written exactly it is" } else { "; did you mean" };
            let mark = if case_only { "" } else { "?" };
            let _ = write!(message, "{words} {best}{mark}");
        }
        Refusal { kind: ErrorKind::UnknownNode, message, suggestions }
    }

    fn warnings(&self, found: &Found<'_, '_>, check: &Check<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |kind, message| warnings.push(Warning { kind, message });
        let record = found.record;
        if let Some(words) = deprecated(record, check.build) {
            warn(WarningKind::Deprecated, words);
        }
        if check.edition.is_some_and(|edition| HOLOGRAPHIC.contains(&edition))
            && let Some(words) = self.head.hololens.doubt(record)
        {
            warn(WarningKind::HoloLens, words);
        }
        if check.verb == Verb::Get {
            return warnings;
        }
        if let Some(root) = found.atomic_root() {
            warn(WarningKind::Atomic, format!("{} and all below it belong in one Atomic", root.path));
        }
        if carries_value(check.verb) {
            for group in &record.depends {
                warn(WarningKind::Depends, dependency(group));
            }
            if check.format.is_none() && check.value.is_some() && record.format != Format::Chr {
                let format = record.format.name();
                warn(WarningKind::Unjudged, format!("no format is given; the node has {format}"));
            }
        }
        warnings
    }
}

fn carries_value(verb: Verb) -> bool {
    matches!(verb, Verb::Add | Verb::Replace)
}

fn check_access(found: &Found<'_, '_>, check: &Check<'_>) -> Result<(), Refusal> {
    let access = found.record.access;
    if access.allows(check.verb) {
        return Ok(());
    }
    let verbs: Vec<&str> = access.verbs().map(Verb::name).collect();
    let message = format!("the node does not take {}; it takes {}", check.verb.name(), verbs.join(", "));
    Err(Refusal::new(ErrorKind::OpNotAllowed, message))
}

fn check_build(record: &Record, check: &Check<'_>) -> Result<(), Refusal> {
    let Some(build) = check.build.filter(|_| !record.os.is_empty()) else { return Ok(()) };
    if build.is_covered_by(&record.os) {
        return Ok(());
    }
    let first: Vec<String> = record.os.iter().filter_map(|entry| Build::parse(entry)).map(|b| b.to_string()).collect();
    let message = match first.as_slice() {
        [] => "by its description no released build has the node".to_owned(),
        first => format!("build {build} does not have the node; it came with {}", first.join(", ")),
    };
    Err(Refusal::new(ErrorKind::NotApplicableOs, message))
}

fn check_edition(record: &Record, check: &Check<'_>) -> Result<(), Refusal> {
    let (Some(edition), Some(editions)) = (check.edition, &record.editions) else { return Ok(()) };
    if editions.contains(edition) {
        return Ok(());
    }
    let edition = describe_edition(edition);
    let names: Vec<String> = editions.as_slice().iter().map(|edition| describe_edition(*edition)).collect();
    let message = match names.as_slice() {
        [] => "by its description no edition has the node".to_owned(),
        names => format!("edition {edition} does not have the node; these do: {}", names.join(", ")),
    };
    Err(Refusal::new(ErrorKind::NotApplicableEdition, message))
}

fn deprecated(record: &Record, build: Option<Build>) -> Option<String> {
    match record.deprecated.as_ref()? {
        Deprecated::Sometime(_) => Some("the node is deprecated".to_owned()),
        Deprecated::Since(since) => {
            let counts = build.is_none_or(|build| build.is_covered_by(std::slice::from_ref(&since.as_str())));
            counts.then(|| format!("the node is deprecated since {since}"))
        }
    }
}

fn dependency(group: &Dependency) -> String {
    let mut words = "it has an effect only where ".to_owned();
    for (index, condition) in group.on.iter().enumerate() {
        let and = if index > 0 { ", and " } else { "" };
        let is = match condition.r#type {
            ConditionKind::DependsOn => "is",
            ConditionKind::Not => "is not",
        };
        let _ = write!(words, "{and}{} {is} {}", condition.uri, condition.allowed.domain);
    }
    if let Some(changed) = &group.changes {
        let _ = write!(words, "; then it takes {}", changed.domain);
    }
    words
}
