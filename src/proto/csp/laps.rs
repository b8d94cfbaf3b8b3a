//! LAPS CSP (17763.4244, 19041.2784, 22000.1754, 22621.1480; management reference 7.3): rotation of the local
//! administrator's password.
//!
//! The password goes to Entra ID or Active Directory; this server never sees it.

use crate::proto::syncml::{Command, LocUri};

/// The node that rotates.
pub const RESET_PASSWORD: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPassword";
/// How the last rotation ended, as an HRESULT (int).
pub const RESET_PASSWORD_STATUS: &str = "./Device/Vendor/MSFT/LAPS/Actions/ResetPasswordStatus";

/// `Exec` of ResetPassword.
#[must_use]
pub fn reset_password() -> Command {
    Command::exec(LocUri::fixed(RESET_PASSWORD))
}

/// `Get` of its status.
#[must_use]
pub fn read_status() -> Command {
    Command::get(LocUri::fixed(RESET_PASSWORD_STATUS))
}
