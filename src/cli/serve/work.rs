//! What works with the database beside the requests, and how it comes to its end: when the server stops, or when it is
//! asked to let go of the database.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::http::gate::Gate;
use crate::store::SqlStore;

/// Least time that a task has to come to its end, however long the requests took.
pub(super) const LEAST_END: Duration = Duration::from_secs(1);

/// The tasks that write to the database, and the database.
pub(super) struct Work {
    pub(super) app: App,
    pub(super) store: Arc<SqlStore>,
    pub(super) background: Vec<JoinHandle<()>>,
    /// Tells the background to end.
    pub(super) rest: watch::Sender<bool>,
    pub(super) transcripts: JoinHandle<()>,
    /// Tells the writer of transcripts to end.
    pub(super) flush: watch::Sender<bool>,
}

/// Work that is ended once, by whoever comes first; who comes second waits for it.
#[derive(Clone)]
pub(super) struct Ending(Arc<Mutex<Option<Work>>>);

impl Work {
    /// Ends everything after the last request; what does not end by itself until the deadline is cut.
    async fn end(self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + LEAST_END);
        let _ = self.rest.send(true);
        // Only now: the last requests have handed over their messages.
        let _ = self.flush.send(true);
        end(self.transcripts, deadline).await;
        for task in self.background {
            end(task, deadline).await;
        }
        self.app.leave_duties().await;
        self.store.close().await;
    }
}

impl Ending {
    pub(super) fn of(work: Work) -> Self {
        Self(Arc::new(Mutex::new(Some(work))))
    }

    /// Ends the work, unless that has happened.
    pub(super) async fn end(&self, deadline: Instant) {
        if let Some(work) = self.0.lock().await.take() {
            work.end(deadline).await;
        }
    }

    /// Ends the work when that is ordered, after the requests that run then.
    pub(super) async fn when_ordered(self, gate: Arc<Gate>, patience: Duration) {
        gate.ordered().await;
        tracing::info!("letting go of the database");
        let mut work = self.0.lock().await;
        let deadline = Instant::now() + patience;
        if timeout_at(deadline, gate.empty()).await.is_err() {
            tracing::warn!("closing the database under requests that did not end in time");
        }
        if let Some(work) = work.take() {
            work.end(deadline).await;
        }
        gate.close();
        tracing::info!("the database is closed; requests are answered with 503 until the server is started again");
    }
}

/// Waits for a task that was told to end, and cuts it at the deadline.
pub(super) async fn end(mut task: JoinHandle<()>, deadline: Instant) {
    if timeout_at(deadline, &mut task).await.is_err() {
        tracing::warn!("cut a task that did not end in time");
        task.abort();
    }
}
