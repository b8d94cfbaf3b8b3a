//! What one step works with: what went in, borrowed as far as nothing changes it, and what is to come out.

use time::OffsetDateTime;
use uuid::Uuid;

use super::arrival::{self, Arrival, ObjectChange};
use super::auth::Admission;
use super::conversation::{Closing, Conversation, SessionState};
use super::exchange::{Answer, Input, Limits, Notice, Output};
use super::queue::Queue;
use super::sending::{Supply, Want};
use crate::domain::Id;
use crate::domain::command::QueuedCommand;
use crate::domain::enrollment::Enrollment;
use crate::domain::object::LargeObject;
use crate::proto::syncml::{Alert, Message, Status};

/// The work of one step.
pub(super) struct Work<'i> {
    pub(super) now: OffsetDateTime,
    pub(super) limits: &'i Limits,
    pub(super) enrollment: Enrollment,
    pub(super) conversation: Conversation,
    /// The session at work; `None` for a late message.
    pub(super) session: Option<SessionState>,
    /// What credentials have to do with the message.
    pub(super) admission: &'i Admission,
    pub(super) commands: Queue<'i>,
    pub(super) notices: Vec<Notice>,
    /// Status elements of the answer.
    pub(super) statuses: Vec<Status>,
    pub(super) seen: Seen,
    /// What the device gave out for the next credential of ours.
    pub(super) next_nonce: Option<Vec<u8>>,
    pub(super) objects: Vec<ObjectChange>,
    pub(super) new_object: Id<LargeObject>,
    pub(super) supplies: &'i [Supply],
    pub(super) want: Option<Want>,
    pub(super) room: u64,
    /// What came of a large object before this message, and in it.
    pub(super) arrived_before: &'i str,
    pub(super) arrived: String,
    /// Alerts of the answer.
    pub(super) alerts: Vec<Alert>,
}

/// What the body of the message held.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) aborted: bool,
    pub(super) left: bool,
    pub(super) heartbeat: bool,
    /// The device shows the enrollment status page.
    pub(super) bootstrap: bool,
    pub(super) unreadable: bool,
    /// Alerts that were kept.
    pub(super) alerts: usize,
    /// A chunk of a large object came, and it is not the last one.
    pub(super) chunk: bool,
    /// A large object began.
    pub(super) object_begun: bool,
}

impl<'i> Work<'i> {
    /// The work of a message.
    pub(super) fn new(input: &'i Input) -> Self {
        Self {
            admission: &input.proven.admission,
            new_object: input.new_object,
            supplies: &input.supplies,
            room: input.room,
            arrived_before: &input.arrived,
            ..Self::idle(
                input.enrollment.clone(),
                input.conversation.clone(),
                &input.commands,
                &input.limits,
                input.now,
            )
        }
    }

    /// The work of time that passed, on the open session.
    pub(super) fn after_time(
        conversation: Conversation,
        enrollment: Enrollment,
        commands: &'i [QueuedCommand],
        limits: &'i Limits,
        now: OffsetDateTime,
    ) -> Self {
        let session = conversation.current.clone().filter(SessionState::is_open);
        Self { session, ..Self::idle(enrollment, conversation, commands, limits, now) }
    }

    fn idle(
        enrollment: Enrollment,
        conversation: Conversation,
        commands: &'i [QueuedCommand],
        limits: &'i Limits,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            now,
            limits,
            enrollment,
            conversation,
            session: None,
            admission: &Admission::Certain,
            commands: Queue::new(commands),
            notices: Vec::new(),
            statuses: Vec::new(),
            seen: Seen::default(),
            next_nonce: None,
            objects: Vec::new(),
            // Nothing begins.
            new_object: Id::new(Uuid::nil()),
            supplies: &[],
            want: None,
            room: 0,
            arrived_before: "",
            arrived: String::new(),
            alerts: Vec::new(),
        }
    }

    pub(super) fn status(&mut self, message: &Message, cmd_ref: &str, cmd: &str, code: u16) {
        self.statuses.push(Status::new(String::new(), message.header.msg_id, cmd_ref, cmd, code));
    }

    /// Something odd, told once for each message.
    pub(super) fn remark(&mut self, words: &str) {
        if let Some(session) = &mut self.session {
            session.remark(words);
        }
        let notice = Notice::Remark(words.to_owned());
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    pub(super) fn close(&mut self, how: Closing) {
        let now = self.now;
        let Some(session) = &mut self.session else { return };
        session.close(how, now);
        let open = session.break_off();
        self.discard(open);
    }

    /// Values of commands that are no longer theirs: they are asked for again, or not needed any more.
    fn left_behind(&self) -> Vec<ObjectChange> {
        let finished = self.objects.iter().filter_map(|change| match change {
            ObjectChange::Finish(object) => Some(object.id),
            _ => None,
        });
        self.commands.objects_left(finished).into_iter().map(ObjectChange::Delete).collect()
    }

    pub(super) fn discard(&mut self, open: Option<Arrival>) {
        if let Some(open) = open {
            arrival::discard(self, open);
        }
    }

    /// What the step brought.
    pub(super) fn output(mut self, answer: Answer, superseded: Option<SessionState>) -> Output {
        if let Some(session) = &self.session {
            self.conversation.current = Some(session.clone());
        }
        let left_behind = self.left_behind();
        let mut objects = std::mem::take(&mut self.objects);
        objects.extend(left_behind);
        let mut sessions: Vec<SessionState> = self.session.into_iter().collect();
        sessions.extend(superseded.map(|mut session| {
            session.close(Closing::Superseded, self.now);
            session
        }));
        Output {
            answer,
            enrollment: self.enrollment,
            conversation: self.conversation,
            sessions,
            commands: self.commands.into_changed(),
            objects: without_passing(objects),
            want: self.want,
            notices: self.notices,
            next_nonce: self.next_nonce,
        }
    }
}

/// What began and ended in one step leaves no trace.
fn without_passing(changes: Vec<ObjectChange>) -> Vec<ObjectChange> {
    let begun = |id| changes.iter().any(|change| matches!(change, ObjectChange::Begin(object) if object.id == id));
    let gone = |id| changes.contains(&ObjectChange::Delete(id));
    let passing = |change: &&ObjectChange| {
        let id = match change {
            ObjectChange::Begin(object) => object.id,
            ObjectChange::Append(part) => part.object_id,
            ObjectChange::Finish(object) => object.id,
            ObjectChange::Delete(id) => *id,
        };
        begun(id) && gone(id)
    };
    changes.iter().filter(|change| !passing(change)).cloned().collect()
}
