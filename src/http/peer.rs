//! Who is at the other end of a connection. Every request carries a [`Peer`] as an extension.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

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
    /// Where the connection comes from; a proxy's address if there is one, see [`Proxies::client_address`].
    pub address: SocketAddr,
    /// Which URL it belongs to.
    pub side: Side,
    /// The TLS server name, lower case.
    pub server_name: Option<String>,
    /// The client certificate, of the device side only. It chains to the issuing CA, and that is all that TLS
    /// has asked: its dates, whether it was revoked and whose it is are looked up for every request.
    pub certificate: Option<CertificateDer<'static>>,
}

/// The address of a caller that is not known: it lies in no network, so that rules on networks refuse it.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Peers about which a warning is kept in mind.
const MOST_TOLD: usize = 256;

/// Proxies whose word about a caller is believed.
#[derive(Debug, Default)]
pub struct Proxies {
    trusted: Vec<Network>,
    /// Others that sent such a word, each told once.
    told: Mutex<BTreeSet<IpAddr>>,
}

impl Proxies {
    /// Believes these.
    #[must_use]
    pub fn new(trusted: Vec<Network>) -> Self {
        Self { trusted, told: Mutex::default() }
    }

    /// Whether a connection comes from one of them.
    #[must_use]
    pub fn is_one(&self, peer: &Peer) -> bool {
        self.trusts(peer.address.ip().to_canonical())
    }

    /// The address that a request really comes from: the connection's, or, if that is a proxy, the last one in
    /// `X-Forwarded-For` that is not one itself. What stands before it may be the caller's own invention. Where that one
    /// cannot be read, the address is not known: `0.0.0.0`.
    #[must_use]
    pub fn client_address(&self, peer: &Peer, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.address.ip().to_canonical();
        if !self.trusts(address) {
            self.warn_once(address, headers);
            return address;
        }
        let fields = headers.get_all(FORWARDED_FOR).iter().rev().map(|value| value.to_str().unwrap_or_default());
        let mut hops = fields.flat_map(|field| field.rsplit(','));
        while self.trusts(address) {
            match hops.next().map(read_hop) {
                Some(Some(hop)) => address = hop.to_canonical(),
                Some(None) => return UNKNOWN,
                None => break,
            }
        }
        address
    }

    /// The same for somebody who wants to enroll: of whom a proxy says nothing the address is not known.
    #[must_use]
    pub fn address_at_the_door(&self, peer: &Peer, headers: &HeaderMap) -> IpAddr {
        if self.is_one(peer) && !headers.contains_key(FORWARDED_FOR) {
            return UNKNOWN;
        }
        self.client_address(peer, headers)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Most likely that is a proxy which was forgotten; then everybody behind it has its address.
    fn warn_once(&self, address: IpAddr, headers: &HeaderMap) {
        if !headers.contains_key(FORWARDED_FOR) {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_TOLD && told.insert(address) {
            tracing::warn!(
                %address,
                "X-Forwarded-For is ignored, because it comes from an address that is not among `trusted_proxies`"
            );
        }
    }
}

/// An address, as some proxies write it with the port or in brackets.
fn read_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn peer(address: &str) -> Peer {
        let address = SocketAddr::new(address.parse().unwrap(), 1);
        Peer { address, side: Side::Web, server_name: None, certificate: None }
    }

    fn headers(forwarded: &[&str]) -> HeaderMap {
        let values = forwarded.iter().map(|value| (HeaderName::from_static(FORWARDED_FOR), value.parse().unwrap()));
        values.collect()
    }

    fn proxies() -> Proxies {
        Proxies::new(["10.0.0.0/8", "::1"].map(|text| Network::try_from(text.to_owned()).unwrap()).to_vec())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let cases: [(&str, &[&str], &str); 14] = [
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7:51234"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "0.0.0.0"),
            ("10.0.0.1", &["198.51.100.7, [2001:db8::1"], "0.0.0.0"),
            ("10.0.0.1", &[""], "0.0.0.0"),
            ("10.0.0.1", &["198.51.100.7, x, 10.0.0.2"], "0.0.0.0"),
            ("::ffff:10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("::1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ];
        for (address, forwarded, expected) in cases {
            let found = proxies().client_address(&peer(address), &headers(forwarded));
            assert_eq!(found.to_string(), expected, "{address} {forwarded:?}");
        }
    }

    #[test]
    fn of_whom_a_proxy_says_nothing_is_nowhere() {
        let cases: [(&str, &[&str], &str); 3] =
            [("10.0.0.1", &[], "0.0.0.0"), ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"), ("192.0.2.1", &[], "192.0.2.1")];
        for (address, forwarded, expected) in cases {
            let found = proxies().address_at_the_door(&peer(address), &headers(forwarded));
            assert_eq!(found.to_string(), expected, "{address} {forwarded:?}");
        }
    }

    #[test]
    fn forgotten_proxies_are_told_once_each_and_in_bounded_memory() {
        let proxies = proxies();
        for _ in 0..2 {
            for number in 0..2 * MOST_TOLD {
                let address = format!("192.0.{}.{}", number / 256, number % 256);
                let _ = proxies.client_address(&peer(&address), &headers(&["198.51.100.7"]));
            }
        }
        assert_eq!(proxies.told.lock().unwrap().len(), MOST_TOLD);
    }
}
