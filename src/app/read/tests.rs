use super::*;
use crate::app::testing::Ground;
use crate::domain::user::{Role, User};

#[tokio::test]
async fn ids_may_be_shortened_while_they_are_unambiguous() {
    let ground = Ground::new().await;
    let one = ground.user("one@example.test", Role::User).await;
    let resolve = async |text: &str| ground.app.resolve::<User>(Table::Users, "user", text).await;
    let id = one.id.to_string();
    assert_eq!(resolve(&id).await.unwrap(), one.id);
    assert_eq!(resolve(&id.to_uppercase()[..35]).await.unwrap(), one.id);
    // Ids that were made in the same moment begin the same.
    assert!(matches!(resolve(&id[..8]).await, Err(Error::Conflict { code: "ambiguous_id", .. })));
    for text in ["", "019", "zzzz", "ffffffff", "%", "____", "0199-' OR 1=1", &"0".repeat(37)] {
        assert!(matches!(resolve(text).await, Err(Error::NotFound("user"))), "{text}");
    }
}

#[tokio::test]
async fn events_are_read_from_where_one_left_off() {
    let ground = Ground::new().await;
    let app = &ground.app;
    for n in 0..3 {
        app.commit(vec![app.event("admin.test", None, serde_json::json!({"n": n}))]).await.unwrap();
    }
    let fresh = app.store.unnumbered_events(10).await.unwrap();
    assert!(app.events_after(Some(fresh[0].id), None, 10).await.unwrap().is_empty(), "not published yet");
    let places = fresh.iter().zip(1..).map(|(event, seq)| (event.id, seq)).collect();
    app.commit(vec![Write::NumberEvents(places)]).await.unwrap();
    let all = app.events_after(None, None, 10).await.unwrap();
    assert_eq!(all.len(), 3);
    let rest = app.events_after(Some(all[0].id), None, 10).await.unwrap();
    assert_eq!(rest.iter().map(|event| event.data["n"].as_i64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(matches!(app.events_after(Some(app.new_id()), None, 10).await, Err(Error::NotFound("event"))));
}

#[tokio::test]
async fn refusals_are_written_down() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    ground.app.note_refusal(&by, "DELETE /api/v1/users/{id}", "too little").await.unwrap();
    let rows = ground.app.audit_rows(None, &Page { limit: 5, after: None }).await.unwrap().items;
    assert_eq!((rows[0].outcome.as_str(), rows[0].action.as_str()), ("refused", "DELETE /api/v1/users/{id}"));
}
