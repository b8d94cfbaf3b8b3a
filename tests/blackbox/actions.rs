//! Lock, PIN reset, reboot, rename, TenantLockdown and the life of an action from order to end.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile, Visit};
use crate::support::http::Request;
use crate::support::server::Server;

fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn detail(action: &Value) -> String {
    action["detail"].as_str().unwrap_or_default().to_lowercase()
}

/// Orders an action, lets the device meet it, returns what came of it.
#[track_caller]
fn carried_out(device: &mut FakeDevice, api: &Api, id: &str, body: &Value) -> (Value, Visit) {
    let action = api.act(id, body);
    let visit = device.check_in();
    (api.action(&action), visit)
}

#[test]
// covers: M-109
fn a_lock_succeeds_on_200_only() {
    let (mut device, id, api) = settled();
    let action = api.act(&id, &json!({"type": "lock"}));
    let reply = device.start_session();
    let exec = reply.expect("Exec", "/RemoteLock/Lock").clone();
    assert!(exec.uri().starts_with("./") && exec.data().is_none(), "7.2: an Exec without Data: {}", exec.xml);
    assert_eq!(api.action_state(&action), "sent", "M-109: sent is not done");
    device.finish(reply);
    let shown = api.action(&action);
    assert_eq!(
        (shown["state"].as_str(), shown["status"].to_string().trim_matches('"')),
        (Some("succeeded"), "200"),
        "M-109"
    );
    for kind in ["action.queued", "action.sent", "action.succeeded"] {
        api.wait_for_event(kind, &id);
    }
}

#[test]
// covers: M-109
fn a_lock_that_the_device_does_not_know_is_unsupported() {
    for code in [404, 406, 500] {
        let (mut device, id, api) = settled();
        device.csp.rule("Exec", "/RemoteLock/Lock", Answer::Status(code));
        let (action, _) = carried_out(&mut device, &api, &id, &json!({"type": "lock"}));
        assert_eq!(action["state"], "unsupported", "M-109: {code}: {action}");
        assert!(detail(&action).contains("support"), "M-109: {code}: {action}");
        if code != 500 {
            let refusal = api.act_refused(&id, &json!({"type": "lock"}));
            assert_eq!(refusal, "not_supported_by_device", "7.2: the outcome is remembered: {code}");
        }
    }
}

#[test]
// covers: M-109
fn a_lock_without_a_pin_says_so() {
    let (mut device, id, api) = settled();
    device.csp.rule("Exec", "/RemoteLock/Lock", Answer::Status(405));
    let (action, _) = carried_out(&mut device, &api, &id, &json!({"type": "lock"}));
    assert_eq!(action["state"], "failed", "M-109: {action}");
    assert!(detail(&action).contains("pin"), "M-109: {action}");
    device.csp.forget_rules();
    let (again, _) = carried_out(&mut device, &api, &id, &json!({"type": "lock"}));
    assert_eq!(again["state"], "succeeded", "7.2: that the device has no PIN is passing: {again}");
}

#[test]
fn unlock_drops_a_lock_that_waits() {
    let (mut device, id, api) = settled();
    let lock = api.act(&id, &json!({"type": "lock"}));
    api.post(&format!("/devices/{id}/actions"), &json!({"type": "unlock"}), 202);
    assert_eq!(api.action_state(&lock), "cancelled", "7.2");
    device.settle();
    assert_eq!(device.csp.times("Exec", "/RemoteLock/Lock"), 0, "7.2");
}

#[test]
// covers: M-110, M-146
fn a_pin_reset_shows_the_pin_once() {
    let server = Server::shared();
    let (mut device, id, api) = settled();
    let pin = "73519042";
    device.csp.rule("Get", "/NewPINValue", Answer::Value("chr".to_owned(), pin.to_owned()));
    let action = api.act(&id, &json!({"type": "reset_passcode", "reason": "forgotten"}));
    let reply = device.start_session();
    let sequence = reply.commands.iter().find(|c| c.verb == "Sequence").expect("M-110: a Sequence");
    let steps: Vec<(&str, bool)> =
        sequence.children.iter().map(|c| (c.verb.as_str(), c.targets("/LockAndResetPIN"))).collect();
    assert_eq!(steps, [("Exec", true), ("Get", false)], "M-110: {}", sequence.xml);
    assert!(sequence.children[1].targets("/RemoteLock/NewPINValue"), "M-110: {}", sequence.xml);
    device.finish(reply);
    let shown = api.action(&action);
    assert_eq!(shown["state"], "succeeded", "M-110: {shown}");
    let transcript = crate::support::eventually("the transcript", || {
        let shown = Value::from(api.sessions(&id)).to_string();
        shown.contains("NewPINValue").then_some(shown)
    });
    let recorded = format!("{shown}{}{transcript}{:?}", api.device(&id), api.events());
    assert!(!recorded.contains(pin), "M-110: the PIN is in no document");
    assert!(!server.log().contains(pin), "M-110: the PIN is not logged");
    assert!(!database::holds(server, pin), "M-110: the PIN is not in the database in clear");
    let revealed = api.post(&format!("/actions/{action}/reveal"), &Value::Null, 200);
    assert_eq!(revealed["new_pin"], pin, "M-110");
    let again = api.send(Request::post(&format!("/actions/{action}/reveal"), Vec::new()));
    assert!(matches!(again.status, 404 | 409 | 410), "M-110: shown once: {}", again.status);
    assert!(!format!("{:?}", api.list("/audit?limit=200")).contains(pin), "M-110");
}

#[test]
// covers: M-110
fn the_other_methods_of_a_reset_use_their_nodes() {
    let (mut device, id, api) = settled();
    device.csp.rule("Get", "/NewPINValue", Answer::Value("chr".to_owned(), "1234".to_owned()));
    device.csp.rule("Get", "/ResetPasswordStatus", Answer::Value("int".to_owned(), "0".to_owned()));
    let (_, visit) = carried_out(&mut device, &api, &id, &json!({"type": "reset_passcode", "method": "recover_pin"}));
    assert!(visit.find("Exec", "/RemoteLock/LockAndRecoverPIN").is_some(), "7.3");
    let (action, visit) = carried_out(&mut device, &api, &id, &json!({"type": "reset_passcode", "method": "laps"}));
    assert!(visit.find("Exec", "/LAPS/Actions/ResetPassword").is_some(), "7.3: {action}");
}

#[test]
// covers: M-110
fn a_pin_reset_that_the_device_does_not_know_is_unsupported() {
    let (mut device, id, api) = settled();
    device.csp.rule("Exec", "/LockAndResetPIN", Answer::Status(404));
    device.csp.rule("Get", "/NewPINValue", Answer::Status(404));
    let (action, _) = carried_out(&mut device, &api, &id, &json!({"type": "reset_passcode"}));
    assert_eq!(action["state"], "unsupported", "{action}");
    let nothing = api.send(Request::post(&format!("/actions/{}/reveal", action["id"].as_str().unwrap()), Vec::new()));
    assert!(matches!(nothing.status, 404 | 409 | 410), "there is nothing to reveal: {}", nothing.status);
    assert_eq!(api.act_refused(&id, &json!({"type": "reset_passcode"})), "not_supported_by_device");
}

#[test]
// covers: M-108
fn tenant_lockdown_is_for_autopilot_only() {
    let (_, id, api) = settled();
    assert_eq!(api.act_refused(&id, &json!({"type": "tenant_lockdown", "enable": true})), "not_autopilot");
}

#[test]
// covers: M-108
fn tenant_lockdown_is_written_and_read_back() {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    let mut profile = Profile::new();
    profile.more_items.push(("ZeroTouchProvisioning".to_owned(), "7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f".to_owned()));
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.settle();
    let id = device.id(server);
    for (enable, value) in [(true, "true"), (false, "false")] {
        let action = api.act(&id, &json!({"type": "tenant_lockdown", "enable": enable}));
        let reply = device.start_session();
        let sent = reply.expect("Replace", "/RequireNetworkInOOBE").clone();
        assert_eq!(sent.uri(), "./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE", "M-108");
        let item = &sent.items[0];
        let parts = (item.format.as_deref(), item.kind.as_deref(), item.data.as_deref());
        assert_eq!(parts, (Some("bool"), Some("text/plain"), Some(value)), "M-108: {}", sent.xml);
        let expected = format!(
            r#"<Item><Target><LocURI>./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE</LocURI></Target><Meta><Format xmlns="syncml:metinf">bool</Format><Type xmlns="syncml:metinf">text/plain</Type></Meta><Data>{value}</Data></Item>"#
        );
        assert!(sent.xml.contains(&expected), "M-108: {}", sent.xml);
        device.finish(reply);
        device.settle();
        assert!(device.csp.times("Get", "/RequireNetworkInOOBE") > 0, "7.1: read back and compared");
        assert_eq!(api.action_state(&action), "succeeded", "M-108");
    }
}

#[test]
// covers: M-108
fn tenant_lockdown_on_an_edition_without_it_is_unsupported() {
    // Home does not enroll elsewhere.
    let server = Server::start_with(&[("MUSTER__ENROLL__EDITIONS", "[\"Home\"]")]);
    let server = &server;
    let api = server.api();
    let user = api.add_user();
    let mut profile = Profile { os_edition: "101".to_owned(), ..Profile::new() };
    profile.more_items.push(("ZeroTouchProvisioning".to_owned(), "7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5e".to_owned()));
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.settle();
    device.csp.rule("Replace", "/RequireNetworkInOOBE", Answer::Status(404));
    let id = device.id(server);
    let (action, _) = carried_out(&mut device, &api, &id, &json!({"type": "tenant_lockdown", "enable": true}));
    device.settle();
    assert_eq!(api.action(action["id"].as_str().unwrap())["state"], "unsupported", "7.1: 404 on Home and older builds");
}

#[test]
fn a_reboot_is_an_exec_without_data() {
    let (mut device, id, api) = settled();
    let (action, visit) = carried_out(&mut device, &api, &id, &json!({"type": "reboot"}));
    let exec = visit.find("Exec", "/Reboot/RebootNow").expect("7.7");
    assert!(exec.data().is_none(), "7.7: {}", exec.xml);
    assert_eq!(action["state"], "succeeded", "{action}");
}

#[test]
fn a_rename_writes_the_computer_name() {
    let (mut device, id, api) = settled();
    let (action, visit) = carried_out(&mut device, &api, &id, &json!({"type": "rename", "name": "FRONT-DESK-1"}));
    let sent = visit.find("Replace", "/DNSComputerName").expect("7.24");
    assert_eq!(
        (sent.items[0].format.as_deref(), sent.data()),
        (Some("chr"), Some("FRONT-DESK-1")),
        "7.24: {}",
        sent.xml
    );
    device.settle();
    assert_eq!(api.action_state(action["id"].as_str().unwrap()), "succeeded");
    for name in ["", "a name with blanks", "far-too-long-for-a-computer", "<x>"] {
        let body = json!({"type": "rename", "name": name}).to_string();
        let request = Request::post(&format!("/devices/{id}/actions"), body).header("Content-Type", "application/json");
        let refused = api.send(request);
        assert!(matches!(refused.status, 400 | 422), "7.24: {name:?}: {}", refused.status);
    }
}

#[test]
// covers: M-138
fn a_waiting_action_can_be_cancelled_and_a_sent_one_cannot() {
    let (mut device, id, api) = settled();
    let waiting = api.act(&id, &json!({"type": "wipe"}));
    api.delete(&format!("/actions/{waiting}"));
    assert_eq!(api.action_state(&waiting), "cancelled");
    let sent = api.act(&id, &json!({"type": "reboot"}));
    let reply = device.start_session();
    reply.expect("Exec", "/RebootNow");
    let refused = api.send(Request::new("DELETE", &format!("/actions/{sent}")));
    refused.expect_status("an action that was sent", 409);
    device.finish(reply);
    device.settle();
    assert_eq!(device.csp.times("Exec", "/doWipe"), 0, "a cancelled wipe is never sent");
    api.wait_for_event("action.cancelled", &id);
}

#[test]
// covers: S-05
fn orders_that_make_no_sense_are_refused() {
    let (mut device, id, api) = settled();
    let send = |path: &str, body: &Value| {
        api.send(Request::post(path, body.to_string()).header("Content-Type", "application/json")).status
    };
    let path = format!("/devices/{id}/actions");
    for body in [
        json!({}),
        json!({"type": "explode"}),
        json!({"type": "wipe", "variant": "gently"}),
        json!({"type": 7}),
        json!([]),
    ] {
        let status = send(&path, &body);
        assert!(matches!(status, 400 | 422), "{body}: {status}");
    }
    assert_eq!(send("/devices/no-such-device/actions", &json!({"type": "lock"})), 404);
    assert_eq!(send("/devices/00000000-0000-0000-0000-000000000000/actions", &json!({"type": "wipe"})), 404);
    let garbled = api.send(Request::post(&path, "{not json").header("Content-Type", "application/json"));
    assert!(matches!(garbled.status, 400 | 422), "{}", garbled.status);
    assert!(device.check_in().is_quiet());
}

#[test]
// covers: R-11
fn the_same_idempotency_key_orders_once() {
    let (mut device, id, api) = settled();
    let order = || {
        let body = json!({"type": "reboot"}).to_string();
        let request = Request::post(&format!("/devices/{id}/actions"), body)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", &format!("order-{id}"));
        let response = api.send(request);
        response.expect_status("R-11", 202);
        serde_json::from_slice::<Value>(&response.body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    assert_eq!(order(), order(), "R-11: one order");
    device.settle();
    assert_eq!(device.csp.times("Exec", "/RebootNow"), 1, "R-11");
}

#[test]
// covers: R-08
fn a_failed_action_does_not_block_the_next() {
    let (mut device, id, api) = settled();
    device.csp.rule("Exec", "/RemoteLock/Lock", Answer::Silent);
    device.csp.rule("Exec", "/RebootNow", Answer::Status(599));
    device.csp.rule("Get", "/NewPINValue", Answer::Value("chr".to_owned(), "1234".to_owned()));
    let lock = api.act(&id, &json!({"type": "lock"}));
    let reboot = api.act(&id, &json!({"type": "reboot"}));
    let reset = api.act(&id, &json!({"type": "reset_passcode"}));
    for _ in 0..6 {
        device.check_in();
    }
    assert_eq!(api.action_state(&lock), "unknown", "R-08: a lock without Status");
    assert_eq!(api.action_state(&reboot), "failed", "R-08: an unknown code");
    assert_eq!(api.action_state(&reset), "succeeded", "R-08");
}

#[test]
// covers: S-29
fn actions_are_audited() {
    let (_, id, api) = settled();
    let action = api.act(&id, &json!({"type": "lock", "reason": "left in a train"}));
    let rows = api.list("/audit?limit=200");
    let row = rows
        .iter()
        .find(|r| r.to_string().contains(&action) || (r.to_string().contains(&id) && r.to_string().contains("lock")));
    let row = row.unwrap_or_else(|| panic!("S-29: no audit row for {action}"));
    assert!(row["actor"].is_string() || row["actor"].is_object(), "S-29: {row}");
    assert!(row["action"].is_string() && row["outcome"].is_string(), "S-29: {row}");
}
