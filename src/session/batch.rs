//! What goes into the next message (management reference 1.15, order and caps; 7.4, retiring).

use super::conversation::SessionState;
use super::engine::{KEPT_WIPE_WAITS, Notice, WIPE_WAITS, Work};
use super::{documents, push, settle, status_page};
use crate::domain::Id;
use crate::domain::action::Action;
use crate::domain::command::{CommandState, Offer, QueuedCommand};
use crate::domain::enrollment::EnrollmentState;
use crate::proto::csp::tenant_lockdown;
use crate::proto::syncml::{Command, LocUri, encoded_len};

/// Times that a device is asked to leave.
const MOST_UNENROLLS: u32 = 4;

/// Picks the commands of the answer and marks them sent.
pub(super) fn next(work: &mut Work) -> Vec<Command> {
    let Some(session) = work.session.clone() else { return Vec::new() };
    if session.unreadable >= 2 || session.cancelled {
        return Vec::new();
    }
    if work.enrollment.state == EnrollmentState::Wiping {
        back_after_wipe(work);
    }
    match work.enrollment.state {
        EnrollmentState::Retiring => retiring(work, &session),
        EnrollmentState::Active => managed(work, &session),
        _ => Vec::new(),
    }
}

/// A device that is back under the same enrollment a day after it accepted a wipe was not wiped. One that was to keep its
/// data comes back after it was (management reference 7.5).
fn back_after_wipe(work: &mut Work) {
    let (now, since) = (work.now, work.now - work.enrollment.state_since);
    let accepted = |command: &&mut QueuedCommand| {
        matches!(command.action, Action::Wipe { .. }) && command.state == CommandState::Succeeded
    };
    // The last one is meant; one before it may have kept the data, and was carried out.
    let wipe = work.commands.values_mut().filter(accepted).max_by_key(|command| command.finished_at);
    if matches!(wipe.as_ref().map(|wipe| &wipe.action), Some(Action::Wipe(wipe)) if wipe.variant.keeps_data()) {
        if since >= KEPT_WIPE_WAITS {
            work.enrollment.enter(EnrollmentState::Active, now);
        }
        return;
    }
    if since < WIPE_WAITS {
        return;
    }
    // It may be so long ago that it is no longer kept.
    if let Some(command) = wipe {
        command.end(CommandState::Failed, "accepted but not carried out: the device came back a day later", now);
    }
    work.enrollment.enter(EnrollmentState::Active, now);
    work.enrollment.warning = Some("accepted a wipe and came back a day later, not wiped".to_owned());
}

fn managed(work: &mut Work, session: &SessionState) -> Vec<Command> {
    let mut bytes = 0;
    let mut out = Vec::new();
    let most = if work.conversation.one_by_one { 1 } else { work.limits.reply_commands };
    expire(work);
    if !work.conversation.one_by_one {
        out = push::commands(work);
        out.extend(status_page::commands(work));
        out.extend(documents::commands(work));
        let provider_id = work.limits.provider_id.clone();
        let room = most.saturating_sub(out.len()).max(1);
        if let Some(session) = &mut work.session {
            out.extend(session.automatic.commands(&provider_id, room));
            bytes = encoded_len(&out);
        }
    }
    hold_for_user(work, session);
    let is_user_here = session.user_hold().is_none();
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
        for command in ready {
            let (size, more) = (encoded_len(std::slice::from_ref(command)), command.walk().count());
            // Alone in its message, a command goes whatever its size.
            let full = bytes + size > work.limits.reply_bytes || count + more > most;
            if full && count > 0 && !alone {
                break;
            }
            bytes += size;
            count += more;
            picked.push(command.cmd_id.clone());
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
    out
}

/// Commands that may go out now, in the order of the queue.
fn candidates(work: &Work, session: &SessionState) -> Vec<Id<QueuedCommand>> {
    let is_user_here = session.user_hold().is_none();
    // A retire goes out by its own rules only.
    let ready = |command: &&QueuedCommand| {
        command.action != Action::Retire
            && command.may_be_offered(session.id, work.now)
            && !command.to_send(is_user_here).is_empty()
    };
    let mut ready: Vec<&QueuedCommand> = work.commands.values().filter(ready).collect();
    ready.sort_by_key(|command| (command.placing.priority, command.created_at, command.id));
    ready.into_iter().map(|command| command.id).collect()
}

/// What is overdue expires before anything of it can go out.
fn expire(work: &mut Work) {
    let now = work.now;
    for command in work.commands.values_mut().filter(|command| now >= command.expires_at) {
        if command.state == CommandState::Queued {
            command.end(CommandState::Expired, "the device did not come in time", now);
        } else if command.is_followed() {
            command.stop_following(now);
        }
    }
}

/// Commands for the user's tree wait until the user is there; that costs them nothing.
fn hold_for_user(work: &mut Work, session: &SessionState) {
    let Some(words) = session.user_hold() else { return };
    for command in work.commands.values_mut() {
        if command.state == CommandState::Queued && command.needs_user() && command.detail != words {
            command.detail.clone_from(&words);
        }
    }
}

/// A retiring device gets the clean-up and Unenroll, nothing else.
fn retiring(work: &mut Work, session: &SessionState) -> Vec<Command> {
    let Some(id) = work.conversation.retire else { return Vec::new() };
    let Some(command) = work.commands.get(&id) else { return Vec::new() };
    if settle::offered_in(command, session) && command.state != CommandState::Queued {
        return Vec::new();
    }
    let now = work.now;
    if now >= command.expires_at && command.state != CommandState::Succeeded {
        return retire_failed(work, session, id, "did not leave in time; consider a wipe, or block it");
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
    let advice = format!("did not leave although it was asked {MOST_UNENROLLS} times; consider a wipe, or block it");
    retire_failed(work, session, id, &advice)
}

/// A lockdown that was sent after the retire was ordered is undone before Unenroll goes out for the first time.
fn undo_lockdown_first(work: &mut Work, id: Id<QueuedCommand>) {
    let lockdown = LocUri::fixed(tenant_lockdown::REQUIRE_NETWORK_IN_OOBE);
    let locked = work.enrollment.locked_to_tenant;
    let Some(command) = work.commands.get_mut(&id) else { return };
    let was_undone = command.items.iter().any(|item| item.is_for(&lockdown));
    if locked && !was_undone && command.offers == 0 {
        command.begin_step(command.step + 1, vec![tenant_lockdown::set(false)]);
    }
}

/// The device stays: it is managed as before, with a warning.
fn retire_failed(work: &mut Work, session: &SessionState, id: Id<QueuedCommand>, advice: &str) -> Vec<Command> {
    let now = work.now;
    if let Some(command) = work.commands.get_mut(&id) {
        command.end(CommandState::Failed, &format!("the device {advice}"), now);
    }
    settle::back_to_active(work, advice);
    managed(work, session)
}

/// Marks the top-level commands with these CmdIDs as sent in this message.
fn offer(work: &mut Work, id: Id<QueuedCommand>, cmd_ids: &[String]) -> Vec<Command> {
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
