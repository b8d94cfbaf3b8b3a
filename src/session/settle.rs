//! What answers, and missing answers, mean for the commands (management reference 1.14, 1.15, 2.4, 7.4, 7.5).

use time::{Duration, OffsetDateTime};

use super::conversation::SessionState;
use super::exchange::Notice;
use super::provisioned;
use super::status_page::PageTurn;
use super::work::Work;
use crate::domain::Id;
use crate::domain::action::{Action, Conclusion, DeviceAlert, Ending, Heard, Repeat};
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::enrollment::EnrollmentState;
use crate::domain::inventory::MissingNode;
use crate::proto::csp::dm_client;
use crate::proto::syncml::{AlertType, Command, Item, StatusCode, Verb, Verdict, encoded_len, node_key, retry_rule};

/// Concludes every command that has all its answers; of one that has those to what was sent, the rest is to follow.
pub(super) fn answered(work: &mut Work<'_>) {
    conclude_answered(work, |_| true);
}

/// The same while the device has more to say: what was read may have its value still to come, in another message than its
/// Status.
pub(super) fn answered_so_far(work: &mut Work<'_>) {
    conclude_answered(work, |command| !command.awaits_value());
}

fn conclude_answered(work: &mut Work<'_>, is_due: impl Fn(&QueuedCommand) -> bool) {
    let is_over = |command: &QueuedCommand| {
        let is_lost = command.state == CommandState::Unknown && command.has_lost_exec();
        command.state.is_open() && command.is_answered() && !is_lost && is_due(command)
    };
    for id in ids(work, is_over) {
        // What one of them meant may have ended another.
        if work.commands.get(&id).is_some_and(|command| command.state.is_open()) {
            conclude(work, id);
        }
    }
    let is_in_part = |command: &QueuedCommand| {
        let is_sent = command.state == CommandState::Sent && command.followed.is_none();
        is_sent && command.has_pending() && !command.is_awaited()
    };
    for id in ids(work, is_in_part) {
        if let Some(command) = work.commands.get_mut(&id) {
            command.await_turn("the next commands follow");
        }
    }
    withdrawn_too_late(work);
    late_word_on_retire(work);
}

/// A wipe that was withdrawn while its answer was out: the device's word that it erases itself counts all the same.
fn withdrawn_too_late(work: &mut Work<'_>) {
    let withdrawn = |command: &QueuedCommand| {
        matches!(command.action, Action::Wipe { .. })
            && command.state == CommandState::Cancelled
            && command.last_offer.is_some()
            && command.is_answered()
    };
    for id in ids(work, withdrawn) {
        let Some(command) = work.commands.get(&id) else { continue };
        let verdict = command.conclude(&work.limits.provider_id, &work.enrollment);
        if let Conclusion::Finished(ending) = verdict
            && ending.state == CommandState::Succeeded
        {
            finish(work, id, ending);
        }
    }
}

/// The package that answers our last message is complete: what has no answer now gets none (2.4, "Missing statuses").
pub(super) fn package_complete(work: &mut Work<'_>) {
    answered(work);
    let session = work.session.as_ref().map(|session| session.id);
    let open = |command: &QueuedCommand| command.is_out() && command.last_offer.map(|offer| offer.session) == session;
    for id in ids(work, open) {
        missing(work, id);
    }
    provisioned::package_complete(work);
    let now = work.now;
    if let Some(session) = &mut work.session
        && session.automatic.answered(&work.limits.provider_id)
    {
        work.enrollment.inventory_at = Some(now);
    }
}

/// A command without a Status: a setting goes back once, a one-shot Exec may have happened.
fn missing(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let now = work.now;
    let Some(command) = work.commands.get_mut(&id) else { return };
    if leaves_clean_up(command, &work.limits.provider_id) || command.asks_again(now) {
        return;
    }
    if command.action != Action::Raw && !matches!(command.repeat(), Repeat::Freely) {
        return command.lose_sight();
    }
    command.miss();
    if command.has_pending() {
        return command.requeue("the device answered without a status for it; it is sent once more");
    }
    conclude(work, id);
}

/// A list that one message could not take goes on, whatever came of a portion; only a portion that is itself sent once
/// more holds it up.
fn go_on_with_rest(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let goes_on = work.commands.get(&id).is_some_and(|command| {
        !matches!(command.state, CommandState::Queued | CommandState::Sent) && !command.rest.is_empty()
    });
    if goes_on {
        next_portion(work, id);
    }
}

/// The session of commands without answer is over: what may be repeated goes back, the rest may have happened.
pub(super) fn session_died(work: &mut Work<'_>) {
    let now = work.now;
    for id in ids(work, QueuedCommand::is_out) {
        let Some(command) = work.commands.get_mut(&id) else { continue };
        if leaves_clean_up(command, &work.limits.provider_id) || command.asks_again(now) {
            continue;
        }
        match command.repeat() {
            Repeat::Freely => command.requeue(SESSION_ENDED),
            Repeat::Never if command.action == Action::Raw => lose_session(command),
            Repeat::Never | Repeat::Offers { .. } => command.lose_sight(),
        }
        go_on_with_rest(work, id);
    }
}

/// One-shot commands among others may have happened; the others go out again.
fn lose_session(command: &mut QueuedCommand) {
    command.lose_execs();
    if command.has_pending() { command.requeue(SESSION_ENDED) } else { command.lose_sight() }
}

/// The clean-up before a retire goes out once; without an answer the device is asked to leave all the same.
fn leaves_clean_up(command: &mut QueuedCommand, provider_id: &str) -> bool {
    let unenrolls = command.body.iter().any(|each| each.verb == Verb::Exec);
    if command.action != Action::Retire || unenrolls {
        return false;
    }
    command.begin_step(command.step + 1, vec![dm_client::unenroll(provider_id)]);
    command.requeue("the clean-up was not answered");
    true
}

/// Alert 1223. Right after a Get it means that the result was too large: that Get is not repeated.
pub(super) fn aborted(work: &mut Work<'_>) {
    let now = work.now;
    // An abort of a session that is over or unknown says nothing about the one that is open.
    let Some(session) = work.session.as_ref().map(|session| session.id) else { return };
    let only_reads = |command: &Command| command.walk().all(|inner| inner.verb == Verb::Get);
    let here = |command: &QueuedCommand| command.last_offer.is_some_and(|offer| offer.session == session);
    let reads = |command: &QueuedCommand| command.awaited().any(only_reads);
    for id in ids(work, |command| command.is_out() && here(command) && reads(command)) {
        let Some(command) = work.commands.get_mut(&id) else { continue };
        command.give_up_awaited(only_reads, TOO_LARGE);
        if !command.has_pending() {
            command.end(CommandState::Failed, "the result is too large for the device to send", now);
        }
        go_on_with_rest(work, id);
    }
    if let Some(session) = &mut work.session
        && session.automatic.give_up()
    {
        work.enrollment.inventory_at = Some(now);
    }
    session_died(work);
}

/// The device repeats package 1 inside the session. After an unreadable answer nothing of it was executed.
pub(super) fn restarted(work: &mut Work<'_>) {
    answered(work);
    let session = work.session.as_ref().map(|session| session.id);
    let sent = ids(work, |command| command.is_out() && command.last_offer.map(|offer| offer.session) == session);
    if !work.seen.unreadable {
        return session_died(work);
    }
    let now = work.now;
    let culprit = work.conversation.one_by_one && sent.len() == 1;
    for id in &sent {
        let Some(command) = work.commands.get_mut(id) else { continue };
        if culprit && command.action == Action::Retire {
            command.end(CommandState::Failed, UNREADABLE, now);
            stays(work, "could not be retired: the device cannot read the command");
        } else if culprit {
            command.lose_awaited();
            match command.has_pending() {
                true => {
                    command.await_turn("the device cannot read a message with the command before; the next follows")
                }
                false => command.end(CommandState::Failed, UNREADABLE, now),
            }
            go_on_with_rest(work, *id);
        } else if !command.asks_again(now) {
            command.take_back("the device could not read our message; nothing of it was executed");
            command.offers = command.offers.saturating_sub(1);
        }
    }
    if culprit {
        work.conversation.one_by_one = false;
    }
    let Some(session) = &mut work.session else { return };
    session.page_turn = PageTurn::default();
    session.push_turn.take_back();
    session.provision_turn.take_back();
    session.document_turn.take_back();
    session.unreadable += u32::from(!culprit);
    if session.automatic.give_up() {
        work.enrollment.inventory_at = Some(now);
    }
    if session.unreadable >= 2 {
        work.conversation.one_by_one = true;
    }
}

/// The device left: a retire has succeeded, everything else is over.
pub(super) fn left(work: &mut Work<'_>, asked: bool) {
    answered(work);
    let now = work.now;
    for id in ids(work, |command| command.state.is_open() || command.action == Action::Retire) {
        let Some(command) = work.commands.get_mut(&id) else { continue };
        if command.action == Action::Retire {
            let words = if asked { "the device left" } else { "the device left on its own" };
            command.end(CommandState::Succeeded, words, now);
        } else if command.state == CommandState::Queued {
            command.end(CommandState::Cancelled, "the device left management", now);
        } else {
            command.end(CommandState::Unknown, "the device left before it answered; it may have happened", now);
        }
    }
    let reason = if asked { "retired" } else { "the user ended management on the device" };
    work.enrollment.close(EnrollmentState::Retired, reason, now);
}

/// Judges a command by its answers.
fn conclude(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    if is_sent_again(work, id) {
        return;
    }
    remember_missing(work, id);
    note_mixed_state(work, id);
    let now = work.now;
    let Some(command) = work.commands.get_mut(&id) else { return };
    let verdict = command.conclude(&work.limits.provider_id, &work.enrollment);
    let later = command.asks_later(&work.limits.provider_id, &work.enrollment);
    let later = later.filter(|status| command.retries < retry_rule(StatusCode(*status)).0);
    match later.map_or(verdict, Conclusion::Retry) {
        Conclusion::Retry(_) if command.asks_again(now) => {}
        Conclusion::Retry(status) if command.retries < retry_rule(StatusCode(status)).0 => {
            put_off(work, id, status);
        }
        Conclusion::Follow(question) if may_follow(command, now) => command.follow(question, now),
        Conclusion::Follow(question) => {
            command.detail = question.detail;
            command.stop_following(now);
        }
        Conclusion::Next(commands) => {
            command.begin_step(command.step + 1, commands);
            command.await_turn("the next step follows");
        }
        _ if !command.rest.is_empty() => next_portion(work, id),
        Conclusion::Finished(_) if command.action == Action::Raw && command.has_lost_exec() => command.lose_sight(),
        // Of commands in portions, what came before counts too once the last has its answers.
        Conclusion::Finished(_) if command.action == Action::Raw => {
            let ending = match command.conclude_whole(&work.limits.provider_id, &work.enrollment) {
                Conclusion::Finished(ending) => ending,
                Conclusion::Retry(status) => Ending::gave_up(status),
                Conclusion::Next(_) | Conclusion::Follow(_) => return,
            };
            finish(work, id, ending);
        }
        Conclusion::Finished(ending) => finish(work, id, ending),
        Conclusion::Retry(status) => finish(work, id, Ending::gave_up(status)),
    }
}

/// What was refused because its user is not there waits for the user, and what was refused because its node exists, or
/// does not, goes another way in this session.
fn is_sent_again(work: &mut Work<'_>, id: Id<QueuedCommand>) -> bool {
    let hold = work.session.as_ref().and_then(SessionState::user_hold);
    let look = work.limits.look;
    // What is only asked to see how far the device is, is asked again anyway.
    let Some(command) = work.commands.get_mut(&id).filter(|command| command.followed.is_none()) else { return false };
    if let Some(words) = hold.filter(|_| command.wait_for_user()) {
        command.await_turn(&words);
        return true;
    }
    let mends = command.mend(look);
    if mends {
        command.await_turn("goes on in another way, because of what exists on the device and what does not");
    }
    mends
}

/// The device asks to come again later.
fn put_off(work: &mut Work<'_>, id: Id<QueuedCommand>, status: u16) {
    let now = work.now;
    let Some(command) = work.commands.get_mut(&id) else { return };
    if !command.put_off() {
        finish(work, id, Ending::not_repeated(status));
        return go_on_with_rest(work, id);
    }
    let (_, minutes) = retry_rule(StatusCode(status));
    command.not_before = Some(now + Duration::minutes(minutes << command.retries));
    command.retries += 1;
    command.await_turn(&format!("the device asks to try again later (status {status})"));
    command.status = Some(status);
}

/// Whether there is still time to wait for what the device does on its own.
fn may_follow(command: &QueuedCommand, now: OffsetDateTime) -> bool {
    command.followed.is_none_or(|followed| followed.questions < MOST_QUESTIONS && now < command.expires_at)
}

/// An alert may tell how something ended that the device was given, or that there is something to look at. One that is
/// about nothing of this enrollment that is under way changes nothing.
pub(super) fn heard(work: &mut Work<'_>, subject: &AlertType, item: &Item) {
    let now = work.now;
    let alert = DeviceAlert { subject, source: item.source.as_ref(), data: item.text() };
    let given = |command: &QueuedCommand| command.last_offer.is_some() && command.state.is_open();
    for id in ids(work, given) {
        let Some(command) = work.commands.get_mut(&id) else { continue };
        match command.hear(&work.limits.provider_id, &work.enrollment, &alert) {
            Some(Heard::Over(ending)) => finish(work, id, ending),
            // What is out is answered first: the same alert may come with every message.
            Some(Heard::Look(_)) if command.is_out() => {}
            Some(Heard::Look(question)) => {
                command.follow(question, now);
                command.not_before = None;
            }
            None => {}
        }
    }
}

/// The next commands of a list that one message could not take, whatever came of those before.
fn next_portion(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let (bytes, count) = (work.limits.reply_bytes, work.limits.reply_commands);
    let Some(command) = work.commands.get_mut(&id) else { return };
    let rest = std::mem::take(&mut command.rest);
    command.begin_portion(command.step + 1, rest, |commands| fits(commands, bytes, count));
    command.state = CommandState::Queued;
    command.finished_at = None;
    "the next commands follow".clone_into(&mut command.detail);
}

/// Whether commands go into one message.
pub(crate) fn fits(commands: &[Command], bytes: usize, count: usize) -> bool {
    commands.iter().flat_map(Command::walk).count() <= count && encoded_len(commands) <= bytes
}

fn finish(work: &mut Work<'_>, id: Id<QueuedCommand>, ending: Ending) {
    let now = work.now;
    let Some(command) = work.commands.get_mut(&id) else { return };
    let (action, succeeded) = (command.action.clone(), ending.state == CommandState::Succeeded);
    let unsupported = ending.state == CommandState::Unsupported;
    let detail = ending.detail.clone();
    command.finish(ending, now);
    match action {
        Action::Wipe { .. } if succeeded => begins_wipe(work),
        // A late word on a retire that is over changes nothing.
        Action::Retire if work.enrollment.state != EnrollmentState::Retiring => {}
        // Accepted: now the alert is awaited, or a day of silence.
        Action::Retire if succeeded => work.enrollment.state_since = now,
        Action::Retire => stays(work, &format!("could not be retired: {detail}")),
        Action::TenantLockdown(lockdown) if succeeded => work.enrollment.locked_to_tenant = lockdown.enable,
        Action::TenantLockdown { .. } if unsupported => work.enrollment.locked_to_tenant = false,
        _ => {}
    }
}

/// The device erases itself: a retire that was under way has lost its object.
fn begins_wipe(work: &mut Work<'_>) {
    let now = work.now;
    work.enrollment.enter(EnrollmentState::Wiping, now);
    if let Some(retire) = work.conversation.retire.take()
        && let Some(command) = work.commands.get_mut(&retire).filter(|command| command.state.is_open())
    {
        command.end(CommandState::Cancelled, "the device is being wiped", now);
    }
}

/// A retire that the device had accepted is told otherwise by a later Status.
fn late_word_on_retire(work: &mut Work<'_>) {
    let Some(id) = work.conversation.retire else { return };
    let done = work
        .commands
        .get(&id)
        .is_some_and(|command| command.state == CommandState::Failed || command.state == CommandState::Unsupported);
    if done && work.enrollment.state != EnrollmentState::Retiring {
        work.conversation.retire = None;
    }
}

/// The retire did not work: the device is managed as before, with a warning. One that nobody ever approved is cut off.
pub(super) fn stays(work: &mut Work<'_>, words: &str) {
    work.conversation.retire = None;
    if !work.enrollment.approval.lets_in() {
        let reason = format!("never approved; {words}");
        work.enrollment.close(EnrollmentState::Blocked, &reason, work.now);
        work.notices.push(Notice::CutOff { reason });
        return;
    }
    work.enrollment.enter(EnrollmentState::Active, work.now);
    work.enrollment.warning = Some(format!("{words}; consider a wipe, or block it"));
}

/// After an Atomic that failed and could not be rolled back nobody knows which of its values count, until each of its nodes
/// was set again.
fn note_mixed_state(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let Some(command) = work.commands.get(&id) else { return };
    let items = command.current_items();
    if items.iter().any(|item| item.status == Some(516)) {
        let nodes = items.iter().filter(|item| !matches!(item.verb(), Verb::Get | Verb::Exec));
        let nodes = nodes.filter_map(|item| item.loc_uri.as_deref()).map(node_key);
        work.conversation.mixed.extend(nodes.take(MOST_MIXED));
        while work.conversation.mixed.len() > MOST_MIXED {
            work.conversation.mixed.pop_last();
        }
        work.enrollment.warning = Some(format!("{NEEDS_REAPPLY}: {} failed and could not be rolled back", command.id));
        work.notices.push(Notice::NeedsReapply { id });
    } else if !work.conversation.mixed.is_empty() {
        for item in items.iter().filter(|item| item.verb() != Verb::Get && item.verdict() == Some(Verdict::Done)) {
            work.conversation.mixed.remove(&item.loc_uri.as_deref().map(node_key).unwrap_or_default());
        }
        let warning = &mut work.enrollment.warning;
        let is_mended = work.conversation.mixed.is_empty();
        warning.take_if(|words| is_mended && words.starts_with(NEEDS_REAPPLY));
    }
}

/// 404 and 406 to an action's node are remembered for that device and build; 405 passes.
fn remember_missing(work: &mut Work<'_>, id: Id<QueuedCommand>) {
    let Some(command) = work.commands.get(&id).filter(|command| command.action != Action::Raw) else { return };
    let os_version = work.enrollment.os_version.clone().unwrap_or_default();
    let items = command.current_items();
    // A Get or a Delete of what is not there says nothing about what the device can have.
    let missing = items.iter().filter(|item| !matches!(item.verb(), Verb::Get | Verb::Delete));
    let nodes: Vec<MissingNode> = missing
        .filter_map(|item| {
            let status = item.status.filter(|code| matches!(code, 404 | 406))?;
            Some(MissingNode {
                loc_uri: item.loc_uri.as_deref()?.to_lowercase(),
                os_version: os_version.clone(),
                status,
            })
        })
        .collect();
    work.notices.extend(nodes.into_iter().map(Notice::Missing));
}

/// What the warning about a mixed state begins with.
const NEEDS_REAPPLY: &str = "needs re-apply";
/// Nodes of a mixed state that are kept.
const MOST_MIXED: usize = 200;

/// Times that a device is asked how far it is with one action.
const MOST_QUESTIONS: u32 = 60;

/// "Too large" as a status.
const TOO_LARGE: u16 = 413;
const SESSION_ENDED: &str = "the session ended before the device answered; it is sent again";
const UNREADABLE: &str = "answer unreadable: the device cannot read a message with this command";

fn ids(work: &Work<'_>, test: impl Fn(&QueuedCommand) -> bool) -> Vec<Id<QueuedCommand>> {
    work.commands.values().filter(|command| test(command)).map(|command| command.id).collect()
}

/// Whether the session in which a command was offered last is that one.
pub(super) fn offered_in(command: &QueuedCommand, session: &SessionState) -> bool {
    command.last_offer.is_some_and(|offer| offer.session == session.id)
}

#[cfg(test)]
#[path = "mending_tests.rs"]
mod mending_tests;
#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
