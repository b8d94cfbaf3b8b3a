//! The management tree of the simulated device: what it knows, what it has been told, and how it shall answer.

use std::collections::BTreeMap;

use super::reply::{Command, Reply};

/// How a node answers; the latest rule that fits wins over the tree.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// A failing Status with `msft:originalerror`.
    Failed(u16, &'static str),
    /// Results with this format and text, after Status 200.
    Value(String, String),
    /// Results whose Data is this markup as it stands.
    Markup(String),
    /// The device says nothing about this command.
    Silent,
}

#[derive(Clone, Debug)]
struct Rule {
    verb: String,
    uri_end: String,
    answer: Answer,
}

/// Something the device has carried out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub verb: String,
    pub uri: String,
    pub data: Option<String>,
}

/// The answer to one command.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub cmd_id: String,
    pub verb: String,
    /// None: no Status.
    pub status: Option<u16>,
    pub original_error: Option<&'static str>,
    /// LocURI, format and Data of the Results; the Data is markup.
    pub results: Vec<(String, String, String)>,
}

/// What a device does on its own once a command was carried out.
#[derive(Clone, Debug)]
struct Effect {
    verb: String,
    uri_end: String,
    /// Paths below what comes before `uri_end`, with format and value.
    leaves: Vec<(String, String, String)>,
}

#[derive(Clone, Debug, Default)]
pub struct Csp {
    nodes: BTreeMap<String, (String, String)>,
    rules: Vec<Rule>,
    effects: Vec<Effect>,
    pub done: Vec<Done>,
}

impl Csp {
    /// Puts a leaf into the tree.
    pub fn set(&mut self, uri: &str, format: &str, value: &str) {
        self.nodes.insert(key(uri), (format.to_owned(), value.to_owned()));
    }

    /// Takes a leaf out of the tree.
    pub fn forget(&mut self, uri: &str) {
        self.nodes.remove(&key(uri));
    }

    pub fn value(&self, uri: &str) -> Option<&str> {
        self.nodes.get(&key(uri)).map(|(_, value)| value.as_str())
    }

    /// From now on commands of this verb on LocURIs that end like this are answered so.
    pub fn rule(&mut self, verb: &str, uri_end: &str, answer: Answer) {
        self.rules.push(Rule { verb: verb.to_owned(), uri_end: uri_end.to_lowercase(), answer });
    }

    pub fn forget_rules(&mut self) {
        self.rules.clear();
    }

    /// From now on a command of this verb that succeeds on a LocURI that ends like this puts these leaves (path, format,
    /// value) below what comes before that end; the latest that fits counts.
    pub fn effect(&mut self, verb: &str, uri_end: &str, leaves: &[(&str, &str, &str)]) {
        let owned = |(path, format, value): &(&str, &str, &str)| {
            (path.to_lowercase(), (*format).to_owned(), (*value).to_owned())
        };
        let leaves = leaves.iter().map(owned).collect();
        self.effects.push(Effect { verb: verb.to_owned(), uri_end: uri_end.to_lowercase(), leaves });
    }

    fn take_effect(&mut self, verb: &str, uri: &str) {
        let name = key(uri);
        let fits = |effect: &&Effect| effect.verb == verb && name.ends_with(&effect.uri_end);
        let Some(effect) = self.effects.iter().rev().find(fits).cloned() else { return };
        let root = name.strip_suffix(&effect.uri_end).unwrap_or(&name);
        for (path, format, value) in effect.leaves {
            self.nodes.insert(format!("{root}/{path}"), (format, value));
        }
    }

    /// How often a command was carried out.
    pub fn times(&self, verb: &str, uri_end: &str) -> usize {
        let end = uri_end.to_lowercase();
        self.done.iter().filter(|d| d.verb == verb && d.uri.to_lowercase().ends_with(&end)).count()
    }

    /// Carries out a message and says what there is to answer.
    pub fn run(&mut self, reply: &Reply) -> Vec<Outcome> {
        reply.commands.iter().flat_map(|command| self.run_command(command)).collect()
    }

    fn run_command(&mut self, command: &Command) -> Vec<Outcome> {
        match command.verb.as_str() {
            "Atomic" => self.run_atomic(command),
            "Sequence" => {
                let mut outcomes = vec![plain(command, 200)];
                outcomes.extend(command.children.iter().flat_map(|child| self.run_command(child)));
                outcomes
            }
            _ => vec![self.run_single(command)],
        }
    }

    /// All or nothing: a child that fails rolls the others back.
    fn run_atomic(&mut self, command: &Command) -> Vec<Outcome> {
        let before = self.nodes.clone();
        let mut children: Vec<Outcome> = command.children.iter().map(|child| self.run_single(child)).collect();
        let failed = children.iter().any(|o| o.status.is_some_and(|code| code >= 300));
        if failed {
            self.nodes = before;
            for child in children.iter_mut().filter(|o| o.status.is_some_and(|code| code < 300)) {
                child.status = Some(216);
            }
        }
        let mut outcomes = vec![plain(command, if failed { 507 } else { 200 })];
        outcomes.extend(children);
        outcomes
    }

    fn run_single(&mut self, command: &Command) -> Outcome {
        let mut outcome = plain(command, 200);
        for item in &command.items {
            self.done.push(Done { verb: command.verb.clone(), uri: item.uri.clone(), data: item.data.clone() });
            let code = match self.answer_for(&command.verb, &item.uri) {
                Some(answer) => ruled(&mut outcome, &item.uri, answer),
                None => self.by_tree(&mut outcome, command, &item.uri, item.data.as_deref(), item.format.as_deref()),
            };
            if code.is_some_and(|code| code < 300) {
                self.take_effect(&command.verb, &item.uri);
            }
            outcome.status = match (outcome.status, code) {
                (_, None) => None,
                (Some(worst), Some(code)) => Some(worst.max(code)),
                (None, Some(_)) => None,
            };
        }
        outcome
    }

    fn answer_for(&self, verb: &str, uri: &str) -> Option<Answer> {
        let uri = uri.to_lowercase();
        self.rules.iter().rev().find(|r| r.verb == verb && uri.ends_with(&r.uri_end)).map(|r| r.answer.clone())
    }

    fn by_tree(
        &mut self,
        outcome: &mut Outcome,
        command: &Command,
        uri: &str,
        data: Option<&str>,
        format: Option<&str>,
    ) -> Option<u16> {
        let name = key(uri);
        let known = self.exists(&name);
        match command.verb.as_str() {
            "Get" => match self.read(&name) {
                Some((format, value)) => {
                    outcome.results.push((uri.to_owned(), format, super::escape(&value)));
                    Some(200)
                }
                None => Some(404),
            },
            "Add" if known => Some(418),
            "Add" | "Replace" => {
                let format = format.unwrap_or("chr").to_owned();
                self.nodes.insert(name, (format, data.unwrap_or_default().to_owned()));
                Some(200)
            }
            "Delete" if known => {
                let below = format!("{name}/");
                self.nodes.retain(|uri, _| *uri != name && !uri.starts_with(&below));
                Some(200)
            }
            "Delete" => Some(404),
            _ => Some(200),
        }
    }

    /// Whether there is a leaf, or something below.
    fn exists(&self, name: &str) -> bool {
        let below = format!("{name}/");
        self.nodes.keys().any(|uri| uri == name || uri.starts_with(&below))
    }

    /// A leaf's value, or the children of an interior node joined with `/`.
    fn read(&self, name: &str) -> Option<(String, String)> {
        if let Some(leaf) = self.nodes.get(name) {
            return Some(leaf.clone());
        }
        let prefix = format!("{name}/");
        let below =
            self.nodes.keys().filter_map(|uri| uri.strip_prefix(&prefix)).filter_map(|rest| rest.split('/').next());
        let mut children: Vec<&str> = below.collect();
        children.dedup();
        (!children.is_empty()).then(|| ("node".to_owned(), children.join("/")))
    }
}

fn plain(command: &Command, code: u16) -> Outcome {
    Outcome {
        cmd_id: command.cmd_id.clone(),
        verb: command.verb.clone(),
        status: Some(code),
        original_error: None,
        results: Vec::new(),
    }
}

/// Applies a rule; None: no Status.
fn ruled(outcome: &mut Outcome, uri: &str, answer: Answer) -> Option<u16> {
    match answer {
        Answer::Status(code) => Some(code),
        Answer::Failed(code, error) => {
            outcome.original_error = Some(error);
            Some(code)
        }
        Answer::Value(format, value) => {
            outcome.results.push((uri.to_owned(), format, super::escape(&value)));
            Some(200)
        }
        Answer::Markup(markup) => {
            outcome.results.push((uri.to_owned(), "xml".to_owned(), markup));
            Some(200)
        }
        Answer::Silent => None,
    }
}

/// LocURIs compare without case, and the device scope may be left out.
fn key(uri: &str) -> String {
    let lower = uri.to_lowercase();
    match lower.strip_prefix("./device/") {
        Some(rest) => format!("./{rest}"),
        None => lower,
    }
}
