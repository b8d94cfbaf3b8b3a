//! SOAP faults: what each one says, in which casing and with which HTTP status, is decided here and nowhere else.
//!
//! [MS-MDE2] 2.2.10; the namespace of the `a:` subcodes is from the sample in [MS-WSTEP] 4.1.4.2.

use super::envelope::{Envelope, Reply, ReplyHeader};
use crate::proto::xml::ns::{DISPATCHER, WSTEP};
use crate::proto::xml::{Element, XmlWriter};

/// One of the three enrollment services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// MS-MDE2 Discover.
    Discover,
    /// MS-XCEP GetPolicies.
    GetPolicies,
    /// MS-WSTEP RequestSecurityToken, renewals included.
    RequestSecurityToken,
}

impl Operation {
    /// The `a:Action` of its request.
    #[must_use]
    pub fn request_action(self) -> &'static str {
        match self {
            Self::Discover => {
                "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/Discover"
            }
            Self::GetPolicies => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPolicies"
            }
            Self::RequestSecurityToken => "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RST/wstep",
        }
    }

    /// The `a:Action` of its answer and of its faults.
    #[must_use]
    pub fn response_action(self) -> &'static str {
        match self {
            Self::Discover => {
                "http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse"
            }
            Self::GetPolicies => {
                "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse"
            }
            Self::RequestSecurityToken => "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RSTRC/wstep",
        }
    }
}

/// What went wrong, in the classes that Windows tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subcode {
    /// The XML or a mandatory field is bad.
    MessageFormat,
    /// Unknown user, wrong password, bad or expired token.
    Authentication,
    /// The user is known but may not enroll.
    Authorization,
    /// The certificate request is refused.
    CertificateRequest,
    /// A back end (database, CA key) is not available.
    EnrollmentServer,
    /// Unexpected.
    InternalServiceFault,
    /// The Security header is missing or cannot be read.
    InvalidSecurity,
}

impl Subcode {
    /// Every subcode.
    pub const ALL: [Self; 7] = [
        Self::MessageFormat,
        Self::Authentication,
        Self::Authorization,
        Self::CertificateRequest,
        Self::EnrollmentServer,
        Self::InternalServiceFault,
        Self::InvalidSecurity,
    ];

    /// The qualified name in `s:Subcode/s:Value`; `a:` is the WCF dispatcher there.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageFormat => "s:MessageFormat",
            Self::Authentication => "s:Authentication",
            Self::Authorization => "s:Authorization",
            Self::CertificateRequest => "s:CertificateRequest",
            Self::EnrollmentServer => "s:EnrollmentServer",
            Self::InternalServiceFault => "a:InternalServiceFault",
            Self::InvalidSecurity => "a:InvalidSecurity",
        }
    }

    /// The error code that Windows reports for it.
    #[must_use]
    pub fn hresult(self) -> u32 {
        match self {
            Self::MessageFormat => 0x8018_0001,
            Self::Authentication => 0x8018_0002,
            Self::Authorization => 0x8018_0003,
            Self::CertificateRequest => 0x8018_0004,
            Self::EnrollmentServer => 0x8018_0005,
            Self::InternalServiceFault => 0x8018_0006,
            Self::InvalidSecurity => 0x8018_0007,
        }
    }

    fn from_wire(value: &str) -> Option<Self> {
        let local = |name: &str| name.rsplit(':').next().map(str::to_ascii_lowercase);
        Self::ALL.into_iter().find(|subcode| local(subcode.as_str()) == local(value))
    }
}

/// A closer reason, in the detail of the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// The user has as many devices as allowed.
    DeviceCapReached,
    /// Platform, edition or version is not allowed.
    DeviceNotSupported,
    /// Not offered to this account, or a kind of request that is not offered.
    NotSupported,
    /// A renewal is refused.
    NotEligibleToRenew,
    /// Try again later.
    InMaintenance,
    /// The user has no licence.
    UserLicense,
    /// The terms-of-use data is refused.
    InvalidEnrollmentData,
    /// The reason is a text of the administrator (Windows 10 20H2 and later).
    CustomServerError,
}

impl ErrorType {
    /// Every error type.
    pub const ALL: [Self; 8] = [
        Self::DeviceCapReached,
        Self::DeviceNotSupported,
        Self::NotSupported,
        Self::NotEligibleToRenew,
        Self::InMaintenance,
        Self::UserLicense,
        Self::InvalidEnrollmentData,
        Self::CustomServerError,
    ];

    /// The text of `ErrorType`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DeviceCapReached => "DeviceCapReached",
            Self::DeviceNotSupported => "DeviceNotSupported",
            Self::NotSupported => "NotSupported",
            Self::NotEligibleToRenew => "NotEligibleToRenew",
            Self::InMaintenance => "InMaintenance",
            Self::UserLicense => "UserLicense",
            Self::InvalidEnrollmentData => "InvalidEnrollmentData",
            Self::CustomServerError => "CustomServerError",
        }
    }

    /// The error code that Windows reports for it.
    #[must_use]
    pub fn hresult(self) -> u32 {
        match self {
            Self::DeviceCapReached => 0x8018_0013,
            Self::DeviceNotSupported => 0x8018_0014,
            Self::NotSupported => 0x8018_0015,
            Self::NotEligibleToRenew => 0x8018_0016,
            Self::InMaintenance => 0x8018_0017,
            Self::UserLicense => 0x8018_0018,
            Self::InvalidEnrollmentData => 0x8018_0019,
            Self::CustomServerError => 0x8018_0032,
        }
    }

    fn from_wire(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(value))
    }
}

/// A fault that the server answers with. The reason may reach the user's screen: no internals in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class.
    pub subcode: Subcode,
    /// The closer reason, where one applies.
    pub error_type: Option<ErrorType>,
    /// A sentence for a person.
    pub reason: String,
}

impl Fault {
    /// The HTTP status of every fault.
    pub const HTTP_STATUS: u16 = 500;

    /// The answer to `operation`.
    ///
    /// The detail, with the activity id as `TraceId`, is there when an [`ErrorType`] applies; otherwise the activity id
    /// stands in the `ActivityId` header only, as the specification leaves the detail out then.
    #[must_use]
    pub fn encode(&self, operation: Operation, header: &ReplyHeader<'_>) -> Vec<u8> {
        let reply = Reply { action: operation.response_action(), header, schema: false, created: None };
        reply.encode(|w| {
            w.element("s:Fault", &[], |w| {
                self.code(w);
                w.element("s:Reason", &[], |w| w.leaf("s:Text", &[("xml:lang", "en-us")], &self.reason));
                if let Some(error_type) = self.error_type {
                    self.detail(w, error_type, header);
                }
            });
        })
    }

    fn code(&self, w: &mut XmlWriter) {
        let value = self.subcode.as_str();
        let binding: &[(&str, &str)] = if value.starts_with("a:") { &[("xmlns:a", DISPATCHER)] } else { &[] };
        w.element("s:Code", &[], |w| {
            w.leaf("s:Value", &[], "s:Receiver");
            w.element("s:Subcode", &[], |w| w.leaf("s:Value", binding, value));
        });
    }

    fn detail(&self, w: &mut XmlWriter, error_type: ErrorType, header: &ReplyHeader<'_>) {
        w.element("s:Detail", &[], |w| {
            w.element("DeviceEnrollmentServiceError", &[("xmlns", WSTEP)], |w| {
                w.leaf("ErrorType", &[], error_type.as_str());
                w.leaf("Message", &[], &self.reason);
                w.leaf("TraceId", &[], &header.activity_id.to_string());
            });
        });
    }

    /// The fault in an answer, as a device reads it; `None` when the body is no fault.
    #[must_use]
    pub fn decode(envelope: &Envelope) -> Option<ReceivedFault> {
        let fault = Some(&envelope.body).filter(|body| body.local.eq_ignore_ascii_case("Fault"))?;
        let subcode = path(fault, &["Code", "Subcode", "Value"]).map(Element::trimmed);
        let detail = path(fault, &["Detail", "DeviceEnrollmentServiceError"]);
        let field = |name| detail.and_then(|detail| path(detail, &[name])).map(Element::trimmed);
        Some(ReceivedFault {
            subcode: subcode.as_deref().and_then(Subcode::from_wire),
            error_type: field("ErrorType").as_deref().and_then(ErrorType::from_wire),
            reason: path(fault, &["Reason", "Text"]).map(Element::trimmed).unwrap_or_default(),
            trace_id: field("TraceId").or_else(|| envelope.activity_id.clone()),
        })
    }
}

/// A fault as a device receives it; what it does not know is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFault {
    /// The class.
    pub subcode: Option<Subcode>,
    /// The closer reason.
    pub error_type: Option<ErrorType>,
    /// The text for a person.
    pub reason: String,
    /// The id to look for in the server's log.
    pub trace_id: Option<String>,
}

impl ReceivedFault {
    /// The error code a device would report.
    #[must_use]
    pub fn hresult(&self) -> u32 {
        let by_type = self.error_type.map(ErrorType::hresult);
        by_type.or_else(|| self.subcode.map(Subcode::hresult)).unwrap_or(UNKNOWN_ERROR)
    }
}

/// Some servers write faults in lower case throughout, after the printed samples.
fn path<'e>(element: &'e Element, names: &[&str]) -> Option<&'e Element> {
    names.iter().try_fold(element, |at, name| at.elements().find(|e| e.local.eq_ignore_ascii_case(name)))
}

const UNKNOWN_ERROR: u32 = 0x8018_0008;

#[cfg(test)]
mod tests;
