//! Revocation takes effect at once, wherever the device is at that moment.

use std::sync::Arc;

use rustls::client::{Resumption, Tls12Resumption};
use rustls::{ClientConfig, HandshakeKind};
use serde_json::Value;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::support::api::Api;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::{Address, Connection, Request};
use crate::support::server::Server;
use crate::support::{certificate, openssl};

fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

/// Revokes the device's certificate by the serial number as the API spells it.
#[track_caller]
fn revoke(api: &Api, device: &FakeDevice) {
    let shown = api.certificate(&device.chain().serial());
    let serial = shown["serial"].as_str().unwrap();
    let path = format!("/certificates/{serial}/revoke");
    let body = serde_json::json!({"reason": "key_compromise"}).to_string();
    let response = api.send(Request::post(&path, body).header("Content-Type", "application/json"));
    assert!((200..300).contains(&response.status), "{path}: {} {}", response.status, response.text());
}

#[test]
// covers: M-21, S-02, S-26
fn a_revoked_certificate_is_refused_from_the_next_request_on() {
    let (mut device, id, api) = settled();
    let setting = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";
    let command = api.command(&id, setting);
    revoke(&api, &device);
    let message = device.package_one().xml();
    let fresh = device.tls().config();
    let answer = Connection::open(&Address::of(device.management_url()), &fresh)
        .and_then(|mut c| c.send(&device.request(message)));
    if let Ok(response) = answer {
        response.expect_status("M-21", 403);
        assert!(!response.text().contains("SyncML"), "S-02");
    }
    assert_ne!(api.command_state(&command), "sent", "M-21: nothing was sent");
    assert!(api.is_revoked(&device.chain().serial()), "M-21");
    api.wait_for_event("cert.revoked", &id);
}

#[test]
// covers: M-148, S-26
fn an_open_connection_does_not_outlive_its_certificate() {
    let (mut device, _, api) = settled();
    let mut connection = device.connect();
    let first = device.package_one();
    let response = connection.send(&device.request(first.xml())).unwrap();
    device.judge(&first.xml(), &response);
    revoke(&api, &device);
    let next = device.package_one().xml();
    match connection.send(&device.request(next)) {
        Ok(response) => drop(response.expect_status("M-148, S-26", 403)),
        Err(e) => eprintln!("the connection was closed: {e}"),
    }
}

#[test]
// covers: M-148, S-26
fn a_resumed_tls_session_does_not_outlive_its_certificate() {
    let (mut device, _, api) = settled();
    device.check_in();
    let before = device.connect().tls().handshake_kind();
    revoke(&api, &device);
    let message = device.package_one().xml();
    let Ok(mut connection) = Connection::open(&Address::of(device.management_url()), device.config()) else { return };
    if before == Some(HandshakeKind::Resumed) {
        assert_eq!(connection.tls().handshake_kind(), before, "this test means a resumed session");
    }
    let response = connection.send(&device.request(message)).unwrap();
    response.expect_status("M-148, S-26", 403);
}

/// The same device, with a client that takes no tickets where `by_id`; nothing was resumed yet.
fn resuming(device: &FakeDevice, by_id: bool) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&device.tls().versions(&[&rustls::version::TLS12]).config());
    let kind = if by_id { Tls12Resumption::SessionIdOnly } else { Tls12Resumption::SessionIdOrTickets };
    config.resumption = Resumption::in_memory_sessions(16).tls12_resumption(kind);
    Arc::new(config)
}

#[test]
// covers: M-148, S-26
fn an_open_connection_and_its_resumption_end_with_the_certificate() {
    for by_id in [false, true] {
        let case = format!("S-26: by session id {by_id}");
        let (mut device, _, api) = settled();
        let config = resuming(&device, by_id);
        let address = Address::of(device.management_url());
        let send = |device: &mut FakeDevice, connection: &mut Connection| {
            let message = device.package_one().xml();
            connection.send(&device.request(message)).unwrap()
        };
        let mut first = Connection::open(&address, &config).unwrap();
        assert_eq!(first.tls().handshake_kind(), Some(HandshakeKind::Full), "{case}");
        send(&mut device, &mut first).expect_status(&case, 200);
        let mut open = Connection::open(&address, &config).unwrap();
        assert_eq!(open.tls().handshake_kind(), Some(HandshakeKind::Resumed), "{case}");
        send(&mut device, &mut open).expect_status(&case, 200);
        revoke(&api, &device);
        send(&mut device, &mut open).expect_status(&case, 403);
        let mut resumed = Connection::open(&address, &config).unwrap();
        assert_eq!(resumed.tls().handshake_kind(), Some(HandshakeKind::Resumed), "{case}");
        send(&mut device, &mut resumed).expect_status(&case, 403);
    }
}

#[test]
// covers: M-148, S-26
fn a_session_in_progress_ends_with_the_certificate() {
    let (mut device, id, api) = settled();
    api.command(&id, "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>");
    let reply = device.start_session();
    reply.expect("Get", "/HwV");
    revoke(&api, &device);
    let answer = device.answer(&reply).xml();
    let outcome = Connection::open(&Address::of(device.management_url()), device.config())
        .and_then(|mut c| c.send(&device.request(answer)));
    if let Ok(response) = outcome {
        response.expect_status("S-26", 403);
    }
}

#[test]
// covers: M-21
fn other_devices_are_not_touched() {
    let (revoked, _, api) = settled();
    let (mut other, _, _) = settled();
    revoke(&api, &revoked);
    assert!(other.check_in().is_quiet());
}

#[test]
// covers: M-21, S-26
fn the_crl_is_signed_by_the_issuing_ca_and_lists_the_certificate() {
    let server = Server::shared();
    let (device, _, api) = settled();
    let crl = || {
        let response = server.web(&Request::get("/pki/device.crl"));
        response.expect_status("the CRL", 200);
        assert_eq!(response.header("content-type"), Some("application/pkix-crl"), "RFC 2585");
        response.body
    };
    let serial = device.chain().serial();
    assert!(!lists(&crl(), &serial), "not revoked yet");
    assert!(check_by_openssl(&device, &crl()).is_ok(), "OpenSSL takes the certificate against the CRL");
    revoke(&api, &device);
    let after =
        crate::support::eventually("the certificate is on the CRL", || Some(crl()).filter(|der| lists(der, &serial)));
    let (_, list) = CertificateRevocationList::from_der(&after).unwrap();
    let issuing = certificate::parse(&device.chain().issuing);
    list.verify_signature(issuing.public_key()).expect("signed by the device issuing CA");
    assert_eq!(list.issuer(), issuing.subject(), "issued by the device issuing CA");
    assert!(
        list.next_update().is_some_and(|next| next.timestamp() > crate::support::now().unix_timestamp()),
        "still good"
    );
    let said = check_by_openssl(&device, &after).expect_err("OpenSSL refuses the revoked certificate");
    assert!(said.contains("revoked"), "{said}");
}

fn lists(der: &[u8], serial: &str) -> bool {
    let (_, list) = CertificateRevocationList::from_der(der).expect("a CRL in DER");
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    list.iter_revoked_certificates().any(|entry| certificate::same_serial(&hex(entry.raw_serial()), serial))
}

/// Verifies the device certificate with `-crl_check`; an error is what OpenSSL said.
fn check_by_openssl(device: &FakeDevice, crl: &[u8]) -> Result<(), String> {
    let crl_pem = openssl::temporary("crl.pem", &openssl::run(&["crl", "-inform", "DER"], crl));
    let chain = device.chain();
    let files = [&chain.root, &chain.issuing, &chain.leaf].map(|der| certificate::pem_file(der));
    let [root, issuing, leaf] = files.each_ref().map(|path| path.to_string_lossy().into_owned());
    let crl_path = crl_pem.to_string_lossy().into_owned();
    let options = ["verify", "-crl_check", "-CAfile", &root, "-untrusted", &issuing, "-CRLfile", &crl_path, &leaf];
    let output = openssl::attempt(&options, b"");
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}

#[test]
// covers: M-21
fn a_revocation_can_be_tried() {
    let (mut device, _, api) = settled();
    let serial = device.chain().serial();
    let tried = api.post(&format!("/certificates/{serial}/revoke?dry_run=true"), &serde_json::json!({}), 200);
    assert_eq!((&tried["dry_run"], &tried["state"]), (&true.into(), &"revoked".into()), "{tried}");
    assert!(!api.is_revoked(&serial));
    assert!(device.check_in().is_quiet());
    let typing_error = Request::post(&format!("/certificates/{serial}/revoke?dryrun=true"), "{}");
    let typing_error = typing_error.header("Content-Type", "application/json");
    api.send(typing_error).expect_status("a parameter that is not known", 400);
    assert!(!api.is_revoked(&serial));
}

#[test]
// covers: M-21
fn a_serial_number_as_openssl_prints_it_is_known() {
    let (device, _, api) = settled();
    let pem = certificate::pem_file(&device.chain().leaf);
    let printed = openssl::run(&["x509", "-noout", "-serial", "-in", &pem.to_string_lossy()], b"");
    let printed = String::from_utf8(printed).unwrap();
    let serial = printed.trim().strip_prefix("serial=").unwrap();
    let shown = api.post(&format!("/certificates/{serial}/revoke"), &serde_json::json!({}), 200);
    assert!(certificate::same_serial(shown["serial"].as_str().unwrap(), &serial.to_lowercase()), "{shown}");
    assert!(api.is_revoked(&device.chain().serial()));
}

#[test]
// covers: M-21
fn an_unknown_serial_number_is_404() {
    let api = Server::shared().api();
    for serial in ["00", "0123456789abcdef0123456789abcdef", "..%2f..", "'%20OR%20'1"] {
        let request =
            Request::post(&format!("/certificates/{serial}/revoke"), "{}").header("Content-Type", "application/json");
        let response = api.send(request);
        assert!(matches!(response.status, 400 | 404 | 422), "{serial}: {}", response.status);
    }
}

#[test]
// covers: M-21, E-67
fn a_revoked_machine_may_enroll_again() {
    let server = Server::shared();
    let (mut device, user) = FakeDevice::settled(server);
    revoke(&server.api(), &device);
    let mut again = FakeDevice::enroll(server, &user, device.profile.reset());
    again.settle();
    let message = device.package_one().xml();
    let outcome = Connection::open(&Address::of(device.management_url()), device.config())
        .and_then(|mut c| c.send(&device.request(message)));
    assert!(outcome.is_err() || outcome.is_ok_and(|r| r.status == 403), "M-21: the old certificate stays refused");
}

#[test]
fn certificates_are_listed_with_their_enrollment() {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    let device = FakeDevice::enroll(server, &user, Profile::new());
    let shown: Value = api.certificate(&device.chain().serial());
    assert_eq!(shown["enrollment_id"], device.document(server)["enrollment_id"], "{shown}");
    assert!(!api.is_revoked(&device.chain().serial()));
}
