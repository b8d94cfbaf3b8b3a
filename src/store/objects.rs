//! Large objects and their parts. Each part is sealed under the id of its object and its number.

use super::engine::{Engine, Row, Statement, Value};
use super::query::{many, one, rows};
use crate::app::ports::{Sealer, StoreError};
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::object::{LargeObject, ObjectPart};

pub(super) fn insert(object: &LargeObject) -> Statement {
    let params = vec![
        object.id.into(),
        object.enrollment_id.into(),
        object.command_id.into(),
        object.bytes.into(),
        object.is_whole.into(),
        object.at.into(),
    ];
    Statement::one(INSERT, params)
}

pub(super) fn append(part: &ObjectPart, sealer: &dyn Sealer) -> Statement {
    let params = vec![
        part.object_id.into(),
        part.seq.into(),
        part.start.into(),
        (part.text.len() as u64).into(),
        sealer.seal(&purpose(part.object_id, part.seq), part.text.as_bytes()).into(),
    ];
    Statement::one(APPEND, params)
}

pub(super) fn finish(id: Id<LargeObject>, bytes: u64) -> Statement {
    Statement::one(FINISH, vec![id.into(), bytes.into()])
}

pub(super) fn delete(id: Id<LargeObject>) -> Statement {
    Statement::at_most_one(DELETE, vec![id.into()])
}

pub(super) async fn find(engine: &dyn Engine, id: Id<LargeObject>) -> Result<Option<LargeObject>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

/// Parts that hold bytes from `start` to before `end`, in order, at most `limit`.
pub(super) async fn parts(
    engine: &dyn Engine,
    sealer: &dyn Sealer,
    id: Id<LargeObject>,
    (start, end): (u64, u64),
    limit: u32,
) -> Result<Vec<ObjectPart>, StoreError> {
    let params: Vec<Value> = vec![id.into(), start.into(), end.into(), limit.into()];
    many(engine, PARTS, params, |row| read_part(row, sealer)).await
}

/// Bytes that the objects of an enrollment take, and those of all.
pub(super) async fn taken(engine: &dyn Engine, enrollment: Id<Enrollment>) -> Result<(u64, u64), StoreError> {
    let rows = rows(engine, TAKEN, vec![enrollment.into()]).await?;
    let Some(row) = rows.first() else { return Ok((0, 0)) };
    let row = row.of("objects");
    Ok((row.opt_number("own")?.unwrap_or(0), row.opt_number("of_all")?.unwrap_or(0)))
}

fn read(row: &Row) -> Result<LargeObject, StoreError> {
    let row = row.of("objects");
    Ok(LargeObject {
        id: row.id("id")?,
        enrollment_id: row.id("enrollment_id")?,
        command_id: row.opt_id("command_id")?,
        bytes: row.number("bytes")?,
        is_whole: row.flag("is_whole")?,
        at: row.time("at")?,
    })
}

fn read_part(row: &Row, sealer: &dyn Sealer) -> Result<ObjectPart, StoreError> {
    let row = row.of("object_parts");
    let (object_id, seq) = (row.id("object_id")?, row.number("seq")?);
    let opened = sealer.open(&purpose(object_id, seq), row.bytes("body")?);
    let bytes = opened.map_err(|error| row.odd("body", &error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| row.odd("body", "is no text"))?;
    Ok(ObjectPart { object_id, seq, start: row.number("start")?, text })
}

fn purpose(id: Id<LargeObject>, seq: u32) -> String {
    format!("object {id} {seq}")
}

const INSERT: &str = "
    INSERT INTO objects (id, enrollment_id, command_id, bytes, is_whole, at) VALUES ($1, $2, $3, $4, $5, $6)";

const APPEND: &str = "
    INSERT INTO object_parts (object_id, seq, start, bytes, body) VALUES ($1, $2, $3, $4, $5)";

const FINISH: &str = "UPDATE objects SET is_whole = 1, bytes = $2 WHERE id = $1 AND is_whole = 0";

const DELETE: &str = "DELETE FROM objects WHERE id = $1";

pub(super) const FIND: &str = "SELECT * FROM objects WHERE id = $1";

pub(super) const PARTS: &str = "
    SELECT * FROM object_parts WHERE object_id = $1 AND start < $3 AND start + bytes > $2 ORDER BY seq LIMIT $4";

pub(super) const TAKEN: &str = "
    SELECT CAST(SUM(CASE WHEN enrollment_id = $1 THEN bytes ELSE 0 END) AS BIGINT) AS own,
        CAST(SUM(bytes) AS BIGINT) AS of_all
    FROM objects";
