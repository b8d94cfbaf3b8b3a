use super::super::machine::Login;
use super::super::{Account, DeviceKey};
use super::*;
use crate::proto::csp::remote_wipe::Variant;
use crate::proto::csp::{dm_client, reboot, remote_lock, tenant_lockdown};
use crate::proto::soap::fixtures::captures;
use crate::proto::syncml::{Chal, decode_fragment};
use crate::proto::wap::CertificateStore;

fn managed(profile: Profile) -> Managed {
    let account = Account {
        provider_id: "Muster".to_owned(),
        name: "Harbor".to_owned(),
        addr: "https://dm.harbor.example/MDM.svc".to_owned(),
        user_name: "enrollment-1".to_owned(),
        server_secret: "s3cret".into(),
        server_nonce: vec![0; 16],
        client_secret: "c".into(),
        ent_dm_id: Some("enrollment-1".to_owned()),
        upn: None,
        device_name: None,
        poll: None,
    };
    let enrolled = Enrolled {
        certificate: vec![1],
        issuing_ca: None,
        root_ca: None,
        store: CertificateStore::User,
        key: DeviceKey::generate(2048).unwrap(),
        renewal: None,
        account,
    };
    Managed::new(Device::new(profile, "a"), enrolled)
}

fn read(request: &Request) -> Message {
    decode(&request.body, &Limits::default()).unwrap()
}

/// The server's answer to a message: a header Status and these commands, numbered.
fn answer(to: &Message, code: u16, commands: Vec<Command>) -> Message {
    let mut body = vec![Element::Status(Status::new("1".to_owned(), to.header.msg_id, "0", "SyncHdr", code))];
    let mut next = 2;
    for mut command in commands {
        number(&mut command, &mut next);
        body.push(Element::Command(command));
    }
    let header = Header {
        target: to.header.source.clone(),
        source: to.header.target.clone(),
        source_name: None,
        cred: None,
        max_msg_size: Some(524_288),
        ..to.header.clone()
    };
    Message { header, body, is_final: true }
}

fn number(command: &mut Command, next: &mut u32) {
    command.cmd_id = format!("c{next}");
    *next += 1;
    for child in &mut command.children {
        number(child, next);
    }
}

fn response(body: &[u8]) -> Response<'_> {
    Response { status: 200, content_type: Some(MEDIA_TYPE), body }
}

fn post(device: &mut Managed, message: &Message) -> Result<Turn, SessionError> {
    device.receive(&response(&encode(message)))
}

/// One session in which the server sends these commands; the device's answer to them, if it gave one.
fn session(device: &mut Managed, commands: Vec<Command>) -> Option<Message> {
    let first = read(&device.start_session().unwrap());
    match post(device, &answer(&first, 200, commands)).unwrap() {
        Turn::Send(request) => {
            let reply = read(&request);
            assert_eq!(reply.header.msg_id, MsgId(2));
            assert!(matches!(post(device, &answer(&reply, 200, vec![])).unwrap(), Turn::Done));
            Some(reply)
        }
        Turn::Dropped => None,
        Turn::Done => panic!("commands were ignored"),
    }
}

fn fragment(text: &str) -> Vec<Command> {
    decode_fragment(text.as_bytes(), &Limits::default()).unwrap()
}

/// `cmd_ref code` of each Status beyond the header's, and `cmd_ref=value` of each Results Item.
fn outcome(message: &Message) -> Vec<String> {
    let lines = message.body.iter().skip(1).flat_map(|element| match element {
        Element::Status(status) => vec![format!("{} {}", status.cmd_ref, status.code.0)],
        Element::Results(results) => {
            results.items.iter().map(|item| format!("{}={}", results.cmd_ref, item.text())).collect()
        }
        _ => vec!["?".to_owned()],
    });
    lines.collect()
}

fn run(profile: Profile, commands: Vec<Command>) -> Vec<String> {
    outcome(&session(&mut managed(profile), commands).unwrap())
}

#[test]
fn package_1_is_that_of_windows() {
    let mut device = managed(Profile::Windows11);
    let request = device.start_session().unwrap();
    assert_eq!(request.url, "https://dm.harbor.example/MDM.svc?mode=Maintenance&Platform=WoA");
    let text = String::from_utf8(request.body.clone()).unwrap();
    let body = &text[text.find("<SyncBody>").unwrap()..];
    assert!(body.starts_with(
        "<SyncBody><Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta>\
         <Type xmlns=\"syncml:metinf\">com.microsoft/MDM/LoginStatus</Type></Meta><Data>user</Data></Item></Alert>\
         <Replace><CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source>"
    ));
    assert!(
        body.contains("./Vendor/MSFT/DMClient/HWDevID") && body.ends_with("</Replace><Final/></SyncBody></SyncML>")
    );
    assert_eq!(device.repeat().unwrap(), request);
    assert!(matches!(post(&mut device, &answer(&read(&request), 200, vec![])).unwrap(), Turn::Done));
    assert_eq!(read(&device.start_session().unwrap()).header.session_id.0, "2");
}

/// The message of a Windows 10 PC, byte for byte, with its own values put in.
#[test]
fn package_1_equals_a_captured_one() {
    for (name, bytes) in captures(&["win10-19043-package1"]) {
        let captured = decode(&bytes, &Limits::default()).unwrap();
        let mut device = managed(Profile::Windows10);
        device.enrolled.account.addr.clone_from(&captured.header.target);
        device.device.device_id.clone_from(&captured.header.source);
        let Some(Element::Command(replace)) = captured.body.last() else { panic!("{name}") };
        for item in &replace.items {
            let uri = item.source.as_ref().unwrap().as_str();
            device.machine.tree.set(uri, "chr", item.text(), super::super::Access::Read);
        }
        let written = String::from_utf8(device.start_session().unwrap().body).unwrap();
        assert_eq!(written, String::from_utf8(bytes).unwrap(), "{name}");
    }
}

#[test]
fn nodes_are_read_and_written() {
    let lockdown = "./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE";
    let mut device = managed(Profile::Windows11);
    let reply = session(&mut device, vec![tenant_lockdown::set(true), tenant_lockdown::read()]).unwrap();
    assert_eq!(outcome(&reply), ["c2 200", "c3 200", "c3=true"]);
    assert_eq!(device.tree().value(lockdown), Some("true"));
    let text = "<Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>\
        <Get><Item><Target><LocURI>./DevInfo</LocURI></Target></Item></Get>\
        <Get><Item><Target><LocURI>./Vendor/MSFT/Weather</LocURI></Target></Item></Get>\
        <Replace><Item><Target><LocURI>./DevInfo/Man</LocURI></Target><Data>x</Data></Item></Replace>\
        <Delete><Item><Target><LocURI>./DevDetail</LocURI></Target></Item></Delete>";
    assert_eq!(
        run(Profile::Windows10, fragment(text)),
        ["c2 200", "c2=10.0.19045.5854", "c3 200", "c3=DevId/DmV/Lang/Man/Mod", "c4 404", "c5 405", "c6 405"]
    );
}

#[test]
fn settings_are_checked_as_windows_checks_them() {
    let set = |verb: &str, uri: &str, format: &str, value: &str| {
        format!(
            "<{verb}><Item><Target><LocURI>{uri}</LocURI></Target><Meta><Format xmlns='syncml:metinf'>{format}</Format>\
             </Meta><Data>{value}</Data></Item></{verb}>"
        )
    };
    let camera = "./Device/Vendor/MSFT/Policy/Config/Camera/AllowCamera";
    let wifi = "./Vendor/MSFT/WiFi/Profile/Harbor/WlanXml";
    let text = [
        set("Replace", camera, "int", "0"),
        set("Add", camera, "int", "1"),
        "<Get><Item><Target><LocURI>./Vendor/MSFT/Policy/Result/Camera/AllowCamera</LocURI></Target></Item></Get>"
            .into(),
        set("Replace", camera, "chr", "0"),
        set("Replace", "./Vendor/MSFT/Policy/Config/DeviceLock/MinDevicePasswordLength", "int", "99"),
        set("Replace", wifi, "chr", "x"),
        set("Add", wifi, "chr", "x"),
        set("Replace", wifi, "chr", "y"),
        format!("<Delete><Item><Target><LocURI>{wifi}</LocURI></Target></Item></Delete>"),
        format!("<Delete><Item><Target><LocURI>{wifi}</LocURI></Target></Item></Delete>"),
        set("Replace", "./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE", "chr", "true"),
    ];
    let expected = [
        "c2 200", "c3 418", "c4 200", "c4=0", "c5 415", "c6 500", "c7 404", "c8 200", "c9 200", "c10 200", "c11 404",
        "c12 415",
    ];
    assert_eq!(run(Profile::Windows11, fragment(&text.concat())), expected);
}

#[test]
fn users_nodes_need_the_user() {
    let text = "<Replace><Item><Target><LocURI>./User/Vendor/MSFT/Policy/Config/Start/HideAppList</LocURI></Target>\
        <Meta><Format xmlns='syncml:metinf'>int</Format></Meta><Data>1</Data></Item></Replace>";
    let mut device = managed(Profile::Windows11);
    device.behaviour().login = Login::Nobody;
    assert_eq!(outcome(&session(&mut device, fragment(text)).unwrap()), ["c2 405"]);
    device.behaviour().login = Login::User;
    assert_eq!(outcome(&session(&mut device, fragment(text)).unwrap()), ["c2 200"]);
}

#[test]
fn locking_needs_a_pin() {
    let mut device = managed(Profile::Windows11);
    assert_eq!(outcome(&session(&mut device, vec![remote_lock::lock()]).unwrap()), ["c2 200"]);
    assert!(device.log().contains(&Event::Did(Effect::Locked)));
    device.behaviour().pin_set = false;
    assert_eq!(outcome(&session(&mut device, vec![remote_lock::lock()]).unwrap()), ["c2 405"]);
    assert_eq!(run(Profile::HoloLens2, vec![remote_lock::lock(), reboot::reboot_now()]), ["c2 404", "c3 404"]);
    device.behaviour().statuses.insert(LocUri::fixed(remote_lock::LOCK), 406);
    assert_eq!(outcome(&session(&mut device, vec![remote_lock::lock()]).unwrap()), ["c2 406"]);
}

#[test]
fn a_sequence_sees_what_it_did() {
    let reset = || vec![remote_lock::reset_pin(remote_lock::LOCK_AND_RESET_PIN)];
    assert_eq!(run(Profile::Windows11, reset()), ["c2 200", "c3 500", "c4 404"]);
    let mut device = managed(Profile::Windows11);
    device.behaviour().resets_pin = true;
    let lines = outcome(&session(&mut device, reset()).unwrap());
    assert_eq!(lines[..3], ["c2 200", "c3 200", "c4 200"]);
    assert_eq!(lines[3].len(), "c4=".len() + 6, "{lines:?}");
    let again = vec![Command::get(LocUri::fixed(remote_lock::NEW_PIN_VALUE))];
    assert_eq!(outcome(&session(&mut device, again).unwrap()), ["c2 404"], "it is told once");
}

/// All or nothing; Get and containers do not belong into an Atomic.
#[test]
fn an_atomic_rolls_back() {
    let child = |policy: &str, value: &str| {
        format!(
            "<Replace><Item><Target><LocURI>./Device/Vendor/MSFT/Policy/Config/DeviceLock/{policy}</LocURI></Target>\
             <Meta><Format xmlns='syncml:metinf'>int</Format></Meta><Data>{value}</Data></Item></Replace>"
        )
    };
    let (enabled, length) = (child("DevicePasswordEnabled", "0"), child("MinDevicePasswordLength", "8"));
    let too_long = child("MinDevicePasswordLength", "99");
    let get = "<Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item></Get>";
    let cases = [
        (format!("<Atomic>{enabled}{length}</Atomic>"), vec!["c2 200", "c3 200", "c4 200"]),
        (format!("<Atomic>{enabled}{too_long}{length}</Atomic>"), vec!["c2 507", "c3 216", "c4 500", "c5 215"]),
        (format!("<Atomic>{get}{enabled}</Atomic>"), vec!["c2 507", "c3 500", "c4 215"]),
        (format!("<Atomic>{enabled}<Atomic>{length}</Atomic></Atomic>"), vec!["c2 507", "c3 216", "c4 500"]),
    ];
    for (text, expected) in cases {
        let mut device = managed(Profile::Windows11);
        assert_eq!(outcome(&session(&mut device, fragment(&text)).unwrap()), expected, "{text}");
        let kept = device.tree().has("./Vendor/MSFT/Policy/Config/DeviceLock");
        assert_eq!(kept, expected[0] == "c2 200", "{text}");
    }
}

/// The log has each Item, although one Status stands for all of a command.
#[test]
fn the_log_has_each_item_of_a_child_of_an_atomic() {
    let item = |policy: &str| {
        format!(
            "<Item><Target><LocURI>./Device/Vendor/MSFT/Policy/Config/Camera/{policy}</LocURI></Target>\
             <Meta><Format xmlns='syncml:metinf'>int</Format></Meta><Data>1</Data></Item>"
        )
    };
    let text = format!("<Atomic><Replace>{}{}</Replace></Atomic>", item("AllowCamera"), item("Other"));
    let mut device = managed(Profile::Windows11);
    session(&mut device, fragment(&text)).unwrap();
    let ran = device.log().iter().filter_map(|event| match event {
        Event::Executed(executed) => Some(executed.uri.rsplit('/').next().unwrap()),
        _ => None,
    });
    assert_eq!(ran.collect::<Vec<_>>(), ["AllowCamera", "Other"]);
}

#[test]
fn several_items_get_several_statuses_and_one_result() {
    let text = "<Get><Item><Target><LocURI>./DevDetail/SwV</LocURI></Target></Item>\
        <Item><Target><LocURI>./DevDetail/Nothing</LocURI></Target></Item>\
        <Item><Target><LocURI>./DevInfo/Lang</LocURI></Target></Item></Get>";
    let reply = session(&mut managed(Profile::Windows11), fragment(text)).unwrap();
    assert_eq!(outcome(&reply), ["c2 200", "c2 404", "c2 200", "c2=10.0.26100.4061", "c2=en-US"]);
    let Element::Status(status) = &reply.body[2] else { panic!("no Status") };
    assert_eq!(status.target_refs, ["./DevDetail/Nothing"]);
}

#[test]
fn failures_carry_an_hresult_once_asked_for() {
    let mut device = managed(Profile::Windows11);
    let missing = || Command::get(LocUri::fixed("./DevDetail/Nothing"));
    let version = dm_client::set_sync_version("Muster", "3.0");
    session(&mut device, vec![version]).unwrap();
    let text = device.start_session().unwrap();
    let reply = post(&mut device, &answer(&read(&text), 200, vec![missing()])).unwrap();
    let Turn::Send(request) = reply else { panic!("no answer") };
    assert!(String::from_utf8(request.body).unwrap().contains("msft:originalerror=\"0x86000002\">404<"));
    device.next_session = 0x1A;
    assert_eq!(read(&device.start_session().unwrap()).header.session_id.0, "1A");
}

#[test]
fn an_unenrolled_device_says_good_bye_once() {
    let mut device = managed(Profile::Windows11);
    let commands = vec![dm_client::unenroll("Muster"), tenant_lockdown::set(true)];
    assert!(session(&mut device, commands).is_none(), "no Status, the session is dropped");
    assert_eq!(device.tree().value("./Vendor/MSFT/TenantLockdown/RequireNetworkInOOBE"), Some("false"));
    let farewell = read(&device.start_session().unwrap());
    let Element::Alert(alert) = &farewell.body[2] else { panic!("no alert") };
    assert_eq!((alert.code, alert.data_of("com.microsoft:mdm.unenrollment.userrequest")), (1226, Some("1")));
    assert_eq!(farewell.header.msg_id, MsgId(1));
    assert!(!device.is_gone());
    let with_command = answer(&farewell, 200, vec![tenant_lockdown::set(true)]);
    assert!(matches!(post(&mut device, &with_command).unwrap(), Turn::Done));
    assert!(device.is_gone() && device.start_session().is_none());
    assert_eq!(device.log().last(), Some(&Event::Left));
}

#[test]
fn a_user_can_leave() {
    let mut device = managed(Profile::HoloLens2);
    device.leave();
    let farewell = read(&device.start_session().unwrap());
    assert_eq!(farewell.body.len(), 4);
}

#[test]
fn wipes_depend_on_the_profile() {
    let mut device = managed(Profile::Windows11);
    assert_eq!(outcome(&session(&mut device, vec![Variant::Protected.command()]).unwrap()), ["c2 200"]);
    assert!(device.is_gone());
    assert!(device.log().contains(&Event::Did(Effect::Wipe("doWipeProtected".to_owned()))));
    assert_eq!(run(Profile::Windows10, vec![Variant::Cloud.command()]), ["c2 404"]);
    for variant in Variant::ALL {
        let expected = if variant.is_on_hololens() { "c2 200" } else { "c2 404" };
        assert_eq!(run(Profile::HoloLens2, vec![variant.command()]), [expected], "{variant:?}");
    }
}

#[test]
fn the_first_session_after_a_reboot_is_number_0() {
    let mut device = managed(Profile::Windows11);
    session(&mut device, vec![reboot::reboot_now()]).unwrap();
    assert_eq!(read(&device.start_session().unwrap()).header.session_id.0, "0");
}

#[test]
fn a_challenge_is_answered_with_package_1_and_cred() {
    let mut device = managed(Profile::Windows11);
    let first = read(&device.start_session().unwrap());
    let mut refusal = answer(&first, 407, vec![]);
    let chal = Chal { scheme: "syncml:auth-md5".to_owned(), next_nonce: Some("AAECAwQFBgcICQoLDA0ODw==".to_owned()) };
    if let Element::Status(status) = &mut refusal.body[0] {
        status.chal = Some(chal);
    }
    let Turn::Send(request) = post(&mut device, &refusal).unwrap() else { panic!("no answer") };
    let second = read(&request);
    assert_eq!((second.header.msg_id, second.body.len()), (MsgId(2), 4));
    assert_eq!(second.header.source_name.as_deref(), Some("enrollment-1"));
    let nonce: Vec<u8> = (0..16).collect();
    assert_eq!(second.header.cred.clone().unwrap().data, md5_credential("enrollment-1", "s3cret", &nonce));
    let again = answer(&second, 401, vec![]);
    assert_eq!(post(&mut device, &again).unwrap_err(), SessionError::Refused(401));
}

#[test]
fn unreadable_answers_are_told_and_then_given_up() {
    let mut device = managed(Profile::Windows11);
    device.start_session().unwrap();
    let broken = Response { status: 200, content_type: Some(MEDIA_TYPE), body: b"<SyncML" };
    let Turn::Send(request) = device.receive(&broken).unwrap() else { panic!("no answer") };
    let Element::Status(status) = &read(&request).body[0] else { panic!("no Status") };
    assert_eq!((status.msg_ref, status.code.0), (Some(MsgId(0)), 500));
    assert!(String::from_utf8(request.body).unwrap().contains("<MsgRef>0</MsgRef><CmdRef>0</CmdRef>"));
    assert_eq!(device.receive(&broken).unwrap_err(), SessionError::Unreadable);
    assert_eq!(device.receive(&broken).unwrap_err(), SessionError::NoSession);
    device.start_session().unwrap();
    let refused = Response { status: 403, content_type: None, body: b"" };
    assert_eq!(device.receive(&refused).unwrap_err(), SessionError::Http(403));
    let mut other = answer(&read(&device.start_session().unwrap()), 200, vec![]);
    other.header.session_id = SessionId("99".to_owned());
    assert_eq!(post(&mut device, &other).unwrap_err(), SessionError::Foreign);
}

#[test]
fn only_an_answer_without_challenge_or_refusal_says_that_a_message_was_taken() {
    let mut device = managed(Profile::Windows11);
    let first = read(&device.start_session().unwrap());
    let taken = encode(&answer(&first, 200, vec![]));
    assert!(device.is_taken(&response(&taken)));
    for code in [212, 401, 407, 500] {
        let told = encode(&answer(&first, code, vec![]));
        assert_eq!(device.is_taken(&response(&told)), code == 212, "{code}");
    }
    let mut other = answer(&first, 200, vec![]);
    other.header.session_id = SessionId("99".to_owned());
    let other = encode(&other);
    for body in [&other[..], b"<SyncML", b""] {
        assert!(!device.is_taken(&response(body)), "{}", String::from_utf8_lossy(body));
    }
    assert!(!device.is_taken(&Response { status: 500, ..response(&taken) }));
    assert!(!device.is_taken(&Response { content_type: Some("text/html"), ..response(&taken) }));
    assert!(matches!(device.receive(&response(&taken)).unwrap(), Turn::Done), "looking at it changes nothing");
    assert!(!device.is_taken(&response(&taken)), "no session is open");
}

/// Windows does not chunk: it aborts, and the next session is a new one.
#[test]
fn a_result_too_large_for_the_server_aborts() {
    let mut device = managed(Profile::Windows11);
    let first = read(&device.start_session().unwrap());
    let csps = LocUri::fixed("./Device/Vendor/MSFT/DeviceManageability/Capabilities/CSPVersions");
    let mut message = answer(&first, 200, vec![Command::get(csps)]);
    message.header.max_msg_size = Some(2048);
    let Turn::Send(request) = post(&mut device, &message).unwrap() else { panic!("no answer") };
    let abort = read(&request);
    assert!(matches!(&abort.body[..], [Element::Status(_), Element::Alert(alert)] if alert.code == 1223));
    let last = encode(&answer(&abort, 200, vec![]));
    assert!(!device.is_taken(&response(&last)), "it told no results");
    assert!(matches!(post(&mut device, &answer(&abort, 200, vec![])).unwrap(), Turn::Done));
    assert_eq!(device.log().last(), Some(&Event::Aborted));
}

#[test]
fn what_is_not_understood_is_said() {
    let mut device = managed(Profile::Windows11);
    let first = read(&device.start_session().unwrap());
    let mut message = answer(&first, 200, vec![]);
    message.body.push(Element::Command(Command::get(LocUri::fixed("./DevDetail/SwV"))));
    message.body.push(Element::Unknown { name: "Search".to_owned(), cmd_id: Some("9".to_owned()) });
    let Turn::Send(request) = post(&mut device, &message).unwrap() else { panic!("no answer") };
    assert_eq!(outcome(&read(&request)), [" 400", "9 400"]);
    let silent = Command { no_resp: true, ..Command::get(LocUri::fixed("./DevDetail/SwV")) };
    assert_eq!(run(Profile::Windows11, vec![silent]), ["c2=10.0.26100.4061"]);
}
