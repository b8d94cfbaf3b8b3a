//! Reads what a handler left of a request's body, within bounds, before the answer goes out.
//!
//! Over HTTP/2 a body that is dropped unread resets its stream, and the reset may overtake the answer: the client would
//! then hear of a broken stream instead of, say, a missing token. Nothing that is read here is looked at.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};

use crate::http::extract::MOST_BYTES;

/// How long it may take.
const TIME: Duration = Duration::from_secs(1);

/// Where a body ends up that was not read to its end.
#[derive(Clone, Default)]
pub(super) struct Leftover(Arc<Mutex<Option<Body>>>);

impl Leftover {
    /// The body, which comes back here when it is dropped.
    pub(super) fn lend(&self, body: Body) -> Body {
        if body.is_end_stream() { body } else { Body::new(Lent { body, home: self.clone() }) }
    }

    /// Reads the rest, if there is one.
    pub(super) async fn drain(&self) {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(rest) = rest {
            let reading = Limited::new(rest, MOST_BYTES).collect();
            // Whoever sends more, or slowly, loses the stream.
            let _ = tokio::time::timeout(TIME, reading).await;
        }
    }
}

struct Lent {
    body: Body,
    home: Leftover,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_not_read_comes_back() {
        let leftover = Leftover::default();
        drop(leftover.lend(Body::from("rest")));
        assert!(leftover.0.lock().unwrap().is_some());
        leftover.drain().await;
        assert!(leftover.0.lock().unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_read_does_not() {
        let leftover = Leftover::default();
        let read = leftover.lend(Body::from("all of it")).collect().await.unwrap().to_bytes();
        assert_eq!(read, "all of it");
        assert!(leftover.0.lock().unwrap().is_none());
    }
}
