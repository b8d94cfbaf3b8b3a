//! What is asked of the values that become settings, before anything is sent (management reference 2.5).

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::proto::xml::{Document, Element, Limits, is_xml_char};

/// A value that cannot become a setting, and where it stands. It never holds the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unfit {
    /// JSON pointer of the value among the parameters.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Unfit {
    /// What is wrong with the value at that place.
    #[must_use]
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// A number that, where it is given, lies within these bounds.
pub fn within<T: PartialOrd + Display>(pointer: &str, value: Option<T>, range: RangeInclusive<T>) -> Result<(), Unfit> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(Unfit::new(pointer, format!("is {value}; it must be {} to {}", range.start(), range.end())))
        }
        _ => Ok(()),
    }
}

/// Text that XML can carry, of 1 to so many characters, without white space around it.
pub fn text(pointer: &str, value: &str, most: usize) -> Result<(), Unfit> {
    let count = value.chars().count();
    if count == 0 || count > most {
        return Err(Unfit::new(pointer, format!("has {count} characters; it must have 1 to {most}")));
    }
    if value.trim() != value {
        return Err(Unfit::new(pointer, "has white space at an end"));
    }
    if value.chars().any(|c| !is_xml_char(c) || c.is_control()) {
        return Err(Unfit::new(pointer, "has a control character, or another that XML cannot carry"));
    }
    Ok(())
}

/// [`text`], where it is given.
pub fn optional_text(pointer: &str, value: Option<&str>, most: usize) -> Result<(), Unfit> {
    value.map_or(Ok(()), |value| text(pointer, value, most))
}

/// At least one of what may be given.
pub fn something<const N: usize>(given: [bool; N]) -> Result<(), Unfit> {
    if given.contains(&true) { Ok(()) } else { Err(Unfit::new("", "nothing is set: give at least one value")) }
}

/// Bytes of the longest document that a setting takes.
const LONGEST_DOCUMENT: usize = 256 * 1024;

/// A document whose root element has that namespace and name.
pub fn document(pointer: &str, value: &str, (ns, local): (&str, &str)) -> Result<Document, Unfit> {
    if value.len() > LONGEST_DOCUMENT {
        return Err(Unfit::new(pointer, format!("has more than {LONGEST_DOCUMENT} bytes")));
    }
    let read = Document::parse_text(value.to_owned(), &Limits::default());
    let document = read.map_err(|error| Unfit::new(pointer, format!("is not a document that can be read: {error}")))?;
    if !document.root().is(ns, local) {
        let place = if ns.is_empty() { "in no namespace".to_owned() } else { format!("in the namespace {ns}") };
        return Err(Unfit::new(pointer, format!("must have the root element {local} {place}")));
    }
    Ok(document)
}

/// Whether an element holds the `xs:boolean` that is true.
#[must_use]
pub fn is_true(element: &Element) -> bool {
    matches!(element.trimmed().as_str(), "true" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_carried_is_refused_with_its_place() {
        for good in ["a", "a b", "ünï", "\u{F000}"] {
            assert_eq!(text("/name", good, 3), Ok(()), "{good:?}");
        }
        for bad in ["", "abcd", " a", "a ", "a\n", "a\u{0}b", "a\u{FFFE}", "\u{7}"] {
            assert_eq!(text("/name", bad, 3).unwrap_err().pointer, "/name", "{bad:?}");
        }
        assert_eq!(within("/n", Some(5), 1..=5), Ok(()));
        assert_eq!(within::<u32>("/n", None, 1..=5), Ok(()));
        assert_eq!(within("/n", Some(6), 1..=5).unwrap_err().message, "is 6; it must be 1 to 5");
    }

    #[test]
    fn a_document_is_known_by_its_root() {
        let root = ("urn:a", "A");
        assert!(document("/profile", "<A xmlns='urn:a'/>", root).is_ok());
        let bad = ["", "<A/>", "<B xmlns='urn:a'/>", "<A xmlns='urn:a'>", "<!DOCTYPE A><A xmlns='urn:a'/>"];
        for text in bad {
            assert_eq!(document("/profile", text, root).unwrap_err().pointer, "/profile", "{text}");
        }
        let long = format!("<A xmlns='urn:a'>{}</A>", " ".repeat(LONGEST_DOCUMENT));
        assert!(document("/profile", &long, root).unwrap_err().message.contains("262144"));
    }
}
