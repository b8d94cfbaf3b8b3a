//! Another computer name (management reference 7.24).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{decide_or_retry, ending, is_done, no_status};
use super::recipe::{Instead, Mistake, Order, Recipe};
use super::{Conclusion, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::{accounts, computer_name};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Change the computer name; it counts from the next restart on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The new name, 1 to 15 characters; `%SERIAL%` and `%RAND:n%` are filled in by Windows.
    #[schema(example = "FRONT-DESK-1")]
    pub name: String,
}

impl Recipe for Rename {
    fn name(&self) -> &'static str {
        "rename"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let checked = computer_name::check(self.name.trim());
        checked.err().map(|error| Mistake::new("/name", error.to_string())).into_iter().collect()
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(computer_name::DNS_COMPUTER_NAME)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![computer_name::rename(self.name.trim())]
    }

    /// Older builds take a name elsewhere.
    fn instead(&self, _: &Order<'_>) -> Option<Instead> {
        let node = LocUri::fixed(accounts::COMPUTER_NAME);
        Some(Instead { nodes: vec![node], commands: vec![accounts::rename(self.name.trim())] })
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
        let is_first = item.is_for(&LocUri::fixed(computer_name::DNS_COMPUTER_NAME));
        Conclusion::Finished(match item.status {
            Some(404 | 406) if is_first => return Conclusion::Next(vec![accounts::rename(self.name.trim())]),
            Some(404 | 406) => ending(CommandState::Unsupported, item, "this device cannot be renamed by management"),
            Some(code) if is_done(Verb::Replace, code) => {
                ending(CommandState::Succeeded, item, "the new name counts after the next restart")
            }
            _ => return decide_or_retry(item, Verb::Replace),
        })
    }
}
