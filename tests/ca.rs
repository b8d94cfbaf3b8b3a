//! The CA of the installation: what still works without its key, and how another one takes its place.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use support::device::FakeDevice;
use support::enrolling::Attempt;
use support::server::{Server, muster};

fn operators(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.run_file()["ops"].as_str().unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const OPS: [(&str, &str); 1] = [("MUSTER__OPS__LISTEN", "127.0.0.1:0")];

//
#[test]
fn without_its_key_the_ca_knows_devices_and_lets_nobody_in() {
    let mut server = Server::start_with(&OPS);
    let (mut device, user) = FakeDevice::settled(&server);
    assert!(operators(&server, "/metrics").contains("muster_ca_key_available 1"));
    let (key, kept) = (server.data().join("ca/issuing.key"), server.data().join("issuing.key.kept"));
    fs::rename(&key, &kept).unwrap();
    server.restart();
    device.follow(&server);
    let command = server
        .api()
        .command(&device.id(&server), "<Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>");
    device.check_in();
    assert_eq!(server.api().command_state(&command), "succeeded", "R-17: sessions go on");
    let attempt = Attempt::new(&server, &user);
    let fault = attempt.refused(&server);
    assert_eq!(fault.subcode, "s:EnrollmentServer", "R-17: {fault:?}");
    let ready = operators(&server, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("ca/issuing.key"), "R-17: {ready}");
    assert!(operators(&server, "/metrics").contains("muster_ca_key_available 0"), "R-17: a metric");
    assert!(server.log().contains("the CA cannot sign"), "R-17: the log tells");
    let checked = muster().args(["check-config", "--data"]).arg(server.data()).output().unwrap();
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && words.contains("ca/issuing.key"), "R-17: {words}");
    fs::rename(&kept, &key).unwrap();
    server.restart();
    attempt.enroll(&server, Some(&user.email)).settle();
}
