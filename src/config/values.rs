//! Values of the configuration that are more than a number or a text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// An `https://` URL of a host and perhaps a port; no path, user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpsUrl(Url);

impl HttpsUrl {
    /// Reads the text of a URL.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not an https:// URL with a host and, if need be, a port");
        let url = Url::parse(text).map_err(|_| expected())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let nobody = url.username().is_empty() && url.password().is_none();
        if url.scheme() == "https" && url.host().is_some() && bare && nobody { Ok(Self(url)) } else { Err(expected()) }
    }

    /// The host; brackets around an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, 443 where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The URL of an absolute path on this host.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{self}/{}", path.trim_start_matches('/'))
    }

    /// The same URL on another port.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.0.clone();
        // Setting a port fails only for URLs without a host.
        let _ = url.set_port(Some(port));
        Self(url)
    }

    /// Where devices call if nothing else is said: the same host, port 8443; 8444 if this is 8443; any port if any.
    #[must_use]
    pub fn default_device_url(&self) -> Self {
        self.with_port(match self.port() {
            0 => 0,
            8443 => 8444,
            _ => 8443,
        })
    }

    /// Whether the host is an IP address, for which TLS clients send no server name (RFC 6066 section 3).
    #[must_use]
    pub fn has_address(&self) -> bool {
        !matches!(self.0.host(), Some(Host::Domain(_)))
    }

    /// The address to bind if nothing else is said.
    #[must_use]
    pub fn default_listen(&self) -> SocketAddr {
        let address = match self.0.host() {
            Some(Host::Ipv4(address)) if address.is_loopback() => IpAddr::V4(address),
            Some(Host::Ipv6(address)) if address.is_loopback() => IpAddr::V6(address),
            Some(Host::Ipv6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            }
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        SocketAddr::new(address, self.port())
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl TryFrom<String> for HttpsUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<HttpsUrl> for String {
    fn from(url: HttpsUrl) -> Self {
        url.to_string()
    }
}

/// An `https://` URL of something on a host, perhaps with a path; no user and no fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpsAddress(Url);

impl HttpsAddress {
    /// Where Microsoft gives out access tokens for WNS.
    #[must_use]
    pub fn microsoft_tokens() -> Self {
        Self(Url::parse("https://login.live.com/accesstoken.srf").expect("that is a URL"))
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for HttpsAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("`{text}` is not an https:// URL without user and fragment");
        let url = Url::parse(&text).map_err(|_| expected())?;
        let nobody = url.username().is_empty() && url.password().is_none();
        let fits = url.scheme() == "https" && url.host().is_some() && url.fragment().is_none() && nobody;
        if fits { Ok(Self(url)) } else { Err(expected()) }
    }
}

impl From<HttpsAddress> for String {
    fn from(address: HttpsAddress) -> Self {
        address.0.into()
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpProtection {
    /// STARTTLS, or nothing for a server on this machine.
    #[default]
    Auto,
    /// STARTTLS or no connection.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None.
    Off,
}

/// A secret. Neither its `Debug` nor a complaint about it shows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "String")]
pub struct Secret(String);

impl Secret {
    /// The secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "[hidden]" })
    }
}

impl TryFrom<toml::Value> for Secret {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err("expected text in quotation marks"),
        }
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// Which database, and where. Its `Debug` shows no password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The path of the SQLite file, from the data folder; `None` if it is PostgreSQL.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite:").map(Path::new)
    }

    /// The whole URL, with its password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite:muster.db".to_owned())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.sqlite_path().is_some() { &self.0 } else { "postgres://[hidden]" })
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let sqlite = text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty() && !path.starts_with("//"));
        let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        // The text is not repeated: it may hold a password.
        if sqlite || postgres {
            Ok(Self(text))
        } else {
            Err("expected `sqlite:` and a path, or a postgres:// URL".to_owned())
        }
    }
}

impl From<DatabaseUrl> for String {
    fn from(url: DatabaseUrl) -> Self {
        url.0
    }
}

/// Where health and metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OpsListen {
    /// Nowhere.
    Off,
    /// On that address.
    At(SocketAddr),
}

impl Default for OpsListen {
    fn default() -> Self {
        Self::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464))
    }
}

impl OpsListen {
    /// The address to bind, if any.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(*address),
        }
    }
}

impl TryFrom<String> for OpsListen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| format!("`{text}` is neither `off` nor address:port")),
        }
    }
}

impl From<OpsListen> for String {
    fn from(listen: OpsListen) -> Self {
        match listen {
            OpsListen::Off => "off".to_owned(),
            OpsListen::At(address) => address.to_string(),
        }
    }
}

/// How an enrolling person proves who they are (`AuthPolicy` of MS-MDE2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthPolicy {
    /// E-mail address and password, typed into the enrollment dialog.
    #[default]
    OnPremise,
}

/// The form of a client certificate that a proxy hands over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyCertificate {
    /// None is taken.
    #[default]
    Off,
    /// The DER in base64 between colons (RFC 9440).
    Rfc9440,
    /// PEM, percent-encoded, as nginx writes `$ssl_client_escaped_cert`.
    Pem,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What went wrong on our side.
    Error,
    /// Also what looks wrong.
    Warn,
    /// Also what happened.
    #[default]
    Info,
    /// Also how it happened.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As it is written in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
/// What a person may do on an enrollment status page that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageChoice {
    /// Reset the PC.
    Reset,
    /// Try once more.
    TryAgain,
    /// Go on to the desktop.
    Continue,
}

impl PageChoice {
    /// Its bit in `BlockInStatusPage`.
    #[must_use]
    pub fn flag(self) -> u32 {
        match self {
            Self::Reset => 1,
            Self::TryAgain => 2,
            Self::Continue => 4,
        }
    }
}

/// Whose values stand in transcripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownValues {
    /// What cannot hold a secret.
    #[default]
    Harmless,
    /// What the CSP catalogue describes.
    Known,
    /// Everything.
    All,
}

/// What a command that fails means for the enrollment status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing.
    Ignore,
    /// The page fails.
    Show,
}
