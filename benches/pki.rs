//! What a certificate costs: reading its request, issuing it, and the handshake in which it is shown. Read them as ratios of
//! one run: a handshake that is refused against one that is accepted. Of handshakes only the server's side is counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the benchmark")]
#![allow(
    clippy::disallowed_methods,
    reason = "time is what is measured, and rustls judges certificates by the real one"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use muster::http::listener::tls::{DeviceTls, ServerCertificate, Tls};
use muster::pki::create::{self, CaNames, Certified};
use muster::pki::{Authority, CertificateRequest, DeviceProfile, Serial};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use time::OffsetDateTime;

const HOST: &str = "dm.example.test";
/// Certificates that a client puts beside its own to make the server look.
const BESIDE: usize = 30;

fn serial(number: u8) -> Serial {
    Serial::from_random([number; 16])
}

fn rsa_2048() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

/// A CA of that name with a P-256 key.
fn small_ca(common_name: &str) -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).unwrap().der().to_vec();
    (certificate, Issuer::new(params, key))
}

struct Ground {
    names: CaNames,
    root: Certified,
    issuing: Certified,
    authority: Authority,
    key: KeyPair,
    request: Vec<u8>,
}

impl Ground {
    fn new() -> Self {
        let (names, now) = (CaNames::new(None, [1, 2, 3]), OffsetDateTime::now_utc());
        let root = create::root(&names, serial(1), now).unwrap();
        let issuing = create::issuing(&root, &names, serial(2), now).unwrap();
        let authority = Authority::new(root.certificate.clone(), issuing.certificate.clone(), &issuing.key).unwrap();
        let key = rsa_2048();
        let request = CertificateParams::default().serialize_request(&key).unwrap().der().to_vec();
        Self { names, root, issuing, authority, key, request }
    }

    fn issued(&self) -> Vec<u8> {
        issue(&self.authority, &CertificateRequest::parse(&self.request, 2048).unwrap())
    }
}

fn issue(authority: &Authority, request: &CertificateRequest) -> Vec<u8> {
    let profile = DeviceProfile::new(time::Duration::days(365));
    authority.issue(request.spki(), "device", serial(9), OffsetDateTime::now_utc(), &profile).unwrap().der
}

fn certificates(c: &mut Criterion) {
    let ground = Ground::new();
    let request = CertificateRequest::parse(&ground.request, 2048).unwrap();
    let (certificate, issuer) = small_ca("small");
    let small = Authority::new(certificate.clone(), certificate, &issuer.key().serialize_der()).unwrap();
    let mut group = c.benchmark_group("certificate");
    group.bench_function("request with RSA-2048, read and verified", |b| {
        b.iter(|| CertificateRequest::parse(black_box(&ground.request), 2048).unwrap());
    });
    group.bench_function("issued by a CA with P-256", |b| b.iter(|| issue(&small, black_box(&request))));
    group.bench_function("issued by a CA with RSA-3072", |b| b.iter(|| issue(&ground.authority, black_box(&request))));
    group.finish();
}

fn server_config(ground: &Ground) -> Arc<ServerConfig> {
    let server = create::server(&ground.root, &[HOST.to_owned()], serial(3), OffsetDateTime::now_utc()).unwrap();
    let key = PrivateKeyDer::try_from(server.key.to_vec()).unwrap();
    let certificate = ServerCertificate::new(vec![server.certificate.into()], key).unwrap();
    let device = DeviceTls { issuers: vec![ground.issuing.certificate.clone().into()], ..DeviceTls::default() };
    Tls::new(certificate, &device).unwrap().device()
}

fn client_config(ground: &Ground, shown: Option<(Vec<Vec<u8>>, &KeyPair)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(ground.root.certificate.clone().into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS12]).unwrap().with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = chain.into_iter().map(CertificateDer::from).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap()
        }
    };
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// The time that the server takes for one handshake, and whether it accepted.
fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> (Duration, bool) {
    let mut client = ClientConnection::new(Arc::clone(client), HOST.try_into().unwrap()).unwrap();
    let mut spent = Duration::ZERO;
    let begin = Instant::now();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    spent += begin.elapsed();
    loop {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut up).unwrap();
        }
        let mut rest = up.as_slice();
        let begin = Instant::now();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            if server.process_new_packets().is_err() {
                return (spent + begin.elapsed(), false);
            }
        }
        while server.wants_write() {
            server.write_tls(&mut down).unwrap();
        }
        spent += begin.elapsed();
        if !server.is_handshaking() {
            return (spent, true);
        }
        let mut rest = down.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().unwrap();
        }
    }
}

fn handshakes(c: &mut Criterion) {
    let ground = Ground::new();
    let server = server_config(&ground);
    let leaf = |issuer: &Issuer<'static, KeyPair>| {
        CertificateParams::default().signed_by(&ground.key, issuer).unwrap().der().to_vec()
    };
    let (_, foreign) = small_ca("another CA");
    let (_, of_same_name) = small_ca(&ground.names.issuing());
    let beside = (0..BESIDE).map(|_| small_ca(&ground.names.issuing()).0);
    let crowded: Vec<Vec<u8>> = std::iter::once(leaf(&of_same_name)).chain(beside).collect();
    let cases = [
        ("accepted", true, Some(vec![ground.issued()])),
        ("no certificate", true, None),
        ("of a foreign CA", false, Some(vec![leaf(&foreign)])),
        ("of a CA of the same name", false, Some(vec![leaf(&of_same_name)])),
        ("of a CA of the same name, with 30 more", false, Some(crowded)),
    ];
    let mut group = c.benchmark_group("handshake with RSA-2048, server side");
    for (name, is_accepted, shown) in cases {
        let client = client_config(&ground, shown.map(|chain| (chain, &ground.key)));
        assert_eq!(handshake(&server, &client).1, is_accepted, "{name}");
        group.bench_function(name, |b| {
            b.iter_custom(|times| (0..times).map(|_| handshake(&server, &client).0).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, certificates, handshakes);
criterion_main!(benches);
