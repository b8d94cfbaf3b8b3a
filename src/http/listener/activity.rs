//! What a connection is doing, and since when; from that, when it is overdue.
//!
//! hyper's own header timer runs while a kept-alive connection idles, and its HTTP/2 has none; so one small account is
//! kept here for both, fed by the stream below and the service above.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::failpoint;

/// How long the other end has to close after we did, and how much it may send meanwhile. A socket closed with unread
/// bytes in it takes the answer back that was just sent.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request for long.
    Idle,
    /// A header that does not end.
    Header,
    /// A response that is not taken.
    Write,
}

/// The account of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    header: Duration,
    idle: Duration,
    is_multiplexed: bool,
}

#[derive(Debug)]
struct State {
    requests: usize,
    /// Whether bytes of a header came; not known of HTTP/2.
    in_header: bool,
    /// Since when no request is running, or since when the header comes.
    since: Instant,
    blocked: Option<Instant>,
}

impl Activity {
    /// A new connection; its first header is due at once.
    pub(super) fn new(header: Duration, idle: Duration, is_multiplexed: bool) -> Arc<Self> {
        let state = State { requests: 0, in_header: true, since: Instant::now(), blocked: None };
        Arc::new(Self { state: Mutex::new(state), header, idle, is_multiplexed })
    }

    /// Notes that a request runs until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> RequestGuard {
        self.state().requests += 1;
        RequestGuard(Arc::clone(self))
    }

    /// Starts the idle time anew.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        state.since = Instant::now();
        state.in_header = false;
    }

    /// Waits until the connection is overdue.
    pub(super) async fn overdue(&self) -> Overdue {
        loop {
            let now = Instant::now();
            let next = self.next();
            if let Some((at, overdue)) = next
                && at <= now
            {
                return overdue;
            }
            // What begins meanwhile may be due earlier than what is known now, but not before the shorter time is over.
            let soon = now + self.header.min(self.idle);
            sleep_until(next.map_or(soon, |(at, _)| at.min(soon))).await;
        }
    }

    fn next(&self) -> Option<(Instant, Overdue)> {
        let state = self.state();
        let write = state.blocked.map(|since| (since + self.idle, Overdue::Write));
        let read = match (state.requests, state.in_header && !self.is_multiplexed) {
            (0, true) => Some((state.since + self.header, Overdue::Header)),
            (0, false) => Some((state.since + self.idle, Overdue::Idle)),
            _ => None,
        };
        write.into_iter().chain(read).min_by_key(|(at, _)| *at)
    }

    fn received(&self) {
        let mut state = self.state();
        if state.requests == 0 && !state.in_header {
            state.in_header = true;
            if !self.is_multiplexed {
                state.since = Instant::now();
            }
        }
    }

    fn sent<T>(&self, poll: &Poll<T>) {
        let mut state = self.state();
        match poll {
            Poll::Pending => {
                state.blocked.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => state.blocked = None,
        }
    }

    /// Whether no request is running.
    fn is_at_rest(&self) -> bool {
        self.state().requests == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running request.
#[derive(Debug)]
pub(super) struct RequestGuard(Arc<Activity>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        if state.requests == 0 {
            state.since = Instant::now();
            state.in_header = false;
        }
    }
}

/// A response body; the request runs until it is sent or given up.
pub(super) struct WatchedBody {
    inner: Body,
    _guard: RequestGuard,
}

impl WatchedBody {
    pub(super) fn new(inner: Body, guard: RequestGuard) -> Self {
        Self { inner, _guard: guard }
    }
}

impl hyper::body::Body for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A stream that reports to an [`Activity`], and lingers when it is shut down.
pub(super) struct WatchedStream<S> {
    inner: S,
    activity: Arc<Activity>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
    /// Whether bytes were written since the last flush.
    is_dirty: bool,
}

impl<S> WatchedStream<S> {
    pub(super) fn new(inner: S, activity: Arc<Activity>) -> Self {
        Self { inner, activity, linger: None, is_dirty: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.received();
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.activity.sent(&poll);
        self.is_dirty = true;
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.activity.sent(&poll);
        if matches!(poll, Poll::Ready(Ok(()))) && std::mem::take(&mut self.is_dirty) && self.activity.is_at_rest() {
            // A request ends when its answer is in hyper's buffer; flushing has handed that, encrypted, to the kernel.
            failpoint::here(failpoint::REPLY_WRITTEN);
        }
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        let (deadline, read) = this.linger.get_or_insert_with(|| (Box::pin(sleep(LINGER)), 0));
        let mut scratch = [0; 4096];
        while *read < LINGER_BYTES && deadline.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *read += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.activity.sent(&poll);
        self.is_dirty = true;
        poll
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
