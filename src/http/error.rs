//! Errors in the dialect of the API: problem documents (RFC 9457), JSON and nothing else.
//!
//! A handler returns a [`Problem`]; the outermost layer of the router writes it, with the reference of the request, and
//! logs the cause of those that are our fault.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::{Error, FieldError, NodeError};

/// An answer that says what went wrong.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<ProblemField>,
    suggestions: Vec<String>,
    header: Option<(HeaderName, HeaderValue)>,
    /// For the log, never for the answer.
    cause: Option<String>,
}

/// A problem document (RFC 9457) with a stable code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Names the kind of problem: `urn:muster:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    status: u16,
    /// What went wrong, in a sentence.
    detail: String,
    /// What went wrong, for programs; never changes.
    #[schema(example = "user_exists")]
    code: &'static str,
    /// Which parts of the input are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemField>,
    /// Of something that is not there: what may be meant, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suggestions: Vec<String>,
    /// The reference of this request in the log.
    trace_id: String,
}

/// A part of the input that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemField {
    /// JSON pointer (RFC 6901).
    #[schema(example = "/email")]
    pointer: String,
    /// What is wrong there.
    message: String,
    /// Of a command that the catalogue refuses: the kind of error, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "value_out_of_range")]
    kind: Option<&'static str>,
}

impl From<FieldError> for ProblemField {
    fn from(error: FieldError) -> Self {
        Self { pointer: error.pointer, message: error.message, kind: None }
    }
}

impl From<NodeError> for ProblemField {
    fn from(error: NodeError) -> Self {
        Self { pointer: error.pointer, message: error.message, kind: Some(error.kind) }
    }
}

impl Problem {
    /// A problem of the request itself.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            suggestions: Vec::new(),
            header: None,
            cause: None,
        }))
    }

    /// A request that is understood, with a part that is wrong.
    #[must_use]
    pub fn invalid(pointer: &str, message: impl Into<String>) -> Self {
        Error::invalid(pointer, message).into()
    }

    /// A query that is not understood.
    #[must_use]
    pub fn query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
    }

    /// No route there.
    #[must_use]
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
    }

    /// A bug; the cause goes to the log.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed; its log has the cause under the trace_id",
        );
        problem.0.cause = Some(cause.into());
        problem
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What the log should hold, for a failure of ours.
    pub(super) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Status and header alone, where no document is given out.
    pub(super) fn bare(self) -> Response {
        let parts = *self.0;
        let mut response = parts.status.into_response();
        response.headers_mut().extend(parts.header);
        response
    }

    /// The answer.
    pub(super) fn render(self, trace_id: Uuid) -> Response {
        let parts = *self.0;
        let document = ProblemDocument {
            r#type: format!("urn:muster:problem:{}", parts.code),
            title: parts.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: parts.status.as_u16(),
            detail: parts.detail,
            code: parts.code,
            errors: parts.errors,
            suggestions: parts.suggestions,
            trace_id: trace_id.to_string(),
        };
        let body = serde_json::to_vec(&document).expect("strings and numbers are JSON");
        let mut response = (parts.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some((name, value)) = parts.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl IntoResponse for Problem {
    /// A bare status that carries the problem, for the outermost layer to write.
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Invalid(errors) => {
                let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
                problem.0.errors = errors.into_iter().map(ProblemField::from).collect();
                problem
            }
            Error::Refused(errors) => {
                let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused_by_catalogue", detail);
                problem.0.errors = errors.into_iter().map(ProblemField::from).collect();
                problem
            }
            Error::Unknown { suggestions, .. } => {
                let mut problem = Self::new(StatusCode::NOT_FOUND, "unknown_node", detail);
                problem.0.suggestions = suggestions;
                problem
            }
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            Error::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            Error::Conflict { code, message } => Self::new(status_of_conflict(code), code, message),
            Error::TooMany { retry_after } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
                .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after)),
            Error::Unavailable(cause) => {
                let words = "not available now; nothing was changed, try again";
                let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", words)
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"));
                problem.0.cause = Some(cause);
                problem
            }
            Error::Full(cause) => {
                let mut problem = Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", STORAGE_FULL)
                    .with_header(header::RETRY_AFTER, HeaderValue::from_static("30"));
                problem.0.cause = Some(cause);
                problem
            }
            Error::Internal(cause) => Self::internal(chain(cause.as_ref())),
        }
    }
}

/// What a person can do about it.
const STORAGE_FULL: &str = "the disk of the server's database is full, so nothing was changed; make room on it and try \
                            again: reading works meanwhile, and everything else as soon as there is room";

/// Most conflicts are 409; HTTP has words of its own for some.
fn status_of_conflict(code: &str) -> StatusCode {
    match code {
        "version_mismatch" => StatusCode::PRECONDITION_FAILED,
        "idempotency_key_reused" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_answer_keeps_the_header_and_nothing_else() {
        let allow = HeaderValue::from_static("POST");
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "words");
        let response = problem.with_header(header::ALLOW, allow.clone()).bare();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers().iter().collect::<Vec<_>>(), [(&header::ALLOW, &allow)]);
        assert!(response.extensions().get::<Problem>().is_none());
    }

    // covers: S-32
    #[test]
    fn every_error_has_a_status_and_causes_stay_inside() {
        let internal = Error::Internal("table users is damaged".into());
        let cases = [
            (Error::invalid("/email", "is missing"), 422, "invalid"),
            (Error::NotFound("device"), 404, "not_found"),
            (Error::Unauthenticated, 401, "unauthenticated"),
            (Error::Forbidden("no".to_owned()), 403, "forbidden"),
            (Error::conflict("user_exists", "there is one"), 409, "user_exists"),
            (Error::conflict("version_mismatch", "changed"), 412, "version_mismatch"),
            (Error::conflict("idempotency_key_reused", "other"), 422, "idempotency_key_reused"),
            (Error::TooMany { retry_after: 9 }, 429, "too_many_requests"),
            (Error::Unavailable("disk full".to_owned()), 503, "unavailable"),
            (Error::Full("no room for users".to_owned()), 507, "storage_full"),
            (internal, 500, "internal"),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error);
            assert_eq!((problem.0.status.as_u16(), problem.0.code), (status, code));
            assert!(
                ["damaged", "disk full", "no room for users"].iter().all(|cause| !problem.0.detail.contains(cause)),
                "{}",
                problem.0.detail
            );
        }
    }
}
