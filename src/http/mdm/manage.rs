//! The OMA-DM endpoint on `device_url` (management reference 1.1, 1.2, 1.16).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;

use super::{body, soap};
use crate::app::{App, CheckInAnswer, Delivery, Error, Sender};
use crate::failpoint;
use crate::http::Shared;
use crate::proto::syncml::{Encoding, MEDIA_TYPE, MEDIA_TYPE_WBXML, OTHER_MEDIA_TYPE_WBXML};
use crate::session::Opening;

/// Media types of SyncML requests in XML.
const XML: [&str; 4] = [MEDIA_TYPE, "application/vnd.syncml+xml", "application/xml", "text/xml"];
/// Media types of SyncML requests in WBXML.
const WBXML: [&str; 2] = [MEDIA_TYPE_WBXML, OTHER_MEDIA_TYPE_WBXML];
/// Where management messages go.
pub const PATH: &str = "/ManagementServer/MDM.svc";
/// Longest text of a header that is kept.
const LONGEST_HEADER: usize = 200;

/// Takes one message of a device that [`super::identify`] let through.
pub async fn manage(State(shared): State<Shared>, request: Request) -> Response {
    let work = check_in(shared.clone(), request);
    match tokio::spawn(work).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a device message failed unexpectedly");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn check_in(shared: Shared, request: Request) -> Response {
    let Some(sender) = request.extensions().get::<Sender>().cloned() else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let (parts, body) = request.into_parts();
    let Some(form) = Form::of(&parts.headers, shared.doors.wbxml) else {
        return soap::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/vnd.syncml.dm+xml is expected");
    };
    let doors = &shared.doors;
    let limit = match sender {
        Sender::Device(_) | Sender::Signer(_) => doors.message_bytes,
        // As much as anybody may send without proving anything.
        Sender::Unproven { .. } | Sender::Renewing(_) => doors.soap_body_bytes.min(doors.message_bytes),
    };
    match body::read(&parts.headers, body, limit, doors.body_deadline).await {
        Ok(bytes) => answer(&shared.app, sender, &parts, form, bytes).await,
        Err(status) => soap::plain(status, "the message was not accepted"),
    }
}

/// How a message is written, and the media type of an answer in kind.
#[derive(Clone, Copy)]
struct Form {
    encoding: Encoding,
    media_type: &'static str,
}

impl Form {
    /// As the content type says; without one it is XML. `None` for what is not read here.
    fn of(headers: &HeaderMap, wbxml: bool) -> Option<Self> {
        if body::is_accepted(headers, &XML) {
            return Some(Self { encoding: Encoding::Xml, media_type: MEDIA_TYPE });
        }
        let media_type = body::accepted_type(headers, &WBXML).filter(|_| wbxml)?;
        Some(Self { encoding: Encoding::Wbxml, media_type })
    }

    /// The media type of an answer: a stored one keeps the encoding in which it was given.
    fn media_type_of(self, answer: &[u8]) -> &'static str {
        match Encoding::of(answer) {
            encoding if encoding == self.encoding => self.media_type,
            Encoding::Xml => MEDIA_TYPE,
            Encoding::Wbxml => MEDIA_TYPE_WBXML,
        }
    }
}

async fn answer(app: &App, sender: Sender, parts: &Parts, form: Form, body: Vec<u8>) -> Response {
    let tokens = tokens(&parts.headers);
    let delivery = Delivery { sender, body, encoding: form.encoding, opening: opening(parts), tokens };
    match app.receive(delivery).await {
        Ok(CheckInAnswer::Reply(bytes)) => reply(bytes, form),
        Ok(CheckInAnswer::Bad(line)) => soap::plain(StatusCode::BAD_REQUEST, &line),
        Ok(CheckInAnswer::Forbidden) => StatusCode::FORBIDDEN.into_response(),
        Err(Error::TooMany { retry_after }) => later(app, StatusCode::TOO_MANY_REQUESTS, retry_after),
        Err(Error::Internal(cause)) => {
            tracing::error!(%cause, "a device message failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "a device message could not be served");
            unavailable(app)
        }
    }
}

fn reply(bytes: Vec<u8>, form: Form) -> Response {
    let media_type = form.media_type_of(&bytes);
    let mut response = Body::from(bytes).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    failpoint::here(failpoint::REPLY_MADE);
    response
}

pub(super) fn unavailable(app: &App) -> Response {
    later(app, StatusCode::SERVICE_UNAVAILABLE, 30)
}

/// "Try again later", spread over as much time again so that devices do not come back together.
fn later(app: &App, status: StatusCode, seconds: u64) -> Response {
    let mut random = [0; 1];
    app.rng.fill(&mut random);
    let seconds = seconds + seconds * u64::from(random[0]) / 255;
    let mut response = status.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// What the request tells beside the message: the mode of the query, in any case, and two headers.
fn opening(parts: &Parts) -> Opening {
    let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mode =
        pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("mode")).map(|(_, value)| value.to_lowercase());
    Opening {
        mode: mode.and_then(|mode| match mode.as_str() {
            "maintenance" => Some("user".to_owned()),
            "machine" => Some("system".to_owned()),
            _ => None,
        }),
        correlation: header(&parts.headers, "ms-cv"),
        client_request_id: header(&parts.headers, "client-request-id"),
    }
}

/// The Entra tokens in the headers: a user's or a device's as `Authorization: Bearer`, a device's as `DeviceToken`. What is
/// no text is no token either, but something came.
fn tokens(headers: &HeaderMap) -> Vec<SecretString> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").trim().to_owned();
    let bearer = |text: String| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    };
    let of_user = headers.get_all(AUTHORIZATION).iter().map(text).filter_map(bearer);
    let of_device = headers.get_all("devicetoken").iter().map(text);
    of_user.chain(of_device).filter(|token| !token.is_empty()).map(SecretString::from).collect()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(LONGEST_HEADER).collect())
}
