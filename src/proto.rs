//! Layer 1: bytes to types and back.
//!
//! Everything here is a pure function of its arguments. Time, randomness and ids come in as values; nothing here does
//! I/O, waits or logs.

pub mod base64;
pub mod csp;
pub mod csv;
pub mod mde2;
pub mod ppkg;
pub mod soap;
pub mod syncml;
pub mod wap;
pub mod wbxml;
pub mod wns;
pub mod wstep;
pub mod xcep;
pub mod xml;
