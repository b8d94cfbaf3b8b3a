//! `[ca]`.

use serde::{Deserialize, Serialize};

use crate::domain::renewal::RenewalTerms;
use crate::domain::renewal::TermsRejected;

/// `[ca]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ca {
    /// How long a device certificate lives, in days. Default 365.
    pub device_lifetime_days: u32,
    /// How long before expiry a device begins to renew, in days, 1 to 1000; below the lifetime. Default 42.
    pub renew_period_days: u32,
    /// How long a device waits after a failed renewal, in days; at most the period. Default 4.
    pub renew_retry_days: u32,
    /// How long after its end a device certificate that is known and not revoked still lets its device in, so that it can
    /// renew, in days, 0 to 365. Default 0: not at all, and the device has to be enrolled again.
    pub expired_grace_days: u32,
    /// Smallest RSA key of a device, in bits: 2048, 3072 or 4096. Default 2048.
    pub min_key_bits: u32,
    /// Whether devices are told to keep their key in software, not in the TPM. Default false.
    pub software_keys_only: bool,
    /// The organisation named in CA certificates that are made. Default empty: the product's name stands there.
    pub organization: String,
}

impl Default for Ca {
    fn default() -> Self {
        Self {
            device_lifetime_days: 365,
            renew_period_days: 42,
            renew_retry_days: 4,
            expired_grace_days: 0,
            min_key_bits: 2048,
            software_keys_only: false,
            organization: String::new(),
        }
    }
}

impl Ca {
    /// The terms under which device certificates are issued and renewed.
    ///
    /// # Errors
    /// [`TermsRejected`] where the keys do not fit together.
    pub fn renewal(&self) -> Result<RenewalTerms, TermsRejected> {
        RenewalTerms::new(
            self.device_lifetime_days,
            self.renew_period_days,
            self.renew_retry_days,
            self.expired_grace_days,
        )
    }
}
