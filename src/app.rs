//! Layer 3: the use-cases, one file per verb, and the ports through which they reach the world.
//!
//! Every use-case is a method of [`App`] and has the same shape: load, compute with the pure layers below, commit. The
//! doors (SOAP, SyncML, API, command line) call the same ones.

mod account;
pub mod actions;
mod admit;
mod alerts;
mod approve;
mod assign;
pub mod authorities;
mod behind;
pub mod ca;
pub mod certificates;
mod check_in;
mod clock_watch;
mod commands;
pub mod csp;
mod device_events;
mod discover;
mod drain;
mod duties;
mod enroll;
mod enrollment_url;
mod entra;
mod error;
pub mod idempotency;
mod identify;
pub mod invitations;
mod ledger;
pub mod mail;
mod objects;
pub mod packages;
mod pin_hash;
mod policies;
pub mod ports;
mod principal;
mod push;
pub mod read;
pub mod redact;
mod refusal;
mod registered;
mod renew;
pub mod self_test;
mod settings;
mod sign_in;
mod storage;
mod sweep;
#[cfg(test)]
pub(crate) mod testing;
mod throttle;
pub mod tokens;
mod transcripts;
mod turns;
mod uploads;
pub mod users;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::Id;
use crate::domain::event::{AuditRow, Event};
use crate::domain::user::User;

pub use actions::ActionRequest;
pub use admit::Delivery;
use admit::Strangers;
pub use assign::Assigned;
use authorities::Authorities;
pub use behind::{BehindWriter, Commits};
pub use check_in::CheckInAnswer;
use clock_watch::ClockWatch;
pub use commands::{NodeRemark, RunCommands};
use duties::Duties;
pub use enroll::Enrolled;
pub use enrollment_url::{EnrollmentUrl, Generation};
pub use error::{Error, FieldError, NodeError};
pub use identify::{CertificateUse, DeviceIdentity, Renewing, Sender, Shown, Signer, TurnedAway, Unidentified, Wanted};
pub use ledger::Caller;
#[cfg(test)]
pub(crate) use ledger::LONGEST as LONGEST_ENTRY;
pub use policies::user_name;
use ports::{
    CaFiles, Clock, HttpClient, Mailer, PasswordHasher, Rng, Sealer, ServerTrust, Store, StoreError, TokenVerifier,
    Walker, Write,
};
pub use principal::Principal;
pub use push::Round;
pub use refusal::{NotRenewed, Refusal};
pub use settings::{DeviceAuth, PasswordChecks, PushSettings, Retention, Settings};
pub use sign_in::NotChosen;
use sign_in::Remembered;
pub use storage::StorageWatch;
use throttle::Throttles;
pub use transcripts::TranscriptLine;
use turns::Turns;
pub use uploads::{Receiving, UploadRefused};

/// The application: settings, the issuing CA, and the ports.
#[derive(Clone)]
pub struct App {
    /// What the administrator configured, as far as use-cases ask.
    pub settings: Arc<Settings>,
    /// The device issuing CA, and those that are trusted beside it.
    pub authority: Arc<Authorities>,
    /// The files of the CA.
    pub ca_files: Arc<dyn CaFiles>,
    /// What devices need to trust this node.
    pub server_trust: Arc<dyn ServerTrust>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Password hashes.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Sealing.
    pub sealer: Arc<dyn Sealer>,
    /// Tokens of Entra.
    pub entra: Arc<dyn TokenVerifier>,
    /// Requests of others.
    pub http: Arc<dyn HttpClient>,
    /// Mails.
    pub mailer: Arc<dyn Mailer>,
    /// The way of a PC to this server.
    pub walker: Arc<dyn Walker>,
    /// What one process remembers and may lose.
    pub memory: Arc<Memory>,
}

/// What one process keeps in memory; losing it costs time, never truth.
pub struct Memory {
    /// Rings when events were committed and wait for their place.
    pub events: Notify,
    /// Whether the disk of the database is full.
    pub storage: StorageWatch,
    /// Who failed to authenticate with a token, and whose token is known to be good.
    pub bearers: tokens::Bearers,
    /// The revocation list as handed out last.
    pub revocation_list: certificates::RevocationList,
    /// What is known of nodes.
    csp: csp::CspMemory,
    /// Whether the wall clock was moved.
    clock: ClockWatch,
    /// Makes ids made in the same millisecond rise.
    ids: AtomicU64,
    /// Background work of which several processes on one database do each a part.
    duties: Duties,
    /// Rate limits.
    throttles: Throttles,
    /// Passwords that were checked a short while ago.
    remembered: Remembered,
    /// Checks of passwords, by the name that the tries are counted for.
    signing_in: Turns<String>,
    networks: Turns<IpAddr>,
    /// Enrollments, by user.
    enrolling: Turns<Id<User>>,
    /// Names of no device that came without a certificate.
    strangers: Strangers,
    /// What self-tests found last.
    self_tests: self_test::Memory,
    /// Tokens of push, and who is to be woken.
    push: push::Memory,
    /// Rings when there is a mail to send.
    mails: Notify,
    /// What is written behind answers.
    behind: behind::Behind,
    /// Certificates whose devices are late to renew them, when they were counted last.
    late_renewals: AtomicU64,
}

impl Memory {
    /// Fresh memory, and the writer of what is written behind answers; run it as a task of its own.
    #[must_use]
    pub fn new(settings: &Settings, rng: &dyn Rng) -> (Self, BehindWriter) {
        let memory = Self {
            events: Notify::new(),
            storage: StorageWatch::default(),
            bearers: tokens::Bearers::default(),
            revocation_list: certificates::RevocationList::default(),
            csp: csp::CspMemory::default(),
            clock: ClockWatch::default(),
            ids: AtomicU64::new(0),
            duties: Duties::new(rng),
            throttles: Throttles::new(settings),
            remembered: Remembered::new(rng),
            signing_in: Turns::new(),
            networks: Turns::new(),
            enrolling: Turns::new(),
            strangers: Strangers::default(),
            self_tests: self_test::Memory::default(),
            push: push::Memory::default(),
            mails: Notify::new(),
            behind: behind::Behind::default(),
            late_renewals: AtomicU64::new(0),
        };
        (memory, BehindWriter::default())
    }
}

impl App {
    /// Now, by the clock port.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Whether something may end for its age: the clock was not moved a short while ago.
    fn may_end_by_age(&self) -> bool {
        self.memory.clock.is_even(self.clock.as_ref(), self.settings.session_timeout)
    }

    /// Lets nothing end for its age until the clock has gone on evenly for a while: it is far ahead of what is stored.
    pub fn doubt_clock(&self) {
        self.memory.clock.doubt(self.clock.as_ref(), self.settings.session_timeout);
    }

    /// A new id: UUIDv7 from the clock and the random generator.
    #[must_use]
    pub fn new_id<T>(&self) -> Id<T> {
        let mut random = [0; 10];
        self.rng.fill(&mut random);
        // Twelve bits after the milliseconds count up, so that ids of one process keep their order.
        let count = self.memory.ids.fetch_add(1, Ordering::Relaxed);
        random[0] = (count >> 8) as u8;
        random[1] = count as u8;
        let millis = u64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        Id::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// A random UUID, for correlation.
    #[must_use]
    pub fn new_trace_id(&self) -> Uuid {
        let mut random = [0; 16];
        self.rng.fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid()
    }

    /// An event about a device (or none), to be committed with what caused it.
    #[must_use]
    pub fn event(&self, kind: &str, subject: Option<String>, data: Value) -> Write {
        Write::AppendEvent(Event {
            id: self.new_id(),
            kind: format!("muster.{kind}"),
            subject,
            time: self.now(),
            data,
            seq: None,
        })
    }

    /// A row of the audit trail, to be committed with what it tells of.
    #[must_use]
    pub fn audit(
        &self,
        actor: &Principal,
        action: &str,
        object: AuditObject<'_>,
        outcome: &str,
        detail: &str,
    ) -> Write {
        Write::AppendAudit(AuditRow {
            id: self.new_id(),
            time: self.now(),
            actor: actor.name.clone(),
            action: action.to_owned(),
            object_kind: object.kind.to_owned(),
            object_id: object.id,
            object_name: object.name,
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
            address: actor.address.clone(),
        })
    }

    /// Commits, rings for the publisher of events and for push, and forgets the revocation list where something was revoked. A full
    /// disk is noticed.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.memory.behind.commits.other.fetch_add(1, Ordering::Relaxed);
        // Also where whoever asked for it is gone before its end.
        let _committing = self.memory.behind.begin_other();
        self.commit_and_ring(writes).await
    }

    /// What was committed so far, by what for.
    #[must_use]
    pub fn commits(&self) -> &Commits {
        &self.memory.behind.commits
    }

    async fn commit_and_ring(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let rings = writes.iter().any(|write| matches!(write, Write::AppendEvent(_)));
        let wakes = writes.iter().any(|write| matches!(write, Write::WakeDevice { .. }));
        let mails = writes.iter().any(|write| matches!(write, Write::InsertMail(_)));
        let revokes = writes.iter().any(|write| matches!(write, Write::RevokeCertificate { .. }));
        self.store.commit(writes).await.inspect_err(|error| self.memory.storage.look_at(error))?;
        if revokes {
            self.memory.revocation_list.drop_cached().await;
        }
        if wakes {
            self.want_push();
        }
        if mails {
            self.memory.mails.notify_one();
        }
        if rings {
            self.memory.events.notify_one();
        }
        Ok(())
    }
}

/// What an audit row is about.
#[derive(Clone, Debug)]
pub struct AuditObject<'a> {
    /// Kind, e.g. `device`.
    pub kind: &'a str,
    /// Its id.
    pub id: String,
    /// Its name at the time.
    pub name: String,
}

/// How often a use-case loads again after a conflict before it gives up with [`Error::Unavailable`].
pub(crate) const MOST_TRIES: usize = 32;
