use secrecy::SecretString;

use super::super::soap::fixtures::{MESSAGE_ID, captures, decode, fixture, golden, reply};
use super::super::soap::security::{Credential, USER_TOKEN};
use super::*;

fn settings(software_keys_only: bool) -> PolicySettings {
    PolicySettings {
        common_name: "Muster device".to_owned(),
        validity_seconds: 31_536_000,
        renewal_seconds: 3_628_800,
        minimal_key_length: 2048,
        software_keys_only,
    }
}

#[test]
fn requests_are_written_as_windows_writes_them() {
    let to = "https://mdm.harbor.example/EnrollmentServer/Policy.svc";
    let by_name = Credential::Username {
        username: "nora@harbor.example".to_owned(),
        password: SecretString::from("Tide & Moor"),
    };
    let by_token = Credential::Token { value_type: USER_TOKEN.to_owned(), token: SecretString::from("harbor.token") };
    let cases = [("05-device-get-policies-onpremise.xml", by_name), ("06-device-get-policies-federated.xml", by_token)];
    for (file, credential) in cases {
        let header = RequestHeader { message_id: MESSAGE_ID, to, credential: Some(&credential), created: None };
        let bytes = GetPolicies.encode(&header);
        golden(file, &bytes);
        assert_eq!(GetPolicies::decode(&decode(&bytes)), Ok(GetPolicies));
    }
}

/// What a newer client adds is ignored; another body is not.
// covers: E-42
#[test]
fn extra_children_are_ignored() {
    let text = String::from_utf8(fixture("05-device-get-policies-onpremise.xml")).unwrap();
    let more = text.replace("</client>", "<TPMManufacturer>INTC</TPMManufacturer></client>");
    assert_eq!(GetPolicies::decode(&decode(more.as_bytes())), Ok(GetPolicies));
    let other = text.replace("GetPolicies xmlns", "GetCAs xmlns").replace("</GetPolicies>", "</GetCAs>");
    assert!(matches!(GetPolicies::decode(&decode(other.as_bytes())), Err(Rejection::Format(_))));
}

/// [MS-XCEP] 3.1.4.1.3: the schema consists of sequences; absent values are nil.
// covers: E-34, E-35, E-36, E-37, E-39, E-40, E-41
#[test]
fn the_answer_is_the_sequence_of_the_schema() {
    let cases =
        [("07-server-get-policies-response.xml", false), ("08-server-get-policies-response-software.xml", true)];
    for (file, software_keys_only) in cases {
        let bytes = settings(software_keys_only).encode(&reply());
        golden(file, &bytes);
        assert_eq!(PolicySettings::decode(&decode(&bytes)).unwrap(), settings(software_keys_only));
    }
}

#[test]
fn a_hash_that_does_not_resolve_is_refused() {
    let text = String::from_utf8(settings(false).encode(&reply())).unwrap();
    let broken = text.replace("<oIDReferenceID>0<", "<oIDReferenceID>1<");
    assert!(PolicySettings::decode(&decode(broken.as_bytes())).is_err());
}

#[test]
fn a_captured_request_is_written_again() {
    for (name, bytes) in captures(&["win10-19043-getpolicies"]) {
        let envelope = decode(&bytes);
        let (to, message_id) = (envelope.to.clone().unwrap(), envelope.message_id.clone().unwrap());
        let credential = envelope.credential().unwrap();
        let header = RequestHeader { message_id: &message_id, to: &to, credential: Some(&credential), created: None };
        let again = String::from_utf8(GetPolicies.encode(&header)).unwrap();
        assert_eq!(again, String::from_utf8(bytes).unwrap(), "{name}");
    }
}
