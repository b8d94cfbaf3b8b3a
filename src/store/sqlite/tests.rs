//! The contract on SQLite, and what is particular to it: the file, its lock, its plans.

use std::pin::pin;
use std::task::{Context, Waker};

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::contract::fixtures::{at, command, enroll, enrolled, id, user};
use super::super::contract::{Ground, XorSealer, run_all};
use super::super::engine::Expect;
use super::super::migrate::{self, MIGRATIONS, Migration};
use super::super::tables::{Kind, TABLES, UNLISTED};
use super::super::{SqlStore, open_sqlite};
use super::*;
use crate::app::ports::{Expired, Store, Table, Write};
use crate::proto::syncml::{Command, LocUri};

mod plans;

/// A database in a folder that lives as long as it does.
async fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    let engine = SqliteEngine::open(&path(&folder), Options::default()).unwrap();
    Ground::new(Arc::new(engine), folder).await
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("muster.db")
}

async fn open(folder: &TempDir) -> Result<SqlStore, StoreError> {
    open_sqlite(&path(folder), Arc::new(XorSealer)).await
}

fn insert_user(number: u128) -> Vec<Write> {
    vec![Write::InsertUser(user(number))]
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    run_all(ground).await;
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder).await.unwrap();
    let second = open(&folder).await.err().unwrap();
    assert!(matches!(&second, StoreError::Unavailable(words) if words.contains("another process")), "{second}");
    first.commit(insert_user(1)).await.unwrap();
    first.close().await;
    let third = open(&folder).await.unwrap();
    assert!(third.user(id(1)).await.unwrap().is_some());
    drop(third);
    open(&folder).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let loose = File::create(path(&folder)).unwrap();
    loose.set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&folder).await.unwrap();
    store.commit(insert_user(1)).await.unwrap();
    let mut names = Vec::new();
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{names:?}");
    }
    names.sort();
    assert_eq!(names, ["muster.db", "muster.db-shm", "muster.db-wal", "muster.db.lock", "muster.db.reserve"]);
}

#[tokio::test]
async fn what_cannot_be_opened_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = open_sqlite(&folder.path().join("no/muster.db"), Arc::new(XorSealer)).await;
    assert!(matches!(nowhere, Err(StoreError::Unavailable(_))));
    std::fs::write(path(&folder), "this is no database, however long it may be ".repeat(100)).unwrap();
    assert!(matches!(open(&folder).await, Err(StoreError::Internal(_))));
}

/// a copy of the files made right after the answer, as a crash would leave them, holds what was committed.
#[tokio::test]
async fn what_was_answered_survives_a_crash() {
    let (folder, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open(&folder).await.unwrap();
    for number in 1..=20 {
        store.commit(insert_user(number)).await.unwrap();
    }
    for suffix in ["", "-wal"] {
        std::fs::copy(beside(&path(&folder), suffix), beside(&path(&crashed), suffix)).unwrap();
    }
    let revived = open(&crashed).await.unwrap();
    for number in 1..=20 {
        assert!(revived.user(id(number)).await.unwrap().is_some(), "{number}");
    }
}

#[tokio::test]
async fn what_was_asked_is_done_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await.unwrap();
    for number in 1..=50 {
        let mut asked = pin!(store.commit(insert_user(number)));
        // Asked, and then nobody waits for the answer.
        let _ = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    drop(store);
    assert!(!beside(&path(&folder), "-wal").exists(), "the log was moved into the file");
    let store = open(&folder).await.unwrap();
    let page = crate::app::ports::Page { limit: 100, after: None };
    assert_eq!(store.users(None, &page).await.unwrap().items.len(), 50);
}

/// another program holds the lock for a while: reads go on, commits wait, and none is lost.
#[tokio::test(flavor = "multi_thread")]
async fn commits_wait_for_a_lock_of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await.unwrap();
    store.commit(insert_user(100)).await.unwrap();
    let other = Connection::open(path(&folder)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let waiting: Vec<_> = (1..=30)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(insert_user(number)).await })
        })
        .collect();
    for _ in 0..20 {
        assert!(store.user(id(100)).await.unwrap().is_some());
    }
    assert!(waiting.iter().all(|task| !task.is_finished()));
    other.execute_batch("ROLLBACK").unwrap();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    let page = crate::app::ports::Page { limit: 100, after: None };
    assert_eq!(store.users(None, &page).await.unwrap().items.len(), 31);
}

#[tokio::test]
async fn the_rows_of_returning_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await.unwrap();
    let sql = "INSERT INTO settings (key, value) VALUES ($1, $1), ($2, $2) RETURNING key";
    let statement = Statement { sql, params: vec!["a".into(), "b".into()], expect: Expect::Exactly(2) };
    assert_eq!(store.engine.commit(vec![statement]).await.unwrap(), [2]);
    assert_eq!(store.setting("b").await.unwrap().as_deref(), Some("b"));
}

/// S-13: what was sealed, and what is only there as a hash, does not stand in the file.
#[tokio::test]
async fn the_file_shows_no_sealed_text() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await.unwrap();
    let mut queued = command(1);
    queued.begin_step(0, vec![Command::replace(LocUri::fixed("./x"), "chr", "open sesame")]);
    queued.items[0].data = Some("new pin 271828".to_owned());
    let mut writes = enroll(enrolled(1));
    writes.push(Write::InsertCommand(Box::new(queued)));
    store.commit(writes).await.unwrap();
    store.close().await;
    let file = std::fs::read(path(&folder)).unwrap();
    let holds = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("admin@example.org"), "the search works");
    assert!(!holds("open sesame") && !holds("271828"));
}

async fn migrate(folder: &TempDir, migrations: &[Migration]) -> Result<(), StoreError> {
    let engine = SqliteEngine::open(&path(folder), Options::default())?;
    migrate::run(&engine, migrations).await
}

fn tables(folder: &TempDir) -> Vec<String> {
    let connection = Connection::open(path(folder)).unwrap();
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn migrations_run_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let first =
        Migration { number: 1, name: "0001_a", script: "CREATE TABLE a (id BIGINT);\nINSERT INTO a VALUES (1);\n" };
    let second = Migration { number: 2, name: "0002_b", script: "CREATE TABLE b (id BIGINT);\n" };
    migrate(&folder, &[first]).await.unwrap();
    migrate(&folder, &[first, second]).await.unwrap();
    migrate(&folder, &[first, second]).await.unwrap();
    assert_eq!(tables(&folder), ["a", "b", "migrations"]);
    let newer = migrate(&folder, &[first]).await.unwrap_err();
    assert!(newer.to_string().contains("0002_b was applied by a newer build"), "{newer}");
    let changed = Migration { script: "CREATE TABLE a (id TEXT);\n", ..first };
    let changed = migrate(&folder, &[changed, second]).await.unwrap_err();
    assert!(changed.to_string().contains("0001_a was applied with another text"), "{changed}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broken =
        Migration { number: 1, name: "0001_a", script: "CREATE TABLE a (id BIGINT);\nINSERT INTO b VALUES (1);\n" };
    assert!(migrate(&folder, &[broken]).await.is_err());
    assert_eq!(tables(&folder), ["migrations"]);
    migrate(&folder, MIGRATIONS).await.unwrap();
}

/// What copies a whole database knows every table and column.
#[tokio::test]
async fn the_list_of_tables_is_that_of_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder).await.unwrap();
    let mut listed: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    listed.sort_unstable();
    let mut found = tables(&folder);
    found.retain(|name| !UNLISTED.contains(&name.as_str()));
    assert_eq!(found, listed);
    let connection = Connection::open(path(&folder)).unwrap();
    for table in &TABLES {
        let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info($1)").unwrap();
        let columns = statement.query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let columns: Vec<(String, String, u32)> = columns.unwrap().map(Result::unwrap).collect();
        let listed = table.columns.iter().enumerate().map(|(place, column)| {
            let kind = match column.kind {
                Kind::Int => "BIGINT",
                Kind::Text => "TEXT",
                Kind::Bytes => "BLOB",
            };
            (column.name.to_owned(), kind.to_owned(), if place < table.key { place as u32 + 1 } else { 0 })
        });
        assert_eq!(columns, listed.collect::<Vec<_>>(), "{}", table.name);
    }
}

/// Parents come before their children, and what refers to its own table is known.
#[tokio::test]
async fn the_list_of_tables_follows_the_references() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder).await.unwrap();
    let connection = Connection::open(path(&folder)).unwrap();
    for (place, table) in TABLES.iter().enumerate() {
        let mut statement = connection.prepare("SELECT \"table\", \"from\" FROM pragma_foreign_key_list($1)").unwrap();
        let references = statement.query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        for (parent, column) in references.map(Result::<(String, String), _>::unwrap) {
            let is_link = table.link.as_ref().is_some_and(|link| link.column == column && table.name == parent);
            let is_before = TABLES[..place].iter().any(|before| before.name == parent);
            assert!(is_link || is_before, "{}.{column} refers to {parent}", table.name);
        }
    }
}
