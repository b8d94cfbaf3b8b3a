//! Tests of what is hard to undo or to see: devices that leave, are wiped or locked, and answers that are odd or missing.

use time::Duration;

use super::super::world::{LEAVES, Reply, World, answers, message, package1, unreadable};
use super::super::{Closing, Notice};
use crate::domain::action::{Action, TenantLockdown, Wipe};
use crate::domain::approval::Approval;
use crate::domain::command::{CommandState, Knowledge};
use crate::domain::enrollment::EnrollmentState;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::syncml::{Command, Element, LocUri, Verb, decode_fragment};
use crate::proto::xml::Limits as XmlLimits;

/// Nodes that can be added and not replaced.
fn takes_no_replace(_: &LocUri) -> Option<Knowledge> {
    Some(Knowledge { adds: true, replaces: false, is_dynamic_interior: false })
}

fn wipe(variant: Variant) -> Action {
    Action::Wipe(Wipe { variant })
}

#[test]
fn a_device_that_keeps_its_data_is_managed_again_after_its_wipe() {
    let mut world = World::new();
    let id = world.act(wipe(Variant::KeepUserData));
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 200));
    assert_eq!(world.enrollment.state, EnrollmentState::Wiping);
    world.replace("./a");
    world.now += Duration::minutes(5);
    assert!(world.post(&package1("2")).commands().is_empty(), "it may not have begun yet");
    world.now += Duration::minutes(6);
    assert_eq!(world.post(&package1("3")).commands().len(), 1);
    assert_eq!(world.state(id), CommandState::Succeeded);
    assert_eq!((world.enrollment.state, &world.enrollment.warning), (EnrollmentState::Active, &None));
}

#[test]
fn a_wipe_that_the_user_put_off_is_no_wipe() {
    let mut world = World::new();
    let id = world.act(wipe(Variant::Wipe));
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 215));
    assert_eq!(world.state(id), CommandState::Queued);
    assert_eq!(world.enrollment.state, EnrollmentState::Active);
    world.now += Duration::minutes(3);
    let commands = world.post(&package1("2")).commands();
    world.post(&answers("2", 2, &commands, 215));
    assert_eq!(world.state(id), CommandState::Failed, "once more, and no further");
}

#[test]
fn a_wipe_ends_a_retire_that_was_under_way() {
    let mut world = World::new();
    world.act(wipe(Variant::Wipe));
    let commands = world.post(&package1("1")).commands();
    let retire = world.act(Action::Retire);
    world.post(&answers("1", 2, &commands, 200));
    assert_eq!(world.enrollment.state, EnrollmentState::Wiping);
    assert_eq!(world.state(retire), CommandState::Cancelled);
    assert_eq!(world.conversation.retire, None);
}

#[test]
fn a_lockdown_that_may_be_on_is_undone_before_the_device_leaves() {
    let mut world = World::new();
    world.act(Action::TenantLockdown(TenantLockdown { enable: true }));
    world.post(&package1("1"));
    assert!(world.enrollment.locked_to_tenant, "sent, whatever becomes of the answer");
    world.enrollment.locked_to_tenant = false;
    world.act(Action::Retire);
    world.enrollment.locked_to_tenant = true;
    world.now += Duration::minutes(2);
    let commands = world.post(&package1("2")).commands();
    assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<_>>(), [Verb::Replace]);
    let commands = world.post(&answers("2", 2, &commands, 200)).commands();
    assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<_>>(), [Verb::Exec]);
}

#[test]
fn what_a_leaving_device_had_in_hand_may_have_happened() {
    let mut world = World::new();
    let sent = world.act(Action::Reboot);
    world.post(&package1("1"));
    let waiting = world.replace("./a");
    world.post(&message("1", 2, LEAVES));
    assert_eq!(world.state(sent), CommandState::Unknown);
    assert_eq!(world.state(waiting), CommandState::Cancelled);
}

#[test]
fn every_further_offer_of_a_wipe_is_told() {
    let mut world = World::new();
    world.act(wipe(Variant::Wipe));
    world.post(&package1("1"));
    world.now += Duration::minutes(11);
    world.post(&package1("2"));
    let told: Vec<_> = world.notices.iter().filter(|n| matches!(n, Notice::OfferedAgain { offers: 2, .. })).collect();
    assert_eq!(told.len(), 1);
}

#[test]
fn a_portion_without_answers_does_not_hold_up_the_rest() {
    let mut world = World::new();
    world.limits.reply_commands = 1;
    let text: String = ["./a", "./b", "./c"]
        .map(|uri| format!("<Exec><Item><Target><LocURI>{uri}</LocURI></Target></Item></Exec>"))
        .concat();
    let commands = decode_fragment(text.as_bytes(), &XmlLimits::default()).unwrap();
    let id = world.queue(Action::Raw, Vec::new());
    world.commands.get_mut(&id).unwrap().begin_portion(0, commands, |portion| portion.len() <= 1);
    let mut seen = Vec::new();
    let mut commands = world.post(&package1("1")).commands();
    for msg in 2..=4 {
        seen.extend(commands.iter().map(|c| c.items[0].target.as_ref().unwrap().as_str().to_owned()));
        commands = world.post(&message("1", msg, "<Final/>")).commands();
    }
    assert_eq!(seen, ["./a", "./b", "./c"]);
    assert_eq!(world.state(id), CommandState::Unknown);
}

#[test]
fn what_the_lost_delivery_added_counts_as_added() {
    let mut world = World::new();
    world.limits.look = takes_no_replace;
    let add = "<Add><Item><Target><LocURI>./a</LocURI></Target><Data>1</Data></Item></Add>";
    let (lost, fresh) = (world.raw(add), world.raw(&add.replace("./a", "./b")));
    world.commands.get_mut(&fresh).unwrap().not_before = Some(world.now + Duration::minutes(1));
    world.post(&package1("1"));
    world.now += Duration::minutes(2);
    let commands = world.post(&package1("2")).commands();
    assert_eq!(commands.len(), 2);
    world.post(&answers("2", 2, &commands, 418));
    assert_eq!(world.state(lost), CommandState::Succeeded);
    assert_eq!(world.state(fresh), CommandState::Failed, "this one was there before us");
}

#[test]
fn a_cancelled_session_gets_no_further_command() {
    let mut world = World::new();
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    let next = world.replace("./b");
    assert!(world.post(&answers("1", 2, &commands, 214)).commands().is_empty());
    assert_eq!(world.state(next), CommandState::Queued);
}

#[test]
fn an_abort_of_an_unknown_session_changes_nothing_in_the_open_one() {
    let mut world = World::new();
    let get = world.raw("<Get><Item><Target><LocURI>./big</LocURI></Target></Item></Get>");
    world.post(&package1("1"));
    world.post(&message("77", 5, "<Alert><CmdID>2</CmdID><Data>1223</Data></Alert><Final/>"));
    assert_eq!(world.state(get), CommandState::Sent);
    assert!(world.conversation.open().is_some());
}

#[test]
fn another_protocol_version_in_mid_session_gives_the_settings_back() {
    let mut world = World::new();
    let id = world.replace("./a");
    let commands: Vec<Command> = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 200).replace("DM/1.2", "DM/1.1"));
    assert_eq!(world.state(id), CommandState::Queued);
    assert_eq!(world.conversation.current.as_ref().unwrap().closed.unwrap().how, Closing::Completed);
}

#[test]
fn a_device_may_go_from_one_of_its_names_to_another() {
    let mut world = World::new();
    world.enrollment.hw_dev_id = Some("HARDWARE".into());
    world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    let renamed = answers("1", 2, &commands, 200).replace(">DEV1<", ">HARDWARE<");
    assert!(matches!(world.post(&renamed), Reply::Message(_)));
    let foreign = message("1", 3, "<Final/>").replace(">DEV1<", ">OTHER<");
    assert!(!matches!(world.post(&foreign), Reply::Replayed));
}

#[test]
fn alerts_beyond_a_hundred_are_dropped_and_that_is_told_once() {
    let mut world = World::new();
    let alert = "<Alert><CmdID>7</CmdID><Data>1226</Data><Item><Meta><Type xmlns='syncml:metinf'>com.example:x</Type></Meta></Item></Alert>";
    let reply = world.post(&message("1", 1, &format!("{}<Final/>", alert.repeat(150)))).message();
    let statuses = reply.body.iter().filter(|element| matches!(element, Element::Status(_))).count();
    assert_eq!(statuses, 151, "each is answered all the same");
    assert_eq!(world.notices.iter().filter(|n| matches!(n, Notice::Alert(_))).count(), 100);
    assert_eq!(
        world.notices.iter().filter(|n| matches!(n, Notice::Remark(words) if words.contains("more alerts"))).count(),
        1
    );
}

#[test]
fn a_container_answers_for_what_is_in_it_and_for_nothing_else() {
    for (outside, again) in [("Replace", CommandState::Queued), ("Exec", CommandState::Unknown)] {
        let mut world = World::new();
        let id = world.raw(&format!(
            "<{outside}><Item><Target><LocURI>./a</LocURI></Target></Item></{outside}><Atomic><Replace><Item><Target>\
             <LocURI>./b</LocURI></Target></Item></Replace></Atomic>"
        ));
        let commands = world.post(&package1("1")).commands();
        world.post(&answers("1", 2, &commands[1..], 200));
        // A setting goes out once more in the same answer.
        let expected = if again == CommandState::Queued { CommandState::Sent } else { again };
        assert_eq!(world.state(id), expected, "{outside}");
    }
}

#[test]
fn the_wipe_that_counts_is_the_last_one() {
    let mut world = World::new();
    world.act(wipe(Variant::KeepUserData));
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 200));
    world.now += Duration::minutes(11);
    world.post(&package1("2"));
    assert_eq!(world.enrollment.state, EnrollmentState::Active);
    let last = world.act(wipe(Variant::Wipe));
    world.now += Duration::minutes(1);
    let commands = world.post(&package1("3")).commands();
    world.post(&answers("3", 2, &commands, 200));
    world.now += Duration::minutes(30);
    world.post(&package1("4"));
    assert_eq!(world.enrollment.state, EnrollmentState::Wiping, "this one was to erase everything");
    world.now += Duration::hours(24);
    world.post(&package1("5"));
    assert_eq!((world.enrollment.state, world.state(last)), (EnrollmentState::Active, CommandState::Failed));
}

#[test]
fn a_device_whose_wipe_is_no_longer_kept_comes_back_too() {
    let mut world = World::new();
    world.enrollment.enter(EnrollmentState::Wiping, world.now);
    world.now += Duration::days(9);
    world.post(&package1("1"));
    assert_eq!(world.enrollment.state, EnrollmentState::Active);
    assert!(world.enrollment.warning.is_some());
}

#[test]
fn what_was_never_executed_is_not_taken_for_done() {
    let add = "<Add><Item><Target><LocURI>./a</LocURI></Target><Data>1</Data></Item></Add>";
    let mut world = World::new();
    world.limits.look = takes_no_replace;
    let unread = world.raw(add);
    world.post(&package1("1"));
    let commands = world.post(&unreadable("1", 2)).commands();
    world.post(&answers("1", 3, &commands, 418));
    assert_eq!(world.state(unread), CommandState::Failed);
    let mut world = World::new();
    world.limits.look = takes_no_replace;
    let put_off = world.raw(add);
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 417));
    assert_eq!(world.state(put_off), CommandState::Queued);
    world.now += Duration::minutes(3);
    let commands = world.post(&package1("2")).commands();
    world.post(&answers("2", 2, &commands, 418));
    assert_eq!(world.state(put_off), CommandState::Failed);
}

/// What a device does that does not leave, and how often it is asked.
type Stays = fn(&mut World);

// covers: S-10, S-12
#[test]
fn what_was_never_approved_is_cut_off_if_it_does_not_leave() {
    let ways: [(&str, Stays); 5] = [
        ("answers 405", |world| refuses(world, 405)),
        ("answers 500", |world| refuses(world, 500)),
        ("is asked four times", |world| {
            for session in 0..4 {
                world.post(&package1(&format!("s{session}"))).commands();
                world.now += Duration::minutes(20);
            }
            assert!(world.post(&package1("last")).commands().is_empty());
        }),
        ("comes too late", |world| {
            world.now += Duration::days(100);
            assert!(world.post(&package1("late")).commands().is_empty());
        }),
        ("cannot read it", |world| {
            world.post(&package1("1"));
            assert_eq!(world.post(&unreadable("1", 2)).commands().len(), 1);
            world.post(&unreadable("1", 3));
            assert_eq!(world.post(&package1("2")).commands().len(), 1);
            assert!(world.post(&unreadable("2", 2)).commands().is_empty());
        }),
    ];
    for (way, stays) in ways {
        let mut world = World::new();
        world.enrollment.approval = Approval::Refused;
        world.replace("./secret");
        let retire = world.act(Action::Retire);
        stays(&mut world);
        assert_eq!(world.enrollment.state, EnrollmentState::Blocked, "{way}");
        assert!(world.enrollment.closed_reason.as_ref().is_some_and(|why| why.contains("never approved")), "{way}");
        assert!(!world.state(retire).is_open() && world.conversation.retire.is_none(), "{way}");
        let cut_off = |notice: &Notice| matches!(notice, Notice::CutOff { .. });
        assert_eq!(world.notices.iter().filter(|notice| cut_off(notice)).count(), 1, "{way}");
        world.now += Duration::HOUR;
        assert!(world.post(&package1("next")).commands().is_empty(), "{way}: nothing is sent to it ever");
    }
}

fn refuses(world: &mut World, code: u16) {
    let commands = world.post(&package1("1")).commands();
    assert!(world.post(&answers("1", 2, &commands, code)).commands().is_empty());
}

#[test]
fn a_device_that_puts_off_leaving_is_asked_again_later() {
    let mut world = World::new();
    let retire = world.act(Action::Retire);
    let commands = world.post(&package1("1")).commands();
    assert!(world.post(&answers("1", 2, &commands, 417)).commands().is_empty());
    assert_eq!((world.state(retire), world.enrollment.state), (CommandState::Queued, EnrollmentState::Retiring));
    world.now += Duration::minutes(3);
    assert_eq!(world.post(&package1("2")).commands().len(), 1);
}

#[test]
fn a_lost_one_shot_among_portions_may_have_happened() {
    let mut world = World::new();
    world.limits.reply_commands = 1;
    let text: String = ["Exec", "Replace"]
        .map(|verb| format!("<{verb}><Item><Target><LocURI>./a</LocURI></Target></Item></{verb}>"))
        .concat();
    let commands = decode_fragment(text.as_bytes(), &XmlLimits::default()).unwrap();
    let id = world.queue(Action::Raw, Vec::new());
    world.commands.get_mut(&id).unwrap().begin_portion(0, commands, |portion| portion.len() <= 1);
    world.post(&package1("1"));
    let commands = world.post(&message("1", 2, "<Final/>")).commands();
    assert_eq!(commands.len(), 1);
    world.post(&answers("1", 3, &commands, 200));
    assert_eq!(world.state(id), CommandState::Unknown);
}

#[test]
fn a_wipe_that_was_withdrawn_too_late_is_a_wipe() {
    let mut world = World::new();
    let id = world.act(wipe(Variant::Wipe));
    let commands = world.post(&package1("1")).commands();
    world.post(&message("1", 2, "<Final/>"));
    let now = world.now;
    world.commands.get_mut(&id).unwrap().end(CommandState::Cancelled, "withdrawn", now);
    world.post(&answers("1", 3, &commands, 200));
    assert_eq!((world.state(id), world.enrollment.state), (CommandState::Succeeded, EnrollmentState::Wiping));
}

#[test]
fn a_setting_put_off_and_then_passed_over_has_one_more_try() {
    let mut world = World::new();
    let id = world.replace("./a");
    let commands = world.post(&package1("1")).commands();
    world.post(&answers("1", 2, &commands, 417));
    world.now += Duration::minutes(3);
    world.post(&package1("2"));
    let commands = world.post(&message("2", 2, "<Final/>")).commands();
    assert_eq!(commands.len(), 1, "a missing status is forgiven once, whatever came before");
    world.post(&message("2", 3, "<Final/>"));
    assert_eq!(world.state(id), CommandState::Failed);
}
