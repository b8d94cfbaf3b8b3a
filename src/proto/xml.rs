//! XML in and out: a reader with limits that resolves namespaces, and the only writer of XML in this crate.
//!
//! Both follow the rules that `docs/protocol-notes.md` gathers: a byte order mark decides the encoding, a DOCTYPE is
//! refused, names are compared by namespace and local name and never by prefix.

mod builder;
pub mod ns;
mod pull;
mod reader;
mod writer;

pub use builder::DocumentBuilder;
pub use pull::{Part, Pull, Tag};
pub use reader::{Attribute, Document, Element, Limits, Node, XmlError, decode_text, scan};
pub use writer::{Markup, XmlCounter, XmlWriter, escaped_len, is_xml_char, prefix_within};
