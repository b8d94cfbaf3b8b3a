//! Commands and what comes of them: results in all their forms, statuses, containers, values, inventory.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::{FakeDevice, Style};
use crate::support::escape;
use crate::support::http::Request;
use crate::support::reply::Reply;
use crate::support::server::Server;
use crate::support::syncml::{Message, StatusOf};

const NODE: &str = "./Vendor/MSFT/Example";

fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn item(uri: &str, format: &str, value: &str) -> String {
    format!(
        r#"<Item><Target><LocURI>{}</LocURI></Target><Meta><Format xmlns="syncml:metinf">{format}</Format></Meta><Data>{}</Data></Item>"#,
        escape(uri),
        escape(value)
    )
}

fn command(verb: &str, id: u32, content: &str) -> String {
    format!("<{verb}><CmdID>{id}</CmdID>{content}</{verb}>")
}

fn get(uri: &str) -> String {
    command("Get", 1, &format!("<Item><Target><LocURI>{}</LocURI></Target></Item>", escape(uri)))
}

fn replace(node: &str, value: &str) -> String {
    command("Replace", 1, &item(&format!("{NODE}/{node}"), "chr", value))
}

/// The status of an item, as text whatever its JSON type.
fn status(item: &Value) -> String {
    item["status"].to_string().trim_matches('"').to_owned()
}

#[track_caller]
fn only_item(api: &Api, command: &str) -> Value {
    let shown = api.command_document(command);
    let items = shown["items"].as_array().unwrap_or_else(|| panic!("no items: {shown}"));
    assert_eq!(items.len(), 1, "one item: {shown}");
    items[0].clone()
}

/// Queues a Get, lets the device answer it, returns its item.
#[track_caller]
fn read(device: &mut FakeDevice, api: &Api, id: &str, uri: &str) -> Value {
    let command = api.command(id, &get(uri));
    device.settle();
    assert_eq!(api.command_state(&command), "succeeded", "{}", api.command_document(&command));
    only_item(api, &command)
}

#[test]
// covers: M-75, M-76, M-130
fn results_are_matched_whatever_their_style() {
    let (mut device, id, api) = settled();
    let styles = [
        Style::WINDOWS,
        Style { grouped: true, ..Style::WINDOWS },
        Style { results_cmd: true, ..Style::WINDOWS },
        Style { results_meta: true, ..Style::WINDOWS },
        Style { results_msg_ref: false, grouped: true, ..Style::WINDOWS },
    ];
    for (n, style) in styles.into_iter().enumerate() {
        device.style = style;
        let uris = [format!("{NODE}/Styled{n}/A"), format!("{NODE}/Styled{n}/B")];
        let commands: Vec<String> = uris
            .iter()
            .map(|uri| {
                device.csp.set(uri, "chr", &format!("value of {uri}"));
                api.command(&id, &get(uri))
            })
            .collect();
        device.settle();
        for (uri, command) in uris.iter().zip(&commands) {
            let item = only_item(&api, command);
            assert_eq!(item["data"], format!("value of {uri}"), "M-75, M-76, M-130: {style:?}: {item}");
            assert_eq!((status(&item), &item["loc_uri"]), ("200".to_owned(), &json!(uri)), "{style:?}");
        }
    }
}

#[test]
// covers: M-130
fn results_that_come_again_change_nothing() {
    let (mut device, id, api) = settled();
    let uri = format!("{NODE}/Again");
    device.csp.set(&uri, "chr", "first");
    let read_command = api.command(&id, &get(&uri));
    let later = api.command(&id, &get("./DevDetail/FwV"));
    let reply = device.start_session();
    let cmd_id = reply.expect("Get", "/Again").cmd_id.clone();
    let mut message = device.answer(&reply);
    let repeat = |message: &mut Message, data: &str| {
        let references = format!("<MsgRef>{}</MsgRef><CmdRef>{cmd_id}</CmdRef>", reply.msg_id);
        message.results(&references, &uri, "", &format!("<Data>{data}</Data>"));
    };
    repeat(&mut message, "second");
    let next = device.exchange(&message);
    let mut message = device.answer(&next);
    repeat(&mut message, "third");
    let response = device.post(message.xml());
    device.judge_loosely(&message.xml(), &response);
    device.settle();
    assert_eq!(only_item(&api, &read_command)["data"], "first", "M-130");
    assert_eq!(api.command_state(&later), "succeeded");
}

#[test]
// covers: S-17
fn results_for_another_node_are_not_taken() {
    let (mut device, id, api) = settled();
    let uri = format!("{NODE}/Asked");
    device.csp.rule("Get", "/Asked", Answer::Status(200));
    let command = api.command(&id, &get(&uri));
    let reply = device.start_session();
    let cmd_id = reply.expect("Get", "/Asked").cmd_id.clone();
    let mut message = device.answer(&reply);
    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{cmd_id}</CmdRef>", reply.msg_id);
    message.results(&references, "./DevDetail/SwV", "", "<Data>99.99 planted</Data>");
    message.results(&references, &format!("{NODE}/AskedNot"), "", "<Data>planted too</Data>");
    let next = device.exchange(&message);
    device.finish(next);
    let shown = format!("{}{}", api.device(&id), api.command_document(&command));
    assert!(!shown.contains("planted"), "S-17: {shown}");
}

#[test]
// covers: M-77
fn the_children_of_an_interior_node_are_told_apart() {
    let (mut device, id, api) = settled();
    let children = "Cache%20Version/Nodes/a%2Fb";
    device.csp.rule("Get", "/Interior", Answer::Value("node".to_owned(), children.to_owned()));
    let item = read(&mut device, &api, &id, &format!("{NODE}/Interior"));
    let shown = item.to_string();
    assert_eq!(item["format"], "node", "M-77: {item}");
    for child in ["Cache Version", "Nodes", "a/b"] {
        assert!(shown.contains(child), "M-77: {child:?} in {item}");
    }
}

#[test]
// covers: M-77, M-89, M-90
fn values_are_shown_with_what_they_say() {
    let (mut device, id, api) = settled();
    let denied = "0x80070005 ERROR_ACCESS_DENIED: access denied";
    let cases = [
        ("LastError", "int", "-2147024891", json!(denied)),
        ("ErrorCode", "int", "-2147024891", json!(denied)),
        ("Count", "int", "-5", json!(-5)),
        ("On", "bool", "true", json!(true)),
        ("Blob", "b64", "aGVsbG8=", json!({"bytes": 5, "text": "hello"})),
        ("Document", "xml", "<a><b/></a>", json!({"root": "a", "elements": 2})),
        ("Inner", "node", "x%20y/z", json!(["x y", "z"])),
    ];
    for (name, format, value, said) in cases {
        device.csp.rule("Get", &format!("/{name}"), Answer::Value(format.to_owned(), value.to_owned()));
        let item = read(&mut device, &api, &id, &format!("{NODE}/{name}"));
        assert_eq!((&item["data"], &item["decoded"]), (&json!(value), &said), "M-90: {item}");
        assert_eq!((&item["format"], &item["status_text"]), (&json!(format), &json!("done")), "{item}");
    }
    device.csp.rule("Get", "/Named", Answer::Failed(500, "0x86000011"));
    let named = api.command(&id, &get(&format!("{NODE}/Named")));
    device.settle();
    let item = only_item(&api, &named);
    assert!(item["error"].as_str().is_some_and(|text| text.contains("COMMANDNOTALLOWED")), "M-89: {item}");
}

#[test]
// covers: M-77
fn a_subtree_query_keeps_what_lies_below() {
    let (mut device, id, api) = settled();
    let query = format!("{NODE}/Tree?list=StructData");
    device.csp.rule("Get", "/Tree?list=StructData", Answer::Status(200));
    let command = api.command(&id, &get(&query));
    let reply = device.start_session();
    let cmd_id = reply.expect("Get", "?list=StructData").cmd_id.clone();
    let mut message = device.answer(&reply);
    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{cmd_id}</CmdRef>", reply.msg_id);
    let meta = |format: &str| format!(r#"<Meta><Format xmlns="syncml:metinf">{format}</Format></Meta>"#);
    message.results(&references, &format!("{NODE}/Tree"), &meta("node"), "<Data>Leaf/In%2Fner</Data>");
    message.results(&references, &format!("{NODE}/Tree/Leaf"), &meta("int"), "<Data>7</Data>");
    message.results(&references, "./DevDetail/SwV", "", "<Data>planted</Data>");
    let next = device.exchange(&message);
    device.finish(next);
    let shown = api.command_document(&command);
    let values: Vec<(Value, Value)> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["loc_uri"].clone(), item["decoded"].clone()))
        .collect();
    let expected = [(json!(query), json!(["Leaf", "In/ner"])), (json!(format!("{NODE}/Tree/Leaf")), json!(7))];
    assert_eq!(values, expected, "{shown}");
}

#[test]
// covers: M-78, M-79
fn markup_in_results_is_kept_and_cdata_flattened() {
    let (mut device, id, api) = settled();
    let markup =
        r#"<CSPVersions xmlns=""><CSP Node="./DevDetail" Version="1.1"/><Other>a &amp; b</Other></CSPVersions>"#;
    device.csp.rule("Get", "/Markup", Answer::Markup(markup.to_owned()));
    let data = read(&mut device, &api, &id, &format!("{NODE}/Markup"))["data"].as_str().unwrap().to_owned();
    assert!(data.contains("<CSP ") && data.contains(r#"Node="./DevDetail""#) && data.contains("&amp;"), "M-78: {data}");
    device.csp.rule("Get", "/Flat", Answer::Markup("before <![CDATA[a <b> & c]]> after".to_owned()));
    let item = read(&mut device, &api, &id, &format!("{NODE}/Flat"));
    assert_eq!(item["data"], "before a <b> & c after", "M-79");
    device.csp.rule("Get", "/Empty", Answer::Value("chr".to_owned(), String::new()));
    let item = read(&mut device, &api, &id, &format!("{NODE}/Empty"));
    assert_eq!(item["data"], "", "an empty value is a value: {item}");
}

#[test]
// covers: S-17, S-19
fn hostile_results_are_text() {
    let (mut device, id, api) = settled();
    let long = "x".repeat(1024 * 1024);
    let values = [
        "<script>alert(1)</script>",
        "=HYPERLINK(\"http://x\")",
        "{{7*7}}${7*7}",
        "\u{1b}[31mred",
        "a\u{202e}b",
        "line\nbreak\r\n",
        "'; DROP TABLE devices; --",
        "]]>",
        "&lt;once&gt;",
        &long,
    ];
    for (n, value) in values.iter().filter(|v| !v.contains('\u{1b}')).enumerate() {
        let uri = format!("{NODE}/Hostile{n}");
        device.csp.set(&uri, "chr", value);
        let item = read(&mut device, &api, &id, &uri);
        let kept = item["data"].as_str().unwrap().replace("\r\n", "\n");
        assert!(kept == value.replace("\r\n", "\n"), "S-17: {:.60?} became {kept:.60?}", value);
    }
    let escape_code = device.package_one().xml().replace("Example Computers", "\u{1b}[31m");
    device.post(escape_code).expect_status("S-17: a character that XML forbids", 400);
}

#[test]
// covers: M-80, M-81
fn absent_is_an_answer() {
    let (mut device, id, api) = settled();
    let item = read(&mut device, &api, &id, &format!("{NODE}/NotThere"));
    assert_eq!(status(&item), "404", "M-80: {item}");
    let target = format!("<Item><Target><LocURI>{NODE}/NotThereEither</LocURI></Target></Item>");
    let delete = api.command(&id, &command("Delete", 1, &target));
    device.settle();
    assert_eq!(api.command_state(&delete), "succeeded", "M-81: {}", api.command_document(&delete));
    assert_eq!(status(&only_item(&api, &delete)), "404", "M-81: the code is kept");
}

#[test]
// covers: M-85, M-86, M-92
fn what_windows_cannot_do_is_refused_on_entry() {
    let (mut device, id, api) = settled();
    let node = item(&format!("{NODE}/X"), "chr", "1");
    let inner_get = get(&format!("{NODE}/X")).replace(">1</CmdID>", ">2</CmdID>");
    let cases = [
        ("M-85: Get in Atomic", command("Atomic", 1, &inner_get)),
        ("M-85: Atomic in Atomic", command("Atomic", 1, &command("Atomic", 2, &command("Replace", 3, &node)))),
        (
            "M-86: Add and Replace of one node",
            command("Atomic", 1, &format!("{}{}", command("Add", 2, &node), command("Replace", 3, &node))),
        ),
        ("M-92: a leading slash", get("/Vendor/MSFT/X")),
        ("M-92: an empty segment", get("./Vendor//X")),
        ("M-92: a dot segment", get("./Vendor/./X")),
        ("Copy is not for Windows", command("Copy", 1, &node)),
        (
            "a Status is no command",
            command("Status", 1, "<MsgRef>1</MsgRef><CmdRef>1</CmdRef><Cmd>Get</Cmd><Data>200</Data>"),
        ),
        ("no Item", command("Replace", 1, "")),
        ("not XML", "<Replace>".to_owned()),
        ("nothing", String::new()),
        ("a DTD", format!("<!DOCTYPE x>{}", replace("X", "1"))),
    ];
    for (name, xml) in cases {
        let response = api.try_command(&id, &xml, "");
        assert!(matches!(response.status, 400 | 422), "{name}: {} {}", response.status, response.text());
        let kind = response.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "{name}: {kind}");
    }
    let wrong_type = api
        .send(Request::post(&format!("/devices/{id}/commands"), replace("X", "1")).header("Content-Type", "text/html"));
    wrong_type.expect_status("the body is SyncML", 415);
    assert!(device.check_in().is_quiet(), "nothing of it reaches the device");
}

#[test]
// covers: M-91
fn segments_of_a_uri_stay_escaped_on_the_wire() {
    let (mut device, id, api) = settled();
    let escaped = "./Vendor/MSFT/Example/MY%20NETWORK/%7B0F1E%7D/a%2Fb";
    api.command(&id, &command("Replace", 1, &item(escaped, "chr", "1")));
    assert!(device.check_in().commands().iter().any(|c| c.uri() == escaped), "M-91: delivered as it was given");
    for raw in ["./Vendor/MSFT/Example/MY NETWORK", "./Vendor/MSFT/Example/{0F1E}", "./Vendor/MSFT/Example/é"] {
        let response = api.try_command(&id, &command("Replace", 1, &item(raw, "chr", "1")), "?unchecked=true");
        assert!(matches!(response.status, 202 | 400 | 422), "M-91: {raw}: {}", response.status);
    }
    // The reader of replies refuses an unescaped character in any LocURI.
    device.settle();
}

#[test]
// covers: M-87
fn a_failed_atomic_shows_which_child_failed() {
    let (mut device, id, api) = settled();
    let children: String =
        (2..5).map(|n| command("Replace", n, &item(&format!("{NODE}/Part{n}"), "int", "1"))).collect();
    let atomic = api.command(&id, &command("Atomic", 1, &children));
    device.csp.rule("Replace", "/Part3", Answer::Failed(500, "0x80070057"));
    let reply = device.start_session();
    assert_eq!(reply.commands.len(), 1, "an Atomic is one unit: {}", reply.xml);
    device.finish(reply);
    let shown = api.command_document(&atomic);
    assert_eq!(shown["state"], "failed", "M-87: {shown}");
    let items = shown["items"].as_array().unwrap();
    let part =
        |n: u32| items.iter().find(|i| i["loc_uri"] == format!("{NODE}/Part{n}")).unwrap_or_else(|| panic!("{shown}"));
    assert_eq!((status(part(2)), status(part(3)), status(part(4))), ("216".into(), "500".into(), "216".into()), "M-87");
    assert!(part(3).to_string().contains("0x80070057"), "M-89: {shown}");
    assert!(device.check_in().is_quiet(), "M-87: a refused Atomic is not sent again");
}

#[test]
// covers: M-134
fn an_atomic_without_a_status_of_its_own_is_decided_by_its_children() {
    let (mut device, id, api) = settled();
    device.style.container_status = false;
    let atomic = |name: &str| {
        let children: String =
            (2..4).map(|n| command("Replace", n, &item(&format!("{NODE}/{name}{n}"), "int", "1"))).collect();
        api.command(&id, &command("Atomic", 1, &children))
    };
    let good = atomic("Good");
    let bad = atomic("Bad");
    let behind = api.command(&id, &replace("Behind", "1"));
    device.csp.rule("Replace", "/Bad3", Answer::Status(415));
    device.settle();
    assert_eq!(api.command_state(&good), "succeeded", "M-134");
    assert_eq!(api.command_state(&bad), "failed", "M-134: {}", api.command_document(&bad));
    assert_eq!(api.command_state(&behind), "succeeded", "M-134: the queue goes on");
}

/// What the device was told to do about a node, in order.
fn told(device: &FakeDevice, node: &str) -> Vec<String> {
    device.csp.done.iter().filter(|done| done.uri.ends_with(node)).map(|done| done.verb.clone()).collect()
}

/// Verb, status and whether it was superseded, of each item.
fn tries(shown: &Value) -> Vec<(String, String, bool)> {
    let one = |item: &Value| (item["cmd"].as_str().unwrap().to_owned(), status(item), item["superseded"] == true);
    shown["items"].as_array().unwrap().iter().map(one).collect()
}

#[test]
// covers: M-82, M-83, M-84
fn a_refusal_for_what_exists_or_does_not_is_repaired_within_the_session() {
    let (mut device, id, api) = settled();
    device.csp.set(&format!("{NODE}/There"), "chr", "old");
    device.csp.rule("Replace", "/Missing", Answer::Status(404));
    let interior = format!("<Item><Target><LocURI>{NODE}</LocURI></Target></Item>");
    device.csp.rule("Add", "/Example", Answer::Status(418));
    let add = api.command(&id, &command("Add", 1, &item(&format!("{NODE}/There"), "chr", "new")));
    let node = api.command(&id, &command("Add", 1, &interior));
    let set = api.command(&id, &replace("Missing", "made"));
    device.check_in();
    for (name, id) in [("M-82", &add), ("M-83", &node), ("M-84", &set)] {
        assert_eq!(api.command_state(id), "succeeded", "{name}: {}", api.command_document(id));
    }
    assert_eq!(device.csp.value(&format!("{NODE}/There")), Some("new"), "M-82: the value is the one asked for");
    assert_eq!(device.csp.value(&format!("{NODE}/Missing")), Some("made"), "M-84");
    assert_eq!(told(&device, "/There"), ["Add", "Replace"], "M-82");
    assert_eq!(told(&device, "/Missing"), ["Replace", "Add"], "M-84");
    assert_eq!(told(&device, "/Example"), ["Add"], "M-83: what was wanted is so");
    let tried = tries(&api.command_document(&add));
    let expected = [("Add", "418", true), ("Replace", "200", false)];
    assert_eq!(tried, expected.map(|(cmd, code, over)| (cmd.to_owned(), code.to_owned(), over)), "each try is shown");
    assert!(device.check_in().is_quiet());
}

#[test]
// covers: M-82, M-84, R-08
fn a_device_that_contradicts_itself_is_not_asked_for_ever() {
    let (mut device, id, api) = settled();
    device.csp.rule("Replace", "/Stubborn", Answer::Status(404));
    device.csp.rule("Add", "/Stubborn", Answer::Status(418));
    let set = api.command(&id, &replace("Stubborn", "1"));
    device.settle();
    assert_eq!(api.command_state(&set), "failed", "{}", api.command_document(&set));
    assert!(told(&device, "/Stubborn").len() <= 3, "each way at most once: {:?}", told(&device, "/Stubborn"));
}

#[test]
// covers: M-82, M-84, M-87
fn an_atomic_is_repaired_as_one_unit() {
    let (mut device, id, api) = settled();
    device.csp.set(&format!("{NODE}/Known"), "int", "1");
    let add = |n: u32, name: &str| command("Add", n, &item(&format!("{NODE}/{name}"), "int", "7"));
    let atomic = api.command(&id, &command("Atomic", 1, &format!("{}{}", add(2, "Known"), add(3, "Fresh"))));
    let first = device.start_session();
    let visit = device.finish(first);
    let sent: Vec<_> = visit.replies.iter().filter(|reply| !reply.commands.is_empty()).collect();
    assert_eq!(sent.len(), 2, "the whole Atomic once more in the same session");
    let verbs: Vec<&str> = sent[1].commands[0].children.iter().map(|child| child.verb.as_str()).collect();
    assert_eq!((sent[1].commands[0].verb.as_str(), verbs), ("Atomic", vec!["Replace", "Add"]));
    assert_eq!(api.command_state(&atomic), "succeeded", "{}", api.command_document(&atomic));
    for name in ["Known", "Fresh"] {
        assert_eq!(device.csp.value(&format!("{NODE}/{name}")), Some("7"), "{name}");
    }
    device.csp.rule("Replace", "/Refused", Answer::Status(500));
    let hopeless = command("Replace", 3, &item(&format!("{NODE}/Refused"), "int", "1"));
    let atomic = api.command(&id, &command("Atomic", 1, &format!("{}{hopeless}", add(2, "Known"))));
    device.settle();
    assert_eq!(api.command_state(&atomic), "failed");
    assert_eq!(device.csp.times("Replace", "/Refused"), 1, "what has no other way is not sent again");
}

#[test]
// covers: M-88
fn a_failed_rollback_flags_the_device() {
    let (mut device, id, api) = settled();
    let children: String =
        (2..4).map(|n| command("Replace", n, &item(&format!("{NODE}/Mixed{n}"), "int", "1"))).collect();
    let atomic = api.command(&id, &command("Atomic", 1, &children));
    let reply = device.start_session();
    let unit = reply.commands[0].clone();
    let mut message = device.next_message(&reply);
    let mut tell = |cmd: &str, cmd_ref: &str, code: u16| {
        let (cmd_ref, cmd) = (cmd_ref.to_owned(), cmd.to_owned());
        message.status(&StatusOf { msg_ref: reply.msg_id.clone(), cmd_ref, cmd, target_ref: None }, code);
    };
    tell("Atomic", &unit.cmd_id, 516);
    tell("Replace", &unit.children[0].cmd_id, 516);
    tell("Replace", &unit.children[1].cmd_id, 500);
    let next = device.exchange(&message);
    device.finish(next);
    assert_eq!(api.command_state(&atomic), "failed", "M-88");
    let warning = api.device(&id)["warning"].as_str().unwrap_or_default().to_owned();
    assert!(warning.contains("needs re-apply"), "M-88: {warning}");
    let is_told = |event: &Value| event["subject"] == id.as_str() && event["data"]["type"] == "needs_reapply";
    let told = crate::support::eventually("M-88: the event", || {
        let events: Vec<Value> = api.events().into_iter().filter(is_told).collect();
        (!events.is_empty()).then_some(events)
    });
    assert_eq!((told.len(), &told[0]["data"]["command_id"]), (1, &json!(atomic)), "M-88: {told:?}");
}

#[test]
// covers: M-59
fn a_list_for_device_and_user_goes_on_without_the_user() {
    let (mut device, id, api) = settled();
    let user = item("./User/Vendor/MSFT/Example/Theirs", "chr", "1");
    let list = format!("{}{}", command("Replace", 1, &user), replace("Ours", "1").replace(">1</CmdID>", ">2</CmdID>"));
    let both = api.command(&id, &list);
    let atomic = api.command(&id, &command("Atomic", 9, &list.replace("Ours", "Together")));
    device.login = "none".to_owned();
    for _ in 0..3 {
        device.check_in();
    }
    assert_eq!(told(&device, "/Ours"), ["Replace"], "the device's part goes out, once");
    assert!(told(&device, "/Theirs").is_empty() && told(&device, "/Together").is_empty(), "an Atomic waits as a whole");
    for command in [&both, &atomic] {
        let shown = api.command_document(command);
        assert_eq!(shown["state"], "queued", "M-59: {shown}");
        assert!(shown["detail"].as_str().unwrap().contains("waits for the user"), "M-59: {shown}");
    }
    device.login = "user".to_owned();
    device.check_in();
    assert_eq!(
        (api.command_state(&both), api.command_state(&atomic)),
        ("succeeded".to_owned(), "succeeded".to_owned())
    );
    assert_eq!(told(&device, "/Ours"), ["Replace"], "what has its answer is not repeated");
}

#[test]
// covers: M-89
fn the_original_error_is_shown_with_its_name() {
    let (mut device, id, api) = settled();
    device.csp.rule("Replace", "/Hresult", Answer::Failed(500, "0x86000011"));
    let failed = api.command(&id, &replace("Hresult", "1"));
    device.settle();
    let shown = api.command_document(&failed).to_string();
    assert!(shown.contains("0x86000011") && shown.to_uppercase().contains("COMMANDNOTALLOWED"), "M-89: {shown}");
}

#[test]
// covers: M-93, S-19, M-94, M-144
fn values_arrive_as_they_were_given() {
    let (mut device, id, api) = settled();
    let values = [
        "</Data></Item></Replace><Exec><CmdID>9</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/RemoteWipe/doWipe</LocURI></Target></Item></Exec>",
        "<enabled/><data id=\"RingName\" value=\"broad\"/>",
        "]]>",
        "a & b &amp; c",
        "\"quotes\" and 'apostrophes'",
        "one\u{f000}two\u{f000}three",
        "<enabled/><data id=\"L\" value=\"one\u{f000}two\"/>",
        "tab\there",
        "ümläut 日本 🖥",
        "  blanks around  ",
        "<?xml version=\"1.0\"?><WLANProfile xmlns=\"http://x\"><name>a &lt; b</name></WLANProfile>",
    ];
    for (n, value) in values.iter().enumerate() {
        let name = format!("Literal{n}");
        api.command(&id, &replace(&name, value));
        device.settle();
        assert_eq!(device.csp.value(&format!("{NODE}/{name}")), Some(*value), "M-93, S-19, M-94");
    }
    assert_eq!(device.csp.times("Exec", ""), 0, "S-19: a value never becomes a command");
    let nested = command(
        "Replace",
        1,
        &format!(
            "<Item><Target><LocURI>{NODE}/Nested</LocURI></Target><Data><MsiInstallJob id=\"{{x}}\"><a/></MsiInstallJob></Data></Item>"
        ),
    );
    api.command(&id, &nested);
    device.settle();
    let arrived = device.csp.value(&format!("{NODE}/Nested")).unwrap_or_default();
    assert!(
        arrived.contains("<MsiInstallJob") && arrived.contains("id=\"{x}\""),
        "M-93: elements become escaped text: {arrived:?}"
    );
}

#[test]
// covers: M-94, M-144
fn characters_that_xml_cannot_carry_are_refused_on_entry() {
    let (_, id, api) = settled();
    for value in ["a\u{0}b", "a&#0;b", "a&#x1B;b", "a\u{fffe}b"] {
        let xml = replace("Bad", "PLACE").replace("PLACE", value);
        let response = api.try_command(&id, &xml, "?unchecked=true");
        assert!(matches!(response.status, 400 | 422), "M-144: {value:?}: {}", response.status);
    }
}

#[test]
// covers: M-98, R-08
fn unknown_codes_fall_back_to_their_class() {
    let (mut device, id, api) = settled();
    let cases = [
        (200, "succeeded"),
        (201, "succeeded"),
        (202, "succeeded"),
        (299, "succeeded"),
        (300, "failed"),
        (403, "failed"),
        (409, "failed"),
        (425, "failed"),
        (499, "failed"),
        (500, "failed"),
        (599, "failed"),
    ];
    let mut commands = Vec::new();
    for (code, _) in cases {
        device.csp.rule("Exec", &format!("/Code{code}"), Answer::Status(code));
        let target = format!("<Item><Target><LocURI>{NODE}/Code{code}</LocURI></Target></Item>");
        commands.push(api.command(&id, &command("Exec", 1, &target)));
    }
    device.settle();
    for ((code, state), id) in cases.iter().zip(&commands) {
        let shown = api.command_document(id);
        assert_eq!(shown["state"], *state, "M-98: {code}: {shown}");
        assert_eq!(status(&only_item(&api, id)), code.to_string(), "R-08: the raw code is kept");
    }
}

#[test]
// covers: M-98
fn codes_of_absence_mean_not_supported() {
    let (mut device, id, api) = settled();
    for code in [404, 406, 501] {
        device.csp.rule("Exec", &format!("/Absent{code}"), Answer::Status(code));
        let target = format!("<Item><Target><LocURI>{NODE}/Absent{code}</LocURI></Target></Item>");
        let exec = api.command(&id, &command("Exec", 1, &target));
        device.settle();
        assert_eq!(api.command_state(&exec), "unsupported", "chapter 3: {code}");
    }
}

/// Answers a Get of several Items as Windows does: a Status per Item, Results with the good ones.
fn answer_items(device: &FakeDevice, reply: &Reply, absent: &str) -> Message {
    let get = reply.commands.iter().find(|c| c.verb == "Get" && c.items.len() > 1).expect("a Get with several Items");
    let mut message = device.next_message(reply);
    let mut good = String::new();
    for item in &get.items {
        let missing = item.uri.ends_with(absent);
        let of = StatusOf {
            msg_ref: reply.msg_id.clone(),
            cmd_ref: get.cmd_id.clone(),
            cmd: "Get".to_owned(),
            target_ref: Some(item.uri.clone()),
        };
        message.status(&of, if missing { 404 } else { 200 });
        if !missing {
            good.push_str(&format!("<Item><Source><LocURI>{0}</LocURI></Source><Data>of {0}</Data></Item>", item.uri));
        }
    }
    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef>", reply.msg_id, get.cmd_id);
    message.command("Results", &format!("{references}{good}"));
    message
}

#[test]
// covers: M-132, M-75
fn a_get_of_several_items_keeps_each_answer() {
    let (mut device, id, api) = settled();
    let uris = ["./DevInfo/Man", "./DevInfo/Nothing", "./DevInfo/Mod"];
    let items: String =
        uris.iter().map(|uri| format!("<Item><Target><LocURI>{uri}</LocURI></Target></Item>")).collect();
    let get = api.command(&id, &command("Get", 1, &items));
    let reply = device.start_session();
    if reply.commands.iter().any(|c| c.items.len() > 1) {
        let message = answer_items(&device, &reply, "/Nothing");
        let next = device.exchange(&message);
        assert!(next.commands.is_empty());
    } else {
        device.finish(reply);
    }
    let shown = api.command_document(&get);
    assert_eq!(shown["state"], "succeeded", "M-132: {shown}");
    let codes: Vec<String> = uris
        .iter()
        .map(|uri| {
            shown["items"].as_array().unwrap().iter().find(|i| i["loc_uri"] == *uri).map(status).unwrap_or_default()
        })
        .collect();
    assert_eq!(codes, ["200", "404", "200"], "M-132: {shown}");
    let data =
        |uri: &str| shown["items"].as_array().unwrap().iter().find(|i| i["loc_uri"] == uri).unwrap()["data"].clone();
    assert!(data("./DevInfo/Man").is_string() && data("./DevInfo/Nothing").is_null(), "M-132: {shown}");
}

#[test]
// covers: M-56, M-80, M-89
fn the_first_session_takes_the_inventory() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    let visit = device.check_in();
    let asked: Vec<String> =
        visit.commands().iter().filter(|c| c.verb == "Get").map(|c| c.uri().to_lowercase()).collect();
    for node in [
        "./devdetail/swv",
        "./devdetail/hwv",
        "./devdetail/oem",
        "/totalram",
        "/securebootstate",
        "/maxsyncapplicationversion",
    ] {
        assert!(asked.iter().any(|uri| uri.ends_with(node)), "7.10: {node} is not asked for: {asked:?}");
    }
    let provider = device.provisioned.provider_id.clone();
    let keep_alive = visit.find("Replace", &format!("/Provider/{provider}/EnableOmaDmKeepAliveMessage"));
    let keep_alive = keep_alive.expect("1.12: keep-alive messages are switched on in the first session");
    assert_eq!((keep_alive.data(), keep_alive.items[0].format.as_deref()), (Some("true"), Some("bool")), "1.12");
    device.settle();
    let version = device.csp.value(&format!("./Vendor/MSFT/DMClient/Provider/{provider}/SyncApplicationVersion"));
    assert!(matches!(version, Some("3.0" | "4.0")), "1.17: {version:?}");
    let shown = device.document(server);
    let inventory = shown["inventory"].as_object().expect("an object of LocURIs");
    let node = |uri: &str| inventory.iter().find(|(k, _)| k.eq_ignore_ascii_case(uri)).map(|(_, v)| v.clone());
    let version = node("./DevDetail/SwV").expect("7.10");
    assert_eq!(version["value"], device.profile.os_version.as_str(), "7.10: {version}");
    assert!(version["at"].is_string(), "7.10: when it was reported");
    assert_eq!(shown["os_version"], device.profile.os_version.as_str());
    assert_eq!(node("./DevDetail/LrgObj").expect("7.10")["value"], "false", "7.10");
}

#[test]
// covers: M-77
fn the_network_addresses_are_found_below_their_interior_node() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    device.settle();
    let asked = device.csp.times("Get", "/NetworkIdentifiers");
    if asked == 0 {
        eprintln!("skipped: this inventory does not ask for network identifiers");
        return;
    }
    let shown = device.document(server).to_string().to_lowercase();
    assert!(shown.contains("02:00:5e:10:00:01") || shown.contains("02-00-5e-10-00-01"), "M-77: {shown}");
}

#[test]
// covers: M-51, M-52
fn a_queued_command_is_sent_with_its_format() {
    let (mut device, id, api) = settled();
    for (format, value) in [("int", "-5"), ("bool", "true"), ("b64", "AAEC"), ("xml", "<a/>"), ("chr", "text")] {
        api.command(&id, &command("Replace", 1, &item(&format!("{NODE}/Typed"), format, value)));
        let reply = device.start_session();
        let sent = reply.expect("Replace", "/Typed").clone();
        assert_eq!((sent.items[0].format.as_deref(), sent.data()), (Some(format), Some(value)), "{}", sent.xml);
        device.finish(reply);
    }
    let node = r#"<Item><Target><LocURI>./Vendor/MSFT/Example/Node</LocURI></Target><Meta><Format xmlns="syncml:metinf">node</Format></Meta></Item>"#;
    api.command(&id, &command("Add", 1, node));
    let reply = device.start_session();
    let sent = reply.expect("Add", "/Node").clone();
    assert_eq!(
        (sent.items[0].format.as_deref(), sent.data()),
        (Some("node"), None),
        "2.5: no Data at all: {}",
        sent.xml
    );
}

#[test]
// covers: M-75
fn a_sequence_is_sent_and_shown_as_a_whole() {
    let (mut device, id, api) = settled();
    device.csp.set(&format!("{NODE}/After"), "chr", "seen");
    let exec = command("Exec", 2, &format!("<Item><Target><LocURI>{NODE}/Do</LocURI></Target></Item>"));
    let inner = get(&format!("{NODE}/After")).replace(">1</CmdID>", ">3</CmdID>");
    let sequence = api.command(&id, &command("Sequence", 1, &format!("{exec}{inner}")));
    let reply = device.start_session();
    assert_eq!(reply.commands[0].verb, "Sequence", "{}", reply.xml);
    device.finish(reply);
    let shown = api.command_document(&sequence);
    assert_eq!(shown["state"], "succeeded", "{shown}");
    assert!(shown["items"].to_string().contains("seen"), "{shown}");
}
