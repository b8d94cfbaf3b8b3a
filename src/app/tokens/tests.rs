use super::*;
use crate::app::testing::{Ground, principal};
use crate::app::users::UserChanges;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn new(role: Role) -> NewToken {
    NewToken { name: "script".to_owned(), role, user: None, expires_in: None }
}

// covers: S-13
#[tokio::test]
async fn the_secret_is_shown_once_and_not_kept() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let made = ground.app.add_token(&by, new(Role::Viewer), Some("k")).await.unwrap();
    let secret = made.secret.unwrap();
    assert!(has_shape(secret.expose_secret()));
    assert!(!format!("{:?}", made.view).contains(secret.expose_secret()));
    let again = ground.app.add_token(&by, new(Role::Viewer), Some("k")).await.unwrap();
    assert_eq!((again.view.token.id, again.secret.is_none()), (made.view.token.id, true));
    let other = ground.app.add_token(&by, new(Role::Operator), Some("k")).await.unwrap_err();
    assert!(matches!(other, Error::Conflict { code: "idempotency_key_reused", .. }), "{other:?}");
    let who = ground.app.authenticate(secret.expose_secret(), HERE).await.unwrap();
    assert_eq!((who.name.as_str(), who.role, who.address.as_str()), ("root@example.test", Role::Viewer, "192.0.2.1"));
}

// covers: S-12
#[tokio::test]
async fn a_token_never_has_more_than_its_maker_or_its_user() {
    let ground = Ground::new().await;
    let admin = ground.admin().await;
    let operator = ground.user("op@example.test", Role::Operator).await;
    let refused = ground.app.add_token(&principal(&operator), new(Role::Admin), None).await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_)), "{refused:?}");
    let for_operator = NewToken { user: Some(operator.id), ..new(Role::Admin) };
    let refused = ground.app.add_token(&admin, for_operator.clone(), None).await.unwrap_err();
    assert!(matches!(refused, Error::Forbidden(_)), "{refused:?}");
    let token = ground.app.add_token(&admin, NewToken { role: Role::Operator, ..for_operator }, None).await.unwrap();
    let secret = token.secret.unwrap();
    let demote = UserChanges { role: Some(Role::User), ..UserChanges::default() };
    ground.app.change_user(&admin, operator.id, demote, None).await.unwrap();
    let who = ground.app.authenticate(secret.expose_secret(), HERE).await.unwrap();
    assert_eq!(who.role, Role::User, "the lesser of both counts, at every request");
    let disable = UserChanges { enabled: Some(false), ..UserChanges::default() };
    ground.app.change_user(&admin, operator.id, disable, None).await.unwrap();
    assert!(ground.app.authenticate(secret.expose_secret(), HERE).await.is_err());
}

#[tokio::test]
async fn tokens_end_by_time_and_by_revocation() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let short = NewToken { expires_in: Some(Duration::HOUR), ..new(Role::Viewer) };
    let short = ground.app.add_token(&by, short, None).await.unwrap();
    let long = ground.app.add_token(&by, new(Role::Viewer), None).await.unwrap();
    let works = async |token: &IssuedToken| {
        ground.app.authenticate(token.secret.as_ref().unwrap().expose_secret(), HERE).await.is_ok()
    };
    assert!(works(&short).await && works(&long).await);
    ground.clock.advance(Duration::HOUR);
    assert!(!works(&short).await && works(&long).await);
    ground.app.revoke_token(&by, long.view.token.id).await.unwrap();
    ground.app.revoke_token(&by, long.view.token.id).await.unwrap();
    assert!(!works(&long).await);
    assert!(matches!(ground.app.revoke_token(&by, ground.app.new_id()).await, Err(Error::NotFound("token"))));
    let rows = ground.app.store.audit(Some(&long.view.token.id.to_string()), &Page { limit: 9, after: None }).await;
    let actions: Vec<String> = rows.unwrap().items.into_iter().map(|row| row.action).collect();
    assert_eq!(actions, ["token.revoke", "token.create"]);
}

// covers: S-14
#[tokio::test]
async fn guessing_is_slowed_down_for_the_guesser_alone() {
    let ground = Ground::new().await;
    let (_, secret) = ground.bearer(Role::Viewer).await;
    let (_, unused) = ground.bearer(Role::Viewer).await;
    assert!(ground.app.authenticate(&secret, HERE).await.is_ok());
    for n in 0..crate::app::throttle::BEARER.burst {
        let guess = if n % 2 == 0 { format!("mst_{n:0>43}") } else { "nonsense".to_owned() };
        assert!(matches!(ground.app.authenticate(&guess, HERE).await, Err(Error::Unauthenticated)));
    }
    let elsewhere = "198.51.100.1".parse().unwrap();
    assert!(matches!(ground.app.authenticate("mst_x", HERE).await, Err(Error::TooMany { retry_after: 1.. })));
    assert!(matches!(ground.app.authenticate(&unused, HERE).await, Err(Error::TooMany { .. })));
    assert!(ground.app.authenticate(&secret, HERE).await.is_ok(), "a token that was good before does not wait");
    assert!(ground.app.authenticate(&unused, elsewhere).await.is_ok());
    ground.clock.advance(Duration::MINUTE);
    assert!(ground.app.authenticate(&unused, HERE).await.is_ok());
}

// covers: S-14
#[tokio::test]
async fn wrong_tokens_are_audited_once_a_minute_and_address() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let revoked = ground.app.add_token(&by, new(Role::Viewer), None).await.unwrap();
    ground.app.revoke_token(&by, revoked.view.token.id).await.unwrap();
    let bring = async |token: &str, address: &str| {
        assert!(ground.app.authenticate(token, address.parse().unwrap()).await.is_err());
    };
    for _ in 0..3 {
        bring("mst_wrong", "192.0.2.1").await;
        bring(&format!("mst_{}", "x".repeat(43)), "192.0.2.1").await;
    }
    bring(revoked.secret.as_ref().unwrap().expose_secret(), "2001:db8::1").await;
    bring("mst_wrong", "2001:db8::2").await;
    ground.clock.advance(Duration::MINUTE);
    bring("mst_wrong", "192.0.2.1").await;
    let rows = ground.app.audit_rows(None, &Page { limit: 100, after: None }).await.unwrap().items;
    let rows: Vec<_> = rows.into_iter().rev().filter(|row| row.action == "token.authenticate").collect();
    let told: Vec<_> = rows.iter().map(|row| (row.address.as_str(), row.object_name.as_str())).collect();
    assert_eq!(told, [("192.0.2.1", ""), ("2001:db8::1", "script"), ("192.0.2.1", "")]);
    assert!(rows.iter().all(|row| row.outcome == "refused" && row.actor == "bearer:unidentified"), "{rows:?}");
    assert!(!format!("{rows:?}").contains("mst_"), "no token, not even a wrong one");
}
