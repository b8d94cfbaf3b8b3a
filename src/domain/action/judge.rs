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

/// Every command counts; the worst decides. A container is decided by its own status, or by its children where it has none.
pub(super) fn conclude_all(items: &[ItemState]) -> Conclusion {
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
pub(super) fn decide(item: &ItemState, verb: Verb) -> Ending {
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

/// An ending in these words, with the status and HRESULT of the item that decided.
pub(super) fn ending(state: CommandState, item: &ItemState, words: &str) -> Ending {
    let code = item.status.map(|code| format!(" (status {code})")).unwrap_or_default();
    let hresult = item.hresult.as_deref().map(|text| format!("; {}", describe_hresult(text))).unwrap_or_default();
    Ending { state, status: item.status, hresult: item.hresult.clone(), detail: format!("{words}{code}{hresult}") }
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

pub(super) fn parse_hresult(text: &str) -> Option<u32> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse::<i32>().map(i32::cast_unsigned).or_else(|_| text.parse::<u32>()).ok(),
    }
}
