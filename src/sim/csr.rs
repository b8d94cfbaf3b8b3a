//! The certificate request, in the shape of Windows.
//!
//! Subject: one PrintableString with 30 characters of a GUID, `!`, the device id and a NUL, although neither `!` nor NUL
//! belongs into that type. One extension with raw bytes. Genuine Windows signs with SHA-1 under 1.3.14.3.2.29, which
//! aws-lc-rs does not make; SHA-256 stands in its place, and everything else is the same.

use super::der::{CONTEXT_0, OCTET_STRING, PRINTABLE_STRING, SEQUENCE, SET, algorithm, bits, node, oid, small};
use super::device::Device;
use super::key::DeviceKey;

/// A signed PKCS#10 for the key of a device.
pub(super) fn certificate_request(device: &Device, key: &DeviceKey) -> Vec<u8> {
    let info = node(SEQUENCE, &[&small(0), &subject(device), &key.public_key(), &attributes(device)]);
    let signature = key.sign(&info);
    node(SEQUENCE, &[&info, &algorithm(SHA256_WITH_RSA), &bits(&signature)])
}

fn subject(device: &Device) -> Vec<u8> {
    let guid = device.key_guid.get(..30).unwrap_or(&device.key_guid);
    let name = format!("{guid}!{}\0", device.device_id);
    let attribute = node(SEQUENCE, &[&oid(COMMON_NAME), &node(PRINTABLE_STRING, &[name.as_bytes()])]);
    node(SEQUENCE, &[&node(SET, &[&attribute])])
}

fn attributes(device: &Device) -> Vec<u8> {
    let raw = format!("{}\0", device.device_id);
    let extension = node(SEQUENCE, &[&oid(DEVICE_ID), &node(OCTET_STRING, &[raw.as_bytes()])]);
    let extensions = node(SEQUENCE, &[&extension]);
    let request = node(SEQUENCE, &[&oid(EXTENSION_REQUEST), &node(SET, &[&extensions])]);
    node(CONTEXT_0, &[&request])
}

pub(super) const SHA256_WITH_RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 11];
const COMMON_NAME: &[u32] = &[2, 5, 4, 3];
const EXTENSION_REQUEST: &[u32] = &[1, 2, 840, 113_549, 1, 9, 14];
const DEVICE_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 311, 66, 1, 0];

#[cfg(test)]
mod tests {
    use x509_parser::certification_request::X509CertificationRequest;
    use x509_parser::prelude::FromDer;

    use super::super::device::Profile;
    use super::*;
    use crate::proto::base64;
    use crate::proto::soap::fixtures::fixture;

    /// The same frame as a request of Windows 10, apart from the signature algorithm.
    #[test]
    fn the_request_has_the_shape_of_windows() {
        let device = Device::new(Profile::Windows11, "a");
        let der = certificate_request(&device, &DeviceKey::generate(2048).unwrap());
        let (rest, csr) = X509CertificationRequest::from_der(&der).unwrap();
        assert!(rest.is_empty());
        csr.verify_signature().unwrap();
        let genuine = base64::decode(&String::from_utf8(fixture("csr.b64")).unwrap()).unwrap();
        let name_at = genuine.windows(2).position(|pair| pair == [PRINTABLE_STRING, 64]).unwrap();
        assert_eq!(der[4..name_at + 2], genuine[4..name_at + 2], "version, key of the name, length");
        let name = std::str::from_utf8(&der[name_at + 2..name_at + 66]).unwrap();
        assert_eq!(name, format!("{}!{}\0", &device.key_guid[..30], device.device_id));
        let attributes = attributes(&device);
        assert_eq!(attributes.len(), 68);
        let tail = genuine.windows(30).position(|w| w == &attributes[..30]);
        assert!(tail.is_some(), "the extension is framed alike");
    }
}
