//! What the subjects share when they read: one row, many rows, a page of a list, text that is searched for.

use time::OffsetDateTime;

use super::engine::{Engine, Question, Row, Value, millis};
use crate::app::ports::{Cursor, Listed, Page, StoreError};

/// Rows of a query.
///
/// No stored text holds NUL, so a query for text with NUL in it has no rows; PostgreSQL would refuse it.
pub(super) async fn rows(engine: &dyn Engine, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    if !params.iter().all(Value::is_storable) {
        return Ok(Vec::new());
    }
    engine.query(sql, params).await
}

/// The one row of a query, or none.
pub(super) async fn one<T>(
    engine: &dyn Engine,
    sql: &'static str,
    params: Vec<Value>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    rows(engine, sql, params).await?.first().map(read).transpose()
}

/// The rows of a statement that finds a few by an index; see [`Engine::look_up`].
pub(super) async fn few<T>(
    engine: &dyn Engine,
    sql: &'static str,
    params: Vec<Value>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    if !params.iter().all(Value::is_storable) {
        return Ok(Vec::new());
    }
    let answers = engine.look_up(vec![Question::new(sql, params)]).await?;
    answers.iter().flatten().map(read).collect()
}

/// The one row of such a statement, or none.
pub(super) async fn found<T>(
    engine: &dyn Engine,
    sql: &'static str,
    params: Vec<Value>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    Ok(few(engine, sql, params, read).await?.into_iter().next())
}

/// All rows of a query.
pub(super) async fn many<T>(
    engine: &dyn Engine,
    sql: &'static str,
    params: Vec<Value>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows(engine, sql, params).await?.iter().map(read).collect()
}

/// The rows of a query that can be read; the others are logged and passed over. For upkeep: one odd row must not keep the
/// rest from being looked at.
pub(super) async fn readable<T>(
    engine: &dyn Engine,
    sql: &'static str,
    params: Vec<Value>,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let rows = rows(engine, sql, params).await?;
    let tell = |row: &Row, error: &StoreError| {
        let id = row.of("row").text("id").unwrap_or("?").to_owned();
        tracing::error!(id, %error, "upkeep passes over a row");
    };
    Ok(rows.iter().filter_map(|row| read(row).inspect_err(|error| tell(row, error)).ok()).collect())
}

/// A list: its SQL, whose `$1` to `$3` are the moment and id of the cursor and the number of rows.
pub(super) struct List<'l, T, R> {
    /// SQL; newest first, then by descending id.
    pub(super) sql: &'static str,
    /// The values of `$4` and further.
    pub(super) more: Vec<Value>,
    /// Makes a value of a row.
    pub(super) read: R,
    /// Where a value stands in the list.
    pub(super) place: fn(&T) -> Cursor,
    /// Which part is wanted.
    pub(super) page: &'l Page,
}

impl<T, R: Fn(&Row) -> Result<T, StoreError>> List<'_, T, R> {
    /// Reads the page, and one row more to see whether there is another.
    pub(super) async fn load(self, engine: &dyn Engine) -> Result<Listed<T>, StoreError> {
        let Self { sql, more, read, place, page } = self;
        let limit = page.limit as usize;
        // Without a cursor, one that lies before every row.
        let (at, id) = page.after.as_ref().map_or((i64::MAX, ""), |cursor| (cursor.at, &cursor.id));
        let mut params: Vec<Value> = vec![at.into(), id.into(), (i64::from(page.limit) + 1).into()];
        params.extend(more);
        let mut items = many(engine, sql, params, read).await?;
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = items.last().filter(|_| !is_last).map(place);
        Ok(Listed { items, next })
    }
}

/// A place in a list.
pub(super) fn cursor(at: OffsetDateTime, id: impl ToString) -> Cursor {
    Cursor { at: millis(at), id: id.to_string() }
}

/// The form in which text is searched without regard to case. It is made here for both sides, because engines differ in
/// what they fold; letter by letter, so that a part of a text folds as the same part of the whole does.
pub(super) fn fold(text: &str) -> String {
    // Sigma has a second small form at the end of words.
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// A LIKE pattern (`ESCAPE '!'`) for text that holds `part`, literally and without case; without one, for every text.
pub(super) fn pattern(part: Option<&str>) -> String {
    let mut pattern = String::from("%");
    for c in fold(part.unwrap_or_default()).chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    if pattern.len() > 1 {
        pattern.push('%');
    }
    pattern
}

/// Whether a search text is so long that nothing holds it; engines bound their patterns.
pub(super) fn is_hopeless(part: Option<&str>) -> bool {
    part.is_some_and(|part| part.len() > LONGEST_PART)
}

/// Longest search text in bytes.
const LONGEST_PART: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_literal() {
        assert_eq!(pattern(None), "%");
        assert_eq!(pattern(Some("")), "%");
        assert_eq!(pattern(Some("50%_a!b\\")), "%50!%!_a!!b\\%");
    }

    #[test]
    fn a_part_folds_like_the_whole() {
        for (whole, part) in [("ΟΔΟΣ ΣΑΣ", "ΟΔΟΣ"), ("Straße ÄÖ", "E äö"), ("ΜΑΣΑ", "μας"), ("İstanbul", "İst")]
        {
            assert!(fold(whole).contains(&fold(part)), "{part} in {whole}");
        }
    }
}
