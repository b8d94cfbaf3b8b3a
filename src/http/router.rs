//! The one table of routes. What a route is for, who may call it and what answers it stand in one row, and the routers
//! are built from the rows; a route without a declared audience cannot exist.

mod canonical;

use std::collections::BTreeMap;
use std::fmt;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler as _;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use super::auth::{Demand, require};
use super::error::Problem;
use super::{Shared, answer, api, mdm, ops, pages, pki};
use crate::domain::user::Role;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Method.
    pub method: Method,
    /// Pattern; `{name}` stands for one segment.
    pub path: &'static str,
    /// For whom it is.
    pub audience: Audience,
    /// Where it is.
    pub listener: Listener,
    /// The least role of whoever may call it; `None` only where the audience brings no user.
    pub role: Option<Role>,
    handler: Handler,
}

/// Makes the handler of a row for its method.
type Handler = fn(MethodFilter) -> MethodRouter<Shared>;

/// The methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// GET; HEAD is answered too, without a body.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// For whom a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Windows devices; the handler authenticates as the protocol demands.
    Device,
    /// Everybody.
    Public,
    /// Programs and administrators with a bearer token.
    Api,
    /// Operators; the listener's address decides who that is.
    Ops,
}

/// Where a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// `url`.
    Web,
    /// `device_url`.
    Device,
    /// `[ops] listen`.
    Ops,
}

/// Every route of the server.
#[must_use]
pub fn table() -> &'static [Route] {
    TABLE
}

/// The routes of `url`.
pub fn web(shared: &Shared) -> Router {
    let router = build(Listener::Web, shared)
        .fallback(no_route)
        .layer(CatchPanicLayer::custom(answer::panicked))
        .layer(from_fn(refuse_odd_paths))
        .layer(from_fn_with_state(shared.clone(), answer::web))
        .with_state(shared.clone());
    // Outside of the router, because the path decides the route.
    Router::new().fallback_service(router.map_request(canonical::discovery))
}

/// The routes of `device_url`.
pub fn device(shared: &Shared) -> Router {
    build(Listener::Device, shared)
        .fallback(answer::nothing)
        .layer(CatchPanicLayer::custom(answer::panicked))
        .layer(from_fn(refuse_odd_paths))
        .layer(from_fn_with_state(shared.clone(), mdm::identify))
        .layer(from_fn_with_state(shared.clone(), answer::device))
        .with_state(shared.clone())
}

/// The routes of `[ops] listen`.
pub fn operators(shared: &Shared) -> Router {
    build(Listener::Ops, shared)
        .fallback(answer::nothing)
        .layer(map_response(answer::operators))
        .with_state(shared.clone())
}

fn build(listener: Listener, shared: &Shared) -> Router<Shared> {
    let mut by_path: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in TABLE.iter().filter(|route| route.listener == listener) {
        by_path.entry(route.path).or_default().push(route);
    }
    by_path.into_iter().fold(Router::new(), |router, (path, routes)| {
        let handlers = routes.iter().map(|route| guarded(route, shared)).fold(MethodRouter::new(), MethodRouter::merge);
        router.route(path, with_other_methods(handlers, path, &routes, shared))
    })
}

/// What answers the methods that a path does not have. Which it has is for those alone who may know of the path.
fn with_other_methods(
    handlers: MethodRouter<Shared>,
    path: &str,
    routes: &[&Route],
    shared: &Shared,
) -> MethodRouter<Shared> {
    let allow = allow(routes);
    let refuse = move || async move { wrong_method(allow) };
    // With `any`, because a plain fallback is given an `Allow` header whatever it answers.
    if routes.iter().all(|route| route.role.is_none()) {
        return handlers.merge(any(refuse));
    }
    let demand = Demand { shared: shared.clone(), role: User, route: path.to_owned() };
    handlers.merge(any(refuse.layer(from_fn_with_state(demand, require))))
}

/// The handler of a row behind what the row demands.
fn guarded(route: &Route, shared: &Shared) -> MethodRouter<Shared> {
    let handler = (route.handler)(route.method.filter());
    match route.role {
        None => handler,
        Some(role) => {
            let demand = Demand { shared: shared.clone(), role, route: format!("{} {}", route.method, route.path) };
            handler.route_layer(from_fn_with_state(demand, require))
        }
    }
}

fn allow(routes: &[&Route]) -> HeaderValue {
    let mut names: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if names.contains(&Get.as_str()) {
        names.push("HEAD");
    }
    names.sort_unstable();
    HeaderValue::from_str(&names.join(", ")).expect("names of methods are ASCII")
}

fn wrong_method(allow: HeaderValue) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address does not know that method")
        .with_header(ALLOW, allow)
}

async fn no_route() -> Problem {
    Problem::no_route()
}

/// Only paths in their one canonical spelling reach a handler; what decodes, folds or strips to one does not.
async fn refuse_odd_paths(request: Request, next: Next) -> Response {
    if canonical::is_canonical(request.uri().path()) {
        next.run(request).await
    } else {
        Problem::no_route().into_response()
    }
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Audience {
    /// As `muster routes` shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Public => "public",
            Self::Api => "api",
            Self::Ops => "operators",
        }
    }
}

impl Listener {
    /// As `muster routes` shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "url",
            Self::Device => "device_url",
            Self::Ops => "ops",
        }
    }
}

const fn api(method: Method, path: &'static str, role: Role, handler: Handler) -> Route {
    Route { method, path, audience: Audience::Api, listener: Listener::Web, role: Some(role), handler }
}

const fn open(method: Method, path: &'static str, handler: Handler) -> Route {
    Route { method, path, audience: Audience::Public, listener: Listener::Web, role: None, handler }
}

const fn windows(listener: Listener, method: Method, path: &'static str, handler: Handler) -> Route {
    Route { method, path, audience: Audience::Device, listener, role: None, handler }
}

const fn operator(path: &'static str, handler: Handler) -> Route {
    Route { method: Get, path, audience: Audience::Ops, listener: Listener::Ops, role: None, handler }
}

use Method::{Delete, Get, Patch, Post, Put};
use Role::{Admin, Operator, User, Viewer};

const TABLE: &[Route] = &[
    windows(Listener::Web, Get, canonical::DISCOVERY, |m| on(m, mdm::discovery)),
    windows(Listener::Web, Post, canonical::DISCOVERY, |m| on(m, mdm::discovery)),
    windows(Listener::Web, Post, "/EnrollmentServer/Policy.svc", |m| on(m, mdm::policy)),
    windows(Listener::Web, Post, "/EnrollmentServer/Enrollment.svc", |m| on(m, mdm::enrollment)),
    windows(Listener::Web, Get, canonical::DISCOVERY_OF_GENERATION, |m| on(m, mdm::discovery)),
    windows(Listener::Web, Post, canonical::DISCOVERY_OF_GENERATION, |m| on(m, mdm::discovery)),
    windows(Listener::Web, Post, "/EnrollmentServer/{generation}/Policy.svc", |m| on(m, mdm::policy)),
    windows(Listener::Web, Post, "/EnrollmentServer/{generation}/Enrollment.svc", |m| on(m, mdm::enrollment)),
    windows(Listener::Device, Post, "/EnrollmentServer/Renew.svc", |m| on(m, mdm::renewal)),
    windows(Listener::Device, Post, mdm::MANAGEMENT, |m| on(m, mdm::manage)),
    windows(Listener::Web, Put, mdm::UPLOAD, |m| on(m, mdm::upload)),
    open(Get, "/", |m| on(m, pages::signpost)),
    open(Get, "/go", |m| on(m, pages::go)),
    open(Get, "/password", |m| on(m, pages::password)),
    open(Post, "/password", |m| on(m, pages::choose_password)),
    open(Get, "/selftest", |m| on(m, pages::self_test)),
    open(Get, "/i/{token}", |m| on(m, pages::invitation)),
    open(Get, "/pki/device.crl", |m| on(m, pki::revocation_list)),
    open(Get, "/pki/previous.crl", |m| on(m, pki::previous_revocation_list)),
    open(Get, "/pki/ca.cer", |m| on(m, pki::root)),
    open(Get, "/pki/ca.pem", |m| on(m, pki::both)),
    open(Get, "/api/openapi.json", |m| on(m, api::openapi::document)),
    api(Get, "/api/v1/me", User, |m| on(m, api::me::show)),
    api(Get, "/api/v1/users", Viewer, |m| on(m, api::users::list)),
    api(Post, "/api/v1/users", Admin, |m| on(m, api::users::add)),
    api(Get, "/api/v1/users/{id}", Viewer, |m| on(m, api::users::show)),
    api(Patch, "/api/v1/users/{id}", Admin, |m| on(m, api::users::change)),
    api(Delete, "/api/v1/users/{id}", Admin, |m| on(m, api::users::remove)),
    api(Get, "/api/v1/tokens", Admin, |m| on(m, api::tokens::list)),
    api(Post, "/api/v1/tokens", Admin, |m| on(m, api::tokens::add)),
    api(Delete, "/api/v1/tokens/{id}", Admin, |m| on(m, api::tokens::revoke)),
    api(Get, "/api/v1/packages", Viewer, |m| on(m, api::packages::list)),
    api(Post, "/api/v1/packages", Admin, |m| on(m, api::packages::add)),
    api(Get, "/api/v1/packages/{id}", Viewer, |m| on(m, api::packages::show)),
    api(Post, "/api/v1/packages/{id}/rebuild", Admin, |m| on(m, api::packages::rebuild)),
    api(Delete, "/api/v1/packages/{id}", Admin, |m| on(m, api::packages::revoke)),
    api(Get, "/api/v1/enrollment-url", Viewer, |m| on(m, api::enrollment_url::show)),
    api(Post, "/api/v1/enrollment-url/rotate", Admin, |m| on(m, api::enrollment_url::rotate)),
    api(Get, "/api/v1/invitations", Viewer, |m| on(m, api::invitations::list)),
    api(Post, "/api/v1/invitations", Admin, |m| on(m, api::invitations::invite)),
    api(Get, "/api/v1/invitations/{id}", Viewer, |m| on(m, api::invitations::show)),
    api(Post, "/api/v1/invitations/{id}/resend", Admin, |m| on(m, api::invitations::resend)),
    api(Delete, "/api/v1/invitations/{id}", Admin, |m| on(m, api::invitations::revoke)),
    api(Get, "/api/v1/invitation-templates", Viewer, |m| on(m, api::invitation_templates::list)),
    api(Put, "/api/v1/invitation-templates/{language}", Admin, |m| on(m, api::invitation_templates::write)),
    api(Delete, "/api/v1/invitation-templates/{language}", Admin, |m| on(m, api::invitation_templates::reset)),
    api(Post, "/api/v1/invitation-templates/{language}/preview", Viewer, |m| on(m, api::invitation_templates::preview)),
    api(Get, "/api/v1/devices", Viewer, |m| on(m, api::devices::list)),
    api(Get, "/api/v1/devices/{id}", Viewer, |m| on(m, api::devices::show)),
    api(Post, "/api/v1/devices/{id}/approve", Admin, |m| on(m, api::devices::approval::approve)),
    api(Post, "/api/v1/devices/{id}/refuse", Admin, |m| on(m, api::devices::approval::refuse)),
    api(Get, "/api/v1/registered-devices", Viewer, |m| on(m, api::registered::list_registered)),
    api(Post, "/api/v1/registered-devices", Admin, |m| on(m, api::registered::register)),
    api(Delete, "/api/v1/registered-devices/{id}", Admin, |m| on(m, api::registered::unregister)),
    api(Get, "/api/v1/devices/{id}/alerts", Viewer, |m| on(m, api::alerts::list)),
    api(Post, "/api/v1/devices/{id}/assign", Operator, |m| on(m, api::devices::assign::assign)),
    api(Post, "/api/v1/devices/{id}/actions", Operator, |m| on(m, api::actions::request)),
    api(Post, "/api/v1/devices/{id}/commands", Operator, |m| on(m, api::commands::run)),
    api(Get, "/api/v1/actions", Viewer, |m| on(m, api::actions::list)),
    api(Get, "/api/v1/actions/{id}", Viewer, |m| on(m, api::actions::show)),
    api(Delete, "/api/v1/actions/{id}", Operator, |m| on(m, api::actions::cancel)),
    api(Post, "/api/v1/actions/{id}/reveal", Operator, |m| on(m, api::actions::reveal)),
    api(Get, "/api/v1/commands", Viewer, |m| on(m, api::commands::list)),
    api(Get, "/api/v1/commands/{id}", Viewer, |m| on(m, api::commands::show)),
    api(Get, "/api/v1/commands/{id}/items/{number}/data", Viewer, |m| on(m, api::commands::data)),
    api(Delete, "/api/v1/commands/{id}", Operator, |m| on(m, api::commands::cancel)),
    api(Post, "/api/v1/csp/check", Viewer, |m| on(m, api::csp::check::check)),
    api(Get, "/api/v1/csp/nodes", Viewer, |m| on(m, api::csp::nodes::search)),
    api(Get, "/api/v1/csp/node", Viewer, |m| on(m, api::csp::nodes::show)),
    api(Get, "/api/v1/csp/catalogue", Viewer, |m| on(m, api::csp::catalogue::show_catalogue)),
    api(Post, "/api/v1/csp/catalogue", Admin, |m| on(m, api::csp::catalogue::import)),
    api(Delete, "/api/v1/csp/catalogue", Admin, |m| on(m, api::csp::catalogue::remove_import)),
    api(Get, "/api/v1/csp/overrides", Viewer, |m| on(m, api::csp::overrides::list_overrides)),
    api(Put, "/api/v1/csp/overrides", Admin, |m| on(m, api::csp::overrides::decide)),
    api(Delete, "/api/v1/csp/overrides/{id}", Admin, |m| on(m, api::csp::overrides::withdraw)),
    api(Get, "/api/v1/sessions", Viewer, |m| on(m, api::sessions::list)),
    api(Get, "/api/v1/sessions/{id}", Viewer, |m| on(m, api::sessions::show)),
    api(Get, "/api/v1/uploads", Viewer, |m| on(m, api::uploads::list)),
    api(Get, "/api/v1/uploads/{id}", Viewer, |m| on(m, api::uploads::show)),
    api(Get, "/api/v1/uploads/{id}/content", Operator, |m| on(m, api::uploads::content)),
    api(Delete, "/api/v1/uploads/{id}", Operator, |m| on(m, api::uploads::remove)),
    api(Get, "/api/v1/enrollment-attempts", Viewer, |m| on(m, api::attempts::list)),
    api(Get, "/api/v1/ca", Viewer, |m| on(m, api::ca::show)),
    api(Post, "/api/v1/ca/rotate", Admin, |m| on(m, api::ca::rotate)),
    api(Post, "/api/v1/ca/activate", Admin, |m| on(m, api::ca::activate)),
    api(Post, "/api/v1/ca/retire-old", Admin, |m| on(m, api::ca::retire_old)),
    api(Get, "/api/v1/certificates", Viewer, |m| on(m, api::certificates::list)),
    api(Post, "/api/v1/certificates/{serial}/revoke", Admin, |m| on(m, api::certificates::revoke)),
    api(Get, "/api/v1/events", Viewer, |m| on(m, api::events::list)),
    api(Get, "/api/v1/audit", Viewer, |m| on(m, api::audit::list)),
    api(Post, api::drain::PATH, Admin, |m| on(m, api::drain::drain)),
    operator("/healthz", |m| on(m, ops::health)),
    operator("/readyz", |m| on(m, ops::ready)),
    operator("/metrics", |m| on(m, ops::metrics)),
];

#[cfg(test)]
#[path = "router/tests.rs"]
mod tests;
