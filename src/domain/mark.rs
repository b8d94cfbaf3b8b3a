//! The mark that stands in a transcript in place of a value that must not be kept.

use std::fmt;
use std::ops::Range;

/// How long a value was, and a keyed hash of it: two transcripts can be compared, and nothing can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Bytes of the value.
    pub bytes: usize,
    /// Bytes of the value as text of an XML document, where that is more.
    pub escaped: usize,
    /// The keyed hash.
    pub hash: [u8; 8],
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEGIN}{} bytes {:016x}", self.bytes, u64::from_be_bytes(self.hash))?;
        if self.escaped > self.bytes {
            write!(f, ", {} in XML", self.escaped)?;
        }
        f.write_str("]")
    }
}

impl Mark {
    /// The mark that a text is, if it is one and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (bytes, rest) = text.strip_prefix(BEGIN)?.strip_suffix(']')?.split_once(" bytes ")?;
        let (hash, escaped) = match rest.split_once(", ") {
            Some((hash, more)) => (hash, Some(more.strip_suffix(" in XML")?)),
            None => (rest, None),
        };
        let bytes = bytes.parse().ok()?;
        let escaped = escaped.map_or(Ok(bytes), str::parse).ok().filter(|escaped| *escaped >= bytes)?;
        let hash = Some(hash).filter(|hash| hash.len() == 16).and_then(|hash| u64::from_str_radix(hash, 16).ok())?;
        Some(Self { bytes, escaped, hash: hash.to_be_bytes() })
    }

    /// Every mark in a text, with its place, in order.
    pub fn find(text: &str) -> impl Iterator<Item = (Range<usize>, Self)> {
        text.match_indices(BEGIN).filter_map(|(start, _)| {
            let rest = text.get(start..)?;
            let end = rest.get(..rest.floor_char_boundary(LONGEST))?.find(']')? + 1;
            Some((start..start + end, Self::parse(rest.get(..end)?)?))
        })
    }
}

const BEGIN: &str = "[redacted ";
/// Longest mark, in bytes.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let plain = Mark { bytes: 25, escaped: 25, hash: [0, 1, 2, 3, 4, 5, 6, 255] };
        let long = Mark { escaped: 31, ..plain };
        assert_eq!(plain.to_string(), "[redacted 25 bytes 00010203040506ff]");
        assert_eq!(long.to_string(), "[redacted 25 bytes 00010203040506ff, 31 in XML]");
        for mark in [plain, long] {
            assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        }
        let text = format!("é[redacted {plain}<Data>{long}</Data>[redacted x bytes 0]");
        let found: Vec<_> = Mark::find(&text).map(|(at, mark)| (text[at].to_owned(), mark)).collect();
        assert_eq!(found, [(plain.to_string(), plain), (long.to_string(), long)]);
        for wrong in ["", "[redacted ]", "[redacted 5 bytes 00]", "[redacted 5 bytes 00010203040506ff, 4 in XML]", "x"]
        {
            assert_eq!(Mark::parse(wrong), None, "{wrong}");
        }
    }
}
