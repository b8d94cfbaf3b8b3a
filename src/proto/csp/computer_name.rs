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
    /// Something between percent signs that Windows does not fill in, or one that is alone.
    #[error("of macros there are %SERIAL% and %RAND:n%, with n from 1 to 15")]
    Macro,
    /// A character that a computer name cannot have, or digits only.
    #[error("a computer name has letters, digits and hyphens, and not only digits")]
    Characters,
}

/// Judges a name; `%RAND:n%` counts as its digits, `%SERIAL%` as at least one character.
pub fn check(name: &str) -> Result<(), NameError> {
    let parts: Vec<&str> = name.split('%').collect();
    let has_macro = parts.len() > 1;
    if parts.len().is_multiple_of(2) {
        return Err(NameError::Macro);
    }
    let made = parts.iter().skip(1).step_by(2).map(|text| made_by(text)).sum::<Option<usize>>();
    let made = made.ok_or(NameError::Macro)?;
    let plain: String = parts.into_iter().step_by(2).collect();
    if name.is_empty() || plain.chars().count() + made > 15 {
        return Err(NameError::Length);
    }
    let good = plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let only_digits = !has_macro && plain.bytes().all(|byte| byte.is_ascii_digit());
    if good && !only_digits { Ok(()) } else { Err(NameError::Characters) }
}

/// The characters that a macro makes, at least; nothing for one that Windows does not know.
fn made_by(text: &str) -> Option<usize> {
    match text.strip_prefix("RAND:") {
        Some(digits) => digits.parse().ok().filter(|count| (1..=15).contains(count)),
        None => (text == "SERIAL").then_some(1),
    }
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
        for name in ["", "SIXTEEN-LETTERS1", "PC 7", "ü", "1234", "PC-%RAND:20%", "PC-%RAND:13%", "%USERNAME%", "PC%"]
        {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
