//! Tests of values that go to the device in chunks, and of messages that keep to its MaxMsgSize.

use proptest::prelude::*;
use time::Duration;
use uuid::Uuid;

use super::super::Notice;
use super::super::world::{World, message, package1};
use super::*;
use crate::domain::object::LargeValue;
use crate::proto::syncml::{Element, encode};

const NODE: &str = "./Vendor/MSFT/Example/Big";

/// A value in rows, and the command that sets it.
fn large(world: &mut World, text: &str) -> Id<QueuedCommand> {
    let id = world.raw(&format!(
        "<Replace><Item><Target><LocURI>{NODE}</LocURI></Target><Meta><Format xmlns='syncml:metinf'>chr</Format></Meta>\
         <MoreData/></Item></Replace>"
    ));
    let object = ObjectRef { id: Id::new(Uuid::from_u128(world.id())), bytes: text.len() as u64 };
    world.objects.insert(object.id, (true, text.to_owned()));
    world.commands.get_mut(&id).unwrap().large_value = Some(LargeValue { object, sha256: String::new() });
    id
}

/// The same message of a device that announces how much it takes.
fn announcing(text: &str, size: u64) -> String {
    text.replace("</SyncHdr>", &format!("<Meta><MaxMsgSize xmlns='syncml:metinf'>{size}</MaxMsgSize></Meta></SyncHdr>"))
}

fn status(reply: &Message, command: &Command, code: u16) -> String {
    format!(
        "<Status><CmdID>s{0}</CmdID><MsgRef>{1}</MsgRef><CmdRef>{0}</CmdRef><Cmd>{2}</Cmd><Data>{code}</Data></Status>",
        command.cmd_id,
        reply.header.msg_id.0,
        command.verb.name()
    )
}

fn commands(reply: &Message) -> Vec<Command> {
    let own = |each: &Element| if let Element::Command(command) = each { Some(command.clone()) } else { None };
    reply.body.iter().filter_map(own).collect()
}

/// The next message of a device that takes every chunk, and does everything else that it is told.
fn obedient(reply: &Message, session: &str, number: u64) -> String {
    let code = |command: &Command| if command.items.iter().any(|item| item.more_data) { 213 } else { 200 };
    let own = commands(reply);
    let said: String = own.iter().flat_map(Command::walk).map(|each| status(reply, each, code(each))).collect();
    let end = if reply.is_final { "<Final/>" } else { "<Alert><CmdID>9</CmdID><Data>1222</Data></Alert>" };
    message(session, number, &format!("{said}{end}"))
}

/// Goes on to the end of the session; what came of the value, and the largest message.
fn play(world: &mut World, mut reply: Message, session: &str) -> (String, usize) {
    let (mut text, mut largest, mut number) = (String::new(), 0, 1);
    while !commands(&reply).is_empty() {
        largest = largest.max(encode(&reply).len());
        for command in commands(&reply).iter().filter(|command| {
            command.items.iter().any(|item| item.target.as_ref().is_some_and(|uri| uri.as_str() == NODE))
        }) {
            let item = &command.items[0];
            assert_eq!(item.meta.size.is_some(), text.is_empty(), "the size stands in the first chunk");
            assert_eq!(reply.is_final, !item.more_data, "the last chunk ends the package");
            assert_eq!(commands(&reply).len(), 1, "nothing else is told to do between chunks");
            text.push_str(item.text());
        }
        number += 1;
        assert!(number < 3000, "it does not end");
        reply = world.post(&obedient(&reply, session, number)).message();
    }
    (text, largest)
}

fn remarked(world: &World, words: &str) -> bool {
    world.notices.iter().any(|notice| matches!(notice, Notice::Remark(told) if told.contains(words)))
}

// covers: M-73
#[test]
fn a_large_value_arrives_in_chunks_and_the_queue_goes_on() {
    let mut world = World::new();
    let before = world.replace("./before");
    let text = "0123456789<&>é".repeat(2000);
    let id = large(&mut world, &text);
    let after = world.replace("./after");
    let first = world.post(&announcing(&package1("1"), 4096)).message();
    let (arrived, largest) = play(&mut world, first, "1");
    assert!(arrived == text && largest <= 4096, "{largest}");
    for id in [before, id, after] {
        assert_eq!(world.state(id), CommandState::Succeeded);
    }
    assert!(world.conversation.open().is_none());
}

#[test]
fn a_device_that_does_not_ask_for_chunks_gets_none() {
    for (size, takes_chunks, words) in
        [(None, true, "announced no MaxMsgSize"), (Some(4096), false, "takes no large objects")]
    {
        let mut world = World::new();
        world.takes_chunks = takes_chunks;
        let id = large(&mut world, &"x".repeat(20_000));
        let after = world.replace("./after");
        let text = package1("1");
        let reply = world.post(&size.map_or_else(|| text.clone(), |size| announcing(&text, size))).message();
        assert_eq!(world.state(id), CommandState::Failed, "{words}");
        assert_eq!(world.commands[&id].status, Some(413));
        assert!(remarked(&world, words), "{words}");
        play(&mut world, reply, "1");
        assert_eq!(world.state(after), CommandState::Succeeded, "the queue goes on");
    }
    let mut world = World::new();
    let id = large(&mut world, &"x".repeat(20_000));
    let text = announcing(&package1("1"), 4096)
        .replace("</MaxMsgSize>", "</MaxMsgSize><MaxObjSize xmlns='syncml:metinf'>19999</MaxObjSize>");
    world.post(&text);
    assert_eq!((world.state(id), remarked(&world, "MaxObjSize")), (CommandState::Failed, true));
}

#[test]
fn a_device_that_refuses_a_chunk_gets_no_more_of_it() {
    for (code, state) in [
        (416, CommandState::Failed),
        (413, CommandState::Failed),
        (424, CommandState::Queued),
        (500, CommandState::Failed),
    ] {
        let mut world = World::new();
        let id = large(&mut world, &"x".repeat(20_000));
        let after = world.replace("./after");
        let first = world.post(&announcing(&package1("1"), 4096)).message();
        let second = world.post(&obedient(&first, "1", 2)).message();
        let refused = status(&second, &commands(&second)[0], code);
        let next = world
            .post(&message("1", 3, &format!("{refused}<Alert><CmdID>9</CmdID><Data>1222</Data></Alert>")))
            .message();
        assert_eq!((world.state(id), world.commands[&id].status), (state, Some(code)));
        assert!(world.conversation.open().is_none_or(|session| session.sending.is_none()));
        assert!(next.is_final);
        world.post(&obedient(&next, "1", 4));
        assert_eq!(world.state(after), CommandState::Succeeded, "{code}");
    }
}

#[test]
fn what_was_not_all_sent_cannot_have_succeeded() {
    let mut world = World::new();
    let id = large(&mut world, &"x".repeat(20_000));
    let first = world.post(&announcing(&package1("1"), 4096)).message();
    let lie = status(&first, &commands(&first)[0], 200);
    world.post(&message("1", 2, &format!("{lie}<Final/>")));
    assert!(remarked(&world, "was not all sent"));
    assert_eq!((world.state(id), world.commands[&id].status), (CommandState::Queued, Some(424)), "it is tried again");
}

#[test]
fn a_chunk_is_taken_once_and_by_its_own_number() {
    let mut world = World::new();
    large(&mut world, &"x".repeat(20_000));
    let first = world.post(&announcing(&package1("1"), 4096)).message();
    let second = world.post(&obedient(&first, "1", 2)).message();
    let sent = world.conversation.open().unwrap().sending.clone().unwrap().sent;
    // "I took the first one", once more; while it works.
    let again = status(&first, &commands(&first)[0], 213);
    let heartbeat = "<Alert><CmdID>1</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>\
        Reversed-Domain-Name:com.microsoft.mdm.requestpending</Type></Meta><Data>1</Data></Item></Alert>";
    let reply = world.post(&message("1", 3, &format!("{again}{heartbeat}"))).message();
    assert!(commands(&reply).is_empty() && !reply.is_final);
    assert_eq!(world.conversation.open().unwrap().sending.clone().unwrap().sent, sent);
    let taken = status(&second, &commands(&second)[0], 213);
    let reply = world.post(&message("1", 4, &taken)).message();
    assert_eq!(commands(&reply).len(), 1, "the word that the heartbeat had put off");
    assert!(world.conversation.open().unwrap().sending.clone().unwrap().sent > sent);
}

#[test]
fn a_session_that_dies_begins_the_value_anew() {
    let mut world = World::new();
    let text = "abc".repeat(5000);
    let id = large(&mut world, &text);
    let first = world.post(&announcing(&package1("1"), 4096)).message();
    world.post(&obedient(&first, "1", 2));
    world.now += Duration::minutes(5);
    let first = world.post(&announcing(&package1("2"), 4096)).message();
    let remembered = world.conversation.earlier.iter();
    assert!(remembered.into_iter().all(|session| session.sending.is_none()), "nothing is left of it");
    let (arrived, _) = play(&mut world, first, "2");
    assert!(arrived == text);
    assert_eq!(world.state(id), CommandState::Succeeded);
}

// covers: M-73
#[test]
fn ordinary_messages_keep_to_the_size_too() {
    let mut world = World::new();
    let ids: Vec<_> =
        (0..60).map(|n| world.replace(&format!("./Vendor/MSFT/Example/{}{n}", "long".repeat(30)))).collect();
    let big = format!(
        "<Replace><Item><Target><LocURI>{NODE}</LocURI></Target><Data>{}</Data></Item></Replace>",
        "v".repeat(9000)
    );
    let value = world.raw(&big);
    let atomic = world.raw(&format!("<Atomic>{big}</Atomic>"));
    let first = world.post(&announcing(&package1("1"), 3000)).message();
    let (arrived, largest) = play(&mut world, first, "1");
    assert!(largest <= 3000, "{largest}");
    assert!(ids.iter().all(|id| world.state(*id) == CommandState::Succeeded));
    assert_eq!(
        (arrived.len(), world.state(value)),
        (9000, CommandState::Succeeded),
        "a value in its command goes in chunks as well"
    );
    assert_eq!((world.state(atomic), world.commands[&atomic].status), (CommandState::Failed, Some(413)));
}

#[test]
fn a_value_that_is_gone_ends_its_command() {
    let mut world = World::new();
    let id = large(&mut world, &"x".repeat(20_000));
    world.objects.clear();
    world.post(&announcing(&package1("1"), 4096));
    assert_eq!((world.state(id), remarked(&world, "no longer there")), (CommandState::Failed, true));
}

proptest! {
    #[test]
    fn any_value_arrives_whatever_the_size(text in "[a-z<&é\u{1F600}\r]{1,4000}", size in 0..6000_u64) {
        let mut world = World::new();
        let id = large(&mut world, &text);
        let first = world.post(&announcing(&package1("1"), size)).message();
        let (arrived, largest) = play(&mut world, first, "1");
        prop_assert_eq!(arrived, text);
        prop_assert_eq!(world.state(id), CommandState::Succeeded);
        prop_assert!(largest as u64 <= size.max(SMALLEST), "{} for {}", largest, size);
    }
}
