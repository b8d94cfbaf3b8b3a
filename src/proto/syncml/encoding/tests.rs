//! Messages of every kind through both forms of the wire.

use proptest::prelude::*;

use super::super::arbitrary::{golden, messages};
use super::super::message_len;
use super::*;

fn limits() -> Limits {
    Limits::default()
}

// covers: M-03
#[test]
fn both_forms_say_the_same() {
    for (name, message) in golden() {
        for encoding in [Encoding::Xml, Encoding::Wbxml] {
            let bytes = encoding.encode(&message);
            assert_eq!(Encoding::of(&bytes), encoding, "{name}");
            assert_eq!(encoding.decode(&bytes, &limits()).as_ref(), Ok(&message), "{name} in {}", encoding.as_str());
        }
        let document = Encoding::Wbxml.document(&Encoding::Wbxml.encode(&message), &limits()).unwrap();
        let again = Encoding::Xml.decode(document.text().as_bytes(), &limits());
        assert_eq!(again.as_ref(), Ok(&message), "the XML that {name} amounts to");
    }
}

/// Markup inside Data is kept as it was written, and stays so in the other form.
#[test]
fn raw_markup_survives_in_data() {
    let xml = "<SyncML><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>2</MsgID>\
               <Target><LocURI>s</LocURI></Target><Source><LocURI>d</LocURI></Source></SyncHdr><SyncBody><Results>\
               <CmdID>1</CmdID><CmdRef>2</CmdRef><Item><Source><LocURI>./a</LocURI></Source><Data><p:x xmlns:p='urn:p' y=\"1\">\
               a&lt;b<!-- c --><![CDATA[<d>]]></p:x></Data></Item></Results></SyncBody></SyncML>";
    let message = Encoding::Xml.decode(xml.as_bytes(), &limits()).unwrap();
    let Some(super::super::Element::Results(results)) = message.body.first() else { panic!("no Results") };
    assert!(results.items[0].text().starts_with("<p:x xmlns:p='urn:p' y=\"1\">"), "{}", results.items[0].text());
    assert_eq!(Encoding::Wbxml.decode(&Encoding::Wbxml.encode(&message), &limits()), Ok(message));
}

proptest! {
    #[test]
    fn every_message_reads_as_it_was_written(message in messages()) {
        let xml = Encoding::Xml.encode(&message);
        let wbxml = Encoding::Wbxml.encode(&message);
        prop_assert_eq!(&Encoding::Xml.decode(&xml, &limits()).unwrap(), &message);
        prop_assert_eq!(&Encoding::Wbxml.decode(&wbxml, &limits()).unwrap(), &message);
        prop_assert!(wbxml.len() <= xml.len());
        prop_assert_eq!(message_len(&message), xml.len());
    }

    /// One byte of a good message is another one: an answer within bounds, never a panic, and good XML where there is some.
    #[test]
    fn damaged_wbxml_is_read_or_refused(message in messages(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = Encoding::Wbxml.encode(&message);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Some(document) = Encoding::Wbxml.document(&bytes, &limits()) {
            prop_assert!(Document::parse(document.text().as_bytes(), &limits()).is_ok());
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Encoding::Wbxml.decode(&bytes, &limits()).is_err());
    }
}
