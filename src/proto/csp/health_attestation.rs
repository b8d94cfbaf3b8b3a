//! HealthAttestation CSP (10.0.10586; by Azure from 10.0.22000; management reference 7.16): what the TPM measured when the
//! device started.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::secret::Secret;
use super::value::HttpUrl;
use crate::proto::syncml::{Command, LocUri};

/// The node that begins an attestation by the service of Windows.
pub const VERIFY_HEALTH: &str = "./Vendor/MSFT/HealthAttestation/VerifyHealth";
/// Where that stands (`int`).
pub const STATUS: &str = "./Vendor/MSFT/HealthAttestation/Status";
/// What makes the certificate new (`chr`, hex of 8 to 32 bytes).
pub const NONCE: &str = "./Vendor/MSFT/HealthAttestation/Nonce";
/// What the service of Windows is asked with about the health of the device.
pub const CERTIFICATE: &str = "./Vendor/MSFT/HealthAttestation/Certificate";
/// An id for whoever looks for the attestation at the service.
pub const CORRELATION_ID: &str = "./Vendor/MSFT/HealthAttestation/CorrelationID";
/// Whether the TPM is ready (`int`, 10.0.14393).
pub const TPM_READY: &str = "./Vendor/MSFT/HealthAttestation/TpmReadyStatus";
/// The version of the protocol (`int`, 10.0.16299).
pub const PROTOCOL: &str = "./Vendor/MSFT/HealthAttestation/CurrentProtocolVersion";
/// The node that begins an attestation by Azure (`chr`, JSON).
pub const TRIGGER: &str = "./Vendor/MSFT/HealthAttestation/TriggerAttestation";
/// Where that stands, as an HRESULT (`int`).
pub const ATTEST_STATUS: &str = "./Vendor/MSFT/HealthAttestation/AttestStatus";
/// The report, a JWT.
pub const REPORT: &str = "./Vendor/MSFT/HealthAttestation/GetAttestReport";
/// Ids for whoever looks for the attestation at the service.
pub const SERVICE_IDS: &str = "./Vendor/MSFT/HealthAttestation/GetServiceCorrelationIDs";
/// Why it failed (10.0.22621.4541).
pub const ERROR_MESSAGE: &str = "./Vendor/MSFT/HealthAttestation/AttestErrorMessage";

/// Have the device prove what its TPM measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestHealth {
    /// Where it is proven.
    #[serde(default)]
    pub service: Service,
    /// Of Azure: the attestation provider.
    pub service_endpoint: Option<HttpUrl>,
    /// Of Azure: who relies on the report.
    pub relying_party: Option<String>,
    /// Of Azure: a token for the provider, where it asks for one.
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

/// What the status of an attestation by the service of Windows says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// 0, 1: it goes on.
    Busy,
    /// 2, and from 4 to 599: it failed.
    Failed,
    /// 3: the certificate can be fetched.
    Ready,
    /// A number that is not documented everywhere.
    Other(i64),
}

impl Attested {
    /// Reads the value of the status node, or of the alert.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().parse().ok()? {
            0 | 1 => Self::Busy,
            2 | 4..=599 => Self::Failed,
            3 => Self::Ready,
            other => Self::Other(other),
        })
    }
}

#[derive(Serialize)]
struct Trigger<'a> {
    #[serde(rename = "rpID")]
    relying_party: &'a str,
    #[serde(rename = "serviceEndpoint")]
    service_endpoint: &'a str,
    nonce: &'a str,
    #[serde(rename = "aadToken")]
    token: &'a str,
    #[serde(rename = "cv")]
    correlation_vector: &'a str,
}

impl AttestHealth {
    /// Whether what belongs to the service is there, and nothing else.
    pub fn check(&self) -> Result<(), Unfit> {
        let given = [
            ("/service_endpoint", self.service_endpoint.is_some()),
            ("/relying_party", self.relying_party.is_some()),
            ("/token", self.token.is_some()),
        ];
        let wrong = match self.service {
            Service::Windows => given.iter().find(|(_, is_given)| *is_given),
            Service::Azure => given.iter().take(2).find(|(_, is_given)| !is_given),
        };
        match (self.service, wrong) {
            (Service::Windows, Some((pointer, _))) => Err(Unfit::new(*pointer, "is for the service azure only")),
            (Service::Azure, Some((pointer, _))) => Err(Unfit::new(*pointer, "is needed for the service azure")),
            (_, None) => {
                parameter::optional_text("/relying_party", self.relying_party.as_deref(), 255)?;
                parameter::optional_text("/token", self.token.as_ref().map(Secret::reveal), 16 * 1024)
            }
        }
    }

    /// What begins it. The nonce is hex of 8 to 32 bytes; the correlation is for whoever looks for it at the service.
    #[must_use]
    pub fn begin(&self, nonce: &str, correlation: &str) -> Command {
        if self.service == Service::Windows {
            return Command::exec(LocUri::fixed(VERIFY_HEALTH));
        }
        let trigger = Trigger {
            relying_party: self.relying_party.as_deref().unwrap_or_default(),
            service_endpoint: self.service_endpoint.as_ref().map_or("", HttpUrl::as_str),
            nonce,
            token: self.token.as_ref().map_or("", Secret::reveal),
            correlation_vector: correlation,
        };
        let json = serde_json::to_string(&trigger).unwrap_or_default();
        Command::exec_with(LocUri::fixed(TRIGGER), "chr", &json)
    }
}

/// `Get` of where an attestation by the service of Windows stands.
#[must_use]
pub fn read_status() -> Vec<Command> {
    vec![Command::get(LocUri::fixed(STATUS))]
}

/// Has the certificate made for a nonce, and reads it with what belongs to it.
#[must_use]
pub fn collect(nonce: &str) -> Vec<Command> {
    let reads = [CERTIFICATE, CORRELATION_ID, TPM_READY, PROTOCOL].map(|node| Command::get(LocUri::fixed(node)));
    std::iter::once(Command::replace(LocUri::fixed(NONCE), "chr", nonce)).chain(reads).collect()
}

/// `Get` of what came of an attestation by Azure.
#[must_use]
pub fn read_report() -> Vec<Command> {
    [ATTEST_STATUS, REPORT, SERVICE_IDS, ERROR_MESSAGE].map(|node| Command::get(LocUri::fixed(node))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn read(json: &str) -> AttestHealth {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_service_has_its_own_begin() {
        let windows = read("{}");
        assert_eq!(windows.check(), Ok(()));
        assert_eq!(told(&[windows.begin("00", "cv")]), [format!("Exec {VERIFY_HEALTH}")]);
        let azure = read(
            r#"{"service": "azure", "relying_party": "https://mdm.example.test \"main\"", "token": "eyJ0",
                "service_endpoint": "https://a.attest.azure.net/attest/tpm?api-version=1"}"#,
        );
        assert_eq!(azure.check(), Ok(()));
        let begin = azure.begin("00ff", "cv.1");
        let sent: serde_json::Value = serde_json::from_str(begin.items[0].text()).unwrap();
        let expected = serde_json::json!({
            "rpID": "https://mdm.example.test \"main\"", "nonce": "00ff", "aadToken": "eyJ0", "cv": "cv.1",
            "serviceEndpoint": "https://a.attest.azure.net/attest/tpm?api-version=1",
        });
        assert_eq!(sent, expected);
        right(&[windows.begin("00", "cv"), begin]);
        right(&[read_status(), collect("00"), read_report()].concat());
        assert_eq!(told(&collect("00ff"))[0], format!("Replace {NONCE} chr 00ff"), "the nonce comes first");
    }

    #[test]
    fn what_belongs_to_the_other_service_is_refused() {
        let bad = [
            ("/service_endpoint", r#"{"service_endpoint": "https://a.test/"}"#),
            ("/token", r#"{"token": "x"}"#),
            ("/service_endpoint", r#"{"service": "azure", "relying_party": "r"}"#),
            ("/relying_party", r#"{"service": "azure", "service_endpoint": "https://a.test/"}"#),
            ("/relying_party", r#"{"service": "azure", "service_endpoint": "https://a.test/", "relying_party": ""}"#),
        ];
        for (pointer, json) in bad {
            assert_eq!(read(json).check().unwrap_err().pointer, pointer, "{json}");
        }
    }

    #[test]
    fn a_status_is_read() {
        let read = ["0", "1", " 2", "3", "612", "done"].map(Attested::parse);
        let expected = [
            Some(Attested::Busy),
            Some(Attested::Busy),
            Some(Attested::Failed),
            Some(Attested::Ready),
            Some(Attested::Other(612)),
            None,
        ];
        assert_eq!(read, expected);
    }
}
