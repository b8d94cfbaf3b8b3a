//! Push: what is known of it, change by change, and who is woken.

use super::Ground;
use super::fixtures::{at, enroll_all, id, ids, is_conflict};
use crate::app::ports::{Store, Write};
use crate::domain::push::{ChannelUri, Outcome, Push, PushChange, Registration, Sent};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    changes_leave_each_other_alone(&make().await).await;
    the_channel_is_sealed(&make().await).await;
    a_device_is_due_when_there_is_work(&make().await).await;
    a_push_is_claimed_once(&make().await).await;
    what_came_of_a_push_decides_the_next_one(&make().await).await;
    a_name_that_is_forgotten_is_given_anew(&make().await).await;
}

fn uri(token: &str) -> Option<ChannelUri> {
    ChannelUri::received(&format!("https://a.notify.windows.com/?token={token}"))
}

async fn change(Ground { store, .. }: &Ground, change: PushChange) -> Push {
    store.commit(vec![Write::ChangePush { enrollment_id: id(1), change }]).await.unwrap();
    store.push(id(1)).await.unwrap().unwrap()
}

async fn changes_leave_each_other_alone(ground: &Ground) {
    enroll_all(&ground.store, [1, 2]).await;
    assert_eq!(ground.store.push(id(1)).await.unwrap(), None);
    let mut known = Push { status: Some("4".to_owned()), status_at: Some(at(1)), ..Push::default() };
    let status = PushChange::Status { status: "4".to_owned(), at: at(1) };
    assert_eq!(change(ground, status).await, known);
    known.registration = Registration { pfn: Some("Example_1".to_owned()), status: Some(418), at: Some(at(2)) };
    assert_eq!(change(ground, PushChange::Registered(known.registration.clone())).await, known);
    (known.channel, known.channel_seq, known.channel_at) = (uri("one"), 1, Some(at(3)));
    let channel = PushChange::Channel { uri: uri("one"), refusal: None, at: at(3) };
    assert_eq!(change(ground, channel).await, known);
    (known.channel, known.channel_seq, known.channel_at) = (None, 2, Some(at(4)));
    known.refusal = Some("is elsewhere".to_owned());
    let refused = PushChange::Channel { uri: None, refusal: known.refusal.clone(), at: at(4) };
    assert_eq!(change(ground, refused).await, known);
    (known.status, known.status_at) = (Some("0".to_owned()), Some(at(5)));
    assert_eq!(change(ground, PushChange::Status { status: "0".to_owned(), at: at(5) }).await, known);
    assert_eq!(ground.store.push(id(2)).await.unwrap(), None, "of one enrollment only");
}

/// S-13: the file tells nobody where a device can be woken.
async fn the_channel_is_sealed(ground: &Ground) {
    enroll_all(&ground.store, [1]).await;
    let known = change(ground, PushChange::Channel { uri: uri("geheim"), refusal: None, at: at(3) }).await;
    assert_eq!(known.channel, uri("geheim"));
    let rows = ground.store.engine.query("SELECT channel FROM push", Vec::new()).await.unwrap();
    let stored = rows[0].of("push").bytes("channel").unwrap();
    assert!(!stored.windows(6).any(|part| part == b"geheim"));
}

fn sent(outcome: Outcome, millis: i64) -> Sent {
    Sent { outcome, at: at(millis), connection: None, detail: None, not_before: at(millis + 300) }
}

fn wake(millis: i64) -> Write {
    Write::WakeDevice { enrollment_id: id(1), at: at(millis) }
}

fn claim(by: &str, from: Option<&str>) -> Write {
    Write::ClaimPush { enrollment_id: id(1), by: by.to_owned(), from: from.map(str::to_owned) }
}

fn save(by: &str, sent: Sent, retry_at: Option<i64>) -> Write {
    Write::SavePushSent {
        enrollment_id: id(1),
        by: by.to_owned(),
        sent: Box::new(sent),
        tries: 1,
        retry_at: retry_at.map(at),
    }
}

/// The enrollments that are due.
async fn due(Ground { store, .. }: &Ground, millis: i64) -> Vec<String> {
    let due = store.due_pushes(at(millis), 9).await.unwrap();
    due.into_iter().map(|due| due.enrollment_id.to_string()).collect()
}

async fn with_channels(Ground { store, .. }: &Ground, numbers: [u128; 3]) {
    enroll_all(store, numbers).await;
    for number in numbers {
        let channel = PushChange::Channel { uri: uri("x"), refusal: None, at: at(0) };
        store.commit(vec![Write::ChangePush { enrollment_id: id(number), change: channel }]).await.unwrap();
    }
}

async fn push(Ground { store, .. }: &Ground) -> Push {
    store.push(id(1)).await.unwrap().unwrap()
}

async fn a_device_is_due_when_there_is_work(ground: &Ground) {
    let store = &ground.store;
    store.commit(vec![wake(5)]).await.unwrap();
    assert_eq!(due(ground, 99).await, ids([]), "nobody knows it");
    with_channels(ground, [1, 2, 3]).await;
    store.commit(vec![wake(9), Write::WakeDevice { enrollment_id: id(2), at: at(7) }]).await.unwrap();
    assert_eq!(due(ground, 6).await, ids([]));
    assert_eq!(due(ground, 9).await, ids([2, 1]), "longest due first");
    assert_eq!(store.due_pushes(at(9), 1).await.unwrap().len(), 1);
    store.commit(vec![Write::ForgetChannel { enrollment_id: id(2), channel_seq: 1, at: at(9) }]).await.unwrap();
    assert_eq!(due(ground, 9).await, ids([1]), "without a channel it cannot be woken");
    store.commit(vec![Write::ForgetChannel { enrollment_id: id(1), channel_seq: 7, at: at(9) }]).await.unwrap();
    assert_eq!(due(ground, 9).await, ids([1]), "another channel was meant");
}

/// of all that try, one claims it.
async fn a_push_is_claimed_once(ground: &Ground) {
    let store = &ground.store;
    with_channels(ground, [1, 2, 3]).await;
    assert!(is_conflict(store.commit(vec![claim("a", None)]).await), "not due");
    store.commit(vec![wake(1)]).await.unwrap();
    let tries = ["a", "b", "c", "d"].map(|by| {
        let store = store.clone();
        tokio::spawn(async move { (!is_conflict(store.commit(vec![claim(by, None)]).await)).then_some(by) })
    });
    let mut winners = Vec::new();
    for task in tries {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners.len(), 1, "R-11");
    let winner = winners[0];
    assert_eq!(push(ground).await.claimed_by.as_deref(), Some(winner));
    assert_eq!(due(ground, 9).await, ids([1]), "whoever pushes next, the same process or another, finds it");
    assert!(is_conflict(store.commit(vec![claim("z", Some("nobody"))]).await));
    store.commit(vec![claim("z", Some(winner))]).await.unwrap();
    store.commit(vec![Write::ReleasePush { enrollment_id: id(1), by: winner.to_owned() }]).await.unwrap();
    assert_eq!(push(ground).await.claimed_by.as_deref(), Some("z"), "it is not the winner's any more");
    store.commit(vec![Write::ReleasePush { enrollment_id: id(1), by: "z".to_owned() }]).await.unwrap();
    assert_eq!((push(ground).await.claimed_by, due(ground, 9).await), (None, ids([])));
}

async fn what_came_of_a_push_decides_the_next_one(ground: &Ground) {
    let store = &ground.store;
    with_channels(ground, [1, 2, 3]).await;
    for (case, meanwhile, retry_at, next) in [
        ("done", None, None, None),
        ("to be tried again", None, Some(900), Some(900)),
        ("new work meanwhile", Some(150), None, Some(400)),
        ("new work later than the pause", Some(500), None, Some(500)),
        ("new work counts more than another try", Some(150), Some(900), Some(400)),
    ] {
        let clean = Write::SavePushSent {
            enrollment_id: id(1),
            by: "a".to_owned(),
            sent: Box::new(Sent { not_before: at(0), ..sent(Outcome::Gone, 0) }),
            tries: 0,
            retry_at: None,
        };
        store.commit(vec![wake(1)]).await.unwrap();
        store.commit(vec![claim("a", None)]).await.unwrap();
        store.commit(vec![clean]).await.unwrap();
        store.commit(vec![wake(1)]).await.unwrap();
        store.commit(vec![claim("a", None)]).await.unwrap();
        store.commit(meanwhile.map(wake).into_iter().collect()).await.unwrap();
        let received = Sent {
            connection: Some("connected".to_owned()),
            detail: Some("x".to_owned()),
            ..sent(Outcome::Received, 100)
        };
        store.commit(vec![save("b", sent(Outcome::Gone, 1), Some(5))]).await.unwrap();
        store.commit(vec![save("a", received.clone(), retry_at)]).await.unwrap();
        let push = push(ground).await;
        assert_eq!((push.wake_at, push.claimed_by, push.tries), (next.map(at), None, 1), "{case}");
        assert_eq!(push.last, Some(received), "{case}");
        let forget = claim("a", None);
        if next.is_some() {
            store.commit(vec![forget, Write::ReleasePush { enrollment_id: id(1), by: "a".to_owned() }]).await.unwrap();
        }
    }
    store.commit(vec![wake(399)]).await.unwrap();
    assert_eq!(
        (push(ground).await.wake_at, push(ground).await.tries),
        (Some(at(400)), 0),
        "not before the pause is over"
    );
    store.commit(vec![wake(-2 * 86_400_000)]).await.unwrap();
    assert_eq!(push(ground).await.wake_at, Some(at(-2 * 86_400_000)), "a pause longer than any was a wrong clock's");
}

async fn a_name_that_is_forgotten_is_given_anew(ground: &Ground) {
    enroll_all(&ground.store, [1]).await;
    let made = Registration { pfn: Some("Example_1".to_owned()), status: Some(200), at: Some(at(2)) };
    assert!(change(ground, PushChange::Registered(made)).await.registration.is_made());
    ground.store.commit(vec![Write::ForgetRegistration { enrollment_id: id(1) }]).await.unwrap();
    assert!(!push(ground).await.registration.is_made());
}
