//! Alerts of devices.

use super::Ground;
use super::fixtures::{at, enroll_all, first, id, ids, walk};
use crate::app::ports::{Expired, Page, Store, Write};
use crate::domain::alert::AlertRecord;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    alerts_come_back_newest_first(&make().await).await;
    old_ones_go(&make().await).await;
}

fn alert(number: u128, device: u128, millis: i64) -> AlertRecord {
    AlertRecord {
        id: id(number),
        device_id: id(device),
        enrollment_id: id(device),
        session_id: Some(id(77)),
        at: at(millis),
        code: 1226,
        kind: "com.example:\"odd\" é".to_owned(),
        is_known: false,
        source: Some("./Vendor/MSFT/Example".to_owned()),
        mark: None,
        format: Some("chr".to_owned()),
        data: "first\n<payload> \u{F000}".to_owned(),
        data_bytes: u64::from(u32::MAX) + 1,
    }
}

async fn insert(store: &impl Store, alerts: impl IntoIterator<Item = AlertRecord>) {
    store.commit(alerts.into_iter().map(|alert| Write::InsertAlert(Box::new(alert))).collect()).await.unwrap();
}

async fn alerts_come_back_newest_first(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    insert(store, (1..=7).map(|number| alert(number, 1, i64::try_from(number / 3).unwrap()))).await;
    insert(store, [AlertRecord { session_id: None, source: None, format: None, ..alert(8, 2, 5) }]).await;
    let of = async |page: Page| store.alerts(id(1), &page).await;
    assert_eq!(walk(2, of, |alert| alert.id.to_string()).await, ids([7, 6, 5, 4, 3, 2, 1]));
    let listed = store.alerts(id(1), &first(1)).await.unwrap();
    assert_eq!(listed.items, [alert(7, 1, 2)], "as it was written");
    assert_eq!(store.alerts(id(2), &first(9)).await.unwrap().items.len(), 1);
    assert_eq!(store.alerts(id(3), &first(9)).await.unwrap().items, []);
}

async fn old_ones_go(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    insert(store, (1..=4).map(|number| alert(number, 1, i64::try_from(number).unwrap()))).await;
    for (limit, left) in [(1, ids([4, 3, 2])), (9, ids([4, 3]))] {
        store.commit(vec![Write::Prune { what: Expired::Alerts, before: at(3), limit }]).await.unwrap();
        let listed = store.alerts(id(1), &first(9)).await.unwrap();
        assert_eq!(listed.items.iter().map(|alert| alert.id.to_string()).collect::<Vec<_>>(), left);
    }
}
