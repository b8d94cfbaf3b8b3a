//! Walking the way of a PC to this server.

use async_trait::async_trait;
use url::Url;

use crate::doctor::{Report, Target};

/// Walks the way of a PC to this server, and nowhere else.
#[async_trait]
pub trait Walker: Send + Sync {
    /// Walks within a time of its own choice.
    ///
    /// # Errors
    /// Why nothing could be looked at, in words.
    async fn walk(&self, walk: Walk) -> Result<Report, String>;
}

/// A way to be walked.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Where it begins.
    pub target: Target,
    /// The host that the name should lead to, where it is not the server's own.
    pub expected: Option<String>,
    /// The only hosts with their ports (`host:port`) that are gone to.
    pub only: Vec<String>,
    /// The device host, where PCs go once they are enrolled.
    pub device: Url,
    /// Roots that PCs trust beside those of this machine, DER.
    pub roots: Vec<Vec<u8>>,
}
