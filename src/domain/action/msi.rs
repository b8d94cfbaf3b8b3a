//! MSI packages: installed, with their progress, and removed (management reference 7.14).

use time::Duration;

use super::judge::{accepted_exec, answer, conclude_all, error_at, failed, over, succeeded, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::msi::{self, InstallMsi, Progress, UninstallMsi};
use crate::proto::syncml::{AlertType, Command, LocUri};

impl Recipe for InstallMsi {
    fn name(&self) -> &'static str {
        "install_msi"
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

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let root = msi::node(self.scope, self.product_code);
        let Some(status) = answer(items, &root.below("Status")) else {
            let unsupported = "this edition of Windows installs no MSI packages by management";
            return accepted_exec(items, unsupported, || self.wait("the device accepted the job".to_owned()));
        };
        let error = error_at(items, &root.below("LastError"));
        let explained = |words: &str| match text(items, &root.below("LastErrorDesc")) {
            Some(more) => format!("{words}: {}", more.chars().take(LONGEST_REASON).collect::<String>()),
            None => words.to_owned(),
        };
        match status.data.as_deref().and_then(Progress::parse) {
            Some(Progress::Done) => succeeded(status, "the product is installed"),
            Some(Progress::Failed(words)) => failed(status, &explained(words), error),
            Some(Progress::Busy(words)) => self.wait(words.to_owned()),
            Some(Progress::Other(code)) => self.wait(format!("the installation is at stage {code}")),
            None => self.wait("the device accepted the job and does not tell how far it is".to_owned()),
        }
    }

    /// The alert at the end names the node of the job.
    fn hear(&self, _: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let about = alert.source.is_some_and(|source| source.same_as(&self.download_install()));
        (about && *alert.subject == AlertType::MsiInstall)
            .then(|| alert.told("the product is installed", "the installation failed"))
    }
}

impl InstallMsi {
    fn wait(&self, detail: String) -> Conclusion {
        Conclusion::Follow(Question { commands: self.read(), detail })
    }
}

impl Recipe for UninstallMsi {
    fn name(&self) -> &'static str {
        "uninstall_msi"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![msi::node(self.scope, self.product_code)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        self.commands()
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match items.first().and_then(|item| item.status) {
            Some(404 | 410) => over(items, CommandState::Succeeded, "no such product was installed by management"),
            _ => conclude_all(items),
        }
    }
}

/// Longest explanation of a device that is shown, in characters.
const LONGEST_REASON: usize = 300;
