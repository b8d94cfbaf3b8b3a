//! Health attestation, by Microsoft's service or by Azure (management reference 7.16).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::judge::{accepted_exec, answer, error_at, failed, over, succeeded, text};
use super::recipe::{Mistake, Order, Recipe};
use super::{Conclusion, DeviceAlert, Heard, Question, Repeat};
use crate::domain::command::{CommandState, ItemState};
use crate::proto::csp::health_attestation::{self as csp, Trigger};
use crate::proto::csp::secret::Secret;
use crate::proto::csp::value::{HttpUrl, Line};
use crate::proto::syncml::{AlertType, Command, LocUri};

/// Have the device prove what its TPM measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestHealth {
    /// Where it is proven. Default `windows`.
    #[serde(default)]
    pub service: Service,
    /// Of Azure: the attestation provider.
    #[serde(default)]
    pub service_endpoint: Option<HttpUrl>,
    /// Of Azure: who relies on the report.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub relying_party: Option<Line<255>>,
    /// Of Azure: a token for the provider, where it asks for one.
    #[serde(default)]
    pub token: Option<Secret>,
}

/// Where it is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// By the health attestation service of Windows.
    #[default]
    Windows,
    /// By Azure Attestation.
    Azure,
}

/// The blob is there.
const READY: &str = "3";

impl Recipe for AttestHealth {
    fn name(&self) -> &'static str {
        "attest_health"
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let given = [
            ("/service_endpoint", self.service_endpoint.is_some()),
            ("/relying_party", self.relying_party.is_some()),
            ("/token", self.token.is_some()),
        ];
        match self.service {
            Service::Windows => given
                .into_iter()
                .filter(|(_, is_given)| *is_given)
                .map(|(pointer, _)| Mistake::new(pointer, "belongs to the service azure only"))
                .collect(),
            Service::Azure => given
                .into_iter()
                .take(2)
                .filter(|(_, is_given)| !is_given)
                .map(|(pointer, _)| Mistake::new(pointer, "is needed for the service azure"))
                .collect(),
        }
    }

    fn nodes(&self, _: &Order<'_>) -> Vec<LocUri> {
        vec![LocUri::fixed(match self.service {
            Service::Windows => csp::VERIFY_HEALTH,
            Service::Azure => csp::TRIGGER,
        })]
    }

    fn first_step(&self, order: &Order<'_>) -> Vec<Command> {
        match (self.service, &self.service_endpoint, &self.relying_party) {
            (Service::Azure, Some(service_endpoint), Some(relying_party)) => vec![csp::trigger(&Trigger {
                relying_party,
                service_endpoint,
                nonce: &nonce(order),
                token: self.token.as_ref(),
                correlation: &order.id.to_string(),
            })],
            _ => vec![csp::verify()],
        }
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
        let commands = if alert.data.trim() == READY { csp::collect(&nonce(order)) } else { csp::read_status() };
        Some(Heard::Look(Question { commands, detail: "the device tells that it is done".to_owned() }))
    }

    fn result(&self, _: &Order<'_>, items: &[ItemState]) -> Option<Value> {
        let told = |node: &'static str| text(items, &LocUri::fixed(node));
        Some(match self.service {
            Service::Windows => json!({
                "certificate": told(csp::CERTIFICATE),
                "correlation_id": told(csp::CORRELATION_ID),
                "tpm_ready_status": told(csp::TPM_READY),
                "protocol_version": told(csp::PROTOCOL),
            }),
            Service::Azure => json!({
                "report": told(csp::REPORT),
                "correlation_ids": told(csp::SERVICE_IDS),
                "error": told(csp::ERROR_MESSAGE),
            }),
        })
    }
}

/// The id of the action is new each time, and half of it is random.
fn nonce(order: &Order<'_>) -> String {
    order.id.simple().to_string()
}

fn conclude_windows(order: &Order<'_>, items: &[ItemState]) -> Conclusion {
    if let Some(certificate) = answer(items, &LocUri::fixed(csp::CERTIFICATE)) {
        return match text(items, &LocUri::fixed(csp::CERTIFICATE)) {
            Some(_) => succeeded(certificate, "the device proved its health; the certificate is in the result"),
            None => over(items, CommandState::Failed, "the device gave no certificate"),
        };
    }
    let wait = |commands: Vec<Command>, detail: String| Conclusion::Follow(Question { commands, detail });
    let Some(status) = answer(items, &LocUri::fixed(csp::STATUS)) else {
        let ask = || wait(csp::read_status(), "the device prepares the attestation".to_owned());
        return accepted_exec(items, "this device has no health attestation", ask);
    };
    match status.data.as_deref().map(str::trim) {
        Some(READY) => Conclusion::Next(csp::collect(&nonce(order))),
        Some("2") => failed(status, "the device could not have its health attested", None),
        Some(code) => wait(csp::read_status(), format!("the attestation is at stage {code}")),
        None => wait(csp::read_status(), "the device does not tell how far the attestation is".to_owned()),
    }
}

fn conclude_azure(items: &[ItemState]) -> Conclusion {
    let wait = |words: &str| Conclusion::Follow(Question { commands: csp::read_report(), detail: words.to_owned() });
    let Some(status) = answer(items, &LocUri::fixed(csp::ATTEST_STATUS)) else {
        return accepted_exec(items, "this build has no attestation by Azure", || {
            wait("the device asks for its report")
        });
    };
    if text(items, &LocUri::fixed(csp::REPORT)).is_some() {
        return succeeded(status, "the device proved its health; the report is in the result");
    }
    match error_at(items, &LocUri::fixed(csp::ATTEST_STATUS)) {
        Some(code) if code >= 0x8000_0000 => {
            let more =
                text(items, &LocUri::fixed(csp::ERROR_MESSAGE)).map(|text| format!(": {text}")).unwrap_or_default();
            failed(status, &format!("the attestation failed{more}"), Some(code))
        }
        _ => wait("the device waits for its report"),
    }
}
