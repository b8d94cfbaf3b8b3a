//! The walks of the self-test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::{Resolver, Settings, examine_within};
use crate::app::ports::{Walk, Walker};
use crate::doctor::Report;

/// Walks from this machine, without a credential.
#[derive(Clone, Copy, Debug)]
pub struct SelfWalker {
    /// The name server that is asked; `None`: those of this machine.
    pub name_server: Option<SocketAddr>,
}

#[async_trait]
impl Walker for SelfWalker {
    async fn walk(&self, walk: Walk) -> Result<Report, String> {
        let resolver = self.name_server.map_or_else(Resolver::of_system, Resolver::asking)?;
        let public = tokio::task::spawn_blocking(system_roots).await.map_err(|error| error.to_string())?;
        let mut roots = public.clone();
        roots.add_parsable_certificates(walk.roots.into_iter().map(CertificateDer::from));
        let settings = Settings {
            resolver,
            roots: Arc::new(roots),
            // Where this machine knows no public authorities, nothing can be said about them.
            public: (!public.is_empty()).then(|| Arc::new(public)),
            patience: PATIENCE,
            expected: walk.expected,
            only: Some(walk.only),
            device: Some(walk.device),
            credential: None,
        };
        Ok(examine_within(MOST_TIME, &walk.target, &settings).await)
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Longest time for a connection or an answer, and for a walk.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_TIME: Duration = Duration::from_secs(25);
