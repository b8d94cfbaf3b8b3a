//! A second opinion: what we write is read by libwbxml, and what it writes is read by us.
//!
//! Its programs come with Debian's libwbxml2-utils. They add a document type declaration, which is cut off here, and leave
//! out attributes that they do not know.

use std::io::Write;
use std::process::Stdio;

use proptest::prelude::*;

use super::super::arbitrary::{golden, messages};
use super::super::{Command, Data, Element, Item};
use super::*;

/// Runs one of the programs on bytes; `None` if it refuses them.
fn run(program: &str, options: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = std::process::Command::new(program)
        .args(options)
        .args(["-o", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} (Debian: libwbxml2-utils): {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// As libwbxml reads our WBXML.
fn read_by_libwbxml(message: &Message) -> Message {
    let xml = run("wbxml2xml", &["-k", "-m", "0"], &Encoding::Wbxml.encode(message)).expect("libwbxml refuses it");
    let xml = String::from_utf8(xml).unwrap();
    let (_, declared) = xml.split_once("<!DOCTYPE").expect("libwbxml declares the type");
    let (_, document) = declared.split_once('>').unwrap();
    Encoding::Xml.decode(document.as_bytes(), &Limits::default()).unwrap()
}

/// As libwbxml writes it, read by us.
fn written_by_libwbxml(message: &Message, options: &[&str]) -> Message {
    let wbxml = run("xml2wbxml", options, &Encoding::Xml.encode(message)).expect("libwbxml refuses it");
    assert_eq!(Encoding::of(&wbxml), Encoding::Wbxml);
    let read = Encoding::Wbxml.decode(&wbxml, &Limits::default());
    read.unwrap_or_else(|error| panic!("{error}: {}", wbxml.escape_ascii()))
}

/// What libwbxml keeps of a message: no attributes, since SyncML has no tokens for them, and line ends as it likes them.
fn kept(message: &Message) -> Message {
    let mut message = message.clone();
    for element in &mut message.body {
        match element {
            Element::Status(status) => {
                status.original_error = None;
                status.items.iter_mut().for_each(plain);
            }
            Element::Results(results) => results.items.iter_mut().for_each(plain),
            Element::Alert(alert) => alert.items.iter_mut().for_each(plain),
            Element::Command(command) => plain_command(command),
            Element::Unknown { .. } => {}
        }
    }
    message
}

fn plain_command(command: &mut Command) {
    command.items.iter_mut().for_each(plain);
    command.children.iter_mut().for_each(plain_command);
}

fn plain(item: &mut Item) {
    if let Some(data) = &mut item.data {
        let lines: Vec<&str> = data.text().split(['\r', '\n']).filter(|line| !line.is_empty()).collect();
        *data = Data::new(lines.join("\n"));
    }
}

/// With and without a string table, in every version but 1.0: libwbxml itself cannot read what it writes as 1.0, since it
/// names a character set where that version has none. Without a table it cannot name what has no token.
const WAYS: [&[&str]; 4] = [&["-k"], &["-k", "-n"], &["-k", "-v", "1.1"], &["-k", "-v", "1.2"]];

fn agree(name: &str, message: &Message) {
    let expected = kept(message);
    assert!(kept(&read_by_libwbxml(message)) == expected, "{name}, read");
    let named = message.body.iter().all(|element| !matches!(element, Element::Unknown { name, .. } if name != "Put"));
    for options in WAYS.iter().filter(|options| named || !options.contains(&"-n")) {
        assert!(kept(&written_by_libwbxml(message, options)) == expected, "{name}, written with {options:?}");
    }
}

// covers: M-03
#[test]
fn libwbxml_reads_what_we_write_and_we_read_what_it_writes() {
    for (name, message) in golden() {
        agree(name, &message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn libwbxml_agrees_on_any_message(message in messages()) {
        // It writes values into CDATA sections as they are.
        prop_assume!(!Encoding::Xml.encode(&message).windows(6).any(|bytes| bytes == b"]]&gt;"));
        agree("by chance", &message);
    }
}
