//! The two forms of a message on the wire.

use super::decode::{DecodeError, decode, decode_wbxml};
use super::encode::{encode, encode_wbxml};
use super::message::Message;
use crate::proto::wbxml;
use crate::proto::xml::{Document, Limits};

/// XML, or its binary form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// XML.
    #[default]
    Xml,
    /// WBXML.
    Wbxml,
}

impl Encoding {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xml => "xml",
            Self::Wbxml => "wbxml",
        }
    }

    /// The encoding of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Xml, Self::Wbxml].into_iter().find(|encoding| encoding.as_str() == text)
    }

    /// The form of a message that was written by one of the writers: WBXML begins with its version.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.first().is_some_and(|first| *first <= 0x03) { Self::Wbxml } else { Self::Xml }
    }

    /// Reads one message.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] that names the place and the rule.
    pub fn decode(self, bytes: &[u8], limits: &Limits) -> Result<Message, DecodeError> {
        match self {
            Self::Xml => decode(bytes, limits),
            Self::Wbxml => decode_wbxml(bytes, limits),
        }
    }

    /// Writes one message.
    #[must_use]
    pub fn encode(self, message: &Message) -> Vec<u8> {
        match self {
            Self::Xml => encode(message),
            Self::Wbxml => encode_wbxml(message),
        }
    }

    /// Reads the tree of a message together with its XML text; `None` if there is none.
    #[must_use]
    pub fn document(self, bytes: &[u8], limits: &Limits) -> Option<Document> {
        match self {
            Self::Xml => Document::parse(bytes, limits).ok(),
            Self::Wbxml => wbxml::read(bytes, limits).ok(),
        }
    }
}

#[cfg(test)]
mod libwbxml;
#[cfg(test)]
mod tests;
