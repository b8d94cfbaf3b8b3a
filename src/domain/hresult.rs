//! The codes that Windows shows when an enrollment fails: what they mean and what to do, for whoever is asked for help
//! (enrollment reference 7.2 to 7.4).

mod table;

use std::borrow::Cow;

use super::language::Language;
use table::{TABLE, http_status};

/// What a code means, in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What happened.
    pub cause: Cow<'static, str>,
    /// What to do.
    pub fix: Cow<'static, str>,
}

/// A code with its advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The constant of Windows' headers, or the kind of the code.
    pub name: Cow<'static, str>,
    /// In English.
    pub english: Advice,
    /// In French.
    pub french: Advice,
}

impl Explanation {
    /// The advice in a language.
    #[must_use]
    pub fn advice(&self, language: Language) -> &Advice {
        match language {
            Language::English => &self.english,
            Language::French => &self.french,
        }
    }
}

/// What is known of a code; `None` for one that has nothing to do with enrollment.
#[must_use]
pub fn explain(code: u32) -> Option<Explanation> {
    if let Some(row) = TABLE.iter().find(|row| row.code == code) {
        let advice = |(cause, fix): (&'static str, &'static str)| Advice { cause: cause.into(), fix: fix.into() };
        return Some(Explanation { name: row.name.into(), english: advice(row.english), french: advice(row.french) });
    }
    let status = code.checked_sub(HTTP).and_then(|status| u16::try_from(status).ok())?;
    (100..=599).contains(&status).then(|| http_status(status))
}

/// Every code that is explained for itself, in their order.
pub fn all() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.code)
}

/// Reads a code as people copy it: `0x80180012`, `80180012`, or the negative number of some logs.
#[must_use]
pub fn parse(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(negative) = text.strip_prefix('-') {
        let number: i64 = negative.parse().ok()?;
        return i32::try_from(-number).ok().map(i32::cast_unsigned);
    }
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let is_code = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_code.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// HTTP statuses are shown as `0x8019` and the status in hex.
const HTTP: u32 = 0x8019_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::soap::fault::{ErrorType, Subcode};

    #[test]
    fn every_fault_of_the_server_is_explained_by_a_row_of_its_own() {
        let faults =
            Subcode::ALL.into_iter().map(Subcode::hresult).chain(ErrorType::ALL.into_iter().map(ErrorType::hresult));
        let mut names: Vec<_> = faults.map(|code| explain(code).unwrap_or_else(|| panic!("{code:#X}")).name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_code_of_the_help_desk_is_explained_in_both_languages() {
        let shown = (0x8018_0008..=0x8018_000A).chain(0x8018_000D..=0x8018_0010).chain(0x8018_0012..=0x8018_002B);
        for code in shown.chain(0x8018_0030..=0x8018_0032).chain([0x8019_0190, 0x8019_0193, 0x8019_01F4, 0x8019_00C8]) {
            let known = explain(code).unwrap_or_else(|| panic!("{code:#X}"));
            for text in [&known.english.cause, &known.english.fix, &known.french.cause, &known.french.fix] {
                assert!(text.ends_with('.') && text.chars().count() > 15, "{code:#X}: {text}");
            }
        }
        for code in [0, 0x8007_0005, 0x8019_0258, 0x8019_0000, u32::MAX] {
            assert_eq!(explain(code), None, "{code:#X}");
        }
    }

    #[test]
    fn rows_are_in_order() {
        let codes: Vec<_> = all().collect();
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:X?}");
    }

    #[test]
    fn codes_are_read_as_people_copy_them() {
        for text in ["0x80180012", "80180012", " 0X80180012 ", "-2145910766"] {
            assert_eq!(parse(text), Some(0x8018_0012), "{text}");
        }
        for text in ["", "0x", "12", "-", "0x801800120", "-99999999999", "hello123", "+0180012"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
