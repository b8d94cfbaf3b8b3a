use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SubjectPublicKeyInfo};
use time::macros::datetime;
use uuid::Uuid;
use x509_parser::certification_request::X509CertificationRequest;

use super::super::provisioning::{Account, Enrolled};
use super::super::{Device, Effect, Profile, SessionError};
use super::*;
use crate::proto::soap::envelope::{Envelope, ReplyHeader};
use crate::proto::soap::fault::{ErrorType, Fault, Operation, Subcode};
use crate::proto::wap::{Renewal, RenewalDocument};
use crate::proto::wstep::encode_response;
use crate::proto::xml::Limits;

const BEGIN: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const SOAP: Option<&str> = Some("application/soap+xml; charset=utf-8");

struct Ca {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Issuing");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, key: &DeviceKey, begin: OffsetDateTime) -> Vec<u8> {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (begin, begin + Duration::days(365));
        let spki = SubjectPublicKeyInfo::from_der(&key.public_key()).unwrap();
        params.signed_by(&spki, &self.issuer).unwrap().der().to_vec()
    }

    fn device(&self) -> Managed {
        let key = DeviceKey::generate(2048).unwrap();
        let enrolled = Enrolled {
            certificate: self.issue(&key, BEGIN),
            issuing_ca: Some(self.der.clone()),
            root_ca: None,
            store: CertificateStore::System,
            key,
            renewal: Some(Renewal {
                period_days: 40,
                retry_days: 4,
                server_url: Some("https://dm.harbor.example/Renew.svc".to_owned()),
            }),
            account: Account {
                provider_id: "Muster".to_owned(),
                name: "Harbor".to_owned(),
                addr: "https://dm.harbor.example/MDM.svc".to_owned(),
                user_name: "enrollment-1".to_owned(),
                server_secret: "s".into(),
                server_nonce: vec![1],
                client_secret: "c".into(),
                ent_dm_id: None,
                upn: Some("nora@harbor.example".to_owned()),
                device_name: None,
                poll: None,
            },
        };
        Managed::new(Device::new(Profile::Windows11, "a"), enrolled)
    }
}

fn envelope(request: &Request) -> Envelope {
    Envelope::decode(&request.body, &Limits::default()).unwrap()
}

/// The answer to a renewal with that certificate.
fn answer(request: &Request, certificate: Vec<u8>, store: CertificateStore) -> Vec<u8> {
    let document = RenewalDocument { device_certificate: certificate, store, provider_id: "Muster".to_owned() };
    let envelope = envelope(request);
    let header = ReplyHeader { relates_to: envelope.message_id.as_deref(), activity_id: Uuid::nil() };
    encode_response(&document.encode(), BEGIN, &header)
}

fn take(device: &mut Managed, body: &[u8]) -> Result<(), EnrollmentError> {
    device.take_renewal(&Response { status: 200, content_type: SOAP, body })
}

fn status(device: &Managed) -> (&str, &str) {
    let value = |name: &str| device.tree().value(&format!("{NODE}/Renew/{name}")).unwrap();
    (value("Status"), value("ErrorCode"))
}

#[test]
fn it_wants_to_renew_from_its_window_to_its_end() {
    let mut device = Ca::new().device();
    let end = BEGIN + Duration::days(365);
    assert_eq!(device.renews_from(), Some(end - Duration::days(40)));
    let wants = |device: &Managed, before_end: i64| device.wants_renewal(end - Duration::days(before_end));
    assert!(!wants(&device, 41) && wants(&device, 40) && wants(&device, 0) && !wants(&device, -1));
    device.start_renewal(DeviceKey::generate(2048).unwrap(), end - Duration::days(40)).unwrap();
    assert!(!wants(&device, 40), "one is under way");
    device.renewal_failed(0x8019_0193);
    assert_eq!(status(&device), ("3", "-2145844845"));
    assert!(!wants(&device, 37) && wants(&device, 36), "it tries again after four days");
    device.renewal.asked = true;
    assert!(wants(&device, 300), "the server asked for it");
}

#[test]
fn the_request_is_signed_by_the_key_in_use_for_a_new_one() {
    let mut device = Ca::new().device();
    let next = DeviceKey::generate(2048).unwrap();
    let request = device.start_renewal(next.clone(), BEGIN).unwrap();
    assert_eq!(request.url, "https://dm.harbor.example/Renew.svc");
    let envelope = envelope(&request);
    let Ok(Credential::Username { username, .. }) = envelope.credential() else { panic!("no user name") };
    assert_eq!(username, "nora@harbor.example");
    let token = RequestSecurityToken::decode(&envelope).unwrap();
    assert_eq!((&token.request_type, token.item("EnrollmentType")), (&RequestType::Renew, Some("Device")));
    assert_eq!(token.item("HWDevID"), Some(device.device().hardware_id.as_str()));
    let cms = token.token.filter(|token| token.is_pkcs7()).unwrap().bytes.unwrap();
    let at = cms.windows(4).skip(20).position(|bytes| bytes[..2] == [0x04, 0x82]).unwrap() + 20;
    let length = usize::from(u16::from_be_bytes([cms[at + 2], cms[at + 3]]));
    let csr = &cms[at + 4..at + 4 + length];
    let (_, parsed) = X509CertificationRequest::from_der(csr).unwrap();
    assert_eq!(parsed.certification_request_info.subject_pki.raw, next.public_key());
    assert!(cms.ends_with(&device.enrolled().key.sign(csr)));
}

#[test]
fn the_certificate_before_is_kept_until_a_session_is_answered() {
    let ca = Ca::new();
    for is_good in [true, false] {
        let mut device = ca.device();
        let (former, next) = (device.enrolled().certificate.clone(), DeviceKey::generate(2048).unwrap());
        let request = device.start_renewal(next.clone(), BEGIN).unwrap();
        let issued = ca.issue(&next, BEGIN + Duration::days(300));
        take(&mut device, &answer(&request, issued.clone(), CertificateStore::System)).unwrap();
        assert_eq!(device.enrolled().certificate, issued);
        assert_eq!(device.enrolled().key.public_key(), next.public_key());
        assert_eq!(status(&device), ("2", "0"));
        assert_eq!(device.tree().value(&format!("{NODE}/CertThumprint")), Some(thumbprint(&issued).as_str()));
        assert_eq!(device.log().last(), Some(&Event::Renewed(thumbprint(&issued))));
        device.start_session().unwrap();
        let response = Response { status: if is_good { 200 } else { 403 }, content_type: None, body: b"" };
        let refused = device.receive(&response).is_err_and(|error| error == SessionError::Http(403));
        assert_eq!(refused, !is_good);
        let kept = if is_good { &issued } else { &former };
        assert_eq!(&device.enrolled().certificate, kept);
        assert!(!device.fall_back(), "there is none before any more");
    }
}

#[test]
fn answers_that_windows_would_not_take_change_nothing() {
    let ca = Ca::new();
    let (next, other) = (DeviceKey::generate(2048).unwrap(), DeviceKey::generate(2048).unwrap());
    let good = ca.issue(&next, BEGIN);
    let cases = [
        (ca.issue(&other, BEGIN), CertificateStore::System),
        (Ca::new().issue(&next, BEGIN), CertificateStore::System),
        (good, CertificateStore::User),
    ];
    for (certificate, store) in cases {
        let mut device = ca.device();
        let former = device.enrolled().certificate.clone();
        let request = device.start_renewal(next.clone(), BEGIN).unwrap();
        let error = take(&mut device, &answer(&request, certificate, store)).unwrap_err();
        assert!(matches!(error, EnrollmentError::Provisioning(_)), "{error}");
        assert_eq!(device.enrolled().certificate, former);
        assert_eq!(status(&device).0, "3");
        assert_eq!(device.log().last(), Some(&Event::RenewalFailed(error.hresult())));
    }
    let mut device = ca.device();
    let request = device.start_renewal(next, BEGIN).unwrap();
    let fault = Fault {
        subcode: Subcode::Authorization,
        error_type: Some(ErrorType::NotEligibleToRenew),
        reason: "no".to_owned(),
    };
    let envelope = envelope(&request);
    let header = ReplyHeader { relates_to: envelope.message_id.as_deref(), activity_id: Uuid::nil() };
    let body = fault.encode(Operation::RequestSecurityToken, &header);
    let error = device.take_renewal(&Response { status: 500, content_type: SOAP, body: &body }).unwrap_err();
    assert_eq!(error.hresult(), 0x8018_0016);
    assert!(take(&mut device, b"").is_err(), "nothing waits for an answer");
}

#[test]
fn the_server_may_ask_for_it() {
    let mut device = Ca::new().device();
    let item = crate::proto::syncml::Item {
        target: Some(crate::proto::syncml::LocUri::fixed(
            "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewNow",
        )),
        ..Default::default()
    };
    let outcome = device.machine.run(crate::proto::syncml::Verb::Exec, &item);
    assert_eq!((outcome.status, outcome.effect), (200, Some(Effect::RenewNow)));
}
