use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, PublicKeyData};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SignatureScheme};
use time::{Duration as Days, OffsetDateTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{DeviceTls, ServerCertificate};
use super::*;
use crate::adapters::system::{SystemClock, SystemRng};
use crate::http::peer::Peer;
use crate::pki::create::{self, CaNames, Certified};
use crate::pki::{Authority, DeviceProfile, Serial, pem};

/// The certificates that the tests share; RSA keys are slow to make.
struct Lab {
    root: Certified,
    issuing: Certified,
    server: Certified,
    authority: Authority,
    /// Another installation whose CAs have the same names.
    foreign: Authority,
    rsa: KeyPair,
    now: OffsetDateTime,
}

fn serial() -> Serial {
    Serial::from_random(SystemRng.bytes())
}

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let now = SystemClock.now();
        let begin = now - Days::days(10);
        let names = CaNames::new(None, [7; 3]);
        let made = || {
            let root = create::root(&names, serial(), begin).unwrap();
            let issuing = create::issuing(&root, &names, serial(), begin).unwrap();
            let authority = Authority::new(root.certificate.clone(), issuing.certificate.clone(), &issuing.key);
            (root, issuing, authority.unwrap())
        };
        let (root, issuing, authority) = made();
        let (_, _, foreign) = made();
        let hosts = ["mdm.example", "devices.example", "127.0.0.1"].map(str::to_owned);
        let server = create::server(&root, &hosts, serial(), now).unwrap();
        let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        Lab { root, issuing, server, authority, foreign, rsa, now }
    })
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn key_of(der: &[u8]) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(der.to_vec()).into()
}

fn device(authority: &Authority, key: &KeyPair, at: OffsetDateTime) -> Identity {
    let profile = DeviceProfile::new(Days::days(1));
    let issued = authority.issue(&key.subject_public_key_info(), "dev-0001", serial(), at, &profile).unwrap();
    (vec![issued.der.into()], key_of(key.serialized_der()))
}

fn limits() -> Limits {
    Limits {
        connections: 100,
        connections_per_address: 100,
        exempt: Vec::new(),
        handshake: Duration::from_secs(10),
        header: Duration::from_secs(10),
        idle: Duration::from_secs(30),
        drain: Duration::from_secs(10),
        header_bytes: 64 * 1024,
        header_fields: 100,
    }
}

fn certificate(certified: &Certified) -> Arc<ServerCertificate> {
    ServerCertificate::new(vec![certified.certificate.clone().into()], key_of(&certified.key)).unwrap()
}

fn device_tls() -> DeviceTls {
    DeviceTls { issuers: vec![lab().issuing.certificate.clone().into()], ..DeviceTls::default() }
}

/// Tells what it knows of its caller.
async fn whoami(Extension(peer): Extension<Peer>) -> String {
    let certificate = peer.certificate.map_or_else(|| "nobody".to_owned(), |leaf| shown(&leaf));
    format!("{:?} {} {certificate}", peer.side, peer.server_name.unwrap_or_default())
}

fn routers() -> Routers {
    let router = |name: &'static str| {
        Router::new().route("/", get(whoami)).route("/name", get(move || async move { name })).route("/", post(whoami))
    };
    Routers { web: router("web"), device: router("device") }
}

struct Running {
    web: SocketAddr,
    device: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

async fn start(listen: Listen, tls: Tls, routers: Routers, limits: Limits) -> Running {
    let listeners = Listeners::bind(&listen).await.unwrap();
    let (web, device) = (listeners.web_address(), listeners.device_address());
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(listeners.serve(tls, routers, limits, async move {
        let _ = stopped.await;
    }));
    Running { web, device, stop: Some(stop), task }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn separate() -> Listen {
    Listen::Separate { web: any_port(), device: any_port() }
}

async fn start_with(limits: Limits, routers: Routers, device: DeviceTls) -> Running {
    let tls = Tls::new(certificate(&lab().server), &device).unwrap();
    start(separate(), tls, routers, limits).await
}

async fn started() -> Running {
    start_with(limits(), routers(), device_tls()).await
}

fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(lab().root.certificate.clone().into()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

fn client(identity: Option<Identity>) -> ClientConfig {
    match identity {
        None => client_builder().with_no_client_auth(),
        Some((chain, key)) => client_builder().with_client_auth_cert(chain, key).unwrap(),
    }
}

async fn connect(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// Sends what is given and reads until the other end closes.
async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8]) -> io::Result<String> {
    stream.write_all(request).await?;
    rest(stream).await
}

async fn rest(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8(answer).unwrap())
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

async fn ask(address: SocketAddr, name: &str, config: ClientConfig) -> io::Result<String> {
    let mut stream = connect(address, name, &Arc::new(config)).await?;
    let answer = exchange(&mut stream, GET).await?;
    Ok(answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned())
}

/// What `whoami` says of a certificate.
fn shown(leaf: &CertificateDer<'_>) -> String {
    pem::encode("C", leaf).lines().nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn nobody_needs_a_certificate_to_be_heard() {
    let server = started().await;
    assert_eq!(ask(server.web, "mdm.example", client(None)).await.unwrap(), "Web mdm.example nobody");
    assert_eq!(ask(server.device, "MDM.example", client(None)).await.unwrap(), "Device mdm.example nobody");
    assert_eq!(ask(server.device, "127.0.0.1", client(None)).await.unwrap(), "Device  nobody");
}

#[tokio::test]
async fn a_device_is_known_by_its_certificate() {
    let (lab, server) = (lab(), started().await);
    let p256 = KeyPair::generate().unwrap();
    for (name, key, with_issuer) in
        [("RSA, leaf alone", &lab.rsa, false), ("RSA, chain", &lab.rsa, true), ("P-256", &p256, false)]
    {
        let (mut chain, private) = device(&lab.authority, key, lab.now);
        let leaf = chain[0].clone();
        if with_issuer {
            chain.push(lab.issuing.certificate.clone().into());
        }
        let answer = ask(server.device, "mdm.example", client(Some((chain, private)))).await;
        assert_eq!(answer.unwrap(), format!("Device mdm.example {}", shown(&leaf)), "{name}");
    }
    let unasked = client(Some(device(&lab.authority, &lab.rsa, lab.now)));
    assert_eq!(ask(server.web, "mdm.example", unasked).await.unwrap(), "Web mdm.example nobody");
}

/// A certificate under our issuing CA that is for servers.
fn server_under_issuing() -> Identity {
    let lab = lab();
    let key = KeyPair::try_from(lab.issuing.key.as_slice()).unwrap();
    let issuer = Issuer::from_ca_cert_der(&lab.issuing.certificate.as_slice().into(), key).unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let signed = params.signed_by(&lab.rsa, &issuer).unwrap();
    (vec![signed.der().clone()], key_of(lab.rsa.serialized_der()))
}

#[tokio::test]
async fn whoever_is_no_device_of_ours_is_refused_in_the_handshake() {
    let (lab, server) = (lab(), started().await);
    let own = |certified: &Certified| (vec![certified.certificate.clone().into()], key_of(&certified.key));
    let alone = CertificateParams::default().self_signed(&lab.rsa).unwrap();
    let cases: [(&str, Identity); 7] = [
        ("server certificate", own(&lab.server)),
        ("server certificate under the issuing CA", server_under_issuing()),
        ("foreign CA of the same name", device(&lab.foreign, &lab.rsa, lab.now)),
        ("self-signed", (vec![alone.der().clone()], key_of(lab.rsa.serialized_der()))),
        ("root as client", own(&lab.root)),
        ("issuing CA as client", own(&lab.issuing)),
        ("not yet valid", device(&lab.authority, &lab.rsa, lab.now + Days::days(5))),
    ];
    for (name, identity) in cases {
        let error = ask(server.device, "mdm.example", client(Some(identity))).await.unwrap_err();
        assert!(error.to_string().contains("received fatal alert"), "{name}: {error}");
    }
    assert!(ask(server.device, "mdm.example", client(None)).await.is_ok(), "the listener goes on");
    let expired = client(Some(device(&lab.authority, &lab.rsa, lab.now - Days::days(5))));
    assert!(ask(server.device, "mdm.example", expired).await.is_ok(), "it is told in HTTP that it expired");
}

/// The names of the CAs, and the signatures that will do.
type CertificateRequest = (Vec<Vec<u8>>, Vec<SignatureScheme>);

/// Notes what the server asked for, and gives nothing.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<CertificateRequest>>);

impl ResolvesClientCert for Asked {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let issuers = issuers.iter().map(|issuer| issuer.to_vec()).collect();
        self.0.lock().unwrap().push((issuers, schemes.to_vec()));
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn only_the_device_side_asks_and_it_names_the_issuing_ca() {
    let server = started().await;
    let asked = Arc::new(Asked::default());
    let config = client_builder().with_client_cert_resolver(Arc::<Asked>::clone(&asked));
    ask(server.web, "mdm.example", config.clone()).await.unwrap();
    assert!(asked.0.lock().unwrap().is_empty());
    ask(server.device, "mdm.example", config).await.unwrap();
    let (_, issuing) = x509_parser::parse_x509_certificate(&lab().issuing.certificate).unwrap();
    let schemes = vec![SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::ECDSA_NISTP256_SHA256];
    assert_eq!(*asked.0.lock().unwrap(), [(vec![issuing.subject().as_raw().to_vec()], schemes)]);
}

#[tokio::test]
async fn a_shared_listener_goes_by_the_server_name() {
    let tls = Tls::new(certificate(&lab().server), &device_tls()).unwrap();
    let listen = Listen::Shared { address: any_port(), device_name: "devices.example".to_owned() };
    let server = start(listen, tls, routers(), limits()).await;
    assert_eq!(server.web, server.device);
    let identity = || client(Some(device(&lab().authority, &lab().rsa, lab().now)));
    for (name, side) in [("mdm.example", "Web"), ("devices.example", "Device"), ("127.0.0.1", "Device")] {
        let answer = ask(server.web, name, identity()).await.unwrap();
        assert!(answer.starts_with(side), "{name}: {answer}");
        assert_eq!(answer.ends_with("nobody"), side == "Web", "{name}: {answer}");
    }
}

#[tokio::test]
async fn a_resumed_session_still_has_its_certificate() {
    let server = started().await;
    let identity = device(&lab().authority, &lab().rsa, lab().now);
    let leaf = shown(&identity.0[0]);
    let mut config = client(Some(identity));
    config.resumption = Resumption::in_memory_sessions(8);
    let config = Arc::new(config);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = connect(server.device, "mdm.example", &config).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        assert!(exchange(&mut stream, GET).await.unwrap().ends_with(&leaf));
    }
    // What was begun on one side does not go on at the other.
    let stream = connect(server.web, "mdm.example", &config).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
}

#[tokio::test]
async fn tls_13_for_devices_is_a_setting() {
    let server = start_with(limits(), routers(), DeviceTls { tls13: true, ..device_tls() }).await;
    let identity = device(&lab().authority, &lab().rsa, lab().now);
    let leaf = shown(&identity.0[0]);
    let mut stream = connect(server.device, "mdm.example", &Arc::new(client(Some(identity)))).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert!(exchange(&mut stream, GET).await.unwrap().ends_with(&leaf));
}

#[tokio::test]
async fn a_newer_server_certificate_is_used_at_once() {
    let slot = certificate(&lab().server);
    let tls = Tls::new(Arc::clone(&slot), &device_tls()).unwrap();
    let server = start(separate(), tls, routers(), limits()).await;
    let newer = create::server(&lab().root, &["newer.example".to_owned()], serial(), lab().now).unwrap();
    assert!(ask(server.web, "newer.example", client(None)).await.is_err());
    slot.replace(vec![newer.certificate.clone().into()], key_of(&newer.key)).unwrap();
    assert!(ask(server.web, "newer.example", client(None)).await.is_ok());
    assert!(slot.replace(vec![newer.certificate.into()], key_of(&lab().server.key)).is_err(), "a foreign key");
    assert!(ask(server.web, "newer.example", client(None)).await.is_ok());
}

/// What `openssl s_client` says, and whether it could shake hands; `None` where the program is absent.
async fn s_client(address: SocketAddr, arguments: &'static [&'static str]) -> Option<(bool, String)> {
    let run = move || {
        let connect = address.to_string();
        Command::new("openssl")
            .args(["s_client", "-connect", &connect, "-servername", "mdm.example"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
    };
    match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(output) => Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            println!("skipped: there is no openssl program here");
            None
        }
        Err(e) => panic!("openssl: {e}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_sees_the_two_signatures_and_no_tls_13_on_the_device_side() {
    let server = started().await;
    let Some((done, text)) = s_client(server.device, &["-tls1_2"]).await else { return };
    assert!(done, "{text}");
    let requested = text.lines().find(|line| line.starts_with("Requested Signature Algorithms: "));
    assert_eq!(requested, Some("Requested Signature Algorithms: RSA+SHA256:ECDSA+SHA256"), "{text}");
    assert!(text.contains("Muster Device CA 070707"), "{text}");
    assert!(!s_client(server.device, &["-tls1_3"]).await.unwrap().0);
    let (done, text) = s_client(server.web, &["-tls1_3"]).await.unwrap();
    assert!(done && text.contains("No client certificate CA names sent"), "{text}");
    for (arguments, expected) in [(&["-alpn", "h2,http/1.1"], "ALPN protocol: http/1.1"), (&["-alpn", "h2"], "")] {
        let (_, text) = s_client(server.device, arguments).await.unwrap();
        assert!(text.contains(expected) && !text.contains("ALPN protocol: h2"), "{text}");
    }
}

fn with_header(bytes: usize, fields: usize) -> Vec<u8> {
    let value = "v".repeat(bytes / fields);
    let fields: String = (0..fields).map(|n| format!("x-{n}: {value}\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n").into_bytes()
}

#[tokio::test]
async fn headers_up_to_the_limit_are_served() {
    let server = started().await;
    let config = Arc::new(client(None));
    let cases = [
        ("40 KiB", with_header(40 * 1024, 3), "HTTP/1.1 200"),
        ("70 KiB", with_header(70 * 1024, 3), "HTTP/1.1 431"),
        ("200 KiB", with_header(200 * 1024, 1), "HTTP/1.1 431"),
        ("98 more fields", with_header(98, 98), "HTTP/1.1 200"),
        ("101 more fields", with_header(101, 101), "HTTP/1.1 431"),
    ];
    for (name, request, expected) in cases {
        let mut stream = connect(server.device, "mdm.example", &config).await.unwrap();
        let answer = exchange(&mut stream, &request).await.unwrap();
        assert!(answer.starts_with(expected), "{name}: {answer}");
    }
}

#[tokio::test]
async fn http_2_is_for_the_web_side() {
    let server = started().await;
    let mut config = client(None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .resolve("mdm.example", server.web)
        .no_proxy()
        .build()
        .unwrap();
    let url = |address: SocketAddr| format!("https://mdm.example:{}/", address.port());
    let answer = client.get(url(server.web)).send().await.unwrap();
    assert_eq!(answer.version(), axum::http::Version::HTTP_2);
    assert_eq!(answer.text().await.unwrap(), "Web mdm.example nobody");
    let answer = client.get(url(server.device)).send().await.unwrap();
    assert_eq!(answer.version(), axum::http::Version::HTTP_11);
    let many = (0..101).fold(client.get(url(server.web)), |request, n| request.header(format!("x-{n}"), "v"));
    assert_eq!(many.send().await.unwrap().status(), 431);
    let large = client.get(url(server.web)).header("x", "v".repeat(70 * 1024));
    assert_eq!(large.send().await.unwrap().status(), 431);
}

#[tokio::test]
async fn every_request_of_a_connection_knows_its_peer() {
    let server = started().await;
    let mut stream = connect(server.web, "mdm.example", &Arc::new(client(None))).await.unwrap();
    let twice = [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".as_slice(), GET].concat();
    let answer = exchange(&mut stream, &twice).await.unwrap();
    assert_eq!(answer.matches("Web mdm.example nobody").count(), 2, "{answer}");
}

#[tokio::test]
async fn stalled_connections_are_cut() {
    let short = Duration::from_millis(50);
    let server = start_with(Limits { handshake: short, ..limits() }, routers(), device_tls()).await;
    for begun in [b"".as_slice(), &[0x16, 3, 1, 2, 0, 1, 0]] {
        let mut stream = TcpStream::connect(server.device).await.unwrap();
        stream.write_all(begun).await.unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }

    let server = start_with(Limits { header: short, ..limits() }, routers(), device_tls()).await;
    let config = Arc::new(client(None));
    for begun in ["", "GET / HTTP/1.1\r\nHos"] {
        let mut stream = connect(server.device, "mdm.example", &config).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut stream).await.unwrap_or_default(), "", "{begun:?}");
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let idle = Duration::from_millis(50);
    let server = start_with(Limits { idle, ..limits() }, routers(), device_tls()).await;
    let mut stream = connect(server.device, "mdm.example", &Arc::new(client(None))).await.unwrap();
    let answer = exchange(&mut stream, b"GET /name HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("device"), "{answer}");
}

/// A body without end.
struct Endless {
    chunk: Bytes,
    _told: Option<Told>,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Ok(hyper::body::Frame::data(self.chunk.clone()))))
    }
}

/// Tells its sender when it is dropped.
struct Told(Option<oneshot::Sender<()>>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let (sender, dropped) = oneshot::channel();
    let told = Arc::new(Mutex::new(Some(Told(Some(sender)))));
    let endless = move || async move {
        let told = told.lock().unwrap().take();
        let chunk = Bytes::from(vec![0; 64 * 1024]);
        Body::new(Endless { chunk, _told: told })
    };
    let router = Router::new().route("/", get(endless));
    let routers = Routers { web: router.clone(), device: router };
    let server = start_with(Limits { idle: Duration::from_millis(50), ..limits() }, routers, device_tls()).await;
    let mut stream = connect(server.web, "mdm.example", &Arc::new(client(None))).await.unwrap();
    stream.write_all(GET).await.unwrap();
    dropped.await.unwrap();
}

#[tokio::test]
async fn running_requests_end_before_the_server_does() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
        move || async move {
            entered.notify_one();
            go_on.notified().await;
            "done"
        }
    };
    let router = Router::new().route("/", get(slow));
    let mut server = start_with(limits(), Routers { web: router.clone(), device: router }, device_tls()).await;
    let config = Arc::new(client(None));
    let mut idle = connect(server.web, "mdm.example", &config).await.unwrap();
    let mut stream = connect(server.device, "mdm.example", &config).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    entered.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(rest(&mut idle).await.unwrap_or_default(), "", "idle ones are closed first");
    assert!(TcpStream::connect(server.web).await.is_err(), "no new ones");
    go_on.notify_one();
    let answer = rest(&mut stream).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    drop((idle, stream));
    server.task.await.unwrap();
}

#[tokio::test]
async fn requests_that_do_not_end_are_cut_at_shutdown() {
    let entered = Arc::new(Notify::new());
    let stuck = {
        let entered = Arc::clone(&entered);
        move || async move {
            entered.notify_one();
            std::future::pending::<&'static str>().await
        }
    };
    let router = Router::new().route("/", get(stuck));
    let limits = Limits { drain: Duration::from_millis(50), ..limits() };
    let mut server = start_with(limits, Routers { web: router.clone(), device: router }, device_tls()).await;
    let mut stream = connect(server.web, "mdm.example", &Arc::new(client(None))).await.unwrap();
    stream.write_all(GET).await.unwrap();
    entered.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    server.task.await.unwrap();
    assert_eq!(rest(&mut stream).await.unwrap_or_default(), "");
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let server = start_with(Limits { connections_per_address: 1, ..limits() }, routers(), device_tls()).await;
    let config = Arc::new(client(None));
    let mut first = connect(server.web, "mdm.example", &config).await.unwrap();
    assert!(connect(server.device, "mdm.example", &config).await.is_err());
    assert!(exchange(&mut first, GET).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = Listeners::bind(&separate()).await.unwrap();
    let again = Listen::Separate { web: any_port(), device: taken.device_address() };
    let error = Listeners::bind(&again).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", taken.device_address())), "{error}");
}
