//! Reads messages of a captured session out of whatever was written around them: single messages, dumps of HTTP, logs, what
//! viewers of the traffic on a device save. A message in WBXML is read where it is the whole file.

use aws_lc_rs::digest::{SHA256, digest};

use super::{MOST_MESSAGES, Unreadable, XML};
use crate::proto::syncml::{Element, Encoding, Header, Message, Verb};

/// One message of a captured session.
pub(super) struct Captured {
    /// Number of the message in the file, from 1.
    pub(super) place: usize,
    /// The line in which it begins, from 1.
    pub(super) line: usize,
    /// Whether the device sent it.
    pub(super) is_of_device: bool,
    pub(super) message: Message,
    /// SHA-256 of its text.
    pub(super) digest: [u8; 32],
}

/// The message that a file in WBXML is.
pub(super) fn binary(bytes: &[u8]) -> Result<Captured, Unreadable> {
    let message = Encoding::Wbxml
        .decode(bytes, &XML)
        .map_err(|error| Unreadable::Message { place: "message 1, in WBXML".to_owned(), what: error.to_string() })?;
    let is_of_device = is_of_device(&message).unwrap_or(true);
    Ok(Captured { place: 1, line: 1, is_of_device, message, digest: sha256(bytes) })
}

/// Every message in a text, in order.
pub(super) fn read(text: &str) -> Result<Vec<Captured>, Unreadable> {
    let unescaped;
    let text = if starts(text).next().is_none() && text.contains("&lt;SyncML") {
        unescaped = unescape(text);
        &unescaped
    } else {
        text
    };
    let mut messages: Vec<Captured> = Vec::new();
    let (mut end, mut line, mut counted) = (0, 1, 0);
    for start in starts(text) {
        if start < end {
            continue;
        }
        if messages.len() >= MOST_MESSAGES {
            return Err(Unreadable::TooMany);
        }
        line += text[counted..start].matches('\n').count();
        counted = start;
        let place = messages.len() + 1;
        let unreadable =
            |what: String| Unreadable::Message { place: format!("message {place}, from line {line}"), what };
        let length = length(&text[start..]).ok_or_else(|| unreadable("it does not end: no </SyncML>".to_owned()))?;
        end = start + length;
        let body = &text[start..end];
        let message = Encoding::Xml.decode(body.as_bytes(), &XML).map_err(|error| unreadable(error.to_string()))?;
        // One that says nothing about itself goes the other way than the one before.
        let before = messages.last().is_some_and(|before| before.is_of_device);
        let is_of_device = is_of_device(&message).unwrap_or(!before);
        messages.push(Captured { place, line, is_of_device, message, digest: sha256(body.as_bytes()) });
    }
    if messages.iter().any(|message| message.is_of_device) { Ok(messages) } else { Err(Unreadable::Empty) }
}

/// Where messages begin.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("<SyncML").map(|(at, _)| at).filter(|at| {
        let behind = text[at + "<SyncML".len()..].chars().next();
        behind.is_some_and(|c| c == '>' || c.is_whitespace())
    })
}

/// Bytes of the message with which a text begins.
fn length(text: &str) -> Option<usize> {
    let end = text.find("</SyncML")?;
    Some(end + text.get(end..)?.find('>')? + 1)
}

/// Markup that was written as text, as logs in XML do.
fn unescape(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&amp;", "&")
}

/// Who sent a message, by its addresses: a server is one with a URL. `None` where that says nothing.
fn is_of_device(message: &Message) -> Option<bool> {
    let Header { source, target, .. } = &message.header;
    let is_url = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        text.starts_with("https://") || text.starts_with("http://")
    };
    match (is_url(target), is_url(source)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => message.body.iter().find_map(|element| match element {
            Element::Results(_) => Some(true),
            Element::Alert(alert) if alert.code != 1222 => Some(true),
            Element::Command(command) if matches!(command.verb, Verb::Get | Verb::Exec) => Some(false),
            _ => None,
        }),
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(target: &str, source: &str, body: &str) -> String {
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1\
             </SessionID><MsgID>1</MsgID><Target><LocURI>{target}</LocURI></Target><Source><LocURI>{source}</LocURI>\
             </Source></SyncHdr><SyncBody>{body}<Final/></SyncBody></SyncML>"
        )
    }

    #[test]
    fn messages_are_found_whatever_stands_around_them() {
        let ask = message("https://mdm.example.test/", "D1", "");
        let answer = message("D1", "https://mdm.example.test/", "");
        let dump = format!(
            "POST /x HTTP/1.1\r\nHost: mdm\r\n\r\n{ask}\r\nHTTP/1.1 200 OK\r\n\r\n<?xml version=\"1.0\"?>{answer}"
        );
        let log = format!("<Event><Data>{}</Data></Event>", ask.replace('<', "&lt;").replace('>', "&gt;"));
        let viewer = format!("<!-- 2026-02-03 09:12 -->\n{ask}\n\n<!-- <SyncMLViewer> -->\n{answer}\n");
        for (name, text, lines) in [("dump", dump, vec![4, 7]), ("log", log, vec![1]), ("viewer", viewer, vec![2, 5])] {
            let found = read(&text).unwrap();
            assert_eq!(found.iter().map(|each| each.line).collect::<Vec<_>>(), lines, "{name}");
            let sides: Vec<bool> = found.iter().map(|each| each.is_of_device).collect();
            assert_eq!(sides, [true, false][..lines.len()], "{name}");
        }
    }

    #[test]
    fn who_sent_it_is_told_by_its_addresses_and_then_by_what_it_holds() {
        let get = "<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevInfo</LocURI></Target></Item></Get>";
        let alert = "<Alert><CmdID>1</CmdID><Data>1201</Data></Alert>";
        let cases = [
            ("https://s", "d", "", true),
            ("d", "HTTPS://s", "", false),
            ("s", "d", alert, true),
            ("s", "d", get, false),
        ];
        for (target, source, body, expected) in cases {
            let text = message("https://s", "d", "") + &message(target, source, body);
            assert_eq!(read(&text).unwrap()[1].is_of_device, expected, "{target} {source} {body}");
        }
    }

    #[test]
    fn what_is_no_message_is_named_with_its_place() {
        let good = message("https://s", "d", "");
        let told = |text: &str| read(text).err().unwrap().to_string();
        assert_eq!(told("no message here"), "it holds no message of a device");
        assert_eq!(told(&message("d", "https://s", "")), "it holds no message of a device");
        assert_eq!(
            told(&format!("{good}\n\n{}", &good[..good.len() - 9])),
            "message 2, from line 3: it does not end: no </SyncML>"
        );
        let bad = good.replace("<MsgID>1</MsgID>", "");
        assert_eq!(told(&format!("{good}{bad}")), "message 2, from line 1: SyncHdr/MsgID: missing or empty");
    }
}
