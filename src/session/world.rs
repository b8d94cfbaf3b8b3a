//! For unit tests: one device in memory, time moved by hand.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    Admission, Answer, Conversation, Incoming, Input, Limits, Notice, ObjectChange, Opening, Output, Proven, Rejection,
    Supply, Wanted, classify, refuse, step,
};
use crate::domain::Id;
use crate::domain::action::{Action, Order};
use crate::domain::approval::Approval;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::entra::TokenEvidence;
use crate::domain::object::{LargeObject, ObjectLimits};
use crate::domain::proof::Proof;
use crate::domain::push::Registration;
use crate::proto::syncml::{Command, Element, Message, decode, decode_fragment, encode};
use crate::proto::xml::Limits as XmlLimits;

/// An enrollment with its queue, as the store would hold it, and a device that posts to it.
pub(super) struct World {
    pub(super) now: OffsetDateTime,
    pub(super) enrollment: Enrollment,
    pub(super) conversation: Conversation,
    pub(super) commands: BTreeMap<Id<QueuedCommand>, QueuedCommand>,
    pub(super) limits: Limits,
    pub(super) next_id: u128,
    pub(super) notices: Vec<Notice>,
    /// Its registration for push.
    pub(super) registration: Registration,
    /// Whether whole, and the text.
    pub(super) objects: BTreeMap<Id<LargeObject>, (bool, String)>,
    pub(super) room: u64,
    /// Whether the device says that it takes large objects.
    pub(super) takes_chunks: bool,
    /// What the tokens of the next request are worth.
    pub(super) tokens: TokenEvidence,
    /// What credentials have to do with the next messages.
    pub(super) admission: Admission,
    /// Whether the device has to sign its messages and does not.
    pub(super) has_to_sign: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let enrollment = Enrollment {
            id: Id::new(Uuid::from_u128(1)),
            device_id: Id::new(Uuid::from_u128(2)),
            user_id: None,
            state: EnrollmentState::Active,
            mode: Mode::OnPremise,
            kind: EnrollmentKind::Full,
            claimed_device_id: Some("DEV1".into()),
            hw_dev_id: None,
            reported_dev_id: None,
            reported_source: None,
            os_version: Some("10.0.22631.1".into()),
            os_edition: Some(48),
            context: Vec::new(),
            account: Vec::new(),
            enrolled_at: now,
            last_seen_at: None,
            inventory_at: Some(now),
            state_since: now,
            closed_reason: None,
            warning: None,
            locked_to_tenant: false,
            entra_device_id: None,
            package_id: None,
            assigned_at: None,
            approval: Approval::NotNeeded,
            replaced_unapproved: None,
            version: 0,
        };
        let limits = Limits {
            management_url: "https://dm.example.test/ManagementServer/MDM.svc".into(),
            provider_id: "Muster".into(),
            reply_bytes: 400_000,
            reply_commands: 100,
            next_message: true,
            signing_window: None,
            status_page: None,
            look: |_| None,
            push: None,
            objects: ObjectLimits { bytes: 1 << 20, parts: 100 },
            declared_configuration: false,
            wanted: Wanted::default(),
        };
        Self {
            now,
            enrollment,
            conversation: Conversation::default(),
            commands: BTreeMap::new(),
            limits,
            next_id: 0x1000,
            notices: Vec::new(),
            registration: Registration::default(),
            objects: BTreeMap::new(),
            room: 10 << 20,
            takes_chunks: true,
            tokens: TokenEvidence::default(),
            admission: Admission::Certain,
            has_to_sign: false,
        }
    }

    /// Large objects as the store would hold them: whether they are whole, and their text.
    pub(super) fn store(&mut self, changes: Vec<ObjectChange>) {
        for change in changes {
            match change {
                ObjectChange::Begin(object) => {
                    assert!(self.objects.insert(object.id, (false, String::new())).is_none(), "an id is used twice");
                }
                ObjectChange::Append(part) => {
                    let (_, text) = self.objects.get_mut(&part.object_id).expect("a part of nothing");
                    assert_eq!(text.len() as u64, part.start, "parts follow each other");
                    text.push_str(&part.text);
                }
                ObjectChange::Finish(object) => {
                    let (is_whole, text) = self.objects.get_mut(&object.id).expect("an end of nothing");
                    assert_eq!((text.len() as u64, *is_whole), (object.bytes, false));
                    *is_whole = true;
                }
                ObjectChange::Delete(id) => drop(self.objects.remove(&id).expect("nothing to remove")),
            }
        }
    }

    /// Steps until nothing more is wanted, as `app` does.
    fn step(&self, input: &mut Input) -> Output {
        loop {
            let output = step(input);
            let Some(want) = output.want else { return output };
            assert!(input.supplies.len() < 9, "it always wants more");
            let text = want.object.as_ref().and_then(|object| self.objects.get(&object.id)).map(|(_, text)| {
                let rest = &text[usize::try_from(want.start).unwrap()..];
                rest[..rest.floor_char_boundary(usize::try_from(want.bytes).unwrap())].to_owned()
            });
            input.supplies.push(Supply { want, text: text.unwrap_or_default(), takes_chunks: self.takes_chunks });
        }
    }

    fn arrived_so_far(&self) -> String {
        let open = self.conversation.open().and_then(|session| session.arrival.as_ref());
        let known = open.and_then(|arrival| self.objects.get(&arrival.object));
        known.map(|(_, text)| text.clone()).unwrap_or_default()
    }

    pub(super) fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    pub(super) fn queue(&mut self, action: Action, commands: Vec<Command>) -> Id<QueuedCommand> {
        let id = Id::new(Uuid::from_u128(self.id()));
        let owner = (self.enrollment.id, self.enrollment.device_id);
        let mut command = QueuedCommand::new(id, owner, action, self.now, self.now + Duration::days(90));
        command.begin_step(0, commands);
        self.commands.insert(id, command);
        id
    }

    pub(super) fn act(&mut self, action: Action) -> Id<QueuedCommand> {
        let id = self.queue(action.clone(), Vec::new());
        let commands = action.first_step(&Order::new(id, "Muster", &self.enrollment));
        if let Some(command) = self.commands.get_mut(&id) {
            command.begin_step(0, commands);
        }
        if action == Action::Retire {
            self.enrollment.enter(EnrollmentState::Retiring, self.now);
            self.conversation.retire = Some(id);
        }
        id
    }

    pub(super) fn raw(&mut self, text: &str) -> Id<QueuedCommand> {
        let commands = decode_fragment(text.as_bytes(), &XmlLimits::default()).unwrap();
        self.queue(Action::Raw, commands)
    }

    pub(super) fn replace(&mut self, uri: &str) -> Id<QueuedCommand> {
        self.raw(&format!("<Replace><Item><Target><LocURI>{uri}</LocURI></Target><Data>1</Data></Item></Replace>"))
    }

    pub(super) fn state(&self, id: Id<QueuedCommand>) -> CommandState {
        self.commands[&id].state
    }

    pub(super) fn judge(&self, text: &str) -> Incoming {
        let message = decode(text.as_bytes(), &XmlLimits::default()).unwrap();
        let own = self.enrollment.answers_to(&message.header.source);
        classify(&self.conversation, &message, &digest(text), own, self.now)
    }

    /// Posts a message and stores what comes of it, as `app` does.
    pub(super) fn post(&mut self, text: &str) -> Reply {
        let message = decode(text.as_bytes(), &XmlLimits::default()).unwrap();
        // The inventory is as new as each message: it is asked for in no session, unless a test wants it.
        self.enrollment.inventory_at = self.enrollment.inventory_at.map(|_| self.now);
        let incoming = self.judge(text);
        let rejection = match &incoming {
            Incoming::Replay(_) => return Reply::Replayed,
            Incoming::Reject(rejection) => Some(*rejection),
            _ => None,
        };
        let mut input = Input {
            now: self.now,
            digest: digest(text),
            incoming,
            message,
            new_session: Id::new(Uuid::from_u128(self.id())),
            new_object: Id::new(Uuid::from_u128(self.id())),
            room: self.room,
            arrived: self.arrived_so_far(),
            supplies: Vec::new(),
            opening: Opening::default(),
            proven: Proven {
                by: vec![Proof::Certificate],
                signature: None,
                admission: self.admission.clone(),
                network: std::net::Ipv4Addr::LOCALHOST.into(),
                has_to_sign: self.has_to_sign,
            },
            tokens: std::mem::take(&mut self.tokens),
            enrollment: self.enrollment.clone(),
            conversation: self.conversation.clone(),
            registration: self.registration.clone(),
            commands: self.commands.values().filter(|c| c.state.is_open() || c.last_offer.is_some()).cloned().collect(),
            limits: self.limits.clone(),
        };
        let output = match rejection {
            Some(rejection) => refuse(&input, rejection),
            None => self.step(&mut input),
        };
        self.enrollment = output.enrollment;
        self.conversation = output.conversation;
        self.commands.extend(output.commands.into_iter().map(|command| (command.id, command)));
        self.notices.extend(output.notices);
        self.store(output.objects);
        match output.answer {
            Answer::Reply(message) => {
                let written = encode(&message);
                assert_eq!(decode(&written, &XmlLimits::default()).unwrap(), *message);
                Reply::Message(message)
            }
            Answer::Refuse(rejection) => Reply::Refused(rejection),
        }
    }
}

#[derive(Debug)]
pub(super) enum Reply {
    Message(Box<Message>),
    Refused(Rejection),
    Replayed,
}

impl Reply {
    pub(super) fn message(self) -> Message {
        match self {
            Self::Message(message) => *message,
            other => panic!("no message: {other:?}"),
        }
    }

    pub(super) fn commands(self) -> Vec<Command> {
        let body = self.message().body.into_iter();
        body.filter_map(|element| if let Element::Command(command) = element { Some(command) } else { None }).collect()
    }
}

pub(super) fn digest(text: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(text).into()
}

pub(super) fn message(session: &str, msg: u64, body: &str) -> String {
    format!(
        "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>{session}</SessionID>\
         <MsgID>{msg}</MsgID><Target><LocURI>https://x</LocURI></Target><Source><LocURI>DEV1</LocURI></Source></SyncHdr>\
         <SyncBody>{body}</SyncBody></SyncML>"
    )
}

pub(super) fn package1(session: &str) -> String {
    package1_as(session, "user")
}

pub(super) fn package1_as(session: &str, login: &str) -> String {
    message(
        session,
        1,
        &format!(
            "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta>\
             <Type xmlns='syncml:metinf'>com.microsoft/MDM/LoginStatus</Type></Meta><Data>{login}</Data></Item></Alert><Replace>\
             <CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>DEV1</Data></Item><Item><Source>\
             <LocURI>./DevInfo/Odd</LocURI></Source><Data>x</Data></Item></Replace><Final/>"
        ),
    )
}

pub(super) fn answers(session: &str, msg: u64, reply: &[Command], code: u16) -> String {
    let each = |command: &Command| {
        format!(
            "<Status><CmdID>s{0}</CmdID><MsgRef>{1}</MsgRef><CmdRef>{0}</CmdRef><Cmd>{2}</Cmd><Data>{code}</Data></Status>",
            command.cmd_id,
            msg - 1,
            command.verb.name()
        )
    };
    let statuses: String = reply.iter().flat_map(Command::walk).map(each).collect();
    message(session, msg, &format!("{statuses}<Final/>"))
}

pub(super) const LEAVES: &str = "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Alert><CmdID>3</CmdID><Data>1226</Data><Item><Meta>\
    <Type xmlns='syncml:metinf'>com.microsoft:mdm.unenrollment.userrequest</Type></Meta><Data>1</Data></Item></Alert><Final/>";

pub(super) fn unreadable(session: &str, msg: u64) -> String {
    message(
        session,
        msg,
        "<Status><CmdID>1</CmdID><MsgRef>0</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>500</Data></Status>\
         <Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Final/>",
    )
}
