//! What the protocol determines of an answer, whoever gives it (management reference 1.6, 1.13, 2.4): the header, a Status for
//! the header and one for each command of the device, in order, and Final.

use crate::proto::syncml::{Command, Element, Header, Message, MsgId, Status, Verb};

/// The answer that the rules demand to a message, with the codes that another server gave to the device's commands, where
/// its answer is known. What the rules leave open is taken from the answer of this build. `None`: that server asked for
/// credentials, and has judged nothing.
pub(super) fn demanded(
    message: &Message,
    now: &Message,
    last_msg_id: Option<u64>,
    recorded: Option<&Message>,
) -> Option<Message> {
    if recorded.is_some_and(|recorded| !header_code(recorded).is_some_and(|code| matches!(code, 200 | 212))) {
        return None;
    }
    let header = &message.header;
    let status = |cmd_ref: &str, cmd: &str, code: u16| {
        Element::Status(Status::new(String::new(), header.msg_id, cmd_ref, cmd, code))
    };
    let version = wrong_version(header);
    // With credentials in use, "authenticated for the session" is as good.
    let code = version.unwrap_or_else(|| header_code(now).filter(|code| *code == 212).unwrap_or(200));
    let mut body = vec![status("0", "SyncHdr", code)];
    if version.is_none() {
        body.extend(message.body.iter().filter_map(|element| {
            let Demand { cmd_ref, cmd, code } = demand(element)?;
            let given = |answer: &Message| {
                let found = statuses(answer).find(|each| each.cmd_ref == cmd_ref && each.cmd == cmd);
                found.map(|status| status.code.0)
            };
            let code = match code {
                Code::Only(code) => recorded.and_then(given).unwrap_or(code),
                Code::OfChunk => given(now).unwrap_or(213),
                Code::NoneButOfChunk => given(now).filter(|code| *code != 200)?,
            };
            Some(status(cmd_ref, cmd, code))
        }));
    }
    Some(Message {
        header: Header {
            ver_dtd: "1.2".to_owned(),
            ver_proto: "DM/1.2".to_owned(),
            session_id: header.session_id.clone(),
            msg_id: last_msg_id.map_or(now.header.msg_id, |last| MsgId(last + 1)),
            target: header.source.clone(),
            source: header.target.trim().to_owned(),
            source_name: None,
            cred: None,
            max_msg_size: None,
            max_obj_size: None,
        },
        body,
        is_final: now.is_final || !awaits_more(message),
    })
}

/// What the rules determine of an answer: what a server wants of the device is its own affair, but only once the device has
/// said all that it has to say.
pub(super) fn determined(message: &Message, answer: &Message) -> Message {
    let mut answer = answer.clone();
    answer.header.max_msg_size = None;
    answer.header.cred = None;
    answer.body.retain_mut(|element| match element {
        Element::Status(status) => {
            status.cmd_id.clear();
            status.chal = None;
            true
        }
        Element::Command(_) => awaits_more(message),
        Element::Alert(_) => false,
        Element::Results(_) | Element::Unknown { .. } => true,
    });
    answer
}

/// Whether the device has more to say before it is the server's turn.
fn awaits_more(message: &Message) -> bool {
    let is_chunk = |element: &Element| match element {
        Element::Results(results) => results.items.iter().any(|item| item.more_data),
        Element::Command(command) => command.items.iter().any(|item| item.more_data),
        Element::Status(_) | Element::Alert(_) | Element::Unknown { .. } => false,
    };
    !message.is_final || message.body.iter().any(is_chunk)
}

fn statuses(message: &Message) -> impl Iterator<Item = &Status> {
    message.body.iter().filter_map(|element| match element {
        Element::Status(status) => Some(status),
        _ => None,
    })
}

fn header_code(message: &Message) -> Option<u16> {
    statuses(message).find(|status| status.cmd_ref == "0").map(|status| status.code.0)
}

fn wrong_version(header: &Header) -> Option<u16> {
    if header.ver_dtd.trim() != "1.2" {
        return Some(505);
    }
    (!header.ver_proto.trim().eq_ignore_ascii_case("DM/1.2")).then_some(513)
}

/// The Status that an element of the device demands.
struct Demand<'e> {
    cmd_ref: &'e str,
    cmd: &'e str,
    code: Code,
}

/// Its code.
enum Code {
    Only(u16),
    /// What a chunk of a large object is worth is the server's to say.
    OfChunk,
    /// Results have no Status, except where they are chunks.
    NoneButOfChunk,
}

fn demand(element: &Element) -> Option<Demand<'_>> {
    let (cmd_id, cmd, code) = match element {
        Element::Alert(alert) if alert.no_resp => return None,
        Element::Alert(alert) => (alert.cmd_id.as_deref(), "Alert", Code::Only(200)),
        Element::Command(command) if command.no_resp => return None,
        Element::Command(command) => (Some(command.cmd_id.as_str()), command.verb.name(), code_for(command)),
        Element::Unknown { name, cmd_id } => (cmd_id.as_deref(), name.as_str(), Code::Only(406)),
        Element::Results(results) => (Some(results.cmd_id.as_str()), "Results", Code::NoneButOfChunk),
        Element::Status(_) => return None,
    };
    Some(match (cmd_id.filter(|id| !id.is_empty()), code) {
        (Some(cmd_ref), code) => Demand { cmd_ref, cmd, code },
        (None, Code::NoneButOfChunk) => Demand { cmd_ref: "", cmd, code: Code::NoneButOfChunk },
        (None, _) => Demand { cmd_ref: "", cmd, code: Code::Only(400) },
    })
}

fn code_for(command: &Command) -> Code {
    let is_chunk = command.items.iter().any(|item| item.more_data);
    match command.verb {
        Verb::Replace if is_chunk => Code::OfChunk,
        Verb::Replace => Code::Only(200),
        // A device tells; it does not command.
        _ => Code::Only(406),
    }
}
