use std::net::{IpAddr, Ipv4Addr};

use rcgen::{KeyPair, SigningKey};
use secrecy::SecretString;
use time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::*;
use crate::app::ports::Page;
use crate::app::testing::Ground;
use crate::app::{CheckInAnswer, Delivery, Sender, Shown, Wanted};
use crate::domain::Id;
use crate::domain::event::Event;
use crate::domain::renewal::RenewalTerms;
use crate::domain::user::Role;
use crate::proto::base64;
use crate::proto::soap::security::Credential;
use crate::proto::syncml::Encoding;
use crate::proto::wap;
use crate::proto::wstep::{ContextItem, PKCS7, PKCS10, RequestType};
use crate::proto::xml::Limits;
use crate::session::Opening;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const EMAIL: &str = "ada@example.test";

/// An installation with those terms, and the user whose devices enroll.
async fn ground(lifetime: u32, window: u32, grace: u32) -> Ground {
    let mut ground = Ground::new().await;
    let mut settings = (*ground.app.settings).clone();
    settings.renewal = RenewalTerms::new(lifetime, window, window.min(4), grace).unwrap();
    ground.app.settings = settings.into();
    let mut user = ground.user(EMAIL, Role::User).await;
    user.password_hash = Some(ground.app.hasher.hash(SecretString::from("correct horse")).await.unwrap());
    ground.app.commit(vec![Write::UpdateUser(user)]).await.unwrap();
    ground
}

/// A device with keys that cost little.
struct Pc {
    name: String,
    key: KeyPair,
    der: Vec<u8>,
    enrollment: Id<Enrollment>,
    period: i64,
    sessions: u32,
    tried_at: Option<OffsetDateTime>,
}

fn caller(app: &App) -> Caller {
    Caller { address: ADDRESS, trace_id: app.new_trace_id(), says_doctor: false }
}

fn request_of(kind: RequestType, value_type: &str, der: Vec<u8>, name: &str) -> RequestSecurityToken {
    let item = |key: &str, value: &str| ContextItem { name: key.to_owned(), value: value.to_owned() };
    RequestSecurityToken::new(kind, value_type, der, vec![item("DeviceID", name), item("DeviceName", name)])
}

fn csr(key: &KeyPair) -> Vec<u8> {
    rcgen::CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

/// The certificate of a document, and the days of its renewal window.
fn installed(document: &[u8]) -> (Vec<u8>, Option<i64>) {
    let top = wap::decode(document, &Limits::default()).unwrap();
    let my = top.find(&["CertificateStore", "My"]).unwrap();
    let entry = my.find(&["User"]).unwrap().children.first().unwrap();
    let days = my.find(&["WSTEP", "Renew"]).and_then(|renew| renew.value("RenewPeriod")?.parse().ok());
    (base64::decode(entry.value("EncodedCertificate").unwrap()).unwrap(), days)
}

impl Pc {
    async fn enroll(app: &App, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let credential = Credential::Username { username: EMAIL.to_owned(), password: "correct horse".into() };
        let request = request_of(RequestType::Issue, PKCS10, csr(&key), name);
        let enrolled = app.enroll(Ok(credential), &request, &caller(app)).await.unwrap();
        let (der, period) = installed(&enrolled.document);
        let (_, enrollment) = app.looked_up(&der).await.unwrap();
        // What the device has is known: its sessions bring nothing to do.
        let enrollment = Enrollment { inventory_at: Some(app.now() + Duration::days(10_000)), ..enrollment };
        let id = enrollment.id;
        app.commit(vec![Write::UpdateEnrollment(Box::new(enrollment))]).await.unwrap();
        Self { name: name.to_owned(), key, der, enrollment: id, period: period.unwrap(), sessions: 0, tried_at: None }
    }

    fn ends(&self) -> OffsetDateTime {
        let (_, certificate) = X509Certificate::from_der(&self.der).unwrap();
        certificate.validity().not_after.to_datetime()
    }

    fn request(&self, next: &KeyPair) -> RequestSecurityToken {
        request_of(RequestType::Renew, PKCS7, cms(&csr(next), &self.der, &self.key), &self.name)
    }

    fn shown(&self, wanted: Wanted) -> Shown<'_> {
        Shown { address: ADDRESS, certificate: Some(&self.der), forwarded: None, signatures: Vec::new(), wanted }
    }

    /// The certificate for a new key.
    async fn renew(&self, app: &App, next: &KeyPair) -> Result<Vec<u8>, String> {
        let wanted = Wanted::Renewal { through_proxy: false };
        let sender = app.sender(&self.shown(wanted)).await.map_err(|refused| refused.to_string())?;
        let Sender::Renewing(renewing) = sender else { panic!("{sender:?}") };
        let renewed = app.renew(&renewing, &self.request(next), &caller(app)).await;
        Ok(installed(&renewed.map_err(|refusal| refusal.to_string())?.document).0)
    }

    fn adopt(&mut self, key: KeyPair, der: Vec<u8>) {
        (self.key, self.der) = (key, der);
    }

    /// Renews and uses the new certificate.
    async fn renew_and_use(&mut self, app: &App) {
        let next = KeyPair::generate().unwrap();
        let der = self.renew(app, &next).await.unwrap();
        self.adopt(next, der);
        self.session(app).await.unwrap();
    }

    /// Package 1 of a new session; why it was refused.
    async fn session(&mut self, app: &App) -> Result<(), String> {
        let sender = app.sender(&self.shown(Wanted::Session)).await.map_err(|refused| refused.to_string())?;
        self.open(app, sender).await
    }

    /// The same, where it was judged before whose certificate it is.
    async fn open(&mut self, app: &App, sender: Sender) -> Result<(), String> {
        self.sessions += 1;
        let (id, name) = (self.sessions, &self.name);
        let body = format!(
            r#"<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>{id}</SessionID><MsgID>1</MsgID><Target><LocURI>https://mdm.example.test:8443/ManagementServer/MDM.svc</LocURI></Target><Source><LocURI>{name}</LocURI></Source></SyncHdr><SyncBody><Alert><CmdID>2</CmdID><Data>1201</Data></Alert><Final/></SyncBody></SyncML>"#
        );
        let opening = Opening::default();
        let delivery =
            Delivery { sender, body: body.into_bytes(), encoding: Encoding::Xml, opening, tokens: Vec::new() };
        match app.receive(delivery).await {
            Ok(CheckInAnswer::Reply(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    async fn certificates(&self, app: &App) -> Vec<Certificate> {
        app.store.certificates_of(self.enrollment).await.unwrap()
    }

    async fn warning(&self, app: &App) -> Option<String> {
        app.store.enrollment(self.enrollment).await.unwrap().unwrap().warning
    }
}

/// SignedData over a request, without signed attributes.
fn cms(request: &[u8], certificate: &[u8], key: &KeyPair) -> Vec<u8> {
    let node = |tag: u8, parts: &[&[u8]]| {
        let contents = parts.concat();
        let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, high, low][..], &contents].concat()
    };
    let (_, signer) = X509Certificate::from_der(certificate).unwrap();
    let name = node(0x30, &[signer.issuer().as_raw(), &node(0x02, &[signer.raw_serial()])]);
    let sha256 = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    let ecdsa = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let signature = node(0x04, &[&key.sign(request).unwrap()]);
    let info = node(0x30, &[b"\x02\x01\x01", &name, sha256, ecdsa, &signature]);
    let content = node(0xA0, &[&node(0x04, &[request])]);
    let data = node(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", &content]);
    let (digests, infos) = (node(0x31, &[sha256]), node(0x31, &[&info]));
    let signed = node(0x30, &[b"\x02\x01\x01", &digests, &data, &node(0xA0, &[certificate]), &infos]);
    node(0x30, &[b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", &node(0xA0, &[&signed])])
}

async fn events(app: &App, kind: &str) -> Vec<Event> {
    while !app.publish_events().await.unwrap().is_empty() {}
    let events = app.store.events_after(0, None, 10_000).await.unwrap();
    events.into_iter().filter(|event| event.kind == kind).collect()
}

// covers: E-137, S-25
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_leave_two_that_wait() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    pc.session(app).await.unwrap();
    let apps = [app.clone(), ground.other_process(), ground.other_process()];
    let wanted = Wanted::Renewal { through_proxy: false };
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let app = apps[number % apps.len()].clone();
            let request = pc.request(&KeyPair::generate().unwrap());
            let der = pc.der.clone();
            tokio::spawn(async move {
                let shown = Shown {
                    address: ADDRESS,
                    certificate: Some(&der),
                    forwarded: None,
                    signatures: Vec::new(),
                    wanted,
                };
                let Ok(Sender::Renewing(renewing)) = app.sender(&shown).await else { panic!("not renewing") };
                app.renew(&renewing, &request, &caller(&app)).await
            })
        })
        .collect();
    let mut granted = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(renewed) => granted.push(installed(&renewed.document).0),
            Err(refusal) => assert!(matches!(refusal, Refusal::NotEligibleToRenew(NotRenewed::Faster)), "{refusal}"),
        }
    }
    let waiting: Vec<_> = pc.certificates(app).await.into_iter().filter(Certificate::is_waiting).collect();
    assert_eq!(waiting.len(), 1, "one waits");
    assert!(granted.contains(&waiting[0].der), "and it was handed out");
    assert_eq!(pc.certificates(app).await.len(), granted.len() + 1);
    pc.session(app).await.unwrap();
}

// covers: R-16
#[tokio::test]
async fn a_device_that_slept_is_let_in_for_a_while_and_the_administrator_is_told() {
    let ground = ground(60, 20, 10).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    pc.session(app).await.unwrap();
    let ends = pc.ends();
    ground.clock.advance(ends + Duration::days(9) - app.now());
    pc.session(app).await.unwrap();
    let warning = pc.warning(app).await.unwrap();
    assert!(warning.contains("until") && warning.contains("let in"), "{warning}");
    let told = events(app, "muster.cert.expired").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].data["let_in_until"].is_string(), "{}", told[0].data);
    let page = Page { limit: 10, after: None };
    let sessions = app.store.sessions(&Default::default(), &page).await.unwrap().items;
    assert!(sessions[0].remarks.iter().any(|words| words.contains("let in")), "{:?}", sessions[0].remarks);
    pc.session(app).await.unwrap();
    assert_eq!(events(app, "muster.cert.expired").await.len(), 1, "it is told once");
    pc.renew_and_use(app).await;
    assert_eq!(pc.warning(app).await, None, "the warning goes with its cause");
    let ends = pc.ends();
    ground.clock.advance(ends + Duration::days(11) - app.now());
    let refused = pc.session(app).await.unwrap_err();
    assert!(refused.contains("it ended at"), "{refused}");
    let next = KeyPair::generate().unwrap();
    assert!(pc.renew(app, &next).await.unwrap_err().contains("it ended at"), "nor does it renew");
    let warning = pc.warning(app).await.unwrap();
    assert!(warning.contains("enroll the device again"), "{warning}");
    let told = events(app, "muster.cert.expired").await;
    assert_eq!(told.len(), 2, "told once more, once");
    assert!(told[1].data["let_in_until"].is_null());
}

#[tokio::test]
async fn late_renewals_are_counted_and_told_once() {
    let ground = ground(60, 20, 0).await;
    let app = &ground.app;
    let (mut on_time, late) = (Pc::enroll(app, "on-time").await, Pc::enroll(app, "late").await);
    on_time.session(app).await.unwrap();
    let due = late.ends() - app.settings.renewal.due();
    ground.clock.advance(due - Duration::HOUR - app.now());
    app.sweep().await;
    assert_eq!(app.late_renewals(), 0);
    on_time.renew_and_use(app).await;
    ground.clock.advance(Duration::hours(2));
    for _ in 0..2 {
        app.sweep().await;
        assert_eq!(app.late_renewals(), 1);
        let told = events(app, "muster.cert.expiring").await;
        let serials: Vec<_> = told.iter().map(|event| event.data["enrollment_id"].as_str().unwrap()).collect();
        assert_eq!(serials, [late.enrollment.to_string()]);
    }
    late.renew(app, &KeyPair::generate().unwrap()).await.unwrap();
    app.sweep().await;
    assert_eq!(app.late_renewals(), 0, "renewed, if not used yet");
}

/// A revoked certificate takes with it what was asked for with it and waits.
// covers: S-25
#[tokio::test]
async fn who_had_the_key_does_not_keep_what_it_got() {
    let ground = ground(365, 42, 0).await;
    let (app, by) = (&ground.app, ground.admin().await);
    let mut pc = Pc::enroll(app, "pc").await;
    pc.session(app).await.unwrap();
    let next = KeyPair::generate().unwrap();
    let der = pc.renew(app, &next).await.unwrap();
    let (used, _) = app.looked_up(&pc.der).await.unwrap();
    app.revoke_certificate(&by, &used.serial, Some("stolen".to_owned()), false).await.unwrap();
    assert!(pc.certificates(app).await.iter().all(|certificate| certificate.revoked_at.is_some()));
    pc.adopt(next, der);
    assert!(pc.session(app).await.unwrap_err().contains("stolen"));
}

/// Whoever of two looked first, and whoever of two writes first.
// covers: S-25
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_at_the_moment_of_a_renewal_takes_both() {
    let ground = ground(365, 42, 0).await;
    let (app, by) = (&ground.app, ground.admin().await);
    for round in 0..24 {
        let mut pc = Pc::enroll(app, &format!("pc-{round}")).await;
        pc.session(app).await.unwrap();
        let (used, _) = app.looked_up(&pc.der).await.unwrap();
        let (other, serial) = (ground.other_process(), used.serial);
        let by = by.clone();
        let revoking = tokio::spawn(async move {
            // Not always the first.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            other.revoke_certificate(&by, &serial, None, false).await.map(|_| ())
        });
        let granted = pc.renew(app, &KeyPair::generate().unwrap()).await;
        revoking.await.unwrap().unwrap();
        let good = pc.certificates(app).await.into_iter().filter(Certificate::is_good).count();
        assert_eq!(good, 0, "round {round}, renewal {granted:?}");
    }
}

/// Both were judged while the certificate waited.
// covers: E-102, S-25
#[tokio::test]
async fn two_first_sessions_at_once_both_go_on() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    for is_revoked in [false, true] {
        let next = KeyPair::generate().unwrap();
        let der = pc.renew(app, &next).await.unwrap();
        pc.adopt(next, der);
        let mut senders = Vec::new();
        for _ in 0..2 {
            senders.push(app.sender(&pc.shown(Wanted::Session)).await.unwrap());
        }
        if is_revoked {
            let (waiting, _) = app.looked_up(&pc.der).await.unwrap();
            app.revoke_certificate(&ground.admin().await, &waiting.serial, None, false).await.unwrap();
        }
        for sender in senders {
            let opened = pc.open(app, sender).await;
            match is_revoked {
                false => assert_eq!(opened, Ok(())),
                true => assert!(opened.unwrap_err().contains("Forbidden")),
            }
        }
    }
}

fn applicant<'a>(app: &App, der: &[u8], request: &'a RequestSecurityToken, caller: &'a Caller) -> Applicant<'a> {
    let next = app.next_key(&request::signed(request).unwrap(), der).unwrap();
    Applicant { der: der.to_vec(), next, request, caller, waited: None, is_counted: false, issued: None }
}

// covers: E-137, S-25
#[tokio::test]
async fn of_two_that_saw_the_same_one_is_granted() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    pc.session(app).await.unwrap();
    let (caller, keys) = (caller(app), [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()]);
    let [first, second] = keys.each_ref().map(|key| pc.request(key));
    let mut second = applicant(app, &pc.der, &second, &caller);
    let (certificate, enrollment) = app.looked_up(&pc.der).await.unwrap();
    let issued = app.issue(&second.next.csr, enrollment.id).await.unwrap();
    let writes = app.renewal_writes(&second, &certificate, &enrollment, None, &issued).await.unwrap();
    second.waited = Some(None);
    let granted = app.try_renew(&mut applicant(app, &pc.der, &first, &caller)).await;
    assert!(granted.is_ok(), "nobody waits");
    assert!(matches!(app.commit(writes).await, Err(StoreError::Conflict)), "E-137: not on what the first one left");
    match app.try_renew(&mut second).await {
        Err(Attempted::Refused(Refusal::NotEligibleToRenew(NotRenewed::Faster))) => {}
        Err(Attempted::Refused(other)) => panic!("{other}"),
        Err(Attempted::Again) => panic!("not refused"),
        Ok(_) => panic!("E-137: both were granted"),
    }
    assert_eq!(pc.certificates(app).await.iter().filter(|own| own.is_waiting()).count(), 1);
}

/// A device that is proven otherwise in its sessions shows its certificate in renewals alone.
// covers: E-102, S-25
#[tokio::test]
async fn who_asks_with_the_one_that_waits_has_got_it() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    let first = pc.der.clone();
    for _ in 0..3 {
        ground.clock.advance(Duration::days(340));
        let next = KeyPair::generate().unwrap();
        let der = pc.renew(app, &next).await.unwrap();
        pc.adopt(next, der);
    }
    let states: Vec<_> = pc.certificates(app).await.iter().map(|own| own.state(app.now())).collect();
    assert_eq!(states, ["waiting", "valid", "superseded", "superseded"]);
    assert_eq!(events(app, "muster.cert.used").await.len(), 2);
    let last = std::mem::replace(&mut pc.der, first);
    assert!(pc.session(app).await.unwrap_err().contains("used its next one"));
    pc.der = last;
    pc.session(app).await.unwrap();
    assert_eq!(pc.certificates(app).await.iter().filter(|own| own.is_good()).count(), 1);
}

// covers: S-25
#[tokio::test]
async fn the_window_is_no_licence_to_sign() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    ground.clock.advance(pc.ends() - Duration::DAY - app.now());
    pc.session(app).await.unwrap();
    let mut last = None;
    for number in 0.. {
        let next = KeyPair::generate().unwrap();
        match pc.renew(app, &next).await {
            Ok(der) => last = Some((next, der)),
            Err(refusal) => {
                assert!(refusal.contains("too often") && (8..20).contains(&number), "{number}: {refusal}");
                break;
            }
        }
    }
    let (next, der) = last.unwrap();
    for _ in 0..20 {
        assert_eq!(pc.renew(app, &next).await.as_ref(), Ok(&der), "the same again costs no signature");
    }
    pc.adopt(next, der);
    pc.session(app).await.unwrap();
}

// covers: R-16
#[tokio::test]
async fn a_warning_about_the_end_goes_with_the_first_use() {
    let ground = ground(60, 20, 10).await;
    let app = &ground.app;
    let mut pc = Pc::enroll(app, "pc").await;
    pc.session(app).await.unwrap();
    let ends = pc.ends();
    ground.clock.advance(ends - Duration::DAY - app.now());
    let next = KeyPair::generate().unwrap();
    let der = pc.renew(app, &next).await.unwrap();
    ground.clock.advance(Duration::days(2));
    pc.session(app).await.unwrap();
    assert!(pc.warning(app).await.is_some_and(|words| words.contains("ended")), "it goes on with the one before");
    pc.adopt(next, der);
    pc.session(app).await.unwrap();
    assert_eq!(pc.warning(app).await, None);
}

// covers: E-98
#[tokio::test]
async fn placeholders_and_what_is_left_out_say_nothing() {
    let ground = ground(365, 42, 0).await;
    let app = &ground.app;
    let pc = Pc::enroll(app, "pc").await;
    let (_, mut enrollment) = app.looked_up(&pc.der).await.unwrap();
    enrollment.hw_dev_id = Some("ABCDEF0123".to_owned());
    let saying = |said: &[(&str, &str)]| {
        let item = |(name, value): &(&str, &str)| ContextItem { name: (*name).into(), value: (*value).into() };
        let items = said.iter().map(item).collect();
        check_identifiers(&RequestSecurityToken::new(RequestType::Renew, PKCS7, Vec::new(), items), &enrollment)
    };
    for placeholder in ["0000000000000000", "None", "", "00000000-0000-0000-0000-000000000000"] {
        assert!(saying(&[("HWDevID", placeholder), ("DeviceID", "PC")]).is_ok(), "{placeholder}");
    }
    assert!(saying(&[]).is_ok());
    for said in [&[("HWDevID", "None"), ("HWDevID", "other")][..], &[("DeviceID", "other")]] {
        assert!(saying(said).is_err(), "{said:?}");
    }
}

/// A part of the fleet, with the numbers of the devices.
type Share = Vec<(i64, Pc)>;

/// What a day brings to some devices; how many have new certificates.
async fn live_together(app: App, mut share: Share, day: i64) -> (Share, usize) {
    let mut renewals = 0;
    for (number, pc) in &mut share {
        let lived = live_a_day(&app, pc, *number, day).await;
        assert!(lived.is_ok(), "R-16: day {day}, device {number}: {lived:?}");
        renewals += usize::from(lived == Ok(true));
    }
    (share, renewals)
}

/// What a day brings to a device of the fleet; whether it has a new certificate.
async fn live_a_day(app: &App, pc: &mut Pc, number: i64, day: i64) -> Result<bool, String> {
    // Every tenth is switched off for seven weeks in a row, each at another time.
    let is_asleep = number % 10 == 0 && (day + number).rem_euclid(150) < 49;
    if is_asleep {
        return Ok(false);
    }
    let now = app.now();
    let is_due = now >= pc.ends() - Duration::days(pc.period);
    if is_due && pc.tried_at.is_none_or(|tried| now - tried >= Duration::days(4)) {
        pc.tried_at = Some(now);
        let next = KeyPair::generate().unwrap();
        let der = pc.renew(app, &next).await?;
        // One answer in eight is lost.
        if (number + day) % 8 != 0 {
            pc.adopt(next, der);
            pc.tried_at = None;
            return pc.session(app).await.map(|()| true);
        }
    }
    if (day + number) % 91 == 0 {
        pc.session(app).await?;
    }
    Ok(false)
}

// covers: R-16, E-102, M-26
#[tokio::test(flavor = "multi_thread")]
async fn a_year_with_five_hundred_devices_loses_none() {
    let ground = ground(150, 42, 30).await;
    let app = &ground.app;
    let enroll = |part: i64| {
        let app = app.clone();
        tokio::spawn(async move {
            let mut share = Vec::new();
            for number in (0..500).filter(|number| number % 8 == part) {
                share.push((number, Pc::enroll(&app, &format!("pc-{number}")).await));
            }
            share
        })
    };
    let mut fleet: Vec<Share> = Vec::new();
    for task in (0..8).map(enroll).collect::<Vec<_>>() {
        fleet.push(task.await.unwrap());
    }
    let mut renewals = Vec::new();
    for day in 1..=365 {
        ground.clock.advance(Duration::DAY);
        let all = fleet.drain(..).map(|share| tokio::spawn(live_together(app.clone(), share, day)));
        let mut done = 0;
        for task in all.collect::<Vec<_>>() {
            let (share, count) = task.await.unwrap();
            fleet.push(share);
            done += count;
        }
        renewals.push(done);
    }
    for (_, mut pc) in fleet.into_iter().flatten() {
        pc.session(app).await.unwrap();
        let certificates = pc.certificates(app).await;
        assert!(certificates.iter().any(|certificate| certificate.is_good() && certificate.der == pc.der), "R-16");
        assert!(certificates.len() >= 3, "each renewed twice at least: {}", certificates.len());
    }
    // All of them enrolled on one day; those that were awake renewed first in the fifteen days of the spread.
    let (first, busiest) = (renewals[..124].iter().sum::<usize>(), renewals[99..124].iter().max().unwrap());
    assert!(first > 400 && *busiest < 70, "R-16: {first}, at most {busiest} on one day");
}
