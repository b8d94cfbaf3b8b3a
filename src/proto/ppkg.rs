//! What a provisioning package for bulk enrollment is built of (enrollment reference 10): the customizations for Windows
//! Configuration Designer, and the archive in which they are handed over.
//!
//! The package itself (`.ppkg`) is made by `icd.exe` on a Windows PC: the groups of its settings are not published.

mod archive;
mod customizations;
mod parts;
mod read;

pub use archive::{ArchiveFile, pack};
pub use customizations::{AUTH_POLICY, Customizations, NAMESPACE_PACKAGE, NAMESPACE_SETTINGS};
pub use parts::{LocalAdmin, Wifi, WifiSecurity, check_name, check_notes};
pub use read::NotCustomizations;
