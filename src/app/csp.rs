//! What is known of nodes: the catalogue, decisions of administrators, and what devices have shown.
//!
//! Each process keeps it in memory. In the database stands a mark that is new after every change; who finds another one
//! than it has loads again. So all processes on one database know the same, without a restart.

mod availability;
mod checks;
mod import;
mod known;
mod observed;
mod overrides;

pub use availability::ActionOffer;
pub(super) use availability::Need;
pub use checks::{CspCheck, NodeDetail};
pub use import::ImportReport;
pub(super) use known::CspMemory;
pub use known::{ImportedInfo, Known};
pub use overrides::NewOverride;
