//! `muster doctor` against stand-ins with one flaw each, and against the server itself. Nothing here has an installation:
//! it is the way of a PC, from outside.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::nginx::Nginx;
use crate::support::server::{Server, muster, wait_with_timeout};
use crate::support::standin::{Flaws, Record, StandIn, name_server};
use crate::support::{openssl, unique};

const DOMAIN: &str = "fabrikam.test";
const HOST: &str = "EnterpriseEnrollment.fabrikam.test";
const LOWER: &str = "enterpriseenrollment.fabrikam.test";
const POLICY: &str = "/EnrollmentServer/Policy.svc";
const ENROLLMENT: &str = "/EnrollmentServer/Enrollment.svc";
/// What a name server knows.
type Zone = Vec<(&'static str, Record)>;
const HERE: Record = Record::A([127, 0, 0, 1]);

/// Runs it for JSON; the document and the exit code.
#[track_caller]
fn doctor(arguments: &[&str], input: &str) -> (Value, i32) {
    let (code, out, err) = run(&[arguments, &["--json"]].concat(), input);
    let document = serde_json::from_str(&out).unwrap_or_else(|error| panic!("no JSON ({error}): {out}\n{err}"));
    (document, code)
}

#[track_caller]
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let nowhere = crate::support::server::workspace().join(format!("nowhere-{}", unique()));
    let mut child = muster()
        .args(["doctor", "--data"])
        .arg(nowhere)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let (status, out, err) = wait_with_timeout(&mut child, Duration::from_secs(60)).expect("it ends");
    (status.code().unwrap(), out, err)
}

/// The faults of the only target, in their order.
fn faults(document: &Value) -> Vec<String> {
    let steps = document["targets"][0]["steps"].as_array().expect("there are steps");
    let faults = steps.iter().filter(|step| step["state"] == "fault");
    faults.map(|step| step["code"].as_str().unwrap().to_owned()).collect()
}

fn plain_names() -> SocketAddr {
    name_server(&[(LOWER, Record::Cname("mdm.fabrikam.test")), ("mdm.fabrikam.test", HERE)])
}

#[track_caller]
fn examine(server: &StandIn, names: SocketAddr, more: &[&str]) -> (Value, i32) {
    let (url, names) = (format!("https://{HOST}:{}", server.port), names.to_string());
    let arguments = [&[url.as_str(), "--dns", &names, "--ca", path(&server.root)], more].concat();
    doctor(&arguments, "")
}

/// The warnings with what they are about.
fn warnings(document: &Value) -> Vec<(&str, &str)> {
    let steps = document["targets"][0]["steps"].as_array().expect("there are steps");
    let warnings = steps.iter().filter(|step| step["state"] == "warning");
    warnings.map(|step| (step["code"].as_str().unwrap(), step["subject"].as_str().unwrap())).collect()
}

/// Examines a stand-in, trusting the root of another one too.
#[track_caller]
fn examine_both(servers: [&StandIn; 2], names: SocketAddr, more: &[&str]) -> (Value, i32) {
    let roots = servers.map(|server| std::fs::read(&server.root).unwrap()).concat();
    let (url, names) = (format!("https://{HOST}:{}", servers[0].port), names.to_string());
    let roots = openssl::temporary("roots.pem", &roots);
    doctor(&[&[url.as_str(), "--dns", &names, "--ca", path(&roots)], more].concat(), "")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the workspace has a plain name")
}

#[test]
fn a_server_without_flaw_passes() {
    let server = StandIn::start(LOWER, Flaws::default());
    let (document, code) = examine(&server, plain_names(), &["--expect", "mdm.fabrikam.test"]);
    assert_eq!((code, &document["ok"]), (0, &Value::Bool(true)), "{document:#}");
    let steps = document["targets"][0]["steps"].as_array().unwrap();
    let stages: Vec<_> =
        steps.iter().map(|step| (step["stage"].as_str().unwrap(), step["state"].as_str().unwrap())).collect();
    let expected = ["dns", "tls", "probe", "discovery", "policy", "enrollment", "clock"].map(|stage| (stage, "good"));
    assert_eq!(stages, expected, "{document:#}");
}

#[test]
fn each_flaw_is_named_first_and_alone() {
    let hour = time::Duration::hours(1);
    let cases: [(&str, Flaws, &str); 10] = [
        ("name mismatch", Flaws { other_name: Some("www.fabrikam.test"), ..Flaws::default() }, "tls_name_mismatch"),
        ("incomplete chain", Flaws { without_intermediate: true, ..Flaws::default() }, "tls_incomplete_chain"),
        ("expired certificate", Flaws { expired: true, ..Flaws::default() }, "tls_expired"),
        ("wrong path", Flaws { missing: Some("/EnrollmentServer/Policy"), ..Flaws::default() }, "http_wrong_path"),
        ("no enrollment", Flaws { missing: Some("/EnrollmentServer/Enrol"), ..Flaws::default() }, "http_wrong_path"),
        (
            "redirect to http",
            Flaws { redirect: Some("http://mdm.fabrikam.test/"), ..Flaws::default() },
            "http_insecure_redirect",
        ),
        ("clock behind", Flaws { ahead: -hour * 2, ..Flaws::default() }, "clock_apart"),
        ("clock ahead", Flaws { ahead: hour, ..Flaws::default() }, "clock_apart"),
        ("chunked proxy", Flaws { chunked: true, ..Flaws::default() }, "http_chunked"),
        ("sign-in page of a proxy", Flaws { media_type: Some("text/html"), ..Flaws::default() }, "http_media_type"),
    ];
    for (name, flaws, code) in cases {
        let server = StandIn::start(LOWER, flaws);
        let (document, exit) = examine(&server, plain_names(), &[]);
        assert_eq!((exit, &document["ok"]), (1, &Value::Bool(false)), "{name}: {document:#}");
        assert_eq!(document["first"]["code"], code, "{name}: {document:#}");
        assert!(faults(&document).iter().all(|fault| fault == code), "{name}: {:?}", faults(&document));
        for word in ["message", "fix"] {
            let text = document["first"][word].as_str().unwrap();
            assert!(text.ends_with('.') && text.len() > 20, "{name}: {word}: {text}");
        }
    }
}

#[test]
fn the_services_have_to_ask_for_a_credential() {
    let page = "<html><body>Sign in</body></html>";
    let cases = [
        ("Enrollment", Flaws { odd: Some((ENROLLMENT, 401, "text/html", page)), ..Flaws::default() }, "http_status"),
        ("Enrollment", Flaws { odd: Some((ENROLLMENT, 407, "text/html", page)), ..Flaws::default() }, "http_status"),
        (
            "Enrollment",
            Flaws { odd: Some((ENROLLMENT, 200, "text/html", page)), ..Flaws::default() },
            "http_media_type",
        ),
        ("Enrollment", Flaws { refused: Some((ENROLLMENT, "s:EnrollmentServer")), ..Flaws::default() }, "soap_fault"),
        ("Policy", Flaws { odd: Some((POLICY, 200, "text/html", page)), ..Flaws::default() }, "http_media_type"),
        ("Policy", Flaws { refused: Some((POLICY, "a:InternalServiceFault")), ..Flaws::default() }, "soap_fault"),
    ];
    for (service, flaws, code) in cases {
        let server = StandIn::start(LOWER, flaws.clone());
        let (document, exit) = examine(&server, plain_names(), &[]);
        assert_eq!((exit, faults(&document)), (1, vec![code.to_owned()]), "{flaws:?}: {document:#}");
        let steps = document["targets"][0]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["state"] == "fault").unwrap();
        assert!(step["subject"].as_str().unwrap().ends_with(&format!("/{service}.svc")), "{step:#}");
        assert!(!server.requests.lock().unwrap().iter().any(|request| request.contains("UsernameToken")));
    }
}

#[test]
fn every_address_of_a_name_is_looked_at() {
    let server = StandIn::start(LOWER, Flaws::default());
    let stale = server.beside(LOWER, Flaws { expired: true, ..Flaws::default() });
    let all = name_server(&[(LOWER, Record::All(&[[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]]))]);
    // Which of two that work is taken first is up to the name server; the stale one is told in both cases.
    let (document, _) = examine_both([&server, &stale], all, &[]);
    let told = document["targets"][0]["steps"].as_array().unwrap();
    assert!(told.iter().any(|step| step["code"] == "tls_expired"), "{document:#}");
    let dead = format!("127.0.0.3:{}", server.port);
    assert!(warnings(&document).contains(&("unreachable", dead.as_str())), "{document:#}");
    // With a dead one only, PCs get through.
    let half = name_server(&[(LOWER, Record::All(&[[127, 0, 0, 3], [127, 0, 0, 1]]))]);
    let (document, code) = examine_both([&server, &stale], half, &[]);
    assert_eq!((code, warnings(&document)), (0, vec![("unreachable", dead.as_str())]), "{document:#}");
}

#[test]
fn ipv6_is_taken_first_as_windows_does() {
    let names = || name_server(&[(LOWER, Record::Here46)]);
    let server = StandIn::start(LOWER, Flaws::default());
    let (document, code) = examine(&server, names(), &[]);
    let dead = format!("[::1]:{}", server.port);
    assert_eq!((code, warnings(&document)), (0, vec![("unreachable", dead.as_str())]), "{document:#}");
    let Some(stale) = server.beside_on_ipv6(LOWER, Flaws { expired: true, ..Flaws::default() }) else { return };
    let (document, code) = examine_both([&server, &stale], names(), &[]);
    assert_eq!((code, &document["first"]["code"]), (1, &Value::from("tls_expired")), "{document:#}");
}

#[test]
fn a_server_that_says_nothing_is_waited_for_no_longer_than_wanted() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{HOST}:{}", silent.local_addr().unwrap().port());
    let (began, names) = (std::time::Instant::now(), plain_names().to_string());
    let (document, code) = doctor(&[&url, "--dns", &names, "--timeout", "1"], "");
    assert_eq!((code, &document["first"]["code"]), (1, &Value::from("tls_handshake")), "{document:#}");
    let steps = document["targets"][0]["steps"].as_array().unwrap();
    let fault = steps.iter().find(|step| step["state"] == "fault").unwrap();
    assert_eq!(fault["stage"], "tls", "{document:#}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_proxy_that_rewrites_answers_is_named() {
    let server = Server::shared();
    let proxy = |more: &str| {
        let block = format!(
            "server {{\nlisten 443 ssl;\nserver_name mdm.example.com;\nssl_certificate /etc/nginx/mdm.example.com.pem;\n\
             ssl_certificate_key /etc/nginx/mdm.example.com.key;\nlocation / {{\nproxy_pass {};\n{more}\n}}\n\
             location /ManagementServer/ {{ proxy_pass https://10.0.0.11:8443; }}\n}}",
            server.url
        );
        Nginx::start(server, &block)
    };
    let root = openssl::temporary("root.pem", &server.root_pem());
    let through = |nginx: &Nginx| doctor(&[&nginx.url, "--ca", path(&root)], "");
    let (document, code) = through(&proxy(""));
    assert_eq!(code, 0, "{document:#}");
    // What looks into bodies sends them on without their length.
    let (document, code) = through(&proxy("sub_filter 'nothing' 'nothing'; sub_filter_types *;"));
    assert_eq!((code, &document["first"]["code"]), (1, &Value::from("http_chunked")), "{document:#}");
    let (document, code) = through(&proxy("return 401;"));
    assert_eq!(code, 1, "{document:#}");
    assert!(document["first"]["message"].as_str().unwrap().contains("401"), "{document:#}");
}

#[test]
fn an_expired_certificate_that_nobody_needs_stops_nobody() {
    let server = StandIn::start(LOWER, Flaws { cross_signed: true, ..Flaws::default() });
    let (document, code) = examine(&server, plain_names(), &[]);
    assert_eq!(code, 0, "{document:#}");
    let steps = document["targets"][0]["steps"].as_array().unwrap();
    let tls = steps.iter().find(|step| step["stage"] == "tls").unwrap();
    assert!(tls["message"].as_str().unwrap().contains("needless"), "{tls:#}");
    // One that is needed is a fault all the same.
    let server = StandIn::start(LOWER, Flaws { cross_signed: true, expired: true, ..Flaws::default() });
    assert_eq!(examine(&server, plain_names(), &[]).0["first"]["code"], "tls_expired");
}

#[test]
fn who_ends_at_the_right_host_was_not_led_elsewhere() {
    let mdm = "mdm.fabrikam.test";
    let first = StandIn::start(LOWER, Flaws { services: Some(mdm), ..Flaws::default() });
    let names = || name_server(&[(LOWER, HERE), (mdm, Record::A([127, 0, 0, 2]))]);
    let right = first.beside(mdm, Flaws::default());
    let (document, code) = examine_both([&first, &right], names(), &["--expect", mdm]);
    assert_eq!((code, warnings(&document)), (0, vec![("dns_leads_elsewhere", LOWER)]), "{document:#}");
    // Each of the two has a clock of its own.
    let first = StandIn::start(LOWER, Flaws { services: Some(mdm), ..Flaws::default() });
    let right = first.beside(mdm, Flaws { ahead: time::Duration::hours(2), ..Flaws::default() });
    let (document, _) = examine_both([&first, &right], names(), &["--expect", mdm]);
    let clocks = document["targets"][0]["steps"].as_array().unwrap().iter().filter(|step| step["stage"] == "clock");
    let clocks: Vec<_> = clocks.map(|step| (step["subject"].as_str(), step["state"].as_str())).collect();
    assert_eq!(clocks, [(Some(LOWER), Some("good")), (Some(mdm), Some("fault"))], "{document:#}");
}

#[test]
fn a_path_that_leads_nowhere_is_met_by_probe_and_message() {
    let server = StandIn::start(LOWER, Flaws { missing: Some("/"), ..Flaws::default() });
    let (document, _) = examine(&server, plain_names(), &[]);
    assert_eq!(faults(&document), ["http_wrong_path"; 2], "{document:#}");
    assert_eq!(document["first"]["hresult"], "0x80190194");
}

#[test]
fn a_wrong_cname_is_named() {
    let server = StandIn::start(LOWER, Flaws::default());
    let intune = "enterpriseenrollment-s.manage.microsoft.com";
    let elsewhere = [(LOWER, Record::Cname("old.fabrikam.test")), ("old.fabrikam.test", HERE)];
    let mdm = ("mdm.fabrikam.test", Record::A([127, 0, 0, 9]));
    let cases: [(&str, Zone, &str); 5] = [
        ("nothing", vec![], "dns_no_such_name"),
        (
            "no address",
            vec![(LOWER, Record::Cname("a.test")), ("a.test", Record::Cname("b.test"))],
            "dns_dangling_cname",
        ),
        ("gone", vec![(LOWER, Record::Cname("gone.fabrikam.test"))], "dns_dangling_cname"),
        ("Intune", vec![(LOWER, Record::Cname(intune)), (intune, HERE)], "dns_foreign_service"),
        ("another host", [&elsewhere[..], &[mdm]].concat(), "dns_leads_elsewhere"),
    ];
    for (name, records, code) in cases {
        let (document, exit) = examine(&server, name_server(&records), &["--expect", "mdm.fabrikam.test"]);
        assert_eq!(exit, 1, "{name}");
        assert_eq!(faults(&document), [code], "{name}: {document:#}");
    }
    // What a person types is a domain; the name is made of it.
    let names = name_server(&[]).to_string();
    let (document, _) = doctor(&[DOMAIN, "--dns", &names, "--ca", path(&server.root)], "");
    assert_eq!(document["first"]["message"], format!("{LOWER} does not exist in DNS."));
}

#[test]
fn what_else_is_wrong_is_told_too() {
    let flaws = Flaws { expired: true, other_name: Some("a.test"), chunked: true, ..Flaws::default() };
    let server = StandIn::start(LOWER, flaws);
    let (document, _) = examine(&server, plain_names(), &[]);
    assert_eq!(
        faults(&document),
        ["tls_expired", "tls_name_mismatch", "http_chunked", "http_chunked", "http_chunked"],
        "{document:#}"
    );
}

#[test]
fn no_credential_goes_where_the_certificate_is_not_good() {
    let url = |server: &StandIn| format!("https://{HOST}:{}", server.port);
    for (flaws, is_sent) in [(Flaws { expired: true, ..Flaws::default() }, false), (Flaws::default(), true)] {
        let server = StandIn::start(LOWER, flaws);
        let (url, names) = (url(&server), plain_names().to_string());
        let user = ["--user", "ada@fabrikam.test", "--password-stdin"];
        let arguments = [&[url.as_str(), "--dns", &names, "--ca", path(&server.root)], &user[..]].concat();
        let (document, code) = doctor(&arguments, "hidden word\n");
        assert_eq!(code, 1, "{document:#}");
        let requests = server.requests.lock().unwrap();
        assert!(!requests.is_empty());
        assert_eq!(requests.iter().any(|request| request.contains("hidden word")), is_sent, "{document:#}");
        assert!(!document.to_string().contains("hidden word"));
    }
}

#[test]
fn the_server_itself_passes_and_a_sign_in_is_tried() {
    let server = Server::shared();
    let root = openssl::temporary("root.pem", &server.root_pem());
    let (document, code) = doctor(&[&server.url, "--ca", path(&root)], "");
    assert_eq!((code, &document["ok"]), (0, &Value::Bool(true)), "{document:#}");
    let (code, out, err) = run(&[&server.url, "--ca", path(&root)], "");
    assert!(code == 0 && err.is_empty() && out.contains("A PC gets as far as its sign-in."), "{out}{err}");
    let ada = server.api().add_user();
    let user = ["--ca", path(&root), "--user", &ada.email, "--password-stdin"];
    let signed_in = [&[server.url.as_str()], &user[..]].concat();
    let (document, code) = doctor(&signed_in, &format!("{}\n", ada.password));
    assert_eq!(code, 0, "{document:#}");
    let (document, code) = doctor(&signed_in, "not the password\n");
    assert_eq!((code, &document["first"]["hresult"]), (1, &Value::from("0x80180002")), "{document:#}");
    let devices = server.api().get("/devices?limit=500");
    assert!(!devices.to_string().contains(&ada.email), "nothing is enrolled");
}

#[test]
fn a_private_root_has_to_be_named() {
    let server = Server::shared();
    let (document, code) = doctor(&[&server.url], "");
    assert_eq!(code, 1);
    assert_eq!(document["first"]["code"], "tls_untrusted_root", "{document:#}");
    assert!(document["first"]["fix"].as_str().unwrap().contains("--ca"), "{document:#}");
}

/// On the machine of the server, under the environment with which it runs.
#[track_caller]
fn locally(server: &Server, environment: &[(&str, &str)]) -> (Value, String, i32) {
    let names = name_server(&[("localhost", HERE)]).to_string();
    let mut command = muster();
    command.args(["doctor", "--json", "--dns", &names, "--data"]).arg(server.data());
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (serde_json::from_slice(&output.stdout).expect(&words), words, output.status.code().unwrap())
}

#[test]
fn the_local_installation_is_walked_with_its_domains() {
    let domains = [("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]")];
    let server = Server::start_with(&domains);
    let (document, _, _) = locally(&server, &domains);
    let targets: Vec<_> = document["targets"].as_array().unwrap().iter().map(|target| &target["ok"]).collect();
    assert_eq!(targets, [&Value::Bool(true), &Value::Bool(false)], "{document:#}");
    assert_eq!(document["first"]["code"], "dns_no_such_name");
    // From elsewhere nobody knows its domains.
    let root = openssl::temporary("root.pem", &server.root_pem());
    let (document, code) = doctor(&[&server.url, "--ca", path(&root)], "");
    assert_eq!(code, 0, "{document:#}");
    let (document, _) = doctor(&[&server.url, "--ca", path(&root), "--user", "a@evil.test", "--password-stdin"], "x\n");
    assert_eq!(document["first"]["hresult"], "0x80180015", "the domain of who signs in counts: {document:#}");
}

#[test]
fn the_local_installation_is_walked_from_its_current_address() {
    let domains = ("MUSTER__ENROLL__DOMAINS", "[\"fabrikam.test\"]");
    let environment = [("MUSTER__ENROLL__REQUIRE_GENERATION", "true"), domains];
    let server = Server::start_with(&environment);
    let (document, words, code) = locally(&server, &environment);
    assert_eq!((code, document["targets"].as_array().map(Vec::len)), (0, Some(1)), "{words}{document:#}");
    assert!(words.contains("domains are left out"), "{words}");
    let root = openssl::temporary("root.pem", &server.root_pem());
    let (document, code) = doctor(&[&server.url, "--ca", path(&root)], "");
    assert_eq!((code, &document["first"]["hresult"]), (1, &Value::from("0x80180015")), "the bare one is refused");
}

#[test]
fn the_device_host_is_looked_at() {
    let server = Server::shared();
    let (document, _, code) = locally(server, &[]);
    let device = server.device_url.strip_prefix("https://").unwrap();
    let is_seen = |document: &Value| {
        let steps = document["targets"][0]["steps"].as_array().unwrap();
        steps.iter().any(|step| {
            let is_named = step["message"].as_str().unwrap().starts_with("the device host");
            step["stage"] == "tls" && step["state"] == "good" && step["subject"] == device && is_named
        })
    };
    let codes: Vec<&str> = warnings(&document).into_iter().map(|(code, _)| code).collect();
    assert!(code == 0 && is_seen(&document) && codes == ["tls_private_root"], "{document:#}");
    let root = openssl::temporary("root.pem", &server.root_pem());
    let arguments = |device: &str| doctor(&[&server.url, "--ca", path(&root), "--device-url", device], "");
    let (document, code) = arguments(&server.device_url);
    assert!(code == 0 && is_seen(&document), "{document:#}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (document, code) = arguments(&format!("https://{closed}"));
    assert_eq!((code, faults(&document)), (1, vec!["unreachable".to_owned()]), "{document:#}");
    let wrong = StandIn::start(LOWER, Flaws::default());
    let (document, code) = arguments(&format!("https://127.0.0.1:{}", wrong.port));
    assert_eq!((code, faults(&document)), (1, vec!["tls_incomplete_chain".to_owned(), "tls_name_mismatch".to_owned()]));
}

#[test]
fn what_is_no_target_is_said_before_anything_is_asked() {
    for typed in ["http://mdm.fabrikam.test", "a b", "https://user:word@mdm.fabrikam.test/"] {
        let (code, out, err) = run(&[typed], "");
        assert_eq!((code, out.as_str()), (2, ""), "{typed}: {err}");
    }
    let (code, _, err) = run(&[], "");
    assert!(code == 1 && err.contains("no address or domain is given"), "{err}");
}
