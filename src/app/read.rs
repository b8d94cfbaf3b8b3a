//! Reading: what lists and detail pages show, and ids that people shorten.

use serde_json::Value;
use time::OffsetDateTime;

use super::csp::ActionOffer;
use super::ports::{AttemptFilter, CommandFilter, DeviceFilter, DeviceView, Listed, Page, SessionFilter, Table, Write};
use super::{App, AuditObject, Error, Principal};
use crate::domain::Id;
use crate::domain::attempt::Attempt;
use crate::domain::command::QueuedCommand;
use crate::domain::device::Device;
use crate::domain::event::{AuditRow, Event};
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::push::Push;
use crate::domain::session_record::SessionRecord;
use crate::pki::Serial;
use crate::session::{Conversation, KnownDocument, Provisioned, StatusPage, Wanted};

/// A device with all that it told about itself.
#[derive(Clone, Debug)]
pub struct DeviceDetail {
    /// The device, its enrollment, its user.
    pub view: DeviceView,
    /// Nodes that it reported.
    pub inventory: Vec<InventoryItem>,
    /// Nodes that it does not have.
    pub missing: Vec<MissingNode>,
    /// Every kind of action, and whether it is known not to work there.
    pub actions: Vec<ActionOffer>,
    /// The enrollment status page, if there was one.
    pub status_page: Option<StatusPage>,
    /// The documents of declared configuration that it told of.
    pub documents: Vec<KnownDocument>,
    /// OMA-DM provider id.
    pub provider_id: String,
    /// What is known of push to it, if anything is.
    pub push: Option<Push>,
    /// What it has of what can be set anew of its provisioning document, and what it is to have.
    pub provisioned: (Provisioned, Wanted),
    /// When this was so.
    pub at: OffsetDateTime,
}

impl App {
    /// Devices, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn devices(&self, filter: &DeviceFilter, page: &Page) -> Result<Listed<DeviceView>, Error> {
        Ok(self.store.devices(filter, page).await?)
    }

    /// A device.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn device(&self, id: Id<Device>) -> Result<DeviceDetail, Error> {
        let view = self.store.device(id).await?.ok_or(Error::NotFound("device"))?;
        let (known, evidence) = (self.csp().await?, self.evidence(&view).await?);
        let actions = self.action_offers(&view, &known, &evidence);
        let inventory = self.store.inventory(id).await?;
        let missing = self.store.missing_nodes(id).await?;
        let (conversation, _) = self.load_conversation(view.enrollment.id).await?;
        let Conversation { status_page, documents, provisioned, .. } = conversation;
        let provider_id = self.settings.provider_id.clone();
        let push = self.store.push(view.enrollment.id).await?;
        let provisioned = (provisioned, self.wanted(view.enrollment.id, push.as_ref()));
        Ok(DeviceDetail {
            view,
            inventory,
            missing,
            actions,
            status_page,
            documents,
            provider_id,
            push,
            provisioned,
            at: self.now(),
        })
    }

    /// Actions and commands, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn commands(&self, filter: &CommandFilter, page: &Page) -> Result<Listed<QueuedCommand>, Error> {
        Ok(self.store.commands(filter, page).await?)
    }

    /// An action or command.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn command(&self, id: Id<QueuedCommand>) -> Result<QueuedCommand, Error> {
        self.store.command(id).await?.ok_or(Error::NotFound("command"))
    }

    /// What an action brought, where its kind brings something.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn result(&self, action: &QueuedCommand) -> Result<Option<Value>, Error> {
        let enrollment = self.store.enrollment(action.enrollment_id).await?.ok_or(Error::NotFound("enrollment"))?;
        Ok(action.result(&self.settings.provider_id, &enrollment))
    }

    /// Sessions, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<Listed<SessionRecord>, Error> {
        Ok(self.store.sessions(filter, page).await?)
    }

    /// A session, without its messages.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn session(&self, id: Id<SessionRecord>) -> Result<SessionRecord, Error> {
        self.store.session(id).await?.ok_or(Error::NotFound("session"))
    }

    /// Attempts to enroll, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn attempts(&self, filter: &AttemptFilter, page: &Page) -> Result<Listed<Attempt>, Error> {
        Ok(self.store.attempts(filter, page).await?)
    }

    /// Published events after that one, oldest first; `None` begins with the oldest that is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] where `after` is no event (any more), or the store's.
    pub async fn events_after(
        &self,
        after: Option<Id<Event>>,
        subject: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        let seq = match after {
            None => 0,
            Some(id) => match self.store.event(id).await?.ok_or(Error::NotFound("event"))?.seq {
                Some(seq) => seq,
                // Not published yet, so nothing is published after it.
                None => return Ok(Vec::new()),
            },
        };
        Ok(self.store.events_after(seq, subject, limit).await?)
    }

    /// The audit trail, newest first; of one object where one is named.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit_rows(&self, object_id: Option<&str>, page: &Page) -> Result<Listed<AuditRow>, Error> {
        Ok(self.store.audit(object_id, page).await?)
    }

    /// Writes down that somebody known tried what they may not do.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_refusal(&self, by: &Principal, action: &str, reason: &str) -> Result<(), Error> {
        let object = AuditObject { kind: "route", id: String::new(), name: String::new() };
        let row: Write = self.audit(by, action, object, "refused", reason);
        Ok(self.commit(vec![row]).await?)
    }

    /// The id that the text names: a whole id, or the beginning of exactly one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] `ambiguous_id`, or the store's.
    pub async fn resolve<T>(&self, table: Table, what: &'static str, text: &str) -> Result<Id<T>, Error> {
        if let Some(id) = whole_id(text) {
            return Ok(id);
        }
        let found = self.id_with_prefix(table, what, text).await?;
        found.parse().map_err(|cause| Error::Internal(Box::new(cause)))
    }

    /// The serial number that the text names: a whole one, however it is written (OpenSSL leaves zeros at the front away
    /// and Windows puts spaces between the bytes), or the beginning of exactly one.
    ///
    /// # Errors
    /// As [`App::resolve`].
    pub async fn resolve_serial(&self, text: &str) -> Result<String, Error> {
        let text = text.replace([':', ' '], "");
        if let Some(serial) = Serial::parse(&text).map(Serial::to_hex)
            && self.store.certificate_by_serial(&serial).await?.is_some()
        {
            return Ok(serial);
        }
        self.id_with_prefix(Table::Certificates, "certificate", &text).await
    }

    async fn id_with_prefix(&self, table: Table, what: &'static str, text: &str) -> Result<String, Error> {
        let prefix = text.to_ascii_lowercase();
        let is_prefix = prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if !is_prefix || !PREFIX_LENGTHS.contains(&prefix.len()) {
            return Err(Error::NotFound(what));
        }
        let mut found = self.store.ids_with_prefix(table, &prefix).await?;
        match (found.pop(), found.pop()) {
            (None, _) => Err(Error::NotFound(what)),
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => {
                let words = format!("more than one {what} has an id that begins with {prefix}; give more of it");
                Err(Error::conflict("ambiguous_id", words))
            }
        }
    }
}

/// Lengths that the beginning of an id may have, up to a whole one.
const PREFIX_LENGTHS: std::ops::RangeInclusive<usize> = 4..=36;

/// A whole id as this server writes it.
fn whole_id<T>(text: &str) -> Option<Id<T>> {
    text.parse().ok().filter(|_| text.len() == 36)
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;
