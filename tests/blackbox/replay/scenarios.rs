//! Sessions of a real server that are recorded and replayed, each with something that replay could get wrong.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::device::{FakeDevice, Profile};
use crate::support::server::Server;
use crate::support::signing::cred;
use crate::support::syncml::{Message, StatusOf};
use crate::support::{self, wbxml};

/// Has a session on a fresh server, and returns it as the API shows it.
pub(crate) type Scenario = fn(&Server) -> Value;

/// By name: the ones that are kept below `tests/recordings`.
pub(crate) const KEPT: [(&str, Scenario); 7] = [
    ("first-session", first_session),
    ("wbxml", in_wbxml),
    ("repeated-and-refused", repeated_and_refused),
    ("list-in-portions", list_in_portions),
    ("secret-values", secret_values),
    ("in-chunks", in_chunks),
    ("leaving", leaving),
];

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

fn settled(server: &Server) -> (FakeDevice, String, Api) {
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

/// The newest session of a device, once as many messages of both sides are written.
#[track_caller]
pub(crate) fn recorded(api: &Api, device: &str, messages: usize) -> Value {
    support::eventually("the transcript is written", || {
        let sessions = api.list(&format!("/sessions?device={device}"));
        let session = api.get(&format!("/sessions/{}", sessions.first()?["id"].as_str()?));
        (session["messages"].as_array()?.len() >= messages).then_some(session)
    })
}

fn replace(uri: &str, value: &str) -> String {
    let meta = r#"<Meta><Format xmlns="syncml:metinf">chr</Format></Meta>"#;
    format!("<Replace><Item><Target><LocURI>{uri}</LocURI></Target>{meta}<Data>{value}</Data></Item></Replace>")
}

/// The inventory, and what follows from it.
fn first_session(server: &Server) -> Value {
    let (mut device, _) = FakeDevice::new(server);
    let visit = device.check_in();
    recorded(&server.api(), &device.id(server), 2 * visit.replies.len())
}

fn in_wbxml(server: &Server) -> Value {
    let (mut device, id, api) = settled(server);
    device.wbxml = Some(wbxml::MEDIA_TYPE);
    api.command(&id, GET);
    api.command(&id, &replace("./Vendor/MSFT/Example/Node", "&lt;a&gt; &amp; b"));
    let visit = device.check_in();
    recorded(&api, &id, 2 * visit.replies.len())
}

/// A message that comes again, one that contradicts it, and one that is no XML.
fn repeated_and_refused(server: &Server) -> Value {
    let (mut device, id, api) = settled(server);
    api.command(&id, GET);
    let first = device.start_session();
    device.post("<SyncML>").expect_status("M-17", 400);
    let second = device.answer(&first).xml();
    device.judge_loosely(&second, &device.post(second.clone()));
    for _ in 0..2 {
        device.post(second.clone()).expect_status("M-63", 200);
    }
    device.post(second.replace("<Final", " <Final")).expect_status("M-64", 400);
    recorded(&api, &id, 12)
}

/// More commands than one message takes, some of them unknown to the device.
fn list_in_portions(server: &Server) -> Value {
    let (mut device, id, api) = settled(server);
    let list: String = (0..25).map(|n| replace(&format!("./Vendor/MSFT/Example/N{n}"), "1")).collect();
    api.command(&id, &list);
    let visit = device.check_in();
    assert!(visit.replies.len() > 2, "it takes several messages");
    recorded(&api, &id, 2 * visit.replies.len())
}

/// Secrets whose size decides what goes into one message, and an action that writes them.
fn secret_values(server: &Server) -> Value {
    let user = server.api().add_user();
    let profile = Profile { os_version: "10.0.26100.3915".to_owned(), os_edition: "48".to_owned(), ..Profile::new() };
    let mut device = FakeDevice::enroll(server, &user, profile);
    device.settle();
    let (id, api) = (device.id(server), server.api());
    let wlan = "<WLANProfile xmlns=\"http://www.microsoft.com/networking/WLAN/profile/v1\"><name>Office</name><SSIDConfig><SSID>\
                <name>Office</name></SSID></SSIDConfig><connectionType>ESS</connectionType><MSM><security><authEncryption>\
                <authentication>WPA2PSK</authentication><encryption>AES</encryption><useOneX>false</useOneX></authEncryption>\
                <sharedKey><keyType>passPhrase</keyType><protected>false</protected><keyMaterial>secret-key-7731</keyMaterial>\
                </sharedKey></security></MSM></WLANProfile>";
    api.act(&id, &json!({"type": "wifi_profile", "name": "Office", "profile": wlan}));
    for n in 0..5 {
        // 130,000 bytes that are 260,000 in XML: by their length alone, three would go together.
        let value = format!("secret-{n}{}", "&lt;x".repeat(65_000));
        api.command(&id, &replace(&format!("./Vendor/MSFT/Example/Big{n}"), &value));
    }
    let visit = device.check_in();
    assert!(visit.replies.len() > 4, "each goes alone: {}", visit.replies.len());
    let session = recorded(&api, &id, 2 * visit.replies.len());
    let text = session.to_string();
    assert!(!text.contains("secret-") && text.contains("[redacted "), "a recording holds no secrets");
    session
}

/// A value that comes in chunks.
fn in_chunks(server: &Server) -> Value {
    let (mut device, id, api) = settled(server);
    api.command(&id, &GET.replace("./DevDetail/HwV", "./Vendor/MSFT/Example/Big"));
    let mut reply = device.start_session();
    let (asked, cmd_ref) = (reply.msg_id.clone(), reply.expect("Get", "/Big").cmd_id.clone());
    for (index, piece) in ["secret-one,", "secret-two,", "secret-three"].iter().enumerate() {
        let mut message = device.next_message(&reply);
        let size = r#"<Meta><Size xmlns="syncml:metinf">34</Size></Meta>"#;
        let (size, more) = (if index == 0 { size } else { "" }, if index < 2 { "<MoreData/>" } else { "" });
        message.command(
            "Results",
            &format!(
                "<MsgRef>{asked}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Source><LocURI>./Vendor/MSFT/Example/Big</LocURI>\
                 </Source>{size}<Data>{piece}</Data>{more}</Item>"
            ),
        );
        if index == 2 {
            let of =
                StatusOf { msg_ref: asked.clone(), cmd_ref: cmd_ref.clone(), cmd: "Get".to_owned(), target_ref: None };
            message.status(&of, 200);
        }
        reply = device.exchange(&message);
    }
    let session = recorded(&api, &id, 8);
    assert!(!session.to_string().contains("secret-"), "a recording holds no secrets");
    session
}

/// A device that leaves, and says so twice.
fn leaving(server: &Server) -> Value {
    let (mut device, id, api) = settled(server);
    api.command(&id, GET);
    let message = device.leave().xml();
    for _ in 0..2 {
        device.post(message.clone()).expect_status("M-63", 200);
    }
    recorded(&api, &id, 4)
}

/// A device that proves itself by a digest: challenged, and given a new nonce.
pub(crate) fn by_digest(server: &Server) -> Value {
    let (mut device, _) = FakeDevice::settled(server);
    let (id, api) = (device.id(server), server.api());
    device.without_certificate(server);
    device.digest = true;
    api.command(&id, GET);
    let first = device.package_one();
    let response = device.post(first.xml());
    let challenge = device.judge_challenge(&first, &response);
    let nonce = challenge.nonce.expect("a challenge has a nonce");
    let mut second = Message::new(&first.session_id, 2, device.management_url(), &device.profile.device_id);
    device.fill_package_one(&mut second);
    (second.source_name, second.more_header) = cred(&device, &nonce);
    let reply = device.exchange(&second);
    let visit = device.finish(reply);
    recorded(&api, &id, 2 * visit.replies.len())
}
