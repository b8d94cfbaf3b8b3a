//! Events and their numbering.

use super::Ground;
use super::fixtures::{assert_same, at, event, id, ids, is_conflict};
use crate::app::ports::{Store, Write};
use crate::domain::event::Event;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    an_event_is_read_as_written(&make().await).await;
    events_are_numbered_once(&make().await).await;
    numbered_events_are_read_in_order(&make().await).await;
    two_publishers_cannot_both_number(&make().await).await;
}

async fn an_event_is_read_as_written(Ground { store, .. }: &Ground) {
    let full = Event {
        subject: Some(id::<()>(9).to_string()),
        time: at(3),
        data: serde_json::json!({"a": [1, null, "\u{0}'%"], "b": {"c": 1.5}}),
        ..event(1)
    };
    store.commit(vec![Write::AppendEvent(full.clone()), Write::AppendEvent(event(2))]).await.unwrap();
    assert_same(&store.event(id(1)).await.unwrap().unwrap(), &full);
    assert_same(&store.event(id(2)).await.unwrap().unwrap(), &event(2));
    assert!(store.event(id(3)).await.unwrap().is_none());
    assert!(is_conflict(store.commit(vec![Write::AppendEvent(event(1))]).await), "a taken id");
}

async fn events_are_numbered_once(Ground { store, .. }: &Ground) {
    store.commit((1..=4).rev().map(|number| Write::AppendEvent(event(number))).collect()).await.unwrap();
    assert_eq!(store.last_event_seq().await.unwrap(), 0);
    let waiting = async |limit| {
        let found = store.unnumbered_events(limit).await.unwrap();
        found.iter().map(|event| event.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(waiting(10).await, ids([1, 2, 3, 4]), "oldest id first");
    assert_eq!(waiting(2).await, ids([1, 2]));
    store.commit(vec![Write::NumberEvents(vec![(id(1), 1), (id(3), 2)])]).await.unwrap();
    assert_eq!(waiting(10).await, ids([2, 4]));
    assert_eq!(store.last_event_seq().await.unwrap(), 2);
    for (case, places) in [
        ("numbered already", vec![(id(2), 3), (id(1), 4)]),
        ("a taken place", vec![(id(4), 3), (id(2), 2)]),
        ("no such event", vec![(id(2), 3), (id(9), 4)]),
    ] {
        assert!(is_conflict(store.commit(vec![Write::NumberEvents(places)]).await), "{case}");
        assert_eq!(waiting(10).await, ids([2, 4]), "{case}");
    }
}

async fn numbered_events_are_read_in_order(Ground { store, .. }: &Ground) {
    let about = |number: u128| Event { subject: number.is_multiple_of(2).then(|| "even".to_owned()), ..event(number) };
    store.commit((1..=7).map(|number| Write::AppendEvent(about(number))).collect()).await.unwrap();
    // The order of ids is not the order of places; 7 has none yet.
    let places = [(6, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)];
    let places = places.into_iter().map(|(number, seq)| (id(number), seq)).collect();
    store.commit(vec![Write::NumberEvents(places)]).await.unwrap();
    let after = async |seq, subject, limit| {
        let found = store.events_after(seq, subject, limit).await.unwrap();
        found.iter().map(|event| event.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(after(0, None, 10).await, ids([6, 1, 2, 3, 4, 5]));
    assert_eq!(after(2, None, 3).await, ids([2, 3, 4]));
    assert_eq!(after(6, None, 3).await, ids([]));
    assert_eq!(after(0, Some("even"), 10).await, ids([6, 2, 4]));
    assert_eq!(after(1, Some("even"), 1).await, ids([2]));
    assert_eq!(after(0, Some("%"), 10).await, ids([]));
    assert_eq!(store.event(id(6)).await.unwrap().unwrap().seq, Some(1));
}

async fn two_publishers_cannot_both_number(Ground { store, .. }: &Ground) {
    store.commit((1..=5).map(|number| Write::AppendEvent(event(number))).collect()).await.unwrap();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            let places: Vec<_> = (1..=5).map(|number| (id(number as u128), number)).collect();
            tokio::spawn(async move { !is_conflict(store.commit(vec![Write::NumberEvents(places)]).await) })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!((won, store.last_event_seq().await.unwrap()), (1, 5));
}
