//! Tests of the queue entry.

use super::super::action::{Action, Conclusion, Order, Wipe};
use super::*;
use crate::proto::syncml::{LocUri, MsgId, Status, decode_fragment};
use crate::proto::xml::Limits;

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000 + seconds).unwrap()
}

fn queued(action: Action, commands: Vec<Command>) -> QueuedCommand {
    let id = Id::new(uuid::Uuid::from_u128(0xABCD_EF01_2345));
    let nobody = uuid::Uuid::nil();
    let mut command = QueuedCommand::new(id, (Id::new(nobody), Id::new(nobody)), action, at(0), at(1000));
    command.begin_step(0, commands);
    command
}

/// Puts all of it into a message.
fn given(mut command: QueuedCommand) -> QueuedCommand {
    let ids: Vec<String> = command.body.iter().map(|each| each.cmd_id.clone()).collect();
    command.hand_over(&ids, Offer { session: Id::new(uuid::Uuid::nil()), msg_id: 1, at: at(0) });
    command
}

fn raw(text: &str) -> QueuedCommand {
    queued(Action::Raw, decode_fragment(text.as_bytes(), &Limits::default()).unwrap())
}

fn status(cmd_ref: &str, code: u16, refs: &[&str]) -> Status {
    let mut status = Status::new("1".into(), MsgId(1), cmd_ref, "Get", code);
    status.target_refs = refs.iter().map(|text| (*text).to_owned()).collect();
    status
}

fn get(uri: &str) -> String {
    format!("<Get><Item><Target><LocURI>{uri}</LocURI></Target></Item></Get>")
}

// covers: M-49
#[test]
fn ids_are_unique_and_durable() {
    let command = raw(&format!(
        "{}<Atomic><Replace><Item><Target><LocURI>./b</LocURI></Target></Item></Replace></Atomic>",
        get("./a")
    ));
    let ids: Vec<&str> = command.items.iter().map(|item| item.cmd_id.as_str()).collect();
    assert_eq!(ids, ["abcdef012345-0.1", "abcdef012345-0.2", "abcdef012345-0.2.1"]);
}

// covers: M-132
#[test]
fn one_get_with_several_items_keeps_a_status_each() {
    let items: String =
        ["./a", "./b", "./c"].iter().map(|u| format!("<Item><Target><LocURI>{u}</LocURI></Target></Item>")).collect();
    let mut command = given(raw(&format!("<Get>{items}</Get>")));
    let id = command.body[0].cmd_id.clone();
    assert!(command.take_status(&status(&id, 404, &["./B"])));
    assert!(command.take_status(&status(&id, 200, &["./a", "./c"])));
    assert!(!command.take_status(&status(&id, 500, &["./a"])), "the first final one counts");
    let codes: Vec<_> = command.items.iter().map(|item| item.status).collect();
    assert_eq!(codes, [Some(200), Some(404), Some(200)]);
    assert!(command.is_answered());
}

// covers: M-75, M-130, S-17
#[test]
fn results_are_taken_for_what_was_asked_and_once() {
    let mut command = given(raw(&get("./Vendor/a")));
    let id = command.body[0].cmd_id.clone();
    let other = LocUri::received("./Vendor/other");
    assert!(!command.take_result(&id, Some(&other), "x", None));
    let own = LocUri::received("./device/vendor/A");
    assert!(command.take_result(&id, Some(&own), "x", Some("chr")));
    assert!(!command.take_result(&id, Some(&own), "y", None));
    assert!(command.take_result(&id, Some(&LocUri::received("./Vendor/a/b")), "z", None));
    assert_eq!(command.items.iter().map(|item| item.data.as_deref()).collect::<Vec<_>>(), [Some("x"), Some("z")]);
}

// covers: M-134, M-87
#[test]
fn an_atomic_is_decided_with_or_without_its_own_status() {
    let text = "<Atomic><Replace><Item><Target><LocURI>./a</LocURI></Target></Item></Replace>\
                <Replace><Item><Target><LocURI>./b</LocURI></Target></Item></Replace></Atomic>";
    for (codes, expected) in [
        ([None, Some(200), Some(200)], CommandState::Succeeded),
        ([None, Some(216), Some(500)], CommandState::Failed),
        ([Some(507), Some(216), Some(500)], CommandState::Failed),
        ([Some(200), Some(200), Some(200)], CommandState::Succeeded),
    ] {
        let mut command = given(raw(text));
        let ids: Vec<String> = command.items.iter().map(|item| item.cmd_id.clone()).collect();
        for (id, code) in ids.iter().zip(codes) {
            if let Some(code) = code {
                command.take_status(&status(id, code, &[]));
            }
        }
        assert!(command.is_answered());
        let Conclusion::Finished(ending) = command.action.conclude(&Order::plain(), &command.current_items()) else {
            panic!("not over: {codes:?}")
        };
        assert_eq!(ending.state, expected, "{codes:?}");
        if codes[0] == Some(507) {
            assert!(ending.detail.contains("./b"), "{}", ending.detail);
        }
    }
}

// covers: M-138, M-66
#[test]
fn only_what_may_be_repeated_is_offered_again() {
    use crate::proto::csp::remote_wipe::Variant;
    let session = |n| Id::new(uuid::Uuid::from_u128(n));
    let cases = [
        (Action::Wipe(Wipe { variant: Variant::Wipe }), 600, true),
        (Action::Wipe(Wipe { variant: Variant::Wipe }), 599, false),
        (Action::Wipe(Wipe { variant: Variant::KeepUserData }), 900, false),
        (Action::Lock, 1, true),
        (Action::Reboot, 900, false),
        (Action::Retire, 1, true),
    ];
    for (action, seconds, expected) in cases {
        let body = action.first_step(&Order::plain());
        let mut command = queued(action.clone(), body);
        command.offers = 1;
        command.last_offer = Some(Offer { session: session(1), msg_id: 1, at: at(0) });
        command.lose_sight();
        assert_eq!(command.may_be_offered(session(2), at(seconds)), expected, "{action:?}");
        assert!(!command.may_be_offered(session(1), at(seconds)), "not within its session: {action:?}");
        command.offers = 4;
        assert!(!command.may_be_offered(session(2), at(seconds)), "{action:?}");
    }
}
