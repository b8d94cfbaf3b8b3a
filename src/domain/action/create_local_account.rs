//! A new local account (management reference 7.3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::judge::{conclude_all, over};
use super::recipe::{Mistake, Order, Recipe};
use super::{Conclusion, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::accounts;
use crate::proto::csp::secret::Secret;
use crate::proto::csp::value::{Line, check_line};
use crate::proto::syncml::{Command, LocUri};

/// Make a local account; one of that name that is there already stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLocalAccount {
    /// Its name.
    #[schema(value_type = String, example = "helpdesk")]
    pub account: Line<20>,
    /// Its password.
    pub password: Secret,
    /// Whether it is an administrator. Default false.
    #[serde(default)]
    pub administrator: bool,
}

/// Characters that no account name has.
const FORBIDDEN: &str = "\"/\\[]:;|=,+*?<>@";

impl Recipe for CreateLocalAccount {
    fn name(&self) -> &'static str {
        "create_local_account"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.account.as_str().chars().any(|c| FORBIDDEN.contains(c)) {
            mistakes.push(Mistake::new("/account", format!("holds none of {FORBIDDEN}")));
        }
        if let Err(words) = check_line(self.password.reveal(), 127) {
            mistakes.push(Mistake::new("/password", words));
        }
        mistakes
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        Vec::new()
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        accounts::create(&self.account, self.password.reveal(), self.administrator)
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let password = items.iter().find(|item| item.is_for(&accounts::user(&self.account).below("Password")));
        match password {
            Some(item) if item.is_own_work() => conclude_all(items),
            Some(item) if matches!(item.status, Some(418 | 500)) => {
                let words =
                    "the account was not made; one of that name may be there already, whose password only LAPS changes";
                over(std::slice::from_ref(item), CommandState::Failed, words)
            }
            Some(item) if matches!(item.status, Some(404..=406)) => {
                let words = "this edition makes no local accounts by management";
                over(std::slice::from_ref(item), CommandState::Unsupported, words)
            }
            _ => conclude_all(items),
        }
    }
}
