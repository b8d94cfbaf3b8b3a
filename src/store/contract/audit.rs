//! The audit trail.

use super::Ground;
use super::fixtures::{assert_same, at, audit_row, first, ids, is_conflict, walk};
use crate::app::ports::{Store, Write};
use crate::domain::event::AuditRow;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    audit_rows_are_listed(&make().await).await;
}

async fn audit_rows_are_listed(Ground { store, .. }: &Ground) {
    for number in 1..=6_u128 {
        let mut row = audit_row(number);
        row.time = at(i64::try_from(number / 4).unwrap());
        row.object_id = format!("object-{}", number % 2);
        row.detail = "50% of 'it'".to_owned();
        store.commit(vec![Write::AppendAudit(row)]).await.unwrap();
    }
    let name = |row: &AuditRow| row.id.to_string();
    for limit in [1, 4, 6] {
        let all = walk(limit, async |page| store.audit(None, &page).await, name).await;
        assert_eq!(all, ids([6, 5, 4, 3, 2, 1]));
        let of_one = walk(limit, async |page| store.audit(Some("object-1"), &page).await, name).await;
        assert_eq!(of_one, ids([5, 3, 1]));
    }
    let newest = store.audit(None, &first(1)).await.unwrap().items.remove(0);
    let expected =
        AuditRow { time: at(1), object_id: "object-0".to_owned(), detail: "50% of 'it'".to_owned(), ..audit_row(6) };
    assert_same(&newest, &expected);
    assert!(store.audit(Some("object-%"), &first(9)).await.unwrap().items.is_empty());
    assert!(is_conflict(store.commit(vec![Write::AppendAudit(expected)]).await), "a taken id");
}
