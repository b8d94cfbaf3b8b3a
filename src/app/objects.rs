//! Large objects: what comes in chunks, what is kept of it, and how it is read again.

use super::ports::{StoreError, Write};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::command::{ItemState, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::domain::object::{INLINE, LargeObject};
use crate::proto::syncml::{Element, Item, Message};
use crate::session::{Conversation, ObjectChange};

/// Parts that are read at once.
const PARTS: u32 = 64;

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
