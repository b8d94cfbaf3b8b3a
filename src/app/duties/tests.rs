use super::*;
use crate::app::testing::Ground;

fn silence(ground: &Ground) {
    ground.clock.advance(time::Duration::try_from(SILENT).unwrap());
}

async fn holds(app: &App) -> bool {
    app.hold(Duty::Events).await.unwrap().is_some()
}

#[tokio::test]
async fn alone_on_a_database_nothing_is_written_down() {
    let ground = Ground::new().await;
    let hold = ground.app.hold(Duty::Upkeep).await.unwrap().unwrap();
    assert!(hold.guard().is_none());
    assert!(ground.app.store.lease("upkeep").await.unwrap().is_none());
}

#[tokio::test]
async fn one_process_has_a_duty_until_it_is_silent() {
    let ground = Ground::shared().await;
    let (first, second) = (ground.app.clone(), ground.other_process());
    assert!(holds(&first).await && holds(&first).await);
    assert!(!holds(&second).await);
    // For a minute, in steps shorter than the silence that is allowed, the first beats and stays.
    for _ in 0..20 {
        ground.clock.advance(time::Duration::seconds(3));
        assert!(holds(&first).await && !holds(&second).await);
    }
    silence(&ground);
    assert!(holds(&second).await, "it has not beaten for too long");
    assert!(!holds(&first).await, "it finds out when it wants to beat");
    assert_eq!(first.store.lease("events").await.unwrap().unwrap().term, 2);
}

#[tokio::test]
async fn what_a_slow_holder_commits_is_a_conflict() {
    let ground = Ground::shared().await;
    let (slow, quick) = (ground.app.clone(), ground.other_process());
    let hold = slow.hold(Duty::Events).await.unwrap().unwrap();
    assert!(!holds(&quick).await);
    silence(&ground);
    assert!(holds(&quick).await);
    let outcome = slow.store.commit(vec![hold.guard().unwrap()]).await;
    assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
}

#[tokio::test]
async fn a_process_that_ends_leaves_its_duties_at_once() {
    let ground = Ground::shared().await;
    let (first, second) = (ground.app.clone(), ground.other_process());
    first.keep_duties().await;
    second.keep_duties().await;
    assert!(!holds(&second).await);
    first.leave_duties().await;
    assert!(holds(&second).await, "without waiting");
    assert!(!holds(&first).await);
}

#[tokio::test]
async fn who_cannot_do_a_duty_leaves_it_to_others() {
    let ground = Ground::shared().await;
    assert!(!ground.app.mailer.is_on() && ground.app.settings.push.is_none());
    ground.app.keep_duties().await;
    let holder = async |duty: &str| ground.app.store.lease(duty).await.unwrap().and_then(|lease| lease.holder);
    for (duty, is_held) in [("events", true), ("upkeep", true), ("mail", false), ("push", false)] {
        assert_eq!(holder(duty).await.is_some(), is_held, "{duty}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_come_at_once_one_gets_it() {
    let ground = Ground::shared().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let app = ground.other_process();
            tokio::spawn(async move { holds(&app).await })
        })
        .collect();
    let mut holders = 0;
    for task in tasks {
        holders += u32::from(task.await.unwrap());
    }
    assert_eq!(holders, 1);
}

/// Numbers are given without gaps and never twice, whoever publishes.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_numbered_by_one_of_several() {
    let ground = Ground::shared().await;
    let apps: Vec<App> = (0..3).map(|_| ground.other_process()).collect();
    let tasks: Vec<_> = apps
        .into_iter()
        .map(|app| {
            tokio::spawn(async move {
                for _ in 0..40 {
                    app.commit(vec![app.event("test.event", None, serde_json::json!({}))]).await.unwrap();
                    app.publish_events().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    silence(&ground);
    while ground.app.store.last_event_seq().await.unwrap() < 120 {
        ground.app.publish_events().await.unwrap();
        silence(&ground);
    }
    let events = ground.app.store.events_after(0, None, 1000).await.unwrap();
    let places: Vec<i64> = events.iter().filter_map(|event| event.seq).collect();
    assert_eq!(places, (1..=120).collect::<Vec<i64>>());
}

#[test]
fn a_look_that_comes_late_sees_no_time_pass() {
    let duties = Duties::new(&crate::adapters::system::SystemRng);
    let lease = Lease { holder: Some("another".to_owned()), term: 1, beat: 0 };
    let silent_for = |seconds| duties.unchanged_for(Duty::Upkeep, lease.clone(), Duration::from_secs(seconds));
    assert_eq!(silent_for(10), Duration::ZERO);
    assert_eq!(silent_for(9), Duration::ZERO, "it asked the clock before the first look, and came after it");
    assert_eq!(silent_for(19), Duration::from_secs(9));
}
