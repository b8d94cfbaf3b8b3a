//! What a step brought is committed: before the answer what has to last, behind it what may be lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use time::OffsetDateTime;

use super::load::{Loaded, may_concern_commands};
use super::{CONFLICT, CheckIn, CheckInAnswer, answer_purpose, record};
use crate::app::behind::{Answer as Kept, Left, Moment, Put};
use crate::app::objects::object_write;
use crate::app::ports::{ConversationChange, StoreError, Write};
use crate::app::{App, CertificateUse, Error};
use crate::domain::Id;
use crate::domain::command::QueuedCommand;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::session_record::StoredAnswer;
use crate::failpoint;
use crate::proto::syncml::Element;
use crate::session::{Admission, Answer, Closing, Conversation, Input, Notice, Output};

impl App {
    /// Commits what a step brought, and answers.
    pub(super) async fn apply(
        &self,
        request: &CheckIn,
        loaded: &Loaded,
        input: Input,
        mut output: Output,
    ) -> Result<CheckInAnswer, Error> {
        if let Some(nonce) = output.next_nonce.take() {
            self.keep_next_nonce(&mut output.enrollment, nonce);
        }
        leave_out_what_is_known(&mut output);
        let bytes = match &output.answer {
            Answer::Reply(message) => Some(request.encoding.encode(message)),
            Answer::Refuse(_) => None,
        };
        let mut told = self.certificate_writes(request, &mut output, input.now);
        told.extend(self.notice_writes(request, &input, &output).await?);
        failpoint::here(failpoint::CHECK_IN_BEFORE_COMMIT);
        let mut put = Put::NotNow;
        if told.is_empty() && may_be_lost(loaded, &input, &output) {
            put = self.leave_behind(loaded, &input, &output, bytes.as_deref());
        }
        match put {
            Put::Kept => {}
            Put::Changed => return Err(Error::Unavailable(CONFLICT.to_owned())),
            Put::NotNow => self.commit_step(loaded, &input, &output, bytes.as_deref(), told).await?,
        }
        failpoint::here(failpoint::CHECK_IN_AFTER_COMMIT);
        self.observe(&input, &output);
        log(&input, &output, put == Put::Kept);
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

    fn leave_behind(&self, loaded: &Loaded, input: &Input, output: &Output, bytes: Option<&[u8]>) -> Put {
        let enrollment = &output.enrollment;
        let left = Left {
            enrollment: enrollment.id,
            base: loaded.revision(),
            conversation: Arc::new(output.conversation.clone()),
            seen: input.now,
            sessions: output.sessions.iter().map(|session| record(session, enrollment)).collect(),
            events: self.opening_event(output).into_iter().collect(),
            answer: kept_answer(input, output, bytes),
        };
        self.memory.behind.put(loaded.moment, left)
    }

    /// Commits everything before the answer.
    async fn commit_step(
        &self,
        loaded: &Loaded,
        input: &Input,
        output: &Output,
        bytes: Option<&[u8]>,
        told: Vec<Write>,
    ) -> Result<(), Error> {
        let mut writes =
            vec![self.conversation_write(output.enrollment.id, &output.conversation, loaded.revision())?];
        writes.extend(self.session_writes(loaded, input, output));
        writes.extend(self.opening_event(output));
        writes.extend(output.objects.iter().cloned().map(object_write));
        writes.extend(told);
        if let (Some(bytes), Some(session)) = (bytes, output.sessions.first()) {
            writes.push(Write::SaveAnswer(Box::new(StoredAnswer {
                session_id: session.id,
                enrollment_id: input.enrollment.id,
                msg_id: input.message.header.msg_id.0,
                digest: input.digest,
                at: input.now,
                sealed: self.sealer.seal(&answer_purpose(session.id), bytes),
            })));
        }
        self.commit_check_in(output.enrollment.id, Some(loaded.moment), writes).await
    }

    /// Commits; where something changed meanwhile, the message is judged again. `replaces`: the moment before the conversation was
    /// loaded that it replaces, if it does.
    pub(in crate::app) async fn commit_check_in(
        &self,
        id: Id<Enrollment>,
        replaces: Option<Moment>,
        writes: Vec<Write>,
    ) -> Result<(), Error> {
        let Some(committing) = self.memory.behind.begin(id, replaces) else {
            return Err(Error::Unavailable(CONFLICT.to_owned()));
        };
        self.memory.behind.commits.message.fetch_add(1, Ordering::Relaxed);
        match self.commit_and_ring(writes).await {
            Ok(()) => {
                committing.succeed();
                Ok(())
            }
            Err(StoreError::Conflict) => Err(Error::Unavailable(CONFLICT.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// The enrollment, its sessions and its commands.
    fn session_writes(&self, loaded: &Loaded, input: &Input, output: &Output) -> Vec<Write> {
        let (before, enrollment) = (&loaded.known.enrollment, &output.enrollment);
        let mut writes = vec![match enrollment.same_but_seen(before) {
            true => Write::SeeEnrollment { id: enrollment.id, version: before.version, at: input.now },
            false => Write::UpdateEnrollment(Box::new(enrollment.clone())),
        }];
        if !enrollment.same_but_seen(before) && seen_in_the_future(before, input.now) {
            // An update alone leaves the later moment.
            writes.push(Write::SeeEnrollment { id: enrollment.id, version: before.version + 1, at: input.now });
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

    /// A state of an enrollment's sessions in place of that revision.
    pub(in crate::app) fn conversation_write(
        &self,
        enrollment_id: Id<Enrollment>,
        conversation: &Conversation,
        replaces: Option<i64>,
    ) -> Result<Write, StoreError> {
        let state = serde_json::to_string(conversation)
            .map_err(|error| StoreError::Internal(format!("conversations.state: {error}")))?;
        let mut random = [0; 8];
        self.rng.fill(&mut random);
        let revision = i64::from_be_bytes(random);
        Ok(Write::SaveConversation(ConversationChange { enrollment_id, state, replaces, revision }))
    }

    /// The event of a session that began.
    fn opening_event(&self, output: &Output) -> Option<Write> {
        output.notices.contains(&Notice::SessionOpened).then(|| {
            let session = output.sessions.first().map(|session| session.id);
            let data = json!({"enrollment_id": output.enrollment.id, "session_id": session});
            self.event("device.checkin", Some(output.enrollment.device_id.to_string()), data)
        })
    }
}

/// What a device tells about itself with every package 1 is written where it is something else than the last time, or where
/// something else was written since.
fn leave_out_what_is_known(output: &mut Output) {
    let Output { notices, conversation, .. } = output;
    let opens = notices.contains(&Notice::SessionOpened);
    notices.retain(|notice| match notice {
        Notice::Inventory(items) if opens => conversation.is_told_anew(items),
        Notice::Inventory(_) => {
            conversation.told = None;
            true
        }
        _ => true,
    });
}

/// Whether nothing changed but when the device was seen and one session, which is over, and nothing was answered but statuses.
/// Where there are commands, the guards of a commit have to say whether another process has just sent them or taken their answers.
/// Whoever repeats such a message after a restart may as well be answered anew (management reference 1.14).
fn may_be_lost(loaded: &Loaded, input: &Input, output: &Output) -> bool {
    let (Answer::Reply(reply), [session]) = (&output.answer, output.sessions.as_slice()) else { return false };
    let (before, enrollment) = (&loaded.known.enrollment, &output.enrollment);
    // An open session is stored, and so has its end to be.
    input.conversation.open().is_none()
        && session.closed.is_some_and(|closed| closed.how == Closing::Completed)
        && reply.body.iter().all(|element| matches!(element, Element::Status(_)))
        && session.arrival.is_none()
        && session.sending.is_none()
        && output.commands.is_empty()
        && !may_concern_commands(loaded, &input.conversation, before, &input.message)
        && output.objects.is_empty()
        && input.proven.admission == Admission::Certain
        && input.proven.signature.is_none()
        && enrollment.same_but_seen(before)
        && enrollment.state == EnrollmentState::Active
        && output.conversation.lasts_as(&input.conversation)
        && !seen_in_the_future(before, input.now)
}

/// Whether a device was seen by a clock that ran ahead. What is written behind would leave that.
fn seen_in_the_future(enrollment: &Enrollment, now: OffsetDateTime) -> bool {
    enrollment.last_seen_at.is_some_and(|at| at > now)
}

fn kept_answer(input: &Input, output: &Output, bytes: Option<&[u8]>) -> Option<Kept> {
    let (session, bytes) = output.sessions.first().zip(bytes)?;
    Some(Kept { session: session.id, digest: input.digest, bytes: bytes.to_vec() })
}

/// A line for each message; those without work are many, and their sessions are listed.
fn log(input: &Input, output: &Output, is_behind: bool) {
    let session = output.sessions.first();
    if is_behind {
        let session_id = session.map(|session| session.id.to_string());
        tracing::debug!(enrollment_id = %input.enrollment.id, session_id, "device message without work");
        return;
    }
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
