//! Messages of real clients, replayed. What is changed in them is named where it is changed; the rest is as it came.

use base64::Engine;

use crate::support::captures::{Capture, all};
use crate::support::device::FakeDevice;
use crate::support::http::Response;
use crate::support::server::Server;
use crate::support::soap::{
    self, Operation, check_answer, check_fault, check_gives_nothing_away, post, username_token,
};
use crate::support::tree::Element;
use crate::support::{certificate, csr};

/// Captures of a kind that a device sent.
fn of_kind(kind: &str) -> Vec<Capture> {
    let captures = all().unwrap_or_default();
    captures.into_iter().filter(|c| c.from_device && c.kind.starts_with(kind)).collect()
}

/// The MessageID as it stands in a capture.
fn message_id(envelope: &Element) -> String {
    envelope.at("Header/MessageID").text.clone()
}

#[test]
// covers: E-20, E-21, E-23, E-25, E-26, E-12, E-14, E-141
fn captured_discover_requests_are_answered() {
    let server = Server::shared();
    for capture in of_kind("discover") {
        let response = server.web(&post(Operation::Discover.path(), capture.bytes.clone()));
        if !capture.parses_as_xml {
            response.expect_status(&format!("E-141: {}", capture.file), 400);
            check_gives_nothing_away(response.text());
            continue;
        }
        let request = Element::parse(&capture.file, &capture.text());
        let id = message_id(&request);
        let offered: Vec<String> =
            request.walk().into_iter().filter(|e| e.name == "AuthPolicy").map(|e| e.text.trim().to_owned()).collect();
        let servable = offered.is_empty() || offered.iter().any(|p| p == "OnPremise");
        if servable || response.status == 200 {
            let answer = check_answer(Operation::Discover, Some(&id), &response);
            let policy = answer.text_at("DiscoverResult/AuthPolicy").to_owned();
            assert!(offered.is_empty() || offered.contains(&policy), "E-25: {}: {policy}", capture.file);
        } else {
            let fault = check_fault(Operation::Discover, Some(&id), &response);
            fault.is(&format!("E-26: {}", capture.file), "s:Authorization", Some("NotSupported"));
        }
    }
}

/// A capture with the user name and password replaced by a real account's.
fn with_account(server: &Server, text: &str) -> String {
    let user = server.api().add_user();
    let envelope = Element::parse("a capture", text);
    let mut out = text.to_owned();
    for (name, value) in [("Username", &user.email), ("Password", &user.password)] {
        if let Some(element) = envelope.walk().into_iter().find(|e| e.name == name) {
            let filled = element.source.replace(&format!(">{}<", element.text), &format!(">{value}<"));
            out = out.replace(&element.source, &filled);
        }
    }
    out
}

#[test]
// covers: E-34, E-42, E-45, E-105, S-06
fn captured_get_policies_requests_are_answered() {
    let server = Server::start();
    for capture in of_kind("getpolicies") {
        let text = with_account(&server, &capture.text());
        let id = message_id(&Element::parse(&capture.file, &text));
        let response = server.web(&post(Operation::GetPolicies.path(), text.clone()));
        if text.contains("UsernameToken") {
            crate::support::xcep::check(&check_answer(Operation::GetPolicies, Some(&id), &response));
        } else {
            let fault = check_fault(Operation::GetPolicies, Some(&id), &response);
            let refusals = ["a:InvalidSecurity", "s:Authentication"];
            assert!(refusals.contains(&fault.subcode.as_str()), "{}: {fault:?}", capture.file);
        }
    }
}

/// The RST with its security header replaced by a UsernameToken of a real account.
fn with_password_header(server: &Server, text: &str) -> String {
    let user = server.api().add_user();
    let envelope = Element::parse("a capture", text);
    let token = username_token(&user.email, &user.password).replace(
        "<wsse:UsernameToken",
        &format!(r#"<wsse:UsernameToken xmlns:wsse="{}" xmlns:u="{}""#, soap::SECEXT, soap::UTILITY),
    );
    let header = format!(r#"<wsse:Security xmlns:wsse="{}">{token}</wsse:Security>"#, soap::SECEXT);
    match envelope.at("Header").child("Security") {
        Some(security) => text.replace(&security.source, &header),
        None => {
            let action = envelope.at("Header/Action").source.clone();
            text.replacen(&action, &format!("{action}{header}"), 1)
        }
    }
}

/// The text of the BinarySecurityToken in the body.
fn request_in(text: &str) -> String {
    let envelope = Element::parse("a capture", text);
    envelope.at("Body/RequestSecurityToken/BinarySecurityToken").text.clone()
}

/// Whether a text is a whole PKCS#10 request.
fn is_request(text: &str) -> bool {
    use x509_parser::prelude::FromDer;
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let Ok(der) = base64::engine::general_purpose::STANDARD.decode(compact) else { return false };
    x509_parser::certification_request::X509CertificationRequest::from_der(&der).is_ok()
}

#[test]
// covers: E-55, E-57, E-58, E-59, E-62, E-64, E-78, E-79, E-11, E-10
fn genuine_certificate_requests_get_certificates() {
    let server = Server::start();
    for capture in of_kind("rst-issue") {
        let text = with_password_header(&server, &capture.text());
        let envelope = Element::parse(&capture.file, &text);
        let id = message_id(&envelope);
        let response = server.web(&post(Operation::Rst.path(), text.clone()));
        let request = request_in(&text);
        let is_mde = envelope.at("Body/RequestSecurityToken/TokenType").text.trim() == soap::TOKEN_TYPE;
        if is_request(&request) && is_mde {
            check_issued(&capture, &id, &request, &response);
        } else {
            let fault = check_fault(Operation::Rst, Some(&id), &response);
            let refusals = ["s:CertificateRequest", "s:MessageFormat"];
            assert!(refusals.contains(&fault.subcode.as_str()), "E-105: {}: {fault:?}", capture.file);
        }
    }
}

/// The certificate has the key of the request and a signature of today.
#[track_caller]
fn check_issued(capture: &Capture, id: &str, request: &str, response: &Response) {
    let collection = check_answer(Operation::Rst, Some(id), response);
    let document = Element::parse(&capture.file, &soap::provisioning_document(response, &collection));
    let values: Vec<&str> = document
        .walk()
        .into_iter()
        .filter(|e| e.attribute("name") == Some("EncodedCertificate"))
        .filter_map(|e| e.attribute("value"))
        .collect();
    let decoded: Vec<Vec<u8>> =
        values.iter().map(|v| base64::engine::general_purpose::STANDARD.decode(v).unwrap()).collect();
    let [root, issuing, leaf] = decoded.try_into().expect("E-77: three certificates");
    certificate::Chain { root, issuing, leaf }.check(&csr::public_key_of(request));
}

#[test]
// covers: E-105, E-138, S-06
fn captured_requests_with_foreign_credentials_are_refused() {
    let server = Server::start();
    for capture in of_kind("rst-") {
        let text = capture.text();
        let id = Element::parse(&capture.file, &text).at("Header").child("MessageID").map(|e| e.text.clone());
        let response = server.web(&post(Operation::Rst.path(), text));
        let fault = check_fault(Operation::Rst, id.as_deref(), &response);
        let refusals = ["a:InvalidSecurity", "s:Authentication", "s:MessageFormat", "s:Authorization"];
        assert!(refusals.contains(&fault.subcode.as_str()), "{}: {fault:?}", capture.file);
    }
    assert!(server.api().list("/devices?limit=10").is_empty(), "nobody was enrolled");
}

#[test]
// covers: M-41, M-55, M-56, M-67, M-70, M-133, M-33, M-38, M-69, M-126, M-127, M-131, M-147
fn captured_management_messages_are_answered() {
    // One installation each: several captures claim the same DevId.
    for capture in of_kind("syncml-") {
        let server = Server::start();
        let (mut device, _) = FakeDevice::new(&server);
        device.number_sessions_from(7000);
        device.settle();
        let response = device.post(capture.bytes.clone());
        let text = capture.text();
        let message = Element::parse(&capture.file, &text);
        if response.status == 400 && capture.bytes[0] >= 0xfe {
            continue;
        }
        response.expect_status(&capture.file, 200);
        if message.at("SyncBody").child("Final").is_none() {
            // A heartbeat of a session that this server never had; its place in a session is tested elsewhere.
            continue;
        }
        let reply = device.judge_loosely(&text, &response);
        assert!(reply.commands.is_empty(), "{}: nothing is queued: {}", capture.file, reply.xml);
        if message.text_at("SyncHdr/MsgID").trim() == "1" {
            assert_inventory_holds(&capture, &message, &device.document(&server)["inventory"].to_string());
        }
        device.check_in();
    }
}

/// M-56: every item that the message reports is in the inventory.
#[track_caller]
fn assert_inventory_holds(capture: &Capture, message: &Element, inventory: &str) {
    for item in message.walk().into_iter().filter(|e| e.name == "Item" && e.child("Source").is_some()) {
        let uri = item.text_at("Source/LocURI").trim().to_lowercase();
        assert!(inventory.to_lowercase().contains(&uri), "M-56: {}: {uri} in {inventory}", capture.file);
    }
}

#[test]
// covers: M-133, M-17
fn captured_messages_cut_short_are_refused_cleanly() {
    let captures = of_kind("syncml-");
    if captures.is_empty() {
        return;
    }
    let (device, _) = FakeDevice::settled(Server::shared());
    for capture in captures {
        for cut in [1, capture.bytes.len() / 3] {
            let response = device.post(capture.bytes[..cut].to_vec());
            response.expect_status(&format!("M-17: {} cut at {cut}", capture.file), 400);
        }
    }
}
