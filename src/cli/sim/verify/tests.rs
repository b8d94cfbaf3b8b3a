use super::super::record::{Entry, Line};
use super::*;

const UNIT: &str = "0123456789ab";

/// A story of one enrollment, told in words: what the lines of its log are.
fn story(lines: &[&str]) -> Stories {
    let mut stories = Stories::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
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
            ["died"] => Entry::Fault {
                fault: "die-after-offer".to_owned(),
                detail: String::new(),
                cmd_ids: vec![format!("{UNIT}-0")],
            },
            _ => panic!("{line}"),
        };
        let (at, device, enrollment) = (String::new(), "PC".to_owned(), "E".to_owned());
        stories.take(Line { at, device, enrollment, entry });
    }
    stories
}

fn disagreements(lines: &[&str], state: &str, items: &[(&str, &str, Option<u16>)]) -> Vec<String> {
    let stories = story(lines);
    let items: Vec<Value> =
        items.iter().map(|(cmd, uri, status)| json!({"cmd": cmd, "loc_uri": uri, "status": status})).collect();
    let document = json!({"type": "raw", "state": state, "items": items, "offers": 0});
    let (story, none) = (&stories.0["E"], Vec::new());
    let executions = story.units.get(UNIT).unwrap_or(&none);
    let mut verdict = Verdict::default();
    judge(&mut verdict, story, &Unit { short: UNIT, document: &document, executions });
    verdict.disagreements
}

//
#[test]
fn what_agrees_and_what_does_not() {
    let (get, exec) = (("Get", "./A", Some(200)), ("Exec", "./B/rebootNow", Some(200)));
    let ran = ["enrolled", "session", "ran Get ./A 200", "answered"];
    let rebooted = ["enrolled", "session", "ran Exec ./B/rebootNow 200", "answered"];
    let lost = ["enrolled", "session", "ran Get ./A 200", "died", "session", "ran Get ./A 200", "answered"];
    let lost_reboot = ["enrolled", "session", "ran Exec ./B/rebootNow 200", "died"];
    for (lines, state, item) in [
        (&ran[..], "succeeded", get),
        (&rebooted, "succeeded", exec),
        (&lost, "succeeded", get),
        (&lost_reboot, "unknown", ("Exec", "./B/rebootNow", None)),
        (&["enrolled"], "cancelled", ("Get", "./A", None)),
        (&["enrolled"], "queued", ("Get", "./A", None)),
        (&["enrolled", "session", "ran Get ./A 404", "answered"], "failed", ("Get", "./A", Some(404))),
    ] {
        assert_eq!(disagreements(lines, state, &[item]), [""; 0], "{lines:?} {state}");
    }
    let again = ["enrolled", "session", "ran Get ./A 200", "answered", "session", "ran Get ./A 200", "answered"];
    let twice = [&lost_reboot[..], &["session", "ran Exec ./B/rebootNow 200", "answered"]].concat();
    for (lines, state, item, words) in [
        (&["enrolled"][..], "succeeded", get, "was not carried out"),
        (&again, "succeeded", get, "carried out again after the server was told"),
        (&twice, "succeeded", exec, "carried out 2 times and may be once"),
        (&ran, "cancelled", ("Get", "./A", None), "withdrawn before it was sent"),
        (&ran, "queued", ("Get", "./A", None), "no answer is there"),
        (&ran, "unknown", ("Get", "./A", None), "nothing went wrong on purpose"),
        (&ran, "failed", ("Get", "./A", Some(404)), "shows status 404"),
    ] {
        let found = disagreements(lines, state, &[item]);
        assert!(found.iter().any(|told| told.contains(words)), "{lines:?} {state}: {found:?}");
    }
}

#[test]
fn ids_are_compared_by_their_last_digits() {
    assert_eq!(short("019a3f00-1111-7222-8333-0123456789ab"), UNIT);
}
