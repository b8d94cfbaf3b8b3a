//! What proves the device of a message, and digest credentials where nothing else does (management reference 5.3, 5.4).
//!
//! A nonce is good for one credential: the first that is checked against it spends it, right or wrong. A message that is not
//! proven touches no session: the challenge that answers it is remembered here, beside the nonce, and nowhere else.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::conversation::REMEMBERED;
use super::exchange::Limits;
use super::reply::reply_header;
use super::signatures::SignatureMark;
use crate::domain::proof::Proof;
use crate::proto::syncml::{Chal, Cred, Element, Message, Status, md5_credential};

/// A nonce, decoded.
pub type Nonce = [u8; 16];

/// The only scheme that is offered and taken.
const MD5: &str = "syncml:auth-md5";
/// Wrong credentials in one session after which it is over.
const MOST_WRONG: u32 = 2;
/// Longest nonce of a device that is kept, in bytes.
const LONGEST_NONCE: usize = 64;
/// How long a repeated first message is a retransmission, as with a proven one.
const FIRST_MESSAGE_REPEATED: Duration = Duration::seconds(60);

/// What proves the device of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proven {
    /// What the request shows, in the order of trust.
    pub by: Vec<Proof>,
    /// The signature over the message, if that is among it.
    #[serde(skip)]
    pub signature: Option<SignatureMark>,
    /// What its credentials have to do with it.
    pub admission: Admission,
    /// The network that the request came from.
    pub network: IpAddr,
    /// Whether the device has to sign its messages and did not.
    pub has_to_sign: bool,
}

/// What credentials have to do with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Nothing: they are not looked at, and no nonce is given out.
    Certain,
    /// The session was proven by one; where it ends, the device gets this nonce for the next.
    Session(Nonce),
    /// The one in this message is good.
    Credential {
        /// For the next one.
        nonce: Nonce,
        /// Our answers in this session before, challenges among them.
        said: u64,
    },
}

/// With what a device proves itself.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// `AAUTHNAME`.
    pub name: &'a str,
    /// `AAUTHSECRET`.
    pub secret: &'a str,
}

/// What has to be known to judge the next credential of one enrollment.
#[derive(Clone, Serialize, Deserialize)]
pub struct DigestState {
    /// What the next credential has to be made with.
    nonce: Nonce,
    /// The last message that was answered with a challenge.
    knock: Option<Knock>,
}

/// A message that was answered with a challenge.
#[derive(Clone, Serialize, Deserialize)]
struct Knock {
    wire_id: String,
    msg_id: u64,
    /// SHA-256 of its body.
    digest: [u8; 32],
    #[serde(with = "time::serde::timestamp::milliseconds")]
    at: OffsetDateTime,
    challenge: Challenge,
    /// Wrong credentials in that session so far.
    wrong: u32,
}

/// The answer to a message that is not proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 407 without a credential, 401 with a wrong one.
    pub code: u16,
    /// What the next one has to be made with; `None`: there is no next one in this session.
    pub nonce: Option<Nonce>,
    /// MsgID of the answer.
    pub msg_id: u64,
}

/// A message that is to be judged.
#[derive(Clone, Copy)]
pub struct Knocking<'a> {
    /// The message.
    pub message: &'a Message,
    /// SHA-256 of its body.
    pub digest: [u8; 32],
    /// Our answers in its session so far, as far as there is one.
    pub said: u64,
    /// Now.
    pub now: OffsetDateTime,
}

/// What a message without a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proven by its credential.
    Good {
        /// As [`Admission::Credential`] takes it.
        said: u64,
        /// Whether it answers a challenge in the same session.
        answers_challenge: bool,
    },
    /// Not proven.
    Challenged(Challenge),
}

impl Proven {
    /// Everything that proves it, a credential included.
    pub(super) fn proofs(&self) -> Vec<Proof> {
        let digest = (self.admission != Admission::Certain).then_some(Proof::Digest);
        self.by.iter().copied().chain(digest).collect()
    }
}

impl Admission {
    /// Puts the code and the nonce into the Status for the header.
    pub(super) fn answer(&self, header: &mut Status, ends: bool) {
        let nonce = match self {
            Self::Credential { nonce, .. } => {
                header.code.0 = 212;
                Some(nonce)
            }
            Self::Session(nonce) => Some(nonce).filter(|_| ends),
            Self::Certain => None,
        };
        header.chal = nonce.map(chal);
    }
}

impl DigestState {
    /// With the nonce that the device was provisioned with.
    #[must_use]
    pub fn provisioned(nonce: Nonce) -> Self {
        Self { nonce, knock: None }
    }

    /// What the next credential has to be made with.
    #[must_use]
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Judges a message that nothing else proves. `fresh` is the next nonce, should this one be spent; the state changes
    /// with everything but a retransmission.
    pub fn judge(&mut self, account: Account<'_>, knocking: &Knocking<'_>, fresh: Nonce) -> Verdict {
        let header = &knocking.message.header;
        let knock = self.knock.as_ref().filter(|knock| knock.is_in(&header.session_id.0, knocking.now));
        if let Some(known) = knock.filter(|knock| knock.is_repeated_by(knocking)) {
            return Verdict::Challenged(known.challenge.clone());
        }
        let is_over = knock.is_some_and(|knock| knock.wrong >= MOST_WRONG);
        if let Some(known) = knock.filter(|knock| is_over && knock.msg_id < header.msg_id.0) {
            return Verdict::Challenged(known.challenge.clone());
        }
        // MsgID 1 is a new session, whatever its number.
        let goes_on = |knock: &&Knock| !is_over && header.msg_id.0 > 1 && knock.msg_id <= header.msg_id.0;
        let knock = knock.filter(goes_on);
        let said = knock.map_or(knocking.said, |knock| knock.challenge.msg_id.max(knocking.said));
        let mut wrong = knock.map_or(0, |knock| knock.wrong);
        let answers_challenge = knock.is_some();
        let code = match &header.cred {
            Some(cred) if is_good(cred, account, &self.nonce) => {
                *self = Self::provisioned(fresh);
                return Verdict::Good { said, answers_challenge };
            }
            Some(_) => {
                wrong += 1;
                401
            }
            None => 407,
        };
        self.nonce = fresh;
        let challenge = Challenge { code, nonce: (wrong < MOST_WRONG).then_some(fresh), msg_id: said + 1 };
        self.knock = Some(Knock {
            wire_id: header.session_id.0.clone(),
            msg_id: header.msg_id.0,
            digest: knocking.digest,
            at: knocking.now,
            challenge: challenge.clone(),
            wrong,
        });
        Verdict::Challenged(challenge)
    }
}

impl Knock {
    fn is_in(&self, wire_id: &str, now: OffsetDateTime) -> bool {
        self.wire_id == wire_id && now - self.at <= REMEMBERED
    }

    fn is_repeated_by(&self, knocking: &Knocking<'_>) -> bool {
        let msg_id = knocking.message.header.msg_id.0;
        let is_soon = msg_id > 1 || knocking.now - self.at < FIRST_MESSAGE_REPEATED;
        self.msg_id == msg_id && self.digest == knocking.digest && is_soon
    }
}

/// The answer to a message that is not proven: the Status for its header and nothing else.
#[must_use]
pub fn challenge(message: &Message, limits: &Limits, challenge: &Challenge) -> Message {
    let mut status = Status::new("1".to_owned(), message.header.msg_id, "0", "SyncHdr", challenge.code);
    status.chal = challenge.nonce.as_ref().map(chal);
    Message {
        header: reply_header(message, challenge.msg_id, limits),
        body: vec![Element::Status(status)],
        is_final: true,
    }
}

fn chal(nonce: &Nonce) -> Chal {
    Chal { scheme: MD5.to_owned(), next_nonce: Some(BASE64_STANDARD.encode(nonce)) }
}

/// The nonce that a device hands over, decoded; one that no device of ours would take is none.
pub(super) fn nonce_of(chal: &Chal) -> Option<Vec<u8>> {
    let nonce = BASE64_STANDARD.decode(chal.next_nonce.as_deref()?).ok()?;
    let fits = chal.scheme.eq_ignore_ascii_case(MD5) && (1..=LONGEST_NONCE).contains(&nonce.len());
    fits.then_some(nonce)
}

fn is_good(cred: &Cred, account: Account<'_>, nonce: &Nonce) -> bool {
    let good = md5_credential(account.name, account.secret, nonce);
    let [good, given] = [good.as_str(), &cred.data].map(|text| text.trim().trim_end_matches('=').as_bytes());
    cred.scheme.eq_ignore_ascii_case(MD5) && verify_slices_are_equal(good, given).is_ok()
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
