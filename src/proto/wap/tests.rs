use proptest::prelude::*;

use super::super::soap::fixtures::{fixture, golden};
use super::super::xml::Limits;
use super::*;

fn blob(name: &str) -> Vec<u8> {
    base64::decode(&String::from_utf8(fixture(name)).unwrap()).unwrap()
}

fn document(store: CertificateStore) -> ProvisioningDocument {
    ProvisioningDocument {
        root_ca: blob("root-ca.b64"),
        issuing_ca: blob("issuing-ca.b64"),
        device_certificate: blob("device.b64"),
        store,
        renewal: Renewal {
            period_days: 42,
            retry_days: 4,
            server_url: Some("https://dm.harbor.example/EnrollmentServer/Renew.svc".to_owned()),
        },
        application: Application {
            provider_id: "Muster".to_owned(),
            name: "Harbor \"Büro\" <MDM> & more".to_owned(),
            addr: "https://dm.harbor.example/ManagementServer/MDM.svc".to_owned(),
            user_name: "enrollment-0001".to_owned(),
            server_secret: SecretString::from("Zm9yIHRoZSBzZXJ2ZXI"),
            server_nonce: *b"server nonce 16b",
            client_secret: SecretString::from("Zm9yIHRoZSBkZXZpY2U"),
            client_nonce: *b"client nonce 16b",
        },
        dm_client: DmClient {
            device_name: Some("QUAY-PC-03".to_owned()),
            ent_dm_id: "enrollment-0001".to_owned(),
            upn: Some("nora@harbor.example".to_owned()),
            signs_messages: false,
            poll: Poll::default(),
        },
    }
}

fn read(bytes: &[u8]) -> Characteristic {
    decode(bytes, &Limits::default()).unwrap()
}

/// [MS-MDE2] 3.6, for both kinds of enrollment, with values that need escaping.
// covers: E-75, E-76, E-77, E-82, E-89, E-93, E-94, E-95
#[test]
fn the_document_has_the_fixed_order() {
    golden("11-server-provisioning-full.xml", &document(CertificateStore::User).encode());
    let mut device = document(CertificateStore::System);
    device.dm_client.upn = None;
    device.dm_client.device_name = None;
    device.renewal.server_url = None;
    golden("12-server-provisioning-device.xml", &device.encode());
}

// covers: E-74, E-84, E-85, E-88
#[test]
fn the_document_is_read_back() {
    let written = document(CertificateStore::User);
    let top = read(&written.encode());
    let kinds: Vec<_> = top.children.iter().map(|child| child.kind.as_str()).collect();
    assert_eq!(kinds, ["CertificateStore", "APPLICATION", "DMClient"]);
    let stores = top.find(&["CertificateStore"]).unwrap();
    for (path, der) in [
        (["Root", "System"], &written.root_ca),
        (["CA", "System"], &written.issuing_ca),
        (["My", "User"], &written.device_certificate),
    ] {
        let certificate = &stores.find(&path).unwrap().children[0];
        assert_eq!(certificate.kind, thumbprint(der), "{path:?}");
        assert_eq!(&base64::decode(certificate.value("EncodedCertificate").unwrap()).unwrap(), der, "{path:?}");
    }
    assert_eq!(stores.find(&["My", "User"]).unwrap().children[1], Characteristic::new("PrivateKeyContainer"));
    assert_eq!(stores.find(&["My", "System"]), None);
    let application = top.find(&["APPLICATION"]).unwrap();
    assert_eq!(application.value("NAME"), Some(written.application.name.as_str()));
    assert!(application.parms.iter().all(|parm| parm.name == parm.name.to_uppercase()));
    let levels: Vec<_> = application.children.iter().filter_map(|auth| auth.value("AAUTHLEVEL")).collect();
    assert_eq!(levels, ["CLIENT", "APPSRV"]);
    let poll = top.find(&["DMClient", "Provider", "Muster", "Poll"]).unwrap();
    assert_eq!(poll.value("IntervalForRemainingScheduledRetries"), Some("480"));
}

/// [MS-MDE2] 3.5: only the certificate, and which account it is for.
#[test]
fn the_renewal_document_is_short() {
    let renewal = RenewalDocument {
        device_certificate: blob("device.b64"),
        store: CertificateStore::User,
        provider_id: "Muster".to_owned(),
    };
    golden("15-server-provisioning-renewal.xml", &renewal.encode());
}

/// SHA-1 of the DER as `openssl x509 -fingerprint -sha1` prints it.
#[test]
fn thumbprints_are_sha1_in_upper_case() {
    assert_eq!(thumbprint(b"abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
}

#[test]
fn foreign_documents_are_read_leniently() {
    let text = b"<?xml version='1.0'?><wap-provisioningdoc version='1.1'><characteristic type='APPLICATION'>\
        <parm name='BACKCOMPATRETRYDISABLED' value=''/><param name='ADDR' value='x'/></characteristic>\
        </wap-provisioningdoc>";
    let application = read(text).children.remove(0);
    assert_eq!(application.value("BACKCOMPATRETRYDISABLED"), Some(""));
    assert_eq!(application.value("ADDR"), None, "a misspelled element is skipped");
    let cases: [(&[u8], NotProvisioning); 3] = [
        (b"<characteristic type='x'/>", NotProvisioning::Root),
        (b"<wap-provisioningdoc><characteristic/></wap-provisioningdoc>", NotProvisioning::Name),
        (
            b"<wap-provisioningdoc><characteristic type='a'><parm value='1'/></characteristic></wap-provisioningdoc>",
            NotProvisioning::Name,
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(bytes, &Limits::default()), Err(expected));
    }
}

#[test]
fn debug_shows_no_secret() {
    let document = document(CertificateStore::User);
    let shown = format!("{document:?} {:?}", read(&document.encode()));
    assert!(!shown.contains("Zm9yIHRoZSB"), "{shown}");
}

fn trees() -> impl Strategy<Value = Characteristic> {
    let parm = ("\\PC{1,10}", proptest::option::of("\\PC*[\r\n\t<&\"']?\\PC*"), proptest::option::of("[a-z]{1,8}"))
        .prop_map(|(name, value, datatype)| Parm { name, value, datatype });
    let parms = proptest::collection::vec(parm, 0..4);
    let leaf = ("\\PC{0,10}", parms.clone()).prop_map(|(kind, parms)| Characteristic { kind, parms, children: vec![] });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        ("\\PC{0,10}", parms.clone(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(kind, parms, children)| Characteristic { kind, parms, children })
    })
}

proptest! {
    #[test]
    fn any_tree_we_write_we_read(top in proptest::collection::vec(trees(), 0..3)) {
        prop_assume!(format!("{top:?}").chars().all(super::super::xml::is_xml_char));
        prop_assert_eq!(read(&encode(&top)).children, top);
    }
}
