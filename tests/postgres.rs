//! What PostgreSQL alone has: a server of its own that is reached over a network, fails over, and serves many nodes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use support::postgres::{self, Cluster, Transaction};

#[test]
fn the_tests_own_cluster_stops_and_starts_again_with_what_was_committed() {
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.create_database("first");
    cluster.execute("first", "CREATE TABLE kept (name TEXT); INSERT INTO kept VALUES ('a'), ('B'), (NULL)");
    cluster.stop_immediate();
    assert!(postgres::query(&url, "SELECT 1").is_err(), "it is down");
    cluster.begin();
    let copy = cluster.copy_database("first", "second");
    let sorted = cluster.rows("second", "SELECT name FROM kept WHERE name IS NOT NULL ORDER BY name");
    assert_eq!(sorted, [[Some("a".to_owned())], [Some("B".to_owned())]], "the collation is not that of bytes");
    let held = Transaction::begin(&copy, "LOCK TABLE kept IN ACCESS EXCLUSIVE MODE").unwrap();
    let waiting = "SET lock_timeout = 1; SELECT count(*) FROM kept";
    assert!(postgres::query(&copy, waiting).is_err(), "the table is locked");
    drop(held);
    assert!(postgres::query(&copy, waiting).is_ok(), "the lock is gone");
    cluster.drop_database("first");
    assert!(postgres::query(&url, "SELECT 1").is_err(), "the database is gone");
}
