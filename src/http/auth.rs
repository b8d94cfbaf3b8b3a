//! Who may call a route: checked by the row of the table, before anything of the request but its headers is read.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::error::Problem;
use super::peer::Peer;
use crate::app::{Error, Principal};
use crate::domain::user::Role;

/// What a row of the table demands.
#[derive(Clone)]
pub(super) struct Demand {
    pub(super) shared: Shared,
    pub(super) role: Role,
    /// Method and pattern, for the audit trail.
    pub(super) route: String,
}

/// Lets a request through to its handler if its bearer may call it.
pub(super) async fn require(State(demand): State<Demand>, mut request: Request, next: Next) -> Response {
    // What is needed is copied, because a body cannot be shared while we wait.
    let bearer = bearer(request.headers()).map(str::to_owned);
    match admit(&demand, bearer.as_deref(), address(&demand, &request)).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            // What devices did a moment ago may wait to be written; whoever asks here is to see it.
            demand.shared.app.catch_up().await;
            next.run(request).await
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn admit(demand: &Demand, bearer: Option<&str>, address: IpAddr) -> Result<Principal, Error> {
    let app = &demand.shared.app;
    let principal = app.authenticate(bearer.ok_or(Error::Unauthenticated)?, address).await?;
    if principal.role < demand.role {
        let words = format!("this needs the role {}; you have {}", demand.role.as_str(), principal.role.as_str());
        app.note_refusal(&principal, &demand.route, &words).await?;
        return Err(Error::Forbidden(words));
    }
    Ok(principal)
}

/// The one bearer token of the request; two `Authorization` headers are none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Where the request comes from, as the listener found it out.
fn address(demand: &Demand, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| demand.shared.proxies.client_address(peer, request.headers()))
}

/// Who calls, in a handler of a route with a role.
#[derive(Clone, Debug)]
pub struct By(pub Principal);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let principal = parts.extensions.get::<Principal>().cloned();
        principal.map(Self).ok_or_else(|| Problem::internal("a route without a role asks who calls"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_one_bearer_counts() {
        let cases: [(&[&str], Option<&str>); 8] = [
            (&[], None),
            (&["Bearer mst_x"], Some("mst_x")),
            (&["bearer  mst_x "], Some("mst_x")),
            (&["Basic dXNlcjpw"], None),
            (&["Bearer"], None),
            (&["Bearer "], None),
            (&["mst_x"], None),
            (&["Bearer mst_x", "Bearer mst_y"], None),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        }
    }
}
