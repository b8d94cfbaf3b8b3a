//! The messages of a PC, and what is to be thought of the answers.

use url::Url;

use super::{Problem, Verdict};
use crate::proto::mde2::{AuthPolicy, Discover, DiscoverResponse};
use crate::proto::soap::envelope::{Envelope, RequestHeader};
use crate::proto::soap::security::Credential;
use crate::proto::wstep::{PKCS10, RequestSecurityToken, RequestType};
use crate::proto::xcep::{GetPolicies, PolicySettings};

/// A Discover as Windows 11 sends it.
#[must_use]
pub fn discover(url: &Url, email: &str) -> Vec<u8> {
    let message = Discover {
        email: email.to_owned(),
        request_version: REQUEST_VERSION.parse().ok(),
        device_type: Some("CIMClient_Windows".to_owned()),
        application_version: Some("10.0.22621.3155".to_owned()),
        os_edition: Some(PRO),
        os_version: None,
        auth_policies: OFFERED.to_vec(),
    };
    message.encode(&RequestHeader { message_id: DISCOVER_ID, to: url.as_str(), ..RequestHeader::default() })
}

/// A GetPolicies with a credential.
#[must_use]
pub fn policies(url: &Url, credential: &Credential) -> Vec<u8> {
    let credential = Some(credential);
    GetPolicies.encode(&RequestHeader { message_id: POLICIES_ID, to: url.as_str(), credential, created: None })
}

/// A GetPolicies without one: the fault shows that the service is there.
#[must_use]
pub fn policies_without_credential(url: &Url) -> Vec<u8> {
    GetPolicies.encode(&RequestHeader { message_id: POLICIES_ID, to: url.as_str(), ..RequestHeader::default() })
}

/// A RequestSecurityToken without a credential and without a key: nothing can be enrolled by it.
#[must_use]
pub fn enrollment_without_credential(url: &Url) -> Vec<u8> {
    let request = RequestSecurityToken::new(RequestType::Issue, PKCS10, Vec::new(), Vec::new());
    request.encode(&RequestHeader { message_id: REQUEST_ID, to: url.as_str(), ..RequestHeader::default() })
}

/// Whether a message says of itself that it is one of these. Anybody can say so.
#[must_use]
pub fn is_own(message_id: Option<&str>) -> bool {
    message_id.is_some_and(|id| [DISCOVER_ID, POLICIES_ID, REQUEST_ID].contains(&id))
}

/// Judges a DiscoverResponse; the second holds the addresses of policy and enrollment service.
#[must_use]
pub fn judge_discovery(envelope: &Envelope, url: &str) -> (Vec<Verdict>, Option<(Url, Url)>) {
    let answer = match DiscoverResponse::decode(envelope) {
        Ok(answer) => answer,
        Err(reason) => {
            let problem = Problem::NotSoap { url: url.to_owned(), cause: reason.to_string() };
            return (vec![Verdict::Fault(problem)], None);
        }
    };
    let mut verdicts = Vec::new();
    if !OFFERED.contains(&answer.auth_policy) {
        let policy = answer.auth_policy.as_str().chars().filter(|c| !c.is_control()).take(40).collect();
        verdicts.push(Verdict::Fault(Problem::ForeignPolicy { policy }));
    }
    let mut address = |service, text: &str| {
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some());
        if url.is_none() {
            let address = text.chars().filter(|c| !c.is_control()).take(200).collect();
            verdicts.push(Verdict::Fault(Problem::ServiceAddress { service, address }));
        }
        url
    };
    let policy = address("policy", &answer.policy_url);
    let enrollment = address("enrollment", &answer.enrollment_url);
    if answer.auth_policy == AuthPolicy::Federated {
        address("sign-in", answer.authentication_url.as_deref().unwrap_or_default());
    }
    if let (Some(policy), Some(enrollment)) = (&policy, &enrollment)
        && policy.host() != enrollment.host()
    {
        let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
        let apart = Problem::ServicesApart { policy: host(policy), enrollment: host(enrollment) };
        verdicts.push(Verdict::Warning(apart));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::Good(format!("signs in by {}", answer.auth_policy.as_str())));
    }
    (verdicts, policy.zip(enrollment))
}

/// Judges a GetPoliciesResponse.
#[must_use]
pub fn judge_policies(envelope: &Envelope, url: &str) -> Verdict {
    match PolicySettings::decode(envelope) {
        Ok(policy) if policy.minimal_key_length < SHORTEST_KEY => {
            Verdict::Fault(Problem::ShortKey { bits: policy.minimal_key_length })
        }
        Ok(policy) => Verdict::Good(format!("signed in; keys of {} bits", policy.minimal_key_length)),
        Err(reason) => Verdict::Fault(Problem::NotSoap { url: url.to_owned(), cause: reason.to_string() }),
    }
}

const OFFERED: [AuthPolicy; 2] = [AuthPolicy::OnPremise, AuthPolicy::Federated];
const REQUEST_VERSION: &str = "6.0";
/// `PRODUCT_PROFESSIONAL`.
const PRO: u32 = 48;
const SHORTEST_KEY: u32 = 2048;
// Always the same, as with Windows, and others than there: by them a ledger leaves out what is nobody's attempt.
const DISCOVER_ID: &str = "urn:uuid:5d0c7e52-9a1f-4c83-8f0e-6b9d1e3a7c01";
const REQUEST_ID: &str = "urn:uuid:5d0c7e52-9a1f-4c83-8f0e-6b9d1e3a7c02";
const POLICIES_ID: &str = "urn:uuid:5d0c7e52-9a1f-4c83-8f0e-6b9d1e3a7c03";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::soap::envelope::Rejection;
    use crate::proto::xml::Limits;

    #[test]
    fn a_request_without_a_credential_lacks_nothing_else() {
        let url = Url::parse("https://mdm.fabrikam.test/EnrollmentServer/Enrollment.svc").unwrap();
        let read = Envelope::decode(&enrollment_without_credential(&url), &Limits::default()).unwrap();
        let request = RequestSecurityToken::decode(&read).unwrap();
        assert_eq!((request.request_type, request.token), (RequestType::Issue, None));
        assert!(matches!(read.credential(), Err(Rejection::InvalidSecurity(_))));
    }
}
