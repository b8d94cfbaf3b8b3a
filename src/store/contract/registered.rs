//! Registered devices, and the count that guards the limit for all.

use super::Ground;
use super::fixtures::{at, enroll_all, id, ids, is_conflict, walk};
use crate::app::ports::{Page, Store, Write};
use crate::domain::registration::{RegisteredBy, RegisteredDevice};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    registered_devices_are_found_by_kind_and_key(&make().await).await;
    an_entry_lets_in_one_at_a_time(&make().await).await;
    the_count_of_admissions_is_a_guard(&make().await).await;
}

fn device(number: u128, kind: RegisteredBy) -> RegisteredDevice {
    let note = number.is_multiple_of(2).then(|| "lab '7' é".to_owned());
    RegisteredDevice {
        id: id(number),
        kind,
        value: format!("PF3-{number}"),
        note,
        created_at: at(5),
        enrollment_id: None,
    }
}

fn insert(device: &RegisteredDevice, key: &str) -> Vec<Write> {
    vec![Write::InsertRegistered { device: device.clone(), key: key.to_owned() }]
}

async fn registered_devices_are_found_by_kind_and_key(Ground { store, .. }: &Ground) {
    let (one, two, three) =
        (device(1, RegisteredBy::Serial), device(2, RegisteredBy::Serial), device(3, RegisteredBy::Autopilot));
    for (each, key) in [(&one, "a"), (&two, "b"), (&three, "a")] {
        store.commit(insert(each, key)).await.unwrap();
    }
    assert!(is_conflict(store.commit(insert(&device(4, RegisteredBy::Serial), "a")).await), "taken");
    assert_eq!(store.registered(RegisteredBy::Serial, "b").await.unwrap(), Some(two));
    assert_eq!(store.registered(RegisteredBy::Autopilot, "a").await.unwrap(), Some(three));
    assert_eq!(store.registered(RegisteredBy::HwDevId, "a").await.unwrap(), None);
    let all = async |page: Page| store.registered_devices(&page).await;
    assert_eq!(walk(2, all, |device| device.id.to_string()).await, ids([3, 2, 1]));
    store.commit(vec![Write::DeleteRegistered(one.id)]).await.unwrap();
    assert_eq!(store.registered_device(one.id).await.unwrap(), None);
    assert!(is_conflict(store.commit(vec![Write::DeleteRegistered(one.id)]).await), "gone");
}

async fn an_entry_lets_in_one_at_a_time(Ground { store, .. }: &Ground) {
    let one = device(1, RegisteredBy::Serial);
    store.commit(insert(&one, "a")).await.unwrap();
    let used = async |seen: Option<u128>, by| {
        let (seen, enrollment_id) = (seen.map(id), id(by));
        store.commit(vec![Write::UseRegistered { id: one.id, seen, enrollment_id }]).await
    };
    let (first, second) = tokio::join!(used(None, 7), used(None, 8));
    assert!(is_conflict(first) ^ is_conflict(second), "two at once see none before");
    let holder = store.registered_device(one.id).await.unwrap().unwrap().enrollment_id.unwrap();
    assert!(holder == id(7) || holder == id(8));
    assert!(is_conflict(used(None, 9).await) && is_conflict(used(Some(5), 9).await), "another one holds it");
    store.commit(vec![Write::UseRegistered { id: one.id, seen: Some(holder), enrollment_id: id(9) }]).await.unwrap();
    let (two, three) = (device(2, RegisteredBy::HwDevId), device(3, RegisteredBy::Serial));
    for (each, holder) in [(&two, 9), (&three, 5)] {
        store.commit(insert(each, &each.value)).await.unwrap();
        store.commit(vec![Write::UseRegistered { id: each.id, seen: None, enrollment_id: id(holder) }]).await.unwrap();
    }
    store.commit(vec![Write::PassRegistered { from: id(9), to: id(11) }]).await.unwrap();
    store.commit(vec![Write::PassRegistered { from: id(9), to: id(12) }]).await.unwrap();
    for (each, holder) in [(&one, 11), (&two, 11), (&three, 5)] {
        let holds = store.registered_device(each.id).await.unwrap().unwrap().enrollment_id;
        assert_eq!(holds, Some(id(holder)), "all that one held is passed on, and nothing else");
    }
    store.commit(vec![Write::DeleteRegistered(one.id)]).await.unwrap();
    assert!(is_conflict(used(Some(11), 12).await), "it is gone");
}

async fn the_count_of_admissions_is_a_guard(Ground { store, .. }: &Ground) {
    assert_eq!((store.admissions().await.unwrap(), store.open_devices().await.unwrap()), (0, 0));
    let count = |seen| vec![Write::CountAdmission { seen }];
    // The very first ones, at once, before there is a row.
    let (first, second) = tokio::join!(store.commit(count(0)), store.commit(count(0)));
    assert!(is_conflict(first) ^ is_conflict(second), "one of them was faster");
    assert!(is_conflict(store.commit(count(0)).await), "somebody was faster");
    assert!(is_conflict(store.commit(count(5)).await), "nobody has seen that many");
    store.commit(count(1)).await.unwrap();
    enroll_all(store, [1, 2]).await;
    assert_eq!((store.admissions().await.unwrap(), store.open_devices().await.unwrap()), (2, 2));
}
