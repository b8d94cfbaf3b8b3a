//! Failed authentications by address: who has had too many waits before anything costly is done.
//!
//! An address may fail so many times in a row, then once for each share of the hour. What is remembered is one moment
//! for each address, in memory and bounded; a restart forgets it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Counts failures.
#[derive(Default)]
pub(super) struct Failures {
    /// Until when the failures of an address are remembered; each one adds its share of the hour.
    paid_until: Mutex<HashMap<IpAddr, OffsetDateTime>>,
}

impl Failures {
    /// How long that address has to wait before its next try; `per_hour` 0: never.
    #[must_use]
    pub(super) fn wait(&self, address: IpAddr, per_hour: u32, now: OffsetDateTime) -> Option<Duration> {
        let share = share(per_hour)?;
        let addresses = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let until = *addresses.get(&network(address))?;
        Some(until - now - (Duration::HOUR - share)).filter(|wait| wait.is_positive())
    }

    /// Counts a failure.
    pub(super) fn record(&self, address: IpAddr, per_hour: u32, now: OffsetDateTime) {
        let Some(share) = share(per_hour) else { return };
        let mut addresses = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() >= MOST_ADDRESSES {
            make_room(&mut addresses, now);
        }
        let until = addresses.entry(network(address)).or_insert(now);
        *until = (*until).max(now) + share;
    }
}

/// Addresses remembered at once.
const MOST_ADDRESSES: usize = 10_000;

fn share(per_hour: u32) -> Option<Duration> {
    (per_hour > 0).then(|| Duration::HOUR / per_hour)
}

/// Whoever has one IPv6 address has the whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn make_room(addresses: &mut HashMap<IpAddr, OffsetDateTime>, now: OffsetDateTime) {
    addresses.retain(|_, until| *until > now);
    let first = addresses.iter().min_by_key(|(_, until)| **until).map(|(address, _)| *address);
    if let Some(address) = first.filter(|_| addresses.len() >= MOST_ADDRESSES) {
        addresses.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    // covers: S-14
    #[test]
    fn after_the_burst_one_try_for_each_share_of_the_hour() {
        let failures = Failures::default();
        let attacker = address("192.0.2.1");
        for _ in 0..60 {
            assert_eq!(failures.wait(attacker, 60, NOON), None);
            failures.record(attacker, 60, NOON);
        }
        assert_eq!(failures.wait(attacker, 60, NOON), Some(Duration::MINUTE));
        assert_eq!(failures.wait(address("192.0.2.2"), 60, NOON), None);
        assert_eq!(failures.wait(attacker, 60, NOON + Duration::MINUTE), None);
        failures.record(attacker, 60, NOON + Duration::MINUTE);
        assert_eq!(failures.wait(attacker, 60, NOON + Duration::MINUTE), Some(Duration::MINUTE));
        assert_eq!(failures.wait(attacker, 60, NOON + Duration::hours(2)), None);
    }

    #[test]
    fn a_whole_ipv6_network_counts_as_one() {
        let failures = Failures::default();
        failures.record(address("2001:db8::1"), 1, NOON);
        assert!(failures.wait(address("2001:db8::ffff:1"), 1, NOON).is_some());
        assert!(failures.wait(address("2001:db8:0:1::1"), 1, NOON).is_none());
        failures.record(address("::ffff:192.0.2.1"), 1, NOON);
        assert!(failures.wait(address("192.0.2.1"), 1, NOON).is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let failures = Failures::default();
        for n in 0..u32::try_from(MOST_ADDRESSES).unwrap() + 500 {
            failures.record(IpAddr::V4(n.into()), 1, NOON + Duration::seconds(i64::from(n)));
        }
        assert!(failures.paid_until.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
