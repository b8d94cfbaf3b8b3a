//! `GET /`: what this server is, and where to go from here.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Frame, answer};

#[derive(Template)]
#[template(path = "signpost.html")]
struct Signpost {
    frame: Frame,
}

pub(in crate::http) async fn page(frame: Frame) -> Response {
    answer(StatusCode::OK, frame.language, &Signpost { frame })
}
