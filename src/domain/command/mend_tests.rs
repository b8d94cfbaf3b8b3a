//! Tests of the other way: what is sent after a refusal, and that it ends.

use time::{Duration, OffsetDateTime};

use super::super::Offer;
use super::*;
use crate::domain::Id;
use crate::domain::action::{Conclusion, Order};
use crate::domain::command::CommandState;
use crate::proto::syncml::{MsgId, Status, decode_fragment, encode_fragment};
use crate::proto::xml::Limits;

fn raw(text: &str) -> QueuedCommand {
    let now = OffsetDateTime::UNIX_EPOCH;
    let nobody = uuid::Uuid::nil();
    let owner = (Id::new(nobody), Id::new(nobody));
    let mut command = QueuedCommand::new(Id::new(uuid::Uuid::max()), owner, Action::Raw, now, now + Duration::days(1));
    command.begin_step(0, decode_fragment(text.as_bytes(), &Limits::default()).unwrap());
    command
}

fn set(verb: &str, uri: &str) -> String {
    format!("<{verb}><Item><Target><LocURI>{uri}</LocURI></Target><Data>v</Data></Item></{verb}>")
}

fn bare(verb: &str, uri: &str) -> String {
    format!("<{verb}><Item><Target><LocURI>{uri}</LocURI></Target></Item></{verb}>")
}

/// Below `./Dyn` everything is known: interior nodes are the server's, `Fixed` leaves are not.
fn known(uri: &LocUri) -> Option<Knowledge> {
    let path = uri.path().strip_prefix("./Dyn")?;
    let depth = path.matches('/').count();
    let is_fixed = uri.last_segment() == "Fixed";
    Some(Knowledge { adds: !is_fixed, replaces: depth > 2, is_dynamic_interior: (1..=2).contains(&depth) })
}

fn nothing(_: &LocUri) -> Option<Knowledge> {
    None
}

/// What goes out, as `Verb uri` with containers around.
fn shown(commands: &[Command]) -> String {
    let one = |command: &Command| match command.verb.is_container() {
        true => format!("{}({})", command.verb.name(), shown(&command.children)),
        false => {
            let uris: Vec<_> = command.items.iter().map(|item| item.target.as_ref().unwrap().as_str()).collect();
            format!("{} {}", command.verb.name(), uris.join("+"))
        }
    };
    commands.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Hands over what is pending and answers it; `answer` gives the status of a verb on a node, `None` for containers.
fn round(command: &mut QueuedCommand, answer: &dyn Fn(&str, Option<&str>) -> u16) -> String {
    let sent: Vec<Command> = command.to_send(true).into_iter().cloned().collect();
    let ids: Vec<String> = sent.iter().map(|each| each.cmd_id.clone()).collect();
    let offer = Offer { session: Id::new(uuid::Uuid::nil()), msg_id: 1, at: OffsetDateTime::UNIX_EPOCH };
    command.hand_over(&ids, offer);
    for each in sent.iter().flat_map(Command::walk) {
        let uris = each.items.iter().map(|item| item.target.as_ref().map(LocUri::as_str));
        let mut uris: Vec<Option<&str>> = uris.collect();
        if each.verb.is_container() {
            uris.push(None);
        }
        for uri in uris {
            let code = answer(each.verb.name(), uri);
            let mut status = Status::new("1".into(), MsgId(1), &each.cmd_id, each.verb.name(), code);
            status.target_refs.extend(uri.map(str::to_owned));
            command.take_status(&status);
        }
    }
    shown(&sent)
}

/// Goes on until nothing is left to send; what went out in each round, and what came of it.
fn play(
    command: &mut QueuedCommand,
    look: Look,
    answer: &dyn Fn(&str, Option<&str>) -> u16,
) -> (Vec<String>, CommandState) {
    let mut sent = Vec::new();
    loop {
        sent.push(round(command, answer));
        assert!(sent.len() < 20, "it does not end: {sent:?}");
        assert!(command.is_answered());
        if !command.mend(look) {
            break;
        }
        let ids: BTreeSet<&str> =
            command.body.iter().flat_map(Command::walk).map(|each| each.cmd_id.as_str()).collect();
        assert_eq!(ids.len(), command.body.iter().flat_map(Command::walk).count(), "each has an id of its own");
    }
    let Conclusion::Finished(ending) = command.action.conclude(&Order::plain(), &command.current_items()) else {
        panic!("not over")
    };
    (sent, ending.state)
}

type Case<'c> = (&'c str, String, Look, &'c dyn Fn(&str, Option<&str>) -> u16, &'c [&'c str], CommandState);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (name, text, look, answer, expected, state) in cases {
        let mut command = raw(text);
        assert_eq!(
            play(&mut command, *look, *answer),
            (expected.iter().map(|s| (*s).to_owned()).collect(), *state),
            "{name}"
        );
    }
}

// covers: M-82, M-83, M-84, M-81
#[test]
fn what_exists_is_replaced_and_what_is_missing_is_added() {
    let exists = |verb: &str, _: Option<&str>| if verb == "Add" { 418 } else { 200 };
    let missing = |verb: &str, _: Option<&str>| if verb == "Add" { 200 } else { 404 };
    let stubborn = |verb: &str, _: Option<&str>| if verb == "Add" { 418 } else { 404 };
    check(&[
        ("an Add of a leaf", set("Add", "./a"), nothing, &exists, &["Add ./a", "Replace ./a"], CommandState::Succeeded),
        ("an Add of an interior node", bare("Add", "./a"), nothing, &exists, &["Add ./a"], CommandState::Succeeded),
        ("a Replace", set("Replace", "./a"), nothing, &missing, &["Replace ./a", "Add ./a"], CommandState::Succeeded),
        ("a Delete", bare("Delete", "./a"), nothing, &missing, &["Delete ./a"], CommandState::Succeeded),
        (
            "a device that contradicts itself",
            set("Add", "./a"),
            nothing,
            &stubborn,
            &["Add ./a", "Replace ./a", "Add ./a"],
            CommandState::Failed,
        ),
        (
            "only what was refused",
            [set("Add", "./a"), set("Replace", "./b"), bare("Get", "./c")].concat(),
            nothing,
            &exists,
            &["Add ./a, Replace ./b, Get ./c", "Replace ./a"],
            CommandState::Succeeded,
        ),
    ]);
}

// covers: M-84
#[test]
fn what_is_known_of_a_node_decides_what_is_tried() {
    let missing = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Add", Some("./Dyn/a")) => 418,
        ("Add", _) => 200,
        _ => 404,
    };
    let absent = |_: &str, _: Option<&str>| 404;
    let exists = |verb: &str, _: Option<&str>| if verb == "Add" { 418 } else { 200 };
    check(&[
        (
            "a node that takes no Add",
            set("Replace", "./Dyn/a/b/Fixed"),
            known,
            &missing,
            &["Replace ./Dyn/a/b/Fixed"],
            CommandState::Failed,
        ),
        (
            "a node that takes no Replace",
            set("Add", "./Dyn/a/c"),
            known,
            &exists,
            &["Add ./Dyn/a/c"],
            CommandState::Failed,
        ),
        (
            "interior nodes come first, and once for all below",
            [set("Replace", "./Dyn/a/b/c"), set("Replace", "./Dyn/a/b/d")].concat(),
            known,
            &missing,
            &[
                "Replace ./Dyn/a/b/c, Replace ./Dyn/a/b/d",
                "Add ./Dyn/a, Add ./Dyn/a/b, Add ./Dyn/a/b/c, Add ./Dyn/a/b/d",
            ],
            CommandState::Succeeded,
        ),
        (
            "an Add below what is missing",
            set("Add", "./Dyn/a/b/c"),
            known,
            &absent,
            &["Add ./Dyn/a/b/c", "Add ./Dyn/a, Add ./Dyn/a/b, Add ./Dyn/a/b/c"],
            CommandState::Failed,
        ),
    ]);
    let closed = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Add", Some("./Dyn/a" | "./Dyn/a/b")) => 405,
        ("Add", _) => 200,
        _ => 404,
    };
    check(&[(
        "what the device makes by itself is no matter",
        set("Replace", "./Dyn/a/b/c"),
        known,
        &closed,
        &["Replace ./Dyn/a/b/c", "Add ./Dyn/a, Add ./Dyn/a/b, Add ./Dyn/a/b/c"],
        CommandState::Succeeded,
    )]);
    let mut own = raw(&set("Replace", "./a"));
    own.action = Action::Sync;
    round(&mut own, &absent);
    assert!(!own.mend(nothing), "the nodes of an action are known");
}

// covers: M-82, M-83, M-84, M-86
#[test]
fn an_atomic_goes_another_way_as_a_whole_or_not_at_all() {
    let atomic = |children: &[String]| format!("<Atomic>{}</Atomic>", children.concat());
    // The first Add is refused, everything else is rolled back with it.
    let one_exists = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Add", Some("./a")) => 418,
        ("Add", _) => 216,
        _ => 200,
    };
    let refused = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Atomic", _) => 507,
        (_, Some("./bad")) => 500,
        ("Add", Some("./a")) => 418,
        ("Delete", _) => 404,
        _ => 216,
    };
    let nothing_to_delete = |verb: &str, _: Option<&str>| match verb {
        "Delete" => 404,
        "Atomic" => 507,
        _ => 215,
    };
    check(&[
        (
            "without a status of its own",
            atomic(&[set("Add", "./a"), set("Replace", "./b")]),
            nothing,
            &one_exists,
            &["Atomic(Add ./a, Replace ./b)", "Atomic(Replace ./a, Replace ./b)"],
            CommandState::Succeeded,
        ),
        (
            "one child has no other way",
            atomic(&[set("Add", "./a"), set("Replace", "./bad")]),
            nothing,
            &refused,
            &["Atomic(Add ./a, Replace ./bad)"],
            CommandState::Failed,
        ),
        (
            "Add and Replace of one node are not put into one Atomic",
            atomic(&[set("Add", "./a"), set("Add", "./A")]),
            nothing,
            &refused,
            &["Atomic(Add ./a, Add ./A)"],
            CommandState::Failed,
        ),
        (
            "what is gone already needs no Delete",
            atomic(&[bare("Delete", "./a")]),
            nothing,
            &nothing_to_delete,
            &["Atomic(Delete ./a)"],
            CommandState::Succeeded,
        ),
    ]);
}

#[test]
fn a_node_on_the_way_does_not_fail_its_atomic() {
    let mut command = raw(&format!("<Atomic>{}</Atomic>", set("Replace", "./Dyn/a/b/c")));
    let refuse = |code: u16| move |verb: &str, _: Option<&str>| if verb == "Atomic" { 507 } else { code };
    round(&mut command, &refuse(404));
    assert!(command.mend(known));
    assert_eq!(round(&mut command, &refuse(405)), "Atomic(Add ./Dyn/a, Add ./Dyn/a/b, Add ./Dyn/a/b/c)");
    assert!(!command.mend(known), "the node itself was refused");
    let mut command = raw(&format!("<Atomic>{}</Atomic>", set("Replace", "./Dyn/a/b/c")));
    round(&mut command, &refuse(404));
    assert!(command.mend(known));
    let refuse = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Atomic", _) => 507,
        (_, Some("./Dyn/a")) => 405,
        _ => 215,
    };
    round(&mut command, &refuse);
    assert!(command.mend(known));
    assert_eq!(round(&mut command, &|_, _| 200), "Atomic(Add ./Dyn/a/b, Add ./Dyn/a/b/c)");
}

#[test]
fn the_catalogue_tells_what_takes_what() {
    let known =
        |uri: &str| Knowledge::embedded(&LocUri::received(uri)).map(|k| (k.adds, k.replaces, k.is_dynamic_interior));
    assert_eq!(known("./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE"), Some((false, true, false)));
    assert_eq!(known("./Device/Vendor/MSFT/WiFi/Profile/Corp%20Net"), Some((true, true, true)));
    assert_eq!(known("./Vendor/MSFT/Example/Node"), None);
}

// covers: M-83, M-81
#[test]
fn what_is_as_wanted_leaves_its_atomic() {
    let text =
        format!("<Atomic>{}{}{}</Atomic>", bare("Add", "./node"), bare("Delete", "./gone"), set("Add", "./node/leaf"));
    let mut command = raw(&text);
    let answer = |verb: &str, uri: Option<&str>| match (verb, uri) {
        ("Atomic", _) => 507,
        ("Add", Some("./node")) => 418,
        _ => 215,
    };
    assert_eq!(round(&mut command, &answer), "Atomic(Add ./node, Delete ./gone, Add ./node/leaf)");
    assert!(command.mend(nothing));
    let answer = |verb: &str, _: Option<&str>| if verb == "Delete" { 404 } else { 507 };
    assert_eq!(round(&mut command, &answer), "Atomic(Delete ./gone, Add ./node/leaf)");
    assert!(command.mend(nothing));
    assert_eq!(round(&mut command, &|_, _| 200), "Atomic(Add ./node/leaf)");
    assert!(!command.mend(nothing));
    let Conclusion::Finished(ending) = command.action.conclude(&Order::plain(), &command.current_items()) else {
        panic!("not over")
    };
    assert_eq!(ending.state, CommandState::Succeeded);
    let statuses: Vec<_> = command.current_items().iter().map(|item| (item.cmd.clone(), item.status)).collect();
    let expected = [("Atomic", 200), ("Add", 200), ("Add", 418), ("Delete", 404)];
    assert_eq!(statuses, expected.map(|(cmd, code)| (cmd.to_owned(), Some(code))));
    assert_eq!(command.items.len(), 9, "each try is kept");
}

#[test]
fn nothing_that_ran_once_runs_twice() {
    let exec = bare("Exec", "./run");
    let answer = |verb: &str, _: Option<&str>| match verb {
        "Add" => 418,
        "Atomic" => 507,
        _ => 200,
    };
    let in_atomic = format!("<Atomic>{}{exec}</Atomic>", set("Add", "./a"));
    let behind = format!("<Sequence>{}{exec}</Sequence>", set("Add", "./a"));
    let before = format!("<Sequence>{exec}{}{}</Sequence>", set("Add", "./a"), bare("Get", "./a"));
    let kept_back = |verb: &str, uri: Option<&str>| if verb == "Exec" { 215 } else { answer(verb, uri) };
    check(&[
        ("in an Atomic", in_atomic.clone(), nothing, &answer, &["Atomic(Add ./a, Exec ./run)"], CommandState::Failed),
        ("behind in a Sequence", behind, nothing, &answer, &["Sequence(Add ./a, Exec ./run)"], CommandState::Failed),
        (
            "before in a Sequence",
            before,
            nothing,
            &answer,
            &["Sequence(Exec ./run, Add ./a, Get ./a)", "Sequence(Replace ./a, Get ./a)"],
            CommandState::Succeeded,
        ),
    ]);
    let mut command = raw(&in_atomic);
    round(&mut command, &kept_back);
    assert!(command.mend(nothing), "what was not carried out may go again");
    assert_eq!(shown(&command.body), "Atomic(Replace ./a, Exec ./run)");
}

#[test]
fn values_and_their_formats_are_kept() {
    let text = "<Add><Meta><Format xmlns='syncml:metinf'>int</Format></Meta><Item><Target><LocURI>./a</LocURI></Target>\
        <Data>1</Data></Item><Item><Target><LocURI>./b</LocURI></Target><Data>2</Data></Item></Add>";
    let mut command = raw(text);
    round(&mut command, &|_, uri| if uri == Some("./b") { 418 } else { 200 });
    assert!(command.mend(nothing));
    let sent: Vec<Command> = command.to_send(true).into_iter().cloned().collect();
    let written = String::from_utf8(encode_fragment(&sent)).unwrap();
    assert!(
        written.contains("<Replace>") && written.contains(">int<") && written.contains("<Data>2</Data>"),
        "{written}"
    );
    assert!(!written.contains("./a"), "{written}");
}
