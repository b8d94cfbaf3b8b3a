//! A renewal at once, whatever the window (management reference 7.25).

use super::judge::{accepted_exec, answer, error_at, failed, succeeded};
use super::recipe::{Order, Recipe};
use super::{Conclusion, Question, Repeat};
use crate::domain::command::ItemState;
use crate::proto::csp::renewal::{self, Progress};
use crate::proto::syncml::{Command, LocUri};

/// Have the device renew its certificate.
pub(super) struct RenewCertificate;

impl Recipe for RenewCertificate {
    fn name(&self) -> &'static str {
        "renew_certificate"
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(renewal::RENEW_NOW)]
    }

    fn first_step(&self, _: &Order<'_>) -> Vec<Command> {
        vec![Command::exec(LocUri::fixed(renewal::RENEW_NOW))]
    }

    /// Once more makes one more certificate, in place of one that nobody has used.
    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    fn conclude(&self, _: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let Some(status) = answer(items, &LocUri::fixed(renewal::STATUS)) else {
            let ask = || wait("the device is asked to renew its certificate");
            return accepted_exec(items, "this device does not renew its certificate on request", ask);
        };
        match status.data.as_deref().and_then(Progress::parse) {
            Some(Progress::Done) => succeeded(status, "the device says that it renewed its certificate"),
            Some(Progress::Failed) => {
                let error = error_at(items, &LocUri::fixed(renewal::ERROR_CODE));
                failed(status, &cause(error), error)
            }
            Some(Progress::Busy) => wait("the device is renewing its certificate"),
            Some(Progress::NotStarted) => wait("the device has not begun to renew its certificate"),
            None => wait("the device does not tell how far its renewal is"),
        }
    }
}

/// Why it failed, as far as the number tells.
fn cause(error: Option<u32>) -> String {
    match error.and_then(renewal::http_status) {
        // Seen where servers had no renewal service and answered nevertheless.
        Some(200) => "the renewal failed: the server answered, but with nothing that Windows could use".to_owned(),
        Some(status) => format!("the renewal failed: the server answered with HTTP status {status}"),
        None => "the renewal failed".to_owned(),
    }
}

fn wait(words: &str) -> Conclusion {
    Conclusion::Follow(Question { commands: renewal::read_progress(), detail: words.to_owned() })
}
