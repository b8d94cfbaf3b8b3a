//! Checks of the provisioning document, as strict as the strictest client of whom something is known.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::certificate::{Chain, thumbprint};
use super::tree::Element;

/// What the document is checked against.
pub struct Expected<'a> {
    /// `User` for a Full enrollment, `System` for a Device enrollment.
    pub store: &'a str,
    pub device_url: &'a str,
    pub device_name: &'a str,
    /// None: the enrollment has no user.
    pub user: Option<&'a str>,
    /// The SubjectPublicKeyInfo of the request.
    pub public_key: &'a [u8],
}

/// What a device takes out of the document.
#[derive(Clone, Debug)]
pub struct Provisioned {
    pub chain: Chain,
    pub provider_id: String,
    pub management_url: String,
    pub renewal_url: String,
    pub ent_dm_id: String,
    /// The secrets of the CLIENT and the APPSRV block.
    pub secrets: [String; 2],
    pub nonces: [Vec<u8>; 2],
    pub poll: HashMap<String, String>,
    pub application: HashMap<String, String>,
    pub document: Element,
}

/// E-74 to E-95.
#[track_caller]
pub fn check(document: &str, expected: &Expected<'_>) -> Provisioned {
    let root = Element::parse("the provisioning document", document);
    assert_eq!((root.namespace.as_str(), root.name.as_str()), ("", "wap-provisioningdoc"), "E-72");
    assert_eq!(root.attribute("version"), Some("1.1"), "E-72");
    check_vocabulary(&root);
    let types: Vec<&str> = root.children.iter().map(kind).collect();
    assert_eq!(types, ["CertificateStore", "APPLICATION", "DMClient"], "E-77, E-93: the order of the parts");
    let store = only(&root, "CertificateStore");
    let chain = check_stores(store, expected.store);
    chain.check(expected.public_key);
    let renewal_url = check_renew(store, &chain, expected.device_url);
    let (application, secrets, nonces) = check_application(only(&root, "APPLICATION"), expected.device_url);
    let provider = check_dm_client(only(&root, "DMClient"), &application["PROVIDER-ID"], expected);
    Provisioned {
        chain,
        provider_id: application["PROVIDER-ID"].clone(),
        management_url: application["ADDR"].clone(),
        renewal_url,
        ent_dm_id: value(provider, "EntDMID").expect("E-91: EntDMID").to_owned(),
        secrets,
        nonces,
        poll: check_poll(only(provider, "Poll")),
        application,
        document: root,
    }
}

/// E-94: the two element names, the attribute names, the datatypes.
#[track_caller]
fn check_vocabulary(root: &Element) {
    for element in root.walk().into_iter().skip(1) {
        assert!(matches!(element.name.as_str(), "characteristic" | "parm"), "E-94: <{}>", element.name);
        let allowed: &[&str] = if element.name == "parm" { &["name", "value", "datatype"] } else { &["type"] };
        for attribute in &element.attributes {
            assert!(allowed.contains(&attribute.name.as_str()), "E-94: {}", element.source);
        }
        if let Some(datatype) = element.attribute("datatype") {
            assert!(matches!(datatype, "string" | "integer" | "boolean"), "E-94: {}", element.source);
        }
        assert!(!element.source.contains("RootCATrustedCertificates"), "E-93");
    }
}

/// E-74 to E-77: root, intermediate and device certificate, each in its place and order.
#[track_caller]
fn check_stores(store: &Element, my: &str) -> Chain {
    let order: Vec<&str> = store.children.iter().map(kind).collect();
    assert_eq!(order, ["Root", "CA", "My"], "E-77: {order:?}");
    let single = |path: &str| {
        let systems: Vec<&str> = only(store, path).children.iter().map(kind).collect();
        assert_eq!(systems, ["System"], "E-77: {path} has {systems:?}");
        let system = only(only(store, path), "System");
        assert_eq!(system.children.len(), 1, "E-77: one certificate in {path}/System");
        certificate(&system.children[0])
    };
    let (root, issuing) = (single("Root"), single("CA"));
    let mine = only(store, "My");
    let order: Vec<&str> = mine.children.iter().map(kind).collect();
    assert_eq!(order, [my, "WSTEP"], "E-75, E-77: {order:?}");
    let holder = only(mine, my);
    assert_eq!(holder.children.len(), 2, "E-75, E-76: {}", holder.source);
    let leaf = certificate(&holder.children[0]);
    let container = &holder.children[1];
    assert_eq!(kind(container), "PrivateKeyContainer", "E-76: {}", holder.source);
    assert!(container.children.is_empty() && container.text.trim().is_empty(), "E-76: {}", container.source);
    Chain { root, issuing, leaf }
}

/// E-74: a thumbprint characteristic whose only parm is the certificate.
#[track_caller]
fn certificate(element: &Element) -> Vec<u8> {
    assert_eq!(element.children.len(), 1, "E-74: {}", element.source);
    let parm = &element.children[0];
    assert_eq!(parm.attribute("name"), Some("EncodedCertificate"), "E-74: {}", element.source);
    let text = parm.attribute("value").expect("E-74: the certificate has a value");
    let der = STANDARD.decode(text).unwrap_or_else(|e| panic!("E-74: one line of base64: {e}"));
    assert_eq!(kind(element), thumbprint(&der), "E-74: the name is the SHA-1 of the certificate");
    der
}

/// E-82, E-83.
#[track_caller]
fn check_renew(store: &Element, chain: &Chain, device_url: &str) -> String {
    let renew = only(only(only(store, "My"), "WSTEP"), "Renew");
    let read = |name: &str, datatype: &str| {
        let parm = parm(renew, name).unwrap_or_else(|| panic!("E-82: no {name} in {}", renew.source));
        assert_eq!(parm.attribute("datatype"), Some(datatype), "E-82: {}", parm.source);
        parm.attribute("value").expect("E-82: a value").to_owned()
    };
    assert_eq!(read("ROBOSupport", "boolean"), "true", "E-82");
    let period: i64 = read("RenewPeriod", "integer").parse().expect("E-82: days");
    let interval: i64 = read("RetryInterval", "integer").parse().expect("E-82: days");
    assert!((1..=1000).contains(&period) && (1..=period).contains(&interval), "E-82: {period}, {interval}");
    assert!(period < chain.lifetime_days(), "E-83: {period} of {} days", chain.lifetime_days());
    let url = read("ServerURL", "string");
    assert_eq!(url, format!("{device_url}/EnrollmentServer/Renew.svc"), "E-82");
    url
}

type Application = (HashMap<String, String>, [String; 2], [Vec<u8>; 2]);

/// E-84 to E-90.
#[track_caller]
fn check_application(application: &Element, device_url: &str) -> Application {
    let mut parms = HashMap::new();
    for parm in application.named("parm") {
        let name = parm.attribute("name").expect("a parm has a name");
        assert_eq!(name, name.to_uppercase(), "E-88");
        let value = parm.attribute("value").unwrap_or_default().to_owned();
        assert!(parms.insert(name.to_owned(), value).is_none(), "{name} stands twice");
    }
    assert_eq!(parms.get("APPID").map(String::as_str), Some("w7"), "E-84");
    assert!(!parms.contains_key("INIT") && !parms.contains_key("ROLE"), "E-88: {parms:?}");
    assert!(parms.contains_key("BACKCOMPATRETRYDISABLED"), "the client must not fall back to DM 1.1");
    assert!(parms.get("NAME").is_some_and(|name| !name.is_empty()), "the server has a display name");
    assert_eq!(parms.get("DEFAULTENCODING").map(String::as_str), Some("application/vnd.syncml.dm+xml"), "E-89");
    let address = parms.get("ADDR").expect("E-90: ADDR");
    assert_eq!(*address, format!("{device_url}/ManagementServer/MDM.svc"), "E-90");
    let provider = parms.get("PROVIDER-ID").expect("E-84: PROVIDER-ID");
    assert!(provider.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "E-84: {provider:?}");
    let blocks: Vec<&Element> = application.named("characteristic").collect();
    assert!(blocks.iter().all(|b| kind(b) == "APPAUTH") && blocks.len() == 2, "E-85: two APPAUTH blocks");
    let client = app_auth(&blocks, "CLIENT");
    let server = app_auth(&blocks, "APPSRV");
    assert_eq!(value(client.0, "AAUTHTYPE"), Some("DIGEST"), "E-85");
    assert!(matches!(value(server.0, "AAUTHTYPE"), Some("DIGEST" | "BASIC")), "E-85");
    assert!(value(server.0, "AAUTHNAME").is_some_and(|name| !name.is_empty()), "E-85: the device has a name");
    assert_ne!(client.1, server.1, "E-87: two secrets");
    (parms, [client.1, server.1], [client.2, server.2])
}

/// E-85 to E-87: one APPAUTH block, its secret and its nonce.
#[track_caller]
fn app_auth<'a>(blocks: &[&'a Element], level: &str) -> (&'a Element, String, Vec<u8>) {
    let found = blocks.iter().find(|b| value(b, "AAUTHLEVEL") == Some(level));
    let block = *found.unwrap_or_else(|| panic!("E-85: no {level} block"));
    let nonce = value(block, "AAUTHDATA").unwrap_or_else(|| panic!("E-86: no AAUTHDATA in {level}"));
    let nonce = STANDARD.decode(nonce).unwrap_or_else(|e| panic!("E-86: AAUTHDATA {nonce:?} is padded base64: {e}"));
    assert_eq!(nonce.len(), 16, "E-86: 16 bytes in {level}");
    let secret = value(block, "AAUTHSECRET").unwrap_or_else(|| panic!("E-87: no AAUTHSECRET in {level}"));
    let bits = URL_SAFE_NO_PAD.decode(secret.trim_end_matches('=')).map(|bytes| bytes.len() * 8);
    let bits = bits.unwrap_or(secret.len() * 4);
    assert!(bits >= 128, "E-87: {level} has a secret of {bits} bits");
    (block, secret.to_owned(), nonce)
}

/// E-84, E-91: the provider's node.
#[track_caller]
fn check_dm_client<'a>(dm_client: &'a Element, provider_id: &str, expected: &Expected<'_>) -> &'a Element {
    let provider = only(dm_client, "Provider");
    let ids: Vec<&str> = provider.children.iter().map(kind).collect();
    assert_eq!(ids, [provider_id], "E-84: PROVIDER-ID and the provider node are the same, letter case included");
    let node = only(provider, provider_id);
    for name in ["EntDMID", "EntDeviceName"] {
        let parm = parm(node, name).unwrap_or_else(|| panic!("E-91: no {name}"));
        assert_eq!(parm.attribute("datatype"), Some("string"), "E-91: {}", parm.source);
        assert!(parm.attribute("value").is_some_and(|v| !v.is_empty()), "E-91: {}", parm.source);
    }
    assert_eq!(value(node, "EntDeviceName"), Some(expected.device_name), "E-91, E-95");
    assert_eq!(value(node, "UPN"), expected.user, "E-91, E-95");
    node
}

/// E-92: the poll schedule.
#[track_caller]
fn check_poll(poll: &Element) -> HashMap<String, String> {
    let mut all = HashMap::new();
    for parm in poll.named("parm") {
        let name = parm.attribute("name").expect("a parm has a name").to_owned();
        let boolean = matches!(name.as_str(), "PollOnLogin" | "AllUsersPollOnFirstLogin");
        let datatype = if boolean { "boolean" } else { "integer" };
        assert_eq!(parm.attribute("datatype"), Some(datatype), "E-92: {}", parm.source);
        all.insert(name, parm.attribute("value").expect("E-92: a value").to_owned());
    }
    let number = |name: &str| -> u32 {
        let text = all.get(name).unwrap_or_else(|| panic!("E-92: no {name}"));
        text.parse().unwrap_or_else(|_| panic!("E-92: {name} is {text:?}"))
    };
    let first = (number("NumberOfFirstRetries"), number("IntervalForFirstSetOfRetries"));
    let second = (number("NumberOfSecondRetries"), number("IntervalForSecondSetOfRetries"));
    let rest = (number("NumberOfRemainingScheduledRetries"), number("IntervalForRemainingScheduledRetries"));
    assert!(first.0 > 0 && first.1 > 0, "E-92: the first phase ends: {first:?}");
    assert!(second.0 > 0 || second.1 == 0, "E-92: only the last phase is endless: {second:?}");
    assert!(rest.1 > 0, "E-92: there is a last phase: {rest:?}");
    assert_eq!((first, second, rest.0), ((5, 3), (8, 15), 0), "E-92: the schedule of the reference");
    assert!((432..=528).contains(&rest.1) || rest.1 == 1440, "E-92: the last interval is spread: {rest:?}");
    assert_eq!(all.get("PollOnLogin").map(String::as_str), Some("true"), "E-92");
    assert_eq!(all.get("AllUsersPollOnFirstLogin").map(String::as_str), Some("true"), "E-92");
    all
}

fn kind(characteristic: &Element) -> &str {
    characteristic.attribute("type").unwrap_or_default()
}

/// The only characteristic of a type.
#[track_caller]
fn only<'a>(parent: &'a Element, kind_wanted: &str) -> &'a Element {
    let found: Vec<&Element> = parent.named("characteristic").filter(|c| kind(c) == kind_wanted).collect();
    assert_eq!(found.len(), 1, "exactly one characteristic {kind_wanted} in:\n{}", parent.source);
    found[0]
}

fn parm<'a>(parent: &'a Element, name: &str) -> Option<&'a Element> {
    parent.named("parm").find(|p| p.attribute("name") == Some(name))
}

fn value<'a>(parent: &'a Element, name: &str) -> Option<&'a str> {
    parm(parent, name).and_then(|p| p.attribute("value"))
}
