//! Actions that take a device some time: what goes out, what is asked later, and what each answer and alert means.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use serde_json::{Value, json};
use support::api::Api;
use support::csp::Answer;
use support::database;
use support::device::{FakeDevice, Visit};
use support::http::Request;
use support::reply::Command;
use support::timed::{DAY, HOUR, MINUTE, Timed};

const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const PRODUCT: &str = "{3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11}";
const MSI_NODE: &str =
    "./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/%7B3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11%7D";

fn msi() -> Value {
    json!({
        "type": "install_msi", "product_code": PRODUCT.to_lowercase(), "version": "2.4.0", "sha256": SHA256,
        "url": "https://mdm.example.test/content/agent.msi?a=1&b=2", "timeout_minutes": 10, "retry_count": 3,
        "retry_interval_minutes": 5,
    })
}

/// A server whose clock the test moves, with a device on it.
struct Scene {
    timed: Timed,
    device: FakeDevice,
    id: String,
    api: Api,
}

impl Scene {
    fn new() -> Self {
        let timed = Timed::start();
        let (device, id, api) = timed.settled();
        Self { timed, device, id, api }
    }

    fn order(&self, body: &Value) -> String {
        self.api.act(&self.id, body)
    }

    /// Time passes, and the device calls.
    fn later(&mut self, seconds: u64) -> Visit {
        self.timed.pass(seconds);
        self.device.check_in()
    }

    /// The device calls with an alert about a node.
    fn alert(&mut self, code: u32, kind: &str, source: &str, data: &str) -> Visit {
        let mut message = self.device.package_one();
        message.sourced_alert(code, kind, source, "int", data);
        let reply = self.device.exchange(&message);
        self.device.finish(reply)
    }

    #[track_caller]
    fn expect(&self, action: &str, state: &str) -> Value {
        let shown = self.api.action(action);
        assert_eq!(shown["state"], state, "{shown}");
        shown
    }
}

#[track_caller]
fn parts(command: &Command) -> (&str, Option<&str>, Option<&str>) {
    let item = &command.items[0];
    (item.uri.as_str(), item.format.as_deref(), item.data.as_deref())
}

fn detail(action: &Value) -> String {
    action["detail"].as_str().unwrap_or_default().to_lowercase()
}

#[test]
// covers: M-114
fn an_msi_is_installed_and_followed() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let action = scene.order(&msi());
    let reply = scene.device.start_session();
    let sent: Vec<&str> = reply.commands.iter().map(|command| command.verb.as_str()).collect();
    assert_eq!(sent, ["Add", "Exec"], "M-114: both in one message, in this order: {}", reply.xml);
    let node = format!("{MSI_NODE}/DownloadInstall");
    assert_eq!(parts(&reply.commands[0]), (node.as_str(), None, None), "M-114: the node without data");
    let job = format!(
        "<MsiInstallJob id=\"{PRODUCT}\"><Product Version=\"2.4.0\"><Download><ContentURLList><ContentURL>\
         https://mdm.example.test/content/agent.msi?a=1&amp;b=2</ContentURL></ContentURLList></Download><Validation>\
         <FileHash>{SHA256}</FileHash></Validation><Enforcement><CommandLine>/quiet /norestart</CommandLine>\
         <TimeOut>10</TimeOut><RetryCount>3</RetryCount><RetryInterval>5</RetryInterval></Enforcement></Product>\
         </MsiInstallJob>"
    );
    assert_eq!(parts(&reply.commands[1]), (node.as_str(), Some("xml"), Some(job.as_str())), "M-114, M-93");
    let visit = scene.device.finish(reply);
    assert_eq!(visit.replies.len(), 2, "it is not asked in the same session");
    let shown = scene.expect(&action, "sent");
    assert!(detail(&shown).contains("accepted") && shown["accepted_at"].is_string(), "{shown}");
    assert!(scene.later(MINUTE).is_quiet(), "not asked too early");
    scene.device.csp.set(&format!("{MSI_NODE}/Status"), "int", "48");
    let visit = scene.later(2 * MINUTE);
    assert!(visit.find("Get", "%7D/Status").is_some(), "7.14: the status is read");
    assert!(detail(&scene.expect(&action, "sent")).contains("sign in"), "48 waits for the user");
    scene.device.csp.set(&format!("{MSI_NODE}/Status"), "int", "70");
    scene.later(HOUR);
    assert!(detail(&scene.expect(&action, "succeeded")).contains("installed"));
    assert_eq!(scene.device.csp.times("Exec", "/DownloadInstall"), 1, "1.15: once");
    scene.api.wait_for_event("action.succeeded", &scene.id);
}

#[test]
// covers: M-101
fn an_msi_alert_counts_under_both_codes() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install";
    for (code, data, state) in [(1224, "0", "succeeded"), (1226, "0", "succeeded"), (1226, "-2147023293", "failed")] {
        let action = scene.order(&msi());
        scene.device.check_in();
        scene.expect(&action, "sent");
        let visit = scene.alert(code, kind, &format!("{MSI_NODE}/DownloadInstall"), data);
        assert!(visit.is_quiet(), "M-101: nothing is asked: it is over");
        let shown = scene.expect(&action, state);
        if state == "failed" {
            assert_eq!(shown["hresult"], "0x80070643", "{shown}");
        }
    }
    // Once more: nothing is open any more, so nothing changes.
    let before = scene.api.list(&format!("/actions?device={}", scene.id));
    scene.alert(1226, kind, &format!("{MSI_NODE}/DownloadInstall"), "-1");
    assert_eq!(scene.api.list(&format!("/actions?device={}", scene.id)), before, "M-101");
}

#[test]
// covers: M-101, M-102
fn an_alert_about_something_else_changes_nothing() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let installing = scene.order(&msi());
    scene.device.check_in();
    let waiting = scene.order(&json!({
        "type": "install_app", "package_family_name": "Other_1", "package_url": "https://a.test/a.msix",
    }));
    let other = "./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/%7BAAAAAAAA-90A5-4B1E-9D0C-5C1B2A7F0E11%7D";
    scene.alert(
        1224,
        "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install",
        &format!("{other}/DownloadInstall"),
        "0",
    );
    scene.expect(&installing, "sent");
    let app = "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/Other_1/HostedInstall";
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseHostedAppInstall.result";
    // The first alert came before the device was given the app: it went out in that very session.
    scene.alert(1226, kind, &app.replace("Other_1", "Unknown_2"), "0");
    scene.expect(&waiting, "sent");
    let second = Timed::start();
    let (mut foreign, foreign_id, foreign_api) = second.settled();
    let mut message = foreign.package_one();
    message.sourced_alert(1226, kind, app, "int", "0");
    let reply = foreign.exchange(&message);
    foreign.finish(reply);
    scene.expect(&waiting, "sent");
    assert!(foreign_api.list(&format!("/actions?device={foreign_id}")).is_empty(), "never ordered there");
}

#[test]
// covers: M-102
fn an_app_is_installed_and_its_alert_ends_it() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/HostedInstall", Answer::Status(202));
    let action = scene.order(&json!({
        "type": "install_app", "scope": "user", "package_family_name": "Example.App_8wekyb3d8bbwe",
        "package_url": "https://mdm.example.test/app.msix", "dependencies": ["https://mdm.example.test/lib.appx"],
    }));
    let reply = scene.device.start_session();
    let root = "./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/Example.App_8wekyb3d8bbwe";
    assert_eq!(parts(&reply.commands[0]), (root, Some("node"), None), "7.15");
    let job = "<Application PackageUri=\"https://mdm.example.test/app.msix\" DeploymentOptions=\"0\"><Dependencies>\
               <Dependency PackageUri=\"https://mdm.example.test/lib.appx\"/></Dependencies></Application>";
    let node = format!("{root}/HostedInstall");
    assert_eq!(parts(&reply.commands[1]), (node.as_str(), Some("xml"), Some(job)), "7.15");
    scene.device.finish(reply);
    scene.expect(&action, "sent");
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseHostedAppInstall.result";
    scene.alert(1226, kind, &node, "0");
    scene.expect(&action, "succeeded");
}

#[test]
fn an_app_of_the_store_is_polled_because_no_alert_is_known() {
    let mut scene = Scene::new();
    let order =
        json!({"type": "install_store_app", "package_family_name": "Store.App_1", "product_id": "9WZDNCRFJ3PT"});
    let action = scene.order(&order);
    let visit = scene.device.check_in();
    let exec = visit.find("Exec", "/StoreInstall").expect("7.15");
    assert!(exec.data().is_some_and(|job| job.contains("id=\"9WZDNCRFJ3PT\"") && job.contains("skuid=\"0010\"")));
    let root = "./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/Store.App_1";
    scene.device.csp.set(&format!("{root}/Status"), "int", "1");
    scene.later(3 * MINUTE);
    scene.expect(&action, "sent");
    // The node vanishes with success.
    scene.device.csp.forget(&format!("{root}/Status"));
    scene.later(HOUR);
    scene.expect(&action, "succeeded");
}

#[test]
fn apps_are_listed_and_removed() {
    let mut scene = Scene::new();
    let root = "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement";
    let list = scene.order(&json!({"type": "list_apps"}));
    let reply = scene.device.start_session();
    let asked: Vec<&str> = reply.commands.iter().map(Command::uri).collect();
    let expected = ["nonStore", "AppStore", "System"].map(|origin| format!("{root}/{origin}?list=StructData"));
    assert_eq!(asked, expected, "7.15");
    let mut message = scene.device.next_message(&reply);
    for command in &reply.commands {
        let of = support::syncml::StatusOf {
            msg_ref: reply.msg_id.clone(),
            cmd_ref: command.cmd_id.clone(),
            cmd: "Get".to_owned(),
            target_ref: None,
        };
        let is_own = command.uri().contains("nonStore");
        message.status(&of, if is_own { 200 } else { 404 });
        let references = format!("<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef>", reply.msg_id, command.cmd_id);
        for (path, value) in [("Name", "App"), ("Version", "1.2.3.4")].into_iter().filter(|_| is_own) {
            let uri = format!("{root}/nonStore/App_1/App_1.2.3.4_x64__1/{path}");
            message.results(&references, &uri, "", &format!("<Data>{value}</Data>"));
        }
    }
    scene.device.exchange(&message);
    let shown = scene.expect(&list, "succeeded");
    let apps = shown["result"]["apps"].as_array().expect("a list of apps");
    assert_eq!(apps.len(), 1, "{shown}");
    assert_eq!((&apps[0]["package_family_name"], &apps[0]["version"]), (&json!("App_1"), &json!("1.2.3.4")), "{shown}");
    scene.device.csp.rule("Delete", "/App_1", Answer::Status(202));
    let remove = scene.order(&json!({"type": "remove_app", "package_family_name": "App_1"}));
    let visit = scene.device.check_in();
    assert_eq!(visit.find("Delete", "/nonStore/App_1").expect("7.15").uri(), format!("{root}/nonStore/App_1"));
    scene.expect(&remove, "sent");
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseAppUninstall.result";
    scene.alert(1226, kind, &format!("{root}/App_1"), "0");
    scene.expect(&remove, "succeeded");
}

#[test]
// covers: M-116
fn a_bitlocker_rotation_is_believed_under_our_request_id_only() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "rotate_bitlocker_keys"}));
    let visit = scene.device.check_in();
    let exec = visit.find("Exec", "/RotateRecoveryPasswords").expect("7.12").clone();
    let request = exec.data().expect("M-116: a request id").to_owned();
    assert_eq!(exec.items[0].format.as_deref(), Some("chr"), "7.12");
    assert_eq!(request.len(), 36, "M-116: a GUID: {request}");
    let status = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsStatus";
    let id = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsRequestID";
    scene.device.csp.set(status, "int", "0");
    scene.device.csp.set(id, "chr", "3b241101-e2bb-4255-8caf-4136c566a962");
    scene.later(3 * MINUTE);
    scene.expect(&action, "sent");
    scene.device.csp.set(id, "chr", &format!("{{{}}}", request.to_uppercase()));
    scene.later(HOUR);
    scene.expect(&action, "succeeded");
    assert_eq!(scene.device.csp.times("Exec", "/RotateRecoveryPasswords"), 1);
}

#[test]
fn a_laps_rotation_ends_with_what_its_status_says() {
    let mut scene = Scene::new();
    let status = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";
    for (values, state) in [(["-2147483638", "0"], "succeeded"), (["-2147483638", "-2147024891"], "failed")] {
        let action = scene.order(&json!({"type": "reset_passcode", "method": "laps"}));
        assert!(scene.device.check_in().find("Exec", "/LAPS/Actions/ResetPassword").is_some(), "7.3");
        scene.device.csp.set(status, "int", values[0]);
        scene.later(3 * MINUTE);
        assert!(detail(&scene.expect(&action, "sent")).contains("under way"), "E_PENDING");
        scene.device.csp.set(status, "int", values[1]);
        scene.later(HOUR);
        scene.expect(&action, state);
    }
}

#[test]
fn an_autopilot_reset_waits_for_its_restart() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "autopilot_reset"}));
    let reboot = scene.order(&json!({"type": "reboot"}));
    let reply = scene.device.start_session();
    assert_eq!(reply.commands.len(), 1, "the restart comes first, and what erases is alone in its message");
    let visit = scene.device.finish(reply);
    let exec = visit.find("Exec", "/doAutomaticRedeployment").expect("7.6");
    assert_eq!((exec.items[0].format.as_deref(), exec.data()), (Some("chr"), Some("")), "7.6");
    scene.expect(&reboot, "succeeded");
    let root = "./Device/Vendor/MSFT/RemoteWipe/AutomaticRedeployment";
    scene.device.csp.set(&format!("{root}/LastError"), "int", "0");
    for (stage, state) in [("20", "sent"), ("1", "succeeded")] {
        scene.device.csp.set(&format!("{root}/Status"), "int", stage);
        scene.later(2 * HOUR);
        scene.expect(&action, state);
    }
}

#[test]
// covers: M-103
fn a_scep_alert_looks_at_the_certificate_at_once() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "apply_setting", "setting": {
        "kind": "scep_certificate", "server_url": "https://ca.example.test/scep", "challenge": "open sesame 4711",
        "subject_name": "CN=PC-7", "ca_thumbprint": "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819",
    }}));
    let reply = scene.device.start_session();
    let atomic = reply.commands.iter().find(|command| command.verb == "Atomic").expect("7.13: one Atomic");
    let last = atomic.children.last().unwrap();
    assert!(last.verb == "Exec" && last.targets("/Install/Enroll"), "7.13: Enroll is the last child: {}", atomic.xml);
    assert!(atomic.children[..atomic.children.len() - 1].iter().all(|child| child.verb == "Add"), "{}", atomic.xml);
    let value = |name: &str| {
        let child = atomic.children.iter().find(|child| child.targets(name)).unwrap_or_else(|| panic!("no {name}"));
        child.data().unwrap_or_default().to_owned()
    };
    assert_eq!(value("/Install/KeyUsage"), "160", "7.13");
    assert_eq!(value("/Install/HashAlgorithm"), "SHA-2", "7.13");
    assert_eq!(value("/Install/Challenge"), "open sesame 4711");
    let root = last.uri().strip_suffix("/Install/Enroll").unwrap().to_owned();
    scene.device.finish(reply);
    scene.expect(&action, "sent");
    scene.device.csp.set(&format!("{root}/Status"), "int", "1");
    scene.device.csp.set(&format!("{root}/CertThumbprint"), "chr", "AB12");
    let visit = scene.alert(1226, "com.microsoft:mdm.SCEPcertinstall.result", &root, "0");
    for name in ["/Status", "/CertThumbprint", "/ErrorCode"] {
        assert!(visit.find("Get", name).is_some(), "M-103: {name} is read in that session");
    }
    let shown = scene.expect(&action, "succeeded");
    assert_eq!(shown["result"]["thumbprint"], "AB12", "M-103: {shown}");
    assert_eq!(scene.device.csp.times("Exec", "/Install/Enroll"), 1, "a challenge works once");
}

#[test]
// covers: M-104
fn a_health_alert_fetches_the_certificate() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "attest_health"}));
    assert!(scene.device.check_in().find("Exec", "/VerifyHealth").is_some(), "7.16");
    scene.expect(&action, "sent");
    scene.device.csp.set("./Vendor/MSFT/HealthAttestation/Certificate", "chr", "QkxPQg==");
    let source = "./Vendor/MSFT/HealthAttestation/VerifyHealth";
    let visit = scene.alert(1226, "com.microsoft.mdm:HealthAttestation.Result", source, "3");
    let nonce = visit.find("Replace", "/HealthAttestation/Nonce").expect("7.16: a nonce of ours");
    assert!(nonce.data().is_some_and(|hex| (16..=64).contains(&hex.len())), "7.16: 8 to 32 bytes: {}", nonce.xml);
    assert!(visit.find("Get", "/HealthAttestation/Certificate").is_some(), "M-104");
    let shown = scene.expect(&action, "succeeded");
    assert_eq!(shown["result"]["certificate"], "QkxPQg==", "M-104: {shown}");
}

#[test]
fn what_a_device_never_tells_the_end_of_is_given_up() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "rotate_bitlocker_keys"}));
    scene.device.check_in();
    let mut questions = 0;
    for _ in 0..30 {
        questions += usize::from(!scene.later(HOUR).is_quiet());
    }
    let shown = scene.expect(&action, "unknown");
    assert!(detail(&shown).contains("did not tell how it ended"), "{shown}");
    assert!((4..=15).contains(&questions), "{questions} questions in a day");
    assert!(scene.later(DAY).is_quiet(), "it is asked no more");
    let silent = scene.order(&json!({"type": "rotate_bitlocker_keys"}));
    scene.device.check_in();
    scene.timed.pass(2 * DAY);
    support::eventually("upkeep gives up what nobody tells the end of", || {
        (scene.api.action_state(&silent) == "unknown").then_some(())
    });
}

#[test]
fn a_followed_action_can_be_let_go() {
    let mut scene = Scene::new();
    let action = scene.order(&json!({"type": "rotate_bitlocker_keys"}));
    scene.device.check_in();
    scene.api.delete(&format!("/actions/{action}"));
    assert!(detail(&scene.expect(&action, "cancelled")).contains("may have happened"));
    assert!(scene.later(HOUR).is_quiet());
}

#[test]
fn a_restart_of_the_server_forgets_nothing_that_is_followed() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let action = scene.order(&msi());
    scene.device.check_in();
    let now = support::now();
    scene.timed.restart_at(now, false).expect("the server starts again");
    let api = scene.timed.server.api();
    assert_eq!(api.action_state(&action), "sent");
}

#[test]
fn updates_and_watched_nodes_are_read() {
    let mut scene = Scene::new();
    scene.device.csp.set("./Vendor/MSFT/Update/FailedUpdates/u-1/HResult", "int", "-2145124329");
    scene.device.csp.set("./Vendor/MSFT/Update/InstalledUpdates/u-2/RevisionNumber", "int", "1");
    scene.device.csp.set("./Vendor/MSFT/Update/LastSuccessfulScanTime", "chr", "2026-03-01T12:00:00Z");
    let list = scene.order(&json!({"type": "list_updates"}));
    scene.device.settle();
    let shown = scene.expect(&list, "succeeded");
    assert_eq!(shown["result"]["failed"][0]["id"], "u-1", "{shown}");
    assert!(shown["result"]["failed"][0]["hresult"].as_str().unwrap().starts_with("0x80240017"), "{shown}");
    assert_eq!(shown["result"]["installed"][0]["id"], "u-2", "{shown}");
    let watch = scene.order(&json!({"type": "watch_nodes", "version": "v1", "nodes": [
        {"loc_uri": "./DevDetail/SwV"}, {"loc_uri": "./DevInfo/Man", "expected": "Example Computers"},
    ]}));
    scene.device.settle();
    scene.expect(&watch, "succeeded");
    let root = "./Device/Vendor/MSFT/NodeCache/Muster";
    assert_eq!(scene.device.csp.value(&format!("{root}/Nodes/2/ExpectedValue")), Some("Example Computers"), "7.11");
    assert_eq!(scene.device.csp.value(&format!("{root}/CacheVersion")), Some("v1"), "7.11");
    scene.device.csp.set(&format!("{root}/ChangedNodes"), "chr", "1");
    let changed = scene.order(&json!({"type": "list_changed_nodes"}));
    scene.device.settle();
    assert_eq!(scene.expect(&changed, "succeeded")["result"], json!({"version": "v1", "changed": ["1"]}));
}

#[test]
fn a_rename_finds_the_node_of_older_builds() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Replace", "/DNSComputerName", Answer::Status(404));
    scene.device.csp.rule("Add", "/DNSComputerName", Answer::Status(404));
    let action = scene.order(&json!({"type": "rename", "name": "FRONT-DESK-2"}));
    scene.device.settle();
    scene.expect(&action, "succeeded");
    let name = "./Device/Vendor/MSFT/Accounts/Domain/ComputerName";
    assert_eq!(scene.device.csp.value(name), Some("FRONT-DESK-2"), "7.24");
    let again = scene.order(&json!({"type": "rename", "name": "FRONT-DESK-3"}));
    let visit = scene.device.check_in();
    assert!(visit.find("Add", "/Accounts/Domain/ComputerName").is_some(), "what is known is not tried again");
    assert!(visit.find("Replace", "/DNSComputerName").is_none());
    let _ = again;
}

#[test]
// covers: M-146
fn product_keys_and_passwords_are_kept_from_everybody() {
    let mut scene = Scene::new();
    let key = "QQQQQ-WWWWW-EEEEE-RRRRR-TTTTT";
    let password = "never told 8812";
    let upgrade = scene.order(&json!({"type": "upgrade_edition", "product_key": key}));
    let account = scene.order(&json!({"type": "create_local_account", "account": "helpdesk", "password": password}));
    assert!(!database::holds(&scene.timed.server, key), "sealed while it waits");
    let visit = scene.device.check_in();
    let exec = visit.find("Exec", "/UpgradeEditionWithProductKey").expect("7.18");
    assert_eq!(exec.data(), Some(key), "7.18");
    assert_eq!(visit.find("Add", "/Users/helpdesk/Password").expect("7.3").data(), Some(password));
    scene.expect(&account, "succeeded");
    scene.device.csp.set("./Vendor/MSFT/WindowsLicensing/Status", "int", "3");
    scene.device.csp.set("./Vendor/MSFT/WindowsLicensing/Edition", "int", "4");
    scene.later(HOUR);
    assert_eq!(scene.expect(&upgrade, "succeeded")["result"]["edition"], "4");
    let transcript = support::eventually("the transcripts", || {
        let shown = Value::from(scene.api.sessions(&scene.id)).to_string();
        (shown.contains("UpgradeEditionWithProductKey") && shown.contains("WindowsLicensing/Status")).then_some(shown)
    });
    let told = format!(
        "{transcript}{}{}{:?}{:?}",
        scene.api.action(&upgrade),
        scene.api.action(&account),
        scene.api.list("/actions?limit=200"),
        scene.api.events()
    );
    for secret in [key, password] {
        assert!(!told.contains(secret), "no document holds it");
        assert!(!database::holds(&scene.timed.server, secret), "the database holds it sealed at most");
        assert!(!format!("{:?}", scene.api.list("/audit?limit=200")).contains(secret));
    }
}

#[test]
// covers: S-05
fn parameters_are_refused_with_their_place() {
    let scene = Scene::new();
    let cases = [
        (json!({"type": "install_msi"}), "/product_code"),
        (json!({"type": "install_msi", "product_code": "x"}), "/product_code"),
        (json!({"type": "rename", "name": "a name with blanks"}), "/name"),
        (json!({"type": "approve_update", "update_id": "7"}), "/update_id"),
        (json!({"type": "change_product_key", "product_key": "short"}), "/product_key"),
        (json!({"type": "change_product_key", "product_key": {"secret": null}}), ""),
        (json!({"type": "create_local_account", "account": "a", "password": ""}), "/password"),
        (json!({"type": "watch_nodes", "version": "v", "nodes": [{"loc_uri": "x"}]}), "/nodes/0/loc_uri"),
        (json!({"type": "apply_setting"}), "/setting"),
        (json!({"type": "apply_setting", "setting": {"kind": "wallpaper"}}), "/setting/kind"),
        (json!({"type": "apply_setting", "setting": {"kind": "lost_contact"}}), "/setting/unenroll_after_days"),
        (json!({"type": "apply_setting", "setting": {"kind": "update_ring"}}), "/setting"),
        (json!({"type": "apply_setting", "setting": {"kind": "update_ring", "grace_days": 9}}), "/setting/grace_days"),
        (json!({"type": "apply_setting", "setting": {"kind": "wifi_profile", "ssid": "a"}}), "/setting/profile_xml"),
        (json!({"type": "remove_setting", "setting": {"kind": "update_ring", "grace_days": 1}}), "/setting/grace_days"),
        (json!({"type": "attest_health", "service": "azure", "relying_party": "r"}), "/service_endpoint"),
    ];
    for (body, pointer) in cases {
        let request = Request::post(&format!("/devices/{}/actions", scene.id), body.to_string())
            .header("Content-Type", "application/json");
        let refused = scene.api.send(request);
        refused.expect_status(&body.to_string(), 422);
        let problem: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        assert!(problem["errors"][0]["message"].as_str().is_some_and(|words| !words.is_empty()), "{problem}");
    }
}
