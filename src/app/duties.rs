//! Background work that one of several processes on one database does for all.
//!
//! Each duty has a lease. Its holder beats; a process that sees the same beat for longer than [`SILENT`], by its own clock
//! that only goes forward, takes over. No wall clock is compared with another one, and a jump of one does no harm. What a
//! holder commits that must not be done by two carries the lease's [guard](Hold::guard): whoever was slow finds out there.
//!
//! A database that only one process can open needs none of this.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::App;
use super::ports::{Lease, Rng, StoreError, Write};

/// A kind of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Duty {
    /// Gives events their place.
    Events,
    /// Time-outs, expiry, retention.
    Upkeep,
    /// Wakes devices.
    Push,
    /// Sends mails.
    Mail,
}

impl Duty {
    const ALL: [Self; 4] = [Self::Events, Self::Upkeep, Self::Push, Self::Mail];

    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Upkeep => "upkeep",
            Self::Push => "push",
            Self::Mail => "mail",
        }
    }
}

/// The right to do a duty now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    duty: Duty,
    /// `None`: nobody else can have it.
    term: Option<i64>,
}

impl Hold {
    /// What a batch carries that must not be committed after the lease has gone to another process.
    pub(super) fn guard(&self) -> Option<Write> {
        Some(Write::KeepLease { name: self.duty.name(), term: self.term? })
    }
}

/// What a process knows of the duties.
pub(super) struct Duties {
    /// The name of this process among the holders.
    me: String,
    seen: Mutex<HashMap<Duty, Sight>>,
}

/// A lease as this process saw it.
#[derive(Clone)]
struct Sight {
    lease: Lease,
    /// Since when it has been like that; for an own one, when it last beat.
    since: Duration,
}

/// A holder that has not beaten for so long is gone.
const SILENT: Duration = Duration::from_secs(8);
/// How often a holder beats.
const BEAT: Duration = Duration::from_secs(2);

impl Duties {
    pub(super) fn new(rng: &dyn Rng) -> Self {
        let mut random = [0; 8];
        rng.fill(&mut random);
        Self { me: random.iter().map(|byte| format!("{byte:02x}")).collect(), seen: Mutex::default() }
    }

    /// The name of this process.
    pub(super) fn me(&self) -> &str {
        &self.me
    }

    fn sight(&self, duty: Duty) -> Option<Sight> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&duty).cloned()
    }

    /// Writes down what was seen at that moment, and answers how long it has been so. Two tasks of this process may look at
    /// once, and the one that asked the clock first come last: for it, no time has passed.
    fn unchanged_for(&self, duty: Duty, lease: Lease, now: Duration) -> Duration {
        now.saturating_sub(self.see(duty, lease, now))
    }

    /// Writes down what was seen at that moment, and answers since when it has been so.
    fn see(&self, duty: Duty, lease: Lease, now: Duration) -> Duration {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(&duty) {
            Some(before) if before.lease == lease => before.since,
            _ => {
                seen.insert(duty, Sight { lease, since: now });
                now
            }
        }
    }

    fn forget(&self, duty: Duty) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&duty);
    }
}

impl App {
    /// The right to do a duty now, if this process has it or can take it.
    pub(super) async fn hold(&self, duty: Duty) -> Result<Option<Hold>, StoreError> {
        if !self.store.is_shared() {
            return Ok(Some(Hold { duty, term: None }));
        }
        let (duties, now) = (&self.memory.duties, self.clock.steady());
        let held = |term| Ok(Some(Hold { duty, term: Some(term) }));
        if let Some(sight) = duties.sight(duty).filter(|sight| sight.lease.holder.as_ref() == Some(&duties.me)) {
            return match self.keep(duty, &sight).await? {
                true => held(sight.lease.term),
                false => Ok(None),
            };
        }
        let found = self.store.lease(duty.name()).await?;
        let is_free = match &found {
            None => true,
            Some(lease) => lease.holder.is_none() || duties.unchanged_for(duty, lease.clone(), now) >= SILENT,
        };
        if !is_free {
            return Ok(None);
        }
        let term = found.as_ref().map_or(1, |lease| lease.term + 1);
        let take = Write::TakeLease { name: duty.name(), holder: duties.me.clone(), seen: found };
        match self.store.commit(vec![take]).await {
            Ok(()) => {
                tracing::info!(duty = duty.name(), term, "this process does it from now on");
                duties.see(duty, Lease { holder: Some(duties.me.clone()), term, beat: 0 }, now);
                held(term)
            }
            // Another process was first.
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Beats where it is time; whether the lease is still this process's.
    async fn keep(&self, duty: Duty, sight: &Sight) -> Result<bool, StoreError> {
        let (duties, now) = (&self.memory.duties, self.clock.steady());
        if now.saturating_sub(sight.since) < BEAT {
            return Ok(true);
        }
        match self.store.commit(vec![Write::KeepLease { name: duty.name(), term: sight.lease.term }]).await {
            Ok(()) => {
                duties.see(duty, Lease { beat: sight.lease.beat + 1, ..sight.lease.clone() }, now);
                Ok(true)
            }
            Err(StoreError::Conflict) => {
                tracing::warn!(duty = duty.name(), "another process has taken over");
                duties.forget(duty);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// A guarded batch found the lease gone.
    pub(super) fn lost(&self, duty: Duty) {
        self.memory.duties.forget(duty);
    }

    /// Whether this process can do a duty: one without a mail server must not have the mails.
    fn can_do(&self, duty: Duty) -> bool {
        match duty {
            Duty::Events | Duty::Upkeep => true,
            Duty::Push => self.settings.push.is_some(),
            Duty::Mail => self.mailer.is_on(),
        }
    }

    /// Beats for every duty that this process has, and takes those that nobody does. To be called every second or so.
    pub async fn keep_duties(&self) {
        for duty in Duty::ALL.into_iter().filter(|duty| self.can_do(*duty)) {
            if let Err(error) = self.hold(duty).await {
                tracing::debug!(duty = duty.name(), %error, "the lease could not be looked at");
            }
        }
    }

    /// Leaves all duties to other processes, so that they need not wait; for the end of this one.
    pub async fn leave_duties(&self) {
        let duties = &self.memory.duties;
        for duty in Duty::ALL {
            let own = duties.sight(duty).filter(|sight| sight.lease.holder.as_ref() == Some(&duties.me));
            let Some(sight) = own else { continue };
            duties.forget(duty);
            if let Err(error) =
                self.store.commit(vec![Write::LeaveLease { name: duty.name(), term: sight.lease.term }]).await
            {
                tracing::debug!(duty = duty.name(), %error, "the lease stays until it is taken over");
            }
        }
    }
}

#[cfg(test)]
mod tests;
