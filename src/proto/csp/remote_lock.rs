//! RemoteLock CSP: lock the screen, reset or recover the PIN (10.0.10586; management reference 7.2, 7.3).
//!
//! No source shows a PC that locks from it: only Status 200 counts, and 405 says that no PIN is set.

use crate::proto::syncml::{Command, LocUri, Verb};

/// The node that locks.
pub const LOCK: &str = "./Device/Vendor/MSFT/RemoteLock/Lock";
/// The node that locks and sets a new PIN.
pub const LOCK_AND_RESET_PIN: &str = "./Device/Vendor/MSFT/RemoteLock/LockAndResetPIN";
/// The node that sets a new PIN and keeps the keys behind the old one (10.0.15063).
pub const LOCK_AND_RECOVER_PIN: &str = "./Device/Vendor/MSFT/RemoteLock/LockAndRecoverPIN";
/// The node that tells the new PIN, once.
pub const NEW_PIN_VALUE: &str = "./Device/Vendor/MSFT/RemoteLock/NewPINValue";

/// `Exec` of Lock, without data.
#[must_use]
pub fn lock() -> Command {
    Command::exec(LocUri::fixed(LOCK))
}

/// Reset (or recover) and read the new PIN, in one Sequence so that the Get sees the effect of the Exec.
#[must_use]
pub fn reset_pin(node: &'static str) -> Command {
    Command::container(
        Verb::Sequence,
        vec![Command::exec(LocUri::fixed(node)), Command::get(LocUri::fixed(NEW_PIN_VALUE))],
    )
}
