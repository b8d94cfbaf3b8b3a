//! The configuration: every key of `muster.toml` with its default, unit and meaning.
//!
//! Unknown keys are refused, with their line and what was expected. A variable `MUSTER__SECTION__KEY` of the environment
//! takes precedence over the file. Paths count from the data folder.

mod ca;
mod check;
mod delivery;
mod devices;
mod enroll;
mod limits;
mod load;
mod record;
mod server;
mod template;
mod values;

use serde::{Deserialize, Serialize};

pub use ca::Ca;
pub use delivery::{Smtp, Wns};
pub use devices::{DeviceAuth, EntraTenant, Poll, StatusPage};
pub use enroll::{Admission, Enroll, Ownership};
pub use limits::Limits;
pub use load::ConfigError;
pub use record::{Log, Ops, Retention, SelfTest, Transcripts};
pub use server::{Database, Server};
pub use template::Start;
pub use values::{
    AuthPolicy, DatabaseUrl, HttpsAddress, HttpsUrl, LogFormat, LogLevel, OnFailure, OpsListen, PageChoice,
    ProxyCertificate, Secret, ShownValues, SmtpProtection,
};

/// Everything that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names, addresses and TLS.
    pub server: Server,
    /// Where the data is.
    #[serde(default)]
    pub database: Database,
    /// Device certificates.
    #[serde(default)]
    pub ca: Ca,
    /// Who may enroll, and how.
    #[serde(default)]
    pub enroll: Enroll,
    /// How devices prove who they are beside their certificate.
    #[serde(default)]
    pub device_auth: DeviceAuth,
    /// Entra tenants whose tokens are believed; a table for each. Default: none.
    #[serde(default)]
    pub entra: Vec<EntraTenant>,
    /// When devices call.
    #[serde(default)]
    pub poll: Poll,
    /// The page that out-of-box setup shows until everything is there.
    #[serde(default)]
    pub status_page: StatusPage,
    /// Waking devices by push.
    #[serde(default)]
    pub wns: Wns,
    /// Sending mails.
    #[serde(default)]
    pub smtp: Smtp,
    /// What is tried out and may change.
    #[serde(default)]
    pub experiments: Experiments,
    /// How much one caller may ask.
    #[serde(default)]
    pub limits: Limits,
    /// What is shown of what was said.
    #[serde(default)]
    pub transcripts: Transcripts,
    /// How long history is kept.
    #[serde(default)]
    pub retention: Retention,
    /// The page on which the server tests the way to itself.
    #[serde(default)]
    pub selftest: SelfTest,
    /// Health and metrics.
    #[serde(default)]
    pub ops: Ops,
    /// The log.
    #[serde(default)]
    pub log: Log,
}

/// `[experiments]`: what is tried out, is off unless wanted, and may change with any version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Experiments {
    /// Declared configuration (WinDC): documents that devices carry out by themselves, on linked enrollments. Default false.
    pub declared_configuration: bool,
}

impl Config {
    /// The configuration with that URL and the default for everything else.
    #[must_use]
    pub fn with_defaults(url: HttpsUrl) -> Self {
        Self {
            server: Server::with_defaults(url),
            database: Database::default(),
            ca: Ca::default(),
            enroll: Enroll::default(),
            device_auth: DeviceAuth::default(),
            entra: Vec::new(),
            poll: Poll::default(),
            status_page: StatusPage::default(),
            wns: Wns::default(),
            smtp: Smtp::default(),
            experiments: Experiments::default(),
            limits: Limits::default(),
            transcripts: Transcripts::default(),
            retention: Retention::default(),
            selftest: SelfTest::default(),
            ops: Ops::default(),
            log: Log::default(),
        }
    }

    /// Reads the text of a `muster.toml` and the variables of the environment, and checks what belongs together.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        load::load(text, environment)
    }

    /// The text of a new `muster.toml`: what `start` says, and every other key as a comment with its default.
    #[must_use]
    pub fn template(start: &Start) -> String {
        template::render(start)
    }
}

#[cfg(test)]
mod tests;
