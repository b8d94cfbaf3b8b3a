use proptest::prelude::*;
use secrecy::SecretString;
use time::Duration;

use super::super::base64::{self, NotBase64};
use super::super::soap::envelope::{Rejection, RequestHeader};
use super::super::soap::fixtures::{MESSAGE_ID, NOW, captures, decode, fixture, golden, reply};
use super::super::soap::security::Credential;
use super::*;

fn blob(name: &str) -> Vec<u8> {
    base64::decode(&String::from_utf8(fixture(name)).unwrap()).unwrap()
}

fn context(items: &[(&str, &str)]) -> Vec<ContextItem> {
    let item = |(name, value): &(&str, &str)| ContextItem { name: (*name).to_owned(), value: (*value).to_owned() };
    items.iter().map(item).collect()
}

fn nora(password: &str) -> Credential {
    Credential::Username { username: "nora@harbor.example".to_owned(), password: SecretString::from(password) }
}

/// [MS-MDE2] 3.4, with a certificate request in the shape of Windows 10.
#[test]
fn an_issue_request_is_written_and_read() {
    let items = [
        ("UXInitiated", "true"),
        ("HWDevID", "4B7E0C19A2D35F688091C7D2E4F3A5B64B7E0C19A2D35F688091C7D2E4F3A5B6"),
        ("Locale", "en-US"),
        ("TargetedUserLoggedIn", "true"),
        ("OSEdition", "48"),
        ("DeviceName", "QUAY-PC-03"),
        ("MAC", "02-00-5E-20-00-01"),
        ("MAC", "02-00-5E-20-00-02"),
        ("MAC", "02-00-5E-20-00-02"),
        ("DeviceID", "8C41D2E07B6F4A9391D5E6A2037CF418"),
        ("EnrollmentType", "Full"),
        ("DeviceType", "CIMClient_Windows"),
        ("OSVersion", "10.0.22631.4602"),
        ("ApplicationVersion", "10.0.22631.4602"),
        ("NotInOobe", "false"),
        ("RequestVersion", "6.0"),
    ];
    let request = RequestSecurityToken::new(RequestType::Issue, PKCS10, blob("csr.b64"), context(&items));
    let credential = nora("Tide & Moor");
    let to = "https://mdm.harbor.example/EnrollmentServer/Enrollment.svc";
    let header = RequestHeader { message_id: MESSAGE_ID, to, credential: Some(&credential), created: None };
    let bytes = request.encode(&header);
    golden("09-device-rst-issue-onpremise.xml", &bytes);
    let read = RequestSecurityToken::decode(&decode(&bytes)).unwrap();
    assert_eq!(read, request);
    assert_eq!(read.items("mac").count(), 3);
    assert_eq!(read.flag("notinoobe"), Some(false));
}

/// [MS-MDE2] 3.5: a signed request under the device certificate, the user name without a password.
#[test]
fn a_renewal_request_is_written_and_read() {
    let items = [("DeviceID", "8C41D2E07B6F4A9391D5E6A2037CF418"), ("EnrollmentType", "Full"), ("Locale", "en-US")];
    let request = RequestSecurityToken::new(RequestType::Renew, PKCS7, blob("renewal-request.b64"), context(&items));
    let credential = nora("");
    let to = "https://dm.harbor.example/EnrollmentServer/Renew.svc";
    let header = RequestHeader { message_id: MESSAGE_ID, to, credential: Some(&credential), created: Some(NOW) };
    let bytes = request.encode(&header);
    golden("14-device-rst-renew.xml", &bytes);
    let envelope = decode(&bytes);
    let read = RequestSecurityToken::decode(&envelope).unwrap();
    assert_eq!(read, request);
    assert!(read.token.is_some_and(|token| token.is_pkcs7() && !token.is_pkcs10()));
    assert!(matches!(envelope.credential(), Ok(Credential::Username { .. })));
}

/// White space everywhere, nested and repeated items, no padding, no token type.
// covers: E-10, E-11, E-57, E-63, E-64, E-65
#[test]
fn an_unusual_request_is_read() {
    let request = RequestSecurityToken::decode(&decode(&fixture("13-device-rst-unusual.xml"))).unwrap();
    assert_eq!(request.request_type, RequestType::Issue);
    assert_eq!(request.token_type, "");
    let token = request.token.clone().unwrap();
    assert!(token.is_pkcs10());
    assert_eq!(token.bytes, Ok(b"Muster!".to_vec()));
    assert_eq!(request.item("HWDevID"), Some("00FF"));
    assert_eq!(request.items("MAC").collect::<Vec<_>>(), ["02-00-5E-10-00-01"; 2]);
    assert_eq!(request.item("DeviceName"), None);
    assert_eq!(request.item("IMEI"), None);
    assert_eq!(request.item("Later"), Some("a <new> thing"));
    assert_eq!(
        (request.flag("NotInOobe"), request.flag("UXInitiated"), request.flag("BulkAADJ")),
        (Some(false), None, None)
    );
    for (value, flag) in [("True", Some(true)), ("true", Some(true)), ("1", Some(true)), ("0", Some(false)), ("", None)]
    {
        let request = RequestSecurityToken { context: context(&[("BulkAADJ", value)]), ..request.clone() };
        assert_eq!(request.flag("bulkaadj"), flag, "{value}");
    }
}

/// What the request asks for decides elsewhere; what cannot be read is told apart.
#[test]
fn bad_requests_are_told_apart() {
    let original = String::from_utf8(fixture("09-device-rst-issue-onpremise.xml")).unwrap();
    let read = |from: &str, to: &str| {
        let changed = original.replacen(from, to, 1);
        assert_ne!(changed, original, "{from}");
        RequestSecurityToken::decode(&decode(changed.as_bytes()))
    };
    let pkcs10 = base64::encode(&blob("csr.b64"));
    assert_eq!(read(&pkcs10, "[not base64]").unwrap().token.unwrap().bytes, Err(NotBase64));
    assert_eq!(read(&pkcs10, "<!-- -->").unwrap().token, None);
    let unknown = read("200512/Issue<", "200512/Validate<").unwrap().request_type;
    assert!(matches!(unknown, RequestType::Unknown(text) if text.ends_with("/Validate")));
    assert_eq!(read("200512/Issue<", "200512/Recovery<").unwrap().request_type, RequestType::Recovery);
    let refused = [
        ("<wst:RequestType>", "<wst:RequestType/><wst:RequestType>"),
        ("http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue<", "<"),
        (
            "<ac:AdditionalContext",
            "<x><wsse:BinarySecurityToken>TXVz</wsse:BinarySecurityToken></x><ac:AdditionalContext",
        ),
    ];
    let without_token =
        original.replace(&original[original.find("<wsse:Bin").unwrap()..original.find("<ac:Add").unwrap()], "");
    for (from, to) in refused {
        let base = if to.contains("TXVz") { &without_token } else { &original };
        let changed = base.replacen(from, to, 1);
        let result = RequestSecurityToken::decode(&decode(changed.as_bytes()));
        assert!(matches!(result, Err(Rejection::Format(_))), "{from}");
    }
}

/// [MS-MDE2] 3.4: one response, its token the document in one line of base64, valid for five minutes.
// covers: E-70, E-71, E-72, E-73
#[test]
fn the_answer_carries_the_document() {
    let document = fixture("11-server-provisioning-full.xml");
    let bytes = encode_response(&document, NOW, &reply());
    golden("10-server-rst-response.xml", &bytes);
    assert_eq!(decode_response(&decode(&bytes)).unwrap(), document);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("<u:Created>2026-05-04T09:30:15.250Z</u:Created>"));
    assert!(text.contains("<u:Expires>2026-05-04T09:35:15.250Z</u:Expires>"));
    let east = NOW.to_offset(time::UtcOffset::from_hms(5, 30, 0).unwrap()) + Duration::ZERO;
    assert_eq!(String::from_utf8(encode_response(&document, east, &reply())).unwrap(), text);
    let other = text.replace("DeviceEnrollmentProvisionDoc", "Other");
    assert!(decode_response(&decode(other.as_bytes())).is_err());
}

#[test]
fn captured_requests_are_read() {
    for (name, bytes) in captures(&["-rst-"]) {
        let envelope = decode(&bytes);
        let request = RequestSecurityToken::decode(&envelope).unwrap();
        assert_eq!(request.request_type, RequestType::Issue, "{name}");
        assert_eq!(request.token_type, TOKEN_TYPE, "{name}");
        assert!(request.item("devicetype").is_some(), "{name}");
        let token = request.token.clone().unwrap();
        assert!(token.is_pkcs10(), "{name}");
        // Documents have a sentence in place of the request, one capture is cut off.
        let readable = !name.starts_with("spec") && !name.contains("padded");
        assert_eq!(token.bytes.is_ok_and(|der| der.starts_with(&[0x30, 0x82])), readable, "{name}");
        if name.starts_with("win10-19043") {
            assert_eq!(request.items("MAC").count(), 6, "{name}");
            let (to, message_id) = (envelope.to.clone().unwrap(), envelope.message_id.clone().unwrap());
            let credential = envelope.credential().unwrap();
            let header =
                RequestHeader { message_id: &message_id, to: &to, credential: Some(&credential), created: None };
            assert_eq!(
                String::from_utf8(request.encode(&header)).unwrap(),
                String::from_utf8(bytes).unwrap(),
                "{name}"
            );
        }
    }
    for (name, bytes) in captures(&["wstep"]) {
        let request = RequestSecurityToken::decode(&decode(&bytes)).unwrap();
        let token = request.token.unwrap();
        assert!(token.is_pkcs7(), "{name}: line breaks inside the URI");
        assert!(token.bytes.is_ok_and(|der| der.starts_with(&[0x30, 0x82])), "{name}");
    }
}

proptest! {
    #[test]
    fn what_we_write_we_read(
        der in proptest::collection::vec(any::<u8>(), 1..200),
        items in proptest::collection::vec(("[A-Za-z]{1,12}", "\\PC{0,20}"), 0..8),
        kind in 0usize..4,
    ) {
        let kinds = [
            RequestType::Issue, RequestType::Renew, RequestType::Recovery, RequestType::Unknown("urn:other".to_owned()),
        ];
        let item = |(name, value): (String, String)| ContextItem { name, value: value.trim().to_owned() };
        let context = items.into_iter().map(item).collect();
        let request = RequestSecurityToken::new(kinds[kind].clone(), PKCS10, der.clone(), context);
        let credential = nora("x");
        let header = RequestHeader { message_id: "m", to: "t", credential: Some(&credential), created: None };
        prop_assert_eq!(RequestSecurityToken::decode(&decode(&request.encode(&header))).unwrap(), request);
        let response = encode_response(&der, NOW, &reply());
        prop_assert_eq!(decode_response(&decode(&response)).unwrap(), der);
    }
}
