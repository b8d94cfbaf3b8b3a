use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

use super::*;

const RSA_ENCRYPTION: &[u8] = &[0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const SHA256_RSA: &[u8] = &[0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11];
const SHA256_ECDSA: &[u8] = &[0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
const SHA384_ECDSA: &[u8] = &[0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3];
const EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const P256: &[u8] = &[0x06, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7];
const P384: &[u8] = &[0x06, 5, 0x2B, 0x81, 4, 0, 34];
const NULL: &[u8] = &[5, 0];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/protocol-fixtures/csr/{name}.b64", env!("CARGO_MANIFEST_DIR"));
    let text: String = std::fs::read_to_string(path).unwrap().split_whitespace().collect();
    BASE64_STANDARD.decode(text).unwrap()
}

/// One DER element of any length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    match u16::try_from(contents.len()) {
        Ok(_) => tlv(tag, &contents),
        Err(_) => {
            let [_, a, b, c] = u32::try_from(contents.len()).unwrap().to_be_bytes();
            [vec![tag, 0x83, a, b, c], contents].concat()
        }
    }
}

fn bits(contents: &[u8]) -> Vec<u8> {
    der(0x03, &[&[0], contents])
}

fn spki(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
    der(0x30, &[&der(0x30, algorithm), &bits(key)])
}

fn common_name(text: &str) -> Vec<u8> {
    let attribute = der(0x30, &[&[0x06, 3, 0x55, 4, 3], &der(0x0C, &[text.as_bytes()])]);
    der(0x30, &[&der(0x31, &[&attribute])])
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der(0x30, &[oid, &der(0x04, &[value])])
}

/// The attributes field with one extensionRequest.
fn attributes(extensions: &[Vec<u8>]) -> Vec<u8> {
    let oid = [0x06, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 14];
    let list = der(0x30, &[&extensions.concat()]);
    der(0xA0, &[&der(0x30, &[&oid, &der(0x31, &[&list])])])
}

struct Shape {
    spki: Vec<u8>,
    subject: Vec<u8>,
    attributes: Vec<u8>,
    algorithm: Vec<u8>,
}

impl Shape {
    fn sign(&self, sign: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let info = der(0x30, &[&[2, 1, 0], &self.subject, &self.spki, &self.attributes]);
        der(0x30, &[&info, &self.algorithm, &bits(&sign(&info))])
    }
}

fn rsa_key() -> RsaKeyPair {
    RsaKeyPair::generate(KeySize::Rsa2048).unwrap()
}

fn rsa_shape(key: &RsaKeyPair) -> Shape {
    Shape {
        spki: spki(&[RSA_ENCRYPTION, NULL], key.public_key().as_ref()),
        subject: common_name("device"),
        attributes: attributes(&[]),
        algorithm: der(0x30, &[SHA256_RSA, NULL]),
    }
}

fn rsa_sign(key: &RsaKeyPair) -> impl Fn(&[u8]) -> Vec<u8> + '_ {
    |message| {
        let mut out = vec![0; key.public_modulus_len()];
        key.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut out).unwrap();
        out
    }
}

#[test]
fn genuine_shapes_are_accepted_and_give_their_key() {
    for name in ["win10-printable-nul-sha1", "test-client-printable-sha256", "tool-utf8-sha256"] {
        let der = fixture(name);
        let request = CertificateRequest::parse(&der, 2048).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(der.windows(request.spki().len()).any(|part| part == request.spki()), "{name}");
        assert_eq!(request.key_sha256(), crate::pki::fingerprint(request.spki()), "{name}");
    }
}

#[test]
fn hostile_keys_and_algorithms_are_refused_by_name() {
    let size = |bits| CsrRejected::KeySize { bits, minimum: 2048 };
    let cases = [
        ("hostile-rsa-1024", size(1024)),
        ("hostile-rsa-16384", size(16384)),
        ("hostile-exponent-3", CsrRejected::Exponent),
        ("hostile-p192", CsrRejected::KeyType),
        ("hostile-p521", CsrRejected::KeyType),
        ("hostile-ed25519", CsrRejected::KeyType),
        ("hostile-md5", CsrRejected::SignatureAlgorithm),
        ("hostile-pss", CsrRejected::SignatureAlgorithm),
    ];
    for (name, expected) in cases {
        assert_eq!(CertificateRequest::parse(&fixture(name), 2048), Err(expected), "{name}");
    }
    let minimum = CsrRejected::KeySize { bits: 2048, minimum: 3072 };
    assert_eq!(CertificateRequest::parse(&fixture("tool-utf8-sha256"), 3072), Err(minimum));
}

#[test]
fn damaged_frames_are_refused_by_name() {
    let good = fixture("tool-utf8-sha256");
    let mut broken = good.clone();
    *broken.last_mut().unwrap() ^= 1;
    let cases: [(&str, Vec<u8>, CsrRejected); 5] = [
        ("empty", Vec::new(), CsrRejected::Malformed),
        ("cut", good[..good.len() - 1].to_vec(), CsrRejected::Malformed),
        ("trailing byte", [good.as_slice(), &[0]].concat(), CsrRejected::TrailingBytes),
        ("signature bit", broken, CsrRejected::Signature),
        ("huge", der(0x30, &[&vec![0; MAX_REQUEST_BYTES]]), CsrRejected::TooLarge),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(CertificateRequest::parse(&bytes, 2048), Err(expected), "{name}");
    }
}

#[test]
fn what_a_request_asks_for_beside_its_key_changes_nothing() {
    let key = rsa_key();
    let expected = rsa_shape(&key).spki;
    let san = extension(&[0x06, 3, 0x55, 0x1D, 17], &der(0x30, &[&der(0x82, &[b"mdm.example"])]));
    let ca = extension(&[0x06, 3, 0x55, 0x1D, 19], &der(0x30, &[&[1, 1, 0xFF]]));
    let any_eku =
        extension(&[0x06, 3, 0x55, 0x1D, 37], &der(0x30, &[&[0x06, 4, 0x55, 0x1D, 0x25, 0], &[0x06, 1, 0x2A]]));
    let sid = extension(&[0x06, 10, 0x2B, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1], &der(0x30, &[&[0xA0, 0]]));
    let bloat = extension(&[0x06, 3, 0x2A, 3, 4], &vec![0x41; 50 * 1024]);
    let cases = [
        ("subject", common_name("admin"), attributes(&[])),
        ("empty subject", der(0x30, &[]), attributes(&[])),
        ("alternative name", common_name("x"), attributes(std::slice::from_ref(&san))),
        ("CA:true", common_name("x"), attributes(std::slice::from_ref(&ca))),
        ("any purpose", common_name("x"), attributes(&[any_eku])),
        ("SID", common_name("x"), attributes(&[sid])),
        ("50 KB", common_name("x"), attributes(&[bloat])),
        ("duplicates", common_name("x"), attributes(&[san.clone(), ca, san])),
    ];
    for (name, subject, attributes) in cases {
        let shape = Shape { subject, attributes, ..rsa_shape(&key) };
        let request = CertificateRequest::parse(&shape.sign(rsa_sign(&key)), 2048);
        assert_eq!(request.unwrap_or_else(|e| panic!("{name}: {e}")).spki(), expected, "{name}");
    }
}

#[test]
fn one_key_has_one_encoding() {
    let key = rsa_key();
    let (modulus, exponent) = (key.public_key().modulus(), [1, 0, 1]);
    let modulus = [&[0], modulus.big_endian_without_leading_zero()].concat();
    let rsa = |modulus: &[u8], exponent: &[u8], tail: &[u8]| {
        spki(&[RSA_ENCRYPTION, NULL], &der(0x30, &[&der(2, &[modulus]), &der(2, &[exponent]), tail]))
    };
    let plain = rsa(&modulus, &exponent, &[]);
    assert_eq!(plain, rsa_shape(&key).spki);
    let one = [1];
    let cases = [
        ("padded modulus", rsa(&[&[0], modulus.as_slice()].concat(), &exponent, &[]), CsrRejected::KeyEncoding),
        ("padded exponent", rsa(&modulus, &[0, 1, 0, 1], &[]), CsrRejected::KeyEncoding),
        ("negative modulus", rsa(&modulus[1..], &exponent, &[]), CsrRejected::KeyEncoding),
        ("third integer", rsa(&modulus, &exponent, &[2, 1, 1]), CsrRejected::KeyEncoding),
        ("no NULL", spki(&[RSA_ENCRYPTION], key.public_key().as_ref()), CsrRejected::KeyEncoding),
        ("exponent 1", rsa(&modulus, &one, &[]), CsrRejected::Exponent),
        ("even exponent", rsa(&modulus, &[1, 0, 2], &[]), CsrRejected::Exponent),
        ("vast exponent", rsa(&modulus, &[0x7F; 9], &[]), CsrRejected::Exponent),
    ];
    for (name, spki, expected) in cases {
        let shape = Shape { spki, ..rsa_shape(&key) };
        assert_eq!(CertificateRequest::parse(&shape.sign(rsa_sign(&key)), 2048), Err(expected), "{name}");
    }
}

#[test]
fn somebody_elses_key_is_no_proof_of_possession() {
    let (mine, theirs) = (rsa_key(), rsa_key());
    let der = rsa_shape(&theirs).sign(rsa_sign(&mine));
    assert_eq!(CertificateRequest::parse(&der, 2048), Err(CsrRejected::Signature));
}

#[test]
fn elliptic_keys_on_the_two_curves_are_accepted() {
    let cases = [
        ("P-256", &signature::ECDSA_P256_SHA256_ASN1_SIGNING, P256, SHA256_ECDSA),
        ("P-384", &signature::ECDSA_P384_SHA384_ASN1_SIGNING, P384, SHA384_ECDSA),
    ];
    for (name, algorithm, curve, oid) in cases {
        let key = EcdsaKeyPair::generate(algorithm).unwrap();
        let sign = |message: &[u8]| key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        let point = key.public_key().as_ref();
        let shape = |spki| Shape {
            spki,
            subject: common_name("device"),
            attributes: attributes(&[]),
            algorithm: der(0x30, &[oid]),
        };
        let good = shape(spki(&[EC_PUBLIC_KEY, curve], point));
        let request = CertificateRequest::parse(&good.sign(sign), 2048).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(request.spki(), key.public_key().as_der().unwrap().as_ref(), "{name}");
        let compressed = [&[2 + (point.last().unwrap() & 1)], &point[1..=point.len() / 2]].concat();
        let same_key = shape(spki(&[EC_PUBLIC_KEY, curve], &compressed));
        assert_eq!(CertificateRequest::parse(&same_key.sign(sign), 2048), Err(CsrRejected::KeyEncoding), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = CertificateRequest::parse(&bytes, 2048);
    }

    #[test]
    fn a_changed_byte_never_gives_another_key(at in 0usize..722, to in any::<u8>()) {
        let good = fixture("win10-printable-nul-sha1");
        let key = CertificateRequest::parse(&good, 2048).unwrap();
        let mut changed = good;
        changed[at] = to;
        if let Ok(request) = CertificateRequest::parse(&changed, 2048) {
            prop_assert_eq!(request, key);
        }
    }
}
