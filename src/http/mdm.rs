//! The doors for devices: SOAP for enrollment, SyncML for management.
//!
//! No status code that could make a healthy device leave is ever used here: never 401, 404 or 410 on a live path, and a
//! refused device gets 403 without a body.

mod body;
mod enroll;
mod forwarded;
mod identity;
mod manage;
mod soap;
mod upload;

pub use enroll::{discovery, enrollment, policy, renewal};
pub use forwarded::Forwarded;
pub use identity::identify;
pub use manage::{PATH as MANAGEMENT, manage};
pub use upload::{PATH as UPLOAD, upload};
