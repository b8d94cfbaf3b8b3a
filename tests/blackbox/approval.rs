//! Devices that wait for approval: what they get before it, and about which of them is decided.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::FakeDevice;
use crate::support::http::Request;
use crate::support::server::{Server, muster};

const REPLACE: &str = r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/Secret</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>wifi key</Data></Item></Replace>"#;

/// A server where every device has to be approved.
fn start() -> Server {
    Server::start_with(&[("MUSTER__ENROLL__ADMISSION", "approval")])
}

/// What the command line answers: its code, and both of its streams together.
fn run(server: &Server, arguments: &[&str]) -> (i32, String) {
    let output = muster().args(arguments).arg("--data").arg(server.data()).output().unwrap();
    let texts = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap(), texts.concat())
}

fn enrollment(api: &Api, device: &str) -> String {
    api.device(device)["enrollment_id"].as_str().unwrap().to_owned()
}

fn operator(api: &Api) -> Api {
    let token = api.post("/tokens", &json!({"name": "help desk", "role": "operator"}), 201);
    api.with_token(token["token"].as_str())
}

/// The audit rows of a decision.
fn audited(api: &Api, action: &str) -> Vec<Value> {
    api.list("/audit?limit=200").into_iter().filter(|row| row["action"] == action).collect()
}

#[test]
// covers: S-10
fn nothing_is_delivered_before_approval() {
    let server = start();
    let api = server.api();
    let mut devices: Vec<(FakeDevice, String)> = (0..2)
        .map(|_| {
            let device = FakeDevice::new(&server).0;
            let id = device.id(&server);
            (device, id)
        })
        .collect();
    for (device, id) in &mut devices {
        assert_eq!(api.device(id)["state"], "pending");
        let command = api.command(id, REPLACE);
        for _ in 0..3 {
            let reply = device.start_session();
            assert!(!reply.xml.contains("wifi key"), "S-10: {}", reply.xml);
            assert!(reply.commands.is_empty(), "S-10: nothing but statuses: {}", reply.xml);
        }
        assert_eq!(api.command_document(&command)["state"], "queued");
    }
    let (waiting, refused) = (devices[0].1.clone(), devices[1].1.clone());
    assert_eq!(api.list("/devices?state=pending").len(), 2);
    let approved = api.post(&format!("/devices/{waiting}/approve"), &json!({}), 200);
    assert_eq!(approved["state"], "active");
    let visit = devices[0].0.check_in();
    assert!(visit.find("Replace", "/Secret").is_some(), "what waited is delivered");
    assert_eq!(api.post(&format!("/devices/{waiting}/approve"), &json!({}), 409)["code"], "not_pending");
    let answer = api.post(&format!("/devices/{refused}/refuse"), &json!({"reason": "not ours"}), 200);
    assert_eq!(answer["state"], "retiring");
    let visit = devices[1].0.check_in();
    assert!(visit.find("Exec", "/Unenroll").is_some() && visit.find("Replace", "/Secret").is_none(), "S-10");
    let told = |kind: &str, id: &str| api.events().iter().any(|event| event["type"] == kind && event["subject"] == id);
    crate::support::eventually("both decisions are told", || {
        (told("muster.device.approved", &waiting) && told("muster.device.refused", &refused)).then_some(())
    });
    let audit = api.list("/audit?limit=200");
    let row = |action: &str| audit.iter().find(|row| row["action"] == action).unwrap_or_else(|| panic!("{action}"));
    assert_eq!(row("device.approve")["outcome"], "ok");
    assert!(row("device.refuse").to_string().contains("not ours"), "{}", row("device.refuse"));
}

#[test]
// covers: S-10, S-12
fn what_was_never_approved_never_becomes_active() {
    let server = start();
    let api = server.api();
    // Whoever has not to decide about a device cannot do so by withdrawing what was ordered.
    let operator = operator(&api);
    let (mut device, _) = FakeDevice::new(&server);
    let id = device.id(&server);
    let retire = operator.act(&id, &json!({"type": "retire"}));
    operator.delete(&format!("/actions/{retire}"));
    assert_eq!(api.device(&id)["state"], "pending");
    let command = api.command(&id, REPLACE);
    assert!(device.check_in().is_quiet());
    assert_eq!(api.command_state(&command), "queued");
    // One that is refused is asked to leave; whatever it does, it gets nothing else.
    for says_no in [true, false] {
        let (mut device, _) = FakeDevice::new(&server);
        let id = device.id(&server);
        api.post(&format!("/devices/{id}/refuse"), &json!({}), 200);
        if says_no {
            device.csp.rule("Exec", "/Unenroll", Answer::Failed(500, "0x80004005"));
            let reply = device.start_session();
            assert!(reply.find("Exec", "/Unenroll").is_some() && reply.commands.len() == 1, "S-10: {}", reply.xml);
            let answer = device.answer(&reply);
            assert!(device.exchange(&answer).commands.is_empty(), "S-10");
        } else {
            for _ in 0..4 {
                assert!(device.start_session().find("Exec", "/Unenroll").is_some());
            }
            assert!(device.start_session().commands.is_empty(), "S-10: asked often enough");
        }
        assert_eq!(api.device(&id)["state"], "blocked", "{}", api.device(&id));
        let next = device.package_one().xml();
        device.post(next).expect_status("S-12: its certificate is revoked", 403);
        assert!(api.is_revoked(&device.chain().serial()), "S-12");
        api.wait_for_event("device.blocked", &id);
        api.act_refused(&id, &json!({"type": "lock"}));
    }
}

#[test]
// covers: S-10
fn what_is_approved_is_the_enrollment_that_was_looked_at() {
    let server = start();
    let api = server.api();
    let (device, ada) = FakeDevice::new(&server);
    let id = device.id(&server);
    let seen = api.device(&id)["enrollment_id"].clone();
    // Somebody with her password comes as the same machine meanwhile.
    let other = FakeDevice::enroll(&server, &ada, device.profile.reset());
    assert_eq!(other.id(&server), id, "the same hardware");
    for verb in ["approve", "refuse"] {
        let refused = api.post(&format!("/devices/{id}/{verb}"), &json!({"enrollment_id": seen}), 409);
        assert_eq!(refused["code"], "enrolled_again");
    }
    assert_eq!(api.device(&id)["state"], "pending");
    let (code, text) = run(&server, &["device", "approve", &id, "--enrollment", seen.as_str().unwrap()]);
    assert!(code == 4 && text.contains("enrolled again"), "{code} {text}");
    let now = json!({"enrollment_id": api.device(&id)["enrollment_id"]});
    // The same once more, because the answer was lost, changes nothing.
    for _ in 0..2 {
        assert_eq!(api.post(&format!("/devices/{id}/approve"), &now, 200)["state"], "active");
    }
    assert_eq!(audited(&api, "device.approve").len(), 1);
    assert_eq!(api.post(&format!("/devices/{id}/refuse"), &now, 409)["code"], "not_pending");
    assert_eq!(api.post(&format!("/devices/{id}/approve"), &json!({"enrollment_id": "x"}), 422)["code"], "invalid");
}

#[test]
// covers: S-10
fn a_device_that_comes_again_waits_again() {
    let server = start();
    let (device, ada) = FakeDevice::new(&server);
    let id = device.id(&server);
    // A body may be left out, and a client that was generated from the OpenAPI document may say so by `null`.
    server.api().post(&format!("/devices/{id}/approve"), &Value::Null, 200);
    // The hardware id is a claim: whoever knows it and the password could make use of the approval.
    let again = FakeDevice::enroll(&server, &ada, device.profile.reset());
    assert_eq!(again.document(&server)["state"], "pending");
}

#[test]
// covers: S-10
fn a_device_that_enrolled_again_while_it_waited_is_named_by_its_enrollment() {
    let server = start();
    let api = server.api();
    let (device, ada) = FakeDevice::new(&server);
    let (id, name) = (device.id(&server), device.profile.device_name.clone());
    let first = enrollment(&api, &id);
    let listed = || run(&server, &["device", "list", "--state", "pending"]).1;
    let shown = listed();
    assert!(shown.contains("ENROLLED (UTC)") && shown.contains(&first[..13]), "{shown}");
    // Somebody who knows her password brings another one in its place; id and name stay.
    let mut other = FakeDevice::enroll(&server, &ada, device.profile.reset());
    let second = enrollment(&api, &id);
    let document = api.device(&id);
    assert_eq!((&document["name"], &document["state"]), (&json!(name), &json!("pending")));
    assert_eq!((&document["approval"], &document["replaced_unapproved"]), (&json!("awaited"), &json!(first)));
    let shown = listed();
    assert!(shown.contains(&second[..13]) && shown.contains(&first[..13]), "the list tells both: {shown}");
    for verb in ["approve", "refuse"] {
        let refused = api.post(&format!("/devices/{id}/{verb}"), &json!({}), 409);
        assert_eq!(refused["code"], "enrollment_not_named", "S-10: {refused}");
        let (code, text) = run(&server, &["device", verb, &name]);
        assert_eq!(code, 4, "S-10: {text}");
        assert!(text.contains(&first) && text.contains(&second) && text.contains("--enrollment"), "{text}");
    }
    // It leaves and comes once more: still nobody has looked at what stands there.
    let leaving = other.leave();
    other.exchange(&leaving);
    let other = FakeDevice::enroll(&server, &ada, other.profile.reset());
    let third = enrollment(&api, &id);
    assert_eq!(api.device(&id)["replaced_unapproved"], json!(second));
    assert_eq!(run(&server, &["device", "approve", &name]).0, 4, "S-10");
    assert_eq!(api.device(&id)["state"], "pending");
    let (code, text) = run(&server, &["device", "approve", &name, "--enrollment", &third[..13]]);
    assert!(code == 0 && text.contains("is active"), "{text}");
    // What replaces one that was let in is looked at for the first time.
    FakeDevice::enroll(&server, &ada, other.profile.reset());
    assert_eq!(api.device(&id)["replaced_unapproved"], Value::Null);
    let (code, text) = run(&server, &["device", "approve", &name]);
    assert!(code == 0 && text.contains("is active"), "{text}");
}

#[test]
// covers: S-10, S-12
fn nobody_takes_a_refusal_back() {
    let server = start();
    let api = server.api();
    let operator = operator(&api);
    let refused = |id: &str, retire: &str, reason: &str| {
        for who in [&operator, &api] {
            let response = who.send(Request::new("DELETE", &format!("/actions/{retire}")));
            assert_eq!(response.status, 409, "S-12: {}", response.text());
            assert!(response.text().contains("device_refused"), "{}", response.text());
        }
        let document = api.device(id);
        assert_eq!((&document["state"], &document["approval"]), (&json!("retiring"), &json!("refused")), "S-10");
        assert!(audited(&api, "device.refuse").iter().any(|row| row.to_string().contains(reason)), "{reason}");
        assert_eq!(api.wait_for_event("device.refused", id)["data"]["reason"], reason);
    };
    let (device, _) = FakeDevice::new(&server);
    let id = device.id(&server);
    let body = json!({"enrollment_id": enrollment(&api, &id), "reason": "not ours"});
    for _ in 0..2 {
        api.post(&format!("/devices/{id}/refuse"), &body, 200);
    }
    let retire = api.list(&format!("/actions?device={id}")).remove(0);
    refused(&id, retire["id"].as_str().unwrap(), "not ours");
    assert_eq!(audited(&api, "device.refuse").len(), 1, "the same once more changes nothing");
    // One that the help desk has sent away already is refused all the same, and stays so.
    let (mut device, _) = FakeDevice::new(&server);
    let id = device.id(&server);
    let retire = operator.act(&id, &json!({"type": "retire"}));
    assert_eq!(api.post(&format!("/devices/{id}/approve"), &json!({}), 409)["code"], "not_pending");
    let too_long = json!({"reason": "x".repeat(1001)});
    assert_eq!(api.post(&format!("/devices/{id}/refuse"), &too_long, 422)["code"], "invalid");
    let (code, text) = run(&server, &["device", "refuse", &id, "--reason", "a stranger's"]);
    assert!(code == 0 && text.contains("is retiring"), "{text}");
    refused(&id, &retire, "a stranger's");
    assert_eq!(api.list(&format!("/actions?device={id}")).len(), 1, "it is asked to leave once");
    assert!(device.check_in().find("Exec", "/Unenroll").is_some());
}
