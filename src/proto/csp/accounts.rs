//! Accounts CSP (10.0.17134; not on Home, HoloLens has it; management reference 7.3, 7.24): local accounts, and the
//! computer name on builds before 10.0.19041.

use super::value::Line;
use crate::proto::syncml::{Command, LocUri};

/// The node that takes a computer name (`chr`, Add only).
pub const COMPUTER_NAME: &str = "./Device/Vendor/MSFT/Accounts/Domain/ComputerName";

/// The node of an account.
#[must_use]
pub fn user(name: &Line<20>) -> LocUri {
    LocUri::fixed("./Device/Vendor/MSFT/Accounts/Users").join(name.as_str())
}

/// `Add` of an account with its password, as a standard user or an administrator.
#[must_use]
pub fn create(name: &Line<20>, password: &str, is_administrator: bool) -> Vec<Command> {
    let root = user(name);
    let mut commands = vec![Command::add(root.below("Password"), "chr", password)];
    if is_administrator {
        commands.push(Command::add(root.below("LocalUserGroup"), "int", "2"));
    }
    commands
}

/// `Add` of a computer name.
#[must_use]
pub fn rename(name: &str) -> Command {
    Command::add(LocUri::fixed(COMPUTER_NAME), "chr", name)
}
