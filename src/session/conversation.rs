//! What is remembered of an enrollment's sessions between two messages.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::arrival::Arrival;
use super::auth::{Admission, Proven};
use super::automatic::Automatic;
use super::documents::{DocumentTurn, KnownDocument};
use super::provisioned::{ProvisionTurn, Provisioned};
use super::push::PushTurn;
use super::sending::Sending;
use super::signatures::SeenSignatures;
use super::status_page::{PageTurn, StatusPage};
use crate::domain::Id;
use crate::domain::command::QueuedCommand;
use crate::domain::entra::TokenEvidence;
use crate::domain::inventory::InventoryItem;
use crate::domain::proof::Proof;
use crate::domain::session_record::SessionRecord;

/// How long a closed session is remembered, and its last answer kept (management reference 1.14).
pub(super) const REMEMBERED: Duration = Duration::minutes(10);

/// The sessions of one enrollment, as far as the next message needs them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The newest session, open or closed.
    pub current: Option<SessionState>,
    /// Sessions before it that closed a short while ago.
    #[serde(default)]
    pub earlier: Vec<SessionState>,
    /// Set after two answers that the device could not read: one command per message until the culprit has shown itself.
    #[serde(default)]
    pub one_by_one: bool,
    /// The message with which the device left.
    #[serde(default)]
    pub farewell: Option<Farewell>,
    /// The retire action, open or not, while the enrollment is retiring.
    #[serde(default)]
    pub retire: Option<Id<QueuedCommand>>,
    /// Signed messages that were taken.
    #[serde(default)]
    pub signatures: SeenSignatures,
    /// The enrollment status page, once it was held.
    #[serde(default)]
    pub status_page: Option<StatusPage>,
    /// The documents of declared configuration that the device has.
    #[serde(default)]
    pub documents: Vec<KnownDocument>,
    /// The build of Windows on which the list of CSPs was read last.
    #[serde(default)]
    pub csps_of: Option<u32>,
    /// Nodes of an Atomic that failed and could not be rolled back, as far as nothing set them since.
    #[serde(default)]
    pub mixed: BTreeSet<String>,
    /// What it has of what can be set anew of its provisioning document.
    #[serde(default)]
    pub provisioned: Provisioned,
    /// A digest of what the device told about itself last with package 1, as long as that is in the inventory.
    #[serde(default)]
    pub told: Option<u64>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionState {
    /// Our id of it.
    pub id: Id<SessionRecord>,
    /// `SessionID` as sent.
    pub wire_id: String,
    /// `Source/LocURI` of its first message.
    pub source: String,
    /// First message.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub opened_at: OffsetDateTime,
    /// Last message.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub last_at: OffsetDateTime,
    /// MsgID of the last message of the device.
    pub last_msg_id: u64,
    /// SHA-256 of its body.
    pub last_digest: [u8; 32],
    /// Messages of the device so far.
    pub messages: u32,
    /// MsgID of our last answer.
    pub our_msg_id: u64,
    /// When and how it was closed.
    pub closed: Option<Closed>,
    /// Who is signed in on the device.
    pub login: Login,
    /// What proved the device when it began.
    #[serde(default)]
    pub proofs: Vec<Proof>,
    /// The network from which a digest credential proved it, if one did.
    #[serde(default)]
    pub digest_from: Option<IpAddr>,
    /// What the Entra tokens that came with its messages are worth.
    #[serde(default)]
    pub tokens: TokenEvidence,
    /// Answers of ours that the device could not read.
    pub unreadable: u32,
    /// The device processes no more commands in this session (Status 214).
    #[serde(default)]
    pub cancelled: bool,
    /// What the server asks on its own in this session.
    pub automatic: Automatic,
    /// What was sent for the enrollment status page in this session.
    #[serde(default)]
    pub page_turn: PageTurn,
    /// What was asked about push in this session.
    #[serde(default)]
    pub push_turn: PushTurn,
    /// What was asked about declared documents in this session.
    #[serde(default)]
    pub document_turn: DocumentTurn,
    /// What is set anew of its provisioning document in this session.
    #[serde(default, skip_serializing_if = "ProvisionTurn::is_settled")]
    pub provision_turn: ProvisionTurn,
    /// What the first request told about itself.
    #[serde(default)]
    pub opening: Opening,
    /// What was odd, in words; the first fifty.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// The large object that the device is sending.
    #[serde(default)]
    pub arrival: Option<Arrival>,
    /// The large value that the device is being sent.
    #[serde(default)]
    pub sending: Option<Sending>,
    /// Bytes that the device takes in one message, as it announced.
    #[serde(default)]
    pub max_msg_size: Option<u64>,
    /// Bytes that it takes in one value, as it announced.
    #[serde(default)]
    pub max_obj_size: Option<u64>,
}

/// What the request that opened a session told beside the message (management reference 1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// `user` or `system`, by the `mode` of the query.
    pub mode: Option<String>,
    /// `MS-CV`.
    pub correlation: Option<String>,
    /// `client-request-id`.
    pub client_request_id: Option<String>,
}

/// When and how a session was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub at: OffsetDateTime,
    /// How.
    pub how: Closing,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Nothing more to say.
    Completed,
    /// Alert 1223, or messages that contradict each other.
    Aborted,
    /// The device began another one.
    Superseded,
    /// No message for too long.
    TimedOut,
    /// The device left.
    Unenrolled,
}

impl Closing {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
            Self::TimedOut => "timed_out",
            Self::Unenrolled => "unenrolled",
        }
    }
}

/// The message with which the device left: only its repetition is still answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Farewell {
    /// Session it came in.
    pub session: Id<SessionRecord>,
    /// SHA-256 of its body.
    pub digest: [u8; 32],
    /// When.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub at: OffsetDateTime,
}

/// Who is signed in, as the login alert says (management reference 4.1); a missing alert means nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// The user who enrolled.
    User,
    /// Somebody else.
    Others,
    /// Nobody.
    #[default]
    None,
}

impl Login {
    /// Reads the data of the alert, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "user" => Self::User,
            "others" => Self::Others,
            _ => Self::None,
        }
    }

    /// The word of the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Others => "others",
            Self::None => "none",
        }
    }
}

impl SessionState {
    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// Why nothing may be sent now that concerns the user of the device, in words; `None`: it may. This is decided here
    /// and nowhere else: the enrolled user has to be signed in, and no token may have come that is not believed.
    #[must_use]
    pub fn user_hold(&self) -> Option<String> {
        if self.login != Login::User {
            return Some(WAITS_FOR_USER.to_owned());
        }
        let rejected = self.tokens.rejected.as_ref()?;
        Some(format!("waits for a session whose Entra token proves the user: {rejected}"))
    }

    /// Takes note of what proves one of its messages.
    pub(super) fn prove(&mut self, proven: &Proven) {
        if let Admission::Credential { said, .. } = proven.admission {
            self.our_msg_id = self.our_msg_id.max(said);
            self.digest_from = Some(proven.network);
        }
    }

    /// What is under way in chunks is not ended; what came of a large object is to be thrown away.
    pub(super) fn break_off(&mut self) -> Option<Arrival> {
        self.sending = None;
        self.arrival.take()
    }

    /// Closes it, once.
    pub fn close(&mut self, how: Closing, now: OffsetDateTime) {
        self.closed.get_or_insert(Closed { at: now, how });
    }

    /// Keeps a remark; the first fifty of a session.
    pub fn remark(&mut self, words: &str) {
        if self.remarks.len() < MOST_REMARKS && !self.remarks.iter().any(|known| known == words) {
            self.remarks.push(words.to_owned());
        }
    }

    fn is_remembered(&self, now: OffsetDateTime) -> bool {
        self.closed.is_none_or(|closed| now - closed.at <= REMEMBERED)
    }
}

impl Conversation {
    /// The open session, if there is one.
    #[must_use]
    pub fn open(&self) -> Option<&SessionState> {
        self.current.as_ref().filter(|session| session.is_open())
    }

    /// The newest session with that SessionID that is open or closed a short while ago.
    #[must_use]
    pub fn remembered(&self, wire_id: &str, now: OffsetDateTime) -> Option<&SessionState> {
        self.current
            .iter()
            .chain(&self.earlier)
            .find(|session| session.wire_id == wire_id && session.is_remembered(now))
    }

    /// Whether nothing differs but the sessions themselves.
    #[must_use]
    pub fn lasts_as(&self, other: &Self) -> bool {
        let Self {
            current: _,
            earlier: _,
            one_by_one,
            farewell,
            retire,
            signatures,
            status_page,
            documents,
            csps_of,
            mixed,
            provisioned,
            told,
        } = self;
        *one_by_one == other.one_by_one
            && *farewell == other.farewell
            && *retire == other.retire
            && *signatures == other.signatures
            && *status_page == other.status_page
            && *documents == other.documents
            && *csps_of == other.csps_of
            && *mixed == other.mixed
            && *provisioned == other.provisioned
            && *told == other.told
    }

    /// Whether what a device tells about itself with package 1 is something else than the last time; from now on this counts.
    pub fn is_told_anew(&mut self, items: &[InventoryItem]) -> bool {
        let told = Some(digest_of(items));
        std::mem::replace(&mut self.told, told) != told
    }

    /// Makes `next` the current session; the one before is closed as superseded and remembered for a while.
    pub fn begin(&mut self, next: SessionState, now: OffsetDateTime) -> Option<SessionState> {
        let mut before = self.current.replace(next);
        let superseded = before.as_ref().filter(|session| session.is_open()).cloned();
        if let Some(session) = &mut before {
            session.close(Closing::Superseded, now);
        }
        self.earlier.splice(0..0, before);
        self.earlier.retain(|session| session.is_remembered(now));
        self.earlier.truncate(MOST_EARLIER);
        superseded
    }
}

fn digest_of(items: &[InventoryItem]) -> u64 {
    let mut context = Context::new(&SHA256);
    for item in items {
        for part in [Some(item.loc_uri.as_str()), item.value.as_deref(), item.format.as_deref()] {
            let (mark, text) = part.map_or((0, ""), |text| (1, text));
            context.update(&[mark]);
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
    }
    let mut first = [0; 8];
    first.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, from)| *byte = *from);
    u64::from_be_bytes(first)
}

/// Closed sessions that are remembered at most; a device that opens sessions faster loses the oldest.
const MOST_EARLIER: usize = 4;

/// Words for a command that waits for its user.
const WAITS_FOR_USER: &str = "waits for the user to sign in on the device";

/// Remarks that one session keeps.
const MOST_REMARKS: usize = 50;
