//! Bulk enrollment: a package is made, read back by others, and enrolls what it says; every end of it is respected; the
//! devices are assigned to people.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use muster::proto::ppkg::Customizations;
use muster::proto::xml::Limits;
use serde_json::{Value, json};

use crate::support::api::{Api, User};
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::{Address, Request};
use crate::support::package::{Said, Unpacked};
use crate::support::server::{Server, muster, run, workspace};
use crate::support::soap::{self, Fault};
use crate::support::timed::{DAY, Timed};
use crate::support::{database, random_hex, unique};

fn bulk_name() -> String {
    format!("windows-bulkenroll-{}@example.test", unique())
}

/// A package that was made, and what it says.
struct Made {
    document: Value,
    files: Unpacked,
    said: Said,
}

impl Made {
    fn of(document: Value) -> Self {
        let archive = BASE64_STANDARD.decode(document["archive"].as_str().expect("an archive in base64")).unwrap();
        let files = Unpacked::new(&archive);
        let said = files.said();
        Self { document, files, said }
    }

    fn id(&self) -> &str {
        self.document["id"].as_str().unwrap()
    }

    /// Another one with these fields in the request.
    #[track_caller]
    fn new(api: &Api, fields: &Value) -> Self {
        let mut body = json!({"user": bulk_name()});
        let more = fields.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        Self::of(api.post("/packages", &body, 201))
    }

    fn user(&self) -> User {
        self.said.user()
    }

    #[track_caller]
    fn enroll(&self, server: &Server) -> FakeDevice {
        let enrolled = self.said.enroll(server, &self.files, Profile::new());
        enrolled.unwrap_or_else(|fault| panic!("refused: {fault:?}"))
    }

    #[track_caller]
    fn refused(&self, server: &Server) -> Fault {
        match self.said.enroll(server, &self.files, Profile::new()) {
            Ok(_) => panic!("E-130: it was let in"),
            Err(fault) => fault,
        }
    }

    fn devices(&self, api: &Api) -> Value {
        api.get(&format!("/packages/{}", self.id()))["devices"].clone()
    }
}

/// The device in the API, by its hardware.
#[track_caller]
fn device(api: &Api, device: &FakeDevice) -> Value {
    let found = api.devices_with_hardware(&device.profile.hw_dev_id);
    assert_eq!(found.len(), 1, "{found:?}");
    api.device(found[0]["id"].as_str().unwrap())
}

fn folder() -> PathBuf {
    let folder = workspace().join(format!("packages-{}", unique()));
    fs::create_dir(&folder).unwrap();
    folder
}

fn cause_of_last_attempt(api: &Api) -> String {
    api.get("/enrollment-attempts?limit=1")["items"][0]["cause"].as_str().unwrap_or_default().to_owned()
}

/// From the command line to the first acknowledged session, with nothing but what the file says.
#[test]
// covers: E-127, E-132, S-13, E-52
fn a_package_of_the_command_line_enrolls_a_device() {
    let server = Server::start();
    let api = server.api();
    let folder = folder();
    let (wifi, admin) = (folder.join("wifi"), folder.join("admin"));
    fs::write(&wifi, "a <wifi> & \"key\"\n").unwrap();
    fs::write(&admin, "Local Admin 1\r\n").unwrap();
    let bulk = bulk_name();
    let target = folder.join("new");
    let line = [
        ["ppkg", "new", "--user", &bulk, "--json"].as_slice(),
        &["--out", target.to_str().unwrap(), "--name", "Site7", "--expires", "7d", "--max-devices", "5"],
        &["--device-name", "SITE7-%RAND:4%", "--wifi", "Café & <Bar>", "--wifi-password-file", wifi.to_str().unwrap()],
        &["--local-admin", "setup", "--local-admin-password-file", admin.to_str().unwrap(), "--pin"],
        &["--notes", "Room 7", "--network", "127.0.0.0/8", "--network", "::1"],
    ]
    .concat();
    let told: Value = serde_json::from_str(&run(&server, &line).0).unwrap();
    let file = folder.join("new/Site7-1.0.zip");
    assert_eq!(told["file"], file.to_str().unwrap());
    assert!(told["archive"].is_null(), "the file holds it");
    let files = Unpacked::new(&fs::read(&file).unwrap());
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "others cannot read the secret");

    let said = files.said();
    assert_eq!((said.upn.as_str(), said.auth_policy.as_str()), (bulk.as_str(), "OnPremise"));
    assert_eq!(said.discovery, format!("{}/EnrollmentServer/Discovery.svc", server.url));
    assert_eq!(told["secret"], said.secret.as_str());
    assert!(said.secret.len() >= 43, "E-132: 256 bits in base64: {}", said.secret);
    assert_eq!(said.ssid.as_deref(), Some("Café & <Bar>"));
    assert_eq!(said.wifi_key.as_deref(), Some("a <wifi> & \"key\""));
    assert_eq!((said.admin.as_deref(), said.device_name.as_deref()), (Some("setup"), Some("SITE7-%RAND:4%")));
    assert_eq!(said.id, format!("{{{}}}", told["id"].as_str().unwrap()), "E-128");
    if let Some(other) = files.said_by_xmllint() {
        assert_eq!(other, said, "E-127: xmllint reads the same");
    }
    let ours = Customizations::decode(&files.0["customizations.xml"], &Limits::default()).unwrap();
    assert_eq!((ours.upn.as_str(), ours.discovery_url.as_str()), (said.upn.as_str(), said.discovery.as_str()));
    assert_eq!((ours.secret.reveal(), &ours.device_name), (said.secret.as_str(), &said.device_name));
    let wifi = ours.wifi.unwrap();
    assert_eq!(
        (wifi.ssid, wifi.password.unwrap().reveal()),
        (said.ssid.clone().unwrap(), said.wifi_key.as_deref().unwrap())
    );
    assert!(files.text("build.cmd").contains(told["command"].as_str().unwrap()));
    for (name, word) in
        [("instructions.en.html", "Build the package"), ("instructions.fr.html", "Construire le package")]
    {
        assert!(files.text(name).contains(word) && !files.text(name).contains(&said.secret), "{name}");
    }

    let mut enrolled = said.enroll(&server, &files, Profile::new()).unwrap_or_else(|fault| panic!("{fault:?}"));
    let visit = enrolled.check_in();
    assert!(!visit.replies.is_empty(), "the first session is answered");
    enrolled.settle();
    let shown = device(&api, &enrolled);
    assert_eq!((&shown["user"], &shown["mode"], &shown["state"]), (&json!(bulk), &json!("bulk"), &json!("active")));
    assert_eq!((&shown["package_id"], &shown["assigned_at"]), (&told["id"], &Value::Null));
    assert!(shown["last_seen_at"].is_string());
    let package = api.get(&format!("/packages/{}", told["id"].as_str().unwrap()));
    assert_eq!(
        (&package["devices"], &package["max_devices"], &package["state"]),
        (&json!(1), &json!(5), &json!("live"))
    );
    assert!(package["secret"].is_null() && package["last_used_at"].is_string());
    let user = &api.list("/users?query=windows-bulkenroll")[0];
    assert_eq!((&user["kind"], &user["role"], &user["has_password"]), (&json!("bulk"), &json!("user"), &json!(false)));
    for line in [["ppkg", "list"].as_slice(), &["ppkg", "show", told["id"].as_str().unwrap()]] {
        let shown = run(&server, line).0;
        assert!(shown.contains("Site7") && shown.contains("1 of 5") && !shown.contains(&said.secret), "{shown}");
    }

    let pin = told["pin"].as_str().unwrap();
    let everything = format!("{:?}{:?}{}", api.events(), api.list("/audit?limit=500"), server.log());
    for secret in [said.secret.as_str(), "a <wifi> & ", "Local Admin 1"] {
        assert!(!everything.contains(secret), "S-13, E-52: {secret} is told");
        assert!(!database::holds(&server, secret), "S-13: the database holds {secret}");
    }
    assert!(!server.log().contains(pin));
}

/// E-129: of several that want the last place, one gets it; a machine that has one keeps it.
#[test]
// covers: E-129, E-67, E-105
fn a_package_lets_in_as_many_as_it_may() {
    let server = Server::start();
    let api = server.api();
    let made = Made::new(&api, &json!({"max_devices": 2}));
    let first = made.enroll(&server);
    let attempts: Vec<Attempt> = (0..4).map(|_| Attempt::new(&server, &made.user())).collect();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = attempts.iter().map(|attempt| scope.spawn(|| attempt.send(&server).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    made.refused(&server).is("E-129", "s:Authorization", Some("DeviceCapReached"));
    assert!(cause_of_last_attempt(&api).contains("limit of 2 devices"), "{}", cause_of_last_attempt(&api));
    assert_eq!(made.devices(&api), 2);
    let again = made.said.enroll(&server, &made.files, first.profile.reset());
    let again = again.unwrap_or_else(|fault| panic!("E-67: {fault:?}"));
    assert_eq!(device(&api, &again)["state"], "active");
    assert_eq!(made.devices(&api), 2, "E-67: the same machine counts once");
    assert_eq!(api.get(&format!("/packages/{}", made.id()))["state"], "used_up");
}

#[test]
// covers: E-130, E-105, S-13
fn what_is_over_lets_nobody_in() {
    let timed = Timed::start();
    let (server, api) = (&timed.server, timed.server.api());
    let revoked = Made::new(&api, &json!({}));
    let stays = revoked.enroll(server);
    api.delete(&format!("/packages/{}", revoked.id()));
    revoked.refused(server).is("E-130", "s:Authentication", None);
    assert_eq!(cause_of_last_attempt(&api), "the package was revoked");
    assert_eq!(device(&api, &stays)["state"], "active", "the devices stay");

    let expired = Made::new(&api, &json!({"expires_in": "2d"}));
    let mut kept = expired.enroll(server);
    timed.pass(2 * DAY + 1);
    expired.refused(server).is("E-130", "s:Authentication", None);
    assert_eq!(cause_of_last_attempt(&api), "the package has expired");
    kept.check_in();

    let old = Made::new(&api, &json!({}));
    let rebuilt = Made::of(api.post(&format!("/packages/{}/rebuild", old.id()), &json!({}), 200));
    assert_eq!((&rebuilt.said.id, rebuilt.said.version.as_str()), (&old.said.id, "1.1"), "E-128");
    old.refused(server).is("E-130", "s:Authentication", None);
    rebuilt.enroll(server);

    let gone = Made::new(&api, &json!({}));
    api.delete(&format!("/users/{}", gone.document["user_id"].as_str().unwrap()));
    gone.refused(server).is("E-130", "s:Authentication", None);
    assert_eq!(api.get(&format!("/packages/{}", gone.id()))["state"], "revoked");

    let disabled = Made::new(&api, &json!({}));
    api.patch(&format!("/users/{}", disabled.document["user_id"].as_str().unwrap()), &json!({"enabled": false}));
    disabled.refused(server).is("E-130", "s:Authorization", None);

    let elsewhere = Made::new(&api, &json!({"networks": ["192.0.2.0/24"]}));
    elsewhere.refused(server).is("S-14", "s:Authentication", None);
    assert_eq!(cause_of_last_attempt(&api), "the package may not be used from this address");
}

/// S-14: who tries secrets is slowed down as with passwords, and learns nothing; the faults are all the same.
#[test]
// covers: E-53, E-130, S-14
fn wrong_secrets_are_refused_alike_and_throttled() {
    let server = Server::start();
    let api = server.api();
    let (made, other) = (Made::new(&api, &json!({"pin": "48151623"})), Made::new(&api, &json!({})));
    let secret = made.said.secret.clone();
    let mut flipped = secret.clone();
    flipped.replace_range(10..11, if &secret[10..11] == "A" { "B" } else { "A" });
    let changed = [flipped.as_str(), &secret[1..], &secret.to_uppercase(), &format!("{secret}x"), "48151624"];
    let mut faults = Vec::new();
    let mut guess = |email: &str, password: &str| {
        let user = User { id: String::new(), email: email.to_owned(), password: password.to_owned() };
        let fault = Attempt::new(&server, &user).refused(&server);
        fault.is("E-130", "s:Authentication", None);
        faults.push(fault.without_ids());
    };
    for password in changed.iter().copied().chain([other.said.secret.as_str(), "wrong"]) {
        guess(&made.said.upn, password);
    }
    guess("windows-bulkenroll-nobody@example.test", &secret);
    guess(&api.add_user().email, &secret);
    for _ in 0..3 {
        guess(&made.said.upn, &random_hex(16));
    }
    // Now the tries of that name are used up, and nothing but the right secret is looked at.
    guess(&made.said.upn, "48151623");
    assert!(cause_of_last_attempt(&api).contains("too many wrong passwords"), "{}", cause_of_last_attempt(&api));
    assert!(faults.iter().all(|fault| format!("{fault:?}") == format!("{:?}", faults[0])), "{faults:?}");
    assert_eq!((made.devices(&api), other.devices(&api)), (json!(0), json!(0)));
    made.enroll(&server);
    other.enroll(&server);
}

#[test]
// covers: S-13, S-14
fn a_pin_enrolls_by_hand_and_stands_five_wrong_tries() {
    let server = Server::start();
    let api = server.api();
    let made = Made::new(&api, &json!({"pin": "48151623", "max_devices": 2}));
    assert!(!database::holds(&server, "48151623"), "S-13: the PIN is in the database");
    let kept = database::bytes_of(&server, "packages", "pin_hash");
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].is_empty() && !database::contains(&kept[0], b"$argon2"), "S-13: hashes of PINs are sealed");
    let user = |password: &str| User { password: password.to_owned(), ..made.user() };
    let by_hand = Attempt::new(&server, &user("48151623")).enroll(&server, None);
    let shown = device(&api, &by_hand);
    assert_eq!((&shown["mode"], &shown["package_id"]), (&json!("bulk"), &json!(made.id())));
    assert_eq!(made.devices(&api), 1);
    for number in 0..5 {
        Attempt::new(&server, &user(&format!("0000000{number}"))).refused(&server);
    }
    Attempt::new(&server, &user("48151623")).refused(&server).is("S-13", "s:Authentication", None);
    assert_eq!(api.get(&format!("/packages/{}", made.id()))["pin_state"], "locked");
    let rows = api.list(&format!("/audit?object={}", made.id()));
    let of = |action: &str| rows.iter().filter(|row| row["action"] == action).collect::<Vec<_>>();
    assert_eq!(of("package.lock_pin").len(), 1);
    let guesses = of("package.pin");
    assert_eq!(guesses.len(), 5, "each guess is audited: {rows:?}");
    for row in guesses {
        assert_eq!((&row["outcome"], &row["actor"]), (&json!("refused"), &json!(made.said.upn)), "{row}");
        assert_eq!(row["address"], "127.0.0.1", "{row}");
    }
    made.enroll(&server);
}

#[test]
fn another_generation_of_the_enrollment_url_names_the_packages_that_it_ends() {
    let server = Server::start_with(&[("MUSTER__ENROLL__REQUIRE_GENERATION", "true")]);
    let api = server.api();
    let made = Made::new(&api, &json!({"name": "Site7"}));
    made.enroll(&server);
    assert_eq!(api.get("/enrollment-url")["stale_packages"], json!([]));
    let (_, told) = run(&server, &["enroll-url", "rotate"]);
    assert!(told.contains(&format!("Site7 ({})", made.id())), "{told}");
    let stale = json!([{"id": made.id(), "name": "Site7"}]);
    assert_eq!(api.get("/enrollment-url")["stale_packages"], stale, "it is still named later");
    let discover = soap::discover(&made.said.upn);
    let answer = server.web(&soap::post(&Address::of(&made.said.discovery).path, discover.xml()));
    discover.refused(&answer).is("an old generation", "s:Authorization", Some("NotSupported"));
    let rebuilt = Made::of(api.post(&format!("/packages/{}/rebuild", made.id()), &json!({}), 200));
    assert_eq!(api.get("/enrollment-url")["stale_packages"], json!([]));
    rebuilt.enroll(&server);
}

#[test]
// covers: E-131
fn a_device_is_assigned_without_enrolling_again() {
    let server = Server::start();
    let api = server.api();
    let made = Made::new(&api, &json!({}));
    let mut enrolled = made.enroll(&server);
    enrolled.settle();
    let id = device(&api, &enrolled)["id"].as_str().unwrap().to_owned();
    let of_user = "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./User/Vendor/MSFT/Policy/Config/Experience/\
        AllowCortana</LocURI></Target><Meta><Format xmlns=\"syncml:metinf\">int</Format></Meta><Data>0</Data></Item>\
        </Replace>";
    let refused = api.try_command(&id, of_user, "?unchecked=true");
    refused.expect_status("E-131", 409);
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(problem["code"], "no_user", "{problem}");
    api.command(&id, &of_user.replace("./User/", "./Device/"));
    let profile =
        "<WLANProfile xmlns=\"http://www.microsoft.com/networking/WLAN/profile/v1\"><name>Lab</name></WLANProfile>";
    let wifi = json!({"type": "wifi_profile", "name": "Lab", "scope": "user", "profile": profile});
    assert_eq!(api.act_refused(&id, &wifi), "no_user");

    let ada = api.add_user();
    let dry = api.post(&format!("/devices/{id}/assign?dry_run=true"), &json!({"user": ada.email}), 200);
    assert_eq!((&dry["dry_run"], &api.device(&id)["user"]), (&json!(true), &json!(made.said.upn)));
    let told = run(&server, &["device", "assign", &enrolled.profile.device_name, &ada.email]).0;
    assert!(told.contains(&ada.email) && told.contains("new password"), "{told}");
    let shown = api.device(&id);
    assert_eq!((&shown["user"], &shown["mode"]), (&json!(ada.email), &json!("bulk")));
    assert!(shown["assigned_at"].is_string());
    let event = api.wait_for_event("device.assigned", &id);
    assert_eq!((&event["data"]["user"], &event["data"]["previous_user"]), (&json!(ada.email), &json!(made.said.upn)));
    let rows = api.list("/audit?limit=500");
    assert!(rows.iter().any(|row| row["action"] == "device.assign" && row["object"]["id"] == id.as_str()), "{rows:?}");

    api.act(&id, &wifi);
    let command = api.command(&id, of_user);
    enrolled.settle();
    assert_eq!(api.command_state(&command), "succeeded", "the same certificate, the same enrollment");
    assert_eq!(api.get(&format!("/users/{}", ada.id))["must_change_password"], true);
    let fault = Attempt::new(&server, &ada).refused(&server);
    fault.is("E-131", "s:Authorization", Some("CustomServerError"));
    assert!(fault.reason.contains(&format!("{}/password", server.url)), "{fault:?}");
    let choose = |present: &str, new: &str, again: &str| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("name", ada.email.as_str()), ("present", present), ("new", new), ("again", again)]);
        let request = Request::post("/password?lang=fr", form.finish());
        let shown = server.web(&request.header("Content-Type", "application/x-www-form-urlencoded"));
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        assert!(!shown.text().contains(present) && !shown.text().contains(new), "S-13: {}", shown.text());
        (shown.status, shown.text().to_owned())
    };
    for (present, new, again, status, words) in [
        ("no password of hers", "another long password", "another long password", 403, "actuel est erroné"),
        (&ada.password, "another long password", "another one", 400, "ne sont pas identiques"),
        (&ada.password, "kurz7", "kurz7", 400, "ne peut pas être un mot de passe"),
        (&ada.password, &ada.password, &ada.password, 400, "votre mot de passe actuel"),
    ] {
        let (got, page) = choose(present, new, again);
        assert!(got == status && page.contains(words) && page.contains(&ada.email), "{words}: {got} {page}");
    }
    assert_eq!(api.get(&format!("/users/{}", ada.id))["must_change_password"], true);
    let (status, page) = choose(&ada.password, "another long password", "another long password");
    assert!(status == 200 && page.contains("Votre mot de passe est changé"), "{status} {page}");
    assert_eq!(api.get(&format!("/users/{}", ada.id))["must_change_password"], false);
    let ada = User { password: "another long password".to_owned(), ..ada };
    Attempt::new(&server, &ada).enroll(&server, Some(&ada.email));
    assert_eq!(made.devices(&api), 1, "the count of the package is of enrollments, not of who has them now");
}

#[test]
fn only_devices_in_bulk_are_assigned_and_only_to_people() {
    let server = Server::shared();
    let api = server.api();
    let (own, user) = FakeDevice::new(server);
    let assign = |id: &str, to: &str, status| api.post(&format!("/devices/{id}/assign"), &json!({"user": to}), status);
    let refused = assign(device(&api, &own)["id"].as_str().unwrap(), &user.email, 409);
    assert_eq!(refused["code"], "not_bulk_enrolled", "{refused}");
    let made = Made::new(&api, &json!({}));
    let id = device(&api, &made.enroll(server))["id"].as_str().unwrap().to_owned();
    for to in ["nobody@example.test", made.said.upn.as_str(), ""] {
        let problem = assign(&id, to, 422);
        assert_eq!(problem["errors"][0]["pointer"], "/user", "{problem}");
    }
    assert_eq!(assign(&random_id(), &user.email, 404)["code"], "not_found");
    let token = api.post("/tokens", &json!({"name": "x", "role": "user", "user_id": made.document["user_id"]}), 409);
    assert_eq!(token["code"], "bulk_user", "bulk users sign in nowhere else");
}

/// What the answer brings, it brings once: whoever cannot keep it is told of the package and of the way out.
#[test]
fn a_package_whose_files_are_lost_is_named() {
    let server = Server::start();
    let api = server.api();
    let made = Made::new(&api, &json!({"name": "Site7"}));
    let folder = folder();
    let fails = |line: &[&str]| {
        let output = muster().args(line).env("MUSTER_DATA", server.data()).output().unwrap();
        assert!(!output.status.success(), "{line:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for name in ["Site7-1.1.zip".to_owned(), format!("Site7-1.1-{}.zip", made.id())] {
        fs::write(folder.join(name), "mine").unwrap();
    }
    let told = fails(&["ppkg", "rebuild", made.id(), "--out", folder.to_str().unwrap()]);
    assert!(told.contains(&format!("muster ppkg rebuild {}", made.id())), "{told}");
    assert_eq!(fs::read_to_string(folder.join("Site7-1.1.zip")).unwrap(), "mine");
    run(&server, &["ppkg", "rebuild", made.id(), "--out", folder.to_str().unwrap()]);
    assert!(folder.join("Site7-1.2.zip").is_file());
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| !name.to_string_lossy().starts_with("Site7-"));
    assert!(names.is_empty(), "nothing else is left there: {names:?}");

    let bulk = bulk_name();
    fails(&["ppkg", "new", "--user", &bulk, "--out", "/proc/self"]);
    assert_eq!(api.list("/packages").len(), 1, "where no file can be written no package is made");
}

fn random_id() -> String {
    "019a0000-0000-7000-8000-000000000000".to_owned()
}

#[test]
fn bad_requests_name_what_is_wrong_and_make_nothing() {
    // Its own: it counts the packages.
    let server = Server::start();
    let api = server.api();
    let before = api.list("/packages").len();
    let person = api.add_user().email;
    let cases = [
        (json!({}), "/user"),
        (json!({"user": person}), "/user"),
        (json!({"user": "ada@example.test"}), "/user"),
        (json!({"user": bulk_name(), "networks": ["192.0.2.0/24", "everywhere"]}), "/networks/1"),
        (json!({"user": bulk_name(), "pin": "12"}), "/pin"),
        (json!({"user": bulk_name(), "device_name": "%USERNAME%"}), "/device_name"),
        (json!({"user": bulk_name(), "wifi": {"ssid": "x", "password": "short"}}), "/wifi/password"),
        (json!({"user": bulk_name(), "local_admin": {"name": "a@b", "password": "x"}}), "/local_admin/name"),
        (json!({"user": bulk_name(), "root_certificate": "no PEM"}), "/root_certificate"),
        (json!({"user": bulk_name(), "expires_in": "400d"}), "/expires_in"),
        (json!({"user": bulk_name(), "max_devices": 0}), "/max_devices"),
        (json!({"user": bulk_name(), "name": "../../x"}), "/name"),
    ];
    for (body, pointer) in cases {
        let problem = api.post("/packages", &body, 422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    let oddities = [json!({"user": bulk_name(), "pin": {"x": 1}}), json!({"user": bulk_name(), "secret": "mine"})];
    for body in oddities {
        let response =
            api.send(Request::post("/packages", body.to_string()).header("Content-Type", "application/json"));
        assert!([400, 422].contains(&response.status), "{body}: {} {}", response.status, response.text());
    }
    assert_eq!(api.list("/packages").len(), before);
    assert_eq!(api.post(&format!("/packages/{}/rebuild", random_id()), &json!({}), 404)["code"], "not_found");
}
