//! Reads Microsoft's descriptions of CSPs (DDF v2, and the older form without Microsoft's additions) into records.
//!
//! Only facts are taken: names, commands, formats, limits, applicability. The files follow neither their own schema nor
//! OMA's to the letter; they are read by local structure, and what is odd in them is kept as it is meant (see
//! `docs/csp-catalogue.md`). A file that cannot be read makes the whole set fail: half a set would look like nodes that
//! are gone.

mod allowed;
mod archive;
mod hints;
mod node;

use super::record::Record;
use crate::proto::xml::{Document, Element, Limits, XmlError, decode_text};
use node::Reader;

pub use archive::{ArchiveError, MOST_ARCHIVE_BYTES};

/// A set of descriptions that was read.
#[derive(Clone, Debug, Default)]
pub struct DdfSet {
    /// What the set calls itself: the folder inside an archive.
    pub name: Option<String>,
    /// How many files it has.
    pub files: usize,
    /// The records, in the order of the files.
    pub records: Vec<Record>,
    /// What was odd and not understood, each with file and node.
    pub oddities: Vec<String>,
}

/// Why something is no set of descriptions.
#[derive(Debug, thiserror::Error)]
pub enum DdfError {
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file that is not XML, or too much of it.
    #[error("{file}: {cause}")]
    Xml {
        /// Which.
        file: String,
        /// Why.
        cause: XmlError,
    },
    /// A document type declaration that holds more than processing instructions.
    #[error("{0}: the document type declaration holds more than processing instructions")]
    Doctype(String),
    /// XML of another kind.
    #[error("{0}: not a device description (DDF): the root is not MgmtTree")]
    NoDdf(String),
    /// A node that is described wrongly.
    #[error("{file}: {path}: {what}")]
    Node {
        /// In which file.
        file: String,
        /// Which.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// More nodes than any Windows has.
    #[error("more than {MOST_NODES} nodes")]
    TooMany,
    /// No file in it.
    #[error("no description in it: no file that ends with .xml")]
    Empty,
}

impl DdfSet {
    /// Reads a zip archive with a set.
    pub fn from_zip(bytes: &[u8]) -> Result<Self, DdfError> {
        let (name, files) = archive::read(bytes)?;
        let set = Self::from_files(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())), None)?;
        Ok(Self { name, ..set })
    }

    /// Reads files, each with its name. `source` marks every record as known from that older collection.
    pub fn from_files<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
        source: Option<&str>,
    ) -> Result<Self, DdfError> {
        let mut set = Self::default();
        for (name, bytes) in files {
            let document = parse(name, bytes)?;
            let mut reader = Reader::new(name, source, &mut set.records, &mut set.oddities);
            reader.trees(document.root())?;
            set.files += 1;
            if set.records.len() > MOST_NODES {
                return Err(DdfError::TooMany);
            }
        }
        if set.files == 0 { Err(DdfError::Empty) } else { Ok(set) }
    }
}

/// The document of a file, without its document type declaration.
fn parse(name: &str, bytes: &[u8]) -> Result<Document, DdfError> {
    let xml = |cause| DdfError::Xml { file: name.to_owned(), cause };
    let text = decode_text(bytes).map_err(xml)?;
    let text = without_doctype(&text).ok_or_else(|| DdfError::Doctype(name.to_owned()))?;
    let document = Document::parse_text(text, &LIMITS).map_err(xml)?;
    if document.root().local == "MgmtTree" { Ok(document) } else { Err(DdfError::NoDdf(name.to_owned())) }
}

/// The text without a document type declaration before the root; `None` for one that declares anything. An external
/// identifier is never followed, and processing instructions inside the declaration are passed over.
fn without_doctype(text: &str) -> Option<String> {
    let Some(start) = text.find("<!DOCTYPE").filter(|start| is_prolog(&text[..*start])) else {
        return Some(text.to_owned());
    };
    let behind = &text[start + "<!DOCTYPE".len()..];
    let open = behind.find(['[', '>'])?;
    let end = if behind[open..].starts_with('>') {
        open + 1
    } else {
        let close = open + behind[open..].find(']')?;
        let mut inside = behind[open + 1..close].trim();
        while let Some(rest) = inside.strip_prefix("<?") {
            inside = rest.split_once("?>")?.1.trim_start();
        }
        if !inside.is_empty() {
            return None;
        }
        close + 1 + behind[close + 1..].find('>')? + 1
    };
    Some(format!("{}{}", &text[..start], &behind[end..]))
}

/// Whether no element begins in the text.
fn is_prolog(text: &str) -> bool {
    text.match_indices('<').all(|(at, _)| text[at..].starts_with("<?") || text[at..].starts_with("<!--"))
}

/// The first child of that local name, in no namespace or OMA's.
fn plain<'e>(element: &'e Element, local: &str) -> Option<&'e Element> {
    element.elements().find(|child| child.local == local && child.ns != MSFT)
}

/// The first child of that local name among Microsoft's additions.
fn extra<'e>(element: &'e Element, local: &str) -> Option<&'e Element> {
    element.child(MSFT, local)
}

/// Children of that local name among Microsoft's additions.
fn extras<'e>(element: &'e Element, local: &'e str) -> impl Iterator<Item = &'e Element> {
    element.elements().filter(move |child| child.is(MSFT, local))
}

/// Microsoft's additions to the DDF of OMA.
const MSFT: &str = "http://schemas.microsoft.com/MobileDevice/DM";
/// The largest file of today has 50,000 parser events, and its nodes are nested 20 deep.
const LIMITS: Limits = Limits { depth: 64, attributes: 16, events: 500_000 };
/// Windows has six thousand.
const MOST_NODES: usize = 60_000;

#[cfg(test)]
#[path = "ddf/tests.rs"]
mod tests;
