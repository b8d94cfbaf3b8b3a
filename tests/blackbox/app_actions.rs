//! Software as actions: what goes out, what is asked later, and what each answer and alert means.

use serde_json::{Value, json};

use crate::support::csp::Answer;
use crate::support::device::Profile;
use crate::support::reply::Command;
use crate::support::scene::{Scene, detail, lines};
use crate::support::syncml::StatusOf;
use crate::support::timed::{DAY, HOUR, MINUTE};

const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const PRODUCT: &str = "{3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11}";
const MSI_NODE: &str =
    "./Device/Vendor/MSFT/EnterpriseDesktopAppManagement/MSI/%7B3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11%7D";
const MSI_ALERT: &str = "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install";
const APP_ALERT: &str = "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseHostedAppInstall.result";
const REMOVAL_ALERT: &str = "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseAppUninstall.result";
const FAMILY: &str = "Example.App_8wekyb3d8bbwe";

fn msi() -> Value {
    json!({
        "type": "install_msi", "product_code": PRODUCT.to_lowercase(), "version": "2.4.0", "sha256": SHA256,
        "url": "https://mdm.example.test/content/agent.msi?a=1&b=2", "timeout_minutes": 10, "retry_count": 3,
        "retry_interval_minutes": 5,
    })
}

fn app(scope: &str) -> Value {
    json!({"type": "install_app", "scope": scope, "package_family_name": FAMILY,
        "package_url": "https://mdm.example.test/app.msix"})
}

#[test]
// covers: M-114
fn an_msi_is_installed_and_followed() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let action = scene.order(&msi());
    let reply = scene.device.start_session();
    let job = format!(
        "<MsiInstallJob id=\"{PRODUCT}\"><Product Version=\"2.4.0\"><Download><ContentURLList><ContentURL>\
         https://mdm.example.test/content/agent.msi?a=1&amp;b=2</ContentURL></ContentURLList></Download><Validation>\
         <FileHash>{SHA256}</FileHash></Validation><Enforcement><CommandLine>/quiet /norestart</CommandLine>\
         <TimeOut>10</TimeOut><RetryCount>3</RetryCount><RetryInterval>5</RetryInterval></Enforcement></Product>\
         </MsiInstallJob>"
    );
    let expected = [format!("Add {MSI_NODE}/DownloadInstall"), format!("Exec {MSI_NODE}/DownloadInstall xml {job}")];
    let sent: Vec<&Command> = reply.commands.iter().collect();
    assert_eq!(lines(&sent), expected, "M-114: both in one message, in this order");
    let visit = scene.device.finish(reply);
    assert_eq!(visit.replies.len(), 2, "it is not asked about in the same session");
    let shown = scene.expect(&action, "sent");
    assert!(detail(&shown).contains("accepted") && shown["accepted_at"].is_string(), "{shown}");
    assert!(scene.later(MINUTE).is_quiet(), "not asked too early");
    scene.device.csp.set(&format!("{MSI_NODE}/Status"), "int", "48");
    let visit = scene.later(2 * MINUTE);
    assert!(visit.find("Get", "%7D/Status").is_some(), "7.14: the status is read");
    assert!(detail(&scene.expect(&action, "sent")).contains("sign in"), "7.14: 48 waits for the user");
    scene.device.csp.set(&format!("{MSI_NODE}/Status"), "int", "70");
    scene.later(HOUR);
    assert!(detail(&scene.expect(&action, "succeeded")).contains("installed"));
    assert_eq!(scene.device.csp.times("Exec", "/DownloadInstall"), 1, "1.15: once");
    scene.api.wait_for_event("action.succeeded", &scene.id);
    // The product is known now: the same job once more finds its node there.
    let again = scene.order(&msi());
    let visit = scene.device.check_in();
    assert!(visit.find("Replace", "/DownloadInstall").is_none(), "7.14: 418 is fine, nothing is written");
    scene.expect(&again, "sent");
}

#[test]
// covers: M-101
fn an_msi_alert_counts_under_both_codes() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(202));
    let source = format!("{MSI_NODE}/DownloadInstall");
    for (code, data, state) in [(1224, "0", "succeeded"), (1226, "0", "succeeded"), (1226, "-2147023293", "failed")] {
        let action = scene.order(&msi());
        scene.device.check_in();
        scene.expect(&action, "sent");
        let elsewhere = source.replace("3C1E5E1E", "AAAAAAAA");
        scene.alert(code, MSI_ALERT, &elsewhere, data);
        scene.expect(&action, "sent");
        assert!(scene.alert(code, MSI_ALERT, &source, data).is_quiet(), "M-101: nothing is asked: it is over");
        let shown = scene.expect(&action, state);
        if state == "failed" {
            assert_eq!(shown["hresult"], "0x80070643", "{shown}");
        }
    }
    let before = scene.api.list(&format!("/actions?device={}", scene.id));
    scene.alert(1226, MSI_ALERT, &source, "-1");
    assert_eq!(scene.api.list(&format!("/actions?device={}", scene.id)), before, "M-101: nothing is open any more");
}

#[test]
// covers: M-114
fn each_stage_of_an_msi_has_its_meaning() {
    let mut scene = Scene::new();
    let stages = [
        ("30", "failed"),
        ("60", "failed"),
        ("10", "sent"),
        ("20", "sent"),
        ("25", "sent"),
        ("40", "sent"),
        ("50", "sent"),
        ("55", "sent"),
        ("77", "sent"),
    ];
    for (stage, state) in stages {
        let action = scene.order(&msi());
        scene.device.check_in();
        scene.device.csp.set(&format!("{MSI_NODE}/Status"), "int", stage);
        scene.device.csp.set(&format!("{MSI_NODE}/LastError"), "int", "-2147023293");
        scene.device.csp.set(&format!("{MSI_NODE}/LastErrorDesc"), "chr", "fatal error during installation");
        scene.later(3 * MINUTE);
        let shown = scene.expect(&action, state);
        if state == "failed" {
            assert_eq!(shown["hresult"], "0x80070643", "{stage}: {shown}");
            assert!(detail(&shown).contains("fatal error during installation"), "{stage}: {shown}");
        } else {
            scene.api.delete(&format!("/actions/{action}"));
        }
    }
    let silent = scene.order(&msi());
    scene.device.check_in();
    for _ in 0..9 {
        scene.later(DAY);
    }
    assert!(detail(&scene.expect(&silent, "unknown")).contains("did not tell how it ended"));
    scene.device.csp.rule("Exec", "/DownloadInstall", Answer::Status(404));
    let absent = scene.order(&msi());
    scene.device.check_in();
    scene.expect(&absent, "unsupported");
    let node = json!({"type": "uninstall_msi", "product_code": PRODUCT});
    for there in [true, false] {
        let removed = scene.order(&node);
        assert_eq!(lines(&scene.device.check_in().commands()), [format!("Delete {MSI_NODE}")], "7.14: {there}");
        scene.expect(&removed, "succeeded");
    }
}

#[test]
// covers: M-102
fn the_alert_of_an_app_ends_its_installation() {
    let mut scene = Scene::new();
    scene.device.csp.rule("Exec", "/HostedInstall", Answer::Status(202));
    let root = format!("./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/{FAMILY}");
    let mut body = app("user");
    body["dependencies"] = json!(["https://mdm.example.test/lib.appx"]);
    let job = "<Application PackageUri=\"https://mdm.example.test/app.msix\" DeploymentOptions=\"0\"><Dependencies>\
               <Dependency PackageUri=\"https://mdm.example.test/lib.appx\"/></Dependencies></Application>";
    let expected = [format!("Add {root} node"), format!("Exec {root}/HostedInstall xml {job}")];
    for (data, state) in [("0", "succeeded"), ("-2147009274", "failed")] {
        let action = scene.order(&body);
        let visit = scene.device.check_in();
        assert_eq!(lines(&visit.commands()), expected, "7.15");
        scene.expect(&action, "sent");
        let node = format!("{root}/HostedInstall");
        scene.alert(1226, APP_ALERT, &node.replace(FAMILY, "Other.App_8wekyb3d8bbwe"), data);
        scene.alert(1226, APP_ALERT, &node.replace("./User", "./Device"), data);
        scene.expect(&action, "sent");
        scene.alert(1226, APP_ALERT, &node, data);
        let shown = scene.expect(&action, state);
        if state == "failed" {
            assert_eq!(shown["hresult"], "0x80073D06", "{shown}");
        }
    }
    let (waiting, _) = (scene.order(&app("device")), scene.alert(1226, APP_ALERT, "./Vendor/MSFT/Elsewhere", "0"));
    scene.expect(&waiting, "sent");
}

#[test]
// covers: M-102
fn an_installation_without_an_alert_is_over_when_its_job_is_gone() {
    let mut scene = Scene::new();
    let action =
        scene.order(&json!({"type": "install_store_app", "package_family_name": FAMILY, "product_id": "9WZDNCRFJ3PT"}));
    let root = format!("./User/Vendor/MSFT/EnterpriseModernAppManagement/AppInstallation/{FAMILY}");
    scene.device.csp.effect("Exec", "/StoreInstall", &[("Status", "int", "1")]);
    let visit = scene.device.check_in();
    let job = "<Application id=\"9WZDNCRFJ3PT\" flags=\"0\" skuid=\"0010\"></Application>";
    let expected = [format!("Add {root} node"), format!("Exec {root}/StoreInstall xml {job}")];
    assert_eq!(lines(&visit.commands()), expected, "7.15: for the user");
    scene.later(3 * MINUTE);
    assert!(detail(&scene.expect(&action, "sent")).contains("being installed"));
    scene.device.csp.forget(&format!("{root}/Status"));
    scene.later(HOUR);
    scene.expect(&action, "succeeded");
    let failing = scene.order(&app("device"));
    scene.device.csp.effect(
        "Exec",
        "/HostedInstall",
        &[
            ("Status", "int", "2"),
            ("LastError", "int", "-2147009274"),
            ("LastErrorDesc", "chr", "a newer one is there"),
        ],
    );
    scene.device.check_in();
    scene.later(3 * MINUTE);
    let shown = scene.expect(&failing, "failed");
    assert_eq!(shown["hresult"], "0x80073D06", "{shown}");
    assert!(detail(&shown).contains("a newer one is there"), "{shown}");
}

#[test]
// covers: M-102
fn apps_are_listed_and_removed() {
    let mut scene = Scene::new();
    let root = "./Device/Vendor/MSFT/EnterpriseModernAppManagement/AppManagement";
    let list = scene.order(&json!({"type": "list_apps"}));
    let reply = scene.device.start_session();
    let expected = ["nonStore", "AppStore", "System"].map(|origin| format!("Get {root}/{origin}?list=StructData"));
    assert_eq!(lines(&reply.commands.iter().collect::<Vec<_>>()), expected, "7.15");
    let mut message = scene.device.next_message(&reply);
    for command in &reply.commands {
        let of = StatusOf {
            msg_ref: reply.msg_id.clone(),
            cmd_ref: command.cmd_id.clone(),
            cmd: "Get".to_owned(),
            target_ref: None,
        };
        let is_own = command.uri().contains("nonStore");
        message.status(&of, if is_own { 200 } else { 404 });
        let references = format!("<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef>", reply.msg_id, command.cmd_id);
        for (path, value) in [("Name", "App"), ("Version", "1.2.3.4")].into_iter().filter(|_| is_own) {
            let uri = format!("{root}/nonStore/{FAMILY}/{FAMILY}_1.2.3.4/{path}");
            message.results(&references, &uri, "", &format!("<Data>{value}</Data>"));
        }
    }
    scene.device.exchange(&message);
    let expected = json!([{"origin": "non_store", "package_family_name": FAMILY, "name": "App", "version": "1.2.3.4",
        "package_full_name": format!("{FAMILY}_1.2.3.4")}]);
    assert_eq!(scene.expect(&list, "succeeded")["result"]["apps"], expected);
    scene.device.csp.rule("Delete", FAMILY, Answer::Status(202));
    let body = json!({"type": "remove_app", "package_family_name": FAMILY});
    let removal = scene.order(&body);
    assert_eq!(lines(&scene.device.check_in().commands()), [format!("Delete {root}/nonStore/{FAMILY}")], "7.15");
    scene.expect(&removal, "sent");
    scene.alert(1226, REMOVAL_ALERT, &format!("{root}/{FAMILY}"), "0");
    scene.expect(&removal, "succeeded");
    let asked = scene.order(&body);
    scene.device.check_in();
    scene.later(3 * MINUTE);
    assert!(detail(&scene.expect(&asked, "succeeded")).contains("removed"), "7.15: it is not there any more");
    scene.device.csp.forget_rules();
    let absent = scene.order(&body);
    scene.device.check_in();
    assert!(detail(&scene.expect(&absent, "succeeded")).contains("was not there"));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let scene = Scene::new();
    let with = |mut body: Value, field: &str, value: Value| {
        body[field] = value;
        body
    };
    let cases = [
        (with(msi(), "product_code", json!("x")), "/product_code"),
        (with(msi(), "sha256", json!("00")), "/sha256"),
        (with(msi(), "url", json!("file:///agent.msi")), "/url"),
        (with(msi(), "timeout_minutes", json!(0)), "/timeout_minutes"),
        (with(app("device"), "deployment_options", json!(1)), "/deployment_options"),
        (with(app("device"), "package_family_name", json!("App")), "/package_family_name"),
        (json!({"type": "list_apps", "origin": "attic"}), "/origin"),
    ];
    for (body, pointer) in cases {
        assert_eq!(scene.refused_for(&body), pointer, "{body}");
    }
    let profile = Profile { os_edition: "136".to_owned(), ..Profile::new() };
    let user = scene.api.add_user();
    let mut hololens = crate::support::device::FakeDevice::enroll(&scene.timed.server, &user, profile);
    hololens.settle();
    let id = hololens.id(&scene.timed.server);
    for body in [msi(), app("device"), json!({"type": "list_apps"})] {
        assert_eq!(scene.api.act_refused(&id, &body), "not_supported_by_device", "7.14, 7.15: {body}");
    }
    let action = scene.api.act(&id, &app("user"));
    assert!(hololens.check_in().find("Exec", "/HostedInstall").is_some(), "7.15: in the context of the user");
    assert_eq!(scene.api.action_state(&action), "sent");
    let offers = scene.api.device(&id)["actions"].as_array().unwrap().clone();
    let offered = |kind: &str| {
        offers.iter().find(|offer| offer["type"] == kind).unwrap_or_else(|| panic!("{kind}"))["available"].clone()
    };
    let told = ["install_msi", "scep_certificate", "install_app", "bitlocker_policy"].map(offered);
    assert_eq!(told, [json!(false), json!(true), json!(true), json!(false)], "{offers:?}");
}
