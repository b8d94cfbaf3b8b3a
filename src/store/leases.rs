//! Who does the background work: one row per duty. A holder beats; one that does not is taken over by whoever saw it last
//! at that beat, so that no two can take the same term.

use super::engine::{Engine, Statement};
use super::query::one;
use crate::app::ports::{Lease, StoreError};

/// Takes a lease that was seen in that state, or that nobody has had.
pub(super) fn take(name: &str, holder: &str, seen: Option<&Lease>) -> Statement {
    match seen {
        None => Statement::one(TAKE_FIRST, vec![name.into(), holder.into()]),
        Some(seen) => Statement::one(TAKE_OVER, vec![name.into(), holder.into(), seen.term.into(), seen.beat.into()]),
    }
}

/// Beats; a term that is over is a miss.
pub(super) fn keep(name: &str, term: i64) -> Statement {
    Statement::one(KEEP, vec![name.into(), term.into()])
}

/// Leaves it to whoever comes first.
pub(super) fn leave(name: &str, term: i64) -> Statement {
    Statement::at_most_one(LEAVE, vec![name.into(), term.into()])
}

pub(super) async fn find(engine: &dyn Engine, name: &str) -> Result<Option<Lease>, StoreError> {
    one(engine, FIND, vec![name.into()], |row| {
        let row = row.of("leases");
        let holder = Some(row.string("holder")?).filter(|holder| !holder.is_empty());
        Ok(Lease { holder, term: row.number("term")?, beat: row.number("beat")? })
    })
    .await
}

const TAKE_FIRST: &str = "INSERT INTO leases (name, holder, term, beat) VALUES ($1, $2, 1, 0)";

const TAKE_OVER: &str = "
    UPDATE leases SET holder = $2, term = term + 1, beat = 0 WHERE name = $1 AND term = $3 AND beat = $4";

const KEEP: &str = "UPDATE leases SET beat = beat + 1 WHERE name = $1 AND term = $2 AND holder <> ''";

const LEAVE: &str = "UPDATE leases SET holder = '', beat = beat + 1 WHERE name = $1 AND term = $2";

pub(super) const FIND: &str = "SELECT * FROM leases WHERE name = $1";
