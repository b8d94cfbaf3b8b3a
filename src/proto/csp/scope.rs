//! Whose part of the tree: the device's, or that of the user who enrolled.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proto::syncml::LocUri;

/// Whose part of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `./Device`
    #[default]
    Device,
    /// `./User`: waits for the user who enrolled to be signed in.
    User,
}

impl Scope {
    /// The node at a path below `./Device/Vendor/MSFT` or `./User/Vendor/MSFT`.
    #[must_use]
    pub fn node(self, path: &'static str) -> LocUri {
        let root = match self {
            Self::Device => "./Device/Vendor/MSFT",
            Self::User => "./User/Vendor/MSFT",
        };
        LocUri::fixed(root).below(path)
    }
}
