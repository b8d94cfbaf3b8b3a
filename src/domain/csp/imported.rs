//! A catalogue that an administrator imported.

use time::OffsetDateTime;

use crate::domain::Id;

/// A newer collection of descriptions, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedCatalogue {
    /// Identifier.
    pub id: Id<Self>,
    /// Which collection it is, in words.
    pub version: String,
    /// How many nodes it describes.
    pub nodes: u64,
    /// When it was imported.
    pub imported_at: OffsetDateTime,
    /// Who did it.
    pub imported_by: String,
    /// Its records, in the form of [`Catalogue::to_file`](crate::proto::csp::catalogue::Catalogue::to_file).
    pub file: Vec<u8>,
}
