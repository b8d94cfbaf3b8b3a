//! Tests of decoder and encoder together: golden messages, tolerance, round trips, hostile input.

use proptest::prelude::*;

use super::super::{Element as BodyElement, Item, LocUri, StatusCode, encode_fragment};
use super::*;

fn message(body: &str) -> String {
    format!(
        "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>0</SessionID>\
         <MsgID>1</MsgID><Target><LocURI>https://x</LocURI></Target><Source><LocURI>dev</LocURI></Source></SyncHdr>\
         <SyncBody>{body}</SyncBody></SyncML>"
    )
}

fn read(text: &str) -> Result<Message, DecodeError> {
    decode(text.as_bytes(), &Limits::default())
}

// covers: M-38
#[test]
fn older_and_missing_namespaces_are_read() {
    for namespace in ["SYNCML:SYNCML1.1", "SYNCML:SYNCML1.0", "syncml:syncml1.2", ""] {
        let text = message("<Final/>").replace("SYNCML:SYNCML1.2", namespace);
        assert!(read(&text).unwrap().is_final, "{namespace}");
    }
    let foreign = message("<Final/>").replace("SYNCML:SYNCML1.2", "urn:other");
    assert_eq!(read(&foreign).unwrap_err().kind, DecodeErrorKind::Root);
}

// covers: M-41
#[test]
fn header_rules_name_the_element() {
    let good = message("<Final/>");
    let cases = [
        ("<VerDTD>1.2</VerDTD>", "", "SyncHdr/VerDTD", DecodeErrorKind::Missing),
        ("<SessionID>0</SessionID>", "<SessionID> </SessionID>", "SyncHdr/SessionID", DecodeErrorKind::Missing),
        ("<MsgID>1</MsgID>", "<MsgID>0</MsgID>", "SyncHdr/MsgID", DecodeErrorKind::Number),
        ("<MsgID>1</MsgID>", "<MsgID>1e9</MsgID>", "SyncHdr/MsgID", DecodeErrorKind::Number),
        ("<MsgID>1</MsgID>", "<MsgID>-1</MsgID>", "SyncHdr/MsgID", DecodeErrorKind::Number),
        ("<MsgID>1</MsgID>", "<MsgID>12345678901</MsgID>", "SyncHdr/MsgID", DecodeErrorKind::Number),
        ("<LocURI>dev</LocURI>", "", "SyncHdr/Source/LocURI", DecodeErrorKind::Missing),
        ("<MsgID>1</MsgID>", "<MsgID>1</MsgID><MsgID>2</MsgID>", "SyncHdr/MsgID", DecodeErrorKind::Repeated),
    ];
    for (from, to, path, kind) in cases {
        let found = read(&good.replace(from, to)).unwrap_err();
        assert_eq!((found.path.as_str(), found.kind), (path, kind), "{to}");
    }
    let long = good.replace("<SessionID>0<", &format!("<SessionID>{}<", "a".repeat(33)));
    assert_eq!(read(&long).unwrap_err().kind, DecodeErrorKind::TooLong);
}

// covers: M-76, M-78, M-79, M-130
#[test]
fn data_keeps_markup_and_flattens_cdata() {
    let text = message(
        "<Results><CmdID>2</CmdID><CmdRef>g</CmdRef><Item><Source><LocURI> ./a </LocURI></Source>\
         <Data><x y='1'>z</x></Data></Item><Item><Source><LocURI>./b</LocURI></Source>\
         <Data xmlns='SYNCML:SYNCML1.2'><![CDATA[<p>]]>&#xF000;q</Data></Item><Item><Source><LocURI>./c</LocURI></Source>\
         <Data/></Item></Results>",
    );
    let BodyElement::Results(results) = &read(&text).unwrap().body[0] else { panic!("no Results") };
    assert_eq!(results.msg_ref, MsgId(1));
    let texts: Vec<&str> = results.items.iter().map(Item::text).collect();
    assert_eq!(texts, ["<x y='1'>z</x>", "<p>\u{F000}q", ""]);
    assert_eq!(results.items[0].source.as_ref().map(LocUri::as_str), Some("./a"));
}

// covers: M-100
#[test]
fn alert_types_are_found_in_odd_places() {
    for item in [
        "<Meta><Type xmlns='syncml:metinfo'> com.microsoft:mdm.unenrollment.userrequest</Type></Meta><Data>1</Data>",
        "<Type>com.microsoft:mdm.unenrollment.userrequest</Type><Data>1</Data>",
        "<Data>1</Data><Meta><Format>int</Format><Type>COM.microsoft:mdm.unenrollment.userrequest</Type></Meta>",
    ] {
        let text = message(&format!("<Alert><CmdID>2</CmdID><Data> 1226 </Data><Item>{item}</Item></Alert><Final/>"));
        let BodyElement::Alert(alert) = &read(&text).unwrap().body[0] else { panic!("no Alert") };
        assert_eq!(alert.code, 1226);
        assert_eq!(alert.data_of("com.microsoft:mdm.unenrollment.userrequest"), Some("1"), "{item}");
    }
}

// covers: M-89, M-132
#[test]
fn statuses_carry_references_and_hresults() {
    let text = message(
        "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>7</CmdRef><Cmd>Get</Cmd><TargetRef>./a</TargetRef>\
         <TargetRef><LocURI>./b</LocURI></TargetRef>\
         <Data xmlns:m='http://schemas.microsoft.com/MobileDevice/MDM' m:originalerror='0x86000002'>404</Data></Status>\
         <Status><CmdID>2</CmdID><CmdRef>0</CmdRef><Data>what</Data></Status>",
    );
    let message = read(&text).unwrap();
    let BodyElement::Status(status) = &message.body[0] else { panic!("no Status") };
    assert_eq!(status.target_refs, ["./a", "./b"]);
    assert_eq!((status.code, status.original_error.as_deref()), (StatusCode(404), Some("0x86000002")));
    let BodyElement::Status(status) = &message.body[1] else { panic!("no Status") };
    assert_eq!((status.code, status.msg_ref), (StatusCode(0), None));
}

#[test]
fn unknown_elements_are_kept_and_foreign_ones_ignored() {
    let text = message("<Put><CmdID>9</CmdID></Put><q:Get xmlns:q='urn:q'><CmdID>8</CmdID></q:Get><Final/>");
    let body = read(&text).unwrap().body;
    assert_eq!(body, [BodyElement::Unknown { name: "Put".into(), cmd_id: Some("9".into()) }]);
}

#[test]
fn fragments_are_read_bare_wrapped_and_declared() {
    let bare = "<Replace><Item><Target><LocURI>./a</LocURI></Target><Data>1</Data></Item></Replace>\n<Get><CmdID>x</CmdID>\
                <Item><Target><LocURI>./b</LocURI></Target></Item></Get>";
    let wrapped = format!("<?xml version='1.0'?><SyncBody xmlns='SYNCML:SYNCML1.2'>{bare}<Final/></SyncBody>");
    for text in [bare, wrapped.as_str()] {
        let commands = decode_fragment(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<_>>(), [Verb::Replace, Verb::Get]);
        let again = decode_fragment(&encode_fragment(&commands), &Limits::default()).unwrap();
        assert_eq!(again, commands);
    }
    for (text, path) in [("<Put/>", "Put[1]"), ("<Atomic><Nope/></Atomic>", "Atomic[1]/Nope[1]"), ("", "(document)")] {
        let found = decode_fragment(text.as_bytes(), &Limits::default()).unwrap_err();
        assert_eq!(found.path, path);
    }
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes, &Limits::default());
        let _ = decode_fragment(&bytes, &Limits::default());
    }

    #[test]
    fn any_body_never_panics(body in "(<(Status|Results|Alert|Get|Item|Data|Meta|Atomic)>|</(Status|Results|Alert|Get|Item|Data|Meta|Atomic)>|[a-z0-9 ]|&amp;){0,30}") {
        let _ = read(&message(&body));
    }
}
