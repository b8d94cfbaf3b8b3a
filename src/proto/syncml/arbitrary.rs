//! For unit tests: messages of every kind, some by hand and any number by chance.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{
    Alert, Chal, Command, Cred, Data, Element, Header, Item, LocUri, Message, Meta, MsgId, Results, SessionId, Status,
    StatusCode, Verb,
};

/// A header as a device writes it.
fn header() -> Header {
    Header {
        ver_dtd: "1.2".into(),
        ver_proto: "DM/1.2".into(),
        session_id: SessionId("D".into()),
        msg_id: MsgId(2),
        target: "https://mdm.example.test/ManagementServer/MDM.svc?a=1&b=2".into(),
        source: "4E0A7C3B55D04E6C8A1F90B2D7C41122".into(),
        source_name: None,
        cred: None,
        max_msg_size: None,
        max_obj_size: None,
    }
}

fn message(body: Vec<Element>) -> Message {
    Message { header: header(), body, is_final: true }
}

fn results(uri: &str, format: Option<&str>, value: &str) -> Element {
    let meta = Meta { format: format.map(str::to_owned), ..Meta::default() };
    let source = Some(LocUri::received(uri));
    Element::Results(Results {
        cmd_id: "3".into(),
        msg_ref: MsgId(1),
        cmd_ref: "a1-0".into(),
        cmd: None,
        meta: Meta::default(),
        items: vec![Item { source, meta, data: Some(Data::new(value)), ..Item::default() }],
    })
}

fn typed_alert(code: u16, kind: &str, value: &str) -> Element {
    let meta = Meta { kind: Some(kind.into()), mark: Some("critical".into()), ..Meta::default() };
    let item = Item { meta, data: Some(Data::new(value)), ..Item::default() };
    Element::Alert(Alert { items: vec![item], ..Alert::bare("2", code) })
}

/// Messages of every shape, each with its name.
pub(super) fn golden() -> Vec<(&'static str, Message)> {
    let replace =
        |value: &str| Command::replace(LocUri::received("./Vendor/MSFT/WiFi/Profile/x/WlanXml"), "chr", value);
    let numbered = |id: &str, command: Command| Command { cmd_id: id.into(), ..command };
    let xml = "<?xml version=\"1.0\"?>\n<a b='c'>\r\n\t&amp;]]></a>";
    let failed = Status {
        original_error: Some("0x86000002".into()),
        target_refs: vec!["./a".into(), "./b?list=Struct".into()],
        ..Status::new("4".into(), MsgId(1), "a1-0", "Replace", 404)
    };
    let challenge = Status {
        chal: Some(Chal { scheme: "syncml:auth-md5".into(), next_nonce: Some("Tm9uY2U=".into()) }),
        ..Status::new("1".into(), MsgId(1), "0", "SyncHdr", 407)
    };
    let cred = Cred { scheme: "syncml:auth-md5".into(), data: "EVEkoFZcVgPM+ESnu9IC0g==".into() };
    let proven =
        Header { cred: Some(cred), source_name: Some("dummy".into()), max_msg_size: Some(524_288), ..header() };
    let atomic =
        Command::container(Verb::Atomic, vec![numbered("a.1", replace("<a>\r\n</a>")), numbered("a.2", replace(""))]);
    let sequence = Command::container(Verb::Sequence, vec![numbered("b.1", atomic.clone())]);
    let chunk = Item { more_data: true, ..Item::value(LocUri::received("./big"), "bin", "QUJD") };
    let chunk = Item { meta: Meta { size: Some(1_000_000), ..chunk.meta.clone() }, ..chunk };
    vec![
        ("nothing", message(Vec::new())),
        ("package 1", {
            let info = Item {
                source: Some(LocUri::received("./DevInfo/Man")),
                data: Some(Data::new("Exämple & Söhne")),
                ..Item::default()
            };
            let told = numbered("4", Command::new(Verb::Replace, info));
            let login = typed_alert(1224, "com.microsoft/MDM/LoginStatus", "user");
            message(vec![Element::Alert(Alert::bare("2", 1201)), login, Element::Command(told)])
        }),
        ("a status with an HRESULT", message(vec![Element::Status(failed)])),
        ("a challenge", message(vec![Element::Status(challenge)])),
        ("credentials", Message { header: proven, ..message(Vec::new()) }),
        ("a list", message(vec![results("./a", Some("node"), "Cache\u{F000}Nodes/x%20y")])),
        ("XML as text", message(vec![results("./a", None, xml)])),
        ("an empty value", message(vec![results("./a", Some("chr"), "")])),
        ("nested containers", message(vec![Element::Command(numbered("b", sequence))])),
        ("a chunk", Message { is_final: false, ..message(vec![Element::Command(Command::new(Verb::Replace, chunk))]) }),
        ("an unknown element", message(vec![Element::Unknown { name: "Put".into(), cmd_id: Some("9".into()) }])),
        ("an element without a token", message(vec![Element::Unknown { name: "New".into(), cmd_id: None }])),
    ]
}

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.-]{1,6}"
}

fn text() -> impl Strategy<Value = String> {
    "[ -~é日\u{1F600}\u{F000}\r\n\t]{0,24}"
}

fn uri() -> impl Strategy<Value = LocUri> {
    "\\./[A-Za-z0-9%?=/&<]{1,12}".prop_map(|text| LocUri::received(&text))
}

fn meta() -> impl Strategy<Value = Meta> {
    let words = || option::of("[a-z/&]{1,8}");
    let number = || option::of(any::<u64>());
    (words(), words(), words(), number(), words(), number(), number()).prop_map(
        |(format, kind, mark, size, next_nonce, max_msg_size, max_obj_size)| Meta {
            format,
            kind,
            mark,
            size,
            next_nonce,
            max_msg_size,
            max_obj_size,
        },
    )
}

fn item() -> impl Strategy<Value = Item> {
    (option::of(uri()), uri(), meta(), option::of(text()), any::<bool>()).prop_map(
        |(target, source, meta, data, more_data)| Item {
            target,
            source: Some(source),
            meta,
            data: data.map(Data::new),
            more_data,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let plain = (0..6_usize, id(), any::<bool>(), meta(), vec(item(), 1..3)).prop_map(
        |(verb, cmd_id, no_resp, meta, items)| {
            let verb = [Verb::Add, Verb::Replace, Verb::Delete, Verb::Get, Verb::Exec, Verb::Copy][verb];
            Command { verb, cmd_id, no_resp, meta, items, children: Vec::new() }
        },
    );
    plain.prop_recursive(2, 8, 3, |inner| {
        (vec(inner, 1..3), id(), any::<bool>()).prop_map(|(children, cmd_id, atomic)| {
            let verb = if atomic { Verb::Atomic } else { Verb::Sequence };
            Command { cmd_id, ..Command::container(verb, children) }
        })
    })
}

fn status() -> impl Strategy<Value = Status> {
    let refs = || vec("[./a-z?=]{1,9}", 0..3);
    let chal = option::of((id(), option::of(id())));
    let error = option::of("0x[0-9A-F]{8}");
    (id(), option::of(any::<u64>()), id(), id(), (refs(), refs()), chal, any::<u16>(), error, vec(item(), 0..2))
        .prop_map(|(cmd_id, msg_ref, cmd_ref, cmd, (target_refs, source_refs), chal, code, original_error, items)| {
            Status {
                cmd_id,
                msg_ref: msg_ref.map(MsgId),
                cmd_ref,
                cmd,
                target_refs,
                source_refs,
                chal: chal.map(|(scheme, next_nonce)| Chal { scheme, next_nonce }),
                code: StatusCode(code),
                original_error,
                items,
            }
        })
}

fn element() -> impl Strategy<Value = Element> {
    let results = (id(), any::<u64>(), id(), option::of(id()), vec(item(), 0..3)).prop_map(
        |(cmd_id, msg_ref, cmd_ref, cmd, items)| {
            Element::Results(Results { cmd_id, msg_ref: MsgId(msg_ref), cmd_ref, cmd, meta: Meta::default(), items })
        },
    );
    let alert = (option::of(id()), any::<bool>(), any::<u16>(), vec(item(), 0..3))
        .prop_map(|(cmd_id, no_resp, code, items)| Element::Alert(Alert { cmd_id, no_resp, code, items }));
    let unknown = ("Q[A-Za-z]{0,8}", option::of(id())).prop_map(|(name, cmd_id)| Element::Unknown { name, cmd_id });
    prop_oneof![status().prop_map(Element::Status), results, alert, command().prop_map(Element::Command), unknown,]
}

/// Any message.
pub(super) fn messages() -> impl Strategy<Value = Message> {
    let header =
        (id(), 1..9_999_999_999_u64, id(), option::of(id()), option::of((id(), id())), option::of(any::<u64>()))
            .prop_map(|(session, msg_id, source, source_name, cred, max_msg_size)| Header {
                session_id: SessionId(session),
                msg_id: MsgId(msg_id),
                source,
                source_name,
                cred: cred.map(|(scheme, data)| Cred { scheme, data }),
                max_msg_size,
                max_obj_size: max_msg_size.map(|size| size / 2),
                ..header()
            });
    (header, vec(element(), 0..5), any::<bool>()).prop_map(|(header, body, is_final)| Message {
        header,
        body,
        is_final,
    })
}
