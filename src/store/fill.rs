//! A database as large as one wants, for measuring: what the devices of an installation have is copied under new names.
//!
//! So the shares of the tables are those of real devices, whatever tables there are: each row of a device, its history
//! included, is read once and written many times, by the statements with which databases are copied. What is unique
//! becomes so anew (identifiers, serial numbers, hashes), and each copy lies a little further back in time.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::SqlStore;
use super::engine::{Statement, Value};
use super::tables::{TABLES, Table};
use crate::app::ports::StoreError;

/// Tables that are of the installation, not of its devices.
const OF_THE_INSTALLATION: [&str; 11] = [
    "settings",
    "users",
    "tokens",
    "packages",
    "invitations",
    "mails",
    "mail_templates",
    "csp_catalogues",
    "csp_overrides",
    "node_answers",
    "csp_versions",
];
/// Rows that are kept for an hour at most: copies, which are older, would only be what upkeep removes.
const OF_THE_HOUR: [&str; 1] = ["answers"];
/// Rows of one batch.
const TOGETHER: usize = 2000;
/// Copies that are written at the same time.
const AT_ONCE: usize = 3;
/// Milliseconds by which each copy is older than the one before.
const APART: i64 = 20 * 60 * 1000;
/// Milliseconds since 1970 that are taken for a moment: from 2017 to 2096.
const MOMENTS: Range<i64> = 1_500_000_000_000..4_000_000_000_000;

/// What the devices of a database have, to be copied.
pub struct Template {
    rows: Vec<(&'static Table, Vec<Part>)>,
    /// Numbers of events lie below.
    events: i64,
}

/// A value, and how a copy differs.
enum Part {
    Same(Value),
    /// The identifier of a row that is copied as well.
    Id(Uuid),
    /// Text that names such rows.
    Mixed(Vec<Piece>),
    /// Hexadecimal digits that are one device's own.
    Digits(String),
    /// A hash.
    Hash(Vec<u8>),
    Moment(i64),
    /// The place of an event.
    Place(i64),
}

enum Piece {
    Text(String),
    Id(Uuid),
}

impl Template {
    /// Reads what there is.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(store: &SqlStore) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        let is_left_out = |name| OF_THE_INSTALLATION.contains(name) || OF_THE_HOUR.contains(name);
        for table in TABLES.iter().filter(|table| !is_left_out(&table.name)) {
            let mut page = table.read(store.db(), None).await?;
            while !page.is_empty() {
                let rows: Vec<Vec<Value>> = page.iter().map(|row| table.values(row)).collect::<Result<_, _>>()?;
                let after = rows.last().map(|last| last[..table.key].to_vec());
                found.extend(rows.into_iter().map(|row| (table, row)));
                page = table.read(store.db(), after).await?;
            }
        }
        let ids: HashSet<Uuid> = found.iter().filter_map(|(_, row)| id(row.first()?)).collect();
        let events = found.iter().filter(|(table, _)| table.name == "events");
        let places = events.filter_map(|(table, row)| match row.get(table.place("seq")?) {
            Some(Value::Int(Some(place))) => Some(*place),
            _ => None,
        });
        let events = places.max().unwrap_or_default() + 1;
        let rows = found.into_iter().map(|(table, row)| (table, parts(table, row, &ids))).collect();
        Ok(Self { rows, events })
    }

    /// Rows of one copy.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Writes the copies of those numbers, which count from 1, and tells how many are there after each.
    ///
    /// # Errors
    /// The database's; what was written by then stays.
    pub async fn copy(
        self: &Arc<Self>,
        store: &SqlStore,
        copies: Range<u32>,
        mut watch: impl FnMut(u32),
    ) -> Result<(), StoreError> {
        // The originals go on while there are copies, and their events take the next places.
        let row = store.db().query(LAST_PLACE, Vec::new()).await?;
        let last = row.first().map_or(Ok(None), |row| row.of("events").opt_number::<i64>("seq"))?;
        let place = Places { behind: last.unwrap_or_default(), first: copies.start };
        let (mut done, mut waiting, mut writing) = (copies.start, copies, JoinSet::new());
        loop {
            while writing.len() < AT_ONCE
                && let Some(number) = waiting.next()
            {
                let (template, store) = (Arc::clone(self), store.clone());
                writing.spawn(async move { template.write(&store, number, place).await });
            }
            let Some(written) = writing.join_next().await else { return Ok(()) };
            written.map_err(|error| StoreError::Internal(error.to_string()))??;
            watch(done);
            done += 1;
        }
    }

    /// Parents come before children, so the batches of a copy go one after the other.
    async fn write(&self, store: &SqlStore, number: u32, places: Places) -> Result<(), StoreError> {
        for rows in self.rows.chunks(TOGETHER) {
            let insert = |(table, parts): &(&Table, Vec<Part>)| {
                Statement::one(table.insert, parts.iter().map(|part| self.value(part, number, places)).collect())
            };
            store.submit(rows.iter().map(insert).collect()).await?;
        }
        Ok(())
    }

    fn value(&self, part: &Part, number: u32, places: Places) -> Value {
        let back = i64::from(number) * APART;
        match part {
            Part::Same(value) => value.clone(),
            Part::Id(id) => renamed(*id, number).to_string().into(),
            Part::Mixed(pieces) => {
                let texts = pieces.iter().map(|piece| match piece {
                    Piece::Text(text) => text.clone(),
                    Piece::Id(id) => renamed(*id, number).to_string(),
                });
                texts.collect::<String>().into()
            }
            Part::Digits(text) => {
                let (kept, last) = text.split_at(text.len() - 8);
                let last = u32::from_str_radix(last, 16).unwrap_or_default().wrapping_add(number);
                let is_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
                (if is_upper { format!("{kept}{last:08X}") } else { format!("{kept}{last:08x}") }).into()
            }
            Part::Hash(bytes) => {
                let mut bytes = bytes.clone();
                bytes.iter_mut().zip(mixed(number).to_be_bytes()).for_each(|(byte, mask)| *byte ^= mask);
                bytes.into()
            }
            Part::Moment(millis) => (millis - back).into(),
            Part::Place(place) => (places.behind + place + i64::from(number - places.first) * self.events).into(),
        }
    }
}

/// Where the events of copies go: behind the last one that there is.
#[derive(Clone, Copy)]
struct Places {
    behind: i64,
    /// The first copy.
    first: u32,
}

const LAST_PLACE: &str = "SELECT MAX(seq) AS seq FROM events";

/// What its copies have in the place of each value of a row.
fn parts(table: &Table, row: Vec<Value>, ids: &HashSet<Uuid>) -> Vec<Part> {
    let last_at = table.place("last_at").and_then(|place| row.get(place).cloned());
    let part = |(column, value): (&super::tables::Column, Value)| match (table.name, column.name, value) {
        // Else the upkeep would have to end all these sessions first.
        ("sessions", "closed_at", Value::Int(None)) => last_at.clone().map_or(Part::Same(Value::Int(None)), moment),
        ("events", "seq", Value::Int(Some(place))) => Part::Place(place),
        (_, _, value @ Value::Int(Some(_))) => moment(value),
        (_, _, Value::Bytes(Some(bytes))) if bytes.len() == HASH => Part::Hash(bytes),
        (_, _, Value::Text(Some(text))) => text_part(text, ids),
        (_, _, value) => Part::Same(value),
    };
    table.columns.iter().zip(row).map(part).collect()
}

/// Bytes of a SHA-256.
const HASH: usize = 32;

fn moment(value: Value) -> Part {
    match value {
        Value::Int(Some(millis)) if MOMENTS.contains(&millis) => Part::Moment(millis),
        other => Part::Same(other),
    }
}

fn text_part(text: String, ids: &HashSet<Uuid>) -> Part {
    if let Some(id) = id_of(&text).filter(|id| ids.contains(id)) {
        return Part::Id(id);
    }
    if text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Part::Digits(text);
    }
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while let Some((at, id)) = first_id(rest, ids) {
        pieces.extend([Piece::Text(rest[..at].to_owned()), Piece::Id(id)]);
        rest = &rest[at + LENGTH..];
    }
    if pieces.is_empty() {
        return Part::Same(text.into());
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Part::Mixed(pieces)
}

/// Characters of an identifier.
const LENGTH: usize = 36;

fn first_id(text: &str, ids: &HashSet<Uuid>) -> Option<(usize, Uuid)> {
    let places = 0..text.len().saturating_sub(LENGTH - 1);
    places.into_iter().find_map(|at| Some((at, id_of(text.get(at..at + LENGTH)?).filter(|id| ids.contains(id))?)))
}

fn id(value: &Value) -> Option<Uuid> {
    match value {
        Value::Text(Some(text)) => id_of(text),
        _ => None,
    }
}

/// Written as identifiers are: with hyphens, in lower case.
fn id_of(text: &str) -> Option<Uuid> {
    if text.len() != LENGTH || text.as_bytes()[8] != b'-' || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Uuid::parse_str(text).ok()
}

/// The identifier in a copy: as much older as the copy is, and random otherwise; no two are the same.
fn renamed(id: Uuid, number: u32) -> Uuid {
    let older = id.as_u128().wrapping_sub((u128::from(number) * u128::from(APART.unsigned_abs())) << 80);
    Uuid::from_u128(older ^ u128::from(mixed(number) >> 2))
}

/// Scattered over 64 bits, and another for each number.
fn mixed(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::super::contract::XorSealer;
    use super::super::contract::fixtures::{command, enroll, enrolled};
    use super::super::open_sqlite;
    use super::*;
    use crate::app::ports::{Store, Write};

    const PLACES: Places = Places { behind: 1000, first: 1 };

    #[tokio::test]
    async fn copies_have_what_the_original_has_under_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_sqlite(&folder.path().join("m.db"), Arc::new(XorSealer)).await.unwrap();
        for number in [1, 2] {
            store.commit(enroll(enrolled(number))).await.unwrap();
        }
        store.commit(vec![Write::InsertCommand(Box::new(command(1)))]).await.unwrap();
        let count = async |name: &str| {
            let table = TABLES.iter().find(|table| table.name == name).unwrap();
            table.count(store.db()).await.unwrap()
        };
        let before = [count("devices").await, count("enrollments").await, count("commands").await];
        let users = count("users").await;
        let template = Arc::new(Template::read(&store).await.unwrap());
        let mut told = Vec::new();
        template.copy(&store, 1..4, |copies| told.push(copies)).await.unwrap();
        template.copy(&store, 4..6, |copies| told.push(copies)).await.unwrap();
        assert_eq!(told, [1, 2, 3, 4, 5]);
        let after = [count("devices").await, count("enrollments").await, count("commands").await];
        assert_eq!(after, before.map(|rows| rows * 6));
        assert_eq!(count("users").await, users, "the installation itself is not copied");
        // Each enrollment belongs to a device of its own, or the foreign keys would be those of the original.
        let devices = store.engine.query("SELECT DISTINCT device_id FROM enrollments", Vec::new()).await.unwrap();
        assert_eq!(devices.len() as u64, after[0]);
    }

    #[test]
    fn identifiers_are_renamed_wherever_they_stand() {
        let known = Uuid::from_u128(0x0192_1111_2222_7333_8444_5555_6666_7777);
        let ids = HashSet::from([known]);
        let template = Template { rows: Vec::new(), events: 100 };
        let shown = |text: String| match template.value(&text_part(text, &ids), 2, PLACES) {
            Value::Text(Some(text)) => text,
            other => panic!("{other:?}"),
        };
        let own = renamed(known, 2).to_string();
        assert_ne!(own, known.to_string());
        assert_eq!(shown(known.to_string()), own);
        assert_eq!(shown(format!("[\"{known}\", 5, \"{known}\"]")), format!("[\"{own}\", 5, \"{own}\"]"));
        for same in [Uuid::from_u128(5).to_string(), "naïve “words” ✓, long enough for an identifier".to_owned()]
        {
            assert_eq!(shown(same.clone()), same);
        }
        assert_eq!(shown("ABCDEF0123456789ABCDEF01FFFFFFFF".to_owned()), "ABCDEF0123456789ABCDEF0100000001");
    }

    #[test]
    fn moments_and_places_move_and_other_numbers_stay() {
        let template = Template { rows: Vec::new(), events: 100 };
        let millis = 1_790_000_000_000;
        assert!(template.value(&moment(millis.into()), 3, PLACES) == Value::Int(Some(millis - 3 * APART)));
        assert!(template.value(&moment(5_i64.into()), 3, PLACES) == Value::Int(Some(5)));
        assert!(template.value(&Part::Place(7), 3, PLACES) == Value::Int(Some(1207)));
    }
}
