//! Checks of certificates by three implementations that are not ours: x509-parser, webpki and OpenSSL.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::{now, openssl};

const SHA256_WITH_RSA: &str = "1.2.840.113549.1.1.11";

/// The three certificates of a provisioning document.
#[derive(Clone, Debug)]
pub struct Chain {
    pub root: Vec<u8>,
    pub issuing: Vec<u8>,
    pub leaf: Vec<u8>,
}

impl Chain {
    /// E-78 to E-81 and the profile of the device certificate.
    #[track_caller]
    pub fn check(&self, requested_key: &[u8]) {
        self.check_leaf(requested_key);
        self.check_authorities();
        self.check_by_webpki();
        self.check_by_openssl();
    }

    #[track_caller]
    fn check_leaf(&self, requested_key: &[u8]) {
        let leaf = parse(&self.leaf);
        assert_eq!(leaf.public_key().raw, requested_key, "E-78: the certificate's key is the request's");
        assert_eq!(leaf.version.0, 2, "the certificate is X.509 v3");
        assert_eq!(leaf.signature_algorithm.algorithm.to_id_string(), SHA256_WITH_RSA, "E-79");
        let serial = leaf.raw_serial();
        assert!((12..=20).contains(&serial.len()), "E-79: a random serial number of 128 bits: {serial:02x?}");
        assert!(serial[0] & 0x80 == 0, "E-79: the serial number is positive: {serial:02x?}");
        check_usage(&leaf);
        let age = now().unix_timestamp() - leaf.validity().not_before.timestamp();
        assert!((0..=660).contains(&age), "E-80: notBefore is {age} s ago");
        let issuing = parse(&self.issuing);
        let (ends, ca_ends) = (leaf.validity().not_after, issuing.validity().not_after);
        assert!(ends <= ca_ends, "E-80: the certificate outlives its CA: {ends} > {ca_ends}");
        assert!(ends.timestamp() > now().unix_timestamp(), "E-80: the certificate has ended already");
    }

    #[track_caller]
    fn check_authorities(&self) {
        let (root, issuing, leaf) = (parse(&self.root), parse(&self.issuing), parse(&self.leaf));
        assert_eq!(root.subject(), root.issuer(), "E-77: the root is self-signed");
        assert_eq!(issuing.issuer(), root.subject(), "E-77: the intermediate is from the root");
        assert_eq!(leaf.issuer(), issuing.subject(), "E-77: the leaf is from the intermediate");
        assert_ne!(issuing.subject(), root.subject(), "E-77: root and intermediate are two");
        for (name, ca) in [("root", &root), ("intermediate", &issuing)] {
            let constraints = ca.basic_constraints().expect("the extension parses").expect("a CA has constraints");
            assert!(constraints.value.ca, "the {name} is a CA");
        }
    }

    #[track_caller]
    fn check_by_webpki(&self) {
        let root = CertificateDer::from(self.root.clone());
        let anchor = webpki::anchor_from_trusted_cert(&root).expect("E-81: the root is a trust anchor");
        let leaf = CertificateDer::from(self.leaf.clone());
        let end_entity = webpki::EndEntityCert::try_from(&leaf).expect("E-81: webpki reads the certificate");
        let usage = webpki::KeyUsage::client_auth();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now().unix_timestamp() as u64));
        let intermediates = [CertificateDer::from(self.issuing.clone())];
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        end_entity
            .verify_for_usage(algorithms, &[anchor], &intermediates, time, usage, None, None)
            .map(|_| ())
            .unwrap_or_else(|e| panic!("E-81: webpki refuses the chain: {e}"));
    }

    #[track_caller]
    fn check_by_openssl(&self) {
        let [root, issuing, leaf] = [&self.root, &self.issuing, &self.leaf].map(|der| pem_file(der));
        let names = [&root, &issuing, &leaf].map(|path| path.to_string_lossy().into_owned());
        let at = now().unix_timestamp().to_string();
        let purpose = ["verify", "-x509_strict", "-purpose", "sslclient", "-attime", &at, "-CAfile"];
        openssl::run(&[&purpose[..], &[&names[0], "-untrusted", &names[1], &names[2]]].concat(), b"");
    }

    /// The serial number in lower-case hex, without leading zeros.
    pub fn serial(&self) -> String {
        serial_of(&self.leaf)
    }

    pub fn not_after(&self) -> i64 {
        parse(&self.leaf).validity().not_after.timestamp()
    }

    pub fn lifetime_days(&self) -> i64 {
        let leaf = parse(&self.leaf);
        (leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp()) / 86_400
    }
}

/// E-79: what the certificate may be used for, and nothing else.
#[track_caller]
fn check_usage(leaf: &X509Certificate<'_>) {
    let usage = leaf.key_usage().expect("E-79: keyUsage parses").expect("E-79: keyUsage is there");
    assert!(usage.critical && usage.value.digital_signature() && usage.value.key_encipherment(), "E-79: {usage:?}");
    assert!(!usage.value.key_cert_sign() && !usage.value.crl_sign(), "E-79: {usage:?}");
    let extended = leaf.extended_key_usage().expect("E-79: EKU parses").expect("E-79: EKU is there").value;
    assert!(extended.client_auth, "E-79: {extended:?}");
    let others = extended.any || extended.server_auth || extended.code_signing || extended.email_protection;
    assert!(!others && extended.other.is_empty(), "E-79, S-04: clientAuth only: {extended:?}");
    let constraints = leaf.basic_constraints().expect("E-79: basicConstraints parses");
    let constraints = constraints.expect("E-79: basicConstraints is there");
    assert!(constraints.critical && !constraints.value.ca, "E-79: {constraints:?}");
    let has = |wanted: fn(&ParsedExtension<'_>) -> bool| leaf.extensions().iter().any(|e| wanted(e.parsed_extension()));
    assert!(has(|e| matches!(e, ParsedExtension::SubjectKeyIdentifier(_))), "the certificate has an SKI");
    assert!(has(|e| matches!(e, ParsedExtension::AuthorityKeyIdentifier(_))), "the certificate has an AKI");
}

/// Reads one DER certificate and nothing behind it.
#[track_caller]
pub fn parse(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap_or_else(|e| panic!("not a certificate: {e}"));
    assert!(rest.is_empty(), "bytes behind the certificate");
    certificate
}

pub fn serial_of(der: &[u8]) -> String {
    let hex: String = parse(der).raw_serial().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.trim_start_matches('0').to_owned()
}

/// Whether a serial number in any usual spelling (colons, case, leading zeros) is this one.
pub fn same_serial(shown: &str, serial: &str) -> bool {
    let plain = |text: &str| {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        digits.to_lowercase().trim_start_matches('0').to_owned()
    };
    plain(shown) == plain(serial)
}

/// A certificate as a PEM file.
pub fn pem_file(der: &[u8]) -> std::path::PathBuf {
    let pem = openssl::run(&["x509", "-inform", "DER"], der);
    openssl::temporary("certificate.pem", &pem)
}

/// The SHA-1 of some bytes as 40 upper-case hex digits, as Windows names certificates.
pub fn thumbprint(der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}
