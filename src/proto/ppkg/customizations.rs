//! `customizations.xml`: what Windows Configuration Designer builds a package from (enrollment reference 10.2).

use uuid::Uuid;

use super::parts::{LocalAdmin, Wifi};
use crate::proto::csp::secret::Secret;
use crate::proto::xml::{Markup, XmlWriter};

/// The namespace of `PackageConfig`.
pub const NAMESPACE_PACKAGE: &str = "urn:schemas-Microsoft-com:Windows-ICD-Package-Config.v1.0";
/// The namespace of `Settings`.
pub const NAMESPACE_SETTINGS: &str = "urn:schemas-microsoft-com:windows-provisioning";
/// The one `AuthPolicy` of these packages: a name and a password.
pub const AUTH_POLICY: &str = "OnPremise";
/// Who owns such a package (`OwnerType`).
pub(super) const OWNER: &str = "ITAdmin";
/// The group that a local administrator is in.
pub(super) const ADMINISTRATORS: &str = "Administrators";

/// What a package for bulk enrollment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customizations {
    /// `ID`: the same over all versions of a package.
    pub id: Uuid,
    /// `Name`: letters, digits and hyphens.
    pub name: String,
    /// `Version`: a higher one with every build, or devices take the package for one that they have.
    pub version: String,
    /// `Notes`.
    pub notes: Option<String>,
    /// The bulk user.
    pub upn: String,
    /// Where discovery is asked, as it is dialled.
    pub discovery_url: String,
    /// The password of the package.
    pub secret: Secret,
    /// The names of the files with root certificates of the server, beside this document; none where Windows trusts the
    /// server anyway.
    pub root_certificates: Vec<String>,
    /// The pattern by which the device is named, e.g. `SITE7-%RAND:4%`.
    pub device_name: Option<String>,
    /// The network over which the device reaches the server.
    pub wifi: Option<Wifi>,
    /// Who can sign in to the device.
    pub local_admin: Option<LocalAdmin>,
}

impl Customizations {
    /// The document, UTF-8.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = XmlWriter::new();
        w.element("WindowsCustomizations", &[], |w| {
            w.element("PackageConfig", &[("xmlns", NAMESPACE_PACKAGE)], |w| self.write_package(w));
            w.element("Settings", &[("xmlns", NAMESPACE_SETTINGS)], |w| {
                w.element("Customizations", &[], |w| w.element("Common", &[], |w| self.write_common(w)));
            });
        });
        [DECLARATION, w.into_bytes().as_slice()].concat()
    }

    fn write_package<M: Markup>(&self, w: &mut M) {
        w.leaf("ID", &[], &format!("{{{}}}", self.id));
        w.leaf("Name", &[], &self.name);
        w.leaf("Version", &[], &self.version);
        w.leaf("OwnerType", &[], OWNER);
        w.leaf("Rank", &[], "0");
        if let Some(notes) = &self.notes {
            w.leaf("Notes", &[], notes);
        }
    }

    /// Each has a name of its own; the first one has that of the package.
    fn write_roots<M: Markup>(&self, w: &mut M) {
        for (index, path) in self.root_certificates.iter().enumerate() {
            let name = if index == 0 { self.name.clone() } else { format!("{}-{}", self.name, index + 1) };
            let names = [("CertificateName", name.as_str()), ("Name", name.as_str())];
            w.element("RootCertificate", &names, |w| w.leaf("CertificatePath", &[], path));
        }
    }

    /// In the order of the alphabet, as the designer writes them.
    fn write_common<M: Markup>(&self, w: &mut M) {
        if let Some(admin) = &self.local_admin {
            w.element("Accounts", &[], |w| w.element("Users", &[], |w| write_admin(w, admin)));
        }
        if !self.root_certificates.is_empty() {
            w.element("Certificates", &[], |w| {
                w.element("RootCertificates", &[], |w| self.write_roots(w));
            });
        }
        if let Some(wifi) = &self.wifi {
            w.element("ConnectivityProfiles", &[], |w| {
                w.element("WLAN", &[], |w| w.element("WLANSetting", &[], |w| write_wifi(w, wifi)));
            });
        }
        if let Some(name) = &self.device_name {
            w.element("DevDetail", &[], |w| w.leaf("DNSComputerName", &[], name));
        }
        // With an account to sign in with, setup need not ask for one.
        if self.local_admin.is_some() {
            w.element("OOBE", &[], |w| w.element("Desktop", &[], |w| w.leaf("HideOobe", &[], "True")));
        }
        w.element("Workplace", &[], |w| {
            w.element("Enrollments", &[], |w| {
                w.element("UPN", &[("UPN", &self.upn), ("Name", &self.upn)], |w| {
                    w.leaf("AuthPolicy", &[], AUTH_POLICY);
                    w.leaf("DiscoveryServiceFullUrl", &[], &self.discovery_url);
                    w.leaf("Secret", &[], self.secret.reveal());
                });
            });
        });
    }
}

const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

fn write_admin<M: Markup>(w: &mut M, admin: &LocalAdmin) {
    w.element("User", &[("UserName", &admin.name), ("Name", &admin.name)], |w| {
        w.leaf("Password", &[], admin.password.reveal());
        w.leaf("UserGroup", &[], ADMINISTRATORS);
    });
}

fn write_wifi<M: Markup>(w: &mut M, wifi: &Wifi) {
    w.element("WLANConfig", &[("SSID", &wifi.ssid), ("Name", &wifi.ssid)], |w| {
        w.element("WLANXmlSettings", &[], |w| {
            w.leaf("AutoConnect", &[], "True");
            w.leaf("HiddenNetwork", &[], if wifi.hidden { "True" } else { "False" });
            if let Some(password) = &wifi.password {
                w.leaf("SecurityKey", &[], password.reveal());
            }
            w.leaf("SecurityType", &[], wifi.security().as_str());
        });
    });
}
