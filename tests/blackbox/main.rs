//! The server from outside: a real server over real TLS, devices that speak the wire, the command line.
//!
//! One program, so that it is built once and that what is costly to make (keys, an installation, a database cluster) is made
//! once. What measures, or wants the machine for itself, is a program of its own beside it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod actions;
mod admission;
mod app_actions;
mod approval;
mod behind;
mod bulk;
mod ca;
mod captures;
mod certificates_actions;
mod cli;
mod clock;
mod commands;
mod credentials;
mod csp;
mod declared_documents;
mod device_auth;
mod discovery;
mod disk;
mod doctor;
mod enrollment;
mod failover;
mod faults;
mod hostile;
mod identity;
mod invitations;
mod ledger;
mod mails;
mod management;
mod migrate_db;
mod nodes;
mod objects;
mod postgres;
mod provisioned_anew;
mod provisioning;
mod push;
mod renewal;
mod renewal_over_time;
mod replay;
mod retire;
mod revocation;
mod selftest;
mod sessions;
mod settings;
mod settings_actions;
mod time;
mod upkeep_actions;
mod uploads;
mod wbxml;
