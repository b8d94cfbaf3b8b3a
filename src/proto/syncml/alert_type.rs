//! What an alert of a device is about (management reference chapter 4): the literals of its `Type`, understood.

/// The subject of an Item of an alert 1224 or 1226.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertType {
    /// Who is signed in: `user`, `others` or `none`.
    LoginStatus,
    /// A token of the Entra user. Its data is a credential.
    UserToken,
    /// A token of the Entra device. Its data is a credential.
    DeviceToken,
    /// What a session on a host of several users may touch: `user`, `device` or `mixed`.
    SyncType,
    /// The first synchronization of out-of-box setup.
    BootstrapSync,
    /// The first synchronization of a device that waits to join a domain.
    OdjSync,
    /// A stage of the device preparation page.
    DevicePrepSync,
    /// Text that an administrator had the device send (DMSessionActions).
    CustomAlert,
    /// States of declared configuration documents.
    DeclaredConfiguration,
    /// The device is still working.
    RequestPending,
    /// The device leaves management.
    Unenrollment,
    /// An MSI job ended: 0, or an HRESULT.
    MsiInstall,
    /// The installation of a packaged app ended: 0, or an HRESULT.
    AppInstall,
    /// The removal of a packaged app ended: 0, or an HRESULT.
    AppUninstall,
    /// Another `….<name>.result` of the app management: that name.
    AppResult(String),
    /// An enrollment by SCEP ended: 0, or an HRESULT.
    ScepInstall,
    /// A health attestation ended; 3: the certificate is there.
    HealthAttestation,
    /// Something that is not known here.
    Unknown,
}

impl AlertType {
    /// The subject of a code and a type; types compare trimmed and without case.
    #[must_use]
    pub fn of(code: u16, kind: &str) -> Self {
        let kind = kind.trim();
        let is = |codes: &[u16], literal: &str| codes.contains(&code) && kind.eq_ignore_ascii_case(literal);
        let known = KNOWN.iter().find(|(codes, literal, _)| is(codes, literal));
        if let Some((_, _, subject)) = known {
            return subject.clone();
        }
        // Whatever stands before it: what is said to be a token must not get out because its name was written in another way.
        let last = kind.rsplit(['/', ':', '.']).next().unwrap_or_default();
        if let Some((_, token)) = TOKENS.iter().find(|(name, _)| last.eq_ignore_ascii_case(name)) {
            return token.clone();
        }
        let name = (code == GENERIC).then(|| between(kind, APP_PREFIX, ".result")).flatten();
        name.map_or(Self::Unknown, |name| Self::AppResult(name.to_owned()))
    }

    /// Whether the data is a credential, which is neither kept nor told.
    #[must_use]
    pub fn is_credential(&self) -> bool {
        matches!(self, Self::UserToken | Self::DeviceToken)
    }

    /// Whether it only steers the session in which it came, so that there is nothing to tell about it.
    #[must_use]
    pub fn is_about_session(&self) -> bool {
        matches!(self, Self::LoginStatus | Self::RequestPending | Self::Unenrollment)
    }
}

const CLIENT_EVENT: u16 = 1224;
const GENERIC: u16 = 1226;
const APP_PREFIX: &str = "Reversed-Domain-Name:com.microsoft.mdm.";

/// The last part of the types `com.microsoft/MDM/…` under which tokens come, with any code.
const TOKENS: &[(&str, AlertType)] =
    &[("AADUserToken", AlertType::UserToken), ("AADDeviceToken", AlertType::DeviceToken)];

/// Codes, type literal, subject. The page about MSI jobs calls theirs a generic alert, its sample is a client event.
const KNOWN: &[(&[u16], &str, AlertType)] = &[
    (&[CLIENT_EVENT], "com.microsoft/MDM/LoginStatus", AlertType::LoginStatus),
    (&[CLIENT_EVENT], "com.microsoft.mdm.synctype", AlertType::SyncType),
    (&[CLIENT_EVENT], "com.microsoft/MDM/BootstrapSync", AlertType::BootstrapSync),
    (&[CLIENT_EVENT], "com.microsoft/MDM/OdjSync", AlertType::OdjSync),
    (&[CLIENT_EVENT], "com.microsoft/MDM/DevicePrepSync", AlertType::DevicePrepSync),
    (&[CLIENT_EVENT], "com.microsoft/MDM/CustomAlert", AlertType::CustomAlert),
    (&[CLIENT_EVENT], "com.microsoft.mdm.declaredconfigurationdocuments", AlertType::DeclaredConfiguration),
    (&[CLIENT_EVENT], "Reversed-Domain-Name:com.microsoft.mdm.requestpending", AlertType::RequestPending),
    (&[CLIENT_EVENT, GENERIC], "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install", AlertType::MsiInstall),
    (&[GENERIC], "com.microsoft:mdm.unenrollment.userrequest", AlertType::Unenrollment),
    (&[GENERIC], "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseHostedAppInstall.result", AlertType::AppInstall),
    (&[GENERIC], "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseAppUninstall.result", AlertType::AppUninstall),
    (&[GENERIC], "com.microsoft:mdm.SCEPcertinstall.result", AlertType::ScepInstall),
    (&[GENERIC], "com.microsoft.mdm:HealthAttestation.Result", AlertType::HealthAttestation),
];

/// What stands between a beginning and an end, both compared without case; not nothing.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let head = text.get(..start.len())?;
    let rest = text.get(start.len()..)?;
    let cut = rest.len().checked_sub(end.len())?;
    let fits = head.eq_ignore_ascii_case(start) && rest.get(cut..)?.eq_ignore_ascii_case(end);
    rest.get(..cut).filter(|name| fits && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: M-101, M-102, M-103, M-104, M-106
    #[test]
    fn types_are_known_by_code_and_literal() {
        let result = |name: &str| AlertType::AppResult(name.to_owned());
        let cases = [
            (1224, " com.microsoft/mdm/LOGINSTATUS ", AlertType::LoginStatus),
            (1226, "com.microsoft/MDM/LoginStatus", AlertType::Unknown),
            (1224, "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install", AlertType::MsiInstall),
            (1226, "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install", AlertType::MsiInstall),
            (1226, "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseHostedAppInstall.result", AlertType::AppInstall),
            (1226, "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseAppUninstall.result", AlertType::AppUninstall),
            (1226, "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseStoreAppInstall.result", {
                result("EnterpriseStoreAppInstall")
            }),
            (1224, "Reversed-Domain-Name:com.microsoft.mdm.EnterpriseStoreAppInstall.result", AlertType::Unknown),
            (1226, "Reversed-Domain-Name:com.microsoft.mdm..result", AlertType::Unknown),
            (1226, "com.microsoft:mdm.SCEPcertinstall.result", AlertType::ScepInstall),
            (1226, "com.microsoft.mdm:HealthAttestation.Result", AlertType::HealthAttestation),
            (1224, "com.microsoft.mdm:HealthAttestation.Result", AlertType::Unknown),
            (1226, "é", AlertType::Unknown),
            (1226, "", AlertType::Unknown),
        ];
        for (code, kind, expected) in cases {
            assert_eq!(AlertType::of(code, kind), expected, "{code} {kind}");
        }
    }

    // covers: M-107
    #[test]
    fn tokens_are_credentials_under_any_code() {
        let kinds = [
            "com.microsoft/MDM/AADUserToken",
            " COM.microsoft/mdm/aaddevicetoken",
            "Reversed-Domain-Name:com.microsoft/MDM/AADUserToken",
            "com.microsoft.mdm.AADUserToken",
        ];
        for kind in kinds {
            for code in [1224, 1226, 1300] {
                assert!(AlertType::of(code, kind).is_credential(), "{code} {kind}");
            }
        }
        assert!(!AlertType::of(1224, "com.microsoft/MDM/AADUserTokens").is_credential());
    }
}
