//! What proves an enrolling user.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::attempt::Road;
use super::invitation::PIN_DIGITS;

/// Wrong ones after which a PIN, of an invitation or of a package, is locked for good.
pub const MOST_PIN_TRIES: u32 = 5;

/// What users enroll with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInWith {
    /// The password, or the PIN of an invitation.
    #[default]
    PasswordOrPin,
    /// The password.
    Password,
    /// The PIN of an invitation.
    Pin,
    /// Both, one behind the other in the field for the password.
    PasswordAndPin,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The password.
    Password,
    /// The PIN.
    Pin,
}

/// What somebody typed, taken apart: what has to be checked. It depends on the typed text and the configuration alone,
/// never on who it is for, so every user costs the same.
#[derive(Debug)]
pub struct Typed {
    /// What to check it as; at least one.
    pub checks: Vec<(Method, SecretString)>,
    /// Whether all of them must be right, or one.
    pub needs_all: bool,
}

impl Typed {
    /// The road of an enrollment with it, where it was proven by `method`, or is taken for that.
    #[must_use]
    pub fn road(&self, method: Method) -> Road {
        let alone = self.checks.first().filter(|_| self.checks.len() == 1).map(|(method, _)| *method);
        match alone.unwrap_or(method) {
            _ if self.needs_all => Road::PasswordAndPin,
            Method::Password => Road::Password,
            Method::Pin => Road::Pin,
        }
    }

    /// Whether it holds what may be a PIN; anything else is no try of one.
    #[must_use]
    pub fn may_hold_pin(&self) -> bool {
        self.ends_in_pin() && !self.lacks_password()
    }

    /// Whether the PIN stands alone where the password belongs before it. That is never right and teaches nothing, so it is
    /// no try of the PIN.
    #[must_use]
    pub fn lacks_password(&self) -> bool {
        let is_empty = |(method, secret): &(Method, SecretString)| {
            *method == Method::Password && secret.expose_secret().is_empty()
        };
        self.needs_all && self.ends_in_pin() && self.checks.iter().any(is_empty)
    }

    fn ends_in_pin(&self) -> bool {
        self.checks.iter().any(|(method, secret)| *method == Method::Pin && is_pin(secret.expose_secret()))
    }
}

impl SignInWith {
    /// Whether invitations have PINs.
    #[must_use]
    pub fn takes_pins(self) -> bool {
        self != Self::Password
    }

    /// Whether nobody enrolls without one.
    #[must_use]
    pub fn demands_pin(self) -> bool {
        matches!(self, Self::Pin | Self::PasswordAndPin)
    }

    /// Whether nobody enrolls without a password.
    #[must_use]
    pub fn demands_password(self) -> bool {
        matches!(self, Self::Password | Self::PasswordAndPin)
    }

    /// Takes apart what was typed, where PINs have so many digits.
    #[must_use]
    pub fn read(self, typed: SecretString, pin_digits: u32) -> Typed {
        let one = |method| Typed { checks: vec![(method, typed.clone())], needs_all: false };
        match self {
            Self::Password => one(Method::Password),
            Self::Pin => one(Method::Pin),
            Self::PasswordOrPin if is_pin(typed.expose_secret()) => {
                Typed { checks: vec![(Method::Password, typed.clone()), (Method::Pin, typed)], needs_all: false }
            }
            Self::PasswordOrPin => one(Method::Password),
            Self::PasswordAndPin => {
                let text = typed.expose_secret();
                let digits = usize::try_from(pin_digits).unwrap_or(usize::MAX);
                let at = text.len().saturating_sub(digits);
                // Text that cannot be taken apart there is no password with a PIN, and costs as much.
                let (password, pin) = text.split_at_checked(at).unwrap_or((text, ""));
                let checks = vec![(Method::Password, password.into()), (Method::Pin, pin.into())];
                Typed { checks, needs_all: true }
            }
        }
    }
}

/// Whether a text looks like a PIN; a password may, too.
fn is_pin(text: &str) -> bool {
    let digits = u32::try_from(text.len()).unwrap_or(u32::MAX);
    PIN_DIGITS.contains(&digits) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_follows_from_what_was_typed() {
        let read = |with: SignInWith, text: &str| -> (Vec<(Method, String)>, bool) {
            let typed = with.read(text.into(), 6);
            let plain = |(method, secret): &(Method, SecretString)| (*method, secret.expose_secret().to_owned());
            (typed.checks.iter().map(plain).collect(), typed.needs_all)
        };
        let (password, pin) = (|t: &str| (Method::Password, t.to_owned()), |t: &str| (Method::Pin, t.to_owned()));
        use SignInWith as With;
        assert_eq!(read(With::Password, "123456"), (vec![password("123456")], false));
        assert_eq!(read(With::Pin, "horse"), (vec![pin("horse")], false));
        assert_eq!(read(With::PasswordOrPin, "horse"), (vec![password("horse")], false));
        assert_eq!(read(With::PasswordOrPin, "12345"), (vec![password("12345")], false));
        assert_eq!(read(With::PasswordOrPin, "123456"), (vec![password("123456"), pin("123456")], false));
        assert_eq!(read(With::PasswordAndPin, "horse123456"), (vec![password("horse"), pin("123456")], true));
        assert_eq!(read(With::PasswordAndPin, "é"), (vec![password(""), pin("é")], true));
        assert_eq!(read(With::PasswordAndPin, "ééé1"), (vec![password("ééé1"), pin("")], true), "inside a letter");
        let tries = |with: SignInWith, text: &str| with.read(text.into(), 6).may_hold_pin();
        assert!(tries(With::Pin, "123456") && tries(With::PasswordAndPin, "x123456"));
        assert!(!tries(With::PasswordAndPin, "123456"), "without a password it is no try of the PIN");
    }
}
