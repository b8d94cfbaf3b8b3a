//! A real mail server, Debian's python3-aiosmtpd, that keeps what it is given.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use super::server::workspace;
use super::{eventually, unique};

/// The server; it ends when this is dropped.
pub struct SmtpServer {
    process: Child,
    pub port: u16,
    /// Authority of its certificate, if it has one.
    pub ca_file: Option<PathBuf>,
    /// While this is there, mails are put off.
    trouble: PathBuf,
    taken: Arc<Mutex<Vec<Mail>>>,
}

/// A mail that it took.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    /// Whether it came under TLS.
    pub tls: bool,
    pub content: String,
}

impl Mail {
    /// A header, unfolded.
    pub fn header(&self, name: &str) -> &str {
        let head = self.content.split("\r\n\r\n").next().unwrap_or_default();
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("no {name} in {head}"))
    }

    /// The text, decoded.
    pub fn text(&self) -> String {
        let body = self.content.split_once("\r\n\r\n").expect("a mail has a body").1;
        match self.header("Content-Transfer-Encoding") {
            "base64" => {
                let joined: String = body.split_whitespace().collect();
                let bytes = base64::engine::general_purpose::STANDARD.decode(joined).expect("the body is base64");
                String::from_utf8(bytes).expect("the text is UTF-8")
            }
            "quoted-printable" => quoted_printable(body),
            _ => body.to_owned(),
        }
        .replace("\r\n", "\n")
    }
}

fn quoted_printable(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first == b'=' && rest.len() >= 2 {
            let hex = std::str::from_utf8(&rest[..2]).expect("hex digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("hex digits"));
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("the text is UTF-8")
}

impl SmtpServer {
    /// Starts it; `None`, with a message, where python3-aiosmtpd is not installed.
    pub fn start(with_tls: bool) -> Option<Self> {
        let Some(python) = python() else {
            eprintln!("skipped without a mail server: install python3-aiosmtpd");
            return None;
        };
        let folder = workspace();
        let trouble = folder.join(format!("smtp-trouble-{}", unique()));
        let mut command = Command::new(python);
        command.args(["-c", include_str!("smtp_server.py")]).arg(&trouble);
        let ca_file = with_tls.then(|| {
            let (ca, certificate, key) = certificates();
            let write = |name: &str, text: &str| {
                let file = folder.join(format!("smtp-{name}-{}.pem", unique()));
                std::fs::write(&file, text).expect("the workspace is writable");
                file
            };
            command.arg(write("certificate", &certificate)).arg(write("key", &key));
            write("ca", &ca)
        });
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python can be started");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = lines.next().expect("a line with the port").expect("which can be read");
        let taken: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let shared = Arc::clone(&taken);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mail: Value = serde_json::from_str(&line).expect("a mail is a line of JSON");
                let text = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
                let to = mail["to"][0].as_str().unwrap_or_default().to_owned();
                let mail = Mail { to, tls: mail["tls"] == true, content: text("content") };
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            }
        });
        Some(Self { process, port: port.trim().parse().expect("the port is a number"), ca_file, trouble, taken })
    }

    /// The keys of `[smtp]` that make a server use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut keys = vec![
            ("HOST", "localhost".to_owned()),
            ("PORT", self.port.to_string()),
            ("FROM", "Fabrikam <mdm@example.test>".to_owned()),
        ];
        if let Some(file) = &self.ca_file {
            keys.push(("TLS", "starttls".to_owned()));
            keys.push(("CA_FILE", file.display().to_string()));
        }
        keys.into_iter().map(|(key, value)| (format!("MUSTER__SMTP__{key}"), value)).collect()
    }

    /// Puts all mails off from now on, or takes them again.
    pub fn be_in_trouble(&self, trouble: bool) {
        if trouble {
            std::fs::write(&self.trouble, "").expect("the workspace is writable");
        } else {
            std::fs::remove_file(&self.trouble).expect("it was in trouble");
        }
    }

    /// Stops to listen, or begins again at the same port.
    pub fn be_down(&mut self, down: bool) {
        let input = self.process.stdin.as_mut().expect("it is piped");
        input.write_all(if down { b"down\n" } else { b"up\n" }).expect("the mail server runs");
        eventually("the mail server heard of it", || {
            (TcpStream::connect(("127.0.0.1", self.port)).is_err() == down).then_some(())
        });
    }

    /// What it took so far.
    pub fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the mail to an address.
    #[track_caller]
    pub fn wait_for(&self, to: &str) -> Mail {
        eventually(&format!("a mail to {to}"), || self.taken().into_iter().find(|mail| mail.to == to))
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.trouble);
    }
}

/// The Python that has the mail server; Debian's package is for Debian's own, whatever else comes first on the path.
fn python() -> Option<&'static str> {
    let has_server = |python: &&str| {
        let import = Command::new(python).args(["-c", "import aiosmtpd.smtp"]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_server)
}

/// An authority, a certificate for `localhost` and its key, PEM.
fn certificates() -> (String, String, String) {
    let mut ca = CertificateParams::new(Vec::new()).expect("no names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key can be made");
    let ca_certificate = ca.self_signed(&ca_key).expect("it can be signed");
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key can be made");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("it can be signed");
    (ca_certificate.pem(), certificate.pem(), key.serialize_pem())
}
