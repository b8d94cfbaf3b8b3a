//! What a device told about itself.

use time::OffsetDateTime;

use crate::proto::syncml::LocUri;

/// One node that a device reported.
#[derive(Clone, Debug, PartialEq)]
pub struct InventoryItem {
    /// The node.
    pub loc_uri: LocUri,
    /// Its value; `None` where the device said that it has no such node.
    pub value: Option<String>,
    /// Format, where the device named one.
    pub format: Option<String>,
    /// When.
    pub at: OffsetDateTime,
}

/// A node that a device of some build answered with 404 or 406 when an action needed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingNode {
    /// The node, in lower case.
    pub loc_uri: String,
    /// Version of the operating system at the time; another version is asked anew.
    pub os_version: String,
    /// The status.
    pub status: u16,
}
