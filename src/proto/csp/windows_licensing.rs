//! WindowsLicensing CSP (10.0.10586, not HoloLens; management reference 7.18): another edition, another product key.

use crate::proto::syncml::{Command, LocUri};

/// The node that changes the edition (`chr`, a product key); the device restarts.
pub const UPGRADE_EDITION: &str = "./Vendor/MSFT/WindowsLicensing/UpgradeEditionWithProductKey";
/// The node that changes the product key within the edition (`chr`, 10.0.15063).
pub const CHANGE_PRODUCT_KEY: &str = "./Vendor/MSFT/WindowsLicensing/ChangeProductKey";
/// How the last change of edition went (`int`).
pub const STATUS: &str = "./Vendor/MSFT/WindowsLicensing/Status";
/// The edition (`int`).
pub const EDITION: &str = "./Vendor/MSFT/WindowsLicensing/Edition";

/// What the status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// 0
    Failed,
    /// 1
    Pending,
    /// 2
    InProgress,
    /// 3
    Done,
    /// 4, or something else.
    Unknown,
}

impl Upgrade {
    /// Reads the value of the status node.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "0" => Self::Failed,
            "1" => Self::Pending,
            "2" => Self::InProgress,
            "3" => Self::Done,
            _ => Self::Unknown,
        }
    }
}

/// `Exec` of a change with that product key.
#[must_use]
pub fn change(node: &'static str, product_key: &str) -> Command {
    Command::exec_with(LocUri::fixed(node), "chr", product_key)
}

/// `Get` of what came of a change of edition.
#[must_use]
pub fn read() -> Vec<Command> {
    [STATUS, EDITION].map(|node| Command::get(LocUri::fixed(node))).into()
}

/// Whether a text has the form of a product key: five groups of five letters and digits.
#[must_use]
pub fn is_product_key(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_group = |group: &&str| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    groups.len() == 5 && groups.iter().all(is_group)
}
