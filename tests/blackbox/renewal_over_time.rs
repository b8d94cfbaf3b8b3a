//! Certificates over years: a device that calls renews each time, one that sleeps too long is told of, and let in where that
//! was allowed.

use serde_json::Value;

use crate::support::api::Api;
use crate::support::device::FakeDevice;
use crate::support::now;
use crate::support::renewing::Renewal;
use crate::support::timed::{DAY, Timed};

const LIFETIME: u64 = 30;
const WINDOW: i64 = 14;

/// Certificates of a month, renewed in its second half.
fn installation(grace: &str) -> Timed {
    let lifetime = LIFETIME.to_string();
    Timed::configured(&[
        ("device_lifetime_days", lifetime.as_str()),
        ("renew_period_days", "14"),
        ("renew_retry_days", "2"),
        ("expired_grace_days", grace),
    ])
}

fn days_left(device: &FakeDevice) -> i64 {
    (device.chain().not_after() - now().unix_timestamp()).div_euclid(86_400)
}

fn states(api: &Api, id: &str) -> Vec<String> {
    let all = api.list(&format!("/certificates?device={id}"));
    all.iter().map(|certificate| certificate["state"].as_str().unwrap().to_owned()).collect()
}

fn expired(api: &Api, id: &str) -> Vec<Value> {
    let events = api.events();
    events.into_iter().filter(|e| e["type"] == "muster.cert.expired" && e["subject"] == id).collect()
}

fn warning(api: &Api, id: &str) -> String {
    api.device(id)["warning"].as_str().unwrap_or_default().to_owned()
}

// covers: R-16, E-102, M-26
#[test]
fn a_device_that_calls_every_week_lives_through_its_certificates() {
    let timed = installation("0");
    let (mut device, id, api) = timed.settled();
    let mut renewals = 0;
    while renewals < 3 {
        timed.pass(7 * DAY);
        // Every session has to succeed, or the device ends the test.
        device.check_in();
        // Whatever the day of the window that is its own.
        if days_left(&device) >= WINDOW - WINDOW / 3 {
            continue;
        }
        // The first answer of all is lost; the device asks again.
        if renewals == 0 {
            Renewal::new(&timed.server, &device).accepted(&device);
            timed.pass(2 * DAY);
            device.check_in();
        }
        device.renew(&timed.server);
        renewals += 1;
        device.check_in();
        assert!(days_left(&device) >= 29, "a whole lifetime again");
    }
    timed.pass(7 * DAY);
    device.check_in();
    assert_eq!(states(&api, &id), ["valid", "superseded", "superseded", "revoked", "superseded"]);
    assert_eq!((warning(&api, &id), expired(&api, &id).len()), (String::new(), 0));
}

//
#[test]
fn a_device_that_slept_through_its_window_is_told_of_and_enrolls_again() {
    let timed = installation("0");
    let (mut device, id, api) = timed.settled();
    timed.pass((LIFETIME + 1) * DAY);
    let message = device.package_one().xml();
    assert_eq!(device.post(message).status, 403, "R-16: without a grace it is not let in");
    let renewal = Renewal::new(&timed.server, &device);
    let refused = renewal.send(&device);
    assert_eq!((refused.status, refused.body.len()), (403, 0), "R-16: nor does it renew");
    let told = warning(&api, &id);
    assert!(told.contains("ended at") && told.contains("enroll the device again"), "R-16: {told:?}");
    let events = expired(&api, &id);
    assert_eq!(events.len(), 1, "R-16: told once: {events:?}");
    assert!(events[0]["data"]["let_in_until"].is_null(), "{}", events[0]);
    let user = api.add_user();
    let mut again = FakeDevice::enroll(&timed.server, &user, device.profile.reset());
    again.settle();
}

//
#[test]
fn a_grace_lets_a_device_that_slept_renew() {
    let timed = installation("20");
    let (mut device, id, api) = timed.settled();
    timed.pass((LIFETIME + 15) * DAY);
    device.check_in();
    let told = warning(&api, &id);
    assert!(told.contains("ended at") && told.contains("let in"), "R-16: {told:?}");
    assert!(expired(&api, &id)[0]["data"]["let_in_until"].is_string());
    device.renew(&timed.server);
    device.settle();
    assert_eq!((warning(&api, &id), states(&api, &id)), (String::new(), vec!["valid".into(), "superseded".into()]));
    timed.pass((LIFETIME + 21) * DAY);
    let message = device.package_one().xml();
    assert_eq!(device.post(message).status, 403, "R-16: the grace has an end");
    assert!(warning(&api, &id).contains("enroll the device again"));
}

// covers: E-137, S-25, R-16
#[test]
fn of_parallel_renewals_one_wins_in_every_lifetime() {
    let timed = installation("0");
    let (device, _) = FakeDevice::settled(&timed.server);
    let mut device = device;
    let (id, api) = (device.id(&timed.server), timed.server.api());
    for _ in 0..3 {
        timed.pass(7 * DAY);
        device.check_in();
        timed.pass(15 * DAY);
        let renewals = [Renewal::new(&timed.server, &device), Renewal::new(&timed.server, &device)];
        let answers = std::thread::scope(|scope| {
            let all = renewals.each_ref().map(|renewal| scope.spawn(|| renewal.send(&device)));
            all.map(|thread| thread.join().unwrap())
        });
        let mut good = None;
        for (renewal, answer) in renewals.iter().zip(&answers) {
            if answer.status != 200 {
                renewal.soap().refused(answer).is("E-137", "s:Authorization", Some("NotEligibleToRenew"));
                continue;
            }
            let leaf = renewal.accepted_by(&device, answer);
            let serial = crate::support::certificate::serial_of(&leaf);
            if api.certificate(&serial)["state"] == "waiting" {
                assert!(good.replace((renewal.key.clone(), leaf)).is_none(), "E-137: one waits");
            }
        }
        device.check_in();
        let (key, leaf) = good.expect("one was granted");
        device.adopt(&timed.server, key, leaf);
        device.check_in();
        assert_eq!(states(&api, &id).iter().filter(|state| *state == "valid").count(), 1);
    }
}
