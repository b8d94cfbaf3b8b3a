//! Devices that lie: what they say about things that they were never given changes nothing, and costs nobody else.

use super::Notice;
use super::world::{World, answers, message, package1};
use crate::domain::command::CommandState;
use crate::proto::syncml::{Command, Element};

fn status(msg_ref: u64, cmd_ref: &str, code: u16) -> String {
    format!(
        "<Status><CmdID>s</CmdID><MsgRef>{msg_ref}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>Replace</Cmd><Data>{code}</Data></Status>"
    )
}

fn results(cmd_ref: &str, uri: &str, text: &str) -> String {
    format!(
        "<Results><CmdID>r</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Source><LocURI>{uri}</LocURI></Source>\
         <Data>{text}</Data></Item></Results>"
    )
}

fn remarked(world: &World, words: &str) -> bool {
    world.notices.iter().any(|notice| matches!(notice, Notice::Remark(told) if told.contains(words)))
}

const GET: &str = "<Get><Item><Target><LocURI>./asked</LocURI></Target></Item></Get>";

#[test]
fn what_was_never_given_cannot_be_answered() {
    let mut world = World::new();
    world.limits.reply_commands = 1;
    let sent = world.replace("./first");
    let waits = world.replace("./second");
    let both = world.raw(&[GET, GET].concat().replacen("asked", "other", 1));
    let given = world.post(&package1("1")).commands();
    assert_eq!(given.len(), 1);
    // CmdIDs can be guessed: those of what waits are known to the device in this test.
    let guessed: Vec<String> =
        [waits, both].iter().flat_map(|id| world.commands[id].body.clone()).map(|c| c.cmd_id).collect();
    let mut lies: String = guessed.iter().map(|id| status(1, id, 200)).collect();
    lies.push_str(&results(&guessed[1], "./other", "a lie"));
    lies.push_str(&status(1, "never-given", 200));
    lies.push_str(&results("never-given", "./asked", "a lie"));
    let reply = world.post(&message("1", 2, &format!("{}{lies}<Final/>", status(1, &given[0].cmd_id, 200)))).message();
    assert_eq!(world.state(sent), CommandState::Succeeded, "what was given is heard");
    assert!(remarked(&world, "a Status for a command that is not known"));
    assert!(remarked(&world, "Results for a command that is not known"));
    assert_eq!(world.state(waits), CommandState::Sent, "it goes out as if nothing had been said");
    assert_eq!(world.state(both), CommandState::Queued);
    assert!(world.commands[&both].items.iter().all(|item| item.status.is_none() && item.data.is_none()));
    // One of a list is out; its neighbour is not, and is not answered either.
    let next: Vec<Command> = world.post(&answers("1", 3, &only_commands(&reply), 200)).commands();
    assert_eq!(next[0].cmd_id, guessed[1]);
    let lies = [status(1, &guessed[2], 200), results(&guessed[2], "./asked", "a lie")].concat();
    let next = world.post(&message("1", 4, &format!("{}{lies}<Final/>", status(3, &guessed[1], 200)))).commands();
    assert_eq!(next[0].cmd_id, guessed[2]);
    assert!(world.commands[&both].items[1].data.is_none());
}

fn only_commands(message: &crate::proto::syncml::Message) -> Vec<Command> {
    let own = |each: &Element| if let Element::Command(command) = each { Some(command.clone()) } else { None };
    message.body.iter().filter_map(own).collect()
}

#[test]
fn the_first_word_counts_whatever_follows() {
    let mut world = World::new();
    let id = world.raw(GET);
    let given = world.post(&package1("1")).commands();
    let own = &given[0].cmd_id;
    let twice = [
        status(1, own, 200),
        results(own, "./asked", "first"),
        status(1, own, 500),
        results(own, "./asked", "second"),
        results(own, "./elsewhere", "third"),
    ];
    world.post(&message("1", 2, &format!("{}<Final/>", twice.concat())));
    let late = [status(1, own, 404), results(own, "./asked", "late")].concat();
    world.post(&message("1", 3, &format!("{late}<Final/>")));
    let item = &world.commands[&id].items[0];
    assert_eq!(
        (world.state(id), item.status, item.data.as_deref()),
        (CommandState::Succeeded, Some(200), Some("first"))
    );
    assert_eq!(world.commands[&id].items.len(), 1, "what nobody asked for is not kept");
}

#[test]
fn a_word_about_what_the_device_could_not_read_is_no_answer() {
    let mut world = World::new();
    let id = world.replace("./a");
    let given = world.post(&package1("1")).commands();
    // "I could not read your message, and I did what it said."
    let lie = "<Status><CmdID>1</CmdID><MsgRef>0</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>500</Data></Status>\
         <Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Final/>";
    let again = world.post(&message("1", 2, lie)).commands();
    assert_eq!(given[0].cmd_id, again[0].cmd_id, "it is sent as if it had never gone out");
    world.post(&answers("1", 3, &again, 200));
    assert_eq!(world.state(id), CommandState::Succeeded);
}

#[test]
fn a_flood_of_lies_is_kept_short() {
    let mut world = World::new();
    let id = world.replace("./a");
    world.post(&package1("1"));
    for number in 2..60 {
        let lies: String = (0..80).map(|n| status(1, &format!("lie-{number}-{n}"), 200)).collect();
        let odd: String = (0..3).map(|n| format!("<Odd{number}x{n}><CmdID>{n}</CmdID></Odd{number}x{n}>")).collect();
        world.post(&message("1", number, &format!("{lies}{odd}")));
    }
    let session = world.conversation.open().expect("a session without Final goes on");
    assert!(session.remarks.len() <= 50, "{}", session.remarks.len());
    let kept = serde_json::to_string(&world.conversation).unwrap();
    assert!(kept.len() < 10_000, "{} bytes of state", kept.len());
    assert_eq!(world.state(id), CommandState::Sent);
}

// covers: M-88
#[test]
fn a_mixed_state_is_over_when_each_node_was_set_again() {
    let mut world = World::new();
    let set =
        |uri: &str| format!("<Replace><Item><Target><LocURI>{uri}</LocURI></Target><Data>1</Data></Item></Replace>");
    world.raw(&format!("<Atomic>{}{}</Atomic>", set("./a"), set("./Device/b")));
    let given = world.post(&package1("1")).commands();
    let (atomic, children) = (&given[0].cmd_id, &given[0].children);
    let said = [status(1, atomic, 507), status(1, &children[0].cmd_id, 516), status(1, &children[1].cmd_id, 500)];
    world.post(&message("1", 2, &format!("{}<Final/>", said.concat())));
    let warning = |world: &World| world.enrollment.warning.clone().unwrap_or_default();
    assert!(warning(&world).starts_with("needs re-apply"));
    for (number, (uri, code, is_over)) in
        [("./a", 200, false), ("./c", 200, false), ("./b", 500, false), ("./B", 200, true)].into_iter().enumerate()
    {
        world.replace(uri);
        let session = (number + 2).to_string();
        let given = world.post(&package1(&session)).commands();
        world.post(&answers(&session, 2, &given, code));
        assert_eq!(warning(&world).is_empty(), is_over, "{uri} {code}: {}", warning(&world));
    }
}
