//! RootCATrustedCertificates CSP (10.0.10586, the untrusted ones 10.0.17134; all editions; management reference 7.13):
//! certificates that are trusted, and some that are not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::Unfit;
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

    /// Whether the device, or its user, has it.
    pub fn check(self, scope: Scope) -> Result<(), Unfit> {
        match (self, scope) {
            (Self::Root, Scope::User) => {
                Err(Unfit::new("/scope", "users have no store of root authorities of their own"))
            }
            _ => Ok(()),
        }
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

/// The node of a certificate in a store.
#[must_use]
pub fn node(store: Store, scope: Scope, thumbprint: &Thumbprint) -> LocUri {
    scope.csp(store.path()).join(thumbprint.as_str())
}

/// Puts a certificate in base64 into a store of the device, under its SHA-1.
#[must_use]
pub fn add(store: Store, thumbprint: &str, encoded: &str) -> Command {
    let node = Scope::Device.csp(store.path()).join(thumbprint);
    Command::add(node.below("EncodedCertificate"), "b64", encoded)
}

/// Takes a certificate out of a store.
#[must_use]
pub fn remove(store: Store, scope: Scope, thumbprint: &Thumbprint) -> Vec<Command> {
    vec![Command::delete(node(store, scope, thumbprint))]
}

impl TrustedCertificate {
    /// Puts it in: by Add, because its name says that nothing else can be there.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let node = node(self.store, self.scope, &self.certificate.thumbprint());
        vec![Command::add(node.below("EncodedCertificate"), "b64", &self.certificate.to_base64())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    #[test]
    fn a_certificate_is_named_by_its_digest() {
        let made = rcgen::generate_simple_self_signed(vec!["root.example.test".to_owned()]).unwrap();
        let thumbprint = crate::proto::wap::thumbprint(made.cert.der());
        let encoded = crate::proto::base64::encode(made.cert.der());
        let stores = [
            ("root", "Root"),
            ("intermediate", "CA"),
            ("trusted_publisher", "TrustedPublisher"),
            ("trusted_people", "TrustedPeople"),
            ("untrusted", "UntrustedCertificates"),
        ];
        for (store, name) in stores {
            let json = serde_json::json!({"store": store, "certificate": made.cert.pem()});
            let certificate: TrustedCertificate = serde_json::from_value(json).unwrap();
            let node = format!("./Device/Vendor/MSFT/RootCATrustedCertificates/{name}/{thumbprint}");
            assert_eq!(told(&certificate.commands()), [format!("Add {node}/EncodedCertificate b64 {encoded}")]);
            right(&certificate.commands());
            let removal = remove(certificate.store, Scope::Device, &certificate.certificate.thumbprint());
            assert_eq!(told(&removal), [format!("Delete {node}")]);
            right(&removal);
            let user = TrustedCertificate { scope: Scope::User, ..certificate };
            match user.store.check(user.scope) {
                Ok(()) => right(&user.commands()),
                Err(unfit) => assert_eq!((store, unfit.pointer.as_str()), ("root", "/scope")),
            }
        }
    }
}
