//! Who speaks on `device_url`: asked before anything else of a request is looked at (management reference 1.16, 5.2).
//!
//! Nobody without a good certificate learns which paths there are; all of them get 403 and nothing more. Never 401: the
//! client would try another way of authentication, and some leave management over it.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{manage, soap};
use crate::app::Unidentified;
use crate::http::Shared;
use crate::http::peer::Peer;

/// Finds the enrollment behind the client certificate and puts it on the request; refuses everybody else.
pub async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(caller) = soap::caller(&shared, &request) else { return StatusCode::FORBIDDEN.into_response() };
    let certificate = certificate(&request);
    match shared.app.identify(certificate.as_deref(), caller.address).await {
        Ok(device) => {
            request.extensions_mut().insert(device);
            next.run(request).await
        }
        Err(Unidentified::Store(_)) => manage::unavailable(&shared.app),
        Err(_) => StatusCode::FORBIDDEN.into_response(),
    }
}

/// The presented certificate, DER.
fn certificate(request: &Request) -> Option<Vec<u8>> {
    let peer = request.extensions().get::<Peer>()?;
    peer.certificate.as_ref().map(|certificate| certificate.as_ref().to_vec())
}
