//! Accounts CSP (10.0.17134; not on Home, HoloLens 2 has it; management reference 7.3, 7.24): local accounts, and the
//! computer name on builds before 10.0.19041.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parameter::{self, Unfit};
use super::secret::Secret;
use crate::proto::syncml::{Command, LocUri};

/// The node that takes a computer name (`chr`, Add only).
pub const COMPUTER_NAME: &str = "./Device/Vendor/MSFT/Accounts/Domain/ComputerName";
/// The local group of administrators, for `LocalUserGroup`.
const ADMINISTRATORS: &str = "2";
/// Characters that no account name has.
const FORBIDDEN: &str = "\"/\\[]:;|=,+*?<>@%";

/// Make a local account. One of that name that is there already stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLocalAccount {
    /// Its name, 1 to 20 characters.
    #[schema(example = "helpdesk")]
    pub account: String,
    /// Its password.
    pub password: Secret,
    /// Whether it is an administrator.
    #[serde(default)]
    pub administrator: bool,
}

impl CreateLocalAccount {
    /// Whether Windows could make it, as far as its password rules are not known.
    pub fn check(&self) -> Result<(), Unfit> {
        parameter::text("/account", &self.account, 20)?;
        if self.account.chars().any(|c| FORBIDDEN.contains(c)) {
            return Err(Unfit::new("/account", format!("has one of {FORBIDDEN}")));
        }
        if self.account.chars().all(|c| c == '.' || c == ' ') {
            return Err(Unfit::new("/account", "has dots and blanks only"));
        }
        parameter::text("/password", self.password.reveal(), 127)
    }

    /// The node of its password.
    #[must_use]
    pub fn password_node(&self) -> LocUri {
        self.node().below("Password")
    }

    fn node(&self) -> LocUri {
        LocUri::fixed("./Device/Vendor/MSFT/Accounts/Users").join(&self.account)
    }

    /// `Add` of the password, which makes the account, and of the group where it is not that of standard users.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let mut commands = vec![Command::add(self.password_node(), "chr", self.password.reveal())];
        if self.administrator {
            commands.push(Command::add(self.node().below("LocalUserGroup"), "int", ADMINISTRATORS));
        }
        commands
    }
}

/// `Add` of a computer name.
#[must_use]
pub fn rename(name: &str) -> Command {
    Command::add(LocUri::fixed(COMPUTER_NAME), "chr", name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::csp::told::{right, told};

    fn account(name: &str, password: &str) -> CreateLocalAccount {
        CreateLocalAccount { account: name.to_owned(), password: Secret::new(password), administrator: true }
    }

    #[test]
    fn the_password_makes_the_account() {
        let made = account("help desk", "p & q");
        let root = "./Device/Vendor/MSFT/Accounts/Users/help%20desk";
        assert_eq!(made.check(), Ok(()));
        let expected = [format!("Add {root}/Password chr p & q"), format!("Add {root}/LocalUserGroup int 2")];
        assert_eq!(told(&made.commands()), expected);
        right(&made.commands());
        let standard = CreateLocalAccount { administrator: false, ..made };
        assert_eq!(told(&standard.commands()), expected[..1]);
        right(&[rename("PC-7")]);
    }

    #[test]
    fn what_windows_would_not_take_is_refused() {
        for name in ["", "a/b", "a@b", "...", "abcdefghijklmnopqrstu"] {
            assert_eq!(account(name, "p").check().unwrap_err().pointer, "/account", "{name}");
        }
        for password in ["", "\u{7}"] {
            assert_eq!(account("a", password).check().unwrap_err().pointer, "/password");
        }
    }
}
