use super::*;
use crate::app::ports::ConversationChange;
use crate::app::testing::{Ground, NOON};
use crate::domain::approval::Approval;
use crate::domain::command::Offer;
use crate::session::Closing;

async fn state_of(ground: &Ground, session: Id<SessionRecord>) -> String {
    ground.app.store.session(session).await.unwrap().unwrap().state
}

fn ordered(ground: &Ground, enrollment: &Enrollment, action: Action) -> QueuedCommand {
    let (now, owner) = (ground.app.now(), (enrollment.id, enrollment.device_id));
    QueuedCommand::new(ground.app.new_id(), owner, action, now, now + Duration::days(365))
}

#[tokio::test]
async fn a_round_ends_where_the_database_hangs() {
    let (ground, faults) = Ground::faulty().await;
    for _ in 0..3 {
        let enrollment = ground.enrollment().await;
        ground.session(&enrollment).await;
    }
    ground.clock.advance(Duration::minutes(31));
    faults.hang();
    faults.commits();
    ground.app.sweep().await;
    assert_eq!(faults.commits(), 1, "not one wait for each row and each part");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_hide_the_others() {
    let ground = Ground::new().await;
    let (odd, even) = (ground.enrollment().await, ground.enrollment().await);
    let first = ground.session(&odd).await.id;
    ground.clock.advance(Duration::SECOND);
    let second = ground.session(&even).await.id;
    let (_, replaces) = ground.app.load_conversation(odd.id).await.unwrap();
    let (enrollment_id, state) = (odd.id, "no JSON".to_owned());
    let damage = Write::SaveConversation(ConversationChange { enrollment_id, state, replaces, revision: 1 });
    ground.app.commit(vec![damage]).await.unwrap();
    ground.clock.advance(Duration::minutes(31));
    ground.app.sweep().await;
    assert_eq!(
        (state_of(&ground, first).await.as_str(), state_of(&ground, second).await.as_str()),
        ("open", "timed_out")
    );
}

#[tokio::test]
async fn a_session_that_went_on_meanwhile_does_not_time_out() {
    let ground = Ground::new().await;
    let enrollment = ground.enrollment().await;
    let mut session = ground.session(&enrollment).await;
    let id = session.id;
    let end = async |before| ground.app.time_out_session(id, enrollment.id, before).await.unwrap();
    end(NOON).await;
    assert_eq!(state_of(&ground, session.id).await, "open", "its last message is of that moment");
    session.close(Closing::Completed, ground.app.now());
    ground.save_session(&enrollment, &session).await;
    end(NOON + Duration::HOUR).await;
    assert_eq!(state_of(&ground, session.id).await, "completed", "how it ended stays");
}

#[tokio::test]
async fn a_command_that_was_decided_meanwhile_is_no_orphan() {
    let ground = Ground::new().await;
    let mut enrollment = ground.enrollment().await;
    let [stale, orphan] = [(); 2].map(|()| ordered(&ground, &enrollment, Action::Sync));
    let insert = |command: &QueuedCommand| Write::InsertCommand(Box::new(command.clone()));
    ground.app.commit(vec![insert(&stale), insert(&orphan)]).await.unwrap();
    let mut decided = stale.clone();
    decided.end(CommandState::Succeeded, "done", NOON);
    enrollment.enter(EnrollmentState::Retired, NOON);
    let writes = vec![Write::UpdateEnrollment(Box::new(enrollment)), Write::UpdateCommand(Box::new(decided))];
    ground.app.commit(writes).await.unwrap();
    for (command, state) in [(stale, CommandState::Succeeded), (orphan, CommandState::Cancelled)] {
        let id = command.id;
        ground.app.end_orphan(command).await.unwrap();
        assert_eq!(ground.app.store.command(id).await.unwrap().unwrap().state, state);
    }
}

#[tokio::test]
async fn old_attempts_are_removed_faster_than_strangers_make_them() {
    let ground = Ground::new().await;
    let app = &ground.app;
    let caller = crate::app::Caller {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        trace_id: app.new_trace_id(),
        says_doctor: false,
    };
    for number in 0..450 {
        let email = format!("eve{number}@elsewhere.test");
        app.refused(&caller, crate::domain::attempt::Phase::Discover, &email, &crate::app::Refusal::DomainNotServed)
            .await;
    }
    while !app.publish_events().await.unwrap().is_empty() {}
    ground.clock.advance(Duration::days(4000));
    app.sweep().await;
    let page = crate::app::ports::Page { limit: 500, after: None };
    assert_eq!(app.store.attempts(&crate::app::ports::AttemptFilter::default(), &page).await.unwrap().items.len(), 0);
    assert_eq!(app.store.events_after(0, None, 1000).await.unwrap().len(), 1, "the last one keeps the place");
}

// covers: S-10, S-12
#[tokio::test]
async fn a_refused_device_that_stays_away_never_becomes_active() {
    for (approval, expected) in [
        (Approval::Awaited, EnrollmentState::Blocked),
        (Approval::Refused, EnrollmentState::Blocked),
        (Approval::Granted, EnrollmentState::Active),
        (Approval::NotNeeded, EnrollmentState::Active),
    ] {
        let ground = Ground::new().await;
        let mut enrollment = ground.enrollment().await;
        enrollment.approval = approval;
        enrollment.enter(EnrollmentState::Retiring, NOON);
        let retire = ordered(&ground, &enrollment, Action::Retire);
        let conversation = Conversation { retire: Some(retire.id), ..Conversation::default() };
        let (_, revision) = ground.app.load_conversation(enrollment.id).await.unwrap();
        let writes = vec![
            Write::InsertCommand(Box::new(retire.clone())),
            ground.app.conversation_write(enrollment.id, &conversation, revision).unwrap(),
            Write::UpdateEnrollment(Box::new(enrollment.clone())),
        ];
        ground.app.commit(writes).await.unwrap();
        ground.clock.advance(Duration::days(366));
        ground.app.sweep().await;
        let after = ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap();
        assert_eq!(after.state, expected);
        assert_eq!(ground.app.store.command(retire.id).await.unwrap().unwrap().state, CommandState::Expired);
        assert_eq!(after.closed_reason.is_some(), !approval.lets_in());
    }
}

#[tokio::test]
async fn a_device_that_comes_at_the_last_moment_is_not_taken_for_gone() {
    for comes in [true, false] {
        let (ground, faults) = Ground::faulty().await;
        let mut enrollment = ground.enrollment().await;
        let mut retire = ordered(&ground, &enrollment, Action::Retire);
        retire.last_offer = Some(Offer { session: ground.app.new_id(), msg_id: 1, at: NOON });
        enrollment.enter(EnrollmentState::Retiring, NOON);
        let conversation = Conversation { retire: Some(retire.id), ..Conversation::default() };
        let writes = vec![
            Write::InsertCommand(Box::new(retire)),
            Write::UpdateEnrollment(Box::new(enrollment.clone())),
            ground.app.conversation_write(enrollment.id, &conversation, None).unwrap(),
        ];
        ground.app.commit(writes).await.unwrap();
        ground.clock.advance(Duration::days(31));
        if comes {
            faults.devices_come_after_next_commit();
        }
        ground.app.sweep().await;
        let kept = ground.app.store.enrollment(enrollment.id).await.unwrap().unwrap();
        let expected = if comes { EnrollmentState::Retiring } else { EnrollmentState::Retired };
        assert_eq!(kept.state, expected);
    }
}
