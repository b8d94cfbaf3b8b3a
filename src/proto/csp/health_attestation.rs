//! HealthAttestation CSP (management reference 7.16): what the device's TPM has measured, by Microsoft's service
//! (10.0.10586) or by Azure Attestation (10.0.22000).

use serde::Serialize;

use super::secret::Secret;
use super::value::{HttpUrl, Line};
use crate::proto::syncml::{Command, LocUri};

/// The node that has the device prepare an attestation.
pub const VERIFY_HEALTH: &str = "./Vendor/MSFT/HealthAttestation/VerifyHealth";
/// Where it stands (`int`).
pub const STATUS: &str = "./Vendor/MSFT/HealthAttestation/Status";
/// What makes a certificate new (`chr`, hex of 8 to 32 bytes).
pub const NONCE: &str = "./Vendor/MSFT/HealthAttestation/Nonce";
/// The encrypted blob and the certificate for the service (`chr`).
pub const CERTIFICATE: &str = "./Vendor/MSFT/HealthAttestation/Certificate";
/// Names the attestation at the service (`chr`).
pub const CORRELATION_ID: &str = "./Vendor/MSFT/HealthAttestation/CorrelationID";
/// Whether the TPM can be used (`int`, bits).
pub const TPM_READY: &str = "./Vendor/MSFT/HealthAttestation/TpmReadyStatus";
/// Which protocol the device spoke (`int`).
pub const PROTOCOL: &str = "./Vendor/MSFT/HealthAttestation/CurrentProtocolVersion";
/// The node that begins an attestation by Azure (`chr`, JSON).
pub const TRIGGER: &str = "./Vendor/MSFT/HealthAttestation/TriggerAttestation";
/// What came of it (`int`, an HRESULT).
pub const ATTEST_STATUS: &str = "./Vendor/MSFT/HealthAttestation/AttestStatus";
/// The report, a JSON Web Token (`chr`).
pub const REPORT: &str = "./Vendor/MSFT/HealthAttestation/GetAttestReport";
/// Names the attestation at the service (`chr`).
pub const SERVICE_IDS: &str = "./Vendor/MSFT/HealthAttestation/GetServiceCorrelationIDs";
/// Why it failed, in words (`chr`, later builds).
pub const ERROR_MESSAGE: &str = "./Vendor/MSFT/HealthAttestation/AttestErrorMessage";

/// What an attestation by Azure needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger<'a> {
    /// Who relies on the report.
    pub relying_party: &'a Line<255>,
    /// The attestation provider.
    pub service_endpoint: &'a HttpUrl,
    /// What makes the report new, hex.
    pub nonce: &'a str,
    /// A token for the provider, where it asks for one.
    pub token: Option<&'a Secret>,
    /// A correlation vector, for whoever looks for it at the service.
    pub correlation: &'a str,
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(rename = "rpID")]
    rp_id: &'a str,
    #[serde(rename = "serviceEndpoint")]
    service_endpoint: &'a str,
    nonce: &'a str,
    #[serde(rename = "aadToken")]
    aad_token: &'a str,
    cv: &'a str,
}

/// `Exec` of VerifyHealth.
#[must_use]
pub fn verify() -> Command {
    Command::exec(LocUri::fixed(VERIFY_HEALTH))
}

/// `Get` of where it stands.
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

/// `Exec` of TriggerAttestation.
#[must_use]
pub fn trigger(trigger: &Trigger<'_>) -> Command {
    let wire = Wire {
        rp_id: trigger.relying_party.as_str(),
        service_endpoint: trigger.service_endpoint.as_str(),
        nonce: trigger.nonce,
        aad_token: trigger.token.map_or("", Secret::reveal),
        cv: trigger.correlation,
    };
    Command::exec_with(LocUri::fixed(TRIGGER), "chr", &serde_json::to_string(&wire).unwrap_or_default())
}

/// `Get` of what came of an attestation by Azure.
#[must_use]
pub fn read_report() -> Vec<Command> {
    [ATTEST_STATUS, REPORT, SERVICE_IDS, ERROR_MESSAGE].map(|node| Command::get(LocUri::fixed(node))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trigger_is_one_json_document() {
        let command = trigger(&Trigger {
            relying_party: &Line::fixed("https://mdm.example.test \"main\""),
            service_endpoint: &HttpUrl::try_from("https://a.attest.azure.net/attest/tpm?api-version=1".to_owned())
                .unwrap(),
            nonce: "00ff",
            token: Some(&Secret::new("eyJ0")),
            correlation: "cv.1",
        });
        let item = &command.items[0];
        assert_eq!(item.meta.format.as_deref(), Some("chr"));
        let sent: serde_json::Value = serde_json::from_str(item.text()).unwrap();
        let expected = serde_json::json!({
            "rpID": "https://mdm.example.test \"main\"", "nonce": "00ff", "aadToken": "eyJ0", "cv": "cv.1",
            "serviceEndpoint": "https://a.attest.azure.net/attest/tpm?api-version=1",
        });
        assert_eq!(sent, expected);
    }
}
