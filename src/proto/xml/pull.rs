//! Reads a document part by part and keeps nothing of it: names and text are slices of what is read, as far as nothing in
//! them has to be resolved. All rules and limits of the reader are enforced here.

use std::borrow::Cow;

use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};
use quick_xml::{Reader, XmlVersion};

use super::reader::{Attribute, Limits, XmlError};
use super::writer::{has_only_xml_chars, is_xml_char};

/// A document on its way.
pub struct Pull<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    namespaces: NamespaceResolver,
    /// Levels at which elements with attributes are open: only those can declare namespaces.
    declaring: Vec<usize>,
    /// How often it changed since the beginning what is declared.
    scope: usize,
    /// Attributes of the element opened last, without the namespace declarations.
    attributes: Vec<Attribute>,
    limits: Limits,
    /// Bytes of `text` before what `reader` reads.
    offset: usize,
    events: usize,
    depth: usize,
    is_complete: bool,
    /// The element opened last has no content, and its end was not told yet.
    ends_at_once: bool,
}

/// What comes next in a document.
#[derive(Debug)]
pub enum Part<'t> {
    /// An element begins.
    Open(Tag<'t>),
    /// Character data of the element opened last; text may come in several pieces.
    Text(Cow<'t, str>),
    /// A character of the same, that was written as a reference.
    Char(char),
    /// The element opened last ends; its content ended at that byte of the text.
    Close(usize),
}

/// The name of an element.
#[derive(Clone, Copy, Debug)]
pub struct Tag<'t> {
    name: &'t str,
    /// Local name.
    pub local: &'t str,
}

impl Tag<'_> {
    /// Whether it has a prefix.
    #[must_use]
    pub fn is_prefixed(&self) -> bool {
        self.name.len() > self.local.len()
    }
}

impl<'t> Pull<'t> {
    /// A document at its beginning.
    ///
    /// # Errors
    ///
    /// [`XmlError::Character`] for text with characters that XML does not allow.
    pub fn new(text: &'t str, limits: &Limits) -> Result<Self, XmlError> {
        if !has_only_xml_chars(text) {
            return Err(XmlError::Character);
        }
        let trimmed = text.trim_start();
        let offset = text.len() - trimmed.len();
        // The parser passes over a mark without counting it.
        let rest = trimmed.strip_prefix('\u{FEFF}').unwrap_or(trimmed);
        if rest.starts_with('\u{FEFF}') {
            return Err(XmlError::Malformed(offset));
        }
        let mut reader = Reader::from_str(rest);
        reader.config_mut().check_end_names = true;
        Ok(Self {
            text,
            reader,
            namespaces: NamespaceResolver::default(),
            declaring: Vec::new(),
            scope: 0,
            attributes: Vec::new(),
            limits: *limits,
            offset: text.len() - rest.len(),
            events: 0,
            depth: 0,
            is_complete: false,
            ends_at_once: false,
        })
    }

    /// The text that is read.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The first byte of the text that was not read yet.
    #[must_use]
    pub fn position(&self) -> usize {
        self.offset + usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The namespace of an element, while it is the one opened last and nothing was read since; empty where there is none.
    #[must_use]
    pub fn namespace(&self, tag: &Tag<'_>) -> &str {
        match self.namespaces.resolve_element(QName(tag.name)).0 {
            ResolveResult::Bound(namespace) => namespace.into_inner(),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
        }
    }

    /// Two elements without a prefix have the same namespace where this is the same.
    #[must_use]
    pub fn scope(&self) -> usize {
        self.scope
    }

    /// The value of the first attribute of that local name, whatever its prefix, of the element opened last.
    #[must_use]
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.local == local).map(|attribute| attribute.value.as_str())
    }

    /// All attributes of the element opened last, without the namespace declarations.
    pub fn take_attributes(&mut self) -> Vec<Attribute> {
        std::mem::take(&mut self.attributes)
    }

    /// The next part; `None` behind a document that is complete.
    ///
    /// # Errors
    ///
    /// [`XmlError`]; nothing can be read after one.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results invites to go on after an error")]
    pub fn next(&mut self) -> Result<Option<Part<'t>>, XmlError> {
        if std::mem::take(&mut self.ends_at_once) {
            self.close();
            return Ok(Some(Part::Close(self.position())));
        }
        loop {
            let before = self.position();
            let event = self.reader.read_event().map_err(|_| XmlError::Malformed(before))?;
            self.events += 1;
            if self.events > self.limits.events {
                return Err(XmlError::TooMuch { what: "parser events", limit: self.limits.events });
            }
            match event {
                Event::Start(start) => {
                    let tag = self.open(&start, before)?;
                    if self.depth > self.limits.depth {
                        return Err(XmlError::TooMuch { what: "levels of elements", limit: self.limits.depth });
                    }
                    return Ok(Some(Part::Open(tag)));
                }
                Event::Empty(start) => {
                    let tag = self.open(&start, before)?;
                    self.ends_at_once = true;
                    return Ok(Some(Part::Open(tag)));
                }
                Event::End(_) => {
                    self.close();
                    return Ok(Some(Part::Close(before)));
                }
                Event::Text(text) if self.depth > 0 => return Ok(Some(Part::Text(text.xml10_content()))),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::CData(data) if self.depth > 0 => return Ok(Some(Part::Text(data.xml10_content()))),
                Event::CData(data) if data.trim().is_empty() => {}
                Event::GeneralRef(reference) => {
                    let character = resolve(&reference).ok_or(XmlError::Malformed(before))?;
                    if self.depth > 0 {
                        return Ok(Some(Part::Char(character)));
                    }
                    if !character.is_whitespace() {
                        return Err(XmlError::Malformed(before));
                    }
                }
                Event::Text(_) | Event::CData(_) => return Err(XmlError::Malformed(before)),
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof if self.is_complete => return Ok(None),
                Event::Eof => return Err(XmlError::Malformed(self.offset)),
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, before: usize) -> Result<Tag<'t>, XmlError> {
        let malformed = || XmlError::Malformed(before);
        if self.is_complete {
            return Err(malformed());
        }
        let name_len = start.name().as_ref().len();
        let content = self.text.get(before + 1..before + 1 + start.len()).ok_or_else(malformed)?;
        let name = content.get(..name_len).ok_or_else(malformed)?;
        self.depth += 1;
        let has_attributes = content.len() > name_len;
        if has_attributes {
            self.declaring.push(self.depth);
            self.scope += 1;
            self.namespaces.push(start).map_err(|_| malformed())?;
        }
        let local = match name.bytes().position(|byte| byte == b':') {
            None => name,
            Some(at) => {
                bound(self.namespaces.resolve_element(QName(name)).0, before)?;
                name.get(at + 1..).unwrap_or_default()
            }
        };
        self.attributes.clear();
        if has_attributes {
            self.read_attributes(content, name_len, before)?;
        }
        Ok(Tag { name, local })
    }

    fn read_attributes(&mut self, content: &'t str, name_len: usize, before: usize) -> Result<(), XmlError> {
        for (count, attribute) in Attributes::new(content, name_len).enumerate() {
            let attribute = attribute.map_err(|_| XmlError::Malformed(before))?;
            if count >= self.limits.attributes {
                return Err(XmlError::TooMuch { what: "attributes", limit: self.limits.attributes });
            }
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (ns, local) = self.namespaces.resolve_attribute(attribute.key);
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| XmlError::Malformed(before))?;
            if !has_only_xml_chars(&value) {
                return Err(XmlError::Character);
            }
            let (ns, local) = (bound(ns, before)?.to_owned(), local.into_inner().to_owned());
            self.attributes.push(Attribute { ns, local, value: value.into_owned() });
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.declaring.pop_if(|level| *level == self.depth).is_some() {
            self.namespaces.pop();
            self.scope += 1;
        }
        self.depth = self.depth.saturating_sub(1);
        self.is_complete = self.depth == 0;
    }
}

fn bound(result: ResolveResult<'_>, before: usize) -> Result<&str, XmlError> {
    match result {
        ResolveResult::Unbound => Ok(""),
        ResolveResult::Bound(namespace) => Ok(namespace.into_inner()),
        ResolveResult::Unknown(_) => Err(XmlError::UndeclaredPrefix(before)),
    }
}

/// A character reference or one of the five predefined entities.
fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten().filter(|c| is_xml_char(*c));
    }
    match reference.xml10_content().as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}
