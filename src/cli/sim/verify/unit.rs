//! What is wrong with one unit of the server's queue, by what its device wrote down.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::story::{Execution, Story};
use crate::cli::output::field;
use crate::proto::syncml::{LocUri, StatusCode, Verb, Verdict, verdict};

/// A unit of the queue, as both sides tell it.
pub(super) struct Unit<'a> {
    pub(super) story: &'a Story,
    /// As far as a CmdID holds its id.
    pub(super) short: &'a str,
    /// With its Items.
    pub(super) document: &'a Value,
    pub(super) executions: &'a [Execution],
}

impl Unit<'_> {
    /// Whether something went wrong with it on purpose.
    pub(super) fn is_disturbed(&self) -> bool {
        self.story.disturbed.contains(self.short)
    }

    /// In what it contradicts what the device did, in words.
    pub(super) fn disagreements(&self) -> Vec<String> {
        let mut wrong = self.how_often();
        wrong.extend(self.state().map(str::to_owned));
        if !self.is_disturbed() {
            wrong.extend(self.items().iter().filter_map(|item| self.unconfirmed(item)));
            wrong.extend(self.unheard());
            wrong.extend(match field(self.document, "state").as_str() {
                "succeeded" => self.no_success(),
                "failed" | "unsupported" => self.no_failure(),
                _ => None,
            });
        }
        wrong
    }

    fn items(&self) -> &[Value] {
        self.document["items"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Those whose place no other has taken.
    fn standing(&self) -> impl Iterator<Item = &Value> {
        self.items().iter().filter(|item| item["superseded"] != true)
    }

    fn is_raw(&self) -> bool {
        self.document["type"] == "raw"
    }

    /// Whether the device accepted it and is asked since how far it is. The questions are no longer shown once their answers
    /// were read.
    fn is_followed(&self) -> bool {
        !self.document["accepted_at"].is_null()
    }

    /// A state that it cannot have.
    fn state(&self) -> Option<&'static str> {
        let is_disturbed = self.is_disturbed();
        let is_answered = self.items().iter().any(|item| !item["status"].is_null());
        match field(self.document, "state").as_str() {
            "succeeded" if !self.items().is_empty() && !self.executions.iter().any(is_good) => {
                Some("it succeeded, but was not carried out")
            }
            "cancelled"
                if self.document["offers"] == 0 && !is_answered && !is_disturbed && !self.executions.is_empty() =>
            {
                Some("it was withdrawn before it was sent, but was carried out")
            }
            "queued" | "cancelled" if !is_answered && self.told().any(Execution::is_done) => {
                Some("the device told that it was carried out, but no answer is there")
            }
            "queued" if self.was_passed_over() => Some("the device was there since, and was not given it"),
            "sent" | "unknown" if !is_disturbed && !self.story.is_gone && !self.is_followed() => {
                Some("it has no answer, although nothing went wrong on purpose")
            }
            _ => None,
        }
    }

    /// Whether it waited already when a session began in which nothing went wrong, and nothing put it off.
    fn was_passed_over(&self) -> bool {
        let created = OffsetDateTime::parse(&field(self.document, "created_at"), &Rfc3339);
        let settled = self.story.settled.filter(|settled| !settled.restarts && !self.story.is_gone);
        let (Ok(created), Some(settled)) = (created, settled) else { return false };
        created + CLOCKS_APART < settled.began && !self.executions.iter().any(Execution::asks_again)
    }

    /// Executions of which the server knows what came of them. Where the device asked to come again, all is told anew.
    fn told(&self) -> impl Iterator<Item = &Execution> {
        let asks_again = |message: u64| {
            self.executions.iter().any(|execution| execution.message == message && execution.asks_again())
        };
        self.executions.iter().filter(move |execution| execution.told && !asks_again(execution.message))
    }

    /// Whether a command was carried out more often than it may be.
    fn how_often(&self) -> Vec<String> {
        let mut times: BTreeMap<&str, Times> = BTreeMap::new();
        for execution in self.executions.iter().filter(|execution| execution.is_done()) {
            let times = times.entry(&execution.cmd_id).or_default();
            if !times.messages.contains(&execution.message) {
                times.messages.push(execution.message);
            }
            times.may_repeat = execution.verb != "Exec" || !self.is_raw() && may_repeat(&execution.uri);
            // What an action reads may be asked for again at any time.
            times.may_reread = execution.verb == "Get" && !self.is_raw();
        }
        for execution in self.told().filter(|execution| execution.is_done()) {
            if let Some(times) = times.get_mut(execution.cmd_id.as_str()) {
                times.told = Some(times.told.map_or(execution.message, |told| told.min(execution.message)));
            }
        }
        let mut wrong = Vec::new();
        for (cmd_id, times) in times {
            let is_after = |told: u64| times.messages.iter().any(|message| *message > told);
            if times.told.is_some_and(is_after) && !times.may_reread {
                wrong.push(format!("{cmd_id} was carried out again after the server was told"));
            }
            if times.messages.len() > 1 && !times.may_repeat {
                wrong.push(format!("{cmd_id} was carried out {} times and may be once", times.messages.len()));
            }
        }
        wrong
    }

    /// A status that the server shows and the device never gave.
    fn unconfirmed(&self, item: &Value) -> Option<String> {
        let (verb, uri) = (field(item, "cmd"), item["loc_uri"].as_str()?);
        let status = item["status"].as_u64()?;
        let mut own = self.executions.iter().filter(|each| each.verb == verb && each.uri == uri).peekable();
        // The server's own word for what no message to the device can take.
        if status == TOO_LARGE && own.peek().is_none() {
            return None;
        }
        let is_given = own.any(|execution| u64::from(execution.status) == status);
        (!is_given).then(|| format!("the server shows status {status} for {verb} {uri}, which the device did not give"))
    }

    /// Statuses that the device gave last and the server does not show.
    fn unheard(&self) -> Vec<String> {
        let mut last: BTreeMap<(&str, &str, &str), Vec<&Execution>> = BTreeMap::new();
        let is_read = |execution: &Execution| self.is_followed() && execution.verb == "Get";
        for execution in self.told().filter(|execution| !execution.uri.is_empty() && !is_read(execution)) {
            let told =
                last.entry((execution.cmd_id.as_str(), execution.verb.as_str(), execution.uri.as_str())).or_default();
            told.retain(|before| before.message == execution.message);
            told.push(execution);
        }
        let is_shown = |told: &Execution| {
            let is = |item: &Value| {
                item["cmd"] == *told.verb && item["loc_uri"] == *told.uri && item["status"] == told.status
            };
            self.items().iter().any(is)
        };
        let unheard = last.into_iter().filter(|(_, told)| !told.iter().any(|told| is_shown(told)));
        let words = unheard.filter_map(|((_, verb, uri), told)| {
            let status = told.first()?.status;
            Some(format!("the device told status {status} for {verb} {uri}, which the server does not show"))
        });
        words.collect()
    }

    /// Why it cannot have succeeded. What an action does depends on more than its statuses: only where none of them is good
    /// can it not have succeeded.
    fn no_success(&self) -> Option<String> {
        let name = |item: &Value| format!("{} {}", field(item, "cmd"), field(item, "loc_uri"));
        // A device that leaves says nothing more, and one that works on something may tell the end by itself.
        let may_be_silent = self.document["type"] == "retire" || self.is_followed();
        let is_silent = |item: &&Value| item["status"].is_null() && !item["loc_uri"].is_null();
        if let Some(silent) = self.standing().find(is_silent).filter(|_| !may_be_silent) {
            return Some(format!("{} has no answer", name(silent)));
        }
        let mut answered = self.standing().filter(|item| !item["status"].is_null());
        if self.is_raw() {
            let refused = answered.find(|item| !is_good_item(item) && !self.is_tolerated(item))?;
            return Some(format!("{} has the status {}", name(refused), refused["status"]));
        }
        let statuses: Vec<&Value> = answered.collect();
        let is_refused =
            !statuses.is_empty() && !statuses.iter().any(|item| is_good_item(item) || self.is_tolerated(item));
        is_refused.then(|| "none of its commands was carried out".to_owned())
    }

    /// Why it cannot have failed: everything was done, and nothing was read by which the server could judge otherwise.
    fn no_failure(&self) -> Option<String> {
        let reads = |item: &Value| item["cmd"] == "Get";
        if !self.is_raw() && (self.is_followed() || self.items().iter().any(reads)) {
            return None;
        }
        let is_done = |item: &Value| match item["status"].is_null() {
            true => item["loc_uri"].is_null(),
            false => is_good_item(item),
        };
        let is_wrong = self.standing().next().is_some() && self.standing().all(is_done);
        is_wrong.then(|| "everything of it was carried out".to_owned())
    }

    /// An Add that found its node there may have asked for no more than that, and of a node that was added on the way to
    /// another one only the other counts.
    fn is_tolerated(&self, item: &Value) -> bool {
        let is_above = |uri: &LocUri| {
            let mut others = self.standing().filter_map(|other| other["loc_uri"].as_str()).map(LocUri::received);
            others.any(|other| !other.same_as(uri) && other.is_at_or_below(uri))
        };
        let is_mended = self.items().iter().any(|item| item["superseded"] == true);
        let uri = item["loc_uri"].as_str().map(LocUri::received);
        item["cmd"] == "Add" && (item["status"] == 418 || is_mended && uri.is_some_and(|uri| is_above(&uri)))
    }
}

#[derive(Default)]
struct Times {
    messages: Vec<u64>,
    /// The first of them after which the server knows.
    told: Option<u64>,
    may_repeat: bool,
    may_reread: bool,
}

/// What the server may send again by itself when no answer came (management reference 1.15).
fn may_repeat(uri: &str) -> bool {
    let uri = uri.to_ascii_lowercase();
    ["remotelock/lock", "/dowipe", "/dowipeprotected", "/dowipecloud", "/unenroll", "/downloadinstall", "/storeinstall"]
        .iter()
        .any(|known| uri.ends_with(known))
}

fn is_good(execution: &Execution) -> bool {
    execution.verb == "Add" && execution.status == 418 || means_done(&execution.verb, execution.status)
}

fn is_good_item(item: &Value) -> bool {
    let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    status.is_some_and(|status| means_done(&field(item, "cmd"), status))
}

/// By the general table of statuses.
fn means_done(verb: &str, status: u16) -> bool {
    verdict(Verb::from_name(verb).unwrap_or(Verb::Exec), StatusCode(status)) == Verdict::Done
}

/// The status of what is too large for a message.
const TOO_LARGE: u64 = 413;
/// How far the clocks of both sides may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(2);
