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
    what_is_revoked_or_superseded_is_not_guarded(&make().await).await;
    the_first_use_counts_and_supersedes_the_others(&make().await).await;
    one_certificate_of_an_enrollment_waits(&make().await).await;
    late_renewals_are_counted_and_told_once(&make().await).await;
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

async fn stored(store: &impl Store, number: u128) -> Certificate {
    store.certificate_by_serial(&certificate(number).serial).await.unwrap().unwrap()
}

/// One that came of a renewal with that other one.
fn renewing(number: u128, with: u128) -> Certificate {
    Certificate { renews: Some(certificate(with).serial), ..certificate(number) }
}

fn revoke(number: u128) -> Write {
    Write::RevokeCertificate { serial: certificate(number).serial, at: at(40), reason: "x".to_owned() }
}

fn begin_use(number: u128, enrollment: u128) -> Write {
    Write::UseCertificate { serial: certificate(number).serial, enrollment_id: id(enrollment), at: at(30) }
}

async fn what_is_revoked_or_superseded_is_not_guarded(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let superseded = Certificate { superseded_at: Some(at(7)), ..certificate(2) };
    store.commit(vec![insert(&certificate(1)), insert(&superseded), insert(&certificate(3)), revoke(3)]).await.unwrap();
    let guard = |number: u128| Write::GuardCertificate(certificate(number).serial);
    for _ in 0..2 {
        store.commit(vec![guard(1)]).await.unwrap();
    }
    assert_same(&stored(store, 1).await, &certificate(1));
    for number in [2, 3, 9] {
        let writes = vec![revoke(1), guard(number)];
        assert!(is_conflict(store.commit(writes).await), "{number}");
    }
    assert_same(&stored(store, 1).await, &certificate(1));
    assert_same(&stored(store, 2).await, &superseded);
}

async fn the_first_use_counts_and_supersedes_the_others(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let foreign = Certificate { enrollment_id: id(2), ..certificate(5) };
    let all = [certificate(1), certificate(2), renewing(3, 1), foreign.clone()];
    store.commit(all.iter().map(insert).collect()).await.unwrap();
    store.commit(vec![revoke(2)]).await.unwrap();
    assert!(is_conflict(store.commit(vec![begin_use(3, 2)]).await), "of another enrollment");
    store.commit(vec![begin_use(3, 1)]).await.unwrap();
    assert_eq!(stored(store, 3).await.first_used_at, Some(at(30)));
    let states = [stored(store, 1).await.superseded_at, stored(store, 2).await.superseded_at];
    assert_eq!(states, [Some(at(30)), None], "what is revoked stays revoked alone");
    assert_same(&stored(store, 5).await, &foreign);
    for number in [3, 1, 2, 9] {
        assert!(is_conflict(store.commit(vec![begin_use(number, 1)]).await), "{number}");
    }
}

async fn one_certificate_of_an_enrollment_waits(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let first = [certificate(1), renewing(2, 1)];
    store.commit(first.iter().map(insert).collect()).await.unwrap();
    assert!(is_conflict(store.commit(vec![insert(&renewing(3, 1))]).await));
    let foreign = Certificate { enrollment_id: id(2), ..renewing(4, 1) };
    store.commit(vec![insert(&foreign)]).await.unwrap();
    // In the place of another one, or after its first use.
    store.commit(vec![revoke(2), insert(&renewing(3, 1))]).await.unwrap();
    assert!(is_conflict(store.commit(vec![insert(&renewing(6, 1))]).await));
    store.commit(vec![begin_use(3, 1), insert(&renewing(6, 3))]).await.unwrap();
}

async fn late_renewals_are_counted_and_told_once(Ground { store, .. }: &Ground) {
    enroll_all(store, 1..=6).await;
    let of =
        |number: u128, ends: i64| Certificate { enrollment_id: id(number), not_after: at(ends), ..certificate(number) };
    // 1 and 2 are late, 3 and 4 have ended or have time, 5 has its next one, which ends later, 6 is revoked.
    let next = Certificate { serial: certificate(7).serial, enrollment_id: id(5), ..renewing(7, 5) };
    let all = [of(1, 90), of(2, 80), of(3, 50), of(4, 101), of(5, 90), of(6, 90), next];
    store.commit(all.iter().map(insert).collect()).await.unwrap();
    store.commit(vec![revoke(6)]).await.unwrap();
    let serials = |numbers: &[u128]| numbers.iter().map(|number| certificate(*number).serial).collect::<Vec<_>>();
    let untold = async |limit| {
        let found = store.untold_late_renewals(at(50), at(100), limit).await.unwrap();
        found.into_iter().map(|late| late.serial).collect::<Vec<_>>()
    };
    assert_eq!(store.late_renewals(at(50), at(100)).await.unwrap(), 2);
    assert_eq!(untold(9).await, serials(&[2, 1]), "what ends first comes first");
    assert_eq!(untold(1).await, serials(&[2]));
    let tell = || Write::TellLateCertificate { serial: certificate(2).serial, at: at(60) };
    store.commit(vec![tell()]).await.unwrap();
    assert!(is_conflict(store.commit(vec![tell()]).await));
    assert_eq!(stored(store, 2).await.late_told_at, Some(at(60)));
    assert_eq!(untold(9).await, serials(&[1]));
    assert_eq!(store.late_renewals(at(50), at(100)).await.unwrap(), 2, "late, told or not");
    // The next one is revoked: its device has nothing again.
    store.commit(vec![revoke(7)]).await.unwrap();
    assert_eq!(store.late_renewals(at(50), at(100)).await.unwrap(), 3);
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
