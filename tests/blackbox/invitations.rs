//! Invitations from their first page or mail to the first session of the device; what becomes of PINs, addresses and mails
//! that are old, wrong or used; and the address of the enrollment that can be changed.

use serde_json::{Value, json};

use crate::support::api::{Api, User};
use crate::support::database;
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::{Address, Request};
use crate::support::inviting::{invited, new_address, page, text};
use crate::support::server::{Server, run};
use crate::support::soap::{self, Fault, Soap};
use crate::support::timed::{DAY, HOUR, MINUTE, Timed};
use crate::support::unique;

/// What stands in the first element of a class `copy` after some text: what people copy.
fn copied<'p>(page: &'p str, behind: &str) -> &'p str {
    let rest = page.split_once(behind).unwrap_or_else(|| panic!("no {behind} in {page}")).1;
    let rest = rest.split_once("class=\"copy\">").unwrap().1;
    rest.split_once("</code>").unwrap().0
}

fn rst_refused(server: &Server, user: &User) -> Fault {
    Attempt::new(server, user).refused(server)
}

fn state(api: &Api, invitation: &Value) -> String {
    text(&api.get(&format!("/invitations/{}", text(invitation, "id"))), "state").to_owned()
}

#[test]
// covers: E-133, E-134, S-13
fn from_the_page_of_an_invitation_to_the_first_session() {
    let server = Server::shared();
    let api = server.api();
    let email = new_address("ada");
    let (invitation, user) = invited(&api, &email);
    let url = text(&invitation, "url");
    let shown = page(server, url, "fr;q=0.2, en", 200);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert!(!shown.text().contains(&user.password), "S-13: the PIN is not on the page");
    assert_eq!(copied(shown.text(), "Your user name"), email);
    let server_url = copied(shown.text(), "Address of the server").to_owned();
    let encoded = server_url.replace(':', "%3A").replace('/', "%2F");
    let link =
        format!("ms-device-enrollment:?mode=mdm&#38;username={}&#38;servername={encoded}", email.replace('@', "%40"));
    assert!(shown.text().contains(&link), "{link}\n{}", shown.text());
    assert!(page(server, url, "fr-CA", 200).text().contains("Votre invitation"));

    let discover = soap::discover(&email);
    let found = discover.accepted(&server.web(&soap::post(&Address::of(&server_url).path, discover.xml())));
    assert_eq!(found.text_at("DiscoverResult/AuthPolicy"), "OnPremise");
    let policies = Soap::get_policies(&soap::username_token(&email, &user.password));
    for _ in 0..3 {
        policies.accepted(&server.web(&policies.request()));
    }
    assert_eq!(state(&api, &invitation), "open", "E-134: a check uses nothing up");
    let mut device = Attempt::new(server, &user).enroll(server, Some(&email));
    device.settle();
    assert_eq!(device.document(server)["user"], email.as_str());
    let used = api.get(&format!("/invitations/{}", text(&invitation, "id")));
    assert_eq!((text(&used, "state"), &used["pin_state"]), ("used", &Value::Null));
    assert_eq!(used["enrollment_id"], device.document(server)["enrollment_id"]);

    assert!(page(server, url, "en", 410).text().contains("This invitation was used"));
    rst_refused(server, &user).is("S-13: a second device with the same PIN", "s:Authentication", None);
    device.check_in();
}

#[test]
// covers: E-133, S-13
fn a_pin_is_spent_by_the_first_of_two_devices_at_once() {
    let server = Server::shared();
    let api = server.api();
    let (_, user) = invited(&api, &new_address("twins"));
    let attempts = [Attempt::new(server, &user), Attempt::new(server, &user)];
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let sent: Vec<_> = attempts.iter().map(|attempt| scope.spawn(|| attempt.send(server).status)).collect();
        sent.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(api.devices_of(&user).len(), 1);
}

#[test]
// covers: S-13, S-14, E-133
fn guessed_pins_are_locked_after_five() {
    let server = Server::shared();
    let api = server.api();
    let (invitation, user) = invited(&api, &new_address("target"));
    let wrong = if user.password == "000000" { "000001" } else { "000000" };
    let guesser = User { id: String::new(), email: user.email.clone(), password: wrong.to_owned() };
    let nobody = User { email: new_address("nobody"), ..guesser_like(&guesser) };
    for _ in 0..5 {
        let fault = rst_refused(server, &guesser).without_ids();
        assert_eq!(fault, rst_refused(server, &nobody).without_ids(), "S-14: nothing is told apart");
    }
    rst_refused(server, &user).is("S-13: the right PIN comes too late", "s:Authentication", None);
    let shown = api.get(&format!("/invitations/{}", text(&invitation, "id")));
    assert_eq!((text(&shown, "state"), text(&shown, "pin_state")), ("open", "locked"));
    assert!(page(server, text(&invitation, "url"), "en", 200).text().contains("The PIN does not work any more"));
    let audit = api.list(&format!("/audit?object={}", text(&invitation, "id")));
    let refused = audit.iter().filter(|row| row["action"] == "invitation.pin" && row["outcome"] == "refused");
    assert_eq!(refused.count(), 5, "each guess is audited");
    let again = api.post(&format!("/invitations/{}/resend", text(&invitation, "id")), &json!({}), 200);
    let user = User { password: text(&again, "pin").to_owned(), ..user };
    Attempt::new(server, &user).accepted(server);
}

fn guesser_like(user: &User) -> User {
    User { id: String::new(), email: user.email.clone(), password: user.password.clone() }
}

#[test]
// covers: S-13
fn addresses_that_are_old_foreign_or_bent_open_nothing() {
    let server = Server::shared();
    let api = server.api();
    let (invitation, _) = invited(&api, &new_address("ada"));
    let url = text(&invitation, "url");
    let (start, secret) = url.rsplit_once('/').unwrap();
    let turned: String = secret.chars().rev().collect();
    let unknown = page(server, &format!("{start}/{turned}"), "en", 404);
    for bent in [format!("{start}/{}", &secret[1..]), format!("{url}A"), format!("{start}/{}", "x".repeat(43))] {
        assert_eq!(page(server, &bent, "en", 404).body.len() - bent.len(), unknown.body.len() - url.len(), "{bent}");
    }
    let again = api.post(&format!("/invitations/{}/resend", text(&invitation, "id")), &json!({}), 200);
    page(server, url, "en", 404);
    page(server, text(&again, "url"), "en", 200);
    api.delete(&format!("/invitations/{}", text(&invitation, "id")));
    assert!(page(server, text(&again, "url"), "fr", 410).text().contains("Cette invitation a été retirée"));
    let problem = api.post(&format!("/invitations/{}/resend", text(&invitation, "id")), &json!({}), 409);
    assert_eq!(text(&problem, "code"), "invitation_closed");
}

#[test]
// covers: S-13
fn nothing_of_an_invitation_stands_in_the_database_or_the_log() {
    // So many digits do not stand anywhere by chance.
    let server = Server::start_with(&[("MUSTER__ENROLL__PIN_DIGITS", "12")]);
    let api = server.api();
    let (invitation, user) = invited(&api, &new_address("ada"));
    assert_eq!(user.password.len(), 12);
    api.add_user();
    let secret = text(&invitation, "url").rsplit_once('/').unwrap().1.to_owned();
    page(&server, text(&invitation, "url"), "en", 200);
    rst_refused(&server, &User { password: "999999999".to_owned(), ..guesser_like(&user) });
    assert!(database::holds(&server, &user.email), "the search finds what is there");
    let everything = api.list("/audit").iter().chain(&api.events()).map(Value::to_string).collect::<String>();
    for hidden in [&secret, &user.password] {
        assert!(!database::holds(&server, hidden), "S-13: the database");
        assert!(!server.log().contains(hidden.as_str()), "S-13: the log");
        assert!(!everything.contains(hidden.as_str()), "S-13: audit and events");
    }
    assert!(database::holds(&server, "$argon2id$"), "that of a password: so do hashes begin");
    let kept = database::bytes_of(&server, "invitations", "pin_hash");
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].is_empty() && !database::contains(&kept[0], b"$argon2"), "S-13: hashes of PINs are sealed");
}

#[test]
fn where_both_are_needed_page_and_text_say_how_they_are_typed() {
    let server = Server::start_with(&[("MUSTER__ENROLL__SIGN_IN", "password_and_pin")]);
    let api = server.api();
    let user = api.add_user();
    let invitation = api.post("/invitations", &json!({"email": user.email}), 201);
    let pin = text(&invitation, "pin").to_owned();
    let words = "type your password and right behind it, without a space, ";
    let shown = page(&server, text(&invitation, "url"), "en", 200).text().to_owned();
    assert!(
        shown.contains(&format!("{words}this PIN.")) && shown.contains(&format!("{words}the PIN of your invitation."))
    );
    assert!(!shown.contains("or with the PIN"), "{shown}");
    assert!(page(&server, text(&invitation, "url"), "fr", 200).text().contains("juste derrière, sans espace, "));
    assert!(text(&invitation["text"], "body").contains(&format!("{words}this PIN: {pin}")));
    let with = |password: String| User { id: user.id.clone(), email: user.email.clone(), password };
    for _ in 0..5 {
        rst_refused(&server, &with(pin.clone())).is("a PIN without the password", "s:Authentication", None);
    }
    let shown = api.get(&format!("/invitations/{}", text(&invitation, "id")));
    assert_eq!(text(&shown, "pin_state"), "live", "nobody is locked out by what is never right");
    Attempt::new(&server, &with(format!("{}{pin}", user.password))).accepted(&server);
}

#[test]
fn an_invitation_is_sent_again_once_for_each_key() {
    let server = Server::shared();
    let api = server.api();
    let (invitation, _) = invited(&api, &new_address("ada"));
    let path = format!("/invitations/{}/resend", text(&invitation, "id"));
    let key = format!("again-{}", unique());
    let resend = || {
        let answer = api.send(
            Request::post(&path, "{}").header("Content-Type", "application/json").header("Idempotency-Key", &key),
        );
        answer.expect_status("sent again", 200);
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let (first, repeated) = (resend(), resend());
    let other = Request::post(&path, r#"{"expires_in": "3d"}"#).header("Content-Type", "application/json");
    let other = api.send(other.header("Idempotency-Key", &key));
    other.expect_status("the same key for something else", 422);
    assert!(other.text().contains("idempotency_key_reused"), "{}", other.text());
    assert_eq!(repeated["id"], first["id"]);
    assert!(repeated["url"].is_null() && repeated["pin"].is_null() && repeated["text"].is_null());
    page(server, text(&first, "url"), "en", 200);
    let problem = api.post(&path, &json!({"expires_in": "3650d"}), 422);
    assert_eq!(problem["errors"][0]["pointer"], "/expires_in");
    page(server, text(&first, "url"), "en", 200);
}

#[test]
fn who_has_a_password_needs_no_pin_and_enrolling_uses_the_invitation() {
    let server = Server::shared();
    let api = server.api();
    let user = api.add_user();
    let invitation = api.post("/invitations", &json!({"email": user.email}), 201);
    assert_eq!(invitation["pin"], Value::Null);
    assert!(!page(server, text(&invitation, "url"), "en", 200).text().contains("Your PIN"));
    FakeDevice::enroll(server, &user, Profile::new()).settle();
    assert_eq!(state(&api, &invitation), "used");
    let other = api.post("/invitations", &json!({"email": new_address("x"), "pin": false}), 422);
    assert_eq!(other["errors"][0]["pointer"], "/pin");
}

#[test]
fn a_user_name_that_is_no_address() {
    let server = Server::shared();
    let api = server.api();
    let name = format!("ada{}", unique());
    let body = json!({"email": new_address("lovelace"), "user": name, "name": "Ada"});
    let invitation = api.post("/invitations", &body, 201);
    let user = User {
        id: String::new(),
        email: text(&invitation, "user").to_owned(),
        password: text(&invitation, "pin").to_owned(),
    };
    assert_eq!(user.email, name);
    assert_eq!(copied(page(server, text(&invitation, "url"), "en", 200).text(), "Your user name"), name);
    Attempt::new(server, &user).accepted(server);
}

#[test]
fn a_csv_file_is_taken_whole_or_not_at_all() {
    let server = Server::shared();
    let api = server.api();
    let send = |csv: &str| api.send(Request::post("/invitations", csv).header("Content-Type", "text/csv"));
    let (ada, bob) = (new_address("ada"), new_address("bob"));
    let bad = format!(
        "email,pin,expires_in\n{ada},yes,7d\ntwo@signs@x,yes,\n{bob},perhaps,\n{ada},,\nwindows-bulkenroll@x,,1h\n"
    );
    let answer = send(&bad);
    answer.expect_status("a bad file", 422);
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| text(error, "pointer")).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/lines/3/email", "/lines/4/pin", "/lines/5/email", "/lines/6/email"]);
    assert!(api.list(&format!("/users?query={ada}")).is_empty(), "nothing was made");
    let answer = send(&format!("\u{feff}Email;PIN;Language\r\n{ada};oui;fr\r\n{bob};;\r\n"));
    answer.expect_status("a good file", 201);
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    let items = made["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|item| text(item, "user")).collect::<Vec<_>>(), [ada.as_str(), bob.as_str()]);
    assert!(text(&items[0]["text"], "body").contains(text(&items[0], "pin")), "without mail the text is shown");
    assert!(text(&items[0]["text"], "subject").starts_with("Inscrivez"));
    for rubbish in ["", "name\nAda\n", "email\n\"ada", "email,colour\nx,y\n"] {
        send(rubbish).expect_status(rubbish, 422);
    }
}

#[test]
fn a_name_in_the_place_of_an_address_is_a_slip() {
    let server = Server::shared();
    let api = server.api();
    let send = |csv: &str| {
        let answer = api.send(Request::post("/invitations", csv).header("Content-Type", "text/csv"));
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let (good, other, slip) = (new_address("good"), new_address("other"), format!("bob{}.example.test", unique()));
    let (status, problem) = send(&format!("email,name\n{good},Good\n{slip},Bob\n{other},Other\n"));
    assert_eq!(status, 422, "{problem}");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.iter().map(|error| text(error, "pointer")).collect::<Vec<_>>(), ["/lines/3/email"]);
    assert!(text(&errors[0], "message").contains("must be an e-mail address; a name to sign in with goes into `user`"));
    for name in [&good, &slip, &other] {
        assert!(api.list(&format!("/users?query={name}")).is_empty(), "{name} was made");
        assert!(api.list(&format!("/invitations?query={name}")).is_empty(), "{name} was invited");
    }
    let (status, problem) = send("email,name\n,Ada\n,Bob\n");
    assert_eq!(status, 422, "{problem}");
    for (error, pointer) in problem["errors"].as_array().unwrap().iter().zip(["/lines/2/email", "/lines/3/email"]) {
        assert_eq!(text(error, "pointer"), pointer);
        assert!(text(error, "message").starts_with("must be given"), "{error}");
    }
    for csv in [format!("email,user\n{good},\n,{slip}\n"), format!("user\n{slip}x\n")] {
        let (status, made) = send(&csv);
        assert_eq!(status, 201, "{made}");
        let last = made["items"].as_array().unwrap().last().unwrap();
        assert!(text(last, "user").starts_with(&slip) && text(last, "no_mail") == "no_mail_server", "{last}");
    }
    api.post("/invitations", &json!({"pin": true}), 422);
}

#[test]
fn an_invitation_and_its_pin_end_by_age() {
    let timed = Timed::configured(&[("pin_hours", "24")]);
    let (server, api) = (&timed.server, timed.server.api());
    let (invitation, user) = invited(&api, &new_address("ada"));
    timed.pass(24 * HOUR + MINUTE);
    rst_refused(server, &user).is("S-13: an expired PIN", "s:Authentication", None);
    assert!(page(server, text(&invitation, "url"), "en", 200).text().contains("The PIN does not work any more"));
    timed.pass(6 * DAY);
    assert_eq!(state(&api, &invitation), "expired");
    assert!(page(server, text(&invitation, "url"), "en", 410).text().contains("This invitation has expired"));
    let again =
        api.post(&format!("/invitations/{}/resend", text(&invitation, "id")), &json!({"expires_in": "1h"}), 200);
    let user = User { password: text(&again, "pin").to_owned(), ..user };
    Attempt::new(server, &user).accepted(server);
}

#[test]
fn the_text_of_invitations_is_the_administrators() {
    let server = Server::start();
    let api = server.api();
    let path = "/invitation-templates/fr";
    let wrong = json!({"subject": "{pin} pour {nom}", "body": "Bonjour\n{ulr}\n\n{url} {first name}"});
    let problem = api.put(path, &wrong, 422);
    let told: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (text(error, "pointer"), text(error, "message").split(';').next().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("/subject", "line 1: {pin} must not stand in the subject"),
            ("/subject", "line 1: there is no variable {nom}"),
            ("/body", "line 2: there is no variable {ulr}"),
            ("/body", "line 4: there is no variable {first name}"),
        ]
    );
    let own = json!({"subject": "Salut {name}", "body": "{url}\n\nCode : {pin}\n\nFin"});
    let preview = api.post(&format!("{path}/preview"), &json!({"text": own, "pin": false}), 200);
    assert_eq!(preview["subject"], "Salut Ada Lovelace");
    assert!(text(&preview, "body").ends_with("\n\nFin\n") && !text(&preview, "body").contains("Code"));
    assert_eq!(api.get("/invitation-templates")["items"][1]["is_built_in"], true, "a preview saves nothing");
    assert_eq!(api.put(path, &own, 200)["is_built_in"], false);
    let body = json!({"email": new_address("ada"), "name": "Ada", "language": "fr"});
    let invitation = api.post("/invitations", &body, 201);
    assert_eq!(invitation["text"]["subject"], "Salut Ada");
    assert_eq!(
        text(&invitation["text"], "body"),
        format!("{}\n\nCode : {}\n\nFin\n", text(&invitation, "url"), text(&invitation, "pin"))
    );
    api.delete(path);
    api.put("/invitation-templates/xx", &own, 404);
    assert_eq!(api.get("/invitation-templates")["items"][1]["is_built_in"], true);
}

#[test]
fn another_generation_of_the_enrollment_url_makes_older_ones_stop() {
    let environment = [("MUSTER__ENROLL__CONTACT", "the help desk"), ("MUSTER__ENROLL__REQUIRE_GENERATION", "false")];
    let server = Server::start_with(&environment);
    let api = server.api();
    let user = api.add_user();
    let go = |status: u16| {
        copied(page(&server, &format!("{}/go", server.url), "en", status).text(), "Address of").to_owned()
    };
    let discover = |url: &str| {
        let soap = soap::discover(&user.email);
        let response = server.web(&soap::post(&Address::of(url).path, soap.xml()));
        (soap, response)
    };
    let bare = go(200);
    assert!(bare.ends_with("/EnrollmentServer/Discovery.svc"), "{bare}");
    let first = api.post("/enrollment-url/rotate", &json!({}), 200);
    let first_url = text(&first, "url").to_owned();
    assert_eq!(go(200), first_url);
    let (soap, response) = discover(&first_url.to_uppercase().replace("HTTPS", "https"));
    let found = soap.accepted(&response);
    let services = ["EnrollmentPolicyServiceUrl", "EnrollmentServiceUrl"]
        .map(|name| found.text_at(&format!("DiscoverResult/{name}")).to_owned());
    for service in &services {
        assert!(service.contains(text(&first, "generation")), "{service}");
    }
    let attempt = Attempt::new(&server, &user);
    let policies = Soap::get_policies(&attempt.credentials);
    policies.accepted(&server.web(&soap::post(&Address::of(&services[0]).path, policies.xml())));

    let second = api.post("/enrollment-url/rotate", &json!({}), 200);
    assert_ne!(first["generation"], second["generation"]);
    let refused = |soap: &Soap, url: &str| {
        let response = server.web(&soap::post(&Address::of(url).path, soap.xml()));
        soap.refused(&response).is("an old generation", "s:Authorization", Some("NotSupported"));
        assert!(response.text().contains("the help desk"), "whom to ask");
    };
    refused(&soap::discover(&user.email), &first_url);
    refused(&policies, &services[0]);
    refused(&attempt.soap(), &services[1]);
    let shown = page(&server, &first_url, "en", 410);
    assert!(shown.text().contains("not in use any more") && shown.text().contains("the help desk"));
    assert!(page(&server, &first_url, "fr", 410).text().contains("plus en service"));
    for agent in ["ENROLLClient", "Windows Phone 8 Enrollment Client", "what comes next"] {
        let probe = Request::get(&Address::of(&first_url).path).header("User-Agent", agent).header("Accept", "*/*");
        server.web(&probe).expect_status("a device goes on to its Discover", 200);
    }
    let attempts = api.list("/enrollment-attempts");
    let cause = "the device came by an enrollment URL that is out of date";
    let stale: Vec<&Value> = attempts.iter().filter(|row| row["cause"] == cause).collect();
    assert!(!stale.is_empty() && stale.iter().all(|row| row["email"] == user.email.as_str()), "{stale:?}");
    for url in [text(&second, "url"), bare.as_str()] {
        let (soap, response) = discover(url);
        soap.accepted(&response);
    }
    attempt.accepted(&server);
}

#[test]
fn where_a_generation_is_demanded_a_bare_address_does_not_work() {
    let server = Server::start_with(&[("MUSTER__ENROLL__REQUIRE_GENERATION", "true")]);
    let shown = server.api().get("/enrollment-url");
    assert_eq!(shown["takes_bare"], false);
    let soap = soap::discover("ada@example.test");
    soap.refused(&server.web(&soap.request())).is("no generation", "s:Authorization", Some("NotSupported"));
    let bare = "/EnrollmentServer/Discovery.svc";
    assert!(
        page(&server, &format!("{}{bare}", server.url), "en", 410).text().contains("not in use any more"),
        "a browser is told as well"
    );
    server.web(&Request::get(bare).header("User-Agent", "ENROLLClient")).expect_status("a device goes on", 200);
    soap.accepted(&server.web(&soap::post(&Address::of(text(&shown, "url")).path, soap.xml())));
}

#[test]
fn invitations_by_the_command_line() {
    let server = Server::shared();
    let muster = |line: &[&str]| run(server, line).0;
    let (ada, bob) = (new_address("ada"), new_address("bob"));
    let made = muster(&["invite", &ada, &bob, "--expires", "2d", "--pin"]);
    assert_eq!(made.matches("\nurl").count() + usize::from(made.starts_with("url")), 2, "{made}");
    assert_eq!(made.lines().filter(|line| line.starts_with("pin ")).count(), 2, "{made}");
    let listed: Value = serde_json::from_str(&muster(&["invite", "list", &ada, "--json"])).unwrap();
    let items = listed.as_array().or_else(|| listed["items"].as_array()).unwrap();
    let id = text(&items[0], "id");
    assert!(muster(&["invite", "list", &ada]).contains("open"));
    let again: Value = serde_json::from_str(&muster(&["invite", "resend", id, "--json"])).unwrap();
    page(server, text(&again, "url"), "en", 200);
    assert!(muster(&["invite", "show", id]).contains("live"));
    muster(&["invite", "revoke", id]);
    assert!(muster(&["invite", "show", id]).contains("revoked"));
    let file = server.data().join(format!("people-{}.csv", unique()));
    std::fs::write(&file, format!("email,language\n{},fr\n", new_address("eve"))).unwrap();
    assert!(muster(&["invite", "--csv", file.to_str().unwrap()]).contains("pin "));
    std::fs::write(&file, "email\nno good\n").unwrap();
    let mut wrong = crate::support::server::muster();
    let wrong = wrong.args(["invite", "--csv"]).arg(&file).arg("--data").arg(server.data()).output().unwrap();
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("/lines/2/email"), "{wrong:?}");
    let shown = muster(&["invite", "template", "show", "fr"]);
    std::fs::write(&file, shown.replace("Bonjour", "Salut")).unwrap();
    let preview = muster(&["invite", "template", "preview", "fr", file.to_str().unwrap()]);
    assert!(preview.contains("Salut Ada Lovelace") && !preview.contains('{'), "{preview}");
    assert!(muster(&["enroll-url", "show"]).trim().ends_with("/Discovery.svc"));
}
