//! Health attestation, by the service of Windows or by Azure (management reference 7.16).

use serde_json::{Value, json};

use super::judge::{PENDING, accepted_exec, answer, error_at, explained, failed, over, succeeded, text};
use super::recipe::{Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Impossible, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::domain::enrollment::Enrollment;
use crate::proto::csp::health_attestation::{self as csp, AttestHealth, Attested, Service};
use crate::proto::syncml::{AlertType, Command, LocUri};

impl Recipe for AttestHealth {
    fn name(&self) -> &'static str {
        "attest_health"
    }

    fn check(&self, _: &Enrollment) -> Result<(), Impossible> {
        self.check().map_err(Impossible::Parameter)
    }

    fn goes_by_description(&self) -> bool {
        true
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(match self.service {
            Service::Windows => csp::VERIFY_HEALTH,
            Service::Azure => csp::TRIGGER,
        })]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        vec![self.begin(&nonce(order), &order.id.to_string())]
    }

    fn repeat(&self, _: &[Command]) -> Repeat {
        Repeat::Never
    }

    fn conclude(&self, order: &Order<'_>, items: &[ItemState]) -> Conclusion {
        match self.service {
            Service::Windows => conclude_windows(order, items),
            Service::Azure => conclude_azure(items),
        }
    }

    /// 3 says that the certificate can be fetched; anything else, that there is something to ask.
    fn hear(&self, order: &Order<'_>, alert: &DeviceAlert<'_>) -> Option<Heard> {
        if self.service != Service::Windows || *alert.subject != AlertType::HealthAttestation {
            return None;
        }
        let is_ready = Attested::parse(alert.data) == Some(Attested::Ready);
        let commands = if is_ready { csp::collect(&nonce(order)) } else { csp::read_status() };
        Some(Heard::Look(Question { commands, detail: "the device tells that it is done".to_owned() }))
    }

    fn result(&self, order: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let told = |node: &'static str| text(items, &LocUri::fixed(node));
        Some(match self.service {
            Service::Windows => json!({
                "nonce": nonce(order),
                "certificate": told(csp::CERTIFICATE),
                "correlation_id": told(csp::CORRELATION_ID),
                "tpm_ready_status": told(csp::TPM_READY),
                "protocol_version": told(csp::PROTOCOL),
            }),
            Service::Azure => json!({
                "nonce": nonce(order),
                "report": told(csp::REPORT),
                "correlation_ids": told(csp::SERVICE_IDS),
                "error": told(csp::ERROR_MESSAGE),
            }),
        })
    }
}

/// The id of the action: 16 bytes that are new each time, most of them random.
fn nonce(order: &Order<'_>) -> String {
    order.id.simple().to_string()
}

fn conclude_windows(order: &Order<'_>, items: &[ItemState]) -> Conclusion {
    let node = LocUri::fixed(csp::CERTIFICATE);
    if let Some(certificate) = answer(items, &node) {
        return match text(items, &node) {
            Some(_) => succeeded(certificate, "the device proved its health; the certificate is in the result"),
            None => over(std::slice::from_ref(certificate), CommandState::Failed, "the device gave no certificate"),
        };
    }
    let wait = |detail: String| Conclusion::Follow(Question { commands: csp::read_status(), detail });
    let Some(status) = answer(items, &LocUri::fixed(csp::STATUS)) else {
        let ask = || wait("the device prepares the attestation".to_owned());
        return accepted_exec(items, "this device has no health attestation", ask);
    };
    match status.data.as_deref().and_then(Attested::parse) {
        Some(Attested::Ready) => Conclusion::Next(csp::collect(&nonce(order))),
        Some(Attested::Failed) => failed(status, "the device could not have its health attested", None),
        Some(Attested::Busy) => wait("the device prepares the attestation".to_owned()),
        Some(Attested::Other(code)) => wait(format!("the attestation is at stage {code}")),
        None => wait("the device does not tell how far the attestation is".to_owned()),
    }
}

fn conclude_azure(items: &[ItemState]) -> Conclusion {
    let wait = |words: &str| Conclusion::Follow(Question { commands: csp::read_report(), detail: words.to_owned() });
    let node = LocUri::fixed(csp::ATTEST_STATUS);
    let Some(status) = answer(items, &node) else {
        let ask = || wait("the device asks for its report");
        return accepted_exec(items, "this build has no attestation by Azure", ask);
    };
    let has_report = text(items, &LocUri::fixed(csp::REPORT)).is_some();
    match error_at(items, &node) {
        Some(0) if has_report => succeeded(status, "the device proved its health; the report is in the result"),
        Some(code) if code & FAILURE != 0 && code != PENDING => {
            let words = explained("the attestation failed", items, &LocUri::fixed(csp::ERROR_MESSAGE));
            failed(status, &words, Some(code))
        }
        _ => wait("the device waits for its report"),
    }
}

/// The bit of an HRESULT that says that it is a failure.
const FAILURE: u32 = 0x8000_0000;
