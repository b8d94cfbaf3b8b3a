//! `PUT /upload/{id}?sig=…` on `url`: what a device was asked to upload (management reference 7.21).
//!
//! The device does it as it would store a blob in Azure: one PUT of the whole file, answered with 201. It comes without a
//! certificate, so it cannot be on `device_url`. The secret is in the query, which no log has.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::app::ports::StoreError;
use crate::app::{Receiving, UploadRefused};
use crate::domain::upload::Received;
use crate::http::Shared;

/// The pattern of the route.
pub const PATH: &str = "/upload/{id}";
/// Longest time for a whole upload.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Takes a file.
pub async fn upload(State(shared): State<Shared>, Path(id): Path<String>, request: Request) -> Response {
    // A task of its own: where the connection breaks it goes on, and takes away what has come.
    match tokio::spawn(receive(shared, id, request)).await {
        Ok(Ok(received)) => created(&received),
        Ok(Err(status)) => status.into_response(),
        Err(error) => {
            tracing::error!(%error, "an upload failed unexpectedly");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn receive(shared: Shared, id: String, request: Request) -> Result<Received, StatusCode> {
    let (parts, body) = request.into_parts();
    let announced = check(&parts.headers)?;
    let secret = secret(parts.uri.query().unwrap_or_default())?;
    if announced.is_some_and(|bytes| bytes > shared.app.settings.upload_bytes) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut receiving = shared.app.begin_upload(&id, &secret).await.map_err(status)?;
    let work = fill(&mut receiving, body, announced, shared.doors.body_deadline);
    match tokio::time::timeout(LONGEST, work).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)) {
        Ok(received) => Ok(received),
        Err(status) => {
            receiving.abandon().await;
            Err(status)
        }
    }
}

/// Reads the body to its end; `pause` is how long the sender may be silent.
async fn fill(
    receiving: &mut Receiving,
    mut body: Body,
    announced: Option<u64>,
    pause: Duration,
) -> Result<Received, StatusCode> {
    let mut seen = 0;
    loop {
        let frame = tokio::time::timeout(pause, body.frame()).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        seen += data.len() as u64;
        receiving.take(&data).await.map_err(status)?;
    }
    if announced.is_some_and(|bytes| bytes != seen) {
        return Err(StatusCode::BAD_REQUEST);
    }
    receiving.finish().await.map_err(status)
}

/// Whether this is the one way in which a file is sent; the length that is announced.
fn check(headers: &HeaderMap) -> Result<Option<u64>, StatusCode> {
    let is = |name: &str, word: &str| {
        headers.get_all(name).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    if !is(CONTENT_ENCODING.as_str(), "identity") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    if !is("x-ms-blob-type", "BlockBlob") || headers.contains_key(CONTENT_RANGE) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    length.map(|length| length.ok_or(StatusCode::BAD_REQUEST)).transpose()
}

/// `sig` of the query. Files in blocks (`comp`) are not put together.
fn secret(query: &str) -> Result<String, StatusCode> {
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    if pairs.iter().any(|(name, _)| name == "comp") {
        return Err(StatusCode::BAD_REQUEST);
    }
    let secret = pairs.into_iter().find(|(name, _)| name == "sig").map(|(_, value)| value.into_owned());
    secret.ok_or(StatusCode::FORBIDDEN)
}

fn created(received: &Received) -> Response {
    let tag: String = received.sha256.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut response = StatusCode::CREATED.into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn status(refused: UploadRefused) -> StatusCode {
    match refused {
        UploadRefused::Forbidden => StatusCode::FORBIDDEN,
        UploadRefused::Used | UploadRefused::Busy => StatusCode::CONFLICT,
        UploadRefused::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        UploadRefused::Empty => StatusCode::BAD_REQUEST,
        UploadRefused::Store(StoreError::Internal(cause)) => {
            tracing::error!(cause, "an upload failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        UploadRefused::Store(error) => {
            tracing::warn!(%error, "an upload could not be taken");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
