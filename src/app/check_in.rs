//! A message of a device: load, step, commit, answer (management reference 1.14 to 1.16).
//!
//! A message that changes nothing that has to last is not committed before it is answered; see [`behind`](super::behind).
//!
//! All that a message changes is one batch that expects the version of the enrollment it was computed from. Two messages
//! of one enrollment at the same moment are so put in order: the second is judged again on what the first left.

mod commit;
mod load;
mod notices;
mod place;
mod refused;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretString;

use super::admit::{Arrival, Entry};
use super::ports::StoreError;
use super::{App, DeviceIdentity, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::command::Knowledge;
use crate::domain::enrollment::Enrollment;
use crate::domain::session_record::SessionRecord;
use crate::domain::user::Role;
use crate::failpoint;
use crate::proto::syncml::{DecodeError, Element, Encoding, Message};
use crate::session::{
    Incoming, Input, Limits, Opening, SessionState, Wanted, classify, is_farewell_repetition, respond, says_goodbye,
};

pub(super) use load::Loaded;
use load::may_concern_commands;
use place::place;

/// One message of a device.
#[derive(Clone, Debug)]
pub(super) struct CheckIn {
    /// Who sent it, or says so.
    pub(super) device: DeviceIdentity,
    /// The body, as received.
    pub(super) body: Vec<u8>,
    /// How it is written; it is answered in kind.
    pub(super) encoding: Encoding,
    /// What the request told beside it.
    pub(super) opening: Opening,
    /// Entra tokens in the head of the request.
    pub(super) tokens: Vec<SecretString>,
}

/// What to answer.
#[derive(Debug)]
pub enum CheckInAnswer {
    /// HTTP 200 with this message.
    Reply(Vec<u8>),
    /// HTTP 400 with this line.
    Bad(String),
    /// HTTP 403.
    Forbidden,
}

/// Elements of a body that are processed; a message with more is refused.
const MOST_ELEMENTS: usize = 5000;
/// Large values that are looked at for one message.
const MOST_WANTS: u32 = 16;
/// Longest Source, in bytes: a DevID is at most 256.
const LONGEST_SOURCE: usize = 512;

impl App {
    /// Answers a message of a device.
    pub(super) async fn check_in(&self, mut request: CheckIn) -> Result<CheckInAnswer, Error> {
        if !request.device.proofs.is_empty() {
            self.allow(&request.device)?;
        }
        failpoint::here(failpoint::MESSAGE_RECEIVED);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &request.body).as_ref());
        let mut known = request.device.known.clone();
        for tries in 0..MOST_TRIES {
            let loaded = match known.take().filter(|known| self.is_fresh(known)) {
                Some(known) => known,
                None => match self.load_known(request.device.enrollment_id).await? {
                    Some(loaded) => Arc::new(loaded),
                    None => return Ok(CheckInAnswer::Forbidden),
                },
            };
            // A step takes the message; one that is judged again is read again.
            let message = request.encoding.decode(&request.body, &self.settings.xml);
            match self.try_check_in(&request, &loaded, message, sha256, tries > 0).await {
                Err(Error::Unavailable(cause)) if cause == CONFLICT => {
                    if !self.is_still_good(&mut request.device.certificate).await? {
                        return Ok(CheckInAnswer::Forbidden);
                    }
                }
                other => return other,
            }
        }
        Err(Error::Unavailable("too many messages of this device at once".to_owned()))
    }

    async fn try_check_in(
        &self,
        request: &CheckIn,
        loaded: &Loaded,
        message: Result<Message, DecodeError>,
        digest: [u8; 32],
        is_again: bool,
    ) -> Result<CheckInAnswer, Error> {
        let now = self.now();
        let (mut enrollment, conversation) = self.as_of_now(loaded)?;
        let id = enrollment.id;
        if !enrollment.state.is_open() {
            return match is_farewell_repetition(&conversation, &digest, now) {
                Some(session) => self.repeat_farewell(request, &conversation, session, &digest).await,
                None => Ok(CheckInAnswer::Forbidden),
            };
        }
        let is_old = |session: &SessionState| now - session.last_at >= self.settings.session_timeout;
        if self.may_end_by_age() && conversation.open().is_some_and(is_old) {
            // Upkeep would have closed it; the message is judged again on the closed session.
            match self.time_out_current(enrollment, conversation, loaded.revision()).await {
                // Upkeep may have been first.
                Ok(()) | Err(StoreError::Conflict) => return Err(Error::Unavailable(CONFLICT.to_owned())),
                Err(error) => return Err(error.into()),
            }
        }
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                tracing::info!(enrollment_id = %id, %error, "unreadable message");
                let line = format!("unreadable message: {error}");
                self.record_refusal(request, &conversation, &line);
                return Ok(CheckInAnswer::Bad(line));
            }
        };
        if let Some(words) = oversized(&message) {
            tracing::warn!(enrollment_id = %id, words, "message refused");
            self.record_refusal(request, &conversation, words);
            return Ok(CheckInAnswer::Bad(words.to_owned()));
        }
        if let Some(other) = self.impersonated(&enrollment, &message).await? {
            return self.refuse_impersonation(request, &enrollment, &other, &message).await;
        }
        let incoming = classify(&conversation, &message, &digest, enrollment.answers_to(&message.header.source), now);
        let arrival = Arrival { request, message: &message, digest, now, is_again };
        let (proven, mut incoming) = match self.admit(&arrival, &mut enrollment, &conversation, incoming).await? {
            Entry::In { proven, incoming } => (proven, incoming),
            Entry::Answered(answer) => return Ok(answer),
        };
        if let Incoming::Replay(session) = incoming {
            if let Some(answer) = self.kept_answer(session, &digest).await? {
                return Ok(self.repeat(request, place(&conversation, session), answer));
            }
            incoming = Incoming::without_answer(&message);
        }
        let window = self.settings.device_auth.signing_window;
        if proven.signature.is_some_and(|mark| conversation.signatures.has(&mark, window, now)) {
            return self.refuse_repeated_signature(request, &enrollment).await;
        }
        let tokens = self.judge_tokens(&request.tokens, &message, &mut enrollment).await;
        let commands = match may_concern_commands(loaded, &conversation, &enrollment, &message) {
            true => self.load_commands(&enrollment, &conversation, &message).await?,
            false => Vec::new(),
        };
        let push = self.known_push(id, &incoming).await?;
        let opens = matches!(incoming, Incoming::Open { .. });
        let wanted = if opens { self.wanted(id, push.as_ref()) } else { Wanted::default() };
        let (room, arrived) = self.load_objects(&enrollment, &conversation, &message).await?;
        let input = Input {
            now,
            digest,
            incoming,
            message,
            new_session: self.new_id(),
            new_object: self.new_id(),
            room,
            arrived,
            supplies: Vec::new(),
            opening: request.opening.clone(),
            proven,
            tokens,
            enrollment,
            conversation,
            registration: push.map(|push| push.registration).unwrap_or_default(),
            commands,
            limits: Limits { wanted, ..self.session_limits() },
        };
        self.answer(request, loaded, input).await
    }

    /// Lets the engine answer. A large value is read when it is its turn, and only as much of it as goes out.
    async fn answer(&self, request: &CheckIn, loaded: &Loaded, mut input: Input) -> Result<CheckInAnswer, Error> {
        for _ in 0..MOST_WANTS {
            let output = respond(&input);
            match output.want.clone() {
                None => return self.apply(request, loaded, input, output).await,
                Some(want) => input.supplies.push(self.supply(&input.enrollment, want).await?),
            }
        }
        Err(Error::Unavailable("too many large values are gone".to_owned()))
    }

    pub(super) fn session_limits(&self) -> Limits {
        Limits {
            management_url: self.management_url(),
            provider_id: self.settings.provider_id.clone(),
            reply_bytes: self.settings.reply_bytes,
            reply_commands: self.settings.reply_commands,
            next_message: self.settings.keep_alive_next_message,
            signing_window: self.settings.device_auth.signing_window,
            status_page: self.settings.status_page.clone(),
            look: Knowledge::embedded,
            push: self.settings.push.as_ref().map(|push| push.pfn.clone()),
            objects: self.settings.objects,
            declared_configuration: self.settings.declared_configuration,
            wanted: Wanted::default(),
        }
    }
}

/// Marks a conflict inside this module; the loop turns it into another try.
const CONFLICT: &str = "changed meanwhile";

/// Why a message that could be read is not processed, if it is not.
pub(super) fn oversized(message: &Message) -> Option<&'static str> {
    if message.body.len() > MOST_ELEMENTS {
        return Some("more than 5,000 elements in the SyncBody");
    }
    (message.header.source.len() > LONGEST_SOURCE).then_some("Source/LocURI is longer than 512 bytes")
}

pub(super) fn leaves(message: &Message) -> bool {
    message.body.iter().any(|element| matches!(element, Element::Alert(alert) if says_goodbye(alert)))
}

fn answer_purpose(session: Id<SessionRecord>) -> String {
    format!("answer:{session}")
}

fn device_principal(request: &CheckIn) -> Principal {
    Principal {
        name: format!("device:{}", request.device.enrollment_id),
        user_id: None,
        role: Role::User,
        address: request.device.address.to_string(),
    }
}

pub(super) fn record(session: &SessionState, enrollment: &Enrollment) -> SessionRecord {
    SessionRecord {
        id: session.id,
        enrollment_id: enrollment.id,
        device_id: enrollment.device_id,
        wire_id: session.wire_id.clone(),
        opened_at: session.opened_at,
        last_at: session.last_at,
        closed_at: session.closed.map(|closed| closed.at),
        state: session.closed.map_or("open", |closed| closed.how.as_str()).to_owned(),
        messages: session.messages,
        login: session.login.as_str().to_owned(),
        mode: session.opening.mode.clone(),
        correlation: session.opening.correlation.clone(),
        client_request_id: session.opening.client_request_id.clone(),
        remarks: session.remarks.clone(),
        proofs: session.proofs.clone(),
        tokens: session.tokens.clone(),
    }
}

#[cfg(test)]
#[path = "check_in/tests.rs"]
mod tests;
