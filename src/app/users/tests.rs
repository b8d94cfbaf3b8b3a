use secrecy::SecretString;

use super::*;
use crate::app::testing::{Ground, principal};

fn new(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: None,
        password: Some(SecretString::from("correct horse")),
        role: Role::User,
        enabled: true,
        device_limit: None,
    }
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::Conflict { code, .. } => code,
        Error::Invalid(_) => "invalid",
        Error::NotFound(_) => "not_found",
        Error::Forbidden(_) => "forbidden",
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_is_added_once_whatever_the_case() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let user = ground.app.add_user(&by, NewUser { name: Some("  Ada ".to_owned()), ..new(" Ada@Example.test ") }, None);
    let user = user.await.unwrap();
    assert_eq!(
        (user.email.as_str(), user.name.as_deref(), user.kind),
        ("Ada@Example.test", Some("Ada"), UserKind::Person)
    );
    assert_eq!(ground.app.user(user.id).await.unwrap().email, "Ada@Example.test");
    let again = ground.app.add_user(&by, new("ada@EXAMPLE.test"), None).await.unwrap_err();
    assert_eq!(code(&again), "user_exists");
    assert_eq!(ground.app.hasher.computed(), 1, "a taken name costs no hash");
}

#[tokio::test]
async fn inputs_are_refused_with_every_mistake() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let pointers = async |new: NewUser| match ground.app.add_user(&by, new, None).await {
        Err(Error::Invalid(errors)) => errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    };
    for email in ["", "  ", "a b@example.test", "@example.test", "a@", "a@b@c", "device:1", "System", &"a".repeat(255)]
    {
        assert_eq!(pointers(new(email)).await, "/email", "{email}");
    }
    for password in ["", "seven77", "ada@example.test", "tab\tinside", &"x".repeat(1025)] {
        let user = NewUser { password: Some(SecretString::from(password)), ..new("ada@example.test") };
        assert_eq!(pointers(user).await, "/password", "{password:?}");
    }
    let user = NewUser {
        name: Some("a\nb".to_owned()),
        password: Some(SecretString::from("x")),
        device_limit: Some(u32::MAX),
        ..new("a b")
    };
    assert_eq!(pointers(user).await, "/email /name /password /device_limit");
}

#[tokio::test]
async fn bulk_users_have_any_password_and_no_rights() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let bulk = NewUser { password: Some(SecretString::from("x")), ..new("Windows-BulkEnroll-1@example.test") };
    let user = ground.app.add_user(&by, bulk.clone(), None).await.unwrap();
    assert_eq!(user.kind, UserKind::Bulk);
    // Digits like a PIN would be counted as a wrong one of a package.
    for (password, is_taken) in [("12345", true), ("123456", false), ("0123456789012345", false), ("1234567a", true)] {
        let password = SecretString::from(password);
        let changes = UserChanges { password: Some(Some(password.clone())), ..UserChanges::default() };
        assert_eq!(ground.app.change_user(&by, user.id, changes, None).await.is_ok(), is_taken);
        let new = NewUser {
            email: format!("windows-bulkenroll-{}@example.test", ground.app.new_trace_id()),
            password: Some(password),
            ..bulk.clone()
        };
        assert_eq!(ground.app.add_user(&by, new, None).await.is_ok(), is_taken);
    }
    let viewer = NewUser { role: Role::Viewer, email: "windows-bulkenroll-2@example.test".to_owned(), ..bulk };
    assert_eq!(code(&ground.app.add_user(&by, viewer, None).await.unwrap_err()), "bulk_user");
}

#[tokio::test]
async fn a_repetition_with_the_same_key_adds_nobody() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let first = ground.app.add_user(&by, new("ada@example.test"), Some("k")).await.unwrap();
    let second = ground.app.add_user(&by, new("ada@example.test"), Some("k")).await.unwrap();
    assert_eq!(first.id, second.id);
    let other_password = NewUser { password: Some(SecretString::from("battery staple")), ..new("ada@example.test") };
    for other in [new("bob@example.test"), other_password, NewUser { enabled: false, ..new("ada@example.test") }] {
        let refused = ground.app.add_user(&by, other, Some("k")).await.unwrap_err();
        assert_eq!(code(&refused), "idempotency_key_reused");
    }
    assert_eq!(ground.app.store.audit(Some(&first.id.to_string()), &all()).await.unwrap().items.len(), 1);
}

// covers: S-12
#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let ground = Ground::new().await;
    let operator = principal(&ground.user("op@example.test", Role::Operator).await);
    let target = ground.user("ada@example.test", Role::User).await;
    let admin = NewUser { role: Role::Admin, ..new("eve@example.test") };
    assert_eq!(code(&ground.app.add_user(&operator, admin, None).await.unwrap_err()), "forbidden");
    let raise = UserChanges { role: Some(Role::Admin), ..UserChanges::default() };
    let refused = ground.app.change_user(&operator, target.id, raise, None).await.unwrap_err();
    assert_eq!(code(&refused), "forbidden");
    let root = ground.app.store.user_by_name("root@example.test").await.unwrap().unwrap();
    let take = UserChanges { password: Some(Some(SecretString::from("stolen password"))), ..UserChanges::default() };
    let refused = ground.app.change_user(&operator, root.id, take, None).await.unwrap_err();
    assert_eq!(code(&refused), "forbidden", "who has less cannot touch the password of who has more");
}

#[tokio::test]
async fn changes_are_guarded_by_the_version_and_end_remembered_sign_ins() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let user = ground.user("ada@example.test", Role::User).await;
    let name = UserChanges { name: Some(Some("Ada".to_owned())), ..UserChanges::default() };
    let named = ground.app.change_user(&by, user.id, name.clone(), Some(user.version)).await.unwrap();
    assert_eq!((named.version, named.credential_version), (user.version + 1, user.credential_version));
    let stored = ground.app.user(user.id).await.unwrap();
    assert_eq!((stored.version, stored.name.as_deref()), (named.version, Some("Ada")));
    let stale = ground.app.change_user(&by, user.id, UserChanges::default(), Some(user.version)).await.unwrap_err();
    assert_eq!(code(&stale), "version_mismatch");
    let same = ground.app.change_user(&by, user.id, name, None).await.unwrap();
    assert_eq!(same.version, named.version, "nothing to change writes nothing");
    for change in [
        UserChanges { enabled: Some(false), ..UserChanges::default() },
        UserChanges { role: Some(Role::Viewer), ..UserChanges::default() },
        UserChanges { password: Some(Some(SecretString::from("another one"))), ..UserChanges::default() },
        UserChanges { password: Some(None), ..UserChanges::default() },
    ] {
        let before = ground.app.user(user.id).await.unwrap();
        let after = ground.app.change_user(&by, user.id, change, None).await.unwrap();
        assert_eq!(after.credential_version, before.credential_version + 1);
    }
}

#[tokio::test]
async fn somebody_is_always_left_to_administer() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let root = by.user_id.unwrap();
    let demote = UserChanges { role: Some(Role::Operator), ..UserChanges::default() };
    let disable = UserChanges { enabled: Some(false), ..UserChanges::default() };
    let disabled = ground.user("off@example.test", Role::Admin).await;
    ground.app.change_user(&by, disabled.id, disable.clone(), None).await.unwrap();
    for change in [demote.clone(), disable] {
        assert_eq!(code(&ground.app.change_user(&by, root, change, None).await.unwrap_err()), "last_admin");
    }
    assert_eq!(code(&ground.app.remove_user(&by, root, None, false).await.unwrap_err()), "last_admin");
    let other = ground.user("second@example.test", Role::Admin).await;
    // Two administrators who take each other's role at the same moment: one of them keeps it.
    let (one, two) = tokio::join!(
        ground.app.change_user(&by, root, demote.clone(), None),
        ground.app.change_user(&by, other.id, demote, None),
    );
    assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1, "{one:?} {two:?}");
}

#[tokio::test]
async fn removal_takes_tokens_along_and_is_told() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let (user, secret) = ground.bearer(Role::Viewer).await;
    let address = "192.0.2.1".parse().unwrap();
    assert!(ground.app.authenticate(&secret, address).await.is_ok());
    ground.app.remove_user(&by, user.id, None, false).await.unwrap();
    assert!(matches!(ground.app.authenticate(&secret, address).await, Err(Error::Unauthenticated)));
    assert_eq!(code(&ground.app.remove_user(&by, user.id, None, false).await.unwrap_err()), "not_found");
    let rows = ground.app.store.audit(Some(&user.id.to_string()), &all()).await.unwrap().items;
    assert_eq!((rows[0].action.as_str(), rows[0].object_name.as_str()), ("user.delete", user.email.as_str()));
    let events = ground.app.store.unnumbered_events(10).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "muster.admin.user_removed"));
}

#[tokio::test]
async fn a_removal_can_be_tried() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let (user, secret) = ground.bearer(Role::Viewer).await;
    let tried = ground.app.remove_user(&by, user.id, None, true).await.unwrap();
    assert_eq!((tried.user.id, tried.devices, tried.tokens), (user.id, 0, 1));
    assert!(ground.app.user(user.id).await.is_ok());
    assert!(ground.app.authenticate(&secret, "192.0.2.1".parse().unwrap()).await.is_ok());
    let rows = ground.app.store.audit(Some(&user.id.to_string()), &all()).await.unwrap().items;
    assert!(rows.iter().all(|row| row.action != "user.delete"), "{rows:?}");
    let root = by.user_id.unwrap();
    assert_eq!(code(&ground.app.remove_user(&by, root, None, true).await.unwrap_err()), "last_admin");
}

fn all() -> Page {
    Page { limit: 100, after: None }
}
