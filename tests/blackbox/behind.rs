//! What a check-in costs the disk: a session that finds no work is written behind its answers, and a crash may lose it; what
//! has to last is committed before it is answered.

use crate::support::device::FakeDevice;
use crate::support::eventually;
use crate::support::server::Server;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// A server of its own that shows its metrics, and a device with nothing waiting.
fn settled() -> (Server, FakeDevice, String) {
    let server = Server::start_with(&[("MUSTER__OPS__LISTEN", "127.0.0.1:0")]);
    let (device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    (server, device, id)
}

/// Commits of that kind so far.
fn commits(server: &Server, kind: &str) -> u64 {
    let text = server.operators("/metrics");
    let name = format!("muster_store_commits_total{{kind=\"{kind}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[test]
fn a_session_without_work_is_answered_without_a_commit() {
    let (server, mut device, id) = settled();
    let api = server.api();
    let (before, sessions) = (commits(&server, "message"), api.session_count(&id));
    for _ in 0..5 {
        assert!(device.check_in().is_quiet());
    }
    assert_eq!(commits(&server, "message"), before, "nobody waited for the disk");
    let shown = api.sessions(&id);
    assert_eq!(shown.len(), sessions + 5, "whoever asks sees them");
    assert!(shown.iter().all(|session| session["state"] == "completed"), "{shown:?}");
    assert!(shown.iter().all(|session| !session["messages"].as_array().unwrap().is_empty()), "{shown:?}");
    assert_eq!(commits(&server, "message"), before);
}

#[test]
fn what_waits_is_written_by_itself_and_told() {
    let (server, mut device, id) = settled();
    let sessions = server.api().session_count(&id);
    let before = commits(&server, "behind");
    assert!(device.check_in().is_quiet());
    eventually("it is written though nobody asks for it", || (commits(&server, "behind") > before).then_some(()));
    let told = |event: &&serde_json::Value| event["type"] == "muster.device.checkin" && event["subject"] == id.as_str();
    eventually("every session is told", || {
        (server.api().events().iter().filter(told).count() > sessions).then_some(())
    });
}

#[test]
fn commands_are_committed_before_they_are_sent_and_with_their_answers() {
    let (server, mut device, id) = settled();
    let api = server.api();
    let command = api.command(&id, GET);
    let before = commits(&server, "message");
    let reply = device.start_session();
    reply.expect("Get", "/HwV");
    assert_eq!(commits(&server, "message"), before + 1, "before it is sent");
    device.finish(reply);
    assert_eq!(commits(&server, "message"), before + 2, "with its answer");
    assert_eq!(api.command_state(&command), "succeeded");
}

#[test]
fn what_a_device_tells_about_itself_is_written_when_it_is_something_else() {
    let (server, mut device, id) = settled();
    let api = server.api();
    let with_language = |device: &mut FakeDevice, language: &str| {
        let mut message = device.open();
        message.alert(1201);
        let told: Vec<(&str, String)> =
            device.dev_info().map(|(node, value)| (node, value.to_owned())).into_iter().collect();
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|(node, value)| (*node, if node.ends_with("/Lang") { language } else { value.as_str() }))
            .collect();
        message.dev_info(&told);
        device.exchange(&message);
    };
    let language = || {
        let shown = api.device(&id)["inventory"].clone();
        let found = shown.as_object().unwrap().iter().find(|(node, _)| node.eq_ignore_ascii_case("./DevInfo/Lang"));
        found.map(|(_, item)| item["value"].clone()).unwrap()
    };
    for (value, writes) in [("fr-FR", 1), ("fr-FR", 0), ("de-DE", 1), ("fr-FR", 1), ("fr-FR", 0)] {
        let before = commits(&server, "message");
        with_language(&mut device, value);
        assert_eq!(commits(&server, "message") - before, writes, "{value}");
        assert_eq!(language(), value);
    }
}

/// A crash loses sessions that changed nothing, and nothing else; the device is served as before.
#[test]
fn a_crash_loses_only_what_may_be_lost() {
    let (mut server, mut device, id) = settled();
    let command = server.api().command(&id, GET);
    let reply = device.start_session();
    reply.expect("Get", "/HwV");
    device.finish(reply);
    let sessions = server.api().session_count(&id);
    let later = server.api().command(&id, &GET.replace("HwV", "FwV"));
    // A message that changes nothing: its user commands wait, and it goes on in no session.
    let mut late = device.open_as("7777");
    late.msg_id = "5".to_owned();
    late.header_status("4", 200);
    let response = device.post(late.xml());
    assert_eq!(response.status, 200);
    server.restart();
    device.follow(&server);
    let api = server.api();
    assert_eq!(api.command_state(&command), "succeeded");
    assert_eq!(api.command_state(&later), "queued");
    assert!(api.session_count(&id) >= sessions, "sessions that did something stay");
    let visit = device.check_in();
    assert!(visit.find("Get", "/FwV").is_some());
    assert_eq!(api.command_state(&later), "succeeded");
}

// covers: M-63
#[test]
fn a_repeated_message_of_a_session_without_work_is_answered() {
    let (mut server, mut device, id) = settled();
    let message = device.package_one().xml();
    let first = device.post(message.clone());
    let again = device.post(message.clone());
    assert_eq!((again.status, &again.body), (200, &first.body), "the same bytes");
    let sessions = server.api().session_count(&id);
    assert_eq!(server.api().sessions(&id).len(), sessions);
    server.restart();
    device.follow(&server);
    let another = device.package_one().xml();
    assert_eq!(device.post(another).status, 200);
    // The answer of before is gone with the process: what is repeated begins anew, and orders nothing twice.
    let repeated = device.post(message);
    assert_eq!(repeated.status, 200, "{}", repeated.text());
}

// covers: M-63
#[test]
fn what_was_told_is_not_told_twice_after_a_crash() {
    let (mut server, mut device, id) = settled();
    let mut message = device.package_one();
    message.typed_alert(1226, "com.example:told", "int", "1");
    let message = message.xml();
    let first = device.post(message.clone());
    assert_eq!(first.status, 200);
    server.restart();
    device.follow(&server);
    let again = device.post(message);
    assert_eq!((again.status, &again.body), (200, &first.body), "the same bytes");
    let api = server.api();
    let told = |event: &&serde_json::Value| event["type"] == "muster.alert.received" && event["subject"] == id.as_str();
    let told =
        eventually("the alert is told", || Some(api.events().iter().filter(told).count()).filter(|count| *count > 0));
    assert_eq!(told, 1);
}

#[test]
fn a_server_that_is_asked_to_end_loses_nothing() {
    let (mut server, mut device, id) = settled();
    let sessions = server.api().session_count(&id);
    for _ in 0..3 {
        assert!(device.check_in().is_quiet());
    }
    server.terminate();
    server.restart();
    assert_eq!(server.api().session_count(&id), sessions + 3);
}

/// A session of several messages is stored with each of them.
#[test]
fn messages_of_a_session_find_each_other() {
    let (server, mut device, id) = settled();
    let mut message = device.open();
    message.alert(1201);
    message.dev_info(&device.dev_info());
    message.is_final = false;
    let before = commits(&server, "message");
    let reply = device.exchange(&message);
    assert_eq!(commits(&server, "message"), before + 1, "a session that goes on is shared");
    let next = device.next_message(&reply);
    let reply = device.exchange(&next);
    assert!(reply.flat().is_empty(), "{}", reply.xml);
    assert_eq!(commits(&server, "message"), before + 2, "and so is its end");
    let shown = server.api().sessions(&id);
    let last = shown.iter().max_by_key(|session| session["opened_at"].as_str().unwrap().to_owned()).unwrap();
    assert_eq!((&last["state"], last["messages"].as_array().unwrap().len()), (&"completed".into(), 4), "{last}");
}
