//! The port between the subjects' SQL and a database engine.
//!
//! An engine knows two verbs: [`Engine::query`] reads, [`Engine::commit`] makes a batch of statements take effect
//! together or not at all. The SQL is the same for every engine and constant; values travel as parameters only, `$1` to
//! `$n`, each of which the statement must use.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::tables;
use crate::app::ports::StoreError;
use crate::domain::Id;

pub(crate) use super::row::{Cell, Record, Row};

/// A database.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// `sqlite` or `postgresql`.
    fn name(&self) -> &'static str;

    /// Runs a statement that only reads.
    async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError>;

    /// Runs statements that each find a few rows by an index, in one go. What a message of a device needs is read so: nothing
    /// is handed from thread to thread, nor asked of a server one by one. They need not see the same moment.
    async fn look_up(&self, questions: Vec<Question>) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut answers = Vec::with_capacity(questions.len());
        for Question { sql, params } in questions {
            answers.push(self.query(sql, params).await?);
        }
        Ok(answers)
    }

    /// Runs the statements in order and answers, once they are durable, how many rows each touched.
    ///
    /// A count outside the expectation of its statement, or a violated key, undoes the whole batch and is
    /// [`StoreError::Conflict`]; which statement it was goes to the log.
    async fn commit(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError>;

    /// Commits a step of the schema, however long it takes; of several processes one at a time.
    async fn migrate(&self, batch: Vec<Statement>) -> Result<(), StoreError> {
        self.commit(batch).await.map(drop)
    }

    /// What removes all rows but those of the schema.
    fn clearing(&self) -> Vec<Statement> {
        tables::delete_all()
    }

    /// The clock of the database server; `None` where there is no server.
    async fn server_time(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(None)
    }

    /// Blocks that the database server has read for this database; `None` where there is no server.
    async fn blocks_read(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Lets the database server clean up behind old rows and gather its statistics; where there is none, nothing.
    async fn vacuum(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The names of all tables that are in the way of ours, whoever made them. Changes nothing.
    async fn tables(&self) -> Result<Vec<Row>, StoreError>;

    /// Whether other processes may work on the same database.
    fn is_shared(&self) -> bool;

    /// The same as [`commit`](Self::commit), with what the engine has kept back for a full disk; an engine that keeps nothing back just commits.
    async fn commit_from_reserve(&self, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
        self.commit(batch).await
    }

    /// Whether what was kept back is there (again); an engine that keeps nothing back lacks nothing.
    async fn secure_reserve(&self) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Finishes what was asked for, and lets go of the database. Whatever is asked afterwards is
    /// [`StoreError::Unavailable`].
    async fn close(&self);
}

/// A statement that only reads.
#[derive(Debug)]
pub(crate) struct Question {
    /// SQL.
    pub(crate) sql: &'static str,
    /// The values of `$1` to `$n`.
    pub(crate) params: Vec<Value>,
}

impl Question {
    /// Asks.
    pub(crate) fn new(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params }
    }
}

/// One statement of a batch.
#[derive(Debug)]
pub(crate) struct Statement {
    /// SQL.
    pub(crate) sql: &'static str,
    /// The values of `$1` to `$n`.
    pub(crate) params: Vec<Value>,
    /// How many rows it must touch.
    pub(crate) expect: Expect,
}

impl Statement {
    /// Touches exactly one row, or the batch is a conflict.
    pub(crate) fn one(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params, expect: Expect::Exactly(1) }
    }

    /// Touches one row or none.
    pub(crate) fn at_most_one(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params, expect: Expect::AtMost(1) }
    }

    /// Touches any number of rows.
    pub(crate) fn any(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params, expect: Expect::Any }
    }
}

/// An expectation on the number of rows that a statement touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// So many.
    Exactly(u64),
    /// So many or fewer.
    AtMost(u64),
    /// Whatever it is.
    Any,
}

impl Expect {
    /// Whether the count is as expected.
    pub(crate) fn admits(self, count: u64) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::AtMost(most) => count <= most,
            Self::Any => true,
        }
    }
}

/// The value of a parameter; NULL has a type as well, because PostgreSQL binds by type.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// BIGINT.
    Int(Option<i64>),
    /// TEXT; never holds NUL, which PostgreSQL cannot store (see [`Value::is_storable`]).
    Text(Option<String>),
    /// BLOB.
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// Whether every engine can hold it: text with NUL in it is refused everywhere, rather than cut or altered.
    pub(crate) fn is_storable(&self) -> bool {
        !matches!(self, Self::Text(Some(text)) if text.contains('\0'))
    }
}

/// Values are hashes, addresses and messages: only their type and size are shown.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(None) | Self::Text(None) | Self::Bytes(None) => f.write_str("NULL"),
            Self::Int(Some(_)) => f.write_str("BIGINT"),
            Self::Text(Some(text)) => write!(f, "TEXT({})", text.len()),
            Self::Bytes(Some(bytes)) => write!(f, "BLOB({})", bytes.len()),
        }
    }
}

/// A type that is stored in a column, and so can be missing from it.
pub(crate) trait Scalar: Into<Value> {
    /// NULL of its column type.
    const NULL: Value;
}

impl<T: Scalar> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(T::NULL, Into::into)
    }
}

impl Scalar for i64 {
    const NULL: Value = Value::Int(None);
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl Scalar for u16 {
    const NULL: Value = Value::Int(None);
}
impl From<u16> for Value {
    fn from(number: u16) -> Self {
        i64::from(number).into()
    }
}

impl Scalar for u32 {
    const NULL: Value = Value::Int(None);
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl Scalar for u64 {
    const NULL: Value = Value::Int(None);
}
/// Counters and message numbers stay far below 2^63; a larger number is stored as 2^63 - 1.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).unwrap_or(i64::MAX).into()
    }
}

/// 1 and 0: SQLite has no booleans of its own.
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        i64::from(flag).into()
    }
}

impl Scalar for OffsetDateTime {
    const NULL: Value = Value::Int(None);
}
/// Unix milliseconds.
impl From<OffsetDateTime> for Value {
    fn from(time: OffsetDateTime) -> Self {
        millis(time).into()
    }
}

impl Scalar for &str {
    const NULL: Value = Value::Text(None);
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl Scalar for String {
    const NULL: Value = Value::Text(None);
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl<T> Scalar for Id<T> {
    const NULL: Value = Value::Text(None);
}
/// Hyphenated, lower case.
impl<T> From<Id<T>> for Value {
    fn from(id: Id<T>) -> Self {
        id.to_string().into()
    }
}

impl Scalar for &[u8] {
    const NULL: Value = Value::Bytes(None);
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl Scalar for Vec<u8> {
    const NULL: Value = Value::Bytes(None);
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

/// A moment as it is stored: Unix milliseconds, rounded down.
pub(crate) fn millis(time: OffsetDateTime) -> i64 {
    let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).expect("the time crate ends at year 9999, or 999999, far inside 64 bits of milliseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_down() {
        let moment = |nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
        assert_eq!(millis(moment(1_999_999)), 1);
        assert_eq!(millis(moment(-1)), -1);
    }

    #[test]
    fn null_has_the_type_of_its_column() {
        assert_eq!(Value::from(None::<OffsetDateTime>), Value::Int(None));
        assert_eq!(Value::from(None::<Id<()>>), Value::Text(None));
    }

    #[test]
    fn debug_shows_no_values() {
        let shown = format!("{:?}", [Value::from("secret"), Value::from(4711_i64), Value::from(b"secret".as_slice())]);
        assert_eq!(shown, "[TEXT(6), BIGINT, BLOB(6)]");
    }
}
