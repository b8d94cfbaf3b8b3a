use time::Duration;

use super::*;
use crate::session::world::{World, answers, message, package1_as};

const HOLDS: &str = "/FirstSyncStatus/SkipUserStatusPage";
const ENDS: &str = "/FirstSyncStatus/ServerHasFinishedProvisioning";

/// A device that enrolled a moment ago with those items in its request.
fn enrolled(context: &[(&str, &str)]) -> World {
    let mut world = World::new();
    world.enrollment.inventory_at = None;
    world.enrollment.context = context.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let page = Page { timeout_minutes: 30, choices: 1, log_collection: true, error_text: String::new() };
    world.limits.status_page = Some(PageRules { page, fails: false });
    world
}

fn in_setup() -> World {
    enrolled(&[("NotInOobe", "false")])
}

fn uris(commands: &[Command], end: &str) -> Vec<String> {
    let targets = commands.iter().filter_map(|command| command.items.first()?.target.as_ref());
    targets.map(|uri| uri.as_str().to_owned()).filter(|uri| uri.ends_with(end)).collect()
}

fn events(world: &World) -> Vec<&'static str> {
    let event = |notice: &Notice| if let Notice::StatusPage { event, .. } = notice { Some(*event) } else { None };
    world.notices.iter().filter_map(event).collect()
}

/// Answers everything with 200 until the session is over; what was sent, message by message.
fn run(world: &mut World, session: &str, login: &str, code: impl Fn(&Command) -> u16) -> Vec<Vec<Command>> {
    let mut sent = vec![world.post(&package1_as(session, login)).commands()];
    while let Some(last) = sent.last().filter(|last| !last.is_empty()) {
        assert!(sent.len() < 20, "the session does not end");
        let body: String = last.iter().map(|command| status(command, sent.len(), code(command))).collect();
        let next = message(session, sent.len() as u64 + 1, &format!("{body}<Final/>"));
        sent.push(world.post(&next).commands());
    }
    sent
}

fn status(command: &Command, msg_ref: usize, code: u16) -> String {
    format!(
        "<Status><CmdID>s{0}</CmdID><MsgRef>{msg_ref}</MsgRef><CmdRef>{0}</CmdRef><Cmd>{1}</Cmd><Data>{code}</Data></Status>",
        command.cmd_id,
        command.verb.name()
    )
}

fn well(_: &Command) -> u16 {
    200
}

// covers: M-118, E-124, E-125
#[test]
fn the_first_reply_in_setup_holds_the_page() {
    let mut world = in_setup();
    let first = world.post(&package1_as("1", "none")).commands();
    let told: Vec<(&str, String, String)> = first
        .iter()
        .take_while(|command| !command.cmd_id.starts_with('i'))
        .map(|command| {
            let item = &command.items[0];
            (command.verb.name(), item.target.as_ref().unwrap().as_str().to_owned(), item.text().to_owned())
        })
        .collect();
    let device = "./Device/Vendor/MSFT/DMClient/Provider/Muster/FirstSyncStatus/";
    let tracking = "./Device/Vendor/MSFT/EnrollmentStatusTracking/DevicePreparation/PolicyProviders/Muster";
    let user = "./User/Vendor/MSFT/DMClient/Provider/Muster";
    let row = |verb, uri: &str, value: &str| (verb, uri.to_owned(), value.to_owned());
    assert_eq!(
        told,
        [
            row("Add", user, ""),
            row("Add", &format!("{user}/FirstSyncStatus"), ""),
            row("Replace", &format!("{device}SkipDeviceStatusPage"), "false"),
            row("Replace", &format!("{device}SkipUserStatusPage"), "false"),
            row("Replace", &format!("{device}BlockInStatusPage"), "1"),
            row("Replace", &format!("{device}AllowCollectLogsButton"), "true"),
            row("Replace", &format!("{device}TimeOutUntilSyncFailure"), "30"),
            row("Add", tracking, ""),
            row("Replace", &format!("{tracking}/InstallationState"), "1"),
        ]
    );
    assert_eq!(events(&world), ["esp.started"]);
    // A device that never got this answer is held again in its next session.
    assert_eq!(uris(&world.post(&package1_as("2", "none")).commands(), HOLDS).len(), 1);
}

// covers: E-140
#[test]
fn working_desktops_see_no_page() {
    for context in [vec![("NotInOobe", "false"), ("TargetedUserLoggedIn", "true")], vec![("NotInOobe", "true")], vec![]]
    {
        let mut world = enrolled(&context);
        assert_eq!(uris(&world.post(&package1_as("1", "user")).commands(), HOLDS), [""; 0], "{context:?}");
    }
    let mut world = in_setup();
    world.limits.status_page = None;
    assert_eq!(uris(&world.post(&package1_as("1", "none")).commands(), HOLDS), [""; 0], "off");
    let mut world = in_setup();
    world.enrollment.enrolled_at -= Duration::days(2);
    assert_eq!(uris(&world.post(&package1_as("1", "none")).commands(), HOLDS), [""; 0], "enrolled long ago");
}

// covers: M-105
#[test]
fn a_bootstrap_sync_is_answered_with_the_page_at_once() {
    let mut world = enrolled(&[]);
    world.enrollment.inventory_at = Some(world.now);
    let alert = "<Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta>\
        <Type xmlns='syncml:metinf'>com.microsoft/MDM/BootstrapSync</Type></Meta><Data>device</Data></Item></Alert><Final/>";
    let reply = world.post(&message("1", 1, alert)).message();
    let text = String::from_utf8(crate::proto::syncml::encode(&reply)).unwrap();
    assert_eq!(text.matches("<Data>200</Data>").count(), 3, "{text}");
    assert_eq!(text.matches(HOLDS).count(), 1, "{text}");
}

// covers: M-119
#[test]
fn the_release_waits_for_everything_and_is_confirmed_in_both_trees() {
    let mut world = in_setup();
    let setting = world.replace("./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera");
    let sent = run(&mut world, "1", "user", well);
    let held = sent.iter().position(|commands| !uris(commands, HOLDS).is_empty());
    let delivered = sent.iter().position(|commands| !uris(commands, "/AllowCamera").is_empty());
    let released = sent.iter().position(|commands| !uris(commands, ENDS).is_empty());
    assert!(held == Some(0) && delivered < released, "{held:?} {delivered:?} {released:?}");
    assert_eq!(world.state(setting), CommandState::Succeeded);
    let ends = uris(&sent[released.unwrap()], ENDS);
    assert_eq!(ends.iter().map(|uri| &uri[..7]).collect::<Vec<_>>(), ["./Devic", "./User/"]);
    assert_eq!(uris(&sent[released.unwrap()], "/InstallationState").len(), 1);
    assert_eq!(events(&world), ["esp.started", "esp.released"]);
    let later = run(&mut world, "2", "user", well);
    assert_eq!(later.len(), 1, "nothing more is said about the page: {later:?}");
}

#[test]
fn the_users_part_is_ended_again_until_a_user_confirms() {
    let mut world = in_setup();
    let nobody_there = |command: &Command| {
        let user = command.items[0].target.as_ref().unwrap().is_user_scope();
        if user { 405 } else { 200 }
    };
    run(&mut world, "1", "none", nobody_there);
    let page = world.conversation.status_page.clone().unwrap();
    assert_eq!((page.stage, page.device_done, page.user_done), (PageStage::Releasing, true, false));
    world.now += Duration::days(3);
    assert_eq!(run(&mut world, "2", "none", nobody_there).len(), 1, "for a day only, without a user");
    let third = run(&mut world, "3", "user", well);
    assert_eq!(
        uris(&third[0], ENDS),
        ["./User/Vendor/MSFT/DMClient/Provider/Muster/FirstSyncStatus/ServerHasFinishedProvisioning"]
    );
    assert_eq!(world.conversation.status_page.unwrap().stage, PageStage::Released);
}

#[test]
fn commands_for_the_user_hold_up_the_users_part_only() {
    let mut world = in_setup();
    world.replace("./User/Vendor/MSFT/Policy/Config/Experience/AllowWindowsSpotlight");
    let first = run(&mut world, "1", "none", well);
    assert_eq!(
        first.iter().flat_map(|commands| uris(commands, ENDS)).map(|uri| uri[..7].to_owned()).collect::<Vec<_>>(),
        ["./Devic"]
    );
    let second = run(&mut world, "2", "user", well);
    assert_eq!(uris(&second[0], "/AllowWindowsSpotlight").len(), 1);
    assert_eq!(uris(&second[1], ENDS).len(), 1);
    assert_eq!(events(&world), ["esp.started", "esp.released"]);
}

#[test]
fn the_page_is_let_go_of_when_its_time_is_up() {
    let mut world = in_setup();
    world.replace("./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera");
    // The device asks to come back later for the setting.
    let busy = |command: &Command| if command.cmd_id.starts_with(['e', 'f', 'i', 'k']) { 200 } else { 417 };
    run(&mut world, "1", "user", busy);
    assert_eq!(world.conversation.status_page.as_ref().unwrap().stage, PageStage::Holding);
    world.now += Duration::minutes(31);
    run(&mut world, "2", "user", busy);
    let page = world.conversation.status_page.unwrap();
    assert_eq!((page.stage, page.reason.as_deref()), (PageStage::Released, Some("its time was up")));
}

#[test]
fn a_failure_is_shown_where_that_is_wanted() {
    for fails in [true, false] {
        let mut world = in_setup();
        if let Some(rules) = &mut world.limits.status_page {
            rules.fails = fails;
        }
        world.replace("./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera");
        let refuses =
            |command: &Command| if uris(std::slice::from_ref(command), "/AllowCamera").is_empty() { 200 } else { 403 };
        let sent = run(&mut world, "1", "user", refuses);
        let timeouts = sent.iter().flatten().filter(|command| {
            command.items[0].text() == "1"
                && !uris(std::slice::from_ref(*command), "/TimeOutUntilSyncFailure").is_empty()
        });
        assert_eq!(timeouts.count(), usize::from(fails));
        assert_eq!(events(&world), ["esp.started", if fails { "esp.failed" } else { "esp.released" }]);
        let words =
            sent.iter().flatten().find(|command| !uris(std::slice::from_ref(*command), "/CustomErrorText").is_empty());
        assert_eq!(words.is_some_and(|command| command.items[0].text().contains("403")), fails);
    }
}

#[test]
fn an_unreadable_answer_holds_the_page_again() {
    let mut world = in_setup();
    world.post(&package1_as("1", "none"));
    let again = world.post(&crate::session::world::unreadable("1", 2)).commands();
    assert_eq!(uris(&again, HOLDS).len(), 1);
    let reply = world.post(&answers("1", 3, &again, 200)).commands();
    assert_eq!(uris(&reply, HOLDS), [""; 0]);
}
