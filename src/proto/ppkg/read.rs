//! Reads `customizations.xml` back: what a device would enroll with.
//!
//! Only what [`Customizations`] writes is understood; settings beside it are passed over.

use uuid::Uuid;

use super::customizations::{ADMINISTRATORS, AUTH_POLICY, Customizations, NAMESPACE_PACKAGE, NAMESPACE_SETTINGS};
use super::parts::{LocalAdmin, Wifi, WifiSecurity};
use crate::proto::csp::secret::Secret;
use crate::proto::xml::{Document, Element, Limits, XmlError};

/// Why a document is no package for bulk enrollment. It never holds a value of the document.
#[derive(Debug, thiserror::Error)]
pub enum NotCustomizations {
    /// No XML, or more of it than is read.
    #[error("{0}")]
    Xml(#[from] XmlError),
    /// An element is missing, or in another namespace.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element is there more than once.
    #[error("{0} is there more than once")]
    Twice(&'static str),
    /// A value that such a package does not have.
    #[error("{0} is not what such a package has")]
    Value(&'static str),
}

impl Customizations {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong or missing in it, and where.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, NotCustomizations> {
        let document = Document::parse(bytes, limits)?;
        let root = document.root();
        if !root.is("", "WindowsCustomizations") {
            return Err(NotCustomizations::Missing("WindowsCustomizations"));
        }
        let package = only(root, NAMESPACE_PACKAGE, "PackageConfig")?;
        let settings = only(root, NAMESPACE_SETTINGS, "Settings")?;
        let common = only(setting(settings, "Customizations")?, NAMESPACE_SETTINGS, "Common")?;
        let upn = setting(path(common, &["Workplace", "Enrollments"])?, "UPN")?;
        if text(upn, "AuthPolicy")? != AUTH_POLICY {
            return Err(NotCustomizations::Value("AuthPolicy"));
        }
        Ok(Self {
            id: id(&leaf(package, NAMESPACE_PACKAGE, "ID")?)?,
            name: leaf(package, NAMESPACE_PACKAGE, "Name")?,
            version: leaf(package, NAMESPACE_PACKAGE, "Version")?,
            notes: package.child(NAMESPACE_PACKAGE, "Notes").map(|notes| notes.text().into_owned()),
            upn: name(upn, "UPN")?,
            discovery_url: text(upn, "DiscoveryServiceFullUrl")?,
            secret: Secret::new(text(upn, "Secret")?),
            root_certificates: optional(common, &["Certificates", "RootCertificates"])?
                .map_or_else(|| Ok(Vec::new()), roots)?,
            device_name: optional(common, &["DevDetail"])?.map(|detail| text(detail, "DNSComputerName")).transpose()?,
            wifi: optional(common, &["ConnectivityProfiles", "WLAN", "WLANSetting", "WLANConfig"])?
                .map(wifi)
                .transpose()?,
            local_admin: optional(common, &["Accounts", "Users", "User"])?.map(local_admin).transpose()?,
        })
    }
}

fn roots(certificates: &Element) -> Result<Vec<String>, NotCustomizations> {
    let found = certificates.elements().filter(|child| child.is(NAMESPACE_SETTINGS, "RootCertificate"));
    found.map(|certificate| text(certificate, "CertificatePath")).collect()
}

fn wifi(config: &Element) -> Result<Wifi, NotCustomizations> {
    let settings = setting(config, "WLANXmlSettings")?;
    let security = WifiSecurity::parse(&text(settings, "SecurityType")?);
    Ok(Wifi {
        ssid: name(config, "SSID")?,
        security: Some(security.ok_or(NotCustomizations::Value("SecurityType"))?),
        password: settings.child(NAMESPACE_SETTINGS, "SecurityKey").map(|key| Secret::new(key.text())),
        hidden: text(settings, "HiddenNetwork")?.eq_ignore_ascii_case("true"),
    })
}

fn local_admin(user: &Element) -> Result<LocalAdmin, NotCustomizations> {
    if text(user, "UserGroup")? != ADMINISTRATORS {
        return Err(NotCustomizations::Value("UserGroup"));
    }
    Ok(LocalAdmin { name: name(user, "UserName")?, password: Secret::new(text(user, "Password")?) })
}

fn id(text: &str) -> Result<Uuid, NotCustomizations> {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    bare.and_then(|bare| Uuid::try_parse(bare).ok()).ok_or(NotCustomizations::Value("ID"))
}

/// The one child of that name.
fn only<'e>(parent: &'e Element, namespace: &str, name: &'static str) -> Result<&'e Element, NotCustomizations> {
    let mut found = parent.elements().filter(|child| child.is(namespace, name));
    match (found.next(), found.next()) {
        (Some(child), None) => Ok(child),
        (Some(_), Some(_)) => Err(NotCustomizations::Twice(name)),
        (None, _) => Err(NotCustomizations::Missing(name)),
    }
}

fn setting<'e>(parent: &'e Element, name: &'static str) -> Result<&'e Element, NotCustomizations> {
    only(parent, NAMESPACE_SETTINGS, name)
}

fn path<'e>(parent: &'e Element, names: &[&'static str]) -> Result<&'e Element, NotCustomizations> {
    names.iter().try_fold(parent, |element, name| setting(element, name))
}

/// The element at the end of a path of which nothing need be there.
fn optional<'e>(parent: &'e Element, names: &[&'static str]) -> Result<Option<&'e Element>, NotCustomizations> {
    match path(parent, names) {
        Err(NotCustomizations::Missing(_)) => Ok(None),
        found => found.map(Some),
    }
}

fn leaf(parent: &Element, namespace: &str, name: &'static str) -> Result<String, NotCustomizations> {
    Ok(only(parent, namespace, name)?.text().into_owned())
}

fn text(parent: &Element, name: &'static str) -> Result<String, NotCustomizations> {
    leaf(parent, NAMESPACE_SETTINGS, name)
}

fn name(element: &Element, attribute: &'static str) -> Result<String, NotCustomizations> {
    element.attribute(attribute).map(str::to_owned).ok_or(NotCustomizations::Missing(attribute))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole() -> Customizations {
        Customizations {
            id: Uuid::from_u128(0x7c0f_6f0e_5f6b_4a55_9d6e_2f0a_1b2c_3d44),
            name: "Site7".to_owned(),
            version: "1.0".to_owned(),
            notes: Some("Rooms <A> & \"B\"".to_owned()),
            upn: "windows-bulkenroll-site7@fabrikam-lab.example".to_owned(),
            discovery_url: "https://mdm.fabrikam-lab.example/EnrollmentServer/Discovery.svc".to_owned(),
            secret: Secret::new("one-time-or-bulk-password"),
            root_certificates: vec!["root.cer".to_owned(), "root-2.cer".to_owned()],
            device_name: Some("SITE7-%RAND:4%".to_owned()),
            wifi: Some(Wifi {
                ssid: "FABRIKAM \u{e9}<>&'\"".to_owned(),
                security: Some(WifiSecurity::Wpa2Personal),
                password: Some(Secret::new("change-me-please <&>")),
                hidden: true,
            }),
            local_admin: Some(LocalAdmin { name: "setup".to_owned(), password: Secret::new("p<w>&\" ") }),
        }
    }

    fn least() -> Customizations {
        Customizations {
            notes: None,
            root_certificates: Vec::new(),
            device_name: None,
            wifi: None,
            local_admin: None,
            ..whole()
        }
    }

    fn read(bytes: &[u8]) -> Result<Customizations, NotCustomizations> {
        Customizations::decode(bytes, &Limits::default())
    }

    // covers: E-127
    #[test]
    fn what_is_written_is_read_again() {
        for written in [whole(), least()] {
            assert_eq!(read(&written.encode()).unwrap(), written);
        }
    }

    // covers: E-127
    #[test]
    fn the_document_has_the_form_of_the_designer() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../tests/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        let text = |written: Customizations| String::from_utf8(written.encode()).unwrap();
        settings.bind(|| insta::assert_snapshot!("customizations", text(least())));
        settings.bind(|| insta::assert_snapshot!("customizations_with_all_parts", text(whole())));
    }

    #[test]
    fn what_is_no_package_is_refused_by_name() {
        let text = String::from_utf8(whole().encode()).unwrap();
        let cases = [
            (text.replace("<AuthPolicy>OnPremise", "<AuthPolicy>Federated"), "AuthPolicy is not"),
            (text.replace("windows-provisioning", "other"), "Settings is missing"),
            (text.replace("Windows-ICD-Package-Config", "other"), "PackageConfig is missing"),
            (text.replace("DiscoveryServiceFullUrl", "DiscoveryServiceFullURL"), "DiscoveryServiceFullUrl is missing"),
            (text.replace("<Secret>", "<Secret>x</Secret><Secret>"), "Secret is there more than once"),
            (text.replace("{7c0f", "7c0f"), "ID is not"),
            (
                text.replace("<WindowsCustomizations>", "<WindowsCustomizations xmlns=\"urn:x\">"),
                "WindowsCustomizations",
            ),
            (text.replace("WPA2-Personal", "WEP"), "SecurityType is not"),
            (text.replace("</Common>", ""), ""),
        ];
        for (changed, words) in cases {
            let error = read(changed.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}: expected {words}");
            assert!(!error.contains("one-time-or-bulk-password"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(secret in "\\PC{0,40}", ssid in "\\PC{0,32}", notes in "\\PC{0,40}") {
            let written = Customizations {
                secret: Secret::new(secret),
                notes: Some(notes),
                wifi: Some(Wifi { ssid, ..whole().wifi.unwrap() }),
                ..whole()
            };
            prop_assume!(written.encode().windows(3).all(|bytes| bytes != "\u{FFFD}".as_bytes()));
            prop_assert_eq!(read(&written.encode()).unwrap(), written);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
