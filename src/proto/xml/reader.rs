//! Reads a document into a small tree under limits.
//!
//! Refused: DOCTYPE, undefined entities and prefixes, characters that XML 1.0 does not allow, more than one root,
//! anything beyond [`Limits`]. Comments and processing instructions are skipped, CDATA becomes text.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::pull::{Part, Pull};

/// How much one document may ask of us. The size in bytes is bounded where the body is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest nesting of elements.
    pub depth: usize,
    /// Most attributes on one element, namespace declarations included.
    pub attributes: usize,
    /// Most parser events in one document.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, attributes: 64, events: 200_000 }
    }
}

/// Why bytes are not a document we read. Holds names of rules and positions, never content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// The bytes are not text in the encoding that their byte order mark promises (UTF-8 without one).
    #[error("the body is not valid {0}")]
    Encoding(&'static str),
    /// Not well-formed.
    #[error("not well-formed XML at byte {0}")]
    Malformed(usize),
    /// A DOCTYPE or an entity declaration.
    #[error("a document type declaration is not allowed")]
    Doctype,
    /// A limit of [`Limits`] was reached.
    #[error("too much XML: more than {limit} {what}")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A prefix that no declaration binds.
    #[error("an undeclared namespace prefix at byte {0}")]
    UndeclaredPrefix(usize),
    /// A character outside the XML 1.0 character range.
    #[error("a character that XML does not allow")]
    Character,
}

/// A document: its root and the text it was read from.
#[derive(Clone, Debug)]
pub struct Document {
    root: Element,
    text: String,
}

/// An element with its expanded name.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// Namespace name; empty where there is none.
    pub ns: String,
    /// Local name.
    pub local: String,
    /// Attributes without the namespace declarations.
    pub attributes: Vec<Attribute>,
    /// Children in document order; neighbouring text is joined.
    pub children: Vec<Node>,
    pub(super) inner: Range<usize>,
}

/// An attribute with its local name; Windows writes the same attribute with and without a prefix, so the namespace
/// is kept apart and rarely asked for.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Namespace name; empty where the attribute has no prefix.
    pub ns: String,
    /// Local name.
    pub local: String,
    /// Normalised value.
    pub value: String,
}

/// A child of an element.
#[derive(Clone, Debug)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, entities resolved.
    Text(String),
}

impl Document {
    /// Reads `bytes`; a byte order mark decides the encoding, whatever the XML declaration says.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, XmlError> {
        Self::parse_text(decode_text(bytes)?.into_owned(), limits)
    }

    /// Reads text that is decoded already.
    pub fn parse_text(text: String, limits: &Limits) -> Result<Self, XmlError> {
        let root = tree(&text, limits)?;
        Ok(Self::new(root, text))
    }

    pub(super) fn new(root: Element, text: String) -> Self {
        Self { root, text }
    }

    /// The root element.
    #[must_use]
    pub fn root(&self) -> &Element {
        &self.root
    }

    /// The text that was read, decoded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where in [`Document::text`] the content of `element` lies, between its tags.
    #[must_use]
    pub fn inner_range(&self, element: &Element) -> Range<usize> {
        element.inner.clone()
    }

    /// The markup between the start and end tag of `element`, as it was written.
    #[must_use]
    pub fn inner_xml(&self, element: &Element) -> &str {
        self.text.get(element.inner.clone()).unwrap_or_default()
    }
}

impl Element {
    /// Whether the expanded name is this one.
    #[must_use]
    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.local == local && self.ns == ns
    }

    /// Child elements in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child of that expanded name.
    #[must_use]
    pub fn child(&self, ns: &str, local: &str) -> Option<&Self> {
        self.elements().find(|element| element.is(ns, local))
    }

    /// All text directly inside, joined, as it stands.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        match (texts.next(), texts.next()) {
            (None, _) => Cow::Borrowed(""),
            (Some(one), None) => Cow::Borrowed(one),
            (Some(one), Some(two)) => Cow::Owned([one, two].into_iter().chain(texts).collect::<String>()),
        }
    }

    /// The text without white space at its ends.
    #[must_use]
    pub fn trimmed(&self) -> String {
        self.text().trim().to_owned()
    }

    /// The value of the first attribute of that local name, whatever its prefix.
    #[must_use]
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.local == local).map(|attribute| attribute.value.as_str())
    }

    /// This element and all below it, in document order.
    pub fn descendants(&self) -> impl Iterator<Item = &Self> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            let at = stack.len();
            stack.extend(next.elements());
            stack[at..].reverse();
            Some(next)
        })
    }

    /// Whether there are child elements.
    #[must_use]
    pub fn has_elements(&self) -> bool {
        self.elements().next().is_some()
    }
}

/// Builds the tree of a document.
fn tree(text: &str, limits: &Limits) -> Result<Element, XmlError> {
    let mut pull = Pull::new(text, limits)?;
    let mut tree = Tree::default();
    while let Some(part) = pull.next()? {
        let at = pull.position();
        let malformed = || XmlError::Malformed(at);
        match part {
            Part::Open(tag) => {
                let (ns, local) = (pull.namespace(&tag).to_owned(), tag.local.to_owned());
                let attributes = pull.take_attributes();
                tree.open(Element { ns, local, attributes, ..Element::default() }, at);
            }
            Part::Text(text) => tree.text(&text).ok_or_else(malformed)?,
            Part::Char(c) => tree.text(c.encode_utf8(&mut [0; 4])).ok_or_else(malformed)?,
            Part::Close(inner) => tree.close(inner).ok_or_else(malformed)?,
        }
    }
    tree.finish().ok_or(XmlError::Malformed(0))
}

/// Counts the parser events of a document and keeps nothing of it: the measure for what reading it costs.
pub fn scan(bytes: &[u8]) -> Result<usize, XmlError> {
    let text = utf8(bytes)?;
    let mut reader = Reader::from_str(&text);
    let mut events = 0;
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed(events))? {
            Event::Eof => return Ok(events),
            event => {
                std::hint::black_box(event);
                events += 1;
            }
        }
    }
}

/// Decodes by byte order mark: UTF-8, UTF-16 little or big endian; without one UTF-8.
pub fn decode_text(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| XmlError::Encoding("UTF-8"))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, XmlError> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(XmlError::Encoding("UTF-16"));
    }
    let units = pairs.map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().map(Cow::Owned).map_err(|_| XmlError::Encoding("UTF-16"))
}

/// A tree under construction; an explicit stack, so that depth costs no recursion.
#[derive(Default)]
pub(super) struct Tree {
    stack: Vec<Element>,
    root: Option<Element>,
}

impl Tree {
    /// Opens an element; its content begins at `inner`. Returns how many are open.
    pub(super) fn open(&mut self, mut element: Element, inner: usize) -> usize {
        element.inner.start = inner;
        self.stack.push(element);
        self.stack.len()
    }

    /// Closes the element opened last; its content ends at `inner`. `None` where none is open, or a second root closes.
    pub(super) fn close(&mut self, inner: usize) -> Option<()> {
        let mut element = self.stack.pop()?;
        element.inner.end = inner;
        self.place(element)
    }

    /// Puts a whole element where it belongs; `None` for a second root.
    fn place(&mut self, element: Element) -> Option<()> {
        match self.stack.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => return None,
        }
        Some(())
    }

    /// Adds text to the element opened last, joined with text before it; `None` for text outside the root.
    pub(super) fn text(&mut self, text: &str) -> Option<()> {
        let Some(parent) = self.stack.last_mut() else { return text.trim().is_empty().then_some(()) };
        if let Some(Node::Text(last)) = parent.children.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            parent.children.push(Node::Text(text.to_owned()));
        }
        Some(())
    }

    /// The open element that lies that many levels outside the one opened last.
    pub(super) fn enclosing(&self, levels: usize) -> Option<&Element> {
        self.stack.iter().rev().nth(levels)
    }

    /// Whether a root is complete.
    pub(super) fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// The root, if everything that was opened is closed.
    pub(super) fn finish(self) -> Option<Element> {
        self.root.filter(|_| self.stack.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, XmlError> {
        Document::parse(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn names_are_resolved_and_text_is_joined() {
        let document =
            parse("  <p:a xmlns:p='urn:x' p:k='1 &amp; 2'>x<![CDATA[<y>]]>&#xF000;<b xmlns=''/>z</p:a>").unwrap();
        let root = document.root();
        assert!(root.is("urn:x", "a"));
        assert_eq!(root.attribute("k"), Some("1 & 2"));
        assert_eq!(root.text(), "x<y>\u{F000}z");
        assert!(root.child("", "b").is_some());
        assert_eq!(document.inner_xml(root), "x<![CDATA[<y>]]>&#xF000;<b xmlns=''/>z");
    }

    #[test]
    fn empty_elements_are_empty_at_their_place() {
        let document = parse("  <a><b>x</b><c/><d></d><e y='1' />z</a>").unwrap();
        let ranges: Vec<_> = document.root().elements().map(|element| document.inner_range(element)).collect();
        let ends: Vec<usize> = ["x", "<d>", "</d>", "z"].map(|mark| document.text().find(mark).unwrap()).to_vec();
        assert_eq!(ranges, [ends[0]..ends[0] + 1, ends[1]..ends[1], ends[2]..ends[2], ends[3]..ends[3]]);
        let marked = parse("\u{FEFF}\u{FEFF}<a>b</a>").unwrap();
        assert_eq!(marked.inner_xml(marked.root()), "b", "a second mark is passed over, and counted");
        let alone = parse("<a/>").unwrap();
        assert_eq!((alone.inner_range(alone.root()), alone.inner_xml(alone.root())), (4..4, ""));
    }

    #[test]
    fn utf16_is_read_by_its_mark_and_a_lying_declaration_is_ignored() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>é</a>";
        let mut be = vec![0xFE, 0xFF];
        let mut le = vec![0xFF, 0xFE];
        for unit in text.encode_utf16() {
            be.extend(unit.to_be_bytes());
            le.extend(unit.to_le_bytes());
        }
        for bytes in [be, le] {
            assert_eq!(Document::parse(&bytes, &Limits::default()).unwrap().root().text(), "é");
        }
        let utf8 = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>é</a>";
        assert_eq!(parse(utf8).unwrap().root().text(), "é");
    }

    #[test]
    fn what_is_refused_is_refused_by_name() {
        let cases: [(&str, &str); 12] = [
            ("doctype", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"),
            ("entity", "<a>&x;</a>"),
            ("two roots", "<a/><b/>"),
            ("text after the root", "<a/>x"),
            ("cut", "<a><b></b>"),
            ("crossed", "<a><b></a></b>"),
            ("prefix", "<p:a/>"),
            ("attribute prefix", "<a p:b='1'/>"),
            ("attribute twice", "<a b='1' b='2'/>"),
            ("nul reference", "<a>&#0;</a>"),
            ("empty", ""),
            ("escaped quotes", "<a b=\\\"c\\\"/>"),
        ];
        for (name, text) in cases {
            assert!(parse(text).is_err(), "{name}");
        }
        assert_eq!(parse(cases[0].1).unwrap_err(), XmlError::Doctype);
    }

    #[test]
    fn limits_hold() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        assert_eq!(parse(&deep).unwrap_err(), XmlError::TooMuch { what: "levels of elements", limit: 64 });
        let wide = format!("<a {}/>", (0..65).map(|n| format!("b{n}='' ")).collect::<String>());
        assert_eq!(parse(&wide).unwrap_err(), XmlError::TooMuch { what: "attributes", limit: 64 });
        let long = format!("<a>{}</a>", "<b/>".repeat(200_001));
        assert_eq!(parse(&long).unwrap_err(), XmlError::TooMuch { what: "parser events", limit: 200_000 });
    }
}
