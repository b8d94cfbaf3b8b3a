//! Configuration service providers: typed commands with their LocURIs, formats and first builds.
//!
//! One file per CSP. A command made here has no CmdID yet; the queue gives it one.

pub mod accounts;
pub mod assigned_access;
pub mod automatic_redeployment;
pub mod bitlocker;
pub mod bitlocker_policy;
pub mod catalogue;
pub mod client_certificate;
pub mod computer_name;
pub mod config_refresh;
pub mod declared_configuration;
pub mod device_encryption;
pub mod device_info;
pub mod device_lock;
pub mod diagnostics;
pub mod dm_client;
pub mod first_sync_status;
pub mod health_attestation;
pub mod laps;
pub mod laps_policy;
pub mod linked_enrollment;
pub mod lost_contact;
pub mod msi;
pub mod node_cache;
pub mod packaged_apps;
pub mod parameter;
pub mod pin_recovery;
pub mod reboot;
pub mod reboot_schedule;
pub mod remote_lock;
pub mod remote_wipe;
pub mod renewal;
pub mod s_mode;
pub mod scope;
pub mod secret;
pub mod tenant_lockdown;
pub mod trusted_certificates;
pub mod update;
pub mod update_ring;
pub mod value;
pub mod vpn;
pub mod wifi;
pub mod windows_licensing;

#[cfg(test)]
mod told;
