//! Values and cells in PostgreSQL's binary form.

use std::error::Error;
use std::sync::Arc;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::super::engine::{Cell, Row, Value};

/// The type under which a value is bound; columns of the `BLOB` domain take it as well.
pub(super) fn type_of(value: &Value) -> Type {
    match value {
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match base(ty) {
            ty if *ty == Type::INT8 => Ok(Self::Int(i64::from_sql(ty, raw)?)),
            ty if *ty == Type::INT4 => Ok(Self::Int(i32::from_sql(ty, raw)?.into())),
            ty if *ty == Type::TEXT => Ok(Self::Text(String::from_sql(ty, raw)?)),
            ty if *ty == Type::BYTEA => Ok(Self::Bytes(raw.to_vec())),
            ty => Err(format!("a column holds {ty}").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    /// Every type: an odd one is named when a row has it.
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// What a domain stands for.
fn base(ty: &Type) -> &Type {
    match ty.kind() {
        Kind::Domain(inner) => base(inner),
        _ => ty,
    }
}

/// The rows of an answer, with the names of their columns.
pub(super) fn rows(answer: &[tokio_postgres::Row]) -> Result<Vec<Row>, tokio_postgres::Error> {
    let Some(first) = answer.first() else { return Ok(Vec::new()) };
    let names: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    let read = |row: &tokio_postgres::Row| {
        let cells = (0..row.len()).map(|index| row.try_get::<_, Cell>(index)).collect::<Result<_, _>>()?;
        Ok(Row::new(Arc::clone(&names), cells))
    };
    answer.iter().map(read).collect()
}

/// Whether the statement uses `$1` to `$n` and no other.
pub(super) fn fits(sql: &str, parameters: usize) -> bool {
    let mut used = vec![false; parameters];
    for part in sql.split('$').skip(1) {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let Some(place) = part[..digits].parse().ok().and_then(|number: usize| number.checked_sub(1)) else {
            return false;
        };
        match used.get_mut(place) {
            Some(used) => *used = true,
            None => return false,
        }
    }
    used.into_iter().all(|used| used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_as_written() {
        assert!(fits("SELECT 1", 0));
        assert!(fits("SELECT $2, $1, $1", 2));
        assert!(fits("x IN ($10, $9, $8, $7, $6, $5, $4, $3, $2, $1)", 10));
        for (sql, parameters) in [("SELECT $1", 0), ("SELECT $1", 2), ("SELECT $2", 1), ("SELECT $0", 1), ("$", 0)] {
            assert!(!fits(sql, parameters), "{sql} {parameters}");
        }
    }
}
