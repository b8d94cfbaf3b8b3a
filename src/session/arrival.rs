//! Large objects on their way from the device: chunk after chunk until the last one, by the rules of OMA-DM (management
//! reference 2.6). The text itself is kept in parts beside the session; here is only how far it is.
//!
//! One object comes at a time. Its first chunk says how many bytes there are in all; what does not keep to that is dropped.

use serde::{Deserialize, Serialize};

use super::automatic::Automatic;
use super::documents;
use super::work::Work;
use crate::domain::Id;
use crate::domain::command::{ObjectValue, QueuedCommand};
use crate::domain::object::{INLINE, LargeObject, ObjectPart, ObjectRef};
use crate::proto::syncml::{Alert, Item, LocUri, node_key};

/// An object that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// The object.
    pub object: Id<LargeObject>,
    /// What it is a value of.
    pub origin: Origin,
    /// The node, as the device wrote it.
    pub uri: Option<String>,
    /// Its format, by the first chunk.
    pub format: Option<String>,
    /// Bytes that the first chunk announced.
    pub announced: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Chunks so far.
    pub chunks: u32,
    /// Base64 digits so far: an announcement may count the bytes that they stand for.
    pub digits: u64,
    /// It is not taken: what still comes of it is answered with this status.
    pub refused: Option<u16>,
}

/// What an object is a value of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Of Results.
    Results {
        /// The CmdID that they refer to.
        cmd_ref: String,
        /// The command that it belongs to, and the place of its Item; nothing where none is known.
        command: Option<(Id<QueuedCommand>, usize)>,
    },
    /// Of the device's own Replace.
    Reported,
}

/// What a step changes about large objects.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectChange {
    /// A new one.
    Begin(LargeObject),
    /// Its next part.
    Append(ObjectPart),
    /// All of it is there.
    Finish(ObjectRef),
    /// It is gone.
    Delete(Id<LargeObject>),
}

/// What became of an Item.
pub(super) enum Taken {
    /// It is no chunk: its value stands in it.
    NoChunk,
    /// A chunk, more are to come; or one of an object that is not taken. With the status that it gets.
    Chunk(u16),
    /// The last chunk of an object that did not keep to its announcement, or is not taken.
    Refused(u16),
    /// The last chunk, and the value is small enough to go on as if it had come at once.
    Inline(String),
    /// The last chunk of an object that stays in its parts.
    Stored,
}

/// Larger than is taken, or than was announced room for.
const TOO_LARGE: u16 = 416;
/// No length was announced.
const NO_LENGTH: u16 = 411;
/// More chunks than are taken.
const TOO_MANY: u16 = 413;
/// No room is left for this device, or at all.
const NO_ROOM: u16 = 420;
/// The length does not match.
const MISMATCH: u16 = 424;
/// Another object came before the end.
const UNFINISHED: u16 = 426;
/// Nothing of that node was asked for.
const NOT_ASKED: u16 = 404;
/// Longest address of a node that is kept, in characters.
const LONGEST_URI: usize = 2048;

/// Takes an Item of Results that refer to `cmd_ref`, or of the device's own Replace.
pub(super) fn take(work: &mut Work<'_>, cmd_ref: Option<&str>, item: &Item) -> Taken {
    let uri = item.source.as_ref().or(item.target.as_ref());
    let open = work.session.as_mut().and_then(|session| session.arrival.take());
    match open {
        Some(arrival) if arrival.is_of(cmd_ref, uri) => go_on(work, arrival, item),
        open => {
            if let Some(arrival) = open {
                break_off(work, arrival);
            }
            if item.more_data { begin(work, cmd_ref, uri, item) } else { Taken::NoChunk }
        }
    }
}

/// The device ended its message without an end, or a chunk, of the object that it had begun.
pub(super) fn end_of_message(work: &mut Work<'_>, is_final: bool) {
    if work.seen.chunk || !is_final || work.seen.heartbeat {
        return;
    }
    if let Some(arrival) = work.session.as_mut().and_then(|session| session.arrival.take()) {
        break_off(work, arrival);
    }
}

/// The session is over: what had come of an object is gone, and what it was to be is as if it had no answer.
pub(super) fn discard(work: &mut Work<'_>, arrival: Arrival) {
    if arrival.refused.is_none() {
        work.objects.push(ObjectChange::Delete(arrival.object));
        lose(work, &arrival, None);
    }
}

fn begin(work: &mut Work<'_>, cmd_ref: Option<&str>, uri: Option<&LocUri>, item: &Item) -> Taken {
    work.seen.chunk = true;
    let mut arrival = Arrival {
        object: work.new_object,
        origin: cmd_ref
            .map_or(Origin::Reported, |cmd_ref| Origin::Results { cmd_ref: cmd_ref.to_owned(), command: None }),
        uri: uri.map(|uri| uri.as_str().chars().take(LONGEST_URI).collect()),
        format: item.meta.format.clone(),
        announced: item.meta.size.unwrap_or_default(),
        bytes: 0,
        chunks: 0,
        digits: 0,
        refused: None,
    };
    let (code, words) = match item.meta.size {
        _ if work.session.is_none() => (NOT_ASKED, "a chunk outside of a session"),
        _ if work.seen.object_begun => (TOO_MANY, "more than one object begins in one message"),
        None => (NO_LENGTH, "a chunk of an object whose length was not announced"),
        Some(size) if size > arrival.most(work) => (TOO_LARGE, "an object larger than is taken was announced"),
        Some(size) if size > work.room => (NO_ROOM, "no room is left for large objects"),
        Some(_) if !is_asked_for(work, &mut arrival, uri) => (NOT_ASKED, "a chunk of a value that was not asked for"),
        Some(_) => (0, ""),
    };
    if code != 0 {
        work.remark(words);
        refuse_unbegun(work, &mut arrival, uri, code);
        return keep(work, arrival, Taken::Chunk(code));
    }
    work.seen.object_begun = true;
    work.arrived.clear();
    work.arrived_before = "";
    work.objects.push(ObjectChange::Begin(LargeObject {
        id: arrival.object,
        enrollment_id: work.enrollment.id,
        command_id: arrival.command().map(|(id, _)| id),
        bytes: arrival.announced,
        is_whole: false,
        at: work.now,
    }));
    go_on(work, arrival, item)
}

/// Whether a CmdID is one of what the server asks on its own: such a value goes on as if it had come at once.
pub(super) fn is_own_question(cmd_ref: &str) -> bool {
    Automatic::owns(cmd_ref) || documents::owns(cmd_ref)
}

/// Whether the value is one that is waited for; its Item is marked.
fn is_asked_for(work: &mut Work<'_>, arrival: &mut Arrival, uri: Option<&LocUri>) -> bool {
    let Origin::Results { cmd_ref, command } = &mut arrival.origin else { return uri.is_some() };
    if is_own_question(cmd_ref) {
        return true;
    }
    let owner = work.commands.matching_mut(|each| each.last_offer.is_some() && each.owns(cmd_ref)).next();
    *command = owner.and_then(|owner| Some((owner.id, owner.begin_object(cmd_ref, uri)?)));
    command.is_some()
}

/// What is refused before it began has failed all the same, if it was asked for.
fn refuse_unbegun(work: &mut Work<'_>, arrival: &mut Arrival, uri: Option<&LocUri>, code: u16) {
    arrival.refused = Some(code);
    if code != NOT_ASKED && is_asked_for(work, arrival, uri) {
        lose(work, arrival, Some(code));
    }
}

fn go_on(work: &mut Work<'_>, mut arrival: Arrival, item: &Item) -> Taken {
    work.seen.chunk |= item.more_data;
    if let Some(code) = arrival.refused {
        return if item.more_data { keep(work, arrival, Taken::Chunk(code)) } else { Taken::Refused(code) };
    }
    let text = item.text();
    let start = arrival.bytes;
    arrival.bytes += text.len() as u64;
    arrival.digits +=
        text.bytes().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')).count() as u64;
    arrival.chunks += 1;
    if arrival.chunks > work.limits.objects.parts {
        return give_up(work, arrival, item, TOO_MANY, "an object in more chunks than are taken");
    }
    if arrival.bytes > arrival.announced && !arrival.may_count_bytes() {
        return give_up(work, arrival, item, MISMATCH, "an object that is longer than was announced");
    }
    if arrival.bytes > arrival.most(work) {
        return give_up(work, arrival, item, TOO_LARGE, "an object that is longer than is taken");
    }
    work.arrived.push_str(text);
    let is_at_hand = (work.arrived_before.len() + work.arrived.len()) as u64 == arrival.bytes;
    if !item.more_data && arrival.is_as_announced() && arrival.bytes <= INLINE && is_at_hand {
        return end_inline(work, arrival);
    }
    let (object_id, seq) = (arrival.object, arrival.chunks - 1);
    if !text.is_empty() {
        work.objects.push(ObjectChange::Append(ObjectPart { object_id, seq, start, text: text.to_owned() }));
    }
    if item.more_data {
        return keep(work, arrival, Taken::Chunk(213));
    }
    if !arrival.is_as_announced() {
        return give_up(work, arrival, item, MISMATCH, "the length of an object is not the one that was announced");
    }
    end_stored(work, arrival)
}

/// Small enough: the parts that came before were read for this step.
fn end_inline(work: &mut Work<'_>, arrival: Arrival) -> Taken {
    let mut text = std::mem::take(&mut work.arrived_before).to_owned();
    text.push_str(&std::mem::take(&mut work.arrived));
    work.objects.push(ObjectChange::Delete(arrival.object));
    if let Some((command, place)) = arrival.command().and_then(|(id, place)| Some((work.commands.get_mut(&id)?, place)))
    {
        command.end_object(place, ObjectValue::Inline(text.clone()), arrival.format.as_deref());
    }
    Taken::Inline(text)
}

fn end_stored(work: &mut Work<'_>, arrival: Arrival) -> Taken {
    let object = ObjectRef { id: arrival.object, bytes: arrival.bytes };
    work.objects.push(ObjectChange::Finish(object.clone()));
    if let Some((command, place)) = arrival.command().and_then(|(id, place)| Some((work.commands.get_mut(&id)?, place)))
    {
        command.end_object(place, ObjectValue::Stored(object.clone()), arrival.format.as_deref());
    }
    Taken::Stored
}

/// What had come of it is gone; what still comes gets the same status.
fn give_up(work: &mut Work<'_>, mut arrival: Arrival, item: &Item, code: u16, words: &str) -> Taken {
    work.remark(words);
    work.objects.push(ObjectChange::Delete(arrival.object));
    lose(work, &arrival, Some(code));
    arrival.refused = Some(code);
    if item.more_data { keep(work, arrival, Taken::Chunk(code)) } else { Taken::Refused(code) }
}

/// Another object, or nothing more, came before its end: Alert 1225 says so.
fn break_off(work: &mut Work<'_>, arrival: Arrival) {
    if arrival.refused.is_some() {
        return;
    }
    work.remark("an object was not ended before something else came");
    let source = arrival.uri.as_deref().map(LocUri::received);
    work.alerts.push(Alert { items: vec![Item { source, ..Item::default() }], ..Alert::bare("", 1225) });
    work.objects.push(ObjectChange::Delete(arrival.object));
    lose(work, &arrival, Some(UNFINISHED));
}

fn lose(work: &mut Work<'_>, arrival: &Arrival, status: Option<u16>) {
    if let Some((id, place)) = arrival.command()
        && let Some(command) = work.commands.get_mut(&id)
    {
        command.lose_object(place, status);
    }
}

fn keep(work: &mut Work<'_>, arrival: Arrival, taken: Taken) -> Taken {
    if let Some(session) = &mut work.session {
        session.arrival = Some(arrival);
    }
    taken
}

impl Arrival {
    fn is_of(&self, cmd_ref: Option<&str>, uri: Option<&LocUri>) -> bool {
        let same_origin = match (&self.origin, cmd_ref) {
            (Origin::Results { cmd_ref: own, .. }, Some(cmd_ref)) => own == cmd_ref,
            (Origin::Reported, None) => true,
            _ => false,
        };
        let key = |uri: &str| node_key(uri);
        same_origin && self.uri.as_deref().map(key) == uri.map(|uri| key(uri.as_str()))
    }

    fn command(&self) -> Option<(Id<QueuedCommand>, usize)> {
        match &self.origin {
            Origin::Results { command, .. } => *command,
            Origin::Reported => None,
        }
    }

    /// Bytes that are taken of it.
    fn most(&self, work: &Work<'_>) -> u64 {
        let is_kept_whole = matches!(&self.origin, Origin::Results { cmd_ref, .. } if !is_own_question(cmd_ref));
        if is_kept_whole { work.limits.objects.bytes } else { work.limits.objects.bytes.min(INLINE) }
    }

    /// Whether the announcement may be about the bytes that base64 stands for.
    fn may_count_bytes(&self) -> bool {
        let is_encoded = self.format.as_deref().is_some_and(|format| matches!(format.trim(), "b64" | "bin"));
        // With line ends and padding the text is longer, but not by any length.
        let longest = self.announced.saturating_mul(3) / 2 + 64;
        is_encoded && self.digits * 3 / 4 <= self.announced && self.bytes <= longest
    }

    fn is_as_announced(&self) -> bool {
        self.bytes == self.announced || self.may_count_bytes() && self.digits * 3 / 4 == self.announced
    }
}

#[cfg(test)]
#[path = "arrival_tests.rs"]
mod tests;
