//! Mails by SMTP, by lettre over rustls.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use crate::app::ports::{MailError, Mailer, OutgoingMail};

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
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// No server is configured.
pub struct NoServer;

/// Time for one exchange with the server.
const PATIENCE: Duration = Duration::from_secs(20);

impl Smtp {
    /// A client of that server; connects for every mail.
    ///
    /// # Errors
    /// A sentence that names the key that is wrong.
    pub fn new(server: &SmtpServer) -> Result<Self, String> {
        let from = server.from.parse().map_err(|error| format!("from: `{}` is no address: {error}", server.from))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(protection(server)?)
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(server.hello.clone()));
        if let Some((name, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
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
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let code = error.status().map(|code| code.to_string());
                Err(MailError {
                    words: chain(&error),
                    is_final: error.is_permanent() && is_about_the_mail(code.as_deref()),
                })
            }
        }
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

/// Whether a lasting refusal is about this mail. What is about our sign-in, or commands that the server does not know, is
/// put right by somebody, and then the mail goes out.
fn is_about_the_mail(code: Option<&str>) -> bool {
    !matches!(code, None | Some("500" | "501" | "502" | "503" | "504" | "530" | "534" | "535" | "538"))
}

/// What went wrong, with its causes.
fn chain(error: &lettre::transport::smtp::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    // Each tells its source as well.
    words.dedup_by(|later, earlier| earlier.contains(later.as_str()));
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::language::Language;
    use crate::domain::mail::Content;

    fn server() -> SmtpServer {
        SmtpServer {
            host: "smtp.example.test".to_owned(),
            port: 587,
            tls: SmtpTls::StartTls,
            ca_file: None,
            credentials: None,
            from: "Fabrikam <mdm@example.test>".to_owned(),
            hello: "mdm.example.test".to_owned(),
        }
    }

    #[test]
    fn a_message_is_built_as_mail_wants_it() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let smtp = Smtp::new(&server()).unwrap();
        let content = Content { subject: "Été".to_owned(), body: "Bonjour, où ?\n".to_owned() };
        let mail = OutgoingMail {
            to: "ada@example.test",
            message_id: "<1@example.test>",
            language: Language::French,
            date: time::macros::datetime!(2026-11-20 12:00 UTC),
            content: &content,
        };
        let text = String::from_utf8(smtp.message(&mail).unwrap().formatted()).unwrap();
        for part in [
            "From: Fabrikam <mdm@example.test>\r\n",
            "To: ada@example.test\r\n",
            "Message-ID: <1@example.test>\r\n",
            "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\n",
            "Content-Language: fr\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: =?utf-8?b?",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        for to in ["", "no address", "a@b\r\nBcc: eve@example.test", "a@b, c@d"] {
            assert!(smtp.message(&OutgoingMail { to, ..mail }).is_err(), "{to:?}");
        }
    }

    #[test]
    fn what_is_wrong_in_the_configuration_is_named() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let words = |server: SmtpServer| Smtp::new(&server).err().unwrap();
        assert!(words(SmtpServer { from: "nobody".to_owned(), ..server() }).starts_with("from: "));
        let missing = SmtpServer { ca_file: Some(PathBuf::from("/nowhere.pem")), ..server() };
        assert!(words(missing).starts_with("ca_file: "));
    }

    #[test]
    fn a_wrong_sign_in_of_ours_is_no_fault_of_the_mail() {
        assert!(is_about_the_mail(Some("550")) && is_about_the_mail(Some("554")));
        assert!(!is_about_the_mail(Some("535")) && !is_about_the_mail(None));
    }
}
