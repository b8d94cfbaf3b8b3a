//! Mails by SMTP, by lettre over rustls.

mod exchange;
mod refusal;

use std::path::PathBuf;
use std::time::SystemTime;

use async_trait::async_trait;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};

use crate::app::ports::{MailError, Mailer, OutgoingMail};
use exchange::{PATIENCE, Relay};

/// Where mails are handed over, and how.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Authorities that are trusted besides those of the system, PEM.
    pub ca_file: Option<PathBuf>,
    /// With what to sign in there.
    pub credentials: Option<(String, SecretString)>,
    /// The sender: an address, perhaps with a name.
    pub from: String,
    /// Our own host name.
    pub hello: String,
}

/// How a connection to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// It begins in the clear and goes on under TLS, or not at all (RFC 3207).
    StartTls,
    /// TLS from its first byte (RFC 8314).
    Implicit,
    /// Not at all.
    Off,
}

/// Hands mails over.
pub struct Smtp {
    relay: Relay,
    from: Mailbox,
}

/// No server is configured.
pub struct NoServer;

impl Smtp {
    /// A client of that server; connects for every mail.
    ///
    /// # Errors
    /// A sentence that names the key that is wrong.
    pub fn new(server: &SmtpServer) -> Result<Self, String> {
        let from = server.from.parse().map_err(|error| format!("from: `{}` is no address: {error}", server.from))?;
        let credentials = server.credentials.as_ref();
        let relay = Relay {
            host: server.host.clone(),
            port: server.port,
            tls: protection(server)?,
            hello: ClientId::Domain(server.hello.clone()),
            credentials: credentials
                .map(|(name, password)| Credentials::new(name.clone(), password.expose_secret().to_owned())),
            patience: PATIENCE,
        };
        Ok(Self { relay, from })
    }

    fn message(&self, mail: &OutgoingMail<'_>) -> Result<Message, String> {
        let to: Address = mail.to.parse().map_err(|error| format!("{} is no address: {error}", mail.to))?;
        let header =
            |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.content.subject.clone())
            .date(SystemTime::from(mail.date))
            .message_id(Some(mail.message_id.to_owned()))
            .raw_header(header("Content-Language", mail.language.tag()))
            // Nobody's absence note is wanted (RFC 3834 section 5).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.content.body.clone())
            .map_err(|error| error.to_string())
    }
}

fn protection(server: &SmtpServer) -> Result<Tls, String> {
    if server.tls == SmtpTls::Off {
        return Ok(Tls::None);
    }
    let mut builder = TlsParameters::builder(server.host.clone());
    if let Some(file) = &server.ca_file {
        let odd = |what: String| format!("ca_file: {}: {what}", file.display());
        let pem = std::fs::read(file).map_err(|error| odd(error.to_string()))?;
        let certificate =
            Certificate::from_pem(&pem).map_err(|_| odd("it holds no certificate in PEM form".to_owned()))?;
        builder = builder.add_root_certificate(certificate);
    }
    let parameters = builder.build().map_err(|error| format!("host: no TLS towards {}: {error}", server.host))?;
    Ok(match server.tls {
        SmtpTls::StartTls => Tls::Required(parameters),
        SmtpTls::Implicit => Tls::Wrapper(parameters),
        SmtpTls::Off => Tls::None,
    })
}

#[async_trait]
impl Mailer for Smtp {
    fn is_on(&self) -> bool {
        true
    }

    async fn send(&self, mail: &OutgoingMail<'_>) -> Result<(), MailError> {
        let message = self.message(mail).map_err(|words| MailError { words, is_final: true })?;
        let handed_over = self.relay.hand_over(&message).await;
        handed_over.map_err(|failure| MailError { words: failure.to_string(), is_final: failure.is_of_the_mail() })
    }
}

#[async_trait]
impl Mailer for NoServer {
    fn is_on(&self) -> bool {
        false
    }

    async fn send(&self, _: &OutgoingMail<'_>) -> Result<(), MailError> {
        Err(MailError { words: "no SMTP server is configured".to_owned(), is_final: false })
    }
}

#[cfg(test)]
mod tests;
