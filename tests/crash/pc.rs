//! A device of a trial: always in a session, sending the same bytes again when an answer does not come, and writing down
//! what it did in a log that only grows. That log is what the trial is judged by.

use std::io;
use std::ops::Range;
use std::sync::mpsc::SyncSender;

use super::chance::Chance;
use super::site::{Site, Stage, Tally};
use crate::support::csp::Answer;
use crate::support::device::{FakeDevice, MANAGEMENT_PATH};
use crate::support::http::{Address, Connection, Response};
use crate::support::reply::{self, Asked, Context, Reply};

/// Sessions without any command after which a device is at rest.
const QUIET_SESSIONS: u32 = 2;
/// Messages of one session; a session that is longer does not end.
const LONGEST_SESSION: u32 = 200;
/// Times that the server may say "later" to one message.
const MOST_BUSY: u32 = 200;

/// One thing that happened on a device.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// A command was carried out.
    Done { at: u64, cmd_id: String, uri: String, data: String },
    /// The message with the Statuses of these lines was answered: the server has them.
    Told { at: u64, lines: Range<usize> },
}

/// What is left of a device after the trial.
pub(crate) struct Remains {
    /// Its id in the API.
    pub(crate) id: String,
    pub(crate) log: Vec<Line>,
    /// Whether it carried out a wipe: it is no more.
    pub(crate) is_erased: bool,
}

pub(crate) struct Pc<'a> {
    pub(crate) number: usize,
    pub(crate) id: String,
    device: FakeDevice,
    site: &'a Site,
    chance: Chance,
    /// Asks for an order for this device; None: no longer.
    wishes: Option<SyncSender<usize>>,
    connection: Option<Connection>,
    generation: u64,
    log: Vec<Line>,
    is_erased: bool,
}

impl<'a> Pc<'a> {
    pub(crate) fn new(
        site: &'a Site,
        number: usize,
        enrolled: (String, FakeDevice),
        chance: Chance,
        wishes: SyncSender<usize>,
    ) -> Self {
        let (id, mut device) = enrolled;
        device.csp.rule("Get", "/Probe", Answer::Value("chr".to_owned(), "there".to_owned()));
        let (connection, generation) = (None, site.place().generation);
        let (log, wishes) = (Vec::new(), Some(wishes));
        Self { number, id, device, site, chance, wishes, connection, generation, log, is_erased: false }
    }

    /// Sessions until the trial comes to rest and nothing is left, or until it is wiped.
    pub(crate) fn live(mut self) -> Remains {
        let mut quiet = 0;
        while !self.is_erased && quiet < QUIET_SESSIONS {
            let stage = self.site.stage();
            let is_quiet = self.session();
            Tally::count(&self.site.tally.sessions);
            quiet = if is_quiet && stage == Stage::Resting { quiet + 1 } else { 0 };
            self.wish(stage);
        }
        Remains { id: self.id, log: self.log, is_erased: self.is_erased }
    }

    fn wish(&mut self, stage: Stage) {
        if stage > Stage::Turmoil {
            self.wishes = None;
        }
        if let Some(wishes) = &self.wishes {
            // It waits for a clerk to have time: so there are about as many orders as sessions.
            for _ in 0..self.chance.below(4) {
                let _ = wishes.send(self.number);
            }
        }
    }

    /// One session; whether it was whole and brought no command.
    fn session(&mut self) -> bool {
        let mut message = self.device.package_one().xml();
        let mut told = 0..0;
        for round in 0..LONGEST_SESSION {
            let Some(reply) = self.deliver(&message) else { return false };
            if !told.is_empty() {
                self.log.push(Line::Told { at: self.site.moment(), lines: told });
            }
            if reply.commands.is_empty() {
                return round == 0;
            }
            // Switched off before it did anything.
            if self.mishap(2) {
                return false;
            }
            (message, told) = self.carry_out(&reply);
            if self.is_erased && self.chance.percent(50) {
                return false;
            }
            // Switched off with the Statuses unsent.
            if self.mishap(2) {
                return false;
            }
        }
        panic!("M-60: a session does not end: {message}");
    }

    /// Does what a reply asks; the message with the Statuses, and the lines of the log that it tells of.
    fn carry_out(&mut self, reply: &Reply) -> (String, Range<usize>) {
        let first = self.log.len();
        for command in reply.flat() {
            for item in &command.items {
                self.log.push(Line::Done {
                    at: self.site.moment(),
                    cmd_id: command.cmd_id.clone(),
                    uri: item.uri.clone(),
                    data: item.data.clone().unwrap_or_default(),
                });
            }
        }
        self.is_erased |= reply.find("Exec", "/doWipe").is_some();
        (self.device.answer(reply).xml(), first..self.log.len())
    }

    /// Sends a message until it is answered; None: the device gave up and will begin a new session.
    fn deliver(&mut self, message: &str) -> Option<Reply> {
        let mut busy = 0;
        for attempt in 0_u32.. {
            if attempt > 0 {
                if self.mishap(10) {
                    Tally::count(&self.site.tally.given_up);
                    self.connection = None;
                    return None;
                }
                Tally::count(&self.site.tally.retransmissions);
            }
            match self.post(message) {
                Ok(response) if response.status == 503 => {
                    busy += 1;
                    assert!(busy < MOST_BUSY, "the server says again and again that it is busy");
                    Tally::count(&self.site.tally.busy);
                }
                Ok(response) => return Some(self.judge(message, &response)),
                Err(_) => self.follow(),
            }
        }
        None
    }

    fn post(&mut self, message: &str) -> io::Result<Response> {
        let request = self.device.request(message);
        if self.mishap(2) {
            // The network loses the answer: the connection is gone, the server is not.
            let address = Address::of(self.device.management_url());
            self.connection = None;
            Connection::open(&address, self.device.config())?.send_without_reading(&request)?;
            Tally::count(&self.site.tally.retransmissions);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&Address::of(self.device.management_url()), self.device.config())?,
        };
        let response = connection.send(&request)?;
        self.connection = Some(connection);
        Ok(response)
    }

    /// The server is gone: on to the next one.
    fn follow(&mut self) {
        let place = self.site.place_after(self.generation);
        self.generation = place.generation;
        self.connection = None;
        self.device.follow_to(&place.device_url);
    }

    /// Checks a reply; it may be one that an earlier server made, under its own address.
    fn judge(&self, message: &str, response: &Response) -> Reply {
        response.expect_status("the management endpoint answers", 200);
        let made_at = self.site.device_url_in(response.text()).expect("M-43: a reply names its server");
        let management_url = format!("{made_at}{MANAGEMENT_PATH}");
        // A delayed copy of a first message can begin the count anew: it is not determined.
        let context = Context { management_url: &management_url, msg_id: None, digest: false };
        let reply = reply::check(&Asked::read(message), &context, response);
        self.site.answered();
        reply
    }

    /// Whether something goes wrong now, besides the server; nothing does once the trial comes to rest.
    fn mishap(&mut self, percent: u64) -> bool {
        self.chance.percent(percent) && self.site.stage() < Stage::Resting
    }
}
