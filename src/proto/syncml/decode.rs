//! The tolerant decoder: reads by name, in any order, from the namespaces that real clients use.
//!
//! Management reference 1.6 (header rules), 2.1 (grammar and namespaces), 2.5 (what `Data` may hold).

use super::command::{Command, Data, Item, Meta, Verb};
use super::loc_uri::LocUri;
use super::message::StatusCode;
use super::message::{Alert, Chal, Cred, Element as BodyElement, Header, Message, MsgId, Results, SessionId, Status};
use crate::proto::wbxml::{self, WbxmlError};
use crate::proto::xml::{Document, Element, Limits, XmlError, ns};

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
    message(&Document::parse(bytes, limits).map_err(|e| error("(document)", e.into()))?)
}

/// Reads one message in WBXML.
pub(super) fn decode_wbxml(bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
    message(&wbxml::read(bytes, limits).map_err(|e| error("(document)", e.into()))?)
}

fn message(document: &Document) -> Result<Message, DecodeError> {
    let root = document.root();
    if root.local != "SyncML" || !is_syncml(root) {
        return Err(error("(root)", DecodeErrorKind::Root));
    }
    let header = only(root, "SyncHdr", "SyncHdr")?;
    let body = only(root, "SyncBody", "SyncBody")?;
    let reader = Reader { document };
    Ok(Message {
        header: decode_header(header)?,
        body: syncml_children(body)
            .filter(|child| child.local != "Final")
            .map(|child| reader.body_element(child))
            .collect(),
        is_final: child(body, "Final").is_some(),
    })
}

/// Reads one or more commands without an envelope, as an administrator supplies them: bare, or inside a `SyncBody`.
///
/// CmdIDs may be missing. Anything that is not a command is an error that names its position.
pub fn decode_fragment(bytes: &[u8], limits: &Limits) -> Result<Vec<Command>, DecodeError> {
    let text = crate::proto::xml::decode_text(bytes).map_err(|e| error("(document)", e.into()))?;
    let text = text.trim_start();
    let content = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, after)| after),
        None => text,
    };
    let wrapped = format!("<SyncBody xmlns=\"{}\">{content}</SyncBody>", ns::SYNCML12);
    let document = Document::parse_text(wrapped, limits).map_err(|e| error("(document)", e.into()))?;
    let reader = Reader { document: &document };
    let mut body = document.root();
    while let Some(inner) = only_wrapper(body) {
        body = inner;
    }
    let mut commands = Vec::new();
    for (index, child) in body.elements().enumerate().filter(|(_, child)| child.local != "Final") {
        let path = format!("{}[{}]", child.local, index + 1);
        let verb = Verb::from_name(&child.local).filter(|_| is_syncml(child));
        let verb = verb.ok_or_else(|| error(&path, DecodeErrorKind::NotACommand))?;
        let command = reader.command(verb, child);
        check_children(child, &path)?;
        commands.push(command);
    }
    if commands.is_empty() {
        return Err(error("(document)", DecodeErrorKind::Missing));
    }
    Ok(commands)
}

/// A `SyncML` or `SyncBody` that somebody left around the commands.
fn only_wrapper(body: &Element) -> Option<&Element> {
    let inner = child(body, "SyncBody").or_else(|| child(body, "SyncML"))?;
    is_syncml(inner).then_some(inner)
}

/// In a container supplied by hand, an element that is no command is a mistake worth naming.
fn check_children(element: &Element, path: &str) -> Result<(), DecodeError> {
    if !matches!(element.local.as_str(), "Atomic" | "Sequence") {
        return Ok(());
    }
    for (index, inner) in element.elements().enumerate() {
        if matches!(inner.local.as_str(), "CmdID" | "NoResp" | "Meta") {
            continue;
        }
        let path = format!("{path}/{}[{}]", inner.local, index + 1);
        if Verb::from_name(&inner.local).is_none() {
            return Err(error(&path, DecodeErrorKind::NotACommand));
        }
        check_children(inner, &path)?;
    }
    Ok(())
}

fn decode_header(header: &Element) -> Result<Header, DecodeError> {
    let text = |name: &str| {
        let path = format!("SyncHdr/{name}");
        let value = only(header, name, &path)?.trimmed();
        if value.is_empty() { Err(error(&path, DecodeErrorKind::Missing)) } else { Ok(value) }
    };
    let session_id = text("SessionID")?;
    if session_id.chars().count() > 32 {
        return Err(error("SyncHdr/SessionID", DecodeErrorKind::TooLong));
    }
    let msg_id = positive(&text("MsgID")?).ok_or_else(|| error("SyncHdr/MsgID", DecodeErrorKind::Number))?;
    let (target, _) = address(header, "Target")?;
    let (source, source_name) = address(header, "Source")?;
    let sizes = child(header, "Meta").map(meta).unwrap_or_default();
    Ok(Header {
        ver_dtd: text("VerDTD")?,
        ver_proto: text("VerProto")?,
        session_id: SessionId(session_id),
        msg_id: MsgId(msg_id),
        target,
        source,
        source_name,
        cred: child(header, "Cred").map(|cred| Cred {
            scheme: child(cred, "Meta").map(meta).unwrap_or_default().kind.unwrap_or_default(),
            data: child(cred, "Data").map(Element::trimmed).unwrap_or_default(),
        }),
        max_msg_size: sizes.max_msg_size,
        max_obj_size: sizes.max_obj_size,
    })
}

fn address(header: &Element, name: &str) -> Result<(String, Option<String>), DecodeError> {
    let path = format!("SyncHdr/{name}");
    let element = only(header, name, &path)?;
    let path = format!("{path}/LocURI");
    let uri = only(element, "LocURI", &path)?.trimmed();
    if uri.is_empty() {
        return Err(error(&path, DecodeErrorKind::Missing));
    }
    Ok((uri, child(element, "LocName").map(Element::trimmed)))
}

/// A positive decimal number of at most ten digits.
fn positive(text: &str) -> Option<u64> {
    let digits = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number > 0)
}

struct Reader<'d> {
    document: &'d Document,
}

impl Reader<'_> {
    fn body_element(&self, element: &Element) -> BodyElement {
        match element.local.as_str() {
            "Status" => BodyElement::Status(self.status(element)),
            "Results" => BodyElement::Results(self.results(element)),
            "Alert" => BodyElement::Alert(self.alert(element)),
            name => match Verb::from_name(name) {
                Some(verb) => BodyElement::Command(self.command(verb, element)),
                None => BodyElement::Unknown { name: name.to_owned(), cmd_id: optional(element, "CmdID") },
            },
        }
    }

    fn status(&self, element: &Element) -> Status {
        let data = child(element, "Data");
        Status {
            cmd_id: optional(element, "CmdID").unwrap_or_default(),
            msg_ref: optional(element, "MsgRef").and_then(|text| text.parse().ok()).map(MsgId),
            cmd_ref: optional(element, "CmdRef").unwrap_or_default(),
            cmd: optional(element, "Cmd").unwrap_or_default(),
            target_refs: references(element, "TargetRef"),
            source_refs: references(element, "SourceRef"),
            chal: child(element, "Chal").map(|chal| {
                let meta = child(chal, "Meta").map(meta).unwrap_or_default();
                Chal { scheme: meta.kind.unwrap_or_default(), next_nonce: meta.next_nonce }
            }),
            code: StatusCode(data.and_then(|data| data.trimmed().parse().ok()).unwrap_or(0)),
            original_error: data
                .and_then(|data| data.attribute("originalerror"))
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty()),
            items: self.items(element),
        }
    }

    fn results(&self, element: &Element) -> Results {
        let mut items = self.items(element);
        let whole = child(element, "Meta").map(meta).unwrap_or_default();
        let source = references(element, "SourceRef").into_iter().chain(references(element, "TargetRef")).next();
        for item in &mut items {
            // The node is the Item's Source; some clients name it as Target, or once for the whole element.
            item.source = item.source.take().or_else(|| item.target.clone());
            item.source = item.source.take().or_else(|| source.as_deref().map(LocUri::received));
            item.meta.format = item.meta.format.take().or_else(|| whole.format.clone());
            item.meta.kind = item.meta.kind.take().or_else(|| whole.kind.clone());
        }
        Results {
            cmd_id: optional(element, "CmdID").unwrap_or_default(),
            msg_ref: MsgId(optional(element, "MsgRef").and_then(|text| text.parse().ok()).unwrap_or(1)),
            cmd_ref: optional(element, "CmdRef").unwrap_or_default(),
            cmd: optional(element, "Cmd"),
            meta: whole,
            items,
        }
    }

    fn alert(&self, element: &Element) -> Alert {
        Alert {
            cmd_id: optional(element, "CmdID"),
            no_resp: child(element, "NoResp").is_some(),
            code: child(element, "Data").and_then(|data| data.trimmed().parse().ok()).unwrap_or(0),
            items: self.items(element),
        }
    }

    /// Recursion is bounded by the depth that the XML reader allows.
    fn command(&self, verb: Verb, element: &Element) -> Command {
        let nested = |inner: &Element| {
            Verb::from_name(&inner.local).filter(|_| verb.is_container()).map(|verb| self.command(verb, inner))
        };
        Command {
            verb,
            cmd_id: optional(element, "CmdID").unwrap_or_default(),
            no_resp: child(element, "NoResp").is_some(),
            meta: child(element, "Meta").map(meta).unwrap_or_default(),
            items: self.items(element),
            children: syncml_children(element).filter_map(nested).collect(),
        }
    }

    fn items(&self, element: &Element) -> Vec<Item> {
        syncml_children(element).filter(|child| child.local == "Item").map(|item| self.item(item)).collect()
    }

    fn item(&self, element: &Element) -> Item {
        let uri = |name: &str| {
            let text = child(child(element, name)?, "LocURI")?.trimmed();
            (!text.is_empty()).then(|| LocUri::received(&text))
        };
        let mut meta = child(element, "Meta").map(meta).unwrap_or_default();
        // Some of Microsoft's alert samples put Type beside Meta.
        meta.kind = meta.kind.or_else(|| optional(element, "Type"));
        meta.format = meta.format.or_else(|| optional(element, "Format"));
        Item {
            target: uri("Target"),
            source: uri("Source"),
            meta,
            data: child(element, "Data").map(|data| self.data(data)),
            more_data: child(element, "MoreData").is_some(),
        }
    }

    /// Text, CDATA flattened; markup is kept as it was written.
    fn data(&self, element: &Element) -> Data {
        if element.has_elements() {
            Data::new(self.document.inner_xml(element).trim())
        } else {
            Data::new(element.text())
        }
    }
}

/// The children of `Meta` are taken from any namespace: samples leave `syncml:metinf` out or misspell it.
fn meta(element: &Element) -> Meta {
    let mut meta = Meta::default();
    for inner in element.elements() {
        let text = Some(inner.trimmed()).filter(|text| !text.is_empty());
        match inner.local.as_str() {
            "Format" => meta.format = text,
            "Type" => meta.kind = text,
            "Mark" => meta.mark = text,
            "Size" => meta.size = text.and_then(|text| text.parse().ok()),
            "NextNonce" => meta.next_nonce = text,
            "MaxMsgSize" => meta.max_msg_size = text.and_then(|text| text.parse().ok()),
            "MaxObjSize" => meta.max_obj_size = text.and_then(|text| text.parse().ok()),
            _ => {}
        }
    }
    meta
}

/// Text in SyncML, a nested `LocURI` in MS-MDM.
fn references(element: &Element, name: &str) -> Vec<String> {
    syncml_children(element)
        .filter(|child| child.local == name)
        .map(|reference| child(reference, "LocURI").map_or_else(|| reference.trimmed(), Element::trimmed))
        .filter(|text| !text.is_empty())
        .collect()
}

fn optional(element: &Element, name: &str) -> Option<String> {
    child(element, name).map(Element::trimmed).filter(|text| !text.is_empty())
}

fn only<'e>(element: &'e Element, name: &str, path: &str) -> Result<&'e Element, DecodeError> {
    let mut found = syncml_children(element).filter(|child| child.local == name);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(error(path, DecodeErrorKind::Repeated)),
        (None, _) => Err(error(path, DecodeErrorKind::Missing)),
    }
}

fn child<'e>(element: &'e Element, name: &str) -> Option<&'e Element> {
    syncml_children(element).find(|child| child.local == name)
}

fn syncml_children(element: &Element) -> impl Iterator<Item = &Element> {
    element.elements().filter(|child| is_syncml(child))
}

/// SyncML 1.0, 1.1, 1.2 and no namespace at all, compared without case.
fn is_syncml(element: &Element) -> bool {
    element.ns.is_empty()
        || ["SYNCML:SYNCML1.2", "SYNCML:SYNCML1.1", "SYNCML:SYNCML1.0"]
            .iter()
            .any(|name| element.ns.eq_ignore_ascii_case(name))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
