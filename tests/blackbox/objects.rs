//! Objects that are larger than a message, in chunks (OMA-DM large objects): whole, broken off, and beyond the limits.

use std::time::Instant;

use serde_json::json;

use crate::support::api::Api;
use crate::support::database;
use crate::support::device::FakeDevice;
use crate::support::http::{Connection, Request};
use crate::support::reply::Reply;
use crate::support::server::Server;
use crate::support::syncml::{Message, StatusOf};

const NODE: &str = "./Vendor/MSFT/Example/Big";
/// MaxMsgSize of the devices here, and what a message of that size has room for.
const MOST: usize = 8192;
const PIECE: usize = 7200;

/// A server that lets one device send as many messages as it likes.
fn patient() -> Server {
    Server::start_with(&[("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "100000")])
}

fn get(uri: &str) -> String {
    format!("<Get><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>")
}

/// Text that is long, does not repeat, and needs no escaping.
fn long_text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut number = 7_u64;
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{number:016x}"));
    }
    text.truncate(bytes);
    text
}

/// The Results with one chunk: the first one tells the size, all but the last say that there is more.
fn chunk(message: &mut Message, reply: (&str, &str), size: Option<usize>, text: &str, more: bool) {
    let size =
        size.map(|size| format!(r#"<Meta><Size xmlns="syncml:metinf">{size}</Size></Meta>"#)).unwrap_or_default();
    let more = if more { "<MoreData/>" } else { "" };
    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef>", reply.0, reply.1);
    message.command(
        "Results",
        &format!("{references}<Item><Source><LocURI>{NODE}</LocURI></Source>{size}<Data>{text}</Data>{more}</Item>"),
    );
}

/// A device over one connection.
struct Line<'d> {
    device: &'d mut FakeDevice,
    connection: Connection,
    messages: usize,
}

impl<'d> Line<'d> {
    fn of(device: &'d mut FakeDevice) -> Self {
        let connection = device.connect();
        Self { device, connection, messages: 0 }
    }

    #[track_caller]
    fn exchange(&mut self, message: &Message) -> Reply {
        let xml = message.xml();
        let response = self.connection.send(&self.device.request(xml.clone())).unwrap();
        self.messages += 1;
        self.device.judge(&xml, &response)
    }
}

fn ok(reply: &Reply, cmd_id: &str) -> StatusOf {
    StatusOf { msg_ref: reply.msg_id.clone(), cmd_ref: cmd_id.to_owned(), cmd: "Get".to_owned(), target_ref: None }
}

/// Sends the text as the answer to the Get of a reply, as far as `until` says; the last reply.
#[track_caller]
fn upload(line: &mut Line<'_>, first: Reply, text: &str, until: usize) -> Reply {
    let asked = (first.msg_id.clone(), first.expect("Get", "/Big").cmd_id.clone());
    let mut reply = first;
    let (mut start, mut size) = (0, Some(text.len()));
    while start < until {
        let end = (start + PIECE).min(text.len());
        let is_last = end == text.len();
        let mut message = line.device.next_message(&reply);
        if size.is_some() {
            message.status(&ok(&reply, &asked.1), 200);
        }
        chunk(&mut message, (&asked.0, &asked.1), size.take(), &text[start..end], !is_last);
        let message = if is_last { message } else { message.without_final() };
        assert!(message.xml().len() <= MOST, "{} bytes", message.xml().len());
        reply = line.exchange(&message);
        let expected: &[&str] = if is_last { &[] } else { &["213"] };
        assert_eq!(
            reply.statuses.iter().map(|(_, code)| code.as_str()).collect::<Vec<_>>(),
            expected,
            "M-95: {}",
            reply.xml
        );
        assert!(is_last || !reply.is_final && reply.commands.is_empty(), "M-95: {}", reply.xml);
        start = end;
    }
    reply
}

fn settled(server: &Server) -> (FakeDevice, String, Api) {
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn rows(server: &Server) -> (usize, usize) {
    (database::count(server, "objects"), database::count(server, "object_parts"))
}

#[test]
// covers: M-95
fn ten_megabytes_from_the_device_arrive_intact() {
    let server = patient();
    let (mut device, id, api) = settled(&server);
    let text = long_text(10 * 1024 * 1024);
    let command = api.command(&id, &get(NODE));
    let mut line = Line::of(&mut device);
    let package = line.device.package_one();
    let first = line.exchange(&package);
    let began = Instant::now();
    let last = upload(&mut line, first, &text, text.len());
    let (messages, took) = (line.messages, began.elapsed());
    eprintln!("{messages} messages in {took:?}, {:?} each", took / u32::try_from(messages).unwrap());
    assert!(last.is_final && last.commands.is_empty(), "the session ends: {}", last.xml);
    let shown = api.command_document(&command);
    assert_eq!(shown["state"], "succeeded", "M-95");
    let item = &shown["items"][0];
    assert!(item["data"] == text.as_str(), "M-95: what was sent arrives");
    assert_eq!(item["size"], text.len());
    let url = item["data_url"].as_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    let response = api.send(Request::get(&url));
    response.expect_status("the value by itself", 200);
    assert!(response.text() == text && response.header("x-content-type-options") == Some("nosniff"));
    let listed = api.list(&format!("/commands?device={id}"));
    assert!(listed[0]["items"][0]["data"].is_null() && listed[0]["items"][0]["size"] == text.len(), "lists stay short");
    assert!(!database::holds(&server, &text[5_000_000..5_000_040]), "parts are sealed");
    assert_eq!(rows(&server).0, 1);
}

#[test]
// covers: M-95, M-96, R-06
fn an_object_that_is_cut_in_the_middle_leaves_no_residue() {
    let server = patient();
    let (mut device, id, api) = settled(&server);
    let text = long_text(400_000);
    let command = api.command(&id, &get(NODE));
    let mut line = Line::of(&mut device);
    let package = line.device.package_one();
    let first = line.exchange(&package);
    upload(&mut line, first, &text, 200_000);
    assert!(rows(&server).0 == 1 && rows(&server).1 > 20, "chunks are rows: {:?}", rows(&server));
    let package = line.device.package_one();
    let first = line.exchange(&package);
    assert_eq!(rows(&server), (0, 0), "the session is dead, and what came of the object with it");
    assert!(api.command_document(&command)["items"][0]["data"].is_null());
    upload(&mut line, first, &text, text.len());
    assert!(api.command_document(&command)["items"][0]["data"] == text.as_str(), "asked for again, it arrives whole");
    // An abort in the middle.
    let second = api.command(&id, &get(NODE));
    let package = line.device.package_one();
    let first = line.exchange(&package);
    let reply = upload(&mut line, first, &text, 200_000);
    let mut message = line.device.next_message(&reply);
    message.alert(1223);
    line.exchange(&message);
    assert_eq!(rows(&server).0, 1, "only the whole one is left");
    assert_ne!(api.command_state(&second), "succeeded");
    line.device.check_in();
}

#[test]
// covers: M-95
fn an_upload_goes_on_after_a_restart() {
    let mut server = patient();
    let (mut device, id, api) = settled(&server);
    let text = long_text(60_000);
    let command = api.command(&id, &get(NODE));
    let mut line = Line::of(&mut device);
    let package = line.device.package_one();
    let first = line.exchange(&package);
    let asked = (first.msg_id.clone(), first.expect("Get", "/Big").cmd_id.clone());
    let reply = upload(&mut line, first, &text, 30_000);
    server.kill9();
    server.restart();
    device.follow(&server);
    let mut line = Line::of(&mut device);
    let mut message = line.device.next_message(&reply);
    let sent = 30_000_usize.div_ceil(PIECE) * PIECE;
    chunk(&mut message, (&asked.0, &asked.1), None, &text[sent..], false);
    let mut twice = Vec::new();
    for _ in 0..2 {
        // The second time it is a retransmission.
        twice.push(line.connection.send(&line.device.request(message.xml())).unwrap().body);
    }
    assert_eq!(twice[0], twice[1]);
    let api = server.api();
    assert!(api.command_document(&command)["items"][0]["data"] == text.as_str(), "M-95");
}

#[test]
// covers: M-96, M-97
fn what_breaks_the_rules_is_answered_by_name() {
    let server =
        Server::start_with(&[("MUSTER__LIMITS__OBJECT_BYTES", "65536"), ("MUSTER__LIMITS__OBJECT_CHUNKS", "3")]);
    let (mut device, id, api) = settled(&server);
    let cases: [(&str, usize, &[usize], &[&str]); 3] = [
        ("M-97: larger than is taken", 65_537, &[100], &["416"]),
        ("M-95: longer than was announced", 150, &[100, 100], &["213", "424"]),
        ("more chunks than are taken", 1000, &[10, 10, 10, 10], &["213", "213", "213", "413"]),
    ];
    for (name, size, pieces, expected) in cases {
        let command = api.command(&id, &get(NODE));
        let first = device.start_session();
        let asked = (first.msg_id.clone(), first.expect("Get", "/Big").cmd_id.clone());
        let mut reply = first;
        let mut codes = Vec::new();
        for (index, length) in pieces.iter().enumerate() {
            let mut message = device.next_message(&reply);
            chunk(&mut message, (&asked.0, &asked.1), (index == 0).then_some(size), &"x".repeat(*length), true);
            reply = device.exchange(&message.without_final());
            codes.extend(reply.statuses.iter().map(|(_, code)| code.clone()));
        }
        assert_eq!(codes, expected, "{name}");
        assert_eq!(rows(&server), (0, 0), "{name}");
        let mut message = device.next_message(&reply);
        message.status(&ok(&reply, &asked.1), 200);
        device.exchange(&message);
        assert_ne!(api.command_state(&command), "succeeded", "{name}");
        api.send(Request::new("DELETE", &format!("/commands/{command}")));
    }
    api.command(&id, &get(NODE));
    let first = device.start_session();
    let asked = (first.msg_id.clone(), first.expect("Get", "/Big").cmd_id.clone());
    let mut message = device.next_message(&first);
    chunk(&mut message, (&asked.0, &asked.1), Some(100), "begun", true);
    let reply = device.exchange(&message.without_final());
    let mut message = device.next_message(&reply);
    message.command(
        "Replace",
        r#"<Item><Source><LocURI>./DevInfo/Ext/New</LocURI></Source><Meta><Size xmlns="syncml:metinf">8</Size></Meta><Data>half</Data><MoreData/></Item>"#,
    );
    let reply = device.exchange(&message.without_final());
    assert!(reply.xml.contains("<Data>1225</Data>") && reply.xml.contains(NODE), "M-96: {}", reply.xml);
    assert_eq!(reply.statuses[0].1, "213", "M-96: the new object is taken");
    let mut message = device.next_message(&reply);
    message.command("Replace", "<Item><Source><LocURI>./DevInfo/Ext/New</LocURI></Source><Data>done</Data></Item>");
    device.exchange(&message);
    assert_eq!(rows(&server), (0, 0), "M-96");
    let value = api.device(&id)["inventory"]["./DevInfo/Ext/New"]["value"].clone();
    assert_eq!(value, json!("halfdone"), "M-95: what the device tells by itself");
    let remarks = api.sessions(&id).iter().map(|session| session["remarks"].to_string()).collect::<String>();
    for words in ["larger than is taken", "longer than was announced", "more chunks", "was not ended"] {
        assert!(remarks.contains(words), "{words}: {remarks}");
    }
}

/// A device that takes chunks, and says so in its inventory.
fn taking(server: &Server) -> (FakeDevice, String, Api) {
    let (mut device, _) = FakeDevice::new(server);
    device.csp.set("./DevDetail/LrgObj", "bool", "true");
    device.settle();
    let id = device.id(server);
    (device, id, server.api())
}

/// Package 1 of a device that announces how much it takes at once.
fn announced(line: &mut Line<'_>) -> Message {
    let mut package = line.device.package_one();
    package.more_header = format!(r#"<Meta><MaxMsgSize xmlns="syncml:metinf">{MOST}</MaxMsgSize></Meta>"#);
    package
}

fn replace(text: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>{NODE}</LocURI></Target><Meta><Format xmlns="syncml:metinf">b64</Format></Meta><Data>{text}</Data></Item></Replace>"#
    )
}

/// Takes chunk after chunk, at most so many; what came, and the last reply.
#[track_caller]
fn download(line: &mut Line<'_>, first: Reply, most: usize) -> (String, Reply) {
    let (mut text, mut reply) = (String::new(), first);
    for _ in 0..most {
        assert!(reply.xml.len() <= MOST, "{} bytes", reply.xml.len());
        let [command] = reply.commands.as_slice() else { panic!("one command: {}", reply.xml) };
        let size = command.xml.contains("<Size ");
        assert_eq!(size, text.is_empty(), "the size stands in the first chunk");
        text.push_str(command.data().unwrap());
        let is_last = !command.xml.contains("<MoreData/>");
        let of = StatusOf { cmd: "Replace".to_owned(), ..ok(&reply, &command.cmd_id) };
        let mut message = line.device.next_message(&reply);
        message.status(&of, if is_last { 200 } else { 213 });
        if !is_last {
            message.alert(1222);
        }
        reply = line.exchange(&if is_last { message } else { message.without_final() });
        if is_last {
            return (text, reply);
        }
    }
    (text, reply)
}

#[test]
// covers: M-73
fn ten_megabytes_to_the_device_arrive_intact() {
    let server = patient();
    let (mut device, id, api) = taking(&server);
    let text = long_text(10 * 1024 * 1024);
    let command = api.command(&id, &replace(&text));
    assert_eq!(rows(&server).0, 1);
    assert!(!database::holds(&server, &text[5_000_000..5_000_040]), "parts are sealed");
    let mut line = Line::of(&mut device);
    let package = announced(&mut line);
    let first = line.exchange(&package);
    let began = Instant::now();
    let (arrived, last) = download(&mut line, first, usize::MAX);
    let (messages, took) = (line.messages, began.elapsed());
    eprintln!("{messages} messages in {took:?}, {:?} each", took / u32::try_from(messages).unwrap());
    assert!(arrived == text, "what was asked for arrives");
    assert!(last.is_final && last.commands.is_empty(), "{}", last.xml);
    assert_eq!(api.command_state(&command), "succeeded");
    assert_eq!(rows(&server), (0, 0), "the value goes with the end of its command");
}

#[test]
// covers: R-06
fn a_value_for_the_device_that_is_cut_in_the_middle_leaves_no_residue() {
    let server = patient();
    let (mut device, id, api) = taking(&server);
    let text = long_text(500_000);
    let command = api.command(&id, &replace(&text));
    let mut line = Line::of(&mut device);
    let package = announced(&mut line);
    let first = line.exchange(&package);
    let whole = rows(&server);
    download(&mut line, first, 20);
    // The device begins again: so does the value.
    let package = announced(&mut line);
    let first = line.exchange(&package);
    assert_eq!(rows(&server), whole);
    let reply = download(&mut line, first, 20).1;
    assert_eq!(api.command_state(&command), "sent");
    // It refuses the rest.
    let mut message = line.device.next_message(&reply);
    message.status(&StatusOf { cmd: "Replace".to_owned(), ..ok(&reply, &reply.commands[0].cmd_id) }, 416);
    let last = line.exchange(&message);
    assert!(last.is_final && last.commands.is_empty(), "{}", last.xml);
    assert_eq!((api.command_state(&command).as_str(), rows(&server)), ("failed", (0, 0)));
    // One that the device aborts, and that is withdrawn then.
    let command = api.command(&id, &replace(&text));
    let package = announced(&mut line);
    let first = line.exchange(&package);
    let reply = download(&mut line, first, 3).1;
    let mut message = line.device.next_message(&reply);
    message.alert(1223);
    line.exchange(&message);
    assert_eq!(
        (api.command_state(&command).as_str(), rows(&server)),
        ("queued", whole),
        "it waits for the next session"
    );
    api.send(Request::new("DELETE", &format!("/commands/{command}")));
    assert_eq!((api.command_state(&command).as_str(), rows(&server)), ("cancelled", (0, 0)));
    assert!(line.device.check_in().is_quiet());
}

#[test]
fn a_large_value_is_one_value_of_one_command() {
    let server = patient();
    let (mut device, id, api) = settled(&server);
    let text = long_text(500_000);
    let twice = replace(&text).repeat(2);
    for body in [&twice, &format!("<Atomic><CmdID>1</CmdID>{}</Atomic>", replace(&text))] {
        let refused = api.try_command(&id, body, "?unchecked=true");
        refused.expect_status("more than one message takes", 422);
        assert!(refused.text().contains("alone in the list"), "{}", refused.text());
    }
    assert_eq!(rows(&server), (0, 0));
    // This one announces nothing, and says that it takes no large objects.
    let command = api.command(&id, &replace(&text));
    assert!(device.check_in().is_quiet());
    let shown = api.command_document(&command);
    assert_eq!((shown["state"].as_str(), shown["status"].as_u64()), (Some("failed"), Some(413)), "{shown}");
    let remarks = api.sessions(&id).iter().map(|session| session["remarks"].to_string()).collect::<String>();
    assert!(remarks.contains("announced no MaxMsgSize"), "{remarks}");
    assert_eq!(rows(&server), (0, 0));
}
