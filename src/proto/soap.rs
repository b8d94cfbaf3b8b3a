//! SOAP 1.2 as the enrollment services use it: envelope, WS-Security header, faults.

pub mod envelope;
pub mod fault;
pub mod security;
