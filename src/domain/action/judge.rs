//! What statuses mean for an action as a whole, by the general table (management reference 3) and by the words around it.

use super::{Conclusion, Ending};
use crate::domain::command::{CommandState, ItemState, is_spoken_for};
use crate::proto::syncml::{LocUri, StatusCode, Verb, Verdict, hresult_name, status_words, verdict};

/// Whether a command of that verb with that status was carried out, or will be.
pub(super) fn is_done(verb: Verb, code: u16) -> bool {
    verdict(verb, StatusCode(code)) == Verdict::Done
}

/// By the general table: again later, or over.
pub(super) fn decide_or_retry(item: &ItemState, verb: Verb) -> Conclusion {
    match item.status {
        Some(code) if verdict(verb, StatusCode(code)) == Verdict::Retry => Conclusion::Retry(code),
        _ => Conclusion::Finished(decide(item, verb)),
    }
}

/// Every command counts; the worst decides. What is inside an Atomic that failed is judged by what it failed for; a
/// container without a status of its own is decided by its children.
pub(super) fn conclude_all(items: &[ItemState]) -> Conclusion {
    let worst = items.iter().filter(|item| counts(items, item)).max_by_key(|item| rank(item));
    let Some(item) = worst else { return Conclusion::Finished(no_status()) };
    if rank(item) == Rank::Retry {
        return Conclusion::Retry(item.status.unwrap_or_default());
    }
    let atomic = items.iter().find(|each| each.verb() == Verb::Atomic && item.is_inside(each));
    Conclusion::Finished(match atomic {
        Some(atomic) if rank(item) > Rank::Done => failed_inside(atomic, item),
        _ => decide(item, item.verb()),
    })
}

/// Whether a status tells something of its own: not where a container answers for it, or something else failed the Atomic
/// that it stands for or lies in.
fn counts(items: &[ItemState], item: &ItemState) -> bool {
    if item.status.is_none() {
        return !item.is_container() && !is_spoken_for(items, item);
    }
    // One that failed for what is no failure by itself, such as a Delete of what is gone, is judged by its own status.
    let is_reason = |each: &ItemState| each.is_culprit() && each.is_bad();
    let fails = |atomic: &ItemState| items.iter().any(|each| each.is_inside(atomic) && is_reason(each));
    let mut atomics = items.iter().filter(|each| each.verb() == Verb::Atomic && fails(each));
    item.is_culprit() || !atomics.any(|atomic| atomic == item || item.is_inside(atomic))
}

/// The ending of an Atomic by what failed in it.
fn failed_inside(atomic: &ItemState, culprit: &ItemState) -> Ending {
    let mut end = decide(culprit, culprit.verb());
    end.state = CommandState::Failed;
    end.status = atomic.status.or(culprit.status);
    let outcome = match atomic.status {
        Some(516) => "what was applied could not be rolled back",
        Some(517) => "its answer is too large for one message: split it",
        _ => "nothing of it was applied",
    };
    let uri = culprit.loc_uri.as_deref().unwrap_or_default();
    end.detail = format!("Atomic failed at {uri}: {}; {outcome}", end.detail);
    end
}

/// What the answers to the commands of a setting mean: each value must have been taken. Those that were not are named.
pub(super) fn conclude_setting(items: &[ItemState], subject: &str, outcome: String) -> Conclusion {
    let mut end = match conclude_all(items) {
        Conclusion::Finished(end) => end,
        other => return other,
    };
    let is_one_unit = items.iter().any(ItemState::is_container);
    let refused: Vec<&ItemState> = items.iter().filter(|item| rank(item) > Rank::Done).collect();
    if end.state == CommandState::Succeeded {
        end.detail = outcome;
    } else if !is_one_unit && !refused.is_empty() {
        let is_absent = |item: &&ItemState| matches!(item.status, Some(404 | 406 | 410 | 501));
        let is_unsupported = refused.iter().all(is_absent);
        end.state = if is_unsupported { CommandState::Unsupported } else { CommandState::Failed };
        let told = refused.iter().take(MOST_TOLD).map(|item| told(item)).collect::<Vec<_>>().join("; ");
        let more = refused.len().saturating_sub(MOST_TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        end.detail = format!("{subject}: {} of {} values were not taken: {told}{more}", refused.len(), items.len());
    }
    Conclusion::Finished(end)
}

/// Values that were not taken and are named.
const MOST_TOLD: usize = 3;

fn told(item: &ItemState) -> String {
    let uri = item.uri();
    let name = uri.as_ref().map_or("", |uri| uri.last_segment());
    format!("{name} {}", decide(item, item.verb()).detail)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Done,
    Unsupported,
    /// A failure, once it was tried often enough.
    Retry,
    Failed,
}

fn rank(item: &ItemState) -> Rank {
    match item.verdict() {
        Some(Verdict::Done | Verdict::Wait) => Rank::Done,
        Some(Verdict::Retry) => Rank::Retry,
        Some(Verdict::Unsupported) => Rank::Unsupported,
        Some(Verdict::Failed) | None => Rank::Failed,
    }
}

/// The ending that one status means by the general table.
pub(super) fn decide(item: &ItemState, verb: Verb) -> Ending {
    let Some(code) = item.status else { return no_status() };
    if item.is_own_work() {
        return ending(CommandState::Succeeded, item, "added by the delivery before, whose answer was lost");
    }
    let judged = item.verdict().filter(|_| verb == item.verb());
    let state = match judged.unwrap_or_else(|| verdict(verb, StatusCode(code))) {
        Verdict::Done | Verdict::Wait => CommandState::Succeeded,
        Verdict::Unsupported => CommandState::Unsupported,
        Verdict::Failed | Verdict::Retry => CommandState::Failed,
    };
    ending(state, item, status_words(StatusCode(code)))
}

/// An ending in these words, with the status and HRESULT of the item that decided.
pub(super) fn ending(state: CommandState, item: &ItemState, words: &str) -> Ending {
    let code = item.status.map(|code| format!(" (status {code})")).unwrap_or_default();
    let hresult = item.hresult.as_deref().map(|text| format!("; {}", describe_hresult(text))).unwrap_or_default();
    Ending { state, status: item.status, hresult: item.hresult.clone(), detail: format!("{words}{code}{hresult}") }
}

/// Over in that state, with the status of the first item, in these words.
pub(super) fn over(items: &[ItemState], state: CommandState, words: &str) -> Conclusion {
    let first = items.first();
    Conclusion::Finished(Ending {
        state,
        status: first.and_then(|item| item.status),
        hresult: first.and_then(|item| item.hresult.clone()),
        detail: words.to_owned(),
    })
}

/// The answer to a Get of that node.
pub(super) fn answer<'a>(items: &'a [ItemState], node: &LocUri) -> Option<&'a ItemState> {
    items.iter().find(|item| item.verb() == Verb::Get && item.is_for(node))
}

/// What a Get of that node brought; nothing where it is empty.
pub(super) fn text<'a>(items: &'a [ItemState], node: &LocUri) -> Option<&'a str> {
    answer(items, node).and_then(|item| item.data.as_deref()).map(str::trim).filter(|text| !text.is_empty())
}

/// What the Exec of a step means that only begins something: the device is asked later, or it did not take it.
pub(super) fn accepted_exec(items: &[ItemState], unsupported: &str, ask: impl FnOnce() -> Conclusion) -> Conclusion {
    let Some(exec) = items.iter().find(|item| item.verb() == Verb::Exec) else {
        return Conclusion::Finished(no_status());
    };
    match exec.status {
        Some(code) if is_done(Verb::Exec, code) => ask(),
        Some(404 | 406 | 410 | 501) => Conclusion::Finished(ending(CommandState::Unsupported, exec, unsupported)),
        _ => decide_or_retry(exec, Verb::Exec),
    }
}

/// Over and done, in these words.
pub(super) fn succeeded(item: &ItemState, words: &str) -> Conclusion {
    Conclusion::Finished(Ending {
        state: CommandState::Succeeded,
        status: item.status,
        hresult: None,
        detail: words.to_owned(),
    })
}

/// Over without success, in these words; `error` is an HRESULT that the device told beside it.
pub(super) fn failed(item: &ItemState, words: &str, error: Option<u32>) -> Conclusion {
    let error = error.filter(|code| *code != 0);
    let reading = error.map(|code| format!("; {}", named_hresult(code))).unwrap_or_default();
    Conclusion::Finished(Ending {
        state: CommandState::Failed,
        status: item.status,
        hresult: error.map(|code| format!("0x{code:08X}")),
        detail: format!("{words}{reading}"),
    })
}

/// These words, and what the device says in that node.
pub(super) fn explained(words: &str, items: &[ItemState], node: &LocUri) -> String {
    match text(items, node) {
        Some(more) => format!("{words}: {}", more.chars().take(LONGEST_REASON).collect::<String>()),
        None => words.to_owned(),
    }
}

/// Longest explanation of a device that is shown, in characters.
const LONGEST_REASON: usize = 300;

/// What a Get of a node brought that holds an HRESULT.
pub(super) fn error_at(items: &[ItemState], node: &LocUri) -> Option<u32> {
    text(items, node).and_then(parse_hresult)
}

/// The ending of a command that the device passed over.
pub(super) fn no_status() -> Ending {
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
    parse_hresult(text).map_or_else(|| text.to_owned(), named_hresult)
}

fn named_hresult(number: u32) -> String {
    match hresult_name(number) {
        Some((name, reading)) => format!("0x{number:08X} {name}: {reading}"),
        None => format!("0x{number:08X}"),
    }
}

/// `E_PENDING`: it goes on.
pub(super) const PENDING: u32 = 0x8000_000A;

pub(super) fn parse_hresult(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse::<i32>().map(i32::cast_unsigned).or_else(|_| text.parse::<u32>()).ok(),
    }
}
