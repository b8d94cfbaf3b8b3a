//! The enrollment status page of out-of-box setup: held from the first reply, released when everything has its final
//! state, and in any case after its time (management reference 7.22, enrollment reference 9.8).
//!
//! Only the device's own word ends a part of the page, so a release is repeated in each session until it is answered.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::conversation::Login;
use super::exchange::Notice;
use super::work::Work;
use crate::domain::command::{CommandState, QueuedCommand};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::first_sync_status::{self, Page};
use crate::proto::syncml::{Command, Status, StatusCode};

/// What the administrator wants of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRules {
    /// What it shows and allows.
    pub page: Page,
    /// Whether it fails as soon as a command fails; else the desktop is released all the same.
    pub fails: bool,
}

/// Where the page of an enrollment stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPage {
    /// Stage.
    pub stage: PageStage,
    /// When the page was first held.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub began_at: OffsetDateTime,
    /// Why it ends, in words.
    pub reason: Option<String>,
    /// Whether the device confirmed that its part of the page is over.
    pub device_done: bool,
    /// Likewise for the part of the user.
    pub user_done: bool,
}

/// Stages of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageStage {
    /// The device waits for us.
    Holding,
    /// It is told that we are done; its confirmation is awaited.
    Releasing,
    /// It confirmed.
    Released,
    /// It is told that something failed; its confirmation is awaited.
    Failing,
    /// It shows the failure.
    Failed,
}

impl PageStage {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holding => "holding",
            Self::Releasing => "releasing",
            Self::Released => "released",
            Self::Failing => "failing",
            Self::Failed => "failed",
        }
    }
}

/// What was sent for the page in one session: nothing is sent twice in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageTurn {
    /// The page was held.
    pub held: bool,
    /// The device's part was ended, or the page made to fail.
    pub ended: bool,
    /// The user's part was ended.
    pub user_ended: bool,
}

/// An enrollment that is older does not begin a page, unless the device asks for it.
const FRESH: Duration = Duration::DAY;
/// How long the user's part is ended in sessions without the user, too.
const USER_TRIED: Duration = Duration::DAY;

const READY: &str = "f1";
const DEVICE_RELEASED: &str = "f2";
const USER_RELEASED: &str = "f3";
const LAST_OF_FAILURE: &str = "g3";

/// Whether a CmdID is one of the page's.
pub(super) fn owns(cmd_ref: &str) -> bool {
    let number = cmd_ref.strip_prefix(['e', 'f', 'g']);
    number.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the request says that the device is in out-of-box setup; `NotInOobe` false alone does not.
fn in_setup(enrollment: &Enrollment) -> bool {
    let says = |name, word: &str| enrollment.context_item(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
    says("NotInOobe", "false") && !says("TargetedUserLoggedIn", "true")
}

/// What goes out for the page in this message.
pub(super) fn commands(work: &mut Work<'_>) -> Vec<Command> {
    let Some(rules) = &work.limits.status_page else { return Vec::new() };
    begin(work);
    advance(work, rules);
    let provider_id = &work.limits.provider_id;
    let (now, expected) = (work.now, expected(work));
    let Some((page, session)) = work.conversation.status_page.as_mut().zip(work.session.as_mut()) else {
        return Vec::new();
    };
    let turn = &mut session.page_turn;
    match page.stage {
        PageStage::Holding if !std::mem::replace(&mut turn.held, true) => {
            numbered('e', first_sync_status::hold(provider_id, &rules.page, &expected))
        }
        PageStage::Releasing => {
            let mut out = Vec::new();
            if !page.device_done && !std::mem::replace(&mut turn.ended, true) {
                out.push(first_sync_status::ready(provider_id).named(READY));
                out.push(first_sync_status::release_device(provider_id).named(DEVICE_RELEASED));
            }
            let due = session.login == Login::User || now - page.began_at < USER_TRIED;
            let free = !page.user_done && due && !waits_for_user(work.commands.values(), page, now, rules);
            if free && !std::mem::replace(&mut turn.user_ended, true) {
                out.push(first_sync_status::release_user(provider_id).named(USER_RELEASED));
            }
            out
        }
        PageStage::Failing if !std::mem::replace(&mut turn.ended, true) => {
            let words = page.reason.as_deref().unwrap_or_default();
            numbered('g', first_sync_status::fail(provider_id, &rules.page, words).into())
        }
        _ => Vec::new(),
    }
}

/// The page begins in the first session after an enrollment in setup, or when the device says that it shows it.
fn begin(work: &mut Work<'_>) {
    let fresh = work.enrollment.inventory_at.is_none() && work.now - work.enrollment.enrolled_at < FRESH;
    let due = work.seen.bootstrap || (fresh && in_setup(&work.enrollment));
    if work.conversation.status_page.is_some() || !due {
        return;
    }
    work.conversation.status_page = Some(StatusPage {
        stage: PageStage::Holding,
        began_at: work.now,
        reason: None,
        device_done: false,
        user_done: false,
    });
    work.notices.push(Notice::StatusPage { event: "esp.started", reason: None });
}

/// Moves on from holding when everything of the device has its final state, something failed, or time is up.
fn advance(work: &mut Work<'_>, rules: &PageRules) {
    let now = work.now;
    let failed = work.commands.values().find(|command| has_failed(command, now)).map(|command| {
        let words: String = command.detail.chars().take(LONGEST_REASON).collect();
        format!("{}: {words}", command.action.name())
    });
    let turn = work.session.as_ref().map(|session| session.page_turn).unwrap_or_default();
    let asked = work.session.as_ref().is_some_and(|session| !session.automatic.is_under_way());
    let ready = turn.held && asked && !work.commands.values().any(|command| is_open(command) && !command.needs_user());
    let Some(page) = work.conversation.status_page.as_mut().filter(|page| page.stage == PageStage::Holding) else {
        return;
    };
    let (stage, reason) = match failed {
        Some(reason) if rules.fails => (PageStage::Failing, reason),
        _ if is_overdue(page, now, rules) => (PageStage::Releasing, "its time was up".to_owned()),
        _ if ready => (PageStage::Releasing, "everything has its final state".to_owned()),
        _ => return,
    };
    page.stage = stage;
    page.reason = Some(reason);
}

fn is_overdue(page: &StatusPage, now: OffsetDateTime, rules: &PageRules) -> bool {
    now - page.began_at >= Duration::minutes(i64::from(rules.page.timeout_minutes))
}

fn is_open(command: &QueuedCommand) -> bool {
    matches!(command.state, CommandState::Queued | CommandState::Sent)
}

fn has_failed(command: &QueuedCommand, now: OffsetDateTime) -> bool {
    matches!(command.state, CommandState::Failed | CommandState::Unsupported) && command.finished_at == Some(now)
}

/// Commands for the user's tree hold up the user's part of the page, as long as it has time.
fn waits_for_user<'a>(
    mut commands: impl Iterator<Item = &'a QueuedCommand>,
    page: &StatusPage,
    now: OffsetDateTime,
    rules: &PageRules,
) -> bool {
    !is_overdue(page, now, rules) && commands.any(|command| is_open(command) && command.needs_user())
}

/// What of the queue the page can count down.
fn expected(work: &Work<'_>) -> Vec<first_sync_status::Expected> {
    let queued = work.commands.values().filter(|command| is_open(command));
    let targets = queued
        .flat_map(|command| &command.body)
        .flat_map(Command::walk)
        .flat_map(|command| &command.items)
        .filter_map(|item| item.target.as_ref());
    first_sync_status::expected(targets)
}

/// The device's answer to one of the page's commands.
pub(super) fn take_status(work: &mut Work<'_>, status: &Status) {
    let signed_in = work.session.as_ref().is_some_and(|session| session.login == Login::User);
    let Some(page) = &mut work.conversation.status_page else { return };
    let StatusCode(code) = status.code;
    let done = (200..300).contains(&code);
    match (status.cmd_ref.as_str(), page.stage) {
        // 405: it is over already; 404: there is none.
        (DEVICE_RELEASED, PageStage::Releasing) => page.device_done |= done || matches!(code, 404 | 405),
        // Before somebody is signed in, 405 and 404 mean that the tree is not there yet.
        (USER_RELEASED, PageStage::Releasing) => page.user_done |= done || (signed_in && matches!(code, 404 | 405)),
        (LAST_OF_FAILURE, PageStage::Failing) if done || matches!(code, 404 | 405) => {
            page.stage = PageStage::Failed;
            work.notices.push(Notice::StatusPage { event: "esp.failed", reason: page.reason.clone() });
            return;
        }
        _ => return,
    }
    if page.device_done && page.user_done {
        page.stage = PageStage::Released;
        work.notices.push(Notice::StatusPage { event: "esp.released", reason: page.reason.clone() });
    }
}

fn numbered(letter: char, commands: Vec<Command>) -> Vec<Command> {
    let number = |(index, command)| Command::named(command, &format!("{letter}{}", index + 1));
    commands.into_iter().enumerate().map(number).collect()
}

/// Longest words of a failed command that the page shows, in characters.
const LONGEST_REASON: usize = 200;

#[cfg(test)]
#[path = "status_page_tests.rs"]
mod tests;
