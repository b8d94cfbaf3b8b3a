//! Tests of objects that come in chunks: whole ones, broken ones, and devices that lie about them.

use proptest::prelude::*;
use time::Duration;

use super::super::world::{World, answers, message, package1};
use super::super::{Notice, time_out};
use super::*;
use crate::domain::command::CommandState;
use crate::proto::syncml::{Command, Element, Message};

const GET: &str = "<Get><Item><Target><LocURI>./big</LocURI></Target></Item></Get>";

/// A session in which the Get of `./big` is out, with its CmdID.
fn asked(world: &mut World) -> (Id<QueuedCommand>, String) {
    let id = world.raw(GET);
    let commands = world.post(&package1("1")).commands();
    (id, commands[0].cmd_id.clone())
}

fn status(cmd_ref: &str, code: u16) -> String {
    format!(
        "<Status><CmdID>s</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>Get</Cmd><Data>{code}</Data></Status>"
    )
}

/// Results with one chunk; the first one says the size, the last one has no MoreData.
fn chunk(cmd_ref: &str, uri: &str, size: Option<usize>, text: &str, more: bool) -> String {
    let size = size.map(|size| format!("<Meta><Size xmlns='syncml:metinf'>{size}</Size></Meta>")).unwrap_or_default();
    let more = if more { "<MoreData/>" } else { "" };
    format!(
        "<Results><CmdID>r7</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Source><LocURI>{uri}</LocURI>\
         </Source>{size}<Data>{text}</Data>{more}</Item></Results>"
    )
}

fn codes(reply: &Message) -> Vec<(String, u16)> {
    let code = |element: &Element| match element {
        Element::Status(status) => Some((status.cmd_ref.clone(), status.code.0)),
        _ => None,
    };
    reply.body.iter().filter_map(code).skip(1).collect()
}

fn alerts(reply: &Message) -> Vec<u16> {
    let code = |element: &Element| if let Element::Alert(alert) = element { Some(alert.code) } else { None };
    reply.body.iter().filter_map(code).collect()
}

fn commands(reply: &Message) -> Vec<&Command> {
    reply
        .body
        .iter()
        .filter_map(|each| if let Element::Command(command) = each { Some(command) } else { None })
        .collect()
}

fn got(code: u16) -> Vec<(String, u16)> {
    vec![("r7".to_owned(), code)]
}

fn remarked(world: &World, words: &str) -> bool {
    world.notices.iter().any(|notice| matches!(notice, Notice::Remark(told) if told.contains(words)))
}

// covers: M-95, M-48
#[test]
fn chunks_become_the_value() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    world.raw("<Replace><Item><Target><LocURI>./later</LocURI></Target><Data>1</Data></Item></Replace>");
    let text = format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(9), "abc", true));
    let reply = world.post(&message("1", 2, &text)).message();
    assert_eq!((codes(&reply), alerts(&reply), reply.is_final), (got(213), vec![1222], false));
    assert!(commands(&reply).is_empty(), "nothing new between chunks");
    assert_eq!(world.state(id), CommandState::Sent, "its Status does not end it before its value is there");
    let reply = world.post(&message("1", 3, &chunk(&get, "./big", None, "def", true))).message();
    assert_eq!((codes(&reply), alerts(&reply), reply.is_final), (got(213), vec![1222], false));
    let last = format!("{}<Final/>", chunk(&get, "./big", None, "ghi", false));
    let reply = world.post(&message("1", 4, &last)).message();
    assert_eq!((codes(&reply), alerts(&reply), reply.is_final), (vec![], vec![], true), "Results have no Status");
    assert_eq!(commands(&reply).len(), 1);
    assert_eq!(world.state(id), CommandState::Succeeded);
    assert_eq!(world.commands[&id].items[0].data.as_deref(), Some("abcdefghi"));
    assert!(world.objects.is_empty(), "what is small stands in its place: {:?}", world.objects);
}

// covers: M-95
#[test]
fn what_is_large_stays_in_its_parts() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    let piece = "x".repeat(100_000);
    world.post(&message("1", 2, &chunk(&get, "./big", Some(300_000), &piece, true)));
    world.post(&message("1", 3, &chunk(&get, "./big", None, &piece, true)));
    let last = format!("{}{}<Final/>", status(&get, 200), chunk(&get, "./big", None, &piece, false));
    world.post(&message("1", 4, &last));
    assert_eq!(world.state(id), CommandState::Succeeded);
    let item = &world.commands[&id].items[0];
    let object = item.object.as_ref().unwrap();
    assert_eq!((item.data.as_ref(), object.bytes), (None, 300_000));
    let (is_whole, text) = &world.objects[&object.id];
    assert!(*is_whole && *text == "x".repeat(300_000));
}

// covers: M-95
#[test]
fn a_length_that_does_not_match_drops_the_object() {
    // Too short at its end, too long at its end, too long before it.
    for (size, last, more) in [(7, "def", false), (5, "def", false), (4, "def", true)] {
        let mut world = World::new();
        let (id, get) = asked(&mut world);
        world.post(&message(
            "1",
            2,
            &format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(size), "abc", true)),
        ));
        let reply =
            world.post(&message("1", 3, &format!("{}<Final/>", chunk(&get, "./big", None, last, more)))).message();
        assert_eq!(codes(&reply), got(424), "{size}");
        assert!(world.objects.is_empty(), "{size}");
        if more {
            let reply = world.post(&message("1", 4, &chunk(&get, "./big", None, "more", true))).message();
            assert_eq!(codes(&reply), got(424), "what still comes of it");
            let reply =
                world.post(&message("1", 5, &format!("{}<Final/>", chunk(&get, "./big", None, "e", false)))).message();
            assert_eq!(codes(&reply), got(424));
        }
        let command = &world.commands[&id];
        assert_eq!((command.state, command.status, command.retries), (CommandState::Queued, Some(424), 1), "{size}");
        assert_eq!(command.items[0].data, None, "no part is taken for the whole");
    }
}

#[test]
fn an_announcement_may_count_the_bytes_that_base64_stands_for() {
    for (size, code) in [(8, None), (4, None), (5, Some(424))] {
        let mut world = World::new();
        let (id, get) = asked(&mut world);
        let first = chunk(&get, "./big", Some(size), "AAEC", true)
            .replace("<Size", "<Format xmlns='syncml:metinf'>b64</Format><Size");
        world.post(&message("1", 2, &first));
        let last = format!("{}{}<Final/>", status(&get, 200), chunk(&get, "./big", None, "Aw==", false));
        let reply = world.post(&message("1", 3, &last)).message();
        assert_eq!(codes(&reply).first().map(|(_, code)| *code), code, "{size}");
        let expected = code.map_or(Some("AAECAw=="), |_| None);
        assert_eq!(world.commands[&id].items[0].data.as_deref(), expected, "{size}");
    }
}

// covers: M-96
#[test]
fn another_object_before_the_end_is_told_with_1225() {
    let mut world = World::new();
    let id = world.raw(&format!("{GET}{}", GET.replace("big", "other")));
    let sent = world.post(&package1("1")).commands();
    let (big, other) = (&sent[0].cmd_id, &sent[1].cmd_id);
    let statuses = [status(big, 200), status(other, 200)].concat();
    world.post(&message("1", 2, &format!("{statuses}{}", chunk(big, "./big", Some(9), "abc", true))));
    let reply = world.post(&message("1", 3, &chunk(other, "./other", Some(4), "de", true))).message();
    assert_eq!((codes(&reply), alerts(&reply), reply.is_final), (got(213), vec![1225, 1222], false));
    let Some(Element::Alert(alert)) = reply.body.iter().find(|e| matches!(e, Element::Alert(_))) else { panic!() };
    assert_eq!(alert.items[0].source.as_ref().unwrap().as_str(), "./big", "the object that has no end");
    assert_eq!(world.objects.len(), 1, "the part is gone");
    let reply =
        world.post(&message("1", 4, &format!("{}<Final/>", chunk(other, "./other", None, "fg", false)))).message();
    assert!(reply.is_final);
    let command = &world.commands[&id];
    assert_eq!((command.state, command.status), (CommandState::Queued, Some(426)), "the broken one is asked for again");
    world.now += Duration::minutes(3);
    let again = world.post(&package1("2")).commands();
    assert_eq!(again.len(), 1, "only that one");
    world.post(&answers("2", 2, &again, 404));
    assert_eq!(world.commands[&id].items[1].data.as_deref(), Some("defg"));
}

// covers: M-96
#[test]
fn a_whole_value_or_nothing_before_the_end_is_told_too() {
    for (between, expected) in [(true, vec![1225]), (false, vec![1225])] {
        let mut world = World::new();
        let (id, get) = asked(&mut world);
        world.post(&message("1", 2, &format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(9), "abc", true))));
        let body = if between { chunk("nobody", "./x", None, "whole", false) } else { String::new() };
        let reply = world.post(&message("1", 3, &format!("{body}<Final/>"))).message();
        assert_eq!((alerts(&reply), reply.is_final), (expected, true), "{between}");
        assert!(world.objects.is_empty());
        assert_eq!(world.commands[&id].status, Some(426));
    }
}

#[test]
fn a_heartbeat_does_not_break_an_object() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    world.post(&message("1", 2, &format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(6), "abc", true))));
    let heartbeat = "<Alert><CmdID>1</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>\
        Reversed-Domain-Name:com.microsoft.mdm.requestpending</Type></Meta><Data>1</Data></Item></Alert>";
    let reply = world.post(&message("1", 3, heartbeat)).message();
    assert_eq!(alerts(&reply), [1222]);
    world.post(&message("1", 4, &format!("{}<Final/>", chunk(&get, "./big", None, "def", false))));
    assert_eq!(
        (world.state(id), world.commands[&id].items[0].data.as_deref()),
        (CommandState::Succeeded, Some("abcdef"))
    );
}

// covers: M-97
#[test]
fn an_announcement_beyond_a_limit_is_refused_before_anything_is_kept() {
    let limit = 1 << 20;
    for (size, room, code) in [(limit + 1, 10 << 20, 416), (1000, 999, 420)] {
        let mut world = World::new();
        world.room = room;
        let (id, get) = asked(&mut world);
        let first = format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(size), "abc", true));
        let reply = world.post(&message("1", 2, &first)).message();
        assert_eq!((codes(&reply), alerts(&reply)), (got(code), vec![1222]));
        let reply =
            world.post(&message("1", 3, &format!("{}<Final/>", chunk(&get, "./big", None, "z", false)))).message();
        assert_eq!((codes(&reply), alerts(&reply)), (got(code), vec![]));
        assert!(world.objects.is_empty());
        assert_eq!((world.commands[&id].status, world.commands[&id].items[0].data.as_ref()), (Some(code), None));
    }
}

#[test]
fn chunks_that_nobody_asked_for_leave_nothing() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    let cases = [
        (chunk("nobody-knows", "./big", Some(9), "abc", true), "not asked for", 404),
        (chunk(&get, "./elsewhere", Some(9), "abc", true), "not asked for", 404),
        (chunk(&get, "./big", None, "abc", true), "length was not announced", 411),
    ];
    for (number, (text, words, code)) in (2..).zip(&cases) {
        let reply = world.post(&message("1", number, text)).message();
        assert_eq!((codes(&reply), alerts(&reply)), (got(*code), vec![1222]), "{words}");
        assert!(remarked(&world, words), "{words}");
        assert!(world.objects.is_empty(), "{words}");
    }
    assert_eq!(world.commands[&id].items[0].data, None);
    let late = chunk(&get, "./big", Some(9), "abc", true);
    let reply = world.post(&message("unknown", 5, &format!("{late}<Final/>"))).message();
    assert_eq!((codes(&reply), reply.is_final), (got(404), true), "a session that is not open holds nothing");
}

#[test]
fn chunks_without_end_are_counted() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    world.post(&message("1", 2, &chunk(&get, "./big", Some(100_000), "x", true)));
    for number in 3..=101 {
        let reply = world.post(&message("1", number, &chunk(&get, "./big", None, "", true))).message();
        assert_eq!(codes(&reply), got(213), "{number}");
    }
    let reply = world.post(&message("1", 102, &chunk(&get, "./big", None, "", true))).message();
    assert_eq!(codes(&reply), got(413), "one more than is taken");
    assert!(world.objects.is_empty() && remarked(&world, "more chunks than are taken"));
    world.post(&message("1", 103, &format!("{}{}<Final/>", chunk(&get, "./big", None, "", false), status(&get, 200))));
    assert_eq!(world.state(id), CommandState::Failed);
}

#[test]
fn one_object_begins_in_a_message() {
    let mut world = World::new();
    world.raw(&format!("{GET}{}", GET.replace("big", "other")));
    let sent = world.post(&package1("1")).commands();
    let both = [
        chunk(&sent[0].cmd_id, "./big", Some(9), "abc", true),
        chunk(&sent[1].cmd_id, "./other", Some(9), "abc", true),
    ];
    let reply = world.post(&message("1", 2, &both.concat())).message();
    assert_eq!(codes(&reply).iter().map(|(_, code)| *code).collect::<Vec<_>>(), [213, 413]);
    assert!(world.objects.is_empty(), "the first has no end, the second is not taken");
}

// covers: M-96, R-06
#[test]
fn a_session_that_dies_leaves_nothing_behind() {
    type End = fn(&mut World);
    let ends: [(&str, End); 5] = [
        ("a new session", |world| drop(world.post(&package1("2")))),
        ("an abort", |world| {
            drop(world.post(&message("1", 3, "<Alert><CmdID>2</CmdID><Data>1223</Data></Alert><Final/>")))
        }),
        ("a contradiction", |world| drop(world.post(&message("1", 2, "<Final/>")))),
        ("silence", |world| {
            let commands: Vec<_> = world.commands.values().cloned().collect();
            let (conversation, enrollment) = (world.conversation.clone(), world.enrollment.clone());
            let output = time_out(conversation, enrollment, &commands, &world.limits, world.now);
            world.conversation = output.conversation;
            world.commands.extend(output.commands.into_iter().map(|command| (command.id, command)));
            world.store(output.objects);
        }),
        ("another version of the protocol", |world| {
            drop(world.post(&message("1", 3, "<Final/>").replace("DM/1.2", "DM/1.1")));
        }),
    ];
    for (name, end) in ends {
        let mut world = World::new();
        let (id, get) = asked(&mut world);
        world.post(&message("1", 2, &format!("{}{}", status(&get, 200), chunk(&get, "./big", Some(9), "abc", true))));
        assert_eq!(world.objects.len(), 1, "{name}");
        world.now += Duration::minutes(2);
        end(&mut world);
        assert!(world.objects.is_empty(), "{name}");
        let remembered = world.conversation.current.iter().chain(&world.conversation.earlier);
        assert!(remembered.into_iter().all(|session| session.arrival.is_none()), "{name}");
        let item = &world.commands[&id].items[0];
        assert!(!item.coming && item.data.is_none(), "{name}: {item:?}");
        assert!(world.state(id) != CommandState::Succeeded, "{name}");
    }
}

// covers: M-95
#[test]
fn what_the_device_tells_by_itself_may_come_in_chunks() {
    let mut world = World::new();
    let replace = |size: Option<usize>, text: &str, more: bool| {
        chunk("x", "./DevInfo/Ext/Long", size, text, more)
            .replace("Results>", "Replace>")
            .replace("<MsgRef>1</MsgRef><CmdRef>x</CmdRef>", "")
    };
    let reply = world.post(&message("1", 1, &replace(Some(6), "abc", true))).message();
    assert_eq!((codes(&reply), alerts(&reply), reply.is_final), (got(213), vec![1222], false));
    let reply = world.post(&message("1", 2, &format!("{}<Final/>", replace(None, "def", false)))).message();
    assert_eq!((codes(&reply), reply.is_final), (got(200), true));
    let told = world.notices.iter().find_map(|n| if let Notice::Inventory(items) = n { Some(&items[0]) } else { None });
    assert_eq!(told.unwrap().value.as_deref(), Some("abcdef"));
    assert!(world.objects.is_empty());
    let huge = INLINE as usize + 1;
    let reply = world.post(&message("2", 1, &replace(Some(huge), "abc", true))).message();
    assert_eq!(codes(&reply), got(416), "what is kept of a device is bounded");
}

#[test]
fn a_value_that_is_asked_for_again_gives_its_object_back() {
    let mut world = World::new();
    let (id, get) = asked(&mut world);
    let piece = "x".repeat(300_000);
    world.post(&message("1", 2, &chunk(&get, "./big", Some(300_001), &piece, true)));
    world.post(&message("1", 3, &format!("{}{}<Final/>", chunk(&get, "./big", None, "y", false), status(&get, 417))));
    assert_eq!(world.state(id), CommandState::Queued, "to be asked for again");
    assert!(world.objects.is_empty(), "the value of before is not kept beside the next");
}

proptest! {
    /// However a text is cut, it arrives; and nothing is left beside it.
    #[test]
    fn any_cut_arrives_whole(text in "[a-z<&é\u{1F600}]{1,200}", cuts in proptest::collection::vec(0..200_usize, 1..8)) {
        let mut world = World::new();
        let (id, get) = asked(&mut world);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut % (text.len() + 1))).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let (mut start, count) = (0, ends.len());
        for (index, end) in ends.into_iter().enumerate() {
            let piece = text[start..end].replace('&', "&amp;").replace('<', "&lt;");
            let more = index + 1 < count;
            let size = (index == 0).then_some(text.len());
            let rest = if more { String::new() } else { format!("{}<Final/>", status(&get, 200)) };
            world.post(&message("1", index as u64 + 2, &format!("{}{rest}", chunk(&get, "./big", size, &piece, more))));
            start = end;
        }
        prop_assert_eq!(world.state(id), CommandState::Succeeded);
        prop_assert_eq!(world.commands[&id].items[0].data.as_deref(), Some(text.as_str()));
        prop_assert!(world.objects.is_empty());
    }
}
