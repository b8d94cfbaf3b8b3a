//! What happens after minutes, hours and weeks. The server runs in this process with a clock that the tests move.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::support::api::{Api, User};
use crate::support::csp::Answer;
use crate::support::device::FakeDevice;
use crate::support::enrolling::Attempt;
use crate::support::eventually;
use crate::support::http::{Address, Connection, Response};
use crate::support::soap::{Soap, username_token};
use crate::support::syncml::Message;
use crate::support::timed::{DAY, HOUR, MINUTE, Timed};

fn replace(node: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

fn state(api: &Api, device: &str) -> String {
    api.device(device)["state"].as_str().expect("a device has a state").to_owned()
}

/// Sends a message where a refused handshake counts as 403.
fn status_of(device: &FakeDevice, message: &Message) -> u16 {
    let answer: std::io::Result<Response> = Connection::open(&Address::of(device.management_url()), device.config())
        .and_then(|mut connection| connection.send(&device.request(message.xml())));
    answer.map_or(403, |response| response.status)
}

#[test]
// covers: M-72, R-06
fn a_session_closes_after_half_an_hour_of_silence() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    for (minutes, open) in [(29, true), (31, false)] {
        let sent = api.command(&id, &replace("Sent"));
        let first = device.start_session();
        first.expect("Replace", "/Sent");
        let next = api.command(&id, &replace("Next"));
        let while_open = states(&api, &id);
        timed.pass(minutes * MINUTE);
        if !open {
            eventually("M-72: the session is closed", || (states(&api, &id) != while_open).then_some(()));
        }
        let answer = device.answer(&first);
        let response = device.post(answer.xml());
        let reply = device.judge_loosely(&answer.xml(), &response);
        assert_eq!(reply.find("Replace", "/Next").is_some(), open, "M-72: after {minutes} minutes: {}", reply.xml);
        assert_eq!(api.command_state(&sent), "succeeded", "M-135: after {minutes} minutes");
        device.settle();
        assert_eq!(api.command_state(&next), "succeeded", "R-06: nothing is lost");
    }
}

/// The states of a device's sessions, by id.
fn states(api: &Api, device: &str) -> std::collections::BTreeMap<String, String> {
    let text = |session: &Value, key: &str| session[key].as_str().unwrap_or_default().to_owned();
    let sessions = api.list(&format!("/sessions?device={device}"));
    sessions.iter().map(|session| (text(session, "id"), text(session, "state"))).collect()
}

#[test]
// covers: R-06, M-66
fn what_a_dead_session_held_goes_back_to_the_queue() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let setting = api.command(&id, &replace("Held"));
    let reboot = api.act(&id, &json!({"type": "reboot"}));
    device.start_session().expect("Replace", "/Held");
    timed.pass(31 * MINUTE);
    let visit = device.check_in();
    assert!(visit.find("Replace", "/Held").is_some(), "R-06");
    assert!(visit.find("Exec", "/RebootNow").is_none(), "M-66");
    assert_eq!(
        (api.command_state(&setting), api.action_state(&reboot)),
        ("succeeded".into(), "unknown".into()),
        "M-66"
    );
}

#[test]
// covers: M-68, M-72
fn heartbeats_keep_a_session_open() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    api.command(&id, &replace("Slow"));
    let first = device.start_session();
    let next = api.command(&id, &replace("Next"));
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.requestpending";
    for number in 2..5 {
        timed.pass(20 * MINUTE);
        let mut beat = Message::new(&first.session_id, number, device.management_url(), &device.profile.device_id);
        beat.typed_alert(1224, kind, "", "1");
        let reply = device.exchange(&beat.without_final());
        assert!(reply.commands.is_empty(), "M-68: {}", reply.xml);
    }
    timed.pass(20 * MINUTE);
    let answer = Message { msg_id: "5".to_owned(), ..device.answer(&first) };
    device.exchange(&answer).expect("Replace", "/Next");
    device.settle();
    assert_eq!(api.command_state(&next), "succeeded", "M-68");
}

#[test]
// covers: M-64, S-16
fn package_one_sent_again_minutes_later_opens_a_session() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let message = device.package_one();
    device.exchange(&message);
    let sessions = api.session_count(&id);
    timed.pass(2 * MINUTE);
    let command = api.command(&id, &replace("Fresh"));
    let response = device.post(message.xml());
    let reply = device.judge_loosely(&message.xml(), &response);
    reply.expect("Replace", "/Fresh");
    assert_eq!(api.session_count(&id), sessions + 1, "M-64");
    device.settle();
    assert_eq!(api.command_state(&command), "succeeded");
}

#[test]
// covers: M-137, M-136, M-22
fn the_last_message_may_be_repeated_for_ten_minutes() {
    let timed = Timed::start();
    let (mut device, _, api) = timed.settled();
    let leaving = device.leave();
    let answered = device.post(leaving.xml());
    device.judge(&leaving.xml(), &answered);
    timed.pass(9 * MINUTE);
    assert_eq!(device.post(leaving.xml()).body, answered.body, "M-137: after nine minutes");
    timed.pass(2 * MINUTE);
    assert_eq!(status_of(&device, &leaving), 403, "M-137: after eleven minutes");
    let serial = device.chain().serial();
    eventually("5.2: then the certificate is revoked", || api.is_revoked(&serial).then_some(()));
}

#[test]
// covers: M-138, M-66
fn a_wipe_without_status_is_offered_again_every_ten_minutes_at_most() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let action = api.act(&id, &json!({"type": "wipe"}));
    device.csp.rule("Exec", "/doWipe", Answer::Silent);
    device.start_session().expect("Exec", "/doWipe");
    timed.pass(5 * MINUTE);
    assert!(device.start_session().find("Exec", "/doWipe").is_none(), "M-138: after five minutes");
    let mut offers = 1;
    for _ in 0..8 {
        timed.pass(11 * MINUTE);
        let offered = device.start_session().find("Exec", "/doWipe").is_some();
        offers += usize::from(offered);
        let at_once = device.start_session();
        assert!(at_once.find("Exec", "/doWipe").is_none(), "M-138: not twice within ten minutes");
    }
    assert!((3..=4).contains(&offers), "M-138: offered again, at most 3 times: {offers} offers");
    assert_eq!(api.action_state(&action), "unknown", "M-138: then an operator decides");
    timed.pass(2 * DAY);
    assert!(device.check_in().find("Exec", "/doWipe").is_none(), "M-138: never by itself");
}

#[test]
// covers: M-138
fn some_verbs_are_never_offered_again() {
    let timed = Timed::start();
    let bodies = [
        (json!({"type": "wipe", "variant": "keep_user_data"}), "/doWipePersistUserData"),
        (json!({"type": "wipe", "variant": "keep_provisioning"}), "/doWipePersistProvisionedData"),
        (json!({"type": "reboot"}), "/RebootNow"),
        (json!({"type": "reset_passcode"}), "/LockAndResetPIN"),
        (json!({"type": "reset_passcode", "method": "laps"}), "/ResetPassword"),
    ];
    let mut sent = Vec::new();
    for (body, node) in bodies {
        let (mut device, id, api) = timed.settled();
        let action = api.act(&id, &body);
        device.start_session().expect("Exec", node);
        sent.push((device, action, node));
    }
    for _ in 0..3 {
        timed.pass(HOUR);
        for (device, _, node) in &mut sent {
            assert!(device.check_in().find("Exec", node).is_none(), "M-138: {node}");
        }
    }
    for (_, action, node) in sent {
        assert_eq!(timed.server.api().action_state(&action), "unknown", "M-138: {node}");
    }
}

#[test]
// covers: M-138
fn an_accepted_wipe_of_a_device_that_comes_back_has_failed() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let action = api.act(&id, &json!({"type": "wipe"}));
    device.check_in();
    assert_eq!((api.action_state(&action), state(&api, &id)), ("succeeded".into(), "wiping".into()));
    timed.pass(25 * HOUR);
    assert!(device.check_in().find("Exec", "/doWipe").is_none(), "M-138: never offered again");
    let shown = api.action(&action);
    assert_eq!(shown["state"], "failed", "1.15: accepted but not carried out: {shown}");
}

#[test]
fn a_wiped_device_that_stays_silent_is_wiped() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    api.act(&id, &json!({"type": "wipe"}));
    device.check_in();
    timed.pass(15 * DAY);
    eventually("7.5: wiped after 14 days of silence", || (state(&api, &id) == "wiped").then_some(()));
}

#[test]
// covers: M-138
fn a_lost_wipe_can_be_withdrawn_and_is_not_offered_again() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let wipe = api.act(&id, &json!({"type": "wipe"}));
    device.start_session().expect("Exec", "/doWipe");
    timed.pass(HOUR);
    eventually("1.15: it may have happened", || (api.action_state(&wipe) == "unknown").then_some(()));
    api.delete(&format!("/actions/{wipe}"));
    let shown = api.action(&wipe);
    assert_eq!(shown["state"], "cancelled");
    assert!(shown["detail"].as_str().unwrap().contains("may have happened"), "{shown}");
    device.check_in();
    assert_eq!(device.csp.times("Exec", "/doWipe"), 0, "no further offer");
}

#[test]
// covers: M-139
fn a_device_wiped_with_its_data_kept_is_managed_again() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let wipe = api.act(&id, &json!({"type": "wipe", "variant": "keep_user_data"}));
    device.check_in();
    assert_eq!(state(&api, &id), "wiping");
    timed.pass(HOUR);
    device.check_in();
    assert_eq!((api.action_state(&wipe), state(&api, &id)), ("succeeded".into(), "active".into()));
}

#[test]
// covers: M-136
fn unenroll_with_status_and_a_day_of_silence_is_retired() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let retire = api.act(&id, &json!({"type": "retire"}));
    let reply = device.start_session();
    let answer = device.answer(&reply);
    device.exchange(&answer);
    assert_eq!((api.action_state(&retire), state(&api, &id)), ("succeeded".into(), "retiring".into()));
    timed.pass(25 * HOUR);
    eventually("7.4: retired after 24 hours", || (state(&api, &id) == "retired").then_some(()));
    let message = device.package_one();
    assert_eq!(status_of(&device, &message), 403, "M-22");
}

#[test]
// covers: M-136, M-112
fn a_device_that_never_answers_is_assumed_retired() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let retire = api.act(&id, &json!({"type": "retire"}));
    device.start_session().expect("Exec", "/Unenroll");
    timed.pass(29 * DAY);
    assert_eq!(state(&api, &id), "retiring", "7.4: not before 30 days");
    timed.pass(2 * DAY);
    eventually("7.4: assumed retired after 30 days", || (state(&api, &id) == "retired").then_some(()));
    assert_eq!(api.action_state(&retire), "unknown", "1.18");
}

#[test]
fn an_expired_action_is_not_sent() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let short = api.act(&id, &json!({"type": "wipe", "expires_in": "1h"}));
    let default = api.act(&id, &json!({"type": "reboot"}));
    timed.pass(2 * HOUR);
    let visit = device.check_in();
    assert!(visit.find("Exec", "/doWipe").is_none(), "an expired wipe");
    eventually("an order that has expired says so", || (api.action_state(&short) == "expired").then_some(()));
    assert_eq!(api.action_state(&default), "succeeded");
    let late = api.act(&id, &json!({"type": "reboot"}));
    timed.pass(31 * DAY);
    assert!(device.check_in().find("Exec", "/RebootNow").is_none(), "30 days by default");
    eventually("30 days by default", || (api.action_state(&late) == "expired").then_some(()));
}

#[test]
fn the_inventory_is_taken_daily() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    timed.pass(HOUR);
    assert!(device.check_in().is_quiet(), "7.10: not every session");
    device.csp.set("./DevDetail/SwV", "chr", "10.0.22631.4602");
    timed.pass(25 * HOUR);
    let visit = device.check_in();
    assert!(visit.find("Get", "/DevDetail/SwV").is_some(), "7.10: daily");
    let shown: Value = api.device(&id);
    assert_eq!(shown["os_version"], "10.0.22631.4602", "{shown}");
    device.settle();
}

#[test]
// covers: R-08
fn a_command_that_is_always_put_off_is_given_up() {
    let timed = Timed::start();
    let (mut device, id, api) = timed.settled();
    let setting = api.command(&id, &replace("Later"));
    let other = api.command(&id, &replace("Other"));
    device.csp.rule("Replace", "/Later", Answer::Status(417));
    for _ in 0..12 {
        device.check_in();
        timed.pass(2 * DAY);
    }
    let sent = device.csp.times("Replace", "/Later");
    assert!((2..=6).contains(&sent), "chapter 3: retried with back-off, at most 5 times: sent {sent} times");
    assert_eq!((api.command_state(&setting), api.command_state(&other)), ("failed".into(), "succeeded".into()), "R-08");
}

#[test]
// covers: E-53, S-14
fn a_locked_account_opens_again() {
    let timed = Timed::start();
    let server = &timed.server;
    let user = server.api().add_user();
    let knock = |password: &str| {
        let soap = Soap::get_policies(&username_token(&user.email, password));
        server.web(&soap.request()).status
    };
    for n in 0..101 {
        assert_eq!(knock(&format!("guess {n}")), 500);
    }
    assert_eq!(knock(&user.password), 500, "E-53: locked");
    timed.pass(25 * HOUR);
    assert_eq!(knock(&user.password), 200, "S-14: the victim is not locked out for ever");
}

#[test]
// covers: E-135
fn a_changed_password_counts_within_the_minutes_of_a_remembered_check() {
    let timed = Timed::start();
    let server = &timed.server;
    let api = server.api();
    let user = api.add_user();
    let knock = |user: &User| {
        let soap = Soap::get_policies(&username_token(&user.email, &user.password));
        server.web(&soap.request()).status
    };
    assert_eq!(knock(&user), 200);
    timed.pass(MINUTE);
    let changed = User { password: "quite another correct horse".to_owned(), ..user.clone() };
    api.patch(&format!("/users/{}", user.id), &json!({"password": changed.password}));
    assert_eq!((knock(&user), knock(&changed)), (500, 200), "E-135");
}

#[test]
fn the_server_certificate_is_made_anew_while_the_server_runs() {
    let timed = Timed::start();
    let shown = || {
        let connection = timed.server.web_connection();
        connection.tls().peer_certificates().expect("the server has a certificate")[0].to_vec()
    };
    let first = shown();
    timed.pass(264 * DAY);
    timed.pass(DAY);
    // Its start is in the future of this machine, which a client with the machine's clock refuses.
    let file = || std::fs::read(timed.server.data().join("tls/server.pem")).unwrap();
    let leaf = || CertificateDer::from_pem_slice(&file()).unwrap().to_vec();
    eventually("the certificate is made anew", || (leaf() != first).then_some(()));
    let said = eventually("and in use", || {
        Connection::open(&Address::of(&timed.server.url), &timed.server.tls().config()).err().map(|e| e.to_string())
    });
    assert!(said.contains("not valid yet"), "{said}");
}

#[test]
// covers: E-73, E-80
fn what_is_issued_bears_the_time_of_the_clock() {
    let timed = Timed::start();
    let user = timed.server.api().add_user();
    timed.pass(MINUTE / 2);
    let device = Attempt::new(&timed.server, &user).enroll(&timed.server, Some(&user.email));
    assert!(device.chain().lifetime_days() >= 360, "E-80");
}
