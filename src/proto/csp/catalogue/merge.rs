//! A newer collection over an older one, node by node.

use std::collections::HashMap;

use super::Catalogue;
use super::record::Record;
use super::tree::device_form;

/// How a newer collection differs; paths as the collections write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Nodes that only the newer one describes.
    pub new: Vec<String>,
    /// Nodes that both describe, differently.
    pub changed: Vec<String>,
    /// Nodes that only the older one describes. They stay: devices that have them are in use.
    pub gone: Vec<String>,
    /// How many both describe alike.
    pub same: usize,
}

impl Catalogue {
    /// This catalogue with the records of a newer one in place of those of the same nodes. What Microsoft lists for
    /// HoloLens stays where the newer one says nothing about it.
    #[must_use]
    pub fn with_newer(&self, newer: &Self) -> Self {
        let places = by_place(&newer.records);
        let kept = self.records.iter().filter(|record| !places.contains_key(device_form(&record.path)));
        let records = kept.chain(&newer.records).cloned().collect();
        let mut head = newer.head.clone();
        if head.hololens.csps.is_empty() {
            head.hololens.clone_from(&self.head.hololens);
        }
        Self::new(head, records)
    }

    /// What a newer collection would change. Nodes that are known from older collections alone cannot go.
    #[must_use]
    pub fn changes(&self, newer: &[Record]) -> Changes {
        let (own, theirs) = (by_place(&self.records), by_place(newer));
        let mut changes = Changes::default();
        for record in newer {
            match own.get(device_form(&record.path)) {
                None => changes.new.push(record.path.to_string()),
                Some(known) if says_the_same(known, record) => changes.same += 1,
                Some(_) => changes.changed.push(record.path.to_string()),
            }
        }
        let gone = self
            .records
            .iter()
            .filter(|record| record.source.is_none() && !theirs.contains_key(device_form(&record.path)));
        changes.gone = gone.map(|record| record.path.to_string()).collect();
        changes
    }
}

fn by_place(records: &[Record]) -> HashMap<&str, &Record> {
    records.iter().map(|record| (device_form(&record.path), record)).collect()
}

/// Whether two records say the same, examples apart: the embedded catalogue has none.
fn says_the_same(a: &Record, b: &Record) -> bool {
    a == b || without_prose(a.clone()) == without_prose(b.clone())
}

/// A record without what is no fact.
#[must_use]
pub fn without_prose(mut record: Record) -> Record {
    if let Some(allowed) = &mut record.allowed {
        allowed.domain = allowed.domain.clone().without_example();
    }
    record
}
