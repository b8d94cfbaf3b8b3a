//! Search over the paths by words.

use super::Catalogue;
use super::record::Record;

/// A record that a search found.
#[derive(Clone, Copy, Debug)]
pub struct Match<'c> {
    /// How far it is from the words, 0 for the best.
    pub rank: u32,
    /// The record.
    pub record: &'c Record,
}

impl Catalogue {
    /// The records whose path holds every word, without regard to case: those first whose own name is the word or begins
    /// with it, short paths before long ones. `after` is rank and path where the part before ended.
    #[must_use]
    pub fn search(&self, query: &str, after: Option<(u32, &str)>, limit: usize) -> Vec<Match<'_>> {
        let words: Vec<String> = query.split_whitespace().take(MOST_WORDS).map(str::to_ascii_lowercase).collect();
        let mut matches: Vec<Match<'_>> = self
            .records
            .iter()
            .filter_map(|record| Some(Match { rank: rank(record, &words)?, record }))
            .filter(|found| after.is_none_or(|after| (found.rank, found.record.path.as_str()) > after))
            .collect();
        matches.sort_by(|a, b| (a.rank, &a.record.path).cmp(&(b.rank, &b.record.path)));
        matches.truncate(limit);
        matches
    }
}

/// The sum over the words of how well each fits, in the upper digits, and the length of the path below.
fn rank(record: &Record, words: &[String]) -> Option<u32> {
    if words.is_empty() {
        return Some(0);
    }
    let path = record.path.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut sum = 0;
    for word in words {
        sum += match () {
            () if name == word || path == *word => 0,
            () if name.starts_with(word.as_str()) => 1,
            () if name.contains(word.as_str()) => 2,
            () if path.split('/').any(|segment| segment == word) => 3,
            () if path.contains(word.as_str()) => 5,
            () => return None,
        };
    }
    let length = u32::try_from(path.len()).unwrap_or(u32::MAX).min(LONGEST_PATH);
    Some(sum * (LONGEST_PATH + 1) + length)
}

/// What follows is not looked at.
const MOST_WORDS: usize = 16;
const LONGEST_PATH: u32 = 999;
