//! Windows Update: approvals, lists, and taking an update back (management reference 7.17).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::judge::{accepted_exec, answer, conclude_all, decide, failed, over, parse_hresult, succeeded, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::update::{self, UpdateKind};
use crate::proto::csp::value::Guid;
use crate::proto::syncml::{Command, LocUri, Verb, split_children};

/// Let an update be installed where only approved ones are, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveUpdate {
    /// The update.
    pub update_id: Guid,
    /// Whether it is approved. Default true; false takes an approval back.
    #[serde(default = "yes")]
    pub approve: bool,
}

fn yes() -> bool {
    true
}

impl Recipe for ApproveUpdate {
    fn name(&self) -> &'static str {
        "approve_update"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(update::APPROVED)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![if self.approve { update::approve(self.update_id) } else { update::revoke_approval(self.update_id) }]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match (items.first().and_then(|item| item.status), self.approve) {
            (Some(418), true) => over(items, CommandState::Succeeded, "the update was approved before"),
            (Some(404), true) => over(items, CommandState::Unsupported, "this device takes no approvals"),
            _ => conclude_all(items),
        }
    }
}

/// Read which updates failed, are there, could be there, and wait for a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListUpdates {}

/// Lists whose entries have details, with the names of those.
const DETAILS: [(&str, &[&str]); 3] = [
    (update::FAILED, &["HResult", "Status"]),
    (update::INSTALLABLE, &["Type"]),
    (update::PENDING_REBOOT, &["InstalledTime"]),
];
/// Updates of one list whose details are read.
const MOST_DETAILS: usize = 20;

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

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let is_first = answer(items, &LocUri::fixed(update::LAST_SCAN)).is_some();
        let details = if is_first { details(items) } else { Vec::new() };
        if !details.is_empty() {
            return Conclusion::Next(details);
        }
        if is_first && items.iter().all(|item| item.status == Some(404)) {
            return over(items, CommandState::Unsupported, "this device tells nothing about its updates");
        }
        match items.iter().find(|item| item.status.is_some_and(|code| code >= 300 && code != 404)) {
            Some(refused) => Conclusion::Finished(decide(refused, Verb::Get)),
            None => over(items, CommandState::Succeeded, "the device told of its updates"),
        }
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let list = |node: &'static str| {
            let root = LocUri::fixed(node);
            let entry = |id: String| entry(items, &root, &id);
            let ids = text(items, &root).map(split_children).unwrap_or_default();
            ids.into_iter().take(MOST_SHOWN).map(entry).collect::<Vec<_>>()
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

/// Updates of one list that are shown.
const MOST_SHOWN: usize = 1_000;

/// What reads the details of the listed updates.
fn details(items: &[ItemState]) -> Vec<Command> {
    let of = |(node, names): (&'static str, &'static [&'static str])| {
        let root = LocUri::fixed(node);
        let ids = text(items, &root).map(split_children).unwrap_or_default();
        let read =
            move |id: String| names.iter().map(move |name| Command::get(LocUri::fixed(node).join(&id).join(name)));
        ids.into_iter().take(MOST_DETAILS).flat_map(read).collect::<Vec<_>>()
    };
    DETAILS.into_iter().flat_map(of).collect()
}

fn entry(items: &[ItemState], root: &LocUri, id: &str) -> Value {
    const FIELDS: [(&str, &str); 4] =
        [("HResult", "hresult"), ("Status", "status"), ("Type", "type"), ("InstalledTime", "installed_at")];
    let mut fields = Map::from_iter([("id".to_owned(), Value::from(id))]);
    for (name, field) in FIELDS {
        if let Some(value) = text(items, &root.join(id).join(name)) {
            let shown = if field == "hresult" { super::describe_hresult(value) } else { value.to_owned() };
            fields.insert(field.to_owned(), shown.into());
        }
    }
    fields.into()
}

/// Take the last update of a kind back: where updates are paused, and within the time in which Windows can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackUpdate {
    /// Which.
    pub update: UpdateKind,
}

impl Recipe for RollbackUpdate {
    fn name(&self) -> &'static str {
        "rollback_update"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.update.rollback()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::exec(self.update.rollback())]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    /// The page says that the status is the result of the last one, and not how it is written: a number is an HRESULT.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let wait = |detail: String| {
            Conclusion::Follow(Question { commands: vec![Command::get(self.update.rollback_status())], detail })
        };
        let Some(status) = answer(items, &self.update.rollback_status()) else {
            let ask = || wait("the device accepted to take the update back".to_owned());
            return accepted_exec(items, "this device cannot take updates back by management", ask);
        };
        match text(items, &self.update.rollback_status()) {
            None => wait("the device accepted to take the update back and does not tell how far it is".to_owned()),
            Some(told) => match parse_hresult(told) {
                Some(0) => succeeded(status, "the update was taken back"),
                Some(code) => failed(status, "the update was not taken back", Some(code)),
                None => wait(format!("the device says: {}", told.chars().take(200).collect::<String>())),
            },
        }
    }
}
