//! Whether a value is one that a node takes: format, listed values, bits, bounds, expressions.

use super::check::{Check, ErrorKind, Refusal};
use super::record::{Allowed, Domain, Format, Text};
use super::tree::{Found, Place, compile};
use crate::proto::base64;

/// Judges format and value of an Add or Replace. `instead` goes before what the description says of values.
pub(super) fn check(found: &Found<'_, '_>, check: &Check<'_>, instead: Option<&Allowed>) -> Result<(), Refusal> {
    let format = found.record.format;
    if let Some(written) = check.format.filter(|written| *written != format.name()) {
        let shown = Format::from_name(written).map_or("another", Format::name);
        let message = format!("the format is {shown}, but the node has {}", format.name());
        return Err(Refusal::new(ErrorKind::WrongFormat, message));
    }
    let Some(value) = check.value.filter(|_| !found.record.is_interior()) else { return Ok(()) };
    let rule = match instead {
        Some(allowed) => Rule { format, allowed: Some(allowed), place: None },
        None => Rule { format, allowed: found.record.allowed.as_deref(), place: Some(found.place_of(found.place)) },
    };
    match delimiter_of(rule.allowed).filter(|delimiter| value.contains(delimiter)) {
        None => rule.check(value),
        Some(delimiter) => value
            .split(delimiter)
            .enumerate()
            .try_for_each(|(index, item)| rule.check(item).map_err(|refusal| refusal.of_item(index))),
    }
}

/// What a value, or an item of a list, must be.
struct Rule<'r> {
    format: Format,
    allowed: Option<&'r Allowed>,
    /// Where the expression is kept compiled.
    place: Option<&'r Place>,
}

impl Rule<'_> {
    fn check(&self, value: &str) -> Result<(), Refusal> {
        let domain = self.allowed.map_or(&Domain::None, |allowed| &allowed.domain);
        if !parses(self.format, domain, value) {
            let message = format!("the value is not {}", expected(self.format, domain));
            return Err(Refusal::new(ErrorKind::WrongFormat, message));
        }
        let (kind, good) = match domain {
            Domain::Enum(values) | Domain::Set(values) => {
                (ErrorKind::ValueNotInEnum, values.iter().any(|listed| is_listed(self.format, listed, value, values)))
            }
            Domain::Flag { mask, .. } => (ErrorKind::BadFlag, within(*mask, value)),
            Domain::Range { min, max } => (ErrorKind::ValueOutOfRange, between(*min, *max, value)),
            Domain::RegEx(pattern) => (ErrorKind::RegexMismatch, self.matches(pattern, value)),
            Domain::None | Domain::Xsd(_) | Domain::Admx { .. } | Domain::Json(_) | Domain::Sddl => return Ok(()),
        };
        if good { Ok(()) } else { Err(Refusal::new(kind, format!("the value is not {domain}"))) }
    }

    fn matches(&self, pattern: &str, value: &str) -> bool {
        match self.place {
            Some(place) => place.matches(value),
            None => compile(pattern).is_none_or(|expression| expression.is_match(value)),
        }
    }
}

/// What stands between the items of a value, where each is judged by itself.
fn delimiter_of(allowed: Option<&Allowed>) -> Option<&str> {
    let allowed = allowed?;
    let delimiter = allowed.list.as_deref().filter(|delimiter| !delimiter.is_empty())?;
    let takes_list_apart = |pattern: &str| {
        pattern.split('[').any(|class| class.strip_prefix(delimiter).is_some_and(|end| end.starts_with(']')))
    };
    match &allowed.domain {
        Domain::RegEx(pattern) if takes_list_apart(pattern) => None,
        _ => Some(delimiter),
    }
}

impl Refusal {
    fn of_item(mut self, index: usize) -> Self {
        self.message = format!("item {} of the list: {}", index + 1, self.message);
        self
    }
}

/// Whether text is a value of the format.
fn parses(format: Format, domain: &Domain, value: &str) -> bool {
    match (format, domain) {
        (Format::Int | Format::Chr, Domain::Flag { .. }) => number(value).is_some(),
        (Format::Int, _) | (Format::Chr, Domain::Range { .. }) => integer(value).is_some(),
        (Format::Bool, Domain::Enum(values)) => {
            boolean(value).is_some() || values.iter().any(|listed| same_bool(listed, value))
        }
        (Format::Bool, _) => boolean(value).is_some(),
        (Format::B64 | Format::Bin, _) => base64::decode_lines(value).is_ok(),
        _ => true,
    }
}

fn expected(format: Format, domain: &Domain) -> &'static str {
    match (format, domain) {
        (Format::Int | Format::Chr, Domain::Flag { .. }) => "an integer, in decimal or 0x hexadecimal digits",
        (Format::Bool, _) => "true or false",
        (Format::B64 | Format::Bin, _) => "base64",
        _ => "an integer in decimal digits",
    }
}

fn is_listed(format: Format, listed: &Text, value: &str, all: &[Text]) -> bool {
    match format {
        Format::Int => match (number(listed), integer(value)) {
            (Some(listed), Some(value)) => listed == value,
            _ => listed.as_str() == value,
        },
        Format::Bool if all.iter().all(|listed| matches!(listed.as_str(), "0" | "1")) => {
            // Two spellings of the same.
            bool_of(listed) == bool_of(value)
        }
        Format::Bool => same_bool(listed, value),
        _ => listed.as_str() == value,
    }
}

fn same_bool(listed: &str, value: &str) -> bool {
    listed.eq_ignore_ascii_case(value)
}

fn boolean(text: &str) -> Option<bool> {
    [("true", true), ("false", false)].iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

fn bool_of(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => boolean(text),
    }
}

fn within(mask: u64, value: &str) -> bool {
    let number = number(value);
    number.and_then(|number| u128::try_from(number).ok()).is_some_and(|number| number & !u128::from(mask) == 0)
}

fn between(min: i64, max: i64, value: &str) -> bool {
    integer(value).is_some_and(|number| (i128::from(min)..=i128::from(max)).contains(&number))
}

fn number(text: &str) -> Option<i128> {
    integer(text).or_else(|| hexadecimal(text))
}

/// Decimal digits with or without a sign. What is too large for any bound counts as the largest.
fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or_else(|_| if text.starts_with('-') { i128::MIN } else { i128::MAX }))
}

/// `0x` and hexadecimal digits, with or without a minus sign.
fn hexadecimal(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"))?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = i128::from_str_radix(digits, 16).unwrap_or(i128::MAX);
    Some(if unsigned.len() == text.len() { number } else { -number })
}
