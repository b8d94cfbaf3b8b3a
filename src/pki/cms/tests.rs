use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/protocol-fixtures/cms/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    let text: String = String::from_utf8(file(&format!("{name}.b64"))).unwrap().split_whitespace().collect();
    BASE64_STANDARD.decode(text).unwrap()
}

fn message() -> Vec<u8> {
    file("message.xml")
}

/// What becomes of a signature, verified with the certificate of that key.
fn judge(signature: &str, key: &str) -> Result<DetachedSignature, SignatureRejected> {
    let read = DetachedSignature::parse(&fixture(signature))?;
    read.verify(&message(), &fixture(&format!("certificate-{key}")))?;
    Ok(read)
}

// covers: M-35
#[test]
fn signatures_of_openssl_are_good() {
    for key in ["rsa", "p256", "p384"] {
        for hash in ["sha256", "sha384", "sha512"] {
            let name = format!("{key}-{hash}");
            let signature = judge(&name, key).unwrap_or_else(|error| panic!("{name}: {error}"));
            let came_along = signature.certificate().map(<[u8]>::to_vec);
            assert_eq!(came_along, Some(fixture(&format!("certificate-{key}"))), "{name}");
            assert_eq!(signature.serial().unwrap().to_hex_upper(), "5A0102030405060708090A0B0C0D0E0F", "{name}");
            assert!(signature.signing_time().unwrap() > datetime!(2026-11-01 0:00 UTC), "{name}");
        }
    }
    let by_identifier = judge("rsa-key-identifier", "rsa").unwrap();
    assert!(by_identifier.serial().is_none() && by_identifier.certificate().is_some());
    let bare = judge("rsa-without-certificate", "rsa").unwrap();
    assert!(bare.certificate().is_none() && bare.serial().is_some());
}

#[test]
fn what_breaks_a_rule_is_refused_by_it() {
    let cases = [
        ("refused-sha1", Algorithm),
        ("refused-pss", Algorithm),
        ("refused-no-attributes", Attribute("contentType")),
        ("refused-not-detached", SignatureRejected::NotDetached),
        ("refused-two-signers", SignatureRejected::Signers),
    ];
    for (name, expected) in cases {
        assert_eq!(judge(name, "rsa").unwrap_err(), expected, "{name}");
    }
    assert_eq!(judge("rsa-sha256", "p256").unwrap_err(), SignatureRejected::OtherSigner);
    let signature = DetachedSignature::parse(&fixture("rsa-sha256")).unwrap();
    let other = [message(), b" ".to_vec()].concat();
    assert_eq!(signature.verify(&other, &fixture("certificate-rsa")), Err(SignatureRejected::Content));
    assert_eq!(DetachedSignature::parse(&vec![0x30; 40_000]).unwrap_err(), SignatureRejected::TooLarge);
    assert!(matches!(DetachedSignature::parse(b"").unwrap_err(), Malformed(_)));
    let trailing = [fixture("rsa-sha256"), vec![0]].concat();
    assert!(matches!(DetachedSignature::parse(&trailing).unwrap_err(), Malformed(_)));
}

/// The fixture with other bytes in the place of some that stand there once.
fn changed(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let der = fixture(name);
    let places: Vec<usize> = (0..der.len() - from.len()).filter(|at| der[*at..].starts_with(from)).collect();
    assert_eq!((places.len(), from.len()), (1, to.len()), "{name}");
    [&der[..places[0]], to, &der[places[0] + from.len()..]].concat()
}

// covers: S-16
#[test]
fn what_was_signed_cannot_be_changed() {
    let refused = |der: &[u8]| {
        let read = DetachedSignature::parse(der)?;
        read.verify(&message(), &fixture("certificate-rsa"))
    };
    let digest = DetachedSignature::parse(&fixture("rsa-sha256")).unwrap().attributes.message_digest;
    let mut other = digest.clone();
    other[0] ^= 1;
    assert_eq!(refused(&changed("rsa-sha256", &digest, &other)), Err(SignatureRejected::Content));
    let time = b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05\x31\x0F\x17\x0D2";
    let later = b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05\x31\x0F\x17\x0D3";
    assert_eq!(refused(&changed("rsa-sha256", time, later)), Err(SignatureRejected::Signature));
    let twice =
        changed("rsa-sha256", b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05\x31", b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x04\x31");
    assert!(matches!(refused(&twice), Err(Attribute("messageDigest"))));
    let untimed =
        changed("rsa-sha256", b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x05\x31", b"\x2A\x86\x48\x86\xF7\x0D\x01\x09\x06\x31");
    assert_eq!(DetachedSignature::parse(&untimed).unwrap().signing_time(), None);
    assert_eq!(refused(&untimed), Err(SignatureRejected::Signature));
}

#[test]
fn a_key_that_was_not_asked_for_is_no_way_in() {
    let signature = DetachedSignature::parse(&fixture("p256-sha256")).unwrap();
    let other = Signature { family: Family::Rsa, ..signature.signature.clone() };
    let refused = DetachedSignature { signature: other, ..signature }.verify(&message(), &fixture("certificate-p256"));
    assert_eq!(refused, Err(Algorithm));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = DetachedSignature::parse(&bytes);
    }

    /// A changed signature is refused, or what it says is the same.
    #[test]
    fn a_changed_byte_changes_nothing_that_is_believed(at in 0_usize..1300, bit in 0_u8..8) {
        let (mut der, good) = (fixture("rsa-sha256"), judge("rsa-sha256", "rsa").unwrap());
        prop_assume!(at < der.len());
        der[at] ^= 1 << bit;
        if let Ok(read) = DetachedSignature::parse(&der)
            && read.verify(&message(), &fixture("certificate-rsa")).is_ok()
        {
            prop_assert_eq!((read.mark(), read.signing_time()), (good.mark(), good.signing_time()));
        }
    }
}
