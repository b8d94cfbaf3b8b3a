//! SyncML (OMA-DM 1.2 as MS-MDM profiles it): message types, the tolerant decoder, the strict encoder.
//!
//! Input is read by name and namespace in any order that Windows or clients of other makers use; output follows the
//! order of the DTD. Both directions share the types, so that what one side writes the other reads.

mod alert_type;
#[cfg(test)]
mod arbitrary;
mod codes;
mod command;
mod cred;
mod decode;
mod elements;
mod encode;
mod encoding;
mod loc_uri;
mod message;

pub use alert_type::AlertType;
pub use codes::{Verdict, hresult_name, retry_rule, status_words, verdict};
pub use command::{Command, Data, Item, Meta, Verb};
pub use cred::{account_uid, basic_credential, md5_credential};
pub use decode::{DecodeError, DecodeErrorKind, decode, decode_fragment};
pub use encode::{encode, encode_fragment, encoded_len, message_len};
pub use encoding::Encoding;
pub use loc_uri::{LocUri, LocUriError, escape_segment, node_key, same_node, split_children, unescape_segment};
pub use message::{Alert, Chal, Cred, Element, Header, Message, MsgId, Results, SessionId, Status, StatusCode};

pub use crate::proto::xml::prefix_within;

/// The media type of SyncML in XML.
pub const MEDIA_TYPE: &str = "application/vnd.syncml.dm+xml";
/// The media type of SyncML in WBXML.
pub const MEDIA_TYPE_WBXML: &str = "application/vnd.syncml.dm+wbxml";
/// The media type of SyncML in WBXML, as clients of other makers write it.
pub const OTHER_MEDIA_TYPE_WBXML: &str = "application/vnd.syncml+wbxml";
