use std::num::NonZeroU32;

use super::*;
use crate::proto::syncml::Verb;
use crate::session::world::{World, answers, message, package1, unreadable};

/// Another schedule than the device has.
fn world() -> World {
    let mut world = World::new();
    let renewal = Renewal { period_days: 42, retry_days: 4, server_url: Some(URL.to_owned()) };
    world.conversation.provisioned = Provisioned {
        poll: Part { has: Some(Poll::default()), missed: None },
        renewal: Part { has: Some(renewal.clone()), missed: None },
        ca: Part::default(),
    };
    let renewal = Renewal { server_url: None, ..renewal };
    world.limits.wanted = Wanted { poll: Some(daily()), renewal: Some(renewal), ca: None };
    world
}

const URL: &str = "https://dm.example.test/EnrollmentServer/Renew.svc";

fn daily() -> Poll {
    let mut poll = Poll::default();
    poll.relaxed.minutes = NonZeroU32::new(1440).unwrap();
    poll
}

/// Verb and last segment of each command, those inside after their container.
fn shown(commands: &[Command]) -> Vec<String> {
    let words = |command: &Command| {
        let node = command.items.first().and_then(|item| item.target.as_ref());
        format!("{} {}", command.verb.name(), node.map_or("", |node| node.last_segment()))
    };
    commands.iter().flat_map(Command::walk).map(|command| words(command).trim_end().to_owned()).collect()
}

const SCHEDULE: [&str; 9] = [
    "Atomic",
    "Replace NumberOfFirstRetries",
    "Replace IntervalForFirstSetOfRetries",
    "Replace NumberOfSecondRetries",
    "Replace IntervalForSecondSetOfRetries",
    "Replace NumberOfRemainingScheduledRetries",
    "Replace IntervalForRemainingScheduledRetries",
    "Replace PollOnLogin",
    "Replace AllUsersPollOnFirstLogin",
];

/// The answer to a message in which the Atomic fails with this code at its first child.
fn refused(session: &str, msg: u64, sent: &[Command], code: u16) -> String {
    let status = |cmd_ref: &str, cmd: &str, code: u16| {
        format!(
            "<Status><CmdID>s{cmd_ref}</CmdID><MsgRef>{}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>{cmd}</Cmd><Data>{code}</Data></Status>",
            msg - 1
        )
    };
    let each = |command: &Command| match command.verb {
        Verb::Atomic => {
            let children = command.children.iter().enumerate();
            let inner = children.map(|(index, child)| {
                let code = if index == 0 { code } else { 215 };
                status(&child.cmd_id, child.verb.name(), code)
            });
            format!("{}{}", status(&command.cmd_id, "Atomic", 507), inner.collect::<String>())
        }
        _ => status(&command.cmd_id, command.verb.name(), 200),
    };
    message(session, msg, &format!("{}<Final/>", sent.iter().map(each).collect::<String>()))
}

fn standing(world: &World) -> Standing {
    world.conversation.provisioned.poll.standing(&daily(), &world.enrollment, world.now)
}

#[test]
fn a_ca_that_was_not_taken_is_handed_out_again_after_a_day() {
    let world = world();
    let (ca, mut part) = (TrustedCa::new(b"root", b"issuing"), Part::default());
    let standing = |part: &Part<TrustedCa>, after| part.standing(&ca, &world.enrollment, world.now + after);
    assert_eq!(standing(&part, Duration::ZERO), Standing::Due);
    for _ in 0..MOST_SESSIONS {
        part.told(&ca, world.enrollment.os_version.clone(), world.now);
    }
    assert_eq!(standing(&part, Duration::hours(23)), Standing::Unanswered);
    assert_eq!(standing(&part, Duration::hours(24)), Standing::Due);
    part.missed.as_mut().unwrap().status = Some(500);
    assert_eq!(standing(&part, Duration::hours(23)), Standing::Refused);
    assert_eq!(standing(&part, Duration::hours(24)), Standing::Due);
}

#[test]
fn a_schedule_that_differs_is_set_once_and_then_costs_nothing() {
    let mut world = world();
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), SCHEDULE, "the renewal is as it is to be");
    assert_eq!(standing(&world), Standing::Due);
    assert_eq!(world.post(&answers("1", 2, &first, 200)).commands(), []);
    assert_eq!(world.conversation.provisioned.poll, Part { has: Some(daily()), missed: None });
    assert_eq!(world.notices.last(), Some(&Notice::Provisioned { part: "poll", refused: None }));
    assert_eq!(world.post(&package1("2")).commands(), [], "it is not set again");
    world.limits.wanted.poll = None;
    assert_eq!(world.post(&package1("3")).commands(), [], "what is not wanted stays");
}

#[test]
fn a_device_without_the_node_is_given_it_first() {
    let mut world = world();
    let first = world.post(&package1("1")).commands();
    let second = world.post(&refused("1", 2, &first, 404)).commands();
    assert_eq!(shown(&second), [&["Add Poll"], &SCHEDULE[..]].concat());
    let third = world.post(&answers("1", 3, &second, 418)).commands();
    assert_eq!((third, standing(&world)), (vec![], Standing::Refused), "a third way there is not");
    assert_eq!(world.conversation.provisioned.poll.missed.as_ref().unwrap().status, Some(418));
}

#[test]
fn what_a_device_refuses_is_not_set_again_until_something_changes() {
    let mut world = world();
    let first = world.post(&package1("1")).commands();
    assert_eq!(world.post(&refused("1", 2, &first, 405)).commands(), []);
    assert_eq!(world.notices.last(), Some(&Notice::Provisioned { part: "poll", refused: Some(405) }));
    assert_eq!((standing(&world), world.post(&package1("2")).commands()), (Standing::Refused, vec![]));
    let has = world.conversation.provisioned.poll.has;
    assert_eq!(has, Some(Poll::default()), "it keeps what it had");
    let mut other = daily();
    other.on_login = false;
    world.limits.wanted.poll = Some(other);
    assert_eq!(shown(&world.post(&package1("3")).commands()), SCHEDULE, "another one");
    world.limits.wanted.poll = Some(daily());
    world.enrollment.os_version = Some("10.0.26100.1".to_owned());
    assert_eq!(shown(&world.post(&package1("4")).commands()), SCHEDULE, "another version of Windows");
}

#[test]
fn a_device_that_never_answers_is_told_three_times() {
    let mut world = world();
    for session in ["1", "2", "3"] {
        assert_eq!(shown(&world.post(&package1(session)).commands()), SCHEDULE);
    }
    assert_eq!((world.post(&package1("4")).commands(), standing(&world)), (vec![], Standing::Unanswered));
}

#[test]
fn nothing_of_it_is_sent_twice_in_a_session() {
    let mut world = world();
    world.replace("./Vendor/MSFT/Example/Node");
    let first = world.post(&package1("1")).commands();
    let silent = message("1", 2, "<Final/>");
    assert_eq!(shown(&first)[..9], SCHEDULE);
    let second = world.post(&silent).commands();
    assert!(second.iter().all(|command| !owns(&command.cmd_id)), "{:?}", shown(&second));
}

#[test]
fn what_the_device_could_not_read_is_set_again() {
    let mut world = world();
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&world.post(&unreadable("1", 1)).commands()), SCHEDULE);
    assert_eq!(shown(&first), SCHEDULE);
}

#[test]
fn renewal_is_set_with_its_address_where_that_changed() {
    let mut world = world();
    world.limits.wanted.poll = None;
    let renewal = world.limits.wanted.renewal.as_mut().unwrap();
    renewal.period_days = 60;
    let days = ["Atomic", "Replace RenewPeriod", "Replace RetryInterval"];
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), days);
    world.post(&answers("1", 2, &first, 200)).message();
    let has = world.conversation.provisioned.renewal.has.clone().unwrap();
    assert_eq!((has.period_days, has.server_url.as_deref()), (60, Some(URL)), "its address stays");
    let moved = "https://other.example.test/EnrollmentServer/Renew.svc";
    world.limits.wanted.renewal.as_mut().unwrap().server_url = Some(moved.to_owned());
    let second = world.post(&package1("2")).commands();
    assert_eq!(shown(&second), [&days[..], &["Replace ServerURL"]].concat());
    world.post(&refused("2", 2, &second, 404)).message();
    let part = &world.conversation.provisioned.renewal;
    assert_eq!(part.missed.as_ref().unwrap().status, Some(404), "there is no node above it to be added");
}

#[test]
fn a_ca_is_added_to_its_two_stores_and_may_be_there_already() {
    let mut world = world();
    world.limits.wanted = Wanted { ca: Some(TrustedCa::new(b"root", b"issuing")), ..Wanted::default() };
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), ["Add EncodedCertificate", "Add EncodedCertificate"]);
    let node = |command: &Command| command.items[0].target.as_ref().unwrap().as_str().to_owned();
    let store = "./Device/Vendor/MSFT/RootCATrustedCertificates";
    assert_eq!(node(&first[0]), format!("{store}/Root/{}/EncodedCertificate", thumbprint(b"root")));
    assert_eq!(node(&first[1]), format!("{store}/CA/{}/EncodedCertificate", thumbprint(b"issuing")));
    assert_eq!(world.post(&answers("1", 2, &first, 418)).commands(), []);
    assert_eq!(world.notices.last(), Some(&Notice::Provisioned { part: TRUSTED_CA, refused: None }));
    let has = world.conversation.provisioned.ca.has.clone().unwrap();
    assert_eq!((has.root.as_str(), has.encoded.len()), (thumbprint(b"root").as_str(), 0));
    assert_eq!(world.post(&package1("2")).commands(), []);
    world.limits.wanted.ca = Some(TrustedCa::new(b"another", b"issuing"));
    let second = world.post(&package1("3")).commands();
    let half = answers("3", 2, &second[..1], 200);
    world.post(&half).message();
    assert_ne!(
        world.conversation.provisioned.ca.has.as_ref().unwrap().root,
        thumbprint(b"another"),
        "half is not enough"
    );
}

#[test]
fn both_go_where_there_is_room() {
    let mut world = world();
    world.limits.wanted.renewal.as_mut().unwrap().retry_days = 7;
    world.limits.reply_commands = 12;
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), SCHEDULE);
    let second = world.post(&answers("1", 2, &first, 200)).commands();
    assert_eq!(shown(&second), ["Atomic", "Replace RenewPeriod", "Replace RetryInterval"]);
    assert_eq!(world.post(&answers("1", 3, &second, 200)).commands(), []);
    assert_eq!(world.conversation.provisioned.renewal.has.as_ref().unwrap().retry_days, 7);
}

#[test]
fn answers_are_judged_by_what_went_wrong_first() {
    for (case, answers, verdict) in [
        ("all well", vec![(1, 200), (2, 200), (3, 200)], Verdict::Taken),
        ("the Atomic alone", vec![(1, 200)], Verdict::Taken),
        ("no Status of its own", vec![(2, 200), (3, 200)], Verdict::Taken),
        ("rolled back", vec![(1, 507), (2, 216), (3, 405)], Verdict::Refused(405)),
        ("rolled back without a reason", vec![(1, 507)], Verdict::Refused(507)),
        ("a part only", vec![(2, 200)], Verdict::Unanswered),
        ("nothing", vec![], Verdict::Unanswered),
    ] {
        assert_eq!(super::verdict::<Poll>(&answers, 3), verdict, "{case}");
    }
}

#[test]
fn old_state_reads_as_nothing_known() {
    let known: Provisioned = serde_json::from_str("{}").unwrap();
    assert_eq!(known, Provisioned::default());
    assert!(owns("q1") && owns("qx2") && owns("r10"));
    assert!(!owns("q") && !owns("qx") && !owns("r1a") && !owns("s1"));
}
