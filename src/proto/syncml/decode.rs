//! The tolerant decoder: reads by name, in any order, from the namespaces that real clients use.
//!
//! Management reference 1.6 (header rules), 2.1 (grammar and namespaces), 2.5 (what `Data` may hold).

use std::borrow::Cow;

use super::command::{Command, Verb};
use super::elements::{Elements, Leaf};
use super::message::{Cred, Element, Header, Message, MsgId, SessionId};
use crate::proto::wbxml::{self, WbxmlError};
use crate::proto::xml::{Limits, Pull, Tag, XmlError, decode_text, ns};

/// Why a message cannot be read: where, and what was expected there. Holds no content of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct DecodeError {
    /// Element path from the root, e.g. `SyncHdr/MsgID`.
    pub path: String,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// Not XML within the limits.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not WBXML within the limits.
    #[error(transparent)]
    Wbxml(#[from] WbxmlError),
    /// The root is not `SyncML` in one of its namespaces.
    #[error("not the root element of a management message")]
    Root,
    /// An element that must be there is missing or empty.
    #[error("missing or empty")]
    Missing,
    /// The element is there more than once.
    #[error("more than once")]
    Repeated,
    /// `MsgID` is not a positive decimal number of at most ten digits.
    #[error("not a positive number")]
    Number,
    /// `SessionID` is longer than 32 characters.
    #[error("longer than 32 characters")]
    TooLong,
    /// An element that is no command.
    #[error("not a SyncML command")]
    NotACommand,
}

fn error(path: &str, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { path: path.to_owned(), kind }
}

/// Reads one message in XML.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    message(&decode_text(bytes).map_err(unreadable)?, limits)
}

/// Reads one message in WBXML.
pub(super) fn decode_wbxml(bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    let document = wbxml::read(bytes, limits).map_err(|e| error("(document)", e.into()))?;
    // Its parts were counted; as XML there may be more of them.
    message(document.text(), &Limits { events: usize::MAX, attributes: usize::MAX, ..*limits })
}

fn unreadable(cause: XmlError) -> DecodeError {
    error("(document)", cause.into())
}

/// Where a text is no document, this is said before anything that is wrong with what the document holds.
fn message(text: &str, limits: &Limits) -> Result<Message, DecodeError> {
    let mut elements = Elements::new(Pull::new(text, limits).map_err(unreadable)?);
    let found = root(&mut elements).map_err(unreadable)?;
    elements.end().map_err(unreadable)?;
    found
}

/// The outer result tells of the document, the inner one of what it holds.
type Found<T> = Result<Result<T, DecodeError>, XmlError>;

fn root(elements: &mut Elements<'_>) -> Found<Message> {
    let root = elements.root()?;
    if root.local != "SyncML" || !elements.is_syncml(&root) {
        elements.skip()?;
        return Ok(Err(error("(root)", DecodeErrorKind::Root)));
    }
    let (mut header, mut body) = (Only::default(), Only::default());
    while let Some(tag) = elements.child()? {
        match tag.local {
            "SyncHdr" => header.set(Head::read(elements)?),
            "SyncBody" => body.set(read_body(elements)?),
            _ => elements.skip()?,
        }
    }
    Ok((|| {
        let (header, (body, is_final)) = (header.get("SyncHdr")?, body.get("SyncBody")?);
        Ok(Message { header: header.checked()?, body, is_final })
    })())
}

/// The elements of a `SyncBody`, and whether `Final` is among them.
fn read_body(elements: &mut Elements<'_>) -> Result<(Vec<Element>, bool), XmlError> {
    let (mut body, mut is_final) = (Vec::new(), false);
    while let Some(tag) = elements.child()? {
        if tag.local == "Final" {
            is_final = true;
            elements.skip()?;
        } else {
            body.push(elements.body_element(&tag)?);
        }
    }
    Ok((body, is_final))
}

/// What has to be there once.
struct Only<T> {
    value: Option<T>,
    is_repeated: bool,
}

impl<T> Default for Only<T> {
    fn default() -> Self {
        Self { value: None, is_repeated: false }
    }
}

impl<T> Only<T> {
    fn set(&mut self, value: T) {
        self.is_repeated |= self.value.is_some();
        self.value = Some(value);
    }

    fn get(self, path: &str) -> Result<T, DecodeError> {
        match self.value {
            Some(_) if self.is_repeated => Err(error(path, DecodeErrorKind::Repeated)),
            Some(value) => Ok(value),
            None => Err(error(path, DecodeErrorKind::Missing)),
        }
    }
}

impl Only<Cow<'_, str>> {
    fn text(self, path: &str) -> Result<String, DecodeError> {
        let text = self.get(path)?;
        if text.is_empty() { Err(error(path, DecodeErrorKind::Missing)) } else { Ok(text.into_owned()) }
    }
}

/// A `SyncHdr` as it stands.
#[derive(Default)]
struct Head<'t> {
    ver_dtd: Only<Cow<'t, str>>,
    ver_proto: Only<Cow<'t, str>>,
    session_id: Only<Cow<'t, str>>,
    msg_id: Only<Cow<'t, str>>,
    target: Only<Address<'t>>,
    source: Only<Address<'t>>,
    cred: Option<Cred>,
    sizes: Option<(Option<u64>, Option<u64>)>,
}

/// `Target` or `Source` of a `SyncHdr`.
#[derive(Default)]
struct Address<'t> {
    uri: Only<Cow<'t, str>>,
    name: Leaf<'t>,
}

impl<'t> Head<'t> {
    fn read(elements: &mut Elements<'t>) -> Result<Self, XmlError> {
        let mut head = Self::default();
        while let Some(tag) = elements.child()? {
            match tag.local {
                "VerDTD" => head.ver_dtd.set(elements.trimmed()?),
                "VerProto" => head.ver_proto.set(elements.trimmed()?),
                "SessionID" => head.session_id.set(elements.trimmed()?),
                "MsgID" => head.msg_id.set(elements.trimmed()?),
                "Target" => head.target.set(Address::read(elements)?),
                "Source" => head.source.set(Address::read(elements)?),
                "Cred" if head.cred.is_none() => {
                    let (meta, data) = elements.meta_and_data()?;
                    head.cred = Some(Cred { scheme: meta.kind.unwrap_or_default(), data });
                }
                "Meta" if head.sizes.is_none() => {
                    let meta = elements.meta()?;
                    head.sizes = Some((meta.max_msg_size, meta.max_obj_size));
                }
                _ => elements.skip()?,
            }
        }
        Ok(head)
    }

    fn checked(self) -> Result<Header, DecodeError> {
        let session_id = self.session_id.text("SyncHdr/SessionID")?;
        if session_id.chars().count() > 32 {
            return Err(error("SyncHdr/SessionID", DecodeErrorKind::TooLong));
        }
        let msg_id = positive(&self.msg_id.text("SyncHdr/MsgID")?);
        let msg_id = msg_id.ok_or_else(|| error("SyncHdr/MsgID", DecodeErrorKind::Number))?;
        let target = self.target.get("SyncHdr/Target")?.uri.text("SyncHdr/Target/LocURI")?;
        let source = self.source.get("SyncHdr/Source")?;
        let (max_msg_size, max_obj_size) = self.sizes.unwrap_or_default();
        Ok(Header {
            source: source.uri.text("SyncHdr/Source/LocURI")?,
            source_name: source.name.any(),
            ver_dtd: self.ver_dtd.text("SyncHdr/VerDTD")?,
            ver_proto: self.ver_proto.text("SyncHdr/VerProto")?,
            session_id: SessionId(session_id),
            msg_id: MsgId(msg_id),
            target,
            cred: self.cred,
            max_msg_size,
            max_obj_size,
        })
    }
}

impl<'t> Address<'t> {
    fn read(elements: &mut Elements<'t>) -> Result<Self, XmlError> {
        let mut address = Self::default();
        while let Some(tag) = elements.child()? {
            match tag.local {
                "LocURI" => address.uri.set(elements.trimmed()?),
                "LocName" => address.name.read(elements)?,
                _ => elements.skip()?,
            }
        }
        Ok(address)
    }
}

/// A positive decimal number of at most ten digits.
fn positive(text: &str) -> Option<u64> {
    let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number > 0)
}

/// Reads one or more commands without an envelope, as an administrator supplies them: bare, or inside a `SyncBody`.
///
/// CmdIDs may be missing. Anything that is not a command is an error that names its position.
pub fn decode_fragment(bytes: &[u8], limits: &Limits) -> Result<Vec<Command>, DecodeError> {
    let text = decode_text(bytes).map_err(unreadable)?;
    let text = text.trim_start();
    let content = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, after)| after),
        None => text,
    };
    let wrapped = format!("<SyncBody xmlns=\"{}\">{content}</SyncBody>", ns::SYNCML12);
    let mut elements = Elements::new(Pull::new(&wrapped, limits).map_err(unreadable)?);
    let found = elements.root().and_then(|_| Fragment::read(&mut elements)).map_err(unreadable)?;
    elements.end().map_err(unreadable)?;
    let commands = found.innermost()?;
    if commands.is_empty() { Err(error("(document)", DecodeErrorKind::Missing)) } else { Ok(commands) }
}

/// The commands of one level; a `SyncBody` or `SyncML` that somebody left around them is one more.
struct Fragment {
    commands: Result<Vec<Command>, DecodeError>,
    body: Option<Box<Self>>,
    message: Option<Box<Self>>,
}

impl Fragment {
    /// Recursion is bounded by the depth that the XML reader allows.
    fn read(elements: &mut Elements<'_>) -> Result<Self, XmlError> {
        let mut level = Self { commands: Ok(Vec::new()), body: None, message: None };
        let mut index = 0;
        while let Some(tag) = elements.any_child()? {
            index += 1;
            let is_syncml = elements.is_syncml(&tag);
            match tag.local {
                "Final" => elements.skip()?,
                "SyncBody" if is_syncml && level.body.is_none() => level.body = Some(Box::new(Self::read(elements)?)),
                "SyncML" if is_syncml && level.message.is_none() => {
                    level.message = Some(Box::new(Self::read(elements)?));
                }
                _ => level.command(elements, &tag, index, is_syncml)?,
            }
        }
        Ok(level)
    }

    /// In what is supplied by hand, an element that is no command is a mistake worth naming; the first one is.
    fn command(
        &mut self,
        elements: &mut Elements<'_>,
        tag: &Tag<'_>,
        index: usize,
        is_syncml: bool,
    ) -> Result<(), XmlError> {
        let verb = Verb::from_name(tag.local).filter(|_| is_syncml);
        let (Some(verb), Ok(commands)) = (verb, &mut self.commands) else {
            if self.commands.is_ok() {
                self.commands = Err(error(&format!("{}[{index}]", tag.local), DecodeErrorKind::NotACommand));
            }
            return elements.skip();
        };
        let command = elements.command(verb)?;
        match elements.take_stray() {
            None => commands.push(command),
            Some(inner) => {
                let path = format!("{}[{index}]/{inner}", tag.local);
                self.commands = Err(error(&path, DecodeErrorKind::NotACommand));
            }
        }
        Ok(())
    }

    fn innermost(self) -> Result<Vec<Command>, DecodeError> {
        match self.body.or(self.message) {
            Some(inner) => inner.innermost(),
            None => self.commands,
        }
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
