//! A device signs its messages.

use serde_json::json;

use crate::device_auth::{GET, assert_forbidden, is_audited, newest_session, proofs};
use crate::support::device::FakeDevice;
use crate::support::http::{Address, Connection, Response, once};
use crate::support::keys::Key;
use crate::support::nginx::{Nginx, documented};
use crate::support::server::Server;
use crate::support::signing::{sign_all, signature};
use crate::support::timed::{MINUTE, Timed};

/// Makes the header for a body.
type Sign = Box<dyn Fn(&FakeDevice, &[u8]) -> String>;

const ACCEPTED: [(&str, &str); 1] = [("MUSTER__DEVICE_AUTH__MESSAGE_SIGNING", "accepted")];
const REQUIRED: [(&str, &str); 1] = [("MUSTER__DEVICE_AUTH__MESSAGE_SIGNING", "required")];

/// A device that signs and shows no certificate.
fn signer(server: &Server) -> FakeDevice {
    let (mut device, _) = FakeDevice::new(server);
    sign_all(&mut device, "MS-Signature");
    device.without_certificate(server);
    device
}

/// Sends package 1 with a signature over it that may be bent.
#[track_caller]
fn send_with(device: &mut FakeDevice, header: &str, sign: impl Fn(&FakeDevice, &[u8]) -> String) -> Response {
    let message = device.package_one().xml();
    let value = sign(device, message.as_bytes());
    device.seal = None;
    let request = device.request(message).header(header, &value);
    device.connect().send(&request).unwrap_or_else(|e| panic!("no answer: {e}"))
}

// covers: M-35
#[test]
fn signed_sessions_go_through_nginx_without_certificates() {
    let server = Server::start_with(&ACCEPTED);
    let nginx = Nginx::start(&server, &documented("nginx: devices sign"));
    for header in ["MS-Signature", "MDM-Signature"] {
        let (mut device, _) = FakeDevice::new(&server);
        sign_all(&mut device, header);
        device.without_certificate(&server);
        device.through = Some(nginx.url.clone());
        device.settle();
        let command = server.api().command(&device.id(&server), GET);
        assert!(device.check_in().find("Get", "/HwV").is_some(), "M-35: {header}");
        assert_eq!(server.api().command_state(&command), "succeeded", "M-35: {header}");
        assert_eq!(proofs(&server, &device), json!(["signature"]));
        device.seal = None;
        let message = device.package_one().xml();
        assert_forbidden("M-25: unsigned, through nginx", &device.post(message));
    }
}

// covers: M-35
#[test]
fn devices_are_told_to_sign_where_they_enroll_and_where_they_call() {
    let asks = |device: &FakeDevice| {
        let all = device.provisioned.document.walk();
        let parm = all.into_iter().find(|parm| parm.attribute("name") == Some("RequireMessageSigning"));
        parm.map(|parm| (parm.attribute("value").map(str::to_owned), parm.attribute("datatype").map(str::to_owned)))
    };
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    assert_eq!(asks(&device), None, "off: nobody is asked");
    assert!(server.restart_under(&ACCEPTED), "{}", server.log());
    device.follow(&server);
    let visit = device.check_in();
    let told = visit.find("Replace", "/RequireMessageSigning").expect("a device that does not sign is told");
    assert_eq!(told.data(), Some("true"));
    assert_eq!(visit.commands().len(), 1, "once a session");
    sign_all(&mut device, "MS-Signature");
    assert!(device.check_in().is_quiet(), "it signs now");
    let (newer, _) = FakeDevice::new(&server);
    assert_eq!(asks(&newer), Some((Some("true".to_owned()), Some("boolean".to_owned()))));
}

// covers: M-35, S-02
#[test]
fn a_signature_that_is_not_good_opens_nothing() {
    let server = Server::start_with(&ACCEPTED);
    let mut device = signer(&server);
    device.settle();
    let other = signer(&server);
    let id = device.id(&server);
    let command = server.api().command(&id, GET);
    let before = server.api().session_count(&id);
    let good = |device: &FakeDevice, body: &[u8]| signature(device, body, &["-md", "sha384"]);
    let cases: [(&str, Sign); 8] = [
        ("over another body", Box::new(move |d, b| good(d, &[b, b" "].concat()))),
        ("no base64", Box::new(|_, _| "?".to_owned())),
        ("no CMS", Box::new(|_, _| "MAA=".to_owned())),
        ("with SHA-1", Box::new(|d, b| signature(d, b, &["-md", "sha1"]))),
        ("with the body in it", Box::new(|d, b| signature(d, b, &["-nodetach"]))),
        ("without a time", Box::new(|d, b| signature(d, b, &["-noattr"]))),
        ("with a foreign key", {
            let key = Key::generate();
            Box::new(move |d, b| {
                let mut forger = d.clone();
                forger.key = key.clone();
                let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| good(&forger, b)));
                made.unwrap_or_else(|_| "MAA=".to_owned())
            })
        }),
        ("by another device's key in its own name", {
            let other = other.clone();
            Box::new(move |_, b| good(&other, &[b, b"<!-- -->"].concat()))
        }),
    ];
    for (what, sign) in &cases {
        assert_forbidden(&format!("M-35: {what}"), &send_with(&mut device, "MS-Signature", sign));
    }
    assert_forbidden("no signature", &send_with(&mut device, "X-Other", good));
    let message = device.package_one().xml();
    let [mine, twice] = [good(&device, message.as_bytes()), signature(&device, message.as_bytes(), &["-md", "sha512"])];
    let request = device.request(message.clone()).header("MS-Signature", &mine).header("MDM-Signature", &twice);
    assert_forbidden("two different ones", &once(&server.device_url, device.config(), &request));
    assert_eq!(server.api().session_count(&id), before, "S-02: no session was opened");
    assert_eq!(server.api().command_state(&command), "queued");
    assert!(is_audited(&server, Some(&id), "over another message"), "the device is named");
    let request = device.request(message).header("MS-Signature", &mine).header("MDM-Signature", &mine);
    once(&server.device_url, device.config(), &request).expect_status("twice the same", 200);
    for options in [&["-nocerts"][..], &["-keyid"], &["-md", "sha512"]] {
        let sent = send_with(&mut device, "MS-Signature", |d, b| signature(d, b, options));
        sent.expect_status(&format!("M-35: {options:?}"), 200);
    }
}

// covers: M-21, M-22
#[test]
fn a_signer_is_refused_when_its_certificate_is() {
    let server = Server::start_with(&ACCEPTED);
    let mut lost = signer(&server);
    lost.settle();
    let serial = lost.chain().serial();
    server.api().post(&format!("/certificates/{serial}/revoke"), &json!({"reason": "lost"}), 200);
    let message = lost.package_one().xml();
    assert_forbidden("M-21: revoked", &lost.post(message));
    assert!(is_audited(&server, Some(&lost.id(&server)), "lost"));
    let mut gone = signer(&server);
    gone.settle();
    let goodbye = gone.leave();
    gone.exchange(&goodbye);
    let message = gone.package_one().xml();
    assert_forbidden("M-22: retired", &gone.post(message));
}

// covers: M-35
#[test]
fn where_signatures_are_required_a_certificate_is_not_enough() {
    let server = Server::start_with(&REQUIRED);
    let (mut device, _) = FakeDevice::new(&server);
    let (other, _) = FakeDevice::new(&server);
    let id = device.id(&server);
    let good = |device: &FakeDevice, body: &[u8]| signature(device, body, &[]);
    assert_forbidden("M-35: none", &send_with(&mut device, "X-Other", good));
    assert_forbidden("M-35: over other bytes", &send_with(&mut device, "MS-Signature", |d, _| good(d, b"other")));
    assert_forbidden("M-35: another device's", &send_with(&mut device, "MS-Signature", |_, b| good(&other, b)));
    assert_eq!(server.api().session_count(&id), 0);
    assert!(is_audited(&server, None, "no signature over the message"));
    assert!(is_audited(&server, None, "the certificate of one device and the signature of another"));
    sign_all(&mut device, "MDM-Signature");
    device.settle();
    assert_eq!(proofs(&server, &device), json!(["certificate", "signature"]));
}

// covers: S-16
#[test]
fn a_captured_message_is_good_for_its_answer_and_then_for_nothing() {
    let timed = Timed::configured(&[("message_signing", "\"accepted\"")]);
    let mut device = signer(&timed.server);
    device.settle();
    let id = device.id(&timed.server);
    let command = timed.server.api().command(&id, GET);
    let captured = device.package_one();
    let request = device.request(captured.xml());
    let resend = || {
        let mut connection = Connection::open(&Address::of(device.management_url()), device.config()).unwrap();
        connection.send(&request).unwrap()
    };
    let first = resend();
    first.expect_status("the message itself", 200);
    assert_eq!(resend().body, first.body, "S-16: a retransmission gets the stored answer");
    let session = newest_session(&timed.server, &device);
    timed.pass(2 * MINUTE);
    resend().expect_status("S-16: two minutes later", 400);
    timed.pass(14 * MINUTE);
    assert_forbidden("S-16: beyond the window", &resend());
    assert_eq!(newest_session(&timed.server, &device)["id"], session["id"], "S-16: it opened nothing");
    assert_eq!(timed.server.api().command_state(&command), "sent", "S-16: and sent nothing");
    assert!(is_audited(&timed.server, Some(&id), "minutes ago"));
}

// covers: S-16
#[test]
fn the_time_of_a_signature_may_be_ignored() {
    let timed = Timed::configured(&[("message_signing", "\"accepted\""), ("signing_minutes", "0")]);
    let mut device = signer(&timed.server);
    timed.pass(60 * MINUTE);
    device.settle();
    let message = device.package_one();
    let request = device.request(message.xml());
    let send =
        || Connection::open(&Address::of(device.management_url()), device.config()).unwrap().send(&request).unwrap();
    send().expect_status("made an hour ago by our clock", 200);
    timed.pass(2 * MINUTE);
    send().expect_status("S-16: the same once more", 400);
}
