//! What retention removes, and what it must not.

use super::Ground;
use super::fixtures::{at, attempt, audit_row, command, enroll_all, event, exchange, first, id, ids, session};
use crate::app::ports::{AttemptFilter, CommandFilter, Expired, SessionFilter, Store, Write};
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::session_record::StoredAnswer;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    closed_sessions_go_with_their_messages(&make().await).await;
    open_commands_stay(&make().await).await;
    the_last_place_of_events_is_never_forgotten(&make().await).await;
    attempts_and_audit_go_in_portions(&make().await).await;
}

async fn prune(store: &impl Store, what: Expired, before: i64, limit: u32) {
    store.commit(vec![Write::Prune { what, before: at(before), limit }]).await.unwrap();
}

async fn closed_sessions_go_with_their_messages(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    for (number, closed) in [(1, None), (2, Some(10)), (3, Some(20)), (4, Some(5))] {
        let mut one = session(number);
        one.closed_at = closed.map(at);
        let answer = StoredAnswer {
            session_id: one.id,
            enrollment_id: id(1),
            msg_id: 1,
            digest: [0; 32],
            at: at(i64::try_from(number).unwrap()),
            sealed: Vec::new(),
        };
        let writes = vec![
            Write::SaveSession(Box::new(one)),
            Write::AppendTranscript(vec![exchange(number, 1), exchange(number, 2)]),
            Write::SaveAnswer(Box::new(answer)),
        ];
        store.commit(writes).await.unwrap();
    }
    let left = async || {
        let listed = store.sessions(&SessionFilter::default(), &first(9)).await.unwrap();
        listed.items.iter().map(|session| session.id.to_string()).collect::<Vec<_>>()
    };
    prune(store, Expired::Sessions, 20, 1).await;
    assert_eq!(left().await, ids([3, 2, 1]), "the oldest first");
    prune(store, Expired::Sessions, 20, 100).await;
    assert_eq!(left().await, ids([3, 1]), "an open one stays however old it is");
    for (number, exchanges) in [(1, 2), (2, 0), (3, 2), (4, 0)] {
        assert_eq!(store.transcript(id(number)).await.unwrap().len(), exchanges, "{number}");
        assert_eq!(store.stored_answer(id(number)).await.unwrap().is_some(), exchanges > 0, "{number}");
    }
    prune(store, Expired::Answers, 3, 100).await;
    assert!(store.stored_answer(id(1)).await.unwrap().is_none());
    assert!(store.stored_answer(id(3)).await.unwrap().is_some());
    assert_eq!(store.transcript(id(1)).await.unwrap().len(), 2);
}

async fn open_commands_stay(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let states = [
        CommandState::Queued,
        CommandState::Sent,
        CommandState::Unknown,
        CommandState::Succeeded,
        CommandState::Failed,
        CommandState::Unsupported,
        CommandState::Expired,
        CommandState::Cancelled,
    ];
    for (number, state) in (1..).zip(states) {
        let one = QueuedCommand { state, finished_at: Some(at(1)), ..command(number) };
        store.commit(vec![Write::InsertCommand(Box::new(one))]).await.unwrap();
    }
    let late = QueuedCommand { state: CommandState::Failed, finished_at: Some(at(50)), ..command(9) };
    store.commit(vec![Write::InsertCommand(Box::new(late))]).await.unwrap();
    let left = async || {
        let listed = store.commands(&CommandFilter::default(), &first(20)).await.unwrap();
        listed.items.iter().map(|command| command.id.to_string()).collect::<Vec<_>>()
    };
    prune(store, Expired::Commands, 50, 2).await;
    assert_eq!(left().await.len(), 7);
    prune(store, Expired::Commands, 50, 100).await;
    assert_eq!(left().await, ids([9, 3, 2, 1]));
}

async fn the_last_place_of_events_is_never_forgotten(Ground { store, .. }: &Ground) {
    store.commit((1..=5).map(|number| Write::AppendEvent(event(number))).collect()).await.unwrap();
    let places = (1..=4).map(|number| (id(number as u128), number)).collect();
    store.commit(vec![Write::NumberEvents(places)]).await.unwrap();
    prune(store, Expired::Events, 0, 100).await;
    assert_eq!(store.events_after(0, None, 10).await.unwrap().len(), 4, "older than that moment, not of it");
    prune(store, Expired::Events, 100, 2).await;
    assert_eq!(store.events_after(0, None, 10).await.unwrap().len(), 2);
    assert!(store.is_due(Expired::Events, at(100)).await.unwrap());
    prune(store, Expired::Events, 100, 100).await;
    assert!(!store.is_due(Expired::Events, at(100)).await.unwrap(), "the last one stays");
    assert_eq!(store.last_event_seq().await.unwrap(), 4, "numbering goes on after it");
    assert_eq!(store.unnumbered_events(10).await.unwrap().len(), 1, "nobody has seen this one yet");
}

async fn attempts_and_audit_go_in_portions(Ground { store, .. }: &Ground) {
    for number in 1..=6_u128 {
        let millis = i64::try_from(number).unwrap();
        let mut one = attempt(number);
        one.started_at = at(millis);
        let mut row = audit_row(number);
        row.time = at(millis);
        store.commit(vec![Write::SaveAttempt(Box::new(one)), Write::AppendAudit(row)]).await.unwrap();
    }
    for (limit, left) in [(1, vec![6, 5, 4, 3, 2]), (100, vec![6, 5, 4])] {
        for what in [Expired::Attempts, Expired::Audit] {
            assert!(store.is_due(what, at(4)).await.unwrap() && !store.is_due(what, at(1)).await.unwrap());
        }
        prune(store, Expired::Attempts, 4, limit).await;
        prune(store, Expired::Audit, 4, limit).await;
        let attempts = store.attempts(&AttemptFilter::default(), &first(9)).await.unwrap().items;
        let rows = store.audit(None, &first(9)).await.unwrap().items;
        assert_eq!(attempts.iter().map(|attempt| attempt.id.to_string()).collect::<Vec<_>>(), ids(left.clone()));
        assert_eq!(rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>(), ids(left));
    }
    for what in [Expired::Attempts, Expired::Audit] {
        assert!(!store.is_due(what, at(4)).await.unwrap(), "none is left");
    }
}
