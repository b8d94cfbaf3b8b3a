//! Reads WBXML into a document under limits. Whatever is wrong is named together with the byte at which it stands.

use super::tokens::{
    DOCUMENT_TYPES, END, ENTITY, EXTENSIONS, HAS_ATTRIBUTES, HAS_CONTENT, LITERAL, OPAQUE, PI, STR_I, STR_T,
    SWITCH_PAGE, TAG, US_ASCII, UTF_8, is_page, name_of,
};
use crate::proto::base64;
use crate::proto::xml::{Attribute, Document, DocumentBuilder, Limits, XmlError, is_xml_char, ns};

/// Why bytes are not a WBXML document that we read. Holds positions and tokens, never content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}, at byte {offset}")]
pub struct WbxmlError {
    /// Where: the first byte of what is wrong.
    pub offset: usize,
    /// What is wrong there.
    pub kind: WbxmlErrorKind,
}

/// The rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WbxmlErrorKind {
    /// The bytes end inside something, or something says that it is longer than they are.
    #[error("the WBXML ends inside {0}")]
    Truncated(&'static str),
    /// Another version than 1.0 to 1.3.
    #[error("WBXML of version byte 0x{0:02X}, which is none of 1.0 to 1.3")]
    Version(u8),
    /// A multi-byte integer above 32 bits.
    #[error("a WBXML number of more than 32 bits")]
    Number,
    /// A public identifier that is not one of SyncML.
    #[error("the public identifier 0x{0:X} is not one of SyncML")]
    PublicId(u32),
    /// A public identifier, as text, that is not one of SyncML.
    #[error("a public identifier that is not one of SyncML")]
    PublicText,
    /// A character set that is not read.
    #[error("the character set {0} (MIBenum) is neither UTF-8 nor US-ASCII")]
    Charset(u32),
    /// An index outside the string table, or at a string that does not end in it.
    #[error("the index {0} names no string of the string table")]
    Index(u32),
    /// A string that is not text in the character set of the document.
    #[error("a string that is not valid {0}")]
    Encoding(&'static str),
    /// A character outside the XML 1.0 character range.
    #[error("a character that XML does not allow")]
    Character,
    /// A tag or an attribute that has no meaning in SyncML.
    #[error("the token 0x{token:02X} means nothing on code page {page}")]
    Token {
        /// The byte.
        token: u8,
        /// The code page.
        page: u8,
    },
    /// A code page that SyncML does not have.
    #[error("SyncML has no code page {0}")]
    Page(u8),
    /// A literal name that is no name of an element or attribute.
    #[error("a literal that is no name")]
    Name,
    /// The same attribute twice on one element.
    #[error("the same attribute twice")]
    Repeated,
    /// Content before, after or without the root element.
    #[error("content outside the root element")]
    Outside,
    /// More than the limits allow.
    #[error("too much WBXML: more than {limit} {what}")]
    TooMuch {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Most bytes that references into the string table may bring in all: the same string can be named again and again.
const MOST_REFERENCED: usize = 8 * 1024 * 1024;
/// Longest literal name, in bytes.
const LONGEST_NAME: usize = 256;

/// Reads a document.
///
/// # Errors
///
/// [`WbxmlError`] for whatever is not WBXML of SyncML within `limits`.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Document, WbxmlError> {
    Reader { bytes, at: 0 }.document(limits)
}

type Fallible<T> = Result<T, WbxmlError>;

fn error<T>(offset: usize, kind: WbxmlErrorKind) -> Fallible<T> {
    Err(WbxmlError { offset, kind })
}

/// Bytes, and how far they are read.
struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn document(mut self, limits: &Limits) -> Fallible<Document> {
        let version = self.byte("the version")?;
        if version > 0x03 {
            return error(0, WbxmlErrorKind::Version(version));
        }
        let public_at = self.at;
        let public = match self.number("the public identifier")? {
            0 => Err(self.number("the public identifier")?),
            number => Ok(number),
        };
        // WBXML 1.0 does not name its character set.
        let charset = if version == 0 { UTF_8 } else { self.charset()? };
        let size = self.number("the length of the string table")?;
        let table = Table { bytes: self.slice(size, "the string table")?, charset, referenced: 0 };
        let body = Body {
            limits,
            events: 0,
            page: 0,
            builder: DocumentBuilder::new(limits),
            ns: namespace(public, &table, public_at)?,
            table,
            input: self,
        };
        body.run()
    }

    fn charset(&mut self) -> Fallible<u32> {
        let at = self.at;
        let charset = self.number("the character set")?;
        if matches!(charset, UTF_8 | US_ASCII) { Ok(charset) } else { error(at, WbxmlErrorKind::Charset(charset)) }
    }

    fn byte(&mut self, what: &'static str) -> Fallible<u8> {
        let Some(byte) = self.bytes.get(self.at) else { return error(self.at, WbxmlErrorKind::Truncated(what)) };
        self.at += 1;
        Ok(*byte)
    }

    /// A multi-byte integer.
    fn number(&mut self, what: &'static str) -> Fallible<u32> {
        let start = self.at;
        let mut value: u32 = 0;
        loop {
            let byte = self.byte(what)?;
            if value > u32::MAX >> 7 {
                return error(start, WbxmlErrorKind::Number);
            }
            value = value << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            // A number may begin with zeros, but not go on with them for ever.
            if self.at - start >= 5 {
                return error(start, WbxmlErrorKind::Number);
            }
        }
    }

    /// So many bytes; nothing is reserved before they are known to be there.
    fn slice(&mut self, length: u32, what: &'static str) -> Fallible<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(slice) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            return error(self.at, WbxmlErrorKind::Truncated(what));
        };
        self.at += slice.len();
        Ok(slice)
    }

    /// The bytes up to the next zero.
    fn terminated(&mut self) -> Fallible<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == 0) else {
            return error(self.at, WbxmlErrorKind::Truncated("a string"));
        };
        self.at += length + 1;
        Ok(rest.get(..length).unwrap_or_default())
    }
}

/// The namespace of the document type that a public identifier names, by its number or by its text in the string table.
fn namespace(public: Result<u32, u32>, table: &Table<'_>, at: usize) -> Fallible<&'static str> {
    let found = match public {
        Ok(number) => DOCUMENT_TYPES.iter().find(|each| each.number == number),
        Err(index) => {
            let text = table.lookup(index, at)?;
            DOCUMENT_TYPES.iter().find(|each| !each.text.is_empty() && each.text.as_bytes() == text)
        }
    };
    match (found, public) {
        (Some(found), _) => Ok(found.ns),
        (None, Ok(number)) => error(at, WbxmlErrorKind::PublicId(number)),
        (None, Err(_)) => error(at, WbxmlErrorKind::PublicText),
    }
}

/// The string table, and how much of it was used.
struct Table<'b> {
    bytes: &'b [u8],
    charset: u32,
    referenced: usize,
}

impl<'b> Table<'b> {
    /// The string at an index.
    fn lookup(&self, index: u32, at: usize) -> Fallible<&'b [u8]> {
        let rest = usize::try_from(index).ok().and_then(|index| self.bytes.get(index..)).unwrap_or_default();
        // Within what may still be referenced, so that a search costs no more than what it brings.
        let room = rest.len().min(MOST_REFERENCED - self.referenced + 1);
        let Some(length) = rest.iter().take(room).position(|byte| *byte == 0) else {
            let is_whole = room == rest.len();
            return error(at, if is_whole { WbxmlErrorKind::Index(index) } else { TOO_MUCH_REFERENCED });
        };
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// The same, counted.
    fn take(&mut self, index: u32, at: usize) -> Fallible<&'b [u8]> {
        let string = self.lookup(index, at)?;
        self.referenced += string.len();
        if self.referenced > MOST_REFERENCED {
            return error(at, TOO_MUCH_REFERENCED);
        }
        Ok(string)
    }

    /// Text in the character set of the document.
    fn text<'t>(&self, bytes: &'t [u8], at: usize) -> Fallible<&'t str> {
        if self.charset == US_ASCII && !bytes.is_ascii() {
            return error(at, WbxmlErrorKind::Encoding("US-ASCII"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return error(at, WbxmlErrorKind::Encoding("UTF-8")) };
        if text.chars().all(is_xml_char) { Ok(text) } else { error(at, WbxmlErrorKind::Character) }
    }
}

const TOO_MUCH_REFERENCED: WbxmlErrorKind =
    WbxmlErrorKind::TooMuch { what: "bytes out of the string table", limit: MOST_REFERENCED };

/// The body, token by token.
struct Body<'b, 'l> {
    input: Reader<'b>,
    table: Table<'b>,
    limits: &'l Limits,
    events: usize,
    page: u8,
    /// Namespace of page 0.
    ns: &'static str,
    builder: DocumentBuilder,
}

impl Body<'_, '_> {
    fn run(mut self) -> Fallible<Document> {
        while self.input.at < self.input.bytes.len() {
            self.token()?;
        }
        let end = self.input.at;
        self.builder.finish().ok_or(WbxmlError { offset: end, kind: WbxmlErrorKind::Truncated("the document") })
    }

    fn token(&mut self) -> Fallible<()> {
        let at = self.input.at;
        self.count(at)?;
        let token = self.input.byte("the document")?;
        match token {
            SWITCH_PAGE => self.switch_page(),
            END => self.builder.close().map_err(|e| within(at, e)),
            STR_I | STR_T | ENTITY | OPAQUE => {
                let text = self.content(token, at)?;
                self.builder.text(&text).map_err(|e| within(at, e))
            }
            PI => self.attributes().map(|_| ()),
            token if EXTENSIONS.contains(&token) => error(at, WbxmlErrorKind::Token { token, page: self.page }),
            token => self.element(token, at),
        }
    }

    fn count(&mut self, at: usize) -> Fallible<()> {
        self.events += 1;
        let limit = self.limits.events;
        if self.events > limit {
            return error(at, WbxmlErrorKind::TooMuch { what: "tokens", limit });
        }
        Ok(())
    }

    fn switch_page(&mut self) -> Fallible<()> {
        let at = self.input.at;
        let page = self.input.byte("a switch of pages")?;
        if !is_page(page) {
            return error(at, WbxmlErrorKind::Page(page));
        }
        self.page = page;
        Ok(())
    }

    fn element(&mut self, token: u8, at: usize) -> Fallible<()> {
        let own = if self.page == 0 { self.ns } else { ns::METINF };
        let (ns, name) = match token & TAG {
            LITERAL => (self.builder.namespace().unwrap_or(own).to_owned(), self.literal("a literal tag")?),
            tag => {
                let Some(name) = name_of(self.page, tag) else {
                    return error(at, WbxmlErrorKind::Token { token, page: self.page });
                };
                (own.to_owned(), name.to_owned())
            }
        };
        if name.contains(':') {
            return error(at, WbxmlErrorKind::Name);
        }
        let attributes = if token & HAS_ATTRIBUTES == 0 { Vec::new() } else { self.attributes()? };
        self.builder.open(&ns, &name, attributes).map_err(|e| within(at, e))?;
        if token & HAS_CONTENT == 0 {
            self.builder.close().map_err(|e| within(at, e))?;
        }
        Ok(())
    }

    /// A name in the string table.
    fn literal(&mut self, what: &'static str) -> Fallible<String> {
        let at = self.input.at;
        let index = self.input.number(what)?;
        let name = self.table.take(index, at)?;
        match self.table.text(name, at)? {
            name if is_name(name) => Ok(name.to_owned()),
            _ => error(at, WbxmlErrorKind::Name),
        }
    }

    /// Attributes up to their end. SyncML has no tokens for them, so they are literals, or a mistake.
    fn attributes(&mut self) -> Fallible<Vec<Attribute>> {
        let mut attributes: Vec<Attribute> = Vec::new();
        let mut seen = 0;
        loop {
            let at = self.input.at;
            self.count(at)?;
            match self.input.byte("attributes")? {
                END => return Ok(attributes),
                LITERAL => {}
                SWITCH_PAGE => return error(at + 1, WbxmlErrorKind::Page(self.input.byte("attributes")?)),
                token => return error(at, WbxmlErrorKind::Token { token, page: 0 }),
            }
            seen += 1;
            if seen > self.limits.attributes {
                let limit = self.limits.attributes;
                return error(at, WbxmlErrorKind::TooMuch { what: "attributes", limit });
            }
            let name = self.literal("an attribute")?;
            let value = self.value()?;
            let attribute =
                qualified(&name).map(|(ns, local)| Attribute { ns: ns.to_owned(), local: local.to_owned(), value });
            let Some(attribute) = attribute else { continue };
            if attributes.iter().any(|other| (&other.ns, &other.local) == (&attribute.ns, &attribute.local)) {
                return error(at, WbxmlErrorKind::Repeated);
            }
            attributes.push(attribute);
        }
    }

    /// The value of an attribute: strings, one after the other, up to something else.
    fn value(&mut self) -> Fallible<String> {
        let mut value = String::new();
        loop {
            let at = self.input.at;
            let Some(token @ (STR_I | STR_T | ENTITY | OPAQUE)) = self.input.bytes.get(at).copied() else {
                return Ok(value);
            };
            self.input.at += 1;
            self.count(at)?;
            value.push_str(&self.content(token, at)?);
        }
    }

    /// The text that a token brings.
    fn content(&mut self, token: u8, at: usize) -> Fallible<String> {
        match token {
            STR_I => {
                let string = self.input.terminated()?;
                self.table.text(string, at).map(str::to_owned)
            }
            STR_T => {
                let index = self.input.number("a reference to the string table")?;
                let string = self.table.take(index, at)?;
                self.table.text(string, at).map(str::to_owned)
            }
            ENTITY => {
                let code = self.input.number("an entity")?;
                match char::from_u32(code).filter(|c| is_xml_char(*c)) {
                    Some(c) => Ok(c.to_string()),
                    None => error(at, WbxmlErrorKind::Character),
                }
            }
            _ => {
                let length = self.input.number("the length of opaque data")?;
                let data = self.input.slice(length, "opaque data")?;
                Ok(self.opaque(data, at))
            }
        }
    }

    /// Text if it is some; else base64.
    fn opaque(&self, data: &[u8], at: usize) -> String {
        let is_binary = match self.builder.enclosing(0) {
            Some("NextNonce") => true,
            Some("Data") => self.builder.enclosing(1) == Some("Cred"),
            _ => false,
        };
        let text = self.table.text(data, at).ok();
        match text.filter(|text| !is_binary || base64::decode(text).is_ok()) {
            Some(text) => text.to_owned(),
            None => base64::encode(data),
        }
    }
}

/// What the builder refuses, at its place.
fn within(offset: usize, error: XmlError) -> WbxmlError {
    let kind = match error {
        XmlError::TooMuch { what, limit } => WbxmlErrorKind::TooMuch { what, limit },
        _ => WbxmlErrorKind::Outside,
    };
    WbxmlError { offset, kind }
}

/// Namespace and local name of an attribute; `None` for declarations, and for prefixes that nothing binds.
fn qualified(name: &str) -> Option<(&'static str, &str)> {
    match name.split_once(':') {
        None if name == "xmlns" => None,
        None => Some(("", name)),
        Some(("msft", local)) => Some((ns::MSFT_MDM, local)),
        Some(_) => None,
    }
}

/// Whether it can be a name: letters, digits and a few marks of ASCII, with at most one colon inside.
fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    text.len() <= LONGEST_NAME && text.splitn(2, ':').all(is_part)
}
