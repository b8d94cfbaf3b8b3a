//! `GET /go`: how to enroll, step by step, for each kind of Windows, with the address to copy.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded::byte_serialize;

use super::qr::Qr;
use super::{Frame, answer};
use crate::app::App;
use crate::http::error::Problem;

#[derive(Template)]
#[template(path = "go.html")]
pub(super) struct Go {
    pub(super) frame: Frame,
    pub(super) guide: Guide,
}

/// What the steps of an enrollment need to know.
pub(super) struct Guide {
    /// The address that Windows asks for.
    pub(super) server: String,
    /// The link that opens the dialog of Windows.
    pub(super) link: String,
    /// The picture that opens this page elsewhere.
    pub(super) qr: Option<Qr>,
}

impl Guide {
    /// For a server; `page` is where the steps are shown, `user` who is to enroll if that is known.
    pub(super) fn new(server: String, page: &str, user: Option<&str>) -> Self {
        Self { link: deep_link(&server, user), qr: Qr::of(page), server }
    }

    /// The kinds of Windows in the order in which they stand on the page; the last is shown where none was chosen.
    pub(super) fn kinds(&self) -> [&'static str; 3] {
        ["windows10", "hololens2", "windows11"]
    }

    /// Their order in the choice.
    pub(super) fn choice(&self) -> [&'static str; 3] {
        ["windows11", "windows10", "hololens2"]
    }
}

/// Opens the enrollment dialog of Windows (MS-MDE2 appendix; enrollment reference 2.1).
fn deep_link(server: &str, user: Option<&str>) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let user = user.map(|user| format!("&username={}", encode(user))).unwrap_or_default();
    format!("ms-device-enrollment:?mode=mdm{user}&servername={}", encode(server))
}

pub(in crate::http) async fn page(State(app): State<App>, frame: Frame) -> Response {
    let page = format!("{}/go?lang={}", app.settings.url, frame.lang());
    let server = match app.enrollment_url().await {
        Ok(server) => server.url,
        Err(error) => return Problem::from(error).into_response(),
    };
    let guide = Guide::new(server, &page, None);
    answer(StatusCode::OK, frame.language, &Go { frame, guide })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_names_server_and_user() {
        let server = "https://mdm.example.test/EnrollmentServer/Discovery.svc";
        assert_eq!(
            deep_link(server, None),
            "ms-device-enrollment:?mode=mdm&servername=https%3A%2F%2Fmdm.example.test%2FEnrollmentServer%2FDiscovery.svc"
        );
        let named = deep_link(server, Some("a&b c@example.test"));
        assert!(named.contains("&username=a%26b%20c%40example.test&servername="), "{named}");
    }
}
