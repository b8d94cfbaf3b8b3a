//! Reading a request body under a limit and a deadline, and judging its content type.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

/// Reads a body of at most `limit` bytes within `deadline`.
///
/// # Errors
/// The HTTP status to answer: 413 above the limit (nothing above it is kept), 415 for a
/// content coding, 408 past the deadline, 400 where the connection broke.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    deadline: Duration,
) -> Result<Vec<u8>, StatusCode> {
    let identity = |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    match tokio::time::timeout(deadline, collect(headers, body, limit)).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(result) => result,
    }
}

/// Bytes of a body that is too large that are read and thrown away, so that the answer reaches a client that sends first and
/// reads later.
const THROWN_AWAY: usize = 32 * 1024 * 1024;

async fn collect(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Vec<u8>, StatusCode> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let too_long = announced.is_some_and(|length: u64| length > limit as u64);
    let hopeless = announced.is_some_and(|length| length > THROWN_AWAY as u64);
    if too_long && (hopeless || headers.contains_key(EXPECT)) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut bytes, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        seen += data.len();
        if seen > THROWN_AWAY.max(limit) {
            break;
        }
        if seen <= limit && !too_long {
            bytes.extend_from_slice(&data);
        }
    }
    if seen > limit || too_long { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(bytes) }
}

/// Whether the media type is one of `accepted`; parameters do not count, and a missing header is fine.
pub(super) fn is_accepted(headers: &HeaderMap, accepted: &[&str]) -> bool {
    accepted_type(headers, accepted).is_some()
}

/// Which of `accepted` the media type is; the first where there is no header.
pub(super) fn accepted_type<'a>(headers: &HeaderMap, accepted: &[&'a str]) -> Option<&'a str> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return accepted.first().copied() };
    let media_type = value.to_str().ok()?.split(';').next()?.trim();
    accepted.iter().copied().find(|known| known.eq_ignore_ascii_case(media_type))
}
