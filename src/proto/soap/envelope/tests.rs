use proptest::prelude::*;
use uuid::Uuid;

use super::super::fixtures::{MESSAGE_ID, captures, decode, fixture};
use super::*;
use crate::proto::mde2::Discover;
use crate::proto::wstep::RequestSecurityToken;
use crate::proto::xcep::GetPolicies;

const DISCOVER: &str = "01-device-discover.xml";
const POLICIES: &str = "05-device-get-policies-onpremise.xml";
const ISSUE: &str = "09-device-rst-issue-onpremise.xml";

fn rejection(text: &str) -> Rejected {
    match Envelope::decode(text.as_bytes(), &Limits::default()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(rejected) => rejected,
    }
}

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

#[test]
fn the_header_is_read() {
    let envelope = decode(&fixture(DISCOVER));
    assert!(envelope.action.ends_with("/IDiscoveryService/Discover"));
    assert_eq!(envelope.message_id.as_deref(), Some(MESSAGE_ID));
    let to = "https://EnterpriseEnrollment.harbor.example:443/EnrollmentServer/Discovery.svc";
    assert_eq!(envelope.to.as_deref(), Some(to));
    assert!(envelope.body.local == "Discover");
    assert_eq!(envelope.credential().unwrap_err(), Rejection::InvalidSecurity("the Security header is missing"));
}

/// What relates to a request repeats its id byte for byte.
// covers: E-12
#[test]
fn the_message_id_is_not_touched() {
    let unusual = decode(&fixture("04-device-discover-unusual.xml"));
    assert_eq!(unusual.message_id.as_deref(), Some("urn:uuid: 41ab-x"));
    let padded = decode(&fixture("13-device-rst-unusual.xml"));
    assert_eq!(padded.message_id.as_deref(), Some("\n      urn:uuid:77e1\n    "));
    let reply = ReplyHeader { relates_to: padded.message_id.as_deref(), activity_id: Uuid::nil() };
    let answer = Reply { action: "urn:x", header: &reply, schema: false, created: None }.encode(|w| w.empty("x", &[]));
    assert_eq!(decode(&answer).relates_to, padded.message_id);
    let blank = text(DISCOVER).replace(MESSAGE_ID, " ");
    assert_eq!(decode(blank.as_bytes()).message_id, None);
}

// covers: E-18
#[test]
fn what_is_no_soap_is_told_apart() {
    assert!(matches!(rejection("<a>").reason, Rejection::NotXml(_)));
    assert!(matches!(rejection("<!DOCTYPE a><a/>").reason, Rejection::NotXml(XmlError::Doctype)));
    assert_eq!(rejection("<Envelope/>").reason, Rejection::NotSoap);
    assert_eq!(rejection("<s:Body xmlns:s='http://www.w3.org/2003/05/soap-envelope'/>").reason, Rejection::NotSoap);
    for none in ["<Envelope/>", "<a>"] {
        assert_eq!(rejection(none).reason.fault(), None);
        assert_eq!(rejection(none).message_id, None);
    }
}

/// One of each, at its place; nothing is picked, or an attacker could show one to the check and another to the use.
// covers: E-139, S-06
#[test]
fn two_of_a_kind_are_refused() {
    let action = "<a:Action>urn:x</a:Action>";
    let token =
        "<wsse:UsernameToken><wsse:Username>m</wsse:Username><wsse:Password>p</wsse:Password></wsse:UsernameToken>";
    let binary = "<wsse:BinarySecurityToken>TXVz</wsse:BinarySecurityToken>";
    let security = format!("<wsse:Security>{token}</wsse:Security>");
    let cases = [
        ("two actions", POLICIES, "</s:Header>", format!("{action}</s:Header>"), false),
        ("two ids", POLICIES, "</s:Header>", "<a:MessageID>u</a:MessageID></s:Header>".to_owned(), false),
        ("two headers", POLICIES, "<s:Body ", "<s:Header/><s:Body ".to_owned(), false),
        ("two bodies", POLICIES, "</s:Envelope>", "<s:Body><x/></s:Body></s:Envelope>".to_owned(), false),
        ("a foreign part", POLICIES, "</s:Envelope>", "<s:Bodies/></s:Envelope>".to_owned(), false),
        ("two children", POLICIES, "</s:Body>", "<x/></s:Body>".to_owned(), false),
        ("two security headers", POLICIES, "</s:Header>", format!("{security}</s:Header>"), true),
        ("empty second security", POLICIES, "</s:Header>", "<wsse:Security/></s:Header>".to_owned(), true),
        ("two user names", POLICIES, "</wsse:Security>", format!("{token}</wsse:Security>"), true),
        ("name and token", POLICIES, "</wsse:Security>", format!("{binary}</wsse:Security>"), true),
        ("beside security", POLICIES, "</s:Header>", format!("{token}</s:Header>"), true),
        ("in another header", POLICIES, "</s:Header>", format!("<x>{security}</x></s:Header>"), true),
        ("inside the other", POLICIES, "</wsse:UsernameToken>", format!("{binary}</wsse:UsernameToken>"), true),
        (
            "security in the body",
            ISSUE,
            "</wst:RequestSecurityToken>",
            format!("{security}</wst:RequestSecurityToken>"),
            false,
        ),
        (
            "name in the body",
            ISSUE,
            "</wst:RequestSecurityToken>",
            format!("{token}</wst:RequestSecurityToken>"),
            false,
        ),
        ("two requests", ISSUE, "</wst:RequestSecurityToken>", format!("{binary}</wst:RequestSecurityToken>"), false),
    ];
    for (name, file, at, instead, in_security) in cases {
        let original = text(file);
        let changed = original.replacen(at, &instead, 1);
        assert_ne!(changed, original, "{name}");
        let rejected = rejection(&changed);
        assert_eq!(matches!(rejected.reason, Rejection::InvalidSecurity(_)), in_security, "{name}: {rejected}");
        assert_eq!(matches!(rejected.reason, Rejection::Format(_)), !in_security, "{name}: {rejected}");
        let id = (!matches!(name, "two ids" | "two headers")).then_some(MESSAGE_ID);
        assert_eq!(rejected.message_id.as_deref(), id, "{name}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (at, until) in [("<s:Header>", "</s:Header>"), ("<a:Action", "</a:Action>"), ("<s:Body ", "</s:Body>")] {
        let mut changed = text(POLICIES);
        let range = changed.find(at).unwrap()..changed.find(until).unwrap() + until.len();
        changed.replace_range(range, "");
        assert!(matches!(rejection(&changed).reason, Rejection::Format(_)), "{at}");
    }
    let empty = text(POLICIES).replace("<s:Header>", "<s:Header><!--").replace("</s:Header>", "--></s:Header>");
    assert_eq!(rejection(&empty).reason, Rejection::Format("the action is missing"));
}

/// Neither the message nor a refusal shows what stands in it.
#[test]
fn debug_shows_no_secret() {
    let envelope = decode(&fixture(POLICIES));
    let shown = format!("{envelope:?} {:?}", envelope.credential().unwrap());
    assert!(!shown.contains("Tide & Moor"), "{shown}");
}

/// Every message of a real device that belongs to enrollment is read, and refused where it is damaged.
#[test]
fn captures_are_read() {
    let read = |words: &[&str], kind: fn(&Envelope) -> Result<(), Rejection>| {
        for (name, bytes) in captures(words) {
            let result = Envelope::decode(&bytes, &Limits::default());
            if name.contains("backslashes") {
                assert!(matches!(result.unwrap_err().reason, Rejection::NotXml(_)), "{name}");
                continue;
            }
            let envelope = result.unwrap_or_else(|rejected| panic!("{name}: {rejected}"));
            assert!(envelope.message_id.is_some(), "{name}");
            kind(&envelope).unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
        }
    };
    read(&["discover"], |e| Discover::decode(e).map(drop));
    read(&["getpolicies"], |e| GetPolicies::decode(e).map(drop));
    read(&["-rst-"], |e| RequestSecurityToken::decode(e).map(drop));
    read(&["wstep"], |e| RequestSecurityToken::decode(e).map(drop));
}

proptest! {
    #[test]
    fn any_change_of_a_byte_never_panics(at in 0usize..4000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = fixture(ISSUE);
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(envelope) = Envelope::decode(&bytes, &Limits::default()) {
            let _ = envelope.credential();
            let _ = RequestSecurityToken::decode(&envelope);
        }
    }
}
