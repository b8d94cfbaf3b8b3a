//! `/api/openapi.json`: the API, described for programs. A test holds it against the table of routes.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, PathItem, RefOr, ResponseBuilder, path::Operation};
use utoipa::{Modify, OpenApi};

use super::{
    actions, alerts, attempts, audit, ca, certificates, commands, csp, devices, drain, enrollment_url, events,
    invitation_templates, invitations, me, packages, registered, sessions, tokens, uploads, users,
};
use crate::http::error::ProblemDocument;

/// `GET /api/openapi.json`.
pub async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

static TEXT: LazyLock<String> = LazyLock::new(text);

/// The document as JSON.
#[must_use]
pub fn text() -> String {
    Description::openapi().to_pretty_json().expect("a description made of strings is JSON")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "Windows MDM server: users, devices, actions, sessions, certificates, events.\n\nEvery path needs \
            a bearer token. Ids are opaque and may be shortened to a beginning that only one object has. Errors are \
            problem documents (RFC 9457) with a stable `code`.",
    ),
    servers((url = "/")),
    security(("bearer" = [])),
    components(schemas(ProblemDocument)),
    paths(
        me::show,
        users::list, users::add, users::show, users::change, users::remove,
        tokens::list, tokens::add, tokens::revoke,
        enrollment_url::show, enrollment_url::rotate,
        invitations::list, invitations::show, invitations::invite, invitations::resend, invitations::revoke,
        invitation_templates::list, invitation_templates::write, invitation_templates::reset,
        invitation_templates::preview,
        packages::list, packages::add, packages::show, packages::rebuild, packages::revoke,
        devices::list, devices::show, devices::approval::approve, devices::approval::refuse, devices::assign::assign,
        alerts::list,
        actions::request, actions::list, actions::show, actions::cancel, actions::reveal,
        commands::run, commands::list, commands::show, commands::data, commands::cancel,
        csp::check::check, csp::nodes::search, csp::nodes::show,
        csp::catalogue::show_catalogue, csp::catalogue::import, csp::catalogue::remove_import,
        csp::overrides::list_overrides, csp::overrides::decide, csp::overrides::withdraw,
        sessions::list, sessions::show,
        uploads::list, uploads::show, uploads::content, uploads::remove,
        attempts::list,
        registered::list_registered, registered::register, registered::unregister,
        ca::show, ca::rotate, ca::activate, ca::retire_old,
        certificates::list, certificates::revoke,
        events::list,
        audit::list,
        drain::drain,
    ),
    modifiers(&Common)
)]
struct Description;

/// What every route has.
struct Common;

impl Modify for Common {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(bearer));
        for item in openapi.paths.paths.values_mut() {
            for operation in operations(item) {
                name(operation);
                describe_responses(operation);
                add_problem(operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Handlers are called the same in each file; the tag tells them apart.
fn name(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
}

/// OpenAPI wants words for every answer.
fn describe_responses(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let words = match status.as_str() {
                "201" => "It was made",
                "202" => "It waits for the device",
                "204" => "Done",
                _ => "The answer",
            };
            response.description = words.to_owned();
        }
    }
}

/// Errors look the same everywhere.
fn add_problem(operation: &mut Operation) {
    let schema = utoipa::openapi::Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description("A problem").content("application/problem+json", content).build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
}
