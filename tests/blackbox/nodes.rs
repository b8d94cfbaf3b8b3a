//! Several servers on one PostgreSQL database are one system, whichever of them a message reaches.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::database;
use crate::support::device::{FakeDevice, Profile};
use crate::support::http::Request;
use crate::support::nodes::Nodes;

const DEVICES: usize = 200;
const ORDERS_EACH: usize = 10;

fn replace(node: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

/// An order with a key for its repetition; returns its id.
fn order(api: &Api, device: &str, node: &str) -> String {
    let path = format!("/devices/{device}/commands?unchecked=true");
    let request = Request::post(&path, replace(node))
        .header("Content-Type", "application/vnd.syncml.dm+xml")
        .header("Idempotency-Key", node);
    let response = api.send(request);
    response.expect_status("R-11", 202);
    id_in(&serde_json::from_slice(&response.body).unwrap())
}

fn id_in(document: &Value) -> String {
    document["id"].as_str().unwrap_or_else(|| panic!("no id in {document}")).to_owned()
}

/// Enrolls PCs of one person on several threads.
fn enroll(nodes: &Nodes, count: usize) -> Vec<FakeDevice> {
    let user = nodes.any().api().add_user();
    let at_once = 4;
    let share = |thread: usize| (thread..count).step_by(at_once).map(|_| ());
    std::thread::scope(|scope| {
        let one = || FakeDevice::enroll(nodes.any(), &user, Profile::new());
        let threads: Vec<_> = (0..at_once).map(|n| scope.spawn(move || share(n).map(|()| one()).collect())).collect();
        threads.into_iter().flat_map(|thread| -> Vec<FakeDevice> { thread.join().unwrap() }).collect()
    })
}

/// The ids of devices, by hardware id.
fn ids(api: &Api) -> HashMap<String, String> {
    let text = |device: &Value, key: &str| device[key].as_str().unwrap().to_owned();
    api.list("/devices?limit=200").iter().map(|d| (text(d, "hw_dev_id").to_uppercase(), text(d, "id"))).collect()
}

#[test]
// covers: R-11
fn commands_are_executed_once_whichever_node_a_message_reaches() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let nodes = Nodes::start(2, &[("MUSTER__LIMITS__REPLY_COMMANDS", "4")]);
    let began = std::time::Instant::now();
    let mut devices = enroll(&nodes, DEVICES);
    eprintln!("{DEVICES} devices enrolled after {:?}", began.elapsed());
    let api = nodes.any().api();
    let ids = ids(&api);
    let ids: Vec<String> = devices.iter().map(|d| ids[&d.profile.hw_dev_id].clone()).collect();
    std::thread::scope(|scope| {
        let mut rounds = Vec::new();
        for share in devices.chunks_mut(DEVICES / 4) {
            let (begin, begun) = mpsc::channel::<()>();
            rounds.push(begin);
            scope.spawn(move || {
                begun.iter().for_each(|()| share.iter_mut().for_each(|device| drop(device.check_in())));
                share.iter_mut().for_each(FakeDevice::settle);
            });
        }
        for n in 0..ids.len() * ORDERS_EACH {
            order(&api, &ids[n % ids.len()], &format!("Order{n}-"));
            if n % (2 * ids.len()) == 0 {
                rounds.iter().for_each(|round| round.send(()).unwrap());
            }
        }
        eprintln!("{} orders placed after {:?}", ids.len() * ORDERS_EACH, began.elapsed());
    });
    eprintln!("all sessions over after {:?}", began.elapsed());
    for (n, device) in devices.iter().enumerate() {
        let done: Vec<&str> = device.csp.done.iter().filter(|d| d.verb == "Replace").map(|d| d.uri.as_str()).collect();
        let mut wanted: Vec<String> = (n..ids.len() * ORDERS_EACH).step_by(ids.len()).map(node).collect();
        let mut found: Vec<String> =
            done.iter().filter(|uri| uri.contains("/Order")).map(|uri| (*uri).to_owned()).collect();
        wanted.sort();
        found.sort();
        assert_eq!(found, wanted, "R-11: seed {}: each once, none of another device", nodes.seed);
        let states = states(&api, &ids[n]);
        assert_eq!(states, ["succeeded"; ORDERS_EACH], "R-11: seed {}", nodes.seed);
    }
}

fn node(n: usize) -> String {
    format!("./Vendor/MSFT/Example/Order{n}-")
}

/// The states of the commands that were ordered for a device.
fn states(api: &Api, device: &str) -> Vec<String> {
    let commands = api.list(&format!("/commands?device={device}&limit=200"));
    commands.iter().map(|command| command["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
// covers: R-11, R-10, M-63
fn the_same_message_at_two_nodes_at_once_is_answered_once() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let nodes = Nodes::start(2, &[]);
    let (mut device, _) = FakeDevice::settled(nodes.any());
    let (api, id) = (nodes.any().api(), device.id(nodes.any()));
    for round in 0..20 {
        let sessions = api.session_count(&id);
        let command = order(&api, &id, &format!("Twice{round}-"));
        let mut message = device.package_one();
        loop {
            let xml = message.xml();
            let bodies = at_both(&nodes, &device, &xml);
            assert!(bodies[0].body == bodies[1].body, "R-11: round {round}: two answers to one message");
            let reply = device.judge(&xml, &bodies[0]);
            if reply.commands.is_empty() {
                break;
            }
            message = device.answer(&reply);
        }
        assert_eq!(api.session_count(&id), sessions + 1, "R-11: round {round}");
        assert_eq!(api.command_state(&command), "succeeded", "R-11: round {round}");
        assert_eq!(device.csp.times("Replace", &format!("/Twice{round}-")), 1, "R-11: round {round}");
    }
}

/// Sends a message to both nodes at the same moment.
fn at_both(nodes: &Nodes, device: &FakeDevice, xml: &str) -> Vec<crate::support::http::Response> {
    let start = std::sync::Barrier::new(2);
    let send = |node: usize| {
        start.wait();
        let answer = nodes.post_to(node, device, xml).unwrap();
        answer.expect_status("R-11", 200);
        answer
    };
    std::thread::scope(|scope| {
        let send = &send;
        let running: Vec<_> = (0..2).map(|node| scope.spawn(move || send(node))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
// covers: R-11
fn the_same_order_at_two_nodes_at_once_is_one_order() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let nodes = Nodes::start(2, &[]);
    let (mut device, _) = FakeDevice::settled(nodes.any());
    let (api, id) = (nodes.any().api(), device.id(nodes.any()));
    for round in 0..10 {
        let name = format!("Pressed{round}-");
        let ids: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..4).map(|_| scope.spawn(|| order(&api, &id, &name))).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "R-11: one order: {ids:?}");
    }
    device.settle();
    assert_eq!(states(&api, &id), ["succeeded"; 10], "R-11");
    assert!((0..10).all(|round| device.csp.times("Replace", &format!("/Pressed{round}-")) == 1), "R-11");
}

#[test]
// covers: R-11
fn sessions_of_a_node_that_died_go_on_at_another() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let mut nodes = Nodes::start(2, &[("MUSTER__LIMITS__REPLY_COMMANDS", "1")]);
    let mut devices = enroll(&nodes, 10);
    devices.iter_mut().for_each(FakeDevice::settle);
    let api = nodes.any().api();
    let ids = ids(&api);
    let ids: Vec<String> = devices.iter().map(|d| ids[&d.profile.hw_dev_id].clone()).collect();
    for (id, n) in ids.iter().zip(0..) {
        (0..3).for_each(|part| drop(order(&api, id, &format!("Open{n}-{part}-"))));
    }
    let sessions: Vec<usize> = ids.iter().map(|id| api.session_count(id)).collect();
    let begun = devices.iter_mut().map(|device| {
        let message = device.package_one().xml();
        device.judge(&message, &nodes.post_to(0, device, &message).unwrap())
    });
    let begun: Vec<_> = begun.collect();
    nodes.servers[0].kill9();
    for (n, (device, reply)) in devices.iter_mut().zip(begun).enumerate() {
        // What the dead node had accepted but not passed on yet is cut; the balancer finds the living one.
        device.patience = Some(Arc::new(|answer| assert!(answer.is_err(), "R-11: {answer:?}")));
        device.finish(reply);
        assert_eq!(api.session_count(&ids[n]), sessions[n] + 1, "R-11: the same session");
        assert_eq!(states(&api, &ids[n]), ["succeeded"; 3], "R-11");
        assert!((0..3).all(|part| device.csp.times("Replace", &format!("/Open{n}-{part}-")) == 1), "R-11");
    }
}

#[test]
// covers: R-11
fn what_is_decided_about_nodes_at_one_counts_at_the_other() {
    if !database::is_postgres("several servers on one database") {
        return;
    }
    let nodes = Nodes::start(2, &[]);
    let [first, second] = [0, 1].map(|n| nodes.servers[n].api());
    let level = json!({"uri": "./Vendor/MSFT/Contoso/Level", "op": "Replace", "format": "int", "value": "11"});
    let ask = |api: &Api| api.post("/csp/check", &level, 200)["error_kind"].clone();
    assert_eq!([ask(&first), ask(&second)], ["unknown_node", "unknown_node"]);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("Contoso.xml", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut writer, include_bytes!("../../protocol-fixtures/csp/Contoso.xml")).unwrap();
    let archive = writer.finish().unwrap().into_inner();
    let import = Request::post("/csp/catalogue", archive).header("Content-Type", "application/zip");
    first.send(import).expect_status("R-11", 200);
    assert_eq!([ask(&second), ask(&first)], ["value_out_of_range", "value_out_of_range"]);
    let mut decide = Request::new("PUT", "/csp/overrides").header("Content-Type", "application/json");
    let values = json!({"kind": "Range", "min": 0, "max": 20});
    let body = json!({"path": level["uri"], "ruling": "values", "allowed": values, "reason": "ours"});
    decide.body = body.to_string().into_bytes();
    let decided = second.send(decide);
    decided.expect_status("R-11", 200);
    assert_eq!([ask(&first), ask(&second)], [Value::Null, Value::Null]);
    let id = id_in(&serde_json::from_slice(&decided.body).unwrap());
    first.delete(&format!("/csp/overrides/{id}"));
    assert_eq!(ask(&second), "value_out_of_range");
    second.delete("/csp/catalogue");
    assert_eq!([ask(&first), ask(&second)], ["unknown_node", "unknown_node"]);
}
