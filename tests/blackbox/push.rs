//! Push (WNS): what is asked of devices, what comes of what they say, and how they are woken.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile};
use crate::support::eventually;
use crate::support::http::Request;
use crate::support::nodes::Nodes;
use crate::support::reply::Reply;
use crate::support::server::{Server, muster};
use crate::support::timed::{MINUTE, Timed};
use crate::support::wns::{Answer, PFN, SECRET, SID, Wns};

/// An app, and nobody to push to.
const APP: [(&str, &str); 3] =
    [("MUSTER__WNS__PFN", PFN), ("MUSTER__WNS__PACKAGE_SID", SID), ("MUSTER__WNS__CLIENT_SECRET", SECRET)];

/// A server that pushes to that stand-in.
fn server_with(wns: &Wns, more: &[(&str, &str)]) -> Server {
    let environment = wns.environment();
    let mut overrides: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    overrides.extend(more);
    Server::start_with(&overrides)
}

/// A PC whose channel the server knows, and its id; nothing waits for it.
fn ready(server: &Server, wns: &Wns, name: &str) -> (FakeDevice, String) {
    let mut device = enrolled(server, &wns.channel(name));
    device.check_in();
    device.check_in();
    let id = device.id(server);
    assert_eq!(push(&server.api(), &id)["channel_host"], "localhost");
    (device, id)
}

fn sync(api: &Api, device: &str) -> String {
    api.act(device, &json!({"type": "sync"}))
}

/// Waits until the last push to a device went so.
#[track_caller]
fn until(api: &Api, device: &str, outcome: &str) -> Value {
    eventually(&format!("a push that is {outcome}"), || {
        Some(push(api, device)).filter(|push| push["outcome"] == outcome)
    })
}

fn node(name: &str) -> String {
    format!("./Vendor/MSFT/DMClient/Provider/Muster/Push/{name}")
}

/// A PC that has enrolled, with that channel.
fn enrolled(server: &Server, channel: &str) -> FakeDevice {
    let user = server.api().add_user();
    let mut device = FakeDevice::enroll(server, &user, Profile::new());
    device.csp.set(&node("ChannelURI"), "chr", channel);
    device.csp.set(&node("Status"), "int", "0");
    device
}

/// The commands on nodes of push, in order, as verb and last segment.
fn asked(reply: &Reply) -> Vec<String> {
    let of_push = |uri: &str| uri.contains("/Push");
    let commands = reply.commands.iter().filter(|command| command.items.first().is_some_and(|item| of_push(&item.uri)));
    let last = |uri: &str| uri.rsplit('/').next().unwrap().to_owned();
    commands.map(|command| format!("{} {}", command.verb, last(&command.items[0].uri))).collect()
}

fn push(api: &Api, device: &str) -> Value {
    api.device(device)["push"].clone()
}

// covers: M-120
#[test]
fn the_channel_is_read_in_every_session_and_a_change_is_stored() {
    let server = Server::start_with(&APP);
    let (mut device, api) = (enrolled(&server, ""), server.api());
    let id = device.id(&server);
    let first = device.start_session();
    assert_eq!(asked(&first), ["Add PFN", "Get ChannelURI", "Get Status"], "M-120");
    assert!(first.commands[0].items[0].uri.ends_with("/Push/PFN"), "M-120: first in order: {}", first.xml);
    device.finish(first);
    assert_eq!(device.csp.value(&node("PFN")), Some(PFN));
    let shown = push(&api, &id);
    assert_eq!((&shown["pfn_status"], &shown["channel_host"]), (&Value::from(200), &Value::Null), "{shown}");
    for (channel, host) in [
        ("https://db5p.notify.windows.com/?token=geheim-one", "db5p.notify.windows.com"),
        ("https://am3p.notify.windows.com/?token=geheim-two", "am3p.notify.windows.com"),
    ] {
        device.csp.set(&node("ChannelURI"), "chr", channel);
        let visit = device.check_in();
        assert_eq!(asked(&visit.replies[0]), ["Get ChannelURI", "Get Status"], "M-120: in every session");
        assert!(visit.replies[1..].iter().all(|reply| asked(reply).is_empty()), "M-120: once a session");
        assert_eq!(visit.replies.len(), 2, "nothing else to say");
        let shown = push(&api, &id);
        assert_eq!(shown["channel_host"], host, "M-120: a change is stored: {shown}");
        assert_eq!((&shown["status"], &shown["status_words"]), (&"0".into(), &"registered".into()), "{shown}");
    }
    device.csp.set(&node("ChannelURI"), "chr", "");
    device.check_in();
    assert_eq!(push(&api, &id)["channel_host"], Value::Null, "M-120: a channel that is gone is gone");
    assert_nothing_tells_the_channel(&server, &id);
}

/// The address of a channel is in no document, event, transcript or log.
fn assert_nothing_tells_the_channel(server: &Server, device: &str) {
    let api = server.api();
    let documents = [Value::from(api.events()), Value::from(api.sessions(device)), api.device(device)];
    assert!(!Value::from(documents.to_vec()).to_string().contains("geheim"), "the channel is a secret");
    assert!(!server.log().contains("geheim"), "the channel is a secret");
    for file in ["muster.db", "muster.db-wal"] {
        let bytes = std::fs::read(server.data().join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|part| part == b"geheim"), "S-13: {file}");
    }
}

// covers: M-120
#[test]
fn without_push_an_empty_session_is_one_round_trip() {
    let server = Server::shared();
    let mut device = enrolled(server, "https://db5p.notify.windows.com/?token=geheim");
    let first = device.start_session();
    assert!(!asked(&first).iter().any(|command| command.ends_with("PFN")), "nothing to register for");
    device.finish(first);
    device.settle();
    let quiet = device.check_in();
    assert!(quiet.is_quiet() && quiet.replies.len() == 1, "nothing is asked: {:?}", quiet.replies[0].xml);
    let shown = push(&server.api(), &device.id(server));
    assert_eq!(shown["channel_host"], "db5p.notify.windows.com", "the daily inventory has it: {shown}");
}

#[test]
fn a_name_that_is_there_is_replaced_and_one_that_is_refused_waits_a_day() {
    let server = Server::start_with(&APP);
    let api = server.api();
    let mut there = enrolled(&server, "");
    there.csp.set(&node("PFN"), "chr", "Another.App_0000000000000");
    let visit = there.check_in();
    let names: Vec<String> = visit.replies.iter().flat_map(asked).filter(|c| c.ends_with("PFN")).collect();
    assert_eq!(names, ["Add PFN", "Replace PFN"]);
    assert_eq!(there.csp.value(&node("PFN")), Some(PFN));
    let mut refuses = enrolled(&server, "");
    refuses.csp.rule("Add", "/Push/PFN", csp::Answer::Status(405));
    refuses.check_in();
    refuses.check_in();
    assert_eq!(refuses.csp.times("Add", "/Push/PFN"), 1, "not in every session");
    assert_eq!(push(&api, &refuses.id(&server))["pfn_status"], 405);
}

// covers: M-122
#[test]
fn a_channel_elsewhere_is_refused_and_told() {
    let server = Server::start_with(&APP);
    let api = server.api();
    let good = "https://db5p.notify.windows.com/?token=geheim";
    for (channel, words) in [
        ("http://db5p.notify.windows.com/?token=geheim", "not an https:// URL: db5p.notify.windows.com"),
        ("https://evil.example.test/?token=geheim", "not on a host of WNS: evil.example.test"),
        ("https://notify.windows.com.example.test/geheim", "not on a host of WNS: notify.windows.com.example.test"),
        ("https://a.notify.windows.com@127.0.0.1/geheim", "holds a user name: 127.0.0.1"),
        ("https://a.notify.windows.com:8443/geheim", "not on a host of WNS: a.notify.windows.com"),
    ] {
        let mut device = enrolled(&server, good);
        device.check_in();
        let id = device.id(&server);
        device.csp.set(&node("ChannelURI"), "chr", channel);
        device.check_in();
        device.check_in();
        let shown = push(&api, &id);
        assert_eq!(shown["channel_host"], Value::Null, "M-122: {channel}: the good one before counts no more: {shown}");
        assert!(shown["refusal"].as_str().unwrap().ends_with(words), "M-122: {channel}: {shown}");
        let told = api.wait_for_event("alert.received", &id);
        assert_eq!(told["data"]["type"], "push_channel_refused", "M-122: {told}");
        let times = |event: &&Value| event["subject"] == id.as_str() && event["data"]["type"] == "push_channel_refused";
        assert_eq!(api.events().iter().filter(times).count(), 1, "M-122: told once");
        assert_nothing_tells_the_channel(&server, &id);
    }
}

// covers: M-121, M-125
#[test]
fn new_work_wakes_the_device_and_the_push_tells_nothing_of_it() {
    let wns = Wns::start();
    let server = server_with(&wns, &[("MUSTER__OPS__LISTEN", "127.0.0.1:0")]);
    let (mut device, id) = ready(&server, &wns, "one");
    let api = server.api();
    assert!(wns.tokens().is_empty(), "nothing is asked of anybody before there is work");
    let command = sync(&api, &id);
    let seen = wns.wait_for("one", 1).remove(0);
    for (name, value) in [
        ("Authorization", "Bearer token-geheim-1"),
        ("Content-Type", "application/octet-stream"),
        ("X-WNS-Type", "wns/raw"),
        ("X-WNS-Cache-Policy", "cache"),
        ("X-WNS-TTL", "86400"),
        ("X-WNS-RequestForStatus", "true"),
        ("Content-Length", "6"),
    ] {
        assert_eq!(seen.header(name), Some(value), "management reference 6.2: {name}");
    }
    assert_eq!(seen.body, b"muster", "M-125");
    let whole = format!("{seen:?}").to_lowercase();
    let profile = &device.profile;
    let enrollment = api.device(&id)["enrollment_id"].as_str().unwrap().to_owned();
    for secret in [&id, &enrollment, &command, &profile.device_id, &profile.hw_dev_id, &profile.device_name] {
        assert!(!whole.contains(&secret.to_lowercase()), "M-125: the push tells {secret}");
    }
    let asked = wns.tokens().remove(0);
    assert_eq!(asked.header("Content-Type"), Some("application/x-www-form-urlencoded"));
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", SID),
        ("client_secret", SECRET),
        ("scope", "notify.windows.com"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let shown = until(&api, &id, "received");
    assert_eq!(shown["connection"], "connected", "{shown}");
    assert!(shown["at"].is_string() && shown["next_at"].is_null(), "{shown}");
    device.check_in();
    assert_eq!(api.action_state(&command), "succeeded");
    let metrics = eventually("the push is counted", || {
        let text = server.operators("/metrics");
        text.contains("muster_pushes_total{outcome=\"received\"} 1").then_some(text)
    });
    assert!(metrics.contains("muster_push_tokens_total 1"), "{metrics}");
    assert_nothing_tells_the_channel(&server, &id);
}

// covers: M-121
#[test]
fn a_token_that_is_refused_to_many_at_once_is_fetched_anew_once() {
    let wns = Wns::start();
    let server = server_with(&wns, &[]);
    let names = ["a", "b", "c", "d"];
    let ids: Vec<String> = names.iter().map(|name| ready(&server, &wns, name).1).collect();
    let (_, first) = ready(&server, &wns, "first");
    let api = server.api();
    sync(&api, &first);
    wns.wait_for("first", 1);
    wns.refuse_token(1);
    ids.iter().for_each(|id| drop(sync(&api, id)));
    for (name, id) in names.iter().zip(&ids) {
        until(&api, id, "received");
        let shown: Vec<String> =
            wns.pushes(name).iter().map(|seen| seen.header("Authorization").unwrap().to_owned()).collect();
        assert_eq!(shown.last().map(String::as_str), Some("Bearer token-geheim-2"), "M-121: {name}");
        assert!(shown.len() <= 2, "M-121: {name}: {shown:?}");
    }
    assert_eq!(wns.tokens().len(), 2, "M-121: one token in all for the one that is refused");
}

// covers: M-123
#[test]
fn a_channel_that_is_gone_is_forgotten_until_the_device_reports_it_again() {
    let wns = Wns::start();
    let server = server_with(&wns, &[]);
    let api = server.api();
    for (status, outcome) in [(404, "gone"), (410, "gone"), (403, "forbidden")] {
        let name = format!("gone-{status}");
        let (mut device, id) = ready(&server, &wns, &name);
        wns.answer(&name, Answer::status(status).header("X-WNS-Error-Description", "no such channel"));
        sync(&api, &id);
        let shown = until(&api, &id, outcome);
        assert_eq!((&shown["channel_host"], &shown["next_at"]), (&Value::Null, &Value::Null), "M-123: {shown}");
        assert!(shown["detail"].as_str().unwrap().ends_with(": no such channel"), "{shown}");
        sync(&api, &id);
        let first = device.start_session();
        let names = ["Add PFN", "Get ChannelURI", "Get Status"];
        let expected = if status == 403 { &names[..] } else { &names[1..] };
        assert_eq!(asked(&first), expected, "M-123: {status}: whether the name is given anew");
        device.finish(first);
        assert_eq!(push(&api, &id)["channel_host"], "localhost", "M-123: reported again");
        assert_eq!(wns.pushes(&name).len(), 1, "M-123: no push without a channel");
    }
}

#[test]
fn answers_that_blame_us_are_told_and_not_repeated() {
    let wns = Wns::start();
    let server = server_with(&wns, &[]);
    let api = server.api();
    for status in [302, 400, 405, 413] {
        let name = format!("odd-{status}");
        let (_, id) = ready(&server, &wns, &name);
        let answer = Answer::status(status).header("X-WNS-Error-Description", &format!("wrong-{status}"));
        let answer = answer.header("X-WNS-Debug-Trace", &format!("trace-{status}"));
        wns.answer(&name, answer.header("Location", &wns.channel("elsewhere")));
        sync(&api, &id);
        let shown = until(&api, &id, "rejected");
        assert_eq!(shown["next_at"], Value::Null, "{shown}");
        let log = server.log();
        assert!(
            log.contains(&format!("wrong-{status}")) && log.contains(&format!("trace-{status}")),
            "{status}: {log}"
        );
    }
    assert!(wns.pushes("elsewhere").is_empty(), "no redirect is followed");
    for (word, outcome) in [("dropped", "dropped"), ("channelThrottled", "throttled")] {
        let (_, id) = ready(&server, &wns, word);
        wns.answer(word, Answer::status(200).header("X-WNS-NotificationStatus", word));
        sync(&api, &id);
        assert_eq!(until(&api, &id, outcome)["next_at"], Value::Null, "the device's own schedule does the rest");
    }
}

#[test]
fn without_a_token_nobody_is_pushed_to() {
    let wns = Wns::start();
    wns.give_no_tokens(400);
    let server = server_with(&wns, &[]);
    let (_, id) = ready(&server, &wns, "one");
    let api = server.api();
    sync(&api, &id);
    let shown = until(&api, &id, "no_token");
    assert_eq!(shown["detail"], "the token server answered 400 (invalid_client)");
    assert!(shown["next_at"].is_string(), "{shown}");
    assert!(wns.all_pushes().is_empty());
    assert!(!server.log().contains("geheim"), "{}", server.log());
}

/// A server in this process that pushes to that stand-in.
fn timed_with(wns: &Wns) -> Timed {
    let settings = wns.settings();
    let literals: Vec<_> = settings.iter().map(|(key, value)| (*key, literal(value))).collect();
    let keys: Vec<_> = literals.iter().map(|(key, value)| (*key, value.as_str())).collect();
    Timed::configured(&keys)
}

/// A value as TOML writes it; lists are written so already.
fn literal(value: &str) -> String {
    if value.starts_with('[') { value.to_owned() } else { toml::Value::from(value).to_string() }
}

// covers: M-124
#[test]
fn pushes_to_one_device_keep_their_distance() {
    let wns = Wns::start();
    let timed = timed_with(&wns);
    let api = timed.server.api();
    let (mut device, id) = ready(&timed.server, &wns, "often");
    (0..3).for_each(|_| drop(sync(&api, &id)));
    until(&api, &id, "received");
    (0..3).for_each(|_| drop(sync(&api, &id)));
    let due = push(&api, &id)["next_at"].clone();
    assert!(due.is_string(), "what comes within five minutes waits");
    timed.pass(5 * MINUTE - 1);
    assert_eq!(push(&api, &id)["next_at"], due);
    assert_eq!(wns.pushes("often").len(), 1, "one push in five minutes");
    timed.pass(1);
    wns.answer("often", Answer::status(406));
    wns.wait_for("often", 2);
    until(&api, &id, "throttled");
    for _ in 0..2 {
        timed.pass(7 * MINUTE);
        sync(&api, &id);
        assert!(push(&api, &id)["next_at"].is_string(), "M-124: back-off of a quarter of an hour");
    }
    assert_eq!(wns.pushes("often").len(), 2, "M-124");
    timed.pass(MINUTE);
    wns.wait_for("often", 3);
    until(&api, &id, "received");
    device.check_in();
}

#[test]
fn what_is_due_survives_a_restart() {
    let wns = Wns::start();
    let mut timed = timed_with(&wns);
    let (_, id) = ready(&timed.server, &wns, "later");
    wns.answer("later", Answer::status(503).header("Retry-After", "600"));
    sync(&timed.server.api(), &id);
    until(&timed.server.api(), &id, "unavailable");
    let later = crate::support::now() + time::Duration::minutes(11);
    timed.restart_at(later, false).unwrap();
    wns.wait_for("later", 2);
    until(&timed.server.api(), &id, "received");
}

//
#[test]
fn a_push_that_was_on_its_way_when_the_server_died_is_sent_once_more() {
    let wns = Wns::start();
    let mut server = server_with(&wns, &[]);
    let (_, id) = ready(&server, &wns, "held");
    wns.answer("held", Answer::status(200).held());
    sync(&server.api(), &id);
    wns.wait_for("held", 1);
    server.restart();
    wns.release();
    wns.wait_for("held", 2);
    until(&server.api(), &id, "received");
}

//
#[test]
fn of_several_nodes_one_pushes_and_another_takes_over() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let wns = Wns::start();
    let environment = wns.environment();
    let overrides: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut nodes = Nodes::start(2, &overrides);
    let names: Vec<String> = (0..8).map(|number| format!("node-{number}")).collect();
    let ids: Vec<String> = names.iter().map(|name| ready(nodes.any(), &wns, name).1).collect();
    let api = nodes.any().api();
    ids.iter().for_each(|id| drop(sync(&api, id)));
    for (name, id) in names.iter().zip(&ids) {
        until(&api, id, "received");
        assert_eq!(wns.pushes(name).len(), 1, "R-11: one push, whichever node took the order");
    }
    let more: Vec<(String, String)> = (0..2)
        .map(|number| {
            let name = format!("late-{number}");
            let id = ready(nodes.any(), &wns, &name).1;
            (name, id)
        })
        .collect();
    nodes.servers[0].kill9();
    more.iter().for_each(|(_, id)| drop(sync(&api, id)));
    for (name, id) in &more {
        until(&api, id, "received");
        assert_eq!(wns.pushes(name).len(), 1, "R-11: the living node pushes");
    }
}

#[test]
fn the_command_line_wakes_a_device_and_shows_how_it_went() {
    let wns = Wns::start();
    let server = server_with(&wns, &[]);
    let (_, id) = ready(&server, &wns, "cli");
    let run = |line: &[&str]| {
        let output = muster().args(line).env("MUSTER_DATA", server.data()).output().unwrap();
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["device", "sync", &id]);
    until(&server.api(), &id, "received");
    let shown = run(&["device", "show", &id]);
    let line = shown.lines().find(|line| line.starts_with("push")).unwrap_or_else(|| panic!("{shown}"));
    assert!(
        line.contains("channel at localhost; registered; last push ") && line.ends_with("received, connected"),
        "{line}"
    );
    let mut check = muster();
    check.envs(wns.environment());
    let told = check.args(["check-config", "--data"]).arg(server.data()).output().unwrap();
    assert!(told.status.success());
    assert!(!format!("{told:?}").contains("geheim"), "{told:?}");
    let told = check.env("MUSTER__WNS__CA_FILE", "nowhere.pem").output().unwrap();
    assert!(!told.status.success() && format!("{told:?}").contains("nowhere.pem"), "{told:?}");
}

// covers: S-15
#[test]
fn no_address_that_a_device_or_a_caller_names_is_fetched() {
    let canary = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    canary.set_nonblocking(true).unwrap();
    let port = canary.local_addr().unwrap().port();
    let wns = Wns::start();
    let server = server_with(&wns, &[]);
    let api = server.api();
    let named = [
        format!("https://localhost:{port}/"),
        format!("http://127.0.0.1:{port}/?x=.notify.windows.com"),
        format!("https://a.notify.windows.com@localhost:{port}/"),
        format!("https://localhost:{port}#.notify.windows.com"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://localhost%3a{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    for url in &named {
        let user = api.add_user();
        let mut profile = Profile::new();
        profile.device_name = url.chars().take(60).collect();
        let mut device = FakeDevice::enroll(&server, &user, profile);
        device.csp.set(&node("ChannelURI"), "chr", url);
        for uri in ["./DevDetail/Ext/Microsoft/DeviceName", "./DevDetail/OEM", "./Vendor/MSFT/DMClient/HWDevID"] {
            device.csp.set(uri, "chr", url);
        }
        let mut message = device.package_one();
        message.typed_alert(1226, url, "chr", url);
        let first = device.exchange(&message);
        device.finish(first);
        device.check_in();
        let id = device.id(&server);
        let reason = json!({"type": "sync", "reason": url});
        api.act(&id, &reason);
        let request = Request::post(
            &format!("/devices/{id}/commands?unchecked=true"),
            format!(
                "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/Url</LocURI></Target><Data>{}</Data></Item></Replace>",
                crate::support::escape(url)
            ),
        );
        api.send(request.header("Content-Type", "application/vnd.syncml.dm+xml")).expect_status("S-15", 202);
        device.check_in();
        assert_eq!(push(&api, &id)["channel_host"], Value::Null, "S-15: {url}");
    }
    // A device behind them is woken, so those before would have been.
    let (_, id) = ready(&server, &wns, "good");
    sync(&api, &id);
    wns.wait_for("good", 1);
    assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "S-15: somebody called");
    assert_eq!(wns.all_pushes().len(), 1);
}
