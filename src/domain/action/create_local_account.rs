//! A new local account (management reference 7.3).

use super::judge::{conclude_all, ending};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Impossible, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::accounts::CreateLocalAccount;
use crate::proto::syncml::{Command, LocUri};

impl Recipe for CreateLocalAccount {
    fn name(&self) -> &'static str {
        "create_local_account"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.password_node()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.iter().find(|item| item.is_for(&self.password_node())) else {
            return conclude_all(items);
        };
        let (state, words) = match item.status {
            Some(418 | 500) if !item.is_own_work() => {
                let words =
                    "the account was not made; one of that name may be there already, whose password only LAPS changes";
                (CommandState::Failed, words)
            }
            Some(404 | 406) => {
                (CommandState::Unsupported, "this edition of Windows makes no local accounts by management")
            }
            _ => return conclude_all(items),
        };
        Conclusion::Finished(ending(state, item, words))
    }
}
