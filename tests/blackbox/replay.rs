//! The flight recorder: what a session document holds of each message, and `muster session replay`.

mod captures;
mod hostile;
mod scenarios;

use std::path::{Path, PathBuf};

use muster::replay::{Engine, Kind, Report, replay};
use muster::session::{Answer, Input, Output, classify, respond};
use scenarios::{KEPT, recorded};
use serde_json::Value;

use crate::support::device::FakeDevice;
use crate::support::server::{Server, muster};
use crate::support::wbxml;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// Runs `muster session replay`; returns exit code, standard output and standard error. There is no server.
fn run(file: &Path, more: &[&str]) -> (i32, String, String) {
    let output = muster().args(["session", "replay"]).arg(file).args(more).output().expect("muster starts");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A file of that content, in a folder of its own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: &[u8]) -> Self {
        let folder =
            std::env::temp_dir().join(format!("muster-replay-{}-{}", std::process::id(), crate::support::unique()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), content).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("file")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The differences of a replay in this process, as lines.
fn lines(report: &Report) -> Vec<String> {
    let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    let told = report.differences().map(|(number, each)| {
        format!("message {number}: {}: {} -> {}", each.path, side(&each.recorded), side(&each.now))
    });
    told.collect()
}

fn with_engine(bytes: &[u8], respond: &dyn Fn(&Input) -> Output) -> Report {
    replay(bytes, &Engine { respond, ..Engine::THIS_BUILD }).unwrap()
}

/// An engine with a fault: what it answers is changed.
fn faulty(change: impl Fn(&mut muster::proto::syncml::Message)) -> impl Fn(&Input) -> Output {
    move |input| {
        let mut output = respond(input);
        if let Answer::Reply(message) = &mut output.answer {
            change(message);
        }
        output
    }
}

fn recordings() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let kept = KEPT.iter().map(|(name, _)| (*name).to_owned());
    kept.map(|name| (name.clone(), std::fs::read(folder.join(format!("{name}.json"))).unwrap())).collect()
}

#[test]
// covers: M-63, M-64, M-17
fn a_recording_holds_what_came_again_and_what_was_refused() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let (id, api) = (device.id(server), server.api());
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
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let (id, api) = (device.id(server), server.api());
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

/// Whatever was recorded by this build is answered by this build as it was.
#[test]
fn what_was_recorded_is_answered_as_it_was() {
    for (name, scenario) in KEPT {
        // A few commands are a list already.
        let server = Server::start_with(&[("MUSTER__LIMITS__REPLY_COMMANDS", "10")]);
        check(name, &scenario(&server));
    }
    let server = Server::start_with(&[("MUSTER__DEVICE_AUTH__DIGEST", "without_certificate")]);
    check("by-digest", &scenarios::by_digest(&server));
}

/// Replays a session, and keeps it where `MUSTER_KEEP_RECORDINGS` is set.
#[track_caller]
fn check(name: &str, session: &Value) {
    let text = serde_json::to_string_pretty(session).unwrap() + "\n";
    let file = Scratch::new(text.as_bytes());
    let (code, out, err) = run(&file.path(), &[]);
    assert_eq!(code, 0, "{name}: {out}{err}");
    let devices = session["messages"].as_array().unwrap().iter().filter(|each| each["direction"] == "device").count();
    assert!(
        out.contains(&format!("recording: {devices} messages, ")) && out.ends_with(", 0 differences\n"),
        "{name}: {out}"
    );
    let is_kept = KEPT.iter().any(|(kept, _)| *kept == name);
    if is_kept && std::env::var_os("MUSTER_KEEP_RECORDINGS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
    }
}

#[test]
fn recordings_are_answered_as_they_were() {
    for (name, bytes) in recordings() {
        let report = replay(&bytes, &Engine::THIS_BUILD).unwrap();
        assert_eq!((report.kind, lines(&report)), (Kind::Recording, Vec::new()), "{name}");
        assert!(report.compared() >= 1, "{name}");
    }
}

/// A change anywhere in the engine is shown at its element.
#[test]
fn a_change_is_shown_at_the_right_element() {
    use muster::proto::syncml::{Element, StatusCode};

    let recordings: std::collections::HashMap<String, Vec<u8>> = recordings().into_iter().collect();
    let wrong_status = faulty(|message| {
        if let Some(Element::Status(status)) = message.body.get_mut(1) {
            status.code = StatusCode(404);
        }
    });
    let found = lines(&with_engine(&recordings["wbxml"], &wrong_status));
    assert_eq!(found, ["message 1: SyncBody/Status[2]/Data: 200 -> 404"]);
    let no_final = faulty(|message| message.is_final = false);
    let found = lines(&with_engine(&recordings["leaving"], &no_final));
    assert_eq!(found, ["message 1: SyncBody/Final: Final -> nothing"]);
    let other_source = faulty(|message| message.header.target.push('x'));
    let found = lines(&with_engine(&recordings["first-session"], &other_source));
    assert!(found[0].starts_with("message 1: SyncHdr/Target/LocURI: "), "{found:?}");
    let other_verb = faulty(|message| {
        for element in &mut message.body {
            if let Element::Command(command) = element {
                command.items[0].data = command.items[0].data.take().map(|_| muster::proto::syncml::Data::new("short"));
            }
        }
    });
    let found = lines(&with_engine(&recordings["secret-values"], &other_verb));
    assert!(found.iter().all(|line| line.ends_with("-> short") && line.contains("/Data: [redacted ")), "{found:?}");
    let fewer = |input: &Input| {
        let mut input = input.clone();
        input.limits.reply_commands = 5;
        respond(&input)
    };
    let found = lines(&with_engine(&recordings["list-in-portions"], &fewer));
    assert!(found[0].starts_with("message 1: SyncBody/Replace[6]: CmdID "), "{found:?}");
}

/// So is an engine that fails altogether.
#[test]
fn an_engine_that_breaks_off_is_a_finding() {
    let recording = recordings().into_iter().find(|(name, _)| name == "wbxml").unwrap().1;
    let broken = |input: &Input| if input.message.header.msg_id.0 == 2 { panic!("a fault") } else { respond(input) };
    let found = lines(&with_engine(&recording, &broken));
    assert_eq!(found, ["message 2: (answer): an answer -> the engine broke off"]);
}

/// So is a change of what a message is taken for.
#[test]
fn a_change_of_the_order_of_messages_is_shown() {
    use muster::session::Incoming;

    let bytes = recordings().into_iter().find(|(name, _)| name == "repeated-and-refused").unwrap().1;
    let forgetful = |conversation: &muster::session::Conversation,
                     message: &muster::proto::syncml::Message,
                     digest: &[u8; 32],
                     own: bool,
                     now: time::OffsetDateTime| {
        match classify(conversation, message, digest, own, now) {
            Incoming::Replay(_) | Incoming::Reject(_) => Incoming::Continue { gap: false },
            other => other,
        }
    };
    let report = replay(&bytes, &Engine { classify: &forgetful, ..Engine::THIS_BUILD }).unwrap();
    let again = "(what the message is): the message before, once more -> the next of the session";
    let found = lines(&report);
    assert_eq!(found[..2], [format!("message 4: {again}"), format!("message 5: {again}")], "{found:?}");
    assert!(found[2].starts_with("message 6: (what the message is): refused: the same MsgID"), "{found:?}");
    assert!(found[3].starts_with("message 6: (HTTP status): 400: ") && found[3].ends_with("-> 200"), "{found:?}");
}

#[test]
fn the_command_tells_what_differs_and_ends_with_1() {
    let bytes = recordings().into_iter().find(|(name, _)| name == "wbxml").unwrap().1;
    let text = String::from_utf8(bytes).unwrap();
    let changed = text.replacen("<Cmd>Replace</Cmd><Data>200</Data>", "<Cmd>Replace</Cmd><Data>404</Data>", 1);
    assert_ne!(text, changed);
    let file = Scratch::new(changed.as_bytes());
    let (code, out, err) = run(&file.path(), &[]);
    assert_eq!((code, err.as_str()), (1, "muster: 1 difference\n"), "{out}");
    assert!(
        out.contains("/Data: recorded 404, now 200\n") && out.contains("message 1 (MsgID 1): SyncBody/Status["),
        "{out}"
    );
    assert!(out.contains("message 2 (MsgID 2): same\n") && out.ends_with("compared, 1 difference\n"), "{out}");
    let (code, out, _) = run(&file.path(), &["--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["differences"], &told["kind"]), (1, &Value::from(1), &Value::from("recording")));
    assert_eq!(told["messages"][0]["differences"][0]["recorded"], "404", "{told}");
    assert_eq!(
        (&told["messages"][1]["outcome"], &told["messages"][1]["msg_id"]),
        (&"same".into(), &2.into()),
        "{told}"
    );
}

/// What cannot be compared is said to be so, and is no difference; where nothing can be, that is an error.
#[test]
fn what_cannot_be_compared_is_said_to_be_so() {
    let bytes = recordings().into_iter().find(|(name, _)| name == "wbxml").unwrap().1;
    let recording: Value = serde_json::from_slice(&bytes).unwrap();
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 5] = [
        (|messages| messages[0]["given"] = Value::Null, "what was given with it was not kept"),
        (
            |messages| drop(messages[0]["given"].as_object_mut().unwrap().remove("enrollment")),
            "what was given with it is not of this version: missing field `enrollment`",
        ),
        (
            |messages| messages[0]["body"] = "<SyncML>\n[cut here: the message goes on for 9 bytes]".into(),
            "it is longer than what is kept of a message",
        ),
        (
            |messages| messages[1]["body"] = "<SyncML>\n[cut here: the message goes on for 9 bytes]".into(),
            "its answer is longer than what is kept of a message",
        ),
        (|messages| drop(messages.as_array_mut().unwrap().remove(1)), "its answer was not recorded"),
    ];
    for (change, reason) in cases {
        let mut changed = recording.clone();
        change(&mut changed["messages"]);
        let file = Scratch::new(changed.to_string().as_bytes());
        let (code, out, err) = run(&file.path(), &[]);
        assert_eq!((code, err.as_str()), (0, ""), "{reason}: {out}");
        let first = out.lines().next().unwrap();
        assert!(first.starts_with("message 1") && first.contains(&format!(": not compared: {reason}")), "{out}");
        assert!(out.ends_with("recording: 2 messages, 1 compared, 0 differences\n"), "{out}");
    }
    let mut nothing = recording.clone();
    for message in nothing["messages"].as_array_mut().unwrap() {
        message["given"] = Value::Null;
    }
    let file = Scratch::new(nothing.to_string().as_bytes());
    let (code, out, err) = run(&file.path(), &[]);
    assert_eq!((code, err.lines().count()), (2, 1), "{out}{err}");
    assert!(err.ends_with("nothing in it can be compared\n"), "{err}");
}
