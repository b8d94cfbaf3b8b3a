//! Handing the commands of a step to the device, and what is done when it does not answer (management reference 1.15, 2.4).
//!
//! Each top-level command has its own fate: what has its answer is not sent again because another one has none.

use time::OffsetDateTime;

use super::item::ItemState;
use super::{Command, CommandState, Offer, QueuedCommand};
use crate::domain::Id;
use crate::domain::action::{Action, Conclusion, Order, Repeat};
use crate::domain::enrollment::Enrollment;
use crate::domain::session_record::SessionRecord;
use crate::proto::syncml::{Verb, Verdict};

impl QueuedCommand {
    /// The top-level commands that may go out now: those without an answer whose user is there. The commands of an action
    /// wait for the user together.
    #[must_use]
    pub fn to_send(&self, user_is_present: bool) -> Vec<&Command> {
        let mut pending: Vec<&Command> = self.pending().collect();
        if !user_is_present && self.action == Action::Raw {
            pending.retain(|command| !is_of_user(command));
        } else if !user_is_present && pending.iter().any(|command| is_of_user(command)) {
            pending.clear();
        }
        pending
    }

    /// Whether nothing of it can go out before its user is there.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        self.has_pending() && self.to_send(false).is_empty()
    }

    /// Whether anything of it, in whatever step, is about the tree of the user.
    #[must_use]
    pub fn is_of_user(&self) -> bool {
        self.body.iter().chain(&self.rest).any(is_of_user) || self.items.iter().any(ItemState::is_of_user)
    }

    /// Whether something of the step still is to be sent, or was sent and not answered.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        self.pending().next().is_some()
    }

    /// Top-level commands that still need an answer.
    fn pending(&self) -> impl Iterator<Item = &Command> {
        self.body.iter().filter(|command| !self.is_settled(command))
    }

    /// Puts the top-level commands with these CmdIDs into a message.
    pub fn hand_over(&mut self, cmd_ids: &[String], offer: Offer) {
        // A retire that the device accepted stays succeeded while it is asked again.
        if self.state.is_open() {
            for id in cmd_ids {
                self.items_of_mut(id).for_each(ItemState::ask);
            }
            self.state = CommandState::Sent;
            self.status = None;
            if self.followed.is_none() {
                "handed to the device, the answer is awaited".clone_into(&mut self.detail);
            }
        }
        self.offers += 1;
        self.last_offer = Some(offer);
    }

    /// A top-level command is not put into any message: what of it has no answer ends with a status of ours.
    pub fn refuse_to_send(&mut self, cmd_id: &str, status: u16) {
        for item in self.items_of_mut(cmd_id).filter(|item| !item.is_settled()) {
            item.status = Some(status);
        }
    }

    /// Whether something that was put into a message has no answer yet.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.awaited().next().is_some()
    }

    /// The top-level commands that were put into a message and have no answer yet.
    pub fn awaited(&self) -> impl Iterator<Item = &Command> {
        self.pending().filter(|command| self.items_of(&command.cmd_id).any(|item| item.asked))
    }

    /// Whether what has no answer may be repeated without one.
    #[must_use]
    pub fn repeat(&self) -> Repeat {
        if self.followed.is_some() {
            return Repeat::Freely;
        }
        if self.action != Action::Raw || !self.has_pending() {
            return self.action.repeat(&self.body);
        }
        if self.pending().any(holds_exec) { Repeat::Never } else { Repeat::Freely }
    }

    /// The package that answers the last message is complete, and some of its commands have no status: a container answers
    /// for what is in it, a setting is sent once more and then given up, a one-shot command may have happened.
    pub fn miss(&mut self) {
        let awaited: Vec<(String, bool)> = self
            .awaited()
            .map(|command| {
                let id = &command.cmd_id;
                (id.clone(), self.is_decided(id) || holds_exec(command) || self.was_missed(id))
            })
            .collect();
        for (id, is_over) in awaited {
            for item in self.items_of_mut(&id).filter(|item| !item.is_settled() && !item.is_container()) {
                item.lost = is_over;
                item.missed |= !is_over;
            }
        }
    }

    fn was_missed(&self, cmd_id: &str) -> bool {
        self.items_of(cmd_id).any(|item| item.missed && !item.is_settled())
    }

    /// The session is over: one-shot commands without an answer may have happened, and are not repeated.
    pub fn lose_execs(&mut self) {
        self.lose(holds_exec);
    }

    /// No answer to what is awaited will come.
    pub fn lose_awaited(&mut self) {
        self.lose(|_| true);
    }

    fn lose(&mut self, test: impl Fn(&Command) -> bool) {
        for id in self.awaited_ids(test) {
            let unanswered = self.items_of_mut(&id).filter(|item| !item.is_settled() && !item.is_container());
            unanswered.for_each(|item| item.lost = true);
        }
    }

    /// Ends awaited commands that pass the test, with a status of ours.
    pub fn give_up_awaited(&mut self, test: impl Fn(&Command) -> bool, status: u16) {
        for id in self.awaited_ids(test) {
            for item in self.items_of_mut(&id).filter(|item| !item.is_settled()) {
                item.status = Some(status);
                item.coming = false;
            }
        }
    }

    fn awaited_ids(&self, test: impl Fn(&Command) -> bool) -> Vec<String> {
        self.awaited().filter(|command| test(command)).map(|command| command.cmd_id.clone()).collect()
    }

    /// The status of a command of an administrator that asks to come again later: it does, whatever became of its neighbours.
    #[must_use]
    pub fn asks_later(&self, provider_id: &str, enrollment: &Enrollment) -> Option<u16> {
        let order = Order::new(self.id, provider_id, enrollment);
        let own = self.body.iter().filter(|_| self.action == Action::Raw);
        own.filter(|command| !self.has_run_exec(&command.cmd_id)).find_map(|command| {
            let items: Vec<ItemState> = self.items_of(&command.cmd_id).cloned().collect();
            match self.action.conclude(&order, &items) {
                Conclusion::Retry(status) => Some(status),
                _ => None,
            }
        })
    }

    /// The device asks to come again later. Returns whether that can be done: not where something that was carried out
    /// once, and must not be twice, would be repeated with it.
    pub fn put_off(&mut self) -> bool {
        let is_raw = self.action == Action::Raw;
        let asks = |id: &str| self.items_of(id).any(|item| item.verdict() == Some(Verdict::Retry));
        let again: Vec<&Command> = self.body.iter().filter(|command| !is_raw || asks(&command.cmd_id)).collect();
        if again.is_empty() || is_raw && again.iter().any(|command| self.has_run_exec(&command.cmd_id)) {
            return false;
        }
        let again: Vec<String> = again.into_iter().map(|command| command.cmd_id.clone()).collect();
        self.answered_for_now(&again);
        true
    }

    /// What was refused because its user is not there goes back, to wait for the user. Returns whether there is any.
    pub fn wait_for_user(&mut self) -> bool {
        let lacks_user = |item: &ItemState| item.is_of_user() && matches!(item.status, Some(404 | 405 | 425));
        let refused =
            |command: &Command| self.items_of(&command.cmd_id).any(lacks_user) && !self.has_run_exec(&command.cmd_id);
        let any = self.body.iter().any(refused);
        let again = self.body.iter().filter(|command| any && (self.action != Action::Raw || refused(command)));
        let again: Vec<String> = again.map(|command| command.cmd_id.clone()).collect();
        self.answered_for_now(&again);
        any
    }

    /// Whether a one-shot command inside was carried out, as far as is known.
    pub(super) fn has_run_exec(&self, cmd_id: &str) -> bool {
        self.items_of(cmd_id).any(|item| item.verb() == Verb::Exec && (item.lost || may_have_run(item.status)))
    }

    /// The answer was that it is not the time; a second one to the same question does not count.
    fn answered_for_now(&mut self, cmd_ids: &[String]) {
        self.forget(cmd_ids);
        for id in cmd_ids {
            self.items_of_mut(id).for_each(|item| item.put_off = true);
        }
    }

    fn forget(&mut self, cmd_ids: &[String]) {
        for id in cmd_ids {
            for item in self.items_of_mut(id) {
                item.again |= item.asked && !item.is_bad();
                item.forget();
            }
        }
    }

    /// Forgets all answers to the step.
    pub(super) fn forget_answers(&mut self) {
        self.standing_mut().for_each(ItemState::forget);
    }

    /// Marks it as handed over without an answer.
    pub fn lose_sight(&mut self) {
        self.state = CommandState::Unknown;
        self.detail = format!("sent {} but not answered; it may have happened", times(self.offers));
    }

    /// Puts what has no answer back into the queue after it was, or may have been, executed.
    pub fn requeue(&mut self, detail: &str) {
        let pending: Vec<String> = self.pending().map(|command| command.cmd_id.clone()).collect();
        self.forget(&pending);
        self.await_turn(detail);
    }

    /// Puts what has no answer back into the queue as if it had not been sent.
    pub fn take_back(&mut self, detail: &str) {
        let pending: Vec<String> = self.pending().map(|command| command.cmd_id.clone()).collect();
        for id in pending {
            self.items_of_mut(&id).for_each(ItemState::forget);
        }
        self.await_turn(detail);
    }

    /// The rest of it waits for its turn.
    pub fn await_turn(&mut self, detail: &str) {
        self.state = CommandState::Queued;
        self.finished_at = None;
        detail.clone_into(&mut self.detail);
    }

    /// Whether it could go into a message of that session now: queued and due, or `unknown` with an offer left
    /// (management reference 1.15). Expiry is judged here too, so that nothing overdue slips out before it is swept.
    #[must_use]
    pub fn may_be_offered(&self, session: Id<SessionRecord>, now: OffsetDateTime) -> bool {
        if now >= self.expires_at || self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        let was_here = self.last_offer.is_some_and(|last| last.session == session);
        match self.state {
            CommandState::Queued => !(was_here && self.waits_for_next_session()),
            CommandState::Sent => self.is_followed(),
            CommandState::Unknown => !was_here && self.has_offer_left(now),
            _ => false,
        }
    }

    /// The device cancelled what it was told, for the rest of that session.
    fn waits_for_next_session(&self) -> bool {
        matches!(self.status, Some(214 | 512 | 514))
    }

    fn has_offer_left(&self, now: OffsetDateTime) -> bool {
        // A Status that says neither yes nor no is an answer all the same.
        match (self.repeat(), self.last_offer) {
            (Repeat::Offers { most, pause }, Some(last)) => {
                self.is_unanswered() && self.offers < most && now - last.at >= pause
            }
            _ => false,
        }
    }
}

/// Whether an Exec with that status may have been carried out; 215 says that it was not.
fn may_have_run(status: Option<u16>) -> bool {
    status.is_some_and(|code| matches!(code, 101..=299 | 516) && code != 215)
}

fn holds_exec(command: &Command) -> bool {
    command.walk().any(|each| each.verb == Verb::Exec)
}

fn is_of_user(command: &Command) -> bool {
    command.walk().flat_map(|each| &each.items).filter_map(|item| item.target.as_ref()).any(|uri| uri.is_user_scope())
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
