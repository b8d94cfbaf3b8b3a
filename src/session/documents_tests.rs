use super::*;
use crate::domain::action::{Action, DeclareDocument};
use crate::domain::command::CommandState;
use crate::proto::csp::secret::Secret;
use crate::session::world::{World, answers, package1_as, unreadable};

const ID: &str = "5d1c6a52-2f7c-4a53-9a3e-0a5f6f1d2c11";
const RESULT: &str =
    "./Device/Vendor/MSFT/DeclaredConfiguration/Host/Complete/Results/5d1c6a52-2f7c-4a53-9a3e-0a5f6f1d2c11/Document";

fn with_documents() -> World {
    let mut world = World::new();
    world.limits.declared_configuration = true;
    world
}

fn alert_of(document: &str) -> String {
    let states = format!("&lt;DeclaredConfigurations schema=\"1.0\"&gt;{document}&lt;/DeclaredConfigurations&gt;");
    format!(
        "<Alert><CmdID>8</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>\
         com.microsoft.mdm.declaredconfigurationdocuments</Type></Meta><Data>{states}</Data></Item></Alert>"
    )
}

/// A first message that tells of one document.
fn first(session: &str, document: &str) -> String {
    package1_as(session, "user").replace("<Final/>", &format!("{}<Final/>", alert_of(document)))
}

fn told(context: &str, checksum: &str, result: &str, state: u16) -> String {
    format!(
        "&lt;DeclaredConfiguration context=\"{context}\" id=\"{ID}\" checksum=\"{checksum}\" result_checksum=\"{result}\" \
         state=\"{state}\"/&gt;"
    )
}

fn gets(commands: &[Command]) -> Vec<String> {
    commands.iter().map(|command| format!("{} {}", command.cmd_id, command.items[0].target.as_ref().unwrap())).collect()
}

/// The answer to a message with one result in it.
fn with_result(session: &str, msg: u64, sent: &[Command], cmd_ref: &str, result: &str) -> String {
    let results = format!(
        "<Results><CmdID>90</CmdID><MsgRef>{}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Source><LocURI>{RESULT}</LocURI></Source>\
         <Data>{result}</Data></Item></Results><Final/>",
        msg - 1
    );
    answers(session, msg, sent, 200).replace("<Final/>", &results)
}

fn result_of(state: u16, status: u16) -> String {
    format!(
        "&lt;DeclaredConfigurationResult checksum=\"A1\" operation=\"Set\" state=\"{state}\"&gt;&lt;CSP name=\"./Vendor/MSFT/VPNv2\"&gt;\
         &lt;URI path=\"Corp/ProfileXML\" status=\"{status}\" state=\"{state}\" type=\"chr\"/&gt;&lt;/CSP&gt;\
         &lt;/DeclaredConfigurationResult&gt;"
    )
}

fn alerts(world: &World) -> usize {
    world.notices.iter().filter(|notice| matches!(notice, Notice::Alert { .. })).count()
}

fn kept(world: &World) -> Vec<String> {
    let items = world.notices.iter().filter_map(|notice| match notice {
        Notice::Inventory(items) => Some(items),
        _ => None,
    });
    let results = items.flatten().filter(|item| item.loc_uri.as_str() == RESULT);
    results.map(|item| item.value.clone().unwrap_or_default()).collect()
}

#[test]
fn a_result_is_read_once_for_each_version_of_it() {
    let mut world = with_documents();
    let sent = world.post(&first("1", &told("Device", "A1", "R1", 60))).commands();
    assert_eq!(gets(&sent), [format!("w1 {RESULT}")]);
    assert_eq!(world.post(&with_result("1", 2, &sent, "w1", &result_of(60, 200))).commands(), []);
    assert_eq!(kept(&world).len(), 1);
    assert!(kept(&world)[0].contains("state=\"60\""));
    assert_eq!(alerts(&world), 1);
    // The same again, as in every message, is no news.
    assert_eq!(world.post(&first("2", &told("Device", "A1", "R1", 60))).commands(), []);
    assert_eq!(alerts(&world), 1);
    let changed = world.post(&first("3", &told("Device", "A1", "R2", 61))).commands();
    assert_eq!(gets(&changed), [format!("w1 {RESULT}")]);
    assert_eq!(alerts(&world), 2);
    assert_eq!(world.conversation.documents.len(), 1);
    assert_eq!(world.conversation.documents[0].told.state, 61);
    // What is refused is asked for again when it changes.
    world.post(&answers("3", 2, &changed, 404)).commands();
    assert_eq!(world.post(&first("4", &told("Device", "A1", "R2", 61))).commands(), []);
    assert_eq!(world.post(&first("5", &told("Device", "A1", "R3", 61))).commands().len(), 1);
}

#[test]
fn a_question_that_got_lost_is_asked_in_the_next_session() {
    let mut world = with_documents();
    let document = told("Device", "A1", "R1", 60);
    assert_eq!(world.post(&first("1", &document)).commands().len(), 1);
    let again = world.post(&unreadable("1", 2)).commands();
    assert_eq!(gets(&again), [format!("w1 {RESULT}")], "the device read nothing of it");
    assert_eq!(world.post(&first("2", &document)).commands().len(), 1);
}

#[test]
fn a_result_of_the_user_waits_for_the_user() {
    let mut world = with_documents();
    let text = first("1", &told("User", "A1", "R1", 60));
    let without_user = text.replace("<Data>user</Data>", "<Data>none</Data>");
    assert_eq!(world.post(&without_user).commands(), []);
    let sent = world.post(&first("2", &told("User", "A1", "R1", 60))).commands();
    assert_eq!(gets(&sent), [format!("w1 {}", RESULT.replace("./Device", "./User"))]);
}

#[test]
fn without_the_setting_it_is_an_alert_like_any_other() {
    let mut world = World::new();
    for session in ["1", "2"] {
        assert_eq!(world.post(&first(session, &told("Device", "A1", "R1", 60))).commands(), []);
    }
    assert_eq!(alerts(&world), 2);
    assert!(world.conversation.documents.is_empty());
}

#[test]
fn what_cannot_be_read_changes_nothing_and_is_told() {
    let mut world = with_documents();
    world.post(&first("1", &told("Device", "A1", "R1", 60)));
    let before = world.conversation.documents.clone();
    let many = told("Device", "A1", "R9", 60).repeat(MOST_DOCUMENTS + 1);
    for (session, odd) in ["x", "&lt;DeclaredConfiguration/&gt;", many.as_str()].iter().enumerate() {
        world.post(&first(&format!("a{session}"), odd));
    }
    assert_eq!(world.conversation.documents, before);
    let remarks = world.notices.iter().filter(|notice| matches!(notice, Notice::Remark(_))).count();
    assert_eq!(remarks, 2, "text beside elements is no document; the other two cannot be read");
}

#[test]
fn results_that_nobody_asked_for_are_not_kept() {
    let mut world = with_documents();
    let sent = world.post(&first("1", &told("Device", "A1", "R1", 60))).commands();
    for odd in ["w2", "w0", "w", "w18446744073709551616"] {
        world.post(&with_result("1", 2, &[], odd, "x"));
        assert!(kept(&world).is_empty(), "{odd}");
        world = with_documents();
        world.post(&first("1", &told("Device", "A1", "R1", 60)));
    }
    let other = with_result("1", 2, &sent, "w1", "x").replace("Results/5d", "Results/6d");
    world.post(&other);
    assert!(kept(&world).is_empty());
}

fn declare(world: &mut World) -> crate::domain::Id<crate::domain::command::QueuedCommand> {
    let document = format!(
        "<DeclaredConfiguration schema=\"1.0\" context=\"Device\" id=\"{ID}\" checksum=\"A1\" osdefinedscenario=\"MSFTVPN\">\
         <CSP name=\"./Vendor/MSFT/VPNv2\"><URI path=\"Corp/ProfileXML\" type=\"chr\">x</URI></CSP></DeclaredConfiguration>"
    );
    world.act(Action::DeclareDocument(DeclareDocument::read(Secret::new(document)).unwrap()))
}

#[test]
fn a_document_ends_as_its_result_says() {
    for (state, status, expected, words) in [
        (60, 200, CommandState::Succeeded, "set"),
        (61, 405, CommandState::Failed, "could not be set: ./Vendor/MSFT/VPNv2/Corp/ProfileXML (status 405)"),
        (2, 200, CommandState::Sent, "being set"),
    ] {
        let mut world = with_documents();
        let id = declare(&mut world);
        let sent = world.post(&package1_as("1", "user")).commands();
        assert_eq!(sent[0].items[0].meta.format.as_deref(), Some("chr"));
        assert_eq!(world.post(&answers("1", 2, &sent, 200)).commands(), []);
        assert_eq!(world.state(id), CommandState::Sent, "the device works on it");
        // Another version of the document, and one that is not over, tell nothing.
        for (session, document) in [("2", told("Device", "A0", "R0", 60)), ("3", told("Device", "A1", "R0", 2))] {
            let sent = world.post(&first(session, &document)).commands();
            assert!(sent.iter().all(|command| command.cmd_id.starts_with('w')), "{sent:?}");
        }
        let sent = world.post(&first("4", &told("Device", "A1", "R1", 61))).commands();
        let own = sent.iter().find(|command| !command.cmd_id.starts_with('w')).expect("the action asks as well");
        assert_eq!(own.items[0].target.as_ref().unwrap().as_str(), RESULT);
        let own = own.cmd_id.clone();
        // The alert comes with every message, before the answers too: it does not make the question begin anew.
        let answer = with_result("4", 2, &sent, &own, &result_of(state, status));
        let alert = alert_of(&told("Device", "A1", "R1", 61));
        let answer = answer.replacen("<SyncBody>", &format!("<SyncBody>{alert}"), 1);
        let left = world.post(&answer).commands();
        assert_eq!(left, [], "{left:?}");
        assert_eq!(world.state(id), expected, "{}", world.commands[&id].detail);
        assert!(world.commands[&id].detail.contains(words), "{}", world.commands[&id].detail);
    }
}

#[test]
fn a_first_enrollment_takes_no_documents() {
    let mut world = with_documents();
    let id = declare(&mut world);
    let sent = world.post(&package1_as("1", "user")).commands();
    world.post(&answers("1", 2, &sent, 406));
    assert_eq!(world.state(id), CommandState::Unsupported);
    assert!(world.commands[&id].detail.contains("not a linked enrollment"), "{}", world.commands[&id].detail);
}
