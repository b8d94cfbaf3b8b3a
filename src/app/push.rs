//! Push: what devices tell about it, and waking them (management reference 6.2).

mod token;
mod wake;

use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::Notify;

use super::App;
use super::ports::{StoreError, Write};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::inventory::InventoryItem;
use crate::domain::push::{ChannelHost, ChannelUri, Push, PushChange, Registration};
use crate::proto::csp::dm_client;
use crate::session::{Incoming, Notice, PushReport};

pub use wake::Round;

/// What one process remembers of push.
#[derive(Default)]
pub(super) struct Memory {
    tokens: token::Tokens,
    /// Rings when a device was made due.
    bell: Notify,
}

impl App {
    /// Resolves when a device was made due by this process.
    pub async fn push_wanted(&self) {
        self.memory.push.bell.notified().await;
    }

    /// Rings for whoever pushes.
    pub(super) fn want_push(&self) {
        self.memory.push.bell.notify_one();
    }

    /// What is known of push to an enrollment, where a message opens a session that may ask about it.
    pub(super) async fn known_push(
        &self,
        enrollment: Id<Enrollment>,
        incoming: &Incoming,
    ) -> Result<Option<Push>, StoreError> {
        if self.settings.push.is_none() || !matches!(incoming, Incoming::Open { .. }) {
            return Ok(None);
        }
        self.store.push(enrollment).await
    }

    /// What is to be written of what a device told about push: what is new, and of each kind what it said last.
    pub(super) async fn push_writes(
        &self,
        enrollment: &Enrollment,
        notices: &[Notice],
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, StoreError> {
        let (mut registered, mut channel, mut status) = (None, None, None);
        for notice in notices {
            match notice {
                Notice::Push(PushReport::Registered { pfn, status }) => registered = Some((pfn, status)),
                Notice::Push(PushReport::Channel(uri)) => channel = Some(uri),
                Notice::Push(PushReport::Status(text)) => status = Some(text),
                _ => {}
            }
        }
        if registered.is_none() && channel.is_none() && status.is_none() {
            return Ok(Vec::new());
        }
        let known = self.store.push(enrollment.id).await?.unwrap_or_default();
        let mut writes = Vec::new();
        if let Some((pfn, status)) = registered {
            let made = Registration { pfn: Some(pfn.clone()), status: Some(*status), at: Some(now) };
            writes.push(change(enrollment, PushChange::Registered(made)));
        }
        if let Some(uri) = channel {
            writes.extend(self.channel_writes(enrollment, &known, uri.as_ref(), now));
        }
        if let Some(status) = status.filter(|status| known.status.as_ref() != Some(status)) {
            writes.push(change(enrollment, PushChange::Status { status: status.clone(), at: now }));
            writes.push(self.status_item(enrollment, status, now));
        }
        Ok(writes)
    }

    /// Another channel than before. One that does not lie on the hosts of WNS is not kept, and that is told.
    fn channel_writes(
        &self,
        enrollment: &Enrollment,
        known: &Push,
        uri: Option<&ChannelUri>,
        at: OffsetDateTime,
    ) -> Vec<Write> {
        let usual = [ChannelHost::wns()];
        let hosts = self.settings.push.as_ref().map_or(&usual[..], |push| &push.channel_hosts);
        let refusal = uri.and_then(|uri| {
            let reason = uri.on(hosts).err()?;
            Some(uri.host().map_or_else(|| reason.to_string(), |host| format!("{reason}: {host}")))
        });
        let uri = uri.filter(|_| refusal.is_none()).cloned();
        if (&known.channel, &known.refusal) == (&uri, &refusal) {
            return Vec::new();
        }
        let mut writes = Vec::new();
        if let Some(reason) = &refusal {
            tracing::warn!(enrollment_id = %enrollment.id, reason, "push channel refused");
            let data = json!({"enrollment_id": enrollment.id, "type": "push_channel_refused", "reason": reason});
            writes.push(self.event("alert.received", Some(enrollment.device_id.to_string()), data));
        }
        writes.push(change(enrollment, PushChange::Channel { uri, refusal, at }));
        writes
    }

    /// The inventory shows every node that a device reported; it is not written anew in each session.
    fn status_item(&self, enrollment: &Enrollment, status: &str, at: OffsetDateTime) -> Write {
        let loc_uri = dm_client::push_status(&self.settings.provider_id);
        let item = InventoryItem { loc_uri, value: Some(status.to_owned()), format: Some("int".to_owned()), at };
        Write::SaveInventory { device_id: enrollment.device_id, items: vec![item] }
    }
}

fn change(enrollment: &Enrollment, change: PushChange) -> Write {
    Write::ChangePush { enrollment_id: enrollment.id, change }
}
