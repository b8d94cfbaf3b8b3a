//! The CAs of this process: the one that issues, and those that are trusted beside it while one takes the place of another.
//!
//! The truth is in the database, where every node looks; as long as no CA was ever replaced it holds nothing, and the files
//! of the data folder count.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use time::OffsetDateTime;
use tokio::sync::{Mutex, watch};
use zeroize::Zeroizing;

use super::App;
use super::ports::StoreError;
use crate::domain::ca::{CaRecord, CaRole};
use crate::pki::{Authority, PkiError};

/// The CAs of this process; they may change while it runs.
#[derive(Debug)]
pub struct Authorities {
    set: RwLock<Arc<Set>>,
    changed: watch::Sender<()>,
    /// One look into the database at a time, so that an older one does not undo what a newer one brought.
    look: Mutex<()>,
    /// The files of this node could not be written when the CAs changed.
    are_files_behind: AtomicBool,
}

/// One state of them.
#[derive(Clone, Debug)]
pub struct Set {
    /// It issues.
    pub current: Arc<Authority>,
    /// It is trusted, and issues nothing yet.
    pub next: Option<Arc<Authority>>,
    /// It is trusted until its last certificate is gone.
    pub previous: Option<Arc<Authority>>,
}

impl Set {
    /// All of them, the one that issues first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Authority>> {
        std::iter::once(&self.current).chain(&self.next).chain(&self.previous)
    }

    /// The one whose root devices are to have: the newest, while that is not settled.
    #[must_use]
    pub fn to_deliver(&self) -> Option<&Arc<Authority>> {
        self.next.as_ref().or_else(|| self.previous.as_ref().map(|_| &self.current))
    }

    fn has(&self, role: CaRole) -> Option<&Arc<Authority>> {
        match role {
            CaRole::Current => Some(&self.current),
            CaRole::Next => self.next.as_ref(),
            CaRole::Previous => self.previous.as_ref(),
        }
    }
}

impl Authorities {
    /// One alone.
    #[must_use]
    pub fn new(current: Authority) -> Self {
        let set = Set { current: Arc::new(current), next: None, previous: None };
        Self {
            set: RwLock::new(Arc::new(set)),
            changed: watch::Sender::new(()),
            look: Mutex::new(()),
            are_files_behind: AtomicBool::new(false),
        }
    }

    /// Whether the files of this node are still to be written.
    #[must_use]
    pub fn are_files_behind(&self) -> bool {
        self.are_files_behind.load(Ordering::Relaxed)
    }

    /// As they are now.
    #[must_use]
    pub fn now(&self) -> Arc<Set> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one that issues.
    #[must_use]
    pub fn current(&self) -> Arc<Authority> {
        Arc::clone(&self.now().current)
    }

    /// The one that issued a certificate, by [`Authority::id`]; the one that issues where it is gone.
    #[must_use]
    pub fn issuer(&self, id: &[u8; 32]) -> Arc<Authority> {
        let set = self.now();
        let found = set.all().find(|authority| authority.id() == *id).unwrap_or(&set.current);
        Arc::clone(found)
    }

    /// Resolves when they have changed since this was asked, again and again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether a certificate is a device certificate of one of them, and within its time; otherwise why not, in words.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_issued(&self, der: &[u8], now: OffsetDateTime) -> Result<(), String> {
        let set = self.now();
        let first = set.current.check_issued(der, now);
        if first.is_ok() || set.all().skip(1).any(|authority| authority.check_issued(der, now).is_ok()) {
            return Ok(());
        }
        first
    }

    fn replace(&self, set: Set) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        self.changed.send_replace(());
    }
}

impl App {
    /// Looks into the database for the CAs; where another process changed them, they are these from now on, and the files of
    /// this node follow.
    ///
    /// # Errors
    /// The store's, or [`StoreError::Internal`] when what it holds is no CA.
    pub async fn refresh_authorities(&self) -> Result<(), StoreError> {
        let _look = self.authority.look.lock().await;
        let records = self.store.authorities().await?;
        let before = self.authority.now();
        let is_same = |role| {
            let known = before.has(role).map(|authority| authority.id_hex());
            known.as_deref() == records.iter().find(|record| record.role == role).map(|record| record.id.as_str())
        };
        if records.is_empty() {
            return Ok(());
        }
        let is_settled = [CaRole::Current, CaRole::Next, CaRole::Previous].into_iter().all(is_same);
        if is_settled && !self.authority.are_files_behind() {
            return Ok(());
        }
        let of = |role| records.iter().find(|record| record.role == role);
        let Some(current) = of(CaRole::Current) else {
            return Err(StoreError::Internal("authorities: none issues".to_owned()));
        };
        if is_settled {
            self.write_ca_files(current, of(CaRole::Previous));
            self.authority.changed.send_replace(());
            return Ok(());
        }
        let set = Set {
            current: self.opened(current, &before)?,
            next: of(CaRole::Next).map(|record| self.opened(record, &before)).transpose()?,
            previous: of(CaRole::Previous).map(|record| self.opened(record, &before)).transpose()?,
        };
        self.write_ca_files(current, of(CaRole::Previous));
        tracing::info!(
            current = set.current.id_hex(),
            next = set.next.as_ref().map(|ca| ca.id_hex()),
            previous = set.previous.as_ref().map(|ca| ca.id_hex()),
            "the CAs have changed"
        );
        self.authority.replace(set);
        self.memory.revocation_list.drop_cached().await;
        Ok(())
    }

    /// The files follow what issues. Where they cannot be written, that is tried again with every look.
    fn write_ca_files(&self, current: &CaRecord, previous: Option<&CaRecord>) {
        let written = self.ca_files.replace(current, previous.map(|record| record.root.as_slice()));
        let was_behind = self.authority.are_files_behind.swap(written.is_err(), Ordering::Relaxed);
        match written {
            Err(error) if !was_behind => {
                tracing::error!(
                    error,
                    "the files of the CA cannot be replaced; the database has it, and they are tried again"
                );
            }
            Ok(()) if was_behind => tracing::info!("the files of the CA are replaced"),
            _ => {}
        }
    }

    /// A CA of the database; one that is known already stays as it is.
    fn opened(&self, record: &CaRecord, before: &Set) -> Result<Arc<Authority>, StoreError> {
        if let Some(known) =
            before.all().find(|authority| authority.id_hex() == record.id && authority.alarm().is_none())
        {
            return Ok(Arc::clone(known));
        }
        let (root, issuing) = (record.root.clone(), record.issuing.clone());
        let unusable =
            |error: &dyn std::fmt::Display| StoreError::Internal(format!("authorities: {}: {error}", record.id));
        let key = match record.issuing_key.as_slice() {
            [] => Err("its private key is not in the database".to_owned()),
            sealed => self.sealer.open(ISSUING_KEY, sealed).map(Zeroizing::new).map_err(|error| error.to_string()),
        };
        let authority = match key {
            Ok(key) => match Authority::new(root.clone(), issuing.clone(), &key) {
                // Sessions go on; whoever asks for a certificate is refused, and everything tells.
                Err(error @ PkiError::Key(_)) => Authority::without_key(root, issuing, error.to_string()),
                made => made,
            },
            Err(why) => Authority::without_key(root, issuing, why),
        };
        authority.map(Arc::new).map_err(|error| unusable(&error))
    }
}

/// What the private key of an issuing CA is sealed for.
pub const ISSUING_KEY: &str = "ca/issuing.key";
/// What the private key of a root is sealed for.
pub const ROOT_KEY: &str = "ca/root.key";
