//! Writes XML: UTF-8, no byte order mark, no white space between elements, everything escaped.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// Where a tree is written to: XML text, or another form of the same tree. Elements take their namespace from an `xmlns`
/// attribute, or from the element around them.
pub trait Markup: Sized {
    /// An element with children written by `inside`.
    fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self));

    /// An element without content.
    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]);

    /// Character data.
    fn text(&mut self, text: &str);

    /// An element that holds text only.
    fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |w| w.text(text));
    }
}

impl Markup for XmlWriter {
    fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        Self::element(self, name, attributes, inside);
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        Self::empty(self, name, attributes);
    }

    fn text(&mut self, text: &str) {
        Self::text(self, text);
    }
}

/// Builds one document or fragment in memory.
///
/// Names and attribute names are constants of the caller; values may hold anything and are escaped here. A character
/// that XML 1.0 cannot carry becomes U+FFFD; the doors refuse such values before they get here.
pub struct XmlWriter {
    writer: Writer<Vec<u8>>,
}

impl Default for XmlWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl XmlWriter {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self { writer: Writer::new(Vec::with_capacity(2048)) }
    }

    /// An element with children written by `inside`.
    pub fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.event(Event::Start(start(name, attributes)));
        inside(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element that holds text only.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |w| w.text(text));
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(start(name, attributes)));
    }

    /// Character data.
    pub fn text(&mut self, text: &str) {
        self.event(Event::Text(BytesText::from_escaped(escape(text, false))));
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writer.get_ref().len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The document as UTF-8 bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn event(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("writing to memory cannot fail");
    }
}

fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut content = String::from(name);
    for (key, value) in attributes {
        content.push(' ');
        content.push_str(key);
        content.push_str("=\"");
        content.push_str(&escape(value, true));
        content.push('"');
    }
    BytesStart::from_content(content, name.len())
}

/// The bytes that a character takes in text.
pub(super) fn written_len(c: char) -> usize {
    match c {
        '&' | '\r' => 5,
        '<' | '>' => 4,
        '\u{F000}' => 8,
        c if is_xml_char(c) => c.len_utf8(),
        _ => '\u{FFFD}'.len_utf8(),
    }
}

/// The longest beginning of a text that takes at most so many bytes when it is written.
#[must_use]
pub fn prefix_within(text: &str, most: usize) -> &str {
    let mut written = 0;
    let end = text.char_indices().find(|(_, c)| {
        written += written_len(*c);
        written > most
    });
    end.map_or(text, |(at, _)| &text[..at])
}

pub(super) fn escape(text: &str, in_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            // A reader turns a bare CR into LF, and white space in attributes into blanks.
            '\r' => out.push_str("&#13;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            '\u{F000}' => out.push_str("&#xF000;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{FFFD}'),
        }
    }
    out
}

/// The bytes that character data takes in a document.
#[must_use]
pub fn escaped_len(text: &str) -> usize {
    escape(text, false).len()
}

/// Whether XML 1.0 (section 2.2) allows the character in a document.
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Document, Limits};
    use super::*;

    #[test]
    fn a_beginning_is_as_long_as_it_may_be() {
        let text = "a&<>\r\u{F000}\u{1}é\u{1F600}";
        for most in 0..50 {
            let prefix = prefix_within(text, most);
            assert!(escape(prefix, false).len() <= most, "{most}");
            let next = text[prefix.len()..].chars().next();
            let longer = next.map(|c| escape(&text[..prefix.len() + c.len_utf8()], false).len());
            assert!(longer.is_none_or(|longer| longer > most), "{most}");
        }
    }

    proptest! {
        #[test]
        fn what_we_write_we_read(text in "\\PC*[\r\n\t&<>\"']*\\PC*", value in "\\PC*[\r\n\t&<>\"']*") {
            prop_assume!(text.chars().chain(value.chars()).all(is_xml_char));
            let mut w = XmlWriter::new();
            w.leaf("a", &[("b", &value)], &text);
            let document = Document::parse(&w.into_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(document.root().text(), text.as_str());
            prop_assert_eq!(document.root().attribute("b"), Some(value.as_str()));
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::parse(&bytes, &Limits::default());
        }
    }
}
