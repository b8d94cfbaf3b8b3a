use std::io::{Cursor, Read};

use super::*;
use crate::app::ca::CaView;
use crate::app::testing::Ground;
use crate::proto::ppkg::Customizations;
use crate::proto::xml::Limits;

const BULK: &str = "windows-bulkenroll-site7@example.test";

fn new(change: impl FnOnce(&mut NewPackage)) -> NewPackage {
    let mut new = NewPackage {
        user: BULK.to_owned(),
        name: None,
        expires_in: None,
        max_devices: None,
        networks: Vec::new(),
        pin: None,
        contents: Contents::default(),
    };
    change(&mut new);
    new
}

async fn add(ground: &Ground, change: impl FnOnce(&mut NewPackage)) -> Result<BuiltPackage, Error> {
    ground.app.add_package(&ground.admin().await, new(change), None).await
}

fn file(archive: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut content = Vec::new();
    archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
    content
}

fn customizations(archive: &[u8]) -> Customizations {
    Customizations::decode(&file(archive, "customizations.xml"), &Limits::default()).unwrap()
}

/// The code of a conflict, or the places of what is invalid.
fn refusal(error: Error) -> String {
    match error {
        Error::Conflict { code, .. } => code.to_owned(),
        Error::Invalid(errors) => errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>().join(" "),
        error => error.to_string(),
    }
}

// covers: E-127, E-132, S-13
#[tokio::test]
async fn a_package_is_handed_out_whole_and_kept_as_hashes() {
    let ground = Ground::new().await;
    let built = add(&ground, |new| new.pin = Some(NewPin::Made)).await.unwrap();
    let handout = built.handout.unwrap();
    let secret = handout.secret.expose_secret();
    assert_eq!((secret.len(), secret.starts_with(SECRET_PREFIX)), (47, true), "256 bits");
    let pin = handout.pin.unwrap();
    assert!(is_pin_shaped(pin.expose_secret()));
    let found = customizations(&handout.archive);
    assert_eq!((found.id, found.version.as_str()), (built.package.id.uuid(), "1.0"));
    assert_eq!((found.upn.as_str(), found.secret.reveal()), (BULK, secret));
    assert_eq!(found.discovery_url, "https://mdm.example.test/EnrollmentServer/Discovery.svc");
    assert_eq!(found.root_certificates, ["root.cer"]);
    let root = ground.app.server_trust.private_root().unwrap().unwrap();
    assert_eq!(file(&handout.archive, "root.cer"), root);
    let kept = format!("{:?}", ground.app.store.package(built.package.id).await.unwrap().unwrap());
    assert!(!kept.contains(secret) && !kept.contains(&format!("\"{}\"", pin.expose_secret())), "{kept}");
    let user = ground.app.store.user_by_name(BULK).await.unwrap().unwrap();
    assert_eq!((user.kind, user.password_hash.is_none()), (UserKind::Bulk, true));
    let script = String::from_utf8(file(&handout.archive, "build.cmd")).unwrap();
    assert!(script.contains(&handout.command) && script.contains("Muster-site7.ppkg"), "{script}");
    let (asks, builds) = (script.find("net session").unwrap(), script.find(&handout.command).unwrap());
    assert!(asks < builds && script.contains("Run as administrator"), "it asks for its rights first: {script}");
    assert!(script.lines().count() > 5 && !script.replace("\r\n", "").contains('\n'), "lines as cmd.exe has them");
}

#[tokio::test]
async fn the_pages_tell_no_secret_and_are_whole() {
    let ground = Ground::new().await;
    let fill = |new: &mut NewPackage| {
        new.pin = Some(NewPin::Given(SecretString::from("48151623")));
        new.networks = vec![Network::try_from("192.0.2.0/24".to_owned()).unwrap()];
        new.contents = serde_contents();
    };
    let handout = add(&ground, fill).await.unwrap().handout.unwrap();
    for (name, words) in [("instructions.en.html", "Wireless network"), ("instructions.fr.html", "Réseau sans fil")] {
        let page = String::from_utf8(file(&handout.archive, name)).unwrap();
        for secret in [handout.secret.expose_secret(), "48151623", "wifi-password", "admin-password"] {
            assert!(!page.contains(secret), "{name} tells {secret}");
        }
        assert!(page.contains("PowerShell)"), "{name}: the command is one of cmd.exe");
        for code in ["0x80180015", "0x80180032"] {
            assert!(page.contains(code), "{name} does not tell what {code} means");
        }
        for shown in [words, BULK, "192.0.2.0/24", "SITE7-%RAND:4%", "A &lt;lab&gt; &amp; more", "ICD.exe"] {
            assert!(page.contains(shown), "{name} does not tell {shown}");
        }
        let outside = ["http://", "src=", "href=", "<script"].into_iter().find(|outside| page.contains(outside));
        assert_eq!(outside, None, "{name}");
        let body = page.strip_prefix("<!doctype html>\n").unwrap();
        let document = roxmltree::Document::parse(body).unwrap();
        assert_eq!(document.descendants().filter(|node| node.has_tag_name("h1")).count(), 1);
    }
}

fn serde_contents() -> Contents {
    Contents {
        notes: Some("A <lab> & more".to_owned()),
        device_name: Some("SITE7-%RAND:4%".to_owned()),
        wifi: serde_json::from_value(json!({"ssid": "SETUP", "password": "wifi-password"})).unwrap(),
        local_admin: serde_json::from_value(json!({"name": "setup", "password": "admin-password"})).unwrap(),
        root_certificate: RootCertificate::None,
    }
}

#[tokio::test]
async fn while_a_ca_is_replaced_a_package_holds_both_roots() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let served = ground.app.server_trust.private_root().unwrap().unwrap();
    let older = add(&ground, |new| new.name = Some("Older".to_owned())).await.unwrap().package.id;
    add(&ground, |new| new.contents.root_certificate = RootCertificate::None).await.unwrap();
    let to_rebuild = |view: CaView| view.packages.into_iter().map(|package| package.name).collect::<Vec<_>>();
    assert!(to_rebuild(ground.app.ca().await.unwrap()).is_empty(), "there is no other CA");
    ground.app.rotate_ca(&by, false).await.unwrap();
    let next = ground.app.authority.now().next.as_ref().unwrap().root().to_vec();
    let handout = add(&ground, |_| {}).await.unwrap().handout.unwrap();
    assert_eq!(customizations(&handout.archive).root_certificates, ["root.cer", "root-2.cer"]);
    assert_eq!((file(&handout.archive, "root.cer"), file(&handout.archive, "root-2.cer")), (served.clone(), next));
    assert_eq!(to_rebuild(ground.app.activate_ca(&by, true, true).await.unwrap()), ["Older"]);
    assert_eq!(to_rebuild(ground.app.activate_ca(&by, true, false).await.unwrap()), ["Older"]);
    ground.app.rebuild_package(&by, older, Contents::default(), None, None).await.unwrap();
    assert!(to_rebuild(ground.app.ca().await.unwrap()).is_empty(), "it has both now");
    // An operator's own root is none of ours.
    let given = |new: &mut NewPackage| new.contents.root_certificate = RootCertificate::Given(served);
    let handout = add(&ground, given).await.unwrap().handout.unwrap();
    assert_eq!(customizations(&handout.archive).root_certificates, ["root.cer"]);
}

#[tokio::test]
async fn a_package_whose_address_is_out_of_date_is_named_until_it_is_built_anew() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let demanding = App {
        settings: Settings { require_generation: true, ..Settings::clone(&ground.app.settings) }.into(),
        ..ground.app.clone()
    };
    let named = async |app: &App| -> Vec<String> {
        app.stale_packages().await.unwrap().into_iter().map(|package| package.name).collect()
    };
    add(&ground, |new| new.name = Some("Bare".to_owned())).await.unwrap();
    ground.app.rotate_enrollment_url(&by).await.unwrap();
    assert!(named(&ground.app).await.is_empty(), "its address goes on working");
    assert_eq!(named(&demanding).await, ["Bare"], "an address without a generation does not work here");
    let of_generation = NewPackage { name: Some("First".to_owned()), ..new(|_| {}) };
    let made = demanding.add_package(&by, of_generation, None).await.unwrap();
    let url = demanding.enrollment_url().await.unwrap().url;
    assert_eq!(customizations(&made.handout.unwrap().archive).discovery_url, url);
    assert_eq!(named(&demanding).await, ["Bare"]);
    demanding.rotate_enrollment_url(&by).await.unwrap();
    assert_eq!(named(&demanding).await, ["Bare", "First"]);
    assert_eq!(named(&ground.app).await, ["First"], "an old generation works nowhere");
    demanding.rebuild_package(&by, made.package.id, Contents::default(), None, None).await.unwrap();
    assert_eq!(named(&demanding).await, ["Bare"]);
}

// covers: E-128
#[tokio::test]
async fn a_build_has_a_higher_version_and_the_same_id() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let first = add(&ground, |new| new.contents = serde_contents()).await.unwrap();
    let id = first.package.id;
    let second = ground.app.rebuild_package(&by, id, Contents::default(), None, None).await.unwrap();
    let third = ground.app.rebuild_package(&by, id, serde_contents(), Some(NewPin::Made), None).await.unwrap();
    let (first, second, third) = (first.handout.unwrap(), second.handout.unwrap(), third.handout.unwrap());
    let found = [&first, &second, &third].map(|handout| customizations(&handout.archive));
    assert_eq!(found.each_ref().map(|found| found.version.as_str()), ["1.0", "1.1", "1.2"]);
    assert!(found.iter().all(|found| found.id == id.uuid() && found.upn == BULK));
    assert!(found[0].secret != found[1].secret && found[1].secret != found[2].secret);
    assert_eq!(found.each_ref().map(|found| found.wifi.is_some()), [true, false, true], "nothing is kept");
    assert!(second.pin.is_none() && third.pin.is_some());
    let keyed = async |key| ground.app.rebuild_package(&by, id, Contents::default(), None, Some(key)).await.unwrap();
    assert!(keyed("a").await.handout.is_some());
    let repeated = keyed("a").await;
    assert!(repeated.handout.is_none() && repeated.package.version() == "1.3");
    assert!(keyed("b").await.handout.is_some() && keyed("a").await.handout.is_some());
    ground.app.revoke_package(&by, id).await.unwrap();
    ground.app.revoke_package(&by, id).await.unwrap();
    let over = ground.app.rebuild_package(&by, id, Contents::default(), None, None).await.unwrap_err();
    assert_eq!(refusal(over), "package_over");
    ground.clock.advance(Duration::days(40));
    let other = add(&ground, |new| new.expires_in = Some(Duration::DAY)).await.unwrap().package.id;
    ground.clock.advance(Duration::DAY);
    let over = ground.app.rebuild_package(&by, other, Contents::default(), None, None).await.unwrap_err();
    assert_eq!(refusal(over), "package_over");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let ground = Ground::new().await;
    ground.user("ada@example.test", Role::User).await;
    type Change = fn(&mut NewPackage);
    let cases: [(Change, &str); 14] = [
        (|new| new.user = "site7@example.test".to_owned(), "/user"),
        (|new| new.user = "ada@example.test".to_owned(), "/user"),
        (|new| new.user = "windows-bulkenroll-7".to_owned(), "/user"),
        (|new| new.user = "windows-bulkenroll a@b".to_owned(), "/user"),
        (|new| new.name = Some("../x".to_owned()), "/name"),
        (|new| new.expires_in = Some(Duration::ZERO), "/expires_in"),
        (|new| new.expires_in = Some(Duration::days(400)), "/expires_in"),
        (|new| new.max_devices = Some(0), "/max_devices"),
        (|new| new.max_devices = Some(u32::MAX), "/max_devices"),
        (|new| new.pin = Some(NewPin::Given(SecretString::from("12345"))), "/pin"),
        (|new| new.pin = Some(NewPin::Given(SecretString::from("000000"))), "/pin"),
        (|new| new.contents.device_name = Some("A NAME".to_owned()), "/device_name"),
        (|new| new.contents.root_certificate = RootCertificate::Given(vec![1, 2]), "/root_certificate"),
        (
            |new| {
                new.contents.wifi = serde_json::from_value(json!({"ssid": "", "password": "x"})).unwrap();
                new.contents.local_admin = serde_json::from_value(json!({"name": "a/b", "password": "x"})).unwrap();
                new.contents.notes = Some("\u{1}".to_owned());
            },
            "/notes /wifi/ssid /local_admin/name",
        ),
    ];
    for (change, places) in cases {
        assert_eq!(refusal(add(&ground, change).await.unwrap_err()), places);
    }
    let page = Page { limit: 10, after: None };
    assert!(ground.app.packages(&page).await.unwrap().items.is_empty());
    assert!(ground.app.store.user_by_name(BULK).await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_has_one_pin_at_a_time() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let with_pin = |new: &mut NewPackage| new.pin = Some(NewPin::Made);
    let first = add(&ground, with_pin).await.unwrap().package;
    let second = add(&ground, |_| {}).await.unwrap().package;
    assert_eq!(refusal(add(&ground, with_pin).await.unwrap_err()), "pin_taken");
    let pin = || Some(NewPin::Made);
    let taken = ground.app.rebuild_package(&by, second.id, Contents::default(), pin(), None).await.unwrap_err();
    assert_eq!(refusal(taken), "pin_taken");
    ground.app.rebuild_package(&by, first.id, Contents::default(), pin(), None).await.unwrap();
    ground.app.revoke_package(&by, first.id).await.unwrap();
    ground.app.rebuild_package(&by, second.id, Contents::default(), pin(), None).await.unwrap();
}

#[tokio::test]
async fn a_bulk_user_has_a_domain_that_discovery_answers_for() {
    let ground = Ground::new().await;
    let mut settings = ground.app.settings.as_ref().clone();
    settings.domains = vec!["other.test".to_owned(), "sub.example.test".to_owned()];
    let app = App { settings: settings.into(), ..ground.app.clone() };
    let by = ground.admin().await;
    let Error::Invalid(errors) = app.add_package(&by, new(|_| {}), None).await.unwrap_err() else {
        panic!("another kind of error")
    };
    assert_eq!((errors.len(), errors[0].pointer.as_str()), (1, "/user"));
    assert!(errors[0].message.contains("`domains`"), "{}", errors[0].message);
    let served = new(|new| new.user = "windows-bulkenroll-site7@Other.test".to_owned());
    app.add_package(&by, served, None).await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_makes_one_package() {
    let ground = Ground::new().await;
    let by = ground.admin().await;
    let made = ground.app.add_package(&by, new(|_| {}), Some("k1")).await.unwrap();
    let again = ground.app.add_package(&by, new(|_| {}), Some("k1")).await.unwrap();
    assert_eq!((again.package.id, again.handout.is_none()), (made.package.id, true));
    let other = ground.app.add_package(&by, new(|new| new.max_devices = Some(3)), Some("k1")).await.unwrap_err();
    assert_eq!(refusal(other), "idempotency_key_reused");
}

#[test]
fn names_are_made_of_the_user() {
    for (user, name) in [
        ("windows-bulkenroll-site7@example.test", "Muster-site7"),
        ("Windows-BulkEnroll_Büro.3@example.test", "Muster-B-ro-3"),
        ("windows-bulkenroll@example.test", "Muster-windows-bulkenroll"),
        ("x@y", "Muster-x"),
        ("@y", "Muster"),
    ] {
        assert_eq!(usual_name(user, "windows-bulkenroll"), name, "{user}");
        assert!(ppkg::check_name("/name", &usual_name(user, "windows-bulkenroll")).is_ok());
    }
}
