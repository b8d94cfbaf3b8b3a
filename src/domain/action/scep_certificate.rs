//! A certificate that the device gets by SCEP (management reference 7.13).

use serde_json::{Value, json};
use time::Duration;

use super::judge::{answer, conclude_setting, error_at, failed, succeeded, text};
use super::recipe::{Order, Recipe};
use super::setting::needed;
use super::{Conclusion, DeviceAlert, Heard, Impossible, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::client_certificate::scep::{self, Enrolled, ScepCertificate};
use crate::proto::csp::value::Guid;
use crate::proto::syncml::{AlertType, Command, LocUri, Verb};

impl ScepCertificate {
    fn id(&self, order: &Order<'_>) -> Guid {
        self.certificate_id.unwrap_or(Guid(order.id))
    }

    fn root(&self, order: &Order<'_>) -> LocUri {
        scep::node(self.scope, self.id(order))
    }

    fn question(&self, order: &Order<'_>, detail: &str) -> Question {
        Question { commands: scep::read(self.scope, self.id(order)), detail: detail.to_owned() }
    }
}

impl Recipe for ScepCertificate {
    fn name(&self) -> &'static str {
        "scep_certificate"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, order: &Order<'_>) -> Vec<LocUri> {
        needed(&self.first_step(order))
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        vec![self.enroll(self.id(order))]
    }

    /// A challenge works once.
    fn repeat(&self, body: &[Command]) -> Repeat {
        if body.iter().all(|command| command.verb == Verb::Get) { Repeat::Freely } else { Repeat::Never }
    }

    /// An authority may leave the decision to people.
    fn patience(&self) -> Duration {
        Duration::WEEK
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let root = self.root(order);
        let wait = |words: &str| Conclusion::Follow(self.question(order, words));
        let Some(status) = answer(items, &root.below("Status")) else {
            return match conclude_setting(items, "the certificate", String::new()) {
                Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
                    wait("the device asks the authority")
                }
                other => other,
            };
        };
        match status.data.as_deref().map(Enrolled::parse) {
            Some(Enrolled::Done) => succeeded(status, "the device got its certificate"),
            Some(Enrolled::Failed) => {
                failed(status, "the device got no certificate", error_at(items, &root.below("ErrorCode")))
            }
            Some(Enrolled::Pending) => wait("the authority has not decided yet"),
            Some(Enrolled::Unknown) | None => wait("the device asks the authority and does not tell how far it is"),
        }
    }

    /// The alert says that it is over; how, the nodes tell.
    fn hear(&self, order: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        let is_own = alert.source.is_some_and(|source| source.is_at_or_below(&self.root(order)));
        let is_over = is_own && *alert.subject == AlertType::ScepInstall;
        is_over.then(|| Heard::Look(self.question(order, "the device tells that it is done")))
    }

    fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let told = |name| text(items, &self.root(order).below(name)).map(str::to_owned);
        Some(json!({
            "certificate_id": self.id(order),
            "thumbprint": told("CertThumbprint"),
            "server_url": told("RespondentServerUrl"),
        }))
    }
}
