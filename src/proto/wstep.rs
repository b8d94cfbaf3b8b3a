//! RequestSecurityToken: the certificate request of a device and the answer with its provisioning document.
//! [MS-MDE2] 3.4 and 3.5, a profile of [MS-WSTEP].

mod request;
mod response;

pub use request::{BinaryToken, ContextItem, PKCS7, PKCS7_WSTEP, PKCS10, RequestSecurityToken, RequestType};
pub use response::{decode_response, encode_response};

const TOKEN_TYPE: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentToken";

#[cfg(test)]
mod tests;
