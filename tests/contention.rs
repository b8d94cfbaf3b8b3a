//! Several at once: a lock that another program holds, a reader that does not end, two machines with one identity.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use support::database::{Lock, Snapshot, has_files, log_file};
use support::device::FakeDevice;
use support::http::{Connection, Request, Response};
use support::reply::Reply;
use support::server::Server;
use support::syncml::Message;

fn replace(node: &str, value: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>{value}</Data></Item></Replace>"#
    )
}

/// Well below the five seconds for which the server waits.
const LOCKED_FOR: Duration = Duration::from_secs(3);

#[test]
// covers: R-13
fn a_lock_of_another_program_is_waited_for() {
    if !has_files("a lock of another program") {
        return;
    }
    let server = Server::start();
    let api = server.api();
    let mut devices: Vec<FakeDevice> = (0..5).map(|_| FakeDevice::settled(&server).0).collect();
    let ids: Vec<String> = devices.iter().map(|device| device.id(&server)).collect();
    let mut commands: Vec<String> = ids.iter().map(|id| api.command(id, &replace("Before", "1"))).collect();
    let answered = AtomicUsize::new(0);
    let lock = Lock::take(&server);
    std::thread::scope(|scope| {
        for device in &mut devices {
            scope.spawn(|| {
                let first = device.start_session();
                answered.fetch_add(1, Ordering::SeqCst);
                first.expect("Replace", "/Before");
                device.finish(first);
            });
        }
        let ordering = scope.spawn(|| {
            let ordered = api.command(&ids[0], &replace("During", "1"));
            answered.fetch_add(1, Ordering::SeqCst);
            ordered
        });
        let (begun, mut reads) = (Instant::now(), 0);
        while begun.elapsed() < LOCKED_FOR {
            reads += server.api().list("/devices").len();
            assert_eq!(answered.load(Ordering::SeqCst), 0, "R-13: what writes waits for the lock");
        }
        assert!(reads > 0, "R-13: reading goes on");
        drop(lock);
        commands.push(ordering.join().unwrap());
    });
    devices.iter_mut().for_each(FakeDevice::settle);
    for command in &commands {
        assert_eq!(api.command_state(command), "succeeded", "R-13: nothing is lost");
    }
}

/// The longest log that stays.
const LONGEST_LOG: u64 = 64 << 20;

#[test]
// covers: R-13
fn the_log_is_cut_once_a_reader_that_held_it_is_gone() {
    if !has_files("a reader that holds the log") {
        return;
    }
    let server = Server::start();
    let api = server.api();
    let (mut device, _) = FakeDevice::settled(&server);
    let waiting = FakeDevice::settled(&server).0.id(&server);
    let big = replace("Big", &"x".repeat(350_000));
    let log = log_file(&server);
    let log_bytes = || std::fs::metadata(&log).map_or(0, |found| found.len());
    let snapshot = Snapshot::take(&server);
    let seen = snapshot.commands();
    let mut orders = 0;
    while log_bytes() <= LONGEST_LOG + (4 << 20) {
        api.command(&waiting, &big);
        orders += 1;
        assert!(orders < 1000, "R-13: a reader that stays holds the log");
        if orders % 25 == 0 {
            assert!(device.check_in().is_quiet(), "R-13: devices are served");
        }
    }
    assert_eq!(snapshot.commands(), seen, "the reader sees what it saw");
    drop(snapshot);
    eprintln!("a log of {} bytes after {orders} orders", log_bytes());
    let mut commits = 0;
    while log_bytes() > LONGEST_LOG {
        device.check_in();
        commits += 1;
        assert!(commits <= 200, "R-13: the log is still {} bytes long", log_bytes());
    }
    eprintln!("{} bytes after {commits} more sessions", log_bytes());
    assert_eq!(api.list("/commands?limit=200").len(), orders, "R-13: nothing is lost");
}

/// An API caller who keeps the connection.
struct Orders {
    connection: Connection,
    token: String,
}

impl Orders {
    fn new(server: &Server) -> Self {
        Self { connection: server.web_connection(), token: format!("Bearer {}", server.token()) }
    }

    fn give(&mut self, path: &str, kind: &str, body: &str) {
        let request = Request::post(&format!("/api/v1{path}"), body)
            .header("Authorization", &self.token)
            .header("Content-Type", kind);
        self.connection.send(&request).unwrap().expect_status("an order", 202);
    }

    fn reboot(&mut self, device: &str) {
        self.give(&format!("/devices/{device}/actions"), "application/json", &json!({"type": "reboot"}).to_string());
    }

    fn setting(&mut self, device: &str, xml: &str) {
        let path = format!("/devices/{device}/commands?unchecked=true");
        self.give(&path, "application/vnd.syncml.dm+xml", xml);
    }
}

/// One of two machines with the same identity.
struct Twin {
    device: FakeDevice,
    connection: Connection,
}

impl Twin {
    fn new(device: &FakeDevice) -> Self {
        Self { device: device.clone(), connection: device.connect() }
    }

    fn send(&mut self, message: &Message) -> Response {
        self.connection.send(&self.device.request(message.xml())).unwrap()
    }

    fn exchange(&mut self, message: &Message) -> Reply {
        let response = self.send(message);
        self.device.judge_loosely(&message.xml(), &response)
    }

    fn first_message(&mut self, session: &str) -> Message {
        let mut message = self.device.open_as(session);
        self.device.fill_package_one(&mut message);
        message
    }

    fn executed(&self) -> usize {
        self.device.csp.times("Exec", "/RebootNow")
    }
}

/// Both send at the same moment.
fn race(twins: &mut [Twin; 2], messages: &[Message; 2]) -> [Response; 2] {
    let [first, second] = twins;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| second.send(&messages[1]));
        let own = first.send(&messages[0]);
        [own, other.join().unwrap()]
    })
}

/// Both begin a session: the one that comes first is handed the order, the other takes over and is handed nothing. What
/// the first tells afterwards still counts.
fn two_sessions(twins: &mut [Twin; 2], round: usize) {
    let messages = [0, 1].map(|twin| twins[twin].first_message(&format!("{round}-{twin}")));
    let responses = race(twins, &messages);
    let mut offers = 0;
    for (twin, (message, response)) in twins.iter_mut().zip(messages.iter().zip(&responses)) {
        let reply = twin.device.judge_loosely(&message.xml(), response);
        if reply.find("Exec", "/RebootNow").is_some() {
            offers += 1;
            let answer = twin.device.answer(&reply);
            assert!(twin.exchange(&answer).commands.is_empty(), "R-10");
        } else {
            assert!(reply.commands.is_empty(), "R-10: {}", reply.xml);
        }
    }
    assert_eq!(offers, 1, "R-10: the order was handed over {offers} times in round {round}");
}

/// Both send the second message of one session, each with a body of its own: one is answered, the other contradicts it
/// and is refused.
fn one_session(twins: &mut [Twin; 2], orders: &mut Orders, device: &str, round: usize) {
    orders.setting(device, &replace("Open", "1"));
    let first = twins[0].first_message(&format!("{round}"));
    let reply = twins[0].exchange(&first);
    reply.expect("Replace", "/Open");
    orders.reboot(device);
    let messages = [0, 1].map(|twin| {
        let mut message = twins[twin].device.answer(&reply);
        message.typed_alert(1226, "com.example.twin", "int", &twin.to_string());
        message
    });
    let responses = race(twins, &messages);
    let winner = responses.iter().position(|response| response.status == 200).expect("R-10: one is answered");
    responses[1 - winner].expect_status("R-05: the other is refused", 400);
    let reply = twins[winner].device.judge_loosely(&messages[winner].xml(), &responses[winner]);
    reply.expect("Exec", "/RebootNow");
    let answer = twins[winner].device.answer(&reply);
    assert!(twins[winner].exchange(&answer).commands.is_empty(), "R-10");
}

fn race_rounds(rounds: usize) {
    let begun = Instant::now();
    let server = Server::start_with(&[("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "1000000")]);
    let (device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let (mut twins, mut orders) = ([Twin::new(&device), Twin::new(&device)], Orders::new(&server));
    for round in 0..rounds {
        if round % 2 == 0 {
            orders.reboot(&id);
            two_sessions(&mut twins, round);
        } else {
            one_session(&mut twins, &mut orders, &id, round);
        }
    }
    let took = begun.elapsed();
    eprintln!("{rounds} rounds in {took:?}");
    let executed = twins.iter().map(Twin::executed).sum::<usize>();
    let api = server.api();
    let succeeded = |path: &str| {
        let listed = api.list(path);
        let done = listed.iter().filter(|one| one["state"] == "succeeded").count();
        (listed.len(), done)
    };
    assert_eq!((executed, succeeded("/actions?limit=200")), (rounds, (rounds, rounds)), "R-10: each order once");
    assert_eq!(succeeded("/commands?limit=200"), (rounds / 2, rounds / 2), "R-10");
}

/// As many rounds as an ordinary run of the tests has time for.
const ROUNDS: usize = 500;

#[test]
// covers: R-10
fn two_machines_with_one_identity_never_share_an_order() {
    race_rounds(ROUNDS);
}

#[test]
#[ignore = "takes minutes: cargo test --test contention -- --ignored"]
fn two_machines_with_one_identity_never_share_an_order_in_ten_thousand_rounds() {
    race_rounds(10_000);
}
