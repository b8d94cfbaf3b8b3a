//! The provisioning document: every rule is checked on each enrollment by `crate::support::provisioning`; here are the cases
//! that need another request than the usual one.

use crate::support::device::{FakeDevice, Profile};
use crate::support::enrolling::Attempt;
use crate::support::http::{Connection, Identity, Request, once};
use crate::support::server::Server;
use crate::support::{certificate, database, now, openssl, unique, xcep};

#[test]
// covers: E-70, E-71, E-72, E-73, E-74, E-75, E-76, E-77, E-78, E-79, E-80, E-81, E-82, E-83, E-84, E-85, E-86, E-87
// covers: E-88, E-89, E-90, E-91, E-92, E-93, E-94
fn a_full_enrollment_gets_a_document_in_order() {
    let (device, _) = FakeDevice::new(Server::shared());
    assert_eq!(device.provisioned.provider_id, "Muster", "E-84: the default provider id");
    assert!(device.provisioned.application["NAME"].len() > 1, "the server has a name");
}

#[test]
// covers: E-75, E-76
fn a_device_enrollment_uses_the_system_store() {
    let server = Server::shared();
    let user = server.api().add_user();
    let profile = Profile { enrollment_type: "Device".to_owned(), ..Profile::new() };
    let device = FakeDevice::enroll(server, &user, profile);
    assert!(!device.provisioned.document.source.contains(r#"type="User""#), "E-75: nowhere else");
}

#[test]
// covers: E-75
fn a_full_enrollment_does_not_use_the_system_store_for_its_certificate() {
    let (device, _) = FakeDevice::new(Server::shared());
    let systems = device.provisioned.document.source.matches(r#"type="System""#).count();
    assert_eq!(systems, 2, "E-75: Root/System and CA/System only");
}

#[test]
// covers: E-86, E-87, E-91
fn secrets_nonces_and_ids_differ_per_device() {
    let server = Server::shared();
    let devices: Vec<FakeDevice> = (0..3).map(|_| FakeDevice::new(server).0).collect();
    let mut secrets: Vec<&String> = devices.iter().flat_map(|d| d.provisioned.secrets.iter()).collect();
    let mut nonces: Vec<&Vec<u8>> = devices.iter().flat_map(|d| d.provisioned.nonces.iter()).collect();
    let mut ids: Vec<&String> = devices.iter().map(|d| &d.provisioned.ent_dm_id).collect();
    secrets.sort_unstable();
    secrets.dedup();
    nonces.sort_unstable();
    nonces.dedup();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((secrets.len(), nonces.len(), ids.len()), (6, 6, 3), "E-86, E-87");
}

#[test]
// covers: E-95
fn markup_and_foreign_letters_in_names_survive() {
    let server = Server::shared();
    for name in ["Büro <PC> & \"7\"", "日本-ПК", "a]]>b", "emoji 🖥", "&lt;not twice&gt;"] {
        let user = server.api().add_user_named(&format!("o'brien&co-{}@example.test", unique()));
        let profile = Profile { device_name: name.to_owned(), ..Profile::new() };
        let device = Attempt::of(server, &user, profile).enroll(server, Some(&user.email));
        assert_eq!(device.document(server)["name"], name, "E-95");
    }
}

#[test]
// covers: E-83, E-80
fn policy_and_certificate_agree() {
    let server = Server::shared();
    let (device, user) = FakeDevice::new(server);
    let credentials = crate::support::soap::username_token(&user.email, &user.password);
    let soap = crate::support::soap::Soap::get_policies(&credentials);
    let policy = xcep::check(&soap.accepted(&server.web(&soap.request())));
    let lifetime = u64::try_from(device.chain().lifetime_days()).unwrap() * 86_400;
    assert!(lifetime.abs_diff(policy.validity_seconds) <= 86_400, "{lifetime} s and {policy:?}");
    assert!(device.chain().not_after() > now().unix_timestamp() + 300 * 86_400, "a certificate for a year");
}

#[test]
// covers: E-92
fn the_last_poll_interval_is_spread_over_devices() {
    let server = Server::shared();
    let intervals: std::collections::HashSet<String> = (0..6)
        .map(|_| FakeDevice::new(server).0.provisioned.poll["IntervalForRemainingScheduledRetries"].clone())
        .collect();
    assert!(intervals.len() > 1, "devices enrolled together do not stay together: {intervals:?}");
}

#[test]
// covers: E-77, E-81
fn the_ca_can_be_fetched() {
    let server = Server::shared();
    let (device, _) = FakeDevice::new(server);
    let der = server.web(&Request::get("/pki/ca.cer"));
    der.expect_status("/pki/ca.cer", 200);
    assert_eq!(der.body, device.chain().root, "the root, DER");
    let pem = server.web(&Request::get("/pki/ca.pem"));
    pem.expect_status("/pki/ca.pem", 200);
    let blocks = pem.text().matches("BEGIN CERTIFICATE").count();
    assert_eq!(blocks, 2, "the root first, then the issuing CA");
    let first = openssl::run(&["x509", "-outform", "DER"], &pem.body);
    assert_eq!(first, device.chain().root, "the root first");
    let second = pem.text().rsplit_once("-----BEGIN").map(|(_, rest)| format!("-----BEGIN{rest}")).unwrap();
    assert_eq!(openssl::run(&["x509", "-outform", "DER"], second.as_bytes()), device.chain().issuing);
    let file = openssl::run(&["x509", "-outform", "DER"], &server.root_pem());
    assert_eq!(file, device.chain().root, "the file in the data directory");
}

#[test]
// covers: E-145, M-141, M-19
fn the_device_host_verifies_a_leaf_alone_and_with_its_issuer() {
    let server = Server::shared();
    let (mut device, _) = FakeDevice::settled(server);
    assert!(device.check_in().is_quiet(), "E-145: the leaf alone");
    let chain = vec![device.chain().leaf.clone(), device.chain().issuing.clone()];
    let config = device.tls().identity(Identity { chain, key: device.key.pkcs8.clone() }).config();
    let message = device.package_one();
    let response = once(device.management_url(), &config, &device.request(message.xml()));
    device.judge(&message.xml(), &response);
}

#[test]
// covers: E-145, M-141, S-02
fn our_server_certificate_is_no_client_certificate() {
    let server = Server::shared();
    let Some(identity) = server_identity(server) else {
        eprintln!("skipped: the key of the server certificate is not a PEM file in the data directory");
        return;
    };
    let (mut device, _) = FakeDevice::new(server);
    let config = server.tls().identity(identity).config();
    let message = device.package_one().xml();
    let address = crate::support::http::Address::of(device.management_url());
    let outcome = Connection::open(&address, &config).and_then(|mut c| c.send(&device.request(message)));
    if let Ok(response) = outcome {
        response.expect_status("E-145, M-141", 403);
        assert!(!response.text().contains("SyncML"), "M-141");
    }
}

/// The server's own certificate and key, if the key lies in the data directory in clear.
fn server_identity(server: &Server) -> Option<Identity> {
    let config = server.tls().config();
    let connection = Connection::open(&crate::support::http::Address::of(&server.url), &config).unwrap();
    let chain: Vec<Vec<u8>> = connection.tls().peer_certificates().unwrap().iter().map(|c| c.to_vec()).collect();
    let public_key = certificate::parse(&chain[0]).public_key().raw.to_vec();
    let matches = |pem: &[u8]| {
        let public = openssl::attempt(&["pkey", "-pubout", "-outform", "DER"], pem);
        public.status.success() && public.stdout == public_key
    };
    let files = database::files_below(&server.data()).into_iter().filter_map(|f| std::fs::read(f).ok());
    let pem = files.into_iter().find(|bytes| database::contains(bytes, b"PRIVATE KEY-----") && matches(bytes))?;
    let key = openssl::run(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem);
    Some(Identity { chain, key })
}
