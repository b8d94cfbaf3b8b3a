//! Compares what the devices did with what the server says: R-02 with the device log as the oracle.
//!
//! A command that succeeded was carried out, and not again after the server was told; what must not be repeated was carried
//! out once at most; what was withdrawn before it was sent was not; what the server does not know about was disturbed by a
//! fault that was asked for; and every status that the server shows is one that the device gave.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::record::Recorder;
use super::story::{Execution, Stories, Story, UNIT_DIGITS};
use crate::cli::client::Client;
use crate::cli::output::field;

/// What came of the comparison.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    states: BTreeMap<String, u64>,
    /// Units that do not end as they would without the faults that were asked for.
    disturbed: u64,
    count: u64,
    /// The first of the disagreements, in words.
    pub(super) disagreements: Vec<String>,
}

impl Verdict {
    fn disagree(&mut self, words: String) {
        self.count += 1;
        if self.disagreements.len() < MOST_TOLD {
            self.disagreements.push(words);
        }
    }

    /// How many disagreements there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "commands": self.states,
            "disturbed": self.disturbed,
            "disagreements": { "count": self.count, "first": self.disagreements },
        })
    }

    pub(super) fn words(&self) -> String {
        let states: Vec<String> = self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let states = if states.is_empty() { "no commands".to_owned() } else { states.join(", ") };
        match self.count {
            0 => format!("device log and server agree: {states}; {} disturbed by faults\n", self.disturbed),
            count => {
                let lines: String = self.disagreements.iter().map(|words| format!("  {words}\n")).collect();
                format!("device log and server disagree {count} times: {states}\n{lines}")
            }
        }
    }
}

/// Compares the log of this run with the command states of the server.
pub(super) async fn verify(client: &Client, recorder: &Recorder) -> Result<Verdict> {
    let mut stories = Stories::default();
    recorder.read(|line| stories.take(line))?;
    let mut verdict = Verdict::default();
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in ["/actions", "/commands"] {
        let found = client.list(path, &[], usize::MAX).await.context("the commands of the server cannot be read")?;
        for mut unit in found.items {
            let enrollment = field(&unit, "enrollment_id");
            let Some(story) = stories.0.get(&enrollment) else { continue };
            let id = field(&unit, "id");
            if path == "/actions" {
                let whole = client.get(&format!("/commands/{id}"), &[]).await?;
                unit["items"] = whole["items"].clone();
            }
            let short = short(&id);
            let none = Vec::new();
            let executions = story.units.get(&short).unwrap_or(&none);
            judge(&mut verdict, story, &Unit { short: &short, document: &unit, executions });
            known.entry(enrollment).or_default().push(short);
        }
    }
    for (enrollment, story) in &stories.0 {
        let known = known.remove(enrollment).unwrap_or_default();
        for unit in story.units.keys().filter(|unit| !known.contains(unit)) {
            verdict.disagree(format!("{}: carried out {unit}, which the server does not know", story.device));
        }
    }
    Ok(verdict)
}

/// A unit of the queue, as both sides tell it.
struct Unit<'a> {
    short: &'a str,
    /// With its Items.
    document: &'a Value,
    executions: &'a [Execution],
}

fn judge(verdict: &mut Verdict, story: &Story, unit: &Unit<'_>) {
    let state = field(unit.document, "state");
    *verdict.states.entry(state.clone()).or_default() += 1;
    let is_disturbed = story.disturbed.contains(unit.short);
    verdict.disturbed += u64::from(is_disturbed);
    let mut wrong: Vec<String> = how_often(unit);
    let items = unit.document["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_answered = items.iter().any(|item| !item["status"].is_null());
    let was_told = unit.executions.iter().any(|execution| execution.told && execution.is_done());
    match state.as_str() {
        "succeeded" if !items.is_empty() && !unit.executions.iter().any(Execution::is_done) => {
            wrong.push("it succeeded, but was not carried out".to_owned());
        }
        "cancelled" if unit.document["offers"] == 0 && !unit.executions.is_empty() => {
            wrong.push("it was withdrawn before it was sent, but was carried out".to_owned());
        }
        "queued" | "cancelled" if !is_answered && was_told => {
            wrong.push("the device told that it was carried out, but no answer is there".to_owned());
        }
        "sent" | "unknown" if !is_disturbed && !story.is_gone => {
            wrong.push("it has no answer, although nothing went wrong on purpose".to_owned());
        }
        _ => {}
    }
    if !is_disturbed {
        wrong.extend(items.iter().filter_map(|item| unconfirmed(item, unit.executions)));
    }
    for words in wrong {
        let kind = field(unit.document, "type");
        verdict.disagree(format!("{}: {kind} {} is {state}: {words}", story.device, unit.short));
    }
}

/// Whether a command was carried out more often than it may be.
fn how_often(unit: &Unit<'_>) -> Vec<String> {
    let is_raw = unit.document["type"] == "raw";
    let mut times: BTreeMap<&str, Times> = BTreeMap::new();
    for execution in unit.executions.iter().filter(|execution| execution.is_done()) {
        let times = times.entry(&execution.cmd_id).or_default();
        if !times.messages.contains(&execution.message) {
            times.messages.push(execution.message);
            times.told += u64::from(execution.told);
        }
        times.may_repeat = execution.verb != "Exec" || !is_raw && may_repeat(&execution.uri);
    }
    let mut wrong = Vec::new();
    for (cmd_id, times) in times {
        if times.told > 1 {
            wrong.push(format!("{cmd_id} was carried out again after the server was told"));
        }
        if times.messages.len() > 1 && !times.may_repeat {
            wrong.push(format!("{cmd_id} was carried out {} times and may be once", times.messages.len()));
        }
    }
    wrong
}

#[derive(Default)]
struct Times {
    messages: Vec<u64>,
    told: u64,
    may_repeat: bool,
}

/// What the server may send again by itself when no answer came (management reference 1.15).
fn may_repeat(uri: &str) -> bool {
    let uri = uri.to_ascii_lowercase();
    ["remotelock/lock", "/dowipe", "/dowipeprotected", "/dowipecloud", "/unenroll", "/downloadinstall", "/storeinstall"]
        .iter()
        .any(|known| uri.ends_with(known))
}

/// A status that the server shows and the device never gave.
fn unconfirmed(item: &Value, executions: &[Execution]) -> Option<String> {
    let (verb, uri) = (field(item, "cmd"), item["loc_uri"].as_str()?);
    let status = item["status"].as_u64()?;
    let is_this = |execution: &&Execution| {
        execution.verb == verb && execution.uri == uri && u64::from(execution.status) == status
    };
    let given = executions.iter().find(is_this);
    given.is_none().then(|| format!("the server shows status {status} for {verb} {uri}, which the device did not give"))
}

fn short(id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(char::is_ascii_hexdigit).collect();
    digits.iter().skip(digits.len().saturating_sub(UNIT_DIGITS)).collect()
}

/// Most disagreements that are told in words.
const MOST_TOLD: usize = 20;

#[cfg(test)]
mod tests;
