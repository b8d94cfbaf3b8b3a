//! `init` and `serve` on PostgreSQL: whom to trust, whose database it is, what is left of an attempt that failed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::database;
use crate::support::device::FakeDevice;
use crate::support::openssl;
use crate::support::postgres::{self, Cluster, Tls, Transaction};
use crate::support::server::{Server, fresh_installation, muster, wait_with_timeout, workspace};
use crate::support::unique;

const PASSWORD: &str = "correct-horse-battery";

#[test]
fn the_tests_own_cluster_stops_and_starts_again_with_what_was_committed() {
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.create_database("first");
    cluster.execute("first", "CREATE TABLE kept (name TEXT); INSERT INTO kept VALUES ('a'), ('B'), (NULL)");
    cluster.stop_immediate();
    assert!(postgres::query(&url, "SELECT 1").is_err(), "it is down");
    cluster.begin();
    let copy = cluster.copy_database("first", "second");
    let sorted = cluster.rows("second", "SELECT name FROM kept WHERE name IS NOT NULL ORDER BY name");
    assert_eq!(sorted, [[Some("a".to_owned())], [Some("B".to_owned())]], "the collation is not that of bytes");
    let held = Transaction::begin(&copy, "LOCK TABLE kept IN ACCESS EXCLUSIVE MODE").unwrap();
    let waiting = "SET lock_timeout = 1; SELECT count(*) FROM kept";
    assert!(postgres::query(&copy, waiting).is_err(), "the table is locked");
    drop(held);
    assert!(postgres::query(&copy, waiting).is_ok(), "the lock is gone");
    cluster.drop_database("first");
    assert!(postgres::query(&url, "SELECT 1").is_err(), "the database is gone");
}

/// An authority, and a certificate of it for `localhost`, as PEM texts.
struct Certificates {
    authority: String,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificates {
    fn new() -> Self {
        let path = |name: &str| openssl::temporary(name, b"").to_string_lossy().into_owned();
        let [ca_key, key, authority] = [path("ca.key"), path("server.key"), path("ca.pem")];
        let made = |key: &str, name: &str, more: &[&str]| {
            let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
            openssl::run(&[&new[..], &["-keyout", key, "-subj", name], more].concat(), b"")
        };
        std::fs::write(&authority, made(&ca_key, "/CN=Authority", &[])).unwrap();
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost"];
        let signed = ["-CA", &authority, "-CAkey", &ca_key];
        let certificate = made(&key, "/CN=localhost", &[&leaf[..], &signed].concat());
        Self { authority, certificate, key: std::fs::read(key).unwrap() }
    }
}

/// Runs a command that must fail; returns what it says, which may not be the password.
fn refused(command: &mut Command) -> String {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = wait_with_timeout(&mut child, Duration::from_secs(120));
    let (status, out, said) = ended.unwrap_or_else(|| panic!("it does not refuse: {command:?}"));
    assert_eq!((status.code(), out.as_str()), (Some(1), ""), "{said}");
    assert!(!said.contains(PASSWORD) && !said.contains("panicked"), "{said}");
    said
}

fn serve(data: &Path, database: &str) -> Command {
    let mut command = muster();
    command.args(["serve", "--data"]).arg(data);
    command.envs([("MUSTER__OPS__LISTEN", "off"), ("MUSTER__DATABASE__URL", database)]);
    command
}

/// Serves it for a moment.
#[track_caller]
fn serves(data: &Path, database: &str) {
    let mut child = serve(data, database).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("ready"), "{line}");
}

fn init(data: &Path, url: &str, database: &str) -> Command {
    init_by(data, "admin@example.test", url, database)
}

fn init_by(data: &Path, admin: &str, url: &str, database: &str) -> Command {
    let mut command = muster();
    command.args(["init", "--url", url, "--admin", admin, "--database", database, "--data"]).arg(data);
    command
}

#[test]
// covers: S-31
fn the_database_server_has_to_prove_who_it_is() {
    if !database::is_postgres("TLS to PostgreSQL") {
        return;
    }
    let (own, other) = (Certificates::new(), Certificates::new());
    let tls = Tls { certificate: &own.certificate, key: &own.key, password: PASSWORD };
    let Some(cluster) = Cluster::start_with(&tls) else { return };
    cluster.create_database("secured");
    let url = |host: &str, options: &str| cluster.tcp_url(host, PASSWORD, "secured", options);
    let [right, wrong] = [&own, &other].map(|certificates| format!("&sslrootcert={}", certificates.authority));
    let server = Server::start_on(&url("localhost", &format!("sslmode=verify-full{right}")), &[]);
    let secured = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'muster'";
    let rows = cluster.rows("secured", secured);
    assert!(!rows.is_empty() && rows.iter().flatten().all(|ssl| ssl.as_deref() == Some("t")), "{rows:?}");
    for (host, options) in [
        ("127.0.0.1", format!("sslmode=verify-ca{right}")),
        ("localhost", format!("sslmode=require{right}")),
        ("localhost", "sslmode=require".to_owned()),
    ] {
        server.further_node(&[("MUSTER__DATABASE__URL", &url(host, &options))]);
    }
    for (url, words) in [
        (url("localhost", &format!("sslmode=verify-full{wrong}")), "certificate"),
        (url("localhost", &format!("sslmode=verify-ca{wrong}")), "certificate"),
        (url("localhost", &format!("sslmode=require{wrong}")), "certificate"),
        (url("127.0.0.1", &format!("sslmode=verify-full{right}")), "certificate"),
        (url("localhost", "sslmode=disable"), "encryption"),
        (url("localhost", "sslmode=verify-full&sslrootcert=/nonexistent.pem"), "/nonexistent.pem"),
        (cluster.tcp_url("localhost", "guessed", "secured", "sslmode=require"), "password authentication failed"),
    ] {
        let said = refused(&mut serve(&server.data(), &url));
        assert!(said.contains(words), "{url}: {said}");
    }
}

#[test]
fn a_database_belongs_to_one_installation() {
    if !database::is_postgres("whose database it is") {
        return;
    }
    let server = Server::start();
    let taken = database::url_of(&server.data());
    let data = workspace().join(format!("second-{}", unique()));
    let said = refused(&mut init(&data, "https://localhost:0", &taken));
    assert!(said.contains("holds an installation"), "{said}");
    assert!(!data.exists(), "nothing is left behind");
    let stranger = database::cluster().create_database(&format!("stranger_{}", unique()));
    assert!(init(&data, "https://localhost:0", &stranger).output().unwrap().status.success());
    let said = refused(&mut serve(&data, &taken));
    assert!(said.contains("sealed with another key"), "{said}");
    let (mut device, _) = FakeDevice::new(&server);
    device.settle();
}

#[test]
fn an_init_that_failed_or_was_killed_blocks_no_other() {
    if !database::is_postgres("what is left of an init") {
        return;
    }
    let name = format!("begun_{}", unique());
    let url = database::cluster().create_database(&name);
    let data = workspace().join(&name);
    // No certificate can name this host, which shows when one is made.
    let said = refused(&mut init(&data, "https://mdm.example.test.", &url));
    assert!(said.contains("mdm.example.test."), "{said}");
    let mut child = init(&data, "https://localhost:0", &url).stderr(Stdio::null()).spawn().unwrap();
    let claimed = "SELECT 1 FROM pg_tables WHERE tablename = 'settings'";
    crate::support::eventually("init is at work in the database", || {
        (!database::cluster().rows(&name, claimed).is_empty()).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    if !data.join("muster.toml").exists() {
        assert!(
            init(&data, "https://localhost:0", &url).output().unwrap().status.success(),
            "after one that was killed"
        );
    }
    let users = database::cluster().rows(&name, "SELECT email FROM users");
    assert_eq!(users, [[Some("admin@example.test".to_owned())]], "one installation, whole");
}

#[test]
fn an_installation_is_whole_once_it_is_served() {
    if !database::is_postgres("an init that was killed at its end") {
        return;
    }
    let name = format!("late_{}", unique());
    let url = database::cluster().create_database(&name);
    let data = workspace().join(&name);
    assert!(init(&data, "https://localhost:0", &url).output().unwrap().status.success());
    // As if it had been killed when the folder was whole, and before it could say so.
    let standing = |value: &str| {
        let sql = format!("UPDATE settings SET value = '{value}' WHERE key = 'installation'");
        database::cluster().execute(&name, &sql);
    };
    standing(r#"{"state":"being_made","making":"0123"}"#);
    serves(&data, &url);
    let second = workspace().join(format!("{name}-second"));
    let said = refused(&mut init(&second, "https://localhost:0", &url));
    assert!(said.contains("holds an installation"), "{said}");
    let users = database::cluster().rows(&name, "SELECT email FROM users");
    assert_eq!(users, [[Some("admin@example.test".to_owned())]]);

    // One that is being made has nothing to be served yet, and nothing is written to it.
    standing(r#"{"state":"being_made","making":"4567"}"#);
    database::cluster().execute(&name, "DELETE FROM settings WHERE key <> 'installation'");
    let said = refused(&mut serve(&data, &url));
    assert!(said.contains("being made"), "{said}");
    assert_eq!(database::cluster().rows(&name, "SELECT key FROM settings").len(), 1);
}

#[test]
fn of_two_inits_at_once_at_most_one_makes_an_installation() {
    if !database::is_postgres("two inits at once") {
        return;
    }
    for is_late in [false, true] {
        let name = format!("race_{}", unique());
        let url = database::cluster().create_database(&name);
        let folders = ["first", "second"].map(|which| workspace().join(format!("{name}-{which}")));
        let begin = |data: &PathBuf| {
            let mut command = init(data, "https://localhost:0", &url);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let first = begin(&folders[0]);
        if is_late {
            // The first has claimed the database.
            let claimed = "SELECT 1 FROM pg_tables WHERE tablename = 'settings'";
            let is_there = || !database::cluster().rows(&name, claimed).is_empty();
            crate::support::eventually("the first is at work", || is_there().then_some(()));
        }
        let outcomes = [first, begin(&folders[1])].map(|child| child.wait_with_output().unwrap());
        let made: Vec<&PathBuf> = folders
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.status.success())
            .map(|(data, _)| data)
            .collect();
        assert!(made.len() < 2, "both claim to have made it");
        for (data, outcome) in folders.iter().zip(&outcomes).filter(|(_, outcome)| !outcome.status.success()) {
            let said = String::from_utf8_lossy(&outcome.stderr);
            assert!(said.contains("--database") && !data.exists(), "{said}");
        }
        let data = made.first().copied().unwrap_or(&folders[0]);
        if made.is_empty() {
            assert!(init(data, "https://localhost:0", &url).output().unwrap().status.success(), "none is in the way");
        }
        serves(data, &url);
        let count = |sql: &str| database::cluster().rows(&name, sql).len();
        assert_eq!((count("SELECT id FROM users"), count("SELECT id FROM tokens")), (1, 1), "of one installation only");
    }
}

#[test]
fn an_init_whose_database_was_taken_writes_nothing_to_it() {
    if !database::is_postgres("an init that takes over") {
        return;
    }
    let name = format!("taken_{}", unique());
    let url = database::cluster().create_database(&name);
    let folder = |which: &str| workspace().join(format!("{name}-{which}"));
    assert!(init(&folder("killed"), "https://localhost:0", &url).output().unwrap().status.success());
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_sleep(3); RETURN NEW; END';
                CREATE TRIGGER slow BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION slow();
                UPDATE settings SET value = '{\"state\":\"being_made\",\"making\":\"0123\"}' WHERE key = 'installation'";
    database::cluster().execute(&name, slow);
    let mut first = init(&folder("first"), "https://localhost:0", &url);
    let first = first.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let working = format!("SELECT 1 FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'PgSleep'");
    crate::support::eventually("the first is at work", || {
        (!database::cluster().rows(&name, &working).is_empty()).then_some(())
    });
    let second = init_by(&folder("second"), "second@example.test", "https://localhost:0", &url).output().unwrap();
    let first = first.wait_with_output().unwrap();
    // The second nearly always wins; it may come too late on a busy machine, or give way in a deadlock.
    assert_ne!(first.status.success(), second.status.success(), "{first:?} {second:?}");
    let (winner, admin, loser, lost) = match second.status.success() {
        true => ("second", "second@example.test", "first", first),
        false => ("first", "admin@example.test", "second", second),
    };
    let said = String::from_utf8_lossy(&lost.stderr);
    assert!(said.contains("--database") && !folder(loser).exists(), "{said}");
    let users = database::cluster().rows(&name, "SELECT email FROM users");
    assert_eq!(users, [[Some(admin.to_owned())]]);
    assert_eq!(database::cluster().rows(&name, "SELECT id FROM tokens").len(), 1);
    serves(&folder(winner), &url);
}

#[test]
fn a_database_without_an_installation_is_named_and_left_as_it_is() {
    if !database::is_postgres("databases that hold something else") {
        return;
    }
    let data = fresh_installation().join("data");
    for what in ["", "CREATE TABLE customers (id BIGINT)"] {
        let name = format!("no_installation_{}", unique());
        let url = database::cluster().create_database(&name);
        database::cluster().execute(&name, what);
        let tables = || database::cluster().rows(&name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
        let before = tables();
        let said = refused(&mut serve(&data, &url));
        assert!(said.contains("muster init") && said.contains("migrate-db"), "{said}");
        assert_eq!(tables(), before, "{what}");
        if !what.is_empty() {
            let other = data.with_file_name("other");
            let said = refused(&mut init(&other, "https://localhost:0", &url));
            assert!(said.contains("something else") && !other.exists(), "{said}");
            assert_eq!(tables(), before, "{what}");
        }
    }
}

#[test]
fn a_server_that_is_away_is_named_without_the_password() {
    if !database::is_postgres("PostgreSQL is away") {
        return;
    }
    let data = fresh_installation().join("data");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = refused(&mut serve(&data, &format!("postgres://muster:{PASSWORD}@localhost:{nobody}/muster")));
    assert!(said.contains(&format!("localhost:{nobody}/muster")) && said.to_lowercase().contains("refused"), "{said}");
}
