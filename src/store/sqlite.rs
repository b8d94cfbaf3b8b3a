//! The SQLite engine: one file, one thread that writes, a few that read.
//!
//! The file is in WAL mode with `synchronous=FULL`: a commit is answered after the log was synced. One sync costs
//! milliseconds, so the writer commits the batches that wait for it together (see [`writer`]). Readers have connections
//! of their own and wait for nobody. Beside it lies a file that only takes room, for a full disk (see [`reserve`]).

mod connection;
mod reader;
mod reserve;
mod writer;

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::engine::{Engine, Question, Row, Statement, Value};
use crate::app::ports::StoreError;
pub use connection::steps;
use reserve::Reserve;
use writer::Writer;

/// How the engine works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Connections that read, each on a thread of its own.
    pub(crate) readers: usize,
    /// How long to wait for a lock that another program holds.
    pub(crate) busy_timeout: Duration,
    /// What [`Engine::is_shared`] answers. The file is locked, so it is not; a test can play several processes.
    pub(crate) is_shared: bool,
}

impl Default for Options {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self { readers: cores.clamp(2, 4), busy_timeout: Duration::from_secs(5), is_shared: false }
    }
}

/// A SQLite database.
pub(crate) struct SqliteEngine {
    writes: Sender<writer::Message>,
    reads: Sender<reader::Message>,
    /// Connections for what is read in place; `None` once it is closed.
    at_hand: Arc<Mutex<Option<Vec<Connection>>>>,
    running: Arc<Mutex<Option<Running>>>,
    is_shared: bool,
}

/// What ends when the engine is closed.
struct Running {
    writes: Sender<writer::Message>,
    reads: Sender<reader::Message>,
    writer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    at_hand: Arc<Mutex<Option<Vec<Connection>>>>,
    _lock: File,
}

impl SqliteEngine {
    /// Opens the file, or makes it, readable for its owner only.
    pub(crate) fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        private_file(path).map_err(|error| unavailable("cannot open the database file", &error))?;
        let (writes, inbox) = mpsc::channel();
        let connection = match connection::open_writer(path, options.busy_timeout) {
            Err(StoreError::Full(_)) => {
                // What is beside the database while it is open needs a little room as well.
                Reserve::give_up(path);
                connection::open_writer(path, options.busy_timeout)?
            }
            opened => opened?,
        };
        let writer = Writer::new(connection, inbox, options.busy_timeout, Reserve::open(path));
        let (reads, questions) = mpsc::channel();
        let questions = Arc::new(Mutex::new(questions));
        let readers = (0..options.readers).map(|_| {
            let connection = connection::open_reader(path, options.busy_timeout)?;
            let questions = Arc::clone(&questions);
            spawn("sqlite-reader", move || reader::run(&connection, &questions))
        });
        let at_hand = (0..options.readers).map(|_| connection::open_reader(path, options.busy_timeout));
        let at_hand = Arc::new(Mutex::new(Some(at_hand.collect::<Result<Vec<_>, _>>()?)));
        let running = Running {
            writes: writes.clone(),
            reads: reads.clone(),
            at_hand: Arc::clone(&at_hand),
            readers: readers.collect::<Result<_, _>>()?,
            writer: spawn("sqlite-writer", move || writer.run())?,
            _lock: lock,
        };
        let running = Arc::new(Mutex::new(Some(running)));
        Ok(Self { writes, reads, at_hand, running, is_shared: options.is_shared })
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = reader::Job { sql, params, answer };
        self.reads.send(reader::Message::Ask(job)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// In place, where a connection is free: to wake a thread costs more than to read a few pages.
    async fn look_up(&self, questions: Vec<Question>) -> Result<Vec<Vec<Row>>, StoreError> {
        let free = self.at_hand().as_mut().and_then(Vec::pop);
        let Some(connection) = free else {
            let mut answers = Vec::with_capacity(questions.len());
            for Question { sql, params } in questions {
                answers.push(self.query(sql, params).await?);
            }
            return Ok(answers);
        };
        let answers = connection::look_up(&connection, &questions);
        // One whose transaction could not be ended is of no more use.
        if let Some(at_hand) = self.at_hand().as_mut().filter(|_| connection.is_autocommit()) {
            at_hand.push(connection);
        }
        answers
    }

    async fn commit(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(writer::Message::Commit(writer::Job { batch, answer })).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn tables(&self) -> Result<Vec<Row>, StoreError> {
        self.query(TABLES, Vec::new()).await
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    async fn commit_from_reserve(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(writer::Message::CommitFromReserve(writer::Job { batch, answer })).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    async fn secure_reserve(&self) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writes.send(writer::Message::SecureReserve(answer)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())
    }

    async fn close(&self) {
        let running = Arc::clone(&self.running);
        let stopped = tokio::task::spawn_blocking(move || stop(&running)).await;
        if let Err(error) = stopped {
            tracing::error!(%error, "the database was not closed in order");
        }
    }
}

impl SqliteEngine {
    fn at_hand(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine that nobody closed closes itself.
impl Drop for SqliteEngine {
    fn drop(&mut self) {
        stop(&self.running);
    }
}

/// Everything that was asked for before is done. The writer goes last, so that its checkpoint finds no reader; the lock
/// goes after it. The mutex is held until then: whoever closes at the same time waits for the same end.
fn stop(running: &Mutex<Option<Running>>) {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Running { writes, reads, writer, readers, at_hand, _lock }) = running.take() else { return };
    drop(at_hand.lock().unwrap_or_else(PoisonError::into_inner).take());
    for _ in &readers {
        let _ = reads.send(reader::Message::Stop);
    }
    for reader in readers {
        join(reader);
    }
    let _ = writes.send(writer::Message::Stop);
    join(writer);
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the database ended with a panic");
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(|error| unavailable("cannot start a thread", &error))
}

/// Two processes on one file would both believe that they number events and hold sessions; the second is refused. The
/// system frees the lock when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let path = beside(path, ".lock");
    let file = private_file(&path).map_err(|error| unavailable("cannot open the lock file", &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Unavailable(format!("another process has the database open ({})", path.display())))
        }
        Err(TryLockError::Error(error)) => Err(unavailable("cannot lock the database", &error)),
    }
}

/// Opens or makes a file that only its owner can read and write; SQLite gives its log the same rights.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn unavailable(what: &str, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("{what}: {error}"))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database is closed".to_owned())
}

const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table'";

#[cfg(test)]
mod tests;
