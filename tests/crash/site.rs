//! What the threads of a trial share: where the server is now, how far the trial is, and what happened how often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::support::server::Server;

/// Longest that a server may be away while a device or a caller of the API needs it.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// Longest that the devices may take for the messages that the driver waits for.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    state: Mutex<State>,
    /// Another server, another stage, or the end by a failure.
    changed: Condvar,
    /// One more message was answered.
    progress: Condvar,
    clock: AtomicU64,
    pub(crate) tally: Tally,
}

struct State {
    place: Place,
    /// The device URLs of all servers so far, newest last.
    device_urls: Vec<String>,
    stage: Stage,
    messages: u64,
    has_failed: bool,
}

/// Where the server listens; it has new ports each time it starts.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) generation: u64,
    pub(crate) url: String,
    pub(crate) device_url: String,
}

/// How far the trial is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    /// Orders are given, devices come, the server dies.
    Turmoil,
    /// The server stays; the last orders are given.
    Draining,
    /// Each device goes on until nothing is left for it.
    Resting,
}

/// What happened how often.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sessions: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) retransmissions: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) repeated_orders: AtomicU64,
}

impl Tally {
    pub(crate) fn count(of: &AtomicU64) {
        of.fetch_add(1, Ordering::Relaxed);
    }
}

impl Site {
    pub(crate) fn new(server: &Server) -> Self {
        let place = Place { generation: 0, url: server.url.clone(), device_url: server.device_url.clone() };
        let device_urls = vec![server.device_url.clone()];
        Self {
            state: Mutex::new(State { place, device_urls, stage: Stage::Turmoil, messages: 0, has_failed: false }),
            changed: Condvar::new(),
            progress: Condvar::new(),
            clock: AtomicU64::new(1),
            tally: Tally::default(),
        }
    }

    /// The next moment of the trial: later ones are greater, whichever thread asks.
    pub(crate) fn moment(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn place(&self) -> Place {
        self.state().place.clone()
    }

    /// The server after the one of that generation, once it serves.
    pub(crate) fn place_after(&self, generation: u64) -> Place {
        let waits = |state: &mut State| state.place.generation <= generation && !state.has_failed;
        let (state, waited) =
            self.changed.wait_timeout_while(self.state(), BACK_WITHIN, waits).unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "no answer, and no other server came in {BACK_WITHIN:?}");
        let place = state.place.clone();
        let has_failed = state.has_failed;
        drop(state);
        assert!(!has_failed, "another part of the trial failed");
        place
    }

    /// The newest of all device URLs so far that stands in this text.
    pub(crate) fn device_url_in(&self, text: &str) -> Option<String> {
        self.state().device_urls.iter().rev().find(|url| text.contains(&format!("{url}/"))).cloned()
    }

    /// A server has started.
    pub(crate) fn serves(&self, server: &Server) {
        let mut state = self.state();
        state.place = Place {
            generation: state.place.generation + 1,
            url: server.url.clone(),
            device_url: server.device_url.clone(),
        };
        state.device_urls.push(server.device_url.clone());
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn stage(&self) -> Stage {
        self.state().stage
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.state().stage = stage;
    }

    /// One more message of a device was answered.
    pub(crate) fn answered(&self) {
        self.state().messages += 1;
        self.progress.notify_all();
    }

    pub(crate) fn messages(&self) -> u64 {
        self.state().messages
    }

    /// Waits until so many more messages were answered.
    pub(crate) fn wait_for_messages(&self, count: u64) {
        let state = self.state();
        let enough = state.messages + count;
        let waits = |state: &mut State| state.messages < enough && !state.has_failed;
        let _ = self.progress.wait_timeout_while(state, PROGRESS_WITHIN, waits);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    fn fail(&self) {
        self.state().has_failed = true;
        self.changed.notify_all();
        self.progress.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the trial for everybody when the thread that holds it panics.
pub(crate) struct Alarm<'a>(pub &'a Site);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail();
        }
    }
}
