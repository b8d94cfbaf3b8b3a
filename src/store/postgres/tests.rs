//! The contract on PostgreSQL, and what is particular to it: lost connections, commits in doubt, several nodes.
//!
//! The databases have a collation that ignores case and punctuation at first, so that nothing can depend on the order of
//! letters by chance.

use super::super::contract::{Ground, run_all};
use super::super::migrate;
use super::super::tables::{Kind, TABLES, Table};
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

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_tables_is_that_of_the_schema() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.create_database("tables");
    migrate::run(&open(&url).await, migrate::MIGRATIONS).await.unwrap();
    let columns = "SELECT table_name, column_name, data_type FROM information_schema.columns \
                   WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    let mut found: Vec<_> =
        cluster.rows("tables", columns).into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>()).collect();
    found.retain(|row| row[0] != "health" && row[0] != "migrations");
    let mut listed: Vec<&Table> = TABLES.iter().collect();
    listed.sort_by_key(|table| table.name);
    let listed = listed.into_iter().flat_map(|table| {
        table.columns.iter().map(|column| {
            let kind = match column.kind {
                Kind::Int => "bigint",
                Kind::Text => "text",
                Kind::Bytes => "bytea",
            };
            [table.name, column.name, kind].map(str::to_owned).to_vec()
        })
    });
    assert_eq!(found, listed.collect::<Vec<_>>());
}
