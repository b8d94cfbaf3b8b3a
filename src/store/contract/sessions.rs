//! Sessions, transcripts, stored answers, and the enrollment ledger.

use uuid::Uuid;

use super::Ground;
use super::fixtures::{assert_same, at, attempt, enroll_all, exchange, id, ids, is_conflict, session, walk};
use crate::app::ports::{AttemptFilter, SessionFilter, Store, Write};
use crate::domain::attempt::{Attempt, Outcome, Phase, Road};
use crate::domain::entra::{EntraClaims, TokenEvidence};
use crate::domain::proof::Proof;
use crate::domain::refused::Refused;
use crate::domain::registration::RegisteredBy;
use crate::domain::session_record::{SessionRecord, StoredAnswer, TranscriptExchange};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_session_is_read_as_saved(&make().await).await;
    sessions_are_listed(&make().await).await;
    transcripts_keep_what_was_there_first(&make().await).await;
    the_last_answer_of_a_session_is_kept(&make().await).await;
    an_attempt_is_read_as_saved(&make().await).await;
    the_newest_open_attempt_is_found(&make().await).await;
    a_refusal_is_repeated(&make().await).await;
    lists_tell_whether_the_device_came(&make().await).await;
    attempts_are_filtered(&make().await).await;
}

fn save(session: &SessionRecord) -> Write {
    Write::SaveSession(Box::new(session.clone()))
}

async fn a_session_is_read_as_saved(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let bare = session(1);
    let full = SessionRecord {
        last_at: at(5),
        closed_at: Some(at(6)),
        state: "aborted".to_owned(),
        messages: 9,
        mode: Some("user".to_owned()),
        correlation: Some("cV.0".to_owned()),
        client_request_id: Some("{x}".to_owned()),
        remarks: vec!["a \"gap\"".to_owned(), "two\nlines".to_owned()],
        proofs: vec![Proof::ProxyCertificate, Proof::Digest],
        tokens: TokenEvidence {
            claims: Some(EntraClaims {
                tenant_id: Uuid::from_u128(7),
                upn: Some("é@x".into()),
                ..EntraClaims::default()
            }),
            rejected: Some("it ended".to_owned()),
        },
        ..bare.clone()
    };
    for version in [&bare, &full] {
        store.commit(vec![save(version)]).await.unwrap();
        assert_same(&store.session(id(1)).await.unwrap().unwrap(), version);
    }
    assert!(store.session(id(2)).await.unwrap().is_none());
}

async fn sessions_are_listed(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    for number in 1..=6_u128 {
        let mut one = session(number);
        one.device_id = id(1 + number % 2);
        one.opened_at = at(i64::try_from(number / 4).unwrap());
        one.last_at = at(10 - i64::try_from(number).unwrap());
        one.closed_at = (number == 5).then(|| at(9));
        store.commit(vec![save(&one)]).await.unwrap();
    }
    let name = |session: &SessionRecord| session.id.to_string();
    for limit in [1, 2, 6] {
        let all = SessionFilter::default();
        let walked = walk(limit, async |page| store.sessions(&all, &page).await, name).await;
        assert_eq!(walked, ids([6, 5, 4, 3, 2, 1]));
        let of_one = SessionFilter { device: Some(id(2)) };
        let walked = walk(limit, async |page| store.sessions(&of_one, &page).await, name).await;
        assert_eq!(walked, ids([5, 3, 1]));
    }
    let idle = async |before, limit| {
        let found = store.idle_sessions(at(before), limit).await.unwrap();
        found.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(idle(8, 10).await, ids([6, 4, 3]), "open, and the last message before that moment");
    assert_eq!(idle(8, 1).await, ids([6]));
}

async fn transcripts_keep_what_was_there_first(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let other = exchange(2, 1);
    let said = vec![exchange(1, 2), exchange(1, 1), other];
    store.commit(vec![Write::AppendTranscript(said), save(&session(1)), save(&session(2))]).await.unwrap();
    let mut again = exchange(1, 2);
    again.body = b"other".to_vec();
    store.commit(vec![Write::AppendTranscript(vec![again, exchange(1, 10)])]).await.unwrap();
    let stored = store.transcript(id(1)).await.unwrap();
    assert_same(&stored, &vec![exchange(1, 1), exchange(1, 2), exchange(1, 10)]);
    assert!(store.transcript(id(3)).await.unwrap().is_empty());
    // A message that came again has the number of the first, and stands behind it.
    let repeated = vec![TranscriptExchange { at: at(5), ..exchange(1, 2) }, exchange(1, 3)];
    store.commit(vec![Write::AppendTranscript(repeated)]).await.unwrap();
    let order: Vec<_> = store.transcript(id(1)).await.unwrap().iter().map(|one| (one.number, one.at)).collect();
    assert_eq!(order, [(1, at(1)), (2, at(2)), (2, at(5)), (3, at(3)), (10, at(10))]);
    store.commit(vec![Write::AppendTranscript(Vec::new())]).await.unwrap();
}

async fn the_last_answer_of_a_session_is_kept(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    assert!(store.stored_answer(id(1)).await.unwrap().is_none());
    for msg_id in [1, 2] {
        let answer = StoredAnswer {
            session_id: id(1),
            enrollment_id: id(1),
            msg_id,
            digest: [msg_id as u8; 32],
            at: at(3),
            sealed: vec![0, 255],
        };
        store.commit(vec![Write::SaveAnswer(Box::new(answer.clone())), save(&session(1))]).await.unwrap();
        assert_same(&store.stored_answer(id(1)).await.unwrap().unwrap(), &answer);
    }
}

fn record(attempt: &Attempt) -> Write {
    Write::SaveAttempt(Box::new(attempt.clone()))
}

async fn an_attempt_is_read_as_saved(Ground { store, .. }: &Ground) {
    let bare = attempt(1);
    let full = Attempt {
        updated_at: at(2),
        road: Some(Road::PackagePin),
        phase: Phase::Enroll,
        outcome: Outcome::Failed,
        cause: "wrong password".to_owned(),
        hresult: Some(0x8018_0005),
        device_name: Some("PC".to_owned()),
        os_version: Some("10.0".to_owned()),
        enrollment_id: Some(id(5)),
        refused: Some(Refused::NotRegistered),
        claims: vec![(RegisteredBy::Serial, "PF3 \"é\"".to_owned()), (RegisteredBy::HwDevId, "0F".to_owned())],
        times: 7,
        ..bare.clone()
    };
    for version in [bare, full] {
        store.commit(vec![record(&version)]).await.unwrap();
        let filter = AttemptFilter { trace_id: Some("trace-1".to_owned()), ..AttemptFilter::default() };
        let page = crate::app::ports::Page { limit: 9, after: None };
        assert_same(&store.attempts(&filter, &page).await.unwrap().items, &vec![version.clone()]);
        assert_same(&store.attempt(id(1)).await.unwrap().unwrap(), &version);
    }
}

async fn the_newest_open_attempt_is_found(Ground { store, .. }: &Ground) {
    let open =
        |number, started, updated| Attempt { started_at: at(started), updated_at: at(updated), ..attempt(number) };
    let elsewhere = Attempt { address: "192.0.2.2".to_owned(), ..open(4, 99, 99) };
    let failed = Attempt { outcome: Outcome::Failed, ..open(5, 99, 99) };
    let shouted = Attempt { email: " MIA@Example.org".to_owned(), ..open(3, 30, 31) };
    let attempts = [open(1, 10, 50), open(2, 20, 21), shouted, elsewhere, failed];
    store.commit(attempts.iter().map(record).collect()).await.unwrap();
    let find = async |email: &str, since| {
        let found = store.open_attempt(email, "192.0.2.1", Phase::Discover, at(since)).await.unwrap();
        found.map(|attempt| attempt.id.to_string())
    };
    assert_eq!(find("Mia@example.org", 0).await, ids([3]).pop());
    assert_eq!(find("mia@example.org", 40).await, ids([1]).pop(), "it goes on, so it is not over");
    assert_eq!(find("mia@example.org", 51).await, None);
    assert_eq!(find("m%", 0).await, None);
    let further = async || store.open_attempt("mia@example.org", "192.0.2.1", Phase::Policy, at(0)).await.unwrap();
    assert!(further().await.is_none(), "none stands there");
    // Two messages at once go on with the same attempt: one of them is too late.
    let on = Attempt { phase: Phase::Policy, ..open(1, 10, 51) };
    store.commit(vec![record(&on)]).await.unwrap();
    assert!(is_conflict(store.commit(vec![record(&on)]).await));
    assert_same(&further().await.unwrap(), &on);
}

async fn a_refusal_is_repeated(Ground { store, .. }: &Ground) {
    let failed = |number, started, cause: &str| Attempt {
        started_at: at(started),
        outcome: Outcome::Failed,
        cause: cause.to_owned(),
        ..attempt(number)
    };
    let renewing = Attempt { enrollment_id: Some(id(7)), ..failed(6, 50, "a") };
    let claims = Attempt { claims: vec![(RegisteredBy::Serial, "PF3".to_owned())], ..failed(7, 60, "a") };
    let named = Attempt { device_name: Some("PC-1".to_owned()), ..failed(4, 40, "a") };
    let attempts = [
        failed(1, 10, "a"),
        failed(2, 20, "a"),
        failed(3, 30, "b"),
        named.clone(),
        attempt(5),
        renewing.clone(),
        claims.clone(),
    ];
    store.commit(attempts.iter().map(record).collect()).await.unwrap();
    let find = async |like: &Attempt, since| {
        let found = store.failed_attempt(like, at(since)).await.unwrap();
        found.map(|attempt| attempt.id.to_string())
    };
    assert_eq!(find(&failed(9, 0, "a"), 0).await, ids([2]).pop(), "the newest");
    assert_eq!(find(&failed(9, 0, "a"), 21).await, None, "too long ago");
    for (own, number) in [(&named, 4), (&renewing, 6), (&claims, 7)] {
        assert_eq!(find(own, 0).await, ids([number]).pop(), "of that device");
    }
    assert_eq!(find(&Attempt { phase: Phase::Policy, ..failed(9, 0, "a") }, 0).await, None);
    assert_eq!(find(&Attempt { address: "192.0.2.2".to_owned(), ..failed(9, 0, "a") }, 0).await, None);
    let repeat = |number, instead_of| {
        vec![Write::RepeatAttempt { id: id(number), at: at(99), trace_id: "again".to_owned(), instead_of }]
    };
    let again = |number| repeat(number, None);
    assert!(is_conflict(store.commit(repeat(2, Some((id(5), Phase::Policy)))).await), "another went on with it");
    assert!(store.attempt(id(5)).await.unwrap().is_some());
    store.commit(repeat(2, Some((id(5), Phase::Discover)))).await.unwrap();
    assert!(store.attempt(id(5)).await.unwrap().is_none(), "it was the same");
    let kept = store.attempt(id(2)).await.unwrap().unwrap();
    let expected = Attempt { updated_at: at(99), trace_id: "again".to_owned(), times: 2, ..failed(2, 20, "a") };
    assert_same(&kept, &expected);
    store.commit(vec![record(&attempt(9))]).await.unwrap();
    assert!(is_conflict(store.commit(again(9)).await), "one that is open goes on");
    assert!(is_conflict(store.commit(again(8)).await), "gone");
}

async fn lists_tell_whether_the_device_came(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let seen = Write::CatchUpSeen { id: id(2), at: at(9) };
    let led_to = |number| Attempt {
        outcome: Outcome::Succeeded,
        phase: Phase::Enroll,
        enrollment_id: Some(id(number)),
        ..attempt(number)
    };
    let renewed = Attempt { phase: Phase::Renew, enrollment_id: Some(id(1)), ..led_to(3) };
    store.commit(vec![seen, record(&led_to(1)), record(&led_to(2)), record(&renewed)]).await.unwrap();
    let page = crate::app::ports::Page { limit: 9, after: None };
    let found = store.attempts(&AttemptFilter::default(), &page).await.unwrap().items;
    assert_eq!(found.iter().map(|attempt| attempt.never_seen).collect::<Vec<_>>(), [false, false, true]);
}

async fn attempts_are_filtered(Ground { store, .. }: &Ground) {
    for number in 1..=6_u128 {
        let mut one = attempt(number);
        one.started_at = at(i64::try_from(number / 2).unwrap());
        one.outcome = if number % 3 == 0 { Outcome::Failed } else { Outcome::Succeeded };
        one.email = if number < 5 { "Mia@example.org" } else { "ben@example.org" }.to_owned();
        store.commit(vec![record(&one)]).await.unwrap();
    }
    let all = AttemptFilter::default();
    let mia = AttemptFilter { email: Some("MIA@example.org ".to_owned()), ..all.clone() };
    let trace = AttemptFilter { trace_id: Some("trace-2".to_owned()), ..all.clone() };
    let failed = Some(Outcome::Failed);
    for (filter, found) in [
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (AttemptFilter { outcome: failed, ..all }, vec![6, 3]),
        (mia.clone(), vec![4, 3, 2, 1]),
        (AttemptFilter { outcome: failed, ..mia.clone() }, vec![3]),
        (trace.clone(), vec![2]),
        (AttemptFilter { email: mia.email, ..trace.clone() }, vec![2]),
        (AttemptFilter { email: Some("ben@example.org".to_owned()), ..trace.clone() }, vec![]),
        (AttemptFilter { outcome: failed, ..trace }, vec![]),
    ] {
        for limit in [1, 4, 50] {
            let walked =
                walk(limit, async |page| store.attempts(&filter, &page).await, |attempt| attempt.id.to_string());
            assert_eq!(walked.await, ids(found.clone()), "{filter:?}");
        }
    }
}
