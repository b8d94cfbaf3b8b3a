//! LocURIs: the addresses of nodes in a device's tree.

use std::borrow::Cow;
use std::fmt;

/// The address of a node, as written on the wire (segments percent-escaped).
///
/// Windows compares literals without regard to case; [`LocUri::same_as`] does so, `==` does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocUri(String);

/// Why text is not a LocURI that may be sent (rules of the Microsoft LocURI documentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocUriError {
    /// Does not begin with `./`.
    #[error("a LocURI begins with ./")]
    NotRelative,
    /// `//`, or a slash at the end.
    #[error("a LocURI has no empty segment and no slash at its end")]
    EmptySegment,
    /// `.` or `..` after the first segment, or a segment that is only `*`.
    #[error("a LocURI has no segment . or .. or * after the first")]
    ForbiddenSegment,
    /// White space or another character that must be percent-escaped.
    #[error("characters outside A-Z a-z 0-9 and - _ . ~ are percent-escaped in a LocURI")]
    Unescaped,
    /// Longer than 2,048 bytes.
    #[error("a LocURI has at most 2048 bytes")]
    TooLong,
}

impl LocUri {
    /// Takes an address from the wire as it stands, trimmed.
    #[must_use]
    pub fn received(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Takes an address from the wire that has no white space at its ends.
    pub(super) fn taken(text: String) -> Self {
        Self(text)
    }

    /// Checks an address before it may be sent.
    pub fn checked(text: &str) -> Result<Self, LocUriError> {
        let text = text.trim();
        let path = text.strip_prefix("./").ok_or(LocUriError::NotRelative)?;
        if text.len() > 2048 {
            return Err(LocUriError::TooLong);
        }
        let (path, _query) = path.split_once('?').unwrap_or((path, ""));
        for segment in path.split('/') {
            match segment {
                "" => return Err(LocUriError::EmptySegment),
                "." | ".." | "*" => return Err(LocUriError::ForbiddenSegment),
                _ if segment.chars().any(|c| !c.is_ascii_graphic() || "{}<>\"\\^`|#".contains(c)) => {
                    return Err(LocUriError::Unescaped);
                }
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// An address known at compile time.
    #[must_use]
    pub fn fixed(text: &'static str) -> Self {
        debug_assert!(Self::checked(text).is_ok(), "{text}");
        Self(text.to_owned())
    }

    /// The child of this node with that (unescaped) name.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, escape_segment(name)))
    }

    /// The node below this one at a path that is known at compile time.
    #[must_use]
    pub fn below(&self, path: &'static str) -> Self {
        let uri = Self(format!("{}/{path}", self.0));
        debug_assert!(Self::checked(&uri.0).is_ok(), "{uri}");
        uri
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment, without a query.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        let path = self.path();
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Without `?prop=…` or `?list=…`.
    #[must_use]
    pub fn path(&self) -> &str {
        path_of(&self.0)
    }

    /// What stands after `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.0.split_once('?').map(|(_, query)| query)
    }

    /// The nodes above this one, the nearest first; without `.`.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        let mut path = self.path();
        std::iter::from_fn(move || {
            path = path.rsplit_once('/')?.0;
            (path != ".").then(|| Self(path.to_owned()))
        })
    }

    /// Whether this is that node, without regard to case, `./Vendor` and `./Device/Vendor` being one.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        same_node(&self.0, &other.0)
    }

    /// Whether this node is `ancestor` or lies below it, compared as in [`LocUri::same_as`].
    #[must_use]
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        let (own, top) = (device_form(self.path()), device_form(ancestor.path()));
        own.len() >= top.len()
            && own.as_bytes()[..top.len()].eq_ignore_ascii_case(top.as_bytes())
            && (own.len() == top.len() || own.as_bytes()[top.len()] == b'/')
    }

    /// Whether the node belongs to the signed-in user.
    #[must_use]
    pub fn is_user_scope(&self) -> bool {
        self.0.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("./User/"))
    }
}

/// Whether two addresses as written name the same node; see [`LocUri::same_as`].
#[must_use]
pub fn same_node(a: &str, b: &str) -> bool {
    device_form(path_of(a)).eq_ignore_ascii_case(device_form(path_of(b)))
}

/// The form of an address in which equal nodes are equal text.
#[must_use]
pub fn node_key(uri: &str) -> String {
    device_form(path_of(uri.trim())).to_ascii_lowercase()
}

fn path_of(uri: &str) -> &str {
    uri.split('?').next().unwrap_or_default()
}

/// `./Device/Vendor/…` and `./Vendor/…` name the same device node: the second form is taken.
fn device_form(path: &str) -> &str {
    match path.get(..9) {
        Some(start) if start.eq_ignore_ascii_case("./Device/") => path.get(9..).unwrap_or_default(),
        _ => path.strip_prefix("./").unwrap_or(path),
    }
}

impl fmt::Display for LocUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Percent-escapes a name for use as one segment: everything outside `A-Z a-z 0-9 - _ . ~`.
#[must_use]
pub fn escape_segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    out
}

/// Splits the data that a Get of an interior node brings: child names joined by `/`, each escaped.
#[must_use]
pub fn split_children(data: &str) -> Vec<String> {
    data.split('/').filter(|name| !name.is_empty()).map(|name| unescape_segment(name).into_owned()).collect()
}

/// Resolves the percent escapes of a segment; what is no escape stands as it is, bytes that are no UTF-8 become U+FFFD.
#[must_use]
pub fn unescape_segment(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%').then(|| bytes.get(at + 1..at + 3).and_then(hex_pair)).flatten();
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(*digits.first()?)? << 4 | digit(*digits.get(1)?)?)
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    // covers: M-91
    #[test]
    fn segments_are_escaped() {
        assert_eq!(escape_segment("MS DM Server"), "MS%20DM%20Server");
        assert_eq!(escape_segment("{A-1}/é"), "%7BA-1%7D%2F%C3%A9");
        let base = LocUri::fixed("./Device/Vendor/MSFT/DMClient/Provider");
        assert_eq!(base.join("MS DM Server").as_str(), "./Device/Vendor/MSFT/DMClient/Provider/MS%20DM%20Server");
    }

    // covers: M-92
    #[test]
    fn malformed_addresses_are_refused() {
        let cases = [
            ("/Vendor", LocUriError::NotRelative),
            ("Vendor/MSFT", LocUriError::NotRelative),
            ("./", LocUriError::EmptySegment),
            ("./a//b", LocUriError::EmptySegment),
            ("./a/", LocUriError::EmptySegment),
            ("./a/./b", LocUriError::ForbiddenSegment),
            ("./a/../b", LocUriError::ForbiddenSegment),
            ("./a/*", LocUriError::ForbiddenSegment),
            ("./a b", LocUriError::Unescaped),
            ("./a/{b}", LocUriError::Unescaped),
            ("./a/é", LocUriError::Unescaped),
        ];
        for (text, error) in cases {
            assert_eq!(LocUri::checked(text), Err(error), "{text}");
        }
        assert!(LocUri::checked(" ./Vendor/MSFT/WiFi/Profile/My%20Net/WlanXml?prop=Type ").is_ok());
    }

    // covers: M-77
    #[test]
    fn children_of_an_interior_node_are_split_and_unescaped() {
        assert_eq!(split_children("CacheVersion/My%20Node/%C3%A9%"), ["CacheVersion", "My Node", "é%"]);
        assert!(split_children("").is_empty());
    }

    #[test]
    fn the_nodes_above_are_told_from_the_nearest_on() {
        let above: Vec<String> = LocUri::received("./Vendor/MSFT/a?list=Struct").ancestors().map(|uri| uri.0).collect();
        assert_eq!(above, ["./Vendor/MSFT", "./Vendor"]);
        assert_eq!(LocUri::received("./a").ancestors().count(), 0);
    }

    #[test]
    fn nodes_compare_without_case_and_device_prefix() {
        let a = LocUri::received("./Device/Vendor/MSFT/RemoteLock/Lock");
        assert!(a.same_as(&LocUri::received("./vendor/msft/remotelock/LOCK")));
        assert!(a.is_at_or_below(&LocUri::received("./Vendor/MSFT/RemoteLock")));
        assert!(!a.is_at_or_below(&LocUri::received("./Vendor/MSFT/RemoteL")));
        assert!(LocUri::received("./user/Vendor").is_user_scope());
    }
}
