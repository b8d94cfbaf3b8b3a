//! Compares what the devices did with what the server says: R-02 with the device log as the oracle.
//!
//! A command that succeeded was carried out, and not again after the server was told; what must not be repeated was carried
//! out once at most; what was withdrawn before it was sent was not; what the server does not know about was disturbed by a
//! fault that was asked for; what waits was not there yet when the device called last; and both sides tell the same
//! statuses, and the state that goes with them.

mod unit;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::record::Recorder;
use super::story::{Stories, UNIT_DIGITS};
use crate::cli::client::Client;
use crate::cli::output::field;
use unit::Unit;

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
            judge(&mut verdict, &Unit { story, short: &short, document: &unit, executions });
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

/// Compares what both sides tell of one unit.
fn judge(verdict: &mut Verdict, unit: &Unit<'_>) {
    let state = field(unit.document, "state");
    *verdict.states.entry(state.clone()).or_default() += 1;
    verdict.disturbed += u64::from(unit.is_disturbed());
    for words in unit.disagreements() {
        let kind = field(unit.document, "type");
        verdict.disagree(format!("{}: {kind} {} is {state}: {words}", unit.story.device, unit.short));
    }
}

fn short(id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(char::is_ascii_hexdigit).collect();
    digits.iter().skip(digits.len().saturating_sub(UNIT_DIGITS)).collect()
}

/// Most disagreements that are told in words.
const MOST_TOLD: usize = 20;

#[cfg(test)]
mod tests;
