use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::*;
use crate::app::testing::Ground;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};

async fn with_certificate(ground: &Ground) -> Certificate {
    let app = &ground.app;
    let enrollment = enrollment(app);
    let device = Device {
        id: enrollment.device_id,
        name: "LAPTOP-1".to_owned(),
        hw_dev_id: None,
        enrollment_id: enrollment.id,
        linked_device_id: None,
        created_at: app.now(),
    };
    let certificate = Certificate {
        serial: "0a".repeat(16),
        sha256: [7; 32],
        enrollment_id: enrollment.id,
        subject: enrollment.id.to_string(),
        der: vec![1],
        key_sha256: [8; 32],
        not_before: app.now(),
        not_after: app.now() + Duration::days(365),
        revoked_at: None,
        revoked_reason: None,
    };
    let writes = vec![
        Write::InsertDevice(device),
        Write::InsertEnrollment(Box::new(enrollment)),
        Write::InsertCertificate(Box::new(certificate.clone())),
    ];
    app.commit(writes).await.unwrap();
    certificate
}

fn enrollment(app: &App) -> Enrollment {
    Enrollment {
        id: app.new_id(),
        device_id: app.new_id(),
        user_id: None,
        state: EnrollmentState::Active,
        mode: Mode::OnPremise,
        kind: EnrollmentKind::Full,
        claimed_device_id: None,
        hw_dev_id: None,
        reported_dev_id: None,
        reported_source: None,
        os_version: None,
        os_edition: None,
        context: Vec::new(),
        account: Vec::new(),
        enrolled_at: app.now(),
        last_seen_at: None,
        inventory_at: None,
        state_since: app.now(),
        closed_reason: None,
        warning: None,
        locked_to_tenant: false,
        version: 1,
    }
}

fn serials(der: &[u8]) -> Vec<String> {
    let (_, list) = CertificateRevocationList::from_der(der).unwrap();
    list.iter_revoked_certificates().map(|entry| format!("{:0>32x}", entry.user_certificate)).collect()
}

#[tokio::test]
async fn a_revocation_is_told_and_listed_at_once() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let certificate = with_certificate(&ground).await;
    let empty = ground.app.revocation_list().await.unwrap();
    assert_eq!(serials(&empty), Vec::<String>::new());
    let revoked = ground.app.revoke_certificate(&by, &certificate.serial, Some(" lost ".to_owned())).await.unwrap();
    assert_eq!(revoked.certificate.revoked_reason.as_deref(), Some("lost"));
    assert!(revoked.device_id.is_some());
    assert_eq!(serials(&ground.app.revocation_list().await.unwrap()), std::slice::from_ref(&certificate.serial));
    ground.clock.advance(Duration::HOUR);
    let again = ground.app.revoke_certificate(&by, &certificate.serial, Some("other".to_owned())).await.unwrap();
    assert_eq!(again.certificate.revoked_at, revoked.certificate.revoked_at, "the first revocation stays");
    let events = ground.app.store.unnumbered_events(10).await.unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.kind == "muster.cert.revoked").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, revoked.device_id.map(|id| id.to_string()));
}

#[tokio::test]
async fn a_list_is_signed_once_a_minute_and_its_number_grows() {
    let ground = Ground::new().await;
    let number = |der: &[u8]| {
        let (_, list) = CertificateRevocationList::from_der(der).unwrap();
        list.crl_number().cloned().unwrap()
    };
    let first = ground.app.revocation_list().await.unwrap();
    ground.clock.advance(Duration::seconds(59));
    assert_eq!(ground.app.revocation_list().await.unwrap(), first);
    ground.clock.advance(Duration::SECOND);
    let second = ground.app.revocation_list().await.unwrap();
    assert!(number(&second) > number(&first));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_revoked() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let refused = ground.app.revoke_certificate(&by, "00", None).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound("certificate")), "{refused:?}");
    let refused = ground.app.revoke_certificate(&by, "00", Some("x".repeat(501))).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
}
