//! What a value that a device reported says, read by its format (management reference 2.2, 3.1). It is shown beside the value,
//! never in place of it, and nothing is decided by it.

use serde::Serialize;

use super::action::describe_hresult;
use crate::proto::base64;
use crate::proto::csp::catalogue::{self, Format};
use crate::proto::syncml::{LocUri, split_children};
use crate::proto::xml::{Document, Limits};

/// A value, read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Decoded {
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// An error code with its name.
    Error(String),
    /// The names of the nodes below an interior node.
    Names(Vec<String>),
    /// Bytes, with their text where they are one.
    Bytes {
        /// How many.
        bytes: usize,
        /// What they say.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// An XML document.
    Xml {
        /// The name of its root.
        root: String,
        /// How many elements it has.
        elements: usize,
    },
}

/// Values longer than this, in bytes, are not read.
const LONGEST: usize = 64 * 1024;
/// Longest text in bytes that is shown of decoded bytes.
const LONGEST_TEXT: usize = 4 * 1024;
const XML: Limits = Limits { depth: 32, attributes: 32, events: 20_000 };

/// Last segments of nodes that hold an error code, in lower case.
const ERRORS: &[&str] = &["errorcode", "lasterror", "lasterrorcode", "hresult", "lasthresult"];
/// Last segments of nodes that hold an error code where they are negative.
const STATES: &[&str] = &["status", "laststatus", "enrollstatus"];

/// Reads a value of that node. Without a format the one that the catalogue knows counts, else text.
#[must_use]
pub fn decode(uri: &LocUri, format: Option<&str>, data: &str) -> Option<Decoded> {
    if data.len() > LONGEST {
        return None;
    }
    let known = || catalogue::embedded().find(uri.path()).map(|found| found.record().format);
    let format = format.and_then(Format::from_name).or_else(known);
    match format {
        Some(Format::Node) => Some(Decoded::Names(split_children(data))),
        Some(Format::Int) => number(uri, data),
        Some(Format::Bool) => flag(data),
        Some(Format::B64 | Format::Bin) => bytes(data),
        Some(Format::Xml) => xml(data),
        _ if data.trim_start().starts_with('<') => xml(data),
        None => error(uri, data),
        _ => None,
    }
}

fn number(uri: &LocUri, data: &str) -> Option<Decoded> {
    error(uri, data).or_else(|| data.trim().parse().ok().map(Decoded::Number))
}

/// Error codes are signed decimals of 32 bits; people know them as eight hexadecimal digits.
fn error(uri: &LocUri, data: &str) -> Option<Decoded> {
    let name = uri.last_segment().to_ascii_lowercase();
    let number: i64 = data.trim().parse().ok()?;
    let is_failure = number < 0 || number > i64::from(i32::MAX);
    let is_error = ERRORS.contains(&name.as_str()) || is_failure && STATES.contains(&name.as_str());
    let in_range = i64::from(i32::MIN)..=i64::from(u32::MAX);
    (is_error && in_range.contains(&number)).then(|| Decoded::Error(describe_hresult(data)))
}

fn flag(data: &str) -> Option<Decoded> {
    match data.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(Decoded::Flag(true)),
        "false" | "0" => Some(Decoded::Flag(false)),
        _ => None,
    }
}

fn bytes(data: &str) -> Option<Decoded> {
    let bytes = base64::decode(data).ok()?;
    let is_text =
        |text: &&str| text.len() <= LONGEST_TEXT && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    let text = std::str::from_utf8(&bytes).ok().filter(is_text).map(str::to_owned);
    Some(Decoded::Bytes { bytes: bytes.len(), text })
}

fn xml(data: &str) -> Option<Decoded> {
    let document = Document::parse(data.trim().as_bytes(), &XML).ok()?;
    let mut elements = 0;
    let mut open = vec![document.root()];
    while let Some(element) = open.pop() {
        elements += 1;
        open.extend(element.elements());
    }
    Some(Decoded::Xml { root: document.root().local.clone(), elements })
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: M-77, M-90
    #[test]
    fn values_are_read_by_their_format() {
        let error = |text: &str| Some(Decoded::Error(text.to_owned()));
        let xml = |root: &str, elements| Some(Decoded::Xml { root: root.to_owned(), elements });
        let node = "./Vendor/MSFT/Example/Value";
        let cases: [(&str, Option<&str>, &str, Option<Decoded>); 20] = [
            (node, Some("int"), " -5 ", Some(Decoded::Number(-5))),
            (node, Some("int"), "five", None),
            (node, Some("bool"), "True", Some(Decoded::Flag(true))),
            (node, Some("bool"), "0", Some(Decoded::Flag(false))),
            (node, Some("bool"), "maybe", None),
            (node, Some("node"), "a%20b/c", Some(Decoded::Names(vec!["a b".to_owned(), "c".to_owned()]))),
            (node, Some("b64"), "aGk=", Some(Decoded::Bytes { bytes: 2, text: Some("hi".to_owned()) })),
            (node, Some("bin"), "AAEC", Some(Decoded::Bytes { bytes: 3, text: None })),
            (node, Some("b64"), "not base64!", None),
            (node, Some("xml"), "<a><b/><b/></a>", xml("a", 3)),
            (node, Some("chr"), "<?xml version='1.0'?><a/>", xml("a", 1)),
            (node, Some("xml"), "<a>", None),
            (node, Some("chr"), "5", None),
            (node, None, "5", None),
            (
                "./Vendor/MSFT/X/LastError",
                Some("int"),
                "-2147024891",
                error("0x80070005 ERROR_ACCESS_DENIED: access denied"),
            ),
            ("./Vendor/MSFT/X/ErrorCode", None, "-2147024891", error("0x80070005 ERROR_ACCESS_DENIED: access denied")),
            ("./Vendor/MSFT/X/LastError", Some("int"), "0", error("0x00000000")),
            ("./Vendor/MSFT/X/Status", Some("int"), "-1", error("0xFFFFFFFF")),
            ("./Vendor/MSFT/X/Status", Some("int"), "70", Some(Decoded::Number(70))),
            ("./Vendor/MSFT/X/LastError", Some("int"), "99999999999", Some(Decoded::Number(99_999_999_999))),
        ];
        for (uri, format, data, expected) in cases {
            assert_eq!(decode(&LocUri::received(uri), format, data), expected, "{uri} {format:?} {data}");
        }
        let known = LocUri::fixed("./Device/Vendor/MSFT/DMClient/Provider/Muster/Poll/NumberOfFirstRetries");
        assert_eq!(decode(&known, None, "8"), Some(Decoded::Number(8)), "the catalogue knows the format");
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_left_as_it_is() {
        let uri = LocUri::fixed("./a");
        assert_eq!(decode(&uri, Some("b64"), &"A".repeat(LONGEST + 4)), None);
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        assert_eq!(decode(&uri, Some("xml"), &deep), None);
    }
}
