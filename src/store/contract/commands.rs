//! The queue.

use super::super::engine::Statement;
use super::Ground;
use super::fixtures::{at, command, enroll_all, enrolled, first, id, ids, is_conflict, walk};
use crate::app::ports::{CommandFilter, Store, StoreError, Write};
use crate::domain::action::{Action, Order, Placing, ResetMethod, ResetPasscode, TenantLockdown, Wipe};
use crate::domain::command::{CommandState, Followed, Offer, QueuedCommand};
use crate::domain::enrollment::EnrollmentState;
use crate::domain::object::{LargeValue, ObjectRef};
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::syncml::{Command, Data, Item, LocUri, Meta, Verb};

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    a_command_is_read_as_written(&make().await).await;
    a_body_opens_for_its_own_command_alone(&make().await).await;
    every_action_is_read_as_written(&make().await).await;
    the_open_queue_is_in_order(&make().await).await;
    what_cannot_be_sent_now_holds_nothing_up(&make().await).await;
    offered_commands_can_be_answered(&make().await).await;
    overdue_and_orphaned_commands(&make().await).await;
    commands_are_listed(&make().await).await;
}

fn insert(command: &QueuedCommand) -> Write {
    Write::InsertCommand(Box::new(command.clone()))
}

fn update(command: &QueuedCommand) -> Write {
    Write::UpdateCommand(Box::new(command.clone()))
}

fn names(commands: &[QueuedCommand]) -> Vec<String> {
    commands.iter().map(|command| command.id.to_string()).collect()
}

/// Everything that a body can hold.
fn body() -> Vec<Command> {
    let uri = |text: &str| Some(LocUri::received(text));
    let odd = Item {
        target: uri("./Device/Vendor/MSFT/Policy/Config/a%20b"),
        source: uri("./x?list=StructData"),
        meta: Meta { format: Some("xml".to_owned()), size: Some(7), ..Meta::default() },
        data: Some(Data::new("<![CDATA[ <a b=\"c\">&amp;</a>\r\n]]>\t 😀  ")),
        more_data: true,
    };
    let many = Command {
        items: vec![odd, Item { data: Some(Data::new("")), ..Item::default() }],
        ..Command::exec(LocUri::fixed("./y"))
    };
    let silent = Command { no_resp: true, ..Command::replace(LocUri::fixed("./z"), "chr", &"<".repeat(300_000)) };
    let inner = Command::container(Verb::Sequence, vec![Command::get(LocUri::fixed("./w"))]);
    vec![many, Command::container(Verb::Atomic, vec![silent, inner])]
}

fn full_command() -> QueuedCommand {
    let mut full = QueuedCommand {
        action: Action::Raw,
        state: CommandState::Sent,
        detail: "on its way".to_owned(),
        status: Some(202),
        hresult: Some("0x80070005".to_owned()),
        retries: 4,
        not_before: Some(at(1)),
        finished_at: Some(at(3)),
        reason: Some("because".to_owned()),
        revealed: true,
        followed: Some(Followed { since: at(4), questions: 7 }),
        large_value: Some(LargeValue { object: ObjectRef { id: id(6), bytes: 7 }, sha256: "ab".to_owned() }),
        ..command(1)
    };
    full.begin_step(1, body());
    full.offers = 2;
    full.placing = Placing { priority: -5, alone: true };
    full.last_offer = Some(Offer { session: id(8), msg_id: 3, at: at(2) });
    for item in &mut full.items {
        item.data = Some("PIN \"123456\"\0".to_owned());
        item.status = Some(200);
    }
    full
}

/// Debug hides what is secret, so that is compared by itself.
#[track_caller]
fn assert_same(left: &QueuedCommand, right: &QueuedCommand) {
    super::fixtures::assert_same(left, right);
    assert!(left.body == right.body, "the body differs");
    assert!(left.items == right.items, "the items differ");
}

async fn a_command_is_read_as_written(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let (full, bare) = (full_command(), QueuedCommand { body: Vec::new(), items: Vec::new(), ..command(2) });
    assert!(full.body.iter().flat_map(Command::walk).all(|command| !command.cmd_id.is_empty()));
    store.commit(vec![insert(&full), insert(&bare)]).await.unwrap();
    assert_same(&store.command(full.id).await.unwrap().unwrap(), &full);
    assert_same(&store.command(bare.id).await.unwrap().unwrap(), &bare);
    assert!(store.command(id(3)).await.unwrap().is_none());
    let swapped = QueuedCommand { id: bare.id, ..full };
    store.commit(vec![update(&swapped)]).await.unwrap();
    assert_same(&store.command(bare.id).await.unwrap().unwrap(), &swapped);
    assert!(is_conflict(store.commit(vec![insert(&bare)]).await), "a taken id");
    assert!(is_conflict(store.commit(vec![update(&command(3))]).await), "no such command");
    let orphan = QueuedCommand { enrollment_id: id(9), ..command(4) };
    assert!(is_conflict(store.commit(vec![insert(&orphan)]).await), "no such enrollment");
}

async fn a_body_opens_for_its_own_command_alone(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    store.commit(vec![insert(&command(1)), insert(&command(2))]).await.unwrap();
    for (column, sql) in [
        ("body", "UPDATE commands SET body = (SELECT c.body FROM commands c WHERE c.id = $1) WHERE id = $2"),
        ("items", "UPDATE commands SET items = (SELECT c.items FROM commands c WHERE c.id = $1) WHERE id = $2"),
        ("action", "UPDATE commands SET action = (SELECT c.action FROM commands c WHERE c.id = $1) WHERE id = $2"),
    ] {
        let params = vec![command(1).id.into(), command(2).id.into()];
        store.engine.commit(vec![Statement::one(sql, params)]).await.unwrap();
        let outcome = store.command(id(2)).await;
        assert!(matches!(&outcome, Err(StoreError::Internal(words)) if words.contains("commands.")), "{column}");
        store.commit(vec![update(&command(2))]).await.unwrap();
    }
    assert_same(&store.command(id(2)).await.unwrap().unwrap(), &command(2));
}

async fn every_action_is_read_as_written(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let actions = [
        Action::Raw,
        Action::Lock,
        Action::Unlock,
        Action::ResetPasscode(ResetPasscode { method: ResetMethod::Laps }),
        Action::Retire,
        Action::Wipe(Wipe { variant: Variant::default() }),
        Action::Reboot,
        Action::Sync,
        Action::TenantLockdown(TenantLockdown { enable: true }),
    ];
    for (number, action) in (1..).zip(actions) {
        let mut queued = QueuedCommand { action, items: Vec::new(), ..command(number) };
        let first_step = queued.action.first_step(&Order::plain());
        queued.begin_step(0, first_step);
        store.commit(vec![insert(&queued)]).await.unwrap();
        assert_same(&store.command(queued.id).await.unwrap().unwrap(), &queued);
    }
}

/// A command in a place of the queue.
fn placed(number: u128, state: CommandState, priority: i64, created: i64) -> QueuedCommand {
    let placing = Placing { priority, alone: false };
    QueuedCommand { state, placing, created_at: at(created), ..command(number) }
}

async fn the_open_queue_is_in_order(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let other = QueuedCommand { enrollment_id: id(2), device_id: id(2), ..placed(10, CommandState::Queued, 0, 0) };
    let queue = [
        placed(1, CommandState::Queued, 50, 0),
        placed(2, CommandState::Unknown, 20, 9),
        placed(3, CommandState::Sent, 20, 3),
        placed(4, CommandState::Queued, 20, 3),
        placed(5, CommandState::Succeeded, 0, 0),
        placed(6, CommandState::Cancelled, 0, 0),
        placed(7, CommandState::Expired, 0, 0),
        placed(8, CommandState::Failed, 0, 0),
        placed(9, CommandState::Unsupported, 0, 0),
        other,
    ];
    store.commit(queue.iter().map(insert).collect()).await.unwrap();
    assert_eq!(names(&store.open_commands(id(1), 100).await.unwrap()), ids([3, 4, 2, 1]));
    assert_eq!(names(&store.open_commands(id(1), 2).await.unwrap()), ids([3, 4]));
    assert_eq!(names(&store.open_commands(id(2), 2).await.unwrap()), ids([10]));
    let mut done = queue[2].clone();
    done.end(CommandState::Succeeded, "done", at(4));
    let mut back = queue[1].clone();
    back.requeue("again");
    store.commit(vec![update(&done), update(&back)]).await.unwrap();
    assert_eq!(names(&store.open_commands(id(1), 100).await.unwrap()), ids([4, 2, 1]));
}

async fn what_cannot_be_sent_now_holds_nothing_up(Ground { store, .. }: &Ground) {
    enroll_all(store, [1]).await;
    let mut of_user = placed(1, CommandState::Queued, 0, 0);
    of_user.begin_step(0, vec![Command::get(LocUri::fixed("./User/Vendor/MSFT/x"))]);
    of_user.placing.priority = 0;
    let later = QueuedCommand { not_before: Some(at(50)), ..placed(2, CommandState::Queued, 0, 0) };
    let over = QueuedCommand { expires_at: at(10), ..placed(3, CommandState::Queued, 0, 0) };
    let queue = [
        of_user,
        later,
        over,
        placed(4, CommandState::Queued, 30, 0),
        placed(5, CommandState::Queued, 20, 0),
        placed(6, CommandState::Unknown, 0, 0),
        placed(7, CommandState::Sent, 0, 0),
    ];
    store.commit(queue.iter().map(insert).collect()).await.unwrap();
    assert_eq!(names(&store.sendable_commands(id(1), at(20), 100).await.unwrap()), ids([5, 4, 1]));
    assert_eq!(names(&store.sendable_commands(id(1), at(20), 2).await.unwrap()), ids([5, 4]));
    assert_eq!(names(&store.sendable_commands(id(1), at(50), 100).await.unwrap()), ids([2, 5, 4, 1]));
}

async fn offered_commands_can_be_answered(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let offer = |session, msg_id| Some(Offer { session: id(session), msg_id, at: at(0) });
    let offered = |number, state, last_offer| QueuedCommand { last_offer, ..placed(number, state, 20, 0) };
    let foreign = QueuedCommand { enrollment_id: id(2), ..offered(9, CommandState::Sent, offer(70, 3)) };
    let queue = [
        offered(1, CommandState::Queued, None),
        offered(2, CommandState::Sent, offer(70, 2)),
        offered(3, CommandState::Unknown, offer(60, 9)),
        offered(4, CommandState::Queued, offer(60, 1)),
        offered(5, CommandState::Succeeded, offer(70, 2)),
        offered(6, CommandState::Failed, offer(70, 3)),
        offered(7, CommandState::Failed, offer(70, 1)),
        offered(8, CommandState::Succeeded, offer(60, 3)),
        foreign,
    ];
    store.commit(queue.iter().map(insert).collect()).await.unwrap();
    let found = async |session| names(&store.offered_commands(id(1), session).await.unwrap());
    assert_eq!(found(None).await, ids([2, 3, 4]));
    assert_eq!(found(Some((id(70), 2))).await, ids([2, 3, 4, 5, 6]));
    assert_eq!(found(Some((id(70), 0))).await, ids([2, 3, 4, 5, 6, 7]));
    assert_eq!(found(Some((id(70), u64::MAX))).await, ids([2, 3, 4]));
    assert_eq!(found(Some((id(99), 0))).await, ids([2, 3, 4]));
}

async fn overdue_and_orphaned_commands(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    let due = |number, state, expires| QueuedCommand { expires_at: at(expires), ..placed(number, state, 20, 0) };
    let mut queue = [
        due(1, CommandState::Queued, 100),
        due(2, CommandState::Unknown, 10),
        due(3, CommandState::Queued, 50),
        due(4, CommandState::Sent, 10),
        due(5, CommandState::Succeeded, 10),
        due(6, CommandState::Queued, 101),
        due(7, CommandState::Sent, 20),
    ];
    queue[6].followed = Some(Followed { since: at(1), questions: 0 });
    queue[2].enrollment_id = id(2);
    store.commit(queue.iter().map(insert).collect()).await.unwrap();
    let overdue = async |limit| names(&store.overdue_commands(at(100), limit).await.unwrap());
    assert_eq!(overdue(10).await, ids([3, 1, 7, 2]), "what stays unknown does not stand in the way");
    assert_eq!(overdue(1).await, ids([3]));
    assert_eq!(names(&store.orphaned_commands(10).await.unwrap()), ids([]));
    for number in [1, 2] {
        let mut closed = enrolled(number).1;
        closed.enter(EnrollmentState::Retired, at(1));
        store.commit(vec![Write::UpdateEnrollment(Box::new(closed))]).await.unwrap();
    }
    assert_eq!(names(&store.orphaned_commands(10).await.unwrap()), ids([3, 1, 6, 4, 7]));
    assert_eq!(names(&store.orphaned_commands(2).await.unwrap()), ids([3, 1]));
    let damage = "UPDATE commands SET action = body WHERE id = $1";
    store.submit(vec![Statement::one(damage, vec![id::<QueuedCommand>(3).into()])]).await.unwrap();
    assert_eq!(overdue(10).await, ids([1, 7, 2]), "one that cannot be read does not hide the others");
    assert_eq!(names(&store.orphaned_commands(10).await.unwrap()), ids([1, 6, 4, 7]));
}

async fn commands_are_listed(Ground { store, .. }: &Ground) {
    enroll_all(store, [1, 2]).await;
    for number in 1..=8_u128 {
        let mut one = placed(number, CommandState::Queued, 20, i64::try_from(number / 2).unwrap());
        one.action = if number % 2 == 0 { Action::Raw } else { Action::Lock };
        one.device_id = id(1 + number / 5);
        one.state = if number < 4 { CommandState::Succeeded } else { CommandState::Queued };
        store.commit(vec![insert(&one)]).await.unwrap();
    }
    let all = CommandFilter::default();
    for (filter, found) in [
        (all.clone(), vec![8, 7, 6, 5, 4, 3, 2, 1]),
        (CommandFilter { device: Some(id(2)), ..all.clone() }, vec![8, 7, 6, 5]),
        (CommandFilter { raw: Some(true), ..all.clone() }, vec![8, 6, 4, 2]),
        (CommandFilter { raw: Some(false), device: Some(id(1)), ..all.clone() }, vec![3, 1]),
        (CommandFilter { state: Some(CommandState::Succeeded), ..all.clone() }, vec![3, 2, 1]),
        (CommandFilter { state: Some(CommandState::Unknown), device: Some(id(1)), raw: None }, vec![]),
    ] {
        for limit in [1, 3, 50] {
            let walked =
                walk(limit, async |page| store.commands(&filter, &page).await, |command| command.id.to_string());
            assert_eq!(walked.await, ids(found.clone()), "{filter:?}");
        }
    }
    assert_eq!(store.commands(&all, &first(3)).await.unwrap().items.len(), 3);
}
