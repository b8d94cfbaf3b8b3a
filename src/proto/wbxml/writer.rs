//! Writes WBXML: version 1.2, UTF-8, strings inline; the string table holds names that have no token.

use super::tokens::{
    END, HAS_ATTRIBUTES, HAS_CONTENT, LITERAL, PUBLIC_ID, STR_I, SWITCH_PAGE, UTF_8, VERSION, page_of, tag_of,
};
use crate::proto::xml::{Markup, is_xml_char};

/// Builds one document in memory.
///
/// It is told what the writer of XML is told. A character that XML cannot carry becomes U+FFFD here as it does there.
#[derive(Default)]
pub struct WbxmlWriter {
    body: Vec<u8>,
    /// The page that a reader has at the end of `body`.
    page: u8,
    /// The page of the element that is open.
    scope: u8,
    names: Vec<u8>,
}

impl WbxmlWriter {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The document.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + self.names.len() + 16);
        out.push(VERSION);
        number(&mut out, PUBLIC_ID);
        number(&mut out, UTF_8);
        number(&mut out, u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        out.extend(self.names);
        out.extend(self.body);
        out
    }

    /// The tag and its attributes; returns the page of the element.
    fn start(&mut self, name: &str, attributes: &[(&str, &str)], content: u8) -> u8 {
        let declared = attributes.iter().find(|(key, _)| *key == "xmlns").map(|(_, ns)| page_of(ns));
        let page = declared.unwrap_or(self.scope);
        let is_declaration = |key: &str| key == "xmlns" || key.starts_with("xmlns:");
        let attributes: Vec<_> = attributes.iter().filter(|(key, _)| !is_declaration(key)).collect();
        let flags = content | if attributes.is_empty() { 0 } else { HAS_ATTRIBUTES };
        match tag_of(page, name) {
            Some(tag) => {
                if page != self.page {
                    self.body.extend([SWITCH_PAGE, page]);
                    self.page = page;
                }
                self.body.push(tag | flags);
            }
            None => self.literal(LITERAL | flags, name),
        }
        for (key, value) in &attributes {
            self.literal(LITERAL, key);
            self.string(value);
        }
        if !attributes.is_empty() {
            self.body.push(END);
        }
        page
    }

    /// A token that names something by the string table.
    fn literal(&mut self, token: u8, name: &str) {
        let index = self.index_of(name);
        self.body.push(token);
        number(&mut self.body, index);
    }

    /// Where a name stands in the string table; it is put there if it is not there yet.
    fn index_of(&mut self, name: &str) -> u32 {
        let mut at = 0;
        for known in self.names.split(|byte| *byte == 0) {
            if known == name.as_bytes() && at < self.names.len() {
                return u32::try_from(at).unwrap_or(u32::MAX);
            }
            at += known.len() + 1;
        }
        let at = self.names.len();
        self.names.extend(name.bytes().chain([0]));
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn string(&mut self, text: &str) {
        self.body.push(STR_I);
        let mut utf8 = [0; 4];
        for c in text.chars() {
            let c = if is_xml_char(c) { c } else { '\u{FFFD}' };
            self.body.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
        }
        self.body.push(0);
    }
}

impl Markup for WbxmlWriter {
    fn element(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        let page = self.start(name, attributes, HAS_CONTENT);
        let around = std::mem::replace(&mut self.scope, page);
        inside(self);
        self.scope = around;
        self.body.push(END);
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes, 0);
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.string(text);
        }
    }
}

/// A multi-byte integer: seven bits a byte, the highest first, all but the last marked.
fn number(out: &mut Vec<u8>, value: u32) {
    let groups = (1..5).rev().map(|group| value >> (7 * group)).filter(|rest| *rest > 0);
    out.extend(groups.map(|rest| 0x80 | (rest & 0x7F) as u8));
    out.push((value & 0x7F) as u8);
}
