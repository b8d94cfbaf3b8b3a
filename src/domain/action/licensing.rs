//! Another edition of Windows, another product key (management reference 7.18).

use serde_json::{Value, json};
use time::Duration;

use super::judge::{accepted_exec, answer, conclude_all, failed, succeeded, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Impossible, Placing, Question, Repeat};
use crate::domain::command::ItemState;
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::windows_licensing::{self, ChangeProductKey, Upgrade, UpgradeEdition};
use crate::proto::syncml::{Command, LocUri, Verb};

const UNSUPPORTED: &str = "this device takes no product keys by management";

impl Recipe for UpgradeEdition {
    fn name(&self) -> &'static str {
        "upgrade_edition"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(windows_licensing::UPGRADE_EDITION)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    /// The device restarts by it.
    fn placing(&self, body: &[Command]) -> Placing {
        if body.iter().any(|command| command.verb == Verb::Exec) { Placing::BEFORE_THE_LAST } else { Placing::USUAL }
    }

    fn patience(&self) -> Duration {
        Duration::WEEK
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let wait = |words: &str| {
            Conclusion::Follow(Question { commands: windows_licensing::read(), detail: words.to_owned() })
        };
        let Some(status) = answer(items, &LocUri::fixed(windows_licensing::STATUS)) else {
            return accepted_exec(items, UNSUPPORTED, || wait("the device accepted the product key"));
        };
        match status.data.as_deref().map(Upgrade::parse) {
            Some(Upgrade::Done) => succeeded(status, "the edition was changed"),
            Some(Upgrade::Failed) => failed(status, "the edition was not changed", None),
            Some(Upgrade::Pending) => wait("the change of edition waits, perhaps for a restart"),
            Some(Upgrade::InProgress) => wait("the change of edition is under way"),
            Some(Upgrade::Unknown) | None => {
                wait("the device accepted the product key and does not tell how far it is")
            }
        }
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let edition = text(items, &LocUri::fixed(windows_licensing::EDITION))?;
        Some(json!({ "edition": edition }))
    }
}

impl Recipe for ChangeProductKey {
    fn name(&self) -> &'static str {
        "change_product_key"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(windows_licensing::CHANGE_PRODUCT_KEY)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        accepted_exec(items, UNSUPPORTED, || conclude_all(items))
    }
}
