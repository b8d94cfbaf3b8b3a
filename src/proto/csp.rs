//! Configuration service providers: typed commands with their LocURIs, formats and first builds.
//!
//! One file per CSP. A command made here has no CmdID yet; the queue gives it one.

pub mod automatic_redeployment;
pub mod bitlocker;
pub mod bitlocker_policy;
pub mod catalogue;
pub mod client_certificate;
pub mod computer_name;
pub mod config_refresh;
pub mod declared_configuration;
pub mod device_info;
pub mod device_lock;
pub mod dm_client;
pub mod first_sync_status;
pub mod laps;
pub mod linked_enrollment;
pub mod lost_contact;
pub mod msi;
pub mod packaged_apps;
pub mod parameter;
pub mod reboot;
pub mod remote_lock;
pub mod remote_wipe;
pub mod s_mode;
pub mod scope;
pub mod secret;
pub mod tenant_lockdown;
pub mod trusted_certificates;
pub mod value;
pub mod vpn;
pub mod wifi;

#[cfg(test)]
mod told;
