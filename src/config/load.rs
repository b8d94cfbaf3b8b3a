//! From text and environment to a checked [`Config`], with a place for every complaint.
//!
//! A variable of the environment is parsed as a small document of its own behind as much padding as puts its positions
//! after the file's; so one position tells file and variables apart.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::{Config, HttpsUrl, check};

/// The first thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// In `muster.toml`.
    #[error("muster.toml line {line}: {}{problem}", key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
    File {
        /// Which line, from 1.
        line: usize,
        /// Which key, as `section.key`.
        key: Option<String>,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// In a variable of the environment.
    #[error("environment variable {name}: {problem}")]
    Environment {
        /// Which variable.
        name: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// The beginning of the variables that are ours.
const PREFIX: &str = "MUSTER__";

pub(super) fn load(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let mut overrides = Overrides::read(environment, text.len())?;
    overrides.variables.sort_by(|a, b| a.name.cmp(&b.name));
    let in_text = Places { text, overrides: &overrides, keys: BTreeMap::new() };
    let parsed = DeTable::parse(text).map_err(|e| in_text.error(e.span(), e.message()))?;
    let span = parsed.span();
    let mut root = parsed.into_inner();
    for variable in &overrides.variables {
        let document = DeTable::parse(&variable.document).map_err(|e| in_text.error(e.span(), e.message()))?;
        merge(&mut root, document.into_inner());
    }
    let places = Places { keys: keys(&root), ..in_text };
    let config = Config::deserialize(Deserializer::from(Spanned::new(span, root)))
        .map_err(|e| places.error(e.span(), e.message()))?;
    match check::problem(&config) {
        Some(problem) => Err(places.error(places.find(problem.key), &problem.expected)),
        None => Ok(config),
    }
}

struct Overrides {
    variables: Vec<Variable>,
}

struct Variable {
    name: String,
    document: String,
    /// Where this variable's positions begin.
    base: usize,
}

impl Overrides {
    fn read(environment: impl IntoIterator<Item = (String, String)>, end: usize) -> Result<Self, ConfigError> {
        let defaults = defaults();
        let mut base = end + 1;
        let mut variables = Vec::new();
        for (name, value) in environment {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let Some((section, key)) = section_and_key(rest) else {
                let problem = "expected a name of the form MUSTER__SECTION__KEY".to_owned();
                return Err(ConfigError::Environment { name, problem });
            };
            if defaults.get(&section).is_some_and(toml::Value::is_array) {
                let problem = format!("[[{section}]] is a list, which is set in muster.toml alone");
                return Err(ConfigError::Environment { name, problem });
            }
            let default = defaults.get(&section).and_then(|section| section.get(&key));
            let line = format!("{section}.{key} = {}", written(&value, default));
            let document = format!("{}{line}\n", "\n".repeat(base));
            variables.push(Variable { name, base, document });
            base += line.len() + 2;
        }
        Ok(Self { variables })
    }

    fn at(&self, position: usize) -> Option<&Variable> {
        self.variables.iter().filter(|variable| variable.base <= position).max_by_key(|variable| variable.base)
    }
}

/// What the keys hold when nobody sets them, to know which take text.
fn defaults() -> toml::Table {
    let url = HttpsUrl::parse("https://localhost").expect("that is a URL");
    toml::Table::try_from(Config::with_defaults(url)).expect("every value has a TOML form")
}

fn section_and_key(name: &str) -> Option<(String, String)> {
    let (section, key) = name.split_once("__")?;
    let is_bare = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_bare(section) && is_bare(key)).then(|| (section.to_ascii_lowercase(), key.to_ascii_lowercase()))
}

/// The value as TOML: as it stands where the key takes no text and it is TOML, else as a string.
fn written(value: &str, default: Option<&toml::Value>) -> String {
    let takes_text = default.is_none_or(toml::Value::is_str);
    if !takes_text && !value.contains('\n') && DeValue::parse(value).is_ok() {
        return value.to_owned();
    }
    toml::Value::from(value).to_string()
}

/// Puts the one key of a variable's document in its place.
fn merge<'i>(root: &mut DeTable<'i>, document: DeTable<'i>) {
    for (section, value) in document {
        let existing = root.iter_mut().find(|(name, _)| name.get_ref() == section.get_ref());
        match existing.map(|(_, existing)| existing.get_mut()) {
            Some(DeValue::Table(keys)) => {
                let DeValue::Table(new) = value.into_inner() else { continue };
                for (key, value) in new {
                    // Removed first, because an insertion would keep the older key with its position.
                    keys.remove(&key);
                    keys.insert(key, value);
                }
            }
            // Not a table: refused when the whole is read.
            Some(_) => {}
            None => {
                root.insert(section, value);
            }
        }
    }
}

/// Every `section.key` with the positions of key and value.
fn keys(root: &DeTable<'_>) -> BTreeMap<String, [Range<usize>; 2]> {
    let mut out = BTreeMap::new();
    for (section, value) in root {
        out.insert(section.get_ref().to_string(), [section.span(), value.span()]);
        for (key, value) in value.get_ref().as_table().into_iter().flatten() {
            out.insert(format!("{}.{}", section.get_ref(), key.get_ref()), [key.span(), value.span()]);
        }
    }
    out
}

struct Places<'a> {
    text: &'a str,
    overrides: &'a Overrides,
    keys: BTreeMap<String, [Range<usize>; 2]>,
}

impl Places<'_> {
    /// Where a key stands; the start of its section, or of the file, if it stands nowhere.
    fn find(&self, key: &str) -> Option<Range<usize>> {
        let section = key.split('.').next().unwrap_or_default();
        let found = self.keys.get(key).or_else(|| self.keys.get(section));
        found.map(|[_, value]| value.clone())
    }

    fn error(&self, span: Option<Range<usize>>, problem: &str) -> ConfigError {
        let problem = problem.trim_end().to_owned();
        let at = span.map_or(0, |span| span.start);
        if at > self.text.len()
            && let Some(variable) = self.overrides.at(at)
        {
            return ConfigError::Environment { name: variable.name.clone(), problem };
        }
        let line = 1 + self.text.bytes().take(at).filter(|b| *b == b'\n').count();
        let holds = |spans: &[Range<usize>; 2]| spans.iter().any(|span| span.contains(&at));
        let key =
            self.keys.iter().filter(|(_, spans)| holds(spans)).map(|(key, _)| key.clone()).max_by_key(String::len);
        ConfigError::File { line, key, problem }
    }
}
