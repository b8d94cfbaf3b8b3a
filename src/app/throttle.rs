//! Rate limits in memory, each process its own.
//!
//! Two kinds. What is merely counted goes through the governor crate. Checks of a credential are another matter: only
//! those that fail may count, or a school behind one address could not enroll; yet a try must be counted before the costly
//! check begins, or a thousand at once would all get through. So a try is taken in advance and given back if it was right,
//! which governor cannot do ([`Tries`]).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration as StdDuration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use time::{Duration, OffsetDateTime};

use super::Settings;
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::user::normalize_name;

/// All limits of the application.
pub(super) struct Throttles {
    /// Wrong passwords for one user name from one network: what a guesser runs into, without locking out the user elsewhere.
    user_at_network: Tries<(String, IpAddr)>,
    /// Wrong passwords for one user name from everywhere.
    user: Tries<String>,
    /// Wrong passwords for one user name from networks from which it was given with its right one: these tries are apart,
    /// so that guessing from elsewhere cannot lock the user out where he is at home.
    user_at_home: Tries<String>,
    /// Where that was, and until when it counts.
    homes: Mutex<HashMap<(String, IpAddr), OffsetDateTime>>,
    /// Wrong passwords from one network for all users.
    network: Tries<IpAddr>,
    /// Wrong bearer tokens from one network.
    pub(super) bearer: Tries<IpAddr>,
    /// Messages of one device.
    device: DefaultKeyedRateLimiter<Id<Enrollment>>,
    /// Certificates that are issued to one device that renews.
    renewals: DefaultKeyedRateLimiter<Id<Enrollment>>,
    /// Messages that name one device and are not proven yet, by network.
    knocks: DefaultKeyedRateLimiter<(IpAddr, [u8; 32])>,
    /// Self-tests, by network.
    self_tests: DefaultKeyedRateLimiter<IpAddr>,
    /// What somebody without a credential can have written: ledger entries and audit rows about refusals, by network.
    rows: DefaultKeyedRateLimiter<IpAddr>,
    /// New rows of that kind, by network: nobody alone uses up what there is for all.
    new_rows_of_network: DefaultKeyedRateLimiter<IpAddr>,
    /// New rows of that kind, of everybody together.
    new_rows: DefaultDirectRateLimiter,
    /// How many were left out.
    left_out: AtomicU64,
}

/// Wrong bearer tokens of one network: a token cannot be guessed, so this only spares the database.
pub(super) const BEARER: Allowance = Allowance { burst: 600, per_hour: 3600 };
/// Messages per minute and network that name one device and are not proven yet. Others than the device send them too, so
/// they are counted apart from its own.
const KNOCKS_PER_MINUTE: u32 = 60;
/// Certificates that are issued to one device that renews: some at once, for tries by hand and for answers that were lost,
/// then one in an hour. Windows waits for days between its attempts.
const RENEWALS: Quota = Quota::per_hour(NonZeroU32::MIN).allow_burst(NonZeroU32::MIN.saturating_add(9));
/// Self-tests per minute and network: a help desk behind one address looks at a few domains, and one who guesses domains is
/// slow.
const SELF_TESTS_PER_MINUTE: u32 = 20;
/// Rows per minute and network for callers without a credential.
const ROWS_PER_MINUTE: u32 = 600;
/// The part of the new rows of a day that one network can cause.
const SHARE_OF_NETWORK: u32 = 5;

impl Throttles {
    pub(super) fn new(settings: &Settings) -> Self {
        let checks = settings.password_checks;
        let user = Allowance { burst: checks.user_burst, per_hour: checks.user_per_hour };
        // Together at most a hundred in an hour, with the default of ten at once and sixty in an hour.
        let everywhere = Allowance { burst: user.burst.saturating_mul(2), per_hour: user.per_hour / 2 };
        let at_home = Allowance { burst: user.burst, per_hour: user.per_hour.saturating_mul(2) / 3 };
        Self {
            user_at_network: Tries::new(user),
            user: Tries::new(everywhere),
            user_at_home: Tries::new(at_home),
            homes: Mutex::default(),
            network: Tries::new(Allowance { burst: checks.address_burst, per_hour: checks.address_per_hour }),
            bearer: Tries::new(BEARER),
            device: limiter(settings.device_requests_per_minute),
            renewals: RateLimiter::keyed(RENEWALS),
            knocks: limiter(KNOCKS_PER_MINUTE),
            self_tests: limiter(SELF_TESTS_PER_MINUTE),
            rows: limiter(ROWS_PER_MINUTE),
            new_rows_of_network: RateLimiter::keyed(daily(settings.ledger_rows_per_day / SHARE_OF_NETWORK)),
            new_rows: RateLimiter::direct(daily(settings.ledger_rows_per_day)),
            left_out: AtomicU64::new(0),
        }
    }

    /// Whether there is a try of a password left; takes none.
    pub(super) fn has_password(&self, name: &str, address: IpAddr, now: OffsetDateTime) -> bool {
        let (name, network) = (normalize_name(name), network(address));
        if self.network.wait(&network, now).is_some() {
            return false;
        }
        if self.is_home(&name, network, now) {
            return self.user_at_home.wait(&name, now).is_none();
        }
        self.user.wait(&name, now).is_none() && self.user_at_network.wait(&(name, network), now).is_none()
    }

    /// Takes one try of a password, if there is one left.
    pub(super) fn take_password(&self, name: &str, address: IpAddr, now: OffsetDateTime) -> Option<TakenTry> {
        if !self.has_password(name, address, now) {
            return None;
        }
        let taken = TakenTry { name: normalize_name(name), network: network(address), is_home: false };
        let taken = TakenTry { is_home: self.is_home(&taken.name, taken.network, now), ..taken };
        // Checks of one name are in turn, and so are those of one network: nobody was faster in between.
        self.network.take(&taken.network, now);
        if taken.is_home {
            self.user_at_home.take(&taken.name, now);
        } else {
            self.user.take(&taken.name, now);
            self.user_at_network.take(&(taken.name.clone(), taken.network), now);
        }
        Some(taken)
    }

    /// Gives a try back: the password was right, and its user may sign in. From now on the user is at home there.
    pub(super) fn give_back_password(&self, taken: TakenTry, now: OffsetDateTime) {
        self.network.give_back(&taken.network);
        let place = (taken.name, taken.network);
        if taken.is_home {
            self.user_at_home.give_back(&place.0);
        } else {
            self.user.give_back(&place.0);
            self.user_at_network.give_back(&place);
        }
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        if homes.len() >= MOST_KEYS && !homes.contains_key(&place) {
            make_room(&mut homes, now);
        }
        homes.insert(place, now + AT_HOME);
    }

    fn is_home(&self, name: &str, network: IpAddr, now: OffsetDateTime) -> bool {
        let homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        homes.get(&(name.to_owned(), network)).is_some_and(|until| now < *until)
    }

    /// Whether one more message of a device is taken; else after how many seconds.
    pub(super) fn allow_device(&self, enrollment: Id<Enrollment>) -> Result<(), u64> {
        self.device.check_key(&enrollment).map_err(seconds)
    }

    /// Whether one more certificate is issued to a device that renews.
    pub(super) fn allow_renewal(&self, enrollment: Id<Enrollment>) -> bool {
        self.renewals.check_key(&enrollment).is_ok()
    }

    /// Whether one more message is taken from a network that names one device, known or not, and does not prove it so far;
    /// else after how many seconds.
    pub(super) fn allow_knock(&self, address: IpAddr, name: [u8; 32]) -> Result<(), u64> {
        self.knocks.check_key(&(network(address), name)).map_err(seconds)
    }

    /// Whether one more self-test is done for a network; else after how many seconds.
    pub(super) fn allow_self_test(&self, address: IpAddr) -> Result<(), u64> {
        self.self_tests.check_key(&network(address)).map_err(seconds)
    }

    /// Whether a caller without a credential may have one more row written, new or not.
    pub(super) fn allow_row(&self, address: IpAddr) -> bool {
        self.rows.check_key(&network(address)).is_ok() || self.leave_out(&address)
    }

    /// Whether such a caller may cause one more row; asked behind [`Self::allow_row`].
    pub(super) fn allow_new_row(&self, address: IpAddr) -> bool {
        let is_allowed = self.new_rows_of_network.check_key(&network(address)).is_ok() && self.new_rows.check().is_ok();
        is_allowed || self.leave_out(&address)
    }

    /// How many rows were left out so far.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Counts a row that is not written. The log tells of some only: it lies on a disk as well.
    fn leave_out(&self, address: &IpAddr) -> bool {
        let before = self.left_out.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(1000) {
            tracing::warn!(%address, left_out = before + 1, "refusals are left out of ledger and audit: too many");
        }
        false
    }

    /// Forgets keys that are back at rest.
    pub(super) fn tidy(&self, now: OffsetDateTime) {
        self.user_at_network.tidy(now);
        self.user.tidy(now);
        self.user_at_home.tidy(now);
        self.homes.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| now < *until);
        self.network.tidy(now);
        self.bearer.tidy(now);
        self.device.retain_recent();
        self.renewals.retain_recent();
        self.knocks.retain_recent();
        self.self_tests.retain_recent();
        self.rows.retain_recent();
        self.new_rows_of_network.retain_recent();
    }
}

/// How long a network is a home of a user after the last right password.
const AT_HOME: Duration = Duration::days(30);

/// A try of a password that was taken, to be given back.
#[must_use]
pub(super) struct TakenTry {
    name: String,
    network: IpAddr,
    is_home: bool,
}

/// How many tries one key has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// At once.
    pub(super) burst: u32,
    /// That come back in an hour.
    pub(super) per_hour: u32,
}

impl Allowance {
    fn share(self) -> Duration {
        Duration::HOUR / self.per_hour.max(1)
    }
}

/// Tries of one kind, by key (GCRA: one moment for each key, up to which its tries are used up).
pub(super) struct Tries<K> {
    allowance: Allowance,
    used_until: Mutex<HashMap<K, OffsetDateTime>>,
}

/// Keys that are remembered at once; beyond it the one that is free first is forgotten.
const MOST_KEYS: usize = 20_000;

impl<K: Hash + Eq + Clone> Tries<K> {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, used_until: Mutex::default() }
    }

    /// How long a key has to wait for its next try.
    pub(super) fn wait(&self, key: &K, now: OffsetDateTime) -> Option<Duration> {
        let mut used = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        let until = used.get_mut(key)?;
        let room = self.allowance.share() * self.allowance.burst.saturating_sub(1);
        // Never used up beyond that, unless the clock was put back since.
        *until = (*until).min(now + room + self.allowance.share());
        Some(*until - now - room).filter(|wait| wait.is_positive())
    }

    /// Takes one try, if there is one left.
    pub(super) fn take(&self, key: &K, now: OffsetDateTime) -> bool {
        if self.wait(key, now).is_some() {
            return false;
        }
        let mut used = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST_KEYS && !used.contains_key(key) {
            make_room(&mut used, now);
        }
        let until = used.entry(key.clone()).or_insert(now);
        *until = (*until).max(now) + self.allowance.share();
        true
    }

    /// Gives a try back.
    pub(super) fn give_back(&self, key: &K) {
        let mut used = self.used_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = used.get_mut(key) {
            *until -= self.allowance.share();
        }
    }

    /// Forgets keys that have all their tries.
    pub(super) fn tidy(&self, now: OffsetDateTime) {
        self.used_until.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}

fn make_room<K: Hash + Eq + Clone>(used: &mut HashMap<K, OffsetDateTime>, now: OffsetDateTime) {
    used.retain(|_, until| *until > now);
    if used.len() < MOST_KEYS {
        return;
    }
    let first = used.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone());
    first.and_then(|key| used.remove(&key));
}

/// Whoever has one IPv6 address has the whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn seconds(not_until: governor::NotUntil<<DefaultClock as Clock>::Instant>) -> u64 {
    not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1
}

/// So many at once and so many in a day.
fn daily(rows: u32) -> Quota {
    let rows = NonZeroU32::new(rows).unwrap_or(NonZeroU32::MIN);
    let period = StdDuration::from_secs(24 * 60 * 60) / rows.get();
    Quota::with_period(period).unwrap_or_else(|| Quota::per_hour(rows)).allow_burst(rows)
}

/// So many at once and so many in a minute.
fn limiter<K: Hash + Eq + Clone>(per_minute: u32) -> DefaultKeyedRateLimiter<K> {
    let burst = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
    let period = StdDuration::from_secs(60) / burst.get();
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst)).allow_burst(burst);
    RateLimiter::keyed(quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00 UTC);

    // covers: S-14
    #[test]
    fn wrong_tries_use_up_the_burst_and_come_back_by_the_hour() {
        let tries = Tries::new(Allowance { burst: 10, per_hour: 60 });
        for _ in 0..10 {
            assert!(tries.take(&"ada", NOON));
        }
        assert!(!tries.take(&"ada", NOON));
        assert_eq!(tries.wait(&"ada", NOON), Some(Duration::MINUTE));
        assert!(tries.take(&"bob", NOON));
        assert!(tries.take(&"ada", NOON + Duration::MINUTE));
        assert!(!tries.take(&"ada", NOON + Duration::MINUTE));
        assert!(tries.take(&"ada", NOON + Duration::hours(2)));
    }

    //
    #[test]
    fn a_clock_that_was_put_back_locks_nobody_out() {
        let tries = Tries::new(Allowance { burst: 10, per_hour: 60 });
        while tries.take(&"ada", NOON + Duration::DAY) {}
        assert_eq!(tries.wait(&"ada", NOON), Some(Duration::MINUTE));
        assert!(tries.take(&"ada", NOON + Duration::MINUTE));
    }

    // covers: S-14
    #[test]
    fn no_account_has_more_than_a_hundred_wrong_tries_in_an_hour() {
        let tries = Tries::new(Allowance { burst: 30, per_hour: 60 });
        let taken = (0..3600).filter(|second| tries.take(&"ada", NOON + Duration::seconds(*second))).count();
        assert!(taken <= 100, "{taken}");
    }

    #[test]
    fn right_tries_cost_nothing() {
        let tries = Tries::new(Allowance { burst: 2, per_hour: 1 });
        for _ in 0..100 {
            assert!(tries.take(&"ada", NOON));
            tries.give_back(&"ada");
        }
    }

    #[test]
    fn rows_of_strangers_are_bounded_in_sum() {
        let settings = Settings { ledger_rows_per_day: 1000, ..crate::app::testing::settings() };
        let throttles = Throttles::new(&settings);
        // As many networks as somebody with a /48 has.
        let written = (0..5_000_u128).filter(|number| {
            let address = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | (number << 64)));
            throttles.allow_row(address) && throttles.allow_new_row(address)
        });
        let written = u64::try_from(written.count()).unwrap();
        // One comes back in a minute and a half.
        assert!((1000..1010).contains(&written), "{written}");
        assert_eq!(throttles.left_out(), 5_000 - written);
        // One network alone has a fifth, and the others the rest.
        let throttles = Throttles::new(&settings);
        let alone = (0..400).filter(|_| throttles.allow_new_row([192, 0, 2, 1].into())).count();
        assert!((200..205).contains(&alone), "{alone}");
        assert!(throttles.allow_new_row([198, 51, 100, 1].into()));
    }

    #[test]
    fn memory_is_bounded_and_an_ipv6_network_is_one_key() {
        let tries = Tries::new(Allowance { burst: 1, per_hour: 1 });
        for number in 0..u32::try_from(MOST_KEYS).unwrap() + 10 {
            tries.take(&number, NOON);
        }
        assert!(tries.used_until.lock().unwrap().len() <= MOST_KEYS);
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
    }
}
