//! Allowed values as descriptions write them.

use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

use super::super::record::{Allowed, Domain, Text};
use super::{extra, extras};
use crate::proto::xml::Element;

/// What an `AllowedValues` element, or one of the same type in a condition, says.
pub(super) struct Reading {
    pub(super) allowed: Allowed,
    /// What is odd about it, in words.
    pub(super) oddity: Option<String>,
}

/// Reads allowed values; in a condition `[6,17]` is a set of two.
pub(super) fn read(element: &Element, is_condition: bool) -> Result<Reading, String> {
    let kind = element.attribute("ValueType").unwrap_or_default();
    let value = extra(element, "Value").map(|value| value.text().into_owned());
    let trimmed = || value.as_deref().unwrap_or_default().trim().to_owned();
    let listed = listed_values(element);
    let mut oddity = None;
    let domain = match kind {
        "None" => Domain::None,
        "ENUM" => Domain::Enum(listed),
        "Flag" => Domain::Flag { mask: mask(&listed)?, values: listed },
        "Range" => {
            // One description wraps the range in a list of one.
            let text = value.clone().or_else(|| listed.first().map(ToString::to_string)).unwrap_or_default();
            range(&text, is_condition).unwrap_or_else(|| {
                oddity = Some(format!("a range that is none: {}", text.trim().chars().take(40).collect::<String>()));
                Domain::None
            })
        }
        "RegEx" => Domain::RegEx(trimmed().into()),
        "XSD" => Domain::Xsd(digest(&trimmed()).into()),
        "ADMX" => admx(extra(element, "AdmxBacked")),
        "JSON" => Domain::Json(Some(trimmed().into())),
        "SDDL" => Domain::Sddl,
        _ => return Err(format!("allowed values of an unknown kind: {}", kind.chars().take(40).collect::<String>())),
    };
    let list = extra(element, "List").map(|list| delimiter(list.attribute("Delimiter").unwrap_or_default()));
    Ok(Reading { allowed: Allowed { domain, list }, oddity })
}

fn listed_values(element: &Element) -> Vec<Text> {
    let values = extras(element, "Enum").map(|item| extra(item, "Value").map(Element::trimmed).unwrap_or_default());
    values.map(Text::from).collect()
}

fn admx(backed: Option<&Element>) -> Domain {
    let text = |name: &str| backed.and_then(|backed| backed.attribute(name)).map(Text::from);
    Domain::Admx { area: text("Area"), name: text("Name"), file: text("File") }
}

/// All bits of the listed values, decimal or hexadecimal.
fn mask(values: &[Text]) -> Result<u64, String> {
    values.iter().try_fold(0, |mask, value| {
        let number = match value.strip_prefix("0x").or_else(|| value.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => value.parse(),
        };
        number.map(|number| mask | number).map_err(|_| "a flag that is no number".to_owned())
    })
}

/// `[0-10]`, `[(-1)-10]` with the negative bound in parentheses, `[3]`, or `[0,10]`: a range, and in conditions a set.
fn range(text: &str, is_condition: bool) -> Option<Domain> {
    static RANGE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^\[\(?(-?[0-9]+)\)?(?:([-,])([0-9]+))?\]$").ok());
    let parts = RANGE.as_ref()?.captures(text.trim())?;
    let number = |group: usize| parts.get(group).and_then(|digits| digits.as_str().parse::<i64>().ok());
    let min = number(1)?;
    let max = if parts.get(3).is_some() { number(3)? } else { min };
    let is_set = is_condition && parts.get(2).is_some_and(|sign| sign.as_str() == ",");
    Some(if is_set {
        Domain::Set([min, max].iter().map(|number| number.to_string().into()).collect())
    } else {
        Domain::Range { min, max }
    })
}

/// U+F000 is spelt out, in two ways.
fn delimiter(text: &str) -> Text {
    match text {
        "0xF000" | "\\xF000" => "\u{F000}".into(),
        text => text.into(),
    }
}

/// The first twelve hexadecimal digits of the SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
