//! The contract on PostgreSQL, and what is particular to it: lost connections, commits in doubt, several nodes.
//!
//! The databases have a collation that ignores case and punctuation at first, so that nothing can depend on the order of
//! letters by chance.

use super::super::contract::{Ground, run_all};
use super::*;
use cluster::Cluster;

#[path = "../../../tests/support/postgres.rs"]
mod cluster;

async fn open(url: &str) -> PostgresEngine {
    PostgresEngine::open(url, Path::new("/"), Options::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract() {
    let Some(cluster) = Cluster::shared() else { return };
    let number = std::sync::atomic::AtomicUsize::new(0);
    run_all(async || {
        let name = format!("contract_{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let url = cluster.create_database(&name);
        let engine = open(&url).await;
        Ground::new(Arc::new(engine), ()).await
    })
    .await;
}
