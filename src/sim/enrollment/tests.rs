use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, SubjectPublicKeyInfo};
use time::macros::datetime;
use uuid::Uuid;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::super::Profile;
use super::*;
use crate::proto::mde2::{Version, negotiate};
use crate::proto::soap::envelope::ReplyHeader;
use crate::proto::soap::fault::{ErrorType, Operation, Subcode};
use crate::proto::wap::{Application, DmClient, Poll, ProvisioningDocument, Renewal};
use crate::proto::wstep::encode_response;

const DISCOVERY: &str = "https://EnterpriseEnrollment.harbor.example/EnrollmentServer/Discovery.svc";

/// A server that says yes, with a CA of two levels.
struct Server {
    root: Certificate,
    issuing: Certificate,
    issuer: Issuer<'static, KeyPair>,
    auth_policy: AuthPolicy,
}

impl Server {
    fn new(auth_policy: AuthPolicy) -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let root_key = KeyPair::generate().unwrap();
        let root = ca("Root").self_signed(&root_key).unwrap();
        let issuing_key = KeyPair::generate().unwrap();
        let params = ca("Issuing");
        let issuing = params.signed_by(&issuing_key, &Issuer::new(ca("Root"), root_key)).unwrap();
        Self { root, issuing, issuer: Issuer::new(params, issuing_key), auth_policy }
    }

    fn discover(&self, request: &Envelope) -> Vec<u8> {
        let discover = Discover::decode(request).unwrap();
        let federated = self.auth_policy == AuthPolicy::Federated;
        let answer = DiscoverResponse {
            auth_policy: self.auth_policy.clone(),
            enrollment_version: negotiate(Version::new(4), discover.request_version),
            policy_url: "https://mdm.harbor.example/Policy.svc".to_owned(),
            enrollment_url: "https://mdm.harbor.example/Enrollment.svc".to_owned(),
            authentication_url: federated.then(|| "https://mdm.harbor.example/Auth/7f".to_owned()),
        };
        answer.encode(&header(request))
    }

    fn policies(request: &Envelope) -> Vec<u8> {
        GetPolicies::decode(request).unwrap();
        let settings = PolicySettings {
            common_name: "device".to_owned(),
            validity_seconds: 31_536_000,
            renewal_seconds: 3_628_800,
            minimal_key_length: 2048,
            software_keys_only: false,
        };
        settings.encode(&header(request))
    }

    fn document(&self, request: &Envelope) -> ProvisioningDocument {
        let request = RequestSecurityToken::decode(request).unwrap();
        let der = request.token.as_ref().unwrap().bytes.clone().unwrap();
        let (_, csr) = X509CertificationRequest::from_der(&der).unwrap();
        csr.verify_signature().unwrap();
        let spki = SubjectPublicKeyInfo::from_der(csr.certification_request_info.subject_pki.raw).unwrap();
        let device = CertificateParams::new(vec![]).unwrap().signed_by(&spki, &self.issuer).unwrap();
        let full = request.item("EnrollmentType") == Some("Full");
        ProvisioningDocument {
            root_ca: self.root.der().to_vec(),
            issuing_ca: self.issuing.der().to_vec(),
            device_certificate: device.der().to_vec(),
            store: if full { CertificateStore::User } else { CertificateStore::System },
            renewal: Renewal { period_days: 42, retry_days: 4, server_url: None },
            application: Application {
                provider_id: "Muster".to_owned(),
                name: "Harbor".to_owned(),
                addr: "https://dm.harbor.example/MDM.svc".to_owned(),
                user_name: "enrollment-1".to_owned(),
                server_secret: "s".into(),
                server_nonce: [1; 16],
                client_secret: "c".into(),
                client_nonce: [2; 16],
            },
            dm_client: DmClient {
                device_name: None,
                ent_dm_id: "enrollment-1".to_owned(),
                upn: Some("nora@harbor.example".to_owned()),
                signs_messages: false,
                poll: Poll::default(),
            },
        }
    }
}

fn header(request: &Envelope) -> ReplyHeader<'_> {
    ReplyHeader { relates_to: request.message_id.as_deref(), activity_id: Uuid::nil() }
}

fn soap(status: u16, body: &[u8]) -> Response<'_> {
    Response { status, content_type: Some("application/soap+xml; charset=utf-8"), body }
}

fn decode(request: &Request) -> Envelope {
    assert_eq!(request.method, "POST");
    Envelope::decode(&request.body, &Limits::default()).unwrap()
}

fn sent(step: Step) -> Request {
    match step {
        Step::Send(request) => request,
        other => panic!("{other:?}"),
    }
}

/// Up to and with the answer to Discover.
fn discovered(server: &Server, options: Options) -> (Enrollment, Result<Step, EnrollmentError>) {
    let (mut enrollment, probe) = Enrollment::start(Device::new(Profile::Windows11, "a"), options);
    assert_eq!((probe.method, probe.url.as_str(), probe.body.len()), ("GET", DISCOVERY, 0));
    let discover = sent(enrollment.receive(&soap(200, b"")).unwrap());
    let answer = server.discover(&decode(&discover));
    let step = enrollment.receive(&soap(200, &answer));
    (enrollment, step)
}

/// From GetPolicies on, the document changed by `change`.
fn finish(
    server: &Server,
    mut enrollment: Enrollment,
    policies: &Request,
    change: impl FnOnce(&mut ProvisioningDocument),
) -> Result<Step, EnrollmentError> {
    let answer = Server::policies(&decode(policies));
    let token = sent(enrollment.receive(&soap(200, &answer)).unwrap());
    let envelope = decode(&token);
    let mut document = server.document(&envelope);
    change(&mut document);
    let now = datetime!(2026-05-04 09:30 UTC);
    enrollment.receive(&soap(200, &encode_response(&document.encode(), now, &header(&envelope))))
}

fn password() -> Options {
    Options::with_password(DISCOVERY, "nora@harbor.example", "Tide & Moor".into())
}

fn enrolled(step: Step) -> Enrolled {
    match step {
        Step::Enrolled(enrolled) => *enrolled,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_enrolls_with_a_password() {
    let server = Server::new(AuthPolicy::OnPremise);
    let (enrollment, step) = discovered(&server, password());
    let policies = sent(step.unwrap());
    assert_eq!(policies.url, "https://mdm.harbor.example/Policy.svc");
    assert!(matches!(decode(&policies).credential(), Ok(Credential::Username { .. })));
    let enrolled = enrolled(finish(&server, enrollment, &policies, |_| {}).unwrap());
    assert_eq!(enrolled.account.addr, "https://dm.harbor.example/MDM.svc");
    assert_eq!(enrolled.account.server_nonce, [1; 16]);
    assert_eq!(enrolled.account.poll.unwrap().relaxed.minutes.get(), 480);
    assert_eq!(enrolled.store, CertificateStore::User);
    assert_eq!(enrolled.chain().len(), 2);
    assert_eq!(DeviceKey::from_pkcs8(&enrolled.key.pkcs8()).unwrap().public_key(), enrolled.key.public_key());
}

#[test]
fn a_user_enrolls_by_signing_in() {
    let server = Server::new(AuthPolicy::Federated);
    let options = Options::without_credential(DISCOVERY, "nora+1@harbor.example");
    let (mut enrollment, step) = discovered(&server, Options { store: CertificateStore::System, ..options });
    let Step::SignIn(page) = step.unwrap() else { panic!("no sign-in") };
    let query = "appru=ms-app%3A%2F%2Fwindows.immersivecontrolpanel&login_hint=nora%2B1%40harbor.example";
    assert_eq!(page, format!("https://mdm.harbor.example/Auth/7f?{query}"));
    let policies = sent(enrollment.signed_in("a.b".into()).unwrap());
    let Credential::Token { value_type, .. } = decode(&policies).credential().unwrap() else { panic!("no token") };
    assert_eq!(value_type, USER_TOKEN);
    let enrolled = enrolled(finish(&server, enrollment, &policies, |_| {}).unwrap());
    assert_eq!(enrolled.store, CertificateStore::System);
}

#[test]
fn documents_that_windows_would_refuse_are_refused() {
    let server = Server::new(AuthPolicy::OnPremise);
    let key = DeviceKey::generate(2048).unwrap();
    type Change = fn(&mut ProvisioningDocument);
    let cases: [(&str, u32, Change); 4] = [
        ("another key", 0x8018_001E, |d| d.device_certificate.clone_from(&d.issuing_ca)),
        ("no chain", 0x8018_001E, |d| d.issuing_ca.clone_from(&d.root_ca)),
        ("no certificate", 0x8018_001E, |d| d.root_ca = vec![1, 2, 3]),
        ("plain address", 0x8018_001F, |d| d.application.addr = "http://dm.harbor.example/".to_owned()),
    ];
    for (name, hresult, change) in cases {
        let (enrollment, step) = discovered(&server, Options { key: Some(key.clone()), ..password() });
        let error = finish(&server, enrollment, &sent(step.unwrap()), change).unwrap_err();
        assert_eq!(error.hresult(), hresult, "{name}: {error}");
    }
}

#[test]
fn a_changed_document_is_refused() {
    let server = Server::new(AuthPolicy::OnPremise);
    let key = DeviceKey::generate(2048).unwrap();
    let (mut enrollment, step) = discovered(&server, Options { key: Some(key.clone()), ..password() });
    let policies = sent(step.unwrap());
    let answer = Server::policies(&decode(&policies));
    let token = decode(&sent(enrollment.receive(&soap(200, &answer)).unwrap()));
    let text = String::from_utf8(server.document(&token).encode()).unwrap();
    let issuing = crate::proto::wap::thumbprint(server.issuing.der());
    let application = &text[text.find("<characteristic type=\"APPLICATION\"").unwrap()
        ..text.find("<characteristic type=\"DMClient\"").unwrap()];
    let cases = [
        ("thumbprint", text.replace(&issuing, &issuing.to_lowercase())),
        (
            "order",
            format!(
                "{}{application}</wap-provisioningdoc>",
                text.replace(application, "").replace("</wap-provisioningdoc>", "")
            ),
        ),
        ("stores", text.replacen("\"Root\"", "\"Later\"", 1)),
        ("container", text.replace("<characteristic type=\"PrivateKeyContainer\"/>", "")),
        ("nonce", text.replace("AAUTHDATA", "aauthdata")),
        ("one block", text.replace("\"CLIENT\"", "\"client\"")),
        (
            "extra",
            text.replace(
                "<characteristic type=\"APPLICATION\"",
                "<characteristic type=\"RootCATrustedCertificates\"/><characteristic type=\"APPLICATION\"",
            ),
        ),
        ("provider", text.replace("\"PROVIDER-ID\" value=\"Muster\"", "\"PROVIDER-ID\" value=\"muster\"")),
    ];
    Enrolled::from_document(text.as_bytes(), key.clone()).unwrap();
    for (name, changed) in cases {
        assert_ne!(changed, text, "{name}");
        let error = Enrolled::from_document(changed.as_bytes(), key.clone()).unwrap_err();
        assert!((0x8018_001E..=0x8018_0021).contains(&error.hresult()), "{name}: {error}");
    }
}

#[test]
fn refusals_are_reported_as_windows_reports_them() {
    let server = Server::new(AuthPolicy::OnPremise);
    let (mut enrollment, step) = discovered(&server, password());
    let request = decode(&sent(step.unwrap()));
    let fault = Fault { subcode: Subcode::Authentication, error_type: None, reason: "no".to_owned() };
    let error = enrollment.receive(&soap(500, &fault.encode(Operation::GetPolicies, &header(&request)))).unwrap_err();
    assert_eq!(error.hresult(), 0x8018_0002);
    assert!(matches!(enrollment.receive(&soap(200, b"")), Err(EnrollmentError::Unexpected)), "it is over");

    let cap = Some(ErrorType::DeviceCapReached);
    let fault = Fault { subcode: Subcode::Authorization, error_type: cap, reason: "no".to_owned() };
    let (mut enrollment, _) = discovered(&server, password());
    let error = enrollment.receive(&soap(500, &fault.encode(Operation::GetPolicies, &header(&request)))).unwrap_err();
    assert_eq!(error.hresult(), 0x8018_0013);
    let (mut enrollment, _) = discovered(&server, password());
    assert_eq!(enrollment.receive(&soap(403, b"")).unwrap_err().hresult(), 0x8019_0193);
}

#[test]
fn answers_that_are_not_for_us_are_refused() {
    let server = Server::new(AuthPolicy::OnPremise);
    let (mut enrollment, step) = discovered(&server, password());
    let mut request = decode(&sent(step.unwrap()));
    request.message_id = Some("urn:uuid:other".to_owned());
    let answer = Server::policies(&request);
    assert!(matches!(enrollment.receive(&soap(200, &answer)), Err(EnrollmentError::Foreign(_))));

    let (mut enrollment, step) = discovered(&server, password());
    let answer = Server::policies(&decode(&sent(step.unwrap())));
    let plain = Response { content_type: Some("text/html"), ..soap(200, &answer) };
    assert!(matches!(enrollment.receive(&plain), Err(EnrollmentError::Foreign(_))));

    let (_, step) = discovered(&Server::new(AuthPolicy::Certificate), password());
    assert!(matches!(step, Err(EnrollmentError::Policy(policy)) if policy == "Certificate"));
    let (_, step) = discovered(&Server::new(AuthPolicy::Federated), password());
    assert!(matches!(step, Err(EnrollmentError::Policy(policy)) if policy == "Federated"));
}

#[test]
fn the_discovery_service_is_found() {
    let cases = [
        ("nora@harbor.example", DISCOVERY),
        ("mdm.harbor.example", "https://mdm.harbor.example/EnrollmentServer/Discovery.svc"),
        ("https://mdm.harbor.example:8443/", "https://mdm.harbor.example:8443/EnrollmentServer/Discovery.svc"),
        ("https://mdm.harbor.example/a/Discovery.svc", "https://mdm.harbor.example/a/Discovery.svc"),
    ];
    for (typed, url) in cases {
        assert_eq!(discovery_url(typed), url);
    }
    assert_eq!(with_port("https://a.example/x"), "https://a.example:443/x");
    assert_eq!(with_port("https://a.example:8443/x"), "https://a.example:8443/x");
}
