//! The provisioning document (`wap-provisioningdoc`): certificates, management account and poll schedule of a device.
//! [MS-MDE2] 3.6; OMA Client Provisioning.
//!
//! Written in one fixed order (root, issuing CA, device certificate, renewal, account, client settings): Windows takes
//! it in any, clients of other makers take certificates by their position.

mod poll;
mod tree;

pub use poll::{Burst, Poll, PollError, Relaxed, Set};
pub use tree::{Characteristic, NotProvisioning, Parm, decode, encode};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::base64;

/// Everything a device gets when it enrolls.
#[derive(Clone, Debug)]
pub struct ProvisioningDocument {
    /// The root of the device certificate, DER.
    pub root_ca: Vec<u8>,
    /// The CA that issued the device certificate, DER.
    pub issuing_ca: Vec<u8>,
    /// The device certificate, DER.
    pub device_certificate: Vec<u8>,
    /// Where it goes; follows from the request's `EnrollmentType`.
    pub store: CertificateStore,
    /// When and where the device renews it.
    pub renewal: Renewal,
    /// The management account.
    pub application: Application,
    /// Settings of the management client.
    pub dm_client: DmClient,
}

/// The certificate store of the device certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStore {
    /// `EnrollmentType` `Full`: the enrolling user's store.
    User,
    /// `EnrollmentType` `Device`: the machine's store.
    System,
}

impl CertificateStore {
    /// The word in the document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::System => "System",
        }
    }
}

/// `My/WSTEP/Renew`. Later changes over SyncML go into one `Atomic`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Renewal {
    /// Days before the end of the certificate at which the device begins to renew; 1 to 1000.
    pub period_days: u32,
    /// Days between attempts; at most `period_days`.
    pub retry_days: u32,
    /// Where to renew; without it the device asks the enrollment service.
    pub server_url: Option<String>,
}

/// The w7 APPLICATION: the account with which the device reaches us, and the OMA credentials of both sides.
#[derive(Clone, Debug)]
pub struct Application {
    /// Our provider id, letter case as everywhere else.
    pub provider_id: String,
    /// Name of the server as shown to the user.
    pub name: String,
    /// Address of the management service, https.
    pub addr: String,
    /// User name the device gives to the server (`APPSRV`).
    pub user_name: String,
    /// Secret with which the device proves itself to the server (`APPSRV`).
    pub server_secret: SecretString,
    /// First nonce for it. Windows 11 25H2 refuses a document without both nonces.
    pub server_nonce: [u8; 16],
    /// Secret with which the server proves itself to the device (`CLIENT`).
    pub client_secret: SecretString,
    /// First nonce for it.
    pub client_nonce: [u8; 16],
}

/// `DMClient/Provider/<provider id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmClient {
    /// Friendly name of the device.
    pub device_name: Option<String>,
    /// Our own id of the enrollment; the device sends it back in later enrollments.
    pub ent_dm_id: String,
    /// The user, as Settings shows them; absent where there is none.
    pub upn: Option<String>,
    /// Whether the device is to sign its management messages (`RequireMessageSigning`).
    pub signs_messages: bool,
    /// How often the device calls.
    pub poll: Poll,
}

impl ProvisioningDocument {
    /// The document as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&[self.certificates(), self.application.characteristic(), self.dm_client(&self.application.provider_id)])
    }

    fn certificates(&self) -> Characteristic {
        let system = |der: &[u8]| Characteristic::new("System").child(certificate(der));
        let mine = Characteristic::new(self.store.as_str())
            .child(certificate(&self.device_certificate))
            .child(Characteristic::new("PrivateKeyContainer"));
        let my = Characteristic::new("My")
            .child(mine)
            .child(Characteristic::new("WSTEP").child(self.renewal.characteristic()));
        Characteristic::new("CertificateStore")
            .child(Characteristic::new("Root").child(system(&self.root_ca)))
            .child(Characteristic::new("CA").child(system(&self.issuing_ca)))
            .child(my)
    }

    fn dm_client(&self, provider_id: &str) -> Characteristic {
        let client = &self.dm_client;
        let mut provider = Characteristic::new(provider_id);
        if let Some(name) = &client.device_name {
            provider = provider.parm(Parm::string("EntDeviceName", name));
        }
        provider = provider.parm(Parm::string("EntDMID", &client.ent_dm_id));
        if let Some(upn) = &client.upn {
            provider = provider.parm(Parm::string("UPN", upn));
        }
        if client.signs_messages {
            provider = provider.parm(Parm::boolean("RequireMessageSigning", true));
        }
        let provider = provider.child(client.poll.characteristic());
        Characteristic::new("DMClient").child(Characteristic::new("Provider").child(provider))
    }
}

/// What a device gets when it renews: the new certificate, and which account it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalDocument {
    /// The new device certificate, DER.
    pub device_certificate: Vec<u8>,
    /// Where it goes, as at enrollment.
    pub store: CertificateStore,
    /// Our provider id.
    pub provider_id: String,
}

impl RenewalDocument {
    /// The document as bytes. `PrivateKeyContainer` stands inside the certificate here, as in the published samples.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let certificate = certificate(&self.device_certificate).child(Characteristic::new("PrivateKeyContainer"));
        let store = Characteristic::new(self.store.as_str()).child(certificate);
        let certificates = Characteristic::new("CertificateStore").child(Characteristic::new("My").child(store));
        let application = Characteristic::new("APPLICATION").parm(Parm::plain("PROVIDER-ID", &self.provider_id));
        encode(&[certificates, application])
    }
}

impl Renewal {
    fn characteristic(&self) -> Characteristic {
        let renew = Characteristic::new("Renew")
            .parm(Parm::boolean("ROBOSupport", true))
            .parm(Parm::integer("RenewPeriod", self.period_days))
            .parm(Parm::integer("RetryInterval", self.retry_days));
        match &self.server_url {
            Some(url) => renew.parm(Parm::string("ServerURL", url)),
            None => renew,
        }
    }
}

impl Application {
    fn characteristic(&self) -> Characteristic {
        Characteristic::new("APPLICATION")
            .parm(Parm::plain("APPID", "w7"))
            .parm(Parm::plain("PROVIDER-ID", &self.provider_id))
            .parm(Parm::plain("NAME", &self.name))
            .parm(Parm::plain("ADDR", &self.addr))
            .parm(Parm::plain("CONNRETRYFREQ", "6"))
            .parm(Parm::plain("INITIALBACKOFFTIME", "30000"))
            .parm(Parm::plain("MAXBACKOFFTIME", "120000"))
            .parm(Parm::present("BACKCOMPATRETRYDISABLED"))
            .parm(Parm::plain("DEFAULTENCODING", "application/vnd.syncml.dm+xml"))
            .child(app_auth("CLIENT", None, &self.client_secret, self.client_nonce))
            .child(app_auth("APPSRV", Some(&self.user_name), &self.server_secret, self.server_nonce))
    }
}

fn app_auth(level: &str, name: Option<&str>, secret: &SecretString, nonce: [u8; 16]) -> Characteristic {
    let mut auth =
        Characteristic::new("APPAUTH").parm(Parm::plain("AAUTHLEVEL", level)).parm(Parm::plain("AAUTHTYPE", "DIGEST"));
    if let Some(name) = name {
        auth = auth.parm(Parm::plain("AAUTHNAME", name));
    }
    auth.parm(Parm::plain("AAUTHSECRET", secret.expose_secret()))
        .parm(Parm::plain("AAUTHDATA", &base64::encode(&nonce)))
}

fn certificate(der: &[u8]) -> Characteristic {
    Characteristic::new(&thumbprint(der)).parm(Parm::plain("EncodedCertificate", &base64::encode(der)))
}

/// The name of a certificate in the document: SHA-1 of its DER, 40 hex digits in upper case.
#[must_use]
pub fn thumbprint(der: &[u8]) -> String {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;
