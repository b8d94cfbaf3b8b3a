//! Why an enrollment message is refused: the cause for the administrator, the fault for the device.
//!
//! The mapping is the table of the enrollment reference 7.5. Texts of faults may reach the user's screen: they hold no
//! internals, and every failed authentication has the same one.

use crate::domain::admission::Broken;
use crate::domain::refused::Refused;
use crate::pki::{CsrRejected, SignatureRejected};
use crate::proto::soap::envelope::Rejection;
use crate::proto::soap::fault::{ErrorType, Fault, Subcode};

use super::ports::{HashError, SealError, StoreError};

/// Why an enrollment message is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The message cannot be read.
    #[error("the message could not be read: {0}")]
    Unreadable(#[from] Rejection),
    /// None of the policies that the device offers is enabled.
    #[error("the device offers only {0}, and that is not enabled")]
    PolicyNotOffered(String),
    /// The domain of the address is not served.
    #[error("the domain of this address is not among the served domains")]
    DomainNotServed,
    /// The address by which the device came is out of date.
    #[error("the device came by an enrollment URL that is out of date")]
    StaleUrl {
        /// Whom to ask; empty: nobody is named.
        contact: String,
    },
    /// User unknown, wrong password, or too many attempts; the words tell the administrator which.
    #[error("{0}")]
    Credentials(&'static str),
    /// The password is right, but the account is switched off.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The password is right, but it has to be replaced first.
    #[error("the user has to choose a new password first: a device was assigned to this account")]
    PasswordChange {
        /// The server's, whose page `/password` takes the new one.
        url: String,
    },
    /// The user has as many devices as allowed.
    #[error("the user has reached the limit of {0} devices")]
    DeviceLimit(u32),
    /// As many devices as allowed have enrolled with the package.
    #[error("the package has reached its limit of {0} devices")]
    PackageUsedUp(u32),
    /// A rule of the installation keeps the device out.
    #[error("{0}")]
    Rule(#[from] Broken),
    /// The certificate request is not acceptable.
    #[error("{0}")]
    CertificateRequest(String),
    /// A renewal that is not granted.
    #[error("{0}")]
    NotEligibleToRenew(#[from] NotRenewed),
    /// Recovery, or a request type that is not known.
    #[error("request type {0} is not supported")]
    RequestType(String),
    /// The issuing CA cannot sign.
    #[error("the issuing CA cannot sign: {0}")]
    Authority(String),
    /// The database is not available.
    #[error("the database is not available: {0}")]
    Store(String),
    /// A bug or damage.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why a certificate is not renewed (enrollment reference 6.2); the device learns no more than that it is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewed {
    /// It was asked at the wrong place.
    #[error("a renewal was sent to the enrollment service; it belongs to the renewal service on the device host")]
    Elsewhere,
    /// The certificate, or the enrollment, is good for nothing any more.
    #[error("the certificate cannot be renewed: {0}")]
    Over(String),
    /// No signed request.
    #[error("{0}")]
    Token(&'static str),
    /// The signature is not good.
    #[error("the request: {0}")]
    Signature(#[from] SignatureRejected),
    /// Another certificate than that of the connection signed, or none of ours.
    #[error("the request was signed by another certificate than that of the connection")]
    OtherSigner,
    /// A signature with SHA-1 where nothing else proves the sender.
    #[error("the request is signed with SHA-1, and nothing beside that proves who sent it")]
    Weak,
    /// The certificate request inside is not acceptable.
    #[error("{0}")]
    Request(#[from] CsrRejected),
    /// A key that the enrollment has or had.
    #[error("the key of the certificate request is not a new one")]
    SameKey,
    /// The key of another enrollment.
    #[error("the key of the certificate request is in use by another enrollment")]
    TakenKey,
    /// The device says that it is another one.
    #[error("the {0} of the request is not that of the device")]
    Identifier(&'static str),
    /// Another request of the same device was granted meanwhile.
    #[error("another renewal of the same device at the same moment was faster")]
    Faster,
    /// Again and again in a short time.
    #[error("renewed too often in a short time")]
    TooOften,
}

/// What Windows shows for HTTP 400.
const HTTP_BAD_REQUEST: u32 = 0x8019_0190;
/// One text for every failed authentication.
const SIGN_IN_FAILED: &str = "The user name or password is not correct.";

impl Refusal {
    /// The fault that the device gets; `None` where the answer is HTTP 400 without SOAP.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let (subcode, error_type, reason): (Subcode, Option<ErrorType>, &str) = match self {
            Self::Unreadable(rejection) => return rejection.fault(),
            Self::PolicyNotOffered(_) | Self::DomainNotServed => {
                (Subcode::Authorization, Some(ErrorType::NotSupported), "Enrollment is not offered for this address.")
            }
            Self::StaleUrl { contact } => {
                let whom = if contact.is_empty() { "your administrator" } else { contact };
                let reason = format!("This enrollment address is not in use any more. Ask for the new one: {whom}");
                let error_type = Some(ErrorType::NotSupported);
                return Some(Fault { subcode: Subcode::Authorization, error_type, reason });
            }
            Self::Credentials(_) => (Subcode::Authentication, None, SIGN_IN_FAILED),
            Self::AccountDisabled => (Subcode::Authorization, None, "This account may not enroll devices."),
            Self::PasswordChange { url } => {
                let reason = format!("Choose a new password first: {url}/password");
                let error_type = Some(ErrorType::CustomServerError);
                return Some(Fault { subcode: Subcode::Authorization, error_type, reason });
            }
            Self::DeviceLimit(_) | Self::PackageUsedUp(_) => (
                Subcode::Authorization,
                Some(ErrorType::DeviceCapReached),
                "This account has reached its number of devices.",
            ),
            Self::Rule(broken) => return Some(of_rule(broken)),
            Self::CertificateRequest(_) => {
                (Subcode::CertificateRequest, None, "The certificate request of the device was not accepted.")
            }
            Self::NotEligibleToRenew(_) => {
                (Subcode::Authorization, Some(ErrorType::NotEligibleToRenew), "The certificate cannot be renewed here.")
            }
            Self::RequestType(_) => {
                (Subcode::MessageFormat, Some(ErrorType::NotSupported), "This kind of request is not supported.")
            }
            Self::Authority(_) | Self::Store(_) => {
                (Subcode::EnrollmentServer, None, "The server cannot enroll devices right now. Try again later.")
            }
            Self::Internal(_) => (Subcode::InternalServiceFault, None, "The server had an unexpected problem."),
        };
        Some(Fault { subcode, error_type, reason: reason.to_owned() })
    }

    /// The number that the person at the device sees.
    #[must_use]
    pub fn hresult(&self) -> u32 {
        match self.fault() {
            Some(fault) => fault.error_type.map_or_else(|| fault.subcode.hresult(), ErrorType::hresult),
            None => HTTP_BAD_REQUEST,
        }
    }

    /// Its word in the ledger, where more is known than its code says.
    #[must_use]
    pub fn kind(&self) -> Option<Refused> {
        Some(match self {
            Self::PolicyNotOffered(_) => Refused::PolicyNotOffered,
            Self::DomainNotServed => Refused::DomainNotServed,
            Self::StaleUrl { .. } => Refused::StaleUrl,
            Self::AccountDisabled => Refused::AccountDisabled,
            Self::PasswordChange { .. } => Refused::PasswordChange,
            Self::DeviceLimit(_) => Refused::DeviceLimit,
            Self::PackageUsedUp(_) => Refused::PackageUsedUp,
            Self::RequestType(_) => Refused::RequestType,
            Self::Rule(broken) => match broken {
                Broken::Home(_) => Refused::Home,
                Broken::Edition(_) => Refused::Edition,
                Broken::TooOld(..) => Refused::TooOld,
                Broken::TooNew(..) => Refused::TooNew,
                Broken::Personal => Refused::Personal,
                Broken::Network(_) => Refused::Network,
                Broken::NotRegistered => Refused::NotRegistered,
                Broken::RegistrationInUse => Refused::RegistrationInUse,
                Broken::Full(_) => Refused::Full,
            },
            Self::Unreadable(_)
            | Self::Credentials(_)
            | Self::CertificateRequest(_)
            | Self::NotEligibleToRenew(_)
            | Self::Authority(_)
            | Self::Store(_)
            | Self::Internal(_) => return None,
        })
    }

    /// Whether the cause lies with us, so that it belongs into the log as an error.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Authority(_) | Self::Store(_) | Self::Internal(_))
    }
}

/// The fault of a broken rule; every one has its own text, which newer versions of Windows show.
fn of_rule(broken: &Broken) -> Fault {
    let (error_type, reason) = match broken {
        Broken::Home(_) => (
            ErrorType::DeviceNotSupported,
            "Windows Home cannot be managed. Change to Windows Pro, then enroll this PC.".to_owned(),
        ),
        Broken::Edition(_) => {
            (ErrorType::DeviceNotSupported, "This edition of Windows may not be enrolled here.".to_owned())
        }
        Broken::TooOld(_, least) => (
            ErrorType::DeviceNotSupported,
            format!("This version of Windows is too old. Update it to build {least} or later, then enroll this PC."),
        ),
        Broken::TooNew(_, most) => (
            ErrorType::DeviceNotSupported,
            format!("This version of Windows is not supported here yet; build {most} is the newest."),
        ),
        Broken::Personal => {
            (ErrorType::CustomServerError, "Only devices of the organization may be enrolled here.".to_owned())
        }
        Broken::Network(_) => (ErrorType::CustomServerError, "Devices are not enrolled from this network.".to_owned()),
        Broken::NotRegistered => (
            ErrorType::CustomServerError,
            "This device is not registered. Ask your administrator to register it, then enroll it.".to_owned(),
        ),
        Broken::RegistrationInUse => (
            ErrorType::CustomServerError,
            "Another device is enrolled under the registration of this one. Ask your administrator.".to_owned(),
        ),
        Broken::Full(_) => (ErrorType::DeviceCapReached, "No more devices can be enrolled here.".to_owned()),
    };
    Fault { subcode: Subcode::Authorization, error_type: Some(error_type), reason }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Store("it changed meanwhile, too often".to_owned()),
            StoreError::Unavailable(cause)
            | StoreError::Full(cause)
            | StoreError::InDoubt(cause)
            | StoreError::Internal(cause) => Self::Store(cause),
        }
    }
}

impl From<HashError> for Refusal {
    fn from(error: HashError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::admission::WindowsBuild;
    use crate::domain::hresult::explain;
    use crate::proto::xml::XmlError;

    // covers: E-105
    #[test]
    fn every_refusal_has_its_row() {
        use ErrorType as E;
        use Subcode as S;
        let rows = [
            (Refusal::Unreadable(Rejection::Format("x")), S::MessageFormat, None),
            (Refusal::Unreadable(Rejection::InvalidSecurity("x")), S::InvalidSecurity, None),
            (Refusal::PolicyNotOffered("x".into()), S::Authorization, Some(E::NotSupported)),
            (Refusal::DomainNotServed, S::Authorization, Some(E::NotSupported)),
            (Refusal::StaleUrl { contact: String::new() }, S::Authorization, Some(E::NotSupported)),
            (Refusal::Credentials("x"), S::Authentication, None),
            (Refusal::AccountDisabled, S::Authorization, None),
            (Refusal::PasswordChange { url: String::new() }, S::Authorization, Some(E::CustomServerError)),
            (Refusal::DeviceLimit(1), S::Authorization, Some(E::DeviceCapReached)),
            (Refusal::PackageUsedUp(1), S::Authorization, Some(E::DeviceCapReached)),
            (Refusal::Rule(Broken::Home(101)), S::Authorization, Some(E::DeviceNotSupported)),
            (Refusal::Rule(Broken::Edition(None)), S::Authorization, Some(E::DeviceNotSupported)),
            (Refusal::Rule(Broken::NotRegistered), S::Authorization, Some(E::CustomServerError)),
            (Refusal::Rule(Broken::Full(1)), S::Authorization, Some(E::DeviceCapReached)),
            (Refusal::CertificateRequest("x".into()), S::CertificateRequest, None),
            (Refusal::NotEligibleToRenew(NotRenewed::Faster), S::Authorization, Some(E::NotEligibleToRenew)),
            (Refusal::RequestType("x".into()), S::MessageFormat, Some(E::NotSupported)),
            (Refusal::Authority("x".into()), S::EnrollmentServer, None),
            (Refusal::Store("x".into()), S::EnrollmentServer, None),
            (Refusal::Internal("x".into()), S::InternalServiceFault, None),
        ];
        for (refusal, subcode, error_type) in rows {
            let fault = refusal.fault().unwrap();
            assert_eq!((fault.subcode, fault.error_type), (subcode, error_type), "{refusal}");
        }
        assert!(Refusal::Unreadable(Rejection::NotXml(XmlError::Doctype)).fault().is_none());
    }

    #[test]
    fn the_advice_of_every_refusal_names_what_mends_it() {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let build = WindowsBuild::of_version("10.0.22631").unwrap();
        let cases = [
            (Refusal::PolicyNotOffered("x".into()), "auth_policy"),
            (Refusal::DomainNotServed, "`domains`"),
            (Refusal::StaleUrl { contact: String::new() }, "muster enroll-url"),
            (Refusal::Credentials("x"), "the ledger tells"),
            (Refusal::AccountDisabled, "--enable"),
            (Refusal::PasswordChange { url: String::new() }, "muster user password"),
            (Refusal::DeviceLimit(1), "`max_devices_per_user`"),
            (Refusal::PackageUsedUp(1), "--max-devices"),
            (Refusal::Rule(Broken::Home(101)), "Windows Pro"),
            (Refusal::Rule(Broken::Edition(None)), "`editions`"),
            (Refusal::Rule(Broken::TooOld(None, build)), "`min_build`"),
            (Refusal::Rule(Broken::TooNew(None, build)), "`max_build`"),
            (Refusal::Rule(Broken::Personal), "muster device register"),
            (Refusal::Rule(Broken::Network(address)), "`networks`"),
            (Refusal::Rule(Broken::NotRegistered), "muster device register"),
            (Refusal::Rule(Broken::RegistrationInUse), "muster device unregister"),
            (Refusal::Rule(Broken::Full(1)), "`max_devices`"),
            (Refusal::RequestType("x".into()), "ms-device-enrollment:"),
        ];
        for (refusal, key) in cases {
            let code = refusal.hresult();
            let told = refusal.kind().map_or_else(|| explain(code), |kind| kind.explanation(code)).unwrap();
            assert!(told.english.fix.contains(key), "{refusal}: {}", told.english.fix);
            assert!(told.name.starts_with("MENROLL_E_"), "{refusal}: {}", told.name);
        }
    }

    // covers: E-109, S-32
    #[test]
    fn causes_do_not_reach_the_device() {
        let cause = "SELECT * FROM users at /var/lib";
        for refusal in [Refusal::Store(cause.into()), Refusal::Internal(cause.into()), Refusal::Authority(cause.into())]
        {
            assert!(!refusal.fault().unwrap().reason.contains("SELECT"));
        }
        let reasons: Vec<String> = ["unknown user", "wrong password", "too many attempts"]
            .map(|words| Refusal::Credentials(words).fault().unwrap().reason)
            .to_vec();
        assert!(reasons.iter().all(|reason| *reason == reasons[0]));
    }
}
