//! A proxy in front ends TLS and hands the certificate over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::device_auth::{GET, assert_forbidden, is_audited, proofs};
use crate::support::device::{FakeDevice, MANAGEMENT_PATH};
use crate::support::device_host::certificate_request;
use crate::support::http::{Address, Connection, Request, Response, once};
use crate::support::nginx::{ADDRESS, Nginx, documented};
use crate::support::server::Server;

const PEM: [(&str, &str); 2] =
    [("MUSTER__SERVER__TRUSTED_PROXIES", "[\"127.0.0.2\"]"), ("MUSTER__DEVICE_AUTH__PROXY_CERTIFICATE", "pem")];

fn escaped(der: &[u8]) -> String {
    let body = STANDARD.encode(der).replace('+', "%2B");
    format!("-----BEGIN%20CERTIFICATE-----%0A{body}%0A-----END%20CERTIFICATE-----%0A")
}

/// Sends package 1 with a header beside, on a connection that shows no certificate.
#[track_caller]
fn bare(server: &Server, device: &mut FakeDevice, header: (&str, &str)) -> Response {
    let request = device.package_one().xml();
    let request = device.request(request).header(header.0, header.1);
    once(&server.device_url, &server.tls().config(), &request)
}

// covers: M-19, M-27
#[test]
fn a_session_through_nginx_that_hands_the_certificate_over() {
    let server = Server::start_with(&PEM);
    assert_eq!(ADDRESS, "127.0.0.2");
    let nginx = Nginx::start(&server, &documented("nginx: the certificate is handed over"));
    let (mut device, _) = FakeDevice::new(&server);
    device.through = Some(nginx.url.clone());
    device.settle();
    let id = device.id(&server);
    let command = server.api().command(&id, GET);
    let visit = device.check_in();
    assert!(visit.find("Get", "/HwV").is_some());
    assert_eq!(server.api().command_state(&command), "succeeded");
    assert_eq!(proofs(&server, &device), json!(["proxy_certificate"]));
    // Who shows no certificate to nginx is nobody, whatever he writes.
    let before = server.api().session_count(&id);
    let own = escaped(&device.chain().leaf);
    for header in [("X-SSL-Client-Cert", own.as_str()), ("X-Other", "x")] {
        let message = device.package_one().xml();
        let request = device.request(message).header(header.0, header.1);
        assert_forbidden("M-27: through nginx", &once(&nginx.url, &server.tls().config(), &request));
    }
    // Nor does anybody else than nginx hand anything over.
    assert_forbidden("M-27: past nginx", &bare(&server, &mut device, ("X-SSL-Client-Cert", &own)));
    assert_eq!(server.api().session_count(&id), before, "M-27: no session was opened");
    // And what is revoked is so here.
    let serial = device.chain().serial();
    server.api().post(&format!("/certificates/{serial}/revoke"), &json!({"reason": "lost"}), 200);
    let message = device.package_one().xml();
    assert_forbidden("M-21: through nginx", &device.post(message));
}

// covers: M-140
#[test]
fn nginx_asks_for_signatures_that_tpms_can_make() {
    let server = Server::start_with(&PEM);
    let nginx = Nginx::start(&server, &documented("nginx: the certificate is handed over"));
    let asked = certificate_request(&nginx.url, server.tls()).expect("a certificate is asked for");
    let names: Vec<String> = asked.schemes.iter().map(|scheme| format!("{scheme:?}")).collect();
    assert_eq!(names, ["RSA_PKCS1_SHA256", "ECDSA_NISTP256_SHA256"], "M-140");
    assert_eq!(asked.authorities.len(), 2, "both CAs are named");
}

// covers: M-20, M-27, S-02
#[test]
fn what_a_listed_proxy_hands_over_is_judged_as_in_tls() {
    let server = Server::start_with(&[
        ("MUSTER__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
        ("MUSTER__DEVICE_AUTH__PROXY_CERTIFICATE", "rfc9440"),
    ]);
    let (mut device, _) = FakeDevice::settled(&server);
    let (mut other, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let handed = |der: &[u8]| format!(":{}:", STANDARD.encode(der));
    let own = handed(&device.chain().leaf);
    bare(&server, &mut device, ("Client-Cert", &own)).expect_status("RFC 9440", 200);
    assert_eq!(proofs(&server, &device), json!(["proxy_certificate"]));
    let before = server.api().session_count(&id);
    let server_certificate = server.tls().config();
    let seen = Connection::open(&Address::of(&server.device_url), &server_certificate).unwrap();
    let server_leaf = seen.tls().peer_certificates().unwrap()[0].to_vec();
    let cases = [
        ("the server's own", handed(&server_leaf)),
        ("the issuing CA's", handed(&device.chain().issuing)),
        ("the root", handed(&device.chain().root)),
        ("no certificate", handed(b"certificate")),
        ("another form", escaped(&device.chain().leaf)),
        ("no colons", STANDARD.encode(&device.chain().leaf)),
    ];
    for (what, value) in &cases {
        assert_forbidden(&format!("M-20: {what}"), &bare(&server, &mut device, ("Client-Cert", value)));
    }
    let message = device.package_one().xml();
    let two = device.request(message).header("Client-Cert", &own).header("Client-Cert", &own);
    assert_forbidden("two of them", &once(&server.device_url, &server.tls().config(), &two));
    assert_forbidden("M-25", &bare(&server, &mut device, ("Client-Cert-Chain", &own)));
    assert_forbidden("M-25", &bare(&server, &mut device, ("Client-Cert", "")));
    let get = Request::get(MANAGEMENT_PATH).header("Client-Cert", &own);
    once(&server.device_url, &server.tls().config(), &get).expect_status("M-04: it is known by it", 405);
    assert_eq!(server.api().session_count(&id), before, "S-02: no session was opened");
    assert!(is_audited(&server, None, "does not hold"), "a foreign certificate is in the trail");
    assert!(is_audited(&server, None, "two certificates"));
    // A certificate in TLS is the sender's own: nobody borrows another one beside it.
    other.headers.push(("Client-Cert".to_owned(), own));
    other.check_in();
    assert_eq!(proofs(&server, &other), json!(["certificate"]));
    assert_eq!(server.api().session_count(&id), before);
}
