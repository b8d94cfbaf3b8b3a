//! `muster sim`: simulated devices against any server.

pub mod transport;
