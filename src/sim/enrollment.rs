//! The client side of an enrollment: probe, Discover, sign-in, GetPolicies, RequestSecurityToken, provisioning.

use secrecy::SecretString;
use url::Url;

use super::csr::certificate_request;
use super::device::Device;
use super::key::{DeviceKey, KeyError};
use super::provisioning::{Enrolled, ProvisioningError};
use super::{Request, Response};
use crate::proto::mde2::{AuthPolicy, Discover, DiscoverResponse};
use crate::proto::soap::envelope::{Envelope, Rejected, Rejection, RequestHeader};
use crate::proto::soap::fault::{Fault, ReceivedFault};
use crate::proto::soap::security::{Credential, USER_TOKEN};
use crate::proto::wap::CertificateStore;
use crate::proto::wstep::{ContextItem, PKCS10, RequestSecurityToken, RequestType, decode_response};
use crate::proto::xcep::{GetPolicies, PolicySettings};
use crate::proto::xml::Limits;

/// How a device enrolls.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the discovery service; see [`discovery_url`].
    pub discovery_url: String,
    /// What the user typed.
    pub email: String,
    /// The credential, where it is known before the server says what it wants. Without one a federated server makes
    /// the enrollment ask for a sign-in.
    pub credential: Option<Credential>,
    /// The policies that the device offers.
    pub offers: Vec<AuthPolicy>,
    /// `User` for `EnrollmentType` `Full`, `System` for `Device`.
    pub store: CertificateStore,
    /// Context items in addition to those of every Windows device.
    pub more_context: Vec<ContextItem>,
    /// A key to use in place of a new one, for callers that make keys elsewhere.
    pub key: Option<DeviceKey>,
}

impl Options {
    /// A user who enrolls from Settings with user name and password.
    #[must_use]
    pub fn with_password(discovery_url: &str, email: &str, password: SecretString) -> Self {
        let credential = Credential::Username { username: email.to_owned(), password };
        Self { credential: Some(credential), ..Self::without_credential(discovery_url, email) }
    }

    /// A user who enrolls from Settings and signs in when asked.
    #[must_use]
    pub fn without_credential(discovery_url: &str, email: &str) -> Self {
        Self {
            discovery_url: discovery_url.to_owned(),
            email: email.to_owned(),
            credential: None,
            offers: vec![AuthPolicy::OnPremise, AuthPolicy::Federated],
            store: CertificateStore::User,
            more_context: Vec::new(),
            key: None,
        }
    }
}

/// Where Windows looks for the discovery service of what the user typed: a URL, a host, or an e-mail address.
#[must_use]
pub fn discovery_url(typed: &str) -> String {
    let typed = typed.trim();
    if typed.starts_with("https://") && Url::parse(typed).is_ok_and(|url| url.path() != "/") {
        return typed.to_owned();
    }
    let host = match typed.rsplit_once('@') {
        Some((_, domain)) => format!("EnterpriseEnrollment.{domain}"),
        None => typed.trim_start_matches("https://").trim_end_matches('/').to_owned(),
    };
    format!("https://{host}/EnrollmentServer/Discovery.svc")
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Send this and hand the answer to [`Enrollment::receive`].
    Send(Request),
    /// Let the user sign in at this address, and hand `wresult` to [`Enrollment::signed_in`].
    SignIn(String),
    /// Done.
    Enrolled(Box<Enrolled>),
}

/// Why an enrollment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrollmentError {
    /// HTTP, without a SOAP fault.
    #[error("{0} answered with HTTP status {1}")]
    Http(&'static str, u16),
    /// The server said no.
    #[error("the server refused: {}", .0.reason)]
    Fault(ReceivedFault),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Answer(#[from] Rejection),
    /// The answer has another media type, or relates to another request.
    #[error("the answer is not for this request: {0}")]
    Foreign(&'static str),
    /// The server chose a policy that the device did not offer, or for which there is no credential.
    #[error("the server wants the policy {0}")]
    Policy(String),
    /// The key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The provisioning document is wrong.
    #[error(transparent)]
    Provisioning(#[from] ProvisioningError),
    /// An answer or a sign-in was handed in that nothing waits for.
    #[error("nothing waits for this")]
    Unexpected,
}

impl EnrollmentError {
    /// The error code that Windows reports for it.
    #[must_use]
    pub fn hresult(&self) -> u32 {
        match self {
            Self::Http(_, status) => 0x8019_0000 + u32::from(*status),
            Self::Fault(fault) => fault.hresult(),
            Self::Provisioning(error) => error.hresult(),
            Self::Key(_) => 0x8018_0027,
            Self::Answer(_) | Self::Foreign(_) | Self::Policy(_) => 0x8018_0006,
            Self::Unexpected => 0x8018_0008,
        }
    }
}

/// An enrollment under way.
#[derive(Debug)]
pub struct Enrollment {
    device: Device,
    options: Options,
    state: State,
}

#[derive(Debug)]
enum State {
    Probe,
    Discover,
    SignIn(DiscoverResponse),
    Policies(DiscoverResponse, Credential),
    Token(DeviceKey),
    Over,
}

impl Enrollment {
    /// Begins: the request asks whether someone is there.
    #[must_use]
    pub fn start(device: Device, options: Options) -> (Self, Request) {
        let probe =
            Request { method: "GET", url: options.discovery_url.clone(), headers: headers(false), body: Vec::new() };
        (Self { device, options, state: State::Probe }, probe)
    }

    /// Takes the answer to the request before.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError`] ends the enrollment.
    pub fn receive(&mut self, response: &Response<'_>) -> Result<Step, EnrollmentError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Probe => self.probed(response),
            State::Discover => self.discovered(response),
            State::Policies(answer, credential) => self.received_policy(response, &answer, &credential),
            State::Token(key) => {
                let envelope = read("the enrollment service", response, TOKEN_ID)?;
                let document = decode_response(&envelope)?;
                Ok(Step::Enrolled(Box::new(Enrolled::from_document(&document, key)?)))
            }
            State::SignIn(_) | State::Over => Err(EnrollmentError::Unexpected),
        }
    }

    /// Takes the `wresult` of the sign-in page.
    ///
    /// # Errors
    ///
    /// [`EnrollmentError::Unexpected`] when no sign-in was asked for.
    pub fn signed_in(&mut self, wresult: SecretString) -> Result<Step, EnrollmentError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::SignIn(answer) => {
                let credential = Credential::Token { value_type: USER_TOKEN.to_owned(), token: wresult };
                Ok(self.ask_policies(answer, credential))
            }
            _ => Err(EnrollmentError::Unexpected),
        }
    }

    fn probed(&mut self, response: &Response<'_>) -> Result<Step, EnrollmentError> {
        if response.status != 200 {
            return Err(EnrollmentError::Http("the discovery probe", response.status));
        }
        let profile = self.device.profile;
        let discover = Discover {
            email: self.options.email.clone(),
            request_version: Some(profile.request_version()),
            device_type: Some(DEVICE_TYPE.to_owned()),
            application_version: Some(profile.os_version().to_owned()),
            os_edition: Some(profile.os_edition()),
            os_version: None,
            auth_policies: self.options.offers.clone(),
        };
        let to = with_port(&self.options.discovery_url);
        let header = RequestHeader { message_id: DISCOVER_ID, to: &to, ..RequestHeader::default() };
        self.state = State::Discover;
        Ok(Step::Send(post(&self.options.discovery_url, discover.encode(&header))))
    }

    fn discovered(&mut self, response: &Response<'_>) -> Result<Step, EnrollmentError> {
        let envelope = read("the discovery service", response, DISCOVER_ID)?;
        let answer = DiscoverResponse::decode(&envelope)?;
        let wanted = || EnrollmentError::Policy(answer.auth_policy.as_str().to_owned());
        if !self.options.offers.contains(&answer.auth_policy) {
            return Err(wanted());
        }
        match (&answer.auth_policy, &self.options.credential) {
            (AuthPolicy::OnPremise, Some(credential @ Credential::Username { .. }))
            | (AuthPolicy::Federated, Some(credential @ Credential::Token { .. })) => {
                let credential = credential.clone();
                Ok(self.ask_policies(answer, credential))
            }
            (AuthPolicy::Federated, None) => {
                let page = answer.authentication_url.as_deref().ok_or_else(wanted)?;
                let page = sign_in_url(page, &self.options.email).ok_or_else(wanted)?;
                self.state = State::SignIn(answer);
                Ok(Step::SignIn(page))
            }
            _ => Err(wanted()),
        }
    }

    fn ask_policies(&mut self, answer: DiscoverResponse, credential: Credential) -> Step {
        let header = RequestHeader {
            message_id: POLICIES_ID,
            to: &answer.policy_url,
            credential: Some(&credential),
            created: None,
        };
        let request = post(&answer.policy_url, GetPolicies.encode(&header));
        self.state = State::Policies(answer, credential);
        Step::Send(request)
    }

    fn received_policy(
        &mut self,
        response: &Response<'_>,
        answer: &DiscoverResponse,
        credential: &Credential,
    ) -> Result<Step, EnrollmentError> {
        let envelope = read("the policy service", response, POLICIES_ID)?;
        let policy = PolicySettings::decode(&envelope)?;
        let key = match &self.options.key {
            Some(key) => key.clone(),
            None => DeviceKey::generate(policy.minimal_key_length)?,
        };
        let csr = certificate_request(&self.device, &key);
        let request = RequestSecurityToken::new(RequestType::Issue, PKCS10, csr, self.context());
        let to = answer.enrollment_url.as_str();
        let header = RequestHeader { message_id: TOKEN_ID, to, credential: Some(credential), created: None };
        let request = post(to, request.encode(&header));
        self.state = State::Token(key);
        Ok(Step::Send(request))
    }

    fn context(&self) -> Vec<ContextItem> {
        let (device, profile) = (&self.device, self.device.profile);
        let item = |name: &str, value: &str| ContextItem { name: name.to_owned(), value: value.to_owned() };
        let kind = match self.options.store {
            CertificateStore::User => "Full",
            CertificateStore::System => "Device",
        };
        let mut items = vec![
            item("UXInitiated", "true"),
            item("HWDevID", &device.hardware_id),
            item("Locale", &device.locale),
            item("TargetedUserLoggedIn", "true"),
            item("OSEdition", &profile.os_edition().to_string()),
            item("DeviceName", &device.name),
        ];
        items.extend(device.macs.iter().map(|mac| item("MAC", mac)));
        items.extend([
            item("DeviceID", &device.device_id),
            item("EnrollmentType", kind),
            item("DeviceType", DEVICE_TYPE),
            item("OSVersion", profile.os_version()),
            item("ApplicationVersion", profile.os_version()),
            // Windows 10 says false on a running desktop too.
            item("NotInOobe", "false"),
            item("RequestVersion", &profile.request_version().to_string()),
        ]);
        items.extend(self.options.more_context.iter().cloned());
        items
    }
}

/// Reads an answer, turning faults into errors.
pub(super) fn read(who: &'static str, response: &Response<'_>, request_id: &str) -> Result<Envelope, EnrollmentError> {
    let envelope = Envelope::decode(response.body, &Limits::default());
    if let Some(fault) = envelope.as_ref().ok().and_then(Fault::decode) {
        return Err(EnrollmentError::Fault(fault));
    }
    if response.status != 200 {
        return Err(EnrollmentError::Http(who, response.status));
    }
    if !response.is("application/soap+xml") {
        return Err(EnrollmentError::Foreign("the media type is not that of SOAP"));
    }
    let envelope = envelope.map_err(|Rejected { reason, .. }| reason)?;
    if envelope.relates_to.as_deref() != Some(request_id) {
        return Err(EnrollmentError::Foreign("it relates to another message"));
    }
    Ok(envelope)
}

pub(super) fn post(url: &str, body: Vec<u8>) -> Request {
    Request { method: "POST", url: url.to_owned(), headers: headers(true), body }
}

fn headers(is_soap: bool) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("user-agent", "ENROLLClient".to_owned()),
        ("cache-control", "no-cache".to_owned()),
        ("pragma", "no-cache".to_owned()),
    ];
    if is_soap {
        headers.push(("content-type", "application/soap+xml; charset=utf-8".to_owned()));
    }
    headers
}

/// Windows names the port in `a:To` of Discover even where it is the usual one.
fn with_port(url: &str) -> String {
    let Some(rest) = url.strip_prefix("https://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if host.contains(':') { url.to_owned() } else { format!("https://{host}:443{path}") }
}

fn sign_in_url(page: &str, email: &str) -> Option<String> {
    let mut url = Url::parse(page).ok().filter(|url| url.scheme() == "https")?;
    url.query_pairs_mut()
        .append_pair("appru", "ms-app://windows.immersivecontrolpanel")
        .append_pair("login_hint", email);
    Some(url.into())
}

pub(super) const DEVICE_TYPE: &str = "CIMClient_Windows";
// Every Windows client sends the same three ids.
const DISCOVER_ID: &str = "urn:uuid:748132ec-a575-4329-b01b-6171a9cf8478";
const POLICIES_ID: &str = "urn:uuid:72048B64-0F19-448F-8C2E-B4C661860AA0";
pub(super) const TOKEN_ID: &str = "urn:uuid:0d5a1441-5891-453b-becf-a2e5f6ea3749";

#[cfg(test)]
mod tests;
