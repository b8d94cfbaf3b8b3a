//! Rows of an answer, read by column name.

use std::cell;
use std::str::FromStr;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::app::ports::StoreError;
use crate::domain::Id;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    names: Arc<[String]>,
    /// The place of the first cell among the names.
    first: usize,
    cells: Vec<Cell>,
}

/// The column that stands between the rows of several tables in one answer.
const NEXT: &str = "next_table";

/// The value of one column in one row.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Bytes(Vec<u8>),
}

/// Shows no values: they are hashes, addresses and messages.
impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Int(_) => "BIGINT",
            Self::Text(_) => "TEXT",
            Self::Bytes(_) => "BLOB",
        })
    }
}

impl Row {
    /// A row whose cells stand in the order of the names.
    pub(crate) fn new(names: Arc<[String]>, cells: Vec<Cell>) -> Self {
        Self { names, first: 0, cells }
    }

    /// The rows of several tables that stand in one, parted by columns named `next_table`.
    pub(crate) fn parts<const N: usize>(mut self) -> Result<[Self; N], StoreError> {
        let mut parts = Vec::with_capacity(N);
        while let Some(at) = self.names().iter().position(|name| name == NEXT) {
            let mut behind = self.cells.split_off(at);
            behind.remove(0);
            let names = Arc::clone(&self.names);
            let rest = Self { names, first: self.first + at + 1, cells: behind };
            parts.push(std::mem::replace(&mut self, rest));
        }
        parts.push(self);
        parts.try_into().map_err(|parts: Vec<Self>| {
            StoreError::Internal(format!("an answer has rows of {} tables, and {N} were expected", parts.len()))
        })
    }

    /// The names of the cells.
    fn names(&self) -> &[String] {
        self.names.get(self.first..self.first + self.cells.len()).unwrap_or_default()
    }

    /// The row as one of a table, which errors name.
    pub(crate) fn of(&self, table: &'static str) -> Record<'_> {
        Record { table, row: self, next: cell::Cell::new(0) }
    }
}

/// A row of a known table. Every accessor fails with the names of table and column, never with the value.
pub(crate) struct Record<'r> {
    table: &'static str,
    row: &'r Row,
    /// Where the next column probably is: readers go through the columns in order.
    next: cell::Cell<usize>,
}

impl<'r> Record<'r> {
    /// A TEXT that may be missing.
    pub(crate) fn opt_text(&self, column: &str) -> Result<Option<&'r str>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Int(_) | Cell::Bytes(_) => Err(self.odd(column, "is no text")),
        }
    }

    /// A TEXT.
    pub(crate) fn text(&self, column: &str) -> Result<&'r str, StoreError> {
        self.opt_text(column)?.ok_or_else(|| self.odd(column, "is NULL"))
    }

    /// A TEXT, owned.
    pub(crate) fn string(&self, column: &str) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    /// A TEXT that may be missing, owned.
    pub(crate) fn opt_string(&self, column: &str) -> Result<Option<String>, StoreError> {
        Ok(self.opt_text(column)?.map(str::to_owned))
    }

    /// A word of an enumeration.
    pub(crate) fn word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(self.text(column)?).ok_or_else(|| self.odd(column, "holds a word that this build does not know"))
    }

    /// A word that may be missing.
    pub(crate) fn opt_word<T>(&self, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
        self.opt_text(column)?.map(|_| self.word(column, parse)).transpose()
    }

    /// An identifier.
    pub(crate) fn id<T>(&self, column: &str) -> Result<Id<T>, StoreError> {
        Id::from_str(self.text(column)?).map_err(|_| self.odd(column, "is no UUID"))
    }

    /// An identifier that may be missing.
    pub(crate) fn opt_id<T>(&self, column: &str) -> Result<Option<Id<T>>, StoreError> {
        self.opt_text(column)?.map(|text| Id::from_str(text).map_err(|_| self.odd(column, "is no UUID"))).transpose()
    }

    /// JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(self.text(column)?).map_err(|_| self.odd(column, "is not the JSON that this build reads"))
    }

    /// A BIGINT that may be missing, as a number that it must fit.
    pub(crate) fn opt_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => T::try_from(*number).map(Some).map_err(|_| self.odd(column, "is out of range")),
            Cell::Text(_) | Cell::Bytes(_) => Err(self.odd(column, "is no number")),
        }
    }

    /// A BIGINT.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        self.opt_number(column)?.ok_or_else(|| self.odd(column, "is NULL"))
    }

    /// A BIGINT that is 0 or 1.
    pub(crate) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        match self.number::<i64>(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.odd(column, "is neither 0 nor 1")),
        }
    }

    /// A moment that may be missing.
    pub(crate) fn opt_time(&self, column: &str) -> Result<Option<OffsetDateTime>, StoreError> {
        let Some(millis) = self.opt_number::<i64>(column)? else { return Ok(None) };
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
        time.map(Some).map_err(|_| self.odd(column, "is no moment"))
    }

    /// A moment.
    pub(crate) fn time(&self, column: &str) -> Result<OffsetDateTime, StoreError> {
        self.opt_time(column)?.ok_or_else(|| self.odd(column, "is NULL"))
    }

    /// A BLOB that may be missing.
    pub(crate) fn opt_bytes(&self, column: &str) -> Result<Option<&'r [u8]>, StoreError> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            Cell::Int(_) | Cell::Text(_) => Err(self.odd(column, "is no BLOB")),
        }
    }

    /// A BLOB.
    pub(crate) fn bytes(&self, column: &str) -> Result<&'r [u8], StoreError> {
        self.opt_bytes(column)?.ok_or_else(|| self.odd(column, "is no BLOB"))
    }

    /// A BLOB of 32 bytes.
    pub(crate) fn digest(&self, column: &str) -> Result<[u8; 32], StoreError> {
        self.bytes(column)?.try_into().map_err(|_| self.odd(column, "has not 32 bytes"))
    }

    /// What is wrong with a column.
    pub(crate) fn odd(&self, column: &str, what: &str) -> StoreError {
        StoreError::Internal(format!("{}.{column} {what}", self.table))
    }

    /// The value of a column, whatever its type.
    pub(crate) fn cell(&self, column: &str) -> Result<&'r Cell, StoreError> {
        let names = self.row.names();
        let (before, after) = names.split_at(self.next.get().min(names.len()));
        let ahead = after.iter().position(|name| name == column).map(|index| before.len() + index);
        let index = ahead.or_else(|| before.iter().position(|name| name == column));
        let cell = index.and_then(|index| self.row.cells.get(index)).ok_or_else(|| self.odd(column, "was not read"))?;
        self.next.set(index.unwrap_or_default() + 1);
        Ok(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let names = ["id", "state", "offers", "body"].map(str::to_owned);
        let cells = vec![Cell::Text("x".into()), Cell::Null, Cell::Int(-1), Cell::Bytes(vec![1])];
        Row::new(Arc::from(names), cells)
    }

    #[test]
    fn columns_are_found_in_any_order() {
        let row = row();
        let record = row.of("commands");
        assert_eq!(record.bytes("body").unwrap(), [1]);
        assert_eq!(record.text("id").unwrap(), "x");
        assert_eq!(record.number::<i64>("offers").unwrap(), -1);
        assert_eq!(record.opt_text("state").unwrap(), None);
        assert_eq!(record.text("id").unwrap(), "x");
    }

    #[test]
    fn rows_of_several_tables_are_parted() {
        let names = ["id", "state", NEXT, "id", NEXT, "id", "work"].map(str::to_owned);
        let text = |text: &str| Cell::Text(text.to_owned());
        let row = || {
            Row::new(
                Arc::from(names.clone()),
                [text("a"), text("b"), Cell::Null, text("c"), Cell::Null, Cell::Null, text("d")].into(),
            )
        };
        let parts: [Row; 3] = row().parts().unwrap();
        let shown = |part: &Row, column: &str| part.of("t").opt_string(column).ok().flatten();
        assert_eq!((shown(&parts[0], "id").as_deref(), shown(&parts[0], "state").as_deref()), (Some("a"), Some("b")));
        assert_eq!((shown(&parts[1], "id").as_deref(), shown(&parts[1], "state")), (Some("c"), None));
        assert_eq!((shown(&parts[2], "id"), shown(&parts[2], "work").as_deref()), (None, Some("d")));
        assert!(parts[0].of("t").text("work").is_err(), "a part has no columns of another");
        assert!(row().parts::<2>().is_err());
    }

    #[test]
    fn errors_name_table_and_column() {
        let row = row();
        let record = row.of("commands");
        let words = |error: StoreError| error.to_string();
        for (case, told) in [
            (words(record.text("state").unwrap_err()), "commands.state is NULL"),
            (words(record.id::<()>("id").unwrap_err()), "commands.id is no UUID"),
            (words(record.number::<u32>("offers").unwrap_err()), "commands.offers is out of range"),
            (words(record.flag("offers").unwrap_err()), "commands.offers is neither 0 nor 1"),
            (words(record.digest("body").unwrap_err()), "commands.body has not 32 bytes"),
            (words(record.text("body").unwrap_err()), "commands.body is no text"),
            (words(record.text("nothing").unwrap_err()), "commands.nothing was not read"),
        ] {
            assert!(case.ends_with(told), "{case}");
        }
    }
}
