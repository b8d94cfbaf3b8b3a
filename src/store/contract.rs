//! The contract: one suite that every engine passes, of the `Store` port and of the engine port below it.
//!
//! Each case gets a database of its own. An engine's tests call [`run_all`] with a function that makes one.

mod alerts;
mod audit;
mod authorities;
mod certificates;
mod commands;
mod csp;
mod devices;
mod engine;
mod enrollments;
mod events;
pub(super) mod fixtures;
mod hostile;
mod invitations;
mod objects;
mod packages;
mod push;
mod registered;
mod retention;
mod sessions;
mod uploads;
mod users;

use std::any::Any;
use std::sync::Arc;

use super::SqlStore;
use super::engine::Engine;
use crate::app::ports::{SealError, Sealer};

/// An empty database.
pub(super) struct Ground {
    /// The store.
    pub(super) store: SqlStore,
    /// What must live as long, such as a temporary folder; dropped after the store.
    _keep: Box<dyn Any + Send>,
}

impl Ground {
    /// Makes the schema in a database without tables.
    pub(super) async fn new(engine: Arc<dyn Engine>, keep: impl Any + Send) -> Self {
        let store = SqlStore { engine, sealer: Arc::new(XorSealer), held: None };
        store.migrate().await.unwrap();
        Self { store, _keep: Box::new(keep) }
    }
}

/// Everything.
pub(super) async fn run_all(make: impl AsyncFn() -> Ground) {
    engine::run(&make).await;
    users::run(&make).await;
    packages::run(&make).await;
    invitations::run(&make).await;
    devices::run(&make).await;
    enrollments::run(&make).await;
    certificates::run(&make).await;
    commands::run(&make).await;
    csp::run(&make).await;
    objects::run(&make).await;
    sessions::run(&make).await;
    alerts::run(&make).await;
    uploads::run(&make).await;
    events::run(&make).await;
    audit::run(&make).await;
    authorities::run(&make).await;
    push::run(&make).await;
    registered::run(&make).await;
    retention::run(&make).await;
    hostile::run(&make).await;
}

/// Hides nothing from an attacker, but plain text from a search through the file, and keeps purposes apart.
pub(super) struct XorSealer;

impl Sealer for XorSealer {
    fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let mut sealed = purpose.as_bytes().to_vec();
        sealed.push(0);
        sealed.extend(plain.iter().map(|byte| byte ^ 0xA5));
        sealed
    }

    fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let rest = sealed.strip_prefix(purpose.as_bytes()).and_then(|rest| rest.strip_prefix(&[0]));
        Ok(rest.ok_or(SealError)?.iter().map(|byte| byte ^ 0xA5).collect())
    }

    fn mark(&self, secret: &[u8]) -> [u8; 8] {
        let mut mark = [0; 8];
        for (index, byte) in secret.iter().enumerate() {
            mark[index % 8] ^= byte;
        }
        mark
    }
}
