//! Push: what is known of it, change by change.

use super::Ground;
use super::fixtures::{at, enroll_all, id};
use crate::app::ports::{Store, Write};
use crate::domain::push::{ChannelUri, Push, PushChange, Registration};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    changes_leave_each_other_alone(&make().await).await;
    the_channel_is_sealed(&make().await).await;
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
