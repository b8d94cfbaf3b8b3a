//! WindowsLicensing CSP (10.0.10586, not HoloLens; management reference 7.18): another edition, another product key.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::Unfit;
use super::secret::Secret;
use crate::proto::syncml::{Command, LocUri};

/// The node that changes the edition (`chr`, a product key); the device restarts.
pub const UPGRADE_EDITION: &str = "./Vendor/MSFT/WindowsLicensing/UpgradeEditionWithProductKey";
/// The node that changes the product key within the edition (`chr`, 10.0.15063).
pub const CHANGE_PRODUCT_KEY: &str = "./Vendor/MSFT/WindowsLicensing/ChangeProductKey";
/// How the last change of edition went (`int`).
pub const STATUS: &str = "./Vendor/MSFT/WindowsLicensing/Status";
/// The edition (`int`).
pub const EDITION: &str = "./Vendor/MSFT/WindowsLicensing/Edition";

/// Change the edition of Windows; the device restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeEdition {
    /// A product key of the new edition: five groups of five letters and digits.
    pub product_key: Secret,
}

/// Change the product key within the edition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProductKey {
    /// The new product key: five groups of five letters and digits.
    pub product_key: Secret,
}

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

impl UpgradeEdition {
    /// Whether it has the form of a product key.
    pub fn check(&self) -> Result<(), Unfit> {
        check_key(&self.product_key)
    }

    /// `Exec` of the change.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::exec_with(LocUri::fixed(UPGRADE_EDITION), "chr", self.product_key.reveal().trim())]
    }
}

impl ChangeProductKey {
    /// Whether it has the form of a product key.
    pub fn check(&self) -> Result<(), Unfit> {
        check_key(&self.product_key)
    }

    /// `Exec` of the change.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        vec![Command::exec_with(LocUri::fixed(CHANGE_PRODUCT_KEY), "chr", self.product_key.reveal().trim())]
    }
}

/// `Get` of what came of a change of edition.
#[must_use]
pub fn read() -> Vec<Command> {
    [STATUS, EDITION].map(|node| Command::get(LocUri::fixed(node))).into()
}

fn check_key(key: &Secret) -> Result<(), Unfit> {
    let groups: Vec<&str> = key.reveal().trim().split('-').collect();
    let is_group = |group: &&str| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if groups.len() == 5 && groups.iter().all(is_group) {
        return Ok(());
    }
    Err(Unfit::new("/product_key", "must be a product key: five groups of five letters and digits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    const KEY: &str = "AAAAA-BBBBB-CCCCC-DDDDD-11111";

    #[test]
    fn a_key_is_the_data_of_an_exec() {
        let upgrade = UpgradeEdition { product_key: Secret::new(format!(" {KEY}\n")) };
        let change = ChangeProductKey { product_key: Secret::new(KEY) };
        assert_eq!((upgrade.check(), change.check()), (Ok(()), Ok(())));
        assert_eq!(told(&upgrade.commands()), [format!("Exec {UPGRADE_EDITION} chr {KEY}")]);
        assert_eq!(told(&change.commands()), [format!("Exec {CHANGE_PRODUCT_KEY} chr {KEY}")]);
        right(&[upgrade.commands(), change.commands(), read()].concat());
        for wrong in ["", "AAAAA-BBBBB-CCCCC-DDDDD", "AAAAA-BBBBB-CCCCC-DDDDD-1111", "AAAAA-BBBBB-CCCCC-DDDDD-1111é"] {
            let change = ChangeProductKey { product_key: Secret::new(wrong) };
            assert_eq!(change.check().unwrap_err().pointer, "/product_key", "{wrong}");
        }
    }

    #[test]
    fn a_status_is_read() {
        let read = ["0", "1", "2", " 3", "4", "x"].map(Upgrade::parse);
        let expected =
            [Upgrade::Failed, Upgrade::Pending, Upgrade::InProgress, Upgrade::Done, Upgrade::Unknown, Upgrade::Unknown];
        assert_eq!(read, expected);
    }
}
