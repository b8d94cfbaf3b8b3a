//! Layer 5: the doors that speak HTTP.
//!
//! `listener` accepts connections and puts [`peer::Peer`] on every request; [`router`] holds the one table of routes;
//! `mdm` speaks with devices, [`api`] with programs, `pages` with people, `ops` with operators. A handler turns a request into the call of a
//! use-case and its result into an answer, and decides nothing.

pub mod answer;
pub mod api;
pub mod auth;
pub mod error;
pub mod extract;
pub mod gate;
pub mod listener;
pub mod mdm;
mod ops;
pub mod pages;
pub mod peer;
mod pki;
pub mod router;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;

use crate::app::App;
use crate::observe::Metrics;

/// What every handler can reach.
#[derive(Clone)]
pub struct Shared {
    /// The use-cases.
    pub app: App,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// Whose word about a client's address is believed.
    pub proxies: Arc<peer::Proxies>,
    /// What trusted proxies hand over of a device's certificate, if anything.
    pub forwarded: Option<mdm::Forwarded>,
    /// Limits of the doors for devices.
    pub doors: Doors,
    /// The order to let go of the database.
    pub gate: Arc<gate::Gate>,
}

/// Limits of the doors for devices.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// Largest body of an enrollment request.
    pub soap_body_bytes: usize,
    /// Largest message of a device.
    pub message_bytes: usize,
    /// Whether messages in WBXML are read.
    pub wbxml: bool,
    /// Time for the body of a request.
    pub body_deadline: Duration,
}

impl FromRef<Shared> for App {
    fn from_ref(shared: &Shared) -> Self {
        shared.app.clone()
    }
}
