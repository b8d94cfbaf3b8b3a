//! The judge judged: the strict readers take good messages and refuse bad ones. No server runs here, so nothing here
//! counts as a test of one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use support::csr::{self, Csr};
use support::http::Response;
use support::keys::Key;
use support::provisioning::Expected;
use support::reply::{self, Asked, Context, Reply};
use support::soap::{self, Operation, Soap};
use support::syncml::Message;
use support::{certificate, der, openssl, provisioning, xcep};

const URL: &str = "https://dm.example.test:8443/ManagementServer/MDM.svc";

fn package_one() -> Message {
    let mut message = Message::new("7", 1, URL, "4E0A7C3B55D04E6C8A1F90B2D7C41122");
    message.next_cmd_id = 2;
    message.alert(1201);
    message.login_status("user");
    message.dev_info(&[("./DevInfo/DevId", "4E0A7C3B55D04E6C8A1F90B2D7C41122")]);
    message
}

/// A good answer to package 1, with a Get and a Replace.
fn good_reply() -> String {
    let status = |id: u32, cmd_ref: u32, cmd: &str| {
        format!(
            "<Status><CmdID>{id}</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>{cmd}</Cmd><Data>200</Data></Status>"
        )
    };
    format!(
        concat!(
            r#"<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>7</SessionID><MsgID>1</MsgID>"#,
            r#"<Target><LocURI>4E0A7C3B55D04E6C8A1F90B2D7C41122</LocURI></Target><Source><LocURI>{url}</LocURI></Source>"#,
            r#"<Meta><MaxMsgSize xmlns="syncml:metinf">524288</MaxMsgSize></Meta></SyncHdr><SyncBody>{s0}{s1}{s2}{s3}"#,
            r#"<Get><CmdID>g-5</CmdID><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>"#,
            r#"<Replace><CmdID>r-6</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera</LocURI></Target>"#,
            r#"<Meta><Format xmlns="syncml:metinf">int</Format><Type xmlns="syncml:metinf">text/plain</Type></Meta><Data>0</Data></Item></Replace>"#,
            r#"<Final/></SyncBody></SyncML>"#
        ),
        url = URL,
        s0 = status(1, 0, "SyncHdr"),
        s1 = status(2, 2, "Alert"),
        s2 = status(3, 3, "Alert"),
        s3 = status(4, 4, "Replace"),
    )
}

fn response(kind: &str, body: &str) -> Response {
    let headers =
        vec![("Content-Type".to_owned(), kind.to_owned()), ("Content-Length".to_owned(), body.len().to_string())];
    Response { status: 200, headers, body: body.as_bytes().to_vec() }
}

fn judge(body: &str) -> Reply {
    let context = Context { management_url: URL, msg_id: Some(1), digest: false };
    reply::check(&Asked::read(&package_one().xml()), &context, &response("application/vnd.syncml.dm+xml", body))
}

fn refuses(check: impl FnOnce()) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let refused = catch_unwind(AssertUnwindSafe(check)).is_err();
    std::panic::set_hook(hook);
    refused
}

#[test]
fn the_reply_checker_knows_good_from_bad() {
    let good = good_reply();
    let reply = judge(&good);
    assert_eq!(reply.commands.len(), 2);
    assert_eq!(reply.expect("Replace", "/AllowCamera").data(), Some("0"));
    let bent: [(&str, &str); 24] = [
        ("SYNCML:SYNCML1.2", "SYNCML:SYNCML1.1"),
        ("<VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>", "<VerProto>DM/1.2</VerProto><VerDTD>1.2</VerDTD>"),
        ("<SessionID>7<", "<SessionID>07<"),
        ("<MsgID>1<", "<MsgID>2<"),
        ("<Source><LocURI>https", "<Source><LocURI>http"),
        ("<CmdRef>0</CmdRef><Cmd>SyncHdr", "<CmdRef>1</CmdRef><Cmd>SyncHdr"),
        ("<MsgRef>1</MsgRef><CmdRef>2", "<MsgRef>2</MsgRef><CmdRef>2"),
        ("<CmdRef>2</CmdRef>", "<CmdRef>3</CmdRef>"),
        ("<CmdID>g-5</CmdID>", "<CmdID>4</CmdID>"),
        ("<CmdID>g-5</CmdID>", "<CmdID>0</CmdID>"),
        ("<Final/>", ""),
        ("<Format xmlns=\"syncml:metinf\">", "<Format>"),
        ("<Data>0</Data></Item>", "</Item>  <Data>0</Data>"),
        ("./DevDetail/SwV", "/DevDetail/SwV"),
        ("./DevDetail/SwV", "./DevDetail//SwV"),
        ("./DevDetail/SwV", "./Dev Detail/SwV"),
        ("<Data>0</Data>", "<Data><![CDATA[0]]></Data>"),
        ("<Data>0</Data>", "<Data><a/></Data>"),
        ("<Get><CmdID>g-5</CmdID>", "<Get>"),
        ("<Cmd>Replace</Cmd><Data>200", "<Cmd>Replace</Cmd><Data>415"),
        ("<Cmd>SyncHdr</Cmd><Data>200", "<Cmd>SyncHdr</Cmd><Data>407"),
        ("524288", "2048"),
        ("<Get>", "<Copy>"),
        ("AllowCamera</LocURI></Target>", "AllowCamera</LocURI></Target><Data>1</Data>"),
    ];
    for (from, to) in bent {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from:?} stands in the good reply");
        let bad = if from == "<Get>" { bad.replace("</Get>", "</Copy>") } else { bad };
        assert!(refuses(|| drop(judge(&bad))), "taken as good: {from:?} -> {to:?}");
    }
}

#[test]
fn the_reply_checker_looks_at_the_headers() {
    let good = response("application/vnd.syncml.dm+xml", &good_reply());
    let asked = Asked::read(&package_one().xml());
    let context = Context { management_url: URL, msg_id: Some(1), digest: false };
    let with = |name: &str, value: &str| {
        let mut bad = good.clone();
        bad.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        bad.headers.push((name.to_owned(), value.to_owned()));
        refuses(|| drop(reply::check(&asked, &context, &bad)))
    };
    assert!(with("Content-Type", "text/xml"));
    assert!(with("Content-Length", "1"));
    assert!(with("Transfer-Encoding", "chunked"));
    assert!(with("Content-Encoding", "gzip"));
    let empty = response("application/vnd.syncml.dm+xml", "");
    assert!(refuses(|| drop(reply::check(&asked, &context, &empty))));
}

#[test]
fn the_reply_checker_knows_what_may_stand_together() {
    let unfinished = package_one().without_final();
    let asked = Asked::read(&unfinished.xml());
    let context = Context { management_url: URL, msg_id: Some(1), digest: false };
    let check = |body: &str| reply::check(&asked, &context, &response("application/vnd.syncml.dm+xml", body));
    let good = good_reply();
    assert!(refuses(|| drop(check(&good))), "Final and commands for an unfinished package");
    let commands = &good[good.find("<Get>").unwrap()..good.find("</SyncBody>").unwrap()];
    let waiting = good.replace(commands, "<Alert><CmdID>5</CmdID><Data>1222</Data></Alert>");
    assert!(!check(&waiting).is_final);
    let wipe = "<Exec><CmdID>w</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/RemoteWipe/doWipe</LocURI></Target></Item></Exec>";
    assert!(refuses(|| drop(judge(&good.replace("<Final/>", &format!("{wipe}<Final/>"))))), "a wipe among others");
    let item = "<Item><Target><LocURI>./a</LocURI></Target></Item>";
    let atomic = format!(
        "<Atomic><CmdID>a</CmdID><Add><CmdID>b</CmdID>{item}</Add><Replace><CmdID>c</CmdID>{item}</Replace></Atomic>"
    );
    assert!(
        refuses(|| drop(judge(&good.replace("<Final/>", &format!("{atomic}<Final/>"))))),
        "Add and Replace of one node"
    );
    let nested = format!("<Atomic><CmdID>a</CmdID><Get><CmdID>b</CmdID>{item}</Get></Atomic>");
    assert!(refuses(|| drop(judge(&good.replace("<Final/>", &format!("{nested}<Final/>"))))), "Get in Atomic");
}

#[test]
fn the_requests_we_make_are_the_requests_we_mean() {
    let key = Key::number(0);
    let id = "00112233445566778899AABBCCDDEEFF";
    for shape in [Csr::windows(id), Csr::utf8(id)] {
        let request = shape.der(&key);
        let said = openssl::attempt(&["req", "-inform", "DER", "-verify", "-noout"], &request);
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).to_lowercase();
        assert!(said.contains("verify ok"), "{said}");
    }
    let bad = openssl::attempt(&["req", "-inform", "DER", "-verify", "-noout"], &Csr::windows(id).badly_signed(&key));
    let said = String::from_utf8_lossy(&[bad.stdout, bad.stderr].concat()).to_lowercase();
    assert!(!said.contains("verify ok"), "{said}");
    // The frame of the request is the frame of the fixture: everything but the key and the signature is equal.
    use base64::Engine;
    let fixture: String = csr::FIXTURE_A.chars().filter(|c| !c.is_whitespace()).collect();
    let fixture = base64::engine::general_purpose::STANDARD.decode(fixture).unwrap();
    let ours = Csr::windows(id).der(&key);
    assert_eq!((ours.len(), &ours[..100]), (fixture.len(), &fixture[..100]), "the genuine shape, byte for byte");
    assert_eq!(certificate::thumbprint(b"abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
    assert_eq!(der::oid("1.3.14.3.2.29"), [0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1d]);
}

#[test]
fn odd_keys_can_be_made_and_used() {
    for (bits, exponent) in [("1024", "65537"), ("2047", "65537"), ("2048", "3")] {
        let key = Key::from_file(openssl::generate_rsa(bits, exponent));
        let request = Csr::windows("x").der(&key);
        let said = openssl::run(&["req", "-inform", "DER", "-text", "-noout"], &request);
        assert!(String::from_utf8_lossy(&said).contains(&format!("{bits} bit")), "{}", String::from_utf8_lossy(&said));
    }
    let made = Key::generate();
    assert_ne!(made.spki(), Key::number(0).spki());
    assert!(!openssl::sign(&made.file, "-sha1", b"x").is_empty());
}

#[test]
fn the_soap_checker_knows_good_from_bad() {
    let discover = soap::discover("ada@example.test");
    let envelope = |body: &str| {
        format!(
            r#"<s:Envelope xmlns:s="{}" xmlns:a="{}"><s:Header><a:Action s:mustUnderstand="1">{}</a:Action><a:RelatesTo>{}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"#,
            soap::SOAP,
            soap::ADDRESSING,
            Operation::Discover.response_action(),
            Operation::Discover.message_id()
        )
    };
    let good =
        envelope(&format!(r#"<DiscoverResponse xmlns="{}"><DiscoverResult/></DiscoverResponse>"#, soap::DISCOVERY));
    discover.accepted(&response(soap::CONTENT_TYPE, &good));
    for (from, to) in [
        ("mustUnderstand=\"1\"", "mustUnderstand=\"0\""),
        ("urn:uuid:", "urn:uuid: "),
        (soap::SOAP, soap::SOAP_11),
        ("DiscoverResponse<", " DiscoverResponse<"),
    ] {
        let bad = good.replace(from, to);
        assert!(refuses(|| drop(discover.accepted(&response(soap::CONTENT_TYPE, &bad)))), "{from}");
    }
    let fault = |code: &str, extra: &str| {
        let mut answer = response(
            soap::CONTENT_TYPE,
            &envelope(&format!(
                r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value{extra}>{code}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-us">No.</s:Text></s:Reason></s:Fault>"#
            )),
        );
        answer.status = 500;
        answer
    };
    discover.refused(&fault("s:Authorization", "")).is("the judge", "s:Authorization", None);
    let bound = format!(r#" xmlns:a="{}""#, soap::DISPATCHER);
    discover.refused(&fault("a:InvalidSecurity", &bound)).is("the judge", "a:InvalidSecurity", None);
    assert!(refuses(|| drop(discover.refused(&fault("a:InvalidSecurity", "")))), "E-107");
    assert!(refuses(|| drop(discover.accepted(&fault("s:Authorization", "")))), "a fault is no answer");
}

#[test]
fn the_policy_checker_knows_good_from_bad() {
    let nil = |names: &[&str]| names.iter().map(|n| format!(r#"<{n} xsi:nil="true"/>"#)).collect::<String>();
    let good = format!(
        r#"<GetPoliciesResponse xmlns="{}" xmlns:xsi="{}"><response><policyID/>{}<policies><policy><policyOIDReference>0</policyOIDReference>{}<attributes><commonName>x</commonName><policySchema>3</policySchema><certificateValidity><validityPeriodSeconds>31536000</validityPeriodSeconds><renewalPeriodSeconds>3628800</renewalPeriodSeconds></certificateValidity><permission><enroll>true</enroll><autoEnroll>false</autoEnroll></permission><privateKeyAttributes><minimalKeyLength>2048</minimalKeyLength>{}<cryptoProviders><provider>Microsoft Platform Crypto Provider</provider><provider>Microsoft Software Key Storage Provider</provider></cryptoProviders></privateKeyAttributes><revision><majorRevision>101</majorRevision><minorRevision>0</minorRevision></revision>{}<hashAlgorithmOIDReference>0</hashAlgorithmOIDReference>{}</attributes></policy></policies></response>{}<oIDs><oID><value>2.16.840.1.101.3.4.2.1</value><group>4</group><oIDReferenceID>0</oIDReferenceID><defaultName>szOID_NIST_sha256</defaultName></oID></oIDs></GetPoliciesResponse>"#,
        soap::XCEP,
        soap::XSI,
        nil(&["policyFriendlyName", "nextUpdateHours", "policiesNotChanged"]),
        nil(&["cAs"]),
        nil(&["keySpec", "keyUsageProperty", "permissions", "algorithmOIDReference"]),
        nil(&["supersededPolicies", "privateKeyFlags", "subjectNameFlags", "enrollmentFlags", "generalFlags"]),
        nil(&["rARequirements", "keyArchivalAttributes", "extensions"]),
        nil(&["cAs"]),
    );
    let read = |xml: &str| xcep::check(&support::tree::Element::parse("the policy", xml));
    assert_eq!(read(&good).minimal_key_length, 2048);
    let bent = [
        ("<policySchema>3", "<policySchema>2"),
        ("<minimalKeyLength>2048", "<minimalKeyLength>1024"),
        ("<hashAlgorithmOIDReference>0", "<hashAlgorithmOIDReference>1"),
        (r#"<extensions xsi:nil="true"/>"#, "<extensions/>"),
        ("<group>4</group>", ""),
        ("Microsoft Platform Crypto Provider", "Other"),
    ];
    for (from, to) in bent {
        assert!(refuses(|| drop(read(&good.replace(from, to)))), "{from}");
    }
}

#[test]
fn the_provisioning_checker_knows_good_from_bad() {
    let key = Key::number(1);
    let certificates = sample::chain(&key.spki());
    let document = sample::document(&certificates);
    let spki = key.spki();
    let read = |xml: &str| {
        let expected = Expected {
            store: "User",
            device_url: "https://dm.example.test:8443",
            device_name: "LAB-PC-07",
            user: Some("ada@example.test"),
            public_key: &spki,
        };
        provisioning::check(xml, &expected)
    };
    assert_eq!(read(&document).provider_id, "Muster");
    let bent = [
        ("type=\"User\"", "type=\"System\""),
        ("<characteristic type=\"PrivateKeyContainer\"/>", ""),
        ("\"PROVIDER-ID\" value=\"Muster\"", "\"PROVIDER-ID\" value=\"muster\""),
        ("AAUTHDATA", "AAUTHDATE"),
        ("value=\"w7\"", "value=\"w8\""),
        ("name=\"APPID\"", "name=\"ROLE\""),
        ("parm name=\"ROBOSupport\"", "param name=\"ROBOSupport\""),
        ("EntDMID", "EntDmId"),
        ("\"NumberOfFirstRetries\" value=\"5\"", "\"NumberOfFirstRetries\" value=\"0\""),
        (" datatype=\"boolean\"/>", "/>"),
        ("value=\"DIGEST\"", "value=\"BASIC\""),
        ("+xml", "+wbxml"),
        ("\"RenewPeriod\" value=\"42\"", "\"RenewPeriod\" value=\"400\""),
    ];
    for (from, to) in bent {
        let bad = document.replacen(from, to, 1);
        assert_ne!(bad, document, "{from} stands in the document");
        assert!(refuses(|| drop(read(&bad))), "taken as good: {from} -> {to}");
    }
    let other = Key::number(2).spki();
    let expected = Expected {
        store: "User",
        device_url: "https://dm.example.test:8443",
        device_name: "LAB-PC-07",
        user: None,
        public_key: &other,
    };
    assert!(refuses(|| drop(provisioning::check(&document, &expected))), "E-78: another key");
}

#[test]
fn requests_are_well_formed() {
    let key = Key::number(0);
    let body = soap::RstBody::windows(&key, "00112233445566778899AABBCCDDEEFF", &[("DeviceName", "a & <b> \"c\"")]);
    let requests = [
        soap::discover("o'brien&co@example.test"),
        Soap::get_policies(&soap::username_token("a&b", "<secret>")),
        Soap::rst(&soap::username_token("a&b", "<secret>"), body.xml()),
    ];
    for request in requests {
        support::tree::Element::parse("our own request", &request.xml());
    }
    support::tree::Element::parse("our own message", &package_one().xml());
}

/// A provisioning document and certificates as they should be, made without the server.
mod sample {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        PKCS_RSA_SHA256, RsaKeySize, SerialNumber, SubjectPublicKeyInfo,
    };

    use super::support::certificate::{Chain, thumbprint};
    use super::support::now;

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = now() - time::Duration::minutes(5);
        params.not_after = now() + time::Duration::days(3650);
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(SerialNumber::from_slice(&[0x5a; 16]));
        params
    }

    pub(super) fn chain(spki: &[u8]) -> Chain {
        let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut root = params("Sample root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = rsa();
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        let root_issuer = Issuer::new(root, root_key);
        let mut issuing = params("Sample device CA");
        issuing.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        issuing.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        issuing.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issuing_key = rsa();
        let issuing_der = issuing.signed_by(&issuing_key, &root_issuer).unwrap().der().to_vec();
        let issuer = Issuer::new(issuing, issuing_key);
        let mut leaf = params("dev-0001");
        leaf.not_after = now() + time::Duration::days(365);
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let public = SubjectPublicKeyInfo::from_der(spki).unwrap();
        let leaf = leaf.signed_by(&public, &issuer).unwrap().der().to_vec();
        Chain { root: root_der, issuing: issuing_der, leaf }
    }

    fn stored(der: &[u8]) -> String {
        let value = STANDARD.encode(der);
        format!(
            r#"<characteristic type="{}"><parm name="EncodedCertificate" value="{value}"/></characteristic>"#,
            thumbprint(der)
        )
    }

    pub(super) fn document(chain: &Chain) -> String {
        format!(
            concat!(
                r#"<wap-provisioningdoc version="1.1"><characteristic type="CertificateStore">"#,
                r#"<characteristic type="Root"><characteristic type="System">{root}</characteristic></characteristic>"#,
                r#"<characteristic type="CA"><characteristic type="System">{ca}</characteristic></characteristic>"#,
                r#"<characteristic type="My"><characteristic type="User">{leaf}<characteristic type="PrivateKeyContainer"/></characteristic>"#,
                r#"<characteristic type="WSTEP"><characteristic type="Renew"><parm name="ROBOSupport" value="true" datatype="boolean"/>"#,
                r#"<parm name="RenewPeriod" value="42" datatype="integer"/><parm name="RetryInterval" value="4" datatype="integer"/>"#,
                r#"<parm name="ServerURL" value="https://dm.example.test:8443/EnrollmentServer/Renew.svc" datatype="string"/>"#,
                r#"</characteristic></characteristic></characteristic></characteristic>"#,
                r#"<characteristic type="APPLICATION"><parm name="APPID" value="w7"/><parm name="PROVIDER-ID" value="Muster"/>"#,
                r#"<parm name="NAME" value="Muster MDM"/><parm name="ADDR" value="https://dm.example.test:8443/ManagementServer/MDM.svc"/>"#,
                r#"<parm name="BACKCOMPATRETRYDISABLED"/><parm name="DEFAULTENCODING" value="application/vnd.syncml.dm+xml"/>"#,
                r#"<characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="CLIENT"/><parm name="AAUTHTYPE" value="DIGEST"/>"#,
                r#"<parm name="AAUTHSECRET" value="c2VydmVyLXNlY3JldC1leGFtcGxl"/><parm name="AAUTHDATA" value="AAECAwQFBgcICQoLDA0ODw=="/></characteristic>"#,
                r#"<characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="APPSRV"/><parm name="AAUTHTYPE" value="DIGEST"/>"#,
                r#"<parm name="AAUTHNAME" value="dev-0001"/><parm name="AAUTHSECRET" value="Y2xpZW50LXNlY3JldC1leGFtcGxl"/>"#,
                r#"<parm name="AAUTHDATA" value="EBESExQVFhcYGRobHB0eHw=="/></characteristic></characteristic>"#,
                r#"<characteristic type="DMClient"><characteristic type="Provider"><characteristic type="Muster">"#,
                r#"<parm name="EntDeviceName" value="LAB-PC-07" datatype="string"/><parm name="EntDMID" value="dev-0001" datatype="string"/>"#,
                r#"<parm name="UPN" value="ada@example.test" datatype="string"/><characteristic type="Poll">"#,
                r#"<parm name="NumberOfFirstRetries" value="5" datatype="integer"/><parm name="IntervalForFirstSetOfRetries" value="3" datatype="integer"/>"#,
                r#"<parm name="NumberOfSecondRetries" value="8" datatype="integer"/><parm name="IntervalForSecondSetOfRetries" value="15" datatype="integer"/>"#,
                r#"<parm name="NumberOfRemainingScheduledRetries" value="0" datatype="integer"/>"#,
                r#"<parm name="IntervalForRemainingScheduledRetries" value="480" datatype="integer"/>"#,
                r#"<parm name="PollOnLogin" value="true" datatype="boolean"/><parm name="AllUsersPollOnFirstLogin" value="true" datatype="boolean"/>"#,
                r#"</characteristic></characteristic></characteristic></characteristic></wap-provisioningdoc>"#
            ),
            root = stored(&chain.root),
            ca = stored(&chain.issuing),
            leaf = stored(&chain.leaf),
        )
    }
}
