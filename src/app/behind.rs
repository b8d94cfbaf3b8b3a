//! What is written behind the answer: what is left of a message that changed nothing that has to last.
//!
//! Most sessions find no work: that the device was seen, that there was a session and what was said in it is worth keeping,
//! but nobody waits for the disk over it. It is kept in memory and written about a second later, that of many devices
//! together. A crash loses it, as if the device had not come; never anything that was ordered or told.
//!
//! What the sessions of an enrollment are remembered by is not written at all: such a session is over, and leaves nothing but
//! what a retransmission of its message is recognised by. The next message of the device finds it here:
//! [`Behind::remembered`] has it as long as the database holds what it was computed from. What another process, or an
//! administrator, changed meanwhile wins.

mod answers;
mod round;
mod talks;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::ports::Write;
use super::transcripts::Exchange;
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::session_record::SessionRecord;
use crate::session::Conversation;
use answers::Answers;
use talks::{Talk, Talks};

pub use round::BehindWriter;

/// Rows that may wait, and be on their way to the database; with more, messages are written before they are answered.
const MOST_ROWS: usize = 32 * 1024;
/// Messages of transcripts that may wait, and their bytes; what is beyond it is dropped, and that is logged.
const MOST_EXCHANGES: usize = 16_384;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// So many and nobody waits for the second to end.
const ENOUGH: usize = 256;
/// Counters of turns; two enrollments may share one.
const COUNTERS: usize = 4096;

/// What waits to be written.
pub(super) struct Behind {
    waiting: Mutex<Waiting>,
    /// Rings when something begins to wait, and when it is enough.
    bell: Notify,
    /// One round at a time.
    round: tokio::sync::Mutex<()>,
    /// Batches that were committed, and what they were for.
    pub(super) commits: Commits,
}

/// Batches that were committed, by what for.
#[derive(Debug, Default)]
pub struct Commits {
    /// For a message, before it was answered.
    pub message: AtomicU64,
    /// Behind answers, for many messages together.
    pub behind: AtomicU64,
    /// For everything else.
    pub other: AtomicU64,
}

struct Waiting {
    talks: Talks,
    /// When devices were seen.
    seen: HashMap<Id<Enrollment>, OffsetDateTime>,
    sessions: HashMap<Id<SessionRecord>, SessionRecord>,
    events: Vec<(Id<Enrollment>, Write)>,
    exchanges: Vec<Exchange>,
    bytes: usize,
    /// What a round has taken and still holds.
    taken: Taken,
    /// When the last round failed, if none went well since.
    failed_at: Option<Instant>,
    answers: Answers,
    /// Enrollments for which a message is being committed.
    busy: HashMap<Id<Enrollment>, u32>,
    /// Counts what changes enrollments.
    steps: u64,
    /// The last commit of others, which may have changed any of them.
    change: u64,
    /// The last step of each counter.
    turns: Box<[u64]>,
}

/// What a round holds of what waited, while it is being written.
#[derive(Default)]
struct Taken {
    rows: usize,
    exchanges: usize,
    bytes: usize,
    /// Since when it is under way.
    since: Option<Instant>,
}

/// A moment in the life of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    step: u64,
    at: Instant,
}

impl Moment {
    /// How long ago it was.
    pub(super) fn age(self) -> Duration {
        self.at.elapsed()
    }
}

/// What a message leaves that may be written behind its answer.
pub(super) struct Left {
    pub(super) enrollment: Id<Enrollment>,
    /// The stored revision of the conversation that it was computed from.
    pub(super) base: Option<i64>,
    pub(super) conversation: Arc<Conversation>,
    pub(super) seen: OffsetDateTime,
    pub(super) sessions: Vec<SessionRecord>,
    pub(super) events: Vec<Write>,
    /// The answer, for a retransmission.
    pub(super) answer: Option<Answer>,
}

/// An answer that is not stored.
pub(super) struct Answer {
    pub(super) session: Id<SessionRecord>,
    /// SHA-256 of the message that it answers.
    pub(super) digest: [u8; 32],
    pub(super) bytes: Vec<u8>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits.
    Kept,
    /// Another message of the enrollment came first since it was loaded.
    Changed,
    /// It has to be written now: another message of the enrollment is being written, too much waits, or the database took
    /// nothing the last time.
    NotNow,
}

impl Default for Behind {
    fn default() -> Self {
        let waiting = Waiting {
            talks: Talks::default(),
            seen: HashMap::new(),
            sessions: HashMap::new(),
            events: Vec::new(),
            exchanges: Vec::new(),
            bytes: 0,
            taken: Taken::default(),
            failed_at: None,
            answers: Answers::default(),
            busy: HashMap::new(),
            steps: 0,
            change: 0,
            turns: vec![0; COUNTERS].into(),
        };
        Self {
            waiting: Mutex::new(waiting),
            bell: Notify::new(),
            round: tokio::sync::Mutex::new(()),
            commits: Commits::default(),
        }
    }
}

impl Behind {
    /// The moment before something is loaded.
    pub(super) fn moment(&self) -> Moment {
        Moment { step: self.waiting().steps, at: Instant::now() }
    }

    /// Whether an enrollment is as it was at that moment, as far as this process knows.
    pub(super) fn is_same_since(&self, moment: Moment, enrollment: Id<Enrollment>) -> bool {
        let waiting = self.waiting();
        waiting.change <= moment.step && waiting.is_next(moment, enrollment)
    }

    /// The sessions of an enrollment as they are remembered here in place of that stored revision, and when its device was seen;
    /// `None` where the stored one counts.
    pub(super) fn remembered(
        &self,
        enrollment: Id<Enrollment>,
        stored: Option<i64>,
    ) -> Option<(Arc<Conversation>, OffsetDateTime)> {
        self.waiting().talks.find(enrollment, stored).map(|talk| (Arc::clone(&talk.conversation), talk.seen))
    }

    /// Takes what a message left, if no other of the enrollment came since that moment. What others commit stands in nobody's
    /// way: the message comes before that, and the stored revision tells whether its conversation still counts.
    pub(super) fn put(&self, since: Moment, left: Left) -> Put {
        let mut waiting = self.waiting();
        let id = left.enrollment;
        if waiting.failed_at.is_some() || waiting.busy.contains_key(&id) || waiting.is_full() {
            return Put::NotNow;
        }
        if !waiting.is_next(since, id) {
            return Put::Changed;
        }
        let Left { base, conversation, seen, sessions, events, answer, .. } = left;
        let was_idle = waiting.is_idle();
        waiting.talks.keep(Instant::now(), id, Talk { base, conversation, seen });
        waiting.seen.insert(id, seen);
        waiting.sessions.extend(sessions.into_iter().map(|session| (session.id, session)));
        waiting.events.extend(events.into_iter().map(|event| (id, event)));
        answer.into_iter().for_each(|answer| waiting.answers.keep(answer));
        waiting.take_turn(id);
        self.ring(&waiting, was_idle);
        Put::Kept
    }

    /// Announces the commit of a message; until the end of what is returned, nothing of the enrollment is put here. One that
    /// replaces the conversation names the moment before it was loaded: `None` if another message came first since then.
    pub(super) fn begin(&self, enrollment: Id<Enrollment>, replaces: Option<Moment>) -> Option<Committing<'_>> {
        let mut waiting = self.waiting();
        if replaces.is_some_and(|since| !waiting.is_next(since, enrollment)) {
            return None;
        }
        *waiting.busy.entry(enrollment).or_default() += 1;
        waiting.take_turn(enrollment);
        Some(Committing { behind: self, enrollment, replaces: replaces.is_some() })
    }

    /// Announces a commit that may concern any enrollment: it is noted when what is returned ends, however it ends.
    pub(super) fn begin_other(&self) -> CommittingOther<'_> {
        CommittingOther(self)
    }

    /// The answer to a message of a session, if it is still here.
    pub(super) fn answer(&self, session: Id<SessionRecord>, digest: &[u8; 32]) -> Option<Vec<u8>> {
        self.waiting().answers.find(session, digest)
    }

    /// Takes a message and its answer for the transcript. Never waits: if too much waits already, it is dropped.
    pub(super) fn record(&self, exchange: Exchange) {
        let mut waiting = self.waiting();
        let bytes = exchange.weight();
        let count = waiting.exchanges.len() + waiting.taken.exchanges;
        if count >= MOST_EXCHANGES || waiting.bytes + waiting.taken.bytes + bytes > MOST_BYTES {
            drop(waiting);
            let (session_id, message) = (exchange.session, exchange.number);
            tracing::warn!(%session_id, message, "a message of a transcript is dropped: too many wait to be written");
            return;
        }
        let was_idle = waiting.is_idle();
        waiting.bytes += bytes;
        waiting.exchanges.push(exchange);
        self.ring(&waiting, was_idle);
    }

    fn ring(&self, waiting: &Waiting, was_idle: bool) {
        if was_idle || waiting.exchanges.len() == ENOUGH || waiting.seen.len() == ENOUGH {
            self.bell.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that is being committed.
pub(super) struct Committing<'b> {
    behind: &'b Behind,
    enrollment: Id<Enrollment>,
    /// Whether another state of the conversation is part of it.
    replaces: bool,
}

impl Committing<'_> {
    /// It is committed: what was remembered of the conversation is part of what replaced it.
    pub(super) fn succeed(self) {
        if self.replaces {
            self.behind.waiting().talks.forget(self.enrollment);
        }
    }
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        let mut waiting = self.behind.waiting();
        if let Some(count) = waiting.busy.get_mut(&self.enrollment) {
            *count -= 1;
            if *count == 0 {
                waiting.busy.remove(&self.enrollment);
            }
        }
        waiting.take_turn(self.enrollment);
    }
}

/// Something else that is being committed. Messages that are being received load again what they found before it.
pub(super) struct CommittingOther<'b>(&'b Behind);

impl Drop for CommittingOther<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.steps += 1;
        waiting.change = waiting.steps;
    }
}

impl Waiting {
    fn is_idle(&self) -> bool {
        self.seen.is_empty() && self.sessions.is_empty() && self.events.is_empty() && self.exchanges.is_empty()
    }

    /// Whether there is no room for what a message leaves.
    fn is_full(&self) -> bool {
        self.rows() + self.taken.rows >= MOST_ROWS
    }

    fn rows(&self) -> usize {
        self.seen.len() + self.sessions.len() + self.events.len()
    }

    /// Whether no other message of the enrollment came since that moment.
    fn is_next(&self, since: Moment, enrollment: Id<Enrollment>) -> bool {
        self.turns[counter(enrollment)] <= since.step
    }

    fn take_turn(&mut self, enrollment: Id<Enrollment>) {
        self.steps += 1;
        self.turns[counter(enrollment)] = self.steps;
    }
}

/// The last bytes of an id are random.
fn counter(enrollment: Id<Enrollment>) -> usize {
    let bytes = enrollment.uuid().into_bytes();
    usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % COUNTERS
}

impl Commits {
    /// How many there were of each kind.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [("message", of(&self.message)), ("behind", of(&self.behind)), ("other", of(&self.other))]
    }
}

#[cfg(test)]
#[path = "behind/tests.rs"]
mod tests;
