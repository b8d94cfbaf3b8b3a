//! CMS SignedData (RFC 5652) of one signer: detached, over bytes that travel beside it, and with its content inside.
//!
//! With message signing, Windows sends a detached one in a header of each management request, made with the key of the
//! device certificate over the body ([MS-MDM], `MS-Signature`): SHA-2, and the time and the digest of the content stand in
//! the signed attributes. A renewal holds its certificate request inside ([MS-WSTEP]); see [`SignedContent`] for what else
//! it may lack. Read as DER alone, within bounds. Whose certificate it is, and whether it is still good, is judged
//! elsewhere.

mod content;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_HASH_SHA1, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_HASH_SHA256,
    OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_SHA1WITHRSA,
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_PKCS7_ID_SIGNED_DATA,
    OID_PKCS9_CONTENT_TYPE, OID_PKCS9_ID_MESSAGE_DIGEST, OID_PKCS9_SIGNING_TIME, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512,
};
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::der::{Element, Reader, tag};
use super::{Serial, fingerprint};

pub use content::SignedContent;

/// Most bytes of DER that a signature may have, its certificates included.
pub const MAX_SIGNATURE_BYTES: usize = 32 * 1024;
/// Most certificates in it.
const MOST_CERTIFICATES: usize = 8;
/// Most signed attributes.
const MOST_ATTRIBUTES: usize = 16;
/// Most digest algorithms announced.
const MOST_DIGESTS: usize = 8;

/// A detached signature of one signer. Nothing of it is proven before [`Self::verify`].
#[derive(Clone, Debug)]
pub struct DetachedSignature {
    signature: Signature,
    attributes: Attributes,
}

/// The signature of the one signer, with the certificates that came along.
#[derive(Clone, Debug)]
struct Signature {
    signer: Signer,
    certificates: Vec<Vec<u8>>,
    hash: Hash,
    family: Family,
    signature: Vec<u8>,
}

/// The signed attributes that are looked at.
#[derive(Clone, Debug)]
struct Attributes {
    /// All of them, as they were signed: a SET OF.
    signed: Vec<u8>,
    message_digest: Vec<u8>,
    signing_time: Option<OffsetDateTime>,
}

/// SignedData as it was read.
struct Parts<'a> {
    content: Option<&'a [u8]>,
    signature: Signature,
    attributes: Option<Attributes>,
}

/// Which certificate the signer means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Signer {
    /// By issuer (a Name, DER) and serial number (the contents of an INTEGER).
    Serial { issuer: Vec<u8>, serial: Vec<u8> },
    /// By its subject key identifier.
    KeyIdentifier(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    /// In renewals alone.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// What kind of key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    Ec,
}

/// Why a signature is refused; one variant for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRejected {
    /// More than [`MAX_SIGNATURE_BYTES`].
    #[error("the signature is larger than {MAX_SIGNATURE_BYTES} bytes")]
    TooLarge,
    /// Not CMS SignedData in DER, within bounds.
    #[error("the signature is not CMS SignedData in DER: {0}")]
    Malformed(&'static str),
    /// It carries content of its own, which is not what is to be verified.
    #[error("the signature is not detached")]
    NotDetached,
    /// It carries no content, where there has to be some.
    #[error("the signature holds nothing that was signed")]
    NoContent,
    /// None or several signers.
    #[error("the signature has not exactly one signer")]
    Signers,
    /// A hash other than SHA-256, SHA-384 or SHA-512, or a signature that is neither RSA with PKCS#1 padding nor ECDSA.
    #[error("the signature uses an algorithm that is not accepted")]
    Algorithm,
    /// No signed attributes, or a needed one is missing, there twice, or wrong.
    #[error("the signed attribute {0} is missing or wrong")]
    Attribute(&'static str),
    /// The certificate is not the one that the signer names.
    #[error("the signer is another than the certificate")]
    OtherSigner,
    /// The signature was made over other bytes.
    #[error("the signature is over another message")]
    Content,
    /// The signature does not verify with the certificate's key.
    #[error("the signature does not verify")]
    Signature,
}

use SignatureRejected::{Algorithm, Attribute, Malformed};

impl DetachedSignature {
    /// Reads a ContentInfo with SignedData.
    ///
    /// # Errors
    /// The first broken rule of [`SignatureRejected`].
    pub fn parse(der: &[u8]) -> Result<Self, SignatureRejected> {
        let parts = Parts::read(der)?;
        if parts.content.is_some() {
            return Err(SignatureRejected::NotDetached);
        }
        if parts.signature.hash == Hash::Sha1 {
            return Err(Algorithm);
        }
        Ok(Self { signature: parts.signature, attributes: parts.attributes.ok_or(Attribute("contentType"))? })
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

    /// When it was made, as its maker says.
    #[must_use]
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.attributes.signing_time
    }

    /// A digest of what was signed, the time included. Nobody can change the rest of the signature so that this becomes
    /// another one, and it stays good.
    #[must_use]
    pub fn mark(&self) -> [u8; 32] {
        fingerprint(&self.attributes.signed)
    }

    /// Whether `certificate` is the signer's and its key signed `content`.
    ///
    /// # Errors
    /// [`SignatureRejected::OtherSigner`], [`SignatureRejected::Content`], [`SignatureRejected::Algorithm`] or
    /// [`SignatureRejected::Signature`].
    pub fn verify(&self, content: &[u8], certificate: &[u8]) -> Result<(), SignatureRejected> {
        self.signature.verify(Some(&self.attributes), content, certificate)
    }
}

impl<'a> Parts<'a> {
    fn read(der: &'a [u8]) -> Result<Self, SignatureRejected> {
        if der.len() > MAX_SIGNATURE_BYTES {
            return Err(SignatureRejected::TooLarge);
        }
        let signed = signed_data(der).ok_or(Malformed("ContentInfo"))?;
        let mut fields = signed.reader();
        fields.take(tag::INTEGER).ok_or(Malformed("version"))?;
        let digests = fields.take(tag::SET).and_then(|set| set.parts(tag::SEQUENCE, MOST_DIGESTS));
        digests.ok_or(Malformed("digestAlgorithms"))?;
        let (content_type, content) = encapsulated(fields.take(tag::SEQUENCE).ok_or(Malformed("encapContentInfo"))?)?;
        let certificates = match fields.take(tag::CONTEXT_0) {
            None => Vec::new(),
            Some(set) => set.parts(tag::SEQUENCE, MOST_CERTIFICATES).ok_or(Malformed("certificates"))?,
        };
        // Revocation lists: we keep our own.
        fields.take(tag::CONTEXT_1);
        let signers = fields.take(tag::SET).filter(|_| fields.is_at_end()).ok_or(Malformed("signerInfos"))?;
        let signer = signers.only(tag::SEQUENCE).ok_or(SignatureRejected::Signers)?;
        let certificates = certificates.iter().map(|certificate| certificate.raw.to_vec()).collect();
        let (signature, attributes) = Signature::read(signer, &content_type, certificates)?;
        Ok(Self { content, signature, attributes })
    }
}

impl Signature {
    fn read(
        info: Element<'_>,
        content_type: &Oid<'_>,
        certificates: Vec<Vec<u8>>,
    ) -> Result<(Self, Option<Attributes>), SignatureRejected> {
        let mut fields = info.reader();
        fields.take(tag::INTEGER).ok_or(Malformed("version of the signer"))?;
        let signer = signer(&mut fields).ok_or(Malformed("sid"))?;
        let hash = algorithm(&mut fields).and_then(|algorithm| hash(&algorithm)).ok_or(Algorithm)?;
        let attributes = match fields.take(tag::CONTEXT_0) {
            Some(set) => Some(Attributes::read(&set, content_type)?),
            None => None,
        };
        let signed_with = algorithm(&mut fields).ok_or(Malformed("signatureAlgorithm"))?;
        let signature = fields.take(tag::OCTET_STRING).ok_or(Malformed("signature"))?;
        // Unsigned attributes, such as a counter-signature.
        fields.take(tag::CONTEXT_1);
        if !fields.is_at_end() {
            return Err(Malformed("SignerInfo"));
        }
        let family = family(&signed_with, hash).ok_or(Algorithm)?;
        let signature = signature.contents.to_vec();
        Ok((Self { signer, certificates, hash, family, signature }, attributes))
    }

    fn certificate(&self) -> Option<&[u8]> {
        self.certificates.iter().map(Vec::as_slice).find(|der| self.is_signer(der))
    }

    fn serial(&self) -> Option<Serial> {
        let Signer::Serial { serial, .. } = &self.signer else { return None };
        let mut bytes = [0; 16];
        bytes.get_mut(16_usize.checked_sub(serial.len())?..)?.copy_from_slice(serial);
        Serial::from_bytes(bytes)
    }

    /// Over the attributes where there are some, which then hold the digest of the content, else over the content.
    fn verify(
        &self,
        attributes: Option<&Attributes>,
        content: &[u8],
        certificate: &[u8],
    ) -> Result<(), SignatureRejected> {
        if !self.is_signer(certificate) {
            return Err(SignatureRejected::OtherSigner);
        }
        let signed = match attributes {
            Some(attributes)
                if digest::digest(self.hash.algorithm(), content).as_ref() != attributes.message_digest =>
            {
                return Err(SignatureRejected::Content);
            }
            Some(attributes) => &attributes.signed,
            None => content,
        };
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| SignatureRejected::OtherSigner)?;
        let spki = certificate.public_key();
        let algorithm = verification(self.family, self.hash, &spki.algorithm).ok_or(Algorithm)?;
        UnparsedPublicKey::new(algorithm, &spki.subject_public_key.data)
            .verify(signed, &self.signature)
            .map_err(|_| SignatureRejected::Signature)
    }

    fn is_signer(&self, der: &[u8]) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
        match &self.signer {
            Signer::Serial { issuer, serial } => {
                certificate.issuer().as_raw() == issuer.as_slice() && certificate.raw_serial() == serial.as_slice()
            }
            Signer::KeyIdentifier(identifier) => certificate.iter_extensions().any(|extension| {
                matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(own) if own.0 == identifier)
            }),
        }
    }
}

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl Attributes {
    /// Reads them; they must be about that content type.
    fn read(set: &Element<'_>, of: &Oid<'_>) -> Result<Self, SignatureRejected> {
        let (mut content_type, mut message_digest, mut signing_time) = (None, None, None);
        for attribute in set.parts(tag::SEQUENCE, MOST_ATTRIBUTES).ok_or(Malformed("signedAttrs"))? {
            let mut fields = attribute.reader();
            let kind = fields.oid().ok_or(Malformed("attrType"))?;
            let values = fields.take(tag::SET).filter(|_| fields.is_at_end()).ok_or(Malformed("attrValues"))?;
            let is_first = if kind == OID_PKCS9_CONTENT_TYPE {
                content_type.replace(content_type_of(&values).ok_or(Attribute("contentType"))?).is_none()
            } else if kind == OID_PKCS9_ID_MESSAGE_DIGEST {
                let value = values.only(tag::OCTET_STRING).ok_or(Attribute("messageDigest"))?;
                message_digest.replace(value.contents).is_none()
            } else if kind == OID_PKCS9_SIGNING_TIME {
                signing_time.replace(time(&values).ok_or(Attribute("signingTime"))?).is_none()
            } else {
                true
            };
            if !is_first {
                return Err(Attribute("that came twice"));
            }
        }
        if content_type.as_ref() != Some(of) {
            return Err(Attribute("contentType"));
        }
        Ok(Self {
            signed: [&[tag::SET], &set.raw[1..]].concat(),
            message_digest: message_digest.ok_or(Attribute("messageDigest"))?.to_vec(),
            signing_time,
        })
    }
}

fn content_type_of<'a>(values: &Element<'a>) -> Option<Oid<'a>> {
    let mut reader = values.reader();
    reader.oid().filter(|_| reader.is_at_end())
}

fn time(values: &Element<'_>) -> Option<OffsetDateTime> {
    let (rest, time) = ASN1Time::from_der(values.contents).ok()?;
    rest.is_empty().then(|| time.to_datetime())
}

/// The SignedData of a ContentInfo.
fn signed_data(der: &[u8]) -> Option<Element<'_>> {
    let mut outer = Reader::new(der);
    let info = outer.take(tag::SEQUENCE).filter(|_| outer.is_at_end())?;
    let mut fields = info.reader();
    if fields.oid()? != OID_PKCS7_ID_SIGNED_DATA {
        return None;
    }
    fields.take(tag::CONTEXT_0).filter(|_| fields.is_at_end())?.only(tag::SEQUENCE)
}

/// Content type and content, where there is some, of an EncapsulatedContentInfo.
fn encapsulated(info: Element<'_>) -> Result<(Oid<'_>, Option<&[u8]>), SignatureRejected> {
    let mut fields = info.reader();
    let content_type = fields.oid().ok_or(Malformed("eContentType"))?;
    if fields.is_at_end() {
        return Ok((content_type, None));
    }
    let content = fields.take(tag::CONTEXT_0).filter(|_| fields.is_at_end());
    let content = content.and_then(|content| content.only(tag::OCTET_STRING)).ok_or(Malformed("eContent"))?;
    Ok((content_type, Some(content.contents)))
}

fn signer(fields: &mut Reader<'_>) -> Option<Signer> {
    if let Some(identifier) = fields.take(tag::CONTEXT_0_PLAIN) {
        return Some(Signer::KeyIdentifier(identifier.contents.to_vec()));
    }
    let mut parts = fields.take(tag::SEQUENCE)?.reader();
    let (issuer, serial) = (parts.take(tag::SEQUENCE)?, parts.take(tag::INTEGER)?);
    let (issuer, serial) = (issuer.raw.to_vec(), serial.contents.to_vec());
    parts.is_at_end().then_some(Signer::Serial { issuer, serial })
}

/// The object identifier of an AlgorithmIdentifier; for none of those accepted have the parameters a meaning.
fn algorithm<'a>(fields: &mut Reader<'a>) -> Option<Oid<'a>> {
    fields.take(tag::SEQUENCE)?.reader().oid()
}

fn hash(algorithm: &Oid<'_>) -> Option<Hash> {
    let known = [
        (OID_HASH_SHA1, Hash::Sha1),
        (OID_NIST_HASH_SHA256, Hash::Sha256),
        (OID_NIST_HASH_SHA384, Hash::Sha384),
        (OID_NIST_HASH_SHA512, Hash::Sha512),
    ];
    known.into_iter().find(|(oid, _)| oid == algorithm).map(|(_, hash)| hash)
}

/// The kind of key by the signature algorithm, which may name the hash once more, or the kind of key alone.
fn family(algorithm: &Oid<'_>, hash: Hash) -> Option<Family> {
    let (rsa, ec) = match hash {
        // With ECDSA nobody ever made one.
        Hash::Sha1 if *algorithm == OID_PKCS1_SHA1WITHRSA || *algorithm == OID_PKCS1_RSAENCRYPTION => {
            return Some(Family::Rsa);
        }
        Hash::Sha1 => return None,
        Hash::Sha256 => (OID_PKCS1_SHA256WITHRSA, OID_SIG_ECDSA_WITH_SHA256),
        Hash::Sha384 => (OID_PKCS1_SHA384WITHRSA, OID_SIG_ECDSA_WITH_SHA384),
        Hash::Sha512 => (OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA512),
    };
    if *algorithm == rsa || *algorithm == OID_PKCS1_RSAENCRYPTION {
        return Some(Family::Rsa);
    }
    (*algorithm == ec || *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY).then_some(Family::Ec)
}

/// How to verify with a key of that kind.
fn verification(
    family: Family,
    hash: Hash,
    key: &x509_parser::x509::AlgorithmIdentifier<'_>,
) -> Option<&'static dyn VerificationAlgorithm> {
    if family == Family::Rsa {
        return (key.algorithm == OID_PKCS1_RSAENCRYPTION).then_some(match hash {
            Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => &RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => &RSA_PKCS1_2048_8192_SHA512,
        });
    }
    let curve = key.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok())?;
    match hash {
        Hash::Sha256 if curve == OID_EC_P256 => Some(&ECDSA_P256_SHA256_ASN1),
        Hash::Sha384 if curve == OID_EC_P256 => Some(&ECDSA_P256_SHA384_ASN1),
        Hash::Sha512 if curve == OID_EC_P256 => Some(&ECDSA_P256_SHA512_ASN1),
        Hash::Sha256 if curve == OID_NIST_EC_P384 => Some(&ECDSA_P384_SHA256_ASN1),
        Hash::Sha384 if curve == OID_NIST_EC_P384 => Some(&ECDSA_P384_SHA384_ASN1),
        Hash::Sha512 if curve == OID_NIST_EC_P384 => Some(&ECDSA_P384_SHA512_ASN1),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
