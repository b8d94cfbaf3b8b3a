//! Networks by their address and the length of their prefix.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in the network. An IPv4 address in IPv6 clothing counts as IPv4. The unspecified address,
    /// which stands for one that is not known, lies in none.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let mask = |bits: u128, width: u32| bits.checked_shr(width - u32::from(self.prefix)).unwrap_or(0);
        match (self.address, address.to_canonical()) {
            (_, address) if address.is_unspecified() => false,
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                mask(u128::from(network.to_bits()), 32) == mask(u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => mask(network.to_bits(), 128) == mask(address.to_bits(), 128),
            _ => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let expected = || format!("`{text}` is neither an IP address nor a network such as 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text.as_str(), None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| expected())?;
        if prefix <= width { Ok(Self { address, prefix }) } else { Err(expected()) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "0.0.0.0", false),
            ("::/0", "::", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("fe80::1", "fe80::2", false),
        ];
        for (network, address, expected) in cases {
            let network = Network::try_from(network.to_owned()).unwrap();
            assert_eq!(network.contains(address.parse::<IpAddr>().unwrap()), expected, "{network:?} {address}");
        }
    }
}
