//! Documents byte by byte, as the specification composes them, and everything that is refused.

use proptest::prelude::*;

use super::{WbxmlErrorKind as Kind, read};
use crate::proto::xml::{Document, Limits};

/// A document of SyncML 1.2 in UTF-8 with that string table and body.
fn document(table: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x02, 0xA4, 0x01, 0x6A, table.len() as u8];
    bytes.extend(table);
    bytes.extend(body);
    bytes
}

fn text(bytes: &[u8]) -> Result<String, super::WbxmlError> {
    read(bytes, &Limits::default()).map(|document| document.text().to_owned())
}

fn refused(bytes: &[u8]) -> (usize, Kind) {
    let error = read(bytes, &Limits::default()).map(|document| document.text().to_owned()).unwrap_err();
    (error.offset, error.kind)
}

const NS: &str = "<SyncML xmlns=\"SYNCML:SYNCML1.2\">";

#[test]
fn strings_come_in_every_way() {
    let cases: [(&str, &[u8], &[u8], &str); 9] = [
        ("inline", b"", b"\x6D\x4F\x03a<\xEF\x80\x80\0\x01\x01", "<Data>a&lt;&#xF000;</Data>"),
        ("opaque", b"", b"\x6D\x4F\xC3\x031.2\x01\x01", "<Data>1.2</Data>"),
        ("by reference", b"abc\0de\0", b"\x6D\x4F\x83\x04\x83\x01\x01\x01", "<Data>debc</Data>"),
        ("entity", b"", b"\x6D\x4F\x02\x81\x60\x03x\0\x01\x01", "<Data>\u{E0}x</Data>"),
        ("empty", b"", b"\x6D\x0F\x4F\x01\x01", "<Data></Data><Data></Data>"),
        ("literal tag", b"New\0", b"\x6D\x44\x00\x03x\0\x01\x01", "<New>x</New>"),
        (
            "attributes",
            b"msft:originalerror\0xmlns:q\0q:r\0n\0",
            b"\x6D\xCF\x04\x00\x030x8\0\x83\x1F\x04\x13\x03urn\0\x04\x1B\x03-\0\x04\x1F\x01\x03500\0\x01\x01",
            "<Data xmlns:msft=\"http://schemas.microsoft.com/MobileDevice/MDM\" msft:originalerror=\"0x8n\" n=\"\">500</Data>",
        ),
        ("an instruction", b"t\0", b"\x43\x04\x00\x03x\0\x01\x6D\x0F\x01", "<Data></Data>"),
        ("binary", b"", b"\x6D\x4F\xC3\x03\x02\xFF\x00\x01\x01", "<Data>Av8A</Data>"),
    ];
    for (name, table, body, expected) in cases {
        let found = text(&document(table, body));
        assert_eq!(found, Ok(format!("{NS}{expected}</SyncML>")), "{name}");
    }
}

#[test]
fn pages_are_namespaces() {
    // Meta with Format and Type on page 1, then Data back on page 0.
    let body = b"\x6D\x54\x5A\x00\x01\x47\x03int\0\x01\x13\x01\x00\x00\x4F\x035\0\x01\x01\x01";
    let read = read(&document(b"", body), &Limits::default()).unwrap();
    let meta = "<Meta><Format xmlns=\"syncml:metinf\">int</Format><Type xmlns=\"syncml:metinf\"></Type></Meta>";
    assert_eq!(read.text(), format!("{NS}<Item>{meta}<Data>5</Data></Item></SyncML>"));
    let item = read.root().elements().next().unwrap();
    let format = item.elements().next().unwrap().elements().next().unwrap();
    assert!(format.is("syncml:metinf", "Format") && item.is("SYNCML:SYNCML1.2", "Item"));
}

#[test]
fn headers_of_other_versions_are_read() {
    let old = "-//SYNCML//DTD SyncML 1.1//EN";
    let mut by_text = vec![0x03, 0x00, 0x00, 0x6A, old.len() as u8 + 1];
    by_text.extend(old.bytes().chain([0, 0x2D]));
    let cases: [(&str, &[u8], &str); 6] = [
        ("1.0 has no character set", &[0x00, 0xA4, 0x01, 0x00, 0x2D], "SYNCML:SYNCML1.2"),
        ("1.1", &[0x01, 0x9F, 0x53, 0x6A, 0x00, 0x2D], "SYNCML:SYNCML1.1"),
        ("1.3, ASCII", &[0x03, 0x9F, 0x51, 0x03, 0x00, 0x2D], "SYNCML:SYNCML1.0"),
        ("unknown type", &[0x02, 0x01, 0x6A, 0x00, 0x2D], "SYNCML:SYNCML1.2"),
        ("by text", &by_text, "SYNCML:SYNCML1.1"),
        ("padded number", &[0x02, 0x80, 0x80, 0x80, 0xA4, 0x01, 0x6A, 0x00, 0x2D], "SYNCML:SYNCML1.2"),
    ];
    for (name, bytes, ns) in cases {
        let found = read(bytes, &Limits::default());
        assert_eq!(found.map(|d| d.root().ns.clone()), Ok(ns.to_owned()), "{name}");
    }
}

/// Raw bytes of a nonce or a digest become the base64 that they are in XML, whatever they look like.
#[test]
fn nonces_and_credentials_are_base64() {
    let cred = |data: &[u8]| {
        let mut body = b"\x6D\x4E\x4F\xC3".to_vec();
        body.push(data.len() as u8);
        body.extend(data);
        body.extend([1, 1, 1]);
        text(&document(b"", &body)).unwrap().replace(NS, "")
    };
    assert_eq!(cred(b"raw!"), "<Cred><Data>cmF3IQ==</Data></Cred></SyncML>");
    assert_eq!(cred(b"cmF3IQ=="), "<Cred><Data>cmF3IQ==</Data></Cred></SyncML>");
    let nonce = b"\x6D\x49\x5A\x00\x01\x50\xC3\x03-!-\x01\x01\x01\x01";
    assert!(text(&document(b"", nonce)).unwrap().contains(">LSEt</NextNonce>"));
}

// covers: S-05
#[test]
fn what_is_refused_is_refused_by_name() {
    let cases: [(&str, Vec<u8>, usize, Kind); 27] = [
        ("nothing", vec![], 0, Kind::Truncated("the version")),
        ("XML", b"<SyncML/>".to_vec(), 0, Kind::Version(b'<')),
        ("1.4", vec![0x04], 0, Kind::Version(4)),
        ("cut in a number", vec![0x02, 0xA4], 2, Kind::Truncated("the public identifier")),
        ("a number without end", vec![0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 1, Kind::Number),
        ("a number of 35 bits", vec![0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], 1, Kind::Number),
        ("another type", vec![0x02, 0x09, 0x6A, 0x00, 0x2D], 1, Kind::PublicId(9)),
        ("another type by text", vec![0x02, 0x00, 0x00, 0x6A, 0x02, b'x', 0, 0x2D], 1, Kind::PublicText),
        ("a type outside the table", vec![0x02, 0x00, 0x05, 0x6A, 0x01, 0, 0x2D], 1, Kind::Index(5)),
        ("Latin 1", vec![0x02, 0xA4, 0x01, 0x04, 0x00, 0x2D], 3, Kind::Charset(4)),
        ("a table that lies", vec![0x02, 0xA4, 0x01, 0x6A, 0x7F, 0, 0x2D], 5, Kind::Truncated("the string table")),
        ("no body", document(b"", b""), 5, Kind::Truncated("the document")),
        ("not closed", document(b"", b"\x6D"), 6, Kind::Truncated("the document")),
        ("an index outside the table", document(b"a\0", b"\x6D\x83\x02\x01"), 8, Kind::Index(2)),
        ("a far index", document(b"a\0", b"\x6D\x83\x8F\xFF\xFF\xFF\x7F\x01"), 8, Kind::Index(u32::MAX)),
        ("a string that runs out of the table", document(b"ab", b"\x6D\x83\x01\x01"), 8, Kind::Index(1)),
        ("a string without end", document(b"", b"\x6D\x03abc"), 7, Kind::Truncated("a string")),
        ("opaque data that lies", document(b"", b"\x6D\xC3\x09abc"), 8, Kind::Truncated("opaque data")),
        ("a tag without meaning", document(b"", b"\x6D\x30\x01"), 6, Kind::Token { token: 0x30, page: 0 }),
        ("a tag of the other page", document(b"", b"\x6D\x00\x01\x6D"), 8, Kind::Token { token: 0x6D, page: 1 }),
        ("an extension", document(b"", b"\x6D\x40x\0\x01"), 6, Kind::Token { token: 0x40, page: 0 }),
        ("a third page", document(b"", b"\x6D\x00\x02\x01"), 7, Kind::Page(2)),
        ("an attribute token", document(b"", b"\xED\x05\x01\x01"), 6, Kind::Token { token: 5, page: 0 }),
        ("a prefix", document(b"q:New\0", b"\x6D\x04\x00\x01"), 12, Kind::Name),
        ("an entity", document(b"", b"\x6D\x02\x00\x01"), 6, Kind::Character),
        ("text after the root", document(b"", b"\x2D\x03x\0"), 6, Kind::Outside),
        ("one end too many", document(b"", b"\x2D\x01"), 6, Kind::Outside),
    ];
    for (name, bytes, offset, kind) in cases {
        assert_eq!(refused(&bytes), (offset, kind), "{name}");
    }
}

#[test]
fn strings_must_be_text() {
    let cases: [(&str, u8, &[u8], Kind); 5] = [
        ("not UTF-8", 0x6A, b"\x6D\x03\xC3\0\x01", Kind::Encoding("UTF-8")),
        ("not ASCII", 0x03, b"\x6D\x03\xC3\xA4\0\x01", Kind::Encoding("US-ASCII")),
        ("a control character", 0x6A, b"\x6D\x03\x0B\0\x01", Kind::Character),
        ("half a pair", 0x6A, b"\x6D\x02\x83\xB0\x00\x01", Kind::Character),
        ("a name that is not there", 0x6A, b"\x6D\x04\x00\x01", Kind::Index(0)),
    ];
    for (name, charset, body, kind) in cases {
        let mut bytes = vec![0x02, 0xA4, 0x01, charset, 0x00];
        bytes.extend(body);
        assert_eq!(refused(&bytes).1, kind, "{name}");
    }
    for name in [b"a b\0".as_slice(), b"\0", b"1a\0", b"a>b\0", b":a\0", b"a:\0", b"a:b:c\0"] {
        assert_eq!(refused(&document(name, b"\x6D\x04\x00\x01")).1, Kind::Name, "{name:?}");
    }
    assert_eq!(refused(&document(b"a\0", b"\xED\x04\x00\x04\x00\x01\x01")).1, Kind::Repeated);
}

// covers: S-05
#[test]
fn limits_hold() {
    let deep = document(b"", &[0x6D; 65]);
    assert_eq!(refused(&deep).1, Kind::TooMuch { what: "levels of elements", limit: 64 });
    let mut long = document(b"", b"\x6D");
    long.extend([0x0F; 200_001]);
    assert_eq!(refused(&long).1, Kind::TooMuch { what: "tokens", limit: 200_000 });
    let wide = document(b"a\0", &[&[0xED_u8][..], &[0x04, 0x00].repeat(65)].concat());
    assert!(matches!(refused(&wide).1, Kind::TooMuch { what: "attributes", .. } | Kind::Repeated));
}

/// A small document that names the same long string again and again is refused before it is built up.
#[test]
fn references_do_not_multiply_without_end() {
    let size = 1_000_000_u32;
    let mut bytes = vec![0x02, 0xA4, 0x01, 0x6A, 0xBD, 0x84, 0x41];
    bytes.extend(std::iter::repeat_n(b'x', size as usize));
    bytes.extend([0x00, 0x6D]);
    bytes.extend([0x83, 0x00].repeat(50_000));
    bytes.push(0x01);
    let (_, kind) = refused(&bytes);
    assert!(matches!(kind, Kind::TooMuch { what: "bytes out of the string table", .. }), "{kind:?}");
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, &Limits::default());
        let _ = read(&document(b"a\0bc\0", &bytes), &Limits::default());
    }

    /// Tokens in any order: what is read is XML as well.
    #[test]
    fn any_tokens_are_xml_or_refused(tokens in proptest::collection::vec(prop::sample::select(TOKENS), 0..60)) {
        let mut body = vec![0x6D];
        body.extend(tokens.concat());
        body.push(0x01);
        if let Ok(read) = read(&document(b"a\0xmlns:b\0msft:c\0", &body), &Limits::default()) {
            let again = Document::parse(read.text().as_bytes(), &Limits::default());
            prop_assert!(again.is_ok(), "{}", read.text());
        }
    }
}

const TOKENS: &[&[u8]] = &[
    b"\x01",
    b"\x0F",
    b"\x4F",
    b"\x54",
    b"\x03a&<\0",
    b"\x83\x00",
    b"\x83\x02",
    b"\x02\x0D",
    b"\xC3\x02\xFF\x00",
    b"\x00\x01\x47",
    b"\x00\x00",
    b"\x44\x00",
    b"\xCF\x04\x00\x03\"\0\x01",
    b"\x8F\x04\x0A\x01",
    b"\x43\x04\x00\x01",
];
