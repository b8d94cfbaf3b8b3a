//! Transcripts for people: each message in words, and its XML in lines.

use std::collections::HashMap;

use quick_xml::events::Event;
use quick_xml::{Reader, Writer};

use crate::proto::syncml::{Alert, Command, Element, Item, Message, Results, Status, decode, status_words};
use crate::proto::xml::Limits;

/// Reads the messages of one session in order, and remembers what was said, so that a Status can be told with what it is
/// about.
#[derive(Default)]
pub(super) struct Listener {
    /// By sender, MsgID and CmdID.
    said: HashMap<(String, u64, String), String>,
}

impl Listener {
    /// What `sender` says in that message, one line each.
    pub(super) fn hear(&mut self, sender: &str, body: &str) -> Vec<String> {
        match decode(body.as_bytes(), &Limits::default()) {
            Ok(message) => self.lines(sender, &message),
            Err(error) => vec![format!("(not readable as SyncML: {error})")],
        }
    }

    fn lines(&mut self, sender: &str, message: &Message) -> Vec<String> {
        let mut lines = vec![format!("message {} of session {}", message.header.msg_id.0, message.header.session_id.0)];
        if let Some(cred) = &message.header.cred {
            lines.push(format!("proves itself by {}", cred.scheme));
        }
        for element in &message.body {
            match element {
                Element::Status(status) => lines.push(self.status(sender, status)),
                Element::Results(results) => lines.extend(results_in_words(results)),
                Element::Alert(alert) => lines.extend(alert_in_words(alert)),
                Element::Command(command) => lines.extend(command_in_words(command, 0)),
                Element::Unknown { name, .. } => lines.push(format!("an element {name} that Muster does not know")),
            }
            self.remember(sender, message.header.msg_id.0, element);
        }
        if !message.is_final {
            lines.push("(more follows: no Final)".to_owned());
        }
        lines
    }

    fn remember(&mut self, sender: &str, msg_id: u64, element: &Element) {
        let mut note = |cmd_id: &str, words: String| {
            self.said.insert((sender.to_owned(), msg_id, cmd_id.to_owned()), words);
        };
        match element {
            Element::Command(command) => {
                for command in command.walk() {
                    note(&command.cmd_id, command_title(command));
                }
            }
            Element::Alert(alert) => note(alert.cmd_id.as_deref().unwrap_or_default(), format!("Alert {}", alert.code)),
            Element::Results(results) => note(&results.cmd_id, "Results".to_owned()),
            Element::Status(_) | Element::Unknown { .. } => {}
        }
    }

    /// A Status answers the other side.
    fn status(&self, sender: &str, status: &Status) -> String {
        let other = if sender == "device" { "server" } else { "device" };
        let key = |msg_id: u64| (other.to_owned(), msg_id, status.cmd_ref.clone());
        let about = match (status.cmd_ref.as_str(), status.msg_ref) {
            ("0", _) => Some("the message"),
            (_, Some(msg_id)) => self.said.get(&key(msg_id.0)).map(String::as_str),
            (_, None) => None,
        };
        let targets = status.target_refs.first().or_else(|| status.source_refs.first());
        let about = about.map_or_else(|| format!("{} {}", status.cmd, status.cmd_ref), str::to_owned);
        let about = match targets.filter(|target| !about.contains(target.as_str()) && status.cmd_ref != "0") {
            Some(target) => format!("{about} at {target}"),
            None => about,
        };
        let hresult = status.original_error.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
        format!("answers {} to {about}: {}{hresult}", status.code.0, status_words(status.code))
    }
}

fn command_title(command: &Command) -> String {
    let targets: Vec<&str> = command.items.iter().filter_map(|item| Some(item.target.as_ref()?.as_str())).collect();
    format!("{} {}", command.verb.name(), targets.join(", ")).trim().to_owned()
}

fn command_in_words(command: &Command, depth: usize) -> Vec<String> {
    let space = "  ".repeat(depth);
    if command.verb.is_container() {
        let mut lines = vec![format!("{space}{} of {} commands", command.verb.name(), command.children.len())];
        lines.extend(command.children.iter().flat_map(|child| command_in_words(child, depth + 1)));
        return lines;
    }
    command.items.iter().map(|item| format!("{space}{} {}", command.verb.name(), item_in_words(item))).collect()
}

fn item_in_words(item: &Item) -> String {
    let uri = item.target.as_ref().or(item.source.as_ref()).map_or("(no node)", |uri| uri.as_str());
    match &item.data {
        Some(data) if !data.text().is_empty() => format!("{uri} = {}", shorten(data.text())),
        _ => uri.to_owned(),
    }
}

fn results_in_words(results: &Results) -> Vec<String> {
    results.items.iter().map(|item| format!("reports {}", item_in_words(item))).collect()
}

fn alert_in_words(alert: &Alert) -> Vec<String> {
    let words = match alert.code {
        1200 => "begins a session that the server asked for",
        1201 => "begins a session",
        1222 => "asks for the next message",
        1223 => "breaks the session off",
        1224 => "tells",
        1225 => "misses the end of a large object",
        1226 => "tells",
        _ => "raises an alert",
    };
    if alert.items.is_empty() {
        return vec![format!("{words} (Alert {})", alert.code)];
    }
    let line = |item: &Item| {
        let data = item.data.as_ref().map(|data| format!(" = {}", shorten(data.text()))).unwrap_or_default();
        let source = item.source.as_ref().map(|uri| format!(" about {uri}")).unwrap_or_default();
        format!("{words} (Alert {}): {}{source}{data}", alert.code, Alert::kind_of(item))
    };
    alert.items.iter().map(line).collect()
}

/// Characters of the longest value in a line.
const WIDEST: usize = 160;

fn shorten(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDEST {
        return line;
    }
    let kept: String = line.chars().take(WIDEST - 1).collect();
    format!("{kept}…")
}

/// The message with a line for each element; as it is where it is no XML.
pub(super) fn indent(body: &str) -> String {
    let mut reader = Reader::from_str(body);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Text(text)) if text.trim().is_empty() => {}
            Ok(event) => match writer.write_event(event) {
                Ok(()) => {}
                Err(_) => return body.to_owned(),
            },
            Err(_) => return body.to_owned(),
        }
    }
    String::from_utf8(writer.into_inner()).unwrap_or_else(|_| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = r#"<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>
        <SessionID>7</SessionID><MsgID>1</MsgID><Target><LocURI>https://mdm</LocURI></Target>
        <Source><LocURI>urn:uuid:1</LocURI></Source></SyncHdr><SyncBody>
        <Alert><CmdID>2</CmdID><Data>1201</Data></Alert>
        <Alert><CmdID>3</CmdID><Data>1224</Data><Item><Meta><Type xmlns="syncml:metinf">com.microsoft/MDM/LoginStatus</Type>
        </Meta><Data>user</Data></Item></Alert>
        <Replace><CmdID>4</CmdID><Item><Source><LocURI>./DevInfo/DevId</LocURI></Source><Data>D1</Data></Item></Replace>
        <Final/></SyncBody></SyncML>"#;
    const SERVER: &str = r#"<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>
        <SessionID>7</SessionID><MsgID>1</MsgID><Target><LocURI>urn:uuid:1</LocURI></Target>
        <Source><LocURI>https://mdm</LocURI></Source></SyncHdr><SyncBody>
        <Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>212</Data></Status>
        <Exec><CmdID>c9</CmdID><Item><Target><LocURI>./Device/Vendor/MSFT/RemoteLock/Lock</LocURI></Target></Item></Exec>
        <Final/></SyncBody></SyncML>"#;
    const ANSWER: &str = r#"<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>
        <SessionID>7</SessionID><MsgID>2</MsgID><Target><LocURI>https://mdm</LocURI></Target>
        <Source><LocURI>urn:uuid:1</LocURI></Source></SyncHdr><SyncBody>
        <Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>c9</CmdRef><Cmd>Exec</Cmd><Data>405</Data></Status>
        <Final/></SyncBody></SyncML>"#;

    #[test]
    fn a_session_reads_as_a_conversation() {
        let mut listener = Listener::default();
        let mut lines = listener.hear("device", DEVICE);
        lines.extend(listener.hear("server", SERVER));
        lines.extend(listener.hear("device", ANSWER));
        let expected = [
            "message 1 of session 7",
            "begins a session (Alert 1201)",
            "tells (Alert 1224): com.microsoft/MDM/LoginStatus = user",
            "Replace ./DevInfo/DevId = D1",
            "message 1 of session 7",
            "answers 212 to the message: authenticated for the session",
            "Exec ./Device/Vendor/MSFT/RemoteLock/Lock",
            "message 2 of session 7",
            "answers 405 to Exec ./Device/Vendor/MSFT/RemoteLock/Lock: not allowed on this node now",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_no_message_is_said_to_be_none() {
        let lines = Listener::default().hear("device", "[unreadable, 12 bytes]");
        assert!(lines[0].starts_with("(not readable as SyncML"), "{lines:?}");
    }

    #[test]
    fn xml_gets_a_line_for_each_element() {
        assert_eq!(indent("<a x=\"1\"><b>t &amp; u</b><c/></a>"), "<a x=\"1\">\n  <b>t &amp; u</b>\n  <c/>\n</a>");
        assert_eq!(indent("no < xml"), "no < xml");
    }
}
