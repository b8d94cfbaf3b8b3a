//! The command line against a running server, as an administrator and a script would use it.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::csp::Answer;
use crate::support::device::FakeDevice;
use crate::support::server::{Server, fresh_installation, muster};
use crate::support::unique;

/// Runs the program on the server's installation; returns exit code, standard output and standard error.
fn run(server: &Server, line: &[&str]) -> (i32, String, String) {
    with_input(server, line, "")
}

fn with_input(server: &Server, line: &[&str], input: &str) -> (i32, String, String) {
    let mut command = muster();
    command.args(line).env("MUSTER_DATA", server.data());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("muster starts");
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    told(&child.wait_with_output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn good(server: &Server, line: &[&str]) -> String {
    let (code, out, err) = run(server, line);
    assert_eq!(code, 0, "{line:?}: {err}");
    out
}

#[track_caller]
fn json(server: &Server, line: &[&str]) -> Value {
    let line = [line, &["--json"]].concat();
    let out = good(server, &line);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line:?}: {error}\n{out}"))
}

#[test]
fn users_come_and_go() {
    let server = Server::shared();
    let email = format!("cli-{}@example.test", unique());
    let (code, out, err) =
        with_input(server, &["user", "add", &email, "--name", "Ada", "--password-stdin"], "correct horse\n");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(&email) && !out.contains("horse") && !err.contains("horse"), "{out}{err}");
    let user = json(server, &["user", "show", &email.to_uppercase()]);
    assert_eq!((user["name"].as_str(), user["has_password"].as_bool()), (Some("Ada"), Some(true)));
    let table = good(server, &["user", "list", &email]);
    assert!(table.starts_with("ID") && table.contains(&email) && !table.contains('\u{1b}'), "{table}");
    good(server, &["user", "change", &email, "--disable"]);
    assert_eq!(json(server, &["user", "show", &email])["enabled"], false);
    let (code, _, err) = with_input(server, &["user", "add", &email, "--password-stdin"], "correct horse\n");
    assert_eq!((code, err.lines().count()), (1, 1), "one sentence: {err}");
    assert!(err.contains("already"), "{err}");
    let tried = json(server, &["user", "remove", &email, "--dry-run"]);
    assert_eq!((tried["dry_run"].as_bool(), tried["user"]["email"].as_str()), (Some(true), Some(email.as_str())));
    assert!(good(server, &["user", "remove", &email, "--dry-run"]).starts_with("dry run: would remove"));
    good(server, &["user", "remove", &email]);
    assert_eq!(run(server, &["user", "show", &email]).0, 1);
}

#[test]
fn exit_codes_tell_what_happened() {
    let server = Server::shared();
    assert_eq!(run(server, &["--help"]).0, 0);
    assert_eq!(run(server, &["--version"]).0, 0);
    for line in [&["nonsense"][..], &["device", "lock"], &["user", "change", "x"], &["action", "show", "../users"]] {
        let (code, out, err) = run(server, line);
        assert_eq!((code, out.as_str()), (2, ""), "{line:?}: {err}");
    }
    let (code, out, err) = run(server, &["device", "lock", "NO-SUCH-PC"]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("NO-SUCH-PC"), "{err}");
}

#[test]
fn a_device_is_named_by_id_by_the_beginning_of_it_and_by_name() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    let name = json(server, &["device", "show", &id])["name"].as_str().unwrap().to_owned();
    assert_eq!(json(server, &["device", "show", &id[..18]])["id"], id.as_str());
    assert!(good(server, &["device", "list"]).contains(&name));
    let action = json(server, &["device", "lock", &id, "--reason", "left in a taxi"]);
    assert_eq!((action["type"].as_str(), action["state"].as_str()), (Some("lock"), Some("queued")));
    let shown = good(server, &["action", "show", action["id"].as_str().unwrap()]);
    assert!(shown.contains("left in a taxi"), "{shown}");
    let (code, _, err) = run(server, &["device", "reboot", &id, "NO-SUCH-PC"]);
    assert_eq!(code, 4, "one of two: {err}");
    good(server, &["action", "cancel", action["id"].as_str().unwrap()]);
    let (code, _, err) = run(server, &["device", "tenant-lockdown", &name, "on", "--dry-run"]);
    assert!(code == 1 && err.contains("Autopilot"), "understood, and refused for this device: {err}");
}

#[test]
fn settings_are_given_as_options_and_documents_as_files() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    let lock = json(server, &["device", "device-lock", &id, "--min-length", "8", "--allow-simple-password", "false"]);
    assert_eq!((lock["type"].as_str(), lock["state"].as_str()), (Some("device_lock"), Some("queued")), "{lock}");
    assert_eq!(
        (lock["min_length"].as_u64(), lock["allow_simple_password"].as_bool()),
        (Some(8), Some(false)),
        "{lock}"
    );
    let vpn = "<VPNProfile><NativeProfile><Servers>vpn.example.test</Servers></NativeProfile></VPNProfile>";
    let line = ["device", "vpn-profile", &id, "--name", "Head office", "--profile", "-", "--dry-run"];
    let (code, out, err) = with_input(server, &line, vpn);
    assert!(code == 0 && out.contains("queued") && !out.contains("example.test"), "{out}{err}");
    let (code, _, err) = with_input(server, &line, "<VPNProfile/>");
    assert!(code == 1 && err.contains("/profile"), "the place is told: {err}");
    assert_eq!(run(server, &["device", "vpn-profile", &id, "--name", "x", "--profile", "no-such-file"]).0, 2);
    let removed = json(server, &["device", "remove-setting", &id, "--setting", "device_lock"]);
    assert_eq!(removed["setting"], "device_lock", "{removed}");
}

#[test]
fn certificates_come_from_files_and_their_secrets_too() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    let root = server.root_pem();
    let line = ["device", "trusted-certificate", &id, "--store", "root", "--certificate", "-"];
    let (code, out, err) = with_input(server, &line, std::str::from_utf8(&root).unwrap());
    assert!(code == 0 && out.contains("queued"), "{out}{err}");
    let pfx = server.data().join("with-key.pfx");
    std::fs::write(&pfx, [0x30, 0x03, 0x02, 0x01, 0x00]).unwrap();
    let pfx = pfx.to_str().unwrap();
    let line = ["device", "pfx-certificate", &id, "--pfx", pfx, "--password-file", "-", "--exportable", "true"];
    let (code, out, err) = with_input(server, &line, "never told\n");
    assert!(code == 0 && out.contains("pfx_certificate") && !out.contains("never told"), "{out}{err}");
    let scep = ["device", "scep-certificate", &id, "--server-url", "https://ca.example.test/scep", "--ca-thumbprint"];
    let more = [&"0".repeat(40), "--subject-name", "CN=PC-7", "--challenge-file", "-"];
    let (code, out, err) = with_input(server, &[scep.as_slice(), more.as_slice()].concat(), "open sesame\n");
    assert!(code == 0 && out.contains("scep_certificate"), "{out}{err}");
    let key = ["device", "change-product-key", &id, "--product-key-file", "-", "--dry-run"];
    let (code, out, err) = with_input(server, &key, "QQQQQ-WWWWW-EEEEE-RRRRR-TTTTT\n");
    assert!(code == 0 && out.contains("change_product_key") && !out.contains("QQQQQ"), "{out}{err}");
    let ring = ["device", "update-ring", &id, "--parameters", "-", "--dry-run"];
    let (code, out, err) = with_input(server, &ring, r#"{"quality_deferral_days": 7}"#);
    assert!(code == 0 && out.contains("update_ring"), "{out}{err}");
    let msi = json(
        server,
        &[
            "device",
            "install-msi",
            &id,
            "--product-code",
            "3c1e5e1e-90a5-4b1e-9d0c-5c1b2a7f0e11",
            "--product-version",
            "2.4.0",
            "--url",
            "https://files.example.test/agent.msi",
            "--sha256",
            &"0".repeat(64),
            "--command-line",
            "/quiet",
            "--dry-run",
        ],
    );
    assert_eq!((msi["type"].as_str(), msi["version"].as_str()), (Some("install_msi"), Some("2.4.0")), "{msi}");
}

#[test]
fn a_revocation_can_be_tried_with_a_serial_number_as_windows_shows_it() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let shown = json(server, &["cert", "list", "--device", &device.id(server)])["items"][0].clone();
    let serial = shown["serial"].as_str().unwrap();
    let pairs: Vec<&str> = (0..serial.len()).step_by(2).map(|at| &serial[at..at + 2]).collect();
    for written in [pairs.join(":").to_uppercase(), pairs.join(" "), serial.trim_start_matches('0').to_owned()] {
        let tried = json(server, &["cert", "revoke", &written, "--dry-run"]);
        assert_eq!((tried["serial"].as_str(), tried["dry_run"].as_bool()), (Some(serial), Some(true)), "{written}");
    }
    assert!(!server.api().is_revoked(serial));
}

#[test]
fn destructive_orders_are_asked_back() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    for order in ["wipe", "retire"] {
        let (code, _, err) = run(server, &["device", order, &id]);
        assert_eq!(code, 2, "without a terminal and --yes: {err}");
        assert!(err.contains("--yes"), "{err}");
    }
    assert!(json(server, &["device", "actions", &id])["items"].as_array().unwrap().is_empty());
    let tried = json(server, &["device", "wipe", &id, "--dry-run"]);
    assert_eq!(tried["dry_run"], true);
    assert!(json(server, &["device", "actions", &id])["items"].as_array().unwrap().is_empty());
}

#[test]
fn a_new_pin_is_shown_once() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    device.csp.rule("Get", "/NewPINValue", Answer::Value("chr".to_owned(), "40182736".to_owned()));
    let action = json(server, &["device", "reset-passcode", &device.id(server)]);
    device.check_in();
    let id = action["id"].as_str().unwrap();
    assert_eq!(good(server, &["action", "reveal", id]).trim(), "40182736");
    let (code, out, err) = run(server, &["action", "reveal", id]);
    assert!(code != 0 && out.is_empty() && err.contains("no longer kept"), "{err}");
}

#[test]
fn a_session_is_told_in_words() {
    let server = Server::shared();
    let (device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    let sessions = json(server, &["session", "list", &id]);
    let session = sessions["items"][0]["id"].as_str().unwrap();
    crate::support::eventually("the transcript", || {
        let shown = good(server, &["session", "show", session]);
        (shown.contains("device says") && shown.contains("server says")).then_some(())
    });
    let shown = good(server, &["session", "show", session, "--raw"]);
    assert!(shown.contains("begins a session (Alert 1201)"), "{shown}");
    assert!(shown.contains("<SyncBody>"), "{shown}");
}

#[test]
fn a_remote_server_is_reached_with_its_own_ca_and_token() {
    let server = Server::shared();
    let root = server.data().join("ca/root.pem");
    let mut command = muster();
    command.args(["device", "list", "--json", "--server", &server.url, "--data", "/nonexistent", "--ca-file"]);
    let output = command.arg(&root).env("MUSTER_TOKEN", server.token()).output().unwrap();
    assert_eq!(told(&output).0, 0, "{}", String::from_utf8_lossy(&output.stderr));
    let home = fresh_installation();
    let stranger = home.join("token");
    std::fs::write(&stranger, format!("mst_{}\n", "x".repeat(43))).unwrap();
    let output = muster()
        .args(["device", "list", "--server", &server.url, "--ca-file"])
        .arg(&root)
        .arg("--token-file")
        .arg(stranger)
        .output()
        .unwrap();
    let (code, _, err) = told(&output);
    assert!(code == 1 && err.contains("does not accept the token"), "{err}");
    let mut command = muster();
    command.args(["device", "list", "--server", &server.url, "--token-file"]).arg(home.join("data/keys"));
    assert!(told(&command.output().unwrap()).2.contains("holds no token"));
    let output = muster()
        .args(["device", "list", "--server", &server.url])
        .env("MUSTER_TOKEN", server.token())
        .output()
        .unwrap();
    let (code, _, err) = told(&output);
    assert!(code == 1 && err.contains("cannot reach"), "a CA that nobody vouched for: {err}");
}

#[test]
fn without_a_server_the_way_to_one_is_told() {
    let data = fresh_installation().join("data");
    let output = muster().args(["user", "list", "--data"]).arg(&data).output().unwrap();
    let (code, out, err) = told(&output);
    assert!(code == 1 && out.is_empty() && err.contains("muster serve --data"), "{err}");
    let output = muster().args(["user", "list", "--data", "/nonexistent"]).output().unwrap();
    assert!(told(&output).2.contains("muster init"));
    let output = muster().args(["check-config", "--data"]).arg(&data).output().unwrap();
    assert_eq!(told(&output).0, 0);
    std::fs::OpenOptions::new()
        .append(true)
        .open(data.join("muster.toml"))
        .and_then(|mut file| writeln!(file, "colour = true"))
        .unwrap();
    let (code, _, err) = told(&muster().args(["check-config", "--data"]).arg(&data).output().unwrap());
    assert!(code == 1 && err.contains("line") && err.contains("colour"), "{err}");
}

#[test]
fn the_demo_goes_through_no_proxy() {
    let output = muster()
        .arg("demo")
        .env("TMPDIR", crate::support::server::workspace())
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:9")))
        .output()
        .unwrap();
    let (code, out, err) = told(&output);
    assert!(code == 0 && out.contains("Done."), "{out}{err}");
}

#[test]
fn the_routes_are_listed_without_a_server() {
    let output = muster().args(["routes", "--json"]).output().unwrap();
    let (code, out, _) = told(&output);
    let routes: Value = serde_json::from_str(&out).unwrap();
    let routes = routes["items"].as_array().unwrap();
    assert_eq!(code, 0);
    assert!(routes.iter().any(|route| route["path"] == "/ManagementServer/MDM.svc" && route["audience"] == "device"));
    assert!(routes.iter().all(|route| route["audience"] != "api" || route["role"].is_string()));
}

const CAMERA: &str = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera";

#[test]
fn the_catalogue_is_searched_and_shown() {
    let server = Server::shared();
    let found = json(server, &["csp", "search", "camera", "allow", "--limit", "3"]);
    let items = found["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["path"]), (3, &Value::from(CAMERA)), "{found}");
    let text = good(server, &["csp", "search", "camera", "allow"]);
    assert!(text.contains(CAMERA) && text.contains("Add Delete Get Replace | int | "), "{text}");
    assert!(good(server, &["csp", "search", "nonsense-of-nobody"]).contains("no node"));
    let shown = good(server, &["csp", "show", "./Vendor/MSFT/Policy/Config/Camera/AllowCamera"]);
    assert!(shown.contains(CAMERA) && shown.contains("Add, Delete, Get, Replace"), "{shown}");
    assert_eq!(json(server, &["csp", "show", CAMERA])["path"], CAMERA);
    let (code, out, err) = run(server, &["csp", "show", "./Vendor/MSFT/Policy/Config/Camera/AllowCamra"]);
    assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
    assert!(err.contains("Camera/AllowCamera"), "what may be meant: {err}");
    assert!(good(server, &["csp", "catalogue"]).contains("of this build"));
}

#[test]
fn a_file_is_judged_before_it_is_sent() {
    let server = Server::shared();
    let xml = |value: &str| {
        format!(
            r#"<Replace><CmdID>1</CmdID><Item><Target><LocURI>{CAMERA}</LocURI></Target><Meta><Format xmlns="syncml:metinf">int</Format></Meta><Data>{value}</Data></Item></Replace>"#
        )
    };
    let (code, out, err) = with_input(server, &["csp", "check", "-"], &xml("1"));
    assert_eq!((code, out.lines().next()), (0, Some(format!("ok       Replace {CAMERA}").as_str())), "{err}");
    let both = format!("{}{}", xml("1"), xml("7"));
    let (code, out, err) = with_input(server, &["csp", "check", "-"], &both);
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    assert!(out.contains("value_not_in_enum") && err.contains("1 of 2"), "{out}{err}");
    let (code, out, _) = with_input(server, &["csp", "check", "-", "--json"], &both);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &document["refused"], &document["results"][0]["ok"]), (1, &1.into(), &true.into()), "{document}");

    let (device, _) = FakeDevice::settled(server);
    let search = r#"[{"uri": "./Device/Vendor/MSFT/Policy/Config/Search/ConfigureSearchOnTaskbarMode", "op": "Get"}]"#;
    assert_eq!(with_input(server, &["csp", "check", "-"], search).0, 0, "for no build in particular");
    let id = device.id(server);
    for how in [["--build", "10.0.19045.1"], ["--device", &id]] {
        let (code, out, _) = with_input(server, &[&["csp", "check", "-"], &how[..]].concat(), search);
        assert!(code == 1 && out.contains("not_applicable_os"), "{how:?}: {out}");
    }
    let (code, _, err) = with_input(server, &["csp", "check", "-"], "neither");
    assert!(code == 1 && err.contains("neither SyncML nor JSON"), "{err}");
    assert_eq!(run(server, &["csp", "check", "no-such-file"]).0, 1);
}

#[test]
fn the_catalogue_is_overruled_and_replaced() {
    let server = Server::start();
    let set = ["csp", "override", "set", CAMERA];
    let values = r#"{"kind": "Range", "min": 0, "max": 9}"#;
    let made =
        json(&server, &[&set, &["--values", values, "--reason", "ours", "--edition", "ENTERPRISE"][..]].concat());
    assert_eq!((&made["ruling"], &made["edition"]["id"]), (&Value::from("values"), &Value::from("0x4")), "{made}");
    let listed = good(&server, &["csp", "override", "list"]);
    assert!(listed.contains(CAMERA) && listed.contains("on ENTERPRISE") && listed.contains("ours"), "{listed}");
    assert!(good(&server, &["csp", "show", CAMERA]).contains("decided:"));
    let (code, _, err) = run(&server, &[&set, &["--values", "{", "--reason", "x"][..]].concat());
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = run(&server, &["csp", "override", "set", "Camera", "--allow", "--reason", "x"]);
    assert!(code == 1 && err.lines().count() == 1, "{err}");
    good(&server, &["csp", "override", "withdraw", made["id"].as_str().unwrap()]);
    assert!(good(&server, &["csp", "override", "list"]).contains("nobody"));

    let archive = fresh_installation().join("set.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
    writer.start_file("Drop2031/Contoso.xml", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(include_bytes!("../../protocol-fixtures/csp/Contoso.xml")).unwrap();
    writer.finish().unwrap();
    let file = archive.to_str().unwrap();
    assert!(good(&server, &["csp", "import", file, "--dry-run"]).contains("dry run: would import Drop2031: 9 nodes"));
    assert_eq!(run(&server, &["csp", "show", "./Vendor/MSFT/Contoso/Level"]).0, 1);
    assert!(good(&server, &["csp", "import", file]).contains("9 new"));
    good(&server, &["csp", "show", "./Vendor/MSFT/Contoso/Level"]);
    assert!(good(&server, &["csp", "catalogue"]).contains("Drop2031"));
    good(&server, &["csp", "reset"]);
    assert_eq!(run(&server, &["csp", "reset"]).0, 1, "nothing is imported any more");
    assert_eq!(run(&server, &["csp", "import", file, "--version", &"x".repeat(101)]).0, 1);
}
