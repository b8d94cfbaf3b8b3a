//! Mails of invitations at a real mail server: in both languages, each once, and what becomes of those that are refused.

use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::inviting::{invited, new_address, page, text};
use crate::support::server::{Server, run};
use crate::support::smtp::SmtpServer;
use crate::support::timed::{HOUR, MINUTE, Timed};
use crate::support::{database, eventually, unique};

/// A server that sends its mails there.
fn sending_to(smtp: &SmtpServer, more: &[(&str, &str)]) -> Server {
    let environment = smtp.environment();
    let own = environment.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Server::start_with(&own.chain(more.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn mails_arrive_in_both_languages_under_tls() {
    let Some(smtp) = SmtpServer::start(true) else { return };
    let server = sending_to(&smtp, &[("MUSTER__ENROLL__CONTACT", "the help desk")]);
    let api = server.api();
    for (language, subject, words) in
        [("en", "Enroll your device", "Hello Ada"), ("fr", "Inscrivez votre appareil", "Bonjour Ada")]
    {
        let email = new_address("ada");
        let body = json!({"email": email, "name": "Ada", "pin": true, "language": language});
        let invitation = api.post("/invitations", &body, 201);
        let mail = smtp.wait_for(&email);
        assert!(mail.tls, "under TLS");
        assert_eq!(mail.header("From"), "Fabrikam <mdm@example.test>");
        assert_eq!(mail.header("Content-Language"), language);
        let (sent, pin) = (mail.text(), text(&invitation, "pin"));
        for part in [words, text(&invitation, "url"), pin, "the help desk", email.as_str()] {
            assert!(sent.contains(part), "{part}\n{sent}");
        }
        let shown_subject = invitation["text"]["subject"].as_str().unwrap();
        assert!(shown_subject.starts_with(subject), "{shown_subject}");
        let head = mail.content.split("\r\n\r\n").next().unwrap();
        let secret = text(&invitation, "url").rsplit_once('/').unwrap().1;
        assert!(!head.contains(secret) && !mail.header("Subject").contains(pin), "S-13: no secret in the head");
        let id = text(&invitation, "id").to_owned();
        eventually("the mail is told to be sent", || {
            (api.get(&format!("/invitations/{id}"))["mail"]["state"] == "sent").then_some(())
        });
        assert!(!database::holds(&server, secret), "S-13: neither before nor after");
    }
    let refused = api.post("/invitations", &json!({"email": format!("nobody@x{}.test", unique())}), 201);
    let id = text(&refused, "id").to_owned();
    let failed = eventually("what is refused for good is given up", || {
        let mail = api.get(&format!("/invitations/{id}"))["mail"].clone();
        (mail["state"] == "failed").then_some(mail)
    });
    assert!(text(&failed, "error").contains("there is nobody of that name"), "{failed}");
    assert_eq!(failed["tries"], 1);
}

#[test]
fn where_mails_are_sent_whoever_gets_none_is_named() {
    let Some(smtp) = SmtpServer::start(false) else { return };
    let server = sending_to(&smtp, &[]);
    let api = server.api();
    let (name, email) = (format!("ada{}", unique()), new_address("bob"));
    let problem = api.post("/invitations", &json!({"email": name}), 422);
    assert_eq!(text(&problem["errors"][0], "pointer"), "/email");
    assert!(api.list(&format!("/users?query={name}")).is_empty());
    let (_, told) = run(&server, &["invite", &email, &name]);
    assert!(told.contains(&format!("no mail goes to {name}: there is no e-mail address")), "{told}");
    assert!(told.contains("the mail is on its way"), "{told}");
    smtp.wait_for(&email);
    let found = api.list(&format!("/invitations?query={name}"));
    assert_eq!((found.len(), text(&found[0], "state"), &found[0]["mail"]), (1, "open", &Value::Null));
    assert_eq!(text(&found[0], "user"), name);
}

#[test]
fn what_a_server_has_against_the_sender_is_tried_on_and_what_was_given_up_is_sent_again() {
    let Some(smtp) = SmtpServer::start(false) else { return };
    let server = sending_to(&smtp, &[]);
    let api = server.api();
    let invite = |email: &str| api.post("/invitations", &json!({"email": email}), 201);
    let mail = |invitation: &Value| api.get(&format!("/invitations/{}", text(invitation, "id")))["mail"].clone();
    let prohibited = invite(&format!("prohibited@x{}.test", unique()));
    let tried = eventually("a try that failed", || Some(mail(&prohibited)).filter(|mail| mail["error"].is_string()));
    assert_eq!((&tried["state"], &tried["tries"]), (&json!("queued"), &json!(1)), "{tried}");
    assert!(text(&tried, "error").contains("Administrative prohibition"), "{tried}");

    let (nothing, told) = run(&server, &["invite", "resend", "--failed"]);
    assert!(nothing.is_empty() && told.contains("no mail was given up"), "{nothing}{told}");
    let good = invite(&new_address("ada"));
    let mut failed: Vec<Value> = (0..3).map(|_| invite(&format!("nobody@x{}.test", unique()))).collect();
    for one in &failed {
        eventually("it is given up", || (mail(one)["state"] == "failed").then_some(()));
    }
    let withdrawn = failed.remove(1);
    api.delete(&format!("/invitations/{}", text(&withdrawn, "id")));
    let ids = |list: &[Value]| {
        let mut ids: Vec<String> = list.iter().map(|one| text(one, "id").to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let listed = api.list("/invitations?mail=failed");
    assert_eq!(ids(&listed), ids(&[failed.clone(), vec![withdrawn]].concat()));
    api.send(Request::get("/invitations?mail=lost")).expect_status("a state that there is not", 400);
    let again: Value =
        serde_json::from_str(&run(&server, &["invite", "resend", "--failed", "--expires", "2d", "--json"]).0).unwrap();
    let again = again["items"].as_array().unwrap();
    assert_eq!(ids(again), ids(&failed), "neither the one that was withdrawn nor those that are under way");
    for (one, status) in failed.iter().zip([404, 404]).chain([(&good, 200), (&prohibited, 200)]) {
        page(&server, text(one, "url"), "en", status);
    }
    for one in again {
        page(&server, text(one, "url"), "en", 200);
        assert_eq!(text(one, "pin").len(), 6);
    }
}

#[test]
//
fn after_an_outage_of_an_hour_each_mail_is_sent_once() {
    let Some(mut smtp) = SmtpServer::start(false) else { return };
    let port = smtp.port.to_string();
    let timed = Timed::configured(&[("host", "\"localhost\""), ("port", &port), ("from", "\"mdm@example.test\"")]);
    let api = timed.server.api();
    smtp.be_in_trouble(true);
    let emails: Vec<String> = (0..5).map(|_| new_address("ada")).collect();
    let people: Vec<Value> = emails.iter().map(|email| json!({"email": email})).collect();
    let made = api.post("/invitations", &json!({"invitations": people}), 201);
    let ids: Vec<String> = made["items"].as_array().unwrap().iter().map(|item| text(item, "id").to_owned()).collect();
    let mail = |id: &str| api.get(&format!("/invitations/{id}"))["mail"].clone();
    let message_ids: Vec<String> = ids.iter().map(|id| text(&mail(id), "message_id").to_owned()).collect();
    for round in 0..12 {
        // For half of the hour it answers, for the other half nobody is there.
        if round == 6 {
            assert!(text(&mail(&ids[0]), "error").contains("try again later"));
            smtp.be_down(true);
        }
        let tries = |id: &String| mail(id)["tries"].as_u64().unwrap();
        let before: u64 = ids.iter().map(tries).sum();
        timed.pass(5 * MINUTE);
        eventually("a mail is tried", || (ids.iter().map(tries).sum::<u64>() > before).then_some(()));
    }
    assert!(smtp.taken().is_empty());
    let error = text(&mail(&ids[0]), "error").to_owned();
    assert!(error.starts_with("at the connection: "), "{error}");
    assert_eq!(mail(&ids[0])["state"], "queued");
    // One that is withdrawn meanwhile is not sent at all.
    api.delete(&format!("/invitations/{}", ids[4]));
    smtp.be_in_trouble(false);
    smtp.be_down(false);
    timed.pass(30 * MINUTE);
    for (email, message_id) in emails.iter().zip(&message_ids).take(4) {
        assert_eq!(smtp.wait_for(email).header("Message-ID"), message_id, "R-25: the name of a mail stays");
    }
    for id in &ids[..4] {
        eventually("told to be sent", || (mail(id)["state"] == "sent").then_some(()));
    }
    timed.pass(2 * HOUR);
    let (last, _) = invited(&api, &new_address("last"));
    smtp.wait_for(text(&last, "email"));
    assert_eq!(smtp.taken().len(), 5, "R-25: each mail once");
    assert_eq!(mail(&ids[4])["state"], "cancelled");
}

#[test]
// covers: S-15
fn nothing_that_an_invitation_names_is_fetched() {
    let Some(smtp) = SmtpServer::start(false) else { return };
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let named = format!("https://{}/", canary.local_addr().unwrap());
    let server = sending_to(&smtp, &[]);
    let api = server.api();
    api.put("/invitation-templates/en", &json!({"subject": named, "body": format!("{named} {{url}}")}), 200);
    let email = format!("ada@127.0.0.{}", 1 + unique() % 200);
    let user = format!("ada{}", unique());
    let body = json!({"email": email, "name": named, "user": user, "pin": true});
    let invitation = api.post("/invitations", &body, 201);
    let mail = smtp.wait_for(&email);
    assert!(mail.text().contains(&named), "the text is passed on as it is");
    page(&server, &format!("{}?lang=fr", text(&invitation, "url")), "en", 200);
    assert_eq!(canary.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "S-15: somebody called");
}
