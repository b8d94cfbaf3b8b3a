//! Query plans: what runs with every message, sweep or page goes through an index.

use super::super::super::{
    alerts, attempts, audit, certificates, commands, csp, devices, enrollments, events, invitations, leases, mails,
    packages, prefixes, push, registered, retention, sessions, tokens, uploads, users,
};
use super::*;

/// The steps of SQLite's plan for a statement.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let rows = statement.raw_query().mapped(|row| row.get("detail"));
    rows.map(Result::unwrap).collect()
}

/// Walking a table or an index from its beginning; a sorted index may be walked where a limit ends the walk.
fn is_scan(step: &str) -> bool {
    step.starts_with("SCAN") && step != "SCAN CONSTANT ROW"
}

#[tokio::test]
async fn hot_queries_look_up() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder).await.unwrap();
    let connection = Connection::open(path(&folder)).unwrap();
    let looked_up = [
        users::FIND,
        users::FIND_BY_NAME,
        users::FIND_BY_LOCAL_PART,
        users::DEVICES_OF,
        users::OWN_DEVICES_OF,
        users::ENROLLMENTS_OF,
        leases::FIND,
        invitations::FIND,
        invitations::FIND_BY_TOKEN,
        invitations::OPEN_OF,
        mails::FIND,
        mails::DUE,
        registered::FIND,
        registered::FIND_BY_ID,
        registered::PASS_ON,
        tokens::FIND,
        packages::FIND,
        packages::FIND_BY_SECRET,
        packages::WITH_PIN,
        devices::FIND,
        devices::LIST_OF_USER,
        devices::INVENTORY,
        devices::MISSING_NODES,
        enrollments::FIND,
        enrollments::CLAIMING,
        enrollments::FORMER,
        enrollments::QUIET_SINCE,
        enrollments::CONVERSATION,
        enrollments::KNOWN,
        enrollments::KNOWN_BY_CERTIFICATE,
        push::FIND,
        push::DUE,
        push::ABANDONED,
        certificates::FIND,
        certificates::FIND_BY_SERIAL,
        certificates::KEY_OWNER,
        certificates::OF_ENROLLMENT,
        certificates::LIST_OF_DEVICE,
        certificates::REVOKED,
        certificates::COUNT_LATE,
        certificates::LATE,
        commands::FIND,
        commands::OPEN,
        commands::SENDABLE,
        commands::OFFERED,
        commands::OVERDUE,
        commands::ORPHANED,
        sessions::FIND,
        sessions::IDLE,
        sessions::TRANSCRIPT,
        sessions::ANSWER,
        attempts::FIND,
        attempts::FIND_OPEN,
        attempts::FIND_FAILED,
        attempts::LIST_OF_TRACE,
        retention::ATTEMPTS_DUE,
        retention::EVENTS_DUE,
        retention::AUDIT_DUE,
        csp::ANSWERS,
        csp::ANSWERS_OF,
        uploads::FIND,
        uploads::CHUNK,
        events::FIND,
        events::AFTER,
        events::AFTER_OF_SUBJECT,
        events::LAST_SEQ,
        audit::LAST_WRITTEN,
    ];
    let expired = [
        Expired::Sessions,
        Expired::Attempts,
        Expired::Events,
        Expired::Audit,
        Expired::Answers,
        Expired::Commands,
        Expired::NodeAnswers,
        Expired::Alerts,
        Expired::Uploads,
        Expired::UnusedUploads,
        Expired::Invitations,
    ];
    let tables = [
        Table::Users,
        Table::Devices,
        Table::Enrollments,
        Table::Commands,
        Table::Sessions,
        Table::Certificates,
        Table::Attempts,
        Table::Tokens,
        Table::Overrides,
        Table::Registered,
        Table::Uploads,
        Table::Packages,
        Table::Invitations,
    ];
    let looked_up = looked_up.into_iter().chain(expired.map(retention::sql)).chain(tables.map(prefixes::sql));
    for sql in looked_up {
        let plan = plan(&connection, sql);
        assert!(!plan.iter().any(|step| is_scan(step)), "{sql}\n{plan:#?}");
    }
}

#[tokio::test]
async fn pages_and_queues_come_sorted_from_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder).await.unwrap();
    let connection = Connection::open(path(&folder)).unwrap();
    let sorted = [
        users::LIST,
        invitations::LIST,
        mails::DUE,
        registered::LIST,
        tokens::LIST,
        packages::LIST,
        devices::LIST,
        certificates::LIST,
        certificates::REVOKED,
        commands::OPEN,
        commands::SENDABLE,
        commands::OVERDUE,
        commands::LIST,
        commands::LIST_OF_DEVICE,
        sessions::LIST,
        sessions::LIST_OF_DEVICE,
        alerts::LIST_OF_DEVICE,
        uploads::LIST,
        uploads::LIST_OF_DEVICE,
        sessions::IDLE,
        attempts::FIND_OPEN,
        attempts::FIND_FAILED,
        attempts::LIST,
        attempts::LIST_OF_EMAIL,
        events::AFTER,
        events::AFTER_OF_SUBJECT,
        events::UNNUMBERED,
        audit::LIST,
        csp::LIST_OVERRIDES,
        audit::LIST_OF_OBJECT,
    ];
    for sql in sorted {
        let plan = plan(&connection, sql);
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}\n{plan:#?}");
    }
}

/// the hundred thousand commands that wait behind the first are not touched.
#[tokio::test]
async fn a_long_queue_costs_no_more_than_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await.unwrap();
    let mut writes = enroll(enrolled(1));
    for number in 1..=10 {
        writes.push(Write::InsertCommand(Box::new(command(number))));
    }
    store.commit(writes).await.unwrap();
    let copies = "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO commands (id, enrollment_id, device_id, action_name, action, is_raw, state, is_open, detail,
            priority, alone, body, items, step, offers, retries, expires_at, created_at, created_by, revealed,
            rest, needs_user)
        SELECT 'copy-' || i, enrollment_id, device_id, action_name, action, is_raw, state, is_open, detail,
            90, alone, body, items, step, offers, retries, expires_at, created_at, created_by, revealed, rest,
            needs_user
        FROM n JOIN commands ON commands.id = $1";
    let batch = vec![Statement { sql: copies, params: vec![id::<()>(1).into()], expect: Expect::Exactly(100_000) }];
    store.engine.commit(batch).await.unwrap();
    let connection = Connection::open(path(&folder)).unwrap();
    let steps = |sql: &str, second: i64, third: i64| {
        let mut statement = connection.prepare(sql).unwrap();
        let values: [(&str, rusqlite::types::Value); 3] =
            [("$1", id::<()>(1).to_string().into()), ("$2", second.into()), ("$3", third.into())];
        for (name, value) in values {
            if let Some(place) = statement.parameter_index(name).unwrap() {
                statement.raw_bind_parameter(place, value).unwrap();
            }
        }
        let mut rows = statement.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(rusqlite::StatementStatus::VmStep)
    };
    // The copies do not open, being sealed for another id: nothing of them was read.
    assert_eq!(store.open_commands(id(1), 10).await.unwrap().len(), 10);
    assert!(store.offered_commands(id(1), None).await.unwrap().is_empty());
    assert!(store.overdue_commands(at(0), 10).await.unwrap().is_empty());
    assert_eq!(store.sendable_commands(id(1), at(0), 10).await.unwrap().len(), 10);
    let now = crate::store::engine::millis(at(0));
    for (sql, second, third) in
        [(commands::OPEN, 10, 0), (commands::SENDABLE, now, 10), (commands::OFFERED, 0, 0), (commands::OVERDUE, 10, 0)]
    {
        let count = steps(sql, second, third);
        assert!((10..2_000).contains(&count), "{count} steps: {sql}");
    }
}
