//! The SOAP envelope of the enrollment services: one header with addressing, at most one Security, one body.
//!
//! What may stand once is counted here, and a second one, or a credential at another place, refuses the message:
//! nothing is picked. [MS-MDE2] 2.1, WS-Addressing, WS-Security.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::fault::{Fault, Subcode};
use super::security::Credential;
use super::{at_most_one, folded};
use crate::proto::xml::ns::{ADDRESSING, AUTHORIZATION, DIAGNOSTICS, SOAP11, SOAP12, WSSE, WST, WSU, XSD, XSI};
use crate::proto::xml::{Document, Element, Limits, XmlError, XmlWriter};

/// A SOAP message that was read: a request by the server, an answer by a device.
pub struct Envelope {
    /// `a:Action` without white space.
    pub action: String,
    /// `a:MessageID` byte for byte, to be echoed; `None` when absent or blank.
    pub message_id: Option<String>,
    /// `a:RelatesTo` byte for byte (answers only).
    pub relates_to: Option<String>,
    /// `a:To`, trimmed. Real devices add `:443` and change letter case: never compare it with one's own URL.
    pub to: Option<String>,
    /// The text of `ActivityId` (answers only).
    pub activity_id: Option<String>,
    /// The one child of `s:Body`.
    pub body: Element,
    security: Option<Element>,
}

impl fmt::Debug for Envelope {
    /// Header and body hold passwords and tokens; only what is none of them is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("action", &self.action)
            .field("message_id", &self.message_id)
            .field("body", &self.body.local)
            .finish_non_exhaustive()
    }
}

/// A message that is not processed, with the id to relate the answer to when it could still be read.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// `a:MessageID` byte for byte.
    pub message_id: Option<String>,
    /// The rule that was broken.
    pub reason: Rejection,
}

/// The rule that a request broke, in words of our own; never a piece of the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not readable as XML, or over a limit: HTTP 400 without SOAP.
    #[error(transparent)]
    NotXml(#[from] XmlError),
    /// XML, but no SOAP envelope: HTTP 400 without SOAP.
    #[error("not a SOAP envelope")]
    NotSoap,
    /// A part is missing, double or misplaced: fault `s:MessageFormat`.
    #[error("{0}")]
    Format(&'static str),
    /// The Security header is missing, double or unreadable: fault `a:InvalidSecurity`.
    #[error("{0}")]
    InvalidSecurity(&'static str),
}

impl Rejection {
    /// The fault to answer with; `None` where the answer is HTTP 400 without SOAP.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let subcode = match self {
            Self::NotXml(_) | Self::NotSoap => return None,
            Self::Format(_) => Subcode::MessageFormat,
            Self::InvalidSecurity(_) => Subcode::InvalidSecurity,
        };
        Some(Fault { subcode, error_type: None, reason: format!("The request could not be read: {self}.") })
    }
}

/// The header of every answer and fault.
#[derive(Clone, Copy, Debug)]
pub struct ReplyHeader<'a> {
    /// The request's `a:MessageID`, byte for byte; left out when it had none.
    pub relates_to: Option<&'a str>,
    /// `ActivityId` and its `CorrelationId`; faults repeat it as `TraceId`, and the server's log names it.
    pub activity_id: Uuid,
}

/// The header of a request, as a device writes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestHeader<'a> {
    /// `a:MessageID`, written as it stands.
    pub message_id: &'a str,
    /// `a:To`.
    pub to: &'a str,
    /// What goes into `wsse:Security`; `None` leaves the header out.
    pub credential: Option<&'a Credential>,
    /// A `u:Timestamp` before the credential, as a renewal has it.
    pub created: Option<OffsetDateTime>,
}

impl Envelope {
    /// Reads a message in the SOAP 1.2 or 1.1 namespace.
    ///
    /// # Errors
    ///
    /// [`Rejected`] names the rule that was broken. The credential is only counted here; see [`Self::credential`].
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, Rejected> {
        let unread = |reason| Rejected { message_id: None, reason };
        let document = Document::parse(bytes, limits).map_err(|error| unread(error.into()))?;
        let root = document.root();
        if root.local != "Envelope" || ![SOAP12, SOAP11].contains(&root.ns.as_str()) {
            return Err(unread(Rejection::NotSoap));
        }
        Self::from_root(root).map_err(|reason| Rejected { message_id: message_id(root), reason })
    }

    fn from_root(root: &Element) -> Result<Self, Rejection> {
        let soap = [root.ns.as_str()];
        if root.elements().any(|e| e.ns != root.ns || !matches!(e.local.as_str(), "Header" | "Body")) {
            return Err(Rejection::Format("the envelope holds more than Header and Body"));
        }
        let header = at_most_one(root, &soap, "Header")?.ok_or(Rejection::Format("the SOAP header is missing"))?;
        let body = at_most_one(root, &soap, "Body")?.ok_or(Rejection::Format("the SOAP body is missing"))?;
        let action = at_most_one(header, &[ADDRESSING], "Action")?.map(|e| folded(&e.text())).unwrap_or_default();
        if action.is_empty() {
            return Err(Rejection::Format("the action is missing"));
        }
        at_most_one(header, &[ADDRESSING], "MessageID")?;
        let to = at_most_one(header, &[ADDRESSING], "To")?.map(Element::trimmed);
        let security = security(header)?;
        let body = only_body_child(body)?;
        Ok(Self {
            action,
            message_id: message_id(root),
            relates_to: header.child(ADDRESSING, "RelatesTo").map(|e| e.text().into_owned()),
            to,
            activity_id: header.child(DIAGNOSTICS, "ActivityId").map(Element::trimmed),
            body: body.clone(),
            security: security.cloned(),
        })
    }

    /// The credential of the Security header.
    ///
    /// # Errors
    ///
    /// [`Rejection::InvalidSecurity`] when there is none, when it cannot be read, and when it is of a kind that is not
    /// accepted (a password digest, an XML signature).
    pub fn credential(&self) -> Result<Credential, Rejection> {
        match &self.security {
            Some(security) => Credential::decode(security),
            None => Err(Rejection::InvalidSecurity("the Security header is missing")),
        }
    }

    /// Checks that the message is of this action.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] otherwise.
    pub fn expect_action(&self, action: &str) -> Result<(), Rejection> {
        if self.action == action { Ok(()) } else { Err(Rejection::Format("the action is not one of this service")) }
    }
}

/// The text of the only `a:MessageID`, untrimmed, as `a:RelatesTo` has to repeat it.
fn message_id(root: &Element) -> Option<String> {
    let header = at_most_one(root, &[root.ns.as_str()], "Header").ok()??;
    let text = at_most_one(header, &[ADDRESSING], "MessageID").ok()??.text();
    (!text.trim().is_empty()).then(|| text.into_owned())
}

/// The Security header; refuses a second one, a second credential in it and a credential outside of it.
fn security(header: &Element) -> Result<Option<&Element>, Rejection> {
    let security = at_most_one(header, &[WSSE], "Security")
        .map_err(|_| Rejection::InvalidSecurity("there are two Security headers"))?;
    let credentials = security.map_or(0, |s| s.elements().filter(|e| is_credential(e)).count());
    if credentials > 1 {
        return Err(Rejection::InvalidSecurity("the Security header holds two credentials"));
    }
    let headers = usize::from(security.is_some());
    if count(header, &is_credential) != credentials || count(header, &is_security) != headers {
        return Err(Rejection::InvalidSecurity("a credential stands outside of its place"));
    }
    Ok(security)
}

/// The one child of the body. A token may stand in it once (where, the request decides), a credential of a user never.
fn only_body_child(body: &Element) -> Result<&Element, Rejection> {
    let mut children = body.elements();
    let child = match (children.next(), children.next()) {
        (Some(child), None) => child,
        (None, _) => return Err(Rejection::Format("the SOAP body is empty")),
        (Some(_), Some(_)) => return Err(Rejection::Format("the SOAP body holds more than one element")),
    };
    let stray = |e: &Element| is_security(e) || e.is(WSSE, "UsernameToken");
    if count(body, &stray) > 0 || count(body, &|e| is_binary_token(e)) > 1 {
        return Err(Rejection::Format("a credential stands outside of its place"));
    }
    Ok(child)
}

fn is_security(element: &Element) -> bool {
    element.is(WSSE, "Security")
}

fn is_credential(element: &Element) -> bool {
    element.is(WSSE, "UsernameToken") || is_binary_token(element)
}

/// Whether this is a `wsse:BinarySecurityToken`; one sample of [MS-WSTEP] wraps even the namespace name.
pub(in crate::proto) fn is_binary_token(element: &Element) -> bool {
    element.local == "BinarySecurityToken" && folded(&element.ns) == WSSE
}

/// How many descendants are of that kind. The reader bounds the depth.
fn count(element: &Element, kind: &dyn Fn(&Element) -> bool) -> usize {
    element.elements().map(|child| usize::from(kind(child)) + count(child, kind)).sum()
}

/// An answer to be written: what differs between the operations, beside the body.
pub(in crate::proto) struct Reply<'a> {
    pub action: &'a str,
    pub header: &'a ReplyHeader<'a>,
    /// Whether `s:Body` declares the two schema namespaces.
    pub schema: bool,
    /// The time of a `u:Timestamp` in an `o:Security` header.
    pub created: Option<OffsetDateTime>,
}

impl Reply<'_> {
    /// The message with `body` inside `s:Body`.
    pub(in crate::proto) fn encode(&self, body: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
        let mut w = XmlWriter::new();
        let mut namespaces = vec![("xmlns:s", SOAP12), ("xmlns:a", ADDRESSING)];
        namespaces.extend(self.created.map(|_| ("xmlns:u", WSU)));
        w.element("s:Envelope", &namespaces, |w| {
            w.element("s:Header", &[], |w| self.header(w));
            w.element("s:Body", schema(self.schema), body);
        });
        w.into_bytes()
    }

    fn header(&self, w: &mut XmlWriter) {
        w.leaf("a:Action", &[MUST_UNDERSTAND], self.action);
        let id = self.header.activity_id.to_string();
        w.leaf("ActivityId", &[("CorrelationId", &id), ("xmlns", DIAGNOSTICS)], &id);
        if let Some(relates_to) = self.header.relates_to {
            w.leaf("a:RelatesTo", &[], relates_to);
        }
        if let Some(created) = self.created {
            w.element("o:Security", &[MUST_UNDERSTAND, ("xmlns:o", WSSE)], |w| timestamp(w, created));
        }
    }
}

/// A request to be written, as Windows writes it.
pub(in crate::proto) struct Request<'a> {
    pub action: &'a str,
    pub header: &'a RequestHeader<'a>,
    /// Whether `s:Body` declares the two schema namespaces.
    pub schema: bool,
}

impl Request<'_> {
    /// The message with `body` inside `s:Body`.
    pub(in crate::proto) fn encode(&self, body: impl FnOnce(&mut XmlWriter)) -> Vec<u8> {
        let namespaces: &[(&str, &str)] = match self.header.credential {
            None => &[("xmlns:a", ADDRESSING), ("xmlns:s", SOAP12)],
            Some(_) => &[
                ("xmlns:s", SOAP12),
                ("xmlns:a", ADDRESSING),
                ("xmlns:u", WSU),
                ("xmlns:wsse", WSSE),
                ("xmlns:wst", WST),
                ("xmlns:ac", AUTHORIZATION),
            ],
        };
        let mut w = XmlWriter::new();
        w.element("s:Envelope", namespaces, |w| {
            w.element("s:Header", &[], |w| self.header(w));
            w.element("s:Body", schema(self.schema), body);
        });
        w.into_bytes()
    }

    fn header(&self, w: &mut XmlWriter) {
        w.leaf("a:Action", &[MUST_UNDERSTAND], self.action);
        w.leaf("a:MessageID", &[], self.header.message_id);
        w.element("a:ReplyTo", &[], |w| w.leaf("a:Address", &[], ANONYMOUS));
        w.leaf("a:To", &[MUST_UNDERSTAND], self.header.to);
        if let Some(credential) = self.header.credential {
            w.element("wsse:Security", &[MUST_UNDERSTAND], |w| {
                if let Some(created) = self.header.created {
                    timestamp(w, created);
                }
                credential.encode(w);
            });
        }
    }
}

fn schema(declared: bool) -> &'static [(&'static str, &'static str)] {
    if declared { &[("xmlns:xsi", XSI), ("xmlns:xsd", XSD)] } else { &[] }
}

fn timestamp(w: &mut XmlWriter, created: OffsetDateTime) {
    w.element("u:Timestamp", &[("u:Id", "_0")], |w| {
        w.leaf("u:Created", &[], &wire_time(created));
        w.leaf("u:Expires", &[], &wire_time(created + TIMESTAMP_LIFE));
    });
}

/// UTC with milliseconds and `Z`.
fn wire_time(time: OffsetDateTime) -> String {
    time.to_offset(UtcOffset::UTC).format(WIRE_TIME).expect("the format names only parts that every time has")
}

const WIRE_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const TIMESTAMP_LIFE: Duration = Duration::minutes(5);
const MUST_UNDERSTAND: (&str, &str) = ("s:mustUnderstand", "1");
const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";

#[cfg(test)]
mod tests;
