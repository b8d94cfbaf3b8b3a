//! What a browser is shown at an address that does not exist.

use axum::http::StatusCode;
use axum::response::Response;

use super::Frame;
use super::invitation::notice;

pub(in crate::http) fn page(mut frame: Frame) -> Response {
    // What was asked for is not repeated in a link.
    "/".clone_into(&mut frame.path);
    notice(frame, StatusCode::NOT_FOUND, "nowhere", "nowhere-help")
}
