//! Where the tokens of users must not be: in logs, transcripts, events, documents, files.

use std::fs;

use serde_json::Value;

use crate::device_auth::entra::{claims, connected, token};
use crate::support::database::{self, files_below};
use crate::support::device::FakeDevice;
use crate::support::keys::Key;
use crate::support::syncml::Message;
use crate::support::wbxml;

/// A way in which a message with a token is sent, and the status that it gets.
type Way = fn(&mut FakeDevice, Message) -> u16;

/// The types under which Windows hands over tokens, in spellings that were seen or could be.
const KINDS: [&str; 4] = [
    "com.microsoft/MDM/AADUserToken",
    "com.microsoft/mdm/aadusertoken",
    "Reversed-Domain-Name:com.microsoft/MDM/AADUserToken",
    "com.microsoft/MDM/AADDeviceToken",
];

fn post(device: &FakeDevice, body: impl Into<Vec<u8>>) -> u16 {
    device.post(body).status
}

const WAYS: [(&str, Way, u16); 7] = [
    ("as it is", |device, message| post(device, message.xml()), 200),
    (
        "twice",
        |device, message| {
            post(device, message.xml());
            post(device, message.xml())
        },
        200,
    ),
    (
        "in WBXML",
        |device, message| {
            device.wbxml = Some(wbxml::MEDIA_TYPE);
            let status = post(device, message.xml());
            device.wbxml = None;
            status
        },
        200,
    ),
    ("cut short", |device, message| post(device, message.xml().replace("</SyncML>", "")), 400),
    ("without MsgID", |device, message| post(device, message.xml().replace("<MsgID>1</MsgID>", "<MsgID/>")), 400),
    (
        "too long to be taken",
        |device, message| {
            let much = "<Alert><CmdID>9</CmdID><Data>1224</Data></Alert>".repeat(5_001);
            post(device, message.xml().replace("<Final", &format!("{much}<Final")))
        },
        400,
    ),
    (
        "in another body of that number",
        |device, message| {
            let second = Message { msg_id: "2".to_owned(), ..message };
            post(device, second.xml());
            post(device, second.xml().replace("<Final", " <Final"))
        },
        400,
    ),
];

// covers: M-107, M-146
#[test]
fn tokens_in_alerts_are_written_nowhere_however_much_is_logged() {
    let key = Key::generate();
    let mut server = connected(&key);
    let good = token(&key, "k1", &claims());
    let forged = "eyJhbGciOiJub25lIn0.dG9rZW4tb2YtZ3JhY2UtaG9wcGVy.c2lnbmF0dXJlLW9mLWdyYWNl".to_owned();
    for format in ["text", "json"] {
        server.restart_under(&[("MUSTER__LOG__LEVEL", "trace"), ("MUSTER__LOG__FORMAT", format)]);
        let (mut device, _) = FakeDevice::settled(&server);
        for secret in [&good, &forged] {
            for (name, way, status) in WAYS {
                let mut message = device.package_one();
                for (index, kind) in KINDS.iter().enumerate() {
                    message.typed_alert(if index == 1 { 1226 } else { 1224 }, kind, "", secret);
                }
                device.headers = vec![("Authorization".to_owned(), format!("Bearer {secret}"))];
                assert_eq!(way(&mut device, message), status, "{name}");
            }
        }
        device.headers.clear();
        device.check_in();
        let id = device.id(&server);
        let transcripts = crate::support::eventually("the transcripts are written", || {
            let sessions = server.api().sessions(&id);
            let newest = sessions.first()?["messages"].as_array()?.len();
            (newest > 0).then_some(sessions)
        });
        let shown = Value::from(transcripts).to_string();
        assert!(shown.contains("AADUserToken") && shown.contains("[redacted "), "the alerts are in the transcripts");
        assert!(server.log().contains("device message"), "what is logged of messages is there");
        for part in good.split('.').chain(forged.split('.')) {
            assert!(!server.log().contains(part), "M-107: the log, in {format}");
            assert!(!shown.contains(part), "M-107: a transcript");
            assert!(!database::holds(&server, part), "M-107: the database");
            let lists = ["/audit?limit=200", "/enrollment-attempts?limit=200", "/devices?limit=200"];
            let listed = lists.into_iter().map(|list| server.api().list(list)).chain([server.api().events()]);
            assert!(!Value::from_iter(listed.flatten()).to_string().contains(part), "M-107: the API");
            let files = files_below(&server.data()).into_iter().filter_map(|file| fs::read(file).ok());
            assert!(!files.into_iter().any(|bytes| database::contains(&bytes, part.as_bytes())), "M-107: a file");
        }
    }
}
