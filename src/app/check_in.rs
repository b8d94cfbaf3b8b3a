//! A message of a device: load, step, commit, answer (management reference 1.14 to 1.16).
//!
//! All that a message changes is one batch that expects the version of the enrollment it was computed from. Two messages
//! of one enrollment at the same moment are so put in order: the second is judged again on what the first left.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretString;
use serde_json::json;
use time::OffsetDateTime;

use super::admit::{Arrival, Entry};
use super::objects::object_write;
use super::ports::{CommandFilter, Page, StoreError, Write};
use super::transcripts::{Body, Exchange};
use super::{App, AuditObject, CertificateUse, DeviceIdentity, Error, MOST_TRIES, Principal};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, Knowledge, QueuedCommand};
use crate::domain::enrollment::{Enrollment, EnrollmentState, normalize_identifier};
use crate::domain::inventory::{InventoryItem, LONGEST_NODE};
use crate::domain::session_record::{SessionRecord, StoredAnswer, answered_again, repeated, unreadable};
use crate::domain::user::Role;
use crate::failpoint;
use crate::proto::csp::device_info;
use crate::proto::syncml::{DecodeError, Element, Encoding, LocUri, Message};
use crate::session::{
    Answer, Conversation, Incoming, Input, Limits, Notice, Opening, Output, SessionState, TRUSTED_CA, Wanted, classify,
    is_farewell_repetition, respond, says_goodbye,
};

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

/// Commands that are loaded for one message beside those that were offered.
const PAGE: u32 = 128;
/// Open commands that are cancelled with the device's last message; the sweep takes the rest.
const MOST_CANCELLED: u32 = 1000;
/// Elements of a body that are processed; a message with more is refused.
const MOST_ELEMENTS: usize = 5000;
/// Large values that are looked at for one message.
const MOST_WANTS: u32 = 16;
/// Longest Source, in bytes: a DevID is at most 256.
const LONGEST_SOURCE: usize = 512;

impl App {
    /// Answers a message of a device.
    pub(super) async fn check_in(&self, request: CheckIn) -> Result<CheckInAnswer, Error> {
        if !request.device.proofs.is_empty() {
            self.allow(&request.device)?;
        }
        failpoint::here(failpoint::MESSAGE_RECEIVED);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &request.body).as_ref());
        for _ in 0..MOST_TRIES {
            // A step takes the message; one that is judged again is read again.
            let message = request.encoding.decode(&request.body, &self.settings.xml);
            match self.try_check_in(&request, message, sha256).await {
                Err(Error::Unavailable(cause)) if cause == CONFLICT => {}
                other => return other,
            }
        }
        Err(Error::Unavailable("too many messages of this device at once".to_owned()))
    }

    async fn try_check_in(
        &self,
        request: &CheckIn,
        message: Result<Message, DecodeError>,
        digest: [u8; 32],
    ) -> Result<CheckInAnswer, Error> {
        let now = self.now();
        let id = request.device.enrollment_id;
        let Some(mut enrollment) = self.store.enrollment(id).await? else { return Ok(CheckInAnswer::Forbidden) };
        let conversation = self.load_conversation(id).await?;
        if !enrollment.state.is_open() {
            return match is_farewell_repetition(&conversation, &digest, now) {
                Some(session) => self.repeat(request, place(&conversation, session)).await,
                None => Ok(CheckInAnswer::Forbidden),
            };
        }
        let is_old = |session: &SessionState| now - session.last_at >= self.settings.session_timeout;
        if self.may_end_by_age() && conversation.open().is_some_and(is_old) {
            // Upkeep would have closed it; the message is judged again on the closed session.
            match self.time_out_current(enrollment, conversation).await {
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
        let arrival = Arrival { request, message: &message, digest, now };
        let (proven, incoming) = match self.admit(&arrival, &mut enrollment, &conversation, incoming).await? {
            Entry::In { proven, incoming } => (proven, incoming),
            Entry::Answered(answer) => return Ok(answer),
        };
        if let Incoming::Replay(session) = incoming {
            return self.repeat(request, place(&conversation, session)).await;
        }
        let window = self.settings.device_auth.signing_window;
        if proven.signature.is_some_and(|mark| conversation.signatures.has(&mark, window, now)) {
            return self.refuse_repeated_signature(request, &enrollment).await;
        }
        let tokens = self.judge_tokens(&request.tokens, &message, &mut enrollment).await;
        let commands = self.load_commands(&enrollment, &conversation, &message).await?;
        let push = self.known_push(id, &incoming).await?;
        let opens = matches!(incoming, Incoming::Open { .. });
        let wanted = if opens { self.wanted(id, push.as_ref()) } else { Wanted::default() };
        let (room, arrived) = self.load_objects(&enrollment, &conversation, &message).await?;
        let mut input = Input {
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
        // A large value is read when it is its turn, and only as much of it as goes out.
        for _ in 0..MOST_WANTS {
            let output = respond(&input);
            match output.want.clone() {
                None => return self.apply(request, input, output).await,
                Some(want) => input.supplies.push(self.supply(&input.enrollment, want).await?),
            }
        }
        Err(Error::Unavailable("too many large values are gone".to_owned()))
    }

    pub(super) async fn load_conversation(&self, id: Id<Enrollment>) -> Result<Conversation, StoreError> {
        let Some(text) = self.store.conversation(id).await? else { return Ok(Conversation::default()) };
        serde_json::from_str(&text)
            .map_err(|error| StoreError::Internal(format!("conversations.state of {id}: {error}")))
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

    /// The stored answer, byte for byte.
    async fn repeat(&self, request: &CheckIn, place: Place) -> Result<CheckInAnswer, Error> {
        let session = place.session;
        let answer = match self.store.stored_answer(session).await? {
            Some(stored) => CheckInAnswer::Reply(self.sealer.open(&answer_purpose(session), &stored.sealed)?),
            None => CheckInAnswer::Bad("the answer to this message is no longer kept".to_owned()),
        };
        let (status, words) = match &answer {
            CheckInAnswer::Reply(bytes) => (200, answered_again(bytes.len())),
            CheckInAnswer::Bad(line) => (400, line.clone()),
            CheckInAnswer::Forbidden => (403, String::new()),
        };
        let again = Body::Words(repeated(request.body.len()));
        self.transcribe(place.exchange(request, self.now(), (again, None), (status, Body::Words(words))));
        Ok(answer)
    }

    /// A message that was refused before it got to the engine goes into the transcript of the open session.
    fn record_refusal(&self, request: &CheckIn, conversation: &Conversation, line: &str) {
        let Some(session) = conversation.open() else { return };
        let words = Body::Words(unreadable(request.body.len()));
        let answer = (400, Body::Words(line.to_owned()));
        self.transcribe(Place::of(session).exchange(request, self.now(), (words, None), answer));
    }

    /// The other open enrollment that the Source names, if it names one.
    async fn impersonated(&self, own: &Enrollment, message: &Message) -> Result<Option<Enrollment>, Error> {
        let source = &message.header.source;
        if own.answers_to(source) || !crate::domain::device::is_usable_identifier(source) {
            return Ok(None);
        }
        let claimed = self.store.enrollments_claiming(&normalize_identifier(source)).await?;
        Ok(claimed.into_iter().find(|other| other.id != own.id))
    }

    /// Refuses a certificate that goes with another device's name; neither session is touched.
    async fn refuse_impersonation(
        &self,
        request: &CheckIn,
        own: &Enrollment,
        other: &Enrollment,
        message: &Message,
    ) -> Result<CheckInAnswer, Error> {
        let words = format!(
            "possible impersonation: the certificate of device {} came with the name of device {}",
            own.device_id, other.device_id
        );
        tracing::warn!(enrollment_id = %own.id, other = %other.id, "possible impersonation");
        let object =
            AuditObject { kind: "device", id: other.device_id.to_string(), name: message.header.source.clone() };
        let mut writes = vec![self.audit(&device_principal(request), "device.check_in", object, "refused", &words)];
        for device in [own.device_id, other.device_id] {
            let data = json!({"type": "possible_impersonation", "certificate_of": own.id, "source_of": other.id});
            writes.push(self.event("alert.received", Some(device.to_string()), data));
        }
        self.commit(writes).await?;
        Ok(CheckInAnswer::Forbidden)
    }

    /// Refuses a signed message that was taken already and is no retransmission: somebody may have got hold of it.
    async fn refuse_repeated_signature(&self, request: &CheckIn, own: &Enrollment) -> Result<CheckInAnswer, Error> {
        let words = "a signed message that came before";
        tracing::warn!(enrollment_id = %own.id, words, "message refused");
        if self.memory.throttles.allow_row(request.device.address) {
            let object = self.audit_object(own).await?;
            self.commit(vec![self.audit(&device_principal(request), "device.check_in", object, "refused", words)])
                .await?;
        }
        Ok(CheckInAnswer::Bad(words.to_owned()))
    }

    /// What can be answered, and what could be sent next.
    async fn load_commands(
        &self,
        enrollment: &Enrollment,
        conversation: &Conversation,
        message: &Message,
    ) -> Result<Vec<QueuedCommand>, Error> {
        let session = conversation.current.as_ref().map(|session| (session.id, session.our_msg_id.saturating_sub(1)));
        let mut commands: BTreeMap<_, _> = BTreeMap::new();
        let mut keep = |command: QueuedCommand| commands.insert(command.id, command);
        for command in self.store.offered_commands(enrollment.id, session).await? {
            keep(command);
        }
        let open = if leaves(message) {
            self.store.open_commands(enrollment.id, MOST_CANCELLED).await?
        } else {
            self.store.sendable_commands(enrollment.id, self.now(), PAGE).await?
        };
        for command in open {
            keep(command);
        }
        if let Some(retire) = conversation.retire {
            self.store.command(retire).await?.map(&mut keep);
        }
        if enrollment.state == EnrollmentState::Wiping {
            let filter = CommandFilter {
                device: Some(enrollment.device_id),
                raw: Some(false),
                state: Some(CommandState::Succeeded),
            };
            let done = self.store.commands(&filter, &Page { limit: 100, after: None }).await?;
            let wipes = done.items.into_iter().filter(|command| {
                command.enrollment_id == enrollment.id && matches!(command.action, Action::Wipe { .. })
            });
            wipes.for_each(|command| {
                keep(command);
            });
        }
        Ok(commands.into_values().collect())
    }

    /// Commits what a step brought, and answers.
    async fn apply(&self, request: &CheckIn, input: Input, mut output: Output) -> Result<CheckInAnswer, Error> {
        if let Some(nonce) = output.next_nonce.take() {
            self.keep_next_nonce(&mut output.enrollment, nonce);
        }
        let bytes = match &output.answer {
            Answer::Reply(message) => Some(request.encoding.encode(message)),
            Answer::Refuse(_) => None,
        };
        let mut certificate = self.certificate_writes(request, &mut output, input.now);
        let mut writes = self.session_writes(&input, &output);
        writes.append(&mut certificate);
        writes.extend(output.objects.iter().cloned().map(object_write));
        writes.extend(self.notice_writes(request, &input, &output).await?);
        if let (Some(bytes), Some(session)) = (&bytes, output.sessions.first()) {
            writes.push(Write::SaveAnswer(Box::new(StoredAnswer {
                session_id: session.id,
                enrollment_id: input.enrollment.id,
                msg_id: input.message.header.msg_id.0,
                digest: input.digest,
                at: input.now,
                sealed: self.sealer.seal(&answer_purpose(session.id), bytes),
            })));
        }
        failpoint::here(failpoint::CHECK_IN_BEFORE_COMMIT);
        self.commit_check_in(writes).await?;
        failpoint::here(failpoint::CHECK_IN_AFTER_COMMIT);
        self.observe(&input, &output);
        log(&input, &output);
        let answer = match (bytes, &output.answer) {
            (Some(bytes), _) => CheckInAnswer::Reply(bytes),
            (None, Answer::Refuse(rejection)) => CheckInAnswer::Bad(rejection.to_string()),
            (None, Answer::Reply(_)) => CheckInAnswer::Bad(String::new()),
        };
        self.keep_transcript(request, input, &output, &answer);
        Ok(answer)
    }

    /// What a session that was opened changes for the certificate of its device.
    fn certificate_writes(&self, request: &CheckIn, output: &mut Output, now: OffsetDateTime) -> Vec<Write> {
        let CertificateUse { waiting, expired_at } = &request.device.certificate;
        if !output.notices.iter().any(|notice| matches!(notice, Notice::SessionOpened)) {
            return Vec::new();
        }
        let mut writes = Vec::new();
        if let Some(serial) = waiting {
            writes.extend(self.first_use(serial, &mut output.enrollment, now));
        }
        if let Some(ended) = expired_at {
            let (words, event) = self.let_in_expired(*ended, &mut output.enrollment);
            let opened = output.sessions.iter_mut().take(1).chain(&mut output.conversation.current);
            opened.for_each(|session| session.remark(&words));
            writes.extend(event);
        }
        writes
    }

    /// Commits; where something changed meanwhile, the message is judged again.
    pub(super) async fn commit_check_in(&self, writes: Vec<Write>) -> Result<(), Error> {
        self.commit(writes).await.map_err(|error| match error {
            StoreError::Conflict => Error::Unavailable(CONFLICT.to_owned()),
            error => error.into(),
        })
    }

    /// The enrollment, its sessions and its commands.
    pub(super) fn session_writes(&self, input: &Input, output: &Output) -> Vec<Write> {
        let mut writes = vec![Write::UpdateEnrollment(Box::new(output.enrollment.clone()))];
        if let Ok(state) = serde_json::to_string(&output.conversation) {
            writes.push(Write::SaveConversation { enrollment_id: output.enrollment.id, state });
        }
        for session in &output.sessions {
            writes.push(Write::SaveSession(Box::new(record(session, &output.enrollment))));
        }
        for command in &output.commands {
            let before = input.commands.iter().find(|before| before.id == command.id);
            let is_told = |before: &QueuedCommand| {
                before.state != command.state || (before.offers < command.offers && command.followed.is_none())
            };
            if before.is_none_or(is_told) {
                writes.push(self.action_event(command));
            }
            writes.push(Write::UpdateCommand(Box::new(command.clone())));
        }
        writes
    }

    async fn notice_writes(&self, request: &CheckIn, input: &Input, output: &Output) -> Result<Vec<Write>, Error> {
        let enrollment = &output.enrollment;
        let subject = Some(enrollment.device_id.to_string());
        let mut writes = self.push_writes(enrollment, &output.notices, input.now).await?;
        for notice in &output.notices {
            match notice {
                Notice::SessionOpened => {
                    let session = output.sessions.first().map(|session| session.id);
                    let data = json!({"enrollment_id": enrollment.id, "session_id": session});
                    writes.push(self.event("device.checkin", subject.clone(), data));
                }
                Notice::Alert(alert) => {
                    let session = output.sessions.first().map(|session| session.id);
                    writes.extend(self.alert_writes(enrollment, session, alert, input.now));
                }
                Notice::Inventory(items) => writes.extend(self.inventory_writes(enrollment, items).await?),
                Notice::Push(_) => {}
                Notice::Missing(node) if node.loc_uri.len() > LONGEST_NODE => {}
                Notice::Missing(node) => {
                    writes.push(Write::RememberMissing { device_id: enrollment.device_id, node: node.clone() });
                }
                Notice::SourceChanged { from } => {
                    let data = json!({
                        "enrollment_id": enrollment.id, "type": "source_changed", "from": from,
                        "to": enrollment.reported_source,
                    });
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::StatusPage { event, reason } => {
                    let data = json!({"enrollment_id": enrollment.id, "reason": reason});
                    writes.push(self.event(event, subject.clone(), data));
                }
                Notice::OfferedAgain { action, id, offers } => {
                    let words = format!("{action} {id}: offered {offers} times, because it was not answered");
                    let object = self.audit_object(enrollment).await?;
                    writes.push(self.audit(&Principal::system(), "action.offer", object, "ok", &words));
                }
                Notice::NeedsReapply { id } => {
                    let data = json!({"enrollment_id": enrollment.id, "type": "needs_reapply", "command_id": id});
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::Refused(rejection) => {
                    let words = rejection.to_string();
                    let object = self.audit_object(enrollment).await?;
                    writes.push(self.audit(&device_principal(request), "device.check_in", object, "refused", &words));
                }
                Notice::Left { asked } => {
                    writes.extend(self.left_writes(request, enrollment, *asked, input.now).await?)
                }
                Notice::Provisioned { part, refused: None } => {
                    if *part == TRUSTED_CA
                        && let Some(has) = &output.conversation.provisioned.ca.has
                    {
                        let (enrollment_id, root) = (enrollment.id, has.root.clone());
                        writes.push(Write::RootDelivered { enrollment_id, root, at: input.now });
                    }
                    tracing::info!(enrollment_id = %enrollment.id, part, "the device was provisioned anew");
                }
                Notice::Provisioned { part, refused: Some(status) } => {
                    tracing::warn!(enrollment_id = %enrollment.id, part, status, "the device keeps what it had");
                    let data = json!({
                        "enrollment_id": enrollment.id, "type": "provisioning_refused", "part": part, "status": status,
                    });
                    writes.push(self.event("alert.received", subject.clone(), data));
                }
                Notice::Remark(words) => tracing::info!(enrollment_id = %enrollment.id, remark = words, "odd message"),
            }
        }
        Ok(writes)
    }

    /// What the device told, but no secrets and no node that nobody can have asked for; its name is taken over to the device.
    async fn inventory_writes(&self, enrollment: &Enrollment, items: &[InventoryItem]) -> Result<Vec<Write>, Error> {
        let rules = self.redaction();
        let is_kept = |item: &&InventoryItem| item.can_be_kept() && !rules.is_secret(&item.loc_uri);
        let items: Vec<InventoryItem> = items.iter().filter(is_kept).cloned().collect();
        let name = items.iter().find(|item| item.loc_uri.same_as(&LocUri::fixed(device_info::DEVICE_NAME)));
        let name = name.and_then(|item| item.value.clone()).filter(|name| !name.trim().is_empty());
        let mut writes = Vec::new();
        if let Some(name) = name {
            let view = self.store.device(enrollment.device_id).await?;
            let renamed = view
                .map(|view| view.device)
                .filter(|device| device.name != name && device.enrollment_id == enrollment.id);
            writes.extend(renamed.map(|mut device| {
                device.name = name.chars().filter(|c| !c.is_control()).take(256).collect();
                Write::UpdateDevice(device)
            }));
        }
        writes.push(Write::SaveInventory { device_id: enrollment.device_id, items });
        Ok(writes)
    }

    /// The device left: its certificates are revoked, and that is told.
    async fn left_writes(
        &self,
        request: &CheckIn,
        enrollment: &Enrollment,
        asked: bool,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, Error> {
        let reason = if asked { "retired" } else { "the user ended management on the device" };
        let mut writes = self.revocations(enrollment, reason, now).await?;
        let data = json!({"enrollment_id": enrollment.id, "reason": reason});
        writes.push(self.event("device.retired", Some(enrollment.device_id.to_string()), data));
        let object = self.audit_object(enrollment).await?;
        writes.push(self.audit(&device_principal(request), "device.leave", object, "ok", reason));
        Ok(writes)
    }

    /// The device of an enrollment, as the audit names it.
    pub(super) async fn audit_object(&self, enrollment: &Enrollment) -> Result<AuditObject<'static>, StoreError> {
        let view = self.store.device(enrollment.device_id).await?;
        let name = view.map(|view| view.device.name).unwrap_or_default();
        Ok(AuditObject { kind: "device", id: enrollment.device_id.to_string(), name })
    }

    /// Revokes all certificates of an enrollment, and tells it.
    pub(super) async fn revocations(
        &self,
        enrollment: &Enrollment,
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<Write>, StoreError> {
        let certificates = self.store.certificates_of(enrollment.id).await?;
        let live = certificates.into_iter().filter(|certificate| certificate.revoked_at.is_none());
        let subject = enrollment.device_id.to_string();
        Ok(live
            .flat_map(|certificate| {
                let data = json!({"serial": certificate.serial, "enrollment_id": enrollment.id, "reason": reason});
                let told = self.event("cert.revoked", Some(subject.clone()), data);
                [Write::RevokeCertificate { serial: certificate.serial, at: now, reason: reason.to_owned() }, told]
            })
            .collect())
    }

    /// Hands both messages to the transcript of the session that they belong to.
    fn keep_transcript(&self, request: &CheckIn, input: Input, output: &Output, answer: &CheckInAnswer) {
        let named = || input.conversation.remembered(&input.message.header.session_id.0, input.now);
        let Some(place) = output.sessions.first().or_else(named).map(Place::of) else { return };
        let answer = match answer {
            CheckInAnswer::Reply(bytes) => (200, Body::Message(bytes.clone())),
            CheckInAnswer::Bad(line) => (400, Body::Words(line.clone())),
            CheckInAnswer::Forbidden => (403, Body::Words(String::new())),
        };
        let (now, message) = (input.now, Body::Message(request.body.clone()));
        self.transcribe(place.exchange(request, now, (message, Some(Box::new(input))), answer));
    }
}

/// Where in a transcript a message belongs.
#[derive(Clone, Copy)]
struct Place {
    session: Id<SessionRecord>,
    number: u32,
}

impl Place {
    fn of(session: &SessionState) -> Self {
        Self { session: session.id, number: session.messages }
    }

    fn exchange(
        self,
        request: &CheckIn,
        at: OffsetDateTime,
        (message, given): (Body, Option<Box<Input>>),
        (status, answer): (u16, Body),
    ) -> Exchange {
        let (session, number) = (self.session, self.number);
        Exchange { session, number, at, encoding: request.encoding, message, given, status, answer }
    }
}

/// Behind the last message of a session that is remembered.
fn place(conversation: &Conversation, session: Id<SessionRecord>) -> Place {
    let mut remembered = conversation.current.iter().chain(&conversation.earlier);
    let found = remembered.find(|state| state.id == session);
    Place { session, number: found.map_or(0, |state| state.messages) }
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

fn log(input: &Input, output: &Output) {
    let session = output.sessions.first();
    tracing::info!(
        enrollment_id = %input.enrollment.id,
        session_id = session.map(|session| session.id.to_string()),
        wire_session = session.map(|session| session.wire_id.as_str()),
        msg_id = input.message.header.msg_id.0,
        ms_cv = input.opening.correlation,
        client_request_id = input.opening.client_request_id,
        state = session.and_then(|session| session.closed).map_or("open", |closed| closed.how.as_str()),
        commands = output.commands.len(),
        "device message"
    );
}

#[cfg(test)]
#[path = "check_in/tests.rs"]
mod tests;
