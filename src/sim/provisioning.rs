//! Takes a provisioning document as Windows does: checks it, pairs the certificate with the key, keeps the account.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::key::DeviceKey;
use crate::proto::base64;
use crate::proto::wap::{self, CertificateStore, Characteristic, NotProvisioning, Poll, Renewal, Set};
use crate::proto::xml::Limits;

/// An enrolled device: its certificate with the key, and the management account.
#[derive(Clone)]
pub struct Enrolled {
    /// The device certificate, DER.
    pub certificate: Vec<u8>,
    /// The CA that issued it, DER, where the document had one.
    pub issuing_ca: Option<Vec<u8>>,
    /// The root, DER, where the document had one.
    pub root_ca: Option<Vec<u8>>,
    /// Where the certificate was put.
    pub store: CertificateStore,
    /// The key of the certificate.
    pub key: DeviceKey,
    /// When and where to renew.
    pub renewal: Option<Renewal>,
    /// How to reach the management service.
    pub account: Account,
}

/// The management account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Provider id of the server.
    pub provider_id: String,
    /// Name of the server as shown to the user.
    pub name: String,
    /// Address of the management service.
    pub addr: String,
    /// User name for the server.
    pub user_name: String,
    /// Secret for the server.
    pub server_secret: SecretString,
    /// Current nonce for the server's check of us.
    pub server_nonce: Vec<u8>,
    /// Secret with which the server would prove itself.
    pub client_secret: SecretString,
    /// The server's id of this enrollment.
    pub ent_dm_id: Option<String>,
    /// The user as shown in Settings.
    pub upn: Option<String>,
    /// Friendly name of the device.
    pub device_name: Option<String>,
    /// How often to call.
    pub poll: Option<Poll>,
}

/// What is wrong with a provisioning document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisioningError {
    /// Not a document.
    #[error(transparent)]
    Document(#[from] NotProvisioning),
    /// Certificates, account and client settings are not there in this order, or the stores are not.
    #[error("the document is not in order: {0}")]
    Order(&'static str),
    /// A certificate cannot be read, has another thumbprint, or does not chain.
    #[error("certificate store: {0}")]
    Certificate(&'static str),
    /// The certificate is for another key.
    #[error("certificate store: the certificate is not for the key of the request")]
    Key,
    /// The account is incomplete.
    #[error("application: {0}")]
    Application(&'static str),
    /// The client settings are incomplete.
    #[error("client settings: {0}")]
    DmClient(&'static str),
}

impl ProvisioningError {
    /// The error code that Windows reports for it.
    #[must_use]
    pub fn hresult(&self) -> u32 {
        match self {
            Self::Certificate(_) | Self::Key => 0x8018_001E,
            Self::Application(_) => 0x8018_001F,
            Self::DmClient(_) => 0x8018_0020,
            Self::Document(_) | Self::Order(_) => 0x8018_0021,
        }
    }
}

impl fmt::Debug for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Enrolled");
        shown.field("store", &self.store).field("account", &self.account).finish_non_exhaustive()
    }
}

impl Enrolled {
    /// Applies the document of an enrollment whose request was made with `key`.
    pub(super) fn from_document(document: &[u8], key: DeviceKey) -> Result<Self, ProvisioningError> {
        let top = wap::decode(document, &Limits::default())?;
        check_order(&top)?;
        let stores = Stores::read(&top)?;
        check_chain(&stores, &key)?;
        let (store, certificate) = stores.mine;
        Ok(Self {
            certificate,
            issuing_ca: stores.issuing,
            root_ca: stores.root,
            store,
            key,
            renewal: stores.renewal,
            account: Account::read(&top)?,
        })
    }

    /// Applies the document of a renewal whose request was made with `key`; gives back the certificate and the key that
    /// were in use. A CA that is not in it is the one that is there already.
    pub(super) fn renew(&mut self, document: &[u8], key: DeviceKey) -> Result<(Vec<u8>, DeviceKey), ProvisioningError> {
        let top = wap::decode(document, &Limits::default())?;
        check_order(&top)?;
        let mut stores = Stores::read(&top)?;
        stores.issuing = stores.issuing.or_else(|| self.issuing_ca.clone());
        stores.root = stores.root.or_else(|| self.root_ca.clone());
        check_chain(&stores, &key)?;
        if stores.mine.0 != self.store {
            return Err(ProvisioningError::Certificate("the certificate is for another store than the one before"));
        }
        let provider = top.find(&["APPLICATION"]).and_then(|application| application.value("PROVIDER-ID"));
        if provider.is_some_and(|provider| provider != self.account.provider_id) {
            return Err(ProvisioningError::Application("the provider is another one"));
        }
        (self.issuing_ca, self.root_ca) = (stores.issuing, stores.root);
        self.renewal = stores.renewal.or_else(|| self.renewal.take());
        let former = std::mem::replace(&mut self.certificate, stores.mine.1);
        Ok((former, std::mem::replace(&mut self.key, key)))
    }

    /// First and last moment of the device certificate, as far as it can be read.
    pub(super) fn validity(&self) -> Option<(OffsetDateTime, OffsetDateTime)> {
        let (_, certificate) = X509Certificate::from_der(&self.certificate).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.to_datetime(), validity.not_after.to_datetime()))
    }

    /// The device certificate and its issuer, DER, as they are presented in TLS.
    #[must_use]
    pub fn chain(&self) -> Vec<Vec<u8>> {
        [&self.certificate].into_iter().chain(&self.issuing_ca).cloned().collect()
    }
}

/// Certificates come before the account, and the account before the client settings.
fn check_order(top: &Characteristic) -> Result<(), ProvisioningError> {
    let rank = |kind: &str| ["CertificateStore", "APPLICATION", "DMClient"].iter().position(|known| *known == kind);
    let ranks: Vec<_> = top.children.iter().map(|child| rank(&child.kind)).collect();
    if ranks.contains(&None) {
        return Err(ProvisioningError::Order("a characteristic that does not belong here"));
    }
    if !ranks.is_sorted() {
        return Err(ProvisioningError::Order("certificates, account and client settings are mixed up"));
    }
    Ok(())
}

/// What the certificate stores of a document hold.
struct Stores {
    root: Option<Vec<u8>>,
    issuing: Option<Vec<u8>>,
    mine: (CertificateStore, Vec<u8>),
    renewal: Option<Renewal>,
}

impl Stores {
    fn read(top: &Characteristic) -> Result<Self, ProvisioningError> {
        let all: Vec<_> =
            top.children.iter().filter(|child| child.kind == "CertificateStore").flat_map(|s| &s.children).collect();
        let rank = |kind: &str| ["Root", "CA", "My"].iter().position(|known| *known == kind);
        let ranks: Vec<_> = all.iter().map(|store| rank(&store.kind)).collect();
        if ranks.contains(&None) || !ranks.is_sorted() {
            return Err(ProvisioningError::Order("the certificate stores are not root, CA, own"));
        }
        let store = |kind: &str| all.iter().copied().find(|store| store.kind == kind);
        let my = store("My").ok_or(ProvisioningError::Certificate("no own store"))?;
        let system = |kind| store(kind).and_then(|s| s.find(&["System"])).map(one_certificate).transpose();
        Ok(Self { root: system("Root")?, issuing: system("CA")?, mine: mine(my)?, renewal: renewal(my) })
    }
}

fn mine(my: &Characteristic) -> Result<(CertificateStore, Vec<u8>), ProvisioningError> {
    let (store, place) = match (my.find(&["User"]), my.find(&["System"])) {
        (Some(user), None) => (CertificateStore::User, user),
        (None, Some(system)) => (CertificateStore::System, system),
        _ => return Err(ProvisioningError::Certificate("the certificate is for one store, user or system")),
    };
    // At enrollment the container stands beside the certificate, at renewal inside it.
    let beside = place.find(&["PrivateKeyContainer"]).is_some();
    let inside = place.children.iter().any(|child| child.find(&["PrivateKeyContainer"]).is_some());
    if !beside && !inside {
        return Err(ProvisioningError::Certificate("the key container is missing"));
    }
    Ok((store, one_certificate(place)?))
}

/// The one certificate of a store, its name checked.
fn one_certificate(store: &Characteristic) -> Result<Vec<u8>, ProvisioningError> {
    let mut found = store.children.iter().filter(|child| child.kind != "PrivateKeyContainer");
    let (Some(entry), None) = (found.next(), found.next()) else {
        return Err(ProvisioningError::Certificate("a store needs exactly one certificate"));
    };
    let text = entry.value("EncodedCertificate").ok_or(ProvisioningError::Certificate("no encoded certificate"))?;
    let der = base64::decode(text).map_err(|_| ProvisioningError::Certificate("a certificate is not base64"))?;
    if wap::thumbprint(&der) != entry.kind {
        return Err(ProvisioningError::Certificate("a thumbprint is not that of its certificate"));
    }
    Ok(der)
}

fn renewal(my: &Characteristic) -> Option<Renewal> {
    let renew = my.find(&["WSTEP", "Renew"])?;
    let days = |name| renew.value(name).and_then(|text| text.parse().ok());
    Some(Renewal {
        period_days: days("RenewPeriod").unwrap_or(42),
        retry_days: days("RetryInterval").unwrap_or(7),
        server_url: renew.value("ServerURL").map(str::to_owned),
    })
}

/// The certificate is for our key, and each certificate is signed by the next.
fn check_chain(stores: &Stores, key: &DeviceKey) -> Result<(), ProvisioningError> {
    let parse = |der| {
        X509Certificate::from_der(der).map_err(|_| ProvisioningError::Certificate("a certificate cannot be read"))
    };
    let (_, leaf) = parse(&stores.mine.1)?;
    if leaf.public_key().raw != key.public_key() {
        return Err(ProvisioningError::Key);
    }
    let mut below = leaf;
    for der in [&stores.issuing, &stores.root].into_iter().flatten() {
        let (_, issuer) = parse(der)?;
        if below.issuer().as_raw() != issuer.subject().as_raw()
            || below.verify_signature(Some(issuer.public_key())).is_err()
        {
            return Err(ProvisioningError::Certificate("the certificates do not chain"));
        }
        below = issuer;
    }
    Ok(())
}

impl Account {
    /// The secret for the server, in clear.
    pub(super) fn server_secret(&self) -> &str {
        self.server_secret.expose_secret()
    }

    fn read(top: &Characteristic) -> Result<Self, ProvisioningError> {
        let application = top.find(&["APPLICATION"]).ok_or(ProvisioningError::Application("missing"))?;
        let needed = |name| application.value(name).ok_or(ProvisioningError::Application("a parm is missing"));
        if needed("APPID")? != "w7" {
            return Err(ProvisioningError::Application("APPID is not w7"));
        }
        if application.parms.iter().any(|parm| parm.name == "INIT") {
            return Err(ProvisioningError::Application("INIT is not allowed"));
        }
        let provider_id = needed("PROVIDER-ID")?.to_owned();
        let addr = needed("ADDR")?.to_owned();
        if !addr.starts_with("https://") {
            return Err(ProvisioningError::Application("ADDR is not https"));
        }
        let (client, server) = (AppAuth::read(application, "CLIENT")?, AppAuth::read(application, "APPSRV")?);
        let settings = top
            .find(&["DMClient", "Provider", &provider_id])
            .ok_or(ProvisioningError::DmClient("no provider of the account's id"))?;
        let text = |name| settings.value(name).map(str::to_owned);
        Ok(Self {
            name: needed("NAME")?.to_owned(),
            addr,
            user_name: server.name,
            server_secret: server.secret,
            server_nonce: server.nonce,
            client_secret: client.secret,
            ent_dm_id: text("EntDMID"),
            upn: text("UPN"),
            device_name: text("EntDeviceName"),
            poll: settings.find(&["Poll"]).and_then(poll),
            provider_id,
        })
    }
}

struct AppAuth {
    name: String,
    secret: SecretString,
    nonce: Vec<u8>,
}

impl AppAuth {
    /// Windows 11 25H2 fails without a nonce in either block (0x80070057).
    fn read(application: &Characteristic, level: &str) -> Result<Self, ProvisioningError> {
        let is_level = |child: &&Characteristic| child.kind == "APPAUTH" && child.value("AAUTHLEVEL") == Some(level);
        let auth = application.children.iter().find(is_level);
        let auth = auth.ok_or(ProvisioningError::Application("an APPAUTH is missing"))?;
        let secret = auth.value("AAUTHSECRET").ok_or(ProvisioningError::Application("a secret is missing"))?;
        let nonce = auth.value("AAUTHDATA").and_then(|text| base64::decode(text).ok());
        let nonce = nonce.filter(|nonce| !nonce.is_empty());
        Ok(Self {
            name: auth.value("AAUTHNAME").unwrap_or_default().to_owned(),
            secret: SecretString::from(secret),
            nonce: nonce.ok_or(ProvisioningError::Application("a nonce is missing"))?,
        })
    }
}

/// A schedule that breaks the rules of the CSP is none.
fn poll(settings: &Characteristic) -> Option<Poll> {
    let number = |name| settings.value(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let set = |count, interval| Set { count: number(count), interval: number(interval) };
    let flag = |name| settings.value(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let sets = [
        set("NumberOfFirstRetries", "IntervalForFirstSetOfRetries"),
        set("NumberOfSecondRetries", "IntervalForSecondSetOfRetries"),
        set("NumberOfRemainingScheduledRetries", "IntervalForRemainingScheduledRetries"),
    ];
    Poll::new(sets, flag("PollOnLogin"), flag("AllUsersPollOnFirstLogin")).ok()
}
