//! The contract on PostgreSQL, and what is particular to it: lost connections, commits in doubt, several nodes.
//!
//! The databases have a collation that ignores case and punctuation at first, so that nothing can depend on the order of
//! letters by chance.

use super::super::contract::{Ground, run_all};
use super::super::migrate;
use super::super::tables::{Kind, TABLES, Table, UNLISTED};
use super::batch::BEGIN;
use super::*;
use crate::app::ports::Store;
use cluster::Cluster;

#[path = "../../../tests/support/postgres.rs"]
mod cluster;

async fn open(url: &str) -> PostgresEngine {
    let engine = PostgresEngine::open(url, Path::new("/"), Options::default()).await.unwrap();
    engine.database.prepare().await.unwrap();
    engine
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
    found.retain(|row| !UNLISTED.contains(&row[0].as_str()));
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

#[tokio::test(flavor = "multi_thread")]
//
async fn the_fate_of_a_commit_is_not_that_of_another() {
    let Some(cluster) = Cluster::start() else { return };
    let engine = open(&cluster.create_database("doubt")).await;
    cluster.execute("doubt", "CREATE TABLE counted (n BIGINT); INSERT INTO counted VALUES (0)");
    let database = &engine.database;
    for is_committed in [true, false] {
        let mark = database.marks.take();
        let mut borrowed = database.borrow().await.unwrap();
        let client = borrowed.client();
        client.batch_execute(BEGIN).await.unwrap();
        mark.leave(client, &marks::prepare(client).await.unwrap()).await.unwrap();
        if is_committed {
            client.batch_execute("COMMIT").await.unwrap();
        }
        cluster.stop_immediate();
        cluster.begin();
        drop(borrowed);
        for _ in 0..3 {
            // The first of them gets the number that PostgreSQL had given to the transaction which the crash undid.
            engine.commit(vec![Statement::one("UPDATE counted SET n = n + 1", vec![])]).await.unwrap();
        }
        let doubt = Doubt { mark, counts: Vec::new(), cause: String::new() };
        assert_eq!(database.ask(&doubt).await.unwrap(), is_committed, "R-14: committed: {is_committed}");
    }
}

/// A node that stands still in the middle of its own check keeps no other from being ready.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_waits_for_no_other_node() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.create_database("readiness");
    let (still, ready) = (open(&url).await, open(&url).await);
    let ready = Ground::new(Arc::new(ready), ()).await.store;
    let mut borrowed = still.database.borrow().await.unwrap();
    let client = borrowed.client();
    client.batch_execute(BEGIN).await.unwrap();
    let name = "01920000-0000-7000-8000-000000000001".to_owned();
    client.execute("INSERT INTO health (id) VALUES ($1)", &[&name]).await.unwrap();
    client.execute("DELETE FROM health WHERE id = $1", &[&name]).await.unwrap();
    let checked = tokio::time::timeout(Duration::from_secs(3), ready.check()).await;
    assert!(matches!(checked, Ok(Ok(()))), "{checked:?}");
}

/// A server that takes connections and does not answer costs a caller one wait, not one for each try.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_given_up() {
    let Some(cluster) = Cluster::shared() else { return };
    let patience = Duration::from_millis(300);
    let options = Options { patience, wait: patience, ..Options::default() };
    let engine = PostgresEngine::open(&cluster.create_database("silent"), Path::new("/"), options).await.unwrap();
    engine.database.prepare().await.unwrap();
    let sleep = "SELECT CAST(pg_sleep(30) AS TEXT)";
    let began = std::time::Instant::now();
    let outcomes = [
        engine.query(sleep, Vec::new()).await.err(),
        engine.commit(vec![Statement::any(sleep, Vec::new())]).await.err(),
    ];
    for outcome in outcomes {
        assert!(matches!(&outcome, Some(StoreError::Unavailable(words)) if words.contains("in time")), "{outcome:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(engine.query("SELECT 1", Vec::new()).await.is_ok(), "the next connection answers");
}
