use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::*;
use crate::app::testing::Ground;
use crate::app::tokens::secret_hash;

async fn with_certificate(ground: &Ground) -> Certificate {
    with_serial(ground, &"0a".repeat(16)).await
}

async fn with_serial(ground: &Ground, serial: &str) -> Certificate {
    let app = &ground.app;
    let enrollment = ground.enrollment().await;
    let certificate = Certificate {
        serial: serial.to_owned(),
        sha256: secret_hash(serial),
        enrollment_id: enrollment.id,
        subject: enrollment.id.to_string(),
        issuer: crate::pki::hex(&ground.app.authority.current().id()),
        der: vec![1],
        key_sha256: secret_hash(&serial.to_uppercase()),
        not_before: app.now(),
        not_after: app.now() + Duration::days(365),
        revoked_at: None,
        revoked_reason: None,
        renews: None,
        first_used_at: None,
        superseded_at: None,
        late_told_at: None,
    };
    app.commit(vec![Write::InsertCertificate(Box::new(certificate.clone()))]).await.unwrap();
    certificate
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
    let revoked =
        ground.app.revoke_certificate(&by, &certificate.serial, Some(" lost ".to_owned()), false).await.unwrap();
    assert_eq!(revoked.certificate.revoked_reason.as_deref(), Some("lost"));
    assert!(revoked.device_id.is_some());
    assert_eq!(serials(&ground.app.revocation_list().await.unwrap()), std::slice::from_ref(&certificate.serial));
    ground.clock.advance(Duration::HOUR);
    let again = ground.app.revoke_certificate(&by, &certificate.serial, Some("other".to_owned()), false).await.unwrap();
    assert_eq!(again.certificate.revoked_at, revoked.certificate.revoked_at, "the first revocation stays");
    let events = ground.app.store.unnumbered_events(10).await.unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.kind == "muster.cert.revoked").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, revoked.device_id.map(|id| id.to_string()));
}

#[tokio::test]
async fn a_revocation_can_be_tried() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let certificate = with_certificate(&ground).await;
    let before = ground.app.store.unnumbered_events(10).await.unwrap().len();
    let tried = ground.app.revoke_certificate(&by, &certificate.serial, Some("lost".to_owned()), true).await.unwrap();
    assert_eq!(
        (tried.certificate.revoked_at, tried.certificate.state(ground.app.now())),
        (Some(ground.app.now()), "revoked")
    );
    let kept = ground.app.store.certificate_by_serial(&certificate.serial).await.unwrap().unwrap();
    assert_eq!(kept.revoked_at, None);
    assert_eq!(ground.app.store.unnumbered_events(10).await.unwrap().len(), before);
    let refused = ground.app.revoke_certificate(&by, "00", None, true).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound("certificate")), "{refused:?}");
}

#[tokio::test]
async fn lists_of_one_moment_have_rising_numbers() {
    let ground = Ground::new().await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(number(&ground.app.revocation_list().await.unwrap()));
        ground.app.memory.revocation_list.drop_cached().await;
    }
    ground.clock.advance(Duration::milliseconds(-500));
    numbers.push(number(&ground.app.revocation_list().await.unwrap()));
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

fn number(der: &[u8]) -> u64 {
    let (_, list) = CertificateRevocationList::from_der(der).unwrap();
    u64::try_from(list.crl_number().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn a_list_is_signed_once_a_minute_and_its_number_grows() {
    let ground = Ground::new().await;
    let first = ground.app.revocation_list().await.unwrap();
    ground.clock.advance(Duration::seconds(59));
    assert_eq!(ground.app.revocation_list().await.unwrap(), first);
    ground.clock.advance(Duration::SECOND);
    let second = ground.app.revocation_list().await.unwrap();
    assert!(number(&second) > number(&first));
}

#[tokio::test]
async fn a_serial_number_is_known_in_every_spelling() {
    let ground = Ground::new().await;
    let serial = format!("00{}", "ab".repeat(15));
    for serial in [&serial, &format!("{}cd", "ab".repeat(15)), &format!("{:0>32}", "7f01")] {
        with_serial(&ground, serial).await;
    }
    let bytes = ["ab"; 15];
    for text in [
        serial.as_str(),
        &serial.to_uppercase(),
        &bytes.concat(),
        &bytes.join(":").to_uppercase(),
        &bytes.join(" "),
        &format!("00:{}", bytes.join(":")),
    ] {
        assert_eq!(ground.app.resolve_serial(text).await.unwrap(), serial, "{text}");
    }
    assert_eq!(ground.app.resolve_serial("7F:01").await.unwrap(), format!("{:0>32}", "7f01"));
    assert_eq!(ground.app.resolve_serial("00abab").await.unwrap(), serial, "the beginning of one");
    for text in ["", "ab", "0", "fedc", "..", "' OR 1"] {
        assert!(matches!(ground.app.resolve_serial(text).await, Err(Error::NotFound("certificate"))), "{text}");
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_revoked() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let refused = ground.app.revoke_certificate(&by, "00", None, false).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound("certificate")), "{refused:?}");
    let refused = ground.app.revoke_certificate(&by, "00", Some("x".repeat(501)), false).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(_)), "{refused:?}");
}
