//! Tests of sessions: which messages belong to them, how they are answered, how they end.

use time::Duration;

use super::super::world::{Reply, World, answers, message, package1, package1_as};
use super::super::{Admission, Closing, Incoming, Notice, Rejection};
use crate::domain::action::{Action, Wipe};
use crate::domain::command::CommandState;
use crate::domain::proof::Proof;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::syncml::{Command, Element, Message};

// covers: M-39, M-40, M-42, M-43, M-44, M-45, M-46, M-47, M-53, M-56, M-60, M-147
#[test]
fn a_session_without_work_is_answered_and_closed() {
    let mut world = World::new();
    let reply = world.post(&package1("0")).message();
    assert_eq!((reply.header.session_id.0.as_str(), reply.header.msg_id.0, reply.is_final), ("0", 1, true));
    assert_eq!(reply.header.source, world.limits.management_url);
    assert_eq!(reply.header.target, "DEV1");
    let seen: Vec<(String, String, u16)> = reply
        .body
        .iter()
        .map(|element| match element {
            Element::Status(status) => (status.cmd_ref.clone(), status.cmd.clone(), status.code.0),
            other => panic!("not a Status: {other:?}"),
        })
        .collect();
    let expected = [("0", "SyncHdr"), ("2", "Alert"), ("3", "Alert"), ("4", "Replace")];
    assert_eq!(seen, expected.map(|(id, cmd)| (id.to_owned(), cmd.to_owned(), 200)));
    assert_eq!(world.conversation.current.as_ref().unwrap().closed.unwrap().how, Closing::Completed);
    let told = world.notices.iter().find_map(|notice| match notice {
        Notice::Inventory(items) => Some(items.len()),
        _ => None,
    });
    assert_eq!(told, Some(2), "unknown DevInfo items are kept too");
}

// covers: M-54, M-55, M-126
#[test]
fn any_first_message_opens_a_session() {
    for body in [
        "<Alert><CmdID>2</CmdID><Data>1200</Data></Alert><Final/>",
        "<Alert><CmdID>2</CmdID><Data>1224</Data></Alert><Final/>",
        "<Replace><CmdID>1</CmdID><Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>x</Data></Item></Replace><Final/>",
        "<Final/>",
    ] {
        let mut world = World::new();
        let id = world.replace("./a");
        assert_eq!(world.post(&message("1", 1, body)).commands().len(), 1, "{body}");
        assert_eq!(world.state(id), CommandState::Sent);
    }
}

// covers: M-61, M-62
#[test]
fn commands_follow_in_order_and_the_session_closes_after_the_last() {
    let mut world = World::new();
    let ids: Vec<_> = ["./a", "./b"].into_iter().map(|uri| world.replace(uri)).collect();
    let commands = world.post(&package1("1")).commands();
    let uris: Vec<_> = commands.iter().map(|c| c.items[0].target.as_ref().unwrap().as_str()).collect();
    assert_eq!(uris, ["./a", "./b"]);
    assert!(world.post(&answers("1", 2, &commands, 200)).commands().is_empty());
    assert!(ids.iter().all(|id| world.state(*id) == CommandState::Succeeded));
    assert!(world.conversation.open().is_none());
}

// covers: M-57, M-58, M-59
#[test]
fn commands_for_the_user_wait_for_the_user() {
    let mut world = World::new();
    let user = world.replace("./User/Vendor/MSFT/x");
    let device = world.replace("./Device/Vendor/MSFT/x");
    for login in ["others", "none", ""] {
        let commands = world.post(&package1_as(&format!("{login}1"), login)).commands();
        assert!(commands.iter().all(|c| !c.items[0].target.as_ref().unwrap().is_user_scope()), "{login}");
        assert!(world.commands[&user].detail.contains("waits for the user"));
        assert_eq!(world.commands[&user].offers, 0);
    }
    assert_eq!(world.state(device), CommandState::Sent);
    for (number, login) in ["user", "User", "USER"].into_iter().enumerate() {
        let commands = world.post(&package1_as(&format!("u{number}"), login)).commands();
        assert!(commands.iter().any(|c| c.items[0].target.as_ref().unwrap().is_user_scope()), "{login}");
    }
}

// covers: M-33
#[test]
fn credentials_show_in_the_header_status_alone() {
    let header = |reply: &Message| match &reply.body[0] {
        Element::Status(status) => (status.code.0, status.chal.as_ref().and_then(|chal| chal.next_nonce.clone())),
        other => panic!("{other:?}"),
    };
    let commands = |reply: Message| Reply::Message(Box::new(reply)).commands();
    let mut world = World::new();
    assert_eq!(header(&world.post(&package1("1")).message()), (200, None), "a certificate: no nonce");
    world.admission = Admission::Credential { nonce: [7; 16], said: 1 };
    world.replace("./b");
    let reply = world.post(&package1("2")).message();
    let given = Some("BwcHBwcHBwcHBwcHBwcHBw==".to_owned());
    assert_eq!((header(&reply), reply.header.msg_id.0), ((212, given.clone()), 2), "we count on after a challenge");
    world.admission = Admission::Session([7; 16]);
    world.replace("./c");
    let reply = world.post(&answers("2", 2, &commands(reply), 200)).message();
    assert_eq!((header(&reply), reply.header.msg_id.0), ((200, None), 3), "the session goes on");
    let reply = world.post(&answers("2", 3, &commands(reply), 200)).message();
    assert_eq!(header(&reply), (200, given), "it ends with a nonce for the next");
    assert_eq!(world.conversation.current.as_ref().unwrap().proofs, [Proof::Certificate, Proof::Digest]);
}

// covers: M-35
#[test]
fn a_device_that_has_to_sign_is_told_once_a_session() {
    let mut world = World::new();
    let told = |commands: &[Command]| {
        commands
            .iter()
            .filter(|command| command.cmd_id == "k3")
            .map(|command| command.items[0].text().to_owned())
            .collect()
    };
    world.has_to_sign = true;
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    let once: Vec<String> = told(&commands);
    assert_eq!((once, commands.len()), (vec!["true".to_owned()], 2));
    assert!(world.post(&answers("1", 2, &commands, 200)).commands().is_empty());
    world.has_to_sign = false;
    assert!(world.post(&package1("2")).commands().is_empty(), "it signs");
    world.enrollment.inventory_at = None;
    world.has_to_sign = true;
    let with_inventory: Vec<String> = told(&world.post(&package1("3")).commands());
    assert_eq!(with_inventory.len(), 1);
}

// covers: M-36
#[test]
fn a_token_that_is_not_believed_holds_the_users_commands_alone() {
    let mut world = World::new();
    let user = world.replace("./User/Vendor/MSFT/x");
    let device = world.replace("./Device/Vendor/MSFT/x");
    world.tokens.rejected = Some("it expired".to_owned());
    let commands = world.post(&package1("1")).commands();
    assert_eq!(commands.len(), 1);
    assert_eq!(world.state(device), CommandState::Sent);
    assert!(world.commands[&user].detail.ends_with("it expired"), "{}", world.commands[&user].detail);
    assert!(world.post(&answers("1", 2, &commands, 200)).commands().is_empty(), "for the rest of the session");
    assert_eq!((world.state(user), world.commands[&user].offers), (CommandState::Queued, 0));
    assert_eq!(world.post(&package1("2")).commands().len(), 1, "a session without tokens is one as before");
    assert_eq!(world.state(user), CommandState::Sent);
}

// covers: M-63, M-64, R-04, R-05, M-129, S-16
#[test]
fn repeated_messages_follow_the_table() {
    let mut world = World::new();
    let wipe = world.act(Action::Wipe(Wipe { variant: Variant::Wipe }));
    let first = package1("1");
    let commands = world.post(&first).commands();
    assert_eq!(commands.len(), 1);
    assert!(matches!(world.post(&first), Reply::Replayed), "MsgID 1 within a minute");
    assert_eq!(world.commands[&wipe].offers, 1);
    let second = message("1", 2, "<Final/>");
    world.post(&second);
    assert!(matches!(world.post(&second), Reply::Replayed));
    let stale = message("1", 2, "<Alert><CmdID>7</CmdID><Data>1222</Data></Alert><Final/>");
    assert!(matches!(world.post(&stale), Reply::Refused(Rejection::Contradiction)));
    // The closed session is remembered for ten minutes.
    world.now += Duration::minutes(9);
    assert!(matches!(world.judge(&second), Incoming::Replay(_)));
    world.now += Duration::minutes(2);
    assert_eq!(world.judge(&second), Incoming::Late);
    // Package 1 once more, later: a new session.
    assert_eq!(world.judge(&first), Incoming::Open { odd: false });
}

// covers: M-64
#[test]
fn an_older_message_is_refused_and_the_session_stays() {
    let mut world = World::new();
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    world.replace("./b");
    world.post(&answers("1", 2, &commands, 200));
    world.post(&message("1", 4, "<Alert><CmdID>9</CmdID><Data>1222</Data></Alert>"));
    assert!(matches!(world.post(&message("1", 3, "<Final/>")), Reply::Refused(Rejection::Stale)));
    assert!(world.conversation.open().is_some());
    assert!(world.notices.contains(&Notice::Remark("MsgIDs were skipped".into())));
}

// covers: M-129
#[test]
fn a_contradiction_aborts_the_session_and_keeps_the_queue() {
    let mut world = World::new();
    let id = world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    world.replace("./b");
    world.post(&answers("1", 2, &commands, 417));
    assert!(world.conversation.open().is_some());
    assert!(matches!(world.post(&message("1", 2, "<Final/>")), Reply::Refused(Rejection::Contradiction)));
    assert_eq!(world.conversation.current.as_ref().unwrap().closed.unwrap().how, Closing::Aborted);
    assert_eq!(world.state(id), CommandState::Queued);
}

// covers: M-128
#[test]
fn a_source_that_changes_within_the_session_ends_it() {
    let mut world = World::new();
    world.replace("./a");
    world.post(&package1("1"));
    let changed = message("1", 2, "<Final/>").replace("DEV1", "OTHER");
    assert!(matches!(world.post(&changed), Reply::Refused(Rejection::SourceChanged)));
    assert!(world.conversation.open().is_none());
}

// covers: M-127
#[test]
fn an_unknown_source_is_served_and_recorded() {
    let mut world = World::new();
    world
        .post(
            &package1("1")
                .replace("<LocURI>DEV1</LocURI></Source></SyncHdr>", "<LocURI>urn:x</LocURI></Source></SyncHdr>"),
        )
        .message();
    assert!(world.notices.contains(&Notice::SourceChanged { from: None }));
    assert_eq!(world.enrollment.reported_source.as_deref(), Some("urn:x"));
}
