//! Lets a message in: what has to be proven by the message itself, and what is said to one that is not proven
//! (management reference 5.1 to 5.4).
//!
//! A message that is not proven changes the nonce of the enrollment that it names and nothing else: no session, no queue, not
//! when the device was last seen. A name that nobody has is answered like one that somebody has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::account::Account;
use super::check_in::{CheckIn, leaves, oversized};
use super::identify::log_refusal;
use super::ports::Write;
use super::throttle::network;
use super::{App, CertificateUse, CheckInAnswer, DeviceIdentity, Error, Sender, TurnedAway, Unidentified};
use crate::domain::device::is_usable_identifier;
use crate::domain::enrollment::{Enrollment, normalize_identifier};
use crate::domain::proof::{DigestMode, MessageSigning};
use crate::proto::syncml::{Encoding, Message};
use crate::session::{
    self, Admission, Challenge, Conversation, DigestState, Incoming, Knocking, Opening, Proven, Verdict, challenge,
};

/// A management message as it arrived.
#[derive(Debug)]
pub struct Delivery {
    /// Who sent it.
    pub sender: Sender,
    /// The body, as received.
    pub body: Vec<u8>,
    /// How it is written.
    pub encoding: Encoding,
    /// What the request told beside it.
    pub opening: Opening,
    /// Entra tokens in the head of the request.
    pub tokens: Vec<SecretString>,
}

/// A message at the door of its enrollment.
pub(super) struct Arrival<'a> {
    pub(super) request: &'a CheckIn,
    pub(super) message: &'a Message,
    /// SHA-256 of its body.
    pub(super) digest: [u8; 32],
    pub(super) now: OffsetDateTime,
    /// Whether it was judged before and another message was faster: it counts as one all the same.
    pub(super) is_again: bool,
}

/// What becomes of it there.
pub(super) enum Entry {
    /// It is let in.
    In { proven: Proven, incoming: Incoming },
    /// It was answered.
    Answered(CheckInAnswer),
}

/// Warning on a device that said goodbye without proving itself: it is shown, and nothing ends.
const SAID_IT_LEFT: &str = "said that it left, without proving that it is this device; retire it if that is so";

impl App {
    /// Answers a message, once it is clear who sent it.
    pub async fn receive(&self, delivery: Delivery) -> Result<CheckInAnswer, Error> {
        let Delivery { sender, body, encoding, opening, tokens } = delivery;
        let device = match sender {
            Sender::Device(device) => device,
            Sender::Signer(signer) => match self.confirm(&signer, &body).await {
                Ok(device) => device,
                Err(_) => return Ok(CheckInAnswer::Forbidden),
            },
            Sender::Unproven { address } => match self.claimant(&body, encoding, address).await? {
                Claim::Of(device) => device,
                Claim::Answered(answer) => return Ok(answer),
            },
            Sender::Renewing(_) => return Ok(CheckInAnswer::Forbidden),
        };
        self.check_in(CheckIn { device, body, encoding, opening, tokens }).await
    }

    /// Whose message it would be if it proves itself: the open enrollment that answers to its Source and, among several
    /// that do, to the name beside it.
    async fn claimant(&self, body: &[u8], encoding: Encoding, address: IpAddr) -> Result<Claim, Error> {
        let message = match encoding.decode(body, &self.settings.xml) {
            Ok(message) => message,
            Err(error) => return Ok(Claim::Answered(CheckInAnswer::Bad(format!("unreadable message: {error}")))),
        };
        if let Some(words) = oversized(&message) {
            return Ok(Claim::Answered(CheckInAnswer::Bad(words.to_owned())));
        }
        let source = normalize_identifier(&message.header.source);
        let open = match is_usable_identifier(&source) {
            true => self.store.enrollments_claiming(&source).await?,
            false => Vec::new(),
        };
        let is_named = |enrollment: &Enrollment| match &message.header.source_name {
            Some(name) => name.eq_ignore_ascii_case(&enrollment.id.to_string()),
            None => true,
        };
        let Some(own) = open.into_iter().find(is_named) else {
            return self.challenge_stranger(&message, encoding, sha256(body), address).await.map(Claim::Answered);
        };
        let (enrollment_id, device_id) = (own.id, own.device_id);
        Ok(Claim::Of(DeviceIdentity {
            enrollment_id,
            device_id,
            address,
            proofs: Vec::new(),
            signature: None,
            signs: false,
            certificate: CertificateUse::default(),
            known: None,
        }))
    }

    /// Lets a message in, or answers it. Where its credential was good, the enrollment holds the next nonce afterwards.
    pub(super) async fn admit(
        &self,
        arrival: &Arrival<'_>,
        enrollment: &mut Enrollment,
        conversation: &Conversation,
        incoming: Incoming,
    ) -> Result<Entry, Error> {
        let device = &arrival.request.device;
        let is_known = !device.proofs.is_empty();
        // Its last word comes without a credential, and a device that shows its certificate may leave.
        let is_enough = self.settings.device_auth.digest != DigestMode::Required || leaves(arrival.message);
        let admission = if is_known && is_enough {
            Admission::Certain
        } else {
            let mut account = Account::open(self, enrollment)?;
            if is_proven_before(arrival, conversation, &incoming) {
                Admission::Session(account.digest.nonce())
            } else {
                match self.judge_credential(arrival, enrollment, conversation, &mut account).await? {
                    Judged::Good(admission, true) => {
                        let incoming = incoming.after_challenge(arrival.message);
                        return self.enter(arrival, enrollment, admission, incoming);
                    }
                    Judged::Good(admission, false) => admission,
                    Judged::Answered(answer) => return Ok(Entry::Answered(answer)),
                }
            }
        };
        self.enter(arrival, enrollment, admission, incoming)
    }

    fn enter(
        &self,
        arrival: &Arrival<'_>,
        enrollment: &mut Enrollment,
        admission: Admission,
        incoming: Incoming,
    ) -> Result<Entry, Error> {
        let device = &arrival.request.device;
        if device.proofs.is_empty() && !arrival.is_again {
            // Not before: others could use up what is the device's own.
            self.allow(device)?;
        }
        if enrollment.warning.as_deref() == Some(SAID_IT_LEFT) {
            enrollment.warning = None;
        }
        let proven = Proven {
            by: device.proofs.clone(),
            signature: device.signature,
            admission,
            network: network(device.address),
            has_to_sign: self.settings.device_auth.message_signing != MessageSigning::Off && !device.signs,
        };
        Ok(Entry::In { proven, incoming })
    }

    /// Whether one more message of a device is taken.
    pub(super) fn allow(&self, device: &DeviceIdentity) -> Result<(), Error> {
        let allowed = self.memory.throttles.allow_device(device.enrollment_id);
        allowed.map_err(|retry_after| Error::TooMany { retry_after })
    }

    async fn judge_credential(
        &self,
        arrival: &Arrival<'_>,
        enrollment: &mut Enrollment,
        conversation: &Conversation,
        account: &mut Account,
    ) -> Result<Judged, Error> {
        let (message, address) = (arrival.message, arrival.request.device.address);
        if !arrival.is_again {
            self.allow_knock(message, address)?;
        }
        let begun = conversation.remembered(&message.header.session_id.0, arrival.now);
        let said = begun.filter(|_| message.header.msg_id.0 > 1).map_or(0, |session| session.our_msg_id);
        let name = enrollment.id.to_string();
        let credentials = session::Account { name: &name, secret: &account.server_secret };
        let knocking = Knocking { message, digest: arrival.digest, said, now: arrival.now };
        let nonce = account.digest.nonce();
        let verdict = account.digest.judge(credentials, &knocking, self.random());
        let has_changed = account.digest.nonce() != nonce;
        if has_changed {
            enrollment.account = account.seal(self)?;
        }
        match verdict {
            Verdict::Good { said, answers_challenge } => {
                let admission = Admission::Credential { nonce: account.digest.nonce(), said };
                Ok(Judged::Good(admission, answers_challenge))
            }
            Verdict::Challenged(challenge) => {
                if has_changed {
                    self.keep_challenge(arrival, enrollment, &challenge).await?;
                }
                Ok(Judged::Answered(self.challenged(message, arrival.request.encoding, &challenge)))
            }
        }
    }

    fn allow_knock(&self, message: &Message, address: IpAddr) -> Result<(), Error> {
        let name = sha256(normalize_identifier(&message.header.source).as_bytes());
        let allowed = self.memory.throttles.allow_knock(address, name);
        allowed.map_err(|retry_after| Error::TooMany { retry_after })
    }

    fn challenged(&self, message: &Message, encoding: Encoding, given: &Challenge) -> CheckInAnswer {
        CheckInAnswer::Reply(encoding.encode(&challenge(message, &self.session_limits(), given)))
    }

    /// Keeps the nonce that is given out, and tells what else the message was: a wrong credential, or a goodbye.
    async fn keep_challenge(
        &self,
        arrival: &Arrival<'_>,
        enrollment: &Enrollment,
        given: &Challenge,
    ) -> Result<(), Error> {
        let mut enrollment = enrollment.clone();
        let (enrollment_id, device_id) = (enrollment.id, enrollment.device_id);
        let address = arrival.request.device.address;
        let mut writes = Vec::new();
        if given.code == 401 {
            let reason = "it is wrong, or made with a nonce that was used".to_owned();
            let refused = Unidentified::Credential(TurnedAway { enrollment_id, device_id, reason });
            log_refusal(address, &refused);
            writes.extend(self.refusal_row(address, &refused).await);
        } else {
            tracing::info!(%enrollment_id, %address, "a device without a certificate was asked for its credential");
        }
        if leaves(arrival.message) {
            let data = json!({"type": "said_that_it_left", "enrollment_id": enrollment_id});
            writes.push(self.event("alert.received", Some(device_id.to_string()), data));
            enrollment.warning.get_or_insert_with(|| SAID_IT_LEFT.to_owned());
        }
        writes.push(Write::UpdateEnrollment(Box::new(enrollment)));
        self.commit_check_in(enrollment_id, None, writes).await
    }

    /// Answers a name that nobody has as one is answered that somebody has.
    async fn challenge_stranger(
        &self,
        message: &Message,
        encoding: Encoding,
        digest: [u8; 32],
        address: IpAddr,
    ) -> Result<CheckInAnswer, Error> {
        self.allow_knock(message, address)?;
        let knocking = Knocking { message, digest, said: 0, now: self.now() };
        let secret = self.new_secret();
        let name = sha256(normalize_identifier(&message.header.source).as_bytes());
        let verdict = self.memory.strangers.judge(name, &secret, &knocking, [self.random(), self.random()]);
        let Verdict::Challenged(given) = verdict else { return Ok(CheckInAnswer::Forbidden) };
        log_refusal(address, &Unidentified::Stranger);
        let row = self.refusal_row(address, &Unidentified::Stranger).await;
        if let Some(row) = row {
            self.commit(vec![row]).await?;
        }
        Ok(self.challenged(message, encoding, &given))
    }
}

/// Whose message it would be.
enum Claim {
    Of(DeviceIdentity),
    Answered(CheckInAnswer),
}

/// What a credential is worth.
enum Judged {
    /// Good; and whether it answers a challenge in the same session.
    Good(Admission, bool),
    Answered(CheckInAnswer),
}

/// Whether a message goes on with a session that a credential proved, from where it proved it. Or is a retransmission of a
/// message that had one: nobody else could have written that.
fn is_proven_before(arrival: &Arrival<'_>, conversation: &Conversation, incoming: &Incoming) -> bool {
    let (header, device) = (&arrival.message.header, &arrival.request.device);
    if matches!(incoming, Incoming::Replay(_)) && header.cred.is_some() {
        return true;
    }
    let session = conversation.remembered(&header.session_id.0, arrival.now).filter(|_| header.msg_id.0 > 1);
    let from = session.and_then(|session| session.digest_from);
    from.is_some_and(|from| !device.proofs.is_empty() || from == network(device.address))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// What names of no device were told, so that they are told the same again.
#[derive(Default)]
pub(super) struct Strangers(Mutex<HashMap<[u8; 32], (DigestState, OffsetDateTime)>>);

/// Names that are remembered at once, and for how long.
const MOST_STRANGERS: usize = 10_000;
const REMEMBERED: Duration = Duration::minutes(10);

impl Strangers {
    /// As the enrollment of that name would judge, if there were one. No credential is right.
    fn judge(&self, name: [u8; 32], secret: &str, knocking: &Knocking<'_>, fresh: [session::Nonce; 2]) -> Verdict {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_STRANGERS && !known.contains_key(&name) {
            known.retain(|_, (_, at)| knocking.now - *at <= REMEMBERED);
            let oldest = known.iter().min_by_key(|(_, (_, at))| *at).map(|(name, _)| *name);
            oldest.filter(|_| known.len() >= MOST_STRANGERS).and_then(|name| known.remove(&name));
        }
        let [first, next] = fresh;
        let (state, at) = known.entry(name).or_insert_with(|| (DigestState::provisioned(first), knocking.now));
        *at = knocking.now;
        state.judge(session::Account { name: "", secret }, knocking, next)
    }
}
