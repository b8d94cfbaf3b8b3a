//! The client side of management: sessions from package 1 to the last answer, and leaving.

use super::device::{Device, Profile};
use super::interpreter::{Executed, Interpreter};
use super::machine::{Behaviour, Effect, Machine};
use super::nodes::{initial, provider_node};
use super::provisioning::Enrolled;
use super::renewal::RenewalState;
use super::schedule::Schedule;
use super::tree::Tree;
use super::{Request, Response};
use crate::proto::base64;
use crate::proto::syncml::{
    Alert, Command, Cred, Data, Element, Header, Item, LocUri, MEDIA_TYPE, Message, Meta, MsgId, SessionId, Status,
    Verb, decode, encode, md5_credential,
};
use crate::proto::xml::Limits;

/// A device under management.
#[derive(Debug)]
pub struct Managed {
    pub(super) device: Device,
    pub(super) enrolled: Enrolled,
    pub(super) machine: Machine,
    pub(super) renewal: RenewalState,
    session: Option<Session>,
    next_session: u16,
    life: Life,
    pub(super) log: Vec<Event>,
}

/// An entry of the device's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session began.
    SessionStarted(String),
    /// An Item was carried out, or refused.
    Executed(Executed),
    /// The device did something.
    Did(Effect),
    /// The certificate was renewed; the name of the new one.
    Renewed(String),
    /// A renewal failed with this HRESULT.
    RenewalFailed(u32),
    /// The device told the server that it leaves, and left.
    Left,
    /// The device stopped the session because the answer was too large for the server.
    Aborted,
}

/// What comes next.
#[derive(Debug)]
pub enum Turn {
    /// Send this and hand the answer to [`Managed::receive`].
    Send(Request),
    /// The session is over.
    Done,
    /// The device dropped the session without an answer, to tell in a session of its own that it leaves.
    Dropped,
}

/// Why a session failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Another HTTP status than 200.
    #[error("the management service answered with HTTP status {0}")]
    Http(u16),
    /// The server refused the session.
    #[error("the server refused the session with status {0}")]
    Refused(u16),
    /// Two answers in a row that are no SyncML.
    #[error("the answers of the management service cannot be read")]
    Unreadable,
    /// An answer to another session.
    #[error("the answer is for another session")]
    Foreign,
    /// An answer without a session.
    #[error("no session is open")]
    NoSession,
}

/// Whether and how the device still belongs to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Managed,
    /// The next session says good-bye.
    Leaving,
    Left,
    Wiped,
}

/// A session under way.
#[derive(Debug)]
struct Session {
    id: String,
    msg_id: u64,
    is_farewell: bool,
    unreadable: u8,
    /// The nonce of a challenge, while credentials have to be sent.
    nonce: Option<Vec<u8>>,
    challenges: u8,
    is_aborted: bool,
    last: Option<Request>,
}

impl Managed {
    /// The device after its enrollment.
    #[must_use]
    pub fn new(device: Device, enrolled: Enrolled) -> Self {
        let tree = initial(&device, &enrolled);
        let machine = Machine::new(&device, tree);
        let renewal = RenewalState::default();
        let log = Vec::new();
        Self { device, enrolled, machine, renewal, session: None, next_session: 1, life: Life::Managed, log }
    }

    /// What the device is and has.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its certificate, key and account.
    #[must_use]
    pub fn enrolled(&self) -> &Enrolled {
        &self.enrolled
    }

    /// Its nodes.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.machine.tree
    }

    /// How it behaves where devices differ.
    pub fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.machine.behaviour
    }

    /// Everything it did, oldest first.
    #[must_use]
    pub fn log(&self) -> &[Event] {
        &self.log
    }

    /// Everything it did since this was asked last; [`Self::log`] begins anew.
    pub fn take_log(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.log)
    }

    /// When it calls, as the server has set it: in the provisioning document or later.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let provider = &self.enrolled.account.provider_id;
        Schedule::read(|name| {
            let text = self.machine.tree.value(&provider_node(provider, &format!("Poll/{name}")))?;
            text.trim().parse().ok()
        })
    }

    /// Loses power: an open session is forgotten, what was carried out stays so.
    pub fn lose_power(&mut self) {
        self.session = None;
    }

    /// Whether it was wiped, or told the server that it leaves: then it starts no more sessions.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.life, Life::Left | Life::Wiped)
    }

    /// The user removes the account: the next session says so and is the last.
    pub fn leave(&mut self) {
        if self.life == Life::Managed {
            self.session = None;
            self.life = Life::Leaving;
        }
    }

    /// Begins a session with package 1; an open one is forgotten. `None` when the device is gone.
    pub fn start_session(&mut self) -> Option<Request> {
        if self.is_gone() {
            return None;
        }
        let id = self.session_id();
        self.next_session = self.next_session.wrapping_add(1);
        self.log.push(Event::SessionStarted(id.clone()));
        let session = Session {
            id,
            msg_id: 0,
            is_farewell: self.life == Life::Leaving,
            unreadable: 0,
            nonce: None,
            challenges: 0,
            is_aborted: false,
            last: None,
        };
        let body = self.package_1(session.is_farewell);
        Some(self.send(session, body))
    }

    /// The request that was sent last in the open session, to be repeated after a failure of the connection.
    #[must_use]
    pub fn repeat(&self) -> Option<Request> {
        self.session.as_ref()?.last.clone()
    }

    /// Whether an answer says that the server took the request before: it belongs to the session and is neither a challenge
    /// nor a refusal. Nothing is carried out; [`Self::receive`] takes the answer.
    #[must_use]
    pub fn is_taken(&self, response: &Response<'_>) -> bool {
        let Some(session) = self.session.as_ref().filter(|session| !session.is_aborted) else { return false };
        if response.status != 200 || !response.is(MEDIA_TYPE) {
            return false;
        }
        decode(response.body, &Limits::default()).is_ok_and(|message| {
            let status = header_answer(&message).map_or(200, |status| status.code.0);
            self.is_for(session, &message) && (200..300).contains(&status)
        })
    }

    /// Takes the answer to the request before.
    ///
    /// # Errors
    ///
    /// [`SessionError`] ends the session; commands that were carried out stay so.
    pub fn receive(&mut self, response: &Response<'_>) -> Result<Turn, SessionError> {
        let session = self.session.take().ok_or(SessionError::NoSession)?;
        if response.status != 200 {
            if response.status == 403 {
                self.fall_back();
            }
            return Err(SessionError::Http(response.status));
        }
        self.forget_former();
        if response.body.is_empty() || session.is_aborted {
            return Ok(self.end(&session));
        }
        match decode(response.body, &Limits::default()) {
            Ok(message) if response.is(MEDIA_TYPE) => self.answered(session, &message),
            _ => self.could_not_read(session),
        }
    }

    fn is_for(&self, session: &Session, message: &Message) -> bool {
        message.header.session_id.0 == session.id && message.header.target == self.device.device_id
    }

    fn answered(&mut self, session: Session, message: &Message) -> Result<Turn, SessionError> {
        if !self.is_for(&session, message) {
            return Err(SessionError::Foreign);
        }
        match header_answer(message).map(|status| (status.code.0, status)) {
            Some((401 | 407, status)) => return self.challenged(session, message, status),
            Some((code, _)) if !(200..300).contains(&code) => return Err(SessionError::Refused(code)),
            _ => {}
        }
        if session.is_farewell {
            return Ok(self.end(&session));
        }
        self.carry_out(session, message)
    }

    /// Carries out the commands of a message; without any the session is over.
    fn carry_out(&mut self, session: Session, message: &Message) -> Result<Turn, SessionError> {
        let mut interpreter = Interpreter::new(&mut self.machine, message.header.msg_id);
        let mut asked = false;
        for element in &message.body {
            match element {
                Element::Command(command) => interpreter.command(command),
                Element::Unknown { name, cmd_id } => interpreter.unknown(name, cmd_id.as_deref()),
                // 1222 asks for our next message; there is none beyond the header's Status.
                Element::Alert(alert) if alert.code == 1222 => {}
                Element::Alert(_) | Element::Status(_) | Element::Results(_) => continue,
            }
            asked = true;
        }
        let Interpreter { answer, executed, effects, .. } = interpreter;
        self.log.extend(executed.into_iter().map(Event::Executed));
        self.log.extend(effects.iter().cloned().map(Event::Did));
        for effect in &effects {
            match effect {
                Effect::Unenroll => {
                    self.life = Life::Leaving;
                    return Ok(Turn::Dropped);
                }
                Effect::Wipe(_) => self.life = Life::Wiped,
                Effect::Reboot => self.next_session = 0,
                Effect::RenewNow => self.renewal.asked = true,
                Effect::Locked | Effect::PinReset | Effect::PasswordRotated => {}
            }
        }
        if !asked {
            return Ok(self.end(&session));
        }
        Ok(Turn::Send(self.reply(session, message, answer)))
    }

    /// Sends an answer, or gives the session up where it is larger than the server takes: Windows does not chunk.
    fn reply(&mut self, mut session: Session, message: &Message, mut answer: Vec<Element>) -> Request {
        self.add_errors(&mut answer);
        let most = message.header.max_msg_size.and_then(|size| usize::try_from(size).ok());
        let size = encode(&self.message(&session, answer.clone())).len();
        if most.is_some_and(|most| size > most) {
            self.log.push(Event::Aborted);
            session.is_aborted = true;
            answer.truncate(1);
            answer.push(Element::Alert(Alert::bare("2", 1223)));
        }
        self.send(session, answer)
    }

    /// From session version 3.0 on, failures carry an HRESULT.
    fn add_errors(&self, answer: &mut [Element]) {
        if self.sync_version() < 3.0 {
            return;
        }
        for element in answer {
            if let Element::Status(status) = element {
                let known = HRESULTS.iter().find(|(code, _)| *code == status.code.0);
                status.original_error = known.map(|(_, hresult)| (*hresult).to_owned());
            }
        }
    }

    fn challenged(&mut self, mut session: Session, message: &Message, status: &Status) -> Result<Turn, SessionError> {
        let nonce = status.chal.as_ref().and_then(|chal| base64::decode(chal.next_nonce.as_deref()?).ok());
        session.challenges += 1;
        let (Some(nonce), 1) = (nonce, session.challenges) else {
            return Err(SessionError::Refused(status.code.0));
        };
        session.nonce = Some(nonce);
        let mut body = vec![Element::Status(header_status(message.header.msg_id, 200))];
        body.extend(self.package_1(session.is_farewell));
        Ok(Turn::Send(self.send(session, body)))
    }

    /// After an answer that is no SyncML, Windows tells so and says package 1 once more.
    fn could_not_read(&mut self, mut session: Session) -> Result<Turn, SessionError> {
        session.unreadable += 1;
        if session.unreadable > 1 {
            return Err(SessionError::Unreadable);
        }
        let mut body = vec![Element::Status(header_status(MsgId(0), 500))];
        body.extend(self.package_1(session.is_farewell));
        Ok(Turn::Send(self.send(session, body)))
    }

    fn end(&mut self, session: &Session) -> Turn {
        if session.is_farewell {
            self.life = Life::Left;
            self.log.push(Event::Left);
        }
        Turn::Done
    }

    /// Alerts and DevInfo; CmdID 1 is kept free for the header's Status.
    fn package_1(&self, is_farewell: bool) -> Vec<Element> {
        let mut body = vec![Element::Alert(Alert::bare("2", 1201))];
        let login = self.machine.behaviour.login.as_str();
        body.push(alert(3, 1224, "com.microsoft/MDM/LoginStatus", login));
        if is_farewell {
            let mut farewell = alert(4, 1226, "com.microsoft:mdm.unenrollment.userrequest", "1");
            if let Element::Alert(Alert { items, .. }) = &mut farewell {
                for item in items {
                    item.meta.format = Some("int".to_owned());
                }
            }
            body.push(farewell);
        }
        let source = |uri: &str| {
            let value = self.machine.tree.value(uri).unwrap_or_default();
            Item { source: Some(LocUri::received(uri)), data: Some(Data::new(value)), ..Item::default() }
        };
        let mut names = vec!["./DevInfo/DevId", "./DevInfo/Man", "./DevInfo/Mod", "./DevInfo/DmV", "./DevInfo/Lang"];
        if self.device.profile != Profile::Windows10 {
            names.push("./Vendor/MSFT/DMClient/HWDevID");
        }
        let mut replace = Command::container(Verb::Replace, Vec::new());
        replace.items = names.into_iter().map(source).collect();
        replace.cmd_id = (body.len() + 2).to_string();
        body.push(Element::Command(replace));
        body
    }

    fn send(&mut self, mut session: Session, body: Vec<Element>) -> Request {
        session.msg_id += 1;
        let request = Request {
            method: "POST",
            url: format!("{}?mode=Maintenance&Platform=WoA", self.enrolled.account.addr),
            headers: self.headers(&session),
            body: encode(&self.message(&session, body)),
        };
        session.last = Some(request.clone());
        self.session = Some(session);
        request
    }

    fn message(&self, session: &Session, body: Vec<Element>) -> Message {
        let account = &self.enrolled.account;
        let cred = session.nonce.as_ref().map(|nonce| Cred {
            scheme: "syncml:auth-md5".to_owned(),
            data: md5_credential(&account.user_name, account.server_secret(), nonce),
        });
        let header = Header {
            ver_dtd: "1.2".to_owned(),
            ver_proto: "DM/1.2".to_owned(),
            session_id: SessionId(session.id.clone()),
            msg_id: MsgId(session.msg_id),
            target: account.addr.clone(),
            source: self.device.device_id.clone(),
            source_name: cred.as_ref().map(|_| account.user_name.clone()),
            cred,
            max_msg_size: None,
            max_obj_size: None,
        };
        Message { header, body, is_final: true }
    }

    fn headers(&self, session: &Session) -> Vec<(&'static str, String)> {
        let id = self.enrolled.account.ent_dm_id.clone().unwrap_or_else(|| "0".to_owned());
        let vector = &self.device.hardware_id[..16];
        vec![
            ("user-agent", "MSFT OMA DM Client/1.2.0.1".to_owned()),
            ("accept", format!("{MEDIA_TYPE}, application/vnd.syncml.dm+wbxml, application/octet-stream")),
            ("accept-charset", "UTF-8".to_owned()),
            ("content-type", MEDIA_TYPE.to_owned()),
            ("client-request-id", id),
            ("ms-cv", format!("{vector}.{}.{}", self.next_session, session.msg_id)),
        ]
    }

    /// Decimal at first, hexadecimal from session version 2.0 on.
    fn session_id(&self) -> String {
        if self.sync_version() < 2.0 { self.next_session.to_string() } else { format!("{:X}", self.next_session) }
    }

    fn sync_version(&self) -> f32 {
        let node = provider_node(&self.enrolled.account.provider_id, "SyncApplicationVersion");
        self.machine.tree.value(&node).and_then(|text| text.trim().parse().ok()).unwrap_or(1.0)
    }
}

fn alert(cmd_id: u32, code: u16, kind: &str, data: &str) -> Element {
    let item = Item {
        meta: Meta { kind: Some(kind.to_owned()), ..Meta::default() },
        data: Some(Data::new(data)),
        ..Item::default()
    };
    Element::Alert(Alert { items: vec![item], ..Alert::bare(&cmd_id.to_string(), code) })
}

/// The Status for the header of the message before.
fn header_answer(message: &Message) -> Option<&Status> {
    message.body.iter().find_map(|element| match element {
        Element::Status(status) if status.cmd_ref == "0" => Some(status),
        _ => None,
    })
}

fn header_status(msg_ref: MsgId, code: u16) -> Status {
    Status::new("1".to_owned(), msg_ref, "0", "SyncHdr", code)
}

const HRESULTS: [(u16, &str); 7] = [
    (404, "0x86000002"),
    (405, "0x86000011"),
    (415, "0x86000001"),
    (216, "0x06000007"),
    (500, "0x80070057"),
    (507, "0x86000005"),
    (400, "0x86000018"),
];

#[cfg(test)]
mod tests;
