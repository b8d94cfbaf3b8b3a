//! The PostgreSQL engine: a pool of connections, each with its statements prepared once.
//!
//! The statements of a batch go out in one go and are judged when all have answered; then comes the commit. What stood
//! in the way of another transaction is tried again, and so is what met a connection that is gone. A commit whose answer
//! was lost with its connection is looked up by the mark that its transaction leaves: it is never guessed.
//!
//! Plain PostgreSQL 15 or later is enough: no extension, no role but the owner of the schema.

mod address;
mod batch;
mod database;
mod failure;
mod marks;
mod tls;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use time::OffsetDateTime;
use tokio::sync::RwLock;

use super::engine::{Engine, Question, Row, Statement, Value};
use super::tables;
use crate::app::ports::StoreError;
use address::{Address, Trust};
use database::{Database, How};
use failure::{Doubt, Fault};
use marks::Marks;
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
            patience: Duration::from_secs(15),
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

impl PostgresEngine {
    /// Connects, and looks at the server; nothing is changed.
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
        engine.database.check().await.map_err(|error| away(&address, error))?;
        Ok(engine)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let answers = self.look_up(vec![Question::new(sql, params)]).await?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    async fn look_up(&self, questions: Vec<Question>) -> Result<Vec<Vec<Row>>, StoreError> {
        let closed = self.database.gate.read().await;
        if *closed {
            return Err(self::closed());
        }
        self.database.look_up(&questions).await
    }

    async fn commit(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        let how = How { in_turn: false, patience: self.database.options.patience };
        self.finish(batch, how).await
    }

    async fn migrate(&self, batch: Vec<Statement>) -> Result<(), StoreError> {
        self.database.prepare().await?;
        let alone = MIGRATE_ALONE.iter().map(|sql| Statement::any(sql, Vec::new()));
        let how = How { in_turn: true, patience: MIGRATE_WITHIN };
        self.finish(alone.chain(batch).collect(), how).await.map(drop)
    }

    fn clearing(&self) -> Vec<Statement> {
        tables::truncate_all()
    }

    async fn server_time(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        let rows = self.query(SERVER_TIME, Vec::new()).await?;
        rows.first().map(|row| row.of("server").time("now")).transpose()
    }

    async fn blocks_read(&self) -> Result<Option<u64>, StoreError> {
        let rows = self.query(BLOCKS_READ, Vec::new()).await?;
        rows.first().map(|row| row.of("server").number("blocks")).transpose()
    }

    async fn vacuum(&self) -> Result<(), StoreError> {
        self.database.vacuum().await
    }

    async fn tables(&self) -> Result<Vec<Row>, StoreError> {
        self.query(TABLES, Vec::new()).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn close(&self) {
        // What still waits for the server after that time waits in vain.
        match tokio::time::timeout(self.database.options.patience, self.database.gate.write()).await {
            Ok(mut closed) => *closed = true,
            Err(_) => tracing::warn!("the database was closed while something waited for it"),
        }
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
        task.await.unwrap_or_else(|error| Err(StoreError::InDoubt(format!("it was cut off: {error}"))))
    }
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

const BLOCKS_READ: &str =
    "SELECT blks_hit + blks_read AS blocks FROM pg_stat_database WHERE datname = current_database()";
const SERVER_TIME: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now";
/// How long one migration may take.
const MIGRATE_WITHIN: Duration = Duration::from_secs(6 * 3600);
/// A commit is durable when it is answered, whatever the server's own default; a node that hangs lets go of its locks; what
/// is not said to write only reads.
const PREPARE_SESSION: &str = "
    SET jit = off;
    SET default_transaction_read_only = on;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '60s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// One node migrates at a time, and takes the time that it needs.
const MIGRATE_ALONE: [&str; 3] =
    ["SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0", "SELECT pg_advisory_xact_lock(5213017491)"];

const TABLES: &str = "SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()";

#[cfg(test)]
mod tests;
