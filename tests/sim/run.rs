//! `muster sim` as a user runs it: summary, log, faults, the comparison with the server, and what it refuses.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::api::Api;
use super::support::server::{Server, muster, wait_with_timeout};

/// Long, because the machine that runs the tests may be busy.
const LIMIT: Duration = Duration::from_secs(120);

fn start(server: &Server, line: &[&str], input: &str) -> Child {
    let mut command = muster();
    command.arg("sim").args(line).env("MUSTER_DATA", server.data()).env("TMPDIR", server.data());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("muster starts");
    // One that refuses its arguments may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child
}

/// Exit code, standard output and standard error.
fn ended(mut child: Child) -> (i32, String, String) {
    let (status, out, err) = wait_with_timeout(&mut child, LIMIT).expect("the simulation ends");
    (status.code().unwrap_or(-1), out, err)
}

#[track_caller]
fn summary(child: Child) -> Value {
    let (code, out, err) = ended(child);
    assert_eq!(code, 0, "{err}\n{out}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}\n{out}"))
}

fn log(server: &Server, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(server.data().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// As Ctrl-C does.
fn interrupt(sim: &Child) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(sim.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// Asks until it is so; the server works on it meanwhile.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        match look() {
            Some(found) => return found,
            None => assert!(Instant::now() < deadline, "did not come to pass: {what}"),
        }
    }
}

/// A lock for each device, a reboot for each third, settings for each second; the ids, actions apart from raw commands.
fn queue(api: &Api, devices: &[Value]) {
    let setting = "<Replace><Item><Target><LocURI>./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera</LocURI></Target>\
         <Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>0</Data></Item></Replace>\
         <Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>";
    for (number, device) in devices.iter().enumerate() {
        let id = device["id"].as_str().unwrap();
        api.act(id, &json!({"type": "lock"}));
        if number % 3 == 0 {
            api.act(id, &json!({"type": "reboot"}));
        }
        if number % 2 == 0 {
            api.command(id, setting);
        }
    }
}

//
#[test]
fn with_faults_and_commands_both_sides_agree() {
    let server = Server::start();
    let folder = server.data();
    let faults = "drop-response=4%,dup-msg=4%,die-after-offer=6%,wrong-answer=4%,slow=2%:20ms";
    let log_file = folder.join("devices.jsonl");
    let sim = start(
        &server,
        &[
            "--devices",
            "24",
            "--profile",
            "win11=50%,win10=50%",
            "--poll",
            "400s",
            "--time-scale",
            "200",
            "--seed",
            "faulty",
            "--faults",
            faults,
            "--verify",
            "--json",
            "--log",
            &log_file.to_string_lossy(),
        ],
        "",
    );
    let api = server.api();
    let devices = until("24 devices are enrolled and were heard", || {
        let devices = api.list("/devices?limit=100");
        (devices.iter().filter(|device| !device["last_seen_at"].is_null()).count() == 24).then_some(devices)
    });
    queue(&api, &devices);
    until("no command waits", || {
        let waits = |path: &str| !api.get(path)["items"].as_array().unwrap().is_empty();
        let lists = ["/actions?limit=1&state=", "/commands?limit=1&state="];
        let is_open = |list: &&str| ["queued", "sent"].iter().any(|state| waits(&format!("{list}{state}")));
        (!lists.iter().any(is_open)).then_some(())
    });
    interrupt(&sim);
    let summary = summary(sim);
    assert_eq!(summary["enrollments"]["count"], 24, "{summary}");
    assert_eq!(summary["errors"], json!({}), "{summary}");
    assert!(summary["faults"]["drop-response"].as_u64() > Some(0), "{summary}");
    let verification = &summary["verification"];
    assert_eq!(verification["disagreements"]["count"], 0, "{summary}");
    let states = verification["commands"].as_object().unwrap();
    assert_eq!(states.values().filter_map(Value::as_u64).sum::<u64>(), 24 + 8 + 12, "{summary}");
    assert!(states["succeeded"].as_u64() > Some(20), "{summary}");
    let latency = &summary["sessions"]["latency_ms"];
    assert!(latency["p50"].as_f64() <= latency["p99"].as_f64() && latency["p50"].as_f64() > Some(0.0), "{summary}");
    let offers = api.list("/commands?limit=100").iter().map(|command| command["offers"].as_u64()).collect::<Vec<_>>();
    assert!(offers.len() == 12 && offers.iter().all(|offers| *offers > Some(0)), "{offers:?}");
    assert_eq!(summary["log"], json!(log_file), "{summary}");
    let lines = log(&server, "devices.jsonl");
    let locked = lines.iter().filter(|line| line["what"] == "did" && line["effect"] == "locked").count();
    assert!(locked >= 20, "{locked} devices were locked");
    let enrollments: BTreeSet<&str> = lines.iter().filter_map(|line| line["enrollment"].as_str()).collect();
    assert_eq!(enrollments.len(), 24);
}

#[test]
fn devices_renew_when_the_server_asks() {
    let server = Server::start();
    let line = ["--devices", "3", "--poll", "100s", "--time-scale", "200", "--verify", "--json"];
    let sim = start(&server, &line, "");
    let api = server.api();
    let devices = until("3 devices are enrolled", || {
        Some(api.list("/devices?state=active")).filter(|devices| devices.len() == 3)
    });
    let renew_now = "<Exec><Item><Target><LocURI>./Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RenewNow</LocURI></Target></Item></Exec>";
    for device in &devices {
        api.command(device["id"].as_str().unwrap(), renew_now);
    }
    until("the certificates before are superseded", || {
        let certificates = api.list("/certificates?limit=100");
        let over = certificates.iter().filter(|certificate| certificate["state"] == "superseded").count();
        (over >= 3 && certificates.len() >= 6).then_some(())
    });
    interrupt(&sim);
    let summary = summary(sim);
    assert_eq!(summary["renewals"]["count"], 3, "{summary}");
    assert_eq!(summary["errors"], json!({}), "{summary}");
    assert_eq!(summary["verification"]["disagreements"]["count"], 0, "{summary}");
}

#[test]
fn a_rate_and_a_number_of_sessions() {
    let server = Server::shared();
    let user = server.api().add_user();
    let line = [
        "--devices",
        "5",
        "--rate",
        "50",
        "--sessions",
        "2",
        "--tls",
        "1.2",
        "--resume",
        "--user",
        &user.email,
        "--password-stdin",
        "--json",
        "--profile",
        "hololens2",
    ];
    let summary = summary(start(server, &line, &user.password));
    assert_eq!(summary["sessions"]["count"], 10, "{summary}");
    assert_eq!(summary["errors"], json!({}), "{summary}");
    assert_eq!(summary["connections"]["resumed"], 5, "each device resumes its second session: {summary}");
    assert!(summary["bytes"]["up"].as_u64() > Some(10_000), "{summary}");
    assert_eq!(server.api().devices_of(&user).len(), 5);
}

#[test]
fn an_overloaded_run_ends_when_it_is_stopped() {
    let server = Server::start();
    let sim = start(&server, &["--devices", "1", "--rate", "5000", "--json"], "");
    until("the device is enrolled and was heard", || {
        let devices = server.api().list("/devices?limit=1");
        devices.iter().any(|device| !device["last_seen_at"].is_null()).then_some(())
    });
    interrupt(&sim);
    let (code, out, err) = ended(sim);
    assert_eq!(code, 1, "{err}\n{out}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    let refused = summary["errors"]["not_started"]["count"].as_u64();
    assert!(refused > Some(0), "{summary}");
    assert!(summary["sessions_not_started"].as_u64() > refused, "those that still waited are counted too: {summary}");
}

/// Files of a run without `--log`.
fn temporary_logs(server: &Server) -> usize {
    let files = std::fs::read_dir(server.data()).unwrap().map(|file| file.unwrap().file_name());
    files.filter(|name| name.to_string_lossy().ends_with(".jsonl")).count()
}

#[test]
fn a_log_for_the_comparison_alone_is_not_left_behind() {
    let server = Server::start();
    let summary = summary(start(&server, &["--devices", "1", "--sessions", "1", "--verify", "--json"], ""));
    assert_eq!((&summary["log"], temporary_logs(&server)), (&Value::Null, 0), "{summary}");
    // Whoever stops it twice gets no summary. The first questions of the server keep the device busy until then.
    let line = ["--devices", "1", "--sessions", "1", "--verify", "--faults", "slow=100%:3600s"];
    let mut sim = start(&server, &line, "");
    until("a second device is enrolled", || (server.api().list("/devices?limit=5").len() == 2).then_some(()));
    assert_eq!(temporary_logs(&server), 1);
    until("it ends", || {
        interrupt(&sim);
        sim.try_wait().unwrap()
    });
    let (code, _, err) = ended(sim);
    assert!(code == 1 && err.contains("stopped in the middle of sessions"), "{code} {err}");
    assert_eq!(temporary_logs(&server), 0);
}

/// The device cannot say what a command brought: that is an error of the run, but not one of the server's.
#[test]
fn an_answer_that_is_too_large_is_an_error() {
    let server = Server::start();
    let sim = start(&server, &["--devices", "1", "--poll", "100s", "--time-scale", "200", "--verify", "--json"], "");
    let api = server.api();
    let device = until("the device is enrolled", || api.list("/devices?limit=1").pop());
    let item = "<Item><Target><LocURI>./Device/Vendor/MSFT/DeviceManageability/Capabilities/CSPVersions</LocURI></Target></Item>";
    let id = device["id"].as_str().unwrap();
    api.command(id, &format!("<Get>{}</Get>", item.repeat(200)));
    until("the command is over", || (api.list("/commands?limit=1")[0]["state"] == "failed").then_some(()));
    interrupt(&sim);
    let (code, out, err) = ended(sim);
    assert!(code == 1 && err.contains("1 errors that were not asked for"), "{code} {err}\n{out}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["errors"]["answer_too_large"]["count"], 1, "{summary}");
    assert_eq!(summary["verification"]["disagreements"]["count"], 0, "{summary}");
}

#[test]
fn the_same_seed_makes_the_same_hardware() {
    let server = Server::start();
    let run = |name: &str| {
        let file = server.data().join(name);
        let line = ["--devices", "4", "--poll", "0s", "--sessions", "1", "--seed", "again", "--log"];
        let child = start(&server, &[&line[..], &[&file.to_string_lossy()]].concat(), "");
        let (code, out, err) = ended(child);
        assert_eq!(code, 0, "{err}{out}");
        let lines = log(&server, name);
        let enrolled = lines.iter().filter(|line| line["what"] == "enrolled");
        enrolled.map(|line| line["hw_dev_id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let first = run("first.jsonl");
    assert_eq!((first.len(), &first), (4, &run("second.jsonl")));
    assert_eq!(server.api().list("/devices?state=active").len(), 4, "the second enrollment replaces the first");
}

#[test]
fn errors_that_were_not_asked_for_fail_the_run() {
    let server = Server::shared();
    let user = server.api().add_user();
    let line = ["--devices", "2", "--sessions", "1", "--user", &user.email, "--password-stdin", "--json"];
    let (code, out, err) = ended(start(server, &line, "not the password"));
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("2 errors that were not asked for"), "{err}");
    let summary: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["errors"]["enroll_refused"]["count"], 2, "{summary}");
}

#[test]
fn what_is_no_simulation_is_named() {
    let server = Server::shared();
    for (line, named) in [
        (&["--devices", "0"][..], "--devices"),
        (&["--devices", "1", "--faults", "explode=1%"], "no fault \"explode\""),
        (&["--devices", "1", "--faults", "dup-msg=lots"], "dup-msg=lots is no share"),
        (&["--devices", "1", "--profile", "amiga"], "no \"amiga\""),
        (&["--devices", "1", "--rate", "1", "--poll", "1s"], "--poll"),
        (&["--devices", "1", "--poll", "soon"], "--poll"),
        (&["--devices", "1", "--rate", "1e-300"], "--rate"),
        (&["--devices", "1", "--poll", "1s", "--time-scale", "1e-20"], "--time-scale"),
        (&["--devices", "1", "--seed", "a/b"], "--seed"),
        (&["--devices", "1", "--user", "a@example.test"], "--password-stdin"),
    ] {
        let (code, out, err) = ended(start(server, line, ""));
        assert_eq!((code, out.as_str()), (2, ""), "{line:?}: {err}");
        assert!(err.contains(named), "{line:?}: {err}");
    }
}
