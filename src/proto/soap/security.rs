//! What the WS-Security header carries: a user name with a password, or a token of a web page or a directory.
//!
//! [MS-MDE2] 3.3 and 3.4 (credentials of each AuthPolicy). XML signatures are not verified by us, so a header that has one
//! is refused.

use secrecy::{ExposeSecret, SecretString};

use super::envelope::{Rejection, is_binary_token};
use super::folded;
use crate::proto::base64;
use crate::proto::xml::ns::{WSSE, XMLDSIG};
use crate::proto::xml::{Element, XmlWriter};

/// ValueType of a token that a federated sign-in page issued.
pub const USER_TOKEN: &str =
    "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken";
/// ValueType of an Entra ID access token.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// EncodingType of every binary token.
pub const BASE64_BINARY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd#base64binary";

/// Who asks. `Debug` shows neither password nor token.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A UsernameToken (AuthPolicy `OnPremise`; in a renewal with an empty password, where it proves nothing).
    Username {
        /// The user name, trimmed.
        username: String,
        /// The password in clear text.
        password: SecretString,
    },
    /// A BinarySecurityToken (AuthPolicy `Federated`).
    Token {
        /// What kind of token, without white space: [`USER_TOKEN`], [`JWT`], or something else.
        value_type: String,
        /// The token, decoded from base64 once.
        token: SecretString,
    },
}

impl Credential {
    /// Reads the content of a `wsse:Security`, in which the envelope counted at most one credential.
    pub(super) fn decode(security: &Element) -> Result<Self, Rejection> {
        if security.elements().any(|e| e.ns == XMLDSIG) {
            return Err(Rejection::InvalidSecurity("an XML signature is not accepted"));
        }
        if let Some(token) = security.child(WSSE, "UsernameToken") {
            return username(token);
        }
        match security.elements().find(|e| is_binary_token(e)) {
            Some(token) => binary(token),
            None => Err(Rejection::InvalidSecurity("the Security header holds no credential")),
        }
    }

    /// Writes the credential the way Windows does.
    pub(super) fn encode(&self, w: &mut XmlWriter) {
        match self {
            Self::Username { username, password } => {
                w.element("wsse:UsernameToken", &[("u:Id", USERNAME_TOKEN_ID)], |w| {
                    w.leaf("wsse:Username", &[], username);
                    w.leaf("wsse:Password", &[("wsse:Type", PASSWORD_TEXT)], password.expose_secret());
                });
            }
            Self::Token { value_type, token } => {
                let attributes = [("ValueType", value_type.as_str()), ("EncodingType", BASE64_BINARY)];
                w.leaf("wsse:BinarySecurityToken", &attributes, &base64::encode(token.expose_secret().as_bytes()));
            }
        }
    }
}

fn username(token: &Element) -> Result<Credential, Rejection> {
    let name = exactly_one(token, "Username")?;
    let password = exactly_one(token, "Password")?;
    let kind = password.attribute("Type").map(folded);
    if kind.is_some_and(|kind| kind != PASSWORD_TEXT) {
        return Err(Rejection::InvalidSecurity("the password is not sent as text"));
    }
    // Blanks belong to a password; line breaks and tabs at its ends come from pretty printing.
    let text = password.text();
    let text = text.trim_matches(['\r', '\n', '\t']);
    Ok(Credential::Username { username: name.trimmed(), password: SecretString::from(text) })
}

fn exactly_one<'e>(token: &'e Element, local: &str) -> Result<&'e Element, Rejection> {
    let mut found = token.elements().filter(|e| e.is(WSSE, local));
    match (found.next(), found.next()) {
        (Some(element), None) if !element.has_elements() => Ok(element),
        _ => Err(Rejection::InvalidSecurity("a UsernameToken needs one user name and one password")),
    }
}

fn binary(token: &Element) -> Result<Credential, Rejection> {
    let bytes = base64::decode(&token.text()).map_err(|_| Rejection::InvalidSecurity("the token is not base64"))?;
    if bytes.is_empty() {
        return Err(Rejection::InvalidSecurity("the token is empty"));
    }
    let text = String::from_utf8(bytes).map_err(|_| Rejection::InvalidSecurity("the token is not text"))?;
    let value_type = token.attribute("ValueType").map(folded).unwrap_or_default();
    Ok(Credential::Token { value_type, token: SecretString::from(text) })
}

const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
/// The same in every Windows client; a server does not look at it.
const USERNAME_TOKEN_ID: &str = "uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4";

#[cfg(test)]
mod tests;
