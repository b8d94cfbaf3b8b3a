//! What a browser is shown at an enrollment URL that is out of date.

use axum::http::StatusCode;
use axum::response::Response;

use super::Frame;
use super::invitation::notice;

pub(in crate::http) fn page(frame: Frame) -> Response {
    notice(frame, StatusCode::GONE, "stale-url", "stale-url-help")
}
