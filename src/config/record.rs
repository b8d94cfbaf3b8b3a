//! What is kept and shown of what happened: transcripts, history, the log, health, the self-test.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::values::{LogFormat, LogLevel, OpsListen, ShownValues};

/// `[transcripts]`: what is shown of what was said in sessions. Secrets never are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transcripts {
    /// Whose values stand in transcripts: `harmless`, `known` or `all`. Default `harmless`.
    pub values: ShownValues,
    /// Nodes whose values, and those of all nodes below, are secret everywhere: in transcripts, inventories, alerts, events and
    /// answers. A segment in braces stands for any one name. Default: none beside those that this build knows.
    pub secret_nodes: Vec<String>,
}

/// `[retention]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days that transcripts of sessions are kept. Default 30.
    pub transcripts_days: u32,
    /// Days that events and alerts of devices are kept. Default 90.
    pub events_days: u32,
    /// Days that enrollment attempts are kept, and invitations after their end. Default 90.
    pub attempts_days: u32,
    /// Days that the audit log is kept. Default 365.
    pub audit_days: u32,
    /// Days that final actions and commands are kept. Default 365.
    pub commands_days: u32,
    /// Days that files are kept which devices uploaded. Default 30.
    pub uploads_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            transcripts_days: 30,
            events_days: 90,
            attempts_days: 90,
            audit_days: 365,
            commands_days: 365,
            uploads_days: 30,
        }
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`. Default `info`.
    pub level: LogLevel,
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
}

/// `[ops]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ops {
    /// The address for health and metrics, without TLS, or `off`. Default `127.0.0.1:9464`.
    pub listen: OpsListen,
}

/// `[selftest]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfTest {
    /// Whether `/selftest` is there. Default true.
    pub enabled: bool,
    /// The name server that it asks, as an address or an address and a port; empty: those of this machine. Default empty.
    pub dns: String,
}

impl Default for SelfTest {
    fn default() -> Self {
        Self { enabled: true, dns: String::new() }
    }
}

impl SelfTest {
    /// The name server, if one is named; an address without a port means port 53.
    #[must_use]
    pub fn name_server(&self) -> Option<SocketAddr> {
        let alone = |address| SocketAddr::new(address, 53);
        self.dns.parse().or_else(|_| self.dns.parse().map(alone)).ok()
    }
}
