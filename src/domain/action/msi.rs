//! MSI packages: installed, with their progress, and removed (management reference 7.14).

use time::Duration;

use super::judge::{accepted_exec, answer, conclude_all, error_at, explained, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Impossible, Question, Repeat};
use crate::domain::command::ItemState;
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::msi::{self, InstallMsi, Progress, UninstallMsi};
use crate::proto::syncml::{AlertType, Command, LocUri, Verb};

impl InstallMsi {
    fn wait(&self, detail: impl Into<String>) -> Conclusion {
        Conclusion::Follow(Question { commands: self.read(), detail: detail.into() })
    }
}

impl Recipe for InstallMsi {
    fn name(&self) -> &'static str {
        "install_msi"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![self.download_install()]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    /// Running the same job for a product that is there does nothing.
    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Offers { most: 3, pause: Duration::ZERO }
    }

    /// It may wait for the user to sign in.
    fn patience(&self) -> Duration {
        Duration::WEEK
    }

    /// The Add and the Exec have the same node; the Exec decides.
    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let root = msi::node(self.scope, self.product_code);
        let Some(status) = answer(items, &root.below("Status")) else {
            let unsupported = "this edition of Windows installs no MSI packages by management";
            return accepted_exec(items, unsupported, || self.wait("the device accepted the job"));
        };
        match status.data.as_deref().and_then(Progress::parse) {
            Some(Progress::Done) => succeeded(status, "the product is installed"),
            Some(Progress::Failed(words)) => {
                let words = explained(words, items, &root.below("LastErrorDesc"));
                failed(status, &words, error_at(items, &root.below("LastError")))
            }
            Some(Progress::Busy(words)) => self.wait(words),
            Some(Progress::Other(code)) => self.wait(format!("the installation is at stage {code}")),
            None => self.wait("the device accepted the job and does not tell how far it is"),
        }
    }

    /// The alert at the end names the node of the job.
    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let is_over = alert.is(&AlertType::MsiInstall, &self.download_install());
        is_over.then(|| alert.told("the product is installed", "the installation failed"))
    }
}

impl Recipe for UninstallMsi {
    fn name(&self) -> &'static str {
        "uninstall_msi"
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![msi::node(self.scope, self.product_code)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::delete(msi::node(self.scope, self.product_code))]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(item) = items.first() else { return conclude_all(items) };
        let wait = |words: &str| {
            let commands = vec![Command::get(msi::node(self.scope, self.product_code))];
            Conclusion::Follow(Question { commands, detail: words.to_owned() })
        };
        match (item.verb(), item.status) {
            (Verb::Delete, Some(202)) => wait("the device accepted to remove the product"),
            (Verb::Delete, Some(404 | 410)) => succeeded(item, "no such product was installed by management"),
            (Verb::Get, Some(404 | 410)) => succeeded(item, "the product is removed"),
            (Verb::Get, Some(200)) => wait("the product is still there"),
            _ => conclude_all(items),
        }
    }
}
