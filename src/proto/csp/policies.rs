//! Policy CSP (management reference 7.8): the one way to write and to take back a policy of a device.

use crate::proto::syncml::{Command, LocUri};

/// The node of a policy, from its area and name.
#[must_use]
pub fn node(path: &'static str) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/Policy/Config").below(path)
}

/// A policy that is a number.
#[must_use]
pub fn set_int(path: &'static str, value: u32) -> Command {
    Command::replace(node(path), "int", &value.to_string())
}

/// A policy that is a text.
#[must_use]
pub fn set_text(path: &'static str, value: &str) -> Command {
    Command::replace(node(path), "chr", value)
}

/// Not configured any more.
#[must_use]
pub fn unset(path: &'static str) -> Command {
    Command::delete(node(path))
}
