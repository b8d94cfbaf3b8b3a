//! Large objects on their way to the device: values that its messages are too small for, chunk after chunk (management
//! reference 2.6).
//!
//! Only a device that announced its MaxMsgSize and says that it takes large objects (`./DevDetail/LrgObj`) gets chunks.
//! One value is under way in a session, alone in its messages, and nothing else is told to do until its last chunk is
//! answered. A value that stands in rows of its own is read chunk by chunk: the step says what it [`Want`]s.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::exchange::Notice;
use super::work::Work;
use crate::domain::Id;
use crate::domain::command::{CommandState, Offer, QueuedCommand};
use crate::domain::enrollment::EnrollmentState;
use crate::domain::inventory::InventoryItem;
use crate::domain::object::ObjectRef;
use crate::proto::csp::device_info;
use crate::proto::syncml::{
    Command, Data, Item, LocUri, Message, Meta, Status, Verb, encoded_len, message_len, prefix_within,
};

/// A value that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sending {
    /// Whose value.
    pub command: Id<QueuedCommand>,
    /// The CmdID, which every chunk has.
    pub cmd_id: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes that went out.
    pub sent: u64,
    /// Our MsgID of the chunk that went out last.
    pub msg_id: u64,
    /// Whether the device took that chunk.
    pub taken: bool,
}

/// What a step cannot go on without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The object, where the value does not stand in its command.
    pub object: Option<ObjectRef>,
    /// The first byte.
    pub start: u64,
    /// So many bytes, or the rest if that is less; characters stay whole.
    pub bytes: u64,
}

/// What a step was given because an earlier try said that it [`Want`]s it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Supply {
    /// What was wanted.
    pub want: Want,
    /// The text of the object from the first byte on; empty where there is none.
    pub text: String,
    /// Whether the device says that it takes large objects.
    pub takes_chunks: bool,
}

/// Shows no value: it can be a secret.
impl std::fmt::Debug for Supply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {} bytes, takes chunks: {}", self.want, self.text.len(), self.takes_chunks)
    }
}

/// What a step has to fill one message with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// Bytes for commands.
    pub(super) bytes: usize,
    /// The same in a message that has no more to answer than its header.
    pub(super) at_most: usize,
    /// The MaxMsgSize of the device, where it is what counts.
    pub(super) announced: Option<u64>,
}

/// What becomes of a large command whose turn it is.
pub(super) enum Turn {
    /// Its first chunk.
    Chunk(Box<Command>),
    /// It is not sent: its Items have a status that says so.
    Refused,
    /// The step is tried again with what it wants.
    Later,
}

/// The smallest MaxMsgSize that counts: header and statuses need some of it.
const SMALLEST: u64 = 2048;
/// A chunk has at least so many bytes, however little room there is: it must come to an end.
const LEAST: usize = 256;
/// Bytes that the envelope may still grow by: numbers of statuses, a challenge.
const MARGIN: usize = 512;
/// "Too large" as a status.
const TOO_LARGE: u16 = 413;
/// "The size does not match" as a status.
const MISMATCH: u16 = 424;

/// Takes note of what the device announces.
pub(super) fn note_limits(work: &mut Work<'_>, message: &Message) {
    let Some(session) = &mut work.session else { return };
    session.max_msg_size = message.header.max_msg_size.or(session.max_msg_size);
    session.max_obj_size = message.header.max_obj_size.or(session.max_obj_size);
}

/// How many bytes of commands the answer has room for, beside what stands in it already.
pub(super) fn room(work: &Work<'_>, message: &Message) -> Room {
    let most = work.limits.reply_bytes;
    let Some(announced) = work.session.as_ref().and_then(|session| session.max_msg_size) else {
        return Room { bytes: most, at_most: most, announced: None };
    };
    let size = usize::try_from(announced.max(SMALLEST)).unwrap_or(usize::MAX);
    let mut envelope = work.envelope(message);
    let beside = |envelope: &Message| size.saturating_sub(message_len(envelope) + MARGIN).min(most);
    let bytes = beside(&envelope);
    envelope.body.truncate(1);
    Room { bytes, at_most: beside(&envelope), announced: Some(announced) }
}

/// A Status for the value that is under way. Returns whether it says something about a chunk only.
///
/// 213 takes the chunk that went out last, once. A success before the end is not believed: the device cannot have what it
/// was not sent.
pub(super) fn take_status(work: &mut Work<'_>, status: &mut Cow<'_, Status>) -> bool {
    let Some(session) = &mut work.session else { return false };
    let Some(sending) = session.sending.as_mut().filter(|sending| sending.cmd_id == status.cmd_ref) else {
        return false;
    };
    match status.code.0 {
        213 if status.msg_ref.is_none_or(|id| id.0 == sending.msg_id) => {
            sending.taken = true;
            true
        }
        101 | 213 => true,
        200..=299 => {
            status.to_mut().code.0 = MISMATCH;
            work.remark("a success for a value that was not all sent");
            false
        }
        _ => false,
    }
}

/// The next chunk, if the device took the one before; whether it is the last one with it. Otherwise a value that is under
/// way ends here, unless the device is still at work.
pub(super) fn go_on(work: &mut Work<'_>, message: &Message) -> Option<(Command, bool)> {
    let sending = work.session.as_ref()?.sending.clone()?;
    let is_open = work.commands.get(&sending.command).is_some_and(|command| {
        let is_sent = command.state == CommandState::Sent;
        is_sent && command.awaited().any(|each| each.cmd_id == sending.cmd_id)
    });
    let may_go_on = is_open && work.enrollment.state == EnrollmentState::Active;
    if may_go_on && sending.taken {
        let room = room(work, message);
        let chunk = chunk(work, sending, room);
        if chunk.is_some() || work.want.is_some() {
            return chunk;
        }
    }
    if !(may_go_on && work.seen.heartbeat) {
        stop(work);
    }
    None
}

/// Nothing more of it is sent.
pub(super) fn stop(work: &mut Work<'_>) {
    if let Some(session) = &mut work.session {
        session.sending = None;
    }
}

/// Whether a command needs more than one message, or has a value that stands in rows. What fits beside a header only goes alone.
pub(super) fn is_large(command: &Command, room: Room) -> bool {
    is_placeholder(command) || room.announced.is_some() && encoded_len(std::slice::from_ref(command)) > room.at_most
}

/// Whether its value stands somewhere else.
fn is_placeholder(command: &Command) -> bool {
    command.items.iter().any(|item| item.more_data && item.data.is_none())
}

/// It is the turn of a large command, and nothing else is in the message.
pub(super) fn begin(work: &mut Work<'_>, id: Id<QueuedCommand>, cmd_id: &str, room: Room) -> Turn {
    let Some((unit, session)) = work.commands.get(&id).zip(work.session.as_ref()) else { return Turn::Refused };
    let Some(command) = unit.body.iter().find(|each| each.cmd_id == cmd_id) else { return Turn::Refused };
    let object = unit.large_value.as_ref().filter(|_| is_placeholder(command)).map(|value| value.object.clone());
    let bytes = object.as_ref().map_or_else(|| value_len(command), |object| object.bytes);
    let is_chunkable = matches!(command.verb, Verb::Add | Verb::Replace) && command.items.len() == 1;
    let refusal = match room.announced {
        _ if !is_chunkable => Some(
            "a command is larger than a message to the device, and only the value of one Add or Replace can be sent in chunks",
        ),
        None => Some(
            "a value is larger than a message to the device, which announced no MaxMsgSize: it is not sent in chunks",
        ),
        Some(_) if session.max_obj_size.is_some_and(|most| bytes > most) => {
            Some("a value is larger than the MaxObjSize of the device")
        }
        Some(_) => None,
    };
    if let Some(words) = refusal {
        return refuse(work, id, cmd_id, words);
    }
    let (command, offer_session, msg_id) = (id, session.id, session.our_msg_id + 1);
    let sending = Sending { command, cmd_id: cmd_id.to_owned(), bytes, sent: 0, msg_id, taken: false };
    let want = Want { object, start: 0, bytes: room.bytes as u64 };
    match takes_chunks(work) {
        Some(false) => {
            let words =
                "a value is larger than a message to the device, which takes no large objects (./DevDetail/LrgObj)";
            return refuse(work, id, cmd_id, words);
        }
        Some(true) if work.supplies.iter().any(|supply| supply.want == want) => {}
        _ => {
            work.want = Some(want);
            return Turn::Later;
        }
    }
    match chunk(work, sending, room) {
        Some((chunk, _)) => {
            let offer = Offer { session: offer_session, msg_id, at: work.now };
            if let Some(command) = work.commands.get_mut(&id) {
                command.hand_over(&[cmd_id.to_owned()], offer);
            }
            Turn::Chunk(Box::new(chunk))
        }
        None => refuse(work, id, cmd_id, "a large value is no longer there"),
    }
}

/// Whether the device takes large objects: by what it says in this message, or said before.
fn takes_chunks(work: &Work<'_>) -> Option<bool> {
    let node = LocUri::fixed(device_info::LARGE_OBJECTS);
    let told =
        work.notices.iter().filter_map(|notice| if let Notice::Inventory(items) = notice { Some(items) } else { None });
    let now = told.flatten().find(|item| item.loc_uri.same_as(&node)).map(InventoryItem::is_true);
    now.or_else(|| work.supplies.first().map(|supply| supply.takes_chunks))
}

/// Our own refusal, before anything goes out.
fn refuse(work: &mut Work<'_>, id: Id<QueuedCommand>, cmd_id: &str, words: &str) -> Turn {
    work.remark(words);
    if let Some(command) = work.commands.get_mut(&id) {
        command.refuse_to_send(cmd_id, TOO_LARGE);
    }
    Turn::Refused
}

/// The next chunk and whether it is the last; `None` where the value is not there, or is not the one that was begun.
fn chunk(work: &mut Work<'_>, mut sending: Sending, room: Room) -> Option<(Command, bool)> {
    let unit = work.commands.get(&sending.command)?;
    let command = unit.body.iter().find(|each| each.cmd_id == sending.cmd_id)?;
    let item = command.items.first()?;
    let object = unit.large_value.as_ref().filter(|_| is_placeholder(command)).map(|value| value.object.clone());
    let frame = framed(command, item, Some(sending.bytes).filter(|_| sending.sent == 0), "", true);
    let most = room.bytes.saturating_sub(encoded_len(&[frame])).max(LEAST);
    let text = match &object {
        None => item.text().get(usize::try_from(sending.sent).ok()?..)?,
        Some(_) => {
            let want = Want { object, start: sending.sent, bytes: room.bytes.max(LEAST) as u64 };
            let is_it = |supply: &&Supply| supply.want.start == want.start && supply.want.object == want.object;
            match work.supplies.iter().find(is_it) {
                Some(supply) => &supply.text,
                None => {
                    work.want = Some(want);
                    return None;
                }
            }
        }
    };
    let data = prefix_within(text, most);
    let size = Some(sending.bytes).filter(|_| sending.sent == 0);
    sending.sent += data.len() as u64;
    sending.taken = false;
    let is_last = sending.sent == sending.bytes;
    if data.is_empty() && !is_last || sending.sent > sending.bytes {
        return None;
    }
    let chunk = framed(command, item, size, data, !is_last);
    let session = work.session.as_mut()?;
    sending.msg_id = session.our_msg_id + 1;
    session.sending = Some(sending).filter(|_| !is_last);
    Some((chunk, is_last))
}

/// The command with a piece of its value.
fn framed(command: &Command, item: &Item, size: Option<u64>, data: &str, more_data: bool) -> Command {
    let meta = Meta { size, ..item.meta.clone() };
    let item = Item { target: item.target.clone(), source: None, meta, data: Some(Data::new(data)), more_data };
    Command { items: vec![item], children: Vec::new(), ..command.clone() }
}

fn value_len(command: &Command) -> u64 {
    command.items.first().map_or(0, |item| item.text().len() as u64)
}

#[cfg(test)]
#[path = "sending_tests.rs"]
mod tests;
