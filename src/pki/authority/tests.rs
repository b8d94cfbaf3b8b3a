use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::{CertificateDer, UnixTime};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::*;
use crate::pki::create::{self, CaNames, Certified};
use crate::pki::crl::{Reason, Revoked};
use crate::pki::{CertificateRequest, thumbprint};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00.5 UTC);

struct Made {
    root: Certified,
    issuing: Certified,
}

/// RSA keys are slow to make, so the tests share one pair of CAs.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let names = CaNames::new(Some("Contoso Ltd"), [1, 0xAB, 0xFF]);
        let root = create::root(&names, Serial::from_random([1; 16]), NOW).unwrap();
        let issuing = create::issuing(&root, &names, Serial::from_random([2; 16]), NOW).unwrap();
        Made { root, issuing }
    })
}

fn authority() -> Authority {
    let made = made();
    Authority::new(made.root.certificate.clone(), made.issuing.certificate.clone(), &made.issuing.key).unwrap()
}

fn request() -> CertificateRequest {
    let text = include_str!("../../../protocol-fixtures/csr/win10-printable-nul-sha1.b64");
    let der = BASE64_STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap();
    CertificateRequest::parse(&der, 2048).unwrap()
}

fn issue(authority: &Authority, at: OffsetDateTime) -> IssuedCertificate {
    let profile = DeviceProfile::new(Duration::days(365));
    authority.issue(request().spki(), "dev-0001", Serial::from_random([0xA5; 16]), at, &profile).unwrap()
}

#[test]
fn a_device_certificate_has_the_profile_and_nothing_else() {
    let issued = issue(&authority(), NOW);
    let (rest, certificate) = X509Certificate::from_der(&issued.der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(certificate.version().0, 2);
    assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.113549.1.1.11");
    assert_eq!(certificate.raw_serial(), issued.serial.as_bytes());
    assert_eq!(certificate.subject().to_string(), "CN=dev-0001");
    assert_eq!(certificate.public_key().raw, request().spki());
    assert_eq!(issued.sha256, fingerprint(&issued.der));
    assert_eq!(issued.not_before, datetime!(2026-11-20 11:55 UTC));
    assert_eq!(issued.not_after, datetime!(2027-11-20 12:00 UTC));
    assert_eq!(certificate.validity().not_before.to_datetime(), issued.not_before);
    assert_eq!(certificate.validity().not_after.to_datetime(), issued.not_after);

    let extensions: Vec<(String, bool)> =
        certificate.iter_extensions().map(|e| (e.oid.to_id_string(), e.critical)).collect();
    let expected =
        [("2.5.29.35", false), ("2.5.29.15", true), ("2.5.29.37", false), ("2.5.29.14", false), ("2.5.29.19", true)];
    assert_eq!(extensions, expected.map(|(oid, critical)| (oid.to_owned(), critical)));
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.key_encipherment() && usage.flags.count_ones() == 2);
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.client_auth && !purposes.any && !purposes.server_auth && purposes.other.is_empty());
}

#[test]
fn names_and_key_identifiers_chain_byte_for_byte() {
    let issued = issue(&authority(), NOW);
    let (_, leaf) = X509Certificate::from_der(&issued.der).unwrap();
    let issuing = parse_ca(&made().issuing.certificate, "issuing").unwrap();
    let root = parse_ca(&made().root.certificate, "root").unwrap();
    assert_eq!(leaf.issuer().as_raw(), issuing.subject().as_raw());
    assert_eq!(issuing.issuer().as_raw(), root.subject().as_raw());
    let authority_key = |certificate: &X509Certificate<'_>| {
        certificate.iter_extensions().find_map(|e| match e.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
            _ => None,
        })
    };
    assert_eq!(authority_key(&leaf), key_identifier(&issuing));
    assert_eq!(authority_key(&issuing), key_identifier(&root));
    assert_eq!(issuing.subject().to_string(), "O=Contoso Ltd, CN=Contoso Ltd Device CA 01abff");
    assert_eq!(issuing.basic_constraints().unwrap().unwrap().value.path_len_constraint, Some(0));
}

#[test]
fn a_certificate_stays_within_its_ca() {
    let authority = authority();
    let late = issue(&authority, authority.not_after() - Duration::days(10));
    assert_eq!(late.not_after, authority.not_after());
    let early = issue(&authority, authority.not_before + Duration::minutes(1));
    assert_eq!(early.not_before, authority.not_before);
    let profile = DeviceProfile::new(Duration::days(365));
    let over = authority.issue(request().spki(), "x", Serial::from_random([1; 16]), authority.not_after(), &profile);
    assert!(matches!(over, Err(PkiError::Expired)));
}

#[test]
fn our_own_keys_and_odd_subjects_are_refused() {
    let authority = authority();
    let profile = DeviceProfile::new(Duration::days(1));
    let serial = Serial::from_random([1; 16]);
    for own in [&made().root, &made().issuing] {
        let ca = parse_ca(&own.certificate, "own").unwrap();
        let refused = authority.issue(ca.public_key().raw, "x", serial, NOW, &profile);
        assert!(matches!(refused, Err(PkiError::OwnKey)));
    }
    for subject in ["", "a\u{0}b", "line\nbreak", &"x".repeat(65)] {
        let refused = authority.issue(request().spki(), subject, serial, NOW, &profile);
        assert!(matches!(refused, Err(PkiError::Subject)), "{subject:?}");
    }
    assert!(matches!(authority.issue(b"\x30\x00", "x", serial, NOW, &profile), Err(PkiError::PublicKey)));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let made = made();
    let (root, issuing) = (&made.root.certificate, &made.issuing.certificate);
    let leaf = issue(&authority(), NOW).der;
    let new = |root: &[u8], issuing: &[u8], key: &[u8]| Authority::new(root.to_vec(), issuing.to_vec(), key);
    assert!(matches!(new(root, issuing, &made.root.key), Err(PkiError::Key(_))));
    assert!(matches!(new(root, issuing, b"no key"), Err(PkiError::Key(_))));
    assert!(matches!(new(issuing, root, &made.issuing.key), Err(PkiError::Chain)));
    assert!(matches!(new(root, &leaf, &made.issuing.key), Err(PkiError::NotCa(_))));
    assert!(matches!(new(b"", issuing, &made.issuing.key), Err(PkiError::Certificate(_))));
}

#[test]
fn thumbprints_are_forty_upper_case_digits() {
    assert_eq!(thumbprint(b"abc"), "A9993E364706816ABA3E25717850C26C9CD0D89D");
}

#[test]
fn server_certificates_name_their_hosts() {
    let hosts = ["mdm.example".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned(), "localhost".to_owned()];
    let server = create::server(&made().root, &hosts, Serial::from_random([3; 16]), NOW).unwrap();
    let (_, certificate) = X509Certificate::from_der(&server.certificate).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap().value.general_names.len();
    assert_eq!(names, 4);
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && !purposes.client_auth);
    let validity = certificate.validity();
    assert_eq!(validity.not_after.timestamp() - validity.not_before.timestamp(), 397 * 86_400);
    for bad in ["", "a b", "-a", "ü.example", "a..b", "https://a"] {
        let refused = create::server(&made().root, &[bad.to_owned()], Serial::from_random([3; 16]), NOW);
        assert!(matches!(refused, Err(PkiError::Host(_))), "{bad}");
    }
}

#[test]
fn webpki_accepts_the_device_for_client_auth_alone() {
    let issued = CertificateDer::from(issue(&authority(), NOW).der);
    let server = create::server(&made().root, &["a.example".to_owned()], Serial::from_random([3; 16]), NOW).unwrap();
    let server = CertificateDer::from(server.certificate);
    let issuing = CertificateDer::from(made().issuing.certificate.as_slice());
    let root = CertificateDer::from(made().root.certificate.as_slice());
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.unix_timestamp().unsigned_abs()));
    let verify = |leaf: &CertificateDer<'_>, chain: &[CertificateDer<'_>], anchor: &CertificateDer<'_>, usage| {
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let anchors = [anchor_from_trusted_cert(anchor).unwrap()];
        let leaf = EndEntityCert::try_from(leaf).unwrap();
        leaf.verify_for_usage(algorithms, &anchors, chain, at, usage, None, None).map(|_| ()).is_ok()
    };
    let chain = std::slice::from_ref(&issuing);
    assert!(verify(&issued, &[], &issuing, KeyUsage::client_auth()), "leaf alone under the issuing CA");
    assert!(verify(&issued, chain, &root, KeyUsage::client_auth()), "whole chain");
    assert!(!verify(&issued, chain, &root, KeyUsage::server_auth()), "a device is no server");
    assert!(!verify(&issued, &[], &root, KeyUsage::client_auth()), "the root did not sign devices");
    assert!(verify(&server, &[], &root, KeyUsage::server_auth()), "server");
    assert!(!verify(&server, &[], &issuing, KeyUsage::client_auth()), "a server is no device");
}

/// Runs `openssl` with the files written into a temporary folder; `None` where the program is absent.
fn openssl(files: &[(&str, &str, &[u8])], arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    for (name, label, der) in files {
        let body = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    match Command::new("openssl").args(arguments).current_dir(folder.path()).output() {
        Ok(output) => Some(output),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: there is no openssl program here");
            None
        }
        Err(e) => panic!("openssl: {e}"),
    }
}

#[test]
fn openssl_verifies_the_chain_for_a_tls_client() {
    let issued = issue(&authority(), NOW);
    let files: [(&str, &str, &[u8]); 3] = [
        ("root.pem", "CERTIFICATE", &made().root.certificate),
        ("issuing.pem", "CERTIFICATE", &made().issuing.certificate),
        ("device.pem", "CERTIFICATE", &issued.der),
    ];
    let at = NOW.unix_timestamp().to_string();
    let verify = |purpose| {
        openssl(
            &files,
            &[
                "verify",
                "-x509_strict",
                "-purpose",
                purpose,
                "-attime",
                &at,
                "-CAfile",
                "root.pem",
                "-untrusted",
                "issuing.pem",
                "device.pem",
            ],
        )
    };
    let Some(client) = verify("sslclient") else { return };
    assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stderr));
    assert!(!verify("sslserver").unwrap().status.success());
}

#[test]
fn openssl_reads_and_verifies_the_revocation_list() {
    let revoked = [
        Revoked { serial: Serial::from_random([0x11; 16]), at: NOW, reason: Reason::CessationOfOperation },
        Revoked { serial: Serial::from_random([0x22; 16]), at: NOW, reason: Reason::Unspecified },
    ];
    let authority = authority();
    let der = authority.crl(4711, NOW, NOW + Duration::days(7), &revoked).unwrap();
    let files: [(&str, &str, &[u8]); 2] =
        [("list.pem", "X509 CRL", &der), ("issuing.pem", "CERTIFICATE", &made().issuing.certificate)];
    let Some(output) = openssl(&files, &["crl", "-in", "list.pem", "-text", "-noout", "-CAfile", "issuing.pem"]) else {
        return;
    };
    assert!(String::from_utf8_lossy(&output.stderr).contains("verify OK"));
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "CN = Contoso Ltd Device CA 01abff",
        "Last Update: Nov 20 12:00:00 2026 GMT",
        "Next Update: Nov 27 12:00:00 2026 GMT",
        "4711",
        &"11".repeat(16),
        &"22".repeat(16),
        "Cessation Of Operation",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(text.matches("CRL Reason Code").count(), 1);
    let empty = authority.crl(4712, NOW, NOW + Duration::days(7), &[]).unwrap();
    assert!(x509_parser::parse_x509_crl(&empty).unwrap().1.iter_revoked_certificates().next().is_none());
    assert!(authority.crl(4713, NOW, NOW, &[]).is_err());
}

// covers: M-27
#[test]
fn certificates_of_its_own_that_have_begun_are_known_by_their_signature() {
    let authority = authority();
    let issued = issue(&authority, NOW);
    let day = Duration::DAY;
    for (after, good) in
        [(Duration::ZERO, true), (day * 364, true), (day * 3660, true), (-day, true), (-day * 3, false)]
    {
        assert_eq!(authority.check_issued(&issued.der, NOW + after).is_ok(), good, "{after}");
    }
    let names = CaNames::new(Some("Contoso Ltd"), [1, 0xAB, 0xFF]);
    let root = create::root(&names, Serial::from_random([1; 16]), NOW).unwrap();
    let namesake = create::issuing(&root, &names, Serial::from_random([2; 16]), NOW).unwrap();
    let other = Authority::new(root.certificate.clone(), namesake.certificate, &namesake.key).unwrap();
    for (what, der) in [
        ("of a namesake", issue(&other, NOW).der),
        ("a CA's own", made().issuing.certificate.clone()),
        ("none", b"certificate".to_vec()),
        ("changed", {
            let mut der = issued.der.clone();
            *der.last_mut().unwrap() ^= 1;
            der
        }),
    ] {
        assert!(authority.check_issued(&der, NOW).is_err(), "{what}");
        assert!(authority.check_issued(&der, NOW + day * 366).is_err(), "{what}, when it has ended");
    }
}
