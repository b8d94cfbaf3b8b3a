//! Captured sessions of other servers: they run through the engine from the first message to the last, as a device that has
//! nothing waiting for it. What that server wanted of its device is left aside, and what this build would want too.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::captures::Captured;
use super::fillers::Fillers;
use super::report::{Difference, Kind, Outcome, Replayed, Report};
use super::{BROKE_OFF, Engine, Unreadable, XML, compare, rules};
use crate::domain::Id;
use crate::domain::approval::Approval;
use crate::domain::command::Knowledge;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use crate::domain::entra::TokenEvidence;
use crate::domain::object::ObjectLimits;
use crate::domain::proof::Proof;
use crate::domain::push::Registration;
use crate::proto::syncml::{Alert, Element, Encoding, Message, MsgId};
use crate::session::{Admission, Answer, Conversation, Incoming, Input, Limits, Opening, Output, Proven, Wanted};

/// Replays captured messages.
pub(super) fn run(captured: &[Captured], engine: &Engine<'_>) -> Result<Report, Unreadable> {
    let mut device = Device::new();
    let mut messages = Vec::new();
    for (index, each) in captured.iter().enumerate().filter(|(_, each)| each.is_of_device) {
        let header = &each.message.header;
        let answer = captured
            .get(index + 1)
            .filter(|next| !next.is_of_device && next.message.header.session_id.0.trim() == header.session_id.0.trim());
        messages.push(Replayed {
            number: each.place,
            session_id: Some(header.session_id.0.clone()),
            msg_id: Some(header.msg_id.0),
            at: None,
            line: Some(each.line),
            outcome: device.says(each, answer.map(|answer| &answer.message), engine),
        });
    }
    if messages.is_empty() { Err(Unreadable::Empty) } else { Ok(Report { kind: Kind::Capture, messages }) }
}

/// What this server knows of the device between two of its messages.
struct Device {
    enrollment: Enrollment,
    conversation: Conversation,
    now: OffsetDateTime,
    /// MsgID of the last answer.
    said: u64,
    ids: u128,
}

/// The time between two messages.
const PAUSE: Duration = Duration::seconds(1);
/// The first message comes at a fixed moment, so that each replay is like the other.
const BEGINS: Duration = Duration::days(20_000);

impl Device {
    fn new() -> Self {
        let now = OffsetDateTime::UNIX_EPOCH + BEGINS;
        Self { enrollment: enrolled(now), conversation: Conversation::default(), now, said: 0, ids: 2 }
    }

    /// One message, and what was answered then, where that was captured.
    fn says(&mut self, captured: &Captured, recorded: Option<&Message>, engine: &Engine<'_>) -> Outcome {
        let message = &captured.message;
        self.go_on(message, engine);
        match self.answered(message, captured.digest, engine) {
            (Incoming::Replay(_), _) => Outcome::Same,
            (incoming, Some(Answer::Reply(reply))) => {
                let last = match incoming {
                    Incoming::Open { .. } => Some(0),
                    Incoming::Late => None,
                    _ => Some(self.said),
                };
                self.said = reply.header.msg_id.0;
                compared(message, &reply, last, recorded)
            }
            (_, Some(Answer::Refuse(rejection))) if recorded.is_none() => {
                Outcome::skipped(format!("it is refused with 400 ({rejection}), and no answer was captured"))
            }
            (_, Some(Answer::Refuse(rejection))) => {
                Outcome::of(vec![Difference::new("(HTTP status)", "200", format!("400: {rejection}"))])
            }
            (_, None) => Outcome::of(vec![Difference::new("(answer)", "an answer", BROKE_OFF)]),
        }
    }

    /// Has the engine answer a message, and takes over what comes of it.
    fn answered(&mut self, message: &Message, digest: [u8; 32], engine: &Engine<'_>) -> (Incoming, Option<Answer>) {
        self.now += PAUSE;
        self.enrollment.state = EnrollmentState::Active;
        // Nothing is asked of it that it was not asked then.
        self.enrollment.inventory_at = Some(self.now);
        let is_own_name = self.enrollment.answers_to(&message.header.source);
        let incoming = (engine.classify)(&self.conversation, message, &digest, is_own_name, self.now);
        if let Incoming::Replay(_) = incoming {
            return (incoming, None);
        }
        let output = engine.answer(&self.input(message, digest, &incoming));
        let Some(Output { answer, enrollment, conversation, .. }) = output else { return (incoming, None) };
        self.enrollment = enrollment;
        self.conversation = conversation;
        (incoming, Some(answer))
    }

    /// The session goes on as long as its server went on with it; of a session that was captured from its middle on, the
    /// first message is made up.
    fn go_on(&mut self, message: &Message, engine: &Engine<'_>) {
        let header = &message.header;
        if header.msg_id.0 <= 1 {
            return;
        }
        if let Some(current) = &mut self.conversation.current
            && current.wire_id == header.session_id.0
        {
            current.closed = None;
            return;
        }
        if self.conversation.remembered(&header.session_id.0, self.now).is_some() {
            return;
        }
        let mut first = message.clone();
        first.header.msg_id = MsgId(header.msg_id.0 - 1);
        first.header.cred = None;
        first.body = vec![Element::Alert(Alert::bare("1", 1201))];
        first.is_final = true;
        if let (_, Some(Answer::Reply(reply))) = self.answered(&first, [0; 32], engine) {
            self.said = reply.header.msg_id.0;
        }
        if let Some(current) = &mut self.conversation.current {
            current.closed = None;
        }
    }

    fn input(&mut self, message: &Message, digest: [u8; 32], incoming: &Incoming) -> Input {
        self.ids += 1;
        Input {
            now: self.now,
            digest,
            incoming: incoming.clone(),
            message: message.clone(),
            new_session: Id::new(Uuid::from_u128(self.ids)),
            new_object: Id::new(Uuid::from_u128(self.ids)),
            room: OBJECTS.bytes,
            arrived: String::new(),
            supplies: Vec::new(),
            opening: Opening::default(),
            proven: Proven {
                by: vec![Proof::Certificate],
                signature: None,
                admission: Admission::Certain,
                network: std::net::Ipv4Addr::UNSPECIFIED.into(),
                has_to_sign: false,
            },
            tokens: TokenEvidence::default(),
            enrollment: self.enrollment.clone(),
            conversation: self.conversation.clone(),
            registration: Registration::default(),
            commands: Vec::new(),
            limits: limits(message),
        }
    }
}

/// Compares an answer with the one that the rules demand, and with the captured one as far as that says more.
fn compared(message: &Message, reply: &Message, last: Option<u64>, recorded: Option<&Message>) -> Outcome {
    let Some(demanded) = rules::demanded(message, reply, last, recorded) else {
        return Outcome::skipped("the other server asked for a credential instead of an answer");
    };
    let trees = [demanded, rules::determined(message, reply)]
        .map(|answer| Encoding::Xml.document(&Encoding::Xml.encode(&answer), &XML));
    match trees {
        [Some(then), Some(now)] => Outcome::of(compare::differences(then.root(), now.root(), &Fillers::new())),
        _ => Outcome::skipped("it is more than is read"),
    }
}

/// The limits with which no answer is cut, and the address at which that server was called.
fn limits(message: &Message) -> Limits {
    Limits {
        management_url: message.header.target.trim().to_owned(),
        provider_id: "Muster".to_owned(),
        reply_bytes: 400_000,
        reply_commands: 100,
        next_message: true,
        signing_window: None,
        status_page: None,
        look: Knowledge::embedded,
        push: None,
        objects: OBJECTS,
        declared_configuration: false,
        wanted: Wanted::default(),
    }
}

/// How much of large objects is taken: enough for what devices send.
const OBJECTS: ObjectLimits = ObjectLimits { bytes: 64 * 1024 * 1024, parts: 100_000 };

fn enrolled(now: OffsetDateTime) -> Enrollment {
    Enrollment {
        id: Id::new(Uuid::from_u128(1)),
        device_id: Id::new(Uuid::from_u128(2)),
        user_id: None,
        state: EnrollmentState::Active,
        mode: Mode::OnPremise,
        kind: EnrollmentKind::Full,
        claimed_device_id: None,
        entra_device_id: None,
        package_id: None,
        assigned_at: None,
        approval: Approval::NotNeeded,
        replaced_unapproved: None,
        hw_dev_id: None,
        reported_dev_id: None,
        reported_source: None,
        os_version: None,
        os_edition: None,
        context: Vec::new(),
        account: Vec::new(),
        enrolled_at: now,
        last_seen_at: None,
        inventory_at: Some(now),
        state_since: now,
        closed_reason: None,
        warning: None,
        locked_to_tenant: false,
        version: 0,
    }
}
