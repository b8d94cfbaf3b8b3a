//! A small blocking HTTP/1.1 client over TLS that shows answers exactly as they came.
//!
//! It exists because a comfortable client hides what has to be judged: which headers were sent, how the body was
//! framed, when the connection was closed.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// How to speak TLS: whom to trust, what to offer.
#[derive(Clone)]
pub struct Tls {
    roots: Arc<RootCertStore>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
    identity: Option<Identity>,
}

/// A client certificate (leaf first) with its PKCS#8 key.
#[derive(Clone)]
pub struct Identity {
    pub chain: Vec<Vec<u8>>,
    pub key: Vec<u8>,
}

impl Tls {
    /// Trusts the certificates in a PEM text and nothing else; offers TLS 1.2 and 1.3 and no ALPN.
    pub fn trusting(pem: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.expect("the CA file is PEM")).expect("the CA certificate is usable");
        }
        assert!(!roots.is_empty(), "the CA file holds no certificate");
        Self {
            roots: Arc::new(roots),
            versions: vec![&rustls::version::TLS12, &rustls::version::TLS13],
            alpn: Vec::new(),
            identity: None,
        }
    }

    pub fn versions(mut self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions.to_vec();
        self
    }

    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        self
    }

    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The rustls configuration; one configuration is one cache of resumable sessions.
    pub fn config(&self) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("the versions are supported")
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = identity.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key.clone()));
                builder.with_client_auth_cert(chain, key).expect("the key belongs to the certificate")
            }
        };
        config.alpn_protocols = self.alpn.clone();
        config.resumption = Resumption::in_memory_sessions(16);
        Arc::new(config)
    }
}

/// Where a URL points to.
#[derive(Clone, Debug)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub path: String,
}

impl Address {
    pub fn of(url: &str) -> Self {
        let parsed = url::Url::parse(url).unwrap_or_else(|e| panic!("{url:?} is not a URL: {e}"));
        assert_eq!(parsed.scheme(), "https", "{url} is not https");
        let path = match parsed.query() {
            Some(query) => format!("{}?{query}", parsed.path()),
            None => parsed.path().to_owned(),
        };
        Self {
            host: parsed.host_str().expect("an https URL has a host").to_owned(),
            port: parsed.port_or_known_default().expect("https has a port"),
            path,
        }
    }
}

/// A request that is written as it stands here; `Host` and `Content-Length` are added unless given.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", path) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    }

    fn head(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.has("host") {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = self.has("content-length") || self.has("transfer-encoding");
        if !framed && (!self.body.is_empty() || self.method == "POST" || self.method == "PUT") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// An answer with its headers in the order and spelling they came.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header that may stand at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = all.next();
        assert!(all.next().is_none(), "the answer has two {name} headers: {:?}", self.headers);
        first.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|e| panic!("the body is not UTF-8: {e}"))
    }

    /// Asserts the status and shows the answer when it is another one.
    #[track_caller]
    pub fn expect_status(&self, item: &str, status: u16) -> &Self {
        let shown = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{item}: HTTP status; headers {:?}\n{shown}", self.headers);
        self
    }
}

/// One TLS connection that carries one request after the other.
pub struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    host: String,
    rest: Vec<u8>,
}

impl Connection {
    /// Connects and finishes the handshake; a TLS alert is an error here.
    pub fn open(address: &Address, config: &Arc<ClientConfig>) -> io::Result<Self> {
        Self::open_as(address, &address.host, config)
    }

    /// The same with another name in the handshake, as a client does whose DNS leads here.
    pub fn open_as(address: &Address, name: &str, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut tcp = TcpStream::connect((address.host.as_str(), address.port))?;
        tcp.set_read_timeout(Some(Duration::from_secs(90)))?;
        tcp.set_write_timeout(Some(Duration::from_secs(90)))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        let host = format!("{}:{}", address.host, address.port);
        Ok(Self { stream: StreamOwned::new(tls, tcp), host, rest: Vec::new() })
    }

    pub fn tls(&self) -> &ClientConnection {
        &self.stream.conn
    }

    /// Sends a request and reads its whole answer.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        self.send_bytes(&self.wire(request), request.method == "HEAD")
    }

    /// The bytes of a request on this connection.
    pub fn wire(&self, request: &Request) -> Vec<u8> {
        let mut wire = request.head(&self.host);
        wire.extend_from_slice(&request.body);
        wire
    }

    /// Sends bytes as they are. A server may answer before it has read them all and then close.
    pub fn send_bytes(&mut self, wire: &[u8], head_only: bool) -> io::Result<Response> {
        let written = self.stream.write_all(wire).and_then(|()| self.stream.flush());
        match self.read_response(head_only) {
            Ok(response) => Ok(response),
            Err(e) => written.and(Err(e)),
        }
    }

    /// Sends bytes without waiting for an answer.
    pub fn send_only(&mut self, wire: &[u8]) -> io::Result<()> {
        self.stream.write_all(wire)?;
        self.stream.flush()
    }

    /// Writes a request and does not read the answer.
    pub fn send_without_reading(&mut self, request: &Request) -> io::Result<()> {
        self.send_only(&self.wire(request))
    }

    /// Sends the head of a request and waits until the server asks for the body (RFC 9110 §10.1.1): from then on the
    /// request runs there.
    pub fn begin(&mut self, request: &Request) -> io::Result<()> {
        self.send_only(&request.clone().header("Expect", "100-continue").head(&self.host))?;
        let head = parse_head(&self.read_until(b"\r\n\r\n")?)?;
        if head.status == 100 { Ok(()) } else { Err(io::Error::other(format!("{} instead of 100", head.status))) }
    }

    fn read_response(&mut self, head_only: bool) -> io::Result<Response> {
        loop {
            let head = self.read_until(b"\r\n\r\n")?;
            let mut response = parse_head(&head)?;
            if response.status == 100 {
                continue;
            }
            if !head_only && response.status != 204 && response.status != 304 {
                response.body = self.read_body(&response)?;
            }
            return Ok(response);
        }
    }

    fn read_body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        if response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks();
        }
        match response.header("content-length") {
            Some(length) => self.read_exactly(length.trim().parse().map_err(io::Error::other)?),
            None => self.read_to_close(),
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_until(b"\r\n")?;
            let text = String::from_utf8_lossy(&line);
            let size = text.trim().split(';').next().unwrap_or_default().to_owned();
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            if size == 0 {
                self.read_until(b"\r\n")?;
                return Ok(body);
            }
            body.extend(self.read_exactly(size)?);
            self.read_until(b"\r\n")?;
        }
    }

    fn read_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|w| w == end) {
                return Ok(self.rest.drain(..at + end.len()).collect());
            }
            self.fill()?;
        }
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.rest.len() < length {
            self.fill()?;
        }
        Ok(self.rest.drain(..length).collect())
    }

    fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        while self.fill().is_ok() {}
        Ok(std::mem::take(&mut self.rest))
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.rest.extend_from_slice(&buffer[..read]);
        Ok(())
    }

    /// Whether the server has sent bytes beyond the last answer.
    pub fn has_unread_bytes(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// One request on a connection of its own.
#[track_caller]
pub fn once(url: &str, config: &Arc<ClientConfig>, request: &Request) -> Response {
    let mut connection = Connection::open(&Address::of(url), config).unwrap_or_else(|e| panic!("TLS to {url}: {e}"));
    connection
        .send(request)
        .unwrap_or_else(|e| panic!("no answer to {} {} of {url}: {e}", request.method, request.path))
}

fn parse_head(head: &[u8]) -> io::Result<Response> {
    let text = std::str::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = text.trim_end().split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Ok(Response { status, headers, body: Vec::new() })
}
