//! The CA of the installation: what still works without its key, and how another one takes its place.

use std::fs;

use serde_json::{Value, json};

use crate::support::certificate::{pem_file, thumbprint};
use crate::support::database;
use crate::support::device::FakeDevice;
use crate::support::enrolling::Attempt;
use crate::support::eventually;
use crate::support::http::{Connection, Request};
use crate::support::openssl;
use crate::support::renewing::Renewal;
use crate::support::server::{Server, muster};

const OPS: [(&str, &str); 1] = [("MUSTER__OPS__LISTEN", "127.0.0.1:0")];

//
#[test]
fn without_its_key_the_ca_knows_devices_and_lets_nobody_in() {
    let mut server = Server::start_with(&OPS);
    let (mut device, user) = FakeDevice::settled(&server);
    assert!(server.operators("/metrics").contains("muster_ca_key_available 1"));
    let (key, kept) = (server.data().join("ca/issuing.key"), server.data().join("issuing.key.kept"));
    fs::rename(&key, &kept).unwrap();
    server.restart();
    device.follow(&server);
    let command = server
        .api()
        .command(&device.id(&server), "<Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>");
    device.check_in();
    assert_eq!(server.api().command_state(&command), "succeeded", "R-17: sessions go on");
    let attempt = Attempt::new(&server, &user);
    let fault = attempt.refused(&server);
    assert_eq!(fault.subcode, "s:EnrollmentServer", "R-17: {fault:?}");
    device.provisioned.renewal_url = format!("{}/EnrollmentServer/Renew.svc", server.device_url);
    let renewal = Renewal::new(&server, &device);
    renewal.soap().refused(&renewal.send(&device)).is("R-17: nor does a device renew", "s:EnrollmentServer", None);
    device.check_in();
    let ready = server.operators("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("ca/issuing.key"), "R-17: {ready}");
    assert!(server.operators("/metrics").contains("muster_ca_key_available 0"), "R-17: a metric");
    assert!(server.log().contains("the CA cannot sign"), "R-17: the log tells");
    let shown = server.api().get("/ca");
    assert!(shown["current"]["alarm"].as_str().unwrap().contains("ca/issuing.key"), "R-17: {shown}");
    let checked = muster().args(["check-config", "--data"]).arg(server.data()).output().unwrap();
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && words.contains("ca/issuing.key"), "R-17: {words}");
    fs::rename(&kept, &key).unwrap();
    server.restart();
    attempt.enroll(&server, Some(&user.email)).settle();
}

fn post(server: &Server, path: &str, status: u16) -> Value {
    server.api().post(path, &json!({}), status)
}

/// The certificates of `/pki/ca.pem`, DER, in order.
fn published(server: &Server) -> Vec<Vec<u8>> {
    let text = server.web(&Request::get("/pki/ca.pem")).text().to_owned();
    let end = "-----END CERTIFICATE-----\n";
    let each = text.split_inclusive(end).filter(|part| part.contains("BEGIN"));
    each.map(|pem| openssl::run(&["x509", "-outform", "DER"], pem.as_bytes())).collect()
}

/// OpenSSL's judgement of a revocation list against the certificate of its CA.
#[track_caller]
fn check_list(server: &Server, path: &str, issuing: &[u8]) {
    let response = server.web(&Request::get(path));
    response.expect_status("R-17", 200);
    let list = openssl::temporary("list.crl", &response.body);
    let ca = pem_file(issuing);
    let said = openssl::attempt(
        &["crl", "-inform", "DER", "-in", &list.to_string_lossy(), "-CAfile", &ca.to_string_lossy(), "-noout"],
        b"",
    );
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("verify OK"), "{path}: {said}");
}

/// Whether OpenSSL finds that these two CAs signed the leaf.
fn is_signed_by(leaf: &[u8], root: &[u8], issuing: &[u8]) -> bool {
    let files = [root, issuing, leaf].map(|der| pem_file(der).to_string_lossy().into_owned());
    let verified = openssl::attempt(&["verify", "-CAfile", &files[0], "-untrusted", &files[1], &files[2]], b"");
    verified.status.success()
}

/// The thumbprints of the certificates that a device was given in its sessions, by store.
fn given(device: &FakeDevice, store: &str) -> Vec<String> {
    let place = format!("/RootCATrustedCertificates/{store}/");
    let added = device.csp.done.iter().filter(|done| done.verb == "Add" && done.uri.contains(&place));
    added.map(|done| done.uri.split('/').rev().nth(1).unwrap().to_owned()).collect()
}

// covers: R-17, M-26
#[test]
fn one_ca_takes_the_place_of_another_in_stages() {
    let mut server = Server::start_with(&OPS);
    let (mut old, user) = FakeDevice::settled(&server);
    let (mut late, _) = FakeDevice::settled(&server);
    let first = published(&server);
    assert_eq!((first.len(), server.api().get("/ca")["stage"].clone()), (2, json!("settled")));
    assert_eq!(server.api().post("/ca/activate", &json!({}), 409)["code"], "no_next_ca");
    assert_eq!(post(&server, "/ca/retire-old", 409)["code"], "no_previous_ca");
    post(&server, "/ca/rotate?dry_run=true", 200);

    let rotated = post(&server, "/ca/rotate", 200);
    assert_eq!((&rotated["stage"], &rotated["devices_without_root"]), (&json!("delivering"), &json!(2)), "{rotated}");
    assert_eq!(post(&server, "/ca/rotate", 409)["code"], "ca_rollover_under_way");
    let both = published(&server);
    assert_eq!((both.len(), &both[..2]), (4, &first[..]), "the current one first");
    let (root, issuing) = (both[2].clone(), both[3].clone());
    let during = FakeDevice::enroll(&server, &user, crate::support::device::Profile::new());
    assert_eq!(during.chain().root, first[0], "the next one issues nothing yet");

    let refused = post(&server, "/ca/activate", 409);
    assert_eq!(refused["code"], "ca_not_delivered", "{refused}");
    let names = refused["detail"].as_str().unwrap();
    assert!(names.contains("3 devices") && names.contains(&late.profile.device_name), "{names}");
    server.restart();
    for device in [&mut old, &mut late] {
        device.follow(&server);
    }
    let mut during = during;
    during.follow(&server);
    assert_eq!(server.api().get("/ca")["stage"], "delivering", "a stage lasts");
    for device in [&mut old, &mut during] {
        device.settle();
        assert_eq!(given(device, "Root"), [thumbprint(&root)]);
        assert_eq!(given(device, "CA"), [thumbprint(&issuing)]);
        device.check_in();
        assert_eq!(given(device, "Root").len(), 1, "once");
    }
    let value = old
        .csp
        .value(&format!("./Vendor/MSFT/RootCATrustedCertificates/Root/{}/EncodedCertificate", thumbprint(&root)));
    let decoded = openssl::run(&["base64", "-d", "-A"], value.unwrap().as_bytes());
    assert_eq!(decoded, root, "the very root that is published");
    assert!(server.operators("/metrics").contains("muster_ca_devices_without_root 1"));
    assert_eq!(server.api().get("/ca")["waiting"], json!([late.profile.device_name]));
    assert_eq!(post(&server, "/ca/activate", 409)["code"], "ca_not_delivered");
    late.settle();
    let shown = server.api().device(&late.id(&server))["provisioning"]["trusted_root"].clone();
    assert_eq!((&shown["state"], &shown["has"]), (&json!("current"), &json!(thumbprint(&root))), "{shown}");

    let activated = post(&server, "/ca/activate", 200);
    assert_eq!(activated["stage"], "issuing", "{activated}");
    for device in [&mut old, &mut late, &mut during] {
        device.trust_what_it_was_given();
    }
    assert_eq!(published(&server)[..2], [root.clone(), issuing.clone()], "the new one first");
    eventually("the server certificate stands under the new root", || {
        let shown = openssl_shows(&server);
        is_signed_by(&shown, &root, &root).then_some(())
    });
    old.check_in();
    let mut new = FakeDevice::enroll(&server, &user, crate::support::device::Profile::new());
    assert_eq!((&new.chain().root, &new.chain().issuing), (&root, &issuing));
    assert!(is_signed_by(&new.chain().leaf, &root, &issuing) && is_signed_by(&old.chain().leaf, &first[0], &first[1]));
    assert!(!is_signed_by(&new.chain().leaf, &first[0], &first[1]));
    new.settle();
    assert_eq!(given(&new, "Root"), Vec::<String>::new(), "its document gave it the root");
    check_list(&server, "/pki/device.crl", &issuing);
    check_list(&server, "/pki/previous.crl", &first[1]);

    // As after a power cut between the files of the CA.
    for name in ["issuing.pem", "issuing.key", "root.key"] {
        let _ = fs::remove_file(server.data().join("ca").join(name));
    }
    fs::write(server.data().join("ca/root.pem"), openssl::run(&["x509", "-inform", "DER"], &first[0])).unwrap();
    server.restart();
    for device in [&mut old, &mut late, &mut during, &mut new] {
        device.follow(&server);
        device.trust_what_it_was_given();
        device.check_in();
    }
    assert_eq!(
        server.root_pem(),
        [openssl::run(&["x509", "-inform", "DER"], &root), openssl::run(&["x509", "-inform", "DER"], &first[0])]
            .concat()
    );

    let refused = post(&server, "/ca/retire-old", 409);
    assert_eq!(refused["code"], "ca_in_use", "{refused}");
    assert!(refused["detail"].as_str().unwrap().starts_with('3'), "{refused}");
    for device in [&old, &late, &during] {
        let serial = device.chain().serial();
        server.api().post(&format!("/certificates/{serial}/revoke"), &json!({}), 200);
    }
    let retired = post(&server, "/ca/retire-old", 200);
    assert_eq!((&retired["stage"], &retired["previous"]), (&json!("settled"), &Value::Null), "{retired}");
    assert_eq!(published(&server), [root, issuing]);
    server.web(&Request::get("/pki/previous.crl")).expect_status("R-17", 404);
    eventually("the old CA is no longer trusted", || {
        let address = crate::support::http::Address::of(&server.device_url);
        let sent = Connection::open(&address, &old.tls().config()).and_then(|mut open| open.send(&Request::get("/")));
        sent.is_err().then_some(())
    });
    new.check_in();
    let audited = server.api().list("/audit?limit=200");
    for action in ["ca.rotate", "ca.activate", "ca.retire"] {
        assert_eq!(audited.iter().filter(|row| row["action"] == action).count(), 1, "{action}");
    }
}

// covers: R-17, E-101
#[test]
fn a_device_renews_into_the_ca_that_issues() {
    let server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    post(&server, "/ca/rotate", 200);
    device.settle();
    post(&server, "/ca/activate", 200);
    let both = published(&server);
    device.trust_what_it_was_given();
    assert_eq!(post(&server, "/ca/retire-old", 409)["code"], "ca_in_use");
    // It was given them in its sessions.
    (device.provisioned.chain.root, device.provisioned.chain.issuing) = (both[0].clone(), both[1].clone());
    device.renew(&server);
    assert!(is_signed_by(&device.chain().leaf, &both[0], &both[1]), "R-17");
    assert_eq!(post(&server, "/ca/retire-old", 409)["code"], "ca_in_use", "the answer may be lost");
    device.settle();
    post(&server, "/ca/retire-old", 200);
    device.trust_what_it_was_given();
    device.check_in();
}

/// The certificate that the web host shows, by OpenSSL.
fn openssl_shows(server: &Server) -> Vec<u8> {
    let host = server.url.trim_start_matches("https://");
    let said = openssl::attempt(&["s_client", "-connect", host, "-servername", "localhost"], b"");
    openssl::run(&["x509", "-outform", "DER"], &said.stdout)
}

#[test]
fn activation_can_be_forced_and_the_command_line_tells_the_stage() {
    let server = Server::start();
    let (mut device, user) = FakeDevice::settled(&server);
    let cli = |arguments: &[&str]| {
        let output = muster().args(["cert", "ca"]).args(arguments).arg("--data").arg(server.data()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (worked, pem, words) = cli(&[]);
    assert!(worked && pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    assert!(words.contains("settled"), "{words}");
    let package = json!({"user": "windows-bulkenroll-1@example.test", "name": "Site7"});
    let package = server.api().post("/packages", &package, 201)["id"].as_str().unwrap().to_owned();
    let (worked, words, error) = cli(&["rotate"]);
    assert!(worked && words.contains("1 devices"), "{words}{error}");
    let (worked, words, error) = cli(&["activate", "--force", "--dry-run"]);
    assert!(worked && words.contains(&format!("muster ppkg rebuild: Site7 ({package})")), "{words}{error}");
    server.api().post(&format!("/packages/{package}/rebuild"), &json!({}), 200);
    let (worked, _, error) = cli(&["activate"]);
    assert!(!worked && error.contains(&device.profile.device_name), "{error}");
    let (worked, words, error) = cli(&["activate", "--force"]);
    assert!(worked && words.contains("issuing") && !words.contains("Site7"), "{words}{error}");
    let (worked, words, _) = cli(&[]);
    assert!(worked && words.starts_with("-----BEGIN"), "the command line follows the server certificate");
    device.trust_what_it_was_given();
    eventually("a device without the root refuses the server", || {
        let address = crate::support::http::Address::of(&server.device_url);
        Connection::open(&address, &device.tls().config()).is_err().then_some(())
    });
    let root = published(&server)[0].clone();
    let (worked, _, error) = cli(&["retire-old"]);
    assert!(!worked && error.contains("certificates of the CA before"), "{error}");
    let after = FakeDevice::enroll(&server, &user, crate::support::device::Profile::new());
    assert_eq!(after.chain().root, root);
}

//
#[test]
fn every_node_of_one_database_trusts_and_issues_alike() {
    if !database::is_postgres("another CA on several nodes") {
        return;
    }
    let url = database::cluster().create_database("two_nodes_and_a_ca");
    let one = Server::start_on(&url, &[]);
    let (mut device, user) = FakeDevice::settled(&one);
    let two = one.further_node(&[]);
    post(&one, "/ca/rotate", 200);
    let root = published(&one)[2].clone();
    eventually("the other node publishes the next root", || {
        published(&two).get(2).filter(|own| **own == root).map(drop)
    });
    device.follow(&two);
    device.settle();
    assert_eq!(given(&device, "Root"), [thumbprint(&root)], "whichever node it meets");
    post(&two, "/ca/activate", 200);
    eventually("the first node issues by the new CA", || {
        let shown = one.api().get("/ca");
        (shown["stage"] == "issuing" && published(&one)[0] == root).then_some(())
    });
    eventually("its server certificate stands under the new root", || {
        is_signed_by(&openssl_shows(&one), &root, &root).then_some(())
    });
    let mut new = FakeDevice::enroll(&one, &user, crate::support::device::Profile::new());
    assert_eq!(new.chain().root, root);
    for node in [&two, &one] {
        new.follow(node);
        new.trust_what_it_was_given();
        new.check_in();
        device.follow(node);
        device.trust_what_it_was_given();
        device.check_in();
    }
}
