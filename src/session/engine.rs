//! One message in, one answer and what changed out (management reference 1.16).

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::arrival::{self, Arrival, ObjectChange};
use super::auth::Admission;
use super::automatic::Automatic;
use super::classify::{Incoming, Rejection};
use super::conversation::{Closing, Conversation, Farewell, Login, SessionState};
use super::documents::DocumentTurn;
use super::exchange::{Answer, Input, Limits, Notice, Output};
use super::push::PushTurn;
use super::sending::{self, Supply, Want};
use super::status_page::PageTurn;
use super::{batch, receive, settle};
use crate::domain::Id;
use crate::domain::command::QueuedCommand;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::entra::TokenEvidence;
use crate::domain::object::LargeObject;
use crate::proto::syncml::{Alert, Command, Element, Header, Message, MsgId, Status};

/// The work of one step.
pub(super) struct Work {
    pub(super) now: OffsetDateTime,
    pub(super) limits: Limits,
    pub(super) enrollment: Enrollment,
    pub(super) conversation: Conversation,
    /// The session at work; `None` for a late message.
    pub(super) session: Option<SessionState>,
    /// What credentials have to do with the message.
    admission: Admission,
    pub(super) commands: BTreeMap<Id<QueuedCommand>, QueuedCommand>,
    before: BTreeMap<Id<QueuedCommand>, QueuedCommand>,
    pub(super) notices: Vec<Notice>,
    /// Status elements of the answer.
    pub(super) statuses: Vec<Status>,
    pub(super) seen: Seen,
    /// What the device gave out for the next credential of ours.
    pub(super) next_nonce: Option<Vec<u8>>,
    pub(super) objects: Vec<ObjectChange>,
    pub(super) new_object: Id<LargeObject>,
    pub(super) supplies: Vec<Supply>,
    pub(super) want: Option<Want>,
    pub(super) room: u64,
    /// What came of a large object before this message, and in it.
    pub(super) arrived_before: String,
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

/// Processes a message that [`super::classify`] let through.
#[must_use]
pub fn step(input: Input) -> Output {
    let (message, incoming, digest) = (input.message.clone(), input.incoming.clone(), input.digest);
    let mut work = Work::new(&input);
    let superseded = work.enter(&input, &incoming);
    let reply = work.process(&message, &incoming, digest);
    work.output(Answer::Reply(Box::new(reply)), superseded)
}

/// Processes a message of which is known what it is, or refuses it.
#[must_use]
pub fn respond(input: Input) -> Output {
    match input.incoming {
        Incoming::Reject(rejection) => refuse(&input, rejection),
        _ => step(input),
    }
}

/// Closes the session of a message that is refused, where the table says so; the queue stays intact.
#[must_use]
pub fn refuse(input: &Input, rejection: Rejection) -> Output {
    let mut work = Work::new(input);
    let wire_id = &input.message.header.session_id.0;
    let named = input.conversation.remembered(wire_id, input.now).map(|session| session.id);
    let current = input.conversation.open().filter(|open| Some(open.id) == named).cloned();
    if rejection != Rejection::Stale && current.is_some() {
        work.session = current;
        work.notices.push(Notice::Refused(rejection));
        work.close(Closing::Aborted);
        settle::session_died(&mut work);
        work.remark(&rejection.to_string());
    }
    work.output(Answer::Refuse(rejection), None)
}

/// Closes an open session in which no message came for too long.
#[must_use]
pub fn time_out(
    conversation: Conversation,
    enrollment: Enrollment,
    commands: Vec<QueuedCommand>,
    limits: Limits,
    now: OffsetDateTime,
) -> Output {
    let map: BTreeMap<_, _> = commands.into_iter().map(|command| (command.id, command)).collect();
    let mut work = Work {
        now,
        limits,
        session: conversation.current.clone().filter(SessionState::is_open),
        admission: Admission::Certain,
        enrollment,
        conversation,
        before: map.clone(),
        commands: map,
        notices: Vec::new(),
        statuses: Vec::new(),
        seen: Seen::default(),
        next_nonce: None,
        objects: Vec::new(),
        // Nothing begins.
        new_object: Id::new(Uuid::nil()),
        supplies: Vec::new(),
        want: None,
        room: 0,
        arrived_before: String::new(),
        arrived: String::new(),
        alerts: Vec::new(),
    };
    work.close(Closing::TimedOut);
    settle::session_died(&mut work);
    work.output(Answer::Refuse(Rejection::Stale), None)
}

impl Work {
    fn new(input: &Input) -> Self {
        let commands: BTreeMap<_, _> = input.commands.iter().map(|command| (command.id, command.clone())).collect();
        Self {
            now: input.now,
            limits: input.limits.clone(),
            enrollment: input.enrollment.clone(),
            conversation: input.conversation.clone(),
            session: None,
            admission: input.proven.admission.clone(),
            before: commands.clone(),
            commands,
            notices: Vec::new(),
            statuses: Vec::new(),
            seen: Seen::default(),
            next_nonce: None,
            objects: Vec::new(),
            new_object: input.new_object,
            supplies: input.supplies.clone(),
            want: None,
            room: input.room,
            arrived_before: input.arrived.clone(),
            arrived: String::new(),
            alerts: Vec::new(),
        }
    }

    /// Finds or opens the session; returns the one that was superseded.
    fn enter(&mut self, input: &Input, incoming: &Incoming) -> Option<SessionState> {
        self.enrollment.last_seen_at = Some(self.now);
        if let Some(mark) = &input.proven.signature {
            self.conversation.signatures.remember(mark, self.limits.signing_window, self.now);
        }
        let mut superseded = None;
        match incoming {
            Incoming::Open { odd } => {
                let next = opened(input);
                let open = self.conversation.current.as_mut().and_then(SessionState::break_off);
                self.discard(open);
                superseded = self.conversation.begin(next.clone(), self.now);
                settle::session_died(self);
                self.session = Some(next);
                self.notices.push(Notice::SessionOpened);
                if *odd {
                    self.remark("the session began with a MsgID above 1");
                }
            }
            Incoming::Continue { gap } => {
                self.session.clone_from(&self.conversation.current);
                if *gap {
                    self.remark("MsgIDs were skipped");
                }
            }
            Incoming::Restart => self.session.clone_from(&self.conversation.current),
            Incoming::Late | Incoming::Replay(_) | Incoming::Reject(_) => {}
        }
        let header = &input.message.header;
        if header.session_id.0.chars().count() > 4 && matches!(incoming, Incoming::Open { .. }) {
            self.remark("the SessionID is longer than four characters");
        }
        if let Some(session) = &mut self.session {
            session.last_msg_id = header.msg_id.0;
            session.last_digest = input.digest;
            session.last_at = self.now;
            session.messages += 1;
            session.prove(&input.proven);
            session.tokens.add(input.tokens.clone());
        }
        self.note_source(&header.source);
        superseded
    }

    fn note_source(&mut self, source: &str) {
        let source = source.trim();
        let known = self.enrollment.reported_source.as_deref().is_some_and(|last| last.eq_ignore_ascii_case(source));
        if known {
            return;
        }
        let from = self.enrollment.reported_source.replace(source.to_owned());
        if !self.enrollment.answers_to(source) {
            self.notices.push(Notice::SourceChanged { from });
        }
    }

    fn process(&mut self, message: &Message, incoming: &Incoming, digest: [u8; 32]) -> Message {
        if let Some(code) = version_error(&message.header) {
            self.status(message, "0", "SyncHdr", code);
            if self.session.is_some() {
                settle::session_died(self);
            }
            self.close(Closing::Completed);
            return self.reply(message, Vec::new(), None, true);
        }
        self.status(message, "0", "SyncHdr", 200);
        sending::note_limits(self, message);
        let was_sending = self.session.as_ref().is_some_and(|session| session.sending.is_some());
        receive::body(self, message);
        if self.seen.left {
            return self.farewell(message, digest);
        }
        if self.seen.aborted {
            settle::answered(self);
            settle::aborted(self);
            self.close(Closing::Aborted);
            return self.reply(message, Vec::new(), None, true);
        }
        let restarts = *incoming == Incoming::Restart || (self.seen.unreadable && self.session.is_some());
        if restarts {
            sending::stop(self);
            settle::restarted(self);
        }
        if self.seen.chunk && self.session.is_some() {
            settle::answered_so_far(self);
            return self.reply(message, Vec::new(), Some(Alert::bare("", 1222)), false);
        }
        if let Some((chunk, is_last)) = sending::go_on(self, message) {
            settle::answered(self);
            return self.reply(message, vec![chunk], None, is_last);
        }
        // A chunk of ours has no Final, so the answer to it needs none.
        let is_over = message.is_final || was_sending;
        if !is_over || self.seen.heartbeat {
            settle::answered_so_far(self);
            let next = self.limits.next_message.then(|| Alert::bare("", 1222));
            return self.reply(message, Vec::new(), next, !self.limits.next_message);
        }
        match incoming {
            Incoming::Continue { .. } if !restarts => settle::package_complete(self),
            _ => settle::answered(self),
        }
        let room = sending::room(self, message);
        let (commands, is_final) = batch::next(self, room);
        if commands.is_empty() {
            self.end_one_by_one();
            self.close(Closing::Completed);
        }
        self.reply(message, commands, None, is_final)
    }

    /// The culprit was not among the single commands, or it is gone: whole messages are tried again.
    fn end_one_by_one(&mut self) {
        let read_all = self.session.as_ref().is_some_and(|session| session.unreadable == 0 && session.messages > 1);
        self.conversation.one_by_one &= !read_all;
    }

    /// The device left: no command, no way back.
    fn farewell(&mut self, message: &Message, digest: [u8; 32]) -> Message {
        let asked = self.enrollment.state == EnrollmentState::Retiring;
        settle::left(self, asked);
        self.notices.push(Notice::Left { asked });
        if let Some(session) = &self.session {
            self.conversation.farewell = Some(Farewell { session: session.id, digest, at: self.now });
        }
        self.close(Closing::Unenrolled);
        self.reply(message, Vec::new(), None, true)
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
        let of = |commands: &BTreeMap<Id<QueuedCommand>, QueuedCommand>| -> BTreeSet<Id<LargeObject>> {
            commands.values().flat_map(|command| command.objects().map(|object| object.id)).collect()
        };
        let (mut before, after) = (of(&self.before), of(&self.commands));
        before.extend(self.objects.iter().filter_map(|change| match change {
            ObjectChange::Finish(object) => Some(object.id),
            _ => None,
        }));
        before.difference(&after).map(|id| ObjectChange::Delete(*id)).collect()
    }

    fn discard(&mut self, open: Option<Arrival>) {
        if let Some(open) = open {
            arrival::discard(self, open);
        }
    }

    /// Header, statuses in order, then our alerts and commands or the request for the next message.
    fn reply(&mut self, message: &Message, commands: Vec<Command>, next: Option<Alert>, is_final: bool) -> Message {
        let our_id = match &mut self.session {
            Some(session) => {
                session.our_msg_id += 1;
                session.our_msg_id
            }
            None => message.header.msg_id.0,
        };
        let mut statuses = std::mem::take(&mut self.statuses);
        let ends = self.session.as_ref().is_some_and(|session| !session.is_open());
        if let Some(header) = statuses.first_mut().filter(|status| status.code.0 == 200) {
            self.admission.answer(header, ends);
        }
        let mut alerts = std::mem::take(&mut self.alerts);
        alerts.extend(next);
        let mut body: Vec<Element> = Vec::with_capacity(statuses.len() + alerts.len() + commands.len());
        let mut numbers = (1_usize..).map(|number| number.to_string());
        for (status, number) in statuses.into_iter().zip(&mut numbers) {
            body.push(Element::Status(Status { cmd_id: number, ..status }));
        }
        body.extend(
            alerts.into_iter().zip(numbers).map(|(alert, id)| Element::Alert(Alert { cmd_id: Some(id), ..alert })),
        );
        body.extend(commands.into_iter().map(Element::Command));
        Message { header: reply_header(message, our_id, &self.limits), body, is_final }
    }

    /// The answer without commands, for what it takes.
    pub(super) fn envelope(&self, message: &Message) -> Message {
        let statuses = self.statuses.iter().cloned().map(Element::Status);
        let alerts = self.alerts.iter().cloned().map(Element::Alert);
        Message {
            header: reply_header(message, message.header.msg_id.0, &self.limits),
            body: statuses.chain(alerts).collect(),
            is_final: true,
        }
    }

    fn output(mut self, answer: Answer, superseded: Option<SessionState>) -> Output {
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
        let before = self.before;
        let changed = self.commands.into_values().filter(|command| is_changed(before.get(&command.id), command));
        let commands = changed.collect();
        Output {
            answer,
            enrollment: self.enrollment,
            conversation: self.conversation,
            sessions,
            commands,
            objects: without_passing(objects),
            want: self.want,
            notices: self.notices,
            next_nonce: self.next_nonce,
        }
    }
}

/// The header of our answer to a message.
pub(super) fn reply_header(message: &Message, our_id: u64, limits: &Limits) -> Header {
    Header {
        ver_dtd: "1.2".to_owned(),
        ver_proto: "DM/1.2".to_owned(),
        session_id: message.header.session_id.clone(),
        msg_id: MsgId(our_id),
        target: message.header.source.clone(),
        source: limits.management_url.clone(),
        source_name: None,
        cred: None,
        max_msg_size: Some(MAX_MSG_SIZE),
        max_obj_size: None,
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

/// What we announce; small values make 25H2 abort instead of cutting a large result into chunks.
const MAX_MSG_SIZE: u64 = 524_288;

fn is_changed(before: Option<&QueuedCommand>, after: &QueuedCommand) -> bool {
    before.is_none_or(|before| {
        before.state != after.state
            || before.items != after.items
            || before.offers != after.offers
            || before.step != after.step
            || before.detail != after.detail
            || before.last_offer != after.last_offer
            || before.retries != after.retries
            || before.finished_at != after.finished_at
            || before.not_before != after.not_before
    })
}

fn opened(input: &Input) -> SessionState {
    let header = &input.message.header;
    SessionState {
        id: input.new_session,
        wire_id: header.session_id.0.clone(),
        source: header.source.trim().to_owned(),
        opened_at: input.now,
        last_at: input.now,
        last_msg_id: header.msg_id.0,
        last_digest: input.digest,
        messages: 0,
        cancelled: false,
        our_msg_id: 0,
        closed: None,
        login: Login::default(),
        proofs: input.proven.proofs(),
        digest_from: None,
        tokens: TokenEvidence::default(),
        unreadable: 0,
        automatic: Automatic {
            sign: input.proven.has_to_sign,
            with_link: input.limits.declared_configuration,
            ..Automatic::plan(&input.enrollment, input.conversation.csps_of, input.limits.push.is_some(), input.now)
        },
        page_turn: PageTurn::default(),
        push_turn: PushTurn::plan(input.limits.push.as_deref(), &input.registration, input.now),
        document_turn: DocumentTurn::default(),
        opening: input.opening.clone(),
        remarks: Vec::new(),
        arrival: None,
        sending: None,
        max_msg_size: None,
        max_obj_size: None,
    }
}

/// Other versions than 1.2 are read only to be told so.
fn version_error(header: &Header) -> Option<u16> {
    if header.ver_dtd.trim() != "1.2" {
        return Some(505);
    }
    (!header.ver_proto.trim().eq_ignore_ascii_case("DM/1.2")).then_some(513)
}

/// How long the word of a device counts that accepted a wipe.
pub(super) const WIPE_WAITS: Duration = Duration::hours(24);
/// After which a device that accepted a wipe that keeps its data is taken for reset when it comes back.
pub(super) const KEPT_WIPE_WAITS: Duration = Duration::minutes(10);

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
