//! Files that devices upload.

use super::Ground;
use super::fixtures::{at, enroll_all, first, id, ids, is_conflict, walk};
use crate::app::ports::{Expired, Page, Store, Table, Write};
use crate::domain::upload::{Received, Upload, UploadChunk};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_file_comes_row_by_row(&make().await).await;
    one_sends_at_a_time(&make().await).await;
    what_broke_off_leaves_nothing(&make().await).await;
    old_ones_go_with_their_files(&make().await).await;
}

fn upload(number: u128) -> Upload {
    Upload {
        id: id(number),
        device_id: id(1),
        enrollment_id: id(1),
        secret_hash: [7; 32],
        created_at: at(i64::try_from(number).unwrap()),
        expires_at: at(1000 + i64::try_from(number).unwrap()),
        attempt: None,
        attempt_at: None,
        received: None,
    }
}

fn received(millis: i64) -> Received {
    Received { at: at(millis), bytes: u64::from(u32::MAX) + 7, chunks: 2, sha256: [9; 32] }
}

fn begin(number: u128, attempt: u128, now: i64) -> Write {
    Write::BeginUpload { id: id(number), attempt: id(attempt), at: at(now) }
}

fn append(number: u128, attempt: u128, seq: u32, now: i64) -> Write {
    let sealed = vec![u8::try_from(attempt).unwrap(), u8::try_from(seq).unwrap(), 0, 255];
    let chunk = UploadChunk { upload_id: id(number), attempt: id(attempt), seq, sealed };
    Write::AppendUploadChunk { chunk: Box::new(chunk), at: at(now) }
}

fn finish(number: u128, attempt: u128, millis: i64) -> Write {
    Write::FinishUpload { id: id(number), attempt: id(attempt), received: received(millis) }
}

async fn insert(store: &impl Store, numbers: impl IntoIterator<Item = u128>) {
    enroll_all(store, [1]).await;
    store
        .commit(numbers.into_iter().map(|number| Write::InsertUpload(Box::new(upload(number)))).collect())
        .await
        .unwrap();
}

async fn all(store: &impl Store, writes: impl IntoIterator<Item = Write>) {
    for write in writes {
        store.commit(vec![write]).await.unwrap();
    }
}

async fn chunk(store: &impl Store, number: u128, seq: u32) -> Option<Vec<u8>> {
    store.upload_chunk(id(number), seq).await.unwrap()
}

async fn a_file_comes_row_by_row(Ground { store, .. }: &Ground) {
    insert(store, 1..=3).await;
    assert_eq!(store.upload(id(2)).await.unwrap(), Some(upload(2)));
    all(store, [begin(2, 5, 10), append(2, 5, 0, 11), append(2, 5, 1, 12)]).await;
    let under_way = Upload { attempt: Some(id(5)), attempt_at: Some(at(12)), ..upload(2) };
    assert_eq!(store.upload(id(2)).await.unwrap(), Some(under_way.clone()));
    all(store, [finish(2, 5, 13)]).await;
    let whole = Upload { received: Some(received(13)), ..under_way };
    assert_eq!(store.upload(id(2)).await.unwrap(), Some(whole));
    assert_eq!(chunk(store, 2, 1).await, Some(vec![5, 1, 0, 255]));
    assert_eq!((chunk(store, 2, 2).await, chunk(store, 1, 0).await), (None, None));
    let listed = async |page: Page| store.uploads(None, &page).await;
    assert_eq!(walk(2, listed, |upload| upload.id.to_string()).await, ids([3, 2, 1]));
    assert_eq!(store.uploads(Some(id(1)), &first(9)).await.unwrap().items.len(), 3);
    assert_eq!(store.uploads(Some(id(2)), &first(9)).await.unwrap().items, []);
    let prefix = id::<Upload>(3).to_string();
    assert_eq!(store.ids_with_prefix(Table::Uploads, &prefix).await.unwrap(), [prefix]);
    all(store, [Write::DeleteUpload(id(2))]).await;
    assert_eq!((store.upload(id(2)).await.unwrap(), chunk(store, 2, 1).await), (None, None));
    assert!(is_conflict(store.commit(vec![Write::DeleteUpload(id(2))]).await));
}

async fn one_sends_at_a_time(Ground { store, .. }: &Ground) {
    insert(store, [1]).await;
    all(store, [begin(1, 5, 10), append(1, 5, 0, 20)]).await;
    all(store, [begin(1, 6, 40)]).await;
    assert_eq!(chunk(store, 1, 0).await, None, "what the first had sent is gone");
    for late in [append(1, 5, 1, 41), finish(1, 5, 42)] {
        assert!(is_conflict(store.commit(vec![late]).await));
    }
    all(store, [Write::AbandonUpload { id: id(1), attempt: id(5) }, append(1, 6, 0, 43), finish(1, 6, 44)]).await;
    assert_eq!(chunk(store, 1, 0).await, Some(vec![6, 0, 0, 255]));
    for late in [begin(1, 7, 999), append(1, 6, 1, 50), finish(1, 6, 51)] {
        assert!(is_conflict(store.commit(vec![late]).await), "it came");
    }
    all(store, [Write::AbandonUpload { id: id(1), attempt: id(6) }]).await;
    assert!(chunk(store, 1, 0).await.is_some(), "a whole file is not abandoned");
}

async fn what_broke_off_leaves_nothing(Ground { store, .. }: &Ground) {
    insert(store, [1, 2]).await;
    all(store, [begin(1, 5, 10), append(1, 5, 0, 20), begin(2, 6, 10), append(2, 6, 0, 30)]).await;
    all(store, [Write::AbandonUpload { id: id(1), attempt: id(5) }]).await;
    assert_eq!((store.upload(id(1)).await.unwrap(), chunk(store, 1, 0).await), (Some(upload(1)), None));
    all(store, [Write::ForgetQuietUploads { quiet_since: at(30) }]).await;
    assert!(chunk(store, 2, 0).await.is_some(), "not quiet yet");
    all(store, [Write::ForgetQuietUploads { quiet_since: at(31) }]).await;
    assert_eq!((store.upload(id(2)).await.unwrap(), chunk(store, 2, 0).await), (Some(upload(2)), None));
}

async fn old_ones_go_with_their_files(Ground { store, .. }: &Ground) {
    insert(store, 1..=4).await;
    for (number, millis) in [(1, 50), (2, 60)] {
        all(store, [begin(number, 9, 40), append(number, 9, 0, 41), finish(number, 9, millis)]).await;
    }
    all(store, [Write::ForgetQuietUploads { quiet_since: at(9999) }]).await;
    let left = async || {
        let listed = store.uploads(None, &first(9)).await.unwrap();
        listed.items.iter().map(|upload| upload.id.to_string()).collect::<Vec<_>>()
    };
    let prune = |what, before| Write::Prune { what, before: at(before), limit: 9 };
    all(store, [prune(Expired::Uploads, 60)]).await;
    assert_eq!((left().await, chunk(store, 1, 0).await), (ids([4, 3, 2]), None));
    all(store, [prune(Expired::UnusedUploads, 1004)]).await;
    assert_eq!(left().await, ids([4, 2]), "what came outlives its URL");
    assert!(chunk(store, 2, 0).await.is_some());
}
