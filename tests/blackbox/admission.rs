//! Which devices are let in: the rules of `[enroll]`, and registered devices.

use serde_json::{Value, json};

use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::server::{Server, muster};
use crate::support::soap::{self, Fault, Soap, username_token};
use crate::support::{random_hex, unique};

fn start(keys: &[(&str, &str)]) -> Server {
    let keys: Vec<(String, &str)> =
        keys.iter().map(|(key, value)| (format!("MUSTER__ENROLL__{key}"), *value)).collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    Server::start_with(&keys)
}

/// The fault that a new PC with this profile gets.
#[track_caller]
fn refused(server: &Server, profile: Profile) -> Fault {
    let ada = server.api().add_user();
    Attempt::of(server, &ada, profile).refused(server)
}

fn pc(os_edition: &str, os_version: &str) -> Profile {
    Profile { os_edition: os_edition.to_owned(), os_version: os_version.to_owned(), ..Profile::new() }
}

#[test]
// covers: E-105
fn home_is_refused_with_its_own_fault() {
    let server = Server::shared();
    for home in ["101", "100", "98"] {
        let fault = refused(server, pc(home, "10.0.26100.1"));
        fault.is("E-105", "s:Authorization", Some("DeviceNotSupported"));
        assert!(fault.reason.contains("Windows Home"), "{}", fault.reason);
    }
    FakeDevice::enroll(server, &server.api().add_user(), pc("188", "10.0.26100.1"));
}

#[test]
fn builds_and_editions_follow_the_rules() {
    let rules = [("MIN_BUILD", "22621.3000"), ("MAX_BUILD", "26100"), ("EDITIONS", "[\"Enterprise\", \"48\"]")];
    let server = start(&rules);
    let user = server.api().add_user();
    for (edition, version) in [("48", "10.0.22621.3000"), ("4", "10.0.26100.9999")] {
        FakeDevice::enroll(&server, &user, pc(edition, version));
    }
    let cases = [
        (pc("48", "10.0.22621.2999"), "too old"),
        (pc("48", "10.0.19045.4000"), "too old"),
        (pc("48", "10.0.27000.1"), "not supported here yet"),
        (pc("121", "10.0.22631.1"), "edition"),
        (pc("", "10.0.22631.1"), "edition"),
    ];
    for (profile, word) in cases {
        let fault = refused(&server, profile.clone());
        fault.is("E-105", "s:Authorization", Some("DeviceNotSupported"));
        assert!(fault.reason.contains(word), "{profile:?}: {}", fault.reason);
    }
    let failed = server.api().list("/enrollment-attempts?outcome=failed");
    assert!(failed.iter().all(|attempt| attempt["hresult"] == "0x80180014"), "{failed:#?}");
    assert!(failed.iter().any(|attempt| attempt["cause"].as_str().unwrap().contains("older than 22621.3000")));
}

#[test]
// covers: S-11
fn networks_are_judged_before_anything_else() {
    let server = start(&[("NETWORKS", "[\"192.0.2.0/24\"]")]);
    let ada = server.api().add_user();
    let answer = |password: &str| {
        let soap = Soap::get_policies(&username_token(&ada.email, password));
        let fault = soap.refused(&server.web(&soap.request()));
        fault.is("E-105", "s:Authorization", Some("CustomServerError"));
        fault.without_ids()
    };
    // From there nobody learns whether a password is right, however often.
    let right = answer(&ada.password);
    for _ in 0..12 {
        assert_eq!(answer("wrong"), right);
    }
    refused(&server, Profile::new()).is("E-105", "s:Authorization", Some("CustomServerError"));
    let failed = server.api().list("/enrollment-attempts?outcome=failed&limit=100");
    assert!(failed.iter().all(|attempt| attempt["cause"] == "devices are not enrolled from 127.0.0.1"), "{failed:#?}");
    let near = start(&[("NETWORKS", "[\"127.0.0.0/8\", \"::1\"]")]);
    FakeDevice::new(&near);
}

#[test]
fn the_limit_for_all_holds_at_once() {
    let server = start(&[("MAX_DEVICES", "3")]);
    let users: Vec<_> = (0..8).map(|_| server.api().add_user()).collect();
    let attempts: Vec<_> = users.iter().map(|user| Attempt::new(&server, user)).collect();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let running: Vec<_> = attempts.iter().map(|attempt| scope.spawn(|| attempt.send(&server).status)).collect();
        running.into_iter().map(|each| each.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 3, "{answers:?}");
    assert_eq!(server.api().list("/devices?limit=100").len(), 3);
    refused(&server, Profile::new()).is("E-105", "s:Authorization", Some("DeviceCapReached"));
    // The same machine again is none more.
    let place = answers.iter().position(|status| *status == 200).unwrap();
    Attempt::of(&server, &users[place], attempts[place].profile.reset()).send(&server).expect_status("", 200);
}

#[test]
// covers: S-10
fn only_registered_devices_get_anything() {
    for (key, value) in [("ADMISSION", "registered"), ("OWNERSHIP", "corporate")] {
        let server = start(&[(key, value)]);
        let api = server.api();
        // An invented device with the credentials of a person.
        let fault = refused(&server, Profile::new());
        fault.is("S-10", "s:Authorization", Some("CustomServerError"));
        assert!(api.list("/devices").is_empty() && api.list("/certificates").is_empty(), "S-10: nothing was issued");
        let hardware = random_hex(32);
        let known: [(&str, String, Profile); 3] = [
            ("hw_dev_id", hardware.to_lowercase(), Profile { hw_dev_id: hardware.clone(), ..Profile::new() }),
            ("serial", "PF3ABC12".to_owned(), with("SerialNumber", "pf3abc12")),
            ("autopilot", AUTOPILOT.to_owned(), with("ZeroTouchProvisioning", AUTOPILOT)),
        ];
        for (kind, value, profile) in known {
            let entry = api.post("/registered-devices", &json!({"kind": kind, "value": value, "note": "lab"}), 201);
            let ada = api.add_user();
            let mut device = FakeDevice::enroll(&server, &ada, profile.clone());
            assert_eq!(device.document(&server)["state"], "active", "{kind}");
            device.settle();
            api.post("/registered-devices", &json!({"kind": kind, "value": value}), 409);
            api.delete(&format!("/registered-devices/{}", entry["id"].as_str().unwrap()));
            // It stays, and another one like it does not come.
            assert!(device.check_in().is_quiet());
        }
        assert!(api.list("/registered-devices").is_empty());
    }
}

#[test]
// covers: S-10
fn what_was_refused_is_registered_from_its_attempt() {
    let server = start(&[("ADMISSION", "registered")]);
    let api = server.api();
    let profile = Profile::new();
    let ada = api.add_user();
    Attempt::of(&server, &ada, profile.clone()).refused(&server);
    let attempt = api.list("/enrollment-attempts?outcome=failed").remove(0);
    assert_eq!(attempt["refused"], "not_registered", "{attempt:#}");
    assert_eq!(attempt["claims"]["hw_dev_id"], profile.hw_dev_id, "{attempt:#}");
    assert!(attempt["device_name"].is_string() && attempt["os_version"].is_string(), "{attempt:#}");
    let id = attempt["id"].as_str().unwrap();
    assert!(attempt["advice"]["fix"].as_str().unwrap().contains("muster device register --attempt"), "{attempt:#}");
    let output = muster().args(["device", "register", "--attempt", id, "--data"]).arg(server.data()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    FakeDevice::enroll(&server, &ada, profile);
    let both = json!({"kind": "serial", "value": "PF3ABC12", "attempt_id": id});
    api.post("/registered-devices", &both, 422);
    // Another device comes under what that one told.
    let other = Profile { more_items: vec![("SerialNumber".to_owned(), "PF3ABC12".to_owned())], ..Profile::new() };
    api.post("/registered-devices", &json!({"kind": "serial", "value": "PF3ABC12"}), 201);
    FakeDevice::enroll(&server, &api.add_user(), other.clone());
    let third = Profile { hw_dev_id: random_hex(32), ..other };
    Attempt::of(&server, &api.add_user(), third).refused(&server);
    let attempt = api.list("/enrollment-attempts?outcome=failed").remove(0);
    assert_eq!((&attempt["refused"], &attempt["claims"]), (&"registration_in_use".into(), &json!({})), "{attempt:#}");
    let refused = api.post("/registered-devices", &json!({"attempt_id": attempt["id"]}), 409);
    assert_eq!(refused["code"], "nothing_to_register");
}

#[test]
// covers: S-10
fn a_pc_takes_all_its_registrations() {
    let server = start(&[("ADMISSION", "registered")]);
    let api = server.api();
    let register = |kind: &str, value: &str| {
        api.post("/registered-devices", &json!({"kind": kind, "value": value}), 201);
    };
    let (bob, eve) = (api.add_user(), api.add_user());
    let own = with("SerialNumber", "PF3ABC12");
    register("serial", "PF3ABC12");
    register("hw_dev_id", &own.hw_dev_id);
    let invented = [
        with("SerialNumber", "PF3ABC12"),
        Profile { hw_dev_id: own.hw_dev_id.clone(), ..Profile::new() },
        Profile { hw_dev_id: own.hw_dev_id.clone(), ..with("SerialNumber", "PF3ABC12") },
    ];
    let all_refused = |what: &str| {
        for profile in &invented {
            let fault = Attempt::of(&server, &eve, profile.clone()).refused(&server);
            fault.is("S-10", "s:Authorization", Some("CustomServerError"));
            assert!(fault.reason.contains("Another device"), "S-10: {what}: {}", fault.reason);
        }
    };
    FakeDevice::enroll(&server, &bob, own.clone());
    all_refused("enrolled with both");
    // The same machine, which does not tell its serial number now, in the place of the one before.
    let silent = Profile { more_items: Vec::new(), ..own.reset() };
    let mut device = FakeDevice::enroll(&server, &bob, silent.clone());
    all_refused("in its own place");
    // And once more after it had left.
    let leaving = device.leave();
    device.exchange(&leaving);
    FakeDevice::enroll(&server, &bob, silent.reset());
    all_refused("after it had left");
    // What a PC never claimed is not tied to it.
    let other = with("SerialNumber", "PF3ABC13");
    register("serial", "PF3ABC13");
    register("hw_dev_id", &other.hw_dev_id);
    FakeDevice::enroll(&server, &api.add_user(), Profile { more_items: Vec::new(), ..other });
    FakeDevice::enroll(&server, &eve, with("SerialNumber", "PF3ABC13"));
}

#[test]
fn a_pc_that_is_to_leave_makes_way() {
    let server = start(&[("ADMISSION", "registered")]);
    let api = server.api();
    api.post("/registered-devices", &json!({"kind": "serial", "value": "PF3ABC12"}), 201);
    let pc = || with("SerialNumber", "PF3ABC12");
    let (ada, bob, cyn) = (api.add_user(), api.add_user(), api.add_user());
    let mut device = FakeDevice::enroll(&server, &ada, pc());
    let id = device.id(&server);
    device.settle();
    let wipe = api.act(&id, &json!({"type": "wipe"}));
    Attempt::of(&server, &bob, pc()).refused(&server).is("S-10", "s:Authorization", Some("CustomServerError"));
    device.check_in();
    assert_eq!((api.action_state(&wipe).as_str(), &api.device(&id)["state"]), ("succeeded", &json!("wiping")));
    // It is handed on at once, and does not call again.
    let device = FakeDevice::enroll(&server, &bob, pc());
    let id = device.id(&server);
    Attempt::of(&server, &cyn, pc()).refused(&server).is("S-10", "s:Authorization", Some("CustomServerError"));
    api.act(&id, &json!({"type": "retire"}));
    assert_eq!(api.device(&id)["state"], "retiring");
    let device = FakeDevice::enroll(&server, &cyn, pc());
    assert_eq!(device.document(&server)["state"], "active");
    Attempt::of(&server, &bob, pc()).refused(&server).is("S-10", "s:Authorization", Some("CustomServerError"));
}

const AUTOPILOT: &str = "7c0f6f0e-5f6b-4a55-9d6e-2f0a1b2c3d44";

fn with(item: &str, value: &str) -> Profile {
    Profile { more_items: vec![(item.to_owned(), value.to_owned())], ..Profile::new() }
}

#[test]
// covers: S-10
fn administrators_alone_decide_and_the_command_line_does_so() {
    let server = start(&[("ADMISSION", "approval")]);
    let api = server.api();
    let (device, _) = FakeDevice::new(&server);
    let id = device.id(&server);
    let token = api.post("/tokens", &json!({"name": "help desk", "role": "operator"}), 201);
    let operator = api.with_token(token["token"].as_str());
    operator.post(&format!("/devices/{id}/approve"), &json!({}), 403);
    operator.post("/registered-devices", &json!({"kind": "serial", "value": "PF3ABC12"}), 403);
    let run = |arguments: &[&str]| {
        let output = muster().args(arguments).arg("--data").arg(server.data()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = run(&["device", "approve", &id]);
    assert!(code == 0 && out.contains("is active"), "{out}{err}");
    let (code, out, err) = run(&["device", "approve", &id]);
    assert!(code == 4 && err.contains("does not wait"), "{code} {out}{err}");
    let (code, out, _) = run(&["device", "register", "PF3ABC12", "PF3ABC13", "--note", "lab 7"]);
    assert!(code == 0 && out.contains("registered PF3ABC13"), "{out}");
    let (code, out, err) = run(&["device", "register", "None", "PF3ABC14"]);
    assert!(code == 4 && out.contains("PF3ABC14") && err.contains("None"), "{out}{err}");
    let (code, out, _) = run(&["device", "registered", "--json"]);
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, listed["items"].as_array().unwrap().len()), (0, 3), "{out}");
    let (code, _, err) = run(&["device", "unregister", listed["items"][0]["id"].as_str().unwrap()]);
    assert_eq!((code, api.list("/registered-devices").len()), (0, 2), "{err}");
}

#[test]
// covers: S-11
fn discovery_serves_its_domains_and_tells_of_no_users() {
    let server = start(&[("DOMAINS", "[\"example.test\"]")]);
    let ada = server.api().add_user();
    let answer = |email: &str| {
        let soap = soap::discover(email);
        soap.accepted(&server.web(&soap.request())).source
    };
    let known = answer(&ada.email);
    for email in [format!("nobody-{}@example.test", unique()), format!("ADA-{}@Example.Test", unique())] {
        assert_eq!(answer(&email), known, "S-11: {email}");
    }
    for foreign in ["ada@elsewhere.test", "ada@example.test.elsewhere.test", "ada@notexample.test", "ada@test"] {
        let soap = soap::discover(foreign);
        let fault = soap.refused(&server.web(&soap.request()));
        fault.is("S-11", "s:Authorization", Some("NotSupported"));
    }
    // Nor does the policy service: an unknown user is a wrong password.
    let refused = |name: &str| {
        let soap = Soap::get_policies(&username_token(name, "wrong"));
        soap.refused(&server.web(&soap.request())).without_ids()
    };
    assert_eq!(refused(&ada.email), refused("nobody@example.test"), "S-11");
}

#[test]
fn rules_that_do_not_do_are_named_at_start() {
    let data = crate::support::server::fresh_installation().join("data");
    let file = data.join("muster.toml");
    let plain = std::fs::read_to_string(&file).unwrap();
    let cases = [
        ("min_build = \"\"", "min_build = \"11\\u0020pro\"", "enroll.min_build"),
        ("max_build = \"\"", "max_build = \"x\"", "enroll.max_build"),
        ("editions = []", "editions = [\"Ultimate\"]", "enroll.editions"),
        ("ownership = \"any\"", "ownership = \"mine\"", "enroll.ownership"),
        ("admission = \"anyone\"", "admission = \"nobody\"", "enroll.admission"),
        ("networks = []", "networks = [\"10.0.0.0/33\"]", "enroll.networks"),
    ];
    for (default, line, key) in cases {
        std::fs::write(&file, plain.replace(&format!("# {default}"), line)).unwrap();
        let output = muster().args(["check-config", "--data"]).arg(&data).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(key) && said.contains("line"), "{line}: {said}");
    }
}
