//! Layer 4: what the use-cases need from the machine: the clock, random bytes, password hashes, sealed values, files.
//!
//! Each adapter stands behind a port of `app::ports`; nothing here knows a use-case.

pub mod ca_files;
pub mod doctor;
pub mod entra;
pub mod outgoing;
pub mod password;
pub mod private_file;
pub mod sealer;
pub mod smtp;
pub mod system;
