//! Writes XML: UTF-8, no byte order mark, no white space between elements, everything escaped.

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
    out: String,
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
        Self { out: String::with_capacity(4096) }
    }

    /// An element with children written by `inside`.
    pub fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.start(name, attributes);
        self.out.push('>');
        inside(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element that holds text only.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.element(name, attributes, |w| w.text(text));
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.out.push_str("/>");
    }

    /// Character data.
    pub fn text(&mut self, text: &str) {
        escape_into(&mut self.out, text, false);
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The document as UTF-8 bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            escape_into(&mut self.out, value, true);
            self.out.push('"');
        }
    }
}

/// Counts the bytes that XML text would have, without writing it.
#[derive(Default)]
pub struct XmlCounter {
    bytes: usize,
}

impl XmlCounter {
    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let of_each = |(key, value): &(&str, &str)| " =\"\"".len() + key.len() + written(value, true);
        self.bytes += "<".len() + name.len() + attributes.iter().map(of_each).sum::<usize>();
    }
}

impl Markup for XmlCounter {
    fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.start(name, attributes);
        inside(self);
        self.bytes += "></>".len() + name.len();
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.bytes += "/>".len();
    }

    fn text(&mut self, text: &str) {
        self.bytes += written(text, false);
    }
}

/// What stands for a character in text, where it cannot stand for itself.
fn reference(c: char, in_attribute: bool) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' if in_attribute => Some("&quot;"),
        // A reader turns a bare CR into LF, and white space in attributes into blanks.
        '\r' => Some("&#13;"),
        '\n' if in_attribute => Some("&#10;"),
        '\t' if in_attribute => Some("&#9;"),
        '\u{F000}' => Some("&#xF000;"),
        c if is_xml_char(c) => None,
        _ => Some("\u{FFFD}"),
    }
}

/// Bytes with which a character begins that may not stand for itself; U+F000, U+FFFE and U+FFFF begin with EF.
const NEEDS_A_LOOK: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table[0xEF] = true;
    table
};

fn first_to_look_at(text: &str) -> Option<usize> {
    text.bytes().position(|byte| NEEDS_A_LOOK[usize::from(byte)])
}

/// The bytes that a text takes when it is written.
fn written(text: &str, in_attribute: bool) -> usize {
    let Some(at) = first_to_look_at(text) else { return text.len() };
    let of_each = |c: char| reference(c, in_attribute).map_or_else(|| c.len_utf8(), str::len);
    at + text[at..].chars().map(of_each).sum::<usize>()
}

/// The longest beginning of a text that takes at most so many bytes when it is written.
#[must_use]
pub fn prefix_within(text: &str, most: usize) -> &str {
    let mut written = 0;
    let end = text.char_indices().find(|(_, c)| {
        written += reference(*c, false).map_or_else(|| c.len_utf8(), str::len);
        written > most
    });
    end.map_or(text, |(at, _)| &text[..at])
}

pub(super) fn escape(text: &str, in_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    escape_into(&mut out, text, in_attribute);
    out
}

fn escape_into(out: &mut String, text: &str, in_attribute: bool) {
    let mut rest = text;
    while let Some(at) = first_to_look_at(rest) {
        let (plain, next) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = next.chars();
        if let Some(c) = chars.next() {
            match reference(c, in_attribute) {
                Some(reference) => out.push_str(reference),
                None => out.push(c),
            }
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// The bytes that character data takes in a document.
#[must_use]
pub fn escaped_len(text: &str) -> usize {
    written(text, false)
}

/// Whether XML 1.0 (section 2.2) allows the character in a document.
#[must_use]
pub fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// Whether all characters of a text are allowed. Most text has none that need a second look, which is seen from its bytes.
pub(super) fn has_only_xml_chars(text: &str) -> bool {
    // Of what UTF-8 can say, only controls and U+FFFE and U+FFFF (which begin with EF BF) are not allowed.
    let needs_a_look =
        |byte: u8| u8::from(byte < 0x20) & u8::from(!matches!(byte, b'\t' | b'\n' | b'\r')) | u8::from(byte == 0xEF);
    let is_plain = |part: &[u8]| part.iter().fold(0, |seen, byte| seen | needs_a_look(*byte)) == 0;
    text.as_bytes().chunks(1024).all(is_plain) || text.chars().all(is_xml_char)
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

    #[test]
    fn characters_are_judged_as_one_by_one() {
        for code in 0..=0x11_0000 {
            if let Some(c) = char::from_u32(code) {
                assert_eq!(has_only_xml_chars(&format!("a{c}b")), is_xml_char(c), "{code:x}");
            }
        }
        let long = format!("{}\u{1}", "a".repeat(2000));
        assert!(!has_only_xml_chars(&long) && has_only_xml_chars(&long[..2000]) && has_only_xml_chars(""));
    }

    proptest! {
        #[test]
        fn what_we_write_we_read(text in "\\PC*[\r\n\t&<>\"']*\\PC*", value in "\\PC*[\r\n\t&<>\"']*") {
            prop_assume!(text.chars().chain(value.chars()).all(is_xml_char));
            let mut w = XmlWriter::new();
            w.leaf("a", &[("b", &value)], &text);
            let mut counter = XmlCounter::default();
            counter.leaf("a", &[("b", &value)], &text);
            prop_assert_eq!(counter.bytes(), w.len());
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
