//! A certificate with its key, as PKCS#12 (management reference 7.13).

use serde_json::{Value, json};

use super::judge::{answer, conclude_setting, error_at, failed, succeeded, text};
use super::recipe::{Order, Recipe};
use super::setting::needed;
use super::{Conclusion, Impossible, Placing, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::client_certificate::pfx::{self, BLOB_FORMATS, PfxCertificate};
use crate::proto::csp::value::Guid;
use crate::proto::syncml::{Command, LocUri, Verb};

/// The device does not take the format in which a value was sent.
const FORMAT_REFUSED: u16 = 415;

impl PfxCertificate {
    fn id(&self, order: &Order<'_>) -> Guid {
        self.certificate_id.unwrap_or(Guid(order.id))
    }

    fn root(&self, order: &Order<'_>) -> LocUri {
        pfx::node(self.scope, self.id(order))
    }

    /// The same once more in the next format, where that of this step was refused.
    fn in_next_format(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Command> {
        let blob = self.root(order).below("PFXCertBlob");
        let is_refused = items.iter().any(|item| item.status == Some(FORMAT_REFUSED) && item.is_for(&blob));
        let next = usize::try_from(order.step).ok()?.checked_add(1)?;
        let format = BLOB_FORMATS.get(next).filter(|_| is_refused)?;
        Some(self.install(self.id(order), format))
    }
}

impl Recipe for PfxCertificate {
    fn name(&self) -> &'static str {
        "pfx_certificate"
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
        vec![self.install(self.id(order), BLOB_FORMATS[0])]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Freely
    }

    /// Windows puts one for the device and one for the user into the same store where both come in one message.
    fn placing(&self, body: &[Command]) -> Placing {
        Placing { alone: body.iter().any(|command| command.verb == Verb::Atomic), ..Placing::USUAL }
    }

    /// The Atomic in each format until one is taken; then what came of it is read.
    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        let status = self.root(order).below("Status");
        if let Some(told) = answer(items, &status) {
            return match error_at(items, &status) {
                Some(0) => succeeded(told, "the certificate and its key are installed"),
                None => succeeded(told, "the device took the certificate; it does not tell its status"),
                Some(code) => failed(told, "the certificate was not installed", Some(code)),
            };
        }
        if let Some(again) = self.in_next_format(order, items) {
            return Conclusion::Next(vec![again]);
        }
        match conclude_setting(items, "the certificate", String::new()) {
            Conclusion::Finished(ending) if ending.state == CommandState::Succeeded => {
                Conclusion::Next(pfx::read(self.scope, self.id(order)))
            }
            other => other,
        }
    }

    fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let thumbprint = text(items, &self.root(order).below("Thumbprint"));
        Some(json!({ "certificate_id": self.id(order), "thumbprint": thumbprint }))
    }
}
