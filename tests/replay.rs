//! Recordings: what a session document holds of each message, and `muster session replay`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use serde_json::Value;
use support::api::Api;
use support::device::FakeDevice;
use support::server::Server;
use support::wbxml;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// A device with nothing waiting, its id, and the API.
fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

/// The newest session of a device, once as many messages of both sides are written.
#[track_caller]
fn recorded(api: &Api, device: &str, messages: usize) -> Value {
    support::eventually("the transcript is written", || {
        let sessions = api.list(&format!("/sessions?device={device}"));
        let session = api.get(&format!("/sessions/{}", sessions.first()?["id"].as_str()?));
        (session["messages"].as_array()?.len() >= messages).then_some(session)
    })
}

#[test]
// covers: M-63, M-64, M-17
fn a_recording_holds_what_came_again_and_what_was_refused() {
    let (mut device, id, api) = settled();
    api.command(&id, GET);
    let first = device.start_session();
    device.wbxml = Some(wbxml::MEDIA_TYPE);
    let second = device.answer(&first).xml();
    let answered = device.post(second.clone());
    device.judge(&second, &answered);
    device.post(second.clone()).expect_status("M-63", 200);
    device.wbxml = None;
    device.post(second).expect_status("M-64: the same MsgID in other bytes", 400);
    let session = recorded(&api, &id, 8);
    let field = |name: &str| -> Vec<Value> {
        session["messages"].as_array().unwrap().iter().map(|message| message[name].clone()).collect()
    };
    assert_eq!(field("direction"), ["device", "server"].repeat(4));
    assert_eq!(field("encoding"), ["xml", "xml", "wbxml", "wbxml", "wbxml", "wbxml", "xml", "xml"]);
    let statuses: Vec<Option<u64>> = field("status").iter().map(Value::as_u64).collect();
    assert_eq!(statuses, [None, Some(200), None, Some(200), None, Some(200), None, Some(400)]);
    let bodies: Vec<String> = field("body").iter().map(|body| body.as_str().unwrap().to_owned()).collect();
    assert!(bodies[4].starts_with("[the same message again, ") && bodies[5].starts_with("[the stored answer again, "));
    assert!(bodies[6].starts_with("<SyncML") && bodies[7].contains("MsgID"), "{bodies:?}");
    let is_given: Vec<bool> = field("given").iter().map(Value::is_object).collect();
    assert_eq!(is_given, [true, false, true, false, false, false, true, false]);
}

#[test]
// covers: M-17
fn a_recording_holds_that_a_message_was_unreadable_and_nothing_of_it() {
    let (mut device, id, api) = settled();
    api.command(&id, GET);
    let first = device.start_session();
    device.post("<SyncML>not-to-be-kept").expect_status("M-17", 400);
    let session = recorded(&api, &id, 4);
    assert_eq!(session["messages"][2]["body"], "[unreadable, 22 bytes]");
    assert_eq!(session["messages"][3]["status"], 400);
    assert!(session["messages"][3]["body"].as_str().unwrap().contains("not well-formed"), "{session}");
    assert!(!session.to_string().contains("not-to-be-kept"), "{session}");
    device.finish(first);
}
