//! Tests of actions that the device accepts and works on for a while.

use time::Duration;

use super::super::world::{World, answers, message, package1};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::proto::syncml::{Command, Verb};

const STATUS: &str = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsStatus";
const REQUEST: &str = "./Device/Vendor/MSFT/BitLocker/Status/RotateRecoveryPasswordsRequestID";

/// The device's answer to Gets: 200 and these values, by node.
fn values(session: &str, msg: u64, gets: &[Command], values: &[(&str, &str)]) -> String {
    let each = |get: &Command| {
        let uri = get.items[0].target.as_ref().unwrap().as_str();
        let value = values.iter().find(|(node, _)| *node == uri).unwrap_or_else(|| panic!("{uri}")).1;
        format!(
            "<Status><CmdID>s{0}</CmdID><MsgRef>{1}</MsgRef><CmdRef>{0}</CmdRef><Cmd>Get</Cmd><Data>200</Data></Status>\
             <Results><CmdID>r{0}</CmdID><MsgRef>{1}</MsgRef><CmdRef>{0}</CmdRef><Item><Source><LocURI>{uri}</LocURI>\
             </Source><Data>{value}</Data></Item></Results>",
            get.cmd_id,
            msg - 1
        )
    };
    let body: String = gets.iter().map(each).collect();
    message(session, msg, &format!("{body}<Final/>"))
}

/// A rotation that the device accepted in session 1.
fn accepted(world: &mut World) -> Id<QueuedCommand> {
    let rotation = world.act(Action::RotateBitlockerKeys);
    let sent = world.post(&package1("1")).commands();
    assert_eq!(sent.iter().map(|command| command.verb).collect::<Vec<_>>(), [Verb::Exec]);
    assert!(world.post(&answers("1", 2, &sent, 202)).commands().is_empty(), "it is not asked in the same breath");
    assert_eq!(world.state(rotation), CommandState::Sent);
    rotation
}

fn uris(commands: &[Command]) -> Vec<String> {
    commands.iter().map(|command| command.items[0].target.as_ref().unwrap().to_string()).collect()
}

/// A session at that moment in which the device reports these values, if it is asked.
fn report(world: &mut World, session: &str, pairs: &[(&str, &str)]) -> Vec<Command> {
    let asked = world.post(&package1(session)).commands();
    if !asked.is_empty() {
        world.post(&values(session, 2, &asked, pairs));
    }
    asked
}

// covers: M-116
#[test]
fn a_status_counts_under_our_request_id_only() {
    let mut world = World::new();
    let rotation = accepted(&mut world);
    let own = rotation.to_string();
    world.now += Duration::minutes(1);
    assert!(report(&mut world, "2", &[]).is_empty(), "too early");
    world.now += Duration::minutes(1);
    let foreign = "3b241101-e2bb-4255-8caf-4136c566a962";
    let asked = report(&mut world, "3", &[(STATUS, "0"), (REQUEST, foreign)]);
    assert_eq!(uris(&asked), [STATUS, REQUEST]);
    assert_eq!(world.state(rotation), CommandState::Sent, "the status of somebody else's rotation");
    world.now += Duration::minutes(4);
    report(&mut world, "4", &[(STATUS, "1"), (REQUEST, &own)]);
    assert_eq!(world.commands[&rotation].detail, "the rotation is under way");
    world.now += Duration::hours(4);
    report(&mut world, "5", &[(STATUS, "0"), (REQUEST, &format!("{{{}}}", own.to_uppercase()))]);
    let done = &world.commands[&rotation];
    assert_eq!((done.state, done.finished_at), (CommandState::Succeeded, Some(world.now)));
    assert!(done.items.len() <= 3, "questions do not pile up: {:?}", done.items);
}

#[test]
fn a_rotation_that_failed_says_why() {
    let mut world = World::new();
    let rotation = accepted(&mut world);
    world.now += Duration::minutes(2);
    report(&mut world, "2", &[(STATUS, "-2147024891"), (REQUEST, &rotation.to_string())]);
    let failed = &world.commands[&rotation];
    assert_eq!((failed.state, failed.hresult.as_deref()), (CommandState::Failed, Some("0x80070005")));
    assert!(failed.detail.contains("ERROR_ACCESS_DENIED"), "{}", failed.detail);
}

#[test]
fn a_question_that_gets_lost_is_asked_again_and_the_exec_is_not() {
    let mut world = World::new();
    let rotation = accepted(&mut world);
    world.now += Duration::minutes(2);
    let lost = world.post(&package1("2")).commands();
    assert_eq!(lost.len(), 2);
    // The device starts anew instead of answering.
    assert!(world.post(&package1("3")).commands().is_empty(), "it is put off");
    assert_eq!(world.state(rotation), CommandState::Sent);
    world.now += Duration::hours(1);
    let asked = world.post(&package1("4")).commands();
    assert!(asked.iter().all(|command| command.verb == Verb::Get) && asked.len() == 2, "{asked:?}");
    // An answer without a status for it changes nothing either.
    world.post(&message("4", 2, "<Final/>"));
    assert_eq!(world.state(rotation), CommandState::Sent);
    world.now += Duration::hours(2);
    report(&mut world, "5", &[(STATUS, "0"), (REQUEST, &rotation.to_string())]);
    assert_eq!(world.state(rotation), CommandState::Succeeded);
}

#[test]
fn an_exec_without_an_answer_is_never_repeated_nor_asked_about() {
    let mut world = World::new();
    let rotation = world.act(Action::RotateBitlockerKeys);
    assert_eq!(world.post(&package1("1")).commands().len(), 1);
    for session in 2..6 {
        world.now += Duration::hours(3);
        assert!(world.post(&package1(&session.to_string())).commands().is_empty());
    }
    assert_eq!(world.state(rotation), CommandState::Unknown);
}

#[test]
fn the_device_is_not_waited_for_for_ever() {
    let mut world = World::new();
    let rotation = accepted(&mut world);
    let mut questions = 0;
    for session in 2..200 {
        world.now += Duration::minutes(10);
        questions += report(&mut world, &session.to_string(), &[(STATUS, "2"), (REQUEST, &rotation.to_string())]).len();
    }
    let over = &world.commands[&rotation];
    assert_eq!(over.state, CommandState::Unknown);
    assert!(over.detail.contains("did not tell how it ended"), "{}", over.detail);
    assert!((10..=40).contains(&questions), "{questions} questions in a day");
    world.now += Duration::days(30);
    assert!(report(&mut world, "900", &[]).is_empty(), "it is asked no more");
}

#[test]
fn a_follow_up_survives_an_answer_that_the_device_cannot_read() {
    let mut world = World::new();
    let rotation = accepted(&mut world);
    world.now += Duration::minutes(2);
    assert_eq!(world.post(&package1("2")).commands().len(), 2);
    world.post(&super::super::world::unreadable("2", 2));
    assert_eq!(world.state(rotation), CommandState::Sent);
    world.now += Duration::hours(1);
    report(&mut world, "3", &[(STATUS, "0"), (REQUEST, &rotation.to_string())]);
    assert_eq!(world.state(rotation), CommandState::Succeeded);
}
