//! One message in, one answer and what changed out (management reference 1.16).

use time::{Duration, OffsetDateTime};

use super::automatic::Automatic;
use super::classify::{Incoming, Rejection};
use super::conversation::{Closing, Conversation, Farewell, Login, SessionState};
use super::documents::DocumentTurn;
use super::exchange::{Answer, Input, Limits, Notice, Output};
use super::provisioned::ProvisionTurn;
use super::push::PushTurn;
use super::status_page::PageTurn;
use super::work::Work;
use super::{batch, receive, sending, settle};
use crate::domain::command::QueuedCommand;
use crate::domain::enrollment::{Enrollment, EnrollmentState};
use crate::domain::entra::TokenEvidence;
use crate::proto::syncml::{Alert, Header, Message};

/// Processes a message that [`super::classify`] let through.
#[must_use]
pub fn step(input: &Input) -> Output {
    let mut work = Work::new(input);
    let superseded = work.enter(input);
    let reply = work.process(input);
    work.output(Answer::Reply(Box::new(reply)), superseded)
}

/// Processes a message of which is known what it is, or refuses it.
#[must_use]
pub fn respond(input: &Input) -> Output {
    match input.incoming {
        Incoming::Reject(rejection) => refuse(input, rejection),
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
    commands: &[QueuedCommand],
    limits: &Limits,
    now: OffsetDateTime,
) -> Output {
    let mut work = Work::after_time(conversation, enrollment, commands, limits, now);
    work.close(Closing::TimedOut);
    settle::session_died(&mut work);
    work.output(Answer::Refuse(Rejection::Stale), None)
}

impl Work<'_> {
    /// Finds or opens the session; returns the one that was superseded.
    fn enter(&mut self, input: &Input) -> Option<SessionState> {
        self.enrollment.last_seen_at = Some(self.now);
        if let Some(mark) = &input.proven.signature {
            self.conversation.signatures.remember(mark, self.limits.signing_window, self.now);
        }
        let mut superseded = None;
        match &input.incoming {
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
        if header.session_id.0.chars().count() > 4 && matches!(input.incoming, Incoming::Open { .. }) {
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

    fn process(&mut self, input: &Input) -> Message {
        let (message, incoming) = (&input.message, &input.incoming);
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
            return self.farewell(message, input.digest);
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
        provision_turn: ProvisionTurn::plan(
            &input.limits.wanted,
            &input.conversation.provisioned,
            &input.enrollment,
            input.now,
        ),
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
