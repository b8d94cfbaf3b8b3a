//! The strict reader of what the management endpoint answers: every reply in every test goes through it.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::http::Response;
use super::tree::Element;

const SYNCML: &str = "SYNCML:SYNCML1.2";
const METINF: &str = "syncml:metinf";
const CONTENT_TYPE: &str = "application/vnd.syncml.dm+xml";
const MAX_BYTES: usize = 524_288;
const MAX_COMMANDS: usize = 100;
const FORMATS: [&str; 10] = ["chr", "int", "bool", "b64", "bin", "xml", "node", "null", "time", "date"];

/// A reply that has passed all checks.
#[derive(Clone, Debug)]
pub struct Reply {
    pub session_id: String,
    pub msg_id: String,
    /// CmdRef and code of each Status after the header's.
    pub statuses: Vec<(String, String)>,
    /// What the server wants done, in order, without its Alerts.
    pub commands: Vec<Command>,
    pub is_final: bool,
    /// Code of the Status for the header, and the nonce in it, decoded.
    pub header: (String, Option<Vec<u8>>),
    pub xml: String,
}

/// A command of the server, or a container of commands.
#[derive(Clone, Debug)]
pub struct Command {
    pub verb: String,
    pub cmd_id: String,
    pub items: Vec<Item>,
    pub children: Vec<Self>,
    pub xml: String,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub uri: String,
    pub format: Option<String>,
    pub kind: Option<String>,
    pub data: Option<String>,
}

/// What the request being answered says; read from its own bytes.
pub struct Asked {
    session_id: String,
    msg_id: String,
    source: String,
    /// CmdID and name of each command that wants a Status.
    commands: Vec<(String, String)>,
    is_final: bool,
    has_chunk: bool,
    /// It takes a chunk of the server.
    took_chunk: bool,
}

/// What only the session knows.
pub struct Context<'a> {
    /// The management URL as it was provisioned.
    pub management_url: &'a str,
    /// The server's own message number; None where it is not determined (a message of a session that is over).
    pub msg_id: Option<u32>,
    /// Whether the device proves itself with digest credentials: only then it is given nonces.
    pub digest: bool,
}

/// The answer to a message that is not proven.
#[derive(Clone, Debug)]
pub struct Challenge {
    pub code: String,
    /// Decoded.
    pub nonce: Option<Vec<u8>>,
    pub xml: String,
}

impl Reply {
    pub fn uris(&self) -> Vec<&str> {
        self.flat().into_iter().flat_map(|c| c.items.iter().map(|i| i.uri.as_str())).collect()
    }

    /// All commands, those inside containers too.
    pub fn flat(&self) -> Vec<&Command> {
        self.commands.iter().flat_map(Command::flat).collect()
    }

    /// The first command of a verb whose LocURI ends like this, in any letter case.
    pub fn find(&self, verb: &str, uri_end: &str) -> Option<&Command> {
        self.flat().into_iter().find(|c| c.verb == verb && c.targets(uri_end))
    }

    #[track_caller]
    pub fn expect(&self, verb: &str, uri_end: &str) -> &Command {
        self.find(verb, uri_end).unwrap_or_else(|| panic!("no {verb} {uri_end} in {}", self.xml))
    }
}

impl Command {
    fn flat(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Self::flat));
        all
    }

    pub fn targets(&self, uri_end: &str) -> bool {
        self.items.iter().any(|item| item.uri.to_lowercase().ends_with(&uri_end.to_lowercase()))
    }

    /// The LocURI of the first item.
    pub fn uri(&self) -> &str {
        self.items.first().map_or("", |item| item.uri.as_str())
    }

    /// The data of the first item.
    pub fn data(&self) -> Option<&str> {
        self.items.first().and_then(|item| item.data.as_deref())
    }
}

impl Asked {
    /// Reads the request that is being answered; `xml` is the text whatever its encoding on the wire was.
    pub fn read(xml: &str) -> Self {
        let root = Element::parse("the device's own message", xml);
        let header = root.at("SyncHdr");
        let body = root.at("SyncBody");
        let trimmed = |path: &str| header.text_at(path).trim().to_owned();
        let wants_status = |e: &&Element| !matches!(e.name.as_str(), "Status" | "Results" | "Final");
        Self {
            session_id: header.text_at("SessionID").to_owned(),
            msg_id: trimmed("MsgID"),
            source: trimmed("Source/LocURI"),
            commands: body
                .children
                .iter()
                .filter(wants_status)
                .map(|e| (e.text_at("CmdID").trim().to_owned(), label(e)))
                .collect(),
            is_final: body.child("Final").is_some(),
            has_chunk: body.walk().iter().any(|e| e.name == "MoreData"),
            took_chunk: body.named("Status").any(|s| s.child("Data").is_some_and(|data| data.text.trim() == "213")),
        }
    }
}

/// The name of a command; Alerts that steer the session carry their code.
fn label(command: &Element) -> String {
    let code = command.child("Data").map(|data| data.text.trim().to_owned()).unwrap_or_default();
    match (command.name.as_str(), code.as_str()) {
        ("Alert", "1222" | "1223") => format!("Alert {code}"),
        (name, _) => name.to_owned(),
    }
}

/// Checks a reply against the message it answers.
#[track_caller]
pub fn check(asked: &Asked, context: &Context<'_>, response: &Response) -> Reply {
    check_http(response);
    let xml = response.text();
    assert!(!xml.contains("<![CDATA["), "the reply holds CDATA: {xml}");
    let root = Element::parse("M-37: the reply", xml);
    assert_eq!((root.namespace.as_str(), root.name.as_str()), (SYNCML, "SyncML"), "M-37: {xml}");
    assert_eq!(root.child_names(), ["SyncHdr", "SyncBody"], "M-37: {xml}");
    check_namespaces(&root);
    check_header(asked, context, root.at("SyncHdr"));
    let body = root.at("SyncBody");
    check_order(body);
    let (header, statuses) = check_statuses(asked, context, body);
    check_cmd_ids(body);
    let is_final = check_end(asked, body);
    let commands: Vec<Command> = body.children.iter().filter(|e| is_command(e)).map(read_command).collect();
    check_commands(&commands, xml);
    if !is_final {
        let is_chunk = commands.len() == 1 && commands[0].xml.contains("<MoreData/>");
        assert!(commands.is_empty() || is_chunk, "M-67: commands in a message without Final: {xml}");
    }
    Reply {
        session_id: asked.session_id.clone(),
        msg_id: root.text_at("SyncHdr/MsgID").to_owned(),
        statuses,
        commands,
        is_final,
        header,
        xml: xml.to_owned(),
    }
}

/// M-09 to M-11, M-147: how the reply came.
#[track_caller]
fn check_http(response: &Response) {
    response.expect_status("the management endpoint answers", 200);
    let shown = &response.headers;
    let length = response.body.len().to_string();
    assert_eq!(response.header("content-length"), Some(length.as_str()), "M-09: {shown:?}");
    assert_eq!(response.header("transfer-encoding"), None, "M-09: {shown:?}");
    assert_eq!(response.header("content-type"), Some(CONTENT_TYPE), "M-10: {shown:?}");
    assert_eq!(response.header("content-encoding"), None, "M-11: {shown:?}");
    assert!(!response.body.is_empty(), "M-147: an empty reply");
    assert!(!response.body.starts_with(&[0xef, 0xbb, 0xbf]), "the reply begins with a byte order mark");
    assert!(response.body.len() <= MAX_BYTES, "M-73: {} bytes", response.body.len());
}

/// M-37, M-51: SyncML elements in one namespace, each child of Meta with its own declaration of the other.
#[track_caller]
fn check_namespaces(root: &Element) {
    for element in root.walk() {
        let below_meta: &[Element] = if element.name == "Meta" { &element.children } else { &[] };
        for child in below_meta {
            assert_eq!(child.namespace, METINF, "M-51: {}", element.source);
            let declared = format!(r#"<{} xmlns="{METINF}">"#, child.name);
            assert!(child.source.starts_with(&declared), "M-51: {}", child.source);
        }
        if element.namespace != METINF {
            assert_eq!(element.namespace, SYNCML, "M-37: {}", element.source);
        }
    }
}

/// M-39 to M-43: the header.
#[track_caller]
fn check_header(asked: &Asked, context: &Context<'_>, header: &Element) {
    let names = header.child_names();
    let required = ["VerDTD", "VerProto", "SessionID", "MsgID", "Target", "Source"];
    assert_eq!(names.get(..6), Some(&required[..]), "M-39: {}", header.source);
    assert!(names[6..].iter().all(|name| *name == "Meta") && names.len() <= 7, "the header holds {names:?}");
    assert_eq!(header.text_at("VerDTD"), "1.2", "M-39");
    assert_eq!(header.text_at("VerProto"), "DM/1.2", "M-39");
    assert_eq!(header.text_at("SessionID"), asked.session_id, "M-40");
    let number = header.text_at("MsgID");
    if let Some(expected) = context.msg_id {
        assert_eq!(number, expected.to_string(), "M-42");
    }
    assert_eq!(header.at("Target").child_names(), ["LocURI"], "M-43: {}", header.source);
    assert_eq!(header.at("Source").child_names(), ["LocURI"], "M-43: {}", header.source);
    assert_eq!(header.text_at("Target/LocURI"), asked.source, "M-43");
    assert_eq!(header.text_at("Source/LocURI"), context.management_url, "M-43");
    if let Some(size) = header.child("Meta").and_then(|meta| meta.child("MaxMsgSize")) {
        let size: usize = size.text.parse().unwrap_or_else(|_| panic!("MaxMsgSize: {}", header.source));
        assert!(size >= MAX_BYTES, "a small MaxMsgSize makes Windows abort: {size}");
    }
}

/// 1.8: Statuses, then commands, then Final.
#[track_caller]
fn check_order(body: &Element) {
    let rank = |name: &str| match name {
        "Status" => 0,
        "Final" => 2,
        _ => 1,
    };
    let ranks: Vec<u8> = body.child_names().into_iter().map(rank).collect();
    assert!(ranks.is_sorted(), "M-44, M-50: Status, commands, Final: {:?}", body.child_names());
    assert!(body.named("Final").count() <= 1, "M-50: {:?}", body.child_names());
}

/// M-44 to M-48: one Status for the header and one for each command, in order.
#[track_caller]
fn check_statuses(asked: &Asked, context: &Context<'_>, body: &Element) -> (Header, Vec<(String, String)>) {
    let mut given = body.named("Status").map(|status| read_status(asked, status));
    let header = given.next().unwrap_or_else(|| panic!("M-44, M-147: no Status for the header: {}", body.source));
    assert_eq!((header.cmd_ref.as_str(), header.cmd.as_str()), ("0", "SyncHdr"), "M-44: {}", body.source);
    assert!(matches!(header.code.as_str(), "200" | "212"), "M-33: the header Status is {}", header.code);
    assert!(
        context.digest || header.nonce.is_none(),
        "M-33: a challenge to a device with a certificate: {}",
        body.source
    );
    let (of_results, given): (Vec<StatusLine>, Vec<StatusLine>) = given.partition(|status| status.cmd == "Results");
    let allowed = |status: &StatusLine| match status.code.as_str() {
        "213" => asked.has_chunk,
        code => !code.starts_with('2'),
    };
    assert!(
        of_results.iter().all(allowed),
        "M-48, M-95: Results have a Status for a chunk or a refusal: {}",
        body.source
    );
    let mut expected = asked.commands.iter().peekable();
    let mut codes: Vec<_> = of_results.into_iter().map(|status| (status.cmd_ref, status.code)).collect();
    for status in given {
        assert!(status.nonce.is_none(), "only the header has a challenge: {}", body.source);
        while expected.next_if(|(id, label)| *id != status.cmd_ref && is_steering(label)).is_some() {}
        let (id, label) = expected.next().unwrap_or_else(|| {
            panic!("M-48: a Status for {} {} that wants none: {}", status.cmd, status.cmd_ref, body.source)
        });
        let name = label.split(' ').next().unwrap_or_default();
        assert_eq!((status.cmd_ref.as_str(), status.cmd.as_str()), (id.as_str(), name), "M-46: {}", body.source);
        check_code(asked, name, &status.code, &body.source);
        codes.push((status.cmd_ref, status.code));
    }
    let missing: Vec<_> = expected.filter(|(_, label)| !is_steering(label)).collect();
    assert!(missing.is_empty(), "M-47: no Status for {missing:?}: {}", body.source);
    ((header.code, header.nonce), codes)
}

/// Code and nonce of the Status for the header.
type Header = (String, Option<Vec<u8>>);

/// M-30, M-31: the header Status with a challenge, and nothing else.
#[track_caller]
pub fn check_challenge(asked: &Asked, context: &Context<'_>, response: &Response) -> Challenge {
    check_http(response);
    let xml = response.text();
    let root = Element::parse("the challenge", xml);
    check_namespaces(&root);
    check_header(asked, context, root.at("SyncHdr"));
    let body = root.at("SyncBody");
    assert_eq!(body.child_names(), ["Status", "Final"], "M-30: one Status and no command: {xml}");
    check_cmd_ids(body);
    let status = read_status(asked, body.at("Status"));
    assert_eq!((status.cmd_ref.as_str(), status.cmd.as_str()), ("0", "SyncHdr"), "M-30: {xml}");
    assert!(matches!(status.code.as_str(), "401" | "407"), "M-30, M-31: {xml}");
    Challenge { code: status.code, nonce: status.nonce, xml: xml.to_owned() }
}

/// Alerts 1222 and 1223 steer the session; whether they get a Status of their own is left open.
fn is_steering(label: &str) -> bool {
    label.starts_with("Alert ")
}

#[track_caller]
fn check_code(asked: &Asked, name: &str, code: &str, shown: &str) {
    match name {
        "Alert" => assert_eq!(code, "200", "M-47: {shown}"),
        "Replace" if !asked.has_chunk => assert_eq!(code, "200", "M-47: {shown}"),
        _ => assert!(code.parse::<u16>().is_ok_and(|n| (200..600).contains(&n)), "a Status code {code:?}: {shown}"),
    }
}

struct StatusLine {
    cmd_ref: String,
    cmd: String,
    code: String,
    nonce: Option<Vec<u8>>,
}

/// The nonce of a Chal, which is 16 bytes.
#[track_caller]
fn read_challenge(chal: &Element) -> Vec<u8> {
    assert_eq!(chal.child_names(), ["Meta"], "5.4: {}", chal.source);
    let meta = chal.at("Meta");
    assert_eq!(meta.child_names(), ["Format", "Type", "NextNonce"], "5.4: {}", chal.source);
    assert_eq!((meta.text_at("Format"), meta.text_at("Type")), ("b64", "syncml:auth-md5"), "5.4: {}", chal.source);
    let nonce = STANDARD.decode(meta.text_at("NextNonce")).unwrap_or_else(|e| panic!("5.4: {e}: {}", chal.source));
    assert_eq!(nonce.len(), 16, "5.4: {}", chal.source);
    nonce
}

#[track_caller]
fn read_status(asked: &Asked, status: &Element) -> StatusLine {
    let grammar = ["CmdID", "MsgRef", "CmdRef", "Cmd", "TargetRef", "SourceRef", "Cred", "Chal", "Data", "Item"];
    check_grammar(status, &grammar, &["CmdID", "MsgRef", "CmdRef", "Cmd", "Data"]);
    assert_eq!(status.text_at("MsgRef"), asked.msg_id, "M-45: {}", status.source);
    StatusLine {
        cmd_ref: status.text_at("CmdRef").to_owned(),
        cmd: status.text_at("Cmd").to_owned(),
        code: status.text_at("Data").to_owned(),
        nonce: status.child("Chal").map(read_challenge),
    }
}

/// Children only from `order`, in that order, with all of `required`.
#[track_caller]
fn check_grammar(element: &Element, order: &[&str], required: &[&str]) {
    let names = element.child_names();
    let position = |name: &&str| order.iter().position(|o| o == name);
    let positions: Option<Vec<usize>> = names.iter().map(position).collect();
    let sorted = positions.is_some_and(|p| p.is_sorted());
    assert!(sorted, "M-52: <{}> holds {names:?}, the grammar says {order:?}", element.name);
    for name in required {
        assert!(names.contains(name), "M-52: <{}> lacks {name}: {}", element.name, element.source);
    }
}

/// M-49: ids unique within the message, none empty or `0`.
#[track_caller]
fn check_cmd_ids(body: &Element) {
    let mut seen = HashSet::new();
    for id in body.walk().into_iter().filter(|e| e.name == "CmdID") {
        assert!(!id.text.trim().is_empty() && id.text.trim() != "0", "M-49: CmdID {:?}", id.text);
        assert_eq!(id.text, id.text.trim(), "M-49: white space in a CmdID");
        assert!(seen.insert(id.text.clone()), "M-49: CmdID {} stands twice: {}", id.text, body.source);
    }
}

/// M-50, M-67: Final, or Alert 1222 where the device has not finished.
#[track_caller]
fn check_end(asked: &Asked, body: &Element) -> bool {
    let is_final = body.child("Final").is_some();
    let alerts: Vec<&str> = body.named("Alert").map(|a| a.text_at("Data")).collect();
    if body.children.iter().filter(|each| is_command(each)).any(|each| each.source.contains("<MoreData/>")) {
        assert!(!is_final && alerts.is_empty(), "a chunk ends nothing, and asks for nothing: {}", body.source);
    } else if asked.took_chunk && is_final {
        assert!(alerts.is_empty(), "{alerts:?}: {}", body.source);
    } else if asked.is_final && !asked.has_chunk {
        assert!(is_final, "M-50: {}", body.source);
        assert!(alerts.iter().all(|a| *a == "1225"), "the server never sends {alerts:?} here: {}", body.source);
    } else {
        assert!(!is_final, "M-67: Final although the device has not finished: {}", body.source);
        assert!(alerts.contains(&"1222"), "M-67: no Alert 1222: {}", body.source);
        assert!(alerts.iter().all(|a| matches!(*a, "1222" | "1225")), "M-67: {alerts:?}");
    }
    is_final
}

fn is_command(element: &Element) -> bool {
    !matches!(element.name.as_str(), "Status" | "Final" | "Alert")
}

#[track_caller]
fn read_command(element: &Element) -> Command {
    let container = matches!(element.name.as_str(), "Atomic" | "Sequence");
    if container {
        let inner: &[&str] = match element.name.as_str() {
            "Atomic" => &["Add", "Replace", "Delete", "Exec"],
            _ => &["Add", "Replace", "Delete", "Get", "Exec", "Atomic", "Alert"],
        };
        assert_eq!(element.child_names().first(), Some(&"CmdID"), "{}", element.source);
        for child in element.children.iter().skip(1).filter(|c| !matches!(c.name.as_str(), "NoResp" | "Meta")) {
            assert!(inner.contains(&child.name.as_str()), "M-85: <{}> in {}", child.name, element.name);
        }
    } else {
        let known = ["Add", "Replace", "Delete", "Get", "Exec"];
        assert!(known.contains(&element.name.as_str()), "the server sends <{}>", element.name);
        check_grammar(element, &["CmdID", "NoResp", "Lang", "Cred", "Meta", "Correlator", "Item"], &["CmdID", "Item"]);
        if element.name == "Exec" {
            assert_eq!(element.named("Item").count(), 1, "an Exec has one Item: {}", element.source);
        }
    }
    let items = element.named("Item").map(|item| read_item(&element.name, item)).collect();
    Command {
        verb: element.name.clone(),
        cmd_id: element.text_at("CmdID").to_owned(),
        items,
        children: if container {
            element.children.iter().filter(|c| is_child(c)).map(read_command).collect()
        } else {
            Vec::new()
        },
        xml: element.source.clone(),
    }
}

fn is_child(element: &Element) -> bool {
    !matches!(element.name.as_str(), "CmdID" | "NoResp" | "Meta" | "Alert")
}

/// M-52, M-91, M-92 and the formats.
#[track_caller]
fn read_item(verb: &str, item: &Element) -> Item {
    check_grammar(item, &["Target", "Source", "SourceParent", "TargetParent", "Meta", "Data", "MoreData"], &["Target"]);
    let target = item.at("Target");
    assert_eq!(target.child_names(), ["LocURI"], "M-52: {}", item.source);
    let uri = target.text_at("LocURI").to_owned();
    check_uri(&uri);
    let data = item.child("Data");
    if let Some(data) = data {
        assert!(data.children.is_empty(), "M-93: a value is text, not elements: {}", data.source);
    }
    if matches!(verb, "Get" | "Delete") {
        assert!(data.is_none(), "a {verb} carries no Data: {}", item.source);
    }
    let meta = |name: &str| item.child("Meta").and_then(|m| m.child(name)).map(|e| e.text.clone());
    let format = meta("Format");
    if let Some(format) = &format {
        assert!(FORMATS.contains(&format.as_str()), "the format {format:?}: {}", item.source);
    }
    Item { uri, format, kind: meta("Type"), data: data.map(|d| d.text.clone()) }
}

/// M-91, M-92: absolute, no empty or dotted segment, everything unusual escaped.
#[track_caller]
pub fn check_uri(uri: &str) {
    let path = uri.split('?').next().unwrap_or_default();
    let rest = path.strip_prefix("./").unwrap_or_else(|| panic!("M-92: {uri:?} does not begin with ./"));
    for segment in rest.split('/') {
        assert!(!segment.is_empty() && segment != "." && segment != "*", "M-92: {uri:?}");
        let mut characters = segment.chars();
        while let Some(c) = characters.next() {
            let plain = c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:@".contains(c);
            let escaped = c == '%' && characters.by_ref().take(2).filter(char::is_ascii_hexdigit).count() == 2;
            assert!(plain || escaped, "M-91: {c:?} in {uri:?}");
        }
    }
}

/// M-73, M-74, M-85, M-86: what may stand together.
#[track_caller]
fn check_commands(commands: &[Command], xml: &str) {
    assert!(commands.len() <= MAX_COMMANDS, "M-73: {} commands", commands.len());
    let ends_management = |c: &&Command| {
        c.verb == "Exec" && {
            let uri = c.uri().to_lowercase();
            uri.ends_with("/unenroll") || uri.contains("/remotewipe/")
        }
    };
    if commands.iter().flat_map(Command::flat).any(|c| ends_management(&c)) {
        assert_eq!(commands.len(), 1, "M-74: unenroll or wipe is alone in its message: {xml}");
    }
    for atomic in commands.iter().flat_map(Command::flat).filter(|c| c.verb == "Atomic") {
        let added: HashSet<&str> = atomic.children.iter().filter(|c| c.verb == "Add").map(Command::uri).collect();
        let replaced = atomic.children.iter().filter(|c| c.verb == "Replace").map(Command::uri);
        let both: Vec<&str> = replaced.filter(|uri| added.contains(uri)).collect();
        assert!(both.is_empty(), "M-86: Add and Replace of {both:?} in one Atomic: {xml}");
    }
}
