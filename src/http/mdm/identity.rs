//! Who speaks on `device_url`: asked before anything else of a request is looked at (management reference 1.16, 5.1, 5.2).
//!
//! Nobody without a good certificate learns which paths there are; all of them get 403 and nothing more. Never 401: the
//! client would try another way of authentication, and some leave management over it. Where an administrator opened
//! another way than the certificate in TLS, it is open for management messages alone.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::enroll::RENEWAL;
use super::manage;
use crate::app::{Shown, Unidentified, Wanted};
use crate::http::Shared;
use crate::http::peer::Peer;

/// The names of the header with the signature: one in MS-MDM, the other in MS-MDE2.
const SIGNATURES: [&str; 2] = ["ms-signature", "mdm-signature"];

/// Finds out who sent a request, as far as its head tells, and puts that on the request; refuses everybody else.
pub async fn identify(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(shown) = shown(&shared, &request) else { return StatusCode::FORBIDDEN.into_response() };
    match shared.app.sender(&shown).await {
        Ok(sender) => {
            request.extensions_mut().insert(sender);
            next.run(request).await
        }
        Err(Unidentified::Store(_)) => manage::unavailable(&shared.app),
        Err(_) => StatusCode::FORBIDDEN.into_response(),
    }
}

/// What a request shows of its sender.
fn shown<'r>(shared: &Shared, request: &'r Request) -> Option<Shown<'r>> {
    let peer = request.extensions().get::<Peer>()?;
    let is_proxy = shared.proxies.is_one(peer);
    Some(Shown {
        address: shared.proxies.client_address(peer, request.headers()),
        certificate: peer.certificate.as_ref().map(AsRef::as_ref),
        forwarded: shared.forwarded.as_ref().filter(|_| is_proxy).and_then(|taken| taken.read(request.headers())),
        signatures: signatures(request.headers()),
        wanted: match (request.method(), request.uri().path()) {
            (&Method::POST, manage::PATH) => Wanted::Session,
            (&Method::POST, RENEWAL) => Wanted::Renewal { through_proxy: is_proxy && shared.forwarded.is_none() },
            _ => Wanted::Other,
        },
    })
}

fn signatures(headers: &HeaderMap) -> Vec<&[u8]> {
    SIGNATURES.iter().flat_map(|name| headers.get_all(*name)).map(|value| value.as_bytes()).collect()
}
