//! Steps of the engine: what answering one message costs beside reading and writing it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the benchmark")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, criterion_group, criterion_main};
use muster::domain::Id;
use muster::domain::action::Action;
use muster::domain::approval::Approval;
use muster::domain::command::{Knowledge, QueuedCommand};
use muster::domain::enrollment::{Enrollment, EnrollmentKind, EnrollmentState, Mode};
use muster::domain::entra::TokenEvidence;
use muster::domain::object::ObjectLimits;
use muster::domain::proof::Proof;
use muster::domain::push::Registration;
use muster::proto::syncml::{Command, Element, Message, MsgId, Status};
use muster::session::{
    Admission, Answer, Conversation, Incoming, Input, Limits, Opening, Output, Proven, Wanted, classify, respond,
};
use muster::sim::specimen;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Commands that wait while a device is told nothing, or its share of them.
const WAITING: usize = 100;

fn enrollment(now: OffsetDateTime) -> Enrollment {
    Enrollment {
        id: Id::new(Uuid::from_u128(1)),
        device_id: Id::new(Uuid::from_u128(2)),
        user_id: None,
        state: EnrollmentState::Active,
        mode: Mode::OnPremise,
        kind: EnrollmentKind::Full,
        claimed_device_id: Some("7C0F5E9D1B344D0E8A3B6F21C9D0A511".to_owned()),
        hw_dev_id: None,
        reported_dev_id: None,
        reported_source: None,
        os_version: Some("10.0.26100.1".to_owned()),
        os_edition: Some(48),
        context: Vec::new(),
        account: Vec::new(),
        enrolled_at: now,
        last_seen_at: None,
        // As new as the message: nothing is asked.
        inventory_at: Some(now),
        state_since: now,
        closed_reason: None,
        warning: None,
        locked_to_tenant: false,
        entra_device_id: None,
        package_id: None,
        assigned_at: None,
        approval: Approval::NotNeeded,
        replaced_unapproved: None,
        version: 0,
    }
}

fn limits() -> Limits {
    Limits {
        management_url: "https://dm.example.test/ManagementServer/MDM.svc".to_owned(),
        provider_id: "Muster".to_owned(),
        reply_bytes: 400_000,
        reply_commands: 100,
        next_message: true,
        signing_window: None,
        status_page: None,
        look: Knowledge::embedded,
        push: None,
        objects: ObjectLimits { bytes: 1 << 20, parts: 100 },
        declared_configuration: false,
        wanted: Wanted::default(),
    }
}

fn queued(now: OffsetDateTime, id: u128, commands: Vec<Command>) -> QueuedCommand {
    let owner = (Id::new(Uuid::from_u128(1)), Id::new(Uuid::from_u128(2)));
    let mut command =
        QueuedCommand::new(Id::new(Uuid::from_u128(id)), owner, Action::Raw, now, now + Duration::days(9));
    command.begin_step(0, commands);
    command
}

fn input(message: Message, conversation: Conversation, commands: Vec<QueuedCommand>, now: OffsetDateTime) -> Input {
    let digest = [7; 32];
    let enrollment = enrollment(now);
    let incoming = classify(&conversation, &message, &digest, true, now);
    assert!(matches!(incoming, Incoming::Open { .. } | Incoming::Continue { .. }), "{incoming:?}");
    Input {
        now,
        digest,
        incoming,
        message,
        new_session: Id::new(Uuid::from_u128(3)),
        new_object: Id::new(Uuid::from_u128(4)),
        room: 0,
        arrived: String::new(),
        supplies: Vec::new(),
        opening: Opening::default(),
        proven: Proven {
            by: vec![Proof::Certificate],
            signature: None,
            admission: Admission::Certain,
            network: Ipv4Addr::LOCALHOST.into(),
            has_to_sign: false,
        },
        tokens: TokenEvidence::default(),
        enrollment,
        conversation,
        registration: Registration::default(),
        commands,
        limits: limits(),
    }
}

fn sent(output: &Output) -> Vec<&Command> {
    let Answer::Reply(message) = &output.answer else { panic!("no answer") };
    let commands = message.body.iter();
    commands.filter_map(|element| if let Element::Command(command) = element { Some(command) } else { None }).collect()
}

/// A Status for the header and each command of an answer.
fn statuses(output: &Output) -> Message {
    let asked = MsgId(1);
    let of_each = |(number, command): (usize, &&Command)| {
        Element::Status(Status::new((number + 2).to_string(), asked, &command.cmd_id, command.verb.name(), 200))
    };
    let mut message = specimen::nothing_to_say(2);
    message.body.extend(sent(output).iter().enumerate().map(of_each));
    message
}

fn steps(c: &mut Criterion) {
    let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
    let first = |commands| input(specimen::package_1(), Conversation::default(), commands, now);
    let idle = first(Vec::new());
    assert!(sent(&respond(&idle)).is_empty());
    let settings = || vec![queued(now, 9, specimen::settings(12))];
    let told = first(settings());
    let offered = respond(&told);
    assert_eq!(sent(&offered).len(), 12);
    let mut all = told.commands.clone();
    all.retain(|command| offered.commands.iter().all(|changed| changed.id != command.id));
    all.extend(offered.commands.iter().cloned());
    let answered = input(statuses(&offered), offered.conversation.clone(), all, now);
    assert!(sent(&respond(&answered)).is_empty());
    let queue = (0..WAITING).map(|n| queued(now, 100 + n as u128, specimen::settings(1))).collect();
    let long = first(queue);
    assert_eq!(sent(&respond(&long)).len(), WAITING);

    let mut group = c.benchmark_group("step");
    for (name, input) in [
        ("package 1, nothing to do", &idle),
        ("package 1, 12 settings are sent", &told),
        ("12 Status, nothing more to do", &answered),
        ("package 1, 100 commands are sent", &long),
    ] {
        group.bench_function(name, |b| b.iter(|| respond(black_box(input))));
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
