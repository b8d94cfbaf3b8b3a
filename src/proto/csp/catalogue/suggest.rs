//! What may have been meant by an address that no description knows.
//!
//! Bounded whatever the address is: few segments, short names, few ways kept at each of them.

use std::cmp::min;

use super::Catalogue;
use super::tree::{ROOT, segments};
use crate::proto::syncml::{escape_segment, unescape_segment};

/// A way down the tree that is close to what was written.
struct Way {
    place: u32,
    cost: usize,
    path: String,
}

impl Catalogue {
    /// Addresses that are known and near, best first, at most three: those that differ in case alone, then those with the
    /// least to change in any segment, then the same node in the other tree, then nodes of the same name elsewhere.
    #[must_use]
    pub fn suggest(&self, uri: &str) -> Vec<String> {
        let Some(path) = tidy(uri) else { return Vec::new() };
        let mut found = self.near(&path);
        found.extend(self.in_other_tree(&path));
        found.extend(self.of_same_name(&path, MOST.saturating_sub(found.len())));
        let mut seen = Vec::new();
        found.retain(|path| {
            let is_new = path != uri && !seen.contains(path);
            seen.push(path.clone());
            is_new
        });
        found.truncate(MOST);
        found
    }

    /// Known addresses that come about by changing single segments a little.
    fn near(&self, path: &str) -> Vec<String> {
        let Some(parts) = segments(path) else { return Vec::new() };
        let root = if path.starts_with("./Device/") { "./Device" } else { "." };
        let mut ways = vec![Way { place: ROOT, cost: 0, path: root.to_owned() }];
        for segment in parts {
            ways = ways.iter().flat_map(|way| self.steps(way, segment)).collect();
            ways.sort_by_key(|way| way.cost);
            ways.truncate(WIDTH);
        }
        let mut known: Vec<Way> = ways.into_iter().filter(|way| self.record_at(way.place).is_some()).collect();
        known.retain(|way| self.find(&way.path).is_some());
        known.into_iter().map(|way| way.path).collect()
    }

    /// The children of a way's end that a segment may mean.
    fn steps(&self, way: &Way, segment: &str) -> Vec<Way> {
        let place = self.tree.place(way.place);
        let name = unescape_segment(segment).to_ascii_lowercase();
        let most = min(name.len() / 3 + 1, MOST_EDITS);
        let step = |child: u32, cost: usize, text: &str| Way {
            place: child,
            cost: way.cost + cost,
            path: format!("{}/{text}", way.path),
        };
        let mut steps: Vec<Way> = place
            .fixed
            .iter()
            .filter_map(|(known, child)| {
                let cost = distance(known.as_bytes(), name.as_bytes(), most)?;
                Some(step(*child, cost, &escape_segment(known)))
            })
            .collect();
        steps.extend(place.dynamic.map(|child| step(child, 1, segment)));
        steps.sort_by_key(|way| way.cost);
        steps.truncate(WIDTH);
        steps
    }

    /// The same below `./Device` instead of `./User`, or the other way round.
    fn in_other_tree(&self, path: &str) -> Option<String> {
        let other = match path.strip_prefix("./User/") {
            Some(rest) => format!("./Device/{rest}"),
            None => format!("./User/{}", path.strip_prefix("./Device/").or_else(|| path.strip_prefix("./"))?),
        };
        self.find(&other).is_some().then_some(other)
    }

    /// Nodes without dynamic segments whose name is that of the last segment.
    fn of_same_name(&self, path: &str, most: usize) -> Vec<String> {
        let name = path.rsplit('/').next().map(unescape_segment).unwrap_or_default();
        let same = self.records.iter().filter(|record| {
            name.len() > SHORT_NAME && record.name().eq_ignore_ascii_case(&name) && !record.path.contains('{')
        });
        same.take(most).map(|record| record.path.to_string()).collect()
    }
}

/// The address with what is plainly wrong in its form put right; `None` for what is too long to be looked at.
fn tidy(uri: &str) -> Option<String> {
    let path = uri.trim().split('?').next().unwrap_or_default();
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.len() > LONGEST || path.split('/').count() > MOST_SEGMENTS {
        return None;
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Some(format!("./{}", segments.join("/")))
}

/// How many letters must be changed, added or left out, without regard to case; `None` if more than `most`.
fn distance(known: &[u8], written: &[u8], most: usize) -> Option<usize> {
    if known.len().abs_diff(written.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=written.len()).collect();
    for (index, letter) in known.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        let mut least = row[0];
        for (column, other) in written.iter().enumerate() {
            let same = letter.to_ascii_lowercase() == *other;
            let cost = min(diagonal + usize::from(!same), min(row[column], row[column + 1]) + 1);
            diagonal = std::mem::replace(&mut row[column + 1], cost);
            least = min(least, cost);
        }
        if least > most {
            return None;
        }
    }
    row.last().copied().filter(|cost| *cost <= most)
}

/// Most suggestions.
const MOST: usize = 3;
/// Most ways that are kept at each segment.
const WIDTH: usize = 4;
/// Most letters that may be wrong in one segment.
const MOST_EDITS: usize = 5;
/// Longest address and most segments that are looked at.
const LONGEST: usize = 512;
const MOST_SEGMENTS: usize = 24;
/// Names up to that length, such as `Get`, are found everywhere and tell nothing.
const SHORT_NAME: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_to_change_are_counted_up_to_a_bound() {
        let cases = [
            ("Camera", "camera", Some(0)),
            ("Camera", "camrea", Some(2)),
            ("Camera", "cam", Some(3)),
            ("", "", Some(0)),
        ];
        for (known, written, expected) in cases {
            assert_eq!(distance(known.as_bytes(), written.as_bytes(), 3), expected, "{known} {written}");
        }
        assert_eq!(distance(b"Camera", b"bluetooth", 3), None);
        assert_eq!(distance(b"abcdef", b"fedcba", 3), None);
    }
}
