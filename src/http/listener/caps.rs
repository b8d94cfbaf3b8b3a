//! How many connections there are, in all and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Network;

/// Counts connections.
pub(super) struct Caps {
    all: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address: usize,
    exempt: Vec<Network>,
}

/// A counted connection; counted until it is dropped.
pub(super) struct Place {
    address: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _permit: OwnedSemaphorePermit,
}

impl Caps {
    pub(super) fn new(all: usize, per_address: usize, exempt: Vec<Network>) -> Self {
        let all = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Self { all, addresses: Arc::default(), per_address, exempt }
    }

    /// Waits until one more connection may be open.
    pub(super) async fn wait(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.all).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Counts a connection of that address; `None` if it has its fill.
    pub(super) fn enter(&self, permit: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let is_exempt = self.exempt.iter().any(|network| network.contains(address));
        let address = one_holder(address);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.entry(address).or_default();
        if *count >= self.per_address && !is_exempt {
            return None;
        }
        *count += 1;
        Some(Place { address, addresses: Arc::clone(&self.addresses), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// What one holder has: an IPv4 address, or a /64 of IPv6.
fn one_holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_fill_and_gets_room_again() {
        let exempt = Network::try_from("10.0.0.0/8".to_owned()).unwrap();
        let caps = Caps::new(100, 2, vec![exempt]);
        let enter = async |address: &str| caps.enter(caps.wait().await, address.parse().unwrap());
        let first = enter("2001:db8::1").await;
        let second = enter("2001:db8::ffff").await;
        assert!(first.is_some() && second.is_some());
        assert!(enter("2001:db8::2").await.is_none(), "the same /64");
        assert!(enter("2001:db8:0:1::2").await.is_some(), "another /64");
        drop(first);
        assert!(enter("2001:db8::3").await.is_some());
        let proxied = [enter("10.0.0.1").await, enter("10.0.0.1").await, enter("10.0.0.1").await];
        assert!(proxied.iter().all(Option::is_some));
        drop((second, proxied));
        assert!(caps.addresses.lock().unwrap().is_empty());
        assert_eq!(caps.all.available_permits(), 100);
    }
}
