//! Digest credentials: MD5 of a secret with nonces that are good once.

use std::sync::Barrier;

use serde_json::json;

use crate::device_auth::{GET, is_audited, proofs};
use crate::support::device::FakeDevice;
use crate::support::eventually;
use crate::support::http::{Response, once};
use crate::support::reply::{Challenge, Reply};
use crate::support::server::Server;
use crate::support::signing::cred;
use crate::support::syncml::Message;

const DIGEST: [(&str, &str); 1] = [("MUSTER__DEVICE_AUTH__DIGEST", "without_certificate")];

/// A device that shows no certificate and has had its first sessions; and the nonce it was given last.
fn settled(server: &Server) -> (FakeDevice, Vec<u8>) {
    let (mut device, _) = FakeDevice::settled(server);
    device.without_certificate(server);
    device.digest = true;
    let nonce = device.provisioned.nonces[1].clone();
    (device, nonce)
}

/// A message with a credential.
fn with_cred(device: &FakeDevice, message: Message, nonce: &[u8]) -> Message {
    let (source_name, more_header) = cred(device, nonce);
    Message { source_name, more_header, ..message }
}

/// Package 1 once more as the next message of the session, which is what Windows answers a challenge with.
fn repeated(device: &FakeDevice, first: &Message, msg_id: u32, nonce: &[u8]) -> Message {
    let mut message = Message::new(&first.session_id, msg_id, device.management_url(), &device.profile.device_id);
    device.fill_package_one(&mut message);
    with_cred(device, message, nonce)
}

#[track_caller]
fn knock(device: &mut FakeDevice, message: &Message) -> Challenge {
    let response = device.post(message.xml());
    device.judge_challenge(message, &response)
}

/// The same in a session that is over: the number of the answer is not determined.
#[track_caller]
fn knock_after_the_end(device: &FakeDevice, message: &Message) -> Challenge {
    let response = device.post(message.xml());
    device.judge_challenge_loosely(message, &response)
}

/// The nonce of the last reply of a session.
#[track_caller]
fn last_nonce(visit: &[Reply]) -> Vec<u8> {
    let last = visit.last().expect("there is a reply");
    last.header.1.clone().unwrap_or_else(|| panic!("5.3: a session ends with a nonce: {}", last.xml))
}

// covers: M-30, M-32
#[test]
fn a_session_begins_with_a_challenge_and_ends_with_the_next_nonce() {
    let server = Server::start_with(&DIGEST);
    let (mut device, _) = settled(&server);
    let id = device.id(&server);
    let command = server.api().command(&id, GET);
    let sessions = server.api().session_count(&id);
    let first = device.package_one();
    let challenge = knock(&mut device, &first);
    assert_eq!(challenge.code, "407", "M-30");
    assert_eq!(server.api().session_count(&id), sessions, "M-30: no session was opened");
    assert_eq!(server.api().command_state(&command), "queued", "M-30");
    let second = repeated(&device, &first, 2, challenge.nonce.as_ref().unwrap());
    let reply = device.exchange(&second);
    assert_eq!(reply.header.0, "212");
    reply.expect("Get", "/HwV");
    let visit = device.finish(reply);
    assert_eq!(server.api().command_state(&command), "succeeded");
    assert_eq!(proofs(&server, &device), json!(["digest"]));
    let remarks = crate::device_auth::newest_session(&server, &device)["remarks"].clone();
    assert_eq!(remarks, json!([]), "a session that answers a challenge is nothing odd");
    // The next session begins with a credential at once.
    let nonce = last_nonce(&visit.replies);
    assert_ne!(Some(&nonce), challenge.nonce.as_ref());
    let opening = device.package_one();
    let opening = with_cred(&device, opening, &nonce);
    let reply = device.exchange(&opening);
    assert_eq!(reply.header.0, "212");
    // And a nonce is good once.
    let again = device.package_one();
    let again = with_cred(&device, again, &nonce);
    assert_eq!(knock(&mut device, &again).code, "401", "M-32");
}

// covers: M-31, M-32, S-16
#[test]
fn nonces_are_spent_in_the_database() {
    let mut server = Server::start_with(&DIGEST);
    let (mut device, provisioned) = settled(&server);
    let id = device.id(&server);
    let first = device.package_one();
    let first = with_cred(&device, first, &provisioned);
    let reply = device.exchange(&first);
    assert_eq!(reply.header.0, "212", "5.3: the nonce of the provisioning document is the first");
    let answer = device.post(first.xml());
    assert_eq!(String::from_utf8_lossy(&answer.body), reply.xml, "1.14: a retransmission gets the same answer");
    let nonce = reply.header.1.unwrap();
    server.restart();
    device.follow(&server);
    let old = device.package_one();
    let old = with_cred(&device, old, &provisioned);
    let refused = knock(&mut device, &old);
    assert_eq!(refused.code, "401", "M-31");
    let fresh = refused.nonce.clone().expect("M-31: a fresh nonce");
    assert!(fresh != nonce && fresh != provisioned, "M-31");
    let same = device.post(old.xml());
    assert_eq!(String::from_utf8_lossy(&same.body), refused.xml, "1.14: repeated, it spends nothing");
    assert!(is_audited(&server, Some(&id), "wrong digest credential"));
    let late = repeated(&device, &old, 2, &nonce);
    let closed = knock(&mut device, &late);
    assert_eq!((closed.code.as_str(), closed.nonce), ("401", None), "5.4: the second one ends the session");
    let over = repeated(&device, &old, 3, &fresh);
    assert_eq!(knock_after_the_end(&device, &over).nonce, None, "it is over");
    let new = device.package_one();
    let challenge = knock(&mut device, &new);
    server.restart();
    device.follow(&server);
    let proven = repeated(&device, &new, 2, &challenge.nonce.unwrap());
    assert_eq!(device.exchange(&proven).header.0, "212", "a challenge outlives a restart");
}

// covers: M-32, S-16
#[test]
fn of_two_messages_with_one_nonce_one_is_good() {
    let server = Server::start_with(&DIGEST);
    let (device, mut nonce) = settled(&server);
    for round in 0..5 {
        let barrier = Barrier::new(4);
        let codes: Vec<(bool, Option<Vec<u8>>)> = std::thread::scope(|scope| {
            let send = |number: usize| {
                let mut device = device.clone();
                device.number_sessions_from(u32::try_from(100 + round * 10 + number).unwrap());
                let message = device.package_one();
                let message = with_cred(&device, message, &nonce);
                barrier.wait();
                let xml = device.post(message.xml()).text().to_owned();
                let next = xml.split_once("NextNonce").map(|(_, rest)| rest.to_owned());
                (xml.contains("<Data>212</Data>"), next.map(String::into_bytes))
            };
            let tasks: Vec<_> = (0..4).map(|number| scope.spawn(move || send(number))).collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|(good, _)| *good).count(), 1, "M-32: round {round}");
        let mut next = device.clone();
        next.number_sessions_from(u32::try_from(1000 + round).unwrap());
        let message = next.package_one();
        nonce = knock(&mut next, &message).nonce.unwrap();
    }
}

// covers: S-02
#[test]
fn a_name_that_nobody_has_is_answered_like_one_that_somebody_has() {
    let server = Server::start_with(&DIGEST);
    let (mut device, _) = settled(&server);
    let mut stranger = device.clone();
    stranger.profile.device_id = crate::support::random_hex(16);
    let shape = |device: &mut FakeDevice| -> Vec<(String, bool)> {
        let first = device.package_one();
        let mut seen = vec![knock(device, &first)];
        for number in 2..5 {
            let next = repeated(device, &first, number, &[0; 16]);
            seen.push(knock_after_the_end(device, &next));
        }
        let again = device.package_one();
        seen.push(knock(device, &again));
        seen.into_iter().map(|challenge| (challenge.code, challenge.nonce.is_some())).collect()
    };
    let known = shape(&mut device);
    assert_eq!(known, shape(&mut stranger), "S-02");
    let expected = [("407", true), ("401", true), ("401", false), ("401", false), ("407", true)];
    assert_eq!(known, expected.map(|(code, nonce)| (code.to_owned(), nonce)));
    assert!(is_audited(&server, None, "a name that no device has"));
}

// covers: S-02, S-03, S-14
#[test]
fn secrets_of_others_prove_nothing_and_tries_are_limited() {
    let server = Server::start_with(&DIGEST);
    let (mut victim, _) = settled(&server);
    let (liar, liars_nonce) = settled(&server);
    let (source_name, more_header) = cred(&liar, &liars_nonce);
    let first = Message { source_name, more_header, ..victim.package_one() };
    assert_eq!(knock(&mut victim, &first).code, "401", "S-03: its own secret, another's name");
    let api = server.api();
    let events = api.session_count(&victim.id(&server));
    let refused = (0..80).map(|_| victim.post(victim.clone().package_one().xml()).status).find(|status| *status != 200);
    let mut tries = 0;
    let limited = refused.or_else(|| {
        std::iter::repeat_with(|| {
            tries += 1;
            let message = victim.package_one().xml();
            victim.post(message).status
        })
        .take(80)
        .find(|status| *status != 200)
    });
    assert_eq!(limited, Some(429), "S-14: no more than a minute's share");
    assert_eq!(api.session_count(&victim.id(&server)), events);
    // With its certificate the device itself is served all the same.
    let mut own = victim.clone();
    own.digest = false;
    let tls = server.tls().alpn(&["http/1.1"]).identity(victim.identity());
    let message = own.package_one().xml();
    once(&server.device_url, &tls.config(), &own.request(message)).expect_status("S-14: others cost it nothing", 200);
}

// covers: M-99
#[test]
fn a_goodbye_without_a_credential_is_shown_and_ends_nothing() {
    let server = Server::start_with(&DIGEST);
    let (mut device, nonce) = settled(&server);
    let id = device.id(&server);
    let goodbye = device.leave();
    let challenge = knock(&mut device, &goodbye);
    assert_eq!(challenge.code, "407");
    let shown = server.api().device(&id);
    assert_eq!(shown["state"], "active", "5.1: it is not closed");
    assert!(shown["warning"].as_str().unwrap_or_default().contains("said that it left"), "{shown}");
    eventually("an event tells it", || {
        let events = server.api().events();
        events
            .into_iter()
            .find(|event| event["subject"] == id.as_str() && event.to_string().contains("said_that_it_left"))
    });
    assert_ne!(challenge.nonce.as_deref(), Some(&nonce[..]));
    let first = device.package_one();
    let back = with_cred(&device, first, &challenge.nonce.unwrap());
    let reply = device.exchange(&back);
    let next = reply.header.1.clone().unwrap();
    assert_eq!(server.api().device(&id)["warning"], json!(null), "it is back, and proven");
    let goodbye = device.leave();
    let goodbye = with_cred(&device, goodbye, &next);
    device.exchange(&goodbye);
    assert_eq!(server.api().device(&id)["state"], "retired", "proven, it is believed");
}

// covers: M-33
#[test]
fn beside_a_certificate_credentials_do_not_count() {
    let server = Server::start_with(&DIGEST);
    let (mut device, _) = FakeDevice::settled(&server);
    for nonce in [device.provisioned.nonces[1].clone(), vec![0; 16]] {
        let message = device.package_one();
        let message = with_cred(&device, message, &nonce);
        let reply = device.exchange(&message);
        assert_eq!(reply.header, ("200".to_owned(), None), "M-33");
        device.finish(reply);
    }
    assert_eq!(proofs(&server, &device), json!(["certificate"]));
    let nonce = device.provisioned.nonces[1].clone();
    device.without_certificate(&server);
    device.digest = true;
    let message = device.package_one();
    let message = with_cred(&device, message, &nonce);
    assert_eq!(device.exchange(&message).header.0, "212", "5.3: the first nonce was not used up");
}

// covers: M-30
#[test]
fn where_digests_are_required_a_certificate_is_not_enough() {
    let server = Server::start_with(&[("MUSTER__DEVICE_AUTH__DIGEST", "required")]);
    let (mut device, _) = FakeDevice::new(&server);
    device.digest = true;
    let id = device.id(&server);
    let first = device.package_one();
    let challenge = knock(&mut device, &first);
    assert_eq!((challenge.code.as_str(), server.api().session_count(&id)), ("407", 0));
    let second = repeated(&device, &first, 2, &challenge.nonce.unwrap());
    let reply = device.exchange(&second);
    device.finish(reply);
    assert_eq!(proofs(&server, &device), json!(["certificate", "digest"]));
    let goodbye = device.leave();
    device.exchange(&goodbye);
    assert_eq!(server.api().device(&id)["state"], "retired", "its last word comes without a credential");
}

// covers: S-03
#[test]
fn a_proven_session_cannot_be_taken_over_from_elsewhere() {
    let server = Server::start_with(&[DIGEST[0], ("MUSTER__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]")]);
    let (mut device, nonce) = settled(&server);
    let id = device.id(&server);
    let from = |address: &str| vec![("X-Forwarded-For".to_owned(), address.to_owned())];
    let commands = [GET, GET].map(|command| server.api().command(&id, command));
    device.headers = from("198.51.100.7");
    let first = device.package_one();
    let first = with_cred(&device, first, &nonce);
    let reply = device.exchange(&first);
    reply.expect("Get", "/HwV");
    let mut thief = device.clone();
    thief.headers = from("203.0.113.9");
    let guess: Message = thief.answer(&reply);
    let response: Response = thief.post(guess.xml());
    assert_eq!(thief.judge_challenge(&guess, &response).code, "407", "S-03");
    assert!(commands.iter().all(|id| server.api().command_state(id) == "sent"), "S-03: nothing was taken from it");
    let visit = device.finish(reply);
    assert!(visit.replies.len() > 1, "the session itself goes on");
    assert!(commands.iter().all(|id| server.api().command_state(id) == "succeeded"));
}
