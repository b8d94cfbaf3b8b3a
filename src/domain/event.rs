//! Events for subscribers and rows of the audit trail.

use serde_json::Value;
use time::OffsetDateTime;

use super::Id;

/// Something that happened, for subscribers; the fields of CloudEvents 1.0 that vary.
#[derive(Clone, Debug)]
pub struct Event {
    /// Identifier.
    pub id: Id<Self>,
    /// Type with the `muster.` prefix, e.g. `muster.device.enrolled`.
    pub kind: String,
    /// Device id, where a device is concerned.
    pub subject: Option<String>,
    /// When.
    pub time: OffsetDateTime,
    /// Details; never holds values of settings, passwords or tokens.
    pub data: Value,
    /// Place in the published order; `None` until it has been given one after the commit.
    pub seq: Option<i64>,
}

/// A row of the audit trail.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// Identifier.
    pub id: Id<Self>,
    /// When.
    pub time: OffsetDateTime,
    /// Who: a user's address, `device:<enrollment id>`, or `system`.
    pub actor: String,
    /// What was done, e.g. `action.create`.
    pub action: String,
    /// Kind of the object, e.g. `device`.
    pub object_kind: String,
    /// Its id.
    pub object_id: String,
    /// Its name at the time.
    pub object_name: String,
    /// `ok`, `refused` or `failed`.
    pub outcome: String,
    /// Details in words.
    pub detail: String,
    /// Address of the actor, where there is one.
    pub address: String,
}
