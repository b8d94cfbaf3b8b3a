//! The request: what is asked for, the PKCS#10 or PKCS#7 it is asked with, and what the device says of itself.

use super::TOKEN_TYPE;
use crate::proto::base64::{self, NotBase64};
use crate::proto::soap::envelope::{Envelope, Rejection, Request, RequestHeader, is_binary_token};
use crate::proto::soap::fault::Operation;
use crate::proto::soap::security::BASE64_BINARY;
use crate::proto::soap::{at_most_one, folded};
use crate::proto::xml::ns::{AUTHORIZATION, WSSE, WST};
use crate::proto::xml::{Element, XmlWriter};

/// ValueType of a certificate request.
pub const PKCS10: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS10";
/// ValueType of a signed renewal request, as the specification has it.
pub const PKCS7: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#PKCS7";
/// ValueType of a signed renewal request, as others have it.
pub const PKCS7_WSTEP: &str = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment#PKCS7";

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestType {
    /// A first certificate.
    Issue,
    /// The next certificate of an enrolled device.
    Renew,
    /// A certificate in place of a lost one.
    Recovery,
    /// Something else.
    Unknown(String),
}

impl RequestType {
    /// The wire spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Issue => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue",
            Self::Renew => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew",
            Self::Recovery => "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Recovery",
            Self::Unknown(text) => text,
        }
    }

    fn from_wire(text: String) -> Self {
        let known = [Self::Issue, Self::Renew, Self::Recovery];
        known.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Unknown(text))
    }
}

/// The BinarySecurityToken of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryToken {
    /// [`PKCS10`], [`PKCS7`], [`PKCS7_WSTEP`] or something else, without white space.
    pub value_type: String,
    /// The DER. Text that is no base64 makes a bad certificate request, not a bad message, so the rest of the request
    /// stays readable.
    pub bytes: Result<Vec<u8>, NotBase64>,
}

impl BinaryToken {
    /// Whether the token says that it is a plain certificate request.
    #[must_use]
    pub fn is_pkcs10(&self) -> bool {
        self.value_type == PKCS10
    }

    /// Whether the token says that it is a signed renewal request, under either of its two names.
    #[must_use]
    pub fn is_pkcs7(&self) -> bool {
        self.value_type == PKCS7 || self.value_type == PKCS7_WSTEP
    }
}

/// One `ac:ContextItem`: something the device says of itself, unproven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextItem {
    /// Name, trimmed; its letter case varies.
    pub name: String,
    /// Value, trimmed; may be empty.
    pub value: String,
}

/// A request for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSecurityToken {
    /// `wst:TokenType`, without white space; empty when absent.
    pub token_type: String,
    /// What is asked for.
    pub request_type: RequestType,
    /// The certificate request; `None` when absent or empty.
    pub token: Option<BinaryToken>,
    /// Every context item in order, doubles and unknown ones included.
    pub context: Vec<ContextItem>,
}

impl RequestSecurityToken {
    /// A request as MDM clients make it.
    #[must_use]
    pub fn new(request_type: RequestType, value_type: &str, der: Vec<u8>, context: Vec<ContextItem>) -> Self {
        let token = Some(BinaryToken { value_type: value_type.to_owned(), bytes: Ok(der) });
        Self { token_type: TOKEN_TYPE.to_owned(), request_type, token, context }
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] for another message, one without a request type, and one with two of a kind or with a
    /// token at another place.
    pub fn decode(envelope: &Envelope) -> Result<Self, Rejection> {
        envelope.expect_action(Operation::RequestSecurityToken.request_action())?;
        let body = &envelope.body;
        if !body.is(WST, "RequestSecurityToken") {
            return Err(Rejection::Format("the body is not a RequestSecurityToken"));
        }
        let text = |name| at_most_one(body, &[WST], name).map(|e| e.map(|e| folded(&e.text())));
        let request_type = text("RequestType")?.filter(|text| !text.is_empty());
        let mut context = Vec::new();
        for list in body.elements().filter(|e| e.local == "AdditionalContext") {
            collect_items(list, &mut context);
        }
        Ok(Self {
            token_type: text("TokenType")?.unwrap_or_default(),
            request_type: RequestType::from_wire(request_type.ok_or(Rejection::Format("the request type is missing"))?),
            token: token(body)?,
            context,
        })
    }

    /// Writes the request as Windows does. A token that is not base64 is left out.
    #[must_use]
    pub fn encode(&self, header: &RequestHeader<'_>) -> Vec<u8> {
        let action = Operation::RequestSecurityToken.request_action();
        // The envelope declares these for a message with a credential.
        let namespaces: &[(&str, &str)] = match header.credential {
            Some(_) => &[],
            None => &[("xmlns:wst", WST), ("xmlns:wsse", WSSE), ("xmlns:ac", AUTHORIZATION)],
        };
        Request { action, header, schema: false }.encode(|w| {
            w.element("wst:RequestSecurityToken", namespaces, |w| {
                w.leaf("wst:TokenType", &[], &self.token_type);
                w.leaf("wst:RequestType", &[], self.request_type.as_str());
                if let Some(BinaryToken { value_type, bytes: Ok(bytes) }) = &self.token {
                    let attributes = [("ValueType", value_type.as_str()), ("EncodingType", BASE64_BINARY)];
                    w.leaf("wsse:BinarySecurityToken", &attributes, &base64::encode(bytes));
                }
                w.element("ac:AdditionalContext", &[("xmlns", AUTHORIZATION)], |w| self.items_out(w));
            });
        })
    }

    fn items_out(&self, w: &mut XmlWriter) {
        for item in &self.context {
            w.element("ac:ContextItem", &[("Name", &item.name)], |w| w.leaf("ac:Value", &[], &item.value));
        }
    }

    /// The first value of that name, whatever its letter case; an empty one counts as missing.
    #[must_use]
    pub fn item(&self, name: &str) -> Option<&str> {
        self.items(name).next()
    }

    /// All values of that name in order, empty ones left out.
    pub fn items(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.context.iter().filter(move |item| item.name.eq_ignore_ascii_case(name));
        named.map(|item| item.value.as_str()).filter(|value| !value.is_empty())
    }

    /// The item as a truth value; `None` when it is missing or says neither.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        let value = self.item(name)?;
        let is = |words: [&str; 2]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
        if is(["true", "1"]) { Some(true) } else { is(["false", "0"]).then_some(false) }
    }
}

/// The token that stands directly in the request. The envelope has counted at most one in the whole body, so one that
/// is not found here stands somewhere else.
fn token(body: &Element) -> Result<Option<BinaryToken>, Rejection> {
    let Some(token) = body.elements().find(|e| is_binary_token(e)) else {
        let misplaced = body.elements().any(holds_token);
        return if misplaced { Err(Rejection::Format("a token stands outside of its place")) } else { Ok(None) };
    };
    let text = token.text();
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value_type = token.attribute("ValueType").map(folded).unwrap_or_default();
    Ok(Some(BinaryToken { value_type, bytes: base64::decode(&text) }))
}

fn holds_token(element: &Element) -> bool {
    is_binary_token(element) || element.elements().any(holds_token)
}

/// Real requests are flat; one published sample nests the items, so they are looked for at any depth.
fn collect_items(list: &Element, into: &mut Vec<ContextItem>) {
    for item in list.elements().filter(|e| e.local == "ContextItem") {
        let name = item.attribute("Name").unwrap_or_default().trim().to_owned();
        let value = item.elements().find(|e| e.local == "Value").map(Element::trimmed).unwrap_or_default();
        into.push(ContextItem { name, value });
        collect_items(item, into);
    }
}
