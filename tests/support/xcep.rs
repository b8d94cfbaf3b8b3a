//! Checks of a GetPoliciesResponse.

use std::collections::HashSet;

use super::soap::{XCEP, XSI};
use super::tree::Element;

const ATTRIBUTES: [&str; 15] = [
    "commonName",
    "policySchema",
    "certificateValidity",
    "permission",
    "privateKeyAttributes",
    "revision",
    "supersededPolicies",
    "privateKeyFlags",
    "subjectNameFlags",
    "enrollmentFlags",
    "generalFlags",
    "hashAlgorithmOIDReference",
    "rARequirements",
    "keyArchivalAttributes",
    "extensions",
];
const PRIVATE_KEY: [&str; 6] =
    ["minimalKeyLength", "keySpec", "keyUsageProperty", "permissions", "algorithmOIDReference", "cryptoProviders"];
const NIL_BELOW_ATTRIBUTES: [&str; 8] = [
    "supersededPolicies",
    "privateKeyFlags",
    "subjectNameFlags",
    "enrollmentFlags",
    "generalFlags",
    "rARequirements",
    "keyArchivalAttributes",
    "extensions",
];

/// The provider that keeps keys in the TPM.
pub const TPM: &str = "Microsoft Platform Crypto Provider";
/// The provider that keeps keys in software.
pub const SOFTWARE: &str = "Microsoft Software Key Storage Provider";

/// What the device takes from the policy.
#[derive(Debug)]
pub struct Policy {
    pub minimal_key_length: u32,
    pub providers: Vec<String>,
    pub validity_seconds: u64,
    pub renewal_seconds: u64,
}

/// E-34 to E-41 (and the nil rules of the schema), with the providers of the default configuration.
#[track_caller]
pub fn check(answer: &Element) -> Policy {
    let policy = check_form(answer);
    let tpm = policy.providers.iter().position(|p| p == TPM);
    let software = policy.providers.iter().position(|p| p == SOFTWARE);
    assert!(tpm.is_some() && tpm < software, "E-39: the TPM before the software provider: {policy:?}");
    policy
}

/// The same for any list of providers.
#[track_caller]
pub fn check_form(answer: &Element) -> Policy {
    for element in answer.walk() {
        assert_eq!(element.namespace, XCEP, "E-35: {} is in the policy namespace", element.name);
        assert!(!element.name.to_lowercase().contains("attestation"), "E-41: <{}>", element.name);
        assert_ne!(element.name, "OperationTimeout", "E-41");
    }
    assert_eq!(answer.child_names(), ["response", "cAs", "oIDs"], "E-35: {}", answer.source);
    nil(answer, "cAs");
    let response = answer.at("response");
    let order = ["policyID", "policyFriendlyName", "nextUpdateHours", "policiesNotChanged", "policies"];
    assert_eq!(response.child_names(), order, "E-35: {}", response.source);
    nil(response, "nextUpdateHours");
    nil(response, "policiesNotChanged");
    let policy = response.at("policies/policy");
    assert_eq!(policy.child_names(), ["policyOIDReference", "cAs", "attributes"], "E-35: {}", policy.source);
    nil(policy, "cAs");
    let attributes = policy.at("attributes");
    assert_eq!(attributes.child_names(), ATTRIBUTES, "E-35: {}", attributes.source);
    NIL_BELOW_ATTRIBUTES.iter().for_each(|name| nil(attributes, name));
    assert_eq!(attributes.text_at("policySchema"), "3", "E-34");
    assert_eq!(attributes.text_at("permission/enroll"), "true", "the device may enroll");
    assert_eq!(attributes.text_at("permission/autoEnroll"), "false");
    assert_eq!(attributes.at("permission").child_names(), ["enroll", "autoEnroll"], "E-35");
    assert_eq!(attributes.at("revision").child_names(), ["majorRevision", "minorRevision"], "E-35");
    check_oids(answer, policy);
    read_policy(attributes)
}

#[track_caller]
fn read_policy(attributes: &Element) -> Policy {
    let validity = attributes.at("certificateValidity");
    assert_eq!(validity.child_names(), ["validityPeriodSeconds", "renewalPeriodSeconds"], "E-35");
    let key = attributes.at("privateKeyAttributes");
    assert_eq!(key.child_names(), PRIVATE_KEY, "E-35: {}", key.source);
    ["keySpec", "keyUsageProperty", "permissions", "algorithmOIDReference"].iter().for_each(|name| nil(key, name));
    let providers: Vec<String> = key.at("cryptoProviders").named("provider").map(|p| p.text.clone()).collect();
    assert!(!providers.is_empty(), "E-39: at least one provider");
    let number = |e: &Element, name: &str| e.text_at(name).parse::<u64>().unwrap_or_else(|_| panic!("{}", e.source));
    let minimal_key_length = number(key, "minimalKeyLength") as u32;
    assert!(minimal_key_length >= 2048, "E-38: {minimal_key_length}");
    Policy {
        minimal_key_length,
        providers,
        validity_seconds: number(validity, "validityPeriodSeconds"),
        renewal_seconds: number(validity, "renewalPeriodSeconds"),
    }
}

#[track_caller]
fn check_oids(answer: &Element, policy: &Element) {
    let hash = policy.text_at("attributes/hashAlgorithmOIDReference");
    let mut ids = HashSet::new();
    for oid in answer.at("oIDs").named("oID") {
        assert_eq!(oid.child_names(), ["value", "group", "oIDReferenceID", "defaultName"], "E-37: {}", oid.source);
        assert!(!oid.text_at("defaultName").is_empty(), "E-37: {}", oid.source);
        assert!(ids.insert(oid.text_at("oIDReferenceID").to_owned()), "E-37: {}", oid.source);
        if oid.text_at("oIDReferenceID") == hash {
            assert_eq!(oid.text_at("value"), "2.16.840.1.101.3.4.2.1", "E-36: the hash is SHA-256");
            assert_eq!(oid.text_at("group"), "4", "E-36: the group of the specification's example");
        }
    }
    assert!(ids.contains(hash), "E-36: {hash} is no oIDReferenceID of {ids:?}");
    assert!(ids.contains(policy.text_at("policyOIDReference")), "E-36: policyOIDReference refers to an oID");
}

#[track_caller]
fn nil(parent: &Element, name: &str) {
    let element = parent.at(name);
    assert_eq!(element.attribute_in(XSI, "nil"), Some("true"), "E-40: {}", element.source);
    assert!(element.children.is_empty() && element.text.is_empty(), "E-40: {}", element.source);
}
