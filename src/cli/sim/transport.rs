//! HTTPS as simulated devices speak it: HTTP/1.1 over TLS, with the certificate of a device once it is enrolled.
//!
//! Lean, because a load generator must not be what is measured: no pool, no redirects, no proxies. A [`Client`] is the
//! network side of one device and has at most one connection; what all of them share is a [`Network`].

mod identity;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::sim::{Enrolled, Request, Response};
use wire::Counted;

/// How all devices reach their servers.
#[derive(Debug)]
pub struct Settings {
    /// The certificates that a server may chain to.
    pub roots: RootCertStore,
    /// The one version of TLS to offer; both without it.
    pub tls: Option<TlsVersion>,
    /// Whether a device resumes its TLS sessions.
    pub resume: bool,
    /// Longest time for TCP and TLS to be set up.
    pub connect_timeout: Duration,
    /// Longest time from a request to the end of its answer.
    pub request_timeout: Duration,
}

impl Settings {
    /// Both versions, no resumption, ten seconds to connect and sixty for an answer.
    #[must_use]
    pub fn new(roots: RootCertStore) -> Self {
        Self {
            roots,
            tls: None,
            resume: false,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2, which is all that the device host speaks unless configured otherwise.
    Tls12,
    /// 1.3.
    Tls13,
}

/// The roots in a PEM file.
///
/// # Errors
///
/// When the file cannot be read or holds no certificate.
pub fn roots_from_file(file: &Path) -> Result<RootCertStore> {
    let pem = std::fs::read(file).with_context(|| format!("cannot read the CA certificate in {}", file.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.with_context(|| format!("{} is no PEM", file.display()))?;
        roots.add(certificate).with_context(|| format!("{} holds no CA certificate", file.display()))?;
    }
    if roots.is_empty() {
        bail!("{} holds no certificate", file.display());
    }
    Ok(roots)
}

/// The roots that the system trusts.
///
/// # Errors
///
/// When there are none.
pub fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        bail!("the system trusts no certificate authority; name one with --ca-file");
    }
    Ok(roots)
}

/// What all simulated devices share: whom they trust, how they connect, the addresses that were looked up, and counts.
#[derive(Debug)]
pub struct Network {
    settings: Settings,
    roots: Arc<RootCertStore>,
    addresses: RwLock<HashMap<String, Vec<SocketAddr>>>,
    traffic: Arc<Traffic>,
}

/// What went over the wire, TLS included.
#[derive(Debug, Default)]
pub struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
    resumed: AtomicU64,
}

/// Counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes from devices to servers.
    pub up: u64,
    /// Bytes from servers to devices.
    pub down: u64,
    /// Connections whose handshake was finished.
    pub connections: u64,
    /// Those of them that resumed a session.
    pub resumed: u64,
}

impl Traffic {
    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            up: read(&self.up),
            down: read(&self.down),
            connections: read(&self.connections),
            resumed: read(&self.resumed),
        }
    }
}

impl Network {
    /// The network with these settings.
    #[must_use]
    pub fn new(mut settings: Settings) -> Arc<Self> {
        let roots = Arc::new(std::mem::replace(&mut settings.roots, RootCertStore::empty()));
        Arc::new(Self { settings, roots, addresses: RwLock::default(), traffic: Arc::default() })
    }

    /// What went over the wire so far.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The client of a device: with its certificate once it is enrolled, without before.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up so.
    pub fn client(self: &Arc<Self>, enrolled: Option<&Enrolled>) -> Result<Client> {
        let versions: &[&rustls::SupportedProtocolVersion] = match self.settings.tls {
            Some(TlsVersion::Tls12) => &[&rustls::version::TLS12],
            Some(TlsVersion::Tls13) => &[&rustls::version::TLS13],
            None => rustls::ALL_VERSIONS,
        };
        let builder = ClientConfig::builder_with_provider(identity::provider())
            .with_protocol_versions(versions)?
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match enrolled {
            Some(enrolled) => builder.with_client_cert_resolver(identity::resolver(enrolled)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = if self.settings.resume {
            Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS)))
        } else {
            Resumption::disabled()
        };
        Ok(Client { network: Arc::clone(self), tls: Arc::new(config), open: None })
    }

    /// Where the host is; looked up once, because a load generator would ask thousands of times a second.
    async fn addresses(&self, authority: &str) -> Result<Vec<SocketAddr>, TransportError> {
        let known = self.addresses.read().unwrap_or_else(PoisonError::into_inner).get(authority).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found: Vec<_> = tokio::net::lookup_host(authority).await.map_err(TransportError::Connect)?.collect();
        self.remember(authority, found.clone());
        Ok(found)
    }

    fn remember(&self, authority: &str, addresses: Vec<SocketAddr>) {
        self.addresses.write().unwrap_or_else(PoisonError::into_inner).insert(authority.to_owned(), addresses);
    }

    async fn tcp(&self, authority: &str) -> Result<TcpStream, TransportError> {
        let mut addresses = self.addresses(authority).await?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in 0..addresses.len() {
            match TcpStream::connect(addresses[place]).await {
                Ok(stream) => {
                    if place > 0 {
                        // The next device begins with the address that answered.
                        addresses.swap(0, place);
                        self.remember(authority, addresses);
                    }
                    stream.set_nodelay(true).map_err(TransportError::Connect)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(TransportError::Connect(last))
    }
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The address is none that a device can call.
    #[error("{0} is no https address")]
    Address(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The handshake failed, or the server ended it.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
    /// It took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// The connection ended before the answer did, or the answer is no HTTP.
    #[error("HTTP: {0}")]
    Http(#[source] hyper::Error),
    /// The answer is larger than a device takes.
    #[error("the answer is too large")]
    TooLarge,
}

impl TransportError {
    /// One word for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout(_) => "timeout",
            Self::Http(_) => "http",
            Self::TooLarge => "too_large",
        }
    }
}

/// An answer that came whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, if there was one.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// As the simulated device takes it.
    #[must_use]
    pub fn response(&self) -> Response<'_> {
        Response { status: self.status, content_type: self.content_type.as_deref(), body: &self.body }
    }
}

/// The network side of one device.
///
/// It keeps its connection until it is [closed](Self::close), asked for another host, or the server has ended it.
#[derive(Debug)]
pub struct Client {
    network: Arc<Network>,
    tls: Arc<ClientConfig>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    authority: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Sends a request and waits for the whole answer; connects first where no connection to that host is open.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; the connection is closed then, and the request may have reached the server.
    pub async fn send(&mut self, request: &Request) -> Result<Reply, TransportError> {
        let url = Url::parse(&request.url).map_err(|_| TransportError::Address(request.url.clone()))?;
        let authority = authority(&url).ok_or_else(|| TransportError::Address(request.url.clone()))?;
        let mut open = match self.open.take().filter(|open| open.authority == authority && !open.sender.is_closed()) {
            Some(open) => open,
            None => self.connect(&url, authority).await?,
        };
        let exchange = exchange(&mut open.sender, &url, request);
        let reply = timeout(self.network.settings.request_timeout, exchange);
        let reply = reply.await.map_err(|_| TransportError::Timeout("the answer"))??;
        self.open = Some(open);
        Ok(reply)
    }

    /// Connects to the host of an address without asking it for anything.
    ///
    /// # Errors
    ///
    /// [`TransportError`] as for a request.
    pub async fn connect_only(&mut self, url: &str) -> Result<(), TransportError> {
        let parsed = Url::parse(url).map_err(|_| TransportError::Address(url.to_owned()))?;
        let authority = authority(&parsed).ok_or_else(|| TransportError::Address(url.to_owned()))?;
        self.open = Some(self.connect(&parsed, authority).await?);
        Ok(())
    }

    /// Ends the connection, as a device does at the end of a session.
    pub fn close(&mut self) {
        self.open = None;
    }

    async fn connect(&self, url: &Url, authority: String) -> Result<Open, TransportError> {
        let name = server_name(url).ok_or_else(|| TransportError::Address(url.to_string()))?;
        let limit = self.network.settings.connect_timeout;
        let tcp = timeout(limit, self.network.tcp(&authority));
        let tcp = tcp.await.map_err(|_| TransportError::Timeout("connecting"))??;
        let counted = Counted::new(tcp, Arc::clone(&self.network.traffic));
        let tls = timeout(limit, TlsConnector::from(Arc::clone(&self.tls)).connect(name, counted));
        let tls = tls.await.map_err(|_| TransportError::Timeout("the handshake"))?.map_err(TransportError::Tls)?;
        let traffic = &self.network.traffic;
        traffic.connections.fetch_add(1, Ordering::Relaxed);
        if tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
            traffic.resumed.fetch_add(1, Ordering::Relaxed);
        }
        let (sender, connection) = http1::handshake(TokioIo::new(tls)).await.map_err(TransportError::Http)?;
        // It ends when the sender is dropped; its errors reach whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Open { authority, sender })
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    url: &Url,
    request: &Request,
) -> Result<Reply, TransportError> {
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut builder = hyper::Request::builder().method(request.method).uri(target).header(HOST, host);
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    let message = builder.body(Full::new(Bytes::copy_from_slice(&request.body)));
    let message = message.map_err(|_| TransportError::Address(request.url.clone()))?;
    sender.ready().await.map_err(TransportError::Http)?;
    let response = sender.send_request(message).await.map_err(TransportError::Http)?;
    let status = response.status().as_u16();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| {
        match error.downcast::<hyper::Error>() {
            Ok(error) => TransportError::Http(*error),
            Err(other) if other.is::<LengthLimitError>() => TransportError::TooLarge,
            Err(other) => TransportError::Connect(io::Error::other(other)),
        }
    })?;
    Ok(Reply { status, content_type, body: body.to_bytes() })
}

/// `host:port`, with brackets where the host is an IPv6 address.
fn authority(url: &Url) -> Option<String> {
    let port = url.port_or_known_default()?;
    (url.scheme() == "https").then(|| url.host_str().map(|host| format!("{host}:{port}")))?
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    Some(match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok()?,
        Host::Ipv4(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        Host::Ipv6(address) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
    })
}

/// TLS sessions that a device keeps: the two hosts of a server, with one to spare.
const SESSIONS: usize = 3;
/// Largest answer that a device takes, bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_hosts() {
        for (url, expected) in [
            ("https://mdm.harbor.example/a?b", Some("mdm.harbor.example:443")),
            ("https://127.0.0.1:8443", Some("127.0.0.1:8443")),
            ("https://[::1]:8443/x", Some("[::1]:8443")),
            ("http://mdm.harbor.example/", None),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!(authority(&url).as_deref(), expected, "{url}");
            assert!(server_name(&url).is_some(), "{url}");
        }
    }
}
