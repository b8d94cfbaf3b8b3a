//! How sessions begin, go on, break and end.

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::csp::Answer;
use crate::support::device::FakeDevice;
use crate::support::http::Response;
use crate::support::reply::Reply;
use crate::support::server::Server;
use crate::support::syncml::Message;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// A device with nothing waiting, its id, and the API.
fn settled() -> (FakeDevice, String, Api) {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    (device, id, server.api())
}

fn replace(node: &str, value: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>{value}</Data></Item></Replace>"#
    )
}

/// The session documents in a state.
fn in_state(api: &Api, device: &str, state: &str) -> Vec<Value> {
    api.sessions(device).into_iter().filter(|s| s["state"] == state).collect()
}

/// Opens a session in which one Get is on its way.
fn open_with_get(device: &mut FakeDevice, api: &Api, id: &str) -> (Reply, String) {
    let command = api.command(id, GET);
    let reply = device.start_session();
    reply.expect("Get", "/HwV");
    (reply, command)
}

#[test]
// covers: M-53, M-54, M-55, M-126
fn every_first_message_opens_a_session() {
    let (mut device, id, api) = settled();
    type Fill = fn(&FakeDevice, &mut Message);
    let cases: [(&str, Fill); 5] = [
        ("M-53: 1201", |device, message| {
            message.alert(1201);
            message.dev_info(&device.dev_info());
        }),
        ("M-54: 1200", |device, message| {
            message.alert(1200);
            message.dev_info(&device.dev_info());
        }),
        ("M-55: 1224 only", |device, message| {
            message.login_status("user");
            message.dev_info(&device.dev_info());
        }),
        ("M-126: a Replace only", |device, message| {
            message.dev_info(&device.dev_info());
        }),
        ("M-126: nothing at all", |_, _| {}),
    ];
    for (name, fill) in cases {
        let sessions = api.session_count(&id);
        let command = api.command(&id, GET);
        let mut message = device.open();
        fill(&device, &mut message);
        let first = device.exchange(&message);
        assert!(first.find("Get", "/HwV").is_some(), "{name}: {}", first.xml);
        device.finish(first);
        assert_eq!(api.session_count(&id), sessions + 1, "{name}");
        assert_eq!(api.command_state(&command), "succeeded", "{name}");
    }
}

#[test]
// covers: M-56
fn dev_info_is_stored_with_unknown_items() {
    let (mut device, id, api) = settled();
    let mut message = device.open();
    message.alert(1201);
    message.dev_info(&[
        ("./DevInfo/DevID", &device.profile.device_id),
        ("./DevInfo/Man", "Somebody <else> & co"),
        ("./DevInfo/Lang", "fr-FR"),
        ("./DevInfo/Ext/Unheard/Of", "kept all the same"),
    ]);
    device.exchange(&message);
    let inventory = api.device(&id)["inventory"].clone();
    let value = |uri: &str| {
        let found = inventory.as_object().unwrap().iter().find(|(k, _)| k.eq_ignore_ascii_case(uri));
        found.map(|(_, node)| node["value"].clone()).unwrap_or_default()
    };
    assert_eq!(value("./DevInfo/Man"), "Somebody <else> & co", "M-56: {inventory}");
    assert_eq!(value("./DevInfo/Lang"), "fr-FR", "M-56");
    assert_eq!(value("./DevInfo/Ext/Unheard/Of"), "kept all the same", "M-56: {inventory}");
    assert_eq!(value("./DevInfo/DevId"), device.profile.device_id.as_str(), "M-56: {inventory}");
}

#[test]
// covers: M-57, M-58, M-59
fn user_commands_wait_for_the_user() {
    let (mut device, id, api) = settled();
    let user_node = replace("Setting", "1").replace("./Vendor", "./User/Vendor");
    for login in ["none", "others", "None", "OTHERS", ""] {
        let command = api.command(&id, &user_node);
        device.login = login.to_owned();
        assert!(device.check_in().find("Replace", "/Setting").is_none(), "M-58, M-59: {login:?}");
        assert_eq!(api.command_state(&command), "queued", "M-59: {login:?}");
        let shown = api.command_document(&command).to_string();
        assert!(shown.contains("waits for the user"), "M-59: {shown}");
        device.login = "user".to_owned();
        device.check_in();
        assert_eq!(api.command_state(&command), "succeeded", "M-57");
    }
    for login in ["user", "User", "USER"] {
        api.command(&id, &user_node);
        device.login = login.to_owned();
        assert!(device.check_in().find("Replace", "/Setting").is_some(), "M-57: {login}");
    }
}

#[test]
// covers: M-59
fn device_commands_do_not_wait_for_the_user() {
    let (mut device, id, api) = settled();
    let held = api.command(&id, &replace("A", "1").replace("./Vendor", "./User/Vendor"));
    let free = api.command(&id, &replace("B", "1"));
    device.login = "none".to_owned();
    device.check_in();
    assert_eq!(
        (api.command_state(&held), api.command_state(&free)),
        ("queued".to_owned(), "succeeded".to_owned()),
        "M-59"
    );
}

#[test]
// covers: M-60, M-62
fn a_session_ends_with_statuses_and_final() {
    let (mut device, id, api) = settled();
    let reply = device.start_session();
    assert!(reply.commands.is_empty(), "M-60");
    let sessions = api.sessions(&id);
    let open = sessions.iter().filter(|s| !matches!(s["state"].as_str(), Some("completed" | "superseded"))).count();
    assert_eq!(open, 0, "M-60: {sessions:?}");
    assert!(sessions.iter().any(|s| s["state"] == "completed"), "M-60: {sessions:?}");
}

#[test]
// covers: M-61, M-62
fn commands_go_out_in_the_order_they_were_queued() {
    let (mut device, id, api) = settled();
    let ids: Vec<String> = (0..5).map(|n| api.command(&id, &replace(&format!("Node{n}"), "x"))).collect();
    let visit = device.check_in();
    let order: Vec<&str> = visit.replies.iter().flat_map(|r| r.uris()).collect();
    let expected: Vec<String> = (0..5).map(|n| format!("./Vendor/MSFT/Example/Node{n}")).collect();
    assert_eq!(order, expected, "M-61");
    assert!(ids.iter().all(|id| api.command_state(id) == "succeeded"), "M-62");
}

#[test]
// covers: M-63, S-16, R-04
fn a_retransmission_gets_the_same_answer() {
    let (mut device, id, api) = settled();
    let (first, _) = open_with_get(&mut device, &api, &id);
    let action = api.act(&id, &json!({"type": "reboot"}));
    let second = device.answer(&first).xml();
    let answered = device.post(second.clone());
    let reply = device.judge(&second, &answered);
    reply.expect("Exec", "/RebootNow");
    for _ in 0..3 {
        let again = device.post(second.clone());
        assert_eq!((again.status, &again.body), (200, &answered.body), "M-63, R-04: the same bytes");
    }
    let third = device.answer(&reply).xml();
    let answered = device.post(third.clone());
    assert!(device.judge(&third, &answered).commands.is_empty());
    assert_eq!(api.action_state(&action), "succeeded");
    let again = device.post(third);
    assert_eq!((again.status, again.body), (200, answered.body), "M-63: also after the session was closed");
    device.post(second).expect_status("M-64: an older message", 400);
    assert_eq!(device.csp.times("Exec", "/RebootNow"), 1, "M-63: no command runs twice");
    assert!(device.check_in().is_quiet(), "S-16");
}

#[test]
// covers: M-63, S-16
fn package_one_sent_again_at_once_is_a_retransmission() {
    let (mut device, id, api) = settled();
    let sessions = api.session_count(&id);
    api.command(&id, GET);
    let message = device.package_one().xml();
    let answers = [device.post(message.clone()), device.post(message.clone())];
    assert_eq!(answers[0].body, answers[1].body, "M-63");
    assert_eq!(api.session_count(&id), sessions + 1, "M-63: one session");
}

#[test]
// covers: M-64, R-05, S-16
fn a_smaller_message_number_is_refused_without_effect() {
    let (mut device, id, api) = settled();
    let (first, _) = open_with_get(&mut device, &api, &id);
    api.command(&id, &replace("Second", "1"));
    let message = device.answer(&first);
    let second = device.exchange(&message);
    let last = api.command(&id, &replace("Third", "1"));
    let message = Message { msg_id: "5".to_owned(), ..device.answer(&second) };
    let third = device.exchange(&message);
    third.expect("Replace", "/Third");
    for number in ["2", "3", "4"] {
        let stale = Message { msg_id: number.to_owned(), ..message.clone() };
        device.post(stale.xml()).expect_status(&format!("M-64, R-05: MsgID {number} after 5"), 400);
    }
    assert_eq!(api.command_state(&last), "sent", "M-64: nothing changed");
    let message = Message { msg_id: "6".to_owned(), ..device.answer(&third) };
    assert!(device.exchange(&message).commands.is_empty(), "M-64: the session goes on");
    assert_eq!(api.command_state(&last), "succeeded", "M-64");
}

#[test]
// covers: R-05
fn a_gap_in_the_message_numbers_is_accepted() {
    let (mut device, id, api) = settled();
    let (first, command) = open_with_get(&mut device, &api, &id);
    let message = Message { msg_id: "9".to_owned(), ..device.answer(&first) };
    let reply = device.exchange(&message);
    assert!(reply.commands.is_empty(), "R-05");
    assert_eq!(api.command_state(&command), "succeeded", "R-05");
}

#[test]
// covers: M-129, R-05
fn the_same_number_with_another_body_aborts_the_session() {
    let (mut device, id, api) = settled();
    let (first, _) = open_with_get(&mut device, &api, &id);
    let waiting = api.command(&id, &replace("Waiting", "1"));
    let message = device.answer(&first);
    let reply = device.exchange(&message);
    reply.expect("Replace", "/Waiting");
    let other = Message { body: format!("{}<!-- other -->", message.body), ..message };
    device.post(other.xml()).expect_status("M-129, R-05", 400);
    assert_eq!(in_state(&api, &id, "aborted").len(), 1, "M-129: closed as aborted");
    assert_eq!(api.command_state(&waiting), "queued", "M-129: the queue is intact");
    device.settle();
    assert_eq!(api.command_state(&waiting), "succeeded", "M-129");
}

#[test]
// covers: M-65, M-66
fn a_new_session_takes_over() {
    let (mut device, id, api) = settled();
    let get = api.command(&id, GET);
    let setting = api.command(&id, &replace("Taken", "1"));
    device.start_session().expect("Replace", "/Taken");
    let mut second = device.start_session();
    assert_eq!(in_state(&api, &id, "superseded").len(), 1, "M-65");
    second.expect("Get", "/HwV");
    second.expect("Replace", "/Taken");
    while !second.commands.is_empty() {
        let message = device.answer(&second);
        second = device.exchange(&message);
    }
    assert!([get, setting].iter().all(|c| api.command_state(c) == "succeeded"), "M-65: delivered again");
}

#[test]
// covers: M-66, M-138
fn a_one_shot_command_without_status_is_unknown_and_not_sent_again() {
    let bodies = [
        (json!({"type": "reboot"}), "/RebootNow"),
        (json!({"type": "reset_passcode"}), "/LockAndResetPIN"),
        (json!({"type": "wipe", "variant": "keep_user_data"}), "/doWipePersistUserData"),
    ];
    for (body, node) in bodies {
        let (mut device, id, api) = settled();
        let action = api.act(&id, &body);
        let reply = device.start_session();
        reply.expect("Exec", node);
        assert_eq!(api.action_state(&action), "sent", "{node}");
        for _ in 0..3 {
            let visit = device.check_in();
            assert!(visit.find("Exec", node).is_none(), "M-66, M-138: {node} was sent again");
        }
        assert_eq!(api.action_state(&action), "unknown", "M-66: {node}");
    }
}

#[test]
// covers: M-66
fn a_lock_without_status_is_offered_again_three_times_at_most() {
    let (mut device, id, api) = settled();
    let action = api.act(&id, &json!({"type": "lock"}));
    let mut offers = 0;
    for _ in 0..6 {
        offers += usize::from(device.start_session().find("Exec", "/RemoteLock/Lock").is_some());
    }
    assert!((3..=4).contains(&offers), "M-66: a lock is offered again, at most 3 times: {offers} offers");
    assert_eq!(api.action_state(&action), "unknown", "M-66");
}

#[test]
// covers: M-67
fn a_message_without_final_gets_1222_and_nothing_else() {
    let (mut device, id, api) = settled();
    let command = api.command(&id, GET);
    let begun = device.package_one().without_final();
    let reply = device.exchange(&begun);
    assert!(!reply.is_final && reply.commands.is_empty(), "M-67: {}", reply.xml);
    assert_eq!(api.command_state(&command), "queued", "M-67: commands wait for the Final");
    let rest = device.next_message(&reply);
    let reply = device.exchange(&rest);
    reply.expect("Get", "/HwV");
    device.finish(reply);
    assert_eq!(api.command_state(&command), "succeeded", "M-67");
}

#[test]
// covers: M-68
fn a_request_pending_releases_nothing_new() {
    let (mut device, id, api) = settled();
    let (first, command) = open_with_get(&mut device, &api, &id);
    let later = api.command(&id, &replace("Later", "1"));
    let kind = "Reversed-Domain-Name:com.microsoft.mdm.requestpending";
    let mut number = 2;
    for _ in 0..3 {
        let mut heartbeat = Message::new(&first.session_id, number, device.management_url(), &device.profile.device_id);
        heartbeat.next_cmd_id = 2;
        heartbeat.typed_alert(1224, kind, "", "1");
        let reply = device.exchange(&heartbeat.without_final());
        assert!(reply.commands.is_empty(), "M-68: {}", reply.xml);
        number += 1;
    }
    assert_eq!(api.command_state(&command), "sent", "M-68: the command is still being worked on");
    let answer = Message { msg_id: number.to_string(), ..device.answer(&first) };
    let reply = device.exchange(&answer);
    assert_eq!(api.command_state(&command), "succeeded", "M-68: the Status refers to an earlier message");
    reply.expect("Replace", "/Later");
    device.finish(reply);
    assert_eq!(api.command_state(&later), "succeeded");
}

#[test]
// covers: M-69
fn an_abort_closes_the_session() {
    let (mut device, id, api) = settled();
    let setting = api.command(&id, &replace("Aborted", "1"));
    let reply = device.start_session();
    reply.expect("Replace", "/Aborted");
    let mut message = device.next_message(&reply);
    message.alert(1223);
    let last = device.exchange(&message);
    assert!(last.commands.is_empty() && last.is_final, "M-69: {}", last.xml);
    assert_eq!(in_state(&api, &id, "aborted").len(), 1, "M-69");
    assert_eq!(api.command_state(&setting), "queued", "1.13: back to the queue");
    device.settle();
    assert_eq!(api.command_state(&setting), "succeeded", "M-69");
}

#[test]
// covers: M-143
fn an_abort_right_after_a_get_means_too_large() {
    let (mut device, id, api) = settled();
    let (reply, command) = open_with_get(&mut device, &api, &id);
    let mut message = device.next_message(&reply);
    message.alert(1223);
    device.exchange(&message);
    assert_eq!(api.command_state(&command), "failed", "M-143");
    let visit = device.check_in();
    assert!(visit.find("Get", "/HwV").is_none(), "M-143: not sent again");
}

#[test]
fn next_message_from_the_device_gets_the_closing_reply() {
    let (mut device, ..) = settled();
    let first = device.start_session();
    let mut message = device.next_message(&first);
    message.alert(1222);
    let reply = device.exchange(&message);
    assert!(reply.commands.is_empty() && reply.is_final, "1.10: {}", reply.xml);
}

#[test]
// covers: M-70, M-71
fn an_unreadable_reply_is_repeated_as_package_two() {
    let server = Server::shared();
    let (mut device, id, api) = settled();
    let setting = api.command(&id, &replace("Unread", "1"));
    let reboot = api.act(&id, &json!({"type": "reboot"}));
    let mut first = device.package_one();
    let session = first.session_id.clone();
    device.exchange(&first);
    first = Message::new(&session, 2, device.management_url(), &device.profile.device_id);
    first.header_status("0", 500);
    device.fill_package_one(&mut first);
    let reply = device.exchange(&first);
    reply.expect("Replace", "/Unread");
    let sessions = api.sessions(&id);
    let recorded = format!("{}{sessions:?}", server.log());
    assert!(recorded.contains("unreadable"), "M-70: {sessions:?}");
    device.finish(reply);
    assert_eq!(api.command_state(&setting), "succeeded", "M-71");
    device.settle();
    assert_eq!(api.action_state(&reboot), "succeeded", "1.14: one-shot commands were not executed and go out again");
    assert_eq!(device.csp.times("Exec", "/RebootNow"), 1, "M-71");
}

#[test]
// covers: M-71, R-08
fn a_command_that_cannot_be_read_is_found_and_dropped() {
    let (mut device, id, api) = settled();
    let good: Vec<String> = (0..3).map(|n| api.command(&id, &replace(&format!("Good{n}"), "1"))).collect();
    let poison = api.command(&id, &replace("Poison", "1"));
    let last = api.command(&id, &replace("Last", "1"));
    for _ in 0..12 {
        let mut reply = device.start_session();
        let mut number = 1;
        while !reply.commands.is_empty() {
            number += 1;
            let message = match reply.find("Replace", "/Poison") {
                None => Message { msg_id: number.to_string(), ..device.answer(&reply) },
                Some(_) => {
                    let mut unread =
                        Message::new(&reply.session_id, number, device.management_url(), &device.profile.device_id);
                    unread.header_status("0", 500);
                    device.fill_package_one(&mut unread);
                    unread
                }
            };
            reply = device.exchange(&message);
        }
    }
    let shown = api.command_document(&poison);
    assert_eq!(shown["state"], "failed", "1.14: {shown}");
    assert!(shown.to_string().contains("unreadable"), "1.14: {shown}");
    for id in good.iter().chain([&last]) {
        assert_eq!(api.command_state(id), "succeeded", "R-08: the queue goes on");
    }
}

#[test]
// covers: M-73
fn a_long_queue_is_cut_into_messages() {
    let (mut device, id, api) = settled();
    let one = |n: usize| replace(&format!("Many{n}"), "x").replace(">1</CmdID>", &format!(">{n}</CmdID>"));
    let many = api.command(&id, &(1..=130).map(one).collect::<String>());
    let visit = device.check_in();
    assert!(visit.replies.len() >= 3, "M-73: at most 100 commands in a message");
    assert_eq!(api.command_state(&many), "succeeded", "M-73");
    let big = "x".repeat(90_000);
    let ids: Vec<String> = (0..8).map(|n| api.command(&id, &replace(&format!("Big{n}"), &big))).collect();
    let visit = device.check_in();
    assert!(visit.replies.len() >= 3, "M-73: about 400 KB in a message");
    assert!(ids.iter().all(|id| api.command_state(id) == "succeeded"), "M-73");
}

#[test]
// covers: M-135, R-07
fn a_late_status_still_counts() {
    let (mut device, id, api) = settled();
    let reboot = api.act(&id, &json!({"type": "reboot"}));
    let reply = device.start_session();
    reply.expect("Exec", "/RebootNow");
    let late = device.answer(&reply);
    assert!(device.check_in().is_quiet(), "a session in between closes the first");
    assert_eq!(api.action_state(&reboot), "unknown");
    let response = device.post(late.xml());
    let closing = device.judge_loosely(&late.xml(), &response);
    assert!(closing.commands.is_empty(), "1.11: {}", closing.xml);
    assert_eq!(api.action_state(&reboot), "succeeded", "M-135, R-07");
    device.settle();
    assert_eq!(device.csp.times("Exec", "/RebootNow"), 1, "R-07");
}

#[test]
// covers: R-07, M-130
fn the_first_status_decides() {
    let (mut device, id, api) = settled();
    let command = api.command(&id, &replace("Twice", "1"));
    let reply = device.start_session();
    let mut message = device.answer(&reply);
    let cmd_ref = reply.expect("Replace", "/Twice").cmd_id.clone();
    let of = crate::support::syncml::StatusOf {
        msg_ref: reply.msg_id.clone(),
        cmd_ref,
        cmd: "Replace".into(),
        target_ref: None,
    };
    message.status(&of, 500);
    let next = device.exchange(&message);
    let mut again = device.next_message(&next);
    again.status(&of, 404);
    let response = device.post(again.xml());
    device.judge_loosely(&again.xml(), &response);
    let shown = api.command_document(&command);
    let code = shown["items"][0]["status"].to_string();
    assert_eq!((shown["state"].as_str(), code.trim_matches('"')), (Some("succeeded"), "200"), "R-07: {shown}");
}

#[test]
fn a_message_of_an_unknown_session_gets_the_closing_reply() {
    let (mut device, id, api) = settled();
    let command = api.command(&id, GET);
    let stray = Message::new("nope", 3, device.management_url(), &device.profile.device_id);
    let mut stray = stray;
    stray.header_status("2", 200);
    let response = device.post(stray.xml());
    let reply = device.judge_loosely(&stray.xml(), &response);
    assert!(reply.commands.is_empty() && reply.is_final, "1.11: {}", reply.xml);
    assert_eq!(api.command_state(&command), "queued", "1.11: nothing was sent");
    device.settle();
}

#[test]
fn a_session_alert_with_a_new_id_opens_a_session_at_any_number() {
    let (mut device, id, api) = settled();
    api.command(&id, GET);
    let mut message = Message::new("fresh", 4, device.management_url(), &device.profile.device_id);
    message.next_cmd_id = 2;
    device.fill_package_one(&mut message);
    let response = device.post(message.xml());
    device.judge_loosely(&message.xml(), &response).expect("Get", "/HwV");
    device.settle();
}

#[test]
// covers: R-10
fn two_messages_at_once_are_put_in_order() {
    let (device, id, api) = settled();
    for round in 0..5 {
        let command = api.command(&id, &replace(&format!("Race{round}"), "1"));
        let messages: Vec<Message> = (0..2)
            .map(|n| {
                let mut twin = device.clone();
                let mut message = twin.open_as(&format!("r{round}-{n}"));
                twin.fill_package_one(&mut message);
                message
            })
            .collect();
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let running: Vec<_> = messages.iter().map(|m| scope.spawn(|| device.post(m.xml()))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut replies = Vec::new();
        for (message, answer) in messages.iter().zip(&answers) {
            replies.push(device.judge_loosely(&message.xml(), answer));
        }
        finish_the_living(&device, &api, &command, &replies);
    }
}

/// Answers both sessions; the one that was superseded brings nothing, the other carries the command to its end.
fn finish_the_living(device: &FakeDevice, api: &Api, command: &str, replies: &[Reply]) {
    let carriers: Vec<&Reply> = replies.iter().filter(|r| r.find("Replace", "").is_some()).collect();
    assert!(!carriers.is_empty(), "R-10: neither session brought the command");
    for reply in &carriers {
        let mut twin = device.clone();
        let answer = twin.answer(reply);
        let response = twin.post(answer.xml());
        response.expect_status("R-10", 200);
    }
    assert_eq!(api.command_state(command), "succeeded", "R-10");
}

#[test]
// covers: R-10
fn the_same_message_at_once_is_answered_once() {
    let (mut device, id, api) = settled();
    let sessions = api.session_count(&id);
    api.command(&id, GET);
    let message = device.package_one().xml();
    let bodies: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(|| device.post(message.clone()).body)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "R-10: one answer for all four");
    assert_eq!(api.session_count(&id), sessions + 1, "R-10");
}

#[test]
// covers: M-146
fn session_documents_hold_the_messages_without_secrets() {
    let (mut device, id, api) = settled();
    let mut message = device.package_one();
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl";
    message.typed_alert(1224, "com.microsoft/MDM/AADUserToken", "", token);
    message.more_header = format!(
        r#"<Cred><Meta><Format xmlns="syncml:metinf">b64</Format><Type xmlns="syncml:metinf">syncml:auth-basic</Type></Meta><Data>{}</Data></Cred>"#,
        "c2VjcmV0LWNyZWRlbnRpYWw="
    );
    let request = device.request(message.xml()).header("Authorization", &format!("Bearer {token}"));
    let response = device.connect().send(&request).unwrap();
    device.judge(&message.xml(), &response);
    let (sessions, shown) = crate::support::eventually("the transcript", || {
        let sessions = api.sessions(&id);
        let shown = Value::from(sessions.clone()).to_string();
        shown.contains("AADUserToken").then_some((sessions, shown))
    });
    let messages: Vec<&Value> = sessions.iter().flat_map(|s| s["messages"].as_array().unwrap()).collect();
    assert!(messages.len() >= 4, "a session document holds its messages");
    assert!(
        messages.iter().all(|m| m["direction"].is_string() && m["at"].is_string() && m["body"].is_string()),
        "{shown}"
    );
    assert!(shown.contains("LoginStatus") && shown.contains("SyncHdr"), "transcripts show what was said");
    for secret in [token, "c2VjcmV0LWNyZWRlbnRpYWw=", "c2VjcmV0.c2lnbmF0dXJl"] {
        assert!(!shown.contains(secret), "M-146: the transcript holds {secret:?}");
        assert!(!Server::shared().log().contains(secret), "M-146, M-107: the log holds {secret:?}");
        assert!(
            !crate::support::database::holds(Server::shared(), secret),
            "M-146: the database holds {secret:?} in clear"
        );
    }
}

#[test]
// covers: M-146
fn transcripts_show_the_values_of_harmless_nodes_only() {
    let (mut device, id, api) = settled();
    let name = device.profile.device_name.clone();
    api.command(&id, &replace("Opaque", "nobody-knows-what-this-is"));
    api.command(&id, "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/Ext/Microsoft/DeviceName</LocURI></Target></Item></Get>");
    device.settle();
    let shown = crate::support::eventually("the transcript", || {
        let shown = Value::from(api.sessions(&id)).to_string();
        (shown.contains("Example/Opaque") && shown.contains(&name)).then_some(shown)
    });
    assert!(!shown.contains("nobody-knows-what-this-is"), "M-146: {shown}");
    assert!(shown.contains("[redacted 25 bytes "), "M-146: {shown}");
}

#[test]
// covers: M-134, R-08
fn a_device_with_a_silent_node_ends_its_session() {
    let (mut device, id, api) = settled();
    let silent = api.command(&id, &replace("Silent", "1"));
    let other = api.command(&id, &replace("Spoken", "1"));
    device.csp.rule("Replace", "/Silent", Answer::Silent);
    device.settle();
    assert_eq!(api.command_state(&other), "succeeded");
    assert_eq!(api.command_state(&silent), "failed", "2.4: back to the queue once, then failed");
    assert!(api.command_document(&silent).to_string().contains("no status"), "2.4");
    assert_eq!(device.csp.times("Replace", "/Silent"), 2, "2.4: sent twice");
}

#[test]
fn a_check_in_is_shown_on_the_device() {
    use time::format_description::well_known::Rfc3339;
    let (mut device, id, api) = settled();
    let seen = || {
        let text = api.device(&id)["last_seen_at"].as_str().expect("the device was seen").to_owned();
        time::OffsetDateTime::parse(&text, &Rfc3339).expect("times are RFC 3339")
    };
    let before = seen();
    device.check_in();
    assert!(seen() >= before && (seen() - crate::support::now()).abs() < time::Duration::minutes(1));
}
