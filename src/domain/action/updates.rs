//! Windows Update: rings, approvals, lists, and taking an update back (management reference 7.17).

use serde_json::{Map, Value, json};

use super::judge::{accepted_exec, answer, conclude_all, decide, ending, failed, over, parse_hresult, succeeded, text};
use super::recipe::{Order, Recipe};
use super::setting::Setting;
use super::{Conclusion, Question, Repeat, describe_hresult};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::parameter::Unfit;
use crate::proto::csp::update::{self, ApproveUpdate, RollbackUpdate};
use crate::proto::csp::update_ring::UpdateRing;
use crate::proto::syncml::{Command, LocUri, Verb, split_children};

impl Setting for UpdateRing {
    fn name(&self) -> &'static str {
        "update_ring"
    }

    fn subject(&self) -> String {
        "the update ring".to_owned()
    }

    fn check(&self) -> Result<(), Unfit> {
        self.check()
    }

    fn commands(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }
}

impl Recipe for ApproveUpdate {
    fn name(&self) -> &'static str {
        "approve_update"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(update::APPROVED)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match items.first() {
            Some(item) if item.status == Some(418) => succeeded(item, "the update was approved before"),
            Some(item) if matches!(item.status, Some(404 | 406)) => {
                Conclusion::Finished(ending(CommandState::Unsupported, item, "this device takes no approvals"))
            }
            _ => conclude_all(items),
        }
    }
}

/// Read which updates failed, are there, could be there, and wait for a restart.
pub(super) struct ListUpdates;

/// Lists whose entries have details, with the names of those.
const DETAILS: [(&str, &[&str]); 3] = [
    (update::FAILED, &["HResult", "Status"]),
    (update::INSTALLABLE, &["Type"]),
    (update::PENDING_REBOOT, &["InstalledTime"]),
];
/// Updates of one list whose details are read.
const MOST_DETAILS: usize = 20;
/// Updates of one list that are shown.
const MOST_SHOWN: usize = 1_000;

impl Recipe for ListUpdates {
    fn name(&self) -> &'static str {
        "list_updates"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(update::INSTALLED)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        update::lists()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// The lists first, then what is told of their entries. What is not there is no failure: a list may be empty.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let is_first = order.step == 0;
        if let Some(refused) = items.iter().find(|item| item.status.is_some_and(|code| code >= 300 && code != 404)) {
            return Conclusion::Finished(decide(refused, Verb::Get));
        }
        if is_first && items.iter().all(|item| item.status == Some(404)) {
            return over(items, CommandState::Unsupported, "this device tells nothing about its updates");
        }
        let details = if is_first { details(items) } else { Vec::new() };
        if !details.is_empty() {
            return Conclusion::Next(details);
        }
        over(items, CommandState::Succeeded, "the device told of its updates")
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let list = |node: &'static str| {
            let root = LocUri::fixed(node);
            ids(items, &root).take(MOST_SHOWN).map(|id| entry(items, &root, &id)).collect::<Vec<_>>()
        };
        Some(json!({
            "failed": list(update::FAILED),
            "installed": list(update::INSTALLED),
            "installable": list(update::INSTALLABLE),
            "pending_reboot": list(update::PENDING_REBOOT),
            "last_scan": text(items, &LocUri::fixed(update::LAST_SCAN)),
        }))
    }
}

/// The entries of a list.
fn ids(items: &[ItemState], root: &LocUri) -> impl Iterator<Item = String> {
    text(items, root).map(split_children).unwrap_or_default().into_iter()
}

/// What reads the details of the listed updates.
fn details(items: &[ItemState]) -> Vec<Command> {
    let mut reads = Vec::new();
    for (node, names) in DETAILS {
        let root = LocUri::fixed(node);
        for id in ids(items, &root).take(MOST_DETAILS) {
            reads.extend(names.iter().map(|name| Command::get(root.join(&id).join(name))));
        }
    }
    reads
}

fn entry(items: &[ItemState], root: &LocUri, id: &str) -> Value {
    const FIELDS: [(&str, &str); 4] =
        [("HResult", "hresult"), ("Status", "status"), ("Type", "type"), ("InstalledTime", "installed_at")];
    let mut fields = Map::from_iter([("id".to_owned(), Value::from(id))]);
    for (name, field) in FIELDS {
        if let Some(value) = text(items, &root.join(id).join(name)) {
            let shown = if field == "hresult" { describe_hresult(value) } else { value.to_owned() };
            fields.insert(field.to_owned(), shown.into());
        }
    }
    fields.into()
}

impl Recipe for RollbackUpdate {
    fn name(&self) -> &'static str {
        "rollback_update"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.node()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::exec(self.node())]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    /// How the status is written is not documented: a number is taken for an HRESULT, all else is shown.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let wait =
            |detail: String| Conclusion::Follow(Question { commands: vec![Command::get(self.status())], detail });
        let Some(status) = answer(items, &self.status()) else {
            let ask = || wait("the device accepted to take the update back".to_owned());
            return accepted_exec(items, "this device cannot take updates back by management", ask);
        };
        match text(items, &self.status()) {
            None => wait("the device accepted to take the update back and does not tell how far it is".to_owned()),
            Some(told) => match parse_hresult(told) {
                Some(0) => succeeded(status, "the update was taken back"),
                Some(code) => failed(status, "the update was not taken back", Some(code)),
                None => wait(format!("the device says: {}", told.chars().take(200).collect::<String>())),
            },
        }
    }
}
