//! `[server]` and `[database]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::values::{DatabaseUrl, HttpsUrl};
use crate::domain::Network;

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where people, programs and enrolling PCs reach the server. Required.
    pub url: HttpsUrl,
    /// Where enrolled devices call; never the same host and port as `url`. Default: the host of `url`, port 8443
    /// (8444 if `url` has 8443 itself).
    #[serde(default)]
    pub device_url: Option<HttpsUrl>,
    /// The address to bind for `url`. Default: its port, on 127.0.0.1 if its host is this machine, on `[::]` if its host
    /// is an IPv6 address, else on 0.0.0.0.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The address to bind for `device_url`. Default: `listen` when both URLs have the same port and different hosts, so
    /// that one listener serves both; else as for `listen`.
    #[serde(default)]
    pub device_listen: Option<SocketAddr>,
    /// The OMA-DM provider id. Devices are bound to it: do not change it once the first has enrolled. Default `Muster`.
    #[serde(default = "default_provider_id")]
    pub provider_id: String,
    /// The server certificate, PEM, leaf first, with its intermediates. Default `tls/server.pem`.
    #[serde(default = "default_tls_certificate")]
    pub tls_certificate: PathBuf,
    /// The private key of `tls_certificate`, PEM, readable by its owner alone. Default `tls/server.key`.
    #[serde(default = "default_tls_key")]
    pub tls_key: PathBuf,
    /// Addresses or networks of proxies in front, whose word about the caller is believed: its address in
    /// `X-Forwarded-For` and, if `device_auth.proxy_certificate` says so, its certificate. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// Whether devices may use TLS 1.3; the keys of many TPMs cannot. Default false.
    #[serde(default)]
    pub device_tls13: bool,
    /// Whether devices may use HTTP/2; with a client certificate Windows hardly does. Default false.
    #[serde(default)]
    pub device_http2: bool,
}

impl Server {
    /// That URL and the default for everything else.
    #[must_use]
    pub fn with_defaults(url: HttpsUrl) -> Self {
        Self {
            url,
            device_url: None,
            listen: None,
            device_listen: None,
            provider_id: default_provider_id(),
            tls_certificate: default_tls_certificate(),
            tls_key: default_tls_key(),
            trusted_proxies: Vec::new(),
            device_tls13: false,
            device_http2: false,
        }
    }

    /// `device_url`, set or derived.
    #[must_use]
    pub fn device_url(&self) -> HttpsUrl {
        self.device_url.clone().unwrap_or_else(|| self.url.default_device_url())
    }

    /// `listen`, set or derived.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        let default = || {
            let (web, device) = (self.url.default_listen(), self.device_url().default_listen());
            // One listener for both must be where the devices get to, too.
            let is_inside = web.ip().is_loopback() && !device.ip().is_loopback();
            if self.has_names_for_one_port() && self.device_listen.is_none() && is_inside { device } else { web }
        };
        self.listen.unwrap_or_else(default)
    }

    /// `device_listen`, set or derived.
    #[must_use]
    pub fn device_listen(&self) -> SocketAddr {
        let default = || match self.has_names_for_one_port() {
            true => self.listen(),
            false => self.device_url().default_listen(),
        };
        self.device_listen.unwrap_or_else(default)
    }

    /// Whether the URLs have the same port and different hosts.
    fn has_names_for_one_port(&self) -> bool {
        let device_url = self.device_url();
        self.url.port() == device_url.port() && self.url.host() != device_url.host()
    }

    /// Whether one listener serves both URLs and tells them apart by the TLS server name.
    #[must_use]
    pub fn shares_listener(&self) -> bool {
        self.listen().port() != 0 && self.listen() == self.device_listen()
    }

    /// The two URLs as they are given out once the listeners are bound: a port 0 in `listen` is replaced by the bound
    /// one.
    #[must_use]
    pub fn bound_urls(&self, web: SocketAddr, device: SocketAddr) -> (HttpsUrl, HttpsUrl) {
        let bound = |url: HttpsUrl, asked: SocketAddr, got: SocketAddr| match asked.port() {
            0 => url.with_port(got.port()),
            _ => url,
        };
        (bound(self.url.clone(), self.listen(), web), bound(self.device_url(), self.device_listen(), device))
    }
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite:` and a path, or a `postgres://` URL. Default `sqlite:muster.db`.
    ///
    /// In a `postgres://` URL, `sslmode` is one of disable, prefer, require, verify-ca and verify-full; without it a
    /// server on another machine has to prove its name (verify-full). `sslrootcert` names a PEM file with the authorities
    /// to trust; without it those of the system are.
    pub url: DatabaseUrl,
    /// Most connections to PostgreSQL that this process opens, 2 to 500. Default 16.
    pub connections: usize,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: DatabaseUrl::default(), connections: 16 }
    }
}

fn default_provider_id() -> String {
    "Muster".to_owned()
}

fn default_tls_certificate() -> PathBuf {
    PathBuf::from("tls/server.pem")
}

fn default_tls_key() -> PathBuf {
    PathBuf::from("tls/server.key")
}
