//! The secret of an address and the digits of a PIN.

use secrecy::{ExposeSecret, SecretString};
use time::Duration;
use zeroize::Zeroizing;

use crate::app::pin_hash::PinOf;
use crate::app::ports::Rng;
use crate::app::tokens::{random_text, secret_hash};
use crate::app::{App, Error};
use crate::domain::invitation::{Invitation, Pin};

/// What an invitation gets, and only its hashes keeps.
pub(super) struct Secret {
    token: SecretString,
    pin: Option<(SecretString, Vec<u8>)>,
}

impl Secret {
    /// A new one: 256 random bits for the address and, if wanted, a PIN.
    pub(super) async fn new(app: &App, with_pin: bool) -> Result<Self, Error> {
        let token = random_text(app.rng.as_ref());
        if !with_pin {
            return Ok(Self { token, pin: None });
        }
        let pin = digits(app.rng.as_ref(), app.settings.invitations.pin_digits);
        let sealed_hash = app.sealed_pin_hash(PinOf::Invitation, pin.clone()).await?;
        Ok(Self { token, pin: Some((pin, sealed_hash)) })
    }

    /// The address.
    pub(super) fn url(&self, app: &App) -> SecretString {
        format!("{}/i/{}", app.settings.url, self.token.expose_secret()).into()
    }

    /// The PIN.
    pub(super) fn pin(&self) -> Option<SecretString> {
        self.pin.as_ref().map(|(pin, _)| pin.clone())
    }

    /// Gives an invitation its hashes; from now on it works for so long.
    pub(super) fn put_into(&self, app: &App, invitation: &mut Invitation, lifetime: Duration) {
        let now = app.now();
        invitation.token_hash = secret_hash(self.token.expose_secret());
        invitation.issued_at = now;
        invitation.expires_at = now + lifetime;
        invitation.pin = self.pin.as_ref().map(|(_, sealed_hash)| Pin {
            sealed_hash: sealed_hash.clone(),
            expires_at: (now + app.settings.invitations.pin_lifetime).min(invitation.expires_at),
            tries: 0,
        });
    }
}

/// Whether a text may be the secret of an address: 256 bits as `random_text` writes them.
pub(super) fn has_shape(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Decimal digits, each as likely as any other.
fn digits(rng: &dyn Rng, count: u32) -> SecretString {
    let mut text = Zeroizing::new(String::new());
    while text.len() < usize::try_from(count).unwrap_or_default() {
        let mut byte = [0];
        rng.fill(&mut byte);
        // Above 249 some digits would come more often.
        if byte[0] < 250 {
            text.push(char::from(b'0' + byte[0] % 10));
        }
    }
    SecretString::from(text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::Mutex<u8>);

    impl Rng for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            let mut next = self.0.lock().unwrap();
            for byte in buffer {
                *byte = *next;
                *next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn digits_are_even() {
        let rng = Counting(std::sync::Mutex::new(0));
        let text = digits(&rng, 250);
        for digit in '0'..='9' {
            assert_eq!(text.expose_secret().matches(digit).count(), 25, "{digit}");
        }
    }

    #[test]
    fn only_what_may_be_a_secret_is_looked_up() {
        let secret = random_text(&Counting(std::sync::Mutex::new(0)));
        assert!(has_shape(secret.expose_secret()));
        for other in ["", "short", &"a".repeat(44), &"é".repeat(21), &format!("{}=", "a".repeat(42))] {
            assert!(!has_shape(other), "{other}");
        }
    }
}
