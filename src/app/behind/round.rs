//! Rounds: what waits is taken, that of many devices into one batch, and written.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Behind, Taken};
use crate::app::App;
use crate::app::ports::{StoreError, Write};
use crate::app::transcripts::Exchange;
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;

/// How long what begins to wait waits for more.
const LINGER: Duration = Duration::from_secs(1);
/// How long somebody who asks waits for what waits to be written.
const PATIENCE: Duration = Duration::from_secs(1);
/// Rows of one batch, about: others wait for the database meanwhile.
const TOGETHER: usize = 1024;

/// Writes what is written behind answers. Run it as a task of its own.
#[derive(Debug, Default)]
pub struct BehindWriter(());

impl BehindWriter {
    /// Writes until `stop` resolves; what waits then is written first.
    pub async fn run(self, app: App, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let behind = &app.memory.behind;
        loop {
            tokio::select! {
                () = behind.bell.notified() => {}
                () = &mut stop => break,
            }
            tokio::select! {
                // Rings again when it is enough.
                () = behind.bell.notified() => {}
                () = tokio::time::sleep(LINGER) => {}
                () = &mut stop => break,
            }
            let _ = app.write_behind().await;
        }
        let _ = app.write_behind().await;
    }
}

/// What one enrollment has to write.
pub(super) type Rows = BTreeMap<Id<Enrollment>, Vec<Write>>;

impl App {
    /// Writes what waits, if anything does. Whoever shows what is stored asks for this first, and sees what this process knows;
    /// where the database takes nothing just now, or is slow, it shows what is stored. The round goes on when its caller is gone.
    pub async fn catch_up(&self) {
        let behind = &self.memory.behind;
        if behind.is_idle() || behind.is_stuck() {
            return;
        }
        let app = self.clone();
        let round = tokio::spawn(async move { app.write_behind().await });
        let _ = timeout(PATIENCE, round).await;
    }

    /// Writes what waits. What the database does not take now waits for the next round, and that is logged. Has to run to its
    /// end: what it has taken is nowhere else.
    pub(super) async fn write_behind(&self) -> Result<(), StoreError> {
        let behind = &self.memory.behind;
        let _one_at_a_time = behind.round.lock().await;
        let (rows, exchanges) = behind.take();
        let mut rest: Vec<(Id<Enrollment>, Vec<Write>)> = rows.into_iter().rev().collect();
        while !rest.is_empty() {
            let mut part = Vec::new();
            let mut count = 0;
            while count < TOGETHER
                && let Some((id, writes)) = rest.pop()
            {
                count += writes.len();
                part.push((id, writes));
            }
            if let Err(error) = self.write_part(&part).await {
                tracing::warn!(%error, "what devices did is written later");
                behind.put_back(part.into_iter().chain(rest), exchanges);
                behind.end_round(Some(Instant::now()));
                return Err(error);
            }
        }
        self.write_transcripts(exchanges).await;
        behind.end_round(None);
        Ok(())
    }

    /// Writes all together; one enrollment after the other where one of them is in the way. The error is a passing one.
    async fn write_part(&self, part: &[(Id<Enrollment>, Vec<Write>)]) -> Result<(), StoreError> {
        let whole = part.iter().flat_map(|(_, writes)| writes.iter().cloned()).collect();
        let written = self.commit_behind(whole).await;
        if written.as_ref().map_or_else(StoreError::is_passing, |()| true) {
            return written;
        }
        for (id, writes) in part {
            match self.commit_behind(writes.clone()).await {
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => tracing::error!(enrollment_id = %id, %error, "what a device did is not written down"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Commits what was kept back, and rings for the publisher of events.
    pub(in crate::app) async fn commit_behind(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.memory.behind.commits.behind.fetch_add(1, Ordering::Relaxed);
        self.commit_and_ring(writes).await
    }
}

impl Behind {
    pub(super) fn is_idle(&self) -> bool {
        self.waiting().is_idle() && self.round.try_lock().is_ok()
    }

    /// Whether it is of no use to wait for a round: the last one failed a moment ago, or the one under way takes long.
    fn is_stuck(&self) -> bool {
        let waiting = self.waiting();
        let is_recent = |at: Instant| at.elapsed() < LINGER;
        waiting.failed_at.is_some_and(is_recent) || waiting.taken.since.is_some_and(|since| since.elapsed() > PATIENCE)
    }

    /// A round is over. What came meanwhile rang no bell, and what was put back does not either.
    pub(super) fn end_round(&self, failed_at: Option<Instant>) {
        let mut waiting = self.waiting();
        waiting.taken = Taken::default();
        waiting.failed_at = failed_at;
        if !waiting.is_idle() {
            self.bell.notify_one();
        }
    }

    /// Takes everything.
    pub(super) fn take(&self) -> (Rows, Vec<Exchange>) {
        let mut waiting = self.waiting();
        waiting.taken = Taken {
            rows: waiting.rows(),
            exchanges: waiting.exchanges.len(),
            bytes: std::mem::take(&mut waiting.bytes),
            since: Some(Instant::now()),
        };
        let mut rows = Rows::new();
        for (id, at) in std::mem::take(&mut waiting.seen) {
            rows.entry(id).or_default().push(Write::CatchUpSeen { id, at });
        }
        for (_, session) in std::mem::take(&mut waiting.sessions) {
            rows.entry(session.enrollment_id).or_default().push(Write::SaveSession(Box::new(session)));
        }
        for (id, event) in std::mem::take(&mut waiting.events) {
            rows.entry(id).or_default().push(event);
        }
        let exchanges = std::mem::take(&mut waiting.exchanges);
        (rows, exchanges)
    }

    fn put_back(&self, rows: impl Iterator<Item = (Id<Enrollment>, Vec<Write>)>, mut exchanges: Vec<Exchange>) {
        let mut waiting = self.waiting();
        for (id, writes) in rows {
            for write in writes {
                match write {
                    Write::CatchUpSeen { id, at } => {
                        // A later moment may wait already.
                        waiting.seen.entry(id).or_insert(at);
                    }
                    Write::SaveSession(session) => {
                        waiting.sessions.entry(session.id).or_insert(*session);
                    }
                    Write::AppendEvent(_) => waiting.events.push((id, write)),
                    _ => tracing::error!(enrollment_id = %id, "something else waited to be written"),
                }
            }
        }
        exchanges.append(&mut waiting.exchanges);
        waiting.bytes = exchanges.iter().map(Exchange::weight).sum();
        waiting.exchanges = exchanges;
    }
}
