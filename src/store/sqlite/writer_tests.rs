//! Groups of batches, made without threads: the inbox is filled first, then the writer runs.

use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};

use super::super::connection::{open_writer, query};
use super::*;
use crate::store::engine::Value;

struct Bench {
    writer: Writer,
    writes: Sender<Message>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

const INSERT: &str = "INSERT INTO probe (id, data) VALUES ($1, $2)";

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("muster.db");
        let patience = Duration::from_millis(20);
        std::fs::File::create(&path).unwrap();
        let connection = open_writer(&path, patience).unwrap();
        connection.execute_batch("CREATE TABLE probe (id BIGINT NOT NULL PRIMARY KEY, data BLOB)").unwrap();
        let (writes, inbox) = mpsc::channel();
        let reserve = Reserve::open(&path);
        Self { writer: Writer::new(connection, inbox, patience, reserve), writes, path, _folder: folder }
    }

    fn send(&self, batch: Vec<Statement>) -> oneshot::Receiver<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(Message::Commit(Job { batch, answer })).unwrap();
        answered
    }

    /// Commits what waits as one group.
    fn commit_group(&mut self) -> usize {
        let group = self.writer.gather().unwrap();
        let size = group.len();
        self.writer.commit(group);
        size
    }

    /// The ids in the table, as another connection sees them.
    fn ids(&self) -> Vec<i64> {
        let other = Connection::open(&self.path).unwrap();
        let rows = query(&other, "SELECT id FROM probe ORDER BY id", &[]).unwrap();
        rows.iter().map(|row| row.of("probe").number("id").unwrap()).collect()
    }
}

fn row(id: i64) -> Statement {
    Statement::one(INSERT, vec![id.into(), Value::Bytes(None)])
}

fn big_row(id: i64) -> Statement {
    Statement::one(INSERT, vec![id.into(), vec![7; 200_000].into()])
}

fn outcome(mut answered: oneshot::Receiver<Outcome>) -> Outcome {
    answered.try_recv().unwrap()
}

fn is_full(answered: oneshot::Receiver<Outcome>) -> bool {
    matches!(outcome(answered), Err(StoreError::Full(_)))
}

fn is_unavailable(answered: oneshot::Receiver<Outcome>) -> bool {
    matches!(outcome(answered), Err(StoreError::Unavailable(_)))
}

#[test]
fn a_commit_is_synced_before_it_is_answered() {
    let bench = Bench::new();
    let setting = |name| bench.writer.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(setting("synchronous"), 2, "FULL");
    assert_eq!(setting("foreign_keys"), 1);
    let mode: String = bench.writer.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn batches_that_wait_become_one_group() {
    let mut bench = Bench::new();
    let answers: Vec<_> = (0..5).map(|id| bench.send(vec![row(id)])).collect();
    assert_eq!(bench.commit_group(), 5);
    assert!(answers.into_iter().all(|answer| outcome(answer).is_ok()));
    assert_eq!(bench.ids(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_group_has_its_limit() {
    let mut bench = Bench::new();
    let _answers: Vec<_> = (0..200).map(|id| bench.send(vec![row(id)])).collect();
    assert_eq!(bench.commit_group(), MOST_BATCHES);
    assert_eq!(bench.commit_group(), 200 - MOST_BATCHES);
}

#[test]
fn a_lone_batch_waits_for_nobody_and_company_is_awaited_for_a_moment() {
    let mut bench = Bench::new();
    let never = Instant::now() + Duration::from_secs(3600);
    assert!(bench.writer.next(false, never).is_none(), "idle: no wait");
    bench.writer.expected = 3;
    let _answers = [bench.send(vec![row(1)]), bench.send(vec![row(2)])];
    assert_eq!(bench.commit_group(), 2, "the third does not come, and is not awaited for ever");
    assert_eq!(bench.writer.expected, 2);
}

#[test]
fn what_was_asked_before_the_end_is_done() {
    let bench = Bench::new();
    let (first, second) = (bench.send(vec![row(1)]), bench.send(vec![row(2)]));
    bench.writes.send(Message::Stop).unwrap();
    let mut late = bench.send(vec![row(3)]);
    let Bench { writer, path, _folder, .. } = bench;
    writer.run();
    assert!(outcome(first).is_ok() && outcome(second).is_ok());
    assert!(late.try_recv().is_err(), "nobody is left to answer");
    assert!(!path.with_extension("db-wal").exists(), "the log was moved into the file");
    let rows = query(&Connection::open(&path).unwrap(), "SELECT id FROM probe", &[]).unwrap();
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_batch_that_misses_does_not_hurt_its_neighbours() {
    let mut bench = Bench::new();
    let nonsense = Statement::any("INSERT INTO nowhere VALUES (1)", vec![]);
    let answers = [
        bench.send(vec![row(1)]),
        bench.send(vec![row(2), row(1)]),
        bench.send(vec![row(3), nonsense]),
        bench.send(vec![row(2)]),
        bench.send(vec![Statement::one("DELETE FROM probe WHERE id > $1", vec![0_i64.into()])]),
        bench.send(vec![row(4)]),
    ];
    assert_eq!(bench.commit_group(), 6);
    let [one, twice, wrong, two, many, four] = answers.map(outcome);
    assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
    assert!(matches!(wrong, Err(StoreError::Internal(_))), "{wrong:?}");
    assert!(matches!(many, Err(StoreError::Conflict)), "{many:?}");
    assert!(one.is_ok() && two.is_ok() && four.is_ok());
    assert_eq!(bench.ids(), [1, 2, 4]);
}

/// a full disk fails everyone in the group and nothing is kept by halves; with space again, work goes on.
#[test]
fn a_full_disk_fails_the_whole_group() {
    let mut bench = Bench::new();
    let pages: i64 = bench.writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let allow = |bench: &Bench, pages: i64| {
        bench.writer.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).unwrap();
    };
    allow(&bench, pages + 10);
    for _ in 0..2 {
        let batches = [vec![row(1)], vec![row(2), big_row(3), row(4)], vec![row(5)], vec![row(1)]];
        let answers = batches.map(|batch| bench.send(batch));
        assert_eq!(bench.commit_group(), 4);
        assert!(answers.into_iter().all(is_full));
        assert_eq!(bench.ids(), [0_i64; 0]);
    }
    let small = bench.send(vec![row(1)]);
    bench.commit_group();
    assert!(outcome(small).is_ok(), "what fits is taken");
    allow(&bench, pages + 1000);
    let big = bench.send(vec![row(2), big_row(3)]);
    bench.commit_group();
    assert!(outcome(big).is_ok());
    assert_eq!(bench.ids(), [1, 2, 3]);
    let sound: String = bench.writer.connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

/// what is told from the reserve does not share its transaction, and finds the room of the reserve free.
#[test]
fn what_is_told_from_the_reserve_goes_alone_and_before_what_waits() {
    let mut bench = Bench::new();
    let reserve = bench.path.with_extension("db.reserve");
    assert!(reserve.exists());
    let (answer, told) = oneshot::channel();
    let (first, second) = (bench.send(vec![row(1)]), bench.send(vec![row(2)]));
    bench.writes.send(Message::CommitFromReserve(Job { batch: vec![row(9)], answer })).unwrap();
    bench.writer.expected = 3;
    let group = bench.writer.gather().unwrap();
    assert!(outcome(told).is_ok() && !reserve.exists());
    assert_eq!((group.len(), bench.ids()), (2, vec![9]));
    bench.writer.commit(group);
    assert!(outcome(first).is_ok() && outcome(second).is_ok());
    let (answer, mut secured) = oneshot::channel();
    bench.writes.send(Message::SecureReserve(answer)).unwrap();
    bench.writes.send(Message::Stop).unwrap();
    assert!(bench.writer.gather().is_none());
    assert!(secured.try_recv().unwrap() && reserve.exists());
}

#[test]
fn a_transaction_that_cannot_be_committed_fails_the_whole_group() {
    let mut bench = Bench::new();
    // A rule that SQLite judges at the outer COMMIT only.
    let late = "CREATE TABLE late (id BIGINT REFERENCES probe (id) DEFERRABLE INITIALLY DEFERRED)";
    bench.writer.connection.execute_batch(late).unwrap();
    let broken = Statement::one("INSERT INTO late (id) VALUES ($1)", vec![99_i64.into()]);
    let answers = [bench.send(vec![row(1)]), bench.send(vec![broken]), bench.send(vec![row(1)])];
    bench.commit_group();
    assert!(answers.into_iter().all(is_unavailable), "even a conflict was judged against rows that are gone");
    assert_eq!(bench.ids(), [0_i64; 0]);
    let next = bench.send(vec![row(1)]);
    bench.commit_group();
    assert!(outcome(next).is_ok());
}

/// a lock held for longer than the timeout fails the commit as a whole.
#[test]
fn a_lock_that_stays_is_unavailable() {
    let mut bench = Bench::new();
    let other = Connection::open(&bench.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let answers = [bench.send(vec![row(1)]), bench.send(vec![row(2)])];
    bench.commit_group();
    assert!(answers.into_iter().all(is_unavailable));
    other.execute_batch("ROLLBACK").unwrap();
    let again = bench.send(vec![row(1)]);
    bench.commit_group();
    assert!(outcome(again).is_ok());
    assert_eq!(bench.ids(), [1]);
}

#[test]
fn the_log_begins_anew_when_it_is_too_long() {
    let mut bench = Bench::new();
    bench.writer.most_log_pages = 100;
    let reader = Connection::open(&bench.path).unwrap();
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM probe").unwrap();
    let _answers: Vec<_> = (0..10).map(|id| bench.send(vec![big_row(id)])).collect();
    bench.commit_group();
    let pages = |bench: &Bench| -> i64 {
        bench.writer.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |row| row.get("log")).unwrap()
    };
    assert!(pages(&bench) > 400);
    bench.writer.checkpoint().unwrap();
    let held = bench.send(vec![row(20)]);
    bench.commit_group();
    assert!(outcome(held).is_ok(), "a reader that stays stops nobody");
    assert!(pages(&bench) > 400, "but holds the log");
    reader.execute_batch("COMMIT").unwrap();
    bench.writer.checkpoint().unwrap();
    let _after = bench.send(vec![row(21)]);
    bench.commit_group();
    assert!(pages(&bench) < 100, "{}", pages(&bench));
    assert_eq!(bench.ids().len(), 12);
}
