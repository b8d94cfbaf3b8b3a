//! The computer name in DevDetail (10.0.19041; management reference 7.24).

use crate::proto::syncml::{Command, LocUri};

/// The node that holds the name that counts from the next start on.
pub const DNS_COMPUTER_NAME: &str = "./DevDetail/Ext/Microsoft/DNSComputerName";

/// Why Windows would not take a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than NetBIOS allows.
    #[error("a computer name has 1 to 15 characters; %SERIAL% and %RAND:n% are filled in by Windows")]
    Length,
    /// A character that a computer name cannot have, or digits only.
    #[error("a computer name has letters, digits and hyphens, and not only digits")]
    Characters,
}

/// Judges a name; macros count as what they stand for as far as that is known.
pub fn check(name: &str) -> Result<(), NameError> {
    let plain: String = name.split('%').step_by(2).collect();
    let has_macro = name.contains('%');
    if name.is_empty() || plain.chars().count() > 15 || name.len() > 63 {
        return Err(NameError::Length);
    }
    let good = plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let only_digits = !has_macro && plain.bytes().all(|byte| byte.is_ascii_digit());
    if good && !only_digits { Ok(()) } else { Err(NameError::Characters) }
}

/// `Replace` of the name.
#[must_use]
pub fn rename(name: &str) -> Command {
    Command::replace(LocUri::fixed(DNS_COMPUTER_NAME), "chr", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_refuses_are_refused() {
        for name in ["PC-7", "A", "PC-%RAND:4%", "%SERIAL%"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", "SIXTEEN-LETTERS1", "PC 7", "ü", "1234"] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
