//! Packages for bulk enrollment: what they hold, and that no two devices take the last place.

use super::Ground;
use super::fixtures::{assert_same, at, enroll, enrolled, first, id, ids, is_conflict, package, user, walk};
use crate::app::ports::{Store, StoreError, Write};
use crate::domain::package::Package;
use crate::domain::sign_in::MOST_PIN_TRIES;
use crate::domain::{Id, Network};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_package_is_read_as_written(&make().await).await;
    it_is_used_up_to_its_number(&make().await).await;
    what_is_over_is_not_used(&make().await).await;
    of_two_that_take_the_last_place_one_gets_it(&make().await).await;
    a_build_has_a_secret_of_its_own(&make().await).await;
    the_newest_pin_counts_and_wrong_ones_are_counted(&make().await).await;
    live_ones_are_found_by_their_root(&make().await).await;
    live_ones_are_found_by_their_address(&make().await).await;
    packages_are_listed_newest_first(&make().await).await;
    a_removed_user_ends_packages(&make().await).await;
}

fn whole() -> Package {
    Package {
        build: 7,
        built_as: Some(id(77)),
        sealed_pin_hash: Some(vec![0x00, 0xFF, 0x24]),
        pin_failures: 2,
        networks: ["192.0.2.0/24", "2001:db8::/32"].map(|text| Network::try_from(text.to_owned()).unwrap()).to_vec(),
        max_devices: 5,
        devices: 4,
        last_used_at: Some(at(7)),
        revoked_at: Some(at(8)),
        root: Some("ROOT".to_owned()),
        generation: Some("abc".to_owned()),
        ..package(1, &user(1))
    }
}

async fn make(store: &impl Store, packages: &[Package]) {
    let mut writes = vec![Write::InsertUser(user(1))];
    writes.extend(packages.iter().map(|package| Write::InsertPackage(Box::new(package.clone()))));
    store.commit(writes).await.unwrap();
}

async fn now(store: &impl Store, package: &Package) -> Package {
    store.package(package.id).await.unwrap().unwrap()
}

async fn take(store: &impl Store, package: &Package, counts: bool, millis: i64) -> Result<(), StoreError> {
    let package = Box::new(package.clone());
    store.commit(vec![Write::UsePackage { package, counts, at: at(millis) }]).await
}

async fn a_package_is_read_as_written(Ground { store, .. }: &Ground) {
    let (whole, bare) = (whole(), package(2, &user(1)));
    make(store, &[whole.clone(), bare.clone()]).await;
    for made in [&whole, &bare] {
        assert_same(&now(store, made).await, made);
        let found = store.package_by_secret(id(1), &made.secret_hash).await.unwrap().unwrap();
        assert_same(&found, made);
        assert!(
            store.package_by_secret(id(2), &made.secret_hash).await.unwrap().is_none(),
            "the secret of somebody else"
        );
    }
    assert!(store.package(id(3)).await.unwrap().is_none());
    assert!(store.package_by_secret(id(1), &[7; 32]).await.unwrap().is_none());
    let same_secret = Package { id: id(3), ..bare };
    assert!(is_conflict(store.commit(vec![Write::InsertPackage(Box::new(same_secret))]).await));
}

async fn it_is_used_up_to_its_number(Ground { store, .. }: &Ground) {
    let package = package(1, &user(1));
    make(store, std::slice::from_ref(&package)).await;
    for number in 0..3 {
        let read = now(store, &package).await;
        assert_eq!(read.devices, number);
        take(store, &read, true, 10 + i64::from(number)).await.unwrap();
    }
    let read = now(store, &package).await;
    assert_eq!((read.devices, read.last_used_at), (3, Some(at(12))));
    assert!(is_conflict(take(store, &read, true, 20).await), "past its number");
    take(store, &read, false, 30).await.unwrap();
    let read = now(store, &package).await;
    assert_eq!((read.devices, read.last_used_at), (3, Some(at(30))), "one that is counted already may come again");
}

async fn what_is_over_is_not_used(Ground { store, .. }: &Ground) {
    let (revoked, expired) = (package(1, &user(1)), package(2, &user(1)));
    make(store, &[revoked.clone(), expired.clone()]).await;
    take(store, &expired, true, 999).await.unwrap();
    let read = now(store, &expired).await;
    for counts in [true, false] {
        assert!(is_conflict(take(store, &read, counts, 1000).await));
    }
    store.commit(vec![Write::RevokePackage { id: revoked.id, at: at(5) }]).await.unwrap();
    let again = Write::RevokePackage { id: revoked.id, at: at(6) };
    assert!(is_conflict(store.commit(vec![again]).await), "it is told once");
    assert_eq!(now(store, &revoked).await.revoked_at, Some(at(5)));
    for counts in [true, false] {
        assert!(is_conflict(take(store, &revoked, counts, 10).await));
    }
}

async fn of_two_that_take_the_last_place_one_gets_it(Ground { store, .. }: &Ground) {
    let package = Package { max_devices: 1, ..package(1, &user(1)) };
    make(store, std::slice::from_ref(&package)).await;
    let tries = (0..8).map(|_| {
        let (store, package) = (store.clone(), package.clone());
        tokio::spawn(async move { take(&store, &package, true, 10).await })
    });
    let mut taken = 0;
    for one in tries.collect::<Vec<_>>() {
        taken += u32::from(!is_conflict(one.await.unwrap()));
    }
    assert_eq!((taken, now(store, &package).await.devices), (1, 1));
}

async fn a_build_has_a_secret_of_its_own(Ground { store, .. }: &Ground) {
    let package = package(1, &user(1));
    make(store, std::slice::from_ref(&package)).await;
    let sealed_pin_hash = Some(b"\x00new".to_vec());
    let next = Package {
        built_as: Some(id(5)),
        secret_hash: [9; 32],
        sealed_pin_hash: sealed_pin_hash.clone(),
        pin_failures: 0,
        root: Some("ROOT".to_owned()),
        generation: Some("def".to_owned()),
        ..package.clone()
    };
    store.commit(vec![Write::RebuildPackage(Box::new(next.clone()))]).await.unwrap();
    let read = now(store, &package).await;
    assert_same(&read, &Package { build: 2, ..next.clone() });
    assert!(store.package_by_secret(id(1), &package.secret_hash).await.unwrap().is_none(), "the old one is gone");
    assert!(is_conflict(store.commit(vec![Write::RebuildPackage(Box::new(next))]).await), "built since it was read");
    assert!(is_conflict(take(store, &package, true, 10).await), "built since the device signed in");
    take(store, &read, true, 10).await.unwrap();
}

async fn the_newest_pin_counts_and_wrong_ones_are_counted(Ground { store, .. }: &Ground) {
    let with_pin = |number, created| Package {
        sealed_pin_hash: Some(vec![0x00, number as u8]),
        created_at: at(created),
        ..package(number, &user(1))
    };
    let (old, new, none) = (with_pin(1, 1), with_pin(2, 2), Package { created_at: at(3), ..package(3, &user(1)) });
    make(store, &[old.clone(), new.clone(), none]).await;
    let found = async |millis| store.package_with_pin(id(1), at(millis)).await.unwrap().map(|found| found.id);
    assert_eq!(found(10).await, Some(new.id));
    assert_eq!(found(1000).await, None, "both have expired");
    assert_eq!(store.package_with_pin(id(2), at(10)).await.unwrap().map(|found| found.id), None);
    let take = async |package: &Package| store.commit(vec![Write::TakePackageTry(Box::new(package.clone()))]).await;
    let give_back = async |package: &Package| {
        store.commit(vec![Write::GiveBackPackageTry(Box::new(package.clone()))]).await.unwrap();
        now(store, &new).await.pin_failures
    };
    let fresh = now(store, &new).await;
    assert_eq!(give_back(&fresh).await, 0, "there is none to give back");
    take(&fresh).await.unwrap();
    assert!(is_conflict(take(&fresh).await), "another try was counted since it was read");
    assert_eq!(give_back(&fresh).await, 0);
    let other_pin = Package { sealed_pin_hash: Some(b"\x00other".to_vec()), ..fresh.clone() };
    assert!(is_conflict(take(&other_pin).await));
    for _ in 0..MOST_PIN_TRIES {
        let read = now(store, &new).await;
        assert!(read.has_live_pin());
        take(&read).await.unwrap();
    }
    assert_eq!(give_back(&other_pin).await, MOST_PIN_TRIES);
    store.commit(vec![Write::RebuildPackage(Box::new(fresh))]).await.unwrap();
    let read = now(store, &new).await;
    assert_eq!(read.build, 2);
    assert_eq!((read.pin_failures, read.has_live_pin()), (MOST_PIN_TRIES, false));
    store.commit(vec![Write::RevokePackage { id: new.id, at: at(5) }]).await.unwrap();
    assert_eq!(found(10).await, Some(old.id));
}

async fn live_ones_are_found_by_their_root(Ground { store, .. }: &Ground) {
    let with_root = |number, root: &str| Package { root: Some(root.to_owned()), ..package(number, &user(1)) };
    let used_up = Package { devices: 3, ..with_root(2, "OLD") };
    let over = Package { revoked_at: Some(at(1)), ..with_root(4, "OLD") };
    make(store, &[with_root(1, "OLD"), used_up, with_root(3, "NEW"), over, package(5, &user(1))]).await;
    let found = async |root: &str, millis, limit| -> Vec<Id<Package>> {
        let found = store.live_packages_with_root(root, at(millis), limit).await.unwrap();
        found.into_iter().map(|package| package.id).collect()
    };
    assert_eq!(found("OLD", 10, 9).await, [id(1), id(2)]);
    assert_eq!(found("OLD", 10, 1).await, [id(1)]);
    assert_eq!(found("NEW", 10, 9).await, [id(3)]);
    assert_eq!(found("OLD", 1000, 9).await, [], "they have expired");
    let rebuilt = with_root(1, "NEW");
    store.commit(vec![Write::RebuildPackage(Box::new(rebuilt))]).await.unwrap();
    assert_eq!(found("OLD", 10, 9).await, [id(2)]);
    let user = store.user(id(1)).await.unwrap().unwrap();
    store.commit(vec![Write::DeleteUser { user: Box::new(user), warning: String::new() }]).await.unwrap();
    assert_eq!(found("OLD", 10, 9).await, [], "nobody enrolls under a user who is gone");
}

async fn live_ones_are_found_by_their_address(Ground { store, .. }: &Ground) {
    let of = |number, generation: Option<&str>| Package {
        generation: generation.map(str::to_owned),
        created_at: at(number as i64),
        ..package(number, &user(1))
    };
    let over = Package { revoked_at: Some(at(1)), ..of(4, Some("old")) };
    make(store, &[of(1, None), of(2, Some("old")), of(3, Some("new")), over]).await;
    let others = async |generations, millis, limit| -> Vec<Id<Package>> {
        let found = store.live_packages_with_other_url(generations, at(millis), limit).await.unwrap();
        found.into_iter().map(|package| package.id).collect()
    };
    assert_eq!(others([Some("new"), Some("new")], 10, 9).await, [id(1), id(2)]);
    assert_eq!(others([Some("new"), Some("new")], 10, 1).await, [id(1)]);
    assert_eq!(others([Some("new"), None], 10, 9).await, [id(2)]);
    assert_eq!(others([None, None], 10, 9).await, [id(2), id(3)]);
    assert_eq!(others([None, None], 1000, 9).await, [], "they have expired");
    let rebuilt = of(2, Some("new"));
    store.commit(vec![Write::RebuildPackage(Box::new(rebuilt))]).await.unwrap();
    assert_eq!(others([Some("new"), None], 10, 9).await, []);
}

async fn packages_are_listed_newest_first(Ground { store, .. }: &Ground) {
    let packages: Vec<Package> =
        (1..=5).map(|number| Package { created_at: at((number / 2) as i64), ..package(number, &user(1)) }).collect();
    make(store, &packages).await;
    for limit in [1, 2, 5] {
        let walked = walk(limit, async |page| store.packages(&page).await, |package| package.id.to_string()).await;
        assert_eq!(walked, ids([5, 4, 3, 2, 1]), "{limit}");
    }
    assert_eq!(store.packages(&first(10)).await.unwrap().items.len(), 5);
}

async fn a_removed_user_ends_packages(Ground { store, .. }: &Ground) {
    let package = package(1, &user(1));
    make(store, std::slice::from_ref(&package)).await;
    let (device, mut enrollment) = enrolled(1);
    (enrollment.user_id, enrollment.package_id) = (Some(id(1)), Some(package.id));
    store.commit(enroll((device, enrollment))).await.unwrap();
    let user = store.user(id(1)).await.unwrap().unwrap();
    store.commit(vec![Write::DeleteUser { user: Box::new(user), warning: "gone".to_owned() }]).await.unwrap();
    let read = now(store, &package).await;
    assert_eq!((read.user_id, read.user_name.as_str()), (None, "user1@example.org"));
    assert!(store.package_by_secret(id(1), &package.secret_hash).await.unwrap().is_none());
    assert!(is_conflict(take(store, &read, true, 10).await));
    let left = store.enrollment(id(1)).await.unwrap().unwrap();
    assert_eq!((left.user_id, left.package_id), (None, Some(package.id)));
}
