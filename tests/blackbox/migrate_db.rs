//! `muster migrate-db`: an installation moves from its file to PostgreSQL, whole or not at all.
//!
//! The source is a file whatever database the other tests run on; without PostgreSQL there is nothing to test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::device::FakeDevice;
use crate::support::http::{Request, Response};
use crate::support::postgres::Cluster;
use crate::support::server::{Server, muster, wait_with_timeout};
use crate::support::{eventually, unique};

const OPS: [(&str, &str); 1] = [("MUSTER__OPS__LISTEN", "127.0.0.1:0")];
const LONG: Duration = Duration::from_secs(300);

fn replace(node: &str) -> String {
    format!(
        r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>./Vendor/MSFT/Example/{node}</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr</Format></Meta><Data>x</Data></Item></Replace>"#
    )
}

/// A database of its own.
fn empty(cluster: &Cluster) -> (String, String) {
    let name = format!("moved_{}", unique());
    let url = cluster.create_database(&name);
    (name, url)
}

fn migrating(data: &Path, to: &str) -> Command {
    let mut command = muster();
    command.args(["migrate-db", "--json", "--to", to, "--data"]).arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, standard output and standard error.
fn ended(mut child: Child) -> (i32, String, String) {
    let (status, out, err) = wait_with_timeout(&mut child, LONG).expect("it ends");
    (status.code().unwrap_or(-1), out, err)
}

fn migrate(data: &Path, to: &str) -> (i32, String, String) {
    ended(migrating(data, to).spawn().unwrap())
}

#[track_caller]
fn migrated(data: &Path, to: &str) -> Value {
    let (code, out, err) = migrate(data, to);
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// What `serve` says that must refuse to.
#[track_caller]
fn refusal(data: &Path, environment: &[(&str, &str)]) -> String {
    let mut command = muster();
    command.args(["serve", "--data"]).arg(data).env("MUSTER__OPS__LISTEN", "off").envs(environment.iter().copied());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (code, out, err) = ended(child);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    err
}

/// The status of a path on the listener for operators.
fn operators(server: &Server, path: &str) -> u16 {
    let mut stream = TcpStream::connect(server.run_file()["ops"].as_str().unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[track_caller]
fn assert_come_back_later(response: &Response) {
    response.expect_status("drained", 503);
    let seconds = response.header("retry-after").expect("Retry-After");
    assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
    assert!(!response.text().contains("SyncML"), "{}", response.text());
}

fn database(data: &Path) -> PathBuf {
    data.join("muster.db")
}

/// How many rows each table of the file has, but for those that are not part of an installation.
fn counts(data: &Path) -> Vec<(String, u64)> {
    let file = Connection::open(database(data)).unwrap();
    let mut names = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = names.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let names = names.into_iter().filter(|name| !["health", "leases", "migrations", "settings"].contains(&&**name));
    names.map(|name| (count(&file, &name), name)).map(|(count, name)| (name, count)).collect()
}

fn count(file: &Connection, table: &str) -> u64 {
    file.query_row(&format!("SELECT COUNT(*) FROM {table}"), (), |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// The same of a database on the cluster.
fn counts_on(cluster: &Cluster, database: &str, tables: &[(String, u64)]) -> Vec<(String, u64)> {
    let count = |name: &str| {
        let rows = cluster.rows(database, &format!("SELECT COUNT(*) FROM {name}"));
        rows[0][0].as_deref().unwrap().parse().unwrap()
    };
    tables.iter().map(|(name, _)| (name.clone(), count(name))).collect()
}

#[test]
fn a_running_server_lets_go_and_its_devices_go_on_in_the_new_database() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut server = Server::start_on_file(&OPS);
    let (mut device, _) = FakeDevice::settled(&server);
    let id = device.id(&server);
    let command = server.api().command(&id, &replace("Before"));
    let (name, url) = empty(cluster);

    // A message that is on its way is finished first.
    let first = device.package_one().xml();
    let mut connection = device.connect();
    let request = device.request(first.clone());
    connection.begin(&request).unwrap();
    let moving = migrating(&server.data(), &url).spawn().unwrap();
    eventually("the order is given", || (operators(&server, "/readyz") == 503).then_some(()));
    let response = connection.send_bytes(&request.body, false).unwrap();
    let reply = device.judge(&first, &response);
    reply.expect("Replace", "/Before");
    let (code, out, err) = ended(moving);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("\"commands\"") && err.contains("MUSTER__DATABASE__URL") && err.contains("keys"),
        "{out}{err}"
    );

    let answer = device.answer(&reply).xml();
    assert_come_back_later(&device.post(answer.clone()));
    let problem = server.api().send(Request::get("/users"));
    assert_come_back_later(&problem);
    assert!(problem.header("content-type").unwrap().starts_with("application/problem+json"));
    assert_eq!((operators(&server, "/readyz"), operators(&server, "/healthz")), (503, 200));
    let (status, _) = server.terminate();
    assert!(status.success(), "{status}");

    let said = refusal(&server.data(), &[]);
    assert!(said.contains(&name) && said.contains("[database] url"), "{said}");
    assert!(server.restart_under(&[("MUSTER__DATABASE__URL", &url)]), "{}", server.log());
    device.follow(&server);
    // The answer to the reply that came before the move.
    let response = device.post(answer.clone());
    let reply = device.judge(&answer, &response);
    device.finish(reply);
    device.settle();
    assert_eq!(server.api().command_state(&command), "succeeded");
    assert_eq!(device.csp.times("Replace", "/Before"), 1);
    let audit = server.api().list("/audit?limit=200");
    assert!(audit.iter().any(|row| row["action"] == "server.drain" && row["outcome"] == "ok"), "{audit:?}");

    // Killed before its last step, and the new database is in use already.
    let file = Connection::open(database(&server.data())).unwrap();
    let unmark = "UPDATE settings SET value = replace(value, '\"moved\"', '\"moving\"') WHERE key = 'installation'";
    assert_eq!(file.execute(unmark, ()).unwrap(), 1);
    drop(file);
    let said = refusal(&server.data(), &[]);
    assert!(said.contains("interrupted") && said.contains("migrate-db"), "{said}");
    migrated(&server.data(), &url);
    assert!(refusal(&server.data(), &[]).contains("was moved to"));
    assert_eq!(server.api().command_state(&command), "succeeded", "the new database is left alone");

    // Whoever did not see the end may ask again.
    let again = migrated(&server.data(), &url);
    assert!(again["tables"].as_array().unwrap().iter().any(|table| table["name"] == "devices"), "{again}");
    let (code, _, err) = migrate(&server.data(), &empty(cluster).1);
    assert!(code == 1 && err.contains("was moved to"), "{err}");
}

#[test]
fn what_cannot_be_a_target_changes_nothing() {
    let Some(cluster) = Cluster::shared() else { return };
    let server = Server::start_on_file(&OPS);
    let (mut device, _) = FakeDevice::settled(&server);
    let (taken, taken_url) = empty(cluster);
    let other = Server::start_on(&taken_url, &[]);
    other.api().add_user();
    let before = cluster.rows(&taken, "SELECT email FROM users ORDER BY id");
    let (strange, strange_url) = empty(cluster);
    cluster.execute(&strange, "CREATE TABLE users (colour TEXT); INSERT INTO users VALUES ('blue')");
    let nowhere = cluster.url("no_such_database");
    for (to, code, words) in [
        ("sqlite:other.db", 2, "postgres://"),
        ("mysql://root:secret@db.example/x", 2, "postgres://"),
        ("postgres://u:secret@db.example/m?sslmode=strict", 1, "sslmode"),
        ("postgres://u:secret@127.0.0.1:1/m", 1, "127.0.0.1"),
        (&nowhere, 1, "no_such_database"),
        (&taken_url, 1, "holds an installation"),
        (&strange_url, 1, "--to"),
    ] {
        let (ended, out, err) = migrate(&server.data(), to);
        assert_eq!((ended, out.as_str(), err.lines().count()), (code, "", 1), "{to}: {err}");
        assert!(err.contains(words) && !err.contains("secret"), "{to}: {err}");
        assert_eq!(operators(&server, "/readyz"), 200, "{to}");
    }
    // One of another build, older or newer: its schema is nobody's business.
    cluster.execute(&taken, "UPDATE migrations SET checksum = 'other'");
    let (code, _, err) = migrate(&server.data(), &taken_url);
    assert!(code == 1 && err.contains("holds an installation"), "{err}");
    device.settle();
    assert_eq!(cluster.rows(&taken, "SELECT email FROM users ORDER BY id"), before);
    assert_eq!(cluster.rows(&strange, "SELECT * FROM users").len(), 1);
    let (file, elsewhere) = (database(&server.data()), server.data().join("elsewhere.db"));
    std::fs::rename(&file, &elsewhere).unwrap();
    let (code, _, err) = migrate(&server.data(), &empty(cluster).1);
    assert!(code == 1 && err.contains("there is no database"), "{err}");
    std::fs::rename(&elsewhere, &file).unwrap();
    let (code, _, err) =
        ended(migrating(&server.data(), &taken_url).env("MUSTER__DATABASE__URL", &taken_url).spawn().unwrap());
    assert!(code == 1 && err.contains("already"), "{err}");
}

#[test]
fn a_server_that_cannot_be_asked_keeps_its_database() {
    let Some(cluster) = Cluster::shared() else { return };
    let server = Server::start_on_file(&OPS);
    let (name, url) = empty(cluster);
    let token = server.data().join("admin.token");
    let secret = std::fs::read_to_string(&token).unwrap();
    std::fs::write(&token, format!("mst_{}", "A".repeat(43))).unwrap();
    let (code, _, err) = migrate(&server.data(), &url);
    assert!(code == 1 && err.contains("another process") && err.contains("token"), "{err}");
    assert_eq!(operators(&server, "/readyz"), 200);
    let tables = cluster.rows(&name, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'");
    assert!(tables.is_empty(), "the target was not claimed");
    std::fs::write(&token, secret).unwrap();
    migrated(&server.data(), &url);
}

#[test]
fn of_two_moves_at_once_one_succeeds() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut server = Server::start_on_file(&OPS);
    let (mut device, _) = FakeDevice::settled(&server);
    let targets = [empty(cluster), empty(cluster)];
    // Both ask the server before it can let go.
    let message = device.package_one().xml();
    let mut connection = device.connect();
    let request = device.request(message);
    connection.begin(&request).unwrap();
    let moving = targets.each_ref().map(|(_, url)| migrating(&server.data(), url).spawn().unwrap());
    let standing = |name: &str| {
        let tables = cluster.rows(name, "SELECT 1 FROM pg_tables WHERE tablename = 'settings'");
        let rows = if tables.is_empty() {
            Vec::new()
        } else {
            cluster.rows(name, "SELECT value FROM settings WHERE key = 'installation'")
        };
        rows.into_iter().flatten().flatten().next()
    };
    eventually("both have claimed their target", || {
        targets.iter().all(|(name, _)| standing(name).is_some()).then_some(())
    });
    eventually("the order is given", || (operators(&server, "/readyz") == 503).then_some(()));
    connection.send_bytes(&request.body, false).unwrap();
    let ended = moving.map(ended);
    let won = ended.iter().position(|(code, ..)| *code == 0).unwrap_or_else(|| panic!("{ended:?}"));
    let (code, out, err) = &ended[1 - won];
    assert_eq!((*code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("was moved to") || err.contains("started again"), "{err}");
    assert!(standing(&targets[won].0).unwrap().contains("copied"));
    assert_eq!(standing(&targets[1 - won].0), None, "what is not used is given up");
    server.terminate();
    assert!(refusal(&server.data(), &[]).contains(&targets[won].0));
    assert!(server.restart_under(&[("MUSTER__DATABASE__URL", &targets[won].1)]), "{}", server.log());
    device.follow(&server);
    device.settle();
}

/// An interrupted last step, of which the target knows nothing: it was lost and made again.
#[test]
fn a_move_whose_target_is_lost_is_taken_back_or_made_again() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut server = Server::start_on_file(&OPS);
    let (mut device, _) = FakeDevice::settled(&server);
    server.terminate();
    let (name, url) = empty(cluster);
    let shown = migrated(&server.data(), &url)["to"].as_str().unwrap().to_owned();
    cluster.drop_database(&name);
    cluster.create_database(&name);
    let file = Connection::open(database(&server.data())).unwrap();
    let unmark = "UPDATE settings SET value = replace(value, '\"moved\"', '\"moving\"') WHERE key = 'installation'";
    assert_eq!(file.execute(unmark, ()).unwrap(), 1);
    let (code, _, err) = migrate(&server.data(), &empty(cluster).1);
    assert!(code == 1 && err.contains(&shown) && err.contains("interrupted"), "{err}");

    // The source is not the one of this configuration, so it cannot be copied; but it is free again.
    let other = [("MUSTER__SERVER__PROVIDER_ID", "Other")];
    let (code, _, err) = ended(migrating(&server.data(), &url).envs(other).spawn().unwrap());
    assert!(code == 1 && err.contains("provider_id") && err.contains("nothing was changed"), "{err}");
    assert!(server.restart_under(&[]), "{}", server.log());
    device.follow(&server);
    device.settle();
    migrated(&server.data(), &url);
    assert!(refusal(&server.data(), &[]).contains("was moved to"));
}

/// Show 3 of the step: 10,000 devices.
#[test]
fn ten_thousand_devices_move() {
    let Some(cluster) = Cluster::shared() else { return };
    let mut server = Server::start_on_file(&OPS);
    let mut devices: Vec<FakeDevice> = (0..3).map(|_| FakeDevice::settled(&server).0).collect();
    let ids: Vec<String> = devices.iter().map(|device| device.id(&server)).collect();
    let queued = |node: &str| ids.iter().map(|id| server.api().command(id, &replace(node))).collect::<Vec<_>>();
    let commands = [queued("First"), queued("Second")].concat();
    server.terminate();
    multiply(&server.data(), 10_000);
    let (name, url) = empty(cluster);

    interrupted(&server.data(), &url);
    let said = refusal(&server.data(), &[("MUSTER__DATABASE__URL", &url)]);
    assert!(said.contains("not whole"), "{said}");
    assert!(server.restart_under(&[]), "what was not moved goes on: {}", server.log());
    devices.iter_mut().for_each(|device| device.follow(&server));
    let third = server.api().command(&ids[0], &replace("Third"));

    let began = Instant::now();
    let mut moving = migrating(&server.data(), &url).spawn().unwrap();
    let told = until_it_says(&mut moving, "copied devices");
    assert_come_back_later(&devices[0].post(devices[0].clone().package_one().xml()));
    let (code, out, err) = ended(moving);
    assert_eq!(code, 0, "{told}{err}");
    eprintln!("moved in {:?}", began.elapsed());
    let document: Value = serde_json::from_str(&out).unwrap();
    server.terminate();

    let sent = counts(&server.data());
    assert_eq!(counts_on(cluster, &name, &sent), sent);
    for (table, rows) in &sent {
        let listed = document["tables"].as_array().unwrap().iter().find(|listed| listed["name"] == table.as_str());
        assert_eq!(listed.expect("every table is told of")["rows"], *rows, "{table}");
    }
    eprintln!("{sent:?}");
    assert!(sent.iter().any(|(table, rows)| table == "devices" && *rows == 10_003));
    assert!(refusal(&server.data(), &[]).contains("was moved to"));

    assert!(server.restart_under(&[("MUSTER__DATABASE__URL", &url)]), "{}", server.log());
    for device in &mut devices {
        device.follow(&server);
        let visit = device.check_in();
        assert!(visit.find("Replace", "/First").is_some() && visit.find("Replace", "/Second").is_some());
        device.settle();
    }
    for command in commands.iter().chain([&third]) {
        assert_eq!(server.api().command_state(command), "succeeded");
    }
}

/// A move that is killed in the midst of it.
fn interrupted(data: &Path, to: &str) {
    let mut moving = migrating(data, to).spawn().unwrap();
    until_it_says(&mut moving, "copied enrollments");
    moving.kill().unwrap();
    moving.wait().unwrap();
}

/// Reads what a process says until it says that; the rest is left to others.
fn until_it_says(child: &mut Child, words: &str) -> String {
    let mut said = String::new();
    let mut reader = BufReader::with_capacity(1, child.stderr.take().unwrap());
    while !said.contains(words) {
        assert!(reader.read_line(&mut said).unwrap() > 0, "it ended without {words:?}: {said}");
    }
    child.stderr = Some(reader.into_inner());
    said
}

/// Columns that differ in the clones, with their SQL.
type Changes<'a> = &'a [(&'a str, &'a str)];

/// Adds so many devices that are like those that are there, with ids, hardware and certificates of their own.
fn multiply(data: &Path, number: u32) {
    let file = Connection::open(database(data)).unwrap();
    file.execute_batch(&format!(
        "BEGIN;
         CREATE TEMP TABLE clones AS
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}),
                 models AS (SELECT ROW_NUMBER() OVER () AS k, id, enrollment_id FROM devices)
             SELECT i, models.id AS old_device, models.enrollment_id AS old_enrollment,
                 printf('%08x-0000-7000-8000-000000000001', i) AS device,
                 printf('%08x-0000-7000-8000-000000000002', i) AS enrollment
             FROM n JOIN models ON models.k = 1 + n.i % (SELECT COUNT(*) FROM models);"
    ))
    .unwrap();
    let id = |kind: &str| format!("printf('%08x-{kind}-7000-8000-%012x', c.i, t.rowid)");
    let (device, enrollment) = (("device_id", "c.device"), ("enrollment_id", "c.enrollment"));
    let (command, session) = (id("0001"), id("0002"));
    let (of_device, of_enrollment) = ("t.device_id = c.old_device", "t.enrollment_id = c.old_enrollment");
    let tables: [(&str, Changes<'_>, &str); 9] = [
        (
            "devices",
            &[
                ("id", "c.device"),
                ("name", "t.name || '-' || c.i"),
                ("hw_dev_id", "hex(randomblob(32))"),
                enrollment,
                // Every tenth is linked to another that comes later in the order of keys.
                ("linked_device_id", "CASE WHEN c.i % 10 = 0 THEN c.old_device END"),
            ],
            "t.id = c.old_device",
        ),
        ("enrollments", &[("id", "c.enrollment"), device], "t.id = c.old_enrollment"),
        ("enrollment_identifiers", &[enrollment, ("identifier", "t.identifier || c.i")], of_enrollment),
        ("conversations", &[enrollment], of_enrollment),
        // A part of it: there would be half a million rows.
        ("inventory", &[device], "t.device_id = c.old_device AND t.rowid % 4 = 0"),
        ("missing_nodes", &[device], of_device),
        (
            "certificates",
            &[
                ("serial", "lower(hex(randomblob(16)))"),
                ("sha256", "randomblob(32)"),
                ("key_sha256", "randomblob(32)"),
                enrollment,
            ],
            of_enrollment,
        ),
        ("commands", &[("id", &command), device, enrollment, ("offer_session", "NULL")], of_enrollment),
        ("sessions", &[("id", &session), device, enrollment], of_enrollment),
    ];
    for (table, changes, join) in tables {
        let mut names = file.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        let names: Vec<String> = names.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let change =
            |name: &String| changes.iter().find(|(changed, _)| changed == name).map(|(_, sql)| (*sql).to_owned());
        let values: Vec<String> =
            names.iter().map(|name| change(name).unwrap_or_else(|| format!("t.{name}"))).collect();
        let (names, values) = (names.join(", "), values.join(", "));
        let sql = format!("INSERT INTO {table} ({names}) SELECT {values} FROM {table} t JOIN clones c ON {join}");
        file.execute(&sql, ()).unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    file.execute_batch("COMMIT").unwrap();
}
