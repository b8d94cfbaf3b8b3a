//! Who is at the other end of a connection. Every request carries a [`Peer`] as an extension.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use rustls::pki_types::CertificateDer;

use crate::domain::Network;

/// Which of the two URLs a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `url`: people, programs, enrolling PCs. Never asked for a certificate.
    Web,
    /// `device_url`: enrolled devices.
    Device,
}

/// What the connection tells about its other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where the connection comes from; a proxy's address if there is one, see [`Self::client_address`].
    pub address: SocketAddr,
    /// Which URL it belongs to.
    pub side: Side,
    /// The TLS server name, lower case.
    pub server_name: Option<String>,
    /// The client certificate, of the device side only. It chains to the issuing CA, and that is all that TLS
    /// has asked: its dates, whether it was revoked and whose it is are looked up for every request.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Peer {
    /// Whether the connection comes from one of these.
    #[must_use]
    pub fn is_one_of(&self, networks: &[Network]) -> bool {
        let address = self.address.ip().to_canonical();
        networks.iter().any(|network| network.contains(address))
    }

    /// The address that a request really comes from: the connection's, or, if that is a trusted proxy, the last one in
    /// `X-Forwarded-For` that is not one itself. What stands before it may be the caller's own invention.
    #[must_use]
    pub fn client_address(&self, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let mut address = self.address.ip().to_canonical();
        let fields = headers.get_all("x-forwarded-for").iter().rev().map(|value| value.to_str().unwrap_or_default());
        let mut hops = fields.flat_map(|field| field.rsplit(','));
        while is_trusted(address) {
            match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
                Some(Ok(hop)) => address = hop.to_canonical(),
                _ => break,
            }
        }
        address
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "::1"].map(|text| Network::try_from(text.to_owned()).unwrap()).to_vec();
        let cases: [(&str, &[&str], &str); 8] = [
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("::1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ];
        for (address, forwarded, expected) in cases {
            let address = SocketAddr::new(address.parse().unwrap(), 1);
            let peer = Peer { address, side: Side::Web, server_name: None, certificate: None };
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(peer.client_address(&headers, &trusted).to_string(), expected, "{address} {forwarded:?}");
        }
    }
}
