//! Discovery, policy and enrollment services on `url`, and renewal on `device_url`.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::soap::{self, Received};
use crate::app::{Error, Refusal, Sender, user_name};
use crate::domain::attempt::Phase;
use crate::failpoint;
use crate::http::Shared;
use crate::http::answer::accepts_pages;
use crate::http::error::Problem;
use crate::http::pages::{self, Frame};
use crate::proto::mde2::Discover;
use crate::proto::soap::fault::Operation;
use crate::proto::wstep::{RequestSecurityToken, encode_response};
use crate::proto::xcep::GetPolicies;

/// Where renewals go.
pub(super) const RENEWAL: &str = "/EnrollmentServer/Renew.svc";

/// Discovery: a GET or HEAD only asks whether somebody is here (2.2), a POST carries Discover.
pub async fn discovery(
    State(shared): State<Shared>,
    generation: Option<Path<String>>,
    frame: Frame,
    request: Request,
) -> Response {
    let generation = generation.map(|Path(name)| name);
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        // A device goes on to its Discover, where it is told; its names change with Windows, so browsers are told by what
        // they take. A person has typed the address into one.
        if accepts_pages(request.headers()) {
            match shared.app.is_current_url(generation.as_deref()).await {
                Ok(true) => {}
                Ok(false) => return pages::stale_url(frame),
                Err(error) => return Problem::from(Error::from(error)).into_response(),
            }
        }
        let mut response = Body::empty().into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        return response;
    }
    soap::guarded(shared.clone(), Operation::Discover, discover(shared, generation, request)).await
}

async fn discover(shared: Shared, generation: Option<String>, request: Request) -> Response {
    let received = match soap::receive(&shared, request, Operation::Discover, Phase::Discover).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let answer = match Discover::decode(&received.envelope) {
        Ok(message) => {
            let (app, generation, caller) = (&shared.app, generation.as_deref(), &received.caller);
            match app.admit_by_url(generation, Phase::Discover, &message.email, caller).await {
                Ok(()) => app.discover(&message, generation, caller).await,
                Err(refusal) => Err(refusal),
            }
        }
        Err(reason) => Err(unreadable(&shared, &received, Phase::Discover, reason).await),
    };
    match answer {
        Ok(response) => soap::answer(response.encode(&received.reply_header())),
        Err(refusal) => received.refuse(Operation::Discover, &refusal),
    }
}

/// GetPolicies.
pub async fn policy(State(shared): State<Shared>, generation: Option<Path<String>>, request: Request) -> Response {
    let generation = generation.map(|Path(name)| name);
    soap::guarded(shared.clone(), Operation::GetPolicies, policies(shared, generation, request)).await
}

async fn policies(shared: Shared, generation: Option<String>, request: Request) -> Response {
    let received = match soap::receive(&shared, request, Operation::GetPolicies, Phase::Policy).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let answer = match GetPolicies::decode(&received.envelope) {
        Ok(_) => {
            let (app, caller, credential) = (&shared.app, &received.caller, received.envelope.credential());
            match app.admit_by_url(generation.as_deref(), Phase::Policy, &user_name(&credential), caller).await {
                Ok(()) => app.policies(credential, caller).await,
                Err(refusal) => Err(refusal),
            }
        }
        Err(reason) => Err(unreadable(&shared, &received, Phase::Policy, reason).await),
    };
    match answer {
        Ok(settings) => soap::answer(settings.encode(&received.reply_header())),
        Err(refusal) => received.refuse(Operation::GetPolicies, &refusal),
    }
}

/// RequestSecurityToken.
pub async fn enrollment(State(shared): State<Shared>, generation: Option<Path<String>>, request: Request) -> Response {
    let generation = generation.map(|Path(name)| name);
    soap::guarded(shared.clone(), Operation::RequestSecurityToken, enroll(shared, generation, request)).await
}

async fn enroll(shared: Shared, generation: Option<String>, request: Request) -> Response {
    let operation = Operation::RequestSecurityToken;
    let received = match soap::receive(&shared, request, operation, Phase::Enroll).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let answer = match RequestSecurityToken::decode(&received.envelope) {
        Ok(token) => {
            let (app, caller, credential) = (&shared.app, &received.caller, received.envelope.credential());
            match app.admit_by_url(generation.as_deref(), Phase::Enroll, &user_name(&credential), caller).await {
                Ok(()) => app.enroll(credential, &token, caller).await,
                Err(refusal) => Err(refusal),
            }
        }
        Err(reason) => Err(unreadable(&shared, &received, Phase::Enroll, reason).await),
    };
    match answer {
        Ok(enrolled) => soap::answer(encode_response(&enrolled.document, enrolled.issued_at, &received.reply_header())),
        Err(refusal) => received.refuse(operation, &refusal),
    }
}

/// RequestSecurityToken of an enrolled device, for its next certificate.
pub async fn renewal(State(shared): State<Shared>, request: Request) -> Response {
    soap::guarded(shared.clone(), Operation::RequestSecurityToken, renew(shared, request)).await
}

async fn renew(shared: Shared, request: Request) -> Response {
    let Some(Sender::Renewing(renewing)) = request.extensions().get::<Sender>().cloned() else {
        return StatusCode::FORBIDDEN.into_response();
    };
    let operation = Operation::RequestSecurityToken;
    let received = match soap::receive(&shared, request, operation, Phase::Renew).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let answer = match RequestSecurityToken::decode(&received.envelope) {
        Ok(token) => shared.app.renew(&renewing, &token, &received.caller).await,
        Err(reason) => Err(unreadable(&shared, &received, Phase::Renew, reason).await),
    };
    failpoint::here(failpoint::REPLY_MADE);
    match answer {
        Ok(renewed) => soap::answer(encode_response(&renewed.document, renewed.issued_at, &received.reply_header())),
        Err(refusal) => received.refuse(operation, &refusal),
    }
}

async fn unreadable(
    shared: &Shared,
    received: &Received,
    phase: Phase,
    reason: crate::proto::soap::envelope::Rejection,
) -> Refusal {
    let refusal = Refusal::Unreadable(reason);
    shared.app.record_unreadable(&received.caller, phase, &refusal).await;
    refusal
}
