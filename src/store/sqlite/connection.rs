//! Connections of the SQLite engine: how they are set up, how statements run on them, what their errors mean.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, StatementStatus, ToSql, ffi};

use super::super::engine::{Cell, Question, Row, Value};
use crate::app::ports::StoreError;

/// Opens the connection that writes, and puts the file into WAL mode.
pub(super) fn open_writer(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let connection = open(path, busy_timeout)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(|error| failure(&error))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Unavailable(format!("the file system allows no write-ahead log (got {mode})")));
    }
    // A commit is answered when it is on the disk. The log keeps its size, because syncing a file that grows costs
    // several times as much as syncing one that does not; checkpoints wait for no reader (SQLite's own are passive).
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA wal_autocheckpoint = 1000;
             PRAGMA cache_size = -16384;
             PRAGMA temp_store = MEMORY;",
        )
        .map_err(|error| failure(&error))?;
    Ok(connection)
}

/// Opens a connection that cannot write.
pub(super) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let connection = open(path, busy_timeout)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")
        .map_err(|error| failure(&error))?;
    Ok(connection)
}

fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(&error))?;
    connection.busy_timeout(busy_timeout).map_err(|error| failure(&error))?;
    // Plans do not depend on values; else SQLite would prepare a statement anew when another value is bound.
    let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    stable.map_err(|error| failure(&error))?;
    // All statements of the program are constants; this many are more than there are.
    connection.set_prepared_statement_cache_capacity(192);
    Ok(connection)
}

/// The rows of each statement, all as of one moment.
pub(super) fn look_up(connection: &Connection, questions: &[Question]) -> Result<Vec<Vec<Row>>, StoreError> {
    let is_one = questions.len() < 2;
    if !is_one {
        execute(connection, "BEGIN", &[])?;
    }
    let answers = questions.iter().map(|question| query(connection, question.sql, &question.params)).collect();
    if !is_one {
        execute(connection, "COMMIT", &[])?;
    }
    answers
}

/// Runs a statement and returns its rows.
pub(super) fn query(connection: &Connection, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
    let mut statement = prepare(connection, sql, params)?;
    let names = names(&statement, sql);
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|error| failure(&error))? {
        let cells = (0..names.len()).map(|index| cell(row.get_ref(index).map_err(|error| failure(&error))?));
        found.push(Row::new(Arc::clone(&names), cells.collect::<Result<_, _>>()?));
    }
    drop(rows);
    count(&statement);
    Ok(found)
}

/// Runs a statement and returns how many rows it touched.
pub(super) fn execute(connection: &Connection, sql: &'static str, params: &[Value]) -> Result<u64, StoreError> {
    let mut statement = prepare(connection, sql, params)?;
    if statement.column_count() == 0 {
        let touched = statement.raw_execute().map_err(|error| failure(&error))?;
        count(&statement);
        return Ok(touched as u64);
    }
    // RETURNING: the rows are not wanted here, but the statement is done only when they were all taken.
    let mut rows = statement.raw_query();
    while rows.next().map_err(|error| failure(&error))?.is_some() {}
    drop(rows);
    count(&statement);
    Ok(connection.changes())
}

/// Steps of all statements so far.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// How many steps of its virtual machine SQLite has done for this process. Unlike time it does not wander: it tells
/// whether the work of a statement grows with what is stored.
#[must_use]
pub fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// Adds what the statement did since it was counted last.
fn count(statement: &CachedStatement<'_>) {
    let steps = statement.reset_status(StatementStatus::VmStep);
    STEPS.fetch_add(u64::try_from(steps).unwrap_or_default(), Ordering::Relaxed);
}

/// What is the same whenever a statement runs. All statements are constants, so they are told apart by where they stand.
#[derive(Default)]
struct Shape {
    /// Where each value is bound; empty until it was bound once.
    places: Vec<usize>,
    /// The names of its columns.
    names: Option<Arc<[String]>>,
}

thread_local! {
    static SHAPES: RefCell<HashMap<(usize, usize), Shape>> = RefCell::default();
}

fn with_shape<T>(sql: &'static str, work: impl FnOnce(&mut Shape) -> T) -> T {
    SHAPES.with_borrow_mut(|shapes| work(shapes.entry((sql.as_ptr() as usize, sql.len())).or_default()))
}

/// The names of the columns; a step of the schema may have changed those of `SELECT *`.
fn names(statement: &CachedStatement<'_>, sql: &'static str) -> Arc<[String]> {
    with_shape(sql, |shape| {
        let is_same = |known: &&Arc<[String]>| {
            known.len() == statement.column_count() && known.iter().zip(statement.column_names()).all(|(a, b)| a == b)
        };
        let known = shape.names.as_ref().filter(is_same).map(Arc::clone);
        let names = known.unwrap_or_else(|| statement.column_names().map(str::to_owned).collect());
        shape.names = Some(Arc::clone(&names));
        names
    })
}

/// Prepares a statement once for the connection, and binds the values.
fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
    params: &[Value],
) -> Result<CachedStatement<'c>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(|error| failure(&error))?;
    if statement.parameter_count() != params.len() {
        return Err(misuse(sql, "has another number of parameters than values"));
    }
    with_shape(sql, |shape| {
        if shape.places.len() != params.len() {
            shape.places = places(&statement, sql, params.len())?;
        }
        for (place, value) in shape.places.iter().zip(params) {
            statement.raw_bind_parameter(*place, value).map_err(|error| failure(&error))?;
        }
        Ok(())
    })?;
    Ok(statement)
}

/// `$1` is a name to SQLite, numbered by first appearance: so values are bound by name. A value that the statement does
/// not use, and a parameter without a value, are mistakes; SQLite would take the latter for NULL.
fn places(statement: &CachedStatement<'_>, sql: &str, count: usize) -> Result<Vec<usize>, StoreError> {
    let place = |number: usize| {
        let place = statement.parameter_index(&format!("${number}")).map_err(|error| failure(&error))?;
        place.ok_or_else(|| misuse(sql, "does not use every value"))
    };
    (1..=count).map(place).collect()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(None) | Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell, StoreError> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| odd("text that is not UTF-8"))?;
            Cell::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(odd("a floating-point number")),
    })
}

/// What an error of SQLite means for whoever asked. Its messages name tables and columns, never values.
pub(super) fn failure(error: &rusqlite::Error) -> StoreError {
    let Some(cause) = error.sqlite_error() else { return StoreError::Internal(error.to_string()) };
    match (cause.code, cause.extended_code) {
        // A parent that is gone is a change as well: whoever referred to it loads again and finds out.
        (
            ErrorCode::ConstraintViolation,
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID
            | ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
        ) => StoreError::Conflict,
        // The file that the log is shared through has to grow as well.
        (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => StoreError::Full(error.to_string()),
        (
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
            _,
        ) => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Internal(error.to_string()),
    }
}

fn misuse(sql: &str, what: &str) -> StoreError {
    StoreError::Internal(format!("a statement {what}: {}", sql.trim()))
}

fn odd(what: &str) -> StoreError {
    StoreError::Internal(format!("a column holds {what}"))
}
