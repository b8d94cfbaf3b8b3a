//! RootCATrustedCertificates CSP (10.0.10586, all editions; management reference 7.13): certificates that are trusted,
//! and some that are not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::Scope;
use super::value::{CertificateDer, Thumbprint};
use crate::proto::syncml::{Command, LocUri};

/// A store of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// Trusted root authorities; of the device only.
    Root,
    /// Intermediate authorities.
    Intermediate,
    /// Publishers whose programs are trusted.
    TrustedPublisher,
    /// People that are trusted directly.
    TrustedPeople,
    /// Certificates that are not trusted, whoever signed them.
    Untrusted,
}

impl Store {
    fn path(self) -> &'static str {
        match self {
            Self::Root => "RootCATrustedCertificates/Root",
            Self::Intermediate => "RootCATrustedCertificates/CA",
            Self::TrustedPublisher => "RootCATrustedCertificates/TrustedPublisher",
            Self::TrustedPeople => "RootCATrustedCertificates/TrustedPeople",
            Self::Untrusted => "RootCATrustedCertificates/UntrustedCertificates",
        }
    }

    /// Whether users have it, too.
    #[must_use]
    pub fn is_in(self, scope: Scope) -> bool {
        self != Self::Root || scope == Scope::Device
    }
}

/// A certificate in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedCertificate {
    /// Which store.
    pub store: Store,
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// PEM, or DER in base64.
    pub certificate: CertificateDer,
}

/// Which certificate in which store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedCertificateKey {
    /// Which store.
    pub store: Store,
    /// Whose store.
    #[serde(default)]
    pub scope: Scope,
    /// SHA-1 of the certificate.
    pub thumbprint: Thumbprint,
}

impl TrustedCertificate {
    /// Which one it is.
    #[must_use]
    pub fn key(&self) -> TrustedCertificateKey {
        TrustedCertificateKey { store: self.store, scope: self.scope, thumbprint: self.certificate.thumbprint() }
    }

    /// The node that holds it (`b64`).
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.key().node().below("EncodedCertificate")
    }

    /// `Add` of the certificate; 418 says that it is there already, for its name is made of it.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::add(self.node(), "b64", &self.certificate.to_base64())]
    }
}

impl TrustedCertificateKey {
    /// The node of the certificate.
    #[must_use]
    pub fn node(&self) -> LocUri {
        self.scope.node(self.store.path()).join(self.thumbprint.as_str())
    }

    /// `Delete` of it; 404 says that it is gone.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::delete(self.node())]
    }
}
