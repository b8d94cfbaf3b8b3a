//! Events for subscribers. They are numbered after the commit that brought them, by one publisher, because the order of
//! commits is known only then.

use super::engine::{Engine, Row, Statement};
use super::query::{many, one, rows};
use crate::app::ports::StoreError;
use crate::domain::Id;
use crate::domain::event::Event;

pub(super) fn append(event: &Event) -> Statement {
    let params = vec![
        event.id.into(),
        event.kind.as_str().into(),
        event.subject.as_deref().into(),
        event.time.into(),
        event.data.to_string().into(),
        event.seq.into(),
    ];
    Statement::one(APPEND, params)
}

pub(super) fn number(places: &[(Id<Event>, i64)]) -> impl Iterator<Item = Statement> {
    places.iter().map(|(id, seq)| Statement::one(NUMBER, vec![(*id).into(), (*seq).into()]))
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Event>) -> Result<Option<Event>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn after(
    engine: &dyn Engine,
    seq: i64,
    subject: Option<&str>,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    match subject {
        Some(subject) => many(engine, AFTER_OF_SUBJECT, vec![seq.into(), limit.into(), subject.into()], read).await,
        None => many(engine, AFTER, vec![seq.into(), limit.into()], read).await,
    }
}

pub(super) async fn unnumbered(engine: &dyn Engine, limit: u32) -> Result<Vec<Event>, StoreError> {
    many(engine, UNNUMBERED, vec![limit.into()], read).await
}

pub(super) async fn last_seq(engine: &dyn Engine) -> Result<i64, StoreError> {
    let rows = rows(engine, LAST_SEQ, Vec::new()).await?;
    rows.first().map_or(Ok(0), |row| row.of("events").number("last"))
}

fn read(row: &Row) -> Result<Event, StoreError> {
    let row = row.of("events");
    Ok(Event {
        id: row.id("id")?,
        kind: row.string("kind")?,
        subject: row.opt_string("subject")?,
        time: row.time("time")?,
        data: row.json("data")?,
        seq: row.opt_number("seq")?,
    })
}

const APPEND: &str = "
    INSERT INTO events (id, kind, subject, time, data, seq) VALUES ($1, $2, $3, $4, $5, $6)";

const NUMBER: &str = "UPDATE events SET seq = $2 WHERE id = $1 AND seq IS NULL";

pub(super) const FIND: &str = "SELECT * FROM events WHERE id = $1";

pub(super) const AFTER: &str = "SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";

pub(super) const AFTER_OF_SUBJECT: &str = "
    SELECT * FROM events WHERE subject = $3 AND seq > $1 ORDER BY seq LIMIT $2";

pub(super) const UNNUMBERED: &str = "SELECT * FROM events WHERE seq IS NULL ORDER BY id LIMIT $1";

pub(super) const LAST_SEQ: &str = "SELECT COALESCE(MAX(seq), 0) AS last FROM events WHERE seq IS NOT NULL";
