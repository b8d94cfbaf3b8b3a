//! Certificates that ended: what an administrator is told, and what becomes of a device that is let in nevertheless.

use std::sync::atomic::Ordering;

use serde_json::json;
use time::OffsetDateTime;

use crate::app::identify::in_words;
use crate::app::ports::{StoreError, Write};
use crate::app::{App, Unidentified};
use crate::domain::certificate::Certificate;
use crate::domain::enrollment::Enrollment;

/// How every warning about an expiry begins.
const ENDED: &str = "its certificate ended at ";

/// Takes back the warning that a certificate ended.
pub(super) fn forget(enrollment: &mut Enrollment) {
    if enrollment.warning.as_ref().is_some_and(|words| words.starts_with(ENDED)) {
        enrollment.warning = None;
    }
}

impl App {
    /// How many certificates there were, when they were counted last, whose devices should have begun to renew them.
    #[must_use]
    pub fn late_renewals(&self) -> u64 {
        self.memory.late_renewals.load(Ordering::Relaxed)
    }

    /// Counts them.
    pub(in crate::app) async fn count_late_renewals(&self) -> Result<(), StoreError> {
        let now = self.now();
        let late = self.store.late_renewals(now, now + self.settings.renewal.due()).await?;
        self.memory.late_renewals.store(late, Ordering::Relaxed);
        Ok(())
    }

    /// Tells of each of them once.
    pub(in crate::app) async fn tell_late_renewals(&self, limit: u32) -> Result<(), StoreError> {
        let now = self.now();
        for certificate in self.store.untold_late_renewals(now, now + self.settings.renewal.due(), limit).await? {
            let Some(enrollment) = self.store.enrollment(certificate.enrollment_id).await? else { continue };
            let data = json!({
                "serial": certificate.serial, "enrollment_id": enrollment.id,
                "not_after": in_words(certificate.not_after),
                "last_seen_at": enrollment.last_seen_at.map(in_words),
            });
            let told = self.event("cert.expiring", Some(enrollment.device_id.to_string()), data);
            match self.commit(vec![Write::TellLateCertificate { serial: certificate.serial, at: now }, told]).await {
                // Another process was faster.
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Marks a device that is let in although its certificate ended: the words for its session, and the event, the first time.
    pub(in crate::app) fn let_in_expired(
        &self,
        ended: OffsetDateTime,
        enrollment: &mut Enrollment,
    ) -> (String, Option<Write>) {
        let until = ended + self.settings.renewal.grace();
        let words = format!("{ENDED}{}; until {} it is let in so that it can renew", in_words(ended), in_words(until));
        let told = self.warn_of_expiry(enrollment, words.clone(), ended, Some(until));
        (words, told)
    }

    /// A managed device that was refused because its certificate ended too long ago needs somebody who enrolls it again.
    pub(in crate::app) async fn remark_expiry(
        &self,
        refused: &Unidentified,
        certificate: Certificate,
        mut enrollment: Enrollment,
    ) {
        let ended = certificate.not_after;
        if !matches!(refused, Unidentified::Expired(_)) || self.now() <= ended || !enrollment.state.is_open() {
            return;
        }
        let words = match self.settings.renewal.grace().whole_days() {
            0 => format!("{ENDED}{} and was not renewed: enroll the device again", in_words(ended)),
            days => format!(
                "{ENDED}{} and was not renewed in the {days} days after: enroll the device again",
                in_words(ended)
            ),
        };
        let Some(event) = self.warn_of_expiry(&mut enrollment, words, ended, None) else { return };
        let writes = vec![Write::UpdateEnrollment(Box::new(enrollment)), event];
        // Whoever was faster told it, or the next request does.
        if let Err(error) = self.commit(writes).await {
            tracing::debug!(%error, "an expired certificate is told of later");
        }
    }

    /// Warns of it, unless something else has to be looked at; the event where that is new.
    fn warn_of_expiry(
        &self,
        enrollment: &mut Enrollment,
        words: String,
        ended: OffsetDateTime,
        until: Option<OffsetDateTime>,
    ) -> Option<Write> {
        let is_free = enrollment.warning.as_ref().is_none_or(|known| known.starts_with(ENDED) && *known != words);
        if !is_free {
            return None;
        }
        let data = json!({
            "enrollment_id": enrollment.id, "ended_at": in_words(ended), "let_in_until": until.map(in_words),
            "reason": words,
        });
        enrollment.warning = Some(words);
        Some(self.event("cert.expired", Some(enrollment.device_id.to_string()), data))
    }
}
