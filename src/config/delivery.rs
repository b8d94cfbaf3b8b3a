//! What is handed over to others: pushes and mails.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::values::{HttpsAddress, Secret, SmtpProtection};
use crate::domain::push::ChannelHost;

/// `[wns]`: push by the Windows Push Notification Service, for an app that was reserved in the Partner Center. Off unless
/// `pfn`, `package_sid` and `client_secret` are set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wns {
    /// The package family name of the app. Default empty.
    pub pfn: String,
    /// The package SID of the app, `ms-app://s-1-15-2-…`. Default empty.
    pub package_sid: String,
    /// The client secret of the app. Better kept in the environment, as `MUSTER__WNS__CLIENT_SECRET`. Default empty.
    pub client_secret: Secret,
    /// Where access tokens come from. Default `https://login.live.com/accesstoken.srf`.
    pub token_url: HttpsAddress,
    /// The hosts that devices' channels may be on: `.example.com` is every host below that domain on port 443,
    /// `example.com:8443` that host and port. Only for tests another than the default, `.notify.windows.com`.
    pub channel_hosts: Vec<ChannelHost>,
    /// Authorities that are trusted for these hosts besides those of the system, PEM. Default empty: none.
    pub ca_file: PathBuf,
}

impl Default for Wns {
    fn default() -> Self {
        Self {
            pfn: String::new(),
            package_sid: String::new(),
            client_secret: Secret::default(),
            token_url: HttpsAddress::microsoft_tokens(),
            channel_hosts: vec![ChannelHost::wns()],
            ca_file: PathBuf::new(),
        }
    }
}

impl Wns {
    /// Whether push is set up.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.pfn.is_empty()
    }
}

/// `[smtp]`: the server that mails are handed over to. Without `host` none are sent: whoever invites passes the text on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// Its host name. Default empty: none.
    pub host: String,
    /// Its port. Default 0: 587, or 465 with `implicit`, or 25 without TLS.
    pub port: u16,
    /// How the connection is protected: `starttls`, `implicit` (TLS from its first byte), `off`, or `auto`, which is
    /// `starttls` and, for a server on this machine, `off`. Default `auto`.
    pub tls: SmtpProtection,
    /// The name to sign in with. Default empty: no sign-in.
    pub username: String,
    /// The password for it. Better kept in the environment, as `MUSTER__SMTP__PASSWORD`. Default empty.
    pub password: Secret,
    /// The sender, e.g. `Fabrikam IT <mdm@example.com>`. Required with `host`.
    pub from: String,
    /// Authorities that are trusted for this server besides those of the system, PEM. Default empty: none.
    pub ca_file: PathBuf,
}

impl Smtp {
    /// Whether mails are sent.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.host.is_empty()
    }

    /// How the connection is protected, the choice made.
    #[must_use]
    pub fn protection(&self) -> SmtpProtection {
        let is_here = matches!(self.host.as_str(), "localhost" | "::1") || self.host.starts_with("127.");
        match self.tls {
            SmtpProtection::Auto if is_here => SmtpProtection::Off,
            SmtpProtection::Auto => SmtpProtection::Starttls,
            chosen => chosen,
        }
    }

    /// The port, set or derived.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.port, self.protection()) {
            (0, SmtpProtection::Implicit) => 465,
            (0, SmtpProtection::Off) => 25,
            (0, _) => 587,
            (port, _) => port,
        }
    }
}
