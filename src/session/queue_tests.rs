//! Tests of the queue as sessions work on it: what goes out, what answers mean, what is repeated.

use std::collections::BTreeSet;

use proptest::prelude::*;
use time::Duration;
use uuid::Uuid;

use super::super::world::{LEAVES, World, answers, digest, message, package1, package1_as, unreadable};
use super::super::{Closing, Notice, Stage, is_farewell_repetition, time_out};
use crate::domain::Id;
use crate::domain::action::{Action, Wipe};
use crate::domain::command::CommandState;
use crate::domain::enrollment::{EnrollmentState, Mode};
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::syncml::{Command, Element, StatusCode, Verb};

// covers: M-65, M-66
#[test]
fn a_new_session_requeues_settings_and_loses_sight_of_one_shots() {
    let mut world = World::new();
    let setting = world.replace("./a");
    let reboot = world.act(Action::Reboot);
    world.post(&package1("1"));
    world.now += Duration::minutes(2);
    let commands = world.post(&package1("2")).commands();
    assert_eq!(commands.len(), 1, "the setting only");
    assert_eq!(world.state(setting), CommandState::Sent);
    assert_eq!(world.state(reboot), CommandState::Unknown);
    world.now += Duration::days(1);
    let uris: BTreeSet<_> = world.post(&package1("3")).commands().iter().map(|c| c.verb.name()).collect();
    assert_eq!(uris, BTreeSet::from(["Replace"]));
}

// covers: M-138
#[test]
fn a_wipe_without_answer_is_offered_again_three_times_at_most() {
    let mut world = World::new();
    let wipe = world.act(Action::Wipe(Wipe { variant: Variant::Protected }));
    let mut offers = 0;
    for session in 0..8 {
        offers += world.post(&package1(&format!("s{session}"))).commands().len();
        world.now += Duration::minutes(11);
    }
    assert_eq!(offers, 3);
    assert_eq!(world.state(wipe), CommandState::Unknown);
    let mut world = World::new();
    let keep = world.act(Action::Wipe(Wipe { variant: Variant::KeepUserData }));
    world.post(&package1("1"));
    world.now += Duration::hours(1);
    assert!(world.post(&package1("2")).commands().is_empty());
    assert_eq!(world.state(keep), CommandState::Unknown);
}

#[test]
fn a_wipe_that_was_accepted_is_never_offered_again_and_fails_if_the_device_returns() {
    let mut world = World::new();
    let wipe = world.act(Action::Wipe(Wipe { variant: Variant::Wipe }));
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 200));
    assert_eq!(world.state(wipe), CommandState::Succeeded);
    assert_eq!(world.enrollment.state, EnrollmentState::Wiping);
    world.now += Duration::hours(1);
    world.replace("./a");
    assert!(world.post(&package1("2")).commands().is_empty());
    world.now += Duration::hours(24);
    assert_eq!(world.post(&package1("3")).commands().len(), 1, "managed again");
    assert_eq!(world.state(wipe), CommandState::Failed);
    assert_eq!(world.enrollment.state, EnrollmentState::Active);
}

// covers: E-131
#[test]
fn nothing_of_a_user_goes_to_a_device_that_is_nobodys() {
    let mut world = World::new();
    world.enrollment.mode = Mode::Bulk;
    let of_user = world.replace("./User/Vendor/MSFT/Policy/Config/Experience/AllowCortana");
    let of_device = world.replace("./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera");
    let commands = world.post(&package1_as("1", "user")).commands();
    assert_eq!(commands.len(), 1, "the one of the device");
    world.post(&answers("1", 2, &commands, 200));
    assert_eq!((world.state(of_user), world.state(of_device)), (CommandState::Queued, CommandState::Succeeded));
    assert!(world.commands[&of_user].detail.contains("assigned to a person"));
    world.enrollment.user_id = Some(Id::new(Uuid::from_u128(9)));
    world.enrollment.assigned_at = Some(world.now);
    let commands = world.post(&package1_as("2", "user")).commands();
    assert_eq!(commands.len(), 1);
    world.post(&answers("2", 2, &commands, 200));
    assert_eq!(world.state(of_user), CommandState::Succeeded);
}

// covers: M-67
#[test]
fn a_message_without_final_gets_the_request_for_the_next() {
    let mut world = World::new();
    let id = world.replace("./a");
    let reply = world.post(&message("1", 1, "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert>")).message();
    assert!(!reply.is_final);
    let Some(Element::Alert(alert)) = reply.body.last() else { panic!("no Alert") };
    assert_eq!((alert.code, alert.cmd_id.as_deref()), (1222, Some("3")));
    assert_eq!(world.state(id), CommandState::Queued);
    assert_eq!(world.post(&message("1", 2, "<Final/>")).commands().len(), 1);
}

// covers: M-68
#[test]
fn a_heartbeat_releases_nothing_and_keeps_the_session() {
    let mut world = World::new();
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    world.replace("./b");
    let heartbeat = "<Alert><CmdID>1</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinf'>\
        Reversed-Domain-Name:com.microsoft.mdm.requestpending</Type></Meta><Data>1</Data></Item></Alert>";
    let reply = world.post(&message("1", 2, heartbeat)).message();
    assert!(!reply.is_final && !reply.body.iter().any(|element| matches!(element, Element::Command(_))));
    assert_eq!(world.post(&answers("1", 3, &commands, 200)).commands().len(), 1);
}

// covers: M-69, M-143
#[test]
fn an_abort_after_a_get_marks_it_as_too_large() {
    let mut world = World::new();
    let get = world.raw("<Get><Item><Target><LocURI>./big</LocURI></Target></Item></Get>");
    let setting = world.replace("./a");
    world.post(&package1("1"));
    let reply = world.post(&message("1", 2, "<Alert><CmdID>2</CmdID><Data>1223</Data></Alert><Final/>")).message();
    assert_eq!(reply.body.len(), 2);
    assert_eq!(world.state(get), CommandState::Failed);
    assert_eq!(world.state(setting), CommandState::Queued);
    assert_eq!(world.conversation.current.as_ref().unwrap().closed.unwrap().how, Closing::Aborted);
    assert_eq!(world.post(&package1("2")).commands().len(), 1);
}

// covers: M-70, M-71
#[test]
fn an_unreadable_answer_is_found_by_sending_one_command_at_a_time() {
    let mut world = World::new();
    let bad = world.act(Action::Reboot);
    let good = world.replace("./a");
    world.post(&package1("1"));
    let again = world.post(&unreadable("1", 2)).commands();
    assert_eq!(again.len(), 2, "nothing was executed, so the one-shot goes out again as well");
    assert!(world.post(&unreadable("1", 3)).commands().is_empty(), "after the second one, status only");
    assert!(
        world.notices.iter().any(|n| matches!(n, Notice::Remark(words) if words.contains("message 1 was unreadable")))
    );
    // One by one from the next session on: settings come before the reboot.
    let commands = world.post(&package1("2")).commands();
    assert_eq!(commands.len(), 1);
    let commands = world.post(&answers("2", 2, &commands, 200)).commands();
    assert_eq!(world.state(good), CommandState::Succeeded);
    assert_eq!(commands.len(), 1);
    world.post(&unreadable("2", 3));
    assert_eq!(world.state(bad), CommandState::Failed);
    assert!(world.commands[&bad].detail.contains("answer unreadable"));
    assert!(!world.conversation.one_by_one);
}

// covers: M-72, R-06
#[test]
fn an_idle_session_times_out_and_its_settings_go_back() {
    let mut world = World::new();
    let id = world.replace("./a");
    world.post(&package1("1"));
    let output = time_out(
        world.conversation.clone(),
        world.enrollment.clone(),
        &world.commands.values().cloned().collect::<Vec<_>>(),
        &world.limits,
        world.now + Duration::minutes(31),
    );
    assert_eq!(output.sessions[0].closed.unwrap().how, Closing::TimedOut);
    assert_eq!(output.commands[0].state, CommandState::Queued);
    assert_eq!(output.commands[0].id, id);
}

// covers: M-73, R-09
#[test]
fn one_message_never_exceeds_its_limits() {
    let mut world = World::new();
    world.limits.reply_commands = 3;
    world.limits.reply_bytes = 400;
    for number in 0..10 {
        world.replace(&format!("./a{number}"));
    }
    let mut left = 10;
    let mut commands = world.post(&package1("1")).commands();
    let mut msg = 2;
    while !commands.is_empty() {
        assert!(commands.len() <= 3);
        assert!(crate::proto::syncml::encoded_len(&commands) <= 400 || commands.len() == 1);
        left -= commands.len();
        commands = world.post(&answers("1", msg, &commands, 200)).commands();
        msg += 1;
    }
    assert_eq!(left, 0);
}

// covers: M-74
#[test]
fn a_wipe_is_alone_and_last() {
    let mut world = World::new();
    world.act(Action::Wipe(Wipe { variant: Variant::Wipe }));
    world.act(Action::Reboot);
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<_>>(), [Verb::Replace], "no restart beside a wipe");
    let commands = world.post(&answers("1", 2, &commands, 200)).commands();
    assert_eq!(commands.len(), 1);
    assert!(commands[0].items[0].target.as_ref().unwrap().as_str().ends_with("doWipe"));
}

// covers: M-74
#[test]
fn a_wipe_waits_for_the_session_after_a_restart() {
    let mut world = World::new();
    world.act(Action::Reboot);
    let restart = world.post(&package1("1")).commands();
    assert_eq!(restart.len(), 1);
    world.act(Action::Wipe(Wipe { variant: Variant::Wipe }));
    assert_eq!(world.post(&answers("1", 2, &restart, 200)).commands(), []);
    let wipe = world.post(&package1("2")).commands();
    assert!(wipe[0].items[0].target.as_ref().unwrap().as_str().ends_with("doWipe"));
}

// covers: M-135, R-07
#[test]
fn a_late_status_still_counts_and_counts_once() {
    let mut world = World::new();
    let reboot = world.act(Action::Reboot);
    let commands = world.post(&package1("1")).commands();
    world.now += Duration::minutes(5);
    world.post(&package1("2"));
    assert_eq!(world.state(reboot), CommandState::Unknown);
    let late = answers("1", 2, &commands, 200);
    world.post(&late);
    assert_eq!(world.state(reboot), CommandState::Succeeded);
    world.now += Duration::minutes(20);
    world.post(&answers("9", 5, &commands, 500));
    assert_eq!(world.state(reboot), CommandState::Succeeded, "the first final status counts");
}

// covers: M-131, R-08
#[test]
fn odd_statuses_are_no_error_and_block_nothing() {
    let mut world = World::new();
    let id = world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    let odd = "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>2</CmdRef><Cmd>Status</Cmd><Data>200</Data></Status>\
        <Status><CmdID>2</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><TargetRef>x</TargetRef><Data>200</Data>\
        </Status><Status><CmdID>3</CmdID><MsgRef>7</MsgRef><CmdRef>nobody-knows</CmdRef><Cmd>Get</Cmd><Data>777</Data></Status>";
    let text = answers("1", 2, &commands, 200).replace("<Final/>", &format!("{odd}<Final/>"));
    world.post(&text).message();
    assert_eq!(world.state(id), CommandState::Succeeded);
}

// covers: M-134
#[test]
fn a_setting_without_status_is_sent_once_more_and_then_fails() {
    let mut world = World::new();
    let id = world.replace("./a");
    let lock = world.act(Action::Lock);
    world.post(&package1("1"));
    let commands = world.post(&message("1", 2, "<Final/>")).commands();
    assert_eq!(commands.len(), 1, "the setting, not the lock");
    assert_eq!(world.state(lock), CommandState::Unknown);
    world.post(&message("1", 3, "<Final/>"));
    assert_eq!(world.state(id), CommandState::Failed);
    assert!(world.conversation.open().is_none());
}

// covers: M-99, M-137
#[test]
fn the_leaving_device_gets_no_command() {
    let mut world = World::new();
    let id = world.replace("./a");
    let text = message("7", 1, LEAVES);
    let reply = world.post(&text).message();
    assert!(reply.is_final && reply.body.iter().all(|element| matches!(element, Element::Status(_))));
    assert_eq!(world.enrollment.state, EnrollmentState::Retired);
    assert_eq!(world.state(id), CommandState::Cancelled);
    assert!(world.notices.contains(&Notice::Left { asked: false }));
    assert!(is_farewell_repetition(&world.conversation, &digest(&text), world.now).is_some());
    assert!(is_farewell_repetition(&world.conversation, &digest("x"), world.now).is_none());
    assert!(is_farewell_repetition(&world.conversation, &digest(&text), world.now + Duration::minutes(11)).is_none());
}

// covers: M-136
#[test]
fn a_retiring_device_gets_clean_up_and_unenroll_only() {
    let mut world = World::new();
    world.enrollment.locked_to_tenant = true;
    world.replace("./a");
    let retire = world.act(Action::Retire);
    let commands = world.post(&package1("1")).commands();
    assert_eq!(commands.len(), 1);
    assert!(commands[0].items[0].target.as_ref().unwrap().as_str().ends_with("RequireNetworkInOOBE"));
    let commands = world.post(&answers("1", 2, &commands, 404)).commands();
    assert_eq!(commands.len(), 1);
    assert!(commands[0].items[0].target.as_ref().unwrap().as_str().ends_with("Muster/Unenroll"));
    world.post(&message("2", 1, LEAVES));
    assert_eq!(world.state(retire), CommandState::Succeeded);
    assert_eq!(world.enrollment.state, EnrollmentState::Retired);
    assert!(world.notices.contains(&Notice::Left { asked: true }));
}

// covers: M-112
#[test]
fn unenroll_is_sent_four_times_at_most() {
    for code in [None, Some(200)] {
        let mut world = World::new();
        let retire = world.act(Action::Retire);
        for session in 0..4 {
            let name = format!("s{session}");
            let commands = world.post(&package1(&name)).commands();
            assert_eq!(commands.len(), 1, "{code:?} {session}");
            if let Some(code) = code {
                world.post(&answers(&name, 2, &commands, code));
                assert_eq!(world.state(retire), CommandState::Succeeded);
            }
            assert_eq!(world.enrollment.state, EnrollmentState::Retiring);
            world.now += Duration::minutes(20);
        }
        assert!(world.post(&package1("last")).commands().is_empty());
        assert_eq!(world.state(retire), CommandState::Failed, "{code:?}");
        assert_eq!(world.enrollment.state, EnrollmentState::Active);
        assert!(world.enrollment.warning.is_some());
    }
}

#[test]
fn a_refused_unenroll_brings_the_device_back() {
    let mut world = World::new();
    let retire = world.act(Action::Retire);
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 405));
    assert_eq!(world.state(retire), CommandState::Failed);
    assert_eq!(world.enrollment.state, EnrollmentState::Active);
}

// covers: M-106
#[test]
fn unknown_alerts_and_elements_are_answered_and_kept() {
    let mut world = World::new();
    let body = "<Alert><CmdID>2</CmdID><Data>1226</Data><Item><Source><LocURI>./x</LocURI></Source><Meta>\
        <Type xmlns='syncml:metinf'>com.example:new</Type><Mark xmlns='syncml:metinf'>critical</Mark></Meta><Data>v</Data></Item>\
        </Alert><Put><CmdID>3</CmdID></Put><Get><CmdID>4</CmdID></Get><Alert><Data>1224</Data></Alert><Final/>";
    let reply = world.post(&message("1", 1, body)).message();
    let codes: Vec<(String, StatusCode)> = reply
        .body
        .iter()
        .filter_map(|element| if let Element::Status(s) = element { Some((s.cmd_ref.clone(), s.code)) } else { None })
        .collect();
    let expected = [("0", 200), ("2", 200), ("3", 406), ("4", 406), ("", 400)];
    assert_eq!(codes, expected.map(|(id, code)| (id.to_owned(), StatusCode(code))));
    assert!(world.notices.iter().any(|n| matches!(n, Notice::Alert(alert) if alert.kind == "com.example:new")));
}

#[test]
fn other_protocol_versions_are_told_so() {
    for (from, to, code) in [("<VerDTD>1.2", "<VerDTD>1.1", 505), ("DM/1.2", "DM/1.1", 513)] {
        let mut world = World::new();
        world.replace("./a");
        let reply = world.post(&package1("1").replace(from, to)).message();
        assert_eq!(reply.body.len(), 1);
        assert!(matches!(&reply.body[0], Element::Status(status) if status.code == StatusCode(code)));
    }
}

#[test]
fn the_inventory_goes_out_once_a_session_and_sets_the_protocol_version() {
    let mut world = World::new();
    world.enrollment.inventory_at = None;
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    assert_eq!(commands[0].verb, Verb::Get);
    assert!(commands.iter().any(|c| c.cmd_id == "k1"));
    let version =
        commands.iter().find(|c| c.items[0].target.as_ref().unwrap().as_str().ends_with("MaxSyncApplicationVersion"));
    let result = format!(
        "<Results><CmdID>r</CmdID><MsgRef>1</MsgRef><CmdRef>{}</CmdRef><Item><Data>5.0</Data></Item></Results><Final/>",
        version.unwrap().cmd_id
    );
    let text = answers("1", 2, &commands, 200).replace("<Final/>", &result);
    let commands = world.post(&text).commands();
    assert_eq!(commands.len(), 1);
    assert!(commands[0].items[0].target.as_ref().unwrap().as_str().ends_with("/SyncApplicationVersion"));
    assert_eq!(world.enrollment.inventory_at, Some(world.now));
    assert!(world.post(&answers("1", 3, &commands, 200)).commands().is_empty());
    world.now += Duration::minutes(5);
    assert!(world.post(&package1("2")).commands().is_empty());
    assert_eq!(world.conversation.current.as_ref().unwrap().automatic.stage, Stage::NotDue);
}

// covers: M-113
#[test]
fn a_protected_wipe_falls_back_within_the_session_and_the_node_is_remembered() {
    let mut world = World::new();
    let wipe = world.act(Action::Wipe(Wipe { variant: Variant::Protected }));
    let commands = world.post(&package1("1")).commands();
    let commands = world.post(&answers("1", 2, &commands, 404)).commands();
    assert!(commands[0].items[0].target.as_ref().unwrap().as_str().ends_with("/doWipe"));
    assert_eq!(world.state(wipe), CommandState::Sent);
    let missing = world.notices.iter().find_map(|n| if let Notice::Missing(node) = n { Some(node) } else { None });
    assert!(missing.unwrap().loc_uri.ends_with("dowipeprotected"));
    world.post(&answers("1", 3, &commands, 200));
    assert_eq!(world.state(wipe), CommandState::Succeeded);
}

proptest! {
    /// Whatever the device answers, every command ends in a state its answers justify, and the session ends.
    #[test]
    fn any_answers_end_every_session(
        codes in proptest::collection::vec(proptest::option::of(prop::sample::select(vec![101_u16, 200, 202, 404, 405, 406, 417, 418, 500, 507])), 1..40),
        kinds in proptest::collection::vec(0..6_usize, 1..12),
    ) {
        let mut world = World::new();
        for (index, kind) in kinds.iter().enumerate() {
            match kind {
                0 => { world.act(Action::Lock); }
                1 => { world.act(Action::Reboot); }
                2 => { world.act(Action::Wipe(Wipe { variant: Variant::Protected })); }
                3 => { world.raw(&format!("<Atomic><Replace><Item><Target><LocURI>./a{index}</LocURI></Target></Item></Replace></Atomic>")); }
                4 => { world.raw(&format!("<Get><Item><Target><LocURI>./g{index}</LocURI></Target></Item></Get>")); }
                _ => { world.replace(&format!("./s{index}")); }
            }
        }
        let mut plan = codes.iter().cycle();
        for session in 0..12 {
            let name = format!("s{session}");
            let mut commands = world.post(&package1(&name)).commands();
            let mut msg = 2;
            while world.conversation.open().is_some() {
                prop_assert!(msg < 60, "the session never ends");
                let statuses: String = commands.iter().flat_map(Command::walk).filter_map(|command| {
                    let code = (*plan.next().unwrap())?;
                    Some(format!("<Status><CmdID>s</CmdID><MsgRef>{}</MsgRef><CmdRef>{}</CmdRef><Cmd>x</Cmd><Data>{code}</Data></Status>", msg - 1, command.cmd_id))
                }).collect();
                commands = world.post(&message(&name, msg, &format!("{statuses}<Final/>"))).commands();
                msg += 1;
            }
            prop_assert!(world.commands.values().all(|c| c.state != CommandState::Sent), "nothing hangs in sent");
            world.now += Duration::hours(5);
        }
    }
}
