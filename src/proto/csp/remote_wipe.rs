//! RemoteWipe CSP (management reference 7.5).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::proto::syncml::{Command, Item, LocUri, Verb};

/// The interior node of all variants.
pub const ROOT: &str = "./Device/Vendor/MSFT/RemoteWipe";

/// What is removed and what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// `doWipe` (10.0.10586): everything; a power cut can break it.
    #[default]
    Wipe,
    /// `doWipeProtected` (10.0.15063): keeps trying across power cycles and cleans the drive.
    Protected,
    /// `doWipeCloud` (10.0.22621): everything, with a fresh image from the cloud.
    Cloud,
    /// `doWipePersistProvisionedData` (10.0.10586): provisioning packages are kept and applied again.
    KeepProvisioning,
    /// `doWipePersistUserData` (10.0.16299): accounts and their data are kept.
    KeepUserData,
    /// `doWipeCloudPersistUserData` (10.0.22621).
    CloudKeepUserData,
    /// `doWipeCloudPersistProvisionedData` (10.0.22621).
    CloudKeepProvisioning,
}

impl Variant {
    /// All variants.
    pub const ALL: [Self; 7] = [
        Self::Wipe,
        Self::Protected,
        Self::Cloud,
        Self::KeepProvisioning,
        Self::KeepUserData,
        Self::CloudKeepUserData,
        Self::CloudKeepProvisioning,
    ];

    /// The node.
    #[must_use]
    pub fn node(self) -> &'static str {
        match self {
            Self::Wipe => "./Device/Vendor/MSFT/RemoteWipe/doWipe",
            Self::Protected => "./Device/Vendor/MSFT/RemoteWipe/doWipeProtected",
            Self::Cloud => "./Device/Vendor/MSFT/RemoteWipe/doWipeCloud",
            Self::KeepProvisioning => "./Device/Vendor/MSFT/RemoteWipe/doWipePersistProvisionedData",
            Self::KeepUserData => "./Device/Vendor/MSFT/RemoteWipe/doWipePersistUserData",
            Self::CloudKeepUserData => "./Device/Vendor/MSFT/RemoteWipe/doWipeCloudPersistUserData",
            Self::CloudKeepProvisioning => "./Device/Vendor/MSFT/RemoteWipe/doWipeCloudPersistProvisionedData",
        }
    }

    /// Whether user data or provisioning survives: such a wipe may have happened although the device is back.
    #[must_use]
    pub fn keeps_data(self) -> bool {
        !matches!(self, Self::Wipe | Self::Protected | Self::Cloud)
    }

    /// Whether `doWipe` may stand in where the node is absent: only where nothing was to be kept.
    #[must_use]
    pub fn falls_back(self) -> bool {
        matches!(self, Self::Protected | Self::Cloud)
    }

    /// Whether HoloLens 2 has it.
    #[must_use]
    pub fn is_on_hololens(self) -> bool {
        matches!(self, Self::Wipe | Self::KeepProvisioning)
    }

    /// `Exec` with empty data in format `chr`.
    #[must_use]
    pub fn command(self) -> Command {
        Command::new(Verb::Exec, Item::value(LocUri::fixed(self.node()), "chr", ""))
    }
}
