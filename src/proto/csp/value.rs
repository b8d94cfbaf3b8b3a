//! Values that more than one CSP takes, read strictly: what is one of these is right for the wire.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::proto::{base64, wap};

/// Why a text is no such value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

impl Misfit {
    fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

/// A GUID, read with or without braces, written in lower case without; the default is all zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f")]
pub struct Guid(pub Uuid);

impl TryFrom<String> for Guid {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        let bare = text.trim();
        let bare = bare.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(bare);
        let parsed = (bare.len() == 36).then(|| Uuid::try_parse(bare).ok()).flatten();
        parsed.map(Self).ok_or_else(|| Misfit::new("is a GUID: 8-4-4-4-12 hex digits"))
    }
}

impl From<Guid> for String {
    fn from(guid: Guid) -> Self {
        guid.to_string()
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The product code of an MSI: a GUID that is written in braces and upper case; the default is none, for an address only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "{3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11}")]
pub struct ProductCode(Uuid);

impl TryFrom<String> for ProductCode {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        Guid::try_from(text).map(|guid| Self(guid.0))
    }
}

impl From<ProductCode> for String {
    fn from(code: ProductCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for ProductCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{:X}}}", self.0.as_hyphenated())
    }
}

/// SHA-1 of a certificate: 40 hex digits, in upper case as the stores of Windows name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819")]
pub struct Thumbprint(String);

impl Thumbprint {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        // As copied from a certificate dialog.
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        hex(&digits, 40).map(|digits| Self(digits.to_ascii_uppercase()))
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.0
    }
}

/// A SHA-256: 64 hex digits; the default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub struct Sha256(String);

impl Sha256 {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha256 {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        hex(text.trim(), 64).map(|digits| Self(digits.to_ascii_lowercase()))
    }
}

impl From<Sha256> for String {
    fn from(sha256: Sha256) -> Self {
        sha256.0
    }
}

fn hex(text: &str, digits: usize) -> Result<&str, Misfit> {
    let good = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if good { Ok(text) } else { Err(Misfit::new(format!("has {digits} hex digits"))) }
}

/// An X.509 certificate, read from base64 of its DER or from PEM; the default is none, for what needs an address only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "-----BEGIN CERTIFICATE-----…")]
pub struct CertificateDer(Vec<u8>);

impl CertificateDer {
    /// DER in base64, in one line.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64::encode(&self.0)
    }

    /// Its name in the stores of Windows.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(wap::thumbprint(&self.0))
    }
}

impl TryFrom<String> for CertificateDer {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        let misfit = || Misfit::new("is one X.509 certificate: PEM, or its DER in base64");
        let pem = text.trim().strip_prefix(PEM_BEGIN).map(|rest| rest.strip_suffix(PEM_END).ok_or_else(misfit));
        let der = base64::decode(pem.transpose()?.unwrap_or(&text)).map_err(|_| misfit())?;
        match x509_parser::parse_x509_certificate(&der) {
            Ok(([], _)) => Ok(Self(der)),
            _ => Err(misfit()),
        }
    }
}

impl From<CertificateDer> for String {
    fn from(certificate: CertificateDer) -> Self {
        certificate.to_base64()
    }
}

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

/// An absolute URL that begins with `https://` or `http://`, as the device is to use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "https://files.example.test/agent.msi")]
pub struct HttpUrl(String);

impl HttpUrl {
    /// One that is known at compile time.
    #[must_use]
    pub fn fixed(text: &'static str) -> Self {
        debug_assert!(Self::try_from(text.to_owned()).is_ok(), "{text}");
        Self(text.to_owned())
    }

    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        let misfit = || Misfit::new("is a URL that begins with https:// or http:// and has at most 2048 characters");
        let url = url::Url::parse(text.trim()).map_err(|_| misfit())?;
        let good = matches!(url.scheme(), "https" | "http") && url.has_host() && url.as_str().len() <= LONGEST_URL;
        if good { Ok(Self(url.into())) } else { Err(misfit()) }
    }
}

impl From<HttpUrl> for String {
    fn from(url: HttpUrl) -> Self {
        url.0
    }
}

const LONGEST_URL: usize = 2048;

/// A moment in ISO 8601, as it was written: with an offset it is one everywhere, without it is the device's local time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "2026-03-01T22:00:00Z")]
pub struct Moment(String);

impl Moment {
    /// One that is known at compile time.
    #[must_use]
    pub fn fixed(text: &'static str) -> Self {
        debug_assert!(Self::try_from(text.to_owned()).is_ok(), "{text}");
        Self(text.to_owned())
    }

    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Moment {
    type Error = Misfit;

    fn try_from(text: String) -> Result<Self, Misfit> {
        let text = text.trim();
        let local = format!("{text}Z");
        let good = [text, &local].into_iter().any(|text| OffsetDateTime::parse(text, &Rfc3339).is_ok());
        let misfit =
            || Misfit::new("is a date and time such as 2026-03-01T22:00:00Z, or 2026-03-01T22:00:00 for local time");
        if good { Ok(Self(text.to_owned())) } else { Err(misfit()) }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<String>>(text: &str) -> Option<T> {
        T::try_from(text.to_owned()).ok()
    }

    #[test]
    fn guids_have_one_form() {
        let guid: Guid = read(" {7F3C1D0E-5A6B-4C7D-8E9F-0A1B2C3D4E5F} ").unwrap();
        assert_eq!(guid.to_string(), "7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f");
        let code: ProductCode = read("3c1e5e1e-90a5-4b1e-9d0c-5c1b2a7f0e11").unwrap();
        assert_eq!(code.to_string(), "{3C1E5E1E-90A5-4B1E-9D0C-5C1B2A7F0E11}");
        for wrong in ["", "7f3c1d0e5a6b4c7d8e9f0a1b2c3d4e5f", "{7f3c1d0e-5a6b-4c7d-8e9f-0a1b2c3d4e5f", "urn:uuid:x"] {
            assert!(read::<Guid>(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn digests_have_their_length() {
        let thumbprint: Thumbprint = read("8d:3c:1b 6a0f2e4d5c6b7a8091a2b3c4d5e6f70819").unwrap();
        assert_eq!(thumbprint.as_str(), "8D3C1B6A0F2E4D5C6B7A8091A2B3C4D5E6F70819");
        assert!(read::<Thumbprint>("8D3C").is_none());
        assert!(read::<Sha256>(&"0".repeat(64)).is_some());
        assert!(read::<Sha256>(&"g".repeat(64)).is_none());
    }

    #[test]
    fn a_certificate_is_read_from_pem_and_base64() {
        let made = rcgen::generate_simple_self_signed(vec!["root.example.test".to_owned()]).unwrap();
        let from_pem: CertificateDer = read(&made.cert.pem()).unwrap();
        assert_eq!(from_pem.to_base64(), base64::encode(made.cert.der()));
        assert_eq!(read(&from_pem.to_base64()), Some(from_pem.clone()));
        assert_eq!(from_pem.thumbprint().as_str(), wap::thumbprint(made.cert.der()));
        assert!(read::<CertificateDer>(&format!("{0}{0}", made.cert.pem())).is_none(), "one at a time");
        assert!(read::<CertificateDer>("AQID").is_none());
        assert!(read::<CertificateDer>("-----BEGIN CERTIFICATE-----AQID").is_none());
    }

    #[test]
    fn moments_are_whole() {
        for good in ["2026-03-01T22:00:00Z", "2026-03-01T22:00:00+02:00", "2026-03-01T22:00:00"] {
            assert_eq!(read::<Moment>(good).unwrap().as_str(), good);
        }
        for wrong in ["", "2026-03-01", "22:00", "2026-13-01T22:00:00Z", "tomorrow"] {
            assert!(read::<Moment>(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn urls_are_for_the_web() {
        assert_eq!(read::<HttpUrl>(" https://a.test/b c ").unwrap().as_str(), "https://a.test/b%20c");
        for wrong in ["", "a.test", "ftp://a.test/", "file:///c:/x", "https://"] {
            assert!(read::<HttpUrl>(wrong).is_none(), "{wrong}");
        }
    }
}
