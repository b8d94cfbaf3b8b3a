//! What works with the database beside the requests, and how it comes to its end: when the server stops, or when it is
//! asked to let go of the database.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::until;
use crate::app::{App, BehindWriter};
use crate::http::Shared;
use crate::http::gate::Gate;
use crate::store::SqlStore;

/// Least time that a task has to come to its end, however long the requests took.
pub(super) const LEAST_END: Duration = Duration::from_secs(1);

/// The tasks that write to the database, and the database.
pub(super) struct Work {
    app: App,
    store: Arc<SqlStore>,
    background: Vec<JoinHandle<()>>,
    /// Tells the background to end.
    pub(super) rest: watch::Sender<bool>,
    behind: JoinHandle<()>,
    /// Tells the writer of what is written behind answers to end.
    flush: watch::Sender<bool>,
}

/// Work that is ended once, by whoever comes first; who comes second waits for it.
#[derive(Clone)]
pub(super) struct Ending(Arc<Mutex<Option<Work>>>);

impl Work {
    /// Begins it.
    pub(super) fn begin(shared: &Shared, store: Arc<SqlStore>, behind: BehindWriter, upkeep_every: Duration) -> Self {
        let app = shared.app.clone();
        let (rest, rested) = watch::channel(false);
        let (flush, flushed) = watch::channel(false);
        let behind = tokio::spawn(behind.run(app.clone(), until(flushed)));
        let background = vec![
            tokio::spawn(publish(shared.clone(), rested.clone())),
            tokio::spawn(keep_up(app.clone(), upkeep_every, rested.clone())),
            tokio::spawn(write_down(app.clone(), rested.clone())),
            tokio::spawn(watch_storage(app.clone(), rested.clone())),
            tokio::spawn(push(shared.clone(), rested.clone())),
            tokio::spawn(mail(app.clone(), rested)),
        ];
        Self { app, store, background, rest, behind, flush }
    }

    /// Ends everything after the last request; what does not end by itself until the deadline is cut.
    async fn end(self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + LEAST_END);
        let _ = self.rest.send(true);
        // Only now: the last requests have handed over their messages.
        let _ = self.flush.send(true);
        end(self.behind, deadline).await;
        for task in self.background {
            end(task, deadline).await;
        }
        let _ = timeout_at(deadline.max(Instant::now() + LEAST_END), self.app.keep_observations()).await;
        // Else another node takes them over after a while.
        let _ = timeout_at(deadline.max(Instant::now() + LEAST_END), self.app.leave_duties()).await;
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

/// Gives events their place as they come, and counts them. Events of other nodes ring no bell here: they are looked for.
async fn publish(shared: Shared, stopped: watch::Receiver<bool>) {
    let every = Duration::from_secs(if shared.app.store.is_shared() { 1 } else { 5 });
    let stop = until(stopped.clone());
    tokio::pin!(stop);
    let mut trouble = Trouble::with("events cannot be published");
    let mut ca_trouble = Trouble::with("the CAs cannot be looked up");
    loop {
        if *stopped.borrow() {
            // Events that keep coming are given their place after the next start, or by another node.
            return;
        }
        let is_shared = shared.app.store.is_shared();
        if is_shared {
            shared.app.keep_duties().await;
        }
        if is_shared || shared.app.authority.are_files_behind() {
            ca_trouble.tell(shared.app.refresh_authorities().await.as_ref().err());
        }
        let published = shared.app.publish_events().await;
        trouble.tell(published.as_ref().err());
        let events = published.unwrap_or_default();
        if !events.is_empty() {
            events.iter().for_each(|event| shared.metrics.event(event));
            continue;
        }
        tokio::select! {
            () = shared.app.memory.events.notified() => {}
            () = tokio::time::sleep(every) => {}
            () = &mut stop => return,
        }
    }
}

/// Pushes to devices that are due, as they come and every second.
async fn push(shared: Shared, stopped: watch::Receiver<bool>) {
    if shared.app.settings.push.is_none() {
        return;
    }
    let stop = until(stopped.clone());
    tokio::pin!(stop);
    let mut trouble = Trouble::with("devices cannot be pushed to");
    // A round that runs goes to its end: its pushes are on their way.
    while !*stopped.borrow() {
        let round = shared.app.push_to_due().await;
        trouble.tell(round.as_ref().err());
        let round = round.unwrap_or_default();
        shared.metrics.pushes(&round.outcomes, shared.app.push_tokens_fetched().await);
        if round.is_full && !round.outcomes.is_empty() {
            continue;
        }
        tokio::select! {
            () = shared.app.push_wanted() => {}
            () = tokio::time::sleep(LOOK_FOR_PUSHES) => {}
            () = &mut stop => return,
        }
    }
}

/// Sends mails that are due, as they come and every second.
async fn mail(app: App, stopped: watch::Receiver<bool>) {
    if !app.mailer.is_on() {
        return;
    }
    let stop = until(stopped.clone());
    tokio::pin!(stop);
    let mut trouble = Trouble::with("the outbox cannot be looked at");
    // A mail that is on its way is brought to its end.
    while !*stopped.borrow() {
        let round = app.send_due_mails().await;
        trouble.tell(round.as_ref().err());
        if round.is_ok_and(|round| round.is_full) {
            continue;
        }
        tokio::select! {
            () = app.mail_wanted() => {}
            () = tokio::time::sleep(LOOK_FOR_MAILS) => {}
            () = &mut stop => return,
        }
    }
}

/// Time between two looks into the outbox.
const LOOK_FOR_MAILS: Duration = Duration::from_secs(1);

/// Time between two looks for devices that are due.
const LOOK_FOR_PUSHES: Duration = Duration::from_secs(1);

/// Whether the work goes on: told once when it does not, and once when it does again.
struct Trouble {
    words: &'static str,
    since: Option<Instant>,
}

impl Trouble {
    fn with(words: &'static str) -> Self {
        Self { words, since: None }
    }

    fn tell(&mut self, error: Option<&impl Display>) {
        match (error, self.since) {
            (Some(error), None) => {
                tracing::warn!(%error, "{}; tried again until it works", self.words);
                self.since = Some(Instant::now());
            }
            (None, Some(since)) => {
                tracing::info!(seconds = since.elapsed().as_secs(), "no longer: {}", self.words);
                self.since = None;
            }
            _ => {}
        }
    }
}

/// One round of upkeep after the other.
async fn keep_up(app: App, every: Duration, stopped: watch::Receiver<bool>) {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        app.sweep().await;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut stop => return,
        }
    }
}

/// Writes down now and then what devices answered; what is left at the end is written with the last of the rest.
async fn write_down(app: App, stopped: watch::Receiver<bool>) {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = tokio::time::sleep(WRITE_DOWN) => app.keep_observations().await,
            () = &mut stop => return,
        }
    }
}

/// Time between two writes of what devices answered.
const WRITE_DOWN: Duration = Duration::from_secs(3);

/// Tells of a full disk when one is noticed, and looks for room while it is full.
async fn watch_storage(app: App, stopped: watch::Receiver<bool>) {
    let stop = until(stopped);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = app.memory.storage.noticed() => {}
            () = tokio::time::sleep(LOOK_FOR_ROOM), if app.memory.storage.is_full() => {}
            () = &mut stop => return,
        }
        app.watch_storage().await;
    }
}

/// Time between two looks at a full disk.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);
