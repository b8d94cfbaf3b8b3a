//! Decisions of administrators about nodes; they go before the catalogue.

use time::OffsetDateTime;

use crate::domain::Id;
use crate::proto::csp::catalogue::{Allowed, Build, Check, Domain, is_expression};
use crate::proto::syncml::unescape_segment;

/// What an administrator decided about a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeOverride {
    /// Identifier.
    pub id: Id<Self>,
    /// The node: a segment in braces stands for any one name, `*` at the end for every node below.
    pub path: String,
    /// The edition for which it holds; `None`: for all.
    pub edition: Option<u32>,
    /// The build from which on it holds, and the revision in its branch; `None`: for all.
    pub from_build: Option<Build>,
    /// What was decided.
    pub ruling: Ruling,
    /// Why.
    pub reason: String,
    /// Who.
    pub made_by: String,
    /// When.
    pub made_at: OffsetDateTime,
}

/// What is decided about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Whatever the catalogue says, it may be sent.
    Allow,
    /// Whatever the catalogue says, it may not be sent.
    Refuse,
    /// It takes these values instead.
    Values(Allowed),
}

impl Ruling {
    /// The ruling of a word, with the values that it may need.
    #[must_use]
    pub fn of(name: &str, allowed: Option<Allowed>) -> Option<Self> {
        match (name, allowed) {
            ("allow", None) => Some(Self::Allow),
            ("refuse", None) => Some(Self::Refuse),
            ("values", Some(allowed)) => Some(Self::Values(allowed)),
            _ => None,
        }
    }

    /// The word of the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
            Self::Values(_) => "values",
        }
    }
}

/// Why something is no override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// The path is not one of a node.
    #[error("a path begins with ./ and has no empty segment; {{Name}} stands for any one name, a last * for all below")]
    Path,
    /// The path is too long.
    #[error("a path has at most {LONGEST_PATH} bytes")]
    TooLong,
    /// The expression is not understood.
    #[error("the pattern is no regular expression that this server understands")]
    Pattern,
    /// Values that cannot be compared with anything.
    #[error("values of that kind set no limit; use allow")]
    NoLimit,
}

/// Longest path of an override.
const LONGEST_PATH: usize = 512;

impl NodeOverride {
    /// Judges the form of a path and a ruling.
    pub fn check(path: &str, ruling: &Ruling) -> Result<(), OverrideError> {
        if path.len() > LONGEST_PATH {
            return Err(OverrideError::TooLong);
        }
        let segments: Vec<&str> = segments(path).ok_or(OverrideError::Path)?.collect();
        let inner_star = segments.split_last().is_some_and(|(_, above)| above.contains(&"*"));
        let odd = |segment: &&str| segment.is_empty() || matches!(*segment, "." | "..") || has_odd_character(segment);
        if inner_star || segments.iter().any(odd) || segments == ["*"] {
            return Err(OverrideError::Path);
        }
        match ruling {
            Ruling::Allow | Ruling::Refuse => Ok(()),
            Ruling::Values(Allowed { domain, .. }) => match domain {
                Domain::RegEx(pattern) if !is_expression(pattern) => Err(OverrideError::Pattern),
                Domain::RegEx(_) | Domain::Enum(_) | Domain::Set(_) | Domain::Flag { .. } | Domain::Range { .. } => {
                    Ok(())
                }
                Domain::None | Domain::Xsd(_) | Domain::Admx { .. } | Domain::Json(_) | Domain::Sddl => {
                    Err(OverrideError::NoLimit)
                }
            },
        }
    }

    /// Whether it holds for that node and device. One for an edition or a build holds only where those are known.
    #[must_use]
    pub fn holds_for(&self, check: &Check<'_>) -> bool {
        let edition = self.edition.is_none_or(|edition| check.edition == Some(edition));
        let build = self.from_build.is_none_or(|from| {
            let from = [from.to_string()];
            check.build.is_some_and(|build| build.is_covered_by(&from))
        });
        edition && build && self.names(check.uri)
    }

    /// For what it holds, as text: of one scope there is one override.
    #[must_use]
    pub fn scope(&self) -> String {
        let path = segments(&self.path).map(|names| names.collect::<Vec<_>>().join("/")).unwrap_or_default();
        let edition = self.edition.map(|edition| format!("{edition:X}")).unwrap_or_default();
        let build = self.from_build.map(|build| build.to_string()).unwrap_or_default();
        format!("{path} {edition} {build}")
    }

    fn names(&self, uri: &str) -> bool {
        let path = uri.split('?').next().unwrap_or_default();
        let (Some(mut own), Some(mut asked)) = (segments(&self.path), segments(path)) else { return false };
        loop {
            match (own.next(), asked.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => return true,
                (Some(own), Some(asked)) if is_placeholder(own) || is_same_name(own, asked) => {}
                _ => return false,
            }
        }
    }

    /// The more is said, the more it counts.
    fn weight(&self) -> (bool, usize, bool, bool) {
        let names = segments(&self.path).map_or(0, |own| own.filter(|name| !is_placeholder(name)).count());
        (!self.path.ends_with("/*"), names, self.edition.is_some(), self.from_build.is_some())
    }
}

/// Everything that was decided.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<NodeOverride>);

impl Overrides {
    /// In the order in which they count.
    #[must_use]
    pub fn new(mut overrides: Vec<NodeOverride>) -> Self {
        overrides.sort_by_key(|decided| std::cmp::Reverse((decided.weight(), decided.made_at)));
        Self(overrides)
    }

    /// The one that decides about a command: the one that says most about node and device, of equals the newest.
    #[must_use]
    pub fn decisive(&self, check: &Check<'_>) -> Option<&NodeOverride> {
        self.0.iter().find(|decided| decided.holds_for(check))
    }

    /// Every one that is about a node, whatever the device.
    pub fn about<'a>(&'a self, uri: &'a str) -> impl Iterator<Item = &'a NodeOverride> {
        self.0.iter().filter(move |decided| decided.names(uri))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The segments behind `.`, those of `./Device/Vendor` as of `./Vendor`.
fn segments(path: &str) -> Option<std::str::Split<'_, char>> {
    let rest = path.strip_prefix("./")?;
    Some(rest.strip_prefix("Device/").filter(|rest| rest.starts_with("Vendor/")).unwrap_or(rest).split('/'))
}

fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

fn is_same_name(own: &str, asked: &str) -> bool {
    own == asked || unescape_segment(own) == unescape_segment(asked)
}

fn has_odd_character(segment: &str) -> bool {
    segment.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::syncml::Verb;

    fn decided(path: &str, edition: Option<u32>, from: Option<&str>, ruling: Ruling) -> NodeOverride {
        NodeOverride {
            id: Id::new(uuid::Uuid::nil()),
            path: path.to_owned(),
            edition,
            from_build: from.and_then(Build::parse),
            ruling,
            reason: String::new(),
            made_by: String::new(),
            made_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_path_names_nodes() {
        let cases = [
            ("./Vendor/MSFT/A/B", "./Device/Vendor/MSFT/A/B", true),
            ("./Device/Vendor/MSFT/A/B", "./Vendor/MSFT/A/B?list=Struct", true),
            ("./Vendor/MSFT/A/B", "./Vendor/MSFT/A", false),
            ("./Vendor/MSFT/A/B", "./User/Vendor/MSFT/A/B", false),
            ("./Vendor/MSFT/A/{Name}/C", "./Vendor/MSFT/A/x%2Fy/C", true),
            ("./Vendor/MSFT/A/{Name}/C", "./Vendor/MSFT/A/x/y/C", false),
            ("./Vendor/MSFT/A/*", "./Vendor/MSFT/A/B/C", true),
            ("./Vendor/MSFT/A/*", "./Vendor/MSFT/A", false),
            ("./Vendor/MSFT/A/My Node", "./Vendor/MSFT/A/My%20Node", true),
        ];
        for (path, uri, expected) in cases {
            assert_eq!(decided(path, None, None, Ruling::Allow).names(uri), expected, "{path} {uri}");
        }
    }

    #[test]
    fn the_one_that_says_most_decides() {
        let overrides = Overrides::new(vec![
            decided("./Vendor/MSFT/A/*", None, None, Ruling::Refuse),
            decided("./Vendor/MSFT/A/{X}", None, None, Ruling::Refuse),
            decided("./Vendor/MSFT/A/B", None, None, Ruling::Allow),
            decided("./Vendor/MSFT/A/B", Some(4), None, Ruling::Refuse),
            decided("./Vendor/MSFT/A/B", Some(4), Some("22621.2000"), Ruling::Allow),
        ]);
        let ruling = |uri, edition, build| {
            let check = Check { edition, build: Build::parse(build), ..Check::new(uri, Verb::Get) };
            overrides.decisive(&check).map(|decided| decided.ruling.name())
        };
        assert_eq!(ruling("./Vendor/MSFT/A/B", None, ""), Some("allow"));
        assert_eq!(ruling("./Vendor/MSFT/A/B", Some(4), "22631.1"), Some("refuse"));
        assert_eq!(ruling("./Vendor/MSFT/A/B", Some(4), "22631.2000"), Some("allow"));
        assert_eq!(ruling("./Vendor/MSFT/A/B", Some(4), "26100.1"), Some("allow"));
        assert_eq!(ruling("./Vendor/MSFT/A/C", Some(4), ""), Some("refuse"));
        assert_eq!(ruling("./Vendor/MSFT/B", Some(4), ""), None);
        assert_eq!(overrides.about("./Vendor/MSFT/A/B").count(), 5);
    }

    #[test]
    fn odd_overrides_are_refused() {
        let cases = [
            ("Vendor/MSFT/A", OverrideError::Path),
            ("./", OverrideError::Path),
            ("./*", OverrideError::Path),
            ("./Vendor//A", OverrideError::Path),
            ("./Vendor/*/A", OverrideError::Path),
            ("./Vendor/../A", OverrideError::Path),
            ("./Vendor/A\n", OverrideError::Path),
        ];
        for (path, error) in cases {
            assert_eq!(NodeOverride::check(path, &Ruling::Allow), Err(error), "{path}");
        }
        let long = format!("./{}", "x".repeat(600));
        assert_eq!(NodeOverride::check(&long, &Ruling::Allow), Err(OverrideError::TooLong));
        let values = |domain| Ruling::Values(Allowed { domain, list: None });
        let path = "./Vendor/MSFT/A/{B}/*";
        assert_eq!(NodeOverride::check(path, &values(Domain::RegEx("(".into()))), Err(OverrideError::Pattern));
        assert_eq!(NodeOverride::check(path, &values(Domain::None)), Err(OverrideError::NoLimit));
        assert_eq!(NodeOverride::check(path, &values(Domain::Range { min: 0, max: 1 })), Ok(()));
    }
}
