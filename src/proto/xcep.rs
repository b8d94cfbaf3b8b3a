//! GetPolicies: which key and certificate request the device shall make. [MS-XCEP] 3.1.4.1, as [MS-MDE2] 3.3 uses it.
//!
//! The schema is made of sequences, so the order of the answer is fixed; what the client does not use is `nil`.

use super::soap::at_most_one;
use super::soap::envelope::{Envelope, Rejection, Reply, ReplyHeader, Request, RequestHeader};
use super::soap::fault::Operation;
use super::xml::ns::XCEP;
use super::xml::{Element, XmlWriter};

/// A GetPolicies request. It says nothing beyond the credential in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetPolicies;

impl GetPolicies {
    /// Reads a request; what stands in it (times, TPM makers) is ignored.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] for another message.
    pub fn decode(envelope: &Envelope) -> Result<Self, Rejection> {
        envelope.expect_action(Operation::GetPolicies.request_action())?;
        if envelope.body.is(XCEP, "GetPolicies") {
            Ok(Self)
        } else {
            Err(Rejection::Format("the body is not a GetPolicies request"))
        }
    }

    /// Writes the request as Windows does.
    #[must_use]
    pub fn encode(self, header: &RequestHeader<'_>) -> Vec<u8> {
        let action = Operation::GetPolicies.request_action();
        Request { action, header, schema: true }.encode(|w| {
            w.element("GetPolicies", &[("xmlns", XCEP)], |w| {
                w.element("client", &[], |w| nil(w, &["lastUpdate", "preferredLanguage"]));
                nil(w, &["requestFilter"]);
            });
        })
    }
}

/// The parts of a certificate policy that Windows acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// Name of the policy; shown nowhere.
    pub common_name: String,
    /// Lifetime of the certificate, in seconds.
    pub validity_seconds: u64,
    /// Time before its end at which renewal begins, in seconds; `WSTEP/Renew` of the provisioning document overrides it.
    pub renewal_seconds: u64,
    /// Size of the RSA key, in bits.
    pub minimal_key_length: u32,
    /// Offer software keys only: for virtual machines, and for devices with a broken TPM.
    pub software_keys_only: bool,
}

impl PolicySettings {
    /// Writes the answer.
    #[must_use]
    pub fn encode(&self, header: &ReplyHeader<'_>) -> Vec<u8> {
        let action = Operation::GetPolicies.response_action();
        Reply { action, header, schema: true, created: None }.encode(|w| {
            w.element("GetPoliciesResponse", &[("xmlns", XCEP)], |w| {
                w.element("response", &[], |w| self.response(w));
                nil(w, &["cAs"]);
                w.element("oIDs", &[], hash_oid);
            });
        })
    }

    fn response(&self, w: &mut XmlWriter) {
        w.empty("policyID", &[]);
        nil(w, &["policyFriendlyName", "nextUpdateHours", "policiesNotChanged"]);
        w.element("policies", &[], |w| {
            w.element("policy", &[], |w| {
                w.leaf("policyOIDReference", &[], HASH_REFERENCE);
                nil(w, &["cAs"]);
                w.element("attributes", &[], |w| self.attributes(w));
            });
        });
    }

    fn attributes(&self, w: &mut XmlWriter) {
        w.leaf("commonName", &[], &self.common_name);
        w.leaf("policySchema", &[], "3");
        w.element("certificateValidity", &[], |w| {
            w.leaf("validityPeriodSeconds", &[], &self.validity_seconds.to_string());
            w.leaf("renewalPeriodSeconds", &[], &self.renewal_seconds.to_string());
        });
        w.element("permission", &[], |w| {
            w.leaf("enroll", &[], "true");
            w.leaf("autoEnroll", &[], "false");
        });
        w.element("privateKeyAttributes", &[], |w| self.private_key(w));
        w.element("revision", &[], |w| {
            w.leaf("majorRevision", &[], "101");
            w.leaf("minorRevision", &[], "0");
        });
        nil(w, &["supersededPolicies", "privateKeyFlags", "subjectNameFlags", "enrollmentFlags", "generalFlags"]);
        w.leaf("hashAlgorithmOIDReference", &[], HASH_REFERENCE);
        nil(w, &["rARequirements", "keyArchivalAttributes", "extensions"]);
    }

    fn private_key(&self, w: &mut XmlWriter) {
        w.leaf("minimalKeyLength", &[], &self.minimal_key_length.to_string());
        nil(w, &["keySpec", "keyUsageProperty", "permissions", "algorithmOIDReference"]);
        w.element("cryptoProviders", &[], |w| {
            if !self.software_keys_only {
                w.leaf("provider", &[], TPM_PROVIDER);
            }
            w.leaf("provider", &[], SOFTWARE_PROVIDER);
        });
    }

    /// Reads the answer, as a device does.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] for another message, one without a key length, and one whose hash algorithm does not
    /// resolve.
    pub fn decode(envelope: &Envelope) -> Result<Self, Rejection> {
        envelope.expect_action(Operation::GetPolicies.response_action())?;
        let attributes = find(&envelope.body, &["response", "policies", "policy", "attributes"])?;
        let number = |path: &[&str]| find(attributes, path).ok().and_then(|e| e.trimmed().parse::<u64>().ok());
        let key_length = number(&["privateKeyAttributes", "minimalKeyLength"]).and_then(|n| n.try_into().ok());
        let hash = find(attributes, &["hashAlgorithmOIDReference"])?.trimmed();
        if !find(&envelope.body, &["oIDs"])?.elements().any(|oid| is_reference(oid, &hash)) {
            return Err(Rejection::Format("the hash algorithm is not among the object identifiers"));
        }
        let providers = find(attributes, &["privateKeyAttributes", "cryptoProviders"])?;
        Ok(Self {
            common_name: find(attributes, &["commonName"]).map(Element::trimmed).unwrap_or_default(),
            validity_seconds: number(&["certificateValidity", "validityPeriodSeconds"]).unwrap_or_default(),
            renewal_seconds: number(&["certificateValidity", "renewalPeriodSeconds"]).unwrap_or_default(),
            minimal_key_length: key_length.ok_or(Rejection::Format("the policy has no key length"))?,
            software_keys_only: !providers.elements().any(|provider| provider.trimmed() == TPM_PROVIDER),
        })
    }
}

fn hash_oid(w: &mut XmlWriter) {
    w.element("oID", &[], |w| {
        w.leaf("value", &[], "2.16.840.1.101.3.4.2.1");
        w.leaf("group", &[], "4");
        w.leaf("oIDReferenceID", &[], HASH_REFERENCE);
        w.leaf("defaultName", &[], "szOID_NIST_sha256");
    });
}

fn is_reference(oid: &Element, id: &str) -> bool {
    oid.child(XCEP, "oIDReferenceID").is_some_and(|reference| reference.trimmed() == id)
}

fn nil(w: &mut XmlWriter, names: &[&str]) {
    for name in names {
        w.empty(name, &[("xsi:nil", "true")]);
    }
}

fn find<'e>(element: &'e Element, path: &[&str]) -> Result<&'e Element, Rejection> {
    path.iter().try_fold(element, |at, name| {
        at_most_one(at, &[XCEP], name)?.ok_or(Rejection::Format("the policy answer is incomplete"))
    })
}

/// The `oIDReferenceID` of the only object identifier.
const HASH_REFERENCE: &str = "0";
const TPM_PROVIDER: &str = "Microsoft Platform Crypto Provider";
const SOFTWARE_PROVIDER: &str = "Microsoft Software Key Storage Provider";

#[cfg(test)]
mod tests;
