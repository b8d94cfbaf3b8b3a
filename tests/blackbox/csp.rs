//! The CSP catalogue at its doors: questions, refusals, decisions, newer descriptions, and what devices teach.

use std::io::{Cursor, Write};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::{Request, Response};
use crate::support::server::Server;

const CASES: &str = include_str!("../../protocol-fixtures/csp/cases.json");
const CONTOSO: &str = include_str!("../../protocol-fixtures/csp/Contoso.xml");
const CAMERA: &str = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera";
const LOCK: &str = "./Device/Vendor/MSFT/RemoteLock/Lock";

fn check(api: &Api, body: &Value) -> Value {
    api.post("/csp/check", body, 200)
}

fn put(api: &Api, body: &Value) -> Response {
    let mut request = Request::new("PUT", "/csp/overrides").header("Content-Type", "application/json");
    request.body = body.to_string().into_bytes();
    api.send(request)
}

/// Decides about a node; the id of the decision.
#[track_caller]
fn decide(api: &Api, body: &Value) -> String {
    let answer = put(api, body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

fn command(verb: &str, uri: &str, format: &str, value: &str) -> String {
    format!(
        r#"<{verb}><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target><Meta><Format xmlns="syncml:metinf">{format}</Format></Meta><Data>{value}</Data></Item></{verb}>"#
    )
}

fn read(verb: &str, uri: &str) -> String {
    format!("<{verb}><CmdID>1</CmdID><Item><Target><LocURI>{uri}</LocURI></Target></Item></{verb}>")
}

fn archive(name: &str, text: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

fn import(api: &Api, bytes: Vec<u8>, query: &str) -> (u16, Value) {
    let request = Request::post(&format!("/csp/catalogue{query}"), bytes).header("Content-Type", "application/zip");
    let answer = api.send(request);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

#[track_caller]
fn is_audited(api: &Api, action: &str, words: &str) {
    let rows = api.list("/audit?limit=100");
    let found = rows.iter().any(|row| row["action"] == action && row["detail"].as_str().unwrap().contains(words));
    assert!(found, "{action} with {words}: {rows:#?}");
}

#[test]
fn worked_cases_are_answered_as_they_say_one_by_one_and_together() {
    let api = Server::shared().api();
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let answer = check(&api, case);
        assert_eq!(answer["error_kind"], case["error_kind"], "{case}: {answer}");
        assert_eq!(answer["ok"], case["error_kind"].is_null(), "{case}: {answer}");
        assert_eq!(answer["message"].is_string(), case["error_kind"].is_string(), "{case}: {answer}");
    }
    for body in [json!(cases), json!({"checks": cases})] {
        let answer = check(&api, &body);
        let kinds: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|one| &one["error_kind"]).collect();
        assert_eq!(kinds, cases.iter().map(|case| &case["error_kind"]).collect::<Vec<_>>());
        let refused = cases.iter().filter(|case| case["error_kind"].is_string()).count();
        assert_eq!(answer["refused"], refused);
    }
}

#[test]
fn build_and_edition_are_read_as_people_write_them() {
    let api = Server::shared().api();
    let laps = "./Device/Vendor/MSFT/LAPS/Policies/PasswordLength";
    let ask = |more: Value| {
        let mut body = json!({"uri": laps, "op": "Replace", "format": "int", "value": "14"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check(&api, &body)["error_kind"].clone()
    };
    for build in ["10.0.22621.1479", "22621.1479", "10.0.17134", "17134"] {
        assert_eq!(ask(json!({"os_build": build})), "not_applicable_os", "{build}");
    }
    for build in ["10.0.22621.1480", "22631.1480", "22621", "26100"] {
        assert_eq!(ask(json!({"os_build": build})), Value::Null, "{build}");
    }
    for edition in [json!(0x87), json!("0x87"), json!("135"), json!("HOLOGRAPHIC"), json!("PRODUCT_HOLOGRAPHIC")] {
        assert_eq!(ask(json!({"edition": edition})), "not_applicable_edition", "{edition}");
    }
    assert_eq!(ask(json!({"value": 14})), Value::Null, "a number for its text");
    for (field, odd) in [("os_build", json!("Windows 11")), ("edition", json!("Home")), ("op", json!("Set"))] {
        let mut body = json!({"uri": laps, "op": "Get"});
        body[field] = odd;
        let problem = api.post("/csp/check", &body, 422);
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
    }
    let many = vec![json!({"uri": laps, "op": "Get"}); 1001];
    assert_eq!(api.post("/csp/check", &json!(many), 422)["code"], "invalid");
}

#[test]
fn nodes_are_found_by_words_page_by_page_and_by_address() {
    let api = Server::shared().api();
    let found = api.list("/csp/nodes?query=camera%20allow&limit=2");
    assert_eq!(found[0]["path"], CAMERA);
    let mut paths: Vec<&str> = found.iter().map(|node| node["path"].as_str().unwrap()).collect();
    let count = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), count, "none twice");
    assert!(count > 2 && paths.iter().all(|path| path.to_lowercase().contains("camera")), "{paths:?}");

    let exact = api.get("/csp/nodes?query=./Vendor/MSFT/Policy/Config/Camera/AllowCamera");
    assert_eq!(exact["items"].as_array().unwrap().len(), 1);
    assert_eq!(exact["items"][0]["allowed"]["values"], json!(["0", "1"]));
    let detail = api.get("/csp/node?uri=./Vendor/MSFT/Firewall/MdmStore/FirewallRules/My%2520Rule");
    assert_eq!(detail["names"], json!(["My Rule"]));
    assert_eq!(detail["atomic"], true);
    assert!(detail["children"].as_array().unwrap().len() > 10, "{detail}");
    let answer = api.send(Request::get("/csp/node?uri=./Vendor/MSFT/Policy/Config/Camera/AllowCamra"));
    assert_eq!(answer.status, 404);
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["suggestions"][0], "./Vendor/MSFT/Policy/Config/Camera/AllowCamera", "{problem}");
}

#[test]
fn raw_commands_are_refused_where_the_catalogue_knows_better() {
    let server = Server::start();
    let (device, _) = FakeDevice::settled(&server);
    let (api, id) = (server.api(), device.id(&server));
    let wrong = [
        (command("Replace", CAMERA, "int", "7"), "value_not_in_enum"),
        (command("Replace", CAMERA, "chr", "1"), "wrong_format"),
        (read("Exec", CAMERA), "op_not_allowed"),
        (command("Replace", "./Vendor/MSFT/Policy/Config/Camera/allowcamera", "int", "1"), "unknown_node"),
        (
            command("Replace", "./Device/Vendor/MSFT/Policy/Config/Search/ConfigureSearchOnTaskbarMode", "int", "1"),
            "not_applicable_os",
        ),
    ];
    for (xml, kind) in &wrong {
        let answer = api.try_command(&id, xml, "");
        assert_eq!(answer.status, 422, "{xml}: {}", answer.text());
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["code"], "refused_by_catalogue");
        assert_eq!(problem["errors"][0]["kind"], *kind, "{problem}");
    }
    let atomic = format!(
        "<Atomic><CmdID>1</CmdID>{}{}</Atomic>",
        command("Replace", CAMERA, "int", "1"),
        command("Replace", CAMERA, "int", "2")
    );
    let problem: Value = serde_json::from_slice(&api.try_command(&id, &atomic, "").body).unwrap();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "Atomic[1]/Replace[2]/Item[1]");
    for xml in [
        read("Get", "./Vendor/MSFT"),
        read("Get", "./Vendor/MSFT/DeviceStatus?list=Struct"),
        read("Get", "./Device/Vendor/MSFT/DMClient/Provider/Muster/EntDMID?prop=Type"),
        command("Replace", CAMERA, "int", "0"),
        command("Replace", "./Device/Vendor/MSFT/Policy/Config/Contoso~Policy~A/B", "chr", "&lt;enabled/&gt;"),
    ] {
        let answer = api.try_command(&id, &xml, "?dry_run=true");
        assert_eq!(answer.status, 200, "{xml}: {}", answer.text());
    }
    let secret = command("Replace", CAMERA, "int", "hunter2");
    let told = api.try_command(&id, &secret, "");
    assert!(!told.text().contains("hunter2"), "{}", told.text());
    assert_eq!(api.try_command(&id, &secret, "?unchecked=true").status, 202);
    is_audited(&api, "command.create", "unchecked although 1 refused: wrong_format");
}

#[test]
fn a_decision_goes_before_the_catalogue_and_is_named() {
    let server = Server::start();
    let api = server.api();
    let ask = |value: &str, edition: &str| {
        check(&api, &json!({"uri": CAMERA, "op": "Replace", "format": "int", "value": value, "edition": edition}))
    };
    assert_eq!(ask("2", "0x4")["error_kind"], "value_not_in_enum");
    let values = json!({"path": CAMERA, "ruling": "values", "allowed": {"kind": "Range", "min": 0, "max": 2},
        "reason": "Contoso's build has it"});
    let id = decide(&api, &values);
    let answer = ask("2", "0x4");
    assert_eq!((&answer["ok"], &answer["override"]["id"]), (&json!(true), &json!(id)), "{answer}");
    assert_eq!(ask("3", "0x4")["error_kind"], "value_out_of_range");
    assert_eq!(ask("1", "0x4")["override"]["reason"], "Contoso's build has it");

    decide(&api, &json!({"path": CAMERA, "edition": "ENTERPRISE", "ruling": "refuse", "reason": "never"}));
    assert_eq!(ask("1", "0x4")["error_kind"], "refused_by_override");
    assert_eq!(ask("1", "0x30")["error_kind"], Value::Null);
    let csp = "./Device/Vendor/MSFT/LanguagePackManagement";
    let packs = json!({"uri": format!("{csp}/InstalledLanguages"), "op": "Get", "os_build": "26100.1"});
    assert_eq!(check(&api, &packs)["error_kind"], "not_applicable_os");
    let again = decide(&api, &json!({"path": format!("{csp}/*"), "ruling": "allow", "reason": "it is there"}));
    assert_eq!(check(&api, &packs)["warnings"][0]["kind"], "override");
    let same = decide(&api, &json!({"path": format!("{csp}/*"), "ruling": "allow", "reason": "tried"}));
    assert_eq!(again, same, "one decision for one scope");
    assert_eq!(api.list("/csp/overrides?limit=1").len(), 3);
    api.delete(&format!("/csp/overrides/{again}"));
    assert_eq!(check(&api, &packs)["error_kind"], "not_applicable_os");
    is_audited(&api, "csp.override", "refuse: never");
    is_audited(&api, "csp.override_withdraw", "allow");

    let odd = [
        (json!({"path": "Camera", "ruling": "allow", "reason": "x"}), "/path"),
        (json!({"path": CAMERA, "ruling": "allow", "reason": " "}), "/reason"),
        (json!({"path": CAMERA, "ruling": "values", "reason": "x"}), "/allowed"),
        (
            json!({"path": CAMERA, "ruling": "values", "allowed": {"kind": "RegEx", "pattern": "("}, "reason": "x"}),
            "/allowed",
        ),
    ];
    for (body, pointer) in odd {
        let problem = put(&api, &body);
        assert_eq!(problem.status, 422, "{body}: {}", problem.text());
        assert!(problem.text().contains(&format!("\"pointer\":\"{pointer}\"")), "{body}: {}", problem.text());
    }
}

#[test]
fn newer_descriptions_count_at_once_and_after_a_restart() {
    let mut server = Server::start();
    let api = server.api();
    let level = json!({"uri": "./Vendor/MSFT/Contoso/Level", "op": "Replace", "format": "int", "value": "11"});
    assert_eq!(check(&api, &level)["error_kind"], "unknown_node");
    let bytes = archive("Drop2031/Contoso.xml", CONTOSO);
    let (status, report) = import(&api, bytes.clone(), "?dry_run=true");
    assert_eq!((status, &report["new"]["count"], &report["dry_run"]), (200, &json!(9), &json!(true)), "{report}");
    assert_eq!(report["gone"]["count"], 5955, "{}", report["gone"]["count"]);
    assert_eq!(check(&api, &level)["error_kind"], "unknown_node", "a dry run changes nothing");

    let (status, report) = import(&api, bytes, "");
    assert_eq!((status, &report["version"]), (200, &json!("Drop2031")), "{report}");
    assert_eq!(check(&api, &level)["error_kind"], "value_out_of_range");
    assert_eq!(check(&api, &json!({"uri": CAMERA, "op": "Get"}))["ok"], true, "the embedded nodes stay");
    is_audited(&api, "csp.import", "9 new");
    server.restart();
    let api = server.api();
    assert_eq!(check(&api, &level)["error_kind"], "value_out_of_range");
    assert_eq!(api.get("/csp/catalogue")["imported"]["version"], "Drop2031");
    api.delete("/csp/catalogue");
    assert_eq!(check(&api, &level)["error_kind"], "unknown_node");
    assert_eq!(api.get("/csp/catalogue")["imported"], Value::Null);
}

#[test]
fn an_archive_that_is_a_bomb_changes_nothing() {
    let api = Server::shared().api();
    let before = api.get("/csp/catalogue");
    let bomb = archive("a.xml", &" ".repeat(8 << 20));
    let traversal = archive("../a.xml", CONTOSO);
    let nested = archive("a.zip", "PK");
    for (bytes, words) in [
        (bomb, "times its size"),
        (traversal, "leads out"),
        (nested, "archive itself"),
        (b"no archive".to_vec(), "not a zip archive"),
        (archive("a.xml", "<html/>"), "not a device description"),
    ] {
        let (status, problem) = import(&api, bytes, "");
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
    }
    assert_eq!(api.get("/csp/catalogue"), before);
}

/// A device of a build that no other test has.
fn device_of_build(server: &Server, build: &str) -> FakeDevice {
    let user = server.api().add_user();
    let mut device = FakeDevice::enroll(server, &user, Profile { os_version: build.to_owned(), ..Profile::new() });
    device.settle();
    device
}

fn offer(api: &Api, device: &str, kind: &str) -> Value {
    let document = api.device(device);
    let offers = document["actions"].as_array().unwrap();
    offers.iter().find(|offer| offer["type"] == kind).unwrap_or_else(|| panic!("{kind}: {offers:?}")).clone()
}

#[test]
fn what_devices_answer_is_known_of_their_build() {
    let server = Server::start();
    let api = server.api();
    let refusing: Vec<String> = (0..5)
        .map(|_| {
            let mut device = device_of_build(&server, "10.0.22631.4000");
            device.csp.rule("Exec", "RemoteLock/Lock", Answer::Status(404));
            let id = device.id(&server);
            assert_eq!(offer(&api, &id, "lock")["available"], true);
            let action = api.act(&id, &json!({"type": "lock"}));
            device.settle();
            assert_eq!(api.action_state(&action), "unsupported");
            id
        })
        .collect();
    let own = offer(&api, &refusing[0], "lock");
    assert_eq!(own["available"], false);
    assert!(own["reason"].as_str().unwrap().contains("this device answered 404"), "{own}");

    // One that was never asked, of the same build and edition: told once upkeep has written it down.
    let next = device_of_build(&server, "10.0.22631.4000").id(&server);
    let told = crate::support::eventually("the answers of the others count", || {
        let offer = offer(&api, &next, "lock");
        (offer["available"] == false).then_some(offer)
    });
    assert!(told["reason"].as_str().unwrap().contains("devices of this build and edition"), "{told}");
    assert_eq!(api.act_refused(&next, &json!({"type": "lock"})), "not_supported_by_device");
    let ask = json!({"uri": LOCK, "op": "Exec", "device": next});
    let warned = check(&api, &ask);
    assert_eq!(warned["warnings"][0]["kind"], "refused_before", "{warned}");
    let shown = api.get(&format!("/csp/node?uri={LOCK}"));
    let answers = shown["answers"].as_array().unwrap();
    let absent = answers.iter().find(|answer| answer["status"] == 404).unwrap();
    assert_eq!((&absent["sign"], &absent["answers"], &absent["build"]), (&json!("absent"), &json!(5), &json!(22631)));

    // Another build knows nothing of it, and a decision of an administrator goes before it.
    let other = device_of_build(&server, "10.0.26100.4000").id(&server);
    assert_eq!(offer(&api, &other, "lock")["available"], true);
    decide(&api, &json!({"path": LOCK, "ruling": "allow", "reason": "try again"}));
    assert_eq!(offer(&api, &next, "lock")["available"], true);
    api.act(&next, &json!({"type": "lock"}));
}

#[test]
fn what_works_on_a_device_beats_the_catalogue() {
    let server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let (api, id) = (server.api(), device.id(&server));
    let node = "./Device/Vendor/MSFT/Policy/Config/Search/ConfigureSearchOnTaskbarMode";
    let xml = command("Replace", node, "int", "1");
    assert_eq!(api.try_command(&id, &xml, "").status, 422, "its build is too old by the description");
    device.csp.rule("Replace", "ConfigureSearchOnTaskbarMode", Answer::Status(200));
    api.command(&id, &xml);
    device.settle();
    let taken = crate::support::eventually("what worked is known", || {
        let answer = api.try_command(&id, &xml, "?dry_run=true");
        (answer.status == 200).then(|| serde_json::from_slice::<Value>(&answer.body).unwrap())
    });
    assert_eq!(taken["warnings"][0]["kind"], "shown", "{taken}");
    let wrong = api.try_command(&id, &command("Replace", node, "int", "999"), "");
    assert_eq!(wrong.status, 422, "values are judged all the same");
}
