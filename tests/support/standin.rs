//! Stand-ins on loopback for what a PC meets before it is enrolled: a name server, and an enrollment server with one flaw.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration as Span, OffsetDateTime};

use super::{now, openssl};

/// A record of the name server.
#[derive(Clone)]
pub enum Record {
    /// An IPv4 address.
    A([u8; 4]),
    /// Several IPv4 addresses.
    All(&'static [[u8; 4]]),
    /// 127.0.0.1 and ::1.
    Here46,
    /// Another name.
    Cname(&'static str),
}

/// A name server that knows a few names and answers everything else with NXDOMAIN. It lives as long as the test process.
pub fn name_server(records: &[(&'static str, Record)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("there is a free port");
    let address = socket.local_addr().expect("it is bound");
    let records: BTreeMap<String, Record> =
        records.iter().map(|(name, record)| (name.to_ascii_lowercase(), record.clone())).collect();
    std::thread::spawn(move || {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&resolve(&query[..length], &records), from);
        }
    });
    address
}

/// RFC 1035 4: header, the question again, and the answers.
fn resolve(query: &[u8], records: &BTreeMap<String, Record>) -> Vec<u8> {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let (mut name, mut answers, mut code) = (labels.join("."), Vec::new(), 0);
    loop {
        match records.get(&name) {
            None => code = 3,
            Some(Record::A(address)) if kind == A => answers.push(answer(&name, A, address)),
            Some(Record::All(all)) if kind == A => {
                answers.extend(all.iter().map(|address| answer(&name, A, address)));
            }
            Some(Record::Here46) if kind == A => answers.push(answer(&name, A, &[127, 0, 0, 1])),
            Some(Record::Here46) if kind == AAAA => {
                answers.push(answer(&name, AAAA, &std::net::Ipv6Addr::LOCALHOST.octets()));
            }
            Some(Record::A(_) | Record::All(_) | Record::Here46) => {}
            Some(Record::Cname(alias)) => {
                answers.push(answer(&name, CNAME, &encoded(alias)));
                if kind != CNAME {
                    name = alias.to_ascii_lowercase();
                    continue;
                }
            }
        }
        break;
    }
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(answers.len()).expect("few").to_be_bytes());
    reply.extend([0; 4]);
    reply.extend(question);
    reply.extend(answers.concat());
    reply
}

fn answer(name: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = encoded(name);
    record.extend(kind.to_be_bytes());
    record.extend([0, 1, 0, 0, 0, 60]);
    record.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
    record.extend(data);
    record
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("labels are short"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

const A: u16 = 1;
const AAAA: u16 = 28;
const CNAME: u16 = 5;

/// What is wrong with the server.
#[derive(Clone, Debug, Default)]
pub struct Flaws {
    /// Its certificate is for this name.
    pub other_name: Option<&'static str>,
    /// It does not send the certificate of the intermediate CA.
    pub without_intermediate: bool,
    /// Its certificate ended yesterday.
    pub expired: bool,
    /// It sends along what nobody needs: its root, signed by an older one, until yesterday.
    pub cross_signed: bool,
    /// Answers with a body come in chunks.
    pub chunked: bool,
    /// Nothing stands below this path.
    pub missing: Option<&'static str>,
    /// The probe is redirected.
    pub redirect: Option<&'static str>,
    /// How far its clock is ahead.
    pub ahead: Span,
    /// The media type of its SOAP answers.
    pub media_type: Option<&'static str>,
    /// A path where a message is answered with this status, media type and body.
    pub odd: Option<(&'static str, u16, &'static str, &'static str)>,
    /// A path where a message is answered with a fault of this subcode.
    pub refused: Option<(&'static str, &'static str)>,
    /// The host of its services, on the same port.
    pub services: Option<&'static str>,
}

/// A server that answers as an enrollment server does, but for its flaws.
pub struct StandIn {
    pub port: u16,
    /// The root that vouches for it, PEM.
    pub root: PathBuf,
    /// Every request, head and body.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    /// Starts it for that host name; it lives as long as the test process.
    pub fn start(host: &'static str, flaws: Flaws) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").expect("there is a free port"), host, flaws)
    }

    /// Starts another one on the same port of 127.0.0.2.
    pub fn beside(&self, host: &'static str, flaws: Flaws) -> Self {
        let listener = TcpListener::bind(("127.0.0.2", self.port));
        Self::listening(listener.expect("the port is free at the other address"), host, flaws)
    }

    /// Starts another one on the same port of ::1; `None`, with a message, where this machine has no IPv6.
    pub fn beside_on_ipv6(&self, host: &'static str, flaws: Flaws) -> Option<Self> {
        match TcpListener::bind(("::1", self.port)) {
            Ok(listener) => Some(Self::listening(listener, host, flaws)),
            Err(error) => {
                eprintln!("skipped without IPv6: {error}");
                None
            }
        }
    }

    fn listening(listener: TcpListener, host: &'static str, flaws: Flaws) -> Self {
        let (config, root) = certificates(host, &flaws);
        let port = listener.local_addr().expect("it is bound").port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (config, seen) = (Arc::new(config), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // A client that goes away in the middle is no concern of the others.
                let _ = serve(stream, &config, &format!("https://{host}:{port}"), &flaws, &seen);
            }
        });
        Self { port, root: openssl::temporary("root.pem", root.as_bytes()), requests }
    }
}

fn certificates(host: &str, flaws: &Flaws) -> (ServerConfig, String) {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        (params, KeyPair::generate().expect("keys can be made"))
    };
    let (root, root_key) = authority("Stand-in Root");
    let root_pem = root.self_signed(&root_key).expect("the root is signed").pem();
    let cross_signed = flaws.cross_signed.then(|| {
        let (older, older_key) = authority("Stand-in Older Root");
        let mut cross = root.clone();
        (cross.not_before, cross.not_after) = (now() - Span::days(900), now() - Span::days(1));
        cross.signed_by(&root_key, &Issuer::new(older, older_key)).expect("the root is signed").der().clone()
    });
    let root = Issuer::new(root, root_key);
    let (intermediate, key) = authority("Stand-in Intermediate");
    let intermediate_der = intermediate.signed_by(&key, &root).expect("the intermediate is signed").der().clone();
    let intermediate = Issuer::new(intermediate, key);
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "Stand-in");
    let name = flaws.other_name.unwrap_or(host).try_into().expect("it is ASCII");
    leaf.subject_alt_names = vec![SanType::DnsName(name)];
    leaf.not_before = now() - Span::days(30);
    leaf.not_after = if flaws.expired { now() - Span::days(1) } else { now() + Span::days(90) };
    let key = KeyPair::generate().expect("keys can be made");
    let mut chain: Vec<CertificateDer<'static>> =
        vec![leaf.signed_by(&key, &intermediate).expect("the leaf is signed").der().clone()];
    if !flaws.without_intermediate {
        chain.push(intermediate_der);
    }
    chain.extend(cross_signed);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are supported")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key belongs to the certificate");
    (config, root_pem)
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    url: &str,
    flaws: &Flaws,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let connection = ServerConnection::new(Arc::clone(config)).expect("the configuration is good");
    let mut stream = StreamOwned::new(connection, stream);
    let mut bytes = Vec::new();
    let body_at = loop {
        let mut part = [0; 4096];
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Ok(());
        }
        bytes.extend(&part[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let head = text[..end].to_ascii_lowercase();
        let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if bytes.len() >= end + 4 + wanted.unwrap_or_default() {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut words = text.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let answer = answer_to(method, path, &text[body_at..], url, flaws);
    seen.lock().expect("nobody panics with the lock").push(text.clone());
    stream.write_all(&answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn answer_to(method: &str, path: &str, body: &str, url: &str, flaws: &Flaws) -> Vec<u8> {
    if flaws.missing.is_some_and(|missing| path.starts_with(missing)) {
        return http(404, "text/html", "<p>not here</p>", flaws, &[]);
    }
    if let Some((_, status, media_type, text)) = flaws.odd.filter(|odd| method == "POST" && path == odd.0) {
        return http(status, media_type, text, flaws, &[]);
    }
    if let Some((_, subcode)) = flaws.refused.filter(|refused| method == "POST" && path == refused.0) {
        return soap(500, &fault(subcode, &message_id(body)), flaws);
    }
    let services = flaws.services.and_then(|host| Some(format!("https://{host}:{}", url.rsplit_once(':')?.1)));
    match (method, path) {
        ("GET", "/EnrollmentServer/Discovery.svc") => match flaws.redirect {
            Some(to) => http(302, "text/html", "", flaws, &[("Location", to)]),
            None => http(200, "text/html", "", flaws, &[]),
        },
        ("POST", "/EnrollmentServer/Discovery.svc") => {
            soap(200, &discovered(services.as_deref().unwrap_or(url), &message_id(body)), flaws)
        }
        ("POST", "/EnrollmentServer/Policy.svc") if body.contains("UsernameToken") => {
            soap(500, &fault("s:Authentication", &message_id(body)), flaws)
        }
        ("POST", "/EnrollmentServer/Policy.svc" | "/EnrollmentServer/Enrollment.svc") => {
            soap(500, &fault("a:InvalidSecurity", &message_id(body)), flaws)
        }
        _ => http(404, "text/plain", "", flaws, &[]),
    }
}

fn soap(status: u16, body: &str, flaws: &Flaws) -> Vec<u8> {
    http(status, flaws.media_type.unwrap_or("application/soap+xml; charset=utf-8"), body, flaws, &[])
}

fn http(status: u16, media_type: &str, body: &str, flaws: &Flaws, more: &[(&str, &str)]) -> Vec<u8> {
    const HTTP_DATE: &[BorrowedFormatItem<'_>] =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let date = (now() + flaws.ahead).to_offset(time::UtcOffset::UTC);
    let date = OffsetDateTime::format(date, HTTP_DATE).expect("it has all parts");
    let mut answer =
        format!("HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Type: {media_type}\r\nConnection: close\r\n");
    for (name, value) in more {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    if flaws.chunked && !body.is_empty() {
        let (first, rest) = body.split_at(body.len() / 2);
        let (size, left) = (first.len(), rest.len());
        answer.push_str(&format!(
            "Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{first}\r\n{left:x}\r\n{rest}\r\n0\r\n\r\n"
        ));
    } else {
        answer.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    }
    answer.into_bytes()
}

fn message_id(body: &str) -> String {
    let (_, rest) = body.split_once("MessageID>").expect("PCs send an id");
    rest.split_once('<').expect("it ends").0.to_owned()
}

fn discovered(url: &str, relates_to: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header><a:Action s:mustUnderstand=\"1\">\
         http://schemas.microsoft.com/windows/management/2012/01/enrollment/IDiscoveryService/DiscoverResponse\
         </a:Action><a:RelatesTo>{relates_to}</a:RelatesTo></s:Header><s:Body><DiscoverResponse \
         xmlns=\"http://schemas.microsoft.com/windows/management/2012/01/enrollment\"><DiscoverResult>\
         <AuthPolicy>OnPremise</AuthPolicy><EnrollmentVersion>4.0</EnrollmentVersion>\
         <EnrollmentPolicyServiceUrl>{url}/EnrollmentServer/Policy.svc</EnrollmentPolicyServiceUrl>\
         <EnrollmentServiceUrl>{url}/EnrollmentServer/Enrollment.svc</EnrollmentServiceUrl>\
         </DiscoverResult></DiscoverResponse></s:Body></s:Envelope>"
    )
}

fn fault(subcode: &str, relates_to: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\"><s:Header><a:Action s:mustUnderstand=\"1\">\
         http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy/IPolicy/GetPoliciesResponse</a:Action>\
         <a:RelatesTo>{relates_to}</a:RelatesTo></s:Header><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value>\
         <s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-us\">no\
         </s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
    )
}
