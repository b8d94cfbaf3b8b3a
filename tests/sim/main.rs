//! `muster sim`: simulated devices against a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation ends the test")]

#[path = "../support/mod.rs"]
mod support;

mod run;
mod transport;
