//! `GET` and `POST /password`: where people choose a new password, with the present one.

use askama::Template;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use super::{Frame, answer_with_form};
use crate::app::NotChosen;
use crate::app::users::SHORTEST_PASSWORD;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::extract::{expect_media_type, read_body_within};
use crate::http::peer::Peer;

#[derive(Template)]
#[template(path = "password.html")]
pub(super) struct Page {
    frame: Frame,
    /// The name as it was typed.
    name: String,
    /// What stands in the way: the field that is wrong, empty for none of them, and the messages in short and at length.
    pub(super) refused: Option<(&'static str, &'static str, &'static str)>,
    is_done: bool,
    /// Characters of the shortest password.
    least: String,
}

impl Page {
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, name: String::new(), refused: None, is_done: false, least: SHORTEST_PASSWORD.to_string() }
    }

    /// Whether that field is to be typed anew.
    fn is_wrong(&self, field: &str) -> bool {
        self.refused.is_some_and(|(wrong, ..)| wrong == field)
    }
}

/// What was typed.
struct Typed {
    name: String,
    present: SecretString,
    new: SecretString,
    again: SecretString,
}

pub(in crate::http) async fn page(frame: Frame) -> Response {
    show(StatusCode::OK, &Page::new(frame))
}

pub(in crate::http) async fn choose(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    frame: Frame,
    request: Request,
) -> Response {
    let address = shared.proxies.client_address(&peer, request.headers());
    let Typed { name, present, new, again } = match typed(request).await {
        Ok(typed) => typed,
        Err(problem) => return problem.into_response(),
    };
    let page = Page { name: name.chars().take(LONGEST_NAME).collect(), ..Page::new(frame) };
    if new.expose_secret() != again.expose_secret() {
        let refused = Some(("again", "password-differ", "password-differ-help"));
        return show(StatusCode::BAD_REQUEST, &Page { refused, ..page });
    }
    let (status, refused) = match shared.app.choose_password(&name, present, new, address).await {
        Ok(_) => return show(StatusCode::OK, &Page { is_done: true, ..page }),
        Err(NotChosen::Failed(error)) => return Problem::from(error).into_response(),
        Err(NotChosen::Unfit(_)) => (StatusCode::BAD_REQUEST, ("new", "password-unfit", "password-unfit-help")),
        Err(NotChosen::Same) => (StatusCode::BAD_REQUEST, ("new", "password-same", "password-same-help")),
        Err(NotChosen::Elsewhere) => (StatusCode::FORBIDDEN, ("", "password-elsewhere", "password-elsewhere-help")),
        Err(NotChosen::TooMany) => (StatusCode::TOO_MANY_REQUESTS, ("", "password-too-many", "password-too-many-help")),
        Err(NotChosen::Credentials) => {
            (StatusCode::FORBIDDEN, ("present", "password-credentials", "password-credentials-help"))
        }
        Err(NotChosen::Disabled) => (StatusCode::FORBIDDEN, ("", "password-disabled", "password-disabled-help")),
    };
    show(status, &Page { refused: Some(refused), ..page })
}

fn show(status: StatusCode, page: &Page) -> Response {
    let mut response = answer_with_form(status, page.frame.language, page);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The fields of the form; one that is missing is empty.
async fn typed(request: Request) -> Result<Typed, Problem> {
    expect_media_type(request.headers(), &["application/x-www-form-urlencoded"])?;
    let body = read_body_within(request, MOST_BYTES).await?;
    let field = |wanted: &str| {
        let found = form_urlencoded::parse(&body).find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let secret = |wanted| SecretString::from(field(wanted));
    Ok(Typed { name: field("name"), present: secret("present"), new: secret("new"), again: secret("again") })
}

/// Bytes of the largest form: four fields of the longest password, each byte written as three.
const MOST_BYTES: usize = 16 * 1024;
/// Characters of a name that are shown again.
const LONGEST_NAME: usize = 254;
