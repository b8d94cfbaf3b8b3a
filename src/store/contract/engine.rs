//! The engine port: binding, expectations, all or nothing, company of other batches.

use std::sync::Arc;

use super::super::engine::{Expect, Row, Statement, Value};
use super::Ground;
use crate::app::ports::StoreError;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    values_keep_their_type_and_content(&probe(make).await).await;
    values_are_bound_by_name(&probe(make).await).await;
    values_and_parameters_must_fit(&probe(make).await).await;
    counts_are_rows_touched(&probe(make).await).await;
    a_miss_undoes_the_whole_batch(&probe(make).await).await;
    what_a_violated_rule_means(&probe(make).await).await;
    each_of_many_gets_its_own_outcome(&probe(make).await).await;
    nothing_is_claimed_twice(&probe(make).await).await;
    what_is_told_from_a_reserve_is_committed(&probe(make).await).await;
    what_reads_cannot_write(&probe(make).await).await;
    a_closed_engine_says_so(&probe(make).await).await;
}

/// A database with a table to try things on, and one that refers to it.
async fn probe(make: &impl AsyncFn() -> Ground) -> Ground {
    let ground = make().await;
    commit(&ground, vec![Statement::any(CREATE, vec![]), Statement::any(CREATE_CHILD, vec![])]).await.unwrap();
    ground
}

const CREATE: &str = "CREATE TABLE probe (id BIGINT NOT NULL PRIMARY KEY, word TEXT UNIQUE, data BLOB)";
const CREATE_CHILD: &str = "CREATE TABLE child (id BIGINT NOT NULL PRIMARY KEY REFERENCES probe (id))";
const INSERT: &str = "INSERT INTO probe (id, word, data) VALUES ($1, $2, $3)";
const ALL: &str = "SELECT * FROM probe ORDER BY id";

async fn commit(ground: &Ground, batch: Vec<Statement>) -> Result<Vec<u64>, StoreError> {
    ground.store.engine.commit(batch).await
}

async fn query(ground: &Ground, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>, StoreError> {
    ground.store.engine.query(sql, params).await
}

fn row(id: i64, word: Option<&str>, data: Option<Vec<u8>>) -> Statement {
    let data = data.map_or(Value::Bytes(None), Value::from);
    Statement::one(INSERT, vec![id.into(), word.into(), data])
}

async fn numbers(ground: &Ground) -> Vec<i64> {
    let rows = query(ground, ALL, vec![]).await.unwrap();
    rows.iter().map(|row| row.of("probe").number("id").unwrap()).collect()
}

async fn values_keep_their_type_and_content(ground: &Ground) {
    let words = ["", "it's \"100%_\\\" $1 ?1 :a", "Ünï😀\n\r\t", "x"];
    let batch = vec![
        row(i64::MIN, Some(words[0]), Some(vec![])),
        row(-1, Some(words[1]), Some(vec![0, 255, 39])),
        row(0, None, None),
        row(1, Some(words[2]), Some(b"1".to_vec())),
        row(i64::MAX, Some(words[3]), Some(vec![0; 100_000])),
    ];
    commit(ground, batch).await.unwrap();
    assert_eq!(numbers(ground).await, [i64::MIN, -1, 0, 1, i64::MAX]);
    let rows = query(ground, ALL, vec![]).await.unwrap();
    let read: Vec<_> = rows.iter().map(|row| row.of("probe").opt_string("word").unwrap()).collect();
    assert_eq!(
        read,
        [Some(words[0]), Some(words[1]), None, Some(words[2]), Some(words[3])].map(|w| w.map(str::to_owned))
    );
    assert_eq!(rows[0].of("probe").bytes("data").unwrap(), [0; 0]);
    assert_eq!(rows[1].of("probe").bytes("data").unwrap(), [0, 255, 39]);
    assert!(rows[2].of("probe").bytes("data").is_err(), "NULL is no BLOB");
    assert_eq!(rows[4].of("probe").bytes("data").unwrap().len(), 100_000);
}

async fn values_are_bound_by_name(ground: &Ground) {
    let out_of_order = "INSERT INTO probe (word, data, id) VALUES ($3, $1, $2)";
    let params = vec![b"one".as_slice().into(), 2_i64.into(), "three".into()];
    commit(ground, vec![Statement::one(out_of_order, params)]).await.unwrap();
    let repeated = "SELECT * FROM probe WHERE word = $2 AND id = $1 AND id < $1 + 1 AND word LIKE $2";
    let rows = query(ground, repeated, vec![2_i64.into(), "three".into()]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].of("probe").bytes("data").unwrap(), b"one");
    let ten = "SELECT * FROM probe WHERE id IN ($10, $9, $8, $7, $6, $5, $4, $3, $2, $1) AND id <> $10";
    let params: Vec<Value> = (1..=10_i64).map(Value::from).collect();
    assert_eq!(query(ground, ten, params).await.unwrap().len(), 1, "$10 is not $1");
}

async fn values_and_parameters_must_fit(ground: &Ground) {
    for params in [vec![], vec![1_i64.into(), 2_i64.into()]] {
        let outcome = query(ground, "SELECT * FROM probe WHERE id = $1", params).await;
        assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    }
    let gap = query(ground, "SELECT * FROM probe WHERE id = $2", vec![1_i64.into()]).await;
    assert!(matches!(gap, Err(StoreError::Internal(_))), "{gap:?}");
}

async fn counts_are_rows_touched(ground: &Ground) {
    let stay = "INSERT INTO probe (id) VALUES ($1) ON CONFLICT DO NOTHING";
    let upsert = "INSERT INTO probe (id, word) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET word = excluded.word";
    let counts = commit(
        ground,
        vec![
            row(1, None, None),
            row(2, None, None),
            Statement::any(stay, vec![1_i64.into()]),
            Statement::any(upsert, vec![1_i64.into(), "a".into()]),
            Statement::any(upsert, vec![3_i64.into(), "b".into()]),
            Statement::any("UPDATE probe SET data = NULL", vec![]),
            Statement::any("DELETE FROM probe WHERE id > $1", vec![1_i64.into()]),
            Statement::any("DELETE FROM probe WHERE id > $1", vec![1_i64.into()]),
        ],
    )
    .await;
    assert_eq!(counts.unwrap(), [1, 1, 0, 1, 1, 3, 2, 0]);
    assert_eq!(commit(ground, vec![]).await.unwrap(), [0_u64; 0]);
}

async fn a_miss_undoes_the_whole_batch(ground: &Ground) {
    commit(ground, vec![row(1, Some("one"), None), row(2, Some("two"), None)]).await.unwrap();
    let all = "UPDATE probe SET data = $1";
    let touch = |expect| Statement { sql: all, params: vec![vec![1_u8].into()], expect };
    for (miss, hits) in [
        (Expect::Exactly(1), false),
        (Expect::Exactly(4), false),
        (Expect::AtMost(2), false),
        (Expect::Exactly(3), true),
        (Expect::AtMost(3), true),
        (Expect::Any, true),
    ] {
        let none = Statement { sql: "DELETE FROM probe WHERE id = 9", params: vec![], expect: Expect::AtMost(1) };
        let batch = vec![row(7, None, None), none, touch(miss), row(8, None, None)];
        let outcome = commit(ground, batch).await;
        if hits {
            assert_eq!(outcome.unwrap(), [1, 0, 3, 1], "{miss:?}");
            commit(ground, vec![Statement::any("DELETE FROM probe WHERE id > 2", vec![])]).await.unwrap();
        } else {
            assert!(matches!(outcome, Err(StoreError::Conflict)), "{miss:?}: {outcome:?}");
            assert_eq!(numbers(ground).await, [1, 2], "{miss:?}");
        }
    }
}

async fn what_a_violated_rule_means(ground: &Ground) {
    commit(ground, vec![row(1, Some("one"), None)]).await.unwrap();
    let orphan = Statement::one("INSERT INTO child (id) VALUES ($1)", vec![9_i64.into()]);
    let no_key = Statement::one("INSERT INTO probe (word) VALUES ($1)", vec!["x".into()]);
    let nonsense = Statement::one("INSERT INTO nowhere (id) VALUES ($1)", vec![1_i64.into()]);
    for (name, bad, is_conflict) in [
        ("primary key", row(1, None, None), true),
        ("unique", row(2, Some("one"), None), true),
        ("foreign key", orphan, true),
        ("not null", no_key, false),
        ("no such table", nonsense, false),
    ] {
        let outcome = commit(ground, vec![row(5, None, None), bad, row(6, None, None)]).await;
        match outcome {
            Err(StoreError::Conflict) => assert!(is_conflict, "{name}"),
            Err(StoreError::Internal(_)) => assert!(!is_conflict, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(numbers(ground).await, [1], "{name}");
    }
    commit(ground, vec![row(2, None, None), row(3, None, None)]).await.unwrap();
    assert_eq!(numbers(ground).await, [1, 2, 3], "NULL is unique to nobody");
}

async fn each_of_many_gets_its_own_outcome(ground: &Ground) {
    commit(ground, vec![row(0, Some("taken"), None)]).await.unwrap();
    let engine = &ground.store.engine;
    let tasks: Vec<_> = (1..=200_i64)
        .map(|id| {
            let engine = Arc::clone(engine);
            // Every third one writes a row first and then misses.
            let second = if id % 3 == 0 { row(-id, Some("taken"), None) } else { row(-id, None, None) };
            tokio::spawn(async move { (id, engine.commit(vec![row(id, None, None), second]).await) })
        })
        .collect();
    let mut kept = Vec::new();
    for task in tasks {
        let (id, outcome) = task.await.unwrap();
        match outcome {
            Ok(counts) => {
                assert_eq!(counts, [1, 1]);
                assert_ne!(id % 3, 0);
                kept.extend([id, -id]);
            }
            Err(StoreError::Conflict) => assert_eq!(id % 3, 0),
            Err(other) => panic!("{id}: {other}"),
        }
    }
    kept.push(0);
    kept.sort_unstable();
    assert_eq!(numbers(ground).await, kept);
}

async fn nothing_is_claimed_twice(ground: &Ground) {
    commit(ground, (0..10).map(|id| row(id, None, None)).collect()).await.unwrap();
    let claim = "
        UPDATE probe SET data = $1
        WHERE data IS NULL AND id IN (SELECT id FROM probe WHERE data IS NULL ORDER BY id LIMIT 1)";
    let tasks: Vec<_> = (0..20_u8)
        .map(|who| {
            let engine = Arc::clone(&ground.store.engine);
            tokio::spawn(async move { engine.commit(vec![Statement::one(claim, vec![vec![who].into()])]).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(StoreError::Conflict) => {}
            Err(other) => panic!("{other}"),
        }
    }
    let taken = query(ground, "SELECT * FROM probe WHERE data IS NOT NULL", vec![]).await.unwrap();
    let mut owners: Vec<_> = taken.iter().map(|row| row.of("probe").bytes("data").unwrap()).collect();
    owners.sort_unstable();
    owners.dedup();
    assert_eq!((owners.len(), taken.len()), (won, won), "as many rows as winners, each with its own");
    assert!(won >= 1);
}

async fn what_is_told_from_a_reserve_is_committed(ground: &Ground) {
    let engine = &ground.store.engine;
    for number in 1..=2 {
        assert!(engine.secure_reserve().await.unwrap());
        let told = engine.commit_from_reserve(vec![row(number, None, None)]).await;
        assert_eq!(told.unwrap(), [1]);
    }
    let again = engine.commit_from_reserve(vec![row(1, None, None)]).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    assert_eq!(query(ground, ALL, vec![]).await.unwrap().len(), 2);
}

async fn what_reads_cannot_write(ground: &Ground) {
    commit(ground, vec![row(1, None, None)]).await.unwrap();
    for sql in ["DELETE FROM probe RETURNING id", "INSERT INTO probe (id) VALUES (2) RETURNING id"] {
        assert!(query(ground, sql, vec![]).await.is_err(), "{sql}");
    }
    assert_eq!(numbers(ground).await, [1]);
    commit(ground, vec![row(2, None, None)]).await.unwrap();
}

async fn a_closed_engine_says_so(ground: &Ground) {
    commit(ground, vec![row(1, None, None)]).await.unwrap();
    ground.store.close().await;
    assert!(matches!(query(ground, ALL, vec![]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(commit(ground, vec![row(2, None, None)]).await, Err(StoreError::Unavailable(_))));
    ground.store.close().await;
}
