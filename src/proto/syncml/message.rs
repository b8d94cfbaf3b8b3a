//! A SyncML message: header, body, and the elements a body can hold.

use std::fmt;

use super::command::{Command, Data, Item, Meta};

/// A SessionID: opaque, compared byte for byte. `0` is legal and usual after a boot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub String);

/// A MsgID: 1 in the first message of a session, then counting up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgId(pub u64);

/// One SyncML message in either direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `SyncHdr`.
    pub header: Header,
    /// The children of `SyncBody` in order, without `Final`.
    pub body: Vec<Element>,
    /// Whether `SyncBody` ends the package with `Final`.
    pub is_final: bool,
}

/// `SyncHdr` (MS-MDM 2.2.5.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `VerDTD`, `1.2`.
    pub ver_dtd: String,
    /// `VerProto`, `DM/1.2`.
    pub ver_proto: String,
    /// `SessionID` as sent.
    pub session_id: SessionId,
    /// `MsgID`.
    pub msg_id: MsgId,
    /// `Target/LocURI`.
    pub target: String,
    /// `Source/LocURI`: a claim, never an identity.
    pub source: String,
    /// `Source/LocName`: the user name that goes with `Cred`.
    pub source_name: Option<String>,
    /// `Cred`.
    pub cred: Option<Cred>,
    /// `Meta/MaxMsgSize` in bytes.
    pub max_msg_size: Option<u64>,
    /// `Meta/MaxObjSize` in bytes.
    pub max_obj_size: Option<u64>,
}

/// Credentials in a header or command.
#[derive(Clone, PartialEq)]
pub struct Cred {
    /// `Meta/Type`, e.g. `syncml:auth-md5`.
    pub scheme: String,
    /// `Data`.
    pub data: String,
}

impl fmt::Debug for Cred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cred").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// A child of `SyncBody`.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// The answer to a command or header of the other side.
    Status(Status),
    /// What a `Get` brought.
    Results(Results),
    /// A notification.
    Alert(Alert),
    /// Add, Replace, Delete, Get, Exec, Copy, Atomic or Sequence.
    Command(Command),
    /// An element of the SyncML namespace that we do not know.
    Unknown {
        /// Its local name.
        name: String,
        /// Its `CmdID`, if it has one.
        cmd_id: Option<String>,
    },
}

/// The number in `Status/Data`; 0 stands for text that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(pub u16);

/// `Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// `CmdID` of this Status.
    pub cmd_id: String,
    /// `MsgRef`: the message that is answered. 0 from a device that could not read our last message.
    pub msg_ref: Option<MsgId>,
    /// `CmdRef`: the command that is answered; `0` is the header.
    pub cmd_ref: String,
    /// `Cmd`: the name of what is answered.
    pub cmd: String,
    /// `TargetRef`s: which Items this Status is about; empty for all of them.
    pub target_refs: Vec<String>,
    /// `SourceRef`s.
    pub source_refs: Vec<String>,
    /// `Chal`.
    pub chal: Option<Chal>,
    /// `Data`.
    pub code: StatusCode,
    /// `msft:originalerror`, as written (`0x86000002`).
    pub original_error: Option<String>,
    /// `Item`s.
    pub items: Vec<Item>,
}

/// `Chal/Meta`.
#[derive(Clone, Debug, PartialEq)]
pub struct Chal {
    /// `Type`, e.g. `syncml:auth-md5`.
    pub scheme: String,
    /// `NextNonce`, base64.
    pub next_nonce: Option<String>,
}

/// `Results`.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// `CmdID` of this element.
    pub cmd_id: String,
    /// `MsgRef`; missing means 1.
    pub msg_ref: MsgId,
    /// `CmdRef`.
    pub cmd_ref: String,
    /// `Cmd`; no genuine capture has it.
    pub cmd: Option<String>,
    /// `Meta` for Items that have none of their own.
    pub meta: Meta,
    /// `Item`s, `Source` naming the node.
    pub items: Vec<Item>,
}

/// `Alert`.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// `CmdID`; Windows is answered with 400 and an empty CmdRef where it is missing.
    pub cmd_id: Option<String>,
    /// Whether `NoResp` asks for no Status.
    pub no_resp: bool,
    /// `Data`: the alert code; 0 stands for text that is no number.
    pub code: u16,
    /// `Item`s.
    pub items: Vec<Item>,
}

impl Alert {
    /// An alert without Items.
    #[must_use]
    pub fn bare(cmd_id: &str, code: u16) -> Self {
        Self { cmd_id: Some(cmd_id.to_owned()), no_resp: false, code, items: Vec::new() }
    }

    /// The `Meta/Type` of an Item, trimmed; some samples put `Type` beside `Meta`, the decoder folds that in.
    #[must_use]
    pub fn kind_of(item: &Item) -> &str {
        item.meta.kind.as_deref().unwrap_or_default().trim()
    }

    /// The data of the first Item of that type, exact case first, then without case.
    #[must_use]
    pub fn data_of(&self, kind: &str) -> Option<&str> {
        let found = self
            .items
            .iter()
            .find(|item| Self::kind_of(item) == kind)
            .or_else(|| self.items.iter().find(|item| Self::kind_of(item).eq_ignore_ascii_case(kind)))?;
        Some(found.data.as_ref().map_or("", Data::text))
    }
}

impl Status {
    /// A Status without references to Items.
    #[must_use]
    pub fn new(cmd_id: String, msg_ref: MsgId, cmd_ref: &str, cmd: &str, code: u16) -> Self {
        Self {
            cmd_id,
            msg_ref: Some(msg_ref),
            cmd_ref: cmd_ref.to_owned(),
            cmd: cmd.to_owned(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            chal: None,
            code: StatusCode(code),
            original_error: None,
            items: Vec::new(),
        }
    }
}
