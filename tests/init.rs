//! `muster init`: an installation comes into being whole, or nothing of it is left.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use support::server::{muster, wait_with_timeout, workspace};
use support::{openssl, unique};

/// A folder of one test.
fn home() -> PathBuf {
    let home = workspace().join(format!("init-{}", unique()));
    fs::create_dir(&home).unwrap();
    home
}

/// Runs `init` in a folder, with `input` as standard input; returns the exit code and standard error.
fn init(home: &Path, line: &[&str], input: &str) -> (i32, String) {
    let output = muster()
        .args(["init", "--data", "data"])
        .args(line)
        .current_dir(home)
        .stdin(fs::File::open(openssl::temporary("input", input.as_bytes())).unwrap())
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

const GOOD: [&str; 4] = ["--url", "https://localhost:0", "--admin", "admin@example.test"];

fn made(home: &Path, more: &[&str]) {
    let (code, said) = init(home, &[&GOOD, more].concat(), "");
    assert_eq!(code, 0, "{said}");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The line that a server prints when it is ready.
fn ready_line(home: &Path, more: &[&str]) -> String {
    use std::io::{BufRead, BufReader};
    let mut child: Child = muster()
        .args(["serve", "--data", "data"])
        .args(more)
        .current_dir(home)
        .env("MUSTER__OPS__LISTEN", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    let (_, _, said) = wait_with_timeout(&mut child, std::time::Duration::from_secs(30)).unwrap();
    assert!(line.starts_with("ready url="), "{said}");
    line
}

/// A key and a certificate for localhost as PEM files `name.key` and `name.pem`.
fn certificate(home: &Path, name: &str) {
    let key = home.join(format!("{name}.key"));
    let options = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    let pem = openssl::run(&[&options[..], &subject, &["-keyout", &key.to_string_lossy()]].concat(), b"");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join(format!("{name}.pem")), pem).unwrap();
}

#[test]
fn what_is_not_in_order_is_refused_before_anything_is_written() {
    let home = home();
    certificate(&home, "a");
    certificate(&home, "b");
    fs::copy(home.join("a.key"), home.join("open.key")).unwrap();
    fs::set_permissions(home.join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(home.join("no-keys"), "nonsense\n").unwrap();
    fs::set_permissions(home.join("no-keys"), fs::Permissions::from_mode(0o600)).unwrap();
    let url = ["--url", "https://mdm.example.test"];
    let admin = ["--admin", "admin@example.test"];
    let cases: [(&[&str], &str, &[&str]); 14] = [
        (&["--url", "http://mdm.example.test", "--admin", "a@example.test"], "", &["--url", "https://"]),
        (&[&url[..], &["--admin", "ada lovelace"]].concat(), "", &["--admin"]),
        (&[&url[..], &["--admin", "windows-bulkenroll-1@example.test"]].concat(), "", &["--admin", "bulk"]),
        (&[&GOOD[..], &["--password-stdin"]].concat(), "short\n", &["password", "8 characters"]),
        (&[&GOOD[..], &["--database", "postgres://u:secret@host/db?sslmode=no"]].concat(), "", &["url", "verify-full"]),
        (&[&GOOD[..], &["--database", "postgres://u:secret@%2Fno/db"]].concat(), "", &["/no/db", "cannot be opened"]),
        (&[&GOOD[..], &["--database", "sqlite:/nonexistent/x.db"]].concat(), "", &["--database", "/nonexistent"]),
        (&[&GOOD[..], &["--tls-cert", "none.pem", "--tls-key", "a.key"]].concat(), "", &["none.pem"]),
        (&[&GOOD[..], &["--tls-cert", "a.pem", "--tls-key", "open.key"]].concat(), "", &["open.key", "chmod 600"]),
        (&[&GOOD[..], &["--tls-cert", "a.pem", "--tls-key", "b.key"]].concat(), "", &["--tls-cert and --tls-key"]),
        (&[&GOOD[..], &["--key-file", "no/such/folder/keys"]].concat(), "", &["--key-file", "no folder"]),
        (&[&GOOD[..], &["--key-file", "no-keys"]].concat(), "", &["no-keys", "line 1"]),
        (&[&GOOD[..], &["--provider-id", "a b"]].concat(), "", &["server.provider_id"]),
        (&[&url[..], &admin, &["--device-url", "https://mdm.example.test"]].concat(), "", &["server.device_url"]),
    ];
    let before = names(&home);
    for (line, input, words) in cases {
        let (code, said) = init(&home, line, input);
        assert_eq!((code, said.lines().count()), (1, 1), "{line:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{line:?}: {said}");
        assert!(!said.contains("secret") && !said.contains("short"), "{said}");
        assert_eq!(names(&home), before, "{line:?}");
    }
}

#[test]
fn what_fails_later_leaves_nothing_that_blocks_the_next_try() {
    for is_there in [false, true] {
        let home = home();
        if is_there {
            fs::create_dir_all(home.join("data/lost+found")).unwrap();
        }
        let outside = ["--key-file", "keys", "--database", "sqlite:../other.db"];
        let before = names(&home);
        // No certificate can name this host, which shows when one is made.
        let dotted = ["--url", "https://mdm.example.test.", "--admin", "admin@example.test"];
        let (code, said) = init(&home, &[&dotted[..], &outside].concat(), "");
        assert!(code == 1 && said.contains("mdm.example.test."), "{said}");
        assert_eq!(names(&home), before);
        assert!(!is_there || names(&home.join("data")) == ["lost+found"]);
        made(&home, &outside);
        assert_eq!(names(&home), ["data", "keys", "other.db"]);
        for (path, mode) in [("keys", 0o600), ("other.db", 0o600), ("data/muster.toml", 0o600), ("data/ca", 0o700)] {
            let found = fs::metadata(home.join(path)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{path}: {found:o}");
        }
        let inside = names(&home.join("data"));
        assert!(!inside.iter().any(|name| name == "keys" || name.starts_with("muster.db")), "{inside:?}");
        ready_line(&home, &["--key-file", "keys"]);
        let (code, said) = init(&home, &GOOD, "");
        assert!(code == 1 && said.contains("holds an installation already"), "{said}");
    }
}

#[test]
fn a_killed_init_does_not_block_the_next_one() {
    let home = home();
    fs::create_dir(home.join("data")).unwrap();
    let mut child = muster()
        .args(["init", "--data", "data"])
        .args(GOOD)
        .current_dir(&home)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // In the middle of making keys: the folder is there.
    let working = || fs::read_dir(home.join("data")).unwrap().next().map(|_| ());
    support::eventually("init is at work", || working().or_else(|| child.try_wait().unwrap().map(|_| ())));
    child.kill().unwrap();
    child.wait().unwrap();
    if !home.join("data/muster.toml").exists() {
        made(&home, &[]);
    }
    assert!(names(&home.join("data")).iter().all(|name| !name.starts_with(".init")), "nothing is left over");
    ready_line(&home, &[]);
}

#[test]
fn keys_that_are_there_are_used_and_stay() {
    let home = home();
    made(&home, &["--key-file", "keys"]);
    let keys = fs::read(home.join("keys")).unwrap();
    fs::remove_dir_all(home.join("data")).unwrap();
    let dotted = ["--url", "https://mdm.example.test.", "--admin", "admin@example.test", "--key-file", "keys"];
    assert_eq!(init(&home, &dotted, "").0, 1);
    assert_eq!(fs::read(home.join("keys")).unwrap(), keys, "a failure does not take them away");
    made(&home, &["--key-file", "keys"]);
    assert_eq!(fs::read(home.join("keys")).unwrap(), keys);
    assert!(!home.join("data/keys").exists());
    let (code, said) =
        init(&home, &[&GOOD[..], &["--data", "second", "--database", "sqlite:../data/muster.db"]].concat(), "");
    assert!(code != 0, "{said}");
}

#[test]
fn a_database_that_is_there_is_left_alone() {
    let home = home();
    fs::write(home.join("other.db"), "mine").unwrap();
    let (code, said) = init(&home, &[&GOOD[..], &["--database", "sqlite:../other.db"]].concat(), "");
    assert!(code == 1 && said.contains("other.db exists already"), "{said}");
    assert_eq!(
        (fs::read(home.join("other.db")).unwrap(), names(&home)),
        (b"mine".to_vec(), vec!["other.db".to_owned()])
    );
}

#[test]
fn parts_of_an_installation_are_not_touched() {
    let home = home();
    made(&home, &[]);
    fs::remove_file(home.join("data/muster.toml")).unwrap();
    let before = names(&home.join("data"));
    let (code, said) = init(&home, &GOOD, "");
    assert!(code == 1 && said.contains("holds `ca`"), "{said}");
    assert_eq!(names(&home.join("data")), before);
}

#[test]
fn a_certificate_that_is_there_is_named_by_its_whole_path() {
    let home = home();
    certificate(&home, "own");
    made(&home, &["--tls-cert", "own.pem", "--tls-key", "./own.key"]);
    let config = fs::read_to_string(home.join("data/muster.toml")).unwrap();
    for file in ["own.pem", "own.key"] {
        let path = home.join(file).canonicalize().unwrap();
        assert!(config.contains(&format!("{:?}", path.to_str().unwrap())), "{config}");
    }
    assert!(!home.join("data/tls/server.pem").exists());
    let line = ready_line(&home, &[]);
    assert!(line.contains("localhost"), "{line}");
}
