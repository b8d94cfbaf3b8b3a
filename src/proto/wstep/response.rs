//! The answer: a RequestSecurityTokenResponseCollection around one provisioning document.

use time::OffsetDateTime;

use super::TOKEN_TYPE;
use crate::proto::base64;
use crate::proto::soap::at_most_one;
use crate::proto::soap::envelope::{Envelope, Rejection, Reply, ReplyHeader};
use crate::proto::soap::fault::Operation;
use crate::proto::soap::security::BASE64_BINARY;
use crate::proto::xml::XmlWriter;
use crate::proto::xml::ns::{WSSE, WST, WSTEP};

/// Writes the answer that carries `document`; `created` is now, and the message says that it lasts five minutes.
#[must_use]
pub fn encode_response(document: &[u8], created: OffsetDateTime, header: &ReplyHeader<'_>) -> Vec<u8> {
    let action = Operation::RequestSecurityToken.response_action();
    Reply { action, header, schema: false, created: Some(created) }.encode(|w| {
        w.element("RequestSecurityTokenResponseCollection", &[("xmlns", WST)], |w| {
            w.element("RequestSecurityTokenResponse", &[], |w| response(w, document));
        });
    })
}

fn response(w: &mut XmlWriter, document: &[u8]) {
    w.leaf("TokenType", &[], TOKEN_TYPE);
    w.leaf("DispositionMessage", &[("xmlns", WSTEP)], "");
    w.element("RequestedSecurityToken", &[], |w| {
        let attributes = [("xmlns", WSSE), ("ValueType", PROVISION_DOC), ("EncodingType", BASE64_BINARY)];
        w.leaf("BinarySecurityToken", &attributes, &base64::encode(document));
    });
    w.leaf("RequestID", &[("xmlns", WSTEP)], "0");
}

/// The provisioning document in an answer, as a device takes it out.
///
/// # Errors
///
/// [`Rejection::Format`] for another message, or one without exactly one readable document.
pub fn decode_response(envelope: &Envelope) -> Result<Vec<u8>, Rejection> {
    envelope.expect_action(Operation::RequestSecurityToken.response_action())?;
    let missing = Rejection::Format("the answer holds no provisioning document");
    if !envelope.body.is(WST, "RequestSecurityTokenResponseCollection") {
        return Err(missing);
    }
    let path = [(WST, "RequestSecurityTokenResponse"), (WST, "RequestedSecurityToken"), (WSSE, "BinarySecurityToken")];
    let token = path
        .iter()
        .try_fold(&envelope.body, |at, (ns, local)| at_most_one(at, &[ns], local)?.ok_or_else(|| missing.clone()))?;
    if token.attribute("ValueType") != Some(PROVISION_DOC) {
        return Err(missing);
    }
    base64::decode(&token.text()).map_err(|_| Rejection::Format("the provisioning document is not base64"))
}

const PROVISION_DOC: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentProvisionDoc";
