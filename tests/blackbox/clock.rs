//! A wall clock that is put forward or back while the server works, or before it starts (R-15).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::api::Api;
use crate::support::database::is_sqlite;
use crate::support::device::FakeDevice;
use crate::support::reply::{Command, Reply};
use crate::support::timed::{HOUR, MINUTE, Timed};
use crate::support::{eventually, now};

const DAY: i64 = 86_400;

fn replace(node: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

/// A device in the middle of a session, with two orders handed over and two that wait.
struct Busy {
    device: FakeDevice,
    reply: Reply,
    commands: Vec<String>,
    actions: Vec<String>,
}

const ORDERED: [(&str, &str); 4] =
    [("Replace", "/Sent"), ("Exec", "/RebootNow"), ("Replace", "/Next"), ("Exec", "/RemoteLock/Lock")];

impl Busy {
    fn new(timed: &Timed) -> Self {
        let (mut device, id, api) = timed.settled();
        let mut commands = vec![api.command(&id, &replace("Sent"))];
        let mut actions = vec![api.act(&id, &json!({"type": "reboot"}))];
        let reply = device.start_session();
        reply.expect("Replace", "/Sent");
        commands.push(api.command(&id, &replace("Next")));
        actions.push(api.act(&id, &json!({"type": "lock"})));
        Self { device, reply, commands, actions }
    }

    /// The session goes on where it was, and nothing comes twice.
    fn go_on(mut self, api: &Api) {
        let mut visit = self.device.finish(self.reply);
        for _ in 0..2 {
            visit.replies.extend(self.device.check_in().replies);
        }
        for (verb, node) in ORDERED {
            let is_it = |command: &&Command| command.verb == verb && command.targets(node);
            assert_eq!(visit.commands().into_iter().filter(is_it).count(), 1, "R-15: {node}");
        }
        for command in &self.commands {
            assert_eq!(api.command_state(command), "succeeded", "R-15");
        }
        for action in &self.actions {
            assert_eq!(api.action_state(action), "succeeded", "R-15");
        }
    }
}

/// Sends requests while upkeep has its rounds, which come ten times a second here; nothing may end by them.
fn nothing_ends(api: &Api) {
    let rounds = Instant::now() + Duration::from_millis(500);
    while Instant::now() < rounds {
        for (path, gone) in [("sessions", "timed_out"), ("commands", "expired"), ("actions", "expired")] {
            let listed = api.list(&format!("/{path}?limit=200"));
            let ended = listed.iter().find(|one| one["state"] == gone);
            assert!(ended.is_none(), "R-15: {path}: {ended:?}");
        }
    }
}

#[test]
// covers: R-15
fn a_clock_put_back_an_hour_ends_nothing_and_stops_nobody() {
    let timed = Timed::start();
    let api = timed.server.api();
    let busy: Vec<Busy> = (0..3).map(|_| Busy::new(&timed)).collect();
    let (mut settled, id, _) = timed.settled();
    timed.jump(-3600);
    nothing_ends(&api);
    let ordered = api.command(&id, &replace("Later"));
    settled.settle();
    assert_eq!(api.command_state(&ordered), "succeeded", "R-15: orders are taken on and carried out");
    busy.into_iter().for_each(|busy| busy.go_on(&api));
    timed.settled();
    let again = Busy::new(&timed);
    timed.jump(3600);
    nothing_ends(&api);
    again.go_on(&api);
}

#[test]
// covers: R-15
fn a_clock_put_a_day_ahead_and_back_ends_nothing_and_stops_nobody() {
    let timed = Timed::start();
    let api = timed.server.api();
    let [first, second] = [Busy::new(&timed), Busy::new(&timed)];
    timed.jump(DAY);
    nothing_ends(&api);
    first.go_on(&api);
    let (mut enrolled_ahead, ..) = timed.settled();
    timed.jump(-DAY);
    nothing_ends(&api);
    second.go_on(&api);
    enrolled_ahead.settle();
}

#[test]
// covers: R-15
fn sessions_end_by_a_clock_that_goes_on_evenly_after_it_was_moved() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let sent = api.command(&id, &replace("Sent"));
    device.start_session().expect("Replace", "/Sent");
    timed.jump(DAY);
    nothing_ends(&api);
    timed.pass(31 * MINUTE);
    eventually("M-72: the session is closed", || {
        api.list("/sessions?limit=200").iter().any(|session| session["state"] == "timed_out").then_some(())
    });
    device.settle();
    assert_eq!(api.command_state(&sent), "succeeded");
}

#[test]
// covers: R-15
fn a_server_does_not_start_a_day_behind_what_its_database_holds() {
    let mut timed = Timed::start();
    timed.settled();
    let refused = timed.restart_at(now() - hours(25), false).unwrap_err();
    assert!(refused.contains("--trust-clock") && refused.matches("T").count() >= 2, "R-15: {refused}");
    timed.restart_at(now() - hours(23), false).unwrap();
    timed.restart_at(now() - hours(25), true).unwrap();
    assert_eq!(timed.server.api().list("/devices").len(), 1);
    timed.restart_at(now(), false).unwrap();
}

#[test]
// covers: R-15
fn a_server_that_starts_far_ahead_ends_nothing_until_its_clock_went_evenly_for_a_while() {
    let mut timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let sent = api.command(&id, &replace("Sent"));
    device.start_session().expect("Replace", "/Sent");
    let ahead = now() + hours(200 * 24);
    if !is_sqlite() {
        let refused = timed.restart_at(ahead, false).unwrap_err();
        assert!(
            refused.contains("that of the database server") && refused.contains("--trust-clock"),
            "R-15: {refused}"
        );
        return;
    }
    timed.restart_at(ahead, false).unwrap();
    crate::support::pass(200 * DAY);
    let api = timed.server.api();
    nothing_ends(&api);
    assert_eq!(api.command_state(&sent), "sent", "R-15");
    assert!(!api.list("/events?limit=200").is_empty(), "R-15: history is not pruned");
    timed.pass(31 * MINUTE);
    eventually("R-15: then it is believed", || {
        api.list("/sessions?limit=200").iter().all(|session| session["state"] != "open").then_some(())
    });
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * HOUR)
}
