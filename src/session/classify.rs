//! What a message is: the table of management reference 1.14, first row that fits.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::conversation::{Conversation, REMEMBERED};
use crate::domain::Id;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Alert, AlertType, Element, Message};

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incoming {
    /// A retransmission: the stored answer of that session, byte for byte, and nothing else happens.
    Replay(Id<SessionRecord>),
    /// Opens a session; an open one is superseded.
    Open {
        /// The MsgID is not 1: worth a remark.
        odd: bool,
    },
    /// The device repeats package 1 inside the session, because it could not read our answer.
    Restart,
    /// The next message of the open session.
    Continue {
        /// MsgIDs were skipped: worth a remark.
        gap: bool,
    },
    /// A message of a session that is closed or unknown: its answers still count.
    Late,
    /// Refused with HTTP 400.
    Reject(Rejection),
}

impl Incoming {
    /// What a retransmission is whose answer is no longer kept. It ordered nothing, so nothing happens twice: package 1 begins
    /// anew, and of any other message the answers count as they do after the end of a session.
    #[must_use]
    pub fn without_answer(message: &Message) -> Self {
        if message.header.msg_id.0 == 1 { Self::Open { odd: false } } else { Self::Late }
    }

    /// What a message is that answers our challenge: with package 1 in it, the device begins again, whatever became of the
    /// session before. What we sent there may have been carried out, so it is not taken for unread.
    #[must_use]
    pub fn after_challenge(self, message: &Message) -> Self {
        match self {
            Self::Open { .. } | Self::Late => Self::Open { odd: false },
            Self::Restart | Self::Continue { .. } if begins_session(message) => Self::Open { odd: false },
            other => other,
        }
    }
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The MsgID of the last message with another body.
    #[error("the same MsgID as the message before, with another body")]
    Contradiction,
    /// An older MsgID.
    #[error("a MsgID that was used before in this session")]
    Stale,
    /// Another Source than in the first message of the session.
    #[error("Source/LocURI changed within the session")]
    SourceChanged,
}

/// A repeated first message is a retransmission only while its answer is this young; test clients and re-enrolled devices
/// begin again with the same body.
const FIRST_MESSAGE_REPEATED: Duration = Duration::seconds(60);

/// Judges a message against what is remembered. `own_name` says that its Source is one of the enrollment's identifiers:
/// a device may go from one to another within a session.
#[must_use]
pub fn classify(
    conversation: &Conversation,
    message: &Message,
    digest: &[u8; 32],
    own_name: bool,
    now: OffsetDateTime,
) -> Incoming {
    let header = &message.header;
    let msg_id = header.msg_id.0;
    let session = conversation.remembered(&header.session_id.0, now);
    if let Some(session) = session.filter(|s| s.last_msg_id == msg_id && s.last_digest == *digest)
        && (msg_id > 1 || now - session.last_at < FIRST_MESSAGE_REPEATED)
    {
        return Incoming::Replay(session.id);
    }
    if msg_id == 1 {
        return Incoming::Open { odd: false };
    }
    let begins = begins_session(message);
    let Some(session) = session else {
        return if begins { Incoming::Open { odd: true } } else { Incoming::Late };
    };
    let is_source = own_name || session.source.eq_ignore_ascii_case(header.source.trim());
    match msg_id.cmp(&session.last_msg_id) {
        std::cmp::Ordering::Equal => Incoming::Reject(Rejection::Contradiction),
        std::cmp::Ordering::Less => Incoming::Reject(Rejection::Stale),
        std::cmp::Ordering::Greater if !session.is_open() => {
            if begins {
                Incoming::Open { odd: true }
            } else {
                Incoming::Late
            }
        }
        std::cmp::Ordering::Greater if !is_source => Incoming::Reject(Rejection::SourceChanged),
        std::cmp::Ordering::Greater if begins && msg_id == session.last_msg_id + 1 => Incoming::Restart,
        std::cmp::Ordering::Greater => Incoming::Continue { gap: msg_id > session.last_msg_id + 1 },
    }
}

/// Whether this is the message with which the device left, once more (management reference 5.2).
#[must_use]
pub fn is_farewell_repetition(
    conversation: &Conversation,
    digest: &[u8; 32],
    now: OffsetDateTime,
) -> Option<Id<SessionRecord>> {
    let farewell = conversation.farewell.as_ref()?;
    (farewell.digest == *digest && now - farewell.at <= REMEMBERED).then_some(farewell.session)
}

/// The alert with which a device leaves management (1226, unenrollment at the user's request).
#[must_use]
pub fn says_goodbye(alert: &Alert) -> bool {
    alert.items.iter().any(|item| AlertType::of(alert.code, Alert::kind_of(item)) == AlertType::Unenrollment)
}

/// Alert 1200 or 1201.
fn begins_session(message: &Message) -> bool {
    message.body.iter().any(|element| matches!(element, Element::Alert(alert) if matches!(alert.code, 1200 | 1201)))
}
