//! Leaving: retire by the administrator, leaving by the user, wipe.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::Request;
use crate::support::reply::Reply;
use crate::support::server::Server;

const SETTING: &str = r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/Setting</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#;

fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn state(api: &Api, device: &str) -> String {
    api.device(device)["state"].as_str().expect("a device has a state").to_owned()
}

/// Asserts that a message holds the Unenroll of our provider and nothing else.
#[track_caller]
fn assert_unenroll(device: &FakeDevice, reply: &Reply) {
    let provider = &device.provisioned.provider_id;
    let exec = reply.expect("Exec", "/Unenroll");
    let uri = format!("./Device/Vendor/MSFT/DMClient/Provider/{provider}/Unenroll");
    assert_eq!((exec.uri(), exec.data()), (uri.as_str(), Some(provider.as_str())), "M-111: {}", exec.xml);
    assert_eq!(exec.items[0].format.as_deref(), Some("chr"), "M-111: {}", exec.xml);
    assert_eq!(reply.commands.len(), 1, "M-74, M-136: alone in its message: {}", reply.xml);
}

#[test]
// covers: M-111, M-136, M-137, M-99, M-22, M-74
fn a_retired_device_leaves_and_is_refused_afterwards() {
    let (mut device, id, api) = settled();
    let setting = api.command(&id, SETTING);
    let lock = api.act(&id, &json!({"type": "lock"}));
    let retire = api.act(&id, &json!({"type": "retire"}));
    assert_eq!(state(&api, &id), "retiring", "1.18");
    assert_eq!((api.command_state(&setting), api.action_state(&lock)), ("cancelled".into(), "cancelled".into()), "7.4");
    let reply = device.start_session();
    assert_unenroll(&device, &reply);
    assert_eq!(api.action_state(&retire), "sent");
    let leaving = device.leave();
    let answered = device.post(leaving.xml());
    let last = device.judge(&leaving.xml(), &answered);
    assert!(last.commands.is_empty() && last.is_final, "M-99: {}", last.xml);
    assert_eq!((state(&api, &id), api.action_state(&retire)), ("retired".into(), "succeeded".into()), "M-136");
    let again = device.post(leaving.xml());
    assert_eq!((again.status, again.body), (200, answered.body), "M-137: byte for byte");
    let next = device.package_one().xml();
    device.post(next).expect_status("M-136, M-22: the certificate is refused", 403);
    let again = device.post(leaving.xml());
    assert_eq!(again.status, 200, "M-137: the repetition still is answered");
    api.wait_for_event("device.retired", &id);
}

#[test]
// covers: M-136
fn a_retiring_device_gets_nothing_else() {
    let (mut device, id, api) = settled();
    api.act(&id, &json!({"type": "retire"}));
    for body in [json!({"type": "lock"}), json!({"type": "wipe"}), json!({"type": "reboot"})] {
        api.act_refused(&id, &body);
    }
    let refused = api.try_command(&id, SETTING, "?unchecked=true");
    refused.expect_status("7.4: no other command is taken on", 409);
    let reply = device.start_session();
    assert_unenroll(&device, &reply);
}

#[test]
// covers: M-112
fn unenroll_is_repeated_three_times_and_then_given_up() {
    for code in [None, Some(200)] {
        let (mut device, id, api) = settled();
        let retire = api.act(&id, &json!({"type": "retire"}));
        let mut offers = 0;
        for _ in 0..6 {
            let reply = device.start_session();
            if reply.find("Exec", "/Unenroll").is_none() {
                break;
            }
            assert_unenroll(&device, &reply);
            offers += 1;
            if code.is_some() {
                let message = device.answer(&reply);
                device.exchange(&message);
            }
        }
        assert_eq!(offers, 4, "M-112: once and three more times, Status {code:?}");
        if code.is_none() {
            let shown = api.action(&retire);
            assert_eq!(shown["state"], "failed", "M-112: {shown}");
            let advice = shown["detail"].as_str().is_some_and(|d| d.contains("wipe") || d.contains("block"));
            assert!(advice, "7.4: advice to wipe or block: {shown}");
        }
        assert_eq!(state(&api, &id), "active", "1.18: back to active");
        let setting = api.command(&id, SETTING);
        device.settle();
        assert_eq!(api.command_state(&setting), "succeeded", "1.18: managed as before");
    }
}

#[test]
// covers: M-136
fn a_status_for_unenroll_is_not_yet_the_end() {
    let (mut device, id, api) = settled();
    let retire = api.act(&id, &json!({"type": "retire"}));
    let reply = device.start_session();
    let message = device.answer(&reply);
    let next = device.exchange(&message);
    assert!(next.commands.is_empty(), "7.4: {}", next.xml);
    assert_eq!((api.action_state(&retire), state(&api, &id)), ("succeeded".into(), "retiring".into()), "7.4");
    let leaving = device.leave();
    device.exchange(&leaving);
    assert_eq!(state(&api, &id), "retired", "7.4");
}

#[test]
// covers: M-99
fn a_user_may_leave_unasked() {
    let (mut device, id, api) = settled();
    let setting = api.command(&id, SETTING);
    let wipe = api.act(&id, &json!({"type": "wipe"}));
    let leaving = device.leave();
    let last = device.exchange(&leaving);
    assert!(last.commands.is_empty(), "M-99: {}", last.xml);
    assert_eq!(state(&api, &id), "retired", "M-99");
    assert_eq!(
        (api.command_state(&setting), api.action_state(&wipe)),
        ("cancelled".into(), "cancelled".into()),
        "M-99"
    );
    let shown = api.device(&id);
    assert!(shown["inventory"].as_object().is_some_and(|i| !i.is_empty()), "7.4: history and inventory stay");
    let event = api.wait_for_event("device.retired", &id);
    assert!(event["data"].to_string().contains("user"), "7.4: with the reason: {event}");
}

#[test]
// covers: M-100
fn the_alert_is_recognised_in_its_odd_spellings() {
    let spellings = [
        r#"<Meta><Type xmlns="syncml:metinfo"> com.microsoft:mdm.unenrollment.userrequest</Type><Format xmlns="syncml:metinfo">int</Format></Meta>"#,
        r#"<Meta><Format xmlns="syncml:metinf">int</Format><Mark xmlns="syncml:metinf">critical</Mark><Type xmlns="syncml:metinf">com.microsoft:mdm.unenrollment.userrequest</Type></Meta>"#,
        r#"<Meta><Type>COM.Microsoft:MDM.Unenrollment.UserRequest</Type></Meta>"#,
    ];
    for meta in spellings {
        let (mut device, id, api) = settled();
        let mut message = device.open();
        message.alert(1201);
        message.command("Alert", &format!("<Data>1226</Data><Item>{meta}<Data>1</Data></Item>"));
        let last = device.exchange(&message);
        assert!(last.commands.is_empty(), "M-100: {meta}: {}", last.xml);
        assert_eq!(state(&api, &id), "retired", "M-100: {meta}");
    }
}

#[test]
// covers: M-106
fn unknown_alerts_are_kept() {
    let (mut device, id, api) = settled();
    let mut message = device.package_one();
    message.typed_alert(1224, "com.example/Something/New", "chr", "first <payload>");
    message.typed_alert(1226, "Reversed-Domain-Name:com.example.other", "int", "-5");
    message.alert(1299);
    device.exchange(&message);
    for payload in ["first <payload>", "com.example.other"] {
        crate::support::eventually("M-106: an event alert.received", || {
            let fits = |e: &Value| e["type"] == "muster.alert.received" && e["subject"] == id.as_str();
            let tells = |e: &Value| e["data"].to_string().contains(payload);
            api.events().into_iter().find(|e| fits(e) && tells(e))
        });
    }
    assert_eq!(state(&api, &id), "active", "M-106");
    let listed = api.list(&format!("/devices/{id}/alerts?limit=2"));
    let told: Vec<_> = listed.iter().map(|alert| (&alert["code"], &alert["type"], &alert["known"])).collect();
    let (unknown, none) = (json!(false), json!(""));
    let (new, other) = (json!("com.example/Something/New"), json!("Reversed-Domain-Name:com.example.other"));
    let expected = [(&json!(1299), &none, &unknown), (&json!(1226), &other, &unknown), (&json!(1224), &new, &unknown)];
    assert_eq!(told, expected, "M-106: {listed:#?}");
    let first = &listed[2];
    assert_eq!((&first["data"], &first["format"]), (&json!("first <payload>"), &json!("chr")), "M-106");
    assert_eq!(first["session_id"], api.sessions(&id)[0]["id"], "M-106");
}

#[test]
// covers: M-107, M-146
fn what_may_be_secret_in_an_alert_is_neither_listed_nor_told() {
    let (mut device, id, api) = settled();
    let mut message = device.package_one();
    let secrets = ["psk-in-an-alert", "said-by-nobody", "eyJ-a-token"];
    let about = |source: &str, kind: &str, data: &str| {
        let source =
            if source.is_empty() { String::new() } else { format!("<Source><LocURI>{source}</LocURI></Source>") };
        let kind = format!(r#"<Meta><Type xmlns="syncml:metinf">{kind}</Type></Meta>"#);
        format!("<Data>1226</Data><Item>{source}{kind}<Data>{data}</Data></Item>")
    };
    message.command("Alert", &about("./Vendor/MSFT/WiFi/Profile/x/WlanXml", "com.example:wifi", secrets[0]));
    message.command("Alert", &about("", "", secrets[1]));
    message.command("Alert", &about("", "com.microsoft/MDM/AADUserToken", secrets[2]));
    message.command("Alert", &about("./Vendor/MSFT/Example/Node", "com.example:plain", "not secret"));
    device.exchange(&message);
    let listed = api.list(&format!("/devices/{id}/alerts"));
    assert_eq!(listed.len(), 3, "tokens are not kept at all: {listed:#?}");
    assert_eq!(
        (&listed[0]["data"], &listed[0]["source"]),
        (&json!("not secret"), &json!("./Vendor/MSFT/Example/Node"))
    );
    assert_eq!(listed[2]["data_bytes"], secrets[0].len());
    assert!(listed[2]["data"].as_str().unwrap().starts_with("[redacted 15 bytes "), "{listed:#?}");
    let events = crate::support::eventually("the events", || {
        let of_device = |e: &Value| e["type"] == "muster.alert.received" && e["subject"] == id.as_str();
        let events: Vec<Value> = api.events().into_iter().filter(of_device).collect();
        (events.len() == 3).then_some(events)
    });
    let all = format!("{listed:?}{events:?}");
    assert!(secrets.iter().all(|secret| !all.contains(secret)), "{all}");
    let missing = api.send(Request::get("/devices/00000000-0000-7000-8000-000000000000/alerts"));
    assert_eq!(missing.status, 404);
}

#[test]
// covers: M-113, M-74
fn each_wipe_uses_its_node_alone_and_last() {
    let variants = [
        ("wipe", "doWipe"),
        ("protected", "doWipeProtected"),
        ("cloud", "doWipeCloud"),
        ("keep_provisioning", "doWipePersistProvisionedData"),
        ("keep_user_data", "doWipePersistUserData"),
        ("cloud_keep_user_data", "doWipeCloudPersistUserData"),
        ("cloud_keep_provisioning", "doWipeCloudPersistProvisionedData"),
    ];
    for (variant, node) in variants {
        let (mut device, id, api) = settled();
        let setting = api.command(&id, SETTING);
        let action = api.act(&id, &json!({"type": "wipe", "variant": variant}));
        let visit = device.check_in();
        let exec = visit.find("Exec", &format!("/RemoteWipe/{node}")).unwrap_or_else(|| panic!("7.5: {variant}"));
        assert_eq!(
            (exec.items[0].format.as_deref(), exec.data()),
            (Some("chr"), Some("")),
            "7.5: empty Data: {}",
            exec.xml
        );
        assert!(visit.find("Replace", "/Setting").is_some(), "M-74: what came before goes out before");
        assert_eq!(api.command_state(&setting), "succeeded");
        assert_eq!(
            (api.action_state(&action), state(&api, &id)),
            ("succeeded".into(), "wiping".into()),
            "1.18: {variant}"
        );
        for _ in 0..2 {
            assert!(device.check_in().is_quiet(), "M-138: a wipe with Status 200 is never offered again");
        }
    }
}

#[test]
// covers: M-113
fn protected_and_cloud_fall_back_to_the_plain_wipe() {
    for (variant, node) in [("protected", "/doWipeProtected"), ("cloud", "/doWipeCloud")] {
        let (mut device, id, api) = settled();
        device.csp.rule("Exec", node, Answer::Status(404));
        let action = api.act(&id, &json!({"type": "wipe", "variant": variant}));
        device.settle();
        assert_eq!(device.csp.times("Exec", node), 1, "M-113: {variant}");
        assert_eq!(device.csp.times("Exec", "/doWipe"), 1, "M-113: {variant}");
        assert_eq!(api.action_state(&action), "succeeded", "M-113: {variant}");
    }
}

#[test]
// covers: M-113
fn a_wipe_that_keeps_data_does_not_fall_back() {
    let variants = [
        ("keep_user_data", "/doWipePersistUserData"),
        ("keep_provisioning", "/doWipePersistProvisionedData"),
        ("cloud_keep_user_data", "/doWipeCloudPersistUserData"),
    ];
    for (variant, node) in variants {
        let (mut device, id, api) = settled();
        device.csp.rule("Exec", node, Answer::Status(404));
        let action = api.act(&id, &json!({"type": "wipe", "variant": variant}));
        device.settle();
        assert_eq!(api.action_state(&action), "unsupported", "M-113: {variant}");
        assert_eq!(device.csp.times("Exec", "/doWipe"), 0, "M-113: {variant}");
        assert_eq!(state(&api, &id), "active", "M-113: {variant}");
    }
}

#[test]
// covers: M-113
fn a_wipe_that_failed_is_shown_as_failed() {
    let (mut device, id, api) = settled();
    device.csp.rule("Exec", "/doWipe", Answer::Failed(500, "0x80004005"));
    let action = api.act(&id, &json!({"type": "wipe"}));
    device.settle();
    let shown = api.action(&action);
    assert_eq!((shown["state"].as_str(), state(&api, &id).as_str()), (Some("failed"), "active"), "7.5: {shown}");
    assert_eq!(device.csp.times("Exec", "/doWipe"), 1, "7.5: not repeated by itself");
}

#[test]
// covers: M-113
fn a_hololens_is_offered_two_variants() {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    let profile = Profile { os_edition: "136".to_owned(), ..Profile::new() };
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.settle();
    let id = device.id(server);
    for variant in ["protected", "cloud", "keep_user_data", "cloud_keep_user_data", "cloud_keep_provisioning"] {
        api.act_refused(&id, &json!({"type": "wipe", "variant": variant}));
    }
    for variant in ["wipe", "keep_provisioning"] {
        let action = api.act(&id, &json!({"type": "wipe", "variant": variant}));
        api.delete(&format!("/actions/{action}"));
    }
}

#[test]
// covers: R-04, M-63
fn a_wipe_is_not_doubled_by_a_retransmission() {
    let (mut device, id, api) = settled();
    let action = api.act(&id, &json!({"type": "wipe"}));
    let message = device.package_one().xml();
    let lost = device.post(message.clone());
    let again = device.post(message.clone());
    assert_eq!(lost.body, again.body, "R-04: the same bytes");
    let reply = device.judge(&message, &again);
    reply.expect("Exec", "/doWipe");
    assert_eq!(api.action_state(&action), "sent", "R-04");
    device.finish(reply);
    assert_eq!(api.action_state(&action), "succeeded", "R-04");
    assert_eq!(device.csp.times("Exec", "/doWipe"), 1, "R-04");
}

#[test]
// covers: M-138, M-66
fn a_wipe_without_status_is_unknown_and_not_offered_at_once() {
    let (mut device, id, api) = settled();
    let action = api.act(&id, &json!({"type": "wipe"}));
    device.start_session().expect("Exec", "/doWipe");
    let visit = device.check_in();
    assert!(visit.find("Exec", "/doWipe").is_none(), "M-138: not sooner than 10 minutes");
    assert_eq!(api.action_state(&action), "unknown", "M-66");
    api.wait_for_event("action.unknown", &id);
}

#[test]
// covers: M-139, R-03
fn a_wiped_machine_that_enrolls_again_is_a_new_enrollment() {
    let server = Server::shared();
    let api = server.api();
    let (mut device, user) = FakeDevice::settled(server);
    let id = device.id(server);
    api.act(&id, &json!({"type": "wipe"}));
    device.check_in();
    assert_eq!(state(&api, &id), "wiping");
    let mut again = FakeDevice::enroll(server, &user, device.profile.reset());
    again.settle();
    assert_eq!(again.csp.times("Exec", "/doWipe"), 0, "M-139, R-03");
    assert_eq!(again.document(server)["state"], "active", "M-139");
}
