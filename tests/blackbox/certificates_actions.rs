//! Certificates as actions: put into stores, installed with their keys, enrolled for by SCEP.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::certificate::thumbprint;
use crate::support::csp::Answer;
use crate::support::http::Request;
use crate::support::scene::{Scene, detail, lines};
use crate::support::timed::{HOUR, MINUTE};

/// A PKCS#12 file as far as the server looks at it.
const PFX: &str = "MAMCAQA=";
const SCEP_ALERT: &str = "com.microsoft:mdm.SCEPcertinstall.result";

#[test]
fn a_root_is_put_into_its_store_and_taken_out() {
    let mut scene = Scene::new();
    let der = scene.timed.server.web(&Request::new("GET", "/pki/ca.cer")).body;
    let (encoded, digest) = (STANDARD.encode(&der), thumbprint(&der));
    let node = format!("./Device/Vendor/MSFT/RootCATrustedCertificates/Root/{digest}");
    let body = json!({"type": "trusted_certificate", "store": "root", "certificate": encoded});
    let action = scene.order(&body);
    let visit = scene.device.check_in();
    assert_eq!(lines(&visit.commands()), [format!("Add {node}/EncodedCertificate b64 {encoded}")], "7.13");
    assert_eq!(detail(&scene.expect(&action, "succeeded")), format!("the certificate {digest} is in its store"));
    let again = scene.order(&body);
    scene.device.check_in();
    scene.expect(&again, "succeeded");
    let removal = json!({"type": "remove_setting", "setting": "trusted_certificate", "store": "root",
        "name": digest.to_lowercase()});
    for what_was_there in ["something", "nothing"] {
        let removed = scene.order(&removal);
        assert_eq!(lines(&scene.device.check_in().commands()), [format!("Delete {node}")], "{what_was_there}");
        scene.expect(&removed, "succeeded");
    }
    let both = String::from_utf8(scene.timed.server.web(&Request::new("GET", "/pki/ca.pem")).body).unwrap();
    let cases = [
        (json!({"type": "trusted_certificate", "store": "root", "scope": "user", "certificate": encoded}), "/scope"),
        (json!({"type": "trusted_certificate", "store": "root", "certificate": both}), "/certificate"),
        (json!({"type": "trusted_certificate", "store": "root", "certificate": "AQID"}), "/certificate"),
        (json!({"type": "trusted_certificate", "store": "attic", "certificate": encoded}), "/store"),
        (json!({"type": "remove_setting", "setting": "trusted_certificate", "name": digest}), "/store"),
        (json!({"type": "remove_setting", "setting": "trusted_certificate", "store": "root", "name": "AB"}), "/name"),
        (json!({"type": "remove_setting", "setting": "device_lock", "store": "root"}), "/store"),
    ];
    for (body, pointer) in cases {
        assert_eq!(scene.refused_for(&body), pointer, "{body}");
    }
}

#[test]
// covers: M-117, M-146
fn a_pfx_is_one_atomic_with_its_blob_last() {
    let mut scene = Scene::new();
    let password = "never told 8812";
    let action =
        scene.order(&json!({"type": "pfx_certificate", "pfx": PFX, "password": password, "key_location": "software"}));
    let root = format!("./Device/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/{action}");
    scene.device.csp.effect("Add", "/PFXCertBlob", &[("Thumbprint", "chr", "AB12"), ("Status", "int", "0")]);
    let visit = scene.device.check_in();
    let atomic = visit.commands().into_iter().find(|command| command.verb == "Atomic").expect("7.13: one Atomic");
    let children = lines(&atomic.children.iter().collect::<Vec<_>>());
    let expected = [
        format!("Add {root} node"),
        format!("Add {root}/KeyLocation int 3"),
        format!("Add {root}/PFXCertPassword chr {password}"),
        format!("Add {root}/PFXCertPasswordEncryptionType int 0"),
        format!("Add {root}/PFXKeyExportable bool false"),
        format!("Add {root}/PFXCertBlob chr {PFX}"),
    ];
    assert_eq!(children, expected, "M-117: the blob is the last child");
    for name in ["/Status", "/Thumbprint"] {
        assert!(visit.find("Get", name).is_some(), "7.13: {name} is read");
    }
    let shown = scene.expect(&action, "succeeded");
    assert_eq!(shown["result"], json!({"certificate_id": action, "thumbprint": "AB12"}), "{shown}");
    scene.keeps_secret(&[password, PFX]);
    let removed = scene.order(&json!({"type": "remove_setting", "setting": "pfx_certificate", "name": action}));
    assert_eq!(lines(&scene.device.check_in().commands()), [format!("Delete {root}")], "7.13: with its key");
    scene.expect(&removed, "succeeded");
}

#[test]
// covers: M-117
fn a_pfx_goes_in_another_format_where_one_is_refused() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Add", "/PFXCertBlob", Answer::Status(415));
    let refused = scene.order(&json!({"type": "pfx_certificate", "pfx": PFX}));
    let visit = scene.device.check_in();
    let blobs: Vec<&str> = visit
        .commands()
        .into_iter()
        .filter(|command| command.targets("/PFXCertBlob"))
        .map(|blob| blob.items[0].format.as_deref().unwrap())
        .collect();
    assert_eq!(blobs, ["chr", "b64", "bin"], "7.13: on 415 another format");
    assert!(detail(&scene.expect(&refused, "failed")).contains("PFXCertBlob"));
    scene.device.csp.forget_rules();
    let failed = scene.order(&json!({"type": "pfx_certificate", "pfx": PFX, "scope": "user"}));
    scene.device.csp.effect("Add", "/PFXCertBlob", &[("Status", "int", "-2146885628")]);
    scene.device.check_in();
    let shown = scene.expect(&failed, "failed");
    assert_eq!(shown["hresult"], "0x80092004", "7.13: the status is an HRESULT: {shown}");
}

#[test]
fn a_pfx_for_the_device_and_one_for_the_user_do_not_meet_in_a_message() {
    let mut scene = Scene::new();
    let orders =
        ["device", "user"].map(|scope| scene.order(&json!({"type": "pfx_certificate", "pfx": PFX, "scope": scope})));
    let visit = scene.device.check_in();
    for reply in &visit.replies {
        let atomics = reply.commands.iter().filter(|command| command.verb == "Atomic").count();
        assert!(atomics <= 1, "7.13: {}", reply.xml);
    }
    for order in &orders {
        scene.expect(order, "succeeded");
    }
}

fn scep(challenge: &str) -> Value {
    json!({
        "type": "scep_certificate", "server_url": "https://ca.example.test/scep", "challenge": challenge,
        "subject_name": "CN=PC-7", "ca_thumbprint": "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819",
    })
}

#[test]
// covers: M-103, M-146
fn a_scep_alert_looks_at_the_certificate_at_once() {
    let mut scene = Scene::new();
    let challenge = "open sesame 4711";
    let action = scene.order(&scep(challenge));
    let reply = scene.device.start_session();
    let atomic = reply.commands.iter().find(|command| command.verb == "Atomic").expect("7.13: one Atomic");
    let (last, values) = atomic.children.split_last().unwrap();
    assert!(last.verb == "Exec" && last.targets("/Install/Enroll"), "7.13: Enroll is last: {}", atomic.xml);
    assert!(values.iter().all(|child| child.verb == "Add"), "7.13: {}", atomic.xml);
    let told = lines(&values.iter().collect::<Vec<_>>());
    let root = format!("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/{action}");
    for value in ["KeyUsage int 160", "HashAlgorithm chr SHA-2", &format!("Challenge chr {challenge}")] {
        assert!(told.contains(&format!("Add {root}/Install/{value}")), "7.13: {value}: {told:?}");
    }
    scene.device.finish(reply);
    let shown = scene.expect(&action, "sent");
    assert!(shown["accepted_at"].is_string(), "accepted is not done: {shown}");
    scene.device.csp.set(&format!("{root}/Status"), "int", "1");
    scene.device.csp.set(&format!("{root}/CertThumbprint"), "chr", "AB12");
    scene.device.csp.set(&format!("{root}/ErrorCode"), "int", "0");
    let elsewhere = root.replace(&action, "3b241101-e2bb-4255-8caf-4136c566a962");
    assert!(scene.alert(1226, SCEP_ALERT, &elsewhere, "0").is_quiet(), "M-103: somebody else's certificate");
    let visit = scene.alert(1226, SCEP_ALERT, &root, "0");
    for name in ["/Status", "/CertThumbprint", "/ErrorCode"] {
        assert!(visit.find("Get", name).is_some(), "M-103: {name} is read in that session");
    }
    let shown = scene.expect(&action, "succeeded");
    assert_eq!(shown["result"]["thumbprint"], "AB12", "M-103: {shown}");
    assert_eq!(scene.device.csp.times("Exec", &format!("{action}/Install/Enroll")), 1, "a challenge works once");
    scene.keeps_secret(&[challenge]);
}

#[test]
// covers: M-103
fn a_scep_enrollment_without_an_alert_is_asked_about() {
    let mut scene = Scene::new();
    let action = scene.order(&scep("once"));
    scene.device.check_in();
    let root = format!("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/{action}");
    scene.device.csp.set(&format!("{root}/Status"), "int", "2");
    assert!(scene.later(MINUTE).is_quiet(), "not asked too early");
    scene.later(2 * MINUTE);
    assert!(detail(&scene.expect(&action, "sent")).contains("not decided"));
    scene.device.csp.set(&format!("{root}/Status"), "int", "16");
    scene.device.csp.set(&format!("{root}/ErrorCode"), "int", "-2145844848");
    scene.later(HOUR);
    assert_eq!(scene.expect(&action, "failed")["hresult"], "0x80190190", "7.13");
    let refused = scene.order(&scep("once more"));
    scene.device.csp.rule("Add", "/Install/Challenge", Answer::Status(500));
    scene.device.check_in();
    assert!(detail(&scene.expect(&refused, "failed")).contains("/Install/Challenge"));
    let cases = [
        ("/server_url", json!("ftp://ca.example.test/")),
        ("/ca_thumbprint", json!("8D3C")),
        ("/key_bits", json!(3072)),
        ("/key_usage", json!(4)),
        ("/challenge", json!("")),
        ("/extended_key_usages/0", json!(["clientAuth"])),
    ];
    for (pointer, value) in cases {
        let mut body = scep("once");
        body[pointer.split('/').nth(1).unwrap()] = value;
        assert_eq!(scene.refused_for(&body), pointer, "{body}");
    }
}
