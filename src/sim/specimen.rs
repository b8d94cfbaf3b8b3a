//! Messages of a made-up device: what reading, writing and answering is measured with.

use crate::proto::syncml::{
    Alert, Command, Data, Element, Header, Item, LocUri, Message, Meta, MsgId, Results, SessionId, Status, StatusCode,
    Verb, encode,
};

/// A message with a body of that device.
#[must_use]
pub fn message(msg_id: u64, body: Vec<Element>) -> Message {
    let header = Header {
        ver_dtd: "1.2".to_owned(),
        ver_proto: "DM/1.2".to_owned(),
        session_id: SessionId("2A".to_owned()),
        msg_id: MsgId(msg_id),
        target: "https://dm.example.test/ManagementServer/MDM.svc".to_owned(),
        source: "7C0F5E9D1B344D0E8A3B6F21C9D0A511".to_owned(),
        source_name: None,
        cred: None,
        max_msg_size: None,
        max_obj_size: None,
    };
    Message { header, body, is_final: true }
}

/// What a device says of so many commands: the Status of each, then what each brought, some 370 bytes for both.
#[must_use]
pub fn answers(msg_id: u64, commands: usize) -> Message {
    let mut number = 0;
    let mut next = || {
        number += 1;
        number.to_string()
    };
    let asked = MsgId(msg_id - 1);
    let mut body = vec![Element::Status(Status::new(next(), asked, "0", "SyncHdr", 200))];
    body.extend((0..commands).map(|n| Element::Status(Status::new(next(), asked, &format!("c{n}"), "Get", 200))));
    body.extend((0..commands).map(|n| {
        let meta = Meta { format: Some("chr".to_owned()), kind: Some("text/plain".to_owned()), ..Meta::default() };
        let item = Item {
            source: Some(LocUri::received(&format!("./Device/Vendor/MSFT/DeviceStatus/Area{n}/Value"))),
            meta,
            data: Some(Data::new(format!("10.0.26100.{n} (ready)"))),
            ..Item::default()
        };
        Element::Results(Results {
            cmd_id: next(),
            msg_ref: asked,
            cmd_ref: format!("c{n}"),
            cmd: None,
            meta: Meta::default(),
            items: vec![item],
        })
    }));
    message(msg_id, body)
}

/// Package 1 of Windows: the session alert, who is signed in, and DevInfo.
#[must_use]
pub fn package_1() -> Message {
    let login = Item {
        meta: Meta { kind: Some("com.microsoft/MDM/LoginStatus".to_owned()), ..Meta::default() },
        data: Some(Data::new("user")),
        ..Item::default()
    };
    let told = [
        ("DevId", "7C0F5E9D1B344D0E8A3B6F21C9D0A511"),
        ("Man", "Example"),
        ("Mod", "Book & Pad 7"),
        ("DmV", "1.3"),
        ("Lang", "en-US"),
    ];
    let items = told.map(|(name, value)| Item {
        source: Some(LocUri::received(&format!("./DevInfo/{name}"))),
        data: Some(Data::new(value)),
        ..Item::default()
    });
    let alert = Alert { items: vec![login], ..Alert::bare("3", 1224) };
    let replace = Command { items: items.into(), ..Command::container(Verb::Replace, Vec::new()) };
    let body =
        vec![Element::Alert(Alert::bare("2", 1201)), Element::Alert(alert), Element::Command(replace.named("4"))];
    message(1, body)
}

/// A Status alone: what a device answers that was told to do nothing, or one thing.
#[must_use]
pub fn nothing_to_say(msg_id: u64) -> Message {
    let status =
        Status { code: StatusCode(200), ..Status::new("1".to_owned(), MsgId(msg_id - 1), "0", "SyncHdr", 200) };
    message(msg_id, vec![Element::Status(status)])
}

/// What was read from a node that holds a document of so many bytes, in one section of CDATA.
#[must_use]
pub fn large_cdata(bytes: usize) -> Vec<u8> {
    const MARK: &str = "#DOCUMENT#";
    let mut said = answers(2, 1);
    for element in &mut said.body {
        if let Element::Results(results) = element {
            results.items[0].data = Some(Data::new(MARK));
        }
    }
    let line = "<row id=\"4711\" state='ready'>fish & chips</row>\n";
    let document = line.repeat(bytes.div_ceil(line.len()));
    let text = String::from_utf8(encode(&said)).expect("what is written is text");
    text.replace(MARK, &format!("<![CDATA[{document}]]>")).into_bytes()
}

/// So many settings, numbered as they would be sent.
#[must_use]
pub fn settings(count: usize) -> Vec<Command> {
    let uri = |n| LocUri::received(&format!("./Device/Vendor/MSFT/Policy/Config/Area{}/Policy{n}", n % 7));
    (0..count).map(|n| Command::replace(uri(n), "int", "1").named(&format!("c{n}"))).collect()
}
