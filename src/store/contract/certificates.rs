//! Certificates.

use super::Ground;
use super::fixtures::{assert_same, at, certificate, enroll_all, first, id, is_conflict, walk};
use crate::app::ports::{Store, Write};
use crate::domain::certificate::Certificate;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_certificate_is_read_as_written(&make().await).await;
    serial_digest_and_key_are_unique(&make().await).await;
    the_first_revocation_counts(&make().await).await;
    certificates_are_listed(&make().await).await;
}

fn insert(certificate: &Certificate) -> Write {
    Write::InsertCertificate(Box::new(certificate.clone()))
}

async fn a_certificate_is_read_as_written(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let (bare, mut full) = (certificate(1), certificate(2));
    full.revoked_at = Some(at(5));
    full.revoked_reason = Some("lost".to_owned());
    store.commit(vec![insert(&bare), insert(&full)]).await.unwrap();
    assert_same(&store.certificate(&bare.sha256).await.unwrap().unwrap(), &bare);
    assert_same(&store.certificate_by_serial(&full.serial).await.unwrap().unwrap(), &full);
    assert_eq!(store.key_owner(&full.key_sha256).await.unwrap(), Some(id(1)));
    assert_eq!(store.key_owner(&full.sha256).await.unwrap(), None);
    assert!(store.certificate(&bare.key_sha256).await.unwrap().is_none());
    assert!(store.certificate_by_serial("%").await.unwrap().is_none());
}

async fn serial_digest_and_key_are_unique(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let one = certificate(1);
    store.commit(vec![insert(&one)]).await.unwrap();
    let other = Certificate { enrollment_id: id(2), ..certificate(2) };
    for (case, twin) in [
        ("serial", Certificate { serial: one.serial.clone(), ..other.clone() }),
        ("digest", Certificate { sha256: one.sha256, ..other.clone() }),
        ("key", Certificate { key_sha256: one.key_sha256, ..other.clone() }),
    ] {
        assert!(is_conflict(store.commit(vec![insert(&twin)]).await), "{case}");
    }
    store.commit(vec![insert(&other)]).await.unwrap();
}

async fn the_first_revocation_counts(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    for number in 1..=4 {
        let mut one = certificate(number);
        one.not_after = if number == 4 { at(500) } else { at(1000) };
        store.commit(vec![insert(&one)]).await.unwrap();
    }
    let revoke = |number: u128, millis, reason: &str| Write::RevokeCertificate {
        serial: certificate(number).serial,
        at: at(millis),
        reason: reason.to_owned(),
    };
    store.commit(vec![revoke(3, 10, "first"), revoke(1, 20, "x"), revoke(4, 5, "x")]).await.unwrap();
    for (number, reason) in [(3, "second"), (9, "nobody")] {
        assert!(is_conflict(store.commit(vec![revoke(number, 30, reason)]).await), "{reason}");
    }
    let stored = store.certificate_by_serial(&certificate(3).serial).await.unwrap().unwrap();
    assert_eq!((stored.revoked_at, stored.revoked_reason.as_deref()), (Some(at(10)), Some("first")));
    let revoked = async |now| {
        let found = store.revoked_certificates(at(now)).await.unwrap();
        found.into_iter().map(|certificate| certificate.serial).collect::<Vec<_>>()
    };
    let serials = |numbers: &[u128]| numbers.iter().map(|number| certificate(*number).serial).collect::<Vec<_>>();
    assert_eq!(revoked(500).await, serials(&[4, 3, 1]), "oldest revocation first");
    assert_eq!(revoked(501).await, serials(&[3, 1]), "an expired one need not be named");
    assert_eq!(revoked(1001).await, serials(&[]));
}

async fn certificates_are_listed(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    for number in 1..=7_u128 {
        let mut one = certificate(number);
        one.enrollment_id = id(1 + number % 2);
        one.not_before = at(i64::try_from(number / 3).unwrap());
        store.commit(vec![insert(&one)]).await.unwrap();
    }
    let serials = |numbers: &[u128]| numbers.iter().map(|number| certificate(*number).serial).collect::<Vec<_>>();
    let serial = |certificate: &Certificate| certificate.serial.clone();
    for limit in [1, 2, 7] {
        let all = walk(limit, async |page| store.certificates(None, &page).await, serial).await;
        assert_eq!(all, serials(&[7, 6, 5, 4, 3, 2, 1]));
        let of_one = walk(limit, async |page| store.certificates(Some(id(2)), &page).await, serial).await;
        assert_eq!(of_one, serials(&[7, 5, 3, 1]));
    }
    assert!(store.certificates(Some(id(9)), &first(5)).await.unwrap().items.is_empty());
    let of_enrollment = store.certificates_of(id(1)).await.unwrap();
    assert_eq!(of_enrollment.iter().map(serial).collect::<Vec<_>>(), serials(&[6, 4, 2]));
}
