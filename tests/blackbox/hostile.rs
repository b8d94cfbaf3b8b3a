//! Devices that answer by a plan of their own, and devices that lie about what they were given.

use crate::support::device::FakeDevice;
use crate::support::plan::{Device, Got, Leaf, Plan, fragment, justified};
use crate::support::reply::{Command, Reply};
use crate::support::server::Server;
use crate::support::syncml::StatusOf;

/// Lists that are played over the network; many more are played in the tests of the engine.
const LISTS: u64 = 12;

fn got(command: &Command) -> Got {
    Got {
        verb: command.verb.clone(),
        cmd_id: command.cmd_id.clone(),
        uri: command.items.first().map(|item| item.uri.clone()),
        children: command.children.iter().map(got).collect(),
    }
}

/// A list of commands that its number decides.
fn list(number: u64) -> Vec<Plan> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = move |count: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % count).unwrap()
    };
    let all = [Leaf::Get, Leaf::Add, Leaf::AddNode, Leaf::Replace, Leaf::Delete, Leaf::Exec];
    let settings = &all[1..5];
    (0..4)
        .map(|_| match next(4) {
            0 => Plan::Atomic((0..=next(2)).map(|_| settings[next(4)]).collect()),
            1 => Plan::Sequence((0..=next(2)).map(|_| all[next(6)]).collect()),
            _ => Plan::One(all[next(6)]),
        })
        .collect()
}

#[test]
fn commands_end_as_their_answers_justify() {
    let server = Server::start_with(&[("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "100000")]);
    let (mut device, _) = FakeDevice::settled(&server);
    let (id, api) = (device.id(&server), server.api());
    for number in 0..LISTS {
        let plans = list(number);
        let command = api.command(&id, &fragment(&plans));
        let mut mind = Device::new(number, false);
        let mut reply = device.start_session();
        let mut messages = 0;
        while !reply.commands.is_empty() {
            messages += 1;
            assert!(messages < 30, "list {number}: the session does not end: {}", reply.xml);
            let commands: Vec<Got> = reply.commands.iter().map(got).collect();
            let mut message = device.next_message(&reply);
            for said in mind.answer(&commands) {
                let msg_ref = reply.msg_id.clone();
                let of = StatusOf { msg_ref, cmd_ref: said.cmd_ref.clone(), cmd: said.cmd, target_ref: None };
                message.status(&of, said.code);
                if let Some(node) = said.value_of {
                    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{}</CmdRef>", reply.msg_id, said.cmd_ref);
                    message.results(&references, &node, "", "<Data>v</Data>");
                }
            }
            reply = device.exchange(&message);
        }
        let expected = justified(&plans, &mind).unwrap_or_else(|words| panic!("list {number}: {words}: {plans:?}"));
        assert_eq!(api.command_state(&command), expected, "list {number}: {plans:?}: {:?}", mind.log);
    }
}

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/Own</LocURI></Target></Item></Get>";

#[test]
fn what_a_device_says_about_the_commands_of_another_changes_nothing() {
    let server = Server::start();
    let (mut honest, _) = FakeDevice::settled(&server);
    let (mut liar, _) = FakeDevice::settled(&server);
    let api = server.api();
    let own = api.command(&honest.id(&server), GET);
    let other = api.command(&liar.id(&server), GET);
    let asked = honest.start_session();
    let given = asked.expect("Get", "/Own").cmd_id.clone();
    let mut reply = liar.start_session();
    let its = reply.expect("Get", "/Own").cmd_id.clone();
    for _ in 0..2 {
        let mut message = liar.next_message(&reply);
        say(&mut message, &reply, &given, "a lie");
        if its != given && reply.find("Get", "/Own").is_some() {
            say(&mut message, &reply, &its, "the truth");
        }
        reply = liar.exchange(&message);
        if reply.commands.is_empty() {
            break;
        }
    }
    let shown = api.command_document(&own);
    assert_eq!((shown["state"].as_str(), shown["items"][0]["data"].as_str()), (Some("sent"), None), "{shown}");
    let told = api.command_document(&other);
    assert_eq!(told["items"][0]["data"], "the truth", "its own commands go on: {told}");
    let remarks =
        api.sessions(&liar.id(&server)).iter().map(|session| session["remarks"].to_string()).collect::<String>();
    for words in ["a Status for a command that is not known", "Results for a command that is not known"] {
        assert!(remarks.contains(words), "{words}: {remarks}");
    }
    let mut message = honest.next_message(&asked);
    say(&mut message, &asked, &given, "its own word");
    let last = honest.exchange(&message);
    assert!(last.is_final && last.commands.is_empty());
    assert_eq!(api.command_document(&own)["items"][0]["data"], "its own word");
}

fn say(message: &mut crate::support::syncml::Message, reply: &Reply, cmd_ref: &str, text: &str) {
    let of = StatusOf {
        msg_ref: reply.msg_id.clone(),
        cmd_ref: cmd_ref.to_owned(),
        cmd: "Get".to_owned(),
        target_ref: None,
    };
    message.status(&of, 200);
    let references = format!("<MsgRef>{}</MsgRef><CmdRef>{cmd_ref}</CmdRef>", reply.msg_id);
    message.results(&references, "./Vendor/MSFT/Example/Own", "", &format!("<Data>{text}</Data>"));
}
