//! What the device says: statuses, results, alerts, its own Replace; and the Status that each of them gets.

use std::borrow::Cow;

use super::arrival::{self, Taken};
use super::auth;
use super::automatic::{self, Automatic};
use super::exchange::Notice;
use super::work::Work;
use super::{alerts, documents, provisioned, push, sending, status_page};
use crate::domain::command::QueuedCommand;
use crate::domain::inventory::InventoryItem;
use crate::proto::csp::device_info;
use crate::proto::syncml::{Command, Element, Item, LocUri, Message, Results, Status, StatusCode, Verb};

/// Items that are kept of what a device tells about itself in one message.
const MOST_ITEMS: usize = 200;
/// Longest value that is kept of what a device tells about itself, in bytes.
const LONGEST_VALUE: usize = 256 * 1024;

/// Goes through the body in order.
pub(super) fn body(work: &mut Work<'_>, message: &Message) {
    let mut told = Vec::new();
    for element in &message.body {
        match element {
            Element::Status(status) => take_status(work, status, &mut told),
            Element::Results(results) => take_results(work, message, results, &mut told),
            Element::Alert(alert) => {
                if !alert.no_resp {
                    answer(work, message, alert.cmd_id.as_deref(), "Alert", 200);
                }
                alerts::take(work, alert);
            }
            Element::Command(command) => take_command(work, message, command, &mut told),
            Element::Unknown { name, cmd_id } => {
                work.remark(&format!("unknown element {}", printable(name)));
                answer(work, message, cmd_id.as_deref(), name, 406);
            }
        }
    }
    arrival::end_of_message(work, message.is_final);
    told.truncate(MOST_ITEMS);
    for item in &told {
        automatic::note(&mut work.enrollment, item);
    }
    if told.iter().any(|item| automatic::is_csp_list(&item.loc_uri)) {
        // Of the build that it has told by now; where it tells another one later, the list is read again.
        work.conversation.csps_of = automatic::os_build(&work.enrollment);
    }
    if !told.is_empty() {
        work.notices.push(Notice::Inventory(told));
    }
}

/// A Status for what came; without CmdID the reference is empty and the code 400.
fn answer(work: &mut Work<'_>, message: &Message, cmd_id: Option<&str>, cmd: &str, code: u16) {
    match cmd_id.filter(|id| !id.is_empty()) {
        Some(id) => work.status(message, id, cmd, code),
        None => work.status(message, "", cmd, 400),
    }
}

fn take_status(work: &mut Work<'_>, status: &Status, told: &mut Vec<InventoryItem>) {
    if status.cmd_ref == "0" {
        return take_header_status(work, status);
    }
    if let Some(session) = &mut work.session {
        session.cancelled |= status.code.0 == 214;
    }
    if push::owns(&status.cmd_ref) {
        return push::take_status(work, status);
    }
    if documents::owns(&status.cmd_ref) {
        return documents::take_status(work, status);
    }
    if provisioned::owns(&status.cmd_ref) {
        return provisioned::take_status(work, status);
    }
    if status_page::owns(&status.cmd_ref) {
        return status_page::take_status(work, status);
    }
    if Automatic::owns(&status.cmd_ref) {
        if matches!(status.code, StatusCode(404 | 405 | 406 | 410)) {
            let node = work.session.as_ref().and_then(|s| s.automatic.node(&status.cmd_ref, &work.limits.provider_id));
            told.extend(node.map(|loc_uri| InventoryItem { loc_uri, value: None, format: None, at: work.now }));
        }
        return;
    }
    let mut status = Cow::Borrowed(status);
    if sending::take_status(work, &mut status) {
        return;
    }
    match owner(work, &status.cmd_ref) {
        Some(command) => {
            command.take_status(&status);
        }
        // A Status may answer one of our Status elements, or a command long gone: neither is an error.
        None if is_our_status(&status) => {}
        None => work.remark("a Status for a command that is not known"),
    }
}

fn is_our_status(status: &Status) -> bool {
    status.cmd.eq_ignore_ascii_case("Status") || status.cmd_ref.bytes().all(|byte| byte.is_ascii_digit())
}

fn take_header_status(work: &mut Work<'_>, status: &Status) {
    match (status.code.0, status.msg_ref.map(|id| id.0)) {
        (500, Some(0)) => {
            work.seen.unreadable = true;
            let ours = work.session.as_ref().map_or(0, |session| session.our_msg_id);
            work.remark(&format!("our message {ours} was unreadable to the device; the transcript has it"));
        }
        (401 | 407, _) => work.remark("the device demands credentials of the server"),
        // It hands over the nonce for the next credential of ours, and asks for nothing.
        (200 | 212, _) => work.next_nonce = status.chal.as_ref().and_then(auth::nonce_of),
        _ => {}
    }
}

/// The command that a reference names, open or sent in this session.
fn owner<'w>(work: &'w mut Work<'_>, cmd_ref: &str) -> Option<&'w mut QueuedCommand> {
    work.commands.matching_mut(|command| command.last_offer.is_some() && command.owns(cmd_ref)).next()
}

fn take_results(work: &mut Work<'_>, message: &Message, results: &Results, told: &mut Vec<InventoryItem>) {
    let mut code = None;
    for item in &results.items {
        match arrival::take(work, Some(&results.cmd_ref), item) {
            Taken::NoChunk => take_value(work, results, item, item.text(), told),
            Taken::Chunk(status) | Taken::Refused(status) => code = Some(status),
            Taken::Inline(text) if arrival::is_own_question(&results.cmd_ref) => {
                take_value(work, results, item, &text, told)
            }
            Taken::Inline(_) | Taken::Stored => {}
        }
    }
    // Only chunks, and what is not taken, have a Status: Results have none.
    if let Some(code) = code {
        answer(work, message, Some(&results.cmd_id), "Results", code);
    }
}

fn take_value(work: &mut Work<'_>, results: &Results, item: &Item, text: &str, told: &mut Vec<InventoryItem>) {
    if push::owns(&results.cmd_ref) {
        return push::take_result(work, &results.cmd_ref, item);
    }
    if documents::owns(&results.cmd_ref) {
        return documents::take_result(work, &results.cmd_ref, item, text);
    }
    if Automatic::owns(&results.cmd_ref) {
        return take_inventory(work, &results.cmd_ref, item, text, told);
    }
    let format = item.meta.format.as_deref();
    let taken = owner(work, &results.cmd_ref)
        .map(|command| command.take_result(&results.cmd_ref, item.source.as_ref(), text, format));
    if taken.is_none() {
        work.remark("Results for a command that is not known");
    }
}

fn take_inventory(work: &mut Work<'_>, cmd_ref: &str, item: &Item, text: &str, told: &mut Vec<InventoryItem>) {
    let Some(session) = &mut work.session else { return };
    let Some(asked) = session.automatic.node(cmd_ref, &work.limits.provider_id) else { return };
    if item.source.as_ref().is_some_and(|source| !source.same_as(&asked)) || text.len() > LONGEST_VALUE {
        return;
    }
    if asked.last_segment() == "MaxSyncApplicationVersion" {
        session.automatic.max_sync_version = Some(text.to_owned());
    }
    push::take_value(work, &asked, text);
    told.push(InventoryItem {
        loc_uri: asked,
        value: Some(text.to_owned()),
        format: item.meta.format.clone(),
        at: work.now,
    });
}

fn take_command(work: &mut Work<'_>, message: &Message, command: &Command, told: &mut Vec<InventoryItem>) {
    let code = match command.verb {
        Verb::Replace => take_replace(work, command, told),
        _ => 406,
    };
    if !command.no_resp {
        answer(work, message, Some(&command.cmd_id), command.verb.name(), code);
    }
}

fn take_replace(work: &mut Work<'_>, command: &Command, told: &mut Vec<InventoryItem>) -> u16 {
    let (now, mut code) = (work.now, 200);
    for item in command.items.iter().take(MOST_ITEMS) {
        match arrival::take(work, None, item) {
            Taken::NoChunk => told.extend(reported(item, item.text(), now)),
            Taken::Inline(text) => told.extend(reported(item, &text, now)),
            Taken::Chunk(status) | Taken::Refused(status) => code = status,
            Taken::Stored => {}
        }
    }
    code
}

/// An Item of the device's own Replace: DevInfo, and whatever newer builds add.
fn reported(item: &Item, text: &str, now: time::OffsetDateTime) -> Option<InventoryItem> {
    let loc_uri = item.source.clone().or_else(|| item.target.clone())?;
    if text.len() > LONGEST_VALUE || loc_uri.as_str().len() > 2048 {
        return None;
    }
    // `DevID` in some texts: one spelling is kept.
    let dev_id = LocUri::fixed(device_info::DEV_ID);
    let loc_uri = if loc_uri.same_as(&dev_id) { dev_id } else { loc_uri };
    Some(InventoryItem { loc_uri, value: Some(text.to_owned()), format: item.meta.format.clone(), at: now })
}

/// A name of the device's choosing, cut and without control characters.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}
