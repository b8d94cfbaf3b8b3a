//! WBXML in and out: the binary form of SyncML (WAP-192 WBXML 1.3; tokens of SyncML 1.2 and MetInf 1.2).
//!
//! What is read becomes a [`Document`](crate::proto::xml::Document), the same as from XML, with the XML text that it amounts
//! to; so every rule about messages, and everything that shows or redacts them, is written once. The limits are those of
//! XML. What a writer is told is the same as the writer of XML is told.
//!
//! Three things differ from XML. Attributes have no tokens in SyncML: they are written and read as literals, so that
//! `msft:originalerror` survives, and prefixes that nothing binds are skipped with their attribute. Opaque data that is no
//! text becomes base64, as `Format` `bin` demands of XML; for nonces and credentials opaque data is taken for text only
//! where it is base64 already. And references into a string table can name the same text many times, so what they bring is
//! counted.

mod reader;
mod tokens;
mod writer;

pub use reader::{WbxmlError, WbxmlErrorKind, read};
pub use writer::WbxmlWriter;

#[cfg(test)]
mod tests;
