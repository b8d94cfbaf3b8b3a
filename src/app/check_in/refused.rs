//! Messages that do not come as far as a step: repeated ones, unreadable ones, and those that only pretend.

use serde_json::json;

use super::place::{Place, place};
use super::{CheckIn, CheckInAnswer, answer_purpose, device_principal};
use crate::app::transcripts::Body;
use crate::app::{App, AuditObject, Error};
use crate::domain::Id;
use crate::domain::enrollment::{Enrollment, normalize_identifier};
use crate::domain::session_record::{SessionRecord, answered_again, repeated, unreadable};
use crate::proto::syncml::Message;
use crate::session::Conversation;

impl App {
    /// The answer to a message that came before, as far as it is kept, byte for byte.
    pub(super) async fn kept_answer(
        &self,
        session: Id<SessionRecord>,
        digest: &[u8; 32],
    ) -> Result<Option<Vec<u8>>, Error> {
        if let Some(bytes) = self.memory.behind.answer(session, digest) {
            return Ok(Some(bytes));
        }
        let stored = self.store.stored_answer(session).await?.filter(|stored| stored.digest == *digest);
        Ok(stored.map(|stored| self.sealer.open(&answer_purpose(session), &stored.sealed)).transpose()?)
    }

    /// Answers as before.
    pub(super) fn repeat(&self, request: &CheckIn, place: Place, bytes: Vec<u8>) -> CheckInAnswer {
        let again = Body::Words(repeated(request.body.len()));
        let answer = (200, Body::Words(answered_again(bytes.len())));
        self.memory.behind.record(place.exchange(request, self.now(), (again, None), answer));
        CheckInAnswer::Reply(bytes)
    }

    /// Answers the last message of a device that left as before.
    pub(super) async fn repeat_farewell(
        &self,
        request: &CheckIn,
        conversation: &Conversation,
        session: Id<SessionRecord>,
        digest: &[u8; 32],
    ) -> Result<CheckInAnswer, Error> {
        Ok(match self.kept_answer(session, digest).await? {
            Some(bytes) => self.repeat(request, place(conversation, session), bytes),
            None => CheckInAnswer::Bad("the answer to this message is no longer kept".to_owned()),
        })
    }

    /// A message that was refused before it got to the engine goes into the transcript of the open session.
    pub(super) fn record_refusal(&self, request: &CheckIn, conversation: &Conversation, line: &str) {
        let Some(session) = conversation.open() else { return };
        let words = Body::Words(unreadable(request.body.len()));
        let answer = (400, Body::Words(line.to_owned()));
        self.memory.behind.record(Place::of(session).exchange(request, self.now(), (words, None), answer));
    }

    /// The other open enrollment that the Source names, if it names one.
    pub(super) async fn impersonated(&self, own: &Enrollment, message: &Message) -> Result<Option<Enrollment>, Error> {
        let source = &message.header.source;
        if own.answers_to(source) || !crate::domain::device::is_usable_identifier(source) {
            return Ok(None);
        }
        let claimed = self.store.enrollments_claiming(&normalize_identifier(source)).await?;
        Ok(claimed.into_iter().find(|other| other.id != own.id))
    }

    /// Refuses a certificate that goes with another device's name; neither session is touched.
    pub(super) async fn refuse_impersonation(
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
    pub(super) async fn refuse_repeated_signature(
        &self,
        request: &CheckIn,
        own: &Enrollment,
    ) -> Result<CheckInAnswer, Error> {
        let words = "a signed message that came before";
        tracing::warn!(enrollment_id = %own.id, words, "message refused");
        if self.memory.throttles.allow_row(request.device.address) {
            let object = self.audit_object(own).await?;
            self.commit(vec![self.audit(&device_principal(request), "device.check_in", object, "refused", words)])
                .await?;
        }
        Ok(CheckInAnswer::Bad(words.to_owned()))
    }
}
