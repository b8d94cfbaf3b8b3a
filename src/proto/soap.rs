//! SOAP 1.2 as the enrollment services use it: envelope, WS-Security header, faults.
//!
//! Requests are read with any prefixes and in the SOAP 1.1 namespace too; answers are SOAP 1.2 without white space
//! between elements.

pub mod envelope;
pub mod fault;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod security;

use super::xml::Element;
use envelope::Rejection;

/// A URI without any white space: documents wrap long ones, inside text and inside attributes.
pub(in crate::proto) fn folded(uri: &str) -> String {
    uri.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The one child of that local name in one of these namespaces.
///
/// # Errors
///
/// [`Rejection::Format`] when there are two: nothing is picked.
pub(in crate::proto) fn at_most_one<'e>(
    parent: &'e Element,
    namespaces: &[&str],
    local: &str,
) -> Result<Option<&'e Element>, Rejection> {
    let mut found = parent.elements().filter(|e| e.local == local && namespaces.contains(&e.ns.as_str()));
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Rejection::Format("an element stands twice where one is allowed")),
    }
}
