use proptest::prelude::*;

use super::super::soap::fixtures::{MESSAGE_ID, captures, decode, fixture, golden, reply};
use super::*;

const TO: &str = "https://EnterpriseEnrollment.harbor.example:443/EnrollmentServer/Discovery.svc";

fn header() -> RequestHeader<'static> {
    RequestHeader { message_id: MESSAGE_ID, to: TO, ..RequestHeader::default() }
}

fn windows11() -> Discover {
    Discover {
        email: "nora@harbor.example".to_owned(),
        request_version: Some(Version::new(6)),
        device_type: Some("CIMClient_Windows".to_owned()),
        application_version: Some("10.0.22631.4602".to_owned()),
        os_edition: Some(48),
        os_version: None,
        auth_policies: vec![AuthPolicy::OnPremise, AuthPolicy::Federated],
    }
}

fn answer(auth_policy: AuthPolicy, authentication_url: Option<&str>) -> DiscoverResponse {
    DiscoverResponse {
        auth_policy,
        enrollment_version: Some(Version::new(4)),
        policy_url: "https://mdm.harbor.example/EnrollmentServer/Policy.svc".to_owned(),
        enrollment_url: "https://mdm.harbor.example/EnrollmentServer/Enrollment.svc".to_owned(),
        authentication_url: authentication_url.map(str::to_owned),
    }
}

#[test]
fn a_request_of_windows_11_is_written_and_read() {
    let bytes = windows11().encode(&header());
    golden("01-device-discover.xml", &bytes);
    assert_eq!(Discover::decode(&decode(&bytes)).unwrap(), windows11());
}

/// SOAP 1.1, other prefixes and order, the slash after the namespace, a lying encoding, an unheard-of version.
// covers: E-09, E-10, E-11, E-15, E-21, E-22, E-142, E-144
#[test]
fn an_unusual_request_is_read() {
    let envelope = decode(&fixture("04-device-discover-unusual.xml"));
    let discover = Discover::decode(&envelope).unwrap();
    let expected = Discover {
        email: "HARBOR\\nora".to_owned(),
        request_version: Some("12.5".parse().unwrap()),
        os_version: Some("10.0.26100.1742".to_owned()),
        auth_policies: vec![AuthPolicy::Federated, AuthPolicy::OnPremise],
        ..Discover::default()
    };
    assert_eq!(discover, expected);
    let header = ReplyHeader { relates_to: envelope.message_id.as_deref(), ..reply() };
    let answer = String::from_utf8(answer(AuthPolicy::OnPremise, None).encode(&header)).unwrap();
    assert!(answer.starts_with("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\""));
    assert!(answer.contains("<a:RelatesTo>urn:uuid: 41ab-x</a:RelatesTo>"));
}

// covers: E-23, E-144
#[test]
fn little_is_needed_and_two_of_a_kind_are_refused() {
    let text = String::from_utf8(windows11().encode(&header())).unwrap();
    let start = text.find("<EmailAddress>").unwrap();
    let end = text.find("</request>").unwrap();
    let with = |children: &str| {
        let changed = format!("{}{children}{}", &text[..start], &text[end..]);
        Discover::decode(&decode(changed.as_bytes()))
    };
    assert_eq!(with("").unwrap(), Discover::default());
    let unreadable = with("<RequestVersion>new</RequestVersion><OSEdition>Pro</OSEdition><DeviceType/>").unwrap();
    assert_eq!(unreadable, Discover::default());
    let other = with("<AuthPolicies><AuthPolicy> Passkey </AuthPolicy></AuthPolicies>").unwrap();
    assert_eq!(other.auth_policies, [AuthPolicy::Unknown("Passkey".to_owned())]);
    let twice = with("<EmailAddress>a</EmailAddress><EmailAddress>b</EmailAddress>");
    assert!(matches!(twice, Err(Rejection::Format(_))));
    let policies = text.replace("/IDiscoveryService/Discover<", "/IPolicy/GetPolicies<");
    assert!(matches!(Discover::decode(&decode(policies.as_bytes())), Err(Rejection::Format(_))));
    let body = text.replace("<Discover xmlns", "<Discovery xmlns").replace("</Discover>", "</Discovery>");
    assert!(matches!(Discover::decode(&decode(body.as_bytes())), Err(Rejection::Format(_))));
}

/// [MS-MDE2] 3.1.4.1.3.2: the sign-in page is named for `Federated` only.
// covers: E-13, E-19, E-28
#[test]
fn answers_are_written_and_read() {
    let sign_in = Some("https://mdm.harbor.example/EnrollmentServer/Auth?a=1&b=2");
    let cases = [
        ("02-server-discover-response-onpremise.xml", answer(AuthPolicy::OnPremise, None)),
        ("03-server-discover-response-federated.xml", answer(AuthPolicy::Federated, sign_in)),
    ];
    for (file, response) in cases {
        let bytes = response.encode(&reply());
        golden(file, &bytes);
        let envelope = decode(&bytes);
        assert_eq!(DiscoverResponse::decode(&envelope).unwrap(), response);
        assert_eq!(envelope.activity_id, Some(reply().activity_id.to_string()));
    }
    let old = DiscoverResponse { enrollment_version: None, ..answer(AuthPolicy::OnPremise, None) };
    assert_eq!(DiscoverResponse::decode(&decode(&old.encode(&reply()))).unwrap(), old);
}

#[test]
fn captured_requests_say_who_asks() {
    for (name, bytes) in captures(&["discover"]) {
        if name.contains("backslashes") {
            continue;
        }
        let envelope = decode(&bytes);
        let discover = Discover::decode(&envelope).unwrap();
        assert!(discover.email.contains('@'), "{name}");
        assert!(discover.request_version >= Some(Version::new(2)), "{name}");
        assert_eq!(discover.device_type.as_deref() == Some("CIMClient_Windows"), name.starts_with("win1"), "{name}");
        assert_eq!(discover.auth_policies.is_empty(), name.starts_with("wp81"), "{name}");
        if name == "win10-19043-discover.xml" {
            let to = envelope.to.clone().unwrap();
            let message_id = envelope.message_id.clone().unwrap();
            let header = RequestHeader { message_id: &message_id, to: &to, ..RequestHeader::default() };
            let again = String::from_utf8(discover.encode(&header)).unwrap();
            assert_eq!(again, String::from_utf8(bytes).unwrap(), "written as the device writes it");
        }
    }
}

proptest! {
    #[test]
    fn what_we_write_we_read(
        email in "\\PC{0,30}",
        version in proptest::option::of(0u16..900),
        edition in proptest::option::of(any::<u32>()),
        device_type in proptest::option::of("\\w{1,20}"),
    ) {
        let discover = Discover {
            email: email.trim().to_owned(),
            request_version: version.map(Version::new),
            os_edition: edition,
            device_type,
            ..windows11()
        };
        prop_assert_eq!(Discover::decode(&decode(&discover.encode(&header()))).unwrap(), discover);
    }
}
