//! Large objects and their parts.

use super::super::engine::Statement;
use super::Ground;
use super::fixtures::{assert_same, at, command, enroll_all, id, is_conflict};
use crate::app::ports::{Expired, Store, StoreError, Write};
use crate::domain::object::{LargeObject, ObjectPart};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    parts_are_read_by_their_bytes(&make().await).await;
    an_object_becomes_whole_once(&make().await).await;
    an_object_goes_with_its_parts(&make().await).await;
    what_they_take_is_counted(&make().await).await;
}

fn object(number: u128, bytes: u64) -> LargeObject {
    LargeObject { id: id(number), enrollment_id: id(1), command_id: None, bytes, is_whole: false, at: at(1) }
}

fn part(number: u128, seq: u32, start: u64, text: &str) -> Write {
    Write::AppendObject(ObjectPart { object_id: id(number), seq, start, text: text.to_owned() })
}

async fn texts(store: &impl Store, number: u128, span: (u64, u64), limit: u32) -> Vec<String> {
    let parts = store.object_parts(id(number), span, limit).await.unwrap();
    parts.into_iter().map(|part| part.text).collect()
}

async fn parts_are_read_by_their_bytes(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    // A batch has no order of its own: the object comes before its parts.
    let parts = ["ab", "cdé", "f"].into_iter().zip([0, 2, 6]).zip(0..);
    let mut writes: Vec<Write> = parts.map(|((text, start), seq)| part(1, seq, start, text)).collect();
    writes.push(Write::InsertObject(object(1, 7)));
    store.commit(writes).await.unwrap();
    assert_same(&store.object(id(1)).await.unwrap().unwrap(), &object(1, 7));
    let spans: [((u64, u64), &[&str]); 5] = [
        ((0, u64::MAX), &["ab", "cdé", "f"]),
        ((0, 2), &["ab"]),
        ((1, 3), &["ab", "cdé"]),
        ((6, 7), &["f"]),
        ((7, u64::MAX), &[]),
    ];
    for (span, expected) in spans {
        assert_eq!(texts(store, 1, span, 9).await, expected, "{span:?}");
    }
    assert_eq!(texts(store, 1, (0, 7), 1).await, ["ab"]);
    assert!(texts(store, 2, (0, 7), 9).await.is_empty());
    assert!(is_conflict(store.commit(vec![part(1, 0, 0, "again")]).await), "a number that is taken");
    assert!(is_conflict(store.commit(vec![part(2, 0, 0, "of nothing")]).await), "a part of nothing");
    let moved = "UPDATE object_parts SET seq = 9 WHERE object_id = $1 AND seq = 0";
    store.engine.commit(vec![Statement::one(moved, vec![id::<LargeObject>(1).into()])]).await.unwrap();
    let outcome = store.object_parts(id(1), (0, 2), 9).await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "a part opens in its own place alone");
}

async fn an_object_becomes_whole_once(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    store.commit(vec![Write::InsertObject(object(1, 9))]).await.unwrap();
    let finish = || Write::FinishObject { id: id(1), bytes: 7 };
    store.commit(vec![finish()]).await.unwrap();
    let whole = LargeObject { is_whole: true, bytes: 7, ..object(1, 9) };
    assert_same(&store.object(id(1)).await.unwrap().unwrap(), &whole);
    assert!(is_conflict(store.commit(vec![finish()]).await), "whole already");
    assert!(is_conflict(store.commit(vec![Write::InsertObject(object(1, 9))]).await), "a taken id");
    store.commit(vec![Write::InsertObject(LargeObject { at: at(0), ..object(2, 9) })]).await.unwrap();
    store.commit(vec![Write::InsertObject(object(3, 9))]).await.unwrap();
    store.commit(vec![Write::Prune { what: Expired::Objects, before: at(1), limit: 9 }]).await.unwrap();
    assert!(store.object(id(2)).await.unwrap().is_none(), "it was never to be whole");
    assert!(store.object(id(3)).await.unwrap().is_some(), "not yet");
    store.commit(vec![Write::Prune { what: Expired::Objects, before: at(9), limit: 9 }]).await.unwrap();
    assert!(store.object(id(1)).await.unwrap().is_some(), "a whole one stays");
}

async fn an_object_goes_with_its_parts(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let mut over = command(7);
    over.end(crate::domain::command::CommandState::Succeeded, "done", at(2));
    let of_command = LargeObject { command_id: Some(over.id), ..object(2, 3) };
    let writes = vec![
        part(1, 0, 0, "abc"),
        part(2, 0, 0, "def"),
        Write::InsertObject(object(1, 3)),
        Write::InsertObject(of_command.clone()),
        Write::InsertCommand(Box::new(over)),
    ];
    store.commit(writes).await.unwrap();
    assert_same(&store.object(id(2)).await.unwrap().unwrap(), &of_command);
    for _ in 0..2 {
        store.commit(vec![Write::DeleteObject(id(1))]).await.unwrap();
    }
    assert!(texts(store, 1, (0, 9), 9).await.is_empty());
    store.commit(vec![Write::Prune { what: Expired::Commands, before: at(9), limit: 9 }]).await.unwrap();
    assert!(store.object(id(2)).await.unwrap().is_none(), "it goes with its command");
    assert!(texts(store, 2, (0, 9), 9).await.is_empty());
}

async fn what_they_take_is_counted(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    assert_eq!(store.object_bytes(id(1)).await.unwrap(), (0, 0));
    let other = LargeObject { enrollment_id: id(2), ..object(3, 100) };
    let writes = [object(1, 5), object(2, 7), other].map(Write::InsertObject);
    store.commit(writes.into()).await.unwrap();
    assert_eq!(store.object_bytes(id(1)).await.unwrap(), (12, 112));
    assert_eq!(store.object_bytes(id(9)).await.unwrap(), (0, 112));
}
