//! Large objects: what comes in chunks, what is kept of it, and how it is read again.

use aws_lc_rs::digest::{SHA256, digest};

use super::ports::{StoreError, Write};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::command::{ItemState, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::domain::object::{INLINE, LargeObject, LargeValue, ObjectPart, ObjectRef};
use crate::proto::csp::device_info;
use crate::proto::syncml::{Command, Data, Element, Item, LocUri, Message, Verb};
use crate::session::{Conversation, ObjectChange, Supply, Want, fits};

/// Parts that are read at once.
const PARTS: u32 = 64;
/// Bytes of one part of a value for a device.
const PIECE: usize = 32 * 1024;

impl App {
    /// For a message with chunks: the bytes for which there is room, and what came before of an object that may end now and
    /// is small. Nothing is read for other messages.
    pub(super) async fn load_objects(
        &self,
        enrollment: &Enrollment,
        conversation: &Conversation,
        message: &Message,
    ) -> Result<(u64, String), StoreError> {
        let open = conversation.open().and_then(|session| session.arrival.as_ref());
        let begins = items(message).any(|item| item.more_data && item.meta.size.is_some());
        let room = if begins { self.room(enrollment).await? } else { 0 };
        let ends = items(message).any(|item| !item.more_data);
        let arrived = match open.filter(|open| ends && open.refused.is_none() && open.bytes <= INLINE) {
            Some(open) => self.object_text(open.object, INLINE).await?,
            None => String::new(),
        };
        Ok((room, arrived))
    }

    async fn room(&self, enrollment: &Enrollment) -> Result<u64, StoreError> {
        let (own, of_all) = self.store.object_bytes(enrollment.id).await?;
        let own = self.settings.device_object_bytes.saturating_sub(own);
        Ok(own.min(self.settings.all_object_bytes.saturating_sub(of_all)))
    }

    /// The text of an object, as far as it is there and at most so many bytes of it, in whole parts.
    pub(super) async fn object_text(&self, id: Id<LargeObject>, most: u64) -> Result<String, StoreError> {
        let mut text = String::new();
        loop {
            let parts = self.store.object_parts(id, (text.len() as u64, most), PARTS).await?;
            if parts.is_empty() {
                return Ok(text);
            }
            parts.iter().for_each(|part| text.push_str(&part.text));
        }
    }

    /// What a step wants to go on with a value for the device.
    pub(super) async fn supply(&self, enrollment: &Enrollment, want: Want) -> Result<Supply, StoreError> {
        let text = match &want.object {
            Some(object) => self.object_slice(object.id, want.start, want.bytes).await?,
            None => String::new(),
        };
        let node = LocUri::fixed(device_info::LARGE_OBJECTS);
        let told = self.store.inventory(enrollment.device_id).await?;
        let takes_chunks = told.iter().any(|item| item.loc_uri.same_as(&node) && item.is_true());
        Ok(Supply { want, text, takes_chunks })
    }

    /// About so many bytes of an object from a place on that lies between two characters; whole characters.
    async fn object_slice(&self, id: Id<LargeObject>, start: u64, bytes: u64) -> Result<String, StoreError> {
        let end = start.saturating_add(bytes);
        let mut text = String::new();
        let mut at = start;
        while at < end {
            let parts = self.store.object_parts(id, (at, end), PARTS).await?;
            let Some(last) = parts.last() else { break };
            let next = last.start + last.text.len() as u64;
            for part in &parts {
                let skip = usize::try_from(start.saturating_sub(part.start)).unwrap_or(usize::MAX);
                let Some(piece) = part.text.get(skip..) else {
                    return Err(StoreError::Internal(format!("object {id} has no character at byte {start}")));
                };
                text.push_str(piece);
            }
            at = next;
        }
        text.truncate(text.floor_char_boundary(usize::try_from(bytes).unwrap_or(usize::MAX)));
        Ok(text)
    }

    /// The bytes of the largest list of commands that is taken: one large value, and what stands around it.
    #[must_use]
    pub fn largest_commands(&self) -> usize {
        usize::try_from(self.settings.objects.bytes).unwrap_or(usize::MAX).saturating_add(1024 * 1024)
    }

    /// Takes the value out of the one command of a list, where it is larger than one message and can go in chunks.
    pub(super) fn take_large_value(&self, commands: &mut [Command]) -> Option<String> {
        let (bytes, count) = (self.settings.reply_bytes, self.settings.reply_commands);
        let [command] = commands else { return None };
        if fits(std::slice::from_ref(command), bytes, count) {
            return None;
        }
        let value = value_to_cut(command)?.to_owned();
        let item = command.items.first_mut()?;
        (item.more_data, item.data) = (true, None);
        Some(value)
    }

    /// Writes the value of a command into parts of their own.
    ///
    /// # Errors
    /// [`Error::Conflict`] where there is no room for it.
    pub(super) async fn keep_large_value(
        &self,
        enrollment: &Enrollment,
        command: &mut QueuedCommand,
        value: &str,
    ) -> Result<Vec<Write>, Error> {
        let bytes = value.len() as u64;
        if bytes > self.room(enrollment).await? {
            let message = "no room is left for large values of this device, or of all; see [limits]".to_owned();
            return Err(Error::Conflict { code: "no_room", message });
        }
        let id = self.new_id();
        command.large_value = Some(LargeValue { object: ObjectRef { id, bytes }, sha256: sha256(value) });
        let mut writes = vec![Write::InsertObject(LargeObject {
            id,
            enrollment_id: enrollment.id,
            command_id: Some(command.id),
            bytes,
            is_whole: true,
            at: self.now(),
        })];
        let (mut rest, mut start) = (value, 0);
        for seq in 0.. {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
            writes.push(Write::AppendObject(ObjectPart { object_id: id, seq, start, text: piece.to_owned() }));
            start += piece.len() as u64;
            rest = after;
        }
        Ok(writes)
    }

    /// The large values of a command by the place of their Item, as long as they have no more than so many bytes together.
    pub async fn large_values(&self, command: &QueuedCommand, most: u64) -> Result<Vec<(usize, String)>, Error> {
        let (mut values, mut room) = (Vec::new(), most);
        for (place, item) in command.items.iter().enumerate() {
            let Some(object) = item.object.as_ref().filter(|object| object.bytes <= room) else { continue };
            room -= object.bytes;
            values.push((place, self.object_text(object.id, object.bytes).await?));
        }
        Ok(values)
    }

    /// The value of an Item, wherever it is.
    pub async fn item_value(&self, item: &ItemState) -> Result<Option<String>, Error> {
        match &item.object {
            Some(object) => Ok(Some(self.object_text(object.id, object.bytes).await?)),
            None => Ok(item.data.clone()),
        }
    }
}

/// The value that can go in chunks where the command is too large for a message.
pub(super) fn value_to_cut(command: &Command) -> Option<&str> {
    match command.items.as_slice() {
        [item] if matches!(command.verb, Verb::Add | Verb::Replace) => item.data.as_ref().map(Data::text),
        _ => None,
    }
}

/// A digest of a value, in hex: whether it is the same.
pub(super) fn sha256(value: &str) -> String {
    digest(&SHA256, value.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The Items of what can come in chunks.
fn items(message: &Message) -> impl Iterator<Item = &Item> {
    message.body.iter().flat_map(|element| match element {
        Element::Results(results) => results.items.as_slice(),
        Element::Command(command) => command.items.as_slice(),
        Element::Status(_) | Element::Alert(_) | Element::Unknown { .. } => &[],
    })
}

pub(super) fn object_write(change: ObjectChange) -> Write {
    match change {
        ObjectChange::Begin(object) => Write::InsertObject(object),
        ObjectChange::Append(part) => Write::AppendObject(part),
        ObjectChange::Finish(object) => Write::FinishObject { id: object.id, bytes: object.bytes },
        ObjectChange::Delete(id) => Write::DeleteObject(id),
    }
}
