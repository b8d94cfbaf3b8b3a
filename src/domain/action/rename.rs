//! Another computer name (management reference 7.24).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{decide_or_retry, ending, is_done, no_status};
use super::recipe::{Instead, Order, Recipe};
use super::{Conclusion, Impossible, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::{accounts, computer_name};
use crate::proto::syncml::{Command, LocUri, Verb};

/// Change the computer name; the new one counts from the next restart on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The new name, 1 to 15 characters; `%SERIAL%` and `%RAND:n%` are filled in by Windows.
    pub name: String,
}

impl Recipe for Rename {
    fn name(&self) -> &'static str {
        "rename"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        computer_name::check(&self.name).map_err(Impossible::Name)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(computer_name::DNS_COMPUTER_NAME)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![computer_name::rename(&self.name)]
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    /// Builds before 10.0.19041 take a name elsewhere.
    fn instead(&self) -> Option<Instead> {
        let nodes = vec![LocUri::fixed(accounts::COMPUTER_NAME)];
        Some(Instead { nodes, commands: vec![accounts::rename(&self.name)] })
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// The new name counts from the next start on.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return Conclusion::Finished(no_status()) };
        let is_first = item.is_for(&LocUri::fixed(computer_name::DNS_COMPUTER_NAME));
        Conclusion::Finished(match item.status {
            Some(404 | 406) if is_first => return Conclusion::Next(vec![accounts::rename(&self.name)]),
            Some(404 | 406) => ending(CommandState::Unsupported, item, "this device cannot be renamed by management"),
            Some(code) if is_done(Verb::Replace, code) => {
                ending(CommandState::Succeeded, item, "the new name counts after the next restart")
            }
            _ => return decide_or_retry(item, Verb::Replace),
        })
    }
}
