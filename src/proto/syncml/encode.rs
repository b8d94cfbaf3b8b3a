//! The strict encoder: DTD order, `SYNCML:SYNCML1.2`, `syncml:metinf` on each child of `Meta`.

use super::command::{Command, Item, Meta};
use super::message::{Alert, Element, Header, Message, Results, Status};
use crate::proto::wbxml::WbxmlWriter;
use crate::proto::xml::{Markup, XmlCounter, XmlWriter, ns};

/// Writes a message in XML, as UTF-8 without byte order mark.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    let mut w = XmlWriter::new();
    document(&mut w, message);
    w.into_bytes()
}

/// Writes a message in WBXML.
#[must_use]
pub(super) fn encode_wbxml(message: &Message) -> Vec<u8> {
    let mut w = WbxmlWriter::new();
    document(&mut w, message);
    w.into_bytes()
}

fn document(w: &mut impl Markup, message: &Message) {
    w.element("SyncML", &[("xmlns", ns::SYNCML12)], |w| {
        w.element("SyncHdr", &[], |w| header(w, &message.header));
        w.element("SyncBody", &[], |w| {
            for element in &message.body {
                body_element(w, element);
            }
            if message.is_final {
                w.empty("Final", &[]);
            }
        });
    });
}

/// Writes commands without an envelope, one after the other; `decode_fragment` reads them back.
#[must_use]
pub fn encode_fragment(commands: &[Command]) -> Vec<u8> {
    let mut w = XmlWriter::new();
    for each in commands {
        command(&mut w, each);
    }
    w.into_bytes()
}

/// The bytes that commands take in a message.
#[must_use]
pub fn encoded_len(commands: &[Command]) -> usize {
    let mut counter = XmlCounter::default();
    for each in commands {
        command(&mut counter, each);
    }
    counter.bytes()
}

/// The bytes that a message takes in XML.
#[must_use]
pub fn message_len(message: &Message) -> usize {
    let mut counter = XmlCounter::default();
    document(&mut counter, message);
    counter.bytes()
}

fn header(w: &mut impl Markup, header: &Header) {
    w.leaf("VerDTD", &[], &header.ver_dtd);
    w.leaf("VerProto", &[], &header.ver_proto);
    w.leaf("SessionID", &[], &header.session_id.0);
    w.leaf("MsgID", &[], &header.msg_id.0.to_string());
    w.element("Target", &[], |w| w.leaf("LocURI", &[], &header.target));
    w.element("Source", &[], |w| {
        w.leaf("LocURI", &[], &header.source);
        if let Some(name) = &header.source_name {
            w.leaf("LocName", &[], name);
        }
    });
    if let Some(cred) = &header.cred {
        w.element("Cred", &[], |w| {
            let kind = Meta { format: Some("b64".to_owned()), kind: Some(cred.scheme.clone()), ..Meta::default() };
            meta(w, &kind);
            w.leaf("Data", &[], &cred.data);
        });
    }
    let (max_msg_size, max_obj_size) = (header.max_msg_size, header.max_obj_size);
    meta(w, &Meta { max_msg_size, max_obj_size, ..Meta::default() });
}

fn body_element(w: &mut impl Markup, element: &Element) {
    match element {
        Element::Status(each) => status(w, each),
        Element::Results(each) => results(w, each),
        Element::Alert(each) => alert(w, each),
        Element::Command(each) => command(w, each),
        Element::Unknown { name, cmd_id } => w.element(name, &[], |w| optional(w, "CmdID", cmd_id.as_deref())),
    }
}

fn status(w: &mut impl Markup, status: &Status) {
    w.element("Status", &[], |w| {
        w.leaf("CmdID", &[], &status.cmd_id);
        optional(w, "MsgRef", status.msg_ref.map(|id| id.0.to_string()).as_deref());
        w.leaf("CmdRef", &[], &status.cmd_ref);
        w.leaf("Cmd", &[], &status.cmd);
        for target in &status.target_refs {
            w.leaf("TargetRef", &[], target);
        }
        for source in &status.source_refs {
            w.leaf("SourceRef", &[], source);
        }
        if let Some(chal) = &status.chal {
            w.element("Chal", &[], |w| {
                meta(
                    w,
                    &Meta {
                        format: Some("b64".to_owned()),
                        kind: Some(chal.scheme.clone()),
                        next_nonce: chal.next_nonce.clone(),
                        ..Meta::default()
                    },
                );
            });
        }
        let code = status.code.0.to_string();
        match &status.original_error {
            Some(hresult) => {
                w.leaf("Data", &[("xmlns:msft", ns::MSFT_MDM), ("msft:originalerror", hresult)], &code);
            }
            None => w.leaf("Data", &[], &code),
        }
        for each in &status.items {
            item(w, each);
        }
    });
}

fn results(w: &mut impl Markup, results: &Results) {
    w.element("Results", &[], |w| {
        w.leaf("CmdID", &[], &results.cmd_id);
        w.leaf("MsgRef", &[], &results.msg_ref.0.to_string());
        w.leaf("CmdRef", &[], &results.cmd_ref);
        optional(w, "Cmd", results.cmd.as_deref());
        meta(w, &results.meta);
        for each in &results.items {
            item(w, each);
        }
    });
}

fn alert(w: &mut impl Markup, alert: &Alert) {
    w.element("Alert", &[], |w| {
        optional(w, "CmdID", alert.cmd_id.as_deref());
        flag(w, "NoResp", alert.no_resp);
        w.leaf("Data", &[], &alert.code.to_string());
        for each in &alert.items {
            item(w, each);
        }
    });
}

fn command(w: &mut impl Markup, each: &Command) {
    w.element(each.verb.name(), &[], |w| {
        optional(w, "CmdID", Some(each.cmd_id.as_str()).filter(|id| !id.is_empty()));
        flag(w, "NoResp", each.no_resp);
        meta(w, &each.meta);
        for inner in &each.items {
            item(w, inner);
        }
        for inner in &each.children {
            command(w, inner);
        }
    });
}

fn item(w: &mut impl Markup, item: &Item) {
    w.element("Item", &[], |w| {
        if let Some(uri) = &item.target {
            w.element("Target", &[], |w| w.leaf("LocURI", &[], uri.as_str()));
        }
        if let Some(uri) = &item.source {
            w.element("Source", &[], |w| w.leaf("LocURI", &[], uri.as_str()));
        }
        meta(w, &item.meta);
        if let Some(data) = &item.data {
            w.leaf("Data", &[], data.text());
        }
        flag(w, "MoreData", item.more_data);
    });
}

fn meta(w: &mut impl Markup, meta: &Meta) {
    if meta.is_empty() {
        return;
    }
    w.element("Meta", &[], |w| {
        let mut leaf = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                w.leaf(name, &[("xmlns", ns::METINF)], text);
            }
        };
        let number = |value: Option<u64>| value.map(|number| number.to_string());
        leaf("Format", meta.format.as_deref());
        leaf("Type", meta.kind.as_deref());
        leaf("Mark", meta.mark.as_deref());
        leaf("Size", number(meta.size).as_deref());
        leaf("NextNonce", meta.next_nonce.as_deref());
        leaf("MaxMsgSize", number(meta.max_msg_size).as_deref());
        leaf("MaxObjSize", number(meta.max_obj_size).as_deref());
    });
}

fn optional(w: &mut impl Markup, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        w.leaf(name, &[], text);
    }
}

fn flag(w: &mut impl Markup, name: &str, set: bool) {
    if set {
        w.empty(name, &[]);
    }
}
