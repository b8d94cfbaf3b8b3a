//! Settings as actions: what goes to the device, what becomes of it, and what is refused before anything is sent.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile, Visit};
use crate::support::http::Request;
use crate::support::scene::{detail, lines};
use crate::support::server::Server;

const DEVICE_LOCK: &str = "./Device/Vendor/MSFT/Policy/Config/DeviceLock";

fn settled_on(build: &str, edition: &str) -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    let profile = Profile { os_version: build.to_owned(), os_edition: edition.to_owned(), ..Profile::new() };
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.settle();
    let id = device.id(server);
    (device, id, api)
}

/// A PC with Windows 11 24H2 Pro.
fn settled() -> (FakeDevice, String, Api) {
    settled_on("10.0.26100.3915", "48")
}

/// Orders an action, lets the device meet it, returns what came of it.
#[track_caller]
fn carried_out(device: &mut FakeDevice, api: &Api, id: &str, body: &Value) -> (Value, Visit) {
    let action = api.act(id, body);
    let visit = device.check_in();
    (api.action(&action), visit)
}

#[track_caller]
fn succeeds(device: &mut FakeDevice, api: &Api, id: &str, body: &Value, expected: &[String]) -> Value {
    let (action, visit) = carried_out(device, api, id, body);
    assert_eq!(lines(&visit.commands()), expected, "{action}");
    assert_eq!(action["state"], "succeeded", "{action}");
    action
}

/// The pointer of the parameter for which an action is refused.
#[track_caller]
fn refused_for(api: &Api, id: &str, body: &Value) -> String {
    let problem = api.post(&format!("/devices/{id}/actions"), body, 422);
    problem["errors"][0]["pointer"].as_str().unwrap_or_else(|| panic!("{problem}")).to_owned()
}

fn wlan(name: &str, key: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><WLANProfile xmlns=\"http://www.microsoft.com/networking/WLAN/profile/v1\"><name>{name}</name>\
         <SSIDConfig><SSID><name>{name}</name></SSID></SSIDConfig><MSM><security><sharedKey><keyType>passPhrase</keyType>\
         <protected>false</protected><keyMaterial>{key}</keyMaterial></sharedKey></security></MSM></WLANProfile>"
    )
}

#[test]
// covers: M-91, M-146
fn a_wifi_profile_reaches_the_device_and_nobody_else() {
    let server = Server::shared();
    let (mut device, id, api) = settled();
    let key = "correct-horse-7731";
    let profile = wlan("Café 1/2", key);
    let body = json!({"type": "wifi_profile", "name": "Café 1/2", "profile": profile, "proxy": "proxy.example.test:8080",
        "cost": "fixed"});
    let node = "./Device/Vendor/MSFT/WiFi/Profile/Caf%C3%A9%201%2F2";
    let expected = [
        format!("Add {node}/WlanXml chr {profile}"),
        format!("Add {node}/Proxy chr proxy.example.test:8080"),
        format!("Add {node}/WiFiCost int 2"),
    ];
    let action = succeeds(&mut device, &api, &id, &body, &expected);
    assert_eq!((action["name"].as_str(), action["cost"].as_str()), (Some("Café 1/2"), Some("fixed")), "{action}");
    assert!(action.get("profile").is_none(), "a secret is not shown: {action}");
    assert_eq!(detail(&action), "the Wi-Fi profile Café 1/2 is set");
    let transcript = crate::support::eventually("the transcript", || {
        let shown = Value::from(api.sessions(&id)).to_string();
        shown.contains("WlanXml").then_some(shown)
    });
    let command = api.get(&format!("/commands/{}", action["id"].as_str().unwrap()));
    let recorded = format!("{action}{command}{transcript}{:?}{:?}", api.events(), api.list("/audit?limit=200"));
    for place in [("documents", recorded.as_str()), ("the log", &server.log())] {
        assert!(!place.1.contains(key), "the key is in {}", place.0);
    }
    assert!(!database::holds(server, key), "the key is not in the database in clear");
    let (again, visit) = carried_out(&mut device, &api, &id, &body);
    let repaired = expected.iter().map(|line| line.replacen("Add", "Replace", 1));
    assert_eq!(lines(&visit.commands()), expected.iter().cloned().chain(repaired).collect::<Vec<_>>(), "2.4: 418");
    assert_eq!(again["state"], "succeeded", "{again}");
    let taken = json!({"type": "remove_setting", "setting": "wifi_profile", "name": "Café 1/2"});
    let removed = succeeds(&mut device, &api, &id, &taken, &[format!("Delete {node}")]);
    assert_eq!(detail(&removed), "the Wi-Fi profile Café 1/2 is taken away");
    assert_eq!(device.csp.value(&format!("{node}/WlanXml")), None);
    succeeds(&mut device, &api, &id, &taken, &[format!("Delete {node}")]);
    succeeds(&mut device, &api, &id, &body, &expected);
}

#[test]
fn a_profile_of_the_user_waits_for_the_user() {
    let (mut device, id, api) = settled();
    device.login = "none".to_owned();
    let xml = "<VPNProfile><NativeProfile><Servers>vpn.example.test</Servers></NativeProfile></VPNProfile>";
    let action = api.act(&id, &json!({"type": "vpn_profile", "name": "Head office", "scope": "user", "profile": xml}));
    assert!(device.check_in().is_quiet(), "2.3: ./User only while the user is signed in");
    assert!(detail(&api.action(&action)).contains("sign in"), "{}", api.action(&action));
    device.login = "user".to_owned();
    let visit = device.check_in();
    let expected = ["Atomic".to_owned(), format!("Add ./User/Vendor/MSFT/VPNv2/Head%20office/ProfileXML chr {xml}")];
    assert_eq!(lines(&visit.commands()), expected, "2.4: one Atomic for each VPN profile");
    assert_eq!(api.action_state(&action), "succeeded");
    let again = json!({"type": "vpn_profile", "name": "Head office", "scope": "user", "profile": xml});
    let (again, visit) = carried_out(&mut device, &api, &id, &again);
    let repaired = ["Atomic".to_owned(), expected[1].replacen("Add", "Replace", 1)];
    assert_eq!(lines(&visit.commands()), [expected, repaired].concat(), "2.4: 418");
    assert_eq!(again["state"], "succeeded", "{again}");
}

#[test]
// covers: M-115
fn password_policies_are_one_atomic_with_the_password_first() {
    let (mut device, id, api) = settled();
    let body = json!({"type": "device_lock", "min_length": 8, "password_kind": "alphanumeric",
        "allow_simple_password": false, "max_idle_minutes": 15});
    let expected = [
        "Atomic".to_owned(),
        format!("Replace {DEVICE_LOCK}/DevicePasswordEnabled int 0"),
        format!("Replace {DEVICE_LOCK}/AllowSimpleDevicePassword int 0"),
        format!("Replace {DEVICE_LOCK}/AlphanumericDevicePasswordRequired int 0"),
        format!("Replace {DEVICE_LOCK}/MinDevicePasswordLength int 8"),
        format!("Replace {DEVICE_LOCK}/MaxInactivityTimeDeviceLock int 15"),
    ];
    let action = succeeds(&mut device, &api, &id, &body, &expected);
    assert_eq!(action["min_length"], 8, "{action}");
    device.csp.rule("Replace", "/MinDevicePasswordLength", Answer::Failed(500, "0x80070057"));
    let (failed, _) = carried_out(&mut device, &api, &id, &body);
    assert_eq!((failed["state"].as_str(), failed["status"].as_u64()), (Some("failed"), Some(507)), "M-115: {failed}");
    assert!(detail(&failed).contains("/MinDevicePasswordLength"), "M-115: the value is named: {failed}");
    assert!(detail(&failed).contains("nothing of it was applied"), "M-115: {failed}");
    device.csp.forget_rules();
    let taken = api.act(&id, &json!({"type": "remove_setting", "setting": "device_lock"}));
    let removed = lines(&device.check_in().commands());
    assert_eq!(removed.len(), 10, "{removed:?}");
    assert_eq!(removed[9], format!("Delete {DEVICE_LOCK}/DevicePasswordEnabled"));
    assert_eq!(api.action_state(&taken), "succeeded", "404 for what was never set is no failure");
    assert_eq!(device.csp.value(&format!("{DEVICE_LOCK}/MinDevicePasswordLength")), None);
}

#[test]
fn config_refresh_and_lost_contact_are_nodes_of_our_provider() {
    let (mut device, id, api) = settled();
    let provider = "./Device/Vendor/MSFT/DMClient/Provider/Muster";
    let refresh = json!({"type": "config_refresh", "enabled": true, "cadence_minutes": 30});
    let expected = [
        format!("Add {provider}/ConfigRefresh node"),
        format!("Replace {provider}/ConfigRefresh/Cadence int 30"),
        format!("Replace {provider}/ConfigRefresh/Enabled bool true"),
    ];
    succeeds(&mut device, &api, &id, &refresh, &expected);
    let removed = json!({"type": "remove_setting", "setting": "config_refresh"});
    succeeds(&mut device, &api, &id, &removed, &[format!("Delete {provider}/ConfigRefresh")]);
    let days = format!("{provider}/NumberOfDaysAfterLostContactToUnenroll");
    let lost = json!({"type": "lost_contact", "days": 120});
    let action = succeeds(&mut device, &api, &id, &lost, &[format!("Replace {days} int 120")]);
    assert!(detail(&action).contains("120 days"), "{action}");
    let removed = json!({"type": "remove_setting", "setting": "lost_contact"});
    succeeds(&mut device, &api, &id, &removed, &[format!("Delete {days}")]);
}

#[test]
fn what_this_windows_does_not_have_is_said_before_it_is_sent() {
    let (mut device, id, api) = settled_on("10.0.22621.3155", "48");
    let refresh = json!({"type": "config_refresh", "enabled": true});
    assert_eq!(api.act_refused(&id, &refresh), "not_supported_by_device");
    let problem = api.post(&format!("/devices/{id}/actions"), &refresh, 409);
    let words = problem["detail"].as_str().unwrap();
    assert!(words.contains("10.0.22621.3155") && words.contains("10.0.22621.3235"), "{problem}");
    let holographic = json!({"type": "device_lock", "allow_idle_return_without_password": false});
    assert_eq!(api.act_refused(&id, &holographic), "not_supported_by_device");
    assert!(device.check_in().is_quiet(), "nothing was queued");
    let (mut hololens, id, api) = settled_on("10.0.22621.1244", "136");
    let (action, _) = carried_out(&mut hololens, &api, &id, &holographic);
    assert_eq!(action["state"], "succeeded", "7.9, 7.26: HoloLens: {action}");
}

#[test]
fn an_administrator_knows_better_than_the_catalogue() {
    let (mut device, id, api) = settled_on("10.0.26100.3915", "121");
    let holographic = json!({"type": "device_lock", "allow_idle_return_without_password": false});
    assert_eq!(api.act_refused(&id, &holographic), "not_supported_by_device");
    let path = format!("{DEVICE_LOCK}/AllowIdleReturnWithoutPassword");
    let ruling = json!({"path": path, "edition": "EDUCATION", "ruling": "allow", "reason": "tried on the bench"});
    let mut request = Request::new("PUT", "/csp/overrides").header("Content-Type", "application/json");
    request.body = ruling.to_string().into_bytes();
    api.send(request).expect_status("an override", 200);
    let (action, _) = carried_out(&mut device, &api, &id, &holographic);
    assert_eq!(action["state"], "succeeded", "{action}");
}

#[test]
fn a_node_that_the_device_turns_out_to_lack_is_remembered_for_it() {
    let (mut device, id, api) = settled();
    device.csp.rule("Replace", "/NumberOfDaysAfterLostContactToUnenroll", Answer::Status(406));
    let body = json!({"type": "lost_contact", "days": 30});
    let (action, _) = carried_out(&mut device, &api, &id, &body);
    assert_eq!(action["state"], "unsupported", "{action}");
    assert!(detail(&action).contains("NumberOfDaysAfterLostContactToUnenroll"), "{action}");
    assert_eq!(api.act_refused(&id, &body), "not_supported_by_device");
}

#[test]
// covers: M-144
fn parameters_are_judged_where_they_stand() {
    let (mut device, id, api) = settled();
    let wifi = |name: &str, profile: &str| json!({"type": "wifi_profile", "name": name, "profile": profile});
    let good = wlan("Office", "k");
    let cases = [
        (wifi("Other", &good), "/name"),
        (wifi("Office", "<WLANProfile/>"), "/profile"),
        (wifi("Office", &good.replace("<protected>false", "<protected>true")), "/profile"),
        (wifi("Office\u{1}", &good), "/name"),
        (json!({"type": "wifi_profile", "name": "Office"}), "/profile"),
        (json!({"type": "wifi_profile", "name": "Office", "profile": good, "cost": "cheap"}), "/cost"),
        (json!({"type": "wifi_profile", "name": "Office", "profile": good, "scope": "all"}), "/scope"),
        (json!({"type": "vpn_profile", "name": "a/b", "profile": "<VPNProfile/>"}), "/name"),
        (json!({"type": "vpn_profile", "name": "a", "profile": "<VPNProfile/>"}), "/profile"),
        (json!({"type": "device_lock", "min_length": 3}), "/min_length"),
        (json!({"type": "device_lock", "min_length": "8"}), "/min_length"),
        (json!({"type": "device_lock", "require_password": false, "history": 1}), "/require_password"),
        (json!({"type": "device_lock", "colour": "red"}), "/colour"),
        (json!({"type": "config_refresh", "enabled": true, "cadence_minutes": 29}), "/cadence_minutes"),
        (json!({"type": "config_refresh"}), "/enabled"),
        (json!({"type": "lost_contact", "days": 1}), "/days"),
        (json!({"type": "remove_setting", "setting": "wifi_profile"}), "/name"),
        (json!({"type": "remove_setting", "setting": "device_lock", "name": "x"}), "/name"),
        (json!({"type": "remove_setting", "setting": "device_lock", "scope": "user"}), "/scope"),
        (json!({"type": "remove_setting", "setting": "everything"}), "/setting"),
    ];
    for (body, pointer) in cases {
        assert_eq!(refused_for(&api, &id, &body), pointer, "{body}");
    }
    assert!(device.check_in().is_quiet());
}

#[test]
fn drives_get_their_policies_before_encryption_begins() {
    let (mut device, id, api) = settled();
    let body = json!({"type": "bitlocker_policy", "min_pin_length": 8, "fixed_read_only_unencrypted": true,
        "methods": {"system": "xts_aes256", "fixed": "xts_aes256", "removable": "aes_cbc256"}});
    let root = "./Device/Vendor/MSFT/BitLocker";
    let expected = [
        format!(
            "Replace {root}/EncryptionMethodByDriveType chr <enabled/>\
             <data id=\"EncryptionMethodWithXtsOsDropDown_Name\" value=\"7\"/>\
             <data id=\"EncryptionMethodWithXtsFdvDropDown_Name\" value=\"7\"/>\
             <data id=\"EncryptionMethodWithXtsRdvDropDown_Name\" value=\"4\"/>"
        ),
        format!("Replace {root}/SystemDrivesMinimumPINLength chr <enabled/><data id=\"MinPINLength\" value=\"8\"/>"),
        format!("Replace {root}/FixedDrivesRequireEncryption chr <enabled/>"),
    ];
    succeeds(&mut device, &api, &id, &body, &expected);
    let incomplete = json!({"type": "bitlocker_policy", "methods": {"system": "xts_aes256"}});
    assert_eq!(refused_for(&api, &id, &incomplete), "/methods/fixed", "7.12: all three together");
    let (_, id, api) = settled_on("10.0.22621.1244", "136");
    assert_eq!(api.act_refused(&id, &body), "not_supported_by_device", "7.12: not on HoloLens");
}

#[test]
fn s_mode_is_left_once_the_device_says_so() {
    let (mut device, id, api) = settled();
    let root = "./Vendor/MSFT/WindowsLicensing/SMode";
    let policy = json!({"type": "s_mode_policy", "allow_switch": false});
    succeeds(&mut device, &api, &id, &policy, &[format!("Replace {root}/SwitchingPolicy int 1")]);
    let (action, visit) = carried_out(&mut device, &api, &id, &json!({"type": "switch_from_s_mode"}));
    assert_eq!(lines(&visit.commands()), [format!("Exec {root}/SwitchFromSMode")]);
    assert_eq!(action["state"], "sent", "accepted is not done: {action}");
    let (mut other, id, api) = settled();
    other.csp.rule("Exec", "/SwitchFromSMode", Answer::Status(404));
    let (action, _) = carried_out(&mut other, &api, &id, &json!({"type": "switch_from_s_mode"}));
    assert_eq!(action["state"], "unsupported", "{action}");
    let (_, id, api) = settled_on("10.0.22621.1244", "136");
    assert_eq!(api.act_refused(&id, &policy), "not_supported_by_device", "7.26: WindowsLicensing is not on HoloLens");
}

#[test]
fn further_settings_are_given_and_taken_away() {
    let (mut device, id, api) = settled();
    let config = "./Device/Vendor/MSFT/Policy/Config";
    let tenant = "3b241101-e2bb-4255-8caf-4136c566a962";
    let kiosk = "<AssignedAccessConfiguration xmlns=\"http://schemas.microsoft.com/AssignedAccess/2017/config\"/>";
    let cases = [
        (
            json!({"type": "device_encryption", "silent": true, "standard_users": true, "rotation": "entra"}),
            json!({}),
            vec![
                "./Device/Vendor/MSFT/BitLocker/AllowWarningForOtherDiskEncryption int 0".to_owned(),
                "./Device/Vendor/MSFT/BitLocker/AllowStandardUserEncryption int 1".to_owned(),
                "./Device/Vendor/MSFT/BitLocker/ConfigureRecoveryPasswordRotation int 1".to_owned(),
                "./Device/Vendor/MSFT/BitLocker/RequireDeviceEncryption int 1".to_owned(),
            ],
        ),
        (
            json!({"type": "update_ring", "quality_deferral_days": 7, "target_release": "24H2"}),
            json!({}),
            vec![
                format!("{config}/Update/DeferQualityUpdatesPeriodInDays int 7"),
                format!("{config}/Update/TargetReleaseVersion chr 24H2"),
            ],
        ),
        (
            json!({"type": "pin_recovery", "tenant_id": format!("{{{}}}", tenant.to_uppercase())}),
            json!({"name": tenant}),
            vec![format!("./Device/Vendor/MSFT/PassportForWork/{tenant}/Policies/EnablePinRecovery bool true")],
        ),
        (
            json!({"type": "assigned_access", "configuration": kiosk}),
            json!({}),
            vec![format!("./Vendor/MSFT/AssignedAccess/Configuration chr {kiosk}")],
        ),
        (
            json!({"type": "reboot_schedule", "once": "2026-03-01T22:00:00Z", "weekly": "2026-03-01T04:30:00"}),
            json!({}),
            vec![
                "./Device/Vendor/MSFT/Reboot/Schedule/Single chr 2026-03-01T22:00:00Z".to_owned(),
                "./Device/Vendor/MSFT/Reboot/Schedule/WeeklyRecurrent chr 2026-03-01T04:30:00".to_owned(),
            ],
        ),
    ];
    for (body, which, values) in cases {
        let expected: Vec<String> = values.iter().map(|value| format!("Replace {value}")).collect();
        succeeds(&mut device, &api, &id, &body, &expected);
        let mut removal = json!({"type": "remove_setting", "setting": body["type"]});
        removal.as_object_mut().unwrap().extend(which.as_object().unwrap().clone());
        let (action, visit) = carried_out(&mut device, &api, &id, &removal);
        assert_eq!(action["state"], "succeeded", "{action}");
        for value in &values {
            let node = value.split(' ').next().unwrap();
            assert!(visit.find("Delete", node).is_some(), "{node}: {:?}", lines(&visit.commands()));
            assert_eq!(device.csp.value(node), None, "{node}");
        }
    }
}

#[test]
fn laps_is_one_atomic_and_hololens_has_a_policy_of_its_own() {
    let (mut device, id, api) = settled();
    let root = "./Device/Vendor/MSFT/LAPS/Policies";
    let body = json!({"type": "laps_policy", "password_age_days": 30, "after_use": "reset_and_sign_out"});
    let expected = [
        "Atomic".to_owned(),
        format!("Replace {root}/BackupDirectory int 1"),
        format!("Replace {root}/PasswordAgeDays int 30"),
        format!("Replace {root}/PostAuthenticationActions int 3"),
    ];
    succeeds(&mut device, &api, &id, &body, &expected);
    assert_eq!(refused_for(&api, &id, &json!({"type": "laps_policy", "password_age_days": 6})), "/password_age_days");
    let removed = json!({"type": "remove_setting", "setting": "laps_policy"});
    let (action, _) = carried_out(&mut device, &api, &id, &removed);
    assert_eq!(
        (action["state"].as_str(), device.csp.value(&format!("{root}/BackupDirectory"))),
        (Some("succeeded"), None)
    );
    let (mut hololens, id, api) = settled_on("10.0.22621.1244", "136");
    let node = "./Device/Vendor/MSFT/Policy/Config/Security/RequireDeviceEncryption";
    let body = json!({"type": "device_encryption"});
    succeeds(&mut hololens, &api, &id, &body, &[format!("Replace {node} int 1")]);
    let removed = json!({"type": "remove_setting", "setting": "device_encryption"});
    succeeds(&mut hololens, &api, &id, &removed, &[format!("Delete {node}")]);
    let silent = json!({"type": "device_encryption", "silent": true});
    assert_eq!(api.act_refused(&id, &silent), "not_supported_by_device", "7.12: BitLocker is not on HoloLens");
    let weekly = json!({"type": "reboot_schedule", "weekly": "2026-03-01T04:30:00"});
    let (_, id, api) = settled_on("10.0.22621.3155", "48");
    assert_eq!(api.act_refused(&id, &weekly), "not_supported_by_device", "7.7: weekly from 24H2 on");
}
