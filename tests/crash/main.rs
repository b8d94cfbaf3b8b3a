//! The process dies, ends, comes back: what was promised is kept, nothing happens twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

// What needs a server that can be told where to die.
#[cfg(feature = "failpoints")]
mod chance;
#[cfg(feature = "failpoints")]
mod kills;
#[cfg(feature = "failpoints")]
mod oracle;
#[cfg(feature = "failpoints")]
mod orders;
#[cfg(feature = "failpoints")]
mod pc;
#[cfg(feature = "failpoints")]
mod site;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "failpoints")]
mod trial;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use support::device::{FakeDevice, Profile};
use support::enrolling::Attempt;
use support::eventually;
use support::http::Address;
use support::server::{Server, fresh_installation, muster};
use support::syncml::Message;

fn replace(node: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

#[test]
// covers: M-65, R-02, R-07
fn a_setting_that_was_sent_before_the_crash_is_delivered_again() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let command = server.api().command(&device.id(&server), &replace("Setting"));
    device.start_session().expect("Replace", "/Setting");
    server.kill9();
    server.restart();
    device.follow(&server);
    device.check_in();
    assert_eq!(server.api().command_state(&command), "succeeded", "1.15");
    assert_eq!(device.csp.times("Replace", "/Setting"), 1);
}

#[test]
// covers: M-66, R-02
fn a_wipe_that_was_sent_before_the_crash_is_unknown() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let wipe = server.api().act(&device.id(&server), &json!({"type": "wipe"}));
    device.start_session().expect("Exec", "/doWipe");
    server.kill9();
    server.restart();
    device.follow(&server);
    assert!(matches!(server.api().action_state(&wipe).as_str(), "sent" | "unknown"), "R-02: never queued again");
    assert!(device.check_in().find("Exec", "/doWipe").is_none(), "1.15: not offered at once");
    assert_eq!(server.api().action_state(&wipe), "unknown", "1.18");
}

#[test]
// covers: M-135, R-07
fn a_status_may_come_after_the_restart() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let reboot = server.api().act(&id, &json!({"type": "reboot"}));
    let setting = server.api().command(&id, &replace("Setting"));
    let reply = device.start_session();
    let answer = device.answer(&reply).xml();
    server.kill9();
    server.restart();
    device.follow(&server);
    let response = device.post(answer.clone());
    device.judge(&answer, &response);
    assert_eq!(server.api().action_state(&reboot), "succeeded", "R-07");
    assert_eq!(server.api().command_state(&setting), "succeeded", "R-07");
    device.settle();
    assert_eq!(device.csp.times("Exec", "/RebootNow"), 1, "R-07");
}

#[test]
// covers: M-145, M-63, R-04, S-16
fn the_stored_answer_survives_a_restart() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    server.api().command(&id, &replace("First"));
    let reply = device.start_session();
    let wipe = server.api().act(&id, &json!({"type": "wipe"}));
    let message = device.answer(&reply).xml();
    let lost = device.post(message.clone());
    device.judge(&message, &lost).expect("Exec", "/doWipe");
    server.kill9();
    server.restart();
    device.follow(&server);
    let again = device.post(message);
    assert_eq!((again.status, &again.body), (200, &lost.body), "M-145: byte for byte");
    assert_eq!(server.api().action_state(&wipe), "sent", "R-04");
}

#[test]
// covers: R-01
fn what_was_accepted_survives_a_power_cut() {
    let mut server = Server::start();
    let (mut device, user) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let action = server.api().act(&id, &json!({"type": "reboot"}));
    server.restart();
    assert_eq!(server.api().action_state(&action), "queued", "R-01: an action");
    let command = server.api().command(&id, &replace("Kept"));
    server.restart();
    assert_eq!(server.api().command_state(&command), "queued", "R-01: a command");
    let added = server.api().add_user();
    server.restart();
    let mut second = FakeDevice::enroll(&server, &added, Profile::new());
    server.restart();
    second.follow(&server);
    second.settle();
    assert_eq!(server.api().devices_of(&added).len(), 1, "R-01: an enrollment");
    server.api().patch(&format!("/users/{}", user.id), &json!({"enabled": false}));
    server.restart();
    let refused = Attempt::new(&server, &user).refused(&server);
    refused.is("R-01: a disabled account", "s:Authorization", None);
    device.follow(&server);
    device.settle();
    assert_eq!(server.api().action_state(&action), "succeeded");
    assert_eq!(server.api().command_state(&command), "succeeded");
}

#[test]
// covers: R-01, R-02, R-04, R-07
fn nothing_is_lost_or_doubled_over_many_crashes() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let mut settings = Vec::new();
    let mut reboots = Vec::new();
    for round in 0..6 {
        settings.push(server.api().command(&id, &replace(&format!("Round{round}"))));
        reboots.push(server.api().act(&id, &json!({"type": "reboot"})));
        crash_in_a_session(&mut server, &mut device, round);
        device.follow(&server);
    }
    device.settle();
    for setting in &settings {
        assert_eq!(server.api().command_state(setting), "succeeded", "R-01: a setting was lost");
    }
    let states: Vec<String> = reboots.iter().map(|r| server.api().action_state(r)).collect();
    assert!(states.iter().all(|s| matches!(s.as_str(), "succeeded" | "unknown")), "R-02: {states:?}");
    let executed = device.csp.times("Exec", "/RebootNow");
    let succeeded = states.iter().filter(|s| *s == "succeeded").count();
    assert!(executed <= reboots.len(), "R-02: {executed} reboots for {} orders", reboots.len());
    assert!(executed >= succeeded, "R-07: {succeeded} reboots are said to have happened, {executed} did");
}

/// Lets the process die at one of several places of a session, then starts it again.
fn crash_in_a_session(server: &mut Server, device: &mut FakeDevice, place: usize) {
    let first = device.package_one();
    match place % 3 {
        // The message is on its way, nobody reads the answer.
        0 => device.connect().send_without_reading(&device.request(first.xml())).unwrap(),
        // The answer has arrived and nothing of it was done.
        1 => drop(device.exchange(&first)),
        // Everything was done and the Status is on its way.
        _ => {
            let reply = device.exchange(&first);
            let answer = device.answer(&reply).xml();
            device.connect().send_without_reading(&device.request(answer)).unwrap();
        }
    }
    server.restart();
}

#[test]
// covers: R-21
fn a_request_to_end_is_obeyed_in_good_order() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let command = server.api().command(&device.id(&server), &replace("Before"));
    device.start_session().expect("Replace", "/Before");
    assert!(server.more_output().is_empty(), "standard output holds the ready line only: {:?}", server.more_output());
    let (status, took) = server.terminate();
    assert!(status.success(), "R-21: {status}");
    assert!(took < Duration::from_secs(11), "R-21: it took {took:?}");
    server.restart();
    device.follow(&server);
    device.settle();
    assert_eq!(server.api().command_state(&command), "succeeded", "R-21");
}

#[test]
// covers: R-21
fn idle_connections_do_not_hold_up_the_end() {
    let mut server = Server::start();
    let (device, _) = FakeDevice::settled(&server);
    let open = [device.connect(), device.connect()];
    let (status, took) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(11), "R-21: {status} after {took:?}");
    drop(open);
}

#[test]
// covers: R-21
fn a_request_that_runs_at_the_end_is_answered_and_in_the_transcript() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let before = server.api().list(&format!("/sessions?device={id}"));
    let message = device.package_one().xml();
    let mut connection = device.connect();
    let request = device.request(message.clone());
    connection.begin(&request).unwrap();
    let host = Address::of(device.management_url());
    let response = std::thread::scope(|scope| {
        let ending = scope.spawn(|| server.terminate());
        eventually("no connection is taken any more", || {
            TcpStream::connect((host.host.as_str(), host.port)).is_err().then_some(())
        });
        let response = connection.send_bytes(&request.body, false).unwrap();
        let (status, took) = ending.join().unwrap();
        assert!(status.success() && took < Duration::from_secs(11), "R-21: {status} after {took:?}");
        response
    });
    device.judge(&message, &response);
    server.restart();
    let mut shown = server.api().sessions(&id);
    shown.retain(|session| before.iter().all(|known| known["id"] != session["id"]));
    let kept: Vec<usize> = shown.iter().map(|session| session["messages"].as_array().unwrap().len()).collect();
    assert_eq!(kept, [2], "R-21: one session, with the message and its answer: {shown:?}");
}

#[test]
// covers: R-21
fn a_caller_of_the_operators_listener_does_not_hold_up_the_end() {
    let settings = [("MUSTER__OPS__LISTEN", "127.0.0.1:0"), ("MUSTER__LIMITS__DRAIN_SECONDS", "1")];
    let mut server = Server::start_with(&settings);
    let mut caller = TcpStream::connect(server.run_file()["ops"].as_str().unwrap()).unwrap();
    caller.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    caller.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // Half a request: whoever waits for the rest waits for ever.
    caller.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    let (status, took) = server.terminate();
    assert!(status.success() && took < Duration::from_secs(8), "R-21: {status} after {took:?}");
    assert!(!server.data().join("run.json").exists());
}

#[test]
// covers: R-21
fn a_signal_during_the_start_is_obeyed() {
    let home = fresh_installation();
    let mut child = muster()
        .args(["serve", "--data"])
        .arg(home.join("data"))
        .env("MUSTER__OPS__LISTEN", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // The database is opened early in the start.
    eventually("it starts", || support::database::is_open(&home.join("data")).then_some(()));
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let (status, _, said) = support::server::wait_with_timeout(&mut child, Duration::from_secs(30)).unwrap();
    assert!(status.success(), "R-21: {status}: {said}");
}

#[test]
// covers: R-11
fn a_second_process_on_the_same_data_refuses_to_start() {
    if !support::database::is_sqlite() {
        return eprintln!("skipped: on PostgreSQL many processes serve one database");
    }
    let server = Server::start();
    let mut second = muster()
        .args(["serve", "--data"])
        .arg(server.data())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = support::server::wait_with_timeout(&mut second, Duration::from_secs(30));
    let (status, stdout, stderr) = output.expect("R-11: the second process must not serve");
    assert!(!status.success() && stdout.is_empty(), "R-11: {status}: {stdout}");
    assert!(!stderr.trim().is_empty() && !stderr.contains("panicked"), "R-11: says why: {stderr}");
    let (mut device, _) = FakeDevice::new(&server);
    device.settle();
}

#[test]
fn a_folder_without_installation_is_refused_with_a_sentence() {
    let empty = support::openssl::temporary("no-installation", b"");
    for folder in [empty.clone(), empty.with_file_name("does-not-exist")] {
        let output = muster().args(["serve", "--data"]).arg(&folder).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "exit code 1: failed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.trim().is_empty() && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_database_file_that_is_gone_is_missed_and_not_made_anew() {
    if !support::database::has_files("a database file that is gone") {
        return;
    }
    let home = fresh_installation();
    for part in ["muster.db", "muster.db-wal", "muster.db-shm"] {
        let _ = std::fs::remove_file(home.join("data").join(part));
    }
    let output = muster().args(["serve", "--data"]).arg(home.join("data")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("muster.db"), "{said}");
    assert!(!home.join("data/muster.db").exists());
}

#[test]
fn init_does_not_overwrite_an_installation() {
    let home = fresh_installation();
    let before = std::fs::read(home.join("data/ca/root.pem")).unwrap();
    let output = muster()
        .args(["init", "--url", "https://localhost:0", "--admin", "other@example.test", "--data"])
        .arg(home.join("data"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success(), "a second init is refused");
    assert_eq!(std::fs::read(home.join("data/ca/root.pem")).unwrap(), before, "the CA is untouched");
}

#[test]
// covers: R-07
fn session_numbers_that_begin_again_do_no_harm() {
    let mut server = Server::start();
    let (mut device, user) = FakeDevice::settled(&server);
    let mut again = FakeDevice::enroll(&server, &user, device.profile.reset());
    again.profile.device_id.clone_from(&device.profile.device_id);
    server.restart();
    device.follow(&server);
    again.follow(&server);
    let mut message: Message = again.open_as("1");
    again.fill_package_one(&mut message);
    let reply = again.exchange(&message);
    assert!(
        !reply.commands.is_empty(),
        "a new enrollment begins with an inventory, whatever its numbers: {}",
        reply.xml
    );
    again.finish(reply);
    let old = device.package_one().xml();
    device.post(old).expect_status("E-67", 403);
}
