//! What goes into the next message (management reference 1.15, order and caps; 7.4, retiring).

use super::conversation::SessionState;
use super::engine::{KEPT_WIPE_WAITS, WIPE_WAITS};
use super::exchange::Notice;
use super::sending::{self, Room, Turn};
use super::work::Work;
use super::{documents, provisioned, push, settle, status_page};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, Offer, QueuedCommand};
use crate::domain::enrollment::EnrollmentState;
use crate::proto::csp::tenant_lockdown;
use crate::proto::syncml::{Command, LocUri, encoded_len};

/// Bytes that a question of the inventory takes at most.
const AUTOMATIC_BYTES: usize = 256;
/// Times that a device is asked to leave.
const MOST_UNENROLLS: u32 = 4;

/// Picks the commands of the answer and marks them sent; and whether the message is the last of its package.
pub(super) fn next(work: &mut Work<'_>, room: Room) -> (Vec<Command>, bool) {
    let Some(session) = work.session.clone() else { return (Vec::new(), true) };
    if session.unreadable >= 2 || session.cancelled {
        return (Vec::new(), true);
    }
    if work.enrollment.state == EnrollmentState::Wiping {
        back_after_wipe(work);
    }
    match work.enrollment.state {
        state @ (EnrollmentState::Retiring | EnrollmentState::Active) => {
            let commands = match state {
                EnrollmentState::Retiring => retiring(work, &session, room),
                _ => managed(work, &session, room),
            };
            let is_final = work.session.as_ref().is_none_or(|session| session.sending.is_none());
            (commands, is_final)
        }
        _ => (Vec::new(), true),
    }
}

/// Fills the message. What turns out to be too large for the device is refused on the way, and the rest looked at again.
fn managed(work: &mut Work<'_>, session: &SessionState, room: Room) -> Vec<Command> {
    loop {
        match fill(work, session, room) {
            Filled::With(commands) => return commands,
            Filled::Refused => settle::answered(work),
        }
    }
}

/// What became of an attempt to fill a message.
enum Filled {
    With(Vec<Command>),
    /// A command at the head of the queue was refused; nothing is in the message yet.
    Refused,
}

/// A device that is back under the same enrollment a day after it accepted a wipe was not wiped. One that was to keep its
/// data comes back after it was (management reference 7.5).
fn back_after_wipe(work: &mut Work<'_>) {
    let (now, since) = (work.now, work.now - work.enrollment.state_since);
    let accepted = |command: &&QueuedCommand| {
        matches!(command.action, Action::Wipe { .. }) && command.state == CommandState::Succeeded
    };
    // The last one is meant; one before it may have kept the data, and was carried out.
    let wipe = work.commands.values().filter(accepted).max_by_key(|command| command.finished_at);
    if matches!(wipe.map(|wipe| &wipe.action), Some(Action::Wipe(wipe)) if wipe.variant.keeps_data()) {
        if since >= KEPT_WIPE_WAITS {
            work.enrollment.enter(EnrollmentState::Active, now);
        }
        return;
    }
    if since < WIPE_WAITS {
        return;
    }
    // It may be so long ago that it is no longer kept.
    let wipe = wipe.map(|wipe| wipe.id);
    if let Some(command) = wipe.and_then(|id| work.commands.get_mut(&id)) {
        command.end(CommandState::Failed, "accepted but not carried out: the device came back a day later", now);
    }
    work.enrollment.enter(EnrollmentState::Active, now);
    work.enrollment.warning = Some("accepted a wipe and came back a day later, not wiped".to_owned());
}

fn fill(work: &mut Work<'_>, session: &SessionState, room: Room) -> Filled {
    let mut bytes = 0;
    let mut out = Vec::new();
    let most = if work.conversation.one_by_one { 1 } else { work.limits.reply_commands };
    expire(work);
    if !work.conversation.one_by_one {
        out = push::commands(work);
        out.extend(status_page::commands(work));
        out.extend(documents::commands(work));
        let fitting = room.bytes.saturating_sub(encoded_len(&out)) / AUTOMATIC_BYTES;
        let count = most.saturating_sub(out.len()).min(fitting).max(1);
        if let Some(session) = &mut work.session {
            out.extend(session.automatic.commands(&work.limits.provider_id, count));
        }
        let taken = out.iter().flat_map(Command::walk).count();
        let least = if out.is_empty() { provisioned::MOST_COMMANDS } else { 0 };
        out.extend(provisioned::commands(work, most.saturating_sub(taken).max(least)));
        bytes = encoded_len(&out);
    }
    hold_for_user(work, session);
    let is_user_here = user_hold(work, session).is_none();
    for id in candidates(work, session) {
        let Some(command) = work.commands.get(&id) else { continue };
        if !out.is_empty() && command.placing.alone {
            break;
        }
        let alone = command.placing.alone;
        let ready = command.to_send(is_user_here);
        let whole = ready.len();
        let mut picked = Vec::with_capacity(whole);
        let mut count = out.len();
        let mut large = None;
        for command in ready {
            if sending::is_large(command, room) {
                large = Some(command.cmd_id.clone()).filter(|_| count == 0);
                break;
            }
            let (size, more) = (encoded_len(std::slice::from_ref(command)), command.walk().count());
            // Alone in its message, a command goes whatever its size.
            let full = bytes + size > room.bytes || count + more > most;
            if full && count > 0 && !alone {
                break;
            }
            bytes += size;
            count += more;
            picked.push(command.cmd_id.clone());
        }
        if let Some(cmd_id) = large {
            return match sending::begin(work, id, &cmd_id, room) {
                Turn::Chunk(chunk) => Filled::With(vec![*chunk]),
                Turn::Later => Filled::With(Vec::new()),
                Turn::Refused => Filled::Refused,
            };
        }
        if picked.is_empty() {
            break;
        }
        let is_cut = picked.len() < whole;
        out.extend(offer(work, id, &picked));
        if alone || is_cut {
            break;
        }
    }
    Filled::With(out)
}

/// Commands that may go out now, in the order of the queue.
fn candidates(work: &Work<'_>, session: &SessionState) -> Vec<Id<QueuedCommand>> {
    let is_user_here = user_hold(work, session).is_none();
    // A retire goes out by its own rules only.
    let ready = |command: &&QueuedCommand| {
        command.action != Action::Retire
            && command.may_be_offered(session.id, work.now)
            && !command.to_send(is_user_here).is_empty()
    };
    let mut ready: Vec<&QueuedCommand> = work.commands.values().filter(ready).collect();
    // A restart and a wipe never go into one session: the wipe goes first, unless the device is to restart already.
    let here = |command: &&QueuedCommand| command.last_offer.is_some_and(|offer| offer.session == session.id);
    let restarts = work.commands.values().filter(here).any(|command| command.placing.restarts());
    let ends = ready.iter().any(|command| command.placing.is_last());
    ready.retain(|command| if command.placing.is_last() { !restarts } else { !(ends && command.placing.restarts()) });
    ready.sort_by_key(|command| (command.placing.priority, command.created_at, command.id));
    ready.into_iter().map(|command| command.id).collect()
}

/// What is overdue expires before anything of it can go out.
fn expire(work: &mut Work<'_>) {
    let now = work.now;
    for command in work.commands.matching_mut(|command| now >= command.expires_at) {
        if command.state == CommandState::Queued {
            command.end(CommandState::Expired, "the device did not come in time", now);
        } else if command.is_followed() {
            command.stop_following(now);
        }
    }
}

/// Why nothing goes out for the user's tree now. Whoever is signed in on a device that is nobody's is not the one for whom
/// it was meant.
fn user_hold(work: &Work<'_>, session: &SessionState) -> Option<String> {
    if work.enrollment.awaits_user() {
        return Some("waits until the device is assigned to a person".to_owned());
    }
    session.user_hold()
}

/// Commands for the user's tree wait until the user is there; that costs them nothing.
fn hold_for_user(work: &mut Work<'_>, session: &SessionState) {
    let Some(words) = user_hold(work, session) else { return };
    let is_held = |command: &QueuedCommand| {
        command.state == CommandState::Queued && command.needs_user() && command.detail != words
    };
    for command in work.commands.matching_mut(is_held) {
        command.detail.clone_from(&words);
    }
}

/// A retiring device gets the clean-up and Unenroll, nothing else.
fn retiring(work: &mut Work<'_>, session: &SessionState, room: Room) -> Vec<Command> {
    let Some(id) = work.conversation.retire else { return Vec::new() };
    let Some(command) = work.commands.get(&id) else { return Vec::new() };
    if settle::offered_in(command, session) && command.state != CommandState::Queued {
        return Vec::new();
    }
    let now = work.now;
    if now >= command.expires_at && command.state != CommandState::Succeeded {
        return retire_failed(work, session, room, id, "did not leave in time");
    }
    if command.not_before.is_some_and(|at| now < at) {
        return Vec::new();
    }
    if command.offers < MOST_UNENROLLS {
        undo_lockdown_first(work, id);
        let body = work.commands.get(&id).map_or(&[][..], |command| &command.body);
        let whole: Vec<String> = body.iter().map(|each| each.cmd_id.clone()).collect();
        return offer(work, id, &whole);
    }
    let words = format!("did not leave although it was asked {MOST_UNENROLLS} times");
    retire_failed(work, session, room, id, &words)
}

/// A lockdown that was sent after the retire was ordered is undone before Unenroll goes out for the first time.
fn undo_lockdown_first(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let lockdown = LocUri::fixed(tenant_lockdown::REQUIRE_NETWORK_IN_OOBE);
    let locked = work.enrollment.locked_to_tenant;
    let Some(command) = work.commands.get_mut(&id) else { return };
    let was_undone = command.items.iter().any(|item| item.is_for(&lockdown));
    if locked && !was_undone && command.offers == 0 {
        command.begin_step(command.step + 1, vec![tenant_lockdown::set(false)]);
    }
}

/// The device stays: it is managed as before, unless it never was.
fn retire_failed(
    work: &mut Work<'_>,
    session: &SessionState,
    room: Room,
    id: Id<QueuedCommand>,
    words: &str,
) -> Vec<Command> {
    let now = work.now;
    if let Some(command) = work.commands.get_mut(&id) {
        command.end(CommandState::Failed, &format!("the device {words}; consider a wipe, or block it"), now);
    }
    settle::stays(work, words);
    match work.enrollment.state {
        EnrollmentState::Active => managed(work, session, room),
        _ => Vec::new(),
    }
}

/// Marks the top-level commands with these CmdIDs as sent in this message.
fn offer(work: &mut Work<'_>, id: Id<QueuedCommand>, cmd_ids: &[String]) -> Vec<Command> {
    let (now, session) = (work.now, work.session.as_ref());
    let Some((command, session)) = work.commands.get_mut(&id).zip(session) else { return Vec::new() };
    command.hand_over(cmd_ids, Offer { session: session.id, msg_id: session.our_msg_id + 1, at: now });
    if command.action.is_destructive() && command.offers > 1 {
        work.notices.push(Notice::OfferedAgain { action: command.action.name(), id, offers: command.offers });
    }
    // From now on it may be on: it must be undone before the device leaves, unless the device says that it has none.
    work.enrollment.locked_to_tenant |= matches!(&command.action, Action::TenantLockdown(lockdown) if lockdown.enable);
    command.body.iter().filter(|each| cmd_ids.contains(&each.cmd_id)).cloned().collect()
}

#[cfg(test)]
#[path = "leaving_tests.rs"]
mod tests;
