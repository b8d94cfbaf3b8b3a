//! For tests: an engine in front of another, whose commits fail or are followed by those of others, as a test orders.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::SqlStore;
use super::engine::{Engine, Row, Statement, Value};
use crate::app::ports::{Sealer, StoreError};

/// What a test orders, and what it learns.
#[derive(Default)]
pub(crate) struct Faults {
    hangs: AtomicBool,
    failing: AtomicU32,
    loses_answer: AtomicBool,
    commits: AtomicU32,
    after_next: Mutex<Option<&'static str>>,
}

impl Faults {
    /// From now on every commit is tried for too long and given up.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// Commits work again.
    pub(crate) fn resume(&self) {
        self.hangs.store(false, Ordering::Relaxed);
    }

    /// So many of the next commits find no database.
    pub(crate) fn fail_next(&self, commits: u32) {
        self.failing.store(commits, Ordering::Relaxed);
    }

    /// The next commit takes effect, and whether it did is not known.
    pub(crate) fn lose_next_answer(&self) {
        self.loses_answer.store(true, Ordering::Relaxed);
    }

    /// How many commits were asked for since the last look.
    pub(crate) fn commits(&self) -> u32 {
        self.commits.swap(0, Ordering::Relaxed)
    }

    /// Every device comes right after the next commit.
    pub(crate) fn devices_come_after_next_commit(&self) {
        *self.after_next.lock().unwrap() = Some(DEVICES_COME);
    }
}

/// The store with such an engine before its own.
pub(crate) fn faulty(store: SqlStore) -> (SqlStore, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let engine = Arc::new(Faulty { inner: store.engine, faults: Arc::clone(&faults) });
    (SqlStore { engine, ..store }, faults)
}

/// Another store on the same database, with other keys.
pub(crate) fn sealed_by(store: &SqlStore, sealer: Arc<dyn Sealer>) -> SqlStore {
    SqlStore { engine: Arc::clone(&store.engine), sealer, held: None }
}

struct Faulty {
    inner: Arc<dyn Engine>,
    faults: Arc<Faults>,
}

#[async_trait]
impl Engine for Faulty {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.inner.query(sql, params).await
    }

    async fn commit(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        self.faults.commits.fetch_add(1, Ordering::Relaxed);
        if self.faults.hangs.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("lock timeout".to_owned()));
        }
        let one_less = |failing: u32| failing.checked_sub(1);
        if self.faults.failing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return Err(StoreError::Unavailable("the server is gone".to_owned()));
        }
        let counts = self.inner.commit(batch).await?;
        if self.faults.loses_answer.swap(false, Ordering::Relaxed) {
            return Err(StoreError::InDoubt("the connection broke".to_owned()));
        }
        let next = self.faults.after_next.lock().unwrap().take();
        if let Some(sql) = next {
            self.inner.commit(vec![Statement::any(sql, Vec::new())]).await?;
        }
        Ok(counts)
    }

    async fn tables(&self) -> Result<Vec<Row>, StoreError> {
        self.inner.tables().await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

const DEVICES_COME: &str = "UPDATE enrollments SET last_seen_at = state_since + 9000000000, version = version + 1";
