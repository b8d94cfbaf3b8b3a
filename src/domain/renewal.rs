//! How long device certificates live, and when devices renew them (enrollment reference 5.4, 6).

use time::Duration;

use super::Id;
use super::enrollment::Enrollment;

/// Lifetime and renewal window of device certificates, with what belongs to them. They are made together or not at all:
/// there are none whose window is as long as the lifetime, so a certificate is never due the moment it is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalTerms {
    lifetime_days: u32,
    window_days: u32,
    retry_days: u32,
    grace_days: u32,
}

/// Which rule a set of terms breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsRejected {
    /// The window is empty, or not shorter than the lifetime.
    #[error("expected less than ca.device_lifetime_days, {0}")]
    Window(u32),
    /// The pause between attempts is empty, or longer than the window.
    #[error("expected at most ca.renew_period_days, {0}")]
    Retry(u32),
}

impl RenewalTerms {
    /// Terms in days: from issue to expiry; from the begin of the window to expiry; between attempts; after expiry.
    ///
    /// # Errors
    /// [`TermsRejected`] where they do not fit together.
    pub fn new(lifetime: u32, window: u32, retry: u32, grace: u32) -> Result<Self, TermsRejected> {
        if window == 0 || window >= lifetime {
            return Err(TermsRejected::Window(lifetime));
        }
        if retry == 0 || retry > window {
            return Err(TermsRejected::Retry(window));
        }
        Ok(Self { lifetime_days: lifetime, window_days: window, retry_days: retry, grace_days: grace })
    }

    /// From issue to expiry.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        days(self.lifetime_days)
    }

    /// Days before expiry at which the first devices begin to renew.
    #[must_use]
    pub fn window_days(&self) -> u32 {
        self.window_days
    }

    /// Days between the attempts of a device.
    #[must_use]
    pub fn retry_days(&self) -> u32 {
        self.retry_days
    }

    /// How long after its expiry a certificate that is known and not revoked is still let in.
    #[must_use]
    pub fn grace(&self) -> Duration {
        days(self.grace_days)
    }

    /// `RenewPeriod` of one device, in days before expiry: always the same for the same enrollment, and spread over the
    /// first third of the window. Devices that enrolled in one week so do not all renew in one week of the next year; two
    /// thirds of the window are left to each of them for its attempts.
    #[must_use]
    pub fn period_of(&self, enrollment: Id<Enrollment>) -> u32 {
        // The end of an id is random.
        let tail = enrollment.uuid().as_bytes()[10..].iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let later = tail % (u64::from(self.spread_days()) + 1);
        self.window_days - u32::try_from(later).unwrap_or_default()
    }

    /// How long before expiry the last of the devices should have begun to renew.
    #[must_use]
    pub fn due(&self) -> Duration {
        days(self.window_days - self.spread_days())
    }

    fn spread_days(&self) -> u32 {
        (self.window_days / 3).min(self.window_days - self.retry_days)
    }
}

fn days(days: u32) -> Duration {
    Duration::days(i64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: E-83
    #[test]
    fn a_window_is_shorter_than_the_lifetime_or_there_are_no_terms() {
        assert_eq!(RenewalTerms::new(365, 365, 4, 0), Err(TermsRejected::Window(365)));
        assert_eq!(RenewalTerms::new(365, 400, 4, 0), Err(TermsRejected::Window(365)));
        assert_eq!(RenewalTerms::new(1, 0, 1, 0), Err(TermsRejected::Window(1)));
        assert_eq!(RenewalTerms::new(365, 42, 43, 0), Err(TermsRejected::Retry(42)));
        assert_eq!(RenewalTerms::new(365, 42, 0, 0), Err(TermsRejected::Retry(42)));
        assert!(RenewalTerms::new(2, 1, 1, 0).is_ok());
    }

    //
    #[test]
    fn periods_are_spread_over_a_third_of_the_window() {
        let terms = RenewalTerms::new(365, 42, 4, 30).unwrap();
        let mut devices = [0_u32; 43];
        for number in 0..15_000_u128 {
            // Random ends as ids have them, by a multiplier that mixes well.
            let id = Id::new(uuid::Uuid::from_u128(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)));
            assert_eq!(terms.period_of(id), terms.period_of(id));
            devices[terms.period_of(id) as usize] += 1;
        }
        assert!(devices[..28].iter().all(|count| *count == 0), "{devices:?}");
        assert!(devices[28..].iter().all(|count| (800..1200).contains(count)), "{devices:?}");
        assert_eq!((terms.due(), terms.lifetime()), (Duration::days(28), Duration::days(365)));
        for (window, retry, shortest) in [(1, 1, 1), (2, 1, 2), (10, 10, 10), (60, 4, 40), (42, 40, 40)] {
            let terms = RenewalTerms::new(365, window, retry, 0).unwrap();
            assert_eq!(terms.due(), days(shortest), "{window} {retry}");
            assert!(terms.period_of(Id::new(uuid::Uuid::max())) >= retry);
        }
    }
}
