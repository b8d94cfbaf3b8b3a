//! The PostgreSQL engine: a pool of connections, each with its statements prepared once.
//!
//! The statements of a batch go out in one go and are judged when all have answered; then comes the commit. What stood
//! in the way of another transaction is tried again, and so is what met a connection that is gone. A commit whose answer
//! was lost with its connection is looked up by the mark that its transaction leaves: it is never guessed.
//!
//! Plain PostgreSQL 15 or later is enough: no extension, no role but the owner of the schema.

mod address;
mod failure;
mod marks;
mod tls;
mod wire;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::sync::RwLock;
use tokio_postgres::types::{ToSql, Type};

use super::engine::{Engine, Row, Statement, Value};
use crate::app::ports::StoreError;
use crate::failpoint;
use address::{Address, Trust};
use failure::{Doubt, Fault, fault, of_pool};
use marks::{Mark, Marks};
use tls::Tls;

/// How the engine works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Most connections.
    pub(crate) connections: usize,
    /// How long to wait for one of them.
    pub(crate) wait: Duration,
    /// How long one attempt at a batch or a query may take.
    pub(crate) patience: Duration,
    /// How long to ask whether a commit took effect whose answer was lost.
    pub(crate) doubt: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            wait: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            doubt: Duration::from_secs(15),
        }
    }
}

/// Checks a `postgres://` URL without connecting; relative paths in it count from the folder.
///
/// # Errors
/// A sentence that names what is wrong, without the password.
pub(crate) fn check(url: &str, folder: &Path) -> Result<(), String> {
    Tls::new(&Address::parse(url, folder)?).map(drop)
}

/// Host, port and database of a URL, without user and password.
pub(crate) fn shown(url: &str) -> String {
    Address::parse(url, Path::new("")).map_or_else(|_| "PostgreSQL".to_owned(), |address| address.shown())
}

/// A PostgreSQL database.
pub(crate) struct PostgresEngine {
    database: Arc<Database>,
}

/// What attempts share; they run as tasks of their own, so that a caller who goes away does not leave a transaction open.
struct Database {
    pool: Pool,
    options: Options,
    marks: Marks,
    /// Held for reading by whoever works, for writing by whoever closes; whether it is closed.
    gate: Arc<RwLock<bool>>,
}

impl PostgresEngine {
    /// Connects; the schema is not touched but for the domain that gives bytes the name they have everywhere.
    pub(crate) async fn open(url: &str, folder: &Path, options: Options) -> Result<Self, StoreError> {
        let address = Address::parse(url, folder).map_err(unusable)?;
        let tls = Tls::new(&address).map_err(unusable)?;
        if address.trust == Trust::Anyone && address.config.get_ssl_mode() != tokio_postgres::config::SslMode::Disable {
            tracing::warn!("the database server need not prove who it is (sslmode); verify-full would ask it to");
        }
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(address.config.clone(), tls, manager);
        let pool = Pool::builder(manager)
            .runtime(Runtime::Tokio1)
            .max_size(options.connections)
            .timeouts(Timeouts { wait: Some(options.wait), create: Some(options.patience), recycle: None })
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move { client.batch_execute(PREPARE_SESSION).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let database = Database { pool, options, marks: Marks::default(), gate: Arc::new(RwLock::new(false)) };
        let engine = Self { database: Arc::new(database) };
        engine.database.prepare().await.map_err(|error| away(&address, error))?;
        Ok(engine)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let closed = self.database.gate.read().await;
        if *closed {
            return Err(self::closed());
        }
        self.database.query(sql, &params).await
    }

    async fn commit(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let how = How { in_turn: false, patience: self.database.options.patience };
        self.finish(batch, how).await
    }

    async fn migrate(&self, batch: Vec<Statement>) -> Result<(), StoreError> {
        let alone = MIGRATE_ALONE.iter().map(|sql| Statement::any(sql, Vec::new()));
        let how = How { in_turn: true, patience: MIGRATE_WITHIN };
        self.finish(alone.chain(batch).collect(), how).await.map(drop)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        *self.database.gate.write().await = true;
        self.database.pool.close();
    }
}

impl PostgresEngine {
    /// Commits in a task of its own: a caller who goes away leaves no transaction open, and what was asked is done.
    async fn finish(&self, batch: Vec<Statement>, how: How) -> Result<Vec<u64>, StoreError> {
        let database = Arc::clone(&self.database);
        let closed = Arc::clone(&database.gate).read_owned().await;
        if *closed {
            return Err(self::closed());
        }
        let task = tokio::spawn(async move {
            let outcome = database.commit(&batch, how).await;
            drop(closed);
            outcome
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Unavailable(format!("the commit was cut off: {error}"))))
    }
}

impl Database {
    /// Looks at the server, and gives bytes the name that they have in the common dialect.
    async fn prepare(&self) -> Result<(), Fault> {
        let mut borrowed = self.borrow().await?;
        let client = borrowed.client();
        let version = client.query_one(VERSION, &[]).await.map_err(|error| fault(&error))?;
        if version.try_get::<_, i32>(0).map_err(|error| fault(&error))? < OLDEST {
            let words = "PostgreSQL 15 or later is needed; this server is older".to_owned();
            return Err(Fault::Final(StoreError::Unavailable(words)));
        }
        for sql in [DEFINE_BLOB, marks::PREPARE] {
            client.batch_execute(sql).await.map_err(|error| fault(&error))?;
        }
        borrowed.is_clean = true;
        Ok(())
    }

    async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        check_parameters(sql, params)?;
        let mut tries = Tries::new();
        loop {
            let fault = match self.read(sql, params).await {
                Ok(rows) => return Ok(rows),
                Err(fault) => fault,
            };
            self.after(fault, &mut tries).await?;
        }
    }

    async fn read(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, Fault> {
        let mut borrowed = self.borrow().await?;
        let answer = within(self.options.patience, async {
            let client = borrowed.client();
            let statement = client.prepare_typed_cached(sql, &types(params)).await?;
            client.query(&statement, &references(params)).await
        });
        let answer = answer.await?.and_then(|rows| wire::rows(&rows));
        borrowed.judge(answer.map_err(|error| fault(&error)))
    }

    async fn commit(&self, batch: &[Statement], how: How) -> Result<Vec<u64>, StoreError> {
        for statement in batch {
            check_parameters(statement.sql, &statement.params)?;
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut tries = Tries::new();
        loop {
            let fault = match self.attempt(batch, how).await {
                Ok(counts) => return Ok(counts),
                Err(fault) => fault,
            };
            if let Some(counts) = self.after(fault, &mut tries).await? {
                return Ok(counts);
            }
        }
    }

    /// Waits as long as it makes sense to try again; or says why it makes none. The counts are those of a commit that
    /// took effect after all.
    async fn after(&self, fault: Fault, tries: &mut Tries) -> Result<Option<Vec<u64>>, StoreError> {
        tries.made += 1;
        let Tries { made: tries, began } = *tries;
        match fault {
            Fault::Final(error) => return Err(error),
            Fault::Away(cause) => return Err(StoreError::Unavailable(cause)),
            Fault::Again(cause) if tries >= MOST_TRIES || began.elapsed() >= self.options.wait => {
                return Err(StoreError::Unavailable(cause));
            }
            Fault::Again(cause) => {
                tracing::debug!(cause, tries, "a transaction stood in the way; tried again");
                pause(tries).await;
            }
            Fault::Lost(cause) if tries >= MOST_CONNECTIONS => return Err(StoreError::Unavailable(cause)),
            Fault::Lost(cause) => {
                tracing::warn!(cause, tries, "lost a connection to the database; trying another");
                // Those that wait in the pool were most likely lost with it.
                let _ = self.pool.retain(|_, _| false);
            }
            Fault::Doubt(doubt) => {
                let _ = self.pool.retain(|_, _| false);
                let took_effect = self.ask(&doubt).await?;
                tracing::warn!(cause = doubt.cause, took_effect, "the answer to a commit was lost");
                if took_effect {
                    return Ok(Some(doubt.counts));
                }
                if tries >= MOST_CONNECTIONS {
                    return Err(StoreError::Unavailable(doubt.cause));
                }
            }
        }
        Ok(None)
    }

    /// One try at a batch, on one connection.
    async fn attempt(&self, batch: &[Statement], how: How) -> Result<Vec<u64>, Fault> {
        let mut borrowed = self.borrow().await?;
        let client = borrowed.client();
        let mark = self.marks.take();
        let outcome = if how.in_turn {
            within(how.patience, in_turn(client, batch, &mark)).await?
        } else {
            within(how.patience, pipelined(client, batch, &mark)).await?
        };
        let judged = match outcome.map_err(|error| fault(&error)).and_then(|answers| judge(batch, answers)) {
            Ok(counts) => {
                failpoint::here(failpoint::STORE_BEFORE_COMMIT);
                let outcome = within(how.patience, client.batch_execute("COMMIT")).await;
                failpoint::here(failpoint::STORE_AFTER_COMMIT);
                let outcome = outcome.and_then(|answer| answer.map_err(|error| fault(&error)));
                borrowed.is_clean = outcome.is_ok();
                outcome.map(|()| counts.clone()).map_err(|fault| match fault {
                    Fault::Lost(cause) => Fault::Doubt(Doubt { mark: mark.clone(), counts, cause }),
                    refused => refused,
                })
            }
            Err(fault) => {
                let undone = within(self.options.wait, client.batch_execute("ROLLBACK")).await;
                borrowed.is_clean = matches!(undone, Ok(Ok(()))) && !matches!(fault, Fault::Lost(_));
                Err(fault)
            }
        };
        if borrowed.is_clean {
            self.marks.give_back(mark);
        }
        judged
    }

    /// Whether a transaction took effect, asked until the server says so.
    async fn ask(&self, doubt: &Doubt) -> Result<bool, StoreError> {
        let began = tokio::time::Instant::now();
        let mut tries = 0;
        while began.elapsed() < self.options.doubt {
            tries += 1;
            match self.took_effect(&doubt.mark).await {
                Ok(took_effect) => return Ok(took_effect),
                // The server is away, or has yet to notice that nobody listens to the transaction any more.
                Err(fault) => tracing::debug!(?fault, "the fate of a commit cannot be asked yet"),
            }
            pause(tries.min(MOST_TRIES)).await;
        }
        Err(StoreError::InDoubt(doubt.cause.clone()))
    }

    async fn took_effect(&self, mark: &Mark) -> Result<bool, Fault> {
        let mut borrowed = self.borrow().await?;
        let answer = within(self.options.patience, mark.took_effect(borrowed.client())).await?;
        borrowed.judge(answer.map_err(|error| fault(&error)))
    }

    async fn borrow(&self) -> Result<Borrowed, Fault> {
        let object = self.pool.get().await.map_err(|error| of_pool(&error))?;
        Ok(Borrowed { object: Some(object), is_clean: false })
    }
}

/// A connection of the pool. Unless it is known to be clean it does not go back: a transaction may be open on it.
struct Borrowed {
    object: Option<Object>,
    is_clean: bool,
}

impl Borrowed {
    fn client(&mut self) -> &Object {
        self.object.as_ref().expect("it is taken when dropped, no earlier")
    }

    /// What a single statement outside of a transaction leaves behind.
    fn judge<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        self.is_clean = matches!(&outcome, Ok(_) | Err(Fault::Final(_) | Fault::Again(_)));
        outcome
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && !self.is_clean
        {
            drop(Object::take(object));
        }
    }
}

/// How a batch is carried out.
#[derive(Clone, Copy)]
struct How {
    /// One statement after the other: each may need what those before it made, such as tables.
    in_turn: bool,
    /// How long it may take.
    patience: Duration,
}

/// How often something was tried, and since when.
struct Tries {
    made: u32,
    began: tokio::time::Instant,
}

impl Tries {
    fn new() -> Self {
        Self { made: 0, began: tokio::time::Instant::now() }
    }
}

/// What the statements of a batch answered, in order.
type Answers = Vec<Result<u64, tokio_postgres::Error>>;

/// Begins a transaction and sends all statements before the first has answered.
async fn pipelined(client: &Object, batch: &[Statement], mark: &Mark) -> Result<Answers, tokio_postgres::Error> {
    let mut prepared = Vec::with_capacity(batch.len());
    for statement in batch {
        prepared.push(client.prepare_typed_cached(statement.sql, &types(&statement.params)).await?);
    }
    let leave = marks::prepare(client).await?;
    let mut steps: Vec<Step<'_>> = Vec::with_capacity(batch.len() + 2);
    steps.push(Box::pin(async { client.batch_execute(BEGIN).await.map(|()| 0) }));
    for (statement, prepared) in batch.iter().zip(&prepared) {
        steps.push(Box::pin(async move {
            let params = references(&statement.params);
            client.execute(prepared, &params).await
        }));
    }
    steps.push(Box::pin(mark.leave(client, &leave)));
    let mut answers = in_order(steps).await;
    let ended = answers.pop().unwrap_or(Ok(0));
    let began = answers.remove(0);
    began?;
    if answers.iter().all(Result::is_ok) {
        ended?;
    }
    Ok(answers)
}

/// Begins a transaction and runs one statement after the other, as far as they are as expected.
async fn in_turn(client: &Object, batch: &[Statement], mark: &Mark) -> Result<Answers, tokio_postgres::Error> {
    client.batch_execute(BEGIN).await?;
    let mut answers = Vec::with_capacity(batch.len());
    for statement in batch {
        let done = async {
            let prepared = client.prepare_typed(statement.sql, &types(&statement.params)).await?;
            client.execute(&prepared, &references(&statement.params)).await
        };
        answers.push(done.await);
        if !answers.last().is_some_and(|answer| answer.as_ref().is_ok_and(|count| statement.expect.admits(*count))) {
            return Ok(answers);
        }
    }
    mark.leave(client, &marks::prepare(client).await?).await?;
    Ok(answers)
}

type Step<'a> = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'a>>;

/// Runs the steps side by side. They are begun in order, and the server answers in order: so only the first that waits
/// has to be looked at.
async fn in_order(mut steps: Vec<Step<'_>>) -> Vec<Result<u64, tokio_postgres::Error>> {
    let mut answers: Vec<Option<Result<u64, tokio_postgres::Error>>> = steps.iter().map(|_| None).collect();
    let mut next = 0;
    let mut is_begun = false;
    std::future::poll_fn(|cx| {
        let waiting = next..steps.len();
        for index in waiting {
            if answers[index].is_none() {
                if let Poll::Ready(answer) = steps[index].as_mut().poll(cx) {
                    answers[index] = Some(answer);
                } else if is_begun {
                    return Poll::Pending;
                }
            }
            if index == next && answers[index].is_some() {
                next += 1;
            }
        }
        is_begun = true;
        if next == steps.len() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// The first statement that failed or missed decides; what comes after it was done in vain.
fn judge(batch: &[Statement], answers: Answers) -> Result<Vec<u64>, Fault> {
    let mut counts = Vec::with_capacity(batch.len());
    for (index, (statement, answer)) in batch.iter().zip(answers).enumerate() {
        let outcome = answer.map_err(|error| fault(&error));
        let missed = match &outcome {
            Ok(count) => !statement.expect.admits(*count),
            Err(fault) => matches!(fault, Fault::Final(StoreError::Conflict)),
        };
        if missed {
            tracing::debug!(index, sql = statement.sql, expected = ?statement.expect, "a batch missed");
            return Err(Fault::Final(StoreError::Conflict));
        }
        counts.push(outcome?);
    }
    Ok(counts)
}

fn check_parameters(sql: &str, params: &[Value]) -> Result<(), StoreError> {
    if wire::fits(sql, params.len()) {
        return Ok(());
    }
    Err(StoreError::Internal(format!("a statement does not use the values it is given: {}", sql.trim())))
}

fn types(params: &[Value]) -> Vec<Type> {
    params.iter().map(wire::type_of).collect()
}

fn references(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// A connection that does not answer in time is given up.
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, Fault> {
    let answered = tokio::time::timeout(patience, work).await;
    answered.map_err(|_| Fault::Lost("the database did not answer in time".to_owned()))
}

/// Longer each time, and not the same for two who stand in each other's way.
async fn pause(tries: u32) {
    let most = 10_u64 << tries.min(6);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    tokio::time::sleep(Duration::from_millis(most / 2 + u64::from(chance) * (most / 2) / u64::from(u32::MAX))).await;
}

fn away(address: &Address, fault: Fault) -> StoreError {
    match fault {
        Fault::Final(StoreError::Internal(cause)) => StoreError::Internal(format!("{}: {cause}", address.shown())),
        Fault::Final(error) => error,
        Fault::Again(cause) | Fault::Lost(cause) | Fault::Away(cause) | Fault::Doubt(Doubt { cause, .. }) => {
            StoreError::Unavailable(format!("{}: {cause}", address.shown()))
        }
    }
}

fn unusable(cause: String) -> StoreError {
    StoreError::Unavailable(format!("[database] url: {cause}"))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the database is closed".to_owned())
}

/// Tries at what stands in the way of other transactions.
const MOST_TRIES: u32 = 8;
/// Connections that are tried when one after the other is lost.
const MOST_CONNECTIONS: u32 = 3;
/// How long one migration may take.
const MIGRATE_WITHIN: Duration = Duration::from_secs(6 * 3600);
/// PostgreSQL 15.
const OLDEST: i32 = 150_000;

/// What must not change meanwhile is guarded by the batch itself, in a row.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const VERSION: &str = "SELECT CAST(current_setting('server_version_num') AS INT4)";

/// A commit is durable when it is answered, whatever the server's own default; a node that hangs lets go of its locks.
const PREPARE_SESSION: &str = "
    SET jit = off;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '60s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Two nodes may start at the same moment.
const DEFINE_BLOB: &str = "
    DO $$ BEGIN
        IF to_regtype('blob') IS NULL THEN CREATE DOMAIN blob AS bytea; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$";

/// One node migrates at a time, and takes the time that it needs.
const MIGRATE_ALONE: [&str; 3] =
    ["SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0", "SELECT pg_advisory_xact_lock(5213017491)"];

#[cfg(test)]
mod tests;
