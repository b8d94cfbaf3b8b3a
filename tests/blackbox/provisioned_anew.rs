//! What the provisioning document gave a device and what is set anew when it changes: the poll schedule, and when and where
//! the device renews its certificate.

use serde_json::{Value, json};

use crate::support::csp;
use crate::support::device::{FakeDevice, Visit};
use crate::support::server::Server;
use crate::support::timed::{DAY, Timed};
use crate::support::wns::Wns;

const POLL: &str = "./Device/Vendor/MSFT/DMClient/Provider/Muster/Poll";
const RENEW: &str = "./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew";

/// What of the document is set, in order: verb and what comes after the last node that all have in common.
fn set(visit: &Visit) -> Vec<String> {
    let commands = visit.commands().into_iter().filter(|command| command.verb != "Atomic");
    let uris = commands.flat_map(|command| command.items.iter().map(|item| (command.verb.clone(), item.uri.clone())));
    let own = uris.filter(|(_, uri)| uri.starts_with(POLL) || uri.starts_with(RENEW));
    own.map(|(verb, uri)| format!("{verb} {}", uri.rsplit('/').next().unwrap())).collect()
}

/// The six numbers of a schedule, as the tree of a device or its document holds them.
fn numbers(value: impl Fn(&str) -> String) -> [u32; 6] {
    [
        "NumberOfFirstRetries",
        "IntervalForFirstSetOfRetries",
        "NumberOfSecondRetries",
        "IntervalForSecondSetOfRetries",
        "NumberOfRemainingScheduledRetries",
        "IntervalForRemainingScheduledRetries",
    ]
    .map(|name| value(name).parse().unwrap())
}

fn in_tree(device: &FakeDevice) -> [u32; 6] {
    numbers(|name| device.csp.value(&format!("{POLL}/{name}")).unwrap().to_owned())
}

fn standing(server: &Server, device: &FakeDevice, part: &str) -> Value {
    server.api().device(&device.id(server))["provisioning"][part].clone()
}

/// The schedule is in the device's tree, as its document gave it.
fn remember(device: &mut FakeDevice) {
    for (name, value) in device.provisioned.poll.clone() {
        device.csp.set(&format!("{POLL}/{name}"), "int", &value);
    }
}

// covers: E-92
#[test]
fn another_schedule_is_told_once_and_an_unchanged_one_costs_nothing() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    remember(&mut device);
    let quiet = device.check_in();
    assert!(quiet.is_quiet() && quiet.replies.len() == 1, "the document is what the device has: {:?}", quiet.replies);
    let given = standing(&server, &device, "poll");
    let last = given["has"]["relaxed"]["minutes"].as_u64().unwrap();
    assert_eq!((&given["state"], (432..=528).contains(&last)), (&json!("current"), true), "{given}");
    assert_eq!(numbers(|name| device.provisioned.poll[name].clone())[5], u32::try_from(last).unwrap());

    let faster = [("MUSTER__POLL__FIRST_COUNT", "9"), ("MUSTER__POLL__ON_LOGIN", "false")];
    assert!(server.restart_under(&faster));
    device.follow(&server);
    assert_eq!(standing(&server, &device, "poll")["state"], "due");
    let visit = device.check_in();
    assert_eq!(set(&visit).len(), 8, "{:?}", set(&visit));
    let atomics: Vec<_> = visit.commands().into_iter().filter(|command| command.verb == "Atomic").collect();
    assert_eq!((atomics.len(), atomics[0].children.len()), (1, 6), "six numbers at once");
    assert_eq!(in_tree(&device), [9, 3, 8, 15, 0, u32::try_from(last).unwrap()], "the draw of a device stays");
    assert_eq!(device.csp.value(&format!("{POLL}/PollOnLogin")), Some("false"));
    assert_eq!(standing(&server, &device, "poll")["state"], "current");
    let quiet = device.check_in();
    assert!(quiet.is_quiet() && quiet.replies.len() == 1, "told once: {:?}", set(&quiet));
    assert!(server.restart_under(&faster), "what it was told is kept");
    device.follow(&server);
    assert!(device.check_in().is_quiet());
}

#[test]
fn the_node_is_added_where_it_is_missing_and_a_refusal_is_shown() {
    let mut server = Server::start();
    let (mut old, _) = FakeDevice::settled(&server);
    let (mut refuses, _) = FakeDevice::settled(&server);
    refuses.csp.rule("Replace", "/Poll/NumberOfFirstRetries", csp::Answer::Status(405));
    old.csp.rule("Replace", "/Poll/NumberOfFirstRetries", csp::Answer::Status(404));
    let longer = [("MUSTER__POLL__SECOND_COUNT", "20")];
    assert!(server.restart_under(&longer));
    old.follow(&server);
    refuses.follow(&server);

    let first = old.start_session();
    let answer = old.answer(&first);
    old.csp.forget_rules();
    let second = old.exchange(&answer);
    assert_eq!(second.commands[0].verb, "Add", "{}", second.xml);
    assert!(second.commands[0].items[0].uri.ends_with("/Muster/Poll"), "{}", second.xml);
    let rest = old.finish(second);
    assert_eq!(in_tree(&old)[2], 20);
    assert_eq!(rest.replies.last().unwrap().commands.len(), 0);
    assert_eq!(standing(&server, &old, "poll")["state"], "current");

    let visit = refuses.check_in();
    assert_eq!(visit.replies.len(), 2, "it is told once a session");
    let id = refuses.id(&server);
    let shown = standing(&server, &refuses, "poll");
    assert_eq!((&shown["state"], &shown["status"]), (&json!("refused"), &json!(405)), "{shown}");
    assert_eq!(shown["missed"]["second"]["calls"], 20, "{shown}");
    assert!(shown["reason"].as_str().unwrap().len() > 3 && shown["told_at"].is_string(), "{shown}");
    let told = server.api().wait_for_event("alert.received", &id);
    assert_eq!((&told["data"]["type"], &told["data"]["part"]), (&json!("provisioning_refused"), &json!("poll")));
    assert!(refuses.check_in().is_quiet(), "and not in the next session");
    assert!(server.restart_under(&longer));
    refuses.follow(&server);
    assert!(refuses.check_in().is_quiet(), "nor after a restart");
    assert!(server.restart_under(&[]));
    refuses.follow(&server);
    assert!(refuses.check_in().is_quiet(), "what it has is right again");
    assert_eq!(standing(&server, &refuses, "poll")["state"], "current");
}

#[test]
fn renewal_is_told_as_a_whole() {
    let mut server = Server::start();
    let (mut device, _) = FakeDevice::settled(&server);
    assert_eq!(standing(&server, &device, "renewal")["state"], "current");
    assert!(server.restart_under(&[("MUSTER__CA__RENEW_RETRY_DAYS", "2")]));
    device.follow(&server);
    let visit = device.check_in();
    assert_eq!(set(&visit), ["Replace RenewPeriod", "Replace RetryInterval"], "its port is of this start only");
    assert_eq!(visit.commands()[0].verb, "Atomic");
    assert_eq!(device.csp.value(&format!("{RENEW}/RetryInterval")), Some("2"));
    let shown = standing(&server, &device, "renewal");
    assert_eq!((&shown["state"], &shown["has"]["retry_days"]), (&json!("current"), &json!(2)), "{shown}");
    assert!(device.check_in().is_quiet());
}

#[test]
fn a_device_that_push_can_wake_calls_once_a_day() {
    let wns = Wns::start();
    let overrides = wns.environment();
    let overrides: Vec<(&str, &str)> = overrides.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let server = Server::start_with(&overrides);
    let (mut device, _) = FakeDevice::new(&server);
    device.check_in();
    remember(&mut device);
    device.csp.set("./Vendor/MSFT/DMClient/Provider/Muster/Push/ChannelURI", "chr", &wns.channel("one"));
    let visit = device.check_in();
    assert_eq!(set(&visit), Vec::<String>::new(), "the channel is known from the end of this session on");
    assert_eq!(set(&device.check_in()).len(), 8);
    let last = in_tree(&device)[5];
    assert!((1440..=1584).contains(&last), "at least a day with push: {last}");
    assert_eq!(set(&device.check_in()), Vec::<String>::new());
}

#[test]
fn a_lost_channel_is_waited_for_before_the_schedule_goes_back() {
    let server = Timed::configured(&[
        ("pfn", "\"12345Example.Muster_1a2b3c4d5e6f7\""),
        ("package_sid", "\"ms-app://s-1-15-2-1-2-3-4-5-6-7\""),
        ("client_secret", "\"a secret for this test\""),
    ]);
    let (mut device, _) = FakeDevice::new(&server.server);
    device.check_in();
    let channel = "./Vendor/MSFT/DMClient/Provider/Muster/Push/ChannelURI";
    device.csp.set(channel, "chr", "https://db5p.notify.windows.com/?token=one");
    device.check_in();
    assert_eq!(set(&device.check_in()).len(), 8);
    assert!(in_tree(&device)[5] >= 1440);
    device.csp.set(channel, "chr", "");
    device.check_in();
    assert_eq!(set(&device.check_in()), Vec::<String>::new(), "it may have another one soon");
    server.pass(DAY);
    assert_eq!(set(&device.check_in()).len(), 8);
    assert!(in_tree(&device)[5] <= 528);
}
