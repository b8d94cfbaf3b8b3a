//! Reboot CSP (10.0.14393; not on Home).

use crate::proto::syncml::{Command, LocUri};

/// The node that reboots within five minutes, or at the end of the session.
pub const REBOOT_NOW: &str = "./Device/Vendor/MSFT/Reboot/RebootNow";

/// `Exec` of RebootNow.
#[must_use]
pub fn reboot_now() -> Command {
    Command::exec(LocUri::fixed(REBOOT_NOW))
}
