//! The CAs while one takes the place of another.

use super::Ground;
use super::fixtures::{at, certificate, enroll_all, enrolled, id};
use crate::app::ports::{Store, StoreError, Write};
use crate::domain::ca::{CaRecord, CaRole};
use crate::domain::enrollment::EnrollmentState;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    there_is_one_of_each_role(&make().await).await;
    devices_without_a_root_are_counted_and_named(&make().await).await;
    certificates_that_let_a_device_in_are_counted(&make().await).await;
}

fn ca(name: &str, role: CaRole) -> CaRecord {
    CaRecord {
        id: name.to_owned(),
        role,
        root: vec![1, 0, 255],
        issuing: vec![2],
        root_key: Vec::new(),
        issuing_key: vec![3],
        since: at(5),
    }
}

async fn there_is_one_of_each_role(Ground { store, .. }: &Ground) {
    assert_eq!(store.authorities().await.unwrap(), []);
    let insert = |name, role| Write::InsertAuthority(Box::new(ca(name, role)));
    store.commit(vec![insert("a", CaRole::Current), insert("b", CaRole::Next)]).await.unwrap();
    for taken in [insert("c", CaRole::Next), insert("a", CaRole::Previous)] {
        assert!(matches!(store.commit(vec![taken]).await, Err(StoreError::Conflict)));
    }
    assert_eq!(store.authorities().await.unwrap(), [ca("a", CaRole::Current), ca("b", CaRole::Next)], "as written");
    let change = |name: &str, from, to| Write::ChangeAuthority { id: name.to_owned(), from, to, since: at(9) };
    let activate = || vec![change("a", CaRole::Current, CaRole::Previous), change("b", CaRole::Next, CaRole::Current)];
    store.commit(activate()).await.unwrap();
    assert!(matches!(store.commit(activate()).await, Err(StoreError::Conflict)), "once");
    let roles: Vec<_> = store.authorities().await.unwrap().into_iter().map(|ca| (ca.id, ca.role, ca.since)).collect();
    let expected = [("b", CaRole::Current), ("a", CaRole::Previous)];
    assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role, at(9))));
    let remove = |name: &str, role| vec![Write::RemoveAuthority { id: name.to_owned(), role }];
    assert!(matches!(store.commit(remove("b", CaRole::Previous)).await, Err(StoreError::Conflict)));
    store.commit(remove("a", CaRole::Previous)).await.unwrap();
    assert_eq!(store.authorities().await.unwrap().len(), 1);
}

async fn devices_without_a_root_are_counted_and_named(Ground { store, .. }: &Ground) {
    enroll_all(store, 1..=4).await;
    let (_, mut gone) = enrolled(4);
    gone.state = EnrollmentState::Retired;
    let (_, mut leaving) = enrolled(3);
    leaving.state = EnrollmentState::Retiring;
    let states = [gone, leaving].map(|enrollment| Write::UpdateEnrollment(Box::new(enrollment)));
    store.commit(states.to_vec()).await.unwrap();
    assert_eq!(store.count_without_root("ROOT").await.unwrap(), 3, "one that left needs none, one that leaves does");
    let has = |number, root: &str| Write::RootDelivered { enrollment_id: id(number), root: root.to_owned(), at: at(1) };
    store.commit(vec![has(1, "ROOT"), has(2, "OLDER")]).await.unwrap();
    assert_eq!(store.count_without_root("ROOT").await.unwrap(), 2);
    assert_eq!(store.devices_without_root("ROOT", 9).await.unwrap().len(), 2);
    assert_eq!(store.devices_without_root("ROOT", 1).await.unwrap().len(), 1);
    store.commit(vec![has(2, "ROOT")]).await.unwrap();
    assert_eq!(store.devices_without_root("ROOT", 9).await.unwrap(), ["PC-3"]);
}

async fn certificates_that_let_a_device_in_are_counted(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    store
        .commit((1..=3).map(|number| Write::InsertCertificate(Box::new(certificate(number)))).collect())
        .await
        .unwrap();
    let live = async |issuer, millis| store.count_live_certificates(issuer, at(millis)).await.unwrap();
    assert_eq!((live("ca", 0).await, live("another", 0).await), (3, 0));
    assert_eq!(live("ca", 1_000_000).await, 0, "they have ended");
    let serial = certificate(1).serial;
    store.commit(vec![Write::RevokeCertificate { serial, at: at(1), reason: String::new() }]).await.unwrap();
    assert_eq!(live("ca", 0).await, 2);
    let (_, mut gone) = enrolled(1);
    gone.state = EnrollmentState::Retired;
    store.commit(vec![Write::UpdateEnrollment(Box::new(gone))]).await.unwrap();
    assert_eq!(live("ca", 0).await, 0, "the device has left");
}
