//! Tests of what answers mean for actions.

use super::*;
use crate::domain::command::CommandState;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::csp::{dm_client, remote_lock, tenant_lockdown};
use crate::proto::syncml::{Verb, encode_fragment};

fn item(cmd: &str, uri: &str, status: u16) -> ItemState {
    ItemState {
        step: 0,
        cmd_id: "c".into(),
        cmd: cmd.into(),
        loc_uri: Some(uri.into()),
        status: Some(status),
        ..ItemState::default()
    }
}

fn state(conclusion: Conclusion) -> CommandState {
    match conclusion {
        Conclusion::Finished(ending) => ending.state,
        other => panic!("not over: {other:?}"),
    }
}

// covers: M-109
#[test]
fn a_lock_succeeds_on_200_only() {
    let cases = [
        (200, CommandState::Succeeded),
        (202, CommandState::Unknown),
        (404, CommandState::Unsupported),
        (406, CommandState::Unsupported),
        (500, CommandState::Unsupported),
        (405, CommandState::Failed),
        (425, CommandState::Failed),
    ];
    for (status, expected) in cases {
        let items = [item("Exec", remote_lock::LOCK, status)];
        assert_eq!(state(Action::Lock.conclude(&Order::plain(), &items)), expected, "{status}");
    }
    let Conclusion::Finished(ending) = Action::Lock.conclude(&Order::plain(), &[item("Exec", remote_lock::LOCK, 405)])
    else {
        panic!("not over")
    };
    assert!(ending.detail.contains("no PIN is set"));
}

// covers: M-110
#[test]
fn a_pin_reset_is_a_sequence_with_the_exec_first() {
    let body = Action::ResetPasscode(ResetPasscode::default()).first_step(&Order::plain());
    assert_eq!(body.len(), 1);
    assert_eq!(body[0].verb, Verb::Sequence);
    let verbs: Vec<Verb> = body[0].children.iter().map(|child| child.verb).collect();
    assert_eq!(verbs, [Verb::Exec, Verb::Get]);
}

// covers: M-113
#[test]
fn a_wipe_falls_back_only_where_nothing_was_to_be_kept() {
    for variant in Variant::ALL {
        let action = Action::Wipe(Wipe { variant });
        let conclusion = action.conclude(&Order::plain(), &[item("Exec", variant.node(), 404)]);
        if variant.falls_back() {
            let Conclusion::Next(next) = conclusion else { panic!("{variant:?} ends") };
            assert!(String::from_utf8(encode_fragment(&next)).unwrap().contains("/doWipe<"));
            let after = action.conclude(&Order::plain(), &[item("Exec", Variant::Wipe.node(), 404)]);
            assert_eq!(state(after), CommandState::Unsupported);
        } else {
            assert_eq!(state(conclusion), CommandState::Unsupported, "{variant:?}");
        }
        assert_eq!(
            state(action.conclude(&Order::plain(), &[item("Exec", variant.node(), 200)])),
            CommandState::Succeeded
        );
        assert_eq!(state(action.conclude(&Order::plain(), &[item("Exec", variant.node(), 500)])), CommandState::Failed);
    }
}

#[test]
fn tenant_lockdown_is_compared_with_what_is_read_back() {
    let action = Action::TenantLockdown(TenantLockdown { enable: true });
    let uri = tenant_lockdown::REQUIRE_NETWORK_IN_OOBE;
    for (data, expected) in [
        (Some("true"), CommandState::Succeeded),
        (Some("false"), CommandState::Failed),
        (None, CommandState::Succeeded),
    ] {
        let mut read = item("Get", uri, 200);
        read.data = data.map(str::to_owned);
        assert_eq!(state(action.conclude(&Order::plain(), &[item("Replace", uri, 200), read])), expected, "{data:?}");
    }
    assert_eq!(
        state(action.conclude(&Order::plain(), &[item("Replace", uri, 404), item("Get", uri, 404)])),
        CommandState::Unsupported
    );
}

#[test]
fn a_retire_undoes_the_lockdown_first_and_leaves_whatever_comes_of_that() {
    let first = Action::Retire.first_step(&Order { undo_lockdown: true, ..Order::plain() });
    assert_eq!(first, [tenant_lockdown::set(false)]);
    let conclusion =
        Action::Retire.conclude(&Order::plain(), &[item("Replace", tenant_lockdown::REQUIRE_NETWORK_IN_OOBE, 404)]);
    assert_eq!(conclusion, Conclusion::Next(vec![dm_client::unenroll("Muster")]));
}

#[test]
fn the_worst_item_decides_raw_commands() {
    let cases: [(&[(&str, u16)], CommandState); 4] = [
        (&[("Get", 404), ("Replace", 200)], CommandState::Succeeded),
        (&[("Exec", 404), ("Replace", 200)], CommandState::Unsupported),
        (&[("Exec", 404), ("Replace", 425)], CommandState::Failed),
        (&[("Replace", 202)], CommandState::Succeeded),
    ];
    for (codes, expected) in cases {
        let items: Vec<ItemState> = codes.iter().map(|(cmd, code)| item(cmd, "./a", *code)).collect();
        assert_eq!(state(Action::Raw.conclude(&Order::plain(), &items)), expected, "{codes:?}");
    }
    assert_eq!(Action::Raw.conclude(&Order::plain(), &[item("Replace", "./a", 503)]), Conclusion::Retry(503));
    let mixed = [item("Exec", "./a", 417), item("Exec", "./b", 200)];
    let meant = Action::Raw.conclude(&Order::plain(), &mixed);
    assert_eq!(meant, Conclusion::Retry(417), "only what asked for it is repeated");
}

// covers: M-89
#[test]
fn hresults_are_told_by_name() {
    let mut failed = item("Replace", "./a", 404);
    failed.hresult = Some("0x86000002".into());
    let Conclusion::Finished(ending) = Action::Raw.conclude(&Order::plain(), &[failed]) else { panic!("not over") };
    assert!(ending.detail.contains("NODENOTFOUND"), "{}", ending.detail);
    assert_eq!(describe_hresult("-2147024891"), "0x80070005 ERROR_ACCESS_DENIED: access denied");
    assert_eq!(describe_hresult("-2016345812"), "0x87D1012C");
}
