//! For tests: what commands say, in one line each, and whether the catalogue agrees with them.

use super::catalogue::{Check, ErrorKind, embedded};
use crate::proto::syncml::{Command, Item, Verb};

/// Where the descriptions are known to be behind Windows: part of an address, what they object to, and why that is wrong.
const EXCEPTIONS: &[(&str, ErrorKind, &str)] =
    &[("/Update/ApprovedUpdates/", ErrorKind::OpNotAllowed, "the page about the CSP has an approval added, by its id")];

/// `Verb LocURI format value` for each Item; what is inside a container is indented.
pub(in crate::proto) fn told(commands: &[Command]) -> Vec<String> {
    commands.iter().flat_map(|command| told_at(command, "")).collect()
}

fn told_at(command: &Command, indent: &str) -> Vec<String> {
    let verb = command.verb.name();
    if command.verb.is_container() {
        let inner = command.children.iter().flat_map(|child| told_at(child, &format!("{indent}  ")));
        return std::iter::once(format!("{indent}{verb}")).chain(inner).collect();
    }
    command.items.iter().map(|item| format!("{indent}{verb} {}", told_item(item))).collect()
}

fn told_item(item: &Item) -> String {
    let uri = item.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let parts = [Some(uri), item.meta.format.clone(), item.data.as_ref().map(|data| data.text().to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Fails unless the catalogue finds every address, verb, format and value right.
#[track_caller]
pub(in crate::proto) fn right(commands: &[Command]) {
    for command in commands.iter().flat_map(Command::walk) {
        for item in &command.items {
            check(command.verb, item);
        }
    }
}

#[track_caller]
fn check(verb: Verb, item: &Item) {
    let uri = item.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let value = item.data.as_ref().map(|data| data.text());
    let judged = embedded().check(&Check { format: item.meta.format.as_deref(), value, ..Check::new(&uri, verb) });
    if let Err(refusal) = judged {
        let known = EXCEPTIONS.iter().any(|(part, kind, _)| uri.contains(part) && refusal.kind == *kind);
        assert!(known, "{} {uri}: {}: {refusal}", verb.name(), refusal.kind);
    }
}
