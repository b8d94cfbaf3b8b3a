//! Users and tokens; searching and paging, which all lists share.

use super::Ground;
use super::fixtures::{assert_same, at, enrolled, first, id, ids, is_conflict, token, user, walk};
use crate::app::ports::{Cursor, Page, Store, StoreError, Write};
use crate::domain::enrollment::EnrollmentState;
use crate::domain::user::{Role, User, UserKind};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_user_is_read_as_written(&make().await).await;
    names_are_found_and_unique_without_case(&make().await).await;
    the_version_guards_a_user(&make().await).await;
    search_is_literal_and_without_case(&make().await).await;
    lists_page_newest_first(&make().await).await;
    text_with_nul_is_refused_and_finds_nothing(&make().await).await;
    a_token_is_read_with_its_user(&make().await).await;
    a_deleted_user_leaves_enrollments_behind(&make().await).await;
    a_guarded_user_stays_as_it_is(&make().await).await;
    the_count_of_enrollments_guards_the_device_limit(&make().await).await;
}

fn full_user() -> User {
    User {
        name: Some("Mia '); DROP TABLE users; --".to_owned()),
        kind: UserKind::Bulk,
        role: Role::Admin,
        enabled: false,
        password_hash: Some("$argon2id$v=19$...".to_owned()),
        credential_version: 7,
        device_limit: Some(3),
        must_change_password: true,
        version: 4,
        email: "Mia.O'Hara@Example.org".to_owned(),
        ..user(1)
    }
}

async fn a_user_is_read_as_written(Ground { store, .. }: &Ground) {
    let (full, bare) = (full_user(), user(2));
    store.commit(vec![Write::InsertUser(full.clone()), Write::InsertUser(bare.clone())]).await.unwrap();
    assert_same(&store.user(full.id).await.unwrap().unwrap(), &full);
    assert_same(&store.user(bare.id).await.unwrap().unwrap(), &bare);
    assert!(store.user(id(3)).await.unwrap().is_none());
    let changed = User { email: "new@example.org".to_owned(), enabled: true, name: None, ..full };
    store.commit(vec![Write::UpdateUser(changed.clone())]).await.unwrap();
    let stored = store.user(changed.id).await.unwrap().unwrap();
    assert_same(&stored, &User { version: 5, ..changed });
    assert!(store.user_by_name("mia.o'hara@example.org").await.unwrap().is_none());
}

async fn names_are_found_and_unique_without_case(Ground { store, .. }: &Ground) {
    let jorg = User { email: "JÖRG@Example.org".to_owned(), ..user(1) };
    store.commit(vec![Write::InsertUser(jorg)]).await.unwrap();
    for name in ["jörg@example.org", " JÖRG@EXAMPLE.ORG "] {
        assert!(store.user_by_name(name).await.unwrap().is_some(), "{name}");
    }
    for name in ["jorg@example.org", "j_rg@example.org", "%", ""] {
        assert!(store.user_by_name(name).await.unwrap().is_none(), "{name}");
    }
    let again = User { email: "Jörg@example.ORG".to_owned(), ..user(2) };
    assert!(is_conflict(store.commit(vec![Write::InsertUser(again)]).await));
    assert!(is_conflict(store.commit(vec![Write::InsertUser(user(1))]).await), "a taken id");
    for (number, email) in [(3, "jörg@b.example"), (4, "jörg@c.example"), (5, "jör@b.example"), (6, "jörg")] {
        let other = User { email: email.to_owned(), ..user(number) };
        store.commit(vec![Write::InsertUser(other)]).await.unwrap();
    }
    assert_eq!(store.users_by_local_part("JÖRG").await.unwrap().len(), 2, "two are enough");
    assert_eq!(store.users_by_local_part("jör").await.unwrap().len(), 1);
    assert_eq!(store.users_by_local_part("j%").await.unwrap().len(), 0);
    let taken = User { email: "jörg@b.example".to_owned(), ..user(4) };
    assert!(is_conflict(store.commit(vec![Write::UpdateUser(taken)]).await), "renamed to a taken name");
}

async fn the_version_guards_a_user(Ground { store, .. }: &Ground) {
    store.commit(vec![Write::InsertUser(user(1))]).await.unwrap();
    let update = || Write::UpdateUser(user(1));
    store.commit(vec![update()]).await.unwrap();
    let stale = vec![Write::InsertUser(user(2)), update()];
    assert!(is_conflict(store.commit(stale).await));
    assert!(store.user(id(2)).await.unwrap().is_none(), "nothing of the batch is kept");
    assert!(is_conflict(store.commit(vec![Write::UpdateUser(user(9))]).await), "no such user");
    let gone = |version| Write::DeleteUser { user: Box::new(User { version, ..user(1) }), warning: String::new() };
    assert!(is_conflict(store.commit(vec![gone(1)]).await));
    store.commit(vec![gone(2)]).await.unwrap();
    assert!(store.user(id(1)).await.unwrap().is_none());
}

async fn search_is_literal_and_without_case(Ground { store, .. }: &Ground) {
    let names = ["100%_SURE! \\o/", "ÄÖÜ Straße", "ΟΔΥΣΣΕΥΣ", "plain", "Ğ"];
    for (number, name) in (1..).zip(names) {
        let named = User { name: Some(name.to_owned()), ..user(number) };
        store.commit(vec![Write::InsertUser(named)]).await.unwrap();
    }
    for (query, found) in [
        ("100%", vec![1]),
        ("%_s", vec![1]),
        ("!", vec![1]),
        ("\\O/", vec![1]),
        ("_", vec![1]),
        ("äöü", vec![2]),
        ("STRAßE", vec![2]),
        ("οδυσσευς", vec![3]),
        ("ΟΔΥΣ", vec![3]),
        ("USER4@", vec![4]),
        ("ğ", vec![5]),
        ("example.org", vec![5, 4, 3, 2, 1]),
        ("", vec![5, 4, 3, 2, 1]),
        ("'", vec![]),
        ("%%", vec![]),
        ("user1@example.org\n", vec![]),
    ] {
        let listed = store.users(Some(query), &first(10)).await.unwrap();
        let found_ids: Vec<_> = listed.items.iter().map(|user| user.id.to_string()).collect();
        assert_eq!(found_ids, ids(found), "{query:?}");
    }
    let endless = "%".repeat(200_000);
    assert!(store.users(Some(&endless), &first(10)).await.unwrap().items.is_empty());
}

async fn lists_page_newest_first(Ground { store, .. }: &Ground) {
    assert!(store.users(None, &first(10)).await.unwrap().next.is_none());
    // Three moments, and several users born in each.
    for number in 1..=10 {
        let born = User { created_at: at(i64::try_from(number % 3).unwrap()), ..user(number) };
        store.commit(vec![Write::InsertUser(born)]).await.unwrap();
    }
    let all = ids([8, 5, 2, 10, 7, 4, 1, 9, 6, 3]);
    for limit in [1, 2, 3, 5, 9, 10, 11] {
        let walked = walk(limit, async |page| store.users(None, &page).await, |user| user.id.to_string()).await;
        assert_eq!(walked, all, "{limit} at a time");
    }
    assert!(store.users(None, &first(0)).await.unwrap().items.is_empty());
    let before_all = Page { limit: 5, after: Some(Cursor { at: i64::MIN, id: String::new() }) };
    assert!(store.users(None, &before_all).await.unwrap().items.is_empty());
}

async fn text_with_nul_is_refused_and_finds_nothing(Ground { store, .. }: &Ground) {
    let odd = User { name: Some("a\0b".to_owned()), ..user(1) };
    let outcome = store.commit(vec![Write::InsertUser(user(2)), Write::InsertUser(odd)]).await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    assert!(store.user(id(2)).await.unwrap().is_none(), "nothing of the batch is kept");
    let outcome = store.set_setting("key", "\0").await;
    assert!(matches!(outcome, Err(StoreError::Internal(_))), "{outcome:?}");
    store.commit(vec![Write::InsertUser(user(2))]).await.unwrap();
    assert!(store.user_by_name("user2@example.org\0").await.unwrap().is_none());
    assert!(store.users(Some("\0"), &first(10)).await.unwrap().items.is_empty());
    let cursor = Page { limit: 5, after: Some(Cursor { at: i64::MAX, id: "\0".to_owned() }) };
    assert!(store.users(None, &cursor).await.unwrap().items.is_empty());
}

async fn a_token_is_read_with_its_user(Ground { store, .. }: &Ground) {
    let owner = user(1);
    let (bare, mut full) = (token(1, &owner), token(2, &owner));
    full.expires_at = Some(at(99));
    full.created_at = at(5);
    let writes = vec![Write::InsertToken(bare.clone()), Write::InsertToken(full.clone()), Write::InsertUser(owner)];
    store.commit(writes).await.unwrap();
    let (found, owner) = store.token(&full.secret_hash).await.unwrap().unwrap();
    assert_same(&found, &full);
    assert_eq!(owner.id, id(1));
    assert!(store.token(&[0; 32]).await.unwrap().is_none());
    let listed = store.tokens(&first(10)).await.unwrap();
    assert_same(&listed.items, &vec![full.clone(), bare.clone()]);
    let outcomes = [7, 8].map(|moment| store.commit(vec![Write::RevokeToken { id: bare.id, at: at(moment) }]));
    let [first, second] = outcomes;
    first.await.unwrap();
    assert!(is_conflict(second.await), "it is told once");
    let (revoked, _) = store.token(&bare.secret_hash).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(at(7)), "the first withdrawal counts");
    assert!(is_conflict(store.commit(vec![Write::RevokeToken { id: id(9), at: at(7) }]).await));
    let stranger = token(3, &user(9));
    assert!(is_conflict(store.commit(vec![Write::InsertToken(stranger)]).await), "its user is gone");
}

async fn a_deleted_user_leaves_enrollments_behind(Ground { store, .. }: &Ground) {
    let owner = user(1);
    let (device, mut enrollment) = enrolled(1);
    enrollment.user_id = Some(owner.id);
    let writes = vec![
        Write::InsertEnrollment(Box::new(enrollment.clone())),
        Write::InsertDevice(device),
        Write::InsertToken(token(1, &owner)),
        Write::InsertUser(owner.clone()),
    ];
    store.commit(writes).await.unwrap();
    assert_eq!(store.device(id(1)).await.unwrap().unwrap().user, Some(owner.email.clone()));
    let stale = Write::DeleteUser { user: Box::new(User { version: 9, ..owner.clone() }), warning: "gone".to_owned() };
    assert!(is_conflict(store.commit(vec![stale]).await));
    assert!(store.token(&token(1, &owner).secret_hash).await.unwrap().is_some(), "nothing of it is kept");
    let delete = Write::DeleteUser { user: Box::new(owner.clone()), warning: "gone".to_owned() };
    store.commit(vec![delete]).await.unwrap();
    assert!(store.token(&token(1, &owner).secret_hash).await.unwrap().is_none());
    let view = store.device(id(1)).await.unwrap().unwrap();
    assert_eq!((view.user, view.enrollment.user_id), (None, None));
    assert_eq!(view.enrollment.warning.as_deref(), Some("gone"));
    let loaded_before = Write::UpdateEnrollment(Box::new(enrollment));
    assert!(is_conflict(store.commit(vec![loaded_before]).await), "nobody writes the user back");
    store.commit(vec![Write::InsertUser(User { id: id(2), ..owner })]).await.unwrap();
}

/// Many may be guarded by the same row at once: none is in the way of another.
async fn a_guarded_user_stays_as_it_is(Ground { store, .. }: &Ground) {
    let owner = User { credential_version: 3, ..user(1) };
    store.commit(vec![Write::InsertUser(owner.clone())]).await.unwrap();
    let guard = |credential_version| Write::GuardUser { id: owner.id, credential_version };
    let tasks: Vec<_> = (1..=20)
        .map(|number| {
            let (store, guard) = (store.clone(), guard(3));
            let (device, mut enrollment) = enrolled(number);
            enrollment.user_id = Some(owner.id);
            let writes = vec![Write::InsertDevice(device), Write::InsertEnrollment(Box::new(enrollment)), guard];
            tokio::spawn(async move { store.commit(writes).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_same(&store.user(owner.id).await.unwrap().unwrap(), &owner);
    for (case, changed) in [
        ("another password", User { credential_version: 4, ..owner.clone() }),
        ("disabled", User { enabled: false, version: 2, ..owner.clone() }),
    ] {
        store.commit(vec![Write::UpdateUser(changed)]).await.unwrap();
        let writes = vec![Write::InsertUser(user(2)), guard(3)];
        assert!(is_conflict(store.commit(writes).await), "{case}");
    }
    assert!(is_conflict(store.commit(vec![Write::GuardUser { id: id(9), credential_version: 1 }]).await), "gone");
    assert!(store.user(id(2)).await.unwrap().is_none(), "nothing of a batch that missed its guard is kept");
}

async fn the_count_of_enrollments_guards_the_device_limit(Ground { store, .. }: &Ground) {
    let owner = user(1);
    store.commit(vec![Write::InsertUser(owner.clone())]).await.unwrap();
    let before = store.enrollments_of(owner.id).await.unwrap();
    assert_eq!((before, store.devices_of(owner.id).await.unwrap()), (0, 0));
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let guard = Write::CountEnrollment { user_id: owner.id, enrollments: before };
            let store = store.clone();
            let (device, mut enrollment) = enrolled(number);
            enrollment.user_id = Some(owner.id);
            let writes = vec![Write::InsertDevice(device), Write::InsertEnrollment(Box::new(enrollment)), guard];
            tokio::spawn(async move { is_conflict(store.commit(writes).await) })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += u32::from(!task.await.unwrap());
    }
    assert_eq!(won, 1, "all had counted the same");
    let counts = async || (store.devices_of(owner.id).await.unwrap(), store.enrollments_of(owner.id).await.unwrap());
    assert_eq!(counts().await, (1, 1));
    assert_same(&store.user(owner.id).await.unwrap().unwrap(), &owner);
    store.commit(vec![Write::UpdateUser(owner.clone())]).await.unwrap();
    assert_eq!(counts().await, (1, 1), "no change of the user sets it back");
    let one = store.devices(&Default::default(), &first(10)).await.unwrap().items.remove(0);
    let (second, mut retired) = enrolled(20);
    retired.user_id = Some(owner.id);
    retired.state = EnrollmentState::Retired;
    let mut again = enrolled(21).1;
    again.user_id = Some(owner.id);
    again.device_id = one.device.id;
    again.state = EnrollmentState::Wiping;
    let writes = vec![
        Write::InsertDevice(second),
        Write::InsertEnrollment(Box::new(retired)),
        Write::InsertEnrollment(Box::new(again)),
    ];
    store.commit(writes).await.unwrap();
    let devices = store.devices_of(owner.id).await.unwrap();
    assert_eq!(devices, 1, "closed ones and second ones do not count");
    let (third, mut assigned) = enrolled(22);
    assigned.user_id = Some(owner.id);
    assigned.assigned_at = Some(at(5));
    store.commit(vec![Write::InsertDevice(third), Write::InsertEnrollment(Box::new(assigned))]).await.unwrap();
    let own = store.own_devices_of(owner.id).await.unwrap();
    assert_eq!((store.devices_of(owner.id).await.unwrap(), own), (2, 1), "an assigned one is none of the user's own");
    assert_eq!((store.devices_of(id(9)).await.unwrap(), store.enrollments_of(id(9)).await.unwrap()), (0, 0));
}
