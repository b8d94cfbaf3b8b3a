//! The database URL: what of it is the client library's, and what is said about TLS.
//!
//! `sslmode` and `sslrootcert` have the meaning that PostgreSQL's own client gives them, with one difference: where
//! nothing is said, a server on another machine must prove who it is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::form_urlencoded;

/// Where the server is, and how to speak to it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Hosts, user, database; its `Debug` shows no password.
    pub(super) config: Config,
    /// How far the server has to prove who it is.
    pub(super) trust: Trust,
    /// PEM file with the certificates of the authorities to trust; without one, those of the system.
    pub(super) roots: Option<PathBuf>,
}

/// What is asked of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// No TLS, or TLS with whoever answers: nothing is asked (`disable`, `prefer`, `require` without `sslrootcert`).
    Anyone,
    /// Issued by a trusted authority (`verify-ca`).
    Authority,
    /// That, for the name of the host (`verify-full`).
    Name,
}

impl Address {
    /// Reads a `postgres://` URL; relative paths in it count from the folder.
    ///
    /// # Errors
    /// A sentence that names the option and never repeats the URL, which may hold a password.
    pub(super) fn parse(url: &str, folder: &Path) -> Result<Self, String> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        if place.matches('@').count() > 1 {
            // Else the rest of a password would count as the name of the host, and be shown.
            return Err("it has more than one @; write one that belongs to a name or a password as %40".to_owned());
        }
        let mut mode = None;
        let mut roots = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => roots = Some(folder.join(&*value)),
                _ => {
                    rest.append_pair(&key, &value);
                }
            }
        }
        let rest = rest.finish().replace('+', "%20");
        let mut config = Config::from_str(&format!("{place}?{rest}")).map_err(|error| words(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("it names no host".to_owned());
        }
        let (ssl, trust) = security(mode.as_deref(), roots.is_some(), is_local(&config))?;
        config.ssl_mode(ssl);
        complete(&mut config);
        Ok(Self { config, trust, roots })
    }

    /// Hosts, ports that are not the usual one, and database, without user and password.
    pub(super) fn shown(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate().map(|(index, host)| {
            let name = match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            };
            // One port may be given for all hosts.
            match ports.get(index).or_else(|| ports.first()) {
                None | Some(&USUAL_PORT) => name,
                Some(port) => format!("{name}:{port}"),
            }
        });
        let hosts: Vec<String> = hosts.collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

/// Whether TLS is used, and what the certificate has to show.
fn security(mode: Option<&str>, has_roots: bool, is_local: bool) -> Result<(SslMode, Trust), String> {
    Ok(match mode {
        // Who names an authority wants TLS, wherever the server is.
        None if is_local && !has_roots => (SslMode::Disable, Trust::Anyone),
        None | Some("verify-full") => (SslMode::Require, Trust::Name),
        Some("verify-ca") => (SslMode::Require, Trust::Authority),
        // As PostgreSQL's client does: who names an authority wants it to be asked.
        Some("require") if has_roots => (SslMode::Require, Trust::Authority),
        Some("require") => (SslMode::Require, Trust::Anyone),
        Some("prefer") => (SslMode::Prefer, Trust::Anyone),
        Some("disable") => (SslMode::Disable, Trust::Anyone),
        Some(_) => {
            return Err("sslmode is one of disable, prefer, require, verify-ca, verify-full".to_owned());
        }
    })
}

/// Whether every host is this machine: a socket, or loopback.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
}

/// What the URL leaves open.
fn complete(config: &mut Config) {
    if config.get_application_name().is_none() {
        config.application_name("muster");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_WITHIN);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENT_FOR);
    }
    // Of several hosts the one that takes writes: after a failover, another than before.
    if config.get_target_session_attrs() == TargetSessionAttrs::Any {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn words(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}

/// PostgreSQL's own.
const USUAL_PORT: u16 = 5432;
/// How long to wait for a host to take the connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a host may leave what was sent unacknowledged.
const SILENT_FOR: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, String> {
        Address::parse(url, Path::new("/data"))
    }

    #[test]
    fn tls_is_asked_for_as_the_url_says() {
        for (url, ssl, trust) in [
            ("postgres://u@db.example/m", SslMode::Require, Trust::Name),
            ("postgres://u@db.example/m?sslmode=verify-full", SslMode::Require, Trust::Name),
            ("postgres://u@db.example/m?sslmode=verify-ca", SslMode::Require, Trust::Authority),
            ("postgres://u@db.example/m?sslmode=require", SslMode::Require, Trust::Anyone),
            ("postgres://u@db.example/m?sslmode=require&sslrootcert=ca.pem", SslMode::Require, Trust::Authority),
            ("postgres://u@db.example/m?sslmode=prefer", SslMode::Prefer, Trust::Anyone),
            ("postgres://u@db.example/m?sslmode=disable", SslMode::Disable, Trust::Anyone),
            ("postgres://u@localhost/m", SslMode::Disable, Trust::Anyone),
            ("postgres://u@127.0.0.1:5433/m", SslMode::Disable, Trust::Anyone),
            ("postgres://u@[::1]/m", SslMode::Disable, Trust::Anyone),
            ("postgres://u@localhost/m?sslrootcert=ca.pem", SslMode::Require, Trust::Name),
            ("postgres://u@localhost,db.example/m", SslMode::Require, Trust::Name),
            ("postgres://u@%2Frun%2Fpostgresql/m", SslMode::Disable, Trust::Anyone),
            ("postgres:///m?host=/run/postgresql", SslMode::Disable, Trust::Anyone),
        ] {
            let address = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((address.config.get_ssl_mode(), address.trust), (ssl, trust), "{url}");
        }
    }

    #[test]
    fn paths_count_from_the_folder_and_other_options_are_kept() {
        let url = "postgres://u:p%40ss@db.example/m?sslrootcert=tls/db.pem&application_name=a%20b&connect_timeout=3";
        let address = parse(url).unwrap();
        assert_eq!(address.roots.as_deref(), Some(Path::new("/data/tls/db.pem")));
        assert_eq!(address.config.get_application_name(), Some("a b"));
        assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(address.config.get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(address.shown(), "db.example/m");
        assert_eq!(parse("postgres://u:p@a,b:6000/m").unwrap().shown(), "a,b:6000/m");
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        for (url, named) in [
            ("postgres://u:secret@db.example/m?sslmode=strict", "sslmode"),
            ("postgres://u:secret@db.example/m?colour=blue", "colour"),
            ("postgres://u:secret@db.example:port/m", "port"),
            ("postgres:///m", "host"),
            ("postgres://u:p@secret@db.example/m", "%40"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(named) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
