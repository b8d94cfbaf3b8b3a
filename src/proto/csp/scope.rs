//! Whose setting it is (management reference 2.3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proto::syncml::LocUri;

/// The tree in which a setting stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `./Device`: of the device, for all who use it.
    #[default]
    Device,
    /// `./User`: of the user who enrolled; it waits until that user is signed in.
    User,
}

impl Scope {
    /// The node of a CSP in that tree, by its path below `Vendor/MSFT`.
    #[must_use]
    pub fn csp(self, path: &'static str) -> LocUri {
        let root = match self {
            Self::Device => LocUri::fixed("./Device/Vendor/MSFT"),
            Self::User => LocUri::fixed("./User/Vendor/MSFT"),
        };
        root.below(path)
    }
}
