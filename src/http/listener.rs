//! The accept loop: TCP, TLS, HTTP, under deadlines and caps.
//!
//! Each connection belongs to one of two sides, each with a router of its own. With one listener for both, the TLS server
//! name decides before any certificate is asked for: TLS 1.2 and 1.3 as we speak them cannot ask later.

mod activity;
mod caps;
mod connection;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::caps::{Caps, Place};
use self::connection::Server;
pub use self::connection::http1_builder;
use self::tls::Tls;
use super::peer::Side;
use crate::config::Config;
use crate::domain::Network;

/// Pause after a failed accept; mostly the process is out of file descriptors then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// One address for each side.
    Separate {
        /// For `url`.
        web: SocketAddr,
        /// For `device_url`.
        device: SocketAddr,
    },
    /// One address for both. A connection is of the device side if it names that host or none; devices cannot do
    /// without, browsers always name a host.
    Shared {
        /// For both URLs.
        address: SocketAddr,
        /// The host of `device_url`.
        device_name: String,
    },
}

/// How much of us a caller may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections open at once; further ones wait to be accepted.
    pub connections: usize,
    /// Most connections of one address open at once (of one /64 for IPv6); further ones are closed.
    pub connections_per_address: usize,
    /// Networks without a cap of their own.
    pub exempt: Vec<Network>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For a request's header.
    pub header: Duration,
    /// Without any request; also for a response that the other end does not take.
    pub idle: Duration,
    /// For running requests at shutdown.
    pub drain: Duration,
    /// Largest request header, in bytes.
    pub header_bytes: usize,
    /// Most header fields.
    pub header_fields: usize,
}

/// The two routers.
#[derive(Clone, Debug)]
pub struct Routers {
    /// What `url` serves.
    pub web: Router,
    /// What `device_url` serves.
    pub device: Router,
}

/// Sockets that are bound but not yet served.
#[derive(Debug)]
pub struct Listeners {
    web: TcpListener,
    device: Option<TcpListener>,
    device_name: Option<String>,
    addresses: [SocketAddr; 2],
}

impl Listen {
    /// As the configuration says.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let server = &config.server;
        if server.shares_listener() {
            Self::Shared { address: server.listen(), device_name: server.device_url().host().to_owned() }
        } else {
            Self::Separate { web: server.listen(), device: server.device_listen() }
        }
    }
}

impl Limits {
    /// As the configuration says.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let limits = &config.limits;
        let seconds = |n: u32| Duration::from_secs(u64::from(n));
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            exempt: config.server.trusted_proxies.clone(),
            handshake: seconds(limits.handshake_seconds),
            header: seconds(limits.header_seconds),
            idle: seconds(limits.idle_seconds),
            drain: seconds(limits.drain_seconds),
            header_bytes: limits.header_bytes,
            header_fields: limits.header_fields,
        }
    }
}

impl Listeners {
    /// Binds the sockets; connections queue from now on.
    ///
    /// # Errors
    /// The first address that cannot be bound, named in the message.
    pub async fn bind(listen: &Listen) -> io::Result<Self> {
        let (web, device, device_name) = match listen {
            Listen::Separate { web, device } => (bind(*web).await?, Some(bind(*device).await?), None),
            Listen::Shared { address, device_name } => (bind(*address).await?, None, Some(device_name.clone())),
        };
        let web_address = web.local_addr()?;
        let device_address = device.as_ref().map_or(Ok(web_address), TcpListener::local_addr)?;
        Ok(Self { web, device, device_name, addresses: [web_address, device_address] })
    }

    /// The address bound for `url`.
    #[must_use]
    pub fn web_address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// The address bound for `device_url`; the same as the other if they share one.
    #[must_use]
    pub fn device_address(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// Serves until `shutdown` is ready, then lets running requests end within `limits.drain`.
    pub async fn serve(self, tls: Tls, routers: Routers, limits: Limits, shutdown: impl Future<Output = ()>) {
        let caps = Caps::new(limits.connections, limits.connections_per_address, limits.exempt.clone());
        let drain = limits.drain;
        let device_name = self.device_name.clone();
        let server = Arc::new(Server { tls, routers, limits, device_name });
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                // Ended ones are taken out, so that the set does not grow. A panic ends its own connection alone.
                Some(_) = connections.join_next() => {}
                (stream, address, side, place) = self.accept(&caps) => {
                    let (server, stopped) = (Arc::clone(&server), stopped.clone());
                    connections.spawn(async move {
                        let _place = place;
                        server.run(stream, address, side, stopped).await;
                    });
                }
            }
        }
        drop(self);
        let _ = stop.send(true);
        let ended = tokio::time::timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(connections = connections.len(), "cut connections that did not end in time");
        }
    }

    /// The next connection that finds a place. Its side is known already unless the listener is shared.
    async fn accept(&self, caps: &Caps) -> (TcpStream, SocketAddr, Option<Side>, Place) {
        loop {
            let permit = caps.wait().await;
            let (accepted, side) = match &self.device {
                None => (self.web.accept().await, None),
                Some(device) => tokio::select! {
                    accepted = self.web.accept() => (accepted, Some(Side::Web)),
                    accepted = device.accept() => (accepted, Some(Side::Device)),
                },
            };
            match accepted {
                Ok((stream, address)) => match caps.enter(permit, address.ip()) {
                    Some(place) => return (stream, address, side, place),
                    None => tracing::debug!(%address, "too many connections of one address"),
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))
}

#[cfg(test)]
mod tests;
