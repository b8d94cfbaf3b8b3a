//! One exchange with a mail server, from the connection to its yes (RFC 5321).
//!
//! lettre speaks the protocol and waits for every answer as long as the connection stands, so each step has an end here. The
//! step in which the server takes the mail has a long one: whoever goes away before the answer does not know whether it was
//! taken, and sends it once more.

use std::fmt;
use std::time::Duration;

use lettre::Message;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo};
use tokio::time::timeout;

use super::refusal::is_of_the_recipient;

/// How long the steps of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From looking up the name of the server to the end of the sign-in.
    pub(super) connect: Duration,
    /// For the answer to each command.
    pub(super) command: Duration,
    /// From the first byte of the mail to the answer to its end.
    pub(super) content: Duration,
}

/// Less than RFC 5321 section 4.5.3.2 wants for commands, because a try that ends too early there does no harm; as much as it
/// wants for the answer to the end of the mail.
pub(super) const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(60), command: Duration::from_secs(60), content: Duration::from_secs(600) };

/// Time for the goodbye, which nobody waits for.
const GOODBYE: Duration = Duration::from_secs(10);

impl Patience {
    /// All steps of a mail to one recipient.
    #[cfg(test)]
    pub(super) fn whole(&self) -> Duration {
        self.connect + self.command * 3 + self.content
    }
}

/// A server that carries mails on, and how to talk to it.
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    /// Our own name.
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
    pub(super) patience: Patience,
}

/// Where an exchange has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Greeting, TLS and sign-in.
    Connect,
    /// The sender is named.
    Sender,
    /// The recipient is named.
    Recipient,
    /// The mail is announced.
    Data,
    /// The mail itself.
    Content,
}

/// Why a mail was not handed over.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has not answered for so long.
    Silent(Step, Duration),
    /// It refused, or the connection broke.
    Refused(Step, Error),
    /// It lacks what the mail needs.
    Lacks(&'static str),
}

impl Failure {
    /// Whether this mail will be refused however often it is tried.
    pub(super) fn is_of_the_mail(&self) -> bool {
        let Self::Refused(step, error) = self else { return false };
        let Some(code) = error.status().filter(|_| error.is_permanent()) else { return false };
        let words = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        is_of_the_recipient(*step, &code.to_string(), &words)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "at the connection",
            Self::Sender => "at the sender",
            Self::Recipient => "at the recipient",
            Self::Data => "before the mail",
            Self::Content => "after the mail",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(step, time) => {
                write!(f, "{step}: the mail server has not answered for {} seconds", time.as_secs_f32())
            }
            Self::Refused(step, error) => write!(f, "{step}: {}", chain(error)),
            Self::Lacks(what) => write!(f, "the mail needs {what}, which the mail server does not offer"),
        }
    }
}

impl Relay {
    /// Hands a mail over. When this returns the server has taken it.
    pub(super) async fn hand_over(&self, message: &Message) -> Result<(), Failure> {
        let mut connection = within(Step::Connect, self.patience.connect, self.connect()).await?;
        let outcome = self.transfer(&mut connection, message).await;
        if !matches!(outcome, Err(Failure::Silent(..))) {
            // What was taken is taken, whether or not the server has an answer to the goodbye.
            tokio::spawn(async move { timeout(GOODBYE, connection.abort()).await });
        }
        outcome
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let from_first_byte = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let address = (self.host.as_str(), self.port);
        // Of several addresses, one that leads nowhere must not take the time of the others.
        let each = Some(self.patience.connect / 3);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, each, &self.hello, from_first_byte, None).await?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    async fn transfer(&self, connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), Failure> {
        let (envelope, content) = (message.envelope(), message.formatted());
        let parameters = parameters(connection.server_info(), envelope, &content)?;
        let Patience { command, content: end, .. } = self.patience;
        let sender = Mail::new(envelope.from().cloned(), parameters);
        within(Step::Sender, command, connection.command(sender)).await?;
        for recipient in envelope.to() {
            let recipient = Rcpt::new(recipient.clone(), Vec::new());
            within(Step::Recipient, command, connection.command(recipient)).await?;
        }
        within(Step::Data, command, connection.command(Data)).await?;
        within(Step::Content, end, connection.message(&content)).await?;
        Ok(())
    }
}

async fn within<T>(step: Step, time: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match timeout(time, work).await {
        Ok(done) => done.map_err(|error| Failure::Refused(step, error)),
        Err(_) => Err(Failure::Silent(step, time)),
    }
}

/// What has to be said of the mail with its sender: addresses (RFC 6531) and content (RFC 6152) that are not ASCII.
fn parameters(server: &ServerInfo, envelope: &Envelope, content: &[u8]) -> Result<Vec<MailParameter>, Failure> {
    let mut parameters = Vec::new();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Lacks("SMTPUTF8"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !content.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(Failure::Lacks("8BITMIME"));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

/// What went wrong, with its causes.
fn chain(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut words: Vec<String> = causes.map(ToString::to_string).collect();
    // Each tells its source as well.
    words.dedup_by(|later, earlier| earlier.contains(later.as_str()));
    words.join(": ")
}
