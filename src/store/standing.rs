//! What a database says about itself: whether it is whole, and whether it is still the one to be served.
//!
//! It stands in one row of `settings` that no copy takes along. Every change of it names what it was before, so that of
//! two programs that change it at the same time one fails.

use serde::{Deserialize, Serialize};

use super::engine::{Engine, Statement};
use super::query::rows;
use crate::app::ports::StoreError;

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing: it is empty, or an installation that came into being together with its database file.
    Unmarked,
    /// `init` is at work, or did not come to its end.
    BeingMade {
        /// Tells one try from another.
        making: String,
    },
    /// An installation, whole.
    Made,
    /// The installation is being copied here, or that did not come to its end.
    BeingCopied {
        /// Tells one try from another.
        copy: String,
    },
    /// An installation that was copied here, whole.
    Copied {
        /// The copy.
        copy: String,
    },
    /// The copy of this installation is whole, and takes over at this moment, or that did not come to its end.
    Moving(Move),
    /// This installation lives in another database.
    Moved(Move),
}

/// Where an installation went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The copy.
    pub copy: String,
    /// Its database, for people.
    pub to: String,
    /// When, in RFC 3339.
    pub at: String,
}

/// What is left to do of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// All of it.
    Everything,
    /// The copy is whole: the source has to be told.
    LastMark,
    /// Nothing.
    Nothing,
}

impl Standing {
    /// What is left to do of the move of this installation to a target of that name, by what both say about themselves.
    ///
    /// # Errors
    /// A sentence that tells why it cannot be moved there.
    pub fn remaining(&self, target: &Self, name: &str) -> Result<Remaining, String> {
        let is_same = |gone: &Move| matches!(target, Self::Copied { copy } if *copy == gone.copy);
        // By the copy where there is one: a name can be written in many ways.
        let is_begun = |gone: &Move| matches!(target, Self::BeingCopied { copy } if *copy == gone.copy);
        match self {
            Self::Unmarked | Self::Made | Self::Copied { .. } => Ok(Remaining::Everything),
            Self::Moved(gone) if is_same(gone) => Ok(Remaining::Nothing),
            Self::Moved(gone) => Err(format!("this installation was moved to {} at {}", gone.to, gone.at)),
            Self::Moving(gone) if is_same(gone) => Ok(Remaining::LastMark),
            // The target is not whole: nobody was ever served from it.
            Self::Moving(gone) if gone.to == name || is_begun(gone) => Ok(Remaining::Everything),
            Self::Moving(gone) => Err(format!(
                "a move of this installation to {} was interrupted at {}; it has to be finished there first",
                gone.to, gone.at
            )),
            Self::BeingMade { .. } | Self::BeingCopied { .. } => Err("this installation is not whole".to_owned()),
        }
    }

    /// Whether it may take the place of that, which is another try of the same that did not come to its end.
    pub(super) fn may_follow(&self, before: &Self) -> bool {
        matches!(
            (before, self),
            (Self::BeingMade { .. }, Self::BeingMade { .. }) | (Self::BeingCopied { .. }, Self::BeingCopied { .. })
        )
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("words and strings are JSON")
    }

    /// Misses unless the database says this of itself, and keeps others from changing it until the batch is committed.
    pub(super) fn hold(&self) -> Statement {
        Statement::one(HOLD, vec![self.text().into()])
    }

    /// Changes it to that; misses unless the database says this of itself.
    pub(super) fn change(&self, to: &Self) -> Statement {
        match (self, to) {
            (Self::Unmarked, to) => to.insert(),
            (from, Self::Unmarked) => Statement::one(REMOVE, vec![from.text().into()]),
            (from, to) => Statement::one(CHANGE, vec![from.text().into(), to.text().into()]),
        }
    }

    /// Notes it where nothing is noted.
    pub(super) fn insert(&self) -> Statement {
        Statement::one(INSERT, vec![self.text().into()])
    }
}

/// What a database says about itself.
pub(super) async fn find(engine: &dyn Engine) -> Result<Standing, StoreError> {
    match rows(engine, FIND, Vec::new()).await?.first() {
        None => Ok(Standing::Unmarked),
        Some(row) => row.of("settings").json("value"),
    }
}

const FIND: &str = "SELECT value FROM settings WHERE key = 'installation'";

const HOLD: &str = "UPDATE settings SET value = value WHERE key = 'installation' AND value = $1";

const INSERT: &str = "INSERT INTO settings (key, value) VALUES ('installation', $1)";

const CHANGE: &str = "UPDATE settings SET value = $2 WHERE key = 'installation' AND value = $1";

const REMOVE: &str = "DELETE FROM settings WHERE key = 'installation' AND value = $1";

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(copy: &str, to: &str) -> Move {
        Move { copy: copy.to_owned(), to: to.to_owned(), at: "2026-11-20T12:00:00Z".to_owned() }
    }

    #[test]
    fn a_move_goes_on_where_it_was_interrupted() {
        use Standing::{BeingCopied, BeingMade, Copied, Made, Moved, Moving, Unmarked};
        let copy = || "a".to_owned();
        let whole = Copied { copy: copy() };
        let begun = BeingCopied { copy: copy() };
        let cases = [
            (Unmarked, Unmarked, Some(Remaining::Everything)),
            (Made, begun.clone(), Some(Remaining::Everything)),
            // Whether there is room in the target is decided when it is claimed.
            (Unmarked, Made, Some(Remaining::Everything)),
            (Moving(gone("a", "db/m")), begun.clone(), Some(Remaining::Everything)),
            (Moving(gone("a", "db/m")), Unmarked, Some(Remaining::Everything)),
            (Moving(gone("a", "db/m")), whole.clone(), Some(Remaining::LastMark)),
            // The name may have been written in another way.
            (Moving(gone("a", "127.0.0.1/m")), whole.clone(), Some(Remaining::LastMark)),
            (Moving(gone("a", "127.0.0.1/m")), begun.clone(), Some(Remaining::Everything)),
            (Moving(gone("b", "other/m")), begun.clone(), None),
            (Moving(gone("a", "other/m")), Unmarked, None),
            (Moving(gone("b", "other/m")), whole.clone(), None),
            (Moved(gone("a", "db/m")), whole.clone(), Some(Remaining::Nothing)),
            (Moved(gone("b", "db/m")), whole, None),
            (Moved(gone("a", "db/m")), Unmarked, None),
            (BeingMade { making: copy() }, Unmarked, None),
            (begun, Unmarked, None),
        ];
        for (source, target, expected) in cases {
            let remaining = source.remaining(&target, "db/m");
            assert_eq!(remaining.clone().ok(), expected, "{source:?} {target:?}: {remaining:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for standing in [Standing::Made, Standing::BeingCopied { copy: "a".into() }, Standing::Moved(gone("a", "db/m"))]
        {
            assert_eq!(serde_json::from_str::<Standing>(&standing.text()).unwrap(), standing);
        }
    }
}
