//! Discovery: what a device tells before it enrolls, and which service it is sent to. [MS-MDE2] 3.1.

mod edition;
mod version;

pub use edition::os_edition_name;
pub use version::{InvalidVersion, Version, negotiate};

use super::soap::at_most_one;
use super::soap::envelope::{Envelope, Rejection, Reply, ReplyHeader, Request, RequestHeader};
use super::soap::fault::Operation;
use super::xml::ns::{DISCOVERY, XSI};
use super::xml::{Element, XmlWriter};

/// How the user of an enrollment proves who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthPolicy {
    /// User name and password, asked for by Windows itself.
    OnPremise,
    /// A web page of the server, or an Entra ID token.
    Federated,
    /// A client certificate that a provisioning package installed.
    Certificate,
    /// Something newer.
    Unknown(String),
}

impl AuthPolicy {
    /// The wire spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::OnPremise => "OnPremise",
            Self::Federated => "Federated",
            Self::Certificate => "Certificate",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for AuthPolicy {
    fn from(text: &str) -> Self {
        let known = [Self::OnPremise, Self::Federated, Self::Certificate];
        let found = known.into_iter().find(|policy| policy.as_str().eq_ignore_ascii_case(text.trim()));
        found.unwrap_or_else(|| Self::Unknown(text.trim().to_owned()))
    }
}

/// A Discover request. Nothing in it is checked for its form: real clients send empty and odd values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discover {
    /// What the user typed: an address, `DOMAIN\user`, or nothing.
    pub email: String,
    /// The highest version the client speaks; `None` when absent or unreadable.
    pub request_version: Option<Version>,
    /// `CIMClient_Windows`, `WindowsPhone`, …
    pub device_type: Option<String>,
    /// Version of the operating system, as the client's program sees it; not always the true one.
    pub application_version: Option<String>,
    /// Number of the Windows edition, see [`os_edition_name`].
    pub os_edition: Option<u32>,
    /// Version of the operating system, sent by a few clients only.
    pub os_version: Option<String>,
    /// What the client can do; empty when it does not say.
    pub auth_policies: Vec<AuthPolicy>,
}

impl Discover {
    /// Reads a request; unknown elements are ignored, and so is their order.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] for another message, and when a known element stands twice.
    pub fn decode(envelope: &Envelope) -> Result<Self, Rejection> {
        envelope.expect_action(Operation::Discover.request_action())?;
        let request = inside(&envelope.body, "Discover", "request")?;
        let text = |name| at_most_one(request, &NAMESPACES, name).map(|e| e.map(Element::trimmed));
        let filled = |name| text(name).map(|text| text.filter(|text| !text.is_empty()));
        let policies = at_most_one(request, &NAMESPACES, "AuthPolicies")?;
        Ok(Self {
            email: text("EmailAddress")?.unwrap_or_default(),
            request_version: text("RequestVersion")?.and_then(|text| text.parse().ok()),
            device_type: filled("DeviceType")?,
            application_version: filled("ApplicationVersion")?,
            os_edition: text("OSEdition")?.and_then(|text| text.parse().ok()),
            os_version: filled("OSVersion")?,
            auth_policies: policies.map(auth_policies).unwrap_or_default(),
        })
    }

    /// Writes the request as Windows does.
    #[must_use]
    pub fn encode(&self, header: &RequestHeader<'_>) -> Vec<u8> {
        let request = Request { action: Operation::Discover.request_action(), header, schema: false };
        request.encode(|w| {
            w.element("Discover", &[("xmlns", DISCOVERY)], |w| {
                w.element("request", &[("xmlns:i", XSI)], |w| self.children(w));
            });
        })
    }

    fn children(&self, w: &mut XmlWriter) {
        w.leaf("EmailAddress", &[], &self.email);
        let version = self.request_version.map(|version| version.to_string());
        let edition = self.os_edition.map(|edition| edition.to_string());
        optional(w, "RequestVersion", version.as_deref());
        optional(w, "DeviceType", self.device_type.as_deref());
        optional(w, "ApplicationVersion", self.application_version.as_deref());
        optional(w, "OSEdition", edition.as_deref());
        optional(w, "OSVersion", self.os_version.as_deref());
        if !self.auth_policies.is_empty() {
            w.element("AuthPolicies", &[], |w| {
                for policy in &self.auth_policies {
                    w.leaf("AuthPolicy", &[], policy.as_str());
                }
            });
        }
    }
}

/// Where the device goes next and how its user signs in. All URLs are absolute and https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoverResponse {
    /// One of the policies the client offered.
    pub auth_policy: AuthPolicy,
    /// See [`negotiate`].
    pub enrollment_version: Option<Version>,
    /// Address of the policy service.
    pub policy_url: String,
    /// Address of the enrollment service.
    pub enrollment_url: String,
    /// Address of the sign-in page; with [`AuthPolicy::Federated`] only.
    pub authentication_url: Option<String>,
}

impl DiscoverResponse {
    /// Writes the answer.
    #[must_use]
    pub fn encode(&self, header: &ReplyHeader<'_>) -> Vec<u8> {
        let action = Operation::Discover.response_action();
        Reply { action, header, schema: true, created: None }.encode(|w| {
            w.element("DiscoverResponse", &[("xmlns", DISCOVERY)], |w| {
                w.element("DiscoverResult", &[], |w| self.children(w));
            });
        })
    }

    fn children(&self, w: &mut XmlWriter) {
        let version = self.enrollment_version.map(|version| version.to_string());
        w.leaf("AuthPolicy", &[], self.auth_policy.as_str());
        optional(w, "EnrollmentVersion", version.as_deref());
        w.leaf("EnrollmentPolicyServiceUrl", &[], &self.policy_url);
        w.leaf("EnrollmentServiceUrl", &[], &self.enrollment_url);
        optional(w, "AuthenticationServiceUrl", self.authentication_url.as_deref());
    }

    /// Reads the answer, as a device does.
    ///
    /// # Errors
    ///
    /// [`Rejection::Format`] for another message, or one without policy and addresses.
    pub fn decode(envelope: &Envelope) -> Result<Self, Rejection> {
        envelope.expect_action(Operation::Discover.response_action())?;
        let result = inside(&envelope.body, "DiscoverResponse", "DiscoverResult")?;
        let text = |name| at_most_one(result, &NAMESPACES, name).map(|e| e.map(Element::trimmed));
        let needed = |name| text(name)?.ok_or(Rejection::Format("the discovery answer is incomplete"));
        Ok(Self {
            auth_policy: AuthPolicy::from(needed("AuthPolicy")?.as_str()),
            enrollment_version: text("EnrollmentVersion")?.and_then(|text| text.parse().ok()),
            policy_url: needed("EnrollmentPolicyServiceUrl")?,
            enrollment_url: needed("EnrollmentServiceUrl")?,
            authentication_url: text("AuthenticationServiceUrl")?,
        })
    }
}

fn inside<'e>(body: &'e Element, outer: &str, inner: &str) -> Result<&'e Element, Rejection> {
    if body.local != outer || !NAMESPACES.contains(&body.ns.as_str()) {
        return Err(Rejection::Format("the body is not a discovery message"));
    }
    at_most_one(body, &NAMESPACES, inner)?.ok_or(Rejection::Format("the discovery message is empty"))
}

/// The list is made of elements; some clients put bare words into it.
fn auth_policies(list: &Element) -> Vec<AuthPolicy> {
    if list.has_elements() {
        list.elements().filter(|e| e.local == "AuthPolicy").map(|e| AuthPolicy::from(&*e.text())).collect()
    } else {
        list.text().split([' ', '\t', '\r', '\n', ',', ';']).filter(|word| !word.is_empty()).map(Into::into).collect()
    }
}

fn optional(w: &mut XmlWriter, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        w.leaf(name, &[], text);
    }
}

/// Printed samples end the namespace name with a slash; real devices do not.
const NAMESPACES: [&str; 2] = [DISCOVERY, "http://schemas.microsoft.com/windows/management/2012/01/enrollment/"];

#[cfg(test)]
mod tests;
