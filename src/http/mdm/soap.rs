//! What the three SOAP endpoints share (enrollment reference 1.4, 7): framing, faults, trace ids.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::body;
use crate::app::{App, Caller, Refusal};
use crate::doctor;
use crate::domain::attempt::Phase;
use crate::http::Shared;
use crate::http::peer::Peer;
use crate::proto::soap::envelope::{Envelope, Rejected, ReplyHeader};
use crate::proto::soap::fault::{Fault, Operation};

/// Media types of SOAP requests; genuine ones use the first.
const ACCEPTED: &[&str] = &["application/soap+xml", "text/xml", "application/xml"];

/// A SOAP request that could be read as such.
pub(super) struct Received {
    pub(super) envelope: Envelope,
    pub(super) caller: Caller,
}

impl Received {
    /// The header of the answer.
    pub(super) fn reply_header(&self) -> ReplyHeader<'_> {
        ReplyHeader { relates_to: self.envelope.message_id.as_deref(), activity_id: self.caller.trace_id }
    }

    /// The answer to a refusal.
    pub(super) fn refuse(&self, operation: Operation, refusal: &Refusal) -> Response {
        match refusal.fault() {
            Some(fault) => fault_answer(&fault, operation, &self.reply_header()),
            None => plain(StatusCode::BAD_REQUEST, &refusal.to_string()),
        }
    }
}

/// Who sent a request: the address behind trusted proxies, and a fresh trace id.
pub(super) fn caller(shared: &Shared, request: &Request) -> Option<Caller> {
    let peer = request.extensions().get::<Peer>()?;
    let address = shared.proxies.address_at_the_door(peer, request.headers());
    Some(Caller { address, trace_id: shared.app.new_trace_id(), says_doctor: false })
}

/// Reads a SOAP request as far as its envelope; what cannot be read is recorded in the ledger and answered.
pub(super) async fn receive(
    shared: &Shared,
    request: Request,
    operation: Operation,
    phase: Phase,
) -> Result<Received, Response> {
    let Some(caller) = caller(shared, &request) else {
        return Err(plain(StatusCode::INTERNAL_SERVER_ERROR, "the connection is not known"));
    };
    let (parts, body) = request.into_parts();
    if !body::is_accepted(&parts.headers, ACCEPTED) {
        return Err(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/soap+xml is expected"));
    }
    let doors = &shared.doors;
    let bytes = body::read(&parts.headers, body, doors.soap_body_bytes, doors.body_deadline)
        .await
        .map_err(|status| plain(status, "the request body was not accepted"))?;
    match decode(&shared.app, &bytes, operation) {
        Ok(envelope) => {
            let says_doctor = doctor::is_own(envelope.message_id.as_deref());
            Ok(Received { envelope, caller: Caller { says_doctor, ..caller } })
        }
        Err(rejected) => Err(unreadable(&shared.app, &caller, operation, phase, rejected).await),
    }
}

fn decode(app: &App, bytes: &[u8], operation: Operation) -> Result<Envelope, Rejected> {
    let envelope = Envelope::decode(bytes, &app.settings.xml)?;
    match envelope.expect_action(operation.request_action()) {
        Ok(()) => Ok(envelope),
        Err(reason) => Err(Rejected { message_id: envelope.message_id, reason }),
    }
}

async fn unreadable(app: &App, caller: &Caller, operation: Operation, phase: Phase, rejected: Rejected) -> Response {
    let refusal = Refusal::Unreadable(rejected.reason);
    app.record_unreadable(caller, phase, &refusal).await;
    match refusal.fault() {
        Some(fault) => {
            let header = ReplyHeader { relates_to: rejected.message_id.as_deref(), activity_id: caller.trace_id };
            fault_answer(&fault, operation, &header)
        }
        None => plain(StatusCode::BAD_REQUEST, &refusal.to_string()),
    }
}

/// Runs a handler so that a panic in it becomes the fault for the unexpected, and so that it runs to its end even if the
/// device hangs up.
pub(super) async fn guarded(
    shared: Shared,
    operation: Operation,
    work: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let trace_id = shared.app.new_trace_id();
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%trace_id, %error, "an enrollment request failed unexpectedly");
            let refusal = Refusal::Internal(String::new());
            let header = ReplyHeader { relates_to: None, activity_id: trace_id };
            match refusal.fault() {
                Some(fault) => fault_answer(&fault, operation, &header),
                None => plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
            }
        }
    }
}

/// HTTP 200 with a SOAP message.
pub(super) fn answer(bytes: Vec<u8>) -> Response {
    soap(StatusCode::OK, bytes)
}

/// A fault; its casing and its status come from one place.
fn fault_answer(fault: &Fault, operation: Operation, header: &ReplyHeader<'_>) -> Response {
    let status = StatusCode::from_u16(Fault::HTTP_STATUS).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    soap(status, fault.encode(operation, header))
}

fn soap(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = (status, Body::from(bytes)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/soap+xml; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One line of plain text.
pub(super) fn plain(status: StatusCode, line: &str) -> Response {
    let mut response = (status, format!("{line}\n")).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
