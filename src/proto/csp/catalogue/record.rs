//! One node of the catalogue: what its description says, as facts.
//!
//! The JSON form of a [`Record`] is one line of the catalogue file (see [`super::file`]); it is also what the DDF importer
//! makes and what the API shows. Names follow the DDF schema of OMA-DM 1.2 and Microsoft's additions to it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::edition::Editions;
use crate::proto::syncml::Verb;

/// Text that many records share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// What is known of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The full path; a segment in braces stands for names that come about on the device.
    pub path: Text,
    /// The configuration service provider; `Policy` for all policy areas.
    pub csp: Text,
    /// Whose tree it is in.
    pub scope: Scope,
    /// The policy area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Text>,
    /// The commands that it takes.
    pub access: Access,
    /// The format of its value; `node` for interior nodes.
    pub format: Format,
    /// How often it occurs below its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<Occurrence>,
    /// Whether it can come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Lifetime>,
    /// The MIME type, where it is not `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<Text>,
    /// Whether its name or value is read with or without regard to case, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// The value without any setting, as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Text>,
    /// The first builds that have it; without any, no limit is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub os: Vec<Text>,
    /// The version of the CSP that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csp_version: Option<Text>,
    /// The editions that have it; an empty set is none at all, a missing one no known limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editions: Option<Editions>,
    /// Which of `os`, `csp_version` and `editions` an ancestor says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherited: Vec<Applicability>,
    /// What it takes as value, or, on interior nodes, as name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Box<Allowed>>,
    /// How names come about, where the last segment stands for many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Box<Dynamic>>,
    /// Whether it is deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Deprecated>,
    /// `Automatic` or `ServerInitiated`: a change takes a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Text>,
    /// Whether the node and all below it belong in one Atomic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub atomic: bool,
    /// Which value wins where several are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Text>,
    /// The group policy with the same effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gp: Option<Box<GroupPolicy>>,
    /// What must hold for it to work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<Dependency>,
    /// The older collection it is known from, where the newest lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Text>,
}

impl Record {
    /// The last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the last segment stands for names that come about on the device.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.dynamic.is_some()
    }

    /// Whether it holds other nodes rather than a value.
    #[must_use]
    pub fn is_interior(&self) -> bool {
        self.format == Format::Node
    }
}

/// Whose tree a node is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The device's.
    Device,
    /// That of a user.
    User,
}

/// A set of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// The commands that a description can name, in alphabetical order.
    pub const VERBS: [Verb; 6] = [Verb::Add, Verb::Copy, Verb::Delete, Verb::Exec, Verb::Get, Verb::Replace];

    /// The set with one more.
    #[must_use]
    pub fn with(self, verb: Verb) -> Self {
        Self(self.0 | Self::bit(verb))
    }

    /// Whether a command is in the set.
    #[must_use]
    pub fn allows(self, verb: Verb) -> bool {
        self.0 & Self::bit(verb) != 0
    }

    /// The commands of the set, in alphabetical order.
    pub fn verbs(self) -> impl Iterator<Item = Verb> {
        Self::VERBS.into_iter().filter(move |verb| self.allows(*verb))
    }

    fn bit(verb: Verb) -> u8 {
        Self::VERBS.iter().position(|known| *known == verb).map_or(0, |place| 1 << place)
    }
}

impl Serialize for Access {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.verbs().map(Verb::name))
    }
}

impl<'de> Deserialize<'de> for Access {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        names.iter().try_fold(Self::default(), |access, name| {
            let verb = Verb::from_name(name).filter(|verb| Self::VERBS.contains(verb));
            verb.map(|verb| access.with(verb)).ok_or_else(|| serde::de::Error::custom("an unknown command"))
        })
    }
}

/// Formats of OMA-DM 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the specification")]
pub enum Format {
    B64,
    Bin,
    Bool,
    Chr,
    Date,
    Float,
    Int,
    Node,
    Null,
    Time,
    Xml,
}

impl Format {
    const ALL: [(Self, &'static str); 11] = [
        (Self::B64, "b64"),
        (Self::Bin, "bin"),
        (Self::Bool, "bool"),
        (Self::Chr, "chr"),
        (Self::Date, "date"),
        (Self::Float, "float"),
        (Self::Int, "int"),
        (Self::Node, "node"),
        (Self::Null, "null"),
        (Self::Time, "time"),
        (Self::Xml, "xml"),
    ];

    /// The word of the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }

    /// The format of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(format, _)| *format)
    }
}

/// How often a node occurs below its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the specification")]
pub enum Occurrence {
    One,
    ZeroOrOne,
    ZeroOrMore,
    OneOrMore,
    ZeroOrN,
    OneOrN,
}

/// Whether a node can come and go; the DDF calls it scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lifetime {
    /// It is always there.
    Permanent,
    /// It can be made or removed.
    Dynamic,
}

/// Regard to case, where the description says something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Case {
    /// Insensitive.
    Cis,
    /// Sensitive.
    Cs,
}

/// Parts of a statement about builds and editions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applicability {
    /// The version of the CSP.
    CspVersion,
    /// The editions.
    Editions,
    /// The first builds.
    Os,
}

/// How the names of a dynamic node come about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dynamic {
    /// The rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming: Option<Naming>,
    /// What the names are, in a word of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Text>,
    /// The expression that a name matches as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Text>,
}

/// Where the names of dynamic nodes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Naming {
    /// From what is on the device.
    ClientInventory,
    /// From the server, anything unique.
    ServerGeneratedUniqueIdentifier,
    /// By a rule of the CSP.
    UniqueName,
}

/// `true` in JSON where no build is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Deprecated {
    /// Always `true`: since when is not said.
    Sometime(bool),
    /// The first build that deprecates it.
    Since(Text),
}

/// The group policy with the same effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupPolicy {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<Text>,
    /// Which part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<Text>,
}

/// A group of conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its name.
    pub id: Option<Text>,
    /// The conditions; all must hold.
    pub on: Vec<Condition>,
    /// What the node takes instead while they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Allowed>,
}

/// A condition on another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Whether the other node must have one of the values, or must not.
    pub r#type: ConditionKind,
    /// The other node; dynamic segments stand in square brackets.
    pub uri: Text,
    /// The values.
    pub allowed: Allowed,
}

/// Whether a condition asks for a value or excludes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConditionKind {
    /// The other node has one of the values.
    DependsOn,
    /// It has none of them.
    Not,
}

/// What a node takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AllowedJson", into = "AllowedJson")]
pub struct Allowed {
    /// The values.
    pub domain: Domain,
    /// The delimiter, where the value is a list of them.
    pub list: Option<Text>,
}

/// The values that a node takes, by the kind of description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Described in words only.
    None,
    /// One of these.
    Enum(Vec<Text>),
    /// A combination of bits.
    Flag {
        /// The bits as they are listed.
        values: Vec<Text>,
        /// All of them together.
        mask: u64,
    },
    /// An integer between two bounds, both included.
    Range {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A range that is written as a set; occurs in conditions only.
    Set(Vec<Text>),
    /// An expression that the value matches as a whole.
    RegEx(Text),
    /// XML that follows the schema of that digest.
    Xsd(Text),
    /// The payload of a policy that an ADMX file describes.
    Admx {
        /// The category path.
        area: Option<Text>,
        /// The policy.
        name: Option<Text>,
        /// The file.
        file: Option<Text>,
    },
    /// JSON; an example may be given.
    Json(Option<Text>),
    /// A security descriptor.
    Sddl,
}

/// The flat JSON form of [`Allowed`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedJson {
    kind: std::borrow::Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Text>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xsd: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    example: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    area: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<Text>,
}

impl TryFrom<AllowedJson> for Allowed {
    type Error = String;

    fn try_from(json: AllowedJson) -> Result<Self, String> {
        let kind = json.kind;
        let missing = |what: &str| format!("allowed values of kind {kind} without {what}");
        let domain = match &*kind {
            "None" => Domain::None,
            "ENUM" => Domain::Enum(json.values.ok_or_else(|| missing("values"))?),
            "Flag" => Domain::Flag {
                values: json.values.ok_or_else(|| missing("values"))?,
                mask: json.mask.ok_or_else(|| missing("mask"))?,
            },
            "Range" => match (json.min, json.max, json.values) {
                (Some(min), Some(max), None) => Domain::Range { min, max },
                (None, None, Some(values)) => Domain::Set(values),
                _ => return Err(missing("bounds")),
            },
            "RegEx" => Domain::RegEx(json.pattern.ok_or_else(|| missing("pattern"))?),
            "XSD" => Domain::Xsd(json.xsd.ok_or_else(|| missing("schema"))?),
            "ADMX" => Domain::Admx { area: json.area, name: json.name, file: json.file },
            "JSON" => Domain::Json(json.example),
            "SDDL" => Domain::Sddl,
            _ => return Err("allowed values of an unknown kind".to_owned()),
        };
        Ok(Self { domain, list: json.list })
    }
}

impl From<Allowed> for AllowedJson {
    fn from(allowed: Allowed) -> Self {
        let mut json = Self { kind: allowed.domain.kind().into(), list: allowed.list, ..Self::default() };
        match allowed.domain {
            Domain::None | Domain::Sddl => {}
            Domain::Enum(values) | Domain::Set(values) => json.values = Some(values),
            Domain::Flag { values, mask } => (json.values, json.mask) = (Some(values), Some(mask)),
            Domain::Range { min, max } => (json.min, json.max) = (Some(min), Some(max)),
            Domain::RegEx(pattern) => json.pattern = Some(pattern),
            Domain::Xsd(digest) => json.xsd = Some(digest),
            Domain::Admx { area, name, file } => (json.area, json.name, json.file) = (area, name, file),
            Domain::Json(example) => json.example = example,
        }
        json
    }
}

impl Domain {
    /// The kind of description, in the word of the DDF.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Enum(_) => "ENUM",
            Self::Flag { .. } => "Flag",
            Self::Range { .. } | Self::Set(_) => "Range",
            Self::RegEx(_) => "RegEx",
            Self::Xsd(_) => "XSD",
            Self::Admx { .. } => "ADMX",
            Self::Json(_) => "JSON",
            Self::Sddl => "SDDL",
        }
    }
}

impl Domain {
    /// Without an example, which is prose and sets no limit.
    #[must_use]
    pub fn without_example(self) -> Self {
        match self {
            Self::Json(_) => Self::Json(None),
            other => other,
        }
    }
}

impl fmt::Display for Allowed {
    /// The values, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.as_deref() {
            Some("\u{F000}") => write!(f, "a list with U+F000 between the items, each {}", self.domain),
            Some(delimiter) => write!(f, "a list with {delimiter} between the items, each {}", self.domain),
            None => fmt::Display::fmt(&self.domain, f),
        }
    }
}

impl fmt::Display for Domain {
    /// The values, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("as its description says in words"),
            Self::Enum(values) | Self::Set(values) => write!(f, "one of {}", join(values)),
            Self::Flag { values, .. } => write!(f, "a combination of the bits {}", join(values)),
            Self::Range { min, max } => write!(f, "between {min} and {max}"),
            Self::RegEx(pattern) => write!(f, "text that matches {pattern} as a whole"),
            Self::Xsd(digest) => write!(f, "XML by the schema {digest}"),
            Self::Admx { .. } => f.write_str("<enabled/>, <disabled/> or <enabled/> with <data id=\"…\" value=\"…\"/>"),
            Self::Json(_) => f.write_str("JSON"),
            Self::Sddl => f.write_str("a security descriptor (SDDL)"),
        }
    }
}

fn join(values: &[Text]) -> String {
    values.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
}

impl Allowed {
    /// The texts in it that other records are likely to have too.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut Text> {
        let (listed, single): (&mut [Text], [Option<&mut Text>; 2]) = match &mut self.domain {
            Domain::Enum(values) | Domain::Set(values) | Domain::Flag { values, .. } => (values, [None, None]),
            Domain::RegEx(text) | Domain::Xsd(text) => (&mut [], [Some(text), None]),
            Domain::Admx { area, file, .. } => (&mut [], [area.as_mut(), file.as_mut()]),
            Domain::None | Domain::Range { .. } | Domain::Json(_) | Domain::Sddl => (&mut [], [None, None]),
        };
        listed.iter_mut().chain(single.into_iter().flatten()).chain(&mut self.list)
    }
}
