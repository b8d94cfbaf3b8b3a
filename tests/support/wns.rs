//! A stand-in for WNS and its token server: TLS on loopback, with an authority of its own. It answers as it is told, and
//! keeps every request as it came.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::workspace;
use super::unique;

/// How a push is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// The answer waits until [`Wns::release`].
    pub held: bool,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), held: false }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// What WNS says when all is well.
    fn received() -> Self {
        let answer = Self::status(200).header("X-WNS-NotificationStatus", "received");
        answer.header("X-WNS-DeviceConnectionStatus", "connected").header("X-WNS-Msg-ID", "4711")
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn is_for(&self, name: &str) -> bool {
        self.line == format!("POST /?token={name} HTTP/1.1")
    }
}

#[derive(Default)]
struct Told {
    pushes: Vec<Seen>,
    tokens: Vec<Seen>,
    /// Answers to come, by channel.
    answers: HashMap<String, Vec<Answer>>,
    /// Tokens that are not accepted.
    refused: Vec<String>,
    token_status: Option<u16>,
    released: bool,
}

/// The stand-in; it runs until the test process ends.
pub struct Wns {
    port: u16,
    ca_file: PathBuf,
    state: Arc<(Mutex<Told>, Condvar)>,
}

impl Wns {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let (config, ca) = identity();
        let ca_file = workspace().join(format!("wns-ca-{}.pem", unique()));
        std::fs::write(&ca_file, ca).expect("the workspace is writable");
        let state: Arc<(Mutex<Told>, Condvar)> = Arc::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&shared));
                std::thread::spawn(move || serve(client, config, &state));
            }
        });
        Self { port, ca_file, state }
    }

    /// What makes a server push to this stand-in, as keys of `[wns]`.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("pfn", PFN.to_owned()),
            ("package_sid", SID.to_owned()),
            ("client_secret", SECRET.to_owned()),
            ("token_url", format!("https://localhost:{}/accesstoken.srf", self.port)),
            ("channel_hosts", format!("[\"localhost:{}\"]", self.port)),
            ("ca_file", self.ca_file.display().to_string()),
        ]
    }

    /// The same as environment variables.
    pub fn environment(&self) -> Vec<(String, String)> {
        let name = |key: &str| format!("MUSTER__WNS__{}", key.to_uppercase());
        self.settings().into_iter().map(|(key, value)| (name(key), value)).collect()
    }

    /// The channel of that name.
    pub fn channel(&self, name: &str) -> String {
        format!("https://localhost:{}/?token={name}", self.port)
    }

    /// The next push to a channel is answered so.
    pub fn answer(&self, name: &str, answer: Answer) {
        self.told().answers.entry(name.to_owned()).or_default().push(answer);
    }

    /// This token is no longer accepted.
    pub fn refuse_token(&self, number: usize) {
        self.told().refused.push(format!("Bearer {}", token(number)));
    }

    /// From now on no tokens are given out, but this status.
    pub fn give_no_tokens(&self, status: u16) {
        self.told().token_status = Some(status);
    }

    /// Answers what is held.
    pub fn release(&self) {
        self.told().released = true;
        self.state.1.notify_all();
    }

    /// The requests for tokens so far.
    pub fn tokens(&self) -> Vec<Seen> {
        self.told().tokens.clone()
    }

    /// The pushes to a channel so far.
    pub fn pushes(&self, name: &str) -> Vec<Seen> {
        self.told().pushes.iter().filter(|seen| seen.is_for(name)).cloned().collect()
    }

    pub fn all_pushes(&self) -> Vec<Seen> {
        self.told().pushes.clone()
    }

    /// Waits until there were so many pushes to a channel; never more.
    #[track_caller]
    pub fn wait_for(&self, name: &str, count: usize) -> Vec<Seen> {
        let few = |told: &mut Told| told.pushes.iter().filter(|seen| seen.is_for(name)).count() < count;
        let waited = self.state.1.wait_timeout_while(self.told(), PATIENCE, few);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        let pushes = self.pushes(name);
        assert_eq!(pushes.len(), count, "pushes to {name}");
        pushes
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token(number: usize) -> String {
    format!("token-geheim-{number}")
}

fn serve(client: TcpStream, config: Arc<ServerConfig>, state: &(Mutex<Told>, Condvar)) {
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = BufReader::new(StreamOwned::new(connection, client));
    while let Ok(Some(seen)) = read(&mut stream) {
        let answer = match seen.line.starts_with("POST /accesstoken.srf ") {
            true => give_token(seen, state),
            false => take_push(seen, state),
        };
        if stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl BufRead) -> io::Result<Option<Seen>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> = lines.iter().skip(1).filter_map(header).collect();
    let mut seen = Seen { line: lines.first().cloned().unwrap_or_default(), headers, body: Vec::new() };
    let length = seen.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body)?;
    Ok(Some(seen))
}

fn give_token(seen: Seen, (state, bell): &(Mutex<Told>, Condvar)) -> String {
    let mut told = state.lock().unwrap_or_else(PoisonError::into_inner);
    told.tokens.push(seen);
    bell.notify_all();
    let given = token(told.tokens.len());
    match told.token_status {
        None => {
            response(200, &[], &format!(r#"{{"token_type":"bearer","access_token":"{given}","expires_in":86400}}"#))
        }
        Some(status) => response(status, &[], r#"{"error":"invalid_client","error_description":"geheim"}"#),
    }
}

fn take_push(seen: Seen, (state, bell): &(Mutex<Told>, Condvar)) -> String {
    let mut told = state.lock().unwrap_or_else(PoisonError::into_inner);
    let name = seen.line.split("token=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
    let is_refused = told.refused.iter().any(|token| seen.header("Authorization") == Some(token.as_str()));
    let queue = told.answers.entry(name).or_default();
    let answer = match (is_refused, queue.is_empty()) {
        (true, _) => Answer::status(401).header("X-WNS-Error-Description", "The token is not valid."),
        (false, true) => Answer::received(),
        (false, false) => queue.remove(0),
    };
    told.pushes.push(seen);
    bell.notify_all();
    if answer.held {
        drop(bell.wait_while(told, |told| !told.released));
    }
    response(answer.status, &answer.headers, "")
}

fn response(status: u16, headers: &[(&'static str, String)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A server's configuration for `localhost`, and the authority to trust for it.
fn identity() -> (Arc<ServerConfig>, String) {
    let ca_key = KeyPair::generate().expect("a key can be made");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names are fine");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).expect("the authority signs itself");
    let key = KeyPair::generate().expect("a key can be made");
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("that is a name");
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).expect("the authority signs");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions are supported")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("the key belongs to the certificate");
    (Arc::new(config), ca_certificate.pem())
}

pub const PFN: &str = "12345Example.Muster_1a2b3c4d5e6f7";
pub const SID: &str = "ms-app://s-1-15-2-1111-2222";
pub const SECRET: &str = "app-geheim+4711&x=1";
const PATIENCE: Duration = Duration::from_secs(30);
