//! Rate limits in memory, each process its own (GCRA by the governor crate).

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::Settings;
use crate::domain::Id;
use crate::domain::enrollment::Enrollment;
use crate::domain::user::normalize_name;

/// All limits of the application.
pub(super) struct Throttles {
    /// Password checks for one user name from one address: what a guesser runs into, without locking out the user elsewhere.
    user_at_address: DefaultKeyedRateLimiter<(String, IpAddr)>,
    /// Password checks for one user name from everywhere.
    user: DefaultKeyedRateLimiter<String>,
    /// Password checks from one address for all users.
    address: DefaultKeyedRateLimiter<IpAddr>,
    /// Messages of one device.
    device: DefaultKeyedRateLimiter<Id<Enrollment>>,
    /// Rows that somebody without a credential can cause: ledger entries and audit rows about refusals.
    rows: DefaultKeyedRateLimiter<IpAddr>,
}

/// Rows per minute and address for callers without a credential.
const ROWS_PER_MINUTE: u32 = 240;

impl Throttles {
    pub(super) fn new(settings: &Settings) -> Self {
        let checks = settings.password_checks;
        // One address alone may use a third of what a user name has, so that it cannot lock the user out.
        let third = |number: u32| number.div_ceil(3);
        Self {
            user_at_address: limiter(third(checks.user_burst), third(checks.user_per_hour), 3600),
            user: limiter(checks.user_burst, checks.user_per_hour, 3600),
            address: limiter(checks.address_burst, checks.address_per_hour, 3600),
            device: limiter(settings.device_requests_per_minute, settings.device_requests_per_minute, 60),
            rows: limiter(ROWS_PER_MINUTE, ROWS_PER_MINUTE, 60),
        }
    }

    /// Whether one more password may be checked; counts it.
    pub(super) fn allow_password(&self, name: &str, address: IpAddr) -> bool {
        let name = normalize_name(name);
        self.address.check_key(&address).is_ok()
            && self.user_at_address.check_key(&(name.clone(), address)).is_ok()
            && self.user.check_key(&name).is_ok()
    }

    /// Whether one more message of a device is taken; else after how many seconds.
    pub(super) fn allow_device(&self, enrollment: Id<Enrollment>) -> Result<(), u64> {
        let refused =
            |not_until: governor::NotUntil<_>| not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        self.device.check_key(&enrollment).map_err(refused)
    }

    /// Whether a caller without a credential may cause one more row.
    pub(super) fn allow_row(&self, address: IpAddr) -> bool {
        self.rows.check_key(&address).is_ok()
    }

    /// Forgets keys that are back at rest.
    pub(super) fn tidy(&self) {
        self.user_at_address.retain_recent();
        self.user.retain_recent();
        self.address.retain_recent();
        self.device.retain_recent();
        self.rows.retain_recent();
    }
}

/// `burst` at once, and so many in `seconds` after that.
fn limiter<K: Hash + Eq + Clone>(burst: u32, count: u32, seconds: u64) -> DefaultKeyedRateLimiter<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs(seconds) / count.max(1);
    let quota = Quota::with_period(period).unwrap_or(Quota::per_hour(NonZeroU32::MIN)).allow_burst(burst);
    RateLimiter::keyed(quota)
}
