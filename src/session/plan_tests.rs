//! A device that answers by a random plan: every command ends in the state that its answers justify, once, and every
//! session ends. The judge is in `tests/support/plan.rs` and knows nothing of this engine.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use time::Duration;

use super::world::{World, message, package1};
use crate::domain::Id;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::proto::syncml::{Command, Element, LocUri, Message};

#[path = "../../tests/support/plan.rs"]
#[allow(unreachable_pub, reason = "the black-box tests use it as well")]
mod plan;

use plan::{Device, Got, Leaf, Plan, fragment, justified};

/// Sessions after which everything must have come to an end: at most five more tries, and some for what was forgotten.
const SESSIONS: u32 = 20;
/// Messages of one session, for each command: it goes out, once more without an answer, and another way three times.
const MESSAGES: u64 = 6;

fn leaf() -> impl Strategy<Value = Leaf> {
    prop::sample::select(vec![Leaf::Get, Leaf::Add, Leaf::AddNode, Leaf::Replace, Leaf::Delete, Leaf::Exec])
}

fn setting() -> impl Strategy<Value = Leaf> {
    prop::sample::select(vec![Leaf::Add, Leaf::AddNode, Leaf::Replace, Leaf::Delete])
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        4 => leaf().prop_map(Plan::One),
        1 => prop::collection::vec(setting(), 1..4).prop_map(Plan::Atomic),
        1 => prop::collection::vec(leaf(), 1..4).prop_map(Plan::Sequence),
    ]
}

/// The lists of an administrator, each a unit of the queue.
fn lists() -> impl Strategy<Value = Vec<Vec<Plan>>> {
    prop::collection::vec(prop::collection::vec(plan(), 1..5), 1..4)
}

fn got(command: &Command) -> Got {
    Got {
        verb: command.verb.name().to_owned(),
        cmd_id: command.cmd_id.clone(),
        uri: command.items.first().and_then(|item| item.target.as_ref()).map(|uri| LocUri::as_str(uri).to_owned()),
        children: command.children.iter().map(got).collect(),
    }
}

fn sent(reply: &Message) -> Vec<Got> {
    let command = |element: &Element| if let Element::Command(command) = element { Some(got(command)) } else { None };
    reply.body.iter().filter_map(command).collect()
}

/// The unit of a node: every list has devices' nodes of its own.
fn prefixed(text: &str, unit: usize) -> String {
    text.replace("/Example/", &format!("/Example{unit}/"))
}

/// One device for all units; each has nodes, and so a log, of its own.
struct Fleet(Vec<Device>);

impl Fleet {
    fn answer(&mut self, reply: &Message) -> String {
        let mut body = String::new();
        for command in sent(reply) {
            let unit = unit_of(&command);
            for said in self.0[unit].answer(&[plain(command, unit)]) {
                body.push_str(&format!(
                    "<Status><CmdID>s</CmdID><MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Cmd>{}</Cmd><Data>{}</Data></Status>",
                    reply.header.msg_id.0, said.cmd_ref, said.cmd, said.code
                ));
                if let Some(node) = said.value_of {
                    body.push_str(&format!(
                        "<Results><CmdID>r</CmdID><MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Item><Source><LocURI>{}</LocURI>\
                         </Source><Data>v</Data></Item></Results>",
                        reply.header.msg_id.0,
                        said.cmd_ref,
                        prefixed(&node, unit)
                    ));
                }
            }
        }
        body
    }
}

fn unit_of(command: &Got) -> usize {
    let uri = command.uri.as_ref().or_else(|| command.children.first()?.uri.as_ref()).expect("a node");
    let digits: String = uri.split("/Example").nth(1).expect("ours").chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

fn plain(command: Got, unit: usize) -> Got {
    let own = format!("/Example{unit}/");
    Got {
        uri: command.uri.map(|uri| uri.replace(&own, "/Example/")),
        children: command.children.into_iter().map(|child| plain(child, unit)).collect(),
        ..command
    }
}

/// What is over stays as it is.
fn note_ends(world: &World, ends: &mut BTreeMap<Id<QueuedCommand>, CommandState>) {
    for (id, command) in &world.commands {
        if !command.state.is_open() {
            let first = *ends.entry(*id).or_insert(command.state);
            assert_eq!(first, command.state, "{id} ended twice");
            assert!(command.finished_at.is_some(), "{id}");
        }
    }
}

fn play(lists: &[Vec<Plan>], seed: u64, most: usize) -> Result<(), TestCaseError> {
    let mut world = World::new();
    world.limits.reply_commands = most;
    let units: Vec<_> =
        lists.iter().enumerate().map(|(unit, plans)| world.raw(&prefixed(&fragment(plans), unit))).collect();
    let mut fleet = Fleet((0..lists.len() as u64).map(|unit| Device::new(seed.wrapping_add(unit), true)).collect());
    let count: u64 = lists.iter().flatten().count() as u64;
    let mut ends = BTreeMap::new();
    for session in 1..=SESSIONS {
        let name = session.to_string();
        let mut reply = world.post(&package1(&name)).message();
        let mut number = 1;
        while !sent(&reply).is_empty() {
            number += 1;
            prop_assert!(number <= 2 + MESSAGES * count, "the session does not end");
            let body = fleet.answer(&reply);
            reply = world.post(&message(&name, number, &format!("{body}<Final/>"))).message();
            note_ends(&world, &mut ends);
        }
        prop_assert!(world.conversation.open().is_none(), "the session is over with a message without commands");
        let waits = |id: &Id<QueuedCommand>| matches!(world.state(*id), CommandState::Queued | CommandState::Sent);
        if !units.iter().any(waits) {
            break;
        }
        world.now += Duration::hours(25);
    }
    for ((id, plans), device) in units.iter().zip(lists).zip(&fleet.0) {
        let command = &world.commands[id];
        let told = |words: String| TestCaseError::fail(format!("{words}; {:?}: {:?}", command.state, device.log));
        let expected = justified(plans, device).map_err(told)?;
        prop_assert_eq!(command.state.as_str(), expected, "{:?}: {:?}", command.detail, device.log);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        rng_seed: RngSeed::Fixed(0x6d75_7374_6572),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn commands_end_as_their_answers_justify(lists in lists(), seed in any::<u64>(), most in 1..12_usize) {
        play(&lists, seed, most)?;
    }
}
