//! What a renewal is asked with: a certificate request, signed with the key of the certificate in use (enrollment
//! reference 6.1).

use std::borrow::Cow;

use crate::app::{App, NotRenewed, Refusal};
use crate::pki::{CertificateRequest, SignedContent};
use crate::proto::base64;
use crate::proto::wstep::{RequestSecurityToken, RequestType};

/// The key that the next certificate is for.
pub(super) struct NextKey {
    pub(super) csr: CertificateRequest,
    pub(super) key_sha256: [u8; 32],
}

/// Only renewals are answered here.
pub(super) fn check_kind(request: &RequestSecurityToken) -> Result<(), Refusal> {
    let kind = match &request.request_type {
        RequestType::Renew => return crate::app::enroll::check_token_type(request),
        RequestType::Issue => "Issue",
        RequestType::Recovery => "Recovery",
        RequestType::Unknown(_) => "(unknown)",
    };
    Err(Refusal::RequestType(kind.to_owned()))
}

/// The signed request. Some clients write base64 of base64.
pub(super) fn signed(request: &RequestSecurityToken) -> Result<SignedContent, NotRenewed> {
    let token = request.token.as_ref().ok_or(NotRenewed::Token("the request holds nothing that was signed"))?;
    if !token.is_pkcs7() {
        return Err(NotRenewed::Token("the token of the request is not PKCS#7"));
    }
    let bytes = token.bytes.as_ref().map_err(|_| NotRenewed::Token("the token of the request is not base64"))?;
    let der = match bytes.first() {
        Some(&SEQUENCE) => Cow::Borrowed(bytes.as_slice()),
        _ => Cow::Owned(again(bytes).ok_or(NotRenewed::Token("the token of the request is not DER"))?),
    };
    Ok(SignedContent::parse(&der)?)
}

fn again(bytes: &[u8]) -> Option<Vec<u8>> {
    base64::decode(std::str::from_utf8(bytes).ok()?).ok()
}

impl App {
    /// The certificate of whoever signed, DER, where nothing else tells who that is.
    pub(super) async fn renewal_signer(&self, signed: &SignedContent) -> Result<Vec<u8>, Refusal> {
        // Here the signature alone proves the sender.
        if !signed.is_strong() {
            return Err(NotRenewed::Weak.into());
        }
        if let Some(der) = signed.certificate() {
            self.authority.check_issued(der, self.now()).map_err(|words| NotRenewed::Over(words.clone()))?;
            return Ok(der.to_vec());
        }
        let serial = signed.serial().ok_or(NotRenewed::OtherSigner)?;
        let found = self.store.certificate_by_serial(&serial.to_hex()).await?;
        Ok(found.ok_or(NotRenewed::OtherSigner)?.der)
    }

    /// The key of the request, if the certificate `der` signed it and the rules for enrollments are kept.
    pub(super) fn next_key(&self, signed: &SignedContent, der: &[u8]) -> Result<NextKey, NotRenewed> {
        if signed.certificate().is_some_and(|signer| signer != der) {
            return Err(NotRenewed::OtherSigner);
        }
        let request = signed.verify(der)?;
        let least = usize::try_from(self.settings.min_key_bits).unwrap_or(usize::MAX);
        let csr = CertificateRequest::parse(request, least)?;
        let key_sha256 = csr.key_sha256();
        Ok(NextKey { csr, key_sha256 })
    }
}

/// First byte of every CMS message.
const SEQUENCE: u8 = 0x30;
