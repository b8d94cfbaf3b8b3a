//! The ledger of enrollments: where each attempt stopped, and what to make of that.

use muster::doctor;
use muster::proto::soap::security::Credential;
use serde_json::{Value, json};

use crate::support::api::User;
use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::server::{Server, muster};
use crate::support::soap::{self, Soap, binary_token, username_token};
use crate::support::timed::{MINUTE, Timed};
use crate::support::{eventually, unique};

/// The newest attempt of a user name.
fn newest(server: &Server, email: &str) -> Value {
    let attempts = server.api().list(&format!("/enrollment-attempts?email={email}"));
    attempts.into_iter().next().unwrap_or_else(|| panic!("no attempt of {email}"))
}

#[test]
fn each_attempt_tells_where_it_stopped_and_what_to_do() {
    let limit = ("MUSTER__ENROLL__MAX_DEVICES_PER_USER", "1");
    let server = Server::start_with(&[("MUSTER__ENROLL__DOMAINS", "[\"example.test\"]"), limit]);
    let api = server.api();
    let ada = api.add_user();
    let stranger = format!("eve-{}@elsewhere.test", unique());
    server.web(&soap::discover(&stranger).request());
    let cases = [
        (newest(&server, &stranger), "discover", "0x80180015", "domain"),
        {
            server.web(&Soap::get_policies(&username_token(&ada.email, "wrong")).request());
            (newest(&server, &ada.email), "policy", "0x80180002", "password")
        },
        {
            let mut attempt = Attempt::new(&server, &ada);
            attempt.csr = "AAAA".to_owned();
            attempt.send(&server);
            (newest(&server, &ada.email), "enroll", "0x80180004", "certificate request")
        },
        {
            Attempt::new(&server, &ada).send(&server).expect_status("", 200);
            Attempt::new(&server, &ada).send(&server).expect_status("", 500);
            (newest(&server, &ada.email), "enroll", "0x80180013", "limit")
        },
    ];
    for (attempt, phase, code, word) in cases {
        assert_eq!((&attempt["phase"], &attempt["outcome"]), (&phase.into(), &"failed".into()), "{attempt:#}");
        assert_eq!(attempt["hresult"], code, "{attempt:#}");
        let advice = &attempt["advice"];
        let text = format!("{} {} {}", attempt["cause"], advice["cause"], advice["fix"]);
        assert!(advice["name"].as_str().unwrap().starts_with("MENROLL_E_") && text.contains(word), "{attempt:#}");
        assert_eq!(attempt["stopped"], false, "{attempt:#}");
    }
    // Nothing that can be related to a user, but somebody sees 0x80190190 on a screen.
    let reply = server.web(&soap::post("/EnrollmentServer/Enrollment.svc", "no XML"));
    reply.expect_status("", 400);
    let attempts = api.list("/enrollment-attempts?outcome=failed");
    assert_eq!(
        (&attempts[0]["email"], &attempts[0]["hresult"]),
        (&"".into(), &"0x80190190".into()),
        "{:#}",
        attempts[0]
    );
    assert_eq!(attempts[0]["advice"]["name"], "HTTP 400");
}

#[test]
fn each_attempt_tells_its_road() {
    let server = Server::shared();
    let api = server.api();
    let user = |email: &str, secret: &Value| User {
        id: String::new(),
        email: email.to_owned(),
        password: secret.as_str().unwrap_or_else(|| panic!("no secret for {email}")).to_owned(),
    };
    let ada = api.add_user();
    let email = format!("eve-{}@example.test", unique());
    let invitation = api.post("/invitations", &json!({"email": email, "pin": true}), 201);
    let eve = user(&email, &invitation["pin"]);
    let bulk = |pin: Value| {
        let name = format!("windows-bulkenroll-{}@example.test", unique());
        api.post("/packages", &json!({"user": name, "pin": pin}), 201)
    };
    let (package, by_hand, revoked) = (bulk(false.into()), bulk(true.into()), bulk(false.into()));
    api.delete(&format!("/packages/{}", revoked["id"].as_str().unwrap()));
    let name = |package: &Value| package["user"].as_str().unwrap().to_owned();
    let cases = [
        (User { email: ada.email.clone(), id: String::new(), password: "wrong".to_owned() }, "password", "failed"),
        (ada, "password", "succeeded"),
        (User { email: eve.email.clone(), id: String::new(), password: "12".to_owned() }, "password", "failed"),
        (eve, "pin", "succeeded"),
        (user(&name(&package), &package["secret"]), "package", "succeeded"),
        (user(&name(&by_hand), &by_hand["pin"]), "package_pin", "succeeded"),
        (user(&name(&revoked), &revoked["secret"]), "package", "failed"),
    ];
    for (user, road, outcome) in cases {
        server.web(&soap::discover(&user.email).request());
        assert_eq!(newest(server, &user.email)["road"], Value::Null, "{}", user.email);
        server.web(&Soap::get_policies(&username_token(&user.email, &user.password)).request());
        let at_policy = newest(server, &user.email);
        assert_eq!((&at_policy["road"], &at_policy["phase"]), (&road.into(), &"policy".into()), "{at_policy:#}");
        Attempt::new(server, &user).send(server);
        let attempt = newest(server, &user.email);
        assert_eq!(
            (&attempt["road"], &attempt["phase"], &attempt["outcome"]),
            (&road.into(), &"enroll".into(), &outcome.into()),
            "{attempt:#}"
        );
    }
    let token = Soap::get_policies(&binary_token("urn:ietf:params:oauth:token-type:jwt", "e30="));
    server.web(&token.request());
    let attempts = api.list("/enrollment-attempts?outcome=failed");
    assert!(attempts.iter().any(|attempt| attempt["road"] == "web_token"), "{attempts:#?}");
}

#[test]
fn a_device_that_says_no_more_has_stopped() {
    let timed = Timed::start();
    let (server, ada) = (&timed.server, timed.server.api().add_user());
    for (phase, word) in [("discover", "password"), ("policy", "0x80180027")] {
        match phase {
            "discover" => server.web(&soap::discover(&ada.email).request()),
            _ => server.web(&Soap::get_policies(&username_token(&ada.email, &ada.password)).request()),
        };
        let attempt = newest(server, &ada.email);
        assert_eq!((&attempt["stopped"], &attempt["advice"]), (&false.into(), &Value::Null), "{attempt:#}");
        timed.pass(31 * MINUTE);
        let attempt = newest(server, &ada.email);
        assert_eq!((&attempt["phase"], &attempt["outcome"]), (&phase.into(), &"open".into()), "{attempt:#}");
        assert_eq!(attempt["stopped"], true, "{attempt:#}");
        let advice = &attempt["advice"];
        assert!(format!("{} {}", advice["cause"], advice["fix"]).contains(word), "{attempt:#}");
    }
}

#[test]
fn a_device_that_never_calls_has_stopped_at_its_session() {
    let timed = Timed::start();
    let (server, ada) = (&timed.server, timed.server.api().add_user());
    Attempt::new(server, &ada).send(server).expect_status("", 200);
    let attempt = newest(server, &ada.email);
    assert_eq!((&attempt["phase"], &attempt["stopped"]), (&"enroll".into(), &false.into()), "{attempt:#}");
    timed.pass(31 * MINUTE);
    let attempt = newest(server, &ada.email);
    assert_eq!((&attempt["phase"], &attempt["outcome"]), (&"session".into(), &"succeeded".into()), "{attempt:#}");
    assert_eq!(attempt["stopped"], true, "{attempt:#}");
    assert!(attempt["advice"]["fix"].as_str().unwrap().contains("device_url"), "{attempt:#}");
    // One that called is not looked at.
    let bob = server.api().add_user();
    FakeDevice::enroll(server, &bob, Profile::new()).check_in();
    timed.pass(31 * MINUTE);
    let attempt = newest(server, &bob.email);
    assert_eq!(
        (&attempt["phase"], &attempt["stopped"], &attempt["advice"]),
        (&"enroll".into(), &false.into(), &Value::Null)
    );
}

/// How many attempts of a name stand where, as `phase outcome`.
fn standing(server: &Server, email: &str) -> Vec<String> {
    let attempts = server.api().list(&format!("/enrollment-attempts?email={email}"));
    let mut found: Vec<String> = attempts
        .iter()
        .map(|attempt| format!("{} {}", attempt["phase"].as_str().unwrap(), attempt["outcome"].as_str().unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn pcs_of_one_package_behind_one_address_are_told_apart() {
    let server = Server::shared();
    let name = format!("windows-bulkenroll-{}@example.test", unique());
    let package = server.api().post("/packages", &json!({"user": name, "max_devices": 1}), 201);
    let secret = package["secret"].as_str().unwrap().to_owned();
    let bulk = User { id: String::new(), email: name.clone(), password: secret };
    let discover = || server.web(&soap::discover(&name).request());
    let policies = || server.web(&Soap::get_policies(&username_token(&name, &bulk.password)).request());
    // Three PCs: the first gets in, the second stops behind its policy, the third behind its discovery.
    discover();
    discover();
    discover();
    policies();
    policies();
    assert_eq!(standing(server, &name), ["discover open", "policy open", "policy open"]);
    Attempt::new(server, &bulk).send(server).expect_status("", 200);
    assert_eq!(standing(server, &name), ["discover open", "enroll succeeded", "policy open"]);
    // What the second is refused ends its own attempt.
    Attempt::new(server, &bulk).send(server).expect_status("", 500);
    assert_eq!(standing(server, &name), ["discover open", "enroll failed", "enroll succeeded"]);
    let attempts = server.api().list(&format!("/enrollment-attempts?email={name}&outcome=failed"));
    assert_eq!(attempts[0]["refused"], "package_used_up", "{:#}", attempts[0]);
    assert!(attempts[0]["advice"]["fix"].as_str().unwrap().contains("muster ppkg new"), "{:#}", attempts[0]);
}

#[test]
fn a_refusal_again_and_again_is_one_row_and_one_event() {
    let server = Server::shared();
    let ada = server.api().add_user();
    for _ in 0..4 {
        server.web(&soap::discover(&ada.email).request());
        server.web(&Soap::get_policies(&username_token(&ada.email, "wrong")).request());
    }
    assert_eq!(standing(server, &ada.email), ["policy failed"]);
    let attempt = newest(server, &ada.email);
    assert_eq!(attempt["times"], 4, "{attempt:#}");
    // The right one succeeds as an attempt of its own, and what was refused stays.
    server.web(&soap::discover(&ada.email).request());
    server.web(&Soap::get_policies(&username_token(&ada.email, &ada.password)).request());
    Attempt::new(server, &ada).send(server).expect_status("", 200);
    assert_eq!(standing(server, &ada.email), ["enroll succeeded", "policy failed"]);
    let told = || {
        let own = server.api().events().into_iter();
        let own = own.filter(|event| event["type"] == "muster.enroll.attempt" && event["data"]["email"] == ada.email);
        own.map(|event| event["data"]["outcome"].clone()).collect::<Vec<_>>()
    };
    let told = eventually("the end is told", || Some(told()).filter(|told| told.contains(&"succeeded".into())));
    assert_eq!(told, ["failed", "succeeded"]);
}

#[test]
fn strangers_cannot_fill_the_ledger() {
    let server = Server::start_with(&[
        ("MUSTER__LIMITS__LEDGER_ROWS_PER_DAY", "20"),
        ("MUSTER__OPS__LISTEN", "127.0.0.1:0"),
        ("MUSTER__ENROLL__DOMAINS", "[\"example.test\"]"),
        ("MUSTER__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]"),
    ]);
    let api = server.api();
    let rows = || api.list("/enrollment-attempts").len();
    let stranger = |address: &str| {
        let email = format!("eve-{}@elsewhere.test", unique());
        server.web(&soap::discover(&email).request().header("X-Forwarded-For", address));
    };
    for _ in 0..10 {
        stranger("198.51.100.7");
    }
    assert_eq!(rows(), 4, "one network has a fifth");
    let ada = api.add_user();
    Attempt::new(&server, &ada).send(&server).expect_status("", 200);
    assert_eq!(newest(&server, &ada.email)["outcome"], "succeeded");
    for network in 0..40 {
        stranger(&format!("203.0.113.{network}"));
    }
    assert_eq!(rows(), 21, "what strangers had written, and the device");
    // Who may enroll is told of all the same.
    let bob = api.add_user();
    Attempt::new(&server, &bob).send(&server).expect_status("", 200);
    assert_eq!((rows(), &newest(&server, &bob.email)["outcome"]), (22, &"succeeded".into()));
    let metrics = server.operators("/metrics");
    assert!(metrics.contains("muster_rows_left_out_total 30\n"), "{metrics}");
}

#[test]
fn who_says_that_he_is_the_doctor_hides_no_try() {
    let server = Server::shared();
    let url: url::Url = server.url.parse().unwrap();
    let post = |path: &str, message: Vec<u8>| server.web(&soap::post(path, message));
    let ada = server.api().add_user();
    post("/EnrollmentServer/Discovery.svc", doctor::discover(&url, &ada.email)).expect_status("", 200);
    assert!(standing(server, &ada.email).is_empty(), "an answered discovery tries nothing");
    let sign_in = |password: &str| {
        let credential = Credential::Username { username: ada.email.clone(), password: password.to_owned().into() };
        post("/EnrollmentServer/Policy.svc", doctor::policies(&url, &credential));
        standing(server, &ada.email)
    };
    assert_eq!(sign_in("wrong"), ["policy failed"]);
    assert_eq!(sign_in(&ada.password), ["policy failed", "policy open"]);
}

#[test]
fn the_command_line_lists_and_explains() {
    let server = Server::shared();
    let ada = server.api().add_user();
    server.web(&Soap::get_policies(&username_token(&ada.email, "wrong")).request());
    let run = |arguments: &[&str]| {
        let output = muster().args(arguments).arg("--data").arg(server.data()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, plain) = run(&["device", "attempts", "--email", &ada.email]);
    assert!(code == 0 && plain.contains("0x80180002") && plain.contains("failed") && plain.contains("ROAD"), "{plain}");
    let (code, long) = run(&["device", "attempts", "--email", &ada.email, "--advice"]);
    assert!(code == 0 && long.contains("MENROLL_E_DEVICE_AUTHENTICATION_ERROR") && long.contains("\ndo "), "{long}");
    // Without a server.
    for text in ["0x80180012", "-2145910766"] {
        let (code, out) = run(&["explain", text]);
        assert!(code == 0 && out.contains("0x80180012 MENROLL_E_INVALIDSSLCERT"), "{out}");
    }
    let (code, out) = run(&["explain", "--json"]);
    let all: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && all["items"].as_array().unwrap().len() > 30, "{out}");
    assert_eq!((run(&["explain", "0x80004005"]).0, run(&["explain", "hello"]).0), (1, 2));
}
