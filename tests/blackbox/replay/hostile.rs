//! Files that are no sessions: each is refused with words that say what is wrong and where, and costs bounded memory.

use std::io::Write;

use crate::replay::{Scratch, recordings, run};

/// The error of a file, which is one line; nothing is told on standard output.
#[track_caller]
fn refused(name: &str, content: &[u8]) -> String {
    let file = Scratch::new(content);
    let (code, out, err) = run(&file.path(), &[]);
    assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{name}: {err}");
    err
}

const MESSAGE: &str = "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>\
                       <SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>https://mdm.example.test/</LocURI></Target>\
                       <Source><LocURI>D1</LocURI></Source></SyncHdr><SyncBody><Final/></SyncBody></SyncML>";

// covers: S-05
#[test]
fn what_is_no_session_is_refused_with_its_place() {
    let recording = recordings().into_iter().find(|(name, _)| name == "wbxml").unwrap().1;
    let text = String::from_utf8(recording).unwrap();
    let no_xml = text.replacen("<SyncHdr>", "<SyncHdr", 1);
    let bad_time = text.replacen("\"at\": \"", "\"at\": \"once upon ", 1);
    let doctype = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>{}", MESSAGE.replace("D1", "&a;"));
    let deep = MESSAGE.replace("<Final/>", &("<A>".repeat(500) + &"</A>".repeat(500)));
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("nothing", Vec::new(), "it holds no message of a device"),
        ("words", b"no message".to_vec(), "it holds no message of a device"),
        ("cut JSON", text.as_bytes()[..text.len() / 2].to_vec(), "line "),
        ("not a session", b"{\n \"items\": []\n}".to_vec(), "missing field `messages` at line 3"),
        ("a list", b"[1]".to_vec(), "not a session as `muster session show ID --json` prints it"),
        ("no messages", b"{\"messages\": []}".to_vec(), "it holds no message of a device"),
        ("a wrong field", bad_time.into_bytes(), "messages[0].at"),
        ("no XML", no_xml.into_bytes(), "messages[0].body: (document): not well-formed XML"),
        ("cut XML", MESSAGE.as_bytes()[..200].to_vec(), "message 1, from line 1: it does not end"),
        (
            "no MsgID",
            MESSAGE.replace("<MsgID>1</MsgID>", "").into_bytes(),
            "message 1, from line 1: SyncHdr/MsgID: missing",
        ),
        ("an entity", doctype.into_bytes(), "message 1, from line 1: (document): "),
        ("deep XML", deep.into_bytes(), "more than 128 "),
        ("cut WBXML", vec![2, 0, 0, 0x6a, 0], "message 1, in WBXML: "),
    ];
    for (name, content, words) in cases {
        let error = refused(name, &content);
        assert!(error.contains(words), "{name}: {error}");
    }
    let (code, _, error) = run(std::path::Path::new("/nonexistent/file"), &[]);
    assert_eq!((code, error.lines().count()), (2, 1), "{error}");
}

/// A file that is larger than what is read, deep JSON, and marks that promise more than there is.
// covers: S-05
#[test]
fn bombs_are_refused_in_bounded_memory() {
    let nested = format!("{{\"messages\": [{{\"given\": {}{}}}]}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refused("deep JSON", nested.as_bytes()).contains("recursion limit"), "{nested:.40}");
    let file = Scratch::new(b"");
    let mut big = std::fs::File::create(file.path()).unwrap();
    big.write_all(b"{\"messages\": [").unwrap();
    big.set_len(10 * 1024 * 1024 * 1024).unwrap();
    let (code, _, error) = run(&file.path(), &[]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("more than 64 MiB"), "{error}");
    let recording = recordings().into_iter().find(|(name, _)| name == "wbxml").unwrap().1;
    let text = String::from_utf8(recording).unwrap();
    let mut at_the_end: serde_json::Value = serde_json::from_str(&text).unwrap();
    at_the_end["messages"][0]["given"]["now"] = "9999-12-31T23:59:59Z".into();
    at_the_end["messages"][2]["given"]["conversation"]["current"]["our_msg_id"] = u64::MAX.into();
    let file = Scratch::new(at_the_end.to_string().as_bytes());
    let (code, out, error) = run(&file.path(), &[]);
    assert!(
        code == 1 && out.ends_with(" differences\n"),
        "numbers at their end are no end of the program: {out}{error}"
    );
    let at = text.find("[redacted ").expect("a value is redacted");
    let end = at + text[at..].find(" bytes").unwrap();
    let lie = format!("{}[redacted {}{}", &text[..at], u64::MAX / 2, &text[end..]);
    let file = Scratch::new(lie.as_bytes());
    let (code, out, error) = run(&file.path(), &[]);
    assert!(code <= 1, "a lie about a length is no more than a difference: {out}{error}");
}
