//! Layer 2: what the product speaks of, and the rules that need no I/O to be judged.

pub mod action;
pub mod admission;
pub mod alert;
pub mod attempt;
pub mod ca;
pub mod certificate;
pub mod command;
pub mod csp;
pub mod decoded;
pub mod device;
pub mod enrollment;
pub mod entra;
pub mod event;
pub mod hresult;
pub mod id;
pub mod inventory;
pub mod invitation;
pub mod language;
pub mod mail;
pub mod mail_template;
pub mod mark;
pub mod network;
pub mod object;
pub mod package;
pub mod proof;
pub mod push;
pub mod registration;
pub mod renewal;
pub mod session_record;
pub mod sign_in;
pub mod upload;
pub mod user;

pub use id::Id;
pub use mark::Mark;
pub use network::Network;
