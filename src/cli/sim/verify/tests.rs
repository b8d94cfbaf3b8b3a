use super::super::record::{Entry, Line};
use super::*;

const UNIT: &str = "0123456789ab";

/// A story of one enrollment, told in words: what the lines of its log are, a minute apart.
fn story(lines: &[&str]) -> Stories {
    let mut stories = Stories::default();
    for (minute, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let failed =
            |kind: &str, injected: bool| Entry::Failed { kind: kind.to_owned(), detail: String::new(), injected };
        let entry = match words.as_slice() {
            ["enrolled"] => Entry::Enrolled { profile: "win11".to_owned(), hw_dev_id: "A".to_owned() },
            ["session"] => Entry::Session { session: "1".to_owned() },
            ["ran", verb, uri, status] => Entry::Executed {
                cmd_id: format!("{UNIT}-0"),
                verb: (*verb).to_owned(),
                uri: (*uri).to_owned(),
                status: status.parse().unwrap(),
            },
            ["answered"] => Entry::Answered,
            ["not_taken"] => Entry::NotTaken,
            ["ended"] => Entry::Ended,
            ["did", effect] => Entry::Did { effect: (*effect).to_owned() },
            ["failed", kind] => failed(kind, false),
            ["failed_by_fault"] => failed("http_500", true),
            ["died"] => Entry::Fault {
                fault: "die-after-offer".to_owned(),
                detail: String::new(),
                cmd_ids: vec![format!("{UNIT}-0")],
            },
            _ => panic!("{line}"),
        };
        let at = format!("2026-01-01T00:{minute:02}:00Z");
        let (device, enrollment) = ("PC".to_owned(), "E".to_owned());
        stories.take(Line { at, device, enrollment, entry });
    }
    stories
}

/// A unit that was asked for half a minute after the first line.
fn unit(kind: &str, state: &str, offers: u32, items: &[(&str, &str, Option<u16>)]) -> Value {
    let item = |(cmd, uri, status): &(&str, &str, Option<u16>)| json!({"cmd": cmd, "loc_uri": uri, "status": status});
    let items: Vec<Value> = items.iter().map(item).collect();
    json!({"type": kind, "state": state, "items": items, "offers": offers, "created_at": "2026-01-01T00:00:30Z"})
}

fn disagreements(lines: &[&str], document: &Value) -> Vec<String> {
    let stories = story(lines);
    let (story, none) = (&stories.0["E"], Vec::new());
    let executions = story.units.get(UNIT).unwrap_or(&none);
    let mut verdict = Verdict::default();
    judge(&mut verdict, &Unit { story, short: UNIT, document, executions });
    verdict.disagreements
}

#[track_caller]
fn agrees(lines: &[&str], document: &Value) {
    assert_eq!(disagreements(lines, document), [""; 0], "{lines:?} {document}");
}

#[track_caller]
fn disagrees(lines: &[&str], document: &Value, words: &str) {
    let found = disagreements(lines, document);
    assert!(found.iter().any(|told| told.contains(words)), "{lines:?} {document}: {found:?}");
}

const RAN: [&str; 4] = ["enrolled", "session", "ran Get ./A 200", "answered"];
const LOST_REBOOT: [&str; 4] = ["enrolled", "session", "ran Exec ./B/rebootNow 200", "died"];

//
#[test]
fn what_agrees_and_what_does_not() {
    let (get, exec) = (("Get", "./A", Some(200)), ("Exec", "./B/rebootNow", Some(200)));
    let raw = |state, item| unit("raw", state, 1, &[item]);
    let rebooted = ["enrolled", "session", "ran Exec ./B/rebootNow 200", "answered"];
    let lost = ["enrolled", "session", "ran Get ./A 200", "died", "session", "ran Get ./A 200", "answered"];
    agrees(&RAN, &raw("succeeded", get));
    agrees(&rebooted, &raw("succeeded", exec));
    agrees(&lost, &raw("succeeded", get));
    agrees(&LOST_REBOOT, &raw("unknown", ("Exec", "./B/rebootNow", None)));
    agrees(&["enrolled"], &unit("raw", "cancelled", 0, &[("Get", "./A", None)]));
    agrees(&["enrolled"], &unit("raw", "queued", 0, &[("Get", "./A", None)]));
    let refused = ["enrolled", "session", "ran Replace ./A 404", "answered"];
    agrees(&refused, &raw("failed", ("Replace", "./A", Some(404))));
    let gone = ["enrolled", "session", "ran Delete ./A 404", "answered"];
    agrees(&gone, &raw("succeeded", ("Delete", "./A", Some(404))));

    let again = [&RAN[..], &["session", "ran Get ./A 200", "answered"]].concat();
    let twice = [&LOST_REBOOT[..], &["session", "ran Exec ./B/rebootNow 200", "answered"]].concat();
    disagrees(&["enrolled"], &raw("succeeded", get), "was not carried out");
    disagrees(&again, &raw("succeeded", get), "carried out again after the server was told");
    disagrees(&again[..6], &raw("succeeded", get), "carried out again after the server was told");
    disagrees(&twice, &raw("succeeded", exec), "carried out 2 times and may be once");
    disagrees(&RAN[..3], &unit("raw", "cancelled", 0, &[("Get", "./A", None)]), "withdrawn before it was sent");
    disagrees(&RAN, &raw("queued", ("Get", "./A", None)), "no answer is there");
    disagrees(&RAN, &raw("unknown", ("Get", "./A", None)), "nothing went wrong on purpose");
    disagrees(&RAN, &raw("failed", ("Get", "./A", Some(404))), "shows status 404");
}

//
#[test]
fn each_status_is_told_by_both_sides() {
    let lines = ["enrolled", "session", "ran Replace ./A 200", "ran Replace ./B 200", "answered", "ended"];
    let whole = [("Replace", "./A", Some(200)), ("Replace", "./B", Some(200))];
    let lacking = [("Replace", "./A", Some(200)), ("Replace", "./B", None)];
    for kind in ["raw", "device_lock"] {
        agrees(&lines, &unit(kind, "succeeded", 1, &whole));
        for state in ["succeeded", "failed", "expired", "cancelled"] {
            let document = unit(kind, state, 1, &lacking);
            disagrees(&lines, &document, "told status 200 for Replace ./B, which the server does not show");
        }
        disagrees(&lines, &unit(kind, "succeeded", 1, &lacking), "Replace ./B has no answer");
    }
    // What a refusal by the user's absence was is told anew.
    let put_off = ["enrolled", "session", "ran Replace ./A 200", "ran Replace ./User/B 405", "answered", "ended"];
    let waits = [("Replace", "./A", None), ("Replace", "./User/B", None)];
    agrees(&put_off, &unit("raw", "queued", 1, &waits));
    let anew = ["session", "ran Replace ./A 200", "ran Replace ./User/B 200", "answered"];
    let done = [("Replace", "./A", Some(200)), ("Replace", "./User/B", Some(200))];
    agrees(&[&put_off[..], &anew].concat(), &unit("raw", "succeeded", 1, &done));
    // Refused by the server itself, because no message to the device can hold it.
    agrees(&["enrolled"], &unit("raw", "failed", 0, &[("Replace", "./A", Some(413))]));
}

//
#[test]
fn the_state_goes_with_the_statuses() {
    let mixed = ["enrolled", "session", "ran Replace ./A 200", "ran Replace ./B 404", "answered"];
    let items = [("Replace", "./A", Some(200)), ("Replace", "./B", Some(404))];
    agrees(&mixed, &unit("raw", "failed", 1, &items));
    disagrees(&mixed, &unit("raw", "succeeded", 1, &items), "Replace ./B has the status 404");
    agrees(&mixed, &unit("rename", "succeeded", 1, &items));
    let refused = ["enrolled", "session", "ran Replace ./B 404", "answered"];
    disagrees(&refused, &unit("rename", "succeeded", 1, &items[1..]), "none of its commands was carried out");
    // Another way to the same end was gone.
    let way = ["enrolled", "session", "ran Replace ./B 404", "answered", "ran Add ./B 200", "answered"];
    let mut document = unit("raw", "succeeded", 1, &[items[1], ("Add", "./B", Some(200))]);
    disagrees(&way, &document, "has the status 404");
    document["items"][0]["superseded"] = json!(true);
    agrees(&way, &document);

    let done = ["enrolled", "session", "ran Replace ./A 200", "answered"];
    for kind in ["raw", "lock"] {
        for state in ["failed", "unsupported"] {
            let document = unit(kind, state, 1, &items[..1]);
            disagrees(&done, &document, "everything of it was carried out");
        }
    }
    agrees(&RAN, &unit("renew_certificate", "failed", 1, &[("Get", "./A", Some(200))]));
}

//
#[test]
fn what_waits_was_not_there_when_the_device_called_last() {
    let waits = unit("raw", "queued", 0, &[("Get", "./A", None)]);
    let passed_over = "was there since, and was not given it";
    disagrees(&["enrolled", "session", "ended"], &waits, passed_over);
    disagrees(&["enrolled", "session", "ended", "session", "died"], &waits, passed_over);
    let later = Value::from("2026-01-01T00:00:59Z");
    agrees(
        &["enrolled", "session", "ended"],
        &Value::Object({
            let mut document = waits.as_object().unwrap().clone();
            document.insert("created_at".to_owned(), later);
            document
        }),
    );
    for lines in [
        &["enrolled", "session"][..],
        &["enrolled", "session", "died", "ended"],
        &["enrolled", "session", "failed http_500"],
        &["enrolled", "session", "did reboot", "ended"],
    ] {
        agrees(lines, &waits);
    }
}

#[test]
fn what_the_server_did_not_take_was_not_told() {
    let ran = ["enrolled", "session", "ran Exec ./A 200"];
    let waits = unit("lock", "queued", 1, &[("Exec", "./A", None)]);
    disagrees(&[&ran[..], &["answered"]].concat(), &waits, "no answer is there");
    for line in ["not_taken", "failed http_500", "failed_by_fault", "failed answer_too_large"] {
        agrees(&[&ran[..], &[line, "answered"]].concat(), &waits);
    }
    let sent = unit("lock", "unknown", 1, &[("Exec", "./A", None)]);
    disagrees(&[&ran[..], &["not_taken"]].concat(), &sent, "nothing went wrong on purpose");
    agrees(&[&ran[..], &["failed_by_fault"]].concat(), &sent);
    // The device said that it cannot say it.
    let given_up = unit("raw", "failed", 1, &[("Get", "./A", Some(413))]);
    agrees(&["enrolled", "session", "ran Get ./A 200", "failed answer_too_large", "answered"], &given_up);
}

#[test]
fn ids_are_compared_by_their_last_digits() {
    assert_eq!(short("019a3f00-1111-7222-8333-0123456789ab"), UNIT);
}
