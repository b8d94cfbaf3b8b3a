//! The next certificate of an enrolled device: who gets one, what it is asked with, and how long the one before is good.

use std::time::Duration;

use muster::failpoint;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csr::Csr;
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::{Address, Connection, once};
use crate::support::keys::Key;
use crate::support::renewing::Renewal;
use crate::support::server::Server;
use crate::support::soap::{self, username_token};
use crate::support::{certificate, openssl};

fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn state(api: &Api, serial: &str) -> String {
    api.certificate(serial)["state"].as_str().unwrap().to_owned()
}

/// Whether a session of the device is refused.
fn is_shut_out(device: &mut FakeDevice) -> bool {
    let message = device.package_one().xml();
    device.post(message).status == 403
}

/// The causes of the renewals of a device that were refused, newest first.
fn causes(api: &Api, device: &FakeDevice) -> Vec<String> {
    let name = device.profile.device_name.as_str();
    let attempts = api.list("/enrollment-attempts");
    let mine = attempts.iter().filter(|attempt| attempt["device_name"] == name && attempt["phase"] == "renew");
    let mine = mine.inspect(|attempt| assert_eq!(attempt["road"], "certificate", "{attempt:#}"));
    let failed = mine.filter(|attempt| attempt["outcome"] == "failed");
    failed.map(|attempt| attempt["cause"].as_str().unwrap().to_owned()).collect()
}

#[test]
// covers: E-97, E-99, E-101, E-102, M-26
fn the_one_before_is_good_until_a_session_with_the_new_one() {
    let (mut device, id, api) = settled();
    let old = device.chain().serial();
    let renewal = Renewal::new(Server::shared(), &device);
    let leaf = renewal.accepted(&device);
    let new = certificate::serial_of(&leaf);
    assert_eq!((state(&api, &old), state(&api, &new)), ("valid".into(), "waiting".into()), "E-102");
    assert!(device.check_in().is_quiet(), "E-102, M-26: a session with the one before");
    let told = api.wait_for_event("cert.renewed", &id);
    assert!(certificate::same_serial(told["data"]["serial"].as_str().unwrap(), &new), "{told}");
    assert_eq!(state(&api, &new), "waiting", "that session was not with the new one");
    let mut renewed = device.clone();
    renewed.adopt(Server::shared(), renewal.key, leaf);
    // A session that began with the one before ends where one begins with the new one.
    let setting = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";
    let command = api.command(&id, setting);
    let reply = device.start_session();
    reply.expect("Get", "/HwV");
    let late = device.answer(&reply).xml();
    renewed.number_sessions_from(500);
    renewed.check_in();
    let shown = api.certificate(&old);
    assert_eq!((&shown["state"], shown["superseded_at"].is_string()), (&json!("superseded"), true), "M-26: {shown}");
    assert_eq!(state(&api, &new), "valid");
    assert_eq!(device.post(late).status, 403, "M-26: the message of the session before");
    assert!(is_shut_out(&mut device), "M-26: a superseded certificate opens nothing");
    renewed.settle();
    assert_eq!(api.command_state(&command), "succeeded", "nothing is lost");
    assert!(api.wait_for_event("cert.used", &id)["data"]["serial"].is_string());
}

#[test]
// covers: E-97, E-99
fn requests_of_every_known_shape_are_accepted() {
    let server = Server::shared();
    let (device, _, _) = settled();
    // The last one is that of the published sample: SHA-1, no signed attributes.
    let shapes: [(&str, bool, &[&str]); 4] = [
        (soap::PKCS7, true, &["-md", "sha256"]),
        (soap::PKCS7_WSTEP, false, &["-md", "sha256", "-nocerts"]),
        (soap::PKCS7_WSTEP, true, &["-md", "sha512", "-noattr"]),
        (soap::PKCS7, false, &["-md", "sha1", "-noattr"]),
    ];
    for (value_type, is_doubled, options) in shapes {
        let renewal = Renewal { value_type, is_doubled, options: options.to_vec(), ..Renewal::new(server, &device) };
        renewal.accepted(&device);
    }
}

#[test]
// covers: E-101
fn the_certificate_of_a_machine_goes_into_the_machines_store() {
    let server = Server::shared();
    let user = server.api().add_user();
    let profile = Profile { enrollment_type: "Device".to_owned(), ..Profile::new() };
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.renew(server);
    device.settle();
}

#[test]
// covers: E-96, S-25
fn without_the_certificate_in_tls_nobody_renews() {
    let server = Server::shared();
    let (device, _, _) = settled();
    let request = soap::post("/EnrollmentServer/Renew.svc", Renewal::new(server, &device).soap().xml());
    let nobody = once(&server.device_url, &server.tls().config(), &request);
    assert_eq!((nobody.status, nobody.body.len()), (403, 0), "E-96");
}

#[test]
// covers: E-98, E-100, E-105, S-25
fn only_the_key_in_use_gets_a_new_key_in() {
    let server = Server::shared();
    let (device, _, api) = settled();
    let (other, _, _) = settled();
    let good = Renewal::new(server, &device);
    let fresh = server.key();
    let with_csr = |csr: Vec<u8>| Renewal { csr, ..good.clone() };
    let of_key = |key: &Key| Csr::windows(&device.profile.device_id).der(key);
    let small = Key::from_file(openssl::generate_rsa("1024", "65537"));
    let cases = [
        (Renewal { signer: (other.chain().leaf.clone(), other.key.clone()), ..good.clone() }, "another certificate"),
        (
            Renewal {
                options: vec!["-md", "sha256", "-nocerts"],
                signer: (other.chain().leaf.clone(), other.key.clone()),
                ..good.clone()
            },
            "another than",
        ),
        (with_csr(of_key(&device.key)), "not a new one"),
        (with_csr(of_key(&other.key)), "another enrollment"),
        (with_csr(of_key(&small)), "bits"),
        (with_csr(Csr::windows("x").badly_signed(&fresh)), "does not verify"),
        (with_csr(b"no request".to_vec()), "not PKCS#10"),
        (Renewal { value_type: soap::PKCS10, ..good.clone() }, "not PKCS#7"),
        (Renewal { value_type: "x", ..good.clone() }, "not PKCS#7"),
        (good.clone().saying("DeviceID", &other.profile.device_id), "DeviceID"),
        (good.clone().saying("HWDevID", &other.profile.hw_dev_id), "HWDevID"),
    ];
    for (renewal, cause) in cases {
        renewal.refused(&device);
        let told = causes(&api, &device);
        assert!(told[0].contains(cause), "{cause:?}: {told:?}");
    }
    let unsigned = Renewal { options: vec!["-md", "md5"], ..good.clone() };
    unsigned.refused(&device);
    let mut bent = good.clone().soap();
    bent.body = bent.body.replace("#base64binary\">", "#base64binary\">!");
    let request = soap::post("/EnrollmentServer/Renew.svc", bent.xml());
    let refused = bent.refused(&once(&server.device_url, &device.tls().config(), &request));
    refused.is("E-105", "s:Authorization", Some("NotEligibleToRenew"));
    good.saying("DeviceName", "RENAMED").accepted(&device);
}

#[test]
// covers: E-104, E-105
fn the_renewal_service_renews_and_does_nothing_else() {
    let server = Server::shared();
    let (device, _, _) = settled();
    for word in ["Issue", "Recovery", "Validate"] {
        let good = Renewal::new(server, &device);
        let other = Renewal { request_type: format!("{}/{word}", soap::TRUST), ..good };
        other.soap().refused(&other.send(&device)).is("E-104", "s:MessageFormat", Some("NotSupported"));
    }
    let mut soap = Renewal::new(server, &device).soap();
    soap.body = "<x/>".to_owned();
    let request = soap::post("/EnrollmentServer/Renew.svc", soap.xml());
    let response = once(&server.device_url, &device.tls().config(), &request);
    soap.refused(&response).is("E-105", "s:MessageFormat", None);
    let broken = soap::post("/EnrollmentServer/Renew.svc", "<x");
    assert_eq!(once(&server.device_url, &device.tls().config(), &broken).status, 400, "E-105");
}

#[test]
// covers: E-100, E-105, S-25
fn a_device_that_is_over_does_not_renew() {
    let server = Server::shared();
    let (revoked, _, api) = settled();
    api.post(&format!("/certificates/{}/revoke", revoked.chain().serial()), &json!({"reason": "lost"}), 200);
    Renewal::new(server, &revoked).refused(&revoked);
    assert!(causes(&api, &revoked)[0].contains("lost"), "the ledger says why");
    let (retiring, id, _) = settled();
    api.act(&id, &json!({"type": "retire"}));
    Renewal::new(server, &retiring).refused(&retiring);
    assert!(causes(&api, &retiring)[0].contains("retiring"));
    let (mut retired, _, _) = settled();
    let leaving = retired.leave();
    retired.exchange(&leaving);
    Renewal::new(server, &retired).refused(&retired);
    let (mut renewed, _, _) = settled();
    let before = renewed.clone();
    renewed.renew(server);
    // Asking with the one that waits shows that it arrived.
    renewed.renew(server);
    Renewal::new(server, &before).refused(&before);
    let told = causes(&api, &renewed);
    assert!(told[0].contains("next one"), "a superseded one neither: {told:?}");
    renewed.settle();
}

#[test]
// covers: E-137
fn a_repeated_renewal_gets_the_same_and_another_one_replaces_it() {
    let server = Server::shared();
    let (mut device, id, api) = settled();
    let first = Renewal::new(server, &device);
    let leaf = first.accepted(&device);
    assert_eq!(first.accepted(&device), leaf, "E-137: the same key gets the same certificate");
    let again = Renewal { options: vec!["-md", "sha512"], ..Renewal::of(&device, first.key.clone()) };
    assert_eq!(again.accepted(&device), leaf, "E-137: whatever it is signed with");
    let second = Renewal::new(server, &device);
    let other = second.accepted(&device);
    assert_ne!(other, leaf);
    let unused = api.certificate(&certificate::serial_of(&leaf));
    assert_eq!(unused["state"], "revoked", "E-137: {unused}");
    assert!(api.wait_for_event("cert.revoked", &id)["data"]["reason"].as_str().unwrap().contains("never used"));
    first.refused(&device);
    let mut stale = device.clone();
    stale.adopt(server, first.key.clone(), leaf);
    assert!(is_shut_out(&mut stale), "E-137: the replaced one opens nothing");
    assert!(device.check_in().is_quiet(), "M-26");
    device.adopt(server, second.key, other);
    device.settle();
}

#[test]
// covers: E-137, S-25
fn of_two_renewals_at_once_one_certificate_waits() {
    let server = Server::shared();
    let (mut device, id, api) = settled();
    let renewals: Vec<Renewal> = (0..6).map(|_| Renewal::new(server, &device)).collect();
    let requests: Vec<_> = renewals.iter().map(Renewal::soap).collect();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = |soap: &soap::Soap| {
            let request = soap::post("/EnrollmentServer/Renew.svc", soap.xml());
            once(&server.device_url, &device.tls().config(), &request)
        };
        let all: Vec<_> = requests.iter().map(|soap| scope.spawn(move || send(soap))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut granted = Vec::new();
    for (renewal, response) in renewals.iter().zip(&answers) {
        if response.status == 200 {
            granted.push((renewal, renewal.accepted_by(&device, response)));
        } else {
            renewal.soap().refused(response).is("E-137", "s:Authorization", Some("NotEligibleToRenew"));
        }
    }
    let waiting = || {
        let all = api.list(&format!("/certificates?device={id}"));
        let waits = all.iter().filter(|certificate| certificate["state"] == "waiting").count();
        (all.len(), waits)
    };
    assert_eq!(waiting(), (granted.len() + 1, 1), "E-137, S-25: one waits");
    let good = granted.iter().find(|(_, leaf)| state(&api, &certificate::serial_of(leaf)) == "waiting");
    let (renewal, leaf) = good.expect("the one that waits was handed out").clone();
    device.adopt(server, renewal.key.clone(), leaf);
    device.settle();
    assert_eq!(waiting().1, 0);
}

#[test]
// covers: S-25
fn renewals_have_a_limit_of_their_own() {
    let server = Server::shared();
    let (device, _, api) = settled();
    let granted = (0..12).take_while(|_| {
        let renewal = Renewal::new(server, &device);
        let response = renewal.send(&device);
        response.status == 200 || renewal.soap().refused(&response).error_type.is_none()
    });
    let granted = granted.count();
    assert!((2..12).contains(&granted), "S-25: {granted} renewals at once");
    assert!(causes(&api, &device)[0].contains("too often"), "{:?}", causes(&api, &device));
}

#[test]
// covers: E-103
fn the_empty_password_of_a_renewal_counts_for_nothing() {
    let server = Server::start();
    let user = server.api().add_user();
    let device = FakeDevice::enroll(&server, &user, Profile::new());
    let other = FakeDevice::enroll(&server, &user, Profile::new());
    for renewal in [Renewal::new(&server, &device), Renewal::new(&server, &device).saying("DeviceID", "other")] {
        let named = Renewal { credentials: username_token(&user.email, ""), ..renewal };
        for _ in 0..101 {
            let response = named.send(&device);
            assert!(matches!(response.status, 200 | 500), "E-103: {}", response.text());
        }
    }
    Renewal { credentials: String::new(), ..Renewal::new(&server, &other) }.accepted(&other);
    Attempt::new(&server, &user).accepted(&server);
}

#[test]
// covers: R-16, E-102
fn a_death_between_issue_and_answer_leaves_the_one_before_good() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    let renewal = Renewal::new(&server, &device);
    let place = failpoint::REPLY_MADE;
    assert!(server.restart_under(&[("FAILPOINTS", &format!("{place}=return"))]));
    device.follow(&server);
    let request = soap::post("/EnrollmentServer/Renew.svc", renewal.soap().xml());
    let answer = Connection::open(&Address::of(&server.device_url), &device.tls().config())
        .and_then(|mut connection| connection.send(&request));
    assert!(answer.is_err(), "R-16: {answer:?}");
    assert!(server.dies_within(Duration::from_secs(30)), "{place}");
    server.restart();
    device.follow(&server);
    device.provisioned.renewal_url = format!("{}/EnrollmentServer/Renew.svc", server.device_url);
    assert!(device.check_in().is_quiet(), "R-16: the certificate before is good");
    let leaf = renewal.accepted(&device);
    device.adopt(&server, renewal.key, leaf);
    assert!(device.check_in().is_quiet());
    let all: Vec<Value> = server.api().list("/certificates");
    assert_eq!(all.len(), 2, "R-16: the renewal that was not answered was not done twice");
}
