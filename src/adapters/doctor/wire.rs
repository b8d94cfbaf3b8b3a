//! One request over one connection, as a PC sends it: TCP, TLS with the certificates kept, HTTP/1.1.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, PRAGMA, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use crate::doctor::{Answer, Handshake};

/// The way to one address of a host.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    name: ServerName<'static>,
    roots: Arc<RootCertStore>,
    patience: Duration,
    /// Whether its certificates were found good.
    pub(super) is_trusted: bool,
}

/// A message to be sent.
pub(super) struct Post {
    pub(super) body: Vec<u8>,
    /// It holds a credential: it goes over a connection whose certificates are good, or not at all.
    pub(super) is_secret: bool,
}

/// Why there is no answer, in words.
#[derive(Debug)]
pub(super) enum WireError {
    /// This machine has no way to an address of that kind.
    NoRoute(String),
    /// No TCP connection.
    Connect(String),
    /// No TLS.
    Tls(String),
    /// No answer, or not a whole one.
    Answer(String),
}

impl WireError {
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl Wire {
    /// The ways to each address of a host, in the order in which Windows takes them: IPv6 first.
    pub(super) fn each(
        url: &Url,
        mut addresses: Vec<IpAddr>,
        roots: &Arc<RootCertStore>,
        patience: Duration,
    ) -> Option<Vec<Self>> {
        let port = url.port_or_known_default()?;
        let name = ServerName::try_from(url.host_str()?.trim_matches(['[', ']']).to_owned()).ok()?;
        addresses.sort_by_key(IpAddr::is_ipv4);
        let wire = |address| Self {
            address: SocketAddr::new(address, port),
            name: name.clone(),
            roots: Arc::clone(roots),
            patience,
            is_trusted: false,
        };
        Some(addresses.into_iter().take(MOST_ADDRESSES).map(wire).collect())
    }

    /// What each of them shows, all asked at once.
    pub(super) async fn handshakes(wires: Vec<Self>) -> Vec<(Self, Result<Handshake, WireError>)> {
        let start = |wire: Self| {
            let asked = wire.clone();
            (wire, tokio::spawn(async move { asked.handshake().await }))
        };
        let started: Vec<_> = wires.into_iter().map(start).collect();
        let mut seen = Vec::with_capacity(started.len());
        for (wire, handshake) in started {
            let shown = handshake.await.unwrap_or_else(|error| Err(WireError::Tls(error.to_string())));
            seen.push((wire, shown));
        }
        seen
    }

    /// The same, with what was found of its certificates.
    pub(super) fn trusted(self, is_trusted: bool) -> Self {
        Self { is_trusted, ..self }
    }

    /// Connects, and tells what the server shows.
    async fn handshake(&self) -> Result<Handshake, WireError> {
        let witness = Arc::new(Witness::default());
        let stream = self.tls(witness_config(&witness).map_err(|error| WireError::Tls(error.to_string()))?).await?;
        let version = match stream.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS 1.2",
        };
        let chain = std::mem::take(&mut *witness.chain.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Handshake { chain, asked: witness.asked.load(Ordering::Relaxed), version: version.to_owned() })
    }

    pub(super) async fn get(&self, url: &Url) -> Result<Answer, WireError> {
        self.send(url, "GET", None, false).await
    }

    pub(super) async fn post(&self, url: &Url, post: Post) -> Result<Answer, WireError> {
        self.send(url, "POST", Some(post.body), post.is_secret).await
    }

    async fn send(&self, url: &Url, method: &str, body: Option<Vec<u8>>, strict: bool) -> Result<Answer, WireError> {
        let config = match strict {
            true => strict_config(&self.roots),
            false => witness_config(&Arc::default()),
        };
        let stream = self.tls(config.map_err(|error| WireError::Tls(error.to_string()))?).await?;
        let exchange = exchange(stream, url, method, body);
        let answer = timeout(self.patience, exchange);
        answer.await.map_err(|_| WireError::Answer("it took too long".to_owned()))?.map_err(WireError::Answer)
    }

    async fn tls(&self, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, WireError> {
        let address = self.address;
        let tcp = timeout(self.patience, TcpStream::connect(address)).await;
        let tcp = tcp.map_err(|_| WireError::Connect(format!("{address}: it took too long")))?;
        let tcp = tcp.map_err(|error| match error.kind() {
            ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                WireError::NoRoute(format!("{address}: {error}"))
            }
            _ => WireError::Connect(format!("{address}: {error}")),
        })?;
        let tls = timeout(self.patience, TlsConnector::from(config).connect(self.name.clone(), tcp)).await;
        let tls = tls.map_err(|_| WireError::Tls("the handshake took too long".to_owned()))?;
        tls.map_err(|error| WireError::Tls(error.to_string()))
    }
}

async fn exchange(
    stream: TlsStream<TcpStream>,
    url: &Url,
    method: &str,
    body: Option<Vec<u8>>,
) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends when the sender is dropped.
    tokio::spawn(connection);
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, host)
        .header(USER_AGENT, "ENROLLClient")
        .header(CACHE_CONTROL, "no-cache")
        .header(PRAGMA, "no-cache");
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/soap+xml; charset=utf-8");
    }
    let request = request.body(Full::new(Bytes::from(body.unwrap_or_default()))).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok(Answer { url: url.to_string(), status, headers, body: body.to_bytes().to_vec() })
}

/// A configuration that takes every certificate and keeps it, to be judged; nothing secret goes over it.
fn witness_config(witness: &Arc<Witness>) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(witness) as Arc<dyn ServerCertVerifier>)
        .with_client_cert_resolver(Arc::clone(witness) as Arc<dyn ResolvesClientCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// As every client: only what the roots vouch for.
fn strict_config(roots: &Arc<RootCertStore>) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Keeps what the server shows, and whether it asks for a certificate; it has none to show.
#[derive(Debug, Default)]
struct Witness {
    chain: Mutex<Vec<Vec<u8>>>,
    asked: AtomicBool,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Addresses of a name that are looked at.
const MOST_ADDRESSES: usize = 8;
/// Largest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;
