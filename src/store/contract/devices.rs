//! Devices, inventory, ids by their beginning, settings, readiness.

use super::Ground;
use super::fixtures::{
    assert_same, at, certificate, enroll, enroll_all, enrolled, first, id, ids, is_conflict, token, user, walk,
};
use crate::app::ports::{DeviceFilter, Store, Table, Write};
use crate::domain::device::Device;
use crate::domain::enrollment::EnrollmentState;
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::user::User;
use crate::proto::syncml::LocUri;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_device_is_read_with_its_enrollment(&make().await).await;
    the_newest_enrollment_counts(&make().await).await;
    devices_are_filtered(&make().await).await;
    newer_inventory_replaces_older(&make().await).await;
    missing_nodes_are_remembered(&make().await).await;
    ids_are_found_by_their_beginning(&make().await).await;
    settings_and_readiness(&make().await).await;
}

async fn a_device_is_read_with_its_enrollment(Ground { store, .. }: &Ground) {
    let (mut device, enrollment) = enrolled(1);
    store.commit(enroll(enrolled(2))).await.unwrap();
    device.name = "Größe \"M\"".to_owned();
    device.hw_dev_id = Some("3B3E".to_owned());
    device.linked_device_id = Some(id(2));
    device.created_at = at(77);
    store.commit(enroll((device.clone(), enrollment.clone()))).await.unwrap();
    let view = store.device(id(1)).await.unwrap().unwrap();
    assert_same(&view.device, &device);
    assert_same(&view.enrollment, &enrollment);
    assert_eq!(view.user, None);
    assert!(store.device(id(3)).await.unwrap().is_none());
    let renamed = Device { name: "other".to_owned(), hw_dev_id: None, linked_device_id: None, ..device };
    store.commit(vec![Write::UpdateDevice(renamed.clone())]).await.unwrap();
    assert_same(&store.device(id(1)).await.unwrap().unwrap().device, &renamed);
    let nobody = enrolled(9).0;
    assert!(is_conflict(store.commit(vec![Write::UpdateDevice(nobody)]).await));
    assert!(is_conflict(store.commit(enroll(enrolled(2))).await), "a taken id");
}

async fn the_newest_enrollment_counts(Ground { store, .. }: &Ground) {
    let (device, first_time) = enrolled(1);
    store.commit(enroll((device.clone(), first_time.clone()))).await.unwrap();
    let mut second_time = enrolled(2).1;
    second_time.device_id = device.id;
    let mut closed = first_time;
    closed.enter(EnrollmentState::Retired, at(9));
    let writes = vec![
        Write::UpdateDevice(Device { enrollment_id: second_time.id, ..device }),
        Write::InsertEnrollment(Box::new(second_time.clone())),
        Write::UpdateEnrollment(Box::new(closed)),
    ];
    store.commit(writes).await.unwrap();
    assert_same(&store.device(id(1)).await.unwrap().unwrap().enrollment, &second_time);
    assert_eq!(store.devices(&DeviceFilter::default(), &first(9)).await.unwrap().items.len(), 1);
    assert_eq!(store.enrollment(id(1)).await.unwrap().unwrap().state, EnrollmentState::Retired);
}

async fn devices_are_filtered(Ground { store, .. }: &Ground) {
    let mia = User { email: "Mia@Example.org".to_owned(), name: Some("hidden".to_owned()), ..user(1) };
    store.commit(vec![Write::InsertUser(mia), Write::InsertUser(user(2))]).await.unwrap();
    for number in 1..=9_u128 {
        let (mut device, mut enrollment) = enrolled(number);
        device.created_at = at(i64::try_from(number / 2).unwrap());
        device.hw_dev_id = Some(format!("ABCDEF{number}"));
        enrollment.user_id = [None, Some(id(1)), Some(id(2))][number as usize % 3];
        enrollment.state = if number < 4 { EnrollmentState::Blocked } else { EnrollmentState::Active };
        store.commit(enroll((device, enrollment))).await.unwrap();
    }
    let everything = DeviceFilter::default();
    let query = |text: &str| DeviceFilter { query: Some(text.to_owned()), ..DeviceFilter::default() };
    let user = |name: &str| DeviceFilter { user: Some(name.to_owned()), ..DeviceFilter::default() };
    let state = |state| DeviceFilter { state: Some(state), ..DeviceFilter::default() };
    let whole_id = id::<Device>(7).to_string();
    for (filter, found) in [
        (everything, vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (query("pc-5"), vec![5]),
        (query("abcdef"), vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (query("F3"), vec![3]),
        (query("%"), vec![]),
        (query("mia@"), vec![7, 4, 1]),
        (query("hidden"), vec![]),
        (query(&whole_id), vec![7]),
        (query(&whole_id.to_uppercase()[20..]), vec![7]),
        (user("MIA@example.ORG"), vec![7, 4, 1]),
        (user("mia"), vec![]),
        (state(EnrollmentState::Blocked), vec![3, 2, 1]),
        (state(EnrollmentState::Wiped), vec![]),
        (DeviceFilter { state: Some(EnrollmentState::Active), ..user("mia@example.org") }, vec![7, 4]),
        (DeviceFilter { query: Some("PC-4".to_owned()), ..user("mia@example.org") }, vec![4]),
    ] {
        for limit in [2, 50] {
            let walked =
                walk(limit, async |page| store.devices(&filter, &page).await, |view| view.device.id.to_string());
            assert_eq!(walked.await, ids(found.clone()), "{filter:?}");
        }
    }
}

fn item(uri: &str, value: Option<&str>, millis: i64) -> InventoryItem {
    InventoryItem {
        loc_uri: LocUri::received(uri),
        value: value.map(str::to_owned),
        format: value.map(|_| "chr".to_owned()),
        at: at(millis),
    }
}

async fn newer_inventory_replaces_older(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let save = |items| Write::SaveInventory { device_id: id(1), items };
    let (b, a) = (item("./DevDetail/SwV", Some("10.0.1"), 5), item("./DevDetail/Man", None, 5));
    store.commit(vec![save(vec![b.clone(), a.clone()])]).await.unwrap();
    assert_eq!(store.inventory(id(1)).await.unwrap(), [a.clone(), b.clone()], "ordered by node");
    assert!(store.inventory(id(2)).await.unwrap().is_empty());
    let newer = item("./devdetail/SWV", Some("10.0.2"), 6);
    store.commit(vec![save(vec![newer.clone(), item("./DevDetail/Man", Some("late"), 4)])]).await.unwrap();
    assert_eq!(store.inventory(id(1)).await.unwrap(), [a, newer], "one row a node, the newest value");
    store.commit(vec![save(Vec::new())]).await.unwrap();
}

async fn missing_nodes_are_remembered(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let node = |uri: &str, version: &str, status| MissingNode {
        loc_uri: uri.to_owned(),
        os_version: version.to_owned(),
        status,
    };
    let remember = |node: &MissingNode| Write::RememberMissing { device_id: id(1), node: node.clone() };
    let (a, b) = (node("./a", "10.0.1", 404), node("./b", "10.0.1", 406));
    store.commit(vec![remember(&b), remember(&a)]).await.unwrap();
    assert_eq!(store.missing_nodes(id(1)).await.unwrap(), [a, b.clone()]);
    let newer = node("./a", "10.0.2", 406);
    store.commit(vec![remember(&newer)]).await.unwrap();
    assert_eq!(store.missing_nodes(id(1)).await.unwrap(), [newer, b]);
}

async fn ids_are_found_by_their_beginning(Ground { store, .. }: &Ground) {
    store
        .commit(vec![Write::InsertUser(user(0x100)), Write::InsertUser(user(0x101)), Write::InsertUser(user(0xff))])
        .await
        .unwrap();
    let [a, b, c] = [0x100, 0x101, 0xff].map(|number| id::<User>(number).to_string());
    let find = async |prefix: &str| store.ids_with_prefix(Table::Users, prefix).await.unwrap();
    assert_eq!(find(&a).await, [a.as_str()]);
    assert_eq!(find(&a.to_uppercase()).await, [a.as_str()]);
    assert_eq!(find(&a[..35]).await, [a.as_str(), b.as_str()]);
    assert_eq!(find(&c[..34]).await.len(), 1);
    assert_eq!(find("").await.len(), 2, "at most two");
    for nothing in ["f", "0192-", "%", "_", "0192%", "0192\0", "g", "'"] {
        assert!(find(nothing).await.is_empty(), "{nothing:?}");
    }
    enroll_all(store, [1]).await;
    let owner = user(0x100);
    let command = super::fixtures::command(1);
    let writes = vec![
        Write::InsertToken(token(1, &owner)),
        Write::InsertCommand(Box::new(command)),
        Write::InsertCertificate(Box::new(certificate(0xabc))),
        Write::SaveSession(Box::new(super::fixtures::session(1))),
        Write::SaveAttempt(Box::new(super::fixtures::attempt(1))),
    ];
    store.commit(writes).await.unwrap();
    for table in [Table::Devices, Table::Commands, Table::Sessions, Table::Attempts, Table::Tokens] {
        assert_eq!(store.ids_with_prefix(table, "0192").await.unwrap(), ids([1]), "{table:?}");
    }
    let serials = store.ids_with_prefix(Table::Certificates, &"0".repeat(29)).await.unwrap();
    assert_eq!(serials, [certificate(0xabc).serial]);
}

async fn settings_and_readiness(Ground { store, .. }: &Ground) {
    assert_eq!(store.setting("id").await.unwrap(), None);
    for value in ["one", "", "zwei'"] {
        store.set_setting("id", value).await.unwrap();
        assert_eq!(store.setting("id").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.setting("ID").await.unwrap(), None);
    assert_eq!(store.setting_or_insert("id", "other").await.unwrap(), "zwei'");
    let (first, second) = tokio::join!(store.setting_or_insert("new", "1"), store.setting_or_insert("new", "2"));
    assert_eq!(first.unwrap(), second.unwrap(), "both hear the same");
    let checks: Vec<_> =
        (0..8).map(|_| store.clone()).map(|store| tokio::spawn(async move { store.check().await })).collect();
    for check in checks {
        check.await.unwrap().unwrap();
    }
    assert!(store.db().query("SELECT id FROM health", Vec::new()).await.unwrap().is_empty(), "a check leaves nothing");
    store.close().await;
    assert!(store.check().await.is_err());
}
