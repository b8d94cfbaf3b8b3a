//! RequestSecurityToken: which requests get a certificate, what the certificate says, what is kept of the rest, and what
//! becomes of a machine that enrolls again.

use serde_json::{Value, json};

use crate::support::api::User;
use crate::support::csp::Answer;
use crate::support::csr::{self, Csr};
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::{Attempt, accepted};
use crate::support::http::Request;
use crate::support::keys::Key;
use crate::support::server::Server;
use crate::support::soap::{self, RstBody, Soap};
use crate::support::tree::Element;
use crate::support::{certificate, database, der, openssl, random_hex, unique};

#[test]
// covers: E-58, E-59
fn requests_of_every_known_shape_are_accepted() {
    let server = Server::shared();
    for fixture in [csr::FIXTURE_A, csr::FIXTURE_B] {
        let mut attempt = Attempt::new(server, &server.api().add_user());
        attempt.csr = fixture.to_owned();
        let document = attempt.accepted(server);
        let leaf = issued(&document);
        assert_eq!(certificate::parse(&leaf).public_key().raw, csr::public_key_of(fixture), "E-78");
        assert_sha256(&leaf);
    }
    let mut attempt = Attempt::new(server, &server.api().add_user());
    attempt.csr = Csr::utf8(&attempt.profile.device_id).base64(&attempt.key);
    assert_sha256(&issued(&attempt.accepted(server)));
}

/// The device certificate of a document.
fn issued(document: &str) -> Vec<u8> {
    use base64::Engine;
    let root = Element::parse("the document", document);
    let encoded: Vec<_> =
        root.walk().into_iter().filter(|e| e.attribute("name") == Some("EncodedCertificate")).collect();
    let value = encoded[2].attribute("value").unwrap();
    base64::engine::general_purpose::STANDARD.decode(value).unwrap()
}

fn assert_sha256(leaf: &[u8]) {
    let algorithm = certificate::parse(leaf).signature_algorithm.algorithm.to_id_string();
    assert_eq!(algorithm, "1.2.840.113549.1.1.11", "E-58: the certificate is signed with SHA-256");
}

fn new_attempt(server: &Server) -> Attempt {
    Attempt::new(server, &server.api().add_user())
}

/// A document of the API or, for what no document shows, the database.
#[track_caller]
fn assert_kept(server: &Server, device: &FakeDevice, values: &[&str]) {
    let shown = device.document(server).to_string();
    for value in values {
        assert!(shown.contains(value) || database::holds(server, value), "{value:?} was not kept; shown: {shown}");
    }
}

#[test]
// covers: E-55, E-104, E-105, E-138
fn only_known_request_types_are_processed() {
    let server = Server::shared();
    let attempt = new_attempt(server);
    let with_type = |request_type: &str| {
        let body = RstBody { request_type: request_type.to_owned(), ..attempt.body() };
        Soap::rst(&attempt.credentials, body.xml())
    };
    let refused = |soap: &Soap| soap.refused(&server.web(&soap.request()));
    refused(&with_type("http://docs.oasis-open.org/ws-sx/ws-trust/200512/Validate")).is(
        "E-55",
        "s:MessageFormat",
        Some("NotSupported"),
    );
    assert_eq!(refused(&with_type("")).subcode, "s:MessageFormat", "E-55");
    let recovery = with_type("http://docs.oasis-open.org/ws-sx/ws-trust/200512/Recovery");
    refused(&recovery).is("E-104", "s:MessageFormat", Some("NotSupported"));
    let renew = with_type("http://docs.oasis-open.org/ws-sx/ws-trust/200512/Renew");
    refused(&renew).is("E-138", "s:Authorization", Some("NotEligibleToRenew"));
    attempt.accepted(server);
}

#[test]
// covers: E-11, E-55
fn white_space_in_the_body_is_tolerated() {
    let server = Server::shared();
    let attempt = new_attempt(server);
    let mut body = attempt.body();
    body.token_type = format!("\n{}\n ", body.token_type);
    body.request_type = format!("\r\n\t{} ", body.request_type);
    body.token = body.token.replace("\">", "\">\n   ").replace("</wsse", "\n </wsse");
    let mut soap = Soap::rst(&attempt.credentials, body.xml());
    soap.action = format!("\n  {}\n", soap.action);
    accepted(server, &soap);
}

#[test]
// covers: E-10
fn the_body_may_use_default_namespaces() {
    let server = Server::shared();
    let attempt = new_attempt(server);
    let body = attempt.body().xml();
    let body = body
        .replacen("<wst:RequestSecurityToken>", &format!("<RequestSecurityToken xmlns=\"{}\">", soap::TRUST), 1)
        .replace("<wst:", "<")
        .replace("</wst:", "</")
        .replace("<wsse:BinarySecurityToken", &format!("<BinarySecurityToken xmlns=\"{}\"", soap::SECEXT))
        .replace("</wsse:BinarySecurityToken", "</BinarySecurityToken")
        .replace("<ac:", "<")
        .replace("</ac:", "</");
    accepted(server, &Soap::rst(&attempt.credentials, body));
}

#[test]
// covers: E-56, E-105
fn a_request_without_token_is_refused() {
    let server = Server::shared();
    let attempt = new_attempt(server);
    let empty = soap::binary_token(soap::PKCS10, "");
    let comment = soap::binary_token(soap::PKCS10, "<!-- nothing -->");
    let wrong_kind = soap::binary_token(soap::PKCS7, &attempt.csr);
    for token in [String::new(), empty, comment, wrong_kind] {
        let body = RstBody { token, ..attempt.body() };
        let soap = Soap::rst(&attempt.credentials, body.xml());
        let fault = soap.refused(&server.web(&soap.request()));
        assert!(matches!(fault.subcode.as_str(), "s:CertificateRequest" | "s:MessageFormat"), "E-56: {fault:?}");
    }
    let doubled = attempt.body().token.repeat(2);
    let soap = Soap::rst(&attempt.credentials, RstBody { token: doubled, ..attempt.body() }.xml());
    soap.refused(&server.web(&soap.request())).is("E-139", "s:MessageFormat", None);
    attempt.accepted(server);
}

#[test]
// covers: E-57
fn the_request_may_have_line_breaks() {
    let server = Server::shared();
    for separator in ["\n", "\r\n", "\n    "] {
        let mut attempt = new_attempt(server);
        let lines: Vec<&str> = attempt.csr.as_bytes().chunks(76).map(|l| std::str::from_utf8(l).unwrap()).collect();
        attempt.csr = lines.join(separator);
        attempt.accepted(server);
    }
    let mut unpadded = new_attempt(server);
    unpadded.csr = unpadded.csr.trim_end_matches('=').to_owned();
    unpadded.accepted(server);
}

#[test]
// covers: E-60, E-105
fn a_request_must_be_signed_by_its_key() {
    let server = Server::shared();
    let mut attempt = new_attempt(server);
    use base64::Engine;
    let encode = |der: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(der);
    let good = std::mem::take(&mut attempt.csr);
    attempt.csr = encode(Csr::windows(&attempt.profile.device_id).badly_signed(&attempt.key));
    attempt.refused(server).is("E-60", "s:CertificateRequest", None);
    for rubbish in ["not base64 at all!".to_owned(), encode(b"0\x03not".to_vec()), encode(vec![0x30, 0x80, 0, 0])] {
        attempt.csr = rubbish;
        attempt.refused(server).is("E-105", "s:CertificateRequest", None);
    }
    attempt.csr = good;
    attempt.accepted(server);
}

#[test]
// covers: E-61, S-04
fn weak_and_strange_keys_are_refused() {
    let server = Server::shared();
    for (bits, exponent) in [("1024", "65537"), ("2047", "65537"), ("2048", "3")] {
        let mut attempt = new_attempt(server);
        attempt.key = Key::from_file(openssl::generate_rsa(bits, exponent));
        attempt.csr = Csr::windows(&attempt.profile.device_id).base64(&attempt.key);
        attempt.refused(server).is(&format!("E-61, S-04: {bits} {exponent}"), "s:CertificateRequest", None);
    }
}

#[test]
// covers: S-04
fn an_md5_signature_is_refused() {
    let server = Server::shared();
    let mut attempt = new_attempt(server);
    let shape = Csr { digest: "-md5", algorithm: "1.2.840.113549.1.1.4", ..Csr::windows(&attempt.profile.device_id) };
    attempt.csr = shape.base64(&attempt.key);
    attempt.refused(server).is("S-04", "s:CertificateRequest", None);
}

#[test]
// covers: S-04, E-105
fn a_key_belongs_to_one_enrollment() {
    let server = Server::shared();
    let first = new_attempt(server);
    first.accepted(server);
    let mut second = new_attempt(server);
    second.csr = Csr::windows(&second.profile.device_id).base64(&first.key);
    second.refused(server).is("S-04", "s:CertificateRequest", None);
}

#[test]
// covers: E-62, E-79, S-04
fn a_request_decides_the_public_key_and_nothing_else() {
    let server = Server::shared();
    let user = server.api().add_user();
    let mut attempt = Attempt::new(server, &user);
    let any_eku =
        der::sequence(&[&der::oid("2.5.29.37.0"), &der::oid("1.3.6.1.5.5.7.3.1"), &der::oid("1.3.6.1.4.1.311.20.2.2")]);
    let names = der::sequence(&[&der::tlv(0x82, b"admin.example.test"), &der::tlv(0x81, b"admin@example.test")]);
    let sid = der::octet_string(b"S-1-5-21-1-2-3-500");
    let shape = Csr {
        subject: csr::common_name(&der::utf8_string("admin-of-everything")),
        extensions: vec![
            csr::extension("2.5.29.19", true, &der::sequence(&[&der::boolean(true)])),
            csr::extension("2.5.29.15", true, &der::tlv(0x03, &[1, 0x06])),
            csr::extension("2.5.29.37", false, &any_eku),
            csr::extension("2.5.29.17", false, &names),
            csr::extension("1.3.6.1.4.1.311.25.2", false, &sid),
            csr::device_id_extension("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"),
            csr::extension("1.2.3.4.5", false, &vec![0x41; 50_000]),
        ],
        ..Csr::windows(&attempt.profile.device_id)
    };
    attempt.csr = shape.base64(&attempt.key);
    let leaf = attempt.enroll(server, Some(&user.email)).provisioned.chain.leaf;
    let subject = certificate::parse(&leaf).subject().to_string();
    assert!(!subject.contains("admin-of-everything"), "E-62: {subject}");
    for trace in [&b"admin"[..], b"S-1-5-21", &[0x41; 64]] {
        assert!(!database::contains(&leaf, trace), "E-62, S-04: the certificate holds {trace:?}");
    }
}

#[test]
// covers: E-79
fn serial_numbers_are_random_and_unique() {
    let server = Server::shared();
    let serials: Vec<String> = (0..3).map(|_| FakeDevice::new(server).0.chain().serial()).collect();
    let prefix = |n: usize| &serials[n][..8];
    assert!(prefix(0) != prefix(1) && prefix(1) != prefix(2) && prefix(0) != prefix(2), "E-79: {serials:?}");
}

#[test]
// covers: E-63, E-64
fn context_items_are_kept() {
    let server = Server::shared();
    let user = server.api().add_user();
    let mut profile = Profile::new();
    let unknown = format!("value-of-{}", random_hex(8));
    let more = [("IMEI", "490154203237518"), ("IMEI", "490154203237526"), ("SomethingNew", unknown.as_str())];
    profile.more_items = more.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let device = FakeDevice::enroll(server, &user, profile);
    let hardware = |mac: &str| mac.replace('-', "");
    let macs = ["02-00-5E-10-00-01", "02-00-5E-10-00-02"];
    assert_kept(server, &device, &["490154203237518", "490154203237526", &unknown]);
    let shown = device.document(server).to_string().to_uppercase();
    for mac in macs {
        let forms = [mac.to_owned(), mac.replace('-', ":"), hardware(mac), mac.replace('-', ":").to_lowercase()];
        let kept = forms.iter().any(|form| shown.contains(form.as_str()) || database::holds(server, form));
        assert!(kept, "E-64: {mac} was not kept");
    }
}

#[test]
// covers: E-63
fn the_names_of_context_items_are_matched_without_case() {
    let server = Server::shared();
    let user = server.api().add_user();
    let attempt = Attempt::new(server, &user);
    let mut body = attempt.body();
    for (name, _) in &mut body.items {
        *name = name.to_lowercase();
    }
    let document = accepted(server, &Soap::rst(&attempt.credentials, body.xml()));
    let name = attempt.profile.device_name.clone();
    let device = FakeDevice::install(server, Some(&user.email), attempt.profile, attempt.key, &document);
    let shown = device.document(server);
    assert_eq!(shown["name"], name.as_str(), "E-63: {shown}");
    assert_eq!(shown["os_version"], "10.0.22621.3155", "E-63: {shown}");
}

#[test]
// covers: E-65
fn booleans_are_read_in_every_spelling() {
    let server = Server::shared();
    for value in ["True", "true", "1", "TRUE", "perhaps", "", "0"] {
        let attempt = new_attempt(server);
        let mut body = attempt.body();
        for (name, item) in &mut body.items {
            if matches!(name.as_str(), "UXInitiated" | "TargetedUserLoggedIn" | "NotInOobe") {
                *item = value.to_owned();
            }
        }
        accepted(server, &Soap::rst(&attempt.credentials, body.xml()));
    }
}

#[test]
// covers: E-66
fn any_device_id_will_do() {
    let server = Server::shared();
    for id in
        ["00112233-4455-6677-8899-AABBCCDDEEFF", "", "None", "short", "urn:uuid:CE9DF168-3B6A-5099-83CB-A49FC6613F9D"]
    {
        let user = server.api().add_user();
        let profile = Profile { device_id: id.to_owned(), ..Profile::new() };
        let device = Attempt::of(server, &user, profile).enroll(server, Some(&user.email));
        assert_eq!(device.document(server)["state"], "active", "E-66: {id:?}");
    }
}

#[test]
// covers: E-66
fn a_request_without_any_context_enrolls() {
    let server = Server::shared();
    let attempt = new_attempt(server);
    for items in [Vec::new(), vec![("EnrollmentType".to_owned(), "Lite".to_owned())]] {
        let mut fresh = new_attempt(server);
        fresh.credentials.clone_from(&attempt.credentials);
        let body = RstBody { items, ..fresh.body() };
        let document = Element::parse("the document", &accepted(server, &Soap::rst(&fresh.credentials, body.xml())));
        let stores: Vec<_> = document.walk().into_iter().filter(|e| e.attribute("type") == Some("User")).collect();
        assert_eq!(stores.len(), 1, "an absent or old EnrollmentType counts as Full");
    }
}

#[test]
// covers: E-67
fn the_same_machine_of_the_same_user_goes_on() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    let user = server.api().add_user();
    let mut old = FakeDevice::enroll(&server, &user, Profile::new());
    old.settle();
    let before = old.document(&server);
    let mut new = FakeDevice::enroll(&server, &user, old.profile.reset());
    new.settle();
    let after = new.document(&server);
    assert_eq!(after["id"], before["id"], "E-67: one device record");
    assert_ne!(after["enrollment_id"], before["enrollment_id"], "E-67: a new enrollment");
    let message = old.package_one().xml();
    old.post(message).expect_status("E-67: the old certificate", 403);
    let serial = old.chain().serial();
    assert!(server.api().is_revoked(&serial), "E-67: the old certificate is shown as revoked");
    let id = after["id"].as_str().unwrap();
    let revoked = server.api().wait_for_event("cert.revoked", id);
    assert_eq!(revoked["data"]["enrollment_id"], before["enrollment_id"], "E-67: {revoked}");
    let refusal = server.api().list("/audit?limit=200").into_iter().find(|row| row["outcome"] == "refused");
    let refusal = refusal.expect("E-67: the refused certificate is in the audit trail").to_string();
    let name = old.profile.device_name.as_str();
    for words in [id, name, before["enrollment_id"].as_str().unwrap(), "enrolled again"] {
        assert!(refusal.contains(words), "E-67: {words:?} in {refusal}");
    }
    Attempt::new(&server, &user).refused(&server).is("E-69", "s:Authorization", Some("DeviceCapReached"));
}

#[test]
// covers: E-67
fn a_retired_machine_that_comes_back_takes_up_its_record() {
    let server = Server::shared();
    let (mut old, user) = FakeDevice::settled(server);
    let id = old.id(server);
    server.api().act(&id, &json!({"type": "retire"}));
    old.start_session();
    let leaving = old.leave();
    old.post(leaving.xml()).expect_status("it leaves", 200);
    assert_eq!(old.document(server)["state"], "retired");
    let mut new = FakeDevice::enroll(server, &user, old.profile.reset());
    new.settle();
    assert_eq!(
        (new.id(server), new.document(server)["state"].clone()),
        (id, json!("active")),
        "E-67: its history goes on"
    );
}

#[test]
// covers: E-69
fn fifty_machines_at_once_on_one_account_are_all_let_in() {
    let server = Server::start();
    let user = server.api().add_user();
    let path = format!("/users/{}", user.id);
    let etag = || server.api().send(Request::get(&path)).header("etag").expect("a user has an ETag").to_owned();
    let before = etag();
    let attempts: Vec<Attempt> = (0..50).map(|_| Attempt::new(&server, &user)).collect();
    let policies = Soap::get_policies(&attempts[0].credentials);
    let answers: Vec<(u16, u16)> = std::thread::scope(|scope| {
        let enroll = |attempt: &Attempt| (server.web(&policies.request()).status, attempt.send(&server).status);
        let running: Vec<_> = attempts.iter().map(|attempt| scope.spawn(move || enroll(attempt))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, [(200, 200); 50], "E-69");
    assert_eq!(server.api().devices_of(&user).len(), 50, "E-69");
    assert_eq!(etag(), before, "enrollments do not change the user");
}

#[test]
// covers: E-68
fn the_same_machine_of_another_user_is_another_device() {
    let server = Server::shared();
    let (mut old, _) = FakeDevice::settled(server);
    let second = server.api().add_user();
    let mut new = FakeDevice::enroll(server, &second, old.profile.reset());
    new.settle();
    assert_ne!(new.id(server), old.id(server), "E-68: a fresh record");
    assert!(old.check_in().is_quiet(), "E-68: the first enrollment still works");
    assert_eq!(old.document(server)["state"], "active", "E-68");
    let shown = new.document(server).to_string();
    let serial = old.chain().serial();
    for secret in [&old.provisioned.secrets[0], &old.provisioned.secrets[1], &serial] {
        assert!(!shown.to_lowercase().contains(&secret.to_lowercase()), "E-68: {secret:?} in {shown}");
    }
    let [a, b] = [&old.provisioned, &new.provisioned].map(|p| p.secrets.clone());
    assert!(a.iter().all(|secret| !b.contains(secret)), "E-68, E-87: secrets are not shared");
}

#[test]
// covers: E-69, E-105
fn the_device_limit_is_kept() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "2")]);
    let user = server.api().add_user();
    for _ in 0..2 {
        Attempt::new(&server, &user).accepted(&server);
    }
    let fault = Attempt::new(&server, &user).refused(&server);
    fault.is("E-69", "s:Authorization", Some("DeviceCapReached"));
    assert_eq!(server.api().devices_of(&user).len(), 2, "E-69");
    Attempt::new(&server, &server.api().add_user()).accepted(&server);
}

#[test]
// covers: E-69
fn two_enrollments_at_once_do_not_pass_the_limit_together() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    for _ in 0..4 {
        let user = server.api().add_user();
        let attempts = [Attempt::new(&server, &user), Attempt::new(&server, &user)];
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let running: Vec<_> = attempts.iter().map(|a| scope.spawn(|| a.send(&server).status)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let granted = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((granted, server.api().devices_of(&user).len()), (1, 1), "E-69: {statuses:?}");
    }
}

#[test]
// covers: E-69
fn a_limit_can_be_set_for_one_user() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    let api = server.api();
    let user = api.add_user();
    api.patch(&format!("/users/{}", user.id), &json!({"device_limit": 2}));
    for _ in 0..2 {
        Attempt::new(&server, &user).accepted(&server);
    }
    Attempt::new(&server, &user).refused(&server).is("E-69", "s:Authorization", Some("DeviceCapReached"));
}

#[test]
// covers: E-136
fn placeholders_do_not_merge_devices() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "10")]);
    let user = server.api().add_user();
    let mut devices: Vec<FakeDevice> = ["0".repeat(64), "0".repeat(64), "F".repeat(64), "F".repeat(64)]
        .into_iter()
        .map(|hw_dev_id| {
            let profile = Profile { hw_dev_id, device_id: "None".to_owned(), ..Profile::new() };
            Attempt::of(&server, &user, profile).enroll(&server, Some(&user.email))
        })
        .collect();
    assert_eq!(server.api().devices_of(&user).len(), 4, "E-136");
    for device in &mut devices {
        device.settle();
    }
}

#[test]
// covers: E-146, M-139, R-03
fn enrolling_again_cancels_what_was_ordered_for_the_old_enrollment() {
    let server = Server::shared();
    let api = server.api();
    let (old, user) = FakeDevice::settled(server);
    let id = old.id(server);
    let wipe = api.act(&id, &json!({"type": "wipe"}));
    let reset = api.act(&id, &json!({"type": "reset_passcode"}));
    let setting = api.command(&id, RENAME);
    let mut new = FakeDevice::enroll(server, &user, old.profile.reset());
    for action in [&wipe, &reset] {
        let shown = api.action(action);
        assert_eq!(shown["state"], "cancelled", "E-146: {shown}");
        assert!(shown["detail"].as_str().is_some_and(|d| d.contains("enrolled again")), "E-146: {shown}");
    }
    assert_eq!(api.command_state(&setting), "cancelled", "E-146: open commands are cancelled");
    new.settle();
    let destructive = new.csp.done.iter().any(|d| d.uri.contains("RemoteWipe") || d.uri.contains("RemoteLock"));
    assert!(!destructive, "M-139, R-03: {:?}", new.csp.done);
    assert_eq!(new.csp.times("Replace", "/DNSComputerName"), 0, "M-139: commands are not carried over");
}

const RENAME: &str = r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/Ext/Microsoft/DNSComputerName</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>LAB-PC</Data></Item></Replace>"#;

#[test]
// covers: R-03
fn a_wipe_that_was_sent_is_not_repeated_to_the_next_enrollment() {
    let server = Server::shared();
    let api = server.api();
    let (mut old, user) = FakeDevice::settled(server);
    let wipe = api.act(&old.id(server), &json!({"type": "wipe"}));
    old.csp.rule("Exec", "/doWipe", Answer::Silent);
    let reply = old.start_session();
    reply.expect("Exec", "/RemoteWipe/doWipe");
    let mut new = FakeDevice::enroll(server, &user, old.profile.reset());
    new.settle();
    assert_eq!(new.csp.times("Exec", "/doWipe"), 0, "R-03");
    let state = api.action_state(&wipe);
    assert!(matches!(state.as_str(), "cancelled" | "succeeded"), "R-03: {state}");
}

#[test]
// covers: E-140
fn a_desktop_that_claims_oobe_gets_no_status_page() {
    let (mut device, _) = FakeDevice::new(Server::shared());
    let visit = device.check_in();
    let pages: Vec<&str> =
        visit.replies.iter().flat_map(|r| r.uris()).filter(|u| u.contains("FirstSyncStatus")).collect();
    assert!(pages.is_empty(), "E-140: {pages:?}");
}

#[test]
// covers: S-20, S-17
fn hostile_names_are_kept_as_text() {
    let server = Server::shared();
    let api = server.api();
    let names = [
        "'; DROP TABLE devices; --",
        "50% _ off",
        "<script>alert(1)</script>",
        "=HYPERLINK(\"x\")",
        "a\u{202e}b",
        "{{7*7}}${7*7}",
    ];
    for name in names {
        let user = api.add_user();
        let profile = Profile { device_name: name.to_owned(), ..Profile::new() };
        let device = FakeDevice::enroll(server, &user, profile);
        assert_eq!(device.document(server)["name"], name, "S-20");
        let count = |query: &str| api.list(&format!("/devices?limit=200&query={query}")).len();
        assert_eq!(count("%27%20OR%201%3D1%20--"), 0, "S-20: a quote in a query finds nothing");
    }
}

#[test]
// covers: E-108, E-105
fn attempts_are_written_down() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1")]);
    let api = server.api();
    let user = api.add_user();
    let device = FakeDevice::enroll(&server, &user, Profile::new());
    let fault = Attempt::new(&server, &user).refused(&server);
    let trace_id = fault.trace_id.expect("E-108");
    let entries: Vec<Value> = api.list("/enrollment-attempts?limit=100");
    let of_user = |e: &&Value| e["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(&user.email));
    let entries: Vec<&Value> = entries.iter().filter(of_user).collect();
    let succeeded = entries.iter().find(|e| e["outcome"] == "succeeded").expect("the good attempt is there");
    assert_eq!(succeeded["enrollment_id"], device.document(&server)["enrollment_id"], "{succeeded}");
    assert_eq!(
        (&succeeded["phase"], &succeeded["device_name"]),
        (&json!("enroll"), &json!(device.profile.device_name))
    );
    let failed = entries.iter().find(|e| e["outcome"] == "failed").expect("the refused attempt is there");
    assert_eq!(failed["trace_id"], trace_id.as_str(), "E-108: {failed}");
    assert!(server.log().contains(&trace_id), "E-108: the trace id is in the log");
    assert_eq!((&failed["phase"], &failed["hresult"]), (&json!("enroll"), &json!("0x80180013")), "{failed}");
    let advice = &failed["advice"];
    assert_eq!(advice["name"], "MENROLL_E_DEVICECAPREACHED", "{failed}");
    assert!(advice["cause"].is_string() && advice["fix"].as_str().is_some_and(|fix| fix.contains("limit")), "{failed}");
    assert_eq!((&succeeded["advice"], &succeeded["stopped"]), (&json!(null), &json!(false)), "{succeeded}");
}

#[test]
fn an_existing_address_cannot_be_added_twice() {
    let api = Server::shared().api();
    let User { email, .. } = api.add_user_named(&format!("twice-{}@example.test", unique()));
    let problem = api.post("/users", &json!({"email": email.to_uppercase(), "password": "correct horse battery"}), 409);
    assert!(problem["code"].is_string(), "{problem}");
}
