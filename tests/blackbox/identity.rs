//! Who is a device: its certificate, and nothing that it merely says.

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::support::certificate;
use crate::support::device::{FakeDevice, MANAGEMENT_PATH};
use crate::support::device_host::pretending;
use crate::support::http::{Address, Connection, Identity, Request, Response, Tls, once};
use crate::support::keys::Key;
use crate::support::reply::Reply;
use crate::support::server::Server;
use crate::support::syncml::Message;

const GET: &str = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/HwV</LocURI></Target></Item></Get>";

/// Asserts that a message was refused as 1.2 says: 403 and nothing else.
#[track_caller]
fn assert_forbidden(item: &str, response: &Response) {
    response.expect_status(item, 403);
    assert!(response.header("www-authenticate").is_none(), "{item}: authentication is not asked for");
    let text = response.text();
    assert!(!text.contains("SyncML") && !text.contains('<'), "{item}: an error answer is empty or plain text: {text}");
}

/// Sends package 1 with another certificate, or none; a refused handshake is as good as 403.
#[track_caller]
fn assert_refused(item: &str, device: &mut FakeDevice, tls: &Tls) {
    let message = device.package_one().xml();
    let request = device.request(message);
    let answer =
        Connection::open(&Address::of(device.management_url()), &tls.config()).and_then(|mut c| c.send(&request));
    if let Ok(response) = answer {
        assert_forbidden(item, &response);
    }
}

/// What names a device in the audit log: its own id or its enrollment's.
fn names_of(server: &Server, device: &FakeDevice) -> [String; 2] {
    let document = device.document(server);
    ["id", "enrollment_id"].map(|key| document[key].as_str().expect("a device has ids").to_owned())
}

/// Whether an audit row tells of both devices.
fn names_both(row: &Value, a: &[String; 2], b: &[String; 2]) -> bool {
    let text = row.to_string();
    let tells_of = |names: &[String; 2]| names.iter().any(|name| text.contains(name.as_str()));
    tells_of(a) && tells_of(b)
}

#[test]
// covers: M-19
fn a_certificate_of_ours_identifies_the_device() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    server.api().command(&id, GET);
    device.start_session().expect("Get", "/HwV");
}

#[test]
// covers: M-25, S-02, M-27
fn without_a_certificate_there_is_no_session() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    let id = device.id(server);
    let message = device.package_one().xml();
    let config = server.tls().config();
    assert_forbidden("M-25", &once(&server.device_url, &config, &device.request(message.clone())));
    assert_forbidden("M-25: any path", &once(&server.device_url, &config, &Request::get("/")));
    assert_forbidden("M-25: any method", &once(&server.device_url, &config, &Request::get(MANAGEMENT_PATH)));
    let leaf = base64::engine::general_purpose::STANDARD.encode(&device.chain().leaf);
    let pem = format!("-----BEGIN CERTIFICATE-----%0A{}%0A-----END CERTIFICATE-----%0A", leaf.replace('+', "%2B"));
    let forwarded = [
        ("Client-Cert", format!(":{leaf}:")),
        ("X-Client-Cert", leaf.clone()),
        ("X-SSL-Client-Cert", pem.clone()),
        ("X-ARR-ClientCert", leaf.clone()),
        ("X-Forwarded-Client-Cert", format!("Cert=\"{pem}\"")),
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
    ];
    for (name, value) in forwarded {
        let request = device.request(message.clone()).header(name, &value);
        assert_forbidden(&format!("M-27: {name}"), &once(&server.device_url, &config, &request));
    }
    assert_eq!(server.api().session_count(&id), 0, "S-02: no session was opened");
}

#[test]
// covers: S-02
fn known_and_unknown_sources_are_refused_alike() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    let config = server.tls().config();
    let known = device.package_one();
    let unknown = Message { source: "00000000000000000000000000000001".to_owned(), ..known.clone() };
    let answers = [known, unknown].map(|m| once(&server.device_url, &config, &device.request(m.xml())));
    let shape = |r: &Response| (r.status, r.body.clone());
    assert_eq!(shape(&answers[0]), shape(&answers[1]), "S-02");
}

#[test]
// covers: M-20, S-02
fn certificates_of_others_are_refused() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    let id = device.id(server);
    let own = certificate::parse(&device.chain().issuing).subject().to_string();
    let names = [own.as_str(), "CN=Some other CA"];
    for name in names {
        for (leaf_usage, what) in [
            (ExtendedKeyUsagePurpose::ClientAuth, "another CA"),
            (ExtendedKeyUsagePurpose::ServerAuth, "another CA, for servers"),
        ] {
            let identity = foreign_identity(name, leaf_usage);
            assert_refused(&format!("M-20: {what} named {name}"), &mut device, &server.tls().identity(identity));
        }
    }
    assert_refused("S-02: self-signed", &mut device, &server.tls().identity(self_signed()));
    assert_eq!(server.api().session_count(&id), 0, "M-20: no session was opened");
    assert!(!device.check_in().replies.is_empty(), "the device itself is served");
}

/// A CA of our own with a leaf that copies nothing of the server under test but a name.
fn foreign_identity(ca_name: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let common_name = ca_name.rsplit("CN=").next().unwrap();
    ca.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    let ca_key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let mut leaf = CertificateParams::new(Vec::new()).unwrap();
    leaf.extended_key_usages.push(usage);
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    Identity { chain: vec![certificate.der().to_vec()], key: key.serialize_der() }
}

fn self_signed() -> Identity {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let key = KeyPair::generate().unwrap();
    Identity { chain: vec![params.self_signed(&key).unwrap().der().to_vec()], key: key.serialize_der() }
}

#[test]
// covers: S-02
fn the_key_must_belong_to_the_certificate() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::new(server);
    let config = pretending(device.tls(), &device.chain().leaf, &Key::generate().pkcs8);
    let message = device.package_one().xml();
    let request = device.request(message);
    let address = Address::of(device.management_url());
    let answer = Connection::open(&address, &config).and_then(|mut connection| connection.send(&request));
    assert!(answer.is_err(), "S-02: a handshake without possession of the key: {answer:?}");
}

#[test]
// covers: M-23, S-03
fn the_source_of_another_device_is_refused() {
    let server = Server::shared();
    let api = server.api();
    let (mut victim, _) = FakeDevice::settled(server);
    let (mut liar, _) = FakeDevice::settled(server);
    let (victim_id, liar_id) = (victim.id(server), liar.id(server));
    let waiting = api.command(&victim_id, GET);
    let claims = [
        victim.profile.device_id.clone(),
        victim.profile.device_id.to_lowercase(),
        format!(" {} ", victim.profile.device_id),
        victim.profile.hw_dev_id.clone(),
        victim.provisioned.ent_dm_id.clone(),
    ];
    for source in claims {
        let before = (api.session_count(&victim_id), api.session_count(&liar_id));
        let message = Message { source: source.clone(), ..liar.package_one() };
        assert_forbidden(&format!("M-23, S-03: {source:?}"), &liar.post(message.xml()));
        let after = (api.session_count(&victim_id), api.session_count(&liar_id));
        assert_eq!(after, before, "M-23: no session was opened or touched");
    }
    assert_eq!(api.command_state(&waiting), "queued", "M-23: the other queue is untouched");
    let names = [names_of(server, &victim), names_of(server, &liar)];
    let named = api.list("/audit?limit=200").into_iter().any(|row| names_both(&row, &names[0], &names[1]));
    assert!(named, "M-23: an audit row that names both");
    for device in [&victim_id, &liar_id] {
        api.wait_for_event("alert.received", device);
    }
    victim.start_session().expect("Get", "/HwV");
    assert!(liar.check_in().is_quiet(), "S-03: the liar is served under its own name");
}

#[test]
// covers: S-03, M-128
fn the_source_cannot_change_within_a_session() {
    let server = Server::shared();
    let api = server.api();
    let (mut victim, _) = FakeDevice::settled(server);
    let (mut liar, _) = FakeDevice::settled(server);
    let waiting = api.command(&victim.id(server), GET);
    for (source, status) in [(victim.profile.device_id.clone(), 403), ("somebody-new".to_owned(), 400)] {
        let own = api.command(&liar.id(server), GET);
        let reply = liar.start_session();
        reply.expect("Get", "/HwV");
        let second = Message { source: source.clone(), ..liar.next_message(&reply) };
        liar.post(second.xml()).expect_status(&format!("M-128: {source}"), status);
        assert_ne!(api.command_state(&own), "succeeded", "M-128");
        liar.settle();
        assert_eq!(api.command_state(&own), "succeeded", "M-128: the queue goes on in the next session");
    }
    assert_eq!(api.command_state(&waiting), "queued", "M-128: the other queue is untouched");
    victim.settle();
}

#[test]
// covers: M-128
fn a_session_whose_source_changed_is_over() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let own = server.api().command(&device.id(server), GET);
    let reply = device.start_session();
    let changed = Message { source: "somebody-new".to_owned(), ..device.next_message(&reply) };
    device.post(changed.xml()).expect_status("M-128", 400);
    let sessions = server.api().sessions(&device.id(server));
    let aborted = sessions.iter().any(|s| s["state"] == "aborted");
    assert!(aborted, "5.2: the session is closed as aborted: {sessions:?}");
    assert_ne!(server.api().command_state(&own), "succeeded");
}

#[test]
// covers: M-127
fn an_unknown_source_is_served_and_written_down() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let id = device.id(server);
    server.api().command(&id, GET);
    let made_up = format!("urn:uuid:{}", crate::support::random_hex(16));
    let message = Message { source: made_up.clone(), ..device.package_one() };
    let reply = device.exchange(&message);
    reply.expect("Get", "/HwV");
    finish_as(&mut device, &reply, &made_up);
    let shown = server.api().device(&id);
    assert!(shown.to_string().contains(&made_up), "M-127: recorded on the device: {shown}");
    crate::support::eventually("M-127: an event about the new source", || {
        server.api().events().into_iter().find(|e| e["subject"] == id.as_str() && e.to_string().contains(&made_up))
    });
}

#[test]
// covers: M-127
fn placeholders_and_bare_names_are_served() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    for source in ["None", "null", &"0".repeat(64), "SOME-PC", "a/b c"] {
        let message = Message { source: source.to_owned(), ..device.package_one() };
        device.exchange(&message);
    }
}

/// Answers a reply under another name.
fn finish_as(device: &mut FakeDevice, reply: &Reply, source: &str) {
    let message = Message { source: source.to_owned(), ..device.answer(reply) };
    assert!(device.exchange(&message).commands.is_empty());
}

#[test]
// covers: S-03
fn sessions_of_two_devices_with_the_same_id_are_two() {
    let server = Server::shared();
    let (mut a, _) = FakeDevice::settled(server);
    let (mut b, _) = FakeDevice::settled(server);
    let commands = [a.id(server), b.id(server)].map(|id| server.api().command(&id, GET));
    let mut opened = Vec::new();
    for device in [&mut a, &mut b] {
        let mut message = device.open_as("4711");
        device.fill_package_one(&mut message);
        opened.push(device.exchange(&message));
    }
    for (device, reply) in [&mut a, &mut b].into_iter().zip(&opened) {
        reply.expect("Get", "/HwV");
        let answer = device.answer(reply);
        assert!(device.exchange(&answer).commands.is_empty(), "S-03");
    }
    for id in commands {
        assert_eq!(server.api().command_state(&id), "succeeded", "S-03");
    }
}

#[test]
// covers: M-22, S-02
fn a_retired_enrollment_is_refused() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    let message = device.leave();
    device.exchange(&message);
    let next = device.package_one().xml();
    assert_forbidden("M-22", &device.post(next));
}

#[test]
// covers: S-24
fn a_device_certificate_opens_nothing_else() {
    let server = Server::shared();
    let (device, _) = FakeDevice::new(server);
    let config = device.tls().config();
    for path in ["/api/v1/users", "/api/v1/devices", "/api/v1/me"] {
        let response = once(&server.url, &config, &Request::get(path));
        response.expect_status("S-24: at the web host", 401);
        let response = once(&server.device_url, &config, &Request::get(path));
        assert!(matches!(response.status, 403 | 404), "S-24: at the device host: {}", response.status);
    }
    let created = server.api().with_token(None).send(
        Request::post("/users", json!({"email": "x@example.test"}).to_string())
            .header("Content-Type", "application/json"),
    );
    created.expect_status("S-09", 401);
}
