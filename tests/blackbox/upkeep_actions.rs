//! Updates, licences, accounts, health and watched nodes as actions: what goes out, what is asked later, what it brings.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::csp::Answer;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::Request;
use crate::support::scene::{Scene, detail, lines};
use crate::support::timed::{DAY, HOUR, MINUTE};

const HEALTH: &str = "./Vendor/MSFT/HealthAttestation";
const HEALTH_ALERT: &str = "com.microsoft.mdm:HealthAttestation.Result";

#[test]
// covers: M-104
fn a_health_alert_fetches_the_certificate() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "attest_health"}));
    assert_eq!(lines(&scene.device.check_in().commands()), [format!("Exec {HEALTH}/VerifyHealth")], "7.16");
    assert!(scene.expect(&action, "sent")["accepted_at"].is_string(), "accepted is not done");
    scene.device.csp.effect("Replace", "/Nonce", &[("Certificate", "chr", "QkxPQg=="), ("TpmReadyStatus", "int", "1")]);
    let visit = scene.alert(1226, HEALTH_ALERT, &format!("{HEALTH}/VerifyHealth"), "3");
    let nonce = visit.find("Replace", "/HealthAttestation/Nonce").expect("7.16: a nonce of ours").clone();
    let hex = nonce.data().unwrap();
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hex && (16..=64).contains(&hex.len()) && hex.len().is_multiple_of(2), "7.16: 8 to 32 bytes: {hex}");
    assert!(visit.find("Get", "/HealthAttestation/Certificate").is_some(), "M-104: in that session");
    let shown = scene.expect(&action, "succeeded");
    assert_eq!(
        (&shown["result"]["certificate"], &shown["result"]["nonce"], &shown["result"]["tpm_ready_status"]),
        (&json!("QkxPQg=="), &json!(hex), &json!("1")),
        "M-104: {shown}"
    );
    assert_eq!(scene.device.csp.times("Exec", "/VerifyHealth"), 1, "1.15: once");
    let other = scene.order(&json!({"type": "attest_health"}));
    let sent = scene.device.check_in();
    assert!(sent.find("Exec", "/VerifyHealth").is_some());
    scene.device.csp.set(&format!("{HEALTH}/Status"), "int", "2");
    let visit = scene.alert(1226, HEALTH_ALERT, &format!("{HEALTH}/VerifyHealth"), "2");
    assert!(visit.find("Get", "/HealthAttestation/Status").is_some(), "7.16: something else is looked at");
    scene.expect(&other, "failed");
}

#[test]
// covers: M-104
fn health_without_an_alert_is_asked_about() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "attest_health"}));
    scene.device.check_in();
    scene.device.csp.set(&format!("{HEALTH}/Status"), "int", "1");
    scene.later(3 * MINUTE);
    scene.expect(&action, "sent");
    scene.device.csp.set(&format!("{HEALTH}/Status"), "int", "3");
    scene.device.csp.set(&format!("{HEALTH}/Certificate"), "chr", "QkxPQg==");
    let visit = scene.later(HOUR);
    assert!(visit.find("Replace", "/Nonce").is_some(), "7.16: 3 says that it is ready");
    assert_eq!(scene.expect(&action, "succeeded")["result"]["certificate"], "QkxPQg==");
}

#[test]
fn health_is_proven_to_azure_with_what_it_asks_for() {
    let mut scene = Scene::new();
    let (endpoint, token) = ("https://a.attest.azure.net/attest/tpm", "eyJ0eXAi.never.told");
    let order = json!({"type": "attest_health", "service": "azure", "service_endpoint": endpoint, "relying_party": "us",
        "token": token});
    for (status, report, state) in [("0", "jwt", "succeeded"), ("-2147024891", "", "failed")] {
        scene.device.csp.rule("Exec", "/TriggerAttestation", Answer::Status(202));
        let action = scene.order(&order);
        let visit = scene.device.check_in();
        let exec = visit.find("Exec", "/TriggerAttestation").expect("7.16");
        let sent: Value = serde_json::from_str(exec.data().unwrap()).expect("7.16: JSON");
        assert_eq!(exec.items[0].format.as_deref(), Some("chr"), "7.16");
        let told = (&sent["rpID"], &sent["serviceEndpoint"], &sent["aadToken"]);
        assert_eq!(told, (&json!("us"), &json!(endpoint), &json!(token)), "7.16");
        scene.device.csp.set(&format!("{HEALTH}/AttestStatus"), "int", "-2147483638");
        scene.later(3 * MINUTE);
        scene.expect(&action, "sent");
        scene.device.csp.set(&format!("{HEALTH}/AttestStatus"), "int", status);
        scene.device.csp.set(&format!("{HEALTH}/GetAttestReport"), "chr", report);
        scene.later(HOUR);
        let shown = scene.expect(&action, state);
        match state {
            "failed" => assert_eq!(shown["hresult"], "0x80070005", "{shown}"),
            _ => assert_eq!(shown["result"]["report"], "jwt", "{shown}"),
        }
        assert_eq!(shown["result"]["nonce"], sent["nonce"], "whose report it is can be told: {shown}");
    }
    scene.keeps_secret(&[token]);
}

#[test]
// covers: M-116
fn a_bitlocker_rotation_is_believed_under_our_request_id_only() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "rotate_bitlocker_keys"}));
    let visit = scene.device.check_in();
    let exec = visit.find("Exec", "/RotateRecoveryPasswords").expect("7.12").clone();
    let request = exec.data().expect("M-116: a request id").to_owned();
    assert_eq!((exec.items[0].format.as_deref(), request.len()), (Some("chr"), 36), "M-116: a GUID: {request}");
    let status = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsStatus";
    let id = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsRequestID";
    scene.device.csp.set(status, "int", "0");
    scene.device.csp.set(id, "chr", "3b241101-e2bb-4255-8caf-4136c566a962");
    scene.later(3 * MINUTE);
    scene.expect(&action, "sent");
    scene.device.csp.set(id, "chr", &format!("{{{}}}", request.to_uppercase()));
    scene.later(HOUR);
    scene.expect(&action, "succeeded");
    assert_eq!(scene.device.csp.times("Exec", "/RotateRecoveryPasswords"), 1, "1.15: once");
}

#[test]
fn updates_are_approved_listed_and_taken_back() {
    let mut scene = Scene::new();
    let root = "./Vendor/MSFT/Update";
    let update = "7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f";
    for before in [false, true] {
        let approval = scene.order(&json!({"type": "approve_update", "update_id": update}));
        let visit = scene.device.check_in();
        assert_eq!(lines(&visit.commands()), [format!("Add {root}/ApprovedUpdates/{update} node")], "7.17: {before}");
        scene.expect(&approval, "succeeded");
    }
    scene.device.csp.set(&format!("{root}/FailedUpdates/u-1/HResult"), "int", "-2145124329");
    scene.device.csp.set(&format!("{root}/InstalledUpdates/u-2/RevisionNumber"), "int", "1");
    scene.device.csp.set(&format!("{root}/LastSuccessfulScanTime"), "chr", "2026-03-01T12:00:00Z");
    let list = scene.order(&json!({"type": "list_updates"}));
    let visit = scene.device.check_in();
    assert!(visit.find("Get", "/FailedUpdates/u-1/HResult").is_some(), "7.17: the details too");
    let shown = scene.expect(&list, "succeeded")["result"].clone();
    assert_eq!(shown["failed"][0]["id"], "u-1", "{shown}");
    assert!(shown["failed"][0]["hresult"].as_str().unwrap().starts_with("0x80240017"), "{shown}");
    assert_eq!((&shown["installed"], &shown["installable"]), (&json!([{"id": "u-2"}]), &json!([])), "{shown}");
    assert_eq!(shown["last_scan"], "2026-03-01T12:00:00Z", "{shown}");
    for (told, state) in [("0", "succeeded"), ("-2147024891", "failed")] {
        let rollback = scene.order(&json!({"type": "rollback_update", "update": "quality"}));
        let visit = scene.device.check_in();
        assert_eq!(lines(&visit.commands()), [format!("Exec {root}/Rollback/QualityUpdate")], "7.17");
        scene.expect(&rollback, "sent");
        scene.device.csp.set(&format!("{root}/Rollback/QualityUpdateStatus"), "chr", told);
        scene.later(3 * MINUTE);
        scene.expect(&rollback, state);
    }
    scene.device.csp.rule("Exec", "/Rollback/FeatureUpdate", Answer::Status(404));
    let absent = scene.order(&json!({"type": "rollback_update", "update": "feature"}));
    scene.device.check_in();
    scene.expect(&absent, "unsupported");
}

#[test]
fn watched_nodes_tell_which_of_them_changed() {
    let mut scene = Scene::new();
    let root = "./Device/Vendor/MSFT/NodeCache/Muster";
    let early = scene.order(&json!({"type": "list_changed_nodes"}));
    scene.device.check_in();
    assert!(detail(&scene.expect(&early, "failed")).contains("watches nothing"));
    let mut nodes = vec![json!({"loc_uri": "./DevDetail/SwV"}); 60];
    nodes[59] = json!({"loc_uri": "./DevInfo/Man", "expected": "Example & Sons"});
    for version in ["v1", "v2"] {
        let watch = scene.order(&json!({"type": "watch_nodes", "version": version, "nodes": nodes}));
        let visit = scene.device.check_in();
        let sent = lines(&visit.commands());
        assert_eq!(sent[0], format!("Delete {root}"), "7.11: what was watched before is forgotten");
        assert_eq!(
            sent.last().unwrap(),
            &format!("Add {root}/CacheVersion chr {version}"),
            "7.11: whole before it is ours"
        );
        assert!(sent.contains(&format!("Add {root}/Nodes/1/AutoSetExpectedValue null")), "7.11");
        assert!(detail(&scene.expect(&watch, "succeeded")).contains("60"));
        let value = |path: &str| scene.device.csp.value(&format!("{root}/{path}")).map(str::to_owned);
        assert_eq!(value("Nodes/60/ExpectedValue").as_deref(), Some("Example & Sons"), "7.11");
        assert_eq!(value("CacheVersion").as_deref(), Some(version), "7.11");
    }
    for (told, changed, words) in [("", json!([]), "nothing changed"), ("3,60", json!(["3", "60"]), "2 of the watched")]
    {
        scene.device.csp.set(&format!("{root}/ChangedNodes"), "chr", told);
        let action = scene.order(&json!({"type": "list_changed_nodes"}));
        scene.device.check_in();
        let shown = scene.expect(&action, "succeeded");
        assert_eq!(shown["result"], json!({"version": "v2", "changed": changed}), "7.11: {shown}");
        assert!(detail(&shown).contains(words), "{shown}");
    }
}

#[test]
// covers: M-146
fn product_keys_and_passwords_reach_the_device_and_nobody_else() {
    let mut scene = Scene::new();
    let (key, other_key) = ("QQQQQ-WWWWW-EEEEE-RRRRR-TTTTT", "QQQQQ-WWWWW-EEEEE-RRRRR-YYYYY");
    let password = "never told 8812";
    let root = "./Vendor/MSFT/WindowsLicensing";
    let upgrade = scene.order(&json!({"type": "upgrade_edition", "product_key": key}));
    let change = scene.order(&json!({"type": "change_product_key", "product_key": other_key}));
    let account = scene.order(
        &json!({"type": "create_local_account", "account": "helpdesk", "password": password, "administrator": true}),
    );
    assert!(!crate::support::database::holds(&scene.timed.server, key), "sealed while it waits");
    let sent = lines(&scene.device.check_in().commands());
    let node = "./Device/Vendor/MSFT/Accounts/Users/helpdesk";
    let expected = [
        format!("Exec {root}/ChangeProductKey chr {other_key}"),
        format!("Add {node}/Password chr {password}"),
        format!("Add {node}/LocalUserGroup int 2"),
        format!("Exec {root}/UpgradeEditionWithProductKey chr {key}"),
    ];
    assert_eq!(sent, expected, "7.3, 7.18: what restarts the device comes last");
    scene.expect(&change, "succeeded");
    scene.expect(&account, "succeeded");
    for (told, state) in [("1", "sent"), ("2", "sent"), ("4", "sent"), ("3", "succeeded")] {
        scene.device.csp.set(&format!("{root}/Status"), "int", told);
        scene.device.csp.set(&format!("{root}/Edition"), "int", "4");
        scene.later(DAY / 4);
        scene.expect(&upgrade, state);
    }
    assert_eq!(scene.expect(&upgrade, "succeeded")["result"]["edition"], "4");
    scene.device.csp.rule("Add", "/helpdesk/Password", Answer::Status(418));
    let again = scene.order(&json!({"type": "create_local_account", "account": "helpdesk", "password": password}));
    scene.device.check_in();
    assert!(detail(&scene.expect(&again, "failed")).contains("may be there already"), "7.3");
    scene.device.csp.rule("Exec", "/ChangeProductKey", Answer::Status(404));
    let absent = scene.order(&json!({"type": "change_product_key", "product_key": key}));
    scene.device.check_in();
    scene.expect(&absent, "unsupported");
    scene.keeps_secret(&[key, other_key, password]);
}

#[test]
fn a_rename_finds_the_node_of_older_builds() {
    let mut scene = Scene::new();
    let older = "./Device/Vendor/MSFT/Accounts/Domain/ComputerName";
    scene.device.csp.rule("Replace", "/DNSComputerName", Answer::Status(404));
    let action = scene.order(&json!({"type": "rename", "name": "FRONT-DESK-2"}));
    scene.device.check_in();
    assert!(detail(&scene.expect(&action, "succeeded")).contains("next restart"));
    assert_eq!(scene.device.csp.value(older), Some("FRONT-DESK-2"), "7.24");
    scene.device.csp.forget(older);
    let again = scene.order(&json!({"type": "rename", "name": "FRONT-DESK-3"}));
    let sent = lines(&scene.device.check_in().commands());
    assert_eq!(sent, [format!("Add {older} chr FRONT-DESK-3")], "what is known not to be there is not tried");
    scene.expect(&again, "succeeded");
    let profile = Profile { os_version: "10.0.18363.1500".to_owned(), ..Profile::new() };
    let user = scene.api.add_user();
    let mut device = FakeDevice::enroll(&scene.timed.server, &user, profile);
    device.settle();
    let id = device.id(&scene.timed.server);
    scene.api.act(&id, &json!({"type": "rename", "name": "FRONT-DESK-4"}));
    let sent = lines(&device.check_in().commands());
    assert_eq!(sent, [format!("Add {older} chr FRONT-DESK-4")], "7.24: the build says which node it has");
}

#[test]
fn a_device_tells_of_every_kind_of_action_once() {
    let scene = Scene::new();
    let mut offered = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for mut offer in scene.api.device(&scene.id)["actions"].as_array().unwrap().clone() {
        kinds.insert(offer["type"].as_str().unwrap().to_owned());
        let fields = offer.as_object_mut().unwrap();
        assert!(fields.remove("available").is_some_and(|available| available.is_boolean()), "{offer}");
        offer.as_object_mut().unwrap().remove("reason");
        assert!(offered.insert(offer.to_string()), "offered twice: {offer}");
    }
    let described = scene.timed.server.web(&Request::new("GET", "/api/openapi.json")).body;
    let described: Value = serde_json::from_slice(&described).unwrap();
    let schemas = described["components"]["schemas"]["RequestAction"]["oneOf"].as_array().unwrap().clone();
    assert!(schemas.len() > 40, "{}", schemas.len());
    for schema in schemas {
        let kind = schema["allOf"][0]["properties"]["type"]["enum"][0].as_str().unwrap();
        // What takes away works wherever what it takes away does; documents are an experiment that is switched off.
        let is_special =
            ["remove_setting"].contains(&kind) || kind.ends_with("_document") || kind.ends_with("link_enrollment");
        assert!(is_special || kinds.contains(kind), "{kind} is not offered");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let scene = Scene::new();
    let cases = [
        (json!({"type": "approve_update", "update_id": "7"}), "/update_id"),
        (json!({"type": "rollback_update", "update": "all"}), "/update"),
        (json!({"type": "list_updates", "of": "x"}), "/of"),
        (json!({"type": "change_product_key", "product_key": "short"}), "/product_key"),
        (json!({"type": "upgrade_edition", "product_key": {"secret": null}}), ""),
        (json!({"type": "create_local_account", "account": "a/b", "password": "p"}), "/account"),
        (json!({"type": "create_local_account", "account": "a", "password": ""}), "/password"),
        (json!({"type": "watch_nodes", "version": "v", "nodes": []}), "/nodes"),
        (json!({"type": "watch_nodes", "version": "v", "nodes": [{"loc_uri": "x"}]}), "/nodes/0/loc_uri"),
        (json!({"type": "attest_health", "service": "azure", "relying_party": "r"}), "/service_endpoint"),
        (json!({"type": "attest_health", "token": "t"}), "/token"),
    ];
    for (body, pointer) in cases {
        assert_eq!(scene.refused_for(&body), pointer, "{body}");
    }
}
