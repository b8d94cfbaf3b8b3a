//! Enrollments, their identifiers, and the state of their sessions.

use super::Ground;
use super::fixtures::{
    assert_same, at, certificate, command, enroll, enroll_all, enrolled, id, ids, is_conflict, package, user,
};
use crate::app::ports::{ConversationChange, Store, Write};
use crate::domain::approval::Approval;
use crate::domain::command::CommandState;
use crate::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    an_enrollment_is_read_as_written(&make().await).await;
    the_version_guards_an_enrollment(&make().await).await;
    identifiers_follow_the_enrollment(&make().await).await;
    at_most_sixteen_claims_newest_first(&make().await).await;
    former_enrollments_of_one_user_newest_first(&make().await).await;
    quiet_enrollments_oldest_first(&make().await).await;
    conversations_are_replaced(&make().await).await;
    when_a_device_was_seen(&make().await).await;
    what_a_message_needs_is_known_in_one_go(&make().await).await;
}

fn full_enrollment() -> Enrollment {
    Enrollment {
        user_id: Some(id(1)),
        state: EnrollmentState::Retiring,
        mode: Mode::AutopilotSelfDeploying,
        kind: EnrollmentKind::Device,
        claimed_device_id: Some("Claim".to_owned()),
        hw_dev_id: Some("None".to_owned()),
        reported_dev_id: Some("{Reported}".to_owned()),
        reported_source: Some("urn:x".to_owned()),
        os_version: Some("10.0.22631.1".to_owned()),
        os_edition: Some(u32::MAX),
        context: vec![("Name".to_owned(), "a \"b\"\u{0}".to_owned()), ("Name".to_owned(), String::new())],
        account: vec![0, 1, 255],
        last_seen_at: Some(at(2)),
        inventory_at: Some(at(3)),
        state_since: at(4),
        closed_reason: Some("reason".to_owned()),
        warning: Some("warning".to_owned()),
        locked_to_tenant: true,
        entra_device_id: Some(uuid::Uuid::from_u128(0xE7)),
        package_id: Some(id(3)),
        assigned_at: Some(at(6)),
        approval: Approval::Refused,
        replaced_unapproved: Some(id(9)),
        version: 41,
        ..enrolled(1).1
    }
}

async fn an_enrollment_is_read_as_written(Ground { store, .. }: &Ground) {
    let full = full_enrollment();
    let package = Box::new(package(3, &user(1)));
    store.commit(vec![Write::InsertUser(user(1)), Write::InsertPackage(package)]).await.unwrap();
    store.commit(enroll((enrolled(1).0, full.clone()))).await.unwrap();
    assert_same(&store.enrollment(id(1)).await.unwrap().unwrap(), &full);
    assert!(store.enrollment(id(2)).await.unwrap().is_none());
    let bare = Enrollment { version: 41, ..enrolled(1).1 };
    store.commit(vec![Write::UpdateEnrollment(Box::new(bare.clone()))]).await.unwrap();
    let last_seen_at = full.last_seen_at;
    let expected = Enrollment { version: 42, last_seen_at, ..bare };
    assert_same(&store.enrollment(id(1)).await.unwrap().unwrap(), &expected);
    assert!(is_conflict(store.commit(vec![Write::InsertEnrollment(Box::new(full))]).await), "a taken id");
}

/// of messages that loaded the same state, one is taken.
async fn the_version_guards_an_enrollment(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let loaded = store.enrollment(id(1)).await.unwrap().unwrap();
    let tasks: Vec<_> = (1..=20)
        .map(|number| {
            let (store, mut mine) = (store.clone(), loaded.clone());
            mine.warning = Some(format!("{number}"));
            let state = format!("{number}");
            let writes =
                vec![Write::SaveConversation(talk(1, &state, None, number)), Write::UpdateEnrollment(Box::new(mine))];
            tokio::spawn(async move { (!is_conflict(store.commit(writes).await)).then_some(state) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    let stored = store.enrollment(id(1)).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.warning.as_ref()), (2, winners.first()));
    let kept = store.conversation(id(1)).await.unwrap().map(|stored| stored.state);
    assert_eq!(kept.as_ref(), winners.first(), "losers left nothing");
}

async fn claiming(store: &impl Store, identifier: &str) -> Vec<String> {
    let found = store.enrollments_claiming(identifier).await.unwrap();
    found.into_iter().map(|enrollment| enrollment.id.to_string()).collect()
}

async fn identifiers_follow_the_enrollment(Ground { store, .. }: &Ground) {
    let mut one = full_enrollment();
    (one.user_id, one.package_id) = (None, None);
    store.commit(enroll((enrolled(1).0, one.clone()))).await.unwrap();
    let own = id::<Enrollment>(1).to_string();
    for (identifier, found) in [
        (own.as_str(), true),
        ("claim", true),
        ("{reported}", true),
        ("none", false),
        ("", false),
        ("Claim", false),
        ("%", false),
    ] {
        assert_eq!(claiming(store, identifier).await, if found { ids([1]) } else { vec![] }, "{identifier}");
    }
    one.reported_dev_id = Some("CLAIM".to_owned());
    one.hw_dev_id = Some("3B3E".to_owned());
    store.commit(vec![Write::UpdateEnrollment(Box::new(one.clone()))]).await.unwrap();
    assert_eq!(claiming(store, "{reported}").await, ids([]), "no longer its own");
    assert_eq!(claiming(store, "claim").await, ids([1]), "claimed twice, found once");
    assert_eq!(claiming(store, "3b3e").await, ids([1]));
    one.version += 1;
    one.claimed_device_id = None;
    one.hw_dev_id = None;
    one.reported_dev_id = None;
    store.commit(vec![Write::UpdateEnrollment(Box::new(one.clone()))]).await.unwrap();
    assert_eq!(claiming(store, "claim").await, ids([]));
    assert_eq!(claiming(store, &own).await, ids([1]));
    one.version += 1;
    one.enter(EnrollmentState::Retired, at(9));
    store.commit(vec![Write::UpdateEnrollment(Box::new(one))]).await.unwrap();
    assert_eq!(claiming(store, &own).await, ids([]), "closed ones claim nothing");
}

async fn at_most_sixteen_claims_newest_first(Ground { store, .. }: &Ground) {
    for number in 1..=20_u128 {
        let (device, mut enrollment) = enrolled(number);
        enrollment.claimed_device_id = Some("Shared".to_owned());
        enrollment.enrolled_at = at(i64::try_from(number / 2).unwrap());
        enrollment.state = if number == 20 { EnrollmentState::Wiped } else { EnrollmentState::Pending };
        store.commit(enroll((device, enrollment))).await.unwrap();
    }
    assert_eq!(claiming(store, "shared").await, ids((4..=19).rev()));
}

async fn former_enrollments_of_one_user_newest_first(Ground { store, .. }: &Ground) {
    store.commit(vec![Write::InsertUser(user(1)), Write::InsertUser(user(2))]).await.unwrap();
    for number in 1..=24_u128 {
        let (device, mut enrollment) = enrolled(number);
        enrollment.user_id = Some(id(1 + u128::from(number == 24)));
        enrollment.hw_dev_id = Some("3B3E".to_owned());
        enrollment.enrolled_at = at(i64::try_from(number / 2).unwrap());
        enrollment.state = match number {
            22 => EnrollmentState::Active,
            21 => EnrollmentState::Wiped,
            _ => EnrollmentState::Retired,
        };
        if number == 23 {
            enrollment.hw_dev_id = None;
        }
        store.commit(enroll((device, enrollment))).await.unwrap();
    }
    let former = async |user, identifier: &str| {
        let found = store.former_enrollments(id(user), identifier).await.unwrap();
        found.into_iter().map(|enrollment| enrollment.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(former(1, "3b3e").await, ids((6..=21).rev()));
    assert_eq!(former(2, "3b3e").await, ids([24]));
    assert_eq!(former(3, "3b3e").await, ids([]));
    assert_eq!(former(1, "3B3E").await, ids([]));
}

async fn quiet_enrollments_oldest_first(Ground { store, .. }: &Ground) {
    // When it entered its state, and when it was seen last.
    let moments = [(50, None), (10, Some(40)), (60, Some(20)), (10, None), (99, None), (10, Some(100))];
    for (number, (since, seen)) in (1..).zip(moments) {
        let (device, mut enrollment) = enrolled(number);
        enrollment.enter(EnrollmentState::Wiping, at(since));
        enrollment.last_seen_at = seen.map(at);
        store.commit(enroll((device, enrollment))).await.unwrap();
    }
    enroll_all(store, [7]).await;
    let quiet = async |before, limit| {
        let found = store.enrollments_quiet_since(EnrollmentState::Wiping, at(before), limit).await.unwrap();
        found.into_iter().map(|enrollment| enrollment.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(quiet(99, 10).await, ids([4, 2, 1, 3]));
    assert_eq!(quiet(99, 2).await, ids([4, 2]));
    assert_eq!(quiet(50, 10).await, ids([4, 2]), "since before that moment");
    assert_eq!(quiet(10, 10).await, ids([]));
}

async fn conversations_are_replaced(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    assert_eq!(store.conversation(id(1)).await.unwrap(), None);
    let save = async |change| store.commit(vec![Write::SaveConversation(change)]).await;
    let kept = async || store.conversation(id(1)).await.unwrap().map(|stored| (stored.state, stored.revision));
    let of = |state: &str, revision| Some((state.to_owned(), revision));
    save(talk(1, "{}", None, -7)).await.unwrap();
    assert_eq!(kept().await, of("{}", -7));
    save(talk(1, "{\"current\":\"'%\"}", Some(-7), 8)).await.unwrap();
    assert_eq!(kept().await, of("{\"current\":\"'%\"}", 8));
    for replaces in [None, Some(-7), Some(9)] {
        assert!(is_conflict(save(talk(1, "late", replaces, 10)).await), "{replaces:?}");
        assert_eq!(kept().await, of("{\"current\":\"'%\"}", 8), "{replaces:?}");
    }
    assert_eq!(store.conversation(id(2)).await.unwrap(), None);
}

fn talk(enrollment: u128, state: &str, replaces: Option<i64>, revision: i64) -> ConversationChange {
    ConversationChange { enrollment_id: id(enrollment), state: state.to_owned(), replaces, revision }
}

/// What is written behind, and whoever has loaded an older moment, does not set it back; a message that comes now does.
async fn when_a_device_was_seen(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let load = async || store.enrollment(id(1)).await.unwrap().unwrap();
    let loaded = load().await;
    let catch_up = async |seconds| store.commit(vec![Write::CatchUpSeen { id: id(1), at: at(seconds) }]).await.unwrap();
    catch_up(50).await;
    catch_up(40).await;
    let seen = load().await;
    assert_eq!((seen.last_seen_at, seen.version), (Some(at(50)), loaded.version), "no version is made of it");
    store.commit(vec![Write::UpdateEnrollment(Box::new(loaded.clone()))]).await.unwrap();
    let updated = load().await;
    assert_eq!((updated.last_seen_at, updated.version), (Some(at(50)), loaded.version + 1));
    let see =
        async |version, seconds| store.commit(vec![Write::SeeEnrollment { id: id(1), version, at: at(seconds) }]).await;
    assert!(is_conflict(see(loaded.version, 60).await));
    see(updated.version, 60).await.unwrap();
    see(updated.version + 1, 30).await.unwrap();
    assert_eq!((load().await.last_seen_at, load().await.version), (Some(at(30)), updated.version + 2));
}

/// One look-up tells everything that a message needs, by the enrollment and by the certificate.
async fn what_a_message_needs_is_known_in_one_go(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let mut issued = certificate(1);
    issued.enrollment_id = id(1);
    store.commit(vec![Write::InsertCertificate(Box::new(issued.clone()))]).await.unwrap();
    let known = async || {
        let by_id = store.known(id(1)).await.unwrap().unwrap();
        let (certificate, known) = store.known_by_certificate(&issued.sha256).await.unwrap().unwrap();
        assert_eq!(certificate.serial, issued.serial);
        assert_eq!((known.enrollment.id, known.has_work), (by_id.enrollment.id, by_id.has_work));
        assert_eq!(known.conversation, by_id.conversation);
        (known.conversation.map(|stored| stored.revision), known.has_work)
    };
    assert_eq!(known().await, (None, false));
    store.commit(vec![Write::SaveConversation(talk(1, "{}", None, 3))]).await.unwrap();
    store.commit(vec![Write::InsertCommand(Box::new(command(1)))]).await.unwrap();
    assert_eq!(known().await, (Some(3), true));
    let mut done = store.command(id(1)).await.unwrap().unwrap();
    done.end(CommandState::Succeeded, "done", at(0));
    store.commit(vec![Write::UpdateCommand(Box::new(done))]).await.unwrap();
    assert_eq!(known().await, (Some(3), false));
    assert!(store.known(id(99)).await.unwrap().is_none());
    assert!(store.known_by_certificate(&[99; 32]).await.unwrap().is_none());
}
