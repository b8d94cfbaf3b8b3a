use super::*;
use crate::app::ports::StoreError;
use crate::app::testing::Ground;
use crate::app::transcripts::Body;
use crate::proto::syncml::Encoding;

/// A message that changed nothing: how many there were is told by the digest of what the device said.
fn left(enrollment: &Enrollment, base: Option<i64>, number: u64) -> Left {
    Left {
        enrollment: enrollment.id,
        base,
        conversation: Arc::new(Conversation { told: Some(number), ..Conversation::default() }),
        seen: crate::app::testing::NOON,
        sessions: Vec::new(),
        events: Vec::new(),
        answer: None,
    }
}

async fn seen(ground: &Ground, enrollment: &Enrollment) -> bool {
    let stored = ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap();
    stored.last_seen_at == Some(crate::app::testing::NOON)
}

fn remembered(behind: &Behind, enrollment: &Enrollment, stored: Option<i64>) -> Option<u64> {
    behind.remembered(enrollment.id, stored).and_then(|(conversation, _)| conversation.told)
}

#[tokio::test]
async fn what_waits_is_seen_by_the_next_message_and_written_once() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let behind = &ground.app.memory.behind;
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 1)), Put::Kept);
    assert_eq!(remembered(behind, &enrollment, None), Some(1));
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::Kept);
    assert!(!seen(&ground, &enrollment).await, "not before its time");
    ground.app.catch_up().await;
    let stored = ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap();
    assert_eq!((stored.last_seen_at, stored.version), (Some(crate::app::testing::NOON), enrollment.version));
    assert!(ground.app.memory.behind.waiting().is_idle());
    assert_eq!(remembered(behind, &enrollment, None), Some(2), "for a retransmission");
    assert!(ground.app.store.conversation(enrollment.id).await.unwrap().is_none(), "nowhere else");
    assert_eq!(ground.app.commits().counts()[1], ("behind", 1));
}

#[tokio::test]
async fn what_was_computed_from_something_older_is_not_taken() {
    let ground = Ground::new().await;
    let (one, other) = (ground.enrollment().await, ground.enrollment().await);
    let behind = &ground.app.memory.behind;
    let before = behind.moment();
    assert_eq!(behind.put(before, left(&one, None, 1)), Put::Kept);
    assert_eq!(behind.put(before, left(&one, None, 2)), Put::Changed, "another message of it came first");
    assert_eq!(behind.put(before, left(&other, None, 3)), Put::Kept, "others go their way");
    let before = behind.moment();
    ground.app.commit(Vec::new()).await.unwrap();
    assert!(!behind.is_same_since(before, one.id));
    assert_eq!(behind.put(before, left(&one, None, 2)), Put::Kept, "what it comes before is no matter");
    let before = behind.moment();
    let committing = behind.begin(one.id, Some(before)).unwrap();
    assert_eq!(behind.put(behind.moment(), left(&one, None, 3)), Put::NotNow, "a message of it is being committed");
    drop(committing);
    assert_eq!(behind.put(before, left(&one, None, 3)), Put::Changed);
    assert_eq!(remembered(behind, &one, None), Some(2), "what failed to commit took nothing along");
    behind.begin(one.id, None).unwrap().succeed();
    assert_eq!(remembered(behind, &one, None), Some(2), "no conversation was committed");
    let before = behind.moment();
    assert_eq!(behind.put(behind.moment(), left(&one, None, 3)), Put::Kept);
    assert!(behind.begin(one.id, Some(before)).is_none(), "what would be committed does not hold it");
    behind.begin(one.id, Some(behind.moment())).unwrap().succeed();
    assert_eq!(remembered(behind, &one, None), None, "what was committed holds it");
}

/// What others commit turns no message back, and is noted even when whoever asked for it does not wait for its end.
#[tokio::test]
async fn a_commit_of_others_is_noted_however_it_ends() {
    let (ground, faults) = Ground::faulty().await;
    let enrollment = ground.enrollment().await;
    let behind = &ground.app.memory.behind;
    let before = behind.moment();
    let seen = || vec![Write::CatchUpSeen { id: enrollment.id, at: crate::app::testing::NOON }];
    let commit = ground.app.commit(seen());
    assert!(behind.is_same_since(before, enrollment.id));
    let _ = tokio::time::timeout(Duration::ZERO, commit).await;
    assert!(!behind.is_same_since(before, enrollment.id), "given up or done");
    assert!(behind.begin(enrollment.id, Some(before)).is_some(), "the guards of the batch decide");
    let before = behind.moment();
    faults.hang();
    assert!(ground.app.commit(seen()).await.is_err());
    assert!(!behind.is_same_since(before, enrollment.id), "nobody knows what became of it");
}

#[tokio::test]
async fn a_round_goes_on_when_its_caller_is_gone() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let behind = &ground.app.memory.behind;
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 1)), Put::Kept);
    let _ = tokio::time::timeout(Duration::ZERO, ground.app.catch_up()).await;
    while !behind.is_idle() {
        tokio::task::yield_now().await;
    }
    assert!(seen(&ground, &enrollment).await);
}

#[tokio::test]
async fn what_comes_during_a_round_is_rung_for() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let behind = &ground.app.memory.behind;
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 1)), Put::Kept);
    behind.bell.notified().await;
    drop(behind.take());
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::Kept);
    behind.end_round(None);
    let rung = tokio::time::timeout(Duration::from_secs(5), behind.bell.notified()).await;
    assert!(rung.is_ok(), "what waits is written though nothing else comes");
}

/// What somebody else has changed meanwhile counts.
#[tokio::test]
async fn a_change_of_others_wins() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let behind = &ground.app.memory.behind;
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 1)), Put::Kept);
    assert_eq!(remembered(behind, &enrollment, Some(77)), None);
    assert_eq!(behind.put(behind.moment(), left(&enrollment, Some(77), 78)), Put::Kept);
    assert_eq!(remembered(behind, &enrollment, Some(77)), Some(78));
    assert_eq!(remembered(behind, &enrollment, None), None);
}

#[tokio::test]
async fn what_the_database_does_not_take_waits_on() {
    let (ground, faults) = Ground::faulty().await;
    let (enrollment, another) = (ground.enrollment().await, ground.enrollment().await);
    let behind = &ground.app.memory.behind;
    let event = ground.app.event("device.checkin", None, serde_json::json!({}));
    let with_event = Left { events: vec![event], ..left(&enrollment, None, 1) };
    assert_eq!(behind.put(behind.moment(), with_event), Put::Kept);
    faults.hang();
    assert!(matches!(ground.app.write_behind().await, Err(StoreError::Unavailable(_))));
    assert_eq!(behind.waiting().rows(), 2, "the event, and when it was seen");
    assert_eq!(behind.put(behind.moment(), left(&another, None, 1)), Put::NotNow, "whoever commits learns of it");
    faults.resume();
    ground.app.write_behind().await.unwrap();
    assert_eq!(behind.put(behind.moment(), left(&another, None, 1)), Put::Kept);
    assert!(!seen(&ground, &another).await, "of the next round");
    assert!(seen(&ground, &enrollment).await);
    assert_eq!(ground.app.store.unnumbered_events(10).await.unwrap().len(), 1);
}

/// One enrollment that is gone costs the others nothing.
#[tokio::test]
async fn what_cannot_be_written_stands_in_nobodys_way() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let gone = Enrollment { id: ground.app.new_id(), ..enrollment.clone() };
    let behind = &ground.app.memory.behind;
    assert_eq!(behind.put(behind.moment(), left(&gone, None, 1)), Put::Kept);
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::Kept);
    ground.app.catch_up().await;
    assert!(seen(&ground, &enrollment).await);
    assert!(behind.waiting().is_idle());
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let ground = Ground::new().await;
    let behind = Behind::default();
    let enrollment = ground.enrollment().await;
    for _ in 0..MOST_ROWS {
        let another = Enrollment { id: ground.app.new_id(), ..enrollment.clone() };
        assert_eq!(behind.put(behind.moment(), left(&another, None, 1)), Put::Kept);
    }
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 1)), Put::NotNow);
    let exchange = |bytes| Exchange {
        session: ground.app.new_id(),
        number: 1,
        at: ground.app.now(),
        encoding: Encoding::Xml,
        message: Body::Message(vec![0; bytes]),
        given: None,
        status: 200,
        answer: Body::Words(String::new()),
    };
    (0..6).for_each(|_| behind.record(exchange(MOST_BYTES / 4)));
    let waiting = || {
        let waiting = behind.waiting();
        (waiting.exchanges.len(), waiting.bytes)
    };
    assert_eq!(waiting(), (4, MOST_BYTES));
    drop(behind.take());
    behind.record(exchange(MOST_BYTES));
    assert_eq!(waiting(), (0, 0), "what was taken takes room until it is written");
    behind.end_round(None);
    behind.record(exchange(MOST_BYTES));
    assert_eq!(waiting(), (1, MOST_BYTES));
    (0..=MOST_EXCHANGES).for_each(|_| behind.record(exchange(0)));
    assert_eq!(waiting(), (MOST_EXCHANGES, MOST_BYTES));
}

#[tokio::test]
async fn what_one_device_leaves_is_bounded() {
    let ground = Ground::new().await;
    let behind = Behind::default();
    let enrollment = ground.enrollment().await;
    let event = ground.app.event("device.checkin", None, serde_json::json!({}));
    let many = Left { events: vec![event; MOST_ROWS], ..left(&enrollment, None, 1) };
    assert_eq!(behind.put(behind.moment(), many), Put::Kept);
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::NotNow);
    drop(behind.take());
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::NotNow, "it is on its way");
    behind.end_round(None);
    assert_eq!(behind.put(behind.moment(), left(&enrollment, None, 2)), Put::Kept);
}
