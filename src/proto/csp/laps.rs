//! LAPS CSP: rotation of the local administrator's password (17763.4244, 19041.2784, 22000.1754, 22621.1480).
//!
//! The password goes to Entra ID or Active Directory; this server never sees it.

use crate::proto::syncml::{Command, LocUri};

/// The node that rotates.
pub const RESET_PASSWORD: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";

/// `Exec` of ResetPassword.
#[must_use]
pub fn reset_password() -> Command {
    Command::exec(LocUri::fixed(RESET_PASSWORD))
}
