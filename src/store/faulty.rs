//! For tests: an engine in front of another, whose commits fail or are followed by those of others, as a test orders.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::SqlStore;
use super::engine::{Engine, Row, Statement, Value};
use crate::app::ports::StoreError;

/// What a test orders, and what it learns.
#[derive(Default)]
pub(crate) struct Faults {
    hangs: AtomicBool,
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
        let counts = self.inner.commit(batch).await?;
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
