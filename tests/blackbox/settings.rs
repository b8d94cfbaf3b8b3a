//! Settings of the administrator that change what a device is told.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::csp::Answer;
use crate::support::csr::Csr;
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::{Address, Connection, Request};
use crate::support::keys::Key;
use crate::support::server::{Server, fresh_installation, muster};
use crate::support::soap::{DISCOVERY, Soap, discover, discover_body, discover_fields, username_token};
use crate::support::{openssl, xcep};

#[test]
// covers: S-11, E-105, E-24
fn only_configured_domains_are_served() {
    let server = Server::start_with(&[("MUSTER__ENROLL__DOMAINS", r#"["example.test"]"#)]);
    let known = server.api().add_user();
    let mut answers = Vec::new();
    for address in [known.email.as_str(), "nobody@example.test", "Nobody@EXAMPLE.Test"] {
        let soap = discover(address);
        answers.push(soap.accepted(&server.web(&soap.request())).source);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "S-11: existing and unknown users are answered alike");
    for address in ["ada@other.example", "ada@sub.example.test", "ada@notexample.test"] {
        let soap = discover(address);
        soap.refused(&server.web(&soap.request())).is("S-11", "s:Authorization", Some("NotSupported"));
    }
}

#[test]
// covers: E-32
fn the_certificate_names_the_discovery_hosts_of_the_domains() {
    let server = Server::start_with(&[("MUSTER__ENROLL__DOMAINS", r#"["example.test", "second.example"]"#)]);
    let config = server.tls().config();
    for host in ["localhost", "enterpriseenrollment.example.test", "EnterpriseEnrollment.second.example"] {
        let address = Address::of(&server.url);
        let connection = Connection::open_as(&address, host, &config);
        assert!(connection.is_ok(), "E-32: {host}: {:?}", connection.err());
    }
    let foreign = Connection::open_as(&Address::of(&server.url), "enterpriseenrollment.third.example", &config);
    assert!(foreign.is_err(), "the judge looks at the name");
}

#[test]
// covers: E-39
fn keys_can_be_kept_out_of_the_tpm() {
    let server = Server::start_with(&[("MUSTER__CA__SOFTWARE_KEYS_ONLY", "true")]);
    let user = server.api().add_user();
    let soap = Soap::get_policies(&username_token(&user.email, &user.password));
    let policy = xcep::check_form(&soap.accepted(&server.web(&soap.request())));
    assert_eq!(policy.providers, [xcep::SOFTWARE], "E-39");
}

#[test]
// covers: E-38, E-61
fn longer_keys_can_be_demanded() {
    let server = Server::start_with(&[("MUSTER__CA__MIN_KEY_BITS", "3072")]);
    let user = server.api().add_user();
    let soap = Soap::get_policies(&username_token(&user.email, &user.password));
    let policy = xcep::check(&soap.accepted(&server.web(&soap.request())));
    assert_eq!(policy.minimal_key_length, 3072, "E-38");
    let mut attempt = Attempt::new(&server, &user);
    attempt.refused(&server).is("E-61", "s:CertificateRequest", None);
    attempt.key = Key::from_file(openssl::generate_rsa("3072", "65537"));
    attempt.csr = Csr::windows(&attempt.profile.device_id).base64(&attempt.key);
    attempt.enroll(&server, Some(&user.email)).settle();
}

#[test]
// covers: E-27
fn the_highest_version_is_a_setting() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MAX_VERSION", "3.0")]);
    for (asked, answered) in [("3.0", "3.0"), ("4.0", "3.0"), ("9.0", "3.0")] {
        let fields = discover_fields("ada@example.test", asked, &["OnPremise"]);
        let soap = Soap::discover(discover_body(DISCOVERY, &fields));
        let result = soap.accepted(&server.web(&soap.request()));
        assert_eq!(result.text_at("DiscoverResult/EnrollmentVersion"), answered, "E-27: {asked}");
    }
}

#[test]
// covers: E-67
fn the_match_by_hardware_can_be_switched_off() {
    let server = Server::start_with(&[("MUSTER__ENROLL__MATCH_HARDWARE", "false")]);
    let (mut first, user) = FakeDevice::settled(&server);
    let mut second = FakeDevice::enroll(&server, &user, first.profile.reset());
    second.settle();
    assert!(first.check_in().is_quiet(), "4.3: cloned machines are two devices then");
    assert_eq!(server.api().devices_of(&user).len(), 2, "4.3");
}

#[test]
// covers: M-73
fn a_message_holds_no_more_commands_than_configured() {
    let server = Server::start_with(&[("MUSTER__LIMITS__REPLY_COMMANDS", "4")]);
    let (mut device, _) = FakeDevice::new(&server);
    let visit = device.check_in();
    let most = visit.replies.iter().map(|reply| reply.commands.len()).max().unwrap();
    assert!(most <= 4, "M-73: {most} commands in one message");
}

#[test]
// covers: M-12, E-07
fn http_2_and_tls_1_3_on_the_device_host_are_settings() {
    let server =
        Server::start_with(&[("MUSTER__SERVER__DEVICE_HTTP2", "true"), ("MUSTER__SERVER__DEVICE_TLS13", "true")]);
    let (mut device, _) = FakeDevice::settled(&server);
    let newest = device.tls().versions(&[&rustls::version::TLS13]).alpn(&["h2", "http/1.1"]).config();
    let connection = Connection::open(&Address::of(device.management_url()), &newest).unwrap();
    assert_eq!(connection.tls().protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(connection.tls().alpn_protocol(), Some(&b"h2"[..]), "M-12: only when the setting is on");
    let message = device.package_one();
    let old = device.tls().versions(&[&rustls::version::TLS12]).alpn(&[]).config();
    let mut connection = Connection::open(&Address::of(device.management_url()), &old).unwrap();
    let response = connection.send(&device.request(message.xml())).unwrap();
    device.judge(&message.xml(), &response);
}

#[test]
// covers: E-83, E-82
fn the_life_of_device_certificates_is_a_setting() {
    let settings = [("MUSTER__CA__DEVICE_LIFETIME_DAYS", "30"), ("MUSTER__CA__RENEW_PERIOD_DAYS", "10")];
    let server = Server::start_with(&settings);
    let user = server.api().add_user();
    let device = FakeDevice::enroll(&server, &user, Profile::new());
    assert_eq!(device.chain().lifetime_days(), 30, "E-83");
    let document = &device.provisioned.document.source;
    let is_said = |days: u32| document.contains(&format!(r#"name="RenewPeriod" value="{days}""#));
    assert!((7..=10).any(is_said), "E-82, R-16: within the first third of the window: {document}");
}

#[test]
// covers: M-118, M-119, E-125, E-140
fn the_status_page_is_held_and_released_where_it_is_wanted() {
    const HELD: &str = "/FirstSyncStatus/SkipDeviceStatusPage";
    const RELEASED: &str = "/FirstSyncStatus/ServerHasFinishedProvisioning";
    let settings =
        [("MUSTER__STATUS_PAGE__ENABLED", "true"), ("MUSTER__STATUS_PAGE__CHOICES", r#"["reset", "continue"]"#)];
    let server = Server::start_with(&settings);
    let user = server.api().add_user();
    let mut device = FakeDevice::enroll(&server, &user, Profile { in_setup: true, ..Profile::new() });
    "none".clone_into(&mut device.login);
    device.csp.rule("Replace", &format!("./User/Vendor/MSFT/DMClient/Provider/Muster{RELEASED}"), Answer::Status(405));
    let visit = device.check_in();
    let first = &visit.replies[0];
    assert!(first.find("Replace", HELD).is_some(), "M-118: {}", first.xml);
    assert_eq!(
        device.csp.value("./Device/Vendor/MSFT/DMClient/Provider/Muster/FirstSyncStatus/BlockInStatusPage"),
        Some("5")
    );
    assert_eq!(device.csp.times("Replace", HELD), 1, "M-118: once a session");
    assert_eq!(device.csp.times("Replace", RELEASED), 2, "M-119: device and user");
    let page = |device: &FakeDevice| device.document(&server)["status_page"]["stage"].clone();
    assert_eq!(page(&device), "releasing", "the user's tree has not confirmed");
    device.csp.forget_rules();
    "user".clone_into(&mut device.login);
    device.settle();
    assert_eq!(page(&device), "released", "M-119");
    let events: Vec<_> = server.api().list("/events").into_iter().map(|event| event["type"].clone()).collect();
    for kind in ["muster.esp.started", "muster.esp.released"] {
        assert_eq!(events.iter().filter(|found| *found == kind).count(), 1, "{kind}: {events:?}");
    }
    let mut desktop = FakeDevice::enroll(&server, &user, Profile::new());
    desktop.settle();
    assert_eq!(desktop.csp.times("Replace", HELD), 0, "E-140: the desktop of somebody at work");
    assert!(page(&desktop).is_null());
}

#[test]
fn the_address_of_the_operators_listener_is_told() {
    let server = Server::start_with(&[("MUSTER__OPS__LISTEN", "127.0.0.1:0")]);
    let run = server.run_file();
    let address: std::net::SocketAddr = run["ops"].as_str().unwrap().parse().unwrap();
    assert_ne!(address.port(), 0);
    let mut caller = std::net::TcpStream::connect(address).unwrap();
    caller.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(server.log().contains(&address.to_string()), "{}", server.log());
    assert_eq!((&run["url"], &run["device_url"]), (&server.url.as_str().into(), &server.device_url.as_str().into()));
    assert!(Server::start().run_file()["ops"].is_null(), "off");
}

#[test]
fn one_port_with_two_names_is_one_listener() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let device_url = format!("https://devices.localhost:{}", free.port());
    let server = Server::start_with(&[
        ("MUSTER__SERVER__URL", &format!("https://localhost:{}", free.port())),
        ("MUSTER__SERVER__DEVICE_URL", &device_url),
        ("MUSTER__SERVER__LISTEN", &free.to_string()),
    ]);
    let config = server.tls().config();
    let status = |name: &str| {
        let mut connection = Connection::open_as(&Address::of(&server.url), name, &config).unwrap();
        connection.send(&Request::get("/api/openapi.json")).unwrap().status
    };
    assert_eq!((status("localhost"), status("devices.localhost")), (200, 403));
}

#[test]
// covers: S-31
fn settings_that_make_no_sense_are_refused_by_name() {
    let home = fresh_installation();
    let settings = [
        ("MUSTER__ENROLL__NO_SUCH_KEY", "1"),
        ("MUSTER__NO_SUCH_SECTION__KEY", "1"),
        ("MUSTER__CA__MIN_KEY_BITS", "many"),
        ("MUSTER__CA__RENEW_PERIOD_DAYS", "4000"),
        ("MUSTER__ENROLL__DOMAINS", r#"["m\u00fcnchen.example"]"#),
        ("MUSTER__DATABASE__URL", "postgres://host/muster"),
    ];
    for (name, value) in settings {
        let mut command = muster();
        command.args(["serve", "--data"]).arg(home.join("data")).env(name, value);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = crate::support::server::wait_with_timeout(&mut child, std::time::Duration::from_secs(30));
        let (status, stdout, stderr) = output.unwrap_or_else(|| panic!("it serves with {name}={value}"));
        assert!(!status.success() && stdout.is_empty(), "{name}: {status} {stdout}");
        let key = name.rsplit("__").next().unwrap().to_lowercase();
        let section = name.split("__").nth(1).unwrap().to_lowercase();
        let said = stderr.to_lowercase();
        assert!(said.contains(&key) || said.contains(&section), "{name}: {stderr}");
    }
}

#[test]
// covers: M-15
fn a_device_that_calls_too_often_is_told_when_to_come_back() {
    let server = Server::start_with(&[("MUSTER__LIMITS__DEVICE_REQUESTS_PER_MINUTE", "3")]);
    let (mut device, _) = FakeDevice::new(&server);
    let (mut other, _) = FakeDevice::new(&server);
    let message = device.package_one();
    let answers: Vec<_> = (0..5).map(|_| device.post(message.xml())).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses[..3], [200; 3], "M-15: {statuses:?}");
    let refused = answers.last().unwrap();
    refused.expect_status("M-15: overload", 429);
    let seconds: u32 = refused.header("retry-after").expect("M-15: Retry-After").parse().expect("M-15: in seconds");
    assert!((1..=60).contains(&seconds), "M-15: {seconds}");
    assert!(!refused.text().contains("SyncML"), "M-15: {}", refused.text());
    other.start_session();
}
