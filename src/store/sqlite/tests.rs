//! The contract on SQLite, and what is particular to it: the file, its lock, its plans.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::super::contract::{Ground, run_all};
use super::*;

/// A database in a folder that lives as long as it does.
async fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    let engine = SqliteEngine::open(&folder.path().join("muster.db"), Options::default()).unwrap();
    Ground::new(Arc::new(engine), folder).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    run_all(ground).await;
}
