//! Captured sessions of other servers: ours in their shape, and genuine ones where there are any.

use muster::proto::syncml::{Element, StatusCode};
use muster::replay::{Engine, Kind, replay};

use crate::replay::{Scratch, faulty, lines, run, with_engine};
use crate::support::captures::{Capture, all};

/// A dump of what a device and another server said, written by us.
fn dump() -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/http-dump.txt");
    std::fs::read(path).unwrap()
}

fn wrong_code(index: usize) -> impl Fn(&muster::session::Input) -> muster::session::Output {
    faulty(move |message| {
        if let Some(Element::Status(status)) = message.body.get_mut(index) {
            status.code = StatusCode(404);
        }
    })
}

#[test]
fn a_dump_of_another_server_is_answered_as_the_protocol_wants() {
    let report = replay(&dump(), &Engine::THIS_BUILD).unwrap();
    assert_eq!((report.kind, lines(&report)), (Kind::Capture, Vec::new()));
    assert_eq!((report.messages.len(), report.compared()), (4, 4));
    let numbers: Vec<_> = report.messages.iter().map(|each| (each.number, each.line.unwrap())).collect();
    assert_eq!(numbers.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3, 5, 7]);
    let found = lines(&with_engine(&dump(), &wrong_code(1)));
    assert_eq!(
        found,
        ["message 1: SyncBody/Status[2]/Data: 200 -> 404", "message 7: SyncBody/Status[2]/Data: 200 -> 404"],
        "where there is a second Status at all"
    );
    let dropped = faulty(|message| {
        message.body.truncate(1);
    });
    let found = lines(&with_engine(&dump(), &dropped));
    assert!(found[0].starts_with("message 1: SyncBody/Status[2]: ") && found[0].ends_with("-> nothing"), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("message 7: SyncBody/Status[3]: ")), "{found:?}");
    let other_id = faulty(|message| message.header.session_id.0.push('0'));
    let found = lines(&with_engine(&dump(), &other_id));
    assert_eq!(found[0], "message 1: SyncHdr/SessionID: 9C -> 9C0");
}

/// What the other server answered counts too: its statuses, not what it wanted of the device.
#[test]
fn statuses_that_were_captured_are_compared() {
    let text = String::from_utf8(dump()).unwrap();
    let other = text.replacen("<Cmd>Replace</Cmd><Data>200</Data>", "<Cmd>Replace</Cmd><Data>500</Data>", 1);
    assert_ne!(text, other);
    let file = Scratch::new(other.as_bytes());
    let (code, out, err) = run(&file.path(), &[]);
    assert_eq!((code, err.as_str()), (1, "muster: 1 difference\n"), "{out}");
    let expected = "message 1 (MsgID 1, line 9): SyncBody/Status[4]/Data: captured, or by the rules, 500, now 200\n";
    assert!(out.contains(expected), "{out}");
}

/// Captures of messages of the management protocol that a device sent.
fn messages() -> Vec<Capture> {
    let captures = all().unwrap_or_default();
    captures.into_iter().filter(|each| each.from_device && each.kind.starts_with("syncml-")).collect()
}

#[test]
fn genuine_captures_are_answered_as_the_protocol_wants() {
    for capture in messages() {
        let file = Scratch::new(&capture.bytes);
        let (code, out, err) = run(&file.path(), &[]);
        assert_eq!(code, 0, "{}: {out}{err}", capture.file);
        assert!(out.contains("capture: 1 message, 1 compared, 0 differences"), "{}: {out}", capture.file);
        let found = lines(&with_engine(&capture.bytes, &wrong_code(0)));
        assert!(found.len() == 1 && found[0].contains("/Data: 200 -> 404"), "{}: {found:?}", capture.file);
    }
}

/// Messages of one session in files of their own, put together as they went over the wire.
#[test]
fn a_genuine_exchange_is_answered_as_the_protocol_wants() {
    let captures = all().unwrap_or_default();
    let text = |name: &str| captures.iter().find(|each| each.file == name).map(Capture::text);
    let parts = [
        ["spec-mdm-4-sample-a.xml", "spec-mdm-4-sample-b.xml", "spec-mdm-4-sample-c.xml"].as_slice(),
        &["win10-19043-package1-user.xml", "win10-19043-status-202.xml"],
        &["win11-26200-namespace11-server-response.xml", "win11-26200-namespace11-results.xml"],
    ];
    for names in parts {
        let Some(texts) = names.iter().map(|name| text(name)).collect::<Option<Vec<_>>>() else { continue };
        let whole = texts.join("\r\n\r\n");
        let report = replay(whole.as_bytes(), &Engine::THIS_BUILD).unwrap();
        assert_eq!(lines(&report), Vec::<String>::new(), "{names:?}");
        assert!(report.compared() >= 1, "{names:?}");
        let found = lines(&with_engine(whole.as_bytes(), &wrong_code(0)));
        assert!(found[0].contains("/Data: 200 -> 404"), "{names:?}: {found:?}");
    }
}
