//! A signature with what was signed inside: the certificate request of a renewal ([MS-WSTEP] 3.1.4, enrollment
//! reference 6.1).

use super::{Hash, Parts, SignatureRejected};
use crate::pki::Serial;

/// Signed bytes with their signature. Nothing of it is proven before [`Self::verify`].
///
/// The published sample of a renewal has SHA-1 and no signed attributes, as old Windows libraries write it, so both are
/// read here. Whoever has no other proof of the sender asks with [`Self::is_strong`] first.
#[derive(Clone, Debug)]
pub struct SignedContent {
    content: Vec<u8>,
    signature: super::Signature,
    attributes: Option<super::Attributes>,
}

impl SignedContent {
    /// Reads a ContentInfo with SignedData.
    ///
    /// # Errors
    /// The first broken rule of [`SignatureRejected`].
    pub fn parse(der: &[u8]) -> Result<Self, SignatureRejected> {
        let Parts { content, signature, attributes } = Parts::read(der)?;
        let content = content.ok_or(SignatureRejected::NoContent)?.to_vec();
        Ok(Self { content, signature, attributes })
    }

    /// The signer's certificate, DER, where it came along. It may be anybody's.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.signature.certificate()
    }

    /// The serial number of the signer's certificate, if it is named by one that we could have given out.
    #[must_use]
    pub fn serial(&self) -> Option<Serial> {
        self.signature.serial()
    }

    /// Whether it is made with SHA-2. SHA-1 no longer proves who made a signature, only that its maker did not slip.
    #[must_use]
    pub fn is_strong(&self) -> bool {
        self.signature.hash != Hash::Sha1
    }

    /// What was signed, if `certificate` is the signer's and its key signed it.
    ///
    /// # Errors
    /// As [`super::DetachedSignature::verify`].
    pub fn verify(&self, certificate: &[u8]) -> Result<&[u8], SignatureRejected> {
        self.signature.verify(self.attributes.as_ref(), &self.content, certificate)?;
        Ok(&self.content)
    }
}
