//! Actions: what an administrator asks for, the commands it becomes, and what the device's answers mean for it.
//!
//! Management reference chapter 7 (recipes) and 1.15 (which commands may be repeated).

use serde::{Deserialize, Serialize};
use time::Duration;

use super::command::{CommandState, ItemState, is_spoken_for};
use super::enrollment::Enrollment;
use crate::proto::csp::{computer_name, dm_client, laps, reboot, remote_lock, remote_wipe, tenant_lockdown};
use crate::proto::syncml::{Command, LocUri, StatusCode, Verb, Verdict, hresult_name, status_words, verdict};

/// What is to happen on the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    /// Commands as an administrator wrote them.
    Raw,
    /// Lock the screen.
    Lock,
    /// Undo a lock: Windows has no command for it.
    Unlock,
    /// Set a new PIN or password.
    ResetPasscode {
        /// How.
        #[serde(default)]
        method: ResetMethod,
    },
    /// Leave management.
    Retire,
    /// Erase.
    Wipe {
        /// What is kept.
        #[serde(default)]
        variant: remote_wipe::Variant,
    },
    /// Restart.
    Reboot,
    /// Report back.
    Sync,
    /// Change the computer name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Insist on the tenant's sign-in after a reset.
    TenantLockdown {
        /// On or off.
        enable: bool,
    },
}

/// How a passcode is reset (management reference 7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetMethod {
    /// RemoteLock `LockAndResetPIN`.
    #[default]
    ResetPin,
    /// RemoteLock `LockAndRecoverPIN`.
    RecoverPin,
    /// Rotation of the local administrator's password.
    Laps,
}

/// Whether a command without an answer may be offered again (management reference 1.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Repeating changes nothing more: back to the queue.
    Freely,
    /// Repeating may do harm: an operator decides.
    Never,
    /// In a later session, at most so many offers in all, with a pause between them.
    Offers {
        /// Offers in all.
        most: u32,
        /// Least time between two of them.
        pause: Duration,
    },
}

/// What the answers to one step of an action mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Conclusion {
    /// Over.
    Finished(Ending),
    /// The next commands of the same action.
    Next(Vec<Command>),
    /// The device asks to come again later.
    Retry(u16),
}

impl Ending {
    /// The device said too often that it is not the time.
    #[must_use]
    pub fn gave_up(status: u16) -> Self {
        Self {
            state: CommandState::Failed,
            status: Some(status),
            hresult: None,
            detail: format!("the device kept asking to try again later (status {status})"),
        }
    }
}

/// How an action or command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Final state.
    pub state: CommandState,
    /// The OMA-DM status that decided.
    pub status: Option<u16>,
    /// The HRESULT beside it.
    pub hresult: Option<String>,
    /// In words.
    pub detail: String,
}

/// Why an action cannot be asked of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// TenantLockdown means something only where Autopilot knows the device.
    #[error("TenantLockdown works only on devices that came through Autopilot; this one enrolled as {0}")]
    NotAutopilot(&'static str),
    /// Windows would not take the name.
    #[error(transparent)]
    Name(computer_name::NameError),
    /// HoloLens has two of the wipe variants.
    #[error("HoloLens supports only the variants wipe and keep_provisioning")]
    NotOnHoloLens,
}

impl Action {
    /// The word of the API.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::ResetPasscode { .. } => "reset_passcode",
            Self::Retire => "retire",
            Self::Wipe { .. } => "wipe",
            Self::Reboot => "reboot",
            Self::Sync => "sync",
            Self::Rename { .. } => "rename",
            Self::TenantLockdown { .. } => "tenant_lockdown",
        }
    }

    /// Whether what it does cannot be undone.
    #[must_use]
    pub fn is_destructive(&self) -> bool {
        matches!(self, Self::Wipe { .. } | Self::Retire)
    }

    /// How long it waits for the device unless told otherwise.
    #[must_use]
    pub fn default_expiry(&self) -> Duration {
        Duration::days(if self.is_destructive() { 90 } else { 30 })
    }

    /// What stands against it on that enrollment, before any device is asked.
    pub fn check(&self, enrollment: &Enrollment) -> Result<(), Impossible> {
        match self {
            Self::TenantLockdown { .. } if !enrollment.mode.is_autopilot() => {
                Err(Impossible::NotAutopilot(enrollment.mode.as_str()))
            }
            Self::Wipe { variant } if enrollment.is_hololens() && !variant.is_on_hololens() => {
                Err(Impossible::NotOnHoloLens)
            }
            Self::Rename { name } => computer_name::check(name).map_err(Impossible::Name),
            _ => Ok(()),
        }
    }

    /// The node without which it cannot work.
    #[must_use]
    pub fn node(&self, provider_id: &str) -> Option<LocUri> {
        Some(match self {
            Self::Lock => LocUri::fixed(remote_lock::LOCK),
            Self::ResetPasscode { method } => LocUri::fixed(method.node()),
            Self::Wipe { variant } => LocUri::fixed(variant.node()),
            Self::Reboot => LocUri::fixed(reboot::REBOOT_NOW),
            Self::TenantLockdown { .. } => LocUri::fixed(tenant_lockdown::REQUIRE_NETWORK_IN_OOBE),
            Self::Rename { .. } => LocUri::fixed(computer_name::DNS_COMPUTER_NAME),
            Self::Retire => dm_client::node(provider_id, "Unenroll"),
            Self::Raw | Self::Unlock | Self::Sync => return None,
        })
    }

    /// The first commands. `undo_lockdown`: TenantLockdown is to be switched off before the device leaves.
    #[must_use]
    pub fn first_step(&self, provider_id: &str, undo_lockdown: bool) -> Vec<Command> {
        match self {
            Self::Raw | Self::Unlock => Vec::new(),
            Self::Lock => vec![remote_lock::lock()],
            Self::ResetPasscode { method: ResetMethod::Laps } => vec![laps::reset_password()],
            Self::ResetPasscode { method } => vec![remote_lock::reset_pin(method.node())],
            Self::Retire if undo_lockdown => vec![tenant_lockdown::set(false)],
            Self::Retire => vec![dm_client::unenroll(provider_id)],
            Self::Wipe { variant } => vec![variant.command()],
            Self::Reboot => vec![reboot::reboot_now()],
            Self::Rename { name } => vec![computer_name::rename(name)],
            Self::Sync => vec![Command::get(LocUri::fixed(crate::proto::csp::device_info::SOFTWARE_VERSION))],
            Self::TenantLockdown { enable } => vec![tenant_lockdown::set(*enable), tenant_lockdown::read()],
        }
    }

    /// Whether its commands may be repeated when no answer came.
    #[must_use]
    pub fn repeat(&self, body: &[Command]) -> Repeat {
        match self {
            Self::Lock => Repeat::Offers { most: 3, pause: Duration::ZERO },
            Self::Wipe { variant } if !variant.keeps_data() => Repeat::Offers { most: 3, pause: Duration::minutes(10) },
            Self::Retire => Repeat::Offers { most: 4, pause: Duration::ZERO },
            Self::Wipe { .. } | Self::ResetPasscode { .. } | Self::Reboot => Repeat::Never,
            Self::Raw if verbs(body).any(|verb| verb == Verb::Exec) => Repeat::Never,
            Self::Raw | Self::Sync | Self::TenantLockdown { .. } | Self::Rename { .. } | Self::Unlock => Repeat::Freely,
        }
    }

    /// Place in the queue, lower first, and whether it must be alone in its message (management reference 1.15, order).
    #[must_use]
    pub fn placing(&self, body: &[Command]) -> Placing {
        let execs = |test: fn(&LocUri) -> bool| {
            body.iter()
                .flat_map(Command::walk)
                .filter(|command| command.verb == Verb::Exec)
                .any(|command| command.items.iter().filter_map(|item| item.target.as_ref()).any(test))
        };
        let wipes = |uri: &LocUri| uri.is_at_or_below(&LocUri::fixed(remote_wipe::ROOT));
        match self {
            Self::Retire | Self::Wipe { .. } => Placing { priority: 50, alone: true },
            Self::Raw if execs(wipes) || execs(dm_client::is_unenroll) => Placing { priority: 50, alone: true },
            Self::Reboot => Placing { priority: 40, alone: false },
            Self::Raw if execs(|uri| uri.same_as(&LocUri::fixed(reboot::REBOOT_NOW))) => {
                Placing { priority: 40, alone: false }
            }
            _ => Placing { priority: 20, alone: false },
        }
    }

    /// What the answers to a step mean, once every command of it has one.
    #[must_use]
    pub fn conclude(&self, items: &[ItemState], provider_id: &str) -> Conclusion {
        match self {
            Self::Lock => conclude_lock(items),
            Self::Wipe { variant } => conclude_wipe(*variant, items),
            Self::Retire => conclude_retire(items, provider_id),
            Self::TenantLockdown { enable } => conclude_lockdown(*enable, items),
            Self::ResetPasscode { .. } => conclude_reset(items),
            Self::Sync => Conclusion::Finished(Ending {
                state: CommandState::Succeeded,
                status: items.first().and_then(|item| item.status),
                hresult: None,
                detail: "the device checked in".to_owned(),
            }),
            Self::Rename { .. } => conclude_rename(items),
            Self::Raw | Self::Reboot | Self::Unlock => conclude_all(items),
        }
    }
}

impl ResetMethod {
    fn node(self) -> &'static str {
        match self {
            Self::ResetPin => remote_lock::LOCK_AND_RESET_PIN,
            Self::RecoverPin => remote_lock::LOCK_AND_RECOVER_PIN,
            Self::Laps => laps::RESET_PASSWORD,
        }
    }
}

/// Where a command stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placing {
    /// Lower goes first.
    pub priority: i64,
    /// Whether it is the only command of its message.
    pub alone: bool,
}

fn verbs(body: &[Command]) -> impl Iterator<Item = Verb> {
    body.iter().flat_map(Command::walk).map(|command| command.verb)
}

/// Status 200 is the only success; 405 passes, 404, 406 and 500 are for good (management reference 7.2).
fn conclude_lock(items: &[ItemState]) -> Conclusion {
    let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
    Conclusion::Finished(match item.status {
        Some(200) => ending(CommandState::Succeeded, item, "the device says that it is locked"),
        Some(405) => ending(CommandState::Failed, item, "no PIN is set on the device, so it cannot be locked"),
        Some(404 | 406 | 410 | 500 | 501) => {
            ending(CommandState::Unsupported, item, "this device does not support remote lock")
        }
        Some(code) if is_done(code) => {
            let words = "the device took the command and did not say that it is locked";
            ending(CommandState::Unknown, item, words)
        }
        _ => return decide_or_retry(item, Verb::Exec),
    })
}

fn conclude_wipe(variant: remote_wipe::Variant, items: &[ItemState]) -> Conclusion {
    let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
    let own_node = item.is_for(&LocUri::fixed(variant.node()));
    Conclusion::Finished(match item.status {
        Some(404) if own_node && variant.falls_back() => {
            return Conclusion::Next(vec![remote_wipe::Variant::Wipe.command()]);
        }
        Some(404 | 406) => ending(
            CommandState::Unsupported,
            item,
            "this device does not have this kind of wipe; no other was tried, because it would erase what was to be kept",
        ),
        Some(code) if is_done(code) => ending(CommandState::Succeeded, item, "the device accepted the wipe"),
        Some(500) => ending(
            CommandState::Failed,
            item,
            "the device could not start the wipe; its recovery environment may be off",
        ),
        _ => return decide_or_retry(item, Verb::Exec),
    })
}

/// Whether an Exec with that status was carried out, or will be.
fn is_done(code: u16) -> bool {
    verdict(Verb::Exec, StatusCode(code)) == Verdict::Done
}

/// By the general table: again later, or over.
fn decide_or_retry(item: &ItemState, verb: Verb) -> Conclusion {
    match item.status {
        Some(code) if verdict(verb, StatusCode(code)) == Verdict::Retry => Conclusion::Retry(code),
        _ => Conclusion::Finished(decide(item, verb)),
    }
}

/// The clean-up is sent once, whatever comes of it; then Unenroll.
fn conclude_retire(items: &[ItemState], provider_id: &str) -> Conclusion {
    let unenroll = items.iter().find(|item| item.uri().is_some_and(|uri| dm_client::is_unenroll(&uri)));
    let Some(item) = unenroll else { return Conclusion::Next(vec![dm_client::unenroll(provider_id)]) };
    Conclusion::Finished(match item.status {
        Some(code) if is_done(code) => ending(CommandState::Succeeded, item, "the device accepted to leave"),
        _ => return decide_or_retry(item, Verb::Exec),
    })
}

fn conclude_lockdown(enable: bool, items: &[ItemState]) -> Conclusion {
    let (Some(set), read) = (items.first(), items.get(1)) else { return Conclusion::Finished(no_status()) };
    if matches!(set.status, Some(404 | 406)) {
        let words = "this edition or build of Windows has no TenantLockdown";
        return Conclusion::Finished(ending(CommandState::Unsupported, set, words));
    }
    let written = conclude_all(&items[..1]);
    let Conclusion::Finished(Ending { state: CommandState::Succeeded, .. }) = written else { return written };
    let reported = read.and_then(|item| item.data.as_deref()).map(|data| data.trim().to_lowercase());
    let expected = if enable { ["true", "1"] } else { ["false", "0"] };
    Conclusion::Finished(match reported {
        Some(value) if !expected.contains(&value.as_str()) => {
            ending(CommandState::Failed, set, "the device took the value but reports another one")
        }
        Some(_) => ending(CommandState::Succeeded, set, "set, and confirmed by reading it back"),
        None => ending(CommandState::Succeeded, set, "set; the device did not let it be read back"),
    })
}

/// The new name counts from the next start on.
fn conclude_rename(items: &[ItemState]) -> Conclusion {
    let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
    Conclusion::Finished(match item.status {
        Some(404 | 406) => ending(CommandState::Unsupported, item, "this build of Windows cannot be renamed this way"),
        Some(code) if is_done(code) => {
            ending(CommandState::Succeeded, item, "the new name counts after the next restart")
        }
        _ => return decide_or_retry(item, Verb::Replace),
    })
}

/// The Exec decides; the Get only brings the PIN.
fn conclude_reset(items: &[ItemState]) -> Conclusion {
    let Some(exec) = items.iter().find(|item| item.cmd == Verb::Exec.name()) else {
        return Conclusion::Finished(no_status());
    };
    let container = items.first().filter(|item| item.is_container());
    let item = if exec.status.is_none() { container.unwrap_or(exec) } else { exec };
    Conclusion::Finished(match item.status {
        Some(405) => ending(CommandState::Failed, item, "the device does not allow it now; it may have no PIN"),
        Some(404 | 406 | 501) => ending(CommandState::Unsupported, item, "this device cannot reset its PIN this way"),
        _ => return decide_or_retry(item, Verb::Exec),
    })
}

/// Every command counts; the worst decides. A container is decided by its own status, or by its children where it has none.
fn conclude_all(items: &[ItemState]) -> Conclusion {
    let failed_container = items.iter().find(|item| item.is_container() && item.status.is_some_and(|code| code >= 300));
    if let Some(container) = failed_container {
        // Children that were skipped or rolled back are not the ones that failed.
        let culprit = items
            .iter()
            .find(|item| !item.is_container() && item.status.is_some_and(|code| code >= 300 && code != 507));
        let mut end = decide(culprit.unwrap_or(container), Verb::Exec);
        end.state = CommandState::Failed;
        end.status = container.status;
        if let Some(uri) = culprit.and_then(|item| item.loc_uri.as_deref()) {
            end.detail = format!("{} failed at {uri}: {}; nothing of it was applied", container.cmd, end.detail);
        }
        return Conclusion::Finished(end);
    }
    let counts = |item: &&ItemState| item.status.is_some() || !(item.is_container() || is_spoken_for(items, item));
    let ranked = items.iter().filter(counts).map(|item| (rank(item), item)).max_by_key(|(rank, _)| *rank);
    match ranked {
        None => Conclusion::Finished(no_status()),
        Some((Rank::Retry, item)) if items.len() == 1 || items.iter().all(|each| each.cmd != Verb::Exec.name()) => {
            Conclusion::Retry(item.status.unwrap_or_default())
        }
        Some((_, item)) => Conclusion::Finished(decide(item, item.verb())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Done,
    Retry,
    Unsupported,
    Failed,
}

fn rank(item: &ItemState) -> Rank {
    if item.is_own_work() {
        return Rank::Done;
    }
    match item.status.map(|code| verdict(item.verb(), StatusCode(code))) {
        Some(Verdict::Done | Verdict::Wait) => Rank::Done,
        Some(Verdict::Retry) => Rank::Retry,
        Some(Verdict::Unsupported) => Rank::Unsupported,
        Some(Verdict::Failed) | None => Rank::Failed,
    }
}

/// The ending that one status means by the general table.
fn decide(item: &ItemState, verb: Verb) -> Ending {
    let Some(code) = item.status else { return no_status() };
    if item.is_own_work() {
        return ending(CommandState::Succeeded, item, "added by the delivery before, whose answer was lost");
    }
    let state = match verdict(verb, StatusCode(code)) {
        Verdict::Done | Verdict::Wait => CommandState::Succeeded,
        Verdict::Unsupported => CommandState::Unsupported,
        Verdict::Failed | Verdict::Retry => CommandState::Failed,
    };
    ending(state, item, status_words(StatusCode(code)))
}

fn ending(state: CommandState, item: &ItemState, words: &str) -> Ending {
    let code = item.status.map(|code| format!(" (status {code})")).unwrap_or_default();
    let hresult = item.hresult.as_deref().map(|text| format!("; {}", describe_hresult(text))).unwrap_or_default();
    Ending { state, status: item.status, hresult: item.hresult.clone(), detail: format!("{words}{code}{hresult}") }
}

/// The ending of a command that the device passed over.
fn no_status() -> Ending {
    Ending {
        state: CommandState::Failed,
        status: None,
        hresult: None,
        detail: "no status came from the device".to_owned(),
    }
}

/// An HRESULT with its name, from hex as in `msft:originalerror` or from a signed decimal as in CSP error nodes.
#[must_use]
pub fn describe_hresult(text: &str) -> String {
    let Some(number) = parse_hresult(text) else { return text.to_owned() };
    match hresult_name(number) {
        Some((name, reading)) => format!("0x{number:08X} {name}: {reading}"),
        None => format!("0x{number:08X}"),
    }
}

fn parse_hresult(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse::<i32>().map(i32::cast_unsigned).or_else(|_| text.parse::<u32>()).ok(),
    }
}

#[cfg(test)]
#[path = "action_tests.rs"]
mod tests;
