//! All tables, parents before children: what copies, compares or clears a whole database goes through this list.
//!
//! It is written down and not asked of the database, so that all SQL is constant; tests hold it against the schema of
//! every engine. What is not part of an installation is not in it (`UNLISTED`).

mod list;

use super::engine::{Cell, Engine, Record, Row, Statement, Value};
use crate::app::ports::StoreError;
pub(super) use list::TABLES;
use list::TRUNCATE;

/// A table, with the SQL that reads, writes and counts whole rows.
///
/// Of `settings` the row that tells of the database itself is left out: it is not part of an installation.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// So many of the first columns are the key.
    pub(super) key: usize,
    /// Rows that are read together.
    pub(super) page: i64,
    /// The first rows by key; the last parameter is their number.
    pub(super) first: &'static str,
    /// The rows behind a key.
    pub(super) next: &'static str,
    /// Takes every column.
    pub(super) insert: &'static str,
    /// `number`: how many rows there are.
    pub(super) count: &'static str,
    /// Removes all rows.
    pub(super) delete: &'static str,
    /// A column that refers to the table itself.
    pub(super) link: Option<Link>,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// NULL has a type as well: PostgreSQL binds by type.
    pub(super) kind: Kind,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// BIGINT.
    Int,
    /// TEXT.
    Text,
    /// BLOB.
    Bytes,
}

/// A column that refers to its own table: it is NULL until all rows are there.
pub(super) struct Link {
    pub(super) column: &'static str,
    /// Sets it to `$2` in the row with the key `$1`.
    pub(super) update: &'static str,
}

impl Table {
    /// A page of rows, the first or the one behind a key.
    pub(super) async fn read(&self, engine: &dyn Engine, after: Option<Vec<Value>>) -> Result<Vec<Row>, StoreError> {
        let sql = if after.is_some() { self.next } else { self.first };
        let mut params = after.unwrap_or_default();
        params.push(self.page.into());
        engine.query(sql, params).await
    }

    /// Whether it holds any row.
    pub(super) async fn has_rows(&self, engine: &dyn Engine) -> Result<bool, StoreError> {
        Ok(!engine.query(self.first, vec![1_i64.into()]).await?.is_empty())
    }

    /// How many rows it holds.
    pub(super) async fn count(&self, engine: &dyn Engine) -> Result<u64, StoreError> {
        let rows = engine.query(self.count, Vec::new()).await?;
        let row = rows.first().ok_or_else(|| StoreError::Internal(format!("{} cannot be counted", self.name)))?;
        row.of(self.name).number("number")
    }

    /// The values of a row, in the order of the columns.
    pub(super) fn values(&self, row: &Row) -> Result<Vec<Value>, StoreError> {
        let record = row.of(self.name);
        self.columns.iter().map(|column| column.value(&record)).collect()
    }

    /// Where a column stands among the values.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }
}

impl Column {
    fn value(&self, record: &Record<'_>) -> Result<Value, StoreError> {
        Ok(match (self.kind, record.cell(self.name)?) {
            (Kind::Int, Cell::Null) => Value::Int(None),
            (Kind::Text, Cell::Null) => Value::Text(None),
            (Kind::Bytes, Cell::Null) => Value::Bytes(None),
            (Kind::Int, Cell::Int(number)) => (*number).into(),
            (Kind::Text, Cell::Text(text)) => text.as_str().into(),
            (Kind::Bytes, Cell::Bytes(bytes)) => bytes.as_slice().into(),
            _ => return Err(record.odd(self.name, "holds another type than its column has")),
        })
    }
}

/// Removes all rows, table by table.
pub(super) fn delete_all() -> Vec<Statement> {
    let listed = TABLES.iter().rev().map(|table| table.delete);
    listed.chain([DELETE_LEASES]).map(|sql| Statement::any(sql, Vec::new())).collect()
}

/// Removes all rows at once, where DELETE would look up foreign keys row by row, not all of them in an index.
pub(super) fn truncate_all() -> Vec<Statement> {
    vec![Statement::any(TRUNCATE, Vec::new())]
}

const DELETE_LEASES: &str = "DELETE FROM leases";

/// Each database is migrated by itself, `health` is always empty, and `leases` and `commit_marks` are those of running
/// processes.
#[cfg(test)]
pub(super) const UNLISTED: [&str; 4] = ["migrations", "health", "leases", "commit_marks"];

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements say what the columns say.
    #[test]
    fn statements_fit_their_columns() {
        for table in &TABLES {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            let places = |count| (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
            let (key, keys) = (names[..table.key].join(", "), places(table.key));
            let (own, only) = match table.name {
                "settings" => (" AND key <> 'installation'", " WHERE key <> 'installation'"),
                _ => ("", ""),
            };
            let behind = if table.key == 1 { format!("{key} > $1") } else { format!("({key}) > ({keys})") };
            let limit = table.key + 1;
            let name = table.name;
            assert_eq!(table.first, format!("SELECT * FROM {name}{only} ORDER BY {key} LIMIT $1"));
            assert_eq!(table.next, format!("SELECT * FROM {name} WHERE {behind}{own} ORDER BY {key} LIMIT ${limit}"));
            let (columns, values) = (names.join(", "), places(names.len()));
            assert_eq!(table.insert, format!("INSERT INTO {name} ({columns}) VALUES ({values})"));
            assert_eq!(table.count, format!("SELECT COUNT(*) AS number FROM {name}{only}"));
            assert_eq!(table.delete, format!("DELETE FROM {name}"));
        }
        let names: Vec<&str> = TABLES.iter().rev().map(|table| table.name).collect();
        assert_eq!(TRUNCATE, format!("TRUNCATE {}, leases", names.join(", ")));
    }
}
