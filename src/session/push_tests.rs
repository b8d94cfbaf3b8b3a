use super::*;
use crate::session::world::{World, answers, message, package1, unreadable};

const NAME: &str = "12345Example.Muster_1a2b3c4d5e6f7";
const CHANNEL_URI: &str = "https://db5p.notify.windows.com/?token=secret";

fn with_push() -> World {
    let mut world = World::new();
    world.limits.push = Some(NAME.to_owned());
    world
}

/// One whose device has taken the name.
fn registered() -> World {
    let mut world = with_push();
    world.registration = made(NAME, 200, &world);
    world
}

fn made(pfn: &str, status: u16, world: &World) -> Registration {
    Registration { pfn: Some(pfn.to_owned()), status: Some(status), at: Some(world.now) }
}

/// Verb and last segment of each command.
fn shown(commands: &[Command]) -> Vec<String> {
    let node = |command: &Command| command.items[0].target.as_ref().unwrap().last_segment().to_owned();
    commands.iter().map(|command| format!("{} {}", command.verb.name(), node(command))).collect()
}

fn reports(world: &World) -> Vec<PushReport> {
    let report = |notice: &Notice| if let Notice::Push(report) = notice { Some(report.clone()) } else { None };
    world.notices.iter().filter_map(report).collect()
}

/// The answer to a message of which the setting of the name is answered by that status, all else by 200.
fn answered(session: &str, msg: u64, sent: &[Command], to_name: u16) -> String {
    let (name, rest): (Vec<_>, Vec<_>) = sent.iter().cloned().partition(|command| command.cmd_id == PFN);
    let all = [answers(session, msg, &name, to_name), answers(session, msg, &rest, 200)];
    let statuses: String = all.iter().map(|text| statuses_of(text)).collect();
    message(session, msg, &format!("{statuses}<Final/>"))
}

fn statuses_of(text: &str) -> &str {
    let body = text.split("<SyncBody>").nth(1).unwrap();
    body.split("<Final/>").next().unwrap()
}

fn results(cmd_ref: &str, node: &str, value: &str) -> String {
    format!(
        "<Results><CmdID>9</CmdID><MsgRef>1</MsgRef><CmdRef>{cmd_ref}</CmdRef><Item><Source><LocURI>{node}</LocURI></Source>\
         <Data>{value}</Data></Item></Results>"
    )
}

fn node(name: &str) -> String {
    format!("./Device/Vendor/MSFT/DMClient/Provider/Muster/Push/{name}")
}

// covers: M-120
#[test]
fn channel_and_status_are_read_first_and_once_in_every_session() {
    let mut world = registered();
    world.replace("./Vendor/MSFT/Example/Node");
    for session in ["1", "2"] {
        let first = world.post(&package1(session)).commands();
        assert_eq!(shown(&first)[..2], ["Get ChannelURI", "Get Status"], "first in order");
        let statuses = answers(session, 2, &first, 200);
        let second = world.post(&statuses).commands();
        assert!(second.is_empty(), "at most once a session: {:?}", shown(&second));
    }
    let off = World::new().post(&package1("1")).commands();
    assert!(off.is_empty(), "without push an empty session stays empty: {:?}", shown(&off));
}

// covers: M-120
#[test]
fn what_the_device_reads_is_reported() {
    let mut world = registered();
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), ["Get ChannelURI", "Get Status"]);
    let values = [
        results(CHANNEL, &node("ChannelURI"), &format!(" {CHANNEL_URI} ")),
        results(STATUS, &node("Status"), "0"),
        results(CHANNEL, &node("PFN"), "another node than was asked for"),
        results("p9", &node("ChannelURI"), "https://a.notify.windows.com/?token=never-asked"),
    ];
    let body = format!("{}{}<Final/>", statuses_of(&answers("1", 2, &first, 200)), values.concat());
    world.post(&message("1", 2, &body)).message();
    let channel = ChannelUri::received(CHANNEL_URI);
    assert_eq!(reports(&world), [PushReport::Channel(channel), PushReport::Status("0".to_owned())]);
    assert!(!format!("{:?}", world.notices).contains("secret"), "the channel is in no log");
}

#[test]
fn a_device_without_a_channel_says_so() {
    for body in [results(CHANNEL, &node("ChannelURI"), " "), String::new()] {
        let mut world = registered();
        let first = world.post(&package1("1")).commands();
        let code = if body.is_empty() { 404 } else { 200 };
        let statuses = answers("1", 2, &first, code);
        world.post(&message("1", 2, &format!("{}{body}<Final/>", statuses_of(&statuses)))).message();
        assert_eq!(reports(&world), [PushReport::Channel(None)]);
    }
    let mut unasked = World::new();
    unasked.post(&package1("1")).message();
    unasked.post(&message("1", 2, &format!("{}<Final/>", results(CHANNEL, &node("ChannelURI"), CHANNEL_URI))));
    assert_eq!(reports(&unasked), [], "nobody asked");
}

#[test]
fn the_name_is_added_or_replaced_whichever_the_device_needs() {
    let get = ["Get ChannelURI", "Get Status"];
    for (case, before, codes, sent, status) in [
        ("new", None, vec![200], vec![vec!["Add PFN"]], Some(200)),
        ("known", Some(("Other.App_1", 200)), vec![200], vec![vec!["Replace PFN"]], Some(200)),
        ("there", None, vec![418, 200], vec![vec!["Add PFN"], vec!["Replace PFN"]], Some(200)),
        (
            "gone",
            Some(("Other.App_1", 200)),
            vec![404, 200],
            vec![vec!["Replace PFN"], vec!["Add Push", "Add PFN"]],
            Some(200),
        ),
        ("no parent", None, vec![404, 200], vec![vec!["Add PFN"], vec!["Add Push", "Add PFN"]], Some(200)),
        ("refused", None, vec![405], vec![vec!["Add PFN"]], Some(405)),
        ("refused twice", None, vec![418, 404], vec![vec!["Add PFN"], vec!["Replace PFN"]], Some(404)),
        ("missing twice", None, vec![404, 404], vec![vec!["Add PFN"], vec!["Add Push", "Add PFN"]], Some(404)),
        ("taken", Some((NAME, 200)), vec![], vec![], None),
        ("refused before", Some((NAME, 405)), vec![], vec![], None),
    ] {
        let mut world = with_push();
        world.registration = before.map(|(pfn, code)| made(pfn, code, &world)).unwrap_or_default();
        let mut reply = world.post(&package1("1")).commands();
        let mut expected: Vec<&str> = sent.first().cloned().unwrap_or_default();
        expected.extend(get);
        assert_eq!(shown(&reply), expected, "{case}");
        for (turn, code) in codes.iter().enumerate() {
            reply = world.post(&answered("1", turn as u64 + 2, &reply, *code)).commands();
            assert_eq!(shown(&reply), sent.get(turn + 1).cloned().unwrap_or_default(), "{case}");
        }
        let told = status.map(|status| PushReport::Registered { pfn: NAME.to_owned(), status });
        assert_eq!(reports(&world), Vec::from_iter(told), "{case}");
    }
}

#[test]
fn the_name_is_taken_from_the_settings() {
    let mut world = with_push();
    let first = world.post(&package1("1")).commands();
    assert_eq!((first[0].items[0].text(), first[0].items[0].meta.format.as_deref()), (NAME, Some("chr")));
}

#[test]
fn what_the_device_could_not_read_is_sent_once_more() {
    let mut world = with_push();
    let first = world.post(&package1("1")).commands();
    assert_eq!(shown(&first), ["Add PFN", "Get ChannelURI", "Get Status"]);
    let again = world.post(&unreadable("1", 2)).commands();
    assert_eq!(shown(&again), shown(&first));
}

// covers: M-120
#[test]
fn the_inventory_leaves_to_push_what_is_read_anyway() {
    for push in [true, false] {
        let mut world = if push { registered() } else { World::new() };
        world.enrollment.inventory_at = None;
        let first = world.post(&package1("1")).commands();
        let channels = shown(&first).iter().filter(|command| *command == "Get ChannelURI").count();
        assert_eq!(channels, 1, "once, with push and without");
        let index = first.iter().position(|command| shown(std::slice::from_ref(command)) == ["Get ChannelURI"]);
        let value = results(&first[index.unwrap()].cmd_id, &node("ChannelURI"), CHANNEL_URI);
        world.post(&message("1", 2, &format!("{value}<Final/>"))).message();
        assert_eq!(reports(&world), [PushReport::Channel(ChannelUri::received(CHANNEL_URI))]);
    }
}
