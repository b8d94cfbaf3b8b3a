//! The CSP catalogue: what every node of Windows allows, as facts from Microsoft's descriptions (DDF), and the judge over
//! commands on them.
//!
//! [`embedded`] is the catalogue that comes with this build. A [`Catalogue`] answers three questions:
//! which node a LocURI names ([`Catalogue::find`]), whether a command is right for a build and an edition of Windows
//! ([`Catalogue::check`]), and which nodes match a few words ([`Catalogue::search`]). `docs/csp-catalogue.md` has the rules.

mod build;
mod check;
mod ddf;
mod edition;
mod file;
mod hololens;
mod merge;
mod record;
mod search;
mod suggest;
mod tree;
mod value;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

pub use build::Build;
pub use check::{Beyond, Check, ErrorKind, Refusal, Warning, WarningKind};
pub use ddf::{ArchiveError, DdfError, DdfSet, MOST_ARCHIVE_BYTES};
pub use edition::{Editions, HOLOGRAPHIC, describe_edition, edition_name, parse_edition};
pub use file::{FileError, Head};
pub use hololens::HoloLens;
pub use merge::{Changes, without_prose};
pub use record::{
    Access, Allowed, Applicability, Case, Condition, ConditionKind, Dependency, Deprecated, Domain, Dynamic, Format,
    GroupPolicy, Lifetime, Naming, Occurrence, Record, Scope, Text,
};
pub use search::Match;
pub use tree::{Found, is_expression};

use tree::Tree;

/// Records of nodes, with what makes it quick to find them.
#[derive(Debug)]
pub struct Catalogue {
    head: Head,
    /// Sorted by path; no path twice.
    records: Vec<Record>,
    tree: Tree,
}

impl Catalogue {
    /// A catalogue of those records. Of several with one path the last one counts.
    #[must_use]
    pub fn new(head: Head, mut records: Vec<Record>) -> Self {
        // Sorting keeps the order of equals: the last of them is the one to keep.
        records.reverse();
        records.sort_by(|a, b| a.path.cmp(&b.path));
        records.dedup_by(|a, b| a.path == b.path);
        share_texts(&mut records);
        let tree = Tree::of(&records);
        Self { head, records, tree }
    }

    /// What it says about itself.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// All records, by path.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of a path as descriptions write it, dynamic segments in braces.
    #[must_use]
    pub fn record(&self, path: &str) -> Option<&Record> {
        let found = self.records.binary_search_by(|record| record.path.as_str().cmp(path));
        found.ok().map(|index| &self.records[index])
    }
}

/// The catalogue of this build, read when it is first asked for.
///
/// # Panics
///
/// If the file that is part of the program is damaged, which a test rules out.
pub fn embedded() -> &'static Arc<Catalogue> {
    static EMBEDDED: OnceLock<Arc<Catalogue>> = OnceLock::new();
    EMBEDDED.get_or_init(|| Arc::new(Catalogue::from_file(FACTS).expect("the catalogue of this build is whole")))
}

/// Made from the collections of descriptions by `examples/csp_facts.rs`.
const FACTS: &[u8] = include_bytes!("catalogue/facts.zst");

/// Lets records share the texts that many of them have.
fn share_texts(records: &mut [Record]) {
    let mut texts = HashSet::new();
    let mut editions: HashSet<Editions> = HashSet::new();
    let mut share = |text: &mut Text| match texts.get(text) {
        Some(known) => *text = Text::clone(known),
        None => drop(texts.insert(text.clone())),
    };
    for record in records {
        share(&mut record.csp);
        let often = [&mut record.area, &mut record.mime, &mut record.csp_version, &mut record.conflict];
        often.into_iter().flatten().for_each(&mut share);
        record.os.iter_mut().for_each(&mut share);
        record.default.iter_mut().for_each(&mut share);
        if let Some(set) = &mut record.editions {
            match editions.get(set) {
                Some(known) => *set = known.clone(),
                None => drop(editions.insert(set.clone())),
            }
        }
        if let Some(allowed) = &mut record.allowed {
            allowed.texts().for_each(&mut share);
        }
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
