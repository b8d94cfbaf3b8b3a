//! Alerts of devices: kept as rows, told as events, listed (management reference chapter 4).

use serde_json::json;
use time::OffsetDateTime;

use super::ports::{Listed, Page, Write};
use super::redact::{self, Redaction};
use super::{App, Error};
use crate::domain::Id;
use crate::domain::alert::AlertRecord;
use crate::domain::device::Device;
use crate::domain::enrollment::Enrollment;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::AlertType;
use crate::session::AlertNotice;

/// Longest data that is kept of an alert, in characters.
const LONGEST_DATA: usize = 4096;

impl App {
    /// The row of an alert and the event that tells of it. What may be secret is in neither.
    pub(super) fn alert_writes(
        &self,
        enrollment: &Enrollment,
        session: Option<Id<SessionRecord>>,
        alert: &AlertNotice,
        at: OffsetDateTime,
    ) -> [Write; 2] {
        let redaction = Redaction { rules: &self.redaction(), sealer: &*self.sealer };
        let shown = redact::alert_data(alert, redaction);
        let record = AlertRecord {
            id: self.new_id(),
            device_id: enrollment.device_id,
            enrollment_id: enrollment.id,
            session_id: session,
            at,
            code: alert.code,
            kind: alert.kind.clone(),
            is_known: AlertType::of(alert.code, &alert.kind) != AlertType::Unknown,
            source: alert.source.clone(),
            mark: alert.mark.clone(),
            format: alert.format.clone(),
            data: shown.chars().take(LONGEST_DATA).collect(),
            data_bytes: alert.data.len() as u64,
        };
        let told = json!({
            "id": record.id, "enrollment_id": record.enrollment_id, "code": record.code, "type": record.kind,
            "known": record.is_known, "source": record.source, "mark": record.mark, "data": record.data,
        });
        let event = self.event("alert.received", Some(enrollment.device_id.to_string()), told);
        [Write::InsertAlert(Box::new(record)), event]
    }

    /// Alerts of a device, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn alerts(&self, device: Id<Device>, page: &Page) -> Result<Listed<AlertRecord>, Error> {
        if self.store.device(device).await?.is_none() {
            return Err(Error::NotFound("device"));
        }
        Ok(self.store.alerts(device, page).await?)
    }
}
