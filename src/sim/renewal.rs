//! The client side of a renewal: when, with what, and what becomes of the answer (enrollment reference 6).
//!
//! From its window on, the device makes a new key and asks with a certificate request that its present key signed. It
//! keeps the certificate before until a session with the new one was answered, and goes back to it if the new one is
//! refused. After its expiry it no longer asks by itself.

use secrecy::SecretString;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::csr::{SHA256_WITH_RSA, certificate_request};
use super::der::{CONTEXT_0, OCTET_STRING, SEQUENCE, SET, algorithm, node, oid, small};
use super::enrollment::{DEVICE_TYPE, EnrollmentError, TOKEN_ID, post, read};
use super::key::{DeviceKey, KeyError};
use super::session::{Event, Managed};
use super::tree::Access;
use super::{Request, Response};
use crate::proto::soap::envelope::RequestHeader;
use crate::proto::soap::security::Credential;
use crate::proto::wap::{CertificateStore, thumbprint};
use crate::proto::wstep::{ContextItem, PKCS7, RequestSecurityToken, RequestType, decode_response};

/// Where a device stands with its renewal.
#[derive(Clone, Debug, Default)]
pub(super) struct RenewalState {
    /// The server asked for it, whatever the window.
    pub(super) asked: bool,
    /// The last try.
    tried_at: Option<OffsetDateTime>,
    /// The key of the request that is under way.
    under_way: Option<DeviceKey>,
    /// What was in use before, until the new one was good for a session.
    former: Option<(Vec<u8>, DeviceKey)>,
}

impl Managed {
    /// When the device begins to renew by itself: so many days before the end of its certificate as its node says.
    #[must_use]
    pub fn renews_from(&self) -> Option<OffsetDateTime> {
        let (_, end) = self.enrolled().validity()?;
        Some(end - Duration::days(self.days("RenewPeriod", 42)))
    }

    /// Whether it wants to renew now: the server asked for it, or its window has begun, its certificate has not ended and
    /// the last try is long enough ago.
    #[must_use]
    pub fn wants_renewal(&self, now: OffsetDateTime) -> bool {
        if self.is_gone() || self.renewal.under_way.is_some() {
            return false;
        }
        let rest = Duration::days(self.days("RetryInterval", 7));
        let is_time = |(_, end): (OffsetDateTime, OffsetDateTime)| {
            self.renews_from().is_some_and(|from| (from..=end).contains(&now))
                && self.renewal.tried_at.is_none_or(|tried| now - tried >= rest)
        };
        self.renewal.asked || self.enrolled().validity().is_some_and(is_time)
    }

    /// Begins a renewal with a new key: the request goes out on a connection with the certificate in use.
    ///
    /// # Errors
    /// [`EnrollmentError::Key`] where the certificate in use cannot be read, [`EnrollmentError::Unexpected`] where the
    /// server never said where to renew.
    pub fn start_renewal(&mut self, key: DeviceKey, now: OffsetDateTime) -> Result<Request, EnrollmentError> {
        let url = self.enrolled().renewal.as_ref().and_then(|renewal| renewal.server_url.clone());
        let url = url.ok_or(EnrollmentError::Unexpected)?;
        let csr = certificate_request(self.device(), &key);
        let cms = signed_data(&csr, &self.enrolled().certificate, &self.enrolled().key)?;
        let request = RequestSecurityToken::new(RequestType::Renew, PKCS7, cms, self.renewal_context());
        // It proves nothing, and so Windows leaves the password empty.
        let username = self.enrolled().account.upn.clone().unwrap_or_default();
        let credential = Credential::Username { username, password: SecretString::from("") };
        let header =
            RequestHeader { message_id: TOKEN_ID, to: &url, credential: Some(&credential), created: Some(now) };
        let request = post(&url, request.encode(&header));
        self.renewal = RenewalState {
            tried_at: Some(now),
            under_way: Some(key),
            former: self.renewal.former.take(),
            asked: false,
        };
        self.tell_renewal(1, 0);
        Ok(request)
    }

    /// Takes the answer: from now on the new certificate is used.
    ///
    /// # Errors
    /// [`EnrollmentError`]; the certificate in use stays.
    pub fn take_renewal(&mut self, response: &Response<'_>) -> Result<(), EnrollmentError> {
        let taken = self.try_take(response);
        match &taken {
            Ok(()) => {
                let name = thumbprint(&self.enrolled.certificate);
                self.set("CertThumprint", "chr", &name);
                self.tell_renewal(2, 0);
                self.log.push(Event::Renewed(name));
            }
            Err(error) => self.renewal_failed(error.hresult()),
        }
        taken
    }

    /// No answer came, or none that could be taken: tries again after its pause.
    pub fn renewal_failed(&mut self, hresult: u32) {
        self.renewal.under_way = None;
        self.tell_renewal(3, hresult);
        self.log.push(Event::RenewalFailed(hresult));
    }

    fn try_take(&mut self, response: &Response<'_>) -> Result<(), EnrollmentError> {
        let key = self.renewal.under_way.take().ok_or(EnrollmentError::Unexpected)?;
        let document = decode_response(&read("the renewal service", response, TOKEN_ID)?)?;
        self.renewal.former = Some(self.enrolled.renew(&document, key)?);
        Ok(())
    }

    /// Goes back to the certificate before, where the new one was refused before its first session. Whether there was one.
    pub fn fall_back(&mut self) -> bool {
        let Some((certificate, key)) = self.renewal.former.take() else { return false };
        (self.enrolled.certificate, self.enrolled.key) = (certificate, key);
        let name = thumbprint(&self.enrolled.certificate);
        self.set("CertThumprint", "chr", &name);
        true
    }

    /// A session was answered: the certificate before is needed no more.
    pub(super) fn forget_former(&mut self) {
        self.renewal.former = None;
    }

    fn renewal_context(&self) -> Vec<ContextItem> {
        let (device, profile) = (self.device(), self.device().profile);
        let item = |name: &str, value: &str| ContextItem { name: name.to_owned(), value: value.to_owned() };
        let kind = match self.enrolled().store {
            CertificateStore::User => "Full",
            CertificateStore::System => "Device",
        };
        let mut items = vec![
            item("OSEdition", &profile.os_edition().to_string()),
            item("OSVersion", profile.os_version()),
            item("DeviceName", &device.name),
        ];
        items.extend(device.macs.iter().map(|mac| item("MAC", mac)));
        items.extend([
            item("EnrollmentType", kind),
            item("DeviceType", DEVICE_TYPE),
            item("ApplicationVersion", profile.os_version()),
            item("DeviceID", &device.device_id),
            item("Locale", &device.locale),
            item("HWDevID", &device.hardware_id),
        ]);
        items
    }

    fn days(&self, name: &str, usual: i64) -> i64 {
        let value = self.machine.tree.value(&format!("{NODE}/Renew/{name}"));
        value.and_then(|text| text.trim().parse().ok()).unwrap_or(usual)
    }

    fn tell_renewal(&mut self, status: u32, hresult: u32) {
        self.set("Renew/Status", "int", &status.to_string());
        // The node is a signed number.
        self.set("Renew/ErrorCode", "int", &hresult.cast_signed().to_string());
    }

    fn set(&mut self, name: &str, format: &str, value: &str) {
        self.machine.tree.set(&format!("{NODE}/{name}"), format, value, Access::Read);
    }
}

/// CMS SignedData around a certificate request, as the published sample of a renewal has it: no signed attributes, the
/// signer's certificate with it. SHA-256 stands in place of SHA-1.
fn signed_data(request: &[u8], certificate: &[u8], key: &DeviceKey) -> Result<Vec<u8>, KeyError> {
    let (_, signer) = X509Certificate::from_der(certificate).map_err(|_| KeyError)?;
    let serial = node(INTEGER, &[signer.raw_serial()]);
    let name = node(SEQUENCE, &[signer.issuer().as_raw(), &serial]);
    let sha256 = algorithm(SHA256_ALONE);
    let signature = node(OCTET_STRING, &[&key.sign(request)]);
    let info = node(SEQUENCE, &[&small(1), &name, &sha256, &algorithm(SHA256_WITH_RSA), &signature]);
    let content = node(CONTEXT_0, &[&node(OCTET_STRING, &[request])]);
    let signed = node(
        SEQUENCE,
        &[
            &small(1),
            &node(SET, &[&sha256]),
            &node(SEQUENCE, &[&oid(DATA), &content]),
            &node(CONTEXT_0, &[certificate]),
            &node(SET, &[&info]),
        ],
    );
    Ok(node(SEQUENCE, &[&oid(SIGNED_DATA), &node(CONTEXT_0, &[&signed])]))
}

const NODE: &str = "./Vendor/MSFT/CertificateStore/MY/WSTEP";
const INTEGER: u8 = 0x02;
const SHA256_ALONE: &[u32] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const DATA: &[u32] = &[1, 2, 840, 113_549, 1, 7, 1];
const SIGNED_DATA: &[u32] = &[1, 2, 840, 113_549, 1, 7, 2];

#[cfg(test)]
mod tests;
