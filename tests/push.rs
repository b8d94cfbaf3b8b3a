//! Push (WNS): what is asked of devices, and what comes of what they say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use serde_json::Value;
use support::api::Api;
use support::csp::Answer;
use support::device::{FakeDevice, Profile};
use support::reply::Reply;
use support::server::Server;

const PFN: &str = "12345Example.Muster_1a2b3c4d5e6f7";
const APP: [(&str, &str); 3] = [
    ("MUSTER__WNS__PFN", PFN),
    ("MUSTER__WNS__PACKAGE_SID", "ms-app://s-1-15-2-1111-2222"),
    ("MUSTER__WNS__CLIENT_SECRET", "geheim-4711"),
];

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
    refuses.csp.rule("Add", "/Push/PFN", Answer::Status(405));
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
