//! Turns the commands of a message into Status and Results elements: order, containers, Items, reference fields.

use super::machine::{Effect, Machine};
use crate::proto::syncml::{Command, Element, Meta, MsgId, Results, Status, Verb};

/// One Item that was carried out, or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The server's number of the command.
    pub cmd_id: String,
    /// What was asked.
    pub verb: Verb,
    /// Of which node, as the server wrote it.
    pub uri: String,
    /// What came of it.
    pub status: u16,
}

/// What came of the commands of one message.
pub(super) struct Interpreter<'m> {
    machine: &'m mut Machine,
    msg_ref: MsgId,
    /// Elements of the answer, in order.
    pub answer: Vec<Element>,
    /// Everything that was run, in order.
    pub executed: Vec<Executed>,
    /// What the device did.
    pub effects: Vec<Effect>,
    last_id: u64,
}

impl<'m> Interpreter<'m> {
    /// Answers to the message `msg_ref`, whose header Status has the CmdID 1.
    pub(super) fn new(machine: &'m mut Machine, msg_ref: MsgId) -> Self {
        let header = Status::new("1".to_owned(), msg_ref, "0", "SyncHdr", 200);
        Self {
            machine,
            msg_ref,
            answer: vec![Element::Status(header)],
            executed: Vec::new(),
            effects: Vec::new(),
            last_id: 1,
        }
    }

    /// Carries out one command of the body. Nothing more is done once the device has left management.
    pub(super) fn command(&mut self, command: &Command) {
        if self.effects.contains(&Effect::Unenroll) {
            return;
        }
        if command.cmd_id.is_empty() {
            return self.status(command, 400, None);
        }
        match command.verb {
            Verb::Atomic => self.atomic(command),
            Verb::Sequence => {
                self.status(command, 200, None);
                for child in &command.children {
                    self.command(child);
                }
            }
            _ => self.items(command),
        }
    }

    /// An element that is no command of ours.
    pub(super) fn unknown(&mut self, name: &str, cmd_id: Option<&str>) {
        let id = self.next_id();
        let status = Status::new(id, self.msg_ref, cmd_id.unwrap_or_default(), name, 400);
        self.answer.push(Element::Status(status));
    }

    fn items(&mut self, command: &Command) {
        let mut results = Vec::new();
        let several = command.items.len() > 1;
        if command.items.is_empty() {
            return self.status(command, 412, None);
        }
        for item in &command.items {
            let mut item = item.clone();
            item.meta.format = item.meta.format.or_else(|| command.meta.format.clone());
            let outcome = self.machine.run(command.verb, &item);
            let uri = item.target.as_ref().map(ToString::to_string).unwrap_or_default();
            self.ran(command, uri.clone(), outcome.status);
            if let Some(effect) = outcome.effect {
                self.effects.push(effect);
            }
            self.status(command, outcome.status, several.then_some(uri));
            results.extend(outcome.result);
        }
        if !results.is_empty() {
            let results = Results {
                cmd_id: self.next_id(),
                msg_ref: self.msg_ref,
                cmd_ref: command.cmd_id.clone(),
                cmd: None,
                meta: Meta::default(),
                items: results,
            };
            self.answer.push(Element::Results(results));
        }
    }

    /// All or nothing: the tree of before comes back when a child fails.
    fn atomic(&mut self, command: &Command) {
        let before = self.machine.clone();
        let mut codes = Vec::new();
        let mut effects = Vec::new();
        let mut failed = false;
        for child in &command.children {
            let code = if failed { 215 } else { self.child(child, &mut effects) };
            failed |= !(200..300).contains(&code);
            codes.push(code);
        }
        if failed {
            *self.machine = before;
            for code in codes.iter_mut().filter(|code| (200..300).contains(*code) && **code != 215) {
                *code = 216;
            }
        } else {
            self.effects.append(&mut effects);
        }
        self.status(command, if failed { 507 } else { 200 }, None);
        for (child, code) in command.children.iter().zip(codes) {
            for item in &child.items {
                let uri = item.target.as_ref().map(ToString::to_string).unwrap_or_default();
                self.ran(child, uri, code);
            }
            self.status(child, code, None);
        }
    }

    /// One child of an Atomic; neither Get nor a container may stand there.
    fn child(&mut self, child: &Command, effects: &mut Vec<Effect>) -> u16 {
        if child.cmd_id.is_empty() || child.items.is_empty() && !child.verb.is_container() {
            return 400;
        }
        if child.verb == Verb::Get || child.verb.is_container() {
            return 500;
        }
        for item in &child.items {
            let outcome = self.machine.run(child.verb, item);
            effects.extend(outcome.effect);
            if !(200..300).contains(&outcome.status) {
                return outcome.status;
            }
        }
        200
    }

    fn ran(&mut self, command: &Command, uri: String, status: u16) {
        self.executed.push(Executed { cmd_id: command.cmd_id.clone(), verb: command.verb, uri, status });
    }

    fn status(&mut self, command: &Command, code: u16, target: Option<String>) {
        if command.no_resp {
            return;
        }
        let id = self.next_id();
        let mut status = Status::new(id, self.msg_ref, &command.cmd_id, command.verb.name(), code);
        status.target_refs.extend(target);
        self.answer.push(Element::Status(status));
    }

    fn next_id(&mut self) -> String {
        self.last_id += 1;
        self.last_id.to_string()
    }
}
