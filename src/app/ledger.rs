//! The enrollment ledger: one row per attempt, from Discover on, with the cause in words and the trace id that the device
//! logs.

use std::net::IpAddr;

use serde_json::json;
use uuid::Uuid;

use super::ports::{StoreError, Write};
use super::{App, MOST_TRIES, Refusal};
use crate::domain::Id;
use crate::domain::attempt::{Attempt, ONE_ATTEMPT, Outcome, Phase, Road};
use crate::domain::enrollment::Enrollment;

/// Who sent an enrollment message.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Network address.
    pub address: IpAddr,
    /// The id under which this message is found again: `ActivityId` and `TraceId` of the answer.
    pub trace_id: Uuid,
}

/// What one message adds to the ledger.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) phase: Phase,
    pub(super) email: &'a str,
    pub(super) road: Option<Road>,
    pub(super) device_name: Option<&'a str>,
    pub(super) os_version: Option<&'a str>,
    pub(super) outcome: Outcome,
    pub(super) cause: String,
    pub(super) hresult: Option<u32>,
    pub(super) enrollment_id: Option<Id<Enrollment>>,
}

impl<'a> Entry<'a> {
    /// A message that was answered; the attempt goes on.
    pub(super) fn open(phase: Phase, email: &'a str, cause: &str) -> Self {
        Self {
            phase,
            email,
            road: None,
            device_name: None,
            os_version: None,
            outcome: Outcome::Open,
            cause: cause.to_owned(),
            hresult: None,
            enrollment_id: None,
        }
    }

    /// A message that was refused.
    pub(super) fn failed(phase: Phase, email: &'a str, refusal: &Refusal) -> Self {
        let cause = refusal.to_string();
        Self { outcome: Outcome::Failed, hresult: Some(refusal.hresult()), ..Self::open(phase, email, &cause) }
    }

    /// The same by that road.
    pub(super) fn by(self, road: Option<Road>) -> Self {
        Self { road, ..self }
    }
}

/// Longest text, in characters, that is kept or logged of what a caller without a credential causes.
pub(crate) const LONGEST: usize = 320;

impl App {
    /// Writes a message into the ledger. The ledger must not stand in the way of enrollment: what cannot be written is
    /// logged and passed over.
    pub(super) async fn record(&self, caller: &Caller, entry: Entry<'_>) {
        if !self.memory.throttles.allow_row(caller.address) {
            tracing::warn!(address = %caller.address, "ledger entries of this address are skipped: too many");
            return;
        }
        for _ in 0..MOST_TRIES {
            let done = match self.ledger_writes(caller, &entry).await {
                Ok(writes) => self.commit(writes).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => return,
                // The attempt was ended meanwhile, by another PC of the same name at the same address.
                Err(StoreError::Conflict) => {}
                Err(error) => {
                    tracing::error!(%error, trace_id = %caller.trace_id, "an enrollment attempt could not be recorded");
                    return;
                }
            }
        }
        tracing::warn!(trace_id = %caller.trace_id, "an enrollment attempt was not recorded: too many at once");
    }

    /// A refusal that happened before the message could be read as far as its user.
    pub async fn record_unreadable(&self, caller: &Caller, phase: Phase, refusal: &Refusal) {
        self.refused(caller, phase, "", refusal).await;
    }

    /// Records and logs a refusal before anybody signed in.
    pub(super) async fn refused(&self, caller: &Caller, phase: Phase, email: &str, refusal: &Refusal) {
        self.turned_away(caller, Entry::failed(phase, email, refusal), refusal).await;
    }

    /// Records and logs a refusal.
    pub(super) async fn turned_away(&self, caller: &Caller, entry: Entry<'_>, refusal: &Refusal) {
        let (trace_id, phase_name, cause) = (caller.trace_id, entry.phase.as_str(), cut(&entry.cause));
        if refusal.is_ours() {
            tracing::error!(%trace_id, phase = phase_name, cause, "enrollment refused");
        } else {
            tracing::info!(%trace_id, phase = phase_name, cause, "enrollment refused");
        }
        self.record(caller, entry).await;
    }

    /// The ledger row and its event, to be committed alone or with what they tell of.
    pub(super) async fn ledger_writes(&self, caller: &Caller, entry: &Entry<'_>) -> Result<Vec<Write>, StoreError> {
        let email = cut(entry.email);
        let address = caller.address.to_string();
        let now = self.now();
        // A renewal is one message; somebody may enroll another machine from the same place.
        let open = match entry.phase {
            Phase::Renew => None,
            _ => self.store.open_attempt(&email, &address, now - ONE_ATTEMPT).await?,
        };
        // A message that goes back to an earlier phase is another attempt.
        let open = open.filter(|attempt| attempt.phase <= entry.phase);
        let mut attempt = open.unwrap_or_else(|| Attempt {
            id: self.new_id(),
            started_at: now,
            updated_at: now,
            email,
            address,
            road: None,
            phase: entry.phase,
            outcome: Outcome::Open,
            cause: String::new(),
            hresult: None,
            trace_id: String::new(),
            device_name: None,
            os_version: None,
            enrollment_id: None,
        });
        attempt.updated_at = now;
        attempt.road = entry.road.or(attempt.road);
        attempt.phase = entry.phase;
        attempt.outcome = entry.outcome;
        attempt.cause = cut(&entry.cause);
        attempt.hresult = entry.hresult;
        attempt.trace_id = caller.trace_id.to_string();
        attempt.device_name = entry.device_name.map(cut).or(attempt.device_name);
        attempt.os_version = entry.os_version.map(cut).or(attempt.os_version);
        attempt.enrollment_id = entry.enrollment_id.or(attempt.enrollment_id);
        let mut writes = Vec::new();
        if attempt.outcome != Outcome::Open {
            let data = json!({
                "attempt_id": attempt.id, "email": attempt.email, "address": attempt.address,
                "road": attempt.road.map(Road::as_str), "phase": attempt.phase.as_str(), "outcome": attempt.outcome.as_str(), "cause": attempt.cause,
                "trace_id": attempt.trace_id,
            });
            writes.push(self.event("enroll.attempt", None, data));
        }
        writes.push(Write::SaveAttempt(Box::new(attempt)));
        Ok(writes)
    }
}

/// Text of a stranger, or with a stranger's words in it: no control characters, bounded.
pub(super) fn cut(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ports::{AttemptFilter, Page};
    use crate::app::testing::Ground;

    #[tokio::test]
    async fn what_strangers_write_is_bounded_and_printable() {
        let ground = Ground::new().await;
        let caller = Caller { address: std::net::Ipv4Addr::LOCALHOST.into(), trace_id: ground.app.new_trace_id() };
        let hostile = format!("\u{1b}[31mred\r\n\0{}", "x".repeat(100_000));
        let refusal = Refusal::CertificateRequest(hostile.clone());
        ground.app.refused(&caller, Phase::Enroll, &hostile, &refusal).await;
        let device = Entry {
            device_name: Some(&hostile),
            os_version: Some(&hostile),
            ..Entry::open(Phase::Enroll, "", &hostile)
        };
        ground.app.record(&caller, device).await;
        let page = Page { limit: 10, after: None };
        let kept = ground.app.store.attempts(&AttemptFilter::default(), &page).await.unwrap().items;
        assert_eq!(kept.len(), 2);
        for attempt in kept {
            let device = [attempt.device_name, attempt.os_version].into_iter().flatten();
            for text in [attempt.email, attempt.cause].into_iter().chain(device) {
                assert!(text.chars().count() <= LONGEST && !text.chars().any(char::is_control), "{text:?}");
            }
        }
    }
}
