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

/// Longest address of a node that is kept, in bytes; no longer one can be asked for, and an index does not take much more.
pub const LONGEST_NODE: usize = 2048;

impl InventoryItem {
    /// Whether it says yes.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.value
            .as_deref()
            .is_some_and(|value| matches!(value.trim(), "1") || value.trim().eq_ignore_ascii_case("true"))
    }

    /// Whether its address, in the form in which nodes are compared, is short enough to be kept.
    #[must_use]
    pub fn can_be_kept(&self) -> bool {
        self.loc_uri.as_str().to_lowercase().len() <= LONGEST_NODE
    }
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
