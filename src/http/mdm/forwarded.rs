//! The certificate that a device showed to a proxy, as the proxy hands it over in a header.
//!
//! Whoever may set that header may be any device, so it is read only where the connection comes from a trusted proxy. Two
//! forms: RFC 9440, and percent-encoded PEM, which is all that nginx can write. A chain (`Client-Cert-Chain`) is not read:
//! devices are issued by a CA that we know.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use crate::config::{DeviceAuth, ProxyCertificate};
use crate::pki::pem;

/// Longest value of the header, in bytes.
const LONGEST: usize = 16 * 1024;

/// Which header trusted proxies set, and in which form.
#[derive(Clone, Debug)]
pub struct Forwarded {
    header: HeaderName,
    form: ProxyCertificate,
}

/// Why what a trusted proxy handed over cannot be read.
pub(super) type Unreadable = &'static str;

impl Forwarded {
    /// As the configuration says; `None` if no certificates are taken from proxies.
    #[must_use]
    pub fn from_config(auth: &DeviceAuth) -> Option<Self> {
        let header = HeaderName::try_from(auth.certificate_header()?).ok()?;
        Some(Self { header, form: auth.proxy_certificate })
    }

    /// The certificate, DER, of a request from a trusted proxy; `None` where the device showed none.
    pub(super) fn read(&self, headers: &HeaderMap) -> Option<Result<Vec<u8>, Unreadable>> {
        let mut values = headers.get_all(&self.header).iter();
        let first = values.next()?;
        if values.next().is_some() {
            return Some(Err("a proxy handed over two certificates"));
        }
        let Ok(text) = first.to_str() else { return Some(Err(NO_CERTIFICATE)) };
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let der = Some(text).filter(|text| text.len() <= LONGEST).and_then(|text| self.decode(text));
        Some(der.ok_or(NO_CERTIFICATE))
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        match self.form {
            ProxyCertificate::Off => None,
            ProxyCertificate::Rfc9440 => {
                let bytes = text.strip_prefix(':')?.strip_suffix(':')?;
                BASE64_STANDARD.decode(bytes).ok()
            }
            ProxyCertificate::Pem => {
                let text = percent_decode_str(text).decode_utf8().ok()?;
                let is_one = text.matches("-----BEGIN ").count() == 1;
                pem::decode(pem::CERTIFICATE, &text).filter(|_| is_one)
            }
        }
    }
}

const NO_CERTIFICATE: Unreadable = "a proxy handed over something that is no certificate in the form that is set";

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const DER: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0xFB];

    fn read(form: ProxyCertificate, values: &[&str]) -> Option<Result<Vec<u8>, Unreadable>> {
        let auth = DeviceAuth { proxy_certificate: form, ..DeviceAuth::default() };
        let forwarded = Forwarded::from_config(&auth).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(forwarded.header.clone(), HeaderValue::from_str(value).unwrap());
        }
        forwarded.read(&headers)
    }

    #[test]
    fn both_forms_are_read_and_nothing_else() {
        use ProxyCertificate::{Pem, Rfc9440};
        let pem = "-----BEGIN%20CERTIFICATE-----%0AMAMCAfs=%0A-----END%20CERTIFICATE-----%0A";
        let plus = "-----BEGIN CERTIFICATE-----%0A+/8=%0A-----END CERTIFICATE-----";
        let good =
            [(Rfc9440, ":MAMCAfs=:", DER), (Rfc9440, " :MAMCAfs=: ", DER), (Pem, pem, DER), (Pem, plus, &[0xFB, 0xFF])];
        for (form, value, der) in good {
            assert_eq!(read(form, &[value]), Some(Ok(der.to_vec())), "{value}");
        }
        let long = format!(":{}:", "A".repeat(LONGEST));
        let bad = [
            (Rfc9440, "MAMCAfs="),
            (Rfc9440, ":MAMCAfs"),
            (Rfc9440, ":MAM CAfs=:"),
            (Rfc9440, ":MAMCAfs=:;a=1"),
            (Rfc9440, &long),
            (Rfc9440, pem),
            (Pem, "MAMCAfs="),
            (Pem, ":MAMCAfs=:"),
            (Pem, &format!("{pem}{pem}")),
            (Pem, "-----BEGIN%20CERTIFICATE-----%FF"),
        ];
        for (form, value) in bad {
            assert_eq!(read(form, &[value]), Some(Err(NO_CERTIFICATE)), "{value}");
        }
        assert_eq!(read(Pem, &[]), None);
        assert_eq!(read(Pem, &[""]), None);
        assert!(read(Rfc9440, &[":MAMCAfs=:", ":MAMCAfs=:"]).unwrap().unwrap_err().contains("two"));
        assert!(Forwarded::from_config(&DeviceAuth::default()).is_none());
    }
}
