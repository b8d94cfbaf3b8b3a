//! The catalogue as a file: JSON lines under zstd, the head first, then a record a line, sorted by path.

use serde::{Deserialize, Serialize};

use super::Catalogue;
use super::hololens::HoloLens;
use super::record::Record;

/// What the file says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The collection of descriptions that it was made from, for example `2026-02`.
    pub version: String,
    /// What Microsoft lists for HoloLens 2.
    #[serde(default)]
    pub hololens: HoloLens,
}

/// Why bytes are no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not zstd, or more than 64 MiB of text.
    #[error("the catalogue does not unpack: {0}")]
    Packing(#[from] std::io::Error),
    /// A line that is not what it should be.
    #[error("line {line} of the catalogue: {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// Nothing in it.
    #[error("the catalogue is empty")]
    Empty,
}

/// Most bytes of text in a catalogue; the one of today has 3 MB.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// Reads a catalogue.
pub(super) fn read(packed: &[u8]) -> Result<(Head, Vec<Record>), FileError> {
    use std::io::Read;
    let mut text = Vec::new();
    zstd::Decoder::new(packed)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut text)?;
    if text.len() > MOST_BYTES {
        return Err(std::io::Error::other("more than 64 MiB").into());
    }
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
    let bad = |index: usize| move |error| FileError::Line { line: index + 1, error };
    let (index, head) = lines.next().ok_or(FileError::Empty)?;
    let head = serde_json::from_slice(head).map_err(bad(index))?;
    let records = lines.map(|(index, line)| serde_json::from_slice(line).map_err(bad(index)));
    Ok((head, records.collect::<Result<_, _>>()?))
}

/// Writes a catalogue; the same records give the same text.
pub(super) fn write(head: &Head, records: &[Record]) -> Result<Vec<u8>, FileError> {
    let mut text = Vec::new();
    let lines = std::iter::once(serde_json::to_vec(head)).chain(records.iter().map(serde_json::to_vec));
    for (index, line) in lines.enumerate() {
        text.extend(line.map_err(|error| FileError::Line { line: index + 1, error })?);
        text.push(b'\n');
    }
    Ok(zstd::encode_all(&text[..], LEVEL)?)
}

impl Catalogue {
    /// Reads a catalogue that [`Catalogue::to_file`] wrote.
    pub fn from_file(packed: &[u8]) -> Result<Self, FileError> {
        let (head, records) = read(packed)?;
        Ok(Self::new(head, records))
    }

    /// The form that is stored.
    pub fn to_file(&self) -> Result<Vec<u8>, FileError> {
        write(&self.head, &self.records)
    }
}

const LEVEL: i32 = 19;
