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
use crate::domain::refused::Refused;
use crate::domain::registration::RegisteredBy;

/// Who sent an enrollment message.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Network address.
    pub address: IpAddr,
    /// The id under which this message is found again: `ActivityId` and `TraceId` of the answer.
    pub trace_id: Uuid,
    /// Whether the message says that the doctor sent it. Anybody can say so, so nothing is left out of the ledger for it but
    /// discoveries that were answered and messages without a credential: these try nothing.
    pub says_doctor: bool,
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
    pub(super) refused: Option<Refused>,
    /// By what the device could be registered.
    pub(super) claims: Vec<(RegisteredBy, String)>,
}

/// What is to be written of a message.
pub(super) struct Record {
    pub(super) writes: Vec<Write>,
    /// Whether that is one row more.
    is_new: bool,
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
            refused: None,
            claims: Vec::new(),
        }
    }

    /// A message that was refused.
    pub(super) fn failed(phase: Phase, email: &'a str, refusal: &Refusal) -> Self {
        let cause = refusal.to_string();
        let (hresult, refused) = (Some(refusal.hresult()), refusal.kind());
        Self { outcome: Outcome::Failed, hresult, refused, ..Self::open(phase, email, &cause) }
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
            return;
        }
        let mut allowed = None;
        let mut may_be_new = || *allowed.get_or_insert_with(|| self.memory.throttles.allow_new_row(caller.address));
        for _ in 0..MOST_TRIES {
            let done = match self.ledger_writes(caller, &entry).await {
                Ok(record) if record.is_new && !may_be_new() => return,
                Ok(record) => self.commit(record.writes).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => return,
                // The attempt went on meanwhile, by another PC of the same name at the same address.
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

    /// How many refusals were left out of ledger and audit so far.
    #[must_use]
    pub fn rows_left_out(&self) -> u64 {
        self.memory.throttles.left_out()
    }

    /// The ledger row and its event, to be committed alone or with what they tell of. A refusal that was told before within
    /// the time of an attempt is counted there, and no event tells it.
    pub(super) async fn ledger_writes(&self, caller: &Caller, entry: &Entry<'_>) -> Result<Record, StoreError> {
        let email = cut(entry.email);
        let address = caller.address.to_string();
        let (now, since) = (self.now(), self.now() - ONE_ATTEMPT);
        let open = match entry.phase.goes_on_from() {
            Some(phase) => self.store.open_attempt(&email, &address, phase, since).await?,
            None => None,
        };
        let joined = open.as_ref().map(|attempt| (attempt.id, attempt.phase));
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
            refused: None,
            claims: Vec::new(),
            times: 1,
            never_seen: false,
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
        attempt.refused = entry.refused;
        attempt.claims = entry.claims.iter().map(|(kind, value)| (*kind, cut(value))).collect();
        if attempt.outcome == Outcome::Failed
            && let Some(same) = self.store.failed_attempt(&attempt, since).await?
        {
            let again = Write::RepeatAttempt { id: same.id, at: now, trace_id: attempt.trace_id, instead_of: joined };
            return Ok(Record { writes: vec![again], is_new: false });
        }
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
        Ok(Record { writes, is_new: joined.is_none() })
    }
}

/// Text of a stranger, or with a stranger's words in it: no control characters, bounded.
pub(super) fn cut(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::app::ports::{AttemptFilter, Page};
    use crate::app::testing::Ground;
    use crate::app::{Memory, Settings};

    #[tokio::test]
    async fn what_strangers_write_is_bounded_and_printable() {
        let ground = Ground::new().await;
        let caller = Caller {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            trace_id: ground.app.new_trace_id(),
            says_doctor: false,
        };
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

    /// The ledger, newest first, as phase, outcome and how often.
    async fn kept(ground: &Ground) -> Vec<(Phase, Outcome, u32)> {
        let page = Page { limit: 100, after: None };
        let kept = ground.app.store.attempts(&AttemptFilter::default(), &page).await.unwrap().items;
        kept.iter().map(|attempt| (attempt.phase, attempt.outcome, attempt.times)).collect()
    }

    fn from(app: &App, last: u8) -> Caller {
        Caller { address: [192, 0, 2, last].into(), trace_id: app.new_trace_id(), says_doctor: false }
    }

    #[tokio::test]
    async fn pcs_with_one_name_behind_one_address_are_attempts_of_their_own() {
        let ground = Ground::new().await;
        let (app, bulk) = (&ground.app, "windows-bulkenroll-lab@example.test");
        let succeeded = Entry { outcome: Outcome::Succeeded, ..Entry::open(Phase::Enroll, bulk, "enrolled") };
        // Two PCs discover, sign in, and one of them gets its certificate.
        for phase in [Phase::Discover, Phase::Discover, Phase::Policy, Phase::Policy] {
            ground.clock.advance(time::Duration::SECOND);
            app.record(&from(app, 1), Entry::open(phase, bulk, "")).await;
        }
        app.record(&from(app, 1), succeeded.clone()).await;
        let expected = [(Phase::Enroll, Outcome::Succeeded, 1), (Phase::Policy, Outcome::Open, 1)];
        assert_eq!(kept(&ground).await, expected);
        // A third begins and goes no further; what the second is refused ends none but its own.
        app.record(&from(app, 1), Entry::open(Phase::Discover, bulk, "")).await;
        app.refused(&from(app, 1), Phase::Enroll, bulk, &Refusal::DeviceLimit(1)).await;
        let mut ended = kept(&ground).await;
        ended.sort_by_key(|each| each.0);
        let expected = [
            (Phase::Discover, Outcome::Open, 1),
            (Phase::Enroll, Outcome::Succeeded, 1),
            (Phase::Enroll, Outcome::Failed, 1),
        ];
        assert!(ended.len() == 3 && expected.iter().all(|each| ended.contains(each)), "{ended:?}");
    }

    #[tokio::test]
    async fn messages_at_once_join_an_attempt_each() {
        let ground = Ground::new().await;
        let (app, bulk) = (&ground.app, "windows-bulkenroll-lab@example.test");
        for phase in [Phase::Discover, Phase::Policy] {
            let caller = from(app, 1);
            let message = || app.record(&caller, Entry::open(phase, bulk, ""));
            tokio::join!(message(), message(), message(), message());
            assert_eq!(kept(&ground).await, [(phase, Outcome::Open, 1); 4]);
        }
    }

    #[tokio::test]
    async fn a_wrong_password_again_is_the_same_row_though_each_try_begins_with_a_discovery() {
        let ground = Ground::new().await;
        let (app, ada) = (&ground.app, "ada@example.test");
        for _ in 0..3 {
            app.record(&from(app, 1), Entry::open(Phase::Discover, ada, "")).await;
            app.refused(&from(app, 1), Phase::Policy, ada, &Refusal::Credentials("wrong password")).await;
        }
        assert_eq!(kept(&ground).await, [(Phase::Policy, Outcome::Failed, 3)]);
    }

    #[tokio::test]
    async fn strangers_fill_no_more_than_a_part_of_the_day() {
        let ground = Ground::new().await;
        let settings = Settings { ledger_rows_per_day: 20, ..(*ground.app.settings).clone() };
        let memory = Arc::new(Memory::new(&settings, ground.app.rng.as_ref()).0);
        let app = &App { memory, ..ground.app.clone() };
        let mut number = 0;
        let mut come = async |network: u8, times: u32| {
            for _ in 0..times {
                number += 1;
                let email = format!("eve{number}@elsewhere.test");
                app.refused(&from(app, network), Phase::Discover, &email, &Refusal::DomainNotServed).await;
            }
            kept(&ground).await.len()
        };
        assert_eq!(come(1, 10).await, 4, "one network has a fifth");
        assert_eq!(come(2, 1).await, 5, "another is not in its way");
        for network in 3..9 {
            come(network, 4).await;
        }
        assert_eq!(kept(&ground).await.len(), 20);
        assert_eq!(app.rows_left_out(), 10 + 1 + 24 - 20);
        // What was told before is told further.
        app.refused(&from(app, 1), Phase::Discover, "eve1@elsewhere.test", &Refusal::DomainNotServed).await;
        assert!(kept(&ground).await.contains(&(Phase::Discover, Outcome::Failed, 2)));
    }

    #[tokio::test]
    async fn the_same_refusal_again_is_the_same_row_and_told_once() {
        let ground = Ground::new().await;
        let app = &ground.app;
        for _ in 0..50 {
            ground.clock.advance(time::Duration::SECOND);
            app.refused(&from(app, 1), Phase::Discover, "eve@elsewhere.test", &Refusal::DomainNotServed).await;
        }
        assert_eq!(kept(&ground).await, [(Phase::Discover, Outcome::Failed, 50)]);
        let told = || async {
            while !app.publish_events().await.unwrap().is_empty() {}
            let events = app.store.events_after(0, None, 1000).await.unwrap();
            events.iter().filter(|event| event.kind.ends_with("enroll.attempt")).count()
        };
        assert_eq!(told().await, 1);
        // Another cause, address, name or time is another attempt.
        app.refused(
            &from(app, 1),
            Phase::Discover,
            "eve@elsewhere.test",
            &Refusal::StaleUrl { contact: String::new() },
        )
        .await;
        app.refused(&from(app, 2), Phase::Discover, "eve@elsewhere.test", &Refusal::DomainNotServed).await;
        app.refused(&from(app, 1), Phase::Discover, "bob@elsewhere.test", &Refusal::DomainNotServed).await;
        ground.clock.advance(time::Duration::minutes(31));
        app.refused(&from(app, 1), Phase::Discover, "eve@elsewhere.test", &Refusal::DomainNotServed).await;
        assert_eq!((kept(&ground).await.len(), told().await), (5, 5));
    }
}
