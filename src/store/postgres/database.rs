//! Attempts at queries and batches: on which connection, how often, and what is known when one fails.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio::sync::RwLock;

use super::super::engine::{Question, Row, Statement, Value};
use super::batch::{asked, in_turn, judge, pipelined};
use super::failure::{Doubt, Fault, fault, of_pool};
use super::marks::{self, Mark, Marks};
use super::{Options, wire};
use crate::app::ports::StoreError;
use crate::failpoint;

/// What attempts share; they run as tasks of their own, so that a caller who goes away does not leave a transaction open.
pub(super) struct Database {
    pub(super) pool: Pool,
    pub(super) options: Options,
    pub(super) marks: Marks,
    /// Held for reading by whoever works, for writing by whoever closes; whether it is closed.
    pub(super) gate: Arc<RwLock<bool>>,
}

impl Database {
    /// Whether the server is one that we can work with.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        let mut borrowed = self.borrow().await?;
        let client = borrowed.client();
        let unfit = |words: &str| Err(Fault::Final(StoreError::Unavailable(words.to_owned())));
        let server = within(self.options.patience, client.query_one(SERVER, &[])).await?;
        let server = server.map_err(|error| fault(&error))?;
        if server.try_get::<_, i32>(0).map_err(|error| fault(&error))? < OLDEST {
            return unfit("PostgreSQL 15 or later is needed; this server is older");
        }
        if server.try_get::<_, &str>(1).map_err(|error| fault(&error))? != "UTF8" {
            return unfit(
                "the database has to be made with ENCODING 'UTF8' TEMPLATE template0; it has another encoding",
            );
        }
        borrowed.is_clean = true;
        Ok(())
    }

    /// What the engine itself needs in the database: a name for bytes that is that of the common dialect, and a table.
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let mut tries = Tries::new();
        loop {
            match self.define().await {
                Ok(()) => return Ok(()),
                Err(fault) => self.after(fault, &mut tries).await?,
            };
        }
    }

    async fn define(&self) -> Result<(), Fault> {
        let mut borrowed = self.borrow().await?;
        let client = borrowed.client();
        for sql in [WRITE, DEFINE_BLOB, marks::PREPARE, COMMIT] {
            within(self.options.patience, client.batch_execute(sql)).await?.map_err(|error| fault(&error))?;
        }
        borrowed.is_clean = true;
        Ok(())
    }

    /// Cleans up behind old rows and gathers statistics, in its own time.
    pub(super) async fn vacuum(&self) -> Result<(), StoreError> {
        let mut tries = Tries::new();
        loop {
            match self.vacuum_once().await {
                Ok(()) => return Ok(()),
                Err(fault) => self.after(fault, &mut tries).await?,
            };
        }
    }

    async fn vacuum_once(&self) -> Result<(), Fault> {
        // It is not given back clean, so that its settings go with it. Each alone: it runs in no transaction.
        let mut borrowed = self.borrow().await?;
        for sql in ["SET statement_timeout = 0", "VACUUM (ANALYZE)"] {
            borrowed.client().batch_execute(sql).await.map_err(|error| fault(&error))?;
        }
        Ok(())
    }

    /// Asks everything in one go.
    pub(super) async fn look_up(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, StoreError> {
        for question in questions {
            check_parameters(question.sql, &question.params)?;
        }
        let mut tries = Tries::new();
        loop {
            let fault = match self.read(questions).await {
                Ok(answers) => return Ok(answers),
                Err(fault) => fault,
            };
            self.after(fault, &mut tries).await?;
        }
    }

    async fn read(&self, questions: &[Question]) -> Result<Vec<Vec<Row>>, Fault> {
        let mut borrowed = self.borrow().await?;
        let answers = within(self.options.patience, asked(borrowed.client(), questions)).await?;
        let answers = answers.and_then(|answers| answers.iter().map(|rows| wire::rows(rows)).collect());
        borrowed.judge(answers.map_err(|error| fault(&error)))
    }

    pub(super) async fn commit(&self, batch: &[Statement], how: How) -> Result<Vec<u64>, StoreError> {
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
                let outcome = within(how.patience, client.batch_execute(COMMIT)).await;
                let outcome = outcome.and_then(|answer| answer.map_err(|error| fault(&error)));
                if outcome.is_ok() {
                    failpoint::here(failpoint::STORE_AFTER_COMMIT);
                }
                borrowed.is_clean = outcome.is_ok();
                outcome.map(|()| counts.clone()).map_err(|fault| match fault {
                    // Another transaction won, which is certain. Anything else is asked.
                    Fault::Again(cause) => Fault::Again(cause),
                    Fault::Lost(cause) | Fault::Away(cause) => doubt(&mark, counts, cause),
                    Fault::Final(error) => doubt(&mark, counts, error.to_string()),
                    Fault::Doubt(doubt) => Fault::Doubt(doubt),
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
    pub(super) async fn ask(&self, doubt: &Doubt) -> Result<bool, StoreError> {
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
        let client = borrowed.client();
        let asked = async {
            client.batch_execute(WRITE).await?;
            let took_effect = mark.took_effect(client).await?;
            client.batch_execute(COMMIT).await?;
            Ok(took_effect)
        };
        let answer = within(self.options.wait, asked).await?;
        borrowed.is_clean = answer.is_ok();
        answer.map_err(|error: tokio_postgres::Error| fault(&error))
    }

    pub(super) async fn borrow(&self) -> Result<Borrowed, Fault> {
        // The pool itself waits for ever for what a new connection is told first.
        let object = within(self.options.patience, self.pool.get()).await?.map_err(|error| of_pool(&error))?;
        Ok(Borrowed { object: Some(object), is_clean: false })
    }
}

/// A connection of the pool. Unless it is known to be clean it does not go back: a transaction may be open on it.
pub(super) struct Borrowed {
    object: Option<Object>,
    pub(super) is_clean: bool,
}

impl Borrowed {
    pub(super) fn client(&mut self) -> &Object {
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
pub(super) struct How {
    /// One statement after the other: each may need what those before it made, such as tables.
    pub(super) in_turn: bool,
    /// How long it may take.
    pub(super) patience: Duration,
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

fn check_parameters(sql: &str, params: &[Value]) -> Result<(), StoreError> {
    if wire::fits(sql, params.len()) {
        return Ok(());
    }
    Err(StoreError::Internal(format!("a statement does not use the values it is given: {}", sql.trim())))
}

fn doubt(mark: &Mark, counts: Vec<u64>, cause: String) -> Fault {
    Fault::Doubt(Doubt { mark: mark.clone(), counts, cause })
}

/// A connection that does not answer in time is given up.
async fn within<T>(patience: Duration, work: impl Future<Output = T>) -> Result<T, Fault> {
    let answered = tokio::time::timeout(patience, work).await;
    answered.map_err(|_| Fault::Away("the database did not answer in time".to_owned()))
}

/// Longer each time, and not the same for two who stand in each other's way.
async fn pause(tries: u32) {
    let most = 10_u64 << tries.min(6);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    tokio::time::sleep(Duration::from_millis(most / 2 + u64::from(chance) * (most / 2) / u64::from(u32::MAX))).await;
}

/// Tries at what stands in the way of other transactions.
const MOST_TRIES: u32 = 8;
/// Connections that are tried when one after the other is lost.
const MOST_CONNECTIONS: u32 = 3;
/// PostgreSQL 15.
const OLDEST: i32 = 150_000;

const SERVER: &str =
    "SELECT CAST(current_setting('server_version_num') AS INT4), CAST(current_setting('server_encoding') AS TEXT)";

/// For statements beside the batches; a session that is told nothing cannot write.
const WRITE: &str = "BEGIN READ WRITE";

const COMMIT: &str = "COMMIT";

/// Two nodes may start at the same moment.
const DEFINE_BLOB: &str = "
    DO $$ BEGIN
        IF to_regtype('blob') IS NULL THEN CREATE DOMAIN blob AS bytea; END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$";
