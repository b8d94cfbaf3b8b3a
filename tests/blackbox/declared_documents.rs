//! Declared configuration (an experiment): documents given, results read, the second enrollment started.

use serde_json::{Value, json};

use crate::support::csp::Answer;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile, Visit};
use crate::support::server::{Server, muster};

const ID: &str = "5d1c6a52-2f7c-4a53-9a3e-0a5f6f1d2c11";
const KEY: &str = "a-preshared-key-8112";
const LINK: &str = "./Device/Vendor/MSFT/DMClient/Provider/Muster/LinkedEnrollment";

fn host() -> String {
    "./Device/Vendor/MSFT/DeclaredConfiguration/Host/Complete".to_owned()
}

fn document() -> String {
    format!(
        "<DeclaredConfiguration schema=\"1.0\" context=\"Device\" id=\"{ID}\" checksum=\"A1\" osdefinedscenario=\"MSFTVPN\">\
         <CSP name=\"./Vendor/MSFT/VPNv2\"><URI path=\"Corp/ProfileXML\" type=\"chr\">{KEY}</URI></CSP></DeclaredConfiguration>"
    )
}

fn result(state: u16) -> String {
    format!(
        "<DeclaredConfigurationResult context=\"Device\" checksum=\"A1\" operation=\"Set\" state=\"{state}\">\
         <CSP name=\"./Vendor/MSFT/VPNv2\"><URI path=\"Corp/ProfileXML\" status=\"200\" state=\"{state}\" type=\"chr\"/></CSP>\
         </DeclaredConfigurationResult>"
    )
}

fn states(result_checksum: &str, state: u16) -> String {
    format!(
        "<DeclaredConfigurations schema=\"1.0\"><DeclaredConfiguration context=\"Device\" id=\"{ID}\" checksum=\"A1\" \
         result_checksum=\"{result_checksum}\" state=\"{state}\"/></DeclaredConfigurations>"
    )
}

fn server() -> Server {
    Server::start_with(&[("MUSTER__EXPERIMENTS__DECLARED_CONFIGURATION", "true")])
}

fn enrolled(server: &Server) -> (FakeDevice, String) {
    let profile = Profile { os_version: "10.0.26100.3915".to_owned(), ..Profile::new() };
    let mut device = FakeDevice::enroll(server, &server.api().add_user(), profile);
    device.settle();
    let id = device.id(server);
    (device, id)
}

/// A session whose first message tells of documents, as every message of such a device does.
#[track_caller]
fn check_in_telling(device: &mut FakeDevice, states: &str) -> Visit {
    let mut message = device.package_one();
    message.typed_alert(1224, "com.microsoft.mdm.declaredconfigurationdocuments", "xml", states);
    let first = device.exchange(&message);
    device.finish(first)
}

#[test]
fn a_document_is_followed_to_its_result() {
    let server = server();
    let api = server.api();
    let (mut device, id) = enrolled(&server);
    let action = api.act(&id, &json!({"type": "declare_document", "document": document()}));
    let visit = device.check_in();
    let sent = visit.commands();
    assert_eq!(sent[0].items[0].uri, format!("{}/Documents/{ID}/Document", host()));
    assert_eq!(sent.last().unwrap().items[0].data.as_deref(), Some(document().as_str()));
    assert_eq!(api.action(&action)["state"], "sent");
    assert_eq!(api.action(&action)["detail"], "the device took the document");

    device.csp.set(&format!("{}/Results/{ID}/Document", host()), "chr", &result(60));
    check_in_telling(&mut device, &states("R1", 60));
    let over = api.action(&action);
    assert_eq!((&over["state"], &over["detail"]), (&json!("succeeded"), &json!("the document is set")), "{over}");
    let shown = api.get(&format!("/devices/{id}"));
    let told = &shown["declared_documents"][0];
    assert_eq!((&told["id"], &told["state"], &told["state_words"]), (&json!(ID), &json!(60), &json!("set")), "{told}");
    assert_eq!(told["result"]["settings"][0]["node"], "./Vendor/MSFT/VPNv2/Corp/ProfileXML");
    let line = muster().args(["device", "show", &id]).env("MUSTER_DATA", server.data()).output().unwrap();
    let line = String::from_utf8(line.stdout).unwrap();
    assert!(line.contains(&format!("{ID} set")), "{line}");

    let alerts = |api: &crate::support::api::Api| {
        api.events().iter().filter(|event| event.to_string().contains("declaredconfigurationdocuments")).count()
    };
    assert_eq!(alerts(&api), 1);
    check_in_telling(&mut device, &states("R1", 60));
    assert_eq!(alerts(&api), 1, "what is repeated in every message is told once");

    let audit = Value::from(api.list("/audit?limit=200")).to_string();
    let transcript = crate::support::eventually("the transcript", || {
        let shown = Value::from(api.sessions(&id)).to_string();
        shown.contains("Documents").then_some(shown)
    });
    for text in [&audit, &transcript, &over.to_string(), &shown.to_string(), &server.log()] {
        assert!(!text.contains(KEY), "a document may hold keys: {text}");
    }
    assert!(!database::holds(&server, KEY));
}

#[test]
fn a_document_is_handed_back_and_taken_away() {
    let server = server();
    let api = server.api();
    let (mut device, id) = enrolled(&server);
    for (body, line) in [
        (json!({"type": "abandon_document", "document_id": ID, "abandoned": true}), "Properties/Abandoned"),
        (json!({"type": "delete_document", "document_id": ID}), "Document"),
    ] {
        let action = api.act(&id, &body);
        let visit = device.check_in();
        assert_eq!(visit.commands()[0].items[0].uri, format!("{}/Documents/{ID}/{line}", host()));
        let over = api.action(&action);
        assert_eq!(over["state"], "succeeded", "{over}");
    }
    device.csp.rule("Replace", "/Document", Answer::Status(406));
    let action = api.act(&id, &json!({"type": "declare_document", "document": document()}));
    device.check_in();
    let over = api.action(&action);
    assert_eq!(over["state"], "unsupported", "{over}");
    assert!(over["detail"].as_str().unwrap().contains("not a linked enrollment"), "{over}");
}

#[test]
fn a_second_enrollment_is_started_followed_and_ended() {
    let server = server();
    let api = server.api();
    let (mut device, id) = enrolled(&server);
    let endpoint = "https://linked.example.test/EnrollmentServer/Discovery.svc";
    let action = api.act(&id, &json!({"type": "link_enrollment", "discovery_endpoint": endpoint}));
    let visit = device.check_in();
    let uris: Vec<_> = visit.commands().iter().map(|command| command.items[0].uri.clone()).collect();
    assert!(uris.contains(&format!("{LINK}/Enroll")), "{uris:?}");
    assert_eq!(device.csp.value(&format!("{LINK}/DiscoveryEndpoint")), Some(endpoint));
    let waits = api.action(&action);
    assert_eq!((&waits["state"], &waits["detail"]), (&json!("sent"), &json!("the device took it")), "{waits}");
}

#[test]
fn it_is_an_experiment_that_is_switched_on() {
    let server = Server::shared();
    let api = server.api();
    let (_, id) = enrolled(server);
    let refused = api.post(&format!("/devices/{id}/actions"), &json!({"type": "unlink_enrollment"}), 409);
    assert!(refused.to_string().contains("[experiments]"), "{refused}");
}

#[test]
fn a_document_that_windows_would_refuse_is_refused_at_once() {
    let server = server();
    let api = server.api();
    let (_, id) = enrolled(&server);
    let actions = format!("/devices/{id}/actions");
    let odd = document().replace("MSFTVPN", "MSFTPrinter");
    for (body, pointer) in [
        (json!({"type": "declare_document", "document": odd}), "/document"),
        (json!({"type": "declare_document"}), "/document"),
        (json!({"type": "link_enrollment", "discovery_endpoint": "http://a.example.test"}), "/discovery_endpoint"),
        (json!({"type": "abandon_document", "document_id": "42", "abandoned": true}), "/document_id"),
        (json!({"type": "delete_document", "document_id": ID, "context": "Device"}), "/context"),
    ] {
        let refused = api.post(&actions, &body, 422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
}
