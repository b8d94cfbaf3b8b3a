//! Layer 5: HTTP. Listeners and what they know of a caller.

pub mod listener;
pub mod peer;
