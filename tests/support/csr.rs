//! Certificate requests (PKCS#10) in the shape that Windows really sends, and in shapes that must be refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::keys::Key;
use super::{der, openssl};

const OIW_SHA1_RSA: &str = "1.3.14.3.2.29";
const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
const DEVICE_ID: &str = "1.3.6.1.4.1.311.66.1.0";

/// What a request looks like; start from [`Csr::windows`] and change what the test is about.
#[derive(Clone)]
pub struct Csr {
    /// The Name, in DER.
    pub subject: Vec<u8>,
    /// Each Extension, in DER.
    pub extensions: Vec<Vec<u8>>,
    /// OpenSSL's option for the digest.
    pub digest: &'static str,
    /// The signature algorithm's OID.
    pub algorithm: &'static str,
}

impl Csr {
    /// Windows 10: PrintableString CN with `!` and a trailing NUL, the one extension with raw bytes, SHA-1 by its
    /// old number.
    pub fn windows(device_id: &str) -> Self {
        let name = format!("5D1E7A40-93C2-4B0F-A8D6-7C21E9!{device_id}\0");
        Self {
            subject: common_name(&der::printable_string(name.as_bytes())),
            extensions: vec![device_id_extension(device_id)],
            digest: "-sha1",
            algorithm: OIW_SHA1_RSA,
        }
    }

    /// The same with a UTF8String CN and SHA-256, as other clients write it.
    pub fn utf8(device_id: &str) -> Self {
        Self {
            subject: common_name(&der::utf8_string(&format!("5D1E7A40-93C2-4B0F-A8D6-7C21E9!{device_id}"))),
            digest: "-sha256",
            algorithm: "1.2.840.113549.1.1.11",
            ..Self::windows(device_id)
        }
    }

    /// The request, self-signed by the key.
    pub fn der(&self, key: &Key) -> Vec<u8> {
        let information = self.information(key);
        let signature = openssl::sign(&key.file, self.digest, &information);
        self.assemble(&information, &signature)
    }

    /// The request with a signature that does not verify.
    pub fn badly_signed(&self, key: &Key) -> Vec<u8> {
        let information = self.information(key);
        let mut signature = openssl::sign(&key.file, self.digest, &information);
        signature[20] ^= 1;
        self.assemble(&information, &signature)
    }

    pub fn base64(&self, key: &Key) -> String {
        STANDARD.encode(self.der(key))
    }

    fn information(&self, key: &Key) -> Vec<u8> {
        let parts: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        let attribute = der::sequence(&[&der::oid(EXTENSION_REQUEST), &der::set(&[&der::sequence(&parts)])]);
        let attributes = if parts.is_empty() { der::context(0, &[]) } else { der::context(0, &[&attribute]) };
        der::sequence(&[&der::integer(&[0]), &self.subject, &key.spki(), &attributes])
    }

    fn assemble(&self, information: &[u8], signature: &[u8]) -> Vec<u8> {
        let algorithm = der::sequence(&[&der::oid(self.algorithm), &der::null()]);
        der::sequence(&[information, &algorithm, &der::bit_string(signature)])
    }
}

/// A Name with a single CN.
pub fn common_name(value: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::set(&[&der::sequence(&[&der::oid("2.5.4.3"), value])])])
}

/// The extension Windows asks for: DeviceID and a NUL with no ASN.1 around them.
pub fn device_id_extension(device_id: &str) -> Vec<u8> {
    let value = [device_id.as_bytes(), &[0]].concat();
    der::sequence(&[&der::oid(DEVICE_ID), &der::octet_string(&value)])
}

/// Any other extension.
pub fn extension(oid: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { der::boolean(true) } else { Vec::new() };
    der::sequence(&[&der::oid(oid), &flag, &der::octet_string(value)])
}

/// A request made for this suite in the genuine Windows 10 shape (SHA-1 by 1.3.14.3.2.29, PrintableString with `!`
/// and NUL); its private key is unknown.
pub const FIXTURE_A: &str = "\
MIICzjCCAboCAQAwSzFJMEcGA1UEAxNANUQxRTdBNDAtOTNDMi00QjBGLUE4RDYtN0MyMUU5ITAw
MTEyMjMzNDQ1NTY2Nzc4ODk5QUFCQkNDRERFRUZGADCCASIwDQYJKoZIhvcNAQEBBQADggEPADCC
AQoCggEBAKie7jFX8iIO94O21orznprQhPKIV2GW0x2gxmoDiNqD6PW77T5vUi7mIGYbPFYSc9Gd
SdlAYHDDDNh/C67fmlONXEXQ7eTSFQJIc0FbgjmqivBehDb9+R8rBXy4A3dC/x76IIQ98/ZNhu4z
Xzb05HQXYra4h8z21yZydNM8AXSwOvZqhwy5OJwmbN4DhaCwazga+s4HGvcJlu6DhAHd+O9rnLqf
U6iPIdbCId+X+KWxd14wlozIPGijYD82SyI5sKytzA8iQnVHOgvOVoPvoe1DioHZHWud0y4fxZ0y
rhBIE+4X1fRnobl9+k5pH6Z2OR0V7tvc///4/aUcwIXqB/8CAwEAAaBCMEAGCSqGSIb3DQEJDjEz
MDEwLwYKKwYBBAGCN0IBAAQhMDAxMTIyMzM0NDU1NjY3Nzg4OTlBQUJCQ0NEREVFRkYAMAkGBSsO
AwIdBQADggEBADBwqyfjdHVZmXS3mFZKXfHXel8bEgx+kndevFsMg8L7MuAf4kCX7igkVH+E1GMy
DamULx6YcZbd8+bnBuBvT/Nq0DqG5vRbX8aINnQDEDeLLmPz7Kztv6igNSP9w+Hu3IgCd/2KSg5q
szwH7p4Isfm2kZjzK3jsU5yqQ40SRS/B7064qNmRmXlwoTYEUYc8uAayribpNuKnXzZws/Pi6U8N
k93xd2dYm5BSfoUdQoHGmFblAbtmshfDmA6KE2u+rh2yNsYRntvai4Avhjso9OIxAlbQ4z83UBFj
CRcZ41RNmV1GAhkhFY4F81cU3C6KdBemvH72QKCZuMAY2q24b7E=";

/// A request in the shape of an implementer's test client (SHA-256, EKU and DeviceID extensions).
pub const FIXTURE_B: &str = "\
MIIC5jCCAc4CAQAwSjFIMEYGA1UEAxM/NUQxRTdBNDAtOTNDMi00QjBGLUE4RDYtN0MyMUU5ITAw
MTEyMjMzNDQ1NTY2Nzc4ODk5QUFCQkNDRERFRUZGMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIB
CgKCAQEAn1+N+VrJ83Hwl8V4iA7z5Tvaw8aJTPpsRH6y63ScKRkcamlPkpnX+v4LX4lb7MgBx/ZD
1j5jMYmwyg3pYvh8MjjVTjXPfgNgrKG4lQiD1xAzbqkthrZCLTSThfrgH8zWeAa32DTr0bJGCw+y
RQi/TKe5bs4dvqEvFgo2+7P71qh6YXRTgacZv5eaICjzzvHxuyc9aQ8zZpoJ+rQVZQg2Yp/0mTqH
hpJkte7nG62xUXjhehU3ankpX24rvSZAegD0xDbhzai9yzfYSGA7NbgKI8IJGVfCxH0aDVFBqm2v
ifEExbuXc30ojWn21Gx6cZ1yw/E7h7iXhPkPGhgySVLilQIDAQABoFcwVQYJKoZIhvcNAQkOMUgw
RjATBgNVHSUEDDAKBggrBgEFBQcDAjAvBgorBgEEAYI3QgEABCEwMDExMjIzMzQ0NTU2Njc3ODg5
OUFBQkJDQ0RERUVGRgAwDQYJKoZIhvcNAQELBQADggEBAHNXmraciptKfEakmmTei02LVKkN3N5C
twKy3u2Fml/vC2t9hd+lDLm3VEaseODVggEFhoHC+ax7867hP50NsvRaQ2480RM8T1r1KckCSa2J
8v1qKpeKbzryrZhW3P4y0g3J9iBMTffdt0Iu7WmMh+QxH9A4bkuLah4yda2HupQNjGAWPUeRbyHB
vdv1h9i/e3cGd7QgM3q8XaR+XfmRsHVU9lPsQgd36tO1VrwnMDc1x0x/FuMeMHn5/AP7T99ly1DU
oLNh6DFyObQHPz6Bh/AgLDsKzUvH9kOxyGDqLL8c2Xj3EKlx52+KvlwrFtVpI2mVn3jzHwFn/ILa
1U7sZ4Y=";

/// The SubjectPublicKeyInfo of a base64 request.
pub fn public_key_of(base64: &str) -> Vec<u8> {
    use x509_parser::prelude::FromDer;
    let compact: String = base64.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(compact).expect("the request is base64");
    let (_, request) =
        x509_parser::certification_request::X509CertificationRequest::from_der(&der).expect("the request is PKCS#10");
    request.certification_request_info.subject_pki.raw.to_vec()
}
