//! The outermost layer: gives each request its reference, writes problems, sets the headers that every answer has, counts.

mod leftover;

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use self::leftover::Leftover;
use super::Shared;
use super::api::drain;
use super::error::Problem;
use super::pages::{self, Frame};

/// The reference of a request: in problem documents, faults and the log.
#[derive(Clone, Copy, Debug)]
pub struct TraceId(pub Uuid);

/// Around every route of the web side.
pub(super) async fn web(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let asked = Asked::note(&shared, &mut request);
    let is_api = request.uri().path().starts_with("/api/");
    let reader =
        (!is_api && accepts_pages(request.headers())).then(|| Frame::of(request.uri(), request.headers(), &shared));
    let _pass = (asked.route != drain::PATH).then(|| shared.gate.enter());
    let leftover = Leftover::default();
    let request = request.map(|body| leftover.lend(body));
    let mut response = next.run(request).await;
    leftover.drain().await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        asked.log(&problem);
        response = match reader {
            Some(frame) if problem.status() == StatusCode::NOT_FOUND => pages::nowhere(frame),
            _ => problem.render(asked.trace_id),
        };
    }
    set_headers(response.headers_mut(), is_api);
    asked.count(&shared, &response);
    response
}

/// Whether a browser asks, and so somebody reads the answer.
pub(super) fn accepts_pages(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

/// Around every route of the device side: what is no answer of a device handler has a status, perhaps a header that belongs
/// to it, and no body.
pub(super) async fn device(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let asked = Asked::note(&shared, &mut request);
    let _pass = shared.gate.enter();
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        asked.log(&problem);
        response = problem.bare();
    }
    asked.count(&shared, &response);
    response
}

/// Around every route of the operators' side: as on the device side, and nothing is counted.
pub(super) async fn operators(mut response: Response) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.bare(),
        None => response,
    }
}

/// A panic in a handler costs that request, and nothing else.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    Problem::internal(format!("a handler panicked: {}", words.unwrap_or_default())).into_response()
}

/// What is known of a request before it is answered.
struct Asked {
    trace_id: Uuid,
    method: String,
    route: String,
    at: Instant,
}

impl Asked {
    fn note(shared: &Shared, request: &mut Request) -> Self {
        let trace_id = shared.app.new_trace_id();
        request.extensions_mut().insert(TraceId(trace_id));
        let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        // A method is one of nine, or it is counted as something else: the client must not choose labels.
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = known.into_iter().find(|method| *method == request.method().as_str());
        Self {
            trace_id,
            method: method.unwrap_or("other").to_owned(),
            route: route.unwrap_or_else(|| "unknown".to_owned()),
            at: Instant::now(),
        }
    }

    fn log(&self, problem: &Problem) {
        if let Some(cause) = problem.cause() {
            tracing::error!(trace_id = %self.trace_id, route = self.route, cause, "request failed");
        }
    }

    fn count(&self, shared: &Shared, response: &Response) {
        let status = response.status().as_u16();
        let seconds = self.at.elapsed().as_secs_f64();
        shared.metrics.request(&self.method, &self.route, status, seconds);
        tracing::debug!(trace_id = %self.trace_id, method = self.method, route = self.route, status, "answered");
    }
}

fn set_headers(headers: &mut HeaderMap, is_api: bool) {
    const FIXED: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ];
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if is_api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// What the device side answers where it has nothing.
pub(super) async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}
