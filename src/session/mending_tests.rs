//! Tests of what a session makes of refusals: another way, another time, another user; and of commands that are answered
//! in part.

use time::Duration;

use super::super::Notice;
use super::super::world::{World, answers, message, package1, package1_as};
use crate::domain::action::Action;
use crate::domain::command::CommandState;
use crate::proto::syncml::{Command, Verb};

fn set(verb: &str, uri: &str) -> String {
    format!("<{verb}><Item><Target><LocURI>{uri}</LocURI></Target><Data>1</Data></Item></{verb}>")
}

fn exec(uri: &str) -> String {
    format!("<Exec><Item><Target><LocURI>{uri}</LocURI></Target></Item></Exec>")
}

fn shown(commands: &[Command]) -> Vec<String> {
    let uri = |command: &Command| command.items.first().and_then(|item| item.target.clone());
    commands
        .iter()
        .map(|c| format!("{} {}", c.verb.name(), uri(c).map_or_else(String::new, |u| u.to_string())))
        .collect()
}

fn status(command: &Command, code: u16) -> String {
    format!(
        "<Status><CmdID>s</CmdID><MsgRef>1</MsgRef><CmdRef>{}</CmdRef><Cmd>x</Cmd><Data>{code}</Data></Status>",
        command.cmd_id
    )
}

// covers: M-82, M-84
#[test]
fn the_other_way_is_gone_in_the_same_session() {
    let mut world = World::new();
    let (add, replace) = (world.raw(&set("Add", "./a")), world.raw(&set("Replace", "./b")));
    let commands = world.post(&package1("1")).commands();
    let text = format!("{}{}<Final/>", status(&commands[0], 418), status(&commands[1], 404));
    let commands = world.post(&message("1", 2, &text)).commands();
    assert_eq!(shown(&commands), ["Replace ./a", "Add ./b"]);
    assert!(world.post(&answers("1", 3, &commands, 200)).commands().is_empty());
    assert_eq!((world.state(add), world.state(replace)), (CommandState::Succeeded, CommandState::Succeeded));
    let tries: Vec<_> = world.commands[&add].items.iter().map(|item| (item.status, item.superseded)).collect();
    assert_eq!(tries, [(Some(418), true), (Some(200), false)]);
}

// covers: M-59
#[test]
fn what_needs_no_user_does_not_wait_for_one() {
    let mut world = World::new();
    let mixed = world.raw(&[set("Replace", "./User/u"), set("Replace", "./d")].concat());
    let atomic = world.raw(&format!("<Atomic>{}{}</Atomic>", set("Replace", "./User/u"), set("Replace", "./e")));
    let commands = world.post(&package1_as("1", "others")).commands();
    assert_eq!(shown(&commands), ["Replace ./d"]);
    assert!(world.post(&answers("1", 2, &commands, 200)).commands().is_empty());
    for id in [mixed, atomic] {
        let command = &world.commands[&id];
        assert_eq!((command.state, command.retries), (CommandState::Queued, 0));
        assert!(command.detail.contains("waits for the user"), "{}", command.detail);
    }
    let commands = world.post(&package1("2")).commands();
    assert_eq!(shown(&commands), ["Replace ./User/u", "Atomic "], "what has its answer is not sent again");
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!((world.state(mixed), world.state(atomic)), (CommandState::Succeeded, CommandState::Succeeded));
}

// covers: M-59
#[test]
fn a_refusal_for_lack_of_the_user_waits_for_the_user() {
    for code in [404, 405, 425] {
        let mut world = World::new();
        let id = world.raw(&set("Replace", "./User/u"));
        let commands = world.post(&package1("1")).commands();
        let gone = "<Alert><CmdID>9</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>\
            com.microsoft/MDM/LoginStatus</Type></Meta><Data>none</Data></Item></Alert>";
        let text = answers("1", 2, &commands, code).replace("<Status>", &format!("{gone}<Status>"));
        assert!(world.post(&text).commands().is_empty(), "{code}");
        let command = &world.commands[&id];
        assert_eq!((command.state, command.retries), (CommandState::Queued, 0), "{code}");
        assert!(command.detail.contains("waits for the user"), "{}", command.detail);
        let commands = world.post(&package1("2")).commands();
        world.post(&answers("2", 2, &commands, 200));
        assert_eq!(world.state(id), CommandState::Succeeded, "{code}");
    }
}

#[test]
fn a_user_node_that_is_closed_for_a_moment_is_tried_six_times() {
    let mut world = World::new();
    let user = world.raw(&set("Replace", "./User/u"));
    let device = world.raw(&set("Replace", "./d"));
    let mut tries = 0;
    for session in 0..10 {
        let name = format!("s{session}");
        let commands = world.post(&package1(&name)).commands();
        tries += commands.iter().filter(|c| shown(std::slice::from_ref(c))[0].contains("User")).count();
        world.post(&answers(&name, 2, &commands, 405));
        world.now += Duration::hours(2);
    }
    assert_eq!(tries, 6, "once, and five times more");
    assert_eq!((world.state(user), world.state(device)), (CommandState::Failed, CommandState::Failed));
}

// covers: M-88, M-87
#[test]
fn a_failed_rollback_marks_the_device() {
    let mut world = World::new();
    let id = world.raw(&format!("<Atomic>{}{}</Atomic>", set("Replace", "./a"), set("Replace", "./b")));
    let commands = world.post(&package1("1")).commands();
    let children = &commands[0].children;
    let text = [status(&commands[0], 516), status(&children[0], 516), status(&children[1], 500)].concat();
    world.post(&message("1", 2, &format!("{text}<Final/>")));
    assert_eq!(world.state(id), CommandState::Failed);
    let detail = &world.commands[&id].detail;
    assert!(detail.contains("./b") && detail.contains("could not be rolled back"), "{detail}");
    assert!(world.enrollment.warning.as_ref().unwrap().contains("needs re-apply"));
    assert!(world.notices.contains(&Notice::NeedsReapply { id }));
}

#[test]
fn an_atomic_whose_answer_is_too_large_is_to_be_split() {
    let mut world = World::new();
    let id = world.raw(&format!("<Atomic>{}</Atomic>", set("Replace", "./a")));
    let commands = world.post(&package1("1")).commands();
    world.post(&message("1", 2, &format!("{}<Final/>", status(&commands[0], 517))));
    assert_eq!(world.state(id), CommandState::Failed);
    assert!(world.commands[&id].detail.contains("split the Atomic"), "{}", world.commands[&id].detail);
}

#[test]
fn what_the_device_cancels_goes_out_in_the_next_session_and_not_before() {
    for code in [512, 514] {
        let mut world = World::new();
        let id = world.raw(&set("Replace", "./a"));
        let other = world.raw(&set("Replace", "./b"));
        let commands = world.post(&package1("1")).commands();
        let text = format!("{}{}<Final/>", status(&commands[0], code), status(&commands[1], 200));
        let third = world.raw(&set("Replace", "./c"));
        let commands = world.post(&message("1", 2, &text)).commands();
        assert_eq!(shown(&commands), ["Replace ./c"], "{code}");
        world.post(&answers("1", 3, &commands, 200));
        assert_eq!(shown(&world.post(&package1("2")).commands()), ["Replace ./a"], "{code}");
        assert_eq!(world.state(id), CommandState::Sent);
        assert!([other, third].iter().all(|id| world.state(*id) == CommandState::Succeeded));
    }
}

// covers: M-130, R-07
#[test]
fn a_second_answer_does_not_end_what_was_put_off() {
    let mut world = World::new();
    let id = world.raw(&set("Replace", "./a"));
    let commands = world.post(&package1("1")).commands();
    world.raw(&set("Replace", "./b"));
    let more = world.post(&answers("1", 2, &commands, 417)).commands();
    world.post(&answers("1", 3, &[more, commands].concat(), 200));
    assert_eq!(world.state(id), CommandState::Queued, "the first one counts");
    world.now += Duration::minutes(3);
    let commands = world.post(&package1("2")).commands();
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!(world.state(id), CommandState::Succeeded);
}

#[test]
fn a_full_device_is_asked_once_more_a_day_later() {
    let mut world = World::new();
    let id = world.raw(&set("Replace", "./a"));
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 420));
    world.now += Duration::hours(23);
    assert!(world.post(&package1("2")).commands().is_empty());
    world.now += Duration::hours(2);
    let commands = world.post(&package1("3")).commands();
    assert_eq!(commands.len(), 1);
    world.post(&answers("3", 2, &commands, 420));
    assert_eq!(world.state(id), CommandState::Failed);
}

#[test]
fn only_what_asked_for_it_is_put_off() {
    let mut world = World::new();
    let id = world.raw(&[exec("./x"), set("Replace", "./a"), exec("./y")].concat());
    let commands = world.post(&package1("1")).commands();
    let text = [status(&commands[0], 200), status(&commands[1], 200), status(&commands[2], 417)].concat();
    assert!(world.post(&message("1", 2, &format!("{text}<Final/>"))).commands().is_empty());
    world.now += Duration::minutes(3);
    let commands = world.post(&package1("2")).commands();
    assert_eq!(shown(&commands), ["Exec ./y"]);
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!(world.state(id), CommandState::Succeeded);
}

#[test]
fn a_sequence_that_ran_in_part_is_not_repeated_for_the_rest() {
    let mut world = World::new();
    let id = world.raw(&format!("<Sequence>{}{}</Sequence>", exec("./x"), set("Replace", "./a")));
    let commands = world.post(&package1("1")).commands();
    let inner = &commands[0].children;
    let text = [status(&commands[0], 200), status(&inner[0], 200), status(&inner[1], 417)].concat();
    world.post(&message("1", 2, &format!("{text}<Final/>")));
    assert_eq!(world.state(id), CommandState::Failed);
    assert!(world.commands[&id].detail.contains("would repeat"), "{}", world.commands[&id].detail);
}

// covers: M-65, M-66
#[test]
fn each_command_of_a_list_has_its_own_fate() {
    let mut world = World::new();
    let id = world.raw(&[exec("./x"), set("Replace", "./a"), set("Replace", "./b")].concat());
    let commands = world.post(&package1("1")).commands();
    // An answer to the last one only, in a message that does not end the package; then the session dies.
    world.post(&message("1", 2, &status(&commands[2], 200)));
    world.now += Duration::minutes(2);
    let commands = world.post(&package1("2")).commands();
    assert_eq!(shown(&commands), ["Replace ./a"], "neither the one-shot command nor what was answered");
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!(world.state(id), CommandState::Unknown, "the one-shot command may have happened");
    let late = status(&Command { cmd_id: world.commands[&id].items[0].cmd_id.clone(), ..commands[0].clone() }, 200);
    world.post(&message("2", 3, &format!("{late}<Final/>")));
    assert_eq!(world.state(id), CommandState::Succeeded, "unless its answer comes late");
}

// covers: M-73
#[test]
fn a_list_goes_out_as_far_as_a_message_has_room() {
    let mut world = World::new();
    let id = world.raw(&["./a", "./b", "./c"].map(|uri| set("Replace", uri)).concat());
    world.limits.reply_commands = 2;
    let commands = world.post(&package1("1")).commands();
    assert_eq!(shown(&commands), ["Replace ./a", "Replace ./b"]);
    let commands = world.post(&answers("1", 2, &commands, 200)).commands();
    assert_eq!(shown(&commands), ["Replace ./c"]);
    world.post(&answers("1", 3, &commands, 200));
    assert_eq!(world.state(id), CommandState::Succeeded);
}

// covers: M-143
#[test]
fn a_result_too_large_ends_its_get_and_nothing_else_of_the_list() {
    let mut world = World::new();
    let id =
        world.raw(&format!("<Get><Item><Target><LocURI>./big</LocURI></Target></Item></Get>{}", set("Replace", "./a")));
    world.post(&package1("1"));
    world.post(&message("1", 2, "<Alert><CmdID>2</CmdID><Data>1223</Data></Alert><Final/>"));
    let commands = world.post(&package1("2")).commands();
    assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<_>>(), [Verb::Replace]);
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!(world.state(id), CommandState::Failed);
    let reboot = world.act(Action::Reboot);
    let commands = world.post(&package1("3")).commands();
    assert_eq!(commands.len(), 1, "the queue goes on");
    world.post(&answers("3", 2, &commands, 200));
    assert_eq!(world.state(reboot), CommandState::Succeeded);
}
