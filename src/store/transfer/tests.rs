//! Moves from one file to another: what arrives, what is noticed, what an interruption leaves.

use std::sync::Arc;

use tempfile::TempDir;

use super::super::contract::XorSealer;
use super::super::contract::fixtures::{command, enroll, enrolled, id, user};
use super::super::{Remaining, open_sqlite};
use super::*;
use crate::app::ports::{Page, Store, Write};
use crate::domain::device::Device;

const AT: &str = "2026-11-20T12:00:00Z";

/// Two databases: an installation, and an empty one.
struct Ground {
    source: SqlStore,
    target: SqlStore,
    _folder: TempDir,
}

impl Ground {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = async |name: &str| open_sqlite(&folder.path().join(name), Arc::new(XorSealer)).await.unwrap();
        let (source, target) = (open("source.db").await, open("target.db").await);
        fill(&source).await;
        Self { source, target, _folder: folder }
    }

    fn transfer(&self, copy: &str) -> Transfer<'_> {
        Transfer { source: &self.source, target: &self.target, copy: copy.to_owned() }
    }

    /// As far as the copy is verified.
    async fn copied(&self, copy: &str) -> Transfer<'_> {
        self.target.begin_copy(copy).await.unwrap();
        let transfer = self.transfer(copy);
        transfer.copy(&mut |_| {}).await.unwrap();
        transfer
    }

    async fn remaining(&self) -> Result<Remaining, String> {
        let target = self.target.standing().await.unwrap();
        self.source.standing().await.unwrap().remaining(&target, "db/m")
    }
}

/// Two devices, of which the first refers to the second, a command, and more rows than one page has.
async fn fill(store: &SqlStore) {
    for number in [1, 2] {
        store.commit(enroll(enrolled(number))).await.unwrap();
    }
    let mut queued = command(1);
    queued.reason = Some("naïve “words” ✓".to_owned());
    store.commit(vec![Write::InsertCommand(Box::new(queued))]).await.unwrap();
    let (first, second) = (device_ids(store).await[0], device_ids(store).await[1]);
    let link =
        Statement::one("UPDATE devices SET linked_device_id = $2 WHERE id = $1", vec![first.into(), second.into()]);
    store.submit(vec![link]).await.unwrap();
    let users = (1000..3500).map(|number| Write::InsertUser(user(number)));
    store.commit(users.collect()).await.unwrap();
    store.set_setting("provider_id", "Muster").await.unwrap();
}

async fn device_ids(store: &SqlStore) -> Vec<crate::domain::Id<Device>> {
    let mut ids = Vec::new();
    for row in store.engine.query("SELECT id FROM devices ORDER BY id", Vec::new()).await.unwrap() {
        ids.push(row.of("devices").id("id").unwrap());
    }
    ids
}

async fn execute(store: &SqlStore, sql: &'static str) {
    store.submit(vec![Statement::any(sql, Vec::new())]).await.unwrap();
}

#[tokio::test]
async fn everything_arrives() {
    let ground = Ground::new().await;
    ground.target.begin_copy("a").await.unwrap();
    let mut told = Vec::new();
    let moved = ground.transfer("a").copy(&mut |progress| told.push(progress)).await.unwrap();
    let contents = ground.target.contents(&mut |_| {}).await.unwrap();
    assert_eq!(moved, contents);
    assert_eq!(moved, ground.source.contents(&mut |_| {}).await.unwrap());
    let rows = |table: &str| moved.iter().find(|moved| moved.table == table).unwrap().content.rows;
    assert!(rows("users") >= 2500 && rows("devices") == 2 && rows("commands") == 1 && rows("settings") == 1);
    let done = told.iter().filter(|progress| progress.is_done);
    assert_eq!(done.count(), 2 * TABLES.len(), "each table is copied and checked");
    assert!(told.iter().any(|progress| !progress.is_done && progress.rows == 2000), "more than one page");
    let source = ground.source.command(id(1)).await.unwrap();
    assert_eq!(ground.target.command(id(1)).await.unwrap().unwrap().reason, source.unwrap().reason);
    let linked = "SELECT id FROM devices WHERE linked_device_id IS NOT NULL";
    assert_eq!(ground.target.engine.query(linked, Vec::new()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_difference_is_named_with_both_figures() {
    let changes = [
        ("users", "UPDATE users SET name = 'x' WHERE id IN (SELECT id FROM users LIMIT 1)"),
        ("users", "UPDATE users SET local_part = '' WHERE local_part IS NULL"),
        ("commands", "DELETE FROM commands"),
        ("devices", "UPDATE devices SET linked_device_id = NULL"),
        ("settings", "INSERT INTO settings (key, value) VALUES ('more', 'x')"),
    ];
    for (table, change) in changes {
        let ground = Ground::new().await;
        let transfer = ground.copied("a").await;
        execute(&ground.source, "UPDATE users SET local_part = NULL WHERE id IN (SELECT id FROM users LIMIT 1)").await;
        execute(&ground.target, "UPDATE users SET local_part = NULL WHERE id IN (SELECT id FROM users LIMIT 1)").await;
        execute(&ground.target, change).await;
        let listed = TABLES.iter().find(|listed| listed.name == table).unwrap();
        let sent = content(ground.source.db(), listed, &mut |_| {}).await.unwrap();
        let differs = transfer.compare(listed, sent, &mut |_| {}).await.unwrap_err();
        let (found, words) = (content(ground.target.db(), listed, &mut |_| {}).await.unwrap(), differs.to_string());
        assert!(words.starts_with(&format!("table {table} differs")), "{words}");
        assert!(words.contains(&sent.checksum()) && words.contains(&found.checksum()), "{words}");
    }
}

#[test]
fn no_two_rows_are_summed_up_alike() {
    let sum = |rows: &[Vec<Value>]| {
        let mut content = Content::EMPTY;
        rows.iter().for_each(|row| content.add(row));
        content
    };
    let rows = [
        vec!["ab".into(), "c".into()],
        vec!["a".into(), "bc".into()],
        vec!["abc".into(), "".into()],
        vec!["abc".into(), Value::Text(None)],
        vec![Value::Bytes(Some(b"abc".to_vec())), Value::Text(None)],
        vec![Value::Int(None), 0_i64.into()],
        vec![0_i64.into(), Value::Int(None)],
    ];
    for (index, row) in rows.iter().enumerate() {
        for other in &rows[..index] {
            assert_ne!(sum(std::slice::from_ref(row)), sum(std::slice::from_ref(other)));
        }
    }
    let mut turned = rows.to_vec();
    turned.reverse();
    assert_eq!(sum(&rows), sum(&turned), "the order does not count");
    assert_ne!(sum(&rows[..1]).sum, sum(&[rows[0].clone(), rows[0].clone(), rows[0].clone()]).sum);
}

#[tokio::test]
async fn a_target_that_holds_something_is_left_alone() {
    let ground = Ground::new().await;
    assert!(matches!(ground.source.begin_copy("a").await, Err(TransferError::Taken)), "an unmarked installation");
    ground.copied("a").await.hand_over("db/m", AT).await.unwrap();
    assert!(matches!(ground.target.begin_copy("b").await, Err(TransferError::Taken)), "a whole copy");
    assert!(ground.target.begin_installation("b").await.unwrap().is_none());
}

#[tokio::test]
async fn what_did_not_come_to_its_end_is_begun_again() {
    let ground = Ground::new().await;
    // A server that was started on the empty database has left something.
    ground.target.set_setting("provider_id", "Other").await.unwrap();
    let first = ground.copied("a").await;
    assert_eq!(ground.remaining().await, Ok(Remaining::Everything));
    execute(&ground.source, "DELETE FROM commands").await;
    let second = ground.copied("b").await;
    assert!(ground.target.command(id(1)).await.unwrap().is_none());
    // The first still runs somewhere: it must do no harm.
    let late = first.write(vec![Statement::any("DELETE FROM users", Vec::new())]).await;
    assert!(matches!(late, Err(TransferError::Disturbed)), "{late:?}");
    assert!(matches!(first.hand_over("db/m", AT).await, Err(TransferError::Disturbed)));
    assert_eq!(ground.source.standing().await.unwrap(), Standing::Unmarked, "it can still be served");
    second.hand_over("db/m", AT).await.unwrap();
    assert_eq!(ground.remaining().await, Ok(Remaining::Nothing));
    let page = Page { limit: 10, after: None };
    assert!(!ground.target.users(None, &page).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn an_interrupted_end_is_finished() {
    let gone = || Move { copy: "a".to_owned(), to: "db/m".to_owned(), at: AT.to_owned() };
    // Killed after the first mark: the copy is made again.
    let ground = Ground::new().await;
    ground.copied("a").await;
    ground.source.change_standing(&Standing::Unmarked, &Standing::Moving(gone())).await.unwrap();
    assert_eq!(ground.remaining().await, Ok(Remaining::Everything));
    let before = ground.target.standing().await.unwrap();
    let again = ground.copied("b").await;
    again.begin("localhost/m", &before).await.unwrap();
    assert_eq!(ground.source.standing().await.unwrap(), Standing::Made, "it can be served again");
    again.hand_over("localhost/m", AT).await.unwrap();
    assert_eq!(ground.remaining().await, Ok(Remaining::Nothing));

    // Killed after the second: nothing is copied, whatever happened in the target since.
    let ground = Ground::new().await;
    ground.copied("a").await;
    ground.source.change_standing(&Standing::Unmarked, &Standing::Moving(gone())).await.unwrap();
    let whole = Standing::Copied { copy: "a".to_owned() };
    ground.target.change_standing(&being_copied("a"), &whole).await.unwrap();
    execute(&ground.target, "DELETE FROM commands").await;
    assert_eq!(ground.remaining().await, Ok(Remaining::LastMark));
    ground.source.finish_move().await.unwrap();
    assert_eq!(ground.source.standing().await.unwrap(), Standing::Moved(gone()));
    assert_eq!(ground.remaining().await, Ok(Remaining::Nothing));
}

#[tokio::test]
async fn what_has_moved_elsewhere_meanwhile_stays_there() {
    let ground = Ground::new().await;
    let transfer = ground.copied("a").await;
    for elsewhere in [
        Standing::Moved(Move { copy: "b".to_owned(), to: "db/b".to_owned(), at: AT.to_owned() }),
        Standing::Moving(Move { copy: "b".to_owned(), to: "db/b".to_owned(), at: AT.to_owned() }),
    ] {
        ground.source.change_standing(&ground.source.standing().await.unwrap(), &elsewhere).await.unwrap();
        for late in [transfer.begin("db/m", &Standing::Unmarked).await, transfer.hand_over("db/m", AT).await] {
            assert!(matches!(&late, Err(TransferError::Elsewhere(why)) if why.contains("db/b")), "{late:?}");
        }
        assert_eq!(ground.source.standing().await.unwrap(), elsewhere);
        assert_eq!(ground.target.standing().await.unwrap(), being_copied("a"), "it is not whole");
    }
}

#[tokio::test]
async fn a_claim_can_be_given_up() {
    let ground = Ground::new().await;
    ground.target.begin_copy("a").await.unwrap();
    ground.target.give_up_copy("a").await.unwrap();
    assert_eq!(ground.target.standing().await.unwrap(), Standing::Unmarked);
    assert!(matches!(ground.target.give_up_copy("a").await, Err(TransferError::Disturbed)));
    assert!(ground.target.begin_installation("a").await.unwrap().is_some());
    assert!(matches!(ground.target.begin_copy("b").await, Err(TransferError::Taken)), "an init is at work");
    ground.target.end_installation("a").await.unwrap();
    assert_eq!(ground.target.standing().await.unwrap(), Standing::Made);
}

#[tokio::test]
async fn an_init_leaves_a_copy_alone_that_is_under_way() {
    let ground = Ground::new().await;
    ground.target.begin_copy("a").await.unwrap();
    assert!(ground.target.begin_installation("b").await.unwrap().is_none());
    ground.target.begin_copy("c").await.unwrap();
}

#[tokio::test]
async fn what_somebody_else_keeps_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE customers (id BIGINT)").unwrap();
    let store = super::super::look_into_sqlite(&path, Arc::new(XorSealer)).await.unwrap();
    assert_eq!(store.standing().await.unwrap(), Standing::Unmarked);
    assert!(store.begin_installation("a").await.unwrap().is_none());
    assert!(matches!(store.begin_copy("a").await, Err(TransferError::Taken)));
    let tables = store.db().tables().await.unwrap();
    assert_eq!(tables.len(), 1, "nothing was made beside it: {tables:?}");
}

#[tokio::test]
async fn an_installation_that_was_begun_later_is_not_touched_by_the_one_before() {
    let ground = Ground::new().await;
    let first = ground.target.begin_installation("a").await.unwrap().unwrap();
    first.set_setting("provider_id", "First").await.unwrap();
    let second = ground.target.begin_installation("b").await.unwrap().unwrap();
    assert_eq!(second.setting("provider_id").await.unwrap(), None);
    second.set_setting("provider_id", "Second").await.unwrap();
    for late in [
        first.set_setting("provider_id", "First").await,
        first.commit(vec![Write::InsertUser(user(1))]).await,
        first.give_up_installation("a").await,
        first.end_installation("a").await,
    ] {
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    }
    second.end_installation("b").await.unwrap();
    assert_eq!(ground.target.setting("provider_id").await.unwrap().as_deref(), Some("Second"));
    assert!(!ground.target.holds_rows().await.unwrap());
    assert_eq!(ground.target.standing().await.unwrap(), Standing::Made);

    let ground = Ground::new().await;
    let begun = ground.target.begin_installation("a").await.unwrap().unwrap();
    begun.set_setting("provider_id", "First").await.unwrap();
    ground.target.give_up_installation("a").await.unwrap();
    assert_eq!(ground.target.standing().await.unwrap(), Standing::Unmarked);
    assert_eq!(ground.target.setting("provider_id").await.unwrap(), None);
}
