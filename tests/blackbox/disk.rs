//! A disk that is full: what is told, what goes on, what is there afterwards (R-12).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::api::Api;
use crate::support::database::has_files;
use crate::support::device::FakeDevice;
use crate::support::disk::SmallDisk;
use crate::support::eventually;
use crate::support::server::Server;

/// What the callers of a server have met so far.
#[derive(Default)]
struct Met {
    over: AtomicBool,
    visits: AtomicUsize,
    devices_put_off: AtomicUsize,
    orders_taken: AtomicUsize,
    orders_put_off: AtomicUsize,
    reads: AtomicUsize,
}

impl Met {
    /// Waits until each of them has risen since now.
    fn rise(&self, what: &str, counters: &[&AtomicUsize]) {
        self.rise_while(what, counters, || {});
    }

    /// The same, while something is done again and again.
    fn rise_while(&self, what: &str, counters: &[&AtomicUsize], mut work: impl FnMut()) {
        let before: Vec<usize> = counters.iter().map(|counter| counter.load(Ordering::SeqCst)).collect();
        eventually(what, || {
            work();
            let mut pairs = counters.iter().zip(&before);
            pairs.all(|(counter, before)| counter.load(Ordering::SeqCst) > *before).then_some(())
        });
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

fn replace(number: usize) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/N{number}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>{number}</Data></Item></Replace>"#
    )
}

/// Sessions one after the other; what the server has no room for is begun anew, as devices do.
fn keep_visiting(device: &mut FakeDevice, met: &Met) {
    while !met.is_over() {
        let mut message = device.package_one();
        loop {
            let response = device.post(message.xml());
            if response.status != 200 {
                response.expect_status("R-12: a device", 503);
                let seconds = response.header("retry-after").expect("R-12: Retry-After");
                assert!(seconds.parse::<u32>().is_ok(), "R-12: Retry-After: {seconds}");
                count(&met.devices_put_off);
                break;
            }
            let reply = device.judge(&message.xml(), &response);
            if reply.commands.is_empty() {
                count(&met.visits);
                break;
            }
            message = device.answer(&reply);
        }
    }
}

/// Orders one after the other; returns those that were taken on.
fn keep_ordering(api: &Api, devices: &[String], met: &Met) -> Vec<String> {
    let mut taken = Vec::new();
    for number in 0.. {
        if met.is_over() {
            break;
        }
        let response = api.try_command(&devices[number % devices.len()], &replace(number), "?unchecked=true");
        if response.status == 202 {
            let made: Value = serde_json::from_slice(&response.body).unwrap();
            taken.push(made["id"].as_str().unwrap().to_owned());
            count(&met.orders_taken);
            continue;
        }
        response.expect_status("R-12: an administrator", 507);
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "R-12");
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(problem["code"], "storage_full", "R-12: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("make room"), "R-12: what to do: {problem}");
        count(&met.orders_put_off);
    }
    taken
}

fn keep_reading(api: &Api, device: &str, met: &Met) {
    while !met.is_over() {
        for path in ["/devices", "/commands?limit=5", "/audit?limit=5", &format!("/devices/{device}")] {
            api.get(path);
        }
        count(&met.reads);
    }
}

/// The status of `/readyz`.
fn readiness(server: &Server) -> u16 {
    let mut stream = TcpStream::connect(server.run_file()["ops"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn audited(api: &Api, action: &str) -> usize {
    api.list("/audit?limit=200").iter().filter(|row| row["action"] == action).count()
}

/// Fills the disk under running callers, and gives the room back.
fn run_out_of_room(server: &Server, disk: &SmallDisk, met: &Met) {
    let api = server.api();
    let put_off = [&met.devices_put_off, &met.orders_put_off];
    met.rise("everything goes well", &[&met.visits, &met.orders_taken, &met.reads]);
    assert_eq!((readiness(server), put_off.map(|counter| counter.load(Ordering::SeqCst))), (200, [0, 0]));
    disk.fill();
    eventually("R-12: the audit trail tells of the full disk", || (audited(&api, "storage.full") == 1).then_some(()));
    assert_eq!(readiness(server), 503, "R-12");
    // The room of the reserve was given up, and is taken now, and so is what SQLite moves out of its log.
    met.rise_while("R-12: everybody is put off", &[put_off[0], put_off[1], &met.reads], || disk.fill());
    assert_eq!(readiness(server), 503, "R-12");
    assert_eq!((audited(&api, "storage.full"), audited(&api, "storage.recovered")), (1, 0), "R-12: told once");
    disk.clear();
    met.rise("R-12: work goes on by itself", &[&met.visits, &met.orders_taken]);
    eventually("R-12: the end is told", || (audited(&api, "storage.recovered") == 1).then_some(()));
    eventually("R-12: ready again", || (readiness(server) == 200).then_some(()));
}

#[test]
// covers: R-12, M-15
fn a_full_disk_puts_everyone_off_and_loses_nothing() {
    let Some(disk) = has_files("a full disk").then(|| SmallDisk::mount(64)).flatten() else { return };
    let settings = [("MUSTER__OPS__LISTEN", "127.0.0.1:0"), ("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "100000")];
    let mut server = Server::start_with_database_in(disk.path(), &settings);
    let mut devices: Vec<FakeDevice> = (0..3).map(|_| FakeDevice::settled(&server).0).collect();
    let ids: Vec<String> = devices.iter().map(|device| device.id(&server)).collect();
    let (api, met) = (server.api(), Met::default());
    let taken = std::thread::scope(|scope| {
        for device in &mut devices {
            scope.spawn(|| keep_visiting(device, &met));
        }
        scope.spawn(|| keep_reading(&api, &ids[0], &met));
        let ordering = scope.spawn(|| keep_ordering(&api, &ids, &met));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_out_of_room(&server, &disk, &met)));
        met.over.store(true, Ordering::SeqCst);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ordering.join().unwrap()
    });
    devices.iter_mut().for_each(FakeDevice::settle);
    let mut kept: Vec<String> =
        api.list("/commands?limit=200").iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
    kept.retain(|id| api.command_state(id) == "succeeded");
    let (mut expected, mut found) = (taken, kept);
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "R-12: what was taken on was done, and nothing else was");
    server.kill9();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(disk.path().join("muster.db"), flags).unwrap();
    let sound: String = database.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "R-12");
}

#[test]
// covers: R-12
fn a_server_starts_on_a_full_disk_and_reads() {
    let Some(disk) = has_files("a full disk").then(|| SmallDisk::mount(32)).flatten() else { return };
    let mut server = Server::start_with_database_in(disk.path(), &[]);
    let device = FakeDevice::settled(&server).0.id(&server);
    server.terminate();
    disk.fill();
    server.restart();
    let api = server.api();
    let order = || api.try_command(&device, &replace(1), "?unchecked=true").status;
    disk.fill();
    eventually("R-12: orders are put off", || (order() == 507).then_some(()));
    assert_eq!(api.device(&device)["state"], "active", "R-12: reads work");
    disk.clear();
    eventually("R-12: orders are taken on", || (order() == 202).then_some(()));
    eventually("R-12: it was told", || {
        (audited(&api, "storage.full") == 1 && audited(&api, "storage.recovered") == 1).then_some(())
    });
}
