//! The management endpoint: HTTP, TLS, message headers and references. What holds for every reply is checked by
//! `crate::support::reply` on every reply of every test.

use rustls::SignatureScheme;

use crate::support::device::{FakeDevice, MANAGEMENT_PATH, MEDIA_TYPE};
use crate::support::device_host::certificate_request;
use crate::support::http::{Address, Connection, Request, Response};
use crate::support::server::Server;
use crate::support::syncml::{Message, StatusOf};
use crate::support::tree::Element;
use crate::support::{random_hex, soap};

fn settled() -> FakeDevice {
    FakeDevice::settled(Server::shared()).0
}

/// Sends package 1 by a request that a test has bent.
#[track_caller]
fn open_with(device: &mut FakeDevice, bend: impl Fn(Request) -> Request) -> Response {
    let message = device.package_one();
    let response = device.connect().send(&bend(device.request(message.xml()))).unwrap();
    if response.status == 200 {
        device.judge(&message.xml(), &response);
    }
    response
}

fn without_header(mut request: Request, name: &str) -> Request {
    request.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    request
}

#[test]
// covers: M-01, M-09, M-10, M-37, M-39, M-40, M-42, M-43, M-44, M-45, M-46, M-47, M-48, M-49, M-50, M-51, M-52, M-53
// covers: M-60, M-62, M-73, M-74, M-92, M-147
fn a_session_of_windows_from_start_to_end() {
    let (mut device, _) = FakeDevice::new(Server::shared());
    let visit = device.check_in();
    assert!(visit.replies.len() > 1, "the first session brings commands (inventory)");
    let last = visit.replies.last().unwrap();
    assert!(last.commands.is_empty() && last.is_final, "M-60: {}", last.xml);
    device.settle();
    let quiet = device.check_in();
    assert!(quiet.is_quiet() && quiet.replies.len() == 1, "M-60: nothing queued, nothing sent");
}

#[test]
// covers: M-01, M-02
fn usual_content_types_are_accepted() {
    let mut device = settled();
    let kinds = [
        "application/vnd.syncml.dm+xml",
        "application/vnd.syncml.dm+xml; charset=utf-8",
        "Application/Vnd.SyncML.DM+XML;charset=UTF-8",
        "application/vnd.syncml+xml",
        "application/xml",
        "text/xml",
    ];
    for kind in kinds {
        let response = open_with(&mut device, |r| without_header(r, "content-type").header("Content-Type", kind));
        response.expect_status(&format!("M-01, M-02: {kind}"), 200);
    }
    open_with(&mut device, |r| without_header(r, "content-type")).expect_status("M-01: no type at all", 200);
}

#[test]
// covers: M-03
fn other_content_types_are_415() {
    let mut device = settled();
    for kind in ["application/json", "text/plain", "application/octet-stream"] {
        let response = open_with(&mut device, |r| without_header(r, "content-type").header("Content-Type", kind));
        response.expect_status(&format!("M-03: {kind}"), 415);
    }
}

#[test]
// covers: M-04
fn other_methods_are_405() {
    let device = settled();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = device.connect().send(&Request::new(method, MANAGEMENT_PATH)).unwrap();
        response.expect_status(&format!("M-04: {method}"), 405);
        assert_eq!(response.header("allow"), Some("POST"), "M-04: {method}");
    }
}

#[test]
// covers: M-05, M-06, M-07, M-08
fn the_query_tells_the_mode() {
    let server = Server::shared();
    let cases = [
        ("mode=Maintenance&Platform=WoA", Some("user")),
        ("mode=Machine&Platform=WoA", Some("system")),
        ("MODE=mAcHiNe&platform=WOA", Some("system")),
        ("", None),
        ("x=1&mode=Maintenance&y=%20%zz&&=", Some("user")),
    ];
    for (query, mode) in cases {
        let (mut device, _) = FakeDevice::new(server);
        device.query = query.to_owned();
        device.start_session();
        let sessions = server.api().sessions(&device.id(server));
        assert_eq!(sessions.len(), 1, "one session was opened");
        assert_eq!(sessions[0]["mode"].as_str(), mode, "M-05 to M-08: {query:?}: {}", sessions[0]);
    }
}

#[test]
// covers: M-11
fn replies_are_not_compressed() {
    open_with(&mut settled(), |r| r.header("Accept-Encoding", "gzip, deflate, br, zstd")).expect_status("M-11", 200);
}

#[test]
// covers: M-12
fn a_client_without_alpn_is_served() {
    let mut device = settled();
    let config = device.tls().alpn(&[]).config();
    let message = device.package_one();
    let mut connection = Connection::open(&Address::of(device.management_url()), &config).unwrap();
    let response = connection.send(&device.request(message.xml())).unwrap();
    device.judge(&message.xml(), &response);
}

#[test]
// covers: M-13
fn the_user_agent_does_not_matter() {
    let mut device = settled();
    open_with(&mut device, |r| without_header(r, "user-agent")).expect_status("M-13", 200);
    let other = |r| without_header(r, "user-agent").header("User-Agent", "curl/8.5");
    open_with(&mut device, other).expect_status("M-13", 200);
}

#[test]
// covers: M-14
fn correlation_headers_are_in_the_log() {
    let server = Server::shared();
    let mut device = settled();
    let vector = format!("{}.0.0.0", random_hex(8));
    let id = format!("request-{}", random_hex(8));
    open_with(&mut device, |r| {
        let r = without_header(without_header(r, "ms-cv"), "client-request-id");
        r.header("MS-CV", &vector).header("client-request-id", &id)
    });
    let sessions = server.api().sessions(&device.id(server));
    let recorded = format!("{}{}", server.log(), serde_json::Value::from(sessions));
    assert!(recorded.contains(&vector) && recorded.contains(&id), "M-14");
}

#[test]
// covers: M-09
fn a_chunked_request_is_read() {
    let mut device = settled();
    let message = device.package_one().xml();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MEDIA_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n",
        device.path()
    );
    let wire = format!("{head}{:x}\r\n{message}\r\n0\r\n\r\n", message.len());
    let response = device.connect().send_bytes(wire.as_bytes(), false).unwrap();
    device.judge(&message, &response);
}

#[test]
// covers: M-16
fn a_body_above_the_limit_is_413() {
    let server = Server::shared();
    let mut device = settled();
    let mut message = device.package_one();
    message.command("Replace", &format!("<!--{}-->", "x".repeat(6 * 1024 * 1024)));
    device.post(message.xml()).expect_status("M-16", 413);
    let announced = device.request("<SyncML/>").header("Content-Length", "9999999999");
    device.connect().send(&announced).unwrap().expect_status("M-16: by its announced length alone", 413);
    assert!(device.check_in().is_quiet(), "M-16: the device is served afterwards");
    server.web(&Request::get("/EnrollmentServer/Discovery.svc")).expect_status("S-05", 200);
}

#[test]
// covers: M-17, M-18, S-05
fn what_is_no_syncml_is_400_and_opens_no_session() {
    let server = Server::shared();
    let mut device = settled();
    let id = device.id(server);
    let before = server.api().session_count(&id);
    let good = device.package_one().xml();
    let bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"no xml".to_vec(),
        good.as_bytes()[..good.len() - 4].to_vec(),
        format!("{good}<x/>").into_bytes(),
        good.replace("<SyncBody>", "<SyncBody><a></b>").into_bytes(),
        format!("<!DOCTYPE SyncML>{good}").into_bytes(),
        format!("<!DOCTYPE x [<!ENTITY a 'b'>]>{}", good.replace(">1201<", ">&a;<")).into_bytes(),
        good.replace(">1201<", ">&undefined;<").into_bytes(),
        good.replace("SYNCML:SYNCML1.2", "urn:something:else").into_bytes(),
        b"<Other xmlns=\"SYNCML:SYNCML1.2\"/>".to_vec(),
        good.replace("Example Computers", "a\u{0}b").into_bytes(),
        [&good.as_bytes()[..60], &[0xff, 0xc3, 0x28], &good.as_bytes()[60..]].concat(),
        good.replace("<SyncBody>", &format!("<SyncBody>{}{}", "<x>".repeat(100), "</x>".repeat(100))).into_bytes(),
        good.replace("<SyncBody>", &format!("<SyncBody {}>", attributes(200))).into_bytes(),
        good.replace("<SyncBody>", &format!("<SyncBody>{}", "<x/>".repeat(250_000))).into_bytes(),
    ];
    for body in bad {
        let shown = String::from_utf8_lossy(&body).chars().take(120).collect::<String>();
        let response = device.post(body);
        response.expect_status(&format!("M-17, M-18: {shown:?}"), 400);
        assert!(!response.text().contains("SyncML"), "an error answer is never SyncML");
        assert!(!response.text().contains("<html"), "an error answer is never HTML");
        soap::check_gives_nothing_away(response.text());
    }
    assert_eq!(server.api().session_count(&id), before, "M-17: no session");
    assert!(device.check_in().is_quiet());
}

fn attributes(count: usize) -> String {
    (0..count).map(|n| format!("a{n}='1' ")).collect()
}

#[test]
// covers: M-33
fn credentials_are_ignored_when_the_certificate_is_trusted() {
    let mut device = settled();
    let cred = |kind: &str, data: &str| {
        format!(
            r#"<Cred><Meta><Format xmlns="syncml:metinf">b64</Format><Type xmlns="syncml:metinf">{kind}</Type></Meta><Data>{data}</Data></Cred>"#
        )
    };
    let cases = [
        cred("syncml:auth-md5", "EVEkoFZcVgPM+ESnu9IC0g=="),
        cred("syncml:auth-basic", "ZHVtbXk6ZHVtbXk="),
        cred("syncml:auth-basic", "not base64"),
        cred("syncml:auth-unknown", ""),
    ];
    for header in cases {
        let mut message = device.package_one();
        message.more_header = header;
        device.exchange(&message);
    }
}

#[test]
// covers: M-33
fn a_nonce_from_the_device_is_no_demand() {
    let mut device = settled();
    let reply = open_with_get(&mut device);
    let mut message = Message::new(&reply.session_id, 2, device.management_url(), &device.profile.device_id);
    message.command(
        "Status",
        &format!(
            r#"<MsgRef>{}</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Chal><Meta><Format xmlns="syncml:metinf">b64</Format><Type xmlns="syncml:metinf">syncml:auth-md5</Type><NextNonce xmlns="syncml:metinf">8mbuo826FKbvgnASnKnkSGhTQa4tlnuE9pYW1LDEbEc=</NextNonce></Meta></Chal><Data>212</Data>"#,
            reply.msg_id
        ),
    );
    let outcomes = device.csp.run(&reply);
    crate::support::device::write_outcomes(&mut message, &reply, &outcomes, device.style);
    let next = device.exchange(&message);
    assert!(next.commands.is_empty(), "M-33: the session goes on as usual: {}", next.xml);
}

/// Opens a session in which the server sends a Get.
fn open_with_get(device: &mut FakeDevice) -> crate::support::reply::Reply {
    let server = Server::shared();
    let get = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>";
    server.api().command(&device.id(server), get);
    let reply = device.start_session();
    reply.expect("Get", "/SwV");
    reply
}

#[test]
// covers: M-38
fn older_and_missing_namespaces_are_read() {
    let mut device = settled();
    for namespace in [Some("SYNCML:SYNCML1.1"), Some("SYNCML:SYNCML1.0"), Some("syncml:syncml1.2"), None] {
        let mut message = device.package_one();
        message.namespace = namespace;
        device.exchange(&message);
    }
    let prefixed = device.package_one().xml();
    let prefixed = prefixed
        .replace("<SyncML xmlns=", "<m:SyncML xmlns:m=")
        .replace("</SyncML>", "</m:SyncML>")
        .replace("<Sync", "<m:Sync")
        .replace("</Sync", "</m:Sync")
        .replace("<m:SyncHdr>", r#"<m:SyncHdr xmlns="SYNCML:SYNCML1.2">"#)
        .replace("<m:SyncBody>", r#"<m:SyncBody xmlns="SYNCML:SYNCML1.2">"#);
    let response = device.post(prefixed.clone());
    device.judge_loosely(&prefixed, &response);
}

#[test]
// covers: M-38
fn dialects_of_meta_and_quoting_are_read() {
    let mut device = settled();
    let cases = [
        r#"<Alert><CmdID>9</CmdID><Data>1224</Data><Item><Meta><Type>com.microsoft/MDM/CustomAlert</Type></Meta><Data>x</Data></Item></Alert>"#,
        r#"<Alert><CmdID>9</CmdID><Data>1224</Data><Item><Meta><Type xmlns='syncml:metinfo'>com.microsoft/MDM/CustomAlert</Type></Meta><Data>x</Data></Item></Alert>"#,
        r#"<Alert><CmdID>9</CmdID><Data> 1224 </Data><Item><Type>com.microsoft/MDM/CustomAlert</Type><Data>x</Data></Item></Alert>"#,
        r#"<Replace><CmdID> 9 </CmdID><Item><Source><LocURI> ./DevInfo/Lang </LocURI></Source><Data xmlns="SYNCML:SYNCML1.2">fr-FR</Data></Item></Replace>"#,
        r#"<x:Foreign xmlns:x="urn:example"><CmdID>99</CmdID></x:Foreign><Alert><CmdID>9</CmdID><Data>1226</Data></Alert>"#,
    ];
    for content in cases {
        let mut message = device.package_one();
        message.body_attributes = r#" xmlns:msft="http://schemas.microsoft.com/MobileDevice/MDM""#.to_owned();
        message.body.push_str(content);
        let response = device.post(message.xml());
        let expected = message.xml().replace(r#"<x:Foreign xmlns:x="urn:example"><CmdID>99</CmdID></x:Foreign>"#, "");
        device.judge(&expected, &response);
    }
}

#[test]
// covers: M-40, M-41
fn session_ids_are_opaque() {
    let mut device = settled();
    for id in ["0", "D", "A1", "ffff", "00", "12345", "0123456789abcdef0123456789abcdef"] {
        let mut message = device.open_as(id);
        device.fill_package_one(&mut message);
        device.exchange(&message);
    }
    let too_long = "x".repeat(33);
    for id in ["", "  ", too_long.as_str()] {
        let mut message = device.open_as(id);
        device.fill_package_one(&mut message);
        device.post(message.xml()).expect_status(&format!("M-41: {id:?}"), 400);
    }
}

#[test]
// covers: M-41
fn a_header_without_one_of_its_parts_is_400() {
    let mut device = settled();
    let good = device.package_one();
    let xml = good.xml();
    let parts = ["VerDTD", "VerProto", "SessionID", "MsgID", "Target", "Source"];
    let header = Element::parse("our own message", &xml).at("SyncHdr").clone();
    for part in parts {
        let source = &header.at(part).source;
        device.post(xml.replacen(source, "", 1)).expect_status(&format!("1.6: no {part}"), 400);
        let empty = match part {
            "Target" | "Source" => format!("<{part}><LocURI></LocURI></{part}>"),
            _ => format!("<{part}/>"),
        };
        device.post(xml.replacen(source, &empty, 1)).expect_status(&format!("1.6: empty {part}"), 400);
    }
    for number in ["0", "-1", "one", "1.0", "12345678901", "1e9"] {
        let bent = Message { msg_id: number.to_owned(), ..good.clone() };
        device.post(bent.xml()).expect_status(&format!("1.6: MsgID {number}"), 400);
    }
}

#[test]
// covers: M-39
fn version_1_1_gets_its_status() {
    let mut device = settled();
    for (dtd, proto, code) in
        [("1.1", "DM/1.1", &["505", "513"][..]), ("1.2", "DM/1.1", &["513"]), ("1.1", "DM/1.2", &["505"])]
    {
        let message = Message { ver_dtd: dtd.to_owned(), ver_proto: proto.to_owned(), ..device.package_one() };
        let response = device.post(message.xml());
        response.expect_status("1.6", 200);
        let reply = Element::parse("the reply", response.text());
        let status = reply.at("SyncBody").named("Status").next().expect("a header Status");
        assert!(code.contains(&status.text_at("Data")), "1.6: {dtd} {proto}: {}", status.source);
        assert!(reply.at("SyncBody").child("Get").is_none(), "no commands: {}", reply.source);
    }
}

#[test]
// covers: M-43, M-24
fn white_space_and_case_around_the_source_do_not_matter() {
    let mut device = settled();
    let id = device.profile.device_id.clone();
    for source in [id.to_lowercase(), id.to_uppercase()] {
        let message = Message { source, ..device.package_one() };
        device.exchange(&message);
    }
    let message = Message { source: format!("\n {id} "), ..device.package_one() };
    device.exchange(&message);
}

#[test]
// covers: M-131
fn stray_statuses_are_ignored() {
    let server = Server::shared();
    let mut device = settled();
    let id = device.id(server);
    let reply = open_with_get(&mut device);
    let mut message = device.answer(&reply);
    let strays =
        [("1", "1", "Status"), ("1", "no-such-command", "Replace"), ("1", "0", "SyncHdr"), ("7", "99", "Exec")];
    for (msg_ref, cmd_ref, cmd) in strays {
        let of = StatusOf {
            msg_ref: msg_ref.into(),
            cmd_ref: cmd_ref.into(),
            cmd: cmd.into(),
            target_ref: Some("./x".into()),
        };
        message.status(&of, 200);
    }
    message.command("Results", "<MsgRef>1</MsgRef><CmdRef>no-such-command</CmdRef><Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>planted</Data></Item>");
    let next = device.exchange(&message);
    assert!(next.commands.is_empty(), "M-131: {}", next.xml);
    let shown = server.api().device(&id);
    assert!(!shown["inventory"].to_string().contains("planted"), "S-17: Results nobody asked for: {shown}");
}

#[test]
// covers: M-133
fn encodings_follow_the_byte_order_mark() {
    let mut device = settled();
    let utf16 = |big: bool, text: &str| -> Vec<u8> {
        let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
    };
    for (declared, big) in [("", true), ("", false), ("UTF-8", true), ("UTF-16", false)] {
        let message = device.package_one();
        let declaration = match declared {
            "" => String::new(),
            name => format!(r#"<?xml version="1.0" encoding="{name}"?>"#),
        };
        let response = device.post(utf16(big, &format!("{declaration}{}", message.xml())));
        match response.status {
            400 => {}
            _ => assert!(device.judge(&message.xml(), &response).is_final, "M-133"),
        }
    }
    let message = device.package_one();
    let response = device.post(format!(r#"<?xml version="1.0" encoding="utf-16"?>{}"#, message.xml()));
    device.judge(&message.xml(), &response);
    let message = device.package_one();
    let response = device.post(format!("\u{feff}{}", message.xml()));
    device.judge(&message.xml(), &response);
    let message = device.package_one();
    let response = device.post(format!(" \r\n\t{}", message.xml()));
    device.judge(&message.xml(), &response);
}

#[test]
// covers: M-140, S-27
fn the_device_host_speaks_tls_1_2_and_asks_for_sha_256_without_pss() {
    let server = Server::shared();
    let asked = certificate_request(&server.device_url, server.tls()).expect("M-140: a certificate is asked for");
    let allowed = [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
    assert!(asked.schemes.contains(&SignatureScheme::RSA_PKCS1_SHA256), "M-140: {:?}", asked.schemes);
    assert!(asked.schemes.iter().all(|scheme| allowed.contains(scheme)), "M-140: {:?}", asked.schemes);
    let (device, _) = FakeDevice::new(server);
    let issuer = crate::support::certificate::parse(&device.chain().issuing).subject().as_raw().to_vec();
    let names_us = asked.authorities.is_empty() || asked.authorities.contains(&issuer);
    assert!(names_us, "Windows filters its certificates by the list of CAs");
    assert_eq!(device.connect().tls().protocol_version(), Some(rustls::ProtocolVersion::TLSv1_2), "M-140");
    let only_13 = device.tls().versions(&[&rustls::version::TLS13]).config();
    assert!(Connection::open(&Address::of(device.management_url()), &only_13).is_err(), "M-140: TLS 1.3 is off");
}

#[test]
// covers: M-142
fn big_headers_are_read_up_to_the_limit() {
    let mut device = settled();
    let token = format!("Bearer {}", "x".repeat(20 * 1024));
    let both = |r: Request| r.header("Authorization", &token).header("DeviceToken", &"y".repeat(20 * 1024));
    open_with(&mut device, both).expect_status("M-142", 200);
    let above = |r: Request| r.header("Authorization", &"x".repeat(80 * 1024));
    open_with(&mut device, above).expect_status("M-142", 431);
    let many = |r: Request| (0..300).fold(r, |r, n| r.header(&format!("X-{n}"), "1"));
    open_with(&mut device, many).expect_status("M-142: more than 100 fields", 431);
}

#[test]
// covers: S-05
fn odd_command_ids_do_no_harm() {
    let server = Server::shared();
    let mut device = settled();
    for id in ["0", "-1", "18446744073709551616", "1e9", "ab-cd", ""] {
        let mut message = device.package_one();
        message.body.push_str(&format!("<Alert><CmdID>{id}</CmdID><Data>1224</Data></Alert>"));
        let response = device.post(message.xml());
        assert!(matches!(response.status, 200 | 400), "S-05: CmdID {id:?}: {}", response.status);
    }
    let mut message = device.package_one();
    message.body.push_str(
        "<Alert><Data>1224</Data></Alert><Nonsense><CmdID>77</CmdID></Nonsense><Replace><CmdID>78</CmdID></Replace>",
    );
    let response = device.post(message.xml());
    assert!(matches!(response.status, 200 | 400), "S-05: {}", response.status);
    device.settle();
    server.web(&Request::get("/EnrollmentServer/Discovery.svc")).expect_status("S-05", 200);
}

#[test]
// covers: M-47
fn other_commands_of_a_device_get_a_status() {
    let mut device = settled();
    let mut message = device.package_one();
    let get = message.command("Get", "<Item><Target><LocURI>./DevInfo/Man</LocURI></Target></Item>");
    let exec = message.command("Exec", "<Item><Target><LocURI>./x</LocURI></Target></Item>");
    let reply = device.exchange(&message);
    for id in [get, exec] {
        let code = reply.statuses.iter().find(|(cmd_ref, _)| *cmd_ref == id.to_string()).map(|(_, code)| code.as_str());
        assert_eq!(code, Some("406"), "1.16: what a device may not ask");
    }
}

#[test]
fn comments_in_a_message_do_no_harm() {
    let mut device = settled();
    let xml = device.package_one().xml().replace("<SyncBody>", "<!-- c --><SyncBody><!-- d -->");
    let response = device.post(xml.clone());
    device.judge_loosely(&xml, &response);
}
