use super::*;
use crate::app::ports::{Page, Write};
use crate::app::testing::Ground;
use crate::domain::event::AuditRow;

const DER: &[u8] = b"certificate";
const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// A request on a connection with that certificate.
fn shown(der: &[u8]) -> Shown<'_> {
    Shown { address: ADDRESS, certificate: Some(der), forwarded: None, signatures: Vec::new(), wanted: Wanted::Session }
}

fn enrollment_of(sender: Sender) -> Id<Enrollment> {
    match sender {
        Sender::Device(device) => device.enrollment_id,
        other => panic!("not proven: {other:?}"),
    }
}

/// A certificate of ours, of an enrollment after that change.
async fn certificate(ground: &Ground, change: impl FnOnce(&mut Enrollment)) -> (Certificate, Enrollment) {
    let mut enrollment = ground.enrollment().await;
    let (now, mut sha256) = (ground.app.now(), [0; 32]);
    sha256.copy_from_slice(digest(&SHA256, DER).as_ref());
    let certificate = Certificate {
        serial: "0a".repeat(16),
        sha256,
        enrollment_id: enrollment.id,
        subject: enrollment.id.to_string(),
        issuer: crate::pki::hex(&ground.app.authority.current().id()),
        der: DER.to_vec(),
        key_sha256: [8; 32],
        not_before: now - Duration::DAY,
        not_after: now + Duration::days(30),
        revoked_at: None,
        revoked_reason: None,
        renews: None,
        first_used_at: None,
        superseded_at: None,
        late_told_at: None,
    };
    change(&mut enrollment);
    let writes = vec![
        Write::UpdateEnrollment(Box::new(enrollment.clone())),
        Write::InsertCertificate(Box::new(certificate.clone())),
    ];
    ground.app.commit(writes).await.unwrap();
    (certificate, enrollment)
}

async fn revoke(ground: &Ground, certificate: &Certificate, reason: &str) {
    let (serial, at) = (certificate.serial.clone(), ground.app.now());
    ground.app.commit(vec![Write::RevokeCertificate { serial, at, reason: reason.to_owned() }]).await.unwrap();
}

/// The refusal and the audit row about it.
async fn refused(ground: &Ground) -> (Unidentified, AuditRow) {
    let refused = ground.app.sender(&shown(DER)).await.unwrap_err();
    let page = Page { limit: 10, after: None };
    let mut rows = ground.app.store.audit(None, &page).await.unwrap().items;
    assert_eq!(rows.len(), 1);
    (refused, rows.remove(0))
}

fn names_the_device(row: &AuditRow, enrollment: &Enrollment) {
    assert_eq!((row.object_kind.as_str(), &row.object_id), ("device", &enrollment.device_id.to_string()));
    assert_eq!((row.object_name.as_str(), row.outcome.as_str()), ("LAPTOP-1", "refused"));
    assert_eq!((&row.actor, row.address.as_str()), (&format!("device:{}", enrollment.id), "192.0.2.7"));
}

// covers: E-67
#[tokio::test]
async fn a_machine_that_was_enrolled_again_is_told_apart() {
    let ground = Ground::new().await;
    let now = ground.app.now();
    let replaced = |enrollment: &mut Enrollment| {
        enrollment.enter(EnrollmentState::Retired, now);
        enrollment.closed_reason = Some(ENROLLED_AGAIN.to_owned());
    };
    let (certificate, enrollment) = certificate(&ground, replaced).await;
    revoke(&ground, &certificate, ENROLLED_AGAIN).await;
    let (refused, row) = refused(&ground).await;
    assert!(matches!(&refused, Unidentified::Revoked(turned) if turned.enrollment_id == enrollment.id));
    names_the_device(&row, &enrollment);
    assert!(row.detail.contains("enrolled again"), "{}", row.detail);
}

#[tokio::test]
async fn the_reason_of_an_administrator_is_in_the_trail() {
    let ground = Ground::new().await;
    let (certificate, enrollment) = certificate(&ground, |_| {}).await;
    assert_eq!(ground.app.sender(&shown(DER)).await.map(enrollment_of).unwrap(), enrollment.id);
    revoke(&ground, &certificate, "lost in a train").await;
    let (_, row) = refused(&ground).await;
    names_the_device(&row, &enrollment);
    assert!(row.detail.contains("lost in a train"), "{}", row.detail);
}

#[tokio::test]
async fn an_expired_certificate_says_when() {
    let ground = Ground::new().await;
    let (_, enrollment) = certificate(&ground, |_| {}).await;
    ground.clock.advance(Duration::days(31));
    let (refused, row) = refused(&ground).await;
    assert!(matches!(refused, Unidentified::Expired(_)), "{refused}");
    names_the_device(&row, &enrollment);
    assert!(row.detail.contains("ended at 2026-12-20"), "{}", row.detail);
}

#[tokio::test]
async fn a_closed_enrollment_says_why() {
    let ground = Ground::new().await;
    let now = ground.app.now();
    let wiped = |enrollment: &mut Enrollment| {
        enrollment.enter(EnrollmentState::Wiped, now);
        enrollment.closed_reason = Some("silent for two weeks".to_owned());
    };
    let (_, enrollment) = certificate(&ground, wiped).await;
    let (refused, row) = refused(&ground).await;
    assert!(matches!(refused, Unidentified::Closed(_)), "{refused}");
    names_the_device(&row, &enrollment);
    assert!(row.detail.ends_with("wiped, silent for two weeks"), "{}", row.detail);
}

#[tokio::test]
async fn a_device_that_just_left_may_repeat_itself() {
    let ground = Ground::new().await;
    let now = ground.app.now();
    let (certificate, _) = certificate(&ground, |enrollment| enrollment.enter(EnrollmentState::Retired, now)).await;
    revoke(&ground, &certificate, "retired").await;
    assert!(ground.app.sender(&shown(DER)).await.is_ok());
    ground.clock.advance(FAREWELL + Duration::SECOND);
    assert!(matches!(refused(&ground).await.0, Unidentified::Revoked(_)));
}

#[tokio::test]
async fn strangers_leave_no_more_than_a_row() {
    let ground = Ground::new().await;
    let (refused, row) = refused(&ground).await;
    assert!(matches!(refused, Unidentified::Unknown) && refused.turned().is_none());
    assert_eq!((row.actor.as_str(), row.object_id.as_str()), ("device:unidentified", ""));
}

// covers: M-26
#[tokio::test]
async fn two_certificates_of_one_enrollment_are_good_side_by_side() {
    const NEWER: &[u8] = b"its renewed certificate";
    let ground = Ground::new().await;
    let (older, enrollment) = certificate(&ground, |_| {}).await;
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, NEWER).as_ref());
    let newer =
        Certificate { serial: "0b".repeat(16), sha256, der: NEWER.to_vec(), key_sha256: [9; 32], ..older.clone() };
    ground.app.commit(vec![Write::InsertCertificate(Box::new(newer.clone()))]).await.unwrap();
    for der in [DER, NEWER] {
        assert_eq!(ground.app.sender(&shown(der)).await.map(enrollment_of).unwrap(), enrollment.id);
    }
    revoke(&ground, &older, "superseded").await;
    assert!(matches!(ground.app.sender(&shown(DER)).await, Err(Unidentified::Revoked(_))));
    assert_eq!(ground.app.sender(&shown(NEWER)).await.map(enrollment_of).unwrap(), enrollment.id);
}
