//! Documents of declared configuration: what the device tells of them in every message, and their results, asked for when
//! they changed (management reference 8). Without `Limits::declared_configuration` nothing of it is read or asked.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::exchange::Notice;
use super::work::Work;
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::declared_configuration::{DocumentKey, DocumentState, MOST_DOCUMENTS, read_states};
use crate::proto::syncml::{Command, Item, LocUri, Status, StatusCode};

/// A document that the device has, as it told last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDocument {
    /// What it told.
    #[serde(flatten)]
    pub told: DocumentState,
    /// When it first told that.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub since: OffsetDateTime,
    /// The version of the result that was read.
    pub read: Option<String>,
}

impl KnownDocument {
    /// Which one it is.
    #[must_use]
    pub fn key(&self) -> DocumentKey {
        DocumentKey { id: self.told.id, scope: self.told.scope, purpose: self.told.purpose() }
    }

    fn has_news(&self) -> bool {
        self.told.result_checksum.is_some() && self.told.result_checksum != self.read
    }
}

/// The results that were asked for in one session: none is asked for twice in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentTurn {
    asked: Vec<Asked>,
}

/// A result that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    key: DocumentKey,
    result_checksum: Option<String>,
}

impl DocumentTurn {
    /// Of what the device could not read nothing was done.
    pub(super) fn take_back(&mut self) {
        self.asked.clear();
    }
}

/// Results that are asked for in one session.
const MOST_ASKED: usize = 10;
/// Longest result that is kept, in bytes.
const LONGEST_RESULT: usize = 256 * 1024;

/// The place of a CmdID among those of results, from 0.
fn place(cmd_ref: &str) -> Option<usize> {
    let number = cmd_ref.strip_prefix('w').filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

/// Whether a CmdID is one of results.
pub(super) fn owns(cmd_ref: &str) -> bool {
    place(cmd_ref).is_some()
}

/// Takes the alert about documents; whether it says anything that was not known.
pub(super) fn heard(work: &mut Work<'_>, item: &Item) -> bool {
    if !work.limits.declared_configuration {
        return true;
    }
    let told = match read_states(item.text(), MOST_DOCUMENTS) {
        Ok(told) => told,
        Err(words) => {
            work.remark(&format!("the alert about declared documents {words}"));
            return true;
        }
    };
    let now = work.now;
    let known = &mut work.conversation.documents;
    let mut is_news = false;
    for told in told {
        match known.iter_mut().find(|known| (known.told.id, known.told.scope) == (told.id, told.scope)) {
            Some(known) if known.told == told => {}
            Some(known) => {
                is_news = true;
                (known.told, known.since) = (told, now);
            }
            None => {
                is_news = true;
                known.push(KnownDocument { told, since: now, read: None });
            }
        }
    }
    // The ones that were told of least recently make room.
    known.sort_by_key(|known| known.since);
    let surplus = known.len().saturating_sub(MOST_DOCUMENTS);
    known.drain(..surplus);
    is_news
}

/// Asks for results that changed.
pub(super) fn commands(work: &mut Work<'_>) -> Vec<Command> {
    let Some(session) = work.session.as_mut().filter(|_| work.limits.declared_configuration) else { return Vec::new() };
    let is_user_here = session.user_hold().is_none();
    let turn = &mut session.document_turn;
    let mut out = Vec::new();
    for known in work.conversation.documents.iter().filter(|known| known.has_news()) {
        let (key, node) = (known.key(), known.key().result());
        let was_asked = turn.asked.iter().any(|asked| (asked.key.id, asked.key.scope) == (key.id, key.scope));
        if was_asked || turn.asked.len() >= MOST_ASKED || (node.is_user_scope() && !is_user_here) {
            continue;
        }
        turn.asked.push(Asked { key, result_checksum: known.told.result_checksum.clone() });
        out.push(Command::get(node).named(&format!("w{}", turn.asked.len())));
    }
    out
}

fn asked(work: &Work<'_>, cmd_ref: &str) -> Option<Asked> {
    work.session.as_ref()?.document_turn.asked.get(place(cmd_ref)?).cloned()
}

/// The version of the result is not asked for again.
fn settle(work: &mut Work<'_>, asked: &Asked) {
    let documents = &mut work.conversation.documents;
    let own = documents.iter_mut().find(|known| (known.told.id, known.told.scope) == (asked.key.id, asked.key.scope));
    if let Some(known) = own {
        known.read.clone_from(&asked.result_checksum);
    }
}

/// The device's answer to one of these commands: what it refuses is not asked for again until it changes.
pub(super) fn take_status(work: &mut Work<'_>, status: &Status) {
    let Some(asked) = asked(work, &status.cmd_ref) else { return };
    if matches!(status.code, StatusCode(400..=499)) {
        settle(work, &asked);
    }
}

/// A result that the device sent.
pub(super) fn take_result(work: &mut Work<'_>, cmd_ref: &str, item: &Item, text: &str) {
    let Some(asked) = asked(work, cmd_ref) else { return };
    let node: LocUri = asked.key.result();
    if item.source.as_ref().is_some_and(|source| !source.same_as(&node)) {
        return;
    }
    settle(work, &asked);
    if text.len() > LONGEST_RESULT {
        return work.remark("the result of a declared document is longer than is kept");
    }
    work.notices.push(Notice::Inventory(vec![InventoryItem {
        loc_uri: node,
        value: Some(text.to_owned()),
        format: item.meta.format.clone(),
        at: work.now,
    }]));
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
