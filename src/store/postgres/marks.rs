//! How to find out whether a commit took effect whose answer was lost.
//!
//! Each transaction leaves a number in a row that nobody else writes to meanwhile; afterwards the row tells. The numbers
//! that PostgreSQL itself gives to transactions are not fit for this: after a crash it gives those anew whose
//! transactions had left no trace on its disk, so that the fate of another transaction would be told.

use std::sync::{Mutex, PoisonError};

use deadpool_postgres::Object;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Statement};
use uuid::Uuid;

/// The rows of one process.
#[derive(Debug, Default)]
pub(super) struct Marks {
    free: Mutex<Vec<Mark>>,
}

/// One row, and the number that a transaction leaves there.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    writer: String,
    number: i64,
}

impl Marks {
    /// A mark that no other transaction has.
    pub(super) fn take(&self) -> Mark {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let used = free.unwrap_or_else(|| Mark { writer: Uuid::new_v4().to_string(), number: 0 });
        Mark { number: used.number + 1, ..used }
    }

    /// Lets others have the row, once the transaction is known to be over: one that is not would stand in their way.
    pub(super) fn give_back(&self, mark: Mark) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }
}

impl Mark {
    /// Leaves the number, in the transaction that is open on the connection.
    pub(super) async fn leave(&self, client: &Object, prepared: &Statement) -> Result<u64, Error> {
        client.execute(prepared, &[&self.writer, &self.number]).await
    }

    /// Whether the transaction took effect. Waits for it to end: a row that is being written is locked.
    pub(super) async fn took_effect(&self, client: &Object) -> Result<bool, Error> {
        let statement = client.prepare_typed_cached(LOOK, &[Type::TEXT]).await?;
        let row = client.query_one(&statement, &[&self.writer]).await?;
        Ok(row.try_get::<_, i64>(0)? == self.number)
    }
}

/// The statement that leaves a mark.
pub(super) async fn prepare(client: &Object) -> Result<Statement, Error> {
    client.prepare_typed_cached(LEAVE, &[Type::TEXT, Type::INT8]).await
}

/// Makes the table, and removes the rows of processes that are gone. A row that is missed by its owner is made again.
pub(super) const PREPARE: &str = "
    DO $$ BEGIN
        IF to_regclass('commit_marks') IS NULL THEN
            CREATE TABLE commit_marks (
                writer TEXT PRIMARY KEY, number BIGINT NOT NULL, written_at TIMESTAMPTZ NOT NULL DEFAULT now()
            ) WITH (fillfactor = 50);
        END IF;
    EXCEPTION WHEN duplicate_table OR duplicate_object OR unique_violation THEN NULL;
    END $$;
    DELETE FROM commit_marks WHERE written_at < now() - INTERVAL '7 days'";

const LEAVE: &str = "
    INSERT INTO commit_marks (writer, number) VALUES ($1, $2)
    ON CONFLICT (writer) DO UPDATE SET number = EXCLUDED.number, written_at = now()";

/// An insert that meets one that is under way waits for its end; a plain read would see nothing yet.
const LOOK: &str = "
    INSERT INTO commit_marks (writer, number) VALUES ($1, 0)
    ON CONFLICT (writer) DO UPDATE SET written_at = now() RETURNING number";
