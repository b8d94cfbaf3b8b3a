//! `GET /i/{token}`: a personal invitation.
//!
//! Who has the secret of the address may know how the invitation stands; whoever has none of ours is told one and the same.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::go::{Guide, Rules};
use super::{Frame, answer};
use crate::app::ports::InvitationView;
use crate::app::{App, Error};
use crate::domain::invitation::{InvitationState, PinState};
use crate::domain::sign_in::{MOST_PIN_TRIES, SignInWith};
use crate::http::error::Problem;

#[derive(Template)]
#[template(path = "invitation.html")]
struct Invited {
    frame: Frame,
    guide: Guide,
    /// The name to sign in with.
    user: String,
    /// Until when it works.
    expires: String,
    pin: PinNote,
}

/// What is said of the PIN.
enum PinNote {
    /// There is none.
    None,
    /// It works: what to do with it.
    Live(String),
    /// It does not work any more.
    Over,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    frame: Frame,
    /// The messages: title and text.
    title: &'static str,
    text: &'static str,
}

pub(in crate::http) async fn page(State(app): State<App>, Path(token): Path<String>, frame: Frame) -> Response {
    let mut response = match app.invitation_of(&token).await {
        Ok(Some(view)) => match show(&app, frame, &token, view).await {
            Ok(response) => response,
            Err(error) => Problem::from(error).into_response(),
        },
        Ok(None) => notice(frame, StatusCode::NOT_FOUND, "invitation-unknown", "invitation-unknown-help"),
        Err(error) => Problem::from(error).into_response(),
    };
    // Nobody else is to find it on this device.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn show(app: &App, frame: Frame, token: &str, view: InvitationView) -> Result<Response, Error> {
    let now = app.now();
    let InvitationView { invitation, user, .. } = view;
    let gone = |frame, title, text| Ok(notice(frame, StatusCode::GONE, title, text));
    match invitation.standing(now) {
        InvitationState::Open => {}
        InvitationState::Used => return gone(frame, "invitation-used", "invitation-used-help"),
        InvitationState::Expired => return gone(frame, "invitation-expired", "invitation-expired-help"),
        InvitationState::Revoked => return gone(frame, "invitation-revoked", "invitation-revoked-help"),
    }
    let language = frame.language;
    let live_pin = invitation.pin.as_ref().filter(|pin| pin.state(now) == PinState::Live);
    let set = app.settings.invitations.sign_in;
    let has_password = app.user(invitation.user_id).await?.password_hash.is_some();
    // Of the two what this person has, as far as that is one.
    let sign_in = match (set, has_password, live_pin) {
        (SignInWith::PasswordOrPin, false, Some(_)) => SignInWith::Pin,
        (SignInWith::PasswordOrPin, true, None) => SignInWith::Password,
        _ => set,
    };
    let server = app.enrollment_url().await?.url;
    let page = format!("{}/i/{token}?lang={}", app.settings.url, frame.lang());
    let guide = Guide::new(server, &page, Some(&user), sign_in, Rules::of(app).await);
    let pin = match live_pin {
        _ if !set.takes_pins() => PinNote::None,
        Some(pin) => {
            let (until, tries) = (language.moment(pin.expires_at), MOST_PIN_TRIES.to_string());
            PinNote::Live(frame.messages.text(guide.words.pin, &[("until", &until), ("tries", &tries)]))
        }
        None if invitation.pin.is_some() => PinNote::Over,
        None => PinNote::None,
    };
    let expires = language.moment(invitation.expires_at);
    Ok(answer(StatusCode::OK, language, &Invited { frame, guide, user, expires, pin }))
}

/// A page that says that something does not work, why, and whom to ask.
pub(super) fn notice(frame: Frame, status: StatusCode, title: &'static str, text: &'static str) -> Response {
    answer(status, frame.language, &Notice { frame, title, text })
}
