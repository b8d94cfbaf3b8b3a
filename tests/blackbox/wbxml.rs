//! Devices that write WBXML. What they send is written by libwbxml, and what they are answered is read by it.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::{self, FakeDevice};
use crate::support::server::Server;
use crate::support::wbxml;

const OTHER_MEDIA_TYPE: &str = "application/vnd.syncml+wbxml";

/// A device that writes WBXML, with nothing waiting, its id, and the API.
fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    device.wbxml = Some(wbxml::MEDIA_TYPE);
    let id = device.id(server);
    (device, id, server.api())
}

fn get(uri: &str) -> String {
    format!("<Get><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>")
}

fn replace(uri: &str, format: &str, data: &str) -> String {
    let meta = format!(r#"<Meta><Format xmlns="syncml:metinf">{format}</Format></Meta>"#);
    format!("<Replace><Item><Target><LocURI>{uri}</LocURI></Target>{meta}<Data>{data}</Data></Item></Replace>")
}

#[test]
// covers: M-03
fn wbxml_is_read_and_answered_in_kind() {
    let (mut device, id, api) = settled();
    for media_type in [wbxml::MEDIA_TYPE, OTHER_MEDIA_TYPE] {
        device.wbxml = Some(media_type);
        let command = api.command(&id, &get("./DevDetail/HwV"));
        // Every reply is checked by the reader of all replies, from the XML that libwbxml makes of it.
        device.check_in();
        assert_eq!(api.command_state(&command), "succeeded", "M-03: {media_type}");
        assert!(api.command_document(&command).to_string().contains("1.0"), "M-03: {media_type}");
    }
    let message = device.package_one();
    let mut request = device.request(wbxml::write(message.xml().as_bytes()));
    request.headers.retain(|(name, _)| name != "Content-Type");
    let request = request.header("Content-Type", "Application/vnd.SyncML.DM+wbxml; charset=UTF-8");
    let response = device.connect().send(&request).unwrap();
    device.judge(&message.xml(), &wbxml::in_xml(response, wbxml::MEDIA_TYPE));
}

#[test]
// covers: M-03
fn each_message_is_answered_in_its_own_form() {
    let (mut device, id, api) = settled();
    let command = api.command(&id, &get("./DevDetail/HwV"));
    let first = device.start_session();
    device.wbxml = None;
    let message = device.answer(&first);
    device.exchange(&message);
    assert_eq!(api.command_state(&command), "succeeded", "M-03: a session may go on in XML");
}

#[test]
// covers: M-03, M-63, S-16
fn a_retransmission_gets_the_same_bytes() {
    let (mut device, id, api) = settled();
    device.wbxml = Some(OTHER_MEDIA_TYPE);
    api.command(&id, &get("./DevDetail/HwV"));
    let first = device.start_session();
    let message = device.answer(&first);
    let bytes = wbxml::write(message.xml().as_bytes());
    let answers: Vec<_> = (0..2).map(|_| device.post_bytes(bytes.clone())).collect();
    for answer in &answers {
        answer.expect_status("M-63", 200);
        assert_eq!(answer.header("content-type"), Some(OTHER_MEDIA_TYPE), "M-63: in kind");
    }
    assert_eq!(answers[0].body, answers[1].body, "M-63: byte for byte");
    device.judge(&message.xml(), &wbxml::in_xml(answers[1].clone(), OTHER_MEDIA_TYPE));
}

#[test]
// covers: M-03, M-17, S-05
fn what_is_no_wbxml_is_400_and_touches_nothing() {
    let (mut device, id, api) = settled();
    let command = api.command(&id, &get("./DevDetail/HwV"));
    let first = device.start_session();
    let sessions = api.session_count(&id);
    let good = wbxml::write(device.answer(&first).xml().as_bytes());
    device.csp.done.clear();
    let damaged = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("the message has it");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let bad_index = damaged(b"\x5b\x03\x32\x00\x01", b"\x5b\x83\xff\x7f\x01");
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("cut", good[..good.len() - 1].to_vec(), "ends inside"),
        ("a bad table index", bad_index, "names no string of the string table, at byte"),
        ("a bad token", damaged(b"\x5b\x03\x32\x00\x01", b"\x70\x03\x32\x00\x01"), "means nothing on code page 0"),
        ("a table that lies", [&good[..4], &[0xFF, 0x7F], &good[5..]].concat(), "ends inside the string table"),
        (
            "opaque data that lies",
            damaged(b"\x5b\x03\x32\x00\x01", b"\x5b\xc3\x8f\x7f\x32\x01"),
            "ends inside opaque data",
        ),
        ("another document type", [&[2, 9][..], &good[3..]].concat(), "public identifier"),
        ("XML", device.answer(&first).xml().into_bytes(), "WBXML of version byte"),
    ];
    for (name, bytes, words) in cases {
        let response = device.post_bytes(bytes);
        response.expect_status(&format!("M-17: {name}"), 400);
        assert!(response.text().contains(words), "M-17: {name}: {}", response.text());
    }
    device.wbxml = None;
    device.post_bytes(good.clone()).expect_status("M-17: WBXML that says it is XML", 400);
    assert_eq!((api.session_count(&id), api.command_state(&command)), (sessions, "sent".to_owned()), "M-17");
    device.wbxml = Some(wbxml::MEDIA_TYPE);
    let message = device.answer(&first);
    device.exchange(&message);
    assert_eq!(api.command_state(&command), "succeeded", "M-17: the session goes on");
}

#[test]
// covers: M-146
fn transcripts_show_redacted_xml_text() {
    let (mut device, id, api) = settled();
    api.command(&id, &replace("./Vendor/MSFT/Example/Opaque", "chr", "nobody-knows-what-this-is"));
    device.csp.rule("Replace", "/Opaque", Answer::Status(404));
    device.settle();
    let sessions = crate::support::eventually("the transcript", || {
        let sessions = api.sessions(&id);
        sessions.iter().any(|s| s.to_string().contains("Example/Opaque")).then_some(sessions)
    });
    let shown = Value::from(sessions).to_string();
    assert!(
        shown.contains("[redacted 25 bytes ") && shown.contains("LoginStatus") && shown.contains("<Data>404</Data>")
    );
    assert!(!shown.contains("nobody-knows-what-this-is") && !shown.contains("[unreadable"), "M-146: {shown}");
}

#[test]
// covers: M-03
fn it_can_be_switched_off() {
    let server = Server::start_with(&[("MUSTER__LIMITS__WBXML", "false")]);
    let (mut device, _) = FakeDevice::settled(&server);
    let message = device.package_one();
    device.wbxml = Some(wbxml::MEDIA_TYPE);
    device.post(message.xml()).expect_status("M-03", 415);
    device.wbxml = None;
    device.exchange(&message);
}

/// What is stored about one device, with what differs from device to device and from time to time replaced.
#[derive(PartialEq, Debug)]
struct Stored {
    device: Value,
    commands: Vec<Value>,
    sessions: Vec<Value>,
    events: Vec<Value>,
}

/// Whether the transcript of a session has every message and every answer; it is written behind them.
fn is_whole(session: &Value) -> bool {
    let messages = session["messages"].as_array().unwrap();
    session["message_count"].as_u64().is_some_and(|count| messages.len() as u64 == 2 * count)
}

/// The same story of a PC, in one form or the other.
fn story(wbxml: Option<&'static str>) -> Stored {
    let server = Server::shared();
    let (mut device, user) = FakeDevice::settled(server);
    let api = server.api();
    let id = device.id(server);
    let before = api.sessions(&id).len();
    let earlier_events = of_device(&api, &id).len();
    device.wbxml = wbxml;
    device.csp.set("./Vendor/MSFT/NodeCache/Muster", "node", "CacheVersion/Nodes/ChangedNodes");
    device.csp.rule("Replace", "/Refused", Answer::Status(425));
    device.csp.rule("Get", "/Raw", Answer::Value("xml".into(), "&lt;a b=&quot;c&quot;&gt;&amp;amp;&lt;/a&gt;".into()));
    let commands = [
        get("./Vendor/MSFT/NodeCache/Muster"),
        get("./Vendor/MSFT/Nowhere/Node"),
        get("./Vendor/MSFT/Example/Raw"),
        replace("./Vendor/MSFT/Example/List", "chr", "a&#xF000;b &lt;é&gt;"),
        format!(
            "<Atomic>{}{}</Atomic>",
            replace("./Vendor/MSFT/Example/One", "int", "1"),
            replace("./Vendor/MSFT/Example/Refused", "int", "99")
        ),
        format!("<Sequence>{}{}</Sequence>", get("./DevDetail/SwV"), get("./DevDetail/HwV")),
    ];
    let ids: Vec<String> = commands.iter().map(|command| api.command(&id, command)).collect();
    let mut message = device.package_one();
    message.typed_alert(1226, "com.example:odd.alert", "chr", "é <&> \u{F000}");
    let first = device.exchange(&message);
    device.finish(first);
    let sessions = crate::support::eventually("the transcripts", || {
        let sessions = api.sessions(&id);
        let whole = sessions.len() == before + 1 && sessions.iter().all(is_whole);
        whole.then_some(sessions)
    });
    let events = crate::support::eventually("the events", || {
        let events = of_device(&api, &id).split_off(earlier_events);
        events.iter().any(|e| e["type"] == "muster.alert.received").then_some(events)
    });
    let mut names: Vec<(String, String)> = vec![
        (id.clone(), "DEVICE".into()),
        (device.profile.device_id.clone(), "DEVICE-ID".into()),
        (device.profile.hw_dev_id.clone(), "HW-DEV-ID".into()),
        (device.profile.device_name.clone(), "NAME".into()),
        (device.provisioned.ent_dm_id.clone(), "ENROLLMENT".into()),
        (user.email.clone(), "USER".into()),
    ];
    for (index, command) in ids.iter().enumerate() {
        names.push((command.clone(), format!("COMMAND-{index}")));
        names.push((command.replace('-', "")[20..].to_owned(), format!("SHORT-{index}")));
    }
    let newest = sessions.iter().max_by_key(|s| s["opened_at"].as_str().unwrap().to_owned()).unwrap().clone();
    names.push((newest["id"].as_str().unwrap().to_owned(), "SESSION".into()));
    let plain = |value: Value| normalised(value, &names);
    Stored {
        device: plain(api.device(&id)),
        commands: ids.iter().map(|command| plain(api.command_document(command))).collect(),
        sessions: vec![plain(newest)],
        events: events.into_iter().map(plain).collect(),
    }
}

fn of_device(api: &Api, id: &str) -> Vec<Value> {
    api.events().into_iter().filter(|event| event["subject"] == id).collect()
}

/// Without the names of this device, without times, and without what only says which form it was.
fn normalised(value: Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) if time::OffsetDateTime::parse(&text, &Rfc3339).is_ok() => "TIME".into(),
        Value::String(text) => {
            names.iter().fold(text, |text, (own, placeholder)| text.replace(own, placeholder)).into()
        }
        Value::Array(items) => items.into_iter().map(|item| normalised(item, names)).collect(),
        Value::Object(fields) => {
            // The schedule and the days of renewal are spread over the devices.
            let own = ["encoding", "serial", "thumbprint", "poll", "renewal"];
            let kept = fields.into_iter().filter(|(key, _)| !own.contains(&key.as_str()));
            kept.map(|(key, value)| {
                let is_event_id =
                    key == "id" && value.as_str().is_some_and(|id| !names.iter().any(|(own, _)| own == id));
                (key, if is_event_id { "ID".into() } else { normalised(value, names) })
            })
            .collect()
        }
        other => other,
    }
}

#[test]
// covers: M-03, M-75, M-77, M-87, M-94, M-106
fn the_same_session_in_both_forms_leaves_the_same_state() {
    let xml = story(None);
    for media_type in [wbxml::MEDIA_TYPE, OTHER_MEDIA_TYPE] {
        let wbxml = story(Some(media_type));
        assert_eq!(wbxml.device, xml.device, "the device");
        assert_eq!(wbxml.commands, xml.commands, "commands and results");
        assert_eq!(wbxml.events, xml.events, "events");
        assert_eq!(wbxml.sessions.len(), xml.sessions.len());
        for (wbxml, xml) in wbxml.sessions.iter().zip(&xml.sessions) {
            assert_eq!(transcript(wbxml), transcript(xml), "what was said");
            assert_eq!(without_messages(wbxml), without_messages(xml), "the session");
        }
    }
}

/// The messages of a session as trees without their white space and spelling.
fn transcript(session: &Value) -> Vec<(Value, String)> {
    let messages = session["messages"].as_array().unwrap();
    let tree = |m: &Value| {
        let root = crate::support::tree::Element::parse("a message of a transcript", m["body"].as_str().unwrap());
        let lines = root.walk().into_iter().map(|e| format!("{} {} {:?}\n", e.namespace, e.name, e.text));
        lines.collect::<String>()
    };
    messages.iter().map(|m| (m["direction"].clone(), tree(m))).collect()
}

fn without_messages(session: &Value) -> Value {
    let mut session = session.clone();
    session.as_object_mut().unwrap().remove("messages");
    session
}

#[test]
fn provisioning_asks_for_xml() {
    let (device, ..) = settled();
    let parms = device.provisioned.document.walk();
    let encoding = parms.into_iter().find(|e| e.attribute("name") == Some("DEFAULTENCODING")).unwrap();
    assert_eq!(encoding.attribute("value"), Some(device::MEDIA_TYPE), "1.4: XML unless somebody changes it");
}
