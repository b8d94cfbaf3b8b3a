//! PostgreSQL dies and comes back while devices are in their sessions and orders come in: nothing is lost, nothing is
//! done twice, and no commit is guessed.
//!
//! `MUSTER_TEST_FAILOVERS` is how often it dies; 5 times unless told otherwise.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::support::api::Api;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::Request;
use crate::support::lossy::LossyWay;
use crate::support::nodes::chance;
use crate::support::postgres::Cluster;
use crate::support::server::Server;

const DEVICES: usize = 6;
const LIMITS: [(&str, &str); 1] = [("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "100000")];

/// What the threads of the trial know of each other.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    is_down: bool,
    is_over: bool,
    sessions: usize,
    refused: usize,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let limit = Duration::from_secs(120);
        let (state, _) = self.changed.wait_timeout_while(self.state(), limit, |state| !is_so(state)).unwrap();
        let is_reached = is_so(&state);
        drop(state);
        assert!(is_reached, "R-14: did not come to pass in two minutes: {what}");
    }

    /// Somebody was not served: while the database is down, there is no point in trying again.
    fn refused(&self) {
        self.change(|state| state.refused += 1);
        self.wait_until("the database is back", |state| !state.is_down || state.is_over);
    }
}

/// Ends the trial however it ends, so that no thread goes on for ever.
struct Over<'a>(&'a Gate);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

/// An order under a key of its own, and its id if the answer came.
struct Order {
    device: usize,
    node: String,
    id: Option<String>,
}

#[test]
// covers: R-14
fn nothing_is_lost_or_doubled_when_postgresql_dies() {
    if !database::is_postgres("PostgreSQL dies") {
        return;
    }
    let Some(cluster) = Cluster::start() else { return };
    let rounds = std::env::var("MUSTER_TEST_FAILOVERS").map_or(5, |text| text.parse().expect("a number of rounds"));
    let server = Server::start_on(&cluster.create_database("failing"), &LIMITS);
    let (api, user) = (server.api(), server.api().add_user());
    let gate = Arc::new(Gate::default());
    let mut devices: Vec<FakeDevice> = (0..DEVICES).map(|_| patient(&server, &user, &gate)).collect();
    let ids: Vec<String> = devices.iter().map(|device| device.id(&server)).collect();
    let mut orders = std::thread::scope(|scope| {
        let _over = Over(&gate);
        for device in &mut devices {
            scope.spawn(|| keep_checking_in(device, &gate));
        }
        let ordering = scope.spawn(|| keep_ordering(&api, &ids, &gate));
        (0..rounds).for_each(|round| fail_over(&cluster, &gate, round));
        let sessions = gate.state().sessions;
        gate.wait_until("sessions end after the last failure", |state| state.sessions > sessions + DEVICES);
        gate.change(|state| state.is_over = true);
        ordering.join().unwrap()
    });
    find_out(&api, &ids, &mut orders);
    devices.iter_mut().for_each(FakeDevice::settle);
    let state = *gate.state();
    eprintln!("{rounds} failures, {} sessions, {} orders, {} refusals", state.sessions, orders.len(), state.refused);
    let [committed, undone] = doubts(&server);
    eprintln!("{} commits in doubt, {committed} of them had taken effect", committed + undone);
    examine(&api, &ids, &devices, &orders);
}

/// How many commits of which the answer was lost had taken effect, and how many had not.
fn doubts(server: &Server) -> [usize; 2] {
    let log = server.log();
    let doubts: Vec<&str> = log.lines().filter(|line| line.contains("the answer to a commit was lost")).collect();
    ["took_effect=true", "took_effect=false"].map(|fate| doubts.iter().filter(|line| line.contains(fate)).count())
}

#[test]
// covers: R-14
fn commits_that_get_lost_on_the_way_are_found_out_and_not_guessed() {
    if !database::is_postgres("commits without an answer") {
        return;
    }
    let url = database::cluster().create_database("far_away");
    let sockets = database::cluster().sockets();
    let server = Server::start_on(&url, &[]);
    let mut devices: Vec<FakeDevice> = (0..4).map(|_| FakeDevice::settled(&server).0).collect();
    let ids: Vec<String> = devices.iter().map(|device| device.id(&server)).collect();
    let far = server.further_node(&[("MUSTER__DATABASE__URL", &LossyWay::to(sockets).url(&url, sockets))]);
    let mut orders = Vec::new();
    for n in 0..40 {
        let (device, node) = (n % devices.len(), format!("Order{n}-"));
        let id = place(&far.api(), &ids[device], &node).expect("R-14: the server finds out by itself");
        orders.push(Order { device, node, id: Some(id) });
        devices[device].follow(&far);
        devices[device].check_in();
    }
    devices.iter_mut().for_each(FakeDevice::settle);
    let [committed, undone] = doubts(&far);
    assert!(committed > 9 && undone > 9, "R-14: {committed} lost on the way back, {undone} on the way there");
    examine(&server.api(), &ids, &devices, &orders);
}

/// A device that tries again when it is told to, and looks at how it is told.
fn patient(server: &Server, user: &crate::support::api::User, gate: &Arc<Gate>) -> FakeDevice {
    let mut device = FakeDevice::enroll(server, user, Profile::new());
    device.settle();
    let gate = Arc::clone(gate);
    device.patience = Some(Arc::new(move |answer| {
        let answer = answer.as_ref().expect("R-14: the server itself goes on answering");
        answer.expect_status("R-14", 503);
        let seconds = answer.header("retry-after").expect("R-14: Retry-After");
        assert!(seconds.parse::<u32>().is_ok_and(|seconds| seconds > 0), "R-14: Retry-After: {seconds}");
        gate.refused();
    }));
    device
}

fn keep_checking_in(device: &mut FakeDevice, gate: &Gate) {
    while !gate.state().is_over {
        device.check_in();
        gate.change(|state| state.sessions += 1);
    }
}

/// Places orders, about as many as there are sessions.
fn keep_ordering(api: &Api, ids: &[String], gate: &Gate) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    while !gate.state().is_over {
        let sessions = gate.state().sessions;
        let (device, node) = (orders.len() % ids.len(), format!("Order{}-", orders.len()));
        let id = place(api, &ids[device], &node);
        if id.is_none() {
            gate.refused();
        }
        orders.push(Order { device, node, id });
        gate.wait_until("a session ends", |state| state.sessions > sessions || state.is_down || state.is_over);
    }
    orders
}

/// The id, or None: the server cannot say whether the order was taken.
fn place(api: &Api, device: &str, node: &str) -> Option<String> {
    let xml = format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    );
    let request = Request::post(&format!("/devices/{device}/commands?unchecked=true"), xml)
        .header("Content-Type", "application/vnd.syncml.dm+xml")
        .header("Idempotency-Key", node);
    let response = api.send(request);
    if response.status == 202 {
        let made: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        return Some(made["id"].as_str().unwrap().to_owned());
    }
    response.expect_status("R-14: an order that cannot be taken now", 503);
    None
}

fn fail_over(cluster: &Cluster, gate: &Gate, round: usize) {
    let before = *gate.state();
    let enough = before.sessions + DEVICES + chance(before.refused as u64, round) % (2 * DEVICES);
    gate.wait_until("sessions end between failures", |state| state.sessions >= enough);
    gate.change(|state| state.is_down = true);
    cluster.stop_immediate();
    gate.wait_until("somebody notices", |state| state.refused > before.refused);
    cluster.begin();
    gate.change(|state| state.is_down = false);
}

/// Asks again, with the same keys, for the orders whose answer was lost.
fn find_out(api: &Api, ids: &[String], orders: &mut [Order]) {
    let known: Vec<String> = ids.iter().flat_map(|id| commands(api, id)).map(|(id, _)| id).collect();
    let (mut lost, mut taken) = (0, 0);
    for order in orders.iter_mut().filter(|order| order.id.is_none()) {
        let id = place(api, &ids[order.device], &order.node).expect("R-14: the database is back");
        lost += 1;
        taken += usize::from(known.contains(&id));
        order.id = Some(id);
    }
    eprintln!("{lost} orders without an answer, {taken} of them had been taken");
}

/// Id and state of the commands that were ordered for a device.
fn commands(api: &Api, device: &str) -> Vec<(String, String)> {
    let commands = api.list(&format!("/commands?device={device}&limit=200"));
    let text = |command: &serde_json::Value, key: &str| command[key].as_str().unwrap().to_owned();
    commands.iter().map(|command| (text(command, "id"), text(command, "state"))).collect()
}

fn examine(api: &Api, ids: &[String], devices: &[FakeDevice], orders: &[Order]) {
    for (n, device) in devices.iter().enumerate() {
        let mine = || orders.iter().filter(|order| order.device == n);
        let mut expected: Vec<(String, String)> =
            mine().map(|order| (order.id.clone().unwrap(), "succeeded".to_owned())).collect();
        let mut found = commands(api, &ids[n]);
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "R-14: each order is one command, and succeeded");
        for order in mine() {
            assert_eq!(device.csp.times("Replace", &format!("/{}", order.node)), 1, "R-14: {}", order.node);
        }
        let done = device.csp.done.iter().filter(|done| done.uri.contains("/Example/Order")).count();
        assert_eq!(done, mine().count(), "R-14: nothing of another device");
    }
}
